"""`twin simulate` beside a real SUMO, and what it refuses."""

from __future__ import annotations

import gzip
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
import sumo
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import InputError, OutputError
from twin.traffic.peer import COLUMNS, simulate_files
from twin.traffic.sumo_routes import read_routes, seconds


def call(program: str, *arguments: object) -> None:
    environment = {**os.environ, "SUMO_HOME": str(sumo.SUMO_HOME)}
    path = Path(sumo.SUMO_HOME) / "bin" / program
    subprocess.run([path, *map(str, arguments)], check=True, env=environment, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of 3 x 3 with signals, streets of 300 m."""
    place = tmp_path_factory.mktemp("peer")
    call(
        "netgenerate", "--grid", "--grid.number", 3, "--grid.length", 300,
        "--default-junction-type", "traffic_light", "--no-turnarounds", "true",
        "-o", place / "grid.net.xml",
    )  # fmt: skip
    return place


def write(path: Path, body: str) -> Path:
    text = f"<routes>{body}</routes>"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def run(folder: Path, routes: Path, end: float = 600.0, begin: float = 0.0) -> pd.DataFrame:
    out = folder / "trips.csv"
    simulate_files(folder / "grid.net.xml", [routes], begin, end, 1, out)
    return pd.read_csv(out)


def peer(folder: Path, routes: Path, end: float = 600.0, *more: object) -> pd.DataFrame:
    out = folder / "tripinfo.xml"
    call(
        "sumo", "-n", folder / "grid.net.xml", "-r", routes, "-e", end, "--seed", 1,
        "--time-to-teleport", -1, "--tripinfo-output", out, "--no-step-log",
        "--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted",
        *more,
    )  # fmt: skip
    frame = pd.DataFrame([e.attrib for e in ET.parse(out).getroot()])
    names = ["depart", "arrival", "duration", "routeLength", "timeLoss"]
    return frame.astype(dict.fromkeys(names, float))


CALM = '<vType id="calm" speedFactor="1" sigma="0"/>'


def test_a_lone_vehicle_takes_the_way_and_the_time_of_sumo(folder: Path) -> None:
    """Length within 1 %, duration within 5 % of SUMO's, over ways with and without turns."""
    trips = "".join(
        f'<trip id="{k}" type="calm" depart="{97 * k}" departSpeed="max" from="{a}" to="{b}"/>'
        for k, (a, b) in enumerate([("A0B0", "B2C2"), ("A0A1", "A1A2"), ("C2B2", "A1A0")])
    )
    routes = write(folder / "lone.rou.xml", CALM + trips)
    ours, theirs = run(folder, routes), peer(folder, routes).sort_values("id")
    assert ours["route_length_m"].to_numpy() == pytest.approx(
        theirs["routeLength"].to_numpy(), rel=0.01, abs=6.0
    )
    # signals are met at other moments after a turn: seconds, not per cent, on short ways
    assert ours["duration_s"].sum() == pytest.approx(theirs["duration"].sum(), rel=0.05)


def test_a_busy_grid_is_close_to_sumo(folder: Path) -> None:
    """700 vehicles in ten minutes: mean duration of those who arrive within 12 % of SUMO."""
    ends = [("A0B0", "B2C2"), ("C2B2", "B0A0"), ("A2A1", "C1C0"), ("C0C1", "A1A2")]
    flows = "".join(
        f'<flow id="f{k}" begin="0" end="600" period="3.4" departSpeed="max" departLane="best" '
        f'from="{a}" to="{b}"/>'
        for k, (a, b) in enumerate(ends)
    )
    routes = write(folder / "busy.rou.xml.gz", flows)
    ours, theirs = run(folder, routes, 1200.0), peer(folder, routes, 1200.0)
    assert len(ours) == len(theirs) > 690
    arrived = theirs[theirs["arrival"] >= 0]
    assert ours["arrival_s"].notna().sum() == pytest.approx(len(arrived), rel=0.03)
    assert ours["duration_s"][ours["arrival_s"].notna()].mean() == pytest.approx(
        arrived["duration"].mean(), rel=0.12
    )


def test_rows_of_those_under_way_and_never_inserted(folder: Path) -> None:
    """Under way: no arrival, duration so far; never inserted: no departure, delay so far."""
    flood = '<flow id="f" begin="0" end="60" number="200" from="A0B0" to="B2C2"/>'
    table = run(folder, write(folder / "flood.rou.xml", flood), end=60.0)
    assert list(table.columns) == COLUMNS
    assert len(table) == 200
    never = table["depart_s"].isna()
    way = table["arrival_s"].isna() & ~never
    assert never.sum() > 50
    assert way.sum() > 5
    assert table.loc[never, ["duration_s", "time_loss_s", "arrival_s"]].isna().all(axis=None)
    assert (table.loc[never, "depart_delay_s"] > 0).all()
    assert (table.loc[way, "duration_s"] + table.loc[way, "depart_s"]).to_numpy() == pytest.approx(
        60.0, abs=0.02
    )


def test_flows_types_and_distributions(folder: Path) -> None:
    body = (
        '<vType id="truck" vClass="truck" length="12"/>'
        '<vTypeDistribution id="mix" vTypes="truck DEFAULT_VEHTYPE"/>'
        '<route id="r" edges="A0B0 B0C0"/>'
        '<flow id="a" type="mix" route="r" begin="0" end="100" vehsPerHour="360"/>'
        '<flow id="b" route="r" begin="0" end="100" probability="0.5"/>'
        '<flow id="c" route="r" begin="0" end="1000" period="exp(0.1)"/>'
        '<vehicle id="d" depart="0:01:30"><route edges="A0B0"/></vehicle>'
        '<vType id="bike" vClass="bicycle"/><vehicle id="e" type="bike" route="r" depart="5"/>'
        '<person id="p" depart="0"/>'
    )
    found = read_routes([write(folder / "all.rou.xml", body)], 0.0, 1000.0, seed=3)
    count = {n: sum(v.id.startswith(f"{n}.") for v in found.vehicles) for n in "abc"}
    assert count["a"] == 10
    assert 30 <= count["b"] <= 70
    assert 60 <= count["c"] <= 140
    assert [v.due_s for v in found.vehicles if v.id == "d"] == [90.0]
    assert {v.type for v in found.vehicles if v.id[0] == "a"} == {"truck", "DEFAULT_VEHTYPE"}
    assert found.skipped == {
        "vehicles that city streets do not carry": 1,
        "pedestrians and containers": 1,
    }


@given(st.integers(0, 3), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_times(days: int, hours: int, minutes: int, rest: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    assert seconds(f"{days}:{hours}:{minutes}:{rest}", "x") == total
    assert seconds(str(total), "x") == total


@pytest.mark.parametrize("text", ["-1", "nan", "soon", "1:2:3:4:5", "inf", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InputError, match="no time"):
        seconds(text, "here")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no vehicle is due"),
        ('<trip id="a" depart="0" from="A0B0" to="nowhere"/>', "'nowhere' is no street"),
        ('<vehicle id="a" depart="0"><route edges="A0B0 A2B2"/></vehicle>', "no connection from"),
        ('<trip id="a" type="x" depart="0" from="A0B0" to="B0C0"/>', "type 'x' is not defined"),
        ('<vehicle id="a" route="r" depart="0"/>', "route 'r' is undefined"),
        ('<trip id="a" depart="-5" from="A0B0" to="B0C0"/>', "'-5' is no time"),
        ('<trip id="a" depart="triggered" from="A0B0" to="B0C0"/>', "'triggered' is no time"),
        ('<trip id="a" depart="0"/>', "neither a route nor from and to"),
        ('<trip id="a" depart="0" from="A0B0"', "not readable as XML"),
    ],
)
def test_bad_routes_give_one_line_and_no_file(folder: Path, body: str, said: str) -> None:
    out = folder / "none.csv"
    routes = write(folder / "bad.rou.xml", body)
    with pytest.raises(InputError) as caught:
        simulate_files(folder / "grid.net.xml", [routes], 0.0, 100.0, 1, out)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("*none.csv*"))


@pytest.mark.parametrize("content", [b"", b"<html><body/></html>", b"<!DOCTYPE html><html>", b"\0"])
def test_what_is_no_route_file(folder: Path, content: bytes) -> None:
    path = folder / "odd.rou.xml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.rou\.xml"):
        read_routes([path], 0.0, 10.0)


def test_places_and_periods_that_cannot_be(folder: Path) -> None:
    routes = write(folder / "one.rou.xml", '<trip id="a" depart="0" from="A0B0" to="B0C0"/>')
    net = folder / "grid.net.xml"
    with pytest.raises(OutputError, match="no place for a CSV"):
        simulate_files(net, [routes], 0.0, 10.0, 1, folder)
    with pytest.raises(OutputError, match="no place for a CSV"):
        simulate_files(net, [routes], 0.0, 10.0, 1, folder / "missing" / "x.csv")
    with pytest.raises(InputError, match="ends after it begins"):
        simulate_files(net, [routes], 10.0, 10.0, 1, folder / "x.csv")
    with pytest.raises(InputError, match="cannot be read"):
        simulate_files(net, [folder / "no.xml"], 0.0, 10.0, 1, folder / "x.csv")
