"""Road maintenance: every environment follows its standard, and says what the ledger says."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from pettingzoo.test import parallel_api_test, parallel_seed_test

import envs
from agents.roads.trained import rows_of
from envs.roads.maintenance import RoadMaintenanceEnv
from envs.roads.parallel import parallel_env
from envs.roads.runs import RoadRuns
from envs.roads.sb3 import RoadVecEnv
from envs.roads.scenes import make_road_task, split
from envs.roads.vector import RoadVectorEnv
from twin.errors import InputError, SimulationError
from twin.roads.decade import make_view
from twin.roads.state import OPTION_COUNT


@pytest.mark.parametrize("given", [{}, {"action": "scores"}, {"corridors": True}, {"weeks": 26}])
def test_checkers_accept_it(given: dict[str, Any]) -> None:
    from stable_baselines3.common.env_checker import check_env as check_sb3

    env = gymnasium.make(envs.ROAD_MAINTENANCE, sections=20, **given)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box.*normaliz.*", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*symmetric.*", category=UserWarning)
        check_gymnasium(env.unwrapped, skip_render_check=True)
        check_sb3(env.unwrapped)


def test_pettingzoo_accepts_one_agent_a_district() -> None:
    env = parallel_env(sections=24, districts=3)
    assert len(env.possible_agents) == 3
    assert sum(env.action_space(a).shape[0] for a in env.possible_agents) == 24
    parallel_api_test(env, num_cycles=60)
    parallel_seed_test(lambda: parallel_env(sections=24))


def episode(env: RoadMaintenanceEnv, seed: int) -> tuple[float, list[Any], dict[str, Any]]:
    observation, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    total, seen, done = info["first_cost_eur"], [observation], False
    while not done:
        observation, reward, over, done, info = env.step(env.action_space.sample())
        assert not over
        total -= reward
        seen.append(observation)
    return total, seen, info


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rewards_sum_to_the_euros_of_the_ledger(seed: int) -> None:
    env = RoadMaintenanceEnv("generated:3", sections=30, years=5)
    total, _, info = episode(env, seed)
    assert total == pytest.approx(info["social_cost_eur"], rel=1e-12)
    state = env.runs.state
    assert total == pytest.approx(state.euros[0, 1].sum(), rel=1e-12)


def test_euros_of_the_steps_sum_to_the_ledger() -> None:
    env = RoadMaintenanceEnv("generated:3", sections=30, years=3)
    env.reset(seed=4)
    env.action_space.seed(4)
    first, spent, done = env.runs.state.euros[0, 0].copy(), 0.0, False
    while not done:
        *_, done, info = env.step(env.action_space.sample())
        spent += sum(info["euros"].values())
        assert info["area_m2"].sum() == pytest.approx(env.runs.inventory.place["area_m2"].sum())
    assert spent == pytest.approx((env.runs.state.euros[0, 0] - first).sum())


def test_a_seed_is_a_fate_and_copies_are_single_environments() -> None:
    task = make_road_task("generated:1", sections=20, years=3)
    _, seen, _ = episode(RoadMaintenanceEnv(task=task), 7)
    _, again, _ = episode(RoadMaintenanceEnv(task=task), 7)
    assert all((a == b).all() for a, b in zip(seen, again, strict=True))
    vector = RoadVectorEnv(task=task, num_envs=3, threads=2)
    observations, _ = vector.reset(seed=[6, 7, 8])
    assert (observations[1] == seen[0]).all()
    single = RoadMaintenanceEnv(task=task)
    single.action_space.seed(7)
    for expected in seen[1:]:
        action = single.action_space.sample()
        observations, *_ = vector.step(np.stack([action] * 3))
        assert (observations[1] == expected).all()
    vector.close()


def test_ended_copies_begin_anew_at_the_next_step() -> None:
    vector = RoadVectorEnv("generated:1", 2, sections=10, years=1)
    vector.reset(seed=1)
    nothing = np.zeros((2, 10), int)
    for _ in range(3):
        assert not vector.step(nothing)[3].any()
    assert vector.step(nothing)[3].all()
    _, reward, _, over, infos = vector.step(nothing)
    assert (reward == 0.0).all()
    assert not over.any()
    assert (infos["week"] == 0).all()


def test_masks_tell_what_is_granted_and_requests_what_came_of_it() -> None:
    env = RoadMaintenanceEnv("generated:2", sections=15, budget_eur=200_000.0)
    env.reset(seed=3)
    assert env.action_masks().reshape(15, OPTION_COUNT)[:, 1:].sum() == 0  # January
    _, _, _, _, info = env.step(np.full(15, 5))
    assert info["requests"]["season"] == 15
    mask = env.action_masks().reshape(15, OPTION_COUNT)
    assert mask[:, 5].any()  # April: rehabilitation by day
    wanted = np.zeros(15, int)
    wanted[int(np.argmax(mask[:, 5]))] = 5
    _, _, _, _, info = env.step(wanted)
    assert info["requests"]["accepted"] == 1


def test_sb3_copies_earn_what_the_environment_pays() -> None:
    """With the backlog booked as it grows, an episode's sum stays the same."""
    task = make_road_task("generated:1", sections=12, years=2)
    env = RoadVecEnv(task, 2, seed=5)
    env.reset()
    state, unit = env.runs.state, 2.2 * float(env.runs.inventory.place["area_m2"].sum())
    first, total = state.euros[:, 1].sum(axis=1).copy(), np.zeros(2)
    owed = state.copy["backlog"].copy()
    for _ in range(8):
        _, reward, done, infos = env.step(np.zeros((2, 12), int))
        total += reward
    assert done.all()
    cost = np.array([info["social_cost_eur"] for info in infos])
    np.testing.assert_allclose(total * unit, first - cost + owed, rtol=1e-5)


def test_rows_of_a_view_are_those_of_the_environment() -> None:
    task = make_road_task("generated:4", sections=25)
    for belief in ("markov", "curve"):
        runs = RoadRuns(task.with_settings(belief=belief))
        runs.reset([9])
        for _ in range(7):
            runs.step(np.random.default_rng(1).integers(0, 8, (1, 25)))
        view = make_view(runs.inventory, runs.rules, runs.state, 0, 13)
        np.testing.assert_allclose(rows_of(view, runs.room.savings), runs.rows[0], atol=2e-5)


def test_it_can_be_pickled_as_a_task() -> None:
    task = make_road_task("generated:1", sections=10)
    copy = pickle.loads(pickle.dumps(task))
    a, _, _ = episode(RoadMaintenanceEnv(task=copy), 2)
    b, _, _ = episode(RoadMaintenanceEnv(task=task), 2)
    assert a == b


def test_districts_are_about_equal() -> None:
    points = np.random.default_rng(0).random((200, 2))
    number = split(points, np.ones(200), 5)
    assert np.abs(np.bincount(number) - 40).max() <= 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sections": 0}, "sections(=0) must be a whole number from 1"),
        ({"sections": 2.5}, "sections(=2.5) must be a whole number"),
        ({"years": "x"}, "years(='x') must be a whole number"),
        ({"scale": -1}, "scale(=-1) must be a number above 0"),
        ({"corridors": "yes"}, "corridors(='yes') must be True or False"),
        ({"weeks": 5}, "must divide 52"),
        ({"action": "dance"}, "none of treatments, scores"),
        ({"budget_eur": -1.0}, "budget_eur(=-1.0) must be a number from 0"),
        ({"budgte_eur": 1.0}, "did you mean"),
        ({"truth": "magic"}, "no model of deterioration"),
        ({"passes_per_year": 50.0, "budget_eur": 10.0}, "pass less often or give more"),
    ],
)
def test_bad_settings_are_refused_in_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        RoadMaintenanceEnv("generated:0", **{"sections": 10, **given})
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_action_outside_the_space_is_an_error() -> None:
    env = RoadMaintenanceEnv("generated:0", sections=5)
    with pytest.raises(SimulationError, match="call reset"):
        env.step(np.zeros(5, int))
    env.reset(seed=1)
    with pytest.raises(SimulationError, match="outside the action space"):
        env.step(np.full(5, 8))


WRONG = {
    "beyond": np.full((2, 5), OPTION_COUNT),
    "negative": np.full((2, 5), -1),
    "fractions": np.full((2, 5), 1.5),
    "shape": np.zeros((2, 4), int),
    "nothing": None,
    "ragged": [[1], [2, 3]],
}


@pytest.mark.parametrize("name", WRONG)
def test_copies_refuse_what_is_no_action_and_change_nothing(name: str) -> None:
    env = RoadVectorEnv("generated:0", 2, sections=5)
    before, _ = env.reset(seed=1)
    with pytest.raises(SimulationError, match=r"option|actions"):
        env.step(WRONG[name])
    with pytest.raises(SimulationError, match=r"option|actions"):
        RoadVecEnv(env.task, 2).step(WRONG[name])
    again, _, _, _, _ = env.step(np.zeros((2, 5), int))
    env.reset(seed=1)
    np.testing.assert_array_equal(again, env.step(np.zeros((2, 5), int))[0])
    assert before.shape == again.shape


def test_a_score_that_is_no_number_is_refused() -> None:
    env = RoadVectorEnv("generated:0", 1, sections=5, action="scores")
    env.reset(seed=1)
    with pytest.raises(SimulationError, match="score is not finite"):
        env.step(np.full((1, 5, OPTION_COUNT - 1), np.nan))
