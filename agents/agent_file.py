"""The file of a trained agent: a `.zip` with `agent.json` and the weights.

What a file says is checked before it is used, and its weights are read as numbers only: nothing
in it is executed (SB3's loader without its pickled data, PyTorch's with `weights_only`).
"""

from __future__ import annotations

import io
import json
import pickle  # for the name of its error; nothing is unpickled
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.algorithms import check_rows, find, policy_settings
from envs import actions
from envs import observation as rows
from envs.task import SignalTask
from twin.errors import InputError, OutputError

ABOUT = "agent.json"
LARGEST = 50_000_000  # bytes of a file that is read
BROKEN = (  # what reading a damaged file may raise
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    EOFError,
    AssertionError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


class About(BaseModel):
    """What a file says of its agent.

    Attributes
    ----------
    environment, algorithm
        For what, and by what it was trained.
    action, observation, neighbours, size
        What it does and sees; numbers in a row.
    step_s, detector_m
        Seconds between decisions, and the detectors' length, in training.
    junctions
        For how many junctions it has weights; 0 where it serves any.
    policy
        Arguments of its network.
    training
        What was done: command, scenes, seeds, decisions, seconds, validation.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    environment: Literal["Twin/SignalControl-v0"] = "Twin/SignalControl-v0"
    algorithm: str
    action: str
    observation: str
    neighbours: bool
    size: int = Field(ge=1, le=10_000)
    step_s: float = Field(gt=0.0, le=3600.0)
    detector_m: float = Field(gt=0.0, le=1000.0)
    junctions: int = Field(ge=0, le=10_000)
    policy: dict[str, Any]
    training: dict[str, Any] = {}

    @property
    def layout(self) -> rows.Layout:
        """What a row holds."""
        return rows.layout(self.observation, neighbours=self.neighbours)

    def new_policy(self) -> Any:
        """The policy, with random weights."""
        from gymnasium import spaces

        algorithm = find(self.algorithm)
        row = spaces.Box(0.0, rows.HIGH, (self.size,), np.float32)
        given = policy_settings(self.algorithm, self.policy, self.junctions)
        return algorithm.policy_class()(
            row, actions.space(self.action, None), lambda _: 1e-3, **given
        )


def about(
    algorithm: str, task: SignalTask, policy: dict[str, Any], junctions: int, **training: Any
) -> About:
    """What is to be said of an agent of a task."""
    numbered = find(algorithm).numbered
    return About(
        algorithm=algorithm,
        action=task.action,
        observation=task.observation,
        neighbours=task.neighbours,
        size=task.layout.size + numbered,
        step_s=task.every_s,
        detector_m=float(task.detector_m or 0.0),
        junctions=junctions if numbered else 0,
        policy=policy,
        training=training,
    )


def write_agent(path: Path, said: About, policy: Any) -> None:
    """Write an agent; where that fails nothing is left, and an older file stays.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(policy.state_dict(), buffer)
    temporary = path.with_name(f".{path.stem}.part.zip")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(ABOUT, json.dumps(said.model_dump(), indent=1))
            file.writestr("policy.pth", buffer.getvalue())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"cannot write {path}: {error.strerror or error}; free space or name another place"
        raise OutputError(msg) from None


def read_agent(path: Path) -> tuple[About, Any]:
    """What a file says, and its policy, ready to act.

    Raises
    ------
    InputError
        Where the file is missing, is no agent, or one of another environment.
    """
    import torch
    from stable_baselines3.common.save_util import load_from_zip_file

    if not path.is_file():
        msg = f"{path}: there is no such agent; train one with `twin train`"
        raise InputError(msg)
    said = _read_about(path)
    torch.set_num_threads(1)
    try:
        policy = said.new_policy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of torch, about odd files
            _, parameters, _ = load_from_zip_file(path, device="cpu", load_data=False)
        weights: Any = parameters["policy"]
        policy.load_state_dict(weights)
        for name, weight in weights.items():
            if not torch.isfinite(weight).all():
                msg = f"weights of {name} are not finite"
                raise ValueError(msg)
    except BROKEN as error:
        raise _no_agent(path, error) from None
    policy.set_training_mode(False)
    return said, policy


def _read_about(path: Path) -> About:
    try:
        with zipfile.ZipFile(path) as file:
            if sum(part.file_size for part in file.infolist()) > LARGEST:
                msg = f"more than {LARGEST:,} bytes"
                raise ValueError(msg)
            said = About.model_validate_json(file.read(ABOUT))
        find(said.algorithm)
        check_rows(said.policy, said.action, said.observation)
        size = said.layout.size + find(said.algorithm).numbered
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _no_agent(path, ValueError(f"{ABOUT}: {where}: {first['msg']}")) from None
    except (InputError, *BROKEN) as error:
        raise _no_agent(path, error) from None
    if size != said.size:
        msg = f"rows of {said.size} numbers; the environment's have {size}"
        raise _no_agent(path, ValueError(msg))
    return said


def reason_of(error: Exception) -> str:
    """What an error says, in one short line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def _no_agent(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} holds no agent for signals that fits ({reason_of(error)}); "
        "train one with `twin train`"
    )


def check_fits(name: str, said: About, task: SignalTask, junctions: int) -> None:
    """Refuse an agent where an environment asks for other actions, or has other junctions.

    Raises
    ------
    InputError
        With what differs.
    """
    if said.action != task.action:
        msg = (
            f"{name} chooses by {said.action!r}, the environment by {task.action!r}: "
            f"set action={said.action!r}"
        )
        raise InputError(msg)
    if said.junctions not in (0, junctions):
        msg = (
            f"{name} has weights for {said.junctions} junctions, here are {junctions}: "
            "train one here, or use one that serves any"
        )
        raise InputError(msg)
