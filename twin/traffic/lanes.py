"""The ring of a lane, its room, and the lane that a vehicle takes on the next street."""

from __future__ import annotations

from typing import Any

from twin.traffic.compiling import called, inlined
from twin.traffic.records import INNER, NEAR_SHORT, NEVER

DEEP = 4  # short streets over which lanes are chosen together


@inlined
def ring_slot(st: Any, lane: int, position: int) -> int:
    """Slot at a position of a lane's ring, counted on by less than a turn."""
    size = st.lane[lane].size
    return st.lane[lane].ring + (position - size if position >= size else position)


@inlined
def head_slot(st: Any, lane: int) -> int:
    """Slot of the vehicle that leaves next."""
    return ring_slot(st, lane, st.lane[lane].tail + st.lane[lane].gone)


@inlined
def _release(net: Any, st: Any, lane: int, t: int) -> None:
    """Free the places of those whose departure the backward wave has carried through."""
    while st.lane[lane].gone > 0:
        slot = st.lane[lane].ring + st.lane[lane].tail
        if st.slot[slot].time + st.lane[lane].lag > t:
            return
        st.lane[lane].occupied -= net.type[st.slot[slot].code & 255].cm
        st.lane[lane].gone -= 1
        following = st.lane[lane].tail + 1
        st.lane[lane].tail = following if following < st.lane[lane].size else 0


@inlined
def fits(net: Any, st: Any, lane: int, kind: int, t: int, via: int, inner: int) -> int:
    """`t` where a vehicle may enter now, else when that may change, else NEVER."""
    _release(net, st, lane, t)
    if t + via < st.lane[lane].next_in:
        return st.lane[lane].next_in - via
    taken = st.lane[lane].occupied
    over = taken + net.type[kind].cm - st.lane[lane].capacity
    if taken == 0 or over <= inner:
        return t
    if st.lane[lane].gone > 0:
        return st.slot[st.lane[lane].ring + st.lane[lane].tail].time + st.lane[lane].lag
    return NEVER


@inlined
def link_to(net: Any, st: Any, lane: int, street: int) -> int:
    """The link of a lane to a street, or -1."""
    first = st.lane[lane].link
    for link in range(first, first + st.lane[lane].links):
        if net.link_street[link] == street:
            return link
    return -1


@called
def _beside(net: Any, st: Any, lane: int, street: int) -> int:
    """A link to a street from the neighbours of a lane, or -1."""
    own = net.lane[lane].street
    for other in range(net.street_lane[own], net.street_lane[own + 1]):
        link = link_to(net, st, other, street)
        if link >= 0:
            return link
    return -1


@inlined
def onward(net: Any, st: Any, lane: int, street: int) -> int:
    """Link to a street from a lane, else from its neighbours (a late lane change)."""
    link = link_to(net, st, lane, street)
    return link if link >= 0 else _beside(net, st, lane, street)


@inlined
def next_link(net: Any, st: Any, lane: int, vehicle: int) -> int:
    """The link that a vehicle on a lane takes next, -1 where its trip ends."""
    if (st.lane[lane].flags & INNER) != 0:
        return st.lane[lane].link
    at = st.vehicle[vehicle].route_at + 1
    if at >= st.vehicle[vehicle].route_end:
        return -1
    return onward(net, st, lane, st.route_street[at])


@inlined
def slot_code(st: Any, vehicle: int) -> int:
    """The street after the next of a vehicle, and its type."""
    at = st.vehicle[vehicle].route_at + 2
    after = st.route_street[at] if at < st.vehicle[vehicle].route_end else -1
    return 256 * int(after) + st.vehicle[vehicle].type


@inlined
def _lanes_to(net: Any, st: Any, first: int, lanes: int, street: int) -> int:
    """Bits of the lanes of a street that have a link to another."""
    bits = 0
    for k in range(lanes):
        if link_to(net, st, first + k, street) >= 0:
            bits |= 1 << k
    return bits


@called
def _lanes_over_short(net: Any, st: Any, at: int, end: int) -> int:
    """Bits of the lanes of street `at` of a way from which it can be followed.

    Also over the next street, and on, as long as streets are too short to change lanes.
    """
    last = at
    while (
        last + 2 < end
        and last < at + DEEP
        and net.lane[net.street_lane[st.route_street[last + 1]]].short == 1
    ):
        last += 1
    bits = -1
    for k in range(last, at - 1, -1):
        deeper, bits = bits, 0
        first = net.street_lane[st.route_street[k]]
        for lane in range(first, net.street_lane[st.route_street[k] + 1]):
            link = link_to(net, st, lane, st.route_street[k + 1])
            if link >= 0 and (net.link[link].into & deeper) != 0:
                bits |= 1 << (lane - first)
    return bits


@called
def _beside_its_own(
    net: Any,
    st: Any,
    first: int,
    lanes: int,
    bits: int,
    kind: int,
    t: int,
    via: int,
    inner: int,
) -> Any:
    """First lane with room among `bits`, beside the full ones that serve a vehicle's way."""
    again = NEVER
    bit = net.type[kind].bit
    for k in range(lanes):
        lane = first + k
        if (bits >> k) & 1 == 0 or st.lane[lane].open == 0:
            continue
        if st.lane[lane].length < net.change_m or (st.lane[lane].classes & bit) == 0:
            continue
        when = fits(net, st, lane, kind, t, via, inner)
        if when <= t:
            return lane, when
        again = min(again, when)
    return -1, again


@inlined
def choose(
    net: Any,
    st: Any,
    vehicle: int,
    at: int,
    first: int,
    lanes: int,
    after: int,
    kind: int,
    t: int,
    via: int,
    by: int,
    inner: int,
) -> Any:
    """Lane of first:first + lanes to enter, and when to try again where there is none (-1).

    Among the open lanes that serve the way onward, the emptiest.

    Parameters
    ----------
    at, after
        Where the street is on the vehicle's way, and the street after it (-1: none).
    by, inner
        Link by which it comes, or -1, and the room on its way through the junction.
    """
    bit = net.type[kind].bit
    if lanes == 1:
        if st.lane[first].open == 0 or (st.lane[first].classes & bit) == 0:
            return -1, NEVER
        when = fits(net, st, first, kind, t, via, inner)
        return (first if when <= t else -1), when
    best, least, again = -1, NEVER, NEVER
    short = after >= 0 and (st.lane[first].flags & NEAR_SHORT) != 0
    for level in range(3):  # by the way as far as can be seen, by the next turn, any lane
        if level == 1 and not short:
            continue
        serving = -1
        if after >= 0 and level < 2:
            if level == 0 and short:
                serving = _lanes_over_short(net, st, at, st.vehicle[vehicle].route_end)
            else:
                serving = _lanes_to(net, st, first, lanes, after)
        served = False
        for k in range(lanes):
            lane = first + k
            if st.lane[lane].open == 0 or (st.lane[lane].classes & bit) == 0:
                continue
            if (serving >> k) & 1 == 0:
                continue
            served = True
            when = fits(net, st, lane, kind, t, via, inner)
            if when <= t:
                if st.lane[lane].occupied < least:
                    best, least = lane, st.lane[lane].occupied
            else:
                again = min(again, when)
        if served:
            if best < 0 and level < 2 and again == NEVER and by >= 0:
                into = net.link[by].into
                if (into & serving) == 0:
                    return _beside_its_own(net, st, first, lanes, into, kind, t, via, inner)
            break
    return best, again


@called
def choose_at(net: Any, st: Any, vehicle: int, at: int, t: int, via: int) -> Any:
    """Lane of street `at` of a vehicle's way for who comes by no link."""
    street = st.route_street[at]
    first = net.street_lane[street]
    after = st.route_street[at + 1] if at + 1 < st.vehicle[vehicle].route_end else -1
    kind = st.vehicle[vehicle].type
    lanes = net.street_lane[street + 1] - first
    return choose(net, st, vehicle, at, first, lanes, after, kind, t, via, -1, 0)
