"""The report's first page: its table of key numbers, and what they rest on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scenarios import report_words as words
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenarios.compare import Comparison

MOST_ROWS = 12  # of all tables, so that the first page stays one page
LEAST_ROWS = 3
MOST_COLUMNS = 6
DOUBTFUL = ("passed_jams", "cut_off")
MANY = 0.01  # of all trips: from there a run's doubtful vehicles are told on the first page
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


def warnings(comparison: Comparison) -> list[tuple[str, str, float]]:
    """Return alternatives with vehicles past a gridlock or trips cut off, in either run.

    Name of the alternative, a sentence, and the greater number over all trips.
    """
    titles = {run.name: run.title for run in comparison.alternatives}
    rows = words.records(comparison.table)
    trips = {
        str(r["alternative"]): float(r["base_mean"]) for r in rows if r["indicator"] == "trips"
    }
    found = []
    for row in rows:
        name, which = str(row["alternative"]), str(row["indicator"])
        before, after = float(row["base_mean"]), float(row["mean"])
        worst = max((v for v in (before, after) if math.isfinite(v)), default=0.0)
        if which not in DOUBTFUL or worst < 0.5:
            continue
        text = words.texts()["warning"][which].format(
            alternative=titles[name], n=number(after, 0), base=number(before, 0)
        )
        found.append((name, text, worst / max(1.0, trips.get(name, 1.0))))
    return found


def rests_on(comparison: Comparison) -> list[str]:
    """Return the warnings that the first page must hold.

    Those of alternatives that are named as the best or the worst, and those that touch many
    trips; the greatest first.
    """
    told = words.named_in_result(comparison.table)
    chosen = [w for w in warnings(comparison) if w[0] in told or w[2] >= MANY]
    return [text for _, text, _ in sorted(chosen, key=lambda w: -w[2])[:MOST_WARNINGS]]


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
