"""Controlled signals of all copies of a simulation, and the rules that hold for them.

A policy asks for a green phase of the signal's own program, at once or at a time to come.  The
rules are kept whatever it asks: minimum green, then yellow and all-red for movements that lose
their green, as much time as people on foot need to clear the road, a longest green, and a
longest wait at red, after which the phase that ends it comes next.  What the rules do not
allow is not served; `allowed` says before what would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled, inlined
from twin.errors import InputError, SimulationError
from twin.traffic import parameters as par
from twin.traffic.detection import shown_phase
from twin.traffic.junctions import Junctions
from twin.traffic.kernel import advance
from twin.traffic.lights import request_phase
from twin.traffic.network import Network
from twin.traffic.records import CONTROLLED, GREEN_STAGE, NEVER, State

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ALWAYS = 2**40  # ticks that do not pass


@dataclass(frozen=True)
class Rules:
    """What a controller keeps, whatever is asked for.

    Attributes
    ----------
    yellow_s, all_red_s
        Between the greens of two phases; German rules (RiLSA 2015) want 3 s of yellow at 50 km/h.
    min_green_s
        Shortest green.
    max_green_s
        Longest green, after which the next phase follows; None for no limit.
    max_wait_s
        Longest wait of the first vehicle of a lane at red, after which the phase that serves it
        is the only one that is served; looked at whenever a policy decides.  None for no limit.
    pedestrians
        Whether people on foot are given the time to clear the road that the program gives them.

    Raises
    ------
    InputError
        For a time that is negative, or a longest green below the shortest.
    """

    yellow_s: float = par.YELLOW_S
    all_red_s: float = par.ALL_RED_S
    min_green_s: float = par.MIN_GREEN_S
    max_green_s: float | None = None
    max_wait_s: float | None = par.MAX_WAIT_S
    pedestrians: bool = True

    def __post_init__(self) -> None:
        for name in ("yellow_s", "all_red_s", "min_green_s", "max_green_s", "max_wait_s"):
            value, limit = getattr(self, name), name.startswith("max")
            if limit and value is None:
                continue
            if not (isinstance(value, int | float) and 0.0 <= value < 1e5):
                none = ", or None for no limit" if limit else ""
                msg = f"{name}(={value!r}) of the signals' rules must be from 0 to 100,000 s{none}"
                raise InputError(msg)
        if self.max_green_s is not None and self.max_green_s < self.min_green_s:
            msg = (
                f"max_green_s(={self.max_green_s:g}) is below min_green_s(={self.min_green_s:g}): "
                "give a longer one"
            )
            raise InputError(msg)


class Orders(NamedTuple):
    """What was asked for and what is served; [copies, junctions, ...], times in ticks."""

    wanted: I8  # [..] phase asked for now; -1 leaves it as it is
    phase: I8  # [..] served: what holds or is being changed to
    allowed: Bools  # [.., phases] what a request would be served with
    lasting: I8  # [..] ticks for which the phase asked for shall be green; 0: no matter
    hold: I8  # [..] tick before which other phases are not served
    agenda_at: I8  # [.., entries] ticks at which a phase comes next, ascending; ALWAYS: none
    agenda_phase: I8  # [.., entries]
    agenda_next: I8  # [..] next entry
    green: Bools  # [junctions, phases, links]
    n_phases: I8  # [junctions]
    clearance: I4  # [junctions, phases]
    yellow: int
    all_red: int
    min_green: int
    max_green: int
    max_wait: int


def new_orders(copies: int, network: Network, junctions: Junctions, rules: Rules) -> Orders:
    """Nothing asked for."""
    tps = network.arrays.tps
    n, phases = junctions.row.shape

    def ticks(seconds: float | None) -> int:
        return ALWAYS if seconds is None else round(seconds * tps)

    def i8(*shape: int) -> I8:
        return np.zeros((copies, *shape), np.int64)

    clearance = np.rint(junctions.clearance_s * tps).astype(np.int32)
    return Orders(
        i8(n),
        i8(n),
        np.zeros((copies, n, phases), bool),
        i8(n),
        i8(n),
        np.full((copies, n, phases), ALWAYS, np.int64),
        i8(n, phases),
        i8(n),
        junctions.green,
        junctions.n_phases.astype(np.int64),
        clearance if rules.pedestrians else np.zeros_like(clearance),
        ticks(rules.yellow_s),
        ticks(rules.all_red_s),
        ticks(rules.min_green_s),
        ticks(rules.max_green_s),
        ticks(rules.max_wait_s),
    )


@inlined
def _overdue(sight: Any, orders: Any, read: Any, k: int, j: int, shown: int) -> int:
    """Phase that ends the longest wait at red that is too long and that a phase can end, or -1."""
    due, longest = -1, np.int64(orders.max_wait)
    for m in range(sight.link.shape[1]):
        red = sight.link[j, m] >= 0 and not orders.green[j, shown, m]
        if red and read.head_wait[k, j, m] > longest:
            for p in range(orders.n_phases[j]):
                if orders.green[j, p, m]:
                    due, longest = p, np.int64(read.head_wait[k, j, m])
                    break
    return due


@inlined
def _free(st: Any, sight: Any, orders: Any, j: int) -> bool:
    """Whether the shortest green of what is shown is over."""
    signal = st.signal[sight.signal[j]]
    green = st.clock[0].now - signal.green_at
    return signal.stage == GREEN_STAGE and green >= orders.min_green


@inlined
def _red(orders: Any, j: int, shown: int) -> int:
    """Ticks of red to all behind the yellow of a phase, in which people on foot clear the road."""
    return max(orders.all_red, orders.clearance[j, shown] - orders.yellow)


@inlined
def _change(net: Any, sig: Any, st: Any, sight: Any, orders: Any, j: int, phase: int) -> None:
    """Begin the change to a phase."""
    s = sight.signal[j]
    shown = shown_phase(st, sight, j)
    st.signal[s].all_red = _red(orders, j, shown)
    request_phase(net, sig, st, np.int64(s), np.int64(sight.row[j, phase]))


@compiled
def allow(st: Any, sight: Any, orders: Any, read: Any, k: int) -> None:
    """Fill `allowed` and `phase` of a copy."""
    now = st.clock[0].now
    for j in range(len(sight.signal)):
        n = orders.n_phases[j]
        shown = shown_phase(st, sight, j)
        orders.phase[k, j] = shown
        free = _free(st, sight, orders, j)
        due = _overdue(sight, orders, read, k, j, shown) if free else -1
        held = now < orders.hold[k, j]
        over = free and now - st.signal[sight.signal[j]].green_at >= orders.max_green
        for p in range(orders.allowed.shape[2]):
            if p >= n:
                may = False
            elif due >= 0:
                may = p == due
            elif over:
                may = p != shown
            else:
                may = p == shown or (free and not held)
            orders.allowed[k, j, p] = may


@compiled
def serve(net: Any, sig: Any, st: Any, sight: Any, orders: Any, k: int) -> None:
    """Begin the changes that were asked for and are allowed; after `allow`."""
    now = st.clock[0].now
    for j in range(len(sight.signal)):
        shown, wanted = orders.phase[k, j], orders.wanted[k, j]
        n = orders.n_phases[j]
        asked = 0 <= wanted < n and orders.allowed[k, j, wanted]
        if asked and orders.lasting[k, j] > 0 and now >= orders.hold[k, j]:
            between = 0 if wanted == shown else orders.yellow + _red(orders, j, shown)
            orders.hold[k, j] = now + between + orders.lasting[k, j]
        if not asked:
            wanted = shown
            if not orders.allowed[k, j, shown]:  # another one must follow
                for off in range(1, n):
                    if orders.allowed[k, j, (shown + off) % n]:
                        wanted = (shown + off) % n
                        break
        if wanted != shown:
            _change(net, sig, st, sight, orders, j, wanted)
            orders.phase[k, j] = wanted


@compiled
def run(net: Any, sig: Any, st: Any, sight: Any, orders: Any, k: int, until: int) -> None:
    """Simulate a copy to a tick, with the changes that come between: agendas, longest greens."""
    while True:
        now = st.clock[0].now
        to = np.int64(until)
        for j in range(len(sight.signal)):
            signal = st.signal[sight.signal[j]]
            entry = orders.agenda_next[k, j]
            due = np.int64(ALWAYS)
            if entry < orders.agenda_at.shape[2]:
                due = orders.agenda_at[k, j, entry]
            if signal.stage == GREEN_STAGE:
                due = max(due, signal.green_at + orders.min_green)
                due = min(due, signal.green_at + orders.max_green)
            elif due < ALWAYS:
                due = max(due, signal.switch + 1)
            to = min(to, max(due, now))
        if to >= until:
            break
        if to > now:
            advance(net, sig, st, to)
        _act(net, sig, st, sight, orders, k, to)
    if until > st.clock[0].now:
        advance(net, sig, st, np.int64(until))


@inlined
def _act(net: Any, sig: Any, st: Any, sight: Any, orders: Any, k: int, now: int) -> None:
    """Change what is due on agendas and what has been green for longest."""
    for j in range(len(sight.signal)):
        shown = shown_phase(st, sight, j)
        entry = orders.agenda_next[k, j]
        if not _free(st, sight, orders, j):
            continue
        if entry < orders.agenda_at.shape[2] and orders.agenda_at[k, j, entry] <= now:
            orders.agenda_next[k, j] = entry + 1
            if orders.agenda_phase[k, j, entry] != shown:
                _change(net, sig, st, sight, orders, j, orders.agenda_phase[k, j, entry])
        elif now >= st.signal[sight.signal[j]].green_at + orders.max_green:
            _change(net, sig, st, sight, orders, j, (shown + 1) % orders.n_phases[j])


def take_over(network: Network, junctions: Junctions, rules: Rules, state: State) -> None:
    """Hand junctions from their programs to a policy.

    Each shows the green phase that its program was in or near.
    """
    tps = network.arrays.tps
    now = int(state.clock["now"][0])
    for j, s in enumerate(junctions.signal):
        signal = state.signal[s]
        if signal["mode"] == CONTROLLED:
            continue
        rows = junctions.row[j]
        rows = rows[rows >= 0]
        row = int(rows[np.argmin(np.abs(rows - signal["phase"]))])
        signal["mode"] = CONTROLLED
        signal["yellow"], signal["all_red"] = (
            round(rules.yellow_s * tps),
            round(rules.all_red_s * tps),
        )
        signal["green_at"] = now
        signal["switch"] = NEVER
        signal["stage"] = GREEN_STAGE
        if int(signal["phase"]) != row:
            request_phase(network.arrays, network.signals, state, np.int64(s), np.int64(row))


def give_back(network: Network, junctions: Junctions, rules: Rules, state: State) -> None:
    """Give junctions back to their programs, which go on from the phases that are shown."""
    now = int(state.clock["now"][0])
    for s in junctions.signal:
        signal = state.signal[s]
        signal["mode"] = 0
        signal["stage"] = GREEN_STAGE
        shortest = round(rules.min_green_s * network.arrays.tps)
        signal["switch"] = max(now, int(signal["green_at"])) + shortest


def check_phases(wanted: npt.NDArray[Any], shape: tuple[int, ...]) -> I8:
    """Phases asked for, as the compiled code takes them.

    Raises
    ------
    SimulationError
        Where they are not whole numbers of that shape.
    """
    found = np.asarray(wanted)
    if found.shape != shape or found.dtype.kind not in "iu":
        msg = (
            f"phases of shape {found.shape} and type {found.dtype} asked for; "
            f"copies and junctions are {shape}, phases whole numbers"
        )
        raise SimulationError(msg)
    return found.astype(np.int64)
