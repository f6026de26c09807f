"""GMNS: what we export comes back; what others write is read with its units and its gaps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from twin.city import City
from twin.city.opening import open_city
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

MILE_M, FOOT_M = 1609.344, 0.3048

# A crossing in degrees: east-west with two lanes and a signal, north-south undirected, and a
# bikeway. One link has neither speed nor lanes, one a bend.
NODES = """node_id,x_coord,y_coord,ctrl_type
1,-71.1000,42.3700,signal
2,-71.1030,42.3700,
3,-71.0970,42.3700,
4,-71.1000,42.3720,
5,-71.1000,42.3680,
"""
LINKS = """link_id,name,from_node_id,to_node_id,directed,geometry,dir_flag,length,facility_type,capacity,free_speed,lanes,allowed_uses
21,"Broadway, west",2,1,1,,1,0.153,arterial,1800,30,2,ALL
13,Broadway,1,3,1,"LINESTRING (-71.0970 42.3700, -71.0985 42.3702, -71.1000 42.3700)",-1,0.153,arterial,1800,30,2,"car, truck,bus"
31,Broadway,3,1,true,,1,,arterial,,30,2,
12,Broadway,1,2,1,,1,,arterial,,,,
14,Ames & Main St,1,4,0,,0,0.138,local,900,20,1,MOTORISED
15,Ames St,1,5,False,,0,,local,900,20,1,auto
99,Path,2,4,0,,0,,bikeway,,12,1,"BIKE,WALK"
98,Walk,2,5,0,,0,,sidewalk,,,,
"""
CONFIG = "dataset_name,short_length,long_length,speed,crs\nCrossing,foot,mile,mph,4326\n"
GROUPS = 'use_group,uses\nMOTORISED,"auto,trucks"\n'

Tables = dict[str, str]


@pytest.fixture
def tables() -> Tables:
    return {"node": NODES, "link": LINKS, "config": CONFIG, "use_group": GROUPS}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Tables], Path]:
    def write(tables: Tables) -> Path:
        folder = tmp_path / "gmns"
        folder.mkdir(exist_ok=True)
        for name, text in tables.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    return write


def movements(city: City) -> pd.DataFrame:
    """Return right of way and what the signal shows second by second, by lanes joined.

    By seconds, because netconvert joins phases that differ for pedestrians only.
    """
    street, lane = city.streets["id"].to_numpy(), city.lanes["index"].to_numpy()
    m = city.movements
    keys = [street[m["street"]], lane[m["lane"]], street[m["to_street"]], lane[m["to_lane"]]]
    programs = city.signals.sort_values(["signal", "phase"]).groupby("signal")
    states = programs.apply(
        lambda p: [
            s for s, d in zip(p["state"], p["duration_s"], strict=True) for _ in range(round(d))
        ]
    )
    shown = [
        "".join(s[link] for s in states[signal]) if signal >= 0 else ""
        for signal, link in zip(m["signal"], m["link"], strict=True)
    ]
    data = {"right_of_way": m["right_of_way"].to_numpy(), "shown": shown}
    return pd.DataFrame(data, index=pd.MultiIndex.from_arrays(keys)).sort_index()


def assert_comes_back(city: City, folder: Path) -> City:
    """Check that a city's network is the same after export and reading."""
    back = City.from_gmns(city.to_gmns(folder))
    assert back.crs == city.crs
    assert back.name == city.name
    one, two = city.streets.set_index("id"), back.streets.set_index("id").loc[city.streets["id"]]
    exact = ["lanes", "cars", "lorries", "buses", "name", "highway"]
    pd.testing.assert_frame_equal(pd.DataFrame(one[exact]), pd.DataFrame(two[exact]))
    np.testing.assert_allclose(two["length_m"], one["length_m"], atol=0.0015)
    np.testing.assert_allclose(two["speed_m_s"], one["speed_m_s"], atol=0.005)
    assert one.geometry.hausdorff_distance(two.geometry).max() < 0.002
    by_lane = [c.lanes.assign(s=c.streets["id"].to_numpy()[c.lanes["street"]]).set_index(
        ["s", "index"]).sort_index()[["cars", "lorries", "buses", "width_m"]]
        for c in (city, back)]  # fmt: skip
    pd.testing.assert_frame_equal(*map(pd.DataFrame, by_lane), atol=0.005)
    ends = [set(zip(c.junctions["id"].to_numpy()[c.streets["from_junction"]],
                    c.junctions["id"].to_numpy()[c.streets["to_junction"]], c.streets["id"],
                    strict=True)) for c in (city, back)]  # fmt: skip
    assert ends[0] == ends[1]
    was, now = movements(city), movements(back)
    assert was.index.equals(now.index)
    assert was["shown"].equals(now["shown"])
    assert set(back.options["assumed"]) <= {"signal programs guessed by netconvert"}
    return back


def test_helsinki_comes_back_as_it_went(helsinki: City, tmp_path: Path) -> None:
    back = assert_comes_back(helsinki, tmp_path / "gmns")
    assert movements(helsinki)["right_of_way"].equals(movements(back)["right_of_way"])
    assert helsinki.junctions["kind"].tolist() == back.junctions["kind"].tolist()
    assert back.options["assumed"] == {}
    times = [column for column in helsinki.signals if column != "state"]  # links are counted anew
    pd.testing.assert_frame_equal(helsinki.signals[times], back.signals[times], atol=0.005)
    assert back.sources[0]["what"] == "GMNS network"


def test_a_network_without_projection_comes_back(grid_net: Path, tmp_path: Path) -> None:
    assert_comes_back(City.from_sumo(grid_net), tmp_path / "gmns")


def test_actuated_programs_of_a_real_network_come_back(data_dir: Path, tmp_path: Path) -> None:
    city = City.from_sumo(data_dir / "sumo" / "drt_adlershof" / "osm.net.xml.gz")
    assert_comes_back(city, tmp_path / "gmns")


def test_units_and_names_are_those_of_the_tables(
    tables: Tables, written: Callable[[Tables], Path]
) -> None:
    city = City.from_gmns(written(tables))
    assert city.name == "Crossing"
    assert city.crs.to_epsg() == 32619  # UTM of Massachusetts
    streets = city.streets.set_index("id")
    assert set(streets.index) == {"21", "13", "31", "12", "14", "-14", "15", "-15"}
    assert streets.loc["21", "length_m"] == pytest.approx(0.153 * MILE_M, abs=0.01)
    assert streets.loc["13", "speed_m_s"] == pytest.approx(30 * 0.44704, abs=0.01)
    assert streets.loc["21", "name"] == "Broadway, west"
    assert streets.loc["14", "name"] == "Ames & Main St"
    assert streets.loc["21", "lanes"] == 2
    assert (streets.loc["14", "cars"], streets.loc["14", "buses"]) == (True, False)
    assert (streets.loc["15", "cars"], streets.loc["15", "lorries"]) == (True, False)
    # The bend is drawn from node 3 to node 1 and turned round: dir_flag is -1.
    assert len(streets.loc["13"].geometry.coords) == 3
    assert streets.loc["13"].geometry.coords[0][0] < streets.loc["13"].geometry.coords[-1][0]


def test_gaps_are_filled_and_said(tables: Tables, written: Callable[[Tables], Path]) -> None:
    city = City.from_gmns(written(tables))
    streets = city.streets.set_index("id")
    assert streets.loc["12", "lanes"] == 1
    assert streets.loc["12", "speed_m_s"] == pytest.approx(50 / 3.6, abs=0.01)
    # No length: that of the line, less the junction.
    assert 200.0 < streets.loc["31", "length_m"] < 248.0
    assert city.options["assumed"] == {
        "junctions with a signal but no complete program": 1,
        "links with one lane, lanes not given": 1,
        "links without motor vehicles left out": 2,
        "movements, movement.csv not given: by netconvert": 1,
        "speeds by facility type, free_speed not given": 1,
    }
    assert city.signals["signal"].nunique() == 1
    assert len(city.movements) > 0


MOVES = """mvmt_id,node_id,ib_link_id,start_ib_lane,end_ib_lane,ob_link_id,start_ob_lane,end_ob_lane,type,ctrl_type
a,1,21,1,2,13,1,2,thru,signal
b,1,21,2,,15,1,,right,signal
c,1,15,1,,14,1,,thru,signal
d,1,14,-1,,13,1,,left,signal
e,1,99,1,,13,1,,left,signal
"""  # fmt: skip
PLANS = "timing_plan_id,controller_id,cycle_length\np1,c1,60\n"
PHASES = """timing_phase_id,timing_plan_id,signal_phase_num,min_green,max_green,clearance,ring,barrier,position
f2,p1,4,10,20,5,1,1,2
f1,p1,2,20,40,5,1,1,1
"""
SERVED = "signal_phase_mvmt_id,timing_phase_id,mvmt_id,protection\n1,f1,a,protected\n2,f1,b,protected\n3,f2,c,protected\n4,f2,d,permitted\n"


def test_movements_join_the_lanes_that_they_name(
    tables: Tables, written: Callable[[Tables], Path]
) -> None:
    tables["movement"] = MOVES
    found = movements(City.from_gmns(written(tables)))
    # What ends at nodes that movement.csv does not know is netconvert's choice.
    found = found[found.index.get_level_values(0).isin(["21", "31", "-14", "-15"])]
    # Lanes count from the left in GMNS, from the right here.
    assert set(found.index) == {
        ("21", 0, "13", 0), ("21", 1, "13", 1), ("21", 0, "15", 0), ("-15", 0, "14", 0),
        ("-14", 0, "13", 1),
    }  # fmt: skip


def test_a_plan_of_one_ring_becomes_the_program(
    tables: Tables, written: Callable[[Tables], Path]
) -> None:
    tables |= {"movement": MOVES, "signal_timing_plan": PLANS, "signal_timing_phase": PHASES,
               "signal_phase_mvmt": SERVED}  # fmt: skip
    city = City.from_gmns(written(tables))
    assert city.signals["id"].unique().tolist() == ["c1"]
    # The cycle leaves 60 - 30 - 10 = 20 s, shared as the room between least and most: 2 to 1.
    times = [20 + 20 * 2 / 3, 3, 2, 10 + 20 / 3, 3, 2]
    np.testing.assert_allclose(city.signals["duration_s"], times, atol=0.01)
    shown = movements(city)["shown"]
    assert shown["21", 1, "13", 1] == "G" * 33 + "yyy" + "r" * 24
    assert shown["-14", 0, "13", 1] == "r" * 38 + "g" * 17 + "yyy" + "rr"
    assert "junctions with a signal but no complete program" not in city.options["assumed"]


def test_two_rings_are_left_to_netconvert_and_said(
    tables: Tables, written: Callable[[Tables], Path]
) -> None:
    rings = PHASES.replace("5,1,1,2", "5,2,1,2")
    tables |= {"movement": MOVES, "signal_timing_plan": PLANS, "signal_timing_phase": rings,
               "signal_phase_mvmt": SERVED}  # fmt: skip
    city = City.from_gmns(written(tables))
    assert city.options["assumed"]["signal programs guessed by netconvert"] == 1
    assert city.signals["signal"].nunique() == 1


def test_metres_and_feet_are_told_apart_without_a_config(
    written: Callable[[Tables], Path],
) -> None:
    nodes = "node_id,x_coord,y_coord\n1,322000,4698000\n2,322300,4698000\n3,322300,4698200\n"
    links = (
        "link_id,from_node_id,to_node_id,length,free_speed,lanes\na,1,2,{},30,1\nb,2,3,{},30,1\n"
    )
    feet = City.from_gmns(written({"node": nodes, "link": links.format(984, 656)}))
    assert feet.options["units"]["length"] == "foot"
    assert feet.streets["length_m"].tolist() == pytest.approx(
        [984 * FOOT_M, 656 * FOOT_M], abs=0.01
    )
    assert feet.streets["speed_m_s"].max() == pytest.approx(30 * 0.44704, abs=0.01)
    metres = City.from_gmns(written({"node": nodes, "link": links.format(300, 200)}))
    assert metres.options["units"]["length"] == "m"
    assert metres.streets["speed_m_s"].max() == pytest.approx(30 / 3.6, abs=0.01)
    assert metres.crs.is_engineering


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("node", ("42.3720", "north"), "node.csv:5: y_coord is 'north'; give a number"),
        ("node", ("\n5,", "\n4,"), "node.csv:6: node_id '4' is there twice"),
        ("node", ("x_coord", "lon"), "node.csv:1: has no column x_coord"),
        ("link", ("0.153,arterial", "-1,arterial"), "link.csv:2: length is -1; give 0 or more"),
        ("link", (",30,2,ALL", ",fast,2,ALL"), "link.csv:2: free_speed is 'fast'"),
        ("link", (",30,2,ALL", ",30,1.5,ALL"), "link.csv:2: lanes is 1.5; give a whole number"),
        ("link", (",30,2,ALL", ",30,99,ALL"), "link.csv:2: lanes is 99; give 1 to 32"),
        ("link", ('west",2,1', 'west",2,7'), "link.csv:2: to_node_id '7' is no node of node.csv"),
        ("link", ("LINESTRING (", "LINESTRING "), "link.csv:3: geometry 'LINESTRING -71"),
        ("config", ("mph", "knots"), "speed is 'knots'; give one of"),
        ("config", ("4326", "EPSG:1"), "crs 'EPSG:1' is unknown"),
        ("movement", ("a,1,21", "a,1,77"), "movement.csv:2: ib_link_id '77' is no link"),
        ("movement", ("a,1,21", "a,1,13"), "movement.csv:2: link '13' does not end at node '1'"),
        ("signal_phase_mvmt", (",f1,a", ",f1,z"), "movement 'z' is no row of movement.csv"),
        ("signal_timing_phase", ("f2,p1", "f2,p9"), "timing_plan_id 'p9' is no plan"),
    ],
)
def test_what_has_no_meaning_is_told_with_its_line(
    tables: Tables,
    written: Callable[[Tables], Path],
    table: str,
    change: tuple[str, str],
    words: str,
) -> None:
    tables |= {"movement": MOVES, "signal_timing_plan": PLANS, "signal_timing_phase": PHASES,
               "signal_phase_mvmt": SERVED}  # fmt: skip
    assert change[0] in tables[table]
    tables[table] = tables[table].replace(*change, 1)
    with pytest.raises(InputError) as error:
        City.from_gmns(written(tables))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_folders_that_are_none_are_told(tmp_path: Path, tables: Tables) -> None:
    with pytest.raises(InputError, match="no such folder"):
        City.from_gmns(tmp_path / "none")
    with pytest.raises(InputError, match=r"has no node\.csv"):
        City.from_gmns(tmp_path)
    (tmp_path / "node.csv").write_bytes(b"\xff\xfe\x00node_id")
    (tmp_path / "link.csv").write_text(LINKS)
    with pytest.raises(InputError, match="is no CSV file in UTF-8"):
        City.from_gmns(tmp_path)
    (tmp_path / "node.csv").write_text(NODES)
    (tmp_path / "link.csv").write_text(LINKS.splitlines()[0] + "\n")
    with pytest.raises(InputError, match=r"link\.csv: has no rows"):
        City.from_gmns(tmp_path)


def test_a_folder_of_tables_is_a_city_reference(
    tables: Tables, written: Callable[[Tables], Path], tmp_path: Path
) -> None:
    city = open_city(str(written(tables)), name="Mine")
    assert city.name == "Mine"
    assert open_city(str(city.save(tmp_path / "saved"))).digest == city.digest
