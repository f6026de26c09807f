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
    kind = SumoType(
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
    return kind


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
        self.found.vehicles = kept
        return self.found

    def _drawn(self, vehicles: list[Due]) -> list[Due]:
        types, routes = self.type_mixes, self.route_mixes
        random = [
            k for k, v in enumerate(vehicles)
            if v.type in types or (v.routed and v.way[0][:1] == "\t")
        ]  # fmt: skip
        entity = np.array([entity_of(vehicles[k].id) for k in random], np.int64)
        levels = [self.choices.uniform(entity, draw) for draw in (0, 1)] if random else []
        for k, kind, way in zip(random, *levels, strict=True) if random else ():
            v = vehicles[k]
            if v.type in types:
                v = v._replace(type=_pick(types[v.type], kind))
            if v.routed and v.way[0][:1] == "\t":
                name = v.way[0][1:]
                name = _pick(routes[name], way) if name in routes else name
                if name not in self.routes:
                    msg = f"{v.where} {v.id!r}: route {name!r} is not defined; give its file too"
                    raise InputError(msg)
                v = v._replace(way=self.routes[name])
            vehicles[k] = v
        for v in vehicles:
            if v.type not in self.found.types:
                msg = f"{v.where} {v.id!r}: vehicle type {v.type!r} is not defined; give its file"
                raise InputError(msg)
        return vehicles

    def _skip(self, reason: str, number: int = 1) -> None:
        self.found.skipped[reason] = self.found.skipped.get(reason, 0) + number
