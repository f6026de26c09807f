"""Values of streets as bands: in colour, and wider and higher with the value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.mesh import Mesh, blocks
from viz.outlines import street_axes

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from twin.city import City
    from viz.palette import Scale
    from viz.scene.ground import Ground

    Floats = npt.NDArray[np.float64]

LANE_SHARE = 0.8  # of a lane's width that its colour takes
LOWEST, HIGHEST = 0.6, 7.8  # of bands, in units


def band_mesh(
    city: City, ground: Ground, values: pd.Series, scale: Scale, *,
    unit_m: float | None = None,
) -> Mesh:  # fmt: skip
    """Return the streets with a value as coloured bands.

    Parameters
    ----------
    city, ground
        Where they are.
    values
        A value per street, by the street's row; streets without one get no band.
    scale
        Turns values into colours.
    unit_m
        What sizes that grow with the picture are measured in; a thousandth of the rectangle's
        diagonal unless given. With 0 the lanes themselves are coloured.
    """
    import shapely

    known = values.reindex(range(len(city.streets))).to_numpy(float)
    rows = np.flatnonzero(np.isfinite(known))
    unit = ground.diagonal_m / 1000.0 if unit_m is None else unit_m
    share = _share(known, scale)[rows]
    if unit == 0.0:
        return _on_lanes(city, ground, known, scale)
    lanes = city.streets["lanes"].to_numpy()[rows]
    width = np.maximum(lanes * 2.6 * (0.75 + 0.25 * share), unit * (1.9 + 2.6 * np.sqrt(share)))
    axes = street_axes(city, min(1.3 * unit, 6.0))[rows]
    if ground.terrain is not None:
        axes = shapely.segmentize(axes, 10.0)
    areas = ground.moved(shapely.buffer(axes, width / 2.0, quad_segs=4))
    top = band_tops(city, ground, values, scale, unit_m=unit)[rows]
    return ground.lay(blocks(areas, 0.0, top, scale.rgb(known[rows]), foot_shade=0.85))


def _on_lanes(city: City, ground: Ground, known: Floats, scale: Scale) -> Mesh:
    """Return the lanes in the colours of their streets, between the junctions."""
    from viz.scene.roads import Lines, lane_lines

    lanes = lane_lines(city, ground)
    street = city.lanes["street"].to_numpy()
    point = np.isfinite(known)[street][lanes.of]
    kept = np.flatnonzero(np.isfinite(known)[street])
    _, of = np.unique(lanes.of[point], return_inverse=True)
    some = Lines(lanes.xy[point], of, lanes.width[kept] * LANE_SHARE, kept)
    return some.mesh(ground, 0.0, scale.rgb(known[street[kept]]))


def band_tops(
    city: City, ground: Ground, values: pd.Series, scale: Scale, *,
    unit_m: float | None = None,
) -> Floats:  # fmt: skip
    """Return how high above the ground the band of every street ends; 0 where there is none."""
    known = values.reindex(range(len(city.streets))).to_numpy(float)
    unit = ground.diagonal_m / 1000.0 if unit_m is None else unit_m
    share = _share(known, scale)
    top = 0.2 + unit * (LOWEST + (HIGHEST - LOWEST) * share)
    return np.where(np.isfinite(known), top, 0.0)


def _share(known: Floats, scale: Scale) -> Floats:
    """Return how far along the scale values lie, from the middle if it diverges; 0 if missing."""
    share = np.nan_to_num(scale.position(known))
    return np.abs(share * 2.0 - 1.0) if scale.diverging else share
