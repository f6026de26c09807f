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
from envs.noise import blind
from envs.task import SignalTask
from twin.compiling import compiled
from twin.errors import SimulationError
from twin.random import Stream
from twin.traffic.batch import Batch, copy_of
from twin.traffic.detection import waiting_s
from twin.traffic.junctions import Junctions
from twin.traffic.positions import positions
from twin.traffic.signals import Play, SignalControl, play_copy, watch_copy

if TYPE_CHECKING:
    import pandas as pd

    from envs.scenes import Start
    from twin.simulation import Simulation
    from twin.traffic.signals import View
    from viz.live_signals import Bodies, SignalPicture

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
        for name, value in (("copies", copies), ("threads", 1 if threads is None else threads)):
            if not (isinstance(value, int | np.integer) and value >= 1):
                msg = f"{name}(={value!r}) of the simulation: give a whole number from 1"
                raise SimulationError(msg)
        self.task, self.network = task, task.scene.network
        every = Junctions.of(self.network)
        try:
            observation.check(every)
        except SimulationError as error:
            msg = f"{task.scene.name}: {error}"
            raise SimulationError(msg) from None
        n = len(every)
        is_one = isinstance(junction, int | np.integer)
        if junction is not None and not (is_one and 0 <= junction < n):
            msg = f"junction(={junction!r}) must be from 0 to {n - 1}"
            raise SimulationError(msg)
        self.junctions = every if junction is None else every.take(junction)
        self._copies, self._threads, self._controlled = copies, threads, controlled
        self._weights = None if callable(task.reward) else rewards.weights(task.reward)
        self._starts: list[Start] = []
        self._live: list[Simulation | None] = [None] * copies
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
            observation.shape_of(self.junctions, view.sensors, self.network.arrays.tps),
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

    def __getstate__(self) -> dict[str, Any]:
        kept = [
            None if sim is None else self._with_flow(k, sim).snapshot()
            for k, sim in enumerate(self._live)
        ]
        return {**self.__dict__, "_live": kept}

    def __setstate__(self, given: dict[str, Any]) -> None:
        self.__dict__.update(given)
        for k, snapshot in enumerate(given["_live"]):
            make: Any = self._starts[k].live if snapshot is not None else None
            self._live[k] = None if make is None else make(snapshot=snapshot)

    def _with_flow(self, k: int, sim: Simulation) -> Simulation:
        """The simulation of a copy, told of its flow."""
        traffic: Any = sim.parts["traffic"]
        traffic.state = self.control.batch.copies[k]
        return sim

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

    def _load(self, copies: Sequence[int], seeds: Sequence[int], starts: Sequence[Start]) -> None:
        """Put starts into copies, and forget what was there."""
        if not self._made:
            self._make(starts)
        seen = self._stepping.seen
        for k, seed, start in zip(copies, seeds, starts, strict=True):
            self.control.load(k, start.state, start.free, controlled=self._controlled)
            self._starts[k] = start
            self._live[k] = None if start.live is None else start.live()
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
        if any(self._live):
            self._step_with_clocks()
        elif self._controlled:
            control.batch.share(_step, self._stepping)
        else:
            control.batch.share(_watch, self._stepping)
        self._sum_up()

    def _step_with_clocks(self) -> None:
        """Let a step pass in which other processes act on traffic at ticks of their own."""
        control = self.control
        end = control.play.until.copy()
        if self._controlled:
            control.serve()
        while True:
            stop = end.copy()
            for k, sim in enumerate(self._live):
                if sim is not None:
                    stop[k] = min(end[k], sim.clock.env.peek())
            if self._controlled:
                control.advance(stop)
            else:
                control.batch.advance(np.maximum(stop, control.batch.now))
            happens = [k for k, sim in enumerate(self._live) if sim and stop[k] < end[k]]
            if not happens:
                break
            for k in happens:
                self._happen(k, int(stop[k]))
        self._stepping = self._stepping._replace(play=control.play)
        control.look()
        for k in range(len(self)):
            report(int(control.batch.now[k]), self._stepping, k)

    def _happen(self, k: int, tick: int) -> None:
        """Let everything of a tick happen on the clock of a copy."""
        kept, batch = self._live[k], self.control.batch
        assert kept is not None  # noqa: S101 - chosen so
        sim = self._with_flow(k, kept)
        traffic: Any = sim.parts["traffic"]
        while sim.clock.env.peek() <= tick:
            sim.clock.env.step()
        if traffic.state is not batch.copies[k]:
            self.control.renew(k, traffic.state)

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
        """Delay since the begin of the episode of all who were under way, s."""
        return float(self._totals[k, 0])

    def delay_per_trip_s(self, k: int) -> float:
        """Mean delay of the trips that were due in the window so far, never inserted ones included.

        As the trip table has it, so without those of a warm-up that were still under way.
        """
        counted = self._counted(k)
        lost_s = self.control.play.tally.vehicle["total_s"][k, : len(counted)][counted]
        return float(lost_s.mean()) if len(lost_s) else 0.0

    def _counted(self, k: int) -> Bools:
        """[vehicles] whether each was due in the window so far."""
        state = self.control.batch.copies[k]
        due, from_s = state.vehicle["due"], self._starts[k].counted_from_s
        begin = round(from_s * self.network.arrays.tps)
        return np.asarray((due >= begin) & (due < int(state.clock["now"][0])))

    def drawn(self, k: int, picture: SignalPicture) -> Bodies:
        """Where the vehicles of a copy are, for a picture."""
        return picture.bodies(positions(self.network, self.control.batch.copies[k]))

    def close(self) -> None:
        """Nothing to give back."""

    def trips(self, k: int) -> pd.DataFrame:
        """Trip table of a copy so far."""
        return self._starts[k].trips(self.control.batch.copies[k])

    def indicators(self, k: int) -> dict[str, float]:
        """Indicators of the trips of a copy that were due in the window so far.

        Those of `twin.traffic.indicators`, and of the signals: `waiting_*_s` (percentiles and
        the longest of what trips waited, at a stand or to enter the network), `stops_per_trip`,
        `co2_per_trip_g` (`twin.traffic.emissions`); these two are what happened in the window
        over all trips that were under way in it.
        """
        from twin.traffic.indicators import indicator_values

        values = indicator_values(self.trips(k), self._starts[k].counted_from_s)
        state, tps = self.control.batch.copies[k], self.network.arrays.tps
        counted, v = self._counted(k), state.vehicle
        waited = waiting_s(self.control.play.tally, k, state, tps)[counted]
        before = (v["arrive"] >= 0) & (v["arrive"] < self._starts[k].counted_from_s * tps)
        trips = max(1, int(((v["due"] < int(state.clock["now"][0])) & ~before).sum()))
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
