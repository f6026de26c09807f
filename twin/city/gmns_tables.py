"""GMNS tables as they stand in a folder: cells with their line, units, kinds of vehicles."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twin.city.provenance import file_sha256
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIRED = {
    "node": ("node_id", "x_coord", "y_coord"),
    "link": ("link_id", "from_node_id", "to_node_id"),
}
OPTIONAL = {
    "config": (),
    "lane": ("link_id", "lane_num"),
    "movement": ("node_id", "ib_link_id", "ob_link_id"),
    "geometry": ("geometry_id", "geometry"),
    "use_group": ("use_group", "uses"),
    "signal_timing_plan": ("timing_plan_id", "controller_id"),
    "signal_timing_phase": ("timing_phase_id", "timing_plan_id"),
    "signal_phase_mvmt": ("timing_phase_id", "mvmt_id"),
}

METRES = {
    "m": 1.0, "meter": 1.0, "metre": 1.0, "km": 1000.0, "kilometer": 1000.0, "kilometre": 1000.0,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "mi": 1609.344, "mile": 1609.344,
    "cm": 0.01, "in": 0.0254, "inch": 0.0254, "yd": 0.9144, "yard": 0.9144,
}  # fmt: skip
"""Metres in a unit of length (international foot and mile of 1959)."""

M_S = {
    "kph": 1 / 3.6, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "kmph": 1 / 3.6, "mph": 0.44704,
    "mi/h": 0.44704, "m/s": 1.0, "mps": 1.0, "ft/s": 0.3048, "fps": 0.3048,
}  # fmt: skip
"""Metres per second in a unit of speed."""

CARS = {"car", "auto", "automobile", "sov", "hov", "hov2", "hov3", "passenger", "taxi", "motor",
        "motor_vehicle", "vehicle", "drive", "general", "gp"}  # fmt: skip
LORRIES = {"lorry", "lorrie", "truck", "freight", "hgv", "delivery", "trk", "mut", "sut"}
BUSES = {"bus", "buse", "transit", "coach"}
EVERYBODY = {"all", "any", "motorized", "motor_vehicle", "vehicle"}


@dataclass(frozen=True)
class Row:
    """A row of a table, and how an error names it."""

    cells: dict[str, str]
    where: str

    def text(self, column: str) -> str:
        """Return a cell; empty where there is none or it says that nothing is known."""
        value = self.cells.get(column, "").strip()
        return "" if value.lower() in {"nan", "null", "none", "na"} else value

    def number(self, column: str) -> float | None:
        """Return a number of 0 or more; None where the cell is empty.

        Raises
        ------
        InputError
            If it is something else.
        """
        value = self.coordinate(column) if self.text(column) else None
        if value is not None and value < 0.0:
            msg = f"{self.where}: {column} is {value:g}; give 0 or more, or nothing."
            raise InputError(msg)
        return value

    def coordinate(self, column: str) -> float:
        """Return a finite number.

        Raises
        ------
        InputError
            If it is something else.
        """
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            msg = f"{self.where}: {column} is {text[:40]!r}; give a number."
            raise InputError(msg)
        return value

    def whole(self, column: str) -> int | None:
        """Return a whole number, None where the cell is empty.

        Raises
        ------
        InputError
            If it is something else.
        """
        if not self.text(column):
            return None
        value = self.coordinate(column)
        if value != int(value):
            msg = f"{self.where}: {column} is {value:g}; give a whole number."
            raise InputError(msg)
        return int(value)


@dataclass(frozen=True)
class Tables:
    """The tables of a folder; those that are not there are empty."""

    folder: Path
    rows: dict[str, list[Row]]
    sha256: str

    def __getitem__(self, name: str) -> list[Row]:
        return self.rows[name]

    @property
    def config(self) -> Row:
        """The row of config.csv, an empty one if there is none."""
        found = self.rows["config"]
        return found[0] if found else Row({}, f"{self.folder / 'config.csv'}")


def is_gmns(folder: Path) -> bool:
    """Return whether a folder holds the tables that a GMNS network must have."""
    return all((folder / f"{name}.csv").is_file() for name in REQUIRED)


def read_tables(folder: Path) -> Tables:
    """Return the tables of a GMNS folder.

    Raises
    ------
    InputError
        If node.csv or link.csv is missing, or a table has not the columns that it must have.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; a GMNS network is a folder with node.csv and link.csv."
        raise InputError(msg)
    rows: dict[str, list[Row]] = {}
    digest = hashlib.sha256()
    for name, columns in (REQUIRED | OPTIONAL).items():
        path = folder / f"{name}.csv"
        rows[name] = []
        if path.is_file():
            rows[name] = list(_rows(path, columns))
            digest.update(f"{name}:{file_sha256(path)}\n".encode())
        elif name in REQUIRED:
            msg = f"{folder}: has no {name}.csv, so it is no GMNS network."
            raise InputError(msg)
        if name in REQUIRED and not rows[name]:
            msg = f"{path}: has no rows."
            raise InputError(msg)
    return Tables(folder, rows, digest.hexdigest())


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    import csv

    csv.field_size_limit(2**24)  # a long street in WKT
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            reader.fieldnames = [n.strip().lower() for n in reader.fieldnames or []]
            missing = [name for name in columns if name not in reader.fieldnames]
            if missing:
                msg = f"{path}:1: has no column {missing[0]}; add it."
                raise InputError(msg)
            for cells in reader:
                full = {k: v or "" for k, v in cells.items() if k is not None}
                yield Row(full, f"{path}:{reader.line_num}")
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: is no CSV file in UTF-8 ({error}); save it anew."
        raise InputError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from None


def unit(config: Row, column: str, known: dict[str, float], default: str) -> tuple[str, float]:
    """Return a unit's name and its factor to SI.

    Raises
    ------
    InputError
        If the unit is unknown.
    """
    name = config.text(column).lower().replace(" ", "") or default
    factor = known.get(name) or known.get(name.removesuffix("s").removesuffix("."))
    if factor is None:
        msg = f"{config.where}: {column} is {name!r}; give one of {', '.join(known)}."
        raise InputError(msg)
    return name, factor


def permits(text: str, groups: dict[str, str]) -> tuple[bool, bool, bool]:
    """Return whether cars, lorries and buses are among the uses that a cell allows.

    An empty cell allows all. Words that are neither (bike, walk) allow none of the three.
    """
    if not text.strip():
        return True, True, True
    words: set[str] = set()
    open_words = _words(text)
    while open_words:
        word = open_words.pop()
        if word not in words:
            words.add(word)
            open_words |= _words(groups.get(word, ""))
    words |= {word.removesuffix("s") for word in words}
    everybody = bool(words & EVERYBODY)
    return (
        everybody or bool(words & CARS),
        everybody or bool(words & LORRIES),
        everybody or bool(words & BUSES),
    )


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"[,;|\s]+", text.lower().strip("[]{}")) if word}
