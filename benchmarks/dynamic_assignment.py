"""Gap of the dynamic assignment by iteration, and what single drivers really gain by changing.

    python benchmarks/dynamic_assignment.py kaiserslautern.osm.gz --scale 0.3 1 --deviations 60

A deviation is the test of equilibrium itself: one driver alone takes the route that the times of
the last run call fastest, all others keep theirs, everything is simulated anew, and the driver's
own time is compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from table import Found, Row, command_line, told

from twin.city import City
from twin.traffic.demand import Demand
from twin.traffic.kernel import advance
from twin.traffic.preparation import CLEAR_S, Prepared, prepare, vehicles_of
from twin.traffic.routing import Routes, shortest_routes
from twin.traffic.state import initial_state

BEGIN_S, END_S, SEED = 6.5 * 3600.0, 9.0 * 3600.0, 1


def main() -> None:
    """Print one block for each scale of demand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="a source of a city, or a saved city")
    parser.add_argument("--scale", type=float, nargs="+", default=[0.3, 1.0])
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--gap", type=float, default=0.01)
    parser.add_argument("--route-choice", default="equilibrium")
    parser.add_argument("--deviations", type=int, default=0, help="drivers that try another route")
    given = parser.parse_args()
    try:
        city = City.load(given.source)
    except Exception:  # noqa: BLE001 - not a saved city
        city = City.from_osm(given.source)
    demand = Demand.generate(city)
    for scale in given.scale:
        start = time.perf_counter()
        prepared = prepare(
            city,
            demand.scaled(scale),
            seed=SEED,
            begin_s=BEGIN_S,
            end_s=END_S,
            iterations=given.iterations,
            gap=given.gap,
            route_choice=given.route_choice,
        )
        seconds = time.perf_counter() - start
        gaps = prepared.gaps
        print(  # noqa: T201
            f"scale {scale}: {len(prepared.trips)} vehicles, gap {min(gaps):.4f} at iteration "
            f"{int(np.argmin(gaps)) + 1} of {len(gaps)}, {seconds:.0f} s; by iteration "
            + " ".join(f"{gap:.4f}" for gap in gaps)
        )
        if given.deviations:
            print(deviations(prepared, given.deviations))  # noqa: T201


def rows(short: bool) -> Iterator[Found]:
    """Yield the time and the gap on central Helsinki, for the table of all benchmarks."""
    city = City.from_osm("helsinki")
    demand = Demand.generate(city, scale=0.3)
    window = {"begin_s": 7 * 3600.0, "end_s": (7.5 if short else 8) * 3600.0}
    start = time.perf_counter()
    prepared = prepare(city, demand, seed=SEED, iterations=2 if short else 10, gap=0.0, **window)
    seconds = time.perf_counter() - start
    gaps = prepared.gaps
    yield Row(
        f"dynamic equilibrium, central Helsinki, {len(prepared.trips):,} vehicles, 1 h",
        told(seconds),
        result=f"gap {min(gaps):.3f}, {len(gaps)} iterations of {told(seconds / len(gaps))}",
    )


def deviations(prepared: Prepared, count: int) -> str:
    """Return what a random sample of cars gains by taking its fastest route, each alone."""
    trips = prepared.trips
    cars = np.flatnonzero((trips["vehicle_type"] == "car").to_numpy())
    where = (trips[name].to_numpy()[cars] for name in ("origin", "destination", "depart_s"))
    best = shortest_routes(*prepared.graph_and_times("car"), *where)
    base = durations(prepared, prepared.routes)
    drawn = np.sort(np.random.default_rng(SEED).choice(len(cars), count, replace=False))
    gains = np.zeros(count)
    for k, car in enumerate(drawn):
        if best.take(np.array([car])).same(prepared.routes.take(cars[[car]]))[0]:
            continue
        routes = prepared.routes.replace(cars[[car]], best.take(np.array([car])))
        gains[k] = base[cars[car]] - durations(prepared, routes)[cars[car]]
    mean_s, error_s = gains.mean(), gains.std(ddof=1) / np.sqrt(count)
    share = mean_s / np.nanmean(base[cars[drawn]])
    return (
        f"  {count} drivers, each alone on the route that the times call fastest, gain "
        f"{mean_s:.2f} s on average (standard error {error_s:.2f}), {100 * share:.2f} % of the time"
    )


def durations(prepared: Prepared, routes: Routes) -> Any:
    """Seconds from being due to arriving, of all vehicles."""
    network = prepared.network
    vehicles = vehicles_of(network, prepared.trips, routes, SEED, prepared.stops)
    state = initial_state(network, vehicles, begin_s=BEGIN_S, end_s=END_S + CLEAR_S)
    tps = network.arrays.tps
    advance(network.arrays, network.signals, state, round((END_S + CLEAR_S) * tps))
    arrive, due = state.vehicle["arrive"], state.vehicle["due"]
    return np.where(arrive >= 0, (arrive - due) / tps, np.nan)


if __name__ == "__main__":
    if "--json" in sys.argv[1:]:
        command_line(__doc__, rows)
    else:
        main()
