"""Train agents for signals with Stable-Baselines3 and sb3-contrib, so that they can be resumed."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents import algorithms, checkpoints
from agents.agent_file import About, about, write_agent
from agents.evaluation import delays
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from envs.junction_rows import JunctionRows
    from envs.task import SignalTask

AGENT, LOGS, SUMMARY = "agent.zip", "logs", "training.json"
VALIDATION_SEED = 200_000  # days that choose the best weights; neither trained nor reported
RECENT = 64  # episodes of the running indicator


@dataclass
class State:
    """How far a training is.

    Attributes
    ----------
    decisions
        Of all junctions so far.
    wall_s
        Seconds so far, those of earlier parts included.
    best_s
        Least mean delay of a trip in validation, s.
    history
        Of each validation: decisions, seconds, mean delay of each scene.
    """

    decisions: int = 0
    wall_s: float = 0.0
    best_s: float = float("inf")
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What is told of a training while it goes on.

    Attributes
    ----------
    share
        Of the work that is done.
    per_s
        Decisions a second.
    left_s
        Seconds that remain, as it looks.
    training_s, validation_s
        Mean delay of a trip: of the last episodes (with exploration), and of the last
        validation; NaN before the first.
    """

    share: float
    decisions: int
    per_s: float
    left_s: float
    training_s: float
    validation_s: float


Tell = Callable[[Report], None]


@dataclass(frozen=True)
class Plan:
    """What a training shall do.

    Attributes
    ----------
    algorithm
        A name of `agents.algorithms.ALGORITHMS`.
    steps
        Decisions of all junctions.
    minutes
        Wall time after which it ends in any case; None for no limit.
    seed
        Of weights, exploration and days.
    copies
        Simulations of each task at once; those of the hyperparameters for one task, fewer for
        each of several, unless given.
    validations
        How often weights are compared on days of their own, and checkpoints are written.
    validation_days
        Days of each comparison.
    hyperparameters
        File to read instead of the project's.
    command
        What the user typed, to be kept with the weights.
    """

    algorithm: str = "frap"
    steps: int = 1_000_000
    minutes: float | None = None
    seed: int = 0
    copies: int | None = None
    validations: int = 12
    validation_days: int = 4
    hyperparameters: Path | None = None
    command: str = ""

    def __post_init__(self) -> None:
        algorithms.find(self.algorithm)
        for name in ("steps", "validations", "validation_days"):
            if getattr(self, name) < 1:
                msg = f"{name}(={getattr(self, name)}) of the training must be at least 1"
                raise InputError(msg)
        if self.minutes is not None and self.minutes <= 0:
            msg = f"minutes(={self.minutes:g}) of the training must be above 0"
            raise InputError(msg)


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes
    ----------
    path
        The agent with the best weights.
    """

    path: Path
    state: State


def make_tasks(scenes: Sequence[Any], plan: Plan, **given: Any) -> list[SignalTask]:
    """Tasks in scenes, with the rows that the algorithm's settings want, unless given."""
    from envs.task import make_task

    rows = algorithms.settings(plan.algorithm, "", plan.hyperparameters)["rows"]
    return [make_task(scene, **{**rows, **given}) for scene in scenes]


def _traffic(task: SignalTask) -> str:
    """Window, what was done to the demand and the streets, and a hash of what drives where."""
    scene = task.scene
    start, digest = scene.start(task.day(0)), hashlib.sha256()
    for arrays in (scene.network.arrays, scene.network.signals, start.state):
        for array in map(np.asarray, arrays):
            names = array.dtype.names  # of records, the bytes between fields say nothing
            for part in [array[name] for name in names] if names else [array]:
                digest.update(part.tobytes())
    return (
        f"{scene.begin_s:g} to {scene.end_s:g} s, scale {getattr(scene, 'scale', 1.0):g}, "
        f"closed {', '.join(getattr(scene, 'closed', ())) or 'nothing'}, "
        f"measures {list(getattr(scene, 'measures', ())) or 'none'}, "
        f"network and traffic {digest.hexdigest()[:12]}"
    )


def _task(task: SignalTask) -> str:
    """What is decided, seen and paid."""
    reward = task.reward if not callable(task.reward) else "a function"
    parts = {
        "action": task.action, "observation": task.observation, "neighbours": task.neighbours,
        "reward": reward, "step": task.every_s, "rules": task.rules, "detectors": task.detector_m,
        "noise": task.noise, "failed": task.failed, "days": (task.draws, task.first_seed),
    }  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def train(
    tasks: Sequence[SignalTask], folder: Path, plan: Plan, *, tell: Tell | None = None
) -> Trained:
    """Train one agent for all tasks; goes on where an earlier call in the folder was killed.

    The folder gets `agent.zip` (the weights that were best in validation), `training.json`,
    `logs` for TensorBoard and `checkpoint`, which is read again only from here: unlike
    `agent.zip` it is not a file to take from strangers.

    Raises
    ------
    InputError
        For unknown settings, or a checkpoint of another training.
    OutputError
        Where the folder cannot be written.
    """
    import torch

    from envs.junction_rows import JunctionRows

    torch.set_num_threads(1)
    names = [task.scene.name for task in tasks]
    scene = names[0] if len(names) == 1 else ""
    given = algorithms.settings(plan.algorithm, scene, plan.hyperparameters)
    for task in tasks:
        algorithms.check_rows(given["policy"], task.action, task.observation)
    numbered = algorithms.find(plan.algorithm).numbered
    if numbered and len(tasks) > 1:
        msg = f"{plan.algorithm} has weights for the junctions of one scene; give one of {names}"
        raise InputError(msg)
    identity = {**asdict(plan), "scenes": names, "settings": given}
    identity["traffic"] = [_traffic(task) for task in tasks]
    identity["tasks"] = [_task(task) for task in tasks]
    for free in ("minutes", "command", "hyperparameters", "steps"):
        identity.pop(free)
    kept = checkpoints.read(folder, identity)
    if kept is None:
        copies = plan.copies or _copies(given["copies"], len(tasks))
        rows = JunctionRows(
            list(tasks),
            copies,
            seed=plan.seed * 10_000,
            numbered=numbered,
            discount=given["model"].get("gamma", 0.99) if given["normalise"] else None,
        )
        _make_folder(folder)
        model = algorithms.new_model(plan.algorithm, rows, given, plan.seed, folder / LOGS)
        state = State()
    else:
        rows = kept.rows
        model_class = algorithms.find(plan.algorithm).model_class()
        model, state = checkpoints.resume(kept, model_class), State(**kept.state)
    policy = algorithms.policy_settings(plan.algorithm, given["policy"], rows.n_junctions)
    policy.pop("junctions", None)
    said = about(
        plan.algorithm, tasks[0], policy, rows.n_junctions,
        scenes=names, seed=plan.seed, command=plan.command,
    )  # fmt: skip
    work = _Work(tasks, folder, plan, identity, said, state, tell)
    if state.decisions < plan.steps and not work.is_late():
        model.learn(
            plan.steps - state.decisions,
            callback=work.callback(),
            tb_log_name=plan.algorithm,
            reset_num_timesteps=False,
        )
    work.validate(model)
    work.save(model, rows)
    _write_summary(folder, said, state)
    return Trained(folder / AGENT, state)


class _Work:
    """What is done between rollouts: validation, checkpoints, reports."""

    def __init__(
        self,
        tasks: Sequence[SignalTask],
        folder: Path,
        plan: Plan,
        identity: dict[str, Any],
        said: About,
        state: State,
        tell: Tell | None,
    ) -> None:
        self.tasks, self.folder, self.plan = tasks, folder, plan
        self.identity, self.said, self.state, self.tell = identity, said, state, tell
        self.before_s = state.wall_s
        self.begin = time.monotonic()
        self.begin_at = state.decisions
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.told = 0.0
        self.each = max(1, plan.steps // plan.validations)

    def is_late(self) -> bool:
        """Whether the time is over."""
        limit = self.plan.minutes
        return limit is not None and self._wall_s() >= 60.0 * limit

    def _wall_s(self) -> float:
        return self.before_s + time.monotonic() - self.begin

    def validate(self, model: Any) -> None:
        """Compare the weights on days of their own, and keep them if they are best."""
        state = self.state
        state.decisions, state.wall_s = int(model.num_timesteps), self._wall_s()
        if state.history and state.history[-1]["decisions"] == state.decisions:
            return
        seeds = [VALIDATION_SEED + k for k in range(self.plan.validation_days)]
        found = {
            task.scene.name: float(np.mean(delays(self.said, model.policy, task, seeds)))
            for task in self.tasks
        }
        model.policy.set_training_mode(False)
        row = {"decisions": state.decisions, "wall_s": state.wall_s, "delay_per_trip_s": found}
        state.history.append(row)
        score = _score(found, state.history[0]["delay_per_trip_s"])
        for name, value in found.items():
            model.logger.record(f"validation/{name}_delay_per_trip_s", value)
        model.logger.dump(state.decisions)
        if score < state.best_s:
            state.best_s = score
            self.said.training.update(
                decisions=state.decisions, wall_s=round(state.wall_s, 1), validation_s=found
            )
            write_agent(self.folder / AGENT, self.said, model.policy)

    def save(self, model: Any, rows: JunctionRows) -> None:
        """Write a checkpoint."""
        self.state.decisions, self.state.wall_s = int(model.num_timesteps), self._wall_s()
        checkpoints.write(self.folder, self.identity, model, rows, asdict(self.state))

    def report(self, model: Any) -> None:
        """Tell how far it is, twice a second at most."""
        now = self._wall_s()
        if self.tell is None or now - self.told < 0.5:
            return
        self.told = now
        done = int(model.num_timesteps)
        per_s = (done - self.begin_at) / max(1e-6, now - self.before_s)
        left_s = (self.plan.steps - done) / max(per_s, 1e-6)
        share = done / self.plan.steps
        if self.plan.minutes is not None:
            left_s = min(left_s, 60.0 * self.plan.minutes - now)
            share = max(share, now / (60.0 * self.plan.minutes))
        history = self.state.history
        last = history[-1]["delay_per_trip_s"].values() if history else [float("nan")]
        self.tell(
            Report(
                min(1.0, share),
                done,
                per_s,
                max(0.0, left_s),
                float(np.mean(self.recent)) if self.recent else float("nan"),
                float(np.mean(list(last))),
            )
        )

    def callback(self) -> Any:
        """The SB3 callback that calls all this."""
        from stable_baselines3.common.callbacks import BaseCallback

        work = self

        class Between(BaseCallback):
            """Acts before a rollout, when what was learned before is complete."""

            def _on_rollout_start(self) -> None:
                done = self.model.num_timesteps
                history = work.state.history
                last = history[-1]["decisions"] if history else 0
                if done - last >= work.each:
                    work.validate(self.model)
                    work.save(self.model, self.training_env)  # type: ignore[arg-type]

            def _on_step(self) -> bool:
                for info in self.locals["infos"]:
                    if "episode" in info:
                        work.recent.append(info["episode"]["delay_per_trip_s"])
                        self.logger.record("rollout/delay_per_trip_s", np.mean(work.recent))
                work.report(self.model)
                return not work.is_late()

        return Between()


def _copies(usual: int, tasks: int) -> int:
    """Simulations of each task at once: fewer where there are many tasks."""
    return usual if tasks == 1 else max(8, 2 * usual // tasks)


def _score(found: dict[str, float], first: dict[str, float]) -> float:
    """Mean delay, of several scenes each over its first: so that no long one outweighs others."""
    if len(found) == 1:
        return next(iter(found.values()))
    return float(np.exp(np.mean([np.log(found[k] / first[k]) for k in found])))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        msg = f"cannot make the folder {folder}: {reason}; name another place for the agent"
        raise OutputError(msg) from None


def _write_summary(folder: Path, said: About, state: State) -> None:
    text = json.dumps({"agent": said.model_dump(), "training": asdict(state)}, indent=1)
    path = folder / SUMMARY
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise OutputError(msg) from None
