"""Values of streets as bands: in colour, and wider and higher with the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.mesh import Mesh, blocks
from viz.outlines import street_axes

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City
    from viz.palette import Scale
    from viz.scene.ground import Ground


def band_mesh(
    city: City, ground: Ground, values: pd.Series, scale: Scale, *, raised: float = 1.0
) -> Mesh:
    """Return the streets with a value as coloured bands.

    Parameters
    ----------
    city, ground
        Where they are.
    values
        A value per street, by the street's row; streets without one get no band.
    scale
        Turns values into colours.
    raised
        Height of the bands; 0 lays them flat.
    """
    import shapely

    known = values.reindex(range(len(city.streets))).to_numpy(float)
    rows = np.flatnonzero(np.isfinite(known))
    share = scale.position(known[rows])
    if scale.diverging:
        share = np.abs(share * 2.0 - 1.0)
    unit = ground.diagonal_m / 1000.0
    lanes = city.streets["lanes"].to_numpy()[rows]
    width = np.maximum(lanes * 2.6 * (0.75 + 0.25 * share), unit * (1.9 + 2.6 * np.sqrt(share)))
    axes = street_axes(city, min(1.3 * unit, 6.0))[rows]
    if ground.terrain is not None:
        axes = shapely.segmentize(axes, 10.0)
    areas = ground.moved(shapely.buffer(axes, width / 2.0, quad_segs=4))
    top = 0.5 + raised * unit * (0.6 + 7.0 * share)
    return ground.lay(blocks(areas, 0.0, top, scale.rgb(known[rows]), foot_shade=0.85))
