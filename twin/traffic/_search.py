"""The compiled part of `twin.traffic.routing`: searches and route costs over flat arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.random import compiled

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Integers32 = NDArray[np.int32]
Integers64 = NDArray[np.int64]


@compiled
def lower_to_fifo(time_s: Floats32, interval_s: float) -> Floats32:
    """Return times [K, n] at interval starts such that no later entry arrives earlier."""
    out = time_s.copy()
    step = np.float32(interval_s)
    for k in range(len(out) - 2, -1, -1):
        for i in range(out.shape[1]):
            out[k, i] = min(out[k, i], step + out[k + 1, i])
    return out


@compiled
def interval_of(time_s: float, begin_s: float, interval_s: float, n_intervals: int) -> int:
    """Return the interval of a time, clamped to 0..n_intervals - 1."""
    position = np.floor((time_s - begin_s) / interval_s)
    return int(min(max(position, 0.0), n_intervals - 1.0))


@compiled
def arrival(
    time_s: Floats32, k: int, item: int, entry_s: float, begin_s: float, interval_s: float
) -> float:
    """Return when an entry into `item` at `entry_s`, in interval k, comes out (FIFO times)."""
    out = entry_s + float(time_s[k, item])
    if k + 1 < len(time_s):
        later_s = max(entry_s, begin_s + (k + 1) * interval_s)
        out = min(out, later_s + float(time_s[k + 1, item]))
    return out


@compiled
def search(
    turn_ptr: Integers64,
    turn_to: Integers32,
    begin_s: float,
    interval_s: float,
    turn_s: Floats32,
    blocked: Bools,
    origin: Integers32,
    destination: Integers32,
    group_ptr: Integers64,
    group_depart_s: Floats,
) -> tuple[Integers64, Integers32]:
    """Return length and streets of the fastest route of each trip, trips sorted by group.

    Trips group_ptr[g]:group_ptr[g + 1] have one origin and share one search.
    """
    n = len(turn_ptr) - 1
    state = np.zeros((3, n), dtype=np.int32)  # search that saw, settled and wants a street
    label_s = np.empty(n)
    parent = np.empty(n, dtype=np.int32)
    heap_key = np.empty(len(turn_to) + 2)
    heap_street = np.empty(len(turn_to) + 2, dtype=np.int32)
    lengths = np.zeros(len(origin), dtype=np.int64)
    streets = np.empty(max(16, 32 * len(origin)), dtype=np.int32)
    used = 0
    for g in range(len(group_depart_s)):
        first, last = group_ptr[g], group_ptr[g + 1]
        remaining = 0
        for i in range(first, last):
            if state[2, destination[i]] != g + 1:
                state[2, destination[i]] = g + 1
                remaining += 1
        _grow(
            turn_ptr, turn_to, begin_s, interval_s, turn_s, blocked, origin[first], g + 1,
            group_depart_s[g], remaining, state, label_s, parent, heap_key, heap_street,
        )  # fmt: skip
        for i in range(first, last):
            if state[1, destination[i]] != g + 1:
                continue
            lengths[i] = _depth(parent, destination[i])
            while used + lengths[i] > len(streets):
                streets = np.concatenate((streets, np.empty_like(streets)))
            street = destination[i]
            for position in range(used + lengths[i] - 1, used - 1, -1):
                streets[position] = street
                street = parent[street]
            used += lengths[i]
    return lengths, streets[:used].copy()


@compiled
def _grow(
    turn_ptr: Integers64,
    turn_to: Integers32,
    begin_s: float,
    interval_s: float,
    turn_s: Floats32,
    blocked: Bools,
    origin: int,
    mark: int,
    depart_s: float,
    remaining: int,
    state: Integers32,
    label_s: Floats,
    parent: Integers32,
    heap_key: Floats,
    heap_street: Integers32,
) -> None:
    """Grow the tree of fastest routes from one origin until all wanted streets are settled."""
    last_block = len(blocked) - 1
    label_s[origin] = depart_s
    parent[origin] = -1
    state[0, origin] = mark
    size = push(heap_key, heap_street, 0, depart_s, origin)
    while size > 0:
        street, entry_s = heap_street[0], heap_key[0]
        size = pop(heap_key, heap_street, size)
        if state[1, street] == mark:
            continue
        state[1, street] = mark
        if state[2, street] == mark:
            remaining -= 1
            if remaining == 0:
                return
        k = interval_of(entry_s, begin_s, interval_s, len(turn_s))
        for turn in range(turn_ptr[street], turn_ptr[street + 1]):
            ahead = turn_to[turn]
            if state[1, ahead] == mark:
                continue
            out_s = arrival(turn_s, k, turn, entry_s, begin_s, interval_s)
            if out_s == np.inf or (state[0, ahead] == mark and out_s >= label_s[ahead]):
                continue
            block = min(interval_of(out_s, begin_s, interval_s, len(turn_s)), last_block)
            if blocked[block, ahead]:
                continue
            state[0, ahead] = mark
            label_s[ahead] = out_s
            parent[ahead] = street
            size = push(heap_key, heap_street, size, out_s, ahead)


@compiled
def _depth(parent: Integers32, street: int) -> int:
    depth = 0
    while street >= 0:
        depth += 1
        street = parent[street]
    return depth


@compiled
def push(key: Floats, item: Integers32, size: int, new_key: float, new_item: int) -> int:
    """Add an item to a binary heap, smallest key first, and return the new size."""
    position = size
    while position > 0:
        above = (position - 1) >> 1
        if key[above] <= new_key:
            break
        key[position], item[position] = key[above], item[above]
        position = above
    key[position], item[position] = new_key, new_item
    return size + 1


@compiled
def pop(key: Floats, item: Integers32, size: int) -> int:
    """Remove the first item of a binary heap and return the new size."""
    size -= 1
    last_key, last_item = key[size], item[size]
    position = 0
    while True:
        below = 2 * position + 1
        if below >= size:
            break
        if below + 1 < size and key[below + 1] < key[below]:
            below += 1
        if key[below] >= last_key:
            break
        key[position], item[position] = key[below], item[below]
        position = below
    key[position], item[position] = last_key, last_item
    return size


@compiled
def costs(
    turn_ptr: Integers64,
    turn_to: Integers32,
    begin_s: float,
    interval_s: float,
    turn_s: Floats32,
    exit_s: Floats32,
    blocked: Bools,
    ptr: Integers64,
    street: Integers32,
    depart_s: Floats,
) -> Floats:
    """Return the time over each route, s; inf where it is empty, blocked or lacks a turn."""
    out = np.full(len(ptr) - 1, np.inf)
    n_intervals, last_block = len(turn_s), len(blocked) - 1
    for i in range(len(out)):
        if ptr[i] == ptr[i + 1]:
            continue
        time_s = depart_s[i]
        for position in range(ptr[i], ptr[i + 1] - 1):
            found = np.inf
            k = interval_of(time_s, begin_s, interval_s, n_intervals)
            for turn in range(turn_ptr[street[position]], turn_ptr[street[position] + 1]):
                if turn_to[turn] == street[position + 1]:
                    found = arrival(turn_s, k, turn, time_s, begin_s, interval_s)
            k = min(interval_of(found, begin_s, interval_s, n_intervals), last_block)
            time_s = np.inf if blocked[k, street[position + 1]] else found
            if time_s == np.inf:
                break
        if time_s < np.inf:
            k = interval_of(time_s, begin_s, interval_s, n_intervals)
            last = street[ptr[i + 1] - 1]
            out[i] = arrival(exit_s, k, last, time_s, begin_s, interval_s) - depart_s[i]
    return out
