"""Buildings of CityGML 1.0 and 2.0, read element by element by lxml.

A document type declaration, which no CityGML file has, is refused: entities would let a small
file grow without end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import numpy as np

from twin.city.solids import KINDS, Model, Models, UnusableError, attribute, closed, opened, use_of
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
_PREFERRED = "23410"
"""Levels of detail, the best for a city's model first."""


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
            models.crs = models.crs or element.get("srsName", "")
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
        models.buildings.append(_building(etree, element, identifier))
    except UnusableError as error:
        models.left_out.append(f"{identifier}: {error}")


def _building(etree: Any, element: Any, identifier: str) -> Model:
    """Return a building with the surfaces of all its parts."""
    codes = [*element.iterfind("{*}function"), *element.iterfind(".//{*}BuildingPart/{*}function"),
             *element.iterfind("{*}usage")]  # fmt: skip
    uses = [use_of(code.text or "") for code in codes]
    model = Model(
        identifier,
        next((use for use in uses if use != "other"), "other"),
        (element.findtext("{*}name") or "").strip(),
        attribute(element.findtext("{*}measuredHeight"), "measuredHeight"),
        attribute(element.findtext("{*}storeysAboveGround"), "storeysAboveGround"),
    )
    parts = list(element.iterfind(".//{*}BuildingPart"))
    if parts and np.isnan(model.levels):
        said = [attribute(p.findtext("{*}storeysAboveGround"), "storeysAboveGround") for p in parts]
        model.levels = max((v for v in said if v == v), default=float("nan"))
    known: dict[str, Any] = {}
    for owner in (element, *parts):
        for kind, polygon in _polygons(etree, owner, element, known):
            model.add(kind, _rings(polygon))
    if not model.polygons:
        msg = "has no surface"
        raise UnusableError(msg)
    return model


def _polygons(
    etree: Any, owner: Any, building: Any, known: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield kind and polygon of a building's or part's own surfaces in the best level of detail."""
    levels: dict[str, list[tuple[str, Any]]] = {}
    bounding = False
    for surface in owner.iterfind("{*}boundedBy/*"):
        tag = etree.QName(surface).localname
        kind = KINDS.get(tag, "")
        for level, _, polygon in _geometries(etree, surface, building, known):
            bounding = True
            if kind is not None:
                levels.setdefault(level, []).append((kind, polygon))
    if not bounding:
        for level, what, polygon in _geometries(etree, owner, building, known):
            kind = "ground" if what in ("FootPrint", "RoofEdge") else ""
            levels.setdefault(level, []).append((kind, polygon))
    best = next((level for level in _PREFERRED if level in levels), None)
    seen: set[int] = set()
    for kind, polygon in levels.get(best or "", ()):
        if id(polygon) not in seen:  # a solid and its surfaces may both refer to a polygon
            seen.add(id(polygon))
            yield kind, polygon


def _geometries(
    etree: Any, owner: Any, building: Any, known: dict[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """Yield level of detail, kind of geometry and polygon of an element's own geometries."""
    for child in owner.iterchildren(etree.Element):
        match = _LOD.match(etree.QName(child).localname)
        if match is None:
            continue
        for item in child.iter(etree.Element):
            if etree.QName(item).localname in _POLYGONS:
                yield match[1], match[2], item
            elif _HREF in item.attrib:
                target = _targets(etree, building, known).get(item.get(_HREF).lstrip("#"))
                for polygon in target.iter(etree.Element) if target is not None else ():
                    if etree.QName(polygon).localname in _POLYGONS:
                        yield match[1], match[2], polygon


def _targets(etree: Any, building: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return the elements of a building by their id, found when the first is asked for."""
    if not known:
        known[""] = None
        for element in building.iter(etree.Element):
            for key, value in element.attrib.items():
                if key.endswith("}id"):
                    known[value] = element
    return known


def _rings(polygon: Any) -> list[Floats]:
    """Return the rings of a polygon, the outer one first."""
    outer = polygon.findall("{*}exterior/{*}LinearRing")
    inner = polygon.findall("{*}interior/{*}LinearRing")
    if len(outer) != 1:
        msg = "a polygon has no outer ring"
        raise UnusableError(msg)
    return [_ring(ring) for ring in (*outer, *inner)]


def _ring(ring: Any) -> Floats:
    """Return the corners [n, xyz] of a ring in any of the spellings of GML."""
    lists = ring.findall("{*}posList")
    lists = lists or ring.findall("{*}pos") or ring.findall("{*}pointProperty/{*}Point/{*}pos")
    texts = [e.text or "" for e in lists or ring.findall("{*}coordinates")]
    words = " ".join(texts).replace(",", " ").split()
    if any(e.get("srsDimension") == "2" for e in lists):
        msg = "its corners have no height"
        raise UnusableError(msg)
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        wrong = next(w for w in words if not _is_number(w))
        msg = f"a coordinate is {wrong[:40]!r}, no number"
        raise UnusableError(msg) from None
    if len(numbers) % 3:
        msg = f"a ring has {len(numbers)} numbers, not three a corner"
        raise UnusableError(msg)
    return closed(numbers.reshape(-1, 3))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
