"""A scene: everything that is seen at one moment, as meshes with an order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from viz import light
from viz.mesh import Mesh, flat, merge, shadows
from viz.palette import rgb
from viz.scene.buildings import (
    COARSE_M,
    block_mesh,
    building_blocks,
    building_faces,
    coarser,
    face_mesh,
)
from viz.scene.ground import GREEN, WATER, Ground, green_and_water, paved
from viz.scene.lights import COLOURS, bar_mesh, programmed, stop_bars
from viz.scene.roads import MARKING, ROAD, Lines, lane_lines, markings, movement_lines, road_mesh
from viz.scene.trees import Trees, tree_shape, trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from twin.city import City
    from viz.scene.lights import StopBars
    from viz.scene.vehicles import Fleet

SHADOW_DARKNESS = 0.24
SHADOWS_UP_TO = 20_000  # buildings; with more, shadows are no longer worth their time
# What is seen from far away in place of a part.
FAR = {"buildings": "buildings from afar", "roads": "roads from afar"}
LEAST_PX = 6.0  # length of a car in the picture, which is drawn larger where it has to be
# Faces that lie on each other are drawn in this order, the last one on top.
ORDER = (
    "ground", "green", "water", "roads", FAR["roads"], "markings", "shade", "values", "touched",
    "edges", "bars",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One subject of a scene.

    Attributes
    ----------
    mesh
        What it looks like.
    opacity
        Below 1, what lies behind shines through.
    lit
        Whether light falls on it; else it shows its colours as they are.
    two_sided
        Whether its faces are seen from behind, too.
    """

    mesh: Mesh
    opacity: float = 1.0
    lit: bool = True
    two_sided: bool = False


@dataclass(frozen=True)
class Scene:
    """What is seen.

    Attributes
    ----------
    ground
        The rectangle.
    parts
        Meshes by subject; those of `ORDER` lie on the ground. Those of `FAR` are seen from far
        away in place of others.
    trees
        Where trees stand; each looks like `tree_shape()`.
    lanes, movements
        On which vehicles move.
    bars
        Stop lines of signals.
    light
        Unit vector towards the sun.
    hold
        Points (n, xyz) that a camera must see to see all.
    """

    ground: Ground
    parts: Mapping[str, Part]
    trees: Trees
    lanes: Lines
    movements: Lines
    bars: StopBars
    light: tuple[float, float, float]
    hold: npt.NDArray[np.float64]

    def with_part(self, name: str, part: Part) -> Scene:
        """Return the scene with one more part, or another one in its place."""
        return replace(self, parts={**self.parts, name: part})


def city_scene(city: City, *, view_azimuth_deg: float = 0.0, time_s: float | None = None) -> Scene:
    """Return the scene of a city.

    Parameters
    ----------
    city
        The city.
    view_azimuth_deg
        Where the viewer stands: 0 south, 90 east of the city.
    time_s
        Second of the day for which signals show their fixed programs; without it they show none.
    """
    ground = Ground.of(city)
    towards = light.sun(view_azimuth_deg)
    lanes, movements = lane_lines(city, ground), movement_lines(city, ground)
    some = building_blocks(city, ground)
    with ThreadPoolExecutor(2) as pool:  # GEOS lets other threads run
        wood = pool.submit(trees, city, ground)
        far = pool.submit(lambda: block_mesh(coarser(some)))
        lying = pool.submit(_lying, city, ground, lanes)
        near = block_mesh(some)
        faces = building_faces(city, ground)
    parts = {
        "ground": Part(ground.mesh()),
        "side": Part(ground.side()),
        **lying.result(),
        "buildings": Part(near),
        FAR["buildings"]: Part(far.result()),
        "modelled": Part(face_mesh(faces), two_sided=True),
    }
    if len(city.buildings) <= SHADOWS_UP_TO:
        parts["shade"] = Part(_shade(city, ground, towards), SHADOW_DARKNESS, lit=False)
    bars = stop_bars(city, lanes)
    hold = ground.hold(city.buildings["height_m"].to_numpy(float))
    scene = Scene(ground, parts, wood.result(), lanes, movements, bars, towards, hold)
    if time_s is None or not len(bars.signal):
        return scene
    shown = np.stack([rgb(COLOURS[c]) for c in programmed(city, bars, time_s)])
    return scene.with_part("bars", signal_part(scene, shown))


def _lying(city: City, ground: Ground, lanes: Lines) -> dict[str, Part]:
    """Return what lies on the ground: green, water, roads and their markings."""
    hilly = ground.terrain is not None
    green, water = green_and_water(city, ground)
    paving = ground.drape(paved(city, ground), rgb(ROAD))
    parts = {
        "green": Part(ground.drape(green, rgb(GREEN)), lit=hilly),
        "water": Part(ground.drape(water, rgb(WATER)), lit=hilly),
        "roads": Part(merge([paving, road_mesh(lanes, city, ground)]), lit=hilly),
        "markings": Part(markings(lanes, city).mesh(ground, 0.0, rgb(MARKING)), lit=False),
    }
    if not hilly:  # on hills what has few corners would cut through them
        few = road_mesh(lane_lines(city, ground, COARSE_M), city, ground)
        parts[FAR["roads"]] = Part(merge([paving, few]), lit=False)
    return parts


def signal_part(scene: Scene, colours: npt.NDArray[np.uint8]) -> Part:
    """Return the bars at stop lines in their colours (n, rgb)."""
    return Part(bar_mesh(scene.bars, scene.ground, colours), lit=False)


def _shade(city: City, ground: Ground, towards: tuple[float, float, float]) -> Mesh:
    """Return the shadows of the buildings on the ground."""
    import shapely

    inside = shapely.intersects(city.buildings.geometry.to_numpy(), shapely.box(*ground.box))
    shapes = ground.moved(city.buildings.geometry.to_numpy()[inside])
    if not len(shapes):
        return merge([])
    x, y, _ = ground.origin
    frame = shapely.box(*np.subtract(ground.box, (x, y, x, y)))
    height = city.buildings["height_m"].to_numpy(float)[inside]
    dark = shapely.intersection(shadows(shapes, height, towards), frame)
    if ground.terrain is None:
        return flat([dark], 0.0, rgb("#201c2c"))
    return ground.drape(shapely.get_parts(dark), rgb("#201c2c"))


def tree_mesh(some: Trees) -> Mesh:
    """Return all trees in one mesh, for programs that know no instances."""
    shape = tree_shape()
    points = shape.points[None] * some.height[:, None, None] + some.points[:, None, :]
    before = (np.arange(len(some.height)) * len(shape.points))[:, None, None]
    colours = np.tile(shape.colours, (len(some.height), 1))
    return Mesh(points.reshape(-1, 3), (shape.faces[None] + before).reshape(-1, 3), colours)


def all_meshes(scene: Scene, fleet: Fleet | None = None, larger: float = 1.0) -> list[Part]:
    """Return every part in the order of drawing, trees and (larger) vehicles as meshes."""
    from viz.scene.vehicles import fleet_mesh

    near = {name: part for name, part in scene.parts.items() if name not in FAR.values()}
    first = [near[name] for name in ORDER if name in near]
    rest = [part for name, part in near.items() if name not in ORDER]
    moving = [] if fleet is None else [Part(fleet_mesh(fleet, larger))]
    return [*first, *rest, Part(tree_mesh(scene.trees)), *moving]


def magnified(pixel_m: float) -> float:
    """Return how many times larger than they are vehicles are drawn, by `Camera.pixel_m`."""
    from viz.scene.vehicles import SIZES

    return max(1.0, LEAST_PX * pixel_m / SIZES["car"][0])
