"""CO2 and NOx by street and interval, from counts, times, and queues.

A passage of a street takes driving at the mean speed at which vehicles drive there, slowing down
for the turn behind it, stops, and standing:

    grams = N length rate(v) / v  +  turns  +  stops * slowing_down_g(v, 0, v)  +  S rate(0)

N, and the time T spent on the street, are counted exactly; stops and the time W spent in queues are
found by looks (`twin.traffic.queue_lengths`).  v = N length / (T - W - stops V/2a), V being the
limit, so that a lower limit or slow driving counts.  Who joins a queue brakes on the last metres,
v/2b longer than driving on, so that S = W - stops v/2b is what they stand.  At stops of lines
engines run, too.  Shares of lorries and buses are those of the whole period.  Who waits to enter
the network emits nothing.  A vehicle that a queue moves up and stops again counts one stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.traffic.approaches import by_group
from twin.traffic.dwelling import dwelling_s
from twin.traffic.emissions import FLEET, Fleet, coefficients, rate_g_s, slowing_down_g
from twin.traffic.queue_lengths import LOOK_S, STOP_S

if TYPE_CHECKING:
    from twin.traffic.network import Network
    from twin.traffic.parameters import VehicleType
    from twin.traffic.queue_lengths import Queues
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]


def street_emissions(
    network: Network, state: State, queues: Queues, fleet: Fleet = FLEET
) -> tuple[F8, F8]:
    """[intervals, streets] kg of CO2 and g of NOx, by interval of entry into the street.

    Those under way count for what they have driven of their street.
    """
    stops_s = dwelling_s(network, state)
    passed, spent_s = _passed(network, state, stops_s)
    dwelt_s = _of_turns(network, stops_s)
    stops = _by_street(network, queues.stops) * (LOOK_S / STOP_S)
    queued_s = _by_street(network, queues.standing) * LOOK_S
    starting_s = stops * network.street_speed / (2 * network.types[0].accel_m_s2)
    speed = _driving_speed(network, passed, spent_s - queued_s - starting_s)
    grams = np.zeros((2, *passed.shape))
    for share, vehicle in _shares(network, state, passed.sum(0)):
        a, b = vehicle.accel_m_s2, vehicle.decel_m_s2
        v = np.minimum(speed, vehicle.max_speed_m_s)
        top = np.minimum(v, _reached(network.street_m, 0.0, a, b))
        stood_s = np.maximum(0.0, queued_s - stops * top / (2 * b))
        for k, c in enumerate(coefficients(fleet, vehicle.vehicle_class)):
            cruise = rate_g_s(c, v) / v * network.street_m
            stop = slowing_down_g(c, top, 0.0, top, a, b)
            turning = _turning(network, c, v, a, b) * state.turn_count
            sums = passed * cruise + stops * stop + stood_s * rate_g_s(c, 0.0)
            grams[k] += share * (sums + _of_turns(network, turning))
            if vehicle.vehicle_class == "bus":
                grams[k] += dwelt_s * rate_g_s(c, 0.0)
    return np.maximum(0.0, grams[0]) / 1000.0, np.maximum(0.0, grams[1])


def _of_turns(network: Network, values: npt.NDArray[np.generic]) -> F8:
    """Sum of values by turn over the turns of each street, [intervals, streets]."""
    return by_group(values, network.turns[:, 0], network.n_streets)


def _by_street(network: Network, lanes: npt.NDArray[np.int32]) -> F8:
    """Sum over the lanes of each street; a waiting place belongs to the street before it."""
    street = network.arrays.lane["street"].copy()
    links = network.arrays.link
    into = links["wait"] >= 0
    street[links["wait"][into]] = street[links["lane"][into]]
    return by_group(lanes, street, network.n_streets)


def _passed(network: Network, state: State, stops_s: F8) -> tuple[F8, F8]:
    """[intervals, streets] vehicles that passed, and seconds that they took without turning."""
    tps = network.arrays.tps
    inside_s = network.turn_free_s - network.exit_free_s[network.turns[:, 0]]
    count = _of_turns(network, state.turn_count) + state.exit_count
    at_turns = state.turn_sum / tps - state.turn_count * inside_s - stops_s
    spent_s = _of_turns(network, at_turns) + state.exit_sum / tps
    v = state.vehicle[(state.vehicle["depart"] >= 0) & (state.vehicle["arrive"] < 0)]
    since = np.maximum(0, int(state.clock["now"][0]) - v["entered"])
    street = state.route_street[v["route_at"]]
    first, length = int(state.clock["first"][0]), int(state.clock["length"][0])
    at = (np.clip((v["entered"] - first) // length, 0, len(count) - 1), street)
    np.add.at(count, at, np.minimum(1.0, since / tps / network.exit_free_s[street]))
    np.add.at(spent_s, at, since / tps)
    return count, spent_s


def _driving_speed(network: Network, passed: F8, driving_s: F8) -> F8:
    """[streets] m/s outside of queues over the whole period; the limit where nobody drove."""
    driven_m = passed.sum(0) * network.street_m
    met = driven_m / np.maximum(driving_s.sum(0), 1e-3)
    limit = network.street_speed
    return np.where(driven_m > 0.0, np.clip(met, 0.2 * limit, 1.2 * limit), limit)


def _shares(network: Network, state: State, passed: F8) -> list[tuple[F8, VehicleType]]:
    """Share of each vehicle class on each street, with the first type of the class."""
    v = state.vehicle
    classes = np.array([t.vehicle_class for t in network.types])
    rest, found = np.ones(network.n_streets), []
    for name in np.unique(classes[classes != "car"]):
        mine = v[(classes[v["type"]] == name) & (v["depart"] >= 0)]
        if not len(mine):
            continue
        end = np.where(mine["arrive"] >= 0, mine["route_end"], mine["route_at"] + 1)
        count = (end - mine["route"]).astype(np.int64)
        at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        streets = state.route_street[at + np.repeat(mine["route"], count)]
        share = np.bincount(streets, minlength=network.n_streets) / np.maximum(passed, 1.0)
        share = np.minimum(share, rest)
        rest = rest - share
        found.append((share, network.types[int(np.argmax(classes == name))]))
    return [*found, (rest, network.types[int(np.argmax(classes == "car"))])]


def _reached(length_m: F8, least: npt.ArrayLike, a: float, b: float) -> F8:
    """Highest speed (m/s) between two times at `least` on a way that is so long."""
    return np.asarray(np.sqrt(np.square(least) + 2.0 * length_m / (1.0 / a + 1.0 / b)))


def _turning(network: Network, c: F8, v: F8, a: float, b: float) -> F8:
    """[turns] grams on the way through the junction, and of slowing down for it."""
    source, target = network.turns[:, 0], network.turns[:, 1]
    inside_s = network.turn_free_s - network.exit_free_s[source]
    u = network.turn_m / np.maximum(inside_s, 0.1)
    before = np.minimum(v[source], _reached(network.street_m[source], u, a, b))
    after = np.minimum(v[target], _reached(network.street_m[target], u, a, b))
    return rate_g_s(c, u) * inside_s + slowing_down_g(c, before, u, after, a, b)
