"""Triangles of a city: areas to flats, footprints to blocks, lines to ribbons, and shadows.

Corners are shared: a block has its footprint twice, below and above, and nothing more. What light
does to a face follows from its normal, which is found where it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]
    Colours = npt.NDArray[np.uint8]

FOOT_SHADE = 0.80  # walls are darker at the foot, where the street hides the sky
MITRE = 2.0  # no corner of a ribbon lies further out than so many half widths
NEARLY_CONVEX = 0.9  # of its hull's area


@dataclass(frozen=True)
class Mesh:
    """Triangles with corners in common.

    Attributes
    ----------
    points
        float64, (n, xyz) in metres.
    faces
        int, (m, 3) rows of `points`, counter-clockwise seen from outside.
    colours
        uint8, (n, rgb) of the corners.
    smooth
        Unit normals (n, xyz) of the corners of a surface that looks round; None where every
        triangle looks flat.
    """

    points: Floats
    faces: Rows
    colours: Colours
    smooth: Floats | None = None

    def __len__(self) -> int:
        """Return the number of triangles."""
        return len(self.faces)

    def normals(self) -> Floats:
        """Return the unit normals (m, xyz) of the triangles."""
        a, b, c = (self.points[self.faces[:, k]] for k in range(3))
        across = np.cross(b - a, c - a)
        length = np.linalg.norm(across, axis=1)
        found: Floats = across / np.maximum(length, 1e-12)[:, None]
        return found


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Return all triangles in one mesh."""
    if not meshes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.intp), np.zeros((0, 3), np.uint8))
    before = np.cumsum([0, *(len(m.points) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.points for m in meshes]),
        np.concatenate([m.faces + k for m, k in zip(meshes, before, strict=True)]),
        np.concatenate([m.colours for m in meshes]),
        np.concatenate([m.smooth for m in meshes if m.smooth is not None])
        if all(m.smooth is not None for m in meshes)
        else None,
    )


def polygons_of(geometries: Any) -> tuple[npt.NDArray[np.object_], Rows]:
    """Return the polygons within geometries, oriented, and the row that each comes from."""
    import shapely

    parts, rows = shapely.get_parts(np.asarray(geometries, object), return_index=True)
    inner, of = shapely.get_parts(parts, return_index=True)  # collections hold multipolygons
    rows = rows[of]
    keep = (shapely.get_type_id(inner) == shapely.GeometryType.POLYGON) & (
        shapely.area(inner) > 0.01
    )
    return shapely.orient_polygons(inner[keep]), rows[keep]


def triangulate(polygons: Any) -> tuple[Floats, Rows]:
    """Return triangles (n, 3, xy) that fill the polygons less their holes, and whose each is."""
    import shapely

    found = shapely.constrained_delaunay_triangles(polygons)
    triangles, of = shapely.get_parts(found, return_index=True)
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
    a, b, c = (corners[:, k] for k in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    corners[turn < 0.0] = corners[turn < 0.0][:, ::-1]
    return corners, of


def flat(geometries: Any, z: float | Floats, colours: Colours) -> Mesh:
    """Return areas lying at a height.

    Parameters
    ----------
    geometries
        Polygons or multipolygons; other kinds are left out.
    z
        Height of all, or one per geometry.
    colours
        One colour (3,) or one per geometry (n, 3).
    """
    polygons, rows = polygons_of(geometries)
    corners, of = triangulate(polygons)
    heights = np.broadcast_to(np.asarray(z, float), (len(geometries),))[rows[of]]
    shown = np.broadcast_to(colours, (len(geometries), 3))[rows[of]]
    points = np.column_stack([corners.reshape(-1, 2), np.repeat(heights, 3)])
    return Mesh(points, np.arange(len(points)).reshape(-1, 3), np.repeat(shown, 3, axis=0))


def blocks(
    geometries: Any,
    bottom: float | Floats,
    top: float | Floats,
    colours: Colours,
    *,
    foot_shade: float = FOOT_SHADE,
) -> Mesh:
    """Return blocks with flat roofs; their corners are shared, so light tells walls from roofs.

    Parameters
    ----------
    geometries
        Footprints; holes become courtyards.
    bottom, top
        Heights of foot and roof, of all or one per geometry.
    colours
        One colour (3,) or one per geometry (n, 3).
    foot_shade
        Brightness of a wall's foot relative to its top.
    """
    import shapely

    polygons, rows = polygons_of(geometries)
    if not len(polygons):
        return merge([])
    count = len(geometries)
    low, high = (np.broadcast_to(np.asarray(v, float), (count,))[rows] for v in (bottom, top))
    shown = np.broadcast_to(colours, (count, 3))[rows]
    rings, of = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    last = np.append(ring[1:] != ring[:-1], True)
    keep = ~last
    xy, of = xy[keep], of[ring[keep]]
    here = np.arange(len(xy))
    begins = np.flatnonzero(np.append(True, ring[keep][1:] != ring[keep][:-1]))
    after = here + 1
    after[np.append(begins[1:], len(xy)) - 1] = begins
    n = len(xy)
    walls = np.concatenate(
        [
            np.column_stack([here, after, after + n]),
            np.column_stack([here, after + n, here + n]),
        ]
    )
    roofs = _roofs(polygons, xy, of, after) + n
    points = np.concatenate([np.column_stack([xy, low[of]]), np.column_stack([xy, high[of]])])
    lower = np.round(shown[of] * foot_shade).astype(np.uint8)
    return Mesh(points, np.concatenate([walls, roofs]), np.concatenate([lower, shown[of]]))


def _roofs(polygons: Any, xy: Floats, of: Rows, after: Rows) -> Rows:
    """Return triangles of the polygons as rows of their corners.

    Corners `xy` belong to `of`, and one comes before `after`. What is convex becomes a fan around
    its first corner.
    """
    import shapely

    a, b, c = xy, xy[after], xy[after[after]]
    turn = (b - a)[:, 0] * (c - b)[:, 1] - (b - a)[:, 1] * (c - b)[:, 0]
    convex = shapely.get_num_interior_rings(polygons) == 0
    convex[of[turn < 0.0]] = False
    first = np.searchsorted(of, np.arange(len(polygons)))
    k = np.arange(len(xy))
    fan = k[convex[of] & (k != first[of]) & (after != first[of])]
    fans = np.column_stack([first[of[fan]], fan, after[fan]])
    angled = np.flatnonzero(~convex)
    if not len(angled):
        return fans
    corners, whose = triangulate(polygons[angled])
    key = _keys(np.repeat(angled[whose], 3), corners.reshape(-1, 2))
    known = _keys(of, xy)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], key)
    found: Rows = order[np.minimum(place, len(order) - 1)].reshape(-1, 3)
    return np.concatenate([fans, found])


def _keys(of: Rows, xy: Floats) -> npt.NDArray[np.uint64]:
    """Return a hash of each polygon and place, equal where both are equal."""
    bits = np.ascontiguousarray(xy + 0.0).view(np.uint64)  # -0 becomes 0
    with np.errstate(over="ignore"):
        key = of.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for k in range(2):
            key = (key ^ (key >> np.uint64(29)) ^ bits[:, k]) * np.uint64(0xBF58476D1CE4E5B9)
    found: npt.NDArray[np.uint64] = key ^ (key >> np.uint64(32))
    return found


def ribbons(lines: Any, width: Floats, z: float, colours: Colours, *, least_m: float = 0.0) -> Mesh:
    """Return lines as flat bands, with mitred corners and square ends.

    Parameters
    ----------
    lines
        LineStrings.
    width
        One per line, m.
    z
        Height of all.
    colours
        One colour (3,) or one per line (n, 3).
    least_m
        Points of a line that lie closer together are one.
    """
    import shapely

    if least_m:
        lines = shapely.simplify(lines, least_m)
    xy, of = shapely.get_coordinates(lines, return_index=True)
    return strips(
        xy, of, np.asarray(width, float)[of], z, np.broadcast_to(colours, (len(lines), 3))
    )


def strips(xy: Floats, of: Rows, width: Floats, z: float | Floats, colours: Colours) -> Mesh:
    """Return bands along lines that are given by their points.

    Parameters
    ----------
    xy
        (n, 2) points of all lines, one line after the other.
    of
        (n,) to which line each point belongs, rising.
    width
        (n,) of the band at each point.
    z
        Height of all points, or of each.
    colours
        (lines, 3).
    """
    if len(xy) < 2:
        return merge([])
    side = sides(xy, of)
    left = xy + side * (width / 2.0)[:, None]
    right = xy - side * (width / 2.0)[:, None]
    height = np.broadcast_to(np.asarray(z, float), (len(xy),))
    n = len(xy)
    points = np.column_stack([np.concatenate([left, right]), np.tile(height, 2)])
    k = np.flatnonzero(of[1:] == of[:-1])
    faces = np.concatenate(
        [np.column_stack([k + n, k + n + 1, k + 1]), np.column_stack([k + n, k + 1, k])]
    )
    return Mesh(points, faces, np.tile(colours[of], (2, 1)))


def sides(xy: Floats, of: Rows) -> Floats:
    """Return, for each point of lines, the way to the left, longer in a bend (a mitre)."""
    step = np.diff(xy, axis=0)
    same = of[1:] == of[:-1]
    length = np.hypot(step[:, 0], step[:, 1])
    unit = step / np.maximum(length, 1e-9)[:, None]
    unit[~same | (length < 1e-9)] = 0.0
    normal = np.column_stack([-unit[:, 1], unit[:, 0]])
    before = np.concatenate([np.zeros((1, 2)), normal])
    after = np.concatenate([normal, np.zeros((1, 2))])
    total = before + after
    size = np.hypot(total[:, 0], total[:, 1])
    both = (np.abs(before).sum(axis=1) > 0) & (np.abs(after).sum(axis=1) > 0)
    mean = total / np.maximum(size, 1e-9)[:, None]
    # The mitre of two unit normals is their mean direction, longer by 1 / cos of half the bend.
    stretch = np.where(both, np.minimum(2.0 / np.maximum(size, 1e-9), MITRE), 1.0)
    found: Floats = mean * stretch[:, None]
    return found


def shadows(geometries: Any, heights: Floats, light: tuple[float, float, float]) -> Any:
    """Return the area that blocks shade on level ground, as one geometry.

    A block's shadow is its footprint swept along the light. For a footprint that is (nearly)
    convex that is the hull of both ends; for others the union of both ends with the
    parallelograms that the edges pass over.
    """
    import shapely

    polygons, rows = polygons_of(geometries)
    shift = heights[rows, None] * (-np.asarray(light[:2]) / light[2])
    far = _moved(polygons, shift)
    hulls = shapely.convex_hull(polygons)
    convex = shapely.area(polygons) > NEARLY_CONVEX * shapely.area(hulls)
    ends = shapely.multipolygons(np.column_stack([polygons[convex], far[convex]]))
    angled = ~convex
    swept = [shapely.convex_hull(ends), polygons[angled], far[angled]]
    swept.append(_passed_over(polygons[angled], shift[angled]))
    return shapely.disjoint_subset_union_all(np.concatenate(swept))


def _passed_over(polygons: Any, shift: Floats) -> Any:
    """Return the parallelograms over which the edges of polygons pass when they are moved."""
    import shapely

    rings, of = shapely.get_rings(shapely.simplify(polygons, 0.5), return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    a, b = xy[:-1][same], xy[1:][same]
    by = shift[of[ring[:-1][same]]]
    quads = shapely.polygons(np.stack([a, b, b + by, a + by], 1))
    return quads[shapely.area(quads) > 0.01]


def _moved(polygons: Any, by: Floats) -> Any:
    """Return polygons, each moved by its own vector."""
    import shapely

    count = shapely.get_num_coordinates(polygons)
    xy = shapely.get_coordinates(polygons) + np.repeat(by, count, axis=0)
    return shapely.set_coordinates(polygons.copy(), xy)
