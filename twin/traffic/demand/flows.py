"""Trips of a working day by purpose: within the map, across its edge, and through it.

A purpose sends people from home and draws them to an activity, and back later. Of what a zone
sends, a part finds its activity inside the map: with an exponential distribution of lengths of mean
L, a map of radius R keeps 1 - exp(-R / L). The rest leaves by the gates, and activities that the
zones' own residents do not fill draw people in by the gates. What the gates carry beyond that only
passes through. Where zones ask for more than the gates can carry in an hour, the traffic across
the edge is cut to that, and the cut is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.traffic.demand.departures import HOURS, PROFILES, Window
from twin.traffic.demand.gates import Gates
from twin.traffic.demand.gravity import deterrence, furness, gravity
from twin.traffic.demand.zones import Places, Zones
from twin.traffic.routing import RoadGraph

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HOME_PURPOSES = ("work", "education", "shopping", "leisure")
PURPOSES = (*HOME_PURPOSES, "business", "freight", "through")  # of a generated demand


@dataclass(frozen=True, eq=False)
class Flow:
    """The trips of one purpose and direction in a day.

    Parameters
    ----------
    number : key of the flow's random numbers, the same in every city: 0..11 what is generated, 12
        and 13 to and from events, 16..126 own matrices. Flows may share it where their trips never
        share both hour and origin (`Layout.first`).
    purpose : as in the table of trips
    vehicle_type : `car` or `lorry`
    profile : name in `departures.PROFILES`, unless hours or a window are given
    trips : float64 [zones + entries, zones + exits], expected trips per day
    layout : key of the flow's places in `Demand.layouts`; that of the vehicle type if empty
    hours : float64 [24], share of the departures by hour, instead of a profile's
    window : departures of a single time, instead of each day's
    keep : part of the trips that is made, shape as `trips`, at most 1; all if None
    """

    number: int
    purpose: str
    vehicle_type: str
    profile: str
    trips: Floats
    layout: str = ""
    hours: Floats | None = None
    window: Window | None = None
    keep: Floats | None = None

    @property
    def places(self) -> str:
        """Key of the flow's places in `Demand.layouts`."""
        return self.layout or self.vehicle_type

    @property
    def activity(self) -> str:
        """The purpose that the trips belong to: of a way back home, what it returns from."""
        back = self.purpose == "home" and self.profile.endswith(" back")
        return self.profile.removesuffix(" back") if back else self.purpose

    @property
    def day(self) -> Floats:
        """Share of the departures by hour 0..23."""
        return PROFILES[self.profile] if self.hours is None else self.hours

    def made(self) -> Floats:
        """Return the trips that are made, as `trips`."""
        return self.trips if self.keep is None else self.trips * self.keep

    def shares(self, hours: Integers) -> Floats:
        """Return the share of the trips in each hour since the first day's start.

        The shape is [hours, 1], or [hours, origins] where origins differ.
        """
        if self.window is not None:
            return self.window.shares(hours)
        return self.day[hours % HOURS][:, None]

    def hourly(self) -> tuple[Integers, Floats]:
        """Return hours, 0..23 unless departures happen once, and the share of trips in each."""
        if self.window is None:
            return np.arange(HOURS), self.day
        hours, sent = self.window.hours(), self.made().sum(axis=1)
        weight = sent if len(self.window.begin_s) > 1 else sent.sum()[None]
        return hours, self.window.shares(hours) @ weight / max(float(sent.sum()), 1e-300)


@dataclass(frozen=True, eq=False)
class Layout:
    """Origins (zones, then entries) and destinations (zones, then exits), and times between them.

    Parameters
    ----------
    origins, destinations : their streets
    minutes : float64 [origins, destinations], free travel times, min, inf where there is no way
    zones : number of zones among the origins and among the destinations
    first : number of the first origin in the ids of trips
    """

    origins: Places
    destinations: Places
    minutes: Floats
    zones: int
    first: int = 0

    def extended(
        self, graph: RoadGraph, zones: Places, first: int, assumptions: Mapping[str, float]
    ) -> Layout:
        """Return a layout with more zones behind those that are here, and before the gates."""
        n = self.zones
        both = [
            Places.of(places.part(0, n), zones, places.part(n, len(places)))
            for places in (self.origins, self.destinations)
        ]
        return timed_layout(graph, both[0], both[1], n + len(zones), assumptions, first)


def make_layout(
    graph: RoadGraph, zones: Places, entries: Gates, exits: Gates, assumptions: Mapping[str, float]
) -> Layout:
    """Return the places of one vehicle class and the free times between them."""
    if np.any(np.diff(zones.ptr) == 0):  # this class has no network to reach the zones by
        zones = Places(np.zeros(1, np.int64), zones.street[:0], zones.share[:0])
    origins, destinations = zones.joined(entries.street), zones.joined(exits.street)
    return timed_layout(graph, origins, destinations, len(zones), assumptions)


def timed_layout(
    graph: RoadGraph,
    origins: Places,
    destinations: Places,
    zones: int,
    assumptions: Mapping[str, float],
    first: int = 0,
) -> Layout:
    """Return a layout of given places, of which the first `zones` are zones."""
    if not len(origins) or not len(destinations):
        return Layout(origins, destinations, np.zeros((len(origins), len(destinations))), 0, first)
    end = destinations.main_street()
    minutes = (graph.free_times(origins.main_street())[:, end] + graph.exit_free_s[end]) / 60.0
    within = np.arange(zones)
    minutes[within, within] = assumptions["intrazonal_min"]
    return Layout(origins, destinations, minutes, zones, first)


def make_flows(
    zones: Zones,
    entries: Gates,
    exits: Gates,
    layouts: Mapping[str, Layout],
    assumptions: Mapping[str, float],
) -> tuple[list[Flow], dict[str, float]]:
    """Return the flows of a working day and notes on what was cut.

    Parameters
    ----------
    layouts : by vehicle type, `car` and `lorry`
    """
    same = entries.junction[:, None] == exits.junction[None, :]
    change = entries.motorway[:, None] != exits.motorway[None, :]
    ease = np.where(same, 0.0, np.where(change, assumptions["motorway_change_weight"], 1.0))
    flows: list[Flow] = []
    notes: dict[str, float] = {}
    for number, kind in ((10, "car"), (11, "lorry")):
        layout, column = layouts[kind], "cars" if kind == "car" else "lorries"
        volumes = _volumes(entries, column), _volumes(exits, column)
        local = volumes[0] * entries.local, volumes[1] * exits.local
        make = _activity_flows if kind == "car" else _freight_flows
        asked = make(zones, layout, local, assumptions)
        kept, notes[f"{kind}_crossing_share_kept"] = _limited(asked, layout, local, assumptions)
        through, unused = _through(kept, layout, volumes, ease, assumptions)
        notes[f"{kind}_gate_volume_unused"] = unused
        flows += [*kept, block(number, "through", kind, "through", layout, gg=through)]
    return flows, notes


def _volumes(gates: Gates, column: str) -> Floats:
    return gates.cars if column == "cars" else gates.lorries


def _activity_flows(
    zones: Zones,
    layout: Layout,
    local: tuple[Floats, Floats],
    assumptions: Mapping[str, float],
) -> list[Flow]:
    """Return the car trips to activities, back home from them, and on business."""
    n, minutes = layout.zones, layout.minutes
    flows = []

    def leave(trips: Floats) -> Floats:
        return _to_gates(minutes[:n, n:], trips, local[1], assumptions)

    def enter(trips: Floats) -> Floats:
        return _to_gates(minutes[n:, :n].T, trips, local[0], assumptions).T

    for number, purpose in enumerate(HOME_PURPOSES):
        sent, drawn = margins(zones, purpose, assumptions)
        inside, out, into = split(sent, drawn, zones.extent_m, purpose, assumptions)
        zz = _internal(minutes[:n, :n], *inside, assumptions)
        for back in (False, True):
            profile = f"{purpose} back" if back else f"{purpose} out"
            blocks = (zz.T, leave(into), enter(out)) if back else (zz, leave(out), enter(into))
            label = "home" if back else purpose
            flows.append(block(2 * number + back, label, "car", profile, layout, *blocks))
    jobs = zones.jobs * assumptions["business_per_job"]
    flows.append(_job_flow(8, "business", "car", jobs, zones, layout, local, assumptions))
    return flows


def _freight_flows(
    zones: Zones,
    layout: Layout,
    local: tuple[Floats, Floats],
    assumptions: Mapping[str, float],
) -> list[Flow]:
    """Return the lorry trips between workplaces; none where no street lets lorries in."""
    if layout.zones < len(zones):
        return []
    jobs = zones.jobs * assumptions["freight_per_job"]
    return [_job_flow(9, "freight", "lorry", jobs, zones, layout, local, assumptions)]


def _job_flow(
    number: int,
    purpose: str,
    vehicle_type: str,
    jobs: Floats,
    zones: Zones,
    layout: Layout,
    local: tuple[Floats, Floats],
    assumptions: Mapping[str, float],
) -> Flow:
    """Return trips from and to workplaces, alike in number at each, inside and across the edge."""
    n, minutes = layout.zones, layout.minutes
    inside, out, into = split(jobs, jobs, zones.extent_m, purpose, assumptions)
    blocks = (
        _internal(minutes[:n, :n], *inside, assumptions),
        _to_gates(minutes[:n, n:], out, local[1], assumptions),
        _to_gates(minutes[n:, :n].T, into, local[0], assumptions).T,
    )
    return block(number, purpose, vehicle_type, purpose, layout, *blocks)


def margins(zones: Zones, purpose: str, assumptions: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return car trips per day that each zone sends from home and draws to its activities."""
    drivers = assumptions[f"{purpose}_driver_share"]
    sent = zones.residents * assumptions[f"{purpose}_per_resident"] * drivers
    visits = (
        zones.jobs * assumptions["work_per_job"] if purpose == "work" else getattr(zones, purpose)
    )
    return sent, visits * drivers


def split(
    sent: Floats, drawn: Floats, extent_m: float, purpose: str, assumptions: Mapping[str, float]
) -> tuple[tuple[Floats, Floats], Floats, Floats]:
    """Return (sent, drawn) inside the map, what leaves it, and what comes from outside, by zone."""
    kept = 1.0 - np.exp(-extent_m / (1000.0 * assumptions[f"{purpose}_length_km"]))
    sums = float(sent.sum()), float(drawn.sum())
    inside = kept * min(sums)
    share = [inside / total if total > 0.0 else 0.0 for total in sums]
    return (sent * share[0], drawn * share[1]), sent * (1.0 - share[0]), drawn * (1.0 - share[1])


def _internal(
    minutes: Floats, sent: Floats, drawn: Floats, assumptions: Mapping[str, float]
) -> Floats:
    scale_min, power = assumptions["deterrence_min"], assumptions["deterrence_power"]
    return gravity(minutes, sent, drawn, scale_min=scale_min, power=power)


def _to_gates(
    minutes: Floats, zone_trips: Floats, volume: Floats, assumptions: Mapping[str, float]
) -> Floats:
    """Return trips [zones, gates], shared among the gates by their volumes; none without gates."""
    used = np.where(_connected(minutes), volume, 0.0)
    total, carried = float(zone_trips.sum()), float(used.sum())
    if total == 0.0 or carried == 0.0:
        return np.zeros(minutes.shape)
    scale_min = assumptions["through_decay_min"]
    return gravity(minutes, zone_trips, used * (total / carried), scale_min=scale_min)


def _connected(minutes: Floats) -> NDArray[np.bool_]:
    """Return which gates (columns) have a way to all zones (rows)."""
    return np.asarray(np.isfinite(minutes).all(axis=0))


def block(
    number: int,
    purpose: str,
    vehicle_type: str,
    profile: str,
    layout: Layout,
    zz: Floats | None = None,
    zg: Floats | None = None,
    gz: Floats | None = None,
    gg: Floats | None = None,
) -> Flow:
    """Return a flow from its blocks: zone to zone, zone to exit, entry to zone, entry to exit."""
    n = layout.zones
    trips = np.zeros(layout.minutes.shape)
    for block, rows, columns in (
        (zz, slice(0, n), slice(0, n)),
        (zg, slice(0, n), slice(n, None)),
        (gz, slice(n, None), slice(0, n)),
        (gg, slice(n, None), slice(n, None)),
    ):
        if block is not None:
            trips[rows, columns] = block
    return Flow(number, purpose, vehicle_type, profile, trips)


def _limited(
    flows: list[Flow],
    layout: Layout,
    volumes: tuple[Floats, Floats],
    assumptions: Mapping[str, float],
) -> tuple[list[Flow], float]:
    """Return the flows with the traffic across the edge cut to what the gates carry, and the share.

    In no hour does it take more of the gates' peak than through traffic leaves, and in no day more
    of their daily traffic.
    """
    n = layout.zones
    into_day = sum((f.trips[n:, :n].sum() * PROFILES[f.profile] for f in flows), np.zeros(HOURS))
    out_day = sum((f.trips[:n, n:].sum() * PROFILES[f.profile] for f in flows), np.zeros(HOURS))
    into_volume = float(volumes[0][_connected(layout.minutes[n:, :n].T)].sum())
    out_volume = float(volumes[1][_connected(layout.minutes[:n, n:])].sum())
    room = 1.0 - assumptions["through_share_min"]
    share = 1.0
    for asked, volume in ((into_day, into_volume), (out_day, out_volume)):
        most = max(float(asked.sum()), float(asked.max()) / assumptions["gate_peak_share"])
        share = min(share, room * volume / most) if most > 0.0 else share
    kept = []
    for flow in flows:
        trips = flow.trips * share
        trips[:n, :n] = flow.trips[:n, :n]
        kept.append(replace(flow, trips=trips))
    return kept, share


def _through(
    flows: list[Flow],
    layout: Layout,
    volumes: tuple[Floats, Floats],
    ease: Floats,
    assumptions: Mapping[str, float],
) -> tuple[Floats, float]:
    """Return the trips from gate to gate, and the gates' volume per day that they leave unused.

    They fill the gates up to their volumes where there are ways through. An outside option takes
    what finds none: an entry whose exit is not on the map, or would be the road it came by.
    """
    n = layout.zones
    minutes = layout.minutes[n:, n:]
    used = sum((flow.trips for flow in flows), np.zeros(layout.minutes.shape))
    into = np.maximum(volumes[0] - used[n:].sum(axis=1), 0.0)
    out = np.maximum(volumes[1] - used[:, n:].sum(axis=0), 0.0)
    weights = ease * deterrence(minutes, assumptions["through_decay_min"])
    if minutes.size == 0 or not weights.any():
        return np.zeros(minutes.shape), float(into.sum() + out.sum())
    outside = assumptions["through_outside_weight"] * float(weights[weights > 0.0].mean())
    padded = np.full((len(into) + 1, len(out) + 1), outside)
    padded[:-1, :-1], padded[-1, -1] = weights, 1.0
    rows, columns = np.append(into, out.sum()), np.append(out, into.sum())
    trips = furness(padded, rows, columns)[:-1, :-1]
    return trips, float(into.sum() + out.sum() - 2.0 * trips.sum())
