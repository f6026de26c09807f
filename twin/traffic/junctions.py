"""Junctions with controllable signals: their phases, lanes, detectors and neighbours as arrays.

Arrays of several junctions are padded to the largest of them, with -1 or False, so that
junctions of different shapes share one compiled call and one policy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.traffic.network import MAJOR, MINOR, RED, YELLOW, Network, SignalArrays
from twin.traffic.records import Records

I4 = npt.NDArray[np.int32]
F4 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

LEAST_SHARE = 0.02  # detectors do not look at lanes of which less comes to them
NEIGHBOURS = 4
WATCH = np.dtype(
    [
        ("at", "i4"),  # junction times lanes, plus lane: where the reading is added
        ("share", "f4"),  # of the vehicles of the watched lane
        ("ahead_m", "f4"),  # from the end of the watched lane to the stop line
    ]
)


@dataclass(frozen=True)
class Junctions:
    """Controllable signals of a network as padded arrays.

    Attributes
    ----------
    signal
        [junctions] position among the network's signals.
    row
        [junctions, phases] row of the program that a phase is, -1 where padded.
    link
        [junctions, links] kernel link of each signalled connection, -1 where padded.
    green
        [junctions, phases, links] whether a phase gives green to a link.
    protected
        [junctions, phases, links] whether it does so without the link having to yield.
    lane
        [junctions, lanes] kernel lanes before the stop lines, -1 where padded.
    link_lane
        [junctions, links] position of a link's lane in `lane`, -1 where padded.
    served
        [junctions, phases, lanes] share of a lane's links to which a phase gives green.
    clearance_s
        [junctions, phases] seconds that people on foot, who have green in a phase, need after it
        until vehicles may cross them: as much as the program gives them; 0 without them.
    """

    signal: I4
    row: I4
    link: I4
    green: Bools
    protected: Bools
    lane: I4
    link_lane: I4
    served: F4
    clearance_s: F4

    @cached_property
    def n_phases(self) -> npt.NDArray[np.int64]:
        """[junctions] phases of each."""
        return np.asarray((self.row >= 0).sum(axis=1))

    def __len__(self) -> int:
        return len(self.signal)

    @classmethod
    def of(cls, network: Network) -> Junctions:
        """Signals with at least two phases that give green without yellow.

        Equal phases of a program count once.
        """
        sig = network.signals
        chosen = [(s, rows) for s in range(len(sig.cycle)) if len(rows := _green_rows(sig, s)) > 1]
        n = len(chosen)
        phases = max((len(rows) for _, rows in chosen), default=1)
        links = max((int(sig.link[s + 1] - sig.link[s]) for s, _ in chosen), default=1)
        row = np.full((n, phases), -1, np.int32)
        link = np.full((n, links), -1, np.int32)
        green = np.zeros((n, phases, links), bool)
        protected = np.zeros((n, phases, links), bool)
        walk = np.zeros((n, phases), np.float32)
        for j, (s, rows) in enumerate(chosen):
            count = int(sig.link[s + 1] - sig.link[s])
            row[j, : len(rows)] = rows
            link[j, :count] = sig.links[sig.link[s] : sig.link[s + 1]]
            light = sig.light[rows, :count]
            green[j, : len(rows), :count] = (light == MAJOR) | (light == MINOR)
            protected[j, : len(rows), :count] = light == MAJOR
            walk[j, : len(rows)] = network.walk_clearance_s[rows]
        lane, link_lane = _lanes(network, link)
        served = by_lane(green, link_lane, lane.shape[1])
        signal = np.array([s for s, _ in chosen], np.int32)
        return cls(signal, row, link, green, protected, lane, link_lane, served, walk)

    def take(self, junction: int) -> Junctions:
        """One of them."""
        k = slice(junction, junction + 1)
        return Junctions(*(getattr(self, f.name)[k] for f in fields(self)))


def _green_rows(sig: SignalArrays, s: int) -> list[int]:
    n = sig.link[s + 1] - sig.link[s]
    rows: list[int] = []
    seen: set[bytes] = set()
    for row in range(sig.phase[s], sig.phase[s + 1]):
        light = sig.light[row, :n]
        some = ((light == MAJOR) | (light == MINOR)).any()
        if some and not (light == YELLOW).any() and light.tobytes() not in seen:
            seen.add(light.tobytes())
            rows.append(row)
    return rows


def _lanes(network: Network, link: I4) -> tuple[I4, I4]:
    """Lanes before the stop lines of each junction, and which of them a link has."""
    own = np.where(link >= 0, network.arrays.link["lane"][np.maximum(link, 0)], -1)
    lanes = [np.unique(row[row >= 0]) for row in own]
    most = max((len(x) for x in lanes), default=1)
    lane = np.full((len(link), most), -1, np.int32)
    at = np.full(link.shape, -1, np.int32)
    for j, found in enumerate(lanes):
        lane[j, : len(found)] = found
        at[j] = np.where(link[j] >= 0, np.searchsorted(found, own[j]), -1)
    return lane, at


def by_lane(green: Bools, link_lane: I4, n_lanes: int) -> F4:
    """[junctions, phases, lanes] share of a lane's links for which [.., links] holds."""
    belongs = link_lane[:, :, None] == np.arange(n_lanes)
    count = np.maximum(1, belongs.sum(axis=1))
    return np.asarray(
        np.einsum("jpl,jla->jpa", green.astype(np.float32), belongs.astype(np.float32))
        / count[:, None, :],
        np.float32,
    )


class Sensors(NamedTuple):
    """What detectors of a stated length see: the lanes behind the stop lines, and upstream.

    A detector follows the streets upstream beyond the start of a short lane, as a camera
    does, up to a signal.  Of a lane from which vehicles come to several detectors, or that
    leads elsewhere as well, each sees an equal share.
    """

    metres: float  # length of the detectors
    lane: I4  # watched lanes
    watch: I4  # [lanes + 1] their rows in `row`
    row: Records  # WATCH
    places: F4  # [junctions, lanes] vehicles that a detector could hold standing
    owner: I4  # [kernel lanes] junction that delays who is there; `junctions` for none
    near: I4  # [junctions, NEIGHBOURS] the nearest junctions upstream, -1 where padded


def place_sensors(network: Network, junctions: Junctions, metres: float) -> Sensors:
    """Detectors of so many metres on every lane of the junctions.

    Parameters
    ----------
    metres
        Length from the stop line, m.
    """
    feeders = _Feeders(network)
    found: dict[int, list[tuple[int, float, float]]] = {}
    n, width = junctions.lane.shape
    places = np.zeros((n, width), np.float32)
    spacing = network.types[0].spacing_m
    for j, a in np.argwhere(junctions.lane >= 0):
        at = int(j * width + a)
        for lane, share, ahead_m in feeders.within(int(junctions.lane[j, a]), metres):
            found.setdefault(lane, []).append((at, share, ahead_m))
            seen_m = min(feeders.length[lane], metres - ahead_m)
            places[j, a] += share * max(seen_m, spacing) / spacing
    lanes = sorted(found)
    count = [len(found[lane]) for lane in lanes]
    rows = np.array([row for lane in lanes for row in found[lane]], WATCH)
    owner, near = feeders.regions(junctions)
    return Sensors(
        float(metres),
        np.array(lanes, np.int32),
        np.concatenate([[0], np.cumsum(count)]).astype(np.int32),
        rows,
        places,
        owner,
        near,
    )


class _Feeders:
    """Which lanes lead to which, against the direction of driving."""

    def __init__(self, network: Network) -> None:
        net = network.arrays
        link = net.link
        self.length = net.lane["length"].astype(float)
        self.street = net.lane["street"]
        self.street_lane = net.street_lane
        signalled = np.zeros(len(link), bool)
        signalled[network.signals.links] = True
        self.n_streets_after = np.ones(len(net.lane))
        order = np.argsort(link["street"], kind="stable")
        self.to_street = [
            order[a:b]
            for a, b in zip(
                np.searchsorted(link["street"][order], np.arange(network.n_streets)),
                np.searchsorted(link["street"][order], np.arange(network.n_streets) + 1),
                strict=True,
            )
        ]
        for lane in range(len(net.lane)):
            first, end = net.lane["link"][lane], net.lane["link_end"][lane]
            self.n_streets_after[lane] = max(1, end - first)
        # a link from a waiting place begins at the lane from which that is entered
        entry = np.arange(len(link))
        waits = np.flatnonzero(link["wait"] >= 0)
        from_place = {int(link["wait"][k]): int(k) for k in waits}
        self.origin = link["lane"].copy()
        for k in np.flatnonzero(self.street[link["lane"]] < 0):
            entry[k] = from_place.get(int(link["lane"][k]), k)
            self.origin[k] = link["lane"][entry[k]]
        self.signalled = signalled | signalled[entry]
        self.into = link["into"]
        self.turn_m = network.turn_m[link["turn"]]
        self.link = link
        self.waiting_place = {place: int(link["lane"][k]) for place, k in from_place.items()}

    def _before(self, lane: int) -> list[tuple[int, float, float, bool]]:
        """Lanes that lead to a lane: their number, share, metres between, behind a signal."""
        street = int(self.street[lane])
        if street < 0:
            return []
        bit = 1 << min(lane - int(self.street_lane[street]), 30)
        found = []
        for k in self.to_street[street]:
            if self.link["wait"][k] >= 0 or not self.into[k] & bit:
                continue
            share = 1.0 / int(self.into[k]).bit_count()
            origin = int(self.origin[k])
            share /= self.n_streets_after[origin]
            found.append((origin, share, float(self.turn_m[k]), bool(self.signalled[k])))
        return found

    def within(self, lane: int, metres: float) -> list[tuple[int, float, float]]:
        """Lanes that a detector sees: number, share, metres from their end to the stop line."""
        found: dict[int, list[float]] = {}
        left = [(lane, 1.0, 0.0)]
        while left:
            at, share, ahead_m = left.pop()
            entry = found.setdefault(at, [0.0, ahead_m])
            entry[0] += share
            entry[1] = min(entry[1], ahead_m)
            begin_m = ahead_m + self.length[at]
            for origin, part, turn_m, signal in self._before(at):
                seen = begin_m + turn_m < metres and share * part >= LEAST_SHARE
                if seen and not signal and origin != lane:
                    left.append((origin, share * part, begin_m + turn_m))
        return [(at, share, ahead_m) for at, (share, ahead_m) in found.items()]

    def regions(self, junctions: Junctions) -> tuple[I4, I4]:
        """The junction that each lane leads to first; the nearest junctions upstream of each."""
        import heapq

        n = len(junctions)
        owner = np.full(len(self.street), n, np.int32)
        metres = np.full(len(self.street), np.inf)
        stop = {int(lane): int(j) for j in range(n) for lane in junctions.lane[j] if lane >= 0}
        heap = [(0.0, lane, j) for lane, j in stop.items()]
        heapq.heapify(heap)
        above: list[dict[int, float]] = [{} for _ in range(n)]
        while heap:
            far, lane, j = heapq.heappop(heap)
            if far >= metres[lane]:
                continue
            metres[lane], owner[lane] = far, j
            for origin, _, turn_m, _ in self._before(lane):
                reach = far + self.length[lane] + turn_m
                if origin in stop:
                    other = stop[origin]
                    if other != j:
                        above[j][other] = min(reach, above[j].get(other, np.inf))
                elif reach < metres[origin]:
                    heapq.heappush(heap, (reach, origin, j))
        for place, lane in self.waiting_place.items():
            owner[place] = owner[lane]
        near = np.full((n, NEIGHBOURS), -1, np.int32)
        for j, others in enumerate(above):
            nearest = sorted(others, key=lambda other: (others[other], other))[:NEIGHBOURS]
            near[j, : len(nearest)] = nearest
        return owner, near


def walk_clearance_s(state: npt.NDArray[Any], driven: Bools, duration_s: npt.NDArray[Any]) -> float:
    """Seconds that a program leaves people on foot after the first of its rows.

    Parameters
    ----------
    state
        [rows, links] lights (`twin.traffic.network.LIGHT`), beginning with the row asked for.
    driven
        [links] whether vehicles use a link; the others are crossings.
    duration_s
        [rows]

    Returns
    -------
    Time from the end of their green to the next green of vehicles who had none; 0 where
    nobody on foot has green in the first row.
    """
    greens = (state == MAJOR) | (state == MINOR)
    walks = greens[:, ~driven].any(axis=1)
    if not walks[0]:
        return 0.0
    spent, ended = 0.0, False
    for row in range(1, len(state)):
        lost = greens[0, ~driven] & ~greens[row, ~driven]
        ended = ended or bool(lost.any())
        if ended and (greens[row, driven] & ~greens[0, driven]).any():
            return spent
        spent += float(duration_s[row]) if ended else 0.0
    return spent


assert RED == 0  # noqa: S101 - padded lights are red
