"""The first page: what its results rest on is told with numbers that are true."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from test_report import EFFECTS, MadeUp, made_up, run_info  # noqa: F401

from scenarios import report, report_key, report_places
from scenarios import report_words as words
from scenarios.compare import compare
from scenarios.report import write_report
from viz.language import language

if TYPE_CHECKING:
    from pathlib import Path


def first_page(text: str) -> str:
    return text[text.index('<section id="first">') : text.index('<nav class="contents"')]


def jam(run: Path, seeds: int, vehicles: float = 1.0) -> None:
    for folder in sorted(run.glob("seed-*"))[:seeds]:
        file = folder / "indicators.parquet"
        table = pd.read_parquet(file)
        table.loc[table["indicator"] == "passed_jams", "value"] = vehicles
        table.to_parquet(file)


def test_one_jammed_replication_is_told_on_the_first_page(ran: Path, tmp_path: Path) -> None:
    assert report_key.gridlocks(compare(ran)) == []
    jam(ran / "slow", 1)  # one vehicle: half a vehicle a run
    compared = compare(ran)
    page = write_report([compared], tmp_path / "r.html", title="A").read_text(encoding="utf-8")
    told = "“20 km/h on Unioninkatu”: in 1 of 2 replications vehicles stood so long"
    assert told in first_page(page)
    assert "(base: 0 of 2)" in first_page(page)
    with language("de"):
        (line,) = report_key.rests_on(compared)
    assert "In 1 von 2 Wiederholungen" in line
    assert "(Vergleichsfall: 0 von 2)" in line


def test_alternatives_with_as_many_jams_share_a_sentence(ran: Path) -> None:
    jam(ran / "slow", 2)
    jam(ran / "idle", 2)
    jam(ran / "base", 1)
    (line,) = report_key.gridlocks(compare(ran))
    assert line.startswith("“20 km/h on Unioninkatu” and “")
    assert "in 2 of 2 replications" in line
    assert "(base: 1 of 2)" in line


def test_many_jammed_alternatives_take_one_sentence_of_the_first_page(
    made_up: MadeUp, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    base, *runs = (run_info(tmp_path, name, name) for name in ("base", *EFFECTS, *"vwxyz"))
    for k, run in enumerate((base, *runs)):  # k of 8 replications
        for seed in range(1, 9):
            run.replication(seed).mkdir(exist_ok=True)
            table = pd.DataFrame({"indicator": ["passed_jams"], "value": [float(seed <= k)]})
            table.to_parquet(run.replication(seed) / "indicators.parquet")
    compared: Any = replace(made_up, base=base, alternatives=runs)
    (line,) = report_key.gridlocks(compared, short=True)
    assert line.startswith("“agent”, “rule”, “z”, “y” and 4 more: in 1–8 of 8 replications")
    assert "(base: 0 of 8)" in line
    every = report_key.gridlocks(compared)  # of the chapter
    assert [text[: text.index(":")] for text in every] == [
        f"“{n}”" for n in (*"zyxwv", "noise", "agent", "rule")
    ]


def with_cut_off(made_up: MadeUp, before: float, after: float) -> MadeUp:  # noqa: F811
    table = made_up.table.copy()
    rows = table["indicator"] == "cut_off"
    table.loc[rows, ["base_mean", "mean"]] = before, after
    return replace(made_up, table=table)


def test_trips_cut_off_are_told_only_where_they_differ(made_up: MadeUp) -> None:  # noqa: F811
    def told(before: float, after: float) -> list[str]:
        return [text for _, text, _ in report_key.cut_off(with_cut_off(made_up, before, after))]  # type: ignore[arg-type]

    for before, after in ((0.0, 0.0), (0.0, 0.4), (80.0, 80.4), (float("nan"), float("nan"))):
        assert told(before, after) == []
    assert len(told(0.0, 0.5)) == len(made_up.alternatives)
    assert "can't be made: 1.0 (base: 0)" in told(0.0, 1.0)[0]
    assert "can't be made: 12 (base: 9.6)" in told(9.6, 12.3)[0]
    with language("de"):
        assert "Weg: 0 (Vergleichsfall: 1,5)" in told(1.5, 0.0)[0]


@pytest.mark.parametrize(
    ("code", "scaled", "holds"),
    [
        ("en", "Computed with 0.5 times the assumed demand.", "The base already holds: a bus lane"),
        ("de", "Gerechnet mit dem 0,5-Fachen der angenommenen Nachfrage.",
         "Der Vergleichsfall enthält bereits: eine Busspur"),
    ],
)  # fmt: skip
def test_another_demand_and_a_base_with_measures_are_told_first(
    made_up: MadeUp, tmp_path: Path, code: str, scaled: str, holds: str  # noqa: F811
) -> None:  # fmt: skip
    def page(made_up: MadeUp) -> str:
        path = write_report([made_up], tmp_path / "r.html", title="A", language=code)  # type: ignore[list-item]
        return path.read_text(encoding="utf-8")

    plain = first_page(page(made_up))
    for slip in (scaled[:10], holds[:20]):
        assert slip not in plain
    changed: dict[str, Any] = {
        "demand": {"scale": 0.5, "digest": "deadbeef"},
        "base_measures": [
            {"kind": "lanes", "describe": "a bus lane", "describe_de": "eine Busspur"}
        ],
    }
    base, *rest = (
        replace(run, manifest={**run.manifest, **changed})
        for run in (replace(made_up.base, name="base"), *made_up.alternatives)
    )
    text = page(replace(made_up, base=base, alternatives=rest))
    for said in (scaled, holds):
        assert said in first_page(text)
    assert "ohne die untersuchten Maßnahmen" not in text


def test_the_first_map_is_of_the_greatest_clear_change(made_up: MadeUp) -> None:  # noqa: F811
    table = made_up.table.copy()
    noise = table["alternative"] == "noise"  # never clear
    table.loc[noise, "difference"] *= 1e6
    assert words.changes_most(table)[-1] == "noise"
    assert words.changes_most(table)[0] in {"agent", "rule"}
    chapter = {
        "maps": [{"svg": "<svg/>", "layer": "a", "alternative": n} for n in ("noise", "agent")]
    }
    compared: Any = replace(made_up, table=table)
    shown = report._first_map([compared], [chapter])
    assert shown is not None
    assert shown["alternative"] == "agent"
    table["p_holm"] = 0.9
    assert words.changes_most(table)[0] == "noise"


@pytest.mark.parametrize(("effect", "word"), [("unresolved", "not resolved"), ("worse", "worse")])
def test_groups_are_no_surer_than_what_drivers_learnt(ran: Path, effect: str, word: str) -> None:
    compared = compare(ran)
    rows = (compared.table["alternative"] == "slow") & (
        compared.table["indicator"] == "delay_per_trip_s"
    )
    compared.table.loc[rows, "effect"] = effect
    assert rows.sum() == 1
    groups = pd.DataFrame(
        {"group": ["work", "home"], "base_trips": 90.0, "base_delay_s": 30.0, "diff_delay_s": 4.0,
         "low_delay_s": [2.0, -1.0], "high_delay_s": [6.0, 9.0]}
    )  # fmt: skip
    open_ = report_places._open(compared, compared.run("slow"))
    told = {row["name"]: row["word"] for row in report_places._groups(groups, open_=open_)}
    assert told == {"to work": word, "home": "no clear difference"}
    assert not report_places._open(compared, compared.run("idle"))


def test_the_caption_of_intervals_names_every_reason_for_a_hollow_dot() -> None:
    for code in ("en", "de"):
        said = words.texts_of(code)
        for effect in ("better", "worse", "changed", "unresolved"):
            assert said["word"][effect] in said["source"]["intervals"]


def test_own_matrices_are_named_where_the_method_is_told(ran: Path, tmp_path: Path) -> None:
    def page(language_: str = "en") -> str:
        path = tmp_path / f"{language_}.html"
        return write_report([compare(ran)], path, title="A", language=language_).read_text("utf-8")

    assert "drawn from where people live" in page()
    file = ran / "base" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["demand"]["matrices"] = ["od.csv", "<b>.omx"]
    file.write_text(json.dumps(manifest))
    assert "those of stated matrices (od.csv, &lt;b&gt;.omx)" in page()
    assert "drawn from where people live" not in page()
    assert "die vorgegebener Matrizen (od.csv, &lt;b&gt;.omx)" in page("de")
