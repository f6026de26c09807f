"""The leaderboard of policies for signals: maps, both engines, several trainings and days.

Everything is kept in a folder, so that what was interrupted goes on: trainings as `twin train`
keeps them, and a table with one row for each policy, training, map, engine and day.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scenarios.runner import Progress, Report
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd

BASELINES = (
    "fixed", "webster", "green_wave", "actuated", "sotl", "greedy", "max_pressure",
    "rolling_horizon",
)  # fmt: skip
TWIN_ONLY = ("rolling_horizon",)
KEYS = ["policy", "training", "map", "engine", "seed"]
RESULTS, TRAININGS = "results.csv", "trainings"
DRAWS, LEVEL = 2000, 0.95


@dataclass(frozen=True)
class Learner:
    """What is trained, once for each training seed.

    Attributes
    ----------
    name
        In the table.
    algorithm
        Of `agents.algorithms`.
    scenes
        Where one agent for all maps is trained; () trains one on each map by itself.
    """

    name: str
    algorithm: str
    scenes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Learner:
        """From `ALGORITHM`, or `NAME=ALGORITHM:SCENE,SCENE`.

        Raises
        ------
        InputError
            If it is neither.
        """
        if "=" not in text:
            return cls(text, text)
        name, _, rest = text.partition("=")
        algorithm, _, scenes = rest.partition(":")
        if not (name and algorithm and scenes):
            msg = f"agent {text!r}: write ALGORITHM, or NAME=ALGORITHM:SCENE,SCENE"
            raise InputError(msg)
        return cls(name, algorithm, tuple(scenes.split(",")))


@dataclass(frozen=True)
class Board:
    """What is to be compared.

    Attributes
    ----------
    maps
        Scenes by name.
    baselines
        Policies that are not trained.
    learners
        What is trained.
    steps, minutes
        Of each training: decisions, and the wall time after which it ends in any case.
    trainings, days
        How many training seeds, and evaluation days of each.
    engines
        `twin`, `sumo`, or both.
    """

    maps: tuple[str, ...]
    baselines: tuple[str, ...] = BASELINES
    learners: tuple[Learner, ...] = (Learner("frap", "frap"),)
    steps: int = 1_000_000
    minutes: float | None = 10.0
    trainings: int = 3
    days: int = 10
    engines: tuple[str, ...] = ("twin", "sumo")

    def __post_init__(self) -> None:
        for name in ("trainings", "days", "steps"):
            if getattr(self, name) < 1:
                msg = f"{name}(={getattr(self, name)}) of the leaderboard must be at least 1"
                raise InputError(msg)


def make_board(
    board: Board, folder: Path, *, workers: int = 1, progress: Report | None = None
) -> pd.DataFrame:
    """Do what is missing in a folder; the rows of the board.

    Parameters
    ----------
    workers
        Processes that train, and then evaluate, side by side.
    progress
        Called now and then.

    Raises
    ------
    TwinError
        If there is no such map or policy, or the folder cannot be written.
    """
    import pandas as pd

    report = progress or (lambda _: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot make the folder {folder}: {error.strerror or error}"
        raise OutputError(msg) from None
    agents = _train(board, folder, workers, report)
    kept = folder / RESULTS
    table = pd.read_csv(kept, dtype={"training": str}) if kept.exists() else pd.DataFrame()
    done = set(table[KEYS[:4]].astype(str).itertuples(index=False, name=None)) if len(table) else ()
    jobs = [job for job in _jobs(board, agents) if job[:4] not in done]
    with ProcessPoolExecutor(max(1, workers), initializer=_one_thread) as pool:
        waiting = {pool.submit(_evaluate, job, board.days): job for job in jobs}
        for number, future in enumerate(as_completed(waiting), start=1):
            job = waiting[future]
            table = pd.concat([table, pd.DataFrame(future.result())], ignore_index=True)
            part = kept.with_name(f".{kept.name}.part")
            table.sort_values(KEYS).to_csv(part, index=False)
            part.replace(kept)
            report(Progress(f"{job[0]} on {job[2]}, {job[3]}", number, len(jobs)))
    wanted = pd.DataFrame([job[:4] for job in _jobs(board, agents)], columns=KEYS[:4])
    return wanted.merge(table, on=KEYS[:4])


Job = tuple[str, str, str, str, str]  # policy, training, map, engine, what `resolve` takes


def _jobs(board: Board, agents: dict[tuple[str, str, str], Path]) -> list[Job]:
    jobs: list[Job] = []
    for place, engine in product(board.maps, board.engines):
        jobs += [
            (name, "-", place, engine, name)
            for name in board.baselines
            if engine == "twin" or name not in TWIN_ONLY
        ]
        jobs += [
            (name, seed, place, engine, str(path))
            for (name, where, seed), path in agents.items()
            if where in (place, "")
        ]
    return jobs


def _train(
    board: Board, folder: Path, workers: int, report: Report
) -> dict[tuple[str, str, str], Path]:
    """Agents by name, map ("" for all) and training."""
    from agents.train import AGENT, SUMMARY

    found: dict[tuple[str, str, str], Path] = {}
    missing: list[tuple[Learner, tuple[str, ...], int, Path]] = []
    for learner, seed in product(board.learners, range(board.trainings)):
        for place in ("",) if learner.scenes else board.maps:
            name = "-".join(part for part in (learner.name, place, str(seed)) if part)
            where = folder / TRAININGS / name
            found[learner.name, place, str(seed)] = where / AGENT
            if not (where / SUMMARY).exists():
                missing.append((learner, learner.scenes or (place,), seed, where))
    report(Progress("trainings", 0, max(1, len(missing))))
    with ProcessPoolExecutor(max(1, workers), initializer=_one_thread) as pool:
        waiting = {pool.submit(_learn, board, *one): one[3].name for one in missing}
        for number, future in enumerate(as_completed(waiting), start=1):
            future.result()
            report(Progress(f"trained {waiting[future]}", number, len(missing)))
    return found


def _learn(board: Board, learner: Learner, scenes: Sequence[str], seed: int, where: Path) -> None:
    """Train one agent; runs in a process of its own."""
    from agents.train import Plan
    from scenarios.training import open_scenes, train_signals

    limit = "" if board.minutes is None else f" --minutes {board.minutes:g}"
    command = (
        f"twin train {' '.join(scenes)} --algo {learner.algorithm} --steps {board.steps} "
        f"--seed {seed}{limit} -o {where.name}"
    )
    plan = Plan(learner.algorithm, board.steps, board.minutes, seed, command=command)
    train_signals(open_scenes(scenes), where, plan)


def _one_thread() -> None:
    """Let processes that work side by side have a thread each."""
    import numba

    numba.set_num_threads(1)


def _evaluate(job: Job, days: int) -> list[dict[str, Any]]:
    """Rows of a policy on a map and engine; runs in a process of its own."""
    from agents.evaluation import EVALUATION_SEED, evaluate
    from agents.registry import resolve
    from envs.task import make_task

    policy, training, place, engine, name = job
    seeds = [EVALUATION_SEED + k for k in range(days)]
    table = evaluate(resolve(name), make_task(place), seeds, engine=engine)
    said = {"policy": policy, "training": training, "map": place, "engine": engine}
    return [{**said, **{str(k): v for k, v in row.items()}} for row in table.to_dict("records")]


def interval(rows: pd.DataFrame, column: str, seed: int = 0) -> tuple[float, float, float]:
    """Mean, and bounds of its 95 % interval by a hierarchical bootstrap.

    Trainings are drawn with replacement, and of each of them days (Davison and Hinkley 1997,
    Bootstrap Methods and their Application, 3.8; for learning agents Agarwal et al. 2021).

    Parameters
    ----------
    rows
        With the columns `training` and `seed`.
    """
    rng = np.random.default_rng(seed)
    groups = [part[column].to_numpy(float) for _, part in rows.groupby("training")]
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = rng.integers(0, len(groups), len(groups))
        means[draw] = np.mean([_mean_of_draw(groups[g], rng) for g in chosen])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)


def _mean_of_draw(values: npt.NDArray[np.float64], rng: np.random.Generator) -> float:
    return float(values[rng.integers(0, len(values), len(values))].mean())


def page(table: pd.DataFrame, board: Board) -> str:
    """The board as Markdown: delays with intervals, then who waits, stops and CO2."""
    lines = [
        "# Leaderboard",
        "",
        "Made by `twin leaderboard`. Mean delay of a trip, s (time loss and wait to enter, trips",
        "never inserted included), under each map's own settings, RESCO's on its maps; with 95 %",
        f"intervals (hierarchical bootstrap over trainings and days). {board.days} days that no",
        f"training or choice of weights saw; agents: {board.trainings} trainings of at most",
        f"{board.steps:,} decisions"
        + (f" and {board.minutes:g} minutes each:" if board.minutes else " each:"),
        *(f"`{a.name}` {_where(a)}." for a in board.learners),
        "`rolling_horizon` knows every trip to come: a bound, no policy of the street.",
    ]
    for engine in board.engines:
        mine = table[table["engine"] == engine]
        lines += ["", f"## Judged by {'SUMO' if engine == 'sumo' else 'the twin'}", ""]
        lines += _delays(mine, board)
        lines += ["", "Who waits, stops and emits, mean of days:", ""]
        lines += _rest(mine, board)
    return "\n".join(lines) + "\n"


def _where(learner: Learner) -> str:
    """What an agent was trained on, in words."""
    if not learner.scenes:
        return f"is {learner.algorithm}, trained on the map where it is judged"
    return f"is {learner.algorithm}, one agent for all maps, trained on {', '.join(learner.scenes)}"


def _policies(table: pd.DataFrame, board: Board) -> list[str]:
    there = set(table["policy"])
    return [name for name in (*board.baselines, *(a.name for a in board.learners)) if name in there]


def _delays(table: pd.DataFrame, board: Board) -> list[str]:
    names = _policies(table, board)
    lines = [f"| map | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for place in board.maps:
        cells = []
        found = {}
        for name in names:
            rows = table[(table["map"] == place) & (table["policy"] == name)]
            found[name] = interval(rows, "delay_per_trip_s") if len(rows) else None
        known = {n: v[0] for n, v in found.items() if v is not None and n not in TWIN_ONLY}
        best = min(known, key=lambda n: known[n]) if known else ""
        for name in names:
            value = found[name]
            text = "" if value is None else f"{value[0]:.1f} ({value[1]:.1f} to {value[2]:.1f})"
            cells.append(f"**{text}**" if name == best else text)
        lines.append(f"| {place} | {' | '.join(cells)} |")
    return lines


def _rest(table: pd.DataFrame, board: Board) -> list[str]:
    heads = {
        "waiting_95_s": "95 % of waits, s",
        "waiting_99_s": "99 %, s",
        "waiting_longest_s": "longest, s",
        "stops_per_trip": "stops",
        "co2_per_trip_g": "CO2, g",
        "arrived_percent": "arrived, %",
    }
    lines = [f"| map | policy | {' | '.join(heads.values())} |", "|---|---|" + "---|" * len(heads)]
    for place, name in product(board.maps, _policies(table, board)):
        rows = table[(table["map"] == place) & (table["policy"] == name)]
        if len(rows):
            cells = " | ".join(f"{rows[column].mean():.1f}" for column in heads)
            lines.append(f"| {place} | {name} | {cells} |")
    return lines


def write_page(text: str, path: Path) -> Path:
    """Write the page in one step.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}; name another place"
        raise OutputError(msg) from None
    return path


def check_names(board: Board) -> None:
    """Refuse maps, policies and engines that there are not, before anything is done.

    Raises
    ------
    TwinError
        With the first that is unknown.
    """
    from agents.algorithms import find
    from agents.registry import resolve
    from envs.opening import open_scene
    from envs.task import ENGINES
    from scenarios.training import open_scenes

    names: Sequence[str] = board.baselines
    for name in names:
        resolve(name)
    for learner in board.learners:
        find(learner.algorithm)
        for _ in open_scenes(learner.scenes):
            pass
    for name in board.engines:
        if name not in ENGINES:
            msg = f"engine {name!r} is unknown; there are {', '.join(ENGINES)}"
            raise InputError(msg)
    for name in board.maps:
        open_scene(name)
