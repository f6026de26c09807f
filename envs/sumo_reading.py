"""What detectors and trips say in SUMO, in the twin's own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from twin.traffic.detection import Readings, Sight
    from twin.traffic.signals import SignalControl

STANDS_M_S = 0.1  # SUMO's and RESCO's threshold
SHORT_M = 4.0  # who heads a street shorter than this stands within the junction before it


class _Vehicle:
    """What is remembered of a vehicle between looks."""

    __slots__ = ("before_s", "delay_s", "owner", "place", "route", "since", "stood")

    def __init__(self, route: list[int], owner: int) -> None:
        self.route, self.owner = route, owner
        self.before_s, self.delay_s, self.since = 0.0, 0.0, -1.0
        self.place, self.stood = -1, False


class SumoReader:
    """Reads SUMO's vehicles at every look; keeps account of what they lose.

    Parameters
    ----------
    libsumo
        The running simulation.
    lanes
        SUMO's ids of the network's lanes.
    ways
        Streets of vehicles that go another way than SUMO would let them; () removes them.
    """

    def __init__(
        self,
        libsumo: Any,
        lanes: Sequence[str],
        control: SignalControl,
        ways: Mapping[str, Sequence[str]],
    ) -> None:
        network = control.batch.network
        self.sumo, self.network, self.ways = libsumo, network, ways
        arrays = network.arrays
        self.n_lanes = network.n_lanes
        self.street = {name: k for k, name in enumerate(network.street_ids)}
        lane_street = arrays.lane["street"][: self.n_lanes]
        self.lane = {name: k for k, name in enumerate(lanes)}
        self.lane_street = lane_street.tolist()
        self.length = arrays.lane["length"].tolist()
        self.first = arrays.street_lane.tolist()
        inner = arrays.link["lane"] < self.n_lanes
        self.link = {
            (int(link["lane"]), int(link["street"])): k
            for k, link in enumerate(arrays.link)
            if inner[k]
        }
        self.short = {
            (street, int(network.arrays.link["street"][k])): lane
            for (lane, _), k in self.link.items()
            if network.street_m[street := self.lane_street[lane]] < SHORT_M
        }
        self.junctions = control.junctions
        self.owner = control.sensors.owner.tolist()
        self.spacing_m = network.types[0].spacing_m
        self.vehicles: dict[str, _Vehicle] = {}
        self.waiting: dict[str, _Vehicle] = {}
        self.heads: dict[int, tuple[str, float]] = {}  # of lanes: who, standing there since when
        self.gone: list[int] = []
        self.last_s = float(libsumo.simulation.getTime())

    def follow(self) -> None:
        """Take notice of who entered and left in the last second of SUMO."""
        sumo = self.sumo
        for name in sumo.simulation.getDepartedIDList():
            way = self.ways.get(name)
            if way:
                sumo.vehicle.setRoute(name, way)
            elif way is not None:
                sumo.vehicle.remove(name)
                continue
            vehicle = self.waiting.pop(name, None) or self._new(name)
            vehicle.before_s = float(sumo.vehicle.getDepartDelay(name))
            self.vehicles[name] = vehicle
        for name in sumo.simulation.getArrivedIDList():
            gone = self.vehicles.pop(name, None)
            if gone is not None:
                self.gone.append(gone.owner)

    def begin(self) -> None:
        """Take notice of who is there already; what they have lost does not count."""
        get = self.sumo.vehicle
        for name in get.getIDList():
            vehicle = self.vehicles[name] = self._new(name)
            vehicle.before_s = float(get.getDepartDelay(name))
            vehicle.delay_s = vehicle.before_s + float(get.getTimeLoss(name))

    def _new(self, name: str) -> _Vehicle:
        route = [self.street.get(edge, -1) for edge in self.sumo.vehicle.getRoute(name)]
        return _Vehicle(route, self._owner(route[0] if route else -1))

    def _owner(self, street: int) -> int:
        return self.owner[self.first[street]] if street >= 0 else len(self.junctions)

    def read(self, read: Readings, sight: Sight) -> None:
        """Fill the readings of copy 0; phases and greens are there already."""
        now_s = float(self.sumo.simulation.getTime())
        step_s, self.last_s = now_s - self.last_s, now_s
        self._read_gone(read)
        n_links = len(self.network.arrays.link)
        standing, moving, wait_s = (np.zeros(n_links) for _ in range(3))
        inside = np.zeros(len(self.first) - 1)
        head: dict[int, tuple[float, int, str, bool]] = {}
        watch = sight.watch
        width = sight.lane.shape[1]
        get = self.sumo.vehicle
        for name, vehicle in self.vehicles.items():
            k = self.lane.get(get.getLaneID(name), -1)
            at = get.getRouteIndex(name)
            route = vehicle.route
            following = route[at + 1] if at + 1 < len(route) else -1
            street = self.lane_street[k] if k >= 0 else following
            beyond = route[at + 2] if k < 0 and at + 2 < len(route) else -1
            on_short = self.short.get((following, beyond), -1)
            if on_short >= 0:
                k, following = on_short, beyond
            owner = self.owner[k] if k >= 0 else self._owner(street)
            delay_s = vehicle.before_s + get.getTimeLoss(name)
            read.delay_s[0, vehicle.owner] += delay_s - vehicle.delay_s
            vehicle.delay_s = delay_s
            if owner != vehicle.owner:
                read.passed[0, vehicle.owner] += vehicle.owner < len(self.junctions)
                vehicle.owner = owner
            read.co2_g[0, owner] += get.getCO2Emission(name) / 1000.0 * step_s
            speed_m_s = get.getSpeed(name)
            stands = speed_m_s < STANDS_M_S
            read.stops[0, owner] += stands and not vehicle.stood
            vehicle.stood = stands
            if street >= 0:
                inside[street] += 1
            if k < 0:
                vehicle.place = -1
                continue
            if vehicle.place != k:
                vehicle.place, vehicle.since = k, -1.0
            if stands and vehicle.since < 0:
                vehicle.since = now_s - get.getWaitingTime(name)
            waiting_s = now_s - vehicle.since if stands else 0.0
            far_m = 0.0 if on_short >= 0 else max(0.0, self.length[k] - get.getLanePosition(name))
            for row in range(watch[k], watch[k + 1]):
                if far_m + sight.watch_ahead_m[row] > sight.metres:
                    continue
                j, a = divmod(int(sight.watch_at[row]), width)
                share = sight.watch_share[row]
                if stands:
                    read.standing[0, j, a] += share
                    read.waiting_s[0, j, a] += share * waiting_s
                    read.longest_s[0, j, a] = max(read.longest_s[0, j, a], waiting_s)
                else:
                    read.moving[0, j, a] += share
                    limit = max(1.0, float(self.network.lane_speed[k]))
                    read.speed[0, j, a] += share * min(1.0, speed_m_s / limit)
            link = self.link.get((k, following), -1)
            if link >= 0:
                (standing if stands else moving)[link] += 1
                if far_m < head.get(k, (1e9,))[0]:
                    head[k] = (far_m, link, name, stands)
        self._read_heads(head, wait_s, now_s)
        self._read_waiting(read)
        self._fill(read, standing, moving, wait_s, inside)

    def _read_heads(
        self, head: Mapping[int, tuple[float, int, str, bool]], wait_s: Any, now_s: float
    ) -> None:
        """How long each lane's first vehicle stands at the stop line, not in the queue before."""
        before, self.heads = self.heads, {}
        for k, (_, link, name, stands) in head.items():
            known, since = before.get(k, ("", now_s))
            if known != name:
                if not stands:
                    continue
                since = now_s - float(self.sumo.vehicle.getWaitingTime(name))
            self.heads[k] = (name, since)
            wait_s[link] = now_s - since

    def _read_gone(self, read: Readings) -> None:
        for owner in self.gone:
            read.passed[0, owner] += owner < len(self.junctions)
        self.gone = []

    def _read_waiting(self, read: Readings) -> None:
        """Account for those who wait to enter, and what those who have entered waited."""
        sumo = self.sumo
        for name in sumo.simulation.getPendingVehicles():
            if name not in self.waiting:
                self.waiting[name] = self._new(name)
            vehicle = self.waiting[name]
            delay_s = float(sumo.vehicle.getDepartDelay(name))
            read.delay_s[0, vehicle.owner] += delay_s - vehicle.delay_s
            vehicle.delay_s = delay_s

    def _fill(self, read: Readings, standing: Any, moving: Any, wait_s: Any, inside: Any) -> None:
        """Numbers by link, and of the streets behind."""
        link = self.junctions.link
        there = link >= 0
        at = np.maximum(link, 0)
        arrays = self.network.arrays
        read.link_standing[0] = np.where(there, standing[at], 0.0)
        read.link_moving[0] = np.where(there, moving[at], 0.0)
        read.head_wait[0] = np.where(there, wait_s[at] * arrays.tps, 0)
        lanes = np.diff(arrays.street_lane)
        room = self.network.street_m * lanes / self.spacing_m
        to = arrays.link["street"][at]
        read.behind[0] = np.where(there, (inside / np.maximum(1, lanes))[to], 0.0)
        read.full[0] = np.where(there, np.minimum(1.0, inside / np.maximum(1.0, room))[to], 0.0)
        seen = read.standing[0] + read.moving[0]
        read.speed[0] = np.where(seen > 0, read.speed[0] / np.maximum(seen, 1e-6), 1.0)


def read_trips(path: Path, end_s: float) -> pd.DataFrame:
    """SUMO's trip information as a trip table (`twin.traffic.indicators.trip_table`).

    Also `waiting_s`, `stops` and `co2_g` of each trip.

    Parameters
    ----------
    end_s
        When the simulation ended.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    import pandas as pd

    from twin.traffic.xmlfile import scan

    rows: list[dict[str, Any]] = []
    scan(
        path,
        {
            "tripinfo": lambda given: rows.append(dict(given)),
            "emissions": lambda given: rows[-1].update(CO2_abs=given.get("CO2_abs", "0")),
        },
    )
    if not rows:
        msg = f"{path.name}: SUMO wrote no trips; the window may hold none"
        raise InputError(msg)
    found = pd.DataFrame(rows)
    number = {
        name: pd.to_numeric(found[name], errors="coerce")
        for name in ("depart", "departDelay", "arrival", "duration", "routeLength", "timeLoss",
                     "waitingTime", "waitingCount")
    }  # fmt: skip
    out = number["depart"] >= 0
    done = number["arrival"] >= 0
    if "CO2_abs" not in found:
        found["CO2_abs"] = 0.0
    co2 = pd.to_numeric(found["CO2_abs"], errors="coerce")
    return pd.DataFrame(
        {
            "id": found["id"],
            "due_s": number["depart"].where(out, end_s) - number["departDelay"],
            "depart_s": number["depart"].where(out),
            "depart_delay_s": number["departDelay"],
            "arrival_s": number["arrival"].where(done),
            "duration_s": number["duration"].where(out),
            "route_length_m": number["routeLength"].where(out, 0.0),
            "time_loss_s": number["timeLoss"].where(out),
            "waiting_s": number["waitingTime"].where(out, 0.0),
            "stops": number["waitingCount"].where(out, 0.0),
            "co2_g": co2.where(out, 0.0) / 1000.0,
        }
    )
