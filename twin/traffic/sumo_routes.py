"""Vehicles from SUMO's route files: types, trips, vehicles with routes, and flows."""

from __future__ import annotations

import gzip
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.parameters import VehicleType

# SUMO 1.28: length, minGap, accel, decel, maxSpeed, speedDev by vehicle class
_PASSENGER = (5.0, 2.5, 2.6, 4.5, 55.56, 0.1)
_CLASSES = {
    "passenger": _PASSENGER,
    "private": _PASSENGER,
    "taxi": _PASSENGER,
    "emergency": (6.5, 2.5, 2.6, 4.5, 55.56, 0.0),
    "delivery": (6.5, 2.5, 2.6, 4.5, 55.56, 0.05),
    "truck": (7.1, 2.5, 1.3, 4.0, 36.11, 0.05),
    "trailer": (16.5, 2.5, 1.1, 4.0, 36.11, 0.05),
    "bus": (12.0, 2.5, 1.2, 4.0, 23.61, 0.0),
    "coach": (14.0, 2.5, 2.0, 4.0, 27.78, 0.05),
    "motorcycle": (2.2, 2.5, 6.0, 10.0, 55.56, 0.1),
}
_LORRIES = {"truck", "trailer", "delivery"}
_BUSES = {"bus", "coach"}
_WALKERS = {"person", "personFlow", "container", "containerFlow"}
MOST_VEHICLES = 5_000_000


@dataclass(frozen=True)
class Due:
    """A vehicle of a file: `streets` is its route, or its ends where `routed` is False."""

    id: str
    due_s: float
    type: str
    streets: tuple[str, ...]
    routed: bool
    depart_speed: str


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

    types: dict[str, VehicleType] = field(default_factory=dict)
    vehicles: list[Due] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


def read_routes(
    files: Sequence[Path], begin_s: float, end_s: float, seed: int = 0
) -> RouteFiles:
    """Read route and additional files; later files may use the types and routes of earlier.

    Raises
    ------
    InputError
        For a file that is missing or broken, and for what it holds that cannot be used.
    """
    if end_s <= begin_s:
        msg = f"end {end_s:g} s is not after begin {begin_s:g} s; give a period"
        raise InputError(msg)
    return _Reader(begin_s, end_s, seed).read(files)


def seconds(text: str, where: str) -> float:
    """Seconds of "12.5", "0:01:30" or "1:00:00:00" (days first).

    Raises
    ------
    InputError
        For anything else, and for what is below zero.
    """
    try:
        total = 0.0
        for factor, part in zip((1, 60, 3600, 86400), reversed(text.split(":")), strict=False):
            total += factor * float(part)
    except ValueError:
        total = math.nan
    if not (math.isfinite(total) and total >= 0.0) or text.count(":") > 3:
        msg = f"{where}: {text!r} is no time in seconds from 0 on; correct the file"
        raise InputError(msg)
    return total


def _open(path: Path) -> IO[bytes]:
    if path.is_dir() or not path.is_file():
        msg = f"{path}: there is no such route file; check --routes"
        raise InputError(msg)
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _elements(path: Path) -> Iterator[tuple[ET.Element, list[ET.Element]]]:
    """Children of the root, one after the other, with their own children."""
    try:
        with _open(path) as file:
            head = file.read(4096)
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                msg = f"{path}: has a document type (HTML?); give a SUMO route file"
                raise InputError(msg)
        with _open(path) as file:
            depth = 0
            root: ET.Element | None = None
            for event, element in ET.iterparse(file, events=("start", "end")):  # noqa: S314
                if event == "start":
                    root = element if depth == 0 else root
                    if depth == 0 and element.tag not in ("routes", "additional"):
                        msg = f"{path}: its root is <{element.tag}>, not <routes> or <additional>"
                        raise InputError(msg)
                    depth += 1
                    continue
                depth -= 1
                if depth == 1 and root is not None:
                    yield element, list(element)
                    root.clear()
    except (ET.ParseError, EOFError, OSError) as error:
        msg = f"{path}: broken or truncated ({error}); write it again"
        raise InputError(msg) from None


class _Reader:
    def __init__(self, begin_s: float, end_s: float, seed: int) -> None:
        self.begin_s, self.end_s = begin_s, end_s
        self.flows, self.choices = Stream(seed, "flows"), Stream(seed, "choices")
        self.found = RouteFiles()
        self.found.types["DEFAULT_VEHTYPE"] = vehicle_type("DEFAULT_VEHTYPE", {}, "SUMO")
        self.routes: dict[str, tuple[str, ...]] = {}
        self.mixes: dict[str, list[tuple[str, float]]] = {}
        self.number = 0

    def read(self, files: Sequence[Path]) -> RouteFiles:
        for path in files:
            for element, children in _elements(path):
                self._entry(element, children, path)
        if not self.found.vehicles:
            names = ", ".join(str(f) for f in files)
            msg = f"{names}: no vehicle is due from {self.begin_s:g} to {self.end_s:g} s"
            raise InputError(msg)
        self.found.vehicles.sort(key=lambda v: v.due_s)
        return self.found

    def _entry(self, element: ET.Element, children: list[ET.Element], path: Path) -> None:
        tag, given = element.tag, element.attrib
        where = f"{path}: {tag} {given.get('id', '')!r}"
        if tag == "vType":
            self.found.types[given.get("id", "")] = vehicle_type(given.get("id", ""), given, where)
        elif tag == "vTypeDistribution":
            self._mix_types(given, children, where)
        elif tag == "route":
            self.routes[given.get("id", "")] = tuple(given.get("edges", "").split())
        elif tag == "routeDistribution":
            self._mix_routes(given, children)
        elif tag in ("trip", "vehicle"):
            self._vehicle(given, children, where)
        elif tag == "flow":
            self._flow(given, children, where)
        elif tag in _WALKERS:
            self._skip("pedestrians and containers")

    def _skip(self, reason: str) -> None:
        self.found.skipped[reason] = self.found.skipped.get(reason, 0) + 1

    def _mix_types(
        self, given: dict[str, str], children: list[ET.Element], where: str
    ) -> None:
        mix = [(n, 1.0) for n in given.get("vTypes", "").split()]
        for child in children:
            name = child.get("id") or child.get("refId", "")
            if child.get("id"):
                self.found.types[name] = vehicle_type(name, child.attrib, where)
            mix.append((name, float(child.get("probability", "1"))))
        self.mixes[given.get("id", "")] = mix

    def _mix_routes(self, given: dict[str, str], children: list[ET.Element]) -> None:
        mix = []
        for k, child in enumerate(children):
            name = child.get("refId") or child.get("id") or f"{given.get('id')}!{k}"
            if child.get("edges"):
                self.routes[name] = tuple(child.get("edges", "").split())
            mix.append((name, float(child.get("probability", "1"))))
        self.mixes[given.get("id", "")] = mix

    def _pick(self, name: str, number: int, draw: int) -> str:
        """The name itself, or one of a distribution of that name."""
        mix = self.mixes.get(name)
        if not mix:
            return name
        level = float(self.choices.uniform(number, draw)) * sum(w for _, w in mix)
        for option, weight in mix:
            level -= weight
            if level < 0:
                return option
        return mix[-1][0]

    def _vehicle(self, given: dict[str, str], children: list[ET.Element], where: str) -> None:
        depart = given.get("depart", "")
        if depart in ("triggered", "containerTriggered", "split", "begin"):
            msg = f"{where}: depart={depart!r} cannot be simulated; give a time"
            raise InputError(msg)
        self._add(given.get("id", ""), seconds(depart, where), given, children, where)

    def _add(
        self,
        name: str,
        due_s: float,
        given: dict[str, str],
        children: list[ET.Element],
        where: str,
    ) -> None:
        if not self.begin_s <= due_s < self.end_s:
            return
        self.number += 1
        if self.number > MOST_VEHICLES:
            msg = f"{where}: more than {MOST_VEHICLES:,} vehicles; shorten the period"
            raise InputError(msg)
        kind = self._pick(given.get("type", "DEFAULT_VEHTYPE"), self.number, 0)
        if kind not in self.found.types:
            msg = f"{where}: vehicle type {kind!r} is not defined; give the file with its vType"
            raise InputError(msg)
        if not self.found.types[kind].vehicle_class:
            self._skip("vehicles that no street carries")
            return
        streets, routed = self._way(given, children, where)
        self.found.vehicles.append(
            Due(name, due_s, kind, streets, routed, given.get("departSpeed", "0"))
        )

    def _way(
        self, given: dict[str, str], children: list[ET.Element], where: str
    ) -> tuple[tuple[str, ...], bool]:
        inline = next((c for c in children if c.tag == "route"), None)
        if inline is not None:
            return tuple(inline.get("edges", "").split()), True
        if "route" in given:
            name = self._pick(given["route"], self.number, 1)
            if name not in self.routes:
                msg = f"{where}: route {name!r} is not defined; give the file with it"
                raise InputError(msg)
            return self.routes[name], True
        if "from" in given and "to" in given:
            return (given["from"], *given.get("via", "").split(), given["to"]), False
        msg = f"{where}: has neither a route nor from and to; give one of them"
        raise InputError(msg)

    def _flow(self, given: dict[str, str], children: list[ET.Element], where: str) -> None:
        begin = seconds(given.get("begin", "0"), where)
        end = seconds(given.get("end", str(self.end_s)), where)
        for k, due in enumerate(self._times(given, begin, end, where)):
            self._add(f"{given.get('id', '')}.{k}", due, given, children, where)

    def _times(
        self, given: dict[str, str], begin: float, end: float, where: str
    ) -> Iterator[float]:
        """Times at which a flow sends vehicles."""
        number = int(given["number"]) if "number" in given else None
        entity = len(self.found.skipped) + hash_of(given.get("id", ""))
        if "probability" in given:
            chance = float(given["probability"])
            for k in range(int(end - begin)):
                if float(self.flows.uniform(entity, draw=k)) < chance:
                    yield begin + k
            return
        text = given.get("period", "")
        if text.startswith("exp("):
            rate = float(text[4:-1])
            due, k = begin, 0
            while number is None or k < number:
                due += float(self.flows.exponential(entity, draw=k)) / rate
                if due >= end:
                    return
                yield due
                k += 1
            return
        hourly = next((given[n] for n in ("vehsPerHour", "perHour") if n in given), None)
        if text or hourly:
            period = float(text) if text else 3600.0 / float(hourly or 1.0)
        elif number:
            period = (end - begin) / number
        else:
            msg = f"{where}: says neither number, period, vehsPerHour nor probability"
            raise InputError(msg)
        count = math.ceil((end - begin) / period) if number is None else number
        for k in range(min(count, MOST_VEHICLES + 1)):
            if begin + k * period < end:
                yield begin + k * period


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    import zlib

    return zlib.crc32(text.encode())


def vehicle_type(name: str, given: dict[str, str], where: str) -> VehicleType:
    """A vehicle type with SUMO's defaults of its class.

    SUMO's Krauss driver keeps tau behind the vehicle ahead and dawdles by sigma; with its
    default of 0.5 it was measured to need 0.4 s more a vehicle than tau + spacing / speed
    (1,853 veh/h at 50 km/h and 7.5 m), which grows and falls with sigma.
    """
    vclass = given.get("vClass", "passenger")
    length, gap, accel, decel, fastest, deviation = _CLASSES.get(vclass, _PASSENGER)
    factor, deviation = _speed_factor(given, deviation)
    try:
        sigma = float(given.get("sigma", 0.5))
        return VehicleType(
            name=name,
            length_m=float(given.get("length", length)),
            gap_m=float(given.get("minGap", gap)),
            tau_s=float(given.get("tau", 1.0)) + 0.8 * sigma,
            accel_m_s2=float(given.get("accel", accel)),
            decel_m_s2=float(given.get("decel", decel)),
            max_speed_m_s=float(given.get("maxSpeed", fastest)),
            speed_factor=factor,
            speed_dev=float(given.get("speedDev", deviation)),
            vehicle_class=_class_of(vclass),
        )
    except ValueError as error:
        msg = f"{where}: {error}; correct the vehicle type"
        raise InputError(msg) from None


def _class_of(vclass: str) -> str:
    if vclass in _LORRIES:
        return "lorry"
    if vclass in _BUSES:
        return "bus"
    return "car" if vclass in _CLASSES else ""


def _speed_factor(given: dict[str, str], deviation: float) -> tuple[float, float]:
    text = given.get("speedFactor", "1")
    if text.startswith(("normc(", "norm(")):
        parts = [float(p) for p in text[text.index("(") + 1 : -1].split(",")]
        return parts[0], parts[1] if len(parts) > 1 else deviation
    try:
        return float(text), deviation if "speedFactor" not in given else 0.0
    except ValueError:
        return 1.0, deviation
