"""Styles for QGIS: how a layer is drawn, as QML (QGIS's own) and as SLD (OGC 02-070).

QGIS reads both from the table `layer_styles` of a GeoPackage and draws the default one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from viz import palette

if TYPE_CHECKING:
    import pandas as pd

    from viz.palette import Scale

QGIS = "3.28"  # the long-term release whose form the QML has; later ones read it
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_SLD, _OGC = "http://www.opengis.net/sld", "http://www.opengis.net/ogc"
_DIVERGING = (-1.0, -0.5, -0.2, -0.02, 0.02, 0.2, 0.5, 1.0)  # ends of classes, of the scale's end
_LEVELS = 6  # classes of the same width
_WIDE_MM, _THIN_MM = 1.0, 0.4
AREA_ALPHA = 0.6  # so that the streets show through
Shape = Literal["line", "point", "area"]
_PIXELS_PER_MM = 1.0 / 0.28  # of SLD


@dataclass(frozen=True)
class Class:
    """A class of values and how it is drawn."""

    low: float
    high: float
    colour: str
    width_mm: float
    label: str


@dataclass(frozen=True)
class Style:
    """A style of a layer, in both languages."""

    name: str
    qml: str
    sld: str


def graduated(
    name: str,
    column: str,
    scale: Scale,
    values: pd.Series[float],
    unit: str,
    shape: Shape = "line",
) -> Style:
    """Return a style that colours shapes by classes of a column; missing values are not drawn.

    Parameters
    ----------
    name
        What the style is called.
    scale
        Colours; a diverging one gives seven classes about 0, any other six.
    values
        Every value that is to be drawn; beyond the scale they are in its end classes.
    """
    drawn = classes(scale, values, unit)
    qml, renderer = _qml("graduatedSymbol", attr=column, graduatedMethod="GraduatedColor")
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    sld, rules = _sld(name)
    for k, one in enumerate(drawn):
        ET.SubElement(ranges, "range", lower=repr(one.low), upper=repr(one.high), symbol=str(k),
                      label=one.label, render="true")  # fmt: skip
        _drawn(symbols, str(k), one.colour, one.width_mm, shape)
        rule = _element(rules, _SLD, "Rule")
        _element(rule, _SLD, "Name").text = one.label
        both = _element(_element(rule, _OGC, "Filter"), _OGC, "And")
        from_low = "PropertyIsGreaterThan" + ("OrEqualTo" if k == 0 else "")
        for operator, value in ((from_low, one.low), ("PropertyIsLessThanOrEqualTo", one.high)):
            test = _element(both, _OGC, operator)
            _element(test, _OGC, "PropertyName").text = column
            _element(test, _OGC, "Literal").text = repr(value)
        _symbolizer(rule, one.colour, one.width_mm, shape)
    renderer.set("enableorderby", "1")  # the largest on top
    order = ET.SubElement(ET.SubElement(renderer, "orderby"), "orderByClause", asc="1",
                          nullsFirst="1")  # fmt: skip
    order.text = f'abs("{column}")'
    return Style(name, _DOCTYPE + _text(qml), _text(sld.getroot()))


def single(name: str, colour: str, size_mm: float, shape: Shape = "line") -> Style:
    """Return a style that draws all shapes alike."""
    qml, renderer = _qml("singleSymbol")
    sld, rules = _sld(name)
    _drawn(ET.SubElement(renderer, "symbols"), "0", colour, size_mm, shape)
    _symbolizer(_element(rules, _SLD, "Rule"), colour, size_mm, shape)
    return Style(name, _DOCTYPE + _text(qml), _text(sld.getroot()))


def classes(scale: Scale, values: pd.Series[float], unit: str) -> list[Class]:
    """Return the classes of a scale, the first and last as wide as the values need."""
    if scale.diverging:
        edges = [share * scale.high for share in _DIVERGING]
    else:
        edges = [scale.low + k * (scale.high - scale.low) / _LEVELS for k in range(_LEVELS + 1)]
    edges = [float(f"{edge:.6g}") for edge in edges]
    known = [*edges, *values.dropna()]
    first, last = min(known), max(known)
    sign = "+" if scale.diverging else ""
    texts = [f"{edge:{sign}g}".replace("-", "−") for edge in edges]
    found = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        middle = (low + high) / 2.0
        width = _THIN_MM if scale.diverging and middle == 0.0 else _WIDE_MM
        label = f"{texts[k]} to {texts[k + 1]} {unit}".strip()
        low = first if k == 0 else low
        high = last if k == len(edges) - 2 else high
        found.append(Class(float(low), float(high), scale.hex([middle])[0], width, label))
    return found


def _qml(renderer: str, **more: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("qgis", version=QGIS, styleCategories="Symbology")
    shared = {"type": renderer, "symbollevels": "0", "forceraster": "0", "enableorderby": "0"}
    return root, ET.SubElement(root, "renderer-v2", {**shared, **more})


def _drawn(symbols: ET.Element, name: str, colour: str, size_mm: float, shape: Shape) -> None:
    """Add a symbol of QML: a line or point of a size, or an area."""
    if shape == "area":
        _symbol(symbols, name, "fill", "SimpleFill", color=_rgba(colour, AREA_ALPHA), style="solid",
                outline_color=_rgba("#ffffff"), outline_width="0.2",
                outline_width_unit="MM")  # fmt: skip
    elif shape == "point":
        _symbol(symbols, name, "marker", "SimpleMarker", color=_rgba(colour), name="circle",
                outline_style="no", size=str(size_mm), size_unit="MM")  # fmt: skip
    else:
        _symbol(symbols, name, "line", "SimpleLine", line_color=_rgba(colour), line_style="solid",
                line_width=str(size_mm), line_width_unit="MM", capstyle="round",
                joinstyle="round")  # fmt: skip


def _symbol(symbols: ET.Element, number: str, kind: str, drawn: str, /, **options: str) -> None:
    symbol = ET.SubElement(symbols, "symbol", name=number, type=kind, alpha="1",
                           clip_to_extent="1", force_rhr="0")  # fmt: skip
    layer = ET.SubElement(symbol, "layer", enabled="1", locked="0")
    layer.set("class", drawn)
    layer.set("pass", "0")
    listed = ET.SubElement(layer, "Option", type="Map")
    for option, value in options.items():
        ET.SubElement(listed, "Option", {"type": "QString", "name": option, "value": value})


def _rgba(colour: str, alpha: float = 1.0) -> str:
    return ",".join([*map(str, palette.rgb(colour)), str(round(255 * alpha))])


def _sld(name: str) -> tuple[ET.ElementTree[ET.Element], ET.Element]:
    """Return a document of SLD 1.0.0, and what takes its rules."""
    ET.register_namespace("sld", _SLD)
    ET.register_namespace("ogc", _OGC)
    root = ET.Element(f"{{{_SLD}}}StyledLayerDescriptor", version="1.0.0")
    layer = _element(root, _SLD, "NamedLayer")
    _element(layer, _SLD, "Name").text = name
    style = _element(layer, _SLD, "UserStyle")
    _element(style, _SLD, "Name").text = name
    return ET.ElementTree(root), _element(style, _SLD, "FeatureTypeStyle")


def _symbolizer(rule: ET.Element, colour: str, size_mm: float, shape: Shape) -> None:
    """Add to a rule of SLD what `_drawn` adds to QML."""
    pixels = f"{size_mm * _PIXELS_PER_MM:.3g}"
    if shape == "area":
        fill = _element(_element(rule, _SLD, "PolygonSymbolizer"), _SLD, "Fill")
        _parameters(fill, (("fill", colour), ("fill-opacity", str(AREA_ALPHA))))
    elif shape == "point":
        graphic = _element(_element(rule, _SLD, "PointSymbolizer"), _SLD, "Graphic")
        mark = _element(graphic, _SLD, "Mark")
        _element(mark, _SLD, "WellKnownName").text = "circle"
        _parameters(_element(mark, _SLD, "Fill"), (("fill", colour),))
        _element(graphic, _SLD, "Size").text = pixels
    else:
        stroke = _element(_element(rule, _SLD, "LineSymbolizer"), _SLD, "Stroke")
        _parameters(stroke, (("stroke", colour), ("stroke-width", pixels),
                             ("stroke-linejoin", "round"), ("stroke-linecap", "round"))
                    )  # fmt: skip


def _parameters(parent: ET.Element, pairs: Sequence[tuple[str, str]]) -> None:
    for key, value in pairs:
        _element(parent, _SLD, "CssParameter", name=key).text = value


def _element(parent: ET.Element, space: str, tag: str, /, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, f"{{{space}}}{tag}", attributes)


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
