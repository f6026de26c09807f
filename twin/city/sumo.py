"""From a SUMO network to streets, lanes, junctions, movements, conflicts and signals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twin.city import schema
from twin.city.network import NetworkReader
from twin.city.netxml import collector_paused, read_net
from twin.city.provenance import check_file, file_sha256
from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyproj

    from twin.city.model import City, Progress

_PLANE = (
    'ENGCRS["SUMO network plane",EDATUM["Origin of the network"],CS[Cartesian,2],'
    'AXIS["x",east,ORDER[1]],AXIS["y",north,ORDER[2]],LENGTHUNIT["metre",1]]'
)


def read_tables(
    path: Path,
    crs: pyproj.CRS | None = None,
    *,
    islands: bool = True,
    shown_as: Path | None = None,
) -> tuple[dict[str, pd.DataFrame], pyproj.CRS]:
    """Return the six street tables of a SUMO network and their CRS.

    Kept are the streets and lanes that cars, lorries or buses may use. Lanes are
    numbered anew from the right among those kept; their `id` is SUMO's. Of several
    programs for one signal the last in the file is taken, as SUMO does.

    Parameters
    ----------
    path
        A `.net.xml` or `.net.xml.gz` file.
    crs
        The CRS of the network, where it is known better than from its projection
        parameters, which carry no EPSG code.
    islands
        Whether to keep streets that hang together with a small part of the network only.
    shown_as
        The file that an error message names, if not the path.

    Raises
    ------
    InputError
        If the file is no SUMO network, is damaged, or has no street for motor vehicles.
    """
    with collector_paused():
        columns, crs = _columns(path, crs, islands, shown_as or path)
    tables = {name: schema.build(name, data, crs) for name, data in columns.items()}
    return tables, crs


def _columns(
    path: Path, crs: pyproj.CRS | None, islands: bool, shown_as: Path
) -> tuple[dict[str, dict[str, Any]], pyproj.CRS]:
    """Return the columns of the tables, and the CRS; the elements of the file are let go."""
    net = read_net(path)
    crs = crs or net_crs(net.location.get("projParameter", "!"), shown_as)
    try:
        columns = NetworkReader(net, islands=islands).columns()
    except (KeyError, ValueError, IndexError) as error:
        msg = f"{shown_as}: the SUMO network is inconsistent or incomplete near {error}."
        raise InputError(msg) from error
    if not columns["streets"]["id"]:
        msg = f"{shown_as}: none of its {len(net.edges)} edges is open to cars, lorries or buses."
        raise InputError(msg)
    return columns, crs


def net_crs(parameters: str, path: Path) -> pyproj.CRS:
    """Return the CRS for a network's projection parameters.

    A network without projection ("!") lies on a plane of its own: an engineering CRS
    in metres that no map knows.

    Raises
    ------
    InputError
        If the parameters are unknown to PROJ or not in metres.
    """
    import pyproj
    from pyproj.exceptions import CRSError

    if parameters in {"!", ""}:
        return pyproj.CRS.from_wkt(_PLANE)
    utm = re.search(r"\+proj=utm\b.*\+zone=(\d+)", parameters)
    if utm and re.search(r"\+(?:datum|ellps)=WGS84", parameters):
        south = 100 if "+south" in parameters else 0
        return pyproj.CRS.from_epsg(32600 + south + int(utm[1]))
    try:
        crs = pyproj.CRS.from_user_input(parameters)
    except CRSError as error:
        msg = f"{path}: its projection {parameters!r} is unknown to PROJ."
        raise InputError(msg) from error
    if not crs.is_projected:
        msg = f"{path}: its projection {parameters!r} is not in metres; convert it with --proj.utm."
        raise InputError(msg)
    epsg = crs.to_epsg(min_confidence=70)
    return pyproj.CRS.from_epsg(epsg) if epsg else crs


def is_plane(crs: pyproj.CRS) -> bool:
    """Return whether a CRS is the plane of a network that is nowhere on Earth."""
    return crs.is_engineering


def build_city(path: str | Path, name: str | None, progress: Progress | None) -> City:
    """Return the city of a SUMO network file.

    Raises
    ------
    InputError
        If the file is missing, damaged, no SUMO network or without drivable streets.
    """
    from pathlib import Path

    from twin.city.model import City

    path = Path(path)
    check_file(path)
    if progress:
        progress(f"reading the SUMO network {path.name}")
    tables, crs = read_tables(path)
    for table in schema.TABLES:
        tables.setdefault(table, schema.empty(table, crs))
    schema.validate(tables, str(path))
    source = {
        "what": "SUMO network",
        "licence": "as stated by its publisher",
        "file": path.name,
        "sha256": file_sha256(path),
    }
    name = name or path.name.split(".")[0]
    options = {"builder": "sumo"}
    return City(
        name=name,
        crs=crs,
        sources=[source],
        options=options,
        net=packed(path),
        terrain=None,
        **tables,
    )


def packed(path: Path) -> bytes:
    """A SUMO network file, by gzip."""
    import gzip

    data = path.read_bytes()
    return data if path.suffix == ".gz" else gzip.compress(data, mtime=0)
