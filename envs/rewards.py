"""Rewards: what a junction's step is worth, by name, as a weighted sum, or by a function.

A named reward is a number of the step that has passed, positive where more is better; a
weighted sum is of such numbers in their units.  `delay` counts all that trips lose at or on the
way to a junction (time loss and wait to enter): summed over junctions, and over what is lost
at none, it is what the trips of the episode say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled
from twin.errors import InputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from twin.traffic.signals import View

F8 = npt.NDArray[np.float64]
Reward = str | Mapping[str, float] | Callable[["View"], npt.NDArray[Any]]


@dataclass(frozen=True)
class Term:
    """A named reward: its unit, and what it means."""

    unit: str
    about: str


# In the order of the columns that `fill` writes.
TERMS: Mapping[str, Term] = {
    "waiting_change": Term(
        "veh·s", "decrease of the sum of waiting times of vehicles at a stand (sumo-rl's default)"
    ),
    "waiting": Term("veh·s", "minus the sum of waiting times of vehicles at a stand"),
    "queue": Term("veh", "minus the vehicles at a stand"),
    "pressure": Term(
        "veh",
        "minus the absolute sum, over movements, of vehicles that want to take it less vehicles "
        "per lane on the street behind (Wei et al. 2019, PressLight, KDD)",
    ),
    "delay": Term("veh·s", "minus the time that trips lost in the step, wait to enter included"),
    "throughput": Term("veh", "vehicles that passed"),
    "stops": Term("veh", "minus the vehicles that came to a stand"),
    "emissions": Term("g", "minus the CO2 of vehicles before the junction"),
}


@compiled
def fill(shape: Any, read: Any, before: Any, out: Any, k: int) -> None:
    """Write the terms of a copy into `out` [copies, junctions, terms].

    Parameters
    ----------
    before
        [copies, junctions] sums of waiting times at the last step; replaced.
    """
    for j in range(shape.lane.shape[0]):
        waiting, standing, inside, behind = 0.0, 0.0, 0.0, 0.0
        for a in range(shape.lane.shape[1]):
            waiting += read.waiting_s[k, j, a]
            standing += read.standing[k, j, a]
        for m in range(shape.link.shape[1]):
            if shape.link[j, m] >= 0:
                inside += read.link_standing[k, j, m] + read.link_moving[k, j, m]
                behind += read.behind[k, j, m]
        row = out[k, j]
        row[0] = before[k, j] - waiting
        row[1] = -waiting
        row[2] = -standing
        row[3] = -abs(inside - behind)
        row[4] = -read.delay_s[k, j]
        row[5] = read.passed[k, j]
        row[6] = -read.stops[k, j]
        row[7] = -read.co2_g[k, j]
        before[k, j] = waiting


def weights(reward: str | Mapping[str, float]) -> F8:
    """[terms] weights of a named reward or a sum.

    Raises
    ------
    InputError
        For an unknown name, or a weight that is no number.
    """
    if not isinstance(reward, str | Mapping):
        msg = f"reward {reward!r}: give a name ({', '.join(TERMS)}), weights by name, or a function"
        raise InputError(msg)
    given = {reward: 1.0} if isinstance(reward, str) else dict(reward)
    if not given:
        msg = f"the reward has no terms; there are {', '.join(TERMS)}"
        raise InputError(msg)
    found = np.zeros(len(TERMS))
    names = list(TERMS)
    for name, weight in given.items():
        if name not in TERMS:
            msg = f"reward {name!r} is unknown; {suggestion(name, names)}"
            raise InputError(msg)
        if not (isinstance(weight, Real) and np.isfinite(weight)):
            msg = f"reward {name!r}: weight {weight!r} is no number; give a finite one"
            raise InputError(msg)
        found[names.index(name)] = float(weight)
    return found
