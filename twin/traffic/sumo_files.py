"""Reading SUMO's route and additional files, plain or gzipped, without trust."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

from twin.city.netxml import parse_stream
from twin.errors import InputError
from twin.traffic.sumo_values import Attributes, Inner

_ROOTS = {"routes", "additional", "trips", "flows", "vehicles", "vtypes"}


def parse(path: Path, entry: Callable[[str, Attributes, Inner, str], None]) -> None:
    """Hand every child of the root to `entry`: tag, attributes, children, and where it stands.

    A file is parsed by expat in one pass.  A document type declaration, which no such file has
    and every entity bomb needs, is refused.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, no XML, or no file of routes.
    """
    parser = expat.ParserCreate()
    open_: list[tuple[str, Attributes]] = []
    inner: Inner = []

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
            entry(name, attributes, inner, where)
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
            parse_stream(parser, stream)
    except expat.ExpatError as error:
        msg = f"{path}: not readable as XML, {error}; is it a complete route file?"
        raise InputError(msg) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: the gzip data are damaged or cut off; fetch the file again"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; check --routes"
        raise InputError(msg) from error
