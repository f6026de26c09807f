"""CO2 of petrol cars: HBEFA 3's emission class PC_G_EU4 as SUMO computes it.

Rate in mg/s at speed v (m/s) and acceleration a (m/s2): max(0, 9449 + 938.4 a v - 467.1 v
+ 28.26 v2) / 3.6 (Eclipse SUMO 1.28, HBEFA3/PC_G_EU4).  The twin does not know the speed of a
vehicle in every second, but when it stands, drives and stops: so a stop costs what braking at
4.5 m/s2 and speeding up at 2.6 m/s2 take more than driving on over the same way.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]

ACCEL_M_S2, DECEL_M_S2 = 2.6, 4.5
_STEPS = 200


def co2_g_s(speed_m_s: npt.ArrayLike, accel_m_s2: npt.ArrayLike = 0.0) -> F8:
    """Grams a second at a speed and an acceleration."""
    v, a = np.asarray(speed_m_s, float), np.asarray(accel_m_s2, float)
    rate = 9449.0 + 938.4 * a * v - 467.1 * v + 28.26 * v**2
    return np.asarray(np.maximum(0.0, rate) / 3600.0)


def co2_of_stop_g(speed_m_s: npt.ArrayLike) -> F8:
    """Grams that a stop from a speed takes more than driving on over the same way."""
    v = np.asarray(speed_m_s, float)[..., None]
    u = v * (np.arange(_STEPS) + 0.5) / _STEPS  # speeds passed, each for v / steps / a seconds
    spent = np.zeros(v.shape[:-1])
    for accel in (-DECEL_M_S2, ACCEL_M_S2):
        seconds = v / _STEPS / abs(accel)
        spent = spent + (co2_g_s(u, accel) * seconds).sum(axis=-1)
        way_m = (v**2 / (2 * abs(accel)))[..., 0]
        spent = spent - co2_g_s(v[..., 0]) * way_m / np.maximum(v[..., 0], 0.1)
    return np.asarray(spent)
