"""When people set out: the hours of a working day, by purpose.

The shares are assumptions, per mille of a day. They were set by hand to the shape that surveys such
as MiD 2017 (purposes) and counts such as BASt's (through and freight traffic) are known for; they
are no extract of either and were not compared with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

# hour of departure    0   1   2   3   4   5    6    7    8    9   10   11
#                     12  13  14  15  16  17   18   19   20   21   22   23
_PER_MILLE = {
    "work out": (
        (3, 2, 2, 6, 22, 75, 185, 262, 155, 62, 28, 20),
        (28, 44, 22, 16, 14, 13, 10, 8, 6, 8, 6, 3),
    ),
    "work back": (
        (6, 3, 2, 2, 3, 6, 8, 8, 8, 10, 16, 30),
        (60, 60, 85, 130, 195, 165, 85, 38, 26, 22, 22, 10),
    ),
    "education out": (
        (0, 0, 0, 0, 0, 5, 60, 490, 190, 60, 35, 25),
        (25, 35, 25, 15, 12, 9, 7, 4, 2, 1, 0, 0),
    ),
    "education back": (
        (0, 0, 0, 0, 0, 0, 4, 70, 60, 15, 15, 65),
        (130, 185, 110, 120, 115, 50, 25, 15, 10, 8, 2, 1),
    ),
    "shopping out": (
        (0, 0, 0, 0, 0, 2, 8, 25, 60, 110, 125, 105),
        (68, 65, 82, 92, 95, 83, 50, 20, 6, 3, 1, 0),
    ),
    "shopping back": (
        (0, 0, 0, 0, 0, 1, 3, 10, 28, 68, 105, 124),
        (95, 68, 68, 86, 98, 104, 80, 40, 14, 5, 2, 1),
    ),
    "leisure out": (
        (3, 2, 1, 1, 2, 4, 8, 17, 28, 46, 55, 50),
        (48, 62, 85, 88, 90, 110, 125, 98, 46, 18, 9, 4),
    ),
    "leisure back": (
        (14, 7, 4, 2, 2, 2, 3, 6, 10, 20, 35, 52),
        (55, 52, 60, 73, 88, 98, 95, 85, 80, 82, 50, 25),
    ),
    "business": (
        (3, 2, 2, 3, 8, 18, 42, 80, 92, 95, 93, 86),
        (76, 82, 82, 76, 62, 40, 24, 14, 8, 6, 4, 2),
    ),
    "freight": (
        (8, 7, 8, 12, 24, 45, 68, 82, 88, 92, 90, 82),
        (72, 74, 70, 58, 40, 26, 17, 12, 9, 7, 5, 4),
    ),
    "through": (
        (9, 6, 4, 5, 10, 25, 55, 75, 65, 52, 50, 52),
        (55, 58, 64, 75, 82, 78, 62, 43, 29, 21, 15, 10),
    ),
}

HOURS = 24
HOUR_S = 3600.0
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """Departures that happen once: triangular from begin to end, with the most at the peak.

    Parameters
    ----------
    begin_s, peak_s, end_s : float64 [1], or [origins] where each has its own; s since the start of
        the first day, begin < end, peak between them or at one of them
    """

    begin_s: Floats
    peak_s: Floats
    end_s: Floats

    def hours(self) -> Integers:
        """Return the hours in which anybody departs, of the first day's start on."""
        first = max(0, int(self.begin_s.min() // HOUR_S))
        return np.arange(first, int(np.ceil(self.end_s.max() / HOUR_S)), dtype=np.int64)

    def shares(self, hours: Integers) -> Floats:
        """Return the share of the departures in each hour: [hours, 1 or origins]."""
        start = hours.astype(np.float64)[:, None] * HOUR_S
        shares: Floats = self._before(start + HOUR_S) - self._before(start)
        return shares

    def times_s(self, hours: Integers, place: Integers, level: Floats) -> Floats:
        """Return a time of departure in each hour, from uniform numbers in [0, 1).

        Parameters
        ----------
        place : the origin of each trip
        """
        place = np.minimum(place, len(self.begin_s) - 1)
        begin, peak, end = self.begin_s[place], self.peak_s[place], self.end_s[place]
        start = hours.astype(np.float64) * HOUR_S
        low = _triangle(start, begin, peak, end)
        share = low + level * (_triangle(start + HOUR_S, begin, peak, end) - low)
        early = begin + np.sqrt(share * (end - begin) * (peak - begin))
        late = end - np.sqrt(np.maximum(1.0 - share, 0.0) * (end - begin) * (end - peak))
        time_s = np.where(share * (end - begin) < peak - begin, early, late)
        # Rounding must not move a departure out of the hour that its id stands for.
        return np.clip(time_s, start, np.nextafter(start + HOUR_S, start))

    def _before(self, time_s: Floats) -> Floats:
        return _triangle(time_s, self.begin_s, self.peak_s, self.end_s)


def _triangle(time_s: Floats, begin: Floats, peak: Floats, end: Floats) -> Floats:
    """Return the part of a triangular distribution that lies before a time."""
    time = np.clip(time_s, begin, end)
    rising = (time - begin) ** 2 / np.maximum((end - begin) * (peak - begin), 1e-9)
    falling = 1.0 - (end - time) ** 2 / np.maximum((end - begin) * (end - peak), 1e-9)
    part: Floats = np.where(time < peak, rising, falling)
    return part


def _shares(halves: tuple[tuple[int, ...], tuple[int, ...]]) -> NDArray[np.float64]:
    counts = np.array(halves[0] + halves[1], dtype=np.float64)
    values: NDArray[np.float64] = counts / counts.sum()
    values.flags.writeable = False
    return values


PROFILES = MappingProxyType({name: _shares(halves) for name, halves in _PER_MILLE.items()})
"""Share of a working day's departures by hour 0..23, float64 [24] that sums to 1, by profile."""
