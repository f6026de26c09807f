"""Zones: who lives, works, shops and learns where, and on which streets their cars are.

Zones are the cells of a square grid that hold buildings. Floor area, use and places of a city give
residents, jobs and visits. A city without buildings gets zones from its minor streets instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.traffic.routing import RoadGraph

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FAST = ("motorway", "motorway_link", "trunk", "trunk_link")
MINOR = ("residential", "living_street", "unclassified", "tertiary", "service", "unknown")
SHOPS = ("shop", "bank", "pharmacy", "post_office", "doctors", "dentist", "marketplace")
LEISURE = (
    "restaurant", "cafe", "fast_food", "pub", "bar", "nightclub", "cinema", "theatre", "museum",
    "sports_centre", "swimming_pool", "hotel", "library", "place_of_worship", "stadium",
)  # fmt: skip
VISITS = ("education", "shopping", "leisure")
BUSINESS_AREAS = ("commercial", "industrial", "retail", "railway", "military")


@dataclass(frozen=True, eq=False)
class Places:
    """Where trips start or end: places, each with its streets and their shares.

    Parameters
    ----------
    ptr : int64 [places + 1]
    street : int32, streets of place i are street[ptr[i]:ptr[i + 1]]
    share : float64, their shares, which sum to 1 in each place that has a street
    """

    ptr: Integers
    street: NDArray[np.int32]
    share: Floats

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def main_street(self, closed: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
        """Return the street of the largest share of each place; every place needs one.

        One of the `closed` streets of the city only where a place has no other.
        """
        shut = np.zeros(len(self.street), bool) if closed is None else closed[self.street]
        order = np.lexsort((self.street, -self.share, shut, self.rows()))
        main: NDArray[np.int32] = self.street[order[self.ptr[:-1]]]
        return main

    @classmethod
    def of(cls, *parts: Places) -> Places:
        """Return the places of several, one after the other."""
        counts = np.concatenate([np.diff(part.ptr) for part in parts])
        ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        street = np.concatenate([part.street for part in parts]).astype(np.int32)
        return cls(ptr, street, np.concatenate([part.share for part in parts]))

    @classmethod
    def of_rows(
        cls, n: int, place: Integers, street: Integers | NDArray[np.int32], share: Floats
    ) -> Places:
        """Return `n` places from rows of place, street and share."""
        order = np.lexsort((street, place))
        ptr = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=n))]).astype(np.int64)
        return cls(ptr, street[order].astype(np.int32), share[order])

    def rows(self) -> Integers:
        """Return the place of each street."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    def chosen(self, kept: Bools) -> Places:
        """Return the places that are kept."""
        ptr = np.concatenate([[0], np.cumsum(np.diff(self.ptr)[kept])]).astype(np.int64)
        used = kept[self.rows()]
        return Places(ptr, self.street[used], self.share[used])

    def part(self, begin: int, end: int) -> Places:
        """Return the places begin..end - 1."""
        rows = slice(int(self.ptr[begin]), int(self.ptr[end]))
        ptr = self.ptr[begin : end + 1] - self.ptr[begin]
        return Places(ptr, self.street[rows], self.share[rows])

    def joined(self, street: NDArray[np.int32]) -> Places:
        """Return these places followed by places of one street each."""
        ptr = np.concatenate([self.ptr, self.ptr[-1] + np.arange(1, len(street) + 1)])
        return Places(
            ptr,
            np.concatenate([self.street, street]).astype(np.int32),
            np.concatenate([self.share, np.ones(len(street))]),
        )

    def pick(self, place: Integers, level: Floats) -> NDArray[np.int32]:
        """Return a street of each place by share, from uniform numbers in [0, 1)."""
        upper = np.cumsum(self.share)
        start = np.concatenate([[0.0], upper])[self.ptr[place]]
        end = upper[self.ptr[place + 1] - 1]
        position = np.searchsorted(upper, start + level * (end - start), side="right")
        clipped = np.clip(position, self.ptr[place], self.ptr[place + 1] - 1)
        picked: NDArray[np.int32] = self.street[clipped]
        return picked


@dataclass(frozen=True, eq=False)
class Zones:
    """The zones of a city.

    Parameters
    ----------
    x, y : centres, m in the city's CRS
    residents, jobs : people and workplaces
    education, shopping, leisure : visits of a day, all modes
    cars, lorries : the streets of each zone by vehicle class
    extent_m : radius of the circle that is as large as the hull of the zones
    dropped : number of zones left out since no street is near
    label : what each zone is called: "E385425N6671800" is the grid cell whose south-western corner
        lies there, m in the city's CRS
    area : shapely polygon (or point) of each zone, None where it is not known
    """

    x: Floats
    y: Floats
    residents: Floats
    jobs: Floats
    education: Floats
    shopping: Floats
    leisure: Floats
    cars: Places
    lorries: Places
    extent_m: float
    dropped: int
    label: tuple[str, ...]
    area: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.x)

    def followed_by(
        self, label: tuple[str, ...], area: NDArray[np.object_], **columns: Floats | Places
    ) -> Zones:
        """Return these zones and behind them others; what is not given of them is 0.

        Parameters
        ----------
        columns : x, y, cars and lorries, and any of residents, jobs and visits
        """
        import shapely

        centre = shapely.centroid(area)
        given = {"x": shapely.get_x(centre), "y": shapely.get_y(centre), **columns}
        values: dict[str, Any] = {}
        for name in ("x", "y", "residents", "jobs", *VISITS):
            added = given.get(name, np.zeros(len(label)))
            values[name] = np.concatenate([getattr(self, name), np.asarray(added, np.float64)])
        for name in ("cars", "lorries"):
            values[name] = Places.of(getattr(self, name), given[name])
        labels, areas = (*self.label, *label), np.concatenate([self.area, area])
        return replace(self, **values, label=labels, area=areas)


def make_zones(
    city: City, cars: RoadGraph, lorries: RoadGraph, assumptions: Mapping[str, float]
) -> Zones:
    """Return the zones of a city, of its buildings or, where it has none, of its minor streets."""
    points = building_points(city, assumptions)
    if points is None:
        points = street_points(city, cars.core(), assumptions)
    points = _with_places(points, city, assumptions)
    column, row = (np.floor(points[axis] / assumptions["zone_size_m"]) for axis in ("x", "y"))
    cells = points.groupby([column.rename("column"), row.rename("row")], sort=True)
    sums = cells[["residents", "jobs", "education", "shopping", "leisure"]].sum()
    centres = cells[["x", "y"]].mean()
    sums = sums[sums.sum(axis=1) > 0.0]
    centres = centres.loc[sums.index]
    x, y = centres["x"].to_numpy(), centres["y"].to_numpy()
    near = attach(city, cars.core(), x, y, assumptions)
    kept = np.diff(near.ptr) > 0
    by_lorry = attach(city, lorries.core(), x[kept], y[kept], assumptions, reach_m=np.inf)
    columns = {str(name): sums[name].to_numpy()[kept] for name in sums}
    corners = [
        sums.index.get_level_values(axis).to_numpy()[kept] * assumptions["zone_size_m"]
        for axis in ("column", "row")
    ]
    return Zones(
        x=x[kept],
        y=y[kept],
        cars=near.chosen(kept),
        lorries=by_lorry,
        extent_m=extent(x[kept], y[kept], assumptions["zone_size_m"]),
        dropped=int((~kept).sum()),
        label=tuple(f"E{east:.0f}N{north:.0f}" for east, north in zip(*corners, strict=True)),
        area=_cells(corners[0], corners[1], assumptions["zone_size_m"]),
        **columns,
    )


def building_points(city: City, assumptions: Mapping[str, float]) -> pd.DataFrame | None:
    """Return x, y, residents, jobs and visits of each building, or None where there are none."""
    import pandas as pd

    buildings = city.buildings
    if not len(buildings) or not float(buildings["floor_area_m2"].sum()) > 0.0:
        return None
    centre = buildings.geometry.centroid
    use = buildings["use"].to_numpy(dtype=object)
    floor_m2 = buildings["floor_area_m2"].to_numpy(dtype=np.float64)
    lived = _residential_share(city, centre, use, assumptions)
    other = use == "other"
    worked = np.maximum(1.0 - lived - np.where(other, assumptions["unused_share_other"], 0.0), 0.0)
    names = ("residential", "office", "retail", "industrial", "education", "health", "public")
    per_job = {name: assumptions[f"floor_per_job_{name}_m2"] for name in (*names, "other")}
    job_m2 = pd.Series(use).map(per_job).fillna(per_job["other"]).to_numpy()
    residents = floor_m2 * lived / assumptions["floor_per_resident_m2"]
    return pd.DataFrame(
        {
            "x": centre.x.to_numpy(),
            "y": centre.y.to_numpy(),
            "residents": residents,
            "jobs": floor_m2 * worked / job_m2,
            "education": (use == "education") * floor_m2 * assumptions["education_per_floor_m2"],
            "shopping": (use == "retail") * floor_m2 * assumptions["shopping_per_retail_m2"],
            "leisure": residents * assumptions["leisure_per_resident_visited"],
        }
    )


def street_points(city: City, core: Bools, assumptions: Mapping[str, float]) -> pd.DataFrame:
    """Return residents and jobs along the minor streets of a city without buildings."""
    import pandas as pd

    streets = city.streets
    minor = core & streets["highway"].isin(MINOR).to_numpy()
    if not minor.any():
        minor = core & ~streets["highway"].isin(FAST).to_numpy()
    middle = streets.geometry[minor].interpolate(0.5, normalized=True)
    length_km = streets["length_m"].to_numpy()[minor] / 1000.0
    residents = length_km * assumptions["residents_per_street_km"]
    return pd.DataFrame(
        {
            "x": middle.x.to_numpy(),
            "y": middle.y.to_numpy(),
            "residents": residents,
            "jobs": length_km * assumptions["jobs_per_street_km"],
            "education": residents * assumptions["education_per_resident"],
            "shopping": residents * assumptions["shopping_per_resident"],
            "leisure": residents * assumptions["leisure_per_resident_visited"],
        }
    )


def attach(
    city: City,
    core: Bools,
    x: Floats,
    y: Floats,
    assumptions: Mapping[str, float],
    reach_m: float | None = None,
) -> Places:
    """Return the streets of each point: the nearest of the core, by length and nearness.

    Motorways and trunk roads have no doors and are left out; a point with no street within
    `reach_m` has none.
    """
    from scipy.spatial import cKDTree

    streets = city.streets
    usable = np.flatnonzero((core & (core.sum() > 1)) & ~streets["highway"].isin(FAST).to_numpy())
    empty = Places(np.zeros(len(x) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0))
    if not len(usable) or not len(x):
        return empty
    middle = streets.geometry.iloc[usable].interpolate(0.5, normalized=True)
    tree = cKDTree(np.column_stack([middle.x, middle.y]))
    count = min(int(assumptions["zone_streets"]), len(usable))
    reach = assumptions["zone_reach_m"] if reach_m is None else reach_m
    distance, found = tree.query(np.column_stack([x, y]), k=[*range(1, count + 1)])
    weight = np.exp(-(distance - distance[:, :1]) / assumptions["zone_street_decay_m"])
    weight = weight * streets["length_m"].to_numpy()[usable[found]]
    weight = np.where(distance[:, :1] <= reach, weight, 0.0)
    total = weight.sum(axis=1, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0)
    used = share > 0.0
    ptr = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    return Places(ptr, usable[found][used].astype(np.int32), share[used])


def attach_areas(
    city: City,
    core: Bools,
    areas: NDArray[np.object_],
    assumptions: Mapping[str, float],
    reach_m: float | None = None,
) -> Places:
    """Return the streets of each area by length: those inside or, where none is, the nearest.

    A street is inside where its middle is. The nearest are those of `attach`, seen from the area's
    centre, if one is within `reach_m` of the area itself; a point has no streets inside.
    """
    import shapely

    streets = city.streets
    usable = np.flatnonzero((core & (core.sum() > 1)) & ~streets["highway"].isin(FAST).to_numpy())
    middle = streets.geometry.iloc[usable].interpolate(0.5, normalized=True).to_numpy()
    found, area = shapely.STRtree(areas).query(middle, predicate="within")
    centre = shapely.point_on_surface(areas)
    x, y = shapely.get_x(centre), shapely.get_y(centre)
    near = attach(city, core, x, y, assumptions, np.inf)
    row = near.rows()
    distance = shapely.distance(areas[row], middle[np.searchsorted(usable, near.street)])
    nearest = np.full(len(areas), np.inf)
    np.minimum.at(nearest, row, distance)
    reach = assumptions["zone_reach_m"] if reach_m is None else reach_m
    empty = (np.bincount(area, minlength=len(areas)) == 0) & (nearest <= reach)
    filled = empty[row]
    place = np.concatenate([area, row[filled]])
    street = np.concatenate([usable[found], near.street[filled]])
    length_m = streets["length_m"].to_numpy()[usable[found]]
    inside = length_m / np.bincount(area, length_m, minlength=len(areas))[area]
    share = np.concatenate([inside, near.share[filled]])
    return Places.of_rows(len(areas), place, street, share)


def _cells(east: Floats, north: Floats, size_m: float) -> NDArray[np.object_]:
    import shapely

    cells: NDArray[np.object_] = shapely.box(east, north, east + size_m, north + size_m)
    return cells


def _residential_share(
    city: City, centre: object, use: NDArray[np.object_], assumptions: Mapping[str, float]
) -> Floats:
    """Return the part of each building's floor that is lived in, by use or else by land use."""
    lived = np.zeros(len(use))
    for name in ("residential", "retail", "other"):
        lived[use == name] = assumptions[f"residential_share_{name}"]
    if not len(city.landuse):
        return lived
    import geopandas as gpd

    areas = city.landuse[["kind", "geometry"]]
    for name, kinds in (("housing", ("residential",)), ("business", BUSINESS_AREAS)):
        within = areas[areas["kind"].isin(kinds)]
        joined = gpd.sjoin(gpd.GeoDataFrame(geometry=centre), within, predicate="within")
        hit = np.zeros(len(use), dtype=bool)
        hit[joined.index.to_numpy()] = True
        lived[hit & (use == "other")] = assumptions[f"residential_share_other_{name}"]
    return lived


def _with_places(
    points: pd.DataFrame, city: City, assumptions: Mapping[str, float]
) -> pd.DataFrame:
    """Return the points and, after them, the visits to shops and places of leisure."""
    import pandas as pd

    places = city.places
    if not len(places):
        return points
    visits = pd.DataFrame({"x": places.geometry.x.to_numpy(), "y": places.geometry.y.to_numpy()})
    for column, kinds, name in (
        ("shopping", SHOPS, "shopping_per_shop"),
        ("leisure", LEISURE, "leisure_per_place"),
    ):
        visits[column] = places["kind"].isin(kinds).to_numpy() * assumptions[name]
    visits = visits[visits[["shopping", "leisure"]].sum(axis=1) > 0.0]
    return pd.concat([points, visits], ignore_index=True).fillna(0.0)


def extent(x: Floats, y: Floats, cell_m: float) -> float:
    """Return the radius of a circle of the area of the zones' hull, m."""
    import shapely

    if not len(x):
        return 0.0
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack([x, y]))).buffer(cell_m / 2.0)
    return float(np.sqrt(hull.area / np.pi))
