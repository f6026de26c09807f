"""The roads room at work in a simulation: road works of a day, and the upkeep of years."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twin.clock import Process
from twin.errors import ScenarioError
from twin.roads import costs, files
from twin.roads.decade import Settings
from twin.roads.deterioration import WEEKS
from twin.roads.inventory import make_inventory
from twin.roads.measures import Inspection, Maintenance, Pavement
from twin.roads.planners import ByShift, DoNothing, FixedPlan
from twin.roads.programme import Programme
from twin.roads.sections import make_sections, make_tour
from twin.roads.sites import Sites
from twin.roads.tables import programme_indicators, programme_tables
from twin.roads.treatments import option_name
from twin.roads.works import Works

if TYPE_CHECKING:
    import pandas as pd

    from twin.roads.view import Planner
    from twin.simulation import Simulation

LORRY_EUR_KM = 3.0  # of a camera on a refuse lorry, which drives there anyway; own estimate


@dataclass
class Upkeep:
    """Measures of the upkeep of roads, the last of a kind counts."""

    maintenance: Maintenance | None = None
    inspection: Inspection = field(default_factory=Inspection)
    pavement: Pavement = field(default_factory=Pavement)


class Roads:
    """Sites of a day, and a programme of years where a scenario has one."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.sites = Sites(sim)
        self._upkeep = Upkeep()
        self._asked = False
        self.programme: Programme | None = None
        self.refused: tuple[str, ...] = ()
        self._planned: tuple[files.Planned, ...] = ()
        self._left = 0  # lines of the plan that nobody began in their year

    def apply(self, measure: Any) -> None:
        """Take in a measure of roads."""
        if isinstance(measure, Works):
            self.sites.apply(measure)
            return
        self._asked = True
        setattr(self._upkeep, measure.kind, measure)

    def start(self) -> None:
        """Start the processes of sites and programme."""
        if self.sites.sites and "traffic" not in self.sim.parts:
            msg = (
                "measure 'works' is judged by the delay of traffic, which is off: add traffic to "
                "systems, or ask for the works in a plan of maintenance"
            )
            raise ScenarioError(msg)
        self.sites.start()
        if self.sim.years < 1 and not self._asked:
            return
        if self.sim.years < 1:
            kind = "maintenance" if self._upkeep.maintenance else "inspection"
            msg = f"measure {kind!r} works over years: write years: 10, or as many as are wanted"
            raise ScenarioError(msg)
        self.programme = self._make_programme()
        self.programme.start()
        if self._planned:
            self.sim.clock.process(self._watch_plan(self.programme))

    def _make_programme(self) -> Programme:
        sim, upkeep = self.sim, self._upkeep
        wanted = upkeep.maintenance or Maintenance(policy="do_nothing", closures="none")
        sections = make_sections(sim.city)
        tour, tour_km = make_tour(sim.city, sections)
        use = sim.usage(sections, closures=wanted.closures != "none")
        prices = costs.DEFAULT
        if upkeep.inspection.carrier == "refuse_lorry":
            prices = replace(prices, inspection_eur_km=LORRY_EUR_KM)
        settings = Settings(
            years=sim.years,
            budget_eur=wanted.budget_eur,
            crews=wanted.crews,
            pavers=wanted.pavers,
            passes_per_year=upkeep.inspection.passes_per_year,
            truth=upkeep.pavement.truth,
            belief=upkeep.pavement.belief,
            start_week=min(51, sim.clock.start.timetuple().tm_yday // 7),
            prices=prices,
        )
        inventory = make_inventory(
            sections, use, tour=tour, tour_km=tour_km, truth=settings.truth,
            belief=settings.belief, prices=prices,
        )  # fmt: skip
        rules = settings.rules(inventory)
        planner = ByShift(self._planner(wanted, sections), wanted.shift)
        joint = sim.closures(sections) if wanted.closures == "joint" else None
        programme = Programme(
            sim, sections, inventory, rules, planner,
            vehicles=upkeep.inspection.vehicles, closures=wanted.closures,
            arrangement=use.arrangement, joint=joint,
        )  # fmt: skip
        self._read_files(programme)
        return programme

    def _watch_plan(self, programme: Programme) -> Process:
        """Note at the end of each year which lines of the plan nobody began."""
        for year in range(1, self.sim.years + 1):
            yield self.sim.clock.until(programme.end_of_year_s(year) - 1.0)
            begun = {
                w.section
                for w in programme.works
                if 1 + w.asked // WEEKS == year and w.outcome not in ("waiting", "season over")
            }
            for line in self._planned:
                if line.year == year and line.section not in begun:
                    self._left += 1
                    row = programme.sections.iloc[line.section]
                    what = f"{option_name(line.option)} on {row['name'] or row['id']}"
                    text = f"planned for year {year}, not begun: {what}"
                    self.sim.note("roads", "not_begun", text, int(row["street"]))

    def _planner(self, wanted: Maintenance, sections: pd.DataFrame) -> Planner:
        """Who decides: a plan of the scenario, nobody, or a policy by name."""
        if wanted.plan is not None:
            path = self.sim.file(wanted.plan)
            lines = files.read_plan(path, sections, wanted.plan, self.sim.years)
            self._planned = lines
            return FixedPlan(lines)
        if wanted.policy == "do_nothing":
            return DoNothing()
        planner: Planner = self.sim.policy(wanted.policy, "roads")
        return planner

    def _read_files(self, programme: Programme) -> None:
        """Let the belief take in what the city has been told."""
        pavement, sim = self._upkeep.pavement, self.sim
        now = sim.clock.start + dt.timedelta(seconds=sim.begin_s)
        told = pavement.told(sim.city, programme.sections, now, sim.file)
        self.refused = tuple(line for rows in told.values() for line in rows.refused)
        files.believe(programme.inventory, programme.rules, programme.state, **told)
        programme.note_start()
        for line in self.refused:
            sim.note("roads", "refused", line)

    def indicators(self) -> dict[str, float]:
        """Values of the indicators of roads."""
        found = self.sites.indicators() if "traffic" in self.sim.parts else {}
        if self.programme is not None:
            found.update(programme_indicators(self.programme))
            found["rows_refused"] = float(len(self.refused))
            found["plan_left"] = float(self._left)
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of a programme; sites are events."""
        return {} if self.programme is None else programme_tables(self.programme)

    def snapshot(self) -> Any:
        """Copies of the sites.

        Raises
        ------
        ScenarioError
            While a programme of years is under way: its processes cannot be copied.
        """
        if self.programme is not None:
            msg = "a programme of years cannot be copied half way; take the snapshot without it"
            raise ScenarioError(msg)
        return self.sites.snapshot()

    def restore(self, state: Any) -> None:
        """Go back to a copy."""
        self.sites.restore(state)
