"""The gravity model: trips between zones from what each zone sends and draws.

T_ij = a_i O_i b_j D_j f(t_ij) with the factors a and b such that rows sum to O and columns to D
(Wilson 1967), found by Furness's iterative proportional fitting (Furness 1965; Sinkhorn 1964).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError

Floats = NDArray[np.float64]


def deterrence(time_min: Floats, scale_min: float, power: float = 0.0) -> Floats:
    """Return f(t) = t**power * exp(-t / scale), 0 where t is infinite.

    Parameters
    ----------
    time_min : travel times, min
    scale_min : how fast willingness falls with time, min
    power : > 0 makes very short trips by car rare (combined or Tanner function)
    """
    time = np.asarray(time_min, dtype=np.float64)
    reachable = np.isfinite(time)
    used = np.where(reachable, time, 1.0)
    return np.where(reachable, used**power * np.exp(-used / scale_min), 0.0)


def furness(
    weights: Floats,
    rows: Floats,
    columns: Floats,
    *,
    tolerance: float = 1e-6,
    iterations: int = 2000,
) -> Floats:
    """Return the matrix a_i w_ij b_j whose rows and columns have the given sums.

    Parameters
    ----------
    weights : float64 [n, m], >= 0; 0 forbids a pair
    rows, columns : wanted sums, >= 0, of equal totals
    tolerance : largest deviation of a sum, as a share of the mean wanted sum

    Raises
    ------
    InputError : totals differ, a sum is negative, shapes disagree, or the pairs that are allowed
        cannot carry the sums
    """
    rows, columns = np.asarray(rows, np.float64), np.asarray(columns, np.float64)
    _check(weights, rows, columns)
    total = float(rows.sum())
    if total == 0.0:
        return np.zeros(weights.shape)
    allowed = float(tolerance * total / max(len(rows), len(columns)))
    b = np.ones(len(columns))
    with np.errstate(over="ignore", invalid="ignore"):  # the factors grow without end in vain
        for _ in range(iterations):
            a = _ratio(rows, weights @ b)
            b = _ratio(columns, a @ weights)
            if not float(np.abs(a * (weights @ b) - rows).max()) > allowed:
                break
        matrix = a[:, None] * weights * b[None, :]
    off = max(
        float(np.abs(matrix.sum(axis=1) - rows).max()),
        float(np.abs(matrix.sum(axis=0) - columns).max()),
    )
    if not off <= allowed:
        msg = (
            f"balancing a {weights.shape[0]}x{weights.shape[1]} matrix of {total:.6g} trips is off "
            f"by {off:.3g} after Furness's iteration; the allowed pairs cannot carry the sums."
        )
        raise InputError(msg)
    return matrix


def gravity(
    time_min: Floats, rows: Floats, columns: Floats, *, scale_min: float, power: float = 0.0
) -> Floats:
    """Return the doubly constrained trips between zones.

    Parameters
    ----------
    time_min : float64 [n, m], travel times, min; inf forbids a pair
    rows, columns : trips sent and drawn, of equal totals
    scale_min, power : see `deterrence`

    Raises
    ------
    InputError : see `furness`
    """
    return furness(deterrence(time_min, scale_min, power), rows, columns)


def _check(weights: Floats, rows: Floats, columns: Floats) -> None:
    if weights.shape != (len(rows), len(columns)):
        msg = (
            f"weights of shape {weights.shape} do not fit {len(rows)} rows, {len(columns)} columns."
        )
        raise InputError(msg)
    if min(rows.min(initial=0.0), columns.min(initial=0.0), weights.min(initial=0.0)) < 0.0:
        msg = "weights and wanted sums of a trip matrix must be >= 0."
        raise InputError(msg)
    sums = float(rows.sum()), float(columns.sum())
    if abs(sums[0] - sums[1]) > 1e-9 * max(sums[0], sums[1], 1e-12):
        msg = f"sums of rows ({sums[0]:.6g}) and columns ({sums[1]:.6g}) must be equal."
        raise InputError(msg)


def _ratio(wanted: Floats, found: Floats) -> Floats:
    """Return wanted / found, 0 where nothing is found."""
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0.0)
