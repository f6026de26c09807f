"""A GMNS network as SUMO's plain XML, and what netconvert makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from twin.city.gmns_signals import Program, read_programs
from twin.city.gmns_tables import permits
from twin.city.netconvert import run, type_file
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from twin.city.gmns import Link, Network
    from twin.city.gmns_tables import Row, Tables

OPTIONS = {
    "offset.disable-normalization": "true",
    "precision": "3",
    "tls.default-type": "static",
    "output.street-names": "true",
}
"""How a GMNS network is made: nothing joined, nothing split, coordinates to the millimetre."""

CLASSES = (
    "passenger taxi motorcycle moped private emergency hov evehicle",
    "truck trailer delivery",
    "bus coach",
)
"""SUMO's vehicle classes for cars, lorries and buses."""

_FORBIDDEN = re.compile(r"[\s|\\'\";,<>&*?!]")


@dataclass(frozen=True)
class Connection:
    """A movement from lane to lane, lanes from the right; None lets netconvert choose."""

    movement: str
    node: str
    start: str
    end: str
    lane: int | None
    to_lane: int | None
    signalled: bool


def make_network(network: Network, tables: Tables, work: Path) -> tuple[Path, dict[str, str]]:
    """Return the SUMO network made of the tables, and netconvert's options.

    Parameters
    ----------
    network
        Nodes and links; what is assumed is added to it.
    tables
        Of the same folder: movements and signals.
    work
        A folder for the files.

    Raises
    ------
    InputError
        If a movement or a signal refers to what is not there.
    """
    names = _Names()
    connections = read_connections(network, tables)
    programs = read_programs(network, tables, connections)
    _write(work / "x.nod.xml", "nodes", _nodes(network, programs, names))
    _write(work / "x.edg.xml", "edges", _edges(network, names))
    _write(work / "x.con.xml", "connections", _connections(network, connections, names))
    _write(work / "x.tll.xml", "tlLogics", _programs(programs, names))
    options = OPTIONS | {"no-turnarounds": "true" if connections else "false"}
    arguments = ["--node-files", str(work / "x.nod.xml"), "--edge-files", str(work / "x.edg.xml"),
                 "--type-files", str(type_file())]  # fmt: skip
    if connections:
        arguments += ["--connection-files", str(work / "x.con.xml")]
    else:
        network.assumed["movements, movement.csv not given: by netconvert"] = 1
    if programs:
        arguments += ["--tllogic-files", str(work / "x.tll.xml")]
    for option, value in options.items():
        arguments += [f"--{option}", value]
    run(arguments, work / "x.net.xml", tables.folder)
    return work / "x.net.xml", options


class _Names:
    """Ids that SUMO accepts, each for one id of the tables."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.taken: set[str] = set()

    def __call__(self, kind: str, name: str) -> str:
        key = f"{kind} {name}"
        if key not in self.of:
            clean = _FORBIDDEN.sub("_", name)
            clean = "_" + clean[1:] if clean.startswith(":") else clean
            while f"{kind} {clean}" in self.taken:
                clean += "_"
            self.taken.add(f"{kind} {clean}")
            self.of[key] = clean
        return self.of[key]


def read_connections(network: Network, tables: Tables) -> list[Connection]:
    """Return the movements between links for motor vehicles, lane by lane.

    Raises
    ------
    InputError
        If a movement refers to a link that is not there or that does not meet its node.
    """
    groups = {r.text("use_group").lower(): r.text("uses") for r in tables["use_group"]}
    found: dict[tuple[str, str, int | None, int | None], Connection] = {}
    for row in tables["movement"]:
        start = _meeting(network, row, "ib_link_id", at_end=True)
        end = _meeting(network, row, "ob_link_id", at_end=False)
        if start is None or end is None or not any(permits(row.text("allowed_uses"), groups)):
            continue
        signalled = row.text("ctrl_type").lower().startswith("signal")
        for lane, to_lane in _lane_pairs(row, start, end):
            key = (start.id, end.id, lane, to_lane)
            if key not in found:
                found[key] = Connection(row.text("mvmt_id"), start.end, start.id, end.id, lane,
                                        to_lane, signalled)  # fmt: skip
    return list(found.values())


def _meeting(network: Network, row: Row, column: str, *, at_end: bool) -> Link | None:
    """Return the link of a movement in the direction that meets its node."""
    key, node = row.text(column), row.text("node_id")
    if key in network.dropped:
        return None
    if key not in network.links:
        msg = f"{row.where}: {column} {key!r} is no link of link.csv."
        raise InputError(msg)
    for name in (key, f"-{key}"):
        link = network.links.get(name)
        if link is not None and (link.end if at_end else link.start) == node:
            return link
    msg = f"{row.where}: link {key!r} does not {'end' if at_end else 'begin'} at node {node!r}."
    raise InputError(msg)


def _lane_pairs(row: Row, start: Link, end: Link) -> list[tuple[int | None, int | None]]:
    """Return the lanes of a movement, innermost with innermost, counted from the right."""
    if not row.text("start_ib_lane") or not row.text("start_ob_lane"):
        return [(None, None)]
    before = _lane_range(row, "ib", start)
    after = _lane_range(row, "ob", end)
    if not before or not after:
        return []
    n = max(len(before), len(after))
    return [(before[min(k, len(before) - 1)], after[min(k, len(after) - 1)]) for k in range(n)]


def _lane_range(row: Row, side: str, link: Link) -> list[int]:
    """Return the lanes of a movement on a link, counted from the right, from the left on.

    A turn pocket that lane.csv does not list (a negative number) is the leftmost lane; lanes
    for others than motor vehicles are left out.
    """
    first = row.whole(f"start_{side}_lane") or 0
    last = row.whole(f"end_{side}_lane") or first
    numbers = [lane.number for lane in link.lanes]
    wanted = range(min(first, last), max(first, last) + 1)
    places = [numbers.index(n) for n in wanted if n in numbers]
    if not places and first < 0:
        places = [0]
    return [len(numbers) - 1 - place for place in places]


def _nodes(network: Network, programs: list[Program], names: _Names) -> Iterable[str]:
    signal_of = {node: program.id for program in programs for node in program.nodes}
    used = {end for link in network.links.values() for end in (link.start, link.end)}
    for node in network.nodes:
        if node not in used:
            continue
        x, y, kind = network.nodes[node]
        values = {"id": names("node", node), "x": f"{x:.3f}", "y": f"{y:.3f}"}
        if node in signal_of:
            kind = kind if kind.startswith("traffic_light") else "traffic_light"
            values["tl"] = names("signal", signal_of[node])
        if kind:
            values["type"] = kind
        yield _element("node", values)


def _edges(network: Network, names: _Names) -> Iterable[str]:
    known = set(re.findall(r'<type id="highway\.([a-z_]+)"', type_file().read_text("utf-8")))
    for link in network.links.values():
        values = {
            "id": names("link", link.id),
            "from": names("node", link.start),
            "to": names("node", link.end),
            "numLanes": str(len(link.lanes)),
            "speed": f"{link.speed_m_s:.4f}",
            "shape": " ".join(f"{x:.3f},{y:.3f}" for x, y in link.points.tolist()),
        }
        if link.name:
            values["name"] = link.name
        if link.facility in known:
            values["type"] = f"highway.{link.facility}"
        if link.priority is not None:
            values["priority"] = str(link.priority)
        if link.length_m:
            values["length"] = f"{link.length_m:.3f}"
        lanes = []
        for index, lane in enumerate(reversed(link.lanes)):
            allowed = " ".join(c for c, may in zip(CLASSES, lane.allowed, strict=True) if may)
            width = {"width": f"{lane.width_m:.3f}"} if lane.width_m else {}
            lanes.append(_element("lane", {"index": str(index), "allow": allowed} | width))
        yield _element("edge", values, lanes)


def _connections(network: Network, connections: list[Connection], names: _Names) -> Iterable[str]:
    for c in connections:
        yield _element("connection", _ends(c, names))
    # At a node that movement.csv knows, a link without movements is a dead end.
    nodes = {c.node for c in connections}
    going_on = {c.start for c in connections}
    for link in network.links.values():
        if link.end in nodes and link.id not in going_on:
            yield _element("connection", {"from": names("link", link.id)})


def _ends(c: Connection, names: _Names) -> dict[str, str]:
    values = {"from": names("link", c.start), "to": names("link", c.end)}
    if c.lane is not None and c.to_lane is not None:
        values |= {"fromLane": str(c.lane), "toLane": str(c.to_lane)}
    return values


def _programs(programs: list[Program], names: _Names) -> Iterable[str]:
    for program in programs:
        name = names("signal", program.id)
        phases = [
            _element("phase", {"duration": f"{p.duration_s:g}", "minDur": f"{p.min_s:g}",
                               "maxDur": f"{p.max_s:g}", "state": p.state})
            for p in program.phases
        ]  # fmt: skip
        values = {"id": name, "type": program.kind, "programID": program.name,
                  "offset": f"{program.offset_s:g}"}  # fmt: skip
        yield _element("tlLogic", values, phases)
        for index, c in enumerate(program.connections):
            link = {"tl": name, "linkIndex": str(index)}
            yield _element("connection", _ends(c, names) | link)


def _element(name: str, values: dict[str, str], inside: Iterable[str] = ()) -> str:
    head = f"<{name} " + " ".join(f"{key}={quoteattr(value)}" for key, value in values.items())
    body = "".join(inside)
    return f"{head}>{body}</{name}>" if body else f"{head}/>"


def _write(path: Path, root: str, elements: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n')
        stream.writelines(f"{element}\n" for element in elements)
        stream.write(f"</{root}>\n")
