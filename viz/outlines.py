"""Outlines of a city seen from above, for maps and for scenes: extent, axes, areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City

Box = tuple[float, float, float, float]
GREEN_KINDS = frozenset(
    ["allotments", "cemetery", "farmland", "forest", "garden", "golf_course", "grass", "heath",
     "meadow", "nature_reserve", "orchard", "park", "pitch", "playground", "recreation_ground",
     "scrub", "village_green", "vineyard", "wood"]
)  # fmt: skip
WATERWAY_WIDTH_M = {"river": 16.0, "canal": 12.0, "stream": 3.0, "drain": 2.0, "ditch": 2.0}


def extent(city: City) -> Box:
    """Return the rectangle that is shown: the streets, else the buildings, and a margin."""
    low_x, low_y, high_x, high_y = city.bounds
    margin = 0.012 * float(np.hypot(high_x - low_x, high_y - low_y))
    return low_x - margin, low_y - margin, high_x + margin, high_y + margin


def street_axes(city: City, least_m: float = 0.0) -> npt.NDArray[np.object_]:
    """Return one line per street along the middle of its own lanes.

    The two directions of a street share a line in the city's tables; here each lies on its
    side, at least `least_m` from the middle.
    """
    import pandas as pd
    import shapely

    streets, lanes = city.streets, city.lanes
    lines = streets.geometry.to_numpy()
    middle = shapely.line_interpolate_point(lanes.geometry.to_numpy(), 0.5, normalized=True)
    of = lines[lanes["street"].to_numpy()]
    along = shapely.line_locate_point(of, middle)
    length = shapely.length(of)
    a = shapely.get_coordinates(shapely.line_interpolate_point(of, np.maximum(along - 1.0, 0.0)))
    b = shapely.get_coordinates(shapely.line_interpolate_point(of, np.minimum(along + 1.0, length)))
    m = shapely.get_coordinates(middle) - (a + b) / 2.0
    step = (b - a) / np.maximum(np.hypot(*(b - a).T), 1e-9)[:, None]
    left = step[:, 0] * m[:, 1] - step[:, 1] * m[:, 0]
    offset = pd.Series(left).groupby(lanes["street"].to_numpy()).mean()
    offsets = offset.reindex(range(len(streets)), fill_value=0.0).to_numpy()
    ends = pd.MultiIndex.from_frame(streets[["from_junction", "to_junction"]])
    both = ends.isin(list(zip(streets["to_junction"], streets["from_junction"], strict=True)))
    offsets = np.where(both, np.minimum(offsets, -least_m), offsets)
    aside = np.abs(offsets) > 0.1  # GEOS fails on offsets that are nearly nothing
    axes: npt.NDArray[np.object_] = lines.copy()
    moved = shapely.offset_curve(lines[aside], offsets[aside], join_style="mitre", mitre_limit=2.0)
    usable = (shapely.get_type_id(moved) == 1) & ~shapely.is_empty(moved)
    axes[aside] = np.where(usable, moved, lines[aside])
    return axes


def surfaces(city: City, box: Box) -> tuple[Any, Any]:
    """Return the green areas and the water within a rectangle, as arrays of polygons."""
    import shapely

    land = city.landuse[city.landuse["kind"].isin(GREEN_KINDS)].geometry.to_numpy()
    water = city.water.geometry.to_numpy()
    width = city.water["kind"].map(WATERWAY_WIDTH_M).fillna(4.0).to_numpy(float)
    lines = np.isin(shapely.get_type_id(water), (1, 5))
    wet = water[(city.water["kind"] != "wetland").to_numpy() & ~lines]
    runs = shapely.buffer(water[lines], width[lines] / 2.0, quad_segs=2)
    return clipped(land, box), clipped(np.concatenate([wet, runs]), box)


def clipped(geometries: Any, box: Box) -> Any:
    """Return geometries cut at a rectangle, without those that lie outside."""
    import shapely

    geometries = np.asarray(geometries, object)
    frame = shapely.box(*box)
    geometries = geometries[shapely.intersects(geometries, frame)]
    across = ~shapely.within(geometries, frame)
    cut = geometries.copy()
    cut[across] = shapely.intersection(shapely.make_valid(geometries[across]), frame)
    return cut[~shapely.is_empty(cut)]
