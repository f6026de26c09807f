"""What is to be decided, seen and rewarded in a scene: the same for every environment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from envs import actions, observation, rewards
from envs.observation import Layout
from envs.opening import open_scene
from envs.scenes import Scene
from twin.errors import InputError
from twin.traffic.control import Rules

ENGINES = ("twin", "sumo")
PLACE = (  # arguments of `open_scene`
    "begin_s", "end_s", "scale", "routes", "measures", "response", "phases", "closed",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SignalTask:
    """A scene, and how signals are controlled in it.

    Attributes
    ----------
    scene
        Where: `envs.scenes.Scene`.
    action
        `phase`: the next phase; `switch`: 0 keeps the phase, 1 asks for the next in order;
        `duration`: a phase and for how long; `plan`: splits and offset of the next cycle.
    observation
        `phases` or `lanes`, see `envs.observation`.
    neighbours
        Whether the nearest junctions upstream are seen, too.
    reward
        A name or a weighted sum of names of `envs.rewards.TERMS`, or a function of the
        `twin.traffic.signals.View` that gives [copies, junctions].
    step_s
        Seconds between decisions; the scene's unless given.
    rules
        What the controller keeps; the scene's unless given.
    detector_m
        Length of the detectors, m; the scene's unless given.
    noise
        Standard deviation of the detectors' readings, as a share of them.
    failed
        Share of the lanes whose detector is dead for an episode: it reads 0.  Observations, rules
        and rewards that are functions see that; named rewards are paid by the truth.
    cycle_s
        Of coordinated plans; a step of `plan` is one cycle.
    draws
        Different days that training sees: seed s is that of day `first_seed + s % draws`.
        None for as many as seeds.
    first_seed
        Of the days; evaluation uses others than training.

    Raises
    ------
    InputError
        For a setting that is not one of those, with what to do.
    """

    scene: Scene
    action: str = "phase"
    observation: str = "phases"
    neighbours: bool = False
    reward: rewards.Reward = "delay"
    step_s: float | None = None
    rules: Rules | None = None
    detector_m: float | None = None
    noise: float = 0.0
    failed: float = 0.0
    cycle_s: float = 90.0
    draws: int | None = 16
    first_seed: int = 100_000

    def __post_init__(self) -> None:
        usual = self.scene.settings
        for name in ("step_s", "rules", "detector_m"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(usual, name))
        actions.check(self.action)
        observation.layout(self.observation)
        if not callable(self.reward):
            rewards.weights(self.reward)
        if not isinstance(self.neighbours, bool):
            msg = f"neighbours(={self.neighbours!r}) of the task must be True or False"
            raise InputError(msg)
        if not isinstance(self.rules, Rules):
            msg = f"rules(={self.rules!r}) of the task must be of twin.traffic.control.Rules"
            raise InputError(msg)
        least: dict[str, tuple[float, float]] = {
            "step_s": (0.5, 3600.0),
            "detector_m": (5.0, 1000.0),
            "noise": (0.0, 10.0),
            "failed": (0.0, 1.0),
            "cycle_s": (20.0, 600.0),
        }
        for name, (low, high) in least.items():
            value = getattr(self, name)
            if not (isinstance(value, Real) and low <= float(value) <= high):
                msg = f"{name}(={value!r}) of the task must be from {low:g} to {high:g}"
                raise InputError(msg)
            object.__setattr__(self, name, float(value))
        if self.draws is not None and not (isinstance(self.draws, Integral) and self.draws >= 1):
            msg = f"draws(={self.draws!r}) of the task must be at least 1, or None"
            raise InputError(msg)
        object.__setattr__(self, "first_seed", check_seed(self.first_seed, "first_seed"))
        if self.action == "plan":
            object.__setattr__(self, "step_s", self.cycle_s)

    @property
    def every_s(self) -> float:
        """Seconds between decisions."""
        assert self.step_s is not None  # noqa: S101 - set above
        return self.step_s

    @property
    def steps(self) -> int:
        """Decisions of an episode."""
        return max(1, math.ceil((self.scene.end_s - self.scene.begin_s) / self.every_s - 1e-9))

    @property
    def layout(self) -> Layout:
        """What a row of an observation holds."""
        return observation.layout(self.observation, neighbours=self.neighbours)

    def day(self, seed: int) -> int:
        """Seed of the traffic of an episode."""
        return self.first_seed + (seed if self.draws is None else seed % self.draws)

    def with_scene(self, scene: Scene) -> SignalTask:
        """The same settings elsewhere, but with that scene's step, rules and detectors."""
        return replace(self, scene=scene, step_s=None, rules=None, detector_m=None)


def check_seed(seed: Any, name: str = "seed") -> int:
    """A seed as a whole number.

    Raises
    ------
    InputError
        If it is none, or negative.
    """
    if not isinstance(seed, Integral) or seed < 0:
        msg = f"{name}(={seed!r}) must be a whole number from 0"
        raise InputError(msg)
    return int(seed)


Options = Mapping[str, Any]
Weigh = Callable[[Any], npt.NDArray[np.float64]]


def make_task(scene: Any = "helsinki", **given: Any) -> SignalTask:
    """A task from what a user writes.

    Parameters
    ----------
    scene
        A `Scene`, or what `envs.opening.open_scene` opens.
    given
        Settings of `SignalTask`, and those of `open_scene`.

    Raises
    ------
    InputError
        For a setting that there is not, or one of a wrong value.
    """
    place = {k: given.pop(k) for k in PLACE if k in given}
    known = list(SignalTask.__dataclass_fields__)[1:]
    for name in given:
        if name not in known:
            from twin.suggest import suggestion

            near = suggestion(name, [*known, *PLACE])
            msg = f"setting {name!r} of the task is unknown; {near}"
            raise InputError(msg)
    if isinstance(scene, SignalTask):
        if place:
            open_scene(scene.scene, **place)  # refuses what a scene that is made cannot take
        return replace(scene, **given) if given else scene
    return SignalTask(open_scene(scene, **place), **given)
