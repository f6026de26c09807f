"""Every registered environment follows Gymnasium and SB3 to the letter, and keeps the rules."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium

import envs
from envs import observation
from envs.signal_control import SignalControlEnv
from envs.signal_run import SignalRun, SignalTask
from twin.errors import SimulationError

if TYPE_CHECKING:
    from twin.city import City


@pytest.fixture(scope="module")
def task(helsinki: City) -> SignalTask:
    return SignalTask(
        helsinki, end_s=7 * 3600 + 600.0, warmup_s=120.0, scale=0.3, iterations=1, draws=1
    )


def registered() -> list[str]:
    return [name for name in gymnasium.registry if name.startswith("Twin/")]


def test_an_environment_is_registered() -> None:
    assert envs.SIGNAL_CONTROL in registered()


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("junction", [None, 3])
def test_checkers_accept_it(name: str, junction: int | None, task: SignalTask) -> None:
    from stable_baselines3.common.env_checker import check_env as check_sb3

    env = gymnasium.make(name, task=task, junction=junction)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box.*normaliz.*", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*render.*", category=UserWarning)
        check_gymnasium(env.unwrapped, skip_render_check=True)
        check_sb3(env.unwrapped)


def roll(env: SignalControlEnv, seed: int, steps: int) -> list[float]:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return [float(env.step(env.action_space.sample())[1]) for _ in range(steps)]


def test_same_seed_and_actions_give_the_same_rewards(task: SignalTask) -> None:
    env = SignalControlEnv(task)
    first = roll(env, 5, 20)
    assert first == roll(env, 5, 20)
    assert any(r < 0 for r in first)


def test_horizon_truncates_and_never_terminates(task: SignalTask) -> None:
    env = SignalControlEnv(task, junction=0)
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(60)]
    assert ends[-1] == (False, True)
    assert not any(terminated or truncated for terminated, truncated in ends[:-1])


def test_what_the_mask_forbids_is_not_served_and_the_rest_is(task: SignalTask) -> None:
    env = SignalControlEnv(task)
    env.reset(seed=1)
    env.action_space.seed(1)
    refused = served = 0
    for _ in range(40):
        mask = env.action_masks().reshape(-1, observation.PHASES)
        action = env.action_space.sample()
        info = env.step(action)[4]
        allowed = mask[np.arange(len(action)), action]
        assert (info["phase_served"][allowed] == action[allowed]).all()
        refused += int((info["phase_served"] != action).sum())
        served += int(allowed.sum())
    assert refused > 0
    assert served > 0


def test_random_requests_never_break_minimum_green_yellow_or_all_red(task: SignalTask) -> None:
    """At every 100th of a second a light that was green for less than 5 s stays green."""
    run = SignalRun(task, 0)
    net, state = run.traffic.network, run.traffic.state
    links = run.control.junctions.link
    links = links[links >= 0]
    rng = np.random.default_rng(0)
    green_since = np.full(len(links), -(10**9))
    yellow_since = np.full(len(links), -(10**9))
    before = state.link["light"][links].copy()
    shortest_green, shortest_yellow = 10**9, 10**9
    for _ in range(60):
        wanted = rng.integers(0, 4, len(run.control.junctions.signal))
        run.control.request(run.view, wanted)
        end = run.sim.clock.now_s + 5.0
        while run.sim.clock.now_s < end - 1e-9:
            run.sim.clock.run(run.sim.clock.now_s + 0.1)
            state = run.traffic.sync()
            run.view.look()
            now = state.clock["now"][0]
            light = state.link["light"][links]
            gained = (light >= 2) & (before < 2)
            lost = (light < 2) & (before >= 2)
            if (lost & (green_since > 0)).any():
                shortest_green = min(
                    shortest_green, int((now - green_since[lost & (green_since > 0)]).min())
                )
            assert not ((light == 0) & (before >= 2)).any(), "green to red without yellow"
            turned = (light == 0) & (before == 1) & (yellow_since > 0)
            if turned.any():
                shortest_yellow = min(shortest_yellow, int((now - yellow_since[turned]).min()))
            green_since[gained] = now
            yellow_since[lost] = now
            before = light.copy()
    tick = net.arrays.tps
    assert shortest_green >= 5.0 * tick - 11
    assert 3.0 * tick - 11 <= shortest_yellow < 10**9


def test_an_action_outside_the_space_is_an_error(task: SignalTask) -> None:
    env = SignalControlEnv(task, junction=0)
    env.reset(seed=0)
    with pytest.raises(SimulationError, match="outside the action space"):
        env.step(99)


def test_stepping_before_reset_says_what_to_do(task: SignalTask) -> None:
    with pytest.raises(SimulationError, match=r"reset\(\)"):
        SignalControlEnv(task).step(0)


def test_a_junction_that_is_not_there_is_refused(task: SignalTask) -> None:
    with pytest.raises(SimulationError, match="from 0 to 35"):
        SignalControlEnv(task, junction=36)


def test_one_junction_leaves_the_programs_of_the_others(task: SignalTask) -> None:
    """The signals that are not controlled go through their own phases."""
    env = SignalControlEnv(task, junction=3)
    env.reset(seed=0)
    run = env._running()
    others = [s for k, s in enumerate(run.control.junctions.signal) if k != 3]
    seen: list[np.ndarray] = []
    for _ in range(20):
        env.step(0)
        seen.append(run.traffic.state.signal["phase"][others].copy())
    assert (np.ptp(np.array(seen), axis=0) > 0).all()
