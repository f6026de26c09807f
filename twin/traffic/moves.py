"""How vehicles enter and leave lanes, and what is counted of it."""

from __future__ import annotations

from typing import Any

from twin.traffic.compiling import called, inlined
from twin.traffic.lanes import choose_at, head_slot, next_link, ring_slot, slot_code
from twin.traffic.records import EVEN, INNER, NEVER
from twin.traffic.wheel import room_comes, schedule

FULL = 2**30  # ticks up to which a link sums times


@called
def _serve_stops(net: Any, st: Any, lane: int, vehicle: int, t: int, ready: int) -> int:
    """When a vehicle that enters at `t` reaches the stop line after its stops on the street.

    Stops on streets that its way has left out are passed over.
    """
    way, late, before = ready - t, 0, 0
    if st.lane[lane].inside > 0:  # who is before it passes the stop first
        row = st.lane[lane]
        last_in = (row.tail + row.gone + row.inside - 1) % row.size
        before = st.slot[row.ring + last_in].time
    first, last = st.vehicle[vehicle].stop, st.vehicle[vehicle].stop_end
    for k in range(first, last):
        if st.stop[k].street != net.lane[lane].street:
            if late > 0:
                break
            continue
        on = int(way * st.stop[k].share)
        at = max(t + late + on, before - way + on)
        leaves = max(at + st.stop[k].dwell, st.stop[k].until)
        late = leaves - t - on + net.type[st.vehicle[vehicle].type].stopping
        st.vehicle[vehicle].stood += leaves - at
        st.vehicle[vehicle].stop = k + 1
    return ready + late


@inlined
def enter(net: Any, st: Any, lane: int, vehicle: int, t: int, extra: int, now: int) -> None:
    """Put a vehicle at the upstream end of a lane at tick `t` (now or a little later)."""
    slot = ring_slot(st, lane, st.lane[lane].tail + st.lane[lane].gone + st.lane[lane].inside)
    kind = st.vehicle[vehicle].type
    speed = min(st.lane[lane].speed * st.vehicle[vehicle].factor, net.type[kind].speed)
    ready = t + int(st.lane[lane].length / speed * net.tps + 0.5) + extra
    if st.vehicle[vehicle].stop < st.vehicle[vehicle].stop_end and (
        (st.lane[lane].flags & INNER) == 0
    ):
        ready = _serve_stops(net, st, lane, vehicle, t, ready)
    ready = max(ready, t + 1)
    st.slot[slot].vehicle = vehicle
    st.slot[slot].time = ready
    st.slot[slot].link = next_link(net, st, lane, vehicle)
    st.slot[slot].code = slot_code(st, vehicle)
    st.lane[lane].occupied += net.type[kind].cm
    st.lane[lane].inside += 1
    headway = int(st.lane[lane].entry_headway if kind == 0 else net.entry_headway[kind, lane])
    st.lane[lane].next_in = t + headway
    st.vehicle[vehicle].place = lane
    st.clock[0].moves += 1
    if st.lane[lane].inside == 1:
        st.lane[lane].look = 0
        st.lane[lane].no_room = 0
        st.lane[lane].ready = max(ready, st.lane[lane].next_out)
        schedule(st, lane, st.lane[lane].ready, now)


@inlined
def _leave(st: Any, lane: int, t: int, headway: int) -> None:
    """Take the head of a lane out of it."""
    st.slot[head_slot(st, lane)].time = t
    st.lane[lane].gone += 1
    st.lane[lane].inside -= 1
    st.lane[lane].next_out = t + headway
    st.lane[lane].look = 0
    st.lane[lane].no_room = 0
    if st.lane[lane].inside > 0:
        st.lane[lane].ready = max(st.slot[head_slot(st, lane)].time, st.lane[lane].next_out)
    else:
        st.lane[lane].ready = NEVER
    if st.lane[lane].waited == 1:
        # Who finds places of leavers in a lane knows when the first of them comes free. So
        # only the first to leave must wake who waits, for when its own place comes free.
        if (st.lane[lane].flags & EVEN) == 0:
            room_comes(st, lane, t + 1, t)
        elif st.lane[lane].gone == 1:
            room_comes(st, lane, t + st.lane[lane].lag, t)


@inlined
def interval_of(st: Any, t: int) -> int:
    """Interval of the measurements in which a tick lies."""
    if st.clock[0].bin_first <= t < st.clock[0].bin_end:
        return st.clock[0].bin
    return min(max(0, (t - st.clock[0].first) // st.clock[0].length), st.entered.shape[0] - 1)


@inlined
def begin_interval(net: Any, st: Any, t: int) -> None:
    """Go on to the interval of the present tick, so that moves need not divide."""
    add_counts(net.link, st.clock, st.link, st.counted, st.turn_sum, st.turn_count, st.entered)
    k = (t - st.clock[0].first) // st.clock[0].length
    st.clock[0].bin = min(max(0, k), st.entered.shape[0] - 1)
    st.clock[0].bin_first = st.clock[0].first + k * st.clock[0].length
    st.clock[0].bin_end = st.clock[0].bin_first + st.clock[0].length


@called
def add_counts(
    link_const: Any,
    clock: Any,
    link: Any,
    counted: Any,
    turn_sum: Any,
    turn_count: Any,
    entered: Any,
) -> None:
    """Bring what links have counted in the present interval into the measurements."""
    k = clock[0].bin
    for j in range(clock[0].counted):
        i = int(counted[j])
        counted[j] = 0
        turn = link_const[i].turn
        turn_sum[k, turn] += link[i].sum
        turn_count[k, turn] += link[i].count
        entered[k, link_const[i].street] += link[i].entries
        link[i].sum = 0
        link[i].count = 0
        link[i].entries = 0
    clock[0].counted = 0


@inlined
def _count_turn(net: Any, st: Any, vehicle: int, link: int, t: int) -> None:
    """Count who passes a stop line by when it entered the street."""
    entered = st.vehicle[vehicle].entered
    if entered >= st.clock[0].bin_first and st.link[link].sum < FULL:
        if st.link[link].count == 0 and st.link[link].entries == 0:
            st.counted[st.clock[0].counted] = link
            st.clock[0].counted += 1
        st.link[link].sum += t - entered
        st.link[link].count += 1
        return
    k, turn = interval_of(st, entered), net.link[link].turn
    st.turn_sum[k, turn] += t - entered
    st.turn_count[k, turn] += 1


@inlined
def _count_entry(net: Any, st: Any, link: int, t: int) -> None:
    """Count who enters the next street at `t`."""
    if t < st.clock[0].bin_end:
        if st.link[link].count == 0 and st.link[link].entries == 0:
            st.counted[st.clock[0].counted] = link
            st.clock[0].counted += 1
        st.link[link].entries += 1
    else:
        st.entered[interval_of(st, t), net.link[link].street] += 1


@inlined
def go(
    net: Any,
    st: Any,
    lane: int,
    link: int,
    target: int,
    vehicle: int,
    kind: int,
    t: int,
    stood: bool,
    late: int,
) -> int:
    """Move the head of `lane` through `link` into `target`; when its follower is ready."""
    via = st.link[link].via + late
    headway = int(st.link[link].headway if kind == 0 else net.headway[kind, link])
    if stood:
        headway = max(headway, st.link[link].follow)
    else:
        headway += late
    _leave(st, lane, t, headway)
    own = st.link[link].lane
    if own != lane:
        st.lane[own].next_out = t + headway
        if st.lane[own].inside > 0:
            st.lane[own].ready = max(st.lane[own].ready, t + headway)
    st.link[link].last = t
    if st.link[link].wait < 0:
        st.vehicle[vehicle].route_at += 1
        _count_turn(net, st, vehicle, link, t + via)
        _count_entry(net, st, link, t + via)
        st.vehicle[vehicle].entered = t + via
    enter(net, st, target, vehicle, t + via, 0, t)
    return st.lane[lane].ready


@called
def arrive(net: Any, st: Any, lane: int, vehicle: int, t: int) -> int:
    """Take the head of a lane out of the city; when its follower is ready."""
    kind = st.vehicle[vehicle].type
    k = interval_of(st, st.vehicle[vehicle].entered)
    street = net.lane[lane].street
    st.exit_sum[k, street] += t - st.vehicle[vehicle].entered
    st.exit_count[k, street] += 1
    st.vehicle[vehicle].arrive = t
    st.vehicle[vehicle].place = -1
    _leave(st, lane, t, net.entry_headway[kind, lane])
    return st.lane[lane].ready


@called
def pass_jam(net: Any, st: Any, lane: int, link: int, vehicle: int, t: int) -> int:
    """Take the head of a lane to the next street of its way that has room, or to its goal.

    It takes the time that the streets between would take when empty.  When its follower is
    ready is returned.
    """
    row = st.vehicle[vehicle]
    via = int(st.link[link].via)
    st.clock[0].passed_jams += 1
    _leave(st, lane, t, net.headway[row.type, link])
    _count_turn(net, st, vehicle, link, t)
    for at in range(row.route_at + 2, row.route_end):
        passed = net.street_lane[st.route_street[at - 1]]
        via += int(st.lane[passed].length / st.lane[passed].speed * net.tps + 0.5)
        target, _ = choose_at(net, st, vehicle, at, t, via)
        if target < 0:
            continue
        row.route_at = at
        row.entered = t + via
        st.entered[interval_of(st, t + via), st.route_street[at]] += 1
        enter(net, st, target, vehicle, t + via, 0, t)
        return st.lane[lane].ready
    row.route_at = row.route_end - 1
    row.arrive = t + via
    row.place = -1
    return st.lane[lane].ready
