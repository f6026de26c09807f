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
            corners = _corners(mesh.points, camera, size)[mesh.faces]
            corners[:, :, 2] *= 1.0 + NEARER * place
            factor = -1.0 if solid else 1.0 - part.opacity
            fill(corners, colours.astype(np.float32), depth, picture, factor)
    return picture


def _corners(points: Any, camera: Camera, size: tuple[int, int]) -> Any:
    """Return pixel x, y and inverse depth of points (n, 3); behind the camera it is negative."""
    seen = camera.project(points)
    at = np.column_stack([(seen[:, 0] + 1.0) / 2.0 * size[0], (1.0 - seen[:, 1]) / 2.0 * size[1]])
    return np.column_stack([at, 1.0 / seen[:, 2]])


def _kernel() -> Any:
    """Return the compiled loop; compiling takes seconds once, and is kept on disk."""
    from viz._fill import fill

    return fill
