"""Fastest routes over streets when travel times change with the time of day.

A node of the road graph is a street and an arc is a turn from one street into the next, so that
forbidden turns and the time of a turn need no special case. Times hold per interval of *entry*
into a street. They are used as arrival functions that never let a later entry arrive earlier
(FIFO): where a time falls from one interval to the next by more than passes between, the arrival
is that of an entry at the start of the next interval. With that, Dijkstra's algorithm with times
as labels is exact (Dreyfus 1969; Kaufman and Smith 1993) as long as no street is blocked for only
a part of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError, SimulationError
from twin.traffic._routes import Routes, TravelTimes, offsets

if TYPE_CHECKING:
    from twin.city import City

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Integers32 = NDArray[np.int32]
Integers64 = NDArray[np.int64]

__all__ = [
    "VEHICLE_CLASSES",
    "RoadGraph",
    "Routes",
    "TravelTimes",
    "route_costs",
    "shortest_routes",
]

VEHICLE_CLASSES = ("cars", "lorries", "buses")


@dataclass(frozen=True, eq=False)
class RoadGraph:
    """The streets and turns that one vehicle class may use, as flat arrays.

    Parameters
    ----------
    vehicle_class : one of `VEHICLE_CLASSES`
    turn_ptr : int64 [streets + 1], the turns out of street s are turn_ptr[s]:turn_ptr[s + 1]
    turn_from, turn_to : int32 [turns], sorted by (from, to), each pair once
    turn_free_s : float32 [turns], time over the from-street and the path inside the junction, s
    exit_free_s : float32 [streets], time over the street alone, s: a trip ends at its end
    movement_turn : int32 [movements of the city], the turn that a movement belongs to, -1 if the
        class may not use it
    """

    vehicle_class: str
    turn_ptr: Integers64
    turn_from: Integers32
    turn_to: Integers32
    turn_free_s: Floats32
    exit_free_s: Floats32
    movement_turn: Integers32

    @property
    def n_streets(self) -> int:
        """Number of streets of the city, those closed to the class included."""
        return len(self.exit_free_s)

    @property
    def n_turns(self) -> int:
        """Number of turns."""
        return len(self.turn_to)

    @classmethod
    def from_city(cls, city: City, vehicle_class: str = "cars") -> RoadGraph:
        """Return the graph of the streets and turns of a city for `vehicle_class`.

        Raises
        ------
        InputError : the vehicle class is unknown
        """
        if vehicle_class not in VEHICLE_CLASSES:
            msg = f"vehicle_class(={vehicle_class!r}) must be one of {', '.join(VEHICLE_CLASSES)}."
            raise InputError(msg)
        lanes, moves = city.lanes, city.movements
        permitted = lanes[vehicle_class].to_numpy(dtype=bool)
        allowed = (
            permitted[moves["lane"].to_numpy()]
            & permitted[moves["to_lane"].to_numpy()]
            & (moves["to_street"].to_numpy() >= 0)
        )
        inner_s = moves["length_m"].to_numpy() / np.maximum(moves["speed_m_s"].to_numpy(), 0.1)
        streets = city.streets
        free_s = streets["length_m"].to_numpy() / np.maximum(streets["speed_m_s"].to_numpy(), 0.1)
        turns = cls.from_pairs(
            moves["street"].to_numpy()[allowed],
            moves["to_street"].to_numpy()[allowed],
            inner_s[allowed],
            free_s,
            vehicle_class=vehicle_class,
        )
        movement_turn = np.full(len(moves), -1, dtype=np.int32)
        movement_turn[allowed] = turns.movement_turn
        return replace(turns, movement_turn=movement_turn)

    @classmethod
    def from_pairs(
        cls,
        street: NDArray[Any],
        to_street: NDArray[Any],
        inner_s: NDArray[Any],
        exit_free_s: NDArray[Any],
        vehicle_class: str = "cars",
    ) -> RoadGraph:
        """Return the graph of given movements; parallel movements become one turn, the fastest."""
        exit_s = np.asarray(exit_free_s, dtype=np.float64)
        n = len(exit_s)
        code = np.asarray(street, dtype=np.int64) * n + np.asarray(to_street, dtype=np.int64)
        unique, turn_of = np.unique(code, return_inverse=True)
        inner = np.full(len(unique), np.inf)
        np.minimum.at(inner, turn_of, np.asarray(inner_s, dtype=np.float64))
        turn_from, turn_to = (unique // n).astype(np.int32), (unique % n).astype(np.int32)
        ptr = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(turn_from, minlength=n), out=ptr[1:])
        return cls(
            vehicle_class=vehicle_class,
            turn_ptr=ptr,
            turn_from=turn_from,
            turn_to=turn_to,
            turn_free_s=(exit_s[turn_from] + inner).astype(np.float32),
            exit_free_s=exit_s.astype(np.float32),
            movement_turn=turn_of.astype(np.int32),
        )

    def slowed(self, extra_s: Floats) -> RoadGraph:
        """Return the graph with so many seconds more on each street; they may be less than 0."""
        street_s = np.maximum(self.exit_free_s + extra_s, 0.1) - self.exit_free_s
        return replace(
            self,
            turn_free_s=(self.turn_free_s + street_s[self.turn_from]).astype(np.float32),
            exit_free_s=(self.exit_free_s + street_s).astype(np.float32),
        )

    def turn(self, street: NDArray[Any], to_street: NDArray[Any]) -> Integers64:
        """Return the positions of the turns street -> to_street, -1 where there is none."""
        wanted = np.asarray(street, np.int64) * self.n_streets + np.asarray(to_street, np.int64)
        codes = self.turn_from.astype(np.int64) * self.n_streets + self.turn_to
        if not len(codes):
            return np.full(wanted.shape, -1, dtype=np.int64)
        position = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        return np.where(codes[position] == wanted, position, -1).astype(np.int64)

    def core(self) -> Bools:
        """Return which streets lie in the largest strongly connected component.

        Between any two of them there is a route. A graph without a cycle has a core of one street.
        """
        labels = self._components()
        return np.asarray(labels == np.bincount(labels).argmax())

    def reaches(self, target: Bools) -> Bools:
        """Return from which streets at least one street of `target` can be reached."""
        return self._spread(target, self.turn_to, self.turn_from)

    def reached_from(self, source: Bools) -> Bools:
        """Return which streets can be reached from at least one street of `source`."""
        return self._spread(source, self.turn_from, self.turn_to)

    def cut_off(self, closed: Bools) -> Bools:
        """Return which open streets lose their way from or to the core when others are closed.

        The core is that of what is left (`core`), on whichever side most streets lie.
        """
        open_turns = ~(closed[self.turn_from] | closed[self.turn_to])
        street, to_street = self.turn_from[open_turns], self.turn_to[open_turns]
        left = RoadGraph.from_pairs(street, to_street, np.zeros(len(street)), self.exit_free_s)
        before, after = self.core(), left.core()
        lost = self.reached_from(before) & ~left.reached_from(after)
        lost |= self.reaches(before) & ~left.reaches(after)
        return lost & ~closed

    def free_times(self, source: NDArray[Any]) -> Floats:
        """Return free times in s from entering each source to entering each street, inf if none."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        weights = np.maximum(self.turn_free_s.astype(np.float64), 1e-6)
        matrix = csr_array((weights, self.turn_to, self.turn_ptr), shape=(self.n_streets,) * 2)
        return np.atleast_2d(np.asarray(dijkstra(matrix, indices=np.asarray(source))))

    def _components(self) -> Integers32:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        ones = np.ones(self.n_turns, dtype=np.int8)
        matrix = csr_array((ones, self.turn_to, self.turn_ptr), shape=(self.n_streets,) * 2)
        labels = connected_components(matrix, directed=True, connection="strong")[1]
        return cast("Integers32", labels)

    def _spread(self, seed: Bools, tail: Integers32, head: Integers32) -> Bools:
        found = np.asarray(seed, dtype=bool).copy()
        while True:
            fresh = head[found[tail] & ~found[head]]
            if not len(fresh):
                return found
            found[fresh] = True


def shortest_routes(
    graph: RoadGraph,
    times: TravelTimes,
    origin: NDArray[Any],
    destination: NDArray[Any],
    depart_s: NDArray[Any],
    blocked: Bools | None = None,
    *,
    group_s: float | None = None,
    threads: int = 1,
) -> Routes:
    """Return the fastest route of each trip.

    Trips of one origin that depart within `group_s` share one search, which starts at the mean of
    their departures; each cost is that of the trip's own departure.

    Parameters
    ----------
    graph, times : the graph and the times on it
    origin, destination : streets of each trip; the trip starts at the start of the origin and ends
        at the end of the destination
    depart_s : departure of each trip on the clock of `times`, s
    blocked : bool [streets] or [K, streets]: streets that may not be entered (in an interval);
        starting on one is allowed
    group_s : width of the groups, s; default the interval of `times`; 0 gives each distinct
        departure a search of its own and so exact routes
    threads : searches run on so many threads; the result does not depend on it

    Returns
    -------
    Routes in the order of the trips, empty and of infinite cost where there is none.

    Raises
    ------
    SimulationError : shapes disagree or a street does not exist
    """
    from twin.traffic import _search

    start, end, depart = _check_trips(graph, times, origin, destination, depart_s)
    block = _check_blocked(graph, times, blocked)
    order, group_ptr, group_depart = _groups(start, depart, times, group_s)
    data = (graph.turn_ptr, graph.turn_to, times.begin_s, times.interval_s)
    turn_s, exit_s = times.arrival_functions()

    def search(first: int, last: int) -> tuple[Integers64, Integers32]:
        span = slice(group_ptr[first], group_ptr[last])
        return _search.search(
            *data,
            turn_s,
            block,
            start[order[span]],
            end[order[span]],
            group_ptr[first : last + 1] - group_ptr[first],
            group_depart[first:last],
        )

    parts = _in_threads(search, len(group_depart), threads)
    lengths = np.concatenate([part[0] for part in parts])
    streets = np.concatenate([part[1] for part in parts])
    found = Routes(offsets(lengths), streets, np.zeros(len(lengths)))
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    routes = found.take(back)
    cost_s = _search.costs(*data, turn_s, exit_s, block, routes.ptr, routes.street, depart)
    return Routes(routes.ptr, routes.street, cost_s)


def route_costs(
    graph: RoadGraph,
    times: TravelTimes,
    routes: Routes,
    depart_s: NDArray[Any],
    blocked: Bools | None = None,
) -> Floats:
    """Return the time of each route, s, when departing at `depart_s`.

    It is inf for an empty route and for one that enters a blocked street (see `shortest_routes`).

    Raises
    ------
    SimulationError : the routes do not fit the graph or the departures
    """
    from twin.traffic import _search

    routes.validate(graph)
    depart = np.ascontiguousarray(depart_s, dtype=np.float64)
    if len(depart) != len(routes):
        msg = f"{len(depart)} departures given for {len(routes)} routes."
        raise SimulationError(msg)
    turn_s, exit_s = times.arrival_functions()
    block = _check_blocked(graph, times, blocked)
    data = (graph.turn_ptr, graph.turn_to, times.begin_s, times.interval_s)
    return _search.costs(*data, turn_s, exit_s, block, routes.ptr, routes.street, depart)


def _check_trips(
    graph: RoadGraph,
    times: TravelTimes,
    origin: NDArray[Any],
    destination: NDArray[Any],
    depart_s: NDArray[Any],
) -> tuple[Integers32, Integers32, Floats]:
    shapes = (times.turn_s.shape[1], times.exit_s.shape[1])
    if shapes != (graph.n_turns, graph.n_streets):
        msg = (
            f"travel times of {shapes[0]} turns and {shapes[1]} streets do not fit a graph of "
            f"{graph.n_turns} turns and {graph.n_streets} streets."
        )
        raise SimulationError(msg)
    start, end = np.asarray(origin), np.asarray(destination)
    depart = np.ascontiguousarray(depart_s, dtype=np.float64)
    if not len(start) == len(end) == len(depart):
        msg = f"{len(start)} origins, {len(end)} destinations and {len(depart)} departures differ."
        raise SimulationError(msg)
    for name, street in (("origin", start), ("destination", end)):
        bad = np.flatnonzero((street < 0) | (street >= graph.n_streets))
        if len(bad):
            msg = f"{name}(={street[bad[0]]}) of trip {bad[0]} is no street of the city."
            raise SimulationError(msg)
    if not np.all(np.isfinite(depart)):
        msg = f"depart_s of trip {np.flatnonzero(~np.isfinite(depart))[0]} is not a finite number."
        raise SimulationError(msg)
    return start.astype(np.int32), end.astype(np.int32), depart


def _check_blocked(graph: RoadGraph, times: TravelTimes, blocked: Bools | None) -> Bools:
    if blocked is None:
        return np.zeros((1, graph.n_streets), dtype=np.bool_)
    block = np.atleast_2d(np.ascontiguousarray(blocked, dtype=np.bool_))
    if block.shape[1] != graph.n_streets or len(block) not in (1, times.n_intervals):
        msg = (
            f"blocked of shape {np.shape(blocked)} must be [{graph.n_streets}] or "
            f"[{times.n_intervals}, {graph.n_streets}]."
        )
        raise SimulationError(msg)
    return block


def _groups(
    origin: Integers32, depart_s: Floats, times: TravelTimes, group_s: float | None
) -> tuple[Integers64, Integers64, Floats]:
    """Return the order of trips by group, the first trip of each group and its mean departure."""
    width_s = times.interval_s if group_s is None else group_s
    if times.n_intervals == 1:
        part = np.zeros(len(depart_s))
    elif width_s > 0.0:
        part = np.floor((depart_s - times.begin_s) / width_s)
    else:
        part = depart_s
    order = np.lexsort((part, origin)).astype(np.int64)
    change = np.ones(len(order), dtype=bool)
    change[1:] = (np.diff(origin[order]) != 0) | (np.diff(part[order]) != 0)
    ptr = np.append(np.flatnonzero(change), len(order)).astype(np.int64)
    mean_s = np.add.reduceat(depart_s[order], ptr[:-1]) / np.diff(ptr) if len(order) else depart_s
    return order, ptr, mean_s


def _in_threads(
    work: Callable[[int, int], tuple[Integers64, Integers32]], n_groups: int, threads: int
) -> list[tuple[Integers64, Integers32]]:
    """Return the results of `work` on consecutive spans of groups, in order."""
    bounds = np.linspace(0, n_groups, max(1, min(threads, n_groups)) + 1).astype(int)
    if len(bounds) == 2:
        return [work(0, n_groups)]
    with ThreadPoolExecutor(len(bounds) - 1) as pool:
        return list(pool.map(work, bounds[:-1].tolist(), bounds[1:].tolist()))
