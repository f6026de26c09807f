"""The ring of a lane, its room, and the lane that a vehicle takes on the next street."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.compiling import called, inlined
from twin.traffic.records import NEAR_SHORT, NEVER

DEEP = 4  # short streets over which lanes are chosen together


@inlined
def ring_slot(lane: Any, position: int) -> int:
    """Slot at a position of a lane's ring, counted on by less than a turn."""
    return lane.ring + (position - lane.size if position >= lane.size else position)


@inlined
def head_slot(lane: Any) -> int:
    """Slot of the vehicle that leaves a lane next."""
    return ring_slot(lane, lane.tail + lane.gone)


@inlined
def release(types: Any, slots: Any, lane: Any, t: int) -> None:
    """Free the places of those whose departure the backward wave has carried through."""
    while lane.gone > 0:
        slot = slots[lane.ring + lane.tail]
        if slot.time + lane.lag > t:
            return
        lane.occupied -= types[slot.code & 255].cm
        lane.gone -= 1
        lane.tail = lane.tail + 1 if lane.tail + 1 < lane.size else 0


@called
def entry_lane(lanes: Any, k: int, first: int, end: int, into: int, change_m: float) -> int:
    """Lane of first:end by which a vehicle comes to lane `k`, from a link that leads `into` some.

    Where the street is too short to change lanes, the lane itself.
    """
    if (into >> (k - first)) & 1 or lanes[k].length < change_m:
        return k
    for off in range(1, end - first):
        for other in (k - off, k + off):
            if first <= other < end and (into >> (other - first)) & 1:
                return other
    return k


@inlined
def fits(
    types: Any, slots: Any, lane: Any, next_in: int, kind: int, t: int, via: int, inner: int
) -> int:
    """`t` where a vehicle may enter now, else when that may change, else NEVER.

    `next_in` is that of the lane by which it comes.
    """
    release(types, slots, lane, t)
    if t + via < next_in:
        return next_in - via
    over = lane.occupied + types[kind].cm - lane.capacity
    if lane.occupied == 0 or over <= inner:
        return t
    if lane.gone > 0:
        return slots[lane.ring + lane.tail].time + lane.lag
    return NEVER


@inlined
def _may_enter(lane: Any, bit: int) -> bool:
    return lane.open == 1 and (lane.classes & bit) != 0


@inlined
def _link_to(link_street: Any, lane: Any, street: int) -> int:
    """The link of a lane to a street, or -1."""
    for link in range(lane.link, lane.link + lane.links):
        if link_street[link] == street:
            return link
    return -1


@called
def _beside(const: Any, street_lane: Any, link_street: Any, lanes: Any, k: int, to: int) -> int:
    """A link to a street from the neighbours of a lane, or -1."""
    own = const[k].street
    for other in range(street_lane[own], street_lane[own + 1]):
        link = _link_to(link_street, lanes[other], to)
        if link >= 0:
            return link
    return -1


@inlined
def onward(net: Any, st: Any, lane: int, street: int) -> int:
    """Link to a street from a lane, else from its neighbours (a late lane change)."""
    link = _link_to(net.link_street, st.lane[lane], street)
    if link >= 0:
        return link
    return _beside(net.lane, net.street_lane, net.link_street, st.lane, lane, street)


@inlined
def slot_code(route_street: Any, vehicle: Any) -> int:
    """The street after the next of a vehicle, and its type."""
    at = vehicle.route_at + 2
    after = int(route_street[at]) if at < vehicle.route_end else -1
    return 256 * after + vehicle.type


@inlined
def _lanes_to(link_street: Any, lanes: Any, first: int, end: int, street: int) -> int:
    """Bits of the lanes of a street that have a link to another."""
    bits = 0
    for k in range(first, end):
        if _link_to(link_street, lanes[k], street) >= 0:
            bits |= 1 << (k - first)
    return bits


@called
def _lanes_over_short(
    const: Any,
    link_const: Any,
    street_lane: Any,
    link_street: Any,
    lanes: Any,
    route_street: Any,
    at: int,
    end: int,
) -> int:
    """Bits of the lanes of street `at` of a way from which it can be followed.

    Also over the next street, and on, as long as streets are too short to change lanes.
    """
    last = at
    while (
        last + 2 < end
        and last < at + DEEP
        and const[street_lane[route_street[last + 1]]].short == 1
    ):
        last += 1
    bits = -1
    for k in range(last, at - 1, -1):
        deeper, bits = bits, 0
        first = street_lane[route_street[k]]
        for lane in range(first, street_lane[route_street[k] + 1]):
            link = _link_to(link_street, lanes[lane], route_street[k + 1])
            if link >= 0 and (link_const[link].into & deeper) != 0:
                bits |= 1 << (lane - first)
    return bits


@called
def _beside_its_own(
    types: Any,
    slots: Any,
    lanes: Any,
    first: int,
    end: int,
    bits: int,
    change_m: float,
    kind: int,
    t: int,
    via: int,
    inner: int,
) -> Any:
    """First lane with room among `bits`, beside the full ones that serve a vehicle's way."""
    again = NEVER
    for k in range(first, end):
        lane = lanes[k]
        if (bits >> (k - first)) & 1 == 0 or not _may_enter(lane, types[kind].bit):
            continue
        if lane.length < change_m:
            continue
        when = fits(types, slots, lane, lane.next_in, kind, t, via, inner)
        if when <= t:
            return k, when
        again = min(again, when)
    return -1, again


@inlined
def choose(
    net: Any,
    st: Any,
    vehicle: int,
    at: int,
    first: int,
    end: int,
    after: int,
    kind: int,
    t: int,
    via: int,
    by: int,
    inner: int,
) -> Any:
    """Lane of first:end to enter, and when to try again where there is none (-1).

    Among the open lanes that serve the way onward, the emptiest.

    Parameters
    ----------
    at, after
        Where the street is on the vehicle's way, and the street after it (-1: none).
    by, inner
        Link by which it comes, or -1, and the room on its way through the junction.
    """
    bit = net.type[kind].bit
    best, least, again = -1, NEVER, NEVER
    into = int(net.link[by].into) if by >= 0 and end - first > 1 else 0
    short = after >= 0 and (st.lane[first].flags & NEAR_SHORT) != 0
    for level in range(3):  # by the way as far as can be seen, by the next turn, any lane
        serving = -1
        if after >= 0 and end - first > 1:
            if level == 0 and short:
                serving = _lanes_over_short(
                    net.lane,
                    net.link,
                    net.street_lane,
                    net.link_street,
                    st.lane,
                    st.route_street,
                    at,
                    st.vehicle[vehicle].route_end,
                )
            elif level < 2:
                serving = _lanes_to(net.link_street, st.lane, first, end, after)
        served = False
        for k in range(first, end):
            lane = st.lane[k]
            if (serving >> (k - first)) & 1 == 0 or not _may_enter(lane, bit):
                continue
            served = True
            next_in = lane.next_in
            if into != 0:
                next_in = st.lane[entry_lane(st.lane, k, first, end, into, net.change_m)].next_in
            when = fits(net.type, st.slot, lane, next_in, kind, t, via, inner)
            if when > t:
                again = min(again, when)
            elif lane.occupied < least:
                best, least = k, lane.occupied
        if not served:
            continue
        if best < 0 and serving != -1 and again == NEVER and by >= 0:
            into = int(net.link[by].into)
            if (into & serving) == 0:
                return _beside_its_own(
                    net.type, st.slot, st.lane, first, end, into, net.change_m, kind, t, via, inner
                )
        break
    return best, again


@inlined
def choose_at(net: Any, st: Any, vehicle: int, at: int, t: int, via: int) -> Any:
    """Lane of street `at` of a vehicle's way for who comes by no link."""
    row, street = st.vehicle[vehicle], st.route_street[at]
    first, end = np.int64(net.street_lane[street]), np.int64(net.street_lane[street + 1])
    after = np.int64(st.route_street[at + 1]) if at + 1 < row.route_end else -1
    kind, no_link, no_room = np.int64(row.type), np.int64(-1), np.int64(0)
    return choose(net, st, vehicle, at, first, end, after, kind, t, via, no_link, no_room)
