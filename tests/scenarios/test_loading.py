from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.loading import dump_scenario, load_scenario, parse_scenario, with_replications
from scenarios.schema import RouteChoice, json_schema
from twin.errors import ScenarioError

GOOD = """\
name: Peak
city: helsinki
period:
  day: 2026-09-15
  begin: 07:00
  end: 10:30
base: []
alternatives:
  - name: closed
    response: en_route
    measures:
      - kind: close
        street: Kaivokatu
        begin: 9:00
        end: 11:00
"""


def parse(text: str):
    return parse_scenario(text, Path("peak.yaml"))


def error(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_times_of_day_survive_without_quotes() -> None:
    scenario = parse(GOOD).scenario
    # YAML 1.1 reads 10:30 as 630 and 9:00 as 540: hours of a sexagesimal number.
    assert (scenario.period.begin, scenario.period.end) == ("07:00", "10:30")
    assert scenario.alternatives[0].measures[0].begin == "9:00"
    assert scenario.period.begin_s == 6.5 * 3600
    assert scenario.period.end_s == 10.5 * 3600


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"{GOOD}# the end",
        f"replications: 1_000  # of nights\n{GOOD}",
        f'{GOOD}replications:\n  "40"\n',
        f"{GOOD}replications: # many\n  40\n",
        f"{GOOD}'replications': 40\n",
        '{name: Peak, city: x, period: {day: 2026-09-15, begin: "07:00", end: "08:00"}}',
    ],
)
def test_the_text_says_how_many_replications_are_asked_for(text: str) -> None:
    before = parse(text)
    changed = with_replications(before, 7)
    wanted = {**before.scenario.model_dump(serialize_as_any=True), "replications": 7}
    assert changed.scenario.model_dump(serialize_as_any=True) == wanted
    assert parse(changed.text).scenario.model_dump(serialize_as_any=True) == wanted
    assert changed.path == before.path


def test_comments_stay_where_replications_change() -> None:
    text = f"# mine\n{GOOD}replications: 40 # of nights\n"
    assert with_replications(parse(text), 7).text == text.replace("40", "7")


def test_words_and_numbers_stay_what_is_written() -> None:
    scenario = parse(GOOD.replace("Kaivokatu", "0123456").replace("Peak", "No")).scenario
    assert scenario.name == "No"
    assert scenario.alternatives[0].measures[0].street == "0123456"


def test_replication_k_uses_seed_plus_k() -> None:
    assert parse(GOOD + "seed: 7\nreplications: 3\n").scenario.seeds == (7, 8, 9)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("city:", "ctiy:", 2, "unknown key 'ctiy'; did you mean 'city'?"),
        ("    response:", "    respnose:", 10, "did you mean 'response'?"),
        ("street: Kai", "stret: Kai", 13, "did you mean 'street'?"),
        ("kind: close", "kind: clsoe", 12, "no measure 'clsoe'; did you mean 'close'?"),
        ("kind: close", "why: close", 12, "has no 'kind'; write one of: close"),
        ("10:30", "06:30", 3, "ends at 06:30 and begins at 07:00"),
        ("07:00", "7 o'clock", 5, '"7 o\'clock"'),
        ("07:00", "00:10", 3, "warm-up of 30 minutes would begin before midnight"),
        ("day: 2026-09-15", "day: 2026-02-30", 4, "period.day is '2026-02-30'"),
        ("en_route", "maybe", 10, "alternatives.0.response is 'maybe'"),
        ("name: closed", "name: base", 8, "name that is taken ('base')"),
        ("name: closed", "name: ../x", 9, "alternatives.0.name is '../x'"),
        ("city: helsinki", "city: helsinki\ncity: x", 3, "key 'city' twice, first on line 2"),
        ("city: helsinki", "city: !!python/name:os.system x", 2, "tags are not allowed"),
        ("city: helsinki", "city: [helsinki", 3, "no valid YAML"),
        ("city: helsinki\n", "", 1, "the scenario has no 'city'"),
        (
            "base: []",
            "base: [{kind: works, street: x, begin: '9:00', hours: 1}]",
            7,
            "closes: true",
        ),
        ("base: []", "replications: 0", 7, "replications is 0; input should be greater"),
        ("base: []", "demand: {scale: .inf}", 7, "demand.scale"),
        ("base: []", "systems: [trafic]", 7, "names no system ('trafic')"),
        ("base: []", "equilibrium: {route_choice: logit}", 7, "route_choice is 'logit'"),
        ("base: []", "equilibrium: {theta_per_min: 2}", 7, "which only c_logit uses"),
        (
            "base: []",
            "equilibrium: {route_choice: c_logit, theta_per_min: 0}",
            7,
            "theta_per_min is 0; input should be greater than or equal to 0.01",
        ),
        (
            "base: []",
            "equilibrium: {route_choice: c_logit, theta_per_min: 101}",
            7,
            "theta_per_min is 101; input should be less than or equal to 100",
        ),
        ("en_route", "en_route\n    informed: 1.2", 11, "informed is 1.2; input should be less"),
        ("en_route", "none\n    informed: 0.4", 9, "informs 0.4 of the drivers, but none responds"),
    ],
)
def test_an_error_names_the_line_the_value_and_what_to_do(
    old: str, new: str, line: int, words: str
) -> None:
    assert old in GOOD
    message = error(GOOD.replace(old, new, 1))
    assert message.startswith(f"peak.yaml:{line}: ")
    assert words in message


def test_further_errors_are_counted() -> None:
    assert error(GOOD.replace("city:", "ctiy:")).endswith("(1 more after it)")


def test_alias_bombs_deep_nesting_and_large_files_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    assert "values; shorten" in error(bomb)
    assert "aliases" in error("a: &a x\nb: [" + "*a, " * 101 + "]")
    assert "nested deeper" in error("[" * 100_000)
    assert "before" in error("a: &a [*a]")
    assert "tag" in error("a: !!python/object/apply:os.system [ls]")
    large = tmp_path / "large.yaml"
    large.write_text(GOOD + "#" * 10_000_000)
    with pytest.raises(ScenarioError, match="larger than"):
        load_scenario(large)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(path)
    with pytest.raises(ScenarioError, match="directory"):
        load_scenario(tmp_path)
    path.write_bytes(b"name: x\ncity: \xff\xfe\n")
    with pytest.raises(ScenarioError, match=r"x.yaml:2: holds the byte 0xff"):
        load_scenario(path)
    for text in ("", "# nothing\n", "a: 1\n---\nb: 2\n", "just words", "- 1\n- 2\n", "a: \x07"):
        assert error(text).startswith("peak.yaml:")


@given(st.text(max_size=200) | st.from_regex(re.compile(r"[a-z:\[\]{}&*!|>\-\n \"',#?%@]{0,80}")))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused_in_one_line(text: str) -> None:
    # No text that hypothesis writes here names a city and a period.
    assert error(text).startswith("peak.yaml:")


def test_a_scenario_that_is_written_reads_back_the_same() -> None:
    scenario = parse(GOOD).scenario
    assert parse(dump_scenario(scenario)).scenario.model_dump() == scenario.model_dump()


def test_route_choices_are_those_of_the_assignment() -> None:
    from twin.traffic.preparation import ROUTE_CHOICES

    assert get_args(RouteChoice) == ROUTE_CHOICES


def test_the_json_schema_describes_every_key() -> None:
    schema = json_schema()
    assert set(schema["required"]) == {"name", "city", "period"}
    assert all("description" in p or "$ref" in p for p in schema["properties"].values())
    kinds = schema["properties"]["base"]["items"]["discriminator"]["mapping"]
    assert {"close", "lanes", "speed", "signal_policy", "works"} <= set(kinds)
