"""Changes of a demand: parts of it scaled, new quarters, events, buses at stated headways.

Each returns a new demand. Trips that are not meant stay the same, to the second, for the same seed:
new trips have ids of their own, and a part that shrinks loses trips and changes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError, check_number
from twin.suggest import suggestion
from twin.traffic.demand.developments import Development, with_development
from twin.traffic.demand.events import Event, with_event
from twin.traffic.demand.extension import check_origins
from twin.traffic.demand.flows import Layout
from twin.traffic.demand.generate import Demand
from twin.traffic.demand.lines import check_headways

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from twin.city import City

__all__ = [
    "Development",
    "Event",
    "scaled_part",
    "with_development",
    "with_event",
    "with_headways",
]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

Direction = Literal["from", "to", "both"]


def scaled_part(
    demand: Demand,
    factor: float,
    *,
    purpose: str | None = None,
    vehicle_type: str | None = None,
    zones: Bools | None = None,
    within: BaseGeometry | None = None,
    direction: Direction = "both",
) -> Demand:
    """Return the demand with a part of it times a factor.

    With a factor below 1 the trips of a seed are among those that were; with one above 1 they are
    all there, and others besides.

    Parameters
    ----------
    factor : >= 0; work times 0.8 is a fifth that stays at home
    purpose : trips of this purpose, ways back home from it included
    vehicle_type : `car` or `lorry`
    zones : bool [zones], those that are meant
    within : polygon in the city's CRS, instead of `zones`: those whose centre lies within
    direction : trips that start in the zones, that end there, or either

    Raises
    ------
    InputError : the factor is negative, no trip has such a purpose or vehicle, the direction is
        unknown, or no zone is meant
    """
    check_number("factor of a part of the demand", factor, 0.0, 1000.0)
    if direction not in ("from", "to", "both"):
        msg = f"direction(={direction!r}) must be from, to or both"
        raise InputError(msg)
    _check_known("purpose", purpose, {flow.activity for flow in demand.flows})
    _check_known("vehicle type", vehicle_type, {flow.vehicle_type for flow in demand.flows})
    meant = _meant(demand, zones, within)
    if factor == 1.0:
        return demand
    layouts, flows = dict(demand.layouts), []
    added: dict[str, str] = {}
    free = demand.free_origin
    for flow in demand.flows:
        if purpose not in (None, flow.activity) or vehicle_type not in (None, flow.vehicle_type):
            flows.append(flow)
            continue
        layout = demand.layouts[flow.places]
        touched = _touched(layout, meant, direction)
        if factor <= 1.0:
            part = np.where(touched, factor, 1.0)
            flows.append(replace(flow, keep=part if flow.keep is None else part * flow.keep))
            continue
        if flow.places not in added:
            added[flow.places] = f"{flow.vehicle_type} {free}"
            layouts[added[flow.places]] = replace(layout, first=free)
            free += len(layout.origins)
        more = (factor - 1.0) * flow.made() * touched
        flows += [flow, replace(flow, trips=more, keep=None, layout=added[flow.places])]
    check_origins(free)
    return replace(demand, flows=tuple(flows), layouts=layouts)


def with_headways(demand: Demand, city: City, headways: Mapping[str, float]) -> Demand:
    """Return the demand with buses of some lines at stated headways, minutes; 0 stops a line.

    The headway holds in each hour in which such a line runs. What was stated before and is not
    stated anew stays.

    Raises
    ------
    InputError : a line is unknown, or a headway is neither 0 nor from half a minute to a day
    """
    check_headways(city.lines, headways)
    return replace(demand, headways={**demand.headways, **headways})


def _check_known(what: str, value: str | None, known: set[str]) -> None:
    if value is not None and value not in known:
        msg = f"no trip has the {what} {value!r}; {suggestion(value, sorted(known))}"
        raise InputError(msg)


def _meant(demand: Demand, zones: Bools | None, within: BaseGeometry | None) -> Bools | None:
    """Return which zones are meant, None if all trips are."""
    if within is not None:
        import shapely

        zones = shapely.contains_xy(within, demand.zones.x, demand.zones.y)
    if zones is None:
        return None
    mask: Bools = np.asarray(zones, dtype=bool)
    if mask.shape != (len(demand.zones),):
        msg = f"zones of shape {mask.shape} do not fit the {len(demand.zones)} zones of the demand"
        raise InputError(msg)
    if not mask.any():
        msg = "a part of the demand is of no zone: no zone's centre lies within; enlarge the area"
        raise InputError(msg)
    return mask


def _touched(layout: Layout, meant: Bools | None, direction: str) -> Bools:
    """Return which pairs of places are meant, in the shape of trips."""
    if meant is None:
        return np.ones(layout.minutes.shape, dtype=bool)
    start, end = np.zeros(len(layout.origins), bool), np.zeros(len(layout.destinations), bool)
    start[: layout.zones] = meant[: layout.zones] & (direction != "to")
    end[: layout.zones] = meant[: layout.zones] & (direction != "from")
    return np.asarray(start[:, None] | end[None, :])
