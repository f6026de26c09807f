"""Trees: those that the data name, and as many as woods and parks usually have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.mesh import Mesh

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Floats = npt.NDArray[np.float64]

CROWN, TRUNK = "#9db48a", "#a89a86"
# Metres between trees, as they look in pictures; stated assumptions, no survey.
SPACING_M = {
    "forest": 9.0, "wood": 9.0, "orchard": 11.0, "park": 22.0, "cemetery": 20.0, "garden": 18.0,
    "scrub": 20.0, "allotments": 24.0, "recreation_ground": 34.0, "village_green": 26.0,
}  # fmt: skip
CLEAR_M = 2.5  # from a lane's edge or a building
LANE_M = 2.2  # from a lane's middle to the kerb's outer edge
MOST = 20_000
SIDES = 5


@dataclass(frozen=True)
class Trees:
    """Where trees stand.

    Attributes
    ----------
    points
        (n, xyz) feet, in scene coordinates.
    height
        (n,) m.
    """

    points: Floats
    height: Floats


def trees(city: City, ground: Ground, most: int = MOST) -> Trees:
    """Return trees on green areas, the same for the same city.

    In woods, parks and the like they stand on a jittered grid; where that makes more than
    `most`, the grid is as much wider. Trees of the data stand where they are.
    """
    import shapely

    xy = _named(city, ground)
    xy = xy[_clear(xy, city, ground, 0.0)][:most]  # none in the way of vehicles
    named = len(xy)
    land = city.landuse[city.landuse["kind"].isin(list(SPACING_M))]
    shapes = ground.moved(land.geometry.to_numpy())
    spacing = land["kind"].map(SPACING_M).to_numpy(float)
    frame = shapely.box(*np.subtract(ground.box, [*ground.origin[:2], *ground.origin[:2]]))
    shapes = shapely.intersection(shapely.make_valid(shapes), frame)
    expected = float((shapely.area(shapes) / spacing**2).sum())
    spacing = spacing * max(1.0, np.sqrt(expected / max(1, most - named)))
    for step in np.unique(spacing):
        xy = np.concatenate([xy, _grid(shapes[spacing == step], float(step))])
    xy = np.concatenate([xy[:named], xy[named:][_clear(xy[named:], city, ground, CLEAR_M)]])
    size = 7.0 + 6.0 * _unit(xy, 3)
    return Trees(np.column_stack([xy, ground.height(xy)]), size)


def _named(city: City, ground: Ground) -> Floats:
    """Return the trees that the data name."""
    import shapely

    found = city.places[city.places["kind"] == "tree"].geometry.to_numpy()
    x0, y0, x1, y1 = ground.box
    xy = shapely.get_coordinates(found)
    inside = (xy[:, 0] > x0) & (xy[:, 0] < x1) & (xy[:, 1] > y0) & (xy[:, 1] < y1)
    points: Floats = xy[inside] - ground.origin[:2]
    return points


def _grid(shapes: Any, step: float) -> Floats:
    """Return points about so far apart within areas."""
    import shapely

    shapes = shapely.get_parts(shapes)
    low_x, low_y, high_x, high_y = shapely.bounds(shapes[~shapely.is_empty(shapes)]).T / step
    left, low = np.floor(low_x), np.floor(low_y)
    wide = np.ceil(high_x) - left
    count = (wide * (np.ceil(high_y) - low)).astype(int)
    of = np.repeat(np.arange(len(count)), count)
    k = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    cell = np.column_stack([left[of] + k % wide[of], low[of] + k // wide[of]])
    xy = (cell + 0.5 + 0.8 * (np.column_stack([_unit(cell, 1), _unit(cell, 2)]) - 0.5)) * step
    shapely.prepare(shapes)
    inside = shapely.contains_xy(shapes[of], xy)
    _, once = np.unique(cell[inside] @ [1.0, 2.0**26], return_index=True)  # areas may overlap
    found: Floats = xy[inside][once]
    return found


def _clear(xy: Floats, city: City, ground: Ground, away_m: float) -> npt.NDArray[np.bool_]:
    """Return which places are so far away from lanes and buildings, and not in water."""
    import shapely

    free = np.ones(len(xy), bool)
    points = shapely.STRtree(shapely.points(xy))
    wet = city.water.geometry.to_numpy()
    wet = wet[np.isin(shapely.get_type_id(wet), (3, 6))]
    lanes = city.lanes
    for shapes, away in (
        (city.buildings.geometry.to_numpy(), away_m),
        (wet, 0.0),
        (lanes.geometry.to_numpy(), away_m + LANE_M),
    ):
        near = points.query(ground.moved(shapes), predicate="dwithin", distance=away)[1]
        free[near] = False
    return free


def _unit(xy: Floats, draw: int) -> Floats:
    """Return numbers from 0 to 1 that follow from a place alone."""
    wave = np.sin(xy[:, 0] * 12.9898 + xy[:, 1] * 78.233 + draw * 37.719) * 43758.5453
    return np.asarray(wave - np.floor(wave))


def tree_shape() -> Mesh:
    """Return a tree 1 m high: a trunk, and a crown of two cones on one girdle."""
    from viz.palette import rgb

    turn = np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    foot = np.column_stack([ring * 0.035, np.zeros(SIDES)])
    girdle = np.column_stack([ring * 0.26, np.full(SIDES, 0.52)])
    points = np.concatenate([foot, girdle, [[0.0, 0.0, 0.24], [0.0, 0.0, 1.0]]])
    k = np.arange(SIDES)
    after = (k + 1) % SIDES
    low, tip = 2 * SIDES, 2 * SIDES + 1
    faces = np.concatenate(
        [
            np.column_stack([k, after, np.full(SIDES, low)]),
            np.column_stack([k + SIDES, np.full(SIDES, low), after + SIDES]),
            np.column_stack([k + SIDES, after + SIDES, np.full(SIDES, tip)]),
        ]
    )
    crown = rgb(CROWN)
    colours = np.concatenate(
        [np.tile(rgb(TRUNK), (SIDES, 1)), np.tile(crown, (SIDES, 1)),
         np.round([crown * 0.7, np.minimum(crown * 1.06, 255)])]
    ).astype(np.uint8)  # fmt: skip
    return Mesh(points, faces, colours)
