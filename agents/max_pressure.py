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
        read = view.read
        waiting = read.link_standing + read.link_moving
        pressure = np.where(waiting > 0, waiting - read.behind, 0.0)
        by_phase = view.by_phase(pressure)
        by_phase[:, view.junctions.row < 0] = -np.inf
        here = np.take_along_axis(by_phase, view.phase[..., None], axis=2)
        np.put_along_axis(by_phase, view.phase[..., None], here + 1e-3, axis=2)
        return np.asarray(np.argmax(by_phase, axis=2))
