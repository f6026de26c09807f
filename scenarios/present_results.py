"""What a presentation says of results as a whole: key indicators, verdicts, warnings."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from scenarios import report_words as words
from scenarios.report_key import CUT_OFF, TOLD, cut_off, gridlocks
from scenarios.report_words import _digits
from viz.language import LANGUAGES, current, language
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scenarios.compare import Comparison

    Rows = Sequence[Mapping[str, Any]]

FEW_PAIRS = 10
MOST_TOLD = 3  # indicators in words
OF_DRIVEN = (
    "trip_duration_s", "trip_duration_p95_s", "distance_km", "speed_kmh", "travel_time_index",
    "planning_time_index", "buffer_index_percent", "co2_t", "nox_kg",
)  # fmt: skip
"""Indicators that trips without any way do not count in; see docs/indicators.md."""
OVER_PERIOD = ("people_15_min", "jobs_15_min")
"""Indicators that change within the period; a value is their mean over time."""
MEAN = {"en": "{title}, mean over the period", "de": "{title}, Mittel über den Zeitraum"}
WITHOUT = {"en": "{said}, without {n} trips", "de": "{said}, ohne {n} Fahrten"}
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
    left_out = _left_out(rows)
    shown = [_printed(r, left_out) for r in differing]
    return {
        "rows": [{k: row[k] for k in CELLS} for row in shown],
        "same": words.listed([words.in_list(r) for r in key if bool(r["identical"])]),
        "unresolved": words.listed(
            [words.in_list(r) for r in differing if words.effect(r) == "unresolved"]
        ),
    }


def _printed(row: Mapping[str, Any], left_out: float) -> dict[str, Any]:
    """Return a row as it is printed; one that leaves trips out, or is a mean over time, says so."""
    shown = words.table_row(row)
    if row["indicator"] in OVER_PERIOD:
        shown["title"] = MEAN[current()].format(title=shown["title"])
    if shown["low"] == shown["high"]:
        shown["interval"] = "–"
    if left_out and row["indicator"] in OF_DRIVEN:
        for key in ("verdict", "short"):
            shown[key] = WITHOUT[current()].format(said=shown[key], n=number(left_out, 0))
    return shown


def _left_out(rows: Rows) -> float:
    """Return how many trips have no way, where base and alternative differ in that; else 0."""
    before, after = _lost(rows) or (0.0, 0.0)
    return max(before, after) if abs(after - before) >= TOLD else 0.0


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
    lost = [text for _, text, _ in cut_off(comparison)]
    return [*lost, *gridlocks(comparison), t["sure"], *few, *notes]


def told(comparison: Comparison, name: str) -> dict[str, list[str]]:
    """Return the few indicators of an alternative that matter most, a sentence each.

    First trips without any way, since many others leave them out, then the one that the report
    puts first, then those that change most in per cent.
    """
    rows = [r for r in words.records(comparison.table) if r["alternative"] == name]
    key = [r for r in rows if bool(r["key"]) and not bool(r["identical"])]
    if not key:
        return {code: [] for code in LANGUAGES}
    lost = [r for r in key if r["indicator"] == CUT_OFF]
    others = [r for r in key if r["indicator"] != CUT_OFF]
    rest = sorted(others[1:], key=lambda r: (not _clear(r), -_size(r)))
    chosen = [*lost, *others[:1], *rest][:MOST_TOLD]
    left_out = _left_out(rows)
    return in_languages(lambda: [_sentence(row, left_out) for row in chosen])


def _clear(row: Mapping[str, Any]) -> bool:
    return words.effect(row) in words.CLEAR


def _size(row: Mapping[str, Any]) -> float:
    percent = abs(float(row["percent"]))
    return percent if math.isfinite(percent) else math.inf


SENTENCE = {
    "en": "{title}: {base} without, {mean}{unit} with it ({difference}{interval}): {short}.",
    "de": "{title}: {base} ohne, {mean}{unit} mit Maßnahme ({difference}{interval}): {short}.",
}
INTERVAL = {"en": "; 95 % interval {interval}", "de": "; 95-%-Vertrauensbereich {interval}"}


def _sentence(row: Mapping[str, Any], left_out: float) -> str:
    shown, digits = _printed(row, left_out), _spoken(row)
    for key, column in (("base", "base_mean"), ("mean", "mean"), ("difference", "difference"),
                        ("low", "ci_low"), ("high", "ci_high")):  # fmt: skip
        shown[key] = number(float(row[column]), digits, sign=key not in {"base", "mean"})
    interval = ""
    if shown["interval"] != "–" and shown["low"] != shown["high"]:
        said = words.texts()["word"]["to"].format(low=shown["low"], high=shown["high"])
        interval = INTERVAL[current()].format(interval=said)
    unit = "" if shown["unit"] == "–" else f" {shown['unit']}"
    return SENTENCE[current()].format(**(shown | {"interval": interval, "unit": unit}))


def _spoken(row: Mapping[str, Any]) -> int:
    """Return the decimals that are spoken: three figures of values, one of their difference."""
    values = [abs(float(row[k])) for k in ("base_mean", "mean")]
    size = max((v for v in values if math.isfinite(v)), default=0.0)
    gap = abs(float(row["difference"]))
    needed = [
        figures - math.floor(math.log10(v))
        for figures, v in ((2, size), (0, gap))
        if math.isfinite(v) and v > 0.0
    ]
    return min(_digits(row), max(0, *needed)) if needed else _digits(row)
