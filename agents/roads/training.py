"""Training of maintenance policies: one entry for all algorithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.roads import evolution
from agents.roads.trained import save_agent
from envs.roads.scenes import RoadTask

PAIRS = 24


@dataclass(frozen=True)
class Plan:
    """What is trained, for how long.

    Attributes
    ----------
    algo
        `es`, `ppo` or `maskable_ppo`.
    steps
        Decisions (steps of the environment) to learn from, at most.
    minutes
        Wall time after which it ends in any case.
    seed
        Of the training.
    command
        What is noted in the agent's file.
    """

    algo: str
    steps: int
    minutes: float | None
    seed: int
    command: str = ""


@dataclass(frozen=True)
class Progressed:
    """How far a training is."""

    decisions: int
    share: float
    relative: float


def train(
    tasks: Sequence[RoadTask],
    file: Path,
    plan: Plan,
    tell: Callable[[Progressed], None] | None = None,
) -> list[dict[str, Any]]:
    """Train, write the agent's file, and return the history of validations."""
    if plan.algo != "es":
        from agents.roads.gradient import train_gradient

        return train_gradient(tasks, file, plan, tell)
    decades = tasks[0].settings.years * 52 // tasks[0].weeks
    generations = max(1, plan.steps // (2 * PAIRS * decades))
    own = evolution.Plan(
        generations=generations, minutes=plan.minutes, pairs=PAIRS, rate=0.01, validation=48,
        validate_every=min(60, generations), seed=plan.seed,
    )  # fmt: skip

    def told(found: evolution.Found, share: float) -> None:
        if tell is not None:
            decisions = found.generations * 2 * PAIRS * decades
            tell(Progressed(decisions, share, found.history[-1]["relative"]))

    found = evolution.evolve(tasks, own, told)
    training = {
        "algo": plan.algo, "seed": plan.seed, "command": plan.command,
        "wall_s": found.wall_s, "decisions": found.generations * 2 * PAIRS * decades,
        "scenes": [task.scene.name for task in tasks],
    }  # fmt: skip
    save_agent(file, found.weights, training, own.hidden, tasks[0].weeks)
    return found.history
