"""The file of a tour: bookmarks with the speaker's text."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scenarios.limits import FIRST
from twin import times
from twin.errors import InputError
from viz.language import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from scenarios._nodes import Document

NO_LAYER = "none"
FAR = 1.0  # of its larger side, how far beside a city a camera may look

Box = tuple[float, float, float, float]
Window = tuple[float, float]


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
    layer: str | None = Field(None, description='Map layer, or "none".')
    mode: Literal["a", "b", "swipe", "difference"] | None = None
    alternative: str | None = Field(None, description="Name of the run that is B.")
    play: bool = False

    @field_validator("time")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        if value is not None:
            times.moment(value)
        return value


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
    window: Window | None = None,
) -> list[dict[str, Any]]:
    """Return the bookmarks of a file as the page's header has them.

    What a bookmark leaves open is not left over from the one before it: of runs with alternatives
    it is `usual`.

    Raises
    ------
    InputError
        As `bookmarks`.
    """
    first = next(iter(layers), None)
    layer = FIRST if FIRST in layers else first
    return [
        _told(usual(stop, layer, runs))
        for stop in bookmarks(path, names, layers, runs, box, window)
    ]


def usual(stop: Stop, layer: str | None, runs: Sequence[str]) -> Stop:
    """Return a bookmark with what it leaves open: both runs, the first alternative, first layer."""
    open_: dict[str, Any] = {"layer": layer} if stop.layer is None else {}
    if runs and stop.mode is None:
        open_["mode"] = "swipe"
    if runs and stop.alternative is None:
        open_["alternative"] = runs[0]
    return stop.model_copy(update=open_)


def bookmarks(
    path: Path,
    names: Collection[str],
    layers: Collection[str],
    runs: Collection[str],
    box: Box | None = None,
    window: Window | None = None,
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
    window
        First and last second that the runs simulate; times lie in it.

    Raises
    ------
    InputError
        In one line: the file, where in it, what is wrong, and what may stand there.
    """
    document = _document(path)
    try:
        tour = Tour.model_validate(document.value)
    except ValidationError as error:
        first = _first(error.errors())
        where = [part for part in first["loc"] if part not in ("str", "Text")]
        place = ".".join(str(part) for part in where) or "the file"
        msg = f"{_at(path, document, where)}{place}: {_why(first)}; see docs/presentation.md"
        raise InputError(msg) from None
    known = {"street": names, "layer": [*layers, NO_LAYER], "alternative": runs}
    for k, stop in enumerate(tour.stops):
        for key, may in known.items():
            value = getattr(stop, key)
            if value is not None and value not in may:
                told = _nearest(value, may) if set(may) - {NO_LAYER} else "there is none"
                at = _at(path, document, ["stops", k, key])
                msg = f"{at}{key} {value!r} is not in this presentation; {told}"
                raise InputError(msg)
        if stop.time and window and not window[0] <= times.moment(stop.time) <= window[1]:
            at = _at(path, document, ["stops", k, "time"])
            begin, end = map(times.text, window)
            msg = f"{at}time {stop.time} is outside of what was simulated, {begin} to {end}"
            raise InputError(msg)
        if stop.camera and box and _far(stop.camera, box):
            west, south, east, north = (f"{v:.0f}" for v in box)
            at = _at(path, document, ["stops", k, "camera"])
            msg = (
                f"{at}camera at x {stop.camera.x:.0f}, y {stop.camera.y:.0f} is far from "
                f"the city; x is {west} to {east} there and y {south} to {north}"
            )
            raise InputError(msg)
    return tour.stops


def _document(path: Path) -> Document:
    """Return what a tour file says, with its lines."""
    from scenarios._nodes import NodeError, read_document
    from scenarios.loading import read_text

    text = read_text(path, "tour")
    try:
        return read_document(text)
    except NodeError as error:
        msg = f"{path}: line {error.line}: {error.text.replace('a scenario', 'a tour')}"
        raise InputError(msg) from None


def _at(path: Path, document: Document, where: Sequence[Any]) -> str:
    """Return file and line of a place in it, or of the nearest around it that has a line."""
    around = (tuple(where[:k]) for k in range(len(where), -1, -1))
    line = next((document.marks[at].line for at in around if at in document.marks), None)
    return f"{path}: line {line}: " if line else f"{path}: "


def _first(errors: Sequence[Any]) -> Any:
    """Return the error to tell; of a text in languages what is wrong in it."""
    first = errors[0]
    if isinstance(first.get("input"), dict):
        own = [e for e in errors if "Text" in e["loc"] and e["loc"][:3] == first["loc"][:3]]
        return own[0] if own else first
    return first


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
