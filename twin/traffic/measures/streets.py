"""What a scenario may change of streets."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from twin.city.lookup import Streets
from twin.errors import ScenarioError
from twin.system import Effect, Outlook
from twin.traffic.measures.common import Timed, german

if TYPE_CHECKING:
    from twin.city import City

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


class Change(NamedTuple):
    """What a measure makes of streets: the field's new value, from begin to end."""

    field: str  # "open", "lanes", "speed_m_s" or "bus_lanes"
    streets: I4
    value: float
    begin_s: float
    end_s: float


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
            where, kmh = self.where_in(language), german(self.kmh)
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

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        begin_s, end_s = self.window
        on = tuple(int(s) for s in self.found(run))
        way = Effect("one way", self.direction, on, begin_s=begin_s, end_s=end_s, touches=False)
        return (*super().effects(run), way)


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
