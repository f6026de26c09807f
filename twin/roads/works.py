"""Road works as a measure: a crew takes a street, or a lane of it, for some hours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin import times
from twin.city.lookup import find_streets
from twin.system import Effect, Measure, Outlook
from twin.times import TimeOfDay


class Works(Measure):
    """A crew works on a street from `begin`, or as soon after as it is free."""

    kind: Literal["works"] = "works"
    street: Annotated[str, Field(min_length=1, description="Name, street id or OSM id")]
    begin: TimeOfDay
    hours: float = Field(gt=0, le=168, description="Working time on the street, h")
    closes: bool = Field(default=False, description="Whether the street is closed to traffic")
    lanes_taken: int = Field(default=0, ge=0, le=20, description="Lanes taken, from the right")
    crew: str = Field(default="crew", min_length=1, description="Who does it; one site at a time")

    @model_validator(mode="after")
    def _takes_something(self) -> Works:
        if not self.closes and not self.lanes_taken:
            msg = "works take no lane: say closes: true, or lanes_taken: 1 or more"
            raise ValueError(msg)
        return self

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        begin_s = times.seconds(self.begin)
        end_s = begin_s + self.hours * 3600
        streets = tuple(int(s) for s in find_streets(run.city, self.street))
        value, closes = (self.closes, self.lanes_taken), self.closes or None
        return (Effect("works", value, streets, begin_s=begin_s, end_s=end_s, closes=closes),)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            hours = f"{self.hours:g}".replace(".", ",")
            taken = f"{self.lanes_taken} Fahrstreifen gesperrt"
            how = "Straße gesperrt" if self.closes else taken
            return f"Bauarbeiten {self.street} ab {self.begin} für {hours} h, {how}"
        what = "closing it" if self.closes else f"taking {self.lanes_taken} lane(s)"
        return f"works on {self.street} from {self.begin} for {self.hours:g} h, {what}"
