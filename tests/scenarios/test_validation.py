"""`twin validate` with the real SUMO on small networks of the user's own."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest

from scenarios import cli
from scenarios.validation import cases, harness, kernel, routes, sumo
from scenarios.validation.figures import INKS
from scenarios.validation.page import COLUMNS
from twin.cache import Cache
from twin.errors import InputError
from twin.traffic.sumo_configuration import read_configuration

GRID = (
    "--grid", "--grid.number", 3, "--grid.length", 150, "--grid.attach-length", 150,
    "--default-junction-type", "traffic_light", "--no-turnarounds",
)  # fmt: skip
DEMAND = """<routes>
<vType id="bike" vClass="bicycle"/>
<vTypeDistribution id="mix">
  <vType id="slow" maxSpeed="10" probability="0.3"/><vType id="van" vClass="delivery"
   probability="0.7"/>
</vTypeDistribution>
<route id="straight" edges="left1A1 A1B1 B1C1 C1right1"/>
<flow id="a" type="mix" begin="0" end="600" period="6" from="left0A0" to="C2top2"
 departSpeed="max" departLane="best"/>
<flow id="b" begin="0" end="600" probability="0.15" route="straight"/>
<trip id="t" type="short" depart="5" from="top0A2" to="C0bottom2"/>
<trip id="early" depart="10" from="top1B2" to="B0bottom1">
  <stop lane="B2B1_0" endPos="60" duration="20"/></trip>
<trip id="twowheels" type="bike" depart="12" from="left0A0" to="C2top2"/>
<trip id="nowhere" depart="14" line="7"/>
<person id="p" depart="20"><walk edges="left1A1 A1B1"/></person>
<vehicle id="late" depart="2000"><route edges="left1A1 A1B1"/></vehicle>
</routes>
"""


def programs_call(program: str, *arguments: object) -> None:
    sumo.Programs().call(program, *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of 3 x 3 signals, with demand and a configuration."""
    place = tmp_path_factory.mktemp("own")
    programs_call("netgenerate", *GRID, "-o", place / "net.net.xml")
    (place / "demand.rou.xml").write_text(DEMAND)
    (place / "more.add.xml").write_text(
        '<add><vType id="short" length="4.3" sigma="0.4"/><edgeData id="x" file="written.xml"/>'
        '<inductionLoop id="d" lane="A1B1_0" pos="9" period="60" file="loop.xml"/></add>'
    )
    (place / "own.sumocfg").write_text(
        '<configuration><input><net-file value="net.net.xml"/>'
        '<route-files value="demand.rou.xml"/><additional-files value="more.add.xml"/></input>'
        '<time><begin value="0"/><end value="0:15:00"/></time></configuration>'
    )
    return place


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "stadtzwilling" / "validation"


def table(page: Path) -> list[dict[str, str]]:
    with (page / "results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["validate", *map(str, arguments)])
    code = end.value.code
    return (code if isinstance(code, int) else 0), *capsys.readouterr()


def test_a_configuration_of_the_users_own(
    folder: Path, cached: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Page, table, pictures; what neither side carries is told; nothing else is written."""
    before = {path.name for path in folder.iterdir()}
    own, page = folder / "own.sumocfg", tmp_path / "page"
    code, out, err = call(capsys, own, "--end", 840, "--seeds", 2, "-o", page)
    assert (code, err) == (0, "")
    assert "[1/1] own:" in out
    assert {path.name for path in folder.iterdir()} == before
    rows = table(tmp_path / "page")
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 5
    by_name = {row["measure"]: row for row in rows}
    assert float(by_name["arrivals"]["sumo_mean"]) > 100
    assert abs(float(by_name["mean duration"]["value"])) < 0.25
    text = (page / "README.md").read_text()
    assert "`twin validate own.sumocfg --end 840 --seeds 2`" in text
    assert {row["end_s"] for row in rows} == {"840"}
    assert "vehicles of classes that city streets do not carry: 1" in text
    assert "stops of vehicles: 1" in text
    assert "pedestrians and containers: 1" in text
    assert "vehicles or flows without a way or a time: 1" in text
    for ink in INKS:
        picture = page / f"own-{ink.name}.png"
        assert picture.read_bytes()[:4] == b"\x89PNG"
        assert picture.stat().st_size < 60_000
        assert picture.name in text
    missed = [row for row in rows if row["met"] == "no"]
    assert text.count("🔴") >= 2 * len(missed)


def test_both_sides_get_the_same_vehicles_on_the_same_routes(folder: Path, tmp_path: Path) -> None:
    programs = sumo.Programs()
    demand = read_configuration(folder / "own.sumocfg")
    city = kernel.city_of(demand.net)
    routes.fix(demand, city, programs, tmp_path)
    place = sumo.Place(demand.net, tmp_path / "routes.rou.xml", demand.begin_s, demand.end_s)
    theirs = sumo.simulate(programs, place, 1, tmp_path)
    ours = kernel.simulate(city, place, 1)
    assert set(theirs.trips.index) == set(ours.trips.index)
    assert len(ours.trips) > 150
    due = theirs.trips["due_s"].reindex(ours.trips.index)
    assert ours.trips["due_s"].to_numpy() == pytest.approx(due.to_numpy(), abs=0.011)
    assert not {"twowheels", "nowhere", "late"} & set(ours.trips.index)
    assert {"t", "early", "a.0"} <= set(ours.trips.index)


def test_time_on_streets_is_the_time_of_all_trips(folder: Path, tmp_path: Path) -> None:
    """Of both sides: seconds on streets add up to the durations, within 1 % (ends of trips)."""
    programs = sumo.Programs()
    body = "".join(
        f'<vehicle id="{k}" depart="{7 * k}"><route edges="left1A1 A1B1 B1C1 C1right1"/></vehicle>'
        for k in range(80)
    )
    (tmp_path / "r.rou.xml").write_text(f"<routes>{body}</routes>")
    place = sumo.Place(folder / "net.net.xml", tmp_path / "r.rou.xml", 0.0, 1200.0)
    for run in (
        sumo.simulate(programs, place, 1, tmp_path),
        kernel.simulate(kernel.city_of(place.net), place, 1),
    ):
        assert run.trips["arrival_s"].notna().all()
        total = run.trips["duration_s"].sum()
        assert run.streets["seconds"].sum() == pytest.approx(total, rel=0.01)
        assert run.intervals["time_s"].sum() == pytest.approx(total, rel=0.02)
        assert run.streets.loc["A1B1", "vehicles"] == 80
        assert run.course["arrived"].iloc[-1] == 80
        assert run.intervals["distance_m"].sum() == pytest.approx(80 * 600, rel=0.03)


def test_a_killed_command_goes_on_where_it_was(
    folder: Path, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second run of SUMO: what was complete stays, the rest is not there."""
    ran: list[int] = []
    real = sumo.simulate

    def dies(programs: sumo.Programs, place: sumo.Place, seed: int, out: Path) -> object:
        if seed == 2 and ran == [1]:
            (out / "half.xml").write_text("<half")
            programs.end()
            raise KeyboardInterrupt
        done = real(programs, place, seed, out)
        ran.append(seed)
        return done

    monkeypatch.setattr(harness.sumo, "simulate", dies)
    case = cases.find([str(folder / "own.sumocfg")], None)[0]
    with pytest.raises(KeyboardInterrupt):
        harness.Harness(Cache(cached), seeds=3, workers=1).run(case)
    kept = sorted(cached.iterdir())
    assert len(kept) == 2  # routes and seed 1; neither a half run nor a temporary folder
    ran.append(0)  # does not die again
    again = harness.Harness(Cache(cached), seeds=3, workers=1).run(case)
    assert ran == [1, 0, 2, 3]
    assert len(again.sumo) == 3
    harness.Harness(Cache(cached), seeds=3, workers=1).run(case)
    assert ran == [1, 0, 2, 3]
    harness.Harness(Cache(cached, fresh=True), seeds=3, workers=1).run(case)
    assert ran == [1, 0, 2, 3, 1, 2, 3]


def test_a_lock_up_ends_the_comparison(
    cached: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Four streams around a block, right before left: everybody waits for everybody."""
    net = tmp_path / "block.net.xml"
    programs_call(
        "netgenerate", "--grid", "--grid.number", 2, "--grid.length", 60,
        "--grid.attach-length", 100, "--default-junction-type", "right_before_left",
        "--no-turnarounds", "-o", net,
    )  # fmt: skip
    ways = (
        "left0A0 A0B0 B0B1 B1A1 A1left1", "bottom1B0 B0B1 B1A1 A1A0 A0bottom0",
        "right1B1 B1A1 A1A0 A0B0 B0right0", "top0A1 A1A0 A0B0 B0B1 B1top1",
    )  # fmt: skip
    flows = "".join(
        f'<flow id="{k}" begin="{120 * (k > 1)}" end="900" period="4" departSpeed="max">'
        f'<route edges="{way}"/></flow>'
        for k, way in enumerate(ways)
    )
    (tmp_path / "block.rou.xml").write_text(f"<routes>{flows}</routes>")
    code, _, err = call(
        capsys, "--net", net, "--routes", tmp_path / "block.rou.xml", "--end", 900,
        "--seeds", 2, "-o", tmp_path / "page",
    )  # fmt: skip
    assert (code, err) == (0, "")
    page = (tmp_path / "page" / "README.md").read_text()
    assert "SUMO locks up at, by seed: 0:0" in page
    assert "Both are compared up to 0:0" in page
    rows = table(tmp_path / "page")
    assert 120 < float(rows[0]["end_s"]) < 600
    assert float(rows[-1]["sumo_max"]) > 10


def test_the_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--list")
    assert code == 0
    for case in cases.library(None):
        assert case.name in out


def test_cases_without_their_files_are_left_out() -> None:
    missing = {c.name for c in cases.library(None) if c.missing}
    assert {"port_cologne", "drt_adlershof", "lauf_busy", "kaiserslautern_jammed"} <= missing
    assert not {c.name for c in cases.library(None) if c.group == "Synthetic"} & missing
    with pytest.raises(InputError, match="port_cologne: needs open data"):
        cases.find(["port_cologne"], None)


def test_cases_of_the_open_data_are_there(data_dir: Path) -> None:
    groups = ("SUMO networks", "OpenStreetMap")
    assert not [c for c in cases.library(data_dir) if c.missing and c.group in groups]


@pytest.mark.parametrize("plan", [c.name for c in cases.library(None) if c.group == "Synthetic"])
def test_every_synthetic_network_carries_its_demand(plan: str, tmp_path: Path) -> None:
    case = cases.find([plan], None)[0]
    demand = case.demand(sumo.Programs(), Cache(tmp_path))
    city = kernel.city_of(demand.net)
    left_out = routes.fix(demand, city, sumo.Programs(), tmp_path)
    assert not left_out
    assert (tmp_path / "routes.rou.xml").read_text().count("<vehicle ") > 1000


def broken(folder: Path, out: Path) -> dict[str, tuple[list[object], str]]:
    """Arguments that are refused, and a word of what is said."""
    net, trips = folder / "net.net.xml", folder / "demand.rou.xml"
    files = {
        "nonet.sumocfg": "<configuration><input/></configuration>",
        "gone.sumocfg": '<configuration><net-file value="x.net.xml"/><route-files value="y"/>'
        "</configuration>",
        "bomb.sumocfg": "<!DOCTYPE x [<!ENTITY a 'b'>]><configuration/>",
        "cut.rou.xml": "<routes><trip",
        "late.rou.xml": '<routes><trip id="a" depart="9e6" from="left0A0" to="C2top2"/></routes>',
        "edge.rou.xml": '<routes><vehicle id="a" depart="0"><route edges="no"/></vehicle></routes>',
    }
    for name, text in files.items():
        (out / name).write_text(text)
    foreign = out / "foreign"
    foreign.mkdir()
    (foreign / "README.md").write_text("mine")
    return {
        "unknown": (["grid4x5"], "no such file"),
        "no net": ([out / "nonet.sumocfg"], "names no net-file"),
        "missing": ([out / "gone.sumocfg"], "no such file"),
        "doctype": ([out / "bomb.sumocfg"], "document type"),
        "alone": (["--net", net], "go together"),
        "cut off": (["--net", net, "--routes", out / "cut.rou.xml"], "not readable as XML"),
        "none due": (["--net", net, "--routes", out / "late.rou.xml"], "no vehicle from 0 to 3600"),
        "no edge": (["--net", net, "--routes", out / "edge.rou.xml"], "is not known"),
        "no net file": (["--net", trips, "--routes", trips], "demand.rou.xml"),
        "library period": (["roundabout", "--end", 60], "files of your own"),
        "a net as routes": (["--net", net, "--routes", net], "no SUMO route file"),
        "period": (["--net", net, "--routes", trips, "--begin", 50, "--end", 50], "period"),
        "twice": (["roundabout", "roundabout"], "twice"),
        "foreign": (["roundabout", "-o", foreign], "something else"),
    }


@pytest.mark.parametrize(
    "what",
    ["unknown", "no net", "missing", "doctype", "alone", "cut off", "none due", "no edge",
     "no net file", "period", "library period", "a net as routes", "twice", "foreign"],
)  # fmt: skip
def test_bad_input_is_told_in_one_line(
    what: str, folder: Path, cached: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments, word = broken(folder, tmp_path)[what]
    code, _, err = call(capsys, *arguments, "--seeds", 2)
    assert code == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert word in err
    assert (tmp_path / "foreign" / "README.md").read_text() == "mine"
    assert not (tmp_path / "validation" / "README.md").exists()
    assert not cached.exists() or not [p for p in cached.iterdir() if p.name.startswith(".")]


def test_a_run_that_is_ended_leaves_no_process(folder: Path) -> None:
    """After `end`, nothing more is started, and what runs is gone."""
    programs = sumo.Programs()
    threading.Timer(1.0, programs.end).start()
    with pytest.raises(sumo.Ended):  # would take for ever
        programs.call(
            "sumo", "-n", folder / "net.net.xml", "-e", 1e9, "--step-length", 0.001,
            "--no-step-log",
        )  # fmt: skip
    with pytest.raises(sumo.Ended):
        programs.call("sumo", "--version")
    with pytest.raises(InputError, match="sumo refuses it"):
        sumo.Programs().call("sumo", "--no-such-option")
