"""Plans that are made before and do not look: the given programs, Webster's, a green wave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.traffic.control import ALWAYS
from twin.traffic.loads import inner_entries, loads

if TYPE_CHECKING:
    from twin.traffic.signals import View

F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]
Ints = npt.NDArray[np.integer]

START_LOSS_S = 2.0  # of a green, HCM 2010
LEAST_CYCLE_S, LONGEST_CYCLE_S = 40.0, 120.0
MOST_LOAD = 0.9  # of the capacity that Webster's formula is trusted with


def webster_cycle_s(lost_s: float, load: float) -> float:
    """Cycle of least delay, (1.5 L + 5) / (1 - Y) (Webster 1958, Road Research TP 39).

    Parameters
    ----------
    lost_s
        L, time of a cycle in which nobody leaves, s.
    load
        Y, sum of the critical flows over saturation flows, below 1.

    Examples
    --------
    >>> round(webster_cycle_s(10.0, 0.7), 1)
    66.7
    """
    return (1.5 * lost_s + 5.0) / (1.0 - load)


@dataclass(frozen=True)
class Plan:
    """A fixed-time plan; [junctions, ...].

    Attributes
    ----------
    cycle_s
        [junctions]
    begin_s
        [junctions, phases] when the change to a phase begins, from the begin of a cycle; NaN for
        phases that the plan leaves out.
    offset_s
        [junctions] begin of the cycles.
    green_s
        [junctions, phases] length of the greens.
    """

    cycle_s: F8
    begin_s: F8
    offset_s: F8
    green_s: F8

    def due_s(self, now_s: float) -> F8:
        """[junctions, phases] seconds until the change to each phase; NaN where it never comes."""
        return np.asarray(
            (self.begin_s + self.offset_s[:, None] - now_s) % self.cycle_s[:, None], np.float64
        )


def webster_plan(view: View, cycle_s: float | None = None) -> Plan:
    """Webster's cycle (or a common one) and splits in proportion to the critical flows."""
    rules, load = view.rules, loads(view.network, view.junctions, view.demand()[0])
    chosen = np.isfinite(load)
    load = np.nan_to_num(load)
    number = chosen.sum(axis=1)
    between_s = rules.yellow_s + rules.all_red_s
    lost_s = number * (between_s + START_LOSS_S)
    total = np.where(chosen, load, 0.0).sum(axis=1)
    own_s = np.array(
        [webster_cycle_s(lost, min(MOST_LOAD, y)) for lost, y in zip(lost_s, total, strict=True)]
    )
    least_s = number * (rules.min_green_s + between_s)
    cycles = np.clip(own_s, np.maximum(LEAST_CYCLE_S, least_s), LONGEST_CYCLE_S)
    if cycle_s is not None:
        cycles = np.maximum(cycle_s, least_s)
    cycles = np.rint(cycles)
    spare_s = cycles - least_s
    share = np.where(chosen, np.maximum(load, 1e-3), 0.0)
    wished_s = share / share.sum(axis=1, keepdims=True) * (cycles - number * between_s)[:, None]
    above = np.where(chosen, np.maximum(0.0, wished_s - rules.min_green_s), 0.0)
    above /= np.maximum(1e-9, above.sum(axis=1, keepdims=True))
    green_s = np.where(chosen, rules.min_green_s + above * spare_s[:, None], 0.0)
    length_s = np.where(chosen, green_s + between_s, 0.0)
    begin_s = np.where(chosen, np.cumsum(length_s, axis=1) - length_s, np.nan)
    return Plan(cycles, np.rint(begin_s), np.zeros(len(load)), green_s)


class FixedProgram:
    """The programs as they are given; nothing is taken over."""

    controls = False
    interval_s = 60.0

    def start(self, view: View) -> None:
        """Nothing to prepare."""

    def decide(self, view: View) -> Ints:
        """Leave every signal as it is."""
        return np.full(view.phase.shape, -1)


class Webster:
    """Fixed time after Webster (1958), each junction for itself.

    The flows are those of the demand's routes, as an engineer has them from counts; the phases
    those that `loads` finds to be needed.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        self.interval_s = interval_s
        self.plan: Plan | None = None

    def start(self, view: View) -> None:
        """Make the plan."""
        self.plan = webster_plan(view)

    def decide(self, view: View) -> Ints:
        """The phase of the plan; what comes next is put on the agenda, to the second."""
        assert self.plan is not None  # noqa: S101 - start() made it
        plan, orders, tps = self.plan, view.orders, view.network.arrays.tps
        wanted = np.full(view.phase.shape, -1)
        for k, now_s in enumerate(view.now_s):
            due_s = plan.due_s(float(now_s))
            served = np.where(np.isnan(due_s), -np.inf, due_s)
            latest = np.argmax(np.where(served == 0.0, np.inf, served), axis=1)
            wanted[k] = latest  # the one whose turn is longest ahead began last
            comes_s = np.where(np.isnan(due_s) | (due_s == 0.0), np.inf, due_s)
            order = np.argsort(comes_s, axis=1, kind="stable")
            comes_s = np.take_along_axis(comes_s, order, axis=1)
            at = np.where(np.isfinite(comes_s), (now_s + np.nan_to_num(comes_s, posinf=0)) * tps, 0)
            orders.agenda_at[k] = np.where(np.isfinite(comes_s), np.rint(at), ALWAYS)
            orders.agenda_phase[k] = order
            orders.agenda_next[k] = 0
        return wanted


class GreenWave(Webster):
    """Webster's splits in one common cycle, with offsets that let platoons through.

    The cycle is the longest that a junction needs.  Offsets are improved one after the other,
    as TRANSYT climbs (Robertson 1969, RRL LR 253): of every stream between two signals the share
    of its platoon that arrives at green, weighted by its flow, is to be the greatest.
    """

    sweeps = 6
    grid_s = 2.0

    def start(self, view: View) -> None:
        """Make the plan."""
        own = webster_plan(view)
        plan = webster_plan(view, float(own.cycle_s.max(initial=LEAST_CYCLE_S)))
        self.plan = Plan(plan.cycle_s, plan.begin_s, self._offsets(view, plan), plan.green_s)

    def _offsets(self, view: View, plan: Plan) -> F8:
        streams = _streams(view, plan)
        offset_s = np.zeros(len(plan.cycle_s))
        trial = np.arange(0.0, float(plan.cycle_s.max(initial=1.0)), self.grid_s)
        number = [sum(s[4] for s in streams if j in s[:2]) for j in range(len(offset_s))]
        busiest = np.argsort(number)[::-1]
        for _ in range(self.sweeps):
            for j in busiest:
                mine = [s for s in streams if j in s[:2] and s[0] != s[1]]
                if not mine:
                    continue
                worth = np.zeros(len(trial))
                for a, b, p, q, flow, way_s in mine:
                    from_s = np.where(a == j, trial, offset_s[a]) + plan.begin_s[a, p] + way_s
                    to_s = np.where(b == j, trial, offset_s[b]) + plan.begin_s[b, q]
                    cycle_s = float(plan.cycle_s[b])
                    worth += flow * _overlap_s(
                        (from_s - to_s) % cycle_s, plan.green_s[a, p], plan.green_s[b, q], cycle_s
                    )
                offset_s[j] = trial[int(np.argmax(worth))]
        return offset_s


def _overlap_s(lag_s: F8, platoon_s: float, green_s: float, cycle_s: float) -> F8:
    """Seconds of a platoon that begins `lag_s` after a green and that fall into greens."""
    first = np.clip(green_s - lag_s, 0.0, platoon_s)
    next_green = np.clip(lag_s + platoon_s - cycle_s, 0.0, min(green_s, platoon_s))
    return np.asarray(first + next_green, np.float64)


def _streams(view: View, plan: Plan) -> list[tuple[int, int, int, int, float, float]]:
    """Of vehicles from signal to signal: junctions, phases, number, and mean seconds between."""
    state, free = view.demand()
    network, junctions = view.network, view.junctions
    entry, owner = inner_entries(state)
    turn = network.turn_of(state.route_street[entry], state.route_street[entry + 1])
    place = np.full((len(network.turns), 2), -1)
    for j, m in np.argwhere(junctions.link >= 0):
        greens = np.flatnonzero(junctions.green[j, :, m] & ~np.isnan(plan.begin_s[j]))
        if len(greens):
            strong = greens[junctions.protected[j, greens, m]]
            place[network.arrays.link["turn"][junctions.link[j, m]]] = j, (*strong, *greens)[0]
    kept = place[turn, 0] >= 0
    entry, owner, turn = entry[kept], owner[kept], turn[kept]
    same = owner[1:] == owner[:-1]
    pairs = np.concatenate([place[turn[:-1]], place[turn[1:]]], axis=1)[same]
    way_s = (free.free_s[entry[1:]] + free.own_s[entry[1:]])[same]
    way_s -= (free.free_s[entry[:-1]] + free.own_s[entry[:-1]])[same]
    if not len(pairs):
        return []
    kinds, which = np.unique(pairs, axis=0, return_inverse=True)
    number = np.bincount(which.reshape(-1))
    mean_s = np.bincount(which.reshape(-1), way_s) / number
    return [
        (int(a), int(b), int(p), int(q), float(n), float(s))
        for (a, p, b, q), n, s in zip(kinds, number, mean_s, strict=True)
    ]
