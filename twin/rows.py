"""Rows of files from outside: CSV and GeoJSON, their positions and times, whatever they tell of.

A file that cannot be used at all is refused in one line; what a row says, its reader checks.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

LARGEST_BYTES = 512 * 2**20
LONGEST_SHOWN = 40
TOO_LONG = "more fields than the header"


def read_rows(path: Path, label: str) -> pd.DataFrame:
    """Rows of a CSV or the properties and positions of a GeoJSON, without spaces at their ends."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            msg = f"{label}: is larger than {LARGEST_BYTES >> 20} MiB; cut it into several"
            raise InputError(msg)
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() in (".geojson", ".json"):
            return _geojson(json.loads(text), label)
        return _csv(text)
    except OSError as error:
        msg = f"{label}: cannot be read, {error.strerror or error}"
        raise InputError(msg) from None
    except (ValueError, RecursionError, csv.Error) as error:
        why = (str(error).splitlines() or ["?"])[0][:120]
        msg = f"{label}: is neither CSV nor GeoJSON ({why})"
        raise InputError(msg) from None


def _csv(text: str) -> pd.DataFrame:
    """Rows of a CSV as text; `TOO_LONG` says which have more fields than the header."""
    import pandas as pd

    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(lines, [])]
    if not any(header):
        msg = "it is empty"
        raise ValueError(msg)
    rows = [[field.strip() for field in line] for line in lines if line]
    n = len(header)
    frame = pd.DataFrame([(row + [""] * n)[:n] for row in rows], columns=header, dtype=str)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    frame[TOO_LONG] = [len(row) if any(row[n:]) else 0 for row in rows]
    return frame


def _geojson(content: Any, label: str) -> pd.DataFrame:
    import pandas as pd

    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        msg = f"{label}: is no GeoJSON FeatureCollection"
        raise InputError(msg)
    rows = []
    for feature in features:
        found = feature if isinstance(feature, dict) else {}
        geometry, properties = found.get("geometry"), found.get("properties")
        place = geometry.get("coordinates") if isinstance(geometry, dict) else None
        pair = place[:2] if isinstance(place, list) and len(place) >= 2 else (None, None)
        rows.append({**(properties if isinstance(properties, dict) else {}), "lon": pair[0],
                     "lat": pair[1]})  # fmt: skip
    return pd.DataFrame(rows)


def need_columns(raw: pd.DataFrame, columns: Sequence[str], label: str, needs: str) -> None:
    """Refuse a table that lacks a column, and say which it has."""
    for column in columns:
        if column not in raw:
            has = ", ".join(str(c) for c in raw.columns if c != TOO_LONG)
            msg = f"{label}: has no column {column!r}; {needs}, and has {shown(has)}"
            raise InputError(msg)


def fields_beyond(raw: pd.DataFrame) -> list[int]:
    """Numbers of fields of rows that have more than the header, 0 of others."""
    return raw[TOO_LONG].tolist() if TOO_LONG in raw else [0] * len(raw)


def check_fields(number: int) -> None:
    """Refuse a row that has more fields than the header."""
    if number:
        msg = (
            f"has {number} fields, more than the header; quote text with commas, write 7.5 not 7,5"
        )
        raise ValueError(msg)


def positions(raw: pd.DataFrame, label: str, city: City) -> tuple[Any, tuple[str, str]]:
    """[rows, 2] metres in the city's CRS, not finite where there is no position; their columns."""
    import pandas as pd
    from pyproj import Transformer

    for x, y in (("lon", "lat"), ("x", "y")):
        if x in raw and y in raw:
            a, b = (pd.to_numeric(raw[c], errors="coerce").to_numpy(float) for c in (x, y))
            if x == "lon":
                outside = ~((np.abs(a) <= 180.0) & (np.abs(b) <= 90.0))
                a, b = np.where(outside, np.nan, a), np.where(outside, np.nan, b)
                a, b = Transformer.from_crs(4326, city.crs, always_xy=True).transform(a, b)
            return np.column_stack([a, b]), (x, y)
    msg = f"{label}: has no position; it needs the columns lon and lat, or x and y"
    raise InputError(msg)


def moment(value: Any, now: dt.datetime, oldest: dt.timedelta) -> dt.datetime:
    """Return a time in ISO 8601 that is not after now and not too old; without zone it is UTC.

    Raises
    ------
    ValueError
        In one line with the value.
    """
    try:
        found = dt.datetime.fromisoformat(str(value).strip())
    except ValueError:
        msg = f"time {value!r} is none; write it as 2026-09-15T08:30"
        raise ValueError(msg) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    if found > now:
        msg = f"time {value} is after {now:%Y-%m-%d %H:%M}, at which the run begins"
        raise ValueError(msg)
    if now - found > oldest:
        msg = f"time {value} is more than {oldest.days} days before the run begins"
        raise ValueError(msg)
    return found


def shown(value: Any) -> str:
    """A value of a file, short enough for a line."""
    text = "nothing" if value is None or value == "" else str(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
