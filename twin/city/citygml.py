"""Buildings of CityGML 1.0 and 2.0, read element by element by lxml.

A document type declaration, which no CityGML file has, is refused: entities would let a small
file grow without end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import numpy as np

from twin.city.references import unit_m
from twin.city.solids import (
    KINDS,
    Body,
    Model,
    Models,
    UnusableError,
    assembled,
    attribute,
    closed,
    opened,
    use_of,
)  # fmt: skip
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

VERSIONS = ("1.0", "2.0")

_NAMESPACE = re.compile(r"opengis\.net/citygml/(?:profiles/base/)?([\d.]+)")
_HREF = "{http://www.w3.org/1999/xlink}href"
_POLYGONS = frozenset({"Polygon", "PolygonPatch", "Triangle", "Rectangle"})
_LOD = re.compile(r"lod([0-4])(Solid|MultiSurface|Geometry|FootPrint|RoofEdge)$")
_RANKS = {"2": 4.0, "3": 3.0, "4": 2.0, "1": 1.0, "0": 0.0}
"""Levels of detail: which is better for a city's model."""
_DEEPEST = 200
"""Elements within elements; no surface is nested deeper."""
_COMPLETE = 0.99
"""Bounding surfaces with this share of the area of a solid are all of its surfaces."""


@dataclass(frozen=True)
class _Face:
    """A polygon of a file, and what the elements around it say of it."""

    polygon: Any
    crs: str = ""
    dimension: str = ""
    turned: bool = False  # seen from its other side


@dataclass
class _Links:
    """The elements of a building by their id, and links that lead nowhere."""

    building: Any
    known: dict[str, Any] | None = None
    missing: list[str] = field(default_factory=list)

    def find(self, href: str) -> Any:
        """Return the element that a link means, None if the building has none."""
        if self.known is None:
            ids = ((v, e) for e in self.building.iter("*") for k, v in e.attrib.items()
                   if k.endswith("}id"))  # fmt: skip
            self.known = dict(ids)
        found = self.known.get(href.lstrip("#"))
        if found is None:
            self.missing.append(href)
        return found


def read(path: Path) -> Models:
    """Return the buildings of a CityGML file, parts with the building that they belong to.

    Raises
    ------
    InputError
        If it is no CityGML of versions 1.0 and 2.0, damaged, or without a usable building.
    """
    from lxml import etree

    with opened(path) as stream:
        _check_root(path, stream)
    models = Models(path, "CityGML building models")
    try:
        with opened(path) as stream:
            _read(etree, stream, models)
    except (etree.XMLSyntaxError, ValueError) as error:  # the latter for names that are none
        why = (str(error).splitlines() or ["?"])[0][:160]
        msg = f"{path}: is damaged or cut off ({why}); fetch it again."
        raise InputError(msg) from error
    return models


def _check_root(path: Path, stream: BinaryIO) -> None:
    """Refuse what is no XML, has a document type, or is another version or kind of file."""
    found: list[str] = []

    def refuse(*_: object) -> None:
        msg = f"{path}: has a document type with entities, which no CityGML has; not read."
        raise InputError(msg)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: found.append(name)
    try:
        while not found and (piece := stream.read(2**16)):
            parser.Parse(piece, False)
    except (expat.ExpatError, LookupError, ValueError) as error:  # also encodings unknown
        if not found:
            msg = f"{path}: is no XML ({error}); fetch it again."
            raise InputError(msg) from error
    namespace, _, tag = found[0].rpartition(" ") if found else ("", "", "nothing")
    version = _NAMESPACE.search(namespace)
    if tag != "CityModel" or version is None:
        msg = f"{path}: its first element is {tag[:60]}, not CityModel: no CityGML."
        raise InputError(msg)
    if version[1] not in VERSIONS:
        msg = f"{path}: CityGML {version[1]} cannot be read, only {' and '.join(VERSIONS)}."
        raise InputError(msg)


def _read(etree: Any, stream: BinaryIO, models: Models) -> None:
    """Take the buildings one after the other, and forget each member of the model when done."""
    members = tuple(f"{{*}}{m}" for m in ("cityObjectMember", "appearanceMember", "featureMember"))
    told = ("{*}Building", "{*}Envelope", "{*}name", "{*}description")
    events = etree.iterparse(
        stream, events=("end",), tag=(*members, *told), resolve_entities=False, no_network=True,
        load_dtd=False, dtd_validation=False, remove_comments=True, remove_pis=True,
        huge_tree=True,
    )  # fmt: skip
    for _, element in events:
        tag = etree.QName(element).localname
        if tag == "Building":
            _take(etree, element, models)
        elif tag == "Envelope":
            if not models.crs:
                models.crs = element.get("srsName", "")
                models.plane = element.get("srsDimension") == "2"
        elif tag in ("name", "description"):
            parent = element.getparent()
            if parent is not None and etree.QName(parent).localname == "CityModel":
                _says(models, (element.text or "").strip())
        else:
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _says(models: Models, text: str) -> None:
    """Keep what the file says of itself, and whose data it is where it says so."""
    if text:
        models.says.setdefault("title", text[:200])
    if re.search(r"©|\(c\)|geobasis", text, re.IGNORECASE):
        models.says["attribution"] = text[:200]


def _take(etree: Any, element: Any, models: Models) -> None:
    """Add a building, or why it is left out."""
    identifier = next((v for k, v in element.attrib.items() if k.endswith("}id")), "")
    identifier = identifier or f"building {len(models.buildings) + len(models.left_out) + 1}"
    if not models.crs:
        models.crs = next((e.get("srsName") for e in element.iterfind(".//*[@srsName]")), "")
    try:
        models.buildings.append(_building(etree, element, identifier, models))
    except UnusableError as error:
        models.left_out.append(f"{identifier}: {error}")


def _building(etree: Any, element: Any, identifier: str, models: Models) -> Model:
    """Return a building with the surfaces of all its parts."""
    codes = [*element.iterfind("{*}function"), *element.iterfind(".//{*}BuildingPart/{*}function"),
             *element.iterfind("{*}usage")]  # fmt: skip
    uses = [use_of(code.text or "") for code in codes]
    model = Model(
        identifier,
        next((use for use in uses if use != "other"), "other"),
        (element.findtext("{*}name") or "").strip(),
        _measured(element.find("{*}measuredHeight")),
        attribute(element.findtext("{*}storeysAboveGround"), "storeysAboveGround"),
    )
    parts = list(element.iterfind(".//{*}BuildingPart"))
    if parts and np.isnan(model.levels):
        said = [attribute(p.findtext("{*}storeysAboveGround"), "storeysAboveGround") for p in parts]
        model.levels = max((v for v in said if v == v), default=float("nan"))
    own = element.find("{*}boundedBy/{*}Envelope")
    usual = own.get("srsName", "") if own is not None else ""
    links, systems = _Links(element), set[str]()
    bodies = [_body(etree, owner, links, systems, models.plane) for owner in (element, *parts)]
    shown = assembled(bodies[0], bodies[1:])
    for body in shown:
        for kind, rings in body.faces:
            model.add(kind, rings)
    if not model.polygons:
        msg = f"refers to {links.missing[0]}, which is not in it" if links.missing else ""
        raise UnusableError(msg or "has no surface")
    systems = {system or usual or models.crs for system in systems}
    if len(systems) > 1:
        msg = f"its geometry is in {len(systems)} CRSs, {' and '.join(sorted(systems))}"
        raise UnusableError(msg)
    model.crs = systems.pop()
    model.flat = all(body.rank < 1.0 for body in shown)
    return model


def _measured(element: Any) -> float:
    """Return a measured height in metres, NaN where there is none."""
    if element is None:
        return float("nan")
    unit = unit_m(element.get("uom", ""))
    if np.isnan(unit):
        msg = f"measuredHeight is in {element.get('uom')[:40]!r}, no unit of length known here"
        raise UnusableError(msg)
    return attribute(element.text, "measuredHeight") * unit


def _body(etree: Any, owner: Any, links: _Links, systems: set[str], plane: bool) -> Body:
    """Return a building's or part's own surfaces in the best level of detail.

    Bounding surfaces come first. Of its solid come those beside that no bounding surface shows,
    unless the bounding surfaces are as large as the whole solid.
    """
    bounding: dict[str, list[tuple[str | None, _Face]]] = {}
    others: dict[str, list[tuple[str | None, _Face]]] = {}
    for surface in owner.iterfind("{*}boundedBy/*"):
        kind = KINDS.get(etree.QName(surface).localname, "")
        for level, _, face in _geometries(etree, surface, links):
            bounding.setdefault(level, []).append((kind, face))
    for level, what, face in _geometries(etree, owner, links):
        outline = {"FootPrint": "ground", "RoofEdge": "roof"}.get(what, "")
        others.setdefault(level, []).append((outline, face))
    shown = {lod for lod, faces in bounding.items() if any(kind is not None for kind, _ in faces)}
    best = max({*shown, *others}, key=lambda level: _RANKS[level], default=None)
    if best is None:
        return Body()
    first = _once(bounding.get(best, []), set())
    known = {id(face.polygon) for _, face in first}
    rest = _once(others.get(best, []), known)
    read = [(kind, _rings(etree, face, plane)) for kind, face in first]
    more = [(kind, _rings(etree, face, plane)) for kind, face in rest]
    if first and more:
        corners = {_corners(rings) for _, rings in read}
        more = [(kind, rings) for kind, rings in more if _corners(rings) not in corners]
        whole = _once(others.get(best, []), set())
        size = sum(_area(_rings(etree, face, plane)) for _, face in whole)
        if sum(_area(rings) for _, rings in read) >= _COMPLETE * size:
            more = []
    systems.update(face.crs for _, face in (*first, *rest))
    faces = [(kind, rings) for kind, rings in (*read, *more) if kind is not None]
    return Body(_RANKS[best], faces)


def _once(
    faces: list[tuple[str | None, _Face]], seen: set[int]
) -> list[tuple[str | None, _Face]]:  # fmt: skip
    """Return the faces whose polygon comes for the first time, and is none of those seen."""
    found = []
    for kind, face in faces:
        if id(face.polygon) not in seen:  # a solid and its surfaces may both refer to a polygon
            seen.add(id(face.polygon))
            found.append((kind, face))
    return found


def _corners(rings: list[Floats]) -> frozenset[tuple[float, ...]]:
    return frozenset(tuple(corner) for corner in rings[0].tolist())


def _area(rings: list[Floats]) -> float:
    """Return the area of a polygon in space, by Newell's sum."""
    sums = [np.cross(ring[:-1] - ring[0], ring[1:] - ring[0]).sum(axis=0) / 2.0 for ring in rings]
    return float(np.linalg.norm(np.sum(sums, axis=0)))


def _geometries(etree: Any, owner: Any, links: _Links) -> Iterator[tuple[str, str, _Face]]:
    """Yield level of detail, kind of geometry and polygon of an element's own geometries."""
    for child in owner.iterchildren(etree.Element):
        match = _LOD.match(etree.QName(child).localname)
        if match is not None:
            for face in _faces(etree, child, links, _Face(None), set(), 0):
                yield match[1], match[2], face


def _faces(
    etree: Any, item: Any, links: _Links, around: _Face, followed: set[int], depth: int
) -> Iterator[_Face]:
    """Yield the polygons within an element, those that it refers to among them."""
    if depth > _DEEPEST:
        msg = f"its surfaces are nested deeper than {_DEEPEST} elements"
        raise UnusableError(msg)
    around = _around(etree, item, around)
    if etree.QName(item).localname in _POLYGONS:
        yield _Face(item, around.crs, around.dimension, around.turned)
        return
    if _HREF in item.attrib:
        target = links.find(item.get(_HREF))
        if target is not None and id(target) not in followed:
            followed.add(id(target))
            there = _Face(None)
            for outer in reversed(list(target.iterancestors())):
                there = _around(etree, outer, there)
            there = _Face(None, there.crs, there.dimension, around.turned)
            yield from _faces(etree, target, links, there, followed, depth + 1)
    for child in item.iterchildren(etree.Element):
        yield from _faces(etree, child, links, around, followed, depth + 1)


def _around(etree: Any, item: Any, around: _Face) -> _Face:
    """Return what an element says of the polygons within it, and what those around it said."""
    crs, dimension = item.get("srsName"), item.get("srsDimension")
    turns = item.get("orientation") == "-" and (etree.QName(item).localname == "OrientableSurface")
    if not (crs or dimension or turns):
        return around
    return _Face(
        None, crs or around.crs, dimension or around.dimension, around.turned != turns
    )  # fmt: skip


def _rings(etree: Any, face: _Face, plane: bool) -> list[Floats]:
    """Return the rings of a polygon, the outer one first."""
    outer = face.polygon.findall("{*}exterior/*")
    inner = face.polygon.findall("{*}interior/*")
    if len(outer) != 1:
        msg = "a polygon has no outer ring"
        raise UnusableError(msg)
    rings = [_ring(etree, ring, face.dimension, plane) for ring in (*outer, *inner)]
    return [ring[::-1] for ring in rings] if face.turned else rings


def _ring(etree: Any, ring: Any, dimension: str, plane: bool) -> Floats:
    """Return the corners [n, xyz] of a ring in any of the spellings of GML."""
    if etree.QName(ring).localname == "LinearRing":
        return closed(_positions(ring, ring.get("srsDimension") or dimension, plane))
    lines = ring.findall("{*}curveMember/*")
    lines = [
        segment
        for line in lines
        for segment in (line.findall("{*}segments/*") or [line])
    ]  # fmt: skip
    other = [etree.QName(e).localname for e in (lines or [ring])]
    other = [name for name in other if name not in ("LineString", "LineStringSegment")]
    if other:
        msg = f"a ring is made of {other[0]}, not of straight lines"
        raise UnusableError(msg)
    pieces = [_positions(line, line.get("srsDimension") or dimension, plane) for line in lines]
    corners = np.concatenate(pieces)
    again = np.r_[False, (corners[1:] == corners[:-1]).all(axis=1)]  # where two pieces meet
    return closed(corners[~again])


def _positions(line: Any, dimension: str, plane: bool) -> Floats:
    """Return the corners [n, xyz] of a line."""
    lists = line.findall("{*}posList")
    lists = lists or line.findall("{*}pos") or line.findall("{*}pointProperty/{*}Point/{*}pos")
    texts = [e.text or "" for e in lists or line.findall("{*}coordinates")]
    words = " ".join(texts).replace(",", " ").split()
    if any((e.get("srsDimension") or dimension) == "2" for e in lists):
        msg = "its corners have no height"
        raise UnusableError(msg)
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        wrong = next(w for w in words if not _is_number(w))
        msg = f"a coordinate is {wrong[:40]!r}, no number"
        raise UnusableError(msg) from None
    # The envelope's dimension is its own, unless the corners look like it.
    if plane and dimension != "3" and _closes(numbers, 2) and not _closes(numbers, 3):
        msg = "its corners have no height"
        raise UnusableError(msg)
    if len(numbers) % 3:
        msg = f"a ring has {len(numbers)} numbers, not three a corner"
        raise UnusableError(msg)
    return numbers.reshape(-1, 3)


def _closes(numbers: Floats, dimension: int) -> bool:
    """Whether numbers are corners of so many dimensions that end where they begin."""
    whole = len(numbers) % dimension == 0 and len(numbers) >= dimension
    return bool(whole and (numbers[:dimension] == numbers[-dimension:]).all())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
