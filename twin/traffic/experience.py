"""What drivers know of travel times after a run: what was met, and what is learned about the rest.

A mean over few vehicles is no travel time: who came to a signal alone met red or green by chance,
and a turn that nobody took has no time at all.  Both make routes look faster than they are, for a
search picks what chance made fast, and drivers who follow it are disappointed.  So the mean of an
interval is drawn toward what is known otherwise, as if that were some more vehicles (shrinkage;
Efron and Morris 1975):

    time = (sum of times met + PRIOR * known) / (vehicles + PRIOR)

What is known is the mean of the same turn in earlier runs and in the intervals beside it, where
vehicles count less the longer ago they drove; with nothing of that, the free time and the mean
wait for a green of the program for who comes at any time, the sum over reds of red^2 / 2 cycle
(Webster 1958, the part without a queue).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.traffic.network import MAJOR, MINOR, STOP_LIGHT, Network
from twin.traffic.routing import RoadGraph, TravelTimes

if TYPE_CHECKING:
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]

PRIOR = 4.0  # vehicles that what is known otherwise counts as
BASE = 0.5  # vehicles that the time of an empty city counts as in what is known
FORGET = 0.9  # what vehicles of the run before count of those of a run
BESIDE = 0.25  # what vehicles of the interval before and after count


class Experience:
    """Times that drivers of one vehicle class know, run by run.

    Parameters
    ----------
    network, graph
        The network of the runs and the graph of the class.
    """

    def __init__(self, network: Network, graph: RoadGraph) -> None:
        self.network, self.graph = network, graph
        self.turn = network.turn_of(graph.turn_from, graph.turn_to)
        self.base = _base(network, self.turn, graph)
        self._sums: list[tuple[F8, F8]] | None = None

    def copy(self) -> Experience:
        """What is known now, to go on learning from."""
        same = Experience(self.network, self.graph)
        same._sums = self._sums
        return same

    def on(self, graph: RoadGraph) -> Experience:
        """The same on a graph of the same streets with other free times."""
        other = self.copy()
        if graph is not self.graph:
            other.graph = graph
            other.base = _base(self.network, self.turn, graph)
        return other

    def learn(self, state: State) -> TravelTimes:
        """Return the times after one more run, and remember the run."""
        tps = self.network.arrays.tps
        met = [
            (state.turn_sum[:, self.turn] / tps, state.turn_count[:, self.turn].astype(float)),
            (state.exit_sum / tps, state.exit_count.astype(float)),
        ]
        if self._sums is None:
            self._sums = [(np.zeros_like(total), np.zeros_like(count)) for total, count in met]
        turn_s, exit_s = (
            _known(*now, *before, base)
            for now, before, base in zip(met, self._sums, self.base, strict=True)
        )
        self._sums = [
            (FORGET * old + total, FORGET * old_count + count)
            for (total, count), (old, old_count) in zip(met, self._sums, strict=True)
        ]
        clock = state.clock[0]
        first, length = float(clock["first"]) / tps, float(clock["length"]) / tps
        return TravelTimes(first, length, turn_s, exit_s)


def _base(network: Network, turn: npt.NDArray[Any], graph: RoadGraph) -> tuple[F8, F8]:
    """Free times with the mean wait at signals, of turns and of last streets."""
    return graph.turn_free_s + signal_waits(network)[turn], graph.exit_free_s.astype(float)


def met_times(network: Network, state: State, vehicles: I8) -> tuple[F8, F8]:
    """Return seconds from entering to arriving (NaN if not yet), and the wait to enter."""
    v, tps, now = state.vehicle[vehicles], network.arrays.tps, int(state.clock["now"][0])
    out = np.where(v["depart"] >= 0, v["depart"], now)
    done = v["arrive"] >= 0
    return (
        np.where(done, (v["arrive"] - out) / tps, np.nan),
        np.asarray((out - v["due"]) / tps, dtype=np.float64),
    )


def signal_waits(network: Network) -> F8:
    """Mean wait in s for who comes to the signal of each turn at any time, without a queue.

    A turn with several lanes takes the shortest.
    """
    sig, net = network.signals, network.arrays
    wait = np.zeros(len(net.link))
    for s in range(len(sig.phase) - 1):
        rows, first, end = slice(sig.phase[s], sig.phase[s + 1]), sig.link[s], sig.link[s + 1]
        goes = np.isin(sig.light[rows, : end - first], (MAJOR, MINOR, STOP_LIGHT))
        wait[sig.links[first:end]] = _red_waits(goes, sig.duration[rows].astype(float))
    turn_wait = np.full(len(network.turns), np.inf)
    used = net.link["turn"] >= 0
    np.minimum.at(turn_wait, net.link["turn"][used], wait[used] / net.tps)
    turn_wait[np.isinf(turn_wait)] = 0.0
    return turn_wait


def _red_waits(goes: npt.NDArray[np.bool_], duration: F8) -> F8:
    """Sum over reds of red^2 / 2 cycle, for each column of a program that repeats."""
    cycle = float(duration.sum())
    out = np.zeros(goes.shape[1])
    for column in range(goes.shape[1]):
        green = np.flatnonzero(goes[:, column])
        if not len(green):
            continue  # never green: no time of waiting helps
        end = np.cumsum(duration)
        start = end - duration
        red = np.append(start[green[1:]], start[green[0]] + cycle) - end[green]
        out[column] = float((red**2).sum()) / (2.0 * cycle)
    return out


def _known(total: F8, count: F8, old: F8, old_count: F8, base: F8) -> npt.NDArray[np.float32]:
    """Times by the formula of the module, [K, items]."""
    near, near_count = _beside(total), _beside(count)
    weight = near_count + old_count + BASE
    known = (near + old + BASE * base) / weight
    return np.asarray((total + PRIOR * known) / (count + PRIOR), dtype=np.float32)


def _beside(values: F8) -> F8:
    out = np.zeros_like(values)
    out[1:] += BESIDE * values[:-1]
    out[:-1] += BESIDE * values[1:]
    return out
