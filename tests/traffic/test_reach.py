"""What people reach and lose, against tables that were made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from twin.city.lookup import find_streets
from twin.simulation import Simulation, prepare
from twin.traffic.demand import Demand
from twin.traffic.measures import Close, Speed
from twin.traffic.reach import (
    OUTSIDE,
    Reach,
    group_table,
    reach_indicators,
    zone_reach,
    zone_table,
)

if TYPE_CHECKING:
    from twin.city import City
    from twin.system import Measure
    from twin.traffic.preparation import Prepared

BEGIN, END = 7 * 3600.0, 7.5 * 3600.0

TRIPS = pd.DataFrame(
    {
        "zone": [0, 0, 1, -1, -1, 0],
        "purpose": ["work", "home", "work", "through", "line", "work"],
        "vehicle_type": ["car", "car", "car", "car", "bus", "car"],
        "due_s": [100.0, 100.0, 100.0, 100.0, 100.0, 10.0],
        "arrival_s": [200.0, np.nan, 300.0, 400.0, 500.0, 20.0],
        "duration_s": [100.0, 50.0, 200.0, 300.0, 400.0, 10.0],
        "time_loss_s": [20.0, 10.0, 40.0, 60.0, 80.0, 5.0],
        "depart_delay_s": [0.0, 5.0, 0.0, 0.0, 0.0, 0.0],
    }
)


@pytest.fixture(scope="module")
def demand(helsinki: City) -> Demand:
    return Demand.generate(helsinki, scale=0.2)


@pytest.fixture(scope="module")
def prepared(helsinki: City, demand: Demand) -> Prepared:
    return prepare(helsinki, demand, seed=2, begin_s=BEGIN, end_s=END, iterations=2)


def run(city: City, prepared: Prepared, *measures: Measure) -> Simulation:
    sim = Simulation(city, prepared, seed=2, begin_s=BEGIN, end_s=END, measures=measures)
    sim.run()
    return sim


def test_groups_by_hand() -> None:
    table = group_table(TRIPS, 60.0).set_index("group")
    assert table.loc["work"].tolist() == [2.0, 150.0, 30.0]
    assert table.loc["home", "trips"] == 1.0
    assert np.isnan(table.loc["home", "duration_s"])
    assert table.loc["home", "delay_s"] == 15.0
    assert table.loc[OUTSIDE].tolist() == [1.0, 300.0, 60.0]


def test_zones_by_hand(demand: Demand) -> None:
    zones = demand.zones
    n = len(zones)
    minutes = np.full((n, n), 99.0)
    np.fill_diagonal(minutes, 0.0)
    minutes[0, 1], minutes[0, 2] = 7.0, 14.0
    reach = Reach(np.ones(1), minutes[None])
    table = zone_table(zones, reach, TRIPS, 60.0)
    assert table["people_5"].tolist() == pytest.approx(zones.residents.tolist())
    assert table["jobs_15"].iloc[0] == pytest.approx(zones.jobs[:3].sum())
    assert table["people_10"].iloc[0] == pytest.approx(zones.residents[:2].sum())
    assert table["trips"].iloc[:3].tolist() == [2.0, 1.0, 0.0]
    assert table["delay_s"].iloc[0] == pytest.approx((20.0 + 15.0) / 2)
    assert table["duration_s"].iloc[0] == pytest.approx(100.0)
    share = zones.residents / zones.residents.sum()
    near = zones.residents + share * 0.0
    near[0] = zones.residents[:3].sum()
    assert reach_indicators(zones, reach)["people_15_min"] == pytest.approx(share @ near)
    cut = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    half = zone_table(zones, Reach(np.array([0.75, 0.25]), np.stack([minutes, cut])), TRIPS, 60.0)
    alone = zones.jobs[0]
    assert half["jobs_15"].iloc[0] == pytest.approx(0.75 * zones.jobs[:3].sum() + 0.25 * alone)


def test_minutes_of_an_empty_city_are_those_of_free_streets_and_signals(
    helsinki: City, demand: Demand
) -> None:
    empty = prepare(helsinki, demand.scaled(0.0), seed=2, begin_s=BEGIN, end_s=END, iterations=1)
    sim = run(helsinki, empty)
    traffic = sim.parts["traffic"]
    graph = empty.graphs["cars"]
    shut = np.zeros((2, len(helsinki.streets)), bool)
    reach = zone_reach(demand.zones, traffic.network, traffic.state, graph, BEGIN, shut)  # type: ignore[attr-defined]
    assert reach.share.tolist() == [1.0]
    minutes = reach.minutes[0]
    main = demand.zones.cars.main_street()
    free = graph.free_times(main)[:, main] + graph.exit_free_s[main][None, :]
    off = ~np.eye(len(main), dtype=bool)
    # buses alone drive, some a little faster than the limit
    assert (minutes[off] * 60.0 >= 0.95 * free[off]).all()
    assert np.median(minutes[off] * 60.0 / free[off]) < 3.0


def test_what_a_closed_bridge_cuts_off_is_out_of_reach(
    helsinki: City, demand: Demand, prepared: Prepared
) -> None:
    """All along, and for half of the period, which is half of the loss."""
    bridge = "Pitkäsilta"
    tables = [
        run(helsinki, prepared, *measures).results().tables["zones"]
        for measures in ((), (Close(street=bridge),), (Close(street=bridge, end="07:15"),))
    ]
    graph = prepared.graphs["cars"]
    closed = np.zeros(graph.n_streets, bool)
    closed[find_streets(helsinki, bridge)] = True
    beyond = graph.cut_off(closed)[demand.zones.cars.main_street()]
    people = demand.zones.residents
    assert people[beyond].sum() > 0
    base, shut, half = (t["people_15"].to_numpy() for t in tables)
    assert base[beyond] == pytest.approx(people.sum())  # the map is small
    assert shut[beyond] == pytest.approx(people[beyond].sum())
    assert shut[~beyond & (base > 0)].max() <= people[~beyond].sum() + 1e-6
    assert half == pytest.approx((base + shut) / 2)


def test_slower_streets_reach_fewer_people(helsinki: City, prepared: Prepared) -> None:
    fast = run(helsinki, prepared).results()
    slow = run(helsinki, prepared, Speed(streets={"slower_than_kmh": 300}, kmh=5)).results()
    assert slow.indicators["people_15_min"] < fast.indicators["people_15_min"]
    a, b = fast.tables["zones"], slow.tables["zones"]
    assert (b["people_5"] <= a["people_5"] + 1e-9).mean() > 0.95
    assert a["trips"].sum() == pytest.approx((fast.tables["trips"]["zone"] >= 0).sum())


def test_every_trip_of_a_resident_has_the_zone_where_its_home_is(
    helsinki: City, demand: Demand
) -> None:
    """Streets of a zone are those that its trips start from, or come back to."""
    trips = demand.draw(5)
    places = demand.zones.cars
    streets = {z: set(places.street[places.ptr[z] : places.ptr[z + 1]]) for z in range(len(places))}
    home = trips[trips["purpose"] == "home"].query("zone >= 0")
    out = trips[trips["purpose"].isin(["work", "shopping", "leisure"])].query("zone >= 0")
    assert len(home) > 10
    assert len(out) > 10
    assert all(d in streets[z] for d, z in zip(home["destination"], home["zone"], strict=True))
    assert all(o in streets[z] for o, z in zip(out["origin"], out["zone"], strict=True))
    assert (trips.loc[trips["purpose"] == "through", "zone"] == -1).all()


def test_who_is_cut_off_is_counted(helsinki: City, demand: Demand, prepared: Prepared) -> None:
    measure = Close(streets={"highway": ["primary", "secondary", "tertiary"]})
    alone = prepare(
        helsinki, demand, seed=2, begin_s=BEGIN, end_s=END, iterations=1, usual=prepared,
        measures=[measure],
    )  # fmt: skip
    results = run(helsinki, alone, measure).results()
    stranded = len(prepared.trips) - len(alone.trips)
    assert results.indicators["cut_off"] == stranded > 0
    trips = results.tables["trips"]
    assert len(trips) == len(prepared.trips)
    last = trips.tail(stranded)
    assert last["depart_s"].isna().all()
    assert last["depart_delay_s"].tolist() == pytest.approx((END - last["due_s"]).tolist())
    delay = trips["time_loss_s"].fillna(0.0) + trips["depart_delay_s"]
    assert results.indicators["delay_per_trip_s"] == pytest.approx(delay.mean())
