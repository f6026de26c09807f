"""What a presentation says of streets: map layers over time, and what changes on each by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.limits import FIRST, Together, scale_of
from scenarios.present_results import in_languages
from scenarios.report_words import layer_title, unit_text
from scenarios.runs import RunInfo
from scenarios.street_differences import Moments, false_discoveries, p_values
from scenarios.tables import check_starts
from twin.system import Layer, layers
from viz.palette import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd

    from twin.city import City
    from viz.presentation.pack import Pack

    Floats = npt.NDArray[np.float64]

BESIDE_M = 40.0  # from the middle of a section to the one that runs the other way
AGAINST = -0.7071  # cosine of the angle from which on a section runs the other way
FOUND = 0.05  # false discovery rate from which on a street's change is called clear
OF_STREET = ("vehicles", "lost", "speed")
"""Of a street by name: vehicles an hour on its mean section, seconds lost by one of them over all
of it, km/h."""


def pack_layers(
    pack: Pack, city: City, runs: Sequence[RunInfo], seeds: Sequence[Sequence[int]]
) -> list[dict[str, Any]]:
    """Add every registered map layer that a run has; return what the header says of them.

    A layer whose table has intervals has a row for each interval; others have one. Values are
    means over the replications `seeds` of each run. A street that a table lacks counts as 0, and
    so does every street of a run without the table. Where no layer of traffic is there, the one
    that is shown first stands first.
    """
    found = []
    together = Together(runs, len(city.streets))
    for layer in layers().values():
        grids = [_grid(city, run, own, layer) for run, own in zip(runs, seeds, strict=True)]
        known = next((g for g in grids if g is not None), None)
        if known is None:
            continue
        none = (*known[:2], np.zeros_like(known[2]))
        filled = [none if g is None else g for g in grids]
        days = [len(own) for own in seeds]
        found.append(_pack_layer(pack, layer, filled, together, days))
    first = together.first([about["name"] for about in found])
    if first != FIRST:
        found.sort(key=lambda about: about["name"] != first)
    return found


def _pack_layer(
    pack: Pack, layer: Layer, grids: Sequence[Any], together: Together, days: Sequence[int]
) -> Any:
    starts, length = grids[0][0], grids[0][1]
    values, names = [grid[2] for grid in grids], [run.name for run in together.runs]
    whole, whole_gap = together.scale(layer), together.differences(layer)
    each = np.concatenate([v.ravel() for v in values])
    scale = scale_of(layer, each) if layer.shown == "difference" else whole
    gaps = np.array([v - values[0] for v in values[1:]])
    gap = Scale.of(gaps, diverging=True) if np.nan_to_num(gaps).any() else None
    whole_gap = whole_gap or gap
    for name, value, n in zip(names, values, days, strict=True):
        pack.add(f"value.{layer.name}.{name}", value, step=_step(value, n))
    return {
        "name": layer.name,
        "title": in_languages(lambda: layer_title(layer)),
        "unit": in_languages(lambda: unit_text(layer.unit)),
        "better": layer.better,
        "starts": starts,
        "interval": length,
        "scale": _limits(scale),
        "whole": _limits(whole),
        "gap": None if gap is None else _limits(gap),
        "wholeGap": None if whole_gap is None else _limits(whole_gap),
    }


def _limits(scale: Scale) -> list[float]:
    return [float(scale.low), float(scale.high)]


def _step(values: Floats, days: int) -> float:
    """Return of what to store multiples: means of counts are exact, others to what is shown.

    The page adds up intervals and shows two decimals at most.
    """
    known = values[np.isfinite(values)] * days
    if np.abs(known - np.round(known)).max(initial=0.0) < 1e-6:
        return 1.0 / days
    top = float(np.abs(known).max(initial=0.0)) / days
    return float(max(0.004 / len(values), top / 1e9))


def _grid(
    city: City, run: RunInfo, seeds: Sequence[int], layer: Layer
) -> tuple[list[float], float, Floats] | None:
    """Return starts and length of intervals, and [intervals, streets] means; None if not there."""
    total, number, starts, length = None, 0, [], 0.0
    for seed in seeds:
        table = _table_of(run, seed, layer)
        if table is None:
            return None
        if total is None:
            if "interval_start_s" in table:
                starts = sorted(float(v) for v in table["interval_start_s"].unique())
                length = float(table["interval_s"].iloc[0]) if len(table) else 0.0
            total = np.zeros((max(1, len(starts)), len(city.streets)))
        at = np.zeros(len(table), np.intp)
        if starts:
            at = np.searchsorted(starts, table["interval_start_s"].to_numpy())
            at = np.minimum(at, len(starts) - 1)
        street, values = table["street"].to_numpy(np.intp), table[layer.column].to_numpy(float)
        np.add.at(total, (at, street), values)
        number += 1
    return None if total is None else (starts, length, total / number)


def _table_of(run: RunInfo, seed: int, layer: Layer) -> pd.DataFrame | None:
    """Return a layer's values by street in one replication; None where it has none."""
    from scenarios.replications import _arrow

    file = run.replication(seed) / f"{layer.table}.parquet"
    if not file.is_file():
        return None
    wanted = ["street", layer.column, "interval_start_s", "interval_s"]
    table: pd.DataFrame = _arrow(file, wanted).to_pandas()
    check_starts(file, table)
    return table if layer.column in table and "street" in table else None


def pack_clear(
    pack: Pack, city: City, runs: Sequence[RunInfo], tables: Mapping[str, pd.DataFrame]
) -> None:
    """Add for each layer and alternative which streets' changes over the period are clear."""
    for run in runs:
        table = tables[run.name]
        for layer in layers().values():
            if f"q_{layer.name}" in table and table[f"diff_{layer.name}"].notna().any():
                clear = np.zeros(len(city.streets), bool)
                q = table[f"q_{layer.name}"].to_numpy(float)
                clear[table["street"].to_numpy()[q < FOUND]] = True
                pack.add(f"clear.{layer.name}.{run.name}", clear)


@dataclass(frozen=True)
class Named:
    """Streets by name.

    Attributes
    ----------
    names
        Each once, in order.
    of
        [streets] position of each street's name; -1 for none.
    """

    names: list[str]
    of: npt.NDArray[np.int64]


def named(city: City) -> Named:
    """Return the names of a city's streets."""
    own = city.streets["name"].fillna("").astype(str).to_numpy()
    names = sorted({n for n in own if n}, key=str.casefold)
    number = {n: k for k, n in enumerate(names)}
    return Named(names, np.array([number.get(n, -1) for n in own], np.int64))


@dataclass(frozen=True)
class Change:
    """Of a value of every street by name: means, difference, its 95 % interval and p-value.

    Both by Student's t over pairs; NaN of fewer than two, and p where nothing differs.
    """

    base: Floats
    mean: Floats
    difference: Floats
    low: Floats
    high: Floats
    p: Floats

    def clear(self) -> npt.NDArray[np.bool_]:
        """Return which streets change beyond chance, by Benjamini and Hochberg (1995).

        Of those chance alone explains one in 20 (`FOUND`).
        """
        found: npt.NDArray[np.bool_] = false_discoveries(self.p) < FOUND
        return found


def of_names(
    city: City, names: Named, runs: Sequence[RunInfo], seeds: Sequence[Sequence[int]], hours: float
) -> dict[str, dict[str, Change]]:
    """Return by run and value (`OF_STREET`) what changes on every street by name."""
    every = {
        run.name: [_of_day(city, names, run, seed, hours) for seed in own]
        for run, own in zip(runs, seeds, strict=True)
    }
    return _changes(every, runs, seeds, OF_STREET)


def layers_of_names(
    city: City, names: Named, runs: Sequence[RunInfo], seeds: Sequence[Sequence[int]]
) -> dict[str, dict[str, Change]]:
    """Return by run and `layer.NAME` what changes on every street by name, as `of_names`.

    Layers are the registered ones that a run has, but for those of `streets`, on which `of_names`
    tells more. A value is the mean by length of the sections that a table of any run knows; one
    that the others lack is 0 there, as in `pack_layers`.
    """
    every: dict[str, list[list[Floats]]] = {
        run.name: [[] for _ in own] for run, own in zip(runs, seeds, strict=True)
    }
    kept = []
    for layer in layers().values():
        if layer.table == "streets":
            continue
        days = [
            (run, day, _table_of(run, seed, layer))
            for run, own in zip(runs, seeds, strict=True)
            for day, seed in enumerate(own)
        ]
        known = np.zeros(len(city.streets), bool)
        for _, _, table in days:
            if table is not None:
                known[table["street"].to_numpy(np.intp)] = True
        known &= names.of >= 0
        if not known.any():
            continue
        kept.append(f"layer.{layer.name}")
        for run, day, table in days:
            every[run.name][day].append(_by_name(city, names, layer, table, known))
    return _changes(every, runs, seeds, kept) if kept else {}


def _by_name(
    city: City,
    names: Named,
    layer: Layer,
    table: pd.DataFrame | None,
    known: npt.NDArray[np.bool_],
) -> Floats:
    """Return a layer's mean [names] of the known sections by length; NaN where none is known."""
    total = np.zeros(len(known))
    if table is not None:
        np.add.at(total, table["street"].to_numpy(np.intp), table[layer.column].to_numpy(float))
    length, who, n = city.streets["length_m"].to_numpy()[known], names.of[known], len(names.names)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = np.bincount(who, length * total[known], n) / np.bincount(who, length, n)
    return mean


def _changes(
    every: Mapping[str, Sequence[Sequence[Floats] | Floats]],
    runs: Sequence[RunInfo],
    seeds: Sequence[Sequence[int]],
    what: Sequence[str],
) -> dict[str, dict[str, Change]]:
    """Return by run and value how its days, [values][names], differ from the first run's."""
    base = dict(zip(seeds[0], every[runs[0].name], strict=True))
    found: dict[str, dict[str, Change]] = {}
    for run, own in zip(runs, seeds, strict=True):
        found[run.name] = {}
        for k, name in enumerate(what):
            there = np.array([base[seed][k] for seed in own if seed in base])
            here = np.array([day[k] for seed, day in zip(own, every[run.name], strict=True)
                             if seed in base])  # fmt: skip
            found[run.name][name] = _change(there, here)
    return found


def _change(base: Floats, here: Floats) -> Change:
    from scipy.special import stdtrit

    moments = Moments()
    streets = np.arange(base.shape[1])
    moments.add(streets, here - base)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(moments.m2 / (moments.n - 1.0) / moments.n)
        reach = stdtrit(np.maximum(moments.n - 1.0, 1.0), 0.975) * error
        reach = np.where(moments.n >= 2.0, reach, np.nan)
        d = moments.means()
        p = p_values(d, error, moments.n - 1.0)
        known = np.isfinite(here) & np.isfinite(base)
        count = np.maximum(known.sum(axis=0), 1)
        empty = ~known.any(axis=0)
        a = np.where(empty, np.nan, np.where(known, base, 0.0).sum(axis=0) / count)
        b = np.where(empty, np.nan, np.where(known, here, 0.0).sum(axis=0) / count)
    return Change(a, b, d, d - reach, d + reach, p)


def _of_day(city: City, names: Named, run: RunInfo, seed: int, hours: float) -> Floats:
    """Return [values, names] of one replication; NaN where nobody drove."""
    from scenarios.replications import read_table

    table = read_table(
        run.replication(seed) / "streets.parquet",
        ["street", "entered", "travel_time_s", "delay_h"],
    )
    street = table["street"].to_numpy()
    n, who = len(names.names), names.of[street]
    kept = who >= 0
    street, who, table = street[kept], who[kept], table[kept]
    length = city.streets["length_m"].to_numpy()
    entered = table["entered"].to_numpy(float)
    time = np.nan_to_num(table["travel_time_s"].to_numpy(float))
    drove = np.where(time > 0.0, entered, 0.0)
    way = np.bincount(who, entered * length[street], n)
    lost = np.bincount(who, table["delay_h"].to_numpy(float), n) * 3600.0
    moved = np.bincount(who, drove * length[street], n)
    spent = np.bincount(who, drove * time, n)
    all_named = names.of >= 0
    run_m = np.bincount(names.of[all_named], (length / (1.0 + both_ways(city)))[all_named], n)
    with np.errstate(divide="ignore", invalid="ignore"):
        vehicles = way / run_m
        each = np.where(vehicles > 0.0, lost / vehicles, np.nan)
        speed = np.where(spent > 0.0, moved / spent * 3.6, np.nan)
    return np.stack([vehicles / hours, each, speed])


def towards(city: City, names: Named) -> npt.NDArray[np.int64]:
    """Return for each street the position of a name that another has where it leads; -1 if none."""
    ends = city.streets[["from_junction", "to_junction"]].to_numpy()
    own = names.of >= 0
    low, high = np.full(len(city.junctions), len(names.names)), np.full(len(city.junctions), -1)
    for side in (0, 1):
        np.minimum.at(low, ends[own, side], names.of[own])
        np.maximum.at(high, ends[own, side], names.of[own])
    first, last = low[ends[:, 1]], high[ends[:, 1]]
    found = np.where(last != names.of, last, np.where(first != names.of, first, -1))
    return np.where(own, found, last)


def both_ways(city: City) -> npt.NDArray[np.bool_]:
    """Return whether beside a section one of the same name runs the other way.

    That is, whether the middle of it is within `BESIDE_M` of one whose direction there differs by
    more than 135 degrees: the other direction of the same axis, or a carriageway of its own.
    """
    import shapely

    lines, names = city.streets.geometry.to_numpy(), city.streets["name"].fillna("").to_numpy(str)
    half = shapely.length(lines) / 2.0
    middle = shapely.line_interpolate_point(lines, half)
    own, other = shapely.STRtree(lines).query(middle, predicate="dwithin", distance=BESIDE_M)
    kept = (own != other) & (names[own] == names[other])
    own, other = own[kept], other[kept]
    a = _direction(lines[own], half[own])
    b = _direction(lines[other], shapely.line_locate_point(lines[other], middle[own]))
    found = np.zeros(len(lines), bool)
    found[own[(a * b).sum(axis=1) < AGAINST]] = True
    return found


def _direction(lines: Any, at_m: Floats) -> Floats:
    """Return unit vectors (n, 2) along lines at so many metres from their start."""
    import shapely

    ends = [
        shapely.get_coordinates(
            shapely.line_interpolate_point(lines, np.clip(at_m + d, 0.0, shapely.length(lines)))
        )
        for d in (-1.0, 1.0)
    ]
    way = ends[1] - ends[0]
    unit: Floats = way / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None]
    return unit


def pack_names(pack: Pack, found: Mapping[str, Mapping[str, Change]]) -> None:
    """Add what changes on streets by name."""
    for run, values in found.items():
        for what, change in values.items():
            rows = [change.base, change.mean, change.difference, change.low, change.high]
            pack.add(f"my.{what}.{run}", np.stack(rows, axis=1), step=0.05)
