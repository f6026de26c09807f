"""Train an agent for signals with Stable-Baselines3."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.trained import NET_ARCH
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from envs.task import SignalTask

# Rows are the junctions of one city, so a rollout of 96 steps is 16 minutes of each.
# A discount of 0.9 a step of 10 s looks about 100 s ahead: a cycle.
PPO_SETTINGS: dict[str, Any] = {
    "n_steps": 96,
    "batch_size": 576,
    "n_epochs": 6,
    "learning_rate": 1e-3,
    "gamma": 0.9,
    "gae_lambda": 0.9,
    "ent_coef": 0.01,
}

Progress = Callable[[float, int, float], None]


@dataclass(frozen=True)
class Training:
    """What a training did.

    Attributes
    ----------
    path
        The agent's file.
    decisions
        Decisions of all junctions that it learned from.
    wall_s
        Seconds that it took.
    rewards
        Mean reward of each rollout.
    """

    path: Path
    decisions: int
    wall_s: float
    rewards: list[float]


def train(
    task: SignalTask,
    path: Path,
    *,
    algo: str = "ppo",
    seconds: float | None = 60.0,
    decisions: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Training:
    """Train one policy for all junctions of a task and save it.

    Parameters
    ----------
    path
        Where the agent's `.zip` goes.
    seconds, decisions
        When to stop: after this wall time, or so many decisions, whichever is first.
    progress
        Called after each rollout with the share done, decisions so far, mean reward.

    Raises
    ------
    InputError
        For an unknown algorithm or no limit.
    OutputError
        Where the file cannot be written.
    """
    if algo != "ppo":
        msg = f"algorithm {algo!r} is unknown; there is ppo"
        raise InputError(msg)
    if seconds is None and decisions is None:
        msg = "say how long to train: seconds or decisions"
        raise InputError(msg)
    if not path.parent.is_dir():
        msg = f"{path.parent} is no folder; make it, or name another place for the agent"
        raise OutputError(msg)
    import torch
    from stable_baselines3 import PPO

    from envs.junction_rows import JunctionRows

    torch.set_num_threads(1)
    rows = JunctionRows(task, seed)
    model = PPO(
        "MlpPolicy",
        rows,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": list(NET_ARCH)},
        **PPO_SETTINGS,
    )
    watch = _watch(seconds, decisions, progress)
    started = time.monotonic()
    model.learn(decisions or 10**12, callback=watch)
    wall_s = time.monotonic() - started
    temporary = path.with_name(f".{path.stem}.part.zip")
    try:
        model.save(temporary)
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error.strerror or error}; free space or name another place"
        raise OutputError(msg) from None
    return Training(path, int(model.num_timesteps), wall_s, watch.rewards)


def _watch(seconds: float | None, decisions: int | None, progress: Progress | None) -> Any:
    from stable_baselines3.common.callbacks import BaseCallback

    class Watch(BaseCallback):
        """Stops in time and reports each rollout."""

        def __init__(self) -> None:
            super().__init__()
            self.rewards: list[float] = []
            self._started = time.monotonic()

        def _share(self) -> float:
            by_time = (time.monotonic() - self._started) / seconds if seconds else 0.0
            by_number = self.num_timesteps / decisions if decisions else 0.0
            return max(by_time, by_number)

        def _on_step(self) -> bool:
            return self._share() < 1.0

        def _on_rollout_end(self) -> None:
            buffer = self.model.rollout_buffer  # type: ignore[attr-defined]
            self.rewards.append(float(buffer.rewards.mean()))
            if progress is not None:
                progress(min(1.0, self._share()), self.num_timesteps, self.rewards[-1])

    return Watch()
