"""How vehicles enter and leave lanes, and what is counted of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.compiling import called, inlined
from twin.traffic.lanes import choose_at, entry_lane, head_slot, onward, ring_slot, slot_code
from twin.traffic.records import EVEN, INNER, NEVER
from twin.traffic.wheel import room_comes, schedule

FULL = 2**30  # ticks up to which a link sums times


@called
def _serve_stops(
    stops: Any, slots: Any, lane: Any, street: int, vehicle: Any, stopping: int, t: int, ready: int
) -> int:
    """When a vehicle that enters at `t` reaches the stop line after its stops on the street.

    Stops on streets that its way has left out are passed over.
    """
    way, late, before = ready - t, 0, 0
    if lane.inside > 0:  # who is before it passes the stop first
        last = (lane.tail + lane.gone + lane.inside - 1) % lane.size
        before = slots[lane.ring + last].time
    first, end = vehicle.stop, vehicle.stop_end
    for k in range(first, end):
        stop = stops[k]
        if stop.street != street:
            if late > 0:
                break
            continue
        on = int(way * stop.share)
        at = max(t + late + on, before - way + on)
        leaves = max(at + stop.dwell, stop.until)
        late = leaves - t - on + stopping
        vehicle.stood += leaves - at
        vehicle.stop = k + 1
    return ready + late


@called
def _record(
    rows: Any, clock: Any, vehicle: int, lane: int, left: int, enter_at: int, ready: int
) -> None:
    """Note an entry into a lane, or with lane -1 the end of a trip, if there is room."""
    n = clock[0].passed
    clock[0].passed = n + 1
    if n < len(rows):
        row = rows[n]
        row.vehicle = vehicle
        row.lane = lane
        row.left = left
        row.enter = enter_at
        row.ready = ready


@inlined
def enter(net: Any, st: Any, i: int, by: int, v: int, t: int, extra: int, now: int) -> None:
    """Put vehicle `v` at the upstream end of lane `i` at tick `t` (now or a little later).

    It comes by lane `by` of the street, and changes on the way.
    """
    lane, vehicle = st.lane[i], st.vehicle[v]
    slot = st.slot[ring_slot(lane, lane.tail + lane.gone + lane.inside)]
    kind = net.type[vehicle.type]
    inner = (lane.flags & INNER) != 0
    speed = min(lane.speed * vehicle.factor, kind.speed)
    ready = t + int(lane.length / speed * net.tps + 0.5) + extra
    if vehicle.stop < vehicle.stop_end and not inner:
        street, stopping = net.lane[i].street, kind.stopping
        ready = _serve_stops(st.stop, st.slot, lane, street, vehicle, stopping, t, ready)
    ready = max(ready, t + 1)
    slot.vehicle = v
    slot.time = ready
    slot.code = slot_code(st.route_street, vehicle)
    if inner:
        slot.link = lane.link
    elif vehicle.route_at + 1 >= vehicle.route_end:
        slot.link = -1
    else:
        slot.link = onward(net, st, i, st.route_street[vehicle.route_at + 1])
    came = st.lane[by]
    headway = int(came.entry_headway if vehicle.type == 0 else net.entry_headway[vehicle.type, by])
    lane.occupied += kind.cm
    lane.inside += 1
    came.next_in = t + headway
    vehicle.place = i
    st.clock[0].moves += 1
    if len(st.passed) > 0:
        _record(st.passed, st.clock, v, i, now, t, np.int64(ready))
    if lane.inside == 1:
        lane.look = 0
        lane.no_room = 0
        lane.ready = max(ready, lane.next_out)
        schedule(st, np.int64(i), np.int64(lane.ready), np.int64(now))


@inlined
def _leave(st: Any, i: int, t: int, headway: int) -> int:
    """Take the head of lane `i` out of it; when its follower is ready."""
    lane = st.lane[i]
    st.slot[head_slot(lane)].time = t
    lane.gone += 1
    lane.inside -= 1
    lane.next_out = t + headway
    lane.look = 0
    lane.no_room = 0
    if lane.inside > 0:
        lane.ready = max(st.slot[head_slot(lane)].time, lane.next_out)
    else:
        lane.ready = NEVER
    # Who finds places of leavers in a lane knows when the first of them comes free.  So only
    # the first to leave must wake who waits, and for the tick when its own place comes free.
    even = (lane.flags & EVEN) != 0
    if lane.waited == 1 and (lane.gone == 1 or not even):
        room_comes(st, i, t + (lane.lag if even else 1), t)
    return lane.ready


@inlined
def _interval(st: Any, t: int) -> int:
    """Interval of the measurements in which a tick lies."""
    clock = st.clock[0]
    if clock.bin_first <= t < clock.bin_end:
        return clock.bin
    return min(max(0, (t - clock.first) // clock.length), st.entered.shape[0] - 1)


@inlined
def begin_interval(net: Any, st: Any, t: int) -> None:
    """Go on to the interval of the present tick, so that moves need not divide."""
    add_counts(net.link, st.clock, st.link, st.counted, st.turn_sum, st.turn_count, st.entered)
    clock = st.clock[0]
    k = (t - clock.first) // clock.length
    clock.bin = min(max(0, k), st.entered.shape[0] - 1)
    clock.bin_first = clock.first + k * clock.length
    clock.bin_end = clock.bin_first + clock.length


@called
def add_counts(
    const: Any, clock: Any, links: Any, counted: Any, turn_sum: Any, turn_count: Any, entered: Any
) -> None:
    """Bring what links have counted in the present interval into the measurements."""
    k = clock[0].bin
    for j in range(clock[0].counted):
        i = int(counted[j])
        counted[j] = 0
        link, turn = links[i], const[i].turn
        turn_sum[k, turn] += link.sum
        turn_count[k, turn] += link.count
        entered[k, const[i].street] += link.entries
        link.sum = 0
        link.count = 0
        link.entries = 0
    clock[0].counted = 0


@inlined
def _count_turn(net: Any, st: Any, since: int, k: int, t: int) -> None:
    """Count who passes a stop line by when it entered the street."""
    clock, link = st.clock[0], st.link[k]
    if since >= clock.bin_first and link.sum < FULL:
        if link.count == 0 and link.entries == 0:
            st.counted[clock.counted] = k
            clock.counted += 1
        link.sum += t - since
        link.count += 1
        return
    n, turn = _interval(st, since), net.link[k].turn
    st.turn_sum[n, turn] += t - since
    st.turn_count[n, turn] += 1


@inlined
def _count_entry(net: Any, st: Any, k: int, t: int) -> None:
    """Count who enters the next street at `t`."""
    clock, link = st.clock[0], st.link[k]
    if t < clock.bin_end:
        if link.count == 0 and link.entries == 0:
            st.counted[clock.counted] = k
            clock.counted += 1
        link.entries += 1
    else:
        st.entered[_interval(st, t), net.link[k].street] += 1


@inlined
def go(
    net: Any,
    st: Any,
    i: int,
    k: int,
    target: int,
    v: int,
    kind: int,
    t: int,
    stood: bool,
    late: int,
) -> int:
    """Move the head of lane `i` through link `k` into `target`; when its follower is ready."""
    link, vehicle = st.link[k], st.vehicle[v]
    entry = t + link.via + late
    headway = int(link.headway if kind == 0 else net.headway[kind, k])
    if stood:
        headway = max(headway, net.follow)
    else:
        headway += late
    follower = _leave(st, i, t, headway)
    if link.lane != i:
        own = st.lane[link.lane]
        own.next_out = t + headway
        if own.inside > 0:
            own.ready = max(own.ready, t + headway)
    link.last = t + late
    by = target
    if link.wait < 0:
        if link.lanes > 1:
            first, into = link.first, int(net.link[k].into)
            by = entry_lane(st.lane, target, first, first + link.lanes, into, net.change_m)
        vehicle.route_at += 1
        _count_turn(net, st, vehicle.entered, k, entry)
        _count_entry(net, st, k, entry)
        vehicle.entered = entry
    enter(net, st, np.int64(target), np.int64(by), np.int64(v), entry, np.int64(0), t)
    return follower


@inlined
def _end(st: Any, v: int, t: int) -> None:
    """Note the end of a trip."""
    tick = np.int64(t)
    _record(st.passed, st.clock, np.int64(v), np.int64(-1), tick, tick, tick)


@inlined
def arrive(net: Any, st: Any, i: int, v: int, t: int) -> int:
    """Take the head of lane `i` out of the city; when its follower is ready."""
    vehicle, street = st.vehicle[v], net.lane[i].street
    n = _interval(st, vehicle.entered)
    st.exit_sum[n, street] += t - vehicle.entered
    st.exit_count[n, street] += 1
    vehicle.arrive = t
    vehicle.place = -1
    if len(st.passed) > 0:
        _end(st, v, t)
    return _leave(st, i, t, np.int64(net.entry_headway[vehicle.type, i]))


@inlined
def depart(net: Any, st: Any, lane: int, v: int, t: int) -> None:
    """Let a vehicle into the city."""
    vehicle = st.vehicle[v]
    vehicle.depart = vehicle.entered = t
    vehicle.route_at = vehicle.route
    st.entered[_interval(st, t), st.route_street[vehicle.route]] += 1
    enter(net, st, lane, lane, np.int64(v), np.int64(t), np.int64(vehicle.extra), t)


@called
def pass_jam(net: Any, st: Any, i: int, k: int, v: int, t: int) -> int:
    """Take the head of a lane to the next street of its way that has room, or to its goal.

    It takes the time that the streets between would take when empty.  When its follower is
    ready is returned.
    """
    vehicle = st.vehicle[v]
    entry = t + int(st.link[k].via)
    st.clock[0].passed_jams += 1
    follower = _leave(st, i, t, np.int64(net.headway[vehicle.type, k]))
    _count_turn(net, st, vehicle.entered, k, t)
    for at in range(vehicle.route_at + 2, vehicle.route_end):
        passed = st.lane[net.street_lane[st.route_street[at - 1]]]
        entry += int(passed.length / passed.speed * net.tps + 0.5)
        target, _ = choose_at(net, st, np.int64(v), at, t, entry - t)
        if target >= 0:
            vehicle.route_at = at
            vehicle.entered = entry
            st.entered[_interval(st, entry), st.route_street[at]] += 1
            enter(net, st, target, target, np.int64(v), entry, np.int64(0), t)
            return follower
    vehicle.route_at = vehicle.route_end - 1
    vehicle.arrive = entry
    vehicle.place = -1
    if len(st.passed) > 0:
        _end(st, v, t)
    return follower
