"""The time wheel: entries that no longer hold are dropped, and keys come out sorted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from test_batch import crossing, demand
from test_specification import END_S, TPS

from twin.traffic.kernel import advance, wake_all
from twin.traffic.records import CHUNK, State
from twin.traffic.state import copy_state, initial_state
from twin.traffic.wheel import sort


@njit
def sorted_keys(keys: Any, n: int) -> None:
    sort(keys, n)


@pytest.mark.parametrize("n", [1, 2, 47, 48, 49, 1000])
def test_keys_are_sorted_few_or_many(n: int) -> None:
    rng = np.random.default_rng(n)
    keys = np.zeros(2 * n + 256, np.int64)
    keys[:n] = (rng.integers(0, 40_000, n) << 28) | rng.permutation(n)
    keys[: n // 3] |= np.int64(1) << 62
    wanted = np.sort(keys[:n])
    sorted_keys(keys, n)
    np.testing.assert_array_equal(keys[:n], wanted)


def _free_chunks(state: State) -> int:
    n, at = 0, int(state.clock["free"][0])
    while at >= 0:
        n, at = n + 1, int(state.chunk[CHUNK * at])
    return n


def test_no_more_chunks_than_ids_are_needed() -> None:
    """With so few chunks the wheel must drop old entries again and again."""
    network, ways = crossing()
    roomy = initial_state(network, demand(ways, 90, seed=3), end_s=END_S)
    scarce = copy_state(roomy)
    kept, at = len(scarce.id), int(scarce.clock["free"][0])
    for _ in range(kept):
        before, at = at, int(scarce.chunk[CHUNK * at])
    scarce.chunk[CHUNK * before] = -1
    total = len(roomy.chunk) // CHUNK
    least = total
    for t in range(TPS, int(END_S) * TPS, 7):
        for state in (roomy, scarce):
            wake_all(network.arrays, state)
            advance(network.arrays, network.signals, state, t)
        least = min(least, _free_chunks(scarce))
    assert least < 5
    np.testing.assert_array_equal(scarce.vehicle, roomy.vehicle)
    np.testing.assert_array_equal(scarce.turn_sum, roomy.turn_sum)
