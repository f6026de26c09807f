"""Whether the first vehicle of a lane may go before those who have right of way."""

from __future__ import annotations

from typing import Any

from twin.compiling import called, inlined
from twin.traffic.lanes import ring_slot
from twin.traffic.network import RED, YELLOW
from twin.traffic.records import INNER

CIRCLE = 4  # vehicles that may yield to each other in a circle
AHEAD = 3  # vehicles of a lane that those who yield to it look at


@inlined
def left_now(st: Any, lane: Any, t: int) -> bool:
    """Whether the last departure of a lane is of this tick."""
    if lane.gone == 0:
        return False
    return st.slot[ring_slot(lane, lane.tail + lane.gone - 1)].time == t


@inlined
def blocking_place(net: Any, st: Any, link: Any, t: int) -> int:
    """A waiting place of the same lane whose vehicles stand in the way, or -1."""
    for k in range(link.beside, link.beside + link.siblings):
        row = net.sibling[k]
        lane = st.lane[row.lane]
        if lane.inside > row.most or (lane.inside == row.most and left_now(st, lane, t)):
            return row.lane
    return -1


@called
def _comes_from_afar(
    const: Any,
    upstream: Any,
    street_lane: Any,
    lanes: Any,
    slots: Any,
    links: Any,
    vehicles: Any,
    route_street: Any,
    foe: int,
    before: int,
    gap: int,
) -> bool:
    """Whether a vehicle comes from a street further up before a tick, to take link `foe`."""
    own = const[links[foe].lane]
    for up in range(own.up, own.up_end):
        row = upstream[up]
        if row.ticks >= gap:
            return False
        lane = lanes[row.lane]
        if lane.no_room == 1 or lane.look > 0:
            continue
        for k in range(min(lane.inside, AHEAD)):
            slot = slots[ring_slot(lane, lane.tail + lane.gone + k)]
            if max(slot.time, lane.next_out) + row.ticks >= before:
                break
            if slot.link != row.link:
                continue
            if links[row.link].light == RED:
                break
            vehicle = vehicles[slot.vehicle]
            at = vehicle.route_at + row.ahead
            if (
                at + 1 < vehicle.route_end
                and route_street[at] == own.street
                and street_lane[route_street[at + 1]] == links[foe].first
            ):
                return True
    return False


@inlined
def _comes(
    net: Any, st: Any, foe: int, k: int, t: int, own: int, gap: int, first: int, held: bool
) -> bool:
    """Whether a vehicle of link `foe` of lane `k` comes within the gap, or within `own` on it.

    `first` is the first lane of the street where the one who asks wants to go.  If the first
    vehicle of the foe wants to go there too and stood for want of room, then the room that
    has come is its own, unless the one who asks has lost patience (`held` is false).
    """
    right, lane = st.link[foe], st.lane[k]
    for n in range(min(lane.inside, AHEAD)):
        slot = st.slot[ring_slot(lane, lane.tail + lane.gone + n)]
        due = max(slot.time, lane.next_out)
        if n == 0 and lane.no_room == 1:
            return slot.link == foe and first == right.first and held
        if due >= t + own:
            return False
        if slot.link == foe:
            return not (right.light == YELLOW and due > right.since + right.braking)
        if n == 0 and slot.link >= 0 and st.link[slot.link].light == RED:
            return False
    gap = min(gap, net.seen)
    if lane.inside < AHEAD and (lane.flags & INNER) == 0:
        return _comes_from_afar(
            net.lane,
            net.upstream,
            net.street_lane,
            st.lane,
            st.slot,
            st.link,
            st.vehicle,
            st.route_street,
            foe,
            t + gap,
            gap,
        )
    return False


@called
def _in_a_circle(lanes: Any, yields_to: Any, lane: int, foe: int) -> bool:
    """Whether the head of lane `foe` waits for one who waits ... for the head of `lane`."""
    for _ in range(CIRCLE):
        if foe == lane:
            return True
        if lanes[foe].look <= 0:
            return False
        foe = yields_to[foe]
    return False


@inlined
def gap_is_free(net: Any, st: Any, i: int, link: Any, ready: int, t: int) -> bool:
    """Whether nobody with right of way over a link is in the junction or comes in the gap.

    Else it is noted to which lane the head of lane `i` yields.  Those who yield to each other
    in a circle stand for a while, until one of them goes.
    """
    stands = t > ready + net.standing
    gap = int(link.gap_standing if stands else link.gap_moving)
    waited = max(1, min(t - ready, net.impatient))
    relied = net.relied * waited // net.impatient
    held = gap - relied > net.tps
    st.yields_to[i] = i
    for k in range(link.yields, link.yields + link.foes):
        row = net.foe[k]
        foe = st.link[row.link]
        if foe.light == RED:
            continue
        if foe.last + row.clear > t:
            return False
        counts_on = row.counts_on // waited
        least = max(gap - relied, min(gap, counts_on))
        own = max(least, counts_on) if row.faster == 1 and stands else least
        if _comes(net, st, row.link, row.lane, t, own, least, link.first, held):
            st.yields_to[i] = row.lane
            if t - ready < net.circle or not _in_a_circle(st.lane, st.yields_to, i, row.lane):
                return False
    return True
