"""A Gymnasium `VectorEnv` of copies of a task: one compiled call steps them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs import actions, observation
from envs.rendering import SIGNAL_FPS, Rendering, SignalPainter
from envs.signal_control import make_runs
from envs.task import SignalTask, check_seed, make_task
from twin.errors import SimulationError

F4 = npt.NDArray[np.float32]


class SignalVectorEnv(VectorEnv[F4, Any, npt.NDArray[Any]]):
    """`num_envs` copies of `envs.signal_control.SignalControlEnv`, stepped together.

    Autoreset is `NEXT_STEP`: the step after the last one of an episode resets the copy, takes
    no notice of its action, and gives reward 0.  With the same seeds and actions each copy
    sees what the single environment sees.

    Parameters
    ----------
    scene
        As in `SignalControlEnv`.
    num_envs
        How many copies.
    junction, engine, given
        As in `SignalControlEnv`.
    render_mode
        `rgb_array`, or None.
    threads
        Threads that share the copies; one for each core at hand unless given.
    """

    def __init__(
        self,
        scene: Any = "helsinki",
        num_envs: int = 1,
        *,
        task: SignalTask | None = None,
        junction: int | None = None,
        engine: str = "twin",
        threads: int | None = None,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_task(scene if task is None else task, **given)
        self.num_envs = num_envs
        more = {} if threads is None else {"threads": threads}
        self.runs = make_runs(self.task, engine, num_envs, junction, **more)
        observation.check_phases(self.runs.junctions, self.runs.network.signal_ids)
        n = len(self.runs.junctions)
        self.single_observation_space = spaces.Box(
            0.0, observation.HIGH, (self.task.layout.size * n,), np.float32
        )
        self.single_action_space = actions.space(self.task.action, n if junction is None else None)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "render_modes": ["rgb_array"],
            "render_fps": SIGNAL_FPS,
        }
        self._painter = SignalPainter(self.runs)
        self._rendering = Rendering(render_mode, self._painter, SIGNAL_FPS, ["rgb_array"])
        self.render_mode = render_mode
        self._over = np.zeros(num_envs, bool)
        self._ready = False
        self._draws = [np.random.default_rng() for _ in range(num_envs)]

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[F4, dict[str, Any]]:
        """Begin episodes in all copies; copy k has seed `seed + k`, or its own of a list.

        Where there is no seed, the next episode is drawn as after the last one.
        """
        n = self.num_envs
        if seed is None:
            given: list[int | None] = [None] * n
        elif isinstance(seed, list | tuple | np.ndarray):
            given = [None if own is None else check_seed(own) for own in seed]
        else:
            given = [check_seed(seed) + k for k in range(n)]
        super().reset(seed=None if seed is None else given[0], options=options)
        if len(given) != n:
            msg = f"{len(given)} seeds for {n} copies: give one each"
            raise SimulationError(msg)
        for k, own in enumerate(given):
            if own is not None:
                self._draws[k] = np.random.default_rng(own)
        self.runs.reset([self._drawn(k) if s is None else s for k, s in enumerate(given)])
        self._over[:] = False
        self._ready = True
        self._painter.begin(list(range(n)))
        return self._observe(), self._info()

    def step(
        self, action: npt.NDArray[Any]
    ) -> tuple[F4, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], dict[str, Any]]:
        """Let a step pass in every copy; those that were over begin anew instead."""
        if not self._ready:
            msg = "the environments have not been reset; call reset() first"
            raise SimulationError(msg)
        if not self.action_space.contains(self._cast(action)):
            msg = f"actions {action!r} are outside the action space {self.action_space}"
            raise SimulationError(msg)
        runs, again = self.runs, np.flatnonzero(self._over)
        runs.step(np.asarray(action))
        reward = runs.reward.sum(axis=1)
        if len(again):
            runs.reset([self._drawn(int(k)) for k in again], again.tolist())
            reward[again] = 0.0
        self._painter.note(action, reward)
        if len(again):
            self._painter.begin(again.tolist())
        truncated = runs.done.copy()
        truncated[again] = False
        self._over = truncated.copy()
        info = self._info()
        for k in np.flatnonzero(truncated):
            info = self._add_info(info, {"indicators": runs.indicators(int(k))}, int(k))
        return self._observe(), reward, np.zeros(self.num_envs, bool), truncated, info

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """[copies, junctions * choices] whether each would be served now."""
        return np.asarray(self.runs.mask.reshape(self.num_envs, -1))

    def render(self) -> tuple[Any, ...] | None:
        """A picture of each copy, as the single environment draws it."""
        return self._rendering.frames(self.num_envs, self._ready)

    def _cast(self, action: Any) -> Any:
        """Actions in the type of the space, where that changes none of them."""
        found = np.asarray(action)
        if found.dtype.kind not in "iuf" or found.dtype == self.action_space.dtype:
            return found
        cast = found.astype(self.action_space.dtype)
        exact = self.task.action == "plan" or np.array_equal(cast, found)
        return cast if exact else found

    def close_extras(self, **_: Any) -> None:
        """Give back what the engine holds."""
        self.runs.close()

    def _drawn(self, k: int) -> int:
        return int(self._draws[k].integers(2**31))

    def _observe(self) -> F4:
        return np.asarray(self.runs.row.reshape(self.num_envs, -1).copy())

    def _info(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, bool)
        return {
            "time_s": self.runs.now_s,
            "_time_s": every,
            "phase_served": self.runs.served.copy(),
            "_phase_served": every,
            "action_mask": self.action_masks(),
            "_action_mask": every,
        }
