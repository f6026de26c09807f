"""Training from the command line: what is asked for, handed to the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.runner import Progress, Report
from twin import times
from twin.city.opening import open_city
from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City


def train_signals(
    city: str | City,
    path: Path,
    *,
    period: tuple[str, str] = ("07:00", "08:00"),
    scale: float = 1.0,
    seconds: float = 60.0,
    seed: int = 0,
    progress: Report | None = None,
) -> str:
    """Train an agent for the signals of a city; return one line on what came out.

    Parameters
    ----------
    city
        A city, or what a user calls it.
    path
        Where the agent's `.zip` goes.
    period
        Times of day "HH:MM" between which an episode lies.
    scale
        Factor on all trips.
    seconds
        Wall time of the training.
    seed
        Seed of the training.
    progress
        Called now and then.

    Raises
    ------
    TwinError
        If a time is none, the city is not found, or the file cannot be written.
    """
    from agents.train import train
    from envs.scenes import CityScene
    from envs.task import SignalTask

    report = progress or (lambda _: None)
    try:
        begin_s, end_s = (times.seconds(time) for time in period)
    except ValueError as error:
        raise InputError(str(error)) from None
    report(Progress("city and demand"))
    opened = open_city(city) if isinstance(city, str) else city
    task = SignalTask(CityScene.of(opened, begin_s, end_s, scale=scale), draws=3)

    def show(share: float, decisions: int, reward: float) -> None:
        text = f"training: {decisions:,} decisions, mean reward {reward:.3f}"
        report(Progress(text, share * seconds, seconds))

    done = train(task, path, seconds=seconds, seed=seed, progress=show)
    return f"{done.path}: {done.decisions:,} decisions in {done.wall_s:.0f} s"
