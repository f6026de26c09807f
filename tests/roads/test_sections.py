"""Streets cut into sections of pavement, and the camera's way past all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from twin.errors import InputError
from twin.roads.sections import (
    LONGEST_M,
    SHORTEST_M,
    make_sections,
    make_tour,
    opposite,
    road_class,
)

if TYPE_CHECKING:
    import geopandas as gpd

    from twin.city import City


@pytest.fixture(scope="module")
def sections(helsinki: City) -> gpd.GeoDataFrame:
    return make_sections(helsinki)


def test_the_two_directions_of_a_street_belong_to_each_other(helsinki: City) -> None:
    streets = helsinki.streets
    back = opposite(streets)
    there = np.flatnonzero(back >= 0)
    assert len(there) > 50
    np.testing.assert_array_equal(back[back[there]], there)
    assert np.all(back[there] != there)
    begin, end = (streets[c].to_numpy() for c in ("from_junction", "to_junction"))
    np.testing.assert_array_equal(begin[there], end[back[there]])
    np.testing.assert_array_equal(end[there], begin[back[there]])


def test_both_directions_of_a_street_are_one_pavement(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    """Every street for cars is in one carriageway, as its street or as its back, but for stubs."""
    ways = sections[["street", "back"]].drop_duplicates()
    found = np.concatenate([ways["street"], ways["back"][ways["back"] >= 0]])
    cars = (helsinki.streets["cars"] | helsinki.streets["lorries"]).to_numpy()
    assert (ways["back"] >= 0).any()
    assert (ways["back"] < 0).any()
    length = helsinki.streets["length_m"].to_numpy()
    assert len(set(found)) == len(found)
    assert cars[found].all()
    assert (length[np.setdiff1d(np.flatnonzero(cars), found)] < SHORTEST_M).all()
    assert (length[found] > 0.9 * SHORTEST_M).all()


def test_no_two_pavements_lie_on_each_other(sections: gpd.GeoDataFrame) -> None:
    """Where one way leads there and back on the same line, it is one carriageway."""
    there = {tuple(line.coords): k for k, line in enumerate(sections.geometry)}
    twice = {
        tuple(sorted((sections["id"].iloc[k], sections["id"].iloc[there[line[::-1]]])))
        for line, k in there.items()
        if line[::-1] in there
    }
    assert twice == set()


def test_no_section_is_longer_than_100_m(sections: gpd.GeoDataFrame) -> None:
    assert sections["length_m"].max() <= LONGEST_M == 100.0
    assert sections["length_m"].min() > 0.0
    assert sections["id"].is_unique


def test_the_sections_of_a_street_are_as_long_as_the_street(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    whole = sections.groupby("street")["length_m"].sum()
    length = helsinki.streets["length_m"].to_numpy()[whole.index]
    np.testing.assert_allclose(whole, length)
    for _, pieces in sections.groupby("street"):
        assert pieces["begin_m"].iloc[0] == 0.0
        np.testing.assert_allclose(pieces["begin_m"].iloc[1:], pieces["end_m"].iloc[:-1])


def test_shorter_sections_are_more_but_neither_longer_nor_wider_in_all(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    short = make_sections(helsinki, longest_m=30.0)
    assert len(short) > 1.5 * len(sections)
    assert short["length_m"].max() <= 30.0
    for column in ("length_m", "area_m2"):
        assert short[column].sum() == pytest.approx(sections[column].sum())


def test_the_area_is_that_of_all_lanes_of_both_directions(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    assert (sections["area_m2"] > 0.0).all()
    width = helsinki.lanes.groupby("street")["width_m"].sum()
    both = sections[sections["back"] >= 0]
    across = width[both["street"]].to_numpy() + width[both["back"]].to_numpy()
    np.testing.assert_allclose(both["area_m2"], both["length_m"] * across)
    one = sections[sections["back"] < 0]
    np.testing.assert_allclose(one["area_m2"], one["length_m"] * width[one["street"]].to_numpy())


def test_pieces_lie_on_their_street(helsinki: City, sections: gpd.GeoDataFrame) -> None:
    lines = helsinki.streets.geometry.iloc[sections["street"]].reset_index(drop=True)
    assert sections.geometry.interpolate(0.5, normalized=True).distance(lines).max() < 1e-6
    whole = sections.geometry.length.groupby(sections["street"]).sum()
    np.testing.assert_allclose(whole, helsinki.streets.geometry.length.iloc[whole.index])


def test_classes_follow_the_roads_of_osm() -> None:
    kinds = ("residential", "service", "tertiary", "unclassified", "primary_link", "motorway")
    assert [road_class(kind) for kind in kinds] == [0, 0, 1, 1, 2, 2]


def test_the_tour_passes_every_section_once_and_gets_on(
    helsinki: City, sections: gpd.GeoDataFrame
) -> None:
    order, at_km = make_tour(helsinki, sections)
    assert sorted(order) == list(range(len(sections)))
    assert np.all(np.diff(at_km) > 0.0)
    assert at_km[0] > 0.0
    assert at_km[-1] >= sections["length_m"].sum() / 1000.0
    assert at_km[-1] < 4.0 * sections["length_m"].sum() / 1000.0


def test_a_section_must_be_longer_than_a_metre(helsinki: City) -> None:
    with pytest.raises(InputError, match="must be more than 1 m"):
        make_sections(helsinki, longest_m=1.0)
