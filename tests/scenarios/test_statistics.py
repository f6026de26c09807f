from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from scenarios.statistics import holm, paired, pairs_needed


def test_interval_and_p_value_are_those_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(50.0, 10.0, 12)
    b = a + rng.normal(-2.0, 3.0, 12)
    found, known = paired(a, b), stats.ttest_rel(b, a)
    interval = known.confidence_interval(0.95)
    assert found.p_value == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [2, 5, 10])
def test_95_percent_intervals_hold_the_truth_in_95_percent(n: int) -> None:
    rng = np.random.default_rng(n)
    repeats, truth, hits = 1500, 1.5, 0
    for _ in range(repeats):
        base = rng.normal(100.0, 20.0, n)
        found = paired(base, base + rng.normal(truth, 4.0, n))
        hits += found.low <= truth <= found.high
    # 4 standard errors of a share of 0.95 in 1,500 draws are 0.023
    assert hits / repeats == pytest.approx(0.95, abs=0.023)


def test_pairing_takes_out_what_both_runs_share() -> None:
    rng = np.random.default_rng(3)
    day = rng.normal(100.0, 50.0, 10)
    together = paired(day, day + rng.normal(1.0, 0.5, 10))
    apart = paired(day, rng.permutation(day) + 1.0)
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


def test_holm_against_a_worked_example() -> None:
    # Holm (1979) step-down: 4·0.005, 3·0.01, 2·0.03 and not below, 1·0.04 raised to 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([math.nan, 0.03])[1] == pytest.approx(0.03)


def test_the_number_of_pairs_advised_is_the_least_that_settles_it() -> None:
    n = pairs_needed(1.0, 2.0)
    half = [stats.t.ppf(0.975, k - 1) * 2.0 / math.sqrt(k) for k in (n - 1, n)]
    assert half[0] >= 1.0 > half[1]
    assert pairs_needed(0.001, 2.0) == 0
