"""A PettingZoo `ParallelEnv`: one agent a district, with one budget and the same crews."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from envs.roads import features
from envs.roads.runs import RoadRuns
from envs.roads.scenes import RoadTask, make_road_task
from envs.task import check_seed
from twin.errors import InputError, SimulationError
from twin.roads.state import F4, OPTION_COUNT


def parallel_env(scene: Any = "generated:0", **given: Any) -> RoadParallelEnv:
    """The environment, as PettingZoo's modules name it; see `RoadParallelEnv`."""
    return RoadParallelEnv(scene, **given)


class RoadParallelEnv(ParallelEnv[str, F4, Any]):  # type: ignore[misc]
    """Every district is an agent that sees and asks for its own sections.

    Budget and crews are the city's: requests of all districts are looked at together, the worst
    believed condition first.  The reward is the city's, the same for all.  All are truncated
    together at the end.

    Parameters
    ----------
    scene, given
        As in `envs.roads.maintenance.RoadMaintenanceEnv`; `districts` says how many.
    """

    metadata = {"name": "road_maintenance_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012 - PettingZoo's name and type

    def __init__(
        self, scene: Any = "generated:0", *, task: RoadTask | None = None, **given: Any
    ) -> None:
        self.task = make_road_task(scene, **given) if task is None else task
        if self.task.action != "treatments" or self.task.corridors:
            msg = "districts ask for treatments of sections: leave action and corridors out"
            raise InputError(msg)
        self.runs = RoadRuns(self.task)
        district = self.task.scene.district
        self._mine = {f"district {k}": np.flatnonzero(district == k) for k in np.unique(district)}
        self.possible_agents = list(self._mine)
        self.agents: list[str] = []
        self.render_mode = None
        self.observation_spaces = {
            a: spaces.Box(features.LOW, features.HIGH, (len(mine) * features.SIZE,), np.float32)
            for a, mine in self._mine.items()
        }
        self.action_spaces = {
            a: spaces.MultiDiscrete(np.full(len(mine), OPTION_COUNT))
            for a, mine in self._mine.items()
        }
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Rows of the district's sections."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """An option for each of the district's sections."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[dict[str, F4], dict[str, dict[str, Any]]]:
        """Begin a decade."""
        if seed is not None:
            seed = check_seed(seed)
            self._rng = np.random.default_rng(seed)
        number = int(self._rng.integers(2**31)) if seed is None else seed
        self.runs.reset([number])
        self.agents = list(self.possible_agents)
        return self._observe(), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, F4],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Ask for treatments in all districts and let weeks pass."""
        if not self.agents:
            msg = "no agent is in the environment; call reset() first"
            raise SimulationError(msg)
        if not isinstance(actions, dict):
            msg = f"actions {actions!r}: give a dict with one for each agent"
            raise SimulationError(msg)
        wanted = np.zeros((1, self.runs.n), np.int64)
        for agent in self.agents:
            space = self.action_spaces[agent]
            if agent not in actions or not space.contains(actions[agent]):
                msg = f"agent {agent!r}: action {actions.get(agent)!r} is outside {space}"
                raise SimulationError(msg)
            wanted[0, self._mine[agent]] = actions[agent]
        self.runs.step(wanted)
        done = bool(self.runs.done[0])
        reward = dict.fromkeys(self.agents, float(self.runs.reward[0]))
        over = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, done)
        if done:
            self.agents = []
        return self._observe(), reward, *over, self._infos()

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Let the threads go."""
        self.runs.close()

    def _observe(self) -> dict[str, F4]:
        rows = self.runs.rows[0]
        return {a: rows[mine].reshape(-1).copy() for a, mine in self._mine.items()}

    def _infos(self) -> dict[str, dict[str, Any]]:
        found = self.runs.info(0)
        allowed = self.runs.room.allowed[0] == 1
        return {
            a: {**found, "action_mask": allowed[mine].reshape(-1)} for a, mine in self._mine.items()
        }
