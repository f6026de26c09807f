"""A PettingZoo `ParallelEnv`: one agent a junction, in one simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from envs import actions, observation
from envs.signal_control import make_runs
from envs.task import SignalTask, check_seed, make_task
from twin.errors import SimulationError

F4 = npt.NDArray[np.float32]


def parallel_env(scene: Any = "helsinki", **given: Any) -> SignalParallelEnv:
    """The environment, as PettingZoo's modules name it; see `SignalParallelEnv`."""
    return SignalParallelEnv(scene, **given)


class SignalParallelEnv(ParallelEnv[str, F4, Any]):  # type: ignore[misc]
    """Every controllable junction is an agent, named by the signal's id.

    Spaces, rewards and rules are those of `envs.signal_control.SignalControlEnv` for one
    junction.  All agents are truncated together at the end of the window.

    Parameters
    ----------
    scene, engine, given
        As in `SignalControlEnv`.
    """

    metadata = {"name": "signal_control_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012 - PettingZoo's name and type

    def __init__(
        self,
        scene: Any = "helsinki",
        *,
        task: SignalTask | None = None,
        engine: str = "twin",
        **given: Any,
    ) -> None:
        self.task = make_task(scene if task is None else task, **given)
        self.runs = make_runs(self.task, engine)
        observation.check_phases(self.runs.junctions, self.runs.network.signal_ids)
        ids = self.task.scene.network.signal_ids
        self.possible_agents = [ids[s] for s in self.runs.junctions.signal]
        self.agents: list[str] = []
        self.render_mode = None
        size = self.task.layout.size
        self.observation_spaces = {
            a: spaces.Box(0.0, observation.HIGH, (size,), np.float32) for a in self.possible_agents
        }
        action = self.task.action
        self.action_spaces = {a: actions.space(action, None) for a in self.possible_agents}
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The space of a junction's observation; the same for all."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The space of a junction's action; the same for all."""
        return self.action_spaces[agent]

    def reset(
        self,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[dict[str, F4], dict[str, dict[str, Any]]]:
        """Begin an episode; the seed chooses the trips and drivers."""
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
        """Ask for phases at all junctions and let a step pass."""
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
        runs = self.runs
        runs.step(np.array([np.atleast_1d(actions[a]) for a in self.agents]))
        agents = self.agents
        done = bool(runs.done[0])
        reward = {a: float(r) for a, r in zip(agents, runs.reward[0], strict=True)}
        infos = self._infos()
        if done:
            indicators = runs.indicators(0)
            for a in agents:
                infos[a]["indicators"] = indicators
            self.agents = []
        over = dict.fromkeys(agents, False), dict.fromkeys(agents, done)
        return self._observe(), reward, *over, infos

    def state(self) -> F4:
        """[junctions * size] what all agents see together."""
        return np.asarray(self.runs.row.reshape(-1).copy())

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Give back what the engine holds."""
        self.runs.close()

    def _observe(self) -> dict[str, F4]:
        rows = self.runs.row[0].copy()
        return dict(zip(self.possible_agents, rows, strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        runs = self.runs
        return {
            agent: {
                "time_s": float(runs.now_s[0]),
                "phase_served": int(runs.served[0, j]),
                "action_mask": runs.mask[0, j].copy(),
            }
            for j, agent in enumerate(self.possible_agents)
        }
