"""Stills: the city from afar or near, one or two beside each other, with legend and sources."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twin.errors import OutputError
from viz.caption import ATTRIBUTION, Caption, compose
from viz.gl import opengl_available
from viz.language import word
from viz.palette import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from PIL.Image import Image

    from twin.city import City
    from viz.camera import Camera
    from viz.plain import PlainStage
    from viz.render import Stage
    from viz.scene.scene import Part, Scene
    from viz.scene.vehicles import Fleet

_LOG = logging.getLogger(__name__)
OVERSAMPLING = 2  # rendered larger and averaged: smooth edges on any renderer
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
# The room that words leave for the city: left, top, right, bottom as shares of the picture.
FRAME = (0.02, 0.14, 0.98, 0.965)
FRAME_BESIDE = (0.02, 0.20, 0.98, 0.80)
FRAME_FILM = (0.03, 0.12, 0.97, 0.90)
FRAME_FILM_BESIDE = (0.02, 0.18, 0.98, 0.84)


@dataclass(frozen=True)
class Panel:
    """What one panel of a picture shows of a scene.

    Attributes
    ----------
    label
        Its name, if there are several.
    parts
        Further parts of the scene, e.g. values of streets.
    fleet
        Vehicles, if they are shown.
    """

    label: str = ""
    parts: dict[str, Part] = field(default_factory=dict)
    fleet: Fleet | None = None


def save_picture(
    city: City,
    path: Path,
    *,
    values: pd.Series | None = None,
    title: str = "",
    subtitle: str = "",
    legend: str = "",
    unit: str = "",
    diverging: bool = False,
    size: tuple[int, int] = (1920, 1080),
) -> Path:
    """Save a picture of the city, and return its path.

    OpenGL draws it where there is one; otherwise the triangles are filled by compiled
    Python, which gives the same picture.

    Parameters
    ----------
    city
        The city.
    path
        A `.png` or `.jpg` file.
    values
        A value per street, indexed by the street's row; grey where missing.
    title, subtitle
        Written above; the city's name unless given.
    legend, unit
        What the values are.
    diverging
        Whether the values are differences, coloured symmetrically around 0.
    size
        Width and height in pixels.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from viz.scene.bands import band_mesh
    from viz.scene.scene import Part, city_scene

    camera = overview(city, size)
    scene = city_scene(city, view_azimuth_deg=camera.azimuth_deg)
    scale, parts = None, {}
    if values is not None:
        scale = Scale.of(values, diverging=diverging)
        parts["values"] = Part(band_mesh(city, scene.ground, values, scale))
    caption = Caption(
        title or proper(city.name), subtitle, legend, unit, scale, attribution=attribution(city)
    )
    write(still(scene, [Panel(parts=parts)], camera, size, caption), path)
    return path


def still(
    scene: Scene, panels: Sequence[Panel], camera: Camera, size: tuple[int, int], caption: Caption
) -> Image:
    """Return the finished picture of one panel, or of two through the same camera.

    Parameters
    ----------
    scene
        What all panels show.
    panels
        What each shows beside.
    camera
        Its aspect is that of a panel.
    size
        Width and height of the whole picture.
    caption
        The words.
    """
    each = (size[0] // len(panels), size[1])
    seen = [draw(scene, panel, camera, each) for panel in panels]
    return compose(seen, size, caption, camera, scene.hold)


def overview(
    city: City, size: tuple[int, int], frame: tuple[float, float, float, float] = FRAME
) -> Camera:
    """Return the camera that shows all of a city from the side that suits its shape."""
    from viz.camera import fitted
    from viz.scene.ground import Ground

    return fitted(Ground.of(city).hold(city.buildings["height_m"].to_numpy(float)), size, frame)


def draw(
    scene: Scene, panel: Panel, camera: Camera, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Return (height, width, rgba), larger than the size by `OVERSAMPLING`."""
    stage = stage_of(scene, (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    try:
        for name, part in panel.parts.items():
            stage.put(name, part)
        stage.look(camera)
        if panel.fleet is not None:
            stage.drive(panel.fleet)
        return stage.cut_out()
    finally:
        stage.close()


def stage_of(scene: Scene, size: tuple[int, int]) -> Stage | PlainStage:
    """Return a stage by OpenGL where there is one, else one that draws the same without."""
    from viz.plain import PlainStage
    from viz.render import Stage

    available, text = opengl_available()
    _LOG.info("rendering by %s", text if available else f"the built-in rasteriser ({text})")
    return Stage(scene, size) if available else PlainStage(scene, size)


def check_picture(path: Path) -> None:
    """Refuse a picture that cannot be written, before it is drawn.

    Raises
    ------
    OutputError
        If its name does not fit.
    """
    if path.suffix.lower() not in FORMATS:
        msg = f"{path}: pictures are written as .png or .jpg; name such a file"
        raise OutputError(msg)


def write(picture: Image, path: Path) -> None:
    """Write a picture, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written, or its name does not fit.
    """
    check_picture(path)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(part, format=FORMATS[path.suffix.lower()])
        part.replace(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be written, {reason}; name another file"
        raise OutputError(msg) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def proper(name: str) -> str:
    """Return a city's name as it is written.

    >>> proper("kaiserslautern_cc"), proper("st. pölten"), proper("EssenExample")
    ('Kaiserslautern cc', 'St. Pölten', 'EssenExample')
    """
    first, *rest = name.split("_")
    own = first if any(c.isupper() for c in name) else first.title()
    return " ".join([own, *rest]).strip()


def attribution(city: City) -> str:
    """Return whose data the city is made of; the files where they do not say."""
    named = [s["attribution"] for s in city.sources if s.get("attribution")]
    if named or city.options.get("builder") != "buildings":
        return ", ".join(dict.fromkeys(named)) or ATTRIBUTION
    files = dict.fromkeys(str(s["file"]) for s in city.sources if s.get("file"))
    return word("Source: {file}").format(file=", ".join(files)) if files else ""
