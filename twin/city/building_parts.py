"""Buildings of OpenStreetMap that are no blocks on the ground: roofs, skyways, towers on halls.

Tags as in the OSM wiki, Simple 3D Buildings: `min_height`, `building:min_level`, `building:part`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city import defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Tags = Mapping[str, str | None]

ROOF_M = 0.5
"""Thickness of a roof on posts of which OSM says no more than its height: an assumption."""
FILLED = 0.9
"""Parts that fill this share of their outline fill it; the rest of a lesser one is a block."""

KEYS = ("height", "building:levels", "min_height", "building:min_level", "location", "layer",
        "building:levels:underground")  # fmt: skip
"""What says how high a building or a part is, and how far up it begins."""


@dataclass(frozen=True)
class Storey:
    """A shape in the plane, and from where to where it stands, in metres above the ground."""

    shape: Any
    low: float
    high: float


def number(text: str | None) -> float:
    """Return the whole or broken number that a tag is, NaN if it is none."""
    try:
        return float((text or "nan").replace(",", "."))
    except ValueError:
        return float("nan")


def is_underground(tags: Tags) -> bool:
    """Return whether nothing of a building stands above the ground."""
    below = number(tags.get("building:levels:underground")) > 0.0
    return (
        tags.get("location") == "underground"
        or number(tags.get("layer")) < 0.0
        or (below and number(tags.get("building:levels")) == 0.0)
    )


def beginning(tags: Tags, kind: str, high: float, levels: float, min_height: float) -> float:
    """Return how far above the ground a building or part begins, `high` or more if nowhere.

    Parameters
    ----------
    tags
        Of the building or part.
    kind
        Value of its key `building` or `building:part`.
    high, levels
        Its height in metres and its storeys, those below its beginning among them.
    min_height
        Its `min_height` in metres, NaN where it has none.
    """
    if min_height >= 0.0:
        return min_height
    skipped = number(tags.get("building:min_level"))
    if skipped > 0.0:
        stated = number(tags.get("building:levels")) > 0.0
        return skipped * (high / levels if stated else defaults.STOREY_HEIGHT_M)
    return max(0.0, high - ROOF_M) if kind == "roof" else 0.0


def outlines_of(outlines: Sequence[Any], parts: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return the smallest outline [parts] that each part lies in, -1 if in none."""
    import shapely

    found = np.full(len(parts), -1)
    if not len(outlines) or not len(parts):
        return found
    shapes = np.array(outlines, dtype=object)
    points = shapely.point_on_surface(np.array(parts, dtype=object))
    part, outline = shapely.STRtree(shapes).query(points, predicate="within")
    order = np.argsort(-shapely.area(shapes)[outline], kind="stable")  # the smallest comes last
    found[part[order]] = outline[order]
    return found


def rest_of(outline: Storey, parts: Sequence[Storey], stated: bool) -> Storey | None:
    """Return what stands in an outline beside its parts, None if they fill it.

    Where no part begins at the ground they stand on the outline, which ends where they begin.
    Else its height is its own if it is stated and not that of the highest part, or that of the
    lowest part at the ground.
    """
    import shapely

    base = [part.high for part in parts if part.low <= outline.low]
    shape = outline.shape
    if base:
        shape = shapely.difference(shape, shapely.union_all([part.shape for part in parts]))
        if shape.area < (1.0 - FILLED) * outline.shape.area:
            return None
    own = stated and outline.high < max(part.high for part in parts)
    high = min(base) if base else min(part.low for part in parts)
    high = outline.high if own and base else high
    return Storey(shape, outline.low, high) if high > outline.low else None


def faces(storeys: Sequence[Storey], outline: Any) -> list[tuple[str, Any]]:
    """Return kind and polygon of the surfaces of a building, in metres above its ground.

    A storey has a roof, walls and, above the ground, an underside of kind `wall`. The outline on
    the ground is the foot of all, of kind `ground`.
    """
    import shapely

    found = [("ground", _at(shape, 0.0)) for shape in _polygons(outline)]
    for storey in storeys:
        for shape in _polygons(storey.shape):
            found.append(("roof", _at(shape, storey.high)))
            found += [("wall", wall) for wall in _walls(shape, storey.low, storey.high)]
            if storey.low > 0.0:
                found.append(("wall", shapely.reverse(_at(shape, storey.low))))
    return found


def _polygons(shape: Any) -> list[Any]:
    """Return the polygons of a shape, the outer rings anticlockwise."""
    import shapely

    parts = [p for p in shapely.get_parts(shape).tolist() if p.geom_type == "Polygon"]
    return [shapely.orient_polygons(p) for p in parts if p.area > 0.0]


def _at(shape: Any, height: float) -> Any:
    import shapely

    return shapely.force_3d(shape, height)


def _walls(shape: Any, low: float, high: float) -> list[Any]:
    """Return the walls of a polygon, seen from outside anticlockwise."""
    import shapely

    xy, ring = shapely.get_coordinates(shapely.get_rings(shape), return_index=True)
    same = ring[1:] == ring[:-1]
    a, b = xy[:-1][same], xy[1:][same]
    corners = np.stack([
        np.column_stack([p, np.full(len(p), z)])
        for p, z in ((a, low), (b, low), (b, high), (a, high), (a, low))
    ], axis=1)  # fmt: skip
    return list(shapely.polygons(corners))
