"""Where the kernel's vehicles are: free flow, queues, junctions."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parents[1])]
from crossings import TPS, crossing, demand

from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.positions import positions
from twin.traffic.records import State
from twin.traffic.state import Vehicles, initial_state


def started(vehicles: Vehicles) -> tuple[Network, State]:
    network, _ = crossing()
    return network, initial_state(network, vehicles, end_s=600.0)


def run(network: Network, state: State, until_s: float) -> None:
    advance(network.arrays, network.signals, state, round(until_s * TPS))


def cars(due_s: list[float], way: list[int]) -> Vehicles:
    n = len(due_s)
    return Vehicles(
        due_s=np.array(due_s),
        kind=np.zeros(n, np.uint8),
        route_ptr=np.arange(n + 1) * len(way),
        route_street=np.array(way * n, np.int32),
        factor=np.ones(n, np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )


def test_who_is_alone_drives_at_free_speed() -> None:
    _, ways = crossing()
    network, state = started(cars([0.0], ways[0]))  # 80 m at 50 km/h
    for t in (1.0, 2.5, 4.0):
        run(network, state, t)
        found = positions(network, state)
        assert found.lane.tolist() == [ways[0][0]]
        assert found.position_m[0] == pytest.approx(50 / 3.6 * t, abs=50 / 3.6 * 1.5 / TPS)
        assert not found.standing[0]


def test_a_queue_stands_at_jam_spacing() -> None:
    _, ways = crossing()
    network, state = started(cars([0.0, 0.0, 0.0, 0.0], ways[1]))  # the side street begins at red
    run(network, state, 14.0)
    found = positions(network, state)
    spacing_m = network.types[0].spacing_m
    np.testing.assert_allclose(found.position_m, 60.0 - spacing_m * np.arange(4), atol=0.01)
    assert found.standing.all()


def test_who_crosses_is_before_its_lane() -> None:
    _, ways = crossing()
    network, state = started(cars([0.0], ways[0]))
    seen = []
    for tick in range(1, 120):
        run(network, state, tick / TPS)
        found = positions(network, state)
        seen += [(int(found.lane[0]), float(found.position_m[0]), int(found.link[0]))]
    inside = [row for row in seen if row[1] < 0]
    assert inside, "nobody was seen in the junction"
    for lane, at, link in inside:
        assert lane == ways[0][1]
        assert -10.0 <= at < 0.0  # the movement has 10 m
        assert network.arrays.link["lane"][link] == ways[0][0]


@pytest.mark.parametrize("seed", range(4))
def test_everybody_is_somewhere_and_nobody_in_another(seed: int) -> None:
    network, ways = crossing()
    network, state = started(demand(ways, 120, seed))
    cm = network.arrays.type["cm"]
    waited = 0
    for until_s in range(20, 260, 7):
        run(network, state, until_s)
        found = positions(network, state)
        inside = np.bincount(found.lane, minlength=len(state.lane))
        assert (inside <= state.lane["inside"]).all()
        under_way = (state.vehicle["depart"] >= 0) & (state.vehicle["arrive"] < 0)
        assert set(found.vehicle) == set(np.flatnonzero(under_way))
        same = found.lane[1:] == found.lane[:-1]
        room_m = cm[found.type[:-1]] / 100.0
        gap_m = found.position_m[:-1] - found.position_m[1:] - room_m
        both_on = same & (found.position_m[1:] > -8.0)  # in the junction ways may be shorter
        assert (gap_m[both_on] > -1e-6).all()
        assert (found.position_m <= network.arrays.lane["length"][found.lane] + 1e-6).all()
        waited += int((found.lane >= network.n_lanes).sum())
        assert (found.link[found.lane >= network.n_lanes] >= 0).all()


def test_looking_changes_nothing() -> None:
    _, ways = crossing()
    network, state = started(demand(ways, 60, 1))
    run(network, state, 60.0)
    before = [array.copy() for array in state]
    positions(network, state)
    for old, new in zip(before, state, strict=True):
        np.testing.assert_array_equal(old, new)
