"""Where the ways through a junction part and cross, measured on their geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import shapely

if TYPE_CHECKING:
    import geopandas as gpd

F8 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

# Two ways from one lane have parted where they are so far from each other.
CAR_M = 1.8  # width
PARTED_M = 2.5
STEP_M = 0.5


def parting_m(geometry: gpd.GeoSeries, own: Rows, other: Rows) -> F8:
    """Metres along `own` until it is PARTED_M away from `other`; infinite where it never is.

    Looked at are multiples of STEP_M.  Over a step the distance grows by no more than the step,
    so that where it is small the next places are passed over.

    Parameters
    ----------
    geometry
        Ways of the movements.
    own, other
        Rows of `geometry`, pair by pair.
    """
    ways, found = geometry.to_numpy(), np.full(len(own), np.inf)
    length = shapely.length(ways[own]) if len(own) else np.zeros(0)
    open_, step = np.arange(len(own)), np.zeros(len(own), np.intp)
    while len(open_):
        at = step * STEP_M
        points = shapely.line_interpolate_point(ways[own[open_]], at)
        distance = shapely.distance(points, ways[other[open_]])
        far = distance >= PARTED_M
        found[open_[far]] = at[far]
        lacking = np.ceil((PARTED_M - distance) / STEP_M - 1e-6)
        step = step + np.maximum(1, lacking).astype(np.intp)
        on = ~far & (step * STEP_M <= length[open_])
        open_, step = open_[on], step[on]
    return found


def crossing_m(geometry: gpd.GeoSeries, own: Rows, other: Rows) -> tuple[F8, F8]:
    """Metres along `own`, and along `other`, until they have crossed; infinite where they don't.

    Parameters
    ----------
    geometry
        Ways of the movements.
    own, other
        Rows of `geometry`, pair by pair.
    """
    ways = geometry.to_numpy()
    found = np.full((2, len(own)), np.inf)
    if len(own):
        both = shapely.intersection(ways[own], ways[other])
        points, pair = shapely.get_coordinates(both, return_index=True)
        crossing = shapely.points(points)
        found[:, pair] = 0.0
        for k, of in enumerate((own, other)):
            along = shapely.line_locate_point(ways[of[pair]], crossing)
            np.maximum.at(found[k], pair, along)
    return found[0], found[1]
