"""Assumptions, departures, zones and gates: what the demand is made of."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.traffic.demand import DEFAULT, Assumption, Assumptions
from twin.traffic.demand.departures import PROFILES
from twin.traffic.demand.gates import find_gates
from twin.traffic.demand.zones import Places, make_zones
from twin.traffic.routing import RoadGraph


@pytest.mark.parametrize("name", PROFILES)
def test_a_day_has_all_its_departures(name: str) -> None:
    shares = PROFILES[name]
    assert shares.shape == (24,)
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.all(shares >= 0.0)
    assert not shares.flags.writeable


def test_people_return_later_than_they_leave() -> None:
    hours = np.arange(24)
    for purpose in ("work", "education", "shopping", "leisure"):
        out, back = (hours @ PROFILES[f"{purpose} {way}"] for way in ("out", "back"))
        assert 0.5 < back - out < 10.0


def test_every_assumption_states_its_unit_and_reason() -> None:
    assert all(row.unit and row.reason for row in DEFAULT.rows)
    shares = [row for row in DEFAULT.rows if "share" in row.name]
    assert all(0.0 <= row.value <= 1.0 for row in shares)


def test_assumptions_are_replaced_by_name() -> None:
    changed = DEFAULT.with_values(work_per_job=0.5)
    assert changed["work_per_job"] == 0.5
    assert DEFAULT["work_per_job"] != 0.5
    assert "set by the user" in next(r for r in changed.rows if r.name == "work_per_job").reason
    with pytest.raises(InputError, match="per_yob"):
        DEFAULT.with_values(per_yob=1.0)
    with pytest.raises(InputError, match=r"work_per_job\(=-1"):
        DEFAULT.with_values(work_per_job=-1.0)
    with pytest.raises(InputError, match="twice"):
        Assumptions((Assumption("a", 1.0, "1", "x"),) * 2)


def zones_of(city, assumptions=DEFAULT):
    graphs = RoadGraph.from_city(city, "cars"), RoadGraph.from_city(city, "lorries")
    return make_zones(city, *graphs, assumptions), graphs


def test_floor_becomes_people_and_jobs(toy_city) -> None:
    zones, _ = zones_of(toy_city)
    lived_m2 = 16 * 11_000 * 0.95 + 5_000 * 0.2
    assert zones.residents.sum() == pytest.approx(lived_m2 / 55.0)
    worked = 16 * 11_000 * 0.05 / 60.0 + 5_000 * 0.8 / 55.0 + 30_000 / 30.0
    assert zones.jobs.sum() == pytest.approx(worked)
    assert zones.shopping.sum() == pytest.approx(5_000 * DEFAULT["shopping_per_retail_m2"])


def test_zones_use_near_streets_that_can_be_reached(toy_city) -> None:
    zones, (cars, _) = zones_of(toy_city)
    assert np.all(cars.core()[zones.cars.street])
    place = np.repeat(np.arange(len(zones)), np.diff(zones.cars.ptr))
    assert np.bincount(place, zones.cars.share) == pytest.approx(np.ones(len(zones)))
    middle = toy_city.streets.geometry.iloc[zones.cars.street].interpolate(0.5, normalized=True)
    off = np.hypot(middle.x - zones.x[place], middle.y - zones.y[place])
    assert np.all(off < 600.0)


def test_zones_without_a_street_near_are_counted(toy_city) -> None:
    zones, _ = zones_of(toy_city, DEFAULT.with_values(zone_reach_m=0.0))
    assert len(zones) == 0
    assert zones.dropped > 0


def test_a_city_without_buildings_has_people_along_its_streets(make_city) -> None:
    city = make_city(buildings=False)
    zones, (cars, _) = zones_of(city)
    minor_km = cars.core().sum() * 0.2
    assert zones.residents.sum() == pytest.approx(minor_km * DEFAULT["residents_per_street_km"])


def test_gates_are_where_roads_leave_the_map(toy_city) -> None:
    graphs = RoadGraph.from_city(toy_city, "cars"), RoadGraph.from_city(toy_city, "lorries")
    entries, exits, apart = find_gates(toy_city, graphs[0], DEFAULT)
    streets = toy_city.streets
    assert len(entries) == len(exits) == 4
    assert apart == 0
    assert set(streets["highway"].iloc[entries.street]) == {"primary"}
    assert np.array_equal(streets["from_junction"].iloc[entries.street], entries.junction)
    assert np.array_equal(streets["to_junction"].iloc[exits.street], exits.junction)
    daily = entries.cars + entries.lorries
    assert daily == pytest.approx(np.full(4, DEFAULT["gate_primary"]))
    assert entries.lorries == pytest.approx(daily * DEFAULT["lorry_share_primary"])


def test_a_cul_de_sac_inside_is_no_gate(make_city) -> None:
    city = make_city(size=7)
    streets = city.streets
    inner = int(np.flatnonzero(streets["highway"] == "residential")[0])
    assert not find_gates(city, RoadGraph.from_city(city), DEFAULT)[0].street.tolist().count(inner)


def test_a_street_is_picked_by_its_share() -> None:
    places = Places(np.array([0, 2, 3]), np.array([7, 8, 9], np.int32), np.array([0.25, 0.75, 1.0]))
    level = np.array([0.0, 0.24, 0.26, 0.999999])
    assert places.pick(np.zeros(4, int), level).tolist() == [7, 7, 8, 8]
    assert places.pick(np.ones(4, int), level).tolist() == [9] * 4
    assert places.main_street().tolist() == [8, 9]
    assert places.joined(np.array([3], np.int32)).pick(np.array([2]), np.array([0.5])) == [3]
