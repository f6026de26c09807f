"""CO2 and NOx of vehicles: HBEFA 3's emission classes as SUMO computes them.

Rate in g/h at speed v (m/s) and acceleration a (m/s2): max(0, c0 + c1 a v + c3 v + c4 v2 + c5 v3);
while a vehicle brakes, nothing (Eclipse SUMO 1.28, `HelpersHBEFA3`; equal to SUMO's output to
six digits).  The twin does not know the speed of a vehicle in every second, but when it
stands, drives and stops: so a stop costs what braking and speeding up again take more than driving
on over the same way.

HBEFA 3's diesel cars of Euro 4 to 6 emit less NOx than was found on the road after 2015 (later
editions correct it), and its only class of city buses in SUMO, `Bus`, is a mean over a fleet that
is older, and emits more, than that of today (both from memory).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]

ACCEL_M_S2, DECEL_M_S2 = 2.6, 4.5
_STEPS = 200
CLASSES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "PC_G_EU4": ((9449, 938.4, -467.1, 28.26, 0), (4.336, 0.4428, -0.3204, 0.01371, 0)),
    "PC_G_EU5": ((8823, 886, -432.9, 26.53, 0), (4.02, 0.4289, -0.286, 0.01257, 0)),
    "PC_G_EU6": ((8273, 845.1, -401.1, 25.08, 0), (3.444, 0.4035, -0.2313, 0.01086, 0)),
    "PC_D_EU4": ((6824, 742.3, -195.3, 16.46, 0), (47.45, 4.011, -4.061, 0.1619, 0)),
    "PC_D_EU5": ((4125, 686.1, 153.1, 0, 0.2125), (46.01, 4.064, -3.872, 0.1567, 0)),
    "PC_D_EU6": ((3946, 661.8, 149.8, 0, 0.2041), (16.31, 1.39, -1.391, 0.05512, 0)),
    "HDV_D_EU6": ((23530, 7227, 1889, 0, 0), (47.47, 11.68, 2.737, 0, 0)),
    "Bus": ((19030, 6475, 2073, 0, 0), (218.7, 46.17, 11.27, 0, 0)),
    "zero": ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
}  # fmt: skip
"""Class -> coefficients c0, c1, c3, c4, c5 of CO2 and of NOx."""
Fleet = Mapping[str, Mapping[str, float]]
PETROL_EU4: Fleet = {kind: {"PC_G_EU4": 1.0} for kind in ("car", "lorry", "bus")}
"""Every vehicle as SUMO's default passenger car."""
FLEET: Fleet = {
    "car": {
        "PC_G_EU6": 0.34, "PC_G_EU5": 0.17, "PC_G_EU4": 0.177,
        "PC_D_EU6": 0.14, "PC_D_EU5": 0.07, "PC_D_EU4": 0.07, "zero": 0.033,
    },
    "lorry": {"HDV_D_EU6": 1.0},
    "bus": {"Bus": 1.0},
}  # fmt: skip
"""Shares by vehicle class.

Cars are those registered in Germany on 1 January 2025 (KBA): 28.0 % diesel, 3.3 % electric, the
rest as petrol (hybrids included); of both kinds half meet Euro 6 (KBA: 49.2 % of all cars), the
other half Euro 4 and 5 alike.  That half, and Euro 6 for lorries, are assumptions.
"""


def co2_g_s(speed_m_s: npt.ArrayLike, accel_m_s2: npt.ArrayLike = 0.0) -> F8:
    """Grams of CO2 a second of a petrol car (PC_G_EU4) at a speed and an acceleration."""
    return rate_g_s(np.array(CLASSES["PC_G_EU4"][0], float), speed_m_s, accel_m_s2)


def co2_of_stop_g(speed_m_s: npt.ArrayLike) -> F8:
    """Grams of CO2 that a stop of a petrol car takes more than driving on over the same way.

    Braking has the rate of the formula, not none.
    """
    v = np.asarray(speed_m_s, float)[..., None]
    u = v * (np.arange(_STEPS) + 0.5) / _STEPS  # speeds passed, each for v / steps / a seconds
    spent = np.zeros(v.shape[:-1])
    for accel in (-DECEL_M_S2, ACCEL_M_S2):
        seconds = v / _STEPS / abs(accel)
        spent = spent + (co2_g_s(u, accel) * seconds).sum(axis=-1)
        way_m = (v**2 / (2 * abs(accel)))[..., 0]
        spent = spent - co2_g_s(v[..., 0]) * way_m / np.maximum(v[..., 0], 0.1)
    return np.asarray(spent)


def coefficients(fleet: Fleet, kind: str) -> F8:
    """[2, 5] coefficients of CO2 and NOx of the mean vehicle of a class.

    A mean of coefficients is exact where no class of the mix comes to the limit of 0, which holds
    without braking.
    """
    return np.asarray(
        sum(share * np.array(CLASSES[name], float) for name, share in fleet[kind].items())
    )


def rate_g_s(c: F8, speed_m_s: npt.ArrayLike, accel_m_s2: npt.ArrayLike = 0.0) -> F8:
    """Grams a second by coefficients c0, c1, c3, c4, c5."""
    v, a = np.asarray(speed_m_s, float), np.asarray(accel_m_s2, float)
    rate = c[0] + c[1] * a * v + c[2] * v + c[3] * v**2 + c[4] * v**3
    return np.asarray(np.maximum(0.0, rate) / 3600.0)


def speeding_up_g(c: F8, from_m_s: npt.ArrayLike, to_m_s: npt.ArrayLike, accel_m_s2: float) -> F8:
    """Grams of speeding up: the integral of the rate over v dv / a; 0 where it slows down."""
    u, a = np.asarray(from_m_s, float), accel_m_s2
    v = np.maximum(u, np.asarray(to_m_s, float))

    def upto(x: F8) -> F8:
        linear = (c[1] * a + c[2]) * x**2 / 2
        return np.asarray(c[0] * x + linear + c[3] * x**3 / 3 + c[4] * x**4 / 4)

    return np.asarray((upto(v) - upto(u)) / a / 3600.0)


def slowing_down_g(
    c: F8, before: npt.ArrayLike, least: npt.ArrayLike, after: npt.ArrayLike, accel: float,
    decel: float,
) -> F8:  # fmt: skip
    """Grams that braking to `least` and speeding up to `after` take more than driving on.

    Driving on is at the speeds before and after (m/s) over the way that both take.
    """
    v, w = np.maximum(np.asarray(before, float), 0.1), np.maximum(np.asarray(after, float), 0.1)
    u = np.minimum(np.asarray(least, float), np.minimum(v, w))
    braking_m, starting_m = (v**2 - u**2) / (2 * decel), (w**2 - u**2) / (2 * accel)
    driven_on = rate_g_s(c, v) / v * braking_m + rate_g_s(c, w) / w * starting_m
    return np.asarray(speeding_up_g(c, u, w, accel) - driven_on)
