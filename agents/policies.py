"""Find the policy that a scenario names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError

if TYPE_CHECKING:
    from twin.traffic.signals import Controller

NAMES = ("max_pressure",)


def resolve(name: str) -> Controller:
    """A named baseline, or the agent of a `.zip` file that `twin train` wrote.

    Raises
    ------
    InputError
        For an unknown name, or a file that holds no agent for signals.
    """
    if name == "max_pressure":
        from agents.max_pressure import MaxPressure

        return MaxPressure()
    if name.endswith(".zip"):
        from agents.trained import TrainedAgent

        return TrainedAgent(Path(name))
    known = ", ".join(NAMES)
    msg = f"signal policy {name!r} is unknown; write {known} or the path of an agent's .zip"
    raise InputError(msg)
