"""Representative hours: what closures of streets cost traffic, for systems that count in weeks.

`evaluate("traffic", claims, hour, seed)` is a pure function: one hour of a usual day, simulated by
the traffic kernel with rerouting, while the claims hold.  A decade in weeks and the minutes of a
closure meet here.  Results are kept, so that the same question is simulated once.

The trips of an hour are the same with and without closures, so what a closure costs is counted
trip by trip.  Whoever would lose more than `LONGEST_LOSS_S` does something else (another time, a
way outside the map, on foot) and counts with that.

A shift is made of hours that stand for others like them (`SHIFTS`); a day and a night shift have
nine hours, a day and night 24.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City
    from twin.claims import Claim
    from twin.clock import Process
    from twin.simulation import Prepared, Simulation
    from twin.traffic.demand import Demand

F8 = npt.NDArray[np.float64]

SHIFTS: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {
        "day": MappingProxyType({7: 2.0, 11: 5.0, 16: 2.0}),
        "night": MappingProxyType({20: 2.0, 22: 3.0, 2: 4.0}),
        "around the clock": MappingProxyType({2: 7.0, 7: 3.0, 11: 7.0, 16: 4.0, 20: 2.0, 22: 1.0}),
    }
)
"""Hours of the day, by number, and how many hours of a shift each stands for."""
HOURS = (2, 7, 11, 16, 20, 22)
HOUR_S = 3600.0
WARMUP_S = 1200.0
CLEAR_S = 1800.0
LONGEST_LOSS_S = 1200.0  # own estimate
GREEN_S, CLEARING_S = 45.0, 20.0  # of a temporary signal; own estimates for about 100 m
KEPT = 2_000  # results
KEPT_HOURS = 24  # hours whose trips and routes are kept


@dataclass(frozen=True, eq=False)
class Hour:
    """An hour of a usual day in a city.

    Attributes
    ----------
    city, demand
        Where, and who travels.
    hour
        0 to 23.
    iterations
        Largest number of days that drivers learn.
    response
        How drivers respond to claims: `en_route` (all know of them) or `none`.
    """

    city: City
    demand: Demand
    hour: int
    iterations: int = 8
    response: str = "en_route"
    mark: str = field(default="", repr=False)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells this hour from others."""
        if not self.mark:
            made = f"{self.city.digest} {self.demand.digest}"
            object.__setattr__(self, "mark", made)
        return (self.mark, self.hour, self.iterations, self.response)


@dataclass(frozen=True, eq=False)
class HourResult:
    """What an hour came to, over the trips that were due in it.

    Attributes
    ----------
    time_h
        Vehicle hours, waits to enter the network included.
    distance_km
        Vehicle kilometres.
    co2_t
        By mean speeds of trips, as of petrol cars (`twin.traffic.emissions`), without stops.
    counts
        Vehicles that entered each street, by type.
    arrived
        Share of the trips that arrived.
    """

    time_h: float
    distance_km: float
    co2_t: float
    counts: Mapping[str, F8]
    arrived: float
    trip_s: npt.NDArray[np.float32]  # of each trip, waits included


_RESULTS: OrderedDict[object, HourResult] = OrderedDict()
_PREPARED: OrderedDict[object, Prepared] = OrderedDict()


def evaluate(
    system: str,
    claims: Iterable[Claim],
    hour: Hour,
    seed: int,
    alternating: Iterable[tuple[int, int]] = (),
) -> HourResult:
    """Simulate an hour while claims hold; the same arguments give the same result.

    Parameters
    ----------
    alternating
        Pairs of streets (there and back) that share one lane: a temporary signal lets first the
        one, then the other direction in.

    Raises
    ------
    SimulationError
        For a system that has no representative hours, or a street that the city lacks.
    """
    if system != "traffic":
        msg = f"system {system!r} has no representative hours; only traffic has"
        raise SimulationError(msg)
    wanted = tuple(sorted(claims, key=lambda c: (c.street, c.open, str(c))))
    pairs = tuple(sorted(alternating))
    stated = tuple((c.street, c.open, c.lanes, c.speed_m_s, c.depth_m, c.until_s) for c in wanted)
    key = (hour.key, seed, stated, pairs)
    if key in _RESULTS:
        _RESULTS.move_to_end(key)
        return _RESULTS[key]
    result = None
    if stated or pairs:
        usual = evaluate(system, (), hour, seed)
        streets = [c.street for c in wanted] + [s for pair in pairs for s in pair]
        if not any(counts[streets].any() for counts in usual.counts.values()):
            result = usual  # nobody would have been there
    result = result or _simulate(wanted, pairs, hour, seed)
    _RESULTS[key] = result
    while len(_RESULTS) > KEPT:
        _RESULTS.popitem(last=False)
    return result


def shift_difference(
    claims: Iterable[Claim],
    shift: str,
    hours: Mapping[int, Hour],
    seed: int,
    alternating: Iterable[tuple[int, int]] = (),
) -> tuple[float, float]:
    """Vehicle hours and tonnes of CO2 that claims cost in a shift, against a usual one.

    Parameters
    ----------
    hours
        The hours by number.
    """
    wanted, pairs = tuple(claims), tuple(alternating)
    time_h = co2_t = 0.0
    for number, weight in SHIFTS[shift].items():
        usual = evaluate("traffic", (), hours[number], seed)
        held = evaluate("traffic", wanted, hours[number], seed, pairs)
        lost = np.minimum(held.trip_s - usual.trip_s, LONGEST_LOSS_S).sum(dtype=float)
        time_h += weight * float(lost) / HOUR_S
        co2_t += weight * (held.co2_t - usual.co2_t)
    return time_h, co2_t


def hours_of(city: City, demand: Demand, **given: object) -> dict[int, Hour]:
    """The hours that shifts are made of, by number."""
    return {number: Hour(city, demand, number, **given) for number in HOURS}  # type: ignore[arg-type]


def _window(hour: Hour) -> tuple[float, float]:
    """Seconds in which the hour is counted; the second day, so that there is a time before."""
    begin = 24 * HOUR_S + hour.hour * HOUR_S
    return begin, begin + HOUR_S


def _prepared(hour: Hour, seed: int) -> Prepared:
    from twin.simulation import prepare

    key = (hour.key, seed)
    if key not in _PREPARED:
        begin, end = _window(hour)
        _PREPARED[key] = prepare(
            hour.city, hour.demand, seed=seed, begin_s=begin - WARMUP_S, end_s=end,
            iterations=hour.iterations,
        )  # fmt: skip
    _PREPARED.move_to_end(key)
    while len(_PREPARED) > KEPT_HOURS:
        _PREPARED.popitem(last=False)
    return _PREPARED[key]


def _simulate(
    claims: tuple[Claim, ...], pairs: tuple[tuple[int, int], ...], hour: Hour, seed: int
) -> HourResult:
    from twin.simulation import Simulation

    begin, end = _window(hour)
    prepared = _prepared(hour, seed)
    sim = Simulation(
        hour.city, prepared, seed=seed, begin_s=begin - WARMUP_S, end_s=end + CLEAR_S,
        systems_on=("traffic",), response=hour.response, interval_s=HOUR_S,  # type: ignore[arg-type]
    )  # fmt: skip
    if claims:
        sim.clock.process(_hold(sim, claims, end))
    for pair in pairs:
        sim.clock.process(_alternate(sim, pair, end))
    sim.clock.run(end + CLEAR_S)
    return _summed(sim, prepared, begin)


def _hold(sim: Simulation, claims: tuple[Claim, ...], end_s: float) -> Process:
    sim.claims.file(*claims)
    yield sim.clock.until(end_s)
    for owner in {claim.owner for claim in claims}:
        sim.claims.withdraw(owner)


def _alternate(sim: Simulation, pair: tuple[int, int], end_s: float) -> Process:
    """Let one direction in, then the other; between them the lane is cleared."""
    traffic: Any = sim.parts["traffic"]
    for street in pair:
        traffic.hold(street, held=True)
    turn = 0
    while sim.clock.now_s < end_s:
        traffic.hold(pair[turn], held=False)
        yield sim.clock.wait(GREEN_S)
        traffic.hold(pair[turn], held=True)
        yield sim.clock.wait(CLEARING_S)
        turn = 1 - turn
    for street in pair:
        traffic.hold(street, held=False)


def _summed(sim: Simulation, prepared: Prepared, begin_s: float) -> HourResult:
    from twin.traffic.emissions import co2_g_s

    trips: pd.DataFrame = sim.parts["traffic"].trips()  # type: ignore[attr-defined]
    counted = (trips["due_s"] >= begin_s).to_numpy()
    duration = trips["duration_s"].fillna(0.0).to_numpy()[counted]
    metres = trips["route_length_m"].fillna(0.0).to_numpy()[counted]
    waited = trips["depart_delay_s"].to_numpy()[counted]
    speed = np.divide(metres, duration, out=np.zeros_like(metres), where=duration > 0.0)
    grams = (co2_g_s(speed) * duration).sum()
    arrived = trips["arrival_s"].notna().to_numpy()[counted]
    return HourResult(
        time_h=float((duration + waited).sum() / HOUR_S),
        distance_km=float(metres.sum() / 1000.0),
        co2_t=float(grams / 1e6),
        counts=_counts(sim, prepared, counted),
        arrived=float(arrived.mean()) if len(arrived) else 1.0,
        trip_s=(duration + waited).astype(np.float32),
    )


def _counts(sim: Simulation, prepared: Prepared, counted: npt.NDArray[np.bool_]) -> dict[str, F8]:
    """Vehicles that entered each street, by type, of the trips that are counted."""
    state = sim.parts["traffic"].sync()  # type: ignore[attr-defined]
    v = state.vehicle
    out = counted & (v["depart"] >= 0)
    ends = np.where(v["arrive"] >= 0, v["route_end"], v["route_at"] + 1)
    kinds = prepared.trips["vehicle_type"].to_numpy()
    found = {}
    for kind in ("car", "lorry", "bus"):
        mine = np.flatnonzero(out & (kinds == kind))
        number = (ends[mine] - v["route"][mine]).astype(np.int64)
        first = np.repeat(np.cumsum(number) - number, number)
        at = np.repeat(v["route"][mine], number) + np.arange(number.sum()) - first
        found[kind] = np.bincount(state.route_street[at], minlength=len(sim.city.streets)).astype(
            float
        )
    return found
