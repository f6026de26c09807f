"""Files from outside: bad rows are refused one by one, bad plans as a whole."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pydantic
import pytest
from pyproj import Transformer
from small_roads import decades, inventory, same

from twin.errors import InputError
from twin.roads import files
from twin.roads.costs import CATEGORIES
from twin.roads.decade import Decades, Settings, run_decade
from twin.roads.deterioration import MODELS
from twin.roads.inventory import make_inventory
from twin.roads.measures import Maintenance
from twin.roads.planners import FixedPlan
from twin.roads.sections import make_sections
from twin.roads.state import Inventory, copy_condition

if TYPE_CHECKING:
    import geopandas as gpd

    from twin.city import City

NOW = dt.datetime(2026, 9, 15, tzinfo=dt.UTC)
WHEN = "2026-09-01T08:00"
Reader = Callable[..., files.Rows]
GOOD = {"class": "D20", "confidence": "0.8", "pci": "55", "time": WHEN}


@pytest.fixture(scope="module")
def sections(helsinki: City) -> gpd.GeoDataFrame:
    return make_sections(helsinki)


@pytest.fixture(scope="module")
def middle(sections: gpd.GeoDataFrame) -> np.ndarray:
    """[n, 2] a point on each section."""
    points = sections.geometry.interpolate(0.5, normalized=True)
    return np.column_stack([points.x, points.y])


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def row(at: np.ndarray, **other: object) -> dict[str, object]:
    return {"x": at[0], "y": at[1], **GOOD, **other}


BAD: tuple[tuple[Reader, dict[str, object], str], ...] = (
    (
        files.read_detections,
        {"x": 0.0},
        r"position x 0.0, y \d[\d.]+ is [\d,]+ m from the nearest street",
    ),
    (files.read_detections, {"class": "D99"}, "class 'D99' is none of D00"),
    (files.read_detections, {"confidence": "1.5"}, "confidence 1.5 is outside 0 to 1"),
    (files.read_detections, {"confidence": "much"}, "confidence 'much' is no number"),
    (files.read_detections, {"confidence": "0.1"}, "confidence 0.1 is less than 0.3"),
    (files.read_detections, {"x": ""}, r"position x, y is no pair of numbers \(nothing, \d"),
    (files.read_detections, {"x": "here"}, r"position x, y is no pair of numbers \(here, \d"),
    (files.read_condition, {"pci": "140"}, "PCI 140 is outside 0 to 100"),
    (files.read_condition, {"pci": "nan"}, "pci 'nan' is no number"),
    (files.read_condition, {"pci": "-1"}, "PCI -1 is outside 0 to 100"),
    (files.read_reports, {"time": "2026-09-16T08:00"}, "time 2026-09-16T08:00 is after 2026-09-15"),
    (files.read_reports, {"time": "2023-09-16"}, "time 2023-09-16 is more than 730 days before"),
    (files.read_reports, {"time": "yesterday"}, "time 'yesterday' is none"),
)


@pytest.mark.parametrize(("read", "wrong", "said"), BAD, ids=[str(case[1]) for case in BAD])
def test_a_bad_row_is_refused_in_one_line_and_good_ones_are_taken(
    helsinki: City,
    sections: gpd.GeoDataFrame,
    middle: np.ndarray,
    tmp_path: Path,
    read: Reader,
    wrong: dict[str, object],
    said: str,
) -> None:
    rows = [row(middle[3]), row(middle[4], **wrong), row(middle[6])]
    found = read(write(tmp_path / "seen.csv", rows), helsinki, sections, NOW)
    (line,) = found.refused
    assert line.startswith("seen.csv, row 2: ")
    assert "\n" not in line
    assert re.search(said, line)
    assert found.table["section"].tolist() == [3, 6]


def test_a_time_of_another_zone_is_compared_as_the_moment_it_is(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    """Half past one in Helsinki is before midnight in London."""
    rows = [row(middle[3], time="2026-09-15T01:30+03:00"), row(middle[4], time="2026-09-15T01:30")]
    found = files.read_reports(write(tmp_path / "r.csv", rows), helsinki, sections, NOW)
    assert found.table["section"].tolist() == [3]
    assert len(found.refused) == 1


def test_without_a_column_of_confidence_detections_are_trusted(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    rows = [row(middle[3], **{"class": "pothole"})]
    del rows[0]["confidence"]
    found = files.read_detections(write(tmp_path / "d.csv", rows), helsinki, sections, NOW)
    assert found.table[["class", "confidence"]].to_numpy().tolist() == [["D40", 1.0]]


@pytest.mark.parametrize("column", ["class", "time", "x"])
def test_a_file_that_lacks_a_column_is_refused(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path, column: str
) -> None:
    rows = [row(middle[3])]
    del rows[0][column]
    with pytest.raises(InputError, match=r"d\.csv: has no (column|position)"):
        files.read_detections(write(tmp_path / "d.csv", rows), helsinki, sections, NOW)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b'{"type": "Feature"}', b"[[[["])
def test_a_file_that_is_neither_csv_nor_geojson_is_refused(
    helsinki: City, sections: gpd.GeoDataFrame, tmp_path: Path, content: bytes
) -> None:
    for name in ("d.csv", "d.geojson"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            files.read_detections(tmp_path / name, helsinki, sections, NOW)
    with pytest.raises(InputError, match="cannot be read"):
        files.read_detections(tmp_path / "none.csv", helsinki, sections, NOW)


def test_a_file_without_rows_tells_nothing(
    helsinki: City, sections: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    (tmp_path / "d.csv").write_text("x,y,class,time\n", encoding="utf-8")
    found = files.read_detections(tmp_path / "d.csv", helsinki, sections, NOW)
    assert (len(found.table), found.refused) == (0, ())
    empty = write_geojson(tmp_path / "d.geojson", [])
    assert len(files.read_detections(empty, helsinki, sections, NOW).table) == 0


def feature(city: City, at: np.ndarray, **other: object) -> dict[str, object]:
    """A point of GeoJSON with the same content as `row`."""
    lon, lat = Transformer.from_crs(city.crs, 4326, always_xy=True).transform(*at)
    properties = {"class": "D20", "confidence": 0.8, "pci": 55, "time": WHEN, **other}
    point = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": point, "properties": properties}


def write_geojson(path: Path, features: list[dict[str, object]]) -> Path:
    content = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_geojson_and_csv_say_the_same(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    others = [{}, {"class": "D99"}, {"class": "pothole", "confidence": 0.5}, {"confidence": 2.5}]
    times = [f"2026-08-0{9 - k}T10:00" for k in range(4)]
    rows = [{**o, "time": t} for o, t in zip(others, times, strict=True)]
    at = middle[[10, 11, 12, 13]]
    csv = write(tmp_path / "d.csv", [row(a, **o) for a, o in zip(at, rows, strict=True)])
    geo = write_geojson(
        tmp_path / "d.geojson", [feature(helsinki, a, **o) for a, o in zip(at, rows, strict=True)]
    )
    one, other = (files.read_detections(path, helsinki, sections, NOW) for path in (csv, geo))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.table["section"].tolist() == [12, 10]  # by time
    assert [line.replace("d.csv", "d.geojson") for line in one.refused] == list(other.refused)


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["a", None]},
        {"type": "LineString", "coordinates": [[24.9, 60.1], [24.9, 60.2]]},
        {"type": "Point", "coordinates": [1e400, 60.0]},
    ],
    ids=["none", "empty", "words", "line", "infinite"],
)
def test_a_feature_that_is_no_point_is_refused_alone(
    helsinki: City,
    sections: gpd.GeoDataFrame,
    middle: np.ndarray,
    tmp_path: Path,
    geometry: object,
) -> None:
    features = [
        feature(helsinki, middle[3]),
        {**feature(helsinki, middle[4]), "geometry": geometry},
    ]
    path = write_geojson(tmp_path / "d.geojson", features)
    found = files.read_detections(path, helsinki, sections, NOW)
    assert found.table["section"].tolist() == [3]
    assert found.refused[0].startswith("d.geojson, row 2: position lon, lat is no pair of numbers")


def test_a_row_with_more_fields_than_the_header_is_refused(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    """A decimal comma would shift what stands behind it; a comma at the end does no harm."""
    (x, y), path = middle[3], tmp_path / "c.csv"
    path.write_text(f"X, Y ,PCI,time\n{x},{y}, 55 ,{WHEN},\n{x},{y},7,5,{WHEN}\n")
    found = files.read_condition(path, helsinki, sections, NOW)
    assert found.table["pci"].tolist() == [55.0]
    (line,) = found.refused
    assert line.startswith("c.csv, row 2: has 5 fields, more than the header")


def test_a_missing_column_is_told_with_those_that_are_there(
    helsinki: City, sections: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text("x;y;pci;time\n1;2;3;4\n")
    with pytest.raises(InputError, match=r"mine.csv: has no column 'pci'.*and has x;y;pci;time"):
        files.read_condition(tmp_path / "c.csv", helsinki, sections, NOW, "mine.csv")


# what is believed


@pytest.fixture(scope="module")
def roads(sections: gpd.GeoDataFrame) -> Inventory:
    """The first forty sections, in middle age."""
    return make_inventory(sections.head(40), age_years=np.full(40, 20.0))


def start(roads: Inventory) -> Decades:
    """A decade at its start."""
    model = decades(roads)
    model.reset(0, 1)
    return model


def believed(model: Decades, **told: files.Rows) -> np.ndarray:
    files.believe(model.inventory, model.rules, model.state, **told)
    return model.view(0, 13).seen[:, 5]


def test_what_a_file_says_moves_the_belief_of_its_sections_only(
    helsinki: City,
    sections: gpd.GeoDataFrame,
    middle: np.ndarray,
    roads: Inventory,
    tmp_path: Path,
) -> None:
    before = start(roads).view(0, 13).seen[:, 5]
    many = write(tmp_path / "d.csv", [row(middle[3])] * 6)
    detected = files.read_detections(many, helsinki, sections, NOW)
    surveyed = write(tmp_path / "c.csv", [row(middle[4], pci=97), row(middle[6], pci=10)])
    condition = files.read_condition(surveyed, helsinki, sections, NOW)
    heard = files.read_reports(write(tmp_path / "r.csv", [row(middle[7])]), helsinki, sections, NOW)
    model = start(roads)
    after = believed(model, detections=detected, condition=condition, reports=heard)
    assert np.flatnonzero(after != before).tolist() == [3, 4, 6, 7]
    assert after[3] < before[3]
    assert after[7] < before[7]
    assert after[4] == pytest.approx(97.0, abs=6.0)
    assert after[6] == pytest.approx(10.0, abs=6.0)
    assert np.all((before > 25.0) & (before < 85.0))


def test_a_pothole_of_a_file_of_potholes_makes_a_fair_street_worse(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    """Who looks for potholes only tells nothing of cracks; with cracks elsewhere, few are told."""
    roads = make_inventory(sections.head(40), age_years=np.full(40, 5.0))
    before = start(roads).view(0, 13).seen[3, 5]
    pothole, crack = row(middle[3], **{"class": "D40"}), row(middle[6], **{"class": "D00"})
    after = []
    for name, rows in (("potholes", [pothole]), ("all", [pothole, crack])):
        path = write(tmp_path / f"{name}.csv", rows)
        told = files.read_detections(path, helsinki, sections, NOW)
        after.append(believed(start(roads), detections=told)[3])
    assert after[0] < before - 5.0
    assert after[0] < after[1]


def test_the_truth_of_a_run_agrees_with_what_files_say(
    helsinki: City, sections: gpd.GeoDataFrame, middle: np.ndarray, tmp_path: Path
) -> None:
    rows = [row(middle[k], pci=8 if k % 2 else 95) for k in range(20)]
    told = files.read_condition(write(tmp_path / "c.csv", rows), helsinki, sections, NOW)
    for truth, belief in product(MODELS, MODELS):
        roads = make_inventory(sections.head(40), truth=truth, belief=belief)
        model = decades(roads, truth=truth, belief=belief)
        model.reset(0, 1)
        before = model.state.section[0]["pci"].copy()
        files.believe(roads, model.rules, model.state, condition=told)
        after = model.state.section[0]["pci"]
        np.testing.assert_array_equal(after[20:], before[20:])
        said = np.array([8 if k % 2 else 95 for k in range(20)])
        off, off_before = (np.abs(pci[:20] - said) for pci in (after, before))
        assert off.mean() < 0.7 * off_before.mean()
        if belief == "markov":  # paces of a curve cannot explain every survey
            assert off.max() < 25.0
        backlog = model.state.euros[0, 0, CATEGORIES.index("backlog")]
        assert backlog == pytest.approx(-float(model.state.copy[0]["backlog"]))


def test_the_order_of_rows_does_not_matter(
    helsinki: City,
    sections: gpd.GeoDataFrame,
    middle: np.ndarray,
    roads: Inventory,
    tmp_path: Path,
) -> None:
    rows = [
        row(middle[k % 4], time=f"2026-08-{d:02}", **{"class": c})
        for k, (d, c) in enumerate([(1, "D00"), (2, "D40"), (9, "D20"), (12, "D10"), (13, "D40")])
    ]
    found = []
    for k, order in enumerate((rows, rows[::-1])):
        path = write(tmp_path / f"{k}.csv", order)
        read = files.read_detections(path, helsinki, sections, NOW)
        found.append(believed(start(roads), detections=read))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


# plans


PLANS = (
    ({"section": "9999:0"}, "section '9999:0' is not in the city"),
    ({"treatment": "gold"}, "treatment 'gold' is none of seal, preserve"),
    ({"year": 0}, "year 0 is none of 1 to 100 of the run"),
    ({"year": 1.5}, "year 1.5 is none of 1 to 100 of the run"),
    ({"year": "nan"}, "year 'nan' is no number"),
    ({"shift": "noon"}, "shift 'noon' is neither day nor night"),
)


def plan(path: Path, sections: gpd.GeoDataFrame, *lines: dict[str, object]) -> Path:
    """A plan of a line for each section from the second on."""
    usual = {"year": 1, "treatment": "seal", "shift": "day"}
    rows = [{"section": sections["id"].iloc[k], **usual, **o} for k, o in enumerate(lines, start=1)]
    return write(path, rows)


@pytest.mark.parametrize(("wrong", "said"), PLANS, ids=[str(case[0]) for case in PLANS])
def test_a_plan_with_a_bad_line_is_refused_as_a_whole(
    sections: gpd.GeoDataFrame, tmp_path: Path, wrong: dict[str, object], said: str
) -> None:
    path = plan(tmp_path / "plan.csv", sections, {}, wrong, {})
    with pytest.raises(InputError, match=rf"plan\.csv: row 2: {said}.*refused as a whole"):
        files.read_plan(path, sections)


def test_a_plan_with_a_section_twice_in_a_year_is_refused_as_a_whole(
    sections: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    first = str(sections["id"].iloc[1])
    again = {"section": first, "treatment": "preserve"}
    path = plan(tmp_path / "plan.csv", sections, {}, {}, again)
    with pytest.raises(InputError, match=r"row 3: section \S+ stands twice in year 1, as in row 1"):
        files.read_plan(path, sections)
    later = plan(tmp_path / "later.csv", sections, {}, {}, {**again, "year": 5})
    assert [(p.section, p.year) for p in files.read_plan(later, sections)] == [
        (1, 1),
        (2, 1),
        (1, 5),
    ]


def test_a_plan_is_done_in_its_years_and_nothing_else(
    sections: gpd.GeoDataFrame, roads: Inventory, tmp_path: Path
) -> None:
    lines = ({"treatment": "reconstruct"}, {"treatment": "reconstruct", "year": 3})
    planned = files.read_plan(plan(tmp_path / "plan.csv", sections, *lines), sections)
    model = decades(roads, years=4, budget_eur=1e7, crews=3, pavers=3)
    run_decade(model, FixedPlan(planned), 1)
    treated = model.state.section[0]["treated"]
    assert np.flatnonzero(treated >= 0).tolist() == [1, 2]
    assert (treated[[1, 2]] // 52 + 1).tolist() == [1, 3]


# money, and requests that contradict themselves


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(InputError, match=r"budget_eur\(=-1\) must be a number from 0"):
        Settings(budget_eur=-1)
    with pytest.raises(pydantic.ValidationError, match="budget_eur"):
        Maintenance(budget_eur=-1)
    with pytest.raises(pydantic.ValidationError, match="budget_eur"):
        Maintenance(budget_eur=float("nan"))


def test_cameras_that_cost_more_than_the_budget_are_refused() -> None:
    with pytest.raises(InputError, match="pass less often or give more"):
        decades(inventory(), budget_eur=100.0)


@pytest.mark.parametrize(
    ("sections", "options", "said"),
    [
        ([3, 4, 3], [1, 1, 2], "section 3 stands twice in a plan"),
        ([3, 100], [1, 1], "section 100 of a plan is not there: sections are 0 to 99"),
        ([3, -1], [1, 1], "section -1 of a plan is not there"),
        ([3, 4], [1, 8], "option 8 of a plan is not there: options are 0 to 7"),
        ([3, 4], [1], "has 2 sections and 1 options"),
    ],
)
def test_a_request_that_makes_no_sense_orders_nothing(
    sections: list[int], options: list[int], said: str
) -> None:
    model = decades(inventory(), start_week=20)
    model.reset(0, 1)
    before = copy_condition(model.state)
    with pytest.raises(InputError, match=said):
        model.request(0, np.array(sections), np.array(options), 13)
    assert all(same(a, b) for a, b in zip(model.state, before, strict=True))
    assert model.request(0, np.array([3, 4]), np.array([1, 1]), 13).tolist() == [0, 0]
