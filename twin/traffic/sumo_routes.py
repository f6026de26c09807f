"""Vehicles from SUMO's route and additional files: types, routes, trips and flows.

A file is parsed by expat in one pass.  A document type declaration, which no such file has
and every entity bomb needs, is refused.
"""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.sumo_stops import PLACES, Place, StopAt, read_place, read_stop, resolved

Attributes = dict[str, str]
Way = tuple[str, ...]
Mix = tuple[list[str], np.ndarray]
_log = logging.getLogger(__name__)

_ROOTS = {"routes", "additional", "trips", "flows", "vehicles", "vtypes"}
_KNOWN = {"vType", "vTypeDistribution", "route", "routeDistribution", "trip", "vehicle", "flow"}
_WALKERS = {"person", "personFlow", "container", "containerFlow"}
_NO_TIME = {"triggered", "containerTriggered", "split", "begin", "now"}
MOST_VEHICLES = 5_000_000

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
    for path in files:
        _parse(path, reader)
    found = reader.finish()
    for reason, number in found.skipped.items():
        _log.info("%s: %d left out", reason, number)
    if not found.vehicles:
        names = ", ".join(str(f) for f in files) or "no route files"
        seen = f"; its vehicles are due from {reader.first_s:g} s on" if reader.seen else ""
        msg = f"{names}: no vehicle is due from {begin_s:g} to {end_s:g} s{seen}"
        raise InputError(msg)
    return found


def seconds(text: str, where: str = "time") -> float:
    """Seconds of "12.5", "00:01:30" or "1:00:00:00" (days first).

    Raises
    ------
    InputError
        For anything else, and for what is below zero.
    """
    total = math.nan
    parts = text.split(":")
    try:
        if len(parts) == 1:
            total = float(text)
        elif len(parts) in (3, 4) and not any(p.strip().startswith(("-", "+")) for p in parts):
            total = sum(
                unit * float(part)
                for unit, part in zip((1, 60, 3600, 86400), reversed(parts), strict=False)
            )
    except ValueError:
        total = math.nan
    if not (math.isfinite(total) and total >= 0.0):
        msg = f"{where}: {text!r} is no time from 0 on; write seconds or HH:MM:SS"
        raise InputError(msg)
    return total


def entity_of(name: str) -> int:
    """The number of a name for random streams, the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


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
        length_m=_number(given, "length", length, where, least=0.1),
        gap_m=_number(given, "minGap", gap, where),
        tau_s=_number(given, "tau", 1.0, where),
        accel_m_s2=_number(given, "accel", accel, where, least=0.01),
        decel_m_s2=_number(given, "decel", decel, where, least=0.01),
        max_speed_m_s=_number(given, "maxSpeed", fastest, where, least=0.1),
        factor=_speed_factor(given, deviation, where),
        sigma=min(1.0, _number(given, "sigma", 0.5 if krauss else 0.0, where)),
        vehicle_class=_class_of(vclass),
    )


def _class_of(vclass: str) -> str:
    if vclass in _LORRIES:
        return "lorry"
    if vclass in _BUSES:
        return "bus"
    return "car" if vclass in _CLASSES else ""


def _number(
    given: Attributes, name: str, default: float, where: str, least: float = 0.0
) -> float:
    text = given.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least):
        msg = f"{where}: {name}={text!r} must be a number of at least {least:g}; correct it"
        raise InputError(msg)
    return value


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
    values[1] = _number(given, "speedDev", values[1], where)
    return values[0], values[1], values[2], values[3]


def _parse(path: Path, reader: _Reader) -> None:
    """Hand every child of the root, with its own children, to the reader."""
    parser = expat.ParserCreate()
    open_: list[tuple[str, Attributes]] = []
    inner: list[tuple[str, Attributes]] = []

    def start(name: str, attributes: Attributes) -> None:
        if not open_ and name not in _ROOTS:
            msg = f"{path}: the root element is <{name}>, not <routes>: give SUMO route files"
            raise InputError(msg)
        if len(open_) > 1:
            inner.append((name, attributes))
        open_.append((name, attributes))

    def end(_name: str) -> None:
        name, attributes = open_.pop()
        if len(open_) == 1:
            where = f"{path}, line {parser.CurrentLineNumber}: <{name}>"
            reader.entry(name, attributes, inner, where)
            inner.clear()

    def doctype(*_: object) -> None:
        msg = f"{path}: has a document type declaration, which no route file needs; remove it"
        raise InputError(msg)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    _feed(path, parser)


def _feed(path: Path, parser: expat.XMLParserType) -> None:
    try:
        with path.open("rb") as raw:
            head = raw.read(2)
        if not head:
            msg = f"{path}: the file is empty; give a SUMO route file"
            raise InputError(msg)
        with gzip.open(path) if head == b"\x1f\x8b" else path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        msg = f"{path}: not readable as XML, {error}; is it a complete route file?"
        raise InputError(msg) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: the gzip data are damaged or cut off; fetch the file again"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; check --routes"
        raise InputError(msg) from error


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
        self.handlers: dict[str, Callable[[Attributes, list[tuple[str, Attributes]], str], None]]
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

    def entry(
        self, tag: str, given: Attributes, inner: list[tuple[str, Attributes]], where: str
    ) -> None:
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

    def _place(self, given: Attributes, _inner: list[tuple[str, Attributes]], where: str) -> None:
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

    def _type(self, given: Attributes, inner: list[tuple[str, Attributes]], where: str) -> None:
        name = given.get("id", "")
        for tag, more in inner:
            if tag.startswith("carFollowing-"):
                given = {"carFollowModel": tag[len("carFollowing-") :], **given, **more}
        self.found.types[name] = vehicle_type(given, f"{where} {name!r}")
        self.weights[name] = _number(given, "probability", 1.0, where)

    def _mix_types(
        self, given: Attributes, inner: list[tuple[str, Attributes]], where: str
    ) -> None:
        names = given.get("vTypes", "").split()
        weights = [self.weights.get(name, 1.0) for name in names]
        for tag, child in inner:
            if tag != "vType":
                continue
            if "id" in child:
                self._type(child, [], where)
            names.append(child.get("refId", child.get("id", "")))
            weights.append(_number(child, "probability", self.weights.get(names[-1], 1.0), where))
        self.type_mixes[given.get("id", "")] = _mix(names, weights, given, where)

    def _route(self, given: Attributes, inner: list[tuple[str, Attributes]], where: str) -> None:
        name = given.get("id", "")
        self.routes[name] = _edges(given, where)
        stops = _stops(inner, where, 0.0)
        if stops:
            self.route_stops[name] = stops

    def _mix_routes(
        self, given: Attributes, inner: list[tuple[str, Attributes]], where: str
    ) -> None:
        names, weights = given.get("routes", "").split(), []
        weights = [1.0] * len(names)
        for k, (_tag, child) in enumerate(inner):
            name = child.get("refId") or child.get("id") or f"{given.get('id')}!{k}"
            if "edges" in child:
                self.routes[name] = _edges(child, where)
            names.append(name)
            weights.append(_number(child, "probability", 1.0, where))
        self.route_mixes[given.get("id", "")] = _mix(names, weights, given, where)

    def _vehicle(self, given: Attributes, inner: list[tuple[str, Attributes]], where: str) -> None:
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
        inner: list[tuple[str, Attributes]],
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
        factor = _number(given, "speedFactor", math.nan, where) if "speedFactor" in given else 0.0
        own = (
            given.get("type", "DEFAULT_VEHTYPE"), way, routed,
            given.get("departSpeed", "avg"), given.get("departPos", "base"), factor, where,
        )  # fmt: skip
        self.found.vehicles.extend(Due(names[k], times[k], *own, stops) for k in due_in)

    def _way(
        self, given: Attributes, inner: list[tuple[str, Attributes]], where: str
    ) -> tuple[Way, bool]:
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

    def _flow(self, given: Attributes, inner: list[tuple[str, Attributes]], where: str) -> None:
        name = given.get("id", "")
        times = self._times(given, f"{where} {name!r}")
        self._add(times, [f"{name}.{k}" for k in range(len(times))], given, inner, where)

    def _times(self, given: Attributes, where: str) -> list[float]:
        """Times at which a flow sends vehicles, up to the end of the period."""
        begin = seconds(given.get("begin", "0"), f"{where} begin")
        end = seconds(given["end"], f"{where} end") if "end" in given else math.inf
        number = int(_number(given, "number", 0, where)) if "number" in given else None
        last = min(end, self.end_s)
        entity = entity_of(given.get("id", ""))
        due: np.ndarray
        text = given.get("period", "")
        if text.startswith("exp(") and text.endswith(")"):
            rate = _number({"period": text[4:-1]}, "period", 0.0, where, least=1e-9)
            most = int(1.5 * rate * max(0.0, last - begin) + 50) if number is None else number
            self._check_size(most, where)
            steps = self.flows.exponential(entity, np.arange(most)) / rate
            due = begin + np.cumsum(steps)
        elif "probability" in given:
            chance = _number(given, "probability", 0.0, where)
            self._check_size(last - begin, where)
            second = np.arange(max(0, math.ceil(last - begin)))
            due = begin + second[self.flows.uniform(entity, second) < chance][:number]
        else:
            period = self._period(given, number, begin, end, where)
            most = max(0, math.ceil((last - begin) / period)) if period else number or 0
            most = min(most, number) if number is not None else most
            self._check_size(most, where)
            due = begin + period * np.arange(most)
        return [float(t) for t in due[due < end]]

    def _period(
        self, given: Attributes, number: int | None, begin: float, end: float, where: str
    ) -> float:
        if "period" in given:
            return seconds(given["period"], f"{where} period")
        for name in ("vehsPerHour", "perHour"):
            if name in given:
                return 3600.0 / _number(given, name, 0.0, where, least=1e-9)
        if number is None:
            msg = f"{where}: says neither number, period, vehsPerHour nor probability; give one"
            raise InputError(msg)
        return (min(end, 1e9) - begin if end < math.inf else self.end_s - begin) / max(1, number)

    @staticmethod
    def _check_size(number: float, where: str) -> None:
        if number > MOST_VEHICLES:
            msg = f"{where}: sends more than {MOST_VEHICLES:,} vehicles; shorten the period"
            raise InputError(msg)


def _edges(given: Attributes, where: str) -> Way:
    edges = tuple(given.get("edges", "").split())
    if not edges:
        msg = f"{where}: the route {given.get('id', '')!r} has no edges; list them in edges"
        raise InputError(msg)
    return edges * (1 + int(_number(given, "repeat", 0, where)))


def _stops(
    inner: list[tuple[str, Attributes]], where: str, since_s: float
) -> tuple[StopAt, ...]:
    return tuple(read_stop(child, where, since_s) for tag, child in inner if tag == "stop")


def _mix(names: list[str], weights: list[float], given: Attributes, where: str) -> Mix:
    """Names with the running sum of their weights."""
    if "probabilities" in given:
        texts = given["probabilities"].split()
        weights = [_number({"probabilities": t}, "probabilities", 0.0, where) for t in texts]
    if not names or len(names) != len(weights) or not sum(weights) > 0.0:
        msg = f"{where} {given.get('id')!r}: needs members, each with a probability of 0 or more"
        raise InputError(msg)
    return names, np.cumsum(weights)
