"""What is on the streets: vehicles with routes, signals, and the arrays of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.traffic.kernel import wake_all
from twin.traffic.network import UNSIGNALLED, NetArrays, Network, SignalArrays
from twin.traffic.records import (
    ACTUATED,
    CHUNK,
    CLOCK,
    EVEN,
    FIXED,
    ID,
    INNER,
    LANE,
    LINK,
    NEAR_SHORT,
    NEVER,
    PASSED,
    SEEN,
    SHOWN,
    SIGNAL,
    SLOT,
    SOURCE,
    STOP,
    VEHICLE,
    WHEEL,
    State,
    aligned,
)

I4 = npt.NDArray[np.int32]
Records = npt.NDArray[np.void]


@dataclass(frozen=True)
class Stops:
    """Stops that vehicles make on their way, those of one vehicle in the order of its way.

    Attributes
    ----------
    ptr
        Stops of vehicle v: rows ptr[v]:ptr[v + 1].
    street
        On which street.
    share
        Where, as a share of the street's length from its start, 0 to 1.
    dwell_s
        Standing time at least.
    until_s
        Seconds since the start of the clock before which it does not go on; 0 for any time.
    """

    ptr: npt.NDArray[np.int64]
    street: I4
    share: npt.NDArray[np.float64]
    dwell_s: npt.NDArray[np.float64]
    until_s: npt.NDArray[np.float64]

    def take(self, kept: npt.NDArray[np.bool_]) -> Stops:
        """Return the stops of some vehicles, [vehicles] which."""
        count = np.diff(self.ptr)
        rows = np.repeat(kept, count)
        ptr = np.concatenate([[0], np.cumsum(count[kept])]).astype(np.int64)
        return Stops(
            ptr, self.street[rows], self.share[rows], self.dwell_s[rows], self.until_s[rows]
        )


@dataclass(frozen=True)
class Vehicles:
    """Vehicles that are due, one position each.

    Attributes
    ----------
    due_s
        Seconds since the start of the clock.
    kind
        Position in the network's vehicle types.
    route_ptr, route_street
        Streets of vehicle v: `route_street[route_ptr[v]:route_ptr[v + 1]]`.
    factor
        Desired speed over the limit.
    depart_speed_m_s
        Speed at insertion; infinite for the desired speed.
    stops
        Where vehicles of lines stop; None where no vehicle does.
    """

    due_s: npt.NDArray[np.float64]
    kind: npt.NDArray[np.uint8]
    route_ptr: npt.NDArray[np.int64]
    route_street: I4
    factor: npt.NDArray[np.float32]
    depart_speed_m_s: npt.NDArray[np.float64]
    stops: Stops | None = None

    def __post_init__(self) -> None:
        if len(self.due_s) and bool((np.diff(self.route_ptr) < 1).any()):
            bad = int(np.flatnonzero(np.diff(self.route_ptr) < 1)[0])
            msg = f"vehicle {bad} has an empty route: give it at least one street"
            raise SimulationError(msg)

    def __len__(self) -> int:
        return len(self.due_s)


def initial_state(
    network: Network,
    vehicles: Vehicles,
    *,
    begin_s: float = 0.0,
    end_s: float,
    interval_s: float = 900.0,
) -> State:
    """Arrays for a simulation from `begin_s`, with nobody on the streets yet.

    Vehicles that are due before `begin_s` wait at their sources.
    """
    net = network.arrays
    start = round(begin_s * net.tps)
    source, source_vehicle = _sources(vehicles, network.n_streets)
    intervals = max(1, int(np.ceil((end_s - begin_s) / interval_s)))
    ids = _id_records(net, len(source))
    length = round(interval_s * net.tps)
    state = State(
        clock=np.array([(start, 0, 0, start, length, 0, 0, 0, 0, 0, 0, 0)], CLOCK),
        lane=_lane_records(network),
        slot=aligned(int(net.lane["size"].sum()), SLOT),
        link=_link_records(net, start),
        signal=np.zeros(len(network.signals.phase) - 1, SIGNAL),
        seen=np.array([(-1, start - NEVER // 2)] * len(network.signals.detector), SEEN),
        yields_to=np.zeros(len(net.lane), np.int32),
        id=ids,
        bucket=np.full(WHEEL, -1, np.int32),
        chunk=_chunks(len(ids)),
        bits=np.zeros(WHEEL // 64, np.uint64),
        batch=np.zeros(2 * (len(ids) + 1) + 256, np.int64),
        change=np.zeros(len(network.signals.phase) - 1, np.int64),
        counted=np.zeros(len(net.link), np.int32),
        source=source,
        source_vehicle=source_vehicle,
        vehicle=_vehicle_records(network, vehicles),
        stop=_stop_records(network, vehicles.stops),
        route_street=vehicles.route_street.astype(np.int32).copy(),
        turn_sum=np.zeros((intervals, len(network.turns)), np.int64),
        turn_count=np.zeros((intervals, len(network.turns)), np.int32),
        exit_sum=np.zeros((intervals, network.n_streets), np.int64),
        exit_count=np.zeros((intervals, network.n_streets), np.int32),
        entered=np.zeros((intervals, network.n_streets), np.int32),
        passed=np.zeros(0, PASSED),
        shown=np.zeros(0, SHOWN),
    )
    begin_programs(network.signals, state, start)
    wake_all(net, state)
    return state


def _lane_records(network: Network) -> Records:
    net = network.arrays
    lane = aligned(len(net.lane), LANE)
    for name in ("capacity", "size", "ring", "lag", "link", "length", "classes"):
        _fill(lane, name, net.lane[name])
    _fill(lane, "links", net.lane["link_end"] - net.lane["link"])
    _fill(lane, "entry_headway", net.entry_headway[0])
    lane["ready"] = lane["wake"] = NEVER
    lane["open"] = 1
    lane["speed"] = network.lane_speed
    lane["flags"] = _lane_flags(net)
    return lane


def _lane_flags(net: NetArrays) -> npt.NDArray[np.uint8]:
    street, first = net.lane["street"], net.street_lane[:-1]
    own = np.maximum(street, 0)
    near_short = np.zeros(len(first), bool)
    short = net.lane["short"][first][net.link["street"]] == 1
    near_short[street[net.link["lane"][short & (street[net.link["lane"]] >= 0)]]] = True
    uneven = np.zeros(len(first), bool)
    uneven[own[net.lane["lag"] != net.lane["lag"][first][own]]] = True
    flags = NEAR_SHORT * near_short[own] + EVEN * ~uneven[own]
    return np.where(street < 0, INNER, flags).astype(np.uint8)


def _link_records(net: NetArrays, start: int) -> Records:
    link = aligned(len(net.link), LINK)
    same = ("lane", "wait", "via", "yields", "gap_moving", "gap_standing", "start", "braking")
    for name in (*same, "inner", "stop", "beside"):
        _fill(link, name, net.link[name])
    _fill(link, "foes", net.link["yields_end"] - net.link["yields"])
    _fill(link, "siblings", net.link["beside_end"] - net.link["beside"])
    _fill(link, "headway", net.headway[0])
    street = np.append(net.lane["street"], -1)[net.link["lane"]]
    first, end = net.street_lane[street], net.street_lane[street + 1]
    _fill(link, "left", np.where(street < 0, 0, net.link["lane"] - first))
    _fill(link, "all", np.where(street < 0, 0, end - first))
    _fill(link, "first", net.street_lane[net.link["street"]])
    _fill(link, "lanes", net.street_lane[net.link["street"] + 1] - link["first"])
    link["since"], link["last"], link["light"] = start, -(10**6), UNSIGNALLED
    return link


def _fill(rows: Records, name: str, values: npt.NDArray[Any]) -> None:
    """Set a field, which may be narrower than the values."""
    rows[name] = values
    other = np.flatnonzero(rows[name] != values)
    if len(other):
        msg = (
            f"{name} of row {other[0]} is {values[other[0]]}: "
            f"the kernel holds up to {np.iinfo(rows[name].dtype).max}"
        )
        raise SimulationError(msg)


def _id_records(net: NetArrays, n_sources: int) -> Records:
    n_lanes = len(net.lane)
    ids = aligned(n_lanes + n_sources, ID)
    for name in ("awaits", "waiter_next", "place", "waiter"):
        ids[name] = -1
    street = net.lane["street"]
    ids["place"][:n_lanes] = np.where(street >= 0, net.street_lane[street], np.arange(n_lanes))
    return ids


def _chunks(n_ids: int) -> I4:
    """Chunks of the wheel, all free: for every id twice, and one begun in each bucket."""
    n = min(WHEEL, 2 * n_ids) + 2 * n_ids // (CHUNK - 2) + 2
    chunk = aligned(n * CHUNK, np.int32)
    chunk[::CHUNK] = np.arange(1, n + 1)
    chunk[(n - 1) * CHUNK] = -1
    return chunk


def _vehicle_records(network: Network, vehicles: Vehicles) -> Records:
    records = aligned(len(vehicles), VEHICLE)
    due = np.ceil(vehicles.due_s * network.arrays.tps - 1e-6)
    records["type"] = vehicles.kind
    records["factor"] = vehicles.factor
    records["due"] = np.maximum(due, 0)
    for name in ("depart", "arrive", "place"):
        records[name] = -1
    records["extra"] = _start_loss(network, vehicles)
    records["route"] = records["route_at"] = vehicles.route_ptr[:-1]
    records["route_end"] = vehicles.route_ptr[1:]
    if vehicles.stops is not None:
        records["stop"] = vehicles.stops.ptr[:-1]
        records["stop_end"] = vehicles.stops.ptr[1:]
    return records


def _stop_records(network: Network, stops: Stops | None) -> Records:
    if stops is None:
        return np.zeros(0, STOP)
    records = np.zeros(len(stops.street), STOP)
    records["street"] = stops.street
    records["share"] = np.clip(stops.share, 0.0, 1.0)
    longest = np.iinfo(np.int32).max // 4  # who stands longer stands for ever
    for name, seconds in (("dwell", stops.dwell_s), ("until", stops.until_s)):
        records[name] = np.minimum(np.rint(seconds * network.arrays.tps), longest)
    return records


def _sources(vehicles: Vehicles, n_streets: int) -> tuple[Records, I4]:
    """Vehicles by (first street, second street), each group in the order of being due."""
    if not len(vehicles):
        return np.zeros(0, SOURCE), np.zeros(0, np.int32)
    ptr = vehicles.route_ptr
    first = vehicles.route_street[ptr[:-1]].astype(np.int64)
    more = np.diff(ptr) > 1
    second = np.where(more, vehicles.route_street[np.minimum(ptr[:-1] + 1, ptr[-1] - 1)], n_streets)
    key = first * (n_streets + 1) + second
    order = np.lexsort((np.arange(len(key)), vehicles.due_s, key))
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    sources = np.zeros(len(starts), SOURCE)
    sources["next"] = starts
    sources["end"] = np.append(starts[1:], len(key))
    sources["wake"] = NEVER
    return sources, order.astype(np.int32)


def _start_loss(network: Network, vehicles: Vehicles) -> I4:
    """Ticks lost by those who begin their trip slower than they would drive: dv^2 / 2av."""
    if not len(vehicles):
        return np.zeros(0, np.int32)
    street = vehicles.route_street[vehicles.route_ptr[:-1]]
    speed = np.maximum(network.street_speed[street] * vehicles.factor, 0.5)
    accel = np.array([t.accel_m_s2 for t in network.types])[vehicles.kind]
    lack = np.maximum(0.0, speed - vehicles.depart_speed_m_s)
    # no more than a first street of length L can show from a stand: sqrt(2 L / a) - L / v
    length = np.minimum(network.street_m[street], speed**2 / (2 * accel))
    longest = np.sqrt(2 * length / accel) - length / speed
    loss = np.minimum(lack**2 / (2 * accel * speed), longest)
    ticks: I4 = np.rint(loss * network.arrays.tps).astype(np.int32)
    return ticks


def begin_programs(sig: SignalArrays, state: State, start: int) -> None:
    """Let programs begin at a tick: the row of each that is shown then, and its next change."""
    for s in range(len(sig.phase) - 1):
        into = (start - int(sig.offset[s])) % int(sig.cycle[s])
        row = int(sig.phase[s])
        while into >= sig.duration[row]:
            into -= int(sig.duration[row])
            row += 1
        signal = state.signal[s]
        signal["phase"] = signal["target"] = signal["shown"] = row
        signal["switch"] = start + int(sig.duration[row]) - into
        signal["mode"] = ACTUATED if sig.actuated[s] else FIXED
        if sig.actuated[s]:
            signal["green_at"] = start
            signal["switch"] = start + int(sig.least[row])
        links = sig.links[sig.link[s] : sig.link[s + 1]]
        state.link["light"][links] = sig.light[row, : len(links)]
        state.link["since"][links] = start - into


def copy_state(state: State) -> State:
    """A snapshot."""
    copies: list[Any] = [aligned(a.shape, a.dtype) for a in state]
    for copy, array in zip(copies, state, strict=True):
        copy[...] = array
    return State(*copies)
