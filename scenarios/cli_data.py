"""`twin query` and `twin export`: results as data."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

SHOWN = 40  # rows
WIDTH = 40  # characters of a cell

Folder = Annotated[Path, typer.Argument(help="Folder of 'twin run', or one run in it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]


def query(
    run: Annotated[
        Path, typer.Argument(help="Folder of 'twin run', one run in it, or a saved city.")
    ],
    sql: Annotated[
        str | None, typer.Argument(help="One SELECT; without, what tables there are.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File for all rows: .csv, .parquet or .json."),
    ] = None,
    *,
    overwrite: Overwrite = False,
) -> None:
    """Ask results, or a saved city, in SQL; nothing is changed.

    Every table of the replications has the columns run and seed; the city's are city_streets,
    city_junctions and so on. The first 40 rows are shown; -o writes all.

    Examples:

      twin query results

      twin query results "SELECT run, avg(time_loss_s) AS loss_s FROM trips GROUP BY run"

      twin query results "FROM streets WHERE entered > 100" -o busy.csv

      twin query mycity "SELECT name, count(*) FROM city_streets GROUP BY name ORDER BY name"
    """
    from scenarios import screen
    from scenarios.query import answer, contents, save_answer

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # DuckDB does not look at Python's Ctrl-C
    if sql is None:
        found = contents(run).itertuples(index=False)
        rows = [(str(t.table), f"{t.rows:,}", str(t.columns)) for t in found]
        screen.table(str(run), ("Table", "rows", "columns"), rows)
    elif out is not None:
        number = save_answer(run, sql, out, overwrite=overwrite)
        screen.say(f"{_rows(number)} in {out}")
    else:
        with answer(run, sql) as reader:
            shown, number = _first(reader)
        for line in _aligned(reader.schema.names, [list(map(_cell, row)) for row in shown]):
            typer.echo(line)
        more = f", the first {SHOWN} are shown" if number > SHOWN else ""
        screen.say(f"{_rows(number)}{more}")


def export(
    run: Folder,
    kind: Annotated[
        Literal["gpkg", "geojson", "csv", "xlsx"],
        typer.Option("--format", "-f", help="What to write; csv: a zip of tables."),
    ] = "gpkg",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; default beside the run.")
    ] = None,
    *,
    overwrite: Overwrite = False,
) -> None:
    """Write results for QGIS, spreadsheets and other programs.

    gpkg has maps with their colours for QGIS, geojson the streets, csv and xlsx tables.
    Numbers are those of 'twin compare'.

    Examples:

      twin export results -f gpkg -o results.gpkg

      twin export results -f xlsx
    """
    from scenarios import screen
    from scenarios.export import export_run

    screen.say(f"Written: {export_run(run, kind, out, overwrite=overwrite)}")


def _first(reader: Any) -> tuple[list[tuple[Any, ...]], int]:
    """Return the first rows, and how many there are."""
    shown: list[tuple[Any, ...]] = []
    number = 0
    for batch in reader:
        some = batch.slice(0, max(0, SHOWN - len(shown)))
        shown += zip(*(column.to_pylist() for column in some.columns), strict=True)
        number += batch.num_rows
    return shown, number


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _cell(value: Any) -> str:
    """Return a value as a cell: text cut to its width, numbers to six figures."""
    from scenarios.screen import one_line

    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "–"
    text = one_line(str(value))
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Return lines of a table that is as wide as it needs to be, whatever the screen."""
    columns = [[_cell(name), *(row[k] for row in rows)] for k, name in enumerate(names)]
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        yield "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
