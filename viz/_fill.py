"""The compiled loop of the rasteriser."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twin.random import compiled


@compiled
def fill(
    corners: npt.NDArray[np.float64],
    colours: npt.NDArray[np.float32],
    depth: npt.NDArray[np.float32],
    picture: npt.NDArray[np.uint8],
    factor: float,
) -> None:  # pragma: no cover
    """Fill triangles; with factor >= 0 darken by it what is seen, instead of covering it."""
    height, width = depth.shape
    for t in range(corners.shape[0]):
        x0, y0, z0 = corners[t, 0]
        x1, y1, z1 = corners[t, 1]
        x2, y2, z2 = corners[t, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0 or z0 <= 0.0 or z1 <= 0.0 or z2 <= 0.0:
            continue
        left = max(0, int(np.ceil(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        top = max(0, int(np.ceil(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        for j in range(top, bottom + 1):
            y = j + 0.5
            for i in range(left, right + 1):
                x = i + 0.5
                a = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                b = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                c = 1.0 - a - b
                if a < 0.0 or b < 0.0 or c < 0.0:
                    continue
                z = a * z0 + b * z1 + c * z2
                if z <= depth[j, i]:
                    continue
                if factor >= 0.0:
                    if picture[j, i, 3] == 255:  # 254 marks what is shaded already
                        picture[j, i, :3] = (picture[j, i, :3] * factor).astype(np.uint8)
                        picture[j, i, 3] = 254
                    continue
                depth[j, i] = z
                for k in range(3):
                    value = a * colours[t, 0, k] + b * colours[t, 1, k] + c * colours[t, 2, k]
                    picture[j, i, k] = np.uint8(value + 0.5)
                picture[j, i, 3] = 255
