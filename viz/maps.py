"""Street maps as SVG: a value or a difference per street over faint buildings and water.

The streets' shapes are written once per page; each map only refers to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import svg
from viz.caption import SCALE_LENGTHS_M
from viz.outlines import clipped, extent, street_axes, surfaces
from viz.palette import Scale, number, tick_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from twin.city import City

UNITS = 4000  # of the map's longer side; coordinates are whole units
FOOTPRINT_BYTES = 450_000
FAINT = {"ground": "#f4f2ec", "green": "#dde6cf", "water": "#c3dbe8", "building": "#dfdbd1"}
PLAIN_STREET = "#c8c4ba"
_THIN, _WIDE = 7.0, 34.0
_DASHES = "44 26"  # of streets with less, so that signs differ in black and white, too


@dataclass(frozen=True)
class MapBase:
    """A city's shapes in map units, ready to be referred to.

    Attributes
    ----------
    width, height
        Of the map, in its units.
    unit_m
        Metres per unit.
    background
        SVG of land, water and buildings.
    streets
        SVG path data per street.
    names
        Of the streets.
    prefix
        Of all ids, so that several cities share a page.
    corner
        Upper left corner of the map, m in the city's CRS.
    """

    width: int
    height: int
    unit_m: float
    background: str
    streets: tuple[str, ...]
    names: tuple[str, ...]
    prefix: str
    corner: tuple[float, float] = (0.0, 0.0)

    def placed(self, shapes: Any) -> Any:
        """Return shapes of the city's CRS in map units."""
        import shapely

        return shapely.transform(
            shapes, lambda xy: (xy - list(self.corner)) * [1.0 / self.unit_m, -1.0 / self.unit_m]
        )


def map_base(city: City, prefix: str = "m") -> MapBase:
    """Return the shapes of a city, simplified to what a map shows."""
    import shapely

    box = extent(city)
    unit_m = max(box[2] - box[0], box[3] - box[1]) / UNITS
    width, height = round((box[2] - box[0]) / unit_m), round((box[3] - box[1]) / unit_m)

    def placed(shapes: Any) -> Any:
        return shapely.transform(
            shapes, lambda xy: (xy - [box[0], box[3]]) * [1.0 / unit_m, -1.0 / unit_m]
        )

    green, water = (placed(s) for s in surfaces(city, box))
    buildings = placed(clipped(city.buildings.geometry.to_numpy(), box))
    axes = shapely.simplify(placed(street_axes(city, 0.75 * _WIDE * unit_m / 2.0)), 1.5)
    background = "".join(
        [
            svg.tag("rect", width=width, height=height, fill=FAINT["ground"]),
            svg.tag("path", d=_areas(green, 4.0), fill=FAINT["green"]),
            svg.tag("path", d=_areas(water, 3.0), fill=FAINT["water"]),
            svg.tag("path", d=_footprints(buildings), fill=FAINT["building"]),
        ]
    )
    return MapBase(
        width,
        height,
        unit_m,
        background,
        tuple(_run(shapely.get_coordinates(line), closed=False) for line in axes),
        tuple(city.streets["name"].tolist()),
        prefix,
        (float(box[0]), float(box[3])),
    )


def definitions(base: MapBase) -> str:
    """Return the hidden SVG that a page needs once before maps of this base."""
    return svg.tag(
        "svg", _defs(base), xmlns=svg.NAMESPACE, width=0, height=0,
        style="position:absolute", aria_hidden="true",
    )  # fmt: skip


def street_map(
    base: MapBase,
    values: pd.Series,
    *,
    title: str,
    unit: str,
    scale: Scale | None = None,
    diverging: bool = False,
    digits: int = 1,
    standalone: bool = True,
) -> str:
    """Return a map as SVG.

    Parameters
    ----------
    base
        The city's shapes.
    values
        By the street's row; streets that are missing or NaN are plain.
    title, unit
        What the values are.
    scale
        The colours; made from the values unless given.
    diverging
        Whether the values are differences: symmetric limits, sign in the tooltip.
    digits
        Decimals in the tooltip.
    standalone
        Whether shapes and legend are included; otherwise the page has them
        (`definitions`, `legend`).
    """
    scale = scale or Scale.of(values, diverging=diverging)
    known = values.reindex(range(len(base.streets))).to_numpy(float)
    strokes = _strokes(base, known, scale, digits)
    shown = [
        *([_defs(base)] if standalone else []),
        svg.tag("use", href=f"#{base.prefix}-ground"),
        svg.tag("use", href=f"#{base.prefix}-plain"),
        svg.tag("g", *strokes, fill="none", stroke_linecap="round", stroke_linejoin="round"),
        _scale_bar(base),
    ]
    height = base.height
    if standalone:
        shown.append(_legend(base, scale, f"{title} [{unit}]"))
        height += 330
    return svg.document(base.width, height, *shown, label=title, class_="map", data_unit=unit)


def area_map(
    base: MapBase,
    areas: Any,
    values: npt.ArrayLike,
    *,
    names: Sequence[str],
    title: str,
    unit: str,
    scale: Scale,
    digits: int = 0,
) -> str:
    """Return a map of areas, filled by their values, below the streets.

    Parameters
    ----------
    areas
        Polygons, m in the city's CRS; NaN values leave them without a fill.
    names
        What the tooltip calls them.
    """
    import shapely

    known = np.asarray(values, float)
    colours = scale.hex(known)
    shapes = base.placed(np.asarray(areas, dtype=object))
    filled = [
        svg.tag(
            "path",
            d=_areas(np.array([shape]), 2.0),
            fill=colours[k],
            fill_opacity=0.85,
            stroke="#ffffff",
            stroke_width=4,
            data_n=names[k],
            data_v=number(float(known[k]), digits, sign=scale.diverging),
        )
        for k, shape in enumerate(shapes)
        if np.isfinite(known[k]) and shapely.get_dimensions(shape) == 2
    ]
    shown = [
        svg.tag("use", href=f"#{base.prefix}-ground"),
        svg.tag("g", *filled),
        svg.tag("use", href=f"#{base.prefix}-plain", pointer_events="none"),
        *(_signs(shapes, known) if scale.diverging else ()),
        _scale_bar(base),
    ]
    return svg.document(base.width, base.height, *shown, label=title, class_="map", data_unit=unit)


def legend(scale: Scale, title: str, unit: str, words: tuple[str, str] = ("", "")) -> str:
    """Return a legend in HTML, which stays legible where the map is small.

    Parameters
    ----------
    scale
        The colours.
    title, unit
        What they show.
    words
        What the low and the high end mean, as "less" and "more".
    """
    stops = ",".join(scale.hex(np.linspace(scale.low, scale.high, 13)))
    labels = tick_labels(scale.ticks(), sign=scale.diverging)
    marks = "".join(svg.tag("span", text=label) for label in labels)
    ends = "".join(svg.tag("span", text=word) for word in words) if any(words) else ""
    return svg.tag(
        "div",
        svg.tag("div", text=f"{title} [{unit}]", class_="legend-title"),
        f'<div class="legend-bar" style="background:linear-gradient(90deg,{stops})"></div>',
        svg.tag("div", marks, class_="legend-marks"),
        svg.tag("div", ends, class_="legend-marks legend-words") if ends else "",
        class_="legend",
    )


def _defs(base: MapBase) -> str:
    streets = [
        svg.tag("path", id=f"{base.prefix}{k}", d=d, data_n=name)
        for k, (d, name) in enumerate(zip(base.streets, base.names, strict=True))
    ]
    plain = [svg.tag("use", href=f"#{base.prefix}{k}") for k in range(len(base.streets))]
    line: dict[str, Any] = {"fill": "none", "stroke": PLAIN_STREET, "stroke_width": _THIN}
    return svg.tag(
        "defs",
        svg.tag("g", base.background, id=f"{base.prefix}-ground"),
        *streets,
        svg.tag("g", *plain, id=f"{base.prefix}-plain", stroke_linecap="round", **line),
    )


def _strokes(
    base: MapBase, values: npt.NDArray[np.float64], scale: Scale, digits: int
) -> list[str]:
    """Return the streets that have a value, the heaviest last; those with less are dashed."""
    share = scale.position(values)
    if scale.diverging:
        share = np.abs(share * 2.0 - 1.0)
    elif scale.flipped:
        share = 1.0 - share
    share = np.where(np.isnan(share), -1.0, share)
    colours = scale.hex(values)
    strokes = []
    for k in np.argsort(share, kind="stable").tolist():
        href = f"#{base.prefix}{k}"
        if share[k] < 0.0:  # as drawn below all
            continue
        width = round(_THIN + (_WIDE - _THIN) * float(np.sqrt(share[k])), 1)
        colour = PLAIN_STREET if scale.diverging and share[k] < 0.005 else colours[k]
        text = number(float(values[k]), digits, sign=scale.diverging)
        less = scale.diverging and values[k] < 0.0 and colour != PLAIN_STREET
        dashes = {"stroke_dasharray": _DASHES, "stroke_linecap": "butt"} if less else {}
        strokes.append(
            svg.tag("use", href=href, stroke=colour, stroke_width=width, data_v=text, **dashes)
        )
    return strokes


def _signs(shapes: Any, values: npt.NDArray[np.float64]) -> list[str]:
    """Return a plus or a minus in each area, so that they differ in black and white, too."""
    import shapely

    style: dict[str, Any] = {
        "font_size": 110,
        "text_anchor": "middle",
        "fill": "#262a33",
        "pointer_events": "none",
    }
    told = [k for k in np.flatnonzero(np.isfinite(values)) if values[k] and shapes[k] is not None]
    points = [shapely.point_on_surface(shapes[k]) for k in told]
    return [
        svg.tag("text", text="+" if values[k] > 0.0 else "−", x=round(p.x), y=round(p.y) + 38,
                **style)
        for k, p in zip(told, points, strict=True)
        if not p.is_empty
    ]  # fmt: skip


def _scale_bar(base: MapBase) -> str:
    """Return a bar in the lower left corner; north is up on every map."""
    lengths = [s for s in SCALE_LENGTHS_M if s / base.unit_m < 0.3 * base.width]
    length_m = lengths[0] if lengths else SCALE_LENGTHS_M[-1]
    x, y = 60, base.height - 60
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"
    return svg.tag(
        "g",
        svg.tag("path", d=f"M{x} {y - 24}v24h{round(length_m / base.unit_m)}v-24",
                fill="none", stroke="#262a33", stroke_width=9),
        svg.tag("text", text=f"{label}   N ↑", x=x + 20, y=y - 44, font_size=85, fill="#262a33"),
        font_family="system-ui, sans-serif",
    )  # fmt: skip


def _legend(base: MapBase, scale: Scale, title: str) -> str:
    """Return a legend below the map, for a map that stands alone."""
    x, y, width = 60, base.height + 130, min(1600, base.width - 120)
    stops = [
        svg.tag("stop", offset=f"{k / 12:.3f}", stop_color=colour)
        for k, colour in enumerate(scale.hex(np.linspace(scale.low, scale.high, 13)))
    ]
    identifier = f"{base.prefix}-scale"
    marks = scale.ticks()
    parts = [
        svg.tag("linearGradient", *stops, id=identifier),
        svg.tag("text", text=title, x=x, y=y - 30, font_size=80),
        svg.tag("rect", x=x, y=y, width=width, height=60, fill=f"url(#{identifier})"),
    ]
    for mark, label in zip(marks, tick_labels(marks, sign=scale.diverging), strict=True):
        share = float(scale.position([mark])[0])
        anchor = "start" if share == 0.0 else "end" if share == 1.0 else "middle"
        parts.append(
            svg.tag("text", text=label, x=x + share * width, y=y + 140, font_size=70,
                    text_anchor=anchor)
        )  # fmt: skip
    return svg.tag("g", *parts, font_family="system-ui, sans-serif", fill="#262a33")


def _footprints(buildings: Any) -> str:
    """Return buildings as one path; small ones go first where there are too many."""
    import shapely

    size = shapely.area(buildings)
    for tolerance, least in ((2.0, 30.0), (4.0, 120.0), (6.0, 400.0), (10.0, 1500.0)):
        path = _areas(buildings[size >= least], tolerance)
        if len(path) <= FOOTPRINT_BYTES:
            return path
    return ""


def _areas(shapes: Any, tolerance: float) -> str:
    """Return the rings of areas as one path."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts(shapely.simplify(shapes, tolerance)))
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    rings = shapely.get_rings(polygons)
    return "".join(_run(shapely.get_coordinates(ring), closed=True) for ring in rings)


def _run(xy: npt.NDArray[np.float64], *, closed: bool) -> str:
    """Return path data in whole units, relative, without steps of length nought."""
    points = np.round(xy).astype(int)
    steps = np.diff(points, axis=0)
    if closed:
        steps = steps[:-1]
    steps = steps[np.any(steps != 0, axis=1)]
    if closed and len(steps) < 2:
        return ""
    start = f"M{points[0, 0]} {points[0, 1]}"
    if not len(steps):
        return start + "h1"
    run = "".join(f"{x}{y}" if y < 0 else f"{x} {y}" for x, y in _spaced(steps))
    return f"{start}l{run}" + ("z" if closed else "")


def _spaced(steps: npt.NDArray[np.int_]) -> list[tuple[str, int]]:
    """Return steps whose first number is set off from the one before, by sign or space."""
    rows = steps.tolist()
    return [(str(x) if k == 0 or x < 0 else f" {x}", y) for k, (x, y) in enumerate(rows)]
