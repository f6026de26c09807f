"""The picture of a city: by OpenGL where there is one, and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from twin.errors import OutputError
from viz import gl, scene
from viz.model import GREEN, GROUND
from viz.palette import Scale, rgb

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City

SIZE = (960, 540)


@pytest.fixture(scope="module")
def load(helsinki: City) -> pd.Series:
    rng = np.random.default_rng(5)
    return pd.Series(rng.gamma(0.8, 150.0, len(helsinki.streets)))


@pytest.fixture
def without_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "opengl_available", lambda: (False, "no OpenGL: for this test"))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def share_of(picture: np.ndarray, colour: np.ndarray, within: int = 14) -> float:
    return float((np.abs(picture - colour.astype(int)).max(axis=2) <= within).mean())


@pytest.mark.usefixtures("without_opengl")
def test_without_opengl_the_picture_is_drawn_all_the_same(
    helsinki: City, load: pd.Series, tmp_path: Path
) -> None:
    path = scene.save_picture(helsinki, tmp_path / "a.png", values=load, unit="veh/h", size=SIZE)
    picture = pixels(path)
    assert picture.shape == (540, 960, 3)
    assert share_of(picture, rgb(GROUND)) > 0.05
    assert share_of(picture, rgb(GREEN)) > 0.02
    assert share_of(picture, np.array([245, 242, 236])) > 0.05  # roofs
    heavy = Scale.of(load).rgb([load.quantile(0.9)])[0]
    assert share_of(picture, heavy, 30) > 0.0005


def test_opengl_and_the_rasteriser_see_the_same(
    helsinki: City, load: pd.Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    available, text = gl.opengl_available()
    if not available:
        pytest.skip(text)
    pytest.importorskip("pyvista")
    a = pixels(scene.save_picture(helsinki, tmp_path / "a.png", values=load, size=SIZE))
    monkeypatch.setattr(scene, "opengl_available", lambda: (False, "for this test"))
    b = pixels(scene.save_picture(helsinki, tmp_path / "b.png", values=load, size=SIZE))
    apart = np.abs(a - b).max(axis=2)
    assert apart.mean() < 2.0
    assert (apart > 30).mean() < 0.01


def test_a_scene_to_turn_has_the_city_and_a_legend(helsinki: City, load: pd.Series) -> None:
    available, text = gl.opengl_available()
    if not available:
        pytest.skip(text)
    plotter = scene.city_scene(helsinki, load=load, title="Load", unit="veh/h", size=(320, 200))
    try:
        assert plotter.mesh is not None
        assert list(plotter.scalar_bars.keys()) == ["Load [veh/h]"]
        image = plotter.screenshot(None, return_img=True)
        assert image.shape[:2] == (200, 320)
        assert image.std() > 10.0
    finally:
        plotter.close()


@pytest.mark.usefixtures("without_opengl")
def test_a_scene_without_opengl_is_refused_in_one_line(helsinki: City) -> None:
    with pytest.raises(OutputError) as refused:
        scene.city_scene(helsinki)
    assert "\n" not in str(refused.value)


def test_a_window_that_cannot_open_is_told_in_one_line_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(gl.VARIABLE, "vtkNoSuchRenderWindow")
    gl._probe.cache_clear()
    try:
        available, text = gl.opengl_available()
    finally:
        gl._probe.cache_clear()
    assert not available
    assert "\n" not in text
    assert "vtkNoSuchRenderWindow" in text


@pytest.mark.usefixtures("without_opengl")
def test_a_picture_that_cannot_be_written_is_told(helsinki: City, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the picture"):
        scene.save_picture(helsinki, tmp_path / "file" / "a.png", size=(64, 36))
    with pytest.raises(OutputError, match="cannot write the picture"):
        scene.save_picture(helsinki, tmp_path / "a.nonsense", size=(64, 36))
