"""Signals that a policy controls: what it sees, what it may ask for, and what is served.

The same control serves one simulation on the clock and many copies in a batch: arrays begin
with the copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled
from twin.errors import SimulationError
from twin.traffic import control as ctl
from twin.traffic.batch import Batch, copy_of
from twin.traffic.control import Orders, Rules
from twin.traffic.detection import (
    FreeTimes,
    Readings,
    Sight,
    Tally,
    begin_tally,
    free_times,
    look,
    new_readings,
    new_tally,
    put_ways,
    sight_of,
)
from twin.traffic.junctions import Junctions, Sensors, place_sensors
from twin.traffic.kernel import advance

if TYPE_CHECKING:
    from twin.traffic.records import State

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DETECTOR_M = 200.0  # RESCO's


class Play(NamedTuple):
    """What one compiled call needs beside the copies."""

    sight: Sight
    orders: Orders
    tally: Tally
    read: Readings
    weight: I4  # [copies, 3, links]
    until: I8  # [copies]


@compiled
def _look(net: Any, sig: Any, flat: Any, play: Any, first: int, end: int) -> None:  # noqa: ARG001
    for k in range(first, end):
        st = copy_of(flat, k)
        look(net, st, play.sight, play.tally, play.read, play.weight[k], np.int64(k))
        ctl.allow(st, play.sight, play.orders, play.read, np.int64(k))


@compiled
def _serve(net: Any, sig: Any, flat: Any, play: Any, first: int, end: int) -> None:
    for k in range(first, end):
        st = copy_of(flat, k)
        ctl.allow(st, play.sight, play.orders, play.read, np.int64(k))
        ctl.serve(net, sig, st, play.sight, play.orders, np.int64(k))


@compiled
def _advance(net: Any, sig: Any, flat: Any, play: Any, first: int, end: int) -> None:
    for k in range(first, end):
        st = copy_of(flat, k)
        if play.until[k] > st.clock[0].now:
            ctl.run(net, sig, st, play.sight, play.orders, np.int64(k), np.int64(play.until[k]))


@compiled
def play_copy(net: Any, sig: Any, st: Any, play: Any, k: int) -> None:
    """Serve what was asked for, simulate a copy to its tick, and look."""
    ctl.serve(net, sig, st, play.sight, play.orders, np.int64(k))
    ctl.run(net, sig, st, play.sight, play.orders, np.int64(k), np.int64(play.until[k]))
    look(net, st, play.sight, play.tally, play.read, play.weight[k], np.int64(k))
    ctl.allow(st, play.sight, play.orders, play.read, np.int64(k))


@compiled
def watch_copy(net: Any, sig: Any, st: Any, play: Any, k: int) -> None:
    """Simulate a copy to its tick, its signals under their programs, and look."""
    if play.until[k] > st.clock[0].now:
        advance(net, sig, st, np.int64(play.until[k]))
    look(net, st, play.sight, play.tally, play.read, play.weight[k], np.int64(k))


class View:
    """What policies see of the junctions of all copies.

    Attributes
    ----------
    network, junctions, sensors, rules
        What holds for all copies.
    read
        Readings of the last look (`twin.traffic.detection.Readings`).
    orders
        What is served and allowed (`twin.traffic.control.Orders`).
    batch
        The copies themselves, for policies that look ahead on copies of them.
    tally
        Account of what vehicles lose.
    known
        Demand that plans may count on, where the copies have none of their own.
    """

    known: tuple[State, FreeTimes] | None = None

    def __init__(
        self,
        batch: Batch,
        junctions: Junctions,
        sensors: Sensors,
        rules: Rules,
        read: Readings,
        orders: Orders,
        tally: Tally,
    ) -> None:
        self.tally = tally
        self.batch, self.network = batch, batch.network
        self.junctions, self.sensors, self.rules = junctions, sensors, rules
        self.read, self.orders = read, orders

    @property
    def now_s(self) -> F8:
        """[copies] seconds of the clock."""
        return self.batch.now / self.network.arrays.tps

    @property
    def phase(self) -> I8:
        """[copies, junctions] phase that is green or being changed to."""
        return self.read.phase

    @property
    def green_s(self) -> F4:
        """[copies, junctions] seconds for which the phase has been green; 0 while changing."""
        return self.read.green_s

    @property
    def changing(self) -> Bools:
        """[copies, junctions] whether yellow or red is shown to all."""
        return self.read.changing.astype(bool)

    @property
    def allowed(self) -> Bools:
        """[copies, junctions, phases] what a request would be served with now."""
        return self.orders.allowed

    def free_times(self, k: int) -> FreeTimes:
        """Times without traffic on the ways of copy `k`."""
        state, tally = self.batch.copies[k], self.tally
        entries, vehicles = len(state.route_street), len(state.vehicle)
        way = tally.way[k, :entries]
        return FreeTimes(way["free_s"], way["own_s"], tally.vehicle["shift"][k, :vehicles])

    def demand(self) -> tuple[State, FreeTimes]:
        """Ways of all vehicles of the first copy, as an engineer knows them from counts."""
        return self.known or (self.batch.copies[0], self.free_times(0))

    def by_phase(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """[copies, junctions, phases] sums of [copies, junctions, links] over what is green."""
        green = self.junctions.green.astype(np.float32)
        return np.asarray(np.einsum("jpl,cjl->cjp", green, values))


class Controller(Protocol):
    """A policy that decides at intervals."""

    interval_s: float

    def start(self, view: View) -> None:
        """See the junctions for the first time."""

    def decide(self, view: View) -> npt.NDArray[np.integer]:
        """[copies, junctions] the phase wanted at each; -1 leaves it as it is."""


class SignalControl:
    """Controlled junctions of all copies of a batch.

    Parameters
    ----------
    batch
        The copies; `take` hands a copy's junctions over.
    rules
        What is kept whatever is asked for.
    junctions
        Which ones; all that can be controlled unless given.
    detector_m
        Length of the detectors, m.
    """

    def __init__(
        self,
        batch: Batch,
        rules: Rules | None = None,
        *,
        junctions: Junctions | None = None,
        detector_m: float = DETECTOR_M,
    ) -> None:
        self.batch, self.rules = batch, rules or Rules()
        network = batch.network
        self.junctions = Junctions.of(network) if junctions is None else junctions
        self.sensors = place_sensors(network, self.junctions, detector_m)
        n = len(batch)
        read = new_readings(n, self.junctions)
        self.play = Play(
            sight_of(network, self.junctions, self.sensors),
            ctl.new_orders(n, network, self.junctions, self.rules),
            new_tally(batch.flat.state),
            read,
            np.zeros((n, 3, len(network.arrays.link)), np.int32),
            np.zeros(n, np.int64),
        )
        self.view = View(
            batch, self.junctions, self.sensors, self.rules, read, self.play.orders, self.play.tally
        )

    def take(self, k: int, free: FreeTimes | None = None, *, controlled: bool = True) -> None:
        """Take over every junction of copy `k`, and begin to keep account of its delays.

        Parameters
        ----------
        free
            Times without traffic, where they are known already.
        controlled
            Whether the junctions are taken over; else they keep their programs.
        """
        network, state = self.batch.network, self.batch.copies[k]
        if controlled:
            ctl.take_over(network, self.junctions, self.rules, state)
        orders = self.play.orders
        orders.hold[k], orders.lasting[k] = 0, 0
        orders.agenda_at[k], orders.agenda_next[k] = ctl.ALWAYS, 0
        times = free or free_times(network, state)
        begin_tally(self.play.tally, k, state, times, len(self.junctions))

    def load(
        self, k: int, state: State, free: FreeTimes | None = None, *, controlled: bool = True
    ) -> None:
        """Put a state into copy `k` and take its junctions over: the reset of one simulation."""
        self.batch.load(k, state)
        tally, room = self.play.tally, self.batch.flat.state
        held = (tally.way.shape, tally.active.shape, tally.source.shape)
        if held != (room.route_street.shape, room.vehicle.shape, room.source.shape):
            self._make_room()
        self.take(k, free, controlled=controlled)

    def _make_room(self) -> None:
        """Let the account have the room that the copies have."""
        old, new = self.play.tally, new_tally(self.batch.flat.state)
        for name in Tally._fields:
            kept, room = getattr(old, name), getattr(new, name)
            if kept.ndim == 1:
                room[:] = kept
            else:
                room[:, : kept.shape[1]] = kept
        self.play = self.play._replace(tally=new)
        self.view.tally = new

    def renew(self, k: int, state: State) -> None:
        """Go on with another state of copy `k`: routes have changed."""
        self.batch.load(k, state)
        tally, room = self.play.tally, self.batch.flat.state
        if tally.way.shape != room.route_street.shape:
            self._make_room()
            tally = self.play.tally
        now = self.batch.copies[k]
        times = free_times(self.batch.network, now, tally.vehicle["shift"][k, : len(now.vehicle)])
        put_ways(tally, k, times)

    def replace(self, state: State) -> None:
        """Go on with another state of the only copy: routes have changed."""
        self.batch = self.view.batch = Batch.around(self.batch.network, state)
        self._make_room()
        tally = self.play.tally
        times = free_times(
            self.batch.network, state, tally.vehicle["shift"][0, : len(state.vehicle)]
        )
        put_ways(tally, 0, times)

    def release(self, k: int) -> None:
        """Give the junctions of copy `k` back to their programs."""
        ctl.give_back(self.batch.network, self.junctions, self.rules, self.batch.copies[k])

    def look(self) -> View:
        """Read the detectors of all copies."""
        self.batch.share(_look, self.play)
        return self.view

    def request(self, phase: npt.NDArray[np.integer]) -> I8:
        """Serve what the rules allow; the phases that hold or are being changed to.

        Parameters
        ----------
        phase
            [copies, junctions] phases wanted; -1 leaves a junction as it is.

        Raises
        ------
        SimulationError
            Where the phases are none, or not of that shape.
        """
        self.ask(phase)
        self.serve()
        return self.play.orders.phase

    def serve(self) -> None:
        """Serve what was asked for, as far as the rules allow it."""
        self.batch.share(_serve, self.play)

    def ask(self, phase: npt.NDArray[np.integer]) -> None:
        """Note phases to serve at the next step; as `request`, but later."""
        wanted = self.play.orders.wanted
        wanted[:] = ctl.check_phases(phase, wanted.shape)

    def plan(self, k: int, junction: int, at_s: F8, phases: npt.NDArray[np.integer]) -> None:
        """Write the agenda of a junction: phases that come next, each at its time of the clock.

        What the rules do not allow at its time waits until they do.

        Raises
        ------
        SimulationError
            If there are more entries than phases, a phase is none, or times do not ascend.
        """
        orders = self.play.orders
        room, n = orders.agenda_at.shape[2], int(orders.n_phases[junction])
        bad = len(at_s) != len(phases) or len(at_s) > room or bool((np.diff(at_s) < 0).any())
        if bad or bool(((phases < 0) | (phases >= n)).any()):
            msg = (
                f"junction {junction}: agenda of phases {list(phases)} at {list(at_s)} s; give "
                f"up to {room} phases from 0 to {n - 1} at ascending times"
            )
            raise SimulationError(msg)
        tps = self.batch.network.arrays.tps
        orders.agenda_at[k, junction] = ctl.ALWAYS
        orders.agenda_at[k, junction, : len(at_s)] = np.rint(np.asarray(at_s) * tps)
        orders.agenda_phase[k, junction, : len(at_s)] = phases
        orders.agenda_next[k, junction] = 0

    def advance(self, until: npt.ArrayLike) -> None:
        """Simulate every tick before `until`, with agendas and longest greens."""
        self.play.until[:] = until
        self.batch.share(_advance, self.play)
