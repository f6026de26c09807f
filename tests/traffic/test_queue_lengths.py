"""Queues that the looks find, against shock-wave theory and hand-made cases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import ToyCity

from twin.traffic.approaches import SIGNALS, SIGNS, approaches
from twin.traffic.junction_table import junction_table, queue_table, worst_junctions
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.parameters import DEFAULT_TYPES
from twin.traffic.queue_lengths import (
    LOOK_S,
    STOP_S,
    Queues,
    advance_and_look,
    copy_queues,
    looking,
    new_queues,
)
from twin.traffic.state import Vehicles, copy_state, initial_state

if TYPE_CHECKING:
    from twin.traffic.records import State

V = 50 / 3.6
CAR = DEFAULT_TYPES[0]
WAVE_M_S = CAR.spacing_m / CAR.tau_s
SATURATION_S = CAR.tau_s + CAR.spacing_m / V
CYCLE_S, GREEN_S = 90.0, 45.0
HOUR_S = 3600.0


def vehicles(due_s: Any, *ways: list[int]) -> Vehicles:
    due = np.asarray(due_s, float)
    chosen = [ways[k % len(ways)] for k in range(len(due))]
    return Vehicles(
        due_s=due,
        kind=np.zeros(len(due), np.uint8),
        route_ptr=np.concatenate([[0], np.cumsum([len(w) for w in chosen])]).astype(np.int64),
        route_street=np.array([s for w in chosen for s in w], np.int32),
        factor=np.ones(len(due), np.float32),
        depart_speed_m_s=np.full(len(due), np.inf),
    )


def look_at(network: Network, due: Vehicles, end_s: float) -> tuple[State, Queues]:
    state = initial_state(network, due, end_s=end_s, interval_s=900.0)
    queues = new_queues(network, state)
    how = looking(network, state)
    advance_and_look(network.arrays, network.signals, state, queues, how, round(end_s * 100))
    return state, queues


def at_signal(length_m: float = 600.0) -> Any:
    city = ToyCity()
    a, b = city.street(length_m), city.street(100)
    city.turn(a, b, signal=0, link=0)
    city.program(0, (GREEN_S, "G"), (3, "y"), (CYCLE_S - GREEN_S - 3, "r"))
    return city.build()


def even(flow_veh_h: float, end_s: float = 4 * HOUR_S) -> Any:
    return np.arange(0, end_s, HOUR_S / flow_veh_h)


@pytest.mark.parametrize("flow_veh_h", [211, 397, 607])
def test_a_queue_at_a_signal_is_that_of_shock_waves(flow_veh_h: int) -> None:
    """Lighthill and Whitham (1955), even arrivals, red r.

        The back of the queue moves at u = q / (k_jam - q / v), the wave of the start follows at w, so
    XX"""
    network = Network.from_city(at_signal())
    state, queues = look_at(network, vehicles(even(flow_veh_h), [0, 1]), 4 * HOUR_S)
    red = CYCLE_S - GREEN_S - V / (2 * CAR.decel_m_s2)  # yellow is used; starts are not standing
    q = flow_veh_h / HOUR_S
    u = q / (1 / CAR.spacing_m - q / V)
    back_m = red * u * WAVE_M_S / (WAVE_M_S - u)
    assert np.median(queues.back[:, 0] / 10) == pytest.approx(back_m, abs=1.2 * CAR.spacing_m)
    stops = queues.stops[:, 0].sum() * LOOK_S / STOP_S / (state.vehicle["arrive"] >= 0).sum()
    stopped = red / CYCLE_S / (1 - q * SATURATION_S) * (1 - STOP_S / (2 * red))
    assert stops == pytest.approx(stopped, rel=0.06)


def test_time_in_queues_is_the_delay_less_that_of_starting() -> None:
    """Each who is stopped loses v / 2a more than he stands (within 4 %)."""
    network = Network.from_city(at_signal())
    state, queues = look_at(network, vehicles(even(397), [0, 1]), 4 * HOUR_S)
    lost_s = state.turn_sum.sum() / 100 - (state.turn_count * network.turn_free_s).sum()
    starts = queues.stops[:, 0].sum() * LOOK_S / STOP_S
    stood_s = lost_s - starts * V / (2 * CAR.accel_m_s2)
    assert queues.standing.sum() * LOOK_S == pytest.approx(stood_s, rel=0.04)


def test_shares_of_green_are_those_of_the_program() -> None:
    network = Network.from_city(at_signal())
    _, queues = look_at(network, vehicles([10.0], [0, 1]), 4 * HOUR_S)
    share = queues.green.sum(0) / queues.looks.sum()
    assert share == pytest.approx([GREEN_S / CYCLE_S], abs=0.005)


def test_without_queues_there_are_tables() -> None:
    """One vehicle that comes at green: no queue, no grade of so few, nothing spills back."""
    city = at_signal()
    network = Network.from_city(city)
    state, queues = look_at(network, vehicles([0.0], [0, 1]), 900.0)
    table = junction_table(network, state, queues, approaches(city, network), 0.0)
    assert table["delay_s"].to_numpy() == pytest.approx(0.0, abs=0.05)
    assert table["hbs"].isna().all()
    assert not len(queue_table(network, state, queues, 0.0))
    assert set(worst_junctions(table).values()) == {0.0}


def test_looks_change_nothing_and_go_on_from_a_copy() -> None:
    network = Network.from_city(at_signal(80.0))
    due = vehicles(even(900, HOUR_S), [0, 1])
    plain = initial_state(network, due, end_s=HOUR_S)
    advance(network.arrays, network.signals, plain, round(HOUR_S * 100))
    state, queues = look_at(network, due, HOUR_S)
    assert all((getattr(plain, k) == getattr(state, k)).all() for k in ("vehicle", "turn_sum"))
    half = initial_state(network, due, end_s=HOUR_S)
    seen, how, net = new_queues(network, half), looking(network, half), network.arrays
    for ticks in (100_003, 200_001, 360_000):
        advance_and_look(net, network.signals, half, seen, how, ticks)
        half, seen = copy_state(half), copy_queues(seen)
    assert all((a == b).all() for a, b in zip(queues, seen, strict=True))


def test_a_junction_in_the_table() -> None:
    """Delay by Webster's deterministic term; grades, queue and saturation follow from it."""
    city = at_signal()
    network = Network.from_city(city)
    flow = 397
    state, queues = look_at(network, vehicles(even(flow), [0, 1]), 4 * HOUR_S)
    table = junction_table(network, state, queues, approaches(city, network), 0.0)
    whole = table[table["interval_s"] == 4 * HOUR_S]
    group, junction = whole[whole["street"] == 0].iloc[0], whole[whole["street"] < 0].iloc[0]
    effective = GREEN_S - V / (2 * CAR.accel_m_s2) + V / (2 * CAR.decel_m_s2)
    webster = (CYCLE_S - effective) ** 2 / (2 * CYCLE_S) / (1 - flow / HOUR_S * SATURATION_S)
    assert group["delay_s"] == pytest.approx(webster, rel=0.05)
    assert group["vehicles"] == pytest.approx(4 * flow, abs=5)  # the last are still on their way
    share = flow / (HOUR_S / SATURATION_S * GREEN_S / CYCLE_S)
    assert group["saturation"] == pytest.approx(share, rel=0.03)
    assert (group["hcm"], group["hbs"]) == (junction["hcm"], junction["hbs"]) == ("B", "A")
    assert (group["control"], group["turns"], group["spillback_s"]) == ("signals", "s", 0.0)
    assert len(table) == 2 * 17


def test_demand_above_capacity_is_f_and_spills_back() -> None:
    """1,100 veh/h before a capacity of 930: F for the whole time, and the street before fills."""
    city = ToyCity()
    before, pocket, after = city.street(400), city.street(60), city.street(200)
    city.turn(before, pocket)
    city.turn(pocket, after, signal=0, link=0)
    city.program(0, (45, "G"), (3, "y"), (42, "r"))
    made = city.build()
    network = Network.from_city(made)
    state, queues = look_at(network, vehicles(even(1100, HOUR_S), [0, 1, 2]), HOUR_S)
    groups = approaches(made, network)
    table = junction_table(network, state, queues, groups, 900.0)
    group = table[(table["street"] == pocket) & (table["interval_s"] > 900)].iloc[0]
    assert group["queue_p95_m"] == pytest.approx(60.0, abs=0.1)
    assert 0.3 * 2700 < group["spillback_s"] < 2700
    found = queue_table(network, state, queues, 900.0).set_index("street")
    assert found.loc[before, "queue_max_m"] > 200
    assert found.loc[pocket, "spillback_s"] == pytest.approx(group["spillback_s"])
    values = worst_junctions(table)
    assert values["full_approaches"] == 1.0
    assert values["spillback_min"] == pytest.approx(group["spillback_s"] / 60)


def test_lanes_that_share_a_turn_are_one_group() -> None:
    """Left has a lane of its own; straight on two lanes, the right one of which turns right, too."""
    city = ToyCity()
    a = city.street(100, lanes=3)
    ahead, left, right = city.street(100, lanes=2), city.street(100), city.street(100)
    for lane, to, link in ((0, right, 0), (0, ahead, 1), (1, ahead, 2), (2, left, 3)):
        into = 1 if (to, lane) == (ahead, 1) else 0
        city.turn(a, to, lane=lane, to_lane=into, signal=0, link=link)
    city.program(0, (30, "GGGr"), (3, "yyyr"), (20, "rrrG"), (3, "rrry"))
    made = city.build()
    groups = approaches(made, Network.from_city(made))
    assert sorted(groups.lanes.tolist()) == [1, 2]
    assert (groups.control == SIGNALS).all()
    assert groups.storage_m == pytest.approx(100.0)


def test_who_yields_is_regulated_by_signs() -> None:
    city = ToyCity()
    main, side, out = city.street(100), city.street(100), city.street(100)
    first, second = city.turn(main, out), city.turn(side, out)
    city.yields(second, first)
    made = city.build()
    groups = approaches(made, Network.from_city(made))
    assert dict(zip(groups.street.tolist(), groups.control.tolist(), strict=True))[side] == SIGNS
