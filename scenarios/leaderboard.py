"""The leaderboard of policies for signals: maps, both engines, several trainings and days.

Everything is kept in a folder, so that what was interrupted goes on: trainings as `twin train`
keeps them, and a table with one row for each policy, training, map, engine and day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        names = [*self.baselines, *(learner.name for learner in self.learners)]
        for group, what in ((names, "policies"), (self.maps, "maps")):
            twice = next((name for name in group if group.count(name) > 1), None)
            if twice is not None:
                msg = f"{twice} stands twice among the {what} of the leaderboard: name it otherwise"
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

    from agents.evaluation import EVALUATION_SEED

    report = progress or (lambda _: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot make the folder {folder}: {error.strerror or error}"
        raise OutputError(msg) from None
    agents = _train(board, folder, workers, report)
    kept = folder / RESULTS
    table = pd.read_csv(kept, dtype={"training": str}) if kept.exists() else pd.DataFrame()
    done: set[tuple[str, ...]] = set()
    if len(table):
        days = table.groupby(KEYS[:4])["seed"].transform("size")
        table = table[days >= board.days]
        done = set(table[KEYS[:4]].astype(str).itertuples(index=False, name=None))
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
    return wanted.merge(table[table["seed"] < EVALUATION_SEED + board.days], on=KEYS[:4])


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
            if (where / SUMMARY).exists():
                _check_same(
                    where, _command(board, learner, learner.scenes or (place,), seed, where)
                )
            else:
                missing.append((learner, learner.scenes or (place,), seed, where))
    report(Progress("trainings", 0, max(1, len(missing))))
    with ProcessPoolExecutor(max(1, workers), initializer=_one_thread) as pool:
        waiting = {pool.submit(_learn, board, *one): one[3].name for one in missing}
        for number, future in enumerate(as_completed(waiting), start=1):
            future.result()
            report(Progress(f"trained {waiting[future]}", number, len(missing)))
    return found


def _command(board: Board, learner: Learner, scenes: Sequence[str], seed: int, where: Path) -> str:
    """What makes the same agent by itself."""
    limit = "" if board.minutes is None else f" --minutes {board.minutes:g}"
    return (
        f"twin train {' '.join(scenes)} --algo {learner.algorithm} --steps {board.steps} "
        f"--seed {seed}{limit} -o {where.name}"
    )


def _check_same(where: Path, command: str) -> None:
    """Refuse an agent that was trained otherwise than the board says."""
    from agents.train import SUMMARY

    made = json.loads((where / SUMMARY).read_text(encoding="utf-8"))["agent"]["training"]
    if made["command"] != command:
        msg = f"{where} holds the agent of {made['command']!r}, not of {command!r}: name another -o"
        raise InputError(msg)


def _learn(board: Board, learner: Learner, scenes: Sequence[str], seed: int, where: Path) -> None:
    """Train one agent; runs in a process of its own."""
    from agents.train import Plan
    from scenarios.training import open_scenes, train_signals

    command = _command(board, learner, scenes, seed, where)
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
