"""Who wins and who loses, trip by trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from scenarios.by_group import trip_pairs, won_and_lost
from scenarios.compare import compare

if TYPE_CHECKING:
    from pathlib import Path


def trips(run: Path, seed: int) -> pd.DataFrame:
    return pd.read_parquet(run / f"seed-{seed:04d}" / "trips.parquet")


def write(run: Path, seed: int, table: pd.DataFrame) -> None:
    table.to_parquet(run / f"seed-{seed:04d}" / "trips.parquet")


def test_who_is_cut_off_loses_and_who_does_nothing_different_neither(ran: Path) -> None:
    for seed in (1, 2):
        table = trips(ran / "base", seed)
        write(ran / "idle", seed, table)
        here = np.flatnonzero(table["arrival_s"].notna())
        assert len(here) > 20
        lost, late, soon = here[:4], here[4:7], here[7:9]
        table.loc[lost, ["depart_s", "arrival_s", "duration_s", "time_loss_s"]] = np.nan
        table.loc[lost, "depart_delay_s"] = 7200.0
        table.loc[late, ["arrival_s", "duration_s"]] += 61.0
        table.loc[soon, "depart_delay_s"] -= 61.0
        table.loc[here[9], "duration_s"] += 59.0
        write(ran / "slow", seed, table)
    comparison = compare(ran)
    found = trip_pairs(comparison, "slow", 0.0)
    assert found is not None
    n = len(found)
    assert n == sum(trips(ran / "base", seed)["arrival_s"].notna().sum() for seed in (1, 2))
    assert won_and_lost(found) == pytest.approx((100 * 2 * 2 / n, 100 * 2 * (4 + 3) / n))
    assert (~found["arrived"]).sum() == 8
    assert found.loc[~found["arrived"], "min"].tolist() == [120.0] * 8
    same = trip_pairs(comparison, "idle", 0.0)
    assert same is not None
    assert won_and_lost(same) == (0.0, 0.0)
    assert (same["min"] == same["base_min"]).all()


def test_trips_that_were_due_before_do_not_count(ran: Path) -> None:
    comparison = compare(ran)
    every = trip_pairs(comparison, "slow", 0.0)
    table = trips(ran / "base", 1)
    middle = float(table["due_s"].median())
    late = trip_pairs(comparison, "slow", middle)
    assert every is not None
    assert late is not None
    assert 0 < len(late) < len(every)
    arrive = [trips(ran / run, 1).set_index("id") for run in ("base", "slow")]
    known = arrive[1]["arrival_s"].reindex(arrive[0].index)
    counted = (arrive[0]["due_s"] >= middle) & (arrive[0]["arrival_s"].notna() | known.notna())
    assert (late["seed"] == 0).sum() == counted.sum()
