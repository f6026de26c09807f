"""The tour of a presentation for which none is written: what its results say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.limits import FIRST
from scenarios.report_words import texts
from scenarios.schema import BASE
from viz.language import LANGUAGES, language
from viz.palette import number
from viz.picture import proper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenarios.present_values import Change, Named
    from scenarios.runs import RunInfo

WORDS = {
    "base": {"en": "Base", "de": "Vergleichsfall"},
    "overview": {"en": "Overview", "de": "Überblick"},
    "closing": {"en": "To sum up", "de": "Zusammengefasst"},
    "city": {
        "en": "{city}: {streets} streets and {buildings} buildings.",
        "de": "{city}: {streets} Straßen und {buildings} Gebäude.",
    },
    "houses": {"en": "{city}: {buildings} buildings.", "de": "{city}: {buildings} Gebäude."},
    "compared": {
        "en": "What does “{b}” change{measures}? On the left {a}, on the right with it. {days}",
        "de": "Was ändert sich durch „{b}“{measures}? Links {a}, rechts der Planfall. {days}",
    },
    "alone": {
        "en": "{a}. {days}",
        "de": "{a}. {days}",
    },
    "days": {
        "en": "Numbers are means of {n} random days.",
        "de": "Zahlen sind Mittel aus {n} zufälligen Tagen.",
    },
    "courses": {
        "en": "Numbers are means of {n} random courses of {years}.",
        "de": "Zahlen sind Mittel aus {n} zufälligen Verläufen über {years}.",
    },
    "course": {
        "en": "Numbers are of one random course of {years}, which says nothing of chance.",
        "de": "Zahlen sind die eines zufälligen Verlaufs über {years}; über den Zufall sagt das "
        "nichts.",
    },
    "day": {
        "en": "Numbers are of one random day, which says nothing of chance.",
        "de": "Zahlen sind die eines zufälligen Tages; über den Zufall sagt das nichts.",
    },
    "left": {"en": "the {base}", "de": "der {base}"},
    "vehicles": {"en": "vehicles", "de": "Fahrzeuge"},
    "vehicle": {"en": "vehicle", "de": "Fahrzeug"},
    "more": {
        "en": "Under “Results” (key R) stand all of these numbers.",
        "de": "Alle Kenngrößen stehen unter „Ergebnisse“ (Taste R).",
    },
    "street": {
        "en": "{street}: {before} {vehicles} an hour without, {after} with it "
        "({difference}{interval}). {speed}",
        "de": "{street}: {before} {vehicles} je Stunde ohne, {after} mit Maßnahme "
        "({difference}{interval}). {speed}",
    },
    "interval": {
        "en": "; 95 % interval {low} to {high}",
        "de": "; 95-%-Vertrauensbereich {low} bis {high}",
    },
    "speed": {
        "en": "Speed: {before} without, {after} km/h with it.",
        "de": "Geschwindigkeit: {before} ohne, {after} km/h mit Maßnahme.",
    },
    "ends": {
        "en": "Streets with clearly more traffic: {more}; with clearly less: {less}. On all "
        "others no change shows beyond chance.",
        "de": "Straßen mit deutlich mehr Verkehr: {more}; mit deutlich weniger: {less}. Auf "
        "allen anderen zeigt sich keine Änderung, die über den Zufall hinausgeht.",
    },
    "no_ends": {
        "en": "On no street does traffic change more than chance alone could explain.",
        "de": "Auf keiner Straße ändert sich der Verkehr stärker, als der Zufall allein erklärt.",
    },
}


def usual_tour(
    city: Mapping[str, Any],
    runs: Sequence[RunInfo],
    names: Named,
    found: Mapping[str, Mapping[str, Change]],
    layers: Sequence[str],
    told: Mapping[str, Mapping[str, Sequence[str]]],
) -> list[dict[str, Any]]:
    """Return the tour of who gave none: all, the two clearest changes, and what they come to.

    `layers` begins with the one that is shown first; `told` says by alternative and language what
    its key indicators are.
    """
    layer = FIRST if FIRST in layers else next(iter(layers), None)
    seen = {"layer": layer} if layer else {}
    if not runs:
        words = WORDS["city" if city["streets"] else "houses"]
        return [_stop("overview", {k: words[k].format(**_counts(city, k)) for k in LANGUAGES})]
    if len(runs) == 1:
        return [_stop("overview", _alone(runs[0]), mode="a", play=True, **seen)]
    base, run = runs[0], runs[1]
    stops = [
        _stop(
            "overview", _compared(base, run), mode="swipe", play=True, alternative=run.name, **seen
        )
    ]
    change = found[run.name]["vehicles"] if found else None
    for k in _clearest(change)[:2] if change else ():
        stop = _stop("overview", _street(names.names[k], found[run.name], k), mode="difference",
                     alternative=run.name, street=names.names[k], **seen)  # fmt: skip
        stops.append(stop | {"title": dict.fromkeys(LANGUAGES, names.names[k])})
    for other in runs[1:]:
        ends = _ends(found[other.name]["vehicles"]) if found else dict.fromkeys(LANGUAGES, "")
        said = {
            code: " ".join(filter(None, [*told[other.name][code], ends[code], WORDS["more"][code]]))
            for code in LANGUAGES
        }
        stop = _stop("closing", said, mode="difference", alternative=other.name, **seen)
        title = {c: f"{WORDS['closing'][c]}: {other.title}" for c in LANGUAGES}
        stops.append(stop | {"title": title} if len(runs) > 2 else stop)
    return stops


def _ends(change: Change) -> dict[str, str]:
    if not any(map(math.isfinite, change.low.tolist())):
        return dict.fromkeys(LANGUAGES, "")  # a single day says nothing of chance
    clear = change.clear()
    more, less = (
        int((clear & side).sum()) for side in (change.difference > 0, change.difference < 0)
    )
    if not clear.any():
        return WORDS["no_ends"]
    said: dict[str, str] = {}
    for code in LANGUAGES:
        with language(code):
            said[code] = WORDS["ends"][code].format(more=number(more, 0), less=number(less, 0))
    return said


def _clearest(change: Change) -> list[int]:
    """Return the streets by falling size of the part of their change that chance cannot explain."""
    sure = np.minimum(np.abs(change.low), np.abs(change.high))
    clear = np.flatnonzero(change.clear())
    return [int(k) for k in clear[np.argsort(-sure[clear], kind="stable")]]


def _stop(title: str, text: Mapping[Any, str], **more: Any) -> dict[str, Any]:
    return {"title": WORDS[title], "text": dict(text), **more}


def _counts(city: Mapping[str, Any], code: str) -> dict[str, str]:
    with language(code):
        return {"city": proper(str(city["name"])), "streets": number(city["streets"], 0),
                "buildings": number(city["count"], 0)}  # fmt: skip


def title_of(run: RunInfo) -> dict[str, str]:
    """Return what a run is called in each language."""
    plain = run.name == BASE and run.title == BASE.capitalize()
    return {code: WORDS["base"][code] if plain else run.title for code in LANGUAGES}


def measures_of(run: RunInfo, code: str) -> list[str]:
    """Return what is done in a run, a line a measure."""
    key = "describe_de" if code == "de" else "describe"
    return [str(m.get(key) or m.get("describe") or m.get("kind"))
            for m in run.manifest.get("measures", [])]  # fmt: skip


def _compared(base: RunInfo, run: RunInfo) -> dict[str, str]:
    said: dict[str, str] = {}
    for code in LANGUAGES:
        named = title_of(base)[code]
        plain = named == WORDS["base"][code]
        left = WORDS["left"][code].format(base=named if code == "de" else named.lower())
        measures = [m for m in measures_of(run, code) if m != run.title]
        said[code] = WORDS["compared"][code].format(
            a=left if plain else named, b=run.title, days=_days(run)[code],
            measures=f" ({'; '.join(measures)})" if measures else "",
        )  # fmt: skip
    return said


def _days(run: RunInfo) -> dict[str, str]:
    n, years = len(run.seeds), int(run.manifest.get("years", 0))
    kind = ("course" if years else "day") + ("" if n == 1 else "s")
    said: dict[str, str] = {}
    for code in LANGUAGES:
        with language(code):
            said[code] = WORDS[kind][code].format(n=n, years=years_text(years))
    return said


def years_text(years: int) -> str:
    """Return a number of years in the language that holds."""
    return str(texts()["speech"]["year" if years == 1 else "years"].format(n=years))


def _alone(run: RunInfo) -> dict[str, str]:
    return {c: WORDS["alone"][c].format(a=title_of(run)[c], days=_days(run)[c]) for c in LANGUAGES}


def _street(name: str, found: Mapping[str, Change], k: int) -> dict[str, str]:
    load, speed = found["vehicles"], found["speed"]
    said: dict[str, str] = {}
    for code in LANGUAGES:
        with language(code):
            known = math.isfinite(speed.base[k]) and math.isfinite(speed.mean[k])
            drives = WORDS["speed"][code].format(
                before=number(float(speed.base[k]), 0), after=number(float(speed.mean[k]), 0)
            )
            low, high = (number(float(v), 0, sign=True) for v in (load.low[k], load.high[k]))
            interval = WORDS["interval"][code].format(low=low, high=high) if low != high else ""
            said[code] = (
                WORDS["street"][code]
                .format(
                    street=name,
                    before=number(float(load.base[k]), 0),
                    vehicles=WORDS["vehicle" if round(load.base[k]) == 1 else "vehicles"][code],
                    after=number(float(load.mean[k]), 0),
                    difference=number(float(load.difference[k]), 0, sign=True),
                    interval=interval,
                    speed=drives if known else "",
                )
                .strip()
            )
    return said
