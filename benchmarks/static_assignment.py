"""Time static user equilibrium on grids with tolls, steep links and zones on connectors.

Run as `python benchmarks/static_assignment.py`; `--largest` adds 41,024 links, 1,500 zones and
some minutes. The tables of docs/assignment.md come from it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from table import Found, Row, command_line, told

from twin.traffic.static import Demand, LinkNetwork, assign

CASES = [(30, 150, 60_000.0), (30, 387, 300_000.0), (60, 400, 150_000.0)]
LARGEST = (98, 1500, 600_000.0)
GAPS = (1e-4, 1e-6)
FACTORS = {"toll_factor": 0.02, "distance_factor": 0.04}


def grid(side: int, zones: int, trips: float) -> tuple[LinkNetwork, Demand]:
    """Return a grid of side × side nodes and its demand, by fixed random numbers."""
    draw = np.random.default_rng(1)
    node = np.arange(side * side).reshape(side, side) + zones + 1
    a = np.concatenate((node[:, :-1].ravel(), node[:-1].ravel()))
    b = np.concatenate((node[:, 1:].ravel(), node[1:].ravel()))
    zone = np.arange(1, zones + 1)
    at = draw.choice(node.ravel(), zones, replace=False)
    m, k = 2 * len(a), 2 * zones
    length = draw.uniform(0.2, 1.0, m)
    columns = [
        (draw.choice([600.0, 1200.0, 2400.0, 4000.0], m), 999_999.0),
        (length, 0.0),
        (length / draw.choice([0.5, 0.8, 1.2], m), 0.0),
        (draw.choice([0.0, 0.15, 0.5, 1.0], m, p=[0.1, 0.6, 0.2, 0.1]), 0.0),
        (draw.choice([1.0, 2.0, 4.0, 5.6, 16.8], m, p=[0.1, 0.08, 0.7, 0.1, 0.02]), 0.0),
        (np.where(draw.random(m) < 0.05, draw.uniform(20.0, 100.0, m), 0.0), 0.0),
    ]
    values = [np.concatenate((inner, np.full(k, outer))) for inner, outer in columns]
    tail = np.concatenate((a, b, zone, at)).astype(np.int32)
    head = np.concatenate((b, a, at, zone)).astype(np.int32)
    net = LinkNetwork(zones, zones + side * side, zones + 1, tail, head, *values)
    origin, destination = ((x.ravel() + 1).astype(np.int32) for x in np.indices((zones, zones)))
    volume = draw.gamma(0.5, 1.0, zones * zones) * (draw.random(zones * zones) < 0.6)
    return net, Demand(origin, destination, volume * trips / volume.sum())


def rows(short: bool) -> Iterator[Found]:
    """Yield the seconds to each gap of the smallest case, for the table of all benchmarks."""
    net, demand = grid(*CASES[0])
    for gap in GAPS[:1] if short else GAPS:
        done = assign(net, demand, gap=gap, **FACTORS)
        yield Row(
            f"static equilibrium, {len(net.tail):,} links, {net.n_zones} zones, gap {gap:.0e}",
            told(done.seconds),
            result=f"gap {done.gap:.1e} after {done.iterations} rounds",
        )


def main() -> None:
    """Print links, zones, pairs, and seconds to each gap."""
    largest = "--largest" in sys.argv[1:]
    for case in [*CASES, *([LARGEST] if largest else [])]:
        net, demand = grid(*case)
        pairs = np.count_nonzero((demand.volume > 0) & (demand.origin != demand.destination))
        say(f"{len(net.tail)} links, {net.n_zones} zones, {pairs} pairs")
        for gap in GAPS if case != LARGEST else GAPS[:1]:
            done = assign(net, demand, gap=gap, **FACTORS)
            slower = done.total_time / float(done.flow @ net.free_flow_time)
            say(
                f"  gap {done.gap:.1e} after {done.iterations} rounds and {done.seconds:.1f} s;"
                f" times {slower:.2f} of free flow, {done.paths} paths"
            )


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if "--json" in sys.argv[1:]:
        command_line(__doc__, rows)
    else:
        main()
