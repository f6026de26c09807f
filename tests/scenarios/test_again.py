"""A scenario that a run keeps can be run again, wherever the first one lay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from scenarios import cli
from scenarios.export import export_run
from scenarios.loading import load_scenario
from scenarios.plan import check_scenario
from scenarios.runner import run_scenario
from scenarios.runs import open_run
from twin.city import City
from twin.errors import ScenarioError

TEXT = """\
name: Again
city: lauf
period: {day: 2026-09-15, begin: "12:00", end: "12:10", warmup_minutes: 5}
demand: {zones: mine/zones.geojson, matrices: [{file: mine/od.csv, hours: [11, 12]}]}
equilibrium: {iterations: 2}
replications: 1
agents: {trained: agent.zip}
alternatives:
  - name: slow
    measures:
      - {kind: speed, streets: {within: mine/fair.geojson}, kmh: 20}
      - {kind: event, title: Fair, within: mine/fair.geojson, visitors: 500, begin: "12:10",
         end: "13:00", car_share: 1, arrive_within_min: 10}
"""


def polygons(**bounds: tuple[float, float, float, float]) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"id": name},
            "geometry": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]},
        }
        for name, (w, s, e, n) in bounds.items()
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features})


@pytest.fixture(scope="module")
def moved(helsinki: City, city_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a scenario with city and files beside it, which then were taken away."""
    desk, elsewhere = tmp_path_factory.mktemp("desk"), tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(city_folder, desk / "lauf")
    (desk / "mine").mkdir()
    w, s, e, n = helsinki.streets.to_crs("EPSG:4326").total_bounds
    x, y = (w + e) / 2, (s + n) / 2
    zones = polygons(south=(w, s, e, y), north=(w, y, e, n))
    (desk / "mine" / "zones.geojson").write_text(zones)
    (desk / "mine" / "fair.geojson").write_text(polygons(fair=(x, y, e, n)))
    (desk / "mine" / "od.csv").write_text(
        "origin,destination,trips\nsouth,north,900\nnorth,south,600\n"
    )
    (desk / "agent.zip").write_bytes(b"never opened, since no measure names it")
    (desk / "s.yaml").write_text(TEXT)
    run_scenario(load_scenario(desk / "s.yaml"), desk / "runs", workers=1)
    shutil.copytree(desk / "runs", elsewhere / "runs")
    shutil.rmtree(desk)
    return elsewhere / "runs"


def test_it_gives_the_same_tables_from_the_copies_alone(moved: Path, tmp_path: Path) -> None:
    source = load_scenario(moved / "base" / "scenario.yaml")
    again = tmp_path / "again"
    run_scenario(source, again, workers=1)
    names = {str(p.relative_to(moved)) for p in moved.glob("*/seed-*/*.parquet")}
    assert {"base/seed-0001/trips.parquet", "slow/seed-0001/trips.parquet"} < names
    assert names == {str(p.relative_to(again)) for p in again.glob("*/seed-*/*.parquet")}
    for name in [*names, "equilibrium.parquet", "zones.parquet"]:
        one, other = pd.read_parquet(moved / name), pd.read_parquet(again / name)
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)
    trips = [pd.read_parquet(moved / r / "seed-0001" / "trips.parquet") for r in ("base", "slow")]
    assert [int((t["purpose"] == "event").sum()) > 0 for t in trips] == [False, True]
    for run in ("base", "slow"):
        first, second = (open_run(folder / run).manifest for folder in (moved, again))
        assert first["input_hash"] == second["input_hash"]
        assert first["files"] == second["files"]
    for kept in first["files"].values():
        assert (again / kept).read_bytes() == (moved / kept).read_bytes()
    check_scenario(load_scenario(again / "slow" / "scenario.yaml"), lambda _: None)


def test_in_its_own_folder_it_goes_on(moved: Path, tmp_path: Path) -> None:
    shutil.copytree(moved, tmp_path / "runs")
    trips = tmp_path / "runs" / "slow" / "seed-0001" / "trips.parquet"
    stamp = trips.stat().st_mtime_ns
    source = load_scenario(tmp_path / "runs" / "slow" / "scenario.yaml")
    run_scenario(source, tmp_path / "runs", workers=1)
    assert trips.stat().st_mtime_ns == stamp


def test_another_city_or_file_written_into_it_is_looked_for(moved: Path, tmp_path: Path) -> None:
    shutil.copytree(moved, tmp_path / "runs")
    path = tmp_path / "runs" / "base" / "scenario.yaml"
    for old, new, words in (
        ("city: lauf", "city: elsewhere", "scenario.yaml:2: city 'elsewhere': no such file"),
        ("mine/fair", "mine/faire", "no file .*base/mine/faire.geojson"),
    ):
        path.write_text(TEXT.replace(old, new))
        with pytest.raises(ScenarioError, match=words):
            check_scenario(load_scenario(path), lambda _: None)
    path.write_text(TEXT)
    manifest = json.loads((path.parent / "manifest.json").read_text())
    manifest["files"]["mine/fair.geojson"] = "../../secret.geojson"
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ScenarioError, match="lies outside"):
        check_scenario(load_scenario(path), lambda _: None)


def test_a_geopackage_has_the_streets_of_measures_that_read_files(
    moved: Path, tmp_path: Path
) -> None:
    drawn = pyogrio.read_dataframe(export_run(moved, "gpkg", tmp_path / "a.gpkg"), layer="measures")
    streets = City.load(moved / "city").streets
    fair = moved / open_run(moved / "slow").manifest["files"]["mine/fair.geojson"]
    area = gpd.read_file(fair).to_crs(streets.crs).union_all()
    inside = streets.geometry.intersection(area).length > 0.5 * streets.geometry.length
    speed = drawn[drawn["kind"] == "speed"]
    assert 10 < inside.sum() < len(streets) / 2
    assert speed["street"].tolist() == list(inside.to_numpy().nonzero()[0])
    assert set(speed["alternative"]) == {"slow"}


def test_check_says_what_own_matrices_state(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["check", str(moved / "base" / "scenario.yaml")])
    # 1,500 trips in two hours alike, of which ten minutes count
    said = "demand: 1,500 trips a day, 125 of them in the period; 1 matrix between 2 zones"
    assert said in capsys.readouterr().out.splitlines()
