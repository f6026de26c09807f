"""Run a SUMO network with SUMO routes on the kernel, to compare it with SUMO."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.errors import InputError, OutputError
from twin.random import Stream
from twin.traffic.indicators import trip_table
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.preparation import GRAPH_OF
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes
from twin.traffic.state import Vehicles, initial_state
from twin.traffic.sumo_routes import Due, RouteFiles, read_routes

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.parameters import VehicleType

MINOR_PENALTY_S = 1.5  # SUMO's --weights.minor-penalty, for routes of trips
COLUMNS = [
    "id", "depart_s", "depart_delay_s", "arrival_s", "duration_s", "route_length_m", "time_loss_s",
]  # fmt: skip


@dataclass(frozen=True)
class PeerRun:
    """What a run was: wall times, and how many vehicles were due, departed and arrived."""

    load_s: float
    run_s: float
    due: int
    departed: int
    arrived: int
    skipped: dict[str, int]


def simulate_files(
    net: Path, routes: Sequence[Path], begin_s: float, end_s: float, seed: int, out: Path
) -> PeerRun:
    """Simulate a SUMO network with SUMO route files and write one row a vehicle.

    Vehicles are never taken past a jam (SUMO's `--time-to-teleport -1`).

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
    city = City.from_sumo(net)
    found = read_routes(routes, begin_s, end_s, seed)
    network, vehicles = _load(city, found, seed, net)
    state = initial_state(network, vehicles, begin_s=begin_s, end_s=end_s)
    advance(network.arrays, network.signals, state, int(state.clock["now"][0]))  # compiles
    loaded = time.perf_counter()
    advance(network.arrays, network.signals, state, round(end_s * network.arrays.tps))
    done = time.perf_counter()
    table = trip_table(network, state)
    table.insert(0, "id", [v.id for v in found.vehicles])
    _write(table[COLUMNS], out)
    return PeerRun(
        loaded - started,
        done - loaded,
        len(table),
        int(table["depart_s"].notna().sum()),
        int(table["arrival_s"].notna().sum()),
        found.skipped,
    )


def _write(table: pd.DataFrame, out: Path) -> None:
    temporary = out.with_name(f".{out.name}.part")
    try:
        table.to_csv(temporary, index=False, float_format="%.2f")
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"cannot write {out}: {error.strerror or error}; free space or name another file"
        raise OutputError(msg) from None


def _load(city: City, found: RouteFiles, seed: int, net: Path) -> tuple[Network, Vehicles]:
    used = list(dict.fromkeys(v.type for v in found.vehicles))
    kinds, types = _merged({name: found.types[name] for name in used})
    network = Network.from_city(city, types, jam_s=None)
    kind = np.array([kinds[v.type] for v in found.vehicles])
    classes = np.array([t.vehicle_class for t in types])[kind]
    routes = _routes(city, network, found.vehicles, classes, net)
    mean = np.array([t.speed_factor for t in types])[kind]
    deviation = np.array([t.speed_dev for t in types])[kind]
    draw = np.clip(Stream(seed, "drivers").normal(np.arange(len(kind))), -3.0, 3.0)
    vehicles = Vehicles(
        due_s=np.array([v.due_s for v in found.vehicles]),
        kind=kind.astype(np.uint8),
        route_ptr=routes.ptr,
        route_street=routes.street,
        factor=np.clip(mean + deviation * draw, 0.2, 2.0).astype(np.float32),
        depart_speed_m_s=np.array([_speed(v.depart_speed) for v in found.vehicles]),
    )
    return network, vehicles


def _speed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.inf  # max, desired, speedLimit, avg, last, random


def _merged(
    types: dict[str, VehicleType],
) -> tuple[dict[str, int], tuple[VehicleType, ...]]:
    """Types that differ only by name are one."""
    distinct: dict[VehicleType, int] = {}
    place = {}
    for name, kind in types.items():
        place[name] = distinct.setdefault(replace(kind, name=""), len(distinct))
    merged = tuple(replace(t, name=f"type {k}") for t, k in distinct.items())
    return place, merged


def _routes(
    city: City, network: Network, vehicles: list[Due], classes: np.ndarray, net: Path
) -> Routes:
    position = {name: k for k, name in enumerate(network.street_ids)}
    ways: list[list[int]] = []
    for v in vehicles:
        unknown = [s for s in v.streets if s not in position]
        if unknown or not v.streets:
            what = f"edge {unknown[0]!r} is not" if unknown else "no edges of its route are"
            msg = f"vehicle {v.id!r}: {what} among the streets of {net}; use the net of the routes"
            raise InputError(msg)
        ways.append([position[s] for s in v.streets])
    legs = [(k, a, b) for k, v in enumerate(vehicles) if not v.routed
            for a, b in zip(ways[k][:-1], ways[k][1:], strict=True)]  # fmt: skip
    if legs:
        _find_ways(city, vehicles, classes, legs, ways)
    lengths = [len(w) for w in ways]
    ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    street = np.fromiter((s for w in ways for s in w), np.int32, int(ptr[-1]))
    _check_turns(network, vehicles, ptr, street)
    return Routes(ptr, street, np.zeros(len(ways)))


def _find_ways(
    city: City,
    vehicles: list[Due],
    classes: np.ndarray,
    legs: list[tuple[int, int, int]],
    ways: list[list[int]],
) -> None:
    """Replace the ends of trips by fastest ways at free speed, as SUMO does by default."""
    table = np.array(legs)
    parts: dict[int, list[int]] = {}
    for name in np.unique(classes[table[:, 0]]):
        mine = table[classes[table[:, 0]] == name]
        graph = RoadGraph.from_city(city, GRAPH_OF[str(name)])
        free = TravelTimes.free(graph)
        turn_s = free.turn_s + _penalty(city, graph).astype(np.float32)
        times = TravelTimes(free.begin_s, free.interval_s, turn_s, free.exit_s)
        found = shortest_routes(graph, times, mine[:, 1], mine[:, 2], np.zeros(len(mine)))
        for k, (vehicle, start, goal) in enumerate(mine):
            way = [int(s) for s in found[k]]
            if not way:
                ids = city.streets["id"]
                msg = (
                    f"vehicle {vehicles[vehicle].id!r}: there is no way from "
                    f"{ids[start]!r} to {ids[goal]!r}; correct the trip"
                )
                raise InputError(msg)
            before = parts.setdefault(int(vehicle), [])
            before.extend(way[1:] if before else way)
    for vehicle, way in parts.items():
        ways[vehicle] = way


def _penalty(city: City, graph: RoadGraph) -> np.ndarray:
    """Seconds that SUMO adds to a turn that has to yield and has no signal."""
    m = city.movements
    minor = (m["right_of_way"].str.islower() & (m["signal"] < 0)).to_numpy()
    penalty = np.zeros(graph.n_turns)
    turn = graph.movement_turn[minor]
    penalty[turn[turn >= 0]] = MINOR_PENALTY_S
    return penalty


def _check_turns(
    network: Network, vehicles: list[Due], ptr: np.ndarray, street: np.ndarray
) -> None:
    inner = np.ones(max(len(street) - 1, 0), bool)
    inner[ptr[1:-1] - 1] = False
    at = np.flatnonzero(inner)
    missing = at[network.turn_of(street[at], street[at + 1]) < 0]
    if len(missing):
        k = int(missing[0])
        v = vehicles[int(np.searchsorted(ptr, k, side="right")) - 1]
        a, b = network.street_ids[street[k]], network.street_ids[street[k + 1]]
        msg = f"vehicle {v.id!r}: no connection from edge {a!r} to {b!r}; correct its route"
        raise InputError(msg)
