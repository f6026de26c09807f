"""Detectors of vehicle-actuated signals: where they lie, and which phases they extend.

An actuated program stays in a green phase, between its least and its longest duration, for
as long as vehicles follow each other over the detectors of the phase within a longest gap
(gap-out).  The detectors and the rules that follow are those of SUMO's `actuated` programs
(Eclipse SUMO, "Simulation/Traffic Lights", section on actuated control):

- a lane has a detector if one of its movements is green in a phase of variable duration;
- it lies `DETECTOR_GAP_S` of driving before the stop line, yet so near that the vehicles
  between both clear within the least duration; where the lane is too short, on the lane
  before it, if only one leads into it and no light is between them (at its end instead of
  inside the junction between), else at its start;
- it extends a phase in which all movements of its lane are green.  Permitted green ("g")
  counts only where a vehicle that waits there does not keep the green for nobody: on streets
  with one lane; where no movement of another street that it meets is green; and, if it is
  never protected, beside a protected movement of the same lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.traffic import parameters as par

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]
TURNAROUND = "t"


class Detectors(NamedTuple):
    """Detectors of all actuated signals.

    Attributes
    ----------
    lane
        [detectors] lane on which each lies.
    before_m
        [detectors] metres from it to the end of that lane.
    phase
        [rows of `City.signals` + 1] into `extends`.
    extends
        Detectors that extend a row.
    """

    lane: I4
    before_m: F8
    phase: I4
    extends: I4


def place_detectors(city: City) -> Detectors:
    """Detectors of the actuated programs of a city, as in the description of the module."""
    lanes: list[int] = []
    metres: list[float] = []
    extends: list[list[int]] = [[] for _ in range(len(city.signals))]
    actuated = city.signals[city.signals["kind"] == "actuated"]
    if len(actuated):
        approach = _Approach(city)
        by_signal = dict(tuple(city.movements.groupby("signal")))
        for signal, program in actuated.groupby("signal"):
            if signal in by_signal:
                _add_program(approach, program, by_signal[signal], lanes, metres, extends)
    phase = np.concatenate([[0], np.cumsum([len(row) for row in extends])])
    flat = [detector for row in extends for detector in row]
    return Detectors(
        np.array(lanes, np.int32),
        np.array(metres, np.float64),
        phase.astype(np.int32),
        np.array(flat, np.int32),
    )


def _add_program(
    approach: _Approach,
    program: pd.DataFrame,
    movements: pd.DataFrame,
    lanes: list[int],
    metres: list[float],
    extends: list[list[int]],
) -> None:
    """Add the detectors of one program, and what they extend."""
    rows = program.index.to_numpy()
    varies = (program["min_s"] != program["max_s"]).to_numpy()
    shown = np.array([list(state) for state in program["state"]])  # [phases, columns]
    column, lane = movements["link"].to_numpy(), movements["lane"].to_numpy()
    turnaround = movements["direction"].to_numpy() == TURNAROUND
    shows = shown[:, column]  # [phases, movements]
    green = (shows == "G") | (shows == "g")
    least_s = np.where(varies, program["min_s"].to_numpy(float), np.inf)[:, None]
    serves = np.where(green, least_s, np.inf).min(axis=0)  # by movement
    own: dict[int, int] = {}
    for k in np.unique(lane):
        shortest_s = float(serves[lane == k].min())
        if np.isfinite(shortest_s) and approach.motorised[k]:
            own[int(k)] = len(lanes)
            at, before_m = approach.detector(int(k), shortest_s)
            lanes.append(at)
            metres.append(before_m)
    never_major = ~(shows == "G").any(axis=0)
    for phase in np.flatnonzero(varies):
        protected = set(lane[shows[phase] == "G"])
        beside = np.array([k in protected for k in lane])
        counts = (never_major | turnaround) & beside | approach.single[lane]
        counts |= approach.unopposed(movements.index.to_numpy(), green[phase])
        served = (shows[phase] == "G") | ((shows[phase] == "g") & counts)
        usable = {k for k in own if served[lane == k].all()}
        stopped = {k for k in own if not served[lane == k].all()}
        for k in sorted(usable):
            ahead = movements["to_lane"].to_numpy()[(lane == k) & ~turnaround]
            if not stopped.intersection(ahead):
                extends[rows[phase]].append(own[k])


class _Approach:
    """Lanes as they lead to signals."""

    def __init__(self, city: City) -> None:
        lanes, movements = city.lanes, city.movements
        self.length = lanes["length_m"].to_numpy(float)
        self.speed = lanes["speed_m_s"].to_numpy(float)
        self.motorised = lanes[["cars", "lorries", "buses"]].any(axis=1).to_numpy()
        street = lanes["street"].to_numpy()
        count = np.bincount(street[self.motorised], minlength=len(city.streets))
        self.single = count[street] == 1
        entries = movements["to_lane"].to_numpy()
        count = np.bincount(entries, minlength=len(lanes))
        self.before = np.full(len(lanes), -1)
        self.before[entries] = movements["lane"].to_numpy()
        self.inside = np.zeros(len(lanes))
        self.inside[entries] = movements["length_m"].to_numpy(float)
        self.before[count != 1] = -1
        self.before[entries[movements["signal"].to_numpy() >= 0]] = -1
        conflicts, street = city.conflicts, movements["street"].to_numpy()
        movement, foe = (conflicts[name].to_numpy(int) for name in ("movement", "foe"))
        others = street[movement] != street[foe]
        self.movement, self.foe = movement[others], foe[others]
        self.n_movements = len(movements)

    def unopposed(
        self, movements: npt.NDArray[np.intp], green: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Whether each meets none of the others that are green, but of its own street."""
        shows = np.zeros(self.n_movements, bool)
        shows[movements[green]] = True
        meets = np.zeros(self.n_movements, bool)
        meets[self.movement[shows[self.foe]]] = True
        return ~meets[movements]

    def detector(self, lane: int, shortest_s: float) -> tuple[int, float]:
        """Lane of the detector for `lane`, and metres from it to the end of that lane."""
        places = shortest_s / par.PASSING_S + 0.5
        before_m = min(par.DETECTOR_GAP_S * self.speed[lane], places * par.PLACE_M)
        seen = {lane}
        while before_m > self.length[lane] and self.before[lane] not in {-1, *seen}:
            before_m = max(0.0, before_m - self.length[lane] - self.inside[lane])
            lane = int(self.before[lane])
            seen.add(lane)
        return lane, float(min(before_m, self.length[lane]))
