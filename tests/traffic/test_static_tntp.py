"""TNTP files are read as the collection writes them, and refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import cli
from twin.errors import InputError
from twin.traffic.tntp import read_network, read_nodes, read_trips, to_geodataframe

TAGS = "<NUMBER OF ZONES> 2\t\n<NUMBER OF NODES> 3\n<FIRST THRU NODE> 3\n<NUMBER OF LINKS> 2\n"
HEAD = "~ \tInit node \tTerm node \tCapacity \tLength \tFree Flow Time \tB\tPower\tSpeed limit \tToll \tType\t;\n"
ROWS = "\t1\t3\t10\t1\t2.5\t0.15\t4\t0\t7\t1\t;\n\t3\t2\t20\t0.5\t1e1\t0.00E+00\t0\t0\t0\t1\t;\n"
NET = TAGS + "<END OF METADATA>\t\n\n\n" + HEAD + ROWS
TRIPS = (
    "<NUMBER OF ZONES> 2\n<TOTAL OD FLOW> 9\n<END OF METADATA>\n\nOrigin 1\n 1 : 3.0; 2 : 6.0;\n"
)


def written(folder: Path, text: str, name: str = "x.tntp") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


HEADS = [
    HEAD,
    HEAD.lower().replace(" node", "_node").replace("free flow time", "free_flow_time"),
    "~init_node term_node capacity length free_flow_time b power speed toll link_type ;\n",
    "~ Tail\tHead\tCapacity (veh/h)\tLength (ft)\tFree Flow Time (min)\tB\tPower\tSpeed (ft/min)"
    "\tToll\tType\t;\n",
    "~from  to  capacity  length  ftime(min)  B  power  speed(mpm)  toll  type\n",
    "~ a comment\n" + HEAD + "~ another: made by hand\n",
    "",
]


@pytest.mark.parametrize("head", HEADS)
def test_columns_follow_the_header(tmp_path: Path, head: str) -> None:
    net = read_network(written(tmp_path, NET.replace(HEAD, head)))
    assert (net.n_zones, net.n_nodes, net.first_thru_node) == (2, 3, 3)
    assert net.tail.tolist() == [1, 3]
    assert net.head.tolist() == [3, 2]
    assert net.capacity.tolist() == [10.0, 20.0]
    assert net.free_flow_time.tolist() == [2.5, 10.0]
    assert net.b.tolist() == [0.15, 0.0]
    assert net.power.tolist() == [4.0, 0.0]
    assert net.toll.tolist() == [7.0, 0.0]


def test_columns_may_stand_in_another_order_and_some_may_be_missing(tmp_path: Path) -> None:
    head = (
        "~ \tlink_id\tinit_node\tterm_node\ttoll\tlength\tcapacity\tpower\tb\tfree_flow_time\t;\n"
    )
    rows = "8 1 3 7 1 10 4 0.15 2.5;\n  9 3 2 0 0.5 20 0 0 10 ; ~ the bridge\n"
    net = read_network(written(tmp_path, TAGS + "<END OF METADATA>\n" + head + rows))
    same = read_network(written(tmp_path, NET, "y.tntp"))
    for name in ("tail", "head", "capacity", "length", "free_flow_time", "b", "power", "toll"):
        assert getattr(net, name).tolist() == getattr(same, name).tolist()
    without = read_network(written(tmp_path, NET.replace("Toll \tType", "").replace(
        "\t0\t7\t1\t;", "\t0;").replace("\t0\t0\t1\t;", "\t0;")))  # fmt: skip
    assert without.toll.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("\t10\t1\t2.5", "\tten\t1\t2.5"), "x.tntp:9: capacity is 'ten'; give a number"),
        (("\t1\t3\t10", "\t1.5\t3\t10"), "x.tntp:9: init_node is 1.5; nodes are whole"),
        (("\t3\t2\t20", "\t3\t-2\t20"), "x.tntp:10: term_node is -2"),
        (("0.00E+00\t0\t0\t0\t1", "0"), "x.tntp:10: has 6 values where the header names 10"),
        (("\t0\t7\t1\t;", "\t0\t7\t1\t5\t5;"), "x.tntp:9: has 12 values"),
        (("OF LINKS> 2", "OF LINKS> 3"), "has 2 links where <NUMBER OF LINKS> says 3"),
        (("OF ZONES> 2", "OF ZONES> two"), "<NUMBER OF ZONES> is 'two'"),
        (("<NUMBER OF ZONES> 2", ""), "<NUMBER OF ZONES> is missing"),
        (("<END OF METADATA>", ""), "has no <END OF METADATA>"),
        ((ROWS, ""), "has no links"),
        (("Capacity \t", ""), "has no column capacity"),
        ((ROWS, "Origin 1\n2 : 3;\n"), "holds trips, not links"),
    ],
)
def test_bad_networks_are_told_with_their_line(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(InputError) as error:
        read_network(written(tmp_path, NET.replace(*change)))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_trips_are_read_whatever_the_spacing(tmp_path: Path) -> None:
    text = TRIPS.replace("\n 1 : 3.0; 2 : 6.0;", "\n1:3.0;2 :4;\n~ more\n\n   2 :\t2.0 ;")
    text = text.replace("Origin 1", "Origin \t1 ") + "origin 2\n  1 :  1.5;\n"
    demand = read_trips(written(tmp_path, text))
    assert demand.origin.tolist() == [1, 1, 2]
    assert demand.destination.tolist() == [1, 2, 1]
    assert demand.volume.tolist() == [3.0, 6.0, 1.5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("2 : 6.0", "2 : six"), "x.tntp:6: '2 : six' is no 'destination : trips'"),
        (("2 : 6.0", "2 : -6"), "x.tntp:6: '2 : -6' is no"),
        (("2 : 6.0", "2 : inf"), "x.tntp:6: '2 : inf' is no"),
        (("2 : 6.0", "2 6.0"), "x.tntp:6: '2 6.0' is no"),
        (("2 : 6.0", "b : 6.0"), "x.tntp:6: destination is 'b'"),
        (("2 : 6.0", "7 : 6.0"), "trips of zone 7 where <NUMBER OF ZONES> says 2"),
        (("Origin 1", "Origin one"), "x.tntp:5: origin is 'one'"),
        (("Origin 1\n", "\n"), "x.tntp:6: '1 : 3.0; 2 : 6.0;' stands before any 'Origin n'"),
        ((" 1 : 3.0; 2 : 6.0;", ""), "holds no trips"),
    ],
)
def test_bad_trips_are_told_with_their_line(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(InputError) as error:
        read_trips(written(tmp_path, TRIPS.replace(*change)))
    assert words in str(error.value)


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_network(tmp_path / "none.tntp")
    with pytest.raises(InputError, match="is a folder"):
        read_trips(tmp_path)
    (tmp_path / "b.tntp").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(InputError, match="is it a TNTP file"):
        read_network(tmp_path / "b.tntp")


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet="<>~;:\t\n 0123456789.eE-Originabcnan", max_size=200))
def test_whatever_a_file_holds_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.tntp"
    for read, start in ((read_network, TAGS + "<END OF METADATA>\n"), (read_trips, TRIPS)):
        path.write_text(start + text, encoding="utf-8")
        try:
            read(path)
        except InputError as error:
            assert str(path) in str(error)


def test_links_lie_between_their_nodes(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "assignment" / "SiouxFalls"
    net = read_network(folder / "SiouxFalls_net.tntp")
    nodes = read_nodes(folder / "SiouxFalls_node.tntp", crs="EPSG:4326")
    lines = to_geodataframe(net, nodes)
    assert len(lines) == 76
    first, point = lines.geometry.iloc[0], nodes.geometry.loc[net.head[0]]
    assert first.coords[1] == (point.x, point.y)
    assert lines.crs == nodes.crs
    with pytest.raises(InputError, match="node 24 has no coordinates"):
        to_geodataframe(net, nodes.drop(index=24))
    with pytest.raises(InputError, match=r"x\.tntp:2: '1 2' is no node"):
        read_nodes(written(tmp_path, "node x y\n1 2\n"))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    code = end.value.code
    out, err = capsys.readouterr()
    return (code if isinstance(code, int) else 0), out, err


def test_command_writes_the_links_in_their_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net, trips = written(tmp_path, NET, "n.tntp"), written(tmp_path, TRIPS, "t.tntp")
    out = tmp_path / "made" / "flows.csv"
    code, text, _ = call(capsys, "assign", "--net", net, "--trips", trips, "--out", out,
                         "--toll-factor", 2)  # fmt: skip
    assert code == 0
    table = np.genfromtxt(out, delimiter=",", names=True)
    assert table.dtype.names == ("from", "to", "flow", "cost")
    assert table["from"].tolist() == [1, 3]
    assert table["flow"].tolist() == [6.0, 6.0]
    # 2.5 (1 + 0.15 0.6^4) + 2 * 7, and a link whose power is 0 and b is 0.
    np.testing.assert_allclose(table["cost"], [2.5 * (1 + 0.15 * 0.6**4) + 14.0, 10.0])
    for words in ("Beckmann objective", "total travel time", "total generalised cost",
                  "relative gap", "iterations", "seconds", "trips inside a zone"):  # fmt: skip
        assert words in text


def test_command_tells_errors_in_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net = written(tmp_path, NET.replace("OF ZONES> 2", "OF ZONES> 3"), "n.tntp")
    trips = written(tmp_path, TRIPS.replace("2 : 6.0", "3 : 6.0").replace("ZONES> 2", "ZONES> 3"))
    out = tmp_path / "flows.csv"
    cut_off = written(tmp_path, trips.read_text().replace("Origin 1", "Origin 2"), "c.tntp")
    code, _, err = call(capsys, "assign", "--net", net, "--trips", cut_off, "--out", out)
    assert code == 1
    assert err.count("\n") == 1
    assert "trips from zone 2 to zone 1 have no path" in err
    assert not out.exists()
    code, _, err = call(capsys, "assign", "--net", tmp_path / "no", "--trips", trips, "--out", out)
    assert code == 1
    assert err.startswith("Error: ")
    code, _, err = call(capsys, "assign", "--net", net, "--trips", trips, "--out", tmp_path)
    assert code == 1
    assert err.count("\n") == 1


def test_command_says_when_the_gap_is_not_reached(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data_dir: Path
) -> None:
    folder = data_dir / "assignment" / "SiouxFalls"
    out = tmp_path / "flows.csv"
    code, text, _ = call(
        capsys, "assign", "--net", folder / "SiouxFalls_net.tntp", "--trips",
        folder / "SiouxFalls_trips.tntp", "-o", out, "--gap", "1e-9", "--max-iterations", 3,
    )  # fmt: skip
    assert code == 0
    assert "above 1e-09: allow more --max-iterations" in text
    assert len(out.read_text().splitlines()) == 77
