"""When lanes and sources are looked at: the time wheel, and who waits for room.

Ids (lanes, then sources) that wake at a tick stand in the wheel's bucket of that tick, in
chunks of one cache line.  The tick itself is kept with the lane or source: who is to wake
earlier is simply put there as well, and its old entry is passed over when its time comes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from twin.compiling import called, inlined
from twin.traffic.records import CHUNK, WHEEL

MASK = WHEEL - 1
FEW = 48  # keys that are sorted by comparing them


@inlined
def schedule(st: Any, i: int, t: int, now: int) -> None:
    """Wake `i` at `t`, unless it wakes earlier anyhow."""
    tick = min(t, now + WHEEL - 1)
    n_lanes = len(st.lane)
    if i < n_lanes:
        if st.lane[i].wake <= tick:
            return
        st.lane[i].wake = tick
    else:
        if st.source[i - n_lanes].wake <= tick:
            return
        st.source[i - n_lanes].wake = tick
    b = tick & MASK
    at = CHUNK * int(st.bucket[b])
    if at < 0 or st.chunk[at + 1] == CHUNK - 2:
        clock = st.clock[0]
        if clock.free < 0:
            _compact(st.clock, st.lane, st.source, st.bucket, st.chunk, st.bits, now)
        new, at = clock.free, CHUNK * clock.free
        clock.free = st.chunk[at]
        st.chunk[at] = st.bucket[b]
        st.chunk[at + 1] = 0
        st.bucket[b] = new
        st.bits[b >> 6] |= np.uint64(1) << np.uint64(b & 63)
    n = st.chunk[at + 1]
    st.chunk[at + 2 + n] = i
    st.chunk[at + 1] = n + 1


@called
def _compact(
    clock: Any, lane: Any, source: Any, bucket: Any, chunk: Any, bits: Any, now: int
) -> None:
    """Drop entries that no longer hold; frees at least half of the chunks.

    The wake of an id that has been kept is marked, as -1 - tick, until all have been seen.
    """
    n_lanes = len(lane)
    for b in range(WHEEL):
        c = np.int64(bucket[b])
        if c < 0:
            continue
        tick = now + ((b - now) & MASK)
        kept, put = np.int64(-1), 0
        while c >= 0:
            following, n, own = np.int64(chunk[CHUNK * c]), chunk[CHUNK * c + 1], True
            for k in range(n):
                i = chunk[CHUNK * c + 2 + k]
                if (lane[i].wake if i < n_lanes else source[i - n_lanes].wake) != tick:
                    continue
                if i < n_lanes:
                    lane[i].wake = -1 - tick
                else:
                    source[i - n_lanes].wake = -1 - tick
                if kept < 0 or put == CHUNK - 2:
                    new = c if own else clock[0].free  # never more kept than have been read
                    if own:
                        own = False
                    else:
                        clock[0].free = chunk[CHUNK * new]
                    chunk[CHUNK * new] = kept
                    kept, put = new, 0
                chunk[CHUNK * kept + 2 + put] = i
                put += 1
                chunk[CHUNK * kept + 1] = put
            if own:
                chunk[CHUNK * c] = clock[0].free
                clock[0].free = c
            c = following
        bucket[b] = kept
        if kept < 0:
            bits[b >> 6] &= ~(np.uint64(1) << np.uint64(b & 63))
    for i in range(n_lanes):
        if lane[i].wake < 0:
            lane[i].wake = -1 - lane[i].wake
    for i in range(len(source)):
        if source[i].wake < 0:
            source[i].wake = -1 - source[i].wake


@inlined
def next_bucket(st: Any, t: int, until: int) -> int:
    """First tick from `t`, before `until`, whose bucket is in use; else `until`."""
    while t < until:
        word = st.bits[(t & MASK) >> 6] >> np.uint64(t & 63)
        if word != 0:
            return min(until, t + int(trailing_zeros(word)))
        t = (t | 63) + 1
    return until


@inlined
def await_room(st: Any, i: int, place: int) -> None:
    """Wake `i` when room may have come at `place`, and nowhere else."""
    own, there = st.id[i], st.id[place]
    if own.awaits == place:
        return
    if own.awaits >= 0:
        k = st.id[own.awaits].waiter
        if k == i:
            st.id[own.awaits].waiter = own.waiter_next
        else:
            while st.id[k].waiter_next != i:
                k = st.id[k].waiter_next
            st.id[k].waiter_next = own.waiter_next
    own.awaits = place
    own.waiter_next = there.waiter
    there.waiter = i
    lane = place
    while lane < len(st.lane) and st.id[lane].place == place:
        st.lane[lane].waited = 1
        lane += 1


@inlined
def room_comes(st: Any, lane: int, t: int, now: int) -> None:
    """Wake at `t` all who await room on the street of a lane."""
    st.lane[lane].waited = 0
    place = st.id[lane].place
    i = st.id[place].waiter
    st.id[place].waiter = -1
    while i >= 0:
        following = st.id[i].waiter_next
        st.id[i].awaits = -1
        schedule(st, np.int64(i), np.int64(t), np.int64(now))
        i = following


@called
def sort(keys: Any, n: int) -> None:
    """Sort the first `n` keys: few by comparing, many by their digits."""
    if n <= FEW:
        step = n // 2
        while step > 0:
            for i in range(step, n):
                key = keys[i]
                j = i
                while j >= step and keys[j - step] > key:
                    keys[j] = keys[j - step]
                    j -= step
                keys[j] = key
            step //= 2
        return
    low, differ = keys[0], np.int64(0)
    for i in range(n):
        low = min(low, keys[i])
        differ |= keys[i] ^ keys[0]
    count = len(keys) - 256
    here, there = 0, count // 2
    for shift in range(0, 64, 8):
        if (differ >> shift) & 255 == 0:
            continue
        for d in range(256):
            keys[count + d] = 0
        for i in range(n):
            keys[count + ((keys[here + i] >> shift) & 255)] += 1
        total = np.int64(0)
        for d in range(256):
            total, keys[count + d] = total + keys[count + d], total
        for i in range(n):
            d = count + ((keys[here + i] >> shift) & 255)
            keys[there + keys[d]] = keys[here + i]
            keys[d] += 1
        here, there = there, here
    if here > 0:
        for i in range(n):
            keys[i] = keys[here + i]
