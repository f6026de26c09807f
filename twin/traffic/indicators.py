"""What is reported of traffic: trips, streets by interval, and the indicators over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.system import Indicator, Layer
from twin.traffic.network import Network
from twin.traffic.reliability import reliability

if TYPE_CHECKING:
    from twin.traffic.queue_lengths import Queues
    from twin.traffic.records import State
    from twin.traffic.routing import RoadGraph, TravelTimes

Bools = npt.NDArray[np.bool_]
F8 = npt.NDArray[np.float64]

INDICATORS = (
    Indicator("delay_per_trip_s", "Delay per trip", "s", "lower", 1, key=True),
    Indicator("total_delay_h", "Total delay", "veh·h", "lower", 1, key=True),
    Indicator("trip_duration_s", "Mean trip duration", "s", "lower", 1, key=True),
    Indicator("trip_duration_p95_s", "95th percentile of trip duration", "s", "lower", 1),
    Indicator("departure_delay_s", "Mean wait to enter the network", "s", "lower", 1),
    Indicator("longest_delay_s", "99th percentile of delay", "s", "lower", 0),
    Indicator("bus_delay_s", "Delay per bus", "s", "lower", 1),
    Indicator("trips", "Trips due", "veh", "neither", 0),
    Indicator("arrived_percent", "Trips that arrived in the period", "%", "higher", 2),
    Indicator("passed_jams", "Vehicles taken past a gridlock", "veh", "lower", 0),
    Indicator("cut_off", "Trips that are cut off, without any way", "veh", "lower", 0, key=True),
    Indicator("distance_km", "Distance driven", "veh·km", "neither", 0),
    Indicator("speed_kmh", "Mean speed", "km/h", "higher", 2, key=True),
    Indicator("travel_time_index", "Travel time index", "–", "lower", 2),
    Indicator("planning_time_index", "Planning time index (95th percentile)", "–", "lower", 2),
    Indicator("buffer_index_percent", "Buffer index", "%", "lower", 1),
    Indicator("junctions_hbs_e_f", "Junctions of HBS grade E or F", "count", "lower", 0, key=True),
    Indicator("junctions_hcm_e_f", "Junctions of HCM grade E or F", "count", "lower", 0),
    Indicator("longest_queue_m", "Longest queue (95th percentile)", "m", "lower", 0),
    Indicator("full_approaches", "Lane groups whose queue fills their lanes", "count", "lower", 0),
    Indicator("spillback_min", "Spillback, all approaches", "min", "lower", 1),
    Indicator("people_15_min", "People within 15 minutes by car", "people", "higher", 0, key=True),
    Indicator("jobs_15_min", "Jobs within 15 minutes by car", "jobs", "higher", 0),
    Indicator("co2_t", "CO₂", "t", "lower", 3, key=True),
    Indicator("nox_kg", "NOₓ", "kg", "lower", 2),
    Indicator("user_cost_eur", "Time and vehicle costs of users", "€", "lower", 0),
)
LAYERS = (
    Layer("delay_h", "Delay", "veh·h", "streets", "delay_h", "lower"),
    Layer("load", "Traffic", "veh", "streets", "entered", "neither"),
    Layer("queue", "Queue (95th percentile)", "m", "queues", "queue_p95_m", "lower"),
    Layer("co2", "CO₂", "kg", "streets", "co2_kg", "lower"),
    Layer("nox", "NOₓ", "g", "streets", "nox_g", "lower"),
)


def _row_sums(values: F8, ptr: npt.NDArray[np.int64]) -> F8:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[ptr[1:]] - total[ptr[:-1]])


def trip_table(network: Network, state: State) -> pd.DataFrame:
    """One row a vehicle that was due: departure, arrival, length and time loss.

    Time loss is the duration less the time that the same way takes at the desired speed,
    turns at their own speed and stops of lines included (SUMO's `timeLoss`).  Of vehicles
    under way, what has been driven so far counts; of those never inserted, only the wait.
    """
    v, tps = state.vehicle, network.arrays.tps
    now = int(state.clock["now"][0])
    out = v["depart"] >= 0
    done = v["arrive"] >= 0
    end = np.where(done, v["route_end"], v["route_at"] + 1)
    count = np.where(out, end - v["route"], 0).astype(np.int64)
    ptr = np.concatenate([[0], np.cumsum(count)])
    at = np.repeat(v["route"], count) + np.arange(ptr[-1]) - np.repeat(ptr[:-1], count)
    street = state.route_street[at]
    owner = np.repeat(np.arange(len(v)), count)
    limit = np.array([t.max_speed_m_s for t in network.types])[v["type"]]
    speed = np.minimum(network.street_speed[street] * v["factor"][owner], limit[owner])
    street_s = network.street_m[street] / np.maximum(speed, 0.1)
    last = np.zeros(len(at), bool)
    last[ptr[1:][count > 0] - 1] = True
    inner = np.flatnonzero(~last)
    turn = network.turn_of(street[inner], street[np.minimum(inner + 1, len(street) - 1)])
    turn_s, turn_m = np.zeros(len(at)), np.zeros(len(at))
    inside_s = network.turn_free_s - network.exit_free_s[network.turns[:, 0]]
    turn_s[inner], turn_m[inner] = inside_s[turn], network.turn_m[turn]
    passed = street_s.copy()
    current = last & ~done[owner]
    since = (now - v["entered"]) / tps
    passed[current] = np.minimum(street_s[current], since[owner[current]])
    free_s = _row_sums(passed + turn_s, ptr) + v["stood"] / tps
    metres = network.street_m[street] * np.where(current, passed / street_s, 1.0) + turn_m
    duration = np.where(done, v["arrive"] - v["depart"], now - v["depart"]) / tps
    due = v["due"] / tps
    return pd.DataFrame(
        {
            "due_s": due,
            "depart_s": np.where(out, v["depart"] / tps, np.nan),
            "depart_delay_s": np.where(out, v["depart"] / tps, now / tps) - due,
            "arrival_s": np.where(done, v["arrive"] / tps, np.nan),
            "duration_s": np.where(out, duration, np.nan),
            "route_length_m": np.where(out, _row_sums(metres, ptr), np.nan),
            "time_loss_s": np.where(out, np.maximum(0.0, duration - free_s), np.nan),
        }
    )


def street_table(network: Network, state: State, queues: Queues, from_s: float) -> pd.DataFrame:
    """Streets by interval of entry, from `from_s` on: vehicles, mean time, delay, CO2 and NOx.

    Times are of those who have passed; CO2 and NOx also of those under way
    (`twin.traffic.street_emissions`).
    """
    from twin.traffic.street_emissions import street_emissions

    tps = network.arrays.tps
    n_k, n_s = state.entered.shape
    total, count, free = np.zeros((n_k, n_s)), np.zeros((n_k, n_s)), np.zeros((n_k, n_s))
    source = network.turns[:, 0]
    for k in range(n_k):
        total[k] = np.bincount(source, state.turn_sum[k], n_s) + state.exit_sum[k]
        count[k] = np.bincount(source, state.turn_count[k], n_s) + state.exit_count[k]
        free[k] = (
            np.bincount(source, state.turn_count[k] * network.turn_free_s, n_s)
            + state.exit_count[k] * network.exit_free_s
        )
    first, length = float(state.clock["first"][0]) / tps, float(state.clock["length"][0]) / tps
    start = first + length * np.arange(n_k)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / tps / count, np.nan)
    co2_kg, nox_g = street_emissions(network, state, queues)
    frame = pd.DataFrame(
        {
            "street": np.tile(np.arange(n_s, dtype=np.int32), n_k),
            "interval_start_s": np.repeat(start, n_s),
            "interval_s": length,
            "entered": state.entered.reshape(-1),
            "travel_time_s": mean.reshape(-1),
            "delay_h": (np.maximum(0.0, total / tps - free) / 3600.0).reshape(-1),
            "co2_kg": co2_kg.reshape(-1),
            "nox_g": nox_g.reshape(-1),
        }
    )
    kept = (frame["interval_start_s"] >= from_s) & (
        (frame["entered"] > 0) | frame["travel_time_s"].notna() | (frame["co2_kg"] > 0)
    )
    return frame[kept].reset_index(drop=True)


def are_of(network: Network, state: State, *classes: str) -> Bools:
    """[vehicles] whether each is of one of these classes."""
    found = np.array([t.vehicle_class in classes for t in network.types])
    return np.asarray(found[state.vehicle["type"]])


def indicator_values(
    trips: pd.DataFrame, from_s: float, bus: Bools | None = None
) -> dict[str, float]:
    """Indicators over the trips that were due from `from_s` on.

    Parameters
    ----------
    trips
        Table of `trip_table`.
    from_s
        Trips that were due before are not counted.
    bus
        [trips] whether each is one of a bus; `bus_delay_s` is there only if one counts.
    """
    counted = trips["due_s"] >= from_s
    t = trips[counted]
    delay = t["time_loss_s"].fillna(0.0) + t["depart_delay_s"]
    arrived = t["arrival_s"].notna()
    duration = t.loc[arrived, "duration_s"]
    metres, driven = t["route_length_m"].sum(), t["duration_s"].sum()
    some, came = len(t) > 0, bool(arrived.any())
    buses = np.zeros(len(t), bool) if bus is None else bus[counted.to_numpy()]
    of_buses = {"bus_delay_s": float(delay[buses].mean())} if buses.any() else {}
    return {
        "delay_per_trip_s": float(delay.mean()) if some else 0.0,
        "total_delay_h": float(delay.sum() / 3600.0),
        "trip_duration_s": float(duration.mean()) if came else float("nan"),
        "trip_duration_p95_s": float(duration.quantile(0.95)) if came else float("nan"),
        "departure_delay_s": float(t["depart_delay_s"].mean()) if some else 0.0,
        "longest_delay_s": float(delay.quantile(0.99)) if some else 0.0,
        **of_buses,
        "trips": float(len(t)),
        "arrived_percent": 100.0 * float(arrived.mean()) if some else 100.0,
        "distance_km": float(metres / 1000.0),
        "speed_kmh": float(metres / driven * 3.6) if driven > 0 else float("nan"),
        **reliability(t),
    }


def travel_times(network: Network, state: State, graph: RoadGraph) -> TravelTimes:
    """Mean times that were met, by interval of entry; free times where nobody drove."""
    from twin.traffic.routing import TravelTimes

    tps = network.arrays.tps
    turn = network.turn_of(graph.turn_from, graph.turn_to)
    count = state.turn_count[:, turn]
    turn_s = np.where(
        count > 0, state.turn_sum[:, turn] / np.maximum(count, 1) / tps, graph.turn_free_s
    )
    exits = state.exit_count
    exit_s = np.where(exits > 0, state.exit_sum / np.maximum(exits, 1) / tps, graph.exit_free_s)
    clock = state.clock[0]
    return TravelTimes(
        float(clock["first"]) / tps,
        float(clock["length"]) / tps,
        turn_s.astype(np.float32),
        exit_s.astype(np.float32),
    )
