"""Courses over the day from a table of trips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


def under_way(
    trips: pd.DataFrame, replications: int, points: int = 97
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return times (seconds of the day) and how many vehicles are under way at each.

    Parameters
    ----------
    trips
        Columns `depart_s` (NaN if never) and `arrival_s` (NaN if not in the period), of all
        replications together.
    replications
        How many those are; the course is their mean.
    points
        How many times are looked at.
    """
    depart = np.sort(trips["depart_s"].dropna().to_numpy(float))
    arrival = np.sort(trips["arrival_s"].dropna().to_numpy(float))
    if not depart.size:
        return np.zeros(0), np.zeros(0)
    end = float(max(depart[-1], arrival[-1] if arrival.size else depart[-1]))
    times = np.linspace(float(depart[0]), end, points)
    out = np.searchsorted(depart, times, "right") - np.searchsorted(arrival, times, "right")
    return times, out / max(1, replications)
