"""Works on the clock are felt in batched training as in a single simulation."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from envs.opening import open_scene
from envs.runs import Runs
from envs.scenes import CityScene
from envs.task import make_task
from twin.errors import InputError
from twin.roads.works import Works
from twin.simulation import Simulation
from twin.traffic.measures import SignalPolicy

if TYPE_CHECKING:
    from twin.city import City

BEGIN_S, END_S, SEED = 9 * 3600.0, 9.5 * 3600.0, 3


@pytest.fixture(scope="module")
def scene(helsinki: City) -> CityScene:
    found = open_scene(helsinki, begin_s=BEGIN_S, end_s=END_S, scale=0.4)
    assert isinstance(found, CityScene)
    return found


@pytest.fixture(scope="module")
def works(helsinki: City, scene: CityScene) -> Works:
    """The busiest street is closed from 9:05 to 9:20."""
    routes = scene.prepared(SEED).routes
    load = np.bincount(routes.street, minlength=len(helsinki.streets)).astype(float)
    load[helsinki.streets["length_m"].to_numpy() < 60.0] = 0.0
    street = str(helsinki.streets["id"].iloc[int(np.argmax(load))])
    return Works(street=street, begin="09:05", hours=0.25, closes=True)


def with_works(scene: CityScene, works: Works, response: Any) -> CityScene:
    found = open_scene(
        scene.city, begin_s=BEGIN_S, end_s=END_S, scale=0.4, measures=[works], response=response
    )
    assert isinstance(found, CityScene)
    found._prepared.update(scene._prepared)
    return found


@pytest.mark.parametrize("response", ["none", "en_route"])
def test_each_copy_is_the_single_simulation_with_the_works(
    response: Any, scene: CityScene, works: Works
) -> None:
    """Under the given programs: the same trips to the tick, detours included."""
    closed = with_works(scene, works, response)
    single = Simulation(
        scene.city,
        scene.prepared(SEED),
        seed=SEED,
        begin_s=BEGIN_S - scene.warmup_s,
        end_s=END_S,
        warmup_s=scene.warmup_s,
        measures=[works],
        response=response,
    )
    wanted = single.run().tables["trips"]
    task = make_task(closed, draws=None, first_seed=0)
    runs = Runs(task, 2, controlled=False)
    runs.reset([SEED, SEED])
    while not runs.done.all():
        runs.step(np.zeros((2, len(runs.junctions)), np.int64))
    for k in range(2):
        trips = runs.trips(k)
        for name in ("depart_s", "arrival_s", "route_length_m", "time_loss_s"):
            np.testing.assert_allclose(trips[name], wanted[name], atol=1e-6, err_msg=name)


def test_agents_feel_the_works_and_the_account_still_sums_up(
    scene: CityScene, works: Works
) -> None:
    delay = {}
    for name, place in (("open", scene), ("closed", with_works(scene, works, "en_route"))):
        runs = Runs(make_task(place, draws=None, first_seed=0), 2)
        runs.reset([SEED, SEED])
        rng = np.random.default_rng(0)
        before = [runs.trips(k) for k in range(2)]
        while not runs.done.all():
            one = rng.integers(0, 8, (1, len(runs.junctions)))
            runs.step(np.repeat(one, 2, axis=0))
        np.testing.assert_array_equal(runs.row[0], runs.row[1])
        assert len(before[0]) == len(runs.trips(0))
        delay[name] = runs.delay_s(0)
    assert delay["closed"] > 1.02 * delay["open"]


def test_an_episode_with_works_can_be_pickled(scene: CityScene, works: Works) -> None:
    """Before, while and after the street is closed."""
    runs = Runs(make_task(with_works(scene, works, "en_route"), draws=None, first_seed=0))
    runs.reset([SEED])
    actions = np.random.default_rng(0).integers(0, 8, (180, 1, len(runs.junctions)))
    others: list[Runs] = []
    for step, action in enumerate(actions):
        if step in (10, 60, 150):
            others.append(pickle.loads(pickle.dumps(runs)))
        for one in (runs, *others):
            one.step(action)
    for one in others:
        np.testing.assert_array_equal(one.row, runs.row)
        assert one.indicators(0) == runs.indicators(0)


def test_measures_where_they_cannot_be_are_one_line(works: Works) -> None:
    with pytest.raises(InputError, match="measures need a city"):
        open_scene("cologne1", measures=[works])
    with pytest.raises(InputError, match="the agent's"):
        open_scene("helsinki", measures=[SignalPolicy(policy="max_pressure")])
    with pytest.raises(InputError, match="nowhere"):
        open_scene("helsinki", measures=[works.model_copy(update={"street": "nowhere"})])
