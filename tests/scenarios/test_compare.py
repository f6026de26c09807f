from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.compare import COLUMNS, compare, verdict
from scenarios.statistics import paired
from twin.errors import InputError, OutputError


def change(run: Path, key: str, value: object) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["inputs"][key] = value
    (run / "manifest.json").write_text(json.dumps(manifest))


def test_the_table_pairs_by_seed(ran: Path) -> None:
    comparison = compare(ran)
    assert tuple(comparison.table.columns) == COLUMNS
    row = comparison.table.set_index(["alternative", "indicator"]).loc[("slow", "trip_duration_s")]
    pairs = []
    for seed in ("seed-0001", "seed-0002"):
        a, b = (
            pd.read_parquet(ran / run / seed / "indicators.parquet").set_index("indicator")["value"]
            for run in ("base", "slow")
        )
        pairs.append(b["trip_duration_s"] - a["trip_duration_s"])
    assert row["n"] == 2
    assert row["difference"] == pytest.approx(np.mean(pairs))
    assert row["percent"] == pytest.approx(100 * row["difference"] / row["base_mean"])
    assert row["difference"] > 0


def test_a_measure_that_does_nothing_makes_no_difference(ran: Path) -> None:
    table = compare(ran).table
    idle = table[table["alternative"] == "idle"]
    assert idle["identical"].all()
    assert set(idle["verdict"]) == {"no difference"}


def test_the_delay_of_buses_is_compared_where_there_are_buses(ran: Path) -> None:
    table = compare(ran).table.set_index(["alternative", "indicator"])
    row = table.loc[("slow", "bus_delay_s")]
    assert (row["n"], row["title"], row["better"]) == (2, "Delay per bus", "lower")
    for path in ran.glob("*/seed-*/indicators.parquet"):  # as of a town without lines
        values = pd.read_parquet(path)
        values[values["indicator"] != "bus_delay_s"].to_parquet(path, index=False)
    names = set(compare(ran).table["indicator"])
    assert "bus_delay_s" not in names
    assert "delay_per_trip_s" in names


def test_layers_by_street_and_pooled_trips(ran: Path) -> None:
    comparison = compare(ran)
    streets = comparison.streets[comparison.streets["alternative"] == "slow"]
    assert (streets["load"] - streets["base_load"]).to_numpy() == pytest.approx(
        streets["diff_load"].to_numpy()
    )
    assert streets["load"].sum() > 0
    assert streets["street"].between(0, len(comparison.city.streets) - 1).all()
    trips = comparison.rows("slow", "trips")
    assert set(trips["seed"]) == {1, 2}
    with pytest.raises(InputError, match="no run 'fast'"):
        comparison.rows("fast", "trips")


def test_it_is_saved_for_others_to_read(ran: Path, tmp_path: Path) -> None:
    comparison = compare([ran / "base", ran / "slow"])
    folder = comparison.save(tmp_path / "out")
    assert len(pd.read_csv(folder / "comparison.csv")) == len(comparison.table)
    assert len(pd.read_parquet(folder / "streets.parquet")) == len(comparison.streets)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        comparison.save(tmp_path / "file")


def test_runs_that_cannot_be_compared_are_refused(ran: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is one run; name two"):
        compare(ran / "base")
    with pytest.raises(InputError, match="no such folder"):
        compare(ran / "nothing")
    with pytest.raises(InputError, match="holds no run"):
        compare(tmp_path)
    (tmp_path / "alien").mkdir()
    (tmp_path / "alien" / "manifest.json").write_text('{"files": []}')
    with pytest.raises(InputError, match="something else than a run"):
        compare([ran / "base", tmp_path / "alien"])
    (tmp_path / "alien" / "manifest.json").write_text('{"files": [')
    with pytest.raises(InputError, match="no valid JSON"):
        compare([ran / "base", tmp_path / "alien"])
    change(ran / "slow", "period", {})
    with pytest.raises(InputError, match="another period"):
        compare(ran)
    change(ran / "slow", "city", "x")
    with pytest.raises(InputError, match="another city"):
        compare(ran)


def test_seeds_that_are_missing_are_left_out_and_noted(ran: Path) -> None:
    shutil.rmtree(ran / "slow" / "seed-0001")
    comparison = compare(ran)
    slow = comparison.table[comparison.table["alternative"] == "slow"]
    assert set(slow["n"]) <= {0, 1}
    assert slow["ci_low"].isna().all()
    assert any("run more" in v for v in slow["verdict"])
    assert comparison.notes == ("20 km/h on Unioninkatu: 1 of 2 replications are in both runs",)
    (ran / "slow" / "seed-0002").rename(ran / "slow" / "seed-0009")
    with pytest.raises(InputError, match=r"shares no seed .*seeds 9 to 9 and seeds 1 to 2"):
        compare(ran)


def test_broken_files_are_named(ran: Path) -> None:
    path = ran / "slow" / "seed-0001" / "streets.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"streets.parquet: cannot be read"):
        compare(ran)
    path = ran / "slow" / "seed-0001" / "indicators.parquet"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"indicators.parquet: cannot be read"):
        compare(ran)


@pytest.mark.parametrize(
    ("shift", "better", "words"),
    [
        (-5.0, "lower", "better"),
        (5.0, "lower", "worse"),
        (5.0, "higher", "better"),
        (5.0, "neither", "higher"),
        (0.2, "lower", "no clear difference, weak evidence"),
        (0.0, "lower", "no difference"),
    ],
)
def test_verdicts_respect_which_way_is_better(shift: float, better: str, words: str) -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(100.0, 20.0, 10)
    noise = rng.normal(0.0, 1.0, 10) if shift else 0.0
    result = paired(base, base + shift + noise)
    assert verdict(result, better, result.p_value).startswith(words)


def test_a_verdict_says_where_many_indicators_make_chance_likely() -> None:
    result = paired([1.0, 2.0, 3.0], [1.9, 3.0, 4.2])
    assert verdict(result, "lower", 0.2) == "worse, weak evidence among so many indicators"
