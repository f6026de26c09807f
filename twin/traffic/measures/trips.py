"""What a scenario may change of trips: how many, where, when, and by which lines."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from twin import times
from twin.city.lookup import find_streets, read_area
from twin.system import Effect, Measure, Outlook, Response
from twin.times import TimeOfDay
from twin.traffic.measures.common import german

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.demand import Demand

GERMAN_TRIPS = {
    "work": "zur Arbeit", "education": "zur Ausbildung", "shopping": "zum Einkauf",
    "leisure": "zur Freizeit", "home": "nach Hause", "business": "dienstlich",
    "freight": "Wirtschaftsverkehr", "through": "Durchgangsverkehr", "event": "Veranstaltung",
    "car": "Pkw", "lorry": "Lkw", "truck": "Lkw", "bus": "Busse",
}  # fmt: skip


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
    factor: float = Field(ge=0, le=10, description="Of the trips that the base makes; 0.8 is a "
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
        return f"{german(100 * self.factor)}\u202f% der {what}{there}"

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
        if not any((self.people, self.jobs, self.education, self.shopping, self.leisure)):
            msg = "has nobody and nothing: write people, jobs, education, shopping or leisure"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.within is None else (self.within,)

    def describe(self, language: str = "en") -> str:
        numbers = (self.people, self.jobs, self.education, self.shopping, self.leisure)
        names = ("people", "jobs", "pupils", "visits to shops", "visits for leisure")
        if language == "de":
            names = ("Menschen", "Arbeitsplätzen", "Schulplätzen", "Einkäufen", "Freizeitbesuchen")
            told = [f"{german(n, 0)} {name}" for name, n in zip(names, numbers, strict=True) if n]
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
            many = german(self.visitors, 0)
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
            visitors=self.visitors * demand.scale,  # as all trips
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
                f"Linie {k} {f'alle {german(m)} min' if m else 'eingestellt'}"
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
