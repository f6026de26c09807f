"""Rows that the benchmarks measure, and the one table that they make."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = ("case", "here", "beside", "result", "reach")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    case
        What was run.
    here, beside
        What this project took, and the peer on the same case; "" where there is none.
    result
        The ratio, or the rate.
    reach
        What was aimed at; "" for nothing.
    met
        Whether it was reached; None where nothing was aimed at.
    """

    case: str
    here: str
    beside: str = ""
    result: str = ""
    reach: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the row; in bold where the aim was missed."""
        result = f"**{self.result}**" if self.met is False else self.result
        return self.case, self.here, self.beside, result, self.reach


Found = Row | str  # a row, or why there is none


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of a call, s."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_turn(calls: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """Return the results of each call, all called in turn `runs` times after one call of each."""
    for call in calls:
        call()
    rounds = [[call() for call in calls] for _ in range(runs)]
    return [list(values) for values in zip(*rounds, strict=True)]


def ratio(peer: Sequence[float], own: Sequence[float]) -> float:
    """Return the median of the ratios of runs that were made one after the other."""
    return statistics.median(p / o for p, o in zip(peer, own, strict=True))


def told(value_s: float) -> str:
    """Return a duration in words, two or three digits."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
    unit, size = next((pair for pair in units if value_s >= pair[1]), units[-1])
    value = value_s / size
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2g} {unit}"


def times(value: float) -> str:
    """Return a ratio in words."""
    return f"{value:.0f}x" if value >= 10 else f"{value:.1f}x"


def peak_gib() -> float:
    """Return the largest memory that this process has held, GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def markdown(rows: Iterable[Row]) -> str:
    """Return the table, its columns aligned."""
    lines = [HEAD, *(row.cells() for row in rows)]
    width = [max(len(line[k]) for line in lines) for k in range(len(HEAD))]
    text = [" | ".join(c.ljust(w) for c, w in zip(line, width, strict=True)) for line in lines]
    text.insert(1, " | ".join("-" * w for w in width))
    return "\n".join(f"| {line} |" for line in text)


def processor() -> str:
    """Return the kind of processor in general words."""
    words = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "64-bit Arm", "arm64": "64-bit Arm"}
    kind = words.get(platform.machine(), platform.machine())
    return f"{kind}, {len(_cores())} cores, Python {platform.python_version()}"


def _cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def command_line(doc: str, rows: Callable[[bool], Iterator[Found]]) -> None:
    """Run a benchmark by itself: its table, or with --json one line a row for `bench.py`.

    Parameters
    ----------
    rows
        Makes the rows; called with whether --short was given.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="smaller cases, fewer runs")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each row")
    given = parser.parse_args()
    if given.json:
        for found in rows(given.short):
            line = asdict(found) if isinstance(found, Row) else found
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        return
    made = list(rows(given.short))
    sys.stdout.write(markdown(found for found in made if isinstance(found, Row)) + "\n")
    for found in made:
        if isinstance(found, str):
            sys.stdout.write(found + "\n")


def of_process(script: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Return what a script of this folder prints, run in a process of its own.

    Raises
    ------
    RuntimeError
        If it fails, with its last line.
    """
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        msg = f"{script.name} failed: {last}"
        raise RuntimeError(msg)
    return done.stdout
