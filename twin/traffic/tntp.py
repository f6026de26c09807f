"""Networks and trips of the TransportationNetworks collection (`*_net.tntp`, `*_trips.tntp`).

A file begins with tags such as <NUMBER OF ZONES> and ends them with <END OF METADATA>. Lines that
begin with ~ are comments; the last one before the links names their columns. Columns are set apart
by tabs or spaces, and lines end with a semicolon. Trips stand in blocks that begin with
`Origin n` and hold pairs `destination : trips;`. Units are those of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from twin.errors import InputError
from twin.traffic.static_network import Demand, LinkNetwork

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd

STANDARD = ("init_node", "term_node", "capacity", "length", "free_flow_time", "b", "power",
            "speed", "toll", "link_type")  # fmt: skip
"""Columns of a network whose header names none."""

NEEDED = ("init_node", "term_node", "capacity", "length", "free_flow_time", "b", "power")
"""Columns without which there is no link; a toll that is not given is 0."""

_NAMES = {
    "init_node": r"init(?:ial)?[ _]?node|from(?:[ _]?node)?|tail|a[ _]node|origin[ _]?node",
    "term_node": r"term(?:inal)?[ _]?node|to(?:[ _]?node)?|head|b[ _]node",
    "capacity": r"capacity|cap",
    "length": r"length|distance",
    "free_flow_time": r"free[ _]?flow[ _]?(?:travel[ _]?)?time|fft|ftime|t0",
    "b": r"b|alpha",
    "power": r"power|beta",
    "speed": r"speed(?:[ _]?limit)?",
    "toll": r"toll",
    "link_type": r"(?:link[ _]?)?type",
}
_HEADER = re.compile("|".join(rf"(?P<{k}>(?<!\w)(?:{v})(?!\w))" for k, v in _NAMES.items())
                     + r"|(?P<other>[^\s;]+)")  # fmt: skip
_TAG = re.compile(r"\s*<([^>]*)>(.*)")
_ORIGIN = re.compile(r"\s*origin\s+(\S+)\s*;?\s*$", re.IGNORECASE)
_END = "END OF METADATA"

Lines = list[tuple[int, str]]


def read_network(path: Path) -> LinkNetwork:
    """Return the links of a `*_net.tntp` file, in its order.

    Raises
    ------
    InputError
        If the file cannot be read, is no such network, is cut off, or a value in it has no
        meaning; the message names the line.
    """
    tags, lines = _read(path)
    if any(_ORIGIN.match(text) for _, text in lines):
        msg = f"{path}: holds trips, not links; give it as the trips."
        raise InputError(msg)
    n_zones = _count(path, tags, "NUMBER OF ZONES")
    columns = _columns(path, tags, lines)
    rows = [(number, text) for number, text in lines if not text.startswith("~")]
    if not rows:
        msg = f"{path}: has no links after <{_END}>; is it complete?"
        raise InputError(msg)
    stated = _count(path, tags, "NUMBER OF LINKS", len(rows))
    if stated != len(rows):
        msg = (
            f"{path}: has {len(rows)} links where <NUMBER OF LINKS> says {stated};"
            " fetch it again or correct the tag."
        )
        raise InputError(msg)
    table = _table(path, columns, rows)
    line = np.array([number for number, _ in rows], dtype=np.int32)
    values = {name: table[:, columns.index(name)] for name in NEEDED[2:]}
    values["toll"] = table[:, columns.index("toll")] if "toll" in columns else np.zeros(len(rows))
    tail, head = (_whole(path, columns, table, line, name) for name in NEEDED[:2])
    nodes = _count(path, tags, "NUMBER OF NODES", max(int(tail.max()), int(head.max())))
    return LinkNetwork(
        n_zones=n_zones,
        n_nodes=max(nodes, n_zones),
        first_thru_node=_count(path, tags, "FIRST THRU NODE", 1),
        tail=tail,
        head=head,
        name=str(path),
        line=line,
        **values,
    )


def read_trips(path: Path) -> Demand:
    """Return the trips of a `*_trips.tntp` file; what a pair has in several places is added up.

    Raises
    ------
    InputError
        If the file cannot be read, holds no trips, or a value in it has no meaning; the
        message names the line.
    """
    tags, lines = _read(path)
    origins, destinations, volumes = [], [], []
    origin: int | None = None
    for number, text in lines:
        if text.startswith("~"):
            continue
        if found := _ORIGIN.match(text):
            origin = _zone(path, number, found[1], "origin")
            continue
        for destination, volume in _pairs(path, number, text):
            if origin is None:
                msg = f"{path}:{number}: {text[:40]!r} stands before any 'Origin n'; is it trips?"
                raise InputError(msg)
            origins.append(origin)
            destinations.append(destination)
            volumes.append(volume)
    if not volumes:
        msg = f"{path}: holds no trips ('Origin n', then 'destination : trips;'); is it complete?"
        raise InputError(msg)
    _check_zones(path, tags, max(*origins, *destinations))
    return _summed(np.array(origins), np.array(destinations), np.array(volumes), str(path))


def read_nodes(path: Path, crs: str | None = None) -> gpd.GeoDataFrame:
    """Return the nodes of a `*_node.tntp` file as points, indexed by their number.

    Parameters
    ----------
    path
        Lines of node, x and y, the first line their names.
    crs
        What the coordinates mean, such as EPSG:4326; the file does not say.

    Raises
    ------
    InputError
        If the file cannot be read or a line holds no three numbers.
    """
    import geopandas as gpd

    numbers: list[int] = []
    xy: list[tuple[float, float]] = []
    for number, text in enumerate(_lines(path), start=1):
        values = text.replace(";", " ").split()
        if not values or values[0].startswith("~") or (not xy and values[0].lower() == "node"):
            continue
        try:
            node, x, y = int(values[0]), float(values[1]), float(values[2])
        except (ValueError, IndexError):
            msg = f"{path}:{number}: {text.strip()[:40]!r} is no node, x and y; correct the line."
            raise InputError(msg) from None
        numbers.append(node)
        xy.append((x, y))
    if not xy:
        msg = f"{path}: holds no nodes."
        raise InputError(msg)
    points = gpd.points_from_xy(*np.array(xy).T, crs=crs)
    return gpd.GeoDataFrame({"node": numbers}, geometry=points).set_index("node")


def to_geodataframe(network: LinkNetwork, nodes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the links as straight lines between the nodes of `read_nodes`.

    Raises
    ------
    InputError
        If a link ends at a node that has no coordinates.
    """
    import geopandas as gpd
    import shapely

    ends = np.stack((network.tail, network.head), axis=1)
    known = np.isin(ends, nodes.index)
    if not known.all():
        row, end = np.argwhere(~known)[0]
        msg = f"{network.place(int(row))}: node {ends[row, end]} has no coordinates; add it."
        raise InputError(msg)
    points = nodes.loc[ends.ravel()].geometry
    xy = np.stack((points.x, points.y), axis=1).reshape(-1, 2, 2)
    names = ("tail", "head", "capacity", "length", "free_flow_time", "b", "power", "toll")
    columns = {name: getattr(network, name) for name in names}
    return gpd.GeoDataFrame(columns, geometry=shapely.linestrings(xy), crs=nodes.crs)


def _lines(path: Path) -> list[str]:
    if path.is_dir():
        msg = f"{path}: is a folder; name the file in it."
        raise InputError(msg)
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from None


def _read(path: Path) -> tuple[dict[str, str], Lines]:
    """Return the tags, and the numbered lines after them that are not empty."""
    tags: dict[str, str] = {}
    rest: Lines = []
    for number, text in enumerate(_lines(path), start=1):
        tag = _TAG.match(text)
        if tag and _END not in tags:
            tags[tag[1].strip().upper()] = tag[2].strip()
        elif text.strip():
            rest.append((number, text.strip()))
    if _END not in tags:
        msg = f"{path}: has no <{_END}>; is it a TNTP file?"
        raise InputError(msg)
    return tags, rest


def _count(path: Path, tags: dict[str, str], tag: str, default: int | None = None) -> int:
    """Return the whole number of a tag."""
    text = tags.get(tag, "").split("~")[0].strip(" \t;")
    if not text and default is not None:
        return default
    if not text.isdecimal() or int(text) < 1 or int(text) >= 2**31:
        shown = repr(text[:40]) if text else "missing"
        msg = f"{path}: <{tag}> is {shown}; give a whole number from 1."
        raise InputError(msg)
    return int(text)


def _columns(path: Path, tags: dict[str, str], lines: Lines) -> list[str]:
    """Return the names of the columns, ours where they are known."""
    comments = [text for _, text in lines if text.startswith("~")]
    for text in [*reversed(comments), tags.get("ORIGINAL HEADER", "")]:
        # Units in brackets are no columns: Capacity (veh/h).
        clean = re.sub(r"\([^)]*\)", " ", text.lstrip("~ \t").lower())
        found = [m.lastgroup if m.lastgroup != "other" else m[0] for m in _HEADER.finditer(clean)]
        columns = [str(name) for name in found]
        if {"init_node", "term_node"} <= set(columns):
            missing = [name for name in NEEDED if name not in columns]
            if missing:
                msg = f"{path}: its header {text[:80]!r} has no column {missing[0]}; add it."
                raise InputError(msg)
            return columns
    return list(STANDARD)


def _table(path: Path, columns: list[str], rows: Lines) -> np.ndarray:
    """Return the numbers of the links, one row each, one column for each name."""
    n = max(columns.index(name) for name in NEEDED) + 1
    width = len(columns)
    table = np.zeros((len(rows), width))
    for row, (number, text) in enumerate(rows):
        values = text.split("~")[0].replace(";", " ").split()
        if len(values) < n or len(values) > width:
            msg = (
                f"{path}:{number}: has {len(values)} values where the header names"
                f" {width} columns ({', '.join(columns)}); correct the line."
            )
            raise InputError(msg)
        try:
            table[row, : len(values)] = values
        except ValueError:
            wrong = next(k for k, value in enumerate(values) if not _is_number(value))
            msg = f"{path}:{number}: {columns[wrong]} is {values[wrong][:40]!r}; give a number."
            raise InputError(msg) from None
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _whole(
    path: Path, columns: list[str], table: np.ndarray, line: np.ndarray, name: str
) -> np.ndarray:
    """Return a column of node numbers."""
    values = table[:, columns.index(name)]
    bad = np.flatnonzero(~((values >= 1) & (values < 2**31) & (values == np.floor(values))))
    if bad.size:
        msg = f"{path}:{line[bad[0]]}: {name} is {values[bad[0]]:g}; nodes are whole, from 1."
        raise InputError(msg)
    return values.astype(np.int32)


def _zone(path: Path, number: int, text: str, what: str) -> int:
    if not text.isdecimal() or int(text) < 1 or int(text) >= 2**31:
        msg = f"{path}:{number}: {what} is {text[:40]!r}; zones are whole numbers from 1."
        raise InputError(msg)
    return int(text)


def _pairs(path: Path, number: int, text: str) -> Iterator[tuple[int, float]]:
    """Yield destination and trips of each pair on a line."""
    for item in text.split("~")[0].split(";"):
        if not item.strip():
            continue
        left, colon, right = item.partition(":")
        try:
            volume = float(right)
        except ValueError:
            volume = -1.0
        if not colon or not 0.0 <= volume < np.inf:
            msg = (
                f"{path}:{number}: {item.strip()[:40]!r} is no 'destination : trips' with trips"
                " of 0 or more; correct it."
            )
            raise InputError(msg)
        yield _zone(path, number, left.strip(), "destination"), volume


def _check_zones(path: Path, tags: dict[str, str], highest: int) -> None:
    stated = _count(path, tags, "NUMBER OF ZONES", highest)
    if highest > stated:
        msg = f"{path}: has trips of zone {highest} where <NUMBER OF ZONES> says {stated}."
        raise InputError(msg)


def _summed(origin: np.ndarray, destination: np.ndarray, volume: np.ndarray, name: str) -> Demand:
    """Return one row for each pair."""
    pairs, row = np.unique(np.stack((origin, destination), axis=1), axis=0, return_inverse=True)
    total = np.bincount(row.ravel(), weights=volume, minlength=len(pairs)).astype(np.float64)
    return Demand(pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32), total, name)
