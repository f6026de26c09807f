"""What measures of traffic share."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from twin import times
from twin.system import Measure
from twin.times import TimeOfDay


def german(value: float, digits: int | None = None) -> str:
    """Return a number with a decimal comma, and points between thousands."""
    text = f"{value:g}" if digits is None else f"{value:,.{digits}f}"
    return text.translate({44: ".", 46: ","})


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
