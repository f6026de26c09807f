"""From what a user calls a city to the city."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from twin.city import City

NAMED = ("helsinki",)
OSM_SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")
SUMO_SUFFIXES = (".net.xml", ".net.xml.gz")

Say = Callable[[str], None]


def open_city(
    reference: str, *, folder: Path | None = None, name: str | None = None, say: Say | None = None
) -> City:
    """Return the city that a reference means.

    Parameters
    ----------
    reference
        `helsinki`; a folder of a saved city or of GMNS tables; an OpenStreetMap extract; a SUMO
        network; or a place such as "Gelsenkirchen, Germany", which is asked for on the internet.
    folder
        Where relative paths start; the working folder unless given.
    name
        What the city is called, unless it is loaded.
    say
        Called with a line of text as each stage begins.

    Raises
    ------
    InputError
        If there is no such city or it cannot be read.
    """
    from twin.city import City

    if reference in NAMED:
        return City.from_osm(reference, name, progress=say)
    path = (folder or Path()) / Path(reference).expanduser()
    kind = reference.lower()
    if path.is_dir():
        from twin.city.gmns_tables import is_gmns

        return City.from_gmns(path, name, progress=say) if is_gmns(path) else City.load(path)
    if kind.endswith(SUMO_SUFFIXES):
        return City.from_sumo(path, name, progress=say)
    if kind.endswith(OSM_SUFFIXES):
        return City.from_osm(path, name, progress=say)
    if path.is_file():
        endings = ", ".join((*OSM_SUFFIXES, *SUMO_SUFFIXES))
        msg = f"{path}: is no kind of file that a city is built from; give one of {endings}"
        raise InputError(msg)
    if "," in reference:
        return City.from_place(reference, name, progress=say)
    msg = (
        f"city {reference!r}: no such file or folder ({path}); {suggestion(reference, NAMED)}, "
        'or write a place as "Town, Country"'
    )
    raise InputError(msg)


def fingerprint(reference: str, folder: Path) -> str:
    """Return what tells whether a reference still means the same city, without opening it."""
    from twin.city.gmns_tables import is_gmns, read_tables

    path = folder / Path(reference).expanduser()
    if reference not in NAMED and is_gmns(path):
        return f"sha256:{read_tables(path).sha256}"
    file = path / "city.json" if path.is_dir() else path
    if reference in NAMED or not file.is_file():
        return f"name:{reference}"
    try:
        with file.open("rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        msg = f"{file}: cannot be read, {error.strerror or error}"
        raise InputError(msg) from None
