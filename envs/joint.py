"""What the PettingZoo environments have in common: agents of one simulation that step together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from envs.rendering import Rendering
from envs.task import check_seed
from twin.errors import SimulationError

F4 = npt.NDArray[np.float32]
Infos = dict[str, dict[str, Any]]


class JointEnv(ParallelEnv[str, F4, Any]):  # type: ignore[misc]
    """All agents act in every step and are truncated together at the end.

    Parameters
    ----------
    runs
        The simulation, with one copy: `reset`, `done`, `close`.
    observation_spaces, action_spaces
        By agent.
    rendering
        How it renders.
    """

    def __init__(
        self,
        runs: Any,
        observation_spaces: Mapping[str, spaces.Space[Any]],
        action_spaces: Mapping[str, spaces.Space[Any]],
        rendering: Rendering,
    ) -> None:
        self.runs = runs
        self.observation_spaces, self.action_spaces = dict(observation_spaces), dict(action_spaces)
        self.possible_agents = list(action_spaces)
        self.agents: list[str] = []
        self._rendering, self.render_mode = rendering, rendering.mode
        self._begun = False
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The space of what an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The space of what an agent may ask for."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[dict[str, F4], Infos]:
        """Begin an episode; the seed chooses all that is random in it."""
        if seed is not None:
            seed = check_seed(seed)
            self._rng = np.random.default_rng(seed)
        number = int(self._rng.integers(2**31)) if seed is None else seed
        self.runs.reset([number])
        self.agents = list(self.possible_agents)
        self._begun = True
        self._begin()
        self._rendering.moved()
        return self._observe(), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, F4], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Let all agents ask, and a step pass.

        Raises
        ------
        SimulationError
            Before `reset`, or if an agent's action is missing or outside its space.
        """
        if not self.agents:
            msg = "no agent is in the environment; call reset() first"
            raise SimulationError(msg)
        if not isinstance(actions, dict):
            msg = f"actions {actions!r}: give a dict with one for each agent"
            raise SimulationError(msg)
        for agent in self.agents:
            space = self.action_spaces[agent]
            if agent not in actions or not space.contains(actions[agent]):
                msg = f"agent {agent!r}: action {actions.get(agent)!r} is outside {space}"
                raise SimulationError(msg)
        self._ask(actions)
        done, agents = bool(self.runs.done[0]), self.agents
        over = dict.fromkeys(agents, False), dict.fromkeys(agents, done)
        if done:
            self.agents = []
        infos = self._infos()
        self._rendering.moved()
        return self._observe(), self._rewards(), *over, infos

    def render(self) -> Any:
        """The moment as uint8 (720, 1280, 3) in the mode `rgb_array`."""
        return self._rendering.render(self._begun)

    def close(self) -> None:
        """Give back what the simulation holds, and close the window."""
        self._rendering.close()
        self.runs.close()

    def _begin(self) -> None:
        """Forget the last episode."""

    def _ask(self, actions: dict[str, Any]) -> None:
        """Step the simulation with these actions."""
        raise NotImplementedError

    def _observe(self) -> dict[str, F4]:
        raise NotImplementedError

    def _rewards(self) -> dict[str, float]:
        raise NotImplementedError

    def _infos(self) -> Infos:
        raise NotImplementedError
