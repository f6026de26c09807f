"""SUMO networks, good and bad."""

from __future__ import annotations

import gzip
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twin.city import City
from twin.city.access import permits
from twin.errors import InputError, TwinError

if TYPE_CHECKING:
    from pathlib import Path

VEHICLES = ["passenger", "truck", "delivery", "bus", "bicycle", "pedestrian", "tram"]


def test_grid_is_the_grid_that_was_ordered(grid_net: Path) -> None:
    city = City.from_sumo(grid_net, name="grid")
    assert city.name == "grid"
    # 12 inner streets and 12 arms, both ways, two lanes each; a signal at each node.
    assert len(city.streets) == 48
    assert len(city.lanes) == 96
    assert city.signals["signal"].nunique() == 9 + 12
    assert (city.streets["highway"] == "unknown").all()
    # A left turn waits for oncoming traffic inside the junction.
    waits = city.movements.groupby("direction")["wait_m"].max()
    assert waits["l"] > 0
    assert waits["r"] == 0


def test_zipped_network_is_the_same(grid_net: Path, tmp_path: Path) -> None:
    path = tmp_path / "grid.net.xml.gz"
    path.write_bytes(gzip.compress(grid_net.read_bytes()))
    assert City.from_sumo(path).digest == City.from_sumo(grid_net).digest


def test_last_program_counts_as_in_sumo(grid_net: Path, tmp_path: Path) -> None:
    text = grid_net.read_text(encoding="utf-8")
    [program] = re.findall(r"<tlLogic id=\"A0\".*?</tlLogic>", text, re.S)
    other = program.replace('programID="0"', 'programID="night"').replace(
        'offset="0"', 'offset="7"'
    )
    path = tmp_path / "two.net.xml"
    path.write_text(text.replace(program, program + other), encoding="utf-8")
    signals = City.from_sumo(path).signals
    assert set(signals.loc[signals["id"] == "A0", "program"]) == {"night"}
    assert set(signals.loc[signals["id"] == "A0", "offset_s"]) == {7.0}


def test_lanes_not_for_motor_vehicles_are_left_out(grid_net: Path, tmp_path: Path) -> None:
    text = grid_net.read_text(encoding="utf-8")
    path = tmp_path / "bikes.net.xml"
    path.write_text(re.sub(r'(<lane id="A0A1_0" )', r'\1allow="bicycle" ', text), encoding="utf-8")
    city = City.from_sumo(path)
    street = city.streets.index[city.streets["id"] == "A0A1"][0]
    lanes = city.lanes[city.lanes["street"] == street]
    assert lanes["id"].tolist() == ["A0A1_1"]
    assert lanes["index"].tolist() == [0]
    assert city.streets["lanes"][street] == 1


@given(st.lists(st.sampled_from(VEHICLES), unique=True, min_size=1))
def test_allowing_some_is_forbidding_the_others(allowed: list[str]) -> None:
    forbidden = " ".join(v for v in VEHICLES if v not in allowed)
    assert permits(" ".join(allowed), None) == permits(None, forbidden)
    assert permits(None, None) == permits("all", None) == (True, True, True)
    assert permits(None, "all") == (False, False, False)


NET = '<net><location netOffset="0,0" projParameter="!"/>'
BAD: dict[str, tuple[bytes, str]] = {
    "empty.net.xml": (b"", "is empty"),
    "other.net.xml": (b"<routes/>", "root element is <routes>"),
    "bare.net.xml": (b"<net/>", "no <location>"),
    "noedges.net.xml": (f"{NET}</net>".encode(), "no edges"),
    "stray.net.xml": (f'{NET}<lane id="a_0"/></net>'.encode(), "no SUMO network has one"),
    "text.net.xml": (b"hello", "not readable as XML"),
    "cut.net.xml.gz": (gzip.compress(NET.encode() * 50)[:40], "damaged or cut off"),
    "bomb.net.xml": (
        b'<!DOCTYPE net [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><net>&b;</net>',
        "document type declaration",
    ),
    "walk.net.xml": (
        f'{NET}<edge id="a" from="x" to="y"><lane id="a_0" allow="tram"/></edge></net>'.encode(),
        "open to cars",
    ),
    "half.net.xml": (
        f'{NET}<edge id="a" from="x" to="y"><lane id="a_0"/></edge></net>'.encode(),
        "near",
    ),
    "degrees.net.xml": (
        b'<net><location netOffset="0,0" projParameter="+proj=longlat"/><edge id="a"/></net>',
        "not in metres",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_network_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        City.from_sumo(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "value", "message"),
    [
        (r'linkIndex="\d+"', 'linkIndex="99"', "uses link 99"),
        (r' speed="[\d.]+"', ' speed="nan"', "speed_m_s in row 0"),
        (r' length="[\d.]+"', ' length="-5"', "length_m in row 0"),
        (r' dir="\w"', ' dir="x"', "direction in row 0"),
        (r'<edge id="A0A1" from="A0" to="A1"', '<edge id="A0A1" from="A0" to="B2"', "do not meet"),
        (r' shape="[^"]*"', ' shape="1,"', "near"),
    ],
)
def test_network_with_wrong_values_is_refused(
    grid_net: Path, tmp_path: Path, pattern: str, value: str, message: str
) -> None:
    text, count = re.subn(pattern, value, grid_net.read_text(encoding="utf-8"))
    assert count
    path = tmp_path / "wrong.net.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        City.from_sumo(path)


@given(where=st.floats(0.0, 1.0), junk=st.binary(max_size=3))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_anywhere_is_refused_or_harmless(
    grid_net: Path, tmp_path: Path, where: float, junk: bytes
) -> None:
    data = grid_net.read_bytes()
    cut = int(where * len(data))
    path = tmp_path / "hurt.net.xml"
    path.write_bytes(data[:cut] + junk + data[cut + len(junk) :])
    try:
        City.from_sumo(path)
    except TwinError as error:
        assert "\n" not in str(error)


def test_large_network_is_read_fast(data_dir: Path) -> None:
    start = time.perf_counter()
    city = City.from_sumo(data_dir / "sumo" / "port_cologne" / "osm.net.xml.gz")
    # 10,000 edges in 3 s are wanted; this one has more, and CI may be four times slower.
    assert time.perf_counter() - start < 12.0
    assert city.crs.to_epsg() == 32632
    west, south, east, north = city.streets.to_crs(4326).total_bounds
    assert 6.8 < west < east < 7.1
    assert 50.9 < south < north < 51.1
    assert city.signals["signal"].nunique() == 46
