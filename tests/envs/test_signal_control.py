"""Every registered environment follows Gymnasium, SB3 and PettingZoo to the letter."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from pettingzoo.test import parallel_api_test, parallel_seed_test

sys.path[:0] = [str(Path(__file__).parents[1])]
from crossings import ToyScene

import envs
from envs import observation
from envs.junction_rows import JunctionRows
from envs.opening import open_scene
from envs.parallel import parallel_env
from envs.signal_control import SignalControlEnv
from envs.task import SignalTask, make_task
from envs.vector import SignalVectorEnv
from twin.city import netconvert
from twin.errors import InputError, SimulationError


@pytest.fixture(scope="module")
def scene() -> ToyScene:
    return ToyScene.of()


def registered() -> list[str]:
    return [name for name in gymnasium.registry if name.startswith("Twin/Signal")]


def test_an_environment_is_registered() -> None:
    assert envs.SIGNAL_CONTROL in registered()


@pytest.mark.parametrize("name", registered())
@pytest.mark.parametrize("junction", [None, 1])
@pytest.mark.parametrize("action", ["phase", "switch", "duration", "plan"])
def test_checkers_accept_it(name: str, junction: int | None, action: str, scene: ToyScene) -> None:
    from stable_baselines3.common.env_checker import check_env as check_sb3

    env = gymnasium.make(name, scene=scene, junction=junction, action=action, cycle_s=60.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box.*normaliz.*", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*symmetric.*", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*render.*", category=UserWarning)
        check_gymnasium(env.unwrapped, skip_render_check=True)
        check_sb3(env.unwrapped)


@pytest.mark.parametrize("kind", ["phases", "lanes"])
def test_pettingzoo_accepts_one_agent_a_junction(kind: str, scene: ToyScene) -> None:
    env = parallel_env(scene, observation=kind, neighbours=True)
    assert env.possible_agents == ["s0", "s1", "s2"]
    parallel_api_test(env, num_cycles=200)
    parallel_seed_test(lambda: parallel_env(scene, observation=kind))


def roll(env: SignalControlEnv, seed: int, steps: int) -> list[Any]:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return [env.step(env.action_space.sample())[:2] for _ in range(steps)]


def assert_same(one: list[Any], other: list[Any]) -> None:
    for (seen, reward), (seen_again, reward_again) in zip(one, other, strict=True):
        np.testing.assert_array_equal(seen, seen_again)
        assert reward == reward_again


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_same_seed_and_actions_give_the_same(noise: float, scene: ToyScene) -> None:
    env = SignalControlEnv(scene, noise=noise, failed=noise)
    first = roll(env, 5, 40)
    assert_same(first, roll(env, 5, 40))
    assert any(reward < 0 for _, reward in first)
    assert any((a[0] != b[0]).any() for a, b in zip(first, roll(env, 6, 40), strict=True))


def test_dead_detectors_say_nothing(scene: ToyScene) -> None:
    """Of the phases' numbers only lights, rules and the streets behind are known then."""
    env = SignalControlEnv(scene, failed=1.0)
    env.reset(seed=5)
    size, names = observation.PHASES * len(observation.PHASE_FEATURES), observation.PHASE_FEATURES
    known = {"full", "lanes", "protected", "shown", "exists", "allowed"}
    said = set()
    for _ in range(60):
        seen = env.step(env.action_space.sample())[0].reshape(-1)[:size].reshape(-1, len(names))
        said |= {name for name, some in zip(names, seen.any(axis=0), strict=True) if some}
    assert {"shown", "lanes"} <= said <= known


def test_a_reset_without_a_seed_goes_on_from_the_last_one(scene: ToyScene) -> None:
    batch = SignalVectorEnv(scene, 2)
    both = []
    for seed in (5, np.int64(5)):
        batch.reset(seed=seed)  # type: ignore[arg-type]
        batch.reset()
        act = np.zeros((2, *batch.single_action_space.shape), int)
        both.append(sum(batch.step(act)[1] for _ in range(40)))
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("n", [1, 3, 64])
def test_every_copy_of_a_batch_sees_what_the_single_environment_sees(
    n: int, scene: ToyScene
) -> None:
    """With its own seed and actions, over two episodes and whatever the others do."""
    batch = gymnasium.make_vec(
        envs.SIGNAL_CONTROL, num_envs=n, vectorization_mode="vector_entry_point", scene=scene
    )
    single = SignalControlEnv(scene)
    rows, infos = batch.reset(seed=11)
    batch.action_space.seed(0)
    k = n // 2
    seen, info = single.reset(seed=11 + k)
    over = False
    ends = 0
    for _ in range(100):
        np.testing.assert_array_equal(rows[k], seen)
        np.testing.assert_array_equal(infos["action_mask"][k], info["action_mask"])
        action = batch.action_space.sample()
        rows, rewards, _, truncated, infos = batch.step(action)
        if over:
            assert rewards[k] == 0.0
            ends += 1
            break
        seen, reward, _, over, info = single.step(action[k])
        assert rewards[k] == pytest.approx(reward, rel=1e-12)
        assert truncated[k] == over
        if over:
            served = infos["indicators"]["delay_per_trip_s"][k]
            assert served == info["indicators"]["delay_per_trip_s"]
    assert ends == 1


def test_seeds_of_a_list_and_autoreset_mode(scene: ToyScene) -> None:
    from gymnasium.vector import AutoresetMode

    batch = SignalVectorEnv(scene, num_envs=2)
    assert batch.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    rows, _ = batch.reset(seed=[4, 4])
    for _ in range(10):
        rows, *_ = batch.step(np.zeros((2, 3), np.int64))
    np.testing.assert_array_equal(rows[0], rows[1])
    with pytest.raises(SimulationError, match="3 seeds for 2 copies"):
        batch.reset(seed=[1, 2, 3])


def test_an_environment_can_be_pickled_at_any_time(scene: ToyScene) -> None:
    fresh = pickle.loads(pickle.dumps(SignalControlEnv(scene)))
    env = SignalControlEnv(scene)
    assert_same(roll(env, 1, 10), roll(fresh, 1, 10))
    env.reset(seed=2)
    for _ in range(10):
        env.step(env.action_space.sample())
    other = pickle.loads(pickle.dumps(env))
    for _ in range(20):
        action = env.action_space.sample()
        seen, reward, *_ = env.step(action)
        again, reward_again, *_ = other.step(action)
        np.testing.assert_array_equal(seen, again)
        assert reward == reward_again


def test_environments_work_in_processes_of_their_own(scene: ToyScene) -> None:
    from stable_baselines3.common.vec_env import SubprocVecEnv

    apart = SubprocVecEnv([lambda: SignalControlEnv(scene, junction=0)] * 2, "spawn")
    single = SignalControlEnv(scene, junction=0)
    try:
        apart.seed(3)
        rows = apart.reset()
        seen, _ = single.reset(seed=3)
        for step in range(8):
            np.testing.assert_array_equal(np.asarray(rows)[0], seen)
            rows, rewards, *_ = apart.step(np.array([step % 2, 0]))
            seen, reward, *_ = single.step(step % 2)
            assert rewards[0] == pytest.approx(reward, rel=1e-6)
    finally:
        apart.close()


def test_horizon_truncates_and_never_terminates(scene: ToyScene) -> None:
    env = SignalControlEnv(scene, junction=0)
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(60)]
    assert ends[-1] == (False, True)
    assert not any(terminated or truncated for terminated, truncated in ends[:-1])
    with pytest.raises(SimulationError, match=r"reset\(\)"):
        env.step(0)


def test_what_the_mask_forbids_is_not_served_and_the_rest_is(scene: ToyScene) -> None:
    env = SignalControlEnv(scene)
    env.reset(seed=1)
    env.action_space.seed(1)
    refused = served = padded = 0
    for _ in range(60):
        mask = env.action_masks().reshape(-1, observation.PHASES)
        action = env.action_space.sample()
        info = env.step(action)[4]
        allowed = mask[np.arange(len(action)), action]
        assert (info["phase_served"][allowed] == action[allowed]).all()
        refused += int((info["phase_served"] != action).sum())
        padded += int((action >= 2).sum())
        served += int(allowed.sum())
    assert min(refused, served, padded) > 0


def test_one_junction_leaves_the_programs_of_the_others(scene: ToyScene) -> None:
    env = SignalControlEnv(scene, junction=1)
    env.reset(seed=0)
    seen = []
    for _ in range(20):
        env.step(0)
        seen.append(env.runs.control.batch.copies[0].signal["phase"][[0, 2]].copy())
    assert (np.ptp(np.array(seen), axis=0) > 0).all()


@pytest.mark.parametrize(
    ("reward", "about"),
    [
        ("delay", {"delay": 1.0}),
        ({"queue": 0.5, "stops": 2.0}, {"queue": 0.5, "stops": 2.0}),
        (lambda view: -view.read.standing.sum(axis=2), {"queue": 1.0}),
    ],
)
def test_rewards_by_name_by_sum_and_by_function(
    reward: Any, about: dict[str, float], scene: ToyScene
) -> None:
    from envs.rewards import TERMS

    env = SignalControlEnv(scene, reward=reward)
    env.reset(seed=0)
    names = list(TERMS)
    for _ in range(30):
        got = env.step(np.zeros(3, np.int64))[1]
        term = env.runs._stepping.seen.term[0]
        wanted = sum(w * term[:, names.index(name)].sum() for name, w in about.items())
        assert got == pytest.approx(wanted, abs=1e-5)
    assert got != 0.0


def test_the_reward_sums_to_what_the_trips_say(scene: ToyScene) -> None:
    env = SignalControlEnv(scene, reward="delay")
    env.reset(seed=3)
    total, over = 0.0, False
    while not over:
        _, reward, _, over, info = env.step(env.action_space.sample())
        total += reward - env.runs.control.play.read.delay_s[0, -1]  # at no junction
    trips = env.runs.trips(0)
    lost = (trips["time_loss_s"].fillna(0.0) + trips["depart_delay_s"]).sum()
    assert lost > 1000.0
    assert -total == pytest.approx(lost, rel=1e-6)
    assert info["indicators"]["waiting_longest_s"] > info["indicators"]["waiting_95_s"] > 0.0


def test_city_of_open_street_map_is_a_scene() -> None:
    """With demand generated, a window, and a factor on the demand."""
    scene = open_scene("helsinki", begin_s=7 * 3600.0, end_s=7 * 3600 + 120.0, scale=0.2)
    env = SignalControlEnv(scene, draws=1)
    env.reset(seed=0)
    rewards = [env.step(env.action_space.sample())[1] for _ in range(12)]
    assert min(rewards) < 0.0
    assert len(env.runs.junctions) == 36
    runs, trips = env.runs, env.runs.trips(0)
    assert (trips["due_s"] < scene.begin_s).sum() > 10  # of the warm-up, and not counted
    said_s = runs.indicators(0)["delay_per_trip_s"]
    assert runs.delay_per_trip_s(0) == pytest.approx(said_s, rel=1e-5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"action": "wish"}, "action 'wish' is unknown; there are phase"),
        ({"observation": "eyes"}, "observation 'eyes' is unknown"),
        ({"reward": "quue"}, "reward 'quue' is unknown; did you mean 'queue'"),
        ({"reward": {"queue": float("nan")}}, "weight nan is no number"),
        ({"noise": -1.0}, "noise(=-1.0) of the task must be from 0 to 10"),
        ({"step_s": 0.0}, "step_s(=0.0) of the task must be"),
        ({"stepp_s": 5.0}, "setting 'stepp_s' of the task is unknown"),
        ({"draws": 0}, "draws(=0)"),
        ({"engine": "vissim"}, "engine 'vissim' is unknown; there are twin, sumo"),
        ({"reward": 5}, "reward 5: give a name (waiting_change"),
        ({"reward": {"queue": "x"}}, "weight 'x' is no number"),
        ({"neighbours": "no"}, "neighbours(='no') of the task must be True or False"),
        ({"first_seed": "a"}, "first_seed(='a') must be a whole number"),
        ({"scene": "cologne1", "closed": 5}, "closed(=5): give a name, or a list of names"),
        ({"scene": "cologne1", "routes": 5}, "routes(=5): give a name, or a list of names"),
        ({"rules": 3}, "rules(=3) of the task must be of twin.traffic.control.Rules"),
        ({"junction": "x"}, "junction(='x') must be from 0 to 2"),
        ({"clossed": "x"}, "did you mean 'closed'"),
        ({"closed": "x"}, "closed: the scene toy is made; give it where it is opened"),
        ({"begin_s": 0.0}, "begin_s: the scene toy is made"),
        ({"scene": "cologne1", "routes": ["a.xml"]}, "cologne1: routes are for a SUMO network"),
        ({"scene": "cologne1", "begin_s": "07:00"}, "begin_s(='07:00') must be seconds"),
        ({"scene": "helsinki", "response": "flight"}, "response 'flight' is unknown"),
        ({"scene": "helsinki", "measures": [{"kind": "works"}]}, "measure {'kind': 'works'} is"),
        ({"scene": None}, "scene None: give the name of a map or a city"),
    ],
)
def test_bad_settings_give_one_line(given: dict[str, Any], says: str, scene: ToyScene) -> None:
    with pytest.raises((InputError, SimulationError)) as caught:
        SignalControlEnv(**{"scene": scene, **given})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_actions_and_scenes_give_one_line(scene: ToyScene) -> None:
    env = SignalControlEnv(scene)
    with pytest.raises(SimulationError, match=r"reset\(\)"):
        env.step(np.zeros(3, np.int64))
    env.reset(seed=0)
    with pytest.raises(SimulationError, match="outside the action space"):
        env.step(np.array([0, 99, 0]))
    many = SignalVectorEnv(scene, num_envs=2)
    many.reset(seed=0)
    with pytest.raises(SimulationError, match="outside the action space"):
        many.step(np.full((2, 3), 99))
    agents = parallel_env(scene)
    agents.reset(seed=0)
    with pytest.raises(SimulationError, match="agent 's2': action None is outside"):
        agents.step({"s0": 0, "s1": 0})
    with pytest.raises(SimulationError, match="give a dict with one for each agent"):
        agents.step([0, 0, 0])  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match=r"junction\(=3\) must be from 0 to 2"):
        SignalControlEnv(scene, junction=3)
    with pytest.raises(InputError, match="as a map of RESCO: did you mean"):
        open_scene("cologne2")


@pytest.mark.parametrize("kind", ["phase", "switch", "duration", "plan"])
def test_rows_take_what_their_space_holds_and_nothing_else(kind: str, scene: ToyScene) -> None:
    rows = JunctionRows(make_task(scene, action=kind), 2)
    good = np.array([rows.action_space.sample() for _ in range(rows.num_envs)])
    with pytest.raises(SimulationError, match=r"call reset\(\) first"):
        rows.step(good)
    rows.reset()
    rows.step(good)
    for wrong in (99, -7, float("nan")):
        bad = good.astype(float)
        bad.reshape(rows.num_envs, -1)[4, -1] = wrong
        with pytest.raises(SimulationError, match=r"action of row 4: .* is outside 6 rows of"):
            rows.step(bad)
    with pytest.raises(SimulationError, match=r"action of shape \(5,.*\) is outside 6 rows of"):
        rows.step(good[:5])
    with pytest.raises(SimulationError, match="one simulation in a process; give one task"):
        JunctionRows([rows.task, rows.task], 1, engine="sumo")


def test_a_city_at_midnight_warms_up_from_midnight_only() -> None:
    scene = open_scene("helsinki", begin_s=60.0, end_s=120.0, scale=0.5)
    env = SignalControlEnv(scene)
    env.reset(seed=np.int64(1))
    assert float(env.runs.now_s[0]) == 60.0


def test_a_map_without_signals_and_one_without_a_choice_say_so() -> None:
    for signals in (0, 1):
        scene = ToyScene.of(signals, one_phase=True)
        with pytest.raises(SimulationError, match="toy: no signal has two green phases"):
            SignalControlEnv(scene)


def test_a_phase_that_no_agent_could_ask_for_is_refused() -> None:
    states = ["r" * k + "G" + "r" * (8 - k) for k in range(9)]
    scene = ToyScene.at_crossroads(states)
    for make in (SignalControlEnv, SignalVectorEnv, parallel_env):
        with pytest.raises(SimulationError, match=r"signal 's0' has 9 green phases, .* 8 at most"):
            make(scene)
    with pytest.raises(SimulationError, match="9 green phases"):
        JunctionRows(make_task(scene))
    SignalControlEnv(ToyScene.at_crossroads(states[:8]))


def test_phases_built_where_there_is_no_signal_say_so(tmp_path: Path) -> None:
    (tmp_path / "n.nod.xml").write_text(
        '<nodes><node id="a" x="0" y="0"/><node id="b" x="200" y="0"/></nodes>'
    )
    (tmp_path / "n.edg.xml").write_text('<edges><edge id="ab" from="a" to="b"/></edges>')
    net, routes = tmp_path / "n.net.xml", tmp_path / "n.rou.xml"
    given = ["-n", str(tmp_path / "n.nod.xml"), "-e", str(tmp_path / "n.edg.xml")]
    netconvert.run(given, net, net)
    routes.write_text('<routes><vehicle id="0" depart="1"><route edges="ab"/></vehicle></routes>')
    for phases in ("program", "conflicts"):
        with pytest.raises(SimulationError, match="no signal has two green phases"):
            SignalControlEnv(str(net), routes=str(routes), phases=phases)


@pytest.mark.parametrize(
    ("seed", "says"),
    [("a", "seed(='a')"), (-1, "seed(=-1)"), (1.5, "seed(=1.5)")],
)
def test_a_seed_that_is_none_gives_one_line(seed: Any, says: str, scene: ToyScene) -> None:
    for env in (SignalControlEnv(scene), parallel_env(scene), SignalVectorEnv(scene, 2)):
        with pytest.raises(InputError) as caught:
            env.reset(seed=seed)
        assert says in str(caught.value)
    many = SignalVectorEnv(scene, num_envs=2)
    with pytest.raises(InputError, match="seed"):
        many.reset(seed=[3, seed])
    many.reset(seed=np.array([3, 4]))
    with pytest.raises(InputError, match=r"first_seed"):
        make_task(scene, first_seed=seed)


def test_the_batch_takes_actions_of_its_space_alone(scene: ToyScene) -> None:
    many = SignalVectorEnv(scene, num_envs=2)
    many.reset(seed=0)
    many.step(np.ones((2, 3), np.int32))
    many.step([[0.0, 1.0, 0.0], [1, 1, 1]])
    for wrong in (np.full((2, 3), 0.7), "ab", None, np.zeros((3, 2), int)):
        with pytest.raises(SimulationError, match="outside the action space"):
            many.step(wrong)


def test_rows_are_made_of_a_name_and_refuse_what_is_none() -> None:
    with pytest.raises(SimulationError, match=r"no task is given"):
        JunctionRows([])
    scene = ToyScene.of()
    for name, value in (("copies", "2"), ("copies", 0), ("threads", 1.5)):
        with pytest.raises(SimulationError, match=rf"{name}\(="):
            JunctionRows(make_task(scene), **{name: value})
    assert JunctionRows("helsinki", 1).num_envs == 36


def test_a_task_elsewhere_takes_the_rules_of_the_place(scene: ToyScene) -> None:
    task = make_task(scene, reward="queue", step_s=10.0)
    other = ToyScene.of(1)
    moved = task.with_scene(other)
    assert isinstance(moved, SignalTask)
    assert (moved.reward, moved.step_s, moved.rules) == ("queue", 5.0, other.settings.rules)
