"""The kernel beside SUMO, micro and meso, on maps of RESCO: same routes, programs and period.

SUMO's time is that of its simulation alone, as it tells it: routes are read before
(--route-steps 0), nothing is written.  The kernel's is that of one call for the whole hour on a
state that was made before.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from table import Found, Row, command_line, in_turn, ratio, seconds, times, told

from scenarios.validation import cases, kernel, routes, sumo
from twin.city import City
from twin.errors import InputError
from twin.traffic.kernel import advance
from twin.traffic.peer import load_flow
from twin.traffic.state import copy_state
from twin.traffic.sumo_routes import read_routes

MAPS = ("cologne8", "grid4x4", "ingolstadt21")
MODES = {
    "micro": ((), 200.0),
    "meso": (("--mesosim",), 40.0),
    "meso with signals": (("--mesosim", "--meso-junction-control"), None),
}
RUNS, SEED = 5, 1


def rows(short: bool) -> Iterator[Found]:
    """Yield one row for each map and mode of SUMO."""
    for name in MAPS[:1] if short else MAPS:
        try:
            case = cases.find([name], None)[0]
        except InputError as error:
            yield f"Beside SUMO: left out, {error}"
            return
        with tempfile.TemporaryDirectory() as folder:
            yield from _of(case, Path(folder), 2 if short else RUNS)


def _of(case: cases.Case, folder: Path, runs: int) -> Iterator[Row]:
    from twin.cache import Cache

    programs = sumo.Programs()
    demand = case.demand(programs, Cache(folder / "cache"))
    city = kernel.city_of(demand.net)
    routes.fix(demand, city, programs, folder)
    place = sumo.Place(demand.net, folder / "routes.rou.xml", demand.begin_s, demand.end_s)
    own = _kernel(city, place)
    theirs = [partial(_sumo, place, options) for options, _ in MODES.values()]
    ours, *peers = in_turn([own, *theirs], runs)
    vehicles = len(read_routes([place.routes], place.begin_s, place.end_s).vehicles)
    for (mode, (_, aim)), peer_s in zip(MODES.items(), peers, strict=True):
        found = ratio(peer_s, ours)
        yield Row(
            f"{case.name}, 1 h, {vehicles:,} vehicles: SUMO {mode}",
            told(statistics.median(ours)),
            told(statistics.median(peer_s)),
            times(found),
            f"{aim:.0f}x" if aim else "",
            None if aim is None else found >= aim,
        )


def _kernel(city: City, place: sumo.Place) -> Callable[[], float]:
    """Return what simulates the period once, and tells how long that took."""
    found = read_routes([place.routes], place.begin_s, place.end_s, SEED)
    flow = load_flow(city, found, SEED, place.net, begin_s=place.begin_s, end_s=place.end_s)
    network, start = flow.network, flow.state
    end = round(place.end_s * network.arrays.tps)

    def run() -> float:
        state = copy_state(start)
        return seconds(lambda: advance(network.arrays, network.signals, state, end))

    return run


def _sumo(place: sumo.Place, options: tuple[str, ...]) -> float:
    """Run SUMO once, on one thread; return the seconds of its simulation."""
    command = [
        sumo.home() / "bin" / "sumo", "-n", place.net, "-r", place.routes,
        "-b", f"{place.begin_s:g}", "-e", f"{place.end_s:g}", "--seed", str(SEED),
        "--route-steps", "0", "--time-to-teleport", "-1", "--threads", "1",
        "--no-step-log", "--no-warnings", "--verbose", *options,
    ]  # fmt: skip
    environment = {**os.environ, "SUMO_HOME": str(sumo.home())}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    # its "Duration" has two digits only; the factor is reckoned from the milliseconds
    factor = re.search(r"Real time factor: ([0-9.]+)", done.stdout)
    if factor is None:
        msg = "SUMO did not say how long it took"
        raise RuntimeError(msg)
    return (place.end_s - place.begin_s) / float(factor[1])


if __name__ == "__main__":
    command_line(__doc__, rows)
