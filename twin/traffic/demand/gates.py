"""Gates: the streets by which traffic enters and leaves the map, and how much of it.

Where a road crosses the edge of the map it ends at a junction to which nothing else leads. A cul-de
-sac inside looks alike, so a minor street is a gate only near the edge, and a major road, which
does not end nowhere, always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.traffic.demand.zones import FAST
from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    from twin.city import City

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

MAJOR = (*FAST, "primary", "primary_link", "secondary", "secondary_link", "tertiary")
CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
    "living_street", "service",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gates:
    """Streets that lead into or out of the map.

    Parameters
    ----------
    street : int32 [gates]
    junction : int32 [gates], the junction at the edge of the map
    x, y : where it is, m in the city's CRS
    cars, lorries : vehicles per day that the road carries, through traffic included
    local : largest share of them that starts or ends in the map's zones
    motorway : whether it is a motorway or its ramp
    """

    street: NDArray[np.int32]
    junction: NDArray[np.int32]
    x: Floats
    y: Floats
    cars: Floats
    lorries: Floats
    local: Floats
    motorway: Bools

    def __len__(self) -> int:
        return len(self.street)


def find_gates(
    city: City, cars: RoadGraph, assumptions: Mapping[str, float]
) -> tuple[Gates, Gates, int]:
    """Return entries, exits and how many of them have no way to or from the core of the network.

    Such a gate serves through traffic alone, as does a motorway that meets the map but no ramp.
    """
    streets = city.streets
    heads, tails = streets["from_junction"].to_numpy(), streets["to_junction"].to_numpy()
    entering, leaving = _at_edge(city, heads, tails, assumptions)
    entries = _gates(city, entering, heads, assumptions)
    exits = _gates(city, leaving, tails, assumptions)
    core = cars.core()
    apart = np.sum(~cars.reaches(core)[entries.street])
    apart += np.sum(~cars.reached_from(core)[exits.street])
    return entries, exits, int(apart)


def volume(city: City, assumptions: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return vehicles per day and the share of lorries on each street, were it a gate."""
    streets = city.streets
    highway = streets["highway"].astype(str)
    base = highway.str.removesuffix("_link")
    per_lane = {name: assumptions[f"gate_{name}"] for name in CLASSES}
    daily = base.map(per_lane).fillna(assumptions["gate_unknown"]).to_numpy(dtype=np.float64)
    daily = daily * streets["lanes"].to_numpy()
    daily[highway.str.endswith("_link").to_numpy()] *= assumptions["gate_link_share"]
    shares = {name: assumptions[f"lorry_share_{name}"] for name in CLASSES[:3]}
    share = base.map(shares).fillna(assumptions["lorry_share_minor"])
    return daily, share.to_numpy(dtype=np.float64)


def _at_edge(
    city: City,
    heads: NDArray[np.int32],
    tails: NDArray[np.int32],
    assumptions: Mapping[str, float],
) -> tuple[Bools, Bools]:
    """Return which streets enter and which leave the map."""
    n, index = len(city.junctions), np.arange(len(heads))
    ways_in, ways_out = np.bincount(tails, minlength=n), np.bincount(heads, minlength=n)
    street_in, street_out = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    street_in[tails], street_out[heads] = index, index
    turning = (ways_in == 1) & (ways_out == 1) & (heads[street_in] == tails[street_out])
    outer = _near_edge(city, assumptions["gate_edge_m"])
    major = city.streets["highway"].isin(MAJOR).to_numpy()
    entering = (turning | (ways_in == 0))[heads] & (major | outer[heads])
    leaving = (turning | (ways_out == 0))[tails] & (major | outer[tails])
    return entering, leaving


def _near_edge(city: City, distance_m: float) -> Bools:
    """Return which junctions lie near the convex hull of all of them."""
    import shapely

    points = city.junctions.geometry
    edge = shapely.convex_hull(shapely.multipoints(shapely.get_coordinates(points))).boundary
    return np.asarray(shapely.distance(points.to_numpy(), edge) <= distance_m)


def _gates(
    city: City, chosen: Bools, junction: NDArray[np.int32], assumptions: Mapping[str, float]
) -> Gates:
    daily, lorry_share = volume(city, assumptions)
    streets = city.streets
    index = np.flatnonzero(chosen & streets["cars"].to_numpy())
    lorry_share = np.where(streets["lorries"].to_numpy(), lorry_share, 0.0)[index]
    points = city.junctions.geometry.iloc[junction[index]]
    base = streets["highway"].iloc[index].astype(str).str.removesuffix("_link")
    local = {name: assumptions[f"local_share_{name}"] for name in ("motorway", "trunk")}
    return Gates(
        street=index.astype(np.int32),
        junction=junction[index].astype(np.int32),
        x=points.x.to_numpy(),
        y=points.y.to_numpy(),
        cars=daily[index] * (1.0 - lorry_share),
        lorries=daily[index] * lorry_share,
        local=base.map(local).fillna(1.0).to_numpy(dtype=np.float64),
        motorway=(base == "motorway").to_numpy(),
    )
