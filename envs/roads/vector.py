"""A Gymnasium `VectorEnv` of copies of a road task."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.rendering import ROAD_FPS, Rendering, RoadPainter
from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask, make_road_task
from envs.task import check_seed
from twin.errors import InputError, SimulationError
from twin.roads.state import F4


class RoadVectorEnv(VectorEnv[F4, Any, Any]):
    """`num_envs` copies of `envs.roads.maintenance.RoadMaintenanceEnv`, stepped together.

    Autoreset is `NEXT_STEP`: the step after the last one of an episode resets the copy, takes no
    notice of its action, and gives reward 0.  With the same seeds and actions each copy sees what
    the single environment sees.  `infos` has `week`, `social_cost_eur` (discounted, so far) and
    `action_mask`, one row a copy.
    """

    metadata = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": ROAD_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        scene: Any = "generated:0",
        num_envs: int = 1,
        *,
        task: RoadTask | None = None,
        threads: int | None = None,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_road_task(scene, **given) if task is None else task
        self.num_envs = num_envs
        self.runs = RoadRuns(self.task, num_envs, threads)
        self.single_observation_space = self.runs.observation_space()
        self.single_action_space = self.runs.action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._over = np.zeros(num_envs, bool)
        self._rendering = Rendering(render_mode, RoadPainter(self.runs), ROAD_FPS, ["rgb_array"])
        self.render_mode = render_mode
        self._ready = False

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[F4, dict[str, Any]]:
        """Begin all copies; a number seeds them by it, the next, ...; or one number each."""
        numbers: list[int | None] = [None] * self.num_envs
        first = None
        if isinstance(seed, int | np.integer):
            first = check_seed(int(seed))
            numbers = [first + k for k in range(self.num_envs)]
        elif seed is not None:
            numbers = [None if s is None else check_seed(s) for s in seed]
            if len(numbers) != self.num_envs:
                msg = f"{len(numbers)} seeds for {self.num_envs} copies: give one number, or each"
                raise InputError(msg)
        super().reset(seed=first, options=options)
        drawn = [int(self.np_random.integers(2**31)) if s is None else s for s in numbers]
        self.runs.reset(drawn)
        self._over[:] = False
        self._ready = True
        return self._observed(), self._infos()

    def step(self, actions: Any) -> tuple[F4, Any, Any, Any, dict[str, Any]]:
        """Step every copy that goes on; begin the others anew."""
        if not self._ready:
            msg = "the environment has not been reset; call reset() first"
            raise SimulationError(msg)
        runs = self.runs
        actions = runs.checked(actions, self.num_envs)
        going = np.flatnonzero(~self._over)
        if len(going):
            runs.step(actions[going], going.tolist())
        for c in np.flatnonzero(self._over):
            runs.reset([int(self.np_random.integers(2**31))], [int(c)])
        reward = np.where(self._over, 0.0, runs.reward)
        self._over = np.asarray(runs.done).copy()
        ended = np.zeros(self.num_envs, bool)
        return self._observed(), reward, ended, self._over.copy(), self._infos()

    def render(self) -> tuple[Any, ...] | None:
        """A picture of each copy, as the single environment draws it."""
        return self._rendering.frames(self.num_envs, self._ready)

    def _observed(self) -> F4:
        return self.runs.rows.reshape(self.num_envs, -1).copy()

    def _infos(self) -> dict[str, Any]:
        runs = self.runs
        if runs.units == runs.n:
            masks = (runs.room.allowed == 1).reshape(self.num_envs, -1)
        else:
            masks = np.array([runs.masks(c) for c in range(self.num_envs)])
        return {
            "week": runs.state.copy["week"].copy(),
            "social_cost_eur": runs.state.euros[:, 1].sum(axis=1),
            "action_mask": masks,
        }

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ARG002
        """Let the threads go."""
        self.runs.close()
