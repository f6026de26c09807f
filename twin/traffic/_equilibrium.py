"""The compiled part of `twin.traffic.static`: trees of shortest paths, flow moved between paths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.random import compiled
from twin.traffic._search import pop, push

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers32 = NDArray[np.int32]
Integers64 = NDArray[np.int64]

OVERSHOT = 0.25
"""A move is cut back if it leaves more than this share of the difference, with the other sign."""
MOST_CUTS = 12
TIE = 1e-13
"""Paths whose costs differ by less than this share are equally long: rounding."""


class Links(NamedTuple):
    """Links sorted by tail [m]; the cost of flow v is base + rise (v / capacity)^power."""

    ptr: Integers64  # [n + 1] first link of each node
    tail: Integers32
    head: Integers32
    base: Floats
    rise: Floats
    per_capacity: Floats  # 1 / capacity
    power: Floats
    flow: Floats
    cost: Floats
    steepness: Floats  # d cost / d flow
    passable: Bools  # [n] nodes that a path may pass through


class Work(NamedTuple):
    """Arrays that searches and moves work in."""

    distance: Floats  # [n] cost from the origin
    parent: Integers32  # [n] last link of the shortest path, -1 for none
    settled: Bools  # [n]
    heap_cost: Floats
    heap_node: Integers32
    mark: Integers64  # [m]
    stamp: Integers64  # [1] the highest mark used


class Paths(NamedTuple):
    """Paths from one origin; those to destination k are pair_ptr[k]:pair_ptr[k + 1]."""

    pair_ptr: Integers64
    ptr: Integers64
    link: Integers32  # from the origin to the destination
    flow: Floats


@compiled
def update_cost(links: Links, link: int) -> None:
    """Set the cost of a link and its derivative from its flow."""
    rise, power = links.rise[link], links.power[link]
    ratio = links.flow[link] * links.per_capacity[link]
    if rise == 0.0:
        links.cost[link] = links.base[link]
        links.steepness[link] = 0.0
        return
    if power == 4.0:
        lower = ratio * ratio * ratio
    elif power == 1.0:
        lower = 1.0
    elif power > 1.0:
        lower = ratio ** (power - 1.0)
    else:
        # Infinitely steep at zero flow: bounded, so that a first move is possible.
        lower = max(ratio, 1e-9) ** (power - 1.0)
    links.cost[link] = links.base[link] + rise * ratio * lower
    links.steepness[link] = rise * power * links.per_capacity[link] * lower


@compiled
def update_costs(links: Links) -> None:
    """Set the costs of all links from their flows."""
    for link in range(len(links.flow)):
        update_cost(links, link)


@compiled
def grow_tree(links: Links, work: Work, origin: int) -> None:
    """Find the shortest paths from an origin to every node (Dijkstra 1959)."""
    work.distance[:] = np.inf
    work.parent[:] = -1
    work.settled[:] = False
    work.distance[origin] = 0.0
    size = push(work.heap_cost, work.heap_node, 0, 0.0, origin)
    while size > 0:
        node, cost = work.heap_node[0], work.heap_cost[0]
        size = pop(work.heap_cost, work.heap_node, size)
        if work.settled[node]:
            continue
        work.settled[node] = True
        if node != origin and not links.passable[node]:
            continue
        for link in range(links.ptr[node], links.ptr[node + 1]):
            head = links.head[link]
            there = cost + links.cost[link]
            if there < work.distance[head]:
                work.distance[head] = there
                work.parent[head] = link
                size = push(work.heap_cost, work.heap_node, size, there, head)


@compiled
def shortest_total(
    links: Links, work: Work, origin: int, destination: Integers32, volume: Floats
) -> float:
    """Return the sum of volume times shortest cost over the destinations of an origin."""
    grow_tree(links, work, origin)
    total = 0.0
    for k in range(len(destination)):
        total += volume[k] * work.distance[destination[k]]
    return total


@compiled
def improve(
    links: Links, work: Work, origin: int, destination: Integers32, volume: Floats, old: Paths
) -> tuple[Paths, float, int]:
    """Add the shortest path of each pair of an origin, drop unused ones, move flow.

    Returns the paths, the excess cost found before (sum of flow times cost above the
    shortest), and the first destination without path, or -1.
    """
    grow_tree(links, work, origin)
    n = len(destination)
    longer = np.zeros(n, dtype=np.int64)  # links of a new path, 0 for none
    n_paths, n_links, excess = 0, 0, 0.0
    for k in range(n):
        shortest = work.distance[destination[k]]
        if shortest == np.inf:
            return old, excess, k
        least = np.inf
        for p in range(old.pair_ptr[k], old.pair_ptr[k + 1]):
            if old.flow[p] > 0.0:
                cost = path_cost(links, old, p)
                least = min(least, cost)
                excess += old.flow[p] * (cost - shortest)
                n_paths += 1
                n_links += old.ptr[p + 1] - old.ptr[p]
        if least == np.inf or shortest < least * (1.0 - TIE):
            longer[k] = _depth(links, work, destination[k])
            n_paths += 1
            n_links += longer[k]
    new = Paths(
        np.zeros(n + 1, dtype=np.int64),
        np.zeros(n_paths + 1, dtype=np.int64),
        np.empty(n_links, dtype=np.int32),
        np.zeros(n_paths),
    )
    end = 0
    for k in range(n):
        first = end
        for p in range(old.pair_ptr[k], old.pair_ptr[k + 1]):
            if old.flow[p] > 0.0:
                start, stop = old.ptr[p], old.ptr[p + 1]
                new.ptr[end + 1] = new.ptr[end] + stop - start
                new.link[new.ptr[end] : new.ptr[end + 1]] = old.link[start:stop]
                new.flow[end] = old.flow[p]
                end += 1
        if longer[k] > 0:
            new.ptr[end + 1] = new.ptr[end] + longer[k]
            _trace(links, work, destination[k], new.link[new.ptr[end] : new.ptr[end + 1]])
            if end == first:
                new.flow[end] = volume[k]
                _load(links, new, end)
            end += 1
        new.pair_ptr[k + 1] = end
        if end - first > 1:
            equilibrate(links, work, new, first, end)
    return new, excess, -1


@compiled
def sweep(links: Links, work: Work, paths: Paths) -> float:
    """Move flow between the known paths of every pair of an origin; return the excess before."""
    excess = 0.0
    for k in range(len(paths.pair_ptr) - 1):
        first, last = paths.pair_ptr[k], paths.pair_ptr[k + 1]
        if last - first > 1:
            excess += equilibrate(links, work, paths, first, last)
    return excess


@compiled
def equilibrate(links: Links, work: Work, paths: Paths, first: int, last: int) -> float:
    """Move flow from each path first:last to the cheapest; return the excess cost before."""
    best, least, total, volume = first, np.inf, 0.0, 0.0
    for p in range(first, last):
        cost = path_cost(links, paths, p)
        total += paths.flow[p] * cost
        volume += paths.flow[p]
        if cost < least:
            best, least = p, cost
    excess = total - volume * least
    if excess <= total * 1e-15:
        return 0.0
    for p in range(first, last):
        if p != best and paths.flow[p] > 0.0:
            _shift(links, work, paths, p, best)
    return excess


@compiled
def path_cost(links: Links, paths: Paths, p: int) -> float:
    """Return the cost of a path, summed from its origin as the tree does."""
    cost = 0.0
    for i in range(paths.ptr[p], paths.ptr[p + 1]):
        cost += links.cost[paths.link[i]]
    return cost


@compiled
def load_all(links: Links, paths: Paths) -> None:
    """Add the flow of every path of an origin to its links, costs left as they are."""
    for p in range(len(paths.flow)):
        for i in range(paths.ptr[p], paths.ptr[p + 1]):
            links.flow[paths.link[i]] += paths.flow[p]


@compiled
def _load(links: Links, paths: Paths, p: int) -> None:
    for i in range(paths.ptr[p], paths.ptr[p + 1]):
        links.flow[paths.link[i]] += paths.flow[p]
        update_cost(links, paths.link[i])


@compiled
def _depth(links: Links, work: Work, node: int) -> int:
    depth = 0
    while work.parent[node] >= 0:
        depth += 1
        node = links.tail[work.parent[node]]
    return depth


@compiled
def _trace(links: Links, work: Work, node: int, out: Integers32) -> None:
    """Write the links of the shortest path to a node, from the origin on."""
    for i in range(len(out) - 1, -1, -1):
        out[i] = work.parent[node]
        node = links.tail[out[i]]


@compiled
def _shift(links: Links, work: Work, paths: Paths, p: int, best: int) -> None:
    """Move flow from path p to a cheaper one until both cost the same or p is empty.

    One step of Newton's method on the links that only one of the two has (Jayakrishnan et
    al. 1994); where it overshoots, as steep costs do from zero flow, false position.
    """
    own, common = work.stamp[0] + 1, work.stamp[0] + 2
    work.stamp[0] = common
    for i in range(paths.ptr[best], paths.ptr[best + 1]):
        work.mark[paths.link[i]] = own
    for i in range(paths.ptr[p], paths.ptr[p + 1]):
        if work.mark[paths.link[i]] == own:
            work.mark[paths.link[i]] = common
    before, steepness = _difference(links, work, paths, p, best)
    if before <= 0.0:
        return
    high = paths.flow[p]
    if steepness > 0.0:
        high = min(high, before / steepness)
    _move(links, work, paths, p, best, high)
    after, _ = _difference(links, work, paths, p, best)
    moved, low = high, 0.0
    above, below = before, after
    cut = 0
    while cut < MOST_CUTS and abs(after) > OVERSHOT * before and below < 0.0:
        there = low + (high - low) * above / (above - below)
        if cut % 3 == 2:
            there = 0.5 * (low + high)
        _move(links, work, paths, p, best, there - moved)
        moved = there
        after, _ = _difference(links, work, paths, p, best)
        if after < 0.0:
            high, below = there, after
        else:
            low, above = there, after
        cut += 1


@compiled
def _difference(links: Links, work: Work, paths: Paths, p: int, best: int) -> tuple[float, float]:
    """Return how much dearer p is than the best path, and how fast a move lowers that."""
    common = work.stamp[0]
    cost, steepness = 0.0, 0.0
    for i in range(paths.ptr[p], paths.ptr[p + 1]):
        link = paths.link[i]
        if work.mark[link] != common:
            cost += links.cost[link]
            steepness += links.steepness[link]
    for i in range(paths.ptr[best], paths.ptr[best + 1]):
        link = paths.link[i]
        if work.mark[link] != common:
            cost -= links.cost[link]
            steepness += links.steepness[link]
    return cost, steepness


@compiled
def _move(links: Links, work: Work, paths: Paths, p: int, best: int, amount: float) -> None:
    """Move an amount of flow, which may be negative, from path p to the best path."""
    common = work.stamp[0]
    for i in range(paths.ptr[p], paths.ptr[p + 1]):
        link = paths.link[i]
        if work.mark[link] != common:
            links.flow[link] = max(links.flow[link] - amount, 0.0)
            update_cost(links, link)
    for i in range(paths.ptr[best], paths.ptr[best + 1]):
        link = paths.link[i]
        if work.mark[link] != common:
            links.flow[link] = max(links.flow[link] + amount, 0.0)
            update_cost(links, link)
    paths.flow[p] = max(paths.flow[p] - amount, 0.0)
    paths.flow[best] = max(paths.flow[best] + amount, 0.0)
