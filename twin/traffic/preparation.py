"""Traffic before a simulation: trips of a seed, and routes near a user equilibrium."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.assignment import Equilibrium, Run, equilibrate
from twin.traffic.experience import Experience, met_times
from twin.traffic.indicators import travel_times
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes
from twin.traffic.state import Stops, Vehicles, initial_state
from twin.traffic.stochastic import THETA_PER_MIN, stochastic_equilibrium

if TYPE_CHECKING:
    from twin.city import City
    from twin.system import Measure
    from twin.traffic.demand.generate import Demand
    from twin.traffic.demand.lines import Runs

GRAPH_OF = {"car": "cars", "lorry": "lorries", "bus": "buses"}
ROUTE_CHOICES = ("equilibrium", "c_logit")
INTERVAL_S = 900.0
CLEAR_S = 3600.0  # longest run past the end, so that those who depart last still arrive
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
    """

    network: Network
    trips: pd.DataFrame
    routes: Routes
    graphs: Mapping[str, RoadGraph]
    times: Mapping[str, TravelTimes]
    gaps: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)
    stops: Stops | None = None

    def graph_and_times(self, vehicle_class: str) -> tuple[RoadGraph, TravelTimes]:
        """Graph of a vehicle class, and the times on it on a usual day."""
        name = GRAPH_OF[vehicle_class]
        return self.graphs[name], self.times[name]

    def vehicles(self, network: Network, seed: int) -> Vehicles:
        """Vehicles of the trips; drivers' speeds are drawn by trip."""
        return vehicles_of(network, self.trips, self.routes, seed, self.stops)

    def trip_labels(self) -> pd.DataFrame:
        """The columns of a result table that do not depend on the simulation."""
        t = self.trips
        return pd.DataFrame(
            {
                "vehicle": np.arange(len(t)),
                "id": t["id"].astype(str).to_numpy(),
                "origin": t["origin"].to_numpy(),
                "destination": t["destination"].to_numpy(),
                "purpose": t["purpose"].to_numpy(),
                "vehicle_type": t["vehicle_type"].to_numpy(),
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
    iterations: int = 8,
    gap: float = 0.02,
    measures: Sequence[Measure] = (),
    policies: Callable[[str, str], Any] | None = None,
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
    iterations, gap
        Stop after so many runs, or at this gap; earlier without progress.
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
    from twin.traffic.demand.lines import draw_runs

    demand = demand or Demand.generate(city)
    network = Network.from_city(city)
    drawn = demand.draw(seed, begin_s, end_s)
    trips = drawn.sort_values("depart_s", kind="stable", ignore_index=True)
    graphs = {name: RoadGraph.from_city(city, name) for name in ("cars", "lorries", "buses")}
    runs = draw_runs(city, seed, begin_s, end_s, demand.assumptions, demand.headways)
    work = _Assignment(city, network, graphs, trips, runs, seed, begin_s, end_s)
    learning: dict[str, Any] = {"iterations": iterations, "gap": gap, "progress": progress}
    if route_choice == "c_logit":
        learning["theta_per_min"] = theta_per_min
    return work.run(learning, measures, policies)


class _Assignment:
    """Routes for one draw of trips."""

    def __init__(
        self,
        city: City,
        network: Network,
        graphs: Mapping[str, RoadGraph],
        trips: pd.DataFrame,
        runs: Runs,
        seed: int,
        begin_s: float,
        end_s: float,
    ) -> None:
        self.city, self.network, self.graphs = city, network, graphs
        self.seed, self.begin_s, self.end_s = seed, begin_s, end_s
        free = {name: TravelTimes.free(graph) for name, graph in graphs.items()}
        self.routes = self._fastest(trips, free)
        found = self.routes.lengths > 0
        self.unrouted = int((~found).sum())
        self.trips = trips[found].reset_index(drop=True)
        self.routes = self.routes.take(found)
        self.stops: Stops | None = None
        if len(runs):
            self.trips, self.routes, self.stops = runs.after(self.trips, self.routes)
        self.cars = np.flatnonzero((self.trips["vehicle_type"] == "car").to_numpy())

    def _fastest(self, trips: pd.DataFrame, times: Mapping[str, TravelTimes]) -> Routes:
        n = len(trips)
        routes = Routes(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.full(n, np.inf))
        for kind in trips["vehicle_type"].unique():
            rows = np.flatnonzero((trips["vehicle_type"] == kind).to_numpy())
            name = GRAPH_OF[str(kind)]
            part = trips.iloc[rows]
            found = shortest_routes(
                self.graphs[name],
                times[name],
                part["origin"].to_numpy(),
                part["destination"].to_numpy(),
                part["depart_s"].to_numpy(),
            )
            routes = routes.replace(rows, found)
        return routes

    def run(
        self,
        learning: Mapping[str, Any],
        measures: Sequence[Measure],
        policies: Callable[[str, str], Any] | None,
    ) -> Prepared:
        graph = self.graphs["cars"]
        blocked: Any = None
        if measures:
            sim = self._simulation(measures, policies)
            sim.run()
            blocked = sim.parts["traffic"].blocked()

        known = Experience(self.network, graph)

        def simulate(car_routes: Routes) -> Run:
            self._take(car_routes)
            if measures:
                inner = self._simulation(measures, policies)
                inner.run()
                state = inner.parts["traffic"].state
            else:
                state = self._flow()
            self.last = state
            met_s, wait_s = met_times(self.network, state, self.cars)
            jams = int(state.clock["passed_jams"][0])
            return Run(known.learn(state), met_s, wait_s, jams)

        trips = self.trips.iloc[self.cars]
        common = {"seed": self.seed, "blocked": blocked, "patience": PATIENCE, **learning}
        if "theta_per_min" in learning:
            found = stochastic_equilibrium(graph, trips, simulate, **common)
        else:
            start = self.routes.take(self.cars)
            found = equilibrate(graph, trips, simulate, initial=start, **common)
        _warn_of_gridlock(found, self.city.name)
        self._take(found.routes)
        times = {name: travel_times(self.network, self.last, g) for name, g in self.graphs.items()}
        return self._prepared({**times, "cars": found.times}, found.gaps)

    def _prepared(self, times: Mapping[str, TravelTimes], gaps: list[float]) -> Prepared:
        notes = {"trips without a route": float(self.unrouted)}
        return Prepared(
            self.network, self.trips, self.routes, self.graphs, times, gaps, notes, self.stops
        )

    def _take(self, car_routes: Routes) -> None:
        """Give cars these routes; who a closure leaves no way at all keeps the last one."""
        empty = np.flatnonzero(car_routes.lengths == 0)
        if len(empty):
            usual = self.routes.take(self.cars[empty])
            car_routes = car_routes.replace(empty, usual)
        self.routes = self.routes.replace(self.cars, car_routes)

    def _flow(self) -> Any:
        vehicles = vehicles_of(self.network, self.trips, self.routes, self.seed, self.stops)
        state = initial_state(
            self.network,
            vehicles,
            begin_s=self.begin_s,
            end_s=self.end_s + CLEAR_S,
            interval_s=INTERVAL_S,
        )
        now_s = self.end_s
        while True:
            end = round(now_s * self.network.arrays.tps)
            advance(self.network.arrays, self.network.signals, state, end)
            now_s += CLEAR_S / 12.0
            if now_s > self.end_s + CLEAR_S or bool((state.vehicle["arrive"] >= 0).all()):
                return state

    def _simulation(
        self, measures: Sequence[Measure], policies: Callable[[str, str], Any] | None
    ) -> Any:
        from twin.simulation import Simulation

        free = {name: TravelTimes.free(graph) for name, graph in self.graphs.items()}
        return Simulation(
            self.city,
            self._prepared(free, []),
            seed=self.seed,
            begin_s=self.begin_s,
            end_s=self.end_s,
            measures=[m for m in measures if not m.over_years],
            response="none",
            policies=policies,
            interval_s=INTERVAL_S,
        )


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
