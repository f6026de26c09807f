"""Numbers, times and names in the attributes of SUMO's files."""

from __future__ import annotations

import math
from hashlib import blake2b

from twin.errors import InputError

Attributes = dict[str, str]
Inner = list[tuple[str, Attributes]]


def seconds(text: str, where: str = "time") -> float:
    """Seconds of "12.5", "00:01:30" or "1:00:00:00" (days first).

    Raises
    ------
    InputError
        For anything else, and for what is below zero.
    """
    total = math.nan
    parts = text.split(":")
    try:
        if len(parts) == 1:
            total = float(text)
        elif len(parts) in (3, 4) and not any(p.strip().startswith(("-", "+")) for p in parts):
            total = sum(
                unit * float(part)
                for unit, part in zip((1, 60, 3600, 86400), reversed(parts), strict=False)
            )
    except ValueError:
        total = math.nan
    if not (math.isfinite(total) and total >= 0.0):
        msg = f"{where}: {text!r} is no time from 0 on; write seconds or HH:MM:SS"
        raise InputError(msg)
    return total


def entity_of(name: str) -> int:
    """The number of a name for random streams, the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def number(given: Attributes, name: str, default: float, where: str, least: float = 0.0) -> float:
    """The number of an attribute, or `default` where it is not given.

    Raises
    ------
    InputError
        If it is no finite number, or below `least`.
    """
    text = given.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        bound = "" if least == -math.inf else f" of at least {least:g}"
        msg = f"{where}: {name}={text!r} must be a number{bound}; correct it"
        raise InputError(msg)
    return value
