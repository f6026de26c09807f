"""Curves and chain: known numbers, and that both stay equally long in a band."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from small_roads import decades, inventory, large, network

from twin.roads.costs import middle_of_bands
from twin.roads.decade import Decades
from twin.roads.deterioration import (
    BANDS,
    CURVES,
    EDGES,
    MODELS,
    WEEKS,
    band_of,
    german_grade,
    sojourn_years,
    stay_annual,
    stay_weekly,
)
from twin.roads.inventory import make_inventory
from twin.roads.state import F8

PLAIN = {"passes_per_year": 0, "trenches_per_year": 0.0, "frost_share": 0.0}
HORIZON = 150  # years after which next to no section has not reached the last band
QUARTER = 13


@pytest.mark.parametrize("curve", CURVES)
def test_the_age_of_a_condition_is_the_inverse_of_the_curve(curve) -> None:
    pci = np.linspace(0.5, 99.5, 200)
    np.testing.assert_allclose(curve.pci(curve.age(pci)), pci, rtol=1e-9)
    ages = np.linspace(0.5, curve.age(1.0), 200)
    np.testing.assert_allclose(curve.age(curve.pci(ages)), ages, rtol=1e-9)


@pytest.mark.parametrize("curve", CURVES)
def test_a_new_pavement_is_perfect_and_none_gets_better_by_age(curve) -> None:
    pci = curve.pci(np.linspace(0.0, 200.0, 2001))
    assert pci[0] == 100.0
    assert pci[-1] == 0.0
    assert np.all(np.diff(pci) <= 0.0)


def test_a_collector_of_fifteen_years_has_a_pci_of_63() -> None:
    assert CURVES[1].pci(15.0) == pytest.approx(63.2, abs=0.1)


def test_annual_steps_of_the_chain_are_the_published_ones() -> None:
    """Somerville's shares that stay for a year, were the chain to move once a year."""
    shares = 1.0 - 1.0 / sojourn_years()
    residential, collector, arterial = np.round(shares, 3).tolist()
    assert residential == [0.675, 0.919, 0.905, 0.879]
    assert collector == [0.782, 0.886, 0.839, 0.786]
    assert arterial == [0.586, 0.890, 0.871, 0.837]


def test_52_weekly_steps_are_an_annual_one() -> None:
    np.testing.assert_allclose(stay_weekly(), stay_annual() ** (1.0 / WEEKS), rtol=1e-14)
    np.testing.assert_allclose(stay_weekly() ** WEEKS, stay_annual(), rtol=1e-12)


def test_the_weekly_chain_stays_as_long_as_the_curve() -> None:
    weeks = 1.0 / (1.0 - stay_weekly())
    np.testing.assert_allclose(weeks / WEEKS, sojourn_years(), rtol=0.01)


def test_sections_of_different_pace_stay_as_long_as_their_class_on_average() -> None:
    """A section stays for the time of its class divided by its pace."""
    model = decades(large(), truth="curve", **PLAIN)
    inverse = []
    for seed in range(5):
        model.reset(0, seed)
        inverse.append(1.0 / model.state.section[0]["pace"])
    assert np.mean(inverse) == pytest.approx(1.0, rel=0.01)
    assert np.std(inverse) > 0.2


def test_the_chain_draws_times_in_a_band_that_last_as_long_as_the_curve() -> None:
    model = decades(large(), **PLAIN)
    klass = model.inventory.place["klass"]
    weeks, number = np.zeros((3, BANDS)), np.zeros((3, BANDS))
    for seed in range(60):
        model.reset(0, seed)
        section = model.state.section[0]
        np.add.at(weeks, (klass, band_of(section["pci"])), section["jump_at"])
        np.add.at(number, (klass, band_of(section["pci"])), 1)
    found = (weeks / number)[:, : BANDS - 1] / WEEKS
    np.testing.assert_allclose(found, sojourn_years(), rtol=0.01)


def years_by_band(model: Decades) -> F8:
    """[3, 4] mean years that new sections spend in each band but the last."""
    klass = model.inventory.place["klass"]
    model.reset(0, 1)
    spent = np.zeros((3, BANDS))
    weight = 0.5  # trapezoidal rule
    for _ in range(HORIZON * WEEKS // QUARTER):
        np.add.at(spent, (klass, band_of(model.state.section[0]["pci"])), weight)
        weight = 1.0
        model.advance(0, QUARTER)
    assert band_of(model.state.section[0]["pci"]).min() == BANDS - 1
    years = spent * QUARTER / WEEKS / np.bincount(klass)[:, None]
    return np.asarray(years[:, : BANDS - 1])


@pytest.mark.parametrize(("truth", "variation"), [("markov", 1.0), ("curve", 0.31)])
def test_new_sections_pass_the_bands_in_the_time_of_the_curve(truth: str, variation: float) -> None:
    """Within three standard errors, and a hundredth; `variation` is that of a time in a band."""
    roads = large(new=True)
    model = decades(roads, truth=truth, years=HORIZON, **PLAIN)
    np.testing.assert_allclose(roads.place["factor"], 1.0, rtol=1e-12)
    limit = 3.0 * variation / np.sqrt(len(roads.place) / 3) + 0.01
    np.testing.assert_allclose(years_by_band(model), sojourn_years(), rtol=limit)


def test_hard_winters_age_more_but_a_year_is_a_year_on_average() -> None:
    model = decades(inventory(), years=20, frost_share=0.5, frost_spread=0.5)
    ageing = []
    for seed in range(100):
        model.reset(0, seed)
        ageing.append(np.diff(model.state.week[0]["exposure"][::WEEKS]))
    assert np.mean(ageing) == pytest.approx(WEEKS, rel=0.02)
    assert np.std(ageing) > 0.1 * WEEKS


def test_a_limit_belongs_to_the_better_band() -> None:
    assert band_of(EDGES[:-1]).tolist() == [0, 0, 1, 2, 3]
    assert band_of(np.array(EDGES[1:]) - 1e-9).tolist() == [1, 2, 3, 4, 4]
    assert band_of(middle_of_bands()).tolist() == [0, 1, 2, 3, 4]


def test_german_grades_meet_at_the_limits_of_their_classes() -> None:
    assert german_grade([100.0, 88.0, 47.0, 25.0, 0.0]).tolist() == [1.0, 1.5, 3.5, 4.5, 5.0]
    grades = german_grade(np.linspace(0.0, 100.0, 1001))
    assert np.all(np.diff(grades) < 0.0)
    assert german_grade(46.99) > 3.5 > german_grade(47.01)


@pytest.mark.parametrize(("truth", "belief"), list(product(MODELS, MODELS)))
def test_as_many_sections_are_bad_at_the_start_as_in_gelsenkirchen(truth: str, belief: str) -> None:
    roads = make_inventory(network(3_000), truth=truth, belief=belief)
    model = decades(roads, truth=truth, belief=belief)
    share = 0.0
    for seed in range(10):
        model.reset(0, seed)
        share += float((model.state.section[0]["pci"] < 47.0).mean()) / 10.0
    assert share == pytest.approx(121.0 / 732.0, abs=0.012)
    assert model.view(0, 13).seen[:, 3:5].sum() / 3_000 == pytest.approx(121.0 / 732.0, abs=0.012)


def test_as_many_sections_of_each_class_are_bad_at_the_start() -> None:
    model = decades(large(), **PLAIN)
    model.reset(0, 1)
    bad = model.state.section[0]["pci"] < 47.0
    for klass in range(3):
        mine = bad[model.inventory.place["klass"] == klass]
        assert mine.mean() == pytest.approx(121.0 / 732.0, abs=0.012)
    assert bad.mean() == pytest.approx(121.0 / 732.0, abs=0.007)
