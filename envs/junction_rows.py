"""An SB3 `VecEnv` in which every junction of every copy is a row, for one shared policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from envs import actions, observation
from envs.signal_control import make_runs
from envs.task import SignalTask


class JunctionRows(VecEnv):
    """Rows are the junctions of all copies, those of a copy one after the other.

    They share its clock and end together; then the next episode begins at once, and
    `infos[row]["terminal_observation"]` has what was seen last.  The first row of a copy has
    `infos[row]["episode"]`, as SB3's `Monitor` writes it, with `delay_per_trip_s`.

    Parameters
    ----------
    task
        Where, and what is decided; its action is not `plan` for policies that choose.
    copies
        Simulations at once.
    seed
        Of the first episode; the following ones count on.
    junction
        Only this junction of each copy, for an agent of its own.
    engine, given
        See `envs.signal_control.make_runs`.
    """

    def __init__(
        self,
        task: SignalTask,
        copies: int = 1,
        seed: int = 0,
        *,
        junction: int | None = None,
        engine: str = "twin",
        **given: Any,
    ) -> None:
        self.task = task
        self.runs = make_runs(task, engine, copies, junction, **given)
        self.next_seed = seed
        self._action = np.zeros(0)
        self._total = np.zeros(copies)
        self._steps = 0
        self.render_mode = None
        super().__init__(
            copies * len(self.runs.junctions),
            spaces.Box(0.0, observation.HIGH, (task.layout.size,), np.float32),
            actions.space(task.action, None),
        )

    def reset(self) -> VecEnvObs:
        """Begin the next episodes, in all copies."""
        n = len(self.runs)
        given = [s for s in self._seeds if s is not None] if any(self._seeds) else []
        if given:
            self.next_seed = int(given[0])
        self._reset_seeds()
        self._begin(range(n))
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return np.asarray(self._rows_now())

    def _begin(self, copies: Sequence[int]) -> None:
        seeds = range(self.next_seed, self.next_seed + len(copies))
        self.next_seed += len(copies)
        self.runs.reset(list(seeds), list(copies))
        self._total[list(copies)], self._steps = 0.0, 0

    def _rows_now(self) -> Any:
        return self.runs.row.reshape(self.num_envs, -1).copy()

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._action = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Let a step pass; where the window is over the next episode begins."""
        runs, each = self.runs, len(self.runs.junctions)
        runs.step(self._action)
        self._steps += 1
        reward = runs.reward.astype(np.float32)
        self._total += reward.sum(axis=1)
        seen = self._rows_now()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = runs.done
        over = [int(k) for k in np.flatnonzero(done)]
        for k in over:
            for row in range(k * each, (k + 1) * each):
                infos[row] = {"terminal_observation": seen[row], "TimeLimit.truncated": True}
            infos[k * each]["episode"] = {
                "r": float(self._total[k]) / each,
                "l": self._steps,
                "t": 0.0,
                "delay_per_trip_s": runs.delay_per_trip_s(k),
            }
        dones = np.repeat(done, each)
        if over:
            self._begin(over)
            seen = self._rows_now()
        return seen, reward.reshape(-1), dones, infos

    def action_masks(self) -> np.ndarray:
        """[rows, choices] whether each choice would be served now."""
        return np.asarray(self.runs.mask.reshape(self.num_envs, -1))

    def close(self) -> None:
        """Give back what the engine holds."""
        self.runs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute for every row."""
        return [getattr(self, attr_name, None)] * len(self._chosen(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002
        """Set an attribute of all rows."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method once: each row has its own part of an array of all rows."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        rows = self._chosen(indices)
        if isinstance(result, np.ndarray) and len(result) == self.num_envs:
            return [result[row] for row in rows]
        return [result] * len(rows)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:  # noqa: ARG002
        """No row is wrapped."""
        return [False] * len(self._chosen(indices))

    def _chosen(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
