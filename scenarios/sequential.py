"""Looks at a comparison that grows: how much of the error each may spend.

Whoever adds replications until a difference looks clear finds one where there is none far more
often than in 5 % of cases (Armitage, McPherson & Rowe 1969). So every look spends a part of the
error, and all looks together spend no more than all of it (Lan & DeMets 1983). Look k, at n(k) of
N(k) planned pairs, brings what is spent to

    A(k) = A(k-1) + 0.9 (α - A(k-1)) min(1, (n(k) - n(k-1)) / (N(k) - n(k-1)))³

The cube (Kim & DeMets 1987, near to O'Brien & Fleming's bounds) leaves nearly everything to the
look that was planned. A tenth is kept for whoever adds more than was planned, and a tenth of that
for the next addition, so that no look is ever the last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

AT_PLAN = 0.9  # of the error that is left, spent when the plan is reached
POWER = 3.0  # of the share of the plan that is done; Kim & DeMets (1987)
NODES = 96  # of each integral over what may have been seen at a look
REACH = 12.0  # standard deviations beyond which nothing is integrated

Floats = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Look:
    """One look at pairs.

    Parameters
    ----------
    n
        Pairs that were there.
    planned
        Pairs that were planned then.
    """

    n: int
    planned: int


def spent(looks: Sequence[Look], alpha: float) -> list[float]:
    """Return the error that is spent after each look, of `alpha` in all.

    Examples
    --------
    >>> [round(a, 4) for a in spent([Look(10, 10), Look(20, 20)], 0.05)]
    [0.045, 0.0495]
    >>> [round(a, 4) for a in spent([Look(10, 20), Look(20, 20)], 0.05)]
    [0.0056, 0.0456]
    """
    total, before, found = 0.0, 0, []
    for look in looks:
        done = min(1.0, (look.n - before) / max(look.planned - before, 1))
        total += AT_PLAN * (alpha - total) * done**POWER
        before = look.n
        found.append(total)
    return found


def level(looks: Sequence[Look], alpha: float) -> float:
    """Return the two-sided level at which the last of `looks` may be tested by itself.

    The interval with this error at each look holds the truth at all looks at once with
    probability of at least 1 - `alpha` (repeated confidence intervals, Jennison & Turnbull
    1989). Bounds are those of normal sums, found by recursive integration (Armitage et al.
    1969), and serve t-tests by their level (Pocock 1977).

    Parameters
    ----------
    looks
        With rising n, the present one last.

    Examples
    --------
    >>> round(level([Look(10, 10)], 0.05), 4)
    0.045
    """
    return _level(tuple(looks), float(alpha))


def p_over_looks(looks: Sequence[Look], p_values: Sequence[float] | Floats) -> Floats:
    """Return p-values of the last look that count all looks: at most `alpha` where it is clear.

    This is the least overall error at which the last look would be clear (repeated p-value,
    Jennison & Turnbull 2000, section 9.5); NaN stays.
    """
    p = np.asarray(p_values, dtype=np.float64)
    overall = np.concatenate([np.geomspace(1e-12, 1e-3, 19), np.linspace(0.005, 1.0, 40)])
    alone = np.array([level(looks, a) for a in overall])
    small = np.where(p > 0.0, p, 1.0)
    found = np.exp(np.interp(np.log(small), np.log(alone), np.log(overall)))
    found = np.where(p < alone[0], np.maximum(p, 0.0) * overall[0] / alone[0], found)
    return np.where(np.isfinite(p), np.clip(found, p, 1.0), np.nan)


@lru_cache(maxsize=4096)
def _level(looks: tuple[Look, ...], alpha: float) -> float:
    from scipy.special import ndtr, ndtri

    totals = [0.0, *spent(looks, alpha)]
    at, weight, before = np.zeros(1), np.ones(1), 0  # sums of unit normals that may have been seen
    found = 0.0
    for k, look in enumerate(looks):
        step, root = math.sqrt(look.n - before), math.sqrt(look.n)
        share = totals[k + 1] - totals[k]
        z = float(-ndtri(share / 2.0)) if k == 0 else _bound(at / step, weight, root / step, share)
        found = 2.0 * float(ndtr(-z))
        if look is not looks[-1]:
            at, weight = _within(at, weight, step, min(z, REACH) * root)
        before = look.n
    return found


def _bound(at: Floats, weight: Floats, scale: float, share: float) -> float:
    """Return the bound that sums from `at` pass in a unit step with the probability `share`."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    def outside(z: float) -> float:
        return float(weight @ (ndtr(at - z * scale) + ndtr(-at - z * scale))) - share

    return float(brentq(outside, 0.0, 40.0, xtol=1e-12))


def _within(at: Floats, weight: Floats, step: float, bound: float) -> tuple[Floats, Floats]:
    """Return nodes and weights of the sums that stay within the bound after a step."""
    node, share = _nodes()
    reached = bound * node
    density = np.exp(-0.5 * ((reached[:, None] - at) / step) ** 2) / (
        step * math.sqrt(2.0 * math.pi)
    )
    return reached, bound * share * (density @ weight)


@lru_cache
def _nodes() -> tuple[Floats, Floats]:
    node, share = np.polynomial.legendre.leggauss(NODES)
    return node, share
