"""Vehicle-seconds and moves per second on a large busy network, and the cost of a move by size.

A grid of signals, streets of 145 m on average; vehicles that turn at random enter all in the
first half minute and drive for two minutes before the clock starts.  A move takes one vehicle
from one street to the next; its cost holds what the signals take meanwhile, which counts where
there are few vehicles and so has a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import grids
import numpy as np
from table import Found, Row, command_line, peak_gib, seconds, told

from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import State, initial_state

SIDE, WARM_S, TIMED_S, STREETS, RUNS = 250, 120.0, 30.0, 40, 3
NUMBERS = (1_000, 10_000, 100_000, 300_000, 1_000_000)
AIM = 3e8


def rows(short: bool) -> Iterator[Found]:
    """Yield the cost of a move for each number of vehicles, and the rate at the best of them."""
    side = 50 if short else SIDE
    city = grids.city(side)
    network = Network.from_city(city)
    _, _, signals_s = _timed(network, _warm(network, 0))
    yield Row(
        f"{len(network.signals.cycle):,} signals alone, nobody on the streets: a second of theirs",
        told(signals_s / TIMED_S),
    )
    rate, about = 0.0, ""
    for number in NUMBERS[:2] if short else NUMBERS:
        state = _warm(network, number)
        inside, moves, took = _timed(network, state)
        rate = inside * TIMED_S / took
        about = f"{inside:,} vehicles inside"
        yield Row(
            f"a move, {number:,} vehicles on {side} x {side} junctions ({inside:,} inside)",
            f"{told(took / moves)}, {told(max(0.0, took - signals_s) / moves)} less the signals",
            result=f"{rate:.2g} veh·s/s, {moves / took / 1e6:.1f} M moves/s",
        )
    metres = city.streets["length_m"].mean()
    yield Row(
        f"large network: {len(city.streets):,} streets of {metres:.0f} m on average, {about}, "
        f"peak {peak_gib():.1f} GiB",
        "",
        result=f"{rate:.2g} veh·s/s",
        reach=f"{AIM:.0e} veh·s/s".replace("e+0", "e"),
        met=rate >= AIM,
    )


def _warm(network: Network, number: int) -> State:
    """Return the state after the warm-up."""
    vehicles = grids.walks(network, number, STREETS)
    state = initial_state(network, vehicles, end_s=3600.0)
    advance(network.arrays, network.signals, state, round(WARM_S * network.arrays.tps))
    return state


def _timed(network: Network, state: State) -> tuple[int, int, float]:
    """Return vehicles inside, moves, and seconds of wall: medians of periods in a row."""
    tps = network.arrays.tps
    found = []
    for k in range(RUNS):
        v, end = state.vehicle, round((WARM_S + (k + 1) * TIMED_S) * tps)
        inside = int(((v["depart"] >= 0) & (v["arrive"] < 0)).sum())
        before = int(state.clock["moves"][0])
        took = seconds(partial(advance, network.arrays, network.signals, state, end))
        found.append((inside, int(state.clock["moves"][0]) - before, took))
    inside, moves, took = np.median(np.array(found), axis=0)
    return int(inside), int(moves), float(took)


if __name__ == "__main__":
    command_line(__doc__, rows)
