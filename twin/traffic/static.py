"""Static user equilibrium: every used path of a pair of zones costs the same, none less.

Wardrop's first principle (1952) for link costs that depend on the link's own flow. The link flows
minimise the objective of Beckmann, McGuire and Winsten (1956), the sum over links of the integral
of the cost from zero to the flow. A link costs

    cost(v) = t0 (1 + b (v / capacity)^power) + toll factor * toll + distance factor * length,

the function of the Bureau of Public Roads (1964) plus what does not depend on flow. The relative
gap, (sum flow * cost - sum demand * shortest cost) / sum(flow * cost), says how far from
equilibrium flows are.

Solved by gradient projection over paths (Jayakrishnan, Tsai, Prashker and Rajadhyaksha 1994):
each pair of zones keeps the paths that it uses; the shortest path on present costs is added; and
flow moves from each path to the cheapest by one step of Newton's method. Link costs follow at
once, origin by origin (Gauss-Seidel).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.traffic import _equilibrium as compiled
from twin.traffic.static_network import Demand, LinkNetwork, check

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
__all__ = ["Assignment", "Demand", "LinkNetwork", "assign"]

Progress = Callable[[int, float], None]

MOST_SWEEPS = 20
"""Sweeps over known paths between two searches of shortest paths, at most."""
SWEEP_SHARE = 0.1
"""Sweeps end when they find less than this share of the excess that the searches found."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """A user equilibrium, or how near to it the assignment came.

    Parameters
    ----------
    flow, cost : flow and generalised cost of each link, in the order of the network [m]
    objective : Beckmann's objective, tolls and distances included
    total_time : sum of flow times travel time
    total_cost : sum of flow times generalised cost
    gap : relative gap, computed from shortest paths on `cost`
    iterations : rounds over all origins
    seconds : how long it took, without the compilation of a first use
    converged : whether the gap that was asked for is reached
    inside_zones : trips within one zone, which use no link
    paths : number of paths that carry flow
    """

    flow: Floats
    cost: Floats
    objective: float
    total_time: float
    total_cost: float
    gap: float
    iterations: int
    seconds: float
    converged: bool
    inside_zones: float
    paths: int

    def table(self, network: LinkNetwork) -> pd.DataFrame:
        """Return the links as `from`, `to`, `flow`, `cost`, in the order of the network."""
        import pandas as pd

        columns = {"from": network.tail, "to": network.head, "flow": self.flow, "cost": self.cost}
        return pd.DataFrame(columns)


def assign(
    network: LinkNetwork,
    demand: Demand,
    *,
    gap: float = 1e-4,
    toll_factor: float = 0.0,
    distance_factor: float = 0.0,
    max_iterations: int = 1000,
    time_limit_s: float = np.inf,
    progress: Progress | None = None,
) -> Assignment:
    """Return the user equilibrium of a demand on a network.

    Parameters
    ----------
    network, demand
        Links and trips. Trips within a zone are left out.
    gap
        Relative gap at which it ends.
    toll_factor, distance_factor
        Cost of a unit of toll and of length, in units of travel time.
    max_iterations, time_limit_s
        When it ends even so; the first round over all origins is always made.
    progress
        Called after each round with its number and an estimate of the gap before it.

    Raises
    ------
    InputError
        If a value of the network or the demand has no meaning, or trips have no path.
    """
    if not gap >= 0.0:
        msg = f"gap(={gap}) must be 0 or more."
        raise InputError(msg)
    check(network, demand, toll_factor, distance_factor)
    _compile()
    started = time.perf_counter()
    solver = _Solver(network, demand, network.fixed_cost(toll_factor, distance_factor))
    reached, iteration = np.inf, 0
    while iteration < max_iterations:
        if iteration > 0 and time.perf_counter() - started > time_limit_s:
            break
        iteration += 1
        estimate = solver.round(iteration == 1, started + time_limit_s)
        if progress:
            progress(iteration, estimate)
        reached = solver.gap() if estimate <= gap else np.inf
        if reached <= gap:
            break
    if reached > gap:
        reached = solver.gap()
    flow, cost = solver.in_order()
    fixed = network.fixed_cost(toll_factor, distance_factor)
    return Assignment(
        flow=flow,
        cost=cost,
        objective=float(np.sum(network.time_integral(flow) + fixed * flow)),
        total_time=float(flow @ network.travel_time(flow)),
        total_cost=float(flow @ cost),
        gap=reached,
        iterations=iteration,
        seconds=time.perf_counter() - started,
        converged=reached <= gap,
        inside_zones=float(demand.volume[demand.origin == demand.destination].sum()),
        paths=sum(int(np.count_nonzero(p.flow)) for p in solver.paths),
    )


@cache
def _compile() -> None:
    """Solve the smallest of networks, so that what Numba compiles does not count as solving."""
    ends, one = np.array([1, 2], dtype=np.int32), np.ones(2)
    network = LinkNetwork(2, 2, 1, ends, ends[::-1].copy(), one, one, one, one, one, one)
    solver = _Solver(network, Demand(ends[:1], ends[1:], one[:1]), 0.0 * one)
    solver.round(True, np.inf)
    solver.gap()


class _Solver:
    """Links in the order of their tails, and the paths of each origin."""

    def __init__(self, network: LinkNetwork, demand: Demand, fixed: Floats) -> None:
        self.network, self.demand = network, demand
        self.order = np.argsort(network.tail, kind="stable")
        self.links = _links(network, fixed, self.order)
        n, m = network.n_nodes, len(self.order)
        self.work = compiled.Work(
            distance=np.empty(n),
            parent=np.empty(n, dtype=np.int32),
            settled=np.empty(n, dtype=np.bool_),
            heap_cost=np.empty(m + 2),
            heap_node=np.empty(m + 2, dtype=np.int32),
            mark=np.zeros(m, dtype=np.int64),
            stamp=np.zeros(1, dtype=np.int64),
        )
        self._group()
        compiled.update_costs(self.links)

    def _group(self) -> None:
        """Sort the pairs with trips by origin."""
        d = self.demand
        used = np.flatnonzero((d.volume > 0.0) & (d.origin != d.destination))
        used = used[np.lexsort((d.destination[used], d.origin[used]))]
        origins, start = np.unique(d.origin[used], return_index=True)
        self.origins = (origins - 1).tolist()
        self.destinations = np.split((d.destination[used] - 1).astype(np.int32), start[1:])
        self.volumes = np.split(d.volume[used], start[1:])
        self.paths = [_no_paths(len(v)) for v in self.destinations[: len(self.origins)]]

    def round(self, first: bool, deadline: float) -> float:
        """Search and move once from every origin, then sweep; return the gap estimated before.

        The estimate is the excess cost found while costs change from origin to origin.
        """
        excess = 0.0
        for k, origin in enumerate(self.origins):
            if not first and time.perf_counter() > deadline:
                return np.inf
            self.paths[k], found, missing = compiled.improve(
                self.links, self.work, origin, self.destinations[k], self.volumes[k], self.paths[k]
            )
            if missing >= 0:
                raise InputError(self._cut_off(k, missing))
            excess += found
        for _ in range(MOST_SWEEPS):
            left = 0.0
            for paths in self.paths:
                left += compiled.sweep(self.links, self.work, paths)
            if left <= SWEEP_SHARE * excess or time.perf_counter() > deadline:
                break
        total = self._reload()
        if first:
            return np.inf
        return excess / total if total > 0.0 else 0.0

    def gap(self) -> float:
        """Return the relative gap on present costs."""
        total = self._reload()
        shortest = 0.0
        for origin, destination, volume in zip(
            self.origins, self.destinations, self.volumes, strict=False
        ):
            shortest += compiled.shortest_total(self.links, self.work, origin, destination, volume)
        return max(total - shortest, 0.0) / total if total > 0.0 else 0.0

    def in_order(self) -> tuple[Floats, Floats]:
        """Return flow and cost of the links in the order of the network."""
        flow, cost = np.empty(len(self.order)), np.empty(len(self.order))
        flow[self.order], cost[self.order] = self.links.flow, self.links.cost
        return flow, cost

    def _reload(self) -> float:
        """Sum link flows anew from paths, so that rounding does not add up; return total cost."""
        self.links.flow[:] = 0.0
        for paths in self.paths:
            compiled.load_all(self.links, paths)
        compiled.update_costs(self.links)
        return float(self.links.flow @ self.links.cost)

    def _cut_off(self, k: int, missing: int) -> str:
        origin, destination = self.origins[k] + 1, self.destinations[k][missing] + 1
        return (
            f"{self.demand.name}: {self.volumes[k][missing]:g} trips from zone {origin} to zone"
            f" {destination} have no path in {self.network.name}; add links or leave them out."
        )


def _links(network: LinkNetwork, fixed: Floats, order: NDArray[np.int64]) -> compiled.Links:
    """Return the links in an order by tail, flow zero, costs not yet set."""
    flat = network.flat
    base = network.free_flow_time + fixed
    base = base + np.where(network.power == 0.0, network.free_flow_time * network.b, 0.0)
    rise = np.where(flat, 0.0, network.free_flow_time * network.b)
    counts = np.bincount(network.tail - 1, minlength=network.n_nodes)
    m = len(order)
    return compiled.Links(
        ptr=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        tail=(network.tail[order] - 1).astype(np.int32),
        head=(network.head[order] - 1).astype(np.int32),
        base=base[order],
        rise=rise[order],
        per_capacity=(1.0 / np.where(flat, 1.0, network.capacity))[order],
        power=network.power[order].astype(np.float64),
        flow=np.zeros(m),
        cost=np.zeros(m),
        steepness=np.zeros(m),
        passable=np.arange(1, network.n_nodes + 1) >= network.first_thru_node,
    )


def _no_paths(n: int) -> compiled.Paths:
    return compiled.Paths(
        np.zeros(n + 1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.empty(0, dtype=np.int32),
        np.empty(0),
    )
