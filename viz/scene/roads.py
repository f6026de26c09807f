"""Carriageways as wide as their lanes, junctions, and the markings between lanes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.mesh import Mesh, merge, sides, strips
from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.scene.ground import Ground

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]

ROAD, MARKING = "#b9b4aa", "#f6f4ef"
KERB_M = 0.5  # what the carriageway is wider than its lanes, on either side
LINE_M = 0.15  # width of a marking: RMS (1993), narrow line within built-up areas 0.12 m
DASH_M, GAP_M = 3.0, 6.0  # RMS (1993), lane line within built-up areas
MARKED = frozenset(["motorway", "trunk", "primary", "secondary", "tertiary"])
DENSE_M = 10.0  # on terrain, lines have a point at least so often


@dataclass(frozen=True)
class Lines:
    """Lines with a width, as flat arrays.

    Attributes
    ----------
    xy
        (n, 2) points of all lines in scene coordinates, one line after the other.
    of
        (n,) position of each point's line, from 0, rising.
    width
        (lines,) m.
    row
        (lines,) row in the table that the line comes from.
    """

    xy: Floats
    of: Rows
    width: Floats
    row: Rows

    def mesh(self, ground: Ground, lift: float | Floats, colours: npt.NDArray[np.uint8]) -> Mesh:
        """Return them as bands so high over the ground, all or each point; one colour, or each."""
        shown = np.broadcast_to(colours, (len(self.width), 3))
        return ground.lay(strips(self.xy, self.of, self.width[self.of], lift, shown))

    def along(self, line: Rows, distance: Floats) -> tuple[Floats, Floats]:
        """Return places (n, 2) and directions (n, 2) at distances from the starts of lines.

        Distances beyond an end are at the end.
        """
        length, begins, ends = self.measure
        total = length[ends[line]] - length[begins[line]]
        at = length[begins[line]] + np.clip(distance, 0.0, total)
        k = np.searchsorted(length, at, "right") - 1
        k = np.clip(k, begins[line], np.maximum(ends[line] - 1, begins[line]))
        a, b = self.xy[k], self.xy[np.minimum(k + 1, len(self.xy) - 1)]
        span = np.maximum(length[np.minimum(k + 1, len(length) - 1)] - length[k], 1e-9)
        step = (b - a) / np.maximum(np.hypot(*(b - a).T), 1e-9)[:, None]
        return a + (b - a) * ((at - length[k]) / span)[:, None], step

    def lengths(self) -> Floats:
        """Return the length of every line, m."""
        length, begins, ends = self.measure
        found: Floats = length[ends] - length[begins]
        return found

    @cached_property
    def measure(self) -> tuple[Floats, Rows, Rows]:
        """Return lengths counted on over all lines, and where each line begins and ends."""
        step = np.hypot(*np.diff(self.xy, axis=0).T)
        step[self.of[1:] != self.of[:-1]] = 0.0
        length = np.concatenate([[0.0], np.cumsum(step)])
        count = np.bincount(self.of, minlength=len(self.width))
        ends = np.cumsum(count) - 1
        return length, ends - count + 1, ends


def lines_of(geometries: Any, width: Floats, row: Rows, ground: Ground) -> Lines:
    """Return LineStrings of the city as lines of the scene."""
    import shapely

    if ground.terrain is not None:
        long = shapely.length(geometries) > DENSE_M  # GEOS fails on lines without length
        geometries = np.array(geometries, object)
        geometries[long] = shapely.segmentize(geometries[long], DENSE_M)
    xy, of = shapely.get_coordinates(geometries, return_index=True)
    x, y, _ = ground.origin
    return Lines(xy - (x, y), of, np.asarray(width, float), np.asarray(row))


def lane_lines(city: City, ground: Ground, coarse_m: float = 0.0) -> Lines:
    """Return the lanes, each as wide as it is; `row` is that of `city.lanes`.

    With `coarse_m` they have fewer points, and lie up to so far from where they are.
    """
    import shapely

    lanes = city.lanes
    shapes = lanes.geometry.to_numpy()
    if coarse_m:
        shapes = shapely.simplify(shapes, coarse_m)
    return lines_of(shapes, lanes["width_m"].to_numpy(), np.arange(len(lanes)), ground)


def movement_lines(city: City, ground: Ground) -> Lines:
    """Return the ways through junctions; `row` is that of `city.movements`."""
    moves = city.movements
    width = city.lanes["width_m"].to_numpy()[moves["lane"].to_numpy()]
    return lines_of(moves.geometry.to_numpy(), width, np.arange(len(moves)), ground)


def road_mesh(lanes: Lines, city: City, ground: Ground) -> Mesh:
    """Return the paved surface: lanes with kerbs, and junctions."""
    paving = rgb(ROAD)
    wide = Lines(lanes.xy, lanes.of, lanes.width + 2.0 * KERB_M, lanes.row)
    inner = ground.drape(junction_areas(lanes, city), paving)
    return merge([wide.mesh(ground, 0.0, paving), inner])


def junction_areas(lanes: Lines, city: City) -> Any:
    """Return one polygon for each junction: around the ends of its lanes, by their direction."""
    import shapely

    street = city.lanes["street"].to_numpy()
    half = (lanes.width / 2.0 + KERB_M)[:, None]
    side = sides(lanes.xy, lanes.of)
    _, begins, ends = lanes.measure
    corners: list[Floats] = []
    junction: list[Any] = []
    for end, column in ((begins, "from_junction"), (ends, "to_junction")):
        where = city.streets[column].to_numpy()[street]
        for sign in (1.0, -1.0):
            corners.append(lanes.xy[end] + sign * half * side[end])
            junction.append(where)
    xy, of = np.concatenate(corners), np.concatenate(junction)
    if not len(xy):
        return np.zeros(0, object)
    count = np.bincount(of)
    total = np.column_stack([np.bincount(of, xy[:, k]) for k in range(2)])
    middle = total / np.maximum(count, 1)[:, None]
    turn = np.arctan2(*(xy - middle[of])[:, ::-1].T)
    order = np.lexsort([turn, of])
    keep = count[of[order]] >= 6  # a dead end has nothing between its lanes
    order = order[keep]
    _, ring = np.unique(of[order], return_inverse=True)
    closed, of_ring = _closed(xy[order], ring)
    rings = shapely.linearrings(closed, indices=of_ring)
    return shapely.make_valid(shapely.polygons(rings))


def _closed(xy: Floats, ring: Rows) -> tuple[Floats, Rows]:
    """Return points and rings with every first point repeated at the end."""
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    at = np.append(first[1:], len(ring))
    return np.insert(xy, at, xy[first], axis=0), np.insert(ring, at, ring[first])


def markings(lanes: Lines, city: City) -> Lines:
    """Return the dashes between lanes and, on greater streets, between directions."""
    street = city.lanes["street"].to_numpy()
    index = city.lanes["index"].to_numpy()
    inner = index < city.streets["lanes"].to_numpy()[street] - 1
    marked = city.streets["highway"].str.removesuffix("_link").isin(MARKED).to_numpy()
    pairs = city.streets[["from_junction", "to_junction"]].to_numpy()
    there = {(a, b): k for k, (a, b) in enumerate(pairs.tolist())}
    opposite = np.array([there.get((b, a), -1) for a, b in pairs.tolist()], np.intp)
    first = opposite > np.arange(len(pairs))  # once for both directions
    middle = ~inner & (first & marked)[street]
    left = lanes.xy + sides(lanes.xy, lanes.of) * (lanes.width / 2.0)[lanes.of][:, None]
    edges = Lines(left, lanes.of, lanes.width, lanes.row)
    return _dashes(edges, np.flatnonzero(inner | middle))


def _dashes(edges: Lines, chosen: Rows) -> Lines:
    """Return dashes along some lines."""
    length = edges.lengths()[chosen]
    count = np.maximum(((length - GAP_M) // (DASH_M + GAP_M)).astype(int) + 1, 0)
    count[length < DASH_M + GAP_M] = 0
    line = np.repeat(chosen, count)
    k = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    spare = np.repeat((length - (count * (DASH_M + GAP_M) - GAP_M)) / 2.0, count)
    start = spare + k * (DASH_M + GAP_M)
    a, _ = edges.along(line, start)
    b, _ = edges.along(line, start + DASH_M)
    xy = np.stack([a, b], axis=1).reshape(-1, 2)
    return Lines(
        xy, np.repeat(np.arange(len(line)), 2), np.full(len(line), LINE_M), edges.row[line]
    )
