from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from ten_minutes import TEXT, scenario

from scenarios.runner import Progress, run_scenario
from scenarios.runs import locked, open_runs
from twin.errors import OutputError, ScenarioError
from twin.ledger import Results

ROOT = Path(__file__).parents[2]


def values(folder: Path) -> dict[str, dict[str, float]]:
    found = sorted(folder.glob("*/seed-*"))
    return {str(p.relative_to(folder)): Results.load(p).indicators for p in found}


def test_a_run_holds_what_is_needed_to_defend_it(ran: Path) -> None:
    base, slow, idle = open_runs(ran)
    assert [r.name for r in (base, slow, idle)] == ["base", "slow", "idle"]
    assert base.seeds == slow.seeds == (1, 2)
    said = slow.manifest
    assert said["measures"][0]["describe"].startswith("20 km/h on Unioninkatu")
    assert said["input_hash"] != base.manifest["input_hash"]
    assert {"numpy", "numba", "simpy", "sumo", "python"} <= set(said["versions"])
    assert str(ran.parent) not in json.dumps(said)
    assert (slow.folder / "scenario.yaml").read_text().startswith("name: Ten minutes")
    gaps = pd.read_parquet(ran / "equilibrium.parquet")
    assert list(gaps.columns) == ["seed", "iteration", "gap"]
    assert set(gaps["seed"]) == {1, 2}


def test_scenarios_of_one_seed_differ_by_their_measures_only(ran: Path) -> None:
    found = values(ran)
    assert found["idle/seed-0001"] == found["base/seed-0001"]
    assert found["slow/seed-0001"] != found["base/seed-0001"]
    assert found["base/seed-0002"] != found["base/seed-0001"]
    assert found["slow/seed-0001"]["trips"] == found["base/seed-0001"]["trips"]


def test_only_what_is_missing_is_run_in_processes_with_the_same_result(
    ran: Path, city_folder: Path
) -> None:
    import shutil

    before = values(ran)
    kept = ran / "base" / "seed-0002" / "trips.parquet"
    stamp = kept.stat().st_mtime_ns
    shutil.rmtree(ran / "slow" / "seed-0001")
    shutil.rmtree(ran / "slow" / "seed-0002")
    (ran / "slow" / ".seed-0001.part").mkdir()
    told: list[Progress] = []
    run_scenario(scenario(city_folder), ran, workers=2, progress=told.append)
    assert values(ran) == before
    assert kept.stat().st_mtime_ns == stamp
    assert told[-1].done == told[-1].total > 0
    assert not list(ran.glob("*/.seed*"))


def test_replications_can_be_added(ran: Path, city_folder: Path) -> None:
    runs = run_scenario(scenario(city_folder, 3), ran, workers=1)
    assert [r.seeds for r in runs] == [(1, 2, 3)] * 3


def test_a_folder_of_other_inputs_or_other_things_is_refused(
    ran: Path, city_folder: Path, tmp_path: Path
) -> None:
    other = scenario(city_folder, text=TEXT.replace("12:10", "12:20"))
    with pytest.raises(OutputError, match=r"base: holds a run of other inputs \(period differ\)"):
        run_scenario(other, ran, workers=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match=r"holds other files \(thesis.txt\)"):
        run_scenario(other, tmp_path / "mine", workers=1)
    with pytest.raises(OutputError, match=r"cannot be written|is a file"):
        run_scenario(other, tmp_path / "mine" / "thesis.txt", workers=1)
    with locked(ran), pytest.raises(OutputError, match="another run is at work"):
        run_scenario(other, ran, workers=1)


def test_drivers_who_see_times_with_larger_errors_take_slower_ways(
    city_folder: Path, ran: Path, tmp_path: Path
) -> None:
    bare = TEXT.partition("alternatives:")[0]
    found = {"none": Results.load(ran / "base" / "seed-0001")}
    for theta in ("0.1", "100.0"):
        choice = f"iterations: 2, route_choice: c_logit, theta_per_min: {theta}"
        source = scenario(city_folder, 1, bare.replace("iterations: 2", choice))
        (base,) = run_scenario(source, tmp_path / theta, workers=1)
        assert base.manifest["equilibrium"]["theta_per_min"] == float(theta)
        found[theta] = Results.load(base.replication(1))
    trips = pd.concat({k: r.tables["trips"].set_index("id") for k, r in found.items()}, axis=1)
    done = trips.xs("arrival_s", axis=1, level=1).notna().all(axis=1)
    free_s = trips.xs("duration_s", axis=1, level=1) - trips.xs("time_loss_s", axis=1, level=1)
    mean = free_s[done].mean()  # of the way at the desired speed, in empty streets
    metres = trips.xs("route_length_m", axis=1, level=1)[done]
    elsewhere = metres.sub(metres["none"], axis=0).abs().gt(1.0).mean()
    assert mean["0.1"] > 1.03 * mean["none"]
    assert elsewhere["0.1"] > 1.2 * elsewhere["100.0"] > 0.0
    gaps = {k: r.tables["equilibrium"]["gap"].tolist() for k, r in found.items()}
    assert gaps["0.1"] != gaps["100.0"] != gaps["none"]


def test_who_is_not_informed_drives_into_the_closure(city_folder: Path, tmp_path: Path) -> None:
    measures = 'measures: [{{kind: close, street: Unioninkatu, begin: "12:02"}}]'
    text = f"""{TEXT.partition("alternatives:")[0]}alternatives:
  - {{{{name: all, response: en_route, {measures}}}}}
  - {{{{name: again, response: en_route, informed: 1.0, {measures}}}}}
  - {{{{name: few, response: en_route, informed: 0.1, {measures}}}}}
"""
    runs = run_scenario(scenario(city_folder, 1, text), tmp_path / "closed", workers=1)
    _, everybody, again, few = (Results.load(run.replication(1)) for run in runs)
    assert [run.manifest["informed"] for run in runs] == [1.0, 1.0, 1.0, 0.1]
    assert everybody.indicators == again.indicators
    assert runs[1].manifest["input_hash"] == runs[2].manifest["input_hash"]
    assert runs[3].manifest["input_hash"] != runs[2].manifest["input_hash"]
    at_s = 12 * 3600.0 + 120.0
    before, others = (r.tables["trips"] for r in (everybody, few))
    early = before["arrival_s"] < at_s
    pd.testing.assert_frame_equal(before[early], others[early])
    assert few.indicators["total_delay_h"] > everybody.indicators["total_delay_h"]


def test_an_unknown_street_is_refused_before_anything_runs(
    city_folder: Path, tmp_path: Path
) -> None:
    wrong = scenario(city_folder, text=TEXT.replace("Unioninkatu, kmh: 20}}", "Uninkatu, kmh: 9}}"))
    with pytest.raises(ScenarioError, match=r"ten.yaml:10: street 'Uninkatu'.*Unioninkatu"):
        run_scenario(wrong, tmp_path / "x", workers=1)
    assert not (tmp_path / "x" / "base").exists()


def test_errors_in_workers_come_back_as_they_are(city_folder: Path, tmp_path: Path) -> None:
    text = TEXT.replace(
        "kind: speed, street: Unioninkatu, kmh: 20}}", "kind: signal_policy, policy: x}}"
    )
    with pytest.raises(Exception, match="policy 'x'") as caught:
        run_scenario(scenario(city_folder, text=text), tmp_path / "x", workers=2)
    assert type(caught.value).__module__ == "twin.errors"


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(
    city_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(TEXT.format(city=city_folder, replications=40))
    command = [
        sys.executable,
        "-m",
        "scenarios.cli",
        "run",
        str(path),
        "-o",
        str(tmp_path / "many"),
    ]
    command += ["--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 40
    while not list(tmp_path.glob("many/base/seed-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    started = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    done = len(list(tmp_path.glob("many/base/seed-*")))
    assert 0 < done < 40
    for folder in tmp_path.glob("many/*/seed-*"):
        Results.load(folder)
    few = scenario(city_folder, done)
    again = run_scenario(few, tmp_path / "many", workers=1)
    assert all(set(range(1, done + 1)) <= set(r.seeds) for r in again)
