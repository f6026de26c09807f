"""Numbers and words of a presentation: streets by name, what is clear, limits, first layer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shapely import LineString

from scenarios.compare import compare
from scenarios.limits import Together
from scenarios.present_results import _spoken, results, told
from scenarios.present_tour import usual_tour
from scenarios.present_values import Change, Named, _change, both_ways, named, of_names
from scenarios.presenting import Content
from scenarios.runs import RunInfo, open_runs
from scenarios.tour_file import read_tour
from scenarios.viewing import open_view
from scenarios.views import Choice
from twin.city import City
from twin.errors import InputError
from twin.system import layers

if TYPE_CHECKING:
    import numpy.typing as npt

ROADS = (  # name, line, vehicles in an hour
    ("Zweiweg", [(0, 0), (100, 0)], 30),
    ("Zweiweg", [(100, 0), (0, 0)], 50),
    ("Doppel", [(0, 200), (400, 200)], 60),
    ("Doppel", [(400, 225), (200, 225)], 40),
    ("Doppel", [(200, 225), (0, 225)], 20),
    ("Einbahn", [(0, 500), (100, 500)], 70),
    ("Nebenher", [(0, 700), (100, 700)], 10),
    ("Nebenher", [(0, 720), (100, 720)], 30),
    ("Fern", [(0, 900), (100, 900)], 10),
    ("Fern", [(100, 945), (0, 945)], 30),
    ("", [(0, 1000), (100, 1000)], 5),
)


@pytest.fixture
def roads(helsinki: City) -> City:
    lines = [LineString(line) for _, line, _ in ROADS]
    table = helsinki.streets.iloc[: len(ROADS)].drop(columns="geometry").reset_index(drop=True)
    table = table.assign(name=[r[0] for r in ROADS], length_m=[line.length for line in lines])
    return replace(helsinki, streets=gpd.GeoDataFrame(table, geometry=lines, crs=helsinki.crs))


def run_of(folder: Path, name: str, tables: dict[str, pd.DataFrame], **manifest: Any) -> RunInfo:
    own = folder / name / "seed-0001"
    own.mkdir(parents=True)
    tables["indicators"] = pd.DataFrame({"indicator": ["trips"], "value": [1.0]})
    for table, frame in tables.items():
        frame.to_parquet(own / f"{table}.parquet")
    return RunInfo(name, name.capitalize(), folder / name, manifest)


def test_both_carriageways_of_a_street_count_as_one_way_there_and_back(
    roads: City, tmp_path: Path
) -> None:
    assert both_ways(roads).tolist() == [True] * 5 + [False] * 6
    table = pd.DataFrame(
        {"street": np.arange(len(ROADS)), "entered": [r[2] for r in ROADS],
         "travel_time_s": 10.0, "delay_h": 0.0}
    )  # fmt: skip
    run, names = run_of(tmp_path, "base", {"streets": table}), named(roads)
    found = of_names(roads, names, [run], [[1]], 1.0)["base"]["vehicles"].mean
    assert dict(zip(names.names, found.tolist(), strict=True)) == {
        "Zweiweg": 80.0,  # 30 + 50
        "Doppel": 90.0,  # (60 · 400 + 40 · 200 + 20 · 200) / ((400 + 200 + 200) / 2)
        "Einbahn": 70.0,
        "Nebenher": 20.0,  # both the same way: the mean section is one of them
        "Fern": 20.0,  # 45 m away, so no carriageway of the same street
    }


def change_of(p: npt.ArrayLike, difference: npt.ArrayLike) -> Change:
    p, difference = np.asarray(p, float), np.asarray(difference, float)
    reach = np.where(p < 0.05, 0.5, 1.5) * np.abs(difference)
    return Change(np.ones(len(p)), 1.0 + difference, difference, difference - reach,
                  difference + reach, p)  # fmt: skip


def tour_of(changes: dict[str, Change], runs: list[RunInfo]) -> list[dict[str, Any]]:
    n = len(changes["vehicles"].p)
    names = Named([f"Street {k}" for k in range(n)], np.arange(n))
    both = {"slow": changes, "base": changes}
    return usual_tour({}, runs, names, both, ["load"], {"slow": {"en": [], "de": []}})


def test_clear_streets_are_found_by_the_false_discovery_rate(ran_once: Path) -> None:
    p = [0.001, 0.02, 0.9, 0.04, math.nan, 0.03, 0.8]
    # of six: 0.001 · 6 / 1 = 0.006 and 0.02 · 6 / 2 = 0.06; 0.03 · 6 / 3 and 0.04 · 6 / 4 = 0.06
    change = change_of(p, [5.0, 9.0, 1.0, -3.0, 0.0, 2.0, 1.0])
    assert change.clear().tolist() == [True] + [False] * 6
    assert int((change.low > 0.0).sum()) == 3  # by intervals of 95 % each it would be three
    runs = open_runs(ran_once)[:2]
    tour = tour_of({"vehicles": change, "speed": change}, runs)
    assert [stop["street"] for stop in tour if "street" in stop] == ["Street 0"]
    assert "clearly more traffic: 1; with clearly less: 0." in tour[-1]["text"]["en"]
    nothing = change_of([0.2, 0.03, 0.9], [1.0, 2.0, -1.0])
    tour = tour_of({"vehicles": nothing, "speed": nothing}, runs)
    assert [stop for stop in tour if "street" in stop] == []
    text = tour[-1]["text"]
    assert "On no street does traffic change more than chance" in text["en"]
    assert "Auf keiner Straße" in text["de"]
    assert "clearly" not in text["en"]


def test_p_values_of_streets_are_those_of_paired_t() -> None:
    rng = np.random.default_rng(3)
    base, here = rng.normal(10.0, 2.0, (5, 40)), rng.normal(11.0, 2.0, (5, 40))
    here[:, 0] = base[:, 0]
    here[:, 1] = base[:, 1] + 1.0
    found = _change(base, here)
    assert math.isnan(found.p[0])
    assert found.p[1] < 1e-12
    assert found.p[2:] == pytest.approx(stats.ttest_rel(here[:, 2:], base[:, 2:]).pvalue)
    assert ((found.p < 0.05) == ((found.low > 0.0) | (found.high < 0.0)))[1:].all()
    assert np.isnan(_change(base[:1], here[:1]).p).all()


def test_page_and_pictures_have_the_same_limits(ran_once: Path) -> None:
    runs = open_runs(ran_once)
    header = Content(City.load(ran_once / "city"), runs).header("en", None, None)
    for about in header["layers"]:
        for run in runs[1:]:
            for mode, key in (("beside", "whole"), ("alone", "whole"), ("difference", "wholeGap")):
                choice = Choice(about["name"], mode, run.name, size=(320, 180))
                found = open_view(str(ran_once), choice, lambda _: None)
                if found.scale is not None:
                    assert [found.scale.low, found.scale.high] == about[key]
    assert header["layers"][0]["name"] == "delay_h"  # in the registry's order, as load is there


def roads_over_years(folder: Path) -> list[RunInfo]:
    before = pd.DataFrame({"street": [0, 1, 2], "pci_begin": [50.0, 60.0, 70.0]})
    tables = [before.assign(pci_end=end, works_eur=0.0, works_year=np.nan)
              for end in ([40.0, 50.0, 60.0], [40.0, 95.0, 60.0])]  # fmt: skip
    return [
        run_of(folder, name, {"road_streets": table}, years=6, measures=[])
        for name, table in zip(("base", "kept"), tables, strict=True)
    ]


def test_without_traffic_the_first_layer_that_differs_is_shown(tmp_path: Path) -> None:
    runs = roads_over_years(tmp_path)
    together, known = Together(runs, 5), layers()
    assert together.first() == "pci_end"
    assert Together(runs[:1], 5).first() == "pci_begin"
    assert together.first(["load", "pci_end"]) == "load"
    values = together.values(known["pci_end"])
    assert values is not None
    assert np.isnan(values[:, 3:]).all()  # streets that no run has
    scale, gap = together.scale(known["pci_end"]), together.differences(known["pci_end"])
    assert (scale.low, scale.high) == (40.0, 100.0)
    assert gap is not None
    assert (gap.low, gap.high) == (-50.0, 50.0)  # 95 - 50 = 45, rounded up
    assert together.differences(known["pci_begin"]) is None


def test_runs_over_years_are_courses_and_not_days(tmp_path: Path) -> None:
    runs = roads_over_years(tmp_path)
    tour = usual_tour({}, runs, Named([], np.zeros(0, int)), {}, ["pci_end"],
                      {"kept": {"en": [], "de": []}})  # fmt: skip
    assert tour[0]["layer"] == "pci_end"
    assert "one random course of 6 years" in tour[0]["text"]["en"]
    assert "eines zufälligen Verlaufs über 6 Jahre" in tour[0]["text"]["de"]
    for run in runs:
        run.__dict__["seeds"] = (1, 2, 3)
    tour = usual_tour({}, runs[:1], Named([], np.zeros(0, int)), {}, ["pci_end"], {})
    assert "means of 3 random courses of 6 years" in tour[0]["text"]["en"]
    assert "Mittel aus 3 zufälligen Verläufen über 6 Jahre" in tour[0]["text"]["de"]


def test_verdicts_say_which_trips_they_leave_out(ran_once: Path) -> None:
    comparison = compare(ran_once)
    table = comparison.table.copy()
    slow = table["alternative"] == "slow"
    cut = slow & (table["indicator"] == "cut_off")
    table.loc[cut, ["mean", "difference", "ci_low", "ci_high"]] = [290.0, 290.0, 290.0, 290.0]
    table.loc[cut, "identical"] = False
    changed = replace(comparison, table=table)
    found = results(changed)
    assert "290" in found["notes"]["de"][0]
    rows = {row["title"]: row for row in found["runs"]["slow"]["en"]["rows"]}
    for title in ("Mean trip duration", "Mean speed", "CO₂"):
        assert rows[title]["verdict"].endswith(", without 290 trips")
        assert rows[title]["short"].endswith(", without 290 trips")
    assert "without" not in rows["Delay per trip"]["verdict"]  # their wait counts as delay
    cut_off = rows["Trips that are cut off, without any way"]
    assert cut_off["interval"] == "–"  # of no width
    first, *rest = told(changed, "slow")["de"]
    assert first.startswith("Fahrten ohne möglichen Weg: 0 ohne, 290 Fz mit Maßnahme (+290): ")
    assert any("ohne 290 Fahrten" in said for said in rest) or "Verlustzeit" in rest[0]
    untouched = results(comparison)["runs"]["slow"]["en"]["rows"]
    assert not [row for row in untouched if "without" in row["verdict"]]


@pytest.mark.parametrize(
    ("base", "mean", "digits"),
    [(47.46, 46.95, 1), (2.40, 2.57, 2), (322.69, 323.13, 1), (28.27, 53.3, 1), (0.0, 956.0, 0)],
)
def test_spoken_numbers_have_no_more_decimals_than_matter(
    base: float, mean: float, digits: int
) -> None:
    row = {"indicator": "delay_per_trip_s", "base_mean": base, "mean": mean,
           "difference": mean - base}  # fmt: skip
    assert _spoken(row) == digits


def test_a_tour_file_is_read_as_scenarios_are(tmp_path: Path) -> None:
    file = tmp_path / "tour.yaml"
    file.write_bytes(b"\xef\xbb\xbfstops:\n- {title: A}\n")  # as editors of Windows begin it
    assert [stop["title"]["de"] for stop in read_tour(file, [], [], [])] == ["A"]
    for data, words in (
        (b"stops:\n- {title: \xff}\n", "not UTF-8"),
        (b" " * 1_000_001, "a tour is"),
    ):
        file.write_bytes(data)
        with pytest.raises(InputError, match=words):
            read_tour(file, [], [], [])
