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

from scenarios.compare import compare
from scenarios.loading import load_scenario
from scenarios.runner import Progress, run_scenario
from scenarios.runs import locked, open_runs
from twin.errors import OutputError, ScenarioError, TwinError
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


def test_the_first_seed_of_each_run_is_recorded(ran: Path) -> None:
    from scenarios.query import query

    for run in ("base", "slow", "idle"):
        for name in ("passages", "lights"):
            assert (ran / run / "seed-0001" / f"{name}.parquet").is_file()
            assert not (ran / run / "seed-0002" / f"{name}.parquet").exists()
    found = query(
        ran,
        "SELECT run, seed, count(DISTINCT vehicle) AS driven FROM passages "
        "JOIN city_lanes USING (lane) JOIN trips USING (run, seed, vehicle) GROUP BY ALL ORDER BY 1",
    )
    departed = query(
        ran,
        "SELECT run, count(depart_s) AS n FROM trips WHERE seed = 1 GROUP BY run ORDER BY run",
    )
    assert found["run"].tolist() == ["base", "idle", "slow"]
    assert (found["seed"] == 1).all()
    assert found["driven"].tolist() == departed["n"].tolist()
    # a comparison does not ask for them
    before = compare(ran).table
    for path in ran.glob("*/seed-0001/*s.parquet"):
        if path.stem in ("passages", "lights"):
            path.unlink()
    assert compare(ran).table.equals(before)


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
    # who knows that there is no way stays at home, who does not waits before the closure
    home = [t["depart_s"].isna() & (t["due_s"] < at_s + 300.0) for t in (before, others)]
    assert home[0].sum() > 2 * home[1].sum()
    assert min(r.indicators["cut_off"] for r in (everybody, few)) > 0


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


def started(path: Path, out: Path, replications: int, city_folder: Path) -> subprocess.Popen[str]:
    """Run a scenario with two workers in a process of its own; return once two seeds are done."""
    path.write_text(TEXT.format(city=city_folder, replications=replications))
    command = [sys.executable, "-m", "scenarios.cli", "run", str(path), "-o", str(out)]
    command += ["--workers", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while len(list(out.glob("idle/seed-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def children_of(pid: int) -> dict[int, str]:
    """Return the command line of each child of a process."""
    command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(number): said for number, _, said in (x.strip().partition(" ") for x in lines)}


def lives(pid: int) -> bool:
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def marks(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of each file of replications that are complete."""
    found = sorted(folder.glob("*/seed-*/*.parquet"))
    stats = {str(p.relative_to(folder)): p.stat() for p in found}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def assert_as_if_undisturbed(ended: Path, whole: Path, before: dict[str, tuple[int, int]]) -> None:
    after = marks(ended)
    assert 0 < len(before) < len(after)
    assert {name: after[name] for name in before} == before  # so nothing ran twice
    assert set(after) == set(marks(whole))
    for name in [*after, "equilibrium.parquet"]:
        one, other = pd.read_parquet(ended / name), pd.read_parquet(whole / name)
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)
    tables = []
    for folder in (ended, whole):
        compare([folder]).save(folder.with_name(f"{folder.name}-compared"))
        tables.append((folder.with_name(f"{folder.name}-compared") / "comparison.csv").read_bytes())
    assert tables[0] == tables[1]
    assert not list(ended.glob("*/.seed*"))


def test_killed_as_a_whole_it_goes_on_as_if_nothing_had_been(
    city_folder: Path, tmp_path: Path
) -> None:
    process = started(tmp_path / "ten.yaml", tmp_path / "ended", 10, city_folder)
    children = children_of(process.pid)
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while any(map(lives, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(lives, children))  # workers go with their parent
    before = marks(tmp_path / "ended")
    source = load_scenario(tmp_path / "ten.yaml")
    run_scenario(source, tmp_path / "ended", workers=2)
    run_scenario(source, tmp_path / "whole", workers=1)
    assert_as_if_undisturbed(tmp_path / "ended", tmp_path / "whole", before)


def test_a_worker_that_is_killed_is_told_in_one_line_and_the_rest_can_be_run(
    city_folder: Path, tmp_path: Path
) -> None:
    process = started(tmp_path / "ten.yaml", tmp_path / "ended", 40, city_folder)
    workers = [pid for pid, said in children_of(process.pid).items() if "spawn_main" in said]
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.count("Error: ") == 1
    assert "a worker process was killed" in errors
    assert "Traceback" not in errors
    before = marks(tmp_path / "ended")
    done = len({name.partition("/seed-")[2].partition("/")[0] for name in before})
    source = scenario(city_folder, done + 1)
    run_scenario(source, tmp_path / "ended", workers=1)
    run_scenario(source, tmp_path / "whole", workers=1)
    assert_as_if_undisturbed(tmp_path / "ended", tmp_path / "whole", before)


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(
    city_folder: Path, tmp_path: Path
) -> None:
    process = started(tmp_path / "many.yaml", tmp_path / "many", 40, city_folder)
    stopped = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - stopped < 5
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    done = len(list(tmp_path.glob("many/base/seed-*")))
    assert 0 < done < 40
    for folder in tmp_path.glob("many/*/seed-*"):
        Results.load(folder)
    few = scenario(city_folder, done)
    again = run_scenario(few, tmp_path / "many", workers=1)
    assert all(set(range(1, done + 1)) <= set(r.seeds) for r in again)


def test_a_full_disk_is_told_in_one_line_and_counts_for_nothing(
    city_folder: Path, tmp_path: Path
) -> None:
    """On a disk of its own, in a name space of its own, where that is allowed."""
    path, disk = tmp_path / "ten.yaml", tmp_path / "disk"
    path.write_text(TEXT.format(city=city_folder, replications=40))
    disk.mkdir()
    script = f"""
mount -t tmpfs -o size=4m tmpfs {disk} || exit 77
twin() {{ {sys.executable} -m scenarios.cli run {path} -o {disk}/out --workers 2 "$@"; }}
twin; echo "code $?" >&2
cp -r {disk}/out {tmp_path}/left
mount -o remount,size=64m {disk}
twin --replications $(($(ls -d {disk}/out/idle/seed-* | wc -l) + 1)) >&2; echo "code $?" >&2
cp -r {disk}/out {tmp_path}/after
"""
    command = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if "code" not in done.stderr:
        pytest.skip(f"no disk can be mounted: {done.stderr}")
    first, second = done.stderr.split("code ")[:2]
    assert second.startswith("1\n"), done.stderr
    assert first.count("Error: ") == 1
    assert "No space left" in first
    assert "free space" in first
    assert "code 0" in done.stderr
    kept = marks(tmp_path / "left")
    assert kept
    for folder in (tmp_path / "left").glob("*/seed-*"):
        Results.load(folder)
    assert json.loads((tmp_path / "left" / "base" / "manifest.json").read_text())["name"] == "base"
    assert set(kept) < set(marks(tmp_path / "after"))
    names = {p.name for p in (tmp_path / "after").glob("*/*")}
    assert not [name for name in names if name.endswith(".part")]


def test_a_folder_of_another_version_is_refused_in_one_line(ran: Path, city_folder: Path) -> None:
    path = ran / "base" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(TwinError, match=r"format version 99 cannot be read here.*another folder"):
        run_scenario(scenario(city_folder), ran, workers=1)
    program = {**manifest["inputs"], "program": "0" * 64}
    path.write_text(json.dumps({**manifest, "inputs": program}))
    with pytest.raises(OutputError, match=r"other inputs \(program differ\)"):
        run_scenario(scenario(city_folder), ran, workers=1)
