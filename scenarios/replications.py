"""What replications hold: their tables, and a summary of each that a comparison reads quickly.

A comparison needs of a replication its indicators, the sums of map layers by street, and what
drivers' learning still moved. These are kept beside the run, 64 seeds to a file, and read anew
only for replications whose files changed. Whoever deletes the folder `.summary` loses nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scenarios import equilibrium_error
from twin.errors import InputError
from twin.system import Layer, layers

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from scenarios.runs import RunInfo

FOLDER = ".summary"
VERSION = 1
BLOCK = 64  # seeds to a file; memory does not grow with the number of files
LEARNING = "learning"
JAMS = "passed_jams"  # indicator: vehicles taken past a gridlock
LARGE = 1_000_000  # streets, up to which a table of them all is quicker than sorting

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LayerSums:
    """Sums over time of a map layer by street.

    Parameters
    ----------
    streets
        [streets], rising.
    values
        [seeds, streets]; 0 where a replication's table lacks the street, NaN where it has it but
        no value.
    present
        [seeds, streets] whether the table has the street.
    """

    streets: NDArray[np.int64]
    values: Floats
    present: Bools


@dataclass(frozen=True, eq=False)
class Block:
    """Summaries of some replications of a run.

    Parameters
    ----------
    seeds
        Whose they are, rising.
    indicators, shifts
        Names, and [seeds, names] values; NaN where a replication lacks it. Shifts are those of
        `equilibrium_error.shift`.
    layers
        Map layers by name; None where a replication has no such table or column.
    """

    seeds: tuple[int, ...]
    indicators: tuple[tuple[str, ...], Floats]
    shifts: tuple[tuple[str, ...], Floats]
    layers: Mapping[str, LayerSums | None]


@dataclass(frozen=True, eq=False)
class _Summary:
    """One replication: what `Block` holds of it, and by which files it was made."""

    stamp: NDArray[np.int64]
    indicators: Mapping[str, float]
    shifts: Mapping[str, float]
    layers: Mapping[str, tuple[NDArray[np.int64], Floats]]


def blocks(run: RunInfo, seeds: Sequence[int]) -> Iterator[Block]:
    """Yield the summaries of replications, some at a time, by rising seed.

    Seeds s with the same s // 64 come together, so that blocks of two runs with the same seeds
    pair.

    Raises
    ------
    InputError
        If a file is missing, cut off or lacks a column.
    """
    shown = layers()
    for number in sorted({seed // BLOCK for seed in seeds}):
        wanted = sorted({seed for seed in seeds if seed // BLOCK == number})
        yield _block(run, number, wanted, shown)


def gridlock_rows(runs: Sequence[RunInfo]) -> list[str]:
    """Return which runs had replications in gridlock, a line for all with as many; base first.

    Raises
    ------
    InputError
        If a replication cannot be read.
    """
    jams = [_jams(run) for run in runs]
    lines = []
    for many in sorted(set(jams) - {0}, key=jams.index):
        those = [run for run, n in zip(runs, jams, strict=True) if n == many]
        why = "the measures, or too many trips for the streets"
        if those[0] is runs[0]:
            why = "the streets do not carry this demand: lower demand.scale"
        lines.append(
            f"{', '.join(run.title for run in those)}: in {many} of {len(those[0].seeds)} "
            f"replications vehicles were taken past a gridlock ({why})"
        )
    return lines


def _jams(run: RunInfo) -> int:
    """Return how many replications were in gridlock."""
    found = 0
    for block in blocks(run, run.seeds):
        names, values = block.indicators
        if JAMS in names:
            found += int((values[:, names.index(JAMS)] > 0.0).sum())
    return found


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a table of a replication.

    Raises
    ------
    InputError
        If it is missing, cut off or lacks a column.
    """
    table = _arrow(path, columns)
    lacking = [name for name in columns or () if name not in table.column_names]
    if lacking:
        raise _unreadable(path, f"no column {lacking[0]!r}")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _arrow(path: Path, columns: Sequence[str] | None) -> pa.Table:
    """Return a table, or those of its columns that it has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:  # from memory: twice as quick as by name, where files are many and small
        with pq.ParquetFile(pa.py_buffer(path.read_bytes()), pre_buffer=False) as file:
            names = file.schema_arrow.names
            has = None if columns is None else [n for n in dict.fromkeys(columns) if n in names]
            return file.read(columns=has, use_threads=False)
    except FileNotFoundError:
        msg = f"{path}: is missing; delete {path.parent} and run the scenario again"
        raise InputError(msg) from None
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, why: str) -> InputError:
    reason = (why.splitlines() or ["?"])[0][:120]
    return InputError(
        f"{path}: cannot be read ({reason}); delete {path.parent} and run the scenario again"
    )


def _block(run: RunInfo, number: int, wanted: Sequence[int], shown: Mapping[str, Layer]) -> Block:
    """Return a block from what is kept, and keep what had to be read."""
    path = run.folder / FOLDER / f"{number:06d}.npz"
    signature = json.dumps([VERSION, [(k, v.table, v.column) for k, v in shown.items()]])
    kept = _load(path, signature)
    tables = tuple(dict.fromkeys(layer.table for layer in shown.values()))
    stamps = {seed: _stamp(run.replication(seed), tables) for seed in wanted}
    stale = [s for s in wanted if s not in kept or not np.array_equal(kept[s].stamp, stamps[s])]
    for seed in stale:
        kept[seed] = _read(run.replication(seed), stamps[seed], shown)
    if stale:
        _keep(path, signature, kept)
    return _together(tuple(wanted), [kept[seed] for seed in wanted], shown)


def _stamp(folder: Path, tables: Sequence[str]) -> NDArray[np.int64]:
    """Return time of change and size of each file that a summary is made of; -1 for none."""
    found = []
    for table in ("indicators", LEARNING, *tables):
        try:
            status = (folder / f"{table}.parquet").stat()
        except OSError:
            found.append((-1, -1))
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return np.array(found, dtype=np.int64)


def _read(folder: Path, stamp: NDArray[np.int64], shown: Mapping[str, Layer]) -> _Summary:
    """Return the summary of a replication from its files."""
    path = folder / "indicators.parquet"
    table = _arrow(path, ("indicator", "value"))
    if table.num_columns < 2:
        raise _unreadable(path, "no columns indicator and value")
    values = table["value"].to_numpy().astype(np.float64).tolist()
    indicators = dict(zip(map(str, table["indicator"].to_pylist()), values, strict=True))
    learning, shifts = folder / f"{LEARNING}.parquet", {}
    if learning.is_file():
        shifts = equilibrium_error.shift(read_table(learning))
    sums: dict[str, tuple[NDArray[np.int64], Floats]] = {}
    for name in dict.fromkeys(layer.table for layer in shown.values()):
        path = folder / f"{name}.parquet"
        if path.is_file():
            of_table = {k: v.column for k, v in shown.items() if v.table == name}
            columns = _arrow(path, ("street", *of_table.values()))
            named = {column: columns[column].to_numpy() for column in columns.column_names}
            sums |= _street_sums(named, of_table)
    return _Summary(stamp, indicators, shifts, sums)


def _street_sums(
    columns: Mapping[str, NDArray[Any]], of_table: Mapping[str, str]
) -> dict[str, tuple[NDArray[np.int64], Floats]]:
    """Return streets and sums over time of each layer of a table; NaN where all values are."""
    if "street" not in columns:
        return {}
    real = columns["street"] >= 0
    streets, row = _numbered(columns["street"][real].astype(np.int64))
    found = {}
    for name, column in of_table.items():
        if column in columns:
            values = columns[column][real].astype(np.float64)
            known = ~np.isnan(values)
            total = np.bincount(row[known], values[known], len(streets))
            number = np.bincount(row[known], minlength=len(streets))
            found[name] = streets, np.where(number > 0, total, np.nan)
    return found


def _numbered(street: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the streets that occur, rising, and the number among them of each row's."""
    if street.max(initial=0) >= LARGE:
        streets, row = np.unique(street, return_inverse=True)
        return streets, row
    streets = np.flatnonzero(np.bincount(street))
    number = np.zeros(street.max(initial=0) + 1, dtype=np.int64)
    number[streets] = np.arange(len(streets))
    return streets, number[street]


def _together(
    seeds: tuple[int, ...], rows: Sequence[_Summary], shown: Mapping[str, Layer]
) -> Block:
    return Block(
        seeds,
        _matrix([row.indicators for row in rows]),
        _matrix([row.shifts for row in rows]),
        {name: _layer([row.layers.get(name) for row in rows]) for name in shown},
    )


def _matrix(rows: Sequence[Mapping[str, float]]) -> tuple[tuple[str, ...], Floats]:
    """Return names in order of appearance, and [rows, names] values, NaN where there is none."""
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    values = [[row.get(name, np.nan) for name in names] for row in rows]
    return names, np.array(values, dtype=np.float64).reshape(len(rows), len(names))


def _layer(rows: Sequence[tuple[NDArray[np.int64], Floats] | None]) -> LayerSums | None:
    sums = [row for row in rows if row is not None]
    if len(sums) < len(rows):
        return None
    streets = np.unique(np.concatenate([s for s, _ in sums]))
    values = np.zeros((len(sums), len(streets)))
    present = np.zeros(values.shape, dtype=bool)
    for k, (which, total) in enumerate(sums):
        at = np.searchsorted(streets, which)
        values[k, at], present[k, at] = total, True
    return LayerSums(streets, values, present)


def _keep(path: Path, signature: str, kept: Mapping[int, _Summary]) -> None:
    """Write the summaries of a block, whole or not at all; a folder that is closed keeps none."""
    seeds = sorted(kept)
    rows = [kept[seed] for seed in seeds]
    data: dict[str, Any] = {
        "signature": np.array(signature),
        "seeds": np.array(seeds, dtype=np.int64),
        "stamps": np.stack([row.stamp for row in rows]),
    }
    for what in ("indicators", "shifts"):
        has = [list(getattr(row, what)) for row in rows]
        data[f"{what}_number"] = np.array([len(names) for names in has])
        data[f"{what}_names"] = np.array([n for names in has for n in names], dtype=np.str_)
        data[what] = np.array([v for row in rows for v in getattr(row, what).values()])
    for name in dict.fromkeys(name for row in rows for name in row.layers):
        found = [row.layers.get(name) for row in rows]
        sums = [f for f in found if f is not None]
        data[f"number {name}"] = np.array([-1 if f is None else len(f[0]) for f in found])
        data[f"streets {name}"] = np.concatenate([streets for streets, _ in sums])
        data[f"sums {name}"] = np.concatenate([values for _, values in sums])
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(exist_ok=True)
        with part.open("wb") as stream:
            np.savez(stream, **data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def _load(path: Path, signature: str) -> dict[int, _Summary]:
    """Return what is kept of a block by seed; nothing where it is damaged or of other layers."""
    import zipfile

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            if str(data["signature"]) != signature:
                return {}
            return _unpacked(data)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return {}


def _unpacked(data: Any) -> dict[int, _Summary]:
    seeds, stamps = data["seeds"], data["stamps"]
    pairs: dict[str, list[dict[str, float]]] = {}
    for what in ("indicators", "shifts"):
        names, values, number = data[f"{what}_names"], data[what], data[f"{what}_number"]
        ends = np.cumsum(number)
        pairs[what] = [
            dict(zip(names[e - n : e].tolist(), values[e - n : e].tolist(), strict=True))
            for e, n in zip(ends, number, strict=True)
        ]
    found: list[dict[str, tuple[NDArray[np.int64], Floats]]] = [{} for _ in seeds]
    for name in [key.removeprefix("sums ") for key in data.files if key.startswith("sums ")]:
        number, streets, sums = (data[f"{what} {name}"] for what in ("number", "streets", "sums"))
        ends = np.cumsum(np.maximum(number, 0))
        for row, e, n in zip(found, ends, number, strict=True):
            if n >= 0:
                row[name] = streets[e - n : e], sums[e - n : e]
    return {
        int(seed): _Summary(stamp, pairs["indicators"][k], pairs["shifts"][k], found[k])
        for k, (seed, stamp) in enumerate(zip(seeds, stamps, strict=True))
    }
