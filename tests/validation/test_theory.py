"""The kernel against what traffic-flow theory says in closed form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import ToyCity

from twin.traffic.assignment import equilibrate
from twin.traffic.indicators import travel_times
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.parameters import DEFAULT_TYPES
from twin.traffic.records import State
from twin.traffic.routing import RoadGraph, TravelTimes
from twin.traffic.state import Vehicles, initial_state

V = 50 / 3.6
CAR = DEFAULT_TYPES[0]
HEADWAY_S = CAR.tau_s + CAR.spacing_m / V  # 1.94 s, 1,856 veh/h
WAVE_M_S = CAR.spacing_m / CAR.tau_s  # 5.36 m/s


def vehicles(due_s: Any, way: list[int]) -> Vehicles:
    n = len(due_s)
    return Vehicles(
        due_s=np.asarray(due_s, float),
        kind=np.zeros(n, np.uint8),
        route_ptr=np.arange(n + 1, dtype=np.int64) * len(way),
        route_street=np.tile(np.array(way, np.int32), n),
        factor=np.ones(n, np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )


def run(network: Network, due: Vehicles, end_s: float) -> State:
    state = initial_state(network, due, end_s=end_s, interval_s=60.0)
    advance(network.arrays, network.signals, state, round(end_s * 100))
    return state


def seconds(ticks: Any) -> Any:
    return np.asarray(ticks) / 100.0


def test_a_queue_discharges_at_saturation_flow() -> None:
    """Behind a light that turns green for good: 1 / (tau + spacing / v) (Newell 2002)."""
    city = ToyCity()
    a, b = city.street(400), city.street(300)
    city.turn(a, b, signal=0, link=0)
    city.program(0, (200, "r"), (1000, "G"))
    state = run(Network.from_city(city.build()), vehicles(np.arange(40) * 2.5, [a, b]), 600)
    gaps = np.diff(seconds(state.vehicle["arrive"]))
    assert gaps[:39] == pytest.approx(HEADWAY_S, abs=0.02)


@pytest.mark.parametrize("flow_veh_h", [211, 397, 607, 811])
def test_delay_at_a_signal_is_that_of_deterministic_queueing(flow_veh_h: int) -> None:
    """d = (C - g)^2 / 2C / (1 - q/s), for even arrivals out of step with the cycle (Webster 1958).

    Effective green: 45 s less the start-up loss v / 2a, plus the yellow v / 2b that moving
    vehicles use.
    """
    cycle, green = 90.0, 45.0
    city = ToyCity()
    a, b = city.street(600), city.street(100)
    city.turn(a, b, signal=0, link=0)
    city.program(0, (green, "G"), (3, "y"), (cycle - green - 3, "r"))
    due = np.arange(0, 3600 * 3, 3600 / flow_veh_h)
    state = run(Network.from_city(city.build()), vehicles(due, [a, b]), 3600 * 3 + 600)
    free_s = 700 / V
    delay = (seconds(state.vehicle["arrive"]) - due - free_s).mean()
    effective = green - V / (2 * CAR.accel_m_s2) + V / (2 * CAR.decel_m_s2)
    expected = (cycle - effective) ** 2 / (2 * cycle) / (1 - flow_veh_h / 3600 * HEADWAY_S)
    assert delay == pytest.approx(expected, rel=0.05)


def test_the_discharge_wave_travels_back_at_spacing_over_tau() -> None:
    """Full streets in a row before a light: each starts later by its length / w.

    Kinematic wave theory (Newell 1993): w = spacing / tau = 5.36 m/s.
    """
    city = ToyCity()
    row = [city.street(150) for _ in range(6)]
    for x, y in zip(row[:-2], row[1:-1], strict=True):
        city.turn(x, y)
    city.turn(row[-2], row[-1], signal=0, link=0)
    city.program(0, (400, "r"), (1000, "G"))
    state = run_with_marks(city, row)
    starts = [state[k] for k in range(4, 0, -1)]
    speeds = 150 / np.diff(starts)
    assert speeds.mean() == pytest.approx(WAVE_M_S, rel=0.03)


def run_with_marks(city: ToyCity, row: list[int]) -> dict[int, float]:
    """First departure from each street after 400 s, s."""
    network = Network.from_city(city.build(), jam_s=None)
    state = initial_state(network, vehicles(np.arange(200) * 2.0, row), end_s=900)
    marks: dict[int, float] = {}
    before = None
    for tick in range(40000, 90000, 10):
        advance(network.arrays, network.signals, state, tick)
        out = state.lane["next_out"].copy()
        if before is not None:
            for street in np.flatnonzero(out != before):
                marks.setdefault(int(street), tick / 100)
        before = out
    return marks


def test_a_queue_spills_back_and_blocks_only_who_wants_to_enter_it() -> None:
    """A full street stops those who want in; those with another way pass the junction."""
    city = ToyCity()
    a, full, other = city.street(200, lanes=2), city.street(75), city.street(200)
    exit_ = city.street(50)
    city.turn(a, full, lane=0)
    city.turn(a, other, lane=1)
    city.turn(full, exit_, signal=0, link=0)
    city.program(0, (2000, "r"))
    network = Network.from_city(city.build(), jam_s=None)
    n = 60
    ways = [[a, full, exit_] if k % 2 else [a, other] for k in range(n)]
    lengths = [len(w) for w in ways]
    due = Vehicles(
        np.arange(n) * 5.0,
        np.zeros(n, np.uint8),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([s for w in ways for s in w], np.int32),
        np.ones(n, np.float32),
        np.full(n, np.inf),
    )
    state = run(network, due, 900)
    assert state.lane["inside"][network.arrays.street_lane[full]] == 10  # 75 m / 7.5 m
    passing = np.arange(n) % 2 == 0
    assert (state.vehicle["arrive"][passing] >= 0).all()
    assert (state.vehicle["arrive"][~passing] < 0).all()
    lane = network.arrays.street_lane[a]
    assert state.lane["inside"][lane] == 30 - 10


@pytest.mark.parametrize("exit_speed_kmh", [10, 20, 30])
def test_congestion_before_a_bottleneck_lies_on_the_triangular_diagram(
    exit_speed_kmh: float,
) -> None:
    """Upstream of a slow street, density = jam density - flow / w (Newell 1993)."""
    city = ToyCity()
    row = [city.street(300) for _ in range(4)] + [city.street(200, exit_speed_kmh / 3.6)]
    for x, y in zip(row[:-1], row[1:], strict=True):
        city.turn(x, y)
    network = Network.from_city(city.build(), jam_s=None)
    state = run(network, vehicles(np.arange(1500) * 1.95, row), 1500)
    arrived = np.sort(seconds(state.vehicle["arrive"][state.vehicle["arrive"] >= 0]))
    flow = 1 / np.diff(arrived[-100:]).mean()
    expected_flow = 1 / (CAR.tau_s + CAR.spacing_m / (exit_speed_kmh / 3.6))
    assert flow == pytest.approx(expected_flow, rel=0.02)
    density = state.lane["inside"][1] / 300
    assert density == pytest.approx(1 / CAR.spacing_m - flow / WAVE_M_S, rel=0.05)


def braess(bridge: bool) -> tuple[float, float]:
    """Mean trip at equilibrium, and its relative gap, with or without the bridge."""
    city = ToyCity()
    start, goal = city.street(100, lanes=2), city.street(100, lanes=2)
    narrow_1, wide_1 = city.street(300, V), city.street(1500, V)
    wide_2, narrow_2 = city.street(1500, V), city.street(300, V)
    for out in (narrow_1, wide_1):
        city.turn(start, out)
    city.turn(narrow_1, wide_2, signal=0, link=0)
    city.turn(wide_1, narrow_2)
    city.turn(wide_2, goal)
    city.turn(narrow_2, goal, signal=1, link=0)
    if bridge:
        middle = city.street(50)
        city.turn(narrow_1, middle, signal=0, link=1)
        city.turn(middle, narrow_2)
    for s in (0, 1):
        city.program(s, (28, "GG"), (3, "yy"), (29, "rr"))
    built = city.build()
    network = Network.from_city(built, jam_s=None)
    graph = RoadGraph.from_city(built)
    n = 650
    trips = pd.DataFrame(
        {"origin": start, "destination": goal, "depart_s": np.linspace(0, 1800, n)}
    )
    seen = {}

    def simulate(routes: Any) -> TravelTimes:
        due = Vehicles(
            trips["depart_s"].to_numpy(),
            np.zeros(n, np.uint8),
            routes.ptr,
            routes.street,
            np.ones(n, np.float32),
            np.full(n, np.inf),
        )
        state = initial_state(network, due, end_s=7200, interval_s=120.0)
        advance(network.arrays, network.signals, state, 720000)
        duration = seconds(state.vehicle["arrive"] - state.vehicle["depart"])
        times = travel_times(network, state, graph)
        seen[id(times)] = float((duration + seconds(state.vehicle["depart"])).mean())
        seen["kept", id(times)] = times
        return times

    found = equilibrate(graph, trips, simulate, iterations=40, gap=0.02)
    return seen[id(found.times)] - trips["depart_s"].mean(), found.gap


def test_a_new_street_makes_every_trip_longer() -> None:
    """Braess' paradox with queues at signals instead of cost functions.

    Both ways pass one signal of 860 veh/h and carry half of 1,300 veh/h.  With the bridge
    the short way passes both signals and saves 86 s of driving, so all want it until the
    queues have eaten that: everyone is slower than without it.
    """
    without, gap_without = braess(bridge=False)
    with_bridge, gap_with = braess(bridge=True)
    assert max(gap_without, gap_with) < 0.1
    assert with_bridge > 1.02 * without
