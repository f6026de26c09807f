"""The city as an architect's model: pale blocks on a plate, streets as coloured bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.geometry import Mesh, extrude, flat, merge, polygons_of, shadows
from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from twin.city import City
    from viz.palette import Scale

    Floats = npt.NDArray[np.float64]
    Box = tuple[float, float, float, float]

GROUND, PLATE = "#e6e1d7", "#bdb5a6"
ROAD, GREEN, WATER = "#cdc7bb", "#bccca6", "#a3c4d6"
ROOF = "#faf7f1"
SHADOW_DARKNESS = 0.27
# Walls facing the viewer's left are light, those facing right are dark.
SUN_LEFT_OF_VIEW_DEG, SUN_HEIGHT_DEG = 62.0, 47.0

GREEN_KINDS = frozenset(
    ["allotments", "cemetery", "farmland", "forest", "garden", "golf_course", "grass", "heath",
     "meadow", "nature_reserve", "orchard", "park", "pitch", "playground", "recreation_ground",
     "scrub", "village_green", "vineyard", "wood"]
)  # fmt: skip
WATERWAY_WIDTH_M = {"river": 16.0, "canal": 12.0, "stream": 3.0, "drain": 2.0, "ditch": 2.0}
LANE_WIDTH_M = 3.2
EAVES_UP_TO_SCALE_M = 4.0
SHADOW_LIMIT = 40_000  # buildings; above it shadows are no longer worth their time


@dataclass(frozen=True)
class CityModel:
    """What is seen, what darkens the ground, and points that a camera must hold.

    Attributes
    ----------
    solid, shade
        Meshes in metres; x and y relative to `origin`.
    plate
        Corners of the plate (8, xyz), then the highest roofs.
    origin
        Of the model in the city's CRS.
    scale_m
        A thousandth of the plate's diagonal: sizes that grow with the picture's extent.
    """

    solid: Mesh
    shade: Mesh
    plate: Floats
    origin: tuple[float, float]
    scale_m: float


def city_model(
    city: City,
    *,
    load: pd.Series | None = None,
    scale: Scale | None = None,
    raised: float = 1.0,
    view_azimuth_deg: float = 0.0,
) -> CityModel:
    """Build the model.

    Parameters
    ----------
    city
        The city.
    load
        A value per street, by the street's row; streets that are missing or NaN stay grey.
    scale
        Turns values into colours; needed with `load`.
    raised
        Height of the bands of streets with load; 0 lays them flat.
    view_azimuth_deg
        Where the viewer stands: 0 south, 90 east of the city.
    """
    box = extent(city)
    origin = ((box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0)
    scale_m = float(np.hypot(box[2] - box[0], box[3] - box[1])) / 1000.0
    light = _light(view_azimuth_deg)
    blocks, heights = _blocks(city, box)
    parts = [
        _plate(box, scale_m, light),
        *_surfaces(city, box),
        _roads(city, box, scale_m),
        extrude(blocks, 0.0, heights, _roof_colours(len(blocks)), light),
        _eaves(blocks, heights, scale_m),
    ]
    if load is not None and scale is not None:
        parts.append(_bands(city, load, scale, raised, scale_m, light))
    shade = _shade(blocks, heights, box, light)
    return CityModel(
        _moved(merge(parts), origin),
        _moved(shade, origin),
        _hold(box, scale_m, heights) - [*origin, 0.0],
        origin,
        scale_m,
    )


def extent(city: City) -> Box:
    """Return the rectangle that the model shows: the streets, else the buildings, and a margin."""
    low_x, low_y, high_x, high_y = city.bounds
    margin = 0.012 * float(np.hypot(high_x - low_x, high_y - low_y))
    return low_x - margin, low_y - margin, high_x + margin, high_y + margin


def corners(city: City) -> Floats:
    """Return points (n, xyz) around the model, relative to its middle, that a camera must hold."""
    box = extent(city)
    scale_m = float(np.hypot(box[2] - box[0], box[3] - box[1])) / 1000.0
    middle = [(box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0, 0.0]
    return _hold(box, scale_m, city.buildings["height_m"].to_numpy(float)) - middle


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


def _light(view_azimuth_deg: float) -> tuple[float, float, float]:
    """Return the unit vector towards a light at the viewer's left shoulder."""
    azimuth = np.radians(view_azimuth_deg - SUN_LEFT_OF_VIEW_DEG)
    height = np.radians(SUN_HEIGHT_DEG)
    flat_part = np.cos(height)
    x, y = float(np.sin(azimuth) * flat_part), float(-np.cos(azimuth) * flat_part)
    return x, y, float(np.sin(height))


def _plate(box: Box, scale_m: float, light: tuple[float, float, float]) -> Mesh:
    """Return the board on which the model stands."""
    import shapely

    board = [shapely.box(*box)]
    return extrude(board, -12.0 * scale_m, np.zeros(1), rgb(GROUND)[None, :], light, foot_shade=0.9)


def _surfaces(city: City, box: Box) -> list[Mesh]:
    green, water = surfaces(city, box)
    return [flat(green, 0.15, rgb(GREEN)), flat(water, 0.3, rgb(WATER))]


def _roads(city: City, box: Box, scale_m: float) -> Mesh:
    """Return the carriageways, as wide as their lanes."""
    import shapely

    width = np.maximum(city.streets["lanes"].to_numpy() * LANE_WIDTH_M + 1.0, 1.6 * scale_m)
    areas = shapely.buffer(street_axes(city), width / 2.0, quad_segs=3)
    return flat(clipped(areas, box), 0.45, rgb(ROAD))


def _blocks(city: City, box: Box) -> tuple[Any, Floats]:
    """Return the footprints within the plate, and the heights of their roofs."""
    import shapely

    footprints = city.buildings.geometry.to_numpy()
    keep = shapely.intersects(footprints, shapely.box(*box)) & (shapely.area(footprints) > 4.0)
    heights = city.buildings["height_m"].to_numpy(float)[keep]
    blocks = footprints[keep]
    across = ~shapely.within(blocks, shapely.box(*box))
    blocks[across] = shapely.intersection(shapely.make_valid(blocks[across]), shapely.box(*box))
    return blocks, heights


def _roof_colours(count: int) -> npt.NDArray[np.uint8]:
    """Return nearly white roofs, each a little different, so that blocks tell apart."""
    shade = 0.955 + 0.045 * ((np.arange(count) * 0.61803398875) % 1.0)
    return np.asarray(np.round(rgb(ROOF)[None, :] * shade[:, None]), np.uint8)


def _eaves(blocks: Any, heights: Floats, scale_m: float) -> Mesh:
    """Return the outlines of the roofs, where the picture is large enough to show them."""
    import shapely

    if scale_m > EAVES_UP_TO_SCALE_M or not len(blocks):
        return merge([])
    edges = shapely.boundary(blocks)
    lines = shapely.buffer(edges, 0.17 * scale_m, quad_segs=1, join_style="mitre")
    shade = np.full((len(blocks), 3), np.round(rgb(ROOF) * 0.86), np.uint8)
    return flat(lines, heights + 0.06 * scale_m, shade)


def _bands(
    city: City,
    load: pd.Series,
    scale: Scale,
    raised: float,
    scale_m: float,
    light: tuple[float, float, float],
) -> Mesh:
    """Return the streets with a value as coloured bands: wider and higher with the value."""
    import shapely

    values = load.reindex(range(len(city.streets))).to_numpy(float)
    known = np.isfinite(values)
    share = np.nan_to_num(scale.position(values))
    if scale.diverging:
        share = np.abs(share * 2.0 - 1.0)
    width = np.maximum(
        city.streets["lanes"].to_numpy() * 2.6 * (0.75 + 0.25 * share),
        scale_m * (1.9 + 2.6 * np.sqrt(share)),
    )
    axes = street_axes(city, 1.3 * scale_m)
    areas = shapely.buffer(axes, width / 2.0, quad_segs=4)
    top = 0.9 + raised * scale_m * (0.6 + 7.0 * share)
    return extrude(areas[known], 0.5, top[known], scale.rgb(values[known]), light, foot_shade=0.85)


def _shade(blocks: Any, heights: Floats, box: Box, light: tuple[float, float, float]) -> Mesh:
    """Return the shadows of the blocks on the ground."""
    import shapely

    if not 0 < len(blocks) <= SHADOW_LIMIT:
        return merge([])
    dark = shapely.intersection(shadows(blocks, heights, light), shapely.box(*box))
    polygons, _ = polygons_of([dark])
    return flat(polygons, 0.6, rgb("#201c2c"))


def _hold(box: Box, scale_m: float, heights: Floats) -> Floats:
    """Return points that must be in the picture."""
    roof = float(np.percentile(heights, 99)) if heights.size else 0.0
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    return np.array([(x, y, z) for x, y in corners for z in (-12.0 * scale_m, roof)])


def _moved(mesh: Mesh, origin: tuple[float, float]) -> Mesh:
    return Mesh(mesh.points - [*origin, 0.0], mesh.colours)
