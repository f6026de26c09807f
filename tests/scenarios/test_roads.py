"""Scenarios over years: run, resumed, compared, drawn; and what is refused before it runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from scenarios.cli import app
from scenarios.compare import compare
from scenarios.loading import parse_scenario
from scenarios.report import write_report
from scenarios.runner import run_scenario
from twin.city import City
from twin.city.opening import open_city
from twin.errors import InputError, ScenarioError
from twin.ledger import Results
from twin.roads.measures import Maintenance
from twin.roads.sections import make_sections
from twin.system import Outlook

TEXT = """\
name: Three years
city: {city}
period: {{day: 2027-01-04, begin: "00:00", end: "01:00", warmup_minutes: 0}}
systems: [roads]
demand: {{scale: 0.1}}
years: {years}
replications: 2
base:
  - {{kind: inspection, passes_per_year: 2}}
  - {{kind: pavement, detections: found.csv}}
alternatives:
  - name: worst
    title: Worst first
    measures: [{{kind: maintenance, policy: worst_first, closures: none, budget_eur: {budget}}}]
  - name: knapsack
    measures: [{{kind: maintenance, policy: greedy_knapsack, closures: none}}]
"""
FOUND = """\
lon,lat,class,confidence,time
24.942866,60.171373,D40,0.9,2026-12-01T10:00
24.942866,60.171373,D20,0.8,2026-12-01T10:00
10.0,50.0,D40,0.9,2026-12-01T10:00
24.942866,60.171373,D99,0.9,2026-12-01T10:00
24.942866,60.171373,D00,0.9,2029-12-01T10:00
"""


def written(folder: Path, city: Path, years: int = 3, budget: float = 200_000.0) -> Path:
    (folder / "found.csv").write_text(FOUND)
    file = folder / "years.yaml"
    file.write_text(TEXT.format(city=city, years=years, budget=budget))
    return file


@pytest.fixture(scope="module")
def runs(city_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("years")
    file = written(folder, city_folder)
    source = parse_scenario(file.read_text(), file)
    run_scenario(source, folder / "out", workers=2)
    return folder / "out"


def test_money_buys_condition_and_every_table_is_there(runs: Path) -> None:
    rows = compare(runs).table.set_index(["alternative", "indicator"])
    worst = rows.loc["worst", :] if "worst" in rows.index.levels[0] else None
    assert worst is not None
    assert worst.loc["roads_bad_percent", "difference"] < 0.0
    assert worst.loc["roads_agency_meur", "difference"] > 0.3
    results = Results.load(runs / "worst" / "seed-0001")
    tables = results.tables
    assert {"road_sections", "road_streets", "road_works", "road_years"} <= set(tables)
    assert len(tables["road_years"]) == 4
    assert tables["road_works"]["eur"].sum() > 0.0
    assert results.indicators["rows_refused"] == 3.0
    refused = tables["events"][tables["events"]["kind"] == "refused"]["text"]
    assert len(refused) == 3
    assert refused.str.startswith("found.csv, row ").all()


def test_streets_carry_condition_now_and_then(runs: Path) -> None:
    streets = compare(runs).streets
    mine = streets[streets["alternative"] == "worst"]
    assert (mine["base_pci_begin"] == mine["pci_begin"]).all()
    assert (mine["pci_end"] - mine["base_pci_end"]).mean() > 0.0
    years = mine["works_year"].dropna()
    assert 20 < len(years) < len(mine)
    assert years.between(1.0, 3.0).all()
    assert mine["base_works_year"].isna().all()  # nothing is done in the base
    assert mine["works_eur"].sum() == pytest.approx(
        1e6 * compare(runs).means("worst")["roads_works_meur"]
    )


def test_the_report_maps_condition_and_works_and_draws_the_curve(
    runs: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    write_report([compare(runs)], page, title="Years")
    text = page.read_text()
    for words in (
        "Condition now: Base",
        "Condition at the end: Worst first",
        "Year of the first works: Worst first",
        "What money buys: cost and condition",
        "over 3 years of 52 weeks each from",
        "a survey vehicle passes each street twice a year",
        "3 rows of files were refused:",
        "found.csv, row 5: time 2029-12-01T10:00 is after",
    ):
        assert words in text


def test_a_run_is_not_done_twice(runs: Path, city_folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in runs.glob("*/seed-*/indicators.parquet")}
    file = runs.parent / "years.yaml"
    run_scenario(parse_scenario(file.read_text(), file), runs, workers=1)
    assert before == {p: p.stat().st_mtime_ns for p in runs.glob("*/seed-*/indicators.parquet")}


def test_what_cannot_work_is_refused_with_its_line(city_folder: Path, tmp_path: Path) -> None:
    file = written(tmp_path, city_folder, years=0)
    with pytest.raises(ScenarioError, match=r"years.yaml:9: .*write 'years: 10'"):
        run_scenario(parse_scenario(file.read_text(), file), tmp_path / "a")
    text = written(tmp_path, city_folder, budget=-5.0).read_text()
    with pytest.raises(ScenarioError, match=r"budget_eur.*-5"):
        parse_scenario(text, file)
    text = written(tmp_path, city_folder).read_text().replace("worst_first", "worst_frist")
    with pytest.raises(InputError, match="did you mean 'worst_first'"):
        run_scenario(parse_scenario(text, file), tmp_path / "b")
    (tmp_path / "found.csv").unlink()
    with pytest.raises(ScenarioError, match=r"no file .*found.csv"):
        run_scenario(parse_scenario(file.read_text(), file), tmp_path / "c")


def test_a_base_without_measures_of_roads_only_ages(city_folder: Path, tmp_path: Path) -> None:
    text = written(tmp_path, city_folder, years=1).read_text()
    begin, end = text.index("base:"), text.index("alternatives:")
    file = tmp_path / "bare.yaml"
    file.write_text(text[:begin] + text[end : text.index("  - name: knapsack")])
    run_scenario(parse_scenario(file.read_text(), file), tmp_path / "out", workers=1)
    rows = compare(tmp_path / "out").table.set_index("indicator")
    assert rows.loc["roads_works_meur", "base_mean"] == 0.0
    assert rows.loc["roads_works_meur", "mean"] > 0.0
    assert "works_delay_h" not in rows.index  # there is no traffic that works of a day delay


def test_works_of_a_day_need_traffic(city_folder: Path, tmp_path: Path) -> None:
    text = written(tmp_path, city_folder).read_text()
    works = '{kind: works, street: Mannerheimintie, begin: "00:10", hours: 1, closes: true}'
    file = tmp_path / "works.yaml"
    file.write_text(text.replace("  - {kind: inspection, passes_per_year: 2}", f"  - {works}"))
    with pytest.raises(ScenarioError, match="delay of traffic, which is off"):
        run_scenario(parse_scenario(file.read_text(), file), tmp_path / "out", workers=1)


PLAN = "section,year,treatment\n{section},{year},reconstruct\n{section},2,seal\n"


def test_a_plan_that_cannot_be_is_refused_before_anything_is_written(
    city_folder: Path, tmp_path: Path
) -> None:
    text = written(tmp_path, city_folder, years=2).read_text()
    file, plan = tmp_path / "plan.yaml", tmp_path / "plan.csv"
    measure = "{kind: maintenance, plan: plan.csv, budget_eur: 2000000, closures: none}"
    begin = text.index("  - name: knapsack")
    file.write_text(f"{text[:begin]}  - name: planned\n    measures: [{measure}]\n")
    section = str(make_sections(City.load(city_folder))["id"].iloc[30])
    plan.write_text(PLAN.format(section=section, year=3))
    out = tmp_path / "out"
    with pytest.raises(ScenarioError, match=r"plan\.yaml: plan\.csv: row 1: year 3 is none of 1"):
        run_scenario(parse_scenario(file.read_text(), file), out, workers=1)
    assert not list(out.glob("*/manifest.json"))
    plan.write_text(PLAN.format(section=section, year=1))
    run_scenario(parse_scenario(file.read_text(), file), out, workers=1)
    results = Results.load(out / "planned" / "seed-0001")
    assert len(results.tables["road_works"]) == 1
    assert results.indicators["plan_left"] == 1.0  # within the moratorium of the first
    events = results.tables["events"]
    (said,) = events[events["kind"] == "not_begun"]["text"]
    assert said.startswith("planned for year 2, not begun: seal by day on")
    page = tmp_path / "report.html"
    write_report([compare(out)], page, title="Plan")
    assert said in page.read_text()


def test_a_policy_beside_a_plan_is_refused() -> None:
    with pytest.raises(ValueError, match=r"policy 'worst_first' and plan 'p.csv' both decide"):
        Maintenance(policy="worst_first", plan="p.csv")


@pytest.mark.parametrize("name", ["roads_ten_years", "night_works", "inspect_more_or_repair_more"])
def test_the_library_can_be_read(name: str) -> None:
    file = Path("scenarios/library") / f"{name}.yaml"
    scenario = parse_scenario(file.read_text(), file).scenario
    assert scenario.years >= 3
    assert scenario.alternatives
    city = open_city(scenario.city, folder=file.parent)
    begin = dt.datetime.combine(scenario.period.day, dt.time(), tzinfo=dt.UTC)
    run = Outlook(city, begin, scenario.years, lambda name: file.parent / name)
    measures = [*scenario.base, *(m for a in scenario.alternatives for m in a.measures)]
    assert [line for measure in measures for line in measure.read(run)] == []


def test_policies_are_trained_and_evaluated_by_the_commands_of_signals(tmp_path: Path) -> None:
    run = CliRunner().invoke
    place = "roads:generated:1"
    out = tmp_path / "agent"
    small = ["--sections", "12", "--seed", "1"]
    done = run(app, ["train", place, "--algo", "es", "--steps", "2000", "-o", str(out), *small])
    assert done.exit_code == 0, done.output
    table = tmp_path / "t.csv"
    agent = str(out / "agent.zip")
    done = run(
        app,
        ["evaluate", "worst_first", agent, "--on", place, "--seeds", "3", "--sections", "12",
         "-o", str(table)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(table)["policy"]) == {"worst_first", agent}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "worst_first", "--on", "roads:generated:1", "--engine", "sumo"], "--engine"),
        (["evaluate", "fixed", "--on", "cologne1", "--sections", "4"], "--sections means nothing"),
        (["evaluate", "worst_first", "--on", "roads:generated:1", "--budget", "inf"], "--budget"),
        (["train", "roads:generated:1", "--begin", "07:00", "-o", "x"], "--begin means nothing"),
        (["train", "roads:generated:1", "--algo", "frap", "-o", "x"], "'frap' trains no roads"),
    ],
)
def test_options_that_mean_nothing_are_refused(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)


def test_signals_and_roads_are_not_mixed() -> None:
    done = CliRunner().invoke(app, ["evaluate", "fixed", "--on", "roads:generated:1", "--on", "x"])
    assert done.exit_code != 0
    assert "apart" in done.output + str(done.exception)
