"""Plots are well formed and say what their numbers say."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd

from viz import plots
from viz.plots import Interval
from viz.trips import under_way

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_clear_interval_has_a_filled_dot_and_an_unclear_one_a_hollow_one() -> None:
    rows = [
        Interval("Delay <i>", -5.0, -8.0, -2.0, "better", "better"),
        Interval("Speed", 1.0, -2.0, 4.0, "unclear", "no clear difference"),
    ]
    svg = plots.interval_plot(rows, title="A", label="difference [%]")
    dots = list(ET.fromstring(svg).iter(f"{SVG}circle"))
    assert [d.attrib["fill"] == d.attrib["stroke"] for d in dots] == [True, False]
    assert float(dots[0].attrib["cx"]) < float(dots[1].attrib["cx"])
    assert {"Delay <i>", "better", "no clear difference", "difference [%]"} <= set(texts(svg))


def test_a_distribution_names_medians_and_leaves_out_what_is_missing() -> None:
    svg = plots.distribution_plot(
        {"base": [1.0, 2.0, 3.0, np.nan], "none": []}, title="Duration", unit="min"
    )
    assert "base (median 2 min)" in texts(svg)
    assert "none (no values)" in texts(svg)


def test_plots_of_nothing_say_so() -> None:
    for svg in (
        plots.interval_plot([], title="A", label="%"),
        plots.distribution_plot({"a": []}, title="A", unit="s"),
        plots.line_plot({}, title="A", x_label="x", y_label="y"),
        plots.timeline_plot([], title="A"),
    ):
        assert texts(svg) == ["no values"]


def test_lines_of_many_runs_all_look_different() -> None:
    drawn = plots.line_plot(
        {f"run {k}": ([0.0, 1.0], [k, k + 1.0]) for k in range(26)},
        title="A", x_label="x", y_label="y",
    )  # fmt: skip
    lines = [
        e.attrib for e in ET.fromstring(drawn).iter(f"{SVG}path") if "stroke-width" in e.attrib
    ]
    styles = [(e["stroke"], e.get("stroke-dasharray", "")) for e in lines if e["stroke"][0] == "#"]
    series, key = styles[:26], styles[26:]
    assert len(set(series)) == 26
    assert key == series
    assert [s for s in series if not s[1]] == series[:1]  # the base alone is solid


def test_times_past_midnight_are_of_the_day_after() -> None:
    svg = plots.timeline_plot([("night", [(75_600.0, "begin"), (97_200.0, "end")])], title="A")
    assert "00:00 +1" in texts(svg)


def test_vehicles_under_way_are_those_departed_less_those_arrived() -> None:
    trips = pd.DataFrame({"depart_s": [0.0, 10.0, np.nan], "arrival_s": [20.0, np.nan, np.nan]})
    times, count = under_way(trips, replications=1, points=3)
    assert times.tolist() == [0.0, 10.0, 20.0]
    assert count.tolist() == [1.0, 2.0, 1.0]
