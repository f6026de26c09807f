"""Tables of replications, checked before they are drawn, since people change files by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.limits import FIRST
from scenarios.replications import _arrow, _unreadable, read_table
from twin import times
from twin.errors import InputError
from twin.system import layers
from viz.language import current

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

    from scenarios.runs import RunInfo
    from twin.city import City

RECORD = ("passages", "trips", "lights")
MOST = 2**31 - 1  # of whole numbers in tables
LIGHTS = 5  # the highest code of a light


def check_city(runs: Sequence[RunInfo], city: City) -> None:
    """Refuse runs that were made in another city than the one that is drawn.

    Raises
    ------
    InputError
        With the folder of the first.
    """
    for run in runs:
        known = str(run.manifest["city"].get("digest"))
        if known != city.digest:
            named = f"{run.manifest['city'].get('name')}, {known[:8]}"
            msg = (
                f"{run.folder}: was run in another city ({named}) than that of these results "
                f"({city.name}, {city.digest[:8]}); keep a run beside its own city"
            )
            raise InputError(msg)


def check_layers(runs: Sequence[RunInfo], city: City) -> None:
    """Refuse tables of map layers that lack in some replications, or name no street of the city.

    Reads what files say of themselves, and the rows only of one that is wrong.

    Raises
    ------
    InputError
        In one line: file, column, row, value.
    """
    columns: dict[str, list[str]] = {}
    for layer in layers().values():
        columns.setdefault(layer.table, []).append(layer.column)
    for run in runs:
        for table, own in columns.items():
            files = [run.replication(seed) / f"{table}.parquet" for seed in run.seeds]
            there = [file for file in files if file.is_file()]
            if there and len(there) < len(files):
                file = next(f for f in files if not f.is_file())
                msg = f"{file}: is missing, other replications have it; run the scenario again"
                raise InputError(msg)
            for file in there:
                _check_file(file, own, len(city.streets))


def _check_file(file: Path, columns: Sequence[str], streets: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        meta = pq.read_metadata(file)
        kinds = {field.name: field.type for field in meta.schema.to_arrow_schema()}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _unreadable(file, str(error)) from None
    if not meta.num_rows:
        return
    whole = "street" in kinds and pa.types.is_integer(kinds["street"])
    if "street" in kinds and not (whole and _within(meta, "street", streets)):
        frame = read_table(file, ["street"])
        check_whole(file, frame, "street", 0, streets - 1)
        if not (whole or pa.types.is_floating(kinds["street"])):
            raise _fault(file, "street", 0, frame["street"].iloc[0], "no number")
    for column in columns:
        kind = kinds.get(column)
        if kind is not None and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise _fault(file, column, 0, _arrow(file, [column])[column][0], "no number")


def _within(meta: Any, column: str, most: int) -> bool:
    """Return whether a file says that all of a column is at least 0 and less than `most`."""
    at = meta.schema.names.index(column)
    for k in range(meta.num_row_groups):
        said = meta.row_group(k).column(at).statistics
        if said is None or not said.has_min_max or said.null_count:
            return False
        if not 0 <= said.min <= said.max < most:
            return False
    return True


def missing_traffic(runs: Sequence[RunInfo]) -> list[str]:
    """Return a line on each run that simulated traffic and whose table of streets is gone."""
    said = {
        "en": "{file}: is missing, so nothing of its streets' traffic is shown; run the scenario "
        "again",
        "de": "{file}: fehlt, daher ist vom Verkehr dieser Straßen nichts zu sehen; das Szenario "
        "erneut rechnen",
    }
    files = [
        run.replication(run.seeds[0]) / f"{layers()[FIRST].table}.parquet"
        for run in runs
        if run.seeds and "traffic" in run.manifest.get("systems", ())
    ]
    return [said[current()].format(file=file) for file in files if not file.is_file()]


def window(runs: Sequence[RunInfo]) -> tuple[float, float] | None:
    """Return the first and last second that runs simulate; None of none."""
    if not runs:
        return None
    period = runs[0].manifest["period"]
    begin_s = times.seconds(period["begin"])
    end_s = times.seconds(period["end"])
    end_s += 86_400.0 if end_s <= begin_s else 0.0
    return begin_s - 60.0 * float(period.get("warmup_minutes", 0.0)), end_s


def check_starts(file: Path, frame: pd.DataFrame) -> None:
    """Refuse intervals without a start.

    Raises
    ------
    InputError
        In one line: file, column, row, value.
    """
    for column in ("interval_start_s", "interval_s"):
        if column in frame:
            values = _numbers(file, frame, column)
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                raise _fault(file, column, bad[0], values[bad[0]], "no number of seconds")


def read_record(run: RunInfo, seed: int, city: City) -> dict[str, pd.DataFrame]:
    """Return the tables of a recorded day by name; `lights` only where there is such a file.

    Raises
    ------
    InputError
        In one line: file, column, row, value.
    """
    files = {name: run.replication(seed) / f"{name}.parquet" for name in RECORD}
    there = {k: f for k, f in files.items() if k != "lights" or f.is_file()}
    found = {name: read_table(file) for name, file in there.items()}
    trips, file = found["trips"], files["trips"]
    check_whole(file, trips, "vehicle", 0, MOST)
    again = np.flatnonzero(trips["vehicle"].duplicated().to_numpy())
    if len(again):
        row = again[0]
        raise _fault(file, "vehicle", row, trips["vehicle"].iloc[row], "there twice")
    if "vehicle_type" not in trips:
        raise _lacks(file, "vehicle_type")
    passages, file = found["passages"], files["passages"]
    check_whole(file, passages, "vehicle", 0, MOST)
    unknown = np.flatnonzero(~passages["vehicle"].isin(trips["vehicle"]).to_numpy())
    if len(unknown):
        row, why = unknown[0], f"no vehicle of {files['trips'].name}"
        raise _fault(file, "vehicle", row, passages["vehicle"].iloc[row], why)
    check_whole(file, passages, "lane", 0, len(city.lanes) - 1)
    for column in ("enter_cs", "leave_cs", "free_cs"):
        check_whole(file, passages, column, -MOST, MOST)
    if "lights" in found:
        for column, most in (("signal", MOST), ("link", 2**16 - 1), ("light", LIGHTS)):
            check_whole(files["lights"], found["lights"], column, 0, most)
        check_whole(files["lights"], found["lights"], "time_cs", -MOST, MOST)
    return found


def check_whole(file: Path, frame: pd.DataFrame, column: str, low: int, high: int) -> None:
    """Refuse a column that is not there, or holds other than whole numbers from low to high.

    Raises
    ------
    InputError
        In one line: file, column, row, value.
    """
    values = _numbers(file, frame, column)
    whole = np.isfinite(values) & (values == np.round(values))
    bad = np.flatnonzero(~(whole & (values >= low) & (values <= high)))
    if len(bad):
        why = f"none of {low} to {high}" if whole[bad[0]] else "no whole number"
        raise _fault(file, column, bad[0], frame[column].iloc[bad[0]], why)
    if frame[column].dtype.kind not in "iu":
        frame[column] = values.astype(np.int64)


def _numbers(file: Path, frame: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    import pandas as pd

    if column not in frame:
        raise _lacks(file, column)
    values: npt.NDArray[np.float64] = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
    return values


def _lacks(file: Path, column: str) -> InputError:
    return InputError(f"{file}: has no column {column!r}; run the scenario again")


def _fault(file: Path, column: str, row: Any, value: Any, why: str) -> InputError:
    return InputError(
        f"{file}: column {column!r}, row {int(row)}: {str(value)[:60]!r} is {why}; "
        "run the scenario again"
    )
