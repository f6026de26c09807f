"""One route for each vehicle, the same for every seed and for both sides.

Trips and flows become vehicles with the route that SUMO chose when it ran them with seed 1
(by the speeds that it met, its default).  Those that SUMO never inserted get the fastest
route of an empty network from duarouter.  What either side cannot carry is left out of both
and counted: vehicles without a route, of classes that city streets do not carry, or on edges
that are closed to them; stops; pedestrians.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np

from scenarios.validation.sumo import OPTIONS, Place, Programs
from twin.errors import InputError
from twin.traffic.xmlfile import Attributes, scan, tree

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.sumo_configuration import SumoFiles
    from twin.traffic.sumo_routes import Due, RouteFiles

OTHER = ("net", "configuration", "sumoConfiguration", "osm")
KEPT = (
    "departLane", "departPos", "departSpeed", "arrivalLane", "arrivalPos", "arrivalSpeed",
    "speedFactor",
)  # fmt: skip
ENDS = ("from", "to", "via", "fromJunction", "toJunction", "fromTaz", "toTaz")
WALKERS = ("person", "personFlow", "container", "containerFlow")
CHOICE_SEED = 1


@dataclass
class _Row:
    """A vehicle that SUMO had to insert in the period."""

    id: str
    due_s: float
    type: str
    edges: str = ""


class _Sources:
    """What the route and additional files say of types and vehicles.

    Only that is handed on to SUMO: a file from outside could name files to write.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self.types: dict[str, Element] = {}
        self.given: dict[str, Element] = {}
        self.named: dict[str, str] = {}
        self.stops = self.without = self.walkers = 0
        self.kept: list[list[Element]] = []
        self.zones: list[Element] = []
        for path in files:
            root = tree(path)
            if root.tag in OTHER:  # SUMO takes any other root for routes
                msg = f"{path}: the root element is <{root.tag}>, this is no SUMO route file"
                raise InputError(msg)
            self.kept.append([element for element in root if self._keeps(element)])
            self.zones += list(root.iter("taz"))

    def _keeps(self, element: Element) -> bool:
        name = element.get("id", "")
        if element.tag == "vType":
            self.types[name] = element
        elif element.tag == "vTypeDistribution":
            self.types.update({t.get("id", ""): t for t in element.findall("vType")})
        elif element.tag == "route":
            self.named[name] = element.get("edges", "")
        elif element.tag in ("vehicle", "trip", "flow"):
            return self._keeps_vehicle(element)
        else:
            self.walkers += element.tag in WALKERS
            return element.tag == "routeDistribution"
        return True

    def _keeps_vehicle(self, element: Element) -> bool:
        """Take its stops away; one that has no way or waits for a passenger cannot be kept."""
        stops = element.findall("stop")
        self.stops += len(stops)
        for stop in stops:
            element.remove(stop)
        for name in ("departPos", "arrivalPos"):
            if element.get(name) == "stop":
                del element.attrib[name]
        ways = element.find("route") is not None or element.find("routeDistribution") is not None
        starts = any(name in element.attrib for name in ("route", *ENDS))
        if not (ways or starts) or "riggered" in element.get("depart", ""):
            self.without += 1
            return False
        self.given[element.get("id", "")] = element
        return True

    def write(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Write what is kept; return route files and files of zones."""
        written: list[Path] = []
        for elements in self.kept:
            if elements:
                written.append(folder / f"source{len(written)}.rou.xml")
                _save(elements, "routes", written[-1])
        zones = [folder / "zones.add.xml"] if self.zones else []
        if zones:
            _save(self.zones, "additional", zones[0])
        return written, zones

    def of(self, vehicle: str) -> Element:
        """Return the entry of a vehicle or of its flow."""
        found = self.given.get(vehicle)
        if found is None:
            found = self.given.get(vehicle.rpartition(".")[0])
        return Element("vehicle") if found is None else found

    def edges(self, vehicle: str) -> str:
        """Return the route that the files give, "" where they give none."""
        entry = self.of(vehicle)
        route = entry.find("route")
        inner = "" if route is None else route.get("edges", "")
        return inner or self.named.get(entry.get("route", ""), "")


def _save(elements: Iterable[Element], tag: str, out: Path) -> None:
    root = Element(tag)
    root.extend(elements)
    indent(root, " ")
    ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)


def fix(demand: SumoFiles, city: City, programs: Programs, folder: Path) -> dict[str, int]:
    """Write `folder/routes.rou.xml`; return how many of what were left out, by reason.

    Raises
    ------
    InputError
        If SUMO refuses the files, or no vehicle is left.
    """
    names = ", ".join(str(path) for path in demand.routes)
    sources = _Sources((*demand.additional, *demand.routes))  # SUMO's own order
    written, zones = sources.write(folder)
    demand = replace(demand, routes=tuple(written), additional=tuple(zones))
    rows = _run(demand, programs, folder, names)
    for row in rows:
        row.edges = row.edges or sources.edges(row.id)
    _route_rest([row for row in rows if not row.edges], sources, demand, programs)
    left_out = {
        "vehicles without a route": sum(not row.edges for row in rows),
        "vehicles or flows without a way or a time": sources.without,
        "stops of vehicles": sources.stops,
        "pedestrians and containers": sources.walkers,
    }
    rows = sorted((row for row in rows if row.edges), key=lambda row: row.due_s)
    out = folder / "routes.rou.xml"
    _write(out, rows, sources)
    kept = _carried(out, demand, city, left_out)
    if not kept:
        why = "; ".join(f"{n} {what}" for what, n in left_out.items() if n) or "none is due"
        msg = (
            f"{names}: no vehicle from {demand.begin_s:g} to {demand.end_s:g} s can be compared "
            f"({why}); check --begin and --end"
        )
        raise InputError(msg)
    if len(kept) < len(rows):
        _write(out, [row for row in rows if row.id in kept], sources)
    return {what: n for what, n in left_out.items() if n}


def cut(source: Path, place: Place, out: Path) -> Place:
    """Return the place with its routes up to `end_s` only, written to `out`."""
    root = tree(source)
    for vehicle in root.findall("vehicle"):
        if float(vehicle.get("depart", "0")) >= place.end_s:
            root.remove(vehicle)
    ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
    return replace(place, routes=out)


def _run(demand: SumoFiles, programs: Programs, folder: Path, names: str) -> list[_Row]:
    """Run SUMO once with the trips; the vehicles of the period, with their routes."""
    trips, ways = folder / "first.trips.xml", folder / "first.routes.xml"
    arguments: list[object] = ["-n", demand.net, "-r", _joined(demand.routes)]
    if demand.additional:
        arguments += ["-a", _joined(demand.additional)]
    programs.call(
        "sumo", *arguments, "-b", f"{demand.begin_s:g}", "-e", f"{demand.end_s:g}",
        "--seed", CHOICE_SEED, *OPTIONS, "--ignore-route-errors", "--tripinfo-output", trips,
        "--vehroute-output", ways, "--vehroute-output.write-unfinished",
        "--vehroute-output.last-route", shown_as=names,
    )  # fmt: skip
    edges = _edges(ways)
    rows: list[_Row] = []

    def trip(given: Attributes) -> None:
        depart = float(given["depart"])
        start = depart if depart >= 0.0 else demand.end_s
        due = round(start - float(given["departDelay"]), 2)
        kind = given.get("vType", "DEFAULT_VEHTYPE").partition("@")[0]
        if demand.begin_s <= due < demand.end_s:
            rows.append(_Row(given["id"], due, kind, edges.get(given["id"], "")))

    scan(trips, {"tripinfo": trip})
    return rows


def _edges(ways: Path) -> dict[str, str]:
    """Return the edges of each vehicle of a file of routes."""
    found: dict[str, str] = {}
    now = [""]

    def vehicle(given: Attributes) -> None:
        now[0] = given["id"]

    def route(given: Attributes) -> None:
        found[now[0]] = given.get("edges", "")

    scan(ways, {"vehicle": vehicle, "route": route})
    return found


def _route_rest(
    rows: Sequence[_Row], sources: _Sources, demand: SumoFiles, programs: Programs
) -> None:
    """Give the fastest route of an empty network to trips that SUMO never inserted."""
    elements = _types(rows, sources)
    for row in sorted(rows, key=lambda row: row.due_s):
        entry = sources.of(row.id)
        ends = {name: entry.attrib[name] for name in ENDS if name in entry.attrib}
        if ends:
            given = {"id": row.id, "type": row.type, "depart": f"{row.due_s:.2f}", **ends}
            elements.append(Element("trip", given))
    if not any(element.tag == "trip" for element in elements):
        return
    folder = demand.routes[0].parent
    trips, ways = folder / "rest.trips.xml", folder / "rest.routes.xml"
    _save(elements, "routes", trips)
    arguments: list[object] = ["-n", demand.net, "-r", trips, "-o", ways, "--ignore-errors"]
    if demand.additional:
        arguments += ["-a", _joined(demand.additional)]
    programs.call("duarouter", *arguments, "--no-warnings", shown_as=trips)
    edges = _edges(ways)
    for row in rows:
        row.edges = edges.get(row.id, "")


def _joined(files: Iterable[Path]) -> str:
    return ",".join(str(path) for path in files)


def _types(rows: Sequence[_Row], sources: _Sources) -> list[Element]:
    used = dict.fromkeys(row.type for row in rows)
    return [sources.types[name] for name in used if name in sources.types]


def _write(out: Path, rows: Sequence[_Row], sources: _Sources) -> None:
    elements = _types(rows, sources)
    for row in rows:
        entry = sources.of(row.id)
        kept = {name: entry.attrib[name] for name in KEPT if name in entry.attrib}
        given = {"id": row.id, "type": row.type, "depart": f"{row.due_s:.2f}", **kept}
        elements.append(Element("vehicle", given))
        SubElement(elements[-1], "route", {"edges": row.edges})
    _save(elements, "routes", out)


def _carried(out: Path, demand: SumoFiles, city: City, left_out: dict[str, int]) -> set[str]:
    """Return the vehicles that the kernel can carry; count the others by reason."""
    from twin.traffic.sumo_routes import read_routes

    try:
        found = read_routes([out], demand.begin_s, demand.end_s)
    except InputError as error:
        if "no vehicle is due" not in str(error):
            raise
        return set()
    other = "vehicles of classes that city streets do not carry"
    left_out[other] = found.skipped.get("vehicles that city streets do not carry", 0)
    driven = _drivable(city, found)
    left_out["vehicles on edges or turns that are closed to them"] = int((~driven).sum())
    return {v.id for v, good in zip(found.vehicles, driven.tolist(), strict=True) if good}


def _drivable(city: City, found: RouteFiles) -> np.ndarray:
    """Whether each vehicle's route is open to its class from end to end."""
    from twin.traffic.preparation import GRAPH_OF
    from twin.traffic.routing import RoadGraph

    number = {name: k for k, name in enumerate(city.streets["id"])}
    classes = {found.types[v.type].vehicle_class for v in found.vehicles}
    graphs = {name: RoadGraph.from_city(city, GRAPH_OF[name]) for name in sorted(classes)}
    open_ = {name: city.streets[GRAPH_OF[name]].to_numpy(bool) for name in graphs}

    def good(v: Due) -> bool:
        name = found.types[v.type].vehicle_class
        way = np.array([number.get(edge, -1) for edge in v.way])
        if (way < 0).any() or not open_[name][way].all():
            return False
        return bool((graphs[name].turn(way[:-1], way[1:]) >= 0).all())

    known: dict[tuple[object, ...], bool] = {}
    for v in found.vehicles:
        kind = (found.types[v.type].vehicle_class, v.way)
        if kind not in known:
            known[kind] = good(v)
    return np.array([known[found.types[v.type].vehicle_class, v.way] for v in found.vehicles], bool)
