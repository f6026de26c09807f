"""Training and evaluation of signal policies from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scenarios.runner import Progress, Report
from twin import times
from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from agents.train import Plan, Trained
    from agents.train import Report as Told
    from envs.scenes import Scene

RANGE = re.compile(r"generated:(\d{1,6})-(\d{1,6})")
ENVIRONMENT = "Twin/SignalControl-v0"


def open_scenes(
    names: Sequence[Any],
    period: tuple[str, str] | None = None,
    scale: float = 1.0,
    closed: Sequence[str] = (),
) -> list[Scene]:
    """Scenes that a user names.

    Parameters
    ----------
    names
        Maps of RESCO, cities, SUMO configurations; `generated:0-23` for 24 drawn towns; the
        environment's id is its usual scene.
    period
        Times of day "HH:MM"; the scene's own window unless given.
    scale
        Factor on the demand.
    closed
        Streets that are shut.

    Raises
    ------
    TwinError
        If a time is none, or there is no such scene.
    """
    from envs.opening import open_scene

    window: dict[str, Any] = {}
    if period is not None:
        try:
            begin_s, end_s = (times.seconds(time) for time in period)
        except ValueError as error:
            raise InputError(str(error)) from None
        window = {"begin_s": begin_s, "end_s": end_s}
    usual = [("helsinki" if name == ENVIRONMENT else name) for name in _each(names)]
    return [open_scene(name, scale=scale, closed=closed, **window) for name in usual]


def _each(names: Sequence[Any]) -> Iterator[Any]:
    """Names, with those of ranges one by one."""
    for name in names:
        found = RANGE.fullmatch(name) if isinstance(name, str) else None
        if found is None:
            yield name
            continue
        first, last = int(found[1]), int(found[2])
        if first > last:
            msg = f"{name!r} holds no town: write generated:{last}-{first}"
            raise InputError(msg)
        yield from (f"generated:{k}" for k in range(first, last + 1))


def train_signals(
    scenes: Sequence[Scene],
    folder: Path,
    plan: Plan,
    *,
    progress: Report | None = None,
    **given: Any,
) -> Trained:
    """Train an agent for the signals of scenes.

    Parameters
    ----------
    folder
        Gets the agent and all that is needed to go on.
    progress
        Called now and then.
    given
        Settings of `envs.task.SignalTask`.

    Raises
    ------
    TwinError
        If settings are unknown, or the folder cannot be written.
    """
    from agents.train import make_tasks, train

    report = progress or (lambda _: None)
    report(Progress("scenes and traffic"))

    def show(told: Told) -> None:
        report(Progress(told_text(told), told.share, 1.0))

    return train(make_tasks(scenes, plan, **given), folder, plan, tell=show)


def told_text(told: Told) -> str:
    """One line on how far a training is."""
    minutes, seconds = divmod(round(told.left_s), 60)
    parts = [
        f"{told.decisions:,} decisions",
        f"{told.per_s:,.0f}/s",
        f"{minutes}:{seconds:02d} left",
        f"delay {told.training_s:.1f} s",
    ]
    if told.validation_s == told.validation_s:  # not NaN
        parts.append(f"validated {told.validation_s:.1f} s")
    return ", ".join(parts)


def evaluate_signals(
    policies: Sequence[str],
    scenes: Sequence[Scene],
    n_seeds: int,
    *,
    engine: str = "twin",
    progress: Report | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Indicators of policies on days that no training sees; [policies * scenes * days] rows.

    Parameters
    ----------
    given
        Settings of `envs.task.SignalTask`.

    Raises
    ------
    TwinError
        If there is no such policy, or it cannot serve a scene.
    """
    import pandas as pd

    from agents.evaluation import EVALUATION_SEED, evaluate
    from agents.registry import resolve
    from envs.task import make_task

    report = progress or (lambda _: None)
    for names, what in ((list(policies), "policies"), ([s.name for s in scenes], "maps")):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            msg = f"{twice} stands twice among the {what}: name each once"
            raise InputError(msg)
    found = {name: resolve(name) for name in policies}  # refuse before anything is run
    seeds = [EVALUATION_SEED + k for k in range(n_seeds)]
    total = len(policies) * len(scenes) * n_seeds
    tables: list[pd.DataFrame] = []
    for scene in scenes:
        task = make_task(scene, **given)
        for name, policy in found.items():
            before = len(tables) * n_seeds

            def watch(done: int, _: int, before: int = before, name: str = name) -> None:
                report(Progress(f"{name} on {scene.name}", before + done, total))  # noqa: B023

            watch(0, n_seeds)
            table = evaluate(policy, task, seeds, engine=engine, watch=watch)
            table.insert(0, "engine", engine)
            table.insert(0, "map", scene.name)
            table.insert(0, "policy", name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def with_interval(values: pd.Series[float]) -> str:
    """Mean, and half of its 95 % confidence interval (Student's t)."""
    from scipy import stats

    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5 if n > 1 else float("nan")
    return f"{values.mean():.1f} ± {half:.1f}" if n > 1 else f"{values.mean():.1f}"
