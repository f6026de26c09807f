"""The demand of a city: expected trips once, a realisation of them as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.demand.assumptions import DEFAULT, Assumptions
from twin.traffic.demand.departures import HOURS, PROFILES
from twin.traffic.demand.flows import Flow, Layout, make_flows, make_layout
from twin.traffic.demand.gates import Gates, find_gates
from twin.traffic.demand.zones import Zones, make_zones
from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HOUR_S = 3600.0
# Bits of a trip's id: flow (7), hour (13), origin (20), number within them (20).
_HOUR_BITS, _ORIGIN_BITS, _NUMBER_BITS = 13, 20, 20


@dataclass(frozen=True, eq=False)
class Demand:
    """Expected trips of a working day in a city, to draw realisations from.

    Parameters
    ----------
    zones, entries, exits : where trips start and end
    layouts : origins and destinations by vehicle type
    flows : expected trips by purpose and direction
    assumptions : the numbers used
    scale : factor on all expected trips
    notes : what was left out or cut, by name
    """

    zones: Zones
    entries: Gates
    exits: Gates
    layouts: Mapping[str, Layout]
    flows: tuple[Flow, ...]
    assumptions: Assumptions
    scale: float
    notes: Mapping[str, float]

    @classmethod
    def generate(
        cls, city: City, *, assumptions: Assumptions = DEFAULT, scale: float = 1.0
    ) -> Demand:
        """Return the demand of a city. It is the same each time: nothing is drawn here.

        Trips start and end in the part of the road network in which every street can be reached
        from every other, and at gates connected to it; what has no such street is left out and
        counted in `notes`.

        Raises
        ------
        InputError : the city has no connected road network, or the scale is negative
        """
        _check_scale(scale)
        cars, lorries = (RoadGraph.from_city(city, name) for name in ("cars", "lorries"))
        if cars.n_streets == 0 or int(cars.core().sum()) < 2:
            msg = f"city {city.name!r} has no connected road network for cars; trips need one."
            raise InputError(msg)
        zones = make_zones(city, cars, lorries, assumptions)
        entries, exits, unconnected = find_gates(city, cars, assumptions)
        layouts = {
            "car": make_layout(cars, zones.cars, entries, exits, assumptions),
            "lorry": make_layout(lorries, zones.lorries, entries, exits, assumptions),
        }
        flows, notes = make_flows(zones, entries, exits, layouts, assumptions)
        notes["streets_outside_core"] = float(cars.n_streets - cars.core().sum())
        notes["zones_without_street"] = float(zones.dropped)
        notes["entries"], notes["exits"] = float(len(entries)), float(len(exits))
        notes["gates_not_connected"] = float(unconnected)
        return cls(zones, entries, exits, layouts, tuple(flows), assumptions, scale, notes)

    def scaled(self, factor: float) -> Demand:
        """Return the demand times `factor`.

        For one seed, the trips of a smaller factor are among those of a larger one.
        """
        _check_scale(factor)
        return Demand(**{**self.__dict__, "scale": self.scale * factor})

    def expected(self) -> pd.DataFrame:
        """Return expected trips: hour (0..23), purpose, vehicle_type, trips."""
        import pandas as pd

        rows = [
            (hour, flow.purpose, flow.vehicle_type, self.scale * flow.trips.sum() * share)
            for flow in self.flows
            for hour, share in enumerate(PROFILES[flow.profile])
        ]
        table = pd.DataFrame(rows, columns=["hour", "purpose", "vehicle_type", "trips"])
        return table.groupby(["hour", "purpose", "vehicle_type"], as_index=False)[["trips"]].sum()

    def draw(self, seed: int, begin_s: float = 0.0, end_s: float = 86400.0) -> pd.DataFrame:
        """Return a realisation of the trips that depart in [begin_s, end_s).

        Each trip's numbers depend on the seed and its id alone: a period drawn by itself equals
        that period of a longer draw. The day's profile repeats after 24 hours, with other draws.

        Parameters
        ----------
        begin_s, end_s : s since the start of the first day

        Returns
        -------
        DataFrame with origin, destination (int32, streets), depart_s (float64), purpose,
        vehicle_type (str) and id (int64), sorted by departure.

        Raises
        ------
        InputError : the period is empty, negative or longer than the ids reach (341 days)
        """
        hours = _hours(begin_s, end_s)
        stream = Stream(seed, "demand")
        parts = [self._draw_flow(stream, flow, hours) for flow in self.flows]
        columns = [np.concatenate(values) for values in zip(*parts, strict=True)]
        inside = np.flatnonzero((columns[2] >= begin_s) & (columns[2] < end_s))
        order = inside[np.lexsort((columns[4][inside], columns[2][inside]))]
        return _table(self.flows, [values[order] for values in columns])

    def _draw_flow(
        self, stream: Stream, flow: Flow, hours: Integers
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, Integers, Integers]:
        """Return origin, destination, departure, flow's number and id of the trips of one flow."""
        layout = self.layouts[flow.vehicle_type]
        sent = flow.trips.sum(axis=1)
        used = np.flatnonzero(sent > 0.0)
        share = PROFILES[flow.profile][hours % HOURS]
        cell = (
            ((flow.number << _HOUR_BITS) + hours[:, None] << _ORIGIN_BITS) + used[None, :]
        ) << _NUMBER_BITS
        number = stream.poisson(self.scale * share[:, None] * sent[None, used], cell, draw=0)
        count = number.ravel()
        first = np.repeat(np.cumsum(count) - count, count)
        identity = np.repeat(cell.ravel(), count) + np.arange(count.sum()) - first
        place = np.repeat(np.broadcast_to(used, number.shape).ravel(), count)
        goal = _pick_goal(flow.trips, place, stream.uniform(identity, draw=1))
        start_s = np.repeat(np.broadcast_to(hours[:, None] * HOUR_S, number.shape).ravel(), count)
        return (
            layout.origins.pick(place, stream.uniform(identity, draw=2)),
            layout.destinations.pick(goal, stream.uniform(identity, draw=3)),
            start_s + HOUR_S * stream.uniform(identity, draw=4),
            np.full(len(identity), flow.number, dtype=np.int64),
            identity,
        )


def _pick_goal(trips: Floats, place: Integers, level: Floats) -> Integers:
    """Return a destination of each trip from the row of its origin, by weight."""
    columns = trips.shape[1]
    upper = np.cumsum(trips, axis=1)
    upper /= np.where(upper[:, -1:] > 0.0, upper[:, -1:], 1.0)
    rising = (upper + np.arange(len(upper))[:, None]).ravel()
    position = np.searchsorted(rising, place + level, side="right") - place * columns
    last = columns - 1 - np.argmax(trips[:, ::-1] > 0.0, axis=1)
    goal: Integers = np.clip(position, 0, last[place]).astype(np.int64)
    return goal


def _table(flows: tuple[Flow, ...], columns: list[NDArray[np.generic]]) -> pd.DataFrame:
    import pandas as pd

    origin, destination, depart_s, number, identity = columns
    names = {flow.number: flow for flow in flows}
    purpose = {key: flow.purpose for key, flow in names.items()}
    vehicle = {key: flow.vehicle_type for key, flow in names.items()}
    which = pd.Series(number)
    return pd.DataFrame(
        {
            "origin": origin,
            "destination": destination,
            "depart_s": depart_s,
            "purpose": which.map(purpose).astype(str),
            "vehicle_type": which.map(vehicle).astype(str),
            "id": identity,
        }
    )


def _hours(begin_s: float, end_s: float) -> Integers:
    limit_s = HOUR_S * (1 << _HOUR_BITS)
    if not 0.0 <= begin_s < end_s <= limit_s:
        msg = f"period {begin_s}..{end_s} s of trips must satisfy 0 <= begin < end <= {limit_s}."
        raise InputError(msg)
    return np.arange(int(begin_s // HOUR_S), int(np.ceil(end_s / HOUR_S)), dtype=np.int64)


def _check_scale(scale: float) -> None:
    if not 0.0 <= scale < np.inf:
        msg = f"scale(={scale}) of a demand must be finite and >= 0."
        raise InputError(msg)
