"""What the command line shows: tables, progress, and errors in one line."""

from __future__ import annotations

import datetime as dt
import errno
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from twin.errors import TwinError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task, TimeRemainingColumn
    from rich.table import Table

    from scenarios.compare import Comparison
    from scenarios.runner import Progress

GOES_ON = "Stopped. What is complete is kept: the same command goes on from there."


def console(*, stderr: bool = False) -> Console:
    """Return the terminal; nothing in what is printed is taken for markup or emphasised."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def say(text: str, *, indent: int = 0) -> None:
    """Print a line, so many spaces from the left beside its own."""
    own = len(text) - len(text.lstrip(" "))
    console().print(" " * (indent + own) + one_line(text), soft_wrap=True)


def one_line(text: str) -> str:
    """Return a text as one line without control characters."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in line)


@contextmanager
def stopped(said: str) -> Iterator[None]:
    """Say this where Ctrl-C ends what goes on, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        console(stderr=True).print(said)
        raise typer.Exit(130) from None


@contextmanager
def errors_told(*, debug: bool) -> Iterator[None]:
    """Turn whatever goes wrong into one line on stderr and an exit code.

    1 for an error, 130 for Ctrl-C; `debug` adds where an error came from.
    """
    try:
        with stopped(GOES_ON):
            yield
    except TwinError as error:
        _fail(str(error), debug=debug)
    except MemoryError:
        _fail("out of memory: use fewer --workers, a smaller city or a shorter period", debug=debug)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        advice = "; free some space" if error.errno == errno.ENOSPC else ""
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}{advice}", debug=debug)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        from click.exceptions import ClickException as Click

        if isinstance(error, Click) or type(error).__module__.startswith("typer."):
            raise
        kind = type(error).__name__
        _fail(f"unexpected {kind}: {error}; --debug shows where, please report it", debug=debug)


def _fail(text: str, *, debug: bool) -> None:
    from rich.text import Text

    if debug:
        traceback.print_exc()
    line = Text.assemble(("Error: ", "bold red"), one_line(text))
    console(stderr=True).print(line, soft_wrap=True)
    raise typer.Exit(1) from None


@contextmanager
def progress_shown() -> Iterator[Callable[[Progress], None]]:
    """Give a function that draws how far a scenario is, with the time that remains."""
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        _remaining_column(),
    )
    with Bars(*columns, console=console(stderr=True), speed_estimate_period=60.0) as bars:
        task = bars.add_task("", total=None)

        def show(progress: Progress) -> None:
            bars.update(
                task,
                description=one_line(progress.text),
                completed=progress.done,
                total=progress.total or None,
                ends=_ends(progress.remaining_s),
            )

        yield show


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that draws how many of how many things are done."""
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as bars:
        task = bars.add_task(what)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _ends(remaining_s: float | None) -> float | None:
    """Return when it ends by the monotonic clock; NaN while nobody knows, None if not said."""
    return None if remaining_s is None else time.monotonic() + remaining_s


def _remaining_column() -> TimeRemainingColumn:
    """Return the column of the time that remains: as reported, else from the speed so far."""
    from rich.progress import TimeRemainingColumn
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            ends = task.fields.get("ends")
            if ends is None or task.finished:
                return super().render(task)
            if math.isnan(ends):
                return Text("estimating", style="progress.remaining")
            left_s = max(0, round(ends - time.monotonic()))
            return Text(str(dt.timedelta(seconds=left_s)), style="progress.remaining")

    return Remaining()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers where they look so."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(one_line(title)), title_justify="left", title_style="bold")
    for k, name in enumerate(columns):
        _add_column(drawn, name, [row[k] for row in rows])
    for row in rows:
        drawn.add_row(*(Text(one_line(cell)) for cell in row))
    console().print(drawn)


def _add_column(drawn: Table, name: str, cells: Sequence[str]) -> None:
    numeric = all(not cell or cell.lstrip("+-−")[:1].isdigit() or cell == "–" for cell in cells)
    drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")


def number(value: float, digits: int, *, sign: bool = False) -> str:
    """Return a number for a table, "–" where there is none.

    Examples
    --------
    >>> number(1234.56, 1), number(2.0, 0, sign=True), number(float("nan"), 1)
    ('1,234.6', '+2', '–')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''},.{digits}f}"


def comparison_table(comparison: Comparison, title: str, *, everything: bool = False) -> None:
    """Print what each alternative changes: key indicators that differ, or all of them."""
    say(title)
    for run in comparison.alternatives:
        records = comparison.table[comparison.table["alternative"] == run.name].to_dict("records")
        rows = [_cells({str(k): v for k, v in record.items()}, everything) for record in records]
        shown = [row for row in rows if row]
        if shown:
            head = f"{run.title} ({len(comparison.seeds[run.name])} replications)"
            columns = ("Indicator", "Base", "With it", "Difference (95 % sure)", "Verdict")
            table(head, columns, shown)
        else:
            say(f"{run.title}: no key indicator differs from the base")
    for note in comparison.notes:
        say(f"Note: {note}")


def _cells(row: dict[str, Any], everything: bool) -> tuple[str, ...]:
    """Return a row of the table, empty if it is not shown."""
    from twin.system import indicators

    if not everything and (row["identical"] or not row["key"]):
        return ()
    meta = indicators().get(row["indicator"])
    digits = meta.digits if meta else 2
    low, high = (number(row[k], digits, sign=True) for k in ("ci_low", "ci_high"))
    sure = f" ({low} to {high})" if low != "–" else ""
    return (
        f"{row['title']} [{row['unit']}]" if row["unit"] else row["title"],
        number(row["base_mean"], digits),
        number(row["mean"], digits),
        number(row["difference"], digits, sign=True) + sure,
        str(row["verdict"]),
    )
