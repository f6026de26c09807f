"""A replication: reproducible, paired by seed, resumable, and coupled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from agents.registry import resolve
from twin.city.lookup import find_streets
from twin.errors import SimulationError
from twin.roads.works import Works
from twin.simulation import Prepared, Simulation, prepare
from twin.system import Measure
from twin.traffic.demand import Demand
from twin.traffic.measures import Close, Lanes, SignalPolicy, Speed

if TYPE_CHECKING:
    from twin.city import City

BEGIN, END = 7 * 3600.0, 7.5 * 3600.0
STREET = "166564262"


@pytest.fixture(scope="module")
def prepared(helsinki: City) -> Prepared:
    demand = Demand.generate(helsinki, scale=0.3)
    return prepare(helsinki, demand, seed=4, begin_s=BEGIN, end_s=END, iterations=3)


def make(city: City, prepared: Prepared, *measures: Measure, **more: object) -> Simulation:
    return Simulation(
        city,
        prepared,
        seed=4,
        begin_s=BEGIN,
        end_s=END,
        measures=measures,
        policies=resolve,
        **more,  # type: ignore[arg-type]
    )


def same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(a, b)
    except AssertionError:
        return False
    return True


def test_a_replication_repeats_itself(helsinki: City, prepared: Prepared) -> None:
    one, two = (make(helsinki, prepared).run() for _ in range(2))
    assert one.indicators == two.indicators
    assert same(one.tables["trips"], two.tables["trips"])
    assert one.indicators["trips"] > 500


def test_nothing_differs_before_a_measure_begins(helsinki: City, prepared: Prepared) -> None:
    """Common random numbers: trips that end before 07:15 are those of the base."""
    base = make(helsinki, prepared).run().tables["trips"]
    closed = (
        make(helsinki, prepared, Close(street=STREET, begin="07:15"), response="en_route")
        .run()
        .tables["trips"]
    )
    early = (base["arrival_s"] < BEGIN + 900).to_numpy()
    assert early.sum() > 100
    assert same(base[early], closed[early])
    assert not same(base, closed)


@pytest.mark.parametrize(
    ("measures", "informed", "at_s"),
    [
        ([], 1.0, 600.0),
        ([Close(street=STREET, begin="07:05", end="07:20")], 1.0, 600.0),
        ([Close(street=STREET, begin="07:05", end="07:20")], 0.3, 600.0),
        ([Close(street=STREET, begin="07:05", end="07:20")], 0.3, 603.37),
        ([Works(street=STREET, begin="07:05", hours=0.2, lanes_taken=1)], 1.0, 600.0),
        ([SignalPolicy(policy="max_pressure")], 1.0, 600.0),
    ],
    ids=["base", "close", "close-few-know", "close-between-looks", "works", "max-pressure"],
)
def test_going_on_from_a_snapshot_equals_an_undisturbed_run(
    helsinki: City, prepared: Prepared, measures: list[Measure], informed: float, at_s: float
) -> None:
    more: dict[str, Any] = {"response": "en_route", "informed": informed}
    whole = make(helsinki, prepared, *measures, **more).run()
    first = make(helsinki, prepared, *measures, **more)
    first.run(until_s=BEGIN + at_s)
    second = make(helsinki, prepared, *measures, **more, snapshot=first.snapshot()).run()
    assert same(whole.tables["trips"], second.tables["trips"])
    works = {name for name in whole.indicators if name.startswith("works_delay")}
    for name in set(whole.indicators) - works:
        assert second.indicators[name] == pytest.approx(whole.indicators[name]), name


def test_nobody_enters_a_closed_street(helsinki: City, prepared: Prepared) -> None:
    sim = make(
        helsinki, prepared, Close(street=STREET, begin="07:10", end="07:25"), response="en_route"
    )
    sim.run(until_s=BEGIN + 660.0)
    number = int(find_streets(helsinki, STREET)[0])
    traffic = sim.parts["traffic"]
    before = traffic.sync().entered[:, number].sum()  # type: ignore[attr-defined]
    sim.run(until_s=BEGIN + 1500.0)
    assert traffic.sync().entered[:, number].sum() == before  # type: ignore[attr-defined]
    sim.run()
    assert traffic.sync().entered[:, number].sum() > before  # type: ignore[attr-defined]


def test_who_does_not_know_of_a_closure_meets_it(helsinki: City, prepared: Prepared) -> None:
    def trips(informed: float) -> pd.DataFrame:
        close = Close(street=STREET, begin="07:10", end="07:25")
        sim = make(helsinki, prepared, close, response="en_route", informed=informed)
        return sim.run().tables["trips"]

    knows, half, meets = trips(1.0), trips(0.5), trips(0.0)
    before = (knows["arrival_s"] < BEGIN + 600.0).to_numpy()
    assert same(knows[before], meets[before])
    assert not same(knows, half)
    assert not same(half, meets)


def test_the_delay_of_buses_is_that_of_their_trips(helsinki: City, prepared: Prepared) -> None:
    """It is there where buses are, and nowhere else."""
    done = make(helsinki, prepared, warmup_s=600.0).run()
    trips = done.tables["trips"]
    buses = trips[(trips["vehicle_type"] == "bus") & (trips["due_s"] >= BEGIN + 600.0)]
    assert len(buses) > 3
    delay = buses["time_loss_s"].fillna(0.0) + buses["depart_delay_s"]
    assert done.indicators["bus_delay_s"] == pytest.approx(delay.mean())
    assert done.indicators["bus_delay_s"] != pytest.approx(done.indicators["delay_per_trip_s"])
    cars = prepared.trips["vehicle_type"].to_numpy() != "bus"
    none = replace(
        prepared,
        trips=prepared.trips[cars].reset_index(drop=True),
        routes=prepared.routes.take(cars),
        stops=None,
    )
    assert "bus_delay_s" not in make(helsinki, none).run().indicators


def test_fewer_lanes_and_lower_speed_cost_time(helsinki: City, prepared: Prepared) -> None:
    base = make(helsinki, prepared).run().indicators["total_delay_h"]
    street = "Mannerheimintie"
    lanes = make(helsinki, prepared, Lanes(street=street, lanes=1)).run()
    slow = make(helsinki, prepared, Speed(street=street, kmh=10)).run()
    assert lanes.indicators["total_delay_h"] > base
    assert slow.indicators["total_delay_h"] > base + 1.0


def test_a_condition_in_the_flow_wakes_a_process_within_half_a_second(
    helsinki: City, prepared: Prepared
) -> None:
    sim = make(helsinki, prepared)
    traffic = sim.parts["traffic"]
    heard = []

    def wait():
        yield traffic.arrival(100)  # type: ignore[attr-defined]
        heard.append(sim.clock.now_s)

    sim.clock.process(wait())
    arrived = sim.run().tables["trips"]["arrival_s"].iloc[100]
    assert 0.0 <= heard[0] - arrived <= 0.5


def test_warm_up_is_simulated_but_not_counted(helsinki: City, prepared: Prepared) -> None:
    results = make(helsinki, prepared, warmup_s=900.0).run()
    due = results.tables["trips"]["due_s"]
    assert results.indicators["trips"] == (due >= BEGIN + 900).sum() < len(due)


def test_what_cannot_be_simulated_is_refused(helsinki: City, prepared: Prepared) -> None:
    with pytest.raises(SimulationError, match="not after its begin"):
        Simulation(helsinki, prepared, begin_s=10.0, end_s=10.0)
    with pytest.raises(SimulationError, match="'water' is not registered"):
        make(helsinki, prepared, systems_on=["traffic", "water"])
    with pytest.raises(SimulationError, match="which is off"):
        make(
            helsinki,
            prepared,
            Works(street=STREET, begin="07:00", hours=1, closes=True),
            systems_on=["traffic"],
        )


def test_who_lives_in_a_street_that_stays_closed_keeps_the_usual_way(helsinki: City) -> None:
    """Drivers learn of a closure that leaves some trips no way at all; no route gets lost."""
    demand = Demand.generate(helsinki, scale=0.3)
    at = {"begin_s": BEGIN, "end_s": END, "iterations": 2}
    usual = prepare(helsinki, demand, seed=4, **at)  # type: ignore[arg-type]
    to_here = usual.trips["destination"].value_counts()
    close = Close(street=str(helsinki.streets["id"][int(to_here.index[0])]))
    after = prepare(helsinki, demand, seed=4, measures=(close,), policies=resolve, **at)  # type: ignore[arg-type]
    assert to_here.iloc[0] > 2
    assert after.trips["id"].tolist() == usual.trips["id"].tolist()
    assert (after.routes.lengths > 0).all()
