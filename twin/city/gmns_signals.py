"""Signal programs of GMNS tables: plans of one ring, phase after phase.

A phase serves movements, protected or permitted. A plan of several rings, or one without green
times or lanes, is left to netconvert, which guesses.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twin.city.schema import SIGNAL_KINDS
from twin.errors import InputError

if TYPE_CHECKING:
    from twin.city.gmns import Network
    from twin.city.gmns_plain import Connection
    from twin.city.gmns_tables import Row, Tables

YELLOW_S = 3.0
"""Yellow of a clearance that states no more than its sum: RiLSA 2015 at 50 km/h."""
LONGEST_YELLOW_S = 6.0
"""A longer phase that takes green away is no yellow but red."""


@dataclass(frozen=True)
class Phase:
    """A phase: its times, and the state of each connection as in SUMO."""

    duration_s: float
    min_s: float
    max_s: float
    state: str


@dataclass(frozen=True)
class Program:
    """The program of a controller."""

    id: str
    name: str
    kind: str
    offset_s: float
    nodes: set[str]
    connections: list[Connection]
    phases: list[Phase]


def read_programs(network: Network, tables: Tables, connections: list[Connection]) -> list[Program]:
    """Return the programs that the tables give completely; the others are counted as assumed.

    Raises
    ------
    InputError
        If a phase refers to a plan or a movement that is not there.
    """
    served = _served(tables)
    movements = {row.text("mvmt_id") for row in tables["movement"]}
    by_movement: dict[str, list[Connection]] = defaultdict(list)
    for c in connections:
        by_movement[c.movement].append(c)
    plans = _plans(tables)
    programs: list[Program] = []
    taken: set[str] = set()
    for controller, (plan, phases) in plans.items():
        named = [m for p in phases for m in served.get(p.text("timing_phase_id"), {})]
        for name in named:
            if name not in movements:
                msg = (
                    f"{tables.folder / 'signal_phase_mvmt.csv'}: movement {name!r} is no row of"
                    " movement.csv."
                )
                raise InputError(msg)
        nodes = {c.node for name in named for c in by_movement[name]}
        if not nodes or nodes & taken:
            continue
        controlled = [c for c in connections if c.node in nodes and c.signalled]
        program = _program(controller, plan, phases, served, controlled)
        if program is None:
            network.assumed["signal programs guessed by netconvert"] += 1
            continue
        taken |= nodes
        programs.append(program)
    guessed = {node for node, (*_, kind) in network.nodes.items() if "traffic_light" in kind}
    left = len(guessed - taken)
    if left:
        network.assumed["junctions with a signal but no complete program"] += left
    return programs


def _plans(tables: Tables) -> dict[str, tuple[Row, list[Row]]]:
    """Return the first plan of each controller and its phases in their order."""
    phases: dict[str, list[Row]] = defaultdict(list)
    for row in tables["signal_timing_phase"]:
        phases[row.text("timing_plan_id")].append(row)
    plans: dict[str, tuple[Row, list[Row]]] = {}
    for row in tables["signal_timing_plan"]:
        own = phases.pop(row.text("timing_plan_id"), [])
        own.sort(key=lambda r: r.number("position") or 0.0)
        if own:
            plans.setdefault(row.text("controller_id"), (row, own))
    for rows in phases.values():
        msg = f"{rows[0].where}: timing_plan_id {rows[0].text('timing_plan_id')!r} is no plan."
        raise InputError(msg)
    return plans


def _served(tables: Tables) -> dict[str, dict[str, bool]]:
    """Return the movements that each phase serves, and whether they are protected."""
    served: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in tables["signal_phase_mvmt"]:
        protected = not row.text("protection").lower().startswith("permit")
        served[row.text("timing_phase_id")][row.text("mvmt_id")] = protected
    return served


def _program(
    controller: str,
    plan: Row,
    phases: list[Row],
    served: dict[str, dict[str, bool]],
    connections: list[Connection],
) -> Program | None:
    """Return the program of a plan, None if it is not complete."""
    greens = [row.number("duration") or row.number("min_green") for row in phases]
    one_ring = len({row.text("ring") for row in phases}) == 1
    lanes = all(c.lane is not None for c in connections)
    if not connections or not one_ring or not lanes or not all(greens):
        return None
    states = [_green(served.get(row.text("timing_phase_id"), {}), connections) for row in phases]
    least = [row.number("min_green") or 0.0 for row in phases]
    most = [
        max(row.number("max_green") or low, low) for row, low in zip(phases, least, strict=True)
    ]
    clearance = [row.number("clearance") or 0.0 for row in phases]
    times = _durations(plan, phases, least, most, sum(clearance))
    made: list[Phase] = []
    for k, state in enumerate(states):
        shown = _yellow(states[k - 1], state) if times[k] <= LONGEST_YELLOW_S else state
        made.append(Phase(times[k], least[k], most[k], shown))
        made += _clearing(state, states[(k + 1) % len(states)], clearance[k])
    name = plan.text("program") or plan.text("timing_plan_id")
    kind = plan.text("kind") if plan.text("kind") in SIGNAL_KINDS else "static"
    offset = plan.coordinate("offset") if plan.text("offset") else 0.0
    nodes = {c.node for c in connections}
    return Program(controller, name, kind, offset, nodes, connections, made)


def _durations(
    plan: Row, phases: list[Row], least: list[float], most: list[float], clearance_s: float
) -> list[float]:
    """Return how long each phase lasts: as our own export says, else so that the cycle fits.

    The standard knows no more than minimum, maximum and cycle; what the cycle has beyond the
    minimums is shared in proportion to the room between minimum and maximum.
    """
    own = [row.number("duration") for row in phases]
    if all(own):
        return [duration or 0.0 for duration in own]
    spare = (plan.number("cycle_length") or 0.0) - sum(least) - clearance_s
    room = sum(most) - sum(least)
    share = min(max(spare / room, 0.0), 1.0) if room > 0.0 else 0.0
    return [low + share * (high - low) for low, high in zip(least, most, strict=True)]


def _green(served: dict[str, bool], connections: list[Connection]) -> str:
    kinds = (served.get(c.movement) for c in connections)
    return "".join("r" if kind is None else "G" if kind else "g" for kind in kinds)


def _yellow(before: str, state: str) -> str:
    """Return a phase that only takes green away with yellow where it does."""
    lost = [b in "gG" and s == "r" for b, s in zip(before, state, strict=True)]
    won = any(b == "r" and s in "gG" for b, s in zip(before, state, strict=True))
    if won or not any(lost):
        return state
    return "".join("y" if gone else s for gone, s in zip(lost, state, strict=True))


def _clearing(state: str, after: str, clearance_s: float) -> list[Phase]:
    """Return yellow and red between two phases for what loses its green."""
    lost = [s in "gG" and a == "r" for s, a in zip(state, after, strict=True)]
    yellow_s = min(YELLOW_S, clearance_s)
    parts = ((yellow_s, "y"), (clearance_s - yellow_s, "r"))
    return [
        Phase(
            s, s, s, "".join(sign if gone else old for gone, old in zip(lost, state, strict=True))
        )
        for s, sign in parts
        if s > 0.0
    ]
