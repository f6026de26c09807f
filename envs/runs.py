"""Episodes of a task, many at once: what every signal environment steps.

One compiled call serves what was asked for, simulates, reads the detectors, and writes
observations and rewards of all copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from envs import actions, observation, rewards
from envs.task import SignalTask
from twin.errors import SimulationError
from twin.random import Stream
from twin.traffic.batch import Batch, copy_of
from twin.traffic.compiling import compiled, inlined
from twin.traffic.detection import waiting_s
from twin.traffic.junctions import Junctions
from twin.traffic.signals import Play, SignalControl, play_copy, watch_copy

if TYPE_CHECKING:
    import pandas as pd

    from envs.scenes import Start
    from twin.traffic.signals import View

F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Seen(NamedTuple):
    """What agents get; [copies, junctions, ...]."""

    row: F4  # [.., size] observations
    term: F8  # [.., terms] of `envs.rewards`
    before: F8  # [..] sums of waiting times at the last step
    dead: npt.NDArray[np.uint8]  # [.., lanes] whose detector reads 0
    seed: I8  # [copies] of noise


class Stepping(NamedTuple):
    """What the compiled call needs beside the copies."""

    play: Play
    shape: observation.Shape
    layout: observation.Layout
    seen: Seen
    noise: float


@inlined
def _mixed(number: Any) -> Any:
    """A number that looks drawn (splitmix64's finalizer, Steele et al. 2014)."""
    z = number + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def _about_one(key: Any, noise: float) -> float:
    """1 with a normal error (sum of four draws), not below 0."""
    total = 0.0
    for part in range(4):
        drawn = _mixed(key ^ _mixed(np.uint64(part + 1)))
        total += float(drawn >> np.uint64(11)) / 9007199254740992.0 - 0.5
    return float(max(0.0, 1.0 + noise * total * 1.7320508))


@compiled
def blind(shape: Any, read: Any, seen: Any, noise: float, t: int, k: int) -> None:
    """Let detectors err: those that are dead read nothing, the others with noise."""
    for j in range(shape.lane.shape[0]):
        for a in range(shape.lane.shape[1]):
            if shape.lane[j, a] < 0:
                continue
            factor = 1.0
            if noise > 0.0:
                key = _mixed(np.uint64(seen.seed[k])) ^ _mixed(np.uint64(t))
                factor = _about_one(key ^ _mixed(np.uint64(j * 1000 + a)), noise)
            if seen.dead[k, j, a]:
                factor = 0.0
                read.longest_s[k, j, a] = 0.0
                read.speed[k, j, a] = 1.0
            if factor == 1.0:
                continue
            read.standing[k, j, a] *= factor
            read.moving[k, j, a] *= factor
            read.waiting_s[k, j, a] *= factor
            for m in range(shape.link.shape[1]):
                if shape.link_lane[j, m] == a:
                    read.link_standing[k, j, m] *= factor
                    read.link_moving[k, j, m] *= factor


@compiled
def report(t: int, p: Any, k: int) -> None:
    """Write rewards from what is true, and observations from what detectors say."""
    read, seen = p.play.read, p.seen
    rewards.fill(p.shape, read, seen.before, seen.term, np.int64(k))
    blind(p.shape, read, seen, p.noise, np.int64(t), np.int64(k))
    observation.fill(p.shape, read, p.play.orders, p.layout, seen.row, np.int64(k))


@compiled
def _step(net: Any, sig: Any, flat: Any, p: Any, first: int, end: int) -> None:
    for k in range(first, end):
        st = copy_of(flat, k)
        play_copy(net, sig, st, p.play, np.int64(k))
        report(np.int64(st.clock[0].now), p, np.int64(k))


@compiled
def _watch(net: Any, sig: Any, flat: Any, p: Any, first: int, end: int) -> None:
    for k in range(first, end):
        st = copy_of(flat, k)
        watch_copy(net, sig, st, p.play, np.int64(k))
        report(np.int64(st.clock[0].now), p, np.int64(k))


class Runs:
    """Copies of a task's simulation.

    Parameters
    ----------
    task
        What is decided, seen and rewarded.
    copies
        How many.
    junction
        Position of the only junction to control, the others keep their programs; all of them
        unless given.
    controlled
        Whether signals are taken over; else their programs go on, whatever is asked for.
    threads
        Threads that share the copies; one for each core at hand unless given.

    Attributes
    ----------
    control
        The signals.
    row
        [copies, junctions, size] observations.
    reward
        [copies, junctions] of the last step.

    Raises
    ------
    SimulationError
        Where no signal can be controlled, or the junction is not there.
    """

    def __init__(
        self,
        task: SignalTask,
        copies: int = 1,
        *,
        junction: int | None = None,
        controlled: bool = True,
        threads: int | None = None,
    ) -> None:
        if copies < 1:
            msg = f"{copies} copies of the simulation: give at least 1"
            raise SimulationError(msg)
        self.task, self.network = task, task.scene.network
        every = Junctions.of(self.network)
        try:
            observation.check(every)
        except SimulationError as error:
            msg = f"{task.scene.name}: {error}"
            raise SimulationError(msg) from None
        n = len(every)
        if junction is not None and not 0 <= junction < n:
            msg = f"junction(={junction}) must be from 0 to {n - 1}"
            raise SimulationError(msg)
        self.junctions = every if junction is None else every.take(junction)
        self._copies, self._threads, self._controlled = copies, threads, controlled
        self._weights = None if callable(task.reward) else rewards.weights(task.reward)
        self._starts: list[Start] = []
        self._made = False

    def __len__(self) -> int:
        return self._copies

    def _make(self, starts: Sequence[Start]) -> None:
        """Make the copies, with the first episode's states."""
        task, n = self.task, len(self)
        threads = 1 if n == 1 else self._threads
        batch = Batch(self.network, [s.state for s in starts], threads=threads)
        self.control = SignalControl(
            batch, task.rules, junctions=self.junctions, detector_m=float(task.detector_m or 0.0)
        )
        view = self.control.view
        layout, junctions = task.layout, len(self.junctions)
        lanes = self.junctions.lane.shape[1]
        self._stepping = Stepping(
            self.control.play,
            observation.shape_of(self.junctions, view.sensors),
            layout,
            Seen(
                np.zeros((n, junctions, layout.size), np.float32),
                np.zeros((n, junctions, len(rewards.TERMS))),
                np.zeros((n, junctions)),
                np.zeros((n, junctions, lanes), np.uint8),
                np.zeros(n, np.int64),
            ),
            float(task.noise),
        )
        tps = self.network.arrays.tps
        self._end = round(task.scene.end_s * tps)
        self._step_ticks = round(task.every_s * tps)
        self._starts = list(starts)
        self.reward = np.zeros((n, junctions))
        self._totals = np.zeros((n, 3))
        self._made = True

    def reset(self, seeds: Sequence[int], which: Sequence[int] | None = None) -> None:
        """Begin episodes of these seeds in all copies, or in those named.

        Parameters
        ----------
        seeds
            One for each copy that begins anew.
        which
            Positions of those copies; all unless given.
        """
        copies = range(len(self)) if which is None else which
        self._load(copies, seeds, [self._start(seed) for seed in seeds])
        view = self.control.look()
        for k in copies:
            report(np.int64(view.batch.now[k]), self._stepping, np.int64(k))

    def _start(self, seed: int) -> Start:
        return self.task.scene.start(self.task.day(seed))

    def _load(
        self, copies: Sequence[int], seeds: Sequence[int], starts: Sequence[Start]
    ) -> None:
        """Put starts into copies, and forget what was there."""
        if not self._made:
            self._make(starts)
        seen = self._stepping.seen
        for k, seed, start in zip(copies, seeds, starts, strict=True):
            self.control.load(k, start.state, start.free, controlled=self._controlled)
            self._starts[k] = start
            lanes = seen.dead[k]
            draw = Stream(seed, "detectors").uniform(np.arange(lanes.size))
            seen.dead[k] = (draw < self.task.failed).reshape(lanes.shape)
            seen.seed[k], seen.before[k], self._totals[k] = seed, 0.0, 0.0
        self._stepping = self._stepping._replace(play=self.control.play)

    def step(self, action: npt.NDArray[Any]) -> None:
        """Ask for [copies, junctions] actions, and let a step pass in every copy."""
        task, control = self.task, self.control
        play = control.play
        np.minimum(control.batch.now + self._step_ticks, self._end, out=play.until)
        if self._controlled:
            actions.ask(task.action, control, action, task.cycle_s)
            control.batch.share(_step, self._stepping)
        else:
            control.batch.share(_watch, self._stepping)
        self._sum_up()

    def _sum_up(self) -> None:
        """Add the step to the sums, and weigh the reward."""
        read = self.control.play.read
        sums = (read.delay_s.sum(axis=1), read.stops.sum(axis=1), read.co2_g.sum(axis=1))
        self._totals += np.stack(sums, axis=1)
        if self._weights is not None:
            self.reward = self._stepping.seen.term @ self._weights
        else:
            self.reward = self._called(self.control.view)

    def _called(self, view: View) -> F8:
        reward: Any = self.task.reward
        found = np.asarray(reward(view), np.float64)
        shape = (len(self), len(self.junctions))
        if found.shape != shape or not np.isfinite(found).all():
            msg = (
                f"the reward function gave {found.dtype} of shape {found.shape}; "
                f"copies and junctions are {shape}, rewards finite numbers"
            )
            raise SimulationError(msg)
        return found

    @property
    def row(self) -> F4:
        """[copies, junctions, size] observations."""
        return self._stepping.seen.row

    @property
    def served(self) -> I8:
        """[copies, junctions] phases that hold or are being changed to."""
        return self.control.play.orders.phase

    @property
    def mask(self) -> Bools:
        """[copies, junctions, choices] what would be served now."""
        orders = self.control.play.orders
        return actions.mask_of(self.task.action, orders.allowed, orders.phase)

    @property
    def done(self) -> Bools:
        """[copies] whether the window is over."""
        return np.asarray(self.control.batch.now >= self._end)

    @property
    def now_s(self) -> F8:
        """[copies] seconds of the clock."""
        return self.control.view.now_s

    def delay_s(self, k: int) -> float:
        """Delay of all trips of a copy since the begin of its episode, s."""
        return float(self._totals[k, 0])

    def delay_per_trip_s(self, k: int) -> float:
        """Mean of that over the trips that were due, never inserted ones included."""
        return self.delay_s(k) / max(1, self._due(k))

    def _due(self, k: int) -> int:
        state = self.control.batch.copies[k]
        return int((state.vehicle["due"] < int(state.clock["now"][0])).sum())

    def close(self) -> None:
        """Nothing to give back."""

    def trips(self, k: int) -> pd.DataFrame:
        """Trip table of a copy so far."""
        return self._starts[k].trips(self.control.batch.copies[k])

    def indicators(self, k: int) -> dict[str, float]:
        """Indicators of the trips of a copy that were due in the window so far.

        Those of `twin.traffic.indicators`, and of the signals: `waiting_*_s` (percentiles and
        the longest of what trips waited, at a stand or to enter the network), `stops_per_trip`,
        `co2_per_trip_g` (`twin.traffic.emissions`).
        """
        from twin.traffic.indicators import indicator_values

        values = indicator_values(self.trips(k), self._starts[k].counted_from_s)
        state, tps = self.control.batch.copies[k], self.network.arrays.tps
        waited = waiting_s(self.control.play.tally, k, state, tps)
        trips = max(1, self._due(k))
        return {
            **values,
            "passed_jams": float(state.clock["passed_jams"][0]),
            **waiting_values(waited),
            "stops_per_trip": float(self._totals[k, 1]) / trips,
            "co2_per_trip_g": float(self._totals[k, 2]) / trips,
        }


def waiting_values(waited_s: F8) -> dict[str, float]:
    """Percentiles of the waiting of trips, s: who pays for the others' green."""
    some = waited_s if len(waited_s) else np.zeros(1)
    return {
        "waiting_95_s": float(np.quantile(some, 0.95)),
        "waiting_99_s": float(np.quantile(some, 0.99)),
        "waiting_longest_s": float(some.max()),
    }
