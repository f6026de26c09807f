"""What measures make of streets and signals, compiled to what holds from when to when.

Measures are taken in their order: of two that set the same of a street at the same time the later
one counts, so that a scenario can change what its base has changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.traffic.measures import OnStreets, SignalPolicy, SignalProgram

if TYPE_CHECKING:
    import pandas as pd

    from twin.system import Measure, Outlook
    from twin.traffic.measures import Change
    from twin.traffic.network import Network


class Holds(NamedTuple):
    """What holds on a street; None leaves it as it is built."""

    open: bool | None = None
    lanes: int | None = None
    speed_m_s: float | None = None
    bus_lanes: int | None = None
    until_s: float = np.inf  # when that ends


class StreetTimes:
    """Streets over time."""

    def __init__(self, measures: Sequence[Measure], run: Outlook) -> None:
        self._changes: list[Change] = [m.change(run) for m in measures if isinstance(m, OnStreets)]
        self.streets = np.unique(
            np.concatenate([np.zeros(0, np.int32), *(c.streets for c in self._changes)])
        )
        self.times = _times(self._changes, run)

    def at(self, now_s: float) -> dict[int, Holds]:
        """What holds on streets that measures are about; only those on which something does."""
        found: dict[int, dict[str, Any]] = {}
        for change in self._changes:
            if not change.begin_s <= now_s < change.end_s:
                continue
            for street in change.streets.tolist():
                held = found.setdefault(street, {})
                held[change.field] = change.value
                if change.field == "open":
                    held["until_s"] = change.end_s
                    if change.value:
                        held.pop("lanes", None)
        return {street: _holds(held) for street, held in found.items()}


class SignalTimes:
    """Programs and policies over time."""

    def __init__(self, measures: Sequence[Measure], run: Outlook) -> None:
        self._policies = [m for m in measures if isinstance(m, SignalPolicy)]
        self._programs = [
            (m.window, m.programs(run)) for m in measures if isinstance(m, SignalProgram)
        ]
        spans = [m.window for m in self._policies] + [w for w, _ in self._programs]
        self.times = _bounds(spans, run)

    def policy(self, now_s: float) -> str | None:
        """The policy that decides, the last one that is asked for."""
        there = [m.policy for m in self._policies if m.window[0] <= now_s < m.window[1]]
        return there[-1] if there else None

    def programs(self, now_s: float) -> tuple[tuple[int, ...], dict[str, pd.DataFrame]]:
        """Which measures hold, and the programs that they give to signals."""
        there = tuple(
            k for k, (window, _) in enumerate(self._programs) if window[0] <= now_s < window[1]
        )
        found: dict[str, pd.DataFrame] = {}
        for k in there:
            found |= self._programs[k][1]
        return there, found


def _holds(held: dict[str, Any]) -> Holds:
    lanes, buses = held.get("lanes"), held.get("bus_lanes")
    return Holds(
        open=None if "open" not in held else bool(held["open"]),
        lanes=None if lanes is None else int(lanes),
        speed_m_s=held.get("speed_m_s"),
        bus_lanes=None if buses is None else int(buses),
        until_s=held.get("until_s", np.inf),
    )


def _times(changes: Sequence[Change], run: Outlook) -> list[float]:
    return _bounds([(c.begin_s, c.end_s) for c in changes], run)


def _bounds(spans: Sequence[tuple[float, float]], run: Outlook) -> list[float]:
    """Times in the window at which something begins or ends; the window's begin if any is there."""
    inside = {t for span in spans for t in span if run.begin_s < t < run.end_s}
    return sorted({run.begin_s, *inside}) if spans else []


def extra_seconds(
    measures: Sequence[Measure], run: Outlook, network: Network
) -> npt.NDArray[np.float64] | None:
    """[streets] seconds that speed limits of measures add to a free drive, mean over the window.

    None where they set no limit.
    """
    timetable = StreetTimes(measures, run)
    extra_s = np.zeros(network.n_streets)
    times = [*timetable.times, run.end_s]
    for begin_s, end_s in itertools.pairwise(times):
        for street, held in timetable.at(begin_s).items():
            if held.speed_m_s is not None:
                per_m = 1.0 / held.speed_m_s - 1.0 / max(network.street_speed[street], 0.1)
                share = (end_s - begin_s) / (run.end_s - run.begin_s)
                extra_s[street] += share * per_m * network.street_m[street]
    return extra_s if extra_s.any() else None
