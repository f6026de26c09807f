"""An SB3 `VecEnv` in which every junction of every copy is a row, for one shared policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from envs import actions, observation
from envs.signal_control import make_runs
from envs.task import SignalTask, make_task
from twin.errors import SimulationError

CUT = 10.0  # standard deviations


class JunctionRows(VecEnv):
    """Rows are the junctions of all copies of all tasks, those of a copy one after the other.

    They share its clock and end together; then the next episode begins at once, and
    `infos[row]["terminal_observation"]` has what was seen last.  The first row of a copy has
    `infos[row]["episode"]`, as SB3's `Monitor` writes it, with `delay_per_trip_s` and `scene`.

    Parameters
    ----------
    task
        Where, and what is decided, or a scene's name; of several, which take turns in no way but
        step side by side, actions and observations are the same.
    copies
        Simulations at once, of each task.
    seed
        Of the first episode; the following ones count on.
    junction
        Only this junction of each copy.
    numbered
        Whether rows end with the number of their junction over 1024, for agents that have
        weights for each.
    discount
        Where given, rewards of each task are over the standard deviation of its discounted
        returns so far, cut off at `CUT`: no crowded scene outweighs the others.
    engine, given
        See `envs.signal_control.make_runs`.

    Raises
    ------
    SimulationError
        If actions or observations of the tasks differ.
    """

    def __init__(
        self,
        task: SignalTask | str | Sequence[SignalTask | str],
        copies: int = 1,
        seed: int = 0,
        *,
        junction: int | None = None,
        numbered: bool = False,
        discount: float | None = None,
        engine: str = "twin",
        **given: Any,
    ) -> None:
        given_tasks = [task] if isinstance(task, SignalTask | str) else list(task)
        if not given_tasks:
            msg = "no task is given: give one, as of envs.task.make_task('cologne1')"
            raise SimulationError(msg)
        self.tasks = [make_task(one) for one in given_tasks]
        self.task = self.tasks[0]
        if engine == "sumo" and len(self.tasks) > 1:
            msg = "engine sumo: it is one simulation in a process; give one task"
            raise SimulationError(msg)
        if len({(t.action, t.layout) for t in self.tasks}) > 1:
            msg = "tasks with different actions or observations cannot share a policy"
            raise SimulationError(msg)
        self.parts = [make_runs(t, engine, copies, junction, **given) for t in self.tasks]
        for runs in self.parts:
            observation.check_phases(runs.junctions, runs.network.signal_ids)
        self.next_seed = seed
        counts = [len(runs) * len(runs.junctions) for runs in self.parts]
        self._ends = np.cumsum([0, *counts])
        self._number = np.concatenate(
            [np.tile(np.arange(len(r.junctions)), len(r)) for r in self.parts]
        )
        self._numbered = numbered
        self._action, self._ready = np.zeros(0), False
        self._discount = discount
        self._return = [np.zeros((copies, len(r.junctions))) for r in self.parts]
        self._spread = [RunningMeanStd(shape=()) for _ in self.parts]
        self._total = [np.zeros(copies) for _ in self.parts]
        self._steps = [np.zeros(copies, int) for _ in self.parts]
        self.render_mode = None
        size = self.task.layout.size + numbered
        super().__init__(
            int(self._ends[-1]),
            spaces.Box(0.0, observation.HIGH, (size,), np.float32),
            actions.space(self.task.action, None),
        )

    @property
    def runs(self) -> Any:
        """Episodes of the first task."""
        return self.parts[0]

    @property
    def n_junctions(self) -> int:
        """Junctions of the task that has most."""
        return int(self._number.max()) + 1

    def reset(self) -> VecEnvObs:
        """Begin the next episodes, in all copies."""
        given = [s for s in self._seeds if s is not None]
        if given:
            self.next_seed = int(given[0])
        self._reset_seeds()
        for part, runs in enumerate(self.parts):
            self._begin(part, range(len(runs)))
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._ready = True
        return np.asarray(self._rows_now())

    def _begin(self, part: int, copies: Sequence[int]) -> None:
        seeds = range(self.next_seed, self.next_seed + len(copies))
        self.next_seed += len(copies)
        self.parts[part].reset(list(seeds), list(copies))
        self._total[part][list(copies)], self._steps[part][list(copies)] = 0.0, 0

    def _rows_now(self) -> npt.NDArray[np.float32]:
        rows = [runs.row.reshape(-1, runs.row.shape[-1]) for runs in self.parts]
        if self._numbered:
            rows = [np.concatenate(rows)]
            rows.append((self._number / observation.WHICH).astype(np.float32)[:, None])
            return np.concatenate(rows, axis=1)
        return np.concatenate(rows)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions.

        Raises
        ------
        SimulationError
            Before `reset`, or where one is outside the action space.
        """
        if not self._ready:
            msg = "the rows have not been reset; call reset() first"
            raise SimulationError(msg)
        found = np.asarray(actions)
        fits = len(found) == self.num_envs if found.ndim else False
        wrong = np.flatnonzero(_outside(self.action_space, found)) if fits else [0]
        if len(wrong):
            row = int(wrong[0])
            what = f"row {row}: {found[row].tolist()}" if fits else f"shape {found.shape}"
            msg = f"action of {what} is outside {self.num_envs} rows of {self.action_space}"
            raise SimulationError(msg)
        self._action = found

    def step_wait(self) -> VecEnvStepReturn:
        """Let a step pass; where the window is over the next episode begins."""
        rewards, dones = [], []
        for part, runs in enumerate(self.parts):
            runs.step(self._action[self._ends[part] : self._ends[part + 1]])
            dones.append(runs.done.copy())
            rewards.append(self._weighed(part, runs.reward, dones[-1]).astype(np.float32))
            self._total[part] += runs.reward.sum(axis=1)
            self._steps[part] += 1
        seen = self._rows_now()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if any(done.any() for done in dones):
            for part, done in enumerate(dones):
                self._end(part, np.flatnonzero(done).tolist(), seen, infos)
            seen = self._rows_now()
        each = [len(runs.junctions) for runs in self.parts]
        over = [np.repeat(done, n) for done, n in zip(dones, each, strict=True)]
        reward = np.concatenate([r.reshape(-1) for r in rewards])
        return seen, reward, np.concatenate(over), infos

    def _weighed(self, part: int, reward: Any, done: Any) -> Any:
        """Rewards of a task, in units of what its returns differ by."""
        if self._discount is None:
            return reward
        total, spread = self._return[part], self._spread[part]
        total *= self._discount
        total += reward
        spread.update(total.reshape(-1))
        total[done] = 0.0
        return np.clip(reward / np.sqrt(spread.var + 1e-8), -CUT, CUT)

    def _end(self, part: int, over: list[int], seen: Any, infos: list[dict[str, Any]]) -> None:
        """Report on the episodes that are over, and begin the next ones."""
        runs, first = self.parts[part], int(self._ends[part])
        each = len(runs.junctions)
        for k in over:
            begin = first + k * each
            for row in range(begin, begin + each):
                infos[row] = {"terminal_observation": seen[row], "TimeLimit.truncated": True}
            infos[begin]["episode"] = {
                "r": float(self._total[part][k]) / each,
                "l": int(self._steps[part][k]),
                "t": 0.0,
                "delay_per_trip_s": runs.delay_per_trip_s(k),
                "scene": self.tasks[part].scene.name,
            }
        if over:
            self._begin(part, over)

    def action_masks(self) -> np.ndarray:
        """[rows, choices] whether each choice would be served now."""
        masks = [runs.mask for runs in self.parts]
        return np.concatenate([mask.reshape(-1, mask.shape[-1]) for mask in masks])

    def close(self) -> None:
        """Give back what the engine holds."""
        for runs in self.parts:
            runs.close()

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


def _outside(space: spaces.Space[Any], action: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """[rows] whether each action is none of the space."""
    rows = action.reshape(len(action), -1)
    shape: Any = space.shape
    if rows.shape[1] != max(1, int(np.prod(shape))) or rows.dtype.kind not in "iuf":
        return np.ones(len(action), bool)
    if isinstance(space, spaces.Box):
        return np.asarray(~((rows >= 0.0) & (rows <= 1.0)).all(axis=1))
    sizes = space.nvec if isinstance(space, spaces.MultiDiscrete) else [space.n]  # type: ignore[attr-defined]
    whole = (rows >= 0) & (rows < np.asarray(sizes)) & (rows == np.floor(rows))
    return np.asarray(~whole.all(axis=1))
