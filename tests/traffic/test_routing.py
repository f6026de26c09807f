"""Routes: as short as a peer finds them, whatever the times, closures and threads."""

from __future__ import annotations

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import InputError, SimulationError
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, route_costs, shortest_routes


def random_graph(seed: int, n: int = 30, arcs: int = 80) -> RoadGraph:
    rng = np.random.default_rng(seed)
    street, to_street = rng.integers(0, n, arcs), rng.integers(0, n, arcs)
    return RoadGraph.from_pairs(street, to_street, rng.uniform(0, 5, arcs), rng.uniform(1, 50, n))


def random_times(graph: RoadGraph, seed: int, intervals: int = 6) -> TravelTimes:
    rng = np.random.default_rng(seed)
    return TravelTimes(
        0.0,
        30.0,
        (graph.turn_free_s * rng.uniform(1, 6, (intervals, graph.n_turns))).astype(np.float32),
        (graph.exit_free_s * rng.uniform(1, 6, (intervals, graph.n_streets))).astype(np.float32),
    )


def random_trips(graph: RoadGraph, seed: int, count: int = 40) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed + 1)
    n = graph.n_streets
    return rng.integers(0, n, count), rng.integers(0, n, count), rng.uniform(0, 150, count)


def diamond() -> RoadGraph:
    """0 leads to 1 (10 s) and to 2 (20 s), and both lead to 3."""
    return RoadGraph.from_pairs([0, 0, 1, 2], [1, 2, 3, 3], np.zeros(4), [5.0, 10.0, 20.0, 5.0])


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_static_costs_equal_networkx(seed: int) -> None:
    graph = random_graph(seed)
    origin, destination, depart_s = random_trips(graph, seed)
    routes = shortest_routes(graph, TravelTimes.free(graph), origin, destination, depart_s)
    routes.validate(graph)
    peer = nx.DiGraph()
    peer.add_nodes_from(range(graph.n_streets))
    arcs = zip(graph.turn_from, graph.turn_to, graph.turn_free_s, strict=True)
    peer.add_weighted_edges_from((int(a), int(b), float(w)) for a, b, w in arcs)
    for i, (start, end) in enumerate(zip(origin, destination, strict=True)):
        if nx.has_path(peer, start, end):
            expected = nx.dijkstra_path_length(peer, start, end) + graph.exit_free_s[end]
            assert routes.cost_s[i] == pytest.approx(expected, rel=1e-6)
            assert routes[i][0] == start
            assert routes[i][-1] == end
        else:
            assert np.isinf(routes.cost_s[i])
            assert len(routes[i]) == 0


def earliest_arrival(graph: RoadGraph, times: TravelTimes, start: int, at_s: float) -> np.ndarray:
    """Label-correcting search on the same arrival functions, as simple as can be."""
    turn_s = times.arrival_functions()[0].astype(float)
    label = np.full(graph.n_streets, np.inf)
    label[start] = at_s
    for _ in range(graph.n_streets):
        entry = label[graph.turn_from]
        k = times.interval(np.where(np.isfinite(entry), entry, 0.0))
        out = entry + turn_s[k, np.arange(graph.n_turns)]
        ahead = np.minimum(k + 1, times.n_intervals - 1)
        later = np.maximum(entry, (k + 1) * 30.0) + turn_s[ahead, np.arange(graph.n_turns)]
        out = np.where(k < ahead, np.minimum(out, later), out)
        np.minimum.at(label, graph.turn_to, out)
    return label


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_time_dependent_routes_arrive_as_early_as_possible(seed: int) -> None:
    graph = random_graph(seed)
    times = random_times(graph, seed)
    origin, destination, depart_s = random_trips(graph, seed, 12)
    routes = shortest_routes(graph, times, origin, destination, depart_s, group_s=0.0)
    routes.validate(graph)
    for i in range(len(origin)):
        label = earliest_arrival(graph, times, origin[i], depart_s[i])[destination[i]]
        found = np.inf
        if len(routes[i]):
            one = Routes(np.array([0, len(routes[i])]), routes[i], np.zeros(1))
            to_exit = TravelTimes(0.0, 30.0, times.turn_s, np.zeros_like(times.exit_s))
            found = depart_s[i] + route_costs(graph, to_exit, one, depart_s[i : i + 1])[0]
        assert found == pytest.approx(label, rel=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_who_departs_later_never_arrives_earlier(seed: int) -> None:
    graph = random_graph(seed)
    times = random_times(graph, seed)
    origin, destination, _ = random_trips(graph, seed, 1)
    depart_s = np.linspace(0.0, 240.0, 121)
    many = np.full(121, origin[0]), np.full(121, destination[0])
    routes = shortest_routes(graph, times, *many, depart_s, group_s=0.0)
    if len(routes[0]):
        by_route = routes.take(np.zeros(121, dtype=int))
        fixed = depart_s + route_costs(graph, times, by_route, depart_s)
        assert np.all(np.diff(fixed) >= -1e-4)  # times are float32


def test_a_jam_diverts_only_those_who_meet_it() -> None:
    graph = diamond()
    turn_s = np.tile(graph.turn_free_s, (3, 1))
    turn_s[1, graph.turn(np.array([1]), np.array([3]))[0]] = 100.0  # entered in [60, 120)
    times = TravelTimes(0.0, 60.0, turn_s, np.tile(graph.exit_free_s, (3, 1)))
    depart_s = np.array([0.0, 54.0, 60.0, 100.0, 114.0])
    four = np.zeros(5, dtype=int), np.full(5, 3)
    routes = shortest_routes(graph, times, *four, depart_s, group_s=0.0)
    via = [int(route[1]) for route in (routes[i] for i in range(5))]
    # who enters street 1 at 59 s passes freely; who enters it in the jam comes out at 130 s, as
    # the first of the next interval do: worth waiting at 119 s, not at 65 or 105 s
    assert via == [1, 1, 2, 2, 1]
    assert routes.cost_s == pytest.approx([20.0, 20.0, 30.0, 30.0, 21.0])


def test_grouping_changes_costs_little_and_threads_nothing() -> None:
    graph = random_graph(3, n=200, arcs=700)
    times = random_times(graph, 3)
    trips = random_trips(graph, 3, 500)
    exact = shortest_routes(graph, times, *trips, group_s=0.0)
    grouped = shortest_routes(graph, times, *trips)
    threaded = shortest_routes(graph, times, *trips, threads=3)
    assert np.array_equal(np.isinf(exact.cost_s), np.isinf(grouped.cost_s))
    some = np.isfinite(exact.cost_s)
    assert np.all(exact.cost_s[some] <= grouped.cost_s[some] + 1e-6)
    assert grouped.cost_s[some].sum() < 1.05 * exact.cost_s[some].sum()
    assert np.array_equal(threaded.street, grouped.street)
    assert np.array_equal(threaded.cost_s, grouped.cost_s)


def test_a_blocked_street_is_not_entered_but_may_be_left() -> None:
    graph = diamond()
    times = TravelTimes.free(graph)
    blocked = np.array([False, True, False, False])
    routes = shortest_routes(graph, times, [0, 1, 0], [3, 3, 1], [0.0, 0.0, 0.0], blocked)
    assert list(routes[0]) == [0, 2, 3]
    assert list(routes[1]) == [1, 3]
    assert len(routes[2]) == 0
    direct = shortest_routes(graph, times, [0], [3], [0.0])
    assert list(direct[0]) == [0, 1, 3]
    assert np.isinf(route_costs(graph, times, direct, [0.0], blocked)[0])


def test_a_block_holds_in_its_interval_alone() -> None:
    graph = diamond()
    times = TravelTimes.free(graph, 0.0, 60.0, 2)
    blocked = np.zeros((2, 4), dtype=bool)
    blocked[0, 1] = True
    routes = shortest_routes(graph, times, [0, 0], [3, 3], [0.0, 60.0], blocked)
    assert [list(routes[i]) for i in range(2)] == [[0, 2, 3], [0, 1, 3]]


def test_origin_may_be_destination() -> None:
    graph = diamond()
    routes = shortest_routes(graph, TravelTimes.free(graph), [2], [2], [9.0])
    assert list(routes[0]) == [2]
    assert routes.cost_s[0] == 20.0


def test_no_trips_give_no_routes() -> None:
    graph = diamond()
    none = np.zeros(0, dtype=int)
    assert len(shortest_routes(graph, TravelTimes.free(graph), none, none, none)) == 0


@given(st.integers(0, 1000), st.data())
@settings(max_examples=20, deadline=None)
def test_taking_and_replacing_keeps_every_route(seed: int, data: st.DataObject) -> None:
    graph = random_graph(seed)
    trips = random_trips(graph, seed, 20)
    one = shortest_routes(graph, TravelTimes.free(graph), *trips)
    two = shortest_routes(graph, random_times(graph, seed), *trips)
    index = np.array(data.draw(st.lists(st.integers(0, 19), unique=True)), dtype=int)
    mixed = one.replace(index, two.take(index))
    mixed.validate(graph)
    for i in range(20):
        assert list(mixed[i]) == list((two if i in index else one)[i])
    assert np.array_equal(mixed.same(one), [list(mixed[i]) == list(one[i]) for i in range(20)])


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_core_and_reach_equal_networkx(seed: int) -> None:
    graph = random_graph(seed)
    peer = nx.DiGraph(zip(graph.turn_from.tolist(), graph.turn_to.tolist(), strict=True))
    peer.add_nodes_from(range(graph.n_streets))
    core = graph.core()
    assert core.sum() == max(map(len, nx.strongly_connected_components(peer)))
    assert nx.is_strongly_connected(peer.subgraph(np.flatnonzero(core).tolist()))
    some = int(np.flatnonzero(core)[0])
    assert set(np.flatnonzero(graph.reached_from(core))) == nx.descendants(peer, some) | {
        *np.flatnonzero(core)
    }
    assert set(np.flatnonzero(graph.reaches(core))) == nx.ancestors(peer, some) | {
        *np.flatnonzero(core)
    }


def test_what_lies_behind_a_closed_street_is_cut_off() -> None:
    # a ring 0 -> 1 -> 2 -> 0; from 1 by 3 into a ring 4 -> 5 -> 4, back by 6; 7 comes in from the
    # edge of the map by 4, and 8 leaves it from 1
    turns = [(0, 1), (1, 2), (2, 0), (1, 3), (3, 4), (4, 5), (5, 4), (5, 6), (6, 2), (7, 4), (1, 8)]
    street, to_street = np.array(turns).T
    graph = RoadGraph.from_pairs(street, to_street, np.zeros(len(turns)), np.ones(9))

    def cut_off(*streets: int) -> list[int]:
        closed = np.zeros(9, bool)
        closed[list(streets)] = True
        return [int(s) for s in np.flatnonzero(graph.cut_off(closed))]

    assert cut_off() == []
    assert cut_off(3) == [4, 5, 6]  # nobody comes there any more but from the edge
    assert cut_off(6) == [3, 4, 5, 7]  # nobody comes back
    assert cut_off(8) == []
    assert cut_off(0) == [1, 2, 3, 6, 8]  # the greater ring is none any more


def test_from_city_obeys_lanes_and_joins_parallel_movements() -> None:
    lanes = pd.DataFrame(
        {"cars": [True, False, True, True], "lorries": [True] * 4, "buses": [True] * 4}
    )
    movements = pd.DataFrame(
        {
            "lane": [0, 1, 0, 2],
            "to_lane": [2, 2, 3, 3],
            "street": [0, 0, 0, 1],
            "to_street": [1, 1, 2, 2],
            "length_m": [10.0, 5.0, 8.0, 4.0],
            "speed_m_s": [10.0, 10.0, 4.0, 4.0],
        }
    )
    streets = pd.DataFrame({"length_m": [100.0, 50.0, 20.0], "speed_m_s": [10.0, 10.0, 5.0]})
    city = SimpleNamespace(lanes=lanes, movements=movements, streets=streets)
    cars = RoadGraph.from_city(city, "cars")
    assert list(zip(cars.turn_from, cars.turn_to, strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert cars.turn_free_s == pytest.approx([11.0, 12.0, 6.0])
    assert cars.exit_free_s == pytest.approx([10.0, 5.0, 4.0])
    assert list(cars.movement_turn) == [0, -1, 1, 2]
    assert RoadGraph.from_city(city, "lorries").turn_free_s[0] == pytest.approx(10.5)
    with pytest.raises(InputError, match="bicycles"):
        RoadGraph.from_city(city, "bicycles")


def test_what_does_not_fit_is_refused() -> None:
    graph = diamond()
    times = TravelTimes.free(graph)
    with pytest.raises(SimulationError, match=r"origin\(=9\) of trip 1"):
        shortest_routes(graph, times, [0, 9], [3, 3], [0.0, 0.0])
    with pytest.raises(SimulationError, match="depart_s of trip 0"):
        shortest_routes(graph, times, [0], [3], [np.nan])
    with pytest.raises(SimulationError, match="blocked"):
        shortest_routes(graph, times, [0], [3], [0.0], np.zeros(3, dtype=bool))
    with pytest.raises(SimulationError, match="interval_s"):
        TravelTimes.free(graph, interval_s=0.0)
    with pytest.raises(SimulationError, match="negative"):
        TravelTimes(0.0, 1.0, -times.turn_s, times.exit_s)
    with pytest.raises(SimulationError, match="trip 1 turns from street 1 into 0"):
        Routes(np.array([0, 2, 4]), np.array([0, 1, 1, 0], np.int32), np.zeros(2)).validate(graph)
