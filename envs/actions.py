"""What agents may do: actions become requests, and the controller keeps the rules.

`phase`: the phase that shall be green next.
`switch`: 0 keeps the phase, 1 asks for the next one in the order of the program; where somebody
    has waited too long, the phase that ends it comes in its place.
`duration`: a phase, and for how many seconds it stays (`DURATIONS_S`); what is asked for
    before that is over is not served.
`plan`: for the next cycle, a weight for the green of each phase, and an offset in cycles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envs.observation import PHASES
from twin.errors import InputError, SimulationError

if TYPE_CHECKING:
    from twin.traffic.signals import SignalControl

I8 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KINDS = ("phase", "switch", "duration", "plan")
DURATIONS_S = (5, 10, 15, 20, 25, 30, 40, 50, 60)
WIDTH = {"phase": 1, "switch": 1, "duration": 2, "plan": PHASES + 1}


def check(kind: str) -> None:
    """Refuse unknown kinds.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if kind not in KINDS:
        msg = f"action {kind!r} is unknown; there are {', '.join(KINDS)}"
        raise InputError(msg)


def space(kind: str, junctions: int | None) -> spaces.Space[Any]:
    """Space of one junction's action (None), or of the joint action of so many."""
    n = 1 if junctions is None else junctions
    if kind == "plan":
        return spaces.Box(0.0, 1.0, (n * WIDTH[kind],), np.float32)
    sizes = {"phase": [PHASES], "switch": [2], "duration": [PHASES, len(DURATIONS_S)]}[kind]
    if junctions is None and len(sizes) == 1:
        return spaces.Discrete(sizes[0])
    return spaces.MultiDiscrete(np.array(sizes * n, np.int64))


def mask_of(kind: str, allowed: Bools, phase: I8) -> Bools:
    """[.., choices] whether each choice would be served, from [.., phases] and what is shown."""
    shape = (*allowed.shape[:-1], PHASES)
    phases = np.zeros(shape, bool)
    n = min(PHASES, allowed.shape[-1])
    phases[..., :n] = allowed[..., :n]
    if kind == "switch":
        here = np.arange(allowed.shape[-1]) == phase[..., None]
        stay = (allowed & here).any(-1)
        return np.stack([stay, (allowed & ~here).any(-1)], axis=-1)  # another one may be overdue
    if kind == "duration":
        return np.concatenate([phases, np.ones((*shape[:-1], len(DURATIONS_S)), bool)], axis=-1)
    if kind == "plan":
        return np.ones((*shape[:-1], WIDTH["plan"]), bool)
    return phases


def ask(kind: str, control: SignalControl, action: npt.NDArray[Any], cycle_s: float) -> None:
    """Turn [copies, junctions, width] actions into what is asked of the controller.

    Raises
    ------
    SimulationError
        Where the shape is another.
    """
    orders = control.play.orders
    shape = orders.wanted.shape
    found = np.asarray(action)
    if found.size != shape[0] * shape[1] * WIDTH[kind]:
        msg = (
            f"actions of shape {found.shape} given; {shape[0]} copies of {shape[1]} junctions "
            f"take {WIDTH[kind]} numbers each"
        )
        raise SimulationError(msg)
    found = found.reshape(*shape, WIDTH[kind])
    if kind == "plan":
        _plan(control, found, cycle_s)
        return
    first = found[..., 0].astype(np.int64)
    if kind == "switch":
        following = (orders.phase + 1) % orders.n_phases
        first = np.where(first == 1, following, -1)
    orders.wanted[:] = first
    if kind == "duration":
        tps = control.batch.network.arrays.tps
        chosen = np.array(DURATIONS_S, np.int64)[found[..., 1].astype(np.int64)]
        orders.lasting[:] = chosen * tps


def _plan(control: SignalControl, weight: npt.NDArray[Any], cycle_s: float) -> None:
    """Agendas of one cycle: phases in their order, each with its green and what follows it."""
    orders, rules, tps = control.play.orders, control.rules, control.batch.network.arrays.tps
    orders.wanted[:] = -1
    room = orders.agenda_at.shape[2]
    n = orders.n_phases[:, None]
    exists = np.arange(room) < n
    least_s = rules.min_green_s + rules.yellow_s + rules.all_red_s
    share = np.zeros((*weight.shape[:2], room))
    width = min(PHASES, room)
    share[..., :width] = np.clip(weight[..., :width], 0.0, 1.0) + 1e-3
    share = np.where(exists, share, 0.0)
    share /= share.sum(axis=-1, keepdims=True)
    spare_s = np.maximum(0.0, cycle_s - n * least_s)
    length_s = np.where(exists, least_s + share * spare_s, 0.0)
    begins_s = np.cumsum(length_s, axis=-1) - length_s + weight[..., -1:] * cycle_s
    begins_s = np.where(exists, begins_s % cycle_s, np.inf)
    order = np.argsort(begins_s, axis=-1, kind="stable")
    begins = np.take_along_axis(begins_s, order, axis=-1)
    now = control.batch.now[:, None, None]
    from twin.traffic.control import ALWAYS

    at = np.where(np.isfinite(begins), now + np.rint(np.nan_to_num(begins, posinf=0) * tps), ALWAYS)
    orders.agenda_at[:] = at.astype(np.int64)
    orders.agenda_phase[:] = order
    orders.agenda_next[:] = 0
