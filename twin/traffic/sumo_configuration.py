"""SUMO configurations (.sumocfg): which files, and which period."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twin.errors import InputError
from twin.traffic.sumo_routes import seconds
from twin.traffic.xmlfile import tree

HOUR_S = 3600.0


@dataclass(frozen=True)
class SumoFiles:
    """A network, what drives on it, and when.

    Attributes
    ----------
    net
        SUMO network.
    routes, additional
        Files with vehicles and their types.
    begin_s, end_s
        Period, s.
    """

    net: Path
    routes: tuple[Path, ...]
    additional: tuple[Path, ...]
    begin_s: float
    end_s: float


def read_configuration(path: Path) -> SumoFiles:
    """Return net, routes, additional files and period of a SUMO configuration.

    Without an end, the period is one hour.  Other options are not used.

    Raises
    ------
    InputError
        If it is no configuration, or names no net or no routes.
    """
    root = tree(path)
    if root.tag.lower() not in ("configuration", "sumoconfiguration"):
        msg = f"{path}: the root element is <{root.tag}>, this is no SUMO configuration (.sumocfg)"
        raise InputError(msg)
    given = {
        element.tag: element.get("value", element.get("v", "")).strip() for element in root.iter()
    }

    def value(*names: str) -> str:
        return next((given[name] for name in names if given.get(name)), "")

    def files(*names: str) -> tuple[Path, ...]:
        parts = value(*names).replace(";", ",").split(",")
        return tuple(path.parent / part.strip() for part in parts if part.strip())

    net, routes = files("net-file", "net", "n"), files("route-files", "routes", "r")
    additional = files("additional-files", "additional", "a")
    if len(net) != 1 or not (routes or additional):
        missing = "no route-files" if len(net) == 1 else "no net-file"
        msg = f"{path}: names {missing}; give --net and --routes instead"
        raise InputError(msg)
    begin = seconds(value("begin", "b") or "0", f"{path}: begin")
    end = value("end", "e")
    end_s = seconds(end, f"{path}: end") if end and end != "-1" else begin + HOUR_S
    return SumoFiles(net[0], routes, additional, begin, end_s)
