"""Where vehicles are on the streets: what a picture needs to know of the flow.

The kernel keeps when a vehicle entered a lane, when it can be at the stop line, and who is before
it.  In between it is where it would be without the others, but not within those before it: at most
at the lane's length less the room that these take (Newell, 2002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.compiling import called, compiled
from twin.traffic.lanes import ring_slot
from twin.traffic.records import I4, INNER, State

if TYPE_CHECKING:
    from twin.traffic.network import Network


class Positions(NamedTuple):
    """Vehicles on the streets, one row each, by lane from its head.

    Attributes
    ----------
    lane
        Lane of the kernel: the city's, then waiting places in junctions.
    position_m
        Of the front bumper from the begin of the lane; below 0 it is still in the junction, so
        far before the lane.  On a waiting place from the stop line on, along the movement.
    vehicle, type
        Positions in `State.vehicle` and `Network.types`.
    standing
        Whether it stands: it could be at the stop line by now, or is held by one who stands.
    link
        By which it came or comes into the lane, where it is partly in the junction before it; the
        one with the waiting place; else -1.
    """

    lane: I4
    position_m: npt.NDArray[np.float64]
    vehicle: I4
    type: I4
    standing: npt.NDArray[np.bool_]
    link: I4


def positions(network: Network, state: State) -> Positions:
    """Place the vehicles of a state.

    Who stops on the way, as a bus, is drawn out evenly over the time to the stop line.  Who is
    being taken past a jam, or waits to enter the city, is on no street.
    """
    net, n = network.arrays, int(state.lane["inside"].sum())
    found = Positions(
        np.zeros(n, np.int32),
        np.zeros(n),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.bool_),
        np.zeros(n, np.int32),
    )
    into_place = np.full(len(net.lane), -1, np.int32)
    waits = np.flatnonzero(net.link["wait"] >= 0)
    into_place[net.link["wait"][waits]] = waits
    placed = _place(net, state, into_place, network.turn_m, found)
    return Positions(*(column[:placed] for column in found))


@called
def _came_by(net: Any, before: int, street: int, lane: int) -> int:
    """Link from a street into a lane of the next, or to that street, or -1."""
    found = -1
    for i in range(net.street_lane[before], net.street_lane[before + 1]):
        for k in range(net.lane[i].link, net.lane[i].link_end):
            if net.link_street[k] == street:
                if (net.link[k].into >> lane) & 1:
                    return k
                found = k
    return found


@compiled
def _place(net: Any, st: Any, into_place: I4, turn_m: Any, found: Any) -> int:
    n, now = 0, st.clock[0].now
    for i in range(len(st.lane)):
        lane = st.lane[i]
        inner, held = (lane.flags & INNER) != 0, False
        street = net.lane[i].street
        room = float(lane.length)
        for k in range(lane.inside):
            slot = st.slot[ring_slot(lane, lane.tail + lane.gone + k)]
            vehicle, kind = st.vehicle[slot.vehicle], net.type[slot.code & 255]
            link, inside_m = -1, 0.0
            if inner:
                link = into_place[i]
                speed = min(lane.speed * vehicle.factor, kind.speed)
                free = max(0.0, lane.length - (slot.time - now) / net.tps * speed)
            else:
                free = lane.length * (now - vehicle.entered) / max(1, slot.time - vehicle.entered)
                if vehicle.route_at > vehicle.route and min(free, room) * 100 < kind.cm:
                    before = st.route_street[vehicle.route_at - 1]
                    link = _came_by(net, before, street, i - net.street_lane[street])
                if link >= 0:
                    inside_m = turn_m[net.link[link].turn]
                if now < vehicle.entered:
                    if link < 0:
                        continue
                    way, late = net.link[link].via, vehicle.entered - now
                    if late > 2 * way + net.link[link].start:
                        continue
                    free = -inside_m * late / max(1, way)
            held = slot.time <= now or (held and free >= room)
            at = max(min(free, room), -inside_m)
            found.lane[n] = i
            found.position_m[n] = at
            found.vehicle[n] = slot.vehicle
            found.type[n] = slot.code & 255
            found.standing[n] = held
            found.link[n] = link
            n += 1
            room = at - kind.cm / 100.0
    return n
