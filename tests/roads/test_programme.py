"""A programme on the SimPy clock: the same as in batches, with claims on streets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_roads import Dice, same

from twin.errors import ScenarioError
from twin.roads.decade import Decades, Settings, run_decade
from twin.roads.deterioration import MODELS
from twin.roads.inventory import make_inventory, usual_use
from twin.roads.measures import Inspection, Maintenance
from twin.roads.planners import DoNothing
from twin.roads.programme import Programme
from twin.roads.sections import make_sections
from twin.roads.state import COUNTS, I8, LEFT, Condition, Inventory
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


@dataclass(frozen=True)
class Task:
    """One order, asked for at the start."""

    section: int
    option: int
    weeks: int = 13

    def plan(self, view: View) -> tuple[I8, I8]:
        now = np.arange(1 if view.week == 0 else 0)
        return now + self.section, np.zeros(len(now), np.int64) + self.option


@dataclass(frozen=True, eq=False)
class Town:
    """Sixty sections of Helsinki, each of a street of its own, with a name of its own."""

    city: City
    sections: gpd.GeoDataFrame
    roads: dict[str, Inventory]  # by what the city believes

    def programme(
        self,
        planner: Planner,
        *,
        closures: str = "table",
        vehicles: int = 1,
        arrangement: I8 | None = None,
        **given: object,
    ) -> Programme:
        """A programme that has started on a clock of its own."""
        settings = Settings(**{"years": YEARS, **given})  # type: ignore[arg-type]
        roads = self.roads[settings.belief]
        sim = Simulation(
            self.city, seed=SEED, begin_s=0.0, end_s=HOUR_S, years=settings.years,
            systems_on=("roads",),
        )  # fmt: skip
        made = Programme(
            sim, self.sections, roads, settings.rules(roads), planner,
            vehicles=vehicles, closures=closures, arrangement=arrangement,
        )  # fmt: skip
        made.start()
        return made

    def task(self, section: int, option: int, *, arrangement: I8 | None = None) -> Programme:
        """A programme of one order, on streets that are good enough for any treatment."""
        made = self.programme(
            Task(section, option), arrangement=arrangement, years=1, start_week=SPRING,
            budget_eur=1e6,
        )  # fmt: skip
        made.state.section["pci"] = 80.0
        return made

    def first(self, *, lanes: int) -> int:
        """First section of two directions with so many lanes in its own."""
        of_street = self.city.streets["lanes"].to_numpy()[self.sections["street"]]
        fits = (of_street == lanes) & (self.sections["back"] >= 0).to_numpy()
        return int(np.flatnonzero(fits)[0])


@pytest.fixture(scope="module")
def town(helsinki: City) -> Town:
    streets = make_sections(helsinki).drop_duplicates("street").iloc[::3].head(60)
    sections = streets.assign(name=streets["id"]).reset_index(drop=True)
    use = usual_use(sections)
    use.delay_h[:] = DELAY_H
    roads = {belief: make_inventory(sections, use, belief=belief) for belief in MODELS}
    return Town(helsinki, sections, roads)


def expect_same(on_clock: Condition, in_batch: Condition) -> None:
    """Equal but for rounding of sums, and for what is left in memory to work in."""
    for name in set(on_clock._fields) - {"queue", "work", "moved", "copy"}:
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
    town: Town, case: dict[str, object]
) -> None:
    given = dict(case)
    planner = Dice(int(given.pop("weeks")), seed=2)  # type: ignore[call-overload]
    given |= {"budget_eur": 300_000.0, "belief": case["truth"], "passes_per_year": 1.37}
    made = town.programme(planner, **given)  # type: ignore[arg-type]
    made.sim.run()
    batch = Decades(made.inventory, made.rules)
    run_decade(batch, planner, SEED)
    assert len(made.works) > 40
    assert {"done", "found worse"} <= {work.outcome for work in made.works}
    expect_same(made.state, batch.state)


@pytest.mark.parametrize("passes", [1.0, 1.3, 4.0])
def test_a_lap_that_ends_with_a_week_ends_in_that_week_in_batches_too(
    town: Town, passes: float
) -> None:
    """The last section of the tour is passed when its last metre is driven."""
    made = town.programme(DoNothing(), passes_per_year=passes, budget_eur=1e6)
    batch = Decades(made.inventory, made.rules)
    batch.reset(0, SEED)
    for week in range(1, 52 * YEARS + 1):
        made.sim.run(week * 7 * DAY_S + 1.0)
        batch.advance(0, 1)
        passed = made.state.section[0]["passed"]
        np.testing.assert_array_equal(batch.state.section[0]["passed"], passed)


def test_the_budget_on_the_clock_is_what_is_left(town: Town) -> None:
    made = town.programme(Dice(4), budget_eur=200_000.0, start_week=SPRING)
    levels = set()
    for week in range(1, 52 * YEARS, 5):
        for hours in (0.5, 50.0):  # just after Monday's midnight, and amid the week
            made.sim.run(week * 7 * DAY_S + hours * HOUR_S)
            assert made.budget.level == pytest.approx(made.state.budget[0, LEFT], abs=1e-6)
            levels.add(round(made.budget.level))
    assert len(levels) > 6


def test_crews_and_pavers_are_never_more_than_there_are(town: Town) -> None:
    made = town.programme(Dice(4), crews=3, pavers=1, budget_eur=1e6, start_week=SPRING, years=1)
    made.sim.run()
    works = [w for w in made.works if w.begin_day >= 0]
    needs = [OPTIONS[w.option - 1][0] > 0 for w in works]  # all but seals need a paver
    for day in range(int(made.state.week[0, -1]["workday"])):
        busy = [w.begin_day <= day < w.end_day for w in works]
        assert sum(busy) <= 3
        assert sum(b and n for b, n in zip(busy, needs, strict=True)) <= 1
    assert any(a.end_day > b.begin_day >= a.begin_day for a, b in pairwise(works))


def test_works_begin_and_end_in_turn_and_leave_no_claim(town: Town) -> None:
    """The run ends in winter, when nobody works."""
    made = town.programme(Dice(13), crews=3, budget_eur=1e6)
    results = made.sim.run()
    events = results.tables["events"]
    assert len(events) > 50
    for _, of_street in events.groupby("street"):
        for kind, expected in zip(of_street["kind"], cycle(["works_begin", "works_end"])):
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


def test_works_by_day_take_the_street_from_seven_to_four(town: Town) -> None:
    made = town.task(town.first(lanes=1), option_of(0, DAY))
    (hours,) = hours_of_claims(made, weeks=2).values()
    assert hours == list(range(7, 16))


def test_works_by_night_take_the_street_beyond_midnight(town: Town) -> None:
    made = town.task(town.first(lanes=1), option_of(0, NIGHT))
    first, second = hours_of_claims(made, weeks=2).values()
    assert (first, second) == (list(range(20, 24)), list(range(5)))


def claims_at_noon(made: Programme) -> list[tuple[int, bool, int | None, bool]]:
    """(street, open, lanes, slowed) of the claims at noon of the first day with any."""
    for day in range(14):
        made.sim.run(day * DAY_S + 12.5 * HOUR_S)
        if alive := made.sim.claims.alive():
            return [(c.street, c.open, c.lanes, c.speed_m_s is not None) for c in alive]
    return []


def test_what_works_take_depends_on_lanes_shift_and_arrangement(town: Town) -> None:
    narrow = town.first(lanes=1)
    wide = town.first(lanes=2)
    signal = np.ones((len(town.sections), 3), np.int64)
    street, back = (int(town.sections[c].iloc[narrow]) for c in ("street", "back"))
    seal, rebuild = option_of(0, DAY), option_of(3, DAY)

    def taken(section: int, option: int, arrangement: I8 | None = None) -> object:
        return claims_at_noon(town.task(section, option, arrangement=arrangement))

    assert OPTIONS[rebuild - 1][1] == AROUND
    assert taken(narrow, seal) == [(street, False, None, False)]
    assert taken(wide, seal) == [(int(town.sections["street"].iloc[wide]), True, 1, False)]
    both = sorted((street, back))
    assert taken(narrow, rebuild) == [(s, False, None, False) for s in both]
    assert taken(narrow, seal, signal) == [(s, True, None, True) for s in both]


def test_each_order_is_charged_what_its_days_cost_drivers(town: Town) -> None:
    made = town.programme(Dice(13), crews=3, budget_eur=1e6)
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
