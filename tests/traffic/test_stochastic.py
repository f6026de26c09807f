"""C-logit and its equilibrium, where the shares are known in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import SimulationError
from twin.traffic.assignment import Run, equilibrate
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, route_costs, shortest_routes
from twin.traffic.stochastic import RouteSets, c_logit, drawn, stochastic_equilibrium


def sets_of(*routes: list[int], length: list[float], **more: float) -> RouteSets:
    """One trip that chooses between `routes`."""
    ptr = np.concatenate([[0], np.cumsum([len(r) for r in routes])])
    flat = Routes(ptr, np.concatenate(routes).astype(np.int32), np.zeros(len(routes)))
    return RouteSets.of(np.array([0, len(routes)]), flat, np.array(length), **more)


@given(st.floats(-300, 300), st.floats(0.05, 20))
@settings(max_examples=50, deadline=None)
def test_two_routes_apart_are_the_logit_model(more_s: float, theta: float) -> None:
    sets = sets_of([0], [1], length=[600.0, 700.0])
    share = c_logit(sets, np.array([600.0, 600.0 + more_s]), theta)
    assert share[0] == pytest.approx(1.0 / (1.0 + np.exp(-theta * more_s / 60.0)), abs=1e-12)
    assert share.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("common", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_routes_that_overlap_share_what_one_would_have(common: float) -> None:
    # Three routes of the same time: one apart, two that have a share of their length in common
    # (Cascetta et al. 1996). CF is 0 and ln(1 + common), so the one apart has (1 + c) / (3 + c):
    # a third like the others where nothing is common, one half where the two are the same.
    sets = sets_of([0], [1, 2], [1, 3], length=[1.0, common, 1.0 - common, 1.0 - common])
    share = c_logit(sets, np.full(3, 300.0))
    two = 1.0 / (3.0 + common)
    assert share == pytest.approx([(1.0 + common) / (3.0 + common), two, two])


def test_without_the_factor_it_is_the_logit_model_and_gamma_weakens_it() -> None:
    routes, length = ([0], [1, 2], [1, 3]), [1.0, 0.5, 0.5, 0.5]
    cost_s = np.full(3, 300.0)
    assert c_logit(sets_of(*routes, length=length, beta=0.0), cost_s) == pytest.approx([1 / 3] * 3)
    weak = c_logit(sets_of(*routes, length=length, gamma=2.0), cost_s)[0]
    assert weak == pytest.approx(1.25 / 3.25)


def test_a_blocked_route_is_not_taken_nor_are_all() -> None:
    sets = sets_of([0], [1], length=[1.0, 1.0])
    assert c_logit(sets, np.array([np.inf, 60.0])) == pytest.approx([0.0, 1.0])
    assert c_logit(sets, np.array([np.inf, np.inf])) == pytest.approx([0.0, 0.0])


def test_draws_follow_the_shares() -> None:
    n = 20_000
    first = 3 * np.arange(n + 1)
    flat = Routes(np.arange(3 * n + 1), np.tile([0, 1, 2], n).astype(np.int32), np.zeros(3 * n))
    sets = RouteSets.of(first, flat, np.ones(3))
    level = (np.arange(n) + 0.5) / n
    route = drawn(sets, np.tile([0.2, 0.0, 0.8], n), level)
    assert np.all((route >= first[:-1]) & (route < first[1:]))
    share = np.bincount(route - first[:-1], minlength=3) / n
    assert share == pytest.approx([0.2, 0.0, 0.8], abs=1e-3)


def two_routes(count: int = 2000) -> tuple[RoadGraph, pd.DataFrame, list[int]]:
    """0 leads to 3 by 1 or by 2."""
    graph = RoadGraph.from_pairs([0, 0, 1, 2], [1, 2, 3, 3], np.zeros(4), [10.0, 60.0, 90.0, 10.0])
    trips = pd.DataFrame({"origin": 0, "destination": 3, "depart_s": np.linspace(0, 600, count)})
    return graph, trips, [1, 2]


def slowed(graph: RoadGraph, by_one: float) -> TravelTimes:
    """Times of a run in which a share of all took 1: 60 s and 1.2 s more for each percent."""
    turn_s = np.tile(graph.turn_free_s, (1, 1))
    turn_s[0, graph.turn(np.array([1]), np.array([3]))[0]] += 120.0 * by_one
    return TravelTimes(0.0, 3600.0, turn_s, np.tile(graph.exit_free_s, (1, 1)))


def share_of_one(routes: Routes) -> float:
    return float(np.mean(routes.street[routes.ptr[:-1] + 1] == 1))


@pytest.mark.parametrize("theta", [0.2, 1.0, 5.0])
def test_the_equilibrium_of_two_routes_is_the_fixed_point(theta: float) -> None:
    graph, trips, _ = two_routes()

    def simulate(routes: Routes) -> TravelTimes:
        return slowed(graph, share_of_one(routes))

    found = stochastic_equilibrium(
        graph, trips, simulate, theta_per_min=theta, iterations=60, gap=0.002, seed=4
    )
    assert found.gap <= 0.002
    share = share_of_one(found.routes)
    cost_s = 60.0 + 120.0 * share - 90.0  # ends and commonality are the same for both and cancel
    expected = 1.0 / (1.0 + np.exp(theta * cost_s / 60.0))
    assert share == pytest.approx(expected, abs=0.02)  # 2,000 draws: deviation 0.011


def test_a_large_scale_is_the_deterministic_equilibrium() -> None:
    graph, trips, _ = two_routes()

    def simulate(routes: Routes) -> TravelTimes:
        return slowed(graph, share_of_one(routes))

    sharp = stochastic_equilibrium(
        graph, trips, simulate, theta_per_min=200.0, iterations=200, gap=0.01, seed=2
    )
    sure = equilibrate(graph, trips, simulate, iterations=200, gap=0.001, seed=2)
    assert share_of_one(sharp.routes) == pytest.approx(0.25, abs=0.03)  # 60 + 120 p = 90
    assert share_of_one(sure.routes) == pytest.approx(0.25, abs=0.03)


def grid(size: int, seed: int) -> RoadGraph:
    """Streets of a square grid, both ways, with random free times."""
    rng = np.random.default_rng(seed)
    nodes = [(i, j) for i in range(size) for j in range(size)]
    ways = [(a, b) for a in nodes for b in nodes if abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1]
    pairs = [
        (m, n) for m, one in enumerate(ways) for n, two in enumerate(ways)
        if one[1] == two[0] and two[1] != one[0]
    ]  # fmt: skip
    start, to = np.array(pairs).T
    return RoadGraph.from_pairs(start, to, np.ones(len(pairs)), rng.uniform(10, 30, len(ways)))


@given(st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_sets_hold_the_fastest_route_and_distinct_ones_within_the_limit(seed: int) -> None:
    graph = grid(5, seed)
    rng = np.random.default_rng(seed)
    n = graph.n_streets
    trips = pd.DataFrame(
        {
            "origin": rng.integers(0, n, 20),
            "destination": rng.integers(0, n, 20),
            "depart_s": rng.uniform(0, 600, 20),
        }
    )
    times = TravelTimes.free(graph)
    sets = RouteSets.search(graph, times, trips, longest=1.4)
    sets.routes.validate(graph)
    cost_s = route_costs(graph, times, sets.routes, trips["depart_s"].to_numpy()[sets.trip])
    where = trips["origin"], trips["destination"], trips["depart_s"]
    best_s = shortest_routes(graph, times, *where).cost_s
    for i in range(20):
        mine = slice(sets.first[i], sets.first[i + 1])
        ways = [tuple(sets.routes[k]) for k in range(sets.first[i], sets.first[i + 1])]
        assert len(set(ways)) == len(ways) >= 1
        assert all(way[0] == trips["origin"][i] for way in ways)
        assert all(way[-1] == trips["destination"][i] for way in ways)
        assert cost_s[mine].min() == pytest.approx(best_s[i], rel=1e-6)
        assert cost_s[mine].max() <= 1.4 * best_s[i] * (1 + 1e-6)
    assert np.diff(sets.first).max() > 1


def test_results_repeat_and_follow_the_id_and_what_vehicles_met_is_kept() -> None:
    graph, trips, _ = two_routes(300)
    trips["id"] = np.random.default_rng(0).permutation(10**6)[:300]

    def simulate(routes: Routes) -> Run:
        times = slowed(graph, share_of_one(routes))
        return Run(times, np.full(len(routes), 100.0), np.zeros(len(routes)))

    one = stochastic_equilibrium(graph, trips, simulate, iterations=5, gap=0.0, seed=3)
    same = stochastic_equilibrium(graph, trips, simulate, iterations=5, gap=0.0, seed=3)
    other = stochastic_equilibrium(graph, trips, simulate, iterations=5, gap=0.0, seed=5)
    assert one.gaps == same.gaps
    assert one.routes.same(same.routes).all()
    assert not one.routes.same(other.routes).all()
    order = np.random.default_rng(1).permutation(300)
    mixed = stochastic_equilibrium(
        graph, trips.iloc[order].reset_index(drop=True), simulate, iterations=5, gap=0.0, seed=3
    )
    assert mixed.routes.same(one.routes.take(order)).all()
    assert one.run.met_s is not None


def test_who_has_no_way_gets_none() -> None:
    graph, trips, _ = two_routes(10)
    blocked = np.array([False, True, True, False])
    found = stochastic_equilibrium(
        graph, trips, lambda _: TravelTimes.free(graph), iterations=2, blocked=blocked
    )
    assert found.unrouted == 10


def test_what_cannot_be_chosen_is_refused() -> None:
    graph, trips, _ = two_routes(3)
    times = TravelTimes.free(graph)
    with pytest.raises(SimulationError, match="theta_per_min"):
        c_logit(sets_of([0], length=[1.0]), np.ones(1), 0.0)
    with pytest.raises(SimulationError, match="penalty"):
        RouteSets.search(graph, times, trips, penalty=1.0)
    with pytest.raises(SimulationError, match="iterations"):
        stochastic_equilibrium(graph, trips, lambda _: times, iterations=0)
