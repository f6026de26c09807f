"""A page without the built viewer: the city by the viewer that PyVista's packages carry."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from twin.errors import OutputError
from viz.mesh import Mesh
from viz.scene.scene import ORDER

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City
    from viz.scene.scene import Scene

SIZE = (1280, 720)
FRAME = (0.0, 0.02, 1.0, 0.98)  # of the picture, that the city fills
STEP = 0.0003  # of the city's width, between what lies on the ground
ICONS = "https://kitware.github.io/vtk-js/icon/favicon-"  # which the viewer would ask for
FOOT = (
    "position:fixed;z-index:9;left:12px;bottom:12px;margin:0;padding:8px 14px;border-radius:8px;"
    "background:#fff;color:#16191f;font:15px system-ui,sans-serif"
)
MISSING = (
    "the viewer has not been built and PyVista's is not there: run 'make web' where Node is, "
    "or pip install trame-pyvista trame-vtk trame-vuetify"
)


def export(city: City, path: Path, title: str, lang: str) -> Path:
    """Write the city as one HTML file.

    Raises
    ------
    OutputError
        If PyVista's packages, or OpenGL, are missing, or the file cannot be written.
    """
    from twin.city.store import replacing_file
    from viz.picture import attribution, overview
    from viz.render import Stage
    from viz.scene.scene import city_scene

    stage = Stage(_apart(city_scene(city)), SIZE)
    stage.look(overview(city, SIZE, FRAME))
    try:
        viewer = getattr(stage.plotter, "trame", None)
        if viewer is None:
            raise OutputError(MISSING)
        text = viewer.export_html(None).getvalue()
    except ImportError:
        raise OutputError(MISSING) from None
    finally:
        stage.plotter.close()
    words = f"<strong>{html.escape(title)}</strong> · {html.escape(attribution(city))}"
    foot = f'<p style="{FOOT}">{words}</p></body>'
    text = text.replace(ICONS, "data:,").replace('<html lang="en">', f'<html lang="{lang}">')
    text = re.sub(
        r"<title>.*?</title>", lambda _: f"<title>{html.escape(title)}</title>", text, count=1
    )
    with replacing_file(path) as part:
        part.write_text(foot.join(text.rsplit("</body>", 1)), encoding="utf-8")
    return path


def _apart(scene: Scene) -> Scene:
    """Return the scene with a little room between what lies on the ground, one above the other.

    The viewer does not know the order in which PyVista draws coincident faces.
    """
    step = float(np.ptp(scene.hold[:, 0])) * STEP
    for k, name in enumerate(ORDER):
        part = scene.parts.get(name)
        if part is not None and k:
            up = Mesh(
                np.add(part.mesh.points, (0.0, 0.0, k * step)), part.mesh.faces, part.mesh.colours
            )
            scene = scene.with_part(name, replace(part, mesh=up))
    return scene
