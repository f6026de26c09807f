"""What a city or a run holds, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenarios import screen
from scenarios.compare import indicator_values
from scenarios.runs import MANIFEST, RunInfo, open_runs
from scenarios.schema import BASE
from twin.city.opening import open_city
from twin.system import indicators

UNITS = {
    "street_km": "km", "lane_km": "km", "floor_area_m2": "m²", "terrain_step_m": "m",
}  # fmt: skip


def show(what: str) -> None:
    """Print what a city or a run holds.

    Raises
    ------
    TwinError
        If it is neither.
    """
    folder = Path(what)
    if (folder / MANIFEST).is_file() or (folder / BASE / MANIFEST).is_file():
        _show_runs(open_runs(folder))
        return
    city = open_city(what, say=screen.say)
    city_table(city.summary())


def city_table(summary: dict[str, Any]) -> None:
    """Print what a city holds."""
    rows = []
    for key, value in summary.items():
        unit = UNITS.get(key, "")
        name = key.removesuffix("_km").removesuffix("_m2").removesuffix("_m").replace("_", " ")
        if isinstance(value, dict):
            rows += [(f"  {name.split(' by')[0]}: {k}", _text(v), "") for k, v in value.items()]
        elif value is not None and not isinstance(value, list):
            rows.append((name, _text(value), unit))
    screen.table(f"City {summary['name']}", ("", "value", "unit"), rows)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _show_runs(found: list[RunInfo]) -> None:
    """Print the means of each run's indicators."""
    known = indicators()
    first = found[0]
    period = first.manifest["period"]
    means = {run.name: indicator_values(run, run.seeds).mean() for run in found if run.seeds}
    rows = []
    for name, meta in known.items():
        values = [means[r.name].get(name, float("nan")) for r in found if r.name in means]
        cells = [screen.number(float(v), meta.digits) for v in values]
        if any(cell != "–" for cell in cells):
            rows.append((meta.title, meta.unit, *cells))
    titles = [f"{r.title} ({len(r.seeds)})" for r in found if r.name in means]
    head = f"{first.manifest.get('scenario')}: {period.get('begin')} to {period.get('end')}, means"
    screen.table(head, ("Indicator", "unit", *titles), rows)
    for run in found:
        for measure in run.manifest.get("measures", []):
            screen.say(f"{run.title}: {measure.get('describe')}")
