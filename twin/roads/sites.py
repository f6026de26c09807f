"""Road works on the clock: crews are SimPy resources, sites file claims on streets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy

from twin import times
from twin.city.lookup import find_streets
from twin.claims import Claim
from twin.clock import Process
from twin.roads.works import Works

if TYPE_CHECKING:
    from twin.simulation import Simulation


@dataclass
class Site:
    """A work site: when its crew began and ended, seconds of the clock."""

    owner: str
    streets: tuple[int, ...]
    lanes_taken: int
    began_s: float | None = None
    ended_s: float | None = None

    def worked_s(self, now_s: float) -> float:
        """Seconds of work so far."""
        if self.began_s is None:
            return 0.0
        return (now_s if self.ended_s is None else self.ended_s) - self.began_s


class Sites:
    """Crews, sites, and the delay that they cause."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.sites: list[Site] = []
        self._works: list[Works] = []
        self._crews: dict[str, simpy.Resource] = {}
        self._waited_s = 0.0

    def apply(self, measure: Works) -> None:
        """Plan works; the street must be in the city."""
        streets = tuple(int(s) for s in find_streets(self.sim.city, measure.street))
        lanes = self.sim.city.streets["lanes"].to_numpy()
        taken = sum(int(lanes[s]) if measure.closes else measure.lanes_taken for s in streets)
        self._works.append(measure)
        self.sites.append(Site(f"roads/works-{len(self._works)}", streets, taken))

    def start(self) -> None:
        """Start a process for each site."""
        for measure, site in zip(self._works, self.sites, strict=True):
            if measure.crew not in self._crews:
                self._crews[measure.crew] = simpy.Resource(self.sim.clock.env, capacity=1)
            self.sim.clock.process(self._work(measure, site))

    def _work(self, measure: Works, site: Site) -> Process:
        sim = self.sim
        if site.ended_s is not None:
            return
        if site.began_s is None:
            yield sim.clock.until(times.seconds(measure.begin))
        asked_s = max(times.seconds(measure.begin), sim.begin_s)
        with self._crews[measure.crew].request() as crew:
            yield crew
            fresh = site.began_s is None
            if site.began_s is None:
                site.began_s = sim.clock.now_s
                self._waited_s += site.began_s - asked_s
            end_s = site.began_s + measure.hours * 3600.0
            sim.claims.file(*(self._claim(measure, site, s, end_s) for s in site.streets))
            if fresh:
                sim.note("roads", "works_begin", measure.describe(), site.streets[0])
            yield sim.clock.until(end_s)
            sim.claims.withdraw(site.owner)
            site.ended_s = sim.clock.now_s
            sim.note("roads", "works_end", f"works on {measure.street} end", site.streets[0])

    def _claim(self, measure: Works, site: Site, street: int, until_s: float) -> Claim:
        if measure.closes:
            return Claim(site.owner, street, open=False, until_s=until_s)
        lanes = int(self.sim.city.streets["lanes"].iloc[street])
        return Claim(site.owner, street, lanes=max(0, lanes - measure.lanes_taken), until_s=until_s)

    def indicators(self) -> dict[str, float]:
        """Delay against the same day without works, lane hours, waits for crews."""
        now_s = min(self.sim.clock.now_s, self.sim.end_s)
        hours = sum(s.lanes_taken * s.worked_s(now_s) for s in self.sites) / 3600.0
        return {
            "works_delay_h": self._delay_caused() if self.sites else 0.0,
            "works_lane_h": hours,
            "works_wait_h": self._waited_s / 3600.0,
        }

    def _delay_caused(self) -> float:
        """Total delay with the works less that of the same replication without them."""
        ours = self.sim.parts["traffic"].indicators()["total_delay_h"]
        return float(ours - self.sim.without("roads").indicators["total_delay_h"])

    def snapshot(self) -> Any:
        """Copies of the sites."""
        return [Site(**vars(s)) for s in self.sites], self._waited_s

    def restore(self, state: Any) -> None:
        """Go back to a copy."""
        sites, self._waited_s = state
        self.sites = [Site(**vars(s)) for s in sites]
