from __future__ import annotations

import math

import pandas as pd
import pytest

from scenarios.equilibrium_error import equilibrium_error, shift


def learning(gaps: list[float], delays: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"iteration": range(1, len(gaps) + 1), "gap": gaps, "delay_per_trip_s": delays}
    )


def test_it_is_what_differs_between_two_equilibria() -> None:
    table = learning([0.01, 0.011], [7.0, 4.0])
    assert shift(table) == {"delay_per_trip_s": -3.0}
    assert shift(table.sample(frac=1.0, random_state=1)) == shift(table)
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
