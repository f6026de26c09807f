"""The pictures that tests compare with: run this file to make them anew, then look at each.

python -m tests.viz.goldens
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from twin.city import City
from twin.city.terrain import Terrain
from viz.camera import looking
from viz.caption import Caption
from viz.palette import Scale
from viz.picture import Panel, overview, still
from viz.scene.bands import band_mesh
from viz.scene.scene import Part, Scene, city_scene, signal_part
from viz.scene.works import barrier_mesh, tape_mesh

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

FOLDER = Path(__file__).parent / "goldens"
SIZE = (640, 360)
TIME_S = 7 * 3600 + 480.0


@lru_cache
def helsinki() -> City:
    return City.from_osm("helsinki")


def values(city: City) -> pd.Series:
    rng = np.random.default_rng(5)
    return pd.Series(np.round(rng.gamma(0.8, 150.0, len(city.streets))))


def whole() -> Image:
    """All of the city with the traffic of its streets."""
    city = helsinki()
    camera = overview(city, SIZE)
    scene = city_scene(city, view_azimuth_deg=camera.azimuth_deg)
    scale = Scale.of(values(city))
    parts = {"values": Part(band_mesh(city, scene.ground, values(city), scale))}
    caption = Caption("Traffic", "Helsinki", "Traffic", "veh", scale)
    return still(scene, [Panel(parts=parts)], camera, SIZE, caption)


@lru_cache
def recorded() -> Any:
    """Trajectories of eight minutes, and the kinds of the vehicles."""
    from twin.simulation import Simulation, prepare
    from twin.traffic.demand import Demand
    from twin.traffic.trajectories import Trajectories
    from viz.scene.vehicles import kinds_of

    city, window = helsinki(), {"seed": 1, "begin_s": 7 * 3600.0, "end_s": TIME_S + 60.0}
    prepared = prepare(city, Demand.generate(city, scale=0.6), iterations=1, **window)
    tables = Simulation(city, prepared, record=True, **window).run().tables
    ways = Trajectories(city, tables["passages"], tables["trips"], tables["lights"])
    return ways, kinds_of(tables["trips"])


def near_scene() -> Scene:
    return city_scene(helsinki(), view_azimuth_deg=20.0)


def near() -> Image:
    """A junction with vehicles, lights, a closed street and the lanes' traffic."""
    from viz.scene.lights import recorded as colours_of
    from viz.scene.vehicles import fleet_at

    city, scene = helsinki(), near_scene()
    ways, kinds = recorded()
    closed = np.flatnonzero(city.streets["name"] == "Kaivokatu")[:2]
    where = (city, scene.ground, scene.lanes)
    scale = Scale.of(values(city))
    parts = {
        "values": Part(band_mesh(city, scene.ground, values(city), scale, unit_m=0.0)),
        "bars": signal_part(scene, colours_of(scene.bars, ways.lights_at(TIME_S))),
        "touched": Part(tape_mesh(*where, closed), lit=False),
        "barriers": Part(barrier_mesh(*where, closed)),
    }
    fleet = fleet_at(ways.at(TIME_S), kinds, scene.lanes, scene.movements, scene.ground)
    line = city.streets.geometry.iloc[int(closed[0])]
    (middle,) = scene.ground.moved([line.interpolate(0.5, normalized=True)])
    camera = looking((middle.x, middle.y, 0.0), 225.0, 20.0, 38.0, SIZE)
    caption = Caption("Kaivokatu", "07:08", "Traffic", "veh", scale)
    return still(scene, [Panel(parts=parts, fleet=fleet)], camera, SIZE, caption)


def beside() -> Image:
    """The base beside an alternative, in one scale."""
    city = helsinki()
    half = (SIZE[0] // 2, SIZE[1])
    camera = overview(city, half)
    scene = city_scene(city, view_azimuth_deg=camera.azimuth_deg)
    base = values(city)
    scale = Scale.of(np.concatenate([base, base * 0.4]))
    panels = [
        Panel(name, {"values": Part(band_mesh(city, scene.ground, v, scale))})
        for name, v in (("Base", base), ("Less", base * 0.4))
    ]
    caption = Caption("Traffic", "", "Traffic", "veh", scale, labels=("Base", "Less"))
    return still(scene, panels, camera, SIZE, caption)


def hill_city() -> City:
    """Helsinki's streets on a hill, one block of it with pitched roofs."""
    city = helsinki()
    west, south, east, north = city.bounds
    x = np.arange(west - 100.0, east + 101.0, 20.0)
    y = np.arange(south - 100.0, north + 101.0, 20.0)
    across, along = np.meshgrid(x, y)
    away = np.hypot(across - x.mean(), along - y.mean())
    heights = (40.0 + 90.0 * np.exp(-((away / 420.0) ** 2))).astype(np.float32)
    terrain = Terrain(heights, float(x[0]), float(y[0]), 20.0)
    return dataclasses.replace(city, terrain=terrain, surfaces=pitched(city))


def pitched(city: City) -> Any:
    """Walls and pitched roofs over the oblong of each building near the middle."""
    from twin.city import schema

    west, south, east, north = city.bounds
    centre = shapely.Point((west + east) / 2.0, (south + north) / 2.0)
    near = np.flatnonzero(city.buildings.distance(centre).to_numpy() < 350.0)
    columns: dict[str, list[Any]] = {"building": [], "kind": [], "geometry": []}
    for row in near.tolist():
        ring = shapely.get_coordinates(
            shapely.minimum_rotated_rectangle(city.buildings.geometry.iloc[row]).exterior
        )[:4]
        if np.hypot(*(ring[1] - ring[0])) < np.hypot(*(ring[2] - ring[1])):
            ring = np.roll(ring, -1, axis=0)
        low, high = 20.0, 20.0 + float(city.buildings["height_m"].iloc[row])
        ridge = high + 5.0
        a, b = (ring[0] + ring[3]) / 2.0, (ring[1] + ring[2]) / 2.0
        p = [(*c, z) for z in (low, high) for c in ring.tolist()]
        r = [(*a.tolist(), ridge), (*b.tolist(), ridge)]
        faces = {
            "ground": [[p[3], p[2], p[1], p[0]]],
            "wall": [[p[0], p[1], p[5], p[4]], [p[2], p[3], p[7], p[6]],
                     [p[1], p[2], p[6], r[1], p[5]], [p[3], p[0], p[4], r[0], p[7]]],
            "roof": [[p[4], p[5], r[1], r[0]], [p[6], p[7], r[0], r[1]]],
        }  # fmt: skip
        for kind, shapes in faces.items():
            for corners in shapes:
                columns["building"].append(row)
                columns["kind"].append(kind)
                columns["geometry"].append(shapely.Polygon(corners))
    return schema.build("surfaces", columns, city.crs)


def hill() -> Image:
    """Streets, green and houses with roofs on a hill."""
    city = hill_city()
    camera = overview(city, SIZE)
    scene = city_scene(city, view_azimuth_deg=camera.azimuth_deg)
    return still(scene, [Panel()], camera, SIZE, Caption("On a hill"))


PICTURES: dict[str, Callable[[], Image]] = {
    "whole": whole, "near": near, "beside": beside, "hill": hill,
}  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in PICTURES.items():
        make().save(FOLDER / f"{name}.png", optimize=True)
