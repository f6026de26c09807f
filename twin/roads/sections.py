"""Streets cut into sections of pavement: junction to junction, at most about 100 m long.

The city's streets are directed; the two directions of one carriageway are one pavement.  They are
found by their ends and by the same line, or the same OSM way and length; the lanes of a dual
carriageway, which have junctions of their own, stay apart.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.roads.state import F8, I8

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from shapely import LineString

    from twin.city import City

Bools = npt.NDArray[np.bool_]

LONGEST_M = 100.0
SAME_LENGTH = 0.1  # by which the two directions of a carriageway may differ in length
ARTERIAL = ("motorway", "trunk", "primary", "secondary")
COLLECTOR = ("tertiary", "unclassified")
SHORTEST_M = 5.0
COLUMNS = (
    "id", "street", "back", "begin_m", "end_m", "class", "lanes", "length_m", "area_m2", "name",
    "highway", "geometry",
)  # fmt: skip


def road_class(highway: str) -> int:
    """Class of a pavement by OSM's highway: 0 residential, 1 collector, 2 arterial."""
    kind = highway.removesuffix("_link")
    return 2 if kind in ARTERIAL else 1 if kind in COLLECTOR else 0


def make_sections(city: City, longest_m: float = LONGEST_M) -> gpd.GeoDataFrame:
    """Return the sections of a city: its pavements, junction to junction, in equal pieces.

    Streets shorter than `SHORTEST_M` lie inside junctions and are nobody's site: they are left out.

    Returns
    -------
    GeoDataFrame
        id (id of the street and number of the piece), street and back (positions of the streets
        of both directions, -1 for none), begin_m and end_m along the street, class (0
        residential, 1 collector, 2 arterial), lanes (both directions), length_m, area_m2 (width
        of all lanes times length), name, highway, geometry.

    Raises
    ------
    InputError
        Where the longest section is not longer than a metre, or the city has no street for cars.
    """
    import geopandas as gpd
    from shapely.ops import substring

    if not longest_m > 1.0:
        msg = f"longest_m(={longest_m}) of a section must be more than 1 m"
        raise InputError(msg)
    streets = city.streets
    drivable = streets["cars"].to_numpy() | streets["lorries"].to_numpy()
    if not (drivable & (streets["length_m"].to_numpy(float) >= SHORTEST_M)).any():
        msg = f"the city {city.name} has no street for cars; there is no pavement to keep"
        raise InputError(msg)
    back = opposite(streets)
    first = drivable & ((back < 0) | (np.arange(len(streets)) < back))
    first &= streets["length_m"].to_numpy(float) >= SHORTEST_M
    width = np.bincount(city.lanes["street"], weights=city.lanes["width_m"], minlength=len(streets))
    rows = []
    for s in np.flatnonzero(first):
        street, other = streets.iloc[int(s)], int(back[s])
        line: LineString = street.geometry
        pieces = max(1, int(np.ceil(street["length_m"] / longest_m - 1e-9)))
        across = width[s] + (width[other] if other >= 0 else 0.0)
        lanes = int(street["lanes"]) + (int(streets["lanes"].iloc[other]) if other >= 0 else 0)
        length = float(street["length_m"]) / pieces
        for k in range(pieces):
            piece = substring(line, k / pieces, (k + 1) / pieces, normalized=True)
            rows.append(
                (
                    f"{street['id']}:{k}", int(s), other, k * length, (k + 1) * length,
                    road_class(street["highway"]), lanes, length, across * length, street["name"],
                    street["highway"], piece,
                )
            )  # fmt: skip
    return gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry="geometry", crs=city.crs)


def opposite(streets: pd.DataFrame) -> I8:
    """Position of the other direction of each street, -1 where there is none."""
    back = np.full(len(streets), -1, np.int64)
    begin, end = (streets[c].to_numpy() for c in ("from_junction", "to_junction"))
    length = streets["length_m"].to_numpy(float)
    ways = streets["osm_id"].to_numpy()
    lines = [tuple(line.coords) for line in streets["geometry"]]
    by_ends: dict[tuple[int, int], list[int]] = {}
    for s, ends in enumerate(zip(begin, end, strict=True)):
        by_ends.setdefault(ends, []).append(s)
    for s in range(len(streets)):
        if back[s] >= 0 or begin[s] == end[s]:
            continue
        fits = [
            t
            for t in by_ends.get((end[s], begin[s]), ())
            if back[t] < 0
            and (
                lines[s] == lines[t][::-1]
                or (_same_way(ways[s], ways[t]) and _same_length(length[s], length[t]))
            )
        ]
        if fits:
            best = min(fits, key=lambda t: (lines[s] != lines[t][::-1], abs(length[s] - length[t])))
            back[s], back[best] = best, s
    return back


def _same_length(one: float, other: float) -> bool:
    return bool(abs(one - other) <= SAME_LENGTH * max(one, other, 10.0))


def _same_way(one: str, other: str) -> bool:
    """Whether two streets come from one way of OSM, or nobody knows."""
    ways = [{w.lstrip("-") for w in text.split(";") if w} for text in (one, other)]
    return not ways[0] or not ways[1] or bool(ways[0] & ways[1])


def make_tour(city: City, sections: gpd.GeoDataFrame) -> tuple[I8, F8]:
    """Way of a camera through the city that passes every section.

    At a junction the vehicle goes on by a street that has not been passed; where there is none,
    it drives the shortest way to the nearest one that has not.  One direction of a carriageway
    sees both.

    Returns
    -------
    Sections in the order of the first pass, and the kilometres driven when each has been passed,
    ways between included.
    """
    streets = city.streets
    begin, end = (streets[c].to_numpy() for c in ("from_junction", "to_junction"))
    length = streets["length_m"].to_numpy(float)
    pieces: dict[int, list[int]] = {}
    for k, (street, back) in enumerate(zip(sections["street"], sections["back"], strict=True)):
        pieces.setdefault(int(street), []).append(k)
        if back >= 0:
            pieces.setdefault(int(back), []).insert(0, k)
    leaving: dict[int, list[int]] = {}
    for s in sorted(pieces):
        leaving.setdefault(int(begin[s]), []).append(s)
    passed = np.zeros(len(sections), bool)
    order: list[int] = []
    at_m: list[float] = []
    here, driven = int(begin[min(pieces)]), 0.0
    while len(order) < len(sections):
        way = _nearest(here, leaving, pieces, passed, (begin, end), length)
        if way is None:  # no street leads on: begin anew where one has not been passed
            here = int(begin[int(sections["street"].iloc[int(np.argmin(passed))])])
            continue
        for s in way:
            for k in pieces[s]:
                driven += length[s] / len(pieces[s])
                if not passed[k]:
                    passed[k] = True
                    order.append(k)
                    at_m.append(driven)
            here = int(end[s])
    return np.array(order), np.array(at_m) / 1000.0


def _nearest(
    here: int,
    leaving: dict[int, list[int]],
    pieces: dict[int, list[int]],
    passed: Bools,
    ends: tuple[I8, I8],
    length: F8,
) -> list[int] | None:
    """Streets to drive from a junction up to and over the nearest that has not been passed."""
    begin, end = ends
    queue: list[tuple[float, int, int]] = [(0.0, here, -1)]
    came: dict[int, int] = {}
    while queue:
        metres, junction, by = heapq.heappop(queue)
        if junction in came:
            continue
        came[junction] = by
        for s in leaving.get(junction, ()):
            if not all(passed[k] for k in pieces[s]):
                way = [s]
                while by >= 0:
                    way.append(by)
                    by = came[int(begin[by])]
                return way[::-1]
            heapq.heappush(queue, (metres + length[s], int(end[s]), s))
    return None
