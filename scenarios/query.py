"""Results and cities as tables of a database: SQL over their Parquet files, which it only reads.

DuckDB reads the files where they lie. A connection may open those files that the tables of a
query are made of, and nothing else: no other file, no network, no extension; and only statements
that read are let through.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.runs import CITY, open_runs
from twin.city.schema import REFERENCES
from twin.city.store import is_city, replacing_file
from twin.errors import InputError, OutputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

MEMORY = "50%"  # of what the machine has
SUFFIXES = (".csv", ".parquet", ".json")
_POSITIONED = {target for keys in REFERENCES.values() for target, _ in keys.values()}
_SEED = r"seed-(\d+)[/\\][^/\\]+$"


@dataclass(frozen=True)
class Table:
    """A table of results.

    Parameters
    ----------
    name
        What SQL calls it: the name of its files, of the city's tables after "city_".
    files
        Its Parquet files by run, one a replication; those of the city under "".
    """

    name: str
    files: Mapping[str, Sequence[Path]]

    @property
    def paths(self) -> list[str]:
        """Every file."""
        return [str(path) for paths in self.files.values() for path in paths]


def tables(folder: Path) -> dict[str, Table]:
    """Return the tables of a folder of runs, or of one run, and those of their city; or a city's.

    Replications that are not complete do not count.

    Raises
    ------
    InputError
        If it holds no run and no city, or no complete replication.
    """
    if is_city(folder):
        return _city_tables(folder.resolve())
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    runs = open_runs(folder.resolve())
    for run in runs:
        for seed in run.seeds:
            for path in sorted(run.replication(seed).glob("*.parquet")):
                if path.stem.isidentifier():
                    found[path.stem][run.name].append(path)
    if not found:
        msg = f"{folder}: no replication is complete; start 'twin run' again, it goes on"
        raise InputError(msg)
    own = {name: Table(name, files) for name, files in found.items()}
    return own | _city_tables(runs[0].city_folder)


def _city_tables(folder: Path) -> dict[str, Table]:
    """Return the tables of a saved city."""
    paths = {f"{CITY}_{path.stem}": path for path in sorted(folder.glob("*.parquet"))}
    return {name: Table(name, {"": [path]}) for name, path in paths.items()}


def contents(folder: Path) -> pd.DataFrame:
    """Return what can be asked: columns `table`, `rows`, `columns`; one row a table.

    Raises
    ------
    InputError
        If it holds no run or a file is broken.
    """
    import pandas as pd

    known = tables(folder)
    rows = []
    with _reading(list(known.values()), known) as connection:
        for name in known:
            [(number,)] = connection.sql(f'SELECT count(*) FROM "{name}"').fetchall()  # noqa: S608
            columns = connection.sql(f'FROM "{name}" LIMIT 0').columns
            rows.append((name, number, ", ".join(columns)))
    return pd.DataFrame(rows, columns=["table", "rows", "columns"])


def query(folder: str | Path, sql: str) -> pd.DataFrame:
    """Return what a SELECT says about runs.

    Parameters
    ----------
    folder
        Folder of `twin run`, one run in it, or a saved city.
    sql
        One SELECT of DuckDB. Every table of a replication has the columns `run` and `seed`.

    Raises
    ------
    InputError
        If the folder holds no run and no city, the SQL is wrong or does more than read, or a file
        is broken.

    Examples
    --------
    >>> query("results", "SELECT run, avg(time_loss_s) FROM trips GROUP BY run")  # doctest: +SKIP
    """
    with answer(Path(folder), sql) as reader:
        frame: pd.DataFrame = reader.read_pandas()
    return frame


@contextmanager
def answer(folder: Path, sql: str) -> Iterator[pa.RecordBatchReader]:
    """Give what a SELECT says as batches of Arrow, while the context lasts; as `query`."""
    known = tables(folder)
    used = [t for name, t in known.items() if re.search(rf"(?<!\w){name}(?!\w)", sql, re.I)]
    with _reading(used, known) as connection:
        _check(connection, sql)
        yield _plain(connection.sql(sql).to_arrow_reader())


def save_answer(folder: Path, sql: str, path: Path, *, overwrite: bool = False) -> int:
    """Write what a SELECT says as CSV, Parquet or JSON (records), by suffix; return its rows.

    Raises
    ------
    InputError
        As `query`.
    OutputError
        If the file exists and is not to be overwritten, or cannot be written.
    """
    import pyarrow.parquet as pq

    if path.suffix not in SUFFIXES:
        msg = f"{path}: its suffix says no format; write {', '.join(SUFFIXES)}"
        raise OutputError(msg)
    refuse_existing(path, overwrite=overwrite)
    with answer(folder, sql) as reader:
        found = reader.read_all()
    with replacing_file(path) as part:
        if path.suffix == ".parquet":
            pq.write_table(found, part)
        else:
            frame = found.to_pandas(types_mapper=_exact)
            if path.suffix == ".csv":
                frame.to_csv(part, index=False)
            else:
                frame.to_json(part, orient="records", date_format="iso", force_ascii=False)
    return int(found.num_rows)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that is there already.

    Raises
    ------
    OutputError
        If it is a folder, or a file and not to be overwritten.
    """
    if path.is_dir():
        msg = f"{path}: is a folder; name a file with -o"
        raise OutputError(msg)
    if path.exists() and not overwrite:
        msg = f"{path}: exists; name another file with -o, or say --overwrite"
        raise OutputError(msg)


@contextmanager
def _reading(
    used: Sequence[Table], known: Mapping[str, Table]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with the tables; tell what goes wrong with it in one line."""
    import duckdb
    import pyarrow as pa

    try:
        with _connect(used) as connection:
            yield connection
    except (duckdb.Error, pa.ArrowInvalid) as error:
        if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)):
            _check_files(used)
        raise InputError(_told(error, known)) from None


def _connect(used: Sequence[Table]) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with views of the tables, locked."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MEMORY,
            "temp_directory": "",  # nothing is written, so what does not fit is refused
        },
    )
    for table in used:
        connection.execute(f'CREATE VIEW "{table.name}" AS {_view(connection, table)}')
    allowed = ", ".join(_quoted(path) for table in used for path in table.paths)
    for setting in (
        "python_enable_replacements = false",  # no variables of Python as tables
        f"allowed_paths = [{allowed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _view(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Return the SELECT of a view: of the city, or of every run with `run` and `seed`."""
    if "" in table.files:
        return _city_view(connection, table)
    parts = [
        f"SELECT {_quoted(run)} AS run,"  # noqa: S608
        f" regexp_extract(_file, {_quoted(_SEED)}, 1)::INTEGER AS seed,"
        " COLUMNS(lambda c: c NOT IN ('run', 'seed', '_file'))"
        f" FROM read_parquet([{', '.join(_quoted(str(p)) for p in paths)}],"
        " union_by_name = true, filename = '_file')"
        for run, paths in table.files.items()
    ]
    return " UNION ALL BY NAME ".join(parts)


def _city_view(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """Return a city's table with its geometry as WKT, and the position that others mean."""
    source = f"read_parquet({_quoted(table.paths[0])}, file_row_number = true)"
    names = connection.sql(f"SELECT * EXCLUDE (file_row_number) FROM {source}").columns  # noqa: S608
    columns = [
        f"ST_AsText({name}) AS {name}" if name == "geometry" else f'"{name}"' for name in names
    ]
    city_table = table.name.removeprefix(f"{CITY}_")
    if city_table in _POSITIONED:
        columns.insert(0, f"file_row_number::INTEGER AS {city_table.removesuffix('s')}")
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608


def _check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse everything but one SELECT."""
    import duckdb

    found = connection.extract_statements(sql)
    if len(found) != 1:
        msg = f"{len(found)} statements; write one SELECT"
        raise InputError(msg)
    if found[0].type != duckdb.StatementType.SELECT:
        msg = f"{found[0].type.name} is not let through, results are read only; write a SELECT"
        raise InputError(msg)


def _plain(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return batches with decimals, as sums of whole numbers are, as int64 or float64."""
    import pyarrow as pa

    def plain(field: pa.Field) -> pa.Field:
        if not pa.types.is_decimal(field.type):
            return field
        return field.with_type(pa.float64() if field.type.scale else pa.int64())

    schema = pa.schema([plain(field) for field in reader.schema])
    if schema == reader.schema:
        return reader
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reader))


def _exact(kind: pa.DataType) -> Any:
    """Return the type of pandas that keeps whole numbers whole where some are missing."""
    import pandas as pd

    return pd.ArrowDtype(kind)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_files(used: Sequence[Table]) -> None:
    """Name the file that is cut off or damaged, if one is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for read in (pq.read_metadata, pq.read_table):
        for path in (path for table in used for path in table.paths):
            try:
                read(path)
            except (OSError, pa.ArrowException) as error:
                reason = (str(error).splitlines() or ["?"])[0][:120]
                where = Path(path).parent
                msg = f"{path}: cannot be read ({reason}); delete {where} and run again"
                raise InputError(msg) from None


def _told(error: Exception, known: Mapping[str, Table]) -> str:
    """Return what is wrong with a query, with the nearest name of what is there."""
    text = str(error).partition("\n\nLINE ")[0]
    missing = re.search(r"Table with name (.+?) does not exist", text)
    if missing:
        return f"SQL: no table {missing[1]!r}; {suggestion(missing[1], known)}"
    return f"SQL: {' '.join(text.split())}"
