"""The ground that everything stands on: level, or the terrain where the city has one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.mesh import Mesh, blocks, merge, triangulate
from viz.outlines import Box, clipped, extent, surfaces
from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from twin.city.terrain import Terrain

    Floats = npt.NDArray[np.float64]

GROUND, PLATE = "#e6e1d7", "#bdb5a6"
GREEN, WATER = "#bccca6", "#a3c4d6"
THICKNESS = 0.012  # of the plate, as a share of the picture's diagonal


@dataclass(frozen=True)
class Ground:
    """The rectangle that is shown, and its heights.

    Attributes
    ----------
    box
        West, south, east and north edge in the city's CRS, m.
    terrain
        Heights; None where the ground is level.
    """

    box: Box
    terrain: Terrain | None = None

    @classmethod
    def of(cls, city: City) -> Ground:
        """Return the ground of a city."""
        return cls(extent(city), city.terrain)

    @cached_property
    def origin(self) -> tuple[float, float, float]:
        """Of the scene, in the city's CRS: the middle of the rectangle, its lowest height."""
        x, y = (self.box[0] + self.box[2]) / 2.0, (self.box[1] + self.box[3]) / 2.0
        return x, y, 0.0 if self.terrain is None else float(np.min(self._posts()[2]))

    @property
    def diagonal_m(self) -> float:
        """Length of the rectangle's diagonal."""
        return float(np.hypot(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    def moved(self, geometries: Any) -> Any:
        """Return geometries in the scene's coordinates."""
        import shapely

        x, y, _ = self.origin
        return shapely.transform(np.asarray(geometries, object), lambda xy: xy - (x, y))

    def height(self, xy: Floats) -> Floats:
        """Return the ground's height at places (n, 2) of the scene."""
        if self.terrain is None:
            return np.zeros(len(xy))
        x, y, z = self.origin
        west, south, east, north = self.terrain.box  # beyond its edge it goes on level
        at_x, at_y = np.clip(xy[:, 0] + x, west, east), np.clip(xy[:, 1] + y, south, north)
        found: Floats = self.terrain.at(at_x, at_y) - z
        return found

    def lay(self, mesh: Mesh) -> Mesh:
        """Return a mesh whose heights are over the ground, laid on it."""
        if self.terrain is None:
            return mesh
        xy = mesh.points[:, :2]
        raised = mesh.points + np.outer(self.height(xy), [0.0, 0.0, 1.0])
        return Mesh(raised, mesh.faces, mesh.colours, self.slope(xy))

    def slope(self, xy: Floats) -> Floats | None:
        """Return the ground's unit normals at places (n, 2); None where it is level."""
        if self.terrain is None:
            return None
        step = self.terrain.step_m
        east, north = np.array([step, 0.0]), np.array([0.0, step])
        rise = [self.height(xy + way) - self.height(xy - way) for way in (east, north)]
        normal = np.column_stack([-rise[0], -rise[1], np.full(len(xy), 2.0 * step)])
        found: Floats = normal / np.linalg.norm(normal, axis=1)[:, None]
        return found

    def mesh(self) -> Mesh:
        """Return the plate, or the terrain, which has its sides apart."""
        import shapely

        x, y, _ = self.origin
        thick = THICKNESS * self.diagonal_m
        if self.terrain is None:
            board = [shapely.box(*np.subtract(self.box, (x, y, x, y)))]
            return blocks(board, -thick, 0.0, rgb(GROUND), foot_shade=0.85)
        return self._relief()

    def side(self) -> Mesh:
        """Return the plate's sides under the terrain's edge; nothing where the ground is level."""
        return merge([]) if self.terrain is None else self._skirt(THICKNESS * self.diagonal_m)

    def _posts(self) -> tuple[Floats, Floats, Floats]:
        """Return x, y and heights (rows from south) of posts over the rectangle."""
        terrain = self.terrain
        assert terrain is not None  # noqa: S101 - callers have looked
        step = terrain.step_m
        x = _between(self.box[0], self.box[2], terrain.x0_m, step)
        y = _between(self.box[1], self.box[3], terrain.y0_m, step)
        across, along = np.meshgrid(x, y)
        return (
            x,
            y,
            np.asarray(terrain.at(across.ravel(), along.ravel()), float).reshape(across.shape),
        )

    def _relief(self) -> Mesh:
        x, y, z = self._posts()
        across, along = np.meshgrid(x - self.origin[0], y - self.origin[1])
        points = np.column_stack([across.ravel(), along.ravel(), z.ravel() - self.origin[2]])
        a = (np.arange(len(y) - 1)[:, None] * len(x) + np.arange(len(x) - 1)[None, :]).ravel()
        b, c, d = a + 1, a + len(x) + 1, a + len(x)
        faces = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
        colours = np.tile(rgb(GROUND), (len(points), 1))
        return Mesh(points, faces, colours, self.slope(points[:, :2]))

    def _skirt(self, thick: float) -> Mesh:
        """Return the plate's sides, from the terrain's edge down."""
        x, y, z = self._posts()
        x, y, z = x - self.origin[0], y - self.origin[1], z - self.origin[2]
        edge = np.concatenate(
            [
                np.column_stack([x, np.full(len(x), y[0]), z[0]]),
                np.column_stack([np.full(len(y), x[-1]), y, z[:, -1]])[1:],
                np.column_stack([x, np.full(len(x), y[-1]), z[-1]])[::-1][1:],
                np.column_stack([np.full(len(y), x[0]), y, z[:, 0]])[::-1][1:],
            ]
        )
        low = edge * [1.0, 1.0, 0.0] - [0.0, 0.0, thick]
        n, k = len(edge), np.arange(len(edge) - 1)
        faces = np.concatenate(
            [np.column_stack([k + n, k + 1 + n, k + 1]), np.column_stack([k + n, k + 1, k])]
        )
        shade = np.concatenate([np.tile(rgb(GROUND), (n, 1)), np.tile(rgb(PLATE), (n, 1))])
        return Mesh(np.concatenate([edge, low]), faces, shade)

    def hold(self, heights_m: npt.ArrayLike) -> Floats:
        """Return points (n, xyz) that a camera must see to see all, with buildings so high."""
        x, y, _ = self.origin
        west, south, east, north = self.box
        heights = np.asarray(heights_m, float)
        roof = float(np.percentile(heights, 99)) if heights.size else 0.0
        hills = 0.0 if self.terrain is None else float(np.ptp(self._posts()[2]))
        levels = (-THICKNESS * self.diagonal_m, hills + roof)
        edge = [(e - x, n - y) for e in (west, east) for n in (south, north)]
        return np.array([(e, n, z) for e, n in edge for z in levels])

    def drape(self, geometries: Any, colour: npt.NDArray[np.uint8]) -> Mesh:
        """Return areas of the scene that lie on the ground, cut along the terrain's triangles."""
        import shapely

        geometries = np.asarray(geometries, object)
        if self.terrain is not None and len(geometries):
            cells = self._triangles()
            tree = shapely.STRtree(cells)
            area, cell = tree.query(geometries, predicate="intersects")
            geometries = shapely.intersection(geometries[area], cells[cell])
        from viz.mesh import polygons_of

        corners, _ = triangulate(polygons_of(geometries)[0])
        xy = corners.reshape(-1, 2)
        points = np.column_stack([xy, self.height(xy)])
        faces = np.arange(len(points)).reshape(-1, 3)
        return Mesh(points, faces, np.tile(colour, (len(points), 1)), self.slope(xy))

    def _triangles(self) -> Any:
        """Return the terrain's triangles as polygons of the scene."""
        import shapely

        relief = self._relief()
        return shapely.polygons(relief.points[relief.faces][:, :, :2])


def green_and_water(city: City, ground: Ground) -> tuple[Any, Any]:
    """Return the green areas and the water, as polygons of the scene."""
    green, water = surfaces(city, ground.box)
    return ground.moved(green), ground.moved(water)


def paved(city: City, ground: Ground) -> Any:
    """Return areas of land that are streets in the city's data, as polygons of the scene."""
    land = city.landuse[city.landuse["kind"] == "road"].geometry.to_numpy()
    return ground.moved(clipped(land, ground.box))


def _between(low: float, high: float, first: float, step: float) -> Floats:
    """Return both ends and the multiples of a step between them."""
    k = np.arange(np.ceil((low - first) / step + 1e-6), np.floor((high - first) / step - 1e-6) + 1)
    return np.concatenate([[low], first + k * step, [high]])
