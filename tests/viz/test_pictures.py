"""Pictures against goldens by structure, and what they must show; films and glTF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from tests.viz import goldens
from twin.errors import OutputError
from viz import flight, gl, picture
from viz.camera import fitted, looking
from viz.caption import Caption, Overlay
from viz.film import write_film
from viz.gltf import write_gltf
from viz.palette import Scale, rgb
from viz.picture import Panel, save_picture
from viz.render import Stage
from viz.scene.ground import GREEN, GROUND
from viz.scene.lights import COLOURS
from viz.scene.scene import Part, city_scene, magnified, signal_part
from viz.scene.vehicles import DRIVES, STANDS, fleet_at

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City

ALIKE = 0.93  # structural similarity (Wang et al., 2004) of the same picture by another renderer


@pytest.fixture(params=["opengl", "rasteriser"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By OpenGL, where there is one, and without."""
    available, text = gl.opengl_available()
    if request.param == "rasteriser":
        monkeypatch.setattr(picture, "opengl_available", lambda: (False, "no OpenGL: a test"))
    elif not available:
        pytest.skip(text)
    return request.param


def likeness(a: Image.Image, b: Image.Image) -> float:
    pair = [np.asarray(i.convert("RGB")) for i in (a, b)]
    return float(structural_similarity(*pair, channel_axis=2))


def share_of(shown: Image.Image, colour: str, within: int = 14) -> float:
    away = np.abs(np.asarray(shown.convert("RGB"), int) - rgb(colour).astype(int))
    return float((away.max(axis=2) <= within).mean())


@pytest.mark.parametrize("name", goldens.PICTURES)
def test_pictures_are_like_their_goldens(name: str, renderer: str) -> None:
    with Image.open(goldens.FOLDER / f"{name}.png") as known:
        made = goldens.PICTURES[name]()
        assert made.size == known.size == goldens.SIZE
        assert likeness(made, known) > ALIKE, f"{name} by {renderer}"
        other = next(n for n in goldens.PICTURES if n != name)
        with Image.open(goldens.FOLDER / f"{other}.png") as another:
            assert likeness(made, another) < ALIKE  # else the comparison says nothing


@pytest.mark.usefixtures("renderer")
def test_colours_are_where_they_belong() -> None:
    whole, near = goldens.whole(), goldens.near()
    assert share_of(whole, GROUND) > 0.05
    assert share_of(whole, GREEN) > 0.015
    assert share_of(whole, "#f5f2ec") > 0.05  # roofs
    heavy = Scale.of(goldens.values(goldens.helsinki())).hex([700.0])[0]
    assert share_of(whole, heavy, 30) > 0.001
    assert share_of(near, STANDS, 40) > 0.0005
    assert share_of(near, DRIVES, 40) > 0.0005
    assert share_of(near, "#f5c400", 40) > 0.0003  # stripes of the closed street
    assert share_of(near, COLOURS["green"], 50) > 0.00005


def test_no_flicker_where_faces_lie_on_each_other() -> None:
    """A street seen again from a hand's breadth aside is the same street, not speckled ground."""
    available, text = gl.opengl_available()
    if not available:
        pytest.skip(text)
    scene = goldens.near_scene()
    stage = Stage(scene, goldens.SIZE)
    try:
        for distance in (150.0, 600.0, 2500.0):
            frames = []
            for shift in (0.0, 0.1):
                focal = (shift, 0.0, 0.0)
                stage.look(looking(focal, distance, 20.0, 35.0, goldens.SIZE))
                frames.append(Image.fromarray(stage.frame()))
            assert likeness(*frames) > 0.9
    finally:
        stage.close()


def test_vehicles_stand_on_their_lanes_as_recorded() -> None:
    city, scene = goldens.helsinki(), goldens.near_scene()
    ways, kinds = goldens.recorded()
    where = ways.at(goldens.TIME_S)
    fleet = fleet_at(where, kinds, scene.lanes, scene.movements, scene.ground)
    assert len(fleet) == len(where.vehicle) > 100
    assert 0.1 < fleet.stands.mean() < 0.9
    import shapely

    on = where.lane >= 0
    lines = scene.ground.moved(city.lanes.geometry.to_numpy())[where.lane[on]]
    away = shapely.distance(lines, shapely.points(fleet.points[on][:, :2]))
    assert away.max() < 0.01


def test_one_picture_of_a_city_says_what_it_shows(helsinki: City, tmp_path: Path) -> None:
    path = save_picture(helsinki, tmp_path / "a.png", title="Title", size=(320, 180))
    with Image.open(path) as image:
        assert image.size == (320, 180)
    with pytest.raises(OutputError, match=r"written as \.png or \.jpg"):
        save_picture(helsinki, tmp_path / "a.nonsense", size=(64, 36))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"a\.png: cannot be written"):
        save_picture(helsinki, tmp_path / "file" / "a.png", size=(64, 36))


def test_words_of_a_film_stay_while_clock_and_north_move() -> None:
    size = (640, 360)
    words = Overlay.of(size, Caption("Title", "Sub", keys=((DRIVES, "drives"),)))
    hold = np.array([(-50, -50, 0), (50, 50, 10.0)])
    blank = np.full((size[1], size[0], 3), 120, np.uint8)
    first = words.on(blank, looking((0, 0, 0), 100.0, 0.0, 40.0, size), hold, "08:00:00")
    second = words.on(blank, looking((0, 0, 0), 100.0, 90.0, 40.0, size), hold, "08:00:10")
    changed = np.abs(first.astype(int) - second).max(axis=2) > 0
    assert not changed[:, :160].any()  # title and legend
    assert changed[:60, 420:560].any()  # clock
    assert changed[:60, 560:].any()  # compass
    assert not changed[60:300].any()


def test_an_orbit_keeps_everything_in_the_picture() -> None:
    hold = np.array([(x, y, z) for x in (-900, 900) for y in (-300, 300) for z in (-20, 60)], float)
    frame = (0.05, 0.1, 0.95, 0.9)
    start = fitted(hold, (1280, 720), frame)
    around = flight.orbit(start, hold, frame, 360.0)
    nearest = 0.0
    for share in np.linspace(0.0, 1.0, 25):
        seen = np.abs(around(share).project(hold)[:, :2]).max(axis=0)
        assert seen[0] <= 0.9 + 1e-3
        assert seen[1] <= 0.8 + 1e-3
        nearest = max(nearest, seen[0] / 0.9, seen[1] / 0.8)
    assert nearest == pytest.approx(1.0, abs=0.01)  # and no further away than it must


def test_a_flight_along_a_street_looks_ahead_and_ends_at_its_end() -> None:
    line = np.array([(0.0, 0.0), (500.0, 0.0), (500.0, 400.0)])
    way = flight.along(line, lambda xy: np.zeros(len(xy)), (1280, 720))
    assert way(0.0).focal[:2] == pytest.approx((11.25, 0.0), abs=15)
    middle = way(0.3)
    assert middle.azimuth_deg == pytest.approx(-90.0, abs=3)  # from the west, looking east
    assert way(1.0).focal[0] == pytest.approx(500.0, abs=1)
    assert way(1.0).focal[1] == pytest.approx(388.0, abs=15)


def test_a_tour_rests_at_its_bookmarks_and_rises_between_them() -> None:
    a = flight.View((0.0, 0.0, 0.0), 200.0, 0.0, 40.0, 30.0)
    b = flight.View((3000.0, 0.0, 0.0), 400.0, 350.0, 50.0, 30.0)
    way = flight.tour([a, b], (1280, 720))
    assert way(0.0).focal == way(0.15).focal == a.focal
    assert way(1.0).focal == way(0.9).focal == b.focal
    assert way(0.5).distance_m > 900.0
    assert way(0.5).azimuth_deg == pytest.approx(-5.0)  # the short way around


def test_a_film_is_a_file_that_plays(tmp_path: Path) -> None:
    import subprocess

    import imageio_ffmpeg

    size = (320, 180)
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = (np.full((180, 320, 3), colours[k // 5], np.uint8) for k in range(15))
    path = write_film(tmp_path / "sub" / "a.mp4", frames, size, fps=5)
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    told = subprocess.run([ffmpeg, "-i", path], capture_output=True, text=True, check=False).stderr
    assert "Video: h264" in told
    assert "320x180" in told
    assert "Duration: 00:00:03.00" in told
    raw = subprocess.run(
        [ffmpeg, "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    seen = np.frombuffer(raw, np.uint8).reshape(15, 180, 320, 3)[:, 90, 160].astype(int)
    for k in (2, 7, 12):
        assert np.abs(seen[k] - colours[k // 5]).max() < 12
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_a_film_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def frames() -> object:
        yield np.zeros((90, 160, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / "a.mp4", frames(), (160, 90))
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="even numbers"):
        write_film(tmp_path / "a.mp4", [], (161, 90))
    with pytest.raises(OutputError, match=r"\.mp4"):
        write_film(tmp_path / "a.avi", [], (160, 90))


def test_gltf_opens_elsewhere_with_the_same_city(helsinki: City, tmp_path: Path) -> None:
    import trimesh

    scene = city_scene(helsinki)
    red = np.tile(rgb(COLOURS["red"]), (len(scene.bars.signal), 1))
    panel = Panel(parts={"bars": signal_part(scene, red)})
    path = write_gltf(scene, panel, helsinki, tmp_path / "a.glb")
    found = trimesh.load(path)
    assert {"ground", "roads", "buildings", "trees", "bars"} <= set(found.geometry)
    assert "buildings from afar" not in found.geometry
    buildings = found.geometry["buildings"]
    own = scene.parts["buildings"].mesh
    assert len(buildings.faces) == len(own)
    low, high = buildings.bounds
    assert high[1] == pytest.approx(own.points[:, 2].max(), abs=0.01)  # y is up
    assert low[0] == pytest.approx(own.points[:, 0].min(), abs=0.01)
    assert -high[2] == pytest.approx(own.points[:, 1].min(), abs=0.01)  # z is south
    assert found.metadata["attribution"] == "© OpenStreetMap contributors"
    assert len(found.metadata["origin"]) == 3
    with pytest.raises(OutputError, match=r"\.glb"):
        write_gltf(scene, panel, helsinki, tmp_path / "a.obj")


def test_from_afar_vehicles_are_drawn_larger_and_markings_not_at_all(helsinki: City) -> None:
    assert magnified(0.1) == 1.0
    assert magnified(10.0) == pytest.approx(13.3, abs=0.1)
    available, text = gl.opengl_available()
    if not available:
        pytest.skip(text)
    stage = Stage(city_scene(helsinki), (160, 90))
    try:
        stage.look(looking((0, 0, 0), 100.0, 0.0, 40.0, (160, 90)))
        assert stage._actors["markings"].GetVisibility()
        assert stage._actors["buildings"].GetVisibility()
        stage.look(looking((0, 0, 0), 9000.0, 0.0, 40.0, (160, 90)))
        assert not stage._actors["markings"].GetVisibility()
        assert not stage._actors["buildings"].GetVisibility()
        assert stage._actors["buildings from afar"].GetVisibility()
    finally:
        stage.close()


def test_without_opengl_a_stage_is_refused_in_one_line(
    helsinki: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(gl.VARIABLE, "vtkNoSuchRenderWindow")
    gl._probe.cache_clear()
    try:
        available, text = gl.opengl_available()
        assert not available
        assert "\n" not in text
        assert "vtkNoSuchRenderWindow" in text
        with pytest.raises(OutputError) as refused:
            Stage(city_scene(helsinki), (64, 36))
        assert "\n" not in str(refused.value)
    finally:
        gl._probe.cache_clear()


def test_parts_can_be_replaced_and_taken_away(helsinki: City) -> None:
    available, text = gl.opengl_available()
    if not available:
        pytest.skip(text)
    scene = city_scene(helsinki)
    stage = Stage(scene, (160, 90))
    try:
        stage.look(looking((0, 0, 0), 1500.0, 0.0, 60.0, (160, 90)))
        before = stage.frame()
        ground = scene.parts["ground"].mesh
        other = Part(type(ground)(ground.points, ground.faces, np.full_like(ground.colours, 10)))
        stage.put("ground", other)
        assert np.abs(stage.frame().astype(int) - before).mean() > 10
        stage.put("ground", scene.parts["ground"])
        assert (stage.frame() == before).all()
        stage.drop("ground")
        assert not (stage.frame() == before).all()
    finally:
        stage.close()
