"""Buses of a city's lines: when they run, where they go, how long they stand.

OpenStreetMap knows ways and stops, and rarely times. So headways are assumed, by hour, unless a
line states its own or a demand does. A line number has as many relations as it has directions and
branches: the headway holds for the number and direction, and more than two relations share it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError, check_number
from twin.random import Stream
from twin.suggest import suggestion
from twin.traffic.demand.assumptions import DEFAULT, Assumptions
from twin.traffic.routing import Routes
from twin.traffic.state import Stops

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HOUR_S = 3600.0
PURPOSE = "line"
_NIGHT = re.compile(r"N\s?\d+|\d+\s?N")
# Ids of trips are below: their flow is numbered in the bits from 53 on, and less than 127.
_FIRST_ID, _NUMBER_BITS = 127 << 53, 24


@dataclass(frozen=True, eq=False)
class Runs:
    """Buses that depart in a period.

    Parameters
    ----------
    trips : one row a bus, columns as those of `Demand.draw`, sorted by line and departure
    routes : the way of each, that of its line
    stops : where each stops and for how long
    """

    trips: pd.DataFrame
    routes: Routes
    stops: Stops

    def __len__(self) -> int:
        return len(self.trips)

    def after(self, trips: pd.DataFrame, routes: Routes) -> tuple[pd.DataFrame, Routes, Stops]:
        """Return trips, routes and stops of others, who do not stop, and then of these buses."""
        import pandas as pd

        every = Routes(
            np.concatenate([routes.ptr, routes.ptr[-1] + self.routes.ptr[1:]]),
            np.concatenate([routes.street, self.routes.street]),
            np.concatenate([routes.cost_s, self.routes.cost_s]),
        )
        ptr = np.concatenate([np.zeros(len(trips), np.int64), self.stops.ptr])
        both = pd.concat([trips, self.trips], ignore_index=True) if len(trips) else self.trips
        return both, every, replace(self.stops, ptr=ptr)


def draw_runs(
    city: City,
    seed: int,
    begin_s: float,
    end_s: float,
    assumptions: Assumptions = DEFAULT,
    headways: Mapping[str, float] | None = None,
) -> Runs:
    """Return the buses that depart in [begin_s, end_s).

    The seed shifts the departures of each line as a whole (stream `lines`) and draws the times
    at stops (stream `dwell`), log-normal and cut at two deviations. A period drawn by itself
    equals that period of a longer draw. A city without lines has no buses.

    Parameters
    ----------
    begin_s, end_s : s since the start of the first day
    headways : minutes by line number, see `hourly_buses`

    Raises
    ------
    InputError : an assumed headway is zero, a stated one is of no line or no such number, or the
        period is empty or negative
    """
    if not 0.0 <= begin_s < end_s < np.inf:
        msg = f"period {begin_s}..{end_s} s of buses must satisfy 0 <= begin < end."
        raise InputError(msg)
    rates = hourly_buses(city.lines, assumptions, headways)
    phase = Stream(seed, "lines").uniform(np.arange(len(rates)))
    found = [_departures(rates[k], phase[k], begin_s, end_s) for k in range(len(rates))]
    line = np.repeat(np.arange(len(rates)), [len(number) for number, _ in found])
    number = np.concatenate([np.zeros(0, np.int64), *(n for n, _ in found)])
    depart_s = np.concatenate([np.zeros(0), *(t for _, t in found)])
    identity = _FIRST_ID + (line << _NUMBER_BITS) + number
    routes = _routes(city, line)
    return Runs(
        _table(routes, depart_s, identity), routes, _stops(city, line, identity, seed, assumptions)
    )


def check_headways(lines: pd.DataFrame, headways: Mapping[str, float]) -> None:
    """Refuse headways of unknown lines, and such that are no number of minutes.

    Raises
    ------
    InputError : in one line, with the nearest line numbers
    """
    refs = sorted({ref.strip() for ref in lines["ref"]} - {""})
    for ref, minutes in headways.items():
        if ref not in refs:
            help_ = suggestion(ref, refs) if refs else "the city has no numbered lines"
            msg = f"headway of line {ref!r}: there is no such line; {help_}"
            raise InputError(msg)
        if minutes:
            check_number(f"headway of line {ref!r} in minutes", minutes, 0.5, 1440.0)


def hourly_buses(
    lines: pd.DataFrame,
    assumptions: Assumptions = DEFAULT,
    headways: Mapping[str, float] | None = None,
) -> Floats:
    """Return buses per hour of each line (a row of the table) and hour 0..23: [lines, 24].

    Parameters
    ----------
    headways : minutes by line number: between buses of one direction in each hour in which such a
        line runs, shared by its branches as an assumed one; 0 if it does not run at all

    Raises
    ------
    InputError : an assumed headway is zero, or see `check_headways`
    """
    check_headways(lines, headways or {})
    clock_min = {name: assumptions[f"bus_headway_{name}_min"] for name in _SERVICE}
    for name, minutes in clock_min.items():
        if minutes <= 0.0:
            msg = f"assumption bus_headway_{name}_min(={minutes}) must be > 0 minutes."
            raise InputError(msg)
    day, night = np.zeros(24), np.zeros(24)
    for name, hours in _SERVICE.items():
        (night if name == "night" else day)[list(hours)] = 60.0 / clock_min[name]
    at_night = np.array([bool(_NIGHT.fullmatch(ref.strip())) for ref in lines["ref"]], bool)
    usual = np.where(at_night[:, None], night, day)
    branches = lines.groupby("ref")["id"].transform("count").to_numpy()
    unnamed = (lines["ref"] == "").to_numpy()
    shared = np.where(unnamed, 1.0, np.maximum(1.0, branches / 2.0))
    stated_s = lines["headway_s"].to_numpy()
    stated = np.where(usual > 0.0, HOUR_S / np.maximum(stated_s, 1.0)[:, None], 0.0)
    rates = np.where(stated_s[:, None] > 0.0, stated, usual / shared[:, None])
    for ref, minutes in (headways or {}).items():
        rows = (lines["ref"].str.strip() == ref).to_numpy()
        running = (usual[rows] > 0.0) & (minutes > 0.0)
        rates[rows] = running * 60.0 / max(minutes, 0.5) / shared[rows, None]
    return np.asarray(rates * assumptions["bus_service_share"])


_SERVICE = {
    "peak": (6, 7, 8, 15, 16, 17, 18),
    "day": tuple(range(9, 15)),
    "late": (5, 19, 20, 21, 22, 23),
    "night": tuple(range(5)),
}
"""Hours of the day in which each of the assumed headways holds."""


def _departures(
    rate: Floats, phase: float, begin_s: float, end_s: float
) -> tuple[Integers, Floats]:
    """Return number and time of the buses of a line: when the expected count passes n + phase."""
    hours = int(np.ceil(end_s / HOUR_S))
    count = np.concatenate([[0.0], np.cumsum(np.resize(rate, hours))])
    number = np.arange(int(np.ceil(count[-1])))
    number = number[number + phase < count[-1]]
    time_s = np.interp(number + phase, count, np.arange(hours + 1) * HOUR_S)
    inside = (time_s >= begin_s) & (time_s < end_s)
    return number[inside], time_s[inside]


def _slices(key: NDArray[np.int32], n: int, wanted: Integers) -> tuple[Integers, Integers]:
    """Return pointers and rows of the groups that are wanted, of rows sorted by a key."""
    first = np.searchsorted(key, np.arange(n + 1))
    count = np.diff(first)[wanted]
    ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    rows = np.arange(ptr[-1]) + np.repeat(first[wanted] - ptr[:-1], count)
    return ptr, rows.astype(np.int64)


def _routes(city: City, line: Integers) -> Routes:
    ways = city.line_streets
    ptr, rows = _slices(ways["line"].to_numpy(), len(city.lines), line)
    street = ways["street"].to_numpy()[rows]
    return Routes(ptr, street.astype(np.int32), np.full(len(line), np.inf))


def _stops(
    city: City, line: Integers, identity: Integers, seed: int, assumptions: Assumptions
) -> Stops:
    served = city.line_stops
    ptr, rows = _slices(served["line"].to_numpy(), len(city.lines), line)
    stop = served["stop"].to_numpy()[rows]
    place = city.stops.iloc[stop]
    length = city.lanes["length_m"].to_numpy()[place["lane"].to_numpy()]
    bus = np.repeat(np.arange(len(line)), np.diff(ptr))
    order = np.arange(len(rows)) - ptr[bus]
    draw = Stream(seed, "dwell").normal(identity[bus], draw=order)
    variance = np.log1p(assumptions["bus_dwell_variation"] ** 2)
    spread = np.exp(np.sqrt(variance) * np.clip(draw, -2.0, 2.0) - variance / 2.0)
    return Stops(
        ptr=ptr,
        street=place["street"].to_numpy(np.int32),
        share=np.minimum(place["position_m"].to_numpy() / np.maximum(length, 0.1), 1.0),
        dwell_s=assumptions["bus_dwell_s"] * spread,
        until_s=np.zeros(len(rows)),
    )


def _table(routes: Routes, depart_s: Floats, identity: Integers) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "origin": routes.street[routes.ptr[:-1]],
            "destination": routes.street[routes.ptr[1:] - 1],
            "depart_s": depart_s,
            "purpose": pd.Series([PURPOSE] * len(depart_s), dtype=str),
            "vehicle_type": pd.Series(["bus"] * len(depart_s), dtype=str),
            "id": identity,
        }
    )
