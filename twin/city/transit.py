"""Bus stops and bus lines of OpenStreetMap, as netconvert lays them on the streets.

Netconvert finds the edges of a line and the lane of each stop (`--ptline-output`,
`--ptstop-output`). Here that becomes tables: what it left unconnected is joined by the
fastest way over streets open to buses, and what cannot be driven is left out and counted.
Trams and trains are left out: they do not queue with the cars of a lane.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import unescape

import numpy as np

from twin.city import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import osmium
    import pandas as pd
    import pyproj

_log = logging.getLogger(__name__)

BUS_ROUTES = ("bus", "trolleybus")
"""Values of a route relation's `route` tag whose vehicles drive among the cars."""

DIRECTIONS = ("forward", "backward", "route")
"""Roles of a relation's ways that older mapping uses; netconvert reads ways without a role."""

DETOUR, DETOUR_M = 2.0, 500.0
"""A gap is closed by a way of at most so many times its straight distance, and so much more."""

TABLES = ("stops", "lines", "line_streets", "line_stops")

_QUOTES = {"&quot;": '"', "&apos;": "'"}


class Line(NamedTuple):
    """A line as netconvert wrote it."""

    id: str
    ref: str
    name: str
    type: str
    edges: list[str]
    stops: list[str]
    whole: tuple[bool, bool]


@dataclass(frozen=True)
class Transit:
    """Tables of stops and lines, and what was left out of them, by name."""

    tables: dict[str, pd.DataFrame]
    notes: dict[str, int]


def is_bus_route(tags: osmium.osm.TagList) -> bool:
    """Return whether tags are those of a bus line with fixed ways and times."""
    return (
        tags.get("type") == "route"
        and tags.get("route") in BUS_ROUTES
        and tags.get("on_demand", "no") == "no"
    )


def without_directions(relation: osmium.osm.Relation) -> Any:
    """Return a relation whose ways have no role, so that netconvert reads them all."""
    members = [
        (m.type, m.ref, "" if m.type == "w" and m.role.strip() in DIRECTIONS else m.role)
        for m in relation.members
    ]
    return relation.replace(members=members)


def headways(file: Path) -> dict[str, float]:
    """Return the headway in seconds of each bus line that has an `interval` tag."""
    import osmium

    found = {}
    for item in osmium.FileProcessor(str(file), osmium.osm.RELATION):
        if isinstance(item, osmium.osm.Relation) and is_bus_route(item.tags):
            seconds = interval_s(item.tags.get("interval") or "")
            if seconds > 0.0:
                found[str(item.id)] = seconds
    return found


def interval_s(text: str) -> float:
    """Return an `interval` tag in seconds: minutes, HH:MM or HH:MM:SS; 0 where it is neither."""
    if re.fullmatch(r"\d{1,4}", text):
        return 60.0 * int(text)
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?", text)
    if match is None:
        return 0.0
    return 3600.0 * int(match[1]) + 60.0 * int(match[2]) + float(match[3] or 0)


def read_transit(
    stops: Path,
    lines: Path,
    tables: dict[str, pd.DataFrame],
    crs: pyproj.CRS,
    headway_s: dict[str, float],
) -> Transit:
    """Return the stops and lines of two files that netconvert wrote.

    Parameters
    ----------
    stops, lines
        Its outputs of public transport stops and lines.
    tables
        The street tables that the same run made.
    crs
        Their CRS.
    headway_s
        Seconds between two buses, by line, where the source says so.

    Returns
    -------
    The four tables of `TABLES`: a stop that no line serves is left out, and so is a line
    without a way of two streets and a stop on it. `line_stops.at` counts the streets of
    the line up to the stop's.
    """
    reader = _Reader(tables)
    reader.read_stops(stops)
    for line in _lines(lines):
        reader.add(line, headway_s.get(line.id, 0.0))
    made = {name: schema.build(name, columns, crs) for name, columns in reader.columns().items()}
    for name, count in reader.notes.items():
        _log.info("public transport: %s: %d", name, count)
    return Transit(made, reader.notes)


def _elements(file: Path, tag: str) -> Iterator[Any]:
    from xml.etree import ElementTree as ET

    for _, element in ET.iterparse(file):  # noqa: S314 - netconvert wrote it just now
        if element.tag == tag:
            yield element


def _lines(file: Path) -> Iterator[Line]:
    """Yield the bus lines in the order of their ids."""
    found = []
    for element in _elements(file, "ptLine"):
        a = element.attrib
        if a.get("type") not in BUS_ROUTES:
            continue
        route = element.find("route")
        found.append(
            Line(
                a["id"],
                unescape(a.get("line", ""), _QUOTES),
                unescape(a.get("name", ""), _QUOTES),
                a["type"],
                [] if route is None else route.get("edges", "").split(),
                [stop.get("id", "") for stop in element.findall("busStop")],
                ("missingBefore" not in a, "missingAfter" not in a),
            )
        )
    yield from sorted(found)


class _Reader:
    """Collects stops and lines over given streets."""

    def __init__(self, tables: dict[str, pd.DataFrame]) -> None:
        streets, lanes = tables["streets"], tables["lanes"]
        self.streets = streets
        self.street_of = {name: row for row, name in enumerate(streets["id"])}
        self.lanes = lanes
        usable = np.flatnonzero(lanes["buses"].to_numpy())
        self.lane_of = dict(zip(lanes["id"].iloc[usable], usable.tolist(), strict=True))
        outwards = usable[::-1]  # the rightmost lane of a street comes last
        street = lanes["street"].to_numpy()[outwards]
        self.right = dict(zip(street.tolist(), outwards.tolist(), strict=True))
        self.buses = streets["buses"].to_numpy()
        self.ways = _Ways(tables)
        self.stops: dict[str, tuple[str, int, float]] = {}
        self.rows: list[tuple[Line, float, list[int], list[tuple[str, int]]]] = []
        self.notes = dict.fromkeys(
            ("lines", "lines left out", "gaps closed", "lines cut at a gap", "stops off the way"), 0
        )

    def read_stops(self, file: Path) -> None:
        """Take in the stops that lie on a lane open to buses."""
        length = self.lanes["length_m"].to_numpy()
        for element in _elements(file, "busStop"):
            a = element.attrib
            lane = self.lane_of.get(a["lane"])
            if lane is None:
                street = self.street_of.get(a["lane"].rpartition("_")[0], -1)
                lane = self.right.get(street)
            if lane is not None:
                at = min(max(float(a["endPos"]), 0.0), float(length[lane]))
                self.stops[a["id"]] = unescape(a.get("name", ""), _QUOTES), lane, at

    def add(self, line: Line, headway_s: float) -> None:
        """Take in a line, if it can be driven and serves a stop."""
        route = [self.street_of[e] for e in line.edges if e in self.street_of]
        if not route:
            lanes = [self.stops[s][1] for s in line.stops if s in self.stops]
            route = self.lanes["street"].to_numpy()[lanes].tolist()
        parts, closed = self.ways.connected([s for s in route if self.buses[s]])
        fitted = [self._fit(line, part) for part in parts]
        best = max(fitted, key=lambda fit: (len(fit[1]), len(fit[0])), default=([], []))
        if len(best[0]) < 2 or not best[1]:
            self.notes["lines left out"] += 1
            return
        self.notes["lines"] += 1
        self.notes["gaps closed"] += closed
        self.notes["lines cut at a gap"] += len(parts) > 1
        self.notes["stops off the way"] += len(line.stops) - len(best[1])
        self.rows.append((line, headway_s, *best))

    def _fit(self, line: Line, route: list[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """Return a route from first to last stop, where the line has those, and its stops.

        They are served in the order of the way, whatever that of the relation; one that is
        named twice at two visits.
        """
        street = self.lanes["street"].to_numpy()
        visits: dict[int, list[int]] = {}
        for k, passed in enumerate(route):
            visits.setdefault(passed, []).append(k)
        named: dict[str, int] = {}
        served = []
        for name in line.stops:
            if name not in self.stops:
                continue
            _, lane, metres = self.stops[name]
            which = visits.get(int(street[lane]), [])
            if named.setdefault(name, 0) < len(which):
                served.append((which[named[name]], metres, name))
                named[name] += 1
        if not served:
            return [], []
        served.sort()
        first = served[0][0] if line.whole[0] else 0
        last = served[-1][0] if line.whole[1] else len(route) - 1
        return route[first : last + 1], [(name, k - first) for k, _, name in served]

    def columns(self) -> dict[str, dict[str, Any]]:
        """Return the columns of every table."""
        import shapely

        from twin.city.network import lines as linestrings

        used = sorted({name for *_, served in self.rows for name, _ in served})
        row_of = {name: row for row, name in enumerate(used)}
        places = [self.stops[name] for name in used]
        metres = np.array([place[2] for place in places], float)
        lane = np.array([place[1] for place in places], np.int32)
        length = self.lanes["length_m"].to_numpy()[lane]
        shapes = self.lanes.geometry.to_numpy()[lane]
        share = metres / np.maximum(length, 1e-9)
        coords = [list(g.coords) for g in self.streets.geometry] if self.rows else []
        ways = [[p for s in route for p in coords[s]] for _, _, route, _ in self.rows]
        first = [row[0] for row in self.rows]
        return {
            "stops": {
                "id": used,
                "name": [place[0] for place in places],
                "street": self.lanes["street"].to_numpy()[lane],
                "lane": lane,
                "position_m": metres,
                "geometry": shapely.line_interpolate_point(shapes, share, normalized=True),
            },
            "lines": {
                "id": [line.id for line in first],
                "ref": [line.ref for line in first],
                "name": [line.name for line in first],
                "type": [line.type for line in first],
                "headway_s": [row[1] for row in self.rows],
                "geometry": linestrings(ways),
            },
            "line_streets": {
                "line": [k for k, row in enumerate(self.rows) for _ in row[2]],
                "street": [s for row in self.rows for s in row[2]],
            },
            "line_stops": {
                "line": [k for k, row in enumerate(self.rows) for _ in row[3]],
                "stop": [row_of[name] for row in self.rows for name, _ in row[3]],
                "at": [at for row in self.rows for _, at in row[3]],
            },
        }


class _Ways:
    """Ways over streets and movements open to buses."""

    def __init__(self, tables: dict[str, pd.DataFrame]) -> None:
        from scipy.sparse import csr_array

        streets, moves = tables["streets"], tables["movements"]
        permitted = tables["lanes"]["buses"].to_numpy()
        may = permitted[moves["lane"].to_numpy()] & permitted[moves["to_lane"].to_numpy()]
        pairs = np.unique(moves.loc[may, ["street", "to_street"]].to_numpy(), axis=0)
        self.turns = set(map(tuple, pairs.tolist()))
        self.length_m = streets["length_m"].to_numpy()
        self.free_s = self.length_m / streets["speed_m_s"].to_numpy()
        n = len(streets)
        weight = self.free_s[pairs[:, 1]]
        self.graph = csr_array((weight, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        ends = streets.geometry.get_coordinates().groupby(level=0)
        self.start, self.end = ends.first().to_numpy(), ends.last().to_numpy()

    def connected(self, route: list[int]) -> tuple[list[list[int]], int]:
        """Return a route in parts that can be driven, and how many gaps were closed."""
        if not route:
            return [], 0
        parts, closed = [[route[0]]], 0
        for street in route[1:]:
            last = parts[-1][-1]
            if street == last:
                continue
            if (last, street) in self.turns:
                parts[-1].append(street)
            elif between := self._between(last, street):
                parts[-1].extend(between)
                closed += 1
            else:
                parts.append([street])
        return parts, closed

    def _between(self, start: int, goal: int) -> list[int]:
        """Return the streets after `start` up to `goal`; none where the way is too long."""
        from scipy.sparse.csgraph import dijkstra

        straight = float(np.hypot(*(self.start[goal] - self.end[start])))
        most = DETOUR * straight + DETOUR_M
        before = dijkstra(self.graph, indices=start, return_predecessors=True)[1]
        way = [goal]
        while way[-1] != start:
            if before[way[-1]] < 0:
                return []
            way.append(int(before[way[-1]]))
        way = way[-2::-1]
        return way if self.length_m[way[:-1]].sum() <= most else []
