"""Building models in a city: alone, or in place of the buildings that they cover."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city import references, schema, solids
from twin.city.osm import metric_crs
from twin.city.provenance import file_sha256, versions
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyproj

    from twin.city.model import City, Progress

COVERED = 1.0 / 3.0
"""A building of the city goes where a model overlaps more than this share of either's area."""

_TABLES = ("buildings", "surfaces", "landuse", "water", "places")


def read_file(path: Path) -> solids.Models:
    """Return the models of a file, CityGML or CityJSON by its first character.

    Raises
    ------
    InputError
        If it is neither, damaged, or without a usable building.
    """
    with solids.opened(path) as stream:
        head = stream.read(4096).removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").lstrip()
    if head[:1] == b"<" or head[:3] in (b"\xff\xfe<", b"\xfe\xff<"):
        from twin.city import citygml

        return _usable(citygml.read(path))
    if head[:1] == b"{":
        from twin.city import cityjson

        return _usable(cityjson.read(path))
    msg = f"{path}: is neither CityGML nor CityJSON; it begins with {head[:20]!r}."
    raise InputError(msg)


def _usable(models: solids.Models) -> solids.Models:
    """Refuse a file without a building, or none of whose buildings can be used."""
    if models.buildings:
        return models
    if not models.left_out:
        msg = f"{models.path}: has no building; name a file with building models."
    else:
        which = f"none of its {len(models.left_out)} buildings can be used, building"
        msg = f"{models.path}: {which} {models.left_out[0]}."
    raise InputError(msg)


def build_city(
    paths: Sequence[Path], name: str | None, crs_text: str | None, progress: Progress | None
) -> City:
    """Return the city of building models; see `City.from_buildings`."""
    from twin.city.model import City

    if not paths:
        msg = "buildings: no file is named; name one of CityGML or CityJSON."
        raise InputError(msg)
    say = progress or (lambda _: None)
    first = read_file(paths[0])
    crs = metric_crs(crs_text, (0.0, 0.0)) if crs_text else _own_crs(first)
    found, sources = _read(paths, crs, say, first)
    tables: dict[str, Any] = {
        table: found.get(table, schema.empty(table, crs)) for table in schema.TABLES
    }
    schema.validate(tables, str(paths[0]))
    options: dict[str, Any] = {
        "builder": "buildings",
        "crs": crs.to_string(),
        "versions": versions("lxml", "pyproj"),
    }
    usual = paths[0].name.split(".")[0]
    return City(name=name or usual, crs=crs, sources=sources, options=options, **tables)


def with_buildings(city: City, paths: Sequence[Path], progress: Progress | None) -> City:
    """Return the city with models in place of buildings; see `City.with_buildings`."""
    import pandas as pd

    say = progress or (lambda _: None)
    if city.crs.is_engineering:
        msg = f"city {city.name}: lies in a plane nowhere on Earth, so no building model fits it."
        raise InputError(msg)
    found, sources = _read(list(paths), city.crs, say)
    models, surfaces = _within(city, found["buildings"], found["surfaces"], paths, say)
    keep = ~_covered(city.buildings, models)
    kept, kept_surfaces = _rows(city.buildings, city.surfaces, keep)
    buildings = pd.concat([kept, models], ignore_index=True)
    shifted = surfaces.assign(building=(surfaces["building"] + len(kept)).astype(np.int32))
    joined = pd.concat([kept_surfaces, shifted], ignore_index=True)
    tables = city.tables | {"buildings": buildings, "surfaces": joined}
    schema.validate(tables, str(paths[0]))
    gone = int((~keep).sum())
    say(f"{len(models)} building models take the place of {gone} buildings; {len(kept)} remain")
    return replace(
        city, buildings=buildings, surfaces=joined, sources=[*city.sources, *sources]
    )  # fmt: skip


def _read(
    paths: Sequence[Path], crs: pyproj.CRS, say: Progress, first: solids.Models | None = None
) -> tuple[dict[str, pd.DataFrame], list[dict[str, str]]]:
    """Return the tables of all files, a building of two files once, and where they come from."""
    import pandas as pd

    parts: dict[str, list[pd.DataFrame]] = {table: [] for table in _TABLES}
    sources, count, twice = [], 0, 0
    seen: set[str] = set()
    for path in paths:
        say(f"reading building models of {path.name}")
        models = first if first is not None and path == paths[0] else read_file(path)
        facts = _source(models)
        found = solids.tables(models, crs)
        if not len(found["buildings"]):
            _usable(models)
        if models.left_out:
            say(models.summary_of_left_out(len(found["buildings"])))
        fresh = _first_of_each(found["buildings"]["id"], seen)
        twice += int((~fresh).sum())
        buildings, surfaces = _rows(found["buildings"], found["surfaces"], fresh)
        surfaces["building"] = (surfaces["building"] + count).astype(np.int32)
        count += len(buildings)
        for table in _TABLES:
            parts[table].append({"buildings": buildings, "surfaces": surfaces}.get(
                table, found[table]))  # fmt: skip
        sources.append(facts)
    if twice:
        say(f"{twice} buildings came more than once; the first of each id counts")
    return {t: pd.concat(p, ignore_index=True) for t, p in parts.items()}, sources


def _first_of_each(ids: pd.Series, seen: set[str]) -> np.ndarray:
    """Whether each id is new; all are then known."""
    fresh = []
    for identifier in ids.tolist():
        fresh.append(identifier not in seen)
        seen.add(identifier)
    return np.array(fresh, dtype=bool)


def _source(models: solids.Models) -> dict[str, str]:
    facts = {
        "what": models.what,
        "licence": "as stated by its publisher",
        "file": models.path.name,
        "sha256": file_sha256(models.path),
        "crs": ", ".join(dict.fromkeys(m.crs or models.crs for m in models.buildings)),
    }
    return facts | models.says


def _own_crs(models: solids.Models) -> pyproj.CRS:
    """Return the CRS of a file if one can measure in it, else the UTM zone of its buildings."""
    import pyproj

    text = models.buildings[0].crs or models.crs
    crs = references.file_crs(text, models.path)
    own = [model for model in models.buildings if (model.crs or models.crs) == text]
    corners = np.array([model.polygons[0][0][0] for model in own])
    places = references.to_plane(corners, models, crs, text)
    places = places[references.in_area_of_use(crs, places[:, 0], places[:, 1])]
    x, y = np.median(places[:, :2], axis=0) if len(places) else (0.0, 0.0)
    if references.measures(crs, float(x), float(y)):
        return crs
    lonlat = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    lon, lat = lonlat.transform(x, y) if len(places) else (0.0, 0.0)
    return metric_crs(None, (float(lon), float(lat)))


def _rows(
    buildings: pd.DataFrame, surfaces: pd.DataFrame, keep: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return some of the buildings, and their surfaces, in new rows."""
    row = np.cumsum(keep, dtype=np.int32) - 1
    of = surfaces["building"].to_numpy()
    own = surfaces[keep[of]].reset_index(drop=True)
    own["building"] = row[of[keep[of]]].astype(np.int32)
    return buildings[keep].reset_index(drop=True), own


def _within(
    city: City, models: pd.DataFrame, surfaces: pd.DataFrame, paths: Sequence[Path], say: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the models in the city's bounds; refuse those that cover nothing of it."""
    import shapely

    box = joined(city.bounds, city.buildings)
    inside = shapely.intersects(models.geometry.to_numpy(), shapely.box(*box))
    if not inside.any():
        theirs = " ".join(f"{v:.0f}" for v in models.total_bounds)
        msg = (
            f"{paths[0]}: covers nothing of the city: its buildings lie in {theirs}, the city in"
            f" {' '.join(f'{v:.0f}' for v in box)} ({city.crs.name}); check its CRS."
        )
        raise InputError(msg)
    if not inside.all():
        say(f"{int((~inside).sum())} building models outside the city are left out")
    return _rows(models, surfaces, inside)


def joined(bounds: tuple[float, ...], buildings: pd.DataFrame) -> tuple[float, ...]:
    """Return the box around the city's bounds and its buildings."""
    if not len(buildings):
        return bounds
    west, south, east, north = buildings.total_bounds
    return (min(bounds[0], west), min(bounds[1], south), max(bounds[2], east),
            max(bounds[3], north))  # fmt: skip


def _covered(buildings: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """Whether each building of the city gives way to a model, or has the id of one."""
    import shapely

    old, new = buildings.geometry.to_numpy(), models.geometry.to_numpy()
    gone = buildings["id"].isin(models["id"]).to_numpy(dtype=bool, copy=True)
    a, b = shapely.STRtree(new).query(old, predicate="intersects")
    old, new = shapely.make_valid(old), shapely.make_valid(new)
    overlap = shapely.area(shapely.intersection(old[a], new[b]))
    least = np.minimum(shapely.area(old[a]), shapely.area(new[b]))
    gone[a[overlap > COVERED * least]] = True
    return gone
