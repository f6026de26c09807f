"""A grid of streets with a signal at every crossing, as large as one likes, and traffic on it.

Streets are 80 to 220 m long, 150 m on average, one lane each way at 50 km/h.  Two phases of
30 s and 3 s of yellow, at random offsets; left turns yield and wait inside the junction.
Vehicles wander: at every crossing each way is as likely as the others.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import shapely

from twin.traffic.network import Network
from twin.traffic.state import Vehicles

SPEED_M_S = 50 / 3.6
GREEN_S, YELLOW_S = 30.0, 3.0
TURNS = ((0, 20.0, 13.9, 0.0), (1, 12.0, 6.0, 0.0), (3, 18.0, 7.0, 8.0))  # straight, right, left
# quarter turns to the right, m inside the junction, m/s, m to the waiting place


def grid_network(side: int, seed: int = 1) -> Network:
    """Network of side x side crossings."""
    rng = np.random.default_rng(seed)
    node = np.arange(side * side).reshape(side, side)
    pairs = [(node[:, :-1], node[:, 1:], 0), (node[:-1], node[1:], 1)]
    ends = [(a.ravel(), b.ravel(), np.full(a.size, d)) for a, b, d in pairs]
    ends += [(b, a, d + 2) for a, b, d in ends]
    start, end, heading = (np.concatenate(part) for part in zip(*ends, strict=True))
    order = np.lexsort((heading, start))
    start, end, heading = start[order], end[order], heading[order]
    metres = rng.uniform(80.0, 220.0, (side * side, 2))
    length = metres[np.minimum(start, end), heading % 2]
    streets = pd.DataFrame(
        {"id": [f"s{k}" for k in range(len(start))], "length_m": length, "speed_m_s": SPEED_M_S}
    )
    lanes = pd.DataFrame(
        {"street": np.arange(len(start)), "length_m": length, "speed_m_s": SPEED_M_S}
    ).assign(cars=True, lorries=True, buses=True)
    leaving = np.full((side * side, 4), -1)
    leaving[start, heading] = np.arange(len(start))
    movements = _movements(leaving, end, heading)
    city: Any = SimpleNamespace(
        name=f"grid of {side} x {side}",
        streets=streets,
        lanes=lanes,
        movements=movements.drop(columns=["heading", "turn"]),
        conflicts=_conflicts(movements),
        signals=_signals(movements, rng.integers(0, 66, side * side)),
    )
    return Network.from_city(city)


def _movements(leaving: Any, end: Any, heading: Any) -> pd.DataFrame:
    parts = []
    for turn, inside_m, speed, wait_m in TURNS:
        to = leaving[end, (heading + turn) % 4]
        street = np.flatnonzero(to >= 0)
        part = pd.DataFrame({"street": street, "to_street": to[street], "turn": turn})
        parts.append(part.assign(length_m=inside_m, speed_m_s=speed, wait_m=wait_m))
    m = pd.concat(parts, ignore_index=True)
    m["signal"], m["heading"] = end[m["street"]], heading[m["street"]]
    m = m.sort_values(["signal", "heading", "turn"], ignore_index=True)
    m["link"] = m.groupby("signal").cumcount()
    m["lane"], m["to_lane"], m["right_of_way"] = m["street"], m["to_street"], "M"
    angle = np.pi / 2 * (m["heading"] + m["turn"].replace({3: -1}) / 2).to_numpy()
    way = np.zeros((len(m), 2, 2))
    way[:, 1] = m["length_m"].to_numpy()[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    m["geometry"] = shapely.linestrings(way)
    return m


def _conflicts(m: pd.DataFrame) -> pd.DataFrame:
    """Left turns yield to who comes from the other side and does not turn left."""
    own = m.reset_index(names="movement")
    left = own[own["turn"] == 3].assign(heading=lambda row: (row["heading"] + 2) % 4)
    foes = own[own["turn"] != 3].rename(columns={"movement": "foe"})
    pairs = left.merge(foes, on=["signal", "heading"])
    return pairs[["movement", "foe"]].assign(yields=True)


def _signals(m: pd.DataFrame, offset: Any) -> pd.DataFrame:
    rows = []
    along = (m["heading"] % 2).to_numpy()
    green = np.where(m["turn"] == 3, "g", "G")
    for s, at in m.groupby("signal").indices.items():
        for phase in range(4):
            shown = "y" if phase % 2 else green[at]
            state = "".join(np.where(along[at] == phase // 2, shown, "r"))
            duration = YELLOW_S if phase % 2 else GREEN_S
            rows.append((s, f"c{s}", phase, duration, state, float(offset[s])))
    names = ["signal", "id", "phase", "duration_s", "state", "offset_s"]
    return pd.DataFrame(rows, columns=names)


def wandering(network: Network, n: int, streets: int = 24, seed: int = 2) -> Vehicles:
    """Vehicles due within 30 s that drive over so many streets."""
    rng = np.random.default_rng(seed)
    first = np.searchsorted(network.turns[:, 0], np.arange(network.n_streets + 1))
    route = np.empty((n, streets), np.int32)
    route[:, 0] = rng.integers(0, network.n_streets, n)
    for k in range(1, streets):
        before = route[:, k - 1]
        choices = first[before + 1] - first[before]
        route[:, k] = network.turns[first[before] + (rng.random(n) * choices).astype(int), 1]
    return Vehicles(
        due_s=rng.uniform(0.0, 30.0, n),
        kind=np.zeros(n, np.uint8),
        route_ptr=np.arange(n + 1, dtype=np.int64) * streets,
        route_street=route.reshape(-1),
        factor=np.clip(rng.normal(1.0, 0.1, n), 0.7, 1.3).astype(np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )
