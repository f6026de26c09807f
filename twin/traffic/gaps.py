"""Whether the first vehicle of a lane may go before those who have right of way."""

from __future__ import annotations

from typing import Any

from twin.traffic.compiling import called, inlined
from twin.traffic.lanes import ring_slot
from twin.traffic.network import RED, YELLOW
from twin.traffic.records import INNER

AHEAD = 3  # vehicles of a lane that those who yield to it look at


@inlined
def blocking_place(net: Any, st: Any, link: Any, t: int) -> int:
    """A waiting place of the same lane whose vehicles stand in the way, or -1."""
    for k in range(link.beside, link.beside + link.siblings):
        row = net.sibling[k]
        lane = st.lane[row.lane]
        if lane.inside > row.most:
            return row.lane
        if lane.inside == row.most and lane.gone > 0:
            last = ring_slot(lane, lane.tail + lane.gone - 1)
            if st.slot[last].time == t:  # leaves just now
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
    net: Any, st: Any, foe: int, k: int, ready: int, t: int, gap: int, first: int, held: bool
) -> bool:
    """Whether a vehicle of link `foe` of lane `k` comes within the gap.

    `first` is the first lane of the street where the one who asks wants to go.  If the first
    vehicle of the foe wants to go there too and stood for want of room, then the room that
    has come is its own, unless the one who asks has lost patience (`held` is false).
    """
    right, lane = st.link[foe], st.lane[k]
    for n in range(min(lane.inside, AHEAD)):
        slot = st.slot[ring_slot(lane, lane.tail + lane.gone + n)]
        due = max(slot.time, lane.next_out)
        if n == 0:
            if lane.no_room == 1:
                return slot.link == foe and first == right.first and held
            if lane.look > 0 and due >= ready:  # it yields itself, and came later
                return False
        if due >= t + gap:
            return False
        if slot.link == foe:
            return not (right.light == YELLOW and due > right.since + right.braking)
        if n == 0 and slot.link >= 0 and st.link[slot.link].light == RED:
            return False
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


@inlined
def gap_is_free(net: Any, st: Any, own: Any, ready: int, t: int) -> bool:
    """Whether nobody with right of way over a link is in the junction or comes in the gap."""
    gap = int(own.gap_standing if t > ready else own.gap_moving)
    waited = max(1, min(t - ready, net.impatient))
    relied = net.relied * waited // net.impatient
    held = gap - relied > net.tps
    for k in range(own.yields, own.yields + own.foes):
        row = net.foe[k]
        foe = st.link[row.link]
        if foe.light == RED:
            continue
        if foe.last + row.clear > t:
            return False
        least = max(gap - relied, min(gap, row.counts_on // waited))
        if _comes(net, st, row.link, row.lane, ready, t, least, own.first, held):
            return False
    return True
