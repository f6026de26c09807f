from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scenarios import replications, report_words
from scenarios.cli import main
from scenarios.compare import COLUMNS, _row, compare, layer_means
from scenarios.looks import look_at
from scenarios.precision import Precision
from scenarios.replications import gridlock_rows
from scenarios.runs import open_run
from scenarios.sequential import Look, level
from scenarios.statistics import paired
from twin.errors import InputError, OutputError
from twin.system import Indicator, Layer, layers


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
    due = comparison.rows("slow", "trips", ["due_s"])
    assert due is not None
    assert list(due) == ["due_s", "seed"]
    assert len(due) == len(trips)
    assert comparison.rows("slow", "nothing") is None
    with pytest.raises(InputError, match="no column 'colour'"):
        comparison.rows("slow", "trips", ["colour"])
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
    pd.DataFrame({"indicator": ["trips"]}).to_parquet(path.with_name("indicators.parquet"))
    with pytest.raises(InputError, match=r"indicators.parquet: cannot be read .no columns"):
        compare(ran)
    path = ran / "slow" / "seed-0001" / "indicators.parquet"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"indicators.parquet: cannot be read"):
        compare(ran)


def replicate(run: Path, seeds: range, rng: np.random.Generator, shift: float = 0.0) -> None:
    """Make replications from the first one, with indicators and delays that differ by chance."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["seeds"] = list(seeds)
    (run / "manifest.json").write_text(json.dumps(manifest))
    first = run / "seed-0001"
    values, streets = (pd.read_parquet(first / f"{n}.parquet") for n in ("indicators", "streets"))
    for seed in seeds:
        folder = run / f"seed-{seed:04d}"
        if folder != first:
            shutil.copytree(first, folder, dirs_exist_ok=True)
        noise = 1.0 + shift + 0.05 * rng.standard_normal(len(values))
        values.assign(value=values["value"] * noise).to_parquet(folder / "indicators.parquet")
        kept = streets[rng.random(len(streets)) < 0.9]
        delay = kept["delay_h"] * rng.lognormal(0.0, 0.5, len(kept))
        kept.assign(delay_h=delay).to_parquet(folder / "streets.parquet")


@pytest.fixture
def many(ran: Path) -> Path:
    """Runs of 70 made-up replications, so that they fill more than one file of summaries."""
    rng = np.random.default_rng(6)
    for name in ("base", "slow", "idle"):
        replicate(ran / name, range(1, 71), rng)
    return ran


def same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether tables are the same to the last bit."""
    pd.testing.assert_frame_equal(a, b, check_exact=True)
    return True


def test_streets_are_means_over_seeds_and_tested_by_pairs(many: Path) -> None:
    found = compare(many).streets
    found = found[found["alternative"] == "slow"].set_index("street")
    delays = []
    for run in ("base", "slow"):
        tables = [pd.read_parquet(p) for p in sorted((many / run).glob("seed-*/streets.parquet"))]
        sums = [t.groupby("street")["delay_h"].sum() for t in tables]
        delays.append(pd.concat(sums, axis=1).reindex(found.index).fillna(0.0).to_numpy())
    a, b = delays
    assert found["base_delay_h"].to_numpy() == pytest.approx(a.mean(axis=1))
    assert found["delay_h"].to_numpy() == pytest.approx(b.mean(axis=1))
    differs = np.any(a != b, axis=1)
    known = stats.ttest_rel(b[differs], a[differs], axis=1).pvalue
    # one look at all that was planned: a tenth of the error is kept
    p = found["p_delay_h"].to_numpy()
    assert p[differs] == pytest.approx(np.minimum(known / 0.9, 1.0), rel=0.03)
    assert np.isnan(p[~differs]).all()
    q = stats.false_discovery_control(p[differs])
    assert found["q_delay_h"].to_numpy()[differs] == pytest.approx(q)
    moving = a.mean(axis=1) > 0
    percent = 100.0 * (b.mean(axis=1)[moving] / a.mean(axis=1)[moving] - 1.0)
    assert found["percent_delay_h"].to_numpy()[moving] == pytest.approx(percent)
    assert found["percent_delay_h"].isna().to_numpy()[~moving].all()


def test_what_is_kept_of_replications_changes_no_bit(many: Path) -> None:
    fresh = compare(many)
    kept = [p.stat().st_mtime_ns for p in sorted(many.glob("*/.summary/*.npz"))]
    assert len(kept) == 6
    again = compare(many)
    assert same(fresh.table, again.table)
    assert same(fresh.streets, again.streets)
    assert kept == [p.stat().st_mtime_ns for p in sorted(many.glob("*/.summary/*.npz"))]


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "pickle"])
def test_a_damaged_summary_is_made_again(many: Path, damage: str) -> None:
    fresh = compare(many)
    path = many / "slow" / ".summary" / "000000.npz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "pickle":
        with path.open("wb") as stream:
            np.savez(stream, signature=np.array([{}], dtype=object))
    else:
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "flip": flipped, "text": b"no zip"}[damage])
    again = compare(many)
    assert same(fresh.table, again.table)
    assert same(fresh.streets, again.streets)
    assert path.read_bytes() == whole


def test_a_replication_that_was_made_again_is_read_again(many: Path) -> None:
    before = compare(many)
    rng = np.random.default_rng(60)
    shutil.rmtree(many / "slow" / "seed-0007")
    replicate(many / "slow", range(7, 8), rng, shift=1.0)
    manifest = json.loads((many / "base" / "manifest.json").read_text())
    change_seeds(many / "slow", manifest["seeds"])
    after = compare(many)
    assert not after.table.equals(before.table)
    for path in many.glob("*/.summary"):
        shutil.rmtree(path)
    fresh = compare(many)
    assert same(after.table, fresh.table)
    assert same(after.streets, fresh.streets)


def change_seeds(run: Path, seeds: list[int]) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "seeds": seeds}))


def test_replications_that_only_one_run_has_do_not_count(many: Path) -> None:
    compare(many)
    for seed in (3, 64, 65):
        shutil.rmtree(many / "slow" / f"seed-{seed:04d}")
    shutil.rmtree(many / "base" / "seed-0005")
    found = compare([many / "base", many / "slow"])
    assert found.seeds["slow"] == tuple(s for s in range(1, 71) if s not in {3, 5, 64, 65})
    for path in many.glob("*/.summary"):
        shutil.rmtree(path)
    assert same(found.streets, compare([many / "base", many / "slow"]).streets)


def test_a_folder_that_is_closed_is_compared_all_the_same(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = compare(many)
    for path in [*many.glob("*/.summary"), *many.glob("*/looks.json")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", closed)
    monkeypatch.setattr(Path, "mkdir", closed)
    monkeypatch.setattr("scenarios.compare.open_runs", lambda _, runs=(
        fresh.base, *fresh.alternatives): list(runs))  # fmt: skip
    again = compare(many)
    assert same(fresh.table, again.table)
    assert any("could not be noted" in note for note in again.notes)
    assert not list(many.glob("*/.summary"))


def test_a_layer_that_is_missing_somewhere_counts_where_it_is(ran: Path) -> None:
    layer = Layer("speed", "Speed", "km/h", "streets", "kmh", "higher", "each")
    for seed, kmh in (("seed-0001", [30.0, np.nan]), ("seed-0002", [20.0, 40.0])):
        table = pd.DataFrame({"street": [3, 4], "kmh": kmh})
        table.to_parquet(ran / "base" / seed / "streets.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replications, "layers", lambda: {**layers(), "speed": layer})
        means = layer_means(open_run(ran / "base"), (1, 2), layer)
        assert means is not None
        assert means.to_dict() == {3: 25.0, 4: 40.0}
        assert layer_means(open_run(ran / "slow"), (1, 2), layer) is None


def test_looks_are_noted_and_later_ones_are_wider(many: Path) -> None:
    for run in ("base", "slow"):
        change_seeds(many / run, list(range(1, 11)))
    few = [many / "base", many / "slow"]
    hidden = [p for r in few for p in r.glob("seed-*") if int(p.name[-4:]) > 10]
    for path in hidden:
        path.rename(path.with_name(f".{path.name}"))
    first = compare(few)
    assert set(first.table["ci_error"].round(6)) == {0.045}
    assert same(first.table, compare(few).table)  # looking again at the same is no other look
    for path in hidden:
        path.with_name(f".{path.name}").rename(path)
    for run in few:
        change_seeds(run, list(range(1, 71)))
    second = compare(few)
    expected = level([Look(10, 10), Look(70, 70)], 0.05)
    assert second.table["ci_error"].to_numpy() == pytest.approx(expected)
    assert any("looked at before at 10 replications" in note for note in second.notes)
    row = second.table.set_index("indicator").loc["trip_duration_s"]
    assert row["n"] == 70
    assert row["p_holm"] >= row["p_value"]
    (many / "slow" / "looks.json").write_text("{")
    assert any("earlier looks at this run do not count" in note for note in compare(few).notes)


def test_a_look_before_the_end_is_wider_and_told(many: Path) -> None:
    found = compare([many / "base", many / "slow"], most=140)
    assert found.table["ci_error"].iloc[0] == pytest.approx(0.045 / 8)
    assert any("70 of 140 planned replications" in note for note in found.notes)


def test_looks_of_other_bases_do_not_count(tmp_path: Path) -> None:
    assert look_at(tmp_path, "a", 10, 10) == ([Look(10, 10)], "")
    assert look_at(tmp_path, "b", 20, 20) == ([Look(20, 20)], "")
    assert look_at(tmp_path, "a", 20, 30)[0] == [Look(10, 10), Look(20, 30)]
    assert look_at(tmp_path, "a", 20, 99)[0] == [Look(10, 10), Look(20, 30)]
    assert look_at(tmp_path, "a", 10, 99)[0] == [Look(10, 10)]


def test_runs_of_other_seeds_are_compared_as_independent_days_if_asked(many: Path) -> None:
    for path in sorted((many / "slow").glob("seed-*")):
        path.rename(path.with_name(f"seed-{int(path.name[-4:]) + 500:04d}"))
    runs = [many / "base", many / "slow"]
    with pytest.raises(InputError, match=r"shares no seed.*--unpaired"):
        compare(runs)
    found = compare(runs, unpaired=True)
    a, b = (
        [pd.read_parquet(p).set_index("indicator")["value"] for p in r.glob("seed-*/ind*.parquet")]
        for r in runs
    )
    row = found.table.set_index("indicator").loc["distance_km"]
    known = stats.ttest_ind(*([v["distance_km"] for v in x] for x in (b, a)), equal_var=False)
    assert row["p_value"] == pytest.approx(known.pvalue, abs=0.02)  # less skewness
    assert (row["n"], len(found.seeds["base"]), found.seeds["slow"][0]) == (70, 70, 501)
    assert any("independent days" in note for note in found.notes)
    assert found.streets["p_delay_h"].between(0.0, 1.0).any()
    assert set(found.rows("slow", "trips")["seed"]) == set(range(501, 571))


def test_replications_for_the_precision_that_is_wanted(many: Path) -> None:
    runs = [many / "base", many / "slow"]
    usual = compare(runs).table.set_index("indicator")["n_for_precision"]
    fine = compare(runs, precision=Precision(0.01)).table.set_index("indicator")["n_for_precision"]
    # values vary by 5 %: (2·5/5)² and (2·5/1)², and a little more as t is more than 2
    assert 5 <= usual["distance_km"] <= 10
    assert 80 <= fine["distance_km"] <= 180
    own = Precision.parse(0.05, ["distance_km=1000"])
    assert compare(runs, precision=own).table.set_index("indicator")["n_for_precision"][
        ["distance_km", "speed_kmh"]
    ].tolist() == [2, usual["speed_kmh"]]
    for text in ("distance_km", "distance_km=-1", "no=1", "distance_km=x"):
        with pytest.raises(InputError, match="is no INDICATOR=ERROR"):
            Precision.parse(0.05, [text])


def test_the_command_line_passes_on_what_a_planner_says(many: Path, tmp_path: Path) -> None:
    runs = [str(many / "base"), str(many / "slow")]
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        main(["compare", *runs, "-o", str(out), "--most", "140", "--precision", "1",
              "--within", "distance_km=1000"])  # fmt: skip
    assert not end.value.code
    table = pd.read_csv(out / "comparison.csv").set_index("indicator")
    assert table["ci_error"].iloc[0] == pytest.approx(0.045 / 8)
    assert table["n_for_precision"]["distance_km"] == 2
    assert table["n_for_precision"]["speed_kmh"] > 50
    with pytest.raises(SystemExit) as end:
        main(["compare", *runs, "-o", str(out), "--unpaired"])
    assert not end.value.code
    assert pd.read_csv(out / "comparison.csv")["p_value"].gt(0.0).any()


def test_a_difference_that_learning_still_moves_is_not_resolved(many: Path) -> None:
    change_response(many / "slow")
    for run, last in (("base", 100.0), ("slow", 150.0)):
        for folder in (many / run).glob("seed-*"):
            learnt = {"iteration": [1, 2], "gap": [0.1, 0.1]}
            moved = {"distance_km": [100.0, last], "trip_duration_s": [5.0, 5.0]}
            pd.DataFrame(learnt | moved).to_parquet(folder / "learning.parquet")
    table = compare(many).table
    slow = table[table["alternative"] == "slow"].set_index("indicator")
    assert slow.loc["distance_km", "equilibrium_error"] == pytest.approx(50.0)
    assert slow.loc["distance_km", "effect"] == "unresolved"
    assert slow.loc["distance_km", "verdict"].startswith("not resolved")
    assert slow.loc["trip_duration_s", "equilibrium_error"] == 0.0
    assert np.isnan(slow.loc["speed_kmh", "equilibrium_error"])
    idle = table[table["alternative"] == "idle"].set_index("indicator")
    assert idle.loc["distance_km", "equilibrium_error"] == 0.0  # drives the base's routes


def test_runs_in_gridlock_are_told_in_one_line(ran: Path) -> None:
    runs = [open_run(ran / name) for name in ("base", "slow", "idle")]
    assert gridlock_rows(runs) == []

    def jam(name: str, seeds: int) -> None:
        for folder in sorted((ran / name).glob("seed-*"))[:seeds]:
            file = folder / "indicators.parquet"
            table = pd.read_parquet(file)
            table.loc[table["indicator"] == "passed_jams", "value"] = 3.0
            table.to_parquet(file)

    jam("slow", 1)
    jam("idle", 1)
    (line,) = gridlock_rows(runs)
    assert line.startswith(f"{runs[1].title}, {runs[2].title}: in 1 of 2 replications")
    assert "lower demand.scale" not in line
    jam("base", 2)
    alone, others = gridlock_rows(runs)
    assert alone.startswith(f"{runs[0].title}: in 2 of 2")
    assert "lower demand.scale" in alone
    assert others == line


def change_response(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "response": "equilibrium"}))


def judged(base: np.ndarray, other: np.ndarray, better: str, p_holm: float) -> dict[str, object]:
    meta = Indicator("delay_per_trip_s", "Delay", "s", better)  # type: ignore[arg-type]
    return dict(zip(COLUMNS, _row("a", meta, paired(base, other), p_holm), strict=True))


@pytest.mark.parametrize(
    ("shift", "better", "words"),
    [
        (-5.0, "lower", "better"),
        (5.0, "lower", "worse"),
        (5.0, "higher", "better"),
        (5.0, "neither", "higher"),
        (-0.2, "lower", "no clear difference: lower, but the evidence is weak"),
        (0.0, "lower", "no difference"),
    ],
)
def test_verdicts_respect_which_way_is_better(shift: float, better: str, words: str) -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(100.0, 20.0, 10)
    noise = rng.normal(0.0, 1.0, 10) if shift else 0.0
    row = judged(base, base + shift + noise, better, 0.001 if abs(shift) > 1.0 else 0.5)
    assert str(row["verdict"]).startswith(words)


def test_a_verdict_says_where_many_indicators_make_chance_likely() -> None:
    row = judged(np.array([1.0, 2.0, 3.0]), np.array([1.9, 3.0, 4.2]), "lower", 0.2)
    assert row["effect"] == "weak"
    assert row["verdict"] == "worse, but the evidence is weak among so many indicators"


def test_a_verdict_warns_where_differences_are_skewed() -> None:
    other = np.array([1.0, 1.1, 0.9, 1.2, 1.0, 1.1, 0.8, 1.0, 1.1, 9.0])
    row = judged(np.zeros(10), other, "lower", 0.001)
    assert row["warning"] == "skewed"
    assert str(row["verdict"]).endswith("few and skewed, the interval may be too short")
    assert judged(np.zeros(5), other[:5], "lower", 0.001)["warning"] == "few"


def test_counts_leave_no_indicator_out() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(100.0, 1.0, 10)
    noise = rng.normal(0.0, 1.0, (4, 10))
    rows = [
        judged(base, base - 9.0 + noise[0], "lower", 0.001),
        judged(base, base - 9.0 + noise[1], "higher", 0.001),
        judged(base, base - 9.0 + noise[2], "neither", 0.001),
        judged(base, base + noise[3], "lower", 0.8),
        judged(base, base, "lower", float("nan")),
    ]
    said = report_words.counts(pd.DataFrame(rows), "a")["text"]
    assert [int(k) for k in re.findall(r"\d+", said)] == [4, 1, 1, 1, 1]


def test_every_effect_has_its_texts() -> None:
    texts = report_words.texts()
    effects = {"better", "worse", "changed", "weak", "unclear", "unresolved", "single", "same",
               "missing"}  # fmt: skip
    for section in ("result", "word", "verdict"):
        assert effects <= set(texts[section])


def test_a_layer_that_some_replications_lack_is_left_out_and_told(many: Path) -> None:
    (many / "slow" / "seed-0069" / "streets.parquet").unlink()
    found = compare([many / "base", many / "slow"])
    assert "delay_h" not in found.streets
    assert any("seed-0069/streets.parquet is missing" in note for note in found.notes)
    whole = compare([many / "base", many / "idle"])
    assert "delay_h" in whole.streets
    assert not whole.notes
