"""Small cities made by hand: the tables that the demand model reads, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point, box

BLOCK_M = 200.0


def grid_city(
    size: int = 5, *, buildings: bool = True, gates: bool = True, lorries: bool = True
) -> SimpleNamespace:
    """Return `size` x `size` junctions joined by two-way streets, with a road out on each side.

    The roads out are primary, the others residential; every block has a residential building, and
    the middle one a shop and an office besides.
    """
    at = {(i, j): (i * BLOCK_M, j * BLOCK_M) for i in range(size) for j in range(size)}
    middle = size // 2
    ways = [((i, j), (i + 1, j)) for i in range(size - 1) for j in range(size)]
    ways += [((i, j), (i, j + 1)) for i in range(size) for j in range(size - 1)]
    kinds = ["residential"] * len(ways)
    if gates:
        outer = [((-1, middle), (0, middle)), ((size, middle), (size - 1, middle))]
        outer += [((middle, -1), (middle, 0)), ((middle, size), (middle, size - 1))]
        for way in outer:
            at[way[0]] = (way[0][0] * BLOCK_M, way[0][1] * BLOCK_M)
        ways += outer
        kinds += ["primary"] * len(outer)
    number = {key: k for k, key in enumerate(at)}
    both = [(a, b, kind) for (a, b), kind in zip(ways, kinds, strict=True)]
    both += [(b, a, kind) for a, b, kind in both]
    streets = gpd.GeoDataFrame(
        {
            "from_junction": np.array([number[a] for a, _, _ in both], np.int32),
            "to_junction": np.array([number[b] for _, b, _ in both], np.int32),
            "highway": [kind for _, _, kind in both],
            "lanes": 1,
            "speed_m_s": 10.0,
            "length_m": BLOCK_M,
            "cars": True,
            "lorries": lorries,
        },
        geometry=[LineString([at[a], at[b]]) for a, b, _ in both],
    )
    moves = [
        (a, b)
        for a, one in enumerate(both)
        for b, two in enumerate(both)
        if one[1] == two[0] and one[0] != two[1]
    ]
    moves = np.array(moves)
    city = SimpleNamespace(name="grid", streets=streets)
    city.lanes = pd.DataFrame({"cars": True, "lorries": lorries}, index=range(len(both)))
    city.movements = pd.DataFrame(
        {
            "lane": moves[:, 0],
            "to_lane": moves[:, 1],
            "street": moves[:, 0],
            "to_street": moves[:, 1],
            "length_m": 10.0,
            "speed_m_s": 5.0,
        }
    )
    city.junctions = gpd.GeoDataFrame(geometry=[Point(xy) for xy in at.values()])
    city.buildings = _buildings(size if buildings else 0)
    city.places = gpd.GeoDataFrame({"kind": pd.Series(dtype=str)}, geometry=[])
    city.landuse = gpd.GeoDataFrame({"kind": pd.Series(dtype=str)}, geometry=[])
    return city


def _buildings(size: int) -> gpd.GeoDataFrame:
    corners = [(i * BLOCK_M, j * BLOCK_M) for i in range(max(size - 1, 0)) for j in range(size - 1)]
    shapes = [box(x + 50, y + 50, x + 150, y + 150) for x, y in corners]
    use, floor_m2 = ["residential"] * len(shapes), [11_000.0] * len(shapes)
    if shapes:
        shapes += [shapes[len(shapes) // 2]] * 2
        use += ["retail", "office"]
        floor_m2 += [5_000.0, 30_000.0]
    return gpd.GeoDataFrame({"use": use, "floor_area_m2": floor_m2}, geometry=shapes)


@pytest.fixture(scope="session")
def toy_city() -> SimpleNamespace:
    return grid_city()


@pytest.fixture
def make_city():
    return grid_city
