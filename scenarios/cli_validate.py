"""The command `twin validate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scenarios.validation.cases import Case

PAGE = Path("docs/validation")
OWN_PAGE = Path("validation")


def validate(
    cases: Annotated[
        list[str] | None,
        typer.Argument(help="Cases by name, or SUMO configurations (.sumocfg); default all."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, max=100, help="Runs of each side.")] = 5,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help=f"Folder of the page; {PAGE} for all cases, else {OWN_PAGE}."
        ),
    ] = None,
    net: Annotated[Path | None, typer.Option(help="SUMO network of your own (.net.xml).")] = None,
    routes: Annotated[
        list[Path] | None,
        typer.Option(help="Its routes, trips or flows (.rou.xml); may be repeated."),
    ] = None,
    begin: Annotated[
        float | None, typer.Option(min=0.0, help="First second, for files of your own.")
    ] = None,
    end: Annotated[
        float | None, typer.Option(min=1.0, help="Second at which it ends; default one hour.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of open data (osm/, sumo/); default STADTZWILLING_DATA."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="SUMO runs at a time; default the cores.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run SUMO again in any case.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the cases and do nothing.")] = False,
) -> None:
    """Compare the kernel with SUMO: same networks, same routes, marks to be met.

    Writes a page (README.md) with a table and plots, and results.csv. SUMO's results are kept
    in the user's cache folder, so that a command that was stopped goes on where it was.

    Examples:

      twin validate --list

      twin validate grid4x4 roundabout -o compared

      twin validate my.sumocfg

      twin validate --net my.net.xml --routes my.rou.xml --begin 25200 --end 28800
    """
    from scenarios import screen
    from scenarios.validation.cases import library

    folder = data or _data_folder()
    if list_:
        rows = [(c.name, c.group, f"left out: {c.missing}" if c.missing else c.about)
                for c in library(folder)]  # fmt: skip
        screen.table("Cases", ("name", "group", ""), rows)
        return
    chosen = _chosen(cases or [], folder, net, routes or [], begin, end)
    whole = not cases and net is None
    command = _command(cases or [], net, routes or [], begin, end, seeds)
    _compare(chosen, out or (PAGE if whole else OWN_PAGE), seeds, workers, command, fresh=fresh)


def _command(
    names: list[str],
    net: Path | None,
    routes: list[Path],
    begin_s: float | None,
    end_s: float | None,
    seeds: int,
) -> str:
    """Return the command as the page tells it: with names of files, not where they lie."""
    parts = ["twin validate", *(Path(name).name for name in names)]
    parts += [f"--net {net.name}"] if net else []
    parts += [f"--routes {path.name}" for path in routes]
    given = {"--begin": begin_s, "--end": end_s}
    parts += [f"{name} {value:g}" for name, value in given.items() if value is not None]
    return " ".join([*parts, f"--seeds {seeds}"]).replace("`", "'")


def _data_folder() -> Path | None:
    named = os.environ.get("STADTZWILLING_DATA")
    return Path(named) if named else None


def _chosen(
    names: list[str],
    data: Path | None,
    net: Path | None,
    routes: list[Path],
    begin_s: float | None,
    end_s: float | None,
) -> list[Case]:
    """Return the cases that were asked for.

    Raises
    ------
    InputError
        If net and routes do not come together, or a case cannot be used.
    """
    from scenarios.validation.cases import HOUR_S, find, of_files
    from twin.errors import InputError
    from twin.traffic.sumo_configuration import SumoFiles

    if net is None and not routes:
        return find(names, data, begin_s, end_s)
    if net is None or not routes or names:
        msg = "--net and --routes go together, and without names of cases; give both"
        raise InputError(msg)
    start = begin_s or 0.0
    demand = SumoFiles(net, tuple(routes), (), start, start + HOUR_S if end_s is None else end_s)
    name = net.name.removesuffix(".gz").removesuffix(".xml").removesuffix(".net")
    return [of_files(demand, name, "a SUMO network with its routes")]


def _compare(
    cases: list[Case], out: Path, seeds: int, workers: int | None, command: str, *, fresh: bool
) -> None:
    from scenarios import screen
    from scenarios.validation.harness import Harness, run_cases
    from scenarios.validation.page import Page
    from twin.cache import Cache, user_folder

    page = Page(out, command, seeds)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cache = Cache(user_folder("validation"), fresh=fresh)
    harness = Harness(cache, seeds=seeds, workers=workers or cores or 1)
    left_out = run_cases(cases, harness, screen.say, page.add)
    screen.say(f"Page: {page.write(left_out)}")
