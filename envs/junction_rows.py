"""An SB3 `VecEnv` in which every junction is a row, so that one policy learns for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from envs import observation
from envs.signal_run import SignalRun, SignalTask


class JunctionRows(VecEnv):
    """Rows are the junctions of one simulation; they share the clock and end together.

    The reward of a row is minus the mean vehicles at a stand before its junction, over 10.
    """

    def __init__(self, task: SignalTask, seed: int = 0) -> None:
        self.task, self._next_seed = task, seed
        self._run = SignalRun(task, seed)
        self._wanted = np.zeros(0, np.int64)
        super().__init__(
            len(self._run.control.junctions.signal),
            spaces.Box(0.0, observation.HIGH, (observation.SIZE,), np.float32),
            spaces.Discrete(observation.PHASES),
        )

    def reset(self) -> VecEnvObs:
        """Begin the next episode."""
        self._run = SignalRun(self.task, self._next_seed)
        self._next_seed += 1
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._run.observe()

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the phases that are asked for."""
        self._wanted = np.asarray(actions, np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        """Let a step pass; at the end of the window the next episode begins."""
        standing, _ = self._run.step(self._wanted)
        reward = (-standing / observation.VEHICLES).astype(np.float32)
        seen = self._run.observe()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = self._run.done
        if done:
            infos = [
                {"terminal_observation": row, "TimeLimit.truncated": True} for row in seen
            ]
            infos[0]["indicators"] = self._run.indicators()
            seen = np.asarray(self.reset())
        return seen, reward, np.full(self.num_envs, done), infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute for every row."""
        return [getattr(self, attr_name, None)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002
        """Set an attribute of all rows."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method once, and give its result to every row."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        return [result] * len(self._rows(indices))

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:  # noqa: ARG002
        """No row is wrapped."""
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
