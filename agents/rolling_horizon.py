"""Search on copies of the simulation: what would happen in the next minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agents.rules import Greedy
from twin.errors import SimulationError
from twin.traffic.batch import Batch
from twin.traffic.signals import SignalControl

if TYPE_CHECKING:
    from twin.traffic.signals import View

I8 = npt.NDArray[np.integer]


class RollingHorizon:
    """Tries every phase of every junction on copies of the simulation, and takes the best.

    A copy has one junction ask for another phase than the rule that it follows else
    (`agents.rules.Greedy`), and all go on by that rule until the horizon.  A junction takes the
    phase of the least delay of all vehicles, the others' choices being the rule's: a best
    response, and a rolling horizon in the sense of model-predictive control.  The copies know
    every trip to come, so this is a bound for what policies could do that see less, not one
    for the street.

    Parameters
    ----------
    interval_s
        Seconds between decisions.
    horizon_s
        How far it looks ahead.

    Raises
    ------
    SimulationError
        On SUMO, whose vehicles cannot be copied.
    """

    def __init__(self, interval_s: float = 10.0, horizon_s: float = 60.0) -> None:
        self.interval_s, self.horizon_s = interval_s, horizon_s
        self._rule = Greedy()
        self._ahead: SignalControl | None = None

    def start(self, view: View) -> None:
        """Refuse simulations that cannot be copied."""
        if not all(len(state.vehicle) for state in view.batch.copies):
            msg = "rolling_horizon copies the twin's vehicles; SUMO's cannot be copied"
            raise SimulationError(msg)
        self._ahead = None

    def decide(self, view: View) -> I8:
        """The phases of the least delay ahead."""
        return np.stack([self._search(view, k) for k in range(len(view.batch))])

    def _search(self, view: View, k: int) -> I8:
        usual: I8 = self._rule.decide(view)[k]
        tried = [
            (j, p)
            for j in range(len(usual))
            for p in np.flatnonzero(view.allowed[k, j])
            if p != usual[j]
        ]
        if not tried:
            return usual
        wanted = np.tile(usual, (len(tried) + 1, 1))
        for row, (j, p) in enumerate(tried, start=1):
            wanted[row, j] = p
        delay_s = self._look_ahead(view, k, wanted)
        best: I8 = usual.copy()
        gain = np.zeros(len(usual))
        for row, (j, p) in enumerate(tried, start=1):
            saved = delay_s[0] - delay_s[row]
            if saved > gain[j]:
                gain[j], best[j] = saved, p
        return best

    def _look_ahead(self, view: View, k: int, wanted: I8) -> npt.NDArray[np.float64]:
        """[rows] delay of all vehicles until the horizon, when a copy begins so, s."""
        state, n = view.batch.copies[k], len(wanted)
        ahead = self._ahead
        if ahead is None or len(ahead.batch) < n:
            batch = Batch(view.network, [state] * n)
            ahead = self._ahead = SignalControl(
                batch, view.rules, junctions=view.junctions, detector_m=view.sensors.metres
            )
        free = view.free_times(k)
        size = len(ahead.batch)
        for copy in range(size):
            ahead.load(copy, state, free)
        tps = view.network.arrays.tps
        now = int(state.clock["now"][0])
        step, end = round(self.interval_s * tps), now + round(self.horizon_s * tps)
        asked = np.concatenate([wanted, np.repeat(wanted[:1], size - n, axis=0)])
        seen = ahead.look()
        delay_s = np.zeros(size)
        while now < end:
            ahead.request(asked)
            now = min(now + step, end)
            ahead.advance(now)
            seen = ahead.look()
            delay_s += seen.read.delay_s.sum(axis=1)
            asked = self._rule.decide(seen)
        return delay_s[:n]
