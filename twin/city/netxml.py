"""Reading a SUMO network file into plain records, streaming and without trust.

The file is parsed by expat in one pass. A document type declaration, which no SUMO
network has and every entity bomb needs, is refused.
"""

from __future__ import annotations

import gc
import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase
    from pathlib import Path

    Handler = Callable[["Attributes"], None]

Attributes = dict[str, str]

CHUNK = 1 << 18


@dataclass(slots=True)
class NetEdge:
    """An edge and its lanes, the attributes as they stand in the file."""

    attributes: Attributes
    lanes: list[Attributes] = field(default_factory=list)
    lane_osm_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class NetJunction:
    """A junction and its right-of-way requests."""

    attributes: Attributes
    requests: list[Attributes] = field(default_factory=list)


@dataclass(slots=True)
class NetProgram:
    """A signal program and its phases."""

    attributes: Attributes
    phases: list[Attributes] = field(default_factory=list)


@dataclass(slots=True)
class Net:
    """The elements of a network, in the order of the file."""

    attributes: Attributes = field(default_factory=dict)
    location: Attributes = field(default_factory=dict)
    edges: list[NetEdge] = field(default_factory=list)
    junctions: list[NetJunction] = field(default_factory=list)
    programs: list[NetProgram] = field(default_factory=list)
    connections: list[Attributes] = field(default_factory=list)


def read_net(path: Path) -> Net:
    """Return the elements of a `.net.xml` or `.net.xml.gz` file.

    Raises
    ------
    InputError
        If the file is missing, cut off, not XML or not a SUMO network.
    """
    net = Net()
    parser = _parser(net, path)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            parse_stream(parser, stream)
    except expat.ExpatError as error:
        msg = f"{path}: not readable as XML, {error}; is it a complete SUMO network?"
        raise InputError(msg) from error
    except IndexError as error:
        msg = (
            f"{path}: an element stands where no SUMO network has one, such as a lane without edge."
        )
        raise InputError(msg) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: the gzip data are damaged or cut off; fetch the file again."
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from error
    if not net.location or not net.edges:
        missing = "edges" if net.location else "<location>"
        msg = f"{path}: this SUMO network has no {missing}."
        raise InputError(msg)
    return net


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's search for reference cycles from running over a tree that only grows.

    Its passes over everything that was read so far take a quarter of the time of reading.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def parse_stream(parser: expat.XMLParserType, stream: BufferedIOBase) -> None:
    """Parse a stream in large chunks; `ParseFile` asks for 2 kB at a time."""
    while chunk := stream.read(CHUNK):
        parser.Parse(chunk, False)
    parser.Parse(b"", True)


def _parser(net: Net, path: Path) -> expat.XMLParserType:
    handlers = _handlers(net)
    parser = expat.ParserCreate()

    def root(name: str, attributes: Attributes) -> None:
        if name != "net":
            msg = f"{path}: the root element is <{name}>, not <net>: no SUMO network."
            raise InputError(msg)
        net.attributes = attributes
        parser.StartElementHandler = start

    def start(name: str, attributes: Attributes) -> None:
        handler = handlers.get(name)
        if handler is not None:
            handler(attributes)

    def doctype(*_: object) -> None:
        msg = f"{path}: has a document type declaration, which no SUMO network needs; remove it."
        raise InputError(msg)

    parser.StartElementHandler = root
    parser.StartDoctypeDeclHandler = doctype
    return parser


def _handlers(net: Net) -> dict[str, Handler]:
    """Return what to do with each kind of element."""

    def location(attributes: Attributes) -> None:
        net.location = attributes

    def edge(attributes: Attributes) -> None:
        net.edges.append(NetEdge(attributes))

    def lane(attributes: Attributes) -> None:
        net.edges[-1].lanes.append(attributes)

    def junction(attributes: Attributes) -> None:
        net.junctions.append(NetJunction(attributes))

    def request(attributes: Attributes) -> None:
        net.junctions[-1].requests.append(attributes)

    def program(attributes: Attributes) -> None:
        net.programs.append(NetProgram(attributes))

    def phase(attributes: Attributes) -> None:
        net.programs[-1].phases.append(attributes)

    def param(attributes: Attributes) -> None:
        if attributes.get("key") == "origId" and net.edges and not net.junctions:
            net.edges[-1].lane_osm_ids.append(attributes.get("value", ""))

    return {
        "location": location,
        "edge": edge,
        "lane": lane,
        "junction": junction,
        "request": request,
        "tlLogic": program,
        "phase": phase,
        "connection": net.connections.append,
        "param": param,
    }
