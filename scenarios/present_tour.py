"""The tour of a presentation: bookmarks with the speaker's text, from a file or from results."""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scenarios.schema import BASE
from twin.errors import InputError
from viz.language import LANGUAGES, language
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scenarios.present_values import Change, Named
    from scenarios.runs import RunInfo

MOST_BYTES = 1_000_000
FAR = 1.0  # of its larger side, how far beside a city a camera may look

Box = tuple[float, float, float, float]


class Text(BaseModel):
    """A text in both languages; a plain text holds for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    en: str
    de: str


class Camera(BaseModel):
    """Where the camera looks, in the city's CRS, from which side and from how far."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    x: float
    y: float
    distance_m: float = Field(900.0, gt=1.0, le=200_000.0)
    heading_deg: float = Field(0.0, ge=-360.0, le=360.0, description="0 looks north, 90 east.")
    tilt_deg: float = Field(45.0, ge=0.0, le=80.0, description="0 looks straight down.")


class Stop(BaseModel):
    """A bookmark of the tour: what is seen, and what the speaker says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    title: str | Text
    text: str | Text = ""
    camera: Camera | None = Field(None, description="Or a street; else all of the city.")
    street: str | None = Field(None, description="Street by name, that is framed and chosen.")
    time: str | None = Field(None, description="Time of day, HH:MM or HH:MM:SS.")
    layer: str | None = None
    mode: Literal["a", "b", "swipe", "difference"] | None = None
    alternative: str | None = Field(None, description="Name of the run that is B.")
    play: bool = False

    @field_validator("time")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        if value is None or re.fullmatch(r"(([01]?\d|2[0-3])(:[0-5]\d){1,2}|24:00(:00)?)", value):
            return value
        msg = f"{value!r} is no time of day; write HH:MM or HH:MM:SS, e.g. '07:30'"
        raise ValueError(msg)


class Tour(BaseModel):
    """A tour: its bookmarks in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    stops: tuple[Stop, ...] = Field(min_length=1, max_length=100)


def read_tour(
    path: Path,
    names: Sequence[str],
    layers: Sequence[str],
    runs: Sequence[str],
    box: Box | None = None,
) -> list[dict[str, Any]]:
    """Return the bookmarks of a file as the page's header has them.

    Raises
    ------
    InputError
        As `bookmarks`.
    """
    return [_told(stop) for stop in bookmarks(path, names, layers, runs, box)]


def bookmarks(
    path: Path,
    names: Collection[str],
    layers: Collection[str],
    runs: Collection[str],
    box: Box | None = None,
) -> tuple[Stop, ...]:
    """Return the bookmarks of a file.

    Parameters
    ----------
    path
        A YAML file with a list `stops` of `Stop`.
    names, layers, runs
        Streets, map layers and alternatives that it may name.
    box
        The city: west, south, east and north in its CRS; cameras look at it.

    Raises
    ------
    InputError
        In one line: the file, where in it, what is wrong, and what may stand there.
    """
    from scenarios._nodes import NodeError, read_document

    try:
        text = path.read_bytes()[: MOST_BYTES + 1].decode("utf-8")
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; name a tour file (.yaml)"
        raise InputError(msg) from None
    except UnicodeDecodeError:
        msg = f"{path}: is no UTF-8 text; save the tour as plain text"
        raise InputError(msg) from None
    if len(text) > MOST_BYTES:
        msg = f"{path}: is larger than {MOST_BYTES:,} bytes; a tour is a short text"
        raise InputError(msg)
    try:
        document = read_document(text)
    except NodeError as error:
        msg = f"{path}: line {error.line}: {error.text.replace('a scenario', 'a tour')}"
        raise InputError(msg) from None
    try:
        tour = Tour.model_validate(document.value)
    except ValidationError as error:
        first = error.errors()[0]
        where = [part for part in first["loc"] if part not in ("str", "Text")]
        at = next((document.marks[tuple(where[:k])] for k in range(len(where), -1, -1)
                   if tuple(where[:k]) in document.marks), None)  # fmt: skip
        line = f"line {at.line}: " if at else ""
        place = ".".join(str(part) for part in where) or "the file"
        msg = f"{path}: {line}{place}: {_why(first)}; see docs/presentation.md"
        raise InputError(msg) from None
    for k, stop in enumerate(tour.stops):
        for key, value, known in (
            ("street", stop.street, names), ("layer", stop.layer, layers),
            ("alternative", stop.alternative, runs),
        ):  # fmt: skip
            if value is not None and value not in known:
                line_of = document.marks.get(("stops", k, key))
                line = f"line {line_of.line}: " if line_of else ""
                told = _nearest(value, known) if known else "there is none"
                msg = f"{path}: {line}{key} {value!r} is not in this presentation; {told}"
                raise InputError(msg)
        if stop.camera and box and _far(stop.camera, box):
            line_of = document.marks.get(("stops", k, "camera"))
            line = f"line {line_of.line}: " if line_of else ""
            west, south, east, north = (f"{v:.0f}" for v in box)
            msg = (
                f"{path}: {line}camera at x {stop.camera.x:.0f}, y {stop.camera.y:.0f} is far from "
                f"the city; x is {west} to {east} there and y {south} to {north}"
            )
            raise InputError(msg)
    return tour.stops


def _why(error: Any) -> str:
    """Return what is wrong by pydantic's error, in one line."""
    text = str(error["msg"])
    known = "Value error, "
    return text.removeprefix(known) if text.startswith(known) else text[:1].lower() + text[1:]


def _nearest(value: str, known: Collection[str]) -> str:
    """Return "did you mean ...?" whatever the case, or the names that hold what was written."""
    from twin.suggest import suggestion

    lower = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(value.casefold(), lower, n=3, cutoff=0.5)
    near = near or [n for n in lower if value.casefold() in n][:3]
    if near:
        return f"did you mean {', '.join(repr(lower[n]) for n in near)}?"
    return suggestion(value, known)


def _far(camera: Camera, box: Box) -> bool:
    west, south, east, north = box
    room = FAR * max(east - west, north - south)
    return not (west - room <= camera.x <= east + room and south - room <= camera.y <= north + room)


def _told(stop: Stop) -> dict[str, Any]:
    found = stop.model_dump(exclude_none=True)
    for key in ("title", "text"):
        value = getattr(stop, key)
        found[key] = (
            dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value.model_dump()
        )
    return found


WORDS = {
    "base": {"en": "Base", "de": "Vergleichsfall"},
    "overview": {"en": "Overview", "de": "Überblick"},
    "closing": {"en": "To sum up", "de": "Zusammengefasst"},
    "city": {
        "en": "{city}: {streets} streets and {buildings} buildings.",
        "de": "{city}: {streets} Straßen und {buildings} Gebäude.",
    },
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
        "en": "{street}: {before} {vehicles} an hour before, {after} after ({difference}; "
        "95 % interval {low} to {high}). {speed}",
        "de": "{street}: vorher {before} {vehicles} je Stunde, nachher {after} ({difference}; "
        "95-%-Vertrauensbereich {low} bis {high}). {speed}",
    },
    "speed": {
        "en": "Speed: {before} before, {after} km/h after.",
        "de": "Geschwindigkeit: vorher {before}, nachher {after} km/h.",
    },
    "ends": {
        "en": "Streets with clearly more traffic: {more}; with clearly less: {less}. On all "
        "others no change shows beyond chance.",
        "de": "Straßen mit deutlich mehr Verkehr: {more}; mit deutlich weniger: {less}. Auf "
        "allen anderen zeigt sich keine Änderung, die über den Zufall hinausgeht.",
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

    `told` says by alternative and language what its key indicators are.
    """
    layer = next((k for k in ("load", *layers) if k in layers), None)
    seen = {"layer": layer} if layer else {}
    if not runs:
        return [
            _stop("overview", {k: WORDS["city"][k].format(**_counts(city, k)) for k in LANGUAGES})
        ]
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
            code: " ".join([*told[other.name][code], ends[code], WORDS["more"][code]]).strip()
            for code in LANGUAGES
        }
        stop = _stop("closing", said, mode="difference", alternative=other.name, **seen)
        title = {c: f"{WORDS['closing'][c]}: {other.title}" for c in LANGUAGES}
        stops.append(stop | {"title": title} if len(runs) > 2 else stop)
    return stops


def _ends(change: Change) -> dict[str, str]:
    more, less = int((change.low > 0.0).sum()), int((change.high < 0.0).sum())
    said: dict[str, str] = {}
    for code in LANGUAGES:
        with language(code):
            said[code] = WORDS["ends"][code].format(more=number(more, 0), less=number(less, 0))
    return said


def _clearest(change: Change) -> list[int]:
    """Return the streets by falling size of the part of their change that chance cannot explain."""
    sure = [
        (low if low > 0.0 else -high if high < 0.0 else 0.0, k)
        for k, (low, high) in enumerate(zip(change.low.tolist(), change.high.tolist(), strict=True))
        if math.isfinite(low) and math.isfinite(high)
    ]
    return [k for size, k in sorted(sure, reverse=True) if size > 0.0]


def _stop(title: str, text: Mapping[Any, str], **more: Any) -> dict[str, Any]:
    return {"title": WORDS[title], "text": dict(text), **more}


def _counts(city: Mapping[str, Any], code: str) -> dict[str, str]:
    with language(code):
        return {"city": str(city["name"]), "streets": number(city["streets"], 0),
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
    n = len(run.seeds)
    return {c: WORDS["day" if n == 1 else "days"][c].format(n=n) for c in LANGUAGES}


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
            said[code] = (
                WORDS["street"][code]
                .format(
                    street=name,
                    before=number(float(load.base[k]), 0),
                    vehicles=WORDS["vehicle" if round(load.base[k]) == 1 else "vehicles"][code],
                    after=number(float(load.mean[k]), 0),
                    difference=number(float(load.difference[k]), 0, sign=True),
                    low=number(float(load.low[k]), 0, sign=True),
                    high=number(float(load.high[k]), 0, sign=True),
                    speed=drives if known else "",
                )
                .strip()
            )
    return said
