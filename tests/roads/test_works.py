"""Road works on the clock: crews are scarce, streets are taken, traffic answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic
import pytest

from twin.errors import ScenarioError
from twin.roads.works import Works
from twin.simulation import Prepared, Simulation, prepare
from twin.traffic.demand import Demand

if TYPE_CHECKING:
    from twin.city import City

BEGIN, END = 9 * 3600.0, 11 * 3600.0


@pytest.fixture(scope="module")
def prepared(helsinki: City) -> Prepared:
    demand = Demand.generate(helsinki, scale=0.3)
    return prepare(helsinki, demand, seed=3, begin_s=BEGIN, end_s=END, iterations=3)


def simulate(city: City, prepared: Prepared, *measures: Works) -> Simulation:
    sim = Simulation(
        city,
        prepared,
        seed=3,
        begin_s=BEGIN,
        end_s=END,
        measures=measures,
        response="en_route",
    )
    sim.run()
    return sim


def busiest(city: City, prepared: Prepared) -> str:
    """The street section with the most vehicles of those with two lanes and over 60 m."""
    import numpy as np

    load = np.bincount(prepared.routes.street, minlength=len(city.streets)).astype(float)
    load[(city.streets["lanes"] < 2) | (city.streets["length_m"] < 60)] = 0
    return str(city.streets["id"].iloc[int(load.argmax())])


def test_a_crew_works_on_one_site_at_a_time(helsinki: City, prepared: Prepared) -> None:
    """Two sites at nine with one crew: the second begins when the first ends."""
    street = busiest(helsinki, prepared)
    sim = simulate(
        helsinki,
        prepared,
        Works(street=street, begin="09:00", hours=0.5, lanes_taken=1),
        Works(street=street, begin="09:00", hours=0.5, lanes_taken=1),
    )
    first, second = sim.parts["roads"].sites.sites  # type: ignore[attr-defined]
    assert (first.began_s, first.ended_s) == (BEGIN, BEGIN + 1800.0)
    assert (second.began_s, second.ended_s) == (BEGIN + 1800.0, BEGIN + 3600.0)
    assert sim.results().indicators["works_wait_h"] == pytest.approx(0.5)
    assert sim.results().indicators["works_lane_h"] == pytest.approx(1.0)


def test_two_crews_work_side_by_side(helsinki: City, prepared: Prepared) -> None:
    street = busiest(helsinki, prepared)
    sim = simulate(
        helsinki,
        prepared,
        Works(street=street, begin="09:00", hours=0.5, lanes_taken=1, crew="north"),
        Works(street=street, begin="09:00", hours=0.5, lanes_taken=1, crew="south"),
    )
    assert [s.began_s for s in sim.parts["roads"].sites.sites] == [BEGIN, BEGIN]  # type: ignore[attr-defined]


def test_nobody_enters_a_street_that_works_close_and_the_delay_is_counted(
    helsinki: City, prepared: Prepared
) -> None:
    """No entries while closed; the delay caused is the difference of two replications."""
    street = busiest(helsinki, prepared)
    sim = simulate(helsinki, prepared, Works(street=street, begin="09:15", hours=1.0, closes=True))
    results = sim.results()
    number = int((helsinki.streets["id"] == street).to_numpy().argmax())
    streets = results.tables["streets"]
    rows = streets[streets["street"] == number]
    shut = rows[
        (rows["interval_start_s"] >= BEGIN + 900) & (rows["interval_start_s"] < BEGIN + 4500)
    ]
    entered = int(shut["entered"].sum())
    usual = sim.without("roads")
    before = usual.tables["streets"].groupby("street")["entered"].sum()[number]
    assert entered <= 3  # those who were inside the junction when it closed
    assert before > 50
    caused = results.indicators["total_delay_h"] - usual.indicators["total_delay_h"]
    assert results.indicators["works_delay_h"] == pytest.approx(caused)
    assert list(results.tables["events"]["kind"]) == ["works_begin", "works_end"]


def test_without_works_there_is_no_delay_of_works(helsinki: City, prepared: Prepared) -> None:
    assert simulate(helsinki, prepared).results().indicators["works_delay_h"] == 0.0


def test_works_must_take_something_and_know_their_street(
    helsinki: City, prepared: Prepared
) -> None:
    with pytest.raises(pydantic.ValidationError, match="take no lane"):
        Works(street="x", begin="09:00", hours=1)
    with pytest.raises(pydantic.ValidationError, match="no time of day"):
        Works(street="x", begin="9 Uhr", hours=1, closes=True)
    with pytest.raises(ScenarioError, match="did you mean Kaivokatu"):
        simulate(helsinki, prepared, Works(street="Kaivokat", begin="09:00", hours=1, closes=True))
