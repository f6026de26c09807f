from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import ndtri

from scenarios import sequential
from scenarios.sequential import Look, level, p_over_looks, spent
from scenarios.statistics import paired

NAIVE = [Look(10, 10), Look(20, 20), Look(30, 30)]
PLANNED = [Look(10, 30), Look(20, 30), Look(30, 30)]


def test_bounds_are_those_that_were_published(monkeypatch: pytest.MonkeyPatch) -> None:
    # Lan & DeMets' use function near to Pocock's, five equal looks, two-sided 0.05: table of the
    # program of Reboussin, DeMets, Kim & Lan (2000, Control. Clin. Trials 21, 190-207)
    def pocock(looks: Sequence[Look], alpha: float) -> list[float]:
        return [alpha * math.log(1.0 + (math.e - 1.0) * look.n / 5.0) for look in looks]

    monkeypatch.setattr(sequential, "spent", pocock)
    sequential._level.cache_clear()
    looks = [Look(k, 5) for k in range(1, 6)]
    bounds = [-ndtri(level(looks[:k], 0.05) / 2.0) for k in range(1, 6)]
    sequential._level.cache_clear()
    assert bounds == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=6e-4)


@pytest.mark.parametrize("looks", [NAIVE, PLANNED, [Look(7, 12), Look(9, 12), Look(30, 40)]])
def test_each_look_errs_as_often_as_it_may(looks: list[Look]) -> None:
    rng = np.random.default_rng(2)
    paths = rng.normal(size=(400_000, looks[-1].n)).astype(np.float32).cumsum(axis=1)
    crossed = np.zeros(len(paths), dtype=bool)
    for k, total in enumerate(spent(looks, 0.05)):
        bound = -ndtri(level(looks[: k + 1], 0.05) / 2.0)
        crossed |= np.abs(paths[:, looks[k].n - 1]) > bound * math.sqrt(looks[k].n)
        assert crossed.mean() == pytest.approx(total, abs=4.0 * math.sqrt(0.05 / 400_000))


def test_all_looks_together_spend_no_more_than_there_is() -> None:
    endless = [Look(n, n) for n in range(10, 500, 10)]
    totals = spent(endless, 0.05)
    assert totals[0] == pytest.approx(0.045)
    assert all(a < b < 0.05 for a, b in zip(totals[:8], totals[1:9], strict=True))
    assert totals[-1] <= 0.05
    assert spent([Look(1, 1000)], 0.05)[0] < 1e-9


def test_a_stated_plan_costs_little_and_additions_cost_more() -> None:
    single, planned, added = (level(looks, 0.05) for looks in ([Look(30, 30)], PLANNED, NAIVE))
    assert 0.05 > single > planned > 0.9 * single
    assert added < 0.1 * planned


def test_p_values_over_looks_agree_with_bounds() -> None:
    for looks in (NAIVE, PLANNED, NAIVE[:1]):
        for alpha in (0.05, 0.01, 0.3):
            alone = level(looks, alpha)
            assert p_over_looks(looks, [alone])[0] == pytest.approx(alpha, rel=0.02)
    found = p_over_looks(NAIVE, [0.0, 1e-30, 0.5, 1.0, math.nan])
    assert found[0] == 0.0
    assert 1e-30 <= found[1] < 1e-25
    assert 0.5 < found[2] <= found[3] == 1.0
    assert math.isnan(found[4])


def test_a_look_long_before_the_end_has_a_wide_interval_and_still_one() -> None:
    error = level([Look(2, 10_000)], 0.05)
    result = paired([1.0, 2.0], [2.0, 3.5], error=error)
    assert -math.inf < result.low < -1e9
    assert 1e9 < result.high < math.inf


def looked_at(seed: int, levels: Sequence[float], repeats: int) -> float:
    """Return how often one who looks at 10, 20 and 30 pairs finds what is not there."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(repeats):
        base = rng.normal(100.0, 20.0, 30)
        other = base + rng.normal(0.0, 4.0, 30)
        for n, error in zip((10, 20, 30), levels, strict=True):
            result = paired(base[:n], other[:n], error=error)
            if result.low > 0.0 or result.high < 0.0:
                found += 1
                break
    return found / repeats


@pytest.mark.parametrize("looks", [NAIVE, PLANNED])
def test_who_looks_again_and_again_errs_in_5_percent(looks: list[Look]) -> None:
    # who stops where the interval leaves out the truth has an interval that does not cover it
    levels = [level(looks[: k + 1], 0.05) for k in range(3)]
    share = looked_at(5, levels, 2000)
    assert share <= 0.06  # 2 standard errors above 0.05
    assert share >= 0.035
    assert looked_at(5, [0.05] * 3, 1000) > 0.08  # Armitage et al. (1969): 0.107
