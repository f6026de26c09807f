"""Facts of the street network, and agreement with SUMO's own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from twin.city import City
from twin.city import schema as city_schema

if TYPE_CHECKING:
    from pathlib import Path


def test_helsinki_is_as_large_as_netconvert_makes_it(helsinki: City) -> None:
    # 409 edges, 577 lanes and 36 programs come out of netconvert without joining the
    # stubs under 5 m; joining them leaves a few less.
    assert 395 <= len(helsinki.streets) <= 415
    assert 560 <= len(helsinki.lanes) <= 580
    assert helsinki.signals["signal"].nunique() == 36
    # Of 433 building ways, those count that are no part of a relation.
    assert 415 <= helsinki.buildings["id"].str.startswith("way/").sum() <= 433


def test_helsinki_lies_in_helsinki(helsinki: City) -> None:
    west, south, east, north = helsinki.junctions.to_crs(4326).total_bounds
    assert 24.92 < west < east < 24.97
    assert 60.15 < south < north < 60.19
    assert helsinki.crs.to_epsg() == 32635


def test_lane_is_as_long_as_its_line(helsinki: City) -> None:
    # SUMO states the mean over a street's lanes, to the centimetre, 0.2 m at least.
    lanes = helsinki.lanes
    drawn = lanes.geometry.length.groupby(lanes["street"]).mean().to_numpy()
    stated = helsinki.streets["length_m"].to_numpy()
    assert np.abs(drawn - stated)[stated > 0.5].max() < 0.05


def test_lanes_of_a_street_are_counted_from_the_right(helsinki: City) -> None:
    lanes = helsinki.lanes
    for street, group in lanes.groupby("street"):
        assert group["index"].tolist() == list(range(len(group)))
        assert helsinki.streets["lanes"][street] == len(group)
    two = lanes[lanes["index"] == 1]
    for row in two.itertuples():
        right, left = lanes.geometry[row.Index - 1], row.geometry
        if right.length > 20:
            start, end = shapely.Point(right.coords[0]), shapely.Point(right.coords[1])
            area = shapely.LinearRing([start, end, shapely.Point(left.coords[0])])
            assert area.is_ccw, "lane 1 lies left of lane 0"


def test_movement_connects_streets_that_meet(helsinki: City) -> None:
    m, s = helsinki.movements, helsinki.streets
    assert (s["to_junction"].to_numpy()[m["street"]] == m["junction"]).all()
    assert (s["from_junction"].to_numpy()[m["to_street"]] == m["junction"]).all()
    assert (helsinki.lanes["street"].to_numpy()[m["lane"]] == m["street"]).all()
    assert (helsinki.lanes["street"].to_numpy()[m["to_lane"]] == m["to_street"]).all()


def test_movement_leads_from_the_end_of_its_lane_to_the_start_of_the_next(helsinki: City) -> None:
    m, lanes = helsinki.movements, helsinki.lanes.geometry.to_numpy()
    path = m.geometry.to_numpy()
    end = shapely.get_point(lanes[m["lane"]], -1)
    start = shapely.get_point(lanes[m["to_lane"]], 0)
    assert shapely.distance(shapely.get_point(path, 0), end).max() < 0.5
    assert shapely.distance(shapely.get_point(path, -1), start).max() < 0.5
    # SUMO states the mean over the parallel movements of two streets.
    difference = m.geometry.length.sub(m["length_m"])
    parallel = difference.groupby([m["street"], m["to_street"]]).mean()
    assert parallel.abs().quantile(0.95) < 0.1
    assert parallel.abs().max() < 1.5
    assert (m["wait_m"] <= m["length_m"]).all()


def test_every_signalled_movement_gets_green_and_fits_the_states(helsinki: City) -> None:
    states = helsinki.signals.groupby("signal")["state"].agg(list)
    controlled = helsinki.movements[helsinki.movements["signal"] >= 0]
    assert len(controlled) > 300
    for signal, link in zip(controlled["signal"], controlled["link"], strict=True):
        assert all(0 <= link < len(state) for state in states[signal])
        assert any(state[link] in "gG" for state in states[signal])


def test_signals_hardly_show_priority_green_to_two_that_cross(helsinki: City) -> None:
    states = helsinki.signals.groupby("signal")["state"].agg(list)
    signal = helsinki.movements["signal"].to_numpy()
    link = helsinki.movements["link"].to_numpy()
    clashes = pairs = 0
    for a, b in zip(helsinki.conflicts["movement"], helsinki.conflicts["foe"], strict=True):
        if signal[a] >= 0 and signal[a] == signal[b] and _cross(helsinki, a, b):
            both = any(s[link[a]] == s[link[b]] == "G" for s in states[signal[a]])
            clashes += both
            pairs += 1
    # netconvert lets one pair of left turns clash within a joined signal.
    assert clashes <= 2
    assert pairs > 500


def _cross(city: City, a: int, b: int) -> bool:
    """Return whether two movements share neither their first nor their last lane."""
    m = city.movements
    return bool(m["lane"][a] != m["lane"][b] and m["to_street"][a] != m["to_street"][b])


@pytest.mark.parametrize("fixture", ["helsinki_net", "grid_net"])
def test_conflicts_are_mutual_and_only_one_side_passes(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    city = City.from_sumo(request.getfixturevalue(fixture))
    pairs = set(zip(city.conflicts["movement"], city.conflicts["foe"], strict=True))
    assert pairs
    assert all((b, a) in pairs for a, b in pairs)
    junction = city.movements["junction"].to_numpy()
    assert all(junction[a] == junction[b] for a, b in pairs)
    yields = {(a, b) for a, b, y in city.conflicts.itertuples(index=False) if y}
    kind = city.junctions["kind"].to_numpy()
    street = city.movements["street"].to_numpy()
    priority = [
        (a, b) for a, b in pairs if kind[junction[a]] == "priority" and street[a] != street[b]
    ]
    assert all((a, b) in yields or (b, a) in yields for a, b in priority)


def test_indices_agree_with_sumolib_on_helsinki(helsinki_net: Path) -> None:
    assert _compare_with_sumolib(helsinki_net) > 800


def test_indices_agree_with_sumolib_on_a_grid(grid_net: Path) -> None:
    assert _compare_with_sumolib(grid_net) > 100


def test_indices_agree_with_sumolib_where_people_cross(data_dir: Path) -> None:
    # Adlershof has pedestrian crossings, which take request indices too.
    path = data_dir / "sumo" / "drt_adlershof" / "osm.net.xml.gz"
    assert _compare_with_sumolib(path) > 3000


def _compare_with_sumolib(path: Path) -> int:
    """Compare every movement's index, link and foes with sumolib's; return their number."""
    import sumolib

    city = City.from_sumo(path)
    net = sumolib.net.readNet(str(path), withInternal=True, withPrograms=True)
    names = city.lanes["id"].to_numpy()
    signal_ids = city.signals.groupby("signal")["id"].first()
    index_of: dict[Any, int] = {}
    for row, m in enumerate(city.movements.itertuples()):
        [peer] = [
            c
            for c in net.getLane(names[m.lane]).getOutgoing()
            if c.getToLane().getID() == names[m.to_lane]
        ]
        node = net.getNode(city.junctions["id"][m.junction])
        assert node.getLinkIndex(peer) == m.index
        assert peer.getDirection() == m.direction
        assert peer.getTLLinkIndex() == m.link
        if m.signal >= 0:
            assert peer.getTLSID() == signal_ids[m.signal]
        index_of[m.junction, m.index] = row
    for a, b, yields in city.conflicts.itertuples(index=False):
        ma, mb = city.movements.loc[a], city.movements.loc[b]
        node = net.getNode(city.junctions["id"][ma["junction"]])
        assert node.areFoes(ma["index"], mb["index"])
        assert (node._prohibits[ma["index"]][::-1][mb["index"]] == "1") == yields
    return len(city.movements)


def test_street_tables_hold_their_contract(helsinki: City) -> None:
    city_schema.validate(helsinki.tables, "helsinki")
    assert (
        helsinki.streets["cars"] | helsinki.streets["lorries"] | helsinki.streets["buses"]
    ).all()
    named = helsinki.streets.loc[helsinki.streets["name"] == "Mannerheimintie"]
    assert set(named["highway"]) <= {"primary", "secondary", "tertiary"}
    assert len(named)
    assert helsinki.streets["osm_id"].str.fullmatch(r"\d+(;\d+)*").all()
