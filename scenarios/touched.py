"""Which streets the measures of a run touch, from the scenario that the run keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.runs import SCENARIO, RunInfo
from twin.errors import TwinError

if TYPE_CHECKING:
    from twin.city import City
    from twin.system import Effect, Measure


def effects_of(run: RunInfo, city: City) -> list[tuple[Measure, Effect]]:
    """Return the measures of a run's own alternative with each of their effects on streets.

    None where the run keeps no scenario, or files that a measure names are gone.
    """
    from scenarios.checking import measure_lists, outlook
    from scenarios.loading import load_scenario

    if not (run.folder / SCENARIO).is_file():
        return []
    try:
        source = load_scenario(run.folder / SCENARIO)
        known = outlook(source, city)
    except (TwinError, OSError):
        return []
    found: list[tuple[Measure, Effect]] = []
    for _, measure in measure_lists(source).get(run.name, []):
        try:
            effects = measure.effects(known)
        except (TwinError, OSError):
            continue
        found += [(measure, e) for e in effects if e.touches and e.streets]
    return found
