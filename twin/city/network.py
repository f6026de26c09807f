"""The columns of the street tables, made from the elements of a SUMO network."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import unescape

import numpy as np

from twin.city import schema
from twin.city.access import LanePermits, is_street, lane_permits, permits
from twin.city.defaults import ISLAND_SHARE, LANE_WIDTH_M
from twin.city.junctions import JunctionPaths
from twin.city.signals import read_signals

if TYPE_CHECKING:
    from twin.city.netxml import Net, NetEdge

_log = logging.getLogger(__name__)

_OSM_EDGE_ID = re.compile(r"-?(\d+)(?:#\d+)?(?:-AddedO(?:n|ff)RampEdge)?$")

Point = tuple[float, float]


class NetworkReader:
    """The columns of the tables, made from a network's elements."""

    def __init__(self, net: Net, *, islands: bool) -> None:
        self.net = net
        offset = net.location.get("netOffset", "0,0").split(",")
        self.offset = (float(offset[0]), float(offset[1]))
        self.nodes = {
            j.attributes["id"]: j for j in net.junctions if j.attributes.get("type") != "internal"
        }
        self.edges = [e for e in net.edges if is_street(e)]
        if not islands:
            self.edges = _mainland(self.edges)
        self.junction_ids = self._junction_ids()
        self.junction_of = {name: row for row, name in enumerate(self.junction_ids)}

    def columns(self) -> dict[str, dict[str, Any]]:
        """Return the columns of every table."""
        streets, lanes = self._streets_and_lanes()
        signals, signal_of = read_signals(self.net)
        movements, indices = self._movements(lanes, signal_of)
        return {
            "streets": streets,
            "lanes": lanes,
            "junctions": self._junctions(),
            "movements": movements,
            "conflicts": self._conflicts(indices),
            "signals": signals,
        }

    def _junction_ids(self) -> list[str]:
        used = {e.attributes[end] for e in self.edges for end in ("from", "to")}
        return [name for name in self.nodes if name in used]

    def _junctions(self) -> dict[str, Any]:
        import shapely

        nodes = [self.nodes[name].attributes for name in self.junction_ids]
        xy = np.array([self._node_xy(name) for name in self.junction_ids]).reshape(-1, 2)
        kinds = [node.get("type", "unknown") for node in nodes]
        return {"id": self.junction_ids, "kind": kinds, "geometry": shapely.points(xy)}

    def _node_xy(self, name: str) -> Point:
        node = self.nodes[name].attributes
        return (
            round(float(node["x"]) - self.offset[0], 3),
            round(float(node["y"]) - self.offset[1], 3),
        )

    def _shape(self, text: str) -> list[Point]:
        """Return the points of a shape in the CRS, heights left out."""
        x0, y0 = self.offset
        points = []
        for item in text.split():
            x, y = item.split(",")[:2]
            points.append((round(float(x) - x0, 3), round(float(y) - y0, 3)))
        return points

    def _streets_and_lanes(self) -> tuple[dict[str, Any], dict[str, Any]]:
        streets: dict[str, Any] = {name: [] for name in schema.TABLES["streets"]}
        lanes: dict[str, Any] = {name: [] for name in schema.TABLES["lanes"]}
        for row, edge in enumerate(self.edges):
            kept = [(lane, p) for lane, p in lane_permits(edge) if any(p)]
            for index, (lane, allowed) in enumerate(kept):
                shape = self._shape(lane["shape"])
                values = (lane["id"], row, index, float(lane["length"]), float(lane["speed"]),
                          float(lane.get("width", LANE_WIDTH_M)), *allowed, shape)  # fmt: skip
                for name, value in zip(lanes, values, strict=True):
                    lanes[name].append(value)
            for name, value in zip(streets, self._street(edge, kept), strict=True):
                streets[name].append(value)
        streets["geometry"] = lines(streets["geometry"])
        lanes["geometry"] = lines(lanes["geometry"])
        return streets, lanes

    def _street(self, edge: NetEdge, kept: list[LanePermits]) -> tuple[Any, ...]:
        a = edge.attributes
        ends = [self._node_xy(a["from"]), self._node_xy(a["to"])]
        permits = [any(p[k] for _, p in kept) for k in range(3)]
        return (
            a["id"],
            self.junction_of[a["from"]],
            self.junction_of[a["to"]],
            _osm_ids(edge),
            # netconvert escapes the names of OSM twice.
            unescape(a.get("name", ""), {"&quot;": '"', "&apos;": "'"}),
            _highway(a.get("type", "")),
            len(kept),
            max(float(lane["speed"]) for lane, _ in kept),
            float(kept[0][0]["length"]),
            *permits,
            int(a.get("priority", "-1")),
            self._shape(a["shape"]) if a.get("shape") else ends,
        )

    def _movements(
        self, lanes: dict[str, Any], signal_of: dict[str, int]
    ) -> tuple[dict[str, Any], dict[tuple[int, int], int]]:
        """Return the columns, and the row of each (junction, request index)."""
        row_of = {name: row for row, name in enumerate(lanes["id"])}
        chains = JunctionPaths(self.net)
        columns: dict[str, Any] = {name: [] for name in schema.TABLES["movements"]}
        indices: dict[tuple[int, int], int] = {}
        unknown: set[str] = set()
        for c in self.net.connections:
            lane = row_of.get(f"{c['from']}_{c['fromLane']}")
            to_lane = row_of.get(f"{c['to']}_{c['toLane']}")
            if lane is None or to_lane is None or not _passable(c, lanes, lane, to_lane):
                continue
            street, to_street = lanes["street"][lane], lanes["street"][to_lane]
            junction = self._junction_between(street, to_street)
            path = chains.follow(c)
            index = chains.request_index(c, path, self.nodes[self.junction_ids[junction]])
            signal = signal_of.get(c.get("tl", ""), -1)
            if signal == -1 and "tl" in c:
                unknown.add(c["tl"])
            points = [p for lane_ in path for p in self._shape(lane_["shape"])]
            speeds = [float(lane_["speed"]) for lane_ in path]
            values = (
                lane, to_lane, street, to_street, junction, index, c["dir"],
                signal, int(c["linkIndex"]) if signal >= 0 else -1, c["state"],
                sum(float(lane_["length"]) for lane_ in path),
                min(speeds, default=lanes["speed_m_s"][to_lane]),
                float(path[0]["length"]) if len(path) > 1 else 0.0,
                points or self._gap(lanes, lane, to_lane),
            )  # fmt: skip
            if index >= 0:
                indices[junction, index] = len(columns["lane"])
            for name, value in zip(columns, values, strict=True):
                columns[name].append(value)
        if unknown:
            # Level crossings: SUMO controls them by the trains, not by a program.
            _log.info("signals without a program are left out: %s", ", ".join(sorted(unknown)))
        columns["geometry"] = lines(columns["geometry"])
        return columns, indices

    def _junction_between(self, street: int, to_street: int) -> int:
        """Return the junction where a street meets the next one."""
        before, after = self.edges[street].attributes, self.edges[to_street].attributes
        if before["to"] != after["from"]:
            msg = f"connection {before['id']} to {after['id']}, which do not meet"
            raise ValueError(msg)
        return self.junction_of[before["to"]]

    @staticmethod
    def _gap(lanes: dict[str, Any], lane: int, to_lane: int) -> list[Point]:
        """Return the straight line across a junction without internal lanes."""
        start, end = lanes["geometry"][lane].coords[-1], lanes["geometry"][to_lane].coords[0]
        return [(start[0], start[1]), (end[0], end[1])]

    def _conflicts(self, indices: dict[tuple[int, int], int]) -> dict[str, Any]:
        rows: list[tuple[int, int, bool]] = []
        for junction, name in enumerate(self.junction_ids):
            for request in self.nodes[name].requests:
                movement = indices.get((junction, int(request["index"])))
                if movement is None:
                    continue
                # SUMO writes bit strings: the last character belongs to index 0.
                foes, response = request["foes"][::-1], request["response"][::-1]
                rows.extend(
                    (movement, indices[junction, k], response[k] == "1")
                    for k, bit in enumerate(foes)
                    if bit == "1" and (junction, k) in indices
                )
        rows.sort()
        return {
            "movement": [row[0] for row in rows],
            "foe": [row[1] for row in rows],
            "yields": [row[2] for row in rows],
        }


def lines(shapes: list[list[Point]]) -> Any:
    """Return LineStrings, points that repeat left out, two points at least."""
    import shapely

    points: list[Point] = []
    owner: list[int] = []
    for row, shape in enumerate(shapes):
        clean = [p for k, p in enumerate(shape) if k == 0 or p != shape[k - 1]]
        if not clean:
            msg = "an empty shape"
            raise ValueError(msg)
        if len(clean) == 1:
            clean *= 2
        points.extend(clean)
        owner.extend([row] * len(clean))
    if not points:
        return np.empty(0, dtype=object)
    return shapely.linestrings(np.array(points), indices=np.array(owner))


def _mainland(edges: list[NetEdge]) -> list[NetEdge]:
    """Return the edges without those of components below the stated share of the length."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not edges:
        return edges
    row_of: dict[str, int] = {}
    ends = np.array(
        [[row_of.setdefault(e.attributes[k], len(row_of)) for k in ("from", "to")] for e in edges]
    )
    size = len(row_of)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    length = np.array([float(e.lanes[0]["length"]) for e in edges])
    component = label[ends[:, 0]]
    share = np.bincount(component, weights=length) / length.sum()
    return [e for e, part in zip(edges, share[component], strict=True) if part >= ISLAND_SHARE]


def _passable(connection: dict[str, str], lanes: dict[str, Any], lane: int, to_lane: int) -> bool:
    """Return whether any kind of motor vehicle may use the connection and both lanes."""
    allowed = permits(connection.get("allow"), connection.get("disallow"))
    columns = ("cars", "lorries", "buses")
    return any(
        permit and lanes[column][lane] and lanes[column][to_lane]
        for permit, column in zip(allowed, columns, strict=True)
    )


def _highway(kind: str) -> str:
    """Return the OSM class in an edge's type: highway.primary -> primary."""
    match = re.search(r"highway\.([a-z_]+)", kind)
    return match[1] if match else "unknown"


def _osm_ids(edge: NetEdge) -> str:
    """Return the OSM ways of an edge; from its id where the file names none."""
    found = [way for text in edge.lane_osm_ids for way in text.split()]
    if not found and edge.attributes.get("type", "").startswith("highway."):
        match = _OSM_EDGE_ID.match(edge.attributes["id"])
        found = [match[1]] if match else []
    return ";".join(dict.fromkeys(way.lstrip("-") for way in found))
