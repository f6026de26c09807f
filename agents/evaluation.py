"""Evaluate policies: many days at once in the twin, one after the other in SUMO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.agent_file import About, check_fits
from envs.signal_control import make_runs
from envs.task import SignalTask
from twin.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from twin.traffic.signals import Controller

EVALUATION_SEED = 5_000_000  # days that are reported; those of training and validation are others
AT_ONCE = 16
REPORTED = {
    "delay_per_trip_s": "mean delay of a trip, s: lost on the way, and to enter the network",
    "waiting_95_s": "95th percentile of the waiting of trips, s",
    "waiting_99_s": "99th percentile",
    "waiting_longest_s": "longest waiting of a trip, s",
    "stops_per_trip": "stops of a trip",
    "co2_per_trip_g": "CO2 of a trip, g",
    "arrived_percent": "trips that arrived within the window, %",
}
Watch = Callable[[int, int], None]


def of_days(task: SignalTask) -> SignalTask:
    """The same task, in which a seed is the number of the day."""
    return replace(task, draws=None, first_seed=0)


def evaluate(
    policy: Controller,
    task: SignalTask,
    seeds: Sequence[int],
    *,
    engine: str = "twin",
    watch: Watch | None = None,
) -> pd.DataFrame:
    """Indicators of a policy on days of a scene.

    Parameters
    ----------
    policy
        Decides at every step of the task; with `controls = False` signals keep their programs.
    seeds
        Numbers of the days.
    engine
        `twin` or `sumo`.
    watch
        Called with days done and in all.

    Returns
    -------
    DataFrame
        One row a day: `seed` and the columns of `REPORTED`.

    Raises
    ------
    TwinError
        If the policy cannot serve the scene, or the engine is not installed.
    """
    import pandas as pd

    rows: list[dict[str, float]] = []
    at_once = AT_ONCE if engine == "twin" else 1
    for first in range(0, len(seeds), at_once):
        days = list(seeds[first : first + at_once])
        found = _run(policy, task, days, engine)
        rows += [{"seed": day, **values} for day, values in zip(days, found, strict=True)]
        if watch is not None:
            watch(len(rows), len(seeds))
    return pd.DataFrame(rows)[["seed", *REPORTED]]


def _run(policy: Any, task: SignalTask, days: list[int], engine: str) -> list[dict[str, float]]:
    controlled = getattr(policy, "controls", True)
    by_phase = replace(of_days(task), action="phase")  # what every policy's `decide` gives
    runs = make_runs(by_phase, engine, len(days), controlled=controlled)
    try:
        runs.reset(days)
        view = runs.control.view
        policy.start(view)
        keep = np.full((len(days), len(runs.junctions)), -1)
        while not runs.done.all():
            runs.step(policy.decide(view) if controlled else keep)
        found = [runs.indicators(k) for k in range(len(days))]
    finally:
        runs.close()
    for day, values in zip(days, found, strict=True):
        if not values["trips"]:
            msg = f"{task.scene.name}: no trip is due in the window on day {day}: raise the demand"
            raise InputError(msg)
    return found


def delays(said: About, policy: Any, task: SignalTask, seeds: Sequence[int]) -> list[float]:
    """Mean delay of a trip on days of the twin, s, for a policy that is being trained."""
    from agents.trained import TrainedAgent

    agent = TrainedAgent.of(said, policy)
    runs = make_runs(of_days(task), "twin", len(seeds))
    check_fits("the agent", said, task, len(runs.junctions))
    runs.reset(list(seeds))
    while not runs.done.all():
        runs.step(agent.act(runs.row, runs.control.view.allowed))
    return [runs.delay_per_trip_s(k) for k in range(len(seeds))]
