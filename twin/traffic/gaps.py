"""Whether the first vehicle of a lane may go before those who have right of way."""

from __future__ import annotations

from typing import Any

from twin.traffic.compiling import called, inlined
from twin.traffic.lanes import ring_slot
from twin.traffic.network import RED, YELLOW
from twin.traffic.records import INNER

AHEAD = 3  # vehicles of a lane that those who yield to it look at


@called
def blocking_place(net: Any, st: Any, link: int, t: int) -> int:
    """A waiting place of the same lane whose vehicles stand in the way, or -1."""
    for k in range(net.link[link].beside, net.link[link].beside_end):
        lane = net.sibling[k].lane
        standing = st.lane[lane].inside
        if st.lane[lane].gone > 0:
            last = (st.lane[lane].tail + st.lane[lane].gone - 1) % st.lane[lane].size
            standing += st.slot[st.lane[lane].ring + last].time == t  # leaves just now
        if standing > net.sibling[k].most:
            return lane
    return -1


@inlined
def _comes_down(net: Any, st: Any, foe: int, up: int, t: int, gap: int) -> bool:
    """Whether a vehicle comes from a street further up within the gap, to take link `foe`."""
    row = net.upstream[up]
    lane = row.lane
    if st.lane[lane].inside == 0 or st.lane[lane].no_room == 1 or st.lane[lane].look > 0:
        return False
    for k in range(min(st.lane[lane].inside, AHEAD)):
        slot = ring_slot(st, lane, st.lane[lane].tail + st.lane[lane].gone + k)
        if max(st.slot[slot].time, st.lane[lane].next_out) + row.ticks >= t + gap:
            return False
        if st.slot[slot].link == row.link:
            if st.link[row.link].light == RED:
                return False
            vehicle = st.slot[slot].vehicle
            at = st.vehicle[vehicle].route_at + row.ahead
            if at + 1 < st.vehicle[vehicle].route_end:
                to = net.street_lane[st.route_street[at + 1]]
                own = net.lane[st.link[foe].lane].street
                if to == st.link[foe].first and st.route_street[at] == own:
                    return True
    return False


@called
def _comes_from_afar(net: Any, st: Any, foe: int, lane: int, t: int, gap: int) -> bool:
    """Whether a vehicle comes from any street further up within the gap."""
    for up in range(net.lane[lane].up, net.lane[lane].up_end):
        if net.upstream[up].ticks >= gap:
            return False
        if _comes_down(net, st, foe, up, t, gap):
            return True
    return False


@inlined
def _comes(
    net: Any, st: Any, foe: int, lane: int, ready: int, t: int, gap: int, first: int, held: bool
) -> bool:
    """Whether a vehicle of link `foe` of a lane comes within the gap.

    `first` is the first lane of the street where the one who asks wants to go.  If the first
    vehicle of the foe wants to go there too and stood for want of room, then the room that
    has come is its own, unless the one who asks has lost patience (`held` is false).
    """
    light = st.link[foe].light
    if light == RED:
        return False
    for k in range(min(st.lane[lane].inside, AHEAD)):
        slot = ring_slot(st, lane, st.lane[lane].tail + st.lane[lane].gone + k)
        due = max(st.slot[slot].time, st.lane[lane].next_out)
        link = st.slot[slot].link
        if k == 0:
            if link >= 0 and st.link[link].light == RED:
                return False
            if st.lane[lane].no_room == 1:
                return link == foe and first == st.link[foe].first and held
            if st.lane[lane].look > 0 and due >= ready:  # it yields itself, and came later
                return False
        if due >= t + gap:
            return False
        if link == foe:
            return not (light == YELLOW and due > st.link[foe].since + st.link[foe].braking)
    if st.lane[lane].inside < AHEAD and (st.lane[lane].flags & INNER) == 0:
        return _comes_from_afar(net, st, foe, lane, t, gap)
    return False


@inlined
def gap_is_free(net: Any, st: Any, link: int, ready: int, t: int) -> bool:
    """Whether nobody with right of way is in the junction or comes within the gap."""
    gap = int(st.link[link].gap_standing if t > ready else st.link[link].gap_moving)
    waited = max(1, min(t - ready, net.impatient))
    relied = net.relied * waited // net.impatient
    held = gap - relied > net.tps
    for k in range(st.link[link].yields, st.link[link].yields + st.link[link].foes):
        foe = net.foe[k].link
        if st.link[foe].light != RED and st.link[foe].last + net.foe[k].clear > t:
            return False
        least = max(gap - relied, min(gap, net.foe[k].counts_on // waited))
        lane = net.foe[k].lane
        if _comes(net, st, foe, lane, ready, t, least, st.link[link].first, held):
            return False
    return True
