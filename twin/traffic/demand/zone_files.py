"""Own zones of a planner: polygons or centroids with ids, from GeoJSON, GeoPackage or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.rows import shown
from twin.suggest import suggestion
from twin.traffic.demand.csv_files import identifier, read_table

if TYPE_CHECKING:
    from twin.city import City

Floats = NDArray[np.float64]

ID_COLUMNS = ("zone", "id", "no", "taz")
EXTERNAL = ("1", "true", "yes")


@dataclass(frozen=True, eq=False)
class OwnZones:
    """Zones as a file states them.

    Parameters
    ----------
    name : of the file, for messages
    ids : unique
    area : shapely polygons or points in the city's CRS
    residents, jobs : 0 where the file has no such column
    external : whether a zone lies beyond the map, so that its trips come and go by gates
    """

    name: str
    ids: tuple[str, ...]
    area: NDArray[np.object_]
    residents: Floats
    jobs: Floats
    external: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


def read_zones(city: City, path: Path, id_column: str | None = None) -> OwnZones:
    """Return the zones of a file.

    GeoJSON and GeoPackage have polygons or points in any CRS, CSV has columns lon and lat, or x and
    y in the city's CRS. The column of ids is stated, or the first there is of zone, id, no and taz.
    Columns residents, jobs and external (1, true or yes: beyond the map) are read where they are.

    Raises
    ------
    InputError : the file cannot be read, lacks ids or positions, or an id stands twice
    """
    plain = path.suffix.lower() in (".csv", ".txt", ".tsv")
    columns, area, rows = (_from_csv if plain else _from_layer)(city, path)
    ids = [identifier(value) for value in columns[_id_column(columns, id_column, path.name)]]
    where = "line" if plain else "feature"
    first: dict[str, int] = {}
    for row, name, shape in zip(rows, ids, area, strict=True):
        at = f"{path.name} {where} {row}"
        if name in ("", "nan", "None") or name in first:
            has = f"id {name!r}, as has {where} {first[name]}" if name in first else "no id"
            msg = f"{at}: has {has}; each zone needs one of its own"
            raise InputError(msg)
        if shape is None or shape.is_empty or not np.isfinite(shape.bounds).all():
            msg = f"{at}: zone {name!r} has no position; give it a polygon or a point"
            raise InputError(msg)
        first[name] = row
    if not ids:
        msg = f"{path.name}: has no zones"
        raise InputError(msg)
    external = [str(value).strip().lower() for value in columns.get("external", [""] * len(ids))]
    people = [_people(columns, name, path.name, where, rows) for name in ("residents", "jobs")]
    beyond = np.array([value.removesuffix(".0") in EXTERNAL for value in external])
    return OwnZones(path.name, tuple(ids), area, people[0], people[1], beyond)


def _from_csv(city: City, path: Path) -> tuple[dict[str, Any], NDArray[np.object_], list[int]]:
    """Return columns by name, points and line numbers."""
    import shapely
    from pyproj import Transformer

    table = read_table(path)
    columns: dict[str, Any] = {title.lower(): table.column(title.lower()) for title in table.header}
    for names in (("lon", "lat"), ("x", "y")):
        if all(name in columns for name in names):
            x, y = (table.numbers(columns[name]) for name in names)
            break
    else:
        msg = f"{path.name}: has no position; it needs the columns lon and lat, or x and y"
        raise InputError(msg)
    good = np.isfinite(x) & np.isfinite(y)
    if names[0] == "lon":
        good &= (np.abs(x) <= 180.0) & (np.abs(y) <= 90.0)
    if not good.all():
        row = int(np.argmin(good))
        written = ", ".join(str(columns[name][row]) for name in names)
        msg = f"{path.name} line {table.line[row]}: {', '.join(names)} = {written} is no position"
        raise InputError(msg)
    if names[0] == "lon":
        x, y = Transformer.from_crs(4326, city.crs, always_xy=True).transform(x, y)
    for name in ("residents", "jobs"):
        if name in columns:
            columns[name] = table.numbers(columns[name])
    return columns, np.asarray(shapely.points(x, y)), table.line.tolist()


def _from_layer(city: City, path: Path) -> tuple[dict[str, Any], NDArray[np.object_], list[int]]:
    """Return columns by name, shapes in the city's CRS, and numbers of features."""
    import warnings

    import geopandas as gpd
    import shapely
    from pyproj.exceptions import ProjError
    from shapely.errors import ShapelyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GDAL's, of shapes that are refused later
            frame = gpd.read_file(path)
            bare = not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None
            shapes = [] if bare else shapely.make_valid(frame.to_crs(city.crs).geometry.to_numpy())
    except (RuntimeError, OSError, ValueError, ShapelyError, ProjError) as error:
        why = (str(error).splitlines() or ["?"])[0][:120]
        msg = f"{path.name}: cannot be read as GeoJSON or GeoPackage ({why})"
        raise InputError(msg) from None
    if bare:
        msg = f"{path.name}: has no geometry with a coordinate reference system; zones need both"
        raise InputError(msg)
    columns = {
        str(c).lower(): frame[c].to_numpy() for c in frame.columns if c != frame.geometry.name
    }
    return columns, np.asarray(shapes, dtype=object), list(range(1, len(frame) + 1))


def _id_column(columns: Mapping[str, Any], stated: str | None, name: str) -> str:
    wanted = ID_COLUMNS if stated is None else (stated.lower(),)
    for column in wanted:
        if column in columns:
            return column
    has = shown(", ".join(columns))
    if stated is not None:
        msg = f"{name}: has no column {stated!r}; {suggestion(stated, columns)}"
    else:
        msg = f"{name}: has no column of ids ({', '.join(ID_COLUMNS)}) but {has}; name it"
    raise InputError(msg)


def _people(
    columns: Mapping[str, Any], column: str, name: str, where: str, rows: list[int]
) -> Floats:
    import pandas as pd

    if column not in columns:
        return np.zeros(len(rows))
    values = pd.to_numeric(pd.Series(columns[column]), errors="coerce").to_numpy(np.float64)
    good = np.isfinite(values) & (values >= 0.0)
    if not good.all():
        row = int(np.argmin(good))
        msg = f"{name} {where} {rows[row]}: {column} must be a number >= 0"
        raise InputError(msg)
    return np.asarray(values)
