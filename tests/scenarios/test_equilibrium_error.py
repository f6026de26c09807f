from __future__ import annotations

import math

import pandas as pd
import pytest

from scenarios.equilibrium_error import equilibrium_error, shift


def learning(gaps: list[float], delays: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"iteration": range(1, len(gaps) + 1), "gap": gaps, "delay_per_trip_s": delays}
    )


def test_the_earlier_day_is_the_first_of_the_later_half_that_knew_nearly_as_well() -> None:
    gaps = [0.3, 0.05, 0.2, 0.1, 0.07, 0.06, 0.05, 0.04]
    # days 5 to 7 are of the later half; the gap of day 5 is the first of at most 0.08
    table = learning(gaps, [90.0, 80.0, 70.0, 60.0, 55.0, 53.0, 52.0, 50.0])
    assert shift(table) == {"delay_per_trip_s": pytest.approx(-5.0)}
    shuffled = table.sample(frac=1.0, random_state=1)
    assert shift(shuffled) == shift(table)


def test_without_such_a_day_it_is_the_day_before_the_last() -> None:
    assert shift(learning([0.5, 0.4, 0.3, 0.1], [9.0, 8.0, 7.0, 4.0])) == {"delay_per_trip_s": -3.0}
    assert shift(learning([0.5, 0.1], [9.0, 4.0])) == {"delay_per_trip_s": -5.0}
    assert shift(learning([0.5], [9.0])) == {}


def test_the_error_is_the_mean_move_of_the_difference_with_its_standard_error() -> None:
    base = [learning([0.1, 0.1], [10.0, 9.0]), learning([0.1, 0.1], [20.0, 18.0])]
    other = [learning([0.1, 0.1], [8.0, 8.0]), learning([0.1, 0.1], [15.0, 16.0])]
    # differences move from -2 to -1 and from -5 to -2: by 1 and 3, mean 2, standard error 1
    found = equilibrium_error(base, other)
    assert found == {"delay_per_trip_s": pytest.approx(math.sqrt(5.0))}
    assert equilibrium_error(base[:1], other[:1]) == {"delay_per_trip_s": pytest.approx(1.0)}


def test_who_drives_the_same_routes_has_no_error_and_who_did_not_learn_an_unknown_one() -> None:
    table = learning([0.2, 0.1, 0.05], [9.0, 8.0, 7.5])
    assert equilibrium_error([table, table], [table.copy(), table]) == {"delay_per_trip_s": 0.0}
    assert equilibrium_error([None, None], [None, None]) == {}
    found = equilibrium_error([table, None], [learning([0.2, 0.1, 0.05], [9.0, 8.0, 8.0]), table])
    assert found == {"delay_per_trip_s": pytest.approx(0.5)}
