"""Route files in the order of departure, which SUMO wants: it passes over who comes too late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ElementTree

from twin.errors import OutputError
from twin.traffic.sumo_values import seconds
from twin.traffic.xmlfile import Attributes, scan, tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twin.traffic.sumo_configuration import SumoFiles

TRAVELLERS = {"vehicle": "depart", "trip": "depart", "flow": "begin"}


def in_order(files: SumoFiles, folder: Path) -> SumoFiles:
    """The same files; those of routes that are not sorted by departure, as sorted copies.

    Parameters
    ----------
    folder
        For the copies.

    Raises
    ------
    OutputError
        If a copy cannot be written.
    """
    found = [
        path if _is_sorted(path) else _sorted_copy(path, folder / f"sorted-{k}.rou.xml")
        for k, path in enumerate(files.routes)
    ]
    return replace(files, routes=tuple(found))


def _departs_s(given: Mapping[str, str], name: str) -> float:
    """When somebody departs, s."""
    return seconds(given.get(name, "0"), name)


def _is_sorted(path: Path) -> bool:
    every: list[float] = []

    def departs(given: Attributes) -> None:
        every.append(_departs_s(given, "depart"))

    def begins(given: Attributes) -> None:
        every.append(_departs_s(given, "begin"))

    scan(path, {tag: departs if name == "depart" else begins for tag, name in TRAVELLERS.items()})
    return every == sorted(every)


def _sorted_copy(path: Path, copy: Path) -> Path:
    root = tree(path)
    travels = [child for child in root if child.tag in TRAVELLERS]
    rest = [child for child in root if child.tag not in TRAVELLERS]
    travels.sort(key=lambda one: _departs_s(one.attrib, TRAVELLERS[one.tag]))
    root[:] = [*rest, *travels]
    try:
        ElementTree(root).write(copy, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        msg = f"{copy}: cannot be written, {error.strerror or error}"
        raise OutputError(msg) from None
    return copy
