"""A real Ray cluster of this machine: several nodes, some of which die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ten_minutes import TEXT, scenario

ray = pytest.importorskip("ray")

from scenarios import cluster
from scenarios.runner import Progress, run_scenario
from twin.errors import InputError, SimulationError

ROOT = Path(__file__).parents[2]
REPLICATIONS = 6
pytestmark = [  # of Ray's own code
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without cores and two nodes with one each; nothing of it is left after."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "90")  # others are busy here
    small = {"object_store_memory": 100_000_000, "include_dashboard": False}
    # Sockets of Ray lie in its folder, and their paths may have 107 letters.
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
        with socket.socket() as free:  # a port that Ray does not use itself
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        head = {**small, "num_cpus": 0, "temp_dir": folder, "ray_client_server_port": port}
        started = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                started.add_node(num_cpus=1, object_store_memory=100_000_000)
            started.client = f"ray://127.0.0.1:{port}"
            yield started
        finally:
            ray.shutdown()
            for node in [*started.worker_nodes, started.head_node]:
                node.kill_all_processes(check_alive=False, allow_graceful=False)


def killed_after(done: int, kill: Callable[[], None]) -> Callable[[Progress], None]:
    """Return what kills something when so many replications are done."""
    killed: list[float] = []

    def look(progress: Progress) -> None:
        if progress.remaining_s is not None and progress.done >= done and not killed:
            killed.append(progress.done)
            kill()

    return look


def assert_same(here: Path, there: Path, replications: int = REPLICATIONS) -> None:
    found = sorted(p.relative_to(here) for p in here.glob("*/seed-*/*.parquet"))
    assert found == sorted(p.relative_to(there) for p in there.glob("*/seed-*/*.parquet"))
    assert len({p.parent for p in found}) == 3 * replications
    for path in found:
        one, other = pd.read_parquet(here / path), pd.read_parquet(there / path)
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=str(path))


def test_a_node_that_dies_changes_nothing(nodes: Any, city_folder: Path, tmp_path: Path) -> None:
    source = scenario(city_folder, REPLICATIONS)
    run_scenario(source, tmp_path / "here", workers=1)
    doomed = next(iter(nodes.worker_nodes))
    kill = killed_after(2, lambda: nodes.remove_node(doomed, allow_graceful=False))
    run_scenario(source, tmp_path / "there", cluster=nodes.address, progress=kill)
    assert doomed not in nodes.worker_nodes  # so it was killed
    assert_same(tmp_path / "here", tmp_path / "there")
    assert not list((tmp_path / "there").glob("*/.seed*"))


def test_the_client_of_ray_reaches_a_cluster_too(
    nodes: Any, city_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = scenario(city_folder, 2)
    run_scenario(source, tmp_path / "here", workers=1)
    run_scenario(source, tmp_path / "there", cluster=nodes.client)
    assert_same(tmp_path / "here", tmp_path / "there", 2)
    assert capfd.readouterr().err == ""


def test_a_lost_cluster_is_told_and_the_same_command_goes_on_here(
    nodes: Any, city_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SILENT_S", 2.0)
    source = scenario(city_folder, REPLICATIONS)

    def kill() -> None:
        nodes.head_node.kill_gcs_server(check_alive=False)

    with pytest.raises(SimulationError, match=r"Ray cluster .* what is complete is kept"):
        run_scenario(source, tmp_path / "x", cluster=nodes.address, progress=killed_after(1, kill))
    kept = {p: p.stat().st_ino for p in tmp_path.glob("x/*/seed-*")}
    assert kept
    runs = run_scenario(source, tmp_path / "x", workers=1)
    assert {len(run.seeds) for run in runs} == {REPLICATIONS}
    assert {p: p.stat().st_ino for p in kept} == kept


def test_what_the_twin_refuses_and_other_programs_are_told_in_one_line(
    nodes: Any, city_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT.replace(
        "kind: speed, street: Unioninkatu, kmh: 20}}", "kind: signal_policy, policy: x}}"
    )
    with pytest.raises(Exception, match="policy 'x'") as caught:
        run_scenario(scenario(city_folder, text=text), tmp_path / "x", cluster=nodes.address)
    assert type(caught.value).__module__ == "twin.errors"
    monkeypatch.setattr("scenarios.plan.program_digest", lambda *_: "other")
    with pytest.raises(SimulationError, match=r"node .* has another revision of the program"):
        run_scenario(scenario(city_folder), tmp_path / "y", cluster=nodes.address)
    assert not list(tmp_path.glob("y/base/seed-*"))


def test_ctrl_c_ends_what_runs_on_the_cluster(
    nodes: Any, city_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(TEXT.format(city=city_folder, replications=200))
    command = [
        sys.executable,
        "-m",
        "scenarios.cli",
        "run",
        str(path),
        "-o",
        str(tmp_path / "many"),
    ]
    command += ["--ray", nodes.address]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("many/base/seed-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    ray.init(address=nodes.address, log_to_driver=False)
    deadline = time.monotonic() + 30  # the cores come back
    while ray.available_resources().get("CPU", 0.0) < 2.0 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ray.available_resources().get("CPU") == 2.0


def test_no_cluster_and_no_ray_are_told_in_one_line(
    city_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"--ray 127.0.0.1:1: no .*Ray cluster"):
        run_scenario(scenario(city_folder), tmp_path / "x", cluster="127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"install stadtzwilling\[cluster\]"):
        run_scenario(scenario(city_folder), tmp_path / "x", cluster="auto")
