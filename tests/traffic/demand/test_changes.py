"""Changes of a demand: what is not meant stays, what is added is what assumptions and people say."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shapely.geometry import Point, Polygon, box

from twin.errors import InputError
from twin.traffic.demand import DEFAULT, Demand
from twin.traffic.demand.changes import (
    Development,
    Event,
    scaled_part,
    with_development,
    with_event,
    with_headways,
)
from twin.traffic.demand.lines import draw_runs, hourly_buses

DAY_S = 86400.0
CORNER = box(-10, -10, 410, 410)
SOUTH = box(-500, -500, 1500, 400)


@pytest.fixture(scope="module")
def demand(toy_city) -> Demand:
    return Demand.generate(toy_city)


@pytest.fixture(scope="module")
def trips(demand) -> pd.DataFrame:
    return demand.draw(1)


def among(part: pd.DataFrame, whole: pd.DataFrame) -> bool:
    """Whether all rows of a table are rows of another, in all columns."""
    return len(part.merge(whole, how="inner")) == len(part)


def daily(demand: Demand, number: int) -> np.ndarray:
    """Trips of the last flow of a number."""
    return [flow.made() for flow in demand.flows if flow.number == number][-1]


@pytest.mark.parametrize(
    "part",
    [{}, {"purpose": "work"}, {"vehicle_type": "lorry"}, {"within": SOUTH, "direction": "from"},
     {"within": SOUTH, "direction": "to", "purpose": "leisure"}, {"within": SOUTH}],
)  # fmt: skip
def test_a_smaller_part_is_among_the_trips_and_a_larger_one_holds_them(demand, trips, part) -> None:
    half, most, more, much = (scaled_part(demand, f, **part) for f in (0.5, 0.8, 1.5, 3.0))
    drawn = [changed.draw(1) for changed in (half, most, demand, more, much)]
    for smaller, larger in zip(drawn[:-1], drawn[1:], strict=True):
        assert among(smaller, larger)
    totals = [d.expected()["trips"].sum() for d in (half, most, demand, more, much)]
    step = np.diff(totals) / np.array([0.3, 0.2, 0.5, 1.5])
    assert step == pytest.approx(np.full(4, step[0]))  # linear in the factor
    for table, total in zip(drawn, totals, strict=True):
        assert len(table) == pytest.approx(total, abs=5.0 * np.sqrt(total))
        assert table["id"].is_unique
    assert not among(trips, drawn[0])


def test_work_from_home_takes_the_way_back_too(demand) -> None:
    fewer = scaled_part(demand, 0.8, purpose="work")
    for flow, changed in zip(demand.flows, fewer.flows, strict=True):
        factor = 0.8 if flow.number in (0, 1) else 1.0
        assert changed.made() == pytest.approx(factor * flow.trips)
    twice = scaled_part(scaled_part(fewer, 1.25, purpose="work"), 0.0, purpose="freight")
    table, before = twice.expected(), demand.expected()
    assert table[table["vehicle_type"] == "car"]["trips"].sum() == pytest.approx(
        before[before["vehicle_type"] == "car"]["trips"].sum()
    )
    lorries = table[table["purpose"] == "freight"]
    assert lorries["trips"].sum() == 0.0


def test_trips_of_zones_by_direction(demand) -> None:
    n, inside = len(demand.zones), demand.zones.y < 400.0
    assert 0 < inside.sum() < n
    for direction, start, end in (("from", 1, 0), ("to", 0, 1), ("both", 1, 1)):
        none = scaled_part(demand, 0.0, zones=inside, direction=direction)
        for flow in none.flows:
            left = flow.made()
            assert left[:n][inside].sum() == 0.0 or not start
            assert left[:, :n][:, inside].sum() == 0.0 or not end
            others = np.ix_(~inside, ~inside)
            assert np.array_equal(left[:n, :n][others], flow.trips[:n, :n][others])


def test_what_no_trip_is_cannot_be_scaled(demand) -> None:
    for match, given in (
        ("did you mean 'work'", {"purpose": "wrk"}),
        ("vehicle type 'bus'", {"vehicle_type": "bus"}),
        ("no zone's centre lies within", {"within": box(9e5, 9e5, 9e5 + 1, 9e5 + 1)}),
        ("direction", {"direction": "along"}),
        ("do not fit", {"zones": np.ones(2, bool)}),
    ):
        with pytest.raises(InputError, match=match):
            scaled_part(demand, 0.5, **given)
    for factor in (-1.0, np.nan):
        with pytest.raises(InputError, match="factor"):
            scaled_part(demand, factor)


def test_two_thousand_people_make_the_trips_of_the_assumptions(toy_city, demand, trips) -> None:
    quarter = Development("Südpark", CORNER, residents=2000.0)
    new = with_development(demand, toy_city, quarter)
    old = len(demand.zones)
    # 2,000 people x ways a day x drivers: work, education, shopping, leisure
    by_hand = [2000 * 0.35 * 0.50, 2000 * 0.20 * 0.12, 2000 * 0.45 * 0.38, 2000 * 0.50 * 0.28]
    for number, trips_a_day in enumerate(by_hand):
        out, back = daily(new, 2 * number), daily(new, 2 * number + 1)
        assert out[old].sum() == pytest.approx(trips_a_day)
        assert back[:, old].sum() == pytest.approx(trips_a_day)
    visits = 2000 * DEFAULT["leisure_per_resident_visited"] * 0.28
    assert daily(new, 6)[:, old].sum() == pytest.approx(visits)  # visits at their homes
    added = new.expected()["trips"].sum() - demand.expected()["trips"].sum()
    own = daily(new, 6)[old, old]
    assert added == pytest.approx(2 * (sum(by_hand) + visits - own))
    drawn = new.draw(1)
    assert among(trips, drawn)
    assert drawn["id"].is_unique
    assert len(drawn) - len(trips) == pytest.approx(added, abs=4.5 * np.sqrt(added))
    assert new.zones.label[old] == "Südpark"
    assert new.population()["residents"].iloc[old] == 2000.0


def test_jobs_bring_commuters_business_and_lorries(toy_city, demand) -> None:
    new = with_development(demand, toy_city, Development("Werk", CORNER, jobs=400.0))
    old = len(demand.zones)
    assert daily(new, 0)[:, old].sum() == pytest.approx(400 * 0.75 * 0.5)
    assert daily(new, 1)[old].sum() == pytest.approx(400 * 0.75 * 0.5)
    assert daily(new, 8)[old].sum() == pytest.approx(400 * 0.12)
    assert daily(new, 8)[:, old].sum() == pytest.approx(400 * 0.12)
    assert daily(new, 9)[old].sum() == pytest.approx(400 * 0.06)
    untouched = daily(new, 0)
    untouched[old], untouched[:, old] = 0.0, 0.0
    assert untouched.sum() == 0.0


def test_several_quarters_know_each_other(toy_city, demand) -> None:
    homes = Development("Homes", CORNER, residents=1000.0)
    works = Development("Works", Point(700.0, 700.0), jobs=500.0)
    both = with_development(demand, toy_city, homes, works)
    old = len(demand.zones)
    out = daily(both, 0)
    assert out[old, old + 1] > 0.0
    assert out[old].sum() == pytest.approx(1000 * 0.35 * 0.5)
    assert out[:, old + 1].sum() == pytest.approx(500 * 0.75 * 0.5)
    one = with_development(with_development(demand, toy_city, homes), toy_city, works)
    assert one.draw(1)["id"].is_unique
    assert one.digest != both.digest
    scaled = scaled_part(one, 0.0, zones=np.array([name == "Homes" for name in one.zones.label]))
    assert daily(scaled, 0)[old].sum() == 0.0
    inside = toy_city.streets.geometry.interpolate(0.5, normalized=True).within(CORNER)
    place = both.zones.cars.part(old, old + 1)
    assert set(place.street) == set(np.flatnonzero(inside))


def test_quarters_far_away_or_wrong_are_refused(toy_city, demand) -> None:
    far = Development("Far", Point(9e5, 9e5), residents=10.0)
    with pytest.raises(InputError, match="'Far': no street for cars is inside or within 500 m"):
        with_development(demand, toy_city, far)
    with pytest.raises(InputError, match=r"residents of development 'X'\(=-1"):
        Development("X", CORNER, residents=-1.0)
    twice = Development("X", CORNER, residents=1.0)
    with pytest.raises(InputError, match="another zone has this name"):
        with_development(demand, toy_city, twice, twice)
    with pytest.raises(InputError, match="no valid polygon"):
        Development("X", Polygon(), residents=1.0)


def concert(**given) -> Event:
    values = {
        "visitors": 4000.0, "begin_s": DAY_S + 20 * 3600.0, "end_s": DAY_S + 23.5 * 3600.0,
        "car_share": 0.5, "persons_per_car": 2.5, "arrive_within_min": 90.0,
        "leave_within_min": 60.0, **given,
    }  # fmt: skip
    return Event("Concert", Point(400.0, 400.0), **values)


def test_an_event_happens_once_at_its_time(toy_city, demand) -> None:
    both = with_event(demand, toy_city, concert(outside_share=1.0))
    trips = both.draw(4, 0.0, 3 * DAY_S)
    assert among(demand.draw(4, 0.0, 3 * DAY_S), trips)
    assert trips["id"].is_unique
    number = trips["id"].to_numpy() >> 53
    arrive, leave = trips[number == 12], trips[number == 13]
    for table in (arrive, leave):
        assert len(table) == pytest.approx(800, abs=4.5 * np.sqrt(800))  # 4,000 x 0.5 / 2.5
    peak = DEFAULT["event_peak"]
    end_s = DAY_S + 23.5 * 3600.0
    after = stats.triang(peak, loc=end_s, scale=3600.0)
    assert stats.kstest(leave["depart_s"], after.cdf).pvalue > 0.001
    n = len(both.zones)
    minutes = next(reversed(both.layouts.values())).minutes[n:, n - 1]
    way_s = 60.0 * pd.Series(minutes, index=both.entries.street)[arrive["origin"]].to_numpy()
    before = stats.triang(1.0 - peak, loc=DAY_S + 18.5 * 3600.0, scale=5400.0)
    assert stats.kstest(arrive["depart_s"] + way_s, before.cdf).pvalue > 0.001
    assert set(arrive["purpose"]) == {"event"}
    assert set(leave["purpose"]) == {"home"}
    part = both.draw(4, DAY_S + 68_000.0, DAY_S + 70_500.0)
    cut = trips["depart_s"].between(DAY_S + 68_000.0, DAY_S + 70_500.0, inclusive="left")
    assert part.equals(trips[cut].reset_index(drop=True))


def test_visitors_come_from_homes_and_gates_and_park_near(toy_city, demand) -> None:
    both = with_event(demand.scaled(0.5), toy_city, concert(outside_share=0.25, parking_m=250.0))
    n = len(both.zones)
    to, back = daily(both, 12), daily(both, 13)
    assert both.scale * to.sum() == pytest.approx(800.0)  # as stated, whatever the scale
    assert to[n:].sum() == pytest.approx(0.25 * to.sum())
    assert back[:, n:].sum() == pytest.approx(0.25 * back.sum())
    assert to[: n - 1, n - 1] / to[: n - 1].sum() == pytest.approx(
        demand.zones.residents / demand.zones.residents.sum()
    )
    trips = both.draw(1, DAY_S, 2 * DAY_S)
    middle = toy_city.streets.geometry.interpolate(0.5, normalized=True)
    parked = middle[trips.loc[trips["purpose"] == "event", "destination"]]
    assert (parked.distance(Point(400.0, 400.0)) <= 251.0).all()
    only = with_event(demand.scaled(0.0), toy_city, concert())
    assert only.expected()["trips"].sum() == pytest.approx(1600.0)
    assert set(only.draw(1, DAY_S, 3 * DAY_S)["purpose"]) == {"event", "home"}
    assert len(scaled_part(only, 0.0, purpose="event").draw(1, DAY_S, 3 * DAY_S)) == 0


def test_two_events_have_trips_of_their_own(toy_city, demand) -> None:
    one = with_event(demand, toy_city, concert())
    other = Event("Fair", Point(0.0, 0.0), 500.0, DAY_S + 19.5 * 3600, DAY_S + 23.5 * 3600)
    both = with_event(one, toy_city, other)
    trips = both.draw(2, DAY_S, 3 * DAY_S)
    assert trips["id"].is_unique
    assert among(one.draw(2, DAY_S, 3 * DAY_S), trips)


def test_an_event_that_cannot_be_is_refused(toy_city, demand, make_city) -> None:
    with pytest.raises(InputError, match=r"end_s of event 'Concert'\(=10"):
        concert(end_s=10.0)
    for name, value in (("car_share", 1.1), ("persons_per_car", 0.5), ("visitors", -1.0)):
        with pytest.raises(InputError, match=name):
            concert(**{name: value})
    far = Event("Far", Point(9e5, 9e5), 10.0, 0.0, 3600.0)
    with pytest.raises(InputError, match="'Far': no street for cars"):
        with_event(demand, toy_city, far)
    empty = make_city(buildings=False, gates=False)
    alone = Demand.generate(empty, assumptions=DEFAULT.with_values(residents_per_street_km=0.0,
                                                                  jobs_per_street_km=0.0))  # fmt: skip
    with pytest.raises(InputError, match="nobody can come"):
        with_event(alone, empty, concert())


def test_changes_travel_to_workers(toy_city, demand) -> None:
    all_of_it = with_event(
        with_development(demand, toy_city, Development("New", CORNER, residents=100.0, jobs=50.0)),
        toy_city,
        concert(),
    )
    changed = scaled_part(all_of_it, 1.1, purpose="work")
    again = pickle.loads(pickle.dumps(changed))
    assert again.digest == changed.digest != all_of_it.digest != demand.digest
    assert again.draw(1, DAY_S, 2 * DAY_S).equals(changed.draw(1, DAY_S, 2 * DAY_S))
    assert Demand.generate(toy_city).digest == demand.digest


def test_generated_zones_are_named_by_their_cell(demand) -> None:
    size = DEFAULT["zone_size_m"]
    table = demand.population()
    assert len(set(table["label"])) == len(table)
    for row in table.itertuples():
        east, north = (float(v) for v in row.label[1:].split("N"))
        assert row.geometry.equals(box(east, north, east + size, north + size))
        assert row.geometry.covers(Point(row.x, row.y))
    assert table["residents"].sum() == pytest.approx(demand.zones.residents.sum())


def test_stated_headways_replace_assumed_ones() -> None:
    lines = pd.DataFrame({"id": list("abcd"), "ref": ["7", "7", "61N", "8"], "headway_s": 0.0})
    usual, stated = hourly_buses(lines), hourly_buses(lines, DEFAULT, {"7": 6.0, "61N": 0.0})
    assert set(stated[0]) == set(stated[1]) == {0.0, 10.0}
    assert np.array_equal(stated[0] > 0.0, usual[0] > 0.0)
    assert stated[2].sum() == 0.0
    assert np.array_equal(stated[3], usual[3])
    city = SimpleNamespace(lines=lines)
    demand = SimpleNamespace(headways={})
    for given, match in (
        ({"61": 5.0}, "headway of line '61': there is no such line; did you mean '61N'"),
        ({"7": -1.0}, "headway of line '7' in minutes"),
        ({"7": float("nan")}, "headway of line '7' in minutes"),
    ):
        with pytest.raises(InputError, match=match):
            with_headways(demand, city, given)


def test_a_line_at_a_stated_headway_in_helsinki(helsinki) -> None:
    demand = Demand.generate(helsinki)
    refs = helsinki.lines["ref"]
    number = refs[refs.str.fullmatch(r"\d+")].value_counts().loc[lambda n: n == 2].index[0]
    changed = with_headways(demand, helsinki, {number: 10.0})
    assert changed.digest != demand.digest
    row = np.flatnonzero(refs == number)
    runs = draw_runs(helsinki, 1, 7 * 3600.0, 9 * 3600.0, changed.assumptions, changed.headways)
    line = (runs.trips["id"].to_numpy() - (127 << 53)) >> 24
    assert np.isin(line, row).sum() == 2 * 2 * 6  # two directions, two hours, six buses an hour
    none = draw_runs(helsinki, 1, 0.0, DAY_S, headways={number: 0.0})
    assert not np.isin((none.trips["id"].to_numpy() - (127 << 53)) >> 24, row).any()
    usual = draw_runs(helsinki, 1, 7 * 3600.0, 9 * 3600.0)
    others = ~np.isin((usual.trips["id"].to_numpy() - (127 << 53)) >> 24, row)
    assert among(usual.trips[others], runs.trips)


def test_a_copy_of_a_zone_travels_as_the_zone_does(helsinki) -> None:
    demand = Demand.generate(helsinki)
    zones, per_resident = demand.zones, DEFAULT["leisure_per_resident_visited"]
    k, n = int(np.argmax(zones.residents)), len(demand.zones)
    people = {name: float(getattr(zones, name)[k]) for name in ("residents", "jobs", "shopping")}
    leisure = max(0.0, float(zones.leisure[k]) - per_resident * people["residents"])
    copy = Development("Copy", Point(zones.x[k], zones.y[k]), leisure=leisure, **people)
    new = with_development(demand, helsinki, copy)
    layout = next(layout for key, layout in new.layouts.items() if key.startswith("car "))
    for number in (0, 4):  # work, shopping
        usual, added = (flow.trips for flow in new.flows if flow.number == number)
        inside = usual[k, :n], added[n, : n + 1]
        assert inside[1].sum() == pytest.approx(inside[0].sum(), rel=0.02)
        minutes = demand.layouts["car"].minutes[k, :n], layout.minutes[n, : n + 1]
        mean = [float(np.average(m, weights=w)) for m, w in zip(minutes, inside, strict=True)]
        assert mean[1] == pytest.approx(mean[0], rel=0.15)


def test_an_event_of_another_day_has_its_hours(toy_city, demand) -> None:
    both = with_event(demand, toy_city, concert())
    table = both.expected()
    table = table[table["purpose"] == "event"]
    assert table["trips"].sum() == pytest.approx(800.0)
    assert set(table.loc[table["trips"] > 0, "hour"]) <= {24 + 18, 24 + 19}
    assert table["trips"].max() > 400.0


def test_more_trips_than_ids_are_refused(demand) -> None:
    with pytest.raises(InputError, match="leave one place in an hour"):
        demand.scaled(1e6).draw(1, 8 * 3600.0, 9 * 3600.0)
