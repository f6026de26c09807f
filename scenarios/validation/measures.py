"""How near the kernel comes to SUMO, measured against how near SUMO comes to itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.validation.runs import Run

F8 = npt.NDArray[np.float64]

DURATION_MARK, WIDE_DURATION_MARK, WIDE_SPREAD = 0.05, 0.10, 0.05
DELAY_MARK = 0.15
TRIP_MARK = 0.95  # of SUMO's own correlation
STREET_MARK = 0.90
ARRIVAL_MARK = 0.02
LEAST_VEHICLES = 10.0  # of a street, in SUMO's mean, to be compared
LEAST_ITEMS = 10  # trips or streets to correlate


@dataclass(frozen=True)
class Measure:
    """One measure of a case.

    Attributes
    ----------
    name, title, unit
        What is measured.
    sumo, kernel
        Value of each seed; for correlations SUMO's own is leave-one-out.
    value
        What is judged: a deviation, or a correlation.
    mark
        Its bound, an upper one of deviations and a lower one of correlations.
    met
        None where too little was there to be judged.
    """

    name: str
    title: str
    unit: str
    sumo: F8
    kernel: F8
    value: float
    mark: float
    met: bool | None

    @property
    def relative(self) -> bool:
        """Whether `value` is a deviation as a share of SUMO's mean."""
        return self.name in ("duration", "delay", "arrivals")


def compare(due: pd.Index, sumo: Sequence[Run], kernel: Sequence[Run]) -> list[Measure]:
    """Return the five measures of a case.

    Parameters
    ----------
    due
        Ids of all vehicles that were due in the period.
    sumo, kernel
        Runs, one a seed; two or more of SUMO for its own correlations.
    """
    ours, theirs = ([run.trips.reindex(due) for run in runs] for runs in (kernel, sumo))
    return [
        _duration(theirs, ours),
        _delay(theirs, ours),
        _single_trips(theirs, ours),
        _streets(sumo, kernel),
        _arrivals(theirs, ours),
    ]


def _each(trips: Sequence[pd.DataFrame], of: Callable[[pd.DataFrame], float]) -> F8:
    return np.array([of(table) for table in trips], float)


def spread(values: F8) -> float:
    """Range of values as a share of their mean; 0 where the mean is 0."""
    mean = float(np.mean(values))
    return float(np.ptp(values)) / abs(mean) if mean else 0.0


def deviation(kernel: F8, sumo: F8) -> float:
    """Deviation of means as a share of SUMO's; NaN where SUMO's is 0 and the kernel's not."""
    ours, theirs = float(np.mean(kernel)), float(np.mean(sumo))
    if ours == theirs:
        return 0.0
    return (ours - theirs) / theirs if theirs else float("nan")


def _judged(value: float, met: bool) -> bool | None:
    return None if np.isnan(value) else met


def _duration(sumo: Sequence[pd.DataFrame], kernel: Sequence[pd.DataFrame]) -> Measure:
    theirs, ours = (_each(t, lambda x: float(x["duration_s"].mean())) for t in (sumo, kernel))
    value = deviation(ours, theirs)
    mark = WIDE_DURATION_MARK if spread(theirs) > WIDE_SPREAD else DURATION_MARK
    met = _judged(value, abs(value) <= mark)
    return Measure("duration", "mean duration", "s", theirs, ours, value, mark, met)


def _delay(sumo: Sequence[pd.DataFrame], kernel: Sequence[pd.DataFrame]) -> Measure:
    def mean(trips: pd.DataFrame) -> float:
        return float(trips["delay_s"].fillna(0.0).mean())

    theirs, ours = _each(sumo, mean), _each(kernel, mean)
    value = deviation(ours, theirs)
    met = _judged(value, abs(value) <= DELAY_MARK)
    return Measure("delay", "mean delay", "s", theirs, ours, value, DELAY_MARK, met)


def _arrivals(sumo: Sequence[pd.DataFrame], kernel: Sequence[pd.DataFrame]) -> Measure:
    theirs, ours = (_each(t, lambda x: float(x["arrival_s"].count())) for t in (sumo, kernel))
    value = deviation(ours, theirs)
    mark = max(ARRIVAL_MARK, spread(theirs))
    met = _judged(value, abs(value) <= mark + 1e-12)
    return Measure("arrivals", "arrivals", "veh", theirs, ours, value, mark, met)


def _single_trips(sumo: Sequence[pd.DataFrame], kernel: Sequence[pd.DataFrame]) -> Measure:
    theirs, ours = (
        pd.concat([t["duration_s"] for t in tables], axis=1).to_numpy(float)
        for tables in (sumo, kernel)
    )
    every = np.isfinite(theirs).all(axis=1) & np.isfinite(ours).all(axis=1)
    own, cross = correlations(theirs[every], ours[every], ranks=False)
    value = float(np.mean(cross))
    mark = TRIP_MARK * float(np.mean(own))
    met = _judged(value - mark, value >= mark)
    return Measure("trips", "correlation of single trips", "", own, cross, value, mark, met)


def street_times(runs: Sequence[Run], streets: pd.Index) -> F8:
    """Mean travel time, s, of streets (rows) in runs (columns); NaN where nobody passed."""
    columns = []
    for run in runs:
        table = run.streets.reindex(streets)
        count = table["vehicles"].to_numpy(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append(np.where(count > 0, table["seconds"].to_numpy(float) / count, np.nan))
    return np.stack(columns, axis=1)


def busy_streets(sumo: Sequence[Run]) -> pd.Series:
    """Vehicles, SUMO's mean, by street with at least `LEAST_VEHICLES`."""
    counts = pd.concat([run.streets["vehicles"] for run in sumo], axis=1).fillna(0.0)
    mean = counts.mean(axis=1)
    return mean[mean >= LEAST_VEHICLES]


def _streets(sumo: Sequence[Run], kernel: Sequence[Run]) -> Measure:
    streets = busy_streets(sumo).index
    theirs, ours = street_times(sumo, streets), street_times(kernel, streets)
    every = np.isfinite(theirs).all(axis=1) & np.isfinite(ours).all(axis=1)
    own, cross = correlations(theirs[every], ours[every], ranks=True)
    value = float(np.mean(cross))
    met = _judged(value, value >= STREET_MARK)
    title = "rank correlation of streets"
    return Measure("streets", title, "", own, cross, value, STREET_MARK, met)


def correlations(sumo: F8, kernel: F8, *, ranks: bool) -> tuple[F8, F8]:
    """Correlation of each SUMO run with the mean of the others, and of each kernel run with all.

    Pearson's, or Spearman's with `ranks`.  NaN where fewer than 10 rows are there, a column
    does not vary, or SUMO has one run only.

    Parameters
    ----------
    sumo, kernel
        Trips or streets in rows, runs in columns.
    """
    runs = sumo.shape[1]
    own = [
        _correlation(sumo[:, k], np.delete(sumo, k, axis=1).mean(axis=1), ranks=ranks)
        if runs > 1
        else float("nan")
        for k in range(runs)
    ]
    mean = sumo.mean(axis=1)
    cross = [_correlation(column, mean, ranks=ranks) for column in kernel.T]
    return np.array(own), np.array(cross)


def _correlation(a: F8, b: F8, *, ranks: bool) -> float:
    if len(a) < LEAST_ITEMS or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return float("nan")
    if ranks:
        from scipy.stats import rankdata

        a, b = rankdata(a), rankdata(b)
    return float(np.corrcoef(a, b)[0, 1])
