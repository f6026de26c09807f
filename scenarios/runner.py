"""Scenarios run over processes, replication by replication, so that they can be resumed."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios import runs, worker
from scenarios.pace import Pace
from scenarios.plan import Plan, make_plan
from scenarios.runs import RunInfo
from scenarios.schema import BASE
from scenarios.worker import Job, Took
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
    remaining_s
        Seconds that the rest takes, where who reports it knows better than from `done`; NaN
        where nobody knows yet.
    """

    text: str
    done: float = 0.0
    total: float = 0.0
    remaining_s: float | None = None


Report = Callable[[Progress], None]


def run_scenario(
    source: Source,
    folder: Path,
    *,
    workers: int | None = None,
    progress: Report | None = None,
    cluster: str | None = None,
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
        Processes; as many as there are cores unless given; 1 runs in this one. On a cluster
        the most replications at a time.
    progress
        Called now and then.
    cluster
        Address of a Ray cluster that runs the replications: "auto", "HOST:PORT" or "ray://...".

    Raises
    ------
    TwinError
        If the scenario cannot be run, or the folder holds something else.
    """
    report = progress or (lambda _: None)
    with runs.locked(folder):
        started = time.monotonic()
        _clear(folder)
        plan = make_plan(source, folder, lambda text: report(Progress(text)))
        try:
            _run(plan, workers, cluster, report)
        finally:
            _clear(folder)
            _close(plan, time.monotonic() - started)
        _collect_equilibrium(folder)
    return [runs.open_run(folder / name) for name in plan.manifests]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(plan: Plan, workers: int | None, cluster: str | None, report: Report) -> None:
    tally = Tally(plan, report)
    tally.tell()
    if not plan.jobs:
        return
    if cluster is not None:
        from scenarios.cluster import run_on_cluster

        run_on_cluster(plan.jobs, cluster, tally, most=workers)
        return
    count = min(len(plan.jobs), max(1, workers if workers is not None else cores()))
    if count == 1:
        _run_here(plan, tally)
    else:
        _run_in_processes(plan.jobs, count, tally)


class Tally:
    """Which jobs are done, and how long the rest takes."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._waiting = {job.seed: job for job in plan.jobs}
        self._total = plan.source.scenario.replications
        self._report, self._pace = report, Pace()

    def done(self, job: Job, took: Took) -> None:
        """Note that a job is done."""
        del self._waiting[job.seed]
        self._pace.add(took.parts, first=took.first)

    def tell(self, since_s: Mapping[int, float] | None = None, workers: int = 1) -> None:
        """Report how far it is; `since_s` is how long the jobs run that have begun, by seed."""
        since_s = since_s or {}
        left = self._waiting
        running = [(left[seed], seconds) for seed, seconds in since_s.items() if seed in left]
        waiting = (job for seed, job in left.items() if seed not in since_s)
        remaining_s = self._pace.remaining_s(waiting, running, workers)
        done = self._total - len(left)
        text = f"{done} of {self._total} replications"
        rest_s = math.nan if remaining_s is None else remaining_s
        self._report(Progress(text, done, self._total, rest_s))


def _run_here(plan: Plan, tally: Tally) -> None:
    worker.quiet()
    for job in plan.jobs:
        parts: dict[str, float] = {}
        worker.run_job(job, plan.city, parts.__setitem__)
        tally.done(job, Took(parts, first=job is plan.jobs[0]))
        tally.tell()


def _run_in_processes(jobs: Sequence[Job], workers: int, tally: Tally) -> None:
    before = set(multiprocessing.active_children())
    with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as notes:
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker.enter_process,
        )
        finished = False
        try:
            pending = {pool.submit(worker.run_noted, job, notes): job for job in jobs}
            while pending:
                _next(pending, tally)
                tally.tell(_since_s(pending.values(), Path(notes)), workers)
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


def _next(pending: dict[Future[Took], Job], tally: Tally) -> None:
    """Wait a moment; take out what is done, or raise what went wrong in a worker."""
    done, _ = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
    for future in done:
        took = future.result()
        tally.done(pending.pop(future), took)


def _since_s(pending: Iterable[Job], notes: Path) -> dict[int, float]:
    """Return the seconds since jobs began, by seed."""
    begun = {path.name: path.stat().st_mtime for path in notes.iterdir()}
    now = time.time()
    return {j.seed: now - begun[j.seed_folder] for j in pending if j.seed_folder in begun}


def _kill(processes: set[BaseProcess]) -> None:
    """End workers at once; what they were writing has a temporary name and does not count."""
    for process in processes:
        process.kill()


def _clear(folder: Path) -> None:
    """Delete what was being written when a process was killed."""
    for part in folder.glob("*/.seed-*.part"):
        shutil.rmtree(part, ignore_errors=True)


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
