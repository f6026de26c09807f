"""The compiled part of `twin.traffic.stochastic`: sets of routes and their overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.random import compiled
from twin.traffic._search import _depth, _grow

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Integers32 = NDArray[np.int32]
Integers64 = NDArray[np.int64]


@compiled
def penalised(
    turn_ptr: Integers64,
    turn_to: Integers32,
    begin_s: float,
    interval_s: float,
    turn_s: Floats32,
    blocked: Bools,
    origin: Integers32,
    destination: Integers32,
    depart_s: Floats,
    searches: int,
    penalty: float,
) -> tuple[Integers64, Integers64, Integers32]:
    """Return the first route of each trip, lengths and streets of the distinct routes found.

    After each search the times out of the streets of the route found are multiplied by `penalty`.
    """
    n = len(turn_ptr) - 1
    state = np.zeros((3, n), dtype=np.int32)
    label_s = np.empty(n)
    parent = np.empty(n, dtype=np.int32)
    heap_key = np.empty(len(turn_to) + 2)
    heap_street = np.empty(len(turn_to) + 2, dtype=np.int32)
    first = np.zeros(len(origin) + 1, dtype=np.int64)
    lengths = np.zeros(len(origin) * searches, dtype=np.int64)
    streets = np.empty(max(16, 32 * len(origin)), dtype=np.int32)
    time_s = turn_s.copy()
    found, used, mark = 0, 0, 0
    for trip in range(len(origin)):
        begin = used
        for _ in range(searches):
            mark += 1
            state[2, destination[trip]] = mark
            _grow(
                turn_ptr, turn_to, begin_s, interval_s, time_s, blocked, origin[trip], mark,
                depart_s[trip], 1, state, label_s, parent, heap_key, heap_street,
            )  # fmt: skip
            if state[1, destination[trip]] != mark:
                break
            length = _depth(parent, destination[trip])
            while used + length > len(streets):
                streets = np.concatenate((streets, np.empty_like(streets)))
            street = destination[trip]
            for position in range(used + length - 1, used - 1, -1):
                streets[position] = street
                street = parent[street]
            for position in range(used, used + length):
                for turn in range(turn_ptr[streets[position]], turn_ptr[streets[position] + 1]):
                    time_s[:, turn] *= np.float32(penalty)
            if _is_new(streets, begin, lengths, first[trip], found, used, length):
                lengths[found] = length
                found += 1
                used += length
        for position in range(begin, used):
            for turn in range(turn_ptr[streets[position]], turn_ptr[streets[position] + 1]):
                time_s[:, turn] = turn_s[:, turn]
        first[trip + 1] = found
    return first, lengths[:found].copy(), streets[:used].copy()


@compiled
def _is_new(
    streets: Integers32,
    begin: int,
    lengths: Integers64,
    first: int,
    found: int,
    used: int,
    length: int,
) -> bool:
    """Whether the route at streets[used:] differs from those from `begin` on."""
    at = begin
    for route in range(first, found):
        if lengths[route] == length and np.array_equal(
            streets[at : at + length], streets[used : used + length]
        ):
            return False
        at += lengths[route]
    return True


@compiled
def hashes(ptr: Integers64, street: Integers32) -> NDArray[np.uint64]:
    """Return a number of 64 bits for each route, the same for the same streets (FNV-1a)."""
    out = np.empty(len(ptr) - 1, dtype=np.uint64)
    for k in range(len(out)):
        value = np.uint64(14695981039346656037)
        for position in range(ptr[k], ptr[k + 1]):
            value = (value ^ np.uint64(street[position])) * np.uint64(1099511628211)
        out[k] = value
    return out


@compiled
def commonality(
    first: Integers64,
    ptr: Integers64,
    street: Integers32,
    length: Floats,
    gamma: float,
) -> Floats:
    """Return for each route the sum over routes l of its set of (L_kl / sqrt(L_k L_l))^gamma."""
    out = np.zeros(len(ptr) - 1)
    on = np.zeros(len(length), dtype=np.int64)
    whole = np.zeros(len(out))
    for k in range(len(out)):
        for position in range(ptr[k], ptr[k + 1]):
            whole[k] += length[street[position]]
    for trip in range(len(first) - 1):
        for k in range(first[trip], first[trip + 1]):
            for position in range(ptr[k], ptr[k + 1]):
                on[street[position]] = k + 1
            for other in range(first[trip], first[trip + 1]):
                common = 0.0
                for position in range(ptr[other], ptr[other + 1]):
                    if on[street[position]] == k + 1:
                        common += length[street[position]]
                scale = np.sqrt(whole[k] * whole[other])
                out[k] += (common / scale) ** gamma if scale > 0.0 else 1.0
    return out
