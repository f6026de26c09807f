"""Reading OSM's free-text numbers, and what a building is taken for."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from twin.city import City, defaults
from twin.city.features import building_size, building_use, parse_metres, place_kind
from viz.outlines import extent, surfaces

from .tiny import tiny_osm

if TYPE_CHECKING:
    from pathlib import Path

# Coasts beside the small town, whose streets end at 11.003 east; land is on their left.
BOUNDS = '<bounds minlat="48.997" minlon="10.996" maxlat="49.003" maxlon="11.008"/>'
COAST = [(11.004, 48.99), (11.004, 49.0), (11.004, 49.01)]
ISLAND = [(11.005, 49.0), (11.006, 49.0), (11.006, 49.001), (11.005, 49.001), (11.005, 49.0)]
CENTRED = "+proj=tmerc +lon_0=11 +ellps=GRS80 +units=m"  # the bounds stay a rectangle
CELL_M2 = 111.2 * 111.2 * math.cos(math.radians(49.0))  # 0.001 by 0.001 degrees


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("12", 12.0),
        ("12.5 m", 12.5),
        ("12,5m", 12.5),
        (" 3 ;4", 3.0),
        ("40 ft", 12.192),
        ("10'", 3.048),
        ("33'6\"", 10.2108),
        ("5' 6''", 1.6764),
    ],
)
def test_lengths_are_read_in_metres(text: str, metres: float) -> None:
    assert parse_metres(text) == pytest.approx(metres)


@pytest.mark.parametrize("text", [None, "", "tall", "-3", "3 storeys", "1e9x", "5'6", '6"'])
def test_what_is_no_length_is_nan(text: str | None) -> None:
    assert math.isnan(parse_metres(text))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_tags_make_a_building_of_sane_size(height: str, levels: str, kind: str) -> None:
    tags: dict[str, str | None] = {"height": height, "building:levels": levels, "building": kind}
    use = building_use(tags)
    metres, storeys, source = building_size(tags, use)
    assert 0.0 < metres <= defaults.MAX_HEIGHT_M
    assert 0.0 < storeys <= defaults.MAX_HEIGHT_M
    assert source in {"height", "levels", "default"}


@given(st.floats(min_value=1.0, max_value=300.0))
def test_stated_height_comes_before_storeys(height: float) -> None:
    tags: dict[str, str | None] = {"height": f"{height:.3f}", "building:levels": "4"}
    metres, storeys, source = building_size(tags, "other")
    assert metres == pytest.approx(height, abs=1e-3)
    assert (storeys, source) == (4.0, "height")


def test_storeys_come_before_defaults() -> None:
    assert building_size({"building:levels": "4"}, "other") == (12.0, 4.0, "levels")
    assert building_size({"building": "garage"}, "other") == (3.0, 1.0, "default")


@pytest.mark.parametrize(
    ("tags", "use"),
    [
        ({"building": "apartments"}, "residential"),
        ({"building": "yes", "amenity": "hospital"}, "health"),
        ({"building": "yes", "shop": "bakery"}, "retail"),
        ({"building": "yes", "office": "lawyer"}, "office"),
        ({"building": "yes"}, "other"),
    ],
)
def test_use_follows_tags(tags: dict[str, str | None], use: str) -> None:
    assert building_use(tags) == use


def test_every_use_has_storeys() -> None:
    tables = (defaults.USE_BY_BUILDING, defaults.USE_BY_AMENITY, defaults.USE_BY_LANDUSE)
    uses = {use for table in tables for use in table.values()}
    assert uses <= set(defaults.LEVELS_BY_USE)


def test_place_takes_its_most_telling_tag() -> None:
    assert place_kind({"amenity": "school", "shop": "books"}) == "school"
    assert place_kind({"shop": "books"}) == "shop"
    assert place_kind({"amenity": "bench"}) == ""
    assert place_kind({"highway": "bus_stop", "shop": "no"}) == "bus_stop"


def coastal(
    path: Path,
    *coasts: list[tuple[float, float]],
    bounds: str = BOUNDS,
    crs: str | None = CENTRED,
) -> City:
    """Return the small town with coastlines, one way each; equal places are one node."""
    nodes = {place: 500 + i for i, place in enumerate(dict.fromkeys(chain(*coasts)))}
    points = "".join(f'<node id="{i}" lon="{x}" lat="{y}"/>' for (x, y), i in nodes.items())
    ways = ""
    for way, coast in enumerate(coasts, 300):
        refs = "".join(f'<nd ref="{nodes[place]}"/>' for place in coast)
        ways += f'<way id="{way}">{refs}<tag k="natural" v="coastline"/></way>'
    text = tiny_osm().replace("<node", bounds + "<node", 1)
    text = text.replace("<way", points + "<way", 1).replace("<relation", ways + "<relation", 1)
    file = path / "coast.osm"
    file.write_text(text, encoding="utf-8")
    return City.from_osm(file, crs=crs)


def sea(city: City) -> list[shapely.Polygon]:
    """Return the polygons of the sea."""
    found = city.water[city.water["kind"] == "sea"]
    assert found["id"].tolist() == [f"sea/{i}" for i in range(1, len(found) + 1)]
    return found.geometry.tolist()


def test_sea_lies_to_the_right_of_the_coast_up_to_the_bounds(tmp_path: Path, tiny: City) -> None:
    city = coastal(tmp_path, COAST)
    (face,) = sea(city)
    assert face.area == pytest.approx(4 * 6 * CELL_M2, rel=0.01)  # 11.004-11.008 by 48.997-49.003
    assert not city.streets.intersects(face).any()
    assert face.is_valid
    assert surfaces(city, face.bounds)[1].tolist() == [face]  # what maps and scenes draw
    tables = coastal(tmp_path, COAST, crs=None).tables
    assert all(tables[name].equals(tiny.tables[name]) for name in tables if name != "water")
    assert City.load(city.save(tmp_path / "saved")).digest == city.digest


def test_pieces_of_a_coast_make_the_same_sea_in_any_order(tmp_path: Path) -> None:
    whole = coastal(tmp_path, COAST)
    parts = coastal(tmp_path, COAST[1:], COAST[:2])
    assert parts.digest == whole.digest


def test_a_coast_that_breaks_off_close_to_the_edge_goes_on_straight(tmp_path: Path) -> None:
    (whole,) = sea(coastal(tmp_path, COAST))
    (short,) = sea(coastal(tmp_path, [(11.004, 48.9974), COAST[2]]))
    assert whole.symmetric_difference(short).area < 1e-3 * whole.area
    assert not sea(coastal(tmp_path, [(11.004, 48.9984), COAST[2]]))


def test_islands_stay_land(tmp_path: Path) -> None:
    (whole,) = sea(coastal(tmp_path, COAST))
    (face,) = sea(coastal(tmp_path, COAST, ISLAND))
    assert len(face.interiors) == 1
    assert whole.area - face.area == pytest.approx(CELL_M2, rel=0.01)


def test_a_town_on_an_island_has_the_sea_around_it(tmp_path: Path) -> None:
    shore = [(10.9965, 48.9975), (11.0035, 48.9975), (11.0035, 49.0025), (10.9965, 49.0025)]
    (face,) = sea(coastal(tmp_path, [*shore, shore[0]]))
    assert face.area == pytest.approx((12 * 6 - 7 * 5) * CELL_M2, rel=0.01)
    assert len(face.interiors) == 1


def test_without_stated_bounds_the_sea_reaches_the_edge_of_maps(tmp_path: Path) -> None:
    near = [(11.00305, 48.99), (11.00305, 49.01)]
    city = coastal(tmp_path, near, bounds="")
    (face,) = sea(city)
    _, low, east, high = extent(city)
    assert face.covers(shapely.LineString([(east, low), (east, high)]))


@pytest.mark.parametrize(
    "coasts",
    [
        [COAST[:2]],
        [COAST[:2], ISLAND],
        [COAST, [(11.006, 49.0), (11.006, 49.01)]],
        [[COAST[0], (11.004, 48.999)], [(11.004, 49.001), COAST[2]]],
        [COAST[::-1]],
        [COAST, COAST[::-1]],
        [ISLAND],
        [[(12.0, 48.0), (12.0, 50.0)]],
    ],
    ids=[
        "ends",
        "ends beside an island",
        "ends in the sea",
        "gap",
        "town in the sea",
        "both ways",
        "island alone",
        "far away",
    ],
)
def test_a_coast_that_tells_no_sea_changes_nothing(
    tmp_path: Path, tiny: City, coasts: list[list[tuple[float, float]]]
) -> None:
    assert coastal(tmp_path, *coasts, crs=None).digest == tiny.digest


def test_what_is_right_of_one_coast_and_left_of_another_is_no_sea(tmp_path: Path) -> None:
    further = [(11.006, y) for _, y in COAST]
    (face,) = sea(coastal(tmp_path, COAST, further))
    assert face.area == pytest.approx(2 * 6 * CELL_M2, rel=0.01)
    (low, high) = (face.bounds[0], face.bounds[2])
    assert high - low == pytest.approx(2 * 111.2 * math.cos(math.radians(49.0)), rel=0.01)


def test_a_node_that_the_extract_lacks_interrupts_the_coast(tmp_path: Path, tiny: City) -> None:
    city = coastal(tmp_path, COAST)
    assert len(sea(city)) == 1
    file = tmp_path / "coast.osm"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('<node id="501" lon="11.004" lat="49.0"/>', ""), encoding="utf-8")
    assert City.from_osm(file).digest == tiny.digest


# -- Buildings that are no blocks -----------------------------------------------------------------

SIDE = 0.0001  # degrees
EAST_M, NORTH_M = 111_320.0 * math.cos(math.radians(49.0)) * SIDE, 111_200.0 * SIDE


def boxes(path: Path, *given: tuple[float, float, float, float, dict[str, str]]) -> City:
    """Return the small town with boxes: west, south, width and depth in `SIDE`, and tags.

    They are way/1000, way/1001, ... and lie east of 11.0010 and north of 49.0014.
    """
    nodes, ways = "", ""
    for number, (west, south, width, depth, tags) in enumerate(given):
        way, corners = 1000 + number, ((0, 0), (1, 0), (1, 1), (0, 1))
        refs = [10 * way + k for k in range(4)]
        for ref, (a, b) in zip(refs, corners, strict=True):
            lon = 11.0010 + SIDE * (west + a * width)
            lat = 49.0014 + SIDE * (south + b * depth)
            nodes += f'<node id="{ref}" lon="{lon:.7f}" lat="{lat:.7f}"/>'
        text = "".join(f'<nd ref="{ref}"/>' for ref in (*refs, refs[0]))
        for key, value in tags.items():
            text += f'<tag k="{key}" v="{value}"/>'
        ways += f'<way id="{way}">{text}</way>'
    text = tiny_osm().replace("<way", nodes + "<way", 1).replace("<relation", ways + "<relation", 1)
    file = path / "boxes.osm"
    file.write_text(text, encoding="utf-8")
    return City.from_osm(file)


def bodies(city: City, number: int) -> list[tuple[float, float, float]]:
    """Roofs of a box: height, how far down its walls reach, and share of the outline's area."""
    row = city.buildings.index[city.buildings["id"] == f"way/{1000 + number}"][0]
    own = city.surfaces[city.surfaces["building"] == row]
    foot = own[own["kind"] == "ground"]
    assert shapely.get_coordinates(foot.geometry, include_z=True)[:, 2].tolist() == [0.0] * 5
    walls = own.geometry[own["kind"] == "wall"].tolist()
    found = []
    for roof in own.geometry[own["kind"] == "roof"]:
        (high,) = {c[2] for c in shapely.get_coordinates(roof, include_z=True)}
        edge = roof.exterior.buffer(0.01)
        own_walls = [w for w in walls if edge.contains(shapely.force_2d(w))]
        spans = [shapely.get_coordinates(w, include_z=True)[:, 2] for w in own_walls]
        lows = [float(z.min()) for z in spans if z.max() == high]  # not of one below
        found.append((float(high), min(lows), round(roof.area / foot.geometry.iloc[0].area, 2)))
    return sorted(found)


def test_skyways_and_roofs_on_posts_leave_the_ground_free(tmp_path: Path) -> None:
    yes = {"building": "yes"}
    city = boxes(
        tmp_path,
        (0, 0, 1, 1, yes | {"height": "15", "min_height": "8"}),
        (2, 0, 1, 1, yes | {"building:levels": "6", "building:min_level": "2"}),
        (4, 0, 1, 1, {"building": "roof", "height": "6"}),
        (6, 0, 1, 1, yes | {"height": "10", "min_height": "12"}),
        (8, 0, 1, 1, yes | {"height": "10"}),
    )
    assert bodies(city, 0) == [(15.0, 8.0, 1.0)]
    assert bodies(city, 1) == [(18.0, 6.0, 1.0)]
    assert bodies(city, 2) == [(6.0, 5.5, 1.0)]
    assert city.surfaces["building"].nunique() == 3  # a beginning above the end means nothing
    # Floor, roof, underside and four walls: closed around the body.
    assert city.surfaces["kind"].value_counts().to_dict() == {"wall": 15, "roof": 3, "ground": 3}
    assert City.load(city.save(tmp_path / "saved")).digest == city.digest


@pytest.mark.parametrize(
    "tags",
    [
        {"location": "underground"},
        {"layer": "-1"},
        {"building:levels": "0", "building:levels:underground": "2"},
    ],
)
def test_what_lies_underground_is_no_building_of_the_city(
    tmp_path: Path, tiny: City, tags: dict[str, str]
) -> None:
    assert boxes(tmp_path, (0, 0, 1, 1, {"building": "yes", **tags})).digest == tiny.digest


def test_parts_stand_where_they_are_and_give_the_outline_its_height(tmp_path: Path) -> None:
    city = boxes(
        tmp_path,
        (0, 0, 2, 2, {"building": "yes"}),
        (0, 0, 1, 2, {"building:part": "yes", "height": "30"}),
        (1, 0, 1, 2, {"building:part": "yes", "height": "12", "building:levels": "4"}),
        (0, 0, 1, 1, {"building:part": "yes", "height": "40", "min_height": "30"}),
        (1, 0, 1, 1, {"building:part": "yes", "layer": "-1", "height": "50"}),
    )
    assert bodies(city, 0) == [(12.0, 0.0, 0.5), (30.0, 0.0, 0.5), (40.0, 30.0, 0.25)]
    row = city.buildings[city.buildings["id"] == "way/1000"].iloc[0]
    assert (row["height_m"], row["height_source"]) == (40.0, "height")
    # Ten storeys on a half, four on the other, and the upper quarter of 13 on a quarter.
    assert row["levels"] == pytest.approx(5.0 + 2.0 + 13.0 / 16.0, abs=0.01)
    assert len(city.buildings) == len(boxes(tmp_path).buildings) + 1


def test_an_outline_that_parts_do_not_fill_stands_beside_them(tmp_path: Path) -> None:
    part = {"building:part": "yes"}
    city = boxes(
        tmp_path,
        (0, 0, 2, 2, {"building": "yes", "height": "9"}),
        (0, 0, 1, 1, part | {"height": "30"}),  # a tower in the corner of a hall
        (4, 0, 2, 2, {"building": "yes", "height": "30"}),
        (4, 0, 1, 1, part | {"height": "30", "min_height": "20"}),  # one on top of it
    )
    assert bodies(city, 0) == [(9.0, 0.0, 0.75), (30.0, 0.0, 0.25)]
    assert bodies(city, 2) == [(20.0, 0.0, 1.0), (30.0, 20.0, 0.25)]
    low = city.buildings[city.buildings["id"] == "way/1000"].iloc[0]
    assert low["height_m"] == 30.0  # not the 9 m that it says, which are those of the hall
    assert low["levels"] == 3.0  # as the map says


def test_a_town_without_parts_is_as_it_was(tiny: City) -> None:
    assert len(tiny.surfaces) == 0
