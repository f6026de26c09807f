"""Times of day as scenarios write them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_PATTERN = re.compile(r"(\d{1,2}):([0-5]\d)")
_MOMENT = re.compile(rf"({_PATTERN.pattern})(?::([0-5]\d))?")


def seconds(time: str) -> float:
    """Seconds since midnight of "HH:MM"; hours past 24 are of the next day.

    Raises
    ------
    ValueError
        For anything else.
    """
    match = _PATTERN.fullmatch(time)
    if match is None:
        msg = f'{time!r} is no time of day; write "HH:MM", e.g. "07:30" or "26:00" for 2 at night'
        raise ValueError(msg)
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0


def moment(time: str) -> float:
    """Seconds since midnight of "HH:MM" or "HH:MM:SS"; hours past 24 are of the next day.

    Raises
    ------
    ValueError
        For anything else.
    """
    match = _MOMENT.fullmatch(time)
    if match is None:
        msg = f'{time!r} is no time of day; write "HH:MM" or "HH:MM:SS", e.g. "07:45"'
        raise ValueError(msg)
    return seconds(match[1]) + float(match[4] or 0)


def text(time_s: float) -> str:
    """Write seconds since midnight as "HH:MM"."""
    minutes = round(time_s / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _check(time: str) -> str:
    seconds(time)
    return time


TimeOfDay = Annotated[str, AfterValidator(_check)]
