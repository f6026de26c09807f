"""A PettingZoo `ParallelEnv`: one agent a district, with one budget and the same crews."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs.joint import F4, Infos, JointEnv
from envs.rendering import MODES, ROAD_FPS, Rendering, RoadPainter
from envs.roads import features
from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask, make_road_task
from twin.errors import InputError
from twin.roads.state import OPTION_COUNT


def parallel_env(scene: Any = "generated:0", **given: Any) -> RoadParallelEnv:
    """The environment, as PettingZoo's modules name it; see `RoadParallelEnv`."""
    return RoadParallelEnv(scene, **given)


class RoadParallelEnv(JointEnv):
    """Every district is an agent that sees and asks for its own sections.

    Budget and crews are the city's: requests of all districts are looked at together, the worst
    believed condition first.  The reward is the city's, the same for all.  All are truncated
    together at the end.

    Parameters
    ----------
    scene, render_mode, given
        As in `envs.roads.maintenance.RoadMaintenanceEnv`; `districts` says how many.
    """

    metadata = {  # noqa: RUF012 - PettingZoo's name and type
        "name": "road_maintenance_v0",
        "render_modes": list(MODES),
        "render_fps": ROAD_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scene: Any = "generated:0",
        *,
        task: RoadTask | None = None,
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_road_task(scene, **given) if task is None else task
        if self.task.action != "treatments" or self.task.corridors:
            msg = "districts ask for treatments of sections: leave action and corridors out"
            raise InputError(msg)
        district = self.task.scene.district
        self._mine = {f"district {k}": np.flatnonzero(district == k) for k in np.unique(district)}
        seen, asked = {}, {}
        for agent, mine in self._mine.items():
            size = (len(mine) * features.SIZE,)
            seen[agent] = spaces.Box(features.LOW, features.HIGH, size, np.float32)
            asked[agent] = spaces.MultiDiscrete(np.full(len(mine), OPTION_COUNT))
        runs = RoadRuns(self.task)
        super().__init__(runs, seen, asked, Rendering(render_mode, RoadPainter(runs), ROAD_FPS))

    def _ask(self, actions: dict[str, Any]) -> None:
        wanted = np.zeros((1, self.runs.n), np.int64)
        for agent in self.agents:
            wanted[0, self._mine[agent]] = actions[agent]
        self.runs.step(wanted)

    def _rewards(self) -> dict[str, float]:
        return dict.fromkeys(self.possible_agents, float(self.runs.reward[0]))

    def _observe(self) -> dict[str, F4]:
        rows = self.runs.rows[0]
        return {a: rows[mine].reshape(-1).copy() for a, mine in self._mine.items()}

    def _infos(self) -> Infos:
        found = self.runs.info(0)
        allowed = self.runs.room.allowed[0] == 1
        return {
            a: {**found, "action_mask": allowed[mine].reshape(-1)} for a, mine in self._mine.items()
        }
