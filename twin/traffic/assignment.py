"""Dynamic user equilibrium: drivers change routes until nobody gains by changing.

Wardrop's first principle by departure time: each trip takes a route that is fastest at the times
that all trips together cause. It is approached by iteration. A traffic model turns routes into
times, the fastest routes on these times are found, and some trips switch to theirs.

How far one is from equilibrium is the relative gap over all trips that have a route,

    sum(cost - fastest) / sum(fastest),

with `fastest` the fastest route for the trip's own departure at the times that the run gave (by
departure time as in Lu, Mahmassani and Zhou 2009). `cost` is taken twice: as the time that each
vehicle met, where the run knows it, and as what those times say of its route. The larger gap
counts. Waiting to enter the network is in neither, for no route avoids it. Times where few drove
or nobody did are the traffic model's to give; those of `twin.traffic.experience` lean on earlier
runs, so that this part of the gap is not of the last run alone.

Which trips switch decides how fast the gap falls. Switching a share 1/k in iteration k (method of
successive averages, rule `msa`) moves trips that have nothing to gain as readily as trips that lose
much. Lu, Mahmassani and Zhou (2009) shift flow in proportion to what a path loses against the
fastest; for single trips the rule `excess` makes that a probability, sqrt(excess / mean excess) /
step. The step regulates itself (Liu, He and He 2009): it grows much when the gap rose and little
when it fell. On congested grids of point queues that left 30 to 40 % of the gap of `msa` after 20
iterations (0.0012 to 0.0030, one seed, on networks that the rule was chosen on). Where one or two
bottlenecks decide, `msa` ended ahead in a single run (best gaps 0.026 against
0.060 and 0.040 against 0.057).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import SimulationError
from twin.random import Stream
from twin.traffic.routing import RoadGraph, Routes, TravelTimes, route_costs, shortest_routes

if TYPE_CHECKING:
    import pandas as pd

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Progress = Callable[[int, float], None]

RULES = ("excess", "msa")
STEP_WORSE, STEP_BETTER = 1.5, 0.5  # growth of the step when the gap rose or fell
PROGRESS = 0.01  # share by which the smallest gap must fall to count as progress


@dataclass(frozen=True, eq=False)
class Run:
    """What one run of all trips showed.

    Parameters
    ----------
    times : times over turns and streets by interval of entry
    met_s : [trips] s from entering the network to arriving; NaN for who has not arrived
    wait_s : [trips] s from being due to entering the network
    passed_jams : vehicles that were taken past a jam, without which the run would be gridlocked
    """

    times: TravelTimes
    met_s: Floats | None = None
    wait_s: Floats | None = None
    passed_jams: int = 0


Simulate = Callable[[Routes], "TravelTimes | Run"]


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The best iteration of an assignment.

    Parameters
    ----------
    routes : route of each trip
    times : the times that these routes produced
    gaps : relative gap of each iteration
    gap : relative gap of `routes` on `times`, the smallest of `gaps`
    iterations : number of simulations run
    unrouted : number of trips without any route; they take no part
    run : the run of `routes`
    stopped : why it ended: `gap` reached, no `progress`, or the number of `iterations`
    days, step : what `equilibrate` takes to go on from the day before `routes` were judged
    later : gaps of the days that were learnt on `again`
    """

    routes: Routes
    times: TravelTimes
    gaps: list[float]
    gap: float
    iterations: int
    unrouted: int
    run: Run
    stopped: str
    days: int = 0
    step: float = 1.0
    later: list[float] = field(default_factory=list)


def equilibrate(
    graph: RoadGraph,
    trips: pd.DataFrame,
    simulate: Simulate,
    *,
    iterations: int = 30,
    gap: float = 0.01,
    seed: int = 0,
    blocked: Bools | None = None,
    initial: Routes | None = None,
    rule: str = "excess",
    patience: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    days: int = 0,
    step: float = 1.0,
    again: int = 0,
) -> Equilibrium:
    """Return routes near a dynamic user equilibrium.

    Parameters
    ----------
    graph : graph of the trips' vehicle class
    trips : columns `origin`, `destination`, `depart_s` (s on the clock of the times that `simulate`
        returns) and, if draws shall follow trips and not rows, `id` (integer)
    simulate : runs the traffic and returns the times that were met, per turn and interval of
        entry, with free or expected times where nobody drove; as a `Run` where it also knows what
        each vehicle met
    iterations : largest number of simulations
    gap : stop when the relative gap is at most this
    seed : seed of the draws of who switches
    blocked : streets that may not be entered, [streets] or [K, streets]
    initial : routes to start from; default the fastest in an empty city
    rule : who switches: `excess` (those who lose more, more likely) or `msa` (a share 1/k of all)
    patience : stop when so many iterations have not brought the smallest gap down by 1 %
    threads : threads of the route search
    progress : called with iteration and gap
    days, step : iterations that drivers have learnt before, for whom draws and step go on
    again : learn for so many days more, at most, until the gap is as small once more, or as was
        asked for; what these days change, which are not kept, tells how exact the equilibrium is

    Returns
    -------
    The iteration of the smallest gap: its routes, and the times and the gap that they produced.

    Raises
    ------
    SimulationError : an argument is out of range or shapes disagree
    """
    if rule not in RULES or iterations < 1:
        msg = f"rule(={rule!r}) must be in {RULES} and iterations(={iterations}) >= 1."
        raise SimulationError(msg)
    drivers = _Drivers(graph, trips, blocked, seed, threads)
    routes = drivers.start(initial)
    kept, kept_run, kept_at, gaps = routes, Run(TravelTimes.free(graph)), (days, step), [np.inf]
    for iteration in range(1, iterations + 1):
        run = _as_run(simulate(routes))
        cost_s, best_s, best = drivers.judge(routes, run)
        gaps.append(run_gap(cost_s, best_s, run.met_s))
        if progress is not None:
            progress(iteration, gaps[-1])
        if gaps[-1] <= min(gaps):
            kept, kept_run = Routes(routes.ptr, routes.street, cost_s), run
            kept_at = days + iteration - 1, step
        stopped = _stop(gaps[1:], gap, patience, iterations)
        if stopped:
            break
        step = _next_step(step, gaps, rule)
        chance = switch_chance(cost_s, best_s, step, rule)
        routes = drivers.switch(routes, best, chance, days + iteration)
    aim = max(gap, min(gaps))
    later = _gaps_again(drivers, simulate, kept, kept_run, kept_at, min(gaps), aim, again, rule)
    unrouted = int(np.sum(kept.lengths == 0))
    return Equilibrium(
        kept, kept_run.times, gaps[1:], min(gaps), len(gaps) - 1, unrouted, kept_run, stopped,
        *kept_at, later,
    )  # fmt: skip


def _gaps_again(
    drivers: _Drivers,
    simulate: Simulate,
    routes: Routes,
    run: Run,
    at: tuple[int, float],
    gap: float,
    aim: float,
    most: int,
    rule: str,
) -> list[float]:
    """Return the gaps of the days after the kept one, until one is at the aim."""
    (day, step), gaps = at, [np.inf, gap]
    for _ in range(most):
        cost_s, best_s, best = drivers.judge(routes, run)
        step, day = _next_step(step, gaps, rule), day + 1
        routes = drivers.switch(routes, best, switch_chance(cost_s, best_s, step, rule), day)
        run = _as_run(simulate(routes))
        cost_s, best_s, _ = drivers.judge(routes, run)
        gaps.append(run_gap(cost_s, best_s, run.met_s))
        if gaps[-1] <= aim:
            break
    return gaps[2:]


class _Drivers:
    """Those who choose: where they go, what is open to them, and their draws."""

    def __init__(
        self,
        graph: RoadGraph,
        trips: pd.DataFrame,
        blocked: Bools | None,
        seed: int,
        threads: int,
    ) -> None:
        self.graph, self.blocked, self.threads = graph, blocked, threads
        self.origin, self.destination, self.depart_s = _trip_arrays(trips)
        self.identity = trips["id"].to_numpy() if "id" in trips else np.arange(len(trips))
        self.stream = Stream(seed, "routes")

    def start(self, initial: Routes | None) -> Routes:
        """Return the initial routes, with those missing or blocked all the time replaced."""
        blocked = self.blocked
        dynamic = blocked is not None and np.ndim(blocked) == 2
        always = np.all(blocked, axis=0) if dynamic else blocked
        free = TravelTimes.free(self.graph)
        if initial is None:
            return self._fastest(free, self.depart_s, always)
        unusable = np.isinf(route_costs(self.graph, free, initial, self.depart_s, always))
        if not unusable.any():
            return initial
        found = self._fastest(free, self.depart_s, always)
        return initial.replace(unusable, found.take(unusable))

    def judge(self, routes: Routes, run: Run) -> tuple[Floats, Floats, Routes]:
        """Return s over the own routes and over the fastest, by the times of a run, and these."""
        at_s = self.depart_s if run.wait_s is None else self.depart_s + run.wait_s
        best = self._fastest(run.times, at_s, self.blocked)
        cost_s = route_costs(self.graph, run.times, routes, at_s, self.blocked)
        return cost_s, np.minimum(best.cost_s, cost_s), best

    def switch(self, routes: Routes, best: Routes, chance: Floats, iteration: int) -> Routes:
        """Return the routes after each has drawn whether to take the fastest."""
        level = self.stream.uniform(self.identity, tick=iteration)
        index = np.flatnonzero(level < chance)
        return routes.replace(index, best.take(index))

    def _fastest(self, times: TravelTimes, at_s: Floats, blocked: Bools | None) -> Routes:
        return shortest_routes(
            self.graph, times, self.origin, self.destination, at_s, blocked, threads=self.threads
        )


def run_gap(cost_s: Floats, best_s: Floats, met_s: Floats | None = None) -> float:
    """Return the gap of a run: the larger of those by its times and by what vehicles met.

    Parameters
    ----------
    cost_s, best_s : [trips] s over the own and the fastest route, by the times of the run
    met_s : [trips] s that each vehicle took; for NaN (it is still under way) `cost_s` counts
    """
    by_times = relative_gap(cost_s, best_s)
    if met_s is None:
        return by_times
    return max(by_times, relative_gap(np.where(np.isfinite(met_s), met_s, cost_s), best_s))


def relative_gap(cost_s: Floats, best_s: Floats) -> float:
    """Return sum(cost - best) / sum(best) over the trips that have a route at all.

    It is inf when a trip that has a route uses one that is blocked.
    """
    routed = np.isfinite(best_s)
    total_s = float(best_s[routed].sum())
    excess_s = float((cost_s[routed] - best_s[routed]).sum())
    return excess_s / total_s if total_s > 0.0 else 0.0


def switch_chance(cost_s: Floats, best_s: Floats, step: float, rule: str = "excess") -> Floats:
    """Return with which probability each trip takes its fastest route: less, the larger the step.

    Trips on a blocked route switch for certain, trips without any route never.
    """
    routed = np.isfinite(best_s)
    chance = np.where(routed & ~np.isfinite(cost_s), 1.0, 0.0)
    usable = routed & np.isfinite(cost_s) & (best_s > 0.0)
    excess = cost_s[usable] / best_s[usable] - 1.0
    if rule == "msa":
        chance[usable] = 1.0 / step
    elif rule == "excess":
        losing = excess[excess > 1e-6]
        mean = float(losing.mean()) if len(losing) else 1.0
        chance[usable] = np.minimum(1.0, np.sqrt(excess / mean) / step)
    return chance


def _as_run(result: TravelTimes | Run) -> Run:
    return result if isinstance(result, Run) else Run(result)


def _stop(gaps: list[float], gap: float, patience: int | None, iterations: int) -> str:
    """Return why to stop after these gaps, or nothing."""
    if gaps[-1] <= gap:
        return "gap"
    if patience is not None and len(gaps) > patience:
        before, since = min(gaps[:-patience]), min(gaps[-patience:])
        if np.isfinite(before) and since > (1.0 - PROGRESS) * before:
            return "progress"
    return "iterations" if len(gaps) == iterations else ""


def _next_step(step: float, gaps: list[float], rule: str) -> float:
    """Return the divisor of the next chance: by one more, or by whether the gap fell."""
    if rule == "msa":
        return step + 1.0
    return step + (STEP_WORSE if gaps[-1] > gaps[-2] else STEP_BETTER)


def _trip_arrays(trips: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any], Floats]:
    missing = {"origin", "destination", "depart_s"} - set(trips.columns)
    if missing:
        msg = f"trips lack the column {min(missing)!r}."
        raise SimulationError(msg)
    return (
        trips["origin"].to_numpy(),
        trips["destination"].to_numpy(),
        trips["depart_s"].to_numpy(dtype=np.float64),
    )
