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

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from twin.traffic.network import MAJOR, MINOR, RED, STOP_LIGHT, UNSIGNALLED, YELLOW

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
NEVER = np.int32(2**31 - 1)
WHEEL = 1 << 14
MASK = WHEEL - 1
DEEP = 4  # short streets over which lanes are chosen together
CIRCLE = 4  # vehicles that may yield to each other in a circle
AHEAD = 3  # vehicles of a lane that those who yield to it look at
FIXED, CONTROLLED, ACTUATED = 0, 1, 2
GREEN_STAGE, YELLOW_STAGE, RED_STAGE = 0, 1, 2

CLOCK = np.dtype(
    [
        ("now", "i8"),  # next tick that has not been simulated
        ("moves", "i8"),  # entries of vehicles into lanes so far
        ("passed_jams", "i8"),  # vehicles taken past a jam so far
        ("first", "i8"),  # tick at which the first interval of the measurements begins
        ("length", "i8"),  # ticks of an interval
        ("bin", "i8"),  # interval of the present tick: bin_first until bin_end
        ("bin_first", "i8"),
        ("bin_end", "i8"),
    ]
)
LANE = np.dtype(
    [
        ("inside", "i4"),  # vehicles in the lane
        ("gone", "i4"),  # departed, but their place is not free yet
        ("tail", "i4"),  # ring position of the oldest of those
        ("occupied", "i4"),  # cm taken
        ("next_out", "i4"),  # earliest next departure
        ("next_in", "i4"),  # earliest next entry
        ("look", "i4"),  # next look for a gap; 0 where the head has not looked
        ("yields_to", "i4"),  # lane for whose vehicle the head waited at its last look
        ("no_room", "u1"),  # the head found no room at its last try
        ("open", "u1"),  # may be entered
        ("speed", "f4"),  # m/s allowed now
    ],
    align=True,
)
SLOT = np.dtype(
    [
        ("vehicle", "i4"),
        ("time", "i4"),  # ready at the stop line; once gone: time of departure
        ("link", "i4"),  # the link that it takes next; -1 ends its trip
        ("cm", "i4"),  # of street that it takes at a stand
    ]
)
LINK = np.dtype(
    [
        ("since", "i4"),  # the light's last change
        ("last", "i4"),  # last departure
        ("light", "i4"),
    ]
)
SIGNAL = np.dtype(
    [
        ("mode", "i4"),  # FIXED, CONTROLLED or ACTUATED
        ("phase", "i4"),  # row of the program that is shown, or was shown last
        ("target", "i4"),  # CONTROLLED: row that is being changed to
        ("stage", "i4"),
        ("switch", "i4"),  # next change
        ("green_at", "i4"),  # else than FIXED: when the present row was first shown
        ("yellow", "i4"),  # CONTROLLED: ticks of yellow
        ("all_red", "i4"),  # CONTROLLED: ticks of all-red
    ]
)
SEEN = np.dtype(  # by a detector
    [
        ("vehicle", "i4"),  # the last that left it, or -1
        ("left", "i4"),  # when
    ]
)
ID = np.dtype(  # lanes, then sources
    [
        ("wake", "i4"),
        ("slot_of", "i4"),  # bucket of the wheel, or -1
        ("following", "i4"),
        ("previous", "i4"),
        ("awaits", "i4"),  # place with no room, or -1
        ("waiter_next", "i4"),
    ]
)
SOURCE = np.dtype([("next", "i4"), ("end", "i4")])  # into source_vehicle
VEHICLE = np.dtype(
    [
        ("type", "i4"),
        ("factor", "f4"),  # desired speed over the limit
        ("due", "i4"),
        ("depart", "i4"),  # -1 until inserted
        ("arrive", "i4"),  # -1 until arrived
        ("entered", "i4"),  # tick of entering the present street
        ("place", "i4"),  # lane, or -1
        ("extra", "i4"),  # ticks lost at the start of the trip (from a stand)
        ("route", "i4"),  # its streets are route_street[route:route_end]
        ("route_end", "i4"),
        ("route_at", "i4"),
        ("stop", "i4"),  # its stops ahead are State.stop[stop:stop_end]
        ("stop_end", "i4"),
        ("stood", "i4"),  # ticks at stops so far
    ]
)
STOP = np.dtype(
    [
        ("street", "i4"),
        ("share", "f8"),  # of the street's length, from its start
        ("dwell", "i4"),  # ticks that it stands at least
        ("until", "i4"),  # tick before which it does not go on
    ]
)


F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of the kernel, without Numba's reference counting.

    Nothing here allocates; counting would touch every array of the state at every call,
    and make the kernel eight times as slow.
    """
    return cast("F", njit(cache=True, nogil=True, _nrt=False, forceinline=True)(function))  # type: ignore[call-overload]


class State(NamedTuple):
    """All that changes, as flat arrays of records; a copy of them is a snapshot."""

    clock: Records  # [1] CLOCK
    lane: Records  # LANE
    slot: Records  # SLOT, the rings of all lanes
    link: Records  # LINK
    signal: Records  # SIGNAL
    seen: Records  # SEEN
    id: Records  # ID
    waiter: I4  # [places] first id that awaits room there
    bucket: I4  # [WHEEL] first id
    bits: npt.NDArray[np.uint64]  # [WHEEL / 64] buckets in use
    batch: I8  # [ids + 1] keys of those that act in a tick
    source: Records  # SOURCE
    source_vehicle: I4  # by time due
    vehicle: Records  # VEHICLE
    stop: Records  # STOP, those of a vehicle in the order of its way
    route_street: I4
    turn_sum: I8  # [intervals, turns] ticks, by interval of entry into the street
    turn_count: I4
    exit_sum: I8  # [intervals, streets]
    exit_count: I4
    entered: I4  # [intervals, streets]


@compiled
def _unlink(st: Any, i: int) -> None:
    b = st.id[i].slot_of
    if b < 0:
        return
    before, after = st.id[i].previous, st.id[i].following
    if before >= 0:
        st.id[before].following = after
    else:
        st.bucket[b] = after
        if after < 0:
            st.bits[b >> 6] &= ~(np.uint64(1) << np.uint64(b & 63))
    if after >= 0:
        st.id[after].previous = before
    st.id[i].slot_of = -1


@compiled
def schedule(st: Any, i: int, t: int, now: int) -> None:
    """Wake `i` at `t`, unless it wakes earlier anyhow."""
    if st.id[i].slot_of >= 0:
        if st.id[i].wake <= t:
            return
        _unlink(st, i)
    st.id[i].wake = t
    b = min(t, now + WHEEL - 1) & MASK
    first = st.bucket[b]
    st.bucket[b] = i
    st.id[i].previous = -1
    st.id[i].following = first
    if first >= 0:
        st.id[first].previous = i
    st.bits[b >> 6] |= np.uint64(1) << np.uint64(b & 63)
    st.id[i].slot_of = b


@compiled
def _next_bucket(st: Any, t: int, until: int) -> int:
    """First tick from `t`, before `until`, whose bucket is in use; else `until`."""
    while t < until:
        word = st.bits[(t & MASK) >> 6] >> np.uint64(t & 63)
        if word != 0:
            return min(until, t + int(trailing_zeros(word)))
        t = (t | 63) + 1
    return until


@compiled
def _await(st: Any, i: int, place: int) -> None:
    """Wake `i` when room may have come at `place`, and nowhere else."""
    old = st.id[i].awaits
    if old == place:
        return
    if old >= 0:
        k = st.waiter[old]
        if k == i:
            st.waiter[old] = st.id[i].waiter_next
        else:
            while st.id[k].waiter_next != i:
                k = st.id[k].waiter_next
            st.id[k].waiter_next = st.id[i].waiter_next
    st.id[i].awaits = place
    st.id[i].waiter_next = st.waiter[place]
    st.waiter[place] = i


@compiled
def _room_came(st: Any, place: int, now: int) -> None:
    i = st.waiter[place]
    st.waiter[place] = -1
    while i >= 0:
        following = st.id[i].waiter_next
        st.id[i].awaits = -1
        schedule(st, i, now + 1, now)
        i = following


@compiled
def _ring(net: Any, lane: int, position: int) -> int:
    """Slot at a position of a lane's ring, counted on by less than a turn."""
    size = net.lane[lane].size
    return net.lane[lane].ring + (position - size if position >= size else position)


@compiled
def _head(net: Any, st: Any, lane: int) -> int:
    """Ring slot of the vehicle that leaves next."""
    row = st.lane[lane]
    return _ring(net, lane, row.tail + row.gone)


@compiled
def _release(net: Any, st: Any, lane: int, t: int) -> None:
    """Free the places of those whose departure the backward wave has carried through."""
    ring, size = net.lane[lane].ring, net.lane[lane].size
    while st.lane[lane].gone > 0:
        slot = ring + st.lane[lane].tail
        if st.slot[slot].time + net.lane[lane].lag > t:
            return
        st.lane[lane].occupied -= st.slot[slot].cm
        st.lane[lane].gone -= 1
        following = st.lane[lane].tail + 1
        st.lane[lane].tail = following if following < size else 0


@compiled
def _link_to(net: Any, lane: int, street: int) -> int:
    for link in range(net.lane[lane].link, net.lane[lane].link_end):
        if net.link[link].street == street:
            return link
    return -1


@compiled
def _onward(net: Any, lane: int, street: int) -> int:
    """Link to a street from a lane, else from its neighbours (a late lane change)."""
    link = _link_to(net, lane, street)
    if link >= 0:
        return link
    own = net.lane[lane].street
    for other in range(net.street_lane[own], net.street_lane[own + 1]):
        link = _link_to(net, other, street)
        if link >= 0:
            return link
    return -1


@compiled
def _entry(net: Any, lane: int, into: int) -> int:
    """Lane of its street by which a vehicle comes to `lane`, from a link that leads `into` some.

    Where the street is too short to change lanes, the lane itself.
    """
    street = net.lane[lane].street
    first, last = net.street_lane[street], net.street_lane[street + 1]
    if into == 0 or (into >> (lane - first)) & 1 or net.lane[lane].length < net.change_m:
        return lane
    for off in range(1, last - first):
        for other in (lane - off, lane + off):
            if first <= other < last and (into >> (other - first)) & 1:
                return other
    return lane


@compiled
def _fits(
    net: Any, st: Any, lane: int, entry: int, vehicle: int, t: int, via: int, inner: int
) -> int:
    """`t` where the vehicle may enter now, else when that may change, else NEVER."""
    _release(net, st, lane, t)
    if t + via < st.lane[entry].next_in:
        return st.lane[entry].next_in - via
    taken = st.lane[lane].occupied
    over = taken + net.type[st.vehicle[vehicle].type].cm - net.lane[lane].capacity
    if taken == 0 or over <= inner:
        return t
    if st.lane[lane].gone > 0:
        return st.slot[net.lane[lane].ring + st.lane[lane].tail].time + net.lane[lane].lag
    return NEVER


@compiled
def _serving(net: Any, st: Any, at: int, end: int) -> int:
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
            link = _link_to(net, lane, st.route_street[k + 1])
            if link >= 0 and (net.link[link].into & deeper) != 0:
                bits |= 1 << (lane - first)
    return bits


@compiled
def _beside_its_own(
    net: Any,
    st: Any,
    street: int,
    serving: int,
    vehicle: int,
    t: int,
    via: int,
    into: int,
    inner: int,
) -> Any:
    """Lane beside the full ones that serve its way, where a vehicle queues for these."""
    again = NEVER
    first = net.street_lane[street]
    bit = net.type[st.vehicle[vehicle].type].bit
    for lane in range(first, net.street_lane[street + 1]):
        if ((into & ~serving) >> (lane - first)) & 1 == 0 or st.lane[lane].open == 0:
            continue
        if net.lane[lane].length < net.change_m or (net.lane[lane].classes & bit) == 0:
            continue
        when = _fits(net, st, lane, lane, vehicle, t, via, inner)
        if when <= t:
            return lane, when
        again = min(again, when)
    return -1, again


@compiled
def _choose(
    net: Any, st: Any, at: int, vehicle: int, t: int, via: int, into: int, inner: int
) -> Any:
    """Lane of street `at` of a vehicle's way, and when to try again where there is none (-1).

    Among the open lanes that serve its way onward, the emptiest.
    """
    best, least, again = -1, NEVER, NEVER
    bit = net.type[st.vehicle[vehicle].type].bit
    street, end = st.route_street[at], st.vehicle[vehicle].route_end
    first, last = net.street_lane[street], net.street_lane[street + 1]
    for level in range(3):
        serving = -1
        if at + 1 < end and last - first > 1 and level < 2:
            if level == 0:
                serving = _serving(net, st, at, end)
            else:
                serving = 0
                for lane in range(first, last):
                    if _link_to(net, lane, st.route_street[at + 1]) >= 0:
                        serving |= 1 << (lane - first)
        served = False
        for lane in range(first, last):
            if st.lane[lane].open == 0 or (net.lane[lane].classes & bit) == 0:
                continue
            if (serving >> (lane - first)) & 1 == 0:
                continue
            served = True
            when = _fits(net, st, lane, _entry(net, lane, into), vehicle, t, via, inner)
            if when <= t:
                if st.lane[lane].occupied < least:
                    best, least = lane, st.lane[lane].occupied
            else:
                again = min(again, when)
        if served:
            if best < 0 and level < 2 and again == NEVER and (into & serving) == 0:
                return _beside_its_own(net, st, street, serving, vehicle, t, via, into, inner)
            break
    return best, again


@compiled
def _serve_stops(net: Any, st: Any, lane: int, vehicle: int, t: int, ready: int) -> int:
    """When a vehicle that enters at `t` reaches the stop line after its stops on the street.

    Stops on streets that its way has left out are passed over.
    """
    way, late, before = ready - t, 0, 0
    if st.lane[lane].inside > 0:  # who is before it passes the stop first
        row = st.lane[lane]
        last_in = (row.tail + row.gone + row.inside - 1) % net.lane[lane].size
        before = st.slot[net.lane[lane].ring + last_in].time
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


@compiled
def _enter(
    net: Any, st: Any, lane: int, entry: int, vehicle: int, t: int, extra: int, now: int
) -> None:
    """Put a vehicle at the upstream end of a lane at tick `t` (now or a little later)."""
    slot = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone + st.lane[lane].inside)
    kind = st.vehicle[vehicle].type
    speed = min(st.lane[lane].speed * st.vehicle[vehicle].factor, net.type[kind].speed)
    ready = t + int(net.lane[lane].length / speed * net.tps + 0.5) + extra
    if st.vehicle[vehicle].stop < st.vehicle[vehicle].stop_end and net.lane[lane].street >= 0:
        ready = _serve_stops(net, st, lane, vehicle, t, ready)
    st.slot[slot].vehicle = vehicle
    st.slot[slot].cm = net.type[kind].cm
    st.slot[slot].time = max(ready, t + 1)
    at = st.vehicle[vehicle].route_at + 1
    if net.lane[lane].street < 0:
        st.slot[slot].link = net.lane[lane].link
    elif at >= st.vehicle[vehicle].route_end:
        st.slot[slot].link = -1
    else:
        st.slot[slot].link = _onward(net, lane, st.route_street[at])
    st.lane[lane].occupied += net.type[kind].cm
    st.lane[lane].inside += 1
    st.lane[entry].next_in = t + net.entry_headway[kind, entry]
    st.vehicle[vehicle].place = lane
    st.clock[0].moves += 1
    if st.lane[lane].inside == 1:
        st.lane[lane].look = 0
        st.lane[lane].no_room = 0
        schedule(st, lane, max(st.slot[slot].time, st.lane[lane].next_out), now)


@compiled
def _bin(st: Any, t: int) -> int:
    if st.clock[0].bin_first <= t < st.clock[0].bin_end:
        return st.clock[0].bin
    return min(max(0, (t - st.clock[0].first) // st.clock[0].length), st.entered.shape[0] - 1)


@compiled
def _leave(net: Any, st: Any, lane: int, t: int, headway: int) -> None:
    """Take the head of a lane out of it."""
    slot = _head(net, st, lane)
    st.slot[slot].time = t
    st.lane[lane].gone += 1
    st.lane[lane].inside -= 1
    st.lane[lane].next_out = t + headway
    st.lane[lane].look = 0
    st.lane[lane].no_room = 0
    _room_came(st, net.lane[lane].place, t)


@compiled
def _signal_allows(net: Any, st: Any, link: int, ready: int, t: int) -> int:
    """`t` where the light lets the head go, else when to ask again."""
    light = st.link[link].light
    if light == RED:
        return NEVER
    since = st.link[link].since
    if light == YELLOW:
        moving = t - ready <= net.standing
        return t if moving and t <= since + net.link[link].braking else NEVER
    if light == UNSIGNALLED:
        return max(t, ready + net.link[link].stop)
    when = t
    if ready < since:
        when = max(t, since + min(net.line, since - ready))
    if light == STOP_LIGHT:
        when = max(when, ready + net.stop)
    return when


@compiled
def _late(net: Any, st: Any, link: int, ready: int) -> int:
    """Ticks that the first vehicle of a queue at red loses behind the stop line."""
    light, since = st.link[link].light, st.link[link].since
    if light in (UNSIGNALLED, YELLOW) or ready >= since:
        return 0
    return max(0, min(net.link[link].start, since - ready) - net.line)


@compiled
def _left_now(net: Any, st: Any, lane: int, t: int) -> int:
    """Whether (1) the last departure of a lane is of this tick."""
    if st.lane[lane].gone == 0:
        return 0
    last = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone - 1)
    return 1 if st.slot[last].time == t else 0


@compiled
def _blocked_beside(net: Any, st: Any, link: int, t: int) -> int:
    """A waiting place of the same lane whose vehicles stand in the way, or -1."""
    for k in range(net.link[link].beside, net.link[link].beside_end):
        lane = net.sibling[k].lane
        standing = st.lane[lane].inside + _left_now(net, st, lane, t)
        if standing > net.sibling[k].most:
            return lane
    return -1


@compiled
def _comes_down(net: Any, st: Any, foe: int, up: int, t: int, gap: int) -> bool:
    """Whether a vehicle comes from a street further up within the gap, to take link `foe`."""
    row = net.upstream[up]
    if st.link[row.link].light == RED:
        return False
    lane, ahead = net.link[row.link].lane, int(row.ahead)
    own = net.link[foe].lane
    for k in range(min(st.lane[lane].inside, AHEAD)):
        slot = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone + k)
        due = max(st.slot[slot].time, st.lane[lane].next_out)
        if k == 0 and (st.lane[lane].no_room == 1 or st.lane[lane].look > 0):
            return False
        if due + row.ticks >= t + gap:
            return False
        if st.slot[slot].link == row.link:
            vehicle = st.slot[slot].vehicle
            at = st.vehicle[vehicle].route_at + ahead
            if (
                at + 1 < st.vehicle[vehicle].route_end
                and st.route_street[at + 1] == net.link[foe].street
                and st.route_street[at] == net.lane[own].street
            ):
                return True
    return False


@compiled
def _comes(
    net: Any, st: Any, foe: int, t: int, own: int, gap: int, street: int, held: bool
) -> bool:
    """Whether a vehicle of link `foe` comes within the gap, or on its last street within `own`.

    `street` is where the one who asks wants to go.  If the first vehicle of the foe wants to
    go there too and stood for want of room, then the room that has come is its own, unless
    the one who asks has lost patience (`held` is false).
    """
    light = st.link[foe].light
    if light == RED:
        return False
    lane = net.link[foe].lane
    for k in range(min(st.lane[lane].inside, AHEAD)):
        slot = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone + k)
        due = max(st.slot[slot].time, st.lane[lane].next_out)
        link = st.slot[slot].link
        if k == 0:
            if link >= 0 and st.link[link].light == RED:
                return False
            if st.lane[lane].no_room == 1:
                return link == foe and street == net.link[foe].street and held
        if due >= t + own:
            return False
        if link == foe:
            return not (light == YELLOW and due > st.link[foe].since + net.link[foe].braking)
    if st.lane[lane].inside < AHEAD:
        gap = min(gap, net.seen)
        for up in range(net.lane[lane].up, net.lane[lane].up_end):
            if net.upstream[up].ticks >= gap:
                return False
            if _comes_down(net, st, foe, up, t, gap):
                return True
    return False


@compiled
def _in_a_circle(st: Any, lane: int, foe: int) -> bool:
    """Whether the head of lane `foe` waits for one who waits ... for the head of `lane`."""
    for _ in range(CIRCLE):
        if foe == lane:
            return True
        if st.lane[foe].look <= 0:
            return False
        foe = st.lane[foe].yields_to
    return False


@compiled
def _gap_is_free(net: Any, st: Any, lane: int, link: int, ready: int, t: int) -> bool:
    """Whether the head of a lane may go; else it is noted to whose lane it yields.

    Those who yield to each other in a circle stand for a while, until one of them goes.
    """
    stands = t > ready + net.standing
    gap = net.link[link].gap_standing if stands else net.link[link].gap_moving
    waited = max(1, min(t - ready, net.impatient))
    relied = net.relied * waited // net.impatient
    held = gap - relied > net.tps
    st.lane[lane].yields_to = lane
    for k in range(net.link[link].yields, net.link[link].yields_end):
        foe = net.foe[k].link
        if st.link[foe].light != RED and st.link[foe].last + net.foe[k].clear > t:
            return False
        counts_on = net.link[foe].counts_on // waited
        least = max(gap - relied, min(gap, counts_on))
        own = least  # of the foe's own lane
        if net.foe[k].faster == 1 and stands:
            own = max(least, counts_on)
        if _comes(net, st, foe, t, own, least, net.link[link].street, held):
            st.lane[lane].yields_to = net.link[foe].lane
            if t - ready < net.circle or not _in_a_circle(st, lane, net.link[foe].lane):
                return False
    return True


@compiled
def _record_turn(net: Any, st: Any, vehicle: int, link: int, t: int) -> None:
    k = _bin(st, st.vehicle[vehicle].entered)
    turn = net.link[link].turn
    st.turn_sum[k, turn] += t - st.vehicle[vehicle].entered
    st.turn_count[k, turn] += 1


@compiled
def _arrive(net: Any, st: Any, lane: int, vehicle: int, t: int) -> int:
    kind = st.vehicle[vehicle].type
    k = _bin(st, st.vehicle[vehicle].entered)
    street = net.lane[lane].street
    st.exit_sum[k, street] += t - st.vehicle[vehicle].entered
    st.exit_count[k, street] += 1
    st.vehicle[vehicle].arrive = t
    st.vehicle[vehicle].place = -1
    _leave(net, st, lane, t, net.entry_headway[kind, lane])
    return _head_ready(net, st, lane)


@compiled
def _head_ready(net: Any, st: Any, lane: int) -> int:
    if st.lane[lane].inside == 0:
        return NEVER
    slot = _head(net, st, lane)
    return max(st.slot[slot].time, st.lane[lane].next_out)


@compiled
def _go(
    net: Any,
    st: Any,
    lane: int,
    link: int,
    target: int,
    vehicle: int,
    t: int,
    stood: bool,
    late: int,
) -> int:
    """Move the head of `lane` through `link` into `target`; when its follower is ready."""
    kind = st.vehicle[vehicle].type
    via = net.link[link].via + late
    headway = net.headway[kind, link]
    if stood:
        headway = max(headway, net.link[link].follow)
    else:
        headway += late
    _leave(net, st, lane, t, headway)
    if net.link[link].lane != lane:
        st.lane[net.link[link].lane].next_out = t + headway
    st.link[link].last = t + late
    entry = target
    if net.link[link].wait < 0:
        entry = _entry(net, target, net.link[link].into)
        st.vehicle[vehicle].route_at += 1
        _record_turn(net, st, vehicle, link, t + via)
        st.vehicle[vehicle].entered = t + via
        st.entered[_bin(st, t + via), net.link[link].street] += 1
    _enter(net, st, target, entry, vehicle, t + via, 0, t)
    return _head_ready(net, st, lane)


@compiled
def _pass_jam(net: Any, st: Any, lane: int, link: int, vehicle: int, t: int) -> None:
    """Take the head of a lane to the next street of its way that has room, or to its goal.

    It takes the time that the streets between would take when empty.
    """
    row = st.vehicle[vehicle]
    via = net.link[link].via
    st.clock[0].passed_jams += 1
    _leave(net, st, lane, t, net.headway[row.type, link])
    _record_turn(net, st, vehicle, link, t)
    for at in range(row.route_at + 2, row.route_end):
        passed = net.street_lane[st.route_street[at - 1]]
        via += int(net.lane[passed].length / st.lane[passed].speed * net.tps + 0.5)
        target, _ = _choose(net, st, at, vehicle, t, via, 0, 0)
        if target < 0:
            continue
        row.route_at = at
        row.entered = t + via
        st.entered[_bin(st, t + via), st.route_street[at]] += 1
        _enter(net, st, target, target, vehicle, t + via, 0, t)
        return
    row.route_at = row.route_end - 1
    row.arrive = t + via
    row.place = -1


@compiled
def _lane_acts(net: Any, st: Any, lane: int, t: int) -> int:
    """Let the head of a lane go if it may; the tick at which to look at the lane again."""
    ready = _head_ready(net, st, lane)
    if ready > t or st.lane[lane].look > t:
        return max(ready, st.lane[lane].look) if ready < NEVER else ready
    slot = _head(net, st, lane)
    vehicle, link = st.slot[slot].vehicle, st.slot[slot].link
    if link < 0:
        if st.vehicle[vehicle].route_at + 1 >= st.vehicle[vehicle].route_end:
            return _arrive(net, st, lane, vehicle, t)
        return NEVER
    when = _signal_allows(net, st, link, ready, t)
    own = net.link[link].lane
    if own != lane:
        when = max(when, st.lane[own].next_out)
    if when > t:
        return when
    via = net.link[link].via
    yields = net.link[link].yields_end > net.link[link].yields and st.link[link].light != MAJOR
    stops = st.link[link].light == STOP_LIGHT or net.link[link].stop > 0
    stood = yields and (stops or st.lane[lane].look > 0)
    late = _late(net, st, link, ready)
    if stood:
        late = max(late, min(net.link[link].start, t - ready))
    via += late
    target, again = net.link[link].wait, int(NEVER)
    beside = _blocked_beside(net, st, link, t)
    if beside >= 0:
        target = -1
        place = net.lane[beside].place
        if _left_now(net, st, beside, t):
            again = t + 1  # its room has come already
    elif target >= 0:
        place = net.lane[target].place
        again = _fits(net, st, target, target, vehicle, t, via, 0)
        if again > t:
            target = -1
    else:
        place = net.link[link].street
        target, again = _choose(
            net,
            st,
            st.vehicle[vehicle].route_at + 1,
            vehicle,
            t,
            via,
            net.link[link].into,
            net.link[link].inner,
        )
    if target < 0:
        st.lane[lane].no_room = 1
        st.lane[lane].look = 0
        _await(st, lane, place)
        if t - ready < net.jam:
            return min(again, ready + net.jam)
        _pass_jam(net, st, lane, link, vehicle, t)
        return _head_ready(net, st, lane)
    st.lane[lane].no_room = 0
    if yields and not _gap_is_free(net, st, lane, link, ready, t):
        st.lane[lane].look = t + net.look
        return st.lane[lane].look
    return _go(net, st, lane, link, target, vehicle, t, stood, late)


@compiled
def _source_acts(net: Any, st: Any, source: int, t: int, n_lanes: int) -> int:
    """Let the first vehicle of a source into the city if there is room."""
    at = st.source[source].next
    if at >= st.source[source].end:
        return NEVER
    vehicle = st.source_vehicle[at]
    if st.vehicle[vehicle].due > t:
        return st.vehicle[vehicle].due
    first = st.vehicle[vehicle].route
    street = st.route_street[first]
    lane, again = _choose(net, st, first, vehicle, t, 0, 0, 0)
    if lane < 0:
        _await(st, n_lanes + source, street)
        return again
    st.source[source].next += 1
    st.vehicle[vehicle].depart = t
    st.vehicle[vehicle].entered = t
    st.vehicle[vehicle].route_at = first
    st.entered[_bin(st, t), street] += 1
    _enter(net, st, lane, lane, vehicle, t, st.vehicle[vehicle].extra, t)
    if at + 1 >= st.source[source].end:
        return NEVER
    return max(st.vehicle[st.source_vehicle[at + 1]].due, t + 1)


@compiled
def _show(net: Any, st: Any, link: int, light: int, t: int) -> None:
    """Change a light; those who may go now and could not before wake up."""
    old = st.link[link].light
    if old == light:
        return
    st.link[link].light = light
    if not (old >= MINOR and light >= MINOR):
        st.link[link].since = t
    if light == RED or old >= MINOR:
        return
    street = net.lane[net.link[link].lane].street
    for lane in range(net.street_lane[street], net.street_lane[street + 1]):
        if st.lane[lane].inside > 0 and st.slot[_head(net, st, lane)].link == link:
            schedule(st, lane, t, t)


@compiled
def _show_row(net: Any, sig: Any, st: Any, s: int, row: int, t: int) -> None:
    for k in range(sig.link[s], sig.link[s + 1]):
        _show(net, st, sig.links[k], sig.light[row, k - sig.link[s]], t)


@compiled
def _passes(net: Any, st: Any, lane: int, k: int, ahead: int, places: int, wave: int) -> int:
    """When the k-th vehicle of a lane's ring passes a line before the stop line.

    It comes there in free flow, or as the queue moves up: after the one so many places before
    it has left, and its wave has come through.  NEVER while that one has not left.
    """
    row = st.lane[lane]
    when = st.slot[_ring(net, lane, row.tail + k)].time - ahead
    if k < row.gone:
        return when
    leader = k - places
    if leader >= row.gone:
        return NEVER
    if leader >= 0:
        when = max(when, st.slot[_ring(net, lane, row.tail + leader)].time + wave)
    return when


@compiled
def _gap(net: Any, sig: Any, st: Any, d: int, t: int) -> int:
    """Ticks since the last vehicle left a detector; 0 where one is on it."""
    row = sig.detector[d]
    lane = row.lane
    _release(net, st, lane, t)
    for k in range(st.lane[lane].gone + st.lane[lane].inside - 1, -1, -1):
        if _passes(net, st, lane, k, row.ahead, row.places, row.wave) > t:
            continue
        vehicle = st.slot[_ring(net, lane, st.lane[lane].tail + k)].vehicle
        if vehicle == st.seen[d].vehicle:
            break
        left = _passes(net, st, lane, k, row.ahead_left, row.places_left, row.wave_left)
        if left > t:
            return 0
        st.seen[d].vehicle = vehicle
        st.seen[d].left = left
        break
    return t - st.seen[d].left


@compiled
def _extension(net: Any, sig: Any, st: Any, s: int, t: int) -> int:
    """Ticks for which an actuated signal stays in its row, 0 where it goes on."""
    row = st.signal[s].phase
    shown = t - st.signal[s].green_at
    least = NEVER
    for k in range(sig.extends[row], sig.extends[row + 1]):
        least = min(least, _gap(net, sig, st, sig.detectors[k], t))
    if shown >= sig.most[row] or least >= sig.max_gap:
        return 0
    again = max(1, max(sig.least[row] - shown, sig.detector_gap - least))
    again += -(shown + again) % net.tps  # whole seconds
    return min(again, sig.most[row] - shown)


@compiled
def _signal_acts(net: Any, sig: Any, st: Any, s: int, t: int) -> None:
    if st.signal[s].mode != CONTROLLED:
        if st.signal[s].mode == ACTUATED:
            again = _extension(net, sig, st, s, t)
            if again > 0:
                st.signal[s].switch = t + again
                return
        row = st.signal[s].phase + 1
        if row >= sig.phase[s + 1]:
            row = sig.phase[s]
        st.signal[s].phase = row
        st.signal[s].green_at = t
        st.signal[s].switch = t + sig.duration[row]
        if st.signal[s].mode == ACTUATED:
            st.signal[s].switch = t + max(net.tps, sig.least[row])
            for k in range(sig.extends[row], sig.extends[row + 1]):
                _gap(net, sig, st, sig.detectors[k], t)
        _show_row(net, sig, st, s, row, t)
        return
    if st.signal[s].stage == YELLOW_STAGE and st.signal[s].all_red > 0:
        st.signal[s].stage = RED_STAGE
        st.signal[s].switch = t + st.signal[s].all_red
        for k in range(sig.link[s], sig.link[s + 1]):
            if st.link[sig.links[k]].light == YELLOW:
                _show(net, st, sig.links[k], RED, t)
        return
    st.signal[s].stage = GREEN_STAGE
    st.signal[s].phase = st.signal[s].target
    st.signal[s].green_at = t
    st.signal[s].switch = NEVER
    _show_row(net, sig, st, s, st.signal[s].phase, t)


@compiled
def request_phase(net: Any, sig: Any, st: Any, s: int, row: int) -> None:
    """Begin the change of a controlled signal to a row of its program, through yellow."""
    t = st.clock[0].now
    current = st.signal[s].phase
    if row == current or st.signal[s].stage != GREEN_STAGE:
        return
    st.signal[s].target = row
    st.signal[s].stage = YELLOW_STAGE
    st.signal[s].switch = t + st.signal[s].yellow
    for k in range(sig.link[s], sig.link[s + 1]):
        link, column = sig.links[k], k - sig.link[s]
        now, then = sig.light[current, column], sig.light[row, column]
        if now in (MINOR, MAJOR, STOP_LIGHT) and then not in (MINOR, MAJOR, STOP_LIGHT):
            _show(net, st, link, YELLOW, t)


@compiled
def _sort(keys: Any, n: int) -> None:
    """Shell sort: batches are short, and it compiles in no time."""
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


@compiled
def _collect(net: Any, st: Any, t: int, n_lanes: int) -> int:
    """Take the ids of a tick out of the wheel; their keys, in the order of acting."""
    n = 0
    i = st.bucket[t & MASK]
    while i >= 0:
        following = st.id[i].following
        _unlink(st, i)
        if st.id[i].wake > t:
            schedule(st, i, st.id[i].wake, t)
        elif i < n_lanes:
            if st.lane[i].inside > 0:
                st.batch[n] = (np.int64(_head_ready(net, st, i)) << 28) | i
                n += 1
        else:
            at = st.source[i - n_lanes].next
            left = at < st.source[i - n_lanes].end
            due = st.vehicle[st.source_vehicle[at]].due if left else NEVER
            st.batch[n] = (np.int64(1) << 62) | (np.int64(due) << 28) | i
            n += 1
        i = following
    _sort(st.batch, n)
    return n


@compiled
def _tick(net: Any, sig: Any, st: Any, t: int, n_lanes: int, switch: bool) -> None:
    if switch:
        for s in range(len(st.signal)):
            if st.signal[s].switch == t:
                _signal_acts(net, sig, st, s, t)
    if t >= st.clock[0].bin_end:
        k = (t - st.clock[0].first) // st.clock[0].length
        st.clock[0].bin = min(max(0, k), st.entered.shape[0] - 1)
        st.clock[0].bin_first = st.clock[0].first + k * st.clock[0].length
        st.clock[0].bin_end = st.clock[0].bin_first + st.clock[0].length
    n = _collect(net, st, t, n_lanes)
    for k in range(n):
        i = int(st.batch[k] & ((1 << 28) - 1))
        if i < n_lanes:
            again = _lane_acts(net, st, i, t)
        else:
            again = _source_acts(net, st, i - n_lanes, t, n_lanes)
        if again < NEVER:
            schedule(st, i, max(again, t + 1), t)


@compiled
def advance(net: Any, sig: Any, st: Any, until: int) -> None:
    """Simulate every tick before `until`."""
    n_lanes = len(net.lane)
    t = st.clock[0].now
    switch = NEVER
    for s in range(len(st.signal)):
        switch = min(switch, st.signal[s].switch)
    while t < until:
        t = _next_bucket(st, t, min(until, max(t, switch)))
        if t >= until:
            break
        _tick(net, sig, st, t, n_lanes, t == switch)
        if t == switch:
            switch = NEVER
            for s in range(len(st.signal)):
                switch = min(switch, st.signal[s].switch)
        t += 1
    st.clock[0].now = until


@compiled
def wake_all(net: Any, st: Any) -> None:
    """Let every lane and source look again: closures, routes or lights have changed."""
    t = st.clock[0].now
    for i in range(len(st.id)):
        schedule(st, i, t, t)


@compiled
def refresh_links(net: Any, st: Any) -> None:
    """Recompute the next link of every vehicle on a lane, after routes have changed."""
    for lane in range(len(net.lane)):
        if net.lane[lane].street < 0:
            continue
        for k in range(st.lane[lane].inside):
            slot = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone + k)
            vehicle = st.slot[slot].vehicle
            at = st.vehicle[vehicle].route_at + 1
            last = at >= st.vehicle[vehicle].route_end
            st.slot[slot].link = -1 if last else _onward(net, lane, st.route_street[at])


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
    for lane in range(len(net.lane)):
        vehicles[lane] = st.lane[lane].inside
        for k in range(st.lane[lane].inside):
            slot = _ring(net, lane, st.lane[lane].tail + st.lane[lane].gone + k)
            link = st.slot[slot].link
            if link < 0:
                continue
            if k == 0:
                wait[link] = max(0, t - _head_ready(net, st, lane))
            if st.slot[slot].time <= t:
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
