"""Time that vehicles of lines spend at stops, which is no delay at the junction behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.traffic.network import Network
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]


def dwelling_s(network: Network, state: State) -> F8:
    """[intervals, turns] seconds at stops on the street before a turn, braking and starting too.

    The time that a vehicle stood so far is shared alike among the stops that it made, and
    that of a turn among intervals as its vehicles are.
    """
    out = np.zeros(state.turn_count.shape)
    v = state.vehicle
    made = v["stop"] - np.append(0, v["stop_end"][:-1])
    mine = np.flatnonzero(made > 0)
    if not len(mine):
        return out
    stopping = network.arrays.type["stopping"][v["type"][mine]]
    each_s = (v["stood"][mine] / made[mine] + stopping) / network.arrays.tps
    vehicle = np.repeat(mine, made[mine])
    at = np.arange(len(vehicle)) - np.repeat(np.cumsum(made[mine]) - made[mine], made[mine])
    stop = np.append(0, v["stop_end"][:-1])[vehicle] + at
    turn = _turn_behind(network, state, vehicle, state.stop["street"][stop])
    known = turn >= 0
    total = np.bincount(
        turn[known], np.repeat(each_s, made[mine])[known], len(network.turns)
    )  # fmt: skip
    count = state.turn_count
    return np.asarray(count * (total / np.maximum(count.sum(0), 1)))


def _turn_behind(
    network: Network, state: State, vehicle: npt.NDArray[np.int64], street: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Turn that each vehicle takes from a street of its way, or -1 where its way ends there."""
    v, n_s = state.vehicle, network.n_streets
    who = np.unique(vehicle)
    count = (v["route_end"][who] - v["route"][who] - 1).astype(np.int64)
    at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at += np.repeat(v["route"][who].astype(np.int64), count)
    keys = np.repeat(who, count) * n_s + state.route_street[at]
    order = np.argsort(keys, kind="stable")
    wanted = vehicle * n_s + street
    place = np.minimum(np.searchsorted(keys[order], wanted), max(0, len(keys) - 1))
    if not len(keys):
        return np.full(len(vehicle), -1)
    found = order[place]
    turn = network.turn_of(state.route_street[at[found]], state.route_street[at[found] + 1])
    return np.where(keys[found] == wanted, turn, -1)
