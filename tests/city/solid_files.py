"""Small building models as CityGML and CityJSON, made by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

CRS = "urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH*GCG2016"
X0, Y0, Z0 = 360000.0, 5706000.0, 40.0


def house(x: float = 0.0, y: float = 0.0, size: float = 10.0, eaves: float = 6.0,
          ridge: float = 9.0) -> list[tuple[str, list[list[tuple[float, float, float]]]]]:  # fmt: skip
    """A house with a saddle roof, ridge along y: kind and rings of each surface, outwards."""
    a, b, c, d = X0 + x, X0 + x + size, Y0 + y, Y0 + y + size
    m, low, e, r = (a + b) / 2, Z0, Z0 + eaves, Z0 + ridge
    rings = [
        ("GroundSurface", [(a, c, low), (a, d, low), (b, d, low), (b, c, low)]),
        ("RoofSurface", [(a, c, e), (m, c, r), (m, d, r), (a, d, e)]),
        ("RoofSurface", [(b, d, e), (m, d, r), (m, c, r), (b, c, e)]),
        ("WallSurface", [(a, c, low), (a, c, e), (a, d, e), (a, d, low)]),
        ("WallSurface", [(b, d, low), (b, d, e), (b, c, e), (b, c, low)]),
        ("WallSurface", [(b, c, low), (b, c, e), (m, c, r), (a, c, e), (a, c, low)]),
        ("WallSurface", [(a, d, low), (a, d, e), (m, d, r), (b, d, e), (b, d, low)]),
    ]
    return [(kind, [[*ring, ring[0]]]) for kind, ring in rings]


def pos_list(ring: list[tuple[float, float, float]]) -> str:
    return " ".join(f"{v:.3f}" for corner in ring for v in corner)


def polygon(rings: list[Any]) -> str:
    parts = [
        f"<gml:{side}><gml:LinearRing><gml:posList>"
        f"{ring if isinstance(ring, str) else pos_list(ring)}</gml:posList></gml:LinearRing>"
        f"</gml:{side}>"
        for side, ring in zip(("exterior", *["interior"] * (len(rings) - 1)), rings, strict=True)
    ]
    return f"<gml:surfaceMember><gml:Polygon>{''.join(parts)}</gml:Polygon></gml:surfaceMember>"


def bounded(surfaces: list[tuple[str, list[Any]]]) -> str:
    return "".join(
        f"<bldg:boundedBy><bldg:{kind}><bldg:lod2MultiSurface><gml:MultiSurface>{polygon(rings)}"
        f"</gml:MultiSurface></bldg:lod2MultiSurface></bldg:{kind}></bldg:boundedBy>"
        for kind, rings in surfaces
    )


def solid(surfaces: list[tuple[str, list[Any]]], lod: int = 1) -> str:
    inner = "".join(polygon(rings) for _, rings in surfaces)
    return (
        f"<bldg:lod{lod}Solid><gml:Solid><gml:exterior><gml:CompositeSurface>{inner}"
        f"</gml:CompositeSurface></gml:exterior></gml:Solid></bldg:lod{lod}Solid>"
    )


def building(identifier: str, inner: str, tag: str = "Building") -> str:
    return f'<bldg:{tag} gml:id="{identifier}">{inner}</bldg:{tag}>'


def citygml(*buildings: str, crs: str = CRS, version: str = "2.0", head: str = "") -> str:
    name = f"http://www.opengis.net/citygml/{version}"
    envelope = f'<gml:boundedBy><gml:Envelope srsName="{crs}"/></gml:boundedBy>' if crs else ""
    members = "".join(f"<core:cityObjectMember>{b}</core:cityObjectMember>" for b in buildings)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<core:CityModel xmlns:core="{name}"'
        f' xmlns:bldg="{name.replace("citygml/", "citygml/building/")}"'
        ' xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f"{envelope}{members}</core:CityModel>"
    )


def cityjson(
    objects: dict[str, Any],
    corners: list[Any],
    crs: str | None = "EPSG:25832",
    version: str = "2.0",
) -> dict[str, Any]:
    """Corners in metres; stored as millimetres from a corner."""
    origin = [X0, Y0, 0.0]
    whole = [
        [round((v - o) * 1000) for v, o in zip(c, origin, strict=True)] if len(c) == 3 else c
        for c in corners
    ]
    return {
        "type": "CityJSON",
        "version": version,
        "transform": {"scale": [0.001] * 3, "translate": origin},
        "metadata": {"referenceSystem": f"https://www.opengis.net/def/crs/{crs}"} if crs else {},
        "CityObjects": objects,
        "vertices": whole,
    }


def json_solid(
    surfaces: list[tuple[str, list[Any]]], corners: list[Any], *, semantics: bool, lod: str = "2"
) -> dict[str, Any]:
    """A Solid of CityJSON; its corners are added to the list."""
    shell = []
    for _, rings in surfaces:
        shell.append([])
        for ring in rings:
            points = [tuple(float(v) for v in p) for p in np.asarray(ring)[:-1]]
            for point in points:
                if point not in corners:
                    corners.append(point)
            shell[-1].append([corners.index(p) for p in points])
    made: dict[str, Any] = {"type": "Solid", "lod": lod, "boundaries": [shell]}
    if semantics:
        kinds = ["RoofSurface", "WallSurface", "GroundSurface"]
        made["semantics"] = {
            "surfaces": [{"type": k} for k in kinds],
            "values": [[kinds.index(k) for k, _ in surfaces]],
        }
    return made


def dumped(data: Any) -> str:
    return json.dumps(data)
