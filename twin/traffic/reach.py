"""Who gets how far, and who loses time: by zone, and by why and from where people drive.

How many people and jobs are within so many minutes by car is the cumulative-opportunities measure
of accessibility (Geurs and van Wee 2004, Journal of Transport Geography 12), here on the times that
the simulated traffic leaves, the mean of the period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.traffic.experience import Experience

if TYPE_CHECKING:
    from twin.traffic.demand.zones import Zones
    from twin.traffic.network import Network
    from twin.traffic.records import State
    from twin.traffic.routing import RoadGraph

F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WITHIN_MIN = (5.0, 10.0, 15.0)
KEY_MIN = 15.0
FURTHEST_S = 3600.0
OUTSIDE = "from beyond the map"


class Reach(NamedTuple):
    """How long the way from zone to zone takes, by car.

    Attributes
    ----------
    share
        [k] of the period, in which the same streets were closed; they sum to 1.
    minutes
        [k, zones, zones] mean of the period, by what was open then. Inf where it takes more than
        an hour or there is no way.
    """

    share: F8
    minutes: F8

    def near(self, within_min: float) -> F8:
        """[zones, zones] share of the period in which one zone is so near to another."""
        within = (self.minutes <= within_min).astype(float)
        return np.asarray(np.tensordot(self.share, within, axes=1))


def zone_reach(
    zones: Zones, network: Network, state: State, graph: RoadGraph, from_s: float, blocked: Bools
) -> Reach:
    """Return how long ways take from `from_s` on.

    Times are those of `twin.traffic.experience` after this one run; `blocked` says in which of its
    intervals which streets were closed, [intervals, streets].
    """
    times = Experience(network, graph).learn(state)
    counted = times.begin_s + times.interval_s * np.arange(len(times.turn_s)) >= from_s - 1e-6
    kept = counted if counted.any() else np.ones(len(times.turn_s), bool)
    turn_s, exit_s = times.turn_s[kept].mean(axis=0), times.exit_s[kept].mean(axis=0)
    weights = np.maximum(turn_s.astype(np.float64), 1e-6)
    closed, count = np.unique(blocked[kept], axis=0, return_counts=True)
    minutes = [_minutes(zones, graph, weights, exit_s, shut) for shut in closed]
    return Reach(count / count.sum(), np.stack(minutes))


def _minutes(zones: Zones, graph: RoadGraph, turn_s: F8, exit_s: F4, closed: Bools) -> F8:
    """[zones, zones] minutes without the closed streets."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n, taken = graph.n_streets, ~(closed[graph.turn_from] | closed[graph.turn_to])
    ends = graph.turn_from[taken], graph.turn_to[taken]
    matrix = csr_array((turn_s[taken], ends), shape=(n, n))
    main = zones.cars.main_street(closed)
    entered_s = np.atleast_2d(dijkstra(matrix, indices=main, limit=FURTHEST_S))[:, main]
    minutes = (entered_s + exit_s[main][None, :]) / 60.0
    np.fill_diagonal(minutes, 0.0)
    return np.asarray(minutes)


def zone_table(zones: Zones, reach: Reach, trips: pd.DataFrame, from_s: float) -> pd.DataFrame:
    """One row a zone: who lives and works there, what they reach, and what their trips lost.

    Parameters
    ----------
    trips
        Of the table of trips with their labels; those due from `from_s` on count, each for the
        zone where those live who make it.

    Returns
    -------
    zone, label, residents, jobs; people_5, jobs_5, ... within so many minutes, mean over the
    period; trips, duration_s and delay_s (means; NaN without a trip that arrived, or without a
    trip).
    """
    frame = pd.DataFrame(
        {
            "zone": np.arange(len(zones), dtype=np.int32),
            "label": list(zones.label),
            "residents": zones.residents,
            "jobs": zones.jobs,
        }
    )
    for within in WITHIN_MIN:
        near = reach.near(within)
        frame[f"people_{within:g}"] = near @ zones.residents
        frame[f"jobs_{within:g}"] = near @ zones.jobs
    mine = trips[(trips["due_s"] >= from_s) & (trips["zone"] >= 0)]
    return frame.join(_means(mine, mine["zone"]), on="zone").fillna({"trips": 0.0})


def group_table(trips: pd.DataFrame, from_s: float) -> pd.DataFrame:
    """One row a group of travellers: what they drive for, and from beyond the map.

    Returns
    -------
    group, trips, duration_s, delay_s; groups overlap, for those from beyond have purposes, too.
    """
    counted = trips[trips["due_s"] >= from_s]
    outside = counted[(counted["zone"] < 0) & (counted["vehicle_type"] != "bus")]
    purposes = _means(counted, counted["purpose"])
    both = pd.concat([purposes, _means(outside, pd.Series(OUTSIDE, index=outside.index))])
    return both.rename_axis("group").reset_index()


def reach_indicators(zones: Zones, reach: Reach) -> dict[str, float]:
    """People and jobs within 15 minutes, the mean over those who live in the city."""
    people = zones.residents
    if not people.sum() > 0.0:
        return {}
    near = reach.near(KEY_MIN)
    share = people / people.sum()
    return {
        "people_15_min": float(share @ (near @ people)),
        "jobs_15_min": float(share @ (near @ zones.jobs)),
    }


def _means(trips: pd.DataFrame, by: pd.Series[int] | pd.Series[str]) -> pd.DataFrame:
    """Number of trips, mean duration of those that arrived, and mean delay, by group."""
    done = trips["arrival_s"].notna()
    values = pd.DataFrame(
        {
            "trips": 1.0,
            "duration_s": trips["duration_s"].where(done),
            "delay_s": trips["time_loss_s"].fillna(0.0) + trips["depart_delay_s"],
        }
    )
    return values.groupby(by).agg({"trips": "sum", "duration_s": "mean", "delay_s": "mean"})
