"""The page of the leaderboard: delays with intervals, who waits, and the change to SUMO."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scenarios.leaderboard import TWIN_ONLY, Board, Learner

if TYPE_CHECKING:
    import pandas as pd

DRAWS, LEVEL = 2000, 0.95


def interval(rows: pd.DataFrame, column: str, seed: int = 0) -> tuple[float, float, float]:
    """Mean, and bounds of its 95 % interval by a hierarchical bootstrap.

    Trainings are drawn with replacement, and of each of them days (Davison and Hinkley 1997,
    Bootstrap Methods and their Application, 3.8; for learning agents Agarwal et al. 2021).

    Parameters
    ----------
    rows
        With the columns `training` and `seed`.
    """
    rng = np.random.default_rng(seed)
    groups = [part[column].to_numpy(float) for _, part in rows.groupby("training")]
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        chosen = rng.integers(0, len(groups), len(groups))
        means[draw] = np.mean([_mean_of_draw(groups[g], rng) for g in chosen])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)


def _mean_of_draw(values: npt.NDArray[np.float64], rng: np.random.Generator) -> float:
    return float(values[rng.integers(0, len(values), len(values))].mean())


def page(table: pd.DataFrame, board: Board) -> str:
    """The board as Markdown: delays with intervals, then who waits, stops and CO2."""
    lines = [
        "# Leaderboard",
        "",
        "Made by `twin leaderboard`. Mean delay of a trip, s (time loss and wait to enter, trips",
        "never inserted included), under each map's own settings, RESCO's on its maps; with 95 %",
        f"intervals (hierarchical bootstrap over trainings and days). {board.days} days that no",
        f"training or choice of weights saw; agents: {board.trainings} trainings of at most",
        f"{board.steps:,} decisions"
        + (f" and {board.minutes:g} minutes each:" if board.minutes else " each:"),
        *(f"`{a.name}` {_where(a)}." for a in board.learners),
    ]
    if set(TWIN_ONLY) & set(table["policy"]):
        lines.append("`rolling_horizon` knows every trip to come: no policy of the street.")
    for engine in board.engines:
        mine = table[table["engine"] == engine]
        lines += ["", f"## Judged by {'SUMO' if engine == 'sumo' else 'the twin'}", ""]
        lines += _delays(mine, board)
        lines += ["", "Who waits, stops and emits, mean of days:", ""]
        lines += _rest(mine, board)
    if set(board.engines) == {"twin", "sumo"}:
        lines += ["", "## From the twin to SUMO", "", *_WORDS, ""]
        lines += _change(table, board)
    return "\n".join(lines) + "\n"


def _where(learner: Learner) -> str:
    """What an agent was trained on, in words."""
    if not learner.scenes:
        return f"is {learner.algorithm}, trained on the map where it is judged"
    return f"is {learner.algorithm}, one agent for all maps, trained on {', '.join(learner.scenes)}"


def _policies(table: pd.DataFrame, board: Board) -> list[str]:
    there = set(table["policy"])
    return [name for name in (*board.baselines, *(a.name for a in board.learners)) if name in there]


def _delays(table: pd.DataFrame, board: Board) -> list[str]:
    names = _policies(table, board)
    lines = [f"| map | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for place in board.maps:
        cells = []
        found = {}
        for name in names:
            rows = table[(table["map"] == place) & (table["policy"] == name)]
            found[name] = interval(rows, "delay_per_trip_s") if len(rows) else None
        known = {n: v[0] for n, v in found.items() if v is not None and n not in TWIN_ONLY}
        best = min(known, key=lambda n: known[n]) if known else ""
        for name in names:
            value = found[name]
            text = "" if value is None else f"{value[0]:.1f} ({value[1]:.1f} to {value[2]:.1f})"
            cells.append(f"**{text}**" if name == best else text)
        lines.append(f"| {place} | {' | '.join(cells)} |")
    return lines


_WORDS = (
    "Agents learn in the twin only. Mean delay in both, what the change costs, and the delay that",
    "half of the runs in SUMO do not exceed: where the mean is far above it, streets locked up on",
    "some days, since SUMO under these settings takes no vehicle out of a jam.",
)


def _change(table: pd.DataFrame, board: Board) -> list[str]:
    lines = [
        "| map | agent | twin, s | SUMO, s | change, % | SUMO, median, s |",
        "|---|---|---|---|---|---|",
    ]
    for place, learner in product(board.maps, board.learners):
        rows = table[(table["map"] == place) & (table["policy"] == learner.name)]
        delay = rows.groupby("engine")["delay_per_trip_s"]
        if rows["engine"].nunique() == 2:
            twin, sumo = delay.mean()["twin"], delay.mean()["sumo"]
            lines.append(
                f"| {place} | {learner.name} | {twin:.1f} | {sumo:.1f} "
                f"| {100.0 * (sumo / twin - 1.0):+.0f} | {delay.median()['sumo']:.1f} |"
            )
    return lines


def _rest(table: pd.DataFrame, board: Board) -> list[str]:
    heads = {
        "waiting_95_s": "95 % of waits, s",
        "waiting_99_s": "99 %, s",
        "waiting_longest_s": "longest, s",
        "stops_per_trip": "stops",
        "co2_per_trip_g": "CO2, g",
        "arrived_percent": "arrived, %",
    }
    lines = [f"| map | policy | {' | '.join(heads.values())} |", "|---|---|" + "---|" * len(heads)]
    for place, name in product(board.maps, _policies(table, board)):
        rows = table[(table["map"] == place) & (table["policy"] == name)]
        if len(rows):
            cells = " | ".join(f"{rows[column].mean():.1f}" for column in heads)
            lines.append(f"| {place} | {name} | {cells} |")
    return lines
