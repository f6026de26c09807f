"""What a presentation says of results as a whole: key indicators, verdicts, warnings."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from scenarios import report_words as words
from scenarios.report_key import CUT_OFF, warnings
from viz.language import LANGUAGES, language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenarios.compare import Comparison

    Rows = Sequence[Mapping[str, Any]]

FEW_PAIRS = 10
MOST_TOLD = 3  # indicators in words
CELLS = ("title", "unit", "base", "mean", "difference", "interval", "verdict", "short", "effect")


def in_languages(said: Callable[[], Any]) -> dict[str, Any]:
    """Return what is said in each language."""
    found: dict[str, Any] = {}
    for code in LANGUAGES:
        with language(code):
            found[code] = said()
    return found


def results(comparison: Comparison) -> dict[str, Any]:
    """Return the page's key indicators of every alternative, with what makes them doubtful.

    Returns
    -------
    dict
        `runs`: by name of the alternative, per language the `rows` that differ, what is the
        `same`, and what is `unresolved`; `lost`: by name, trips without any way in base and
        alternative, where there are some; `notes`: per language what the reader must know.
    """
    rows = words.records(comparison.table)
    names = [run.name for run in comparison.alternatives]
    of = {name: [r for r in rows if r["alternative"] == name] for name in names}
    return {
        "runs": {name: in_languages(partial(_shown, own)) for name, own in of.items()},
        "lost": {name: lost for name, own in of.items() if (lost := _lost(own))},
        "notes": in_languages(lambda: _notes(comparison)),
    }


def _shown(rows: Rows) -> dict[str, Any]:
    key = [r for r in rows if bool(r["key"])]
    differing = [r for r in key if not bool(r["identical"])]
    shown = [words.table_row(r) for r in differing]
    return {
        "rows": [{k: row[k] for k in CELLS} for row in shown],
        "same": words.listed([words.in_list(r) for r in key if bool(r["identical"])]),
        "unresolved": words.listed(
            [words.in_list(r) for r in differing if words.effect(r) == "unresolved"]
        ),
    }


def _lost(rows: Rows) -> list[float] | None:
    """Return trips without any way of base and alternative; None where there are none."""
    for row in rows:
        found = [round(float(row[k]), 1) for k in ("base_mean", "mean")]
        if row["indicator"] == CUT_OFF and all(map(math.isfinite, found)) and max(found) > 0.0:
            return found
    return None


def _notes(comparison: Comparison) -> list[str]:
    t = words.texts()["first"]
    pairs = min((int(n) for n in comparison.table["n"]), default=0)
    few = [t["few"].format(n=pairs)] if pairs < FEW_PAIRS else []
    notes = [words.note_text(note) for note in comparison.notes]
    return [*warnings(comparison), t["sure"], *few, *notes]


def told(comparison: Comparison, name: str) -> dict[str, list[str]]:
    """Return the few indicators of an alternative that matter most, a sentence each.

    First the one that the report puts first, then trips without any way, then those that change
    most in per cent.
    """
    rows = [r for r in words.records(comparison.table) if r["alternative"] == name]
    key = [r for r in rows if bool(r["key"]) and not bool(r["identical"])]
    if not key:
        return {code: [] for code in LANGUAGES}
    first, rest = key[0], key[1:]
    rest.sort(key=lambda r: (r["indicator"] != CUT_OFF, not _clear(r), -_size(r)))
    chosen = [first, *rest[: MOST_TOLD - 1]]
    return in_languages(lambda: [_sentence(row) for row in chosen])


def _clear(row: Mapping[str, Any]) -> bool:
    return words.effect(row) in words.CLEAR


def _size(row: Mapping[str, Any]) -> float:
    percent = abs(float(row["percent"]))
    return percent if math.isfinite(percent) else math.inf


SENTENCE = {
    "en": "{title}: {base} before, {mean}{unit} after ({difference}{interval}): {short}.",
    "de": "{title}: vorher {base}, nachher {mean}{unit} ({difference}{interval}): {short}.",
}
INTERVAL = {"en": "; 95 % interval {interval}", "de": "; 95-%-Vertrauensbereich {interval}"}


def _sentence(row: Mapping[str, Any]) -> str:
    from viz.language import current

    shown, code = words.table_row(row), current()
    known = shown["interval"] != "–"
    interval = INTERVAL[code].format(interval=shown["interval"]) if known else ""
    unit = "" if shown["unit"] == "–" else f" {shown['unit']}"
    return SENTENCE[code].format(**(shown | {"interval": interval, "unit": unit}))
