"""From OSM files of every kind, good and bad, to a city."""

from __future__ import annotations

import bz2
import gzip
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import osmium
import pytest

from twin.city import City, features, schema
from twin.city.osm import locate, metric_crs
from twin.errors import InputError, OutputError

from .tiny import tiny_osm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder for temporary files; fail if one of them stays."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def test_every_format_gives_the_same_city(tiny: City, tiny_file: Path, temporary: Path) -> None:
    text = tiny_file.read_bytes()
    folder = temporary.parent
    (folder / "tiny.osm.gz").write_bytes(gzip.compress(text))
    (folder / "tiny.osm.bz2").write_bytes(bz2.compress(text))
    for name in ("tiny.osm.pbf", "tiny.pbf"):
        with osmium.SimpleWriter(str(folder / name), overwrite=True) as writer:
            for item in osmium.FileProcessor(str(tiny_file)):
                writer.add(item)
    for name in ("tiny.osm.gz", "tiny.osm.bz2", "tiny.osm.pbf", "tiny.pbf"):
        city = City.from_osm(folder / name)
        assert city.name == "tiny"
        assert city.digest == tiny.digest


def test_town_has_what_the_map_shows(tiny: City) -> None:
    assert tiny.crs.to_epsg() == 32632
    assert set(tiny.streets["highway"]) == {"primary", "secondary"}
    assert set(tiny.streets["name"]) == {"Hauptstraße", "Bergstraße"}
    assert set(tiny.streets["osm_id"]) == {"100", "101"}
    slow = tiny.streets[tiny.streets["highway"] == "secondary"]
    assert slow["speed_m_s"].to_numpy() == pytest.approx(30 / 3.6, abs=0.01)
    assert tiny.signals["id"].nunique() == 1
    assert sorted(tiny.places["kind"]) == ["bus_stop", "park", "school"]
    assert tiny.water["kind"].tolist() == ["stream"]
    assert tiny.landuse["kind"].tolist() == ["park"]


def test_buildings_get_use_height_and_floor_area(tiny: City) -> None:
    b = tiny.buildings.set_index("id")
    assert b.loc["way/110", ["use", "height_m", "height_source"]].tolist() == [
        "residential", 6.0, "levels",
    ]  # fmt: skip
    school = b.loc["way/130"]
    assert (school["use"], school["height_m"], school["height_source"]) == (
        "education",
        9.5,
        "height",
    )
    hospital = b.loc["relation/200"]
    assert (hospital["use"], hospital["levels"]) == ("health", 5.0)
    # A block of 5 x 3 units around a courtyard of 3 x 1, in units of 1e-4 degrees.
    unit = 11.132 * 11.132 * math.cos(math.radians(49.0))
    assert len(hospital.geometry.interiors) == 1
    assert hospital["footprint_m2"] == pytest.approx((15 - 3) * unit, rel=0.01)
    assert (b["floor_area_m2"] == b["footprint_m2"] * b["levels"]).all()


def test_names_keep_their_letters(tmp_path: Path) -> None:
    path = tmp_path / "Straße & Co.osm"
    path.write_text(tiny_osm().replace("Bergstraße", "Müller &amp; O'Neill &lt;1&gt;"), "utf-8")
    city = City.from_osm(path)
    assert set(city.streets["name"]) == {"Hauptstraße", "Müller & O'Neill <1>"}
    assert city.name == "Straße & Co"


def test_town_without_signals_has_empty_tables_of_the_right_types(tmp_path: Path) -> None:
    path = tmp_path / "plain.osm"
    path.write_text(tiny_osm(signals=False), encoding="utf-8")
    city = City.from_osm(path)
    assert len(city.signals) == 0
    assert (city.movements["signal"] == -1).all()
    schema.check_structure(city.tables, "plain")


@pytest.mark.parametrize(
    ("without", "empty"),
    [
        ({110, 130, 200}, {"buildings"}),
        ({140}, {"landuse"}),
        ({150}, {"water"}),
        ({60, 130, 140, 200}, {"places", "landuse"}),
        ({60, 110, 130, 140, 150, 200}, {"buildings", "places", "landuse", "water"}),
    ],
    ids=["no buildings", "no landuse", "no water", "no places", "streets alone"],
)
def test_what_an_extract_lacks_is_an_empty_table(
    tiny: City, tmp_path: Path, without: set[int], empty: set[str]
) -> None:
    path = tmp_path / "bare.osm"
    path.write_text(tiny_osm(without=without), encoding="utf-8")
    city = City.from_osm(path)
    found = {name for name in ("buildings", "places", "landuse", "water") if len(city.tables[name])}
    assert found == {"buildings", "places", "landuse", "water"} - empty
    assert len(city.streets) == len(tiny.streets)
    schema.check_structure(city.tables, "bare")
    assert City.load(city.save(tmp_path / "saved")).digest == city.digest


def test_crs_is_taken_as_asked(tiny_file: Path) -> None:
    city = City.from_osm(tiny_file, name="town", crs="EPSG:25832")
    assert city.crs.to_epsg() == 25832
    assert city.name == "town"
    west, south, *_ = city.streets.to_crs(4326).total_bounds
    assert (west, south) == pytest.approx((10.997, 48.998), abs=1e-3)


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [(7.1, 51.5, 32632), (-70.0, -33.0, 32719), (180.0, 10.0, 32660), (-180.0, 10.0, 32601)],
)
def test_utm_zone_follows_the_centre(longitude: float, latitude: float, epsg: int) -> None:
    assert metric_crs(None, (longitude, latitude)).to_epsg() == epsg


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2263", "nonsense"])
def test_crs_not_in_metres_is_refused(tiny_file: Path, crs: str) -> None:
    with pytest.raises(InputError, match="crs"):
        City.from_osm(tiny_file, crs=crs)


BAD: dict[str, tuple[bytes, str]] = {
    "empty.osm.pbf": (b"", "is empty"),
    "html.osm.pbf": (b"<html><body>404 Not Found</body></html>" * 9, "not readable"),
    "html.osm": (b"<html><body>404 Not Found</body></html>", "not readable"),
    "noise.osm.pbf": (bytes(range(256)) * 20, "not readable"),
    "plain.osm.gz": (b"no gzip", "not readable"),
    "plain.osm.bz2": (b"no bzip2", "not readable"),
    "cut.osm": (tiny_osm().encode()[:2000], "not readable"),
    "cut.osm.gz": (gzip.compress(tiny_osm().encode())[:300], "not readable"),
    "nothing.osm": (b'<?xml version="1.0"?><osm version="0.6"></osm>', "no drivable street"),
    "footway.osm": (tiny_osm(streets=False).encode(), "no drivable street"),
    "roads.shp": (b"xx", "unknown suffix"),
    "nodes.osm": (
        b'<?xml version="1.0"?><osm version="0.6"><way id="1"><nd ref="1"/><nd ref="2"/>'
        b'<tag k="highway" v="residential"/></way></osm>',
        "coordinates",
    ),
    "edited.osm": (tiny_osm().replace('ref="', 'ref="-').encode(), "negative ids"),
    "dangling.osm": (
        b'<?xml version="1.0"?><osm version="0.6"><node id="1" lat="50" lon="7"/>'
        b'<way id="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="residential"/></way></osm>',
        "netconvert makes no street network",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_in_one_line(name: str, temporary: Path) -> None:
    content, message = BAD[name]
    path = temporary.parent / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        City.from_osm(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_truncated_extract_is_refused(temporary: Path) -> None:
    data = locate("helsinki")[0].read_bytes()
    path = temporary.parent / "cut.osm.pbf"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="not readable"):
        City.from_osm(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        City.from_osm(tmp_path / "missing.osm.pbf")
    with pytest.raises(InputError, match="is a folder"):
        City.from_osm(tmp_path)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_stays_behind_when_interrupted(
    tiny_file: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    assert temporary.is_dir()

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(features, "read_features", fail)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        City.from_osm(tiny_file)


def test_progress_tells_the_stages(tiny_file: Path) -> None:
    told: list[str] = []
    City.from_osm(tiny_file, progress=told.append)
    assert len(told) == 4


@pytest.mark.parametrize("name", ["Hoyerswerda.osm.pbf", "kaiserslautern_uni.osm.gz"])
def test_real_extracts_are_read(data_dir: Path, name: str) -> None:
    city = City.from_osm(data_dir / "osm" / name)
    assert len(city.streets) > 100
    assert len(city.buildings) > 300
    assert city.graph.number_of_edges() == len(city.streets)
