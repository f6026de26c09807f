"""Scenarios that cannot be meant so, refused with the line; and what `twin check` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.loading import Source, parse_scenario
from scenarios.plan import check_scenario
from scenarios.responses import responses
from twin.errors import TwinError

HEAD = """\
name: Check
city: helsinki
period: {day: 2026-09-15, begin: "07:00", end: "08:00", warmup_minutes: 15}
alternatives:
  - name: a
    measures:
"""


def source(*measures: str, head: str = HEAD, folder: Path = Path()) -> Source:
    lines = "".join(f"      - {{{m}}}\n" for m in measures)
    return parse_scenario(head + lines, folder / "s.yaml")


def check(*measures: str, head: str = HEAD, folder: Path = Path()) -> str:
    with pytest.raises(TwinError) as caught:
        check_scenario(source(*measures, head=head, folder=folder), lambda _: None)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("measures", "line", "words"),
    [
        (("kind: close, street: Manerheimintie",), 7, "did you mean Mannerheimintie"),
        (
            ("kind: close, street: Bulevardi", "kind: reopen, street: Bulevardi"),
            8,
            "'Bulevardi open again' contradicts 'Bulevardi closed' of s.yaml:7",
        ),
        (
            ("kind: speed, street: Bulevardi, kmh: 30",
             "kind: speed, streets: {highway: [tertiary, secondary]}, kmh: 40"),
            8, "(speed limit, at the same time and place)",
        ),
        (
            ('kind: close, street: Bulevardi, begin: "09:00", end: "10:00"',),
            7, "close holds from 09:00 to 10:00, outside of the period from 06:45 (warm-up) to 08:00",
        ),
        (("kind: signal_policy, policy: green_wav",), 7, "did you mean 'green_wave'"),
        (
            ("kind: one_way, street: Bulevardi, direction: southwest",
             "kind: one_way, street: Bulevardi, direction: northeast"),
            8, "'Bulevardi one way to the northeast' contradicts",
        ),
        (("kind: signal_policy, policy: webster", "kind: signal_program, program: 'off'"), 8, "contradicts"),
        (("kind: close, street: Bulevardi, requires: [metro]",), 7, "requires the measure 'metro', which no measure"),
        (
            ("kind: close, street: Bulevardi, name: shut", "kind: speed, street: Fredrikinkatu, kmh: 30, excludes: [shut]"),
            8, "rules out the measure 'shut'; take one out of this list or the base",
        ),
        (('kind: close, street: Bulevardi, begin: "7.30"',), 7, "begin: '7.30' is no time of day"),
        (("kind: demand, factor: 80",), 7, "factor is 80; input should be less than or equal to 10"),
        (("kind: development, title: Q, street: Bulevardi",), 7, "has nobody and nothing"),
        (("kind: demand, factor: 0.8, purpose: wrok",), 7, "no trip has the purpose 'wrok'; did you mean 'work'"),
        (("kind: maintenance",), 7, "works over years: write 'years: 10'"),
        (("kind: speed, streets: {highway: [motorwa]}, kmh: 80",), 7, "no street is of the kind 'motorwa'"),
        (("kind: speed, streets: {within: ../area.geojson}, kmh: 80",), 7, "lies outside of the scenario's folder"),
        (("kind: speed, streets: {within: /etc/passwd}, kmh: 80",), 7, "lies outside of the scenario's folder"),
        (("kind: speed, streets: {within: area.geojson}, kmh: 80",), 7, "no file area.geojson"),
        (("kind: signal_policy, policy: ../agent.zip",), 7, "lies outside of the scenario's folder"),
        (("kind: signal_program, program: 'off', signals: [x]",), 7, "signal 'x' is not in the city"),
        (("kind: one_way, street: Bulevardi, direction: north-west",), 7, "direction"),
        (("kind: bus_lane, street: Bulevardi, lanes: 5",), 7, "a bus lane needs one more than it takes"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_line(
    measures: tuple[str, ...], line: int, words: str
) -> None:
    message = check_or_parse(*measures)
    assert words in message
    assert message.startswith((f"s.yaml:{line}: ", "s.yaml: "))


def check_or_parse(*measures: str) -> str:
    """The refusal of a text, be it when it is read or when it is checked."""
    with pytest.raises(TwinError) as caught:
        check_scenario(source(*measures), lambda _: None)
    return str(caught.value)


def test_the_same_at_other_times_or_on_other_streets_is_no_contradiction() -> None:
    run, lists, demand = check_scenario(
        source(
            'kind: speed, street: Bulevardi, kmh: 30, end: "07:30"',
            'kind: speed, street: Bulevardi, kmh: 40, begin: "07:30"',
            "kind: speed, street: Mannerheimintie, kmh: 40",
            'kind: close, street: Fredrikinkatu, begin: "07:10", end: "07:20"',
        ),
        lambda _: None,
    )
    assert demand is None
    assert len(lists["a"]) == 4
    each = responses([p.measure for p in lists["a"]], run).each
    assert each == ("en_route", "en_route", "equilibrium", "en_route")
    assert set(responses([p.measure for p in lists["a"]], run, "none").each) == {"none"}


def test_what_a_measure_needs_may_stand_in_the_base() -> None:
    text = HEAD.replace(
        "alternatives", "base: [{kind: close, street: Bulevardi, name: shut}]\nalternatives"
    )
    check_scenario(
        source("kind: speed, street: Fredrikinkatu, kmh: 30, requires: [shut]", head=text),
        lambda _: None,
    )
    assert "rules out the measure 'shut'" in check(
        "kind: speed, street: Fredrikinkatu, kmh: 30, excludes: [shut]", head=text
    )


def test_a_system_that_is_off_is_named() -> None:
    text = HEAD.replace("alternatives", "systems: [roads]\nalternatives")
    assert "belongs to the system traffic, which is off" in check(
        "kind: close, street: Bulevardi", head=text
    )


def test_every_scenario_of_the_library_can_be_meant() -> None:
    from scenarios.library import known
    from scenarios.loading import load_scenario

    found = known()
    assert len(found) >= 12
    for path in found:
        _, lists, _ = check_scenario(load_scenario(path), lambda _: None)
        assert sum(len(placed) for placed in lists.values()) > 0
