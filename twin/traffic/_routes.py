"""Times over streets and turns, and routes: what a route search reads and returns.

Both are public in `twin.traffic.routing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import SimulationError

if TYPE_CHECKING:
    from twin.traffic.routing import RoadGraph

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Integers32 = NDArray[np.int32]
Integers64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TravelTimes:
    """Times over turns and streets by interval of entry.

    Parameters
    ----------
    begin_s : start of the first interval, s
    interval_s : length of an interval, s
    turn_s : float32 [K, turns], from entering the from-street to entering the to-street, s
    exit_s : float32 [K, streets], from entering a street to its end, s

    Entries before the first interval take the first one's times, entries after the last the last's.

    Raises
    ------
    SimulationError : shapes disagree, the interval is not positive, or a time is negative or NaN
    """

    begin_s: float
    interval_s: float
    turn_s: Floats32
    exit_s: Floats32

    def __post_init__(self) -> None:
        if not self.interval_s > 0.0:
            msg = f"interval_s(={self.interval_s}) of travel times must be > 0."
            raise SimulationError(msg)
        if self.turn_s.ndim != 2 or self.exit_s.ndim != 2 or len(self.turn_s) != len(self.exit_s):
            msg = f"travel times of shapes {self.turn_s.shape} and {self.exit_s.shape} disagree."
            raise SimulationError(msg)
        for name, values in (("turn_s", self.turn_s), ("exit_s", self.exit_s)):
            if not bool(np.all(values >= 0.0)):
                msg = f"{name} of travel times holds a negative or undefined time."
                raise SimulationError(msg)

    @property
    def n_intervals(self) -> int:
        """Number of intervals K."""
        return len(self.turn_s)

    @classmethod
    def free(
        cls,
        graph: RoadGraph,
        begin_s: float = 0.0,
        interval_s: float = 86400.0,
        n_intervals: int = 1,
    ) -> TravelTimes:
        """Return the times of an empty city, the same in every interval."""
        return cls(
            begin_s=begin_s,
            interval_s=interval_s,
            turn_s=np.tile(graph.turn_free_s, (n_intervals, 1)),
            exit_s=np.tile(graph.exit_free_s, (n_intervals, 1)),
        )

    def interval(self, time_s: NDArray[Any]) -> Integers64:
        """Return the interval of each time, clamped to 0..K-1."""
        position = np.floor((np.asarray(time_s) - self.begin_s) / self.interval_s)
        return np.clip(position, 0, self.n_intervals - 1).astype(np.int64)

    def arrival_functions(self) -> tuple[Floats32, Floats32]:
        """Return turn and exit times at the start of each interval, lowered to be FIFO."""
        from twin.traffic import _search

        return (
            _search.lower_to_fifo(self.turn_s, self.interval_s),
            _search.lower_to_fifo(self.exit_s, self.interval_s),
        )


@dataclass(frozen=True, eq=False)
class Routes:
    """Routes of trips: sequences of streets, origin and destination included.

    Parameters
    ----------
    ptr : int64 [trips + 1], the route of trip i is street[ptr[i]:ptr[i + 1]]; empty where there is
        no route
    street : int32, streets in order of travel
    cost_s : float64 [trips], time from departure to the end of the last street, inf without route
    """

    ptr: Integers64
    street: Integers32
    cost_s: Floats

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __getitem__(self, index: int) -> Integers32:
        return self.street[self.ptr[index] : self.ptr[index + 1]]

    @property
    def lengths(self) -> Integers64:
        """Number of streets of each route."""
        return np.diff(self.ptr)

    def take(self, index: NDArray[Any]) -> Routes:
        """Return the routes of the given trips, in that order."""
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        ptr = offsets(self.lengths[index])
        return Routes(ptr, self.street[_ranges(self.ptr[:-1][index], ptr)], self.cost_s[index])

    def replace(self, index: NDArray[Any], other: Routes) -> Routes:
        """Return these routes with those at `index` replaced by the routes of `other`, in order.

        Raises
        ------
        SimulationError : numbers of positions and routes differ
        """
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        if len(index) != len(other):
            msg = f"{len(other)} routes cannot replace {len(index)}; give one for each position."
            raise SimulationError(msg)
        source = np.arange(len(self), dtype=np.int64)
        source[index] = len(self) + np.arange(len(other), dtype=np.int64)
        both = Routes(
            np.concatenate([self.ptr, self.ptr[-1] + other.ptr[1:]]),
            np.concatenate([self.street, other.street]),
            np.concatenate([self.cost_s, other.cost_s]),
        )
        return both.take(source)

    def same(self, other: Routes) -> Bools:
        """Return for which trips both hold the same streets."""
        equal = self.lengths == other.lengths
        index = np.flatnonzero(equal)
        one, two = self.take(index), other.take(index)
        differs = np.zeros(len(self), dtype=bool)
        row = np.repeat(index, one.lengths)
        differs[row[one.street != two.street]] = True
        return np.asarray(equal & ~differs)

    def validate(self, graph: RoadGraph) -> None:
        """Check that each street follows from the one before by a turn.

        Raises
        ------
        SimulationError : a street is out of range, or two in a row have no turn between them
        """
        if len(self.street) and not 0 <= self.street.min() <= self.street.max() < graph.n_streets:
            msg = f"routes hold a street outside 0..{graph.n_streets - 1}."
            raise SimulationError(msg)
        inside = np.ones(max(len(self.street) - 1, 0), dtype=bool)
        ends = self.ptr[1:-1] - 1
        inside[ends[(ends >= 0) & (ends < len(inside))]] = False
        step = np.flatnonzero(inside)
        bad = step[graph.turn(self.street[step], self.street[step + 1]) < 0]
        if len(bad):
            trip = int(np.searchsorted(self.ptr, bad[0], side="right")) - 1
            msg = (
                f"route of trip {trip} turns from street {self.street[bad[0]]} into "
                f"{self.street[bad[0] + 1]}, which {graph.vehicle_class} may not."
            )
            raise SimulationError(msg)


def offsets(lengths: Integers64) -> Integers64:
    """Return where each of consecutive parts of given lengths starts, and where the last ends."""
    ptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ptr[1:])
    return ptr


def _ranges(start: Integers64, ptr: Integers64) -> Integers64:
    """Return start[i] + 0..n[i]-1 for all i, one after the other, with n the steps of `ptr`."""
    return np.repeat(start - ptr[:-1], np.diff(ptr)) + np.arange(ptr[-1], dtype=np.int64)
