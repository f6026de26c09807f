"""Towns that are drawn, made by the real netgenerate and duarouter; and streets that are shut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envs.junction_rows import CUT, JunctionRows
from envs.observation import _best
from envs.opening import open_scene, resco_folder
from envs.scenes import SumoScene
from envs.task import make_task
from scenarios.training import open_scenes
from twin.errors import InputError
from twin.traffic.junctions import Junctions
from twin.traffic.loads import loads


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))


def town(number: int, **given: object) -> SumoScene:
    scene = open_scene(f"generated:{number}", **given)  # type: ignore[arg-type]
    assert isinstance(scene, SumoScene)
    return scene


def test_a_number_is_a_town_and_others_differ(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, other = town(1), town(3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    again = town(1)
    assert again.city.digest == first.city.digest != other.city.digest
    for seed in (0, 7):
        mine, same = first.flow(seed), again.flow(seed)
        np.testing.assert_array_equal(mine.state.route_street, same.state.route_street)
        np.testing.assert_array_equal(mine.state.vehicle["due"], same.state.vehicle["due"])


@pytest.mark.parametrize("number", [1, 3, 4, 5, 9])
def test_demand_loads_the_busiest_signal_as_it_says(number: int) -> None:
    scene = town(number)
    flow = scene.flow(0)
    load = loads(flow.network, Junctions.of(flow.network), flow.state)
    busiest = np.nansum(load, axis=1).max()
    assert 0.2 < busiest < 0.8  # 0.3 to 0.65, but for the draw and phases that are built


def test_every_third_has_built_phases_and_ranges_are_many() -> None:
    found = open_scenes(["generated:4-6"])
    assert [scene.name for scene in found] == ["generated:4", "generated:5", "generated:6"]
    most = [int(Junctions.of(scene.network).n_phases.max()) for scene in found]
    assert most[1] > 4 >= max(most[0], most[2])


def test_a_range_from_the_larger_number_is_refused() -> None:
    with pytest.raises(InputError, match="write generated:4-6"):
        open_scenes(["generated:6-4"])


@pytest.mark.parametrize("name", ["generated:", "generated:x", "generated:-1"])
def test_a_town_without_a_number_is_one_line(name: str) -> None:
    with pytest.raises(InputError, match="write generated:NUMBER"):
        open_scene(name)


def test_rewards_over_their_spread_have_no_unit() -> None:
    small, large = (
        [make_task(town(n, end_s=900.0), reward={"delay": unit}) for n in (1, 4)]
        for unit in (0.01, 10.0)
    )
    every = [JunctionRows(tasks, 2, discount=0.97) for tasks in (small, large)]
    every.append(JunctionRows(small, 2))
    for rows in every:
        rows.reset()
    rng = np.random.default_rng(0)
    given: list[list[np.ndarray]] = [[] for _ in every]
    for _ in range(80):
        action = rng.integers(0, 4, every[0].num_envs)
        for rows, kept in zip(every, given, strict=True):
            rows.step_async(action)
            kept.append(rows.step_wait()[1])
    one, other, plain = (np.array(kept) for kept in given)
    np.testing.assert_allclose(one[1:], other[1:], rtol=0.05, atol=0.02)
    assert np.abs(one).max() <= CUT
    assert (np.sign(one) == np.sign(plain)).all()
    assert np.abs(one).max() > 0.1


@pytest.mark.skipif(resco_folder() is None, reason="the maps of RESCO are not installed")
def test_nobody_enters_a_closed_street_and_both_engines_know() -> None:
    pytest.importorskip("libsumo")
    from agents.evaluation import of_days
    from envs.signal_control import make_runs

    usual = open_scene("cologne3", end_s=25200.0 + 900.0)
    assert isinstance(usual, SumoScene)
    flow = usual.flow(3)
    uses = np.bincount(flow.state.route_street, minlength=len(usual.city.streets))
    v = flow.state.vehicle
    ends = {*flow.state.route_street[v["route"]], *flow.state.route_street[v["route_end"] - 1]}
    busy = next(int(s) for s in np.argsort(uses)[::-1] if s not in ends)
    name = str(usual.city.streets["id"][busy])
    shut = open_scene("cologne3", end_s=25200.0 + 900.0, closed=[name])
    assert isinstance(shut, SumoScene)
    assert uses[busy] > 50
    there = shut.flow(3)
    assert not (there.state.route_street == busy).any()
    ways = shut.detours(3)
    left_out = [vehicle for vehicle, way in ways.items() if not way]
    assert len(there.ids) == len(flow.ids) - len(left_out)
    changed = sum(name not in way and bool(way) for way in ways.values())
    assert changed + len(left_out) >= uses[busy]
    for engine in ("twin", "sumo"):
        runs = make_runs(of_days(make_task(shut)), engine)
        runs.reset([3])
        while not runs.done.all():
            runs.step(np.zeros((1, len(runs.junctions)), int))
        trips = runs.trips(0)
        assert len(trips) == len(there.ids), engine
        if engine == "sumo":  # its own lengths tell which way they went
            done = trips[trips["arrival_s"].notna()].set_index("id")["route_length_m"]
            mine = [vehicle for vehicle, way in ways.items() if way and vehicle in done.index]
            assert len(mine) > 1
            at = {street: k for k, street in enumerate(shut.network.street_ids)}
            for vehicle in mine:
                way_m = sum(float(shut.network.street_m[at[edge]]) for edge in ways[vehicle])
                assert abs(done[vehicle] - way_m) < 0.25 * way_m + 30.0
        runs.close()


def test_closed_streets_where_they_cannot_be_are_one_line() -> None:
    with pytest.raises(InputError, match="in a city write a measure"):
        open_scene("helsinki", closed=["Mannerheimintie"])
    scene = town(1)
    with pytest.raises(InputError, match="street 'nowhere' is not in the city"):
        open_scene("generated:1", closed=["nowhere"])
    with pytest.raises(InputError, match="close fewer streets"):
        open_scene("generated:1", closed=scene.city.streets["id"].tolist())


@pytest.mark.parametrize("number", [1, 5])
def test_every_movement_has_a_phase_that_is_seen_to_serve_it(number: int) -> None:
    """Also those that have to yield in every phase: nobody is overlooked while waiting."""
    scene = town(number)
    junctions = Junctions.of(scene.network)
    best = _best(junctions)
    assert (best.any(axis=1) == junctions.green.any(axis=1)).all()
    assert not (best & ~junctions.green).any()
    assert (best >= junctions.protected).all()
    weak = junctions.green.any(axis=1) & ~junctions.protected.any(axis=1)
    assert weak.any()
