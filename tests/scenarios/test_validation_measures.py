"""Marks, lock-ups and edge data of `twin validate` on hand-made tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.validation import measures, routes, sumo, words
from scenarios.validation.cases import Case
from scenarios.validation.harness import Result
from scenarios.validation.runs import Run, onset_s
from twin.cache import Cache, key
from twin.errors import OutputError

DUE = pd.Index([f"v{k}" for k in range(40)], dtype=object, name="id")


def run(duration: np.ndarray, delay: float = 20.0, street: np.ndarray | None = None) -> Run:
    """A run in which every vehicle is due at 0; NaN durations have not arrived."""
    duration = np.asarray(duration, float)
    trips = pd.DataFrame(
        {
            "due_s": 0.0,
            "depart_s": 1.0,
            "arrival_s": 1.0 + duration,
            "duration_s": duration,
            "delay_s": delay,
        },
        DUE,
    )
    street = np.arange(1.0, 21.0) if street is None else street
    streets = pd.DataFrame(
        {"vehicles": 10.0, "seconds": 10.0 * street},
        pd.Index([f"s{k}" for k in range(len(street))], dtype=object, name="street"),
    )
    return Run(trips, streets, pd.DataFrame(), pd.DataFrame())


def found(sumo_runs: list[Run], kernel_runs: list[Run]) -> dict[str, measures.Measure]:
    return {m.name: m for m in measures.compare(DUE, sumo_runs, kernel_runs)}


BASE = np.linspace(50.0, 150.0, 40)


def test_equal_runs_meet_every_mark() -> None:
    got = found([run(BASE), run(BASE)], [run(BASE)])
    assert {name: m.met for name, m in got.items()} == dict.fromkeys(got, True)
    assert got["duration"].value == 0.0
    assert got["trips"].value == pytest.approx(1.0)
    assert got["streets"].value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("ours", "theirs", "mark", "met"),
    [
        (1.049, (1.0, 1.0), 0.05, True),
        (1.051, (1.0, 1.0), 0.05, False),
        (0.949, (1.0, 1.0), 0.05, False),
        (1.09, (0.97, 1.03), 0.10, True),  # SUMO's seeds spread by 6 %
        (1.11, (0.97, 1.03), 0.10, False),
    ],
)
def test_mean_duration(ours: float, theirs: tuple[float, ...], mark: float, met: bool) -> None:
    m = found([run(f * BASE) for f in theirs], [run(ours * BASE)])["duration"]
    assert m.value == pytest.approx(ours - 1.0)
    assert (m.mark, m.met) == (mark, met)


@pytest.mark.parametrize(("ours", "met"), [(22.9, True), (23.1, False), (16.9, False)])
def test_mean_delay_counts_all_who_were_due(ours: float, met: bool) -> None:
    """Who never arrived has a delay too; a vehicle that a run does not know has none."""
    never = np.full(40, np.nan)
    m = found([run(never)] * 2, [run(never, ours)])["delay"]
    assert m.value == pytest.approx(ours / 20.0 - 1.0)
    assert m.met is met
    half = run(BASE)
    short = Run(half.trips.iloc[:20], half.streets, half.course, half.intervals)
    assert found([short] * 2, [run(BASE)])["delay"].sumo.tolist() == [10.0, 10.0]


def test_arrivals_within_the_range_of_sumo() -> None:
    def but(n: int) -> Run:
        duration = BASE.copy()
        duration[:n] = np.nan
        return run(duration)

    m = found([but(0), but(0)], [but(1)])["arrivals"]
    assert (m.mark, m.met) == (0.02, False)  # 39 of 40 are 2.5 % less
    m = found([but(0), but(2)], [but(2)])["arrivals"]
    assert m.mark == pytest.approx(2 / 39)
    assert m.met is True


def test_correlation_of_single_trips_is_judged_by_that_of_sumo() -> None:
    rng = np.random.default_rng(1)
    runs = [run(BASE + rng.normal(0.0, 30.0, 40)) for _ in range(3)]
    noisy = run(BASE + rng.normal(0.0, 300.0, 40))
    d = np.stack([r.trips["duration_s"] for r in runs], axis=1)
    own = [np.corrcoef(d[:, k], np.delete(d, k, 1).mean(axis=1))[0, 1] for k in range(3)]
    m = found(runs, [noisy])["trips"]
    assert m.sumo == pytest.approx(own)
    assert m.mark == pytest.approx(0.95 * np.mean(own))
    assert m.met is False
    assert found(runs, [run(d.mean(axis=1))])["trips"].met is True


def test_only_trips_that_arrived_in_every_run_are_correlated() -> None:
    """A trip that is missing in one run would spoil the correlation here."""
    spoilt = BASE.copy()
    spoilt[3] = 9000.0
    missing = BASE.copy()
    missing[3] = np.nan
    m = found([run(spoilt), run(missing)], [run(BASE)])["trips"]
    assert m.value == pytest.approx(1.0)


def test_rank_correlation_of_streets_ignores_scale_and_rare_streets() -> None:
    times = np.arange(1.0, 21.0)
    m = found([run(BASE)] * 2, [run(BASE, street=times**2)])["streets"]
    assert m.value == pytest.approx(1.0)
    m = found([run(BASE)] * 2, [run(BASE, street=times[::-1])])["streets"]
    assert m.value == pytest.approx(-1.0)
    assert m.met is False
    rare = run(BASE)
    rare.streets.loc[rare.streets.index[:15], "vehicles"] = 9.0
    assert found([rare] * 2, [run(BASE)])["streets"].met is None  # five streets are left


def test_nothing_to_compare_is_not_judged() -> None:
    none = run(np.full(40, np.nan), delay=0.0)
    got = found([none, none], [none])
    assert got["duration"].met is None
    assert got["trips"].met is None
    assert got["delay"].met is True
    assert found([none, none], [run(BASE, 5.0)])["delay"].met is None  # no share of nothing


def result(measured: list[measures.Measure], onsets: list[float | None]) -> Result:
    case = Case("small.town", "Own", "a town", lambda _programs, _cache: None)
    return Result(case, 40, 0.0, 3600.0, measured, [], [], DUE, 1.0, {"stops": 3}, onsets, [None])


def test_a_missed_mark_is_red_bold_and_said_in_words() -> None:
    got = result(measures.compare(DUE, [run(BASE)] * 2, [run(1.1 * BASE, 17.5)]), [None, None])
    row = words.table_row(got)
    assert "| 🔴 **+10.0 %** |" in row
    assert "| −12.5 % |" in row  # of delay: met, so neither red nor bold
    assert row.count("🔴") == 1
    (said,) = words.missed(got)
    assert "mean duration is 10.0 % above SUMO's, the mark is 5.0 %" in said
    page = words.page([row], [said], [words.section(got)], {"far": "no file"}, "twin x", 2)
    assert "One mark is missed." in page
    assert page.count("10.0 % above") == 2  # in the list, and with the case
    assert "- far: no file" in page
    assert "stops: 3" in page
    assert "locks up at" not in page


def test_lock_ups_are_told_by_seed() -> None:
    got = result(measures.compare(DUE, [run(BASE)] * 2, [run(BASE)]), [None, 600.0])
    told = words.section(got)
    assert "SUMO locks up at, by seed: none, 0:10." in told
    assert "The kernel does not lock up" in told
    assert "compared up to 0:10" in told


def course(running: list[int], halting: list[int], arrived: list[int]) -> pd.DataFrame:
    times = pd.Index(10.0 * np.arange(len(running)), name="time_s")
    return pd.DataFrame({"running": running, "halting": halting, "arrived": arrived}, times)


def test_lock_up_begins_with_the_first_still_sample() -> None:
    free, still = 50, 32  # the first still sample saw the last arrival: 31 more span 300 s

    def until(last: int) -> pd.DataFrame:
        halting, arrived = [5] * free + [18] * last, [*range(free), *[free] * last]
        return course([20] * (free + last), halting, arrived)

    assert onset_s(until(still)) == 510.0
    assert onset_s(until(still - 1)) is None


@pytest.mark.parametrize(
    ("running", "halting", "every"),
    [
        (20, 17, 10**6),  # 85 % stand: they move up
        (0, 0, 10**6),  # nobody is there
        (20, 20, 20),  # somebody arrives every 200 s
    ],
)
def test_no_lock_up(running: int, halting: int, every: int) -> None:
    n = 100
    assert onset_s(course([running] * n, [halting] * n, [k // every for k in range(n)])) is None


def test_edge_data_counts_fronts_and_ways_through_junctions(tmp_path: Path) -> None:
    """Two vehicles pass a street of 100 m in 10 s each and 3 s each through the junction."""
    (tmp_path / "edges.xml").write_text(
        "<meandata>"
        '<interval begin="0.00" end="300.00">'
        '<edge id="a" sampledSeconds="21.0" traveltime="10.0" distance="200" speed="10"'
        ' left="1" arrived="1"/>'
        '<edge id=":j_0" sampledSeconds="9.0" traveltime="3.0" distance="20" speed="3"'
        ' left="2" arrived="0"/></interval>'
        '<interval begin="300.00" end="600.00">'
        '<edge id="a" sampledSeconds="50.0" distance="0" left="0" arrived="0"/></interval>'
        "</meandata>"
    )
    (tmp_path / "net.xml").write_text(
        '<net><edge id="a"><lane id="a_0" length="100"/></edge>'
        '<edge id=":j_0"><lane id=":j_0_0" length="10"/></edge>'
        '<connection from="a" to="b" via=":j_0_0"/><connection from=":j_0" to="b" via=":j_1_0"/>'
        "</net>"
    )
    inside = sumo.inside(tmp_path / "net.xml")
    assert inside.origin == {":j_0": "a", ":j_1": "a"}
    streets, intervals = sumo.read_edges(tmp_path / "edges.xml", inside)
    assert streets.loc["a"].tolist() == [2.0, 76.0]
    assert intervals["distance_m"].tolist() == [220.0, 0.0]
    assert intervals["time_s"].tolist() == [26.0, 50.0]


def test_cut_keeps_who_is_due_before(tmp_path: Path) -> None:
    rows = "".join(
        f'<vehicle id="{k}" depart="{k}.00"><route edges="a"/></vehicle>' for k in range(5)
    )
    source = tmp_path / "all.rou.xml"
    source.write_text(f'<routes><vType id="x"/>{rows}</routes>')
    place = sumo.Place(tmp_path / "net.xml", source, 0.0, 3.0)
    early = routes.cut(source, place, tmp_path / "cut.rou.xml")
    text = early.routes.read_text()
    assert text.count("<vehicle") == 3
    assert '<vType id="x"' in text
    assert text.count("<route ") == 3


def test_the_cache_holds_whole_folders_only(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kept")

    def half(folder: Path) -> None:
        (folder / "part").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.folder_of("a", half)
    assert list((tmp_path / "kept").iterdir()) == []
    made = cache.folder_of("a", lambda folder: (folder / "part").write_text("y"))
    assert (made / "part").read_text() == "y"
    assert cache.folder_of("a", half) == made
    with pytest.raises(RuntimeError):
        Cache(tmp_path / "kept", fresh=True).folder_of("a", half)
    assert (made / "part").read_text() == "y"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="XDG_CACHE_HOME"):
        Cache(tmp_path / "file").folder_of("a", half)


def test_the_key_changes_with_what_a_file_contains(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("1")
    one = key([file], "a", 1.0)
    assert key([file], "a", 1.0) == one
    assert key([file], "a", 2.0) != one
    file.write_text("2")
    assert key([file], "a", 1.0) != one


def test_the_key_does_not_change_with_the_time_that_sumo_writes(tmp_path: Path) -> None:
    net = tmp_path / "x.net.xml"
    net.write_text("<!-- generated on\n Monday --><net><edge/></net>")
    monday = key([net])
    net.write_text("<!-- generated on\n Tuesday --><net><edge/></net>")
    assert key([net]) == monday
    net.write_text("<!-- generated on\n Tuesday --><net><lane/></net>")
    assert key([net]) != monday
