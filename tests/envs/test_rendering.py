"""Environments render as Gymnasium and PettingZoo say, and show what is."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.passive_env_checker import env_render_passive_checker
from pettingzoo.test import parallel_api_test

sys.path[:0] = [str(Path(__file__).parents[1])]
from crossings import ToyScene

import envs
from envs.opening import open_scene
from envs.parallel import parallel_env
from envs.roads.maintenance import RoadMaintenanceEnv
from envs.roads.parallel import parallel_env as road_parallel_env
from envs.signal_control import SignalControlEnv
from twin.errors import InputError, SimulationError, TwinError

SCENE = {envs.SIGNAL_CONTROL: "generated:2", envs.ROAD_MAINTENANCE: "generated:0"}
SHAPE = (720, 1280, 3)


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture(scope="module")
def town() -> Any:
    return open_scene("generated:2")


def make(name: str, mode: str | None = "rgb_array", **given: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(name, scene=SCENE[name], render_mode=mode, **given)


def is_frame(frame: Any) -> bool:
    return isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.shape == SHAPE


def played(env: Any, seed: int, steps: int) -> list[Any]:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return [env.step(env.action_space.sample()) for _ in range(steps)]


@pytest.mark.parametrize("name", SCENE)
def test_the_checker_of_gymnasium_accepts_it(name: str, no_screen: None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(name).unwrapped)


@pytest.mark.parametrize("name", SCENE)
def test_a_frame_is_a_picture_and_the_same_for_a_seed(name: str) -> None:
    one, other = make(name), make(name)
    played(one, 3, 4), played(other, 3, 4)
    frame = one.render()
    assert is_frame(frame)
    np.testing.assert_array_equal(frame, other.render())
    np.testing.assert_array_equal(frame, one.render())
    one.step(one.action_space.sample())
    assert (frame != one.render()).any()
    env_render_passive_checker(one.unwrapped)


@pytest.mark.parametrize("name", SCENE)
def test_rendering_changes_nothing(name: str, no_screen: None) -> None:
    found = []
    for mode in (None, "human"):
        env = make(name, mode).unwrapped
        found.append([row[:2] for row in played(env, 5, 5)])
        env.close()
    for (seen, reward), (seen_again, reward_again) in zip(*found, strict=True):
        np.testing.assert_array_equal(seen, seen_again)
        assert reward == reward_again


@pytest.mark.parametrize("name", SCENE)
def test_a_window_opens_by_itself_and_closes(name: str, no_screen: None) -> None:
    import pygame

    env = make(name, "human").unwrapped
    assert not pygame.display.get_init()
    env.reset(seed=1)
    surface = pygame.display.get_surface()
    assert surface.get_size() == (1280, 720)
    before = pygame.surfarray.array3d(surface)
    env.step(env.action_space.sample())
    assert (pygame.surfarray.array3d(surface) != before).any()
    assert env.render() is None
    env.close()
    assert not pygame.display.get_init()
    env.close()


def test_without_a_display_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "no such driver")
    env = make(envs.ROAD_MAINTENANCE, "human")
    with pytest.raises(TwinError, match=r"no window can be opened .*rgb_array") as caught:
        env.reset(seed=1)
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_or_opened_without_rendering() -> None:
    text = (
        "import sys, gymnasium, envs, envs.rendering\n"
        "env = gymnasium.make('Twin/RoadMaintenance-v0', render_mode='rgb_array')\n"
        "env.reset(seed=1)\n"
        "assert 'pygame' not in sys.modules and 'viz.live' not in sys.modules\n"
        "env.render()\n"
        "import pygame\n"
        "assert not pygame.display.get_init()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", text], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_modes_are_checked_and_calls_out_of_turn_refused() -> None:
    with pytest.raises(InputError, match=r"render_mode\(='ansi'\) is unknown here"):
        RoadMaintenanceEnv(render_mode="ansi")
    env = RoadMaintenanceEnv(render_mode="rgb_array")
    with pytest.raises(SimulationError, match="not been reset"):
        env.render()
    quiet = RoadMaintenanceEnv()
    quiet.reset(seed=1)
    with pytest.warns(UserWarning, match="without specifying any render mode"):
        assert quiet.render() is None


@pytest.mark.parametrize("name", SCENE)
def test_copies_render_one_picture_each(name: str) -> None:
    vector = gymnasium.make_vec(
        name, 2, "vector_entry_point", scene=SCENE[name], render_mode="rgb_array"
    )
    action = vector.single_action_space.sample()
    vector.reset(seed=[4, 5])
    for _ in range(3):
        vector.step(np.stack([action, action]))
    frames = vector.render()
    assert len(frames) == 2
    assert all(is_frame(frame) for frame in frames)
    assert (frames[0][:, 296:] != frames[1][:, 296:]).any()
    for seed, frame in zip((4, 5), frames, strict=True):
        single = make(name)
        single.reset(seed=seed)
        for _ in range(3):
            single.step(action)
        np.testing.assert_array_equal(single.render(), frame)
    vector.close()


@pytest.mark.parametrize("made", [parallel_env, road_parallel_env])
def test_agents_of_pettingzoo_share_a_picture(made: Any) -> None:
    scene = "generated:2" if made is parallel_env else "generated:0"
    env = made(scene, render_mode="rgb_array")
    assert env.metadata["render_fps"] > 0
    parallel_api_test(env, num_cycles=5)
    env.reset(seed=1)
    assert is_frame(env.render())
    env.close()


def test_frames_of_an_episode_are_collected_to_its_end(town: Any) -> None:
    env = gymnasium.make(
        envs.SIGNAL_CONTROL, scene=town, render_mode="rgb_array_list", step_s=600.0
    )
    env.reset(seed=1)
    over = False
    while not over:
        over = env.step(env.action_space.sample())[3]
    frames = env.render()
    assert len(frames) == 7
    assert all(is_frame(frame) for frame in frames)


@pytest.mark.skipif(find_spec("moviepy") is None, reason="RecordVideo needs moviepy")
def test_videos_are_recorded(tmp_path: Path) -> None:
    env = gymnasium.wrappers.RecordVideo(make(envs.ROAD_MAINTENANCE), str(tmp_path / "films"))
    played(env, 1, 3)
    env.close()
    assert list(tmp_path.glob("films/*.mp4"))


def test_an_environment_that_has_rendered_can_be_pickled(town: Any) -> None:
    env = SignalControlEnv(town, render_mode="rgb_array")
    played(env, 1, 3)
    frame = env.render()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(env)).render(), frame)


def test_streets_without_shapes_are_refused() -> None:
    env = SignalControlEnv(ToyScene.of(), render_mode="rgb_array")
    env.reset(seed=1)
    with pytest.raises(InputError, match="have no shapes"):
        env.render()


@pytest.mark.skipif(find_spec("libsumo") is None, reason="needs libsumo")
def test_sumo_renders_to_the_end(town: Any) -> None:
    env = SignalControlEnv(town, engine="sumo", render_mode="rgb_array", step_s=600.0)
    played(env, 1, 5)
    before = env.render()
    assert is_frame(before)
    assert env.step(env.action_space.sample())[3]
    assert is_frame(env.render())
    assert (env.render() != before).any()
    env.close()
