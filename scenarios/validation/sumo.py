"""Running SUMO from the eclipse-sumo wheel, and its outputs as the tables of a run."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from scenarios.validation.runs import INTERVAL_S, SAMPLE_S, Run
from twin.errors import InputError, OutputError
from twin.traffic.xmlfile import Attributes, scan

OPTIONS = (
    "--time-to-teleport", "-1", "--no-step-log", "--no-warnings",
    "--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted",
    "--summary-output.period", f"{SAMPLE_S:g}",
)  # fmt: skip


@cache
def home() -> Path:
    """Return the folder of the wheel."""
    import sumo

    return Path(sumo.SUMO_HOME)


@cache
def version() -> str:
    """Return the version of the wheel, which is that of its programs."""
    from importlib.metadata import version as installed

    return installed("eclipse-sumo")


@dataclass(frozen=True)
class Place:
    """A period on a network with its routes."""

    net: Path
    routes: Path
    begin_s: float
    end_s: float


class Ended(Exception):  # noqa: N818
    """A program was not run to its end, since another one failed or the user stopped."""


class Programs:
    """Calls SUMO's programs; those that run can be ended together."""

    def __init__(self) -> None:
        self._live: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._ended = False

    def call(self, program: str, *arguments: object, shown_as: object = "") -> None:
        """Run a program of the wheel (or a Python tool of its `tools`) and wait for its end.

        Raises
        ------
        InputError
            If it fails, with the first error that it tells.
        OutputError
            If it cannot be run.
        Ended
            If `end` was called.
        """
        command = [*_command(program), *map(str, arguments)]
        environment = {**os.environ, "SUMO_HOME": str(home())}
        with self._lock:
            if self._ended:
                raise Ended
            try:
                process = subprocess.Popen(
                    command, env=environment, text=True, errors="replace",
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                )  # fmt: skip
            except OSError as error:
                msg = f"{program}: cannot be run, {error.strerror or error}; reinstall eclipse-sumo"
                raise OutputError(msg) from None
            self._live.add(process)
        try:
            _, told = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with self._lock:
                self._live.discard(process)
        if self._ended:
            raise Ended
        if process.returncode != 0:
            raise InputError(_reason(program, told, process.returncode, shown_as))

    def end(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._ended = True
            for process in self._live:
                process.kill()


def _command(program: str) -> list[str]:
    if program.endswith(".py"):
        import sys

        return [sys.executable, str(home() / "tools" / program)]
    return [str(home() / "bin" / program)]


def _reason(program: str, told: str, code: int, shown_as: object) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line for line in lines if "Error:" in line and "Quitting" not in line]
    reason = (errors or lines[-1:] or [f"exit {code}"])[0].removeprefix("Error:").strip()
    where = f"{shown_as}: " if shown_as else ""
    return f"{where}{program} refuses it, {reason[:300]}"


def simulate(programs: Programs, place: Place, seed: int, folder: Path) -> Run:
    """Run SUMO with fixed routes and a seed; `folder` takes its raw outputs.

    Raises
    ------
    InputError
        If SUMO refuses its inputs.
    """
    edges = folder / "edges.add.xml"
    edges.write_text(
        f'<additional><edgeData id="all" period="{INTERVAL_S:g}" begin="{place.begin_s:g}" '
        f'file="edges.xml" excludeEmpty="true" withInternal="true"/></additional>\n'
    )
    programs.call(
        "sumo", "-n", place.net, "-r", place.routes, "-a", edges,
        "-b", f"{place.begin_s:g}", "-e", f"{place.end_s:g}", "--seed", seed, *OPTIONS,
        "--tripinfo-output", folder / "trips.xml", "--summary-output", folder / "summary.xml",
        shown_as=place.routes,
    )  # fmt: skip
    streets, intervals = read_edges(folder / "edges.xml", inside(place.net))
    trips = read_trips(folder / "trips.xml", place.end_s)
    return Run(trips, streets, read_summary(folder / "summary.xml"), intervals)


def _columns(rows: Sequence[Attributes], names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({n: np.array([row.get(n, 0) for row in rows], float) for n in names})


def read_trips(path: Path, end_s: float) -> pd.DataFrame:
    """Return `Run.trips` of a tripinfo file of a run up to `end_s`."""
    rows: list[Attributes] = []
    scan(path, {"tripinfo": rows.append})
    given = _columns(rows, ("depart", "departDelay", "arrival", "duration", "timeLoss"))
    left = given["depart"] >= 0.0
    arrived = given["arrival"] >= 0.0
    table = pd.DataFrame(
        {
            "due_s": given["depart"].where(left, end_s) - given["departDelay"],
            "depart_s": given["depart"].where(left),
            "arrival_s": given["arrival"].where(arrived),
            "duration_s": given["duration"].where(arrived),
            "delay_s": given["timeLoss"].where(left, 0.0) + given["departDelay"],
        }
    )
    return table.set_index(pd.Index([row["id"] for row in rows], dtype=object, name="id"))


def read_summary(path: Path) -> pd.DataFrame:
    """Return `Run.course` of a summary file."""
    rows: list[Attributes] = []
    scan(path, {"step": rows.append})
    names = ("time", "running", "halting", "waiting", "arrived")
    return _columns(rows, names).rename(columns={"time": "time_s"}).set_index("time_s")


@dataclass(frozen=True)
class Inside:
    """What is needed of a net to read edgeData.

    Attributes
    ----------
    origin
        The street from which each edge inside a junction is entered.
    length_m
        Of each edge.
    """

    origin: dict[str, str]
    length_m: dict[str, float]


def read_edges(path: Path, net: Inside) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `Run.streets` and `Run.intervals` of an edgeData file with internal edges."""
    seconds: dict[str, float] = {}
    vehicles: dict[str, float] = {}
    begins: list[float] = []
    totals: list[list[float]] = []

    def interval(given: Attributes) -> None:
        begins.append(float(given["begin"]))
        totals.append([0.0, 0.0])

    def edge(given: Attributes) -> None:
        name = given["id"]
        metres, spent = _of_fronts(given, net.length_m.get(name, 0.0))
        totals[-1][0] += metres
        totals[-1][1] += spent
        street = net.origin.get(name, name)
        seconds[street] = seconds.get(street, 0.0) + spent
        if street == name:
            passed = float(given["left"]) + float(given["arrived"])
            vehicles[street] = vehicles.get(street, 0.0) + passed

    scan(path, {"interval": interval, "edge": edge})
    streets = pd.DataFrame({"vehicles": vehicles, "seconds": seconds}, dtype=float)
    streets.index = streets.index.astype(object).rename("street")
    intervals = pd.DataFrame(
        np.array(totals).reshape(-1, 2), pd.Index(begins, name="begin_s"), ["distance_m", "time_s"]
    )
    return streets.fillna(0.0), intervals


def _of_fronts(given: Attributes, length_m: float) -> tuple[float, float]:
    """Metres and seconds that fronts of vehicles spent on an edge.

    sampledSeconds also counts a vehicle on the edge that its tail has not left yet;
    traveltime is the length over the mean speed of fronts.
    """
    spent = float(given["sampledSeconds"])
    metres = float(given.get("distance", spent * float(given.get("speed", 0.0))))
    if metres > 0.0 and length_m > 0.0 and "traveltime" in given:
        spent = min(spent, float(given["traveltime"]) * metres / length_m)
    return metres, spent


def inside(net: Path) -> Inside:
    """Read what `read_edges` needs of a net."""
    before: dict[str, str] = {}
    length: dict[str, float] = {}

    def connection(given: Attributes) -> None:
        if "via" in given:
            before.setdefault(given["via"].rpartition("_")[0], given["from"])

    def lane(given: Attributes) -> None:
        length.setdefault(given["id"].rpartition("_")[0], float(given["length"]))

    scan(net, {"connection": connection, "lane": lane})
    origin = {}
    for inner in before:
        street, steps = before[inner], 0
        while street.startswith(":") and street in before and steps < len(before):
            street, steps = before[street], steps + 1
        origin[inner] = street
    return Inside(origin, length)
