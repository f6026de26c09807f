"""Many simulations at once: moves per second for 1, 16 and 256 copies, on one and two threads.

An hour on a grid of signals, advanced and looked at every 10 s as environments do.  The time of
looking is counted.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

import grids
from table import Found, Row, command_line, seconds

from twin.city import City
from twin.traffic.batch import Batch
from twin.traffic.network import Network
from twin.traffic.state import State, initial_state

SIDE, VEHICLES, HOUR_S, STEP_S = 8, 3000, 3600.0, 10.0
COPIES, THREADS, RUNS = (1, 16, 256), (1, 2), 3


def rows(short: bool) -> Iterator[Found]:
    """Yield one row for each number of copies, with both numbers of threads."""
    city = grids.city(SIDE)
    network = Network.from_city(city)
    states = [_start(city, network, seed) for seed in range(4 if short else 16)]
    single = 0.0
    for copies in COPIES[:2] if short else COPIES:
        rates = []
        for threads in THREADS:
            chosen = [states[k % len(states)] for k in range(copies)]
            runs = 1 if short else (9 if copies == 1 else RUNS)
            rates.append(statistics.median(_rate(network, chosen, threads) for _ in range(runs)))
        single = single or rates[0]
        yield Row(
            f"{copies} at once, a grid with {VEHICLES:,} vehicles each, on 1 and on 2 threads",
            " and ".join(f"{rate / 1e6:.2g} M moves/s" for rate in rates),
            result=f"{rates[-1] / single:.2g}x one alone",
        )


def _start(city: City, network: Network, seed: int) -> State:
    vehicles = grids.day(city, VEHICLES, mean_blocks=SIDE / 2, seed=seed)
    due_s = vehicles.due_s * (0.9 * HOUR_S / vehicles.due_s.max())
    return initial_state(network, replace(vehicles, due_s=due_s), end_s=HOUR_S)


def _rate(network: Network, states: list[State], threads: int) -> float:
    """Return the moves per second of all copies together."""
    batch = Batch(network, states, threads=threads)
    batch.advance(1)
    batch.look()  # both are compiled now
    tps = network.arrays.tps

    def hour() -> None:
        for step in range(1, round(HOUR_S / STEP_S) + 1):
            batch.advance(round(step * STEP_S * tps))
            batch.look()

    took = seconds(hour)
    return float(sum(int(copy.clock["moves"][0]) for copy in batch.copies) / took)


if __name__ == "__main__":
    command_line(__doc__, rows)
