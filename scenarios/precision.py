"""How exactly a planner wants to know what a run does on average."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twin.errors import InputError
from twin.system import indicators


@dataclass(frozen=True)
class Precision:
    """The error of a run's mean that is tolerated.

    Parameters
    ----------
    share
        Tolerated error as a share of the base's mean.
    absolute
        Tolerated error by indicator, in its unit, instead of a share.
    """

    share: float = 0.05
    absolute: Mapping[str, float] | None = None

    @classmethod
    def parse(cls, share: float, within: Sequence[str]) -> Precision:
        """Return a precision from texts INDICATOR=ERROR.

        Raises
        ------
        InputError
            If a text is none, or names no indicator.
        """
        absolute, known = {}, indicators()
        for text in within:
            name, _, value = text.partition("=")
            try:
                absolute[name] = float(value)
            except ValueError:
                absolute[name] = math.nan
            if name not in known or not absolute[name] > 0.0:
                msg = f"--within {text}: is no INDICATOR=ERROR; write e.g. delay_per_trip_s=2"
                raise InputError(msg)
        return cls(share, absolute)

    def half_width(self, indicator: str, base_mean: float) -> float:
        """Return the tolerated error of an indicator, in its unit."""
        given = (self.absolute or {}).get(indicator)
        return self.share * abs(base_mean) if given is None else given
