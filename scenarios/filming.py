"""Films: along a flight of the camera while the clock runs, or from bookmark to bookmark."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scenarios.tables import window
from scenarios.tour_file import NO_LAYER
from scenarios.views import Choice, View, clock_of, recorded_seeds, street_line
from twin import times
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scenarios.runs import RunInfo
    from scenarios.tour_file import Stop
    from viz.caption import Caption
    from viz.flight import Flight
    from viz.flight import View as Seen

    Open = Callable[[Choice], View]

Route = Literal["orbit", "street", "tour", "still"]
ORBIT_DEG = 100.0
NEAR_M = 1200.0  # distance of a bookmark's camera up to which single lanes are seen
START_S = 900.0  # after the period's begin: the page's time at first
MODES = {"a": "alone", "b": "alone", "swipe": "beside", "difference": "difference"}


@dataclass(frozen=True)
class Take:
    """A piece of a film.

    Attributes
    ----------
    view
        What is seen.
    flight
        Way of the camera.
    share
        Of the film's length that it takes.
    speech, heading
        What the speaker says meanwhile, and what about.
    runs, until_s
        Whether the clock runs, and where it stops.
    """

    view: View
    flight: Flight
    share: float = 1.0
    speech: str = ""
    runs: bool = True
    heading: str = ""
    until_s: float = math.inf


def takes(view: View, route: Route, tour: Path | None, reopen: Open) -> list[Take]:
    """Return the pieces of a film: one, or one for each bookmark of a tour.

    Parameters
    ----------
    view
        What was chosen.
    route, tour
        Way of the camera, and the file of bookmarks.
    reopen
        Opens the view of a bookmark's choice.

    Raises
    ------
    InputError
        If a street or a tour is needed and none is given, or the tour cannot be read.
    """
    from viz import flight

    if route == "still":
        return [Take(view, lambda _: view.camera)]
    if route == "orbit":
        return [Take(view, _orbit(view))]
    if route == "street":
        if view.choice.street is None:
            msg = "--path street: which one? Add --street NAME"
            raise InputError(msg)
        ground = view.scene.ground
        (line,) = ground.moved([street_line(view.city, view.choice.street)])
        way = np.asarray(line.coords)[:, :2]
        return [Take(view, flight.along(way, ground.height, view.panel_size))]
    if tour is None:
        msg = "--path tour: which one? Add --tour FILE, a YAML file of bookmarks"
        raise InputError(msg)
    return _tour(view, tour, reopen)


def _orbit(view: View) -> Flight:
    """Return the way around all of the city, or around the chosen street."""
    from viz import flight
    from viz.picture import FRAME_FILM, FRAME_FILM_BESIDE

    if view.choice.street is None:
        frame = FRAME_FILM if len(view.panels) == 1 else FRAME_FILM_BESIDE
        return flight.orbit(view.camera, view.scene.hold, frame, ORBIT_DEG)
    return flight.around(flight.View.of(view.camera), ORBIT_DEG, view.panel_size)


def _tour(view: View, path: Path, reopen: Open) -> list[Take]:
    """Return a take for each bookmark: its mode, layer, time, text and place."""
    from scenarios.tour_file import bookmarks
    from twin.system import layers
    from viz.flight import tour
    from viz.language import current

    names = set(view.city.streets["name"]) - {""}
    others = [run.name for run in view.runs[1:]]
    box = view.scene.ground.box
    stops = bookmarks(path, names, layers(), others, box, window(view.runs))
    views = [reopen(_choice(view, stop)) for stop in stops]
    for other, stop in zip(views, stops, strict=True):
        other.__dict__["scene"] = view.scene  # one city for all
        camera = stop.camera
        other.near = stop.street is not None or (camera is not None and camera.distance_m < NEAR_M)
    found = []
    for k, (other, stop) in enumerate(zip(views, stops, strict=True)):
        own, before = _seen(other, stop), None
        if k:
            before = _seen(views[k - 1], stops[k - 1])
        flight = tour([own] if before is None else [before, own], other.panel_size, arrive=ARRIVES)
        text, title = (
            said if isinstance(said, str) else getattr(said, current())
            for said in (stop.text, stop.title)
        )
        runs_on = stop.play or (not stop.time and view.choice.time_s is not None)
        end_s = math.inf
        if stop.time is None and view.choice.time_s is None and other.choice.time_s is not None:
            end_s = (window(view.runs) or (0.0, math.inf))[1]
        found.append(
            Take(other, flight, 1.0 / len(stops), text, runs_on, heading=title, until_s=end_s)
        )
    return found


ARRIVES = 0.35  # share of a bookmark's time after which the camera has come to it


def _choice(view: View, stop: Stop) -> Choice:
    """Return what a bookmark chooses; what it leaves open is that of the film, else the page's."""
    film = view.choice
    chosen: dict[str, Any] = {"street": None}
    if view.runs:
        chosen["layer"] = stop.layer or film.layer or view.first
    if len(view.runs) > 1:
        mode = MODES[stop.mode] if stop.mode else film.mode or "beside"
        named = stop.alternative or film.alternative
        base = stop.mode == "a" or (stop.mode is None and mode == "alone" and named is None)
        chosen["alternative"] = None if base else named or view.runs[1].name
        no_colours = mode == "difference" and chosen["layer"] == NO_LAYER
        chosen["mode"] = "alone" if no_colours else mode
    if stop.time is not None:
        chosen["time_s"] = times.moment(stop.time)
    elif film.time_s is None and chosen.get("mode") != "difference":
        chosen["time_s"] = _start(view)
    return replace(film, **chosen)


def _start(view: View) -> float | None:
    """Return the page's time at first; None where no vehicles were recorded."""
    simulated = window(view.runs)
    if simulated is None or not recorded_seeds(view.runs[0]):
        return None
    begin_s = times.seconds(view.runs[0].manifest["period"]["begin"])
    return min(begin_s + START_S, simulated[1])


def _seen(view: View, stop: Stop) -> Seen:
    """Return what the camera of a bookmark sees."""
    from viz.camera import NEAR_VIEW_ANGLE_DEG
    from viz.flight import View as Seen

    if stop.camera is not None:
        x, y, _ = view.scene.ground.origin
        place = np.array([[stop.camera.x - x, stop.camera.y - y]])
        focal = (*place[0].tolist(), float(view.scene.ground.height(place)[0]))
        return Seen(focal, stop.camera.distance_m, -stop.camera.heading_deg,
                    90.0 - stop.camera.tilt_deg, NEAR_VIEW_ANGLE_DEG)  # fmt: skip
    return Seen.of(view.street_camera(stop.street) if stop.street else view.camera)


def frames(
    pieces: Sequence[Take],
    *,
    seconds: float,
    fps: int,
    speed: float,
    say: Callable[[int, int], None] | None = None,
) -> Iterator[Any]:
    """Yield the frames (height, width, rgb) of a film.

    Parameters
    ----------
    pieces
        One after the other.
    seconds, fps
        Length of the film, and frames a second.
    speed
        Seconds of the city a second of the film.
    say
        Told how many frames of how many are done.
    """
    n, done = max(1, round(seconds * fps)), 0
    ends = np.round(np.cumsum([piece.share for piece in pieces]) * n).astype(int)
    for piece, end in zip(pieces, ends.tolist(), strict=True):
        for frame in _take(piece, end - done, fps, speed):
            yield frame
            done += 1
            if say is not None:
                say(done, n)


def check_times(pieces: Sequence[Take], seconds: float, speed: float) -> None:
    """Refuse a film that runs to when nothing was simulated.

    Raises
    ------
    InputError
        With the times that there are.
    """
    from scenarios.viewing import refuse_outside

    for piece in pieces:
        run, begin_s = piece.view.panels[0].run, piece.view.choice.time_s
        bound = piece.runs and math.isinf(piece.until_s)
        if begin_s is not None and run is not None and bound:
            last_s = begin_s + seconds * piece.share * speed
            refuse_outside(run, last_s, "a film that runs to")


def _take(piece: Take, n: int, fps: int, speed: float) -> Iterator[Any]:
    """Yield the n frames of one piece."""
    if not n:
        return
    from viz.caption import Overlay
    from viz.picture import stage_of
    from viz.scene.scene import magnified

    view, begin_s = piece.view, piece.view.choice.time_s
    stages = [stage_of(view.scene, view.panel_size) for _ in view.panels]
    try:
        for stage, shown in zip(stages, view.panels, strict=True):
            for name, part in view.drawn(shown, begin_s).parts.items():
                stage.put(name, part)
        larger = tuple(magnified(piece.flight(k / 4.0).pixel_m) for k in range(5))
        words = Overlay.of(view.choice.size, _words(view, larger, piece))
        for k in range(n):
            camera = piece.flight(k / max(1, n - 1))
            time_s = begin_s
            if begin_s is not None and piece.runs:
                time_s = min(begin_s + k / fps * speed, piece.until_s)
            seen = []
            for stage, shown in zip(stages, view.panels, strict=True):
                stage.look(camera)
                if time_s is not None:
                    _move(view, stage, shown.run, time_s)
                seen.append(stage.frame())
            clock = "" if time_s is None else clock_of(time_s)
            yield words.on(np.concatenate(seen, axis=1), camera, view.scene.hold, clock)
    finally:
        for stage in stages:
            stage.close()


def _words(view: View, larger: tuple[float, ...], piece: Take) -> Caption:
    """Return the words of a piece; its clock stands apart."""
    said = view.caption(view.choice.time_s, larger)
    return replace(said, subtitle=view.subtitle, speech=piece.speech, heading=piece.heading)


def _move(view: View, stage: Any, run: RunInfo | None, time_s: float) -> None:
    """Bring vehicles and lights to a time."""
    fleet = view.fleet(run, time_s)
    if fleet is not None:
        stage.drive(fleet)
    if len(view.scene.bars.signal):
        colours = view.lights(run, time_s)
        stage.recolour("bars", np.tile(np.repeat(colours, 2, axis=0), (2, 1)))
