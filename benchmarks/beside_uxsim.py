"""The kernel beside UXsim, on UXsim's own benchmark: a grid of 11 x 11 nodes for two hours.

Streets of 1 km at 20 m/s with 0.2 veh/m when jammed and a reaction time of 1 s, demand from every
node of one edge to every node of the opposite one, scaled to about 40,000 vehicles.  Here every
vehicle moves alone; UXsim moves platoons of 5 (its default), and single ones in a row of its own.
Both have the same links, origins, destinations, departures and routes: those of UXsim's run with
single vehicles.  UXsim's drivers choose their routes while it runs; so one search of the fastest
way of every vehicle counts as ours, though we do not use what it finds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyproj
import shapely
from table import Found, Row, command_line, ratio, seconds, times, told

from twin.city import City, schema
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.parameters import VehicleType
from twin.traffic.routing import RoadGraph, TravelTimes, shortest_routes
from twin.traffic.state import Vehicles, copy_state, initial_state

SIDE, PER_PAIR, DEMAND_S, END_S = 11, 85, 3600.0, 7200.0
LENGTH_M, SPEED_M_S, JAM_VEH_M, REACTION_S = 1000.0, 20.0, 0.2, 1.0
Took = tuple[float, float]  # s: search and simulation, search
ALONE = "C++, every vehicle alone"
ENGINES: dict[str, tuple[dict[str, Any], float | None]] = {
    "C++, platoons of 5": ({"cpp": True, "deltan": 5}, 20.0),
    "Python, platoons of 5": ({"cpp": False, "deltan": 5}, 200.0),
    ALONE: ({"cpp": True, "deltan": 1}, None),
}


def rows(short: bool) -> Iterator[Found]:
    """Yield one row for each engine of UXsim."""
    if find_spec("uxsim") is None:
        yield "Beside UXsim: left out, pip install stadtzwilling[bench]"
        return
    world = _world(**ENGINES[ALONE][0])
    alone_s = seconds(world.exec_simulation)
    own, arrived = _kernel(world)
    for name, (options, aim) in ENGINES.items():
        if short and name.startswith("Python"):
            continue
        if name == ALONE:
            ours, peers, there = [own() for _ in range(3)], [alone_s] * 3, _arrived(world)
        else:
            ours, peers, there = _in_turn(own, options, 1 if short or not options["cpp"] else 3)
        ours, searching = ([took[k] for took in ours] for k in (0, 1))
        found = ratio(peers, ours)
        yield Row(
            f"11 x 11 grid, {len(world.VEHICLES):,} vehicles, 2 h: UXsim {name} "
            f"(arrived: {arrived:,} here, {there:,} there)",
            f"{told(statistics.median(ours))}, {told(statistics.median(searching))} of it search",
            told(statistics.median(peers)),
            times(found),
            f"{aim:.0f}x" if aim else "",
            None if aim is None else found >= aim,
        )


def _in_turn(
    own: Callable[[], Took], options: dict[str, Any], runs: int
) -> tuple[list[Took], list[float], int]:
    """Run both in turn; return the seconds of each and how many arrived in UXsim."""
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(own())
        world = _world(**options)
        theirs.append(seconds(world.exec_simulation))
    return ours, theirs, _arrived(world)


def _arrived(world: Any) -> int:
    world.analyzer.basic_analysis()
    return int(world.analyzer.trip_completed)


def _world(**options: Any) -> Any:
    """Return UXsim's world of its benchmark for large networks, with our number of vehicles."""
    from uxsim import World

    world = World(
        name="", tmax=END_S, no_cyclic_routing=True, print_mode=0, save_mode=0, show_mode=0,
        random_seed=0, reaction_time=REACTION_S, **options,
    )  # fmt: skip
    nodes = {(i, j): world.addNode(f"n{i},{j}", i, j) for i in range(SIDE) for j in range(SIDE)}
    for a, b in _links():
        world.addLink(
            f"{a}-{b}", nodes[a], nodes[b],
            length=LENGTH_M, free_flow_speed=SPEED_M_S, jam_density=JAM_VEH_M,
        )  # fmt: skip
    sides = [((0, k), (SIDE - 1, n)) for k in range(SIDE) for n in range(SIDE)]
    sides += [((k, 0), (n, SIDE - 1)) for k in range(SIDE) for n in range(SIDE)]
    flow = (PER_PAIR + 0.01) / DEMAND_S  # a little more, so that the last platoon is full
    for a, b in sides:
        world.adddemand(nodes[b], nodes[a], 0, DEMAND_S, flow)
        world.adddemand(nodes[a], nodes[b], 0, DEMAND_S, flow)
    return world


def _links() -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of neighbouring nodes, both ways."""
    inside = range(SIDE)
    return [
        ((i, j), (i + di, j + dj))
        for i in inside
        for j in inside
        for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1))
        if i + di in inside and j + dj in inside
    ]


def _kernel(world: Any) -> tuple[Callable[[], Took], int]:
    """Return what searches routes and simulates once, and how many vehicles arrive."""
    city = _city()
    car = VehicleType(
        "car", length_m=1 / JAM_VEH_M - 1.0, gap_m=1.0, tau_s=REACTION_S,
        accel_m_s2=1e6, decel_m_s2=1e6, speed_dev=0.0,  # UXsim's start and stop at once
    )  # fmt: skip
    network, graph = Network.from_city(city, [car], jam_s=None), RoadGraph.from_city(city)
    free = TravelTimes.free(graph)
    street = {name: k for k, name in enumerate(city.streets["id"])}
    drivers = list(world.VEHICLES.values())
    ways = [[street[link.name] for link in v.traveled_route()[0].links] for v in drivers]
    due = np.array([v.departure_time_in_second for v in drivers], float)
    start, goal = np.array([w[0] for w in ways]), np.array([w[-1] for w in ways])
    n = len(ways)
    vehicles = Vehicles(
        due_s=due, kind=np.zeros(n, np.uint8),
        route_ptr=np.concatenate([[0], np.cumsum([len(w) for w in ways])]).astype(np.int64),
        route_street=np.concatenate(ways).astype(np.int32),
        factor=np.ones(n, np.float32), depart_speed_m_s=np.full(n, np.inf),
    )  # fmt: skip
    empty = initial_state(network, vehicles, end_s=END_S)
    end = round(END_S * network.arrays.tps)

    def run() -> Took:
        state = copy_state(empty)
        search_s = seconds(lambda: shortest_routes(graph, free, start, goal, due))
        took = seconds(lambda: advance(network.arrays, network.signals, state, end))
        arrived[0] = int((state.vehicle["arrive"] >= 0).sum())
        return search_s + took, search_s

    arrived = [0]
    run()
    return run, arrived[0]


def _city() -> City:
    """Return UXsim's grid: one lane a street, no signals, and nobody yields."""
    crs = pyproj.CRS.from_epsg(25832)
    pairs = _links()
    node = {(i, j): i * SIDE + j for i in range(SIDE) for j in range(SIDE)}
    start, end = (np.array([node[p[k]] for p in pairs]) for k in (0, 1))
    at = np.array(list(node), float) * LENGTH_M
    n = len(pairs)
    names = [f"{a}-{b}" for a, b in pairs]
    line = shapely.linestrings(np.stack([at[start], at[end]], axis=1))
    same: dict[str, Any] = {
        "length_m": np.full(n, LENGTH_M), "speed_m_s": np.full(n, SPEED_M_S), "geometry": line,
        **dict.fromkeys(("cars", "lorries", "buses"), np.ones(n, bool)),
    }  # fmt: skip
    street, to_street = np.nonzero(end[:, None] == start[None, :])
    m = len(street)
    tables: dict[str, Any] = {
        "junctions": {
            "id": [f"n{i},{j}" for i, j in node], "kind": ["priority"] * len(node),
            "geometry": shapely.points(at),
        },
        "streets": {
            "id": names, "from_junction": start, "to_junction": end, "osm_id": [""] * n,
            "name": [""] * n, "highway": ["residential"] * n, "lanes": np.ones(n),
            "priority": np.ones(n), **same,
        },
        "lanes": {
            "id": names, "street": np.arange(n), "index": np.zeros(n), "width_m": np.full(n, 3.2),
            **same,
        },
        "movements": {
            "lane": street, "to_lane": to_street, "street": street, "to_street": to_street,
            "junction": end[street], "index": np.arange(m), "direction": ["s"] * m,
            "signal": np.full(m, -1), "link": np.full(m, -1), "right_of_way": ["M"] * m,
            "length_m": np.zeros(m), "speed_m_s": np.full(m, SPEED_M_S), "wait_m": np.zeros(m),
            "geometry": shapely.linestrings(np.stack([at[end[street]], at[end[street]]], axis=1)),
        },
    }  # fmt: skip
    built = {name: schema.build(name, columns, crs) for name, columns in tables.items()}
    for name in schema.TABLES:
        built.setdefault(name, schema.empty(name, crs))
    return City(name="UXsim's grid", crs=crs, **built)


if __name__ == "__main__":
    command_line(__doc__, rows)
