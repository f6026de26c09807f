"""A camera that sees a whole city from the side that fills the picture best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

VIEW_ANGLE_DEG = 17.0  # narrow: verticals stay upright, as in photographs of models
NEAR_VIEW_ANGLE_DEG = 30.0
ELEVATIONS_DEG = (40.0, 47.0, 54.0)
AZIMUTHS_DEG = tuple(range(-75, 76, 15))  # seen from the south, more or less, so north is up


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and how it looks.

    Attributes
    ----------
    position, focal
        Places of the camera and of what it looks at, in metres.
    view_angle
        Vertical angle of view in degrees.
    aspect
        Width over height of the picture.
    """

    position: tuple[float, float, float]
    focal: tuple[float, float, float]
    view_angle: float
    aspect: float

    @property
    def azimuth_deg(self) -> float:
        """Where the camera stands: 0 south, 90 east of what it looks at."""
        x, y, _ = np.subtract(self.position, self.focal)
        return float(np.degrees(np.arctan2(x, -y)))

    @property
    def elevation_deg(self) -> float:
        """How high it stands: 0 level with what it looks at, 90 above it."""
        x, y, z = np.subtract(self.position, self.focal)
        return float(np.degrees(np.arctan2(z, np.hypot(x, y))))

    @property
    def distance_m(self) -> float:
        """From what it looks at."""
        return float(np.linalg.norm(np.subtract(self.position, self.focal)))

    @property
    def pixel_m(self) -> float:
        """What a pixel of a picture 1080 pixels high spans where the camera looks, m."""
        return 2.0 * self.distance_m * float(np.tan(np.radians(self.view_angle) / 2.0)) / 1080.0

    def axes(self) -> Floats:
        """Return unit vectors to the right, up and ahead, as rows."""
        ahead = np.subtract(self.focal, self.position)
        ahead = ahead / np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(right, ahead), ahead])

    def project(self, points: npt.ArrayLike) -> Floats:
        """Return (n, 3): place in the picture from -1 to 1 (right, up), and depth in metres."""
        seen = (np.asarray(points, float) - self.position) @ self.axes().T
        scale = 1.0 / np.tan(np.radians(self.view_angle) / 2.0)
        x = seen[:, 0] / seen[:, 2] * scale / self.aspect
        return np.column_stack([x, seen[:, 1] / seen[:, 2] * scale, seen[:, 2]])

    def pixels(self, points: npt.ArrayLike, size: tuple[int, int]) -> Floats:
        """Return (n, 2) pixels from the picture's upper left corner."""
        seen = self.project(points)
        return np.column_stack(
            [(seen[:, 0] + 1.0) / 2.0 * size[0], (1.0 - seen[:, 1]) / 2.0 * size[1]]
        )


def looking(
    focal: npt.ArrayLike,
    distance_m: float,
    azimuth_deg: float,
    elevation_deg: float,
    size: tuple[int, int],
    view_angle: float = NEAR_VIEW_ANGLE_DEG,
) -> Camera:
    """Return a camera that looks at a place.

    Parameters
    ----------
    focal
        The place, (xyz).
    distance_m
        From the place.
    azimuth_deg
        Where the camera stands: 0 south, 90 east of the place.
    elevation_deg
        How high it stands: 0 on the ground, 90 above the place.
    size
        Width and height of the picture.
    view_angle
        Vertical angle of view in degrees.
    """
    at = np.asarray(focal, float)
    back = _back(azimuth_deg, elevation_deg)
    return Camera(_triple(at + back * distance_m), _triple(at), view_angle, size[0] / size[1])


def _back(azimuth_deg: float, elevation_deg: float) -> Floats:
    """Return the unit vector from what a camera looks at to the camera."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])


def fitted(
    corners: Floats, size: tuple[int, int], frame: tuple[float, float, float, float]
) -> Camera:
    """Return the camera that shows all corners as large as they fit.

    Parameters
    ----------
    corners
        (n, 3) points that must be seen.
    size
        Width and height of the picture in pixels.
    frame
        Left, top, right and bottom of the room for the city, as shares of the picture.
    """
    ways = [(azimuth, elevation) for azimuth in AZIMUTHS_DEG for elevation in ELEVATIONS_DEG]
    cameras = [_fit(corners, azimuth, elevation, size, frame) for azimuth, elevation in ways]
    # Of views that fill the picture about as well, the lower one, nearest to looking north.
    worth = [
        _filled(camera, corners) - 0.03 * abs(azimuth) / 75.0 - 0.006 * (elevation - 40.0)
        for camera, (azimuth, elevation) in zip(cameras, ways, strict=True)
    ]
    return cameras[int(np.argmax(worth))]


def _filled(camera: Camera, corners: Floats) -> float:
    """Return the share of the picture that the hull of the corners covers."""
    import shapely

    hull = shapely.convex_hull(shapely.multipoints(camera.project(corners)[:, :2]))
    return float(shapely.area(hull)) / 4.0


def _fit(
    corners: Floats,
    azimuth: float,
    elevation: float,
    size: tuple[int, int],
    frame: tuple[float, float, float, float],
) -> Camera:
    """Return the camera of one direction that just holds the corners within the frame."""
    aspect = size[0] / size[1]
    back = _back(azimuth, elevation)
    target = np.array([frame[0] + frame[2] - 1.0, 1.0 - 2.0 * frame[1]])  # middle, and top
    room = np.array([frame[2] - frame[0], frame[3] - frame[1]]) * 2.0
    focal = corners.mean(axis=0)
    distance = float(np.ptp(corners, axis=0).max()) * 3.0
    for _ in range(30):
        camera = Camera(_triple(focal + back * distance), _triple(focal), VIEW_ANGLE_DEG, aspect)
        seen = camera.project(corners)[:, :2]
        low, high = seen.min(axis=0), seen.max(axis=0)
        half = np.tan(np.radians(VIEW_ANGLE_DEG) / 2.0) * distance
        hung = np.array([(low[0] + high[0]) / 2.0, high[1]])  # room to spare is left below
        off = (hung - target) * half * np.array([aspect, 1.0])
        right, up, _ = camera.axes()
        focal = focal + right * off[0] + up * off[1]
        distance *= float(np.max((high - low) / room))
    return Camera(_triple(focal + back * distance), _triple(focal), VIEW_ANGLE_DEG, aspect)


def _triple(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
