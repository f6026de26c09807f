from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from scenarios.statistics import Paired, holm, paired, pairs_needed, runs_for_precision, welch

Floats = NDArray[np.float64]


def test_without_skewness_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a, half = rng.normal(50.0, 10.0, 12), rng.normal(0.0, 3.0, 6)
    b = a - 2.0 + np.concatenate([half, -half])
    found, known = paired(a, b), stats.ttest_rel(b, a)
    interval = known.confidence_interval(0.95)
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.skewness == pytest.approx(0.0)


def test_without_skewness_welch_is_that_of_scipy() -> None:
    a, b = np.array([1.0, 2.0, 4.0, 5.0]), np.array([3.0, 3.5, 4.0, 4.5, 5.0, 9.0, 1.0, 2.0])
    b = np.concatenate([b, 8.0 - b])
    found, known = welch(a, b), stats.ttest_ind(b, a, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("error", [0.05, 0.009, 0.0001])
@pytest.mark.parametrize("test", [paired, welch])
def test_the_interval_ends_where_the_test_just_rejects(error: float, test: object) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(50.0, 10.0, 12), rng.lognormal(4.0, 0.7, 12)
    found = test(a, b, error=error)  # type: ignore[operator]
    for end in (found.low, found.high):
        assert test(a, b - end).p_value == pytest.approx(error)  # type: ignore[operator]


def differences(rng: np.random.Generator, sigma: float, n: int) -> tuple[Floats, float]:
    """Draw normal differences, or lognormal ones of sigma, and return their true mean too."""
    z = rng.normal(size=n)
    return (z, 0.0) if sigma == 0.0 else (np.exp(sigma * z), math.exp(0.5 * sigma**2))


def drawn(sigma: float, n: int, repeats: int) -> list[tuple[Paired, bool]]:
    """Compare made-up pairs; return what was found, and whether it holds the truth."""
    rng = np.random.default_rng(1000 * n + round(100 * sigma))
    found = []
    for _ in range(repeats):
        d, truth = differences(rng, sigma, n)
        base = rng.normal(100.0, 20.0, n)
        result = paired(base, base + d)
        found.append((result, result.low <= truth <= result.high))
    return found


@pytest.mark.parametrize("n", [2, 5, 10, 30])
def test_95_percent_intervals_hold_the_truth_in_95_percent(n: int) -> None:
    share = np.mean([held for _, held in drawn(0.0, n, 1500)])
    # 4 standard errors of a share of 0.95 in 1,500 draws are 0.023
    assert share == pytest.approx(0.95, abs=0.023)


@pytest.mark.parametrize("n", [10, 20, 30])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_an_interval_that_is_too_short_is_warned_of(n: int, sigma: float) -> None:
    found = drawn(sigma, n, 3000)
    silent = [not held and not result.warning for result, held in found]
    assert np.mean(silent) <= 0.06
    if sigma == 1.0:
        assert np.mean([bool(result.warning) for result, _ in found]) > 0.75


def test_the_correction_for_skewness_makes_intervals_truer() -> None:
    rng = np.random.default_rng(8)
    plain = corrected = 0
    for _ in range(1500):
        d, truth = differences(rng, 1.0, 20)
        result = paired(np.zeros(20), d)
        half = stats.t.ppf(0.975, 19) * d.std(ddof=1) / math.sqrt(20)
        plain += abs(d.mean() - truth) <= half
        corrected += result.low <= truth <= result.high
    assert plain / 1500 < 0.89
    assert corrected / 1500 > 0.90


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_runs_without_difference_are_called_different_in_5_percent_at_most(sigma: float) -> None:
    rng = np.random.default_rng(9)
    called = 0
    for _ in range(1500):
        a, b = differences(rng, sigma, 10)[0], differences(rng, sigma, 15)[0]
        result = welch(a, b)
        called += result.low > 0.0 or result.high < 0.0
    assert called / 1500 <= 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / 1500)


def test_pairing_takes_out_what_both_runs_share() -> None:
    rng = np.random.default_rng(3)
    day = rng.normal(100.0, 50.0, 10)
    together = paired(day, day + rng.normal(1.0, 0.5, 10))
    apart = welch(day, day + rng.normal(1.0, 0.5, 10))
    assert together.high - together.low < 0.05 * (apart.high - apart.low)


def test_identical_pairs_one_pair_and_no_pair() -> None:
    same = paired([1.0, 2.0], [1.0, 2.0])
    assert same.identical
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)
    one = paired([1.0], [2.0])
    assert (one.n, one.difference) == (1, 1.0)
    assert math.isnan(one.low)
    assert math.isnan(one.p_value)
    none = paired([math.nan, 1.0], [1.0, math.inf])
    assert none.n == 0
    assert not none.identical
    constant = paired([1.0, 2.0], [2.0, 3.0])
    assert (constant.low, constant.high, constant.p_value) == (1.0, 1.0, 0.0)
    still = welch([3.0, 3.0], [3.0, 3.0, 3.0])
    assert still.identical
    assert welch([3.0, 3.0], [3.0]).n == 1
    assert welch([], [3.0]).n == 0


def test_holm_against_a_worked_example() -> None:
    # Holm (1979) step-down: 4·0.005, 3·0.01, 2·0.03 and not below, 1·0.04 raised to 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([math.nan, 0.03])[1] == pytest.approx(0.03)


def test_the_number_of_pairs_advised_is_the_least_that_settles_it() -> None:
    n = pairs_needed(1.0, 2.0)
    half = [stats.t.ppf(0.975, k - 1) * 2.0 / math.sqrt(k) for k in (n - 1, n)]
    assert half[0] >= 1.0 > half[1]
    assert pairs_needed(1.0, 2.0, 0.01) > n
    assert pairs_needed(0.001, 2.0) == 0
    assert pairs_needed(0.0, 2.0) == 0


def test_replications_for_a_precision_are_the_least_that_reach_it() -> None:
    # a mean of 100 to ± 5 % with a standard deviation of 10: (2.110 · 10 / 5)² = 17.8 with n = 18
    # (t of 17 degrees of freedom), (2.120 · 2)² = 18.0 > 17 with n = 17
    assert runs_for_precision(10.0, 5.0) == 18
    assert runs_for_precision(10.0, 2.5) > 4 * 18 - 10
    assert runs_for_precision(0.0, 1.0) == 2
    assert runs_for_precision(10.0, 0.0) == 0
    assert runs_for_precision(math.nan, 1.0) == 0
