"""From GMNS tables (General Modeling Network Specification) to a city, by way of netconvert.

Links become edges of a plain SUMO network, movements its connections; netconvert adds what the
tables leave open: paths through junctions, right of way, movements where movement.csv has none,
signal programs. Links, nodes and lanes are neither joined nor split, so ids stay.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city import schema
from twin.city.gmns_tables import M_S, METRES, Row, Tables, permits, read_tables, unit
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    import pyproj

    from twin.city.model import City, Progress

NOT_FOR_VEHICLES = frozenset(
    {"sidewalk", "crosswalk", "bikeway", "cycleway", "footway", "path", "pedestrian", "steps",
     "walkway", "trail", "rail", "railway", "subway", "tram", "light_rail"}
)  # fmt: skip
"""Facility types that carry no motor vehicles where allowed_uses says nothing."""

CLASSES = {
    "freeway": "motorway", "interstate": "motorway", "highway": "trunk", "expressway": "trunk",
    "ramp": "motorway_link", "arterial": "secondary", "major_arterial": "primary",
    "principal_arterial": "primary", "minor_arterial": "secondary", "collector": "tertiary",
    "local": "residential", "connector": "unclassified", "centroid_connector": "unclassified",
}  # fmt: skip
"""The OSM class that stands for a facility type; OSM's own classes stand for themselves."""

SPEED_KMH = {
    # Where free_speed is empty: the limit that holds for the class in German towns (StVO
    # paragraphs 3 and 42, 30 km/h zones in residential streets), outside towns for the first two.
    "motorway": 120.0, "trunk": 100.0, "motorway_link": 60.0, "residential": 30.0,
    "living_street": 7.0,
}  # fmt: skip
OTHER_SPEED_KMH = 50.0

JUNCTION = {"signal": "traffic_light", "4_stop": "allway_stop", "stop": "priority_stop"}
"""SUMO's kind of junction by ctrl_type; netconvert chooses for the others."""

KINDS = frozenset(
    {"traffic_light", "traffic_light_right_on_red", "traffic_light_unregulated", "priority",
     "priority_stop", "allway_stop", "right_before_left", "left_before_right", "unregulated",
     "zipper", "rail_signal", "rail_crossing"}
)  # fmt: skip
"""SUMO's kinds of junctions that a column `kind`, as our export has, may ask for."""


@dataclass(frozen=True)
class Lane:
    """A lane for motor vehicles; number as in lane.csv, from the left."""

    number: int
    allowed: tuple[bool, bool, bool]
    width_m: float | None


@dataclass(frozen=True)
class Link:
    """A link in one direction, in SI units and the metric CRS, lanes from the left."""

    id: str
    start: str
    end: str
    name: str
    facility: str
    lanes: list[Lane]
    speed_m_s: float
    length_m: float | None
    points: np.ndarray
    priority: int | None


@dataclass
class Network:
    """What is read of the tables, and how often a gap was filled (`assumed`)."""

    crs: pyproj.CRS
    units: dict[str, str]
    nodes: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    assumed: Counter[str] = field(default_factory=Counter)


def build_city(
    folder: str | Path,
    name: str | None = None,
    crs: str | None = None,
    progress: Progress | None = None,
) -> City:
    """Return the city of a GMNS folder; see `City.from_gmns`.

    Raises
    ------
    InputError
        If a table is missing or a value in it has no meaning.
    """
    from twin.city.gmns_plain import make_network
    from twin.city.model import City
    from twin.city.netconvert import netconvert_version
    from twin.city.provenance import versions
    from twin.city.sumo import packed
    from twin.city.sumo import read_tables as read_net_tables

    folder, say = Path(folder), progress or (lambda _: None)
    say(f"reading the GMNS tables in {folder}")
    tables = read_tables(folder)
    network = read_network(tables, crs)
    say("adding right of way and paths through junctions with netconvert")
    try:
        with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as work:
            net, options = make_network(network, tables, Path(work))
            say("reading the network")
            made, _ = read_net_tables(net, network.crs, shown_as=folder)
            kept = packed(net)
    except OSError as error:
        msg = f"{folder}: the city cannot be built, {error.strerror or error}; free some space."
        raise OutputError(msg) from error
    for table in schema.TABLES:
        made.setdefault(table, schema.empty(table, network.crs))
    schema.validate(made, str(folder))
    source = {
        "what": "GMNS network",
        "licence": "as stated by its publisher",
        "file": folder.name,
        "sha256": tables.sha256,
    }
    chosen: dict[str, Any] = {
        "builder": "gmns",
        "crs": network.crs.to_string(),
        "units": network.units,
        "assumed": dict(sorted(network.assumed.items())),
        "netconvert": options,
        "versions": {"netconvert": netconvert_version(), **versions("eclipse-sumo")},
    }
    called = name or tables.config.text("dataset_name") or folder.name
    return City(
        name=called,
        crs=network.crs,
        sources=[source],
        options=chosen,
        net=kept,
        terrain=None,
        **made,
    )


def read_network(tables: Tables, crs: str | None = None) -> Network:
    """Return nodes and links in SI units and a metric CRS.

    Parameters
    ----------
    tables
        Of a GMNS folder.
    crs
        A metric CRS; unless given that of the data if it is metric, else the UTM zone.

    Raises
    ------
    InputError
        If a value has no meaning, an id is there twice or a link ends at no node.
    """
    where = {row.text("node_id"): row for row in tables["node"]}
    _unique(tables["node"], "node_id")
    _unique(tables["link"], "link_id")
    xy = np.array([(r.coordinate("x_coord"), r.coordinate("y_coord")) for r in where.values()])
    given, stated = _given_crs(tables, xy)
    shapes = _shapes(tables, where)
    target = _target_crs(crs, given, xy)
    xy, shapes = _moved(given, target, xy, shapes)
    kinds = [_junction(row) for row in where.values()]
    network = Network(target, {"crs": stated})
    network.nodes = {
        node: (float(x), float(y), kind)
        for node, (x, y), kind in zip(where, xy, kinds, strict=True)
    }
    _read_links(network, tables, shapes)
    if not network.links:
        msg = f"{tables.folder / 'link.csv'}: none of its links is open to cars, lorries or buses."
        raise InputError(msg)
    return network


def _junction(row: Row) -> str:
    """Return SUMO's kind of a junction, empty where netconvert is to choose."""
    own = row.text("kind").lower()
    return own if own in KINDS else JUNCTION.get(row.text("ctrl_type").lower(), "")


def _unique(rows: list[Row], column: str) -> None:
    seen: set[str] = set()
    for row in rows:
        key = row.text(column)
        if not key or key in seen:
            what = f"{column} {key!r} is there twice" if key else f"{column} is empty"
            msg = f"{row.where}: {what}; give every row an id of its own."
            raise InputError(msg)
        seen.add(key)


def _given_crs(tables: Tables, xy: np.ndarray) -> tuple[pyproj.CRS, str]:
    """Return the CRS of the coordinates and where it is known from."""
    import pyproj
    from pyproj.exceptions import CRSError

    text = tables.config.text("crs")
    if text:
        try:
            return pyproj.CRS.from_user_input(int(text) if text.isdecimal() else text), text
        except CRSError:
            msg = f"{tables.config.where}: crs {text[:60]!r} is unknown; give one as EPSG:4326."
            raise InputError(msg) from None
    if (np.abs(xy) <= (180.0, 90.0)).all():
        return pyproj.CRS.from_epsg(4326), "EPSG:4326, assumed from the coordinates"
    from twin.city.sumo import net_crs

    return net_crs("!", tables.folder), "a plane in metres, assumed from the coordinates"


def _target_crs(text: str | None, given: pyproj.CRS, xy: np.ndarray) -> pyproj.CRS:
    """Return the metric CRS that the city is to have."""
    from twin.city.osm import metric_crs
    from twin.city.sumo import is_plane

    metric = given.is_projected and all(a.unit_name == "metre" for a in given.axis_info)
    if is_plane(given) or (metric and text is None):
        return given
    middle = (xy.min(axis=0) + xy.max(axis=0)) / 2.0
    return metric_crs(text, _lon_lat(given, middle))


def _lon_lat(given: pyproj.CRS, point: np.ndarray) -> tuple[float, float]:
    import pyproj

    lon, lat = pyproj.Transformer.from_crs(given, 4326, always_xy=True).transform(*point)
    return float(lon), float(lat)


def _shapes(tables: Tables, nodes: dict[str, Row]) -> dict[str, np.ndarray]:
    """Return the points of each link as its tables give them, from its first node on."""
    import shapely

    as_json = "json" in tables.config.text("geometry_field_format").lower()
    parse = shapely.from_geojson if as_json else shapely.from_wkt
    stored = {row.text("geometry_id"): row.text("geometry") for row in tables["geometry"]}
    shapes = {}
    for row in tables["link"]:
        for column in ("from_node_id", "to_node_id"):
            if row.text(column) not in nodes:
                msg = f"{row.where}: {column} {row.text(column)!r} is no node of node.csv."
                raise InputError(msg)
        text = row.text("geometry") or stored.get(row.text("geometry_id"), "")
        line = parse(text, on_invalid="ignore") if text else None
        if line is not None and line.geom_type == "MultiLineString":
            line = shapely.line_merge(line)
        if text and (line is None or line.geom_type != "LineString" or line.is_empty):
            msg = f"{row.where}: geometry {text[:40]!r} is no line; give a LINESTRING or nothing."
            raise InputError(msg)
        if line is None:
            ends = (nodes[row.text(c)] for c in ("from_node_id", "to_node_id"))
            points = np.array([(n.coordinate("x_coord"), n.coordinate("y_coord")) for n in ends])
        else:
            points = shapely.get_coordinates(line)
            points = points[::-1] if row.text("dir_flag") == "-1" else points
        shapes[row.text("link_id")] = points
    return shapes


def _moved(
    given: pyproj.CRS, target: pyproj.CRS, xy: np.ndarray, shapes: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return all coordinates in the target CRS."""
    import pyproj

    if given == target:
        return xy, shapes
    move = pyproj.Transformer.from_crs(given, target, always_xy=True).transform
    everything = np.concatenate([xy, *shapes.values()])
    moved = np.stack(move(*everything.T), axis=1)
    if not np.isfinite(moved).all():
        msg = f"crs: {given.name} has no place for {everything[~np.isfinite(moved)[:, 0]][0]}."
        raise InputError(msg)
    ends = np.cumsum([len(xy), *(len(s) for s in shapes.values())])
    return moved[: len(xy)], dict(zip(shapes, np.split(moved[len(xy) :], ends[:-1] - len(xy))[1:],
                                      strict=True))  # fmt: skip


def _read_links(network: Network, tables: Tables, shapes: dict[str, np.ndarray]) -> None:
    """Fill in the links for motor vehicles, an undirected one as two."""
    groups = {r.text("use_group").lower(): r.text("uses") for r in tables["use_group"]}
    length_name, length = _length_unit(tables, shapes, network)
    imperial = length_name.removesuffix("s") in {"ft", "foot", "feet", "mi", "mile"}
    speed_name, speed = unit(tables.config, "speed", M_S, "mph" if imperial else "kph")
    short_name, short = unit(tables.config, "short_length", METRES, "foot" if imperial else "m")
    network.units |= {"length": length_name, "speed": speed_name, "width": short_name}
    lanes = _lanes(tables, groups, short)
    for row in tables["link"]:
        key = row.text("link_id")
        found = _link(network, row, groups, (length, speed), lanes.get(key), shapes[key])
        if found is None:
            network.dropped.add(key)
            network.assumed["links without motor vehicles left out"] += 1
            continue
        network.links[key] = found
        if row.text("directed").lower() in {"0", "false", "f", "no"}:
            back = replace(
                found, id=f"-{key}", start=found.end, end=found.start, points=found.points[::-1]
            )
            network.links.setdefault(back.id, back)


def _length_unit(
    tables: Tables, shapes: dict[str, np.ndarray], network: Network
) -> tuple[str, float]:
    """Return the unit of link lengths: as configured, else that which fits the geometry best."""
    if tables.config.text("long_length"):
        return unit(tables.config, "long_length", METRES, "km")
    pairs = [(row.number("length") or 0.0, _length(shapes[row.text("link_id")]))
             for row in tables["link"]]  # fmt: skip
    ratios = [drawn / said for said, drawn in pairs if said > 0.0 and drawn > 0.0]
    if not ratios:
        return "m", 1.0
    ratio = math.log(float(np.median(ratios)))
    best = min(("m", "km", "foot", "mile"), key=lambda name: abs(ratio - math.log(METRES[name])))
    network.assumed["unit of lengths, from the geometry"] += 1
    return best, METRES[best]


def _length(points: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _lanes(tables: Tables, groups: dict[str, str], width: float) -> dict[str, list[Lane]]:
    """Return the lanes for motor vehicles of each link in lane.csv, from the left."""
    lanes: dict[str, list[Lane]] = {}
    known = {row.text("link_id") for row in tables["link"]}
    for row in tables["lane"]:
        if row.text("link_id") not in known:
            msg = f"{row.where}: link_id {row.text('link_id')!r} is no link of link.csv."
            raise InputError(msg)
        number = row.whole("lane_num")
        if number is None:
            msg = f"{row.where}: lane_num is empty; number lanes from the left."
            raise InputError(msg)
        allowed = permits(row.text("allowed_uses"), groups)
        if any(allowed):
            wide = row.number("width")
            lane = Lane(number, allowed, wide * width if wide else None)
            lanes.setdefault(row.text("link_id"), []).append(lane)
    for found in lanes.values():
        found.sort(key=lambda lane: lane.number)
    return lanes


def _link(
    network: Network,
    row: Row,
    groups: dict[str, str],
    factors: tuple[float, float],
    lanes: list[Lane] | None,
    points: np.ndarray,
) -> Link | None:
    """Return a link, None if it is not for motor vehicles."""
    facility = row.text("facility_type").lower().replace(" ", "_").removeprefix("highway.")
    uses, count = row.text("allowed_uses"), row.whole("lanes")
    allowed = permits(uses, groups)
    if not any(allowed) or (not uses and facility in NOT_FOR_VEHICLES):
        return None
    if lanes is None:
        if count == 0:
            return None
        if count is None:
            network.assumed["links with one lane, lanes not given"] += 1
        elif not 0 < count <= 32:
            msg = f"{row.where}: lanes is {count}; give 1 to 32."
            raise InputError(msg)
        lanes = [Lane(k + 1, allowed, None) for k in range(count or 1)]
    street = CLASSES.get(facility, facility)
    speed, length = row.number("free_speed"), row.number("length")
    if not speed:
        network.assumed["speeds by facility type, free_speed not given"] += 1
    return Link(
        id=row.text("link_id"),
        start=row.text("from_node_id"),
        end=row.text("to_node_id"),
        name=row.text("name"),
        facility=street,
        lanes=lanes,
        speed_m_s=speed * factors[1] if speed else SPEED_KMH.get(street, OTHER_SPEED_KMH) / 3.6,
        length_m=length * factors[0] if length else None,
        points=points,
        priority=row.whole("priority"),
    )
