"""Triangles to pixels without a graphics library: for machines on which OpenGL is missing.

The scene carries its light in the colours of its corners, so a depth buffer and interpolation
along triangles (Pineda, 1988) give the same picture as OpenGL does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from viz.camera import Camera
    from viz.scene.scene import Part

NEAR_M = 1.0  # what is nearer to the camera is not seen
NEARER = 1e-5  # what each part that lies on another is nearer, as a share of its distance


def rasterise(
    parts: Sequence[Part],
    light: tuple[float, float, float],
    camera: Camera,
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Return the picture as (height, width, rgba); alpha is 0 where nothing is seen.

    Parameters
    ----------
    parts
        What is seen; of faces that lie on each other the later part is seen. A part with an
        opacity below 1 darkens what lies behind it.
    light
        Unit vector towards the sun.
    camera
        Where it is seen from.
    size
        Width and height in pixels.
    """
    from viz.light import lit

    picture = np.zeros((size[1], size[0], 4), np.uint8)
    depth = np.zeros((size[1], size[0]), np.float32)  # one over metres: 0 is infinitely far
    fill = _kernel()
    for solid in (True, False):
        for place, part in enumerate(parts):
            if (part.opacity >= 1.0) != solid or not len(part.mesh):
                continue
            mesh = part.mesh
            colours = lit(mesh, light) if part.lit else mesh.colours[mesh.faces]
            points, colours = _before(mesh.points[mesh.faces], colours.astype(np.float32), camera)
            corners = _corners(points.reshape(-1, 3), camera, size).reshape(-1, 3, 3)
            corners[:, :, 2] *= 1.0 + NEARER * place
            factor = -1.0 if solid else 1.0 - part.opacity
            fill(corners, colours, depth, picture, factor)
    return picture


def _before(points: Any, colours: Any, camera: Camera) -> tuple[Any, Any]:
    """Return triangles (n, 3, xyz) and their colours, cut off at `NEAR_M` before the camera."""
    ahead = (points - camera.position) @ camera.axes()[2] - NEAR_M
    inside = ahead > 0.0
    count = inside.sum(axis=1)
    whole = count == 3
    found_points, found_colours = [points[whole]], [colours[whole]]
    values = np.concatenate([points, colours], axis=2)
    for n in (1, 2):  # so many corners are before the camera: turn the odd one to the front
        some = np.flatnonzero(count == n)
        odd = np.argmax(inside[some] == (n == 1), axis=1)
        turned = (odd[:, None] + np.arange(3)) % 3
        v = np.take_along_axis(values[some], turned[:, :, None], axis=1)
        d = np.take_along_axis(ahead[some], turned, axis=1)
        cut = [
            v[:, 0] + (v[:, k] - v[:, 0]) * (d[:, 0] / (d[:, 0] - d[:, k]))[:, None] for k in (1, 2)
        ]
        parts = (
            [np.stack([v[:, 0], *cut], axis=1)]
            if n == 1
            else [np.stack([cut[0], v[:, 1], v[:, 2]], 1), np.stack([cut[0], v[:, 2], cut[1]], 1)]
        )
        found_points += [p[:, :, :3] for p in parts]
        found_colours += [p[:, :, 3:].astype(np.float32) for p in parts]
    return np.concatenate(found_points), np.concatenate(found_colours)


def _corners(points: Any, camera: Camera, size: tuple[int, int]) -> Any:
    """Return pixel x, y and inverse depth of points (n, 3) before the camera."""
    seen = camera.project(points)
    at = np.column_stack([(seen[:, 0] + 1.0) / 2.0 * size[0], (1.0 - seen[:, 1]) / 2.0 * size[1]])
    return np.column_stack([at, 1.0 / seen[:, 2]])


def _kernel() -> Any:
    """Return the compiled loop; compiling takes seconds once, and is kept on disk."""
    from viz._fill import fill

    return fill
