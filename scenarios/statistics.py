"""Differences of runs: mean, confidence interval, p-value, and how many replications settle it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
ERROR = 1.0 - CONFIDENCE
MOST_PAIRS = 10_000  # as many as a scenario may have
FEW = 10  # differences below which skewness cannot be seen at all
SKEWED = 0.18  # |skewness of the mean| from which intervals are too short; see docs/comparison.md

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """What values of two runs say about the difference of their means.

    Parameters
    ----------
    n
        Pairs of which both values are finite; of unpaired runs the values of the smaller one.
    base_mean, mean
        Means over these.
    difference
        Mean of the alternative less that of the base.
    low, high
        Ends of the confidence interval of the difference; NaN for fewer than two pairs.
    p_value
        Two-sided, for no difference; below the error of the interval exactly where the interval
        leaves out 0. NaN for fewer than two pairs.
    identical
        Whether no pair differs.
    n_needed
        Pairs at which the interval would be narrower than the difference that was found,
        should the pairs go on to differ as they did; 0 where unknown or more than 10,000.
    deviation
        Standard deviation of a pair's difference, so that `deviation` / √n is the standard error.
    spread
        Standard deviation between replications of one run, the larger of both; NaN for one.
    skewness
        Of the mean difference: that of the differences / √n.
    """

    n: int
    base_mean: float
    mean: float
    difference: float
    low: float
    high: float
    p_value: float
    identical: bool
    n_needed: int
    deviation: float = math.nan
    spread: float = math.nan
    skewness: float = 0.0

    @property
    def warning(self) -> str:
        """Return "few" or "skewed" where the interval may be too short, else ""."""
        if self.n == 0 or self.identical:
            return ""
        if self.n < FEW:
            return "few"
        return "skewed" if abs(self.skewness) > SKEWED else ""


def paired(
    base: Sequence[float] | Floats, other: Sequence[float] | Floats, *, error: float = ERROR
) -> Paired:
    """Compare pairs by Student's t on their differences, with Hall's correction for skewness.

    With d, s and g the mean, standard deviation and skewness of the differences, T = d √n / s is
    replaced by T + λ (T²/3 + 1/6) + λ² T³/27, λ = g / √n, which Student's t describes better where
    differences are skewed, and the interval is this test turned round (Hall 1992, J. R. Stat.
    Soc. B 54, 221-228). Without skewness it is the paired-t interval d ± t(1 - error/2, n - 1) ·
    s / √n (Student 1908).

    Examples
    --------
    >>> result = paired([10.0, 12.0, 11.0], [9.0, 10.5, 10.5])
    >>> round(result.difference, 3), round(result.low, 3), round(result.high, 3)
    (-1.0, -2.242, 0.242)
    """
    a, b = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    n, differences = len(a), b - a
    if n < 2:
        return _without_interval(a, b)
    s = float(differences.std(ddof=1))
    skewness = _skewness(differences, differences.std()) / math.sqrt(n)
    identical = bool(np.all(differences == 0.0))
    return _found(a, b, n, s, float(n - 1), skewness, identical=identical, error=error)


def welch(
    base: Sequence[float] | Floats, other: Sequence[float] | Floats, *, error: float = ERROR
) -> Paired:
    """Compare runs of independent seeds by Welch's t (1947), with Hall's correction as `paired`.

    Parameters
    ----------
    base, other
        Values of each run; they need not be as many.
    error
        Of the interval.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (base, other))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < 2:
        return _without_interval(a, b)
    va, vb = (float(v.var(ddof=1)) / len(v) for v in (a, b))
    n, total = min(len(a), len(b)), va + vb
    identical = total == 0.0 and float(a[0]) == float(b[0])
    freedom = total**2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)) if total else n - 1.0
    third = [float(((v - v.mean()) ** 3).mean()) / len(v) ** 2 for v in (a, b)]
    skewness = (third[1] - third[0]) / total**1.5 if total else 0.0
    s = math.sqrt(total * n)
    return _found(a, b, n, s, freedom, skewness, identical=identical, error=error)


def pairs_needed(difference: float, deviation: float, error: float = ERROR) -> int:
    """Return the least number of pairs whose interval around `difference` excludes zero.

    0 if that would be more than 10,000: then the difference hardly matters beside chance.
    """
    return 0 if difference == 0.0 else _least(deviation, abs(difference), error)


def runs_for_precision(spread: float, half_width: float) -> int:
    """Return the replications from which a run's mean is known to within ± `half_width`.

    The least n with n >= (t(0.975, n - 1) · s / E)², s the standard deviation between
    replications and E the tolerated error (FHWA, Traffic Analysis Toolbox Volume III, 2004 and
    2019). 0 if that would be more than 10,000, or where either is unknown.

    Examples
    --------
    >>> runs_for_precision(10.0, 5.0)
    18
    """
    if not (math.isfinite(spread) and half_width > 0.0):
        return 0
    return _least(spread, half_width, ERROR)


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Return p-values corrected for their number by Holm (1979); NaN stays and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def _without_interval(a: Floats, b: Floats) -> Paired:
    """Return what fewer than two values of a run say."""
    nan = math.nan
    if min(len(a), len(b)) == 0:
        return Paired(0, nan, nan, nan, nan, nan, nan, identical=False, n_needed=0)
    base, mean = float(a.mean()), float(b.mean())
    return Paired(1, base, mean, mean - base, nan, nan, nan, identical=base == mean, n_needed=0)


def _found(
    a: Floats, b: Floats, n: int, s: float, freedom: float, skewness: float,
    *, identical: bool, error: float,
) -> Paired:  # fmt: skip
    """Return what a difference of standard error s / √n says."""
    from scipy.special import stdtr, stdtrit

    d = float((b - a).mean()) if len(a) == len(b) else float(b.mean() - a.mean())
    low = high = d
    p = 1.0 if identical else 0.0
    if s > 0.0:
        se, quantile = s / math.sqrt(n), float(-stdtrit(freedom, error / 2.0))
        low, high = (d - se * _untransformed(t, skewness) for t in (quantile, -quantile))
        p = float(2.0 * stdtr(freedom, -abs(_transformed(d / se, skewness))))
    spread = max(float(v.std(ddof=1)) for v in (a, b))
    needed = 0 if identical else pairs_needed(d, s, error)
    return Paired(
        n, float(a.mean()), float(b.mean()), d, low, high, p, identical, needed, s, spread, skewness
    )


def _transformed(t: float, skewness: float) -> float:
    """Return Hall's transform of a t statistic, by the skewness of the mean."""
    return t + skewness * (t * t / 3.0 + 1.0 / 6.0) + skewness**2 * t**3 / 27.0


def _untransformed(t: float, skewness: float) -> float:
    if abs(skewness) < 1e-6:  # where the cube root would lose all digits
        return t - skewness * (t * t / 3.0 + 1.0 / 6.0)
    return 3.0 / skewness * (float(np.cbrt(1.0 + skewness * (t - skewness / 6.0))) - 1.0)


def _skewness(values: Floats, deviation: float) -> float:
    return float((((values - values.mean()) / deviation) ** 3).mean()) if deviation else 0.0


def _least(deviation: float, half_width: float, error: float) -> int:
    """Return the least n from 2 on with t(n - 1) · deviation / √n below `half_width`, or 0."""
    from scipy.special import stdtrit

    def narrow(n: int) -> bool:
        quantile = float(-stdtrit(n - 1, error / 2.0))
        return quantile * deviation / math.sqrt(n) < half_width

    found = 2 + bisect_left(range(2, MOST_PAIRS + 1), x=True, key=narrow)
    return found if found <= MOST_PAIRS else 0
