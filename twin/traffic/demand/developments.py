"""New quarters: their residents and jobs make trips as those of the zones that are there do.

Rates, shares of drivers, lengths, hours and deterrence are those of the table of assumptions. What
finds its activity inside the map chooses zones by what they offer and how far they are,
T_ij = O_i D_j f(t_ij) / sum_k D_k f(t_ik), which is the gravity model with the other zones' trips
held fixed (singly constrained, Wilson 1967). The rest leaves or comes by the gates, by their
volumes and distance, and is left out where there are none. Jobs that no newcomer fills draw people
from the zones that are there, on top of the trips that these make.

Trips across the edge of the map of the zones that are there are cut to what the gates carry; new
ones are not, since it is for the simulation to say what they do to the roads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError, check_number
from twin.traffic.demand.extension import (
    car_trips,
    check_near,
    check_place,
    extended,
    graph_of,
    local_volumes,
)
from twin.traffic.demand.flows import HOME_PURPOSES, Flow, Layout, block, margins, split
from twin.traffic.demand.generate import Demand
from twin.traffic.demand.gravity import deterrence
from twin.traffic.demand.zones import VISITS, Zones, attach_areas

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from twin.city import City

Floats = NDArray[np.float64]

BUSINESS, FREIGHT = 8, 9


@dataclass(frozen=True)
class Development:
    """A new quarter.

    Parameters
    ----------
    name : what maps and tables call it
    where : polygon or point in the city's CRS
    residents, jobs : people who live and work there
    education, shopping, leisure : visits of a day by all modes, e.g. to a school or shops;
        visits to the residents' homes come on top

    Raises
    ------
    InputError : a number is negative or not finite, or the place is none
    """

    name: str
    where: BaseGeometry
    residents: float = 0.0
    jobs: float = 0.0
    education: float = 0.0
    shopping: float = 0.0
    leisure: float = 0.0

    def __post_init__(self) -> None:
        for name in ("residents", "jobs", *VISITS):
            check_number(f"{name} of development {self.name!r}", getattr(self, name), 0.0, 1e7)
        check_place(self.name, self.where)


def with_development(demand: Demand, city: City, *developments: Development) -> Demand:
    """Return the demand with the trips of new quarters added; those that are there stay.

    The new trips are times the demand's scale, as the others are. They start and end at streets
    inside the quarter or, where none is, at the nearest. Freight needs streets open to lorries.

    Raises
    ------
    InputError : no street is near a quarter, or a name is that of a zone
    """
    if not developments:
        return demand
    old, lorries = len(demand.zones), demand.layouts["lorry"].zones == demand.layouts["car"].zones
    zones = _zones(demand, city, developments)
    wider, key = extended(demand, zones, city, "car")
    at = _setting(wider, "car", key, old)
    flows = [*_home_flows(at), _job_flow(at, BUSINESS, "business")]
    if lorries and len(zones.lorries.street):
        wider, key = extended(wider, zones, city, "lorry")
        flows.append(_job_flow(_setting(wider, "lorry", key, old), FREIGHT, "freight"))
    return replace(wider, flows=(*demand.flows, *flows))


def _zones(demand: Demand, city: City, developments: Sequence[Development]) -> Zones:
    assumptions, zones = demand.assumptions, demand.zones
    names = tuple(new.name for new in developments)
    for name in names:
        if name in zones.label or names.count(name) > 1:
            msg = f"development {name!r}: another zone has this name; choose one of its own"
            raise InputError(msg)
    area = np.array([new.where for new in developments], dtype=object)
    reach_m = assumptions["zone_reach_m"]
    cars = attach_areas(city, graph_of(city, "car").core(), area, assumptions)
    for k, name in enumerate(names):
        check_near(name, cars.part(k, k + 1), reach_m)
    lorries = attach_areas(city, graph_of(city, "lorry").core(), area, assumptions, np.inf)
    columns = {
        name: np.array([float(getattr(new, name)) for new in developments])
        for name in ("residents", "jobs", *VISITS)
    }
    columns["leisure"] += columns["residents"] * assumptions["leisure_per_resident_visited"]
    return zones.followed_by(names, area, cars=cars, lorries=lorries, **columns)


@dataclass(frozen=True, eq=False)
class _Setting:
    """A layout of all zones, and what zones and gates offer.

    Parameters
    ----------
    key, layout : of one vehicle type
    old : number of zones that were there
    known : trips of a day that these send and draw, where neither people nor jobs are known
    into, out : vehicles of a day of entries and exits
    """

    zones: Zones
    assumptions: Mapping[str, float]
    kind: str
    key: str
    layout: Layout
    old: int
    known: tuple[Floats, Floats] | None
    into: Floats
    out: Floats


def _setting(demand: Demand, kind: str, key: str, old: int) -> _Setting:
    zones = demand.zones
    people = float(zones.residents[:old].sum() + zones.jobs[:old].sum())
    sent, drawn = car_trips(demand)
    return _Setting(
        zones,
        demand.assumptions,
        kind,
        key,
        demand.layouts[key],
        old,
        None if people > 0.0 else (sent[:old], drawn[:old]),
        *local_volumes(demand, kind),
    )


def _home_flows(at: _Setting) -> list[Flow]:
    """Return the car trips to activities, and back home from them."""
    flows = []
    for number, purpose in enumerate(HOME_PURPOSES):
        sent, drawn = margins(at.zones, purpose, at.assumptions)
        zz, out, into = _placed(at, purpose, sent, drawn)
        there = zz, _leaving(at, out), _entering(at, into)
        back = zz.T, _leaving(at, into), _entering(at, out)
        flows.append(_flow(at, 2 * number, purpose, f"{purpose} out", there))
        flows.append(_flow(at, 2 * number + 1, "home", f"{purpose} back", back))
    return flows


def _job_flow(at: _Setting, number: int, purpose: str) -> Flow:
    """Return the trips from and to workplaces, alike in number."""
    jobs = at.zones.jobs * at.assumptions[f"{purpose}_per_job"]
    zz, out, into = _placed(at, purpose, jobs, jobs)
    blocks = zz, _leaving(at, out), _entering(at, into)
    return _flow(at, number, purpose, purpose, blocks)


def _placed(
    at: _Setting, purpose: str, sent: Floats, drawn: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return new trips between zones, and what new zones send to and draw from outside."""
    n, old, assumptions = at.layout.zones, at.old, at.assumptions
    if at.known is not None:
        sent, drawn = (
            np.concatenate([known, new[old:]])
            for known, new in zip(at.known, (sent, drawn), strict=True)
        )
    inside, out, into = split(sent, drawn, at.zones.extent_m, purpose, assumptions)
    scale_min, power = assumptions["deterrence_min"], assumptions["deterrence_power"]
    pull = deterrence(at.layout.minutes[:n, :n], scale_min, power)
    zz = np.zeros((n, n))
    zz[old:] = _shared(pull[old:] * drawn, inside[0][old:])
    rest = np.maximum(inside[1][old:] - zz[:, old:].sum(axis=0), 0.0)
    zz[:old, old:] = _shared((pull[:old, old:] * sent[:old, None]).T, rest).T
    there = np.arange(n) < old
    return zz, np.where(there, 0.0, out), np.where(there, 0.0, into)


def _leaving(at: _Setting, trips: Floats) -> Floats:
    """Return trips [zones, exits]."""
    n = at.layout.zones
    scale_min = at.assumptions["through_decay_min"]
    return _shared(deterrence(at.layout.minutes[:n, n:], scale_min) * at.out, trips)


def _entering(at: _Setting, trips: Floats) -> Floats:
    """Return trips [entries, zones]."""
    n = at.layout.zones
    scale_min = at.assumptions["through_decay_min"]
    return _shared(deterrence(at.layout.minutes[n:, :n].T, scale_min) * at.into, trips).T


def _shared(weights: Floats, trips: Floats) -> Floats:
    """Return the trips of each row shared by weight; none where all weights are 0."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0.0)
    return np.asarray(shares * trips[:, None])


def _flow(
    at: _Setting, number: int, purpose: str, profile: str, blocks: tuple[Floats, Floats, Floats]
) -> Flow:
    made = block(number, purpose, at.kind, profile, at.layout, *blocks)
    return replace(made, layout=at.key)
