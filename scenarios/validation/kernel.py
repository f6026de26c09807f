"""The kernel's runs in the tables that SUMO's runs have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scenarios.validation.runs import INTERVAL_S, SAMPLE_S, Run
from scenarios.validation.sumo import Place

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.network import Network
    from twin.traffic.peer import PeerFlow
    from twin.traffic.records import State


def simulate(city: City, place: Place, seed: int) -> Run:
    """Run the kernel with fixed routes and a seed.

    Parameters
    ----------
    city
        The city of `place.net`.

    Raises
    ------
    InputError
        If the routes do not fit the network.
    """
    from twin.traffic.peer import load_flow
    from twin.traffic.sumo_routes import read_routes

    found = read_routes([place.routes], place.begin_s, place.end_s, seed)
    flow = load_flow(
        city, found, seed, place.net,
        begin_s=place.begin_s, end_s=place.end_s, interval_s=INTERVAL_S,
    )  # fmt: skip
    steps = _Steps(flow, place)
    for k in range(1, round(np.ceil((place.end_s - place.begin_s) / SAMPLE_S)) + 1):
        steps.advance(min(place.end_s, place.begin_s + k * SAMPLE_S))
    trips = flow.trips(steps.state)
    trips.index = pd.Index(flow.ids, dtype=object, name="id")
    return Run(
        _trip_columns(trips),
        _streets(flow.network, steps.state, place.end_s),
        pd.DataFrame(steps.course).set_index("time_s"),
        steps.intervals(),
    )


class _Steps:
    """A simulation that is looked at every 10 s."""

    def __init__(self, flow: PeerFlow, place: Place) -> None:
        self.flow, self.place = flow, place
        self.network, self.state = flow.network, flow.state
        n_links, n_lanes = len(self.state.link), len(self.state.lane)
        self._links = np.zeros((3, n_links), np.int32)
        self._lanes = np.zeros(n_lanes, np.int32)
        self.course: list[dict[str, float]] = []
        self.driven: list[tuple[float, float, float]] = [(place.begin_s, 0.0, 0.0)]
        self._spent = 0.0
        self._look(place.begin_s)

    def advance(self, until_s: float) -> None:
        from twin.traffic.kernel import advance

        net = self.network
        advance(net.arrays, net.signals, self.state, round(until_s * net.arrays.tps))
        before = self.course[-1]
        self._look(until_s)
        mean = (before["running"] + self.course[-1]["running"]) / 2
        self._spent += mean * (until_s - before["time_s"])
        passed = until_s - self.place.begin_s
        if passed % INTERVAL_S < 1e-6 or until_s >= self.place.end_s:
            metres = self.flow.trips(self.state)["route_length_m"].sum()
            self.driven.append((until_s, float(metres), self._spent))

    def _look(self, now_s: float) -> None:
        from twin.traffic.kernel import queues

        standing, moving, wait = self._links
        queues(self.network.arrays, self.state, standing, moving, self._lanes, wait)
        v = self.state.vehicle
        departed, arrived = int((v["depart"] >= 0).sum()), int((v["arrive"] >= 0).sum())
        due = int((v["due"] < now_s * self.network.arrays.tps).sum())
        self.course.append(
            {
                "time_s": now_s,
                "running": departed - arrived,
                "halting": int(standing.sum()),
                "waiting": max(0, due - departed),
                "arrived": arrived,
            }
        )

    def intervals(self) -> pd.DataFrame:
        table = np.array(self.driven)
        index = pd.Index(table[:-1, 0], name="begin_s")
        return pd.DataFrame(np.diff(table[:, 1:], axis=0), index, ["distance_m", "time_s"])


def _trip_columns(trips: pd.DataFrame) -> pd.DataFrame:
    arrived = trips["arrival_s"].notna()
    return pd.DataFrame(
        {
            "due_s": trips["due_s"],
            "depart_s": trips["depart_s"],
            "arrival_s": trips["arrival_s"],
            "duration_s": trips["duration_s"].where(arrived),
            "delay_s": trips["time_loss_s"].fillna(0.0) + trips["depart_delay_s"],
        }
    )


def _streets(network: Network, state: State, end_s: float) -> pd.DataFrame:
    """Vehicles that passed each street, and the seconds spent there, also by those still on it."""
    tps, n = network.arrays.tps, network.n_streets
    source = network.turns[:, 0]
    ticks = np.bincount(source, state.turn_sum.sum(axis=0), n) + state.exit_sum.sum(axis=0)
    count = np.bincount(source, state.turn_count.sum(axis=0), n) + state.exit_count.sum(axis=0)
    v = state.vehicle
    on = (v["depart"] >= 0) & (v["arrive"] < 0)
    street = state.route_street[v["route_at"][on]]
    ticks += np.bincount(street, round(end_s * tps) - v["entered"][on], n)
    index = pd.Index(list(network.street_ids), dtype=object, name="street")
    table = pd.DataFrame({"vehicles": count.astype(float), "seconds": ticks / tps}, index)
    return table[(table["seconds"] > 0.0) | (table["vehicles"] > 0.0)]


def city_of(net: Path) -> City:
    """Return the city of a SUMO network."""
    from twin.city import City

    return City.from_sumo(net)
