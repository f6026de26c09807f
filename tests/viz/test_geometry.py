"""Blocks, shadows, camera and rasteriser against what geometry says."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from viz.camera import Camera, fitted
from viz.geometry import Mesh, extrude, flat, merge, shadows
from viz.raster import rasterise

GREY = np.array([200, 200, 200], np.uint8)
HOUSE = shapely.Polygon([(0, 0), (20, 0), (20, 10), (0, 10)], [[(5, 3), (5, 7), (15, 7), (15, 3)]])


def area(mesh: Mesh) -> float:
    a, b, c = (mesh.points[:, k] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def test_a_flat_covers_the_polygon_less_its_courtyard() -> None:
    assert area(flat([HOUSE], 0.0, GREY)) == pytest.approx(HOUSE.area)


def test_a_block_has_a_roof_and_walls_around_outside_and_courtyard() -> None:
    block = extrude([HOUSE], 0.0, np.array([6.0]), GREY[None], (0.0, 0.0, 1.0))
    assert area(block) == pytest.approx(HOUSE.area + 6.0 * HOUSE.length)
    assert block.points[:, :, 2].max() == 6.0


def test_walls_that_face_the_light_are_brighter() -> None:
    block = extrude([shapely.box(0, 0, 10, 10)], 0.0, np.array([5.0]), GREY[None], (0.8, 0.0, 0.6))
    top = block.colours[..., 0][block.points[:, :, 2] == 5.0]
    x = block.points[:, :, 0][block.points[:, :, 2] == 5.0]
    wall = top < 200
    assert top[wall & (x == 10)].max() > top[wall & (x == 0)].max()


def test_shadow_of_a_cube_is_its_footprint_and_the_swept_edge() -> None:
    # Sun at 45 degrees: the shadow is as long as the block is high.
    light = (-np.sqrt(0.5), 0.0, np.sqrt(0.5))
    dark = shadows([shapely.box(0, 0, 10, 10)], np.array([8.0]), light)
    assert dark.area == pytest.approx(100.0 + 10.0 * 8.0)
    assert dark.bounds == pytest.approx((0, 0, 18, 10))


def test_shadow_of_an_angled_house_is_that_of_its_two_wings() -> None:
    light = (-np.sqrt(0.5), 0.0, np.sqrt(0.5))
    wings = [shapely.box(0, 0, 30, 5), shapely.box(0, 0, 5, 30)]
    whole = shadows([shapely.union_all(wings)], np.array([8.0]), light)
    apart = shadows(wings, np.array([8.0, 8.0]), light)
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


def test_what_is_nearer_hides_what_is_behind() -> None:
    square = shapely.box(-1, -1, 1, 1)
    low = flat([square], 0.0, np.array([250, 0, 0], np.uint8))
    high = flat([square], 1.0, np.array([0, 250, 0], np.uint8))
    camera = Camera((0.0, -0.01, 10.0), (0.0, 0.0, 0.0), 40.0, 1.0)
    for order in ([low, high], [high, low]):
        seen = rasterise(merge(order), merge([]), camera, (40, 40), 0.5)
        assert tuple(seen[20, 20]) == (0, 250, 0, 255)
    assert seen[0, 0, 3] == 0  # beside the square there is nothing


def test_shade_darkens_once_where_its_triangles_overlap() -> None:
    ground = flat([shapely.box(-9, -9, 9, 9)], 0.0, GREY)
    shade = flat([shapely.box(-2, -2, 2, 2)] * 2, 0.1, GREY)
    camera = Camera((0.0, -0.01, 10.0), (0.0, 0.0, 0.0), 40.0, 1.0)
    seen = rasterise(ground, shade, camera, (40, 40), 0.25)
    assert seen[20, 20, 0] == 150
    assert seen[1, 1, 0] == 200
