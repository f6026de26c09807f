"""Static user equilibrium against closed forms, best-known flows and an independent search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from twin.errors import InputError
from twin.traffic.static import Assignment, Demand, LinkNetwork, assign
from twin.traffic.tntp import read_network, read_trips


def network(links: list[tuple[float, ...]], zones: int, first_thru: int = 1) -> LinkNetwork:
    """Return links given as (tail, head, capacity, length, time, b, power, toll)."""
    tail, head, *values = (np.array(column, dtype=float) for column in zip(*links, strict=True))
    nodes = int(max(tail.max(), head.max(), zones))
    ends = (tail.astype(np.int32), head.astype(np.int32))
    return LinkNetwork(zones, nodes, first_thru, *ends, *values)


def trips(*pairs: tuple[int, int, float]) -> Demand:
    origin, destination, volume = zip(*pairs, strict=True)
    return Demand(np.array(origin), np.array(destination), np.array(volume, dtype=float))


def grid(side: int, zones: int, seed: int, load: float) -> tuple[LinkNetwork, Demand]:
    """Return a grid with tolls, constant links, links without time, and zones on connectors."""
    draw = np.random.default_rng(seed)
    node = np.arange(side * side).reshape(side, side) + zones + 1
    a = np.concatenate((node[:, :-1].ravel(), node[:-1].ravel()))
    b = np.concatenate((node[:, 1:].ravel(), node[1:].ravel()))
    # Each zone joins two nodes, so that it would be a shortcut without time.
    zone = np.repeat(np.arange(1, zones + 1), 2)
    at = draw.choice(node.ravel(), 2 * zones, replace=False)
    m, k = 2 * len(a), 4 * zones
    length = draw.uniform(0.2, 1.0, m)
    columns = [
        (draw.choice([300.0, 600.0, 1200.0], m), 999999.0),
        (length, 0.0),
        (length / draw.choice([0.5, 0.8, 1.2], m), 0.0),
        (draw.choice([0.0, 0.15, 0.5, 1.0], m, p=[0.1, 0.6, 0.2, 0.1]), 0.0),
        (draw.choice([0.0, 0.5, 1.0, 2.0, 4.0, 16.8], m, p=[0.1, 0.1, 0.1, 0.1, 0.5, 0.1]), 0.0),
        (np.where(draw.random(m) < 0.1, draw.uniform(20.0, 100.0, m), 0.0), 0.0),
    ]
    values = [np.concatenate((inner, np.full(k, outer))) for inner, outer in columns]
    tail = np.concatenate((a, b, zone, at)).astype(np.int32)
    head = np.concatenate((b, a, at, zone)).astype(np.int32)
    net = LinkNetwork(zones, zones + side * side, zones + 1, tail, head, *values)
    origin, destination = (x.ravel() for x in np.indices((zones, zones)) + 1)
    volume = draw.gamma(0.5, 1.0, zones * zones)
    return net, Demand(origin, destination, volume * load / volume.sum())


def independent_gap(net: LinkNetwork, demand: Demand, flow: np.ndarray, factors: tuple) -> float:
    """Return the relative gap by SciPy's search, costs written anew.

    A zone that no path may pass is two nodes: trips leave from one and end at the other.
    """
    ratio = np.divide(flow, net.capacity)
    cost = net.free_flow_time * (1.0 + net.b * ratio**net.power)
    cost = cost + factors[0] * net.toll + factors[1] * net.length
    closed = net.first_thru_node - 1
    head = np.where(net.head <= closed, net.head + net.n_nodes, net.head) - 1
    size = 2 * net.n_nodes
    # SciPy takes a stored zero for an edge, but adds parallel ones up: there are none here.
    graph = csr_array((cost, (net.tail - 1, head)), shape=(size, size))
    assert graph.nnz == len(cost)
    used = (demand.origin != demand.destination) & (demand.volume > 0.0)
    origin, destination = demand.origin[used], demand.destination[used]
    ends = np.where(destination <= closed, destination + net.n_nodes, destination) - 1
    distance = dijkstra(graph, indices=origin - 1)[np.arange(len(ends)), ends]
    total = float(flow @ cost)
    return (total - float(demand.volume[used] @ distance)) / total


def surplus(net: LinkNetwork, demand: Demand, flow: np.ndarray) -> np.ndarray:
    """Return, node by node, what leaves more than enters, less what trips say."""
    out = np.bincount(net.tail, flow, net.n_nodes + 1) - np.bincount(
        net.head, flow, net.n_nodes + 1
    )
    trips_out = np.bincount(demand.origin, demand.volume, net.n_nodes + 1)
    trips_in = np.bincount(demand.destination, demand.volume, net.n_nodes + 1)
    difference: np.ndarray = out - (trips_out - trips_in)
    return difference


@pytest.mark.parametrize(("gap", "within"), [(1e-4, 0.005), (1e-6, 0.0005), (1e-12, 1e-8)])
def test_sioux_falls_reaches_the_best_known_flows(
    data_dir: Path, gap: float, within: float
) -> None:
    folder = data_dir / "assignment" / "SiouxFalls"
    net = read_network(folder / "SiouxFalls_net.tntp")
    demand = read_trips(folder / "SiouxFalls_trips.tntp")
    done = assign(net, demand, gap=gap)
    best = np.loadtxt(folder / "SiouxFalls_flow.tntp", skiprows=1)
    assert done.converged
    assert done.gap <= gap
    assert (best[:, :2] == np.stack((net.tail, net.head), axis=1)).all()
    np.testing.assert_allclose(done.flow, best[:, 2], rtol=within)
    # Beckmann's objective exceeds its minimum by no more than the excess cost.
    assert 0.0 <= done.objective - 4_231_335.28710744 + 1e-5 <= gap * done.total_cost + 2e-5
    assert done.total_time == pytest.approx(7_480_225.345, rel=5 * within)
    assert done.total_cost == pytest.approx(done.total_time, rel=1e-12)


def test_braess_bridge_makes_everybody_slower(data_dir: Path) -> None:
    folder = data_dir / "assignment" / "Braess-Example"
    net = read_network(folder / "Braess_net.tntp")
    demand = read_trips(folder / "Braess_trips.tntp")
    with_bridge = assign(net, demand, gap=1e-9)
    assert with_bridge.total_time / 6.0 == pytest.approx(92.0, rel=1e-6)
    np.testing.assert_allclose(with_bridge.flow, [4, 2, 2, 2, 4], rtol=1e-5)
    keep = np.array([0, 1, 2, 4])
    names = ("tail", "head", "capacity", "length", "free_flow_time", "b", "power", "toll")
    without = replace(net, line=None, **{n: getattr(net, n)[keep] for n in names})
    assert assign(without, demand, gap=1e-9).total_time / 6.0 == pytest.approx(83.0, rel=1e-6)


def test_toll_and_length_shift_flow_by_what_they_cost() -> None:
    # Times 10 + v1 and 10 + v2 for 10 trips; route 1 costs 2 * 3 of toll and 0.5 * 4 of length
    # more than route 2, so v2 - v1 = 8: 1 and 9 trips at a cost of 19.
    net = network([(1, 2, 10, 5, 10, 1, 1, 3), (1, 2, 10, 1, 10, 1, 1, 0)], 2)
    done = assign(net, trips((1, 2, 10)), gap=1e-12, toll_factor=2.0, distance_factor=0.5)
    np.testing.assert_allclose(done.flow, [1.0, 9.0], rtol=1e-9)
    np.testing.assert_allclose(done.cost, [19.5, 19.5], rtol=1e-9)
    assert done.total_time == pytest.approx(1 * 11 + 9 * 19)
    assert done.total_cost == pytest.approx(195.0)
    assert done.objective == pytest.approx(10 + 0.5 + 8.5 + 90 + 40.5 + 4.5)


def test_no_path_passes_through_a_zone_below_the_first_through_node() -> None:
    links = [(1, 2, 1, 1, 1, 0, 0, 0), (2, 3, 1, 1, 1, 0, 0, 0), (1, 4, 1, 1, 5, 0, 0, 0),
             (4, 3, 1, 1, 5, 0, 0, 0)]  # fmt: skip
    demand = trips((1, 3, 7), (2, 3, 1), (1, 2, 2))
    np.testing.assert_allclose(assign(network(links, 3, 4), demand).flow, [2, 1, 7, 7])
    np.testing.assert_allclose(assign(network(links, 3, 1), demand).flow, [9, 8, 0, 0])


def test_links_whose_cost_is_constant_or_zero_need_no_capacity() -> None:
    # Power 0 costs t0 (1 + b) whatever the flow: 4 on the constant route until the other,
    # 1 + v / 10, costs as much, at 30 trips.
    net = network([(1, 2, 0, 1, 2, 1, 0, 0), (1, 3, 0, 0, 0, 0.15, 4, 0), (3, 2, 10, 1, 1, 1, 1, 0)],
                  2)  # fmt: skip
    done = assign(net, trips((1, 2, 100)), gap=1e-12)
    np.testing.assert_allclose(done.flow, [70, 30, 30], rtol=1e-9)
    np.testing.assert_allclose(done.cost, [4, 0, 4], rtol=1e-9)
    nothing = network([(1, 2, 1, 0, 0, 0, 0, 0)], 2)
    assert assign(nothing, trips((1, 2, 5))).gap == 0.0


@settings(max_examples=40, deadline=None)
@given(
    power=st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0, 7.3, 16.8]), min_size=3, max_size=3),
    capacity=st.lists(st.floats(1.0, 1e5), min_size=3, max_size=3),
    volume=st.floats(0.01, 1e5),
)
def test_parallel_routes_in_use_cost_the_same(
    power: list[float], capacity: list[float], volume: float
) -> None:
    links = [(1, 2, c, 1, 1 + k, 0.15, p, 0) for k, (p, c) in
             enumerate(zip(power, capacity, strict=True))]  # fmt: skip
    done = assign(network(links, 2), trips((1, 2, volume)), gap=1e-8)
    assert done.flow.sum() == pytest.approx(volume, rel=1e-9)
    least = done.cost.min()
    # Wardrop: no route in use is dearer, but for what the gap allows on its share of the trips.
    allowed = 1e-8 * done.total_cost + 1e-12 * volume * least
    assert (done.flow * (done.cost - least) <= allowed).all()


@pytest.fixture(scope="module")
def solved() -> tuple[LinkNetwork, Demand, Assignment]:
    net, demand = grid(24, 40, seed=3, load=40_000.0)
    return net, demand, assign(net, demand, gap=1e-6, toll_factor=0.02, distance_factor=0.04)


def test_gap_of_a_grid_is_what_an_independent_search_finds(
    solved: tuple[LinkNetwork, Demand, Assignment],
) -> None:
    net, demand, done = solved
    again = independent_gap(net, demand, done.flow, (0.02, 0.04))
    assert again == pytest.approx(done.gap, rel=1e-4, abs=1e-12)
    assert again <= 1e-6
    # The grid is congested: who drove as on empty streets would be far from equilibrium.
    assert done.total_time > 1.1 * float(done.flow @ net.free_flow_time)


def test_every_trip_of_a_grid_begins_and_ends_where_it_should(
    solved: tuple[LinkNetwork, Demand, Assignment],
) -> None:
    net, demand, done = solved
    assert np.abs(surplus(net, demand, done.flow)).max() < 1e-8 * demand.volume.sum()
    assert (done.flow >= 0.0).all()
    inside = demand.volume[demand.origin == demand.destination].sum()
    assert done.inside_zones == pytest.approx(inside)


def test_no_other_flow_has_a_lower_objective(
    solved: tuple[LinkNetwork, Demand, Assignment],
) -> None:
    net, demand, done = solved
    fixed = net.fixed_cost(0.02, 0.04)
    for factors in ((0.0, 0.0), (0.02, 0.0)):
        other = assign(net, demand, gap=1e-3, toll_factor=factors[0], distance_factor=factors[1])
        objective = float(np.sum(net.time_integral(other.flow) + fixed * other.flow))
        assert objective > done.objective


def test_the_same_input_gives_the_same_bits() -> None:
    net, demand = grid(8, 6, seed=1, load=6000.0)
    assert assign(net, demand).flow.tobytes() == assign(net, demand).flow.tobytes()


def test_it_ends_when_told_to_and_says_how_near_it_came() -> None:
    net, demand = grid(12, 12, seed=2, load=20_000.0)
    few = assign(net, demand, gap=1e-8, max_iterations=2)
    assert (few.iterations, few.converged) == (2, False)
    assert few.gap == pytest.approx(independent_gap(net, demand, few.flow, (0, 0)), rel=1e-6)
    assert few.gap > 1e-8
    none = assign(net, demand, gap=1e-8, time_limit_s=0.0)
    assert none.iterations == 1
    assert np.abs(surplus(net, demand, none.flow)).max() < 1e-6


GOOD = [(1, 3, 10, 1, 1, 0.15, 4, 0), (3, 2, 10, 1, 1, 0.15, 4, 1)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"capacity": 0.0}, "link 1 to 3 has capacity 0; give more than 0"),
        ({"free_flow_time": -1.0}, "has free_flow_time -1; give 0 or more"),
        ({"power": np.nan}, "has power nan; give 0 or more"),
        ({"toll": np.inf}, "has toll inf; give a number"),
        ({"head": 9}, "has head 9; the last node is 3"),
    ],
)
def test_links_without_meaning_are_refused(change: dict, words: str) -> None:
    net = network(GOOD, 2)
    for name, value in change.items():
        column = getattr(net, name).copy()
        column[0] = value
        net = replace(net, **{name: column})
    with pytest.raises(InputError, match=words):
        assign(net, trips((1, 2, 1)))


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(2, 1, 3.5)], "3.5 trips from zone 2 to zone 1 have no path in network"),
        ([(1, 3, 1.0)], "destination 3 is no zone of network, which has zones 1 to 2"),
        ([(1, 2, -1.0)], "-1 trips from 1 to 2; give 0 or more"),
    ],
)
def test_trips_that_cannot_be_made_are_refused(pairs: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        assign(network(GOOD, 2), trips(*pairs))


def test_costs_below_zero_are_refused() -> None:
    with pytest.raises(InputError, match="link 3 to 2 would cost -1 without flow"):
        assign(network(GOOD, 2), trips((1, 2, 1)), toll_factor=-2.0)
    with pytest.raises(InputError, match="gap"):
        assign(network(GOOD, 2), trips((1, 2, 1)), gap=float("nan"))
