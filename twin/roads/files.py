"""Files from outside: detections of damage, surveys of condition, citizens' reports, plans.

Rows of a CSV (columns x, y in the city's CRS, or lon, lat) or points of a GeoJSON are matched to
the nearest section.  A row that cannot be used is refused with one line, and counted; the others
are taken in together, after the whole file has been read, as if they had been seen at the start.
A plan is taken as a whole or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.roads import filtering, kernel
from twin.roads.belief import NOT_SOUGHT
from twin.roads.inventory import DAMAGES
from twin.roads.state import F8, HYPOTHESES, I8, Condition, Inventory, Records
from twin.roads.treatments import DAY, NIGHT, TREATMENTS, option_of
from twin.rows import (
    check_fields,
    fields_beyond,
    moment,
    need_columns,
    positions,
    read_rows,
    shown,
)

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from twin.city import City

REACH_M = 25.0  # a position farther than this from every section is in none
LEAST_CONFIDENCE = 0.3  # detections that a detector trusts less are left out
PASS_GAP = dt.timedelta(hours=12)  # detections of a section farther apart are of two passes
OLDEST = dt.timedelta(days=730)  # what was seen before says little of today
SURVEY_ERROR = 5.0  # PCI, standard deviation of a survey on foot or by car
LONGEST_YEARS = 100
DAMAGE_NAMES = {
    "longitudinal": "D00", "transverse": "D10", "alligator": "D20", "pothole": "D40",
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Rows of a file that can be used, and what was refused.

    Attributes
    ----------
    table
        Columns section and time, and those of the kind of file.
    refused
        One line each: file, row, value, what to do.
    """

    table: pd.DataFrame
    refused: tuple[str, ...] = field(default=())


def read_detections(
    path: Path,
    city: City,
    sections: gpd.GeoDataFrame,
    now: dt.datetime,
    name: str = "",
) -> Rows:
    """Detections of damage: position, class (D00, D10, D20, D40 or their names), confidence, time.

    Without a confidence a detection is trusted; a time without zone is UTC.  `name` is what
    refusals call the file.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column.
    """
    checks: dict[str, Check] = {"class": _damage, "confidence": _confidence}
    return _read(path, city, sections, now, checks, {"confidence": 1.0}, name)


def read_condition(
    path: Path,
    city: City,
    sections: gpd.GeoDataFrame,
    now: dt.datetime,
    name: str = "",
) -> Rows:
    """A survey of condition: position, pci (0 to 100), time.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column.
    """
    return _read(path, city, sections, now, {"pci": _pci}, {}, name)


def read_reports(
    path: Path,
    city: City,
    sections: gpd.GeoDataFrame,
    now: dt.datetime,
    name: str = "",
) -> Rows:
    """Citizens' reports of road damage: position, time.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column.
    """
    return _read(path, city, sections, now, {}, {}, name)


Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Planned:
    """One line of a plan: what is asked for on a section in a year of the run (from 1)."""

    section: int
    year: int
    option: int


def read_plan(
    path: Path, sections: gpd.GeoDataFrame, name: str = "", years: int = LONGEST_YEARS
) -> tuple[Planned, ...]:
    """A plan: section (id, e.g. "4711#2:0"), year (1 is the first), treatment, shift (day, night).

    Parameters
    ----------
    name
        What refusals call the file.
    years
        Of the run.

    Raises
    ------
    InputError
        If any line cannot be used; then the plan is refused as a whole.
    """
    label = name or str(path)
    raw = read_rows(path, label)
    need_columns(
        raw, ("section", "year", "treatment"), label, "a plan has section, year, treatment, shift"
    )
    shift = raw["shift"] if "shift" in raw else [""] * len(raw)
    known = {str(name): k for k, name in enumerate(sections["id"])}
    found: list[Planned] = []
    wrong: list[str] = []
    seen: dict[tuple[int, int], int] = {}
    columns, fields = (raw["section"], raw["year"], raw["treatment"], shift), fields_beyond(raw)
    for k, (where, year, treatment, when) in enumerate(zip(*columns, strict=True), start=1):
        try:
            check_fields(fields[k - 1])
            line = Planned(
                _section(where, known),
                _year(year, years),
                _option(str(treatment), str(when or "day")),
            )
            if (line.section, line.year) in seen:
                before = seen[line.section, line.year]
                msg = f"section {where} stands twice in year {line.year}, as in row {before}"
                raise ValueError(msg)
        except ValueError as error:
            wrong.append(f"row {k}: {error}")
            continue
        seen[line.section, line.year] = k
        found.append(line)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        msg = f"{label}: {wrong[0]}{more}; the plan is refused as a whole: mend it"
        raise InputError(msg)
    return tuple(found)


def _section(name: Any, known: Mapping[str, int]) -> int:
    if str(name) not in known:
        from twin.suggest import suggestion

        msg = f"section {name!r} is not in the city; {suggestion(str(name), list(known))}"
        raise ValueError(msg)
    return known[str(name)]


def _year(value: Any, years: int) -> int:
    number = _number(value, "year")
    if not (1 <= number <= years and number == int(number)):
        msg = f"year {value} is none of 1 to {years} of the run"
        raise ValueError(msg)
    return int(number)


def _option(treatment: str, shift: str) -> int:
    names = [t.name for t in TREATMENTS]
    if treatment not in names:
        msg = f"treatment {treatment!r} is none of {', '.join(names)}"
        raise ValueError(msg)
    if shift not in ("day", "night"):
        msg = f"shift {shift!r} is neither day nor night"
        raise ValueError(msg)
    return option_of(names.index(treatment), NIGHT if shift == "night" else DAY)


def _damage(value: Any) -> str:
    name = str(value).strip()
    name = DAMAGE_NAMES.get(name.lower(), name.upper())
    if name not in DAMAGES:
        msg = f"class {value!r} is none of {', '.join(DAMAGES)}"
        raise ValueError(msg)
    return name


def _confidence(value: Any) -> float:
    if value is None or str(value).strip() in ("", "nan"):
        return 1.0
    number = _number(value, "confidence")
    if not 0.0 <= number <= 1.0:
        msg = f"confidence {value} is outside 0 to 1"
        raise ValueError(msg)
    if number < LEAST_CONFIDENCE:
        msg = f"confidence {number:g} is less than {LEAST_CONFIDENCE:g}, so it is left out"
        raise ValueError(msg)
    return number


def _pci(value: Any) -> float:
    number = _number(value, "pci")
    if not 0.0 <= number <= 100.0:
        msg = f"PCI {value} is outside 0 to 100"
        raise ValueError(msg)
    return number


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        msg = f"{name} {value!r} is no number"
        raise ValueError(msg)
    return number


def _read(
    path: Path,
    city: City,
    sections: gpd.GeoDataFrame,
    now: dt.datetime,
    checks: Mapping[str, Check],
    optional: Mapping[str, Any],
    name: str,
) -> Rows:
    """Read, check and match every row."""
    import pandas as pd

    label = name or str(path)
    raw = read_rows(path, label)
    needed = [c for c in (*checks, "time") if c not in optional]
    if len(raw.columns) == 0:  # a GeoJSON without features
        return Rows(pd.DataFrame(columns=["section", *checks, "time"]))
    need_columns(raw, needed, label, f"it needs {', '.join(needed)} and a position")
    for column, value in optional.items():
        if column not in raw:
            raw[column] = value
    points, written = positions(raw, label, city)
    section, distance = _nearest(points, sections)
    values = {column: raw[column].tolist() for column in (*checks, "time", *written)}
    fields, rows, refused = fields_beyond(raw), [], []
    for k in range(len(raw)):
        try:
            check_fields(fields[k])
            if not np.isfinite(distance[k]):
                x, y = (shown(values[column][k]) for column in written)
                msg = f"position {', '.join(written)} is no pair of numbers ({x}, {y})"
                raise ValueError(msg)
            if distance[k] > REACH_M:
                at = ", ".join(f"{column} {shown(values[column][k])}" for column in written)
                msg = f"position {at} is {distance[k]:,.0f} m from the nearest street of the city"
                raise ValueError(msg)
            row = {name: check(values[name][k]) for name, check in checks.items()}
            row["time"] = moment(values["time"][k], now, OLDEST)
        except ValueError as error:
            refused.append(f"{name or path.name}, row {k + 1}: {error}; mend or leave out the row")
            continue
        rows.append({"section": int(section[k]), **row})
    columns = ["section", *checks, "time"]
    table = pd.DataFrame(rows, columns=columns)
    return Rows(table.sort_values("time", kind="stable", ignore_index=True), tuple(refused))


def _nearest(points: Any, sections: gpd.GeoDataFrame) -> tuple[I8, Any]:
    """Nearest section of each point, and how far it is; infinite without a position."""
    from shapely import STRtree
    from shapely import points as make_points

    section, distance = np.zeros(len(points), np.int64), np.full(len(points), np.inf)
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(known):
        tree = STRtree(sections.geometry.to_numpy())
        found, metres = tree.query_nearest(
            make_points(points[known]), all_matches=False, return_distance=True
        )
        section[known[found[0]]], distance[known[found[0]]] = found[1], metres
    return section, distance


def believe(
    inventory: Inventory,
    rules: Records,
    state: Condition,
    *,
    condition: Rows | None = None,
    detections: Rows | None = None,
    reports: Rows | None = None,
) -> None:
    """Let the belief at the start of a run take in what files say.

    Detections of a section within `PASS_GAP` are one pass; that nothing was detected elsewhere is
    not concluded, for a file does not say where else the camera was (whether it passed a street
    does not depend on the street's condition).  A class of damage that the
    file does not have at all was not looked for.  The truth of the streets that files tell of is
    drawn anew, from what is then believed of them.
    """
    if condition is not None:
        for section, pci in zip(condition.table["section"], condition.table["pci"], strict=True):
            filtering.measured(inventory, rules, state, 0, int(section), float(pci), SURVEY_ERROR)
    if detections is not None:
        work = np.zeros(HYPOTHESES)
        sought = np.isin(DAMAGES, detections.table["class"].unique())
        for section in np.unique(detections.table["section"].to_numpy(np.int64)):
            mine = detections.table[detections.table["section"] == section]
            for counts in _passes(mine):
                found = np.where(sought, counts, NOT_SOUGHT)
                filtering.detected(inventory, rules, state, 0, int(section), found, work)
    if reports is not None:
        for section in reports.table["section"]:
            filtering.reported(inventory, rules, state, 0, int(section))
    told = [rows.table["section"] for rows in (condition, detections, reports) if rows is not None]
    if told:
        sections = np.unique(np.concatenate(told)).astype(np.int64)
        kernel.redraw(inventory, rules, state, 0, sections)


def _passes(found: pd.DataFrame) -> list[F8]:
    """Numbers of detections by class of damage, one array a pass."""
    passes: list[F8] = []
    last: dt.datetime | None = None
    for damage, seen in zip(found["class"], found["time"], strict=True):
        if last is None or seen - last > PASS_GAP:
            passes.append(np.zeros(len(DAMAGES)))
        passes[-1][DAMAGES.index(damage)] += 1.0
        last = seen
    return passes
