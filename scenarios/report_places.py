"""The report's figures of people and places: who wins and loses, junctions, trips, the hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios import by_group
from scenarios.report_words import percent, records, texts
from scenarios.runs import ZONES
from twin import times
from viz import maps, plots
from viz.palette import Scale, number

if TYPE_CHECKING:
    import pandas as pd

    from scenarios.compare import Comparison
    from scenarios.runs import RunInfo
    from twin.city import City
    from viz.maps import MapBase

    Trips = dict[str, pd.DataFrame | None]  # pairs of trips by alternative

JUNCTIONS = 12  # of the table, those that change most
FEW_TRIPS = 5.0  # of a zone and replication, below which its mean says nothing
GROUPS = ("work", "education", "shopping", "leisure", "home", "business", "freight", "through",
          "line", "from beyond the map", "event", "stated")  # fmt: skip


def trip_pairs(comparison: Comparison) -> Trips:
    """Return the pairs of trips of each alternative."""
    begin_s = times.seconds(str(comparison.base.manifest["period"]["begin"]))
    return {
        run.name: by_group.trip_pairs(comparison, run.name, begin_s)
        for run in comparison.alternatives
    }


def won_and_lost(comparison: Comparison, made: Trips) -> dict[str, Any] | None:
    """Return who wins and who loses: shares of trips, and groups of travellers, by alternative."""
    t = texts()["people"]
    found = []
    for run in comparison.alternatives:
        trips = made[run.name]
        groups = by_group.differences(
            comparison, run.name, "groups", ["group"], ["duration_s", "delay_s", "trips"]
        )
        if trips is None or groups is None or not len(trips):
            continue
        shorter, longer = by_group.won_and_lost(trips)
        said = t["shares"].format(
            alternative=run.title,
            shorter=_share(shorter),
            longer=_share(longer),
            rest=_share(100.0 - shorter - longer),
        )
        found.append(
            {
                "title": run.title,
                "text": said,
                "rows": _groups(groups, open_=_open(comparison, run)),
            }
        )
    return {"alternatives": found, "source": t["source"]} if found else None


def _open(comparison: Comparison, run: RunInfo) -> bool:
    """Return whether drivers have not learnt exactly enough to tell what their trips lose."""
    table = comparison.table
    rows = table[(table["alternative"] == run.name) & (table["indicator"] == "delay_per_trip_s")]
    return bool((rows["effect"] == "unresolved").any())


def _groups(table: pd.DataFrame, *, open_: bool = False) -> list[dict[str, Any]]:
    """Return groups of travellers with what their trips gain or lose.

    Where the delay of all together is `open_`, that of a group is too.
    """
    names = texts()["group"]
    rows = []
    for row in sorted(records(table), key=lambda r: _order(str(r["group"]))):
        low, high = float(row["low_delay_s"]), float(row["high_delay_s"])
        difference = float(row["diff_delay_s"])
        clear = low > 0.0 or high < 0.0
        judged = "unresolved" if open_ else "worse" if difference > 0.0 else "better"
        effect = judged if clear else "unclear"
        rows.append(
            {
                "name": names.get(str(row["group"]), str(row["group"])),
                "trips": number(float(row["base_trips"]), 0),
                "base": number(float(row["base_delay_s"]), 1),
                "difference": number(difference, 1, sign=True),
                "interval": texts()["word"]["to"].format(
                    low=number(low, 1, sign=True), high=number(high, 1, sign=True)
                ),
                "effect": effect,
                "word": texts()["word"][effect],
            }
        )
    return rows


def zone_maps(comparison: Comparison, base: MapBase, city: City) -> list[dict[str, Any]]:
    """Return a map an alternative: by how much trips of those who live in a zone get longer."""
    import geopandas as gpd

    path = comparison.base.folder.parent / ZONES
    if not path.is_file():
        return []
    zones = gpd.read_parquet(path).to_crs(city.crs)
    t = texts()["people"]
    tables = {}
    for run in comparison.alternatives:
        table = by_group.differences(
            comparison, run.name, "zones", ["zone"], ["delay_s"], chosen=_with_trips
        )
        if table is not None and len(table):
            tables[run.name] = table.set_index("zone")["diff_delay_s"].reindex(range(len(zones)))
    known = [v for values in tables.values() for v in values.dropna() if v != 0.0]
    if not known:
        return []
    scale = Scale.of(known, diverging=True)
    found = []
    for run in (r for r in comparison.alternatives if r.name in tables):
        title = t["zone_title"].format(alternative=run.title)
        drawn = maps.area_map(
            base,
            zones.geometry.to_numpy(),
            tables[run.name].to_numpy(),
            names=[str(label) for label in zones["label"]],
            title=title,
            unit="s",
            scale=scale,
            digits=1,
        )
        words = (t["win"], t["lose"])
        legend = maps.legend(scale, t["zone_legend"], "s", words)
        source = t["zone_source"].format(least=f"{FEW_TRIPS:g}")
        found.append({"title": title, "svg": drawn, "legend": legend, "source": source,
                      "unit": "s", "top": [], "percent": False})  # fmt: skip
    return found


def _with_trips(zones: pd.DataFrame) -> pd.DataFrame:
    return zones.loc[zones["trips"] >= FEW_TRIPS]


def junctions(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a table an alternative: the junctions whose delay changes most, with their grades."""
    city, t = comparison.city, texts()["junctions"]
    found = []
    for run in comparison.alternatives:
        table = by_group.differences(
            comparison, run.name, "junctions", ["junction", "control"],
            ["delay_s", "vehicles", "saturation"], chosen=by_group.of_period,
        )  # fmt: skip
        lanes = by_group.differences(
            comparison, run.name, "junctions", ["junction", "street", "turns"],
            ["queue_p95_m", "storage_m"], chosen=by_group.of_approaches,
        )  # fmt: skip
        if table is None or lanes is None or not len(table):
            continue
        busy = np.maximum(table["base_vehicles"], table["vehicles"])
        table = table.assign(weight=(table["diff_delay_s"] * busy).abs())
        chosen = table.sort_values("weight", ascending=False).head(JUNCTIONS)
        grades = by_group.grades(comparison, run.name)
        rows = [_junction(city, row, lanes, grades) for row in records(chosen)]
        found.append({"title": run.title, "rows": rows, "source": t["source"]})
    return found


def _junction(
    city: City,
    row: dict[str, Any],
    lanes: pd.DataFrame,
    grades: dict[tuple[str, int], tuple[str, str]],
) -> dict[str, Any]:
    """Return a row of the table of junctions."""
    junction = int(row["junction"])
    mine = lanes[lanes["junction"] == junction]
    over = (mine["queue_p95_m"] - mine["storage_m"]).sort_values(ascending=False)
    longest = mine.loc[over.index[0]] if len(over) else None
    queue = "–"
    if longest is not None:
        queue = texts()["junctions"]["of"].format(
            queue=number(float(longest["queue_p95_m"]), 0),
            storage=number(float(longest["storage_m"]), 0),
        )
    none = ("–", "–")
    return {
        "name": _junction_name(city, junction),
        "base": number(float(row["base_delay_s"]), 1),
        "run": number(float(row["delay_s"]), 1),
        "hbs": " → ".join(grades.get(("hbs", junction), none)),
        "hcm": " → ".join(grades.get(("hcm", junction), none)),
        "queue": queue,
        "over": longest is not None and float(over.iloc[0]) > 0.0,
        "vehicles": number(float(row["vehicles"]), 0),
    }


def _junction_name(city: City, junction: int) -> str:
    """Return the names of the streets that meet at a junction."""
    streets = city.streets
    ends = (streets["to_junction"] == junction) | (streets["from_junction"] == junction)
    names = list(dict.fromkeys(n for n in streets.loc[ends, "name"] if n))
    return " / ".join(names[:3]) or str(city.junctions["id"].iloc[junction])


def trip_scatter(comparison: Comparison, made: Trips) -> list[dict[str, Any]]:
    """Return an alternative's trips before and after, minute by minute."""
    t, found = texts()["plot"], []
    for run in comparison.alternatives:
        trips = made[run.name]
        if trips is None or not len(trips):
            continue
        title = t["scatter"].format(alternative=run.title)
        done = trips[trips["arrived"]]
        drawn = plots.density_plot(
            done["base_min"], done["min"], title=title, x_label=t["scatter_x"],
            y_label=t["scatter_y"],
        )  # fmt: skip
        source = texts()["source"]["scatter"].format(n=number(float(len(done)), 0))
        found.append({"title": title, "svg": drawn, "source": source})
    return found


def profiles(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the delay on all streets over the period, a line a run."""
    courses = {}
    for run in (comparison.base, *comparison.alternatives):
        total = _delay_by_time(comparison, run)
        if total is None:
            return []
        courses[run.title] = total
    if all(len(x) < 2 for x, _ in courses.values()):
        return []
    t = texts()
    drawn = plots.line_plot(
        courses, title=t["plot"]["profile"], x_label=t["plot"]["clock"],
        y_label=t["plot"]["profile_y"], clock=True, height=260.0,
    )  # fmt: skip
    return [{"title": t["plot"]["profile"], "svg": drawn, "source": t["source"]["profile"]}]


def _delay_by_time(comparison: Comparison, run: RunInfo) -> tuple[Any, Any] | None:
    """Middle of each interval, and vehicle hours lost an hour, mean over replications."""
    import pandas as pd

    columns = ["interval_start_s", "interval_s", "delay_h"]
    sums = []
    for k, table in enumerate(comparison.each(run.name, "streets", columns)):
        if k == by_group.MOST:
            break
        hourly = table["delay_h"] * 3600.0 / table["interval_s"]
        middle = table["interval_start_s"] + table["interval_s"] / 2.0
        sums.append(hourly.groupby(middle).sum())
    if not sums:
        return None
    mean = pd.concat(sums, axis=1).fillna(0.0).mean(axis=1).sort_index()
    return mean.index.to_numpy(float), mean.to_numpy(float)


def _order(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


def _share(value: float) -> str:
    return percent(value).lstrip("+")
