"""Matrices of trips between zones, from CSV (long or square) and OMX.

A long CSV has the columns origin, destination and trips, and any of hour (0..23), vehicle_class and
purpose. A square one has the zones' ids in its first row and column. OMX (Open Matrix) is HDF5 with
matrices by name and a mapping from rows to zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.rows import shown
from twin.suggest import suggestion
from twin.traffic.demand.csv_files import Table, check_columns, identifier, read_table
from twin.traffic.demand.departures import HOURS, PROFILES

if TYPE_CHECKING:
    import pandas as pd

    from twin.traffic.demand.zone_files import OwnZones

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VEHICLE_CLASSES = ("car", "lorry")
NEEDED = ("origin", "destination", "trips")
KNOWN = (*NEEDED, "hour", "vehicle_class", "purpose")
DAILY = {"car": "through", "lorry": "freight"}
"""Profile of a matrix of a whole day that names none, by vehicle class."""


@dataclass(frozen=True)
class MatrixFile:
    """A matrix of trips, as a planner states it.

    Parameters
    ----------
    file : CSV or OMX
    matrix : name of the matrix in an OMX, needed where it has several
    mapping : name of the zones' mapping in an OMX, needed where several fit
    hour : the hour of departure, 0..23
    hours : several hours that the matrix covers, alike unless a profile tells their shares
    vehicle_class : `car` or `lorry`, where no column says it
    purpose : a label, where no column says it
    profile : hours of departure of a matrix of a whole day, a name in `departures.PROFILES`

    Raises
    ------
    InputError : an hour is not in 0..23, or a class or profile is unknown
    """

    file: str | Path
    matrix: str = ""
    mapping: str = ""
    hour: int | None = None
    hours: tuple[int, ...] = ()
    vehicle_class: str = "car"
    purpose: str = "stated"
    profile: str = ""

    def __post_init__(self) -> None:
        name = Path(self.file).name
        if self.hour is not None and (self.hours or self.profile):
            msg = f"{name}: states an hour and also hours or a profile; keep one"
            raise InputError(msg)
        for hour in self.stated_hours:
            if isinstance(hour, bool) or hour not in range(HOURS):
                raise InputError(_no_hour(name, hour))
        for value, known in ((self.vehicle_class, VEHICLE_CLASSES), (self.profile, PROFILES)):
            if value and value not in known:
                msg = f"{name}: {value!r} is unknown; {suggestion(value, known)}"
                raise InputError(msg)

    @property
    def stated_hours(self) -> tuple[int, ...]:
        """Hours that the matrix covers; none if it covers the day."""
        return tuple(self.hours) if self.hour is None else (self.hour,)


class Key(NamedTuple):
    """What the trips of one matrix have in common; hour -1 means that the file's statement says."""

    vehicle_class: str
    purpose: str
    hour: int


def read_matrices(stated: MatrixFile, zones: OwnZones) -> dict[Key, Floats]:
    """Return the matrices of a file, float64 [zones, zones], trips in the hour or day.

    Raises
    ------
    InputError : in one line with file, line and value: an unknown zone, trips that are negative or
        no number, an hour beyond 23, a pair twice, a matrix that is not square or not there
    """
    path = Path(stated.file)
    if path.suffix.lower() == ".omx":
        key = Key(stated.vehicle_class, stated.purpose, -1)
        return {key: _from_omx(path, stated, zones)}
    table = read_table(path)
    names = {title.lower() for title in table.header}
    if names & {"origin", "destination", "trips"}:
        return _from_long(table, stated, zones)
    return {Key(stated.vehicle_class, stated.purpose, -1): _from_square(table, zones)}


def _from_long(table: Table, stated: MatrixFile, zones: OwnZones) -> dict[Key, Floats]:
    import pandas as pd

    check_columns(table, KNOWN)
    start, end, written = (table.need(name) for name in NEEDED)
    trips = table.numbers(written)
    _check_trips(f"{table.name} line", table.line, written, trips)
    ends = [
        _places(f"{table.name} line", table.line, "origin", start, zones),
        _places(f"{table.name} line", table.line, "destination", end, zones),
    ]
    rows = pd.DataFrame({"origin": ends[0], "destination": ends[1], "trips": trips})
    rows["vehicle_class"] = _labels(table, "vehicle_class", stated.vehicle_class)
    rows["purpose"] = _labels(table, "purpose", stated.purpose)
    rows["hour"] = _hours(table, stated)
    _check_classes(table, rows["vehicle_class"])
    _check_once(table, rows)
    n = len(zones)
    matrices: dict[Key, Floats] = {}
    for (vehicle_class, purpose, hour), part in rows.groupby(["vehicle_class", "purpose", "hour"]):
        matrix = np.zeros((n, n))
        matrix[part["origin"].to_numpy(), part["destination"].to_numpy()] = part["trips"].to_numpy()
        matrices[Key(str(vehicle_class), str(purpose), int(str(hour)))] = matrix
    return matrices


def _from_square(table: Table, zones: OwnZones) -> Floats:
    columns, rows = len(table.header) - 1, len(table.rows)
    heads = np.array(table.header[1:], dtype=object)
    known = set(zones.ids)
    if not any(identifier(head) in known for head in heads):
        msg = (
            f"{table.name}: {shown(', '.join(table.header))} are neither zones of {zones.name} nor "
            "the columns origin, destination and trips"
        )
        raise InputError(msg)
    if rows != columns:
        msg = f"{table.name}: has {rows} rows and {columns} columns of zones; both must be the same"
        raise InputError(msg)
    header = np.ones(columns, np.int64)
    to = _places(f"{table.name} line", header, "column", heads, zones)
    start = _places(f"{table.name} line", table.line, "row", table.rows[:, 0], zones)
    _check_distinct(f"{table.name} line", header, "column", to, zones)
    _check_distinct(f"{table.name} line", table.line, "row", start, zones)
    written = table.rows[:, 1:]
    trips = table.numbers(written)
    _check_trips(
        f"{table.name} line", np.repeat(table.line, columns), written.ravel(), trips.ravel()
    )
    matrix = np.zeros((len(zones), len(zones)))
    matrix[np.ix_(start, to)] = trips
    return matrix


def _from_omx(path: Path, stated: MatrixFile, zones: OwnZones) -> Floats:
    with _opened(path) as file:
        names = file.list_matrices()
        name = stated.matrix or (names[0] if len(names) == 1 else "")
        if name not in names:
            wanted = f"no matrix {name!r}" if name else f"{len(names)} matrices; name one"
            msg = f"{path.name}: has {wanted}; {suggestion(name, names)}"
            raise InputError(msg)
        trips = np.asarray(file[name][:], dtype=np.float64)
        maps = {
            m: [identifier(_text(z)) for z in file.map_entries(m)] for m in file.list_mappings()
        }
    if trips.ndim != 2 or trips.shape[0] != trips.shape[1]:
        msg = f"{path.name} matrix {name!r}: has shape {trips.shape}; it must be square"
        raise InputError(msg)
    ids = np.array(_mapping(path.name, stated, maps, zones), dtype=object)
    if len(ids) != len(trips):
        msg = f"{path.name}: its mapping has {len(ids)} zones, matrix {name!r} {len(trips)} rows"
        raise InputError(msg)
    where = f"{path.name} matrix {name!r} row"
    row = np.arange(1, len(ids) + 1)
    places = _places(where, row, "zone", ids, zones)
    _check_distinct(where, row, "id", places, zones)
    line = np.repeat(row, len(ids))
    _check_trips(where, line, trips.ravel(), trips.ravel())
    matrix = np.zeros((len(zones), len(zones)))
    matrix[np.ix_(places, places)] = trips
    return matrix


def _mapping(
    name: str, stated: MatrixFile, maps: dict[str, list[str]], zones: OwnZones
) -> list[str]:
    """Return the zones' ids by row: of the stated mapping, the only one, or the one that fits."""
    if stated.mapping:
        if stated.mapping not in maps:
            msg = f"{name}: has no mapping {stated.mapping!r}; {suggestion(stated.mapping, maps)}"
            raise InputError(msg)
        return maps[stated.mapping]
    known = set(zones.ids)
    fitting = [m for m, ids in maps.items() if known.issuperset(ids)]
    if len(maps) == 1:
        fitting = list(maps)
    if len(fitting) != 1:
        found = f"{len(maps)} mappings ({shown(', '.join(maps))})" if maps else "no mapping"
        msg = f"{name}: has {found} of its rows to zones of {zones.name}; it needs one, name it"
        raise InputError(msg)
    return maps[fitting[0]]


class _NoPickle:
    """Stands for the module in PyTables, which would run what pickles in a file's labels say."""

    @staticmethod
    def loads(*_args: Any, **_options: Any) -> Any:
        msg = "pickles in files are not read"
        raise ValueError(msg)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an OMX; errors of HDF5 become one line, and no pickle in it is loaded."""
    import warnings
    from unittest.mock import patch

    import openmatrix
    import tables

    if not path.is_file():
        msg = f"{path}: cannot be read, no such file"
        raise InputError(msg)
    with (
        warnings.catch_warnings(),
        patch("tables.attributeset.pickle", _NoPickle),
        patch("tables.atom.pickle", _NoPickle),
    ):
        warnings.simplefilter("ignore")
        try:
            with openmatrix.open_file(str(path), "r") as file:
                yield file
        except (tables.HDF5ExtError, tables.NodeError, OSError, ValueError, LookupError) as error:
            why = (str(error).strip().splitlines() or ["?"])[-1][:120]
            msg = f"{path.name}: is no OMX, or not a whole one ({why}); export it again"
            raise InputError(msg) from None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _places(
    name: str, line: Integers, what: str, written: NDArray[np.object_], zones: OwnZones
) -> Integers:
    """Return positions of zones by id."""
    import pandas as pd

    ids = np.array([identifier(value) for value in written], dtype=object)
    found: Integers = pd.Index(zones.ids, dtype=object).get_indexer(pd.Index(ids))
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        help_ = suggestion(str(ids[row]), zones.ids)
        at = f"{name} {line[row]}"
        msg = f"{at}: {what} {shown(ids[row])!r} is no zone of {zones.name}; {help_}"
        raise InputError(msg)
    return found


def _check_distinct(
    name: str, line: Integers, what: str, places: Integers, zones: OwnZones
) -> None:
    order = np.argsort(places, kind="stable")
    again = np.flatnonzero(np.diff(places[order]) == 0)
    if len(again):
        row = order[again[0] + 1]
        msg = f"{name} {line[row]}: {what} of zone {zones.ids[places[row]]!r} stands twice"
        raise InputError(msg)


def _check_trips(name: str, line: Integers, written: NDArray[Any], trips: Floats) -> None:
    good = np.isfinite(trips) & (trips >= 0.0)
    if not good.all():
        row = int(np.argmin(good))
        msg = (
            f"{name} {line[row]}: trips {shown(written[row])!r} must be a number >= 0, "
            "written as 7.5, and 0 where there are none"
        )
        raise InputError(msg)


def _labels(table: Table, name: str, otherwise: str) -> NDArray[np.object_]:
    written = table.column(name)
    if written is None:
        return np.full(len(table.rows), otherwise, dtype=object)
    return np.where(written == "", otherwise, written)


def _hours(table: Table, stated: MatrixFile) -> Integers:
    written = table.column("hour")
    if written is None:
        return np.full(len(table.rows), -1, dtype=np.int64)
    if stated.stated_hours or stated.profile:
        msg = f"{table.name}: has a column hour; leave out the stated hour, hours or profile"
        raise InputError(msg)
    hours = table.numbers(written)
    good = np.isin(hours, np.arange(HOURS))
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(_no_hour(f"{table.name} line {table.line[row]}", written[row]))
    return hours.astype(np.int64)


def _no_hour(where: str, hour: Any) -> str:
    return (
        f"{where}: hour {shown(hour)} must be one of 0..23; "
        "23 is the last of a day, 0 the one after midnight"
    )


def _check_classes(table: Table, classes: pd.Series) -> None:
    good = classes.isin(VEHICLE_CLASSES).to_numpy()
    if not good.all():
        row = int(np.argmin(good))
        value = str(classes.iloc[row])
        help_ = suggestion(value, VEHICLE_CLASSES)
        msg = (
            f"{table.name} line {table.line[row]}: vehicle_class {shown(value)!r} is none; {help_}"
        )
        raise InputError(msg)


def _check_once(table: Table, rows: pd.DataFrame) -> None:
    pair = [str(name) for name in rows if name != "trips"]
    twice = rows.duplicated(subset=pair).to_numpy()
    if twice.any():
        row = int(np.argmax(twice))
        same = (rows[pair] == rows[pair].iloc[row]).all(axis=1).to_numpy()
        lines = table.line[np.flatnonzero(same)[:2]]
        msg = f"{table.name} line {lines[1]}: states the same trips as line {lines[0]}; add them up"
        raise InputError(msg)
