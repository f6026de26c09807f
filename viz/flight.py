"""Ways of a camera through a film: around a place, along a street, from bookmark to bookmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from viz.camera import VIEW_ANGLE_DEG, Camera, looking

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Flight = Callable[[float], Camera]
"""The camera at a share of the film, 0 to 1."""

AHEAD_M = 90.0  # how far ahead a camera looks that flies along a street
STAYS = 0.4  # share of a bookmark's time for which the camera stands still
HOP = 0.35  # height of the arc between bookmarks, as a share of their distance


@dataclass(frozen=True)
class View:
    """What a camera looks at, and from where.

    Attributes
    ----------
    focal
        (xyz) in scene coordinates.
    distance_m, azimuth_deg, elevation_deg
        From there, as in `viz.camera.looking`.
    view_angle
        Vertical angle of view in degrees.
    """

    focal: tuple[float, float, float]
    distance_m: float
    azimuth_deg: float
    elevation_deg: float
    view_angle: float

    @classmethod
    def of(cls, camera: Camera) -> View:
        """Return the view through a camera."""
        return cls(
            camera.focal,
            camera.distance_m,
            camera.azimuth_deg,
            camera.elevation_deg,
            camera.view_angle,
        )

    def camera(self, size: tuple[int, int]) -> Camera:
        """Return the camera for a picture of this size."""
        return looking(
            self.focal,
            self.distance_m,
            self.azimuth_deg,
            self.elevation_deg,
            size,
            self.view_angle,
        )


def orbit(
    start: Camera, hold: Floats, frame: tuple[float, float, float, float], turn_deg: float = 360.0
) -> Flight:
    """Return the way around, evenly, on which everything stays in the picture.

    Parameters
    ----------
    start
        Its direction is that in the middle of the way.
    hold
        Points (n, xyz) that must be seen.
    frame
        Left, top, right and bottom of the room for them, as shares of the picture.
    turn_deg
        How far it goes around, counter-clockwise seen from above.
    """
    size = (round(1000 * start.aspect), 1000)
    middle = np.append((hold[:, :2].min(axis=0) + hold[:, :2].max(axis=0)) / 2.0, 0.0)
    turns = np.linspace(0.0, turn_deg, 73)
    first = start.azimuth_deg - turn_deg / 2.0
    needed = [
        _far_enough(middle, hold, first + turn, start.elevation_deg, size, frame) for turn in turns
    ]

    def at(share: float) -> Camera:
        turn = turn_deg * share
        distance = float(np.interp(turn, turns, needed))
        return looking(middle, distance, first + turn, start.elevation_deg, size, VIEW_ANGLE_DEG)

    return at


def _far_enough(
    middle: Floats, hold: Floats, azimuth: float, elevation: float,
    size: tuple[int, int], frame: tuple[float, float, float, float],
) -> float:  # fmt: skip
    """Return the least distance from which all points lie in the frame, by bisection."""
    room = np.array([min(1.0 - 2.0 * frame[0], 2.0 * frame[2] - 1.0),
                     min(1.0 - 2.0 * frame[1], 2.0 * frame[3] - 1.0)])  # fmt: skip
    low, high = float(np.ptp(hold, axis=0).max()), 30.0 * float(np.ptp(hold, axis=0).max())
    for _ in range(24):
        distance = (low + high) / 2.0
        seen = looking(middle, distance, azimuth, elevation, size, VIEW_ANGLE_DEG).project(hold)
        inside = bool((np.abs(seen[:, :2]) <= room).all() and (seen[:, 2] > 0.0).all())
        low, high = (low, distance) if inside else (distance, high)
    return high


def along(
    line: Floats, height: Callable[[Floats], Floats], size: tuple[int, int], *,
    distance_m: float = 170.0, elevation_deg: float = 30.0,
) -> Flight:  # fmt: skip
    """Return the way along a line (n, 2), looking ahead; bends are taken wide.

    Parameters
    ----------
    line
        Points in scene coordinates.
    height
        Of the ground at places (n, 2).
    size
        Width and height of the picture.
    distance_m, elevation_deg
        From where the street is seen.
    """
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    total = float(length[-1])

    def place(metres: float) -> Floats:
        near = np.clip(metres + np.linspace(-0.5, 0.5, 9) * AHEAD_M, 0.0, total)
        return np.array([np.interp(near, length, line[:, k]).mean() for k in range(2)])

    def at(share: float) -> Camera:
        metres = _smooth(share) * total
        back, ahead = place(metres - AHEAD_M / 2.0), place(metres + AHEAD_M / 2.0)
        way = ahead - back
        middle = place(metres)
        focal = (float(middle[0]), float(middle[1]), float(height(middle[None])[0]))
        azimuth = float(np.degrees(np.arctan2(-way[0], way[1])))
        return looking(focal, distance_m, azimuth, elevation_deg, size)

    return at


def tour(views: Sequence[View], size: tuple[int, int], *, arrive: float = 1.0) -> Flight:
    """Return the way from view to view: it rests at each, and rises between those far apart.

    It has come to the last one after a share `arrive` of the time.
    """

    def at(share: float) -> Camera:
        if len(views) == 1:
            return views[0].camera(size)
        place = min(max(share / arrive, 0.0), 1.0) * (len(views) - 1)
        k = min(int(place), len(views) - 2)
        part = (place - k - STAYS / 2.0) / (1.0 - STAYS)
        return between(views[k], views[k + 1], _smooth(part)).camera(size)

    return at


def around(view: View, turn_deg: float, size: tuple[int, int]) -> Flight:
    """Return the way around a place, half of the turn to either side."""

    def at(share: float) -> Camera:
        azimuth = view.azimuth_deg + turn_deg * (share - 0.5)
        return replace(view, azimuth_deg=azimuth).camera(size)

    return at


def between(a: View, b: View, share: float) -> View:
    """Return the view at a share of the way from one to another."""
    focal = np.asarray(a.focal) * (1.0 - share) + np.asarray(b.focal) * share
    away = float(np.hypot(*np.subtract(a.focal[:2], b.focal[:2])))
    near = float(np.exp((1.0 - share) * np.log(a.distance_m) + share * np.log(b.distance_m)))
    rise = HOP * away * 4.0 * share * (1.0 - share)
    turn = (b.azimuth_deg - a.azimuth_deg + 180.0) % 360.0 - 180.0
    return View(
        (float(focal[0]), float(focal[1]), float(focal[2])),
        near + rise,
        a.azimuth_deg + share * turn,
        a.elevation_deg + share * (b.elevation_deg - a.elevation_deg),
        a.view_angle + share * (b.view_angle - a.view_angle),
    )


def _smooth(share: float) -> float:
    """Return a share that begins and ends at rest (Perlin's smootherstep)."""
    s = min(max(share, 0.0), 1.0)
    return s * s * s * (s * (s * 6.0 - 15.0) + 10.0)
