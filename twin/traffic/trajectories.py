"""Where everybody is at a time, from the record of a simulation (`Simulation(..., record=True)`).

A lane is a queue in order of entry; the record says when each vehicle k entered (E), when it left
at the stop line (D, infinite while it has not), and how long it takes unhindered (F).  What lies
between follows from Newell's (2002) simplified car-following: who follows repeats the way of the
one before, tau later and s metres behind.

**On a lane** of length L, vehicles k = 0, 1, ... in the order of the table, at a time t:

- s_k: spacing of vehicle k (length + gap of its type); Z_k = s_0 + ... + s_(k-1).
- v_k = L / F_k: the speed that it drives; V: the greatest v_k of the lane.
- On the lane are those with E_k <= t < D_k: as neither E nor D ever decrease, k = a .. b - 1.
  Position x is that of the front, in metres from the start of the lane; k = a first, then up:

  1. free:    v_k (t - E_k)
  2. line:    L
  3. leader:  x_(k-1) - s_(k-1)                                          if k > a
  4. starts:  L - (Z_k - Z_m) + V max(0, t - D_m - (k - m) tau)          for m = a - 1, a - 2, ...
     until one of them is L or more: the wave of the start of m has passed k.
  5. catch up: L - V (D_k - t)                                           at least, and at least 0
  6. inside:   L + y - s_(a-1)                                           if k = a
     where a - 1, the last to leave, is in the junction at y on a movement with a place to wait.

  x_k = max(min(1, 2, 3, 4, 6), 5, 0).  It queues if what holds is 2 or 6, or 4 before the wave
  has come (t - D_m < (k - m) tau), or 3 with a leader that queues, or the bound 0; it stands if
  it queues and the last wave that has come to it (the greatest m with t - D_m >= (k - m) tau)
  did so `MOVES_UP_S` ago or longer, or none has.

By 1 to 4 and 6 nobody overlaps the one before, and positions are continuous and never fall (but
for 6 on a movement shorter than the spacing of who leaves it).  Rule 5 lets everybody be at the
line at D_k exactly, if headways are shorter than tau + s / V by rounding or because another way
through the junction is quicker.  Bound 0 means that the queue is longer than the lane: those
behind stand in the junction, and are drawn on the start of the lane, over each other.

**Through a junction** a vehicle takes the movement from its lane to the lane that it enters next
(or another to the same street, if it changes lanes on the way) from D, its departure, to E', its
entry into the next lane.  M is the movement's length, u = max(speed of the movement,
M / (E' - D)).  In the order of departure, those with D <= t < E':

  x = max(min(u (t - D), w, leader's x - s), M - u (E' - t), 0)    where w = wait_m > 0
  x = M (t - D) / (E' - D)                                         else

So who waits inside stands at `wait_m` or behind the one before (that is, if w or the leader's
bound holds), and leaves in time.  A vehicle that
is taken past a jam takes no movement: it is nowhere until it enters a lane again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import called, compiled
from twin.errors import InputError
from twin.traffic.network import UNSIGNALLED
from twin.traffic.parameters import DEFAULT_TYPES, VehicleType
from twin.traffic.queue_lengths import MOVES_UP_S
from twin.traffic.recording import CS, STILL, rising

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from twin.city import City

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]

NEVER = 2**30  # hundredths of a second: of who has not left
DRIVES, MOVES_UP, STANDS = 0, 1, 2
COLUMNS = ("vehicle", "lane", "enter_cs", "leave_cs", "free_cs")


class Positions(NamedTuple):
    """Vehicles that are on the road, one position each.

    Attributes
    ----------
    vehicle
        Row of `trips`.
    lane, movement
        Row of the city's lanes or movements; the other of both is -1.
    position_m
        Of the front, from the start of the lane or movement.
    share
        The same as a share of the length of the lane or movement, 0 to 1.
    standing
        Who queues and has not moved up in the last seconds.
    """

    vehicle: I4
    lane: I4
    movement: I4
    position_m: F4
    share: F4
    standing: npt.NDArray[np.bool_]


class _Ways(NamedTuple):
    """Rows by lane, and the same rows by movement."""

    lane_ptr: I8
    vehicle: I4
    enter: I4
    leave: I4
    v: F4  # m/s unhindered
    s: F4  # m, spacing
    before: F8  # m, spacings of all rows before it
    length: F8  # of lanes
    most: F4  # m/s, by lane
    move_ptr: I8
    row: I8  # of each passage through a junction: the row that it leaves
    passage: I8  # of each row: its passage through a junction, or -1
    into: I4  # when it enters the next lane
    over: I4  # the greatest `into` of the movement so far
    move_m: F8
    wait_m: F8  # 0 where nobody waits
    move_m_s: F8


class Trajectories:
    """Everybody's way through the city.

    Parameters
    ----------
    city
        The city.
    passages
        Table `passages` of a recorded simulation.
    trips
        Table `trips`; says who is a lorry or a bus. All are of the first type without it.
    lights
        Table `lights`.
    types
        Vehicle types that the trips name.

    Raises
    ------
    InputError
        If a table lacks a column, is of another city, or not in order.
    """

    def __init__(
        self,
        city: City,
        passages: pd.DataFrame,
        trips: pd.DataFrame | None = None,
        lights: pd.DataFrame | None = None,
        *,
        types: Sequence[VehicleType] = DEFAULT_TYPES,
    ) -> None:
        self._tau = types[0].tau_s
        self._ways = _ways(city, _checked(city, passages), _spacing(passages, trips, types))
        n = len(passages)
        inside = np.zeros(len(self._ways.row), np.float32)
        self._room = np.zeros(n, np.int64), np.zeros(n, np.float32), np.zeros(n, np.uint8), inside
        self._lights = None if lights is None else _lights(city, lights)

    def at(self, time_s: float) -> Positions:
        """Where those are who are on the road at a time, by lane, then by movement."""
        ways, (row, x, held, inside) = self._ways, self._room
        n_in, n = _place(ways, float(time_s) * CS, float(self._tau), row, x, held, inside)
        n_on = n - n_in
        row, x, held = (np.concatenate([a[n_in:n], a[:n_in]]) for a in (row, x, held))
        at = row.copy()
        at[n_on:] = ways.row[row[n_on:]]
        lane = (np.searchsorted(ways.lane_ptr, at, side="right") - 1).astype(np.int32)
        move = np.full(n, -1, np.int32)
        move[n_on:] = np.searchsorted(ways.move_ptr, row[n_on:], side="right") - 1
        length = ways.length[lane]
        length[n_on:] = ways.move_m[move[n_on:]]
        lane[n_on:] = -1
        share = np.minimum(1.0, x / np.maximum(length, 1e-3)).astype(np.float32)
        return Positions(ways.vehicle[at], lane, move, x, share, held == STANDS)

    def lights_at(self, time_s: float) -> npt.NDArray[np.uint8]:
        """[movements] what their lights show, as in `lights`; 4 (off) where there is none.

        Raises
        ------
        InputError
            If no lights were given.
        """
        if self._lights is None:
            msg = "lights_at: Trajectories was given no lights; give it the table `lights`"
            raise InputError(msg)
        key, light, head = self._lights
        wanted = (head << 32) + np.int64(min(max(0.0, time_s * CS + 1e-6), NEVER))
        at = np.searchsorted(key, wanted, side="right") - 1
        known = (head >= 0) & (at >= 0)
        known[known] = (key[at[known]] >> 32) == head[known]
        shown = np.full(len(head), UNSIGNALLED, np.uint8)
        shown[known] = light[at[known]]
        return shown


def _checked(city: City, passages: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in COLUMNS if name not in passages]
    if lacking:
        msg = f"passages: no column {lacking[0]!r}; give the table of a recorded simulation"
        raise InputError(msg)
    lane, enter = passages["lane"].to_numpy(), passages["enter_cs"].to_numpy()
    leave = _left(passages)
    if len(lane) and not 0 <= lane.min() <= lane.max() < len(city.lanes):
        bad = int(np.flatnonzero((lane < 0) | (lane >= len(city.lanes)))[0])
        msg = (
            f"passages: lane {lane[bad]} in row {bad} is none of {city.name}, which has "
            f"{len(city.lanes)}; give the city that was simulated"
        )
        raise InputError(msg)
    same = lane[1:] == lane[:-1]
    back = (lane[1:] < lane[:-1]) | (same & ((np.diff(enter) < 0) | (np.diff(leave) < 0)))
    if back.any():
        bad = int(np.argmax(back)) + 1
        msg = f"passages: row {bad} is before the one above it; leave the rows in their order"
        raise InputError(msg)
    return passages


def _left(passages: pd.DataFrame) -> I4:
    leave = passages["leave_cs"].to_numpy(np.int32)
    return np.where(leave == STILL, np.int32(NEVER), leave)


def _spacing(
    passages: pd.DataFrame, trips: pd.DataFrame | None, types: Sequence[VehicleType]
) -> F4:
    spacing = np.full(len(passages), types[0].spacing_m, np.float32)
    if trips is not None:
        known = {t.name: t.spacing_m for t in types}
        kind = trips.set_index("vehicle")["vehicle_type"]
        own = kind.map(known).fillna(types[0].spacing_m)
        spacing[:] = own.reindex(passages["vehicle"]).fillna(types[0].spacing_m)
    return spacing


def _ways(city: City, passages: pd.DataFrame, spacing: F4) -> _Ways:
    vehicle, lane, enter = (passages[name].to_numpy(np.int32) for name in COLUMNS[:3])
    leave, free = _left(passages), passages["free_cs"].to_numpy(np.float64)
    length = city.lanes["length_m"].to_numpy(float)
    v = (length[lane] * CS / np.maximum(free, 1.0)).astype(np.float32)
    most = np.zeros(len(length), np.float32)
    np.maximum.at(most, lane, v)
    row, into, move = _through(city, lane, vehicle, enter, leave)
    moves = city.movements
    move_ptr = np.searchsorted(move, np.arange(len(moves) + 1))
    passage = np.full(len(lane), -1, np.int64)
    passage[row] = np.arange(len(row))
    return _Ways(
        lane_ptr=np.searchsorted(lane, np.arange(len(length) + 1)).astype(np.int64),
        vehicle=vehicle,
        enter=enter,
        leave=leave,
        v=v,
        s=spacing,
        before=np.concatenate([[0.0], np.cumsum(spacing, dtype=float)])[:-1],
        length=length,
        most=most,
        move_ptr=move_ptr.astype(np.int64),
        row=row,
        passage=passage,
        into=into,
        over=rising(move, into).astype(np.int32),
        move_m=np.maximum(moves["length_m"].to_numpy(float), 0.1),
        wait_m=moves["wait_m"].to_numpy(float),
        move_m_s=moves["speed_m_s"].to_numpy(float),
    )


def _through(
    city: City, lane: I4, vehicle: I4, enter: I4, leave: I4
) -> tuple[I8, I4, npt.NDArray[np.int64]]:
    """Passages through junctions by movement and departure: row left, next entry, movement."""
    order = np.lexsort((enter, vehicle))
    same = vehicle[order[1:]] == vehicle[order[:-1]]
    row, following = order[:-1][same], order[1:][same]
    move = _movement_of(city, lane[row], lane[following])
    kept = (move >= 0) & (enter[following] > leave[row])
    row, following, move = row[kept], following[kept], move[kept]
    order = np.lexsort((row, leave[row], move))
    return row[order].astype(np.int64), enter[following[order]], move[order]


def _movement_of(city: City, lane: I4, to_lane: I4) -> npt.NDArray[np.int64]:
    """The movement between two lanes, else another one of the lane, or street, to the street."""
    moves, street = city.movements, city.lanes["street"].to_numpy(np.int64)
    n_lanes, n_streets = len(street), len(city.streets)
    m_lane, m_to = moves["lane"].to_numpy(np.int64), moves["to_lane"].to_numpy(np.int64)
    found = np.full(len(lane), -1, np.int64)
    for keys, wanted in (
        (m_lane * n_lanes + m_to, lane.astype(np.int64) * n_lanes + to_lane),
        (m_lane * n_streets + street[m_to], lane.astype(np.int64) * n_streets + street[to_lane]),
        (street[m_lane] * n_streets + street[m_to], street[lane] * n_streets + street[to_lane]),
    ):
        if not len(keys):
            break
        unique, first = np.unique(keys, return_index=True)
        at = np.minimum(np.searchsorted(unique, wanted), len(unique) - 1)
        hit = (found < 0) & (unique[at] == wanted)
        found[hit] = first[at[hit]]
    return found


def _lights(city: City, lights: pd.DataFrame) -> tuple[I8, npt.NDArray[np.uint8], I8]:
    """Sorted keys of changes, what is shown then, and [movements] the number of the head."""
    moves = city.movements
    wide = int(moves["link"].max()) + 1 if len(moves) else 1
    head = lights["signal"].to_numpy(np.int64) * wide + lights["link"].to_numpy(np.int64)
    key = (head << 32) + lights["time_cs"].to_numpy(np.int64)
    order = np.argsort(key, kind="stable")
    own = moves["signal"].to_numpy(np.int64) * wide + moves["link"].to_numpy(np.int64)
    own[moves["signal"].to_numpy() < 0] = -1
    return key[order], lights["light"].to_numpy(np.uint8)[order], own


@called
def _after(values: Any, first: int, end: int, t: float) -> int:
    """First of rows first:end with a value after t; values never fall."""
    while first < end:
        middle = (first + end) // 2
        if values[middle] > t:
            end = middle
        else:
            first = middle + 1
    return first


@compiled
def _place(ways: Any, t: float, tau: float, row: Any, x: Any, held: Any, inside: Any) -> Any:
    """Fill rows, positions and who is held; how many are in junctions, and how many in all.

    `inside` is room for the positions of passages through junctions.
    """
    n = 0
    for i in range(len(ways.move_ptr) - 1):
        first, end = ways.move_ptr[i], ways.move_ptr[i + 1]
        if first == end:
            continue
        leader = np.inf  # rear of the one before
        for j in range(_after(ways.over, first, end, t), end):
            k = ways.row[j]
            if ways.leave[k] > t:
                break
            if ways.into[j] <= t:
                continue
            row[n] = j
            leader = _turn(ways, i, j, k, n, t, leader, x, held) - ways.s[k]
            inside[j] = x[n] if ways.wait_m[i] > 0.0 else np.inf
            n += 1
    n_in = n
    for i in range(len(ways.lane_ptr) - 1):
        first, end = ways.lane_ptr[i], ways.lane_ptr[i + 1]
        if first == end:
            continue
        a = _after(ways.leave, first, end, t)
        b = _after(ways.enter, a, end, t)
        rear = np.inf  # of who waits in the junction before
        if a > first and ways.passage[a - 1] >= 0 and ways.into[ways.passage[a - 1]] > t:
            rear = ways.length[i] + inside[ways.passage[a - 1]] - ways.s[a - 1]
        for k in range(a, b):
            row[n] = k
            _follow(ways, i, first, a, k, n, t, tau, rear, x, held)
            n += 1
    return n_in, n


@called
def _follow(
    ways: Any, i: int, first: int, a: int, k: int, n: int, t: float, tau: float, rear: float,
    x: Any, held: Any,
) -> None:  # fmt: skip
    """Position of row k on lane i, of whose rows first, ... those from a on have not left.

    `rear` is that of the last one that left, if it is in the junction.
    """
    length, most = ways.length[i], float(ways.most[i])
    best, queues = ways.v[k] * (t - ways.enter[k]) / 100.0, False
    if best >= length:
        best, queues = length, True
    if k == a and rear < best:
        best, queues = rear, True
    if k > a and x[n - 1] - ways.s[k - 1] < best:
        best, queues = x[n - 1] - ways.s[k - 1], held[n - 1] != DRIVES
    started = -1.0  # seconds since the last start came
    for m in range(a - 1, first - 1, -1):
        since = (t - ways.leave[m]) / 100.0 - (k - m) * tau
        at = length - (ways.before[k] - ways.before[m]) + most * max(0.0, since)
        if started < 0.0:
            started = since
        if at >= length:
            break
        if at < best:
            best, queues = at, since < 0.0
    if ways.leave[k] < NEVER:
        latest = length - most * (ways.leave[k] - t) / 100.0
        if latest > best:
            best, queues = latest, False
    x[n] = max(0.0, best)
    held[n] = DRIVES
    if queues or best < 0.0:
        held[n] = MOVES_UP if 0.0 <= started < MOVES_UP_S else STANDS


@called
def _turn(
    ways: Any, i: int, j: int, k: int, n: int, t: float, leader: float, x: Any, held: Any
) -> float:
    """Position of passage j, that leaves row k, on movement i behind the rear of a leader."""
    metres, wait = ways.move_m[i], ways.wait_m[i]
    since, until = (t - ways.leave[k]) / 100.0, (ways.into[j] - t) / 100.0
    even = metres / (since + until)
    held[n] = DRIVES
    if wait <= 0.0:
        x[n] = even * since
        return np.inf
    u = max(ways.move_m_s[i], even)
    place = min(wait, leader)
    latest = metres - u * until
    x[n] = max(min(u * since, place), latest, 0.0)
    if place < u * since and latest < place:
        held[n] = STANDS
    return float(x[n])
