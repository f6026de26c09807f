"""Reading SUMO's XML in one pass, plain or gzipped; document type declarations are refused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from twin.errors import InputError

if TYPE_CHECKING:
    from typing import IO

Attributes = dict[str, str]
GZIP = b"\x1f\x8b"


def scan(path: Path, handlers: dict[str, Callable[[Attributes], None]]) -> None:
    """Hand the attributes of each element of the given names to its handler, in order.

    Raises
    ------
    InputError
        If the file is missing, no XML, cut off, or has a document type declaration.
    """
    _parse(path, lambda tag, given: handlers.get(tag, _pass)(given), None)


def tree(path: Path) -> Element:
    """Return the root of a file with all that is in it.

    Raises
    ------
    InputError
        As in `scan`.
    """
    builder = TreeBuilder()
    _parse(path, builder.start, builder.end)
    return builder.close()


def _pass(_given: Attributes) -> None:
    return


def _parse(
    path: Path,
    start: Callable[[str, Attributes], object],
    end: Callable[[str], object] | None,
) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end

    def doctype(*_: object) -> None:
        msg = f"{path}: has a document type declaration, which no SUMO file needs; remove it"
        raise InputError(msg)

    parser.StartDoctypeDeclHandler = doctype
    try:
        with _opened(path) as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        msg = f"{path}: not readable as XML, {error}; is it complete?"
        raise InputError(msg) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        msg = f"{path}: the gzip data are damaged or cut off; fetch the file again"
        raise InputError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; check the name"
        raise InputError(msg) from None


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP
    return gzip.open(path) if zipped else path.open("rb")  # type: ignore[return-value]
