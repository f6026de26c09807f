"""Controlled signals of all copies of a batch, served in one compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.traffic.batch import Batch, copy_of
from twin.traffic.compiling import compiled
from twin.traffic.lights import request_phase
from twin.traffic.records import GREEN_STAGE
from twin.traffic.signals import Junctions, SignalControl

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class _Rules(NamedTuple):
    """What the compiled code needs to serve requests; arrays of `Junctions`, ticks."""

    signal: I4
    row: I4
    link: I4
    green: Bools
    min_green: int
    max_wait: int
    head_wait: I4  # [copies, links]
    wanted: I8  # [copies, junctions]
    phase: I8  # [copies, junctions] what holds or is being changed to, after the request
    allowed: Bools  # [copies, junctions, phases] before it


@compiled
def _shown(st: Any, rules: Any, j: int) -> int:
    """Phase of a junction that is green or being changed to."""
    signal = st.signal[rules.signal[j]]
    row = signal.phase if signal.stage == GREEN_STAGE else signal.target
    for p in range(rules.row.shape[1]):
        if rules.row[j, p] == row:
            return p
    return 0


@compiled
def _overdue(rules: Any, k: int, j: int, shown: int) -> int:
    """Phase that ends a wait at red that is too long, or -1."""
    worst, longest = -1, rules.max_wait
    for i in range(rules.link.shape[1]):
        link = rules.link[j, i]
        if link >= 0 and not rules.green[j, shown, i] and rules.head_wait[k, link] > longest:
            worst, longest = i, rules.head_wait[k, link]
    if worst >= 0:
        for p in range(rules.row.shape[1]):
            if rules.green[j, p, worst]:
                return p
    return -1


@compiled
def _allow(net: Any, sig: Any, flat: Any, rules: Any, first: int, end: int) -> None:  # noqa: ARG001
    """Fill `allowed` and `phase`; put a phase that is overdue in place of the one wanted."""
    for k in range(first, end):
        st = copy_of(flat, k)
        for j in range(len(rules.signal)):
            signal = st.signal[rules.signal[j]]
            shown = _shown(st, rules, j)
            free = signal.stage == GREEN_STAGE
            free = free and st.clock[0].now - signal.green_at >= rules.min_green
            due = _overdue(rules, k, j, shown)
            for p in range(rules.row.shape[1]):
                may = p == shown or (free and rules.row[j, p] >= 0)
                rules.allowed[k, j, p] = p == due if due >= 0 and free else may
            if due >= 0:
                rules.wanted[k, j] = due
            rules.phase[k, j] = shown


@compiled
def _serve(net: Any, sig: Any, flat: Any, rules: Any, first: int, end: int) -> None:
    _allow(net, sig, flat, rules, first, end)
    for k in range(first, end):
        st = copy_of(flat, k)
        for j in range(len(rules.signal)):
            wanted = rules.wanted[k, j]
            if wanted < 0 or wanted >= rules.row.shape[1] or wanted == rules.phase[k, j]:
                continue
            if rules.allowed[k, j, wanted]:
                request_phase(net, sig, st, rules.signal[j], rules.row[j, wanted])
                rules.phase[k, j] = _shown(st, rules, j)


class BatchControl:
    """Controlled junctions of all copies, under the rules of `SignalControl`.

    Parameters
    ----------
    batch
        The copies; `take` hands a copy's junctions over.
    junctions
        Which ones; all that can be controlled where it is None.
    given
        `yellow_s`, `all_red_s`, `min_green_s`, `max_wait_s` of `SignalControl`.
    """

    def __init__(self, batch: Batch, junctions: Junctions | None = None, **given: float) -> None:
        self.batch, self._given = batch, given
        self.junctions = junctions or Junctions.of(batch.network)
        one = SignalControl(batch.network, batch.copies[0], junctions=self.junctions, **given)
        j = self.junctions
        n = len(batch), len(j.signal)
        self._rules = _Rules(
            *(j.signal, j.row, j.link, j.green, one.min_green, one.max_wait),
            head_wait=batch.seen.head_wait,
            wanted=np.zeros(n, np.int64),
            phase=np.zeros(n, np.int64),
            allowed=np.zeros((*n, j.row.shape[1]), bool),
        )

    def take(self, k: int) -> None:
        """Take over every junction of copy `k`."""
        copy = self.batch.copies[k]
        SignalControl(self.batch.network, copy, junctions=self.junctions, **self._given).take()

    def allowed(self) -> Bools:
        """[copies, junctions, phases] what a request would be served with now."""
        self._rules.wanted[:] = -1
        self.batch.share(_allow, self._rules)
        return self._rules.allowed

    def request(self, phase: npt.ArrayLike) -> I8:
        """Serve what the rules allow; the phases that hold or are being changed to.

        `Batch.look` comes first: the longest wait at red is the one that it found.

        Parameters
        ----------
        phase
            [copies, junctions] phases wanted; -1 leaves a junction as it is.

        Raises
        ------
        SimulationError
            If the shape is another.
        """
        wanted = np.asarray(phase, np.int64)
        if wanted.shape != self._rules.wanted.shape:
            there = self._rules.wanted.shape
            msg = f"phases of shape {wanted.shape} asked for; copies and junctions are {there}"
            raise SimulationError(msg)
        self._rules.wanted[:] = wanted
        self.batch.share(_serve, self._rules)
        return self._rules.phase
