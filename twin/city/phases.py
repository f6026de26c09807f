"""Phases of signals built from the conflict matrix, in place of those of the program.

Lanes that may go together are joined to phases: the maximal cliques of the graph of lanes without
conflict (Bron and Kerbosch 1973, by networkx).  Besides phases in which nobody yields there are
those in which turns yield to opposing traffic, as permitted turns do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

    from twin.city.model import City

MOST = 8  # phases of a signal
OPPOSING_DEG = 120.0  # least angle between the headings of approaches that oppose each other
GREEN_S, YELLOW_S = 20.0, 3.0
TURNS = frozenset("lLrRtT")

Bools = npt.NDArray[np.bool_]


def with_built_phases(city: City) -> City:
    """The city with programs of phases that the conflict matrix allows.

    A phase serves whole lanes.  Of all maximal phases the largest are taken, at most `MOST`,
    every lane having one at least.  Signals that also serve people on foot keep their programs,
    since the matrix knows only vehicles.

    Returns
    -------
    City
        Another one; only `signals` differs.
    """
    import pandas as pd

    if not len(city.signals):
        return city
    movements = city.movements
    parts: list[pd.DataFrame] = []
    for signal, rows in city.signals.groupby("signal", sort=True):
        mine = movements[movements["signal"] == signal]
        length = len(str(rows["state"].iloc[0]))
        if set(mine["link"]) != set(range(length)):
            parts.append(rows)
            continue
        states = _states(city, mine, length)
        parts.append(_program(rows.iloc[0], states) if len(states) > 1 else rows)
    signals = pd.concat(parts, ignore_index=True).astype(city.signals.dtypes.to_dict())
    return replace(city, signals=signals)


def _states(city: City, mine: Any, length: int) -> list[str]:
    """Green states of a signal, as SUMO writes them."""
    n = len(mine)
    at = {movement: k for k, movement in enumerate(mine.index)}
    conflict, yields = np.zeros((n, n), bool), np.zeros((n, n), bool)
    table = city.conflicts
    chosen = table[table["movement"].isin(mine.index) & table["foe"].isin(mine.index)]
    for a, b, gives in zip(chosen["movement"], chosen["foe"], chosen["yields"], strict=True):
        conflict[at[a], at[b]] = True
        yields[at[a], at[b]] = bool(gives)
    conflict |= conflict.T
    permitted = _permitted(city, mine, yields)
    lanes, lane = np.unique(mine["lane"].to_numpy(), return_inverse=True)
    phases: set[frozenset[int]] = set()
    for hard in (conflict, conflict & ~(permitted | permitted.T)):
        phases |= _cliques(hard, lane.reshape(-1), len(lanes))
    states: list[str] = []
    for phase in _chosen(phases, len(lanes)):
        green = np.isin(lane.reshape(-1), list(phase))
        gives_way = (permitted & conflict & green[None]).any(axis=1) & green
        text = ["r"] * length
        for link, on, weak in zip(mine["link"], green, gives_way, strict=True):
            if on:
                text[int(link)] = "g" if weak else "G"
        if "".join(text) not in states:
            states.append("".join(text))
    return states


def _permitted(city: City, mine: Any, yields: Bools) -> Bools:
    """[movements, movements] whether the first may yield to the second at green."""
    end = np.array(
        [np.subtract(g.coords[-1], g.coords[-2])[:2] for g in city.streets.geometry], float
    )[mine["street"].to_numpy()]
    heading = np.degrees(np.arctan2(end[:, 1], end[:, 0]))
    between = np.abs((heading[:, None] - heading[None] + 180.0) % 360.0 - 180.0)
    turns = mine["direction"].isin(TURNS).to_numpy()
    both = yields & yields.T
    return np.asarray((between > OPPOSING_DEG) & turns[:, None] & yields & ~both)


def _cliques(hard: Bools, lane: npt.NDArray[np.integer], n_lanes: int) -> set[frozenset[int]]:
    """Maximal sets of lanes of which no two are in conflict."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(range(n_lanes))
    against = np.zeros((n_lanes, n_lanes), bool)
    for a, b in np.argwhere(hard):
        against[lane[a], lane[b]] = True
    free = ~(against | against.T)
    graph.add_edges_from((a, b) for a, b in np.argwhere(np.triu(free, 1)).tolist())
    return {frozenset(clique) for clique in nx.find_cliques(graph)}


def _chosen(phases: set[frozenset[int]], n_lanes: int) -> list[frozenset[int]]:
    """The largest phases, every lane having one at least."""
    ranked = sorted(phases, key=lambda phase: (-len(phase), sorted(phase)))
    found: list[frozenset[int]] = []
    left = set(range(n_lanes))
    while left:
        best = max(ranked, key=lambda phase: (len(phase & left), len(phase)))
        found.append(best)
        left -= best
    found += [phase for phase in ranked if phase not in found]
    return found[:MOST]


def _program(first: Any, states: list[str]) -> pd.DataFrame:
    """A fixed-time program: each green, and yellow for those that lose it."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for k, state in enumerate(states):
        following = states[(k + 1) % len(states)]
        ends = "".join(
            "y" if a in "gG" and b not in "gG" else a for a, b in zip(state, following, strict=True)
        )
        for text, seconds in ((state, GREEN_S), (ends, YELLOW_S)):
            if text == state and seconds == YELLOW_S:
                continue
            times = {"duration_s": seconds, "min_s": seconds, "max_s": seconds}
            rows.append(
                {**first.to_dict(), "kind": "static", "phase": len(rows), **times, "state": text}
            )
    return pd.DataFrame(rows)
