"""Drivers who meet a closure: new routes for those concerned, old ones once it ends.

When a street closes, everybody under way whose way ahead enters it, and everybody who
departs while it is expected to be closed, takes the route that is fastest on a usual day
without the closed streets.  Who starts on a closed street starts on the first open one of
the way; who wants to go to a closed street ends the trip on a street before it.  When it
opens again, those who have not departed take their usual route.

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
from twin.traffic.routing import RoadGraph, Routes, shortest_routes

if TYPE_CHECKING:
    from twin.clock import Process
    from twin.traffic.process import Traffic
    from twin.traffic.records import State

Bools = npt.NDArray[np.bool_]
I8 = npt.NDArray[np.int64]
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

    def respond(self, closed: Bools, before: Bools) -> State:
        """State with routes that respect what is closed now."""
        state = self.traffic.state
        self._closed = closed.copy()
        if self.usual is None:
            self.usual = state.vehicle["route"].copy(), state.vehicle["route_end"].copy()
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

    def resume(self, usual: tuple[I8, I8] | None, closed: Bools) -> None:
        """Go on from a snapshot: with these usual routes, while these streets are closed."""
        self.usual, self._closed = usual, closed.copy()
        self._watch()

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

    def _reroute(self, state: State, chosen: I8, closed: Bools) -> State:
        vehicle, tps = state.vehicle, self.traffic.network.arrays.tps
        now = self.traffic.sim.clock.now
        under_way = vehicle["depart"][chosen] >= 0
        driven_from = vehicle["route"][chosen].astype(np.int64)
        at = np.where(under_way, vehicle["route_at"][chosen], driven_from).astype(np.int64)
        end = vehicle["route_end"][chosen].astype(np.int64)
        goal = state.route_street[end - 1]
        start = state.route_street[at]
        for i in np.flatnonzero(~under_way & closed[start]):
            way = state.route_street[at[i] : end[i]]
            start[i] = way[np.argmax(~closed[way])]  # the first open one
        depart_s = np.maximum(vehicle["due"][chosen], now) / tps
        ways = self._ways(vehicle["type"][chosen], start, goal, depart_s, closed)
        pieces, pointer, end_at, place = [], [], [], []
        length = len(state.route_street)
        for k, v in enumerate(chosen):
            way = ways[k]
            if not len(way):
                continue
            driven = state.route_street[driven_from[k] : at[k]] if under_way[k] else way[:0]
            pieces.append(np.concatenate([driven, way]).astype(np.int32))
            pointer.append((v, length, length + len(driven)))
            length += len(pieces[-1])
            end_at.append(length)
            place.append(v)
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
        for name in np.unique(classes):
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
