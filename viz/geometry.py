"""Triangles of a city: footprints to blocks, areas to flats, lines to ribbons, and shadows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Colours = npt.NDArray[np.uint8]

AMBIENT = 0.62
FOOT_SHADE = 0.80  # walls are darker at the foot, where the street hides the sky

NEARLY_CONVEX = 0.9  # of its hull's area


@dataclass(frozen=True)
class Mesh:
    """Loose triangles, each corner with a place and a colour.

    Attributes
    ----------
    points
        float64, (n, 3 corners, xyz) in metres.
    colours
        uint8, (n, 3 corners, rgb).
    """

    points: Floats
    colours: Colours

    def __len__(self) -> int:
        """Return the number of triangles."""
        return len(self.points)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Return all triangles in one mesh."""
    if not meshes:
        return Mesh(np.zeros((0, 3, 3)), np.zeros((0, 3, 3), np.uint8))
    return Mesh(
        np.concatenate([m.points for m in meshes]), np.concatenate([m.colours for m in meshes])
    )


def polygons_of(geometries: Any) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.intp]]:
    """Return the polygons within geometries, oriented, and the row that each comes from."""
    import shapely

    parts, rows = shapely.get_parts(np.asarray(geometries, object), return_index=True)
    inner, of = shapely.get_parts(parts, return_index=True)  # collections hold multipolygons
    rows = rows[of]
    keep = (shapely.get_type_id(inner) == shapely.GeometryType.POLYGON) & (
        shapely.area(inner) > 0.01
    )
    return shapely.orient_polygons(inner[keep]), rows[keep]


def triangulate(polygons: Any) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return triangles (n, 3, xy) that fill the polygons less their holes, and whose each is."""
    import shapely

    found = shapely.constrained_delaunay_triangles(polygons)
    triangles, of = shapely.get_parts(found, return_index=True)
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
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
    points = np.dstack([corners, np.repeat(heights[:, None], 3, axis=1)])
    return Mesh(points, np.repeat(shown[:, None, :], 3, axis=1))


def extrude(
    geometries: Any,
    bottom: float,
    top: Floats,
    colours: Colours,
    light: tuple[float, float, float],
    *,
    foot_shade: float = FOOT_SHADE,
) -> Mesh:
    """Return blocks with flat roofs: roofs in their full colour, walls lit from one side.

    Parameters
    ----------
    geometries
        Footprints; holes become courtyards.
    bottom, top
        Height of the foot of all, and of each roof.
    colours
        One per geometry (n, 3).
    light
        Unit vector towards the light.
    foot_shade
        Brightness of a wall's foot relative to its top.
    """
    import shapely

    roofs = flat(geometries, top, colours)
    polygons, rows = polygons_of(geometries)
    rings, of = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    a, b = xy[:-1][same], xy[1:][same]
    row = rows[of[ring[:-1][same]]]
    step = b - a
    length = np.hypot(step[:, 0], step[:, 1])
    normal = np.column_stack([step[:, 1], -step[:, 0]]) / np.maximum(length, 1e-9)[:, None]
    facing = np.clip(normal @ np.asarray(light[:2]), 0.0, None)
    shade = AMBIENT + (1.0 - AMBIENT) * facing
    upper = colours[row] * shade[:, None]
    return merge([roofs, _walls(a, b, bottom, top[row], upper, foot_shade)])


def _walls(
    a: Floats, b: Floats, bottom: float, top: Floats, upper: Floats, foot_shade: float
) -> Mesh:
    """Return two triangles per wall, darker at the foot."""
    low, high = np.full(len(a), bottom), top
    a0, b0 = np.column_stack([a, low]), np.column_stack([b, low])
    a1, b1 = np.column_stack([a, high]), np.column_stack([b, high])
    points = np.concatenate([np.stack([a0, b0, b1], 1), np.stack([a0, b1, a1], 1)])
    lower = upper * foot_shade
    shown = np.concatenate([np.stack([lower, lower, upper], 1), np.stack([lower, upper, upper], 1)])
    return Mesh(points, np.clip(shown, 0, 255).astype(np.uint8))


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
    return shapely.union_all(np.concatenate(swept))


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
