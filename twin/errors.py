"""The errors that a user of the twin may meet.

Every message is one line: what was wrong, where, which value, and what to do.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any


class TwinError(Exception):
    """Anything that the twin refuses, with a message meant for its user."""


class InputError(TwinError):
    """A file, folder or value that was handed in cannot be used."""


class ScenarioError(InputError):
    """A scenario asks for something that is unknown, contradictory or impossible."""


class OutputError(TwinError):
    """A result cannot be written where it was asked to be written."""


class SimulationError(TwinError):
    """The simulation was asked for something that its rules do not allow."""


def check_number(
    name: str, value: Any, low: float, high: float, *, whole: bool = False, above: bool = False
) -> None:
    """Refuse what is no number of a range, both ends included.

    Parameters
    ----------
    name
        What the number is called where it was written.
    whole
        Whether it must be a whole number.
    above
        Whether it must be more than `low`.

    Raises
    ------
    InputError
        In one line with the value and the range.
    """
    kind = Integral if whole else Real
    fits = isinstance(value, kind) and not isinstance(value, bool) and low <= float(value) <= high
    if not fits or (above and float(value) == low):
        what = "a whole number" if whole else "a number"
        least = f"above {low:g} and up to" if above else f"from {low:g} to"
        msg = f"{name}(={value!r}) must be {what} {least} {high:g}"
        raise InputError(msg)


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    InputError
        In one line with the value.
    """
    if not isinstance(value, bool):
        msg = f"{name}(={value!r}) must be True or False"
        raise InputError(msg)
