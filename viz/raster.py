"""Triangles to pixels without a graphics library: for machines on which OpenGL is missing.

The scene carries its light in the colours of its corners, so a depth buffer and interpolation
along triangles (Pineda, 1988) give the same picture as OpenGL does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from viz.camera import Camera
    from viz.geometry import Mesh


def rasterise(
    mesh: Mesh, shade: Mesh, camera: Camera, size: tuple[int, int], darkness: float
) -> npt.NDArray[np.uint8]:
    """Return the picture as (height, width, rgba); alpha is 0 where nothing is seen.

    Parameters
    ----------
    mesh
        What is seen.
    shade
        Triangles that darken what lies behind them.
    camera
        Where it is seen from.
    size
        Width and height in pixels.
    darkness
        What the shade takes of the light, 0 to 1.
    """
    picture = np.zeros((size[1], size[0], 4), np.uint8)
    depth = np.zeros((size[1], size[0]), np.float32)  # one over metres: 0 is infinitely far
    fill = _kernel()
    fill(*_corners(mesh, camera, size), depth, picture, -1.0)
    fill(*_corners(shade, camera, size), depth, picture, 1.0 - darkness)
    return picture


def _corners(mesh: Mesh, camera: Camera, size: tuple[int, int]) -> tuple[Any, Any]:
    """Return pixel x, y and inverse depth of every corner (n, 3, 3), and its colours."""
    points = mesh.points.reshape(-1, 3)
    seen = np.column_stack([camera.pixels(points, size), 1.0 / camera.project(points)[:, 2]])
    return seen.reshape(-1, 3, 3), mesh.colours.astype(np.float32)


def _kernel() -> Any:
    """Return the compiled loop; compiling takes seconds once, and is kept on disk."""
    from viz._fill import fill

    return fill
