"""A programme on the SimPy clock: the same as in batches, with claims on streets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_roads import Dice, same

from twin.errors import ScenarioError, SimulationError
from twin.roads.decade import Decades, Settings, run_decade
from twin.roads.inventory import make_inventory, usual_use
from twin.roads.measures import Inspection, Maintenance
from twin.roads.programme import Programme
from twin.roads.sections import make_sections
from twin.roads.state import COUNTS, I8, LEFT, Condition
from twin.roads.treatments import AROUND, DAY, NIGHT, OPTIONS, option_of
from twin.roads.view import Planner, View
from twin.simulation import Simulation
from twin.traffic.demand import Demand

if TYPE_CHECKING:
    import geopandas as gpd

    from twin.city import City

YEARS, SEED = 3, 5
DAY_S, HOUR_S = 86_400.0, 3600.0
SPRING = 20  # a week in which every treatment may begin
DELAY_H = (1.5, 0.5, 6.0)  # of a working day, by shift; made up


@pytest.fixture(scope="module")
def sections(helsinki: City) -> gpd.GeoDataFrame:
    """Sixty sections of Helsinki, each of a street of its own, with a name of its own."""
    some = make_sections(helsinki).drop_duplicates("street").iloc[::4].head(60)
    return some.assign(name=some["id"]).reset_index(drop=True)


@dataclass(frozen=True)
class Task:
    """One order, asked for at the start."""

    section: int
    option: int
    weeks: int = 13

    def plan(self, view: View) -> tuple[I8, I8]:
        now = np.arange(1 if view.week == 0 else 0)
        return now + self.section, np.zeros(len(now), np.int64) + self.option


def programme(
    city: City,
    sections: gpd.GeoDataFrame,
    planner: Planner,
    *,
    closures: str = "table",
    vehicles: int = 1,
    years: int = YEARS,
    arrangement: I8 | None = None,
    **given: object,
) -> Programme:
    """A programme that has started on a clock of its own."""
    use = usual_use(sections)
    use.delay_h[:] = DELAY_H
    settings = Settings(years=years, **given)  # type: ignore[arg-type]
    roads = make_inventory(sections, use, belief=settings.belief)
    sim = Simulation(
        city, seed=SEED, begin_s=0.0, end_s=HOUR_S, years=years, systems_on=("roads",)
    )
    made = Programme(
        sim, sections, roads, settings.rules(roads), planner,
        vehicles=vehicles, closures=closures, arrangement=arrangement,
    )  # fmt: skip
    made.start()
    return made


def expect_same(on_clock: Condition, in_batch: Condition) -> None:
    """Equal but for rounding of sums, and of beliefs that a batch tells less often."""
    for name in set(on_clock._fields) - {"queue", "work", "copy", "belief", "hypothesis_age"}:
        one, other = getattr(on_clock, name), getattr(in_batch, name)
        if name in ("euros", "budget", "area", "counts"):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-6, err_msg=name)
        else:
            assert same(one, other), name
    for name in ("week", "arrived", "triaged", "patched", "queue_end", "queue_first"):
        assert on_clock.copy[0][name] == in_batch.copy[0][name]


CASES = (
    {"crews": 1, "pavers": 1, "truth": "markov", "weeks": 13, "start_week": 0, "vehicles": 1},
    {"crews": 3, "pavers": 2, "truth": "markov", "weeks": 4, "start_week": 36, "vehicles": 2},
    {"crews": 4, "pavers": 1, "truth": "curve", "weeks": 1, "start_week": 20, "vehicles": 3},
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['crews']} crews")
def test_crews_on_the_clock_do_the_same_as_those_in_batches(
    helsinki: City, sections: gpd.GeoDataFrame, case: dict[str, object]
) -> None:
    given = dict(case)
    planner = Dice(int(given.pop("weeks")), seed=2)  # type: ignore[call-overload]
    given |= {"budget_eur": 300_000.0, "belief": case["truth"], "passes_per_year": 1.3}
    made = programme(helsinki, sections, planner, **given)  # type: ignore[arg-type]
    made.sim.run()
    batch = Decades(made.inventory, made.rules)
    run_decade(batch, planner, SEED)
    assert len(made.works) > 40
    assert {"done", "found worse"} <= {work.outcome for work in made.works}
    expect_same(made.state, batch.state)
    seen = batch.view(0, planner.weeks).seen[:, 5]
    np.testing.assert_allclose(made.seen()[:, 5], seen, atol=0.1)


def test_the_budget_on_the_clock_is_what_is_left(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    made = programme(helsinki, sections, Dice(4), budget_eur=200_000.0, start_week=SPRING)
    levels = set()
    for week in range(1, 52 * YEARS, 5):
        for hours in (0.5, 50.0):  # just after Monday's midnight, and amid the week
            made.sim.run(week * 7 * DAY_S + hours * HOUR_S)
            assert made.budget.level == pytest.approx(made.state.budget[0, LEFT], abs=1e-6)
            levels.add(round(made.budget.level))
    assert len(levels) > 10


def test_crews_and_pavers_are_never_more_than_there_are(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    made = programme(
        helsinki, sections, Dice(4), crews=3, pavers=1, budget_eur=1e6, start_week=SPRING, years=1
    )
    made.sim.run()
    works = [w for w in made.works if w.begin_day >= 0]
    needs = [OPTIONS[w.option - 1][0] > 0 for w in works]  # all but seals need a paver
    for day in range(int(made.state.week[0, -1]["workday"])):
        busy = [w.begin_day <= day < w.end_day for w in works]
        assert sum(busy) <= 3
        assert sum(b and n for b, n in zip(busy, needs, strict=True)) <= 1
    assert any(a.end_day > b.begin_day >= a.begin_day for a, b in pairwise(works))


def test_works_begin_and_end_in_turn_and_leave_no_claim(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    """The run ends in winter, when nobody works."""
    made = programme(helsinki, sections, Dice(13), crews=3, budget_eur=1e6)
    results = made.sim.run()
    events = results.tables["events"]
    assert len(events) > 50
    for _, of_street in events.groupby("street"):
        for kind, expected in zip(of_street["kind"], cycle(["works_begin", "works_end"])):  # noqa: B905
            assert kind == expected
    done = [w for w in made.works if w.outcome == "done"]
    assert list(events["kind"]).count("works_begin") == len(done)
    assert list(events["kind"]).count("works_end") == len(done)
    assert made.sim.claims.alive() == ()


def hours_of_claims(made: Programme, weeks: int) -> dict[int, list[int]]:
    """Hours of the day with claims, by day; read in the middle of each hour."""
    found: dict[int, list[int]] = {}
    for hour in range(weeks * 7 * 24):
        made.sim.run((hour + 0.5) * HOUR_S)
        if made.sim.claims.alive():
            found.setdefault(hour // 24, []).append(hour % 24)
    return found


def one_way(city: City, sections: gpd.GeoDataFrame, *, lanes: int, both: bool) -> int:
    """First section with so many lanes in its direction, with the other direction or without."""
    of_street = city.streets["lanes"].to_numpy()[sections["street"]]
    fits = (of_street == lanes) & ((sections["back"] >= 0).to_numpy() == both)
    return int(np.flatnonzero(fits)[0])


def test_works_by_day_take_the_street_from_seven_to_four(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    i = one_way(helsinki, sections, lanes=1, both=True)
    made = programme(helsinki, sections, Task(i, option_of(0, DAY)), years=1, start_week=SPRING)
    hours = hours_of_claims(made, weeks=2)
    assert list(hours.values()) == [list(range(7, 16))] * made.inventory.choice["days"][i, 1]


def test_works_by_night_take_the_street_beyond_midnight(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    i = one_way(helsinki, sections, lanes=1, both=True)
    made = programme(helsinki, sections, Task(i, option_of(0, NIGHT)), years=1, start_week=SPRING)
    first, second = hours_of_claims(made, weeks=2).values()
    assert (first, second) == (list(range(20, 24)), list(range(5)))


def claims_at_noon(made: Programme) -> list[tuple[int, bool, int | None, bool]]:
    """(street, open, lanes, slowed) of the claims at noon of the first day with any."""
    for day in range(14):
        made.sim.run(day * DAY_S + 12.5 * HOUR_S)
        if alive := made.sim.claims.alive():
            return [(c.street, c.open, c.lanes, c.speed_m_s is not None) for c in alive]
    return []


def test_what_works_take_depends_on_lanes_shift_and_arrangement(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    narrow = one_way(helsinki, sections, lanes=1, both=True)
    wide = one_way(helsinki, sections, lanes=2, both=False)
    signal = np.ones((len(sections), 3), np.int64)
    street, back = (int(sections[c].iloc[narrow]) for c in ("street", "back"))
    seal, rebuild = option_of(0, DAY), option_of(3, DAY)
    rich = {"years": 1, "start_week": SPRING, "budget_eur": 1e6}

    def taken(section: int, option: int, arrangement: I8 | None = None) -> object:
        task = Task(section, option)
        made = programme(helsinki, sections, task, arrangement=arrangement, **rich)  # type: ignore[arg-type]
        return claims_at_noon(made)

    assert OPTIONS[rebuild - 1][1] == AROUND
    assert taken(narrow, seal) == [(street, False, None, False)]
    assert taken(wide, seal) == [(int(sections["street"].iloc[wide]), True, 1, False)]
    both = sorted((street, back))
    assert taken(narrow, rebuild) == [(s, False, None, False) for s in both]
    assert taken(narrow, seal, signal) == [(s, True, None, True) for s in both]


def test_each_order_is_charged_what_its_days_cost_drivers(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    made = programme(helsinki, sections, Dice(13), crews=3, budget_eur=1e6)
    made.sim.run()
    hours = sum(
        DELAY_H[work.shift] * int(made.inventory.choice["days"][work.section, work.option])
        for work in made.works
        if work.outcome == "done"
    )
    assert made.state.counts[0, COUNTS.index("delay_h")] == pytest.approx(hours)
    assert hours > 0.0


MEASURES = (Maintenance(policy="x", closures="none"), Inspection(vehicles=2))


def test_a_simulation_runs_the_programme_that_its_measures_ask_for(
    helsinki: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sim = Simulation(
        helsinki,
        demand=Demand.generate(helsinki, scale=0.1),
        seed=SEED,
        begin_s=0.0,
        end_s=HOUR_S,
        years=YEARS,
        systems_on=("roads",),
        measures=MEASURES,
        policies=lambda name, domain: {("x", "roads"): Dice()}[name, domain],
    )
    results = sim.run()
    made: Programme = sim.parts["roads"].programme  # type: ignore[attr-defined]
    batch = Decades(made.inventory, made.rules)
    run_decade(batch, Dice(), SEED)
    expect_same(made.state, batch.state)
    assert results.indicators["roads_social_cost_meur"] == pytest.approx(
        batch.state.euros[0, 1].sum() / 1e6
    )
    assert results.indicators["roads_delay_h"] == 0.0
    assert len(results.tables["road_years"]) == YEARS + 1
    assert results.tables["road_works"]["outcome"].eq("done").any()
    assert sim.claims.alive() == ()


def test_a_programme_without_years_is_refused(helsinki: City) -> None:
    with pytest.raises(ScenarioError, match="works over years: write years: 10"):
        Simulation(helsinki, years=0, systems_on=("roads",), measures=MEASURES)


def test_a_programme_needs_somebody_who_knows_its_policy(
    helsinki: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    demand = Demand.generate(helsinki, scale=0.02)
    with pytest.raises(SimulationError, match="policy 'x' cannot be found"):
        Simulation(helsinki, demand=demand, years=1, systems_on=("roads",), measures=MEASURES)
