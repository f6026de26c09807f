"""The integer programme of the rolling optimum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from agents.roads.rolling import Choice, solve
from twin.roads.state import F8

YEARS = 3


def draw(seed: int, n: int, sections: int) -> tuple[Choice, F8, F8]:
    """Random choices in whole euros, budgets and crew days."""
    rng = np.random.default_rng(seed)
    choice = Choice(
        section=rng.integers(0, sections, n),
        year=rng.integers(0, YEARS, n),
        treatment=rng.integers(0, 4, n),
        option=rng.integers(1, 8, n),
        saved=rng.integers(1, 100_000, n).astype(float),
        price=rng.integers(100, 50_000, n).astype(float),
        days=rng.integers(1, 20, n).astype(float),
    )
    money = rng.integers(20_000, 120_000, YEARS).astype(float)
    return choice, money, rng.integers(15, 60, YEARS).astype(float)


def used(choice: Choice, chosen: np.ndarray, amount: F8) -> F8:
    return np.bincount(choice.year[chosen], weights=amount[chosen], minlength=YEARS)


def fits(choice: Choice, chosen: np.ndarray, money: F8, days: F8) -> bool:
    """Whether budgets and crews suffice, and no section is chosen twice."""
    once = np.bincount(choice.section[chosen], minlength=1).max(initial=0) <= 1
    paid = np.all(used(choice, chosen, choice.price) <= money)
    return bool(once and paid and np.all(used(choice, chosen, choice.days) <= days))


def best_by_trying(choice: Choice, money: F8, days: F8) -> float:
    best = 0.0
    for picked in product((False, True), repeat=len(choice.section)):
        chosen = np.array(picked)
        if fits(choice, chosen, money, days):
            best = max(best, float(choice.saved[chosen].sum()))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_budgets_and_crews_are_kept_and_a_section_is_chosen_once(seed: int) -> None:
    choice, money, days = draw(seed, n=80, sections=25)
    chosen, saved = solve(choice, money, days)
    assert chosen.any()
    assert fits(choice, chosen, money, days)
    assert saved == pytest.approx(choice.saved[chosen].sum())


@pytest.mark.parametrize("seed", range(8))
def test_more_money_never_saves_less(seed: int) -> None:
    choice, money, days = draw(seed, n=60, sections=25)
    saved = [solve(choice, money * share, days, gap=0.0)[1] for share in (0, 0.3, 0.6, 1.0, 1.5, 4)]
    assert saved == sorted(saved)
    assert saved[0] == 0.0
    assert saved[-1] > saved[1]


@pytest.mark.parametrize("seed", range(8))
def test_the_optimum_is_the_best_of_all_choices(seed: int) -> None:
    choice, money, days = draw(seed, n=11, sections=6)
    _, saved = solve(choice, money * 0.4, days * 0.5, gap=0.0)
    best = best_by_trying(choice, money * 0.4, days * 0.5)
    assert saved == best > 0.0


def test_fractions_of_euros_do_not_break_a_budget() -> None:
    choice, _, days = draw(1, n=40, sections=40)
    choice.price[:] = 1000.4
    money = np.full(YEARS, 3001.0)
    chosen, _ = solve(choice, money, days)
    assert used(choice, chosen, choice.price).tolist() == pytest.approx([2000.8] * YEARS)


def test_nothing_to_choose_saves_nothing() -> None:
    empty = Choice(*(np.zeros(0, np.int64) for _ in range(4)), *(np.zeros(0) for _ in range(3)))
    chosen, saved = solve(empty, np.ones(YEARS), np.ones(YEARS))
    assert (len(chosen), saved) == (0, 0.0)
