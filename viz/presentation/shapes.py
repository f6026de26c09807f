"""The shapes of a city as arrays for the page: blocks, areas, lanes, junctions, markings, trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from viz.language import LANGUAGES, language
from viz.mesh import polygons_of
from viz.outlines import street_axes
from viz.picture import attribution
from viz.scene.buildings import building_blocks, building_faces
from viz.scene.ground import green_and_water, paved
from viz.scene.lights import stop_bars
from viz.scene.roads import junction_areas, lane_lines, markings, movement_lines
from viz.scene.trees import trees

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.presentation.pack import Pack
    from viz.scene.ground import Ground
    from viz.scene.roads import Lines

    Rows = npt.NDArray[np.intp]

XY_M = 0.1  # places are rounded to it
FINE_M = 0.02  # lanes and what lies on them
SIMPLER_M = 0.12  # by which an outline may be off
GRID_MOST = 300  # posts of the terrain along a side


def pack_city(pack: Pack, city: City, ground: Ground) -> dict[str, Any]:
    """Add a city's shapes; return what the page's header says of them.

    Coordinates are metres in the scene, of which `ground.origin` is the origin.
    """
    x, y, _ = ground.origin
    west, south, east, north = ground.box
    _terrain(pack, ground)
    green, water = green_and_water(city, ground)
    _areas(pack, "green", green)
    _areas(pack, "water", water)
    lanes = lane_lines(city, ground)
    _streets(pack, city, ground, lanes)
    _roads(pack, city, ground, lanes)
    names = _buildings(pack, city, ground)
    some = trees(city, ground)
    pack.add("tree.xyz", some.points, step=XY_M)
    pack.add("tree.height", some.height, step=XY_M)
    return {
        "name": city.name,
        "crs": f"EPSG:{city.crs.to_epsg()}" if city.crs.to_epsg() else city.crs.name,
        "origin": [round(x, 1), round(y, 1)],
        "box": [round(v, 1) for v in (west - x, south - y, east - x, north - y)],
        "attribution": _sources(city),
        "buildings": names,
    }  # fmt: skip


def _sources(city: City) -> dict[str, str]:
    """Return whose data it is, in each language."""
    found: dict[str, str] = {}
    for code in LANGUAGES:
        with language(code):
            found[code] = attribution(city)
    return found


def _terrain(pack: Pack, ground: Ground) -> None:
    """Add the heights of the ground on a grid, rows from south, where it is not level."""
    if ground.terrain is None:
        return
    x, y, _ = ground.origin
    west, south, east, north = ground.box
    step = max(ground.terrain.step_m, max(east - west, north - south) / GRID_MOST)
    across = np.arange(west, east + step, step) - x
    along = np.arange(south, north + step, step) - y
    grid = np.stack(np.meshgrid(np.minimum(across, east - x), np.minimum(along, north - y)), -1)
    pack.add("terrain.frame", [west - x, south - y, step, len(across), len(along)], step=0.01)
    pack.add("terrain.height", ground.height(grid.reshape(-1, 2)), step=0.05, delta=True)


def _areas(pack: Pack, name: str, shapes: Any) -> Rows:
    """Add polygons: rings of each, points of each ring, places; return where each comes from."""
    import shapely

    parts, row = polygons_of(shapes)
    if len(parts):
        simple = shapely.simplify(parts, SIMPLER_M)
        parts = np.where(shapely.is_empty(simple) | ~shapely.is_valid(simple), parts, simple)
        parts = shapely.orient_polygons(parts)
    rings, of = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    last = np.append(np.diff(ring) != 0, True) if len(ring) else np.zeros(0, bool)
    xy, ring = xy[~last], ring[~last]  # rings close by themselves
    pack.add(f"{name}.rings", np.bincount(of, minlength=len(parts)))
    pack.add(f"{name}.points", np.bincount(ring, minlength=len(rings)))
    pack.add(f"{name}.xy", xy, step=XY_M, delta=True)
    return row


def _lines(pack: Pack, name: str, lines: Lines, step: float = FINE_M) -> None:
    pack.add(f"{name}.points", np.bincount(lines.of, minlength=len(lines.width)))
    pack.add(f"{name}.xy", lines.xy, step=step, delta=True)


def _streets(pack: Pack, city: City, ground: Ground, lanes: Lines) -> None:
    """Add the streets' axes, on the side on which they drive, and what is asked of them."""
    from viz.scene.roads import lines_of

    streets = city.streets
    of = city.lanes["street"].to_numpy()
    width = np.asarray(np.bincount(of, lanes.width, len(streets)), np.float64).astype(float)
    lines = lines_of(street_axes(city), width, np.arange(len(streets)), ground)
    _lines(pack, "street", lines, XY_M)
    pack.add("street.width", np.maximum(width, 2.5), step=0.1)
    ends = streets[["from_junction", "to_junction"]].to_numpy()
    there = {(a, b) for a, b in ends.tolist()}
    pack.add("street.both", [(b, a) in there for a, b in ends.tolist()])
    pack.add("street.lanes", streets["lanes"].to_numpy())
    pack.add("street.kmh", np.round(streets["speed_m_s"].to_numpy() * 3.6))
    pack.add("street.length", streets["length_m"].to_numpy(), step=0.5)


def _roads(pack: Pack, city: City, ground: Ground, lanes: Lines) -> None:
    """Add lanes, ways through junctions, the junctions' areas, markings and stop bars."""
    table, moves = city.lanes, city.movements
    _lines(pack, "lane", lanes)
    pack.add("lane.width", lanes.width, step=0.1)
    pack.add("lane.length", table["length_m"].to_numpy(), step=0.05)
    pack.add("lane.speed", table["speed_m_s"].to_numpy(), step=0.05)
    pack.add("lane.street", table["street"].to_numpy(), delta=True)
    through = movement_lines(city, ground)
    _lines(pack, "move", through)
    pack.add("move.length", moves["length_m"].to_numpy(), step=0.05)
    pack.add("move.speed", moves["speed_m_s"].to_numpy(), step=0.05)
    pack.add("move.wait", moves["wait_m"].to_numpy(), step=0.05)
    pack.add("move.lane", moves["lane"].to_numpy(), delta=True)
    pack.add("move.to", moves["to_lane"].to_numpy(), delta=True)
    _areas(pack, "junction", np.concatenate([junction_areas(lanes, city), paved(city, ground)]))
    _lines(pack, "marking", markings(lanes, city), XY_M)
    bars = stop_bars(city, lanes)
    pack.add("bar.ends", np.column_stack([bars.a, bars.b]), step=0.05)
    _, head = np.unique(_heads(bars.signal, bars.link), return_inverse=True)
    pack.add("bar.head", head)


def light_heads(city: City, lanes: Lines) -> npt.NDArray[np.int64]:
    """Return the lights that stop bars show, as `signal << 16 | link`, rising."""
    bars = stop_bars(city, lanes)
    return np.unique(_heads(bars.signal, bars.link))


def _heads(signal: Any, link: Any) -> npt.NDArray[np.int64]:
    return np.asarray(signal, np.int64) << 16 | np.asarray(link, np.int64)


def _buildings(pack: Pack, city: City, ground: Ground) -> list[str]:
    """Add blocks and faces; return the names of buildings that have one."""
    some, faces = building_blocks(city, ground), building_faces(city, ground)
    row = _areas(pack, "building", some.footprints)
    pack.add("building.row", some.row[row], delta=True)
    base, top = np.zeros(len(city.buildings)), np.zeros(len(city.buildings))
    base[some.row], top[some.row] = some.base, some.top
    pack.add("building.base", base, step=0.1)
    pack.add("building.height", top - base, step=0.1)
    table = city.buildings
    pack.add("building.real_height", table["height_m"].to_numpy(), step=0.1)
    pack.add("building.floor", np.round(np.nan_to_num(table["floor_area_m2"].to_numpy())))
    pack.add("building.measured", table["height_source"].to_numpy() != "default")
    from twin.city.schema import BUILDING_USES

    uses = {use: k for k, use in enumerate(BUILDING_USES)}
    pack.add("building.use", table["use"].map(uses).fillna(len(uses) - 1).to_numpy())
    names = table["name"].fillna("").astype(str)
    known = [n for n in dict.fromkeys(names) if n]
    number = {n: k for k, n in enumerate(known)}
    pack.add("building.name", [number.get(n, -1) for n in names], delta=True)
    if len(faces.points):
        pack.add("face.xyz", faces.points.reshape(-1, 3), step=0.05, delta=True)
        pack.add("face.row", faces.row, delta=True)
        pack.add("face.roof", faces.roof)
    return known
