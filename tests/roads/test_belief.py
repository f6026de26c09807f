"""The city's belief: it is as sure as it may be, and moves where observations point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from scipy.linalg import expm
from scipy.stats import poisson
from small_roads import N, decades, inventory, large

from twin.roads import filtering, kernel, orders
from twin.roads.decade import Decades, interval, run_decade
from twin.roads.inventory import DENSITY, FALSE_SHARE, SEEN
from twin.roads.planners import DoNothing
from twin.roads.state import F8, HYPOTHESES, I8, Condition, Inventory, pass_room

PASSED = 3_000


@dataclass(frozen=True)
class Check:
    """How beliefs at the end of decades compare with the truth."""

    held: float  # share of truths within the interval of 90 %
    error: F8  # believed less true PCI


def check(truth: str, belief: str, passes: float, seeds: int) -> Check:
    """Decades without works, so that nothing is known but what was seen and heard."""
    model = decades(inventory(belief, truth), truth=truth, belief=belief, passes_per_year=passes)
    held, error = [], []
    for seed in range(seeds):
        run_decade(model, DoNothing(), seed)
        low, high = interval(model.inventory, model.rules, model.state, 0)
        section = model.state.section[0]
        assert np.isnan(section["known"]).all()
        held.append((low <= section["pci"]) & (section["pci"] <= high))
        error.append(model.view(0, 1).seen[:, 5] - section["pci"])
    return Check(float(np.mean(held)), np.concatenate(error))


@pytest.mark.parametrize("passes", [0, 1, 4])
def test_nine_of_ten_truths_lie_in_the_interval_of_90_percent(passes: int) -> None:
    found = check("markov", "markov", passes, seeds=200)
    assert 0.885 <= found.held <= 0.915
    assert abs(found.error.mean()) < 4.0 * found.error.std() / np.sqrt(len(found.error))


@pytest.mark.parametrize("passes", [0, 1])
def test_the_interval_holds_for_curves_of_unknown_pace(passes: int) -> None:
    found = check("curve", "curve", passes, seeds=100)
    assert 0.87 <= found.held <= 0.94
    assert abs(found.error.mean()) < 4.0 * found.error.std() / np.sqrt(len(found.error))


def test_who_believes_in_the_wrong_model_is_surer_than_right() -> None:
    assert check("markov", "curve", 1, seeds=20).held < 0.75


def test_who_passes_more_often_errs_less() -> None:
    never, yearly, quarterly = (
        check("markov", "markov", passes, seeds=20).error.std() for passes in (0, 1, 4)
    )
    assert never > 1.2 * yearly
    assert yearly > 1.2 * quarterly


def passes_of(model: Decades, weeks: int, pci: float | None = None) -> F8:
    """[weeks, sections, classes of damage] detections; all sections have the PCI, if given.

    Of a large network the first sections are passed.
    """
    found = pass_room(model.inventory)[0]
    state, n, classes = model.state, min(PASSED, len(model.inventory.place)), len(SEEN)
    if pci is not None:
        state.section["pci"] = pci
    seen = np.zeros((weeks, n, classes))
    for week in range(weeks):
        state.copy["week"] = week + 1
        for i in range(n):
            orders.drive_past(model.inventory, model.rules, state, 0, i, found)
            seen[week, i] = found[:classes]
    return seen


@pytest.mark.parametrize("number", [0, 3, 20])
def test_a_file_of_detections_is_weighed_by_the_chance_of_its_counts(number: int) -> None:
    """Bayes' rule with Poisson counts."""
    model = decades(inventory())
    model.reset(0, 1)
    before = model.state.belief[0, 0].astype(float)
    counts = np.array([number, 1.0, 0.0, 2.0 * number])
    rules, state, work = model.rules, model.state, np.zeros(HYPOTHESES)
    filtering.detected(model.inventory, rules, state, 0, 0, counts, work)
    mean = model.inventory.lens.mean * model.inventory.place["hundred_m"][0]
    chance = poisson.pmf(counts[:, None], mean).prod(axis=0)
    expected = before * chance / (before * chance).sum()
    np.testing.assert_allclose(state.belief[0, 0], expected, rtol=1e-4, atol=1e-6)


def test_a_belief_ages_as_the_chain_does() -> None:
    """Against the exponential of its rates, over years at once."""
    model = decades(inventory(), frost_share=0.0, trenches_per_year=0.0, passes_per_year=0)
    place = model.inventory.place
    place["report_rate"], kept = 0.0, place["report_rate"].copy()
    try:
        model.reset(0, 1)
        before = model.view(0, 1).seen[:, :5]
        model.advance(0, 520)
        after = model.view(0, 1).seen[:, :5]
    finally:
        place["report_rate"] = kept
    rates = model.inventory.rates * 520.0
    for i in range(N):
        moved = expm(np.diag(rates[i, :-1], 1) - np.diag(rates[i]))
        np.testing.assert_allclose(after[i], before[i] @ moved, atol=1e-5)


def test_who_has_been_there_knows_the_condition_until_it_changes() -> None:
    model = decades(inventory(), trenches_per_year=0.0, passes_per_year=0)
    model.reset(0, 1)
    model.advance(0, 12)
    view = model.view(0, 13)
    asked = np.flatnonzero(view.allowed[:, 7] == 1)[:3]
    model.request(0, asked, np.full(len(asked), 7), 13)
    model.advance(0, 8)
    done = np.flatnonzero(model.state.section[0]["known"] == 100.0)
    seen = model.view(0, 13).seen[done]
    assert len(done) > 0
    assert np.all(seen[:, 5] > 99.0)
    assert np.all(seen[:, 5] < 100.0)  # some may have left the band since


@njit
def set_pci(roads: Inventory, state: Condition, pci: float) -> None:
    kernel.set_pci(roads, state, 0, 0, pci)


def test_the_next_report_is_drawn_anew_after_a_street_was_perfect() -> None:
    model = decades(inventory())
    model.reset(0, 1)
    section = model.state.section[0]
    pci, waited = section["pci"][0], section["report_at"][0]
    set_pci(model.inventory, model.state, 100.0)
    assert section["report_at"][0] == np.inf
    set_pci(model.inventory, model.state, pci)
    assert section["report_at"][0] not in (waited, np.inf)


def sites(model: Decades) -> I8:
    return np.asarray(model.state.section[0]["site"][:PASSED], np.int64)


def test_a_pass_detects_the_stated_share_of_damages() -> None:
    model = decades(inventory())
    model.reset(0, 1)
    hundred_m = model.inventory.place["hundred_m"][0]
    seen = passes_of(model, 200, pci=40.0).mean(axis=(0, 1)) / hundred_m
    false = passes_of(model, 200, pci=100.0).mean(axis=(0, 1)) / hundred_m
    site = model.inventory.lens.site[sites(model), 0].mean()
    there = np.array([factor * 0.6**power for factor, power in DENSITY])
    np.testing.assert_allclose((seen - false) / (there * site), SEEN, rtol=0.05)
    np.testing.assert_allclose(false, model.inventory.lens.damage[:, 3], rtol=0.05)


def test_the_stated_share_of_detections_on_usual_streets_is_false() -> None:
    model = decades(large())
    model.reset(0, 1)
    seen = passes_of(model, 5).mean(axis=(0, 1)) / model.inventory.place["hundred_m"][0]
    false = model.inventory.lens.damage[:, 3]
    np.testing.assert_allclose(false / seen, FALSE_SHARE, atol=0.03)


def test_passes_of_a_section_miss_together() -> None:
    """With the same PCI everywhere, what one pass found tells what the next finds."""
    model = decades(large())
    model.reset(0, 1)
    first, second = passes_of(model, 2, pci=30.0).sum(axis=2)
    assert np.corrcoef(first, second)[0, 1] > 0.2
    alike = sites(model) == 1  # but not beyond how well one sees the street
    assert abs(np.corrcoef(first[alike], second[alike])[0, 1]) < 4.0 / np.sqrt(alike.sum())


@pytest.mark.parametrize("belief", ["markov", "curve"])
def test_a_report_makes_the_belief_worse(belief: str) -> None:
    model = decades(inventory(belief), belief=belief)
    model.reset(0, 1)
    model.advance(0, 13)  # a curve knows the condition of a new street
    before = model.view(0, 1).seen[:, 5]
    for i in range(N):
        filtering.reported(model.inventory, model.rules, model.state, 0, i)
    assert np.all(model.view(0, 1).seen[:, 5] < before)


@pytest.mark.parametrize("belief", ["markov", "curve"])
def test_that_nobody_reports_makes_the_belief_better(belief: str) -> None:
    """The same decade in a city whose people report, and in one where they never do."""
    seen, quiet = [], np.ones(N, bool)
    for share in (1.0, 0.0):
        roads = inventory(belief)
        place = roads.place.copy()
        place["report_rate"] *= share
        model = decades(roads._replace(place=place), belief=belief, passes_per_year=0)
        run_decade(model, DoNothing(), 1)
        quiet &= model.state.section[0]["reports"] == 0
        seen.append(model.view(0, 1).seen[:, 5])
    assert 20 < quiet.sum() < N
    assert np.all(seen[0][quiet] > seen[1][quiet])


def test_a_pass_without_detections_makes_the_belief_better_and_one_with_many_worse() -> None:
    model = decades(inventory())
    model.reset(0, 1)
    before = model.view(0, 1).seen[:, 5]
    counts = passes_of(model, 1)[0].sum(axis=1)
    after = model.view(0, 1).seen[:, 5]
    assert np.all(after[counts == 0] > before[counts == 0])
    assert np.all(after[counts >= 8] < before[counts >= 8])
    assert min((counts == 0).sum(), (counts >= 8).sum()) > 3
