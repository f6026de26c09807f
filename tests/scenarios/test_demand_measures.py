"""Demand in scenarios: measures that change trips, and matrices of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from scenarios.loading import parse_scenario
from scenarios.plan import check_scenario
from scenarios.runner import run_scenario
from twin.errors import TwinError

if TYPE_CHECKING:
    from twin.city import City

HEAD = """\
name: Demand
city: {city}
period: {{day: 2026-09-15, begin: "07:00", end: "07:20", warmup_minutes: 10}}
demand: {demand}
equilibrium: {{iterations: 2}}
replications: 1
systems: [traffic]
alternatives:
  - name: a
    measures: [{measures}]
"""


@pytest.fixture(scope="module")
def city_folder(helsinki: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return helsinki.save(tmp_path_factory.mktemp("city") / "helsinki")


def trips(folder: Path, run: str) -> pd.DataFrame:
    return pd.read_parquet(folder / run / "seed-0001" / "trips.parquet")


def run(city: Path, folder: Path, measures: str, demand: str = "{scale: 0.2}") -> Path:
    text = HEAD.format(city=city, measures=measures, demand=demand)
    run_scenario(parse_scenario(text, folder / "s.yaml"), folder / "out", workers=1)
    return folder / "out"


def test_fewer_trips_to_work_are_among_those_of_the_base(city_folder: Path, tmp_path: Path) -> None:
    out = run(city_folder, tmp_path, "{kind: demand, purpose: work, factor: 0.5}")
    base, less = trips(out, "base"), trips(out, "a")
    gone = set(base["id"]) - set(less["id"])
    assert set(less["id"]) < set(base["id"])
    assert set(base.set_index("id").loc[list(gone), "purpose"]) <= {"work", "home"}
    work = (base["purpose"] == "work").sum()
    assert 0.3 * work < (less["purpose"] == "work").sum() < 0.7 * work


def test_a_quarter_makes_trips_of_its_own_zone(city_folder: Path, tmp_path: Path) -> None:
    out = run(
        city_folder,
        tmp_path,
        "{kind: development, title: Quarter, street: Bulevardi, people: 5000}",
        "{scale: 1.0}",
    )
    base, more = trips(out, "base"), trips(out, "a")
    zones = pd.read_parquet(out / "a" / "seed-0001" / "zones.parquet")
    assert zones["label"].iloc[-1] == "Quarter"
    assert zones["residents"].iloc[-1] == 5000
    new = set(more["id"]) - set(base["id"])
    assert set(base["id"]) <= set(more["id"])
    own = more[more["id"].isin(new) & (more["zone"] == len(zones) - 1)]
    assert len(own) > 0.5 * len(new) > 20


def test_visitors_of_an_event_come_before_it_and_nobody_has_learnt_it(
    city_folder: Path, tmp_path: Path
) -> None:
    out = run(
        city_folder,
        tmp_path,
        '{kind: event, title: Fair, street: Bulevardi, visitors: 600, begin: "07:20", '
        'end: "09:00", car_share: 1, persons_per_car: 2, arrive_within_min: 30}',
    )
    base, more = trips(out, "base"), trips(out, "a")
    visitors = more[more["purpose"] == "event"]
    assert 20 < len(visitors) <= 60  # 600 in pairs, a fifth of all trips, not all within the map
    assert (visitors["due_s"] < 7 * 3600 + 1200).all()
    told = [pd.read_parquet(out / r / "seed-0001" / "equilibrium.parquet") for r in ("base", "a")]
    assert told[0].equals(told[1])
    assert set(base["id"]) <= set(more["id"])


def test_own_matrices_give_the_trips_that_they_state(
    helsinki: City, city_folder: Path, tmp_path: Path
) -> None:
    west, south, east, north = helsinki.streets.to_crs("EPSG:4326").total_bounds
    middle = (south + north) / 2
    features = [
        {
            "type": "Feature",
            "properties": {"id": name},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[west, a], [east, a], [east, b], [west, b], [west, a]]],
            },
        }
        for name, a, b in (("south", south, middle), ("north", middle, north))
    ]
    zones = {"type": "FeatureCollection", "features": features}
    (tmp_path / "zones.geojson").write_text(json.dumps(zones))
    (tmp_path / "od.csv").write_text(
        "origin,destination,hour,trips\nsouth,north,7,900\nnorth,south,7,300\nsouth,north,8,500\n"
    )
    demand = "{zones: zones.geojson, matrices: [{file: od.csv}]}"
    out = run(city_folder, tmp_path, "{kind: demand, factor: 0.5}", demand)
    cars = trips(out, "base").query("vehicle_type == 'car' and due_s >= 25200")
    # a third of the hour is simulated
    assert len(cars) == pytest.approx(400, abs=5 * 20)
    assert (cars["zone"] == 0).mean() == pytest.approx(0.75, abs=0.12)
    assert len(trips(out, "a").query("vehicle_type == 'car'")) < len(cars)


@pytest.mark.parametrize(
    ("demand", "files", "words"),
    [
        ("{zones: z.geojson}", {}, "zones without matrices"),
        ("{zones: ../z.geojson, matrices: [{file: od.csv}]}", {}, "outside of the scenario's folder"),
        ("{zones: z.geojson, matrices: [{file: od.csv}]}", {}, "no file"),
        ("{headways: {'nowhere': 5}}", {}, "nowhere"),
        (
            "{zones: z.csv, matrices: [{file: od.csv}]}",
            {"z.csv": "id,lon,lat\n1,24.94,60.17\n2,24.945,60.168\n",
             "od.csv": "origin,destination,trips\n1,3,10\n"},
            "3",
        ),
    ],
)  # fmt: skip
def test_demand_that_cannot_be_used_is_refused_in_one_line(
    city_folder: Path, tmp_path: Path, demand: str, files: dict[str, str], words: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(TwinError, match=words) as caught:
        run(city_folder, tmp_path, "{kind: close, street: Bulevardi}", demand)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "s.yaml"))


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("{kind: development, title: X, people: 10}", "lies nowhere or at two places"),
        ("{kind: development, title: X, people: 10, street: Nowhere}", "'Nowhere' is not in"),
        ("{kind: event, title: X, street: Bulevardi, visitors: 9, begin: '09:00', end: '08:00'}",
         "not after it begins"),
        ("{kind: event, title: X, street: Bulevardi, visitors: 9, begin: '19:00', end: '20:00'}",
         "outside of the period"),
        ("{kind: demand, factor: -1}", "factor"),
        ("{kind: headways, minutes: {'nowhere': 5}}", "nowhere"),
    ],
)  # fmt: skip
def test_measures_of_trips_that_cannot_be_meant_are_refused(
    city_folder: Path, tmp_path: Path, measure: str, words: str
) -> None:
    text = HEAD.format(city=city_folder, measures=measure, demand="{scale: 0.2}")
    with pytest.raises(TwinError, match=words) as caught:
        check_scenario(parse_scenario(text, tmp_path / "s.yaml"), lambda _: None)
    assert "\n" not in str(caught.value)
