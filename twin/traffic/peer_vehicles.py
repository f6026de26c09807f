"""SUMO's vehicles and drivers as the kernel has them: types, speeds, where and when they start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.network import Network
from twin.traffic.parameters import VehicleType
from twin.traffic.peer_ways import Trips, Ways, vehicle_routes
from twin.traffic.routing import Routes
from twin.traffic.state import Stops, Vehicles
from twin.traffic.sumo_routes import Due, RouteFiles, SumoType, entity_of

if TYPE_CHECKING:
    from twin.city import City

F8 = npt.NDArray[np.float64]

# SUMO moves by whole seconds.  An arrival is noted half a step late on average, and the way
# to brake from v is half a step shorter, n v - b n (n + 1) / 2 with n = floor(v / b): so who
# is further than v / 2b - 0.5 s from the stop line when the light turns yellow stops.
STEP_S = 1.0
HALF_STEP_S = STEP_S / 2
# Saturation headway of SUMO 1.28's Krauss driver: tau + SIGMA_S sigma + (1 + SPACING
# + SPACING_SIGMA sigma) spacing / v.  Least squares over 81 queues of 22 vehicles that
# discharge at a signal (tau 1-2 s, sigma 0 and 0.5, 8-22 m/s, 5.8-14.5 m, 1-s steps, the
# mean of four seeds): residuals of 3 % of the headway.  `test_peer.py` makes it again.
SIGMA_S, SPACING, SPACING_SIGMA = 0.24, 0.25, 0.56
TYPICAL_M_S = 13.89  # the kernel's tau holds for all speeds: the formula is used at this one


@dataclass(frozen=True, eq=False)
class Load:
    """What is put on the network; `factor` and `start_s` are as SUMO would have them.

    Attributes
    ----------
    factor
        Desired speed over the limit, without dawdling.
    start_s
        Time to drive from the start of the first street to where the trip starts.
    start_m
        Length of that.
    extra_s
        What is added to the time on the first street.
    trips
        Vehicles without a route.
    """

    vehicles: Vehicles
    factor: F8
    start_s: F8
    start_m: F8
    extra_s: F8
    trips: Trips


def load_vehicles(
    city: City,
    found: RouteFiles,
    seed: int,
    net: Path,
    jam_s: float | None,
    made: Network | None = None,
) -> tuple[Network, Load]:
    """Return the network with the types of the files, and what is put on it.

    Parameters
    ----------
    net
        SUMO's network, for messages.
    jam_s
        Wait after which a vehicle is taken past a jam; None never does.
    made
        What was returned before for the city and `jam_s`; it serves where the types are the same.

    Raises
    ------
    InputError
        If a vehicle does not fit the network, or an attribute is no number.
    """
    due = found.vehicles
    sumo_kinds, kind = _merged(found)
    types = tuple(kernel_type(t, f"type {k}") for k, t in enumerate(sumo_kinds))
    network = made if made and made.types == types else _network(city, types, jam_s)
    ways = Ways(city, net)
    routes, trips = vehicle_routes(city, due, sumo_kinds, kind, ways)
    entity = np.array([entity_of(v.id) for v in due], np.int64)
    factor = _factors(due, sumo_kinds, kind, Stream(seed, "drivers").normal(entity))
    limit = np.array([t.max_speed_m_s for t in sumo_kinds])[kind]
    street = network.street_speed[routes.street[routes.ptr[:-1]]]
    speed = np.minimum(street * factor, limit)
    draws = Stream(seed, "departures")
    start_m = _positions(due, network.street_m[routes.street[routes.ptr[:-1]]],
                         np.array([t.length_m for t in sumo_kinds])[kind],
                         draws.uniform(entity))  # fmt: skip
    dawdle = np.array([t.sigma * t.accel_m_s2 / 2 for t in sumo_kinds])[kind]
    slow = _dawdling(network, routes, factor, limit, dawdle)
    vehicles = Vehicles(
        due_s=np.array([v.due_s for v in due]),
        kind=kind.astype(np.uint8),
        route_ptr=routes.ptr,
        route_street=routes.street,
        factor=(factor * slow).astype(np.float32),
        depart_speed_m_s=_speeds(due, street, draws.uniform(entity, 1)),
        stops=_stops(due, ways, network.street_m),
    )
    extra_s = HALF_STEP_S - start_m / (speed * slow)
    return network, Load(vehicles, factor, start_m / speed, start_m, extra_s, trips)


def _network(city: City, types: tuple[VehicleType, ...], jam_s: float | None) -> Network:
    """Streets on which drivers look once a step of SUMO, half a step late on average."""
    network = Network.from_city(city, types, jam_s=jam_s)
    link = network.arrays.link
    half_step = round(HALF_STEP_S * network.arrays.tps)
    link["braking"] = np.maximum(0, link["braking"] - half_step)
    return network


def kernel_type(kind: SumoType, name: str) -> VehicleType:
    """The kernel's vehicle type for a vType with SUMO's Krauss driver.

    The saturation headway is the one that was measured (see `SIGMA_S`).  Dawdling takes
    sigma / 2 from the acceleration on average, so that a start costs more.
    """
    spacing = kind.length_m + kind.gap_m
    slower = (SPACING + SPACING_SIGMA * kind.sigma) * spacing / TYPICAL_M_S
    return VehicleType(
        name=name,
        length_m=kind.length_m,
        gap_m=kind.gap_m,
        tau_s=kind.tau_s + SIGMA_S * kind.sigma + slower,
        accel_m_s2=kind.accel_m_s2 * (1.0 - kind.sigma / 2),
        decel_m_s2=kind.decel_m_s2,
        max_speed_m_s=kind.max_speed_m_s,
        speed_factor=kind.factor[0],
        speed_dev=kind.factor[1],
        vehicle_class=kind.vehicle_class,
        dawdle_m_s=kind.sigma * kind.accel_m_s2 / 2,
        step_s=STEP_S,
    )


def _merged(found: RouteFiles) -> tuple[list[SumoType], npt.NDArray[np.intp]]:
    """Distinct types, the most frequent first, and the type of each vehicle.

    The first type stands for all where the network needs one (storage, gaps).
    """
    counts: dict[SumoType, int] = {}
    for v in found.vehicles:
        kind = found.types[v.type]
        counts[kind] = counts.get(kind, 0) + 1
    order = sorted(counts, key=lambda t: -counts[t])
    place = {kind: k for k, kind in enumerate(order)}
    return order, np.array([place[found.types[v.type]] for v in found.vehicles])


def _factors(due: list[Due], kinds: list[SumoType], kind: npt.NDArray[np.intp], normal: F8) -> F8:
    """Desired speed over the limit of each driver, within the bounds of its type."""
    mean, deviation, least, most = np.array([t.factor for t in kinds])[kind].T
    own = np.array([v.factor for v in due])
    drawn = np.clip(mean + deviation * normal, least, most)
    return np.where(own > 0.0, own, np.maximum(drawn, 0.05))


def _dawdling(network: Network, routes: Routes, factor: F8, limit: F8, dawdle_m_s: F8) -> F8:
    """Mean speed over desired speed on a route: Krauss drivers dawdle by sigma a / 2."""
    owner = np.repeat(np.arange(len(factor)), routes.lengths)
    length = network.street_m[routes.street]
    speed = np.minimum(network.street_speed[routes.street] * factor[owner], limit[owner])
    slower = np.maximum(speed - dawdle_m_s[owner], speed / 2)
    free = np.add.reduceat(length / speed, routes.ptr[:-1])
    return np.asarray(free / np.add.reduceat(length / slower, routes.ptr[:-1]))


def _speeds(due: list[Due], street_m_s: F8, level: F8) -> F8:
    """Speed at insertion; infinite for the desired speed (max, avg, last, speedLimit)."""
    words = {"max", "desired", "speedLimit", "avg", "last"}
    speeds = np.full(len(due), np.inf)
    for k, v in enumerate(due):
        if v.depart_speed in words:
            continue
        speeds[k] = (
            level[k] * street_m_s[k]
            if v.depart_speed == "random"
            else _number(v, "departSpeed", v.depart_speed)
        )
        if speeds[k] < 0.0:
            msg = f"{v.where} {v.id!r}: departSpeed={v.depart_speed!r} is below 0; correct it"
            raise InputError(msg)
    return speeds


def _positions(due: list[Due], street_m: F8, length_m: F8, level: F8) -> F8:
    """Where the front is at insertion, m from the start of the street."""
    positions = np.minimum(length_m, street_m)
    for k, v in enumerate(due):
        if v.depart_pos in ("base", "stop", "splitFront"):
            continue
        if v.depart_pos in ("random", "random_free"):
            positions[k] += level[k] * (street_m[k] - positions[k])
        elif v.depart_pos in ("free", "last"):
            continue
        else:
            at = _number(v, "departPos", v.depart_pos)
            positions[k] = np.clip(at if at >= 0.0 else street_m[k] + at, 0.0, street_m[k])
    return positions


def _stops(due: list[Due], ways: Ways, street_m: F8) -> Stops | None:
    """Stops of lines on the streets of the city."""
    if not any(v.stops for v in due):
        return None
    rows = [(v, stop, ways.edge(v, stop.edge)) for v in due for stop in v.stops]
    street = np.array([at for _, _, at in rows], np.int32)
    end_m = np.array([stop.end_m for _, stop, _ in rows])
    end_m = np.where(end_m < 0.0, end_m + street_m[street], end_m)
    share = np.where(np.isnan(end_m), 1.0, end_m / street_m[street])
    shift = [v.due_s - stop.since_s if stop.until_s > 0.0 else 0.0 for v, stop, _ in rows]
    until = np.array([stop.until_s for _, stop, _ in rows]) + np.nan_to_num(shift)
    return Stops(
        ptr=np.concatenate([[0], np.cumsum([len(v.stops) for v in due])]).astype(np.int64),
        street=street,
        share=share,
        dwell_s=np.array([stop.dwell_s for _, stop, _ in rows]),
        until_s=until,
    )


def _number(v: Due, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        msg = f"{v.where} {v.id!r}: {name}={text!r} is neither a number nor a word of SUMO"
        raise InputError(msg)
    return value
