"""Buildings, places, land use and water of an OSM extract, read by pyrosm."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city import building_parts, defaults, schema
from twin.city.osm import not_osm
from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd
    import pyproj
    import pyrosm

_NUMBER = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(m|ft|')?\s*(?:$|;)")
_FEET = re.compile(r"""\s*(\d+)\s*'\s*(\d+(?:[.,]\d+)?)\s*(?:"|'')\s*(?:$|;)""")
_FOOT_M, _INCH_M = 0.3048, 0.0254


def read_features(
    path: Path, crs: pyproj.CRS, shown_as: Path, streets: gpd.GeoDataFrame
) -> dict[str, pd.DataFrame]:
    """Return the tables buildings, surfaces, places, landuse and water of a PBF file.

    Parameters
    ----------
    path
        The PBF file to read.
    crs
        The metric CRS of the tables.
    shown_as
        The extract as it was given: an error message names it, and its header says how far
        the sea reaches.
    streets
        The city's streets, which do not lie in the sea.

    Raises
    ------
    InputError
        If pyrosm cannot read the file.
    """
    import pyrosm

    try:
        # The other engine keeps its results in a folder that every user can write to.
        source = pyrosm.OSM(str(path), engine="in_memory")
        landuse = _landuse(source, crs)
        buildings, surfaces = _buildings(source, crs, landuse)
        sea: list[Any] = []
        coast = _coastline(path, crs)
        if coast:
            sea = sea_faces(coast, _frame(shown_as, crs, streets, buildings), streets, buildings)
        return {
            "buildings": buildings,
            "surfaces": surfaces,
            "places": _places(source, crs),
            "landuse": landuse,
            "water": _water(source, crs, sea),
        }
    except (RuntimeError, ValueError, KeyError, IndexError, OSError) as error:
        raise InputError(not_osm(shown_as, error)) from error


def parse_metres(text: str | None) -> float:
    """Return an OSM length (`12`, `12.5 m`, `40 ft`, `5'6"`) in metres, NaN if it is none.

    >>> parse_metres("12,5 m")
    12.5
    """
    feet = _FEET.match(text or "")
    if feet is not None:
        return float(feet[1]) * _FOOT_M + float(feet[2].replace(",", ".")) * _INCH_M
    match = _NUMBER.match(text or "")
    if match is None:
        return float("nan")
    value = float(match[1].replace(",", "."))
    return value * _FOOT_M if match[2] in {"ft", "'"} else value


def building_use(tags: dict[str, str | None]) -> str:
    """Return the use of a building from its OSM tags, `other` where they say nothing."""
    use = defaults.USE_BY_BUILDING.get(tags.get("building") or "")
    if use:
        return use
    use = defaults.USE_BY_AMENITY.get(tags.get("amenity") or "")
    if use:
        return use
    if tags.get("shop") or tags.get("tourism") in {"hotel", "hostel", "guest_house"}:
        return "retail"
    if tags.get("office"):
        return "office"
    if tags.get("tourism") in {"museum", "gallery"}:
        return "public"
    return "other"


def building_size(tags: dict[str, str | None], use: str) -> tuple[float, float, str]:
    """Return height in metres, storeys, and what the height was taken from."""
    height = parse_metres(tags.get("height"))
    levels = parse_metres(tags.get("building:levels"))
    if not 0.0 < height <= defaults.MAX_HEIGHT_M:
        height = float("nan")
    if not 0.0 < levels <= defaults.MAX_HEIGHT_M / defaults.STOREY_HEIGHT_M:
        levels = float("nan")
    if not np.isnan(height):
        if np.isnan(levels):
            levels = max(1.0, float(round(height / defaults.STOREY_HEIGHT_M)))
        return height, levels, "height"
    if not np.isnan(levels):
        return levels * defaults.STOREY_HEIGHT_M, levels, "levels"
    kind = tags.get("building") or ""
    levels = defaults.LEVELS_BY_BUILDING.get(kind, defaults.LEVELS_BY_USE[use])
    return levels * defaults.STOREY_HEIGHT_M, levels, "default"


def sea_faces(
    coast: list[Any], frame: Any, streets: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame
) -> list[Any]:
    """Return the sea within a frame as polygons, the largest first.

    Frame and coastline cut the plane into faces. Sea is a face that lies to the right of its
    coastline everywhere. A face that lies to the left somewhere too, one in which a coastline
    ends, and one that holds streets or buildings of note is left out.

    Parameters
    ----------
    coast
        Lines with the land on their left and the water on their right (OSM wiki,
        Tag:natural=coastline), in metres.
    frame
        The polygon within which the coastline counts.
    streets, buildings
        Tables of the city. A face that holds more than `defaults.SEA_SHARE` of the streets'
        length or of the buildings' area is no sea.
    """
    import shapely

    near = [line for line in coast if line.intersects(frame)]
    edges = shapely.union_all(
        np.array([*near, *_to_edge(near, frame), frame.boundary], dtype=object)
    )
    closed, cuts, dangles, _ = shapely.polygonize_full(shapely.get_parts(edges))
    faces = shapely.orient_polygons(shapely.normalize(shapely.get_parts(closed)))
    faces = faces[shapely.within(shapely.point_on_surface(faces), frame)]
    loose = shapely.get_parts([cuts, dangles])
    ends = shapely.STRtree(shapely.line_interpolate_point(loose, 0.5, normalized=True))
    unsure = np.isin(np.arange(len(faces)), ends.query(faces, predicate="contains")[0])
    sea = [
        face
        for face, side in zip(faces[~unsure], _sides(faces[~unsure], near), strict=True)
        if side == {"right"}
        and _share(streets, shapely.length, face) <= defaults.SEA_SHARE
        and _share(buildings, shapely.area, face) <= defaults.SEA_SHARE
    ]
    return sorted(sea, key=lambda face: (-face.area, face.bounds))


def _to_edge(coast: list[Any], frame: Any) -> list[Any]:
    """Return straight lines from where the coastline breaks off to the frame's edge close by."""
    import shapely

    lines = shapely.get_parts(shapely.line_merge(shapely.union_all(coast)))
    lines = lines[~shapely.is_closed(lines)]
    ends = shapely.get_point(np.concatenate([lines, lines]), np.repeat([0, -1], len(lines)))
    ends = ends[shapely.within(ends, frame)]
    ways = shapely.shortest_line(ends, frame.boundary)
    reach = defaults.SEA_REACH * shapely.length(frame.boundary) / 4.0
    found: list[Any] = list(ways[shapely.length(ways) <= reach])
    return found


def _sides(faces: Any, coast: list[Any]) -> list[set[str]]:
    """Return the sides of the coastline that each face lies on; it is left of its own rings."""
    import shapely

    tree = shapely.STRtree(segments := _segments(coast))
    ahead = np.diff(shapely.get_coordinates(segments).reshape(-1, 2, 2), axis=1)[:, 0]
    sides = []
    for face in faces:
        edges = _segments(shapely.get_rings(face).tolist())
        along = np.diff(shapely.get_coordinates(edges).reshape(-1, 2, 2), axis=1)[:, 0]
        middle = shapely.line_interpolate_point(edges, 0.5, normalized=True)
        edge, segment = tree.query(middle, predicate="dwithin", distance=1e-4)
        same = np.sum(along[edge] * ahead[segment], axis=1)
        sides.append({"left" if value > 0 else "right" for value in same})
    return sides


def _segments(lines: list[Any]) -> Any:
    """Return the straight pieces of all lines, in their direction."""
    import shapely

    xy, line = shapely.get_coordinates(lines, return_index=True)
    pairs = np.stack([xy[:-1], xy[1:]], axis=1)
    return shapely.linestrings(pairs[(line[:-1] == line[1:]) & (pairs[:, 0] != pairs[:, 1]).any(1)])


def _share(table: gpd.GeoDataFrame, size: Any, face: Any) -> float:
    """Return which share of a table's length or area lies within a face."""
    import shapely

    shapes = shapely.make_valid(table.geometry.to_numpy())
    total = size(shapes).sum()
    return float(size(shapely.intersection(shapes, face)).sum() / total) if total else 0.0


def _coastline(path: Path, crs: pyproj.CRS) -> list[Any]:
    """Return the coastline in its direction; a node that the extract lacks interrupts it."""
    import osmium
    import pyproj
    import shapely

    tagged = osmium.filter.TagFilter(("natural", "coastline"))
    ways: dict[int, list[int]] = {
        way.id: [node.ref for node in way.nodes]
        for way in osmium.FileProcessor(str(path), osmium.osm.WAY).with_filter(tagged)
        if isinstance(way, osmium.osm.Way)
    }
    wanted = {ref for way in ways.values() for ref in way if ref >= 0}
    if not wanted:
        return []
    these = osmium.filter.IdFilter(wanted)
    places = {
        node.id: (node.location.lon, node.location.lat)
        for node in osmium.FileProcessor(str(path), osmium.osm.NODE).with_filter(these)
        if isinstance(node, osmium.osm.Node) and node.location.valid()
    }
    metric = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    lines = []
    for _, way in sorted(ways.items()):
        lonlat = np.array([places.get(ref, (np.inf, np.inf)) for ref in way]).reshape(-1, 2)
        xy = np.round(np.column_stack(metric.transform(*lonlat.T)), 3)
        known = np.isfinite(xy).all(axis=1)
        runs = np.split(xy[known], np.flatnonzero(np.diff(np.flatnonzero(known)) > 1) + 1)
        lines += [shapely.LineString(run) for run in runs if len(np.unique(run, axis=0)) > 1]
    return lines


def _frame(
    extract: Path, crs: pyproj.CRS, streets: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame
) -> Any:
    """Return the rectangle of the extract's header, else of streets and buildings and a margin.

    It covers the streets and what maps show around them.
    """
    import osmium
    import pyproj
    import shapely

    reader = osmium.io.Reader(str(extract), osmium.osm.NOTHING)
    try:
        stated = reader.header().box()
    finally:
        reader.close()
    own = _widened(streets.total_bounds, defaults.MAP_MARGIN)
    if stated.valid():
        low, high = stated.bottom_left, stated.top_right
        metric = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
        box = np.array(metric.transform_bounds(low.lon, low.lat, high.lon, high.lat))
        if np.isfinite(box).all():
            return shapely.union_all([shapely.box(*own), shapely.box(*box)]).envelope
    shapes = [*streets.geometry, *buildings.geometry]
    return shapely.box(*_widened(shapely.total_bounds(shapes), defaults.SEA_MARGIN))


def _widened(bounds: Any, share: float) -> Any:
    """Return bounds with a margin of a share of their diagonal."""
    margin = share * np.hypot(bounds[2] - bounds[0], bounds[3] - bounds[1])
    return np.asarray(bounds) + margin * np.array([-1.0, -1.0, 1.0, 1.0])


def _buildings(
    source: pyrosm.OSM, crs: pyproj.CRS, landuse: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the buildings above the ground, and surfaces of those that are no plain blocks."""
    keys = ["building", "amenity", "shop", "office", "tourism", "name", *building_parts.KEYS]
    found = _query(source, {"building": True}, keys, crs, nodes=False)
    rows = [
        row
        for row in _areas(found)
        if row["building"] != "no" and not building_parts.is_underground(row)
    ]
    columns: dict[str, list[Any]] = {name: [] for name in schema.TABLES["buildings"]}
    around = _use_around([row["geometry"] for row in rows], landuse)
    inner = _parts(source, crs, [row["geometry"] for row in rows])
    seen: list[tuple[int, str, Any]] = []
    for number, (row, land) in enumerate(zip(rows, around, strict=True)):
        use = building_use(row)
        if use == "other" and row["building"] == "yes":
            use = land
        size = building_size(row, use)
        size, faces = _shaped(row, size, inner.get(number, []), use)
        height, levels, origin = size
        seen += [(number, kind, shape) for kind, shape in faces]
        area = row["geometry"].area
        values = (row["id"], use, height, origin, levels, area, area * levels, row["name"] or "",
                  row["geometry"])  # fmt: skip
        for column, value in zip(columns, values, strict=True):
            columns[column].append(value)
    surfaces = {
        "building": [number for number, _, _ in seen],
        "kind": [kind for _, kind, _ in seen],
        "geometry": [shape for _, _, shape in seen],
    }
    return schema.build("buildings", columns, crs), schema.build("surfaces", surfaces, crs)


def _parts(
    source: pyrosm.OSM, crs: pyproj.CRS, outlines: list[Any]
) -> dict[int, list[dict[str, Any]]]:
    """Return the parts above the ground of each outline that has some."""
    keys = ["building:part", *building_parts.KEYS]
    found = _query(source, {"building:part": True}, keys, crs, nodes=False)
    rows = [
        row
        for row in _areas(found)
        if row["building:part"] != "no" and not building_parts.is_underground(row)
    ]
    of: dict[int, list[dict[str, Any]]] = {}
    owners = building_parts.outlines_of(outlines, [row["geometry"] for row in rows])
    for row, owner in zip(rows, owners.tolist(), strict=True):
        if owner >= 0:
            of.setdefault(owner, []).append(row)
    return of


def _shaped(
    row: dict[str, Any], size: tuple[float, float, str], inner: list[dict[str, Any]], use: str
) -> tuple[tuple[float, float, str], list[tuple[str, Any]]]:
    """Return the size of a building with its parts, and its surfaces if it is no plain block.

    A building whose height is not stated, or below that of a part, has that of its highest part.
    If no storeys are stated either, it has as many as give the floor area of all parts.
    """
    height, _, origin = size
    outline = _storey(row, size, str(row["building"]))
    parts: list[tuple[building_parts.Storey, str, float]] = []
    for part in inner:
        own = building_size(part, use)
        own = own if own[2] != "default" else (height, size[1], origin)
        one = _storey(part, own, str(part["building:part"]))
        if one.low < one.high:
            storeys = own[1] * (1.0 - one.low / one.high)
            parts.append((one, own[2], storeys * part["geometry"].area))
    if not parts:
        plain = not 0.0 < outline.low < outline.high
        return size, [] if plain else building_parts.faces([outline], outline.shape)
    shown = [one for one, _, _ in parts]
    highest, told, _ = max(parts, key=lambda part: part[0].high)
    rest = building_parts.rest_of(outline, shown, origin != "default")
    if told != "default" and origin == "default":
        floors = sum(floor for _, _, floor in parts)
        if rest is not None:
            floors += rest.shape.area * (rest.high - rest.low) / defaults.STOREY_HEIGHT_M
        size = highest.high, max(1.0, round(floors / outline.shape.area, 2)), told
    elif told != "default" and highest.high > height:
        size = highest.high, size[1], told
    shown = shown if rest is None else [*shown, rest]
    return size, building_parts.faces(shown, outline.shape)


def _storey(
    row: dict[str, Any], size: tuple[float, float, str], kind: str
) -> building_parts.Storey:  # fmt: skip
    """Return from where to where a building or a part stands."""
    height, levels, _ = size
    low = building_parts.beginning(row, kind, height, levels, parse_metres(row["min_height"]))
    return building_parts.Storey(row["geometry"], low, height)


def _use_around(shapes: list[Any], landuse: pd.DataFrame) -> list[str]:
    """Return the use that the land under each building suggests, `other` if none."""
    import shapely

    uses = ["other"] * len(shapes)
    areas = landuse[landuse["kind"].isin(list(defaults.USE_BY_LANDUSE))]
    kinds = areas["kind"].tolist()
    tree = shapely.STRtree(areas["geometry"].to_numpy())
    points = shapely.point_on_surface(np.array(shapes, dtype=object))  # also of no shape at all
    for building, area in sorted(tree.query(points, predicate="within").T.tolist()):
        uses[building] = defaults.USE_BY_LANDUSE[kinds[area]]
    return uses


def _places(source: pyrosm.OSM, crs: pyproj.CRS) -> pd.DataFrame:
    import shapely

    wanted = {
        key: True if kinds is None else sorted(kinds) for key, kinds in defaults.PLACE_KINDS.items()
    }
    found = _query(source, wanted, [*defaults.PLACE_KEYS, "name"], crs)
    columns: dict[str, list[Any]] = {name: [] for name in schema.TABLES["places"]}
    for row in _records(found):
        kind = place_kind(row)
        point = shapely.point_on_surface(row["geometry"])
        if not kind or point.is_empty:
            continue
        for column, value in zip(columns, (row["id"], kind, row["name"] or "", point), strict=True):
            columns[column].append(value)
    return schema.build("places", columns, crs)


def place_kind(tags: dict[str, str | None]) -> str:
    """Return what kind of place the tags make, "" if none."""
    for key, kinds in defaults.PLACE_KINDS.items():
        value = tags.get(key)
        if not value or value == "no":
            continue
        if kinds is None:
            return key
        if value in kinds:
            return value
    return ""


def _landuse(source: pyrosm.OSM, crs: pyproj.CRS) -> pd.DataFrame:
    tags = {
        key: True if kinds is None else sorted(kinds)
        for key, kinds in defaults.LANDUSE_TAGS.items()
    }
    found = _query(source, tags, list(tags), crs, nodes=False)
    rows = [
        (row["id"], kind, part)
        for row in _areas(found)
        if (kind := _tag(row, defaults.LANDUSE_TAGS)) and not _tag(row, defaults.WATER_TAGS)
        for part in _polygons(row["geometry"])
    ]
    return _simple("landuse", rows, crs)


def _water(source: pyrosm.OSM, crs: pyproj.CRS, sea: list[Any]) -> pd.DataFrame:
    tags: dict[str, Any] = {key: sorted(kinds) for key, kinds in defaults.WATER_TAGS.items()}
    found = _query(source, tags, list(tags), crs, nodes=False)
    rows = [
        (row["id"], kind, part)
        for row in _records(found)
        if (kind := _tag(row, defaults.WATER_TAGS))
        for part in _polygons_or_lines(row["geometry"])
    ]
    rows += [(f"sea/{number}", "sea", face) for number, face in enumerate(sea, 1)]
    return _simple("water", rows, crs)


def _simple(table: str, rows: list[tuple[str, str, Any]], crs: pyproj.CRS) -> pd.DataFrame:
    columns = {
        "id": [row[0] for row in rows],
        "kind": [row[1] for row in rows],
        "geometry": [row[2] for row in rows],
    }
    return schema.build(table, columns, crs)


def _tag(row: dict[str, Any], tags: Any) -> str:
    """Return the value of the first tag that counts, "" if none."""
    for key, kinds in tags.items():
        value = row.get(key)
        if value and value != "no" and (kinds is None or value in kinds):
            return str(value)
    return ""


def _query(
    source: pyrosm.OSM,
    tags: dict[str, Any],
    columns: list[str],
    crs: pyproj.CRS,
    *,
    nodes: bool = True,
) -> gpd.GeoDataFrame | None:
    """Return the elements with one of the tags, their coordinates rounded to millimetres."""
    import shapely

    with warnings.catch_warnings():  # an extract without water, say, is no cause for concern
        warnings.filterwarnings("ignore", "Could not find any OSM data", UserWarning)
        found = source.get_data_by_custom_criteria(
            custom_filter=tags,
            filter_type="keep",
            keep_nodes=nodes,
            keep_ways=True,
            keep_relations=True,
            tags_as_columns=columns,
        )
    if found is None or not len(found):
        return None
    found = found[found.geometry.notna()].to_crs(crs)
    found["geometry"] = shapely.transform(found.geometry.to_numpy(), lambda xy: np.round(xy, 3))
    for column in columns:
        if column not in found:
            found[column] = None
    return found


def _records(found: gpd.GeoDataFrame | None) -> list[dict[str, Any]]:
    """Return the rows as dictionaries, sorted by id, missing tags as None."""
    if found is None:
        return []
    frame = found.assign(id=found["osm_type"].astype(str) + "/" + found["id"].astype(str))
    frame = frame.drop_duplicates("id").sort_values("id", kind="stable")
    return [
        {key: value if _present(value) else None for key, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _present(value: Any) -> bool:
    return value is not None and value == value and value != ""


def _areas(found: gpd.GeoDataFrame | None) -> list[dict[str, Any]]:
    """Return the records that are areas, repaired where they cross themselves."""
    import shapely

    rows = []
    for row in _records(found):
        parts = _polygons(row["geometry"])
        if parts:
            shape = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
            rows.append(row | {"geometry": shape})
    return rows


def _polygons(shape: Any) -> list[Any]:
    """Return the valid polygons of a shape with an area."""
    import shapely

    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    return [p for p in shapely.get_parts(shape, return_index=False).tolist()
            if p.geom_type == "Polygon" and p.area > 0.0]  # fmt: skip


def _polygons_or_lines(shape: Any) -> list[Any]:
    import shapely

    if "Polygon" in shape.geom_type:
        return _polygons(shape)
    return [p for p in shapely.get_parts(shape).tolist()
            if p.geom_type == "LineString" and p.length > 0.0]  # fmt: skip
