"""Runs both sides on cases, and compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scenarios.validation import kernel, routes, sumo
from scenarios.validation.measures import Measure, compare
from scenarios.validation.runs import Run, onset_s
from twin.cache import Cache, key
from twin.errors import InputError, TwinError

if TYPE_CHECKING:
    from scenarios.validation.cases import Case
    from twin.city import City
    from twin.traffic.sumo_configuration import SumoFiles

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a case gave.

    Attributes
    ----------
    vehicles
        Due in the compared period.
    left_out
        How many of what neither side was given, by reason.
    begin_s, end_s
        The compared period.
    sumo_onset_s, kernel_onset_s
        When each run locked up, None where it did not.
    """

    case: Case
    vehicles: int
    begin_s: float
    end_s: float
    measures: list[Measure]
    sumo: list[Run]
    kernel: list[Run]
    due: pd.Index
    lane_m: float
    left_out: dict[str, int] = field(default_factory=dict)
    sumo_onset_s: list[float | None] = field(default_factory=list)
    kernel_onset_s: list[float | None] = field(default_factory=list)

    @property
    def onset_s(self) -> float | None:
        """When the first of SUMO's runs locked up."""
        return min((t for t in self.sumo_onset_s if t is not None), default=None)

    @property
    def missed(self) -> list[Measure]:
        """Measures whose mark was not met."""
        return [m for m in self.measures if m.met is False]


class Harness:
    """Compares the kernel with SUMO, with the results of SUMO kept.

    Parameters
    ----------
    seeds
        Runs of each side, with seeds from 1 on.
    workers
        SUMO runs at a time.
    """

    def __init__(self, cache: Cache, *, seeds: int, workers: int) -> None:
        self.cache, self.seeds, self.workers = cache, range(1, seeds + 1), workers
        self.programs = sumo.Programs()

    def run(self, case: Case) -> Result:
        """Run both sides on a case, and compare.

        Raises
        ------
        InputError
            If its files cannot be used.
        """
        self.programs = sumo.Programs()
        demand = case.demand(self.programs, self.cache)
        city = kernel.city_of(demand.net)
        place, left_out = self._fixed(demand, city)
        theirs = self._sumo(place)
        ours = [kernel.simulate(city, place, seed) for seed in self.seeds]
        onsets = [[onset_s(run.course) for run in runs] for runs in (theirs, ours)]
        first = min((t for t in onsets[0] if t is not None), default=None)
        if first is not None:
            place = self._cut(place, first)
            theirs = self._sumo(place)
            ours = [kernel.simulate(city, place, seed) for seed in self.seeds]
        due = _due(place)
        lane_m = float(city.lanes["length_m"].sum())
        found = compare(due, theirs, ours)
        return Result(case, len(due), place.begin_s, place.end_s, found, theirs, ours, due, lane_m,
                      left_out, *onsets)  # fmt: skip

    def _fixed(self, demand: SumoFiles, city: City) -> tuple[sumo.Place, dict[str, int]]:
        """Return the place with its fixed routes, and what was left out."""
        import json

        def make(folder: Path) -> None:
            left_out = routes.fix(demand, city, self.programs, folder)
            for path in folder.iterdir():
                if path.name != "routes.rou.xml":
                    path.unlink()
            (folder / "left_out.json").write_text(json.dumps(left_out))

        files = (demand.net, *demand.routes, *demand.additional, Path(routes.__file__))
        words = ("routes", sumo.version(), demand.begin_s, demand.end_s)
        try:
            name = key(files, *words)
        except OSError as error:
            msg = f"{error.filename}: cannot be read, {error.strerror}; check the name"
            raise InputError(msg) from None
        folder = self.cache.folder_of(name, make)
        place = sumo.Place(demand.net, folder / "routes.rou.xml", demand.begin_s, demand.end_s)
        return place, json.loads((folder / "left_out.json").read_text())

    def _cut(self, place: sumo.Place, end_s: float) -> sumo.Place:
        """Return the place up to an earlier end, with the routes of those due until then."""
        early = replace(place, end_s=max(end_s, place.begin_s + 1.0))

        def make(folder: Path) -> None:
            routes.cut(place.routes, early, folder / "routes.rou.xml")

        folder = self.cache.folder_of(key([place.routes], "cut", early.end_s), make)
        return replace(early, routes=folder / "routes.rou.xml")

    def _sumo(self, place: sumo.Place) -> list[Run]:
        """Run SUMO with each seed, some at a time; what is kept is not run again."""
        with ThreadPoolExecutor(self.workers) as pool:
            waiting = [pool.submit(self._sumo_seed, place, seed) for seed in self.seeds]
            try:
                wait(waiting, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() and not future.exception() for future in waiting):
                    self.programs.end()
                    pool.shutdown(wait=True, cancel_futures=True)
        failed = [f.exception() for f in waiting if not f.cancelled() and f.exception()]
        for error in sorted(failed, key=lambda error: isinstance(error, sumo.Ended)):
            raise error  # type: ignore[misc]
        return [future.result() for future in waiting]

    def _sumo_seed(self, place: sumo.Place, seed: int) -> Run:
        def make(folder: Path) -> None:
            raw = folder / "raw"
            raw.mkdir()
            sumo.simulate(self.programs, place, seed, raw).save(folder)
            for path in raw.iterdir():
                path.unlink()
            raw.rmdir()

        words: tuple[Any, ...] = (sumo.version(), sumo.OPTIONS, place.begin_s, place.end_s, seed)
        files = (place.net, place.routes, Path(sumo.__file__))
        return Run.load(self.cache.folder_of(key(files, "sumo", *words), make))


def _due(place: sumo.Place) -> pd.Index:
    from twin.traffic.sumo_routes import read_routes

    found = read_routes([place.routes], place.begin_s, place.end_s)
    return pd.Index([v.id for v in found.vehicles], dtype=object, name="id")


def run_cases(
    cases: Sequence[Case], harness: Harness, say: Say, done: Callable[[Result], None]
) -> dict[str, str]:
    """Run cases one after the other and hand on each result; return why others were left out.

    A case of the library that fails is left out, and told.

    A case of the library that fails is told and left out; a case of the user's own fails the
    command.

    Raises
    ------
    InputError
        If files of the user's own cannot be used.
    """
    left = {}
    for number, case in enumerate(cases, 1):
        head = f"[{number}/{len(cases)}] {case.name}"
        if case.missing:
            left[case.name] = case.missing
            say(f"{head}: left out, {case.missing}")
            continue
        say(f"{head}: {case.about}")
        try:
            result = harness.run(case)
        except TwinError as error:
            if case.group == "Own":
                raise
            left[case.name] = f"failed, {error}"
            say(f"{head}: {left[case.name]}")
            continue
        done(result)
        say(f"{head}: {_summary(result)}")
    return left


def _summary(result: Result) -> str:
    judged = [m for m in result.measures if m.met is not None]
    text = f"{len(judged) - len(result.missed)} of {len(judged)} marks met"
    if result.missed:
        text += "; missed: " + ", ".join(m.title for m in result.missed)
    return text
