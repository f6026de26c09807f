"""Events: visitors by car who arrive before it begins, park near it, and leave after its end.

Arrivals at the place are triangular over a time before the event begins, departures from it over
a time after its end, with the most a third of that time from the event (`event_peak`). Visitors set
out so much earlier as their way takes on empty roads; jams make some late. Those from the map are
spread by the residents of its zones, the others by the volumes of the gates. Parking space is not
counted: every street within reach takes cars by its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError, check_number
from twin.traffic.demand.departures import Window
from twin.traffic.demand.extension import (
    car_trips,
    check_near,
    check_place,
    extended,
    graph_of,
    local_volumes,
)
from twin.traffic.demand.flows import Flow, Layout
from twin.traffic.demand.generate import Demand
from twin.traffic.demand.zones import Places, attach_areas

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from twin.city import City

Floats = NDArray[np.float64]

ARRIVE, LEAVE = 12, 13
PURPOSE = "event"


@dataclass(frozen=True)
class Event:
    """Something that many visit once. A number that is None is that of the assumptions.

    Parameters
    ----------
    name : what maps and tables call it
    where : polygon or point in the city's CRS
    visitors : people
    begin_s, end_s : s since the start of the first day, of any day
    car_share : part of the visitors who come by car
    persons_per_car : people in a car, at least 1
    arrive_within_min, leave_within_min : time in which all arrive before, and leave after, min
    outside_share : part of the visitors by car who come from beyond the map; by default
        exp(-R / L) of a map of radius R and the mean way L to an event
    parking_m : visitors park on streets within this distance of the place, m

    Raises
    ------
    InputError : a number is out of its range, the event ends before it begins, or has no place
    """

    name: str
    where: BaseGeometry
    visitors: float
    begin_s: float
    end_s: float
    car_share: float | None = None
    persons_per_car: float | None = None
    arrive_within_min: float | None = None
    leave_within_min: float | None = None
    outside_share: float | None = None
    parking_m: float | None = None

    def __post_init__(self) -> None:
        day_s = 86400.0
        for name, low, high in (
            ("visitors", 0.0, 1e7),
            ("begin_s", 0.0, 341 * day_s),
            ("end_s", self.begin_s, 341 * day_s),
            ("car_share", 0.0, 1.0),
            ("persons_per_car", 1.0, 9.0),
            ("arrive_within_min", 1.0, 1440.0),
            ("leave_within_min", 1.0, 1440.0),
            ("outside_share", 0.0, 1.0),
            ("parking_m", 1.0, 5000.0),
        ):
            value = getattr(self, name)
            if value is not None:
                check_number(f"{name} of event {self.name!r}", value, low, high)
        check_place(self.name, self.where)

    def number(self, name: str, assumptions: Mapping[str, float]) -> float:
        """Return what the event states or else the assumptions say."""
        stated = getattr(self, name)
        return float(assumptions[f"event_{name}"] if stated is None else stated)


def with_event(demand: Demand, city: City, event: Event) -> Demand:
    """Return the demand with the trips to and from an event; those that are there stay.

    So many visitors come as are stated, whatever the demand's scale is; what is scaled later scales
    them too. Trips have the purposes `event` and, back, `home`. Who would set out before the start
    of the first day is left out.

    Raises
    ------
    InputError : no street is near, there is nobody to come, or a zone has the name of the event
    """
    if event.name in demand.zones.label:
        msg = f"event {event.name!r}: a zone has this name; choose one of its own"
        raise InputError(msg)
    if demand.scale == 0.0:  # nobody travels, so that the factor may be any
        demand = replace(demand, flows=(), scale=1.0)
    area = np.array([event.where], dtype=object)
    cars = _parking(city, event, demand.assumptions)
    lorries = attach_areas(city, graph_of(city, "lorry").core(), area, demand.assumptions, np.inf)
    weights = _origins(demand, event)
    zones = demand.zones.followed_by((event.name,), area, cars=cars, lorries=lorries)
    wider, key = extended(demand, zones, city, "car")
    flows = _flows(event, wider.layouts[key], key, weights, demand)
    return replace(wider, flows=(*demand.flows, *flows))


def _parking(city: City, event: Event, assumptions: Mapping[str, float]) -> Places:
    """Return the streets on which visitors park, by length."""
    reach_m = event.number("parking_m", assumptions)
    around = np.array([event.where.buffer(reach_m)], dtype=object)
    core = graph_of(city, "car").core()
    places = attach_areas(city, core, around, assumptions, reach_m)
    check_near(event.name, places, reach_m)
    return places


def _origins(demand: Demand, event: Event) -> tuple[Floats, Floats, float]:
    """Return weights of zones and gates as origins of visitors, and the part from the gates."""
    zones, assumptions = demand.zones, demand.assumptions
    people = zones.residents if zones.residents.any() else car_trips(demand)[0]
    volume = local_volumes(demand, "car")[0]
    share = event.outside_share
    if share is None:
        share = float(np.exp(-zones.extent_m / (1000.0 * assumptions["event_length_km"])))
    return people, volume, share


def _flows(
    event: Event,
    layout: Layout,
    key: str,
    origins: tuple[Floats, Floats, float],
    demand: Demand,
) -> list[Flow]:
    """Return the trips to an event, whose place is the last zone of the layout, and from it."""
    assumptions, place = demand.assumptions, layout.zones - 1
    people, volume, outside = origins
    cars = event.visitors * event.number("car_share", assumptions)
    cars /= event.number("persons_per_car", assumptions) * demand.scale
    to, back = np.zeros(layout.minutes.shape), np.zeros(layout.minutes.shape)
    _, exits = local_volumes(demand, "car")
    lead_min = layout.minutes[:, place]
    to[:, place] = cars * _shared(people, volume, outside, lead_min, event.name)
    back[place] = cars * _shared(people, exits, outside, layout.minutes[place], event.name)
    peak = assumptions["event_peak"]
    arrive_s = 60.0 * event.number("arrive_within_min", assumptions)
    leave_s = 60.0 * event.number("leave_within_min", assumptions)
    end_s = event.begin_s - 60.0 * np.where(to[:, place] > 0.0, lead_min, 0.0)
    before = Window(end_s - arrive_s, end_s - peak * arrive_s, end_s)
    times = (np.array([event.end_s + part * leave_s]) for part in (0.0, peak, 1.0))
    return [
        Flow(ARRIVE, PURPOSE, "car", f"{PURPOSE} out", to, layout=key, window=before),
        Flow(LEAVE, "home", "car", f"{PURPOSE} back", back, layout=key, window=Window(*times)),
    ]


def _shared(people: Floats, volume: Floats, outside: float, minutes: Floats, name: str) -> Floats:
    """Return the part of the visitors of each place: zones, the event's, then gates."""
    weights = np.concatenate([people, [0.0], volume])
    weights = np.where(np.isfinite(minutes), weights, 0.0)
    n = len(people) + 1
    inside, gates = float(weights[:n].sum()), float(weights[n:].sum())
    if inside + gates == 0.0:
        msg = f"event {name!r}: nobody can come, there are neither residents nor gates with a way"
        raise InputError(msg)
    if inside == 0.0 or gates == 0.0:
        outside = float(inside == 0.0)
    factor = (1.0 - outside) / max(inside, 1e-300), outside / max(gates, 1e-300)
    return np.asarray(weights * np.where(np.arange(len(weights)) < n, factor[0], factor[1]))
