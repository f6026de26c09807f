"""Stops of SUMO's vehicles: at bus stops of additional files, or at a place of a lane."""

from __future__ import annotations

import math
from typing import NamedTuple

from twin.errors import InputError
from twin.traffic.sumo_values import Attributes, number, seconds

PLACES = ("busStop", "trainStop", "containerStop", "chargingStation", "parkingArea")


class Place(NamedTuple):
    """A bus stop or the like: its edge, and where a vehicle's front stands (NaN: at its end)."""

    edge: str
    end_m: float


class StopAt(NamedTuple):
    """A stop of a vehicle.

    `place` is the id of a Place until it is resolved, else "".  `until_s` is a time of the
    simulation for a vehicle that departs at `since_s`, and later for one that departs later;
    where `since_s` is NaN it is the same for all.
    """

    place: str
    edge: str
    end_m: float
    dwell_s: float
    until_s: float
    since_s: float
    where: str


def read_place(given: Attributes, where: str) -> Place:
    """A bus stop of an additional file."""
    lane = given.get("lane", "")
    if "_" not in lane:
        msg = f"{where} {given.get('id', '')!r}: lane={lane!r} is no lane; give EDGE_INDEX"
        raise InputError(msg)
    return Place(lane.rpartition("_")[0], number(given, "endPos", math.nan, where, least=-math.inf))


def read_stop(given: Attributes, where: str, since_s: float) -> StopAt:
    """A <stop> of a vehicle, trip, flow or route."""
    place = next((given[name] for name in PLACES if name in given), "")
    lane = given.get("lane", "")
    edge = given.get("edge", lane.rpartition("_")[0])
    if not place and not edge:
        msg = f"{where}: a stop has neither busStop nor lane nor edge; give one of them"
        raise InputError(msg)
    return StopAt(
        place,
        edge,
        number(given, "endPos", math.nan, where, least=-math.inf),
        seconds(given.get("duration", "0"), f"{where} duration of a stop"),
        seconds(given.get("until", "0"), f"{where} until of a stop"),
        since_s,
        where,
    )


def resolved(stop: StopAt, places: dict[str, Place]) -> StopAt:
    """The stop with the edge of its place.

    Raises
    ------
    InputError
        If the place is not defined.
    """
    if not stop.place:
        return stop
    place = places.get(stop.place)
    if place is None:
        msg = f"{stop.where}: stop {stop.place!r} is not defined; give its additional file"
        raise InputError(msg)
    return stop._replace(place="", edge=place.edge, end_m=place.end_m)
