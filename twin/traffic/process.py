"""Traffic at work in a simulation: the kernel driven from SimPy, claims, controllers, detours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import simpy

from twin.claims import Claim
from twin.clock import Process
from twin.traffic import indicators as reported
from twin.traffic.approaches import approaches
from twin.traffic.batch import Batch
from twin.traffic.costs import user_cost_eur
from twin.traffic.detours import Detours
from twin.traffic.junction_table import junction_table, queue_table, worst_junctions
from twin.traffic.kernel import wake_all
from twin.traffic.measures import Timed
from twin.traffic.parameters import BUS, CAR
from twin.traffic.preparation import NO_WAY
from twin.traffic.programs import with_programs
from twin.traffic.queue_lengths import advance_and_look, copy_queues, look, looking, new_queues
from twin.traffic.reach import Reach, group_table, reach_indicators, zone_reach, zone_table
from twin.traffic.recording import Recording
from twin.traffic.records import unrecorded
from twin.traffic.signals import Controller, SignalControl
from twin.traffic.state import begin_programs, copy_state, initial_state
from twin.traffic.timetable import Holds, SignalTimes, StreetTimes

if TYPE_CHECKING:
    from twin.simulation import Simulation
    from twin.system import Outlook
    from twin.traffic.records import State

Bools = npt.NDArray[np.bool_]
BOUND_S = 300.0  # longest stretch for which the flow is left alone
STEP_S = 0.5  # stretch while somebody awaits something in the flow
OWNER = "traffic/measures"
_BUILT = Holds()


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
        self._recording = Recording(sim.city, self.network) if sim.record else None
        if self._recording is not None:
            self.state = self._recording.room(self.state)
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
        self._reached: tuple[int, Reach] | None = None  # at a tick
        self._held: dict[int, Holds] = {}  # what measures make of streets now
        self._shown: tuple[int, ...] = ()  # measures whose signal programs are in force
        sim.claims.on_change(self._claimed)

    # what others call

    def sync(self) -> State:
        """Bring the flow to the present tick, and return its state."""
        net = self.network
        now = min(self.sim.clock.now, self._end)
        while (at := int(self.state.clock["now"][0])) < now:
            until = now
            if self._recording is not None:
                self._recording.take(self.state)
                until = min(now, at + self._recording.stretch)
            if self.control is None:
                queues, how = self.queues, self._looking
                advance_and_look(net.arrays, net.signals, self.state, queues, how, until)
            else:
                self._advance_controlled(self.control, until)
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
        clock, outlook = self.sim.clock, self.sim.outlook
        clock.process(self._advance())
        for measure in self._measures:
            if isinstance(measure, Timed):
                clock.process(self._note(measure, outlook))
        streets = StreetTimes(self._measures, outlook)
        if streets.times:
            clock.process(self._change_streets(streets))
        signals = SignalTimes(self._measures, outlook)
        if signals.times:
            clock.process(self._change_signals(signals))

    def indicators(self) -> dict[str, float]:
        """Values of the indicators of traffic."""
        return {**self.flow_indicators(), **self._reach()[1]}

    def flow_indicators(self) -> dict[str, float]:
        """Those indicators that need no search of ways from zone to zone."""
        state, from_s = self.sync(), self.sim.counted_from_s
        found = self._found()
        trips, streets = found["trips"], found["streets"]
        values = reported.indicator_values(trips, from_s, self._are_of("bus"))
        values["passed_jams"] = float(state.clock["passed_jams"][0])
        values |= worst_junctions(found["junctions"])
        values["co2_t"] = float(streets["co2_kg"].sum() / 1000.0)
        values["nox_kg"] = float(streets["nox_g"].sum() / 1000.0)
        counted = (trips["due_s"] >= from_s).to_numpy()
        heavy = self._are_of("lorry", "bus")
        values["user_cost_eur"] = user_cost_eur(trips[counted], heavy[counted])
        cut_off = 0 if self._detours is None else self._detours.cut_off
        values["cut_off"] = float(self.sim.prepared.notes.get(NO_WAY, 0.0)) + cut_off
        return values

    def trips(self) -> pd.DataFrame:
        """Trip table so far (`twin.traffic.indicators.trip_table`), the stranded at its end."""
        state, stranded = self.sync(), self.sim.prepared.stranded
        if self._detours is None:
            found = reported.trip_table(self.network, state)
        else:
            whole = reported.trip_table(self.network, self._detours.told(state))
            found = self._detours.waited(whole)
        if stranded is None or not len(stranded):
            return found
        now_s = float(self.state.clock["now"][0]) / self.network.arrays.tps
        due_s = stranded["depart_s"].to_numpy(float)
        wait_s = np.maximum(0.0, now_s - due_s)
        more = pd.DataFrame({"due_s": due_s, "depart_delay_s": wait_s}, columns=found.columns)
        return pd.concat([found, more.astype(float)], ignore_index=True)

    def _are_of(self, *classes: str) -> Bools:
        """[trips] which of the trip table are by vehicles of these classes."""
        driven = reported.are_of(self.network, self.state, *classes)
        stranded = self.sim.prepared.stranded
        if stranded is None:
            return driven
        known = {t.name: t.vehicle_class for t in self.network.types}
        kind = stranded["vehicle_type"].map(known)
        return np.concatenate([driven, kind.isin(classes).to_numpy(bool)])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables `trips`, `streets`, `junctions`, `queues`, `groups`, `zones` if known.

        And, if it is recorded, `passages` and `lights`.
        """
        found, from_s = self._found(), self.sim.counted_from_s
        trips = self.sim.prepared.trip_labels().join(found["trips"])
        record = {}
        if self._recording is not None:
            self._recording.take(self.sync())
            record = self._recording.tables()
        groups = group_table(trips, from_s)
        return {**found, "trips": trips, "groups": groups, **self._reach()[0], **record}

    def snapshot(self) -> Any:
        """Copy of the flow."""
        flow, queues = copy_state(unrecorded(self.sync())), copy_queues(self.queues)
        ways = None if self._detours is None else self._detours.memory()
        record = None
        if self._recording is not None:
            self._recording.take(self.state)
            record = self._recording.memory()
            flow.clock[["passed", "shown"]] = 0
        return flow, queues, self._closed.copy(), ways, self._shown, self.network, record

    def restore(self, state: Any) -> None:
        """Go back to a copy of the flow."""
        flow, queues, closed, ways, self._shown, self.network, record = state
        self.queues, self._tables, self._reached = copy_queues(queues), None, None
        self.state = copy_state(flow)
        if self._recording is not None:
            self.state = self._recording.room(self.state)
            self._recording.resume(record)
        self._closed = closed.copy()
        if self._detours is not None:
            self._detours.resume(ways, closed)
        self.state_replaced()

    def state_replaced(self) -> None:
        """Let those who hold the state take the new one."""
        if self.control is not None:
            self.control.replace(self.state)

    # inside

    def _reach(self) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
        """What people reach from where they live, and what their trips lost."""
        prepared, state, from_s = self.sim.prepared, self.sync(), self.sim.counted_from_s
        if prepared.zones is None or not len(prepared.zones):
            return {}, {}
        now = int(state.clock["now"][0])
        if self._reached is None or self._reached[0] != now:
            graph = prepared.graphs["cars"]
            shut = self.blocked()
            reach = zone_reach(prepared.zones, self.network, state, graph, from_s, shut)
            self._reached = now, reach
        reach = self._reached[1]
        trips = prepared.trip_labels().join(self._found()["trips"])
        table = zone_table(prepared.zones, reach, trips, from_s)
        return {"zones": table}, reach_indicators(prepared.zones, reach)

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
            net = self.network
            look(net.arrays, net.signals, self.state, self.queues, self._looking)
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

    def _note(self, measure: Timed, outlook: Outlook) -> Process:
        """Write into the ledger when a measure begins and ends."""
        clock, told = self.sim.clock, measure.describe()
        begin_s, end_s = measure.window
        named = next((e.streets[0] for e in measure.effects(outlook) if e.streets), -1)
        if end_s <= clock.now_s or begin_s >= self.sim.end_s:
            return
        if begin_s >= clock.now_s or clock.now_s == self.sim.begin_s:
            yield clock.until(max(begin_s, clock.now_s))
            self.sim.note("traffic", measure.kind, told, named)
        if end_s < self.sim.end_s:
            yield clock.until(end_s)
            self.sim.note("traffic", f"{measure.kind}_ends", told, named)

    def _change_streets(self, timetable: StreetTimes) -> Process:
        """Let measures hold on streets when their time comes."""
        clock = self.sim.clock
        for time_s in _from_now(timetable.times, clock.now_s):
            if time_s > clock.now_s:
                yield clock.until(time_s)
            self._hold_streets(timetable.at(clock.now_s))

    def _hold_streets(self, held: dict[int, Holds]) -> None:
        """File what measures now demand of streets, and end what they no longer do."""
        before, self._held = self._held, held
        changed = {s for s in {*held, *before} if held.get(s) != before.get(s)}
        mine = [c for c in self.sim.claims.alive() if c.owner == OWNER and c.street in changed]
        demanded = [
            Claim(OWNER, s, open=h.open is not False, lanes=h.lanes, until_s=h.until_s)
            for s, h in held.items()
            if s in changed and (h.open is False or h.lanes is not None)
        ]
        self.sim.claims.exchange(mine, demanded)
        self._claimed(tuple(sorted(changed)))

    def _change_signals(self, timetable: SignalTimes) -> Process:
        """Let signals show the programs of measures, or a policy decide, when their time comes."""
        clock, end_s = self.sim.clock, self.sim.end_s
        times = _from_now(timetable.times, clock.now_s)
        for time_s, next_s in zip(times, [*times[1:], end_s], strict=True):
            if time_s > clock.now_s:
                yield clock.until(time_s)
            which, programs = timetable.programs(clock.now_s)
            if which != self._shown:
                self._show(programs)
                self._shown = which
            name = timetable.policy(clock.now_s)
            if name is not None:
                yield from self.run_controller(self.sim.policy(name), next_s)

    def _show(self, programs: dict[str, pd.DataFrame]) -> None:
        """Begin other signal programs now, each where a clock of them would be."""
        state = self.sync()
        self.network = with_programs(self.network, self.sim.city, programs)
        begin_programs(self.network.signals, state, self.sim.clock.now)
        wake_all(self.network.arrays, state)

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

    def _classes(self, first: int, end: int, bus_lanes: int) -> npt.NDArray[np.uint8]:
        """Who may enter the lanes of a street when so many are for buses alone."""
        classes = self.network.arrays.lane["classes"][first:end].astype(np.uint8)
        cars = np.flatnonzero(classes & CAR)[:bus_lanes]  # the right-hand ones
        classes[cars] &= BUS
        return classes

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
            own = self._held.get(street, _BUILT)
            built = self.network.lane_speed[first:end]
            limit = built if own.speed_m_s is None else np.full_like(built, own.speed_m_s)
            most = np.inf if held.speed_m_s is None else max(held.speed_m_s, 1.0)
            state.lane["speed"][first:end] = np.minimum(limit, most)
            state.lane["classes"][first:end] = self._classes(first, end, own.bus_lanes or 0)
            self._closed[street] = not held.open or kept == 0
        if self._detours is not None and (self._closed != closed_before).any():
            self.state = self._detours.respond(self._closed, closed_before)
            self.state_replaced()
        wake_all(self.network.arrays, self.state)


def _from_now(times: list[float], now_s: float) -> list[float]:
    """The times from the last one that is not after now."""
    past = [t for t in times if t <= now_s]
    return times[max(0, len(past) - 1) :]
