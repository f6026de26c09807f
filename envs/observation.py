"""What an agent sees of a junction, the same in every environment, engine and on the clock.

Two kinds of rows, both of fixed length whatever the junction, so that one policy serves all:

`phases`: for each of `PHASES` phases in the order of the program, `PHASE_FEATURES` numbers about
the lanes that it would serve.

`lanes`: for each of `LANES` lanes, `LANE_FEATURES` numbers and how each phase serves it (1 green,
0.5 where it has to yield); then for each phase three numbers.  Nothing about the junction is left
out, so a policy can read any.

Both end with `EXTRAS` numbers of the junction and, where asked for, `NEIGHBOUR_FEATURES` for each
of the nearest junctions upstream.  Counts are of vehicles within the detectors' length, over
`VEHICLES`; all numbers are cut off at `HIGH`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled, inlined
from twin.errors import InputError, SimulationError
from twin.traffic.junctions import NEIGHBOURS, by_lane

if TYPE_CHECKING:
    from twin.traffic.control import Orders
    from twin.traffic.detection import Readings
    from twin.traffic.junctions import Junctions, Sensors
    from twin.traffic.signals import View

F4 = npt.NDArray[np.float32]

PHASES = 8
LANES = 20
VEHICLES = 10.0
WAIT_S = 60.0
GREEN_S = 30.0
HIGH = 20.0
ROOM = 0.9  # of a street taken at most, for those before it to gain by green
WHICH = 1024.0  # where rows end with the number of their junction, it is over this

PHASE_FEATURES: Mapping[str, str] = {
    "standing": "vehicles at a stand on lanes that the phase serves, over 10",
    "moving": "vehicles that move there, over 10",
    "worst": "vehicles at a stand on the lane with most of them, over 10",
    "waiting": "sum of their waiting times, over 600 s",
    "longest": "longest waiting time of a vehicle there, over 60 s",
    "full": "mean share of room taken on the streets behind, 0 to 1",
    "lanes": "lanes served, over 4",
    "densest": "most of the room that vehicles take on a lane served, within the detector",
    "protected": "share of the lanes served that need not yield",
    "wanting": "vehicles at a stand whose movement it serves as well as any phase does, over 10",
    "head": "longest wait of such a one at the head of its lane, with room behind, over 60 s",
    "shown": "1 where the phase is green or being changed to",
    "exists": "1 where the junction has the phase",
    "allowed": "1 where a request for it would be served now",
}
LANE_FEATURES: Mapping[str, str] = {
    "queue": "vehicles at a stand, over 10",
    "approaching": "vehicles that move, over 10",
    "density": "vehicles over those that would fill the detector's length",
    "waiting": "sum of waiting times, over 600 s",
    "longest": "longest waiting time, over 60 s",
    "speed": "mean speed over the limit; 1 without vehicles",
    "full": "mean share of room taken on the streets behind, 0 to 1",
    "exists": "1 where the junction has the lane",
}
EXTRAS: Mapping[str, str] = {
    "green": "seconds for which the phase has been green, over 30 s",
    "changing": "1 while yellow or red is shown",
}
NEIGHBOUR_FEATURES: Mapping[str, str] = {
    "standing": "vehicles at a stand before it, over 20",
    "moving": "vehicles that move towards it, over 20",
    "exists": "1 where there is such a neighbour",
}
KINDS = ("phases", "lanes")
_N_PHASE, _N_LANE = len(PHASE_FEATURES), len(LANE_FEATURES)
_ONE_PHASE = 3  # of a row of lanes: shown, exists, allowed


class Layout(NamedTuple):
    """What a row holds."""

    lanes: bool  # else phases
    neighbours: bool

    @property
    def size(self) -> int:
        """Numbers in a row."""
        own = PHASES * _N_PHASE
        if self.lanes:
            own = LANES * (_N_LANE + PHASES) + PHASES * _ONE_PHASE
        return own + len(EXTRAS) + self.neighbours * NEIGHBOURS * len(NEIGHBOUR_FEATURES)


SIZE = Layout(lanes=False, neighbours=False).size


def layout(kind: str, *, neighbours: bool = False) -> Layout:
    """The layout of a kind of observation.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    if kind not in KINDS:
        msg = f"observation {kind!r} is unknown; there are {', '.join(KINDS)}"
        raise InputError(msg)
    return Layout(kind == "lanes", neighbours)


class Shape(NamedTuple):
    """Arrays of the junctions that observations need."""

    served: F4  # [junctions, phases, lanes]
    strong: F4  # [junctions, phases, lanes] the same of greens that need not yield
    link_lane: npt.NDArray[np.int32]
    link: npt.NDArray[np.int32]
    green: npt.NDArray[np.bool_]
    best: npt.NDArray[np.bool_]
    lane: npt.NDArray[np.int32]
    n_phases: npt.NDArray[np.int64]
    places: F4
    near: npt.NDArray[np.int32]
    tps: int


def shape_of(junctions: Junctions, sensors: Sensors, tps: int) -> Shape:
    """Arrays of the junctions that observations need."""
    return Shape(
        junctions.served,
        by_lane(junctions.protected, junctions.link_lane, junctions.lane.shape[1]),
        junctions.link_lane,
        junctions.link,
        junctions.green,
        _best(junctions),
        junctions.lane,
        junctions.n_phases.astype(np.int64),
        sensors.places,
        sensors.near,
        tps,
    )


def _best(junctions: Junctions) -> npt.NDArray[np.bool_]:
    """[junctions, phases, links] greens that need not yield, or that no phase betters."""
    never = ~junctions.protected.any(axis=1, keepdims=True)
    return np.asarray(junctions.protected | (junctions.green & never))


def check(junctions: Junctions) -> None:
    """Refuse cities without a signal that can be controlled.

    Raises
    ------
    SimulationError
        Where no signal has two green phases.
    """
    if not len(junctions):
        msg = "no signal has two green phases: signal policies need at least one that has"
        raise SimulationError(msg)


def check_phases(junctions: Junctions, ids: Sequence[str]) -> None:
    """Refuse junctions with more phases than a row has room for: no agent could ask for them.

    Parameters
    ----------
    ids
        Names of all signals.

    Raises
    ------
    SimulationError
        With the first of them.
    """
    for signal, n in zip(junctions.signal, junctions.n_phases, strict=True):
        if n > PHASES:
            msg = (
                f"signal {ids[signal]!r} has {n} green phases, agents see and ask for {PHASES} at "
                "most: phases='conflicts' builds fewer, or choose another junction"
            )
            raise SimulationError(msg)


@inlined
def _fill_lanes(shape: Any, read: Any, orders: Any, row: Any, k: int, j: int, n: int) -> int:
    """Write what the lanes say; where the row goes on."""
    for a in range(min(LANES, shape.lane.shape[1])):
        if shape.lane[j, a] < 0:
            continue
        at = a * (_N_LANE + PHASES)
        seen = read.standing[k, j, a] + read.moving[k, j, a]
        row[at] = read.standing[k, j, a] / VEHICLES
        row[at + 1] = read.moving[k, j, a] / VEHICLES
        row[at + 2] = seen / max(1.0, shape.places[j, a])
        row[at + 3] = read.waiting_s[k, j, a] / (VEHICLES * WAIT_S)
        row[at + 4] = read.longest_s[k, j, a] / WAIT_S
        row[at + 5] = read.speed[k, j, a]
        full, links = 0.0, 0
        for m in range(shape.link.shape[1]):
            if shape.link_lane[j, m] == a:
                full += read.full[k, j, m]
                links += 1
        row[at + 6] = full / max(1, links)
        row[at + 7] = 1.0
        for p in range(n):
            row[at + _N_LANE + p] = 0.5 * (shape.served[j, p, a] + shape.strong[j, p, a])
    at = LANES * (_N_LANE + PHASES)
    for p in range(n):
        row[at + p * _ONE_PHASE] = 1.0 if read.phase[k, j] == p else 0.0
        row[at + p * _ONE_PHASE + 1] = 1.0
        row[at + p * _ONE_PHASE + 2] = 1.0 if orders.allowed[k, j, p] else 0.0
    return at + PHASES * _ONE_PHASE


@inlined
def _fill_phase(shape: Any, read: Any, orders: Any, row: Any, k: int, j: int, p: int) -> None:
    """Write what the lanes that a phase serves say."""
    at = p * _N_PHASE
    for a in range(shape.lane.shape[1]):
        part = shape.served[j, p, a]
        if shape.lane[j, a] < 0 or part <= 0.0:
            continue
        row[at] += part * read.standing[k, j, a] / VEHICLES
        row[at + 1] += part * read.moving[k, j, a] / VEHICLES
        row[at + 2] = max(row[at + 2], read.standing[k, j, a] / VEHICLES)
        row[at + 3] += part * read.waiting_s[k, j, a] / (VEHICLES * WAIT_S)
        row[at + 4] = max(row[at + 4], read.longest_s[k, j, a] / WAIT_S)
        row[at + 6] += part / 4.0
        seen = read.standing[k, j, a] + read.moving[k, j, a]
        row[at + 7] = max(row[at + 7], seen / max(1.0, shape.places[j, a]))
        row[at + 8] += shape.strong[j, p, a] / 4.0
    full, links = 0.0, 0
    for m in range(shape.link.shape[1]):
        if shape.green[j, p, m]:
            full += read.full[k, j, m]
            links += 1
        if shape.best[j, p, m]:
            row[at + 9] += read.link_standing[k, j, m] / VEHICLES
            if read.full[k, j, m] < ROOM:
                row[at + 10] = max(row[at + 10], read.head_wait[k, j, m])
    row[at + 10] /= WAIT_S * shape.tps
    row[at + 5] = full / max(1, links)
    row[at + 8] /= max(row[at + 6], 1e-6)
    row[at + 11] = 1.0 if read.phase[k, j] == p else 0.0
    row[at + 12] = 1.0
    row[at + 13] = 1.0 if orders.allowed[k, j, p] else 0.0


@inlined
def _fill_neighbours(shape: Any, read: Any, row: Any, k: int, j: int, at: int) -> None:
    """Write what the nearest junctions upstream say."""
    for i in range(shape.near.shape[1]):
        other = shape.near[j, i]
        if other >= 0:
            for a in range(shape.lane.shape[1]):
                row[at] += read.standing[k, other, a] / (2 * VEHICLES)
                row[at + 1] += read.moving[k, other, a] / (2 * VEHICLES)
            row[at + 2] = 1.0
        at += 3


@compiled
def fill(shape: Any, read: Any, orders: Any, layout: Any, out: Any, k: int) -> None:
    """Write the rows of a copy into `out` [copies, junctions, size]."""
    out[k] = 0.0
    for j in range(shape.lane.shape[0]):
        row = out[k, j]
        n = min(np.int64(PHASES), shape.n_phases[j])
        if layout.lanes:
            at = _fill_lanes(shape, read, orders, row, k, j, n)
        else:
            for p in range(n):
                _fill_phase(shape, read, orders, row, k, j, p)
            at = PHASES * _N_PHASE
        row[at] = read.green_s[k, j] / GREEN_S
        row[at + 1] = 1.0 if read.changing[k, j] else 0.0
        if layout.neighbours:
            _fill_neighbours(shape, read, row, k, j, at + 2)
        for i in range(row.shape[0]):
            row[i] = min(max(row[i], 0.0), HIGH)


def observe(view: View, kind: Layout) -> F4:
    """[copies, junctions, size] rows of what a view shows."""
    n, j = view.phase.shape
    out = np.zeros((n, j, kind.size), np.float32)
    shape = shape_of(view.junctions, view.sensors, view.network.arrays.tps)
    rows: tuple[Readings, Orders] = (view.read, view.orders)
    for k in range(n):
        fill(shape, *rows, kind, out, k)
    return out
