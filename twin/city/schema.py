"""The contract of the city's tables: columns, types, units, allowed values.

Every table is a (Geo)DataFrame with a default integer index. A reference to another
table is that row's position as int32; -1 stands for none. Lengths are in metres,
speeds in metres per second, times in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

TABLES: dict[str, dict[str, str]] = {
    "streets": {
        "id": "str",
        "from_junction": "int32",
        "to_junction": "int32",
        "osm_id": "str",
        "name": "str",
        "highway": "str",
        "lanes": "int32",
        "speed_m_s": "float64",
        "length_m": "float64",
        "cars": "bool",
        "lorries": "bool",
        "buses": "bool",
        "priority": "int32",
        "geometry": "LineString",
    },
    "lanes": {
        "id": "str",
        "street": "int32",
        "index": "int32",
        "length_m": "float64",
        "speed_m_s": "float64",
        "width_m": "float64",
        "cars": "bool",
        "lorries": "bool",
        "buses": "bool",
        "geometry": "LineString",
    },
    "junctions": {"id": "str", "kind": "str", "geometry": "Point"},
    "movements": {
        "lane": "int32",
        "to_lane": "int32",
        "street": "int32",
        "to_street": "int32",
        "junction": "int32",
        "index": "int32",
        "direction": "str",
        "signal": "int32",
        "link": "int32",
        "right_of_way": "str",
        "length_m": "float64",
        "speed_m_s": "float64",
        "wait_m": "float64",
        "geometry": "LineString",
    },
    "conflicts": {"movement": "int32", "foe": "int32", "yields": "bool"},
    "signals": {
        "signal": "int32",
        "id": "str",
        "program": "str",
        "kind": "str",
        "offset_s": "float64",
        "phase": "int32",
        "duration_s": "float64",
        "min_s": "float64",
        "max_s": "float64",
        "state": "str",
    },
    "buildings": {
        "id": "str",
        "use": "str",
        "height_m": "float64",
        "height_source": "str",
        "levels": "float64",
        "footprint_m2": "float64",
        "floor_area_m2": "float64",
        "name": "str",
        "geometry": "Polygon|MultiPolygon",
    },
    "surfaces": {"building": "int32", "kind": "str", "geometry": "Polygon"},
    "places": {"id": "str", "kind": "str", "name": "str", "geometry": "Point"},
    "landuse": {"id": "str", "kind": "str", "geometry": "Polygon"},
    "water": {"id": "str", "kind": "str", "geometry": "Polygon|LineString"},
    "stops": {
        "id": "str",
        "name": "str",
        "street": "int32",
        "lane": "int32",
        "position_m": "float64",
        "geometry": "Point",
    },
    "lines": {
        "id": "str",
        "ref": "str",
        "name": "str",
        "type": "str",
        "headway_s": "float64",
        "geometry": "LineString",
    },
    "line_streets": {"line": "int32", "street": "int32"},
    "line_stops": {"line": "int32", "stop": "int32", "at": "int32"},
}
"""Columns and types of each table, in order; a geometry's type names what it may hold."""

REFERENCES: dict[str, dict[str, tuple[str, bool]]] = {
    "streets": {"from_junction": ("junctions", False), "to_junction": ("junctions", False)},
    "lanes": {"street": ("streets", False)},
    "movements": {
        "lane": ("lanes", False),
        "to_lane": ("lanes", False),
        "street": ("streets", False),
        "to_street": ("streets", False),
        "junction": ("junctions", False),
    },
    "conflicts": {"movement": ("movements", False), "foe": ("movements", False)},
    "surfaces": {"building": ("buildings", False)},
    "stops": {"street": ("streets", False), "lane": ("lanes", False)},
    "line_streets": {"line": ("lines", False), "street": ("streets", False)},
    "line_stops": {"line": ("lines", False), "stop": ("stops", False)},
}
"""Column of a table -> the table that it points to, and whether -1 (none) is allowed."""

LATER = ("stops", "lines", "line_streets", "line_stops", "surfaces")
"""Tables that saved cities of earlier versions lack; without rows they leave the digest alone."""

BUILDING_USES = (
    "residential",
    "office",
    "retail",
    "industrial",
    "education",
    "health",
    "public",
    "other",
)
HEIGHT_SOURCES = ("height", "geometry", "levels", "default")
SURFACE_KINDS = ("roof", "wall", "ground")
SIGNAL_KINDS = ("static", "actuated", "delay_based")
DIRECTIONS = ("s", "r", "l", "R", "L", "t", "T", "invalid")
LINE_TYPES = ("bus", "trolleybus")
RIGHTS_OF_WAY = tuple("MmoOwsZz=-GgyruY")


def is_spatial(table: str) -> bool:
    """Return whether a table carries a geometry."""
    return "geometry" in TABLES[table]


def build(table: str, columns: Mapping[str, Any], crs: Any) -> pd.DataFrame:
    """Return the columns as a table of the contract: order, types, default index.

    Parameters
    ----------
    table
        Name of the table.
    columns
        One sequence per column of the contract.
    crs
        Coordinate reference system of the geometry, if the table has one.
    """
    import geopandas as gpd
    import pandas as pd

    spec = TABLES[table]
    data = {
        name: pd.array(list(columns[name]), dtype="str")
        if dtype == "str"
        else np.asarray(columns[name], dtype=dtype)
        for name, dtype in spec.items()
        if name != "geometry"
    }
    if not is_spatial(table):
        return pd.DataFrame(data)
    geometry = gpd.array.from_shapely(np.asarray(columns["geometry"], dtype=object), crs=crs)
    frame: pd.DataFrame = gpd.GeoDataFrame(data, geometry=geometry, crs=crs)
    return frame


def empty(table: str, crs: Any) -> pd.DataFrame:
    """Return the table without rows, its types as in the contract."""
    return build(table, {name: [] for name in TABLES[table]}, crs)


def check_structure(tables: Mapping[str, pd.DataFrame], where: str) -> None:
    """Refuse tables whose columns, types or references differ from the contract.

    Raises
    ------
    InputError
        Naming the table, the column and the first row that is wrong.
    """
    for table, spec in TABLES.items():
        frame = tables[table]
        found = {name: str(dtype) for name, dtype in frame.dtypes.items()}
        expected = {n: "geometry" if n == "geometry" else d for n, d in spec.items()}
        if list(found.items()) != list(expected.items()):
            wrong = sorted(set(found.items()) ^ set(expected.items())) or "their order"
            msg = f"{where}: table {table} does not have the city's columns: {wrong}."
            raise InputError(msg)
    for table, references in REFERENCES.items():
        for column, (target, optional) in references.items():
            values = tables[table][column].to_numpy()
            lowest = -1 if optional else 0
            bad = np.flatnonzero((values < lowest) | (values >= len(tables[target])))
            if bad.size:
                msg = (
                    f"{where}: {table}.{column} in row {bad[0]} is {values[bad[0]]},"
                    f" which is no row of {target} (0 to {len(tables[target]) - 1})."
                )
                raise InputError(msg)
    _check_signal_links(tables["movements"], tables["signals"], where)
    _check_lines(tables, where)


def _check_lines(tables: Mapping[str, pd.DataFrame], where: str) -> None:
    """Refuse a line without a way, one out of order, and a stop that is not on its way."""
    ways, served = tables["line_streets"], tables["line_stops"]
    for name in ("line_streets", "line_stops"):
        if not tables[name]["line"].is_monotonic_increasing:
            msg = f"{where}: the rows of {name} are not in the order of their lines."
            raise InputError(msg)
    first = np.searchsorted(ways["line"].to_numpy(), np.arange(len(tables["lines"]) + 1))
    empty_ways = np.flatnonzero(np.diff(first) == 0)
    if empty_ways.size:
        msg = f"{where}: line {empty_ways[0]} has no street in line_streets."
        raise InputError(msg)
    line, at = served["line"].to_numpy(), served["at"].to_numpy()
    row = np.minimum(first[line] + at, max(0, len(ways) - 1))
    stops_in = tables["stops"]["street"].to_numpy()[served["stop"].to_numpy()]
    on = (at >= 0) & (first[line] + at < first[line + 1])
    bad = np.flatnonzero(~on | (ways["street"].to_numpy()[row] != stops_in))
    if bad.size:
        msg = f"{where}: stop {bad[0]} of line_stops is not on street {at[bad[0]]} of its line."
        raise InputError(msg)


def _check_signal_links(movements: pd.DataFrame, signals: pd.DataFrame, where: str) -> None:
    """Refuse a movement whose signal link lies beyond its signal's state strings."""
    count = int(signals["signal"].max()) + 1 if len(signals) else 0
    width = np.zeros(count + 1, dtype=np.int64)
    shortest = signals["state"].str.len().groupby(signals["signal"].to_numpy()).min()
    width[shortest.index.to_numpy(dtype=np.int64)] = shortest.to_numpy()
    signal = movements["signal"].to_numpy()
    link = movements["link"].to_numpy()
    known = (signal >= -1) & (signal < count)
    limit = width[np.where(known, signal, -1)]
    fits = np.where(signal == -1, link == -1, (link >= 0) & (link < limit))
    bad = np.flatnonzero(~(known & fits))
    if bad.size:
        row = bad[0]
        msg = (
            f"{where}: movement {row} uses link {link[row]} of signal {signal[row]},"
            f" whose states have {limit[row]} links."
        )
        raise InputError(msg)


def validate(tables: Mapping[str, pd.DataFrame], where: str) -> None:
    """Check every value of every table against its pandera contract.

    Raises
    ------
    InputError
        Naming the table, the column, the rule and the first value that breaks it.
    """
    import pandera.errors

    check_structure(tables, where)
    for table, schema in contracts().items():
        try:
            schema.validate(tables[table], lazy=True)
        except pandera.errors.SchemaErrors as error:
            case = error.failure_cases.iloc[0]
            msg = (
                f"{where}: {table}.{case['column']} in row {case['index']} is"
                f" {case['failure_case']}, which breaks the rule {case['check']}."
            )
            raise InputError(msg) from error


def contracts() -> dict[str, Any]:
    """Return the pandera schema of every table."""
    import pandera.pandas as pa

    finite = pa.Check(np.isfinite, name="finite")
    positive, nonnegative = [pa.Check.gt(0), finite], [pa.Check.ge(0), finite]
    ranges: dict[str, Any] = {
        "length_m": nonnegative,
        "wait_m": nonnegative,
        "speed_m_s": positive,
        "width_m": positive,
        "duration_s": nonnegative,
        "height_m": positive,
        "levels": positive,
        "footprint_m2": positive,
        "floor_area_m2": positive,
        "state": pa.Check.str_matches("^[rygGsuoOY]+$"),
        "direction": pa.Check.isin(DIRECTIONS),
        "right_of_way": pa.Check.isin(RIGHTS_OF_WAY),
        "use": pa.Check.isin(BUILDING_USES),
        "height_source": pa.Check.isin(HEIGHT_SOURCES),
        "position_m": nonnegative,
        "headway_s": nonnegative,
        "at": nonnegative,
        "type": pa.Check.isin(LINE_TYPES),
    }
    special: dict[tuple[str, str], Any] = {
        ("signals", "kind"): pa.Check.isin(SIGNAL_KINDS),
        ("surfaces", "kind"): pa.Check.isin(SURFACE_KINDS),
        ("streets", "lanes"): positive,
        ("streets", "length_m"): positive,
        ("lanes", "length_m"): positive,
    }
    unique = {
        (table, "id") for table in ("streets", "lanes", "junctions", "buildings", "stops", "lines")
    }
    return {
        table: pa.DataFrameSchema(
            {
                name: _geometry_column(pa, dtype, heights=table == "surfaces")
                if name == "geometry"
                else pa.Column(
                    None,
                    special.get((table, name), ranges.get(name)),
                    unique=(table, name) in unique,
                )
                for name, dtype in spec.items()
            },
            strict=True,
            ordered=True,
        )
        for table, spec in TABLES.items()
    }


def _geometry_column(pa: Any, kinds: str, *, heights: bool) -> Any:
    allowed = kinds.split("|")
    checks = [
        pa.Check(
            lambda column: column.geom_type.isin(allowed) & ~column.is_empty,
            name=f"geometry is one of {allowed}",
        )
    ]
    if heights:
        checks.append(pa.Check(lambda column: column.has_z, name="corners have heights"))
    return pa.Column(None, checks)
