"""The streets as flat arrays: what the compiled kernel reads and never changes.

Kernel lanes are the city's lanes, followed by one *waiting place* for every movement that
may wait inside the junction (a permitted left turn).  Such a movement becomes two links:
from the lane to the waiting place under the signal, and from there, yielding, to the
street.  Every other (lane, street) pair that a movement connects becomes one link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.clock import TICKS_PER_SECOND
from twin.errors import InputError
from twin.traffic import parameters as par

if TYPE_CHECKING:
    from twin.city import City

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]

NO_LIMIT = 2**30
RED, YELLOW, MINOR, MAJOR, UNSIGNALLED, STOP_LIGHT = 0, 1, 2, 3, 4, 5
LIGHT = {"r": RED, "u": RED, "y": YELLOW, "Y": YELLOW, "g": MINOR, "s": STOP_LIGHT, "G": MAJOR}


LANE_CONST = np.dtype(
    [
        ("street", "i4"),  # -1 for a waiting place
        ("place", "i4"),  # street, or streets + k for waiting place k: where room is awaited
        ("length", "f4"),  # m
        ("capacity", "i4"),  # cm that standing vehicles may take
        ("lag", "i4"),  # ticks from a departure until its place is free again
        ("link", "i4"),  # its links are link:link_end
        ("link_end", "i4"),
        ("ring", "i4"),  # its slots are ring:ring + size
        ("size", "i4"),
        ("classes", "i4"),  # bits of the classes that may enter
        ("short", "i4"),  # 1: who enters its street is on the lane that he needs
        ("up", "i4"),  # who comes to it from further up: upstream[up:up_end]
        ("up_end", "i4"),
    ]
)
LINK_CONST = np.dtype(
    [
        ("lane", "i4"),  # from
        ("street", "i4"),  # the street that it leads to
        ("into", "i4"),  # bits of the lanes of that street that it leads to
        ("inner", "i4"),  # cm on its way through the junction where a queue may stand
        ("wait", "i4"),  # waiting place that it enters, or -1
        ("turn", "i4"),  # pair of streets, position in Network.turns
        ("via", "i4"),  # ticks from the stop line to the next lane
        ("start", "i4"),  # ticks lost in getting away from a stand
        ("braking", "i4"),  # ticks of yellow in which a moving vehicle can't stop
        ("gap_moving", "i4"),  # gap accepted, ticks
        ("gap_standing", "i4"),
        ("yields", "i4"),  # those with right of way: foe[yields:yields_end]
        ("yields_end", "i4"),
        ("stop", "i4"),  # 1: everybody stands at a stop sign
        ("beside", "i4"),  # waiting places that may block it: sibling[beside:beside_end]
        ("beside_end", "i4"),
    ]
)
FOE = np.dtype(
    [
        ("link", "i4"),  # that has right of way
        ("lane", "i4"),  # from which it leads
        ("clear", "i4"),  # ticks for which a vehicle of it blocks the one who yields
        ("counts_on", "i4"),  # see parameters.IMPATIENT_S, ticks^2
        ("faster", "i4"),  # 1: who stood comes slower into its lane than it comes itself
    ]
)
SIBLING = np.dtype([("lane", "i4"), ("most", "i4")])  # blocked with more than `most` inside
UPSTREAM = np.dtype(
    [
        ("link", "i4"),
        ("lane", "i4"),  # from which that leads
        ("ticks", "i4"),  # from its stop line to that of the lane
        ("ahead", "i4"),  # streets between
    ]
)
DETECTOR = np.dtype(
    [
        ("lane", "i4"),
        # ticks of driving to the stop line, vehicles that stand before it, ticks in which the
        # wave of a departure comes through them: of the detector, and of a front whose rear is
        # on it
        ("ahead", "i4"),
        ("places", "i4"),
        ("wave", "i4"),
        ("ahead_left", "i4"),
        ("places_left", "i4"),
        ("wave_left", "i4"),
    ]
)
TYPE_CONST = np.dtype(
    [
        ("cm", "i4"),
        ("bit", "i4"),
        ("speed", "f4"),
        ("stopping", "i4"),  # ticks that a stop takes beside standing
    ]
)
Records = npt.NDArray[np.void]


class NetArrays(NamedTuple):
    """Constants of the kernel; ticks are those of the clock."""

    lane: Records  # LANE_CONST: the city's lanes, then waiting places
    link: Records  # LINK_CONST, sorted by lane
    link_street: I4  # [links] the street that each leads to, close together
    type: Records  # TYPE_CONST
    street_lane: I4  # [streets + 1] lanes of a street
    foe: Records  # FOE
    sibling: Records  # SIBLING
    upstream: Records  # UPSTREAM
    headway: I4  # [types, links] saturation headway, ticks
    entry_headway: I4  # [types, lanes]
    look: int  # ticks between two looks for a gap
    standing: int
    impatient: int  # ticks of waiting after which impatience is full
    seen: int  # ticks from which vehicles on streets further up are seen
    circle: int  # ticks that those who yield to each other in a circle stand
    relied: int  # ticks that others are relied on to brake for by whom it is full
    stop: int  # ticks at a stop light or sign
    follow: int  # follow-up time of vehicles that yielded, ticks
    line: int  # ticks from a stand to the stop line
    change_m: float  # on shorter streets nobody changes lanes
    jam: int  # ticks without room after which a vehicle is taken past the jam
    tps: int  # ticks per second


class SignalArrays(NamedTuple):
    """Programs of all signals."""

    phase: I4  # [signals + 1] rows of a signal
    duration: I4  # [rows] ticks
    light: npt.NDArray[np.uint8]  # [rows, most links of a signal]
    link: I4  # [signals + 1] into links
    links: I4  # kernel links of a signal, in the order of the columns of `light`
    offset: I4  # [signals] ticks
    cycle: I4  # [signals] ticks
    actuated: npt.NDArray[np.bool_]  # [signals]
    least: I4  # [rows] ticks that an actuated program stays in a row at least
    most: I4  # [rows] and at most
    extends: I4  # [rows + 1] into detectors
    detectors: I4  # those that extend a row
    detector: Records  # DETECTOR
    max_gap: int  # ticks without a vehicle after which a detector no longer extends
    detector_gap: int  # ticks in which a detected vehicle comes to the stop line


@dataclass(frozen=True)
class Network:
    """Arrays of the kernel and how they map to the city.

    Attributes
    ----------
    arrays, signals
        What the kernel reads.
    types
        Vehicle types; a vehicle's type is a position in it.
    turns
        [turns, 2] pairs (street, next street), sorted.
    turn_free_s, exit_free_s
        Seconds without traffic to pass a street and the turn; to pass a last street.
    turn_m
        Length of the path inside the junction.
    n_lanes
        Lanes of the city; waiting places have higher numbers.
    movement_link
        [movements] the link of the stop line that serves a movement of the city.
    walk_clearance_s
        [rows of the signals' programs] see `twin.traffic.junctions.walk_clearance_s`.
    """

    arrays: NetArrays
    signals: SignalArrays
    types: tuple[par.VehicleType, ...]
    turns: I4
    turn_free_s: F8
    turn_m: F8
    street_m: F8
    street_speed: F8
    exit_free_s: F8
    lane_speed: F8
    n_lanes: int
    movement_link: I4
    walk_clearance_s: F8
    signal_ids: tuple[str, ...]
    street_ids: tuple[str, ...]

    @property
    def n_streets(self) -> int:
        """How many streets."""
        return len(self.street_ids)

    @classmethod
    def from_city(
        cls,
        city: City,
        types: Sequence[par.VehicleType] = par.DEFAULT_TYPES,
        ticks_per_second: int = TICKS_PER_SECOND,
        jam_s: float | None = par.JAM_S,
    ) -> Network:
        """Flatten the city's tables.

        Parameters
        ----------
        jam_s
            Wait without room after which a vehicle is taken past the jam; None never does.

        Raises
        ------
        InputError
            If no street may be driven on, or more vehicle types than 250 are given.
        """
        if len(types) > 250:
            msg = f"{len(types)} vehicle types: the kernel holds 250, merge those that are alike"
            raise InputError(msg)
        if not len(city.streets):
            city.need_streets()
        if not bool((city.lanes["cars"] | city.lanes["lorries"] | city.lanes["buses"]).any()):
            msg = f"{city.name}: no street that vehicles may use; take an extract with roads"
            raise InputError(msg)
        from twin.traffic.building import Builder

        return Builder(city, tuple(types), ticks_per_second, jam_s).build()

    def turn_of(self, street: npt.ArrayLike, following: npt.ArrayLike) -> I4:
        """Turn number of pairs of streets, -1 where the city has no such movement."""
        n = self.n_streets
        keys = self.turns[:, 0].astype(np.int64) * n + self.turns[:, 1]
        wanted = np.asarray(street, np.int64) * n + np.asarray(following, np.int64)
        at = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
        if len(keys) == 0:
            return np.full(wanted.shape, -1, np.int32)
        found: I4 = np.where(keys[at] == wanted, at, -1).astype(np.int32)
        return found


def pointers(sorted_key: npt.NDArray[Any], n: int) -> I4:
    """Where the rows of each of n keys begin, and the end."""
    return np.searchsorted(sorted_key, np.arange(n + 1)).astype(np.int32)


def records(dtype: np.dtype[np.void], **columns: npt.ArrayLike) -> Records:
    """An array of records from its columns."""
    first = np.asarray(next(iter(columns.values())))
    rows = np.zeros(len(first), dtype)
    for name, values in columns.items():
        rows[name] = np.asarray(values)
    return rows
