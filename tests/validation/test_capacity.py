"""The kernel against handbook formulas: signals with random arrivals, gaps, rings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from test_theory import CAR, HEADWAY_S, WAVE_M_S, V, run, seconds, vehicles
from toy import ToyCity

from twin.traffic import parameters as par
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.state import Vehicles, initial_state

HOUR_S = 3600.0


def poisson(rate_h: float, rng: np.random.Generator, end_s: float = HOUR_S) -> np.ndarray:
    due = np.cumsum(rng.exponential(3600.0 / rate_h, int(2 * rate_h * end_s / 3600 + 50)))
    return due[due < end_s]


@pytest.mark.parametrize("degree", [0.3, 0.5, 0.7, 0.8, 0.9])
def test_delay_under_random_arrivals_is_that_of_the_handbook(degree: float) -> None:
    """Webster (1958): d = 0.9 (d1 + x^2 / 2q(1 - x)); HCM 2016, chapter 19: d1 + d2 over an hour.

    HCM's formula (k = 0.5, I = 1) lies above Webster's and above the kernel.

    The capacity is that of the queue that never ends; 60 hours, so that the mean is known to a
    few per cent.
    """
    cycle, green = 60.0, 27.0
    city = ToyCity()
    a, b = city.street(3000), city.street(100)
    city.turn(a, b, signal=0, link=0)
    city.program(0, (green, "G"), (3, "y"), (cycle - green - 3, "r"))
    network = Network.from_city(city.build())
    full = run(network, vehicles(np.arange(0, HOUR_S, 1.9), [a, b]), HOUR_S)
    arrived = seconds(full.vehicle["arrive"])
    capacity = ((arrived > 1200) & (arrived <= HOUR_S)).sum() * 1.5
    share = capacity / 3600 * HEADWAY_S
    total, number = 0.0, 0
    rng = np.random.default_rng(7)
    for _ in range(60):
        due = poisson(degree * capacity, rng)
        state = run(network, vehicles(due, [a, b]), 2 * HOUR_S)
        total += (seconds(state.vehicle["arrive"]) - due - 3100 / V).sum()
        number += len(due)
    d1 = 0.5 * cycle * (1 - share) ** 2 / (1 - degree * share)
    d2 = 900 * ((degree - 1) + np.sqrt((degree - 1) ** 2 + 8 * 0.5 * degree / capacity))
    q = degree * capacity / 3600
    webster = 0.9 * (d1 + degree**2 / (2 * q * (1 - degree)))
    assert total / number == pytest.approx(webster, rel=0.12)
    assert total / number == pytest.approx(d1 + d2, rel=0.16)


@pytest.mark.parametrize(
    ("major_h", "merges"),
    [*((q, False) for q in (200, 500, 800, 1100, 1400)), *((q, True) for q in (200, 500, 800))],
)
def test_capacity_of_an_entry_is_that_of_gap_acceptance(major_h: int, *, merges: bool) -> None:
    """HCM 2016, equation 20-18: c = q exp(-q tc) / (1 - exp(-q tf)), with this model's gaps.

    The formula holds for exponential headways and one follow-up time.  Here headways on the one
    lane are at least D: behind a queue with random arrivals a gap is larger than t with
    probability (1 - q D) exp(-q (t - D)) (Tanner 1962).  And only the first starts from a
    stand, so that the second follows later than the third follows the second.  Counting a
    vehicle more for each further time that the gap holds gives

        c = q (1 - q D) exp(q D) (exp(-q tc) + exp(-q (tc + tf1)) / (1 - exp(-q tf))).

    tc: time in which the last one clears, half the time between two looks, gap of who stands.
    tf1: follow-up time of who has stood, with the gap of who comes moving instead of his.
    tf: headway of the movement.  Who comes within a second of the first takes the gap of who
    comes moving, which gives up to 10 % more; who merges holds up the next in the lane a
    little, which costs up to 5 %.  Beside busier streets merging drivers lose their patience.
    """
    measured, passed, network, turn = _entry(major_h, merges=merges)
    link = network.movement_link[turn]
    row = network.arrays.link[link]
    standing, moving = seconds(row["gap_standing"]), seconds(row["gap_moving"])
    clear = seconds(network.arrays.foe["clear"][row["yields"]])
    critical = clear + par.LOOK_S / 2 + standing
    first = par.START_WAVE_S + np.sqrt(2 * CAR.spacing_m / CAR.accel_m_s2) + moving - standing
    follow = seconds(network.arrays.headway[0, link])
    q = passed / 3600
    free = q * (1 - q * HEADWAY_S) * np.exp(q * HEADWAY_S)
    alone, queued = np.exp(-q * critical), np.exp(-q * (critical + first))
    capacity = 3600 * free * (alone + queued / (1 - np.exp(-q * follow)))
    assert passed == pytest.approx(major_h, rel=0.05)
    assert measured == pytest.approx(capacity, rel=0.1)


def _entry(major_h: int, *, merges: bool, hours: int = 20) -> tuple[float, float, Network, int]:
    """Vehicles an hour of an entry whose queue never ends, those of the major street, the net.

    `merges` is the entry of a roundabout, else a crossing.
    """
    city = ToyCity()
    minor, major = city.street(600), city.street(3000)
    out, ahead = city.street(200), city.street(200)
    onto = out if merges else ahead
    # who merges comes up to the speed of the others on the way
    length_m, speed_m_s = (40.0, V) if merges else (8.0, 8.0)
    turn = city.turn(minor, out, length_m=length_m, speed_m_s=speed_m_s, right_of_way="m")
    city.yields(turn, city.turn(major, onto, length_m=8.0))
    network = Network.from_city(city.build())
    end_s = hours * HOUR_S
    due_major = poisson(major_h, np.random.default_rng(major_h), end_s)
    due_minor = np.arange(0, end_s, 2.0)
    n, m = len(due_minor), len(due_major)
    due = Vehicles(
        due_s=np.concatenate([due_minor, due_major]),
        kind=np.zeros(n + m, np.uint8),
        route_ptr=np.arange(n + m + 1, dtype=np.int64) * 2,
        route_street=np.array([minor, out] * n + [major, onto] * m, np.int32),
        factor=np.ones(n + m, np.float32),
        depart_speed_m_s=np.full(n + m, np.inf),
    )
    arrived = seconds(run(network, due, end_s).vehicle["arrive"])
    counted = (arrived > HOUR_S) & (arrived <= end_s)
    return counted[:n].sum() / (hours - 1), counted[n:].sum() / (hours - 1), network, turn


@pytest.mark.parametrize("number", [8, 20, 30, 50, 80, 110])
def test_flow_on_a_ring_is_the_triangular_diagram(number: int) -> None:
    """q = min(v k, (K - k) w) at density k, jam density K (Newell 1993)."""
    city = ToyCity()
    streets = [city.street(100.0) for _ in range(10)]
    for k, street in enumerate(streets):
        city.turn(street, streets[(k + 1) % 10])
    network = Network.from_city(city.build())
    laps = 60
    start = np.arange(number) % 10
    way = np.array([[streets[(s + k) % 10] for k in range(10 * laps)] for s in start], np.int32)
    due = Vehicles(
        due_s=np.arange(number) // 10 * 8.0,
        kind=np.zeros(number, np.uint8),
        route_ptr=np.arange(number + 1, dtype=np.int64) * (10 * laps),
        route_street=way.reshape(-1),
        factor=np.ones(number, np.float32),
        depart_speed_m_s=np.full(number, np.inf),
    )
    state = initial_state(network, due, end_s=1500.0, interval_s=1500.0)
    advance(network.arrays, network.signals, state, 60000)
    before = int(state.clock["moves"][0])
    advance(network.arrays, network.signals, state, 150000)
    flow = (int(state.clock["moves"][0]) - before) / 10 / 900
    density = int(state.lane["inside"].sum()) / 1000
    expected = min(V * density, (1 / CAR.spacing_m - density) * WAVE_M_S)
    assert flow == pytest.approx(expected, rel=0.06)
