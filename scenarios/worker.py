"""One seed of a scenario: drivers learn, then the base and the alternatives are simulated.

This runs in a process of its own, so nothing heavy is imported before `enter_process` has
said how many threads the numerical libraries may start.
"""

from __future__ import annotations

import datetime as dt
import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from twin.errors import SimulationError
from twin.system import Measure, Outlook

if TYPE_CHECKING:
    from scenarios.schema import EquilibriumOptions
    from twin.city import City
    from twin.ledger import Results
    from twin.simulation import Prepared
    from twin.system import Response
    from twin.traffic.demand import Demand

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
SHARED = ""  # part of a job: what all its variants need

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Variant:
    """The base or an alternative, as it is simulated.

    Parameters
    ----------
    folder
        Folder of the run.
    measures
        Measures of the base, then its own.
    learned
        Those of them that drivers have learnt to live with.
    response
        How drivers respond.
    informed
        Share of drivers who learn of a closure when it begins.
    base
        Whether it is the base; it keeps the record of the equilibrium.
    """

    folder: Path
    measures: tuple[Measure, ...]
    learned: tuple[Measure, ...]
    response: Response
    informed: float
    base: bool


@dataclass(frozen=True)
class Job:
    """What one process does without asking: all variants of one seed that are missing."""

    seed: int
    seed_folder: str
    city_folder: Path
    demand: Demand
    begin_s: float
    end_s: float
    warmup_s: float
    interval_s: float
    day: dt.date
    equilibrium: EquilibriumOptions
    usual: tuple[Measure, ...]
    variants: tuple[Variant, ...]
    systems: tuple[str, ...] | None
    modules: tuple[str, ...]
    agents: Mapping[str, Path]
    again: bool = False  # whether to look for another equilibrium, too
    years: int = 0
    files: Mapping[str, Path] = field(default_factory=dict)
    record: bool = False  # whether to keep what every vehicle and light did

    @property
    def parts(self) -> tuple[str, ...]:
        """What takes its time: that which all variants share, and each of them."""
        return (SHARED, *(variant.folder.name for variant in self.variants))

    def learns(self, variant: Variant) -> bool:
        """Whether drivers of a run learn something that those of the base do not."""
        return variant.learned != self.usual


def run_job(job: Job, city: City, report: Report) -> None:
    """Simulate and save every variant of a job; `report` is told the seconds of each part.

    Raises
    ------
    TwinError
        What the twin refuses; replications saved before it stay.
    """
    from twin.simulation import Simulation
    from twin.traffic.preparation import adapted

    driven = job.systems is None or "traffic" in job.systems
    demands, begun_s = _Demands(job, city), time.monotonic()
    usual = _prepare(job, city, job.usual, None, demands) if driven else None
    report(SHARED, time.monotonic() - begun_s)
    for variant in job.variants:
        begun_s = time.monotonic()
        prepared, learned = usual, job.learns(variant)
        if learned and usual is not None:
            prepared = _prepare(job, city, variant.learned, usual, demands)
        if prepared is not None and demands.differ(variant):
            made = demands.of(variant.measures)
            prepared = adapted(prepared, city, made, job.seed, job.begin_s, job.end_s)
        simulation = Simulation(
            city,
            prepared,
            seed=job.seed,
            begin_s=job.begin_s,
            end_s=job.end_s,
            warmup_s=job.warmup_s,
            measures=variant.measures,
            response=variant.response,
            informed=variant.informed,
            policies=_policies(job.agents),
            demand=job.demand,
            years=job.years,
            files=_files(job.files),
            systems_on=job.systems,
            day=job.day,
            interval_s=job.interval_s,
            record=job.record,
        )
        results = simulation.run()
        if prepared is not None:
            results = _with_learning(results, job.seed, prepared)
        results.save(variant.folder / job.seed_folder)
        report(variant.folder.name, time.monotonic() - begun_s)


class _Demands:
    """Trips that are made with measures; made once for all seeds of a worker."""

    _made: ClassVar[dict[tuple[str, tuple[str, ...]], Demand]] = {}

    def __init__(self, job: Job, city: City) -> None:
        self._job = job
        begin = dt.datetime.combine(job.day, dt.time(), tzinfo=dt.UTC)
        begin += dt.timedelta(seconds=job.begin_s + job.warmup_s)
        self._run = Outlook(city, begin, job.years, _files(job.files), job.begin_s, job.end_s)

    def of(self, measures: tuple[Measure, ...]) -> Demand:
        """Return the demand with measures, in their order."""
        changing = _changing(measures)
        key = (str(self._job.city_folder), tuple(m.model_dump_json() for m in changing))
        if key not in self._made:
            demand = self._job.demand
            for measure in changing:
                demand = measure.demanded(demand, self._run)
            self._made[key] = demand
        return self._made[key]

    def differ(self, variant: Variant) -> bool:
        """Whether other trips are made than those that drivers have learnt with."""
        return _changing(variant.measures) != _changing(variant.learned)


def _changing(measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """Return those measures that change which trips are made."""
    return tuple(m for m in measures if type(m).demanded is not Measure.demanded)


def _prepare(
    job: Job,
    city: City,
    measures: tuple[Measure, ...],
    usual: Prepared | None,
    demands: _Demands,
) -> Prepared:
    """Let drivers learn with measures that they know."""
    from twin.simulation import prepare

    options = job.equilibrium
    theta: dict[str, Any] = {}
    if options.theta_per_min is not None:
        theta["theta_per_min"] = options.theta_per_min

    return prepare(
        city,
        demands.of(measures),
        seed=job.seed,
        begin_s=job.begin_s,
        end_s=job.end_s,
        warmup_s=job.warmup_s,
        iterations=options.iterations,
        gap=options.gap,
        route_choice=options.route_choice,
        measures=measures,
        policies=_policies(job.agents),
        files=_files(job.files),
        usual=usual,
        again=job.again,
        **theta,
    )


@dataclass(frozen=True)
class Took:
    """Seconds by part of a job, and whether it was the first of its process."""

    parts: Mapping[str, float]
    first: bool


def run_timed(job: Job) -> Took:
    """Do a job in a process that may do several; return how long it took."""
    quiet()
    parts: dict[str, float] = {}
    first = not _city.cache_info().currsize
    import_systems(job.modules)
    run_job(job, _city(job.city_folder), parts.__setitem__)
    return Took(parts, first)


def run_noted(job: Job, notes: str) -> Took:
    """Do a job in a worker; a file in `notes` says since when."""
    (Path(notes) / job.seed_folder).touch()
    return run_timed(job)


def quiet() -> None:
    """Keep warnings of single replications from the terminal; who sets up logging gets them."""
    logger = logging.getLogger("twin")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def enter_process() -> None:
    """Make a new process a worker: one thread, deaf to Ctrl-C, gone when its parent is gone."""
    for name in THREADS:
        os.environ[f"{name}_NUM_THREADS"] = "1"
    os.environ["NUMBA_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def import_systems(modules: tuple[str, ...]) -> None:
    """Import the modules that register the systems of a scenario.

    Raises
    ------
    SimulationError
        If one cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            msg = f"system module {module!r} cannot be imported ({error}); install its package"
            raise SimulationError(msg) from None


@lru_cache(maxsize=1)
def _city(folder: Path) -> City:
    from twin.city import City

    return City.load(folder)


def _policies(agents: Mapping[str, Path]) -> Callable[[str, str], Any]:
    """Return what finds a policy by its name: a trained agent of the scenario, or a baseline."""

    def policy(name: str, domain: str = "signals") -> Any:
        from agents.registry import resolve

        file = agents.get(name)
        return resolve(name if file is None else str(file), domain)

    return policy


def _files(copies: Mapping[str, Path]) -> Callable[[str], Path]:
    """Return what finds the copy of a file that a measure names."""

    def file(name: str) -> Path:
        return copies.get(name, Path(name))

    return file


def _with_learning(results: Results, seed: int, prepared: Prepared) -> Results:
    """Add the days on which drivers learned: all gaps, and the indicators up to the day used."""
    import pandas as pd

    gaps = prepared.gaps
    frame = pd.DataFrame(
        {"seed": seed, "iteration": range(1, len(gaps) + 1), "gap": [float(g) for g in gaps]}
    )
    more = {} if prepared.learning is None else {"learning": prepared.learning}
    return replace(results, tables={**results.tables, "equilibrium": frame, **more})


def _leave_with_parent() -> None:
    """End this process when the one that started it has ended, however that was."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
