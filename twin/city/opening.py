"""From what a user calls a city to the city."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError, OutputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from twin.city import City

NAMED = ("helsinki",)
OSM_SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")
SUMO_SUFFIXES = (".net.xml", ".net.xml.gz")
MODEL_SUFFIXES = (".gml", ".gml.gz", ".citygml", ".xml", ".xml.gz", ".json", ".json.gz")

GLANCED = {  # tables, and their columns if not all, that say what measures concern
    "streets": (),
    "lanes": (),
    "signals": (),
    "lines": (),
    "movements": ("lane", "to_lane", "street", "to_street", "length_m", "speed_m_s"),
}

Say = Callable[[str], None]


def open_city(
    reference: str, *, folder: Path | None = None, name: str | None = None, say: Say | None = None
) -> City:
    """Return the city that a reference means.

    Parameters
    ----------
    reference
        `helsinki`; a folder of a saved city or of GMNS tables; an OpenStreetMap extract; a SUMO
        network; building models (CityGML, CityJSON); or a place such as "Gelsenkirchen, Germany",
        which is asked for on the internet.
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
        return _built(reference, name, say)
    path = (folder or Path()) / Path(reference).expanduser()
    kind = reference.lower()
    if path.is_dir():
        from twin.city.gmns_tables import is_gmns

        return City.from_gmns(path, name, progress=say) if is_gmns(path) else City.load(path)
    if kind.endswith(SUMO_SUFFIXES):
        return City.from_sumo(path, name, progress=say)
    if kind.endswith(OSM_SUFFIXES):
        return _built(path, name, say)
    if kind.endswith(MODEL_SUFFIXES):
        return City.from_buildings([path], name, progress=say)
    if path.is_file():
        endings = ", ".join((*OSM_SUFFIXES, *SUMO_SUFFIXES, *MODEL_SUFFIXES))
        msg = f"{path}: is no kind of file that a city is built from; give one of {endings}"
        raise InputError(msg)
    if "," in reference:
        return City.from_place(reference, name, progress=say)
    msg = (
        f"city {reference!r}: no such file or folder ({path}); {suggestion(reference, NAMED)}, "
        'or write a place as "Town, Country"'
    )
    raise InputError(msg)


def completed(
    city: City, buildings: Sequence[Path], terrain: Path | None, say: Say | None = None
) -> City:
    """Return the city with building models and a terrain, where they are given.

    Raises
    ------
    InputError
        As `City.with_buildings` and `City.with_terrain`.
    """
    if buildings:
        city = city.with_buildings(buildings, progress=say)
    return city if terrain is None else city.with_terrain(terrain, progress=say)


def glance(reference: str, *, folder: Path | None = None, say: Say | None = None) -> City:
    """Return the city with the tables that measures ask for, sooner than the whole one.

    Raises
    ------
    InputError
        As `open_city`.
    """
    from twin.city.store import is_city, load

    path = (folder or Path()) / Path(reference).expanduser()
    if reference in NAMED:
        return _built(reference, None, say, GLANCED)
    if reference.lower().endswith(OSM_SUFFIXES):
        return _built(path, None, say, GLANCED)
    if path.is_dir() and is_city(path):
        return load(path, GLANCED)
    return open_city(reference, folder=folder, say=say)


def _built(
    source: str | Path,
    name: str | None,
    say: Say | None,
    only: Mapping[str, Sequence[str]] | None = None,
) -> City:
    """Return a city built from OpenStreetMap, or what was kept of it between commands."""
    from twin.cache import Cache, key, user_folder
    from twin.city import City
    from twin.city.osm import locate
    from twin.city.provenance import versions
    from twin.city.store import load

    file, usual = locate(source)
    here = sorted(Path(__file__).parent.glob("*.py"))
    tools = versions("pyrosm", "osmium", "eclipse-sumo", "geopandas", "shapely", "pyproj")
    kept, made = Cache(user_folder("cities")), key([file, *here], name or usual, tools)

    def build(folder: Path) -> None:
        City.from_osm(source, name, progress=say).save(folder / "city")

    try:
        return load(kept.folder_of(made, build) / "city", only)
    except (InputError, OutputError):  # a damaged or full cache is no reason to fail
        shutil.rmtree(kept.folder / made, ignore_errors=True)
        return City.from_osm(source, name, progress=say)


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
