"""Agents are trained, killed, resumed, saved and loaded; files of strangers are not executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]
from crossings import ToyScene

from agents.algorithms import ALGORITHMS, FILE, settings
from agents.evaluation import REPORTED, evaluate
from agents.registry import resolve
from agents.train import Plan, make_tasks, train
from agents.trained import TrainedAgent
from envs import observation
from envs.task import make_task
from twin.errors import InputError, OutputError, SimulationError

SMALL = Plan("frap", steps=3000, copies=2, validations=2, validation_days=2)
pytestmark = pytest.mark.filterwarnings("ignore:You are trying to run PPO on the GPU")


@pytest.fixture(scope="module")
def scene() -> ToyScene:
    return ToyScene.of()


@pytest.fixture(scope="module")
def agent(scene: ToyScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agent")
    return train(make_tasks([scene], SMALL), folder, SMALL).path


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_trains_and_its_agent_decides(
    name: str, scene: ToyScene, tmp_path: Path
) -> None:
    plan = replace(SMALL, algorithm=name, steps=700)
    told: list[Any] = []
    done = train(make_tasks([scene], plan), tmp_path, plan, tell=told.append)
    assert done.state.decisions >= 700
    assert done.state.history[-1]["delay_per_trip_s"]["toy"] > 0.0
    loaded = resolve(str(done.path))
    assert loaded.interval_s == 5.0
    table = evaluate(loaded, make_tasks([scene], plan)[0], [1, 2, 3])
    assert list(table) == ["seed", *REPORTED]
    assert (table["delay_per_trip_s"] > 0.0).all()
    assert list((tmp_path / "logs").rglob("events.out.tfevents.*"))


def test_agents_learn(tmp_path: Path) -> None:
    """Less delay than at the begin, and than the given programs, on days not seen."""
    from agents.max_pressure import MaxPressure

    class Programs:
        controls = False

        def start(self, view: Any) -> None:
            pass

    plan = replace(SMALL, steps=150_000, copies=16, validations=10, validation_days=8)
    task = make_tasks([ToyScene.of(vehicles=60)], plan)[0]
    done = train([task], tmp_path, plan)
    first = done.state.history[0]["delay_per_trip_s"]["toy"]
    days = range(5_000_000, 5_000_016)
    delay = {
        name: evaluate(policy, task, days)["delay_per_trip_s"].mean()
        for name, policy in (
            ("agent", resolve(str(done.path))),
            ("programs", Programs()),
            ("max_pressure", MaxPressure()),
        )
    }
    assert done.state.best_s <= first
    assert delay["agent"] < 0.8 * delay["programs"]
    assert delay["agent"] < 0.9 * delay["max_pressure"]


def script(folder: Path, pause_s: float, algorithm: str) -> str:
    return textwrap.dedent(f"""
        import sys, time
        sys.path[:0] = [{str(ROOT / "tests")!r}, {str(ROOT)!r}]
        from pathlib import Path
        from crossings import ToyScene
        from agents.train import Plan, make_tasks, train
        plan = Plan({algorithm!r}, steps=1200, copies=2, validations=8, validation_days=1)
        def tell(report):
            time.sleep({pause_s})
        train(make_tasks([ToyScene.of()], plan), Path({str(folder)!r}), plan, tell=tell)
    """)


@pytest.mark.parametrize("algorithm", ["frap", "recurrent_ppo"])
def test_a_training_killed_at_any_time_goes_on_as_if_nothing_had_happened(
    algorithm: str, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([sys.executable, "-c", script(whole, 0.0, algorithm)], check=True)
    process = subprocess.Popen([sys.executable, "-c", script(killed, 0.3, algorithm)])
    about = killed / "checkpoint" / "checkpoint.json"
    deadline = time.monotonic() + 120.0
    decisions = 0
    while decisions == 0 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        if about.exists():
            decisions = json.loads(about.read_text())["state"]["decisions"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < decisions < 1200
    assert not (killed / "training.json").exists()
    subprocess.run([sys.executable, "-c", script(killed, 0.0, algorithm)], check=True)
    histories = [
        [
            (row["decisions"], row["delay_per_trip_s"]["toy"])
            for row in json.loads((folder / "training.json").read_text())["training"]["history"]
        ]
        for folder in (whole, killed)
    ]
    assert histories[0] == histories[1]
    assert len(histories[0]) >= 4


@pytest.mark.parametrize(
    ("algorithm", "given", "said"),
    [
        ("frap", {"action": "switch"}, "use phase"),
        ("ppo", {"action": "plan"}, "use phase or switch"),
        ("attention", {"observation": "phases"}, "use 'lanes'"),
    ],
)
def test_rows_that_a_network_is_not_made_for_are_refused(
    algorithm: str, given: dict[str, str], said: str, scene: ToyScene, tmp_path: Path
) -> None:
    plan = replace(SMALL, algorithm=algorithm)
    with pytest.raises(InputError, match=said):
        train(make_tasks([scene], plan, **given), tmp_path, plan)


def test_rules_are_evaluated_alike_whatever_the_task_s_actions(scene: ToyScene) -> None:
    by_phase, by_switch = (
        evaluate(resolve("greedy"), make_task(scene, action=action), [1, 2])
        for action in ("phase", "switch")
    )
    assert by_phase.equals(by_switch)


def test_a_day_without_trips_is_no_result() -> None:
    with pytest.raises(InputError, match="toy: no trip is due in the window on day 3: raise"):
        evaluate(resolve("greedy"), make_task(ToyScene.of(vehicles=0)), [3])


def test_a_folder_of_another_training_is_refused(scene: ToyScene, tmp_path: Path) -> None:
    plan = replace(SMALL, steps=200)
    train(make_tasks([scene], plan), tmp_path, plan)
    other = replace(plan, seed=1)
    shorter = replace(scene, end_s=scene.end_s - 60.0)
    with pytest.raises(InputError, match="has a training with traffic"):
        train(make_tasks([shorter], plan), tmp_path, plan)
    with pytest.raises(InputError, match="has a training with seed 0, not 1: name another"):
        train(make_tasks([scene], other), tmp_path, other)
    with pytest.raises(InputError, match="has a training with tasks"):
        train(make_tasks([scene], plan, step_s=10.0), tmp_path, plan)


def test_a_place_of_the_same_name_is_another_place(scene: ToyScene, tmp_path: Path) -> None:
    """Another network, and other trips, under the name of those that a training began with."""
    plan = replace(SMALL, steps=200)
    train(make_tasks([scene], plan), tmp_path, plan)
    for other in (ToyScene.of(2), ToyScene.of(vehicles=100)):
        with pytest.raises(InputError, match=r"has a training with traffic .* name another"):
            train(make_tasks([other], plan), tmp_path, plan)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("checkpoint.json", b"[]"),
        ("checkpoint.json", b"{"),
        ("model.zip", b"PK"),
        ("rest.pkl", b"cnowhere_at_all\nthing\n."),
        ("rest.pkl", b""),
    ],
)
def test_a_broken_checkpoint_gives_one_line(
    name: str, content: bytes, scene: ToyScene, tmp_path: Path
) -> None:
    plan = replace(SMALL, steps=200)
    train(make_tasks([scene], plan), tmp_path, plan)
    (tmp_path / "checkpoint" / name).write_bytes(content)
    longer = replace(plan, steps=400)
    with pytest.raises(InputError, match=r"checkpoint is broken .*: remove it to begin anew") as it:
        train(make_tasks([scene], longer), tmp_path, longer)
    assert "\n" not in str(it.value)


def test_nothing_is_left_of_a_training_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no signal has two green phases"):
        train(make_tasks([ToyScene.of(0)], SMALL), tmp_path / "new", SMALL)
    assert not (tmp_path / "new").exists()


def test_an_agent_is_the_same_after_loading(agent: Path, scene: ToyScene) -> None:
    one, two = (TrainedAgent(agent) for _ in range(2))
    seen = np.random.default_rng(0).random((4, 3, one.about.size), np.float32)
    allowed = np.ones((4, 3, 2), bool)
    assert (one.act(seen, allowed) == two.act(seen, allowed)).all()
    task = make_tasks([scene], SMALL)[0]
    tables = [evaluate(policy, task, [7, 8]) for policy in (one, two, one)]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


@pytest.mark.parametrize("encoder", ["phase_competition", "lane_attention"])
def test_universal_networks_do_not_care_in_which_order_phases_stand(encoder: str) -> None:
    """Phases, and lanes, that change places change the places of what is preferred."""
    import torch

    from agents.networks import LF, Choose, Judge, L, P, Reader

    kind = "phases" if encoder == "phase_competition" else "lanes"
    layout = observation.layout(kind, neighbours=True)
    rng = np.random.default_rng(1)
    row = rng.random((5, layout.size)).astype(np.float32)
    order = rng.permutation(4)
    moved = row.copy()
    if kind == "phases":
        width = len(observation.PHASE_FEATURES)
        parts = row[:, : P * width].reshape(5, P, width)
        parts[:, 4:] = 0.0
        parts[:, :4, list(observation.PHASE_FEATURES).index("exists")] = 1.0
        shuffled = moved[:, : P * width].reshape(5, P, width)
        shuffled[:] = parts
        shuffled[:, :4] = parts[:, order]
    else:
        lanes = row[:, : L * (LF + P)].reshape(5, L, LF + P)
        phases = row[:, L * (LF + P) : L * (LF + P) + 3 * P].reshape(5, P, 3)
        phases[:, 4:] = 0.0
        phases[:, :4, 1] = 1.0
        lanes[:, :, LF + 4 :] = 0.0
        moved[:] = row
        new_lanes = moved[:, : L * (LF + P)].reshape(5, L, LF + P)
        new_lanes[:, :, LF : LF + 4] = lanes[:, :, LF : LF + 4][:, :, order]
        new_lanes[:] = new_lanes[:, rng.permutation(L)]
        moved[:, L * (LF + P) : L * (LF + P) + 3 * P].reshape(5, P, 3)[:, :4] = phases[:, order]
    from gymnasium import spaces

    torch.manual_seed(0)
    reader = Reader(spaces.Box(0.0, 20.0, (layout.size,)), encoder, 16)
    choose, judge = Choose(16), Judge(16)
    with torch.no_grad():
        found, again = (reader(torch.from_numpy(x)) for x in (row, moved))
        np.testing.assert_allclose(choose(found)[:, order], choose(again)[:, :4], atol=1e-5)
        np.testing.assert_allclose(judge(found), judge(again), atol=1e-5)
        assert choose(found)[:, :4].std() > 0.0


class _Shout:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("shouted"),))


def changed(agent: Path, path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(agent) as good, zipfile.ZipFile(path, "w") as bad:
        for name in {*good.namelist(), *parts}:
            bad.writestr(name, parts.get(name) or good.read(name))
    return path


def open_phases(row: np.ndarray, **limits: float | None) -> list[int]:
    """Phases that a network with limits may choose in a row of observations."""
    import torch
    from gymnasium import spaces

    from agents.networks import Choose, Reader

    torch.manual_seed(0)
    space = spaces.Box(0.0, 20.0, (observation.SIZE,))
    with torch.no_grad():
        reader = Reader(space, "phase_competition", 16, **limits)
        score = Choose(16)(reader(torch.from_numpy(row)))
    return np.flatnonzero(score[0] > -100.0).tolist()


def three_phases(green_s: float, **features: list[float]) -> np.ndarray:
    """A row of a junction with three phases, the first of them green."""
    names = list(observation.PHASE_FEATURES)
    row = np.zeros((1, observation.SIZE), np.float32)
    phases = row[:, : observation.PHASES * len(names)].reshape(-1, len(names))
    phases[:3, names.index("exists")] = phases[:3, names.index("allowed")] = 1.0
    phases[0, names.index("shown")] = 1.0
    for name, values in features.items():
        phases[:3, names.index(name)] = values
    row[:, phases.size + list(observation.EXTRAS).index("green")] = green_s / observation.GREEN_S
    return row


def test_patience_ends_where_somebody_waits_too_long() -> None:
    """Of three phases the third has a vehicle that has stood at its stop line for 150 s."""
    row = three_phases(0.0, head=[3.0, 0.5, 2.5])
    assert open_phases(row, patience_s=120.0) == [2]  # the first is green already
    assert open_phases(row, patience_s=200.0) == open_phases(row) == [0, 1, 2]
    row = three_phases(0.0, head=[3.0, 0.5, 2.5], allowed=[1.0, 1.0, 0.0])
    assert open_phases(row, patience_s=120.0) == [0, 1]


def test_who_starves_in_a_lane_that_moves_is_served() -> None:
    """Somebody has stood for 330 s on a lane whose head changes all the time."""
    starves = {"head": [0.1, 0.1, 0.1], "longest": [0.5, 5.5, 1.0]}
    assert open_phases(three_phases(30.0, **starves), starving_s=300.0) == [1]
    assert open_phases(three_phases(29.0, **starves), starving_s=300.0) == [0, 1, 2]
    assert open_phases(three_phases(30.0, **starves), starving_s=360.0) == [0, 1, 2]
    heads = {**starves, "head": [0.1, 0.1, 2.5]}
    assert open_phases(three_phases(30.0, **heads), starving_s=300.0, patience_s=120.0) == [2]


def test_a_queue_that_was_let_go_is_not_stopped_at_once() -> None:
    """A green of 7 s with three vehicles that still stand before it, somebody waits elsewhere."""
    waits = {"standing": [0.3, 0.9, 0.0], "head": [0.0, 2.5, 0.0]}
    assert open_phases(three_phases(7.0, **waits), patience_s=120.0, discharge_s=15.0) == [0]
    assert open_phases(three_phases(15.0, **waits), patience_s=120.0, discharge_s=15.0) == [1]
    waits["standing"] = [0.1, 0.9, 0.0]
    assert open_phases(three_phases(7.0, **waits), patience_s=120.0, discharge_s=15.0) == [1]
    shut = three_phases(7.0, **{**waits, "standing": [0.3, 0, 0], "allowed": [0.0, 1.0, 1.0]})
    assert open_phases(shut, discharge_s=15.0) == [1, 2]


def test_a_strangers_file_is_not_executed(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code in the pickled parts of a model file never runs."""
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    pickle.dump(_Shout(), buffer)
    evil = changed(agent, tmp_path / "evil.zip", {"policy.pth": buffer.getvalue()})
    with pytest.raises(InputError, match="holds no agent"):
        resolve(str(evil))
    data = changed(agent, tmp_path / "data.zip", {"data": buffer.getvalue()})
    resolve(str(data))
    assert not (tmp_path / "shouted").exists()


def about_with(agent: Path, **changes: Any) -> bytes:
    with zipfile.ZipFile(agent) as file:
        said = json.loads(file.read("agent.json"))
    return json.dumps({**said, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"environment": "Twin/Works-v0"}, "environment: Input should be"),
        ({"size": 12}, "rows of 12 numbers; the environment's have"),
        ({"algorithm": "sarsa"}, "algorithm 'sarsa' is unknown"),
        ({"policy": {"encoder": "phase_competition", "width": 8}}, "size mismatch"),
        ({"policy": {"encoder": "os.system", "width": 8}}, "os.system"),
        ({"policy": {"encoder": "phase_competition", "patience_s": "long"}}, "patience_s(='long')"),
        ({"observation": "lanes"}, "observation 'lanes' is not what phase_competition reads"),
        ({"action": "switch"}, "action 'switch' is not for this algorithm: use phase"),
        ({"neighbours": True}, "rows of"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_agent_of_another_environment_gives_one_line(
    changes: dict[str, Any], says: str, agent: Path, tmp_path: Path
) -> None:
    path = changed(agent, tmp_path / "a.zip", {"agent.json": about_with(agent, **changes)})
    with pytest.raises(InputError) as caught:
        resolve(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_numbers_give_one_line(agent: Path, tmp_path: Path) -> None:
    import torch

    with zipfile.ZipFile(agent) as file:
        weights = torch.load(io.BytesIO(file.read("policy.pth")), weights_only=True)
    name = next(iter(weights))
    weights[name] = torch.full_like(weights[name], float("nan"))
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    path = changed(agent, tmp_path / "nan.zip", {"policy.pth": buffer.getvalue()})
    with pytest.raises(InputError, match=rf"weights of {name} are not finite"):
        resolve(str(path))


def test_an_agent_with_weights_for_each_junction_stays_at_home(
    scene: ToyScene, tmp_path: Path
) -> None:
    plan = replace(SMALL, algorithm="independent_ppo", steps=200)
    path = train(make_tasks([scene], plan), tmp_path, plan).path
    elsewhere = make_tasks([ToyScene.of(2)], plan)[0]
    with pytest.raises(InputError, match="has weights for 3 junctions, here are 2"):
        evaluate(resolve(str(path)), elsewhere, [1])


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04broken"])
def test_a_broken_agent_gives_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "agent.zip"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        resolve(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_hyperparameters_go_by_environment_and_scene(tmp_path: Path) -> None:
    for name in ALGORITHMS:
        assert settings(name)["model"], name
    path = tmp_path / "own.yaml"
    path.write_text(
        "Twin/SignalControl-v0:\n  ppo: {copies: 3, model: {gamma: 0.5, n_steps: 8}}\n"
        "Twin/SignalControl-v0/toy:\n  ppo: {model: {gamma: 0.7}}\n"
    )
    assert settings("ppo", "toy", path)["model"] == {"gamma": 0.7, "n_steps": 8}
    assert settings("ppo", "other", path)["model"]["gamma"] == 0.5
    with pytest.raises(InputError, match="no settings of dqn"):
        settings("dqn", "", path)
    path.write_text("Twin/SignalControl-v0:\n  ppo: {modell: {}}\n")
    with pytest.raises(InputError, match="'modell' is unknown"):
        settings("ppo", "", path)
    with pytest.raises(InputError, match="cannot be read as YAML"):
        settings("ppo", "", tmp_path / "nothing.yaml")
    assert FILE.exists()


def test_what_cannot_be_trained_is_one_line(scene: ToyScene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'sarsa' is unknown"):
        Plan("sarsa")
    with pytest.raises(InputError, match=r"steps\(=0\)"):
        Plan(steps=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        train(make_tasks([scene], SMALL), tmp_path / "file" / "x", SMALL)
    own = tmp_path / "own.yaml"
    own.write_text("Twin/SignalControl-v0:\n  ppo: {model: {wishes: 3}}\n")
    plan = Plan("ppo", hyperparameters=own)
    with pytest.raises(InputError, match="wishes"):
        train(make_tasks([scene], plan), tmp_path / "y", plan)


def test_unknown_policies_and_missing_agents_are_named() -> None:
    with pytest.raises(InputError, match="'green_weave' is unknown"):
        resolve("green_weave")
    with pytest.raises(InputError, match="there is no such agent"):
        resolve("nowhere/agent.zip")
