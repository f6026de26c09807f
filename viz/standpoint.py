"""Where a camera stands so that houses do not hide the street that it looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from viz.camera import Camera, looking

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Floats = npt.NDArray[np.float64]

NEAR_M, SHOWN_M = 190.0, 260.0  # least distance, and length of street that shall be seen
ASIDE_DEG = (-24.0, 24.0, -12.0, 12.0, 0.0)
ELEVATIONS_DEG = (34.0, 42.0, 52.0, 64.0)
STEEP = 0.006  # what a degree of elevation is worth, in shares of the street that are seen
PLACES = 9


def street_camera(city: City, ground: Ground, line: Any, size: tuple[int, int]) -> Camera:
    """Return the camera that sees most of the middle of a street, from as low as that allows.

    Parameters
    ----------
    city, ground
        Where it is.
    line
        The street, in scene coordinates.
    size
        Width and height of the picture.
    """
    import shapely

    length = line.length
    reach = min(SHOWN_M, length) / 2.0
    along = length / 2.0 + np.linspace(-reach, reach, PLACES)
    xy = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
    middle = xy[PLACES // 2]
    focal = (float(middle[0]), float(middle[1]), float(ground.height(middle[None])[0]))
    way = xy[-1] - xy[0]
    course = float(np.degrees(np.arctan2(-way[0], way[1])))
    course = (course + 90.0) % 180.0 - 90.0  # north rather ahead
    distance = NEAR_M + 0.6 * reach
    seen = _Sight(city, ground)
    best, most = None, -np.inf
    for elevation in ELEVATIONS_DEG:
        for aside in ASIDE_DEG:
            camera = looking(focal, distance, course + aside, elevation, size)
            worth = seen.share(xy, camera) - STEEP * elevation
            if worth > most + 1e-9:
                best, most = camera, worth
    return best if best is not None else looking(focal, distance, course, 40.0, size)


class _Sight:
    """Whether buildings stand between a camera and places on the ground."""

    def __init__(self, city: City, ground: Ground) -> None:
        import shapely

        self._ground = ground
        self._shapes = ground.moved(city.buildings.geometry.to_numpy())
        self._high = city.buildings["height_m"].to_numpy(float)
        self._tree = shapely.STRtree(self._shapes)

    def share(self, xy: Floats, camera: Camera) -> float:
        """Return the share of places (n, 2) that the camera sees."""
        import shapely

        eye = np.asarray(camera.position)
        z = self._ground.height(xy)
        rays = shapely.linestrings(np.stack([xy, np.broadcast_to(eye[:2], xy.shape)], axis=1))
        ray, house = self._tree.query(rays, predicate="intersects")
        if not len(ray):
            return 1.0
        cut = shapely.intersection(rays[ray], self._shapes[house])
        near = shapely.distance(cut, shapely.points(xy[ray]))
        rise = (eye[2] - z[ray]) / np.maximum(np.hypot(*(eye[:2] - xy[ray]).T), 1e-6)
        top = (
            self._ground.height(shapely.get_coordinates(shapely.centroid(cut))) + self._high[house]
        )
        hidden = np.unique(ray[z[ray] + rise * near < top])
        return 1.0 - len(hidden) / len(xy)
