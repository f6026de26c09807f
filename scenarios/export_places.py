"""What is exported of zones, junctions, approaches and groups of travellers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios import by_group
from scenarios.runs import ZONES

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from scenarios.by_group import Change
    from scenarios.compare import Comparison
    from scenarios.runs import RunInfo


@dataclass(frozen=True)
class Kind:
    """A table of replications: what tells its rows apart, and what is exported of them."""

    table: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    chosen: Change | None = None


REACH = tuple(f"{what}_{minutes}" for what in ("people", "jobs") for minutes in (5, 10, 15))
KINDS = {
    "zones": Kind("zones", ("zone",), ("trips", "duration_s", "delay_s", *REACH)),
    "junctions": Kind(
        "junctions", ("junction", "control"), ("vehicles", "delay_s", "saturation"),
        by_group.of_period,
    ),
    "approaches": Kind(
        "junctions", ("junction", "street", "turns", "lanes", "control"),
        ("vehicles", "delay_s", "saturation", "queue_p95_m", "storage_m", "spillback_s"),
        by_group.of_approaches,
    ),
    "groups": Kind("groups", ("group",), ("trips", "duration_s", "delay_s")),
}  # fmt: skip


def compared(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Return by kind the rows of all alternatives, as of `by_group.differences`.

    A junction has the grades that most replications give, too: base_hbs, hbs, base_hcm, hcm.  A
    kind whose table the runs lack is left out.
    """
    import pandas as pd

    found: dict[str, list[pd.DataFrame]] = {}
    for name, kind in KINDS.items():
        for run in comparison.alternatives:
            rows = by_group.differences(
                comparison, run.name, kind.table, kind.key, kind.values, chosen=kind.chosen
            )
            if rows is None:
                continue
            if name == "junctions":
                rows = _graded(rows, by_group.grades(comparison, run.name))
            rows.insert(0, "alternative", run.name)
            found.setdefault(name, []).append(rows)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def alone(run: RunInfo) -> dict[str, pd.DataFrame]:
    """Return by kind the means over a run's first replications, `by_group.MOST` at most."""
    import pandas as pd

    from scenarios.replications import read_table

    found = {}
    for name, kind in KINDS.items():
        files = [run.replication(s) / f"{kind.table}.parquet" for s in run.seeds[: by_group.MOST]]
        if not files or not all(file.is_file() for file in files):
            continue
        tables = [read_table(file) for file in files]
        every = pd.concat([t if kind.chosen is None else kind.chosen(t) for t in tables])
        means = every.groupby(list(kind.key), observed=True)[list(kind.values)].mean()
        rows = means.reset_index()
        rows.insert(0, "alternative", run.name)
        found[name] = rows
    return found


def areas(run: RunInfo) -> gpd.GeoDataFrame | None:
    """Return the zones of runs as the folder of `twin run` has them, in the city's CRS."""
    import geopandas as gpd

    path = run.folder.parent / ZONES
    return gpd.read_parquet(path) if path.is_file() else None


def _graded(rows: pd.DataFrame, grades: dict[tuple[str, int], tuple[str, str]]) -> pd.DataFrame:
    columns: dict[str, Sequence[str]] = {}
    for how in ("hbs", "hcm"):
        both = [grades.get((how, int(j)), ("–", "–")) for j in rows["junction"]]
        columns |= {f"base_{how}": [b for b, _ in both], how: [a for _, a in both]}
    return rows.assign(**columns)
