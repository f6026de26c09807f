"""Rules that look at what detectors see now: actuated, self-organising, greedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.traffic.signals import View

F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.integer]


def on_lanes(view: View, values: npt.NDArray[Any]) -> F8:
    """[copies, junctions, phases] sums of [copies, junctions, lanes] over lanes that are served."""
    serves = (view.junctions.served > 0.0).astype(np.float64)
    return np.asarray(np.einsum("jpl,cjl->cjp", serves, values), np.float64)


def _only_existing(view: View, score: F8) -> F8:
    """The same with -inf for phases that a junction lacks."""
    return np.where(view.junctions.row >= 0, score, -np.inf)


def _at(values: npt.NDArray[Any], phase: I8) -> npt.NDArray[Any]:
    """[copies, junctions] what [copies, junctions, phases] say of a phase."""
    return np.asarray(np.take_along_axis(values, phase[..., None], axis=2)[..., 0])


class Greedy:
    """Shows the phase with most vehicles before it, standing or on their way.

    RESCO's MaxWave (Ault and Sharon 2021, after Wei et al. 2019, ACM SIGKDD Explorations 21): sums
    over the lanes that a phase serves, within the detectors; a tie keeps the phase.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        self.interval_s = interval_s

    def start(self, view: View) -> None:
        """Nothing to prepare."""

    def decide(self, view: View) -> I8:
        """The phase with most vehicles."""
        seen = on_lanes(view, view.read.standing + view.read.moving)
        seen = _only_existing(view, seen)
        here = np.take_along_axis(seen, view.phase[..., None], axis=2)
        np.put_along_axis(seen, view.phase[..., None], here + 1e-3, axis=2)
        return np.asarray(np.argmax(seen, axis=2))


class Actuated:
    """Extends green while vehicles come, up to a longest green; then the next phase in demand.

    Gap-out and max-out of an actuated controller (FHWA 2008, Traffic Signal Timing Manual, ch. 5):
    the gap is out when fewer than `gap_veh` vehicles a served lane are on the lanes at the stop
    line.  Phases follow in the order of the program; those that nobody waits for are left out.

    Parameters
    ----------
    interval_s
        Seconds between decisions.
    max_green_s
        Longest green while others wait.
    gap_veh
        Vehicles a lane below which green ends.
    """

    def __init__(
        self, interval_s: float = 5.0, max_green_s: float = 30.0, gap_veh: float = 1.0
    ) -> None:
        self.interval_s, self.max_green_s, self.gap_veh = interval_s, max_green_s, gap_veh

    def start(self, view: View) -> None:
        """Nothing to prepare."""

    def decide(self, view: View) -> I8:
        """Keep the phase, or the next one that somebody waits for."""
        read = view.read
        seen = read.link_standing + read.link_moving
        phases = view.junctions.row.shape[1]
        waiting = np.where(view.junctions.row >= 0, view.by_phase(seen), 0.0)
        lanes = np.maximum(1, (view.junctions.served > 0).sum(axis=2))
        coming = _at(waiting, view.phase) / _at(np.broadcast_to(lanes, waiting.shape), view.phase)
        # only those who do not get green now ask for another phase
        red = ~np.take_along_axis(
            np.broadcast_to(view.junctions.green, (len(seen), *view.junctions.green.shape)),
            view.phase[..., None, None],
            axis=2,
        )[:, :, 0]
        asks = np.where(view.junctions.row >= 0, view.by_phase(np.where(red, seen, 0.0)), 0.0)
        over = (coming < self.gap_veh) | (view.green_s >= self.max_green_s)
        wanted = np.full(view.phase.shape, -1)
        for step in range(phases - 1, 0, -1):
            other = (view.phase + step) % view.orders.n_phases
            wanted = np.where(_at(asks, other) > 0.0, other, wanted)
        return np.where(over, wanted, -1)


class SelfOrganizing:
    """Self-organising lights: who waits at red long and numerously enough gets green.

    Of each phase the sum over time of the vehicles that it would serve and that have red is
    kept, veh s; above `threshold` the phase with the largest sum comes, unless a platoon of at
    most `platoon` vehicles is just passing (Cools, Gershenson and D'Hooghe 2013, in: Advances in
    Applied Self-Organizing Systems, 45-55, rules 1 to 3).

    Parameters
    ----------
    interval_s
        Seconds between decisions.
    threshold
        veh s.
    platoon
        Vehicles that are not cut off; 0 suits detectors that do not say how near they are.
    """

    def __init__(
        self, interval_s: float = 5.0, threshold: float = 40.0, platoon: float = 0.0
    ) -> None:
        self.interval_s, self.threshold, self.platoon = interval_s, threshold, platoon
        self._sum: F8 = np.zeros(0)
        self._last_s: F8 = np.zeros(0)

    def start(self, view: View) -> None:
        """Forget what was."""
        self._sum = np.zeros((*view.phase.shape, view.junctions.row.shape[1]))
        self._last_s = view.now_s.copy()

    def decide(self, view: View) -> I8:
        """The phase whose vehicles have waited enough, or the same one."""
        read = view.read
        step_s = np.maximum(0.0, view.now_s - self._last_s)
        self._last_s = view.now_s.copy()
        green = np.broadcast_to(view.junctions.green, (len(step_s), *view.junctions.green.shape))
        here = np.take_along_axis(green, view.phase[..., None, None], axis=2)[:, :, 0]
        seen = read.link_standing + read.link_moving
        red = view.by_phase(np.where(here, 0.0, seen))
        self._sum += red * step_s[:, None, None]
        np.put_along_axis(self._sum, view.phase[..., None], 0.0, axis=2)
        score = _only_existing(view, self._sum)
        best = np.argmax(score, axis=2)
        passing = (np.where(here, read.link_moving, 0.0)).sum(axis=2)
        cut = (passing > 0) & (passing <= self.platoon)
        crossed = _at(score, best) >= self.threshold
        return np.where(crossed & ~cut, best, -1)
