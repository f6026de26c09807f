"""The report's figures of one comparison: intervals, trips, maps, events, equilibrium."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

from scenarios.by_group import MOST
from scenarios.report_words import (
    effect,
    event_text,
    figure_title,
    indicator_title,
    layer_title,
    measures_told,
    records,
    table_row,
    texts,
    unit_text,
)
from twin import times
from twin.system import Layer, Tradeoff, indicators, layers, systems
from viz import maps, plots
from viz.palette import Scale, number
from viz.trips import under_way

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from scenarios.compare import Comparison
    from scenarios.runs import RunInfo
    from viz.maps import MapBase

TOP_STREETS = 10
LISTED_EVENTS = 24
UNDONE_EVENTS = ("not_begun",)
SURE = 0.05  # false discovery rate of streets on a map


def intervals(rows: pd.DataFrame, title: str) -> str:
    """Return the interval plot of an alternative's indicators."""
    shown = []
    for row in records(rows):
        found = effect(row)
        if found in {"same", "missing"}:
            continue
        drawn = found if found in {"better", "worse", "changed"} else "unclear"
        low, high = (
            (row["percent_low"], row["percent_high"]) if found != "single" else (float("nan"),) * 2
        )
        shown.append(
            plots.Interval(
                indicator_title(row), float(row["percent"]), float(low), float(high),
                cast("plots.Effect", drawn), table_row(row)["short"],
            )
        )  # fmt: skip
    label = texts()["plot"]["difference"]
    return plots.interval_plot(shown, title=title, label=label)


def trip_figures(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the distribution of trip durations and the vehicles under way over the day."""
    import pandas as pd

    t = texts()
    durations, courses, arrived = {}, {}, []
    begin_s = times.seconds(str(comparison.base.manifest["period"]["begin"]))
    for run in (comparison.base, *comparison.alternatives):
        columns = ["due_s", "depart_s", "arrival_s", "duration_s"]
        parts = list(itertools.islice(comparison.each(run.name, "trips", columns), MOST))
        if not parts:
            return []  # traffic was off
        trips = pd.concat(parts, ignore_index=True)
        courses[run.title] = under_way(trips, len(parts))
        trips = trips[trips["due_s"] >= begin_s]
        done = trips["arrival_s"].notna()
        durations[run.title] = trips.loc[done, "duration_s"].to_numpy(float) / 60.0
        share = 100.0 * float(done.mean()) if len(trips) else 0.0
        arrived.append(f"{run.title} {number(share, 1)}\u202f%")
    title, unit = t["plot"]["duration"], t["plot"]["duration_unit"]
    spread = plots.distribution_plot(durations, title=title, unit=unit)
    course = plots.line_plot(
        courses, title=t["plot"]["under_way"], x_label=t["plot"]["clock"],
        y_label=t["plot"]["under_way_y"], clock=True, height=260.0,
    )  # fmt: skip
    shares = ", ".join(arrived)
    return [
        {"title": title, "svg": spread,
         "source": t["source"]["duration"].format(arrived=shares)},
        {"title": t["plot"]["under_way"], "svg": course,
         "source": t["source"]["under_way"]},
    ]  # fmt: skip


def system_figures(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the courses and the trade-offs that systems bring, where their tables are there."""
    runs = (comparison.base, *comparison.alternatives)
    found = [_tradeoff(comparison, t) for system in systems().values() for t in system.tradeoffs]
    for course in (course for system in systems().values() for course in system.courses):
        tables = {run.title: comparison.rows(run.name, course.table) for run in runs}
        means = {
            title: table.groupby(course.x)[course.y].mean()
            for title, table in tables.items()
            if table is not None
        }
        if len(means) < len(runs):
            continue
        drawn = plots.line_plot(
            {title: (mean.index.to_numpy(float), mean.to_numpy(float))
             for title, mean in means.items()},
            title=figure_title(course.title), x_label=unit_text(course.x_label),
            y_label=figure_title(course.y_label), height=260.0,
        )  # fmt: skip
        source = texts()["source"]["course"].format(table=course.table)
        found.append({"title": figure_title(course.title), "svg": drawn, "source": source})
    return [figure for figure in found if figure is not None]


def _tradeoff(comparison: Comparison, tradeoff: Tradeoff) -> dict[str, Any] | None:
    """Return the runs as points over two indicators, where two of them differ in the first."""
    known = indicators()
    x, y = known[tradeoff.x], known[tradeoff.y]
    runs = (comparison.base, *comparison.alternatives)
    means = {run.title: comparison.means(run.name) for run in runs}
    points = {
        title: (values[x.name], values[y.name])
        for title, values in means.items()
        if x.name in values and y.name in values
    }
    if len(points) < len(runs) or len({a for a, _ in points.values()}) < 2:
        return None
    title = figure_title(tradeoff.title)
    x_label, y_label = (
        f"{indicator_title({'indicator': i.name, 'title': i.title})}, {unit_text(i.unit)}"
        for i in (x, y)
    )
    drawn = plots.point_plot(
        points, title=title, x_label=x_label, y_label=y_label, height=320.0,
    )  # fmt: skip
    source = texts()["source"]["tradeoff"].format(x=x.name, y=y.name)
    return {"title": title, "svg": drawn, "source": source}


def map_figures(
    comparison: Comparison, base: MapBase, chosen: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return a map of differences per layer and alternative; one scale per layer."""
    found: list[dict[str, Any]] = []
    for layer in layers().values():
        if layer.shown != "difference":
            if chosen is None or layer.name in chosen:
                found.extend(_absolute_maps(comparison, base, layer))
            continue
        if chosen is not None and layer.name not in chosen:
            continue
        for part, unit in (("diff", unit_text(layer.unit)), ("percent", "%")):
            column = f"{part}_{layer.name}"
            if column not in comparison.streets:
                continue
            values = _told(comparison.streets, column, layer)
            if not values.abs().gt(0.0).any():
                continue
            ends = Scale.of(values, diverging=True)
            scale = Scale(ends.low, ends.high, diverging=True, flipped=layer.better == "higher")
            drawn = (
                _map(comparison, base, layer, (part, unit), r, scale)
                for r in comparison.alternatives
            )
            found.extend(m for m in drawn if m["svg"] or m["top"])
    return found


def _told(streets: pd.DataFrame, column: str, layer: Layer) -> pd.Series[float]:
    """Return differences, without those that chance alone could explain."""
    values = streets[column].astype(float)
    sure = f"q_{layer.name}"
    return values.where(streets[sure] <= SURE) if sure in streets else values


def _absolute_maps(comparison: Comparison, base: MapBase, layer: Layer) -> list[dict[str, Any]]:
    """Return maps of a layer itself: of the base, and of each alternative; one scale for all."""
    streets = comparison.streets
    if f"base_{layer.name}" not in streets or not len(streets):
        return []
    first = streets[streets["alternative"] == comparison.alternatives[0].name]
    shown = {comparison.base.title: first.set_index("street")[f"base_{layer.name}"]}
    if layer.shown == "each":
        for run in comparison.alternatives:
            rows = streets[streets["alternative"] == run.name].set_index("street")
            shown[run.title] = rows[layer.name]
    filled = {
        name: values.astype(float).where(values.ne(0.0) | (layer.better != "neither"))
        for name, values in shown.items()
    }
    names = {run.title: run.name for run in comparison.alternatives}
    every = [v for values in filled.values() for v in values.dropna()]
    if not every:
        return []
    flipped = layer.better == "higher"
    scale = Scale.between(float(min(every)), float(max(every)), flipped=flipped)
    t, found = texts(), []
    words = {
        "lower": (t["word"]["better"], t["word"]["worse"]),
        "higher": (t["word"]["worse"], t["word"]["better"]),
    }.get(layer.better, ("", ""))
    for name, values in filled.items():
        if not values.notna().any():
            continue
        title = t["map"]["absolute"].format(layer=layer_title(layer), run=name)
        drawn = maps.street_map(
            base,
            values,
            title=title,
            unit=unit_text(layer.unit),
            scale=scale,
            digits=1,
            standalone=False,
        )
        found.append(
            {
                "title": title,
                "unit": unit_text(layer.unit),
                "alternative": names.get(name, ""),
                "svg": drawn,
                "legend": maps.legend(scale, layer_title(layer), unit_text(layer.unit), words),
                "top": [],
                "percent": False,
                "source": t["source"]["map_of"].format(layer=layer.name, alternative=name),
            }
        )
    return found


def _map(
    comparison: Comparison,
    base: MapBase,
    layer: Layer,
    shown: tuple[str, str],
    run: RunInfo,
    scale: Scale,
) -> dict[str, Any]:
    """Return one map of differences, in the layer's unit or in per cent, with its legend.

    That in the layer's unit comes with the streets that change most.
    """
    t, (part, unit) = texts(), shown
    streets = comparison.streets
    rows = streets[streets["alternative"] == run.name].set_index("street")
    name = layer_title(layer)
    title = t["map"]["title" if part == "diff" else "percent"].format(
        layer=name, alternative=run.title, base=comparison.base.title
    )
    values = _told(rows, f"{part}_{layer.name}", layer)
    drawn = maps.street_map(
        base, values, title=title, unit=unit, scale=scale,
        diverging=True, digits=2 if part == "diff" else 0, standalone=False,
    ) if values.abs().gt(0.0).any() else ""  # fmt: skip
    words = {
        "lower": (t["map"]["less_better"], t["map"]["more_worse"]),
        "higher": (t["map"]["less_worse"], t["map"]["more_better"]),
    }.get(layer.better, (t["map"]["less"], t["map"]["more"]))
    return {
        "title": title,
        "unit": unit,
        "alternative": run.name,
        "layer": layer.name if part == "diff" else "",
        "percent": part == "percent",
        "svg": drawn,
        "legend": maps.legend(scale, name, unit, words),
        "top": _top(base, rows, layer.name) if part == "diff" else [],
        "source": t["source"]["map"].format(column=f"{part}_{layer.name}", alternative=run.name),
    }


def _top(base: MapBase, rows: pd.DataFrame, layer: str) -> list[dict[str, str]]:
    """Return the streets that change most, each once, by its strongest section."""
    difference = rows[f"diff_{layer}"].astype(float)
    seen: set[str] = set()
    top = []
    for street in difference.abs().sort_values(ascending=False, kind="stable").index:
        name = base.names[int(street)] or texts()["speech"]["nameless_id"].format(id=int(street))
        if name in seen or difference[street] == 0.0:
            continue
        seen.add(name)
        before = float(rows.loc[street, f"base_{layer}"])
        top.append(
            {"name": name, "base": number(before, 2),
             "difference": number(float(difference[street]), 2, sign=True)}
        )  # fmt: skip
        if len(top) == TOP_STREETS:
            break
    return top


def event_figure(comparison: Comparison) -> dict[str, Any] | None:
    """Return the events of the first replication of every run, as a timeline and a list.

    Of runs over years only what went wrong is listed: works have maps and tables.
    """
    import pandas as pd

    years = int(comparison.base.manifest.get("years", 0))

    timeline: list[tuple[str, list[tuple[float, str]]]] = []
    rows: list[dict[str, str]] = []
    seed = 0
    for run in (comparison.base, *comparison.alternatives):
        seeds = run.seeds
        path = run.replication(seeds[0]) / "events.parquet" if seeds else None
        if path is None or not path.is_file():
            continue
        seed = seeds[0]
        events = pd.read_parquet(path).sort_values("time_s", kind="stable")
        if years:
            events = events[events["kind"].isin(UNDONE_EVENTS)]
        told = measures_told(run.manifest)
        marks = [
            (float(e["time_s"]), told.get(str(e["text"])) or event_text(str(e["text"])))
            for e in records(events)
        ]
        if marks:
            timeline.append((run.title, marks))
        rows.extend(
            {
                "time": "" if years else plots.time_of_day(time_s),
                "alternative": run.title,
                "text": text,
            }
            for time_s, text in marks[:LISTED_EVENTS]
        )
    if not rows:
        return None
    drawn = "" if years else plots.timeline_plot(timeline, title=texts()["page"]["events"])
    source = texts()["source"]["events"].format(seed=seed)
    title = texts()["page"]["undone" if years else "events"]
    return {"title": title, "svg": drawn, "rows": rows, "source": source}


def gap_figure(
    gaps: pd.DataFrame, title: str, target: float, route_choice: str = "equilibrium"
) -> dict[str, Any]:
    """Return the course of the equilibrium gap, as a table and, of more than a day, plotted.

    Parameters
    ----------
    gaps
        Columns seed, iteration, gap (a share).
    title
        Of the chapter.
    target
        The gap that was aimed at.
    route_choice
        "equilibrium" or "c_logit", whose gap is another.
    """
    t = texts()
    percent = gaps.assign(gap=gaps["gap"].astype(float) * 100.0)
    by_day = percent.groupby("iteration")["gap"]
    summary = by_day.agg(["mean", "min", "max", "count"]).reset_index()
    days = summary["iteration"].to_numpy(float)
    said = t["equilibrium"]
    courses = {said["mean_of"]: (days, summary["mean"]), said["worst"]: (days, summary["max"])}
    if target > 0.0:
        courses[said["aimed"]] = (days, summary["mean"] * 0.0 + 100.0 * target)
    drawn = "" if len(days) < 2 else plots.line_plot(
        courses, title=t["page"]["equilibrium"], x_label=t["equilibrium"]["x"],
        y_label=t["equilibrium"]["y"],
    )  # fmt: skip
    missed, n = gaps_missed(gaps, target)
    text = t["equilibrium"][f"explain_{route_choice}"].format(
        target=f"{number(100.0 * target)}\u202f%", reached=n - missed, n=n
    )
    rows = [
        (int(r["iteration"]), *(f"{number(float(r[k]), 2)}\u202f%" for k in ("mean", "min", "max")),
         int(r["count"]))
        for r in records(summary)
    ]  # fmt: skip
    return {"title": title, "text": text, "svg": drawn, "rows": rows}


def gaps_missed(gaps: pd.DataFrame, target: float) -> tuple[int, int]:
    """Return in how many replications the last gap is above the target, and of how many."""
    last = gaps.sort_values("iteration").groupby("seed")["gap"].last()
    return int((last > target).sum()), len(last)
