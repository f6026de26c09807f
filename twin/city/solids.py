"""Buildings as solids: what the readers of CityGML and CityJSON share.

A reader fills `Models`; `tables` makes of them the city's buildings and surfaces.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twin.city import defaults, references, schema
from twin.city.provenance import check_file
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    import numpy.typing as npt
    import pandas as pd
    import pyproj

    Floats = npt.NDArray[np.float64]

VERTICAL = float(np.sin(np.radians(10.0)))
"""A surface within 10 degrees of the vertical is a wall, where the file does not say."""
LEAST_AREA_M2 = 1e-6
"""A smaller surface is none: its corners are on one line."""
LEVEL_M = 0.01
"""A surface whose corners differ less in height is level."""
HIGHEST_M = 10_000.0
"""Corners higher, or so far below the datum, are slips of the pen."""
WIDEST_M = 2_000.0
"""A building that is wider has a corner that slipped."""
AREA_MARGIN_DEG = 6.0
"""How far beyond its area of use a CRS is believed: a zone of UTM, since states use one for all."""
WHOLE = 0.5
"""Parts that cover more than this share of their building's own geometry stand for it."""

KINDS = {
    "RoofSurface": "roof", "WallSurface": "wall", "GroundSurface": "ground",
    "OuterFloorSurface": "roof", "OuterCeilingSurface": "wall", "Window": "wall", "Door": "wall",
    "ClosureSurface": None, "InteriorWallSurface": None, "CeilingSurface": None,
    "FloorSurface": None,
}  # fmt: skip
"""The kind of a bounding surface; None for what nobody sees from outside."""


class UnusableError(ValueError):
    """Why a building is left out."""


@dataclass
class Model:
    """A building of a file: attributes, and polygons as lists of rings, the outer one first."""

    id: str
    use: str = "other"
    name: str = ""
    measured_m: float = float("nan")
    levels: float = float("nan")
    crs: str = ""  # where its geometry has another one than the file
    flat: bool = False  # whether no more than its outline is known (LoD0)
    polygons: list[list[Floats]] = field(default_factory=list)  # of rings [corners, xyz], closed
    kinds: list[str] = field(default_factory=list)  # of polygons, "" where the file does not say

    def add(self, kind: str, rings: list[Floats]) -> None:
        """Take a polygon."""
        self.polygons.append(rings)
        self.kinds.append(kind)


@dataclass
class Body:
    """What one object of a file looks like: a building without its parts, or a part."""

    rank: float = 0.0  # of its level of detail, higher is better, below 1 is LoD0
    faces: list[tuple[str, list[Floats]]] = field(default_factory=list)  # kind and rings


def assembled(own: Body, parts: list[Body]) -> list[Body]:
    """Return a building's own body and its parts, without what shows the same thing worse.

    A body of its own goes where parts of as good a level of detail cover it, and a part of a
    worse one where the own body covers it.
    """
    parts = [part for part in parts if part.faces]
    if not own.faces or not parts:
        return [own, *parts] if own.faces else parts
    good = [part for part in parts if part.rank >= own.rank]
    if good and _covered(own, good):
        return parts
    return [own, *(part for part in parts if part.rank >= own.rank or not _covered(part, [own]))]


def _covered(body: Body, by: list[Body]) -> bool:
    """Whether bodies cover more than half of another one, seen from above."""
    area = (plan := _plan([body])).area
    return bool(area > 0.0 and plan.intersection(_plan(by)).area > WHOLE * area)


def _plan(bodies: list[Body]) -> Any:
    import shapely

    rings = [shapely.linearrings(rings[0][:, :2]) for b in bodies for _, rings in b.faces]
    return shapely.union_all(shapely.buffer(shapely.polygons(rings), 0.0))


@dataclass
class Models:
    """What a file holds, in its own CRS."""

    path: Path
    what: str
    crs: str = ""  # as the file writes it
    easting_first: bool = False  # whatever order of axes the authority of the CRS has
    plane: bool = False  # whether the file says that its envelope has no heights
    buildings: list[Model] = field(default_factory=list)
    areas: list[tuple[str, str, str, list[list[Floats]]]] = field(default_factory=list)
    points: list[tuple[str, str, Floats]] = field(default_factory=list)  # id, kind, xyz
    left_out: list[str] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=dict)  # licence, attribution, title

    def summary_of_left_out(self, used: int) -> str:
        """Return which buildings are left out beside those used, and why, in one line."""
        lost = len(self.left_out)
        ids = ", ".join(text.split(": ")[0] for text in self.left_out[1:4])
        more = f"; also {ids}{', ...' if lost > 4 else ''}" if ids else ""
        total = f"{lost} of {lost + used} buildings left out"
        return f"{self.path.name}: {total}, building {self.left_out[0]}{more}"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Give the plain bytes of a file that may be packed by gzip.

    Raises
    ------
    InputError
        If it is missing, empty, or damaged.
    """
    check_file(path)
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        if path.suffix.lower() == ".gz" and not packed:
            msg = f"{path}: ends in .gz but is not packed by gzip; rename it or fetch it again."
            raise InputError(msg)
        with cast("BinaryIO", gzip.open(path) if packed else path.open("rb")) as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        msg = f"{path}: is damaged or cut off ({error}); fetch it again."
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from error


def closed(ring: Floats) -> Floats:
    """Return a ring that ends where it begins.

    Raises
    ------
    UnusableError
        If a coordinate is no number, or it has fewer than three corners.
    """
    bad = ~np.isfinite(ring)
    if bad.any():
        msg = f"a coordinate is {ring[bad][0]}"
        raise UnusableError(msg)
    if len(ring) and (ring[0] != ring[-1]).any():
        ring = np.concatenate([ring, ring[:1]])
    if len(ring) < 4:
        msg = f"a ring has {max(0, len(ring) - 1)} corners"
        raise UnusableError(msg)
    if np.abs(ring[:, 2]).max() > HIGHEST_M:
        msg = f"a corner is {ring[np.abs(ring[:, 2]).argmax(), 2]:g} m high"
        raise UnusableError(msg)
    return ring


def attribute(value: Any, what: str) -> float:
    """Return a number of a file, NaN where there is none.

    Raises
    ------
    UnusableError
        If it is something else than a number.
    """
    if value is None or value == "":
        return float("nan")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not np.isfinite(number):
        msg = f"{what} is {str(value)[:40]!r}, no number"
        raise UnusableError(msg)
    return number


def use_of(code: str) -> str:
    """Return the use that a function stands for: ALKIS, CityGML's list, or a plain word.

    >>> use_of("31001_2020"), use_of("1320"), use_of("51009_1610")
    ('office', 'industrial', 'other')
    """
    code = code.strip()
    if code.startswith("31001_"):
        number, table = code[6:], defaults.USE_BY_ALKIS
        return next((table[number[:n]] for n in range(4, 0, -1) if number[:n] in table), "other")
    if code.isdigit() and len(code) == 4:
        uses = defaults.USE_BY_CITYGML
        return next((use for low, high, use in uses if low <= int(code) <= high), "other")
    word = code.lower().replace("building", "").strip()
    if word in schema.BUILDING_USES:
        return word
    return defaults.USE_BY_BUILDING.get(word) or defaults.USE_BY_AMENITY.get(word, "other")


@dataclass(frozen=True)
class _Flat:
    """The corners of all polygons of a file in one array."""

    points: Floats  # [corners, xyz]
    ring: npt.NDArray[np.int64]  # of corners
    polygon: npt.NDArray[np.int64]  # of rings
    building: npt.NDArray[np.int64]  # of polygons

    @classmethod
    def of(cls, polygons: list[list[list[Floats]]]) -> _Flat:
        """Return the polygons of buildings, one list a building, in one array."""
        rings = [ring for one in polygons for polygon in one for ring in polygon]
        counts = [len(polygon) for one in polygons for polygon in one]
        return cls(
            np.concatenate(rings) if rings else np.empty((0, 3)),
            np.repeat(np.arange(len(rings)), [len(ring) for ring in rings]),
            np.repeat(np.arange(len(counts)), counts),
            np.repeat(np.arange(len(polygons)), [len(one) for one in polygons]),
        )

    def shapes(self) -> npt.NDArray[np.object_]:
        """Return the polygons, with their holes and heights."""
        import shapely

        rings = shapely.linearrings(self.points, indices=self.ring)
        found: npt.NDArray[np.object_] = shapely.polygons(rings, indices=self.polygon)
        return found

    def normals(self) -> Floats:
        """Area vectors [polygons, xyz] in m², by Newell's sum over the edges of all rings."""
        first = np.flatnonzero(np.diff(self.ring, prepend=-1))
        local = self.points - self.points[first][self.ring]
        cross = np.cross(local[:-1], local[1:]) / 2.0
        cross[self.ring[:-1] != self.ring[1:]] = 0.0
        of = self.polygon[self.ring[:-1]]
        n = len(self.building)
        sums = [np.bincount(of, cross[:, k], n) for k in range(3)]
        return np.column_stack(sums).astype(np.float64)

    def rises(self) -> Floats:
        """Difference [polygons] of the highest and the lowest corner in metres."""
        of = self.polygon[self.ring]
        low, high = np.full(len(self.building), np.inf), np.full(len(self.building), -np.inf)
        np.minimum.at(low, of, self.points[:, 2])
        np.maximum.at(high, of, self.points[:, 2])
        return np.asarray(high - low)

    def ranges(self, n: int) -> Floats:
        """Lowest and highest corner [buildings, 2] in metres."""
        of = self.building[self.polygon[self.ring]]
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(low, of, self.points[:, 2])
        np.maximum.at(high, of, self.points[:, 2])
        return np.column_stack([low, high])


def tables(models: Models, crs: pyproj.CRS) -> dict[str, pd.DataFrame]:
    """Return the tables of a file: buildings, surfaces, and what else it has, in the city's CRS.

    Buildings that have no footprint or no place in the city's CRS are added to those left out.
    One of which no more than the outline is known has no surfaces.
    """
    import shapely

    flat, why = _placed(models, crs)
    n = len(models.buildings)
    normals, ranges = flat.normals(), flat.ranges(n)
    kinds = _kinds([k for model in models.buildings for k in model.kinds], flat, normals, ranges)
    keep = np.linalg.norm(normals, axis=1) > LEAST_AREA_M2
    level = flat.rises() < LEVEL_M
    shapes = flat.shapes()
    plan = shapely.force_2d(shapes)
    rows: list[tuple[Any, ...]] = []
    surfaces: list[tuple[Any, ...]] = []
    bounds = np.searchsorted(flat.building, np.arange(n + 1))
    for b, model in enumerate(models.buildings):
        own = slice(int(bounds[b]), int(bounds[b + 1]))
        ground = (kinds[own] == "ground") & keep[own]
        footprint = footprint_of(plan[own][ground]) or footprint_of(plan[own][keep[own]])
        if why[b] or footprint is None:
            models.left_out.append(f"{model.id}: {why[b] or 'has no footprint'}")
            continue
        low, high = ranges[b]
        known = kinds[own][keep[own]]
        if model.flat or ("wall" not in known and level[own][keep[own]].all()):
            # The roof's edge above the footprint is a height, an outline alone is none.
            rise = high - low if {"roof", "ground"} <= set(known) else 0.0
        else:
            rise = high - low
            surfaces += [
                (len(rows), kinds[s], shapes[s]) for s in range(own.start, own.stop) if keep[s]
            ]
        rows.append(_building(model, footprint, float(rise)))
    models.buildings = []
    found = {
        "buildings": _table("buildings", rows, crs),
        "surfaces": _table("surfaces", surfaces, crs),
    }
    return found | _others(models, crs)


def _placed(models: Models, crs: pyproj.CRS) -> tuple[_Flat, list[str]]:
    """Return the corners in the city's CRS, and why each building has no place there, "" if it has.

    Corners of a building without a place are 0.
    """
    flat = _Flat.of([model.polygons for model in models.buildings])
    n = len(models.buildings)
    of = flat.building[flat.polygon[flat.ring]]
    texts = np.array([model.crs or models.crs for model in models.buildings], dtype=object)
    points, why = np.zeros_like(flat.points), [""] * n
    for text in dict.fromkeys(texts.tolist()):
        some = (texts == text)[of]
        source = references.file_crs(text, models.path)
        x, y = references.east_north(flat.points[some], text, models, source)
        for edge in _edges(x, y, of[some], n):
            there = np.isfinite(edge).all(axis=1)
            inside = references.in_area_of_use(source, edge[:, 0], edge[:, 1], AREA_MARGIN_DEG)
            for b in np.flatnonzero(there & ~inside):
                at = f"{edge[b, 0]:.9g} {edge[b, 1]:.9g}"
                why[b] = f"a corner is at {at}, outside the area of use of {source.name}"
        points[some] = references.to_plane(flat.points[some], models, crs, text)
    points[np.array([bool(w) for w in why])[of]] = 0.0
    for b in np.unique(of[~np.isfinite(points).all(axis=1)]):
        why[b] = "cannot be projected into the city's CRS"
    points[np.array([bool(w) for w in why])[of]] = 0.0
    low, high = _edges(points[:, 0], points[:, 1], of, n)
    with np.errstate(invalid="ignore"):
        width = (high - low).max(axis=1)
    for b in np.flatnonzero(width > WIDEST_M):
        why[b] = f"is {width[b]:.0f} m wide, more than {WIDEST_M:.0f} m: a corner slipped"
    points[np.array([bool(w) for w in why])[of]] = 0.0
    return _Flat(points, flat.ring, flat.polygon, flat.building), why


def _edges(x: Floats, y: Floats, of: npt.NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    """Return the lowest and the highest x and y [n, 2] of each building, infinite without any."""
    low, high = np.full((n, 2), np.inf), np.full((n, 2), -np.inf)
    for k, values in enumerate((x, y)):
        np.minimum.at(low[:, k], of, values)
        np.maximum.at(high[:, k], of, values)
    return low, high


def _table(name: str, rows: list[tuple[Any, ...]], crs: pyproj.CRS) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema.TABLES[name])
    return schema.build(name, dict(zip(schema.TABLES[name], columns, strict=True)), crs)


def _kinds(
    said: list[str], flat: _Flat, normals: Floats, ranges: Floats
) -> npt.NDArray[np.object_]:
    """Kinds of surfaces: as the file says, else by the normal, which points outwards."""
    n = len(ranges)
    first = np.flatnonzero(np.diff(flat.polygon[flat.ring], prepend=-1))
    start = flat.points[first]
    middle = np.column_stack(
        [np.bincount(flat.building, start[:, k], n) for k in range(2)]
    ) / np.maximum(1, np.bincount(flat.building, minlength=n))[:, None]  # fmt: skip
    # Three times the volume seen from the lowest level, so that a missing floor adds nothing.
    arm = start - np.column_stack([middle, ranges[:, 0]])[flat.building]
    volume = np.bincount(flat.building, (arm * normals).sum(axis=1), n)
    size = np.maximum(np.linalg.norm(normals, axis=1), LEAST_AREA_M2)
    up = normals[:, 2] / size * np.where(volume < 0.0, -1.0, 1.0)[flat.building]
    guessed = np.where(np.abs(up) < VERTICAL, "wall", np.where(up > 0.0, "roof", "ground"))
    kinds = np.array(said, dtype=object)
    return np.where(kinds == "", guessed.astype(object), kinds)


def footprint_of(plan: npt.NDArray[np.object_]) -> Any:
    """Return the union of polygons in the plane, None where they have no area."""
    import shapely

    plan = plan[shapely.area(plan) > LEAST_AREA_M2]
    if not len(plan):
        return None
    union = shapely.union_all(shapely.make_valid(plan))
    parts = [
        p for p in shapely.get_parts(union).tolist()
        if p.geom_type == "Polygon" and p.area > 0.01
    ]  # fmt: skip
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _building(model: Model, footprint: Any, extent_m: float) -> tuple[Any, ...]:
    """Return the row of a building, its height as measured, else from its corners."""
    levels = model.levels
    if not 0.0 < levels <= defaults.MAX_HEIGHT_M / defaults.STOREY_HEIGHT_M:
        levels = float("nan")
    if 0.0 < model.measured_m <= defaults.MAX_HEIGHT_M:
        height, origin = model.measured_m, "height"
    elif 0.01 < extent_m <= defaults.MAX_HEIGHT_M:
        height, origin = extent_m, "geometry"
    else:
        origin = "default" if np.isnan(levels) else "levels"
        height = defaults.STOREY_HEIGHT_M * (
            defaults.LEVELS_BY_USE[model.use] if np.isnan(levels) else levels
        )
    if np.isnan(levels):
        levels = max(1.0, float(round(height / defaults.STOREY_HEIGHT_M)))
    area = footprint.area
    return (model.id, model.use, height, origin, levels, area, area * levels, model.name,
            footprint)  # fmt: skip


def _others(models: Models, crs: pyproj.CRS) -> dict[str, pd.DataFrame]:
    """Return roads and plants as landuse, waters, and trees as places."""
    import shapely

    flat = _Flat.of([polygons for *_, polygons in models.areas])
    if len(flat.points):
        points = np.nan_to_num(references.to_plane(flat.points, models, crs), posinf=0.0)
        flat = _Flat(points, flat.ring, flat.polygon, flat.building)
    plan = shapely.force_2d(flat.shapes()) if len(flat.points) else np.empty(0, dtype=object)
    bounds = np.searchsorted(flat.building, np.arange(len(models.areas) + 1))
    rows: dict[str, list[tuple[Any, ...]]] = {"landuse": [], "water": [], "places": []}
    for a, (table, identifier, kind, _) in enumerate(models.areas):
        union = footprint_of(plan[bounds[a] : bounds[a + 1]])
        if union is not None:
            rows[table] += [(identifier, kind, part) for part in shapely.get_parts(union).tolist()]
    if models.points:
        places = references.to_plane(np.array([xyz for *_, xyz in models.points]), models, crs)
        rows["places"] = [
            (identifier, kind, "", shapely.Point(place[:2]))
            for (identifier, kind, _), place in zip(models.points, places, strict=True)
            if np.isfinite(place).all()
        ]
    return {name: _table(name, found, crs) for name, found in rows.items()}
