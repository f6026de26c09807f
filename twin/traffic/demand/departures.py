"""When people set out: the hours of a working day, by purpose.

The shares are assumptions, per mille of a day. They were set by hand to the shape that surveys such
as MiD 2017 (purposes) and counts such as BASt's (through and freight traffic) are known for; they
are no extract of either and were not compared with them.
"""

from __future__ import annotations

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


def _shares(halves: tuple[tuple[int, ...], tuple[int, ...]]) -> NDArray[np.float64]:
    counts = np.array(halves[0] + halves[1], dtype=np.float64)
    values: NDArray[np.float64] = counts / counts.sum()
    values.flags.writeable = False
    return values


PROFILES = MappingProxyType({name: _shares(halves) for name, halves in _PER_MILLE.items()})
"""Share of a working day's departures by hour 0..23, float64 [24] that sums to 1, by profile."""
