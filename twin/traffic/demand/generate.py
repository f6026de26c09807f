"""The demand of a city: expected trips once, a realisation of them as often as one likes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.demand.assumptions import DEFAULT, Assumptions
from twin.traffic.demand.departures import HOUR_S
from twin.traffic.demand.flows import Flow, Layout, make_flows, make_layout
from twin.traffic.demand.gates import Gates, find_gates
from twin.traffic.demand.zones import Zones, make_zones
from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd

    from twin.city import City
    from twin.traffic.demand.matrix_files import MatrixFile

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Bits of a trip's id: flow (7), hour (13), origin (20), number within them (20).
# Origins are counted on from a layout's first, so that layouts do not share an origin.
_HOUR_BITS, ORIGIN_BITS, _NUMBER_BITS = 13, 20, 20


@dataclass(frozen=True, eq=False)
class Demand:
    """Expected trips of a working day in a city, to draw realisations from.

    Parameters
    ----------
    zones, entries, exits : where trips start and end
    layouts : origins and destinations by vehicle type; others by keys that flows name
    flows : expected trips by purpose and direction
    assumptions : the numbers used
    scale : factor on all expected trips
    notes : what was left out or cut, by name
    headways : minutes between buses by line number, where stated; 0 if the line does not run
    """

    zones: Zones
    entries: Gates
    exits: Gates
    layouts: Mapping[str, Layout]
    flows: tuple[Flow, ...]
    assumptions: Assumptions
    scale: float
    notes: Mapping[str, float]
    headways: Mapping[str, float] = field(default_factory=dict)

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
        check_scale(scale)
        cars, lorries = (RoadGraph.from_city(city, name) for name in ("cars", "lorries"))
        check_network(city, cars)
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

    @classmethod
    def from_matrices(
        cls,
        city: City,
        zones_file: str | Path,
        matrices: Sequence[MatrixFile],
        *,
        id_column: str | None = None,
        assumptions: Assumptions = DEFAULT,
        scale: float = 1.0,
    ) -> Demand:
        """Return the demand that own matrices of trips between own zones state.

        See `twin.traffic.demand.matrices` for the files.

        Raises
        ------
        InputError : a file cannot be used; the line says where and what to do
        """
        from twin.traffic.demand.matrices import from_matrices

        return from_matrices(
            city, zones_file, matrices, id_column=id_column, assumptions=assumptions, scale=scale
        )

    @property
    def digest(self) -> str:
        """SHA-256 of all that the trips and buses of a seed depend on.

        Unlike the table of `expected`, it tells who goes where.
        """
        digest = hashlib.sha256(repr((self.scale, sorted(self.headways.items()))).encode())
        digest.update(repr(sorted(self.assumptions.items())).encode())
        for flow in self.flows:
            layout, window = self.layouts[flow.places], flow.window
            words = (flow.number, flow.purpose, flow.vehicle_type, layout.first, flow.trips.shape)
            digest.update(repr(words).encode())
            times = [flow.day] if window is None else [window.begin_s, window.peak_s, window.end_s]
            places = [(p.ptr, p.street, p.share) for p in (layout.origins, layout.destinations)]
            arrays: list[NDArray[Any]] = [flow.trips, *times, *places[0], *places[1]]
            for array in (*arrays, *([] if flow.keep is None else [flow.keep])):
                digest.update(f"|{array.dtype.str}{array.shape}|".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def population(self) -> gpd.GeoDataFrame:
        """Return a row a zone: label, x, y, residents, jobs and geometry, in the city's CRS.

        The geometry is the zone's polygon: its grid cell, or what a file states; a point where no
        polygon is known. The CRS itself is not attached, since a demand does not know it.
        """
        import geopandas as gpd

        zones = self.zones
        columns = {name: getattr(zones, name) for name in ("x", "y", "residents", "jobs")}
        return gpd.GeoDataFrame({"label": list(zones.label), **columns}, geometry=zones.area)

    def scaled(self, factor: float) -> Demand:
        """Return the demand times `factor`.

        For one seed, the trips of a smaller factor are among those of a larger one.
        """
        check_scale(factor)
        return replace(self, scale=self.scale * factor)

    def expected(self) -> pd.DataFrame:
        """Return expected trips: hour (0..23), purpose, vehicle_type, trips.

        What happens once, as an event does, has the hour since the start of the first day.
        """
        import pandas as pd

        rows = [
            (hour, flow.purpose, flow.vehicle_type, self.scale * flow.made().sum() * share)
            for flow in self.flows
            for hour, share in zip(*flow.hourly(), strict=True)
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
        vehicle_type (str), id (int64) and zone (int32: where those live who make the trip, or
        where it starts if it is nobody's way to or from home; -1 beyond the map), sorted by
        departure.

        Raises
        ------
        InputError : the period is empty, negative or longer than the ids reach (341 days), or an
            origin sends more trips in an hour than the ids can count (a million)
        """
        hours = _hours(begin_s, end_s)
        stream = Stream(seed, "demand")
        parts = [self._draw_flow(stream, k, hours) for k in range(len(self.flows))]
        if not parts:
            parts = [_nothing()]
        columns = [np.concatenate(values) for values in zip(*parts, strict=True)]
        inside = np.flatnonzero((columns[2] >= begin_s) & (columns[2] < end_s))
        order = inside[np.lexsort((columns[4][inside], columns[2][inside]))]
        return _table(self.flows, [values[order] for values in columns])

    @property
    def free_origin(self) -> int:
        """The first number of an origin that no layout uses."""
        return max(layout.first + len(layout.origins) for layout in self.layouts.values())

    def _draw_flow(
        self, stream: Stream, position: int, hours: Integers
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, Integers, Integers, Integers]:
        """Return origin, destination, departure, position, id and zone of the trips of a flow."""
        flow = self.flows[position]
        layout = self.layouts[flow.places]
        sent = flow.trips.sum(axis=1)
        used = np.flatnonzero(sent > 0.0)
        share = flow.shares(hours)
        busy = share.any(axis=1)
        hours, share = hours[busy], share[busy]
        share = share if share.shape[1] == 1 else share[:, used]
        origin = layout.first + used[None, :]
        cell = (
            ((flow.number << _HOUR_BITS) + hours[:, None] << ORIGIN_BITS) + origin
        ) << _NUMBER_BITS
        number = stream.poisson(self.scale * share * sent[None, used], cell, draw=0)
        count = number.ravel()
        if count.max(initial=0) >= 1 << _NUMBER_BITS:
            msg = (
                f"{count.max()} {flow.vehicle_type} trips ({flow.purpose}) leave one place in an "
                f"hour; ids count {1 << _NUMBER_BITS}. Check the demand's scale and matrices."
            )
            raise InputError(msg)
        first = np.repeat(np.cumsum(count) - count, count)
        identity = np.repeat(cell.ravel(), count) + np.arange(count.sum()) - first
        place = np.repeat(np.broadcast_to(used, number.shape).ravel(), count)
        hour = np.repeat(np.broadcast_to(hours[:, None], number.shape).ravel(), count)
        goal = _pick_goal(flow.trips, place, stream.uniform(identity, draw=1))
        if flow.keep is not None:
            made = stream.uniform(identity, draw=5) < flow.keep[place, goal]
            identity, place, goal, hour = identity[made], place[made], goal[made], hour[made]
        level = stream.uniform(identity, draw=4)
        depart_s = hour * HOUR_S + HOUR_S * level
        if flow.window is not None:
            depart_s = flow.window.times_s(hour, place, level)
        end = goal if flow.purpose == "home" else place
        return (
            layout.origins.pick(place, stream.uniform(identity, draw=2)),
            layout.destinations.pick(goal, stream.uniform(identity, draw=3)),
            depart_s,
            np.full(len(identity), position, dtype=np.int64),
            identity,
            np.where(end < layout.zones, end, -1),
        )


def _nothing() -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, Integers, Integers, Integers]:
    """Return the columns of no trips."""
    street, number = np.zeros(0, np.int32), np.zeros(0, np.int64)
    return street, street, np.zeros(0), number, number, number


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

    origin, destination, depart_s, position, identity, zone = columns
    purpose = {key: flow.purpose for key, flow in enumerate(flows)}
    vehicle = {key: flow.vehicle_type for key, flow in enumerate(flows)}
    which = pd.Series(position)
    return pd.DataFrame(
        {
            "origin": origin,
            "destination": destination,
            "depart_s": depart_s,
            "purpose": which.map(purpose).astype(str),
            "vehicle_type": which.map(vehicle).astype(str),
            "id": identity,
            "zone": zone.astype(np.int32),
        }
    )


def _hours(begin_s: float, end_s: float) -> Integers:
    limit_s = HOUR_S * (1 << _HOUR_BITS)
    if not 0.0 <= begin_s < end_s <= limit_s:
        msg = f"period {begin_s}..{end_s} s of trips must satisfy 0 <= begin < end <= {limit_s}."
        raise InputError(msg)
    return np.arange(int(begin_s // HOUR_S), int(np.ceil(end_s / HOUR_S)), dtype=np.int64)


def check_network(city: City, cars: RoadGraph) -> None:
    """Refuse a city in which cars cannot drive from one street to another."""
    if cars.n_streets == 0 or int(cars.core().sum()) < 2:
        msg = f"city {city.name!r} has no connected road network for cars; trips need one."
        raise InputError(msg)


def check_scale(scale: float) -> None:
    """Refuse a factor that is negative or not finite."""
    if not 0.0 <= scale < np.inf:
        msg = f"scale(={scale}) of a demand must be finite and >= 0."
        raise InputError(msg)
