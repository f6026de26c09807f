"""How fast vehicle moves could be if they did nothing but touch the memory that they need.

Runs traffic on a large grid for a minute, then measures the kernel over the next seconds.  On
a copy of the same state it goes tick by tick, and notes from the places of vehicles who moved
from where to where.  What is noted is then only touched, in the same order: of each move the
lanes, links, slots, vehicle and way, not what lights, gaps and waiting cost.  Once as it
comes, where the processor overlaps what it can; once with every place asked for some moves
ahead, which is as much as a program can do that knows all places beforehand.

    python benchmarks/memory_floor.py --side 250 --vehicles 1000000
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from large_grid import grid_network, wandering
from numba import njit

from twin.compiling import prefetch
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.records import LINE, State
from twin.traffic.state import copy_state, initial_state

BEGIN_S, AHEAD, REPEATS = 60.0, 16, 5
I8 = npt.NDArray[np.int64]


def moves_of(network: Network, state: State, ticks: int) -> I8:
    """[moves, 10] what each move of the next ticks touches, in the order of ticks and lanes."""
    net, now = network.arrays, int(state.clock["now"][0])
    found = []
    place = state.vehicle["place"].copy()
    for tick in range(now + 1, now + ticks + 1):
        advance(net, network.signals, state, tick)
        after = state.vehicle["place"]
        v = np.flatnonzero((after != place) & (after >= 0) & (place >= 0))
        v = v[np.argsort(place[v], kind="stable")]
        old, new = state.lane[place[v]], state.lane[after[v]]
        head = old["ring"] + (old["tail"] + old["gone"] - 1) % old["size"]
        follower = old["ring"] + (old["tail"] + old["gone"]) % old["size"]
        last = (new["tail"] + new["gone"] + new["inside"] - 1) % new["size"]
        sure = state.slot["vehicle"][head] == v  # else its place has come free already
        rows = (
            place[v], head, follower, state.slot["link"][head], v,
            state.vehicle["route_at"][v] + 1, after[v], new["link"],
            new["ring"] + new["tail"], new["ring"] + last,
        )  # fmt: skip
        found.append(np.stack(rows, 1)[sure])
        place = after.copy()
    return np.concatenate(found).astype(np.int64)


@njit(nogil=True)
def _touch(
    moves: Any, lane: Any, slot: Any, link: Any, vehicle: Any, way: Any, street: Any, ahead: int
) -> int:
    """Read or change one number in every place; `ahead` is 0 where nothing is asked for."""
    seen = 0
    for k in range(len(moves)):
        if 0 < ahead < len(moves) - k:
            row = moves[k + ahead]
            for j in (0, 6):
                prefetch(lane, 16 * row[j])
            for j in (1, 2, 8, 9):
                prefetch(slot, 4 * row[j])
            prefetch(link, 16 * row[3])
            prefetch(vehicle, 16 * row[4])
            prefetch(way, row[5])
            prefetch(street, row[7])
        row = moves[k]
        lane[16 * row[0]] += 1
        slot[4 * row[1] + 1] += 1
        seen += slot[4 * row[2] + 1]
        link[16 * row[3] + 1] += 1
        vehicle[16 * row[4] + 5] += 1
        seen += way[row[5]]
        lane[16 * row[6]] += 1
        seen += street[row[7]]
        seen += slot[4 * row[8] + 1]
        slot[4 * row[9]] = k
    return seen


def floor_ns(network: Network, state: State, moves: I8, ahead: int) -> float:
    """Nanoseconds a move of the program that only touches; the least of some repeats."""
    numbers = [
        a.view(np.int32).reshape(-1)
        for a in (state.lane, state.slot, state.link, state.vehicle, state.route_street)
    ]
    numbers.append(network.arrays.link_street)
    _touch(moves[:10], *numbers, ahead)
    spent = []
    for _ in range(REPEATS):
        start = time.thread_time()
        _touch(moves, *numbers, ahead)
        spent.append(time.thread_time() - start)
    return 1e9 * min(spent) / len(moves)


def main() -> None:
    """Measure the kernel and its floor on one state, and print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--side", type=int, default=250, help="crossings along a side")
    parser.add_argument("--vehicles", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="simulated, to be measured")
    given = parser.parse_args()
    network = grid_network(given.side)
    tps = network.arrays.tps
    state = initial_state(network, wandering(network, given.vehicles), end_s=3600.0)
    advance(network.arrays, network.signals, state, round(BEGIN_S * tps))
    ticks = round(given.seconds * tps)
    spent, inside, count = [], 0.0, 0
    for _ in range(REPEATS):
        run = copy_state(state)
        start = time.thread_time()
        advance(network.arrays, network.signals, run, round(BEGIN_S * tps) + ticks)
        spent.append(time.thread_time() - start)
        count = int(run.clock["moves"][0] - state.clock["moves"][0])
        inside = int(state.lane["inside"].sum() + run.lane["inside"].sum()) / 2
    vehicle_s = inside * given.seconds
    moves = moves_of(network, state, ticks)
    seconds = min(spent)
    lines = [
        f"{network.n_streets} streets, {int(inside)} vehicles inside, {count} moves",
        f"kernel: {1e9 * seconds / count:.0f} ns a move, {count / seconds:.3g} moves/s, "
        f"{vehicle_s / seconds:.3g} vehicle-seconds/s",
        f"memory of {len(moves)} moves, {moves.shape[1]} places of {LINE} bytes a move:",
    ]
    for name, ahead in (("as it comes", 0), (f"asked for {AHEAD} moves ahead", AHEAD)):
        lines.append(f"  {name}: {floor_ns(network, state, moves, ahead):.0f} ns a move")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
