"""Blocks, ribbons, shadows, camera and rasteriser against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from viz import light
from viz.camera import Camera, fitted, looking
from viz.mesh import Mesh, blocks, flat, merge, ribbons, shadows, sides
from viz.raster import rasterise
from viz.scene.scene import Part

GREY = np.array([200, 200, 200], np.uint8)
HOUSE = shapely.Polygon([(0, 0), (20, 0), (20, 10), (0, 10)], [[(5, 3), (5, 7), (15, 7), (15, 3)]])
ABOVE = (0.0, 0.0, 1.0)


def areas(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.points[mesh.faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0


def test_a_flat_covers_the_polygon_less_its_courtyard() -> None:
    mesh = flat([HOUSE], 0.0, GREY)
    assert areas(mesh).sum() == pytest.approx(HOUSE.area)
    assert (mesh.normals()[:, 2] > 0.99).all()


def test_a_block_has_a_roof_and_walls_around_outside_and_courtyard() -> None:
    block = blocks([HOUSE], 0.0, np.array([6.0]), GREY)
    assert areas(block).sum() == pytest.approx(HOUSE.area + 6.0 * HOUSE.length)
    assert len(block.points) == 2 * 8  # every corner twice: foot and roof
    roof = block.normals()[:, 2] > 0.99
    assert areas(block)[roof].sum() == pytest.approx(HOUSE.area)
    assert block.points[block.faces[roof]][:, :, 2].min() == 6.0


def test_walls_face_away_from_what_is_built() -> None:
    houses = [HOUSE, shapely.box(100, 0, 130, 12), shapely.Polygon([(50, 0), (50, 9), (60, 0)])]
    block = blocks(houses, 0.0, np.array([6.0, 9.0, 4.0]), GREY)
    normal = block.normals()
    wall = np.abs(normal[:, 2]) < 0.5
    middle = block.points[block.faces[wall]].mean(axis=1)[:, :2]
    before = shapely.points(middle + 0.01 * normal[wall][:, :2])
    behind = shapely.points(middle - 0.01 * normal[wall][:, :2])
    built = shapely.union_all(houses)
    assert not shapely.contains(built, before).any()
    assert shapely.contains(built, behind).all()


def test_many_blocks_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(3)
    shapes = [
        shapely.affinity.translate(shapely.Point(0, 0).buffer(r, quad_segs=q), x, 0)
        for r, q, x in zip(rng.uniform(2, 9, 40), rng.integers(1, 5, 40), range(0, 800, 20),
                           strict=True)
    ]  # fmt: skip
    height = rng.uniform(3, 30, 40)
    together = areas(blocks(shapes, 0.0, height, GREY)).sum()
    alone = sum(areas(blocks([s], 0.0, h, GREY)).sum() for s, h in zip(shapes, height, strict=True))
    assert together == pytest.approx(alone)
    assert together == pytest.approx(
        sum(s.area + h * s.length for s, h in zip(shapes, height, strict=True))
    )


def test_a_ribbon_is_as_wide_as_said_and_keeps_its_width_in_a_bend() -> None:
    line = shapely.LineString([(0, 0), (100, 0), (100, 50)])
    band = ribbons([line], np.array([4.0]), 0.0, GREY)
    # A mitred right angle has as much outside as inside: width times length.
    assert areas(band).sum() == pytest.approx(4.0 * line.length)
    assert (band.normals()[:, 2] > 0.99).all()
    across = np.hypot(*(band.points[1] - band.points[4])[:2])
    assert across == pytest.approx(4.0 * np.sqrt(2.0))


def test_ribbons_of_several_lines_are_not_joined() -> None:
    lines = [shapely.LineString([(0, 0), (10, 0)]), shapely.LineString([(50, 50), (60, 50)])]
    band = ribbons(lines, np.array([2.0, 4.0]), 0.0, np.array([[1, 1, 1], [2, 2, 2]], np.uint8))
    assert areas(band).sum() == pytest.approx(10 * 2.0 + 10 * 4.0)
    assert sides(np.array([(0, 0), (10, 0.0)]), np.zeros(2, int)).tolist() == [[0, 1], [0, 1]]


def test_faces_towards_the_light_are_brighter_and_level_ones_keep_their_colour() -> None:
    block = blocks([shapely.box(0, 0, 10, 10)], 0.0, 5.0, GREY, foot_shade=1.0)
    shown = light.lit(block, light.sun(0.0))[:, 0, 0].astype(int)
    normal = block.normals()
    towards = normal @ np.array(light.sun(0.0))
    assert shown[np.argmax(towards)] > shown[np.argmin(towards)] + 40
    assert abs(shown[normal[:, 2] > 0.9] - 200).max() <= 2


def test_shadow_of_a_cube_is_its_footprint_and_the_swept_edge() -> None:
    # Sun at 45 degrees: the shadow is as long as the block is high.
    sun = (-np.sqrt(0.5), 0.0, np.sqrt(0.5))
    dark = shadows([shapely.box(0, 0, 10, 10)], np.array([8.0]), sun)
    assert dark.area == pytest.approx(100.0 + 10.0 * 8.0)
    assert dark.bounds == pytest.approx((0, 0, 18, 10))


def test_shadow_of_an_angled_house_is_that_of_its_two_wings() -> None:
    sun = (-np.sqrt(0.5), 0.0, np.sqrt(0.5))
    wings = [shapely.box(0, 0, 30, 5), shapely.box(0, 0, 5, 30)]
    whole = shadows([shapely.union_all(wings)], np.array([8.0]), sun)
    apart = shadows(wings, np.array([8.0, 8.0]), sun)
    assert shapely.symmetric_difference(whole, apart).area < 1e-6


@pytest.mark.parametrize("extent", [(1000.0, 1700.0), (6000.0, 2500.0), (500.0, 500.0)])
def test_the_camera_holds_the_city_within_its_frame(extent: tuple[float, float]) -> None:
    x, y = extent
    corners = np.array([(i, j, k) for i in (0, x) for j in (0, y) for k in (-20, 60)], float)
    frame = (0.02, 0.14, 0.98, 0.965)
    pixels = fitted(corners, (1920, 1080), frame).pixels(corners, (1920, 1080)) / (1920, 1080)
    assert pixels[:, 0].min() >= frame[0] - 0.005
    assert pixels[:, 0].max() <= frame[2] + 0.005
    assert pixels[:, 1].min() == pytest.approx(frame[1], abs=0.005)
    assert pixels[:, 1].max() <= frame[3] + 0.005


def test_a_camera_stands_where_it_is_told() -> None:
    camera = looking((10.0, 20.0, 0.0), 100.0, 90.0, 0.0, (200, 100))
    assert camera.position == pytest.approx((110.0, 20.0, 0.0))
    assert camera.azimuth_deg == pytest.approx(90.0)
    assert camera.distance_m == pytest.approx(100.0)
    high = looking((0.0, 0.0, 0.0), 100.0, 0.0, 30.0, (200, 100))
    assert high.elevation_deg == pytest.approx(30.0)
    assert high.position[2] == pytest.approx(50.0)


def test_what_is_nearer_hides_what_is_behind() -> None:
    square = shapely.box(-1, -1, 1, 1)
    low = Part(flat([square], 0.0, np.array([250, 0, 0], np.uint8)), lit=False)
    high = Part(flat([square], 1.0, np.array([0, 250, 0], np.uint8)), lit=False)
    camera = Camera((0.0, -0.01, 10.0), (0.0, 0.0, 0.0), 40.0, 1.0)
    for order in ([low, high], [high, low]):
        seen = rasterise(order, ABOVE, camera, (40, 40))
        assert tuple(seen[20, 20]) == (0, 250, 0, 255)
    assert seen[0, 0, 3] == 0  # beside the square there is nothing


def test_of_faces_that_lie_on_each_other_the_later_part_is_seen() -> None:
    camera = Camera((3.0, -40.0, 25.0), (0.0, 0.0, 0.0), 40.0, 1.0)
    first = Part(flat([shapely.box(-9, -9, 9, 9)], 0.0, np.array([250, 0, 0], np.uint8)), lit=False)
    second = Part(flat([shapely.Point(0, 0).buffer(5)], 0.0, np.array([0, 0, 250], np.uint8)),
                  lit=False)  # fmt: skip
    alone = rasterise([second], ABOVE, camera, (80, 80))
    seen = rasterise([first, second], ABOVE, camera, (80, 80))
    inside = alone[..., 3] == 255
    assert inside.sum() > 100
    assert (seen[inside][:, 2] >= 248).all()  # not a speckle of what lies below


def test_shade_darkens_once_where_its_triangles_overlap() -> None:
    ground = Part(flat([shapely.box(-9, -9, 9, 9)], 0.0, GREY), lit=False)
    shade = Part(merge([flat([shapely.box(-2, -2, 2, 2)], 0.0, GREY)] * 2), opacity=0.75, lit=False)
    camera = Camera((0.0, -0.01, 10.0), (0.0, 0.0, 0.0), 40.0, 1.0)
    seen = rasterise([ground, shade], ABOVE, camera, (40, 40))
    assert seen[20, 20, 0] == 50
    assert seen[1, 1, 0] == 200


def test_ground_under_the_camera_is_seen_up_to_it() -> None:
    ground = Part(flat([shapely.box(-900, -900, 900, 900)], 0.0, GREY), lit=False)
    camera = looking((0.0, 0.0, 0.0), 40.0, 30.0, 35.0, (60, 40))
    seen = rasterise([ground], ABOVE, camera, (60, 40))
    assert (seen[..., 3] == 255).mean() > 0.95
    assert (seen[20:, :, 0] == 200).all()
