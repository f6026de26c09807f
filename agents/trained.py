"""A trained agent that decides on the clock, in the twin and in SUMO."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agents.agent_file import About, read_agent
from envs import observation
from twin.errors import InputError

if TYPE_CHECKING:
    from twin.traffic.signals import View


class TrainedAgent:
    """Asks for the most probable (or most valued) action at every junction.

    Parameters
    ----------
    path
        A `.zip` that `twin train` wrote; its code, if it has any, is not executed.

    Attributes
    ----------
    about
        What the file says of the agent.
    interval_s
        Seconds between decisions: those of the training.

    Raises
    ------
    InputError
        Where the file is missing, no agent, or one of another environment.
    """

    def __init__(self, path: Path) -> None:
        self._hold(str(path), *read_agent(path))

    @classmethod
    def of(cls, about: About, policy: Any) -> TrainedAgent:
        """One that is not read from a file."""
        agent = cls.__new__(cls)
        agent._hold("the agent", about, policy)
        return agent

    def _hold(self, name: str, about: About, policy: Any) -> None:
        self.name, self.about, self.policy = name, about, policy
        self.interval_s = about.step_s
        self._memory: Any = None

    def start(self, view: View) -> None:
        """Refuse cities that the agent cannot serve; forget what was."""
        observation.check(view.junctions)
        observation.check_phases(view.junctions, view.network.signal_ids)
        own = self.about.junctions
        if own not in (0, len(view.junctions)):
            msg = (
                f"{self.name} has weights for {own} junctions, here are {len(view.junctions)}: "
                "train one here, or use one that serves any"
            )
            raise InputError(msg)
        self._memory = None

    def decide(self, view: View) -> npt.NDArray[np.integer]:
        """[copies, junctions] the phases wanted."""
        if self.about.action not in ("phase", "switch"):
            msg = f"{self.name} chooses by {self.about.action!r}, which only environments take"
            raise InputError(msg)
        seen = observation.observe(view, self.about.layout)
        chosen: npt.NDArray[np.integer] = self.act(seen, view.allowed)
        if self.about.action == "switch":
            following = (view.phase + 1) % view.orders.n_phases
            return np.where(chosen == 1, following, -1)
        return chosen

    def act(self, seen: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_]) -> Any:
        """[copies, junctions] actions for [copies, junctions, size] observations."""
        shape = seen.shape[:2]
        rows = seen.reshape(-1, seen.shape[-1])
        if self.about.junctions:
            number = np.tile(np.arange(shape[1]), shape[0]) / observation.WHICH
            rows = np.concatenate([rows, number.astype(np.float32)[:, None]], axis=1)
        given: dict[str, Any] = {}
        if self.about.algorithm == "maskable_ppo" and self.about.action == "phase":
            given["action_masks"] = _padded(allowed, observation.PHASES)
        begins = np.full(len(rows), self._memory is None)
        action, self._memory = self.policy.predict(
            rows, state=self._memory, episode_start=begins, deterministic=True, **given
        )
        return np.asarray(action).reshape(shape)


def _padded(allowed: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """[rows, width] of [copies, junctions, phases]."""
    found = np.zeros((*allowed.shape[:2], width), bool)
    n = min(width, allowed.shape[2])
    found[..., :n] = allowed[..., :n]
    return found.reshape(-1, width)
