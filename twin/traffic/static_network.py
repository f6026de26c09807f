"""Links whose cost depends on their flow, trips between zones, and what either may hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LinkNetwork:
    """Links with costs that depend on flow, in the units of whoever made them.

    Parameters
    ----------
    n_zones : zones; nodes 1 to n_zones are where trips begin and end
    n_nodes : nodes, zones among them; their numbers begin at 1
    first_thru_node : paths never pass through a node with a smaller number
    tail, head : node at which each link begins and ends [m]
    capacity : flow at which the travel time is t0 (1 + b) [m]
    length : length of each link [m]
    free_flow_time : t0, travel time without flow [m]
    b, power : shape of the travel time [m]; with power 0 it is t0 (1 + b) whatever the flow
    toll : toll of each link [m]
    name : what errors name, such as the file
    line : line of each link in that file, for errors [m]
    """

    n_zones: int
    n_nodes: int
    first_thru_node: int
    tail: Integers
    head: Integers
    capacity: Floats
    length: Floats
    free_flow_time: Floats
    b: Floats
    power: Floats
    toll: Floats
    name: str = "network"
    line: Integers | None = None

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Whether each link's cost is the same at any flow, so that it needs no capacity [m]."""
        flat: NDArray[np.bool_] = (
            (self.b == 0.0) | (self.power == 0.0) | (self.free_flow_time == 0.0)
        )
        return flat

    def place(self, row: int) -> str:
        """Return how an error names a link."""
        ends = f"link {self.tail[row]} to {self.head[row]}"
        where = f"{self.name}:{self.line[row]}" if self.line is not None else self.name
        return f"{where}: {ends}"

    def fixed_cost(self, toll_factor: float, distance_factor: float) -> Floats:
        """Return the part of each link's cost that is neither time nor changed by flow [m]."""
        fixed: Floats = toll_factor * self.toll + distance_factor * self.length
        return fixed

    def travel_time(self, flow: Floats) -> Floats:
        """Return the travel time of each link at a flow [m]."""
        time: Floats = self.free_flow_time * (1.0 + self.b * self._ratio(flow) ** self.power)
        return time

    def time_integral(self, flow: Floats) -> Floats:
        """Return the integral of each link's travel time from zero to a flow [m]."""
        curve = self.b * self._ratio(flow) ** self.power / (self.power + 1.0)
        integral: Floats = self.free_flow_time * flow * (1.0 + curve)
        return integral

    def _ratio(self, flow: Floats) -> Floats:
        """Return flow / capacity, 1 where no capacity is needed."""
        return np.where(self.flat, 1.0, flow / np.where(self.flat, 1.0, self.capacity))


@dataclass(frozen=True, eq=False)
class Demand:
    """Trips between zones.

    Parameters
    ----------
    origin, destination : zone numbers, beginning at 1 [k]
    volume : trips of each pair [k]
    name : what errors name, such as the file
    """

    origin: Integers
    destination: Integers
    volume: Floats
    name: str = "demand"


def check(network: LinkNetwork, demand: Demand, toll_factor: float, distance_factor: float) -> None:
    """Refuse links and trips without meaning.

    Raises
    ------
    InputError
        Naming the first link or pair that is wrong.
    """
    for name in ("tail", "head"):
        _refuse(network, name, (a := getattr(network, name)) < 1, "nodes begin at 1")
        _refuse(network, name, a > network.n_nodes, f"the last node is {network.n_nodes}")
    for name in ("length", "free_flow_time", "b", "power"):
        values = getattr(network, name)
        _refuse(network, name, ~((values >= 0.0) & (values < np.inf)), "give 0 or more")
    _refuse(network, "capacity", ~network.flat & ~(network.capacity > 0.0), "give more than 0")
    _refuse(network, "toll", ~np.isfinite(network.toll), "give a number")
    for factor, value in (("toll", toll_factor), ("distance", distance_factor)):
        if not np.isfinite(value):
            msg = f"{factor} factor(={value}) must be a number."
            raise InputError(msg)
    lowest = network.fixed_cost(toll_factor, distance_factor) + network.free_flow_time
    bad = np.flatnonzero(lowest < 0.0)
    if bad.size:
        msg = (
            f"{network.place(bad[0])} would cost {lowest[bad[0]]:g} without flow;"
            " choose factors that leave no cost below 0."
        )
        raise InputError(msg)
    _check_demand(network, demand)


def _check_demand(network: LinkNetwork, demand: Demand) -> None:
    for name in ("origin", "destination"):
        zone = getattr(demand, name)
        bad = np.flatnonzero((zone < 1) | (zone > network.n_zones))
        if bad.size:
            msg = (
                f"{demand.name}: {name} {zone[bad[0]]} is no zone of {network.name},"
                f" which has zones 1 to {network.n_zones}."
            )
            raise InputError(msg)
    bad = np.flatnonzero(~((demand.volume >= 0.0) & (demand.volume < np.inf)))
    if bad.size:
        pair = f"{demand.origin[bad[0]]} to {demand.destination[bad[0]]}"
        msg = f"{demand.name}: {demand.volume[bad[0]]:g} trips from {pair}; give 0 or more."
        raise InputError(msg)


def _refuse(network: LinkNetwork, name: str, wrong: NDArray[np.bool_], why: str) -> None:
    bad = np.flatnonzero(wrong)
    if bad.size:
        value = getattr(network, name)[bad[0]]
        msg = f"{network.place(bad[0])} has {name} {value:g}; {why}."
        raise InputError(msg)
