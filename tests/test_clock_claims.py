"""The clock, claims and the registry: what every domain stands on."""

from __future__ import annotations

import datetime as dt

import pytest

from twin import times
from twin.claims import Claim, Claims
from twin.clock import Clock
from twin.errors import SimulationError
from twin.system import indicators, layers, systems

NOON = dt.datetime(2026, 9, 15, 12, tzinfo=dt.UTC)


def test_the_clock_counts_whole_ticks_and_knows_the_day() -> None:
    clock = Clock(NOON, begin_s=60.0)
    seen = []

    def process():
        yield clock.wait(0.014)
        seen.append(clock.now)
        yield clock.until(90.0)
        seen.append(clock.now)
        yield clock.until(10.0)
        seen.append(clock.now)

    clock.process(process())
    clock.run(120.0)
    assert seen == [6001, 9000, 9000]
    assert clock.moment == NOON + dt.timedelta(minutes=2)


def test_a_clock_without_timezone_is_refused() -> None:
    with pytest.raises(SimulationError, match="no timezone"):
        Clock(dt.datetime(2026, 9, 15))


def test_the_most_restrictive_claim_holds() -> None:
    claims = Claims(10)
    claims.file(Claim("a", 3, lanes=2, speed_m_s=8.0), Claim("b", 3, lanes=1, depth_m=0.1))
    held = claims.held(3)
    assert (held.open, held.lanes, held.speed_m_s, held.depth_m) == (True, 1, 8.0, 0.1)
    assert claims.held(4).lanes is None


def test_works_that_end_do_not_reopen_a_flooded_street() -> None:
    claims = Claims(10)
    heard: list[tuple[int, ...]] = []
    claims.on_change(heard.append)
    claims.file(Claim("water/rain", 5, open=False, until_s=100.0))
    claims.file(Claim("roads/works-1", 5, open=False, until_s=50.0), Claim("roads/works-1", 6))
    claims.withdraw("roads/works-1")
    assert not claims.held(5).open
    assert claims.held(5).until_s == 100.0
    claims.withdraw("water/rain")
    assert claims.held(5).open
    assert heard == [(5,), (5, 6), (5, 6), (5,)]


def test_claims_on_streets_that_are_not_there_change_nothing() -> None:
    claims = Claims(10)
    with pytest.raises(SimulationError, match="street 10 is not in the city"):
        claims.file(Claim("a", 1, open=False), Claim("a", 10, open=False))
    assert claims.alive() == ()


def test_claims_come_back_from_a_snapshot() -> None:
    claims = Claims(10)
    claims.file(Claim("a", 1, open=False), Claim("b", 2, lanes=1))
    kept = claims.snapshot()
    claims.withdraw("a")
    claims.restore(kept)
    assert not claims.held(1).open
    assert claims.alive() == kept


@pytest.mark.parametrize(
    ("text", "value"), [("00:00", 0.0), ("07:30", 27000.0), ("26:05", 93900.0)]
)
def test_times_of_day(text: str, value: float) -> None:
    assert times.seconds(text) == value
    assert times.text(value) == text


@pytest.mark.parametrize("text", ["7.30", "07:60", "", "-1:00", "07:30:00", "７:30x"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        times.seconds(text)


def test_every_system_says_what_it_brings() -> None:
    """Names are unique over all systems, and every indicator has a unit and a direction."""
    known = systems()
    assert list(known)[:2] == ["traffic", "roads"]
    names = [i.name for s in known.values() for i in s.indicators]
    assert len(names) == len(set(names)) == len(indicators())
    kinds = [m.model_fields["kind"].default for s in known.values() for m in s.measures]
    assert len(kinds) == len(set(kinds))
    assert all(i.unit and i.title for i in indicators().values())
    assert all(layer.table and layer.column for layer in layers().values())
