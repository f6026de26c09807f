"""Reference systems and units of files: their many names, and the way into the city's CRS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pyproj

    from twin.city.solids import Models

    Floats = npt.NDArray[np.float64]

TRUE_AREA = 0.02
"""A projection that shows areas larger or smaller by more than this share is none to measure in."""

UNITS_M = {
    "m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0,
    "dm": 0.1, "cm": 0.01, "centimetre": 0.01, "centimeter": 0.01,
    "mm": 0.001, "millimetre": 0.001, "millimeter": 0.001,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "ft_i": 0.3048, "international foot": 0.3048,
    "ftus": 1200 / 3937, "us-ft": 1200 / 3937, "ft_us": 1200 / 3937,
    "us survey foot": 1200 / 3937, "us survey feet": 1200 / 3937,
}  # fmt: skip
"""Lengths of units in metres (UCUM, EPSG 9001 to 9003), by their names in small letters."""


def unit_m(text: str) -> float:
    """Return a unit of length in metres, NaN if it is none; without a name it is the metre.

    >>> unit_m("urn:ogc:def:uom:UCUM::m"), unit_m("[ft_i]"), unit_m("cm"), unit_m("K")
    (1.0, 0.3048, 0.01, nan)
    """
    name = re.split(r"[:#/]", text.strip())[-1].strip("[] ").lower()
    return UNITS_M.get(name, float("nan")) if text.strip() else 1.0


def file_crs(text: str, path: Path) -> pyproj.CRS:
    """Return the horizontal CRS that a file's reference system means.

    Raises
    ------
    InputError
        If there is none, or it is unknown.
    """
    return horizontal(_systems(text, path)[0])


def vertical_unit_m(text: str, path: Path) -> float:
    """Return the unit of heights of a file's reference system in metres, 1 if it states none."""
    axes = [axis for crs in _systems(text, path) for axis in crs.axis_info]
    up = [float(a.unit_conversion_factor) for a in axes if a.direction.lower() == "up"]
    return up[0] if up else 1.0


def _systems(text: str, path: Path) -> list[pyproj.CRS]:
    """Return the CRSs that a name means, the horizontal one first."""
    import pyproj
    from pyproj.exceptions import CRSError

    if not text.strip():
        msg = f"{path}: states no CRS; write one into it, such as EPSG:25832."
        raise InputError(msg)
    utm = re.search(r"ETRS89_UTM(\d\d)", text)
    krueger = re.search(r"DE_DHDN_3GK([2-5])", text)
    epsg = re.findall(r"(?:epsg.*?|\+)(\d{4,6})(?!\d)", text, re.IGNORECASE)
    names: list[str | int] = [text]
    if utm:
        names = [25800 + int(utm[1])]
    elif krueger:
        names = [31464 + int(krueger[1])]
    elif re.search("epsg", text, re.IGNORECASE) and epsg:
        names = [int(code) for code in epsg]
    try:
        return [pyproj.CRS.from_user_input(name) for name in names]
    except CRSError as error:
        msg = f"{path}: its CRS {text[:80]!r} is unknown; write one into it, such as EPSG:25832."
        raise InputError(msg) from error


def horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    """Return a CRS without heights, as the registry has it where it is in one."""
    import pyproj

    plane = crs.sub_crs_list[0] if crs.is_compound else crs
    if len(plane.axis_info) == 3:
        plane = plane.to_2d()
    epsg = plane.to_epsg(min_confidence=100)
    if epsg:
        return pyproj.CRS.from_epsg(epsg)
    return pyproj.CRS.from_json_dict(plane.to_json_dict())  # so that it is saved as it is


def to_plane(points: Floats, models: Models, crs: pyproj.CRS, text: str = "") -> Floats:
    """Return points [n, xyz] of a file in the city's CRS and metres, rounded to millimetres.

    `text` is their own reference system where they have another one than the file. The datum of
    heights is kept.
    """
    import pyproj

    text = text or models.crs
    source = file_crs(text, models.path)
    x, y = east_north(points, text, models, source)
    if source != crs:
        move = pyproj.Transformer.from_crs(source, crs, always_xy=True)
        x, y = move.transform(x, y)
    z = points[:, 2] * vertical_unit_m(text, models.path)
    return np.asarray(np.round(np.column_stack([x, y, z]), 3), dtype=np.float64)


def east_north(
    points: Floats, text: str, models: Models, source: pyproj.CRS
) -> tuple[Floats, Floats]:
    """Return eastings and northings of points in their CRS, the zone before them taken off.

    Where the authority of the CRS puts the north first, that order holds for names such as
    urn:ogc:def:crs:EPSG::4326, and the east is first for names such as EPSG:4326, unless the
    points then lie outside the area of use and do not in the other order.
    """
    x, y = points[:, 0], points[:, 1]
    if source.axis_info and source.axis_info[0].direction.lower() in ("north", "south"):
        strict = re.search(r"urn:ogc:def|/def/crs/", text) and not models.easting_first
        pairs = [(y, x), (x, y)] if strict else [(x, y), (y, x)]
        x, y = next((pair for pair in pairs if _in_area_of_use(source, *pair)), pairs[0])
    return without_zone(x, source), y


def without_zone(x: Floats, crs: pyproj.CRS) -> Floats:
    """Return eastings without the number of their UTM zone before them (32 360 000)."""
    zone = re.fullmatch(r"(\d+)[NS]", crs.utm_zone or "")
    if zone and len(x) and np.median(x) // 1e6 == int(zone[1]):
        return np.asarray(x - int(zone[1]) * 1e6)
    return x


def _in_area_of_use(crs: pyproj.CRS, x: Floats, y: Floats) -> bool:
    """Whether the middle of points, east first, lies where a CRS is used."""
    if not len(x):
        return True
    return bool(in_area_of_use(crs, np.median(x, keepdims=True), np.median(y, keepdims=True))[0])


def in_area_of_use(
    crs: pyproj.CRS, x: Floats, y: Floats, margin_deg: float = 1.0
) -> npt.NDArray[np.bool_]:
    """Whether points, east first, lie where a CRS is used, or so many degrees from there."""
    import pyproj

    area = crs.area_of_use
    if area is None:
        return np.isfinite(x) & np.isfinite(y)
    move = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = move.transform(x, y)
    width = (area.east - area.west) % 360.0 or 360.0  # also across the antimeridian
    with np.errstate(invalid="ignore"):
        inside = (lon - area.west + margin_deg) % 360.0 <= width + 2.0 * margin_deg
        inside &= (lat >= area.south - margin_deg) & (lat <= area.north + margin_deg)
    return np.asarray(inside & np.isfinite(lon) & np.isfinite(lat))


def measures(crs: pyproj.CRS, x: float, y: float) -> bool:
    """Whether a CRS is one in metres that shows areas at a place as they are."""
    import pyproj

    if not crs.is_projected or any(a.unit_name != "metre" for a in crs.axis_info):
        return False
    lon, lat = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
    if not np.isfinite([lon, lat]).all():
        return True  # somewhere else, which is told later
    return bool(abs(pyproj.Proj(crs).get_factors(lon, lat).areal_scale - 1.0) < TRUE_AREA)
