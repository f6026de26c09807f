"""Reading OSM's free-text numbers, and what a building is taken for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.city import defaults
from twin.city.features import building_size, building_use, parse_metres, place_kind


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("12", 12.0),
        ("12.5 m", 12.5),
        ("12,5m", 12.5),
        (" 3 ;4", 3.0),
        ("40 ft", 12.192),
        ("10'", 3.048),
    ],
)
def test_lengths_are_read_in_metres(text: str, metres: float) -> None:
    assert parse_metres(text) == pytest.approx(metres)


@pytest.mark.parametrize("text", [None, "", "tall", "-3", "3 storeys", "1e9x"])
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
