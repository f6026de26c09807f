"""Films of a view: frames along a flight of the camera, while the clock runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scenarios.views import View
    from viz.camera import Camera
    from viz.flight import Flight

Route = Literal["orbit", "street", "tour", "still"]
ORBIT_DEG = 120.0


def flight_of(view: View, route: Route, tour: Path | None) -> Flight:
    """Return the way of the camera.

    Raises
    ------
    InputError
        If a street or a tour is needed and none is given, or the tour cannot be read.
    """
    from viz import flight

    if route == "still":
        return lambda _: view.camera
    if route == "orbit":
        return _orbit(view)
    if route == "street":
        from scenarios.views import street_line

        if view.choice.street is None:
            msg = "--path street: which one? Add --street NAME"
            raise InputError(msg)
        ground = view.scene.ground
        (line,) = ground.moved([street_line(view.city, view.choice.street)])
        return flight.along(np.asarray(line.coords)[:, :2], ground.height, view.panel_size)
    return flight.tour(_views(view, tour), view.panel_size)


def _orbit(view: View) -> Flight:
    """Return the way around all of the city, or around the chosen street."""
    from viz import flight
    from viz.picture import FRAME_FILM

    if view.choice.street is None:
        return flight.orbit(view.camera, view.scene.hold, FRAME_FILM, ORBIT_DEG)
    start = flight.View.of(view.camera)
    turned = [replace(start, azimuth_deg=start.azimuth_deg + k * ORBIT_DEG / 12) for k in range(13)]

    def at(share: float) -> Camera:
        k = min(int(share * 12), 11)
        return flight.between(turned[k], turned[k + 1], share * 12 - k).camera(view.panel_size)

    return at


def _views(view: View, tour: Path | None) -> list[Any]:
    """Return what the bookmarks of a tour look at.

    Of each bookmark the camera or the street counts; layer, time and mode are those of the film.
    """
    from scenarios.present_tour import bookmarks
    from scenarios.views import near_camera
    from twin.system import layers
    from viz.camera import NEAR_VIEW_ANGLE_DEG
    from viz.flight import View as Seen

    if tour is None:
        msg = "--path tour: which one? Add --tour FILE, a YAML file of bookmarks"
        raise InputError(msg)
    names = set(view.city.streets["name"]) - {""}
    runs = [p.run.name for p in view.panels if p.run is not None]
    found = []
    x, y, _ = view.scene.ground.origin
    for stop in bookmarks(tour, names, layers(), runs, view.scene.ground.box):
        if stop.camera is not None:
            place = np.array([[stop.camera.x - x, stop.camera.y - y]])
            focal = (*place[0].tolist(), float(view.scene.ground.height(place)[0]))
            found.append(Seen(focal, stop.camera.distance_m, -stop.camera.heading_deg,
                              90.0 - stop.camera.tilt_deg, NEAR_VIEW_ANGLE_DEG))  # fmt: skip
        elif stop.street is not None:
            found.append(Seen.of(near_camera(view.city, stop.street, view.panel_size)))
        else:
            found.append(Seen.of(view.camera))
    return found


def frames(
    view: View,
    flight: Flight,
    *,
    seconds: float,
    fps: int,
    speed: float,
    say: Callable[[int, int], None] | None = None,
) -> Iterator[Any]:
    """Yield the frames (height, width, rgb) of a film.

    Parameters
    ----------
    view
        What is seen; its `choice.time_s` is when the film begins.
    flight
        Way of the camera.
    seconds, fps
        Length of the film, and frames a second.
    speed
        Seconds of the city a second of the film.
    say
        Told how many frames of how many are done.
    """
    from scenarios.views import refuse_outside
    from viz.caption import Overlay
    from viz.picture import stage_of
    from viz.scene.scene import magnified

    size, begin_s = view.choice.size, view.choice.time_s
    run = view.panels[0].run
    if begin_s is not None and run is not None:
        refuse_outside(run, begin_s + seconds * speed, "a film that runs to")
    n = max(1, round(seconds * fps))
    stages = [stage_of(view.scene, view.panel_size) for _ in view.panels]
    try:
        for stage, shown in zip(stages, view.panels, strict=True):
            panel = view.drawn(shown, begin_s)
            for name, part in panel.parts.items():
                stage.put(name, part)
            stage.look(flight(0.0))
            if panel.fleet is not None:
                stage.drive(panel.fleet)
        larger = tuple(magnified(flight(k / 4.0).pixel_m) for k in range(5))
        words = Overlay.of(size, view.caption(begin_s, larger))
        for k in range(n):
            camera = flight(k / max(1, n - 1))
            time_s = None if begin_s is None else begin_s + k / fps * speed
            seen = []
            for stage, shown in zip(stages, view.panels, strict=True):
                stage.look(camera)
                if time_s is not None:
                    _move(view, stage, shown.run, time_s)
                seen.append(stage.frame())
            clock = "" if time_s is None else _clock(time_s)
            yield words.on(np.concatenate(seen, axis=1), camera, view.scene.hold, clock)
            if say is not None:
                say(k + 1, n)
    finally:
        for stage in stages:
            stage.close()


def _move(view: View, stage: Any, run: Any, time_s: float) -> None:
    """Bring vehicles and lights to a time."""
    fleet = view.fleet(run, time_s)
    if fleet is not None:
        stage.drive(fleet)
    if len(view.scene.bars.signal):
        colours = view.lights(run, time_s)
        stage.recolour("bars", np.tile(np.repeat(colours, 2, axis=0), (2, 1)))


def _clock(time_s: float) -> str:
    second = int(time_s)
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
