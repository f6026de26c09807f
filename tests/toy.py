"""Small cities made by hand: the tables that the traffic model reads, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from shapely import LineString


def _fan(k: int, length_m: float) -> LineString:
    """A straight way in a direction of its own."""
    angle = 0.4 * k
    return LineString([(0.0, 0.0), (length_m * np.cos(angle), length_m * np.sin(angle))])


@dataclass
class ToyCity:
    """Collects streets, movements and signals; `build()` gives what a Network is made from."""

    streets: list[dict[str, Any]] = field(default_factory=list)
    movements: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[tuple[int, int]] = field(default_factory=list)
    phases: list[dict[str, Any]] = field(default_factory=list)

    def street(self, length_m: float, speed_m_s: float = 50 / 3.6, lanes: int = 1) -> int:
        self.streets.append({"length_m": length_m, "speed_m_s": speed_m_s, "lanes": lanes})
        return len(self.streets) - 1

    def lane(self, street: int, index: int = 0) -> int:
        return sum(s["lanes"] for s in self.streets[:street]) + index

    def turn(
        self,
        street: int,
        to_street: int,
        *,
        lane: int | None = None,
        signal: int = -1,
        link: int = -1,
        length_m: float = 0.0,
        speed_m_s: float | None = None,
        wait_m: float = 0.0,
        to_lane: int | None = None,
        right_of_way: str = "M",
    ) -> int:
        """Movements from one lane (or all) of a street; returns the last one's position."""
        lanes = range(self.streets[street]["lanes"]) if lane is None else [lane]
        for index in lanes:
            self.movements.append(
                {
                    "lane": (street, index),
                    "street": street,
                    "to_street": to_street,
                    "signal": signal,
                    "link": link,
                    "length_m": length_m,
                    "speed_m_s": speed_m_s or self.streets[street]["speed_m_s"],
                    "wait_m": wait_m,
                    "to_lane": index if to_lane is None else to_lane,
                    "direction": "s",
                    "right_of_way": right_of_way,
                }
            )
        return len(self.movements) - 1

    def yields(self, movement: int, foe: int) -> None:
        self.conflicts.append((movement, foe))

    def program(self, signal: int, *phases: tuple[Any, ...], offset_s: float = 0.0) -> None:
        """Phases as (duration, state), or (duration, state, least, most) of an actuated program."""
        actuated = any(len(phase) > 2 for phase in phases)
        for k, (duration_s, state, *range_s) in enumerate(phases):
            min_s, max_s = range_s or (duration_s, duration_s)
            self.phases.append(
                {
                    "signal": signal,
                    "id": f"s{signal}",
                    "kind": "actuated" if actuated else "static",
                    "phase": k,
                    "duration_s": duration_s,
                    "min_s": min_s,
                    "max_s": max_s,
                    "state": state,
                    "offset_s": offset_s,
                }
            )

    def build(self) -> Any:
        streets = pd.DataFrame(self.streets)
        streets["id"] = [f"e{k}" for k in range(len(streets))]
        lanes = streets.loc[np.repeat(streets.index, streets["lanes"])].copy()
        lanes["street"] = lanes.index
        lanes = lanes.drop(columns="lanes").reset_index(drop=True)
        lanes["cars"] = lanes["lorries"] = lanes["buses"] = True
        m = pd.DataFrame(
            [{**row, "lane": self.lane(*row["lane"])} for row in self.movements],
            columns=[
                "lane", "street", "to_street", "signal", "link", "length_m", "speed_m_s", "wait_m",
                "to_lane", "direction", "right_of_way",
            ],
        )  # fmt: skip
        m["geometry"] = [_fan(k, length) for k, length in enumerate(m["length_m"])]
        m["to_lane"] = [
            self.lane(street, min(lane, self.streets[street]["lanes"] - 1))
            for street, lane in zip(m["to_street"], m["to_lane"], strict=True)
        ]
        conflicts = pd.DataFrame(
            [(a, b, True) for a, b in self.conflicts], columns=["movement", "foe", "yields"]
        )
        conflicts["yields"] = conflicts["yields"].astype(bool)
        columns = [
            "signal", "id", "kind", "offset_s", "phase", "duration_s", "min_s", "max_s", "state"
        ]  # fmt: skip
        floats = dict.fromkeys(["duration_s", "min_s", "max_s"], float)
        return SimpleNamespace(
            name="toy",
            streets=streets.assign(to_junction=np.arange(len(streets))),  # each its own
            junctions=pd.DataFrame({"id": [f"j{k}" for k in range(len(streets))]}),
            lanes=lanes,
            movements=m,
            conflicts=conflicts,
            signals=pd.DataFrame(self.phases, columns=columns).astype(floats),
        )
