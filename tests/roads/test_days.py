"""Representative hours: what closures cost the traffic of a usual hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from twin import days
from twin.claims import Claim
from twin.days import Hour, evaluate
from twin.errors import SimulationError
from twin.roads.sections import opposite
from twin.traffic.demand import Demand

if TYPE_CHECKING:
    from twin.city import City

SEED = 1


@pytest.fixture(scope="module")
def hour(helsinki: City) -> Hour:
    return Hour(helsinki, Demand.generate(helsinki, scale=0.1), 7, iterations=3)


@pytest.fixture(scope="module")
def counts(hour: Hour) -> np.ndarray:
    """Vehicles that enter each street in the usual hour."""
    return np.sum(list(evaluate("traffic", (), hour, SEED).counts.values()), axis=0)


def closed(street: int, **given: float) -> Claim:
    return Claim("roads/works", int(street), open=False, **given)  # type: ignore[arg-type]


def same(one: days.HourResult, other: days.HourResult) -> bool:
    """Whether two results say the same of every trip and street."""
    return np.array_equal(one.trip_s, other.trip_s) and all(
        np.array_equal(one.counts[kind], other.counts[kind]) for kind in one.counts
    )


def test_the_same_question_is_simulated_once(hour: Hour, counts: np.ndarray) -> None:
    busy = int(counts.argmax())
    first = evaluate("traffic", [closed(busy)], hour, SEED)
    assert evaluate("traffic", (closed(busy),), hour, SEED) is first
    alike = Hour(hour.city, hour.demand, 7, iterations=3)
    assert evaluate("traffic", [closed(busy)], alike, SEED) is first
    assert evaluate("traffic", [closed(busy)], hour, SEED + 1) is not first


def test_an_hour_depends_on_its_arguments_only(hour: Hour, counts: np.ndarray) -> None:
    """Simulated anew, after other hours, it is the same."""
    claims = (closed(int(counts.argmax())),)
    kept = evaluate("traffic", claims, hour, SEED)
    assert same(days._simulate(claims, (), hour, SEED), kept)


def test_claims_in_another_order_are_the_same_question(hour: Hour, counts: np.ndarray) -> None:
    a, b = np.argsort(-counts)[:2]
    one = evaluate("traffic", [closed(a), closed(b)], hour, SEED)
    assert evaluate("traffic", [closed(b), closed(a)], hour, SEED) is one


def test_drivers_who_expect_the_end_of_a_closure_are_another_question(
    hour: Hour, counts: np.ndarray
) -> None:
    """Who departs after the expected end does not make a detour."""
    busy = detoured(hour, counts)
    evaluate("traffic", [closed(busy)], hour, SEED)
    short = closed(busy, until_s=24 * 3600.0)
    fresh = days._simulate((short,), (), hour, SEED)
    assert same(evaluate("traffic", [short], hour, SEED), fresh)


def test_closing_a_street_that_nobody_uses_costs_exactly_nothing(
    hour: Hour, counts: np.ndarray
) -> None:
    usual = evaluate("traffic", (), hour, SEED)
    unused = np.flatnonzero(counts == 0)[:3]
    assert len(unused) == 3
    for street in unused:
        held = evaluate("traffic", [closed(street)], hour, SEED)
        assert (held.time_h, held.distance_km, held.co2_t) == (
            usual.time_h, usual.distance_km, usual.co2_t,
        )  # fmt: skip
    simulated = days._simulate((closed(unused[0]),), (), hour, SEED)
    assert same(simulated, usual)


def detoured(hour: Hour, counts: np.ndarray) -> int:
    """The busiest street that nobody enters when it is closed, for there is another way."""
    for street in np.argsort(-counts)[:12]:
        held = evaluate("traffic", [closed(street)], hour, SEED)
        if sum(held.counts[kind][street] for kind in held.counts) < 0.1 * counts[street]:
            return int(street)
    pytest.fail("no busy street has a way around")


def test_closing_a_busy_street_costs_time(hour: Hour, counts: np.ndarray) -> None:
    usual = evaluate("traffic", (), hour, SEED)
    held = evaluate("traffic", [closed(detoured(hour, counts))], hour, SEED)
    assert held.time_h > usual.time_h + 0.5
    assert held.distance_km > usual.distance_km
    assert len(held.trip_s) == len(usual.trip_s)


def test_a_temporary_signal_costs_time_but_lets_everyone_arrive(
    helsinki: City, hour: Hour, counts: np.ndarray
) -> None:
    back = opposite(helsinki.streets)
    both = np.where(back >= 0, np.minimum(counts, counts[back]), 0.0)
    pair = int(both.argmax()), int(back[both.argmax()])
    assert both.max() > 20
    usual = evaluate("traffic", (), hour, SEED)
    held = evaluate("traffic", (), hour, SEED, [pair])
    assert held.time_h > usual.time_h + 0.1
    assert held.arrived == usual.arrived == 1.0
    assert np.max(held.trip_s - usual.trip_s) < 600.0  # a few turns of the signal
    entered = sum(held.counts[kind][list(pair)] for kind in held.counts)
    assert np.all(entered > 0.8 * counts[list(pair)])


def test_a_lane_less_costs_no_more_than_the_street(hour: Hour, counts: np.ndarray) -> None:
    lanes = hour.city.streets["lanes"].to_numpy()
    wide = int(np.where(lanes >= 2, counts, 0.0).argmax())
    usual = evaluate("traffic", (), hour, SEED).time_h
    lane = evaluate("traffic", [Claim("roads/works", wide, lanes=1)], hour, SEED).time_h
    assert usual - 0.5 < lane < evaluate("traffic", [closed(wide)], hour, SEED).time_h


def test_what_a_shift_costs_is_made_of_its_hours(helsinki: City, counts: np.ndarray) -> None:
    """A day stands for nine hours; no trip loses more than the longest loss."""
    demand = Demand.generate(helsinki, scale=0.02)
    hours = days.hours_of(helsinki, demand, iterations=1)
    busy = int(counts.argmax())
    time_h, _ = days.shift_difference([closed(busy)], "day", hours, SEED)
    found = 0.0
    for number, weight in days.SHIFTS["day"].items():
        usual = evaluate("traffic", (), hours[number], SEED)
        held = evaluate("traffic", [closed(busy)], hours[number], SEED)
        assert len(usual.trip_s) == len(held.trip_s)
        lost = np.minimum(held.trip_s - usual.trip_s, days.LONGEST_LOSS_S)
        found += weight * float(lost.sum(dtype=float)) / 3600.0
    assert time_h == pytest.approx(found)
    assert time_h > 0.0
    assert days.shift_difference((), "night", hours, SEED) == (0.0, 0.0)


def test_the_hours_of_shifts_stand_for_nine_and_for_24() -> None:
    lengths = {name: sum(hours.values()) for name, hours in days.SHIFTS.items()}
    assert lengths == {"day": 9.0, "night": 9.0, "around the clock": 24.0}
    assert {h for hours in days.SHIFTS.values() for h in hours} == set(days.HOURS)


def test_only_traffic_has_representative_hours(hour: Hour) -> None:
    with pytest.raises(SimulationError, match="system 'water' has no representative hours"):
        evaluate("water", (), hour, SEED)
