"""Vehicle types of SUMO, with SUMO's defaults of their classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from twin.errors import InputError
from twin.traffic.sumo_values import Attributes, number

# SUMO 1.28: length, minGap, accel, decel, maxSpeed, deviation of the speed factor
_CAR = (5.0, 2.5, 2.6, 4.5, 55.56, 0.1)
_OFFICIAL = (5.0, 2.5, 2.6, 4.5, 55.56, 0.0)
_CLASSES = {
    **dict.fromkeys(("passenger", "private", "hov", "evehicle", "vip", "custom1", "custom2"), _CAR),
    "taxi": (5.0, 2.5, 2.6, 4.5, 55.56, 0.05),
    "emergency": (6.5, 2.5, 2.6, 4.5, 55.56, 0.0),
    "authority": _OFFICIAL,
    "army": _OFFICIAL,
    "delivery": (6.5, 2.5, 2.6, 4.5, 55.56, 0.05),
    "truck": (7.1, 2.5, 1.3, 4.0, 36.11, 0.05),
    "trailer": (16.5, 2.5, 1.1, 4.0, 36.11, 0.05),
    "bus": (12.0, 2.5, 1.2, 4.0, 27.78, 0.0),
    "coach": (14.0, 2.5, 2.0, 4.0, 27.78, 0.05),
    "motorcycle": (2.2, 2.5, 6.0, 10.0, 55.56, 0.1),
    "moped": (2.1, 2.5, 1.1, 7.0, 16.67, 0.1),
}
_LORRIES = {"truck", "trailer", "delivery"}
_BUSES = {"bus", "coach"}


@dataclass(frozen=True)
class SumoType:
    """A vType: SUMO's attributes in SI units.

    Attributes
    ----------
    factor
        Mean, standard deviation, least and greatest desired speed over the limit.
    vehicle_class
        "car", "lorry" or "bus"; "" where no street of a city carries it.
    """

    length_m: float
    gap_m: float
    tau_s: float
    accel_m_s2: float
    decel_m_s2: float
    max_speed_m_s: float
    factor: tuple[float, float, float, float]
    sigma: float
    vehicle_class: str


def vehicle_type(given: Attributes, where: str) -> SumoType:
    """A vehicle type with SUMO's defaults of its class.

    Raises
    ------
    InputError
        For values that are no numbers or out of range.
    """
    vclass = given.get("vClass", "passenger")
    length, gap, accel, decel, fastest, deviation = _CLASSES.get(vclass, _CAR)
    krauss = given.get("carFollowModel", "Krauss").startswith("Krauss")
    return SumoType(
        length_m=number(given, "length", length, where, least=0.1),
        gap_m=number(given, "minGap", gap, where),
        tau_s=number(given, "tau", 1.0, where),
        accel_m_s2=number(given, "accel", accel, where, least=0.01),
        decel_m_s2=number(given, "decel", decel, where, least=0.01),
        max_speed_m_s=number(given, "maxSpeed", fastest, where, least=0.1),
        factor=_speed_factor(given, deviation, where),
        sigma=min(1.0, number(given, "sigma", 0.5 if krauss else 0.0, where)),
        vehicle_class=_class_of(vclass),
    )


def _class_of(vclass: str) -> str:
    if vclass in _LORRIES:
        return "lorry"
    if vclass in _BUSES:
        return "bus"
    return "car" if vclass in _CLASSES else ""


def _speed_factor(
    given: Attributes, deviation: float, where: str
) -> tuple[float, float, float, float]:
    """Mean, deviation, least, greatest; a lone number keeps the deviation of the class."""
    text = given.get("speedFactor", "1")
    values = [1.0, deviation, 0.2, 2.0]
    try:
        if text.startswith(("normc(", "norm(")) and text.endswith(")"):
            parts = [float(p) for p in text[text.index("(") + 1 : -1].split(",")]
            values = [*parts, 0.0][:2] + (parts[2:4] + values[2 + len(parts[2:4]) :])
            if text.startswith("norm("):
                values[2:] = [0.05, 10.0]
        else:
            values[0] = float(text)
    except ValueError:
        values[0] = math.nan
    if not (all(map(math.isfinite, values)) and values[0] > 0.0 and values[1] >= 0.0):
        msg = f"{where}: speedFactor={text!r} must be a number or normc(mean,dev,min,max)"
        raise InputError(msg)
    values[1] = number(given, "speedDev", values[1], where)
    return values[0], values[1], values[2], values[3]
