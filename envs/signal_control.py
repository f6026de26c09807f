"""`Twin/SignalControl-v0`: all signals of a city, or one of them, as one agent."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envs import observation
from envs.signal_run import SignalRun, SignalTask, default_task
from twin.errors import SimulationError
from twin.traffic.network import Network
from twin.traffic.signals import Junctions

Action = npt.NDArray[np.int64]


class SignalControlEnv(gymnasium.Env[npt.NDArray[np.float32], Any]):
    """Choose the next phase of signals every `task.step_s` seconds.

    **Observation**: `envs.observation.SIZE` numbers a junction, one after the other.

    **Action**: a phase for each junction (`MultiDiscrete`), or for the one junction
    (`Discrete`).  It is a request: minimum green, yellow and all-red are kept, a phase that
    the junction does not have is not served.  `action_masks()` says before what would be
    served, `info["phase_served"]` after.

    **Reward**: minus the mean number of vehicles at a stand before the controlled
    junctions during the step, veh a junction.

    The episode ends with `truncated` at the end of the window; it never terminates.

    Parameters
    ----------
    task
        City, window and demand; the morning of central Helsinki unless given.
    junction
        Position of the only junction to control, the others keep their programs; all of
        them unless given.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's name and type

    def __init__(self, task: SignalTask | None = None, junction: int | None = None) -> None:
        self.task = task or default_task()
        junctions = Junctions.of(Network.from_city(self.task.city))
        observation.check(junctions)
        n = len(junctions.signal)
        if junction is not None and not 0 <= junction < n:
            msg = f"junction(={junction}) must be from 0 to {n - 1}"
            raise SimulationError(msg)
        self._junctions = junctions if junction is None else junctions.take(junction)
        self._n = len(self._junctions.signal)
        size = observation.SIZE * self._n
        self.observation_space = spaces.Box(0.0, observation.HIGH, (size,), np.float32)
        self.action_space: spaces.Space[Any] = (
            spaces.MultiDiscrete([observation.PHASES] * n)
            if junction is None
            else spaces.Discrete(observation.PHASES)
        )
        self._run: SignalRun | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; the seed chooses the trips and the minute of its start."""
        super().reset(seed=seed, options=options)
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        self._run = SignalRun(self.task, number, self._junctions)
        return self._observe(), self._info()

    def step(
        self, action: Any
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Ask for phases and let a step pass."""
        run = self._running()
        if not self.action_space.contains(action):
            msg = f"action {action!r} is outside the action space {self.action_space}"
            raise SimulationError(msg)
        standing, served = run.step(np.atleast_1d(np.asarray(action, np.int64)))
        info = self._info()
        info["phase_served"] = served
        return self._observe(), -float(standing.mean()), False, run.done, info

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """[junctions * PHASES] whether each phase would be served now."""
        run = self._running()
        allowed = run.control.allowed(run.view)[:, : observation.PHASES]
        mask = np.zeros((self._n, observation.PHASES), bool)
        mask[:, : allowed.shape[1]] = allowed
        return mask.reshape(-1)

    def _running(self) -> SignalRun:
        if self._run is None:
            msg = "the environment has not been reset; call reset() first"
            raise SimulationError(msg)
        return self._run

    def _observe(self) -> npt.NDArray[np.float32]:
        return np.asarray(self._running().observe().reshape(-1))

    def _info(self) -> dict[str, Any]:
        run = self._running()
        state = run.traffic.state.vehicle
        return {
            "time_s": run.sim.clock.now_s,
            "standing_veh": float(observation.standing(run.view).sum()),
            "arrived_veh": int((state["arrive"] >= 0).sum()),
            "action_mask": self.action_masks(),
        }
