"""Indices of reliability, grades and costs, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twin.roads.costs import DEFAULT
from twin.traffic import costs
from twin.traffic import level_of_service as los
from twin.traffic.reliability import reliability


def trips(duration_s: list[float], loss_s: list[float], wait_s: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "duration_s": duration_s,
            "time_loss_s": loss_s,
            "depart_delay_s": wait_s,
            "arrival_s": np.where(np.isnan(duration_s), np.nan, 0.0),
            "route_length_m": 1000.0,
        }
    )


def test_indices_of_equal_trips() -> None:
    """100 trips of 100 s without traffic that take 101 to 200 s: mean 1.505, p95 1.955."""
    spent = np.arange(101.0, 201.0)
    found = reliability(trips(list(spent), list(spent - 100), [0.0] * 100))
    assert found["travel_time_index"] == pytest.approx(1.505)
    assert found["planning_time_index"] == pytest.approx(1.955)
    assert found["buffer_index_percent"] == pytest.approx(100 * (1.955 / 1.505 - 1))


def test_the_wait_to_enter_counts_and_trips_weigh_by_their_free_time() -> None:
    """(110 + 10) / 100 and 300 / 300, weights 100 and 300."""
    found = reliability(trips([110.0, 300.0, np.nan], [10.0, 0.0, 5.0], [10.0, 0.0, 9.0]))
    assert found["travel_time_index"] == pytest.approx((120 + 300) / 400)


def test_without_arrivals_there_is_no_index() -> None:
    assert np.isnan(list(reliability(trips([np.nan], [1.0], [0.0])).values())).all()


@pytest.mark.parametrize(
    ("delay_s", "over", "signals", "hcm", "hbs"),
    [
        (10.0, False, True, "A", "A"),
        (20.1, False, True, "C", "B"),
        (28.4, False, True, "C", "B"),  # HCM's example of 90 s cycle, 45 s green, 800 veh/h
        (55.0, False, True, "D", "D"),
        (80.1, False, True, "F", "E"),
        (12.0, True, True, "F", "F"),
        (10.1, False, False, "B", "B"),
        (25.1, False, False, "D", "C"),
        (45.1, False, False, "E", "E"),
        (50.1, True, False, "F", "F"),
    ],
)
def test_grades(delay_s: float, over: bool, signals: bool, hcm: str, hbs: str) -> None:
    given = np.array([delay_s]), np.array([over]), np.array([signals])
    assert los.GRADES[los.hcm(*given)[0]] == hcm
    assert los.GRADES[los.hbs(*given)[0]] == hbs


def test_nobody_is_no_grade() -> None:
    given = np.array([np.nan]), np.array([False]), np.array([True])
    assert los.hcm(*given)[0] == los.hbs(*given)[0] == los.NONE


def test_costs_of_users() -> None:
    """Half an hour on the road, half an hour of waiting, 2 km of a car and 1 km of a lorry."""
    table = trips([900.0, 900.0], [0.0, 0.0], [1800.0, 0.0])
    table["route_length_m"] = [2000.0, 1000.0]
    euros = costs.user_cost_eur(table, np.array([False, True]))
    assert euros == pytest.approx(15.6 + 0.22 * (2 + 4))


def test_traffic_reckons_with_the_prices_of_roads() -> None:
    running = DEFAULT.fuel_eur_km + DEFAULT.repair_eur_km + DEFAULT.tyres_eur_km
    assert DEFAULT.time_eur_h == costs.TIME_EUR_H
    assert pytest.approx(running) == costs.RUNNING_EUR_KM
    assert DEFAULT.lorry_factor == costs.HEAVY_FACTOR
