"""`twin show`, `twin movie` and `twin scene` on a city and on runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenarios import cli
from scenarios.runs import open_run
from scenarios.viewing import open_view, size_of
from scenarios.views import Choice, View, recorded_seeds, street_line
from twin import times
from twin.errors import InputError
from viz.palette import rgb
from viz.scene.vehicles import DRIVES, STANDS
from viz.scene.works import EDGE

TIME = "12:05"


def quiet(_: str) -> None:
    return


def view(folder: Path, **choice: object) -> View:
    return open_view(str(folder), Choice(size=(640, 360), **choice), quiet)


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def share_of(path: Path, colour: str, within: int = 40) -> float:
    with Image.open(path) as image:
        away = np.abs(np.asarray(image.convert("RGB"), int) - rgb(colour).astype(int))
    return float((away.max(axis=2) <= within).mean())


def test_a_folder_of_runs_shows_what_the_first_alternative_changes(ran_once: Path) -> None:
    found = view(ran_once)
    assert len(found.panels) == 1
    assert found.scale is not None
    assert found.scale.diverging
    assert found.layer is not None
    from scenarios.compare import compare

    runs = [ran_once / "base", found.panels[0].run.folder]
    streets = compare(runs).streets.set_index("street")
    shown = found.panels[0].values.dropna()
    column = streets[f"diff_{found.layer.name}"]
    assert (shown == column.loc[shown.index]).all()
    assert (streets.loc[shown.index, f"q_{found.layer.name}"] <= 0.05).all()


def test_a_time_shows_vehicles_of_both_in_one_camera(ran_once: Path) -> None:
    found = view(ran_once, time_s=times.moment(TIME))
    assert [p.label for p in found.panels] == [
        open_run(ran_once / "base").title, found.panels[1].run.title
    ]  # fmt: skip
    assert found.layer is None
    fleets = [found.fleet(p.run, found.choice.time_s) for p in found.panels]
    for panel, fleet in zip(found.panels, fleets, strict=True):
        trips = pd.read_parquet(panel.run.replication(panel.run.seeds[0]) / "trips.parquet")
        away = trips["arrival_s"].fillna(np.inf) > found.choice.time_s
        assert len(fleet) == int((away & (trips["depart_s"] <= found.choice.time_s)).sum())
    assert found.panel_size == (320, 360)


def test_beside_each_other_one_scale_holds_for_both(ran_once: Path) -> None:
    found = view(ran_once, mode="beside", layer="load")
    every = pd.concat([p.values for p in found.panels])
    assert found.scale.low == 0.0
    assert not found.scale.diverging
    assert every.quantile(0.98) <= found.scale.high
    assert found.caption(None).labels == tuple(p.label for p in found.panels)


def test_a_street_is_seen_from_near(ran_once: Path) -> None:
    found = view(ran_once, street="Mannerheimintie", mode="alone", layer="load")
    assert found.near
    assert found.camera.distance_m < 600.0
    values = found.drawn(found.panels[0], None).parts["values"].mesh
    assert np.ptp(values.points[:, 2]) == 0.0


def test_pictures_from_the_command_line(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.png"
    code, told, _ = call(capsys, "show", ran_once, "--at", TIME, "-o", out, "--size", "640x360",
                         "--lang", "de")  # fmt: skip
    assert code == 0
    assert "Picture: " in told
    with Image.open(out) as image:
        assert image.size == (640, 360)
    assert share_of(out, DRIVES) > 0.0002
    assert share_of(out, STANDS) > 0.0002


def test_films_from_the_command_line(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import imageio_ffmpeg

    tour = tmp_path / "tour.yaml"
    tour.write_text(
        "stops:\n- {title: All}\n- {title: Near, street: Mannerheimintie}\n"
        "- {title: There, camera: {x: 385900, y: 6672300, distance_m: 300, heading_deg: 90}}\n"
    )
    short = ["--seconds", "0.4", "--fps", "5", "--size", "320x180"]
    for more in (["--at", TIME], ["--compare", "difference", "--path", "still"],
                 ["--path", "street", "--street", "Mannerheimintie", "--at", TIME],
                 ["--path", "tour", "--tour", tour, "--compare", "alone"]):  # fmt: skip
        out = tmp_path / "a.mp4"
        code, told, err = call(capsys, "movie", ran_once, "-o", out, *short, *more)
        assert code == 0, err
        assert "Film: " in told
        read = subprocess.run(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", out, "-f", "rawvideo",
             "-pix_fmt", "rgb24", "-"], capture_output=True, check=True,
        )  # fmt: skip
        assert len(read.stdout) == 2 * 320 * 180 * 3
        assert np.frombuffer(read.stdout, np.uint8).std() > 10.0
        out.unlink()


def test_a_scene_from_the_command_line(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import trimesh

    out = tmp_path / "a.glb"
    code, _, _ = call(capsys, "scene", ran_once, "--at", TIME, "--layer", "load", "-o", out)
    assert code == 0
    found = trimesh.load(out)
    assert {"roads", "buildings", "vehicles", "values", "bars"} <= set(found.geometry)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layer", "nothing"], "--layer nothing: is unknown; there are delay_h"),
        (["--layer", "pci_end"], "has no table 'road_streets'"),
        (["--alternative", "other"], "--alternative other:"),
        (["--at", "25h"], "--at '25h' is no time of day"),
        (["--at", "07:05:99"], "is no time of day"),
        (["--at", "07:05"], "simulates 11:55 to 12:10"),
        (["--street", "Nowhere"], "is not in the city"),
        (["--size", "huge"], "--size huge: is no size"),
        (["--size", "9000x9000"], "from 160x120 to 3840x2160"),
        (["--layer", "none", "--compare", "difference"], "a difference needs a layer"),
        (["--at", "12:10:01"], "--at 12:10:01: "),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(
    arguments: list[str], words: str, ran_once: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    code, _, err = call(capsys, "show", ran_once, "-o", tmp_path / "a.png", *arguments)
    assert code == 1
    assert words in " ".join(err.split())
    assert not (tmp_path / "a.png").exists()


def test_choices_of_a_picture_need_its_file(
    ran_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "show", ran_once, "--at", TIME)
    assert code == 1
    assert "--at" in err
    assert "add -o FILE" in " ".join(err.split())
    assert not out


def test_films_that_cannot_be_made_are_told_in_one_line(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, words in (
        (["--path", "street"], "--path street: which one?"),
        (["--path", "tour"], "--path tour: which one?"),
        (["--path", "tour", "--tour", tmp_path / "no.yaml"], "cannot be read"),
        (["--size", "321x181"], "even numbers"),
        (["--at", "12:09", "--speed", "60"], "a film that runs to 12:29:"),
    ):
        code, _, err = call(capsys, "movie", ran_once, "-o", tmp_path / "a.mp4", *more)
        assert code == 1
        assert words in " ".join(err.split())
    code, _, err = call(capsys, "movie", ran_once, "-o", tmp_path / "a.avi", "--seconds", "0.2")
    assert "films are written as .mp4" in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_a_city_takes_no_choices_of_runs(
    city_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.png"
    code, _, err = call(capsys, "show", city_folder, "--layer", "load", "-o", out)
    assert code == 1
    assert "is a city, not a run" in err
    code, _, _ = call(capsys, "show", city_folder, "--at", "08:00", "-o", out, "--size", "320x180")
    assert code == 0
    assert out.is_file()


def test_a_run_without_movements_is_shown_and_said(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(ran / "base")
    assert recorded_seeds(run) == [run.seeds[0]]
    (run.replication(run.seeds[0]) / "passages.parquet").unlink()
    assert recorded_seeds(run) == []
    out = tmp_path / "a.png"
    code, told, _ = call(capsys, "show", ran / "base", "--at", TIME, "-o", out, "--size", "320x180")
    assert code == 0
    assert out.is_file()
    assert "keeps no movements of vehicles" in " ".join(told.split())


def test_streets_of_a_measure_are_marked(ran_once: Path) -> None:
    found = view(ran_once, mode="alone", alternative="slow", layer="load")
    touched, closed = found._streets(found.panels[0].run)
    names = set(found.city.streets["name"].iloc[touched])
    assert names == {"Unioninkatu"}
    assert not len(closed)
    drawn = found.drawn(found.panels[0], None)
    assert "edges" in drawn.parts
    assert "touched" not in drawn.parts  # tape is for closed streets
    assert {tuple(c) for c in drawn.parts["edges"].mesh.colours.tolist()} == {
        tuple(rgb(EDGE).tolist())
    }  # fmt: skip


def test_a_street_is_seen_over_the_houses(ran_once: Path) -> None:
    from viz.standpoint import _Sight

    for name in ("Unioninkatu", "Fabianinkatu", "Pohjoisesplanadi"):
        found = view(ran_once, street=name, mode="alone")
        line = street_line(found.city, name)
        (line,) = found.scene.ground.moved([line])
        xy = np.array([line.interpolate(line.length / 2 + m).coords[0] for m in (-40, 0, 40)])
        assert _Sight(found.city, found.scene.ground).share(xy, found.camera) == 1.0


def test_trips_without_a_way_are_told_in_the_picture(ran: Path) -> None:
    for folder in (ran / "slow").glob("seed-*"):
        path = folder / "indicators.parquet"
        table = pd.read_parquet(path)
        table.loc[table["indicator"] == "cut_off", "value"] = 290.0
        table.to_parquet(path)
    assert "290 of" in view(ran).warning
    assert "290 of" in view(ran, mode="beside").caption(None).warning
    assert view(ran, mode="alone").warning == ""


def test_bookmarks_say_what_a_film_shows(ran_once: Path, tmp_path: Path) -> None:
    from scenarios.filming import takes

    path = tmp_path / "tour.yaml"
    path.write_text(
        "stops:\n- {title: A, mode: a, layer: load, text: {en: Hello, de: Hallo}}\n"
        "- {title: B, mode: swipe, time: '12:04', play: true, street: Unioninkatu}\n"
        "- {title: C, mode: difference, layer: delay_h, alternative: idle}\n"
    )
    first = view(ran_once)
    found = takes(first, "tour", path, lambda c: open_view(str(ran_once), c, quiet))
    a, b, c = (take.view for take in found)
    assert [len(v.panels) for v in (a, b, c)] == [1, 2, 1]
    assert (a.layer.name, found[0].speech, a.panels[0].run.name) == ("load", "Hello", "base")
    assert (b.choice.time_s, b.near, found[1].runs) == (43440.0, True, True)
    assert c.panels[0].run.name == "idle"
    assert c.layer.name == "delay_h"
    end = found[1].flight(1.0)
    assert end.focal[:2] == pytest.approx(b.street_camera("Unioninkatu").focal[:2])


def test_what_a_bookmark_leaves_open_is_as_on_the_page(ran_once: Path, tmp_path: Path) -> None:
    from scenarios.filming import check_times, takes
    from scenarios.tour_file import read_tour

    path = tmp_path / "tour.yaml"
    path.write_text(
        "stops:\n- {title: {en: One, de: Eins}, mode: difference, layer: delay_h, alternative: idle}\n"
        "- {title: Two}\n- {title: Three, layer: none}\n"
        "- {title: Four, mode: difference, layer: none}\n- {title: Five, mode: b, play: true}\n"
    )
    first = view(ran_once)
    found = takes(first, "tour", path, lambda c: open_view(str(ran_once), c, quiet))
    two, three, four, five = (take.view for take in found[1:])
    assert [take.heading for take in found] == ["One", "Two", "Three", "Four", "Five"]
    for each, layer in ((two, "load"), (three, None)):
        assert [p.run.name for p in each.panels] == ["base", "slow"]
        assert (each.layer.name if each.layer else None) == layer
        assert each.choice.time_s == times.moment("12:10")  # 15 minutes on, or the period's end
    assert (four.layer, four.scale, [p.run.name for p in four.panels]) == (None, None, ["slow"])
    assert five.choice.time_s == times.moment("12:10")
    assert [take.runs for take in found] == [False] * 4 + [True]
    check_times(found, 20.0, 60.0)  # its clock stops at the period's end, as the page's does
    assert found[4].until_s == times.moment("12:10")
    page = read_tour(path, [], ["delay_h", "load"], ["slow", "idle"])
    assert [stop["mode"] for stop in page] == ["difference", "swipe", "swipe", "difference", "b"]
    assert [stop["layer"] for stop in page] == ["delay_h", "load", "none", "none", "load"]
    assert [stop["alternative"] for stop in page] == ["idle", *["slow"] * 4]
    chosen = view(ran_once, mode="alone", layer="delay_h", time_s=times.moment(TIME))
    found = takes(chosen, "tour", path, lambda c: open_view(str(ran_once), c, quiet))
    two = found[1].view  # what is chosen for the film holds
    assert (two.layer.name, two.choice.time_s) == ("delay_h", times.moment(TIME))
    assert [p.run.name for p in two.panels] == ["base"]


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ("{title: a, time: '11:00'}", "line 2: time 11:00 is outside of what was simulated, 11:55"),
        ("{title: {de: x}}", "line 2: stops.0.title.en: field required"),
        ("{title: a, text: {en: x}}", "line 2: stops.0.text.de: field required"),
        ("{title: a, layer: snow}", "line 2: layer 'snow'"),
        ("{title: a, alternative: base}", "line 2: alternative 'base'"),
    ],
)
def test_page_and_film_refuse_the_same_tours(
    stop: str, words: str, ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tour = tmp_path / "tour.yaml"
    tour.write_text(f"stops:\n- {stop}\n")
    for command in (
        ["movie", ran_once, "-o", tmp_path / "a.mp4", "--path", "tour", "--tour", tour],
        ["present", ran_once, "-o", tmp_path / "a.html", "--tour", tour],
    ):
        code, _, err = call(capsys, *command)
        assert code == 1
        assert words in " ".join(err.split())
        assert "\n" not in err.strip()
    assert [p.name for p in tmp_path.iterdir()] == ["tour.yaml"]


def test_a_difference_without_any_clear_street_says_so(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scenarios.viewing import NOTHING
    from viz.caption import _height
    from viz.language import language

    with language("de"):
        found = view(ran_once, alternative="idle", mode="difference")
        caption = found.caption(None)
    assert found.layer.name == "load"
    assert found.scale is None
    assert "values" not in found.drawn(found.panels[0], None).parts
    assert (caption.says, caption.scale) == (NOTHING["de"], None)
    assert caption.legend.startswith("Änderung: ")
    assert _height(caption) > _height(view(ran_once, layer="none", mode="alone").caption(None))
    out = tmp_path / "a.png"
    _, told, _ = call(capsys, "show", ran_once, "--alternative", "idle", "--lang", "de", "-o", out,
                      "--size", "320x180")  # fmt: skip
    assert NOTHING["de"] in " ".join(told.split())


def test_ends_of_a_legend_say_where_values_lie_beyond(ran_once: Path) -> None:
    from viz.palette import Scale

    found = view(ran_once, mode="alone", layer="load")
    top = float(found.panels[0].values.max())
    for high, beyond in ((0.5 * top, (False, True)), (2.0 * top, (False, False))):
        found.scale = Scale(0.0, high)
        assert found.caption(None).beyond == beyond
    found.scale = Scale(-1.0, 1.0, diverging=True)
    found.panels[0].values.iloc[0] = -2.0
    assert found.caption(None).beyond == (True, True)


def test_pictures_and_scenes_of_a_wrong_name_are_refused_before_they_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, name, words in (
        ("show", "a.gif", "written as .png or .jpg"),
        ("show", "a", "written as .png or .jpg"),
        ("scene", "a.obj", "written as .glb"),
    ):
        code, _, err = call(capsys, command, tmp_path / "no city", "-o", tmp_path / name)
        assert code == 1
        assert words in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_a_scene_says_which_of_two_runs_it_holds(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.glb"
    code, told, _ = call(capsys, "scene", ran_once, "--compare", "beside", "-o", out)
    assert code == 0
    slow = open_run(ran_once / "slow").title
    assert f"The file holds one run: {slow};" in " ".join(told.split())


def test_a_film_that_ends_too_late_is_told_before_anything_else(
    ran_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, err = call(capsys, "movie", ran_once, "--at", "12:09", "-o", tmp_path / "a.mp4")
    assert code == 1
    assert told == ""
    assert len(err.strip().splitlines()) == 1
    assert "a film that runs to 12:14" in err


def test_a_scene_knows_its_run_layer_unit_and_limits(ran_once: Path) -> None:
    found = view(ran_once, alternative="slow", layer="delay_h", mode="difference")
    said = found.extras()
    slow = open_run(ran_once / "slow").title
    assert (said["run"], said["layer"], said["unit"]) == (slow, "delay_h", "veh·h")
    assert said["layer_title"] == "change: Delay"
    if found.scale is not None:
        assert said["limits"] == [-found.scale.high, found.scale.high]
    assert view(ran_once, layer="none", mode="alone").extras() == {
        "run": open_run(ran_once / "base").title
    }


def test_the_docs_name_every_layer() -> None:
    from twin.system import layers

    text = (Path(__file__).parents[2] / "docs" / "pictures.md").read_text()
    for name, layer in layers().items():
        if layer.table in {"streets", "queues", "road_streets"}:
            assert f"`{name}`" in text


def test_sizes_and_times_are_read() -> None:
    assert size_of("4k") == (3840, 2160)
    assert size_of("1280×720") == (1280, 720)
    assert times.moment("07:45") == 27900.0
    assert times.moment("26:45:30") == 96330.0
    for wrong in ("7.45", "07:60", "07:45:60", "07:45:", "7", ""):
        with pytest.raises(ValueError, match="no time of day"):
            times.moment(wrong)


def test_an_unfinished_run_is_told(ran: Path) -> None:
    for folder in ran.glob("*/seed-*"):
        shutil.rmtree(folder)
    with pytest.raises(InputError, match="no replication is complete yet"):
        view(ran)
