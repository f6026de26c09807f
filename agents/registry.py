"""Policies by name, of signals and of roads: what scenarios and commands may write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from twin.errors import InputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from twin.system import Measure

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


ROADS: Mapping[str, Baseline] = {
    "do_nothing": Baseline("roads.baselines", "DoNothing", "patches only"),
    "worst_first": Baseline("roads.baselines", "WorstFirst", "the worst streets, fully repaired"),
    "age_interval": Baseline(
        "roads.baselines", "AgeInterval", "each street when its time has come"
    ),
    "condition_threshold": Baseline(
        "roads.baselines", "ConditionThreshold", "the usual treatment of each condition, busy first"
    ),
    "greedy_knapsack": Baseline(
        "roads.baselines", "GreedyKnapsack", "most benefit a euro first, one decision ahead"
    ),
    "rolling_optimum": Baseline(
        "roads.rolling",
        "RollingOptimum",
        "integer programme on expected deterioration, years ahead",
    ),
}
DOMAINS = {"signals": BASELINES, "roads": ROADS}


def domain_of(measure: Measure) -> str:
    """Domain whose policies a measure names."""
    from twin.system import system_of

    return "roads" if system_of(measure).name == "roads" else "signals"


def names(domain: str = "signals") -> list[str]:
    """Names of a domain's baselines, and of its agents that travel with the project."""
    here = WEIGHTS if domain == "signals" else WEIGHTS / domain
    return [*DOMAINS[domain], *sorted(path.stem for path in here.glob("*.zip"))]


def resolve(name: str, domain: str = "signals") -> Any:
    """A policy by its name, or the agent of a `.zip` file that `twin train` wrote.

    Returns
    -------
    A `twin.traffic.signals.Controller`, or a `twin.roads.view.Planner`.

    Raises
    ------
    InputError
        For an unknown name, or a file that holds no agent of the domain.
    """
    if name in DOMAINS[domain]:
        from importlib import import_module

        found = DOMAINS[domain][name]
        return getattr(import_module(f"agents.{found.module}"), found.name)()
    own = (WEIGHTS if domain == "signals" else WEIGHTS / domain) / f"{name}.zip"
    if name.endswith(".zip") or own.is_file():
        file = Path(name) if name.endswith(".zip") else own
        if domain == "roads":
            from agents.roads.trained import TrainedPlanner

            return TrainedPlanner.load(file)
        from agents.trained import TrainedAgent

        return TrainedAgent(file)
    what = "signal" if domain == "signals" else "maintenance"
    msg = (
        f"{what} policy {name!r} is unknown; {suggestion(name, names(domain))}, or write the path "
        "of an agent's .zip"
    )
    raise InputError(msg)
