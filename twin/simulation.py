"""One city, one clock: the systems of a replication brought together and run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.claims import Claims
from twin.clock import Clock
from twin.errors import SimulationError
from twin.ledger import Ledger, Results
from twin.system import Measure, Outlook, Part, Response, system_of, systems
from twin.traffic.preparation import Prepared, prepare

if TYPE_CHECKING:
    import geopandas as gpd

    from twin.city import City
    from twin.roads.inventory import Use
    from twin.traffic.demand import Demand

DAY_S = 86_400.0
WEEKS = 52  # of a year of slow systems
__all__ = ["Prepared", "Response", "Simulation", "Snapshot", "prepare"]


@dataclass(frozen=True)
class Snapshot:
    """State of a simulation between two ticks; `Simulation(..., snapshot=...)` goes on from it."""

    now_s: float
    parts: Mapping[str, Any]
    events: tuple[Any, ...] = field(default=())


class Simulation:
    """A replication: a city, prepared traffic, measures, and what follows.

    Parameters
    ----------
    city
        The city.
    prepared
        Trips and routes; drawn and routed for `seed` where not given.
    seed
        Seed of every stream of random numbers.
    begin_s, end_s
        Window that is simulated, seconds from midnight of `day`.
    warmup_s
        Trips due in the first seconds of the window are simulated but not counted.
    measures
        Measures (interventions) of any registered system.
    response
        How drivers respond to closures: "none", "en_route" (those who meet one take
        another way), or "equilibrium" (`prepared` was routed with the measures; those
        under way respond, too).
    informed
        Share of drivers, 0 to 1, who learn of a closure when it begins; the others respond
        where they meet it.
    policies
        Finds the controller, or the planner of another domain, that a measure names.
    demand
        Expected trips of a usual day, for systems that ask what closures cost over years.
    years
        Years, of 52 weeks, that slow systems go on after the window's first day; traffic is
        simulated in the window only.
    files
        Finds the file that a measure names.
    systems_on
        Names of the systems that take part; all unless given.
    interval_s
        Length of the intervals in which streets are measured.
    snapshot
        Go on from here instead of starting with empty streets.
    record
        Whether the results tell when every vehicle was on which lane, and what every light
        showed: tables `passages` and `lights`, of the whole window.

    Raises
    ------
    SimulationError
        For a window that ends before it begins, or a measure of a system that is off.
    """

    def __init__(
        self,
        city: City,
        prepared: Prepared | None = None,
        *,
        seed: int = 0,
        begin_s: float = 7 * 3600.0,
        end_s: float = 9 * 3600.0,
        warmup_s: float = 0.0,
        measures: Sequence[Measure] = (),
        response: Response = "none",
        informed: float = 1.0,
        policies: Callable[[str, str], Any] | None = None,
        demand: Demand | None = None,
        years: int = 0,
        files: Callable[[str], Path] | None = None,
        systems_on: Sequence[str] | None = None,
        day: dt.date = dt.date(2026, 9, 15),
        interval_s: float = 900.0,
        snapshot: Snapshot | None = None,
        record: bool = False,
    ) -> None:
        if end_s <= begin_s:
            msg = f"the window ends at {end_s:g} s, not after its begin at {begin_s:g} s"
            raise SimulationError(msg)
        self.city, self.seed = city, seed
        self.begin_s, self.end_s, self.interval_s = begin_s, end_s, interval_s
        self.counted_from_s = begin_s + warmup_s
        self.measures, self.response = tuple(measures), response
        self.informed, self.record = informed, record
        self._policies, self._files, self._demand = policies, files, demand
        self.years = years
        self._arguments: dict[str, Any] = {
            "seed": seed,
            "begin_s": begin_s,
            "end_s": end_s,
            "warmup_s": warmup_s,
            "response": response,
            "informed": informed,
            "policies": policies,
            "demand": demand,
            "years": years,
            "files": files,
            "systems_on": systems_on,
            "day": day,
            "interval_s": interval_s,
        }
        self._prepared = prepared
        midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        self.clock = Clock(midnight, begin_s if snapshot is None else snapshot.now_s)
        self.claims = Claims(len(city.streets))
        self.ledger = Ledger()
        self.parts: dict[str, Part] = self._make_parts(systems_on)
        if snapshot is not None:
            self.ledger.events.extend(snapshot.events)
            for name, state in snapshot.parts.items():
                self.parts[name].restore(state)
        for part in self.parts.values():
            part.start()

    @property
    def prepared(self) -> Prepared:
        """Trips and routes; made when first asked for, where none were given."""
        if self._prepared is None:
            window = {"seed": self.seed, "begin_s": self.begin_s, "end_s": self.end_s}
            self._prepared = prepare(self.city, self._demand, **window)  # type: ignore[arg-type]
        return self._prepared

    @property
    def outlook(self) -> Outlook:
        """What measures may know of the run."""
        begin = self.clock.start + dt.timedelta(seconds=self.counted_from_s)
        return Outlook(self.city, begin, self.years, self.file, self.begin_s, self.end_s)

    @property
    def last_s(self) -> float:
        """Second at which the run ends: that of the window, or just after the years."""
        days = self.begin_s // DAY_S + 7 * WEEKS * self.years
        return max(self.end_s, days * DAY_S + 1.0) if self.years else self.end_s

    def _make_parts(self, systems_on: Sequence[str] | None) -> dict[str, Part]:
        known = systems()
        wanted = list(known) if systems_on is None else list(systems_on)
        unknown = [name for name in wanted if name not in known]
        if unknown:
            msg = f"system {unknown[0]!r} is not registered; there are {', '.join(known)}"
            raise SimulationError(msg)
        parts = {name: system.create(self) for name, system in known.items() if name in wanted}
        for measure in self.measures:
            system = system_of(measure)
            if system.name not in parts:
                msg = (
                    f"measure {measure.kind!r} belongs to the system {system.name!r}, "
                    "which is off; switch it on"
                )
                raise SimulationError(msg)
            parts[system.name].apply(measure)
        return parts

    def note(self, system: str, kind: str, text: str, street: int = -1) -> None:
        """Write an event of now into the ledger."""
        self.ledger.record(self.clock.now_s, system, kind, text, street)

    def policy(self, name: str, domain: str = "signals") -> Any:
        """The controller of that name, or the planner of another domain.

        Raises
        ------
        SimulationError
            Where nobody was given who knows policies.
        """
        if self._policies is None:
            msg = f"policy {name!r} cannot be found: the simulation was given no policies"
            raise SimulationError(msg)
        return self._policies(name, domain)

    def file(self, name: str) -> Path:
        """Where a file lies that a measure names."""
        return Path(name) if self._files is None else self._files(name)

    def usage(self, sections: gpd.GeoDataFrame, *, closures: bool) -> Use:
        """How sections of road are used on a usual day (`twin.usage`)."""
        from twin.usage import make_use

        return make_use(self.city, sections, self._usual_demand(), closures=closures)

    def closures(self, sections: gpd.GeoDataFrame) -> Callable[..., tuple[float, float]]:
        """What works cost drivers that go on at the same time (`twin.usage.Closures.cost`)."""
        from twin.days import hours_of
        from twin.usage import Closures

        hours = hours_of(self.city, self._usual_demand())
        return Closures(self.city, sections, hours, seed=0).cost

    def _usual_demand(self) -> Demand:
        from twin.traffic.demand import Demand

        if self._demand is None:
            self._demand = Demand.generate(self.city)
        return self._demand

    def run(self, until_s: float | None = None) -> Results:
        """Run to the end of window and years, or to `until_s`, and report."""
        self.clock.run(self.last_s if until_s is None else min(until_s, self.last_s))
        return self.results()

    def results(self) -> Results:
        """Indicators and tables of what has happened so far."""
        import pandas as pd

        indicators: dict[str, float] = {}
        tables: dict[str, pd.DataFrame] = {}
        for part in self.parts.values():
            indicators.update(part.indicators())
            tables.update(part.tables())
        columns = ["time_s", "system", "kind", "street", "text"]
        tables["events"] = pd.DataFrame([vars(e) for e in self.ledger.events], columns=columns)
        return Results(indicators, tables)

    def without(self, system: str) -> Results:
        """Results of the same replication without the measures of one system."""
        rest = [m for m in self.measures if system_of(m).name != system]
        end_s = min(self.clock.now_s, self.end_s)
        arguments = {**self._arguments, "end_s": end_s, "years": 0}
        if self.clock.now_s <= self.begin_s:
            return self.results()
        return Simulation(self.city, self.prepared, measures=rest, **arguments).run()

    def snapshot(self) -> Snapshot:
        """State from which `Simulation(..., snapshot=...)` with the same arguments goes on."""
        return Snapshot(
            self.clock.now_s,
            {name: part.snapshot() for name, part in self.parts.items()},
            tuple(self.ledger.events),
        )
