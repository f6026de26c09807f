"""Copies of a road task as a `VecEnv` of Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask
from twin.roads.state import F4


class RoadVecEnv(VecEnv):
    """Copies that begin anew when their decade has ended.

    The reward is that of `Twin/RoadMaintenance-v0` over the usual budget of a year (2.2 EUR/m²),
    with the backlog of repairs booked as it grows instead of at the end: sums of an episode are
    the same, but credit comes when it is due.

    Parameters
    ----------
    task, copies
        What is done, and how many.
    seed
        Episode k of the training has a seed of its own, drawn from this one.
    """

    render_mode = None

    def __init__(self, task: RoadTask, copies: int, seed: int = 0) -> None:
        self.task = task
        self.runs = RoadRuns(task, copies)
        super().__init__(copies, self.runs.observation_space(), self.runs.action_space())
        self._rng = np.random.default_rng([seed, 31])
        self._unit = 2.2 * float(self.runs.inventory.place["area_m2"].sum())
        self._owed = np.zeros(copies)
        self._earned = np.zeros(copies)
        self._actions: Any = None

    def reset(self) -> F4:
        """Begin all copies."""
        self._begin(range(self.num_envs))
        return self._observed()

    def step_async(self, actions: Any) -> None:
        """Take actions for the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[F4, Any, Any, list[dict[str, Any]]]:
        """Step, and begin anew what has ended."""
        runs = self.runs
        runs.step(self._actions)
        done = np.asarray(runs.done).copy()
        owed = self._worth()
        booked = np.where(done, owed, 0.0)
        reward = (runs.reward + booked - (owed - self._owed)) / self._unit
        self._owed = owed
        self._earned += reward
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(done)
        for c in ended:
            infos[c] = {
                "terminal_observation": runs.observation(int(c)),
                "TimeLimit.truncated": True,
                "social_cost_eur": runs.social_cost(int(c)),
                "episode": {"r": float(self._earned[c]), "l": self._steps(), "t": 0.0},
            }
        self._begin(ended.tolist())
        return self._observed(), reward.astype(np.float32), done, infos

    def masks(self) -> Any:
        """[copies, units * options] what would be granted by itself."""
        return np.array([self.runs.masks(c) for c in range(self.num_envs)])

    def _begin(self, copies: Sequence[int]) -> None:
        chosen = list(copies)
        if chosen:
            self.runs.reset(self._rng.integers(2**31, size=len(chosen)).tolist(), chosen)
            self._owed[chosen] = self._worth()[chosen]
            self._earned[chosen] = 0.0

    def _worth(self) -> Any:
        """[copies] backlog, discounted to the start."""
        copy, rule = self.runs.state.copy, self.runs.rules[0]
        return copy["backlog"] * float(rule["discount"]) ** copy["week"]

    def _steps(self) -> int:
        return int(self.runs.rules[0]["weeks"]) // self.task.weeks

    def _observed(self) -> F4:
        rows: F4 = self.runs.rows.reshape(self.num_envs, -1).copy()
        return rows

    # what SB3 asks of a VecEnv

    def close(self) -> None:
        """Let the threads go."""
        self.runs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, once for each copy."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """Whether `get_attr` finds it; `action_masks` is what maskable algorithms ask for."""
        return attr_name == "action_masks" or hasattr(self, attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002
        """Set an attribute of all copies."""
        setattr(self, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,  # noqa: ARG002
        indices: Any = None,
        **method_kwargs: Any,  # noqa: ARG002
    ) -> list[Any]:
        """Call a method of each copy: `action_masks`."""
        if method_name != "action_masks":
            msg = f"copies of roads have no method {method_name}"
            raise AttributeError(msg)
        return [self.runs.masks(c) for c in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        """Nothing is wrapped."""
        return [False for _ in self._get_indices(indices)]
