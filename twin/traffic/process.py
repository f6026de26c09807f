"""Traffic at work in a simulation: the kernel driven from SimPy, claims, controllers, detours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import simpy

from twin.clock import Process
from twin.traffic import indicators as reported
from twin.traffic.approaches import approaches
from twin.traffic.batch import Batch
from twin.traffic.costs import user_cost_eur
from twin.traffic.detours import Detours
from twin.traffic.junction_table import junction_table, queue_table, worst_junctions
from twin.traffic.kernel import wake_all
from twin.traffic.queue_lengths import advance_and_look, copy_queues, look, looking, new_queues
from twin.traffic.signals import Controller, SignalControl
from twin.traffic.state import copy_state, initial_state

if TYPE_CHECKING:
    import pandas as pd

    from twin.simulation import Simulation
    from twin.traffic.records import State

Bools = npt.NDArray[np.bool_]
BOUND_S = 300.0  # longest stretch for which the flow is left alone
STEP_S = 0.5  # stretch while somebody awaits something in the flow


class Traffic:
    """The vehicle flow on the clock.

    Whoever reads or changes traffic calls `sync()` first; the flow is then simulated up
    to, and not including, the present tick.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.network = sim.prepared.network
        self.vehicles = sim.prepared.vehicles(self.network, sim.seed)
        self.state: State = initial_state(
            self.network,
            self.vehicles,
            begin_s=sim.begin_s,
            end_s=sim.end_s,
            interval_s=sim.interval_s,
        )
        self.queues = new_queues(self.network, self.state)
        self._looking = looking(self.network, self.state)
        self._tables: tuple[int, dict[str, pd.DataFrame]] | None = None
        self.control: SignalControl | None = None
        self._detours = Detours(self, sim.informed) if sim.response != "none" else None
        self._awaited: list[tuple[Callable[[State], bool], simpy.Event]] = []
        self._wakened: simpy.Event = sim.clock.env.event()
        self._closed = np.zeros(self.network.n_streets, bool)
        self._measures: list[Any] = []
        self._marked = 0
        self._end = sim.clock.ticks(sim.end_s)  # the flow is simulated up to here
        self._blocked = np.zeros(self.state.entered.shape, bool)
        sim.claims.on_change(self._claimed)

    # what others call

    def sync(self) -> State:
        """Bring the flow to the present tick, and return its state."""
        net = self.network
        now = min(self.sim.clock.now, self._end)
        if now > int(self.state.clock["now"][0]):
            if self.control is None:
                queues, how = self.queues, self._looking
                advance_and_look(net.arrays, net.signals, self.state, queues, how, now)
            else:
                self._advance_controlled(self.control, now)
        return self.state

    def when(self, condition: Callable[[State], bool]) -> simpy.Event:
        """Event that happens within half a second of `condition(state)` becoming true."""
        event = self.sim.clock.env.event()
        self._awaited.append((condition, event))
        if not self._wakened.triggered:
            self._wakened.succeed()
        return event

    def arrival(self, vehicle: int) -> simpy.Event:
        """Event of a vehicle's arrival."""
        return self.when(lambda state: bool(state.vehicle["arrive"][vehicle] >= 0))

    def hold(self, street: int, held: bool) -> None:
        """Let nobody enter a street, or let them again: a temporary signal, which nobody avoids.

        What claims have closed stays closed.
        """
        state, lanes_of = self.sync(), self.network.arrays.street_lane
        if not self._closed[street]:
            state.lane["open"][int(lanes_of[street]) : int(lanes_of[street + 1])] = not held
            wake_all(self.network.arrays, state)

    def blocked(self) -> Bools:
        """[intervals, streets] whether a street was closed at some time of an interval."""
        self._mark_blocked()
        return self._blocked

    # Part

    def apply(self, measure: Any) -> None:
        """Take in a measure of traffic."""
        self._measures.append(measure)

    def start(self) -> None:
        """Start the processes of the flow and of the measures."""
        self.sim.clock.process(self._advance())
        for k, measure in enumerate(self._measures):
            self.sim.clock.process(measure.process(self, f"traffic/{measure.kind}-{k + 1}"))

    def indicators(self) -> dict[str, float]:
        """Values of the indicators of traffic."""
        net, state, from_s = self.network, self.sync(), self.sim.counted_from_s
        found = self._found()
        trips, streets = found["trips"], found["streets"]
        values = reported.indicator_values(trips, from_s, reported.are_of(net, state, "bus"))
        values["passed_jams"] = float(state.clock["passed_jams"][0])
        values |= worst_junctions(found["junctions"])
        values["co2_t"] = float(streets["co2_kg"].sum() / 1000.0)
        values["nox_kg"] = float(streets["nox_g"].sum() / 1000.0)
        counted = (trips["due_s"] >= from_s).to_numpy()
        heavy = reported.are_of(net, state, "lorry", "bus")
        values["user_cost_eur"] = user_cost_eur(trips[counted], heavy[counted])
        return values

    def trips(self) -> pd.DataFrame:
        """Trip table so far (`twin.traffic.indicators.trip_table`)."""
        return reported.trip_table(self.network, self.sync())

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables `trips`, `streets`, `junctions` and `queues`."""
        found = self._found()
        return {**found, "trips": self.sim.prepared.trip_labels().join(found["trips"])}

    def snapshot(self) -> Any:
        """Copy of the flow."""
        usual = None if self._detours is None else self._detours.usual
        return copy_state(self.sync()), self._closed.copy(), usual, copy_queues(self.queues)

    def restore(self, state: Any) -> None:
        """Go back to a copy of the flow."""
        flow, closed, usual, queues = state
        self.queues, self._tables = copy_queues(queues), None
        self.state = copy_state(flow)
        self._closed = closed.copy()
        if self._detours is not None:
            self._detours.resume(usual, closed)
        self.state_replaced()

    def state_replaced(self) -> None:
        """Let those who hold the state take the new one."""
        if self.control is not None:
            self.control.replace(self.state)

    # inside

    def _found(self) -> dict[str, pd.DataFrame]:
        """Tables of the present tick."""
        net, state, queues = self.network, self.sync(), self.queues
        now, from_s = int(state.clock["now"][0]), self.sim.counted_from_s
        if self._tables is None or self._tables[0] != now:
            groups = approaches(self.sim.city, net)
            tables = {
                "trips": self.trips(),
                "streets": reported.street_table(net, state, queues, from_s),
                "junctions": junction_table(net, state, queues, groups, from_s),
                "queues": queue_table(net, state, queues, from_s),
            }
            self._tables = now, tables
        return self._tables[1]

    def _advance_controlled(self, control: SignalControl, until: int) -> None:
        """Simulate every tick before `until` with signals that are controlled, and look."""
        while (at := int(self.queues.next[0])) < until:
            control.advance(at)
            look(self.network.arrays, self.state, self.queues, self._looking)
        control.advance(until)

    def _advance(self) -> Process:
        clock = self.sim.clock
        while clock.now < self._end:
            bound = clock.wait(STEP_S if self._awaited else BOUND_S)
            yield bound | self._wakened
            if self._wakened.triggered:
                self._wakened = clock.env.event()
            state = self.sync()
            due = [(c, e) for c, e in self._awaited if c(state)]
            self._awaited = [pair for pair in self._awaited if pair not in due]
            for _, event in due:
                event.succeed()

    def run_controller(self, controller: Controller, until_s: float) -> Process:
        """Let a policy decide until a time, then give the signals back to their programs.

        Decisions are at whole multiples of the policy's interval, so that a simulation that
        goes on from a snapshot makes the same ones.
        """
        clock = self.sim.clock
        self.sync()
        self.control = SignalControl(Batch.around(self.network, self.state))
        self.control.take(0)
        controller.start(self.control.look())
        interval_s = controller.interval_s
        while True:
            past_s = clock.now_s % interval_s
            if 1e-6 < past_s < interval_s - 1e-6:
                yield clock.wait(min(interval_s - past_s, max(0.0, until_s - clock.now_s)))
            if clock.now_s >= until_s - 1e-9:
                break
            self.sync()
            self.control.request(controller.decide(self.control.look()))
            yield clock.wait(min(interval_s, until_s - clock.now_s))
        self.sync()
        self.control.release(0)
        self.control = None

    def _mark_blocked(self) -> None:
        clock = self.state.clock[0]
        k = max(0, int((self.sim.clock.now - 1 - clock["first"]) // clock["length"]))
        self._blocked[self._marked : k + 1, self._closed] = True
        self._marked = min(k, len(self._blocked) - 1)

    def _claimed(self, streets: tuple[int, ...]) -> None:
        if self.sim.clock.now > self._end:
            return
        state = self.sync()
        self._mark_blocked()
        lanes_of = self.network.arrays.street_lane
        closed_before = self._closed.copy()
        for street in streets:
            held = self.sim.claims.held(street)
            first, end = int(lanes_of[street]), int(lanes_of[street + 1])
            kept = end - first if held.lanes is None else min(held.lanes, end - first)
            state.lane["open"][first:end] = 0
            if held.open:
                state.lane["open"][end - kept : end] = 1  # the right-hand lanes are taken first
            limit = np.inf if held.speed_m_s is None else held.speed_m_s
            state.lane["speed"][first:end] = np.minimum(
                self.network.lane_speed[first:end], max(limit, 1.0)
            )
            self._closed[street] = not held.open or kept == 0
        if self._detours is not None and (self._closed != closed_before).any():
            self.state = self._detours.respond(self._closed, closed_before)
            self.state_replaced()
        wake_all(self.network.arrays, self.state)
