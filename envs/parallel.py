"""A PettingZoo `ParallelEnv`: one agent a junction, in one simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from envs import actions, observation
from envs.joint import F4, Infos, JointEnv
from envs.rendering import MODES, SIGNAL_FPS, Rendering, SignalPainter
from envs.signal_control import make_runs
from envs.task import SignalTask, make_task


def parallel_env(scene: Any = "helsinki", **given: Any) -> SignalParallelEnv:
    """The environment, as PettingZoo's modules name it; see `SignalParallelEnv`."""
    return SignalParallelEnv(scene, **given)


class SignalParallelEnv(JointEnv):
    """Every controllable junction is an agent, named by the signal's id.

    Spaces, rewards and rules are those of `envs.signal_control.SignalControlEnv` for one
    junction.  All agents are truncated together at the end of the window.

    Parameters
    ----------
    scene, engine, render_mode, given
        As in `SignalControlEnv`.
    """

    metadata = {  # noqa: RUF012 - PettingZoo's name and type
        "name": "signal_control_v0",
        "render_modes": list(MODES),
        "render_fps": SIGNAL_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scene: Any = "helsinki",
        *,
        task: SignalTask | None = None,
        engine: str = "twin",
        render_mode: str | None = None,
        **given: Any,
    ) -> None:
        self.task = make_task(scene if task is None else task, **given)
        runs = make_runs(self.task, engine)
        observation.check_phases(runs.junctions, runs.network.signal_ids)
        ids = self.task.scene.network.signal_ids
        agents = [ids[s] for s in runs.junctions.signal]
        size = (self.task.layout.size,)
        self._painter = SignalPainter(runs)
        super().__init__(
            runs,
            {a: spaces.Box(0.0, observation.HIGH, size, np.float32) for a in agents},
            {a: actions.space(self.task.action, None) for a in agents},
            Rendering(render_mode, self._painter, SIGNAL_FPS),
        )

    def state(self) -> F4:
        """[junctions * size] what all agents see together."""
        return np.asarray(self.runs.row.reshape(-1).copy())

    def _ask(self, actions: dict[str, Any]) -> None:
        asked = np.array([np.atleast_1d(actions[a]) for a in self.agents])
        self.runs.step(asked)
        self._painter.note(asked, self.runs.reward.sum())

    def _begin(self) -> None:
        self._painter.begin([0])

    def _rewards(self) -> dict[str, float]:
        reward = self.runs.reward[0]
        return {a: float(r) for a, r in zip(self.possible_agents, reward, strict=True)}

    def _observe(self) -> dict[str, F4]:
        rows = self.runs.row[0].copy()
        return dict(zip(self.possible_agents, rows, strict=True))

    def _infos(self) -> Infos:
        runs = self.runs
        over = {"indicators": runs.indicators(0)} if runs.done[0] else {}
        return {
            agent: {
                "time_s": float(runs.now_s[0]),
                "phase_served": int(runs.served[0, j]),
                "action_mask": runs.mask[0, j].copy(),
                **over,
            }
            for j, agent in enumerate(self.possible_agents)
        }
