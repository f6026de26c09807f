"""Demand: totals as expected, the same by seed, a part of itself when scaled or cut."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.traffic.demand import DEFAULT, Demand
from twin.traffic.routing import RoadGraph, TravelTimes, shortest_routes

DAY_S = 86400.0


@pytest.fixture(scope="module")
def demand(toy_city) -> Demand:
    return Demand.generate(toy_city)


@pytest.fixture(scope="module")
def trips(demand):
    return demand.draw(1)


def test_gates_carry_their_volumes_and_days_balance(demand) -> None:
    n = len(demand.zones)
    for kind, volume in (("car", demand.entries.cars), ("lorry", demand.entries.lorries)):
        flows = [flow for flow in demand.flows if flow.vehicle_type == kind]
        into = sum(flow.trips[n:].sum(axis=1) for flow in flows)
        out = sum(flow.trips[:, n:].sum(axis=0) for flow in flows)
        assert np.all(into <= volume + 1e-2)
        assert into.sum() == pytest.approx(out.sum(), rel=1e-4)
        assert 2.0 * (volume.sum() - into.sum()) == pytest.approx(
            demand.notes[f"{kind}_gate_volume_unused"], rel=0.01, abs=1.0
        )
    car = [flow for flow in demand.flows if flow.vehicle_type == "car"]
    sent = sum(flow.trips.sum(axis=1)[:n] for flow in car)
    drawn = sum(flow.trips.sum(axis=0)[:n] for flow in car)
    assert sent == pytest.approx(drawn, rel=1e-4)  # who comes leaves again


def test_peak_hour_at_the_gates_stays_below_their_peak_share(demand) -> None:
    from twin.traffic.demand.departures import PROFILES

    n = len(demand.zones)
    flows = [flow for flow in demand.flows if flow.vehicle_type == "car" and flow.number < 10]
    hourly = sum(flow.trips[n:, :n].sum() * PROFILES[flow.profile] for flow in flows)
    room = (1.0 - DEFAULT["through_share_min"]) * DEFAULT["gate_peak_share"]
    assert hourly.max() <= room * demand.entries.cars.sum() * 1.0001


def test_totals_are_as_expected(demand, trips) -> None:
    expected = demand.expected()
    assert len(trips) == pytest.approx(
        expected["trips"].sum(), abs=4.5 * np.sqrt(expected["trips"].sum())
    )
    hour = (trips["depart_s"] // 3600).astype(int)
    counts = trips.groupby([hour, "purpose", "vehicle_type"]).size()
    for row in expected.itertuples():
        drawn = counts.get((row.hour, row.purpose, row.vehicle_type), 0)
        assert abs(drawn - row.trips) <= 5.0 * np.sqrt(row.trips) + 5.0


def test_origins_follow_the_expected_trips(demand) -> None:
    work = next(flow for flow in demand.flows if flow.purpose == "work")
    many = demand.scaled(20.0).draw(3)
    many = many[many["purpose"] == "work"]
    gates = demand.exits.street
    n = len(demand.zones)
    for position, street in enumerate(gates):
        expected = 20.0 * work.trips[:n, n + position].sum()
        assert np.sum(many["destination"] == street) >= expected - 5.0 * np.sqrt(expected) - 5.0


def test_the_table_is_what_the_contract_says(toy_city, trips) -> None:
    assert list(trips.columns) == [
        "origin", "destination", "depart_s", "purpose", "vehicle_type", "id", "zone",
    ]  # fmt: skip
    assert trips["depart_s"].is_monotonic_increasing
    assert trips["id"].is_unique
    assert trips["id"].min() >= 0
    assert set(trips["vehicle_type"]) == {"car", "lorry"}
    assert trips["origin"].between(0, len(toy_city.streets) - 1).all()


def test_every_trip_has_a_route(toy_city, trips) -> None:
    for vehicle, name in (("car", "cars"), ("lorry", "lorries")):
        some = trips[trips["vehicle_type"] == vehicle]
        graph = RoadGraph.from_city(toy_city, name)
        where = some["origin"], some["destination"], some["depart_s"]
        assert np.isfinite(shortest_routes(graph, TravelTimes.free(graph), *where).cost_s).all()


def test_a_seed_gives_one_day_and_another_another(demand, trips) -> None:
    assert demand.draw(1).equals(trips)
    assert not demand.draw(2)["id"].isin(trips["id"]).all()


@pytest.mark.parametrize(("begin_s", "end_s"), [(7 * 3600, 9 * 3600), (0, 1), (30_000, 30_900)])
def test_a_period_is_that_part_of_the_day(demand, trips, begin_s: float, end_s: float) -> None:
    part = trips[(trips["depart_s"] >= begin_s) & (trips["depart_s"] < end_s)]
    assert demand.draw(1, begin_s, end_s).equals(part.reset_index(drop=True))


def test_the_second_day_is_another_draw_of_the_same_day(demand, trips) -> None:
    second = demand.draw(1, DAY_S, 2 * DAY_S)
    assert abs(len(second) - len(trips)) < 6.0 * np.sqrt(2 * len(trips))
    assert not set(second["id"]) & set(trips["id"])


def test_half_the_demand_is_a_part_of_the_whole(demand, trips) -> None:
    half = demand.scaled(0.5).draw(1)
    merged = half.merge(trips, how="inner")
    assert len(merged) == len(half)
    assert len(half) == pytest.approx(0.5 * len(trips), abs=5.0 * np.sqrt(len(trips)))
    assert len(demand.scaled(0.0).draw(1)) == 0


def test_more_jobs_bring_more_work_trips(toy_city, demand) -> None:
    more = Demand.generate(toy_city, assumptions=DEFAULT.with_values(work_per_job=0.9))
    totals = [d.expected().groupby("purpose")["trips"].sum()["work"] for d in (demand, more)]
    assert totals[1] > totals[0]


def test_a_city_without_gates_has_internal_trips_only(make_city) -> None:
    demand = Demand.generate(make_city(gates=False))
    trips = demand.draw(1)
    assert len(trips) > 50
    assert demand.notes["entries"] == 0.0
    assert "through" not in set(trips["purpose"])


def test_a_city_without_buildings_still_has_trips(make_city) -> None:
    trips = Demand.generate(make_city(buildings=False)).draw(1)
    assert {"through", "work", "home"} <= set(trips["purpose"])


def test_where_lorries_are_forbidden_there_are_none(make_city) -> None:
    trips = Demand.generate(make_city(lorries=False)).draw(1)
    assert set(trips["vehicle_type"]) == {"car"}


def test_what_cannot_be_drawn_is_refused(make_city, demand) -> None:
    with pytest.raises(InputError, match="period"):
        demand.draw(1, 5.0, 5.0)
    with pytest.raises(InputError, match="scale"):
        demand.scaled(-1.0)
    city = make_city()
    city.movements = city.movements.iloc[:0]
    with pytest.raises(InputError, match="no connected road network"):
        Demand.generate(city)


def test_central_helsinki_has_a_plausible_day(helsinki) -> None:
    demand = Demand.generate(helsinki)
    trips = demand.draw(1)
    hourly = np.bincount((trips["depart_s"] // 3600).astype(int), minlength=24)
    # 1.0 x 1.7 km of centre: about 31 roads in, 47,000 jobs, 8,000 residents
    assert 60_000 < len(trips) < 120_000
    assert 4_000 < hourly[7] < 9_000
    assert 5_000 < hourly[16] < 11_000
    assert hourly[:5].sum() < 0.05 * len(trips)
    graph = RoadGraph.from_city(helsinki)
    cars = trips[trips["vehicle_type"] == "car"]
    where = cars["origin"], cars["destination"], cars["depart_s"]
    assert np.isfinite(shortest_routes(graph, TravelTimes.free(graph), *where).cost_s).all()
