"""Bus lines of OpenStreetMap: what comes out can be driven, and what is left out is counted."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from twin.city import City, schema
from twin.city.transit import interval_s
from twin.errors import InputError

# The town has neither land use nor water, of which pyrosm warns.
pytestmark = pytest.mark.filterwarnings("ignore:Could not find any OSM data")

# A street of four ways from west to east with stops in the first and the last, and a side street.
NODES = {1: 11.000, 2: 11.002, 3: 11.004, 4: 11.006, 5: 11.008}
WAYS = {10: (1, 2), 11: (2, 3), 12: (3, 4), 13: (4, 5), 14: (3, 9)}
STOPS = {20: (11.001, "Anfang"), 21: (11.007, "Ende")}


def town(members: list[tuple[int, str]], **tags: str) -> str:
    """OSM XML of the street, with a bus line over some of its ways, and a tram."""
    meta = 'version="1" timestamp="2024-05-06T07:08:09Z"'
    parts = ['<osm version="0.6">', f'<node id="9" lat="49.004" lon="11.004" {meta}/>']
    parts += [f'<node id="{n}" lat="49" lon="{x}" {meta}/>' for n, x in NODES.items()]
    for node, (x, name) in STOPS.items():
        parts.append(
            f'<node id="{node}" lat="49" lon="{x}" {meta}><tag k="highway" v="bus_stop"/>'
            f'<tag k="public_transport" v="stop_position"/><tag k="name" v="{name}"/></node>'
        )
    corners = {40: (0, 1), 41: (2, 1), 42: (2, 2), 43: (0, 2)}
    for node, (x, y) in corners.items():
        parts.append(f'<node id="{node}" lat="49.000{y}" lon="11.000{x}" {meta}/>')
    on = {10: (1, 20, 2), 13: (4, 21, 5)}
    for way, ends in WAYS.items():
        refs = "".join(f'<nd ref="{n}"/>' for n in on.get(way, ends))
        kind = "primary" if way != 14 else "residential"
        name = f'<tag k="name" v="W{way}"/>'
        parts.append(f'<way id="{way}" {meta}>{refs}<tag k="highway" v="{kind}"/>{name}</way>')
    refs = "".join(f'<nd ref="{n}"/>' for n in (*corners, 40))
    parts.append(f'<way id="15" {meta}>{refs}<tag k="building" v="yes"/></way>')
    for number, kind, extra in ((30, "bus", tags), (31, "tram", {})):
        given_tags = {"type": "route", "route": kind, "ref": "7", "name": "Bus 7"} | extra
        refs = "".join(f'<member type="node" ref="{n}" role="stop"/>' for n in STOPS)
        refs += "".join(f'<member type="way" ref="{w}" role="{r}"/>' for w, r in members)
        text = "".join(f'<tag k="{k}" v="{v}"/>' for k, v in given_tags.items())
        parts.append(f'<relation id="{number}" {meta}>{refs}{text}</relation>')
    return "".join([*parts, "</osm>"])


def built(folder: Path, members: list[tuple[int, str]], **tags: str) -> City:
    path = folder / "town.osm"
    path.write_text(town(members, **tags), encoding="utf-8")
    return City.from_osm(path)


def ways_of(city: City, line: int) -> list[str]:
    rows = city.line_streets["street"][city.line_streets["line"] == line]
    return [city.streets["name"][row] for row in rows]


@pytest.mark.parametrize("role", ["", "forward"])
def test_a_line_with_its_stops_and_headway(tmp_path: Path, role: str) -> None:
    city = built(tmp_path, [(w, role) for w in (10, 11, 12, 13)], interval="00:20")
    [line] = city.lines.itertuples()
    assert (line.ref, line.name, line.type, line.headway_s) == ("7", "Bus 7", "bus", 1200.0)
    assert city.stops["name"].tolist() == ["Anfang", "Ende"]
    assert ways_of(city, 0)[0] == "W10"
    assert ways_of(city, 0)[-1] == "W13"
    notes = city.options["public_transport"]
    assert (notes["bus route relations"], notes["tram route relations left out"]) == (1, 1)
    assert (notes["lines"], notes["lines left out"]) == (1, 0)


def test_a_gap_in_the_relation_is_closed_over_the_streets(tmp_path: Path) -> None:
    city = built(tmp_path, [(10, ""), (13, "")])
    whole = built(tmp_path, [(w, "") for w in (10, 11, 12, 13)])
    assert ways_of(city, 0) == ways_of(whole, 0)
    assert city.lines["headway_s"].tolist() == [0.0]


def test_lines_on_demand_are_left_out(tmp_path: Path) -> None:
    city = built(tmp_path, [(w, "") for w in (10, 11, 12, 13)], on_demand="yes")
    assert len(city.lines) == len(city.stops) == len(city.line_stops) == 0


def check_drivable(city: City) -> None:
    """Each street of a line leads into its next, both open to buses; stops lie on their lane."""
    moves, lanes = city.movements, city.lanes["buses"].to_numpy()
    may = lanes[moves["lane"].to_numpy()] & lanes[moves["to_lane"].to_numpy()]
    pairs = set(map(tuple, moves.loc[may, ["street", "to_street"]].to_numpy().tolist()))
    way = city.line_streets
    same = way["line"].to_numpy()[1:] == way["line"].to_numpy()[:-1]
    street = way["street"].to_numpy()
    driven = zip(street[:-1][same].tolist(), street[1:][same].tolist(), strict=True)
    assert set(driven) <= pairs
    assert city.streets["buses"].to_numpy()[street].all()
    place = city.stops
    apart = shapely.distance(
        place.geometry.to_numpy(), city.lanes.geometry.to_numpy()[place["lane"].to_numpy()]
    )
    assert apart.max() < 0.01
    assert (place["position_m"] <= city.lanes["length_m"][place["lane"]].to_numpy()).all()
    assert set(city.line_stops["stop"]) == set(range(len(place)))
    order = city.line_stops.groupby("line")["at"]
    assert order.is_monotonic_increasing.all()


def test_lines_of_central_helsinki_can_be_driven(helsinki: City) -> None:
    notes = helsinki.options["public_transport"]
    # Read off the extract: 161 relations of buses and 20 of trams.
    assert notes["bus route relations"] == 161
    assert notes["tram route relations left out"] == 20
    assert len(helsinki.lines) == notes["lines"] > 80
    left_out = notes["lines left out"] + notes["lines without a stop on the streets"]
    assert notes["lines"] + left_out == notes["bus route relations"]
    assert notes["lines without a stop on the streets"] >= 0
    check_drivable(helsinki)


@pytest.mark.slow
def test_lines_of_kaiserslautern_are_complete(data_dir: Path) -> None:
    city = City.from_osm(data_dir / "osm" / "kaiserslautern.osm.gz")
    # The 42 relations name 747 stops, all within the extract.
    assert len(city.lines) == city.options["public_transport"]["bus route relations"] == 42
    assert len(city.line_stops) > 0.95 * 747
    check_drivable(city)


def test_geopackage_has_stops_and_lines(helsinki: City, tmp_path: Path) -> None:
    path = helsinki.to_gpkg(tmp_path / "city.gpkg")
    assert len(pyogrio.read_dataframe(path, layer="lines")) == len(helsinki.lines)
    stops = pyogrio.read_dataframe(path, layer="stops")
    assert stops["name"].tolist() == helsinki.stops["name"].tolist()


def test_a_sumo_network_has_no_lines(grid_net: Path) -> None:
    city = City.from_sumo(grid_net)
    assert len(city.lines) == len(city.stops) == 0
    assert city.summary()["bus_lines"] == 0


def test_cities_saved_before_there_were_lines_still_open(tiny: City, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "old")
    manifest = json.loads((folder / "city.json").read_text(encoding="utf-8"))
    for name in schema.LATER:
        del manifest["tables"][name]
        (folder / f"{name}.parquet").unlink()
    (folder / "city.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert City.load(folder).digest == tiny.digest
    assert len(City.load(folder).lines) == 0


def test_digest_follows_the_lines(helsinki: City) -> None:
    other = helsinki.lines.assign(headway_s=600.0)
    assert replace(helsinki, lines=other).digest != helsinki.digest


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("line_stops", lambda t: t.assign(at=t["at"] + 1000), "is not on street 10"),
        ("line_streets", lambda t: t[::-1], "not in the order of their lines"),
        ("line_streets", lambda t: t[t["line"] > 0], "line 0 has no street"),
    ],
)
def test_lines_that_contradict_each_other_are_refused(
    helsinki: City, table: str, change, message: str
) -> None:
    changed = change(getattr(helsinki, table)).reset_index(drop=True).astype(np.int32)
    tables = helsinki.tables | {table: changed}
    with pytest.raises(InputError, match=message):
        schema.check_structure(tables, "here")


def test_every_table_is_an_attribute() -> None:
    assert set(schema.TABLES) <= {field.name for field in fields(City)}


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_intervals_are_minutes_or_clock_times(hours: int, minutes: int, seconds: int) -> None:
    assert (
        interval_s(f"{hours:02}:{minutes:02}:{seconds:02}") == 3600 * hours + 60 * minutes + seconds
    )
    assert interval_s(str(minutes)) == 60 * minutes


@given(st.text(alphabet="0123456789:-; min", max_size=9))
def test_other_intervals_are_unknown(text: str) -> None:
    assert 0.0 <= interval_s(text) < 1e6
    assert interval_s("5-10") == interval_s("") == 0.0
