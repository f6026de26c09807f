"""The report's first page: its table of key numbers, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scenarios import report_words as words
from scenarios.compare import indicator_values
from scenarios.pairs import seeds_of
from scenarios.replications import JAMS
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenarios.compare import Comparison
    from scenarios.runs import RunInfo

    Counts = tuple[int, int, int, int]  # jammed and all replications, of a run and of its base

MOST_ROWS = 12  # of all tables, so that the first page stays one page
LEAST_ROWS = 3
MOST_COLUMNS = 6
CUT_OFF = "cut_off"  # indicator: trips without any way
TOLD = 0.5  # trips cut off more or less than in the base, from which that is told
MANY = 0.01  # of all trips: from there those cut off are told on the first page
MOST_WARNINGS = 3


def key_numbers(
    comparison: Comparison, chapter: Mapping[str, Any], tables: int = 1
) -> dict[str, Any]:
    """Return the table of key numbers, one of so many.

    Of few alternatives a row an indicator; of more a row an alternative and a column an
    indicator. Indicators that differ in no alternative are only named.
    """
    most = max(LEAST_ROWS, MOST_ROWS // tables)
    rows = [r for r in words.records(comparison.table) if bool(r["key"])]
    names = list(dict.fromkeys(str(r["indicator"]) for r in rows))
    differing = [
        n for n in names if any(r["indicator"] == n and not bool(r["identical"]) for r in rows)
    ]
    same = [words.in_list(r) for r in _firsts(rows) if r["indicator"] not in differing]
    t = words.texts()["page"]
    said = t["same"].format(indicators=words.listed(same)) if same else ""
    found: dict[str, Any] = {"title": chapter["title"], "same": said, "base": chapter["base"]}
    if len(differing) * len(comparison.alternatives) <= most:
        return found | {"columns": [], "rows": _long(comparison, rows, differing), "more": ""}
    shown = _most_changed(comparison, rows, differing, most)
    left = len(comparison.alternatives) - len(shown)
    columns = [r for r in _firsts(rows) if r["indicator"] in differing[:MOST_COLUMNS]]
    by = {(str(r["alternative"]), str(r["indicator"])): r for r in rows}
    return found | {
        "columns": [
            {"title": words.indicator_title(r), "unit": words.unit_text(str(r["unit"])),
             "base": words.table_row(r)["base"]}
            for r in columns
        ],
        "rows": [
            {"title": run.title,
             "cells": [words.table_row(by[run.name, str(c["indicator"])])
                       if (run.name, str(c["indicator"])) in by else None for c in columns]}
            for run in shown
        ],
        "more": t["more_alternatives"].format(n=left) if left else "",
    }  # fmt: skip


def gridlocks(comparison: Comparison, *, short: bool = False) -> list[str]:
    """Return in how many replications vehicles were taken past a gridlock, in sentences.

    One for all alternatives with as many, the most first; none for those without any in either
    run. If it shall be `short`, few sentences with few names: those that the result names first.
    """
    told = words.named_in_result(comparison.table)
    found: dict[Counts, list[RunInfo]] = {}
    for run in sorted(comparison.alternatives, key=lambda run: run.name not in told):
        seeds = seeds_of(comparison.base, run, unpaired=comparison.unpaired)
        of_base, own = (_jammed(r, s) for r, s in zip((comparison.base, run), seeds, strict=True))
        if own or of_base:
            counts = own, len(seeds[1]), of_base, len(seeds[0])
            found.setdefault(counts, []).append(run)
    groups = [([counts], found[counts]) for counts in sorted(found, key=lambda c: (-c[0], -c[2]))]
    if short and len(groups) > MOST_WARNINGS:
        runs = [run for _, those in groups for run in those]
        groups = [(list(found), sorted(runs, key=lambda run: run.name not in told))]
    return [_gridlock(counts, [run.title for run in runs], short) for counts, runs in groups]


def _gridlock(counts: Sequence[Counts], titles: Sequence[str], short: bool) -> str:
    """Return the sentence on alternatives of these counts, which are told as from-to."""
    k, n, k0, n0 = (
        "–".join(dict.fromkeys(number(float(v), 0) for v in (min(values), max(values))))
        for values in zip(*counts, strict=True)
    )
    named = (words.listed_shortly if short else words.listed)([words.quoted(t) for t in titles])
    text = words.texts()["warning"]["passed_jams"]
    return str(text.format(alternative=named, k=k, n=n, k0=k0, n0=n0))


def _jammed(run: RunInfo, seeds: Sequence[int]) -> int:
    """Return in how many of these replications vehicles were taken past a gridlock."""
    values = indicator_values(run, seeds)
    return int((values[JAMS] > 0.0).sum()) if JAMS in values else 0


def cut_off(comparison: Comparison) -> list[tuple[str, str, float]]:
    """Return alternatives in which more or fewer trips are cut off than in the base.

    Name of the alternative, a sentence, and the greater number over all trips.
    """
    titles = {run.name: run.title for run in comparison.alternatives}
    rows = words.records(comparison.table)
    trips = {
        str(r["alternative"]): float(r["base_mean"]) for r in rows if r["indicator"] == "trips"
    }
    found = []
    for row in rows:
        name, before, after = str(row["alternative"]), float(row["base_mean"]), float(row["mean"])
        if row["indicator"] != CUT_OFF or not abs(after - before) >= TOLD:
            continue
        n, base = (number(v, 1 if 0.0 < v < 10.0 else 0) for v in (after, before))
        text = words.texts()["warning"][CUT_OFF].format(alternative=titles[name], n=n, base=base)
        found.append((name, text, max(before, after) / max(1.0, trips.get(name, 1.0))))
    return found


def warnings(comparison: Comparison) -> list[str]:
    """Return what makes results of a comparison doubtful, in sentences."""
    return [*gridlocks(comparison), *(text for _, text, _ in cut_off(comparison))]


def rests_on(comparison: Comparison) -> list[str]:
    """Return the warnings that the first page must hold.

    Every gridlock; trips cut off of alternatives that are named as the best or the worst, and
    where they are many, the most first.
    """
    told, jams = words.named_in_result(comparison.table), gridlocks(comparison, short=True)
    chosen = [w for w in cut_off(comparison) if w[0] in told or w[2] >= MANY]
    room = max(1, MOST_WARNINGS - len(jams))
    return [*jams, *(text for _, text, _ in sorted(chosen, key=lambda w: -w[2])[:room])]


def _firsts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each indicator."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(str(row["indicator"]), row)
    return list(found.values())


def _long(
    comparison: Comparison, rows: Sequence[dict[str, Any]], differing: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a group of rows an alternative."""
    return [
        {
            "title": run.title,
            "cells": [
                words.table_row(r)
                for r in rows
                if r["alternative"] == run.name and r["indicator"] in differing
            ],
        }
        for run in comparison.alternatives
    ]


def _most_changed(
    comparison: Comparison, rows: Sequence[dict[str, Any]], differing: Sequence[str], most: int
) -> list[Any]:
    """Return as many alternatives as there is room for, in their order.

    Those stay that change the first indicator most.
    """
    size = {
        str(r["alternative"]): abs(float(r["difference"]))
        for r in rows
        if differing and r["indicator"] == differing[0]
    }
    ranked = sorted(comparison.alternatives, key=lambda run: -size.get(run.name, 0.0))
    kept = {run.name for run in ranked[:most]}
    return [run for run in comparison.alternatives if run.name in kept]
