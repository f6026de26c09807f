"""Baselines decide as their source says; trained agents are loaded without running their code."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.max_pressure import MaxPressure
from agents.policies import resolve
from agents.train import train
from envs.signal_run import SignalTask
from twin.errors import InputError, OutputError
from twin.simulation import Simulation
from twin.traffic.system import SignalPolicy

if TYPE_CHECKING:
    from twin.city import City


def view(waiting: list[float], behind: list[float], now: int) -> SimpleNamespace:
    """One junction, two phases; links 0 and 1 in the first, 2 in the second."""
    green = np.array([[[True, True, False], [False, False, True]]])
    junctions = SimpleNamespace(green=green, row=np.array([[0, 1]]))
    return SimpleNamespace(
        junctions=junctions,
        waiting=np.array([waiting]),
        approaching=np.zeros((1, 3)),
        by_link=lambda values: values,
        downstream=lambda: np.array([behind]),
        phase=np.array([now]),
    )


@pytest.mark.parametrize(
    ("waiting", "behind", "now", "wanted"),
    [
        ([3, 2, 4], [0, 0, 0], 1, 0),  # 5 against 4
        ([3, 2, 4], [2, 2, 0], 0, 1),  # 1 against 4: no room behind counts
        ([2, 2, 4], [0, 0, 0], 1, 1),  # a tie keeps the phase
        ([0, 0, 0], [9, 9, 0], 0, 0),  # nobody there: nothing pulls or pushes
    ],
)
def test_max_pressure_takes_the_phase_of_the_greatest_pressure(
    waiting: list[float], behind: list[float], now: int, wanted: int
) -> None:
    assert MaxPressure().decide(view(waiting, behind, now)) == wanted


@pytest.fixture(scope="module")
def task(helsinki: City) -> SignalTask:
    return SignalTask(
        helsinki, end_s=7 * 3600 + 900.0, warmup_s=300.0, scale=0.3, iterations=1, draws=1
    )


@pytest.fixture(scope="module")
def agent(task: SignalTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent.zip"
    done = train(task, path, seconds=None, decisions=36 * 96 * 3)
    assert done.decisions >= 36 * 96 * 3
    assert len(done.rewards) >= 2
    return path


def test_policies_decide_in_a_simulation(task: SignalTask, agent: Path) -> None:
    """Max-pressure delays less than fixed programs that do not know of each other."""
    prepared = task.prepared(0)
    delay = {}
    for name in (None, "max_pressure", str(agent)):
        measures = [SignalPolicy(policy=name)] if name else []
        sim = Simulation(
            task.city,
            prepared,
            begin_s=task.begin_s - 300.0,
            end_s=task.end_s,
            warmup_s=300.0,
            measures=measures,
            policies=resolve,
        )
        delay[name] = sim.run().indicators["delay_per_trip_s"]
    assert delay["max_pressure"] < 0.9 * delay[None]
    assert delay[str(agent)] != delay[None]


def test_an_agent_is_the_same_after_loading(agent: Path) -> None:
    from envs import observation

    one, two = resolve(str(agent)), resolve(str(agent))
    seen = np.random.default_rng(0).random((36, observation.SIZE), np.float32)
    choices = [p._policy.predict(seen, deterministic=True)[0] for p in (one, two)]
    assert (choices[0] == choices[1]).all()


class _Shout:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("shouted"),))


def test_a_strangers_file_is_not_executed(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code in the pickled parts of a model file never runs."""
    monkeypatch.chdir(tmp_path)
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(agent) as good, zipfile.ZipFile(evil, "w") as bad:
        for name in good.namelist():
            payload = good.read(name)
            if name == "policy.pth":
                buffer = io.BytesIO()
                pickle.dump(_Shout(), buffer)
                payload = buffer.getvalue()
            bad.writestr(name, payload)
    with pytest.raises(InputError, match="holds no agent"):
        resolve(str(evil))
    assert not (tmp_path / "shouted").exists()


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04broken"])
def test_a_broken_agent_gives_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "agent.zip"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        resolve(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_unknown_policies_and_missing_agents_are_named() -> None:
    with pytest.raises(InputError, match="'green_wave' is unknown; write max_pressure"):
        resolve("green_wave")
    with pytest.raises(InputError, match="there is no such agent"):
        resolve("nowhere/agent.zip")


def test_an_agent_cannot_be_saved_nowhere(task: SignalTask, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is no folder"):
        train(task, tmp_path / "missing" / "agent.zip")
    with pytest.raises(InputError, match="'sarsa' is unknown"):
        train(task, tmp_path / "agent.zip", algo="sarsa")
