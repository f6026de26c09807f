"""`twin check`: what a scenario will do, or what is wrong with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios.checking import Placed
    from scenarios.schema import Scenario
    from twin.city import City
    from twin.system import Outlook, Response
    from twin.traffic.demand import Demand

SHOWN = 6  # names of streets


def check(
    scenario: Annotated[
        str, typer.Argument(help="Scenario file (.yaml), or a name of 'twin library'.")
    ],
) -> None:
    """Say what a scenario will do, street by street, or which line of it is wrong.

    Nothing is simulated and nothing is written.

    Examples:

      twin check zone_30

      twin check my-scenario.yaml
    """
    from scenarios import screen
    from scenarios.library import find_scenario
    from scenarios.loading import load_scenario
    from scenarios.plan import check_scenario
    from scenarios.schema import BASE

    source = load_scenario(find_scenario(scenario))
    run, lists, demand = check_scenario(source, screen.say)
    said, period = source.scenario, source.scenario.period
    screen.say(f"{said.name}: {run.city.name}, {period.day}, {period.begin} to {period.end}")
    screen.say(f"{len(lists)} runs, {said.replications} replications each")
    if demand is not None:
        screen.say(_of_matrices(demand, said))
    for name, placed in lists.items():
        stated = next((a.response for a in said.alternatives if a.name == name), None)
        screen.say("")
        screen.say(name if placed else f"{name}: nothing changes")
        for line in _told(placed, stated, run):
            screen.say(line, indent=2)
        for line in _cut_off(lists[BASE], placed, run.city):
            screen.say(line, indent=2)
    screen.say("")
    screen.say("Destinations and modes of travel stay as they are.")


def _of_matrices(demand: Demand, said: Scenario) -> str:
    """Return how many trips own matrices state, and how many of them fall into the period."""
    trips = demand.expected().groupby("hour")["trips"].sum()
    begin, end = said.period.begin_s + said.period.warmup_s, said.period.end_s
    counted = sum(
        trips.get(hour % 24, 0.0) * (min(end, 3600.0 * (hour + 1)) - max(begin, 3600.0 * hour))
        for hour in range(int(begin // 3600), math.ceil(end / 3600))
    )
    many = len(said.demand.matrices)
    return (
        f"demand: {trips.sum():,.0f} trips a day, {counted / 3600.0:,.0f} of them in the period; "
        f"{many} {'matrix' if many == 1 else 'matrices'} between {len(demand.zones)} zones"
    )


def _told(placed: list[Placed], stated: Response | None, run: Outlook) -> Iterator[str]:
    """Return what measures do: in words, how drivers respond, and on which streets."""
    from scenarios.responses import responses

    words = {
        "none": "drivers go on as before",
        "en_route": "drivers respond on their way",
        "equilibrium": "drivers learn to live with it",
    }
    each = responses([p.measure for p in placed], run, stated).each
    for one, response in zip(placed, each, strict=True):
        quiet = one.measure.over_years
        yield one.measure.describe() + ("" if quiet else f"; {words[response]}")
        streets = sorted({s for e in one.effects if e.touches for s in e.streets or ()})
        keys = sorted({key for e in one.effects for key in e.keys})
        if streets:
            yield f"  {_touched(run.city, streets)}"
        if keys:
            more = f", … {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
            yield f"  {len(keys)}: {', '.join(keys[:SHOWN])}{more}"


def _cut_off(base: list[Placed], own: list[Placed], city: City) -> Iterator[str]:
    """Return which streets nobody can reach or leave by car any more, at any time."""
    if not any(e.closes for p in own for e in p.effects):
        return
    import numpy as np

    from twin.traffic.routing import RoadGraph

    closed = np.zeros(len(city.streets), bool)
    for effect in (e for p in (*base, *own) for e in p.effects):
        if effect.closes is not None:
            closed[list(effect.streets or ())] = effect.closes
    streets = np.flatnonzero(RoadGraph.from_city(city).cut_off(closed))
    if len(streets):
        yield "cut off: on this map cars have no other way to or from"
        yield f"  {_touched(city, [int(s) for s in streets])}"


def _touched(city: City, streets: list[int]) -> str:
    """Return how many sections, their length, and their names."""
    table = city.streets.iloc[streets]
    length = table.groupby("name")["length_m"].sum().sort_values(ascending=False)
    names = [f"{name or '(no name)'} {metres:,.0f} m" for name, metres in length.items()]
    more = f", … {len(names) - SHOWN} more names" if len(names) > SHOWN else ""
    km = float(table["length_m"].sum()) / 1000.0
    sections = "1 section" if len(streets) == 1 else f"{len(streets):,} sections"
    return f"{sections}, {km:,.2f} km: {', '.join(names[:SHOWN])}{more}"


def library() -> None:
    """List the scenarios that come with the twin; copy one to begin with your own.

    Examples:

      twin library

      twin run zone_30 -o results
    """
    from scenarios import screen
    from scenarios.library import known

    rows = [(path.stem, _first_line(path)) for path in known()]
    screen.table("Scenarios of the library", ("Name", "What it asks"), rows)


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()
