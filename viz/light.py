"""The light on a scene: one sun at the viewer's left shoulder, and the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from viz.mesh import Mesh

    Floats = npt.NDArray[np.float64]

AMBIENT, DIFFUSE = 0.56, 0.60  # level faces come out at their own colour
SUN_LEFT_OF_VIEW_DEG, SUN_HEIGHT_DEG = 62.0, 47.0


def sun(view_azimuth_deg: float) -> tuple[float, float, float]:
    """Return the unit vector towards the sun for a viewer who stands 0 south, 90 east of it all."""
    azimuth = np.radians(view_azimuth_deg - SUN_LEFT_OF_VIEW_DEG)
    height = np.radians(SUN_HEIGHT_DEG)
    x, y = np.sin(azimuth) * np.cos(height), -np.cos(azimuth) * np.cos(height)
    return float(x), float(y), float(np.sin(height))


def lit(mesh: Mesh, light: tuple[float, float, float]) -> npt.NDArray[np.uint8]:
    """Return the colours of the triangles' corners (m, 3 corners, rgb) in this light."""
    normals = mesh.normals()[:, None] if mesh.smooth is None else mesh.smooth[mesh.faces]
    shade = AMBIENT + DIFFUSE * np.clip(normals @ np.asarray(light), 0.0, None)
    colours = mesh.colours[mesh.faces] * shade[:, :, None]
    found: npt.NDArray[np.uint8] = np.clip(np.round(colours), 0, 255).astype(np.uint8)
    return found
