"""`Twin/RoadMaintenance-v0`: a city's roads and its budget as one agent."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from envs.rendering import MODES, ROAD_FPS, Rendering, RoadPainter
from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask, make_road_task
from envs.task import check_seed
from twin.errors import SimulationError
from twin.roads.state import F4


class RoadMaintenanceEnv(gymnasium.Env[F4, Any]):
    """Keep the roads of a city with a budget each year.

    **Observation**: a row of `envs.roads.features` for each section, one after the other: what the
    city believes, not what is true.

    **Action**: by default an option for each section or street (`MultiDiscrete`; 0 is nothing, then
    `twin.roads.treatments.OPTIONS`); with `action="scores"` a number for each section and option
    (`Box`).  It is a request: budget, moratorium, season, open orders and crews may refuse it.  In
    which order requests are looked at, which matters when money is short: the worst believed
    condition first, or the greatest score first.  `action_masks()` says before what would be
    granted by itself; `info["requests"]` after, how many were accepted and refused, and why.

    **Reward**: minus the social cost of the step in euros, discounted to the start: works, visits,
    cameras, reports, patches, drivers' operating cost and delay, CO2, and at the end what is left
    to repair.  Rewards of an episode sum to what was booked before its first step (a year's
    cameras, less what the network would cost to repair as it is: `info["first_cost_eur"]` of the
    reset) less `info["social_cost_eur"]` at its end.

    The episode ends with `truncated` after the settings' years; it never terminates.

    Parameters
    ----------
    scene
        A city, or `generated:SEED` (`envs.roads.scenes.open_road_scene`).
    render_mode
        `rgb_array` or `human`: the network, coloured by the condition that the city believes in.
    given
        `sections`, `districts`, `closures`, `scale` of the scene; `weeks`, `action`, `corridors` of
        `RoadTask`; `years`, `budget_eur`, ... of `twin.roads.decade.Settings`.
    """

    metadata = {"render_modes": list(MODES), "render_fps": ROAD_FPS}  # noqa: RUF012 - Gymnasium's name and type

    def __init__(
        self,
        scene: Any = "generated:0",
        *,
        task: RoadTask | None = None,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_road_task(scene, **given) if task is None else task
        self.runs = RoadRuns(self.task)
        self.observation_space: Any = self.runs.observation_space()
        self.action_space = self.runs.action_space()
        self._rendering = Rendering(render_mode, RoadPainter(self.runs), ROAD_FPS)
        self.render_mode = render_mode
        self._ready = self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F4, dict[str, Any]]:
        """Begin a decade; the seed chooses truth, weather and all that is drawn."""
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed, options=options)
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        self.runs.reset([number])
        self._ready = self._begun = True
        self._rendering.moved()
        info = {**self.runs.info(0), "first_cost_eur": self.runs.social_cost(0)}
        return self.runs.observation(0), info

    def step(self, action: Any) -> tuple[F4, float, bool, bool, dict[str, Any]]:
        """Ask for treatments and let the weeks until the next decision pass."""
        if not self._ready:
            msg = "the environment has not been reset, or its episode has ended; call reset()"
            raise SimulationError(msg)
        if not self.action_space.contains(action):
            msg = f"action {action!r} is outside the action space {self.action_space}"
            raise SimulationError(msg)
        runs = self.runs
        runs.step(np.asarray(action)[None])
        done = bool(runs.done[0])
        info = runs.info(0)
        self._ready = not done
        self._rendering.moved()
        return runs.observation(0), float(runs.reward[0]), False, done, info

    def action_masks(self) -> Any:
        """[units * (options + 1)] whether each would be granted by itself."""
        return self.runs.masks(0)

    def render(self) -> Any:
        """The moment as uint8 (720, 1280, 3) in the mode `rgb_array`; see `viz.live_roads`."""
        return self._rendering.render(self._begun)

    def close(self) -> None:
        """Let the threads go, and close the window."""
        self._rendering.close()
        self.runs.close()
