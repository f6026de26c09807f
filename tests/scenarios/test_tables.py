"""Tables of runs that somebody changed by hand are told in one line, not drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from scenarios.presenting import Content
from scenarios.runs import MANIFEST, open_run, open_runs
from scenarios.viewing import open_view
from scenarios.views import Choice
from twin import times
from twin.city import City
from twin.errors import InputError, TwinError
from viz.language import language

if TYPE_CHECKING:
    from scenarios.views import View

TIME_S = times.moment("12:05")


def at(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        if isinstance(value, str):
            table[column] = table[column].astype(str)
        elif isinstance(value, float):
            table[column] = table[column].astype(float)
        table.loc[row, column] = value
        return table

    return change


def without(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.drop(columns=column)


def view(folder: Path, **choice: object) -> View:
    return open_view(str(folder), Choice(size=(320, 180), **choice), lambda _: None)


def drawn(folder: Path) -> None:
    found = view(folder, time_s=TIME_S)
    for panel in found.panels:
        found.fleet(panel.run, TIME_S)
        found.lights(panel.run, TIME_S)


def presented(folder: Path) -> None:
    runs = open_runs(folder)
    Content(City.load(runs[0].city_folder), runs).header("en", None, None)


RECORDED = [
    ("passages", at(3, "vehicle", 999_999), "'vehicle', row 3: '999999' is no vehicle of trips"),
    ("passages", at(4, "lane", "left"), "'lane', row 4: 'left' is no whole number"),
    ("passages", at(5, "lane", 999_999), "'lane', row 5: '999999' is none of 0 to"),
    ("passages", at(6, "enter_cs", float("nan")), "'enter_cs', row 6: 'nan' is no whole number"),
    ("trips", lambda t: t.assign(vehicle=t["vehicle"].replace(9, 8)), "'vehicle', row 9: '8' is"),
    ("trips", without("vehicle_type"), "has no column 'vehicle_type'"),
    ("lights", at(7, "light", 9), "'light', row 7: '9' is none of 0 to 5"),
    ("lights", without("light"), "has no column 'light'"),
]
BY_STREET = [
    ("streets", at(2, "street", 99_999), "'street', row 2: '99999' is none of 0 to"),
    ("streets", at(2, "street", -1), "'street', row 2: '-1' is none of 0 to"),
    ("queues", at(1, "street", "a"), "'street', row 1: 'a' is no whole number"),
]


@pytest.mark.parametrize("use", [drawn, presented])
@pytest.mark.parametrize(("table", "change", "told"), [*RECORDED, *BY_STREET])
def test_a_wrong_table_is_told_with_file_row_and_value(
    use: Callable[[Path], None], table: str,
    change: Callable[[pd.DataFrame], pd.DataFrame], told: str, ran: Path,
) -> None:  # fmt: skip
    run = open_run(ran / "base")
    file = run.replication(run.seeds[0]) / f"{table}.parquet"
    change(pd.read_parquet(file)).to_parquet(file)
    with pytest.raises(InputError) as caught:
        use(ran)
    line = str(caught.value)
    assert line.startswith(str(file))
    assert told in line
    assert line.endswith("run the scenario again")
    assert "\n" not in line


def test_an_interval_without_start_is_told(ran: Path) -> None:
    file = open_run(ran / "slow").replication(1) / "streets.parquet"
    at(8, "interval_start_s", float("nan"))(pd.read_parquet(file)).to_parquet(file)
    with pytest.raises(InputError, match="'interval_start_s', row 8: 'nan'"):
        presented(ran)


def test_a_table_that_one_replication_lacks_is_told(ran: Path) -> None:
    runs = open_runs(ran)
    file = runs[1].replication(runs[1].seeds[-1]) / "streets.parquet"
    file.unlink()
    for use in (lambda folder: view(folder), presented):
        with pytest.raises(InputError, match="is missing, other replications have it") as caught:
            use(ran)
        assert str(file) in str(caught.value)


def test_traffic_that_is_gone_is_not_replaced_without_a_word(ran: Path) -> None:
    for file in ran.glob("*/seed-*/streets.parquet"):
        file.unlink()
    found = view(ran)
    assert found.layer is not None
    assert found.layer.name == "queue"
    assert [note for note in found.notes if "streets.parquet: is missing" in note]
    with language("de"):
        assert [note for note in view(ran).notes if "streets.parquet: fehlt" in note]
    said: list[str] = []
    runs = open_runs(ran)
    Content(City.load(runs[0].city_folder), runs, said.append).header("en", None, None)
    assert [line for line in said if "streets.parquet: is missing" in line]


def test_runs_of_another_city_are_refused(ran: Path, tmp_path: Path) -> None:
    from scenarios.presenting import present

    other = Path(shutil.copytree(ran / "slow", ran / "other"))
    manifest = json.loads((other / MANIFEST).read_text())
    manifest["name"], manifest["city"]["digest"] = "other", "0" * 64
    manifest["inputs"]["city"] = manifest["city"]
    (other / MANIFEST).write_text(json.dumps(manifest))
    for mode in ("alone", "beside", "difference"):
        with pytest.raises(InputError, match="other: was run in another city"):
            view(ran, mode=mode, alternative="other")
    assert view(ran, mode="difference", alternative="slow").panels
    with pytest.raises(TwinError, match="other: has another city"):
        present([ran], tmp_path / "a.html")


def test_a_city_put_in_place_of_another_is_refused(ran: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from scenarios.presenting import present

    city = City.load(ran / "city")
    streets = city.streets.assign(speed_m_s=city.streets["speed_m_s"] + 1.0)
    changed = replace(city, streets=streets)
    assert changed.digest != city.digest
    shutil.rmtree(ran / "city")
    changed.save(ran / "city")
    with pytest.raises(InputError, match="base: was run in another city"):
        view(ran)
    with pytest.raises(InputError, match="base: was run in another city"):
        present([ran], tmp_path / "a.html")
