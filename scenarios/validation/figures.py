"""Pictures of a case: single trips, streets, the course of the period, flow over density."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scenarios.validation.measures import busy_streets, street_times
from scenarios.validation.runs import INTERVAL_S, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_IN, DPI, COLOURS = (9.0, 6.6), 100, 40
MOST_POINTS = 1500


@dataclass(frozen=True)
class Ink:
    """Colours of a page; SUMO's and the kernel's are Okabe and Ito's (2008)."""

    name: str
    ground: str
    text: str
    grid: str
    sumo: str
    kernel: str


INKS = (
    Ink("light", "#ffffff", "#1f2328", "#d8dee4", "#d55e00", "#0072b2"),
    Ink("dark", "#0d1117", "#e6edf3", "#30363d", "#e69f00", "#56b4e9"),
)


@dataclass(frozen=True)
class Material:
    """What the pictures of a case show.

    Attributes
    ----------
    lane_m
        Length of all lanes of the network.
    end_s, onset_s
        End of the period; when SUMO locked up first, or None.
    """

    title: str
    due: pd.Index
    sumo: Sequence[Run]
    kernel: Sequence[Run]
    lane_m: float
    end_s: float
    onset_s: float | None


def draw(material: Material, ink: Ink) -> bytes:
    """Return the four plots of a case as one PNG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.size": 9.0, "axes.titlesize": 10.0, "axes.spines.top": False,
        "axes.spines.right": False, "figure.facecolor": ink.ground, "axes.facecolor": ink.ground,
        "axes.edgecolor": ink.text, "text.color": ink.text, "axes.labelcolor": ink.text,
        "xtick.color": ink.text, "ytick.color": ink.text, "axes.grid": True,
        "grid.color": ink.grid, "grid.linewidth": 0.6, "axes.axisbelow": True,
        "legend.frameon": False, "legend.fontsize": 8.0,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=SIZE_IN, dpi=DPI, layout="constrained")
        axes = figure.subplots(2, 2).flat
        for axis, plot in zip(axes, (_trips, _streets, _course, _flow), strict=True):
            plot(axis, material, ink)
        figure.suptitle(material.title, fontsize=11)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return _png(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _png(pixels: Any) -> bytes:
    """Return a picture with few colours, which makes it small."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    few = image.quantize(COLOURS, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _diagonal(axis: Axes, ink: Ink, low: float, high: float) -> None:
    axis.plot([low, high], [low, high], color=ink.text, lw=0.8, ls="--", zorder=1)
    axis.set_xlim(low, high)
    axis.set_ylim(low, high)


def _trips(axis: Axes, m: Material, ink: Ink) -> None:
    """Duration of each trip in one run of each side over its mean over SUMO's other runs."""
    sumo = pd.concat([run.trips["duration_s"].reindex(m.due) for run in m.sumo], axis=1)
    ours = m.kernel[0].trips["duration_s"].reindex(m.due)
    mean, theirs = sumo.mean(axis=1, skipna=False), sumo.iloc[:, 0]
    others = sumo.iloc[:, 1:].mean(axis=1, skipna=False) if sumo.shape[1] > 1 else theirs
    good = np.flatnonzero((mean.notna() & ours.notna()).to_numpy())
    good = good[:: max(1, -(-len(good) // MOST_POINTS))]
    top = float(np.nanpercentile(np.append(mean, ours), 99.5)) * 1.08 if len(good) else 1.0
    axis.plot(others.iloc[good], theirs.iloc[good], "s", ms=2.2, alpha=0.5, mew=0,
              color=ink.sumo, label="SUMO, one seed over the others")  # fmt: skip
    axis.plot(mean.iloc[good], ours.iloc[good], "o", ms=2.2, alpha=0.5, mew=0,
              color=ink.kernel, label="kernel, one seed over SUMO")  # fmt: skip
    _diagonal(axis, ink, 0.0, top)
    axis.set(title="Duration of single trips", xlabel="SUMO, mean over seeds, s")
    axis.set_ylabel("one seed, s")
    axis.legend(loc="upper left", markerscale=2.5)


def _streets(axis: Axes, m: Material, ink: Ink) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    streets = busy_streets(m.sumo)
    mean = street_times(m.sumo, streets.index)
    ours = street_times(m.kernel, streets.index)
    every = np.isfinite(mean).all(axis=1) & np.isfinite(ours).all(axis=1)
    axis.set(title="Travel times of streets", xlabel="SUMO, s", ylabel="kernel, s")
    if not every.any():
        axis.text(0.5, 0.5, "no street with 10 vehicles", ha="center", transform=axis.transAxes)
        return
    x, y = mean[every].mean(axis=1), ours[every].mean(axis=1)
    size = 3.0 + 40.0 * streets.to_numpy()[every] / streets.max()
    axis.set_xscale("log")
    axis.set_yscale("log")
    low, high = max(min(x.min(), y.min()), 0.1) / 1.2, max(x.max(), y.max()) * 1.2
    for line in (axis.xaxis, axis.yaxis):
        line.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 300 * low else (1.0,)))
        line.set_major_formatter("{x:g}")
        line.set_minor_formatter(NullFormatter())
    axis.scatter(x, y, s=size, color=ink.kernel, alpha=0.5, linewidths=0)
    _diagonal(axis, ink, low, high)
    axis.text(0.98, 0.03, "area: vehicles", ha="right", fontsize=8, transform=axis.transAxes)


def _course(axis: Axes, m: Material, ink: Ink) -> None:
    for runs, colour, name in ((m.sumo, ink.sumo, "SUMO"), (m.kernel, ink.kernel, "kernel")):
        table = pd.concat([run.course["halting"] for run in runs], axis=1)
        table = table[table.index < m.end_s]
        table = table.interpolate().groupby(np.floor(table.index / 60.0) * 60.0).mean()
        hours = table.index.to_numpy(float) / 3600.0
        low, high = table.min(axis=1), table.max(axis=1)
        axis.fill_between(hours, low, high, color=colour, alpha=0.25, lw=0)
        dash = "-" if name == "kernel" else "--"
        axis.plot(hours, table.mean(axis=1), dash, color=colour, lw=1.6, label=name)
    if m.onset_s is not None:
        axis.axvline(m.onset_s / 3600.0, color=ink.text, lw=1.0, ls=":", label="SUMO locks up")
    axis.set_ylim(bottom=0)
    axis.set(title="Halting vehicles, mean and range of seeds", xlabel="time, h", ylabel="vehicles")
    axis.legend(loc="upper left")


def _flow(axis: Axes, m: Material, ink: Ink) -> None:
    for runs, colour, name, mark in (
        (m.sumo, ink.sumo, "SUMO", "s"), (m.kernel, ink.kernel, "kernel", "o"),
    ):  # fmt: skip
        table = pd.concat([run.intervals for run in runs])
        table = table[table.index + INTERVAL_S <= m.end_s]
        density = table["time_s"] / INTERVAL_S / m.lane_m * 1000.0
        flow = table["distance_m"] / INTERVAL_S / m.lane_m * 3600.0
        axis.plot(density, flow, mark, ms=4.5, alpha=0.6, mew=0, color=colour, label=name)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set(
        title="Flow over density of the network, by 5 minutes",
        xlabel="vehicles a km of lane", ylabel="vehicles an hour and lane",
    )  # fmt: skip
    axis.legend(loc="best")
