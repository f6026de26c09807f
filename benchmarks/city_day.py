"""A day of a city: a million trips on a grid, and Kaiserslautern; wall time and peak memory.

Counted is the simulation on one core, from the first to the last vehicle.  Not counted is what
makes the city, the demand and the routes: on the grid each trip has a way of the fewest streets,
in Kaiserslautern the fastest of the empty city.  Each case runs in a process of its own, so that
its peak memory is that of the case with all its loading.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import grids
from table import Found, Row, command_line, of_process, peak_gib, seconds, told

from twin.city import City
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import Vehicles, initial_state

SIDE, TRIPS, BLOCKS = 100, 1_000_000, 30.0
DAY_S, CLEAR_S = 86400.0, 3600.0
OSM, SCALE, SEED = "osm/kaiserslautern.osm.gz", 0.3, 1
AIM_S, AIM_GIB = 30.0, 4.0


def rows(short: bool) -> Iterator[Found]:
    """Yield a row for each city."""
    script = Path(__file__)
    found = json.loads(of_process(script, "--one", "grid", "short" if short else "full"))
    yield _row(found, None if short else (AIM_S, AIM_GIB))
    file = data_folder() / OSM
    if not file.is_file():
        yield f"Kaiserslautern: left out, {OSM} is not in the folder STADTZWILLING_DATA"
    elif not short:
        yield _row(json.loads(of_process(script, "--one", str(file), "full")), None)


def data_folder() -> Path:
    """Return the folder of open data: the one named, or the one that tests look into."""
    named = os.environ.get("STADTZWILLING_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def _row(found: dict[str, float | str], aim: tuple[float, float] | None) -> Row:
    wall_s, gib = float(found["wall_s"]), float(found["gib"])
    return Row(
        str(found["case"]),
        told(wall_s),
        result=f"{told(wall_s)}, {gib:.1f} GiB",
        reach=f"{aim[0]:.0f} s, {aim[1]:.0f} GiB" if aim else "",
        met=wall_s <= aim[0] and gib < aim[1] if aim else None,
    )


def one(name: str, *, short: bool) -> dict[str, float | str]:
    """Return case, wall time and peak memory of one city."""
    if name == "grid":
        side, trips = (30, 20_000) if short else (SIDE, TRIPS)
        city = grids.city(side)
        network = Network.from_city(city)
        vehicles = grids.day(city, trips, mean_blocks=BLOCKS * side / SIDE)
        case = f"a day on {side} x {side} junctions"
    else:
        city = City.from_osm(name)
        network = Network.from_city(city)
        vehicles = _drawn(city, network)
        case = f"a day of Kaiserslautern, demand times {SCALE:g}"
    state = initial_state(network, vehicles, end_s=DAY_S + CLEAR_S)
    advance(network.arrays, network.signals, state, 1)  # compiles
    end = round((DAY_S + CLEAR_S) * network.arrays.tps)
    wall_s = seconds(lambda: advance(network.arrays, network.signals, state, end))
    arrived = int((state.vehicle["arrive"] >= 0).sum())
    moves, jams = int(state.clock["moves"][0]), int(state.clock["passed_jams"][0])
    case += (
        f", {len(vehicles):,} trips of {len(vehicles.route_street) / len(vehicles):.0f} streets, "
        f"{moves / 1e6:.1f} M moves, {len(vehicles) - arrived} still under way, "
        f"{jams} taken past jams"
    )
    return {"case": case, "wall_s": wall_s, "gib": peak_gib()}


def _drawn(city: City, network: Network) -> Vehicles:
    """Return the vehicles of a drawn day on the fastest ways of the empty city."""
    import numpy as np

    from twin.traffic.demand import Demand
    from twin.traffic.preparation import GRAPH_OF, vehicles_of
    from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes

    trips = Demand.generate(city, scale=SCALE).draw(SEED, 0.0, DAY_S)
    trips = trips.sort_values("depart_s", kind="stable", ignore_index=True)
    n = len(trips)
    routes = Routes(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(n))
    for kind, part in trips.groupby("vehicle_type"):
        graph = RoadGraph.from_city(city, GRAPH_OF[str(kind)])
        ends = (part[c].to_numpy() for c in ("origin", "destination", "depart_s"))
        found = shortest_routes(graph, TravelTimes.free(graph), *ends)
        routes = routes.replace(part.index.to_numpy(), found)
    with_way = routes.lengths > 0
    kept = trips[with_way].reset_index(drop=True)
    return vehicles_of(network, kept, routes.take(with_way), SEED)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.stdout.write(json.dumps(one(sys.argv[2], short=sys.argv[3] == "short")))
    else:
        command_line(__doc__, rows)
