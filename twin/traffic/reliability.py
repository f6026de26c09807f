"""How far trips can be relied on: travel time index, its 95th percentile, and the buffer.

FHWA (Travel Time Reliability, 2006) looks at one way over many days: planning time index = 95th
percentile / free time, buffer index = (95th percentile - mean) / mean.  Here both are over the
trips of a replication: a trip's travel time index is its time, with the wait to enter the
network, over what it would take at the desired speed; trips weigh by their free time, as FHWA
weighs ways by vehicle kilometres.  What differs from day to day is between replications, not in
these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def reliability(trips: pd.DataFrame) -> dict[str, float]:
    """Indices over the trips of a trip table that arrived; NaN where none did."""
    names = ("travel_time_index", "planning_time_index", "buffer_index_percent")
    arrived = trips["arrival_s"].notna().to_numpy()
    spent = trips["duration_s"].to_numpy()[arrived]
    free = spent - trips["time_loss_s"].to_numpy()[arrived]
    whole = spent + trips["depart_delay_s"].to_numpy()[arrived]
    some = free > 0.0
    if not some.any():
        return dict.fromkeys(names, float("nan"))
    index, weight = whole[some] / free[some], free[some]
    mean = float(np.average(index, weights=weight))
    order = np.argsort(index)
    share = np.cumsum(weight[order]) - weight[order] / 2.0
    p95 = float(np.interp(0.95 * weight.sum(), share, index[order]))
    return dict(zip(names, (mean, p95, 100.0 * (p95 / mean - 1.0)), strict=True))
