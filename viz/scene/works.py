"""Streets that measures touch: tape and boards where they are closed, else edges along them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.mesh import Mesh, merge, sides
from viz.palette import rgb
from viz.scene.roads import Lines, lines_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Rows = npt.NDArray[np.intp]

STRIPES = ("#f5c400", "#262a33")  # as on hazard tape
EDGE = "#262a33"
EVERY_M = 6.0
BARRIER_M, BOARD_M = 1.1, 0.3  # height and thickness


def tape_mesh(
    city: City, ground: Ground, lanes: Lines, streets: Rows, *, unit_m: float = 0.0
) -> Mesh:
    """Return hazard tape across closed streets.

    From near (`unit_m` 0) it lies on the lanes; else it is as wide as the picture needs, once for
    both directions.
    """
    if unit_m:
        pairs = np.sort(city.streets[["from_junction", "to_junction"]].to_numpy()[streets], axis=1)
        streets = streets[np.unique(pairs, axis=0, return_index=True)[1]]
        shapes = city.streets.geometry.to_numpy()[streets]
        width = np.full(len(streets), 5.0 * unit_m)
        lines = lines_of(shapes, width, streets, ground)
        chosen = np.arange(len(streets))
    else:
        lines = lanes
        chosen = np.flatnonzero(np.isin(city.lanes["street"].to_numpy(), streets))
    if not len(chosen):
        return merge([])
    length = lines.lengths()[chosen]
    count = 2 * np.maximum((length / max(EVERY_M, 5.0 * unit_m)).astype(int), 1)
    line = np.repeat(chosen, count)
    k = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    stripe = np.repeat(length / count, count)
    a, _ = lines.along(line, k * stripe)
    b, _ = lines.along(line, (k + 1) * stripe)
    xy = np.stack([a, b], axis=1).reshape(-1, 2)
    dashes = Lines(xy, np.repeat(np.arange(len(line)), 2), lines.width[line], line)
    colours = np.stack([rgb(c) for c in STRIPES])[k % 2]
    return dashes.mesh(ground, 0.1, colours)


def edge_mesh(
    city: City, ground: Ground, lanes: Lines, streets: Rows, *,
    unit_m: float = 0.0, above: npt.NDArray[np.float64] | None = None,
) -> Mesh:  # fmt: skip
    """Return a thin line along the right edge of the lanes of streets with a measure.

    It lies so high `above` each street of the city, where that has a band.
    """
    street = city.lanes["street"].to_numpy()
    outer = (city.lanes["index"] == 0).to_numpy() & np.isin(street, streets)
    kept = np.flatnonzero(outer)
    if not len(kept):
        return merge([])
    point = outer[lanes.of]
    _, of = np.unique(lanes.of[point], return_inverse=True)
    aside = np.maximum(lanes.width / 2.0 + 0.25, 2.4 * unit_m)[lanes.of][point]
    xy = lanes.xy[point] - sides(lanes.xy, lanes.of)[point] * aside[:, None]
    lift = np.zeros(len(xy)) if above is None else above[street[lanes.of[point]]] + 0.1
    edges = Lines(xy, of, np.full(len(kept), max(0.5, 0.7 * unit_m)), kept)
    return edges.mesh(ground, lift, rgb(EDGE))


def barrier_mesh(city: City, ground: Ground, lanes: Lines, streets: Rows) -> Mesh:
    """Return boards across both ends of the lanes of closed streets."""
    from viz.mesh import blocks

    chosen = np.flatnonzero(np.isin(city.lanes["street"].to_numpy(), streets))
    if not len(chosen):
        return merge([])
    lane, length = np.tile(chosen, 2), lanes.lengths()[chosen]
    middle, way = lanes.along(lane, np.concatenate([np.minimum(2.0, length), length - 2.0]))
    side = np.column_stack([-way[:, 1], way[:, 0]]) * (lanes.width[lane] / 2.0 - 0.2)[:, None]
    import shapely

    boards = shapely.buffer(
        shapely.linestrings(np.stack([middle - side, middle + side], axis=1)), BOARD_M / 2.0,
        cap_style="flat",
    )  # fmt: skip
    parts = [blocks(boards, low, high, rgb(colour)) for low, high, colour in (
        (0.3, 0.3 + BARRIER_M / 2, "#ffffff"), (0.3 + BARRIER_M / 2, 0.3 + BARRIER_M, "#d5402b"),
    )]  # fmt: skip
    return ground.lay(merge(parts))
