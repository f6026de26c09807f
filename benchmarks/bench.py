"""Every benchmark in one go: one table, printed, and with --write the page docs/speed.md.

Each script runs in a process of its own, one after the other.  What cannot run here (a package or
data that are not installed) is told in a line; a script that fails is told, and the command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from string import Template

from table import Found, Row, markdown, of_process, processor

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"
PARTS = {
    "Beside SUMO": "beside_sumo.py",
    "Beside UXsim": "beside_uxsim.py",
    "A day of a city": "city_day.py",
    "A large network": "large_network.py",
    "Many at once": "many_at_once.py",
    "Signals": "signal_environments.py",
    "Roads": "roads.py",
    "Loading and compiling": "loading.py",
    "Assignment": "static_assignment.py",
    "Assignment in time": "dynamic_assignment.py",
    "Comparison": "compare.py",
    "Pictures": "scene.py",
}


def main() -> None:
    """Run the parts, print the table, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/speed.md anew")
    parser.add_argument("--short", action="store_true", help="smaller cases, fewer runs")
    given = parser.parse_args()
    if given.write and given.short:
        parser.error("the page is made of the full cases: leave --short out")
    started, load = time.perf_counter(), os.getloadavg()[0]
    found, failed = _all(given.short)
    rows = [row for row in found if isinstance(row, Row)]
    notes = [note for note in found if isinstance(note, str)]
    minutes = (time.perf_counter() - started) / 60
    _say("\n" + markdown(rows) + "\n")
    for note in notes:
        _say(note + "\n")
    _say(f"{minutes:.0f} minutes on {processor()}\n")
    if given.write and not failed:
        _write(rows, notes, minutes, load)
    if failed:
        sys.exit(1)


def _all(short: bool) -> tuple[list[Found], bool]:
    """Return what all parts found, and whether one of them failed."""
    found: list[Found] = []
    failed = False
    for title, script in PARTS.items():
        _say(f"{title} ({script}) ...\n")
        try:
            lines = of_process(HERE / script, "--json", *(["--short"] if short else []))
        except RuntimeError as error:
            found.append(f"{title}: {error}")
            failed = True
            continue
        told = map(json.loads, lines.splitlines())
        found.extend(line if isinstance(line, str) else Row(**line) for line in told)
    return found, failed


def _write(rows: list[Row], notes: list[str], minutes: float, load: float) -> None:
    missed = [f"- {row.case}: {row.result}, aimed at {row.reach}" for row in rows if not _met(row)]
    text = Template((HERE / "speed.md.in").read_text(encoding="utf-8")).substitute(
        processor=processor(),
        sumo=version("eclipse-sumo"),
        load=f"{load:.1f}",
        minutes=f"{minutes:.0f}",
        table=markdown(rows),
        notes="\n".join(f"- {note}" for note in notes) or "- Nothing was left out.",
        missed="\n".join(missed) or "Nothing: every aim was reached.",
    )
    part = PAGE.with_name(f".{PAGE.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(PAGE)
    _say(f"{PAGE.relative_to(HERE.parent)} is written\n")


def _met(row: Row) -> bool:
    return row.met is not False


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
