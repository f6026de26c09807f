"""Max-pressure control of signals (Varaiya 2013)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.traffic.signals import View


class MaxPressure:
    """Shows at each junction the phase of the greatest pressure.

    The pressure of a phase is the sum, over the movements that it gives green to, of the
    vehicles before the stop line less the mean number per lane on the street behind it
    (Varaiya 2013, Transportation Research Part C 36, 177-195; turning shares are known,
    since vehicles are counted by movement).  Ties keep the present phase.

    Parameters
    ----------
    interval_s
        Seconds between decisions.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        self.interval_s = interval_s

    def start(self, view: View) -> None:
        """Nothing to prepare."""

    def decide(self, view: View) -> npt.NDArray[np.integer]:
        """The phase of the greatest pressure at every junction."""
        junctions = view.junctions
        waiting = view.by_link(view.waiting) + view.by_link(view.approaching)
        pressure = np.where(waiting > 0, waiting - view.downstream(), 0.0)
        by_phase = np.einsum("jpl,jl->jp", junctions.green.astype(np.float32), pressure)
        by_phase[junctions.row < 0] = -np.inf
        rows = np.arange(len(by_phase))
        by_phase[rows, view.phase] += 1e-3
        return np.asarray(np.argmax(by_phase, axis=1))
