"""What a city or a run holds, as tables and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios import screen
from scenarios.compare import indicator_values, layer_means
from scenarios.runs import MANIFEST, RunInfo, open_runs
from scenarios.schema import BASE
from twin.city.opening import open_city
from twin.system import indicators, layers

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "street_km": "km", "lane_km": "km", "floor_area_m2": "m²", "terrain_step_m": "m",
}  # fmt: skip


def show(what: str, picture: Path | None) -> None:
    """Print what a city or a run holds, and draw it.

    Raises
    ------
    TwinError
        If it is neither, or the picture cannot be written.
    """
    folder = Path(what)
    if (folder / MANIFEST).is_file() or (folder / BASE / MANIFEST).is_file():
        _show_runs(open_runs(folder), picture)
        return
    city = open_city(what, say=screen.say)
    city_table(city.summary())
    if picture is not None:
        from viz.scene import save_picture

        screen.say(f"Picture: {save_picture(city, picture)}")


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


def _show_runs(found: list[RunInfo], picture: Path | None) -> None:
    """Print the means of each run's indicators; draw the first map layer of the first run."""
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
    if picture is not None:
        _draw(first, picture)


def _draw(run: RunInfo, picture: Path) -> None:
    from twin.city import City
    from viz.scene import save_picture

    city = City.load(run.city_folder)
    values: pd.Series[float] | None = None
    for layer in layers().values():
        values = layer_means(run, run.seeds, layer)
        if values is not None:
            title = f"{run.title}: {layer.title}"
            save_picture(city, picture, values=values, title=title, legend=layer.title,
                         unit=layer.unit)  # fmt: skip
            break
    else:
        save_picture(city, picture)
    screen.say(f"Picture: {picture}")
