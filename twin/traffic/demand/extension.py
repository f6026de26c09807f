"""What new quarters and events share: a place, its streets, and a layout that knows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.traffic.demand.generate import ORIGIN_BITS, Demand
from twin.traffic.demand.zones import Places, Zones
from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from twin.city import City

Floats = NDArray[np.float64]


def graph_of(city: City, kind: str) -> RoadGraph:
    """Return the graph of a vehicle type, `car` or `lorry`."""
    return RoadGraph.from_city(city, "cars" if kind == "car" else "lorries")


def extended(demand: Demand, zones: Zones, city: City, kind: str) -> tuple[Demand, str]:
    """Return the demand with more zones, and the key of a layout of a vehicle type with them all.

    Parameters
    ----------
    zones : those of the demand, and others behind them
    """
    base = demand.layouts[kind]
    streets = zones.cars if kind == "car" else zones.lorries
    behind = streets.part(base.zones, len(zones))
    first = demand.free_origin
    graph = graph_of(city, kind)
    layout = base.extended(graph, behind, first, demand.assumptions)
    check_origins(first + len(layout.origins))
    key = f"{kind} {first}"
    return replace(demand, zones=zones, layouts={**demand.layouts, key: layout}), key


def check_origins(used: int) -> None:
    """Refuse more origins than the ids of trips tell apart."""
    if used > 1 << ORIGIN_BITS:
        msg = f"changes of the demand need {used} origins, ids tell {1 << ORIGIN_BITS} apart"
        raise InputError(msg)


def check_place(name: str, where: BaseGeometry) -> None:
    """Refuse what is no valid place."""
    if where.is_empty or not where.is_valid or not np.isfinite(where.bounds).all():
        msg = f"{name!r}: its place is empty or no valid polygon or point; draw it anew"
        raise InputError(msg)


def check_near(name: str, places: Places, reach_m: float) -> None:
    """Refuse a place without streets."""
    if not len(places.street):
        msg = (
            f"{name!r}: no street for cars is inside or within {reach_m:g} m; is it in the city, "
            "and in metres of the city's CRS?"
        )
        raise InputError(msg)


def car_trips(demand: Demand) -> tuple[Floats, Floats]:
    """Return the car trips of a day that each zone sends and draws."""
    n = len(demand.zones)
    sent, drawn = np.zeros(n), np.zeros(n)
    for flow in demand.flows:
        if flow.vehicle_type == "car" and flow.window is None:
            trips, k = flow.made(), demand.layouts[flow.places].zones
            sent[:k] += trips[:k].sum(axis=1)
            drawn[:k] += trips[:, :k].sum(axis=0)
    return sent, drawn


def local_volumes(demand: Demand, kind: str) -> tuple[Floats, Floats]:
    """Return vehicles of a day that each entry and exit may carry for the map's zones."""
    gates = demand.entries, demand.exits
    into, out = ((g.cars if kind == "car" else g.lorries) * g.local for g in gates)
    return into, out
