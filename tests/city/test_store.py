"""A saved city is the same city, and only an unchanged one is read."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal
from pandas.testing import assert_frame_equal

from twin.city import City
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def saved(tiny: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the small town."""
    return tiny.save(tmp_path_factory.mktemp("store") / "tiny")


def assert_same(a: City, b: City) -> None:
    """Fail unless two cities hold the same."""
    for name, frame in a.tables.items():
        other = getattr(b, name)
        equal = assert_geodataframe_equal if "geometry" in frame else assert_frame_equal
        equal(frame, other)
    assert (a.name, a.crs, a.sources, a.options) == (b.name, b.crs, b.sources, b.options)
    assert a.digest == b.digest
    assert a.net == b.net
    assert len(a.net) > 1000


def test_saved_city_is_the_same_city(helsinki: City, tmp_path: Path) -> None:
    assert_same(helsinki, City.load(helsinki.save(tmp_path / "city")))


def test_network_without_projection_is_saved_too(grid_net: Path, tmp_path: Path) -> None:
    city = City.from_sumo(grid_net)
    assert city.crs.is_engineering
    assert len(city.buildings) == 0
    assert_same(city, City.load(city.save(tmp_path / "grid")))


def test_manifest_names_sources_and_no_path_of_this_machine(saved: Path, tiny_file: Path) -> None:
    text = (saved / "city.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    [source] = manifest["sources"]
    assert source["licence"] == "ODbL 1.0"
    assert source["attribution"] == "© OpenStreetMap contributors"
    assert source["file"] == "tiny.osm"
    assert source["timestamp"] == "2024-05-06T07:08:09Z"
    assert len(source["sha256"]) == 64
    assert str(tiny_file.parent) not in text
    assert set(manifest["tables"]) == set(City.load(saved).tables)


def test_digest_follows_content(tiny: City, tiny_file: Path) -> None:
    assert City.from_osm(tiny_file, name="other").digest == tiny.digest
    wider = tiny.lanes.assign(width_m=tiny.lanes["width_m"] + 0.1)
    assert City(**(_fields(tiny) | {"lanes": wider})).digest != tiny.digest


def _fields(city: City) -> dict[str, Any]:
    return {name: getattr(city, name) for name in city.__dataclass_fields__}


def _drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _cut(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return cut


def _edit(key: str, value: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        manifest = json.loads((folder / "city.json").read_text(encoding="utf-8"))
        manifest[key] = value
        (folder / "city.json").write_text(json.dumps(manifest), encoding="utf-8")

    return edit


def _swap_table(folder: Path) -> None:
    """Replace a table and state its new hash, as a forger would."""
    import hashlib

    path = folder / "conflicts.parquet"
    pd.DataFrame({"movement": [10**6]}).to_parquet(path)
    manifest = json.loads((folder / "city.json").read_text(encoding="utf-8"))
    manifest["tables"]["conflicts"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "city.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop("city.json"), "no saved city"),
        (_cut("city.json"), "no valid JSON"),
        (_edit("format", "else"), "format is 'else'"),
        (_edit("format_version", 99), "format version 99"),
        (_edit("tables", None), "tables is missing"),
        (_edit("tables", {}), "does not list table streets"),
        (_edit("crs", {"type": "nonsense"}), "crs is damaged"),
        (_edit("digest", "0"), "do not match the digest"),
        (_drop("lanes.parquet"), "lanes.parquet: the table is missing"),
        (_cut("streets.parquet"), "changed or cut off"),
        (_cut("network.net.xml.gz"), "is missing, or was changed"),
        (_drop("network.net.xml.gz"), "is missing, or was changed"),
        (_swap_table, "does not have the city's columns"),
    ],
)
def test_damaged_city_is_refused(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        City.load(folder)
    assert "\n" not in str(caught.value)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        City.load(tmp_path / "nowhere")


def test_save_replaces_a_city_and_nothing_else(tiny: City, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "city")
    tiny.save(folder)
    assert City.load(folder).digest == tiny.digest
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no saved city"):
        tiny.save(precious)
    with pytest.raises(OutputError, match="no saved city"):
        tiny.save(precious / "thesis.txt")
    assert (precious / "thesis.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city", "precious"]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_interrupted_save_leaves_the_old_city(
    tiny: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    folder = tiny.save(tmp_path / "city")

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        tiny.save(folder)
    assert [p.name for p in tmp_path.iterdir()] == ["city"]
    assert City.load(folder).digest == tiny.digest


def test_importing_the_room_is_cheap() -> None:
    code = "import sys, twin.city; sys.exit('geopandas' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_summary_and_graph_count_what_the_tables_hold(helsinki: City) -> None:
    summary = helsinki.summary()
    assert summary["streets"] == len(helsinki.streets) == helsinki.graph.number_of_edges()
    assert summary["junctions"] == len(helsinki.junctions) == helsinki.graph.number_of_nodes()
    total = sum(summary["km_by_class"].values())
    assert total == pytest.approx(summary["street_km"], abs=0.01)
    assert summary["street_km"] == pytest.approx(
        helsinki.streets["length_m"].sum() / 1000, abs=0.001
    )
    start, end, key = next(iter(helsinki.graph.edges(keys=True)))
    assert helsinki.streets["from_junction"][key] == start
    assert helsinki.streets["to_junction"][key] == end
    assert json.loads(json.dumps(summary)) == summary
