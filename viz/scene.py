"""The city in three dimensions, to turn in a window or to save as a picture."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from twin.errors import OutputError
from viz.caption import ATTRIBUTION, Caption, compose
from viz.gl import opengl_available, render_window
from viz.palette import Scale

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyvista

    from twin.city import City
    from viz.camera import Camera
    from viz.geometry import Mesh
    from viz.model import CityModel

__all__ = ["city_scene", "opengl_available", "save_picture"]

_LOG = logging.getLogger(__name__)
_OVERSAMPLING = 2  # rendered larger and averaged: smooth edges on any renderer
# The room that words leave for the city: left, top, right, bottom as shares of the picture.
_FRAME = (0.02, 0.14, 0.98, 0.965)


def city_scene(
    city: City,
    *,
    load: pd.Series | None = None,
    title: str = "",
    unit: str = "",
    diverging: bool = False,
    raised: float = 1.0,
    size: tuple[int, int] = (1920, 1080),
    off_screen: bool = True,
) -> pyvista.Plotter:
    """Return a PyVista scene of the city.

    Parameters
    ----------
    city
        The city.
    load
        A value per street, indexed by the street's row.
    title, unit
        What the values are.
    diverging
        Whether the values are differences, coloured symmetrically around 0.
    raised
        Height of the bands of streets with load; 0 lays them flat.
    size
        Width and height in pixels.
    off_screen
        Whether to render without a window.

    Raises
    ------
    OutputError
        Where OpenGL is missing.
    """
    available, text = opengl_available()
    if not available:
        raise OutputError(text)
    scale = None if load is None else Scale.of(load, diverging=diverging)
    model, camera = _staged(city, load, scale, raised, size)
    plotter = _plotter(model, camera, size, off_screen=off_screen)
    if title:
        plotter.add_text(title, position="upper_left", font_size=14, color="#262a33")
    plotter.add_text(ATTRIBUTION, position="lower_right", font_size=7, color="#686c74")
    if scale is not None:
        _bar(plotter, scale, f"{title} [{unit}]" if unit else title)
    return plotter


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
    raised: float = 1.0,
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
    raised
        Height of the bands of streets with values; 0 lays them flat.
    size
        Width and height in pixels.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    scale = None if values is None else Scale.of(values, diverging=diverging)
    model, camera = _staged(city, values, scale, raised, size)
    available, text = opengl_available()
    _LOG.info("rendering by %s", text if available else f"the built-in rasteriser ({text})")
    render = _by_opengl if available else _by_rasteriser
    seen = render(model, camera, (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
    caption = Caption(title or city.name.title(), subtitle, legend, unit, scale, _attribution(city))
    picture = compose(seen, size, caption, camera, model.plate)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except (OSError, ValueError) as error:
        msg = f"cannot write the picture {path}: {error}; name another .png file"
        raise OutputError(msg) from error
    return path


def _attribution(city: City) -> str:
    """Return whose data the city is made of."""
    named = [s["attribution"] for s in city.sources if s.get("attribution")]
    usual = "" if city.options.get("builder") == "buildings" else ATTRIBUTION
    return ", ".join(dict.fromkeys(named)) or usual


def _staged(
    city: City,
    load: pd.Series | None,
    scale: Scale | None,
    raised: float,
    size: tuple[int, int],
) -> tuple[CityModel, Camera]:
    """Return the model, lit from the side of the camera that suits the city's shape."""
    import numpy as np

    from viz.camera import fitted
    from viz.model import city_model, corners

    camera = fitted(corners(city), size, _FRAME)
    back = np.subtract(camera.position, camera.focal)
    azimuth = float(np.degrees(np.arctan2(back[0], -back[1])))
    model = city_model(city, load=load, scale=scale, raised=raised, view_azimuth_deg=azimuth)
    return model, camera


def _plotter(
    model: CityModel, camera: Camera, size: tuple[int, int], *, off_screen: bool
) -> pyvista.Plotter:
    """Return a plotter that shows the model through the camera."""
    import pyvista

    from viz.model import SHADOW_DARKNESS

    with render_window():
        plotter = pyvista.Plotter(off_screen=off_screen, window_size=list(size))
    window: Any = plotter.render_window
    window.SetMultiSamples(0)
    plotter.renderer.set_background("#fafaf6")
    plotter.add_mesh(_polydata(model.solid), scalars="rgb", rgb=True, lighting=False)
    if len(model.shade):
        plotter.add_mesh(
            _polydata(model.shade), color="black", opacity=SHADOW_DARKNESS, lighting=False
        )
    plotter.camera.position = camera.position
    plotter.camera.focal_point = camera.focal
    plotter.camera.up = (0.0, 0.0, 1.0)
    plotter.camera.view_angle = camera.view_angle
    plotter.reset_camera_clipping_range()
    return plotter


def _polydata(mesh: Mesh) -> pyvista.PolyData:
    """Return the triangles as VTK holds them."""
    import numpy as np
    import pyvista

    points: Any = mesh.points.reshape(-1, 3).astype(np.float32)
    faces: Any = np.arange(len(points)).reshape(-1, 3)
    data: pyvista.PolyData = pyvista.PolyData.from_regular_faces(points, faces)
    data.point_data["rgb"] = mesh.colours.reshape(-1, 3)
    return data


def _bar(plotter: pyvista.Plotter, scale: Scale, title: str) -> None:
    """Add a legend to a scene; the streets' colours are fixed, so it has colours of its own."""
    import numpy as np
    import pyvista
    from matplotlib.colors import ListedColormap

    values = np.linspace(scale.low, scale.high, 256)
    hidden: Any = pyvista.PolyData(np.zeros((2, 3)))
    hidden["value"] = np.array([scale.low, scale.high])
    plotter.add_mesh(
        hidden,
        scalars="value",
        cmap=ListedColormap(scale.rgb(values) / 255.0),
        clim=(scale.low, scale.high),
        opacity=0.0,
        scalar_bar_args={"title": title, "color": "#262a33", "n_labels": 3},
    )


def _by_opengl(model: CityModel, camera: Camera, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return (height, width, rgba) from VTK."""
    import numpy as np

    plotter = _plotter(model, camera, size, off_screen=True)
    try:
        image = plotter.screenshot(None, transparent_background=True, return_img=True)
    finally:
        plotter.close()
    return np.ascontiguousarray(image, np.uint8)


def _by_rasteriser(
    model: CityModel, camera: Camera, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Return (height, width, rgba) without a graphics library."""
    from viz.model import SHADOW_DARKNESS
    from viz.raster import rasterise

    return rasterise(model.solid, model.shade, camera, size, SHADOW_DARKNESS)
