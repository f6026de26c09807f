"""Training and evaluation of maintenance policies from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.runner import Progress, Report
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd

    from envs.roads.scenes import RoadTask

PREFIX = "roads:"
ENVIRONMENT = "Twin/RoadMaintenance-v0"
ALGORITHMS = ("es", "ppo", "maskable_ppo")
MOST_BUDGET = 1000.0


def are_roads(places: Sequence[str]) -> bool:
    """Whether places are networks of roads; refuse a mixture with signals.

    Raises
    ------
    InputError
        If some are and some are not.
    """
    mine = [place.startswith(PREFIX) or place == ENVIRONMENT for place in places]
    if any(mine) and not all(mine):
        other = places[mine.index(False)]
        msg = f"{other!r} is a scene for signals, others are roads: train or evaluate them apart"
        raise InputError(msg)
    return any(mine)


@dataclass(frozen=True)
class Options:
    """What the command line says of networks.

    Attributes
    ----------
    sections
        Of each network; 0 takes all.
    budget
        Factor on Gelsenkirchen's 2.2 EUR/m² and year.
    scale
        Factor on the demand with which closures are simulated.
    truth
        Model of deterioration.
    years
        Of a decade.
    joint
        Whether evaluation simulates works of a day together, and not by the table of delays.
    """

    sections: int = 100
    budget: float = 1.0
    scale: float = 0.3
    truth: str = "markov"
    years: int = 10
    joint: bool = False


def open_tasks(
    places: Sequence[str], options: Options | None = None, *, report: Report | None = None
) -> list[RoadTask]:
    """Tasks that a user names.

    Parameters
    ----------
    places
        `roads:` and a city, or `roads:generated:SEED`; the environment's id is its usual scene.
    """
    from envs.roads.scenes import make_road_task
    from twin.roads.decade import BUDGET_EUR_M2

    options = options or Options()
    if not 0.0 < options.budget <= MOST_BUDGET:
        msg = (
            f"--budget {options.budget:g} must be above 0 and up to {MOST_BUDGET:g}: 1 is 2.20 "
            "EUR/m2 a year"
        )
        raise InputError(msg)
    told = report or (lambda _: None)
    tasks = []
    for place in places:
        name = "generated:0" if place == ENVIRONMENT else place.removeprefix(PREFIX)
        told(Progress(f"{name}: what closures cost"))
        task = make_road_task(
            name, sections=options.sections or None, scale=options.scale, truth=options.truth,
            years=options.years,
            progress=lambda done, n, name=name: told(
                Progress(f"{name}: what closures cost", float(done), float(n))
            ),
        )  # fmt: skip
        area = float(task.scene.sections["area_m2"].sum())
        tasks.append(task.with_settings(budget_eur=options.budget * BUDGET_EUR_M2 * area))
    return tasks


def train_roads(
    tasks: Sequence[RoadTask],
    folder: Path,
    *,
    algo: str,
    steps: int,
    minutes: float | None,
    seed: int,
    command: str,
    report: Report | None = None,
) -> Path:
    """Train a maintenance policy; the folder gets agent.zip and training.json.

    Raises
    ------
    TwinError
        If the algorithm is unknown, or the folder cannot be written.
    """
    told = report or (lambda _: None)
    if algo not in ALGORITHMS:
        from twin.suggest import suggestion

        msg = f"algorithm {algo!r} trains no roads; {suggestion(algo, list(ALGORITHMS))}"
        raise InputError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made, {error.strerror or error}; name another with -o"
        raise OutputError(msg) from None
    from agents.roads import training

    def tell(found: training.Progressed) -> None:
        text = f"{found.decisions:,} decisions, cost {found.relative:.3f} of the greedy knapsack's"
        told(Progress(text, found.share, 1.0))

    plan = training.Plan(algo, steps, minutes, seed, command)
    history = training.train(tasks, folder / "agent.zip", plan, tell)
    part = folder / ".training.json.part"
    part.write_text(json.dumps({"command": command, "history": history}, indent=1))
    part.replace(folder / "training.json")
    return folder / "agent.zip"


def evaluate_roads(
    policies: Sequence[str],
    tasks: Sequence[RoadTask],
    n_seeds: int,
    *,
    joint: bool = False,
    report: Report | None = None,
) -> pd.DataFrame:
    """Costs and condition of policies on decades that no training sees.

    Raises
    ------
    TwinError
        If there is no such policy.
    """
    import pandas as pd

    from agents.registry import resolve
    from agents.roads.evaluation import EVALUATION_SEED, evaluate

    told = report or (lambda _: None)
    for names, what in ((list(policies), "policies"), ([t.scene.name for t in tasks], "scenes")):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            msg = f"{twice} stands twice among the {what}: name each once"
            raise InputError(msg)
    planners = {name: resolve(name, "roads") for name in policies}
    seeds = [EVALUATION_SEED + k for k in range(n_seeds)]
    total, tables = len(tasks) * len(policies) * n_seeds, []
    for k, task in enumerate(tasks):
        before = k * len(policies) * n_seeds

        def watch(done: int, _: int, before: int = before, name: str = task.scene.name) -> None:
            told(Progress(f"decades of {name}", float(before + done), float(total)))

        table = evaluate(planners, task, seeds, watch, jointly=joint)
        table.insert(0, "scene", task.scene.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def lines_of(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Lines of a table for people: policy, cost, cost over worst first, condition, ..."""
    from agents.roads.evaluation import REFERENCE, normalised

    ratios: dict[str, Any] = {}
    if REFERENCE in set(table["policy"]):
        ratios = {
            str(row["policy"]): f"{row['ratio']:.3f}±{row['half']:.3f}"
            for row in normalised(table).to_dict("records")
        }
    lines: list[tuple[str, ...]] = []
    for name, rows in table.groupby("policy", sort=False):
        mean = rows.mean(numeric_only=True)
        lines.append(
            (
                str(name),
                f"{mean['social_cost_eur'] / 1e6:.3f}",
                str(ratios.get(str(name), "–")),
                f"{mean['agency_eur'] / 1e6:.3f}",
                f"{mean['bad_percent']:.1f}",
                f"{mean['delay_h']:.0f}",
                f"{mean['found_worse']:.1f}",
            )
        )
    return lines
