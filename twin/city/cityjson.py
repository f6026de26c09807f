"""Buildings, roads, waters and plants of CityJSON 1.1 and 2.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

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

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

VERSIONS = ("1.1", "2.0")
LARGEST_BYTES = 2**31
AREAS = {
    "Road": ("landuse", "road"), "TransportSquare": ("landuse", "road"),
    "Railway": ("landuse", "railway"), "PlantCover": ("landuse", "grass"),
    "WaterBody": ("water", "water"),
}  # fmt: skip
"""Objects that become areas: their table and kind."""

_DEPTH = {"MultiSurface": 0, "CompositeSurface": 0, "Solid": 1, "MultiSolid": 2,
          "CompositeSolid": 2}  # fmt: skip


def read(path: Path) -> Models:
    """Return the buildings of a CityJSON file, parts with the building that they belong to.

    Raises
    ------
    InputError
        If it is no CityJSON of versions 1.1 and 2.0, damaged, or without a usable building.
    """
    data = _content(path)
    models = Models(path, "CityJSON building models", easting_first=True)
    _says(models, data.get("metadata"))
    objects = data["CityObjects"]
    corners = _vertices(data, path)
    for key, found in objects.items():
        if not isinstance(found, dict):
            continue
        kind = found.get("type")
        if kind == "Building":
            try:
                models.buildings.append(_building(key, found, objects, corners))
            except UnusableError as error:
                models.left_out.append(f"{key}: {error}")
        elif kind in AREAS or kind == "SolitaryVegetationObject":
            _other(models, key, found, corners)
    return models


def _content(path: Path) -> dict[str, Any]:
    """Return the object of a file."""
    try:
        with opened(path) as stream:
            text = stream.read(LARGEST_BYTES + 1)
        if len(text) > LARGEST_BYTES:
            msg = f"{path}: is larger than {LARGEST_BYTES >> 30} GiB; cut it into several."
            raise InputError(msg)
        data = _parsed(text)
        _refuse_sequence(data, path)
    except (ValueError, RecursionError) as error:
        why = str(error)[:120]
        msg = f"{path}: is damaged or cut off, no valid JSON ({why}); fetch it again."
        raise InputError(msg) from error
    if not isinstance(data, dict) or data.get("type") != "CityJSON":
        kind = data.get("type") if isinstance(data, dict) else type(data).__name__
        msg = f"{path}: is no CityJSON, its type is {str(kind)[:40]!r}."
        raise InputError(msg)
    if data.get("version") not in VERSIONS:
        msg = (
            f"{path}: CityJSON version {str(data.get('version'))[:20]!r} cannot be read, only"
            f" {' and '.join(VERSIONS)}; convert it with cjio upgrade."
        )
        raise InputError(msg)
    if not isinstance(data.get("CityObjects"), dict):
        msg = f"{path}: is no CityJSON, it has no CityObjects."
        raise InputError(msg)
    return data


def _parsed(text: bytes) -> Any:
    """Return the object of a text; of a text sequence, one object a line, the second one."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = text.strip().split(b"\n", 2)
        if not error.msg.startswith("Extra data") or len(lines) < 2:
            raise
        return json.loads(lines[1])


def _refuse_sequence(data: Any, path: Path) -> None:
    """Refuse a CityJSON text sequence, whose objects are features."""
    if isinstance(data, dict) and data.get("type") == "CityJSONFeature":
        msg = (
            f"{path}: holds CityJSONFeatures (CityJSONSeq), which cannot be read; collect them in"
            " one CityJSON, such as by cjseq collect."
        )
        raise InputError(msg)


def _says(models: Models, metadata: Any) -> None:
    """Keep the CRS and what the file says of itself."""
    if not isinstance(metadata, dict):
        return
    models.crs = str(metadata.get("referenceSystem") or "")
    contact = metadata.get("pointOfContact")
    texts = {
        "title": metadata.get("title"),
        "licence": metadata.get("license"),
        "attribution": contact.get("contactName") if isinstance(contact, dict) else None,
    }
    models.says = {k: v[:200] for k, v in texts.items() if isinstance(v, str) and v}


def _vertices(data: dict[str, Any], path: Path) -> Floats:
    """Return the vertices [n, xyz] in metres, NaN where one is not three numbers."""
    transform: Any = data.get("transform")
    try:
        scale, translate = (
            np.array(transform[k], dtype=np.float64).reshape(3) for k in ("scale", "translate")
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path}: its transform has no scale and translate of three numbers."
        raise InputError(msg) from error
    given = data.get("vertices")
    if not isinstance(given, list):
        msg = f"{path}: has no list of vertices."
        raise InputError(msg)
    try:
        vertices = np.array(given, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        vertices = np.array([_vertex(v) for v in given], dtype=np.float64)
    return vertices * scale + translate


def _vertex(value: Any) -> list[float]:
    """Return a vertex, NaN where it is not three numbers."""
    if isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return [float("nan")] * 3


def _building(key: str, found: dict[str, Any], objects: dict[str, Any], corners: Floats) -> Model:
    """Return a building with the surfaces of all its parts."""
    said = found.get("attributes")
    attributes = said if isinstance(said, dict) else {}
    function = attributes.get("function") or ""
    function = function[0] if isinstance(function, list) and function else function
    model = Model(
        key,
        use_of(str(function)),
        name.strip() if isinstance(name := attributes.get("name"), str) else "",
        attribute(attributes.get("measuredHeight"), "measuredHeight"),
        attribute(attributes.get("storeysAboveGround"), "storeysAboveGround"),
    )
    bodies = [_body(owner, corners) for owner in _family(found, objects)]
    shown = assembled(bodies[0], bodies[1:])
    for body in shown:
        for kind, rings in body.faces:
            model.add(kind, rings)
    model.flat = all(body.rank < 1.0 for body in shown)
    if not model.polygons:
        given = [g for owner in _family(found, objects) for g in _given(owner)]
        templates = any(g.get("type") == "GeometryInstance" for g in given)
        msg = "is a GeometryInstance of a template, which is not read for buildings"
        raise UnusableError(msg if templates else "has no surface")
    return model


def _body(owner: dict[str, Any], corners: Floats) -> Body:
    """Return a building's or part's own surfaces in the best level of detail."""
    best = _best(owner)
    faces = [(k, _rings(boundary, corners)) for k, boundary in _surfaces(best) if k is not None]
    return Body(_rank(best), faces)


def _family(found: dict[str, Any], objects: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a building and its parts, each once."""
    todo, seen = [found], {id(found)}
    while todo:
        one = todo.pop(0)
        yield one
        children = one.get("children")
        for child in children if isinstance(children, list) else []:
            part: Any = objects.get(child) if isinstance(child, str) else None
            is_part = isinstance(part, dict) and part.get("type") == "BuildingPart"
            if is_part and id(part) not in seen:
                seen.add(id(part))
                todo.append(part)


def _best(owner: dict[str, Any]) -> dict[str, Any]:
    """Return the geometry of the highest level from 1 to 3, else of 3 and more, else LoD0, else {}.

    Windows and furniture are no matter of a city's model.
    """
    return max((g for g in _given(owner) if g.get("type") in _DEPTH), key=_rank, default={})


def _given(owner: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the geometries of an object."""
    given = owner.get("geometry")
    return [g for g in (given if isinstance(given, list) else []) if isinstance(g, dict)]


def _rank(geometry: dict[str, Any]) -> float:
    """Return how good a level of detail is, below 1 for LoD0, up to 2 for those from 3 on."""
    try:
        level = float(geometry.get("lod", 0))
    except (TypeError, ValueError):
        level = 0.0
    if not level >= 1.0:
        return 0.0
    return level + 1.0 if level < 3.0 else 1.0 + 1.0 / level


def _surfaces(geometry: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """Yield kind and rings of each surface of a geometry."""
    if not geometry:
        return
    semantics = geometry.get("semantics")
    semantics = semantics if isinstance(semantics, dict) else {}
    meanings = semantics.get("surfaces")
    meanings = meanings if isinstance(meanings, list) else []
    depth = _DEPTH.get(str(geometry.get("type")), 0)
    for boundary, value in _flat(geometry.get("boundaries"), semantics.get("values"), depth):
        kind: str | None = ""
        if isinstance(value, int) and 0 <= value < len(meanings):
            meaning = meanings[value]
            said = meaning.get("type") if isinstance(meaning, dict) else None
            kind = KINDS.get(str(said), "")
        yield kind, boundary


def _flat(boundaries: Any, values: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Yield surfaces with the values that stand for them, out of shells and solids."""
    if not isinstance(boundaries, list):
        msg = "its boundaries are no list"
        raise UnusableError(msg)
    for k, item in enumerate(boundaries):
        value = values[k] if isinstance(values, list) and k < len(values) else None
        if depth:
            yield from _flat(item, value, depth - 1)
        else:
            yield item, value


def _rings(boundary: Any, corners: Floats) -> list[Floats]:
    """Return the rings of a surface, the outer one first."""
    if not isinstance(boundary, list) or not boundary:
        msg = "a surface has no ring"
        raise UnusableError(msg)
    rings = []
    for ring in boundary:
        whole = isinstance(ring, list) and all(type(v) is int for v in ring)
        bad = [v for v in ring if not 0 <= v < len(corners)] if whole else [ring]
        if bad:
            msg = f"vertex {str(bad[0])[:40]} is none of 0 to {len(corners) - 1}"
            raise UnusableError(msg)
        rings.append(closed(corners[ring]))
    return rings


def _other(models: Models, key: str, found: dict[str, Any], corners: Floats) -> None:
    """Add an area or a tree; what cannot be used is no loss to the buildings."""
    try:
        if found["type"] in AREAS:
            polygons = [_rings(boundary, corners) for _, boundary in _surfaces(_best(found))]
            if polygons:
                table, kind = AREAS[found["type"]]
                models.areas.append((table, key, kind, polygons))
        else:
            rows = [v for g in found.get("geometry", []) for v in _indices(g.get("boundaries"))]
            place = corners[rows].mean(axis=0) if rows else np.full(3, np.nan)
            if np.isfinite(place).all():
                models.points.append((key, "tree", place))
    except (UnusableError, AttributeError, IndexError, TypeError):
        return


def _indices(boundaries: Any) -> Iterator[int]:
    """Yield all vertices of nested lists."""
    for item in boundaries if isinstance(boundaries, list) else []:
        if isinstance(item, int):
            yield item
        else:
            yield from _indices(item)
