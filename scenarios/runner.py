"""Scenarios run over processes, replication by replication, so that they can be resumed."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios import runs, worker
from scenarios.plan import Plan, make_plan
from scenarios.runs import RunInfo
from scenarios.schema import BASE
from scenarios.worker import Job
from twin.errors import OutputError, SimulationError

if TYPE_CHECKING:
    from scenarios.loading import Source

POLL_S = 0.25


@dataclass(frozen=True)
class Progress:
    """How far a scenario is.

    Parameters
    ----------
    text
        What is being done.
    done, total
        Work, in units that take about the same time; 0 of 0 before it is known.
    """

    text: str
    done: float = 0.0
    total: float = 0.0


Report = Callable[[Progress], None]


def run_scenario(
    source: Source, folder: Path, *, workers: int | None = None, progress: Report | None = None
) -> list[RunInfo]:
    """Run what is missing of a scenario; return the runs, the base first.

    Each replication is saved when it is complete. Whoever starts the same scenario again in
    the same folder, after whatever end, gets the rest.

    Parameters
    ----------
    source
        The scenario.
    folder
        Where the runs go: one folder for the base and for each alternative.
    workers
        Processes; as many as there are cores unless given; 1 runs in this one.
    progress
        Called now and then.

    Raises
    ------
    TwinError
        If the scenario cannot be run, or the folder holds something else.
    """
    report = progress or (lambda _: None)
    count = max(1, workers if workers is not None else cores())
    with runs.locked(folder):
        started = time.monotonic()
        plan = make_plan(source, folder, lambda text: report(Progress(text)))
        try:
            _run(plan.jobs, plan, count, report)
        finally:
            _close(plan, time.monotonic() - started)
        _collect_equilibrium(folder)
    return [runs.open_run(folder / name) for name in plan.manifests]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(jobs: Sequence[Job], plan: Plan, workers: int, report: Report) -> None:
    total = sum(job.units for job in jobs)
    seeds = f"{len(jobs)} of {plan.source.scenario.replications} replications to do"
    text = seeds if jobs else "every replication is there"

    def tell(done: float) -> None:
        report(Progress(text, min(done, total), total))

    tell(0.0)
    if workers == 1 or len(jobs) == 1:
        _run_here(jobs, plan, tell)
    elif jobs:
        _run_in_processes(jobs, min(workers, len(jobs)), tell)


def _run_here(jobs: Sequence[Job], plan: Plan, tell: Callable[[float], None]) -> None:
    done = 0.0

    def add(units: float) -> None:
        nonlocal done
        done += units
        tell(done)

    for job in jobs:
        worker.run_job(job, plan.city, add)


def _run_in_processes(jobs: Sequence[Job], workers: int, tell: Callable[[float], None]) -> None:
    before = set(multiprocessing.active_children())
    with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as notes:
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker.enter_process,
        )
        finished = False
        try:
            pending = {pool.submit(worker.run_noted, job, notes) for job in jobs}
            while pending:
                pending = _next(pending)
                tell(worker.units_noted(notes))
            finished = True
        except BrokenProcessPool:
            msg = (
                "a worker process was killed, perhaps for want of memory; start again with fewer "
                "--workers: what is complete is kept"
            )
            raise SimulationError(msg) from None
        finally:
            if not finished:
                _kill(set(multiprocessing.active_children()) - before)
            pool.shutdown(wait=True, cancel_futures=True)


def _next(pending: set[Future[None]]) -> set[Future[None]]:
    """Wait a moment; return what is still pending, or raise what went wrong in a worker."""
    done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return pending


def _kill(processes: set[BaseProcess]) -> None:
    """End workers at once; what they were writing has a temporary name and does not count."""
    for process in processes:
        process.kill()


def _close(plan: Plan, wall_s: float) -> None:
    """Note in the manifests how long it took, all starts together."""
    if not plan.jobs:
        return
    for name, manifest in plan.manifests.items():
        done = runs.complete_seeds(plan.folder / name)
        missing = [seed for seed in manifest["seeds"] if seed not in done]
        changed = {**manifest, "wall_s": manifest["wall_s"] + wall_s, "missing_seeds": missing}
        runs.write_manifest(plan.folder / name, changed)


def _collect_equilibrium(folder: Path) -> None:
    """Write the relative gap of every seed and iteration to one table."""
    import pandas as pd

    paths = sorted((folder / BASE).glob("seed-*/equilibrium.parquet"))
    frames = [pd.read_parquet(path) for path in paths]
    if not frames:
        return
    part = folder / ".equilibrium.part"
    try:
        pd.concat(frames, ignore_index=True).to_parquet(part, index=False)
        part.replace(folder / "equilibrium.parquet")
    except OSError as error:
        msg = f"{folder}: cannot be written, {error.strerror or error}; free some space"
        raise OutputError(msg) from None
