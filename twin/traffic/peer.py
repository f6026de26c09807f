"""Run a SUMO network with SUMO routes on the kernel, to compare it with SUMO."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.errors import InputError, OutputError
from twin.random import Stream
from twin.traffic.indicators import trip_table
from twin.traffic.kernel import advance, queues
from twin.traffic.network import Network
from twin.traffic.parameters import VehicleType
from twin.traffic.preparation import GRAPH_OF
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes
from twin.traffic.state import Stops, Vehicles, initial_state
from twin.traffic.sumo_routes import Due, RouteFiles, SumoType, entity_of, read_routes

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.kernel import State

F8 = npt.NDArray[np.float64]
I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]

MINOR_PENALTY_S = 1.5  # SUMO 1.28, --weights.minor-penalty: routes of trips
TURNAROUND_PENALTY_S = 5.0  # SUMO 1.28, --weights.turnaround-penalty
# SUMO's routes of trips: means of speeds over 180 s (--device.rerouting.adaptation-steps), again
# every minute before the departure (--device.rerouting.pre-period); we sample every 10 s.
MEAN_S, AGAIN_S, SAMPLE_S = 180.0, 60.0, 10.0
FIRST_IN_LINE = 8  # of those who wait to enter, no more can go before the next sample
# SUMO moves by whole seconds.  An arrival is noted half a step late on average, and the way
# to brake from v is half a step shorter, n v - b n (n + 1) / 2 with n = floor(v / b): so who
# is further than v / 2b - 0.5 s from the stop line when the light turns yellow stops.
STEP_S = 1.0
HALF_STEP_S = STEP_S / 2
# Saturation headway of SUMO 1.28's Krauss driver: tau + SIGMA_S sigma + (1 + SPACING
# + SPACING_SIGMA sigma) spacing / v.  Least squares over 81 queues of 22 vehicles that
# discharge at a signal (tau 1-2 s, sigma 0 and 0.5, 8-22 m/s, 5.8-14.5 m, 1-s steps, the
# mean of four seeds): residuals of 3 % of the headway.  `test_peer.py` makes it again.
SIGMA_S, SPACING, SPACING_SIGMA = 0.24, 0.25, 0.56
TYPICAL_M_S = 13.89  # the kernel's tau holds for all speeds: the formula is used at this one
COLUMNS = [
    "id", "depart_s", "depart_delay_s", "arrival_s", "duration_s", "route_length_m", "time_loss_s",
]  # fmt: skip


@dataclass(frozen=True)
class PeerRun:
    """What a run was: wall times, vehicles due, departed, arrived, and entries left out."""

    load_s: float
    run_s: float
    due: int
    departed: int
    arrived: int
    skipped: dict[str, int]


@dataclass(frozen=True)
class _Load:
    """What is put on the network; `factor` and `start_s` are as SUMO would have them.

    Attributes
    ----------
    factor
        Desired speed over the limit, without dawdling.
    start_s
        Time to drive from the start of the first street to where the trip starts.
    start_m
        Length of that.
    extra_s
        What is added to the time on the first street.
    trips
        Vehicles without a route.
    """

    vehicles: Vehicles
    factor: F8
    start_s: F8
    start_m: F8
    extra_s: F8
    trips: _Trips


def simulate_files(
    net: Path,
    routes: Sequence[Path],
    begin_s: float,
    end_s: float,
    seed: int,
    out: Path,
    jam_s: float | None = None,
) -> PeerRun:
    """Simulate a SUMO network with SUMO route files and write one row a vehicle.

    Parameters
    ----------
    routes
        Route and additional files (vehicle types), in any order.
    jam_s
        Wait after which a vehicle is taken past a jam (SUMO's `--time-to-teleport`).

    Raises
    ------
    InputError
        For files that cannot be used.
    OutputError
        Where `out` cannot be written.
    """
    if out.is_dir() or not out.parent.is_dir():
        msg = f"{out} is no place for a CSV file; name a file in a folder that exists"
        raise OutputError(msg)
    from twin.city import City

    started = time.perf_counter()
    found = read_routes(routes, begin_s, end_s, seed)
    city = City.from_sumo(net)
    network, load = _load(city, found, seed, net, jam_s)
    state = initial_state(network, load.vehicles, begin_s=begin_s, end_s=end_s)
    tps = network.arrays.tps
    state.vehicle["extra"] += np.rint(load.extra_s * tps).astype(np.int32)
    advance(network.arrays, network.signals, state, int(state.clock["now"][0]))  # compiles
    loaded = time.perf_counter()
    state = load.trips.run(network, state, begin_s, end_s)
    done = time.perf_counter()
    table = _trips(network, state, load)
    table.insert(0, "id", [v.id for v in found.vehicles])
    _write(table[COLUMNS], out)
    departed, arrived = (int(table[c].notna().sum()) for c in ("depart_s", "arrival_s"))
    return PeerRun(
        loaded - started, done - loaded, len(table), departed, arrived, found.skipped
    )


def _trips(network: Network, state: State, load: _Load) -> pd.DataFrame:
    """The trip table with lengths and losses from where trips start, at the desired speed.

    The table counts from the start of the first street; so departures are moved to when a
    vehicle would have been there, and back.
    """
    v, shift = state.vehicle.copy(), np.rint(load.start_s * network.arrays.tps).astype(np.int32)
    v["factor"] = load.factor
    out = v["depart"] >= 0
    v["depart"][out] = np.maximum(0, v["depart"] - shift)[out]
    v["entered"][out] -= np.where(v["route_at"] == v["route"], shift, 0)[out]
    table = trip_table(network, state._replace(vehicle=v))
    shift_s = (state.vehicle["depart"] - v["depart"]) / network.arrays.tps
    for column, sign in (("depart_s", 1), ("depart_delay_s", 1), ("duration_s", -1)):
        table[column] += sign * shift_s
    table["route_length_m"] = np.maximum(0.0, table["route_length_m"] - load.start_m)
    return table


def _write(table: pd.DataFrame, out: Path) -> None:
    temporary = out.with_name(f".{out.name}.part")
    try:
        table.to_csv(temporary, index=False, float_format="%.2f")
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"cannot write {out}: {error.strerror or error}; free space or name another file"
        raise OutputError(msg) from None


def kernel_type(kind: SumoType, name: str) -> VehicleType:
    """The kernel's vehicle type for a vType with SUMO's Krauss driver.

    The saturation headway is the one that was measured (see `SIGMA_S`).  Dawdling takes
    sigma / 2 from the acceleration on average, so that a start costs more.
    """
    spacing = kind.length_m + kind.gap_m
    slower = (SPACING + SPACING_SIGMA * kind.sigma) * spacing / TYPICAL_M_S
    return VehicleType(
        name=name,
        length_m=kind.length_m,
        gap_m=kind.gap_m,
        tau_s=kind.tau_s + SIGMA_S * kind.sigma + slower,
        accel_m_s2=kind.accel_m_s2 * (1.0 - kind.sigma / 2),
        decel_m_s2=kind.decel_m_s2,
        max_speed_m_s=kind.max_speed_m_s,
        speed_factor=kind.factor[0],
        speed_dev=kind.factor[1],
        vehicle_class=kind.vehicle_class,
        dawdle_m_s=kind.sigma * kind.accel_m_s2 / 2,
        step_s=STEP_S,
    )


def _load(
    city: City, found: RouteFiles, seed: int, net: Path, jam_s: float | None
) -> tuple[Network, _Load]:
    due = found.vehicles
    sumo_kinds, kind = _merged(found)
    types = [kernel_type(t, f"type {k}") for k, t in enumerate(sumo_kinds)]
    network = Network.from_city(city, types, jam_s=jam_s)
    link = network.arrays.link
    half_step = round(HALF_STEP_S * network.arrays.tps)
    link["braking"] = np.maximum(0, link["braking"] - half_step)
    routes, trips = _routes(city, due, sumo_kinds, kind, net)
    entity = np.array([entity_of(v.id) for v in due], np.int64)
    factor = _factors(due, sumo_kinds, kind, Stream(seed, "drivers").normal(entity))
    limit = np.array([t.max_speed_m_s for t in sumo_kinds])[kind]
    street = network.street_speed[routes.street[routes.ptr[:-1]]]
    speed = np.minimum(street * factor, limit)
    draws = Stream(seed, "departures")
    start_m = _positions(due, network.street_m[routes.street[routes.ptr[:-1]]],
                         np.array([t.length_m for t in sumo_kinds])[kind],
                         draws.uniform(entity))  # fmt: skip
    dawdle = np.array([t.sigma * t.accel_m_s2 / 2 for t in sumo_kinds])[kind]
    slow = _dawdling(network, routes, factor, limit, dawdle)
    vehicles = Vehicles(
        due_s=np.array([v.due_s for v in due]),
        kind=kind.astype(np.uint8),
        route_ptr=routes.ptr,
        route_street=routes.street,
        factor=(factor * slow).astype(np.float32),
        depart_speed_m_s=_speeds(due, street, draws.uniform(entity, 1)),
        stops=_stops(due, _Ways(city, net), network.street_m),
    )
    extra_s = HALF_STEP_S - start_m / (speed * slow)
    return network, _Load(vehicles, factor, start_m / speed, start_m, extra_s, trips)


def _merged(found: RouteFiles) -> tuple[list[SumoType], npt.NDArray[np.intp]]:
    """Distinct types, the most frequent first, and the type of each vehicle.

    The first type stands for all where the network needs one (storage, gaps).
    """
    counts: dict[SumoType, int] = {}
    for v in found.vehicles:
        kind = found.types[v.type]
        counts[kind] = counts.get(kind, 0) + 1
    order = sorted(counts, key=lambda t: -counts[t])
    place = {kind: k for k, kind in enumerate(order)}
    return order, np.array([place[found.types[v.type]] for v in found.vehicles])


def _factors(
    due: list[Due], kinds: list[SumoType], kind: npt.NDArray[np.intp], normal: F8
) -> F8:
    """Desired speed over the limit of each driver, within the bounds of its type."""
    mean, deviation, least, most = np.array([t.factor for t in kinds])[kind].T
    own = np.array([v.factor for v in due])
    drawn = np.clip(mean + deviation * normal, least, most)
    return np.where(own > 0.0, own, np.maximum(drawn, 0.05))


def _dawdling(
    network: Network, routes: Routes, factor: F8, limit: F8, dawdle_m_s: F8
) -> F8:
    """Mean speed over desired speed on a route: Krauss drivers dawdle by sigma a / 2."""
    owner = np.repeat(np.arange(len(factor)), routes.lengths)
    length = network.street_m[routes.street]
    speed = np.minimum(network.street_speed[routes.street] * factor[owner], limit[owner])
    slower = np.maximum(speed - dawdle_m_s[owner], speed / 2)
    free = np.add.reduceat(length / speed, routes.ptr[:-1])
    return np.asarray(free / np.add.reduceat(length / slower, routes.ptr[:-1]))


def _speeds(due: list[Due], street_m_s: F8, level: F8) -> F8:
    """Speed at insertion; infinite for the desired speed (max, avg, last, speedLimit)."""
    words = {"max", "desired", "speedLimit", "avg", "last"}
    speeds = np.full(len(due), np.inf)
    for k, v in enumerate(due):
        if v.depart_speed in words:
            continue
        speeds[k] = (
            level[k] * street_m_s[k]
            if v.depart_speed == "random"
            else _number(v, "departSpeed", v.depart_speed)
        )
        if speeds[k] < 0.0:
            msg = f"{v.where} {v.id!r}: departSpeed={v.depart_speed!r} is below 0; correct it"
            raise InputError(msg)
    return speeds


def _positions(due: list[Due], street_m: F8, length_m: F8, level: F8) -> F8:
    """Where the front is at insertion, m from the start of the street."""
    positions = np.minimum(length_m, street_m)
    for k, v in enumerate(due):
        if v.depart_pos in ("base", "stop", "splitFront"):
            continue
        if v.depart_pos in ("random", "random_free"):
            positions[k] += level[k] * (street_m[k] - positions[k])
        elif v.depart_pos in ("free", "last"):
            continue
        else:
            at = _number(v, "departPos", v.depart_pos)
            positions[k] = np.clip(at if at >= 0.0 else street_m[k] + at, 0.0, street_m[k])
    return positions


def _stops(due: list[Due], ways: _Ways, street_m: F8) -> Stops | None:
    """Stops of lines on the streets of the city."""
    if not any(v.stops for v in due):
        return None
    rows = [(v, stop, ways.edge(v, stop.edge)) for v in due for stop in v.stops]
    street = np.array([at for _, _, at in rows], np.int32)
    end_m = np.array([stop.end_m for _, stop, _ in rows])
    end_m = np.where(end_m < 0.0, end_m + street_m[street], end_m)
    share = np.where(np.isnan(end_m), 1.0, end_m / street_m[street])
    shift = [v.due_s - stop.since_s if stop.until_s > 0.0 else 0.0 for v, stop, _ in rows]
    until = np.array([stop.until_s for _, stop, _ in rows]) + np.nan_to_num(shift)
    return Stops(
        ptr=np.concatenate([[0], np.cumsum([len(v.stops) for v in due])]).astype(np.int64),
        street=street,
        share=share,
        dwell_s=np.array([stop.dwell_s for _, stop, _ in rows]),
        until_s=until,
    )


def _number(v: Due, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        msg = f"{v.where} {v.id!r}: {name}={text!r} is neither a number nor a word of SUMO"
        raise InputError(msg)
    return value


class _Ways:
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


def _routes(
    city: City, due: list[Due], kinds: list[SumoType], kind: npt.NDArray[np.intp], net: Path
) -> tuple[Routes, _Trips]:
    """Routes of all vehicles, those of trips at free speed; and the trips, to route again."""
    ways = _Ways(city, net)
    graphs = {t.vehicle_class: RoadGraph.from_city(city, GRAPH_OF[t.vehicle_class]) for t in kinds}
    trips = _Trips(city, graphs, due, [kinds[k] for k in kind], ways)
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


class _Trips:
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
        ways: _Ways,
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
