"""What a scenario may change of streets, signals and trips."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from twin import times
from twin.city.lookup import Streets, find_streets, read_area
from twin.errors import ScenarioError
from twin.system import Effect, Measure, Outlook, Response
from twin.times import TimeOfDay

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.demand import Demand

I4 = npt.NDArray[np.int32]

COMPASS = {
    "north": 0.0, "northeast": 45.0, "east": 90.0, "southeast": 135.0, "south": 180.0,
    "southwest": 225.0, "west": 270.0, "northwest": 315.0,
}  # fmt: skip
Compass = Literal[
    "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest"
]


GERMAN_COMPASS = {
    "north": "Norden", "northeast": "Nordosten", "east": "Osten", "southeast": "Südosten",
    "south": "Süden", "southwest": "Südwesten", "west": "Westen", "northwest": "Nordwesten",
}  # fmt: skip
GERMAN_TRIPS = {
    "work": "zur Arbeit", "education": "zur Ausbildung", "shopping": "zum Einkauf",
    "leisure": "zur Freizeit", "home": "nach Hause", "business": "dienstlich",
    "freight": "Wirtschaftsverkehr", "through": "Durchgangsverkehr", "event": "Veranstaltung",
    "car": "Pkw", "lorry": "Lkw", "truck": "Lkw", "bus": "Busse",
}  # fmt: skip
GERMAN_POLICIES = {
    "fixed": "gegebene Festzeitprogramme",
    "webster": "Festzeitprogramme nach Webster",
    "green_wave": "Grüne Welle",
    "actuated": "verkehrsabhängig mit Zeitlücken",
    "sotl": "selbstorganisierend (SOTL)",
    "greedy": "Phase mit den meisten Fahrzeugen",
    "max_pressure": "Max-Pressure",
    "rolling_horizon": "vorausschauende Optimierung",
}


def _german(value: float, digits: int | None = None) -> str:
    """Return a number with a decimal comma, and points between thousands."""
    text = f"{value:g}" if digits is None else f"{value:,.{digits}f}"
    return text.translate({44: ".", 46: ","})


class Change(NamedTuple):
    """What a measure makes of streets: the field's new value, from begin to end."""

    field: str  # "open", "lanes", "speed_m_s" or "bus_lanes"
    streets: I4
    value: float
    begin_s: float
    end_s: float


class Timed(Measure):
    """A measure that holds from a time to a time, or for all of the period."""

    begin: TimeOfDay | None = Field(None, description='From, "HH:MM"; if not said, all along.')
    end: TimeOfDay | None = Field(None, description='To, "HH:MM"; if not said, to the end.')

    @model_validator(mode="after")
    def _is_ordered(self) -> Timed:
        begin, end = self.window
        if not begin < end:
            msg = f"ends at {self.end}, not after it begins at {self.begin}"
            raise ValueError(msg)
        return self

    @property
    def window(self) -> tuple[float, float]:
        """Seconds from midnight of the first day."""
        begin = 0.0 if self.begin is None else times.seconds(self.begin)
        return begin, math.inf if self.end is None else times.seconds(self.end)

    def when(self, language: str = "en") -> str:
        """In words, with a space before; nothing where it holds all along."""
        from_, to = ("von", "bis") if language == "de" else ("from", "to")
        from_ = "ab" if language == "de" and self.end is None else from_
        begin = f" {from_} {self.begin}" if self.begin is not None else ""
        return begin + (f" {to} {self.end}" if self.end is not None else "")


class OnStreets(Timed):
    """A measure on streets: one by its name, id or OSM id, or several by what they share."""

    street: Annotated[str | None, Field(min_length=1, description="Name, street id or OSM id")] = (
        None
    )
    streets: Annotated[Streets | None, Field(description="Several streets")] = None

    @model_validator(mode="after")
    def _says_where(self) -> OnStreets:
        if (self.street is None) == (self.streets is None):
            msg = "is on no street or on two kinds of them: write street: NAME, or streets: {...}"
            raise ValueError(msg)
        return self

    @property
    def meant(self) -> Streets:
        """What is said of where."""
        return Streets(names=(str(self.street),)) if self.streets is None else self.streets

    @property
    def where(self) -> str:
        """In words."""
        return self.where_in()

    def where_in(self, language: str = "en") -> str:
        """In words of a language."""
        return self.street if self.street is not None else self.meant.describe(language)

    def files(self) -> tuple[str, ...]:
        within = None if self.streets is None else self.streets.within
        return () if within is None else (within,)

    def found(self, run: Outlook) -> I4:
        """Positions of the streets that are meant."""
        return self.meant.find(run.city, run.file)

    @abstractmethod
    def change(self, run: Outlook) -> Change:
        """What it makes of the streets.

        Raises
        ------
        ScenarioError
            Where the streets do not allow it.
        """

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        field, streets, value, begin_s, end_s = self.change(run)
        subject = {"open": "closed or open", "lanes": "open lanes", "bus_lanes": "bus lanes",
                   "speed_m_s": "speed limit"}[field]  # fmt: skip
        on = tuple(int(s) for s in streets)
        closes = value == 0.0 if field in {"open", "lanes"} else None
        return (Effect(subject, value, on, begin_s=begin_s, end_s=end_s, closes=closes),)


class Close(OnStreets):
    """Close a street to all vehicles."""

    kind: Literal["close"] = "close"

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return f"{self.where_in(language)} gesperrt{self.when(language)}"
        return f"{self.where} closed{self.when()}"

    def change(self, run: Outlook) -> Change:
        return Change("open", self.found(run), 0.0, *self.window)


class Reopen(OnStreets):
    """Open a street, with all its lanes, that an earlier measure has closed."""

    kind: Literal["reopen"] = "reopen"

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return f"{self.where_in(language)} wieder offen{self.when(language)}"
        return f"{self.where} open again{self.when()}"

    def change(self, run: Outlook) -> Change:
        return Change("open", self.found(run), 1.0, *self.window)


class Lanes(OnStreets):
    """Leave a street so many lanes of each direction; the right-hand ones are taken first."""

    kind: Literal["lanes"] = "lanes"
    lanes: int = Field(ge=0, le=20, description="Lanes that stay open")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            many = "Fahrstreifen je Richtung"
            return f"{self.where_in(language)} mit {self.lanes} {many}{self.when(language)}"
        return f"{self.where} with {self.lanes} lane(s){self.when()}"

    def change(self, run: Outlook) -> Change:
        streets = self.found(run)
        built = run.city.streets["lanes"].to_numpy()[streets]
        if self.lanes > int(built.max()):
            msg = (
                f"{self.where} has {int(built.max())} lane(s): a measure can close lanes and open "
                f"them again, not build any; write lanes: {int(built.max())} or less"
            )
            raise ScenarioError(msg)
        return Change("lanes", streets, float(self.lanes), *self.window)


class Speed(OnStreets):
    """Set the speed limit of a street."""

    kind: Literal["speed"] = "speed"
    kmh: float = Field(ge=5, le=130, description="Speed limit, km/h")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            where, kmh = self.where_in(language), _german(self.kmh)
            return f"Tempo {kmh}{self.when(language)}: {where}"
        return f"{self.kmh:g} km/h on {self.where}{self.when()}"

    def change(self, run: Outlook) -> Change:
        return Change("speed_m_s", self.found(run), self.kmh / 3.6, *self.window)


class OneWay(OnStreets):
    """Let traffic pass a street in one direction only."""

    kind: Literal["one_way"] = "one_way"
    direction: Compass = Field(description="Where traffic may still go")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            way = GERMAN_COMPASS[self.direction]
            return f"{self.where_in(language)} Einbahnstraße nach {way}{self.when(language)}"
        return f"{self.where} one way to the {self.direction}{self.when()}"

    def change(self, run: Outlook) -> Change:
        streets = self.found(run)
        against = streets[_against(run.city, streets, COMPASS[self.direction])]
        if not len(against):
            msg = (
                f"{self.where} has no section against the {self.direction}: it is one way already, "
                "or write the other direction"
            )
            raise ScenarioError(msg)
        if len(against) == len(streets):
            msg = (
                f"{self.where} has no section to the {self.direction}, so it would be closed; "
                "write the other direction"
            )
            raise ScenarioError(msg)
        return Change("open", against, 0.0, *self.window)


class BusLane(OnStreets):
    """Keep the right-hand lanes of a street for buses; streets of one lane are left out.

    Who turns right comes from the lane beside it, as at the end of a bus lane.
    """

    kind: Literal["bus_lane"] = "bus_lane"
    lanes: int = Field(1, ge=1, le=5, description="Lanes of each direction")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            many = "ein Busfahrstreifen" if self.lanes == 1 else f"{self.lanes} Busfahrstreifen"
            return f"{many} je Richtung{self.when(language)}: {self.where_in(language)}"
        many = "a bus lane" if self.lanes == 1 else f"{self.lanes} bus lanes"
        return f"{many} on {self.where}{self.when()}"

    def change(self, run: Outlook) -> Change:
        lanes = run.city.lanes
        cars = np.bincount(lanes["street"].to_numpy()[lanes["cars"].to_numpy(bool)],
                           minlength=len(run.city.streets))  # fmt: skip
        streets = self.found(run)
        wide = streets[cars[streets] > self.lanes]
        if not len(wide):
            msg = (
                f"{self.where} has {int(cars[streets].max())} lane(s) for cars at most: a bus lane "
                "needs one more than it takes; close the street to cars or choose another"
            )
            raise ScenarioError(msg)
        return Change("bus_lanes", wide, float(self.lanes), *self.window)


def _against(city: City, streets: I4, heading: float) -> npt.NDArray[np.bool_]:
    """Which streets lead more than 90 degrees away from a heading (0 is north)."""
    import shapely

    shapes = city.streets.geometry.to_numpy()[streets]
    ends = [shapely.get_coordinates(shapely.get_point(shapes, k)) for k in (0, -1)]
    along = ends[1] - ends[0]
    way = np.array([math.sin(math.radians(heading)), math.cos(math.radians(heading))])
    return np.asarray(along @ way < 0.0)


class SignalPolicy(Timed):
    """Let a policy control every signal that has at least two green phases."""

    kind: Literal["signal_policy"] = "signal_policy"
    policy: str = Field(min_length=1, description="A named baseline, or a trained agent's file")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            named = GERMAN_POLICIES.get(self.policy, self.policy)
            return f"Ampelsteuerung: {named}{self.when(language)}"
        return f"signals by {self.policy}{self.when()}"

    def check(self, city: City) -> None:
        _has_signals(city, "a signal policy")

    def effects(self, run: Outlook) -> tuple[Effect, ...]:  # noqa: ARG002
        begin_s, end_s = self.window
        return (Effect("signals", self.policy, begin_s=begin_s, end_s=end_s),)


class Phase(BaseModel):
    """A phase of a signal program."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    duration_s: float = Field(ge=1, le=600, description="Seconds that it is shown")
    state: str = Field(
        pattern="^[rygGsuoOY]+$", description="A letter for each link of the signal, as in SUMO"
    )


class SignalProgram(Timed):
    """Give signals another program: off (flashing amber), phases, or those of a SUMO file."""

    kind: Literal["signal_program"] = "signal_program"
    signals: tuple[str, ...] = Field((), description="Ids of signals; all of them if none")
    program: Annotated[Literal["off"] | None, Field(description="off: flashing amber")] = None
    file: Annotated[
        str | None, Field(min_length=1, description="SUMO additional file with tlLogic elements")
    ] = None
    phases: tuple[Phase, ...] = Field((), description="Phases of one signal, in order")
    offset_s: Annotated[
        float | None, Field(ge=0, le=3600, description="Seconds by which the program begins later")
    ] = None

    @model_validator(mode="after")
    def _is_one(self) -> SignalProgram:
        ways = [self.program is not None, self.file is not None, bool(self.phases)]
        if sum(ways) != 1 and not (sum(ways) == 0 and self.offset_s is not None):
            msg = "changes nothing or too much: give one of program: off, file, phases, offset_s"
            raise ValueError(msg)
        if self.phases and len(self.signals) != 1:
            msg = f"gives phases to {len(self.signals)} signals; name the one: signals: [ID]"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.file is None else (self.file,)

    def describe(self, language: str = "en") -> str:
        german, when = language == "de", self.when(language)
        one, many, every = (
            ("Ampel", "Ampeln", "alle Ampeln") if german else ("signal", "signals", "all signals")
        )
        named = f"{many if len(self.signals) > 1 else one} {', '.join(self.signals)}"
        who = named if self.signals else every
        if self.program == "off":
            what = "aus (gelbes Blinklicht)" if german else "off (flashing amber)"
        elif self.file is not None:
            return f"{'Signalprogramme aus' if german else 'programs of'} {self.file}{when}"
        elif self.phases:
            what = f"{'mit' if german else 'with'} {len(self.phases)} "
            what += "Phasen" if german else "phases"
        else:
            later = self.offset_s or 0.0
            what = f"um {_german(later)} s versetzt" if german else f"{later:g} s later"
        return f"{who} {what}{when}"

    def check(self, city: City) -> None:
        _has_signals(city, "a signal program")

    def programs(self, run: Outlook) -> dict[str, Any]:
        """Rows of the city's table of signals by signal id."""
        from twin.traffic.programs import changed_programs

        path = None if self.file is None else run.file(self.file)
        return changed_programs(run.city, self, path)

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        begin_s, end_s = self.window
        ids = frozenset(self.programs(run))
        value = self.model_dump_json(exclude={"begin", "end", "name"})
        return (Effect("signals", value, keys=ids, begin_s=begin_s, end_s=end_s),)


class OfTrips(Measure):
    """A measure that changes which trips are made."""

    @abstractmethod
    def demanded(self, demand: Demand, run: Outlook) -> Demand:
        """The trips that are made with it."""

    def place(self, run: Outlook, within: str | None, street: str | None) -> Any:
        """The area of a GeoJSON file, or the middle of a street, in the city's CRS."""
        if within is not None:
            return read_area(run.file(within), within, run.city.crs)
        found = find_streets(run.city, str(street))
        return run.city.streets.geometry.iloc[found].union_all().centroid


class DemandPart(OfTrips):
    """Change how many trips are made: of a purpose, of vehicles, of zones."""

    kind: Literal["demand"] = "demand"
    factor: float = Field(ge=0, le=100, description="Of the trips that the base makes; 0.8 is a "
                          "fifth less")  # fmt: skip
    purpose: str | None = Field(None, description="work, education, shopping, ...; ways home too")
    vehicle: Annotated[Literal["car", "lorry"] | None, Field(description="Only of these")] = None
    within: str | None = Field(
        None, min_length=1, description="GeoJSON of polygons; zones with their centre inside"
    )
    direction: Annotated[
        Literal["from", "to", "both"], Field(description="Trips from there, to there, or either")
    ] = "both"

    def files(self) -> tuple[str, ...]:
        return () if self.within is None else (self.within,)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return self._german()
        what = " ".join(w for w in (self.purpose, self.vehicle, "trips") if w)
        where = {"from": "from", "to": "to", "both": "from and to"}[self.direction]
        there = "" if self.within is None else f" {where} {self.within}"
        return f"{100 * self.factor:g} % of the {what}{there}"

    def _german(self) -> str:
        said = [GERMAN_TRIPS.get(str(w), str(w)) for w in (self.purpose, self.vehicle) if w]
        what = f"Fahrten ({', '.join(said)})" if said else "Fahrten"
        where = {"from": "aus", "to": "nach", "both": "aus und nach"}[self.direction]
        there = "" if self.within is None else f" {where} {self.within}"
        return f"{_german(100 * self.factor)}\u202f% der {what}{there}"

    def effects(self, run: Outlook) -> tuple[Effect, ...]:  # noqa: ARG002
        part = (self.purpose, self.vehicle, self.within, self.direction)
        return (Effect(f"number of trips {part}", self.factor),)

    def demanded(self, demand: Demand, run: Outlook) -> Demand:
        from twin.traffic.demand.changes import scaled_part

        area = None if self.within is None else self.place(run, self.within, None)
        return scaled_part(
            demand,
            self.factor,
            purpose=self.purpose,
            vehicle_type=self.vehicle,
            within=area,
            direction=self.direction,
        )


class NewQuarter(OfTrips):
    """A new development: people and jobs, and the trips that they make."""

    kind: Literal["development"] = "development"
    title: str = Field(min_length=1, max_length=100, description="What maps and tables call it")
    within: str | None = Field(None, min_length=1, description="GeoJSON of its area")
    street: str | None = Field(None, min_length=1, description="Or the street that it lies on")
    people: float = Field(0.0, ge=0, le=1e6, description="Who live there")
    jobs: float = Field(0.0, ge=0, le=1e6, description="Who work there")
    education: float = Field(0.0, ge=0, le=1e6, description="Visits of a day to schools there")
    shopping: float = Field(0.0, ge=0, le=1e6, description="Visits of a day to shops there")
    leisure: float = Field(0.0, ge=0, le=1e6, description="Visits of a day for leisure there")

    @model_validator(mode="after")
    def _is_somewhere(self) -> NewQuarter:
        _one_place(self.within, self.street)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.within is None else (self.within,)

    def describe(self, language: str = "en") -> str:
        numbers = (self.people, self.jobs, self.education, self.shopping, self.leisure)
        names = ("people", "jobs", "pupils", "visits to shops", "visits for leisure")
        if language == "de":
            names = ("Menschen", "Arbeitsplätzen", "Schulplätzen", "Einkäufen", "Freizeitbesuchen")
            told = [f"{_german(n, 0)} {name}" for name, n in zip(names, numbers, strict=True) if n]
            return f"{self.title}: neues Quartier mit {', '.join(told) or 'niemandem'}"
        parts = [f"{n:,.0f} {name}" for name, n in zip(names, numbers, strict=True) if n]
        return f"{self.title}: a new quarter of {', '.join(parts) or 'nobody'}"

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        self.place(run, self.within, self.street)
        numbers = (self.people, self.jobs, self.education, self.shopping, self.leisure)
        return (Effect(f"development {self.title}", numbers),)

    def demanded(self, demand: Demand, run: Outlook) -> Demand:
        from twin.traffic.demand.changes import Development, with_development

        new = Development(
            name=self.title,
            where=self.place(run, self.within, self.street),
            residents=self.people,
            jobs=self.jobs,
            education=self.education,
            shopping=self.shopping,
            leisure=self.leisure,
        )
        return with_development(demand, run.city, new)


class PublicEvent(OfTrips):
    """An event that many visit once: they arrive before it and leave after it."""

    kind: Literal["event"] = "event"
    title: str = Field(min_length=1, max_length=100, description="What maps and tables call it")
    within: str | None = Field(None, min_length=1, description="GeoJSON of its area")
    street: str | None = Field(None, min_length=1, description="Or the street where it is")
    visitors: float = Field(ge=1, le=1e6, description="People")
    begin: TimeOfDay = Field(description='When it begins, "HH:MM"')
    end: TimeOfDay = Field(description='When it ends, "HH:MM"')
    car_share: float | None = Field(None, ge=0, le=1, description="Part who come by car")
    persons_per_car: float | None = Field(None, ge=1, le=9, description="People in a car")
    arrive_within_min: float | None = Field(None, ge=1, le=1440, description="All arrive in so "
                                            "many minutes before it begins")  # fmt: skip
    leave_within_min: float | None = Field(None, ge=1, le=1440, description="All leave in so many "
                                           "minutes after it ends")  # fmt: skip
    outside_share: float | None = Field(None, ge=0, le=1, description="Part from beyond the map")
    parking_m: float | None = Field(None, ge=1, le=5000, description="How far off cars park, m")

    @model_validator(mode="after")
    def _is_somewhere(self) -> PublicEvent:
        _one_place(self.within, self.street)
        if times.seconds(self.end) <= times.seconds(self.begin):
            msg = f"ends at {self.end}, not after it begins at {self.begin}"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.within is None else (self.within,)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            many = _german(self.visitors, 0)
            return f"{self.title}: {many} Gäste von {self.begin} bis {self.end}"
        return f"{self.title}: {self.visitors:,.0f} visitors from {self.begin} to {self.end}"

    def usual_response(self, run: Outlook) -> Response:  # noqa: ARG002
        """Nobody has learnt what happens once."""
        return "en_route"

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        self.place(run, self.within, self.street)
        before_s, after_s = (
            60.0 * (self.arrive_within_min or 180),
            60.0 * (self.leave_within_min or 180),
        )
        begin_s, end_s = times.seconds(self.begin) - before_s, times.seconds(self.end) + after_s
        subject = f"event {self.title}"
        return (Effect(subject, self.visitors, begin_s=begin_s, end_s=end_s),)

    def demanded(self, demand: Demand, run: Outlook) -> Demand:
        from twin.traffic.demand.changes import Event, with_event

        stated = ("car_share", "persons_per_car", "arrive_within_min", "leave_within_min",
                  "outside_share", "parking_m")  # fmt: skip
        event = Event(
            name=self.title,
            where=self.place(run, self.within, self.street),
            visitors=self.visitors,
            begin_s=times.seconds(self.begin),
            end_s=times.seconds(self.end),
            **{name: getattr(self, name) for name in stated},
        )
        return with_event(demand, run.city, event)


class Headways(OfTrips):
    """Let buses of lines run at stated headways."""

    kind: Literal["headways"] = "headways"
    minutes: dict[str, float] = Field(
        min_length=1, description="Minutes between two buses by line; 0 stops a line"
    )

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return ", ".join(
                f"Linie {k} {f'alle {_german(m)} min' if m else 'eingestellt'}"
                for k, m in self.minutes.items()
            )
        said = (f"line {k} {f'every {m:g} min' if m else 'stopped'}" for k, m in
                self.minutes.items())  # fmt: skip
        return ", ".join(said)

    def check(self, city: City) -> None:
        from twin.traffic.demand.lines import check_headways

        check_headways(city.lines, self.minutes)

    def effects(self, run: Outlook) -> tuple[Effect, ...]:  # noqa: ARG002
        return tuple(Effect(f"headway of line {k}", m) for k, m in self.minutes.items())

    def demanded(self, demand: Demand, run: Outlook) -> Demand:
        from twin.traffic.demand.changes import with_headways

        return with_headways(demand, run.city, self.minutes)


def _one_place(within: str | None, street: str | None) -> None:
    if (within is None) == (street is None):
        msg = "lies nowhere or at two places: write within: AREA.geojson, or street: NAME"
        raise ValueError(msg)


def _has_signals(city: City, what: str) -> None:
    if not len(city.signals):
        msg = f"the city {city.name} has no signals; {what} needs at least one"
        raise ScenarioError(msg)
