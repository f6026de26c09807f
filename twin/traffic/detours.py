"""Drivers who meet a closure: new routes for those concerned, old ones once it ends.

When a street closes, everybody under way whose way ahead enters it, and everybody who
departs while it is expected to be closed, takes the route that is fastest on a usual day
without the closed streets.  Who starts on a closed street starts on the first open one of
the way; who wants to go to a closed street ends the trip on a street before it.  When it
opens again, those who have not departed take their usual route.  Buses of lines leave their way
for the closed stretch only, and do without the stops on it.

Who has no other way stays at home until it opens again, or, under way already, leaves the road
before the closure and waits there: nobody stands in the way of those who can go on.  That wait
counts as delay; once the way is open, who stayed at home departs, and who waited beside the road
is at the goal, as if the rest of the way took no time.

That holds for drivers who are informed.  The others take their usual way until they meet the
closure, that is until a closed street is among the next `SIGHT` streets of their way, and turn
off there.  Who is informed is drawn by trip, so that a larger share informs the same and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.kernel import refresh_links, remaining_uses, wake_all
from twin.traffic.records import INNER, NEVER
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from twin.clock import Process
    from twin.traffic.process import Traffic
    from twin.traffic.records import State

Bools = npt.NDArray[np.bool_]
I8 = npt.NDArray[np.int64]
Way = npt.NDArray[np.int32]
Memory = tuple[tuple[I8, I8] | None, I8, I8]
SIGHT = 2  # streets ahead at which a closure is seen: a sign stands one junction before
LOOK_S = 5.0  # seconds between two looks at who meets a closure


class Detours:
    """Keeps the usual routes and writes new ones into the state of the flow.

    Parameters
    ----------
    traffic
        The flow.
    informed
        Share of drivers, 0 to 1, who learn of a closure when it begins.

    Raises
    ------
    InputError
        If the share is not between 0 and 1.
    """

    def __init__(self, traffic: Traffic, informed: float = 1.0) -> None:
        if not 0.0 <= informed <= 1.0:
            msg = f"informed(={informed}) is the share of informed drivers: give 0 to 1"
            raise InputError(msg)
        self.traffic = traffic
        self.usual: tuple[I8, I8] | None = None
        identity = traffic.sim.prepared.trips["id"].to_numpy()
        level = Stream(traffic.sim.seed, "informed").uniform(identity)
        self._informed = np.asarray(level < informed)
        self._closed = np.zeros(traffic.network.n_streets, bool)
        self._looks = False
        self._buses = np.array([t.vehicle_class == "bus" for t in traffic.network.types])
        self._due = traffic.state.vehicle["due"].copy()  # also of those who stay at home
        self._end = np.full(len(self._due), -1, np.int64)  # of the ways that were cut short
        self._until = np.full(len(self._due), -1, np.int64)  # tick at which such a way was open

    def respond(self, closed: Bools, before: Bools) -> State:
        """State with routes that respect what is closed now."""
        state = self.traffic.state
        self._closed = closed.copy()
        if self.usual is None:
            self.usual = state.vehicle["route"].copy(), state.vehicle["route_end"].copy()
        self._let_go(state)
        if (before & ~closed).any():
            self._restore(state)
        if not closed.any():
            refresh_links(self.traffic.network.arrays, state)
            return state
        flagged = np.zeros(len(state.vehicle), bool)
        remaining_uses(state, closed, flagged)
        knows = self._informed & self._concerned(state, closed)
        chosen = np.flatnonzero(flagged & (knows | self._meets(state, closed)))
        if len(chosen):
            state = self._reroute(state, chosen, closed)
        refresh_links(self.traffic.network.arrays, state)
        self._watch()
        return state

    def memory(self) -> Memory:
        """What `resume` takes."""
        return self.usual, self._end.copy(), self._until.copy()

    def resume(self, memory: Memory, closed: Bools) -> None:
        """Go on from a snapshot, while these streets are closed."""
        self.usual, end, until = memory
        self._end, self._until, self._closed = end.copy(), until.copy(), closed.copy()
        self._watch()

    @property
    def cut_off(self) -> int:
        """Trips that wait, at home or beside the road, for their way to open."""
        vehicle, now = self.traffic.state.vehicle, int(self.traffic.state.clock["now"][0])
        home = (vehicle["due"] == NEVER) & (self._due <= now)
        beside = (self._end >= 0) & (vehicle["arrive"] >= 0) & (self._until < 0)
        return int(np.sum(home | beside))

    def told(self, state: State) -> State:
        """The state with the times at which those who stay at home were due."""
        vehicle = state.vehicle.copy()
        vehicle["due"] = self._due
        return state._replace(vehicle=vehicle)

    def waited(self, trips: pd.DataFrame) -> pd.DataFrame:
        """Trips with the waits beside the road; who waits still has not arrived."""
        state, tps = self.traffic.state, self.traffic.network.arrays.tps
        beside = (self._end >= 0) & (state.vehicle["arrive"] >= 0)
        if not beside.any():
            return trips
        found, still = trips.copy(), beside & (self._until < 0)
        until = np.where(still, int(state.clock["now"][0]), self._until)[beside]
        wait_s = (until - state.vehicle["arrive"][beside]) / tps
        found.loc[beside, ["duration_s", "time_loss_s"]] += wait_s[:, None]
        found.loc[beside, "arrival_s"] = until / tps
        found.loc[still, "arrival_s"] = np.nan
        return found

    def _watch(self) -> None:
        """Look who meets a closure, if somebody does not know of it."""
        if self._closed.any() and not self._looks and not self._informed.all():
            self._looks = True
            self.traffic.sim.clock.process(self._look())

    def _look(self) -> Process:
        """Reroute those who meet a closure, as long as there is one.

        Looks are at whole multiples of `LOOK_S`, whenever somebody began to look.
        """
        clock = self.traffic.sim.clock
        yield clock.wait(-clock.now_s % LOOK_S)
        while self._closed.any():
            state = self.traffic.sync()
            chosen = np.flatnonzero(self._meets(state, self._closed))
            if len(chosen):
                self._turn_off(state, chosen)
            yield clock.wait(LOOK_S)
        self._looks = False

    def _turn_off(self, state: State, chosen: I8) -> None:
        """Put those who have met a closure on their new ways."""
        traffic = self.traffic
        traffic.state = self._reroute(state, chosen, self._closed)
        traffic.state_replaced()
        refresh_links(traffic.network.arrays, traffic.state)
        wake_all(traffic.network.arrays, traffic.state)

    def _meets(self, state: State, closed: Bools) -> Bools:
        """Those under way, or due, with a closed street among the next ones of their way."""
        vehicle = state.vehicle
        out = vehicle["depart"] >= 0
        first = np.where(out, vehicle["route_at"] + 1, vehicle["route"])
        here = (vehicle["arrive"] < 0) & (out | (vehicle["due"] <= int(state.clock["now"][0])))
        meets = np.zeros(len(vehicle), bool)
        for at in range(SIGHT):
            ahead = here & (first + at < vehicle["route_end"])
            meets[ahead] |= closed[state.route_street[(first + at)[ahead]]]
        return meets

    def _restore(self, state: State) -> None:
        assert self.usual is not None  # noqa: S101 - set by respond
        waiting = state.vehicle["depart"] < 0
        state.vehicle["route"][waiting] = self.usual[0][waiting]
        state.vehicle["route_at"][waiting] = self.usual[0][waiting]
        state.vehicle["route_end"][waiting] = self.usual[1][waiting]

    def _concerned(self, state: State, closed: Bools) -> Bools:
        """Those under way, and those who depart before everything is expected to reopen."""
        sim = self.traffic.sim
        until = max(sim.claims.held(int(s)).until_s for s in np.flatnonzero(closed))
        due_s = state.vehicle["due"] / self.traffic.network.arrays.tps
        return np.asarray((state.vehicle["depart"] >= 0) | (due_s < until))

    def _let_go(self, state: State) -> None:
        """Let those go on who wait for their way to open; where it is closed they wait again."""
        vehicle, now = state.vehicle, int(state.clock["now"][0])
        home = np.flatnonzero(vehicle["due"] == NEVER)
        vehicle["due"][home] = self._due[home]
        _queue(state, home, now)
        cut = np.flatnonzero((self._end >= 0) & (self._until < 0))
        under_way = cut[vehicle["arrive"][cut] < 0]
        vehicle["route_end"][under_way] = self._end[under_way]
        self._end[under_way] = -1
        for v in np.flatnonzero((self._end >= 0) & (self._until < 0)):
            rest = state.route_street[vehicle["route_end"][v] : self._end[v]]
            if not self._closed[rest].any():
                self._until[v] = now

    def _wait(self, state: State, lost: I8, ahead: I8, closed: Bools) -> None:
        """Let those wait who have no way: at home, or before the closure.

        `ahead` are the positions of the next streets of their ways.
        """
        vehicle, now = state.vehicle, int(state.clock["now"][0])
        home = (vehicle["depart"][lost] < 0) & (vehicle["due"][lost] > now)
        vehicle["due"][lost[home]] = NEVER
        _queue(state, lost[home], now)
        for v, first in zip(lost[~home], ahead[~home], strict=True):
            end = int(vehicle["route_end"][v])
            cut = int(first) + int(np.argmax(closed[state.route_street[first:end]]))
            if cut > vehicle["route"][v] and closed[state.route_street[cut]]:
                self._end[v] = end
                vehicle["route_end"][v] = cut

    def _reroute(self, state: State, chosen: I8, closed: Bools) -> State:
        vehicle, tps = state.vehicle, self.traffic.network.arrays.tps
        now = self.traffic.sim.clock.now
        under_way = vehicle["depart"][chosen] >= 0
        driven_from = vehicle["route"][chosen].astype(np.int64)
        at = np.where(under_way, vehicle["route_at"][chosen], driven_from).astype(np.int64)
        lane = np.maximum(vehicle["place"][chosen], 0)
        turning = under_way & ((state.lane["flags"][lane] & INNER) != 0)
        at += turning & (at + 1 < vehicle["route_end"][chosen])  # on the way into the next street
        end = vehicle["route_end"][chosen].astype(np.int64)
        goal = state.route_street[end - 1]
        start = state.route_street[at]
        for i in np.flatnonzero(~under_way & closed[start]):
            way = state.route_street[at[i] : end[i]]
            start[i] = way[np.argmax(~closed[way])]  # the first open one
        depart_s = np.maximum(vehicle["due"][chosen], now) / tps
        ways = self._ways(vehicle["type"][chosen], start, goal, depart_s, closed)
        buses = np.flatnonzero(self._buses[vehicle["type"][chosen]])
        if len(buses):
            prepared = self.traffic.sim.prepared
            usual = [state.route_street[at[k] : end[k]] for k in buses]
            graph, times = prepared.graph_and_times("bus")
            out, depart = under_way[buses], depart_s[buses]
            found = line_ways(graph, times, usual, out, depart, closed)
            ways = [*ways]
            for row, way in zip(buses.tolist(), found, strict=True):
                ways[row] = way
        pieces, pointer, end_at, lost = [], [], [], []
        length = len(state.route_street)
        for k, v in enumerate(chosen):
            way = ways[k]
            if not len(way):
                lost.append(k)
                continue
            driven = state.route_street[driven_from[k] : at[k]] if under_way[k] else way[:0]
            pieces.append(np.concatenate([driven, way]).astype(np.int32))
            pointer.append((v, length, length + len(driven) - int(turning[k])))
            length += len(pieces[-1])
            end_at.append(length)
        if lost:
            self._wait(state, chosen[lost], (at + under_way)[lost], closed)
        if not pieces:
            return state
        rows = np.array(pointer, np.int64)
        vehicle["route"][rows[:, 0]] = rows[:, 1]
        vehicle["route_at"][rows[:, 0]] = rows[:, 2]
        vehicle["route_end"][rows[:, 0]] = end_at
        return state._replace(route_street=np.concatenate([state.route_street, *pieces]))

    def _ways(
        self,
        kind: npt.NDArray[np.int32],
        start: npt.NDArray[np.int32],
        goal: npt.NDArray[np.int32],
        depart_s: npt.NDArray[np.float64],
        closed: Bools,
    ) -> list[npt.NDArray[np.int32]]:
        """The fastest way of each vehicle that enters no closed street; empty without one."""
        prepared = self.traffic.sim.prepared
        ways: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)] * len(kind)
        classes = np.array([t.vehicle_class for t in self.traffic.network.types])[kind]
        for name in np.unique(classes[~self._buses[kind]]):
            graph, times = prepared.graph_and_times(str(name))
            mine = np.flatnonzero(classes == name)
            for goals in _goals(graph, goal[mine], closed):
                found: Routes = shortest_routes(
                    graph, times, start[mine], goals, depart_s[mine], closed
                )
                open_start = ~closed[start[mine]] | (found.lengths > 0)
                for k in np.flatnonzero((found.lengths > 0) & open_start):
                    ways[mine[k]] = found[int(k)]
                mine_left = np.flatnonzero(found.lengths == 0)
                mine, goal_left = mine[mine_left], goal[mine][mine_left]
                if not len(goal_left):
                    break
        return ways


def line_ways(
    graph: RoadGraph,
    times: TravelTimes,
    ways: Sequence[Way],
    under_way: Bools,
    depart_s: npt.NDArray[np.float64],
    closed: Bools,
) -> list[Way]:
    """Return ways of lines that leave out closed streets and nothing else, if that can be.

    From the last street before a closed stretch a bus takes the fastest open way to the next
    street of its line behind it, or to a later one where there is none.  A way that begins
    closed begins at the first open street, unless a bus is there already; one that ends closed
    ends before.  Empty where no street behind a closed stretch can be reached.
    """
    at = [
        0 if out else _next_open(way, 0, closed) for way, out in zip(ways, under_way, strict=True)
    ]
    found = [way[k : k + 1].tolist() for way, k in zip(ways, at, strict=True)]
    goal, active = [0] * len(ways), [k for k, way in enumerate(ways) if at[k] < len(way)]
    while active:
        for k in active:
            if goal[k] > at[k]:
                continue
            while at[k] + 1 < len(ways[k]) and not closed[ways[k][at[k] + 1]]:
                at[k] += 1
                found[k].append(int(ways[k][at[k]]))
            goal[k] = _next_open(ways[k], at[k] + 1, closed)
        active = [k for k in active if goal[k] < len(ways[k])]
        if not active:
            break
        start = np.array([ways[k][at[k]] for k in active])
        behind = np.array([ways[k][goal[k]] for k in active])
        pieces = shortest_routes(graph, times, start, behind, depart_s[active], closed)
        for i, k in enumerate(active):
            if pieces.lengths[i] > 0:
                found[k].extend(pieces[i][1:].tolist())
                at[k] = goal[k]
            else:
                goal[k] = _next_open(ways[k], goal[k] + 1, closed)
                if goal[k] == len(ways[k]):
                    found[k] = []
        active = [k for k in active if found[k]]
    return [np.array(way, np.int32) for way in found]


def _next_open(way: Way, first: int, closed: Bools) -> int:
    """Position of the first open street from `first` on; the length of the way if there is none."""
    rest = np.flatnonzero(~closed[way[first:]])
    return first + int(rest[0]) if len(rest) else len(way)


def _queue(state: State, changed: I8, now: int) -> None:
    """Put vehicles where they belong among those of their source, by when they want to depart.

    Those who wait there already stay before them.
    """
    if not len(changed):
        return
    position = np.empty(len(state.source_vehicle), np.int64)
    position[state.source_vehicle] = np.arange(len(position))
    sources = np.searchsorted(state.source["end"], position[changed], side="right")
    for source in state.source[np.unique(sources)]:
        rest = slice(int(source["next"]), int(source["end"]))
        line = state.source_vehicle[rest]
        due = np.maximum(state.vehicle["due"][line], now)
        state.source_vehicle[rest] = line[np.argsort(due, kind="stable")]


def _goals(
    graph: RoadGraph, goal: npt.NDArray[np.int32], closed: Bools
) -> list[npt.NDArray[np.int32]]:
    """The goals themselves; where a goal is closed, the first open street that leads to it."""
    near = goal.copy()
    for street in np.unique(goal[closed[goal]]):
        before = graph.turn_from[graph.turn_to == street]
        before = before[~closed[before]]
        if len(before):
            near[goal == street] = before[0]
    return [near]
