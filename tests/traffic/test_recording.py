"""The record of vehicles and lights: true to the flow, and without influence on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from crossings import demand
from toy import ToyCity

from agents.registry import resolve
from twin.errors import SimulationError
from twin.ledger import Results
from twin.simulation import Simulation, prepare
from twin.traffic.batch import Batch
from twin.traffic.demand import Demand
from twin.traffic.kernel import advance
from twin.traffic.measures import Close, SignalPolicy, SignalProgram
from twin.traffic.network import Network
from twin.traffic.recording import STILL, Recording
from twin.traffic.state import Vehicles, copy_state, initial_state

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City
    from twin.system import Measure
    from twin.traffic.preparation import Prepared
    from twin.traffic.records import State

BEGIN, END = 7 * 3600.0, 7.5 * 3600.0
STREET = "Mannerheimintie"


@pytest.fixture(scope="module")
def prepared(helsinki: City) -> Prepared:
    many = Demand.generate(helsinki, scale=0.2)
    return prepare(helsinki, many, seed=1, begin_s=BEGIN, end_s=END, iterations=2)


def simulate(city: City, prepared: Prepared, *measures: Measure, **more: Any) -> Simulation:
    options = {
        "seed": 1, "begin_s": BEGIN, "end_s": END, "systems_on": ["traffic"],
        "policies": resolve, "response": "en_route", "informed": 0.5, "measures": measures,
    }  # fmt: skip
    return Simulation(city, prepared, **{**options, **more})


def recorded(
    city: Any, network: Network, vehicles: Vehicles, end_s: float
) -> tuple[State, dict[str, pd.DataFrame]]:
    """The flow alone, recorded."""
    recording, end = Recording(city, network), round(end_s * network.arrays.tps)
    state = recording.room(initial_state(network, vehicles, end_s=end_s))
    while (now := int(state.clock["now"][0])) < end:
        recording.take(state)
        advance(network.arrays, network.signals, state, min(end, now + recording.stretch))
    recording.take(state)
    return state, recording.tables()


MEASURES: list[list[Any]] = [
    [],
    [Close(street=STREET, begin="07:05", end="07:20")],
    [SignalPolicy(policy="max_pressure", begin="07:03", end="07:24")],
    [SignalProgram(program="off", begin="07:05", end="07:20")],
]
NAMES = ["base", "close", "max-pressure", "off"]


@pytest.mark.parametrize("measures", MEASURES, ids=NAMES)
def test_results_are_the_same_with_and_without(
    helsinki: City, prepared: Prepared, measures: list[Any]
) -> None:
    plain = simulate(helsinki, prepared, *measures).run()
    found = simulate(helsinki, prepared, *measures, record=True).run()
    assert set(found.tables) - set(plain.tables) == {"passages", "lights"}
    assert plain.indicators == pytest.approx(found.indicators, rel=0, abs=0, nan_ok=True)
    for name, table in plain.tables.items():
        assert table.equals(found.tables[name]), name


@pytest.mark.parametrize("measures", MEASURES, ids=NAMES)
def test_going_on_from_a_snapshot_records_the_same(
    helsinki: City, prepared: Prepared, measures: list[Any]
) -> None:
    whole = simulate(helsinki, prepared, *measures, record=True).run()
    first = simulate(helsinki, prepared, *measures, record=True)
    first.run(until_s=BEGIN + 603.37)
    kept = first.snapshot()
    first.run()  # what goes on does not touch the snapshot
    again = simulate(helsinki, prepared, *measures, record=True, snapshot=kept).run()
    for name in ("passages", "lights"):
        assert whole.tables[name].equals(again.tables[name]), name
    unknown = simulate(helsinki, prepared, *measures)
    unknown.run(until_s=BEGIN + 600.0)
    late = simulate(helsinki, prepared, *measures, record=True, snapshot=unknown.snapshot()).run()
    assert (late.tables["lights"]["time_cs"] >= (BEGIN + 600.0) * 100).all()
    assert late.tables["trips"].equals(whole.tables["trips"])


@pytest.mark.parametrize("measures", MEASURES, ids=NAMES)
def test_lights_are_those_of_the_flow(
    helsinki: City, prepared: Prepared, measures: list[Any]
) -> None:
    sim = simulate(helsinki, prepared, *measures, record=True)
    traffic: Any = sim.parts["traffic"]
    seen = []
    for time_s in np.arange(BEGIN + 0.5, END, 13.7):
        sim.clock.run(time_s)
        state = traffic.sync()
        seen.append((int(state.clock["now"][0]), state.link["light"].copy()))
    table = sim.results().tables["lights"]
    moves = helsinki.movements.reset_index(names="movement")
    heads = moves[moves["signal"] >= 0].drop_duplicates(["signal", "link"])
    groups = dict(tuple(table.groupby(["signal", "link"])))
    assert set(groups) == set(zip(heads["signal"], heads["link"], strict=True))
    for signal, link, movement in heads[["signal", "link", "movement"]].to_numpy():
        own = groups[signal, link]
        assert own["time_cs"].iloc[0] == BEGIN * 100  # starts with the state at the begin
        assert (np.diff(own["light"]) != 0).all()
        row = traffic.network.movement_link[movement]
        at = np.searchsorted(own["time_cs"], [now - 1 for now, _ in seen], side="right") - 1
        assert (own["light"].to_numpy()[at] == [light[row] for _, light in seen]).all()


def test_passages_are_the_trips(helsinki: City, prepared: Prepared) -> None:
    sim = simulate(helsinki, prepared, MEASURES[1][0], record=True)
    found = sim.run().tables
    passages, trips = found["passages"], found["trips"]
    by_vehicle = passages.sort_values(["vehicle", "enter_cs"], kind="stable").groupby("vehicle")
    began, ended = by_vehicle["enter_cs"].first(), by_vehicle["leave_cs"].last()
    trips = trips.set_index("vehicle")
    out = trips[trips["depart_s"].notna()]
    assert (began == (out["depart_s"] * 100).round().astype(int)).all()
    assert len(began) == len(out)
    came = out[out["arrival_s"].notna()].index
    assert len(came) > 500
    state = sim.parts["traffic"].sync()  # type: ignore[attr-defined]
    arrive = state.vehicle["arrive"][came]
    assert (ended[came] == arrive).all()
    street = helsinki.lanes["street"].to_numpy()[passages["lane"]]
    order = np.lexsort((passages["enter_cs"], passages["vehicle"]))
    way = dict(tuple(passages.assign(street=street).iloc[order].groupby("vehicle")["street"]))
    for v in came:
        row = state.vehicle[v]
        own = state.route_street[row["route"] : row["route_end"]]
        assert way[v].tolist() == own.tolist()
    lane = passages["lane"].to_numpy()
    same = np.diff(lane) == 0
    leave = np.where(passages["leave_cs"] == STILL, 2**30, passages["leave_cs"])
    assert (np.diff(lane) >= 0).all()
    assert (np.diff(passages["enter_cs"])[same] >= 0).all()
    assert (np.diff(leave)[same] > 0)[leave[1:][same] < 2**30].all()
    assert (leave - passages["enter_cs"] >= passages["free_cs"]).all()


def left_turn() -> tuple[Any, list[list[int]]]:
    """A left turn that waits 8 m inside the junction for a stream that comes the other way."""
    city = ToyCity()
    a, b, c, d = (city.street(200.0) for _ in range(4))
    left = city.turn(a, b, length_m=20.0, speed_m_s=7.0, wait_m=8.0, right_of_way="m")
    city.yields(left, city.turn(c, d, length_m=15.0))
    return city.build(), [[a, b], [c, d]]


def test_waiting_inside_a_junction_is_part_of_the_way_through_it() -> None:
    city, (own, other) = left_turn()
    network = Network.from_city(city)
    assert len(network.arrays.lane) == network.n_lanes + 1
    n = 12
    vehicles = Vehicles(
        due_s=np.array([0.0, *(2.0 + 2.0 * np.arange(n))]),
        kind=np.zeros(n + 1, np.uint8),
        route_ptr=2 * np.arange(n + 2, dtype=np.int64),
        route_street=np.array([*own, *other * n], np.int32),
        factor=np.ones(n + 1, np.float32),
        depart_speed_m_s=np.full(n + 1, np.inf),
    )
    state, tables = recorded(city, network, vehicles, 300.0)
    passages = tables["passages"]
    assert len(passages) == 2 * (n + 1)
    assert passages["lane"].max() < network.n_lanes
    first, second = passages[passages["vehicle"] == 0].sort_values("enter_cs").to_numpy()
    assert second[2] - first[3] > 1000  # more than 10 s of waiting
    assert second[3] == state.vehicle["arrive"][0]


def test_who_is_taken_past_a_jam_reappears() -> None:
    """Four short streets in a circle, full: who has stood 30 s is taken to the street behind."""
    city = ToyCity()
    ring, goal = [city.street(8.0) for _ in range(4)], city.street(200.0)
    for k in range(4):
        city.turn(ring[k], ring[(k + 1) % 4])
        city.turn(ring[k], goal)
    built = city.build()
    network = Network.from_city(built, jam_s=30.0)
    n, hops = 12, 7
    ways = [[ring[(k + j) % 4] for j in range(hops - 1)] + [goal] for k in range(n)]
    vehicles = Vehicles(
        due_s=np.zeros(n),
        kind=np.zeros(n, np.uint8),
        route_ptr=hops * np.arange(n + 1, dtype=np.int64),
        route_street=np.array(ways, np.int32).ravel(),
        factor=np.ones(n, np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )
    state, tables = recorded(built, network, vehicles, 900.0)
    assert state.clock["passed_jams"][0] == n
    passages = tables["passages"].sort_values(["vehicle", "enter_cs"])
    lanes = passages.groupby("vehicle")["lane"].agg(list).tolist()
    # where there is no room at the moment, the trip is over
    assert {len(way) for way in lanes} == {1, 2}
    assert all(own == [way[0], goal][: len(own)] for own, way in zip(lanes, ways, strict=True))
    first = passages.drop_duplicates("vehicle")
    stood = first["leave_cs"] - first["enter_cs"] - first["free_cs"]
    assert ((stood >= 3000) & (stood < 3200)).all()
    last = passages.drop_duplicates("vehicle", keep="last")["leave_cs"].to_numpy()
    whole = np.array([len(way) == 2 for way in lanes])
    assert (last[whole] == state.vehicle["arrive"][whole]).all()


def queue_at_light() -> tuple[Any, Network, Vehicles]:
    city = ToyCity()
    ways = [[city.street(80.0), city.street(80.0)]]
    city.turn(*ways[0], signal=0, link=0, length_m=10.0)
    city.program(0, (20, "G"), (3, "y"), (30, "r"))
    built = city.build()
    return built, Network.from_city(built), demand(ways, 80, 1)


def test_copies_of_a_batch_record_nothing() -> None:
    city, network, vehicles = queue_at_light()
    alone = initial_state(network, vehicles, end_s=300.0)
    own, end = copy_state(alone), 250 * network.arrays.tps
    with_record = Recording(city, network).room(copy_state(alone))
    batch = Batch(network, [with_record, alone], threads=1)
    batch.advance(end)
    advance(network.arrays, network.signals, own, end)
    for copy in batch.copies:
        assert not len(copy.passed)
        assert not len(copy.shown)
        assert (copy.vehicle == own.vehicle).all()
    Batch.around(network, with_record).advance(5000)
    assert with_record.clock["passed"][0] > 0
    assert with_record.clock["shown"][0] > 0


def test_a_record_without_room_is_refused_in_one_line() -> None:
    city, network, vehicles = queue_at_light()
    recording = Recording(city, network)
    state = recording.room(initial_state(network, vehicles, end_s=300.0))
    state = state._replace(passed=state.passed[:3])
    advance(network.arrays, network.signals, state, 5000)
    with pytest.raises(SimulationError, match=r"rows of 'passed' within 10 s, room for 3") as told:
        recording.take(state)
    assert "\n" not in str(told.value)


def test_files_are_read_back_as_they_were(
    helsinki: City, prepared: Prepared, tmp_path: Path
) -> None:
    found = simulate(helsinki, prepared, record=True).run()
    found.save(tmp_path / "seed-0001")
    again = Results.load(tmp_path / "seed-0001")
    for name in ("passages", "lights"):
        assert again.tables[name].equals(found.tables[name])
        assert set(map(str, again.tables[name].dtypes)) == {"int32"}
    rows = len(found.tables["passages"])
    assert (tmp_path / "seed-0001" / "passages.parquet").stat().st_size < 10 * rows + 5000
