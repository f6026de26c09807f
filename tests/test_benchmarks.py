"""What the benchmarks measure on is what they say, and their table tells misses apart."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import grids
import table

from twin.city import City, schema
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import Vehicles, initial_state

SIDE = 6


@pytest.fixture(scope="module")
def grid() -> City:
    return grids.city(SIDE)


@pytest.fixture(scope="module")
def network(grid: City) -> Network:
    return Network.from_city(grid)


def test_a_grid_keeps_the_contract_of_cities(grid: City) -> None:
    schema.validate({name: getattr(grid, name) for name in schema.TABLES}, "grid")
    assert len(grid.streets) == 4 * SIDE * (SIDE - 1)
    # T-junctions at the edge lack a turn of each approach, corners have one way only
    inner, edge, corner = (SIDE - 2) ** 2, 4 * (SIDE - 2), 4
    assert len(grid.movements) == 12 * inner + 6 * edge + 2 * corner
    assert grid.signals["signal"].nunique() == SIDE * SIDE


def test_ways_of_a_grid_turn_where_they_say(grid: City) -> None:
    """Right turns are on the right: the cross product of the directions is negative."""
    ways = grid.streets.geometry.get_coordinates().to_numpy().reshape(-1, 2, 2)
    step = ways[:, 1] - ways[:, 0]
    a, b = (step[grid.movements[name]] for name in ("street", "to_street"))
    cross = np.sign(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    said = grid.movements["direction"].map({"s": 0, "r": -1, "l": 1}).to_numpy()
    assert np.array_equal(cross, said)


def test_nobody_crosses_those_who_have_green(grid: City) -> None:
    """In no phase do streams go that cross without one of them yielding."""
    for signal, rows in grid.signals.groupby("signal"):
        moves = grid.movements[grid.movements["signal"] == signal]
        step = grid.streets.geometry.get_coordinates().to_numpy().reshape(-1, 2, 2)
        along_x = np.abs(np.diff(step, axis=1)[:, 0, 0]) > 1.0
        for state in rows["state"]:
            going = moves[[state[k] in "Gg" for k in moves["link"]]]
            assert len(set(along_x[going["street"]])) <= 1


def connected(network: Network, vehicles: Vehicles) -> bool:
    street, inside = vehicles.route_street, np.ones(len(vehicles.route_street) - 1, bool)
    inside[vehicles.route_ptr[1:-1] - 1] = False
    return bool((network.turn_of(street[:-1], street[1:])[inside] >= 0).all())


@pytest.mark.parametrize("seed", [1, 2])
def test_trips_of_a_day_have_ways_of_the_fewest_streets(
    grid: City, network: Network, seed: int
) -> None:
    vehicles = grids.day(grid, 3000, mean_blocks=4.0, seed=seed)
    assert connected(network, vehicles)
    first = grid.streets["from_junction"].to_numpy()[vehicles.route_street[vehicles.route_ptr[:-1]]]
    last = vehicles.route_street[vehicles.route_ptr[1:] - 1]
    goal = grid.streets["to_junction"].to_numpy()[last]
    blocks = abs(first % SIDE - goal % SIDE) + abs(first // SIDE - goal // SIDE)
    assert np.array_equal(np.diff(vehicles.route_ptr), blocks)
    assert 2.0 < blocks.mean() < 5.0  # the edge of a small grid cuts some
    assert (np.diff(vehicles.due_s) >= 0).all()


def test_walks_are_connected_and_nobody_is_lost(network: Network) -> None:
    vehicles = grids.walks(network, 300, 10)
    assert connected(network, vehicles)
    state = initial_state(network, vehicles, end_s=7200.0)
    advance(network.arrays, network.signals, state, 7200 * network.arrays.tps)
    assert (state.vehicle["arrive"] >= 0).all()
    assert int(state.clock["moves"][0]) >= 300 * 9


def test_ratios_are_of_runs_in_turn() -> None:
    assert table.ratio([10.0, 30.0, 50.0], [1.0, 10.0, 10.0]) == 5.0
    order = []
    found = table.in_turn([lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0], 2)
    assert order == ["a", "b"] * 3  # the first round is not counted
    assert found == [[1.0, 1.0], [2.0, 2.0]]


def test_a_missed_aim_is_bold() -> None:
    rows = [table.Row("a", "1 s", "", "3x", "5x", met=False), table.Row("b", "1 s", "", "6x", "5x")]
    lines = table.markdown(rows).splitlines()
    assert "**3x**" in lines[2]
    assert "**" not in lines[3]
    assert len({len(line) for line in lines}) == 1
