"""The kernel beside SUMO's microsimulation, on the same network, routes and signals.

Makes a grid with netgenerate and random trips, runs both several times in turn, and prints
the median of the pairwise ratios.  Loading and compiling are not in the times.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sumo

from twin.city import City
from twin.simulation import Simulation
from twin.traffic.preparation import Prepared
from twin.traffic.routing import RoadGraph, TravelTimes, shortest_routes

RUNS, VEHICLES, HOUR_S = 5, 4000, 3600.0


def _sumo(program: str, *arguments: str) -> str:
    home = Path(sumo.SUMO_HOME)
    environment = {**os.environ, "SUMO_HOME": str(home)}
    done = subprocess.run(
        [home / "bin" / program, *arguments],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.stdout


def _prepare(folder: Path) -> tuple[City, Prepared, Path, Path]:
    import pandas as pd

    from twin.traffic.network import Network

    net, routes = folder / "grid.net.xml", folder / "grid.rou.xml"
    _sumo(
        "netgenerate", "--grid", "--grid.number", "8", "--grid.length", "150",
        "--default-junction-type", "traffic_light", "--no-turnarounds", "true", "-o", str(net),
    )  # fmt: skip
    city = City.from_sumo(net)
    graph = RoadGraph.from_city(city)
    rng = np.random.default_rng(1)
    trips = pd.DataFrame(
        {
            "id": np.arange(VEHICLES),
            "origin": rng.integers(len(city.streets), size=VEHICLES),
            "destination": rng.integers(len(city.streets), size=VEHICLES),
            "depart_s": np.sort(rng.uniform(0, HOUR_S, VEHICLES)),
            "purpose": "any",
            "vehicle_type": "car",
        }
    )
    times = TravelTimes.free(graph)
    columns = (trips[name].to_numpy() for name in ("origin", "destination", "depart_s"))
    found = shortest_routes(graph, times, *columns)
    names = city.streets["id"].to_numpy()
    with routes.open("w") as file:
        file.write("<routes>\n")
        for k, depart in enumerate(trips["depart_s"]):
            edges = " ".join(names[found[k]])
            file.write(
                f'<vehicle id="{k}" depart="{depart:.2f}" departSpeed="max" departLane="best">'
                f'<route edges="{edges}"/></vehicle>\n'
            )
        file.write("</routes>\n")
    every = {name: RoadGraph.from_city(city, name) for name in ("cars", "lorries", "buses")}
    free = {name: TravelTimes.free(g) for name, g in every.items()}
    prepared = Prepared(Network.from_city(city), trips, found, every, free)
    return city, prepared, net, routes


def main() -> None:
    """Print wall times and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        city, prepared, net, routes = _prepare(Path(name))

        def ours() -> float:
            sim = Simulation(city, prepared, begin_s=0.0, end_s=HOUR_S)
            started = time.perf_counter()
            sim.clock.run(HOUR_S)
            sim.parts["traffic"].sync()  # type: ignore[attr-defined]
            return time.perf_counter() - started

        def theirs() -> float:
            told = _sumo(
                "sumo", "-n", str(net), "-r", str(routes), "-b", "0", "-e", str(HOUR_S),
                "--no-step-log", "-W", "--duration-log.statistics",
            )  # fmt: skip
            found = re.search(r"Duration: ([0-9.]+) ?s", told)  # of the simulation alone
            if found is None:
                sys.exit("SUMO did not say how long it took")
            return float(found[1])

        ours()
        pairs = [(ours(), theirs()) for _ in range(RUNS)]
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(y / x for x, y in pairs)
    sys.stdout.write(
        f"8 x 8 signals, {VEHICLES} vehicles, 1 h: kernel {a * 1000:.1f} ms, "
        f"SUMO {b * 1000:.0f} ms, ratio {ratio:.0f} (medians of {RUNS})\n"
    )


if __name__ == "__main__":
    main()
