"""`twin present`: what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scenarios.presenting import present
from scenarios.runs import open_run
from scenarios.tour_file import read_tour
from twin.errors import InputError, OutputError
from viz.presentation import page

if TYPE_CHECKING:
    from twin.city import City

pytestmark = pytest.mark.skipif(
    page.bundle() is None, reason="the viewer has not been built: make web"
)


def test_every_layer_of_the_registry_that_the_runs_have_is_shown(shown, ran_once):
    from twin.system import layers

    text = shown.read_text().split('id="twin-header">')[1].split("</script>")[0]
    header = json.loads(text)
    folder = open_run(ran_once / "base").replication(1)
    there = [k for k, v in layers().items() if (folder / f"{v.table}.parquet").is_file()]
    assert len(there) >= 5
    assert [layer["name"] for layer in header["layers"]] == there
    assert [run["name"] for run in header["runs"]] == ["base", "slow", "idle"]
    assert all(run["vehicles"] > 50 for run in header["runs"])


def test_runs_without_traffic_show_what_they_have(ran, tmp_path):
    for table in ("streets", "passages", "lights"):
        for file in ran.glob(f"*/seed-*/{table}.parquet"):
            file.unlink()
    text = present([ran], tmp_path / "a.html").read_text()
    header = json.loads(text.split('id="twin-header">')[1].split("</script>")[0])
    assert [layer["name"] for layer in header["layers"]] == ["queue"]
    assert header["time"] is None
    assert header["my"] == ["layer.queue"]
    assert [stop["mode"] for stop in header["tour"]] == ["swipe", "difference", "difference"]


def header_of(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text().split('id="twin-header">')[1].split("</script>")[0])
    assert isinstance(found, dict)
    return found


def test_results_are_those_of_the_comparison(shown, ran_once):
    from scenarios.compare import compare
    from scenarios.report_words import records, table_row

    table = compare(ran_once).table
    header = header_of(shown)
    for name, told in header["results"]["runs"].items():
        of = records(table[(table["alternative"] == name) & table["key"] & ~table["identical"]])
        assert len(told["en"]["rows"]) == len(told["de"]["rows"]) == len(of)
        for row, wanted in zip(told["en"]["rows"], map(table_row, of), strict=True):
            if wanted["low"] == wanted["high"]:
                wanted["interval"] = "–"
            assert row == {k: wanted[k] for k in row}
    assert set(header["results"]["runs"]) == {"slow", "idle"}
    last = header["tour"][-2]
    first = header["results"]["runs"]["slow"]["de"]["rows"][0]
    assert last["alternative"] == "slow"
    assert (
        f"{first['title']}: {first['base']} ohne, {first['mean']}" in last["text"]["de"]
    )
    assert first["difference"] in last["text"]["de"]


def test_trips_without_a_way_and_what_is_not_resolved_are_told(ran_once):
    from dataclasses import replace

    from scenarios.compare import compare
    from scenarios.present_results import results, told

    comparison = compare(ran_once)
    table = comparison.table.copy()
    slow = table["alternative"] == "slow"
    cut = slow & (table["indicator"] == "cut_off")
    table.loc[cut, ["mean", "difference", "ci_low", "ci_high"]] = [290.0, 290.0, 254.0, 297.0]
    table.loc[cut, "identical"] = False
    delay = slow & (table["indicator"] == "delay_per_trip_s")
    table.loc[delay, "equilibrium_error"] = 1e6
    changed = replace(comparison, table=table)
    found = results(changed)
    assert found["lost"] == {"slow": [0.0, 290.0]}
    assert "290" in found["notes"]["en"][0]
    row = next(r for r in found["runs"]["slow"]["en"]["rows"] if r["title"] == "Delay per trip")
    assert row["verdict"].startswith("not resolved")
    assert "Verlustzeit je Fahrt" in found["runs"]["slow"]["de"]["unresolved"]
    said = told(changed, "slow")["en"]
    assert said[0].startswith("Trips that are cut off, without any way: 0 without, 290 veh with it")
    assert "not resolved" in said[1]
    assert not results(comparison)["lost"]


def test_means_of_counts_are_stored_exactly():
    from scenarios.present_values import _step
    from viz.presentation.pack import Pack

    for days in (3, 4, 7):
        counts = np.arange(40.0).reshape(2, 20) / days
        step = _step(counts, days)
        assert np.round(counts / step) * step == pytest.approx(counts, abs=1e-12)
    rng = np.random.default_rng(1)
    values = rng.uniform(0.0, 50.0, (12, 500))
    step = _step(values, 4)
    stored = np.round(values / step) * step
    assert np.abs(stored.sum(axis=0) - values.sum(axis=0)).max() < 0.005  # two digits are shown
    pack = Pack()
    pack.add("a", values, step=step)
    assert pack.entries[0]["type"] == "int32"


def test_what_cannot_be_shown_yet_is_told_and_left_out(ran, tmp_path):
    said: list[str] = []
    for file in [
        *ran.glob("idle/seed-*/indicators.parquet"),
        *ran.glob("*/seed-*/passages.parquet"),
    ]:
        file.unlink()
    header = header_of(present([ran], tmp_path / "a.html", say=said.append))
    assert [run["name"] for run in header["runs"]] == ["base", "slow"]
    assert [run["vehicles"] for run in header["runs"]] == [0, 0]
    assert len(said) == 2
    assert "no complete replication yet" in said[0]
    assert "were not recorded" in said[1]
    with pytest.raises(OutputError, match=r"does not end in \.html"):
        present([ran], tmp_path / "y.txt")


def test_a_city_of_models_keeps_its_name_and_names_its_file(helsinki: City):
    from dataclasses import replace

    from scenarios.presenting import _title
    from viz.language import language
    from viz.picture import attribution

    source = {"what": "CityGML", "file": "EssenExample.gml.gz"}
    city = replace(
        helsinki, name="EssenExample", sources=[source], options={"builder": "buildings"}
    )
    assert _title(city, []) == "EssenExample"
    assert attribution(city) == "Source: EssenExample.gml.gz"
    with language("de"):
        assert attribution(city) == "Quelle: EssenExample.gml.gz"


def test_what_is_there_stays_unless_told(shown, ran_once, tmp_path):
    with pytest.raises(OutputError, match="--overwrite"):
        present([ran_once], shown)
    before = shown.read_bytes()
    assert shown.read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        present([ran_once], other)


def test_the_same_results_give_the_same_page(shown, ran_once, tmp_path):
    again = present([ran_once], tmp_path / "again.html")
    assert again.read_bytes() == shown.read_bytes()


def test_who_names_nothing_of_use_gets_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        present([tmp_path / "nowhere"], tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stops:\n- {title: a, mode: both}", r"line 2: stops\.0\.mode"),
        ("stops:\n- title: a\n  street: Unioninkat", "line 3: street 'Unioninkat'.*Unioninkatu"),
        ("stops:\n- title: a\n  layer: snow", "line 3: layer 'snow'"),
        ("stops:\n- title: a\n  time: '25:99'", "line 3: stops.0.time: '25:99' is no time of day"),
        ("stops:\n- title: a\n  time: '07:30:61'", "HH:MM:SS"),
        ("stops:\n- title: a\n  street: unioninkat", "did you mean 'Unioninkatu'"),
        ("stops:\n- title: a\n  camera: {x: 3000, y: 0}", "line 3: camera.*x is 0 to 900"),
        ("stops: []", "stops"),
        ("stops:\n- text: no title", "title"),
        ("stops:\n- {title: a, camera: {x: 1, y: .nan}}", "camera.y"),
        ("- just a list", "the file"),
        ("stops: [", "no valid YAML"),
        ("", "empty"),
    ],
)  # fmt: skip
def test_a_tour_that_is_wrong_is_told_by_line(tmp_path, text, told):
    file = tmp_path / "tour.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_tour(file, ["Unioninkatu"], ["load"], ["slow"], (0.0, 0.0, 900.0, 500.0))
    assert "\n" not in str(caught.value)


def test_a_tour_of_ones_own(tmp_path):
    file = tmp_path / "tour.yaml"
    file.write_text(
        "stops:\n- title: {en: Start, de: Anfang}\n  text: Welcome\n  time: 07:30:15\n"
        "  camera: {x: 386000, y: 6672000, distance_m: 400}\n  mode: swipe\n"
    )
    (stop,) = read_tour(file, [], [], [])
    assert stop["title"] == {"en": "Start", "de": "Anfang"}
    assert stop["text"] == {"en": "Welcome", "de": "Welcome"}
    assert stop["camera"]["tilt_deg"] == 45.0
    assert json.dumps(stop)
