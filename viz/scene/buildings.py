"""Buildings: footprints raised to their heights, or their roofs and walls where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.mesh import FOOT_SHADE, Mesh, blocks, merge
from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]

ROOF = "#faf7f1"
TILES = "#d9c3b4"  # of a roof whose shape is known
SINK_M = 0.3  # walls go so far into the ground, so that none ends above it
LEAST_M2 = 4.0
LEVEL = float(np.cos(np.radians(2.0)))  # a roof less steep than 2 degrees is level
SHED_M2, COARSE_M = 50.0, 3.0  # what is not seen from afar


@dataclass(frozen=True)
class Blocks:
    """Buildings with level roofs.

    Attributes
    ----------
    footprints
        (n,) polygons of the scene.
    base, top
        (n,) heights of foot and roof in the scene, m.
    row
        (n,) row in `city.buildings`.
    """

    footprints: Any
    base: Floats
    top: Floats
    row: Rows


@dataclass(frozen=True)
class Faces:
    """Triangles of buildings whose roofs and walls are known.

    Attributes
    ----------
    points
        (n, 3 corners, xyz) in scene coordinates.
    roof
        (n,) whether the triangle is of a pitched roof, which is drawn as tiles.
    row
        (n,) row in `city.buildings`.
    """

    points: Floats
    roof: npt.NDArray[np.bool_]
    row: Rows


def building_blocks(city: City, ground: Ground) -> Blocks:
    """Return the buildings within the rectangle of which only footprint and height are known."""
    import shapely

    shapes = city.buildings.geometry.to_numpy()
    frame = shapely.box(*ground.box)
    keep = shapely.intersects(shapes, frame) & (shapely.area(shapes) > LEAST_M2)
    keep[city.surfaces["building"].unique()] = False
    row = np.flatnonzero(keep)
    shapes = shapes[row].copy()
    across = ~shapely.within(shapes, frame)
    shapes[across] = shapely.intersection(shapely.make_valid(shapes[across]), frame)
    shapes = ground.moved(shapes)
    low, high = _feet(shapes, ground)
    height = city.buildings["height_m"].to_numpy(float)[row]
    return Blocks(shapes, low - (SINK_M if ground.terrain else 0.0), high + height, row)


def coarser(some: Blocks) -> Blocks:
    """Return the blocks as seen from afar: without sheds and courtyards, with fewer corners."""
    import shapely

    large = shapely.area(some.footprints) > SHED_M2
    shapes = some.footprints[large]
    simple = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    shapes[simple] = shapely.polygons(shapely.get_exterior_ring(shapes[simple]))
    shapes = shapely.simplify(shapes, COARSE_M)
    return Blocks(shapes, some.base[large], some.top[large], some.row[large])


def _feet(shapes: Any, ground: Ground) -> tuple[Floats, Floats]:
    """Return the lowest and the mean height of the ground along the footprints."""
    import shapely

    if ground.terrain is None:
        return np.zeros(len(shapes)), np.zeros(len(shapes))
    xy, of = shapely.get_coordinates(shapes, return_index=True)
    z = ground.height(xy)
    low = np.full(len(shapes), np.inf)
    np.minimum.at(low, of, z)
    count = np.maximum(np.bincount(of, minlength=len(shapes)), 1)
    return low, np.bincount(of, z, len(shapes)) / count


def building_faces(city: City, ground: Ground) -> Faces:
    """Return the roofs and walls that are known, every building set down on the ground.

    Its lowest point comes to stand on the ground's lowest height below it, since models and
    terrain may count heights from different levels.
    """
    import shapely

    table = city.surfaces
    shapes = table.geometry.to_numpy()
    building = table["building"].to_numpy()
    inside = shapely.intersects(shapely.box(*ground.box), shapes)
    kept = inside & (table["kind"] != "ground").to_numpy()
    points, of = _triangles(shapes[kept])
    row = building[kept][of]
    roof = (table["kind"] == "roof").to_numpy()[kept][of]
    points = points - [*ground.origin[:2], 0.0]
    if not len(points):
        return Faces(points, roof, row)
    foot = np.full(len(city.buildings), np.inf)
    corners, whose = shapely.get_coordinates(shapes, include_z=True, return_index=True)
    np.minimum.at(foot, building[whose], corners[:, 2])
    low = np.full(len(city.buildings), np.inf)
    xy = corners[:, :2] - ground.origin[:2]
    np.minimum.at(low, building[whose], ground.height(xy))
    points[:, :, 2] += (low[row] - foot[row])[:, None]
    across = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    down = roof & (across[:, 2] < 0.0)  # files do not agree on which side is outside
    points[down] = points[down][:, ::-1]
    size = np.maximum(np.linalg.norm(across, axis=1), 1e-12)
    return Faces(points, roof & (np.abs(across[:, 2]) < LEVEL * size), row)


def _triangles(shapes: Any) -> tuple[Floats, Rows]:
    """Return triangles (n, 3, xyz) of plane polygons in space, and the polygon of each.

    Each polygon is seen along the axis that its normal (Newell's) is nearest to, cut into
    triangles there, and put back into its plane.
    """
    import shapely

    from viz.mesh import triangulate

    xyz, of = shapely.get_coordinates(shapely.get_exterior_ring(shapes), include_z=True,
                                      return_index=True)  # fmt: skip
    a, b = xyz[:-1], xyz[1:]
    same = (of[1:] == of[:-1])[:, None]
    normal = np.zeros((len(shapes), 3))
    cross = np.where(same, np.cross(a - xyz[np.searchsorted(of, of[:-1])],
                                    b - xyz[np.searchsorted(of, of[:-1])]), 0.0)  # fmt: skip
    np.add.at(normal, of[:-1], cross)
    axis = np.argmax(np.abs(normal), axis=1)
    found, rows = [], []
    for k in range(3):
        some = np.flatnonzero((axis == k) & (np.abs(normal).max(axis=1) > 1e-9))
        if not len(some):
            continue
        u, v = (k + 1) % 3, (k + 2) % 3
        turned = shapely.transform(
            shapes[some], lambda p, axes=(u, v, k): p[:, axes], include_z=True
        )
        seen = shapely.force_2d(turned)
        usable = shapely.is_valid(seen)
        corners, whose = triangulate(seen[usable])
        poly = some[usable][whose]
        n, p = normal[poly], xyz[np.searchsorted(of, poly)]
        rise = (corners[..., 0] - p[:, None, u]) * n[:, None, u]
        rise = rise + (corners[..., 1] - p[:, None, v]) * n[:, None, v]
        w = p[:, None, k] - rise / n[:, None, k]
        out = np.empty((len(corners), 3, 3))
        out[..., u], out[..., v], out[..., k] = corners[..., 0], corners[..., 1], w
        flip = n[:, k] < 0
        out[flip] = out[flip][:, ::-1]
        found.append(out)
        rows.append(poly)
    if not found:
        return np.zeros((0, 3, 3)), np.zeros(0, np.intp)
    return np.concatenate(found), np.concatenate(rows)


def roof_colours(row: Rows, colour: str = ROOF) -> npt.NDArray[np.uint8]:
    """Return nearly one colour, each building a little different, so that neighbours tell apart."""
    shade = 0.955 + 0.045 * ((row * 0.61803398875) % 1.0)
    return np.asarray(np.round(rgb(colour)[None, :] * shade[:, None]), np.uint8)


def block_mesh(some: Blocks) -> Mesh:
    """Return the buildings with level roofs in one mesh."""
    return blocks(some.footprints, some.base, some.top, roof_colours(some.row))


def face_mesh(faces: Faces) -> Mesh:
    """Return the buildings whose roofs and walls are known in one mesh, walls darker at the foot.

    Walls may be turned inside out, so they must be drawn from both sides.
    """
    if not len(faces.points):
        return merge([])
    walls, tiles = roof_colours(faces.row), roof_colours(faces.row, TILES)
    shown = np.repeat(np.where(faces.roof[:, None], tiles, walls), 3, axis=0).astype(float)
    points, row = faces.points.reshape(-1, 3), np.repeat(faces.row, 3)
    low = np.full(int(row.max()) + 1, np.inf)
    np.minimum.at(low, row, points[:, 2])
    foot = ~np.repeat(faces.roof, 3) & (points[:, 2] < low[row] + 0.5)
    shown[foot] *= FOOT_SHADE
    colours = np.round(shown).astype(np.uint8)
    return Mesh(points, np.arange(len(points)).reshape(-1, 3), colours)
