"""A trained agent that decides on the clock."""

from __future__ import annotations

import pickle  # for the name of its error; nothing is unpickled
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from envs import observation
from twin.errors import InputError

if TYPE_CHECKING:
    from twin.traffic.signals import View


class TrainedAgent:
    """A PPO policy shared by all junctions, read without executing code of its file.

    Parameters
    ----------
    path
        A `.zip` that `twin train` wrote.
    interval_s
        Seconds between decisions; those of the training.

    Raises
    ------
    InputError
        Where the file is missing, no agent, or one of another environment.
    """

    def __init__(self, path: Path, interval_s: float = 10.0) -> None:
        self.interval_s = interval_s
        self._policy = _load(path)

    def start(self, view: View) -> None:
        """Refuse cities without signals that can be controlled."""
        observation.check(view.junctions)

    def decide(self, view: View) -> npt.NDArray[np.integer]:
        """The policy's most probable phase at every junction."""
        seen = observation.observe(view, observation.layout("phases"))
        action, _ = self._policy.predict(seen.reshape(-1, observation.SIZE), deterministic=True)
        return np.asarray(action).reshape(seen.shape[:2])


def new_policy(learning_rate: float = 1e-3) -> Any:
    """The network of the agent, with random weights."""
    from gymnasium import spaces
    from stable_baselines3.common.policies import ActorCriticPolicy

    return ActorCriticPolicy(
        spaces.Box(0.0, observation.HIGH, (observation.SIZE,), np.float32),
        spaces.Discrete(observation.PHASES),
        lambda _: learning_rate,
        net_arch=list(NET_ARCH),
    )


NET_ARCH = (64, 64)
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def _load(path: Path) -> Any:
    import torch
    from stable_baselines3.common.save_util import load_from_zip_file

    if not path.is_file():
        msg = f"{path}: there is no such agent; train one with `twin train`"
        raise InputError(msg)
    torch.set_num_threads(1)
    policy = new_policy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of torch, about odd files
            _, parameters, _ = load_from_zip_file(path, device="cpu", load_data=False)
        policy.load_state_dict(parameters["policy"])
    except _BROKEN as error:
        reason = str(error).splitlines()[0][:120]
        msg = f"{path} holds no agent for signals that fits ({reason}); train one with `twin train`"
        raise InputError(msg) from None
    policy.set_training_mode(False)
    return policy
