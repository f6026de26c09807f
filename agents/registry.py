"""Policies for signals by name: what scenarios and commands may write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twin.errors import InputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from twin.traffic.signals import Controller

WEIGHTS = Path(__file__).with_name("policies")  # trained agents that travel with the project


class Baseline(NamedTuple):
    """Where a baseline is, and what it does."""

    module: str
    name: str
    about: str


BASELINES: Mapping[str, Baseline] = {
    "fixed": Baseline("plans", "FixedProgram", "the given programs"),
    "webster": Baseline("plans", "Webster", "fixed time: Webster's cycle and splits (1958)"),
    "green_wave": Baseline(
        "plans", "GreenWave", "Webster's splits in one cycle, offsets for platoons (Robertson 1969)"
    ),
    "actuated": Baseline("rules", "Actuated", "green goes on while vehicles come, else next phase"),
    "sotl": Baseline("rules", "SelfOrganizing", "self-organising lights (Cools et al. 2013)"),
    "greedy": Baseline("rules", "Greedy", "the phase with most vehicles (MaxWave of RESCO)"),
    "max_pressure": Baseline("max_pressure", "MaxPressure", "max-pressure (Varaiya 2013)"),
    "rolling_horizon": Baseline(
        "rolling_horizon", "RollingHorizon", "search on copies of the simulation, one minute ahead"
    ),
}


def names() -> list[str]:
    """Names of baselines, and of the agents that travel with the project."""
    return [*BASELINES, *sorted(path.stem for path in WEIGHTS.glob("*.zip"))]


def resolve(name: str) -> Controller:
    """A policy by its name, or the agent of a `.zip` file that `twin train` wrote.

    Raises
    ------
    InputError
        For an unknown name, or a file that holds no agent for signals.
    """
    if name in BASELINES:
        from importlib import import_module

        found = BASELINES[name]
        made: Any = getattr(import_module(f"agents.{found.module}"), found.name)()
        return made  # type: ignore[no-any-return]
    own = WEIGHTS / f"{name}.zip"
    if name.endswith(".zip") or own.is_file():
        from agents.trained import TrainedAgent

        return TrainedAgent(Path(name) if name.endswith(".zip") else own)
    msg = (
        f"signal policy {name!r} is unknown; {suggestion(name, names())}, or write the path of an "
        "agent's .zip"
    )
    raise InputError(msg)
