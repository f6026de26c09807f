"""Grades of junctions from the delay of vehicles: levels of service of HCM, Qualitätsstufen of HBS.

- HCM (Highway Capacity Manual, 6th and 7th edition) grades mean control delay in s a vehicle:
  with signals 10 / 20 / 35 / 55 / 80, at stop and yield signs 10 / 15 / 25 / 35 / 50; F also where
  volume exceeds capacity.  A junction with signals has the grade of its mean delay; one without
  has no grade in HCM, and the worst of its lane groups is given.
- HBS (Handbuch für die Bemessung von Straßenverkehrsanlagen, FGSV 2015) grades mean waiting time in
  s: with signals 20 / 35 / 50 / 70, without 10 / 20 / 30 / 45; F where volume exceeds
  capacity, whatever the wait.  A junction has the grade of its worst lane group.

The limits of HCM and those of HBS without signals are as published traffic studies quote
them; those of HBS with signals are from memory; neither handbook was read.  The delay taken
for both holds braking and speeding up, which HBS's waiting time does not: its grades here are
not too good.  HBS has limits of its own for junctions without signs (right before left): here they
have those of signs, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

GRADES = "ABCDEF"
HCM_SIGNALS = (10.0, 20.0, 35.0, 55.0, 80.0)
HCM_SIGNS = (10.0, 15.0, 25.0, 35.0, 50.0)
HBS_SIGNALS = (20.0, 35.0, 50.0, 70.0)
HBS_SIGNS = (10.0, 20.0, 30.0, 45.0)
NONE = -1


def hcm(delay_s: F8, over: Bools, signals: Bools) -> Codes:
    """Return levels of service, positions in `GRADES`; -1 where there is no delay (NaN)."""
    return _graded(delay_s, over, signals, HCM_SIGNALS, HCM_SIGNS)


def hbs(delay_s: F8, over: Bools, signals: Bools) -> Codes:
    """Return Qualitätsstufen, positions in `GRADES`; -1 where there is no delay (NaN)."""
    return _graded(delay_s, over, signals, HBS_SIGNALS, HBS_SIGNS)


def _graded(
    delay_s: F8, over: Bools, signals: Bools, with_signals: tuple[float, ...],
    with_signs: tuple[float, ...],
) -> Codes:  # fmt: skip
    grade = np.where(
        signals,
        np.searchsorted(np.array(with_signals), delay_s, side="left"),
        np.searchsorted(np.array(with_signs), delay_s, side="left"),
    )
    grade = np.where(over, len(GRADES) - 1, grade)
    return np.where(np.isnan(delay_s), NONE, grade).astype(np.int8)
