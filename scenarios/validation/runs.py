"""What one run was, of the kernel or of SUMO, in the same tables; and whether it locked up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

SAMPLE_S = 10.0
INTERVAL_S = 300.0
# A lock-up: nobody arrives for so long, and so many of those on the road stand.
LOCKED_S, LOCKED_SHARE = 300.0, 0.9


@dataclass(frozen=True)
class Run:
    """Tables of one run.

    Attributes
    ----------
    trips
        By id, all vehicles that were due: due_s; depart_s and arrival_s, NaN where that did
        not happen; duration_s, of those that arrived; delay_s, time loss and departure delay,
        of those on the road or waiting so far.
    streets
        By edge id, over the whole period: vehicles that left it or arrived on it, and
        seconds that vehicles spent on it and on the way through the junction behind it.
    course
        By time_s, every 10 s: vehicles running, halting and waiting to enter, and how many
        have arrived so far.
    intervals
        By begin_s, every 300 s: distance_m driven and time_s spent by all vehicles.
    """

    trips: pd.DataFrame
    streets: pd.DataFrame
    course: pd.DataFrame
    intervals: pd.DataFrame

    def save(self, folder: Path) -> None:
        """Write the tables as Parquet into a folder."""
        for field in fields(self):
            table: pd.DataFrame = getattr(self, field.name)
            table.to_parquet(folder / f"{field.name}.parquet")

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read what `save` wrote."""
        return cls(*(pd.read_parquet(folder / f"{f.name}.parquet") for f in fields(cls)))


def onset_s(course: pd.DataFrame) -> float | None:
    """Time at which a run locks up for the first time, or None.

    It has locked up where for 300 s nobody arrives, vehicles are on the road, and at least
    90 % of them stand.

    Parameters
    ----------
    course
        As in `Run`.

    Examples
    --------
    >>> times = np.arange(0.0, 400.0, 10.0)
    >>> still = pd.DataFrame({"running": 5, "halting": 5, "arrived": 2}, index=times)
    >>> onset_s(still)
    10.0
    """
    time = course.index.to_numpy(float)
    running, halting = (course[name].to_numpy(float) for name in ("running", "halting"))
    nobody = np.diff(course["arrived"].to_numpy(float), prepend=np.nan) == 0.0
    still = nobody & (running > 0.0) & (halting >= LOCKED_SHARE * running)
    ends = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(int)))
    for first, last in ends.reshape(-1, 2):
        if time[last - 1] - time[first] >= LOCKED_S:
            return float(time[first])
    return None
