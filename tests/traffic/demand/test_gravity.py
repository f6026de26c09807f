"""Gravity: margins are kept, and the 2 x 2 solution is the known one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import InputError
from twin.traffic.demand.gravity import deterrence, furness, gravity


def test_two_by_two_has_the_known_solution() -> None:
    # With equal margins T the odds ratio of the weights fixes the matrix: x / (T - x) = sqrt(w).
    weights = np.array([[4.0, 1.0], [1.0, 4.0]])
    matrix = furness(weights, np.array([30.0, 30.0]), np.array([30.0, 30.0]))
    assert matrix == pytest.approx(np.array([[24.0, 6.0], [6.0, 24.0]]))


def test_equal_weights_give_the_product_of_margins() -> None:
    rows, columns = np.array([10.0, 30.0]), np.array([5.0, 15.0, 20.0])
    assert furness(np.ones((2, 3)), rows, columns) == pytest.approx(np.outer(rows, columns) / 40.0)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_margins_and_odds_ratios_are_kept(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.uniform(0, 100, n), rng.uniform(0, 100, m)
    columns *= rows.sum() / columns.sum()
    weights = rng.uniform(0.1, 1.0, (n, m))
    matrix = furness(weights, rows, columns)
    assert matrix.sum(axis=1) == pytest.approx(rows, abs=1e-4)
    assert matrix.sum(axis=0) == pytest.approx(columns, abs=1e-4)
    if n > 1 and m > 1:
        odds = [a[0, 0] * a[1, 1] / (a[0, 1] * a[1, 0]) for a in (matrix, weights)]
        assert odds[0] == pytest.approx(odds[1], rel=1e-6)


def test_farther_means_fewer() -> None:
    minutes = np.array([[1.0, 5.0, 20.0], [5.0, 1.0, 5.0], [20.0, 5.0, 1.0]])
    matrix = gravity(minutes, np.full(3, 100.0), np.full(3, 100.0), scale_min=6.0)
    assert matrix[0, 0] > matrix[0, 1] > matrix[0, 2]
    near = gravity(minutes, np.full(3, 100.0), np.full(3, 100.0), scale_min=2.0)
    assert (near * minutes).sum() < (matrix * minutes).sum()


def test_what_cannot_be_reached_draws_nothing() -> None:
    assert deterrence(np.array([np.inf, 0.0]), 5.0).tolist() == [0.0, 1.0]
    minutes = np.array([[1.0, np.inf], [2.0, 2.0]])
    assert gravity(minutes, np.array([1.0, 2.0]), np.array([2.0, 1.0]), scale_min=5.0)[0, 1] == 0.0


def test_no_trips_and_no_zones_are_fine() -> None:
    assert furness(np.ones((2, 2)), np.zeros(2), np.zeros(2)).sum() == 0.0
    assert furness(np.ones((0, 0)), np.zeros(0), np.zeros(0)).shape == (0, 0)


def test_impossible_margins_are_refused() -> None:
    with pytest.raises(InputError, match="must be equal"):
        furness(np.ones((1, 1)), np.array([1.0]), np.array([2.0]))
    with pytest.raises(InputError, match="cannot carry"):
        furness(np.eye(2), np.array([2.0, 1.0]), np.array([1.0, 2.0]))
    with pytest.raises(InputError, match=">= 0"):
        furness(np.ones((1, 2)), np.array([1.0]), np.array([2.0, -1.0]))
    with pytest.raises(InputError, match="shape"):
        furness(np.ones((1, 2)), np.array([1.0]), np.array([1.0]))
