"""What drivers know of times after a run, and what comes of it on a real city."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from toy import ToyCity

from twin.traffic import experience
from twin.traffic.assignment import Run, equilibrate, run_gap
from twin.traffic.experience import Experience, signal_waits
from twin.traffic.network import Network
from twin.traffic.routing import RoadGraph, TravelTimes

if TYPE_CHECKING:
    from pathlib import Path


def crossing() -> tuple[Network, RoadGraph]:
    """0 leads to 1 by a signal (30 of 90 s green, in two parts), and to 2 without one."""
    toy = ToyCity()
    for _ in range(3):
        toy.street(500.0)
    toy.turn(0, 1, signal=0, link=0)
    toy.turn(0, 2)
    toy.program(0, (20.0, "G"), (3.0, "y"), (27.0, "r"), (10.0, "G"), (3.0, "y"), (27.0, "r"))
    city = toy.build()
    return Network.from_city(city), RoadGraph.from_city(city, "cars")


def state_of(network: Network, *met: tuple[int, int, int, float]) -> Any:
    """A state in which vehicles took turns: (interval, turn, vehicles, seconds each)."""
    tps, shape = network.arrays.tps, (3, len(network.turns))
    total, count = np.zeros(shape, np.int64), np.zeros(shape, np.int32)
    for k, turn, vehicles, seconds in met:
        count[k, turn] += vehicles
        total[k, turn] += round(vehicles * seconds * tps)
    none = np.zeros((3, network.n_streets), np.int64)
    clock = np.array([(0, 900 * tps)], [("first", "i8"), ("length", "i8")])
    return SimpleNamespace(
        turn_sum=total, turn_count=count, exit_sum=none, exit_count=none, clock=clock
    )


def test_the_wait_at_a_signal_is_that_of_who_comes_at_any_time() -> None:
    network, _ = crossing()
    # two reds of 30 s (yellow included) in 90 s: 2 * 30^2 / (2 * 90)
    wait_s = signal_waits(network)
    assert wait_s[network.turn_of(0, 1)] == pytest.approx(10.0)
    assert wait_s[network.turn_of(0, 2)] == 0.0


def test_where_nobody_drove_the_signal_is_waited_for() -> None:
    network, graph = crossing()
    times = Experience(network, graph).learn(state_of(network))
    turn = graph.turn(np.array([0, 0]), np.array([1, 2]))
    assert times.turn_s[:, turn] - graph.turn_free_s[turn] == pytest.approx(
        np.tile([10.0, 0.0], (3, 1)), abs=1e-4
    )
    assert times.exit_s == pytest.approx(np.tile(graph.exit_free_s, (3, 1)))


def test_few_vehicles_move_the_known_time_a_little_and_many_make_it_theirs() -> None:
    network, graph = crossing()
    turn, item = int(network.turn_of(0, 1)), graph.turn(np.array([0]), np.array([1]))[0]
    known_s = graph.turn_free_s[item] + 10.0

    def time_after(vehicles: int) -> float:
        state = state_of(network, (2, turn, vehicles, 100.0))
        return float(Experience(network, graph).learn(state).turn_s[2, item])

    seen = [time_after(n) for n in (0, 1, 5, 400)]
    assert np.all(np.diff(seen) > 0.0)
    one = (100.0 + experience.PRIOR * known_s) / (1.0 + experience.PRIOR)
    assert seen[1] == pytest.approx(one, rel=1e-5)
    assert seen[3] == pytest.approx(100.0, rel=0.01)


def test_earlier_runs_are_remembered_and_fade() -> None:
    network, graph = crossing()
    turn, item = int(network.turn_of(0, 1)), graph.turn(np.array([0]), np.array([1]))[0]
    known = Experience(network, graph)
    known.learn(state_of(network, (1, turn, 50, 300.0)))
    after = [float(known.learn(state_of(network)).turn_s[1, item]) for _ in range(60)]
    base_s = graph.turn_free_s[item] + 10.0
    assert after[0] == pytest.approx(300.0, rel=0.02)
    assert np.all(np.diff(after) < 0.0)
    assert base_s < after[-1] < 0.5 * (base_s + 300.0)


def test_the_larger_gap_counts_and_who_is_under_way_counts_by_times() -> None:
    best_s = np.array([100.0, 100.0])
    assert run_gap(np.array([110.0, 100.0]), best_s) == pytest.approx(0.05)
    assert run_gap(np.array([110.0, 100.0]), best_s, np.array([100.0, 130.0])) == pytest.approx(
        0.15
    )
    assert run_gap(np.array([110.0, 100.0]), best_s, np.array([90.0, 100.0])) == pytest.approx(0.05)
    assert run_gap(np.array([110.0, 100.0]), best_s, np.array([np.nan, 120.0])) == pytest.approx(
        0.15
    )


def test_without_progress_it_stops() -> None:
    import pandas as pd

    graph = RoadGraph.from_pairs([0, 0, 1, 2], [1, 2, 3, 3], np.zeros(4), [10.0, 60.0, 90.0, 10.0])
    trips = pd.DataFrame({"origin": 0, "destination": 3, "depart_s": np.zeros(10)})

    def never_better(routes: Any) -> Run:
        return Run(TravelTimes.free(graph), np.full(len(routes), 160.0), np.zeros(len(routes)), 3)

    found = equilibrate(graph, trips, never_better, iterations=50, gap=0.0, patience=4)
    assert found.stopped == "progress"
    assert found.iterations == 5
    assert found.gap == pytest.approx(1.0)  # 160 s were met where 80 s are the fastest
    assert found.run.passed_jams == 3


@pytest.mark.slow
def test_kaiserslautern_comes_to_one_percent_in_the_morning(data_dir: Path) -> None:
    from twin.city import City
    from twin.simulation import prepare
    from twin.traffic.demand import Demand

    city = City.from_osm(data_dir / "osm" / "kaiserslautern.osm.gz")
    prepared = prepare(
        city,
        Demand.generate(city, scale=0.5),
        seed=1,
        begin_s=6.5 * 3600.0,
        end_s=8.5 * 3600.0,
        iterations=20,
        gap=0.01,
    )
    assert len(prepared.trips) > 4000
    assert min(prepared.gaps) <= 0.01 < prepared.gaps[0]
