"""Differences by zone, by group of travellers, by junction, and trip by trip.

They come from the tables of pairs of replications, of the first `MOST` that are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from scenarios.compare import Comparison

    Change = Callable[[pd.DataFrame], pd.DataFrame]

MOST = 100  # pairs of replications that are read
GRADES = "ABCDEF"
FELT_S = 60.0  # a trip wins or loses that is so much shorter or longer


def pairs(
    comparison: Comparison, run: str, table: str, columns: list[str] | None = None
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield a table of the base and of a run, seed by seed; nothing where one has none."""
    from scenarios.replications import read_table

    if comparison.unpaired:
        return
    base, other = comparison.base, comparison.run(run)
    for seed in comparison.seeds[run][:MOST]:
        files = [r.replication(seed) / f"{table}.parquet" for r in (base, other)]
        if not all(file.is_file() for file in files):
            return
        yield read_table(files[0], columns), read_table(files[1], columns)


def differences(
    comparison: Comparison,
    run: str,
    table: str,
    key: Sequence[str],
    values: Sequence[str],
    *,
    chosen: Change | None = None,
) -> pd.DataFrame | None:
    """Return values of base and run by key, means over pairs of replications, and their difference.

    Parameters
    ----------
    key
        Columns that tell rows apart.
    values
        Columns that are compared.
    chosen
        Which rows of a table count, and how.

    Returns
    -------
    DataFrame or None
        One row a key: for each value V base_V, V, diff_V, with its 95 % interval low_V and high_V
        (Student's t over pairs; NaN for fewer than two), and n_V pairs. None without such a table.
    """
    import pandas as pd
    from scipy.special import stdtrit

    sides: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    for k, both in enumerate(pairs(comparison, run, table)):
        for side, rows in zip(sides, both, strict=True):
            kept = rows if chosen is None else chosen(rows)
            side.append(kept[[*key, *values]].assign(pair=k))
    if not sides[0]:
        return None
    before_and_after = [pd.concat(side, ignore_index=True) for side in sides]
    joined = (
        before_and_after[0]
        .merge(before_and_after[1], on=[*key, "pair"], suffixes=("_a", "_b"))
        .set_index(list(key))
    )
    columns: dict[str, Any] = {}
    for value in values:
        before, after = (joined[f"{value}_{side}"].astype(float) for side in "ab")
        known = before.notna() & after.notna()
        levels = list(key)
        difference = (after - before)[known].groupby(level=levels)
        n = difference.size().astype(float)
        half = stdtrit(np.maximum(n - 1.0, 1.0), 0.975) * difference.std() / np.sqrt(n)
        mean = difference.mean()
        columns |= {
            f"base_{value}": before[known].groupby(level=levels).mean(),
            value: after[known].groupby(level=levels).mean(),
            f"diff_{value}": mean,
            f"low_{value}": (mean - half).where(n > 1),
            f"high_{value}": (mean + half).where(n > 1),
            f"n_{value}": n,
        }
    return pd.DataFrame(columns).reset_index()


def of_period(junctions: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole junctions over the whole period."""
    whole = junctions["interval_s"] == junctions["interval_s"].max()
    found: pd.DataFrame = junctions.loc[whole & (junctions["street"] < 0)]
    return found


def of_approaches(junctions: pd.DataFrame) -> pd.DataFrame:
    """Rows of lane groups over the whole period."""
    whole = junctions["interval_s"] == junctions["interval_s"].max()
    found: pd.DataFrame = junctions.loc[whole & (junctions["street"] >= 0)]
    return found


def grades(comparison: Comparison, run: str) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the grade that most replications give, in base and run, by ("hbs" or "hcm", junction).

    A junction without a grade has "–".
    """
    import pandas as pd

    found = [tuple(of_period(f) for f in both) for both in pairs(comparison, run, "junctions")]
    if not found:
        return {}
    told = {}
    for how in ("hbs", "hcm"):
        modes = [_commonest(pd.concat([both[k] for both in found]), how) for k in (0, 1)]
        for junction in sorted({*modes[0].index, *modes[1].index}):
            told[how, int(junction)] = tuple(str(m.get(junction, "–")) for m in modes)
    return told  # type: ignore[return-value]


def _commonest(junctions: pd.DataFrame, how: str) -> pd.Series[str]:
    """Return the grade that most rows of a junction have; the better one of two as frequent."""
    graded = junctions[junctions[how].isin(list(GRADES))]
    counts = graded.astype({how: str}).groupby(["junction", how]).size().reset_index(name="n")
    counts = counts.sort_values(["junction", "n", how], ascending=[True, False, True])
    return counts.drop_duplicates("junction").set_index("junction")[how]


def trip_pairs(comparison: Comparison, run: str, begin_s: float) -> pd.DataFrame | None:
    """Return the trips that are made in base and run: minutes before and after.

    Columns base_min, min, purpose, zone, seed, arrived, of trips due from `begin_s` on that arrive
    in one of both; where they do not in the other (`arrived` is False), the minutes are those up to
    the end, waits of who is cut off included. None without trips.
    """
    import pandas as pd

    columns = ["id", "due_s", "purpose", "zone", "duration_s", "arrival_s", "depart_delay_s"]
    found = []
    for k, (a, b) in enumerate(pairs(comparison, run, "trips", columns)):
        both = a[a["due_s"] >= begin_s].merge(b[["id", *columns[4:]]], on="id")
        arrived = both[["arrival_s_x", "arrival_s_y"]].notna()
        both, arrived = both[arrived.any(axis=1)], arrived[arrived.any(axis=1)]
        found.append(
            pd.DataFrame(
                {
                    "base_min": _minutes(both, "x"),
                    "min": _minutes(both, "y"),
                    "purpose": both["purpose"],
                    "zone": both["zone"],
                    "seed": k,
                    "arrived": arrived.all(axis=1),
                }
            )
        )
    return pd.concat(found, ignore_index=True) if found else None


def _minutes(trips: pd.DataFrame, side: str) -> pd.Series[float]:
    """Return the time from being due, so far."""
    return (trips[f"duration_s_{side}"].fillna(0.0) + trips[f"depart_delay_s_{side}"]) / 60.0


def won_and_lost(trips: pd.DataFrame) -> tuple[float, float]:
    """Per cent of trips that are shorter, and longer, by a minute or more."""
    change_s = 60.0 * (trips["min"] - trips["base_min"])
    n = max(1, len(trips))
    return (
        100.0 * float((change_s <= -FELT_S).sum()) / n,
        100.0 * float((change_s >= FELT_S).sum()) / n,
    )
