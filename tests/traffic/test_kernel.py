"""What must hold at every second, whatever the network and the demand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from test_specification import END_S, TPS, cases

from twin.city import City
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import Vehicles, initial_state


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_vehicles_and_metres_are_conserved_at_every_second(
    case: tuple[Network, Vehicles, list[int]],
) -> None:
    """Every vehicle waits, is in one lane, or has arrived; lanes hold what fits."""
    network, vehicles, closed = case
    net = network.arrays
    state = initial_state(network, vehicles, end_s=END_S)
    state.lane["open"][closed] = 0
    inner = np.zeros(network.n_streets + 1, np.int32)  # where a queue may stand in a junction
    np.maximum.at(inner, net.link["street"], net.link["inner"])
    most = net.lane["capacity"] + inner[net.lane["street"]]
    before = np.zeros(len(vehicles), bool)
    for second in range(1, int(END_S) + 1):
        advance(net, network.signals, state, second * TPS)
        v = state.vehicle
        waiting, arrived = v["depart"] < 0, v["arrive"] >= 0
        inside = (v["place"] >= 0) & ~waiting & ~arrived
        assert int(state.lane["inside"].sum()) == int(inside.sum())
        assert len(v) == int(waiting.sum() + inside.sum() + arrived.sum())
        assert not (before & ~arrived).any()
        before = arrived
        taken = np.bincount(v["place"][inside], net.type["cm"][v["type"][inside]], len(net.lane))
        assert (state.lane["occupied"] >= taken).all()
        crowded = state.lane["inside"] > 1
        assert (state.lane["occupied"] <= most)[crowded].all()
        assert (state.lane["inside"] + state.lane["gone"] <= net.lane["size"]).all()
    assert (state.lane["inside"][closed] == 0).all()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_a_run_repeats_itself(case: tuple[Network, Vehicles, list[int]]) -> None:
    network, vehicles, _ = case
    runs = []
    for _ in range(2):
        state = initial_state(network, vehicles, end_s=END_S)
        advance(network.arrays, network.signals, state, int(END_S) * TPS)
        runs.append(state.vehicle.copy())
    assert (runs[0] == runs[1]).all()


def test_kernels_see_one_mix_of_types(helsinki: City, tmp_path: Path) -> None:
    """Numba compiles every kernel once more for arrays that are read-only."""
    for city in (helsinki, City.load(helsinki.save(tmp_path / "city"))):
        network = Network.from_city(city)
        for arrays in (network.arrays, network.signals):
            for name, array in arrays._asdict().items():
                assert not isinstance(array, np.ndarray) or array.flags.writeable, name
