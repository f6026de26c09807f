"""`Twin/SignalControl-v0`: all signals of a scene, or one of them, as one agent."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from envs import actions, observation
from envs.rendering import MODES, SIGNAL_FPS, Rendering, SignalPainter
from envs.runs import Runs
from envs.task import ENGINES, SignalTask, check_seed, make_task
from twin.errors import InputError, SimulationError

F4 = npt.NDArray[np.float32]


def make_runs(
    task: SignalTask, engine: str, copies: int = 1, junction: int | None = None, **given: Any
) -> Any:
    """Episodes of a task on an engine: `twin`, or `sumo`, which is the judge.

    Raises
    ------
    InputError
        For an unknown engine, or one that cannot do what is asked.
    """
    if engine not in ENGINES:
        msg = f"engine {engine!r} is unknown; there are {', '.join(ENGINES)}"
        raise InputError(msg)
    if engine == "sumo":
        from envs.sumo_runs import SumoRuns

        return SumoRuns(task, copies, junction=junction, **given)
    return Runs(task, copies, junction=junction, **given)


class SignalControlEnv(gymnasium.Env[F4, Any]):
    """Control signals, all of a scene or one of them.

    **Observation**: a row of `envs.observation` for each junction, one after the other.

    **Action**: see `envs.actions`; by default a phase for each junction (`MultiDiscrete`), or
    for the one junction (`Discrete`).  It is a request: yellow, all-red, the shortest and the
    longest green and the clearing of crossings are kept, and what the rules do not allow is
    not served.  `action_masks()` says before what would be; `info["phase_served"]` after.

    **Reward**: the sum of the task's reward over junctions, by default minus the time that
    trips lost there in the step, veh s.

    The episode ends with `truncated` at the end of the window; it never terminates.  `info`
    has `time_s`, `standing_veh`, `action_mask`, after a step `phase_served`, `delay_s` (of the
    step, all trips), and at the end `indicators` (`twin.traffic.indicators`).

    Parameters
    ----------
    scene
        A map of RESCO, a city, a SUMO configuration, ... (`envs.opening.open_scene`).
    junction
        Position of the only junction to control, the others keep their programs; all of
        them unless given.
    engine
        `twin`, or `sumo` to have the same environment on SUMO.
    render_mode
        `rgb_array` or `human`: the streets around the controlled junctions, from above.
    given
        Settings of `envs.task.SignalTask`.
    """

    metadata = {"render_modes": list(MODES), "render_fps": SIGNAL_FPS}  # noqa: RUF012 - Gymnasium's name and type

    def __init__(
        self,
        scene: Any = "helsinki",
        *,
        task: SignalTask | None = None,
        junction: int | None = None,
        engine: str = "twin",
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_task(scene if task is None else task, **given)
        self.runs = make_runs(self.task, engine, junction=junction)
        observation.check_phases(self.runs.junctions, self.runs.network.signal_ids)
        self._n = len(self.runs.junctions)
        size = self.task.layout.size * self._n
        self.observation_space = spaces.Box(0.0, observation.HIGH, (size,), np.float32)
        self.action_space = actions.space(self.task.action, self._n if junction is None else None)
        self._painter = SignalPainter(self.runs)
        self._rendering = Rendering(render_mode, self._painter, SIGNAL_FPS)
        self.render_mode = render_mode
        self._ready = self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F4, dict[str, Any]]:
        """Begin an episode; the seed chooses the trips and drivers."""
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed, options=options)
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        self.runs.reset([number])
        self._ready = self._begun = True
        self._painter.begin([0])
        self._rendering.moved()
        return self._observe(), self._info()

    def step(self, action: Any) -> tuple[F4, float, bool, bool, dict[str, Any]]:
        """Ask for phases and let a step pass."""
        self._check_ready()
        if not self.action_space.contains(action):
            msg = f"action {action!r} is outside the action space {self.action_space}"
            raise SimulationError(msg)
        runs = self.runs
        runs.step(np.asarray(action))
        done = bool(runs.done[0])
        info = self._info()
        info["phase_served"] = runs.served[0].copy()
        info["delay_s"] = float(runs.control.play.read.delay_s[0].sum())
        if done:
            info["indicators"] = runs.indicators(0)
            self._ready = False
        reward = float(runs.reward.sum())
        self._painter.note(action, reward)
        self._rendering.moved()
        return self._observe(), reward, False, done, info

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """[junctions * choices] whether each would be served now."""
        return np.asarray(self.runs.mask.reshape(-1))

    def render(self) -> Any:
        """The moment as uint8 (720, 1280, 3) in the mode `rgb_array`; see `viz.live_signals`."""
        return self._rendering.render(self._begun)

    def close(self) -> None:
        """Give back what the engine holds, and close the window."""
        self._rendering.close()
        self.runs.close()

    def _check_ready(self) -> None:
        if not self._ready:
            msg = "the environment has not been reset; call reset() first"
            raise SimulationError(msg)

    def _observe(self) -> F4:
        return np.asarray(self.runs.row.reshape(-1).copy())

    def _info(self) -> dict[str, Any]:
        read = self.runs.control.play.read
        return {
            "time_s": float(self.runs.now_s[0]),
            "standing_veh": float(read.standing[0].sum()),
            "action_mask": self.action_masks(),
        }
