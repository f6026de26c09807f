"""Loading: a SUMO network of 10,000 edges with 100,000 vehicles, until the first move; compiling.

Two networks of netgenerate, a grid with signals and a random net, each with trips, with vehicles
that have routes, and with flows.  Counted are City.from_sumo, read_routes, Network.from_city and
the initial state, with compiled code at hand; imports are told apart.  Compiling is that of the
kernel from an empty cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grids
import numpy as np
from table import Found, Row, command_line, of_process, told

from scenarios.validation import sumo
from twin.city import City
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import Vehicles, initial_state
from twin.traffic.sumo_routes import RouteFiles, read_routes

VEHICLES, HOUR_S, STREETS, RUNS = 100_000, 3600.0, 20, 3
NETS = {
    "grid": (
        "--grid", "--grid.number", "51", "--grid.length", "150",
        "--default-junction-type", "traffic_light",
    ),
    "random net": ("--rand", "--rand.iterations", "3300", "--seed", "3"),
}  # fmt: skip
FORMS = ("trips", "vehicles with routes", "flows")
AIM_S, AIM_GRID_S, AIM_COMPILE_S = 5.0, 3.0, 20.0


def rows(short: bool) -> Iterator[Found]:
    """Yield rows of opening files, of a grid's arrays, of importing and of compiling."""
    with tempfile.TemporaryDirectory() as name:
        for net_name, options in NETS.items():
            net = Path(name) / "made.net.xml"
            small = ("--grid", "--grid.number", "9") if short else options
            sumo.Programs().call("netgenerate", *small, "--no-turnarounds", "-o", net)
            yield from _opened(net_name, net, 1 if short else RUNS)
    city = grids.city(20 if short else 100)
    took = statistics.median(_seconds(lambda: Network.from_city(city)) for _ in range(RUNS))
    yield _row(f"Network.from_city of a grid of {len(city.streets):,} streets", took, AIM_GRID_S)
    yield from _started()


def _row(case: str, took: float, aim: float | None = None) -> Row:
    return Row(
        case, told(took), result=told(took), reach=f"{aim:.0f} s" if aim else "",
        met=took <= aim if aim else None,
    )  # fmt: skip


def _seconds(call: object) -> float:
    started = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - started


def _opened(name: str, net: Path, runs: int) -> Iterator[Row]:
    """Yield a row for each form of demand on a network."""
    city = City.from_sumo(net)
    for form, file in zip(FORMS, _demand(city, net.parent), strict=True):
        took = [_open(net, file) for _ in range(runs)]
        parts = np.median(np.array(took), axis=0)
        words = ("city", "routes", "network", "state")
        apart = ", ".join(f"{w} {told(p)}" for w, p in zip(words, parts, strict=True))
        total = statistics.median(sum(t) for t in took)
        row = _row(
            f"open a {name} of {len(city.streets):,} edges with {VEHICLES:,} as {form}",
            total, AIM_S,
        )  # fmt: skip
        yield Row(row.case, apart, "", row.result, row.reach, row.met)


def _open(net: Path, file: Path) -> list[float]:
    """Return the seconds of each stage."""
    marks = [time.perf_counter()]

    def mark() -> None:
        marks.append(time.perf_counter())

    city = City.from_sumo(net)
    mark()
    found = read_routes([file], 0.0, HOUR_S)
    mark()
    network = Network.from_city(city)
    mark()
    initial_state(network, _on_first_street(city, found), end_s=HOUR_S)
    mark()
    return np.diff(marks).tolist()


def _on_first_street(city: City, found: RouteFiles) -> Vehicles:
    """Return the vehicles of the file with their routes, or the first street of their trips."""
    number = {name: k for k, name in enumerate(city.streets["id"])}
    ways = [[number[e] for e in (v.way if v.routed else v.way[:1])] for v in found.vehicles]
    n = len(ways)
    return Vehicles(
        due_s=np.array([v.due_s for v in found.vehicles]), kind=np.zeros(n, np.uint8),
        route_ptr=np.concatenate([[0], np.cumsum([len(w) for w in ways])]).astype(np.int64),
        route_street=np.concatenate(ways).astype(np.int32), factor=np.ones(n, np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )  # fmt: skip


def _demand(city: City, folder: Path) -> Iterator[Path]:
    """Yield files of trips, of vehicles with routes, and of flows."""
    draw = np.random.default_rng(1)
    ids = city.streets["id"].to_numpy()
    network = Network.from_city(city)
    walks = grids.walks(network, VEHICLES, STREETS)
    ways = walks.route_street.reshape(-1, STREETS)
    due = np.sort(draw.uniform(0.0, HOUR_S, VEHICLES))
    ends = zip(ids[ways[:, 0]], ids[ways[:, -1]], strict=True)
    lines = [
        f'<trip id="{k}" depart="{t:.2f}" from="{a}" to="{b}"/>'
        for k, (t, (a, b)) in enumerate(zip(due, ends, strict=True))
    ]
    yield _written(folder / "trips.xml", lines)
    lines = [
        f'<vehicle id="{k}" depart="{t:.2f}"><route edges="{" ".join(ids[way])}"/></vehicle>'
        for k, (t, way) in enumerate(zip(due, ways, strict=True))
    ]
    yield _written(folder / "vehicles.xml", lines)
    lines = [
        f'<flow id="{k}" begin="0" end="{HOUR_S:g}" number="10" from="{ids[w[0]]}" '
        f'to="{ids[w[-1]]}"/>'
        for k, w in enumerate(ways[: VEHICLES // 10])
    ]
    yield _written(folder / "flows.xml", lines)


def _written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["<routes>", *lines, "</routes>", ""]), encoding="utf-8")
    return path


def _started() -> Iterator[Row]:
    """Yield rows of importing what a simulation needs, and of compiling the kernel."""
    words = "import twin.city, twin.traffic.preparation"
    took = [
        _seconds(lambda: subprocess.run([sys.executable, "-c", words], check=True))
        for _ in range(RUNS)
    ]
    yield _row("start Python and import the city and the traffic", statistics.median(took))
    with tempfile.TemporaryDirectory() as cache:
        environment = {"NUMBA_CACHE_DIR": cache}
        cold, warm = (
            float(of_process(Path(__file__), "--first", environment=environment)) for _ in (0, 1)
        )
    yield _row("compile the kernel, empty cache: the first call", cold, AIM_COMPILE_S)
    yield _row("the first call with the cache there", warm)


def first_call() -> float:
    """Return the seconds of the first state and the first call of the kernel."""
    city = grids.city(3)
    network = Network.from_city(city)
    vehicles = grids.walks(network, 10, 3)

    def call() -> None:
        state = initial_state(network, vehicles, end_s=60.0)
        advance(network.arrays, network.signals, state, 10)

    return _seconds(call)


if __name__ == "__main__":
    if sys.argv[1:] == ["--first"]:
        sys.stdout.write(repr(first_call()))
    else:
        command_line(__doc__, rows)
