"""Copies of a batch are single runs, whatever their number and that of the threads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from crossings import crossing, demand
from test_specification import END_S, TPS, cases

from twin.errors import SimulationError
from twin.traffic.batch import Batch
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.records import State
from twin.traffic.signals import SignalControl
from twin.traffic.state import Vehicles, copy_state, initial_state

STEP = 10 * TPS


def starts(copies: int) -> tuple[Network, list[State]]:
    network, ways = crossing()
    return network, [
        initial_state(network, demand(ways, 40 + 15 * k, seed=k), end_s=END_S)
        for k in range(copies)
    ]


def assert_equal(one: State, other: State) -> None:
    for name, a, b in zip(State._fields, one, other, strict=True):
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("copies", [1, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_copies_equal_single_runs_bit_by_bit(copies: int, threads: int) -> None:
    """Different demand, decisions and ends, the rules of signals kept in both."""
    network, singles = starts(copies)
    batch = Batch(network, singles, threads=threads)
    control = SignalControl(batch)
    controls: list[SignalControl] = []
    for k, state in enumerate(singles):
        controls.append(SignalControl(Batch.around(network, state)))
        controls[-1].take(0)
        control.take(k)
    rng = np.random.default_rng(7)
    late = np.arange(copies) * 3
    changed = 0
    for step in range(1, 20):
        asked = rng.integers(-1, 3, (copies, len(control.junctions)))
        asked[copies // 2] = 0  # holds: the longest wait at red ends it
        view = control.look()
        allowed = view.allowed.copy()
        before = view.phase.copy()
        served = control.request(asked)
        changed += int((served != before).sum())
        for k, one in enumerate(controls):
            for name, array in one.look().read._asdict().items():
                np.testing.assert_array_equal(getattr(view.read, name)[k], array[0], err_msg=name)
            np.testing.assert_array_equal(allowed[k], one.view.allowed[0])
            np.testing.assert_array_equal(served[k], one.request(asked[k : k + 1])[0])
            one.advance(step * STEP + int(late[k]))
        control.advance(step * STEP + late)
        for k, one in enumerate(controls):
            assert_equal(batch.copies[k], one.batch.copies[0])
    assert changed > 5 * copies
    assert all((state.vehicle["arrive"] >= 0).sum() > 10 for state in singles)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(), cut=st.integers(1, int(END_S * TPS)))
def test_drawn_networks_run_in_a_batch_as_alone(
    case: tuple[Network, Vehicles, list[int]], cut: int
) -> None:
    network, vehicles, _ = case
    single = initial_state(network, vehicles, end_s=END_S)
    batch = Batch(network, [single] * 3, threads=2)
    batch.advance(cut)
    batch.advance([int(END_S * TPS), cut, cut // 2])  # never back in time
    advance(network.arrays, network.signals, single, cut)
    assert_equal(batch.copies[1], single)
    assert_equal(batch.copies[2], single)
    advance(network.arrays, network.signals, single, int(END_S * TPS))
    assert_equal(batch.copies[0], single)


def test_reset_of_one_copy_in_place_leaves_the_others_alone() -> None:
    network, singles = starts(4)
    batch = Batch(network, singles[:3], threads=2)
    batch.advance(60 * TPS)
    batch.load(1, singles[3])  # larger than any so far
    assert batch.now.tolist() == [60 * TPS, 0, 60 * TPS]
    batch.advance(90 * TPS)
    for copy, start in zip(batch.copies, (singles[0], singles[3], singles[2]), strict=True):
        alone = copy_state(start)
        advance(network.arrays, network.signals, alone, 90 * TPS)
        assert_equal(copy, alone)


def test_refusals_name_copy_and_value() -> None:
    network, singles = starts(3)
    batch = Batch(network, singles[:2])
    refused: list[tuple[str, Any]] = [
        ("shape", lambda: SignalControl(batch).request(np.zeros(1, int))),
        ("whole numbers", lambda: SignalControl(batch).request(np.zeros((2, 3)))),
        ("0 states", lambda: Batch(network, [])),
        ("network", lambda: Batch(crossing(2)[0], singles)),
    ]
    for words, call in refused:
        with pytest.raises(SimulationError, match=words):
            call()
    alone = copy_state(singles[0])
    assert_equal(batch.copies[0], alone)
