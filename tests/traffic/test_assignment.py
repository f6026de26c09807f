"""Dynamic user equilibrium, where the answer is known.

The traffic model is point queues (Vickrey 1969): each street is driven at free speed and ends in a
queue that discharges one vehicle per headway. Queues take no room, so nothing spills back.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from twin.errors import SimulationError
from twin.traffic.assignment import equilibrate, relative_gap, switch_chance
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, route_costs, shortest_routes


@dataclass
class PointQueue:
    """The model as the `simulate` of an assignment; `cost_s` keeps what each trip met."""

    graph: RoadGraph
    depart_s: np.ndarray
    headway_s: np.ndarray
    interval_s: float
    n_intervals: int
    cost_s: np.ndarray | None = None

    def __call__(self, routes: Routes) -> TravelTimes:
        graph, free = self.graph, self.graph.exit_free_s.astype(float)
        inner = graph.turn_free_s - free[graph.turn_from]
        ready = np.full(graph.n_streets, -np.inf)
        total = np.zeros((2, self.n_intervals, graph.n_turns))
        last = np.zeros((2, self.n_intervals, graph.n_streets))
        self.cost_s = np.full(len(routes), np.nan)
        pairs = zip(graph.turn_from.tolist(), graph.turn_to.tolist(), strict=True)
        turn_of = {pair: i for i, pair in enumerate(pairs)}
        paths = [routes[i].tolist() for i in range(len(routes))]
        at_queue = [
            (t + free[paths[i][0]], i, 0, t) for i, t in enumerate(self.depart_s) if paths[i]
        ]
        heapq.heapify(at_queue)
        while at_queue:
            time_s, trip, position, entry_s = heapq.heappop(at_queue)
            street = paths[trip][position]
            out_s = max(time_s, ready[street] + self.headway_s[street])
            ready[street] = out_s
            k = min(int(entry_s // self.interval_s), self.n_intervals - 1)
            last[:, k, street] += (1.0, out_s - entry_s)
            if position + 1 == len(paths[trip]):
                self.cost_s[trip] = out_s - self.depart_s[trip]
                continue
            ahead = paths[trip][position + 1]
            turn = turn_of[(street, ahead)]
            out_s += inner[turn]
            total[:, k, turn] += (1.0, out_s - entry_s)
            heapq.heappush(at_queue, (out_s + free[ahead], trip, position + 1, out_s))
        times = mean(total, graph.turn_free_s), mean(last, graph.exit_free_s)
        return TravelTimes(0.0, self.interval_s, *times)


def mean(total: np.ndarray, free_s: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total[0] > 0, total[1] / total[0], free_s).astype(np.float32)


def two_routes(count: int = 1200) -> tuple[RoadGraph, pd.DataFrame, PointQueue]:
    """0 to 3 by 1 (60 s, 3 s headway) or by 2 (120 s, 1.8 s headway); a vehicle each 1.5 s."""
    graph = RoadGraph.from_pairs([0, 0, 1, 2], [1, 2, 3, 3], np.zeros(4), [10.0, 60.0, 120.0, 10.0])
    depart_s = 1.5 * np.arange(count)
    trips = pd.DataFrame({"origin": 0, "destination": 3, "depart_s": depart_s})
    headway_s = np.array([0.5, 3.0, 1.8, 0.5])
    return graph, trips, PointQueue(graph, depart_s, headway_s, 60.0, 60)


def grid(size: int, count: int, seed: int) -> tuple[RoadGraph, pd.DataFrame, PointQueue]:
    """Two-way streets of a square grid with random speeds, capacities and trips of an hour."""
    rng = np.random.default_rng(seed)
    steps = ((1, 0), (-1, 0), (0, 1), (0, -1))
    ways = [
        (i, j, i + di, j + dj)
        for i in range(size)
        for j in range(size)
        for di, dj in steps
        if 0 <= i + di < size and 0 <= j + dj < size
    ]
    pairs = [
        (a, b)
        for a, one in enumerate(ways)
        for b, two in enumerate(ways)
        if one[2:] == two[:2] and two[2:] != one[:2]
    ]
    n = len(ways)
    free_s, headway_s = rng.uniform(10, 30, n), rng.choice([2.0, 3.0, 4.0, 6.0], n)
    start, to = np.array(pairs).T
    graph = RoadGraph.from_pairs(start, to, np.ones(len(pairs)), free_s)
    depart_s = np.sort(rng.uniform(0, 3600, count))
    trips = pd.DataFrame(
        {
            "origin": rng.integers(0, n, count),
            "destination": rng.integers(0, n, count),
            "depart_s": depart_s,
        }
    )
    return graph, trips, PointQueue(graph, depart_s, headway_s, 300.0, 24)


def test_two_routes_cost_the_same_and_carry_their_capacities() -> None:
    graph, trips, simulate = two_routes()
    found = equilibrate(graph, trips, simulate, iterations=40, gap=0.005, seed=1)
    assert found.gap < 0.08
    assert found.gap < 0.05 * found.gaps[0]
    by_one = np.array([found.routes[i][1] == 1 for i in range(len(trips))])
    simulate(found.routes)
    queued = (trips["depart_s"] > 600.0).to_numpy()
    # the queue on 1 grows until it costs the detour; then 1 takes its capacity of 1/3 veh/s out of
    # 2/3, the rest takes 2 without a queue, and both cost 10 + 120 + 10 s
    assert by_one[queued].mean() == pytest.approx(0.5, abs=0.03)
    for way in (by_one, ~by_one):
        assert simulate.cost_s[queued & way].mean() == pytest.approx(140.0, rel=0.06)


def test_as_long_as_one_route_has_room_nobody_takes_the_longer() -> None:
    graph, trips, _ = two_routes(100)
    depart_s = 4.0 * np.arange(100)
    simulate = PointQueue(graph, depart_s, np.array([0.5, 3.0, 1.8, 0.5]), 60.0, 10)
    found = equilibrate(graph, trips.assign(depart_s=depart_s), simulate)
    assert found.iterations == 1
    assert found.gap == pytest.approx(0.0, abs=1e-6)
    assert all(found.routes[i][1] == 1 for i in range(100))


def braess(*, bridge: bool) -> tuple[RoadGraph, pd.DataFrame, PointQueue]:
    """Braess by queueing: two routes, each of a narrow and a long street, and a bridge.

    0 leads to 1 (narrow) and 2 (long); 1 leads to 3 (long); 2 leads to 4 (narrow); 3 and 4 to 6.
    The bridge 5 joins the two narrow ones, 1 and 4.
    """
    pairs = [(0, 1), (0, 2), (1, 3), (2, 4), (3, 6), (4, 6)]
    pairs += [(1, 5), (5, 4)] if bridge else []
    start, to = np.array(pairs).T
    free_s = [1.0, 10.0, 60.0, 60.0, 10.0, 10.0, 1.0]
    graph = RoadGraph.from_pairs(start, to, np.zeros(len(pairs)), free_s)
    depart_s = 1.0 * np.arange(1000)
    trips = pd.DataFrame({"origin": 0, "destination": 6, "depart_s": depart_s})
    headway_s = np.array([0.5, 1.9, 0.5, 0.5, 1.9, 0.5, 0.5])
    return graph, trips, PointQueue(graph, depart_s, headway_s, 60.0, 30)


@pytest.mark.parametrize(("bridge", "known_s"), [(False, 72.0), (True, 112.0)])
def test_the_bridge_makes_it_worse_for_all(*, bridge: bool, known_s: float) -> None:
    # Without it each route takes half, below capacity: 1 + 10 + 60 + 1 s. With it the queues at 1
    # and 4 grow until they cost what the bridge saves, 60 - 10 - 10 s each: 72 + 40 s.
    graph, trips, simulate = braess(bridge=bridge)
    found = equilibrate(graph, trips, simulate, iterations=40, gap=0.005, seed=3)
    simulate(found.routes)
    late = trips["depart_s"].to_numpy() > 400.0
    assert simulate.cost_s[late].mean() == pytest.approx(known_s, rel=0.08)


def test_the_gap_falls_and_is_that_of_the_routes_returned() -> None:
    graph, trips, simulate = grid(6, 5500, 2)
    seen: list[float] = []
    found = equilibrate(
        graph, trips, simulate, iterations=12, gap=0.001, progress=lambda _, gap: seen.append(gap)
    )
    assert seen == found.gaps
    assert found.gap == min(found.gaps) < 0.1 * found.gaps[0]
    times = simulate(found.routes)
    assert np.array_equal(times.turn_s, found.times.turn_s)
    where = trips["origin"], trips["destination"], trips["depart_s"]
    cost_s = route_costs(graph, times, found.routes, trips["depart_s"])
    best_s = np.minimum(cost_s, shortest_routes(graph, times, *where).cost_s)
    assert relative_gap(cost_s, best_s) == pytest.approx(found.gap, rel=1e-9)
    assert np.array_equal(found.routes.cost_s, cost_s)


def test_switching_by_excess_beats_the_same_share_of_all() -> None:
    gaps = {
        rule: equilibrate(*grid(6, 5500, 2), iterations=10, gap=0.0, rule=rule).gap
        for rule in ("msa", "excess")
    }
    assert gaps["excess"] < gaps["msa"]


def test_results_repeat_by_seed_and_follow_the_id_of_a_trip() -> None:
    graph, trips, simulate = grid(5, 1500, 4)
    trips["id"] = np.random.default_rng(0).permutation(10**6)[:1500]
    one = equilibrate(graph, trips, simulate, iterations=4, gap=0.0, seed=5)
    same = equilibrate(graph, trips, simulate, iterations=4, gap=0.0, seed=5)
    other = equilibrate(graph, trips, simulate, iterations=4, gap=0.0, seed=6)
    assert np.array_equal(one.routes.street, same.routes.street)
    assert one.gaps == same.gaps != other.gaps
    order = np.random.default_rng(1).permutation(1500)
    mixed = trips.iloc[order].reset_index(drop=True)
    simulate_mixed = PointQueue(graph, mixed["depart_s"].to_numpy(), simulate.headway_s, 300.0, 24)
    again = equilibrate(graph, mixed, simulate_mixed, iterations=4, gap=0.0, seed=5)
    assert again.gaps == pytest.approx(one.gaps, rel=1e-6)
    assert again.routes.same(one.routes.take(order)).all()


def test_a_closed_street_is_left_and_isolated_trips_are_counted() -> None:
    graph, trips, simulate = two_routes(200)
    before = equilibrate(graph, trips, simulate, iterations=2)
    blocked = np.array([False, True, False, False])
    after = equilibrate(
        graph, trips, simulate, iterations=3, blocked=blocked, initial=before.routes
    )
    assert all(after.routes[i][1] == 2 for i in range(200))
    assert after.unrouted == 0
    blocked[2] = True
    assert equilibrate(graph, trips, simulate, iterations=1, blocked=blocked).unrouted == 200


def test_a_block_of_one_interval_is_kept_to() -> None:
    graph, trips, simulate = two_routes(200)
    blocked = np.zeros((60, 4), dtype=bool)
    blocked[2:4, 1] = True
    found = equilibrate(graph, trips, simulate, iterations=10, gap=0.0, blocked=blocked)
    assert np.isfinite(found.gap)
    cost_s = route_costs(graph, found.times, found.routes, trips["depart_s"], blocked)
    assert np.isfinite(cost_s).all()


def test_chances_lie_between_0_and_1_and_rise_with_the_excess() -> None:
    best_s = np.full(5, 100.0)
    cost_s = np.array([100.0, 101.0, 110.0, 200.0, np.inf])
    chance = switch_chance(cost_s, best_s, 1.0)
    assert np.all((chance >= 0.0) & (chance <= 1.0))
    assert np.all(np.diff(chance) >= 0.0)
    assert chance[0] == 0.0
    assert chance[4] == 1.0
    assert switch_chance(np.array([np.inf]), np.array([np.inf]), 1.0)[0] == 0.0
    assert switch_chance(cost_s, best_s, 2.0, "msa")[:4] == pytest.approx([0.5] * 4)


def test_what_cannot_be_assigned_is_refused() -> None:
    graph, trips, simulate = two_routes(3)
    with pytest.raises(SimulationError, match="rule"):
        equilibrate(graph, trips, simulate, rule="best")
    with pytest.raises(SimulationError, match="depart_s"):
        equilibrate(graph, trips.drop(columns="depart_s"), simulate)
