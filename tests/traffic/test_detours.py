"""Drivers who meet a closure, and those who know of it before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from toy import ToyCity

from twin.claims import Claim
from twin.errors import InputError
from twin.simulation import Prepared, Simulation, prepare
from twin.traffic.detours import line_ways
from twin.traffic.network import Network
from twin.traffic.routing import RoadGraph, TravelTimes, shortest_routes

if TYPE_CHECKING:
    from pathlib import Path

CLOSED_S, OPEN_S, END_S = 600.0, 3000.0, 4800.0
WAY = (0, 1, 2, 3, 5)  # the usual one; street 3 is closed


def town(off_0_m: float, off_1_m: float) -> Any:
    """0 1 2 3 5, with ways off it to 5: 6 at the end of 0, 4 at that of 1, 7 at that of 2."""
    toy = ToyCity()
    for length_m in (500, 500, 500, 500, off_1_m, 500, off_0_m, 1200):
        toy.street(length_m)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 5), (0, 6), (1, 4), (2, 7), (4, 5), (6, 5), (7, 5)]
    for street, to_street in pairs:
        toy.turn(street, to_street)
    return toy.build()


def prepared_town(
    count: int = 200, off_0_m: float = 2400, off_1_m: float = 1600
) -> tuple[Any, Prepared]:
    city = town(off_0_m, off_1_m)
    graph = RoadGraph.from_city(city, "cars")
    trips = pd.DataFrame(
        {
            "id": np.arange(count) + 10**9,
            "origin": 0,
            "destination": 5,
            "depart_s": 10.0 * np.arange(count),
            "purpose": "work",
            "vehicle_type": "car",
        }
    )
    free = TravelTimes.free(graph)
    routes = shortest_routes(graph, free, trips["origin"], trips["destination"], trips["depart_s"])
    assert all(tuple(routes[i]) == WAY for i in range(count))
    graphs = dict.fromkeys(("cars", "lorries", "buses"), graph)
    times = dict.fromkeys(graphs, free)
    return city, Prepared(Network.from_city(city), trips, routes, graphs, times)


def simulate(informed: float, **lengths: float) -> tuple[Any, Prepared]:
    """The state of the flow after a closure of street 3 from 600 to 3,000 s."""
    city, prepared = prepared_town(**lengths)
    sim = Simulation(
        city,
        prepared,
        seed=5,
        begin_s=0.0,
        end_s=END_S,
        response="en_route",
        informed=informed,
        systems_on=["traffic"],
    )
    traffic: Any = sim.parts["traffic"]
    sim.run(until_s=CLOSED_S)
    before = traffic.sync().entered[:, 3].sum()
    claim = Claim("test/closure", 3, open=False, until_s=OPEN_S)
    sim.claims.file(claim)
    sim.run(until_s=OPEN_S)
    assert traffic.sync().entered[:, 3].sum() == before > 0  # nobody enters the closed street
    sim.claims.withdraw(claim.owner)
    sim.run()
    state = traffic.sync()
    assert (state.vehicle["arrive"] >= 0).all()  # and nobody is lost
    assert state.clock["passed_jams"][0] == 0
    return state, prepared


def ways(state: Any) -> list[tuple[int, ...]]:
    return [tuple(state.route_street[v["route"] : v["route_end"]].tolist()) for v in state.vehicle]


def test_those_who_are_not_informed_turn_off_where_they_meet_it() -> None:
    # Streets take 36 s. At 600 s vehicles on 3 and 5 go on, those on 2 turn off at its end, and
    # those on 1 or 0, and all who depart later, do at the end of 1: 3 is two streets ahead there.
    state, prepared = simulate(0.0)
    taken = ways(state)
    depart_s = prepared.trips["depart_s"].to_numpy()
    expected = {"usual": WAY, "late": (0, 1, 2, 7, 5), "off": (0, 1, 4, 5)}
    assert set(taken) == set(expected.values())
    on_two = [s for s, way in zip(depart_s, taken, strict=True) if way == expected["late"]]
    assert all(600 - 3 * 41 < s < 600 - 2 * 30 for s in on_two)
    meets = [s for s, way in zip(depart_s, taken, strict=True) if way == expected["off"]]
    assert min(meets) > max(on_two)
    assert max(meets) == depart_s.max()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_the_informed_take_the_way_that_only_they_know_in_time(share: float) -> None:
    # 6 is the fastest way around here, but one must know of the closure at the end of 0
    state, prepared = simulate(share, off_0_m=1800, off_1_m=2400)
    depart_s = prepared.trips["depart_s"].to_numpy()
    early = np.array([6 in way for way in ways(state)])
    there = depart_s > CLOSED_S
    assert early[there].mean() == pytest.approx(share, abs=0.12)  # 139 draws: deviation 0.04
    assert not early[depart_s < 400].any()
    assert all(3 not in way for way, closed in zip(ways(state), there, strict=True) if closed)


def behind_a_street(informed: float, open_s: float) -> tuple[Simulation, pd.DataFrame]:
    """Trips from 0 by 1 to 2, which nothing else leads to, and by 3; 1 closes at 600 s."""
    toy = ToyCity()
    for length_m in (500, 500, 500, 500):
        toy.street(length_m)
    for street, to_street in [(0, 1), (1, 2), (0, 3)]:
        toy.turn(street, to_street)
    city = toy.build()
    graph, count = RoadGraph.from_city(city, "cars"), 200
    trips = pd.DataFrame(
        {
            "id": np.arange(count) + 10**9,
            "origin": 0,
            "destination": np.where(np.arange(count) % 2, 2, 3),
            "depart_s": 10.0 * np.arange(count),
            "purpose": "work",
            "vehicle_type": "car",
        }
    )
    free = TravelTimes.free(graph)
    routes = shortest_routes(graph, free, trips["origin"], trips["destination"], trips["depart_s"])
    graphs = dict.fromkeys(("cars", "lorries", "buses"), graph)
    prepared = Prepared(Network.from_city(city), trips, routes, graphs, dict.fromkeys(graphs, free))
    sim = Simulation(
        city, prepared, seed=5, begin_s=0.0, end_s=END_S, response="en_route",
        informed=informed, systems_on=["traffic"],
    )  # fmt: skip
    sim.run(until_s=CLOSED_S)
    sim.claims.file(Claim("test/closure", 1, open=False, until_s=open_s))
    return sim, trips


@pytest.mark.parametrize("informed", [0.0, 0.4, 1.0])
def test_who_has_no_other_way_waits_and_stands_in_nobodys_way(informed: float) -> None:
    sim, trips = behind_a_street(informed, OPEN_S)
    traffic: Any = sim.parts["traffic"]
    sim.run(until_s=OPEN_S)
    waiting = traffic.indicators()["cut_off"]
    sim.claims.withdraw("test/closure")
    sim.run()
    found, state = traffic.trips(), traffic.sync()
    assert traffic.indicators()["cut_off"] == 0
    assert state.clock["passed_jams"][0] == 0
    assert found["due_s"].to_numpy() == pytest.approx(trips["depart_s"])
    behind = (trips["destination"] == 2).to_numpy()
    others = found[~behind]
    # they take what the way takes when it is empty, give or take the drivers' own speeds
    assert others["depart_delay_s"].max() < 5.0
    assert others["duration_s"].max() < 1.3 * others["duration_s"].median()
    late = found[behind & (trips["depart_s"] >= CLOSED_S).to_numpy()]
    assert waiting >= len(late)
    home = late["depart_delay_s"] > 60.0
    assert home.mean() == pytest.approx(informed, abs=0.12)
    assert (late.loc[home, "depart_s"] >= OPEN_S).all()
    assert (late.loc[~home, "arrival_s"] == OPEN_S).all()  # beside the road, and then there
    lost_s = late["depart_delay_s"] + late["time_loss_s"]
    assert (lost_s > OPEN_S - late["due_s"] - 60.0).all()  # 60 s: the way to the closure
    early = found[behind & (found["arrival_s"] < CLOSED_S)]
    assert early["time_loss_s"].max() < 20.0


def test_who_waits_to_the_end_has_not_arrived() -> None:
    sim, trips = behind_a_street(0.5, END_S)
    traffic: Any = sim.parts["traffic"]
    sim.run(until_s=1500.0)
    kept = sim.snapshot()
    sim.run()
    found = traffic.trips()
    cut_off = found["arrival_s"].isna()
    assert traffic.indicators()["cut_off"] == cut_off.sum()
    assert (trips["destination"][cut_off.to_numpy()] == 2).all()
    lost_s = (found["depart_delay_s"] + found["time_loss_s"].fillna(0.0))[cut_off]
    assert (lost_s > END_S - np.maximum(found["due_s"], CLOSED_S)[cut_off] - 60.0).all()
    second = Simulation(
        sim.city, sim.prepared, seed=5, begin_s=0.0, end_s=END_S, response="en_route",
        informed=0.5, systems_on=["traffic"], snapshot=kept,
    )  # fmt: skip
    second.run()
    again: Any = second.parts["traffic"]
    pd.testing.assert_frame_equal(again.trips(), found)


def test_a_line_leaves_its_way_for_the_closed_stretch_only() -> None:
    # the line 0 1 2 3 4 5 goes a long way around: 6 leads from 0 to 5 at once, 7 from 1 to 4,
    # 8 from 1 to 3 and takes long
    toy = ToyCity()
    for length_m in (300, 300, 300, 300, 300, 300, 100, 200, 900):
        toy.street(length_m)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 6), (6, 5), (1, 7), (7, 4), (1, 8), (8, 3)]
    for street, to_street in pairs:
        toy.turn(street, to_street)
    graph = RoadGraph.from_city(toy.build(), "cars")
    free = TravelTimes.free(graph)
    line = np.arange(6, dtype=np.int32)

    def way(*closed: int, first: int = 0, under_way: bool = False) -> list[int]:
        shut = np.zeros(9, bool)
        shut[list(closed)] = True
        found = line_ways(graph, free, [line[first:]], np.array([under_way]), np.zeros(1), shut)
        return [int(s) for s in found[0]]

    assert way() == [0, 1, 2, 3, 4, 5]
    assert way(2) == [0, 1, 8, 3, 4, 5]  # all of it but the closed street, though 6 is quicker
    assert way(2, 8) == [0, 1, 7, 4, 5]  # 3 cannot be reached, 4 can
    assert way(2, 3) == [0, 1, 7, 4, 5]
    assert way(2, 3, 7) == []  # nothing leads from 1 to 4 or 5: it waits
    assert way(1) == [0, 6, 5]
    assert way(5) == [0, 1, 2, 3, 4]  # ends before
    assert way(0) == [1, 2, 3, 4, 5]  # begins behind
    assert way(2, first=2, under_way=True) == [2, 3, 4, 5]  # is on the closed street already
    assert way(*range(6)) == []


def test_a_share_is_between_0_and_1() -> None:
    city, prepared = prepared_town(2)
    with pytest.raises(InputError, match=r"informed\(=1.5\)"):
        Simulation(
            city, prepared, begin_s=0.0, end_s=60.0, response="en_route", informed=1.5,
            systems_on=["traffic"],
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("informed", [0.0, 0.5, 1.0])
def test_a_busy_street_of_kaiserslautern_closes_in_the_middle_of_the_hour(
    data_dir: Path, informed: float
) -> None:
    from twin.city import City
    from twin.traffic.demand import Demand

    city = City.from_osm(data_dir / "osm" / "kaiserslautern.osm.gz")
    begin_s, end_s = 7 * 3600.0, 8 * 3600.0
    demand = Demand.generate(city, scale=0.4)
    prepared = prepare(city, demand, seed=1, begin_s=begin_s, end_s=end_s, iterations=4)
    load = np.bincount(prepared.routes.street, minlength=len(city.streets))
    # of the streets that have a way around: the busiest that is left by two turns before it
    graph = prepared.graphs["cars"]
    street = int(np.argmax(np.where(city.streets["length_m"] > 60, load, 0)))
    before = graph.turn_from[graph.turn_to == street]
    assert (graph.turn_ptr[before + 1] - graph.turn_ptr[before]).max() > 1

    def run(*, closed: bool) -> Any:
        sim = Simulation(
            city,
            prepared,
            seed=1,
            begin_s=begin_s,
            end_s=end_s + 1800.0,
            response="en_route",
            informed=informed,
            systems_on=["traffic"],
        )
        traffic: Any = sim.parts["traffic"]
        sim.run(until_s=begin_s + 1800.0)
        count = traffic.sync().entered[:, street].sum()
        if closed:
            sim.claims.file(Claim("test/closure", street, open=False, until_s=end_s + 1800.0))
        sim.run()
        state = traffic.sync()
        return state, state.entered[:, street].sum() - count

    base, passed = run(closed=False)
    state, entered = run(closed=True)
    assert passed > 50
    assert entered == 0
    there = int((state.vehicle["arrive"] >= 0).sum())
    on_lanes, departed = int(state.lane["inside"].sum()), int((state.vehicle["depart"] >= 0).sum())
    assert there + on_lanes == departed
    assert there > 0.97 * int((base.vehicle["arrive"] >= 0).sum())
    done = (base.vehicle["arrive"] >= 0) & (state.vehicle["arrive"] >= 0)
    lost = (state.vehicle["arrive"] - base.vehicle["arrive"])[done].sum()
    assert lost > 0
