"""What detectors read at the junctions of all copies of a simulation, and what trips lose there.

Between two looks the delay of every vehicle is kept to account: the sum over all looks is the
delay of the trips, to the rounding of numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import compiled, inlined
from twin.traffic.emissions import co2_g_s, co2_of_stop_g
from twin.traffic.junctions import Junctions, Sensors
from twin.traffic.lanes import head_slot, ring_slot
from twin.traffic.network import MAJOR, Network
from twin.traffic.records import GREEN_STAGE, State

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Records = npt.NDArray[np.void]

# Of a queue at green, the front of those who have started runs ahead of those who have left:
# a vehicle starts each second (START_WAVE_S) and one leaves each 1.9 s (a saturation headway).
FRONT_PER_S = 1.0 - 1.0 / 1.9
QUEUE_SPEED = 0.4  # of the limit, of those who move in a queue


class Readings(NamedTuple):
    """What detectors read at one look; [copies, junctions, ...].

    A reading by lane is over the length of the detector.  By link, vehicles on the lane before
    the stop line are counted by where they want to go.
    """

    standing: F4  # [.., lanes] vehicles at a stand
    moving: F4  # [.., lanes] vehicles that move
    waiting_s: F4  # [.., lanes] sum of the times since they first stood on their lane
    longest_s: F4  # [.., lanes] the longest of these
    speed: F4  # [.., lanes] mean speed over the limit; 1 where nobody is
    link_standing: F4  # [.., links]
    link_moving: F4  # [.., links]
    head_wait: I4  # [.., links] ticks for which the first vehicle of a lane waits for a link
    behind: F4  # [.., links] vehicles per lane on the street that a link leads to
    full: F4  # [.., links] share of that street's room that they would take in a queue
    phase: I8  # [..] phase that is green or being changed to
    green_s: F4  # [..] seconds for which it has been green; 0 while yellow or red is shown
    changing: Bytes  # [..] whether yellow or red is shown
    delay_s: F8  # [copies, junctions + 1] delay since the last look; last: at no junction
    passed: F4  # [copies, junctions + 1] vehicles that went past since the last look
    stops: F4  # [copies, junctions + 1] vehicles that stand and did not at the last look
    co2_g: F4  # [copies, junctions + 1] since the last look


# What is read together stands together: a look at many vehicles is a matter of cache lines.
WAY = np.dtype(
    [
        ("free_s", "f4"),  # seconds at the desired speed to the start of a route's entry,
        ("own_s", "f4"),  # and on its street, without the turn behind it
    ]
)
TRACKED = np.dtype(
    [
        ("total_s", "f8"),  # delay so far
        ("stood_s", "f4"),  # part of it in steps at whose begin or end it stood
        ("shift", "i4"),  # ticks before its departure at which the trip begins to count
        ("owner", "i4"),  # junction that it was before
        ("place", "i4"),  # lane on which it was
        ("since", "i4"),  # tick at which it first stood there, -1 if it did not
        ("stands", "i4"),  # 1: it stands; 2: it stood at the last look
    ]
)


class Tally(NamedTuple):
    """What is remembered of vehicles between looks; [copies, ...]."""

    way: Records  # WAY [.., route entries]
    vehicle: Records  # TRACKED [.., vehicles]
    active: I4  # [.., vehicles] those due who have not arrived: active[:n_active]
    n_active: I8  # [..]
    source: I4  # [.., sources] position up to which a source is in `active`
    last: I8  # [..] tick of the last look


class Sight(NamedTuple):
    """Arrays of `Junctions` and `Sensors` that the compiled code reads."""

    signal: I4
    row: I4
    link: I4
    link_lane: I4
    lane: I4
    watch: I4  # [kernel lanes + 1] into ...
    watch_at: I4
    watch_share: F4
    watch_ahead_m: F4
    metres: float
    owner: I4
    first_lane: I4  # [streets]
    cruise_g_s: F4  # [kernel lanes] CO2 of who drives,
    stop_g: F4  # of a stop,
    idle_g_s: float  # and of who stands


def sight_of(network: Network, junctions: Junctions, sensors: Sensors) -> Sight:
    """Arrays for the compiled code."""
    lane = network.arrays.lane
    count = np.zeros(len(lane), np.int64)
    count[sensors.lane] = np.diff(sensors.watch)
    speed = np.maximum(network.lane_speed, 1.0)
    return Sight(
        junctions.signal,
        junctions.row,
        junctions.link,
        junctions.link_lane,
        junctions.lane,
        np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        np.ascontiguousarray(sensors.row["at"]),
        np.ascontiguousarray(sensors.row["share"]),
        np.ascontiguousarray(sensors.row["ahead_m"]),
        sensors.metres,
        sensors.owner,
        network.arrays.street_lane[:-1].copy(),
        co2_g_s(speed).astype(np.float32),
        co2_of_stop_g(speed).astype(np.float32),
        float(co2_g_s(0.0)),
    )


def new_readings(copies: int, junctions: Junctions) -> Readings:
    """Readings of nothing."""
    n = len(junctions)
    lanes, links = junctions.lane.shape[1], junctions.link.shape[1]

    def f4(*shape: int) -> F4:
        return np.zeros((copies, *shape), np.float32)

    return Readings(
        *(f4(n, lanes) for _ in range(5)),
        f4(n, links),
        f4(n, links),
        np.zeros((copies, n, links), np.int32),
        f4(n, links),
        f4(n, links),
        np.zeros((copies, n), np.int64),
        f4(n),
        np.zeros((copies, n), np.uint8),
        np.zeros((copies, n + 1)),
        f4(n + 1),
        f4(n + 1),
        f4(n + 1),
    )


def new_tally(room: State) -> Tally:
    """A tally for the copies of a batch, whose room it has."""
    copies, vehicles = room.vehicle.shape
    entries, sources = room.route_street.shape[1], room.source.shape[1]

    def i4(n: int) -> I4:
        return np.zeros((copies, n), np.int32)

    return Tally(
        np.zeros((copies, entries), WAY),
        np.zeros((copies, vehicles), TRACKED),
        i4(vehicles),
        np.zeros(copies, np.int64),
        i4(sources),
        np.zeros(copies, np.int64),
    )


class FreeTimes(NamedTuple):
    """Times at the desired speed along the ways of a state's vehicles; see `Tally`."""

    free_s: F4
    own_s: F4
    shift: I4


def free_times(
    network: Network, state: State, shift: I4 | None = None, factor: F8 | None = None
) -> FreeTimes:
    """Seconds at the desired speed to each street of each way, as `trip_table` has them.

    Parameters
    ----------
    shift
        [vehicles] ticks before the departure at which a trip begins to count; 0 if not given.
    factor
        [vehicles] desired speed over the limit; the state's unless given.
    """
    v = state.vehicle
    owner = np.full(len(state.route_street), -1, np.int64)
    count = (v["route_end"] - v["route"]).astype(np.int64)
    ptr = np.concatenate([[0], np.cumsum(count)])
    at = np.repeat(v["route"], count) + np.arange(ptr[-1]) - np.repeat(ptr[:-1], count)
    owner[at] = np.repeat(np.arange(len(v)), count)
    street = state.route_street[at]
    limit = np.array([t.max_speed_m_s for t in network.types])[v["type"]]
    factors = v["factor"] if factor is None else factor
    mine = owner[at]
    speed = np.minimum(network.street_speed[street] * factors[mine], limit[mine])
    own_s = network.street_m[street] / np.maximum(speed, 0.1)
    last = np.zeros(len(at), bool)
    last[ptr[1:][count > 0] - 1] = True
    inner = np.flatnonzero(~last)
    turn = network.turn_of(street[inner], street[np.minimum(inner + 1, len(street) - 1)])
    step_s = own_s.copy()
    inside_s = network.turn_free_s - network.exit_free_s[network.turns[:, 0]]
    step_s[inner] += inside_s[turn]
    total = np.concatenate([[0.0], np.cumsum(step_s)])
    free = np.zeros(len(owner), np.float32)
    own = np.zeros(len(owner), np.float32)
    free[at] = total[:-1] - np.repeat(total[ptr[:-1]], count)
    own[at] = own_s
    return FreeTimes(free, own, np.zeros(len(v), np.int32) if shift is None else shift)


def waiting_s(tally: Tally, k: int, state: State, tps: int) -> F8:
    """[vehicles] seconds that each has waited to enter the network and stood in it."""
    v, now = state.vehicle, int(state.clock["now"][0])
    entered = np.where(v["depart"] < 0, now, v["depart"])
    whole = np.maximum(0, entered - v["due"]) / tps + tally.vehicle["stood_s"][k, : len(v)]
    return np.asarray(whole, np.float64)


def put_ways(tally: Tally, k: int, free: FreeTimes) -> None:
    """Keep the times without traffic of a copy."""
    entries = len(free.free_s)
    tally.way["free_s"][k, :entries], tally.way["own_s"][k, :entries] = free.free_s, free.own_s


def begin_tally(tally: Tally, k: int, state: State, free: FreeTimes, nowhere: int) -> None:
    """Begin to keep account of a copy that holds this state, nothing being counted so far."""
    put_ways(tally, k, free)
    one = tally.vehicle[k]
    one["shift"][: len(state.vehicle)] = free.shift
    one["total_s"], one["stood_s"], one["stands"] = 0.0, 0.0, 0
    one["owner"], one["place"], one["since"] = nowhere, -1, -1
    tally.n_active[k] = 0
    starts = np.zeros(len(state.source), np.int32)
    starts[:] = _first_of_source(state)
    tally.source[k, : len(starts)] = starts
    tally.last[k] = int(state.clock["now"][0])


def _first_of_source(state: State) -> I4:
    ends = state.source["end"]
    return np.concatenate([[0], ends[:-1]]).astype(np.int32) if len(ends) else ends


@inlined
def _look_at_lane(
    net: Any, st: Any, sight: Any, tally: Any, read: Any, weight: Any, k: int, i: int, t: int
) -> None:
    """Read the detectors that see a lane; note who stands there."""
    lane = st.lane[i]
    front = 0  # so many at the head of the queue move
    head = st.slot[head_slot(lane)]
    if head.link >= 0 and lane.no_room == 0 and st.link[head.link].light == MAJOR:
        shown_s = (t - st.link[head.link].since) / net.tps
        front = 1 + int(min(shown_s, 120.0) * FRONT_PER_S)
    speed = lane.speed / net.tps  # m a tick
    place_m = 0.0
    for n in range(lane.inside):
        slot = st.slot[ring_slot(lane, lane.tail + lane.gone + n)]
        v = slot.vehicle
        arrived = slot.time - np.int64(place_m / speed)
        stands = arrived <= t and n >= front
        if tally.vehicle[k, v].place != i:
            tally.vehicle[k, v].place = i
            tally.vehicle[k, v].since = -1
        if stands and tally.vehicle[k, v].since < 0:
            tally.vehicle[k, v].since = arrived
        tally.vehicle[k, v].stands = (tally.vehicle[k, v].stands & 1) * 2 + (1 if stands else 0)
        waited_s = (t - tally.vehicle[k, v].since) / net.tps if stands else 0.0
        far_m = min(max(place_m, (slot.time - t) * speed), lane.length)
        pace = 0.0 if stands else (QUEUE_SPEED if arrived <= t else 1.0)
        for row in range(sight.watch[i], sight.watch[i + 1]):
            if far_m + sight.watch_ahead_m[row] > sight.metres:
                continue
            at, share = sight.watch_at[row], sight.watch_share[row]
            j, a = at // sight.lane.shape[1], at % sight.lane.shape[1]
            if stands:
                read.standing[k, j, a] += share
                read.waiting_s[k, j, a] += share * waited_s
                read.longest_s[k, j, a] = max(read.longest_s[k, j, a], waited_s)
            else:
                read.moving[k, j, a] += share
            read.speed[k, j, a] += share * pace
        if slot.link >= 0:
            if stands:
                weight[0, slot.link] += 1
            else:
                weight[1, slot.link] += 1
            if n == 0:
                weight[2, slot.link] = max(0, t - lane.ready)
        place_m += net.type[slot.code & 255].cm / 100.0


@inlined
def _look_behind(net: Any, st: Any, street: int) -> Any:
    """Vehicles per lane on a street, and the share of its room that they would take in a queue."""
    first, end = net.street_lane[street], net.street_lane[street + 1]
    inside, room_m = 0, 0.0
    for i in range(first, end):
        inside += st.lane[i].inside
        room_m += st.lane[i].length
    taken_m = inside * net.type[0].cm / 100.0
    return inside / max(1, end - first), min(1.0, taken_m / max(1.0, room_m))


@inlined
def _delay_s(net: Any, st: Any, tally: Any, k: int, v: int, t: int) -> float:
    """Delay of a vehicle that is due, so far: before its departure, and on its way."""
    vehicle = st.vehicle[v]
    if vehicle.depart < 0:
        return float(max(0, t - vehicle.due)) / net.tps
    shift = min(tally.vehicle[k, v].shift, vehicle.depart)
    begin = vehicle.depart - shift
    if vehicle.arrive >= 0:
        at = vehicle.route_end - 1
        free_s = tally.way[k, at].free_s + tally.way[k, at].own_s
        spent_s = (vehicle.arrive - begin) / net.tps
    else:
        at = vehicle.route_at
        entered = vehicle.entered - (shift if at == vehicle.route else 0)
        on_it_s = (t - entered) / net.tps
        free_s = tally.way[k, at].free_s + min(on_it_s, tally.way[k, at].own_s)
        spent_s = (t - begin) / net.tps
    before_s = (vehicle.depart - vehicle.due) / net.tps
    return before_s + max(0.0, spent_s - free_s - vehicle.stood / net.tps)


@inlined
def _keep_account(net: Any, st: Any, sight: Any, tally: Any, read: Any, k: int, t: int) -> None:
    """Add what every vehicle lost since the last look to the junction that it was before."""
    n = int(tally.n_active[k])
    nowhere = len(sight.signal)
    for s in range(len(st.source)):
        at = tally.source[k, s]
        while at < st.source[s].end and (
            at < st.source[s].next or st.vehicle[st.source_vehicle[at]].due <= t
        ):
            v = st.source_vehicle[at]
            street = st.route_street[st.vehicle[v].route]
            tally.vehicle[k, v].owner = sight.owner[sight.first_lane[street]]
            tally.active[k, n] = v
            n += 1
            at += 1
        tally.source[k, s] = at
    step_s = (t - tally.last[k]) / net.tps
    kept = 0
    for i in range(n):
        v = tally.active[k, i]
        owner = tally.vehicle[k, v].owner
        total_s = _delay_s(net, st, tally, k, v, t)
        lost_s = total_s - tally.vehicle[k, v].total_s
        read.delay_s[k, owner] += lost_s
        tally.vehicle[k, v].total_s = total_s
        vehicle = st.vehicle[v]
        if tally.vehicle[k, v].stands > 0 and 0 <= vehicle.depart <= tally.last[k]:
            tally.vehicle[k, v].stood_s += lost_s
        if vehicle.arrive >= 0:
            if owner < nowhere:
                read.passed[k, owner] += 1
            continue
        tally.active[k, kept] = v
        kept += 1
        if vehicle.depart < 0 or vehicle.place < 0:
            continue
        now = sight.owner[vehicle.place]
        if now != owner:
            if owner < nowhere:
                read.passed[k, owner] += 1
            tally.vehicle[k, v].owner = now
        lane = vehicle.place
        stands = tally.vehicle[k, v].stands
        if stands & 1:
            read.co2_g[k, now] += sight.idle_g_s * step_s
            if not stands & 2:
                read.stops[k, now] += 1
                read.co2_g[k, now] += sight.stop_g[lane]
        else:
            read.co2_g[k, now] += sight.cruise_g_s[lane] * step_s
    tally.n_active[k] = kept
    tally.last[k] = t


@inlined
def shown_phase(st: Any, sight: Any, j: int) -> int:
    """Phase of a junction that is green or being changed to."""
    signal = st.signal[sight.signal[j]]
    row = signal.phase if signal.stage == GREEN_STAGE else signal.target
    for p in range(sight.row.shape[1]):
        if sight.row[j, p] == row:
            return p
    return 0


@compiled
def look(net: Any, st: Any, sight: Any, tally: Any, read: Any, weight: Any, k: int) -> None:
    """Read all detectors of a copy, and keep account of delays.

    Parameters
    ----------
    weight
        [3, kernel links] room: vehicles at a stand, moving, and ticks of the first one's wait.
    """
    t = st.clock[0].now
    read.standing[k] = 0.0
    read.moving[k] = 0.0
    read.waiting_s[k] = 0.0
    read.longest_s[k] = 0.0
    read.speed[k] = 0.0
    read.delay_s[k] = 0.0
    read.passed[k] = 0.0
    read.stops[k] = 0.0
    read.co2_g[k] = 0.0
    weight[:] = 0
    for i in range(len(st.lane)):
        if st.lane[i].inside > 0:
            _look_at_lane(net, st, sight, tally, read, weight, k, i, t)
    for j in range(len(sight.signal)):
        for a in range(sight.lane.shape[1]):
            seen = read.standing[k, j, a] + read.moving[k, j, a]
            read.speed[k, j, a] = read.speed[k, j, a] / seen if seen > 0.0 else 1.0
        for m in range(sight.link.shape[1]):
            link = sight.link[j, m]
            if link < 0:
                continue
            read.link_standing[k, j, m] = weight[0, link]
            read.link_moving[k, j, m] = weight[1, link]
            read.head_wait[k, j, m] = weight[2, link]
            behind, full = _look_behind(net, st, net.link[link].street)
            read.behind[k, j, m] = behind
            read.full[k, j, m] = full
        signal = st.signal[sight.signal[j]]
        green = signal.stage == GREEN_STAGE
        read.phase[k, j] = shown_phase(st, sight, j)
        read.changing[k, j] = 0 if green else 1
        read.green_s[k, j] = (t - signal.green_at) / net.tps if green else 0.0
    _keep_account(net, st, sight, tally, read, k, t)
