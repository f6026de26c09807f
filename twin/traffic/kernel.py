"""The compiled vehicle flow: vehicle-exact link transmission by lane, event by event.

A lane is a queue in order of entry (Newell 1993, Yperman 2007).  Its head leaves when

1. it has reached the stop line (entry + length / speed) and the saturation headway since
   the last departure has passed,
2. its signal allows: green, plus a start-up loss for who stood; in yellow who can't brake,
3. the next street has room on a lane that serves the way onward: standing vehicles take
   metres, and a departure frees its metres only when the backward wave has come through,
4. where it has to yield: no vehicle with right of way comes within the accepted gap.

Streets that wait for each other in a circle would wait for ever.  So who has stood first in
line for `JAM_S` and finds no room is taken past the jam, to the first street of its way that
has room, and counted (SUMO calls it a teleport).

Nothing happens between events, so a lane is looked at only when its head can be ready,
when its light turns green, or when room has come free.  Lanes wait in a time wheel of one
bucket a tick.  Lanes of one tick act in the order in which their heads have been ready,
then sources (vehicles that wait to enter the city).  `tests/traffic/specification.py` says
the same as plain SimPy processes, one a vehicle, and must agree to the tick.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.compiling import compiled, inlined, prefetch
from twin.traffic.gaps import blocking_place, gap_is_free, left_now
from twin.traffic.lanes import choose, choose_at, fits, head_slot, onward, ring_slot, slot_code
from twin.traffic.lights import change_signals, light_allows, next_change, order_signals, start_loss
from twin.traffic.moves import add_counts, arrive, begin_interval, depart, go, pass_jam
from twin.traffic.network import MAJOR, RED, STOP_LIGHT
from twin.traffic.records import CHUNK, I4, INNER, NEVER
from twin.traffic.wheel import MASK, await_room, next_bucket, schedule, sort

LOW = (1 << 28) - 1  # the part of a key that holds the id
STEP, ACTS = 8, 40  # lanes of a batch between two steps of asking for memory, and until it acts
FOES = 4  # so many of those that a vehicle yields to
FEW, MANY = 3, 40  # lanes of a chunk, and of a batch for which it pays to ask


@inlined
def _lane_acts(net: Any, st: Any, i: int, t: int) -> int:
    """Let the head of a lane go if it may; the tick at which to look at the lane again."""
    lane = st.lane[i]
    ready, look = int(lane.ready), int(lane.look)
    if ready > t or look > t:
        return max(ready, look) if ready < NEVER else ready
    slot = st.slot[head_slot(lane)]
    v, k, kind = slot.vehicle, slot.link, slot.code & 255
    if k < 0:
        vehicle = st.vehicle[v]
        if vehicle.route_at + 1 >= vehicle.route_end:
            return arrive(net, st, i, v, t)
        return NEVER
    link = st.link[k]
    when = light_allows(net, link, ready, t)
    if link.lane != i:
        when = max(when, st.lane[link.lane].next_out)
    if when > t:
        return when
    yields = link.foes > 0 and link.light != MAJOR
    stood = yields and (link.light == STOP_LIGHT or link.stop > 0 or look > 0)
    late = start_loss(net, link, ready)
    if stood:
        late = max(late, min(link.start, t - ready))
    target, place, again = _target(net, st, slot, t, link.via + late)
    if target < 0:
        lane.no_room = 1
        lane.look = 0
        await_room(st, np.int64(i), np.int64(place))
        if stood and again < NEVER:
            again = max(t + 1, again - (link.start - late))  # who starts later needs room later
        if t - ready < net.jam:
            return min(again, ready + net.jam)
        return pass_jam(net, st, i, k, v, t)
    lane.no_room = 0
    if yields and not gap_is_free(net, st, i, link, ready, t):
        lane.look = t + net.look
        return t + net.look
    return go(net, st, i, k, target, v, kind, t, stood, late)


@inlined
def _target(net: Any, st: Any, slot: Any, t: int, via: int) -> Any:
    """Lane that a head enters, or -1; where it awaits room then, and when to try again."""
    k, kind = slot.link, slot.code & 255
    link = st.link[k]
    beside = blocking_place(net, st, link, t)
    if beside >= 0:
        # if it left just now, its room has come already
        return -1, beside, t + 1 if left_now(st, st.lane[beside], t) else int(NEVER)
    if link.wait >= 0:
        place = st.lane[link.wait]
        again = fits(net.type, st.slot, place, place.next_in, kind, t, via, np.int64(0))
        return (link.wait if again <= t else -1), link.wait, again
    at, first = np.int64(st.vehicle[slot.vehicle].route_at) + 1, np.int64(link.first)
    target, again = choose(
        net,
        st,
        np.int64(slot.vehicle),
        at,
        first,
        first + link.lanes,
        np.int64(slot.code) >> 8,
        kind,
        t,
        via,
        np.int64(k),
        np.int64(link.inner),
    )
    return target, link.first, again


@inlined
def _source_acts(net: Any, st: Any, s: int, t: int) -> int:
    """Let the first vehicle of a source into the city if there is room."""
    source = st.source[s]
    if source.next >= source.end:
        return NEVER
    v = st.source_vehicle[source.next]
    vehicle = st.vehicle[v]
    if vehicle.due > t:
        return vehicle.due
    lane, again = choose_at(net, st, np.int64(v), np.int64(vehicle.route), t, np.int64(0))
    if lane < 0:
        await_room(st, len(st.lane) + s, np.int64(net.street_lane[st.route_street[vehicle.route]]))
        return again
    depart(net, st, lane, v, t)
    source.next += 1
    if source.next >= source.end:
        return NEVER
    return max(st.vehicle[st.source_vehicle[source.next]].due, t + 1)


@inlined
def _collect(st: Any, t: int) -> int:
    """Take the ids of a tick out of the wheel; their keys, in the order of acting."""
    n, n_lanes = 0, len(st.lane)
    b = t & MASK
    c = int(st.bucket[b])
    st.bucket[b] = -1
    st.bits[b >> 6] &= ~(np.uint64(1) << np.uint64(b & 63))
    while c >= 0:
        following = int(st.chunk[CHUNK * c])
        first, end = CHUNK * c + 2, CHUNK * c + 2 + st.chunk[CHUNK * c + 1]
        if following >= 0:
            prefetch(st.chunk, CHUNK * following)
        if end - first > FEW:
            for k in range(first, end):
                if st.chunk[k] < n_lanes:
                    prefetch(st.lane, st.chunk[k])
        for k in range(first, end):
            i = int(st.chunk[k])
            if i < n_lanes:
                lane = st.lane[i]
                if lane.wake != t:
                    continue
                lane.wake = NEVER
                if lane.inside > 0:
                    st.batch[n] = (np.int64(lane.ready) << 28) | i
                    n += 1
            elif st.source[i - n_lanes].wake == t:
                source = st.source[i - n_lanes]
                source.wake = NEVER
                if source.next < source.end:
                    due = st.vehicle[st.source_vehicle[source.next]].due
                    st.batch[n] = (np.int64(1) << 62) | (np.int64(due) << 28) | i
                    n += 1
        st.chunk[CHUNK * c] = st.clock[0].free
        st.clock[0].free = c
        c = following
    if n > 1:
        sort(st.batch, n)
    return n


@inlined
def _fetch(net: Any, st: Any, n: int, k: int) -> None:
    """Ask in steps for the memory that lanes further down in the batch will touch."""
    if k < n:
        i = int(st.batch[k]) & LOW
        if i < len(st.lane):
            prefetch(st.slot, head_slot(st.lane[i]))
    if 0 <= k - STEP < n:
        i = int(st.batch[k - STEP]) & LOW
        if i < len(st.lane) and st.lane[i].inside > 0:
            slot = st.slot[head_slot(st.lane[i])]
            if slot.link >= 0:
                prefetch(st.link, slot.link)
    for step in range(2, 5):
        if 0 <= k - STEP * step < n:
            i = int(st.batch[k - STEP * step]) & LOW
            if i < len(st.lane) and st.lane[i].inside > 0:
                slot = st.slot[head_slot(st.lane[i])]
                if slot.link >= 0 and st.link[slot.link].light != RED:
                    if step == 2:
                        prefetch(st.id, i)
                        _fetch_target(net, st, st.lane[i], slot)
                    elif step == 3:
                        _fetch_slots(net, st, slot)
                    else:
                        _fetch_heads(net, st, slot)


@inlined
def _fetch_target(net: Any, st: Any, lane: Any, slot: Any) -> None:
    """What the link of a head names: the next lane, and who may be in the way."""
    link = st.link[slot.link]
    prefetch(st.vehicle, slot.vehicle)
    prefetch(st.slot, ring_slot(lane, lane.tail + lane.gone + 1))
    prefetch(st.lane, link.wait if link.wait >= 0 else link.first)
    if link.siblings > 0:
        prefetch(net.sibling, link.beside)
    if link.foes > 0 and link.light != MAJOR:
        prefetch(net.foe, link.yields)


@inlined
def _fetch_slots(net: Any, st: Any, slot: Any) -> None:
    """Its place on the next lane, its way, and the lanes that it yields to."""
    link = st.link[slot.link]
    lane = st.lane[link.wait if link.wait >= 0 else link.first]
    prefetch(st.route_street, st.vehicle[slot.vehicle].route_at + 2)
    prefetch(net.link_street, lane.link)
    prefetch(st.slot, lane.ring + lane.tail)
    prefetch(st.slot, ring_slot(lane, lane.tail + lane.gone + lane.inside))
    if link.siblings > 0:
        prefetch(st.lane, net.sibling[link.beside].lane)
    if link.foes > 0 and link.light != MAJOR:
        for k in range(link.yields, link.yields + min(FOES, link.foes)):
            prefetch(st.link, net.foe[k].link)
            prefetch(st.lane, net.foe[k].lane)


@inlined
def _fetch_heads(net: Any, st: Any, slot: Any) -> None:
    """The heads of the lanes that it yields to, and the last of those who wait beside."""
    link = st.link[slot.link]
    if link.siblings > 0:
        lane = st.lane[net.sibling[link.beside].lane]
        if lane.gone > 0:
            prefetch(st.slot, ring_slot(lane, lane.tail + lane.gone - 1))
    if link.foes > 0 and link.light != MAJOR:
        for k in range(link.yields, link.yields + min(FOES, link.foes)):
            prefetch(st.slot, head_slot(st.lane[net.foe[k].lane]))


@inlined
def _tick(net: Any, st: Any, t: int) -> None:
    n_lanes = len(st.lane)
    if t >= st.clock[0].bin_end:
        begin_interval(net, st, t)
    n = _collect(st, t)
    ahead = ACTS if n >= MANY else 0
    for k in range(n + ahead):
        if ahead > 0:
            _fetch(net, st, n, k)
            if k < ahead:
                continue
        i = int(st.batch[k - ahead]) & LOW
        if i < n_lanes:
            again = int(_lane_acts(net, st, i, t))
        else:
            again = int(_source_acts(net, st, i - n_lanes, t))
        if again < NEVER:
            schedule(st, i, max(again, t + 1), t)


@compiled
def advance(net: Any, sig: Any, st: Any, until: int) -> None:
    """Simulate every tick before `until`."""
    t = st.clock[0].now
    signals = order_signals(st.signal, st.change)
    while t < until:
        t = next_bucket(st, t, min(until, max(t, next_change(st.change, signals))))
        if t >= until:
            break
        signals = change_signals(net, sig, st, signals, t)
        _tick(net, st, t)
        t += 1
    st.change[:] = 0
    add_counts(net.link, st.clock, st.link, st.counted, st.turn_sum, st.turn_count, st.entered)
    st.clock[0].now = until


@compiled
def wake_all(net: Any, st: Any) -> None:
    """Let every lane and source look again: closures, routes or lights have changed."""
    t = st.clock[0].now
    for i in range(len(st.id)):
        schedule(st, i, np.int64(t), np.int64(t))


@compiled
def refresh_links(net: Any, st: Any) -> None:
    """Recompute the next links of every vehicle on a lane, after routes have changed."""
    for i in range(len(st.lane)):
        lane = st.lane[i]
        for k in range(lane.inside):
            slot = st.slot[ring_slot(lane, lane.tail + lane.gone + k)]
            vehicle = st.vehicle[slot.vehicle]
            slot.code = slot_code(st.route_street, vehicle)
            if (lane.flags & INNER) != 0:
                continue
            at = vehicle.route_at + 1
            last = at >= vehicle.route_end
            slot.link = -1 if last else onward(net, st, i, st.route_street[at])


@compiled
def queues(net: Any, st: Any, waiting: I4, approaching: I4, vehicles: I4, wait: I4) -> None:
    """Count at the present tick.

    By link: vehicles at a stand before its stop line, those under way to it, and ticks for
    which the head of its lane, if it wants to take it, has been ready.  By lane: vehicles.
    """
    t = st.clock[0].now
    waiting[:] = 0
    approaching[:] = 0
    wait[:] = 0
    for i in range(len(st.lane)):
        lane = st.lane[i]
        vehicles[i] = lane.inside
        for k in range(lane.inside):
            slot = st.slot[ring_slot(lane, lane.tail + lane.gone + k)]
            link = slot.link
            if link < 0:
                continue
            if k == 0:
                wait[link] = max(0, t - lane.ready)
            if slot.time <= t:
                waiting[link] += 1
            else:
                approaching[link] += 1


@compiled
def remaining_uses(st: Any, street_flag: Any, out: Any) -> None:
    """Mark vehicles not yet arrived whose way ahead enters a flagged street."""
    for v in range(len(st.vehicle)):
        row = st.vehicle[v]
        out[v] = False
        if row.arrive >= 0:
            continue
        first = row.route if row.depart < 0 else row.route_at + 1
        for at in range(first, row.route_end):
            if street_flag[st.route_street[at]]:
                out[v] = True
                break
