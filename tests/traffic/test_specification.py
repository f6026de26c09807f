"""The kernel gives every vehicle the times of the specification, to the tick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from specification import Specification
from toy import ToyCity

from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.parameters import DEFAULT_TYPES
from twin.traffic.state import Stops, Vehicles, copy_state, initial_state

TPS = 10
END_S = 240.0


@st.composite
def cities(draw: st.DrawFn) -> tuple[Any, list[list[int]]]:
    """Two approaches that meet, cross or oppose each other, and lead over short streets."""
    city = ToyCity()
    length = st.sampled_from([8.0, 14.0, 30.0, 75.0, 120.0])
    lanes = st.integers(1, 2)
    speed = st.sampled_from([30 / 3.6, 50 / 3.6])

    def street() -> int:
        return city.street(draw(length), draw(speed), draw(lanes))

    a, b, c, d, e = street(), street(), street(), street(), street()
    signals = draw(st.booleans())
    turns = {}
    wait = draw(st.sampled_from([0.0, 8.0, 16.0]))
    for k, (x, y) in enumerate([(a, c), (b, c), (b, d), (a, d)]):
        turns[x, y] = city.turn(
            x,
            y,
            signal=0 if signals else -1,
            link=k if signals else -1,
            length_m=draw(st.sampled_from([0.0, 6.0, 12.0])) + wait,
            speed_m_s=draw(st.sampled_from([5.0, 8.0, 13.9])),
            wait_m=wait if (x, y) == (a, d) else 0.0,
            right_of_way=draw(st.sampled_from(["M", "m", "s"])),
        )
    for x, y in draw(
        st.lists(
            st.sampled_from(
                [((a, d), (b, c)), ((a, c), (b, c)), ((b, d), (a, d)), ((b, c), (a, c))]
            ),
            unique=True,
            max_size=3,
        )
    ):
        city.yields(turns[x], turns[y])
    city.turn(c, e, length_m=3.0)
    city.turn(d, e, length_m=3.0, speed_m_s=6.0)
    if signals:
        green = st.integers(4, 25)
        offset_s = float(draw(st.integers(0, 40)))
        range_s = draw(st.sampled_from([(), (1, 6), (5, 30)]))
        city.program(
            0,
            (draw(green), draw(st.sampled_from(["GrrG", "Grrg", "Gsrg"])), *range_s),
            (3, "yrry"),
            (draw(green), draw(st.sampled_from(["rGGr", "rgGr", "rGgr"])), *range_s),
            (3, "ryyr"),
            offset_s=offset_s,
        )
    return city.build(), [[a, c, e], [b, c, e], [b, d, e], [a, d, e], [a, c], [b, d], [c, e]]


def _stops(ways: list[list[int]], kind: list[int]) -> Stops:
    """Stops of some vehicles, among them one on a street that is not on the way."""
    rows = [
        [(way[0], 0.5, 4.0, 0.0), (way[0], 0.9, 0.0, 50.0)] if k == 1
        else [(99, 0.1, 9.0, 0.0), (way[-1], 0.3, 12.5, 30.0)] if k == 2
        else []
        for way, k in zip(ways, kind, strict=True)
    ]  # fmt: skip
    columns = np.array([row for own in rows for row in own], float).reshape(-1, 4).T
    ptr = np.concatenate([[0], np.cumsum([len(own) for own in rows])]).astype(np.int64)
    return Stops(ptr, columns[0].astype(np.int32), *columns[1:])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Network, Vehicles, list[int]]:
    city, ways = draw(cities())
    network = Network.from_city(
        city, DEFAULT_TYPES, TPS, jam_s=draw(st.sampled_from([None, 20.0, 60.0]))
    )
    n = draw(st.integers(1, 45))
    chosen = [ways[draw(st.integers(0, len(ways) - 1))] for _ in range(n)]
    span = draw(st.sampled_from([20, 60, 150]))
    lengths = [len(w) for w in chosen]
    vehicles = Vehicles(
        due_s=np.array([draw(st.integers(0, span * 2)) / 2 for _ in range(n)]),
        kind=np.array([draw(st.sampled_from([0, 0, 0, 1, 2])) for _ in range(n)], np.uint8),
        route_ptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        route_street=np.array([s for w in chosen for s in w], np.int32),
        factor=np.array([draw(st.sampled_from([0.8, 1.0, 1.1])) for _ in range(n)], np.float32),
        depart_speed_m_s=np.array([draw(st.sampled_from([0.0, np.inf])) for _ in range(n)]),
        stops=_stops(chosen, [draw(st.integers(0, 5)) for _ in range(n)]),
    )
    closed = draw(st.lists(st.integers(0, network.n_lanes - 1), max_size=1))
    return network, vehicles, closed


def _moves_as_specified(network: Network, vehicles: Vehicles, closed: list[int], cut: int) -> None:
    """Also when the kernel is stopped in between, copied, and goes on from the copy."""
    end = int(END_S * TPS)
    specified = Specification(network, vehicles, END_S)
    state = initial_state(network, vehicles, end_s=END_S)
    for lane in closed:
        specified.lanes[lane].open = False
        state.lane["open"][lane] = 0
    specified.run(end)
    advance(network.arrays, network.signals, state, cut)
    state = copy_state(state)
    advance(network.arrays, network.signals, state, end)
    wanted = [(v.depart, v.arrive) for v in specified.vehicles]
    found = list(
        zip(state.vehicle["depart"].tolist(), state.vehicle["arrive"].tolist(), strict=True)
    )
    assert found == wanted


def test_who_waits_longer_needs_room_later() -> None:
    """Two stand side by side at a stop line; what the second loses at its start grows meanwhile."""
    city = ToyCity()
    a, b, c, e = (city.street(m, 30 / 3.6, n) for m, n in ((8, 1), (8, 2), (30, 1), (8, 1)))
    first = city.turn(a, c, length_m=0.0, speed_m_s=5.0, right_of_way="m")
    city.yields(city.turn(b, c, length_m=0.0, speed_m_s=8.0, right_of_way="s"), first)
    city.turn(c, e, length_m=3.0)
    vehicles = Vehicles(
        due_s=np.zeros(2),
        kind=np.zeros(2, np.uint8),
        route_ptr=np.array([0, 3, 6]),
        route_street=np.array([b, c, e] * 2, np.int32),
        factor=np.full(2, 0.8, np.float32),
        depart_speed_m_s=np.zeros(2),
    )
    _moves_as_specified(Network.from_city(city.build(), DEFAULT_TYPES, TPS), vehicles, [], 1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(), cut=st.integers(1, int(END_S * TPS)))
def test_every_vehicle_moves_as_specified(
    case: tuple[Network, Vehicles, list[int]], cut: int
) -> None:
    network, vehicles, closed = case
    _moves_as_specified(network, vehicles, closed, cut)
