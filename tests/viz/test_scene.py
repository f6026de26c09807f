"""The scene of a city: what stands where, and that nothing stands in another's way."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import shapely

from viz.palette import Scale, rgb
from viz.scene.bands import band_mesh, band_tops
from viz.scene.buildings import building_blocks
from viz.scene.ground import Ground
from viz.scene.lights import COLOURS, programmed, stop_bars
from viz.scene.roads import DASH_M, lane_lines, markings
from viz.scene.scene import Scene, city_scene
from viz.scene.trees import trees
from viz.scene.vehicles import SIZES, Fleet, body, fleet_mesh
from viz.scene.works import barrier_mesh, tape_mesh

if TYPE_CHECKING:
    from twin.city import City
    from viz.mesh import Mesh


@pytest.fixture(scope="module")
def scene(helsinki: City) -> Scene:
    return city_scene(helsinki)


def outline(mesh: Mesh) -> shapely.Geometry:
    """What a mesh covers, seen from above."""
    flat = shapely.polygons(mesh.points[mesh.faces][:, :, :2])
    return shapely.union_all(flat[shapely.area(flat) > 1e-6])


def test_carriageways_are_as_wide_as_their_lanes(helsinki: City, scene: Scene) -> None:
    lanes = scene.lanes
    assert lanes.lengths() == pytest.approx(helsinki.lanes.geometry.length.to_numpy())
    paved = outline(scene.parts["roads"].mesh)
    middle = scene.ground.moved(
        shapely.line_interpolate_point(helsinki.lanes.geometry.to_numpy(), 0.5, normalized=True)
    )
    room = shapely.buffer(middle, helsinki.lanes["width_m"].to_numpy() / 2.0 - 0.05)
    inside = shapely.area(shapely.intersection(paved, room)) / shapely.area(room)
    assert (inside > 0.98).mean() > 0.98  # the rest lies in bends


def test_vehicles_stay_on_pavement_through_junctions(helsinki: City, scene: Scene) -> None:
    paved = outline(scene.parts["roads"].mesh)
    lines = scene.ground.moved(helsinki.movements.geometry.to_numpy())
    inside = shapely.length(shapely.intersection(paved, lines))
    assert inside.sum() > 0.97 * shapely.length(lines).sum()


def test_places_along_a_line_are_where_shapely_finds_them(helsinki: City, scene: Scene) -> None:
    rng = np.random.default_rng(2)
    lane = rng.integers(0, len(helsinki.lanes), 300)
    share = rng.uniform(-0.1, 1.1, 300)
    lines = scene.ground.moved(helsinki.lanes.geometry.to_numpy())[lane]
    place, way = scene.lanes.along(lane, share * scene.lanes.lengths()[lane])
    known = shapely.line_interpolate_point(lines, np.clip(share, 0, 1), normalized=True)
    assert np.abs(place - shapely.get_coordinates(known)).max() < 1e-6
    assert np.hypot(*way.T) == pytest.approx(1.0)


def test_dashes_lie_between_lanes(helsinki: City, scene: Scene) -> None:
    dashes = markings(scene.lanes, helsinki)
    assert len(dashes.width) > 300
    ends = dashes.xy.reshape(-1, 2, 2)
    assert np.hypot(*(ends[:, 1] - ends[:, 0]).T) == pytest.approx(DASH_M, abs=0.25)
    lanes = scene.ground.moved(helsinki.lanes.geometry.to_numpy())
    own = lanes[dashes.row]
    away = shapely.distance(own, shapely.points(ends.mean(axis=1)))
    half = helsinki.lanes["width_m"].to_numpy()[dashes.row] / 2.0
    assert np.abs(away - half).max() < 0.4


def test_no_tree_stands_on_a_street_a_house_or_in_water(helsinki: City, scene: Scene) -> None:
    found = trees(helsinki, scene.ground)
    assert len(found.height) > 300
    points = shapely.points(found.points[:, :2])
    for mesh in (scene.parts["roads"].mesh, scene.parts["water"].mesh):
        assert not shapely.contains(outline(mesh), points).any()
    houses = shapely.STRtree(scene.ground.moved(helsinki.buildings.geometry.to_numpy()))
    assert not len(houses.query(points, predicate="within")[0])
    again = trees(helsinki, scene.ground)
    assert (again.points == found.points).all()
    assert len(trees(helsinki, scene.ground, most=100).height) < 130


def test_buildings_stand_on_level_ground_with_their_heights(helsinki: City, scene: Scene) -> None:
    some = building_blocks(helsinki, scene.ground)
    assert (some.base == 0.0).all()
    assert some.top == pytest.approx(helsinki.buildings["height_m"].to_numpy()[some.row])
    assert len(some.row) > 0.95 * len(helsinki.buildings)


def test_stop_bars_lie_at_the_ends_of_their_lanes(helsinki: City, scene: Scene) -> None:
    bars = stop_bars(helsinki, scene.lanes)
    moves = helsinki.movements
    signalled = moves[moves["signal"] >= 0].drop_duplicates(["lane", "signal", "link"])
    assert len(bars.signal) == len(signalled)
    lane = moves["lane"].to_numpy()[bars.movement]
    ends = shapely.line_interpolate_point(helsinki.lanes.geometry.to_numpy()[lane], -0.6)
    away = shapely.distance(scene.ground.moved(ends), shapely.points((bars.a + bars.b) / 2.0))
    assert (away <= helsinki.lanes["width_m"].to_numpy()[lane] / 2.0).all()


def test_bars_show_what_the_program_says(helsinki: City, scene: Scene) -> None:
    bars = stop_bars(helsinki, scene.lanes)
    one = helsinki.signals[helsinki.signals["signal"] == bars.signal[0]]
    length = float(one["duration_s"].sum())
    first = float(one["offset_s"].iloc[0]) + 0.5
    letters = {"G": "green", "g": "green", "y": "yellow", "r": "red"}
    at_s = first
    for _, row in one.iterrows():
        for turn in (0.0, length):
            shown = programmed(helsinki, bars, at_s + turn)
            own = bars.signal == bars.signal[0]
            wanted = [letters[row["state"][k]] for k in bars.link[own]]
            assert [c for c, o in zip(shown, own, strict=True) if o] == wanted
        at_s += float(row["duration_s"])
    assert set(COLOURS) >= set(programmed(helsinki, bars, 0.0))


def test_bands_take_the_colour_of_their_value_and_rise_with_it(
    helsinki: City, scene: Scene
) -> None:
    values = pd.Series([100.0, 400.0], index=[3, 10])
    scale = Scale(0.0, 400.0)
    mesh = band_mesh(helsinki, scene.ground, values, scale)
    top = mesh.points[:, 2]
    assert (mesh.colours[top == top.max()] == scale.rgb([400.0])[0]).all()
    tops = band_tops(helsinki, scene.ground, values, scale)
    assert np.flatnonzero(tops).tolist() == [3, 10]
    assert tops[10] == pytest.approx(top.max())
    assert tops[3] < tops[10]
    near = band_mesh(helsinki, scene.ground, values, scale, unit_m=0.0)
    assert np.ptp(near.points[:, 2]) == 0.0
    lanes = helsinki.lanes[helsinki.lanes["street"].isin([3, 10])]
    wide = shapely.union_all(scene.ground.moved(lanes.geometry.buffer(1.6).to_numpy()))
    assert shapely.within(outline(near), wide.buffer(0.2))


def test_vehicles_are_as_large_as_they_are_and_head_where_they_drive() -> None:
    fleet = Fleet(
        np.array([(0.0, 0.0, 1.0), (50.0, 0.0, 0.0)]), np.array([np.pi / 2.0, 0.0]),
        np.array([2, 0]), np.array([True, False]),
    )  # fmt: skip
    mesh = fleet_mesh(fleet)
    bus = mesh.points[mesh.points[:, 0] < 25]
    length, width, height = SIZES["bus"]
    assert np.ptp(bus, axis=0) == pytest.approx((width, length, height))
    assert bus[:, 2].min() == 1.0
    car = body("car")
    assert np.ptp(car.points, axis=0) == pytest.approx(SIZES["car"])
    assert np.ptp(body("car", far=True).points[:, :2], axis=0) == pytest.approx(SIZES["car"][:2])
    assert (car.normals()[:, 2] > -0.01).all()  # closed above, open below


def test_stripes_cover_touched_streets_and_barriers_close_both_ends(
    helsinki: City, scene: Scene
) -> None:
    street = int(helsinki.streets["length_m"].argmax())
    lanes = helsinki.lanes[helsinki.lanes["street"] == street]
    where = (helsinki, scene.ground, scene.lanes)
    stripes = tape_mesh(*where, np.array([street]))
    assert {tuple(c) for c in stripes.colours.tolist()} == {
        tuple(rgb("#f5c400").tolist()), tuple(rgb("#262a33").tolist())
    }  # fmt: skip
    covered = outline(stripes).area
    assert covered == pytest.approx((lanes["width_m"] * lanes.geometry.length).sum(), rel=0.05)
    boards = barrier_mesh(*where, np.array([street]))
    assert len(shapely.get_parts(outline(boards))) == 2 * len(lanes)
    assert not len(tape_mesh(*where, np.zeros(0, int)))


def test_a_city_of_streets_alone_has_a_scene(helsinki: City) -> None:
    bare = dataclasses.replace(
        helsinki, buildings=helsinki.buildings.iloc[:0], landuse=helsinki.landuse.iloc[:0],
        water=helsinki.water.iloc[:0], places=helsinki.places.iloc[:0],
        surfaces=helsinki.surfaces.iloc[:0],
    )  # fmt: skip
    scene = city_scene(bare)
    assert len(scene.parts["roads"].mesh)
    assert not len(scene.parts["buildings"].mesh)
    assert not len(scene.trees.height)
    assert Ground.of(bare).origin[2] == 0.0
    assert len(lane_lines(bare, scene.ground).width) == len(helsinki.lanes)
