"""Orders, money and fate: what is conserved, what is forbidden, and what a seed decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from small_roads import Dice, N, decades, inventory, prices, same

from agents.roads.baselines import WorstFirst
from twin.roads.costs import CATEGORIES
from twin.roads.decade import Decades, run_decade
from twin.roads.orders import ACCEPTED, MORATORIUM, SEASON
from twin.roads.planners import DoNothing
from twin.roads.programme import standing
from twin.roads.state import (
    COUNTS,
    GRANTED,
    I8,
    LAPSED,
    LEFT,
    OPTION_COUNT,
    REFUSALS,
    RESERVED,
    SPENT,
    Condition,
)
from twin.roads.treatments import DAY, MORATORIUM_YEARS, OPTIONS, TREATMENTS, option_of
from twin.roads.view import Planner, View

RICH = 1e7  # EUR a year, more than all can cost
TRUTH = ("pci", "jump_at", "trench_at", "report_at", "age", "pace", "draws", "trenches", "reports")


def waiting(state: Condition) -> I8:
    """Sections whose order waits for a crew."""
    copy = state.copy[0]
    places = np.arange(copy["queue_first"], copy["queue_end"]) % state.queue.shape[1]
    return state.queue[0, places].astype(np.int64)


@dataclass(frozen=True)
class Asked:
    """What a planner asked for in a week, and what it was told; before the week goes on."""

    week: int
    sections: I8
    options: I8
    answers: I8


def weeks_of(model: Decades, planner: Planner, seed: int) -> Iterator[Asked]:
    """Run a decade week by week."""
    model.reset(0, seed)
    nothing = np.zeros(0, np.int64)
    while (week := int(model.state.copy[0]["week"])) < model.rules[0]["weeks"]:
        sections, options, answers = nothing, nothing, nothing
        if week % planner.weeks == 0:
            sections, options = planner.plan(model.view(0, planner.weeks))
            answers = model.request(0, sections, options, planner.weeks)
        yield Asked(week, sections, options, answers)
        model.advance(0, 1)


@pytest.mark.parametrize("weeks", [1, 13])
@pytest.mark.parametrize("budget_eur", [66_000.0, RICH])
def test_money_is_conserved_at_every_step(weeks: int, budget_eur: float) -> None:
    model = decades(inventory(), budget_eur=budget_eur)
    lapsed = spent = 0.0
    for seed in range(3):
        for _ in weeks_of(model, Dice(weeks, seed), seed):
            purse = model.state.budget[0]
            assert purse[GRANTED] == pytest.approx(purse[[LEFT, RESERVED, LAPSED, SPENT]].sum())
            assert purse.min() >= -1e-6
            owed = prices(model.state, model.inventory, waiting(model.state)).sum()
            assert purse[RESERVED] == pytest.approx(owed, abs=1e-3)
        lapsed, spent = lapsed + purse[LAPSED], spent + purse[SPENT]
    assert lapsed > 0.0
    assert spent > 3 * 10 * model.rules[0]["inspection"]


def test_a_year_grants_its_budget_once() -> None:
    model = decades(inventory(), budget_eur=66_000.0, years=3)
    granted = [model.state.budget[0, GRANTED] for _ in weeks_of(model, Dice(1), 1)]
    assert granted == [66_000.0] * 52 + [132_000.0] * 52 + [198_000.0] * 52


def test_what_is_spent_is_booked_as_works_surveys_and_inspections() -> None:
    model = decades(inventory(), budget_eur=100_000.0)
    for seed in range(5):
        run_decade(model, Dice(13, seed), seed)
        euros = dict(zip(CATEGORIES, model.state.euros[0, 0], strict=True))
        paid = euros["works"] + euros["surveys"] + euros["inspections"]
        assert model.state.budget[0, SPENT] == pytest.approx(paid)
        assert min(euros["works"], euros["surveys"], euros["inspections"]) > 0.0


@pytest.mark.parametrize("truth", ["markov", "curve"])
def test_area_only_moves_from_band_to_band(truth: str) -> None:
    model = decades(inventory(), truth=truth, budget_eur=RICH)
    whole, seen = model.inventory.place["area_m2"].sum(), set()
    for asked in weeks_of(model, Dice(13), 1):
        if asked.week % 26 == 0:
            row = standing(model.inventory, model.state, 0)
            bands = [row[f"area_band_{k}_m2"] for k in range(5)]
            assert sum(bands) == pytest.approx(whole)
            seen.add(tuple(bands))
    assert len(seen) > 10


def test_nothing_is_treated_again_within_the_moratorium() -> None:
    moratorium = 52 * MORATORIUM_YEARS
    model = decades(inventory(), budget_eur=RICH, crews=5, pavers=5)
    treated: list[list[int]] = [[] for _ in range(N)]
    refused = 0
    for asked in weeks_of(model, Dice(1), 1):
        last = model.state.section[0]["treated"]
        taken = asked.sections[asked.answers == ACCEPTED]
        assert np.all((last[taken] < 0) | (asked.week - last[taken] >= moratorium))
        refused += int((asked.answers == MORATORIUM).sum())
        for i in np.flatnonzero(last == asked.week):
            treated[i].append(asked.week)
    gaps = np.concatenate([np.diff(weeks) for weeks in treated])
    assert len(gaps) > 20
    assert gaps.min() >= moratorium
    assert refused > 0


def in_season(week_of_year: int, option: int) -> bool:
    first, last = TREATMENTS[OPTIONS[option - 1][0]].season
    return first <= week_of_year <= last


@pytest.mark.parametrize("start_week", [0, 30])
def test_no_order_is_taken_out_of_season(start_week: int) -> None:
    model = decades(inventory(), budget_eur=RICH, start_week=start_week)
    taken = 0
    for asked in weeks_of(model, Dice(1), 1):
        of_year = (start_week + asked.week) % 52
        for option in asked.options[asked.answers == ACCEPTED]:
            assert in_season(of_year, int(option))
            taken += 1
        for option in asked.options[asked.answers == SEASON]:
            assert not in_season(of_year, int(option))
    assert taken > 50


def test_no_works_begin_out_of_season() -> None:
    """Seals that one crew is given in the last week in which a seal may begin."""
    model = decades(inventory(), budget_eur=RICH, start_week=39, years=1)
    model.reset(0, 1)
    seal = option_of(0, DAY)
    model.request(0, np.arange(N), np.full(N, seal), 13)
    begun = {}
    for week in range(52):
        before = float(model.state.counts[0, COUNTS.index("closed_days")])
        model.advance(0, 1)
        begun[(39 + week) % 52] = model.state.counts[0, COUNTS.index("closed_days")] - before
    assert begun[39] > 0
    assert {week: n for week, n in begun.items() if n and not in_season(week, seal)} == {}
    assert len(waiting(model.state)) == 0
    assert model.state.budget[0, RESERVED] == pytest.approx(0.0, abs=1e-6)  # money is back


def test_crews_do_not_work_more_days_than_the_weather_leaves_them() -> None:
    model = decades(inventory(), budget_eur=RICH, crews=2, pavers=1)
    for seed in range(5):
        run_decade(model, Dice(1, seed), seed)
        state = model.state
        today = int(state.week[0, -1]["workday"])
        begun = state.counts[0, COUNTS.index("closed_days")]
        ahead = np.maximum(0, state.crew_free[0] - today).sum()
        assert 0 < begun <= 2 * today + ahead


def test_answers_are_counted() -> None:
    model = decades(inventory(), budget_eur=400_000.0)
    told = np.zeros(len(REFUSALS), np.int64)
    for asked in weeks_of(model, Dice(1), 1):
        told += np.bincount(asked.answers, minlength=len(REFUSALS))
    np.testing.assert_array_equal(model.state.refused[0], told)
    assert told.min() > 0


def test_a_mask_says_what_a_request_by_itself_is_granted() -> None:
    model = decades(inventory(), budget_eur=100_000.0, crews=N)
    for asked in weeks_of(model, Dice(13), 1):
        if asked.week % 26 == 3:
            allowed = model.view(0, 13).allowed
            section = asked.week % N
            for option in range(1, OPTION_COUNT):
                kept = [array.copy() for array in model.state]
                answer = model.request(0, np.array([section]), np.array([option]), 13)[0]
                assert (answer == ACCEPTED) == bool(allowed[section, option])
                for array, before in zip(model.state, kept, strict=True):
                    array[...] = before


def test_the_same_seed_gives_the_same_decade_in_any_copy() -> None:
    roads = inventory()
    batch = Decades(roads, decades(roads, budget_eur=100_000.0).rules, copies=3)
    for copy, seed in enumerate((7, 8, 7)):
        run_decade(batch, Dice(), seed, copy)
    state = batch.state
    for name in set(state._fields) - {"queue", "work"}:  # room, used or not
        assert same(getattr(state, name)[0], getattr(state, name)[2]), name
    assert not same(state.section[0]["pci"], state.section[1]["pci"])


@dataclass(frozen=True)
class RebuildOne:
    """Nothing but the rebuilding of one section in the first season."""

    section: int
    weeks: int = 13

    def plan(self, view: View) -> tuple[I8, I8]:
        asked = np.array([self.section] if 13 <= view.week < 40 else [], np.int64)
        return asked, np.full(len(asked), OPTION_COUNT - 1)


@pytest.mark.parametrize("truth", ["markov", "curve"])
def test_works_on_one_section_leave_the_fate_of_the_others(truth: str) -> None:
    ends = []
    for planner in (DoNothing(), RebuildOne(5)):
        model = decades(inventory(), truth=truth, budget_eur=RICH, years=20)
        run_decade(model, planner, 3)
        ends.append(model.state.section[0])
    others = np.arange(N) != 5
    for name in TRUTH:
        np.testing.assert_array_equal(ends[0][name][others], ends[1][name][others])
    assert ends[1]["treated"][5] > 0
    assert ends[0]["jump_at"][5] != ends[1]["jump_at"][5] or truth == "curve"
    assert ends[0]["age"][5] != ends[1]["age"][5] or truth == "markov"


def test_later_euros_are_worth_less() -> None:
    model = decades(inventory(), budget_eur=100_000.0, years=10)
    run_decade(model, WorstFirst(), 1)
    nominal, present = (dict(zip(CATEGORIES, euros, strict=True)) for euros in model.state.euros[0])
    for name in CATEGORIES:
        assert present[name] < nominal[name] or nominal[name] == 0.0
    assert nominal["inspections"] == pytest.approx(10 * model.rules[0]["inspection"])
    worth = sum(1.017**-year for year in range(10))
    assert present["inspections"] == pytest.approx(worth * model.rules[0]["inspection"])


def test_the_backlog_is_what_repair_costs_more_at_the_end_than_at_the_start() -> None:
    model = decades(inventory(), budget_eur=100_000.0)
    model.reset(0, 1)
    first = float(model.state.copy[0]["backlog"])
    run_decade(model, DoNothing(), 1)
    last = float(model.state.copy[0]["backlog"])
    assert last > first > 0.0
    booked = model.state.euros[0, :, CATEGORIES.index("backlog")]
    assert booked.tolist() == pytest.approx([last - first, last * 1.017**-10 - first])


def test_the_sum_of_a_weeks_costs_is_kept_as_conditions_change() -> None:
    """The running sums by which weeks are booked equal those over all sections."""
    model = decades(inventory(), budget_eur=RICH)
    run_decade(model, Dice(), 1)
    roads, state = model.inventory, model.state
    step = roads.step[state.section[0]["pci"].astype(int)]
    copy = state.copy[0]
    assert copy["operating"] == pytest.approx((roads.place["km_week"] * step["operating"]).sum())
    assert copy["patching"] == pytest.approx((roads.place["area_m2"] * step["patching"]).sum())
