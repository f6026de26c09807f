"""The demand that own matrices of trips state: no assumption but the hours of a whole day.

Trips start and end at streets of their zones: inside a polygon by length, else the nearest ones, as
those of zones that are made from buildings. A zone beyond the map is marked `external` in its file;
its trips come by the nearest gate that leads in and go by the nearest that leads out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.rows import shown
from twin.traffic.demand.assumptions import Assumptions
from twin.traffic.demand.departures import HOURS, PROFILES
from twin.traffic.demand.flows import Flow, Layout, timed_layout
from twin.traffic.demand.gates import Gates, find_gates
from twin.traffic.demand.generate import Demand, check_network, check_scale
from twin.traffic.demand.matrix_files import DAILY, MatrixFile, read_matrices
from twin.traffic.demand.zone_files import OwnZones, read_zones
from twin.traffic.demand.zones import Places, Zones, attach_areas, extent
from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    from twin.city import City

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

FIRST_NUMBER, LAST_NUMBER = 16, 126
MOST_TRIPS = 5e6  # a day: more than a city of three million people drives


class Group(NamedTuple):
    """What the trips of a flow have in common; shares by hour unless a profile tells them."""

    vehicle_class: str
    purpose: str
    profile: str
    shares: tuple[float, ...]


def from_matrices(
    city: City,
    zones_file: str | Path,
    matrices: Sequence[MatrixFile],
    *,
    id_column: str | None,
    assumptions: Assumptions,
    scale: float,
) -> Demand:
    """Return the demand of own matrices; see `Demand.from_matrices`."""
    check_scale(scale)
    graphs = {"car": RoadGraph.from_city(city), "lorry": RoadGraph.from_city(city, "lorries")}
    check_network(city, graphs["car"])
    own = read_zones(city, Path(zones_file), id_column)
    trips = _summed(matrices, own)
    entries, exits, unconnected = find_gates(city, graphs["car"], assumptions)
    reach = {"car": assumptions["zone_reach_m"], "lorry": np.inf}
    ends = {
        kind: _ends(city, own, graph, (entries, exits), assumptions, reach[kind])
        for kind, graph in graphs.items()
    }
    kept = np.all([np.diff(places.ptr) > 0 for places in ends["car"]], axis=0)
    _check_reached(own, kept, trips, reach["car"])
    layouts = {
        kind: _layout(graph, ends[kind], kept, (entries, exits), assumptions)
        for kind, graph in graphs.items()
    }
    notes = {
        "streets_outside_core": float(graphs["car"].n_streets - graphs["car"].core().sum()),
        "zones_without_street": float((~kept).sum()),
        "entries": float(len(entries)),
        "exits": float(len(exits)),
        "gates_not_connected": float(unconnected),
    }
    zones = _zones(own, kept, ends, assumptions)
    flows = _flows(trips, kept, layouts, city.name)
    return Demand(zones, entries, exits, layouts, flows, assumptions, scale, notes)


def _summed(matrices: Sequence[MatrixFile], own: OwnZones) -> dict[Group, Floats]:
    """Return the trips of all files, float64 [zones, zones], by what they have in common."""
    trips: dict[Group, Floats] = {}
    for stated in matrices:
        for key, matrix in read_matrices(stated, own).items():
            profile, shares = _departures(stated, key.hour, key.vehicle_class)
            group = Group(key.vehicle_class, key.purpose, profile, shares)
            trips[group] = trips[group] + matrix if group in trips else matrix
    total = sum(float(matrix.sum()) for matrix in trips.values())
    if total > MOST_TRIPS:
        names = ", ".join(Path(stated.file).name for stated in matrices)
        msg = (
            f"{shown(names)}: {total:,.0f} trips a day are more than the {MOST_TRIPS:,.0f} that a "
            "city makes; check that they are trips of one day, and by vehicle"
        )
        raise InputError(msg)
    return trips


def _departures(stated: MatrixFile, hour: int, kind: str) -> tuple[str, tuple[float, ...]]:
    """Return the profile of a matrix of a whole day, or else shares by hour."""
    hours = list(stated.stated_hours) if hour < 0 else [hour]
    if not hours:
        return stated.profile or DAILY[kind], ()
    shares = np.zeros(HOURS)
    shares[hours] = PROFILES[stated.profile][hours] if stated.profile else 1.0
    if not shares.any():
        name = Path(stated.file).name
        msg = f"{name}: nobody departs in the hours {hours} by the profile {stated.profile!r}"
        raise InputError(msg)
    return "", tuple((shares / shares.sum()).tolist())


def _ends(
    city: City,
    own: OwnZones,
    graph: RoadGraph,
    gates: tuple[Gates, Gates],
    assumptions: Mapping[str, float],
    reach_m: float,
) -> tuple[Places, Places]:
    """Return the streets on which trips of each zone start, and those on which they end."""
    core = graph.core()
    near = attach_areas(city, core, own.area, assumptions, reach_m)
    entries, exits = gates
    start = _at_gates(own, near, entries, graph.reaches(core)[entries.street])
    end = _at_gates(own, near, exits, graph.reached_from(core)[exits.street])
    return start, end


def _at_gates(own: OwnZones, near: Places, gates: Gates, useful: Bools) -> Places:
    """Return the places with those of external zones at the nearest useful gate."""
    import shapely
    from scipy.spatial import cKDTree

    beyond = np.flatnonzero(own.external)
    if not len(beyond):
        return near
    inner = ~own.external[near.rows()]
    place, street, share = near.rows()[inner], near.street[inner], near.share[inner]
    if useful.any():
        centre = shapely.centroid(own.area[beyond])
        tree = cKDTree(np.column_stack([gates.x, gates.y])[useful])
        _, found = tree.query(np.column_stack([shapely.get_x(centre), shapely.get_y(centre)]))
        place = np.concatenate([place, beyond])
        street = np.concatenate([street, gates.street[useful][found]])
        share = np.concatenate([share, np.ones(len(beyond))])
    return Places.of_rows(len(own), place, street, share)


def _check_reached(
    own: OwnZones, kept: Bools, trips: Mapping[Group, Floats], reach_m: float
) -> None:
    """Refuse trips of zones that have no street."""
    volume = sum((m.sum(axis=0) + m.sum(axis=1) for m in trips.values()), np.zeros(len(own)))
    lost = np.flatnonzero(~kept & (volume > 0.0))
    if len(lost):
        names = ", ".join(own.ids[k] for k in lost[:5]) + (", ..." if len(lost) > 5 else "")
        msg = (
            f"{own.name}: {len(lost)} zone(s) with trips have no street for cars inside or within "
            f"{reach_m:g} m, or no gate: {names}; mark zones beyond the map external, move or "
            "leave out the others"
        )
        raise InputError(msg)


def _layout(
    graph: RoadGraph,
    ends: tuple[Places, Places],
    kept: Bools,
    gates: tuple[Gates, Gates],
    assumptions: Mapping[str, float],
) -> Layout:
    """Return the places of a vehicle class; no zones where it cannot reach them all."""
    start, end = (places.chosen(kept) for places in ends)
    if np.any(np.diff(start.ptr) == 0) or np.any(np.diff(end.ptr) == 0):
        start, end = start.part(0, 0), end.part(0, 0)
    origins, destinations = start.joined(gates[0].street), end.joined(gates[1].street)
    return timed_layout(graph, origins, destinations, len(start), assumptions)


def _zones(
    own: OwnZones,
    kept: Bools,
    ends: Mapping[str, tuple[Places, Places]],
    assumptions: Mapping[str, float],
) -> Zones:
    import shapely

    centre = shapely.centroid(own.area[kept])
    x, y, inner = shapely.get_x(centre), shapely.get_y(centre), ~own.external[kept]
    return Zones(
        x=x,
        y=y,
        residents=own.residents[kept],
        jobs=own.jobs[kept],
        education=np.zeros(len(x)),
        shopping=np.zeros(len(x)),
        leisure=np.zeros(len(x)),
        cars=ends["car"][0].chosen(kept),
        lorries=ends["lorry"][0].chosen(kept),
        extent_m=extent(x[inner], y[inner], assumptions["zone_size_m"]),
        dropped=int((~kept).sum()),
        label=tuple(name for name, used in zip(own.ids, kept, strict=True) if used),
        area=own.area[kept],
    )


def _flows(
    trips: Mapping[Group, Floats], kept: Bools, layouts: Mapping[str, Layout], city: str
) -> tuple[Flow, ...]:
    """Return a flow for each group; those of single hours share a number, as hours part the ids."""
    slots = sorted({_slot(group) for group in trips})
    if len(slots) > LAST_NUMBER - FIRST_NUMBER + 1:
        msg = f"matrices have {len(slots)} purposes, classes and profiles; ids tell 111 apart"
        raise InputError(msg)
    flows = []
    for group, matrix in sorted(trips.items()):
        layout = layouts[group.vehicle_class]
        n = layout.zones
        if n < int(kept.sum()) and matrix.any():
            msg = f"city {city!r} has no street for a {group.vehicle_class} near some zones"
            raise InputError(msg)
        placed = np.zeros(layout.minutes.shape)
        placed[:n, :n] = matrix[np.ix_(kept, kept)][:n, :n]
        number = FIRST_NUMBER + slots.index(_slot(group))
        hours = np.array(group.shares) if group.shares else None
        flow = Flow(number, group.purpose, group.vehicle_class, group.profile, placed, hours=hours)
        flows.append(flow)
    return tuple(flows)


def _slot(group: Group) -> Group:
    single = group.shares and max(group.shares) == 1.0
    return group._replace(shares=()) if single else group
