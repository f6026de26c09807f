"""Buses of lines: headways, times at stops, and their part in the flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from twin.errors import InputError
from twin.simulation import Simulation
from twin.traffic.demand import DEFAULT, Demand
from twin.traffic.demand.lines import draw_runs, hourly_buses
from twin.traffic.measures import Close
from twin.traffic.preparation import Prepared, prepare

if TYPE_CHECKING:
    from twin.city import City

BEGIN, END = 7 * 3600.0, 8 * 3600.0
DAY_S = 86400.0


def lines(*refs: str, headway_s: float = 0.0) -> pd.DataFrame:
    ids = [str(k) for k in range(len(refs))]
    return pd.DataFrame({"id": ids, "ref": list(refs), "headway_s": headway_s})


@pytest.fixture(scope="module")
def prepared(helsinki: City) -> Prepared:
    demand = Demand.generate(helsinki, scale=0.1)
    return prepare(helsinki, demand, seed=4, begin_s=BEGIN, end_s=END, iterations=1)


def simulate(city: City, prepared: Prepared, *measures: Close) -> tuple[Simulation, np.ndarray]:
    """A finished simulation, and its buses that arrived."""
    sim = Simulation(
        city, prepared, seed=4, begin_s=BEGIN, end_s=END, measures=measures, response="en_route"
    )
    sim.run()
    state = sim.parts["traffic"].state
    bus = (prepared.trips["vehicle_type"] == "bus").to_numpy()
    return sim, np.flatnonzero(bus & (state.vehicle["arrive"] >= 0))


def test_headways_by_hour() -> None:
    day, night = hourly_buses(lines("17", "61N"))
    assert day[7] == pytest.approx(60.0 / DEFAULT["bus_headway_peak_min"])
    assert day[12] == pytest.approx(60.0 / DEFAULT["bus_headway_day_min"])
    assert day[22] == pytest.approx(60.0 / DEFAULT["bus_headway_late_min"])
    assert day[:5].sum() == night[5:].sum() == 0.0
    assert night[2] == pytest.approx(60.0 / DEFAULT["bus_headway_night_min"])


def test_branches_share_the_headway_of_their_number() -> None:
    one, both, four = (hourly_buses(lines(*["7"] * n))[:, 7].sum() for n in (1, 2, 4))
    assert one == pytest.approx(both / 2.0)
    assert four == pytest.approx(both)
    unnamed = hourly_buses(lines("", "", "", ""))[:, 7].sum()
    assert unnamed == pytest.approx(4.0 * one)


def test_a_stated_headway_holds_in_the_hours_of_service() -> None:
    [rate] = hourly_buses(lines("17", headway_s=300.0))
    assert set(rate.tolist()) == {0.0, 12.0}


def test_buses_keep_their_headway(helsinki: City) -> None:
    runs = draw_runs(helsinki, 1, BEGIN, BEGIN + 3600.0)
    rates = hourly_buses(helsinki.lines)[:, 7]
    assert abs(len(runs) - rates.sum()) < len(rates)
    line = (runs.trips["id"].to_numpy() - (127 << 53)) >> 24
    busiest = int(np.argmax(rates))
    apart = np.diff(runs.trips["depart_s"].to_numpy()[line == busiest])
    assert apart == pytest.approx(3600.0 / rates[busiest])


def test_a_period_is_that_part_of_a_longer_one(helsinki: City) -> None:
    whole = draw_runs(helsinki, 3, 0.0, 2 * DAY_S)
    part = draw_runs(helsinki, 3, DAY_S + BEGIN, DAY_S + END)
    kept = whole.trips["depart_s"].between(DAY_S + BEGIN, DAY_S + END, inclusive="left")
    expected = whole.trips[kept].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.trips, expected)
    dwell = np.split(whole.stops.dwell_s, whole.stops.ptr[1:-1])
    kept_dwell = np.concatenate([dwell[k] for k in np.flatnonzero(kept)])
    assert np.array_equal(part.stops.dwell_s, kept_dwell)
    assert whole.trips["id"].is_unique


def test_times_at_stops(helsinki: City) -> None:
    dwell = draw_runs(helsinki, 1, 0.0, DAY_S).stops.dwell_s
    # The cut at two deviations takes a little off mean and deviation of the log-normal.
    assert dwell.mean() == pytest.approx(DEFAULT["bus_dwell_s"], rel=0.05)
    assert dwell.std() / dwell.mean() == pytest.approx(DEFAULT["bus_dwell_variation"], rel=0.15)
    assert dwell.min() > 0.0
    other = draw_runs(helsinki, 2, 0.0, DAY_S).stops.dwell_s
    assert not np.array_equal(dwell[:50], other[:50])


def test_buses_can_be_left_out_and_headways_need_a_length(helsinki: City) -> None:
    none = DEFAULT.with_values(bus_service_share=0.0)
    assert len(draw_runs(helsinki, 1, 0.0, DAY_S, none)) == 0
    with pytest.raises(InputError, match="bus_headway_peak_min"):
        draw_runs(helsinki, 1, 0.0, DAY_S, DEFAULT.with_values(bus_headway_peak_min=0.0))
    with pytest.raises(InputError, match="period"):
        draw_runs(helsinki, 1, 10.0, 10.0)


def test_the_scale_of_demand_leaves_buses_alone(helsinki: City, prepared: Prepared) -> None:
    demand = Demand.generate(helsinki, scale=0.0)
    empty = prepare(helsinki, demand, seed=4, begin_s=BEGIN, end_s=END, iterations=1)
    buses = prepared.trips[prepared.trips["vehicle_type"] == "bus"]
    assert len(buses) == len(draw_runs(helsinki, 4, BEGIN, END)) > 100
    pd.testing.assert_frame_equal(empty.trips, buses.reset_index(drop=True))
    first = len(prepared.trips) - len(buses)
    ways = prepared.routes.take(np.arange(first, len(prepared.trips)))
    assert np.array_equal(ways.street, draw_runs(helsinki, 4, BEGIN, END).routes.street)


def test_buses_serve_every_stop(helsinki: City, prepared: Prepared) -> None:
    sim, arrived = simulate(helsinki, prepared)
    state, stops = sim.parts["traffic"].state, prepared.stops
    assert stops is not None
    assert len(arrived) > 100
    dwell = np.add.reduceat(np.append(stops.dwell_s, 0.0), stops.ptr[:-1]) * (
        np.diff(stops.ptr) > 0
    )
    tps = prepared.network.arrays.tps
    stood = state.vehicle["stood"][arrived] / tps
    assert stood == pytest.approx(dwell[arrived], abs=0.2)
    assert (state.vehicle["stop"][arrived] == state.vehicle["stop_end"][arrived]).all()


def test_closed_stops_are_passed_over(helsinki: City, prepared: Prepared) -> None:
    stops = prepared.stops
    assert stops is not None
    # The street with a stop that most buses pass between their first and last.
    inner = prepared.routes.take(
        np.flatnonzero((prepared.trips["vehicle_type"] == "bus").to_numpy())
    )
    ends = set(inner.street[inner.ptr[:-1]]) | set(inner.street[inner.ptr[1:] - 1])
    served = np.array([s for s in stops.street if s not in ends])
    street = int(np.bincount(served).argmax())
    closure = Close(street=helsinki.streets["id"][street], begin="07:00", end="08:30")
    base, came = simulate(helsinki, prepared)
    sim, arrived = simulate(helsinki, prepared, closure)
    assert len(arrived) > 0.7 * len(came)
    both = np.intersect1d(came, arrived)
    user = np.unique(
        np.repeat(np.arange(len(stops.ptr) - 1), np.diff(stops.ptr))[stops.street == street]
    )
    user = np.intersect1d(user, both)
    assert len(user) > 0
    stood = [run.parts["traffic"].state.vehicle["stood"][user] for run in (base, sim)]
    assert (stood[1] < stood[0]).all()
    state = sim.parts["traffic"].state
    for bus in user:
        way = state.route_street[state.vehicle["route"][bus] : state.vehicle["route_end"][bus]]
        assert street not in way
