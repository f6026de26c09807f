"""How much of the capacity of signals a demand needs: critical flows over saturation flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.traffic.junctions import Junctions
    from twin.traffic.network import Network
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int64]

SATURATION = 1900.0 / 3600.0  # veh/s and lane, HCM 2010
FEW = 100.0 / 3600.0  # veh/s of a movement that can yield without a phase of its own
LEAST_PHASES = 2


def link_flows(network: Network, state: State) -> F8:
    """[kernel links] vehicles a second on average over the window, as routes have them."""
    arrays, v = network.arrays, state.vehicle
    tps = arrays.tps
    span_s = max(60.0, float(v["due"].max() - v["due"].min()) / tps) if len(v) else 60.0
    entry, _ = inner_entries(state)
    turn = network.turn_of(state.route_street[entry], state.route_street[entry + 1])
    flow = np.bincount(turn, minlength=len(network.turns)) / span_s
    first = arrays.link["lane"] < network.n_lanes
    lanes = np.bincount(arrays.link["turn"][first], minlength=len(flow))
    return np.asarray(
        np.where(first, (flow / np.maximum(1, lanes))[arrays.link["turn"]], 0.0), np.float64
    )


def inner_entries(state: State) -> tuple[I8, I8]:
    """Entries of routes that another street follows, and whose they are."""
    v = state.vehicle
    count = np.maximum(0, v["route_end"].astype(np.int64) - v["route"] - 1)
    owner = np.repeat(np.arange(len(v)), count)
    begin = np.cumsum(count) - count
    return v["route"][owner] + np.arange(len(owner)) - begin[owner], owner


def loads(network: Network, junctions: Junctions, state: State) -> F8:
    """[junctions, phases] critical flow over saturation flow; NaN for phases that are not needed.

    Phases are taken one after the other, first the one that serves the most vehicles that no
    other serves yet, until all movements have a green; one in which a movement has to yield
    counts for it only where few come (`FEW`), or where there is no other.  The movements of a
    lane are added.
    """
    flow = link_flows(network, state)[np.maximum(junctions.link, 0)]
    flow = np.where(junctions.link >= 0, flow, 0.0)
    found = np.full(junctions.row.shape, np.nan)
    for j in range(len(junctions)):
        green, strong = junctions.green[j], junctions.protected[j]
        serves = strong | (green & ((flow[j] < FEW) | ~strong.any(axis=0)))
        lane = junctions.link_lane[j]
        left = (junctions.link[j] >= 0) & serves.any(axis=0) & (flow[j] > 0.0)
        while left.any() or np.isfinite(found[j]).sum() < LEAST_PHASES:
            worth = np.where(left & serves, flow[j], 0.0).sum(axis=1)
            worth += 1e-9 * serves.sum(axis=1)
            worth[(junctions.row[j] < 0) | np.isfinite(found[j])] = -1.0
            phase = int(np.argmax(worth))
            mine = left & serves[phase]
            by_lane = np.bincount(lane[mine], flow[j, mine], minlength=1)
            found[j, phase] = by_lane.max() / SATURATION
            left &= ~mine
    return found
