"""Find streets by what a planner calls them: name, id, OSM id, drawn area, attributes."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from twin.errors import InputError, ScenarioError

if TYPE_CHECKING:
    import pandas as pd

    from twin.city.model import City

I4 = npt.NDArray[np.int32]
APART_M = 150.0  # sections of one name that are further apart are streets of their own
SHOWN = 4  # of several streets of a name
LARGEST_AREA = 16 * 2**20  # bytes of a file of areas
GERMAN_KINDS = {
    "motorway": "Autobahnen", "trunk": "Schnellstraßen", "primary": "Bundesstraßen",
    "secondary": "Landesstraßen", "tertiary": "Kreisstraßen", "unclassified": "Nebenstraßen",
    "residential": "Wohnstraßen", "living_street": "verkehrsberuhigte Bereiche",
    "service": "Zufahrten", "busway": "Bustrassen", "pedestrian": "Fußgängerzonen",
}  # fmt: skip
_FOUND: WeakKeyDictionary[City, dict[Any, I4]] = WeakKeyDictionary()  # what was looked up


class Streets(BaseModel):
    """Streets by names, by attributes, in a drawn area; all conditions that are given hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    names: tuple[str, ...] = Field((), description="Names, street ids or OSM ids.")
    within: str | None = Field(
        None, min_length=1, description="GeoJSON of polygons; streets with most of their way inside"
    )
    highway: tuple[str, ...] = Field(
        (), description="Kinds of street as OpenStreetMap has them, e.g. residential."
    )
    faster_than_kmh: float | None = Field(None, ge=0, le=300, description="By the limit of today.")
    slower_than_kmh: float | None = Field(None, ge=0, le=300, description="By the limit of today.")
    lanes_at_least: int | None = Field(None, ge=1, le=20, description="Lanes of a direction.")
    but: tuple[str, ...] = Field((), description="Streets that are left out, as in `names`.")
    every: bool = Field(
        default=False, description="Whether a name means all the streets that are called so."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Streets:
        said = (self.names, self.within, self.highway, self.faster_than_kmh)
        if not any((*said, self.slower_than_kmh, self.lanes_at_least)):
            msg = "say which: names, within, highway, faster_than_kmh, slower_than_kmh, ..."
            raise ValueError(msg)
        return self

    def find(self, city: City, file: Callable[[str], Path]) -> I4:
        """Positions of the streets.

        Raises
        ------
        ScenarioError
            Where a name is unknown or means several streets, or nothing is left.
        """
        path = None if self.within is None else file(self.within)
        changed = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
        known = _FOUND.setdefault(city, {})
        key = (self, path, changed)
        if key not in known:
            known[key] = self._find(city, path)
        return known[key]

    def _find(self, city: City, path: Path | None) -> I4:
        table = city.streets
        kept = np.ones(len(table), bool)
        if self.names:
            kept[:] = False
            for name in self.names:
                kept[find_streets(city, name, every=self.every)] = True
        kmh = table["speed_m_s"].to_numpy() * 3.6
        if self.highway:
            kept &= _of_kind(table, self.highway)
        if self.faster_than_kmh is not None:
            kept &= kmh > self.faster_than_kmh + 0.05
        if self.slower_than_kmh is not None:
            kept &= kmh < self.slower_than_kmh - 0.05
        if self.lanes_at_least is not None:
            kept &= table["lanes"].to_numpy() >= self.lanes_at_least
        if path is not None:
            kept &= _inside(city, path, str(self.within))
        for name in self.but:
            kept[find_streets(city, name, every=True)] = False
        if not kept.any():
            msg = f"no street of {city.name} is meant by {self.describe()}; ask for less"
            raise ScenarioError(msg)
        return np.flatnonzero(kept).astype(np.int32)

    def describe(self, language: str = "en") -> str:
        """In words of a planner."""
        english = {
            "kind": "{} streets", "streets": "streets", "within": "within {}",
            "faster": "faster than {} km/h", "slower": "slower than {} km/h",
            "lanes": "of {} lanes or more", "but": "but not {}",
        }  # fmt: skip
        german = {
            "kind": "{}", "streets": "Straßen", "within": "innerhalb von {}",
            "faster": "mit mehr als {} km/h", "slower": "mit weniger als {} km/h",
            "lanes": "mit {} Fahrstreifen oder mehr", "but": "ohne {}",
        }  # fmt: skip
        t, point = (german, ",") if language == "de" else (english, ".")
        said = []
        if self.highway:
            kinds = map(german_kind, self.highway) if language == "de" else self.highway
            said.append(t["kind"].format(", ".join(kinds)))
        if self.names:
            said.append(", ".join(self.names))
        if not said:
            said.append(t["streets"])
        if self.within is not None:
            said.append(t["within"].format(self.within))
        if self.faster_than_kmh is not None:
            said.append(t["faster"].format(f"{self.faster_than_kmh:g}".replace(".", point)))
        if self.slower_than_kmh is not None:
            said.append(t["slower"].format(f"{self.slower_than_kmh:g}".replace(".", point)))
        if self.lanes_at_least is not None:
            said.append(t["lanes"].format(self.lanes_at_least))
        if self.but:
            said.append(t["but"].format(", ".join(self.but)))
        return " ".join(said)


def german_kind(kind: str) -> str:
    """Return what streets of a class of OpenStreetMap are called in German.

    >>> german_kind("residential"), german_kind("primary_link")
    ('Wohnstraßen', 'Rampen der Bundesstraßen')
    """
    base, link, _ = kind.partition("_link")
    named = GERMAN_KINDS.get(base, base)
    return f"Rampen der {named}" if link else named


def find_streets(city: City, reference: str, *, every: bool = False) -> I4:
    """Positions of the streets with this id, OSM id, or name (then all its sections).

    "Name (id)" takes the sections of that name with that id or OSM id.

    Parameters
    ----------
    every
        Whether a name means all streets that are called so, should there be several.

    Raises
    ------
    ScenarioError
        Where there is none; the message names the nearest names. Where a name means several
        streets that lie more than 150 m apart; the message tells them.
    """
    table = city.streets
    found, named = _matches(table, reference)
    within = re.fullmatch(r"(.+) \((.+)\)", reference)
    if not len(found) and within is not None:
        first, second = (_matches(table, within[k])[0] for k in (1, 2))
        found, named = np.intersect1d(first, second), False
    if len(found):
        if named and not every:
            _refuse_several(city, reference, found)
        return found.astype(np.int32)
    names = sorted(set(table["name"]) - {""})
    lower = {n.casefold(): n for n in names}
    near = [lower[n] for n in difflib.get_close_matches(reference.casefold(), lower, 3, 0.5)]
    near = near or difflib.get_close_matches(reference, list(table["id"]), n=3, cutoff=0.5)
    near = near or [n for n in names if reference.casefold() in n.casefold()][:3]
    hint = f"did you mean {', '.join(near)}?" if near else "name, street id and OSM id are tried"
    msg = f"street {reference!r} is not in the city {city.name}: {hint}"
    raise ScenarioError(msg)


def _refuse_several(city: City, reference: str, found: npt.NDArray[np.int64]) -> None:
    """Refuse a name that several streets have."""
    group = apart(city, found)
    n = int(group.max()) + 1
    if n < 2:
        return
    table = city.streets.iloc[found]
    length = np.bincount(group, table["length_m"].to_numpy())
    first = [int(np.flatnonzero(group == k)[0]) for k in np.argsort(-length, kind="stable")]
    ids = [f"{table['id'].iloc[k]} ({length[group[k]]:,.0f} m)" for k in first[:SHOWN]]
    more = ", ..." if n > SHOWN else ""
    msg = (
        f"street {reference!r} is {n} streets, more than {APART_M:g} m apart, with sections "
        f"{', '.join(ids)}{more}: say which by ids of sections or with within: AREA.geojson, or "
        f"write streets: {{names: [{reference}], every: true}} for all of them"
    )
    raise ScenarioError(msg)


def apart(city: City, streets: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Number of the cluster of each street; streets within 150 m of each other are of one."""
    import shapely
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    shapes = city.streets.geometry.to_numpy()[streets]
    tree = shapely.STRtree(shapes)
    a, b = tree.query(shapes, predicate="dwithin", distance=APART_M)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(shapes),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _matches(table: pd.DataFrame, reference: str) -> tuple[npt.NDArray[np.int64], bool]:
    """Rows of a reference, and whether it was a name."""
    for named, match in (
        (False, lambda: table["id"] == reference),
        (False, lambda: table["osm_id"].str.split(";").map(lambda ids: reference in ids)),
        (True, lambda: table["name"].str.casefold() == reference.casefold()),
    ):
        found = np.flatnonzero(match().to_numpy(bool) & (reference != ""))
        if len(found):
            return found, named
    return np.zeros(0, np.int64), False


def _of_kind(table: pd.DataFrame, kinds: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which streets are of these kinds; a kind that no street has is refused."""
    known = sorted(set(table["highway"]))
    for kind in kinds:
        if kind not in known:
            from twin.suggest import suggestion

            msg = f"no street is of the kind {kind!r}: {suggestion(kind, known)}"
            raise ScenarioError(msg)
    return np.asarray(table["highway"].isin(kinds).to_numpy(bool))


def read_area(path: Path, label: str, crs: Any) -> Any:
    """The union of the polygons of a GeoJSON file (WGS 84), in a CRS.

    Raises
    ------
    InputError
        Where it is no GeoJSON, or holds no polygon.
    """
    import geopandas as gpd
    import shapely

    try:
        if path.stat().st_size > LARGEST_AREA:
            msg = f"{label}: is larger than {LARGEST_AREA >> 20} MiB; draw a simpler area"
            raise InputError(msg)
        shapes = _shapes(json.loads(path.read_text(encoding="utf-8-sig")))
        polygons = [s for s in shapes if s.geom_type in ("Polygon", "MultiPolygon")]
    except OSError as error:
        msg = f"{label}: cannot be read, {error.strerror or error}"
        raise InputError(msg) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError,
            shapely.errors.ShapelyError):  # fmt: skip
        msg = f"{label}: is no GeoJSON; draw polygons and save them as GeoJSON (WGS 84)"
        raise InputError(msg) from None
    if not polygons:
        msg = f"{label}: holds no polygon; draw the area as one (geojson type Polygon)"
        raise InputError(msg)
    outside = [p for p in polygons if not _on_earth(p)]
    if outside:
        msg = (
            f"{label}: has the coordinate {outside[0].bounds[0]:g}, {outside[0].bounds[1]:g}, "
            "which is no longitude and latitude; save it in WGS 84 (EPSG:4326)"
        )
        raise InputError(msg)
    area = gpd.GeoSeries([shapely.make_valid(p) for p in polygons], crs="EPSG:4326").to_crs(crs)
    return shapely.union_all(area.to_numpy())


def _shapes(value: Any) -> list[Any]:
    """Shapes of a GeoJSON text, whatever its outermost type."""
    import shapely.geometry

    if value["type"] == "FeatureCollection":
        return [s for f in value["features"] for s in _shapes(f)]
    if value["type"] == "Feature":
        return [] if value["geometry"] is None else _shapes(value["geometry"])
    if value["type"] == "GeometryCollection":
        return [s for g in value["geometries"] for s in _shapes(g)]
    return [shapely.geometry.shape(value)]


def _on_earth(shape: Any) -> bool:
    west, south, east, north = shape.bounds
    return bool(-180.0 <= west <= east <= 180.0 and -90.0 <= south <= north <= 90.0)


def _inside(city: City, path: Path, label: str) -> npt.NDArray[np.bool_]:
    """Which streets have more than half of their length inside an area."""
    import shapely

    area = read_area(path, label, city.crs)
    shapely.prepare(area)
    shapes = city.streets.geometry.to_numpy()
    touched = np.flatnonzero(shapely.intersects(area, shapes))
    part = shapely.length(shapely.intersection(shapes[touched], area))
    inside = np.zeros(len(shapes), bool)
    inside[touched] = part > 0.5 * shapely.length(shapes[touched])
    if not inside.any():
        msg = f"{label}: no street of {city.name} lies within it; is it drawn in this city?"
        raise ScenarioError(msg)
    return inside
