"""A large city drawn: 50,000 buildings and 20,000 vehicles, made up from Helsinki's.

The time of the scene, and of a film's frame while the camera moves and all vehicles drive, from
afar and from near. Beside a frame stands that of the same triangles without corners in common, a
dozen frames each, one after the other; memory is the most before the second.
"""

from __future__ import annotations

import dataclasses
import resource
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from table import Found, Row, command_line, told

from twin.city import City
from viz.camera import looking
from viz.flight import orbit
from viz.mesh import Mesh
from viz.picture import FRAME_FILM, overview
from viz.render import Stage
from viz.scene.scene import Scene, city_scene
from viz.scene.vehicles import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viz.flight import Flight

SIZE = (1280, 720)
BUILDINGS, VEHICLES, FRAMES = 50_000, 20_000, 12
SCENE_S, FRAME_S = 3.0, 0.1
# A town has simpler buildings than Helsinki's blocks: Kaiserslautern's 15,122 have 6.0 corners on
# average, and those of Helsinki's with up to so many have about as many.
CORNERS = 9
STREET_COPIES = 36  # 50,000 buildings of a town have about 15,000 sections of street


def large_city(buildings: int = BUILDINGS) -> City:
    """Return copies of central Helsinki's simpler buildings, streets among some of them."""
    one = City.from_osm("helsinki")
    west, south, east, north = one.bounds
    corners = shapely.get_num_coordinates(one.buildings.geometry.to_numpy()) - 1
    one = dataclasses.replace(one, buildings=one.buildings[corners <= CORNERS])
    copies = -(-buildings // len(one.buildings))
    wide = int(np.ceil(np.sqrt(copies)))

    def moved(table: Any, k: int) -> Any:
        by = ((k % wide) * (east - west), (k // wide) * (north - south))
        shapes = shapely.transform(table.geometry.to_numpy(), lambda xy: xy + by)
        return table.assign(geometry=shapes)

    def many(name: str, n: int, refers: dict[str, str] | None = None) -> Any:
        parts = []
        for k, tile in enumerate(np.linspace(0, wide * wide - 1, n).round().astype(int).tolist()):
            part = moved(getattr(one, name), tile)
            for column, to in (refers or {}).items():
                part[column] += k * len(getattr(one, to))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    n = STREET_COPIES
    streets = {"from_junction": "junctions", "to_junction": "junctions"}
    moves = {"lane": "lanes", "to_lane": "lanes", "street": "streets", "to_street": "streets",
             "junction": "junctions"}  # fmt: skip
    return dataclasses.replace(
        one,
        buildings=many("buildings", copies).iloc[:buildings],
        junctions=many("junctions", n),
        streets=many("streets", n, streets),
        lanes=many("lanes", n, {"street": "streets"}),
        movements=many("movements", n, moves),
        landuse=many("landuse", n),
        water=many("water", n),
        places=one.places.iloc[:0],
    )


def fleet(scene: Scene, seconds: float) -> Fleet:
    """Return vehicles that drive along lanes."""
    rng = np.random.default_rng(1)
    lane = rng.integers(0, len(scene.lanes.width), VEHICLES)
    length = scene.lanes.lengths()[lane]
    at = (rng.uniform(size=VEHICLES) * length + 10.0 * seconds) % np.maximum(length, 1.0)
    place, way = scene.lanes.along(lane, at)
    points = np.column_stack([place, scene.ground.height(place)])
    kind = np.where(rng.uniform(size=VEHICLES) > 0.93, 1, 0)
    return Fleet(points, np.arctan2(way[:, 1], way[:, 0]), kind, rng.uniform(size=VEHICLES) < 0.3)


def loose(scene: Scene) -> Scene:
    """Return the scene with three corners of its own for every triangle."""
    for name, part in scene.parts.items():
        mesh = part.mesh
        own = Mesh(
            mesh.points[mesh.faces].reshape(-1, 3),
            np.arange(3 * len(mesh)).reshape(-1, 3),
            mesh.colours[mesh.faces].reshape(-1, 3),
        )
        scene = scene.with_part(name, dataclasses.replace(part, mesh=own))
    return scene


def frames(stage: Stage, flight: Flight) -> float:
    """Return the median of the seconds that a frame takes, vehicles' places counted in."""
    took = []
    for k in range(FRAMES):
        begun = time.perf_counter()
        stage.look(flight(k / FRAMES))
        stage.drive(fleet(stage.scene, 0.6 * k))
        stage.frame()
        took.append(time.perf_counter() - begun)
    return statistics.median(took[2:])


def rows(short: bool) -> Iterator[Found]:
    """Yield a row for the scene, and one for its frames from afar and from near."""
    city = large_city(5_000 if short else BUILDINGS)
    city_scene(City.from_osm("helsinki"))  # what is imported and compiled once
    begun = time.perf_counter()
    scene = city_scene(city)
    took = time.perf_counter() - begun
    size = f"{len(city.buildings):,} buildings, {VEHICLES:,} vehicles"
    yield Row(f"scene of {size}", told(took), reach=f"{SCENE_S:g} s", met=took <= SCENE_S)
    near = looking((0.0, 0.0, 0.0), 600.0, 20.0, 35.0, SIZE)
    ways = {
        "from afar": orbit(overview(city, SIZE), scene.hold, FRAME_FILM, 90.0),
        "from near": lambda share: dataclasses.replace(
            near, focal=(300.0 * share, 0.0, 0.0),
            position=(near.position[0] + 300.0 * share, *near.position[1:]),
        ),
    }  # fmt: skip
    stage = Stage(scene, SIZE)
    own = [frames(stage, way) for way in ways.values()]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    other = Stage(loose(scene), SIZE)
    loosely = [frames(other, way) for way in ways.values()]
    for name, took, beside in zip(ways, own, loosely, strict=True):
        yield Row(
            f"a frame at {SIZE[0]}x{SIZE[1]} {name}, {memory:.1f} GiB",
            told(took),
            told(beside),
            f"{beside / took:.1f} times as fast",
            reach=f"{FRAME_S:g} s",
            met=took <= FRAME_S,
        )


if __name__ == "__main__":
    command_line(__doc__, rows)
