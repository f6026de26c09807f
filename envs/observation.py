"""What an agent sees of a junction, the same in every environment and on the clock.

One row of `SIZE` numbers a junction.  For each of `PHASES` phases, in the order of the
signal's program: vehicles at a stand that it would serve, vehicles under way to them,
vehicles per lane where they want to go (each over 10 veh), whether it is shown now, and
whether it exists.  Then: seconds of green over 30 s, and whether yellow or red is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError

if TYPE_CHECKING:
    from twin.traffic.signals import Junctions, View

PHASES = 8
FEATURES = 5
SIZE = PHASES * FEATURES + 2
VEHICLES = 10.0
GREEN_S = 30.0
HIGH = 50.0

F4 = npt.NDArray[np.float32]


def check(junctions: Junctions) -> None:
    """Refuse cities that the observation cannot hold.

    Raises
    ------
    SimulationError
        Without a controllable signal, or with a program of too many phases.
    """
    if not len(junctions.signal):
        msg = "the city has no signal with two green phases: signal policies need at least one"
        raise SimulationError(msg)


def observe(view: View) -> F4:
    """[junctions, SIZE] observation of every junction."""
    junctions = view.junctions
    n, phases, _ = junctions.green.shape
    shown = min(phases, PHASES)
    green = junctions.green[:, :shown].astype(np.float32)
    parts = np.zeros((n, PHASES, FEATURES), np.float32)
    for k, values in enumerate(
        (view.by_link(view.waiting), view.by_link(view.approaching), view.downstream())
    ):
        parts[:, :shown, k] = np.einsum("jpl,jl->jp", green, values) / VEHICLES
    phase = view.phase
    now = np.flatnonzero(phase < PHASES)
    parts[now, phase[now], 3] = 1.0
    parts[:, :shown, 4] = junctions.row[:, :shown] >= 0
    green_s = np.minimum(view.green_s / GREEN_S, HIGH)
    extra = np.stack([green_s, view.changing.astype(float)], axis=1)
    row = np.concatenate([parts.reshape(n, -1), extra], axis=1)
    return np.asarray(np.clip(row, 0.0, HIGH), np.float32)


def standing(view: View) -> npt.NDArray[np.float64]:
    """[junctions] vehicles at a stand before each junction."""
    return np.asarray(view.by_link(view.waiting).sum(axis=1), np.float64)
