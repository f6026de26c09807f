"""Positions between the recorded times, against hand-computed cases, the kernel and SUMO."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_recording import left_turn, recorded
from toy import ToyCity

from twin.errors import InputError
from twin.traffic.kernel import advance
from twin.traffic.network import MAJOR, RED, UNSIGNALLED, YELLOW, Network
from twin.traffic.parameters import DEFAULT_TYPES
from twin.traffic.queue_lengths import look, looking, new_queues
from twin.traffic.recording import STILL, Recording
from twin.traffic.state import Vehicles, initial_state
from twin.traffic.trajectories import Trajectories

V = 50 / 3.6
CAR, BUS = DEFAULT_TYPES[0], DEFAULT_TYPES[2]
TAU, S = CAR.tau_s, CAR.spacing_m
SATURATION_S = TAU + S / V
LENGTH = 200.0
FREE_S = LENGTH / V


def table(rows: list[tuple[int, int, float, float | None, float]]) -> pd.DataFrame:
    """Rows (vehicle, lane, enter, leave or None, free), s."""
    frame = pd.DataFrame(rows, columns=["vehicle", "lane", "enter_cs", "leave_cs", "free_cs"])
    frame["leave_cs"] = frame["leave_cs"].fillna(STILL / 100)
    for name in ("enter_cs", "leave_cs", "free_cs"):
        frame[name] = (frame[name] * 100).round()
    return frame.astype(np.int32)


def at_light() -> Any:
    city = ToyCity()
    city.turn(city.street(LENGTH), city.street(LENGTH), signal=0, link=0, length_m=14.0)
    city.program(0, (40, "r"), (47, "G"), (3, "y"))
    return city.build()


def three(last: float | None = 40.0 + 2 * SATURATION_S) -> pd.DataFrame:
    """Three at the light of `at_light`, who come while it is red."""
    leave = [40.0, 40.0 + SATURATION_S, last]
    return table([(k, 0, 3.0 * k, leave[k], FREE_S) for k in range(3)])


def test_three_at_a_light() -> None:
    """Newell (2002): each does what the one before did, tau later and a spacing behind."""
    ways = Trajectories(at_light(), three())
    t = 10.0
    found = ways.at(t)
    assert found.position_m == pytest.approx([V * t, V * (t - 3), V * (t - 6)], abs=0.02)
    assert not found.standing.any()
    assert found.vehicle.tolist() == [0, 1, 2]
    assert (found.lane == 0).all()
    assert (found.movement == -1).all()
    standing = ways.at(39.9)
    assert standing.position_m == pytest.approx([LENGTH, LENGTH - S, LENGTH - 2 * S], abs=1e-3)
    assert standing.standing.all()
    assert standing.share == pytest.approx(standing.position_m / LENGTH)
    # the second comes to its place when it has driven so far, not before
    arrives = 3.0 + (LENGTH - S) / V
    assert not ways.at(arrives - 0.1).standing[1]
    assert ways.at(arrives + 0.1).standing[1]
    # the start comes to the second tau after the first has left, to the third 2 tau after
    for k in (1, 2):
        starts = 40.0 + k * TAU
        assert ways.at(starts - 0.05).standing[-1]
        moving = ways.at(starts + 0.3)
        assert not moving.standing[moving.vehicle == k].any()
        x = moving.position_m[moving.vehicle == k]
        assert x == pytest.approx(LENGTH - k * S + V * 0.3, abs=0.05)
    # whom the record leaves on the lane stands there for ever
    assert Trajectories(at_light(), three(None)).at(1000.0).vehicle.tolist() == [2]


def test_a_bus_takes_the_room_of_a_bus() -> None:
    trips = pd.DataFrame({"vehicle": [0, 1, 2], "vehicle_type": ["car", "bus", "car"]})
    found = Trajectories(at_light(), three(), trips).at(39.9)
    behind = S + BUS.spacing_m
    assert found.position_m == pytest.approx([LENGTH, LENGTH - S, LENGTH - behind], abs=1e-3)


def test_who_turns_is_on_the_movement() -> None:
    passages = table([(7, 0, 0.0, 15.0, FREE_S), (7, 1, 17.0, None, FREE_S)])
    found = Trajectories(at_light(), passages).at(15.5)
    assert (found.vehicle, found.lane, found.movement) == (7, -1, 0)
    assert found.position_m == pytest.approx(14.0 * 0.25)
    assert found.share == pytest.approx(0.25)
    # from a lane to one that no movement leads to: taken past a jam
    passages = table([(7, 0, 17.0, None, FREE_S), (7, 1, 0.0, 15.0, FREE_S)])
    assert not len(Trajectories(at_light(), passages).at(16.0).vehicle)


def test_who_waits_inside_stands_at_the_waiting_place() -> None:
    city, _ = left_turn()
    rows = [(0, 0, 0.0, 16.0, FREE_S), (1, 0, 3.0, 18.0, FREE_S)]
    rows += [(0, 1, 40.0, None, FREE_S), (1, 1, 43.0, None, FREE_S)]
    ways = Trajectories(city, table(rows))
    waiting = ways.at(30.0)
    assert waiting.movement.tolist() == [0, 0]
    assert waiting.position_m == pytest.approx([8.0, 8.0 - S])
    assert waiting.standing.all()
    leaving = ways.at(39.0)
    assert leaving.position_m[0] == pytest.approx(20.0 - 7.0)
    assert leaving.standing.tolist() == [False, True]


def test_who_waits_inside_keeps_the_next_one_from_the_line() -> None:
    city, _ = left_turn()
    rows = [(0, 0, 0.0, 16.0, FREE_S), (1, 0, 3.0, None, FREE_S), (0, 1, 40.0, None, FREE_S)]
    trips = pd.DataFrame({"vehicle": [0, 1], "vehicle_type": ["bus", "car"]})
    ways = Trajectories(city, table(rows), trips)
    waiting = ways.at(30.0)
    assert waiting.vehicle.tolist() == [1, 0]
    assert waiting.position_m == pytest.approx([LENGTH + 8.0 - BUS.spacing_m, 8.0])
    assert waiting.standing.all()
    assert ways.at(41.0).position_m[0] == pytest.approx(LENGTH)


def many(lanes: int = 1) -> tuple[Any, Network, Vehicles]:
    """Cars, lorries and buses at a light that lets most of them stand."""
    city = ToyCity()
    ways = [[city.street(300.0, lanes=lanes), city.street(300.0)]]
    city.turn(*ways[0], signal=0, link=0, length_m=15.0)
    city.program(0, (30, "G"), (3, "y"), (57, "r"), offset_s=13.0)
    built = city.build()
    n, draw = 400, np.random.default_rng(5)
    vehicles = Vehicles(
        due_s=np.sort(draw.uniform(0, 3400, n)),
        kind=draw.choice(3, n, p=[0.8, 0.1, 0.1]).astype(np.uint8),
        route_ptr=2 * np.arange(n + 1, dtype=np.int64),
        route_street=np.array(ways * n, np.int32).ravel(),
        factor=draw.normal(1.0, 0.1, n).clip(0.8, 1.2).astype(np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )
    return built, Network.from_city(built), vehicles


def trips_of(vehicles: Vehicles) -> pd.DataFrame:
    kind = [DEFAULT_TYPES[k].name for k in vehicles.kind]
    return pd.DataFrame({"vehicle": np.arange(len(vehicles)), "vehicle_type": kind})


@pytest.mark.parametrize("lanes", [1, 2])
def test_nobody_overlaps_goes_back_or_jumps(lanes: int) -> None:
    city, network, vehicles = many(lanes)
    _, tables = recorded(city, network, vehicles, 3600.0)
    ways = Trajectories(city, tables["passages"], trips_of(vehicles))
    spacing = np.array([t.spacing_m for t in DEFAULT_TYPES])[vehicles.kind]
    before: dict[tuple[int, int], float] = {}
    step_s, seen, pairs = 0.2, set(), 0
    for time_s in np.arange(0.0, 1800.0, step_s):
        found = ways.at(time_s)
        assert len(np.unique(found.vehicle)) == len(found.vehicle)
        same = (found.lane[1:] == found.lane[:-1]) & (found.lane[1:] >= 0)
        gap = found.position_m[:-1] - found.position_m[1:] - spacing[found.vehicle[:-1]]
        assert (gap[same & (found.position_m[1:] > 0)] > -0.05).all()
        pairs += int(same.sum())
        places = zip(found.vehicle.tolist(), found.lane.tolist(), strict=True)
        now = dict(zip(places, found.position_m.tolist(), strict=True))
        moved = np.array([x - before[k] for k, x in now.items() if k in before])
        assert (moved > -1e-3).all()
        assert (moved < 1.3 * V * step_s + 0.2).all()
        seen |= set(found.vehicle.tolist())
        before = now
    assert pairs > 10_000
    assert len(seen) > 190


def test_everybody_is_at_the_line_when_leaving() -> None:
    city, network, vehicles = many()
    _, tables = recorded(city, network, vehicles, 3600.0)
    passages = tables["passages"]
    ways = Trajectories(city, passages, trips_of(vehicles))
    left = passages[(passages["leave_cs"] != STILL)].iloc[::7]
    for row in left.itertuples():
        found = ways.at(row.leave_cs / 100 - 0.005)
        x = found.position_m[(found.vehicle == row.vehicle) & (found.lane == row.lane)]
        assert x == pytest.approx([300.0], abs=0.2)


@pytest.mark.parametrize("lanes", [1, 2])
def test_as_many_stand_as_the_kernel_finds(lanes: int) -> None:
    """The kernel's looks count who stands from what it knows at the moment.

    At red both agree, but that the looks let everybody come at the speed limit.  While a queue dissolves, the looks let a start reach everybody tau sooner:
    it goes back from the stop line, not from the place of the one before.
    """
    city, network, vehicles = many(lanes)
    recording = Recording(city, network)
    state = recording.room(initial_state(network, vehicles, end_s=3600.0))
    seen = []
    for tick in range(500, 360_000, 730):
        while (now := int(state.clock["now"][0])) < tick:
            recording.take(state)
            advance(network.arrays, network.signals, state, min(tick, now + recording.stretch))
        queues = new_queues(network, state)
        look(network.arrays, network.signals, state, queues, looking(network, state))
        seen.append((tick, queues.standing.sum(0)))
    recording.take(state)
    ways = Trajectories(city, recording.tables()["passages"], trips_of(vehicles))
    theirs = np.array([row for _, row in seen])[:, : len(city.lanes)]
    ours = np.zeros_like(theirs)
    for k, (tick, _) in enumerate(seen):
        found = ways.at(tick / 100)
        stands = found.standing & (found.lane >= 0)
        ours[k] = np.bincount(found.lane[stands], minlength=len(city.lanes))
    red = np.array([(tick / 100 - 13) % 90 > 40 for tick, _ in seen])  # and the last start is over
    assert theirs[red].sum() > 1000
    assert ours[red].sum() == pytest.approx(theirs[red].sum(), rel=0.02)
    assert (ours != theirs)[red].mean() < 0.05
    assert np.abs(ours - theirs)[red].max() <= 2
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.06)


def test_lights_at_a_time() -> None:
    city = at_light()
    vehicles = Vehicles(
        np.array([0.0]), np.zeros(1, np.uint8), np.array([0, 2]), np.array([0, 1], np.int32),
        np.ones(1, np.float32), np.array([np.inf]),
    )  # fmt: skip
    _, tables = recorded(city, Network.from_city(city), vehicles, 300.0)
    ways = Trajectories(city, tables["passages"], lights=tables["lights"])
    shown = [int(ways.lights_at(t)[0]) for t in (0.0, 39.9, 40.0, 86.9, 87.0, 89.9, 90.0, 131.0)]
    assert shown == [RED, RED, MAJOR, MAJOR, YELLOW, YELLOW, RED, MAJOR]
    dark, _ = left_turn()
    assert (
        Trajectories(dark, three(), lights=tables["lights"]).lights_at(1.0) == UNSIGNALLED
    ).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.drop(columns="free_cs"), "passages: no column 'free_cs'; give the table"),
        (lambda p: p.assign(lane=[0, 0, 9]), "lane 9 in row 2 is none of toy, which has 2"),
        (lambda p: p.iloc[::-1], "row 1 is before the one above it; leave the rows in their order"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(change: Any, message: str) -> None:
    with pytest.raises(InputError) as told:
        Trajectories(at_light(), change(three()))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_without_lights_none_are_told() -> None:
    with pytest.raises(InputError, match="was given no lights"):
        Trajectories(at_light(), three()).lights_at(1.0)


def test_tails_of_queues_are_those_of_sumo(tmp_path: Path) -> None:
    """Half an hour of RESCO's cologne1, the same trips and programs, at moments 10 s apart.

    SUMO's queue: from the stop line to the rear of the last vehicle that is slower than 5 km/h.
    """
    sumo = pytest.importorskip("sumo")
    spec = find_spec("sumo_rl")
    if spec is None or spec.origin is None:
        pytest.skip("maps of RESCO come with sumo-rl")
    from twin.city import City
    from twin.traffic.peer import load_flow
    from twin.traffic.sumo_routes import read_routes

    begin_s, end_s = 25_200.0, 27_000.0
    net = Path(spec.origin).parent / "nets" / "RESCO" / "cologne1" / "cologne1.net.xml"
    routes, queued = net.with_name("cologne1.rou.xml"), tmp_path / "q.xml"
    command = [
        Path(sumo.SUMO_HOME) / "bin" / "sumo", "-n", net, "-r", routes, "-b", begin_s, "-e", end_s,
        "--seed", 1, "--time-to-teleport", -1, "--queue-output", queued,
    ]  # fmt: skip
    environment = {**os.environ, "SUMO_HOME": str(sumo.SUMO_HOME)}
    words = [str(word) for word in command]
    subprocess.run(words, check=True, capture_output=True, env=environment)
    city = City.from_sumo(net)
    flow = load_flow(
        city, read_routes([routes], begin_s, end_s, 1), 1, net, begin_s=begin_s, end_s=end_s
    ).routed(begin_s, end_s)
    network, recording = flow.network, Recording(city, flow.network)
    state, end = recording.room(flow.state), round(end_s * flow.network.arrays.tps)
    while (now := int(state.clock["now"][0])) < end:
        recording.take(state)
        advance(network.arrays, network.signals, state, min(end, now + recording.stretch))
    recording.take(state)
    ways = Trajectories(city, recording.tables()["passages"], types=network.types[:1])
    times = np.arange(begin_s + 600.0, end_s, 10.0)
    length, position = (
        city.lanes["length_m"].to_numpy(),
        {name: k for k, name in enumerate(city.lanes["id"])},
    )
    ours, theirs = (np.zeros((len(times), len(length))) for _ in range(2))
    for k, time_s in enumerate(times):
        found = ways.at(time_s)
        stands = (found.lane >= 0) & found.standing
        lane = found.lane[stands]
        rear = length[lane] - found.position_m[stands] + network.types[0].length_m
        np.maximum.at(ours[k], lane, rear)
    for step in ET.parse(queued).getroot():
        k = np.flatnonzero(times == float(step.get("timestep", 0)))
        for row in step.iter("lane") if len(k) else ():
            i = position.get(row.get("id", ""), -1)
            if i >= 0:
                theirs[k[0], i] = float(row.get("queueing_length", 0))
    used = (length >= 30.0) & ((ours.max(0) > 0) | (theirs.max(0) > 0))
    a, b = ours[:, used], theirs[:, used]
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.7
    assert np.corrcoef(a.mean(0), b.mean(0))[0, 1] > 0.95
    assert np.abs(a - b).mean() < 6.0
    # ours come to a stand at once, and start tau after each other; in SUMO about 1 s
    assert a.mean() == pytest.approx(b.mean(), rel=0.35)
