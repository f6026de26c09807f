"""Vehicle-actuated signals beside a real SUMO, asked over TraCI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sumo

from twin.city import City
from twin.traffic.actuation import place_detectors
from twin.traffic.kernel import advance
from twin.traffic.peer import load_flow
from twin.traffic.sumo_routes import read_routes

HOUR_S = 3600
HOME = Path(sumo.SUMO_HOME)


def call(program: str, *arguments: object) -> None:
    environment = {**os.environ, "SUMO_HOME": str(HOME)}
    path = HOME / "bin" / program
    subprocess.run([path, *map(str, arguments)], check=True, env=environment, capture_output=True)


@pytest.fixture(scope="module")
def traci() -> Any:
    sys.path.append(str(HOME / "tools"))
    import traci

    return traci


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of two-lane streets and turn pockets whose signals are actuated."""
    path = tmp_path_factory.mktemp("actuated") / "grid.net.xml"
    call(
        "netgenerate", "--grid", "--grid.number", 3, "--grid.length", 160, "-L", 2,
        "--turn-lanes", 1, "--turn-lanes.length", 25, "--default-junction-type", "traffic_light",
        "--tls.default-type", "actuated", "--no-turnarounds", "true", "-o", path,
    )  # fmt: skip
    return path


def started(traci: Any, *arguments: object) -> None:
    program = [str(HOME / "bin" / "sumo"), *map(str, arguments), "--no-step-log", "-W"]
    traci.start(program, stdout=subprocess.DEVNULL)


def test_detectors_lie_where_sumo_puts_them(net: Path, traci: Any) -> None:
    city = City.from_sumo(net)
    found = place_detectors(city)
    lanes = city.lanes
    at = lanes["length_m"].to_numpy()[found.lane] - found.before_m
    ours = dict(zip(lanes["id"].to_numpy()[found.lane], np.round(at, 2), strict=True))
    started(traci, "-n", net)
    try:
        loop = traci.inductionloop
        theirs = {loop.getLaneID(k): round(loop.getPosition(k), 2) for k in loop.getIDList()}
    finally:
        traci.close()
    assert len(theirs) > 20
    assert ours == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("period_s", [1.2, 3.0])
def test_phases_last_as_long_as_in_sumo(net: Path, traci: Any, period_s: float) -> None:
    """Time of each phase of each signal: within 1 % of the hour on average, 6 % at most."""
    trips, routes = net.with_name("trips.xml"), net.with_name("routes.rou.xml")
    subprocess.run(
        [sys.executable, HOME / "tools" / "randomTrips.py", "-n", net, "-o", trips, "-e", str(HOUR_S),
         "-p", str(period_s), "--seed", "3"],
        check=True, env={**os.environ, "SUMO_HOME": str(HOME)}, cwd=net.parent, capture_output=True,
    )  # fmt: skip
    call("duarouter", "-n", net, "-r", trips, "-o", routes, "--ignore-errors", "true")
    city = City.from_sumo(net)
    found = read_routes([routes], 0.0, HOUR_S, 1)
    flow = load_flow(city, found, 1, net, begin_s=0.0, end_s=HOUR_S)
    network, sig = flow.network, flow.network.signals
    assert sig.actuated.all()
    ours = np.zeros((len(sig.actuated), int(np.diff(sig.phase).max())))
    theirs = np.zeros_like(ours)
    started(traci, "-n", net, "-r", routes, "--time-to-teleport", -1)
    try:
        for second in range(HOUR_S):
            traci.simulationStep()
            advance(network.arrays, sig, flow.state, int((second + 0.5) * network.arrays.tps))
            for s, name in enumerate(network.signal_ids):
                theirs[s, traci.trafficlight.getPhase(name)] += 1
            ours[np.arange(len(ours)), flow.state.signal["phase"] - sig.phase[:-1]] += 1
    finally:
        traci.close()
    difference = np.abs(ours - theirs)
    assert difference.max() < 0.06 * HOUR_S
    assert difference.mean() < 0.01 * HOUR_S
