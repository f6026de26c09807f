"""Vehicles from SUMO's route and additional files: types, routes, trips and flows."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twin.city.netxml import collector_paused
from twin.errors import InputError
from twin.random import Stream
from twin.traffic.sumo_files import parse
from twin.traffic.sumo_flows import MOST_VEHICLES, due_times
from twin.traffic.sumo_stops import PLACES, Place, StopAt, read_place, read_stop, resolved
from twin.traffic.sumo_types import SumoType, vehicle_type
from twin.traffic.sumo_values import Attributes, Inner, entity_of, number, seconds

__all__ = [
    "Due",
    "RouteFiles",
    "SumoType",
    "entity_of",
    "read_routes",
    "seconds",
]

Way = tuple[str, ...]
Mix = tuple[list[str], np.ndarray]
_log = logging.getLogger(__name__)

_WALKERS = {"person", "personFlow", "container", "containerFlow"}
_NO_TIME = {"triggered", "containerTriggered", "split", "begin", "now"}


class Due(NamedTuple):
    """A vehicle of a file.

    `way` is its route, or the edges that it has to visit where `routed` is False.  An end
    of a trip that begins with a line feed is a junction.  `factor` is its own speed factor
    or NaN; the words of SUMO stand in `depart_speed` and `depart_pos`.
    """

    id: str
    due_s: float
    type: str
    way: Way
    routed: bool
    depart_speed: str
    depart_pos: str
    factor: float
    where: str
    stops: tuple[StopAt, ...] = ()


@dataclass
class RouteFiles:
    """What the files hold for a period.

    Attributes
    ----------
    types
        Vehicle types by id.
    vehicles
        Those due in the period, by time.
    skipped
        How many entries were left out, by reason.
    """

    types: dict[str, SumoType] = field(default_factory=dict)
    vehicles: list[Due] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def read_routes(files: Sequence[Path], begin_s: float, end_s: float, seed: int = 0) -> RouteFiles:
    """Read route and additional files; types and routes may stand in any of them.

    Raises
    ------
    InputError
        For a file that is missing or broken, for what it holds that cannot be used, and
        where no vehicle is due in the period.
    """
    if not (math.isfinite(begin_s) and math.isfinite(end_s) and 0 <= begin_s < end_s):
        msg = f"begin {begin_s:g} s, end {end_s:g} s: give a period that ends after it begins"
        raise InputError(msg)
    reader = _Reader(begin_s, end_s, seed)
    with collector_paused():
        for path in files:
            parse(path, reader.entry)
        found = reader.finish()
    for reason, count in found.skipped.items():
        _log.info("%s: %d left out", reason, count)
    if not found.vehicles:
        names = ", ".join(str(f) for f in files) or "no route files"
        seen = f"; its vehicles are due from {reader.first_s:g} s on" if reader.seen else ""
        msg = f"{names}: no vehicle is due from {begin_s:g} to {end_s:g} s{seen}"
        raise InputError(msg)
    return found


class _Reader:
    """Collects entries; distributions are drawn at the end, when all are known."""

    def __init__(self, begin_s: float, end_s: float, seed: int) -> None:
        self.begin_s, self.end_s = begin_s, end_s
        self.flows, self.choices = Stream(seed, "flows"), Stream(seed, "choices")
        self.found = RouteFiles()
        for name, vclass in (("VEH", "passenger"), ("TAXI", "taxi"), ("BIKE", "bicycle")):
            self.found.types[f"DEFAULT_{name}TYPE"] = vehicle_type({"vClass": vclass}, "SUMO")
        self.routes: dict[str, Way] = {}
        self.route_stops: dict[str, tuple[StopAt, ...]] = {}
        self.places: dict[str, Place] = {}
        self.type_mixes: dict[str, Mix] = {}
        self.route_mixes: dict[str, Mix] = {}
        self.weights: dict[str, float] = {}
        self.seen, self.first_s = False, math.inf
        self.handlers: dict[str, Callable[[Attributes, Inner, str], None]]
        self.handlers = {
            "vType": self._type,
            "vTypeDistribution": self._mix_types,
            "route": self._route,
            "routeDistribution": self._mix_routes,
            "trip": self._vehicle,
            "vehicle": self._vehicle,
            "flow": self._flow,
            **dict.fromkeys(PLACES, self._place),
        }

    def entry(self, tag: str, given: Attributes, inner: Inner, where: str) -> None:
        handler = self.handlers.get(tag)
        if handler is not None:
            handler(given, inner, where)
        elif tag in _WALKERS:
            self._skip("pedestrians and containers")
        else:
            self._skip(f"<{tag}> elements")

    def finish(self) -> RouteFiles:
        """The vehicles by time, with types and routes drawn and known."""
        vehicles = self._drawn(self.found.vehicles)
        names: set[str] = set()
        kept = []
        for v in vehicles:
            if v.id in names:
                msg = f"{v.where} {v.id!r}: there is another vehicle of this id; give ids once"
                raise InputError(msg)
            names.add(v.id)
            if self.found.types[v.type].vehicle_class:
                kept.append(v)
        if len(kept) < len(vehicles):
            self._skip("vehicles that city streets do not carry", len(vehicles) - len(kept))
        kept.sort(key=lambda v: v.due_s)
        self.found.vehicles = [self._with_stops(v) if v.stops else v for v in kept]
        return self.found

    def _with_stops(self, v: Due) -> Due:
        """A vehicle whose stops have edges; a trip goes by way of them."""
        stops = tuple(resolved(stop, self.places) for stop in v.stops)
        way = v.way
        if not v.routed:
            inner = [stop.edge for stop in stops]
            ways = [way[0] or inner[0], *way[1:-1], *inner, way[-1] or inner[-1]]
            way = tuple(e for k, e in enumerate(ways) if k == 0 or e != ways[k - 1])
            way = way if len(way) > 1 else way * 2
        return v._replace(stops=stops, way=way)

    def _place(self, given: Attributes, _inner: Inner, where: str) -> None:
        self.places[given.get("id", "")] = read_place(given, where)

    def _drawn(self, vehicles: list[Due]) -> list[Due]:
        """Types and routes of distributions are drawn by the vehicle's id."""
        for draw, mixes in enumerate((self.type_mixes, self.route_mixes)):
            names = [v.type if draw == 0 else v.way[0][1:] for v in vehicles] if mixes else []
            rows = [k for k, name in enumerate(names) if name in mixes]
            entity = np.array([entity_of(vehicles[k].id) for k in rows], np.int64)
            levels = self.choices.uniform(entity, draw) if rows else ()
            for k, level in zip(rows, levels, strict=True):
                options, cumulative = mixes[names[k]]
                at = int(np.searchsorted(cumulative, level * cumulative[-1], "right"))
                v = vehicles[k]
                if draw == 0:
                    vehicles[k] = v._replace(type=options[at])
                elif v.way[0][0] == "\t":
                    vehicles[k] = v._replace(way=(f"\t{options[at]}",))
        types = self.found.types
        for k, v in enumerate(vehicles):
            if v.type not in types:
                msg = f"{v.where} {v.id!r}: vehicle type {v.type!r} is not defined; give its file"
                raise InputError(msg)
            if v.way[0][:1] == "\t":
                if v.way[0][1:] not in self.routes:
                    msg = f"{v.where} {v.id!r}: route {v.way[0][1:]!r} is undefined; give its file"
                    raise InputError(msg)
                name = v.way[0][1:]
                stops = self.route_stops.get(name, ()) + v.stops
                vehicles[k] = v._replace(way=self.routes[name], stops=stops)
        return vehicles

    def _skip(self, reason: str, number: int = 1) -> None:
        self.found.skipped[reason] = self.found.skipped.get(reason, 0) + number

    def _type(self, given: Attributes, inner: Inner, where: str) -> None:
        name = given.get("id", "")
        for tag, more in inner:
            if tag.startswith("carFollowing-"):
                given = {"carFollowModel": tag[len("carFollowing-") :], **given, **more}
        self.found.types[name] = vehicle_type(given, f"{where} {name!r}")
        self.weights[name] = number(given, "probability", 1.0, where)

    def _mix_types(self, given: Attributes, inner: Inner, where: str) -> None:
        names = given.get("vTypes", "").split()
        weights = [self.weights.get(name, 1.0) for name in names]
        for tag, child in inner:
            if tag != "vType":
                continue
            if "id" in child:
                self._type(child, [], where)
            names.append(child.get("refId", child.get("id", "")))
            weights.append(number(child, "probability", self.weights.get(names[-1], 1.0), where))
        self.type_mixes[given.get("id", "")] = _mix(names, weights, given, where)

    def _route(self, given: Attributes, inner: Inner, where: str) -> None:
        name = given.get("id", "")
        self.routes[name] = _edges(given, where)
        stops = _stops(inner, where, 0.0)
        if stops:
            self.route_stops[name] = stops

    def _mix_routes(self, given: Attributes, inner: Inner, where: str) -> None:
        names, weights = given.get("routes", "").split(), []
        weights = [1.0] * len(names)
        for k, (_tag, child) in enumerate(inner):
            name = child.get("refId") or child.get("id") or f"{given.get('id')}!{k}"
            if "edges" in child:
                self.routes[name] = _edges(child, where)
            names.append(name)
            weights.append(number(child, "probability", 1.0, where))
        self.route_mixes[given.get("id", "")] = _mix(names, weights, given, where)

    def _vehicle(self, given: Attributes, inner: Inner, where: str) -> None:
        depart = given.get("depart", "")
        if depart in _NO_TIME:
            msg = f"{where} {given.get('id')!r}: depart={depart!r} is no time; give seconds"
            raise InputError(msg)
        due = seconds(depart, f"{where} {given.get('id')!r} depart")
        self._add([due], [given.get("id", "")], given, inner, where)

    def _add(
        self,
        times: Sequence[float],
        names: Sequence[str],
        given: Attributes,
        inner: Inner,
        where: str,
    ) -> None:
        for due in times[:1]:
            self.seen, self.first_s = True, min(self.first_s, due)
        due_in = [k for k, t in enumerate(times) if self.begin_s <= t < self.end_s]
        if not due_in:
            return
        if len(self.found.vehicles) + len(due_in) > MOST_VEHICLES:
            msg = f"{where}: more than {MOST_VEHICLES:,} vehicles; shorten the period"
            raise InputError(msg)
        way, routed = self._way(given, inner, f"{where} {given.get('id')!r}")
        stops = _stops(
            inner, f"{where} {given.get('id')!r}", times[0] if len(times) > 1 else math.nan
        )
        factor = number(given, "speedFactor", math.nan, where) if "speedFactor" in given else 0.0
        own = (
            given.get("type", "DEFAULT_VEHTYPE"), way, routed,
            given.get("departSpeed", "avg"), given.get("departPos", "base"), factor, where,
        )  # fmt: skip
        self.found.vehicles.extend(Due(names[k], times[k], *own, stops) for k in due_in)

    def _way(self, given: Attributes, inner: Inner, where: str) -> tuple[Way, bool]:
        for tag, child in inner:
            if tag == "route" and "edges" in child:
                return _edges(child, where), True
            if tag == "routeDistribution":
                self._mix_routes({"id": where}, [c for c in inner if c[0] == "route"], where)
                return (f"\t{where}",), True
        if "route" in given:
            return (f"\t{given['route']}",), True
        if "fromTaz" in given or "toTaz" in given:
            msg = f"{where}: fromTaz and toTaz need zones; route the trips with duarouter first"
            raise InputError(msg)
        ends = [
            given.get(end) or (f"\n{given[f'{end}Junction']}" if f"{end}Junction" in given else "")
            for end in ("from", "to")
        ]
        if not all(ends) and not any(tag == "stop" for tag, _ in inner):
            msg = f"{where}: has neither a route nor from and to; give one of them"
            raise InputError(msg)
        return (ends[0], *given.get("via", "").split(), ends[1]), False

    def _flow(self, given: Attributes, inner: Inner, where: str) -> None:
        name = given.get("id", "")
        times = due_times(given, f"{where} {name!r}", self.end_s, self.flows)
        self._add(times, [f"{name}.{k}" for k in range(len(times))], given, inner, where)


def _edges(given: Attributes, where: str) -> Way:
    edges = tuple(given.get("edges", "").split())
    if not edges:
        msg = f"{where}: the route {given.get('id', '')!r} has no edges; list them in edges"
        raise InputError(msg)
    return edges * (1 + int(number(given, "repeat", 0, where)))


def _stops(inner: Inner, where: str, since_s: float) -> tuple[StopAt, ...]:
    return tuple(read_stop(child, where, since_s) for tag, child in inner if tag == "stop")


def _mix(names: list[str], weights: list[float], given: Attributes, where: str) -> Mix:
    """Names with the running sum of their weights."""
    if "probabilities" in given:
        texts = given["probabilities"].split()
        weights = [number({"probabilities": t}, "probabilities", 0.0, where) for t in texts]
    if not names or len(names) != len(weights) or not sum(weights) > 0.0:
        msg = f"{where} {given.get('id')!r}: needs members, each with a probability of 0 or more"
        raise InputError(msg)
    return names, np.cumsum(weights)
