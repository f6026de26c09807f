"""Evolution strategies for the scoring policy: many decades at once, the same fate for all.

After Salimans et al. 2017 ("Evolution strategies as a scalable alternative to reinforcement
learning"): weights are varied in pairs of opposite signs, each variant lives a decade, and the mean
moves toward those that did better, by rank.  All variants of a generation have one scene and one
seed, so that what differs between them is the policy alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.roads.scorer import Shape, ordered, scores
from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask
from twin.roads.state import F8
from twin.roads.values import cheapest_options

VALIDATION_SEED = 2_000_000
TRAINING_SEED = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How long and how a policy evolves.

    Attributes
    ----------
    generations
        At most.
    minutes
        Wall time after which it ends in any case.
    pairs
        Of variants in a generation.
    spread
        Standard deviation of a variant's weights.
    rate
        Step of Adam.
    validate_every
        Generations.
    validation
        Decades of each scene.
    """

    generations: int = 2000
    minutes: float | None = None
    pairs: int = 32
    spread: float = 0.05
    rate: float = 0.02
    decay: float = 0.0005
    validate_every: int = 25
    validation: int = 16
    seed: int = 0
    hidden: int = 16


@dataclass
class Found:
    """What evolution has come to.

    Attributes
    ----------
    weights
        The best on the validation decades.
    history
        Generation, seconds, and mean cost by scene on the validation decades.
    """

    weights: F8
    history: list[dict[str, float]] = field(default_factory=list)
    generations: int = 0
    wall_s: float = 0.0


class Stage:
    """Copies of a task on which variants live."""

    def __init__(self, task: RoadTask, copies: int) -> None:
        self.task = task
        self.runs = RoadRuns(task, copies)
        self.options, _, _ = cheapest_options(self.runs.inventory, self.runs.rules)

    def live(self, shape: Shape, weights: F8, seeds: Sequence[int]) -> F8:
        """[copies] discounted cost of a decade of each copy's weights [copies, size]."""
        runs, parts = self.runs, shape.split(weights)
        copies = len(seeds)
        runs.reset(seeds, range(copies))
        sections, options = runs.room.order, runs.room.wanted
        numbers = np.zeros(copies, np.int64)
        while not bool(runs.done[0]):
            score = scores(parts, runs.rows[:copies])
            for c in range(copies):
                allowed = np.take_along_axis(runs.room.allowed[c], self.options, axis=1)
                found, asked = ordered(score[c], self.options, allowed)
                numbers[c] = len(found)
                sections[c, : len(found)], options[c, : len(found)] = found, asked
            runs.step_ordered(numbers, np.arange(copies))
        return np.array([runs.social_cost(c) for c in range(copies)])


Tell = Callable[[Found, float], None]


def evolve(tasks: Sequence[RoadTask], plan: Plan, tell: Tell | None = None) -> Found:
    """Evolve one scoring policy for all tasks.

    Parameters
    ----------
    tell
        Called after each validation with what was found, and the share of the work that is done.
    """
    shape = Shape(plan.hidden)
    rng = np.random.default_rng([plan.seed, 11])
    stages = [Stage(task, max(2 * plan.pairs, plan.validation)) for task in tasks]
    mean = shape.first(plan.seed)
    usual = np.array([_validated(stage, shape, mean, plan) for stage in stages])
    found = Found(mean.copy())
    best = np.inf
    first = second = np.zeros(shape.size)
    begin = time.monotonic()
    for generation in range(1, plan.generations + 1):
        stage = stages[generation % len(stages)]
        noise = rng.standard_normal((plan.pairs, shape.size))
        variants = np.concatenate([mean + plan.spread * noise, mean - plan.spread * noise])
        seed = TRAINING_SEED + 7919 * plan.seed + generation
        cost = stage.live(shape, variants, [seed] * len(variants))
        step = _direction(cost, noise) / plan.spread - plan.decay * mean
        first = 0.9 * first + 0.1 * step
        second = 0.999 * second + 0.001 * step**2
        scale = np.sqrt(second / (1.0 - 0.999**generation)) + 1e-8
        mean = mean + plan.rate * first / (1.0 - 0.9**generation) / scale
        found.generations, found.wall_s = generation, time.monotonic() - begin
        over = plan.minutes is not None and found.wall_s > 60.0 * plan.minutes
        if generation % plan.validate_every == 0 or over or generation == plan.generations:
            costs = np.array([_validated(s, shape, mean, plan) for s in stages])
            relative = float(np.mean(costs / usual))
            found.history.append(
                {"generation": generation, "wall_s": found.wall_s, "relative": relative}
            )
            if relative < best:
                best, found.weights = relative, mean.copy()
            if tell is not None:
                done = generation / plan.generations
                if plan.minutes is not None:
                    done = max(done, found.wall_s / 60.0 / plan.minutes)
                tell(found, min(1.0, done))
        if over:
            break
    return found


def _direction(cost: F8, noise: F8) -> F8:
    """Where weights must go for less cost: ranks of the variants, centred, times their noise."""
    rank = np.empty(len(cost))
    rank[np.argsort(cost)] = np.linspace(0.5, -0.5, len(cost))
    pairs = len(noise)
    return np.asarray((rank[:pairs] - rank[pairs:]) @ noise / len(cost))


def _validated(stage: Stage, shape: Shape, weights: F8, plan: Plan) -> float:
    seeds = [VALIDATION_SEED + k for k in range(plan.validation)]
    return float(stage.live(shape, np.repeat(weights[None], len(seeds), axis=0), seeds).mean())
