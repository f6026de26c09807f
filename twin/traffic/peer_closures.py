"""SUMO's vehicles where streets are closed: their ways around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.traffic.preparation import GRAPH_OF
from twin.traffic.routing import RoadGraph, TravelTimes, shortest_routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twin.city import City
    from twin.traffic.peer import PeerFlow
    from twin.traffic.sumo_routes import RouteFiles

Bools = npt.NDArray[np.bool_]
LEFT_OUT = "begin, end or have no way but on a closed street"


def around(
    city: City, found: RouteFiles, flow: PeerFlow, closed: Sequence[int]
) -> tuple[RouteFiles, dict[str, tuple[str, ...]]]:
    """Vehicles with ways that enter no closed street.

    Everyone knows of the closure and takes, from the first to the last street, the way that is
    fastest without traffic; the others keep theirs.

    Parameters
    ----------
    flow
        The same vehicles, all with a route.
    closed
        Positions of streets.

    Returns
    -------
    The vehicles, all with a route, those left out counted in `skipped`; and the ways of those
    who have a new one, or had none in the files, () for those left out.

    Raises
    ------
    InputError
        If nobody is left.
    """
    shut = np.zeros(len(city.streets), bool)
    shut[list(closed)] = True
    ids = city.streets["id"].to_numpy()
    v, street = flow.state.vehicle, flow.state.route_street
    usual = [street[a:b] for a, b in zip(v["route"], v["route_end"], strict=True)]
    meets = np.flatnonzero([bool(shut[way].any()) for way in usual])
    ways = dict(enumerate(usual))
    ways.update(_detours(city, flow, meets, usual, shut))
    names = [tuple(ids[ways[k]]) for k in range(len(usual))]
    kept = [
        due._replace(way=way, routed=True)
        for due, way in zip(found.vehicles, names, strict=True)
        if way
    ]
    asked = set(meets.tolist()) | {k for k, due in enumerate(found.vehicles) if not due.routed}
    new = {found.vehicles[k].id: names[k] for k in sorted(asked)}
    if not kept:
        msg = f"all vehicles {LEFT_OUT}: close fewer streets"
        raise InputError(msg)
    gone = {LEFT_OUT: len(found.vehicles) - len(kept)}
    return replace(found, vehicles=kept, skipped={**found.skipped, **gone}), new


def _detours(
    city: City,
    flow: PeerFlow,
    meets: npt.NDArray[np.int64],
    usual: list[npt.NDArray[np.int32]],
    shut: Bools,
) -> dict[int, npt.NDArray[np.int32]]:
    """Ways of those who meet a closure; empty where there is none."""
    found: dict[int, npt.NDArray[np.int32]] = {}
    v = flow.state.vehicle
    for kind, vehicle_type in enumerate(flow.network.types):
        mine = meets[v["type"][meets] == kind]
        if not len(mine):
            continue
        graph = RoadGraph.from_city(city, GRAPH_OF[vehicle_type.vehicle_class])
        start = np.array([usual[k][0] for k in mine])
        goal = np.array([usual[k][-1] for k in mine])
        routes = shortest_routes(
            graph, TravelTimes.free(graph), start, goal, np.zeros(len(mine)), blocked=shut
        )
        for at, k in enumerate(mine.tolist()):
            way = routes.street[routes.ptr[at] : routes.ptr[at + 1]]
            found[k] = way[:0] if shut[way].any() else way
    return found
