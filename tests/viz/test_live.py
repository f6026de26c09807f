"""Live pictures show what is: lights at stop lines, vehicles on lanes, the belief of sections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.roads.maintenance import RoadMaintenanceEnv
from envs.signal_control import SignalControlEnv
from twin.traffic.network import RED, YELLOW
from viz.live import FINER, PANEL, Lines, View, heading, rgb_of
from viz.live_roads import CONDITION, TREATED
from viz.live_signals import ASPHALT, CHIP, LIGHTS, MOVING, STANDING, Bodies, Words


@pytest.fixture(scope="module")
def env() -> SignalControlEnv:
    made = SignalControlEnv("generated:2", junction=2, render_mode="rgb_array")
    made.reset(seed=1)
    for _ in range(61):
        made.step(int(made.runs.served[0, 0]))
    made.render()
    return made


def parts(env: SignalControlEnv) -> tuple[Any, Any, Bodies]:
    picture = env._painter._picture
    return picture, env.runs.control.batch.copies[0], env.runs.drawn(0, picture)


def colours(frame: Any, picture: Any, at: Any) -> tuple[Any, Any]:
    """Colours of the picture at places, and which of them are on it."""
    view = picture.canvas.view
    x, y = np.round(view.pixels(at) - 0.5).astype(int).T
    on = (x >= 3) & (x < view.width - 3) & (y >= 3) & (y < view.height - 3)
    middle = view.pixels(picture._middles)
    chip = np.hypot(*(view.pixels(at)[:, None] - middle[None]).swapaxes(0, 2)).min(axis=0) < 18
    return frame[y[on & ~chip], x[on & ~chip] + PANEL].astype(int), on & ~chip


def test_points_along_lines_and_straight_on_beyond() -> None:
    from shapely import LineString

    lines = Lines([LineString([(0, 0), (3, 0), (3, 4)]), LineString([(10, 0), (10, 2)])])
    np.testing.assert_allclose(lines.length_m, [7.0, 2.0])
    at = lines.at(np.array([0, 0, 0, 0, 1, 1, 1]), np.array([-1.0, 1.0, 5.0, 8.0, -1.0, 1.0, 3.0]))
    wanted = [(-1, 0), (1, 0), (3, 2), (3, 5), (10, -1), (10, 1), (10, 3)]
    np.testing.assert_allclose(at, wanted)


def test_north_is_up_and_all_of_it_is_seen() -> None:
    view = View.fitted((100.0, 200.0, 300.0, 250.0), 400, 400)
    assert view.scale == 2.0
    np.testing.assert_allclose(
        view.pixels([(100.0, 225.0), (300.0, 225.0)]), [(0, 200), (400, 200)]
    )
    assert view.pixels([(200.0, 250.0)])[0, 1] < view.pixels([(200.0, 200.0)])[0, 1]


def test_headings_are_names() -> None:
    assert [heading(name) for name in ("helsinki", "grid4x4")] == ["Helsinki", "grid4x4"]


def test_bars_at_stop_lines_have_the_colours_of_the_lights(env: SignalControlEnv) -> None:
    picture, state, _ = parts(env)
    state.link["light"][picture._bar_links[::3]] = YELLOW  # so that there are all three
    frame = env.render()
    light = state.link["light"][picture._bar_links]
    kind = np.where(light == RED, 0, np.where(light == YELLOW, 1, 2))
    middle = np.stack([bars.mean(axis=1) for bars in picture._bars])[kind, np.arange(len(kind))]
    seen, on = colours(frame, picture, middle)
    assert set(kind[on]) == {0, 1, 2}
    assert (np.abs(seen - LIGHTS[kind[on]]).max(axis=1) < 40).all()
    red, green = picture._bars[0], picture._bars[2]
    assert (
        np.hypot(*(red[:, 2] - red[:, 1]).T).min() > np.hypot(*(green[:, 2] - green[:, 1]).T).max()
    )


def test_vehicles_are_on_streets_and_coloured_by_whether_they_stand(env: SignalControlEnv) -> None:
    picture, state, bodies = parts(env)
    assert len(bodies) > 5
    middle = (bodies.front + bodies.rear) / 2
    frame = env.render()
    seen, on = colours(frame, picture, middle)
    assert on.sum() >= 3
    wanted = np.where(bodies.standing[on, None], STANDING, MOVING)
    assert (np.abs(seen - wanted).max(axis=1) < 30).all()
    words = Words(0.0, (), env.runs.served[0], np.full(1, -1))
    empty = picture.frame(state, Bodies.none(), words)
    below, _ = colours(empty, picture, middle)
    near = np.abs(below - rgb_of(ASPHALT)).max(axis=1) < 30
    marked = below.min(axis=1) > 100  # a line of paint
    assert (near | marked).all()
    assert near.mean() > 0.6


def test_vehicles_drive_on_the_right_and_do_not_overlap(env: SignalControlEnv) -> None:
    import shapely

    picture, _, bodies = parts(env)
    city = env.task.scene.city
    middle = (bodies.front + bodies.rear) / 2
    ahead = bodies.front - bodies.rear
    ends = np.array([g.coords[-1] for g in city.lanes.geometry])
    begins = np.array([g.coords[0] for g in city.lanes.geometry])
    near = shapely.STRtree(city.lanes.geometry.to_numpy()).nearest(shapely.points(bodies.front))
    from_junction = [
        shapely.distance(p, g)
        for p, g in zip(shapely.points(middle), city.lanes.geometry.to_numpy()[near], strict=True)
    ]
    on_lane = np.array(from_junction) < 0.5
    assert on_lane.sum() > 5
    forward = ((ends - begins)[near] * ahead).sum(axis=1) > 0
    assert forward[on_lane].all()
    corners = picture._corners(bodies)
    areas = shapely.polygons(corners)
    one, other = shapely.STRtree(areas).query(areas, predicate="overlaps")
    shared = shapely.area(shapely.intersection(areas[one], areas[other]))
    assert (shared < 1.0).all()  # m²


def test_the_phase_is_on_the_junction(env: SignalControlEnv) -> None:
    picture, _, _ = parts(env)
    x, y = np.round(picture.canvas.view.pixels(picture._middles)[0]).astype(int)
    around = (
        env.render()[y - 14 : y + 15, x + PANEL - 14 : x + PANEL + 15].reshape(-1, 3).astype(int)
    )
    assert (np.abs(around - CHIP).max(axis=1) < 20).sum() > 150


@pytest.fixture
def roads() -> RoadMaintenanceEnv:
    made = RoadMaintenanceEnv("generated:0", sections=40, render_mode="rgb_array")
    made.reset(seed=2)
    made.render()
    return made


def section_colours(env: RoadMaintenanceEnv, frame: Any) -> Any:
    picture = env._rendering.painter._picture
    middle = np.array([np.mean(ring[:4], axis=0) for ring in picture._strips]) / FINER
    x, y = np.round(middle - 0.5).astype(int).T
    return frame[y, x + PANEL].astype(int)


def test_sections_show_what_the_city_believes_and_not_the_truth(roads: RoadMaintenanceEnv) -> None:
    believed = roads.runs.room.seen[0, :, 5]
    frame = roads.render()
    seen = section_colours(roads, frame)
    assert (np.abs(seen - CONDITION.rgb(believed)).max(axis=1) < 20).all()
    assert len(np.unique(seen, axis=0)) > 5
    roads.runs.state.section[0]["pci"][:] = 5.0
    np.testing.assert_array_equal(roads.render()[:, PANEL:], frame[:, PANEL:])


def test_what_is_treated_this_year_is_framed(roads: RoadMaintenanceEnv) -> None:
    blue = rgb_of(TREATED)

    def framed() -> int:
        return int((np.abs(roads.render()[:, PANEL:].astype(int) - blue).max(axis=2) < 12).sum())

    assert framed() == 0
    for _ in range(3):
        roads.step(np.full(roads.runs.units, 1))
    section = roads.runs.state.section[0]
    assert (section["treated"] >= 0).any()
    assert framed() > 50
    section["treated"][:] = -1
    assert framed() == 0
