"""Whether the measures of a scenario can be carried out, and go together; in which lines not."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scenarios.runs import keeper
from scenarios.schema import BASE
from twin import times
from twin.errors import InputError, ScenarioError
from twin.suggest import suggestion
from twin.system import Effect, Measure, Outlook

if TYPE_CHECKING:
    from scenarios.loading import Place, Source
    from twin.city import City


class Placed(NamedTuple):
    """A measure, where the scenario writes it, and what it changes."""

    place: Place
    measure: Measure
    effects: tuple[Effect, ...]


def outlook(source: Source, city: City, files: Mapping[str, Path] | None = None) -> Outlook:
    """Return what measures may know of the runs of a scenario."""
    scenario, period = source.scenario, source.scenario.period
    midnight = dt.datetime.combine(period.day, dt.time(), tzinfo=dt.UTC)
    begin = midnight + dt.timedelta(seconds=times.seconds(period.begin))
    found: Callable[[str], Path] = (
        (lambda name: inside(source, name)) if files is None else files.__getitem__
    )
    return Outlook(city, begin, scenario.years, found, period.begin_s, period.end_s)


def inside(source: Source, name: str, where: str | None = None) -> Path:
    """Return the path of a file of the scenario's folder, which is named at `where` in it.

    For the scenario that a run keeps it is the copy that was kept with it.

    Raises
    ------
    ScenarioError
        If the name leads out of the folder, or there is no such file.
    """
    kept = keeper(source.path).get("files", {})
    start, seen = (source.folder.parent, kept[name]) if name in kept else (source.folder, name)
    folder, where = start.resolve(), where or str(source.path)
    path = (folder / seen).resolve()
    if not path.is_relative_to(folder):
        msg = (
            f"{where}: file {name!r} lies outside of the scenario's folder; "
            "copy it beside the scenario"
        )
        raise ScenarioError(msg)
    if not path.is_file():
        msg = f"{where}: no file {start / seen}; write its name as seen from here"
        raise ScenarioError(msg)
    return path


def measure_lists(source: Source) -> dict[str, list[tuple[Place, Measure]]]:
    """Return the measures of the base and of each alternative, with their places."""
    scenario = source.scenario
    found: dict[str, list[tuple[Place, Measure]]] = {
        BASE: [(("base", k), m) for k, m in enumerate(scenario.base)]
    }
    for a, alternative in enumerate(scenario.alternatives):
        found[alternative.name] = [
            (("alternatives", a, "measures", k), m) for k, m in enumerate(alternative.measures)
        ]
    return found


def check_measures(source: Source, run: Outlook) -> dict[str, list[Placed]]:
    """Return the measures of each run's own list with what they change.

    Raises
    ------
    ScenarioError
        With "FILE:LINE: " and what is wrong: a street that is not there, a measure outside of the
        period or of a system that is off, two that contradict each other, one that is missing.
    """
    lists = {
        name: [_placed(source, place, measure, run) for place, measure in measures]
        for name, measures in measure_lists(source).items()
    }
    for name, placed in lists.items():
        _check_alone(source, placed)
        _check_together(source, placed if name == BASE else [*lists[BASE], *placed], placed)
    return lists


def _placed(source: Source, place: Place, measure: Measure, run: Outlook) -> Placed:
    """Return a measure with its effects, if it can be carried out at all."""
    where = source.at(*place)
    if measure.over_years and not source.scenario.years:
        msg = (
            f"{where}: {measure.kind} works over years: write 'years: 10', or as many as are "
            "wanted, in the scenario"
        )
        raise ScenarioError(msg)
    _check_system(source, where, measure)
    try:
        measure.check(run.city)
        _check_policy(measure, source.scenario.agents)
        _check_purpose(measure, source)
        effects = measure.effects(run)
    except InputError as error:
        text = str(error)
        named = "street" if text.startswith("street ") else ""
        place_of = source.at(*place, named) if named else where
        msg = text if text.startswith(f"{source.path}:") else f"{place_of}: {text}"
        raise ScenarioError(msg) from None
    for effect in effects:
        if effect.begin_s >= run.end_s or effect.end_s <= run.begin_s:
            begin, end = (_clock(t) for t in (effect.begin_s, effect.end_s))
            msg = (
                f"{where}: {measure.kind} holds from {begin} to {end}, outside of the period from "
                f"{_clock(run.begin_s)} (warm-up) to {_clock(run.end_s)}; change one of them"
            )
            raise ScenarioError(msg)
    return Placed(place, measure, effects)


def _check_system(source: Source, where: str, measure: Measure) -> None:
    from twin.system import system_of

    wanted, system = source.scenario.systems, system_of(measure)
    if wanted is not None and system.name not in wanted:
        msg = (
            f"{where}: {measure.kind} belongs to the system {system.name}, which is off; add it "
            f"to systems: [{', '.join((*wanted, system.name))}]"
        )
        raise ScenarioError(msg)


def _check_policy(measure: Measure, agents: Mapping[str, str]) -> None:
    """Refuse a policy that is no baseline and no agent."""
    policy = getattr(measure, "policy", None)
    if policy is not None and policy not in agents and not policy.endswith(".zip"):
        from agents.registry import domain_of, resolve

        resolve(policy, domain_of(measure))


def _check_purpose(measure: Measure, source: Source) -> None:
    """Refuse a purpose that no trip of a generated demand has; matrices have names of their own."""
    purpose = getattr(measure, "purpose", None)
    if purpose is None or source.scenario.demand.zones is not None:
        return
    from twin.traffic.demand.flows import PURPOSES

    known = (*PURPOSES, "event")
    if purpose not in known:
        msg = f"no trip has the purpose {purpose!r}; {suggestion(purpose, known)}"
        raise ScenarioError(msg)


def _check_alone(source: Source, placed: Sequence[Placed]) -> None:
    """Refuse measures of one list that contradict each other."""
    for a, b in itertools.combinations(placed, 2):
        if a.measure.over_years and b.measure.kind == a.measure.kind:
            msg = (
                f"{source.at(*b.place)}: a second {b.measure.kind} in one list, beside "
                f"{source.at(*a.place)}; keep one of them"
            )
            raise ScenarioError(msg)
        pairs = itertools.product(a.effects, b.effects)
        clash = next((x for x, y in pairs if x.contradicts(y)), None)
        if clash is not None:
            msg = (
                f"{source.at(*b.place)}: {b.measure.describe()!r} contradicts "
                f"{a.measure.describe()!r} of {source.at(*a.place)} ({clash.subject}, at the same "
                "time and place); keep one of them, or change time or streets"
            )
            raise ScenarioError(msg)


def _check_together(source: Source, every: Sequence[Placed], own: Sequence[Placed]) -> None:
    """Refuse a measure without one that it needs, or beside one that it rules out."""
    named = {p.measure.name: p for p in every if p.measure.name}
    anywhere = {m.name for ms in measure_lists(source).values() for _, m in ms if m.name}
    for p in own:
        for kind, names in (("requires", p.measure.requires), ("excludes", p.measure.excludes)):
            for name in names:
                where = source.at(*p.place, kind)
                if name not in anywhere:
                    msg = (
                        f"{where}: {kind} the measure {name!r}, which no measure of the scenario "
                        f"is named; {suggestion(name, anywhere)}"
                    )
                    raise ScenarioError(msg)
                if (name in named) is not (kind == "requires"):
                    do = "add it to" if kind == "requires" else "take one out of"
                    what = "needs" if kind == "requires" else "rules out"
                    msg = (
                        f"{where}: {p.measure.describe()!r} {what} the measure {name!r}; "
                        f"{do} this list or the base"
                    )
                    raise ScenarioError(msg)


def _clock(time_s: float) -> str:
    return "the end" if time_s == float("inf") else times.text(time_s)
