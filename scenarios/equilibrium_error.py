"""How exact an equilibrium is: how much a difference moves from one to another as good.

A run's drivers stop learning before they know the streets perfectly. In the first replications
they go on until the gap is as small once more: two equilibria of one quality. How much the
difference between alternative and base differs between both says how much of it may be due to that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

NOT_INDICATORS = ("iteration", "gap")


def equilibrium_error(
    base_tables: Sequence[pd.DataFrame | None], alternative_tables: Sequence[pd.DataFrame | None]
) -> dict[str, float]:
    """Return the equilibrium's error of each indicator's difference, in the indicator's unit.

    For each pair the difference between alternative and base is taken in the equilibrium that is
    kept and in the other one; the error is √(m² + e²), with m the mean of what it moved between and
    e the standard error of m.  0 where both learnt alike, as where they drive the same routes.

    Parameters
    ----------
    base_tables, alternative_tables
        For each pair its table learning: iteration, gap, and a column an indicator; None where
        a replication has none. Such pairs do not count.

    Returns
    -------
    dict
        By indicator; empty where no pair has both tables.
    """
    pairs = zip(base_tables, alternative_tables, strict=True)
    shifts = [(shift(a), shift(b)) for a, b in pairs if a is not None and b is not None]
    return error_of_shifts([a for a, _ in shifts], [b for _, b in shifts])


def error_of_shifts(
    base: Sequence[Mapping[str, float]], alternative: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Return the equilibrium's error of each indicator, from what `shift` found in each pair."""
    pairs = list(zip(base, alternative, strict=True))
    names = dict.fromkeys(name for a, b in pairs for name in a if name in b)
    found = {}
    for name in names:
        moved = np.array([b[name] - a[name] for a, b in pairs if name in a and name in b])
        moved = moved[np.isfinite(moved)]
        if len(moved):
            error = float(moved.std(ddof=1)) / math.sqrt(len(moved)) if len(moved) > 1 else 0.0
            found[name] = math.hypot(float(moved.mean()), error)
    return found


def shift(table: pd.DataFrame) -> dict[str, float]:
    """Return what each indicator moves from the equilibrium that is kept to the other one.

    That is the last row. Empty where there is none.
    """
    if len(table) < 2:
        return {}
    ordered = table.sort_values("iteration", kind="stable")
    names = [str(c) for c in ordered.columns if c not in NOT_INDICATORS]
    values = ordered[names].to_numpy(dtype=np.float64)
    return dict(zip(names, (values[-1] - values[-2]).tolist(), strict=True))
