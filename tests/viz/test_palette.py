"""Scales and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.palette import NO_VALUE, Scale, dark_tables, number, round_up, tick_labels, ticks


def test_a_scale_of_differences_is_symmetric_and_grey_in_the_middle() -> None:
    scale = Scale.of([-3.0, 1.0, np.nan], diverging=True)
    assert scale.low == -scale.high
    red, green, blue = (int(v) for v in scale.rgb([0.0])[0])
    assert max(red, green, blue) - min(red, green, blue) < 20


def test_a_missing_value_has_the_colour_of_no_value() -> None:
    assert Scale(0.0, 1.0).hex([np.nan]) == [NO_VALUE]


def test_heavier_is_darker_so_that_it_prints_in_grey() -> None:
    colours = Scale(0.0, 1.0).rgb(np.linspace(0.0, 1.0, 50)).astype(float)
    light = colours @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(light) < 0.0)


def test_on_dark_ground_more_is_lighter_and_no_change_is_darkest() -> None:
    sequential, diverging = (c.astype(float) @ [0.2126, 0.7152, 0.0722] for c in dark_tables())
    assert np.all(np.diff(sequential[::5]) > 0.0)
    assert np.all(np.diff(diverging[:128:5]) < 0.0)
    assert np.all(np.diff(diverging[128::5]) > 0.0)
    assert diverging[0] > 2.0 * diverging[128]


def test_a_flipped_scale_swaps_its_ends() -> None:
    a, b = Scale(-1, 1, diverging=True), Scale(-1, 1, diverging=True, flipped=True)
    assert a.hex([-1.0, 1.0]) == b.hex([1.0, -1.0])


@given(st.floats(1e-6, 1e9))
def test_rounding_up_goes_up_but_not_far(value: float) -> None:
    assert value * (1 - 1e-6) <= round_up(value) <= 1.7 * value


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e6))
def test_ticks_lie_within_their_ends(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 12
    assert all(low - 1e-6 * span <= t <= low + span * (1 + 1e-6) for t in found)


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (-1234.56, 1, False, "−1\u202f234.6"),
        (0.004, 1, True, "0.0"),
        (3.0, 1, True, "+3.0"),
        (float("nan"), 1, True, "–"),
        (12.34, None, False, "12.3"),
    ],
)
def test_numbers_as_people_write_them(value: float, digits: int, sign: bool, text: str) -> None:
    assert number(value, digits, sign=sign) == text


def test_labels_have_as_many_digits_as_they_need() -> None:
    assert tick_labels([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
