"""Signals: a bar across each lane at its stop line, a part of it for every way onward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from viz.mesh import Mesh
    from viz.scene.ground import Ground
    from viz.scene.roads import Lines

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]

# Bluish green, yellow and vermilion of Okabe and Ito (2008), which colour-blind people tell apart.
COLOURS = {"green": "#009e73", "yellow": "#f0c800", "red": "#d5402b", "off": "#8a8a86"}
BAR_M = 0.8
BEYOND_M = 0.5  # the lane's end, where the first one in a queue stands


@dataclass(frozen=True)
class StopBars:
    """Bars at stop lines, one for each link of a signal from each lane.

    Attributes
    ----------
    a, b
        (n, 2) ends of the bar across the lane, in scene coordinates.
    signal, link
        (n,) as in `city.movements`.
    movement
        (n,) row in `city.movements`.
    """

    a: Floats
    b: Floats
    signal: Rows
    link: Rows
    movement: Rows


def stop_bars(city: City, lanes: Lines) -> StopBars:
    """Return the bars of all signals; ways onward share a lane's width from right to left."""
    moves = city.movements[city.movements["signal"] >= 0]
    moves = moves.drop_duplicates(["lane", "signal", "link"]).sort_values(["lane", "link"])
    lane = moves["lane"].to_numpy()
    count = np.bincount(lane, minlength=len(lanes.width))[lane]
    place = np.arange(len(lane)) - np.searchsorted(lane, lane)
    end, step = lanes.along(lane, lanes.lengths()[lane])
    middle = end + BEYOND_M * step
    right = np.column_stack([step[:, 1], -step[:, 0]])
    width = lanes.width[lane] - 0.3
    begins = (0.5 - place / count) * width
    ends = (0.5 - (place + 1) / count) * width
    return StopBars(
        middle + right * begins[:, None],
        middle + right * (ends + 0.08)[:, None],
        moves["signal"].to_numpy(),
        moves["link"].to_numpy(),
        moves.index.to_numpy(),
    )


def bar_mesh(bars: StopBars, ground: Ground, colours: npt.NDArray[np.uint8]) -> Mesh:
    """Return the bars in their colours (n, 3), lying on the ground."""
    from viz.scene.roads import Lines

    n = len(bars.signal)
    xy = np.stack([bars.a, bars.b], axis=1).reshape(-1, 2)
    lines = Lines(xy, np.repeat(np.arange(n), 2), np.full(n, BAR_M), np.arange(n))
    return lines.mesh(ground, 0.0, colours)


def programmed(city: City, bars: StopBars, time_s: float) -> list[str]:
    """Return what bars show at a second of the day by fixed programs, as keys of `COLOURS`."""
    table = city.signals
    shown = np.full(int(table["signal"].max()) + 1 if len(table) else 0, -1, np.intp)
    for signal, rows in table.groupby("signal"):
        ends = rows["duration_s"].cumsum().to_numpy()
        if ends[-1] > 0.0:
            at = (time_s - float(rows["offset_s"].iloc[0])) % ends[-1]
            shown[int(str(signal))] = rows.index[int(np.searchsorted(ends, at, "right"))]
    states = table["state"].to_numpy()
    return [
        state_colour(states[shown[s]][k]) if shown[s] >= 0 else "off"
        for s, k in zip(bars.signal.tolist(), bars.link.tolist(), strict=True)
    ]


def recorded(bars: StopBars, lights: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the colours (n, rgb) of bars, by what is shown to each movement.

    `lights` is what `Trajectories.lights_at` returns.
    """
    of_code = [COLOURS[name] for name in ("red", "yellow", "green", "green", "off", "red")]
    table = np.stack([rgb(colour) for colour in of_code])
    shown: npt.NDArray[np.uint8] = table[lights[bars.movement]]
    return shown


def state_colour(letter: str) -> str:
    """Return the light of a letter in a signal program, as SUMO writes them."""
    if letter in "Gg":
        return "green"
    if letter in "yYu":
        return "yellow"
    return "off" if letter in "oO" else "red"
