"""A city with its own demand as files that SUMO runs."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from twin.errors import InputError, OutputError
from twin.traffic.sumo_configuration import SumoFiles

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.network import Network
    from twin.traffic.parameters import VehicleType
    from twin.traffic.records import State

LIMITED = re.compile(rb'<(?:connection|lane) [^>]*\s(?:dis)?allow="[^>]*>')
LANE_ID = re.compile(rb'<lane id="([^"]*)"')
VIA = re.compile(rb'\svia="([^"]*)"')
PERMISSION = re.compile(rb'\s((?:dis)?allow)="([^"]*)"')
CLASSES = {"car": "passenger", "lorry": "truck", "bus": "bus"}
# SUMO's own driver: with tau 1 s and sigma 0.5 its queues discharge as the kernel's with tau 1.4 s
# (`twin.traffic.parameters`).
DRIVER = 'tau="1" sigma="0.5" carFollowModel="Krauss"'


def write_files(
    city: City, network: Network, state: State, begin_s: float, end_s: float, folder: Path
) -> SumoFiles:
    """Write network and vehicles into a folder.

    Parameters
    ----------
    state
        All vehicles with their routes; where they are does not matter.
    begin_s, end_s
        When SUMO's simulation begins and ends.

    Raises
    ------
    InputError
        If the city was saved without SUMO's network.
    OutputError
        If the folder cannot be written.
    """
    if not city.net:
        msg = (
            f"engine sumo: the city {city.name} was saved without SUMO's network; build it again "
            "from its source"
        )
        raise InputError(msg)
    v, tps = state.vehicle, network.arrays.tps
    names = [quoteattr(name) for name in network.street_ids]
    ways = [state.route_street[a:b] for a, b in zip(v["route"], v["route_end"], strict=True)]
    rows = [_type(kind) for kind in network.types]
    for k in v["due"].argsort(kind="stable").tolist():
        edges = " ".join(names[street][1:-1] for street in ways[k])
        rows.append(
            f'<vehicle id="{k}" depart="{v["due"][k] / tps:.2f}" departLane="best" '
            f'departSpeed="max" type={quoteattr(network.types[v["type"][k]].name)}>'
            f'<route edges="{edges}"/></vehicle>'
        )
    open_lanes = city.lanes["id"][city.lanes["lorries"]]
    lorries = {name.encode() for name in open_lanes}
    net, routes = folder / "city.net.xml.gz", folder / "city.rou.xml"
    try:
        net.write_bytes(gzip.compress(_opened(gzip.decompress(city.net), lorries), 1))
        routes.write_text("\n".join(["<routes>", *rows, "</routes>", ""]), encoding="utf-8")
    except OSError as error:
        msg = f"{folder}: SUMO's files cannot be written, {error.strerror or error}"
        raise OutputError(msg) from None
    return SumoFiles(net, (routes,), (), begin_s, end_s)


def _opened(net: bytes, lorries: set[bytes]) -> bytes:
    """A network whose lanes alone say who may use them, as the city's do.

    The city knows no turn that is for some of those who may use both of its lanes, as a left turn
    for buses only; so that both engines drive on the same streets, SUMO does not either.  And its
    lorries deliver: `lorries` are the lanes that are open to them, be it for deliveries only.
    """
    inner = set(VIA.findall(net))

    def opened(found: re.Match[bytes]) -> bytes:
        text = found[0]
        lane = LANE_ID.match(text)
        if lane is None or lane[1] in inner:
            return PERMISSION.sub(b"", text)
        return PERMISSION.sub(_for_trucks, text) if lane[1] in lorries else text

    return LIMITED.sub(opened, net)


def _for_trucks(found: re.Match[bytes]) -> bytes:
    """A list of permissions that lets SUMO's trucks in."""
    kind, classes = found[1], found[2].split()
    others = [name for name in classes if name != b"truck"]
    if kind == b"allow":
        return found[0] if b"all" in others else b' allow="%s"' % b" ".join([*others, b"truck"])
    return b' disallow="%s"' % b" ".join(others) if others else b""


def _type(kind: VehicleType) -> str:
    """A vehicle type for SUMO."""
    factor = f"normc({kind.speed_factor:g},{kind.speed_dev:g},0.2,2)"
    return (
        f'<vType id={quoteattr(kind.name)} vClass="{CLASSES[kind.vehicle_class]}" {DRIVER} '
        f'length="{kind.length_m:g}" minGap="{kind.gap_m:g}" accel="{kind.accel_m_s2:g}" '
        f'decel="{kind.decel_m_s2:g}" maxSpeed="{kind.max_speed_m_s:g}" speedFactor="{factor}"/>'
    )
