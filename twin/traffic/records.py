"""What the kernel reads and changes: records of lanes, links, vehicles and the time wheel.

A move touches little, but somewhere in a large memory, so what counts is how many cache
lines it touches.  Hence the record of a lane, of a link and of a vehicle is one line of 64
bytes, with the constants that a move needs beside what changes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

NEVER = np.int32(2**31 - 1)
LINE = 64  # bytes of a cache line
WHEEL = 1 << 14  # buckets of the time wheel
CHUNK = 16  # numbers of a chunk of the wheel: next chunk, how many ids, ids
INNER, NEAR_SHORT, EVEN = 1, 2, 4  # flags of a lane
FIXED, CONTROLLED, ACTUATED = 0, 1, 2
GREEN_STAGE, YELLOW_STAGE, RED_STAGE = 0, 1, 2


def _line(fields: list[tuple[str, str]]) -> np.dtype[np.void]:
    """Fields of a record that takes one cache line."""
    packed: Any = np.dtype(fields, align=True)
    names = packed.names
    formats = [packed.fields[name][0] for name in names]
    offsets = [packed.fields[name][1] for name in names]
    line: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": LINE}
    found: np.dtype[np.void] = np.dtype(line)
    return found


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
        ("free", "i8"),  # first free chunk of the wheel, or -1
        ("counted", "i8"),  # links whose counts are not in the measurements yet
        ("passed", "i8"),  # rows of State.passed since they were taken, and of State.shown
        ("shown", "i8"),
    ]
)
PASSED = np.dtype(  # an entry into a lane, or the end of a trip
    [
        ("vehicle", "i4"),
        ("lane", "i4"),  # of the kernel; -1 ends the trip
        ("left", "i4"),  # tick at which it left the lane before, or its trip began
        ("enter", "i4"),
        ("ready", "i4"),  # at the stop line, if nobody is in the way
    ]
)
SHOWN = np.dtype([("time", "i4"), ("link", "i4"), ("light", "i4")])  # a change of a light
LANE = _line(
    [
        ("inside", "i2"),  # vehicles in the lane
        ("gone", "i2"),  # departed, but their place is not free yet
        ("tail", "i2"),  # ring position of the oldest of those
        ("size", "i2"),  # its slots are ring:ring + size
        ("occupied", "i4"),  # cm taken
        ("capacity", "i4"),  # cm that standing vehicles may take
        ("next_out", "i4"),  # earliest next departure
        ("next_in", "i4"),  # earliest next entry
        ("look", "i4"),  # next look for a gap; 0 where the head has not looked
        ("ready", "i4"),  # when the head is ready to leave, NEVER without one
        ("wake", "i4"),  # tick at which the lane is looked at, NEVER
        ("ring", "i4"),
        ("lag", "i4"),  # ticks from a departure until its place is free again
        ("link", "i4"),  # its links are link:link + links
        ("length", "f4"),  # m
        ("speed", "f4"),  # m/s allowed now
        ("entry_headway", "i2"),  # ticks, of the first vehicle type
        ("no_room", "u1"),  # the head found no room at its last try
        ("open", "u1"),  # may be entered
        ("classes", "u1"),  # bits of the classes that may enter
        ("links", "u1"),
        ("waited", "u1"),  # somebody may await room on its street
        ("flags", "u1"),  # INNER: a waiting place; NEAR_SHORT: short streets follow its street;
        # EVEN: all lanes of its street have one lag
    ]
)
SLOT = np.dtype(
    [
        ("vehicle", "i4"),
        ("time", "i4"),  # ready at the stop line; once gone: time of departure
        ("link", "i4"),  # the link that it takes next; -1 ends its trip
        ("code", "i4"),  # 256 times the street after the next (-1: none), plus its type
    ]
)
LINK = _line(
    [
        ("since", "i4"),  # the light's last change
        ("last", "i4"),  # last departure
        ("first", "i4"),  # first lane of the next street
        ("lane", "i4"),  # from
        ("wait", "i4"),  # waiting place that it enters, or -1
        ("via", "i4"),  # ticks from the stop line to the next lane
        ("yields", "i4"),  # those with right of way: foe[yields:yields + foes]
        ("beside", "i4"),  # waiting places that may block it: sibling[beside:beside + siblings]
        ("sum", "i4"),  # of this interval, not in `turn_sum` yet: ticks on street and turn,
        ("count", "i4"),  # vehicles that took it,
        ("entries", "i4"),  # and vehicles that entered the next street
        ("gap_moving", "i2"),  # gap accepted, ticks
        ("gap_standing", "i2"),
        ("start", "i2"),  # ticks lost in getting away from a stand
        ("braking", "i2"),  # ticks of yellow in which a moving vehicle can't stop
        ("headway", "i2"),  # saturation headway of the first vehicle type, ticks
        ("inner", "i2"),  # cm on its way through the junction where a queue may stand
        ("foes", "u1"),
        ("stop", "u1"),  # 1: everybody stands at a stop sign
        ("lanes", "u1"),  # of the next street
        ("light", "u1"),
        ("siblings", "u1"),
        ("left", "u1"),  # lanes of the street that it leads from before its own,
        ("all", "u1"),  # and all of them; 0 of a waiting place
    ]
)
SIGNAL = np.dtype(
    [
        ("mode", "i4"),  # FIXED, CONTROLLED or ACTUATED
        ("phase", "i4"),  # row of the program that is shown, or was shown last
        ("shown", "i4"),  # row that all its lights show, or -1
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
        ("awaits", "i4"),  # place with no room, or -1
        ("waiter_next", "i4"),  # who else awaits room there, or -1
        ("place", "i4"),  # of a lane: the first lane of its street; a waiting place is its own
        ("waiter", "i4"),  # of a place: the first id that awaits room there, or -1
    ]
)
SOURCE = np.dtype([("next", "i4"), ("end", "i4"), ("wake", "i4")])  # into source_vehicle
VEHICLE = _line(
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


class State(NamedTuple):
    """All that changes, as flat arrays of records; a copy of them is a snapshot."""

    clock: Records  # [1] CLOCK
    lane: Records  # LANE
    slot: Records  # SLOT, the rings of all lanes
    link: Records  # LINK
    signal: Records  # SIGNAL
    seen: Records  # SEEN
    yields_to: I4  # [lanes] lane for whose vehicle the head waited at its last look
    id: Records  # ID
    bucket: I4  # [WHEEL] first chunk of ids that wake at a tick, or -1
    chunk: I4  # [chunks * CHUNK]
    bits: npt.NDArray[np.uint64]  # [WHEEL / 64] buckets in use
    batch: I8  # [2 (ids + 1) + 256] keys of those that act in a tick, and room to sort
    change: I8  # [signals] room for a heap of their next changes
    counted: I4  # [links] links whose counts are not in the measurements yet
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
    passed: Records  # PASSED, room for what is recorded; without any, nothing is
    shown: Records  # SHOWN, the same


def aligned(shape: int | tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Zeros that begin at a cache line."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    raw = np.zeros(size + LINE, np.uint8)
    at = -raw.ctypes.data % LINE
    found: npt.NDArray[Any] = raw[at : at + size].view(kind).reshape(shape)
    return found


def unrecorded(state: State) -> State:
    """The same state, of which nothing is recorded."""
    if not len(state.passed) and not len(state.shown):
        return state
    return state._replace(passed=state.passed[:0], shown=state.shown[:0])
