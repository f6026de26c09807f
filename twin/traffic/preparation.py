"""Traffic before a simulation: trips of a seed, and routes near a user equilibrium."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.assignment import Equilibrium, Run, equilibrate
from twin.traffic.experience import Experience, met_times
from twin.traffic.indicators import travel_times
from twin.traffic.network import Network
from twin.traffic.routing import (
    VEHICLE_CLASSES,
    RoadGraph,
    Routes,
    TravelTimes,
    shortest_routes,
)
from twin.traffic.state import Stops, Vehicles
from twin.traffic.stochastic import THETA_PER_MIN, stochastic_equilibrium
from twin.traffic.timetable import extra_seconds

if TYPE_CHECKING:
    from twin.city import City
    from twin.simulation import Simulation
    from twin.system import Measure, Outlook, Response
    from twin.traffic.demand.generate import Demand
    from twin.traffic.demand.zones import Zones
    from twin.traffic.process import Traffic
    from twin.traffic.records import State

Bools = npt.NDArray[np.bool_]
GRAPH_OF = {"car": "cars", "lorry": "lorries", "bus": "buses"}
ROUTE_CHOICES = ("equilibrium", "c_logit")
NO_WAY = "trips without a route"
INTERVAL_S = 900.0
CLEAR_S = 3600.0  # longest run past the end, so that those who depart last still arrive
AGAIN = 8  # days, at most, until drivers know the streets as well once more
WORSE = 2.0  # times the gap: another equilibrium that is further off tells nothing of the first
PATIENCE = 12  # iterations without progress after which drivers stop learning


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a simulation of traffic starts from.

    Attributes
    ----------
    network
        Arrays of the city.
    trips
        One row a trip that has a route: id, origin, destination, depart_s, purpose,
        vehicle_type.
    routes
        Route of each trip.
    times
        Times on a usual day, by graph ("cars", "lorries", "buses").
    gaps
        Relative gap of the assignment by iteration.
    notes
        What was left out, by name.
    stops
        Where buses of lines stop; None where no line runs.
    learning
        The learning day whose routes are kept: iteration, gap, and the indicators of traffic.  In
        a second row, where it was asked for, another equilibrium: the best of the days after, on
        which drivers go on learning until the gap is as small once more.
    zones
        Where people live and work; None where the demand does not know.
    stranded
        Trips that measures leave without any way, as `trips`: they wait until the end.
    known
        What drivers knew before the day that is kept, so that others may go on learning from it.
    learnt
        Days and step with which they would go on (`twin.traffic.assignment.equilibrate`).
    """

    network: Network
    trips: pd.DataFrame
    routes: Routes
    graphs: Mapping[str, RoadGraph]
    times: Mapping[str, TravelTimes]
    gaps: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)
    stops: Stops | None = None
    learning: pd.DataFrame | None = None
    known: Experience | None = None
    learnt: tuple[int, float] = (0, 1.0)
    zones: Zones | None = None
    stranded: pd.DataFrame | None = None

    @property
    def gap(self) -> float:
        """Gap of the routes; infinite where nobody has learnt."""
        return min(self.gaps, default=np.inf)

    def graph_and_times(self, vehicle_class: str) -> tuple[RoadGraph, TravelTimes]:
        """Graph of a vehicle class, and the times on it on a usual day."""
        name = GRAPH_OF[vehicle_class]
        return self.graphs[name], self.times[name]

    def vehicles(self, network: Network, seed: int) -> Vehicles:
        """Vehicles of the trips; drivers' speeds are drawn by trip."""
        return vehicles_of(network, self.trips, self.routes, seed, self.stops)

    def trip_labels(self) -> pd.DataFrame:
        """The columns of a result table that do not depend on the simulation."""
        t = self.trips if self.stranded is None else pd.concat([self.trips, self.stranded])
        return pd.DataFrame(
            {
                "vehicle": np.arange(len(t)),
                "id": t["id"].astype(str).to_numpy(),
                "origin": t["origin"].to_numpy(),
                "destination": t["destination"].to_numpy(),
                "purpose": t["purpose"].to_numpy(),
                "vehicle_type": t["vehicle_type"].to_numpy(),
                "zone": t["zone"].to_numpy() if "zone" in t else np.full(len(t), -1, np.int32),
            }
        )


def vehicles_of(
    network: Network,
    trips: pd.DataFrame,
    routes: Routes,
    seed: int,
    stops: Stops | None = None,
) -> Vehicles:
    """Vehicles on routes; the speed factor is normal by type, within two deviations."""
    names = {t.name: k for k, t in enumerate(network.types)}
    kind = trips["vehicle_type"].map(names)
    if bool(kind.isna().any()):
        bad = trips.loc[kind.isna(), "vehicle_type"].iloc[0]
        msg = f"vehicle type {bad!r} of a trip is unknown; there are {', '.join(names)}"
        raise InputError(msg)
    kinds = kind.to_numpy(np.int64)
    mean = np.array([t.speed_factor for t in network.types])[kinds]
    deviation = np.array([t.speed_dev for t in network.types])[kinds]
    draw = Stream(seed, "drivers").normal(trips["id"].to_numpy())
    return Vehicles(
        due_s=trips["depart_s"].to_numpy(float),
        kind=kinds.astype(np.uint8),
        route_ptr=routes.ptr,
        route_street=routes.street,
        factor=(mean + deviation * np.clip(draw, -2.0, 2.0)).astype(np.float32),
        depart_speed_m_s=np.full(len(trips), np.inf),
        stops=stops,
    )


def prepare(
    city: City,
    demand: Demand | None = None,
    *,
    seed: int = 0,
    begin_s: float,
    end_s: float,
    warmup_s: float = 0.0,
    iterations: int = 8,
    gap: float = 0.02,
    measures: Sequence[Measure] = (),
    policies: Callable[[str, str], Any] | None = None,
    files: Callable[[str], Path] | None = None,
    usual: Prepared | None = None,
    again: bool = False,
    progress: Callable[[int, float], None] | None = None,
    route_choice: str = "equilibrium",
    theta_per_min: float = THETA_PER_MIN,
) -> Prepared:
    """Draw the trips of a seed and route them toward a dynamic user equilibrium.

    Cars take part in the equilibrium; lorries keep the fastest way of an empty city that
    is open to them, and buses of lines keep the line's.  With measures, the equilibrium is
    that of a city in which they hold.

    Parameters
    ----------
    warmup_s
        Trips due in the first seconds do not count in the indicators of the learning days.
    iterations, gap
        Stop after so many runs, or at this gap; earlier without progress.
    files
        Finds the file that a measure names.
    usual
        What drivers know already: those of the same trips begin with these routes and times, and
        stop learning at the gap that these reached, should it be the greater one.  So a city in
        which nothing has changed keeps its routes.
    again
        Look for another equilibrium, too, which is not kept: what differs between both tells how
        exact either is (`Prepared.learning`).
    route_choice
        `equilibrium`: nobody gains by changing (`twin.traffic.assignment`); `c_logit`: drivers see
        times with an error (`twin.traffic.stochastic`).  Each has a gap of its own.
    theta_per_min
        Scale of the errors of `c_logit`, 1 / min.

    Raises
    ------
    InputError
        If there is no such route choice, or theta is not positive.
    """
    if route_choice not in ROUTE_CHOICES or not theta_per_min > 0.0:
        msg = (
            f"route_choice(={route_choice!r}) must be one of {', '.join(ROUTE_CHOICES)}, and "
            f"theta_per_min(={theta_per_min}) > 0"
        )
        raise InputError(msg)
    from twin.traffic.demand.generate import Demand

    demand = demand or Demand.generate(city)
    window = _Window(city, seed, begin_s, end_s, warmup_s, tuple(measures), policies, files, again)
    learning: dict[str, Any] = {"iterations": iterations, "gap": gap, "progress": progress}
    if usual is not None and np.isfinite(usual.gap):
        learning["gap"] = max(gap, usual.gap)
    if route_choice == "c_logit":
        learning["theta_per_min"] = theta_per_min
    return _Assignment(window, demand, usual).run(learning)


def adapted(
    usual: Prepared,
    city: City,
    demand: Demand,
    seed: int,
    begin_s: float,
    end_s: float,
) -> Prepared:
    """What a simulation starts from where other trips are made and nobody has learnt of it.

    Who drove before keeps the route; the others take the fastest at the times of the usual day.
    """
    window = _Window(city, seed, begin_s, end_s, 0.0, (), None, None)
    return _Assignment(window, demand, usual).unlearned()


@dataclass(frozen=True, eq=False)
class _Window:
    """A city for some hours, and what holds in it."""

    city: City
    seed: int
    begin_s: float
    end_s: float
    warmup_s: float
    measures: tuple[Measure, ...]
    policies: Callable[[str, str], Any] | None
    files: Callable[[str], Path] | None
    again: bool = False

    def simulation(self, prepared: Prepared, response: Response = "none") -> Simulation:
        """A day on which drivers learn: it goes on until the last have arrived."""
        from twin.simulation import Simulation
        from twin.system import system_of

        measures = [m for m in self.measures if not m.over_years]
        return Simulation(
            self.city,
            prepared,
            seed=self.seed,
            begin_s=self.begin_s,
            end_s=self.end_s + CLEAR_S,
            warmup_s=self.warmup_s,
            measures=measures,
            response=response,
            policies=self.policies,
            files=self.files,
            systems_on=sorted({"traffic", *(system_of(m).name for m in measures)}),
            interval_s=INTERVAL_S,
        )

    def flow(self, prepared: Prepared, *, closed: bool) -> Traffic:
        """Traffic after such a day; buses and lorries find their way where streets are closed."""
        sim = self.simulation(prepared, "en_route" if closed else "none")
        traffic: Traffic = sim.parts["traffic"]  # type: ignore[assignment]
        now_s = self.end_s
        while True:
            sim.clock.run(now_s)
            now_s += CLEAR_S / 12.0
            state = traffic.sync()
            if now_s > sim.end_s or bool((state.vehicle["arrive"] >= 0).all()):
                return traffic


class _Assignment:
    """Routes for one draw of trips."""

    def __init__(self, window: _Window, demand: Demand, usual: Prepared | None) -> None:
        from twin.traffic.demand.lines import draw_runs

        self.window, self.usual, self.zones = window, usual, demand.zones
        city, span = window.city, (window.seed, window.begin_s, window.end_s)
        self.network = usual.network if usual else Network.from_city(city)
        self.graphs: Mapping[str, RoadGraph] = (
            usual.graphs
            if usual
            else {name: RoadGraph.from_city(city, name) for name in VEHICLE_CLASSES}
        )
        slow_s = extra_seconds(window.measures, self._outlook(), self.network)
        if slow_s is not None:
            self.graphs = {name: graph.slowed(slow_s) for name, graph in self.graphs.items()}
        drawn = demand.draw(*span).sort_values("depart_s", kind="stable", ignore_index=True)
        routes = self._begun(drawn)
        found = routes.lengths > 0
        self.unrouted = int((~found).sum())
        self.trips, self.routes = drawn[found].reset_index(drop=True), routes.take(found)
        self.stranded: pd.DataFrame | None = None
        self.stops: Stops | None = None
        runs = draw_runs(city, *span, demand.assumptions, demand.headways)
        if len(runs):
            self.trips, self.routes, self.stops = runs.after(self.trips, self.routes)
        self.cars = np.flatnonzero((self.trips["vehicle_type"] == "car").to_numpy())

    def run(self, learning: Mapping[str, Any]) -> Prepared:
        """Learn."""
        graph, usual = self.graphs["cars"], self.usual
        fresh = usual is None or usual.known is None or "theta_per_min" in learning
        known = Experience(self.network, graph)
        if not fresh:
            known = usual.known.on(graph)  # type: ignore[union-attr]
        days = _Days(learning.get("progress"))

        def simulate(car_routes: Routes) -> Run:
            self._take(car_routes)
            usual = self._prepared(self._times(), [])
            traffic = self.window.flow(usual, closed=blocked is not None)
            days.ended(known.copy(), traffic)
            met_s, wait_s = met_times(self.network, traffic.state, self.cars)
            jams = int(traffic.state.clock["passed_jams"][0])
            return Run(known.learn(traffic.state), met_s, wait_s, jams)

        blocked = self._blocked()
        if blocked is not None:
            closed = blocked.all(axis=0)
            self._leave_closed(closed)
            self._leave_out(closed)
        trips = self.trips.iloc[self.cars]
        common = {"seed": self.window.seed, "blocked": blocked, "patience": PATIENCE}
        common |= {**learning, "progress": days.judged}
        if "theta_per_min" in learning:
            found = stochastic_equilibrium(graph, trips, simulate, **common)
        else:
            days_before, step = (0, 1.0) if fresh else usual.learnt  # type: ignore[union-attr]
            common |= {
                "days": days_before,
                "step": step,
                "again": AGAIN if self.window.again else 0,
            }
            start = self.routes.take(self.cars)
            found = equilibrate(graph, trips, simulate, initial=start, **common)
        _warn_of_gridlock(found, self.window.city.name)
        self._take(found.routes)
        before, state, table = days.kept(found.later, WORSE * max(learning["gap"], found.gap))
        times = {name: travel_times(self.network, state, g) for name, g in self.graphs.items()}
        done = self._prepared({**times, "cars": found.times}, found.gaps)
        learnt = found.days, found.step
        return replace(done, learning=table, known=before, learnt=learnt)

    def unlearned(self) -> Prepared:
        """Start without learning."""
        assert self.usual is not None  # noqa: S101 - adapted gives it
        done = self._prepared(self.usual.times, self.usual.gaps)
        usual = self.usual
        return replace(done, learning=usual.learning, known=usual.known, learnt=usual.learnt)

    def _outlook(self) -> Outlook:
        from twin.system import Outlook

        w = self.window
        begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        return Outlook(w.city, begin, 0, w.files or Path, w.begin_s, w.end_s)

    def _times(self) -> Mapping[str, TravelTimes]:
        return {name: TravelTimes.free(graph) for name, graph in self.graphs.items()}

    def _begun(self, trips: pd.DataFrame) -> Routes:
        """Routes to begin with: those of the usual day, else the fastest."""
        times = self.usual.times if self.usual else self._times()
        n = len(trips)
        routes = Routes(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.full(n, np.inf))
        rest = np.arange(n)
        if self.usual is not None:
            identity = self.usual.trips["id"].to_numpy()
            order = np.argsort(identity)
            own = trips["id"].to_numpy()
            at = np.minimum(np.searchsorted(identity, own, sorter=order), len(identity) - 1)
            same = identity[order[at]] == own
            routes = routes.replace(np.flatnonzero(same), self.usual.routes.take(order[at[same]]))
            rest = np.flatnonzero(~same)
        kinds = trips["vehicle_type"].to_numpy()
        for kind in np.unique(kinds[rest]):
            rows = rest[kinds[rest] == kind]
            name = GRAPH_OF[str(kind)]
            routes = routes.replace(rows, self._ways(rows, name, times, None, trips))
        return routes

    def _ways(
        self,
        rows: npt.NDArray[np.int64],
        graph: str,
        times: Mapping[str, TravelTimes],
        closed: Bools | None,
        trips: pd.DataFrame | None = None,
    ) -> Routes:
        """Fastest routes of some trips that enter no closed street."""
        part = (self.trips if trips is None else trips).iloc[rows]
        return shortest_routes(
            self.graphs[graph],
            times[graph],
            part["origin"].to_numpy(),
            part["destination"].to_numpy(),
            part["depart_s"].to_numpy(),
            closed,
        )

    def _blocked(self) -> Any:
        """[intervals, streets] what measures close; None where they close nothing."""
        outlook = self._outlook()
        if not any(e.streets is not None for m in self.window.measures for e in m.effects(outlook)):
            return None
        sim = self.window.simulation(self._prepared(self._times(), []))
        sim.run()
        blocked = sim.parts["traffic"].blocked()  # type: ignore[attr-defined]
        return blocked if blocked.any() else None

    def _leave_closed(self, closed: Bools) -> None:
        """Move the ends of trips off streets that are closed all along.

        To the same street in the other direction where that is open, else to the first, or the
        last, open street of the way.
        """
        other = _opposite(self.window.city)
        ends = {}
        for end, step in (("origin", 1), ("destination", -1)):
            street = self.trips[end].to_numpy().copy()
            back = other[street]
            turned = closed[street] & (back >= 0) & ~closed[back]
            street[turned] = back[turned]
            for row in np.flatnonzero(closed[street]):
                way = self.routes[int(row)]
                free = np.flatnonzero(~closed[way])
                if len(free):
                    street[row] = way[free[0] if step > 0 else free[-1]]
            ends[end] = street
        self.trips = self.trips.assign(**ends)

    def _leave_out(self, closed: Bools) -> None:
        """Give those who come by a closed street another way, and leave out who has none.

        Buses keep the way of their line: they turn off it where it is closed.
        """
        owner = np.repeat(np.arange(len(self.trips)), self.routes.lengths)
        meets = np.unique(owner[closed[self.routes.street]])
        kinds, times = self.trips["vehicle_type"].to_numpy(), self._times()
        kept = np.ones(len(self.trips), bool)
        for kind in np.unique(kinds[meets]):
            rows = meets[kinds[meets] == kind]
            found = self._ways(rows, GRAPH_OF[str(kind)], times, closed)
            there = found.lengths > 0
            kept[rows] = there
            if kind != "bus":
                self.routes = self.routes.replace(rows[there], found.take(there))
        self.unrouted += int((~kept).sum())
        self.stranded = self.trips[~kept].reset_index(drop=True)
        self.trips, self.routes = self.trips[kept].reset_index(drop=True), self.routes.take(kept)
        self.stops = None if self.stops is None else self.stops.take(kept)
        self.cars = np.flatnonzero((self.trips["vehicle_type"] == "car").to_numpy())

    def _prepared(self, times: Mapping[str, TravelTimes], gaps: list[float]) -> Prepared:
        notes = {NO_WAY: float(self.unrouted)}
        return Prepared(
            self.network,
            self.trips,
            self.routes,
            self.graphs,
            times,
            gaps,
            notes,
            self.stops,
            zones=self.zones,
            stranded=self.stranded,
        )

    def _take(self, car_routes: Routes) -> None:
        """Give cars these routes; who a closure leaves no way at all keeps the last one."""
        empty = np.flatnonzero(car_routes.lengths == 0)
        if len(empty):
            usual = self.routes.take(self.cars[empty])
            car_routes = car_routes.replace(empty, usual)
        self.routes = self.routes.replace(self.cars, car_routes)


def _opposite(city: City) -> npt.NDArray[np.int32]:
    """[streets] the street from its end to its start, the shortest of several; -1 without one."""
    ends = city.streets[["from_junction", "to_junction", "length_m"]]
    table = ends.assign(street=np.arange(len(ends))).sort_values("length_m", kind="stable")
    table = table.drop_duplicates(["from_junction", "to_junction"])
    keys = ["to_junction", "from_junction"]
    found = ends.merge(table, how="left", left_on=keys, right_on=keys[::-1])["street"]
    return np.asarray(found.fillna(-1), np.int32)


class _Days:
    """The learning days: all of the best one, and what came of those learnt on after the end."""

    def __init__(self, progress: Callable[[int, float], None] | None) -> None:
        self._progress = progress
        self._last: tuple[Experience, Traffic] | None = None
        self._is_judged = True
        self._best: tuple[float, int, tuple[Experience, Traffic] | None] = (np.inf, 0, None)
        self._later: list[dict[str, float]] = []

    def ended(self, known: Experience, traffic: Traffic) -> None:
        """Keep a day until its gap is known."""
        self._note_later()
        self._last, self._is_judged = (known, traffic), False

    def judged(self, day: int, gap: float) -> None:
        """Note the gap of the last day."""
        self._is_judged = True
        if gap <= self._best[0] or self._best[2] is None:
            self._best = gap, day, self._last
        if self._progress is not None:
            self._progress(day, gap)

    def _note_later(self) -> None:
        """Note what came of the last day if nobody judged it: it was learnt on after the end."""
        if not self._is_judged and self._last is not None:
            self._later.append(self._last[1].flow_indicators())

    def kept(self, later: Sequence[float], most: float) -> tuple[Experience, State, pd.DataFrame]:
        """What was known before the best day, its flow, and the table of it.

        Of the later days, whose gaps are given, the best follows if its gap is at most `most`:
        another equilibrium.
        """
        self._note_later()
        gap, day, best = self._best
        assert best is not None  # noqa: S101 - there is a day at least
        known, traffic = best
        rows = [{"iteration": day, "gap": gap, **traffic.flow_indicators()}]
        if later and min(later) <= most:
            k = int(np.argmin(later))
            rows.append({"iteration": day + k + 1, "gap": later[k], **self._later[k]})
        return known, traffic.state, pd.DataFrame(rows)


def _warn_of_gridlock(found: Equilibrium, city: str) -> None:
    """Say where no equilibrium can be trusted: vehicles did not pass by themselves."""
    met_s = found.run.met_s
    under_way = 0 if met_s is None else int(np.isnan(met_s).sum())
    jams = found.run.passed_jams
    if jams:
        logging.getLogger(__name__).warning(
            "%s: the streets do not carry this demand: in the best of %d iterations %d vehicles "
            "had to be taken past a jam and %d did not arrive, relative gap %.3f; in gridlock "
            "there is no equilibrium, so lower demand.scale",
            city, found.iterations, jams, under_way, found.gap,
        )  # fmt: skip
