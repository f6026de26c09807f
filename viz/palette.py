"""Colours that people with colour blindness can tell apart, and scales from values to colours.

Sequential values run along inferno, reversed (Smith and van der Walt, 2015), differences from
purple over grey to orange (after Brewer's PuOr, 2003); both keep their order for the common kinds
of colour blindness, the first also in grey. Categories lean on Okabe and Ito's (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from viz.language import current

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

BETTER = "#0072b2"
WORSE = "#c44e00"
UNCLEAR = "#6b7280"
CATEGORIES = ("#757e8b", "#0072b2", "#c44e00", "#009e73", "#a3568f", "#b8860b")
DASHES = ("", "12 4", "2 3", "9 3 2 3", "5 5", "14 3 2 3 2 3")
NO_VALUE = "#b9b9b4"

# Ends that would vanish on white, or be taken for black, are left out.
_SEQUENTIAL = ("inferno", 0.90, 0.12)
# The middle is the grey of a plain street, so that small differences show on any ground.
_DIVERGING = ("#36106e", "#7d5fb2", "#cdc9c2", "#e0913a", "#963c00")
# On dark ground much is light: the same hues the other way round, little near the ground's colour.
_SEQUENTIAL_DARK = ("inferno", 0.36, 0.97)
_DIVERGING_DARK = ("#c9b8ff", "#7a5fd0", "#3d434f", "#c06a12", "#ffc873")


def series_style(k: int) -> tuple[str, str]:
    """Return colour and dashes of series k of a plot, which differ among the first 26.

    Series 0, the base, alone is grey and solid. The others go round the colours, each time with
    the dashes one further.

    >>> series_style(0), series_style(6)
    (('#757e8b', ''), ('#0072b2', '2 3'))
    """
    if k == 0:
        return CATEGORIES[0], DASHES[0]
    turn, colour = divmod(k - 1, len(CATEGORIES) - 1)
    return CATEGORIES[1 + colour], DASHES[1 + (colour + turn) % (len(DASHES) - 1)]


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to colours; values beyond its ends take the end's colour.

    Attributes
    ----------
    low, high
        Values at the ends; a diverging scale has low = -high.
    diverging
        Whether the middle means "no difference".
    flipped
        Whether high values take the low end's colours; of a diverging scale the high end is
        orange unless flipped.
    """

    low: float
    high: float
    diverging: bool = False
    flipped: bool = False

    @classmethod
    def of(cls, values: npt.ArrayLike, *, diverging: bool = False) -> Scale:
        """Return the scale that fits the values: from 0 to a round number, or symmetric.

        The highest value is cut at the 99th percentile, so that one street does not take
        the colours from all others.
        """
        array = np.asarray(values, float)
        array = array[np.isfinite(array)]
        size = np.abs(array)[array != 0.0]
        top = round_up(float(np.percentile(size, 99))) if size.size else 1.0
        if diverging or (array.size and array.min() < 0.0):
            return cls(-top, top, diverging=True)
        return cls(0.0, top)

    @classmethod
    def between(cls, low: float, high: float, *, flipped: bool = False) -> Scale:
        """Return a scale for values between two, with round ends: from 0 where that is near."""
        raw = (high - low) / 10.0 if high > low else 1.0
        power = 10.0 ** np.floor(np.log10(raw))
        step = next(s * power for s in (1.0, 2.0, 5.0, 10.0) if raw <= s * power * (1 + 1e-9))
        first = 0.0 if 0.0 <= low <= high / 3.0 else step * np.floor(low / step + 1e-9)
        last = step * np.ceil(high / step - 1e-9)
        low, high = float(f"{first:.6g}"), float(f"{max(last, first + step):.6g}")
        return cls(low, high, flipped=flipped)

    def position(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return where the values lie on the scale, 0 to 1; NaN stays NaN."""
        span = self.high - self.low
        return np.clip((np.asarray(values, float) - self.low) / span, 0.0, 1.0)

    def rgb(self, values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return colours of shape (n, 3); grey where a value is missing."""
        position = self.position(values)
        index = np.nan_to_num(position * 255.0).round().astype(int)
        if self.flipped:
            index = 255 - index
        table = _between(_DIVERGING) if self.diverging else _table(*_SEQUENTIAL)
        colours: npt.NDArray[np.uint8] = table[index]
        colours[np.isnan(position)] = rgb(NO_VALUE)
        return colours

    def hex(self, values: npt.ArrayLike) -> list[str]:
        """Return colours as `#rrggbb`."""
        return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in self.rgb(values).tolist()]

    def ticks(self) -> list[float]:
        """Return three to five round values from one end to the other."""
        if self.diverging:
            return [self.low, self.low / 2.0, 0.0, self.high / 2.0, self.high]
        return [self.low, (self.low + self.high) / 2.0, self.high]


def dark_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return 256 colours of sequential and of diverging values on dark ground, (256, 3) each."""
    return _table(*_SEQUENTIAL_DARK), _between(_DIVERGING_DARK)


@lru_cache
def _table(name: str, start: float, stop: float) -> npt.NDArray[np.uint8]:
    """Return 256 colours of a matplotlib colour map between two of its positions."""
    import matplotlib as mpl

    rgba = mpl.colormaps[name](np.linspace(start, stop, 256))
    return np.asarray(np.round(rgba[:, :3] * 255.0), np.uint8)


@lru_cache
def _between(stops: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """Return 256 colours that run from stop to stop."""
    colours = np.stack([rgb(s) for s in stops]).astype(float)
    where, at = np.linspace(0.0, 1.0, len(stops)), np.linspace(0.0, 1.0, 256)
    runs = [np.interp(at, where, colours[:, k]) for k in range(3)]
    return np.round(np.column_stack(runs)).astype(np.uint8)


def rgb(colour: str) -> npt.NDArray[np.uint8]:
    """Return `#rrggbb` as three bytes."""
    return np.frombuffer(bytes.fromhex(colour.lstrip("#")), np.uint8)


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten.

    >>> round_up(0.37), round_up(612.0)
    (0.4, 800.0)
    """
    if not value > 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    for step in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0):
        if value <= step * power * (1.0 + 1e-9):
            return float(f"{step * power:.6g}")
    return float(10.0 * power)


def number(value: float, digits: int | None = None, *, sign: bool = False) -> str:
    """Return a number as people write it: thousands by a thin space, a real minus sign.

    Without `digits`, three significant figures. In German points part thousands, and a comma
    stands before the decimals.

    >>> number(-1234.5, 0)
    '−1\u202f234'
    """
    if not np.isfinite(value):
        return "–"
    if digits is None:
        size = abs(value)
        digits = 0 if size >= 100 or size == round(size) else (1 if size >= 10 else 2)
    text = f"{abs(value):,.{digits}f}"
    german = current() == "de"
    text = text.translate({44: ".", 46: ","} if german else {44: "\u202f"})
    if not any(c in "123456789" for c in text):
        return text
    return ("−" if value < 0 else "+" if sign else "") + text


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return about so many round values between two ends."""
    span = high - low
    if not span > 0.0:
        return [low]
    raw = span / max(1, about)
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0) if raw <= s * power * (1 + 1e-9))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{k * step:.9g}") for k in range(first, last + 1)]


def tick_labels(values: Iterable[float], *, sign: bool = False) -> list[str]:
    """Return labels with just as many digits as tell the values apart."""
    values = list(values)
    for digits in range(4):
        if all(abs(v - round(v, digits)) < 1e-9 * max(1.0, abs(v)) for v in values):
            break
    return [number(v, digits, sign=sign) for v in values]
