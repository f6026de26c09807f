"""Ways of SUMO's vehicles through a city: given routes, and trips routed as SUMO does it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.traffic.kernel import advance, queues
from twin.traffic.network import Network
from twin.traffic.preparation import GRAPH_OF
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes
from twin.traffic.sumo_routes import Due, SumoType

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]
I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]

MINOR_PENALTY_S = 1.5  # SUMO 1.28, --weights.minor-penalty: routes of trips
TURNAROUND_PENALTY_S = 5.0  # SUMO 1.28, --weights.turnaround-penalty
# SUMO's routes of trips: means of speeds over 180 s (--device.rerouting.adaptation-steps), again
# every minute before the departure (--device.rerouting.pre-period); we sample every 10 s.
MEAN_S, AGAIN_S, SAMPLE_S = 180.0, 60.0, 10.0
FIRST_IN_LINE = 8  # of those who wait to enter, no more can go before the next sample


def vehicle_routes(
    city: City,
    due: list[Due],
    kinds: list[SumoType],
    kind: npt.NDArray[np.intp],
    ways: Ways,
) -> tuple[Routes, Trips]:
    """Routes of all vehicles, those of trips at free speed; and the trips, to route again.

    Parameters
    ----------
    kinds, kind
        Types, and the type of each vehicle among them.

    Raises
    ------
    InputError
        If a vehicle cannot go where its entry wants.
    """
    graphs = {t.vehicle_class: RoadGraph.from_city(city, GRAPH_OF[t.vehicle_class]) for t in kinds}
    trips = Trips(city, graphs, due, [kinds[k] for k in kind], ways)
    cache: dict[tuple[str, ...], I4] = {}
    parts = trips.ways(np.arange(len(due)))
    for k, v in enumerate(due):
        if v.routed:
            if v.way not in cache:
                cache[v.way] = np.array([ways.edge(v, name) for name in v.way], np.int32)
            parts[k] = cache[v.way]
    ptr = np.concatenate([[0], np.cumsum([len(parts[k]) for k in range(len(due))])])
    street = np.concatenate([parts[k] for k in range(len(due))])
    routes = Routes(ptr.astype(np.int64), street, np.zeros(len(due)))
    classes = np.array([t.vehicle_class for t in kinds])[kind]
    for name, graph in graphs.items():
        _check(city, graph, due, np.flatnonzero(classes == name), routes)
    return routes, trips


class Ways:
    """Positions of the edges of a net, and the streets at its junctions."""

    def __init__(self, city: City, net: Path) -> None:
        streets = city.streets
        self.net = net
        self.street = {name: k for k, name in enumerate(streets["id"])}
        self.junction = {name: k for k, name in enumerate(city.junctions["id"])}
        self.ends = (streets["from_junction"].to_numpy(), streets["to_junction"].to_numpy())

    def edge(self, v: Due, name: str) -> int:
        at = self.street.get(name)
        if at is None:
            msg = (
                f"{v.where} {v.id!r}: edge {name!r} is no street for cars, lorries or buses in "
                f"{self.net}; use the net that the routes were made for"
            )
            raise InputError(msg)
        return at

    def options(self, v: Due, name: str, end: int) -> list[int]:
        """Streets at which a trip may start (end 0) or stop (end 1)."""
        if name[0] != "\n":
            return [self.edge(v, name)]
        at = self.junction.get(name[1:], -1)
        found = np.flatnonzero(self.ends[end] == at) if at >= 0 else np.zeros(0, int)
        if not len(found):
            msg = f"{v.where} {v.id!r}: junction {name[1:]!r} has no such street in {self.net}"
            raise InputError(msg)
        return [int(k) for k in found]


class Trips:
    """Fastest ways of vehicles without a route, as SUMO finds them by default.

    SUMO routes a trip when it is due, and every minute while it waits to enter, by the
    mean speed on each street over the last 180 s (its device.rerouting, which every trip
    is given).  A street without vehicles counts with its limit.
    """

    def __init__(
        self,
        city: City,
        graphs: dict[str, RoadGraph],
        due: list[Due],
        kinds: list[SumoType],
        ways: Ways,
    ) -> None:
        self.city, self.due, self.n_streets = city, due, len(city.streets)
        groups: dict[tuple[str, float], int] = {}
        legs: list[tuple[int, int, int, int, int]] = []  # vehicle, leg, from, to, group
        for k, v in enumerate(due):
            if v.routed:
                continue
            kind = (kinds[k].vehicle_class, kinds[k].max_speed_m_s)
            group = groups.setdefault(kind, len(groups))
            stops = [ways.options(v, name, int(n > 0)) for n, name in enumerate(v.way)]
            for n, (starts, goals) in enumerate(pairwise(stops)):
                legs.extend((k, n, a, b, group) for a in starts for b in goals)
        self.legs = np.array(legs, np.int64).reshape(-1, 5)
        self.ptr = np.searchsorted(self.legs[:, 0], np.arange(len(due) + 1))
        self.groups = [(graphs[name], *_sumo_times(city, graphs[name], v)) for name, v in groups]
        self.due_s = np.array([v.due_s for v in due])
        self.past = np.ones((round(MEAN_S / SAMPLE_S), self.n_streets))
        self.samples = 0

    def ways(self, rows: npt.NDArray[np.intp], free: F8 | None = None) -> dict[int, I4]:
        """The fastest way of each of these vehicles; `free` is speed over limit by street."""
        starts, counts = self.ptr[rows], self.ptr[rows + 1] - self.ptr[rows]
        at = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        legs, parts = self.legs[at], dict[int, I4]()
        for group, (graph, inside_s, street_s) in enumerate(self.groups):
            mine = legs[legs[:, 4] == group]
            if len(mine):
                exit_s = street_s if free is None else street_s / np.maximum(free, 1e-3)
                self._search(graph, mine, exit_s, exit_s[graph.turn_from] + inside_s, parts)
        return parts

    def _search(
        self, graph: RoadGraph, legs: I8, exit_s: F8, turn_s: F8, parts: dict[int, I4]
    ) -> None:
        pairs, which = np.unique(legs[:, 2:4], axis=0, return_inverse=True)
        which = which.reshape(-1)
        times = TravelTimes(0.0, 86400.0, *(t.astype(np.float32)[None] for t in (turn_s, exit_s)))
        found = shortest_routes(graph, times, pairs[:, 0], pairs[:, 1], np.zeros(len(pairs)))
        order = np.lexsort((found.cost_s[which], legs[:, 1], legs[:, 0]))
        first = np.ones(len(order), bool)
        first[1:] = np.any(np.diff(legs[order, :2], axis=0) != 0, axis=1)
        for row in order[first]:
            k, n, a, b, _ = legs[row].tolist()
            way = found[which[row]]
            if not len(way):
                v, ids = self.due[k], self.city.streets["id"]
                msg = f"{v.where} {v.id!r}: no way from {ids[a]!r} to {ids[b]!r} for its class"
                raise InputError(f"{msg}; correct the trip")  # noqa: EM102
            parts[k] = way if n == 0 else np.concatenate([parts[k], way[1:]])

    def run(self, network: Network, state: State, begin_s: float, end_s: float) -> State:
        """Simulate, and route trips when they are due."""
        tps = network.arrays.tps
        standing, moving, wait = np.zeros((3, len(state.link)), np.int32)
        inside, now_s = np.zeros(len(state.lane), np.int32), begin_s
        written = _Written(state)
        while now_s < end_s and len(self.legs):
            queues(network.arrays, state, standing, moving, inside, wait)
            free = self._free(network, standing, moving)
            rows = self._to_route(state, now_s)
            if len(rows):
                state = written.with_ways(state, self.ways(rows, free))
            now_s = min(end_s, now_s + SAMPLE_S)
            advance(network.arrays, network.signals, state, round(now_s * tps))
        advance(network.arrays, network.signals, state, round(end_s * tps))
        return state

    def _to_route(self, state: State, now_s: float) -> npt.NDArray[np.intp]:
        """Trips due before the next sample, and those first in line once a minute."""
        first, last = np.searchsorted(self.due_s, [now_s, now_s + SAMPLE_S])
        at = (state.source["next"][:, None] + np.arange(FIRST_IN_LINE)).reshape(-1)
        at = at[at < np.repeat(state.source["end"], FIRST_IN_LINE)]
        line = state.source_vehicle[at]
        age = now_s + SAMPLE_S - self.due_s[line]
        line = line[(age > SAMPLE_S) & (age % AGAIN_S <= SAMPLE_S)]
        rows = np.union1d(np.arange(first, last), line).astype(np.intp)
        return rows[self.ptr[rows + 1] > self.ptr[rows]]

    def _free(self, network: Network, standing: I4, moving: I4) -> F8:
        """Mean speed over the limit by street, of the last samples."""
        link = network.arrays.link
        lane = np.minimum(link["lane"], network.n_lanes)
        street = np.append(network.arrays.lane["street"][: network.n_lanes], -1)[lane]
        on = (street >= 0) & (link["lane"] < network.n_lanes)
        stood = np.bincount(street[on], standing[on], self.n_streets)
        moved = np.bincount(street[on], moving[on], self.n_streets)
        share = np.where(stood > 0, moved / np.maximum(stood + moved, 1), 1.0)
        self.past[self.samples % len(self.past)] = share
        self.samples += 1
        return np.asarray(self.past.mean(axis=0))


class _Written:
    """Writes routes of vehicles that have not departed, where they fit, else at the end."""

    def __init__(self, state: State) -> None:
        self.used = len(state.route_street)
        self.room = state.vehicle["route_end"] - state.vehicle["route"]

    def with_ways(self, state: State, ways: dict[int, I4]) -> State:
        vehicle = state.vehicle
        for k, way in ways.items():
            at = int(vehicle["route"][k])
            if len(way) > self.room[k]:
                at, self.room[k] = self.used, len(way)
                self.used += len(way)
                if self.used > len(state.route_street):
                    longer = np.concatenate([state.route_street, np.zeros(self.used, np.int32)])
                    state = state._replace(route_street=longer)
            state.route_street[at : at + len(way)] = way
            vehicle["route"][k] = vehicle["route_at"][k] = at
            vehicle["route_end"][k] = at + len(way)
        return state


def _sumo_times(city: City, graph: RoadGraph, fastest_m_s: float) -> tuple[F8, F8]:
    """Free times inside junctions by turn and on streets, with SUMO's penalties.

    A turn that has to yield and has no signal costs 1.5 s, and so does going on from a
    waiting place inside a junction; turning around costs 5 s.
    """
    m, streets = city.movements, city.streets
    speed = np.minimum(streets["speed_m_s"].to_numpy(float), fastest_m_s)
    exit_s = streets["length_m"].to_numpy(float) / np.maximum(speed, 0.1)
    minor = m["right_of_way"].str.islower().to_numpy() & (m["signal"] < 0).to_numpy()
    inside_s = m["length_m"].to_numpy(float) / np.minimum(
        np.maximum(m["speed_m_s"].to_numpy(float), 0.1), fastest_m_s
    )
    inside_s += MINOR_PENALTY_S * (minor + (m["wait_m"].to_numpy() > 0.0))
    inside_s += TURNAROUND_PENALTY_S * (m["direction"] == "t").to_numpy()
    used = graph.movement_turn >= 0
    turn_s = np.full(graph.n_turns, np.inf)
    np.minimum.at(turn_s, graph.movement_turn[used], inside_s[used])
    return turn_s, exit_s


def _check(
    city: City, graph: RoadGraph, due: list[Due], rows: npt.NDArray[np.intp], routes: Routes
) -> None:
    """Refuse routes that jump, or that use a street closed to the class."""
    mine = routes.take(rows)
    ids, opened = city.streets["id"], city.streets[graph.vehicle_class].to_numpy()
    closed = np.flatnonzero(~opened[mine.street])
    inner = np.ones(max(len(mine.street) - 1, 0), bool)
    inner[mine.ptr[1:-1] - 1] = False
    at = np.flatnonzero(inner)
    missing = at[graph.turn(mine.street[at], mine.street[at + 1]) < 0]
    for places, what in ((closed, "closed"), (missing, "missing")):
        if not len(places):
            continue
        k = int(places[0])
        v = due[rows[int(np.searchsorted(mine.ptr, k, side="right")) - 1]]
        where = f"{v.where} {v.id!r}"
        if what == "closed":
            msg = f"{where}: edge {ids[mine.street[k]]!r} is closed to {graph.vehicle_class}"
        else:
            a, b = ids[mine.street[k]], ids[mine.street[k + 1]]
            msg = f"{where}: no connection from {a!r} to {b!r} for {graph.vehicle_class}"
        raise InputError(f"{msg}; correct its route")  # noqa: EM102
