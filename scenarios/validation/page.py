"""The page of a validation: README.md, results.csv and pictures in one folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenarios.validation import figures, words
from scenarios.validation.cases import GROUPS
from scenarios.validation.measures import Measure
from twin.errors import OutputError

if TYPE_CHECKING:
    from scenarios.validation.harness import Result

COLUMNS = (
    "case", "group", "measure", "unit", "sumo_mean", "sumo_min", "sumo_max", "kernel_mean",
    "kernel_min", "kernel_max", "value", "mark", "met", "vehicles", "begin_s", "end_s",
)  # fmt: skip
README, RESULTS = "README.md", "results.csv"


@dataclass
class Page:
    """Collects results, and writes the page of them.

    Parameters
    ----------
    folder
        Where the page goes; one that is not there is made.
    command, seeds
        What is told of how it was made.

    Raises
    ------
    OutputError
        If the folder holds other things under the page's names, or cannot be written.
    """

    folder: Path
    command: str
    seeds: int
    _drawn: dict[str, bytes] = field(default_factory=dict)
    _parts: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _lines: dict[str, list[str]] = field(default_factory=dict)
    _missed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._old = _pictures(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def add(self, result: Result) -> None:
        """Take a result in, and draw its pictures."""
        case = result.case
        title = f"{case.name}: {result.vehicles:,} vehicles, {words.period(result)}"
        material = figures.Material(
            title, result.due, result.sumo, result.kernel, result.lane_m, result.end_s,
            result.onset_s,
        )  # fmt: skip
        for ink in figures.INKS:
            self._drawn[f"{case.name}-{ink.name}.png"] = figures.draw(material, ink)
        self._lines.setdefault(case.group, []).append(words.table_row(result))
        self._parts.append(words.section(result))
        self._missed += words.missed(result)
        self._rows += [_row(result, measure) for measure in result.measures]

    def write(self, left_out: Mapping[str, str]) -> Path:
        """Write pictures, table and text; return the page.

        Parameters
        ----------
        left_out
            Why cases were not run.
        """
        for name, data in self._drawn.items():
            _put(self.folder / name, data)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([COLUMNS, *self._rows])
        _put(self.folder / RESULTS, stream.getvalue().encode())
        rows = [line for group in GROUPS for line in self._lines.get(group, [])]
        text = words.page(rows, self._missed, self._parts, left_out, self.command, self.seeds)
        _put(self.folder / README, text.encode())
        for path in self._old - _pictures(self.folder):
            path.unlink(missing_ok=True)
        return self.folder / README


def _row(result: Result, m: Measure) -> list[str]:
    values = [float(f(v)) for v in (m.sumo, m.kernel) for f in (np.mean, np.min, np.max)]
    met = "" if m.met is None else ("yes" if m.met else "no")
    return [
        result.case.name, result.case.group, m.title, m.unit, *map(_number, values),
        _number(m.value), _number(m.mark), met, str(result.vehicles),
        f"{result.begin_s:g}", f"{result.end_s:g}",
    ]  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else ""


def _pictures(folder: Path) -> set[Path]:
    """Return the pictures of the page that is in a folder.

    Raises
    ------
    OutputError
        If the folder holds a README.md or results.csv that are not of such a page.
    """
    readme, results = folder / README, folder / RESULTS
    try:
        if not readme.exists() and not results.exists():
            return set()
        with results.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, ValueError, csv.Error):
        rows = []
    if not rows or tuple(rows[0]) != COLUMNS:
        msg = f"{folder}: holds files of something else; name another folder with --out"
        raise OutputError(msg)
    names = {row[0] for row in rows[1:] if row and Path(row[0]).name == row[0]}
    return {folder / f"{name}-{ink.name}.png" for name in names for ink in figures.INKS}


def _put(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> OutputError:
    msg = f"{path}: cannot be written, {error.strerror or error}; name another folder with --out"
    return OutputError(msg)
