"""Streets that measures touch: a hatching on their lanes, barriers where they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.mesh import Mesh, merge
from viz.palette import rgb
from viz.scene.roads import Lines, lines_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Rows = npt.NDArray[np.intp]

STRIPES = ("#f5c400", "#262a33")  # as on hazard tape
EVERY_M = 6.0
BARRIER_M, BOARD_M = 1.1, 0.3  # height and thickness


def touched_mesh(
    city: City, ground: Ground, lanes: Lines, streets: Rows, *,
    unit_m: float = 0.0, above: npt.NDArray[np.float64] | None = None,
) -> Mesh:  # fmt: skip
    """Return stripes in two colours across the streets that a measure touches.

    From near (`unit_m` 0) they lie on the lanes; else they are as wide as the picture needs, once
    for both directions. They lie so high `above` each street of the city, where that has a band.
    """
    if unit_m:
        pairs = np.sort(city.streets[["from_junction", "to_junction"]].to_numpy()[streets], axis=1)
        streets = streets[np.unique(pairs, axis=0, return_index=True)[1]]
        shapes = city.streets.geometry.to_numpy()[streets]
        width = np.full(len(streets), 5.0 * unit_m)
        lines, street = lines_of(shapes, width, streets, ground), streets
        chosen = np.arange(len(streets))
    else:
        lines, street = lanes, city.lanes["street"].to_numpy()
        chosen = np.flatnonzero(np.isin(street, streets))
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
    lift = np.zeros(len(line)) if above is None else above[street[line]] + 0.1
    colours = np.stack([rgb(c) for c in STRIPES])[k % 2]
    return dashes.mesh(ground, np.repeat(lift, 2), colours)


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
