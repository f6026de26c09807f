"""Traffic before a simulation: trips of a seed, and routes near a user equilibrium."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.assignment import equilibrate
from twin.traffic.indicators import travel_times
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, shortest_routes
from twin.traffic.state import Vehicles, initial_state

if TYPE_CHECKING:
    from twin.city import City
    from twin.system import Measure
    from twin.traffic.demand.generate import Demand

GRAPH_OF = {"car": "cars", "lorry": "lorries", "bus": "buses"}
INTERVAL_S = 900.0


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
    """

    network: Network
    trips: pd.DataFrame
    routes: Routes
    graphs: Mapping[str, RoadGraph]
    times: Mapping[str, TravelTimes]
    gaps: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)

    def graph_and_times(self, vehicle_class: str) -> tuple[RoadGraph, TravelTimes]:
        """Graph of a vehicle class, and the times on it on a usual day."""
        name = GRAPH_OF[vehicle_class]
        return self.graphs[name], self.times[name]

    def vehicles(self, network: Network, seed: int) -> Vehicles:
        """Vehicles of the trips; drivers' speeds are drawn by trip."""
        return vehicles_of(network, self.trips, self.routes, seed)

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


def vehicles_of(network: Network, trips: pd.DataFrame, routes: Routes, seed: int) -> Vehicles:
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
    policies: Callable[[str], Any] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Prepared:
    """Draw the trips of a seed and route them toward a dynamic user equilibrium.

    Cars take part in the equilibrium; lorries keep the fastest way of an empty city that
    is open to them.  With measures, the equilibrium is that of a city in which they hold.
    """
    from twin.traffic.demand.generate import Demand

    demand = demand or Demand.generate(city)
    network = Network.from_city(city)
    drawn = demand.draw(seed, begin_s, end_s)
    trips = drawn.sort_values("depart_s", kind="stable", ignore_index=True)
    graphs = {name: RoadGraph.from_city(city, name) for name in ("cars", "lorries", "buses")}
    work = _Assignment(city, network, graphs, trips, seed, begin_s, end_s)
    return work.run(iterations, gap, measures, policies, progress)


class _Assignment:
    """Routes for one draw of trips."""

    def __init__(
        self,
        city: City,
        network: Network,
        graphs: Mapping[str, RoadGraph],
        trips: pd.DataFrame,
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
        iterations: int,
        gap: float,
        measures: Sequence[Measure],
        policies: Callable[[str], Any] | None,
        progress: Callable[[int, float], None] | None,
    ) -> Prepared:
        graph = self.graphs["cars"]
        blocked: Any = None
        if measures:
            sim = self._simulation(measures, policies)
            sim.run()
            blocked = sim.parts["traffic"].blocked()

        def simulate(car_routes: Routes) -> TravelTimes:
            self.routes = self.routes.replace(self.cars, car_routes)
            if measures:
                inner = self._simulation(measures, policies)
                inner.run()
                state = inner.parts["traffic"].state
            else:
                state = self._flow()
            self.last = state
            return travel_times(self.network, state, graph)

        found = equilibrate(
            graph,
            self.trips.iloc[self.cars],
            simulate,
            iterations=iterations,
            gap=gap,
            seed=self.seed,
            blocked=blocked,
            initial=self.routes.take(self.cars),
            progress=progress,
        )
        self.routes = self.routes.replace(self.cars, _filled(found.routes, self.routes, self.cars))
        times = {
            name: travel_times(self.network, self.last, g) for name, g in self.graphs.items()
        }
        return self._prepared({**times, "cars": found.times}, found.gaps)

    def _prepared(self, times: Mapping[str, TravelTimes], gaps: list[float]) -> Prepared:
        notes = {"trips without a route": float(self.unrouted)}
        return Prepared(
            self.network, self.trips, self.routes, self.graphs, times, gaps, notes
        )

    def _flow(self) -> Any:
        vehicles = vehicles_of(self.network, self.trips, self.routes, self.seed)
        state = initial_state(
            self.network,
            vehicles,
            begin_s=self.begin_s,
            end_s=self.end_s,
            interval_s=INTERVAL_S,
        )
        end = round(self.end_s * self.network.arrays.tps)
        advance(self.network.arrays, self.network.signals, state, end)
        return state

    def _simulation(
        self, measures: Sequence[Measure], policies: Callable[[str], Any] | None
    ) -> Any:
        from twin.simulation import Simulation

        free = {name: TravelTimes.free(graph) for name, graph in self.graphs.items()}
        return Simulation(
            self.city,
            self._prepared(free, []),
            seed=self.seed,
            begin_s=self.begin_s,
            end_s=self.end_s,
            measures=measures,
            response="none",
            policies=policies,
            interval_s=INTERVAL_S,
        )


def _filled(routes: Routes, usual: Routes, index: Any) -> Routes:
    """`routes`, with the usual ones where a closure leaves no way at all."""
    empty = np.flatnonzero(routes.lengths == 0)
    return routes.replace(empty, usual.take(index[empty])) if len(empty) else routes
