"""Differences of pairs: mean, confidence interval, p-value, and how many pairs would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
MOST_PAIRS = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """What pairs (base, alternative) say about the difference of their means.

    Parameters
    ----------
    n
        Pairs of which both values are finite.
    base_mean, mean
        Means over these pairs.
    difference
        Mean of alternative - base.
    low, high
        Ends of the 95 % confidence interval of the difference; NaN for fewer than two pairs.
    p_value
        Two-sided, of the paired t-test; NaN for fewer than two pairs.
    identical
        Whether no pair differs.
    n_needed
        Pairs at which the interval would be narrower than the difference that was found,
        should the pairs go on to differ as they did; 0 where unknown or more than 1000.
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


def paired(base: Sequence[float] | Floats, other: Sequence[float] | Floats) -> Paired:
    """Compare pairs by Student's t on their differences.

    The interval is d ± t(0.975, n - 1) · s / √n, with d and s the mean and the standard
    deviation of the differences (Student 1908; Law 2015, section 10.2.1, paired-t interval).

    Examples
    --------
    >>> result = paired([10.0, 12.0, 11.0], [9.0, 10.5, 10.5])
    >>> round(result.difference, 3), round(result.low, 3), round(result.high, 3)
    (-1.0, -2.242, 0.242)
    """
    a, b = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    n = len(a)
    if n == 0:
        nan = math.nan
        return Paired(0, nan, nan, nan, nan, nan, nan, identical=False, n_needed=0)
    differences = b - a
    d, identical = float(differences.mean()), bool(np.all(differences == 0.0))
    low = high = p_value = math.nan
    s = float(differences.std(ddof=1)) if n > 1 else 0.0
    if n > 1:
        half = float(_t_quantile(np.array([n]))[0]) * s / math.sqrt(n)
        low, high = d - half, d + half
        p_value = 1.0 if identical else _p_value(d, s, n)
    needed = pairs_needed(d, s) if n > 1 and not identical else 0
    return Paired(n, float(a.mean()), float(b.mean()), d, low, high, p_value, identical, needed)


def pairs_needed(difference: float, deviation: float) -> int:
    """Return the least number of pairs whose interval around `difference` excludes zero.

    0 if that would be more than 1000: then the difference hardly matters beside chance.
    """
    if difference == 0.0:
        return 0
    n = np.arange(2, MOST_PAIRS + 1)
    enough = np.flatnonzero(_t_quantile(n) * deviation / np.sqrt(n) < abs(difference))
    return int(n[enough[0]]) if len(enough) else 0


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


def _t_quantile(n: NDArray[np.int64]) -> Floats:
    from scipy.special import stdtrit

    return np.asarray(stdtrit(n - 1, 0.5 + CONFIDENCE / 2.0), dtype=np.float64)


def _p_value(difference: float, deviation: float, n: int) -> float:
    from scipy.special import stdtr

    if deviation == 0.0:
        return 0.0
    t = difference / (deviation / math.sqrt(n))
    return float(2.0 * stdtr(n - 1, -abs(t)))
