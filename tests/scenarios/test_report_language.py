"""The report in German: the same texts, all of them, German numbers, and one line for mistakes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from german import english_left, visible
from test_report import EVIL, MadeUp, made_up  # noqa: F401

from scenarios import report_words as words
from scenarios.cli import main
from scenarios.compare import compare
from scenarios.loading import parse_scenario
from scenarios.report import write_report
from twin.roads.treatments import OPTIONS, option_name
from twin.system import indicators, layers, systems
from viz.language import language
from viz.palette import number

ONLY_GERMAN = {"assumption", "basis", "event", "figure", "indicator", "layer", "origin",
               "treatment", "unit", "value"}  # fmt: skip


def keys(texts: Any, at: str = "") -> dict[str, Any]:
    if not isinstance(texts, dict):
        return {at: texts}
    return {k: v for name, part in texts.items() for k, v in keys(part, f"{at}/{name}").items()}


def placeholders(text: Any) -> set[str]:
    parts = text if isinstance(text, list) else [text]
    return {str(name) for part in parts for _, name, _, _ in Formatter().parse(part) if name}


@pytest.fixture(scope="module")
def german(made_up: MadeUp, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: F811
    path = tmp_path_factory.mktemp("german") / "report.html"
    write_report([made_up], path, title=f"Eine Stadt {EVIL}", language="de")  # type: ignore[list-item]
    return path.read_text(encoding="utf-8")


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    english, other = words.texts_of("en"), words.texts_of("de")
    assert set(other) - set(english) == ONLY_GERMAN
    told, said = keys(english), keys({k: other[k] for k in english})
    assert set(told) == set(said)
    for key, text in told.items():
        assert placeholders(text) == placeholders(said[key]), key
        assert isinstance(text, list) == isinstance(said[key], list)


def test_german_has_every_name_of_the_registry() -> None:
    t, known = words.texts_of("de"), systems().values()
    rows = [row for system in known for row in system.assumptions()]
    assert set(indicators()) <= set(t["indicator"])
    assert set(layers()) <= set(t["layer"])
    assert {f.title for s in known for f in (*s.courses, *s.tradeoffs)} <= set(t["figure"])
    assert {name for name, *_ in rows} <= set(t["assumption"])
    assert {source for *_, source in rows} <= set(t["basis"])
    assert {option_name(k) for k in range(len(OPTIONS) + 1)} <= set(t["treatment"])


def test_a_german_report_says_nothing_in_english(german: str, made_up: MadeUp) -> None:  # noqa: F811
    names = [run.title for run in made_up.alternatives]
    names += [
        "Signals in the morning peak",
        "a note",
        "signals by",
        "works of",
        "begin",
        "works end",
        EVIL,
    ]
    assert english_left(german, names) == []


def test_english_in_a_german_report_would_be_noticed(german: str) -> None:
    for slip in ("no clear difference", "Delay per trip", "fuller than on other ways; own estimate",
                 "residential streets within centre.geojson"):  # fmt: skip
        assert slip in english_left(german.replace("</h2>", f"</h2><p>{slip}</p>", 1), [])


def test_a_german_report_of_runs_says_nothing_in_english(ran: Path, tmp_path: Path) -> None:
    comparison = compare(ran)
    page = write_report([comparison], tmp_path / "r.html", title="Vergleich", language="de")
    text = page.read_text(encoding="utf-8")
    names = [run.title for run in comparison.alternatives]
    assert english_left(text, [*names, str(comparison.base.manifest["scenario"])]) == []
    assert "gegenüber Vergleichsfall" in re.sub(r"[„“]", "", text)
    assert '<html lang="de">' in text


def test_german_has_terms_numbers_and_days_of_its_own(german: str) -> None:
    shown = "\n".join(visible(german))
    for term in ("Verlustzeit je Fahrt", "Mittlere Reisezeit", "Rückstaulänge", "Vertrauensbereich",
                 "QSV", "Dienstag, 15. September 2026", "nicht an Zählungen kalibriert"):  # fmt: skip
        assert term in shown
    with language("de"):
        assert number(-1234567.25, 1) == "−1.234.567,2"
    assert number(-1234567.25, 1) == "−1\u202f234\u202f567.2"


def test_german_prints_the_numbers_of_the_table(german: str, made_up: MadeUp) -> None:  # noqa: F811
    for row in words.records(made_up.table):
        with language("de"):
            shown = words.table_row(row)
        assert shown["interval"] in german
        value = float(shown["difference"].replace(".", "").replace(",", ".").replace("−", "-"))
        decimals = len(shown["difference"].partition(",")[2])
        assert abs(value - row["difference"]) <= 0.5 * 10.0**-decimals + 1e-9


def test_names_are_never_markup_in_german(german: str) -> None:
    assert "<script>alert" not in german
    assert german.count("&lt;script&gt;alert") > 4


def test_measures_of_the_library_are_told_in_german() -> None:
    names = {"New quarter", "Market"}
    told = []
    for file in sorted(Path("scenarios/library").glob("*.yaml")):
        scenario = parse_scenario(file.read_text(), file).scenario
        every = [*scenario.base, *(m for a in scenario.alternatives for m in a.measures)]
        told += [(m.describe(), m.describe("de")) for m in every]
    assert len(told) > 30
    assert english_left("".join(f"<p>{german}</p>" for _, german in told), names) == []
    assert {"Tempo 30: Wohnstraßen, Kreisstraßen, Nebenstraßen innerhalb von southern_centre.geojson",
            "Pitkäsilta mit 1 Fahrstreifen je Richtung"} <= {german for _, german in told}  # fmt: skip
    assert english_left("".join(f"<p>{english}</p>" for english, _ in told), names) != []


@pytest.mark.parametrize("code", ["en", "de"])
def test_braces_in_names_are_names(code: str, made_up: MadeUp, tmp_path: Path) -> None:  # noqa: F811
    odd = "{title} {0} 100 % \\1 --ratio:9"
    runs = [replace(made_up.alternatives[0], title=odd), *made_up.alternatives[1:]]
    base = replace(made_up.base, manifest={**made_up.base.manifest, "scenario": odd})
    page = write_report(
        [replace(made_up, base=base, alternatives=runs)],  # type: ignore[list-item]
        tmp_path / "r.html", title=odd, language=code,
    )  # fmt: skip
    assert page.read_text(encoding="utf-8").count(odd) > 5


def test_notes_are_told_in_the_language_that_holds() -> None:
    note = words.Note("differs", title="Planfall 1", what=("demand", "systems"))
    line = "f.csv, row 5: time 2029-12-01T10:00 is after 2027-01-04 00:00, at which the run begins; mend or leave out the row"
    assert note == "Planfall 1: also differs from the base in demand, systems"
    assert words.note_text(line) == line
    with language("de"):
        assert words.note_text(note).endswith(
            "weicht vom Vergleichsfall auch ab in Nachfrage, Teilsystemen"
        )
        assert words.note_text(line).startswith("f.csv, Zeile 5: Zeit 2029-12-01T10:00 liegt nach")
        planned = "planned for year 2, not begun: seal by night on {Katu}"
        assert words.event_text(planned) == (
            "geplant für Jahr 2, nicht begonnen: Versiegeln bei Nacht, {Katu}"
        )


def test_runs_of_before_german_are_still_reported(ran: Path, tmp_path: Path) -> None:
    described = []
    for path in ran.glob("*/manifest.json"):
        manifest = json.loads(path.read_text())
        for key in ("measures", "base_measures"):
            for measure in manifest.get(key, []):
                described.append(measure["describe"])
                del measure["describe_de"]
        path.write_text(json.dumps(manifest))
    page = write_report([compare(ran)], tmp_path / "r.html", title="Alt", language="de")
    assert described
    assert described[0] in "\n".join(visible(page.read_text(encoding="utf-8")))


def test_an_unknown_language_is_told_in_one_line(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compare", str(ran), "-o", str(tmp_path / "out"), "--lang", "fr"])
    said = capsys.readouterr()
    assert left.value.code != 0
    assert "fr" in said.err
    assert "en" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_the_command_writes_german(ran: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compare", str(ran), "-o", str(tmp_path / "out"), "--lang", "de"])
    assert left.value.code in (0, None)
    assert "Die wichtigsten Kenngrößen" in (tmp_path / "out" / "report.html").read_text("utf-8")
