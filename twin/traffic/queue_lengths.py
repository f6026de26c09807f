"""Queues while the flow goes on: looks at all lanes at a fixed interval, which change nothing.

The kernel knows when a vehicle would be at the stop line, and who has left.  From a lane's
order follows where each vehicle of a queue stands: behind those before it, and further back by
those who left so lately that the wave of their start has not come to it (Newell 1993: it goes
back by `spacing / tau`).  A vehicle stands if it has come to that place, and no start has reached
it in the last `MOVES_UP_S`; speeding up is not standing.  The back of a queue is the rear end of
the last vehicle that stands, with its gap, from the stop line (HCM's back of queue; SUMO's
`queueing_length` is the gap less).

A look comes every `LOOK_S`, which divides no usual cycle: looks meet all seconds of a cycle alike,
so that shares of green and of time have no bias.  Who came to stand less than `STOP_S` ago counts
as `LOOK_S / STOP_S` stops (Horvitz and Thompson 1952): so who is held up for d seconds counts as
min(1, d / STOP_S) of a stop, whatever `LOOK_S` is.  `STOP_S` is about the time that a stop from
50 km/h costs, v/2a + v/2b; who is held up for less slows down only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled, inlined
from twin.traffic.kernel import advance
from twin.traffic.lanes import ring_slot
from twin.traffic.network import MINOR
from twin.traffic.records import INNER

if TYPE_CHECKING:
    from twin.traffic.network import Network
    from twin.traffic.records import State

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]

LOOK_S = 8.3
STOP_S = 4.2
WINDOW_S = 90.0  # about a cycle: a queue is as long as its back was in such a time
SOON_S = 10.0  # longer than any headway
MOVES_UP_S = 2.0  # who moves up by a place after the one before takes about a headway


class Queues(NamedTuple):
    """What the looks found; intervals are those of the flow's measurements.

    Attributes
    ----------
    next
        [1] tick of the next look.
    looks
        [intervals] how many there were.
    back
        [windows, lanes] decimetres from the stop line to the farthest back of the queue.
    held
        [intervals, lanes] looks at which somebody was at the line or had queued for it.
    blocked
        [intervals, streets] looks at which somebody might have entered, and found no room.
    standing
        [intervals, lanes] vehicles that stood, summed over the looks.
    stops
        [intervals, lanes] vehicles that had come to stand less than `STOP_S` ago.
    green
        [intervals, links] looks at which the signal of a link showed green, or was off.
    mark
        [streets] room: the look at which a street was last found blocked.
    """

    next: I8
    looks: I4
    back: npt.NDArray[np.uint16]
    held: I4
    blocked: I4
    standing: I4
    stops: I4
    green: I4
    mark: I8


class Looking(NamedTuple):
    """Constants of the looks, in ticks."""

    every: int
    window: int
    moves_up: int
    stop: int
    soon: int  # the first of a lane has not come to the line if it is not ready by then
    wave: float  # cm a tick
    per_tick: float  # m/s as cm a tick


def new_queues(network: Network, state: State) -> Queues:
    """Nothing seen yet, the first look being at the state's tick."""
    n_k, n_s = state.entered.shape
    windows = n_k * _windows(network, state)
    lanes, links = len(network.arrays.lane), len(network.arrays.link)
    return Queues(
        np.array([int(state.clock["now"][0])], np.int64),
        np.zeros(n_k, np.int32),
        np.zeros((windows, lanes), np.uint16),
        np.zeros((n_k, lanes), np.int32),
        np.zeros((n_k, n_s), np.int32),
        np.zeros((n_k, lanes), np.int32),
        np.zeros((n_k, lanes), np.int32),
        np.zeros((n_k, links), np.int32),
        np.full(n_s, -1, np.int64),
    )


def looking(network: Network, state: State) -> Looking:
    """Return the constants of the looks at a network."""
    tps, length = network.arrays.tps, int(state.clock["length"][0])
    first = network.types[0]
    return Looking(
        round(LOOK_S * tps),
        -(-length // _windows(network, state)),
        round(MOVES_UP_S * tps),
        round(STOP_S * tps),
        round(SOON_S * tps),
        100.0 * first.spacing_m / first.tau_s / tps,
        100.0 / tps,
    )


def _windows(network: Network, state: State) -> int:
    """Windows of an interval."""
    return max(1, round(int(state.clock["length"][0]) / network.arrays.tps / WINDOW_S))


@inlined
def _look_at_lane(net: Any, st: Any, q: Any, how: Any, i: int, k: int, w: int, t: int) -> None:
    lane = st.lane[i]
    speed = lane.speed * how.per_tick
    ahead, away, back = 0, 0, 0  # cm: of those before it, of those who left, to the back
    standing = 0
    left = lane.gone - 1  # the last to leave whose start has come to the vehicle
    for n in range(lane.inside):
        slot = st.slot[ring_slot(lane, lane.tail + lane.gone + n)]
        own = net.type[slot.code & 255].cm
        while left >= 0:
            gone = st.slot[ring_slot(lane, lane.tail + left)]
            if how.wave * (t - gone.time) >= ahead + away:
                break
            away += net.type[gone.code & 255].cm
            left -= 1
        place = ahead + away
        if speed * (slot.time - t) > place:
            break
        if n == 0:
            q.held[k, i] += 1
        stands = True
        if left >= 0:
            gone = st.slot[ring_slot(lane, lane.tail + left)]
            stands = how.wave * (t - gone.time - how.moves_up) > place
        if stands:
            back = place + own
            standing += 1
            if speed * (slot.time - t + how.stop) > place:  # it came within the time of a stop
                q.stops[k, i] += 1
        ahead += own
    q.standing[k, i] += standing
    if back > 0 and (lane.flags & INNER) == 0:
        q.back[w, i] = max(q.back[w, i], min(back // 10, np.int64(10 * lane.length), 65535))


@inlined
def _look_ahead(net: Any, st: Any, q: Any, i: int, k: int, t: int) -> None:
    """Note a street that the first vehicle of a lane might enter, if it had room."""
    lane = st.lane[i]
    if lane.no_room == 0 or lane.ready > t:
        return
    link = st.slot[ring_slot(lane, lane.tail + lane.gone)].link
    if link < 0 or st.link[link].wait >= 0 or st.lane[st.link[link].first].open == 0:
        return
    if st.link[link].light >= MINOR:
        street = net.link[link].street
        if q.mark[street] != t:
            q.mark[street] = t
            q.blocked[k, street] += 1


@compiled
def look(net: Any, sig: Any, st: Any, q: Any, how: Any) -> None:
    """Look at all lanes and signals at the present tick."""
    t, clock = st.clock[0].now, st.clock[0]
    k = min(max(0, (t - clock.first) // clock.length), len(q.looks) - 1)
    per = len(q.back) // len(q.looks)
    w = min(k * per + (t - clock.first - k * clock.length) // how.window, len(q.back) - 1)
    q.looks[k] += 1
    q.next[0] = t + how.every
    for i in range(len(st.lane)):
        if st.lane[i].inside > 0 and st.lane[i].ready <= t + how.soon:
            _look_at_lane(net, st, q, how, i, k, w, t)
            _look_ahead(net, st, q, i, k, t)
    for link in sig.links:
        if st.link[link].light >= MINOR:
            q.green[k, link] += 1


@compiled
def advance_and_look(net: Any, sig: Any, st: Any, q: Any, how: Any, until: int) -> None:
    """Simulate every tick before `until`, with looks on the way."""
    while q.next[0] < until:
        if q.next[0] > st.clock[0].now:
            advance(net, sig, st, q.next[0])
        look(net, sig, st, q, how)
    if until > st.clock[0].now:
        advance(net, sig, st, until)


def copy_queues(queues: Queues) -> Queues:
    """Return a snapshot."""
    copies: list[Any] = [array.copy() for array in queues]
    return Queues(*copies)
