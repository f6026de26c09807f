"""Stochastic user equilibrium by departure time: C-logit over sets of routes.

Drivers see times with an error, so not all take the fastest route.  With errors that are Gumbel
distributed and alike, route k of a set is taken with probability

    exp(-theta c_k - CF_k) / sum over l of exp(-theta c_l - CF_l),
    CF_k = beta ln( sum over l of (L_kl / sqrt(L_k L_l))^gamma )

(Cascetta, Nuzzolo, Russo and Vitetta 1996), with c the time of a route, L its length and L_kl the
length that two routes share.  CF corrects what the logit model overlooks: routes that are almost
one route share its drivers.  1 / theta is a time: the error's standard deviation is
pi / (sqrt(6) theta), so theta = 1 / min stands for errors of 1.3 min.

The set of a trip is made before: the fastest route, then again after the times along the routes
found so far have been multiplied by a penalty (de la Barra, Perez and Anez 1993).  Shares are those
of a fixed point, approached by averaging over runs (Powell and Sheffi 1982): shares p move to the
probabilities q at the times of the present run by 1 / k.  The gap is the share of drivers who would
choose otherwise if all chose anew, the mean over trips of sum |p - q| / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import SimulationError
from twin.random import Stream
from twin.traffic import _paths
from twin.traffic._routes import offsets
from twin.traffic.assignment import (
    Equilibrium,
    Progress,
    Run,
    Simulate,
    _as_run,
    _stop,
    _trip_arrays,
)
from twin.traffic.routing import (
    RoadGraph,
    Routes,
    TravelTimes,
    _check_blocked,
    _check_trips,
    route_costs,
)

if TYPE_CHECKING:
    import pandas as pd

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers64 = NDArray[np.int64]

THETA_PER_MIN = 1.0  # assumption: errors of 1.3 min; not calibrated
BETA, GAMMA = 1.0, 1.0  # Cascetta et al. 1996
SEARCHES = 5  # searches of a set
PENALTY = 1.3  # factor on the times of routes found
LONGEST = 1.5  # routes that take longer than this times the fastest are left out


@dataclass(frozen=True, eq=False)
class RouteSets:
    """Routes between which each trip chooses.

    Parameters
    ----------
    first : int64 [trips + 1], the routes of trip i are first[i]:first[i + 1]; none without a route
    routes : all routes, one after the other
    factor : [routes] commonality factor CF
    """

    first: Integers64
    routes: Routes
    factor: Floats

    @property
    def trip(self) -> Integers64:
        """[routes] trip of each route."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @classmethod
    def of(
        cls,
        first: Integers64,
        routes: Routes,
        length: NDArray[Any],
        *,
        beta: float = BETA,
        gamma: float = GAMMA,
    ) -> RouteSets:
        """Return sets of given routes; `length` [streets] is in any unit."""
        common = _paths.commonality(
            first, routes.ptr, routes.street, np.asarray(length, np.float64), gamma
        )
        return cls(first, routes, beta * np.log(np.maximum(common, 1.0)))

    @classmethod
    def search(
        cls,
        graph: RoadGraph,
        times: TravelTimes,
        trips: pd.DataFrame,
        *,
        blocked: Bools | None = None,
        searches: int = SEARCHES,
        penalty: float = PENALTY,
        longest: float = LONGEST,
        beta: float = BETA,
        gamma: float = GAMMA,
    ) -> RouteSets:
        """Return sets by penalties, without routes that are too long.

        Parameters
        ----------
        trips : columns `origin`, `destination`, `depart_s`
        searches : searches of each trip, and so most routes of a set
        penalty : factor, > 1
        longest : time of the slowest route over that of the fastest, >= 1

        Raises
        ------
        SimulationError : an argument is out of range
        """
        if searches < 1 or not penalty > 1.0 or not longest >= 1.0:
            msg = (
                f"searches(={searches}) must be >= 1, penalty(={penalty}) > 1 and "
                f"longest(={longest}) >= 1."
            )
            raise SimulationError(msg)
        start, end, depart = _check_trips(graph, times, *_trip_arrays(trips))
        first, lengths, streets = _paths.penalised(
            graph.turn_ptr, graph.turn_to, times.begin_s, times.interval_s,
            times.arrival_functions()[0], _check_blocked(graph, times, blocked),
            start, end, depart, searches, penalty,
        )  # fmt: skip
        routes = Routes(offsets(lengths), streets, np.zeros(len(lengths)))
        trip = np.repeat(np.arange(len(start)), np.diff(first))
        cost_s = route_costs(graph, times, routes, depart[trip], blocked)
        fastest_s = np.full(len(start), np.inf)
        np.minimum.at(fastest_s, trip, cost_s)
        kept = cost_s <= longest * fastest_s[trip]
        first = offsets(np.bincount(trip[kept], minlength=len(start)).astype(np.int64))
        return cls.of(first, routes.take(kept), graph.exit_free_s, beta=beta, gamma=gamma)

    def joined(self, other: RouteSets, length: NDArray[Any]) -> RouteSets:
        """Return sets with the routes of both, each once; factors as by `of`."""
        trip = np.concatenate([self.trip, other.trip])
        routes = Routes(
            np.concatenate([self.routes.ptr, self.routes.ptr[-1] + other.routes.ptr[1:]]),
            np.concatenate([self.routes.street, other.routes.street]),
            np.concatenate([self.routes.cost_s, other.routes.cost_s]),
        )
        keys = np.column_stack([trip.astype(np.uint64), _paths.hashes(routes.ptr, routes.street)])
        _, kept = np.unique(keys, axis=0, return_index=True)
        kept = kept[np.lexsort((kept, trip[kept]))]
        first = offsets(np.bincount(trip[kept], minlength=len(self.first) - 1).astype(np.int64))
        return RouteSets.of(first, routes.take(kept), length)


def c_logit(sets: RouteSets, cost_s: Floats, theta_per_min: float = THETA_PER_MIN) -> Floats:
    """Return with which probability each route of each set is taken.

    Parameters
    ----------
    cost_s : [routes] time of each route, s; inf where it is blocked
    theta_per_min : scale of the errors, 1 / min; the larger, the more take the fastest route

    Raises
    ------
    SimulationError : theta is not positive
    """
    if not theta_per_min > 0.0:
        msg = f"theta_per_min(={theta_per_min}) must be > 0."
        raise SimulationError(msg)
    trip, n = sets.trip, len(sets.first) - 1
    worth = -theta_per_min / 60.0 * cost_s - sets.factor
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, trip, worth)
    level = np.where(np.isfinite(highest[trip]), highest[trip], 0.0)
    weight = np.exp(worth - level)
    total = np.bincount(trip, weight, minlength=n)
    return np.asarray(np.where(total[trip] > 0.0, weight / np.maximum(total[trip], 1e-300), 0.0))


def drawn(sets: RouteSets, share: Floats, level: Floats) -> Integers64:
    """Return the route of each trip by inversion at `level` in [0, 1), -1 without a route."""
    count = np.diff(sets.first)
    upper = np.concatenate([[0.0], np.cumsum(share)])
    before = upper[sets.first[:-1]]
    wanted = before + level * (upper[sets.first[1:]] - before)
    route = np.searchsorted(upper, wanted, side="right") - 1
    return np.where(count > 0, np.clip(route, sets.first[:-1], sets.first[1:] - 1), -1)


def stochastic_equilibrium(
    graph: RoadGraph,
    trips: pd.DataFrame,
    simulate: Simulate,
    *,
    theta_per_min: float = THETA_PER_MIN,
    iterations: int = 30,
    gap: float = 0.01,
    seed: int = 0,
    blocked: Bools | None = None,
    sets: RouteSets | None = None,
    patience: int | None = None,
    progress: Progress | None = None,
) -> Equilibrium:
    """Return routes near a stochastic user equilibrium; see the module for model and gap.

    Each trip keeps one random number, so that drivers change only as far as shares do.

    Parameters
    ----------
    graph, trips, simulate, iterations, seed, blocked, patience, progress : as of
        `twin.traffic.assignment.equilibrate`
    theta_per_min : scale of the errors, 1 / min
    gap : stop when at most this share of drivers would choose otherwise
    sets : routes to choose from; default by penalties on the times of an empty city, joined by
        those on the times of the first run

    Raises
    ------
    SimulationError : an argument is out of range or shapes disagree
    """
    if iterations < 1:
        msg = f"iterations(={iterations}) must be >= 1."
        raise SimulationError(msg)
    depart_s = _trip_arrays(trips)[2]
    identity = trips["id"].to_numpy() if "id" in trips else np.arange(len(trips))
    level = Stream(seed, "route choice").uniform(identity)
    grown = sets is not None
    known = sets or RouteSets.search(
        graph, TravelTimes.free(graph), trips, blocked=_always(blocked)
    )
    times = TravelTimes.free(graph)
    share = c_logit(known, _costs(graph, times, known, depart_s, _always(blocked)), theta_per_min)
    gaps: list[float] = []
    kept: tuple[float, Routes, Run] | None = None
    for iteration in range(1, iterations + 1):
        routes = _chosen(known, share, level)
        run = _as_run(simulate(routes))
        at_s = depart_s if run.wait_s is None else depart_s + run.wait_s
        cost_s = _costs(graph, run.times, known, at_s, blocked)
        wish = c_logit(known, cost_s, theta_per_min)
        gaps.append(float(np.abs(wish - share).sum()) / max(1, 2 * _routed(known)))
        if progress is not None:
            progress(iteration, gaps[-1])
        if kept is None or gaps[-1] <= kept[0]:
            own_s = route_costs(graph, run.times, routes, at_s, blocked)
            kept = gaps[-1], Routes(routes.ptr, routes.street, own_s), run
        stopped = _stop(gaps, gap, patience, iterations)
        if stopped:
            break
        if not grown:
            more = RouteSets.search(graph, run.times, trips, blocked=blocked)
            known, grown = known.joined(more, graph.exit_free_s), True
            share = c_logit(known, _costs(graph, run.times, known, at_s, blocked), theta_per_min)
            kept = None
            continue
        share = share + (wish - share) / iteration
    assert kept is not None  # noqa: S101 - the last iteration is never followed by a new set
    unrouted = int(np.sum(kept[1].lengths == 0))
    return Equilibrium(kept[1], kept[2].times, gaps, kept[0], len(gaps), unrouted, kept[2], stopped)


def _routed(sets: RouteSets) -> int:
    return int((np.diff(sets.first) > 0).sum())


def _always(blocked: Bools | None) -> Bools | None:
    """Streets that are blocked all the time."""
    if blocked is None or np.ndim(blocked) == 1:
        return blocked
    return np.asarray(np.all(blocked, axis=0))


def _costs(
    graph: RoadGraph, times: TravelTimes, sets: RouteSets, depart_s: Floats, blocked: Bools | None
) -> Floats:
    return route_costs(graph, times, sets.routes, depart_s[sets.trip], blocked)


def _chosen(sets: RouteSets, share: Floats, level: Floats) -> Routes:
    """The drawn route of each trip, empty where there is none."""
    route = drawn(sets, share, level)
    empty = Routes(np.zeros(2, np.int64), np.zeros(0, np.int32), np.full(1, np.inf))
    both = Routes(
        np.append(sets.routes.ptr, sets.routes.ptr[-1] + empty.ptr[1:]),
        sets.routes.street,
        np.append(sets.routes.cost_s, np.inf),
    )
    return both.take(np.where(route < 0, len(sets.routes), route))
