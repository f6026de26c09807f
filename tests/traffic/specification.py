"""The traffic model as plain SimPy: one process a vehicle, as the kernel's specification.

Everything is polled: a vehicle that has reached the stop line tries at every tick.  At one
tick signals act first, then the first vehicles of lanes in the order in which they have been
ready (ties by lane), then vehicles that wait to enter the city (by the time they were due).
SimPy's event priorities say just that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from simpy.events import Event

from twin.traffic.network import MAJOR, MINOR, RED, STOP_LIGHT, UNSIGNALLED, YELLOW, Network
from twin.traffic.state import Vehicles, initial_state

NEVER = 2**31 - 1
AHEAD = 3
CIRCLE = 4
DEEP = 4


class Turn(Event):
    """Happens at a tick, in the order of `rank` among those of that tick."""

    def __init__(self, env: simpy.Environment, tick: int, rank: int) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, rank, tick - env.now)


@dataclass
class Vehicle:
    number: int
    kind: int
    factor: float
    due: int
    extra: int
    streets: list[int]
    stops: list[Any]
    at: int = 0
    ready: int = 0
    link: int = -1
    depart: int = -1
    arrive: int = -1


@dataclass
class Lane:
    number: int
    queue: deque[Vehicle] = field(default_factory=deque)
    gone: deque[tuple[int, int, int]] = field(default_factory=deque)  # departure, cm, vehicle
    next_out: int = 0
    next_in: int = 0
    look: int = 0
    yields_to: int = 0
    no_room: bool = False
    open: bool = True


class Specification:
    """Runs vehicles through a network tick by tick; `vehicles` then hold their times."""

    def __init__(self, network: Network, vehicles: Vehicles, end_s: float) -> None:
        self.net, self.signals, self.types = network.arrays, network.signals, network.types
        self.speed = network.lane_speed.astype(np.float32)
        self.env = simpy.Environment()
        self.lanes = [Lane(k) for k in range(len(self.net.lane))]
        self.light = [UNSIGNALLED] * len(self.net.link)
        self.since = [0] * len(self.net.link)
        self.last = [-(10**6)] * len(self.net.link)
        self.seen = [(-1, -(NEVER // 2))] * len(self.signals.detector)
        state = initial_state(network, vehicles, end_s=end_s)
        ptr = vehicles.route_ptr
        self.vehicles = [
            Vehicle(
                k,
                int(v["type"]),
                float(v["factor"]),
                int(v["due"]),
                int(v["extra"]),
                [int(s) for s in vehicles.route_street[ptr[k] : ptr[k + 1]]],
                list(state.stop[v["stop"] : v["stop_end"]]),
            )
            for k, v in enumerate(state.vehicle)
        ]
        for s in range(len(self.signals.cycle)):
            self.env.process(self.signal(s))
        for k, source in enumerate(state.source):
            order = state.source_vehicle[source["next"] : source["end"]]
            self.env.process(self.source(k, [self.vehicles[v] for v in order]))

    def run(self, until: int) -> None:
        self.env.run(until=until)

    # processes

    def signal(self, s: int) -> Any:
        """A program: the phases one after the other, actuated ones for as long as needed."""
        sig = self.signals
        rows = list(range(sig.phase[s], sig.phase[s + 1]))
        links = sig.links[sig.link[s] : sig.link[s + 1]]
        into = -int(sig.offset[s]) % int(sig.cycle[s])
        k = 0
        while into >= sig.duration[rows[k]]:
            into -= int(sig.duration[rows[k]])
            k += 1
        begun, first = -into, True
        while True:
            for column, link in enumerate(links):
                light = int(sig.light[rows[k], column])
                old = self.light[link]
                self.light[link] = light
                if begun <= 0 or (light != old and not (old >= MINOR and light >= MINOR)):
                    self.since[link] = begun
            if sig.actuated[s]:
                begun = yield from self.actuated(rows[k], max(0, begun), first)
                first = False
            else:
                begun += int(sig.duration[rows[k]])
                yield Turn(self.env, begun, -1)
            k = (k + 1) % len(rows)

    def actuated(self, row: int, begun: int, first: bool) -> Any:
        """Wait for the end of a row of an actuated program."""
        sig = self.signals
        detectors = sig.detectors[sig.extends[row] : sig.extends[row + 1]]
        if not first:
            for d in detectors:
                self.gap(int(d))
        shown = int(sig.least[row]) if first else max(self.net.tps, int(sig.least[row]))
        while True:
            yield Turn(self.env, begun + shown, -1)
            gap = min((self.gap(int(d)) for d in detectors), default=NEVER)
            if shown >= sig.most[row] or gap >= sig.max_gap:
                return begun + shown
            again = shown + max(1, int(sig.least[row]) - shown, sig.detector_gap - gap)
            again = -(-again // self.net.tps) * self.net.tps  # whole seconds
            shown = min(again, int(sig.most[row]))

    def gap(self, d: int) -> int:
        """Ticks since a vehicle was on a detector."""
        row, t = self.signals.detector[d], self.env.now
        lane = self.lanes[row["lane"]]
        self.occupied(lane)
        ring = [(number, departure) for departure, _, number in lane.gone]
        ring += [(v.number, v.ready) for v in lane.queue]
        for k in reversed(range(len(ring))):
            if self.passes(lane, ring, k, row["ahead"], row["places"], row["wave"]) > t:
                continue
            if ring[k][0] != self.seen[d][0]:
                left = self.passes(
                    lane, ring, k, row["ahead_left"], row["places_left"], row["wave_left"]
                )
                if left > t:
                    return 0
                self.seen[d] = ring[k][0], left
            break
        return t - self.seen[d][1]

    def passes(
        self, lane: Lane, ring: list[tuple[int, int]], k: int, ahead: int, places: int, wave: int
    ) -> int:
        """When a vehicle comes so near to the stop line: freely, or when the queue moves up."""
        free = int(ring[k][1] - ahead)
        leader = k - int(places)
        if k < len(lane.gone) or leader < 0:
            return free
        return max(free, int(ring[leader][1] + wave)) if leader < len(lane.gone) else NEVER

    def source(self, number: int, order: list[Vehicle]) -> Any:
        """Vehicles of one origin and first turn enter in the order of being due."""
        tick = 0
        for v in order:
            tick = max(tick, v.due)
            while True:
                yield Turn(self.env, tick, (1 << 62) + (v.due << 28) + len(self.lanes) + number)
                lane = self.choose(v.streets, 0, v, 0)
                if lane is not None:
                    break
                tick += 1
            v.depart = tick
            self.enter(lane, v, tick, v.extra)
            tick += 1

    def drive(self, v: Vehicle, lane: Lane) -> Any:
        """From the entry of a lane to the entry of the next, or out of the city."""
        tick = self.env.now + 1
        while True:
            if lane.queue[0] is not v:
                tick = max(tick, lane.queue[0].ready)
                yield Turn(self.env, max(tick, self.env.now + 1), 1 << 61)
                tick = self.env.now + 1
                continue
            ready = max(v.ready, lane.next_out)
            tick = max(tick, ready)
            yield Turn(self.env, tick, (ready << 28) + lane.number)
            if lane.queue[0] is v and self.moves(v, lane, ready):
                return
            tick = self.env.now + 1

    # rules

    def moves(self, v: Vehicle, lane: Lane, ready: int) -> bool:
        """Whether the first vehicle of a lane leaves it now."""
        t = self.env.now
        if t < ready or t < lane.look:
            return False
        if v.link < 0:
            v.arrive = t
            self.leave(v, lane, int(self.net.entry_headway[v.kind, lane.number]))
            return True
        link = self.net.link[v.link]
        if not self.allowed(v.link, ready, t):
            return False
        own = self.lanes[link["lane"]]
        if own is not lane and t < own.next_out:
            return False
        yields = link["yields_end"] > link["yields"] and self.light[v.link] != MAJOR
        stops = self.light[v.link] == STOP_LIGHT or link["stop"] > 0
        stood = bool(yields and (stops or lane.look > 0))
        late = self.late(v.link, ready)
        if stood:
            late = max(late, min(int(link["start"]), t - ready))
        via = int(link["via"]) + late
        if self.blocked_beside(v.link):
            target = None
        elif link["wait"] >= 0:
            target = self.lanes[link["wait"]]
            target = target if self.fits(target, v, via) else None
        else:
            target = self.choose(v.streets, v.at + 1, v, via, v.link)
        if target is None:
            lane.no_room, lane.look = True, 0
            if t - ready >= self.net.jam:
                self.pass_jam(v, lane)
                return True
            return False
        lane.no_room = False
        if yields and not self.gap_is_free(lane, v.link, ready, t):
            lane.look = t + self.net.look
            return False
        headway = int(self.net.headway[v.kind, v.link])
        headway = max(headway, self.net.follow) if stood else headway + late
        self.leave(v, lane, headway)
        if own is not lane:
            own.next_out = t + headway
        self.last[v.link] = t + late
        if link["wait"] < 0:
            v.at += 1
        entry = None if link["wait"] >= 0 else v.link
        self.enter(target, v, t + via, 0, self.entry(target, entry))
        return True

    def allowed(self, link: int, ready: int, t: int) -> bool:
        """What the light says."""
        light, since, row = self.light[link], self.since[link], self.net.link[link]
        if light == RED:
            return False
        if light == YELLOW:
            return t - ready <= self.net.standing and t <= since + row["braking"]
        if light == UNSIGNALLED:
            return bool(t >= ready + row["stop"] * self.net.stop)
        if ready < since and t < since + min(self.net.line, since - ready):
            return False
        return bool(light != STOP_LIGHT or t >= ready + self.net.stop)

    def late(self, link: int, ready: int) -> int:
        """What the first of a queue at red loses behind the stop line."""
        light, since = self.light[link], self.since[link]
        if light in (UNSIGNALLED, YELLOW) or ready >= since:
            return 0
        return max(0, min(int(self.net.link[link]["start"]), since - ready) - self.net.line)

    def blocked_beside(self, link: int) -> bool:
        """Whether vehicles that wait inside the junction stand in the way."""
        row = self.net.link[link]
        for place in self.net.sibling[row["beside"] : row["beside_end"]]:
            lane = self.lanes[place["lane"]]
            leaving = sum(departure == self.env.now for departure, _, _ in lane.gone)
            if len(lane.queue) + leaving > place["most"]:
                return True
        return False

    def gap_is_free(self, lane: Lane, link: int, ready: int, t: int) -> bool:
        """Whether nobody with right of way is in the junction or comes within the gap."""
        row = self.net.link[link]
        stands = t > ready + self.net.standing
        gap = int(row["gap_standing" if stands else "gap_moving"])
        waited = max(1, min(t - ready, self.net.impatient))
        relied = self.net.relied * waited // self.net.impatient
        held = gap - relied > self.net.tps
        lane.yields_to = lane.number
        for k in range(row["yields"], row["yields_end"]):
            foe = int(self.net.foe[k]["link"])
            if self.light[foe] == RED:
                continue
            if self.last[foe] + self.net.foe[k]["clear"] > t:
                return False
            counts_on = int(self.net.foe[k]["counts_on"]) // waited
            least = own = max(gap - relied, min(gap, counts_on))
            if stands and self.net.foe[k]["faster"]:
                own = max(least, counts_on)
            if self.comes(foe, t, own, least, int(row["street"]), held):
                lane.yields_to = int(self.net.link[foe]["lane"])
                if t - ready < self.net.circle or not self.in_a_circle(lane):
                    return False
        return True

    def in_a_circle(self, lane: Lane) -> bool:
        """Whether the one yielded to waits, over others who wait, for this lane."""
        foe = self.lanes[lane.yields_to]
        for _ in range(CIRCLE):
            if foe is lane:
                return True
            if foe.look <= 0:
                return False
            foe = self.lanes[foe.yields_to]
        return False

    def comes(self, foe: int, t: int, own: int, gap: int, street: int, held: bool) -> bool:
        """Whether one of the next vehicles takes the link soon, on its own lane or further up."""
        lane = self.lanes[self.net.link[foe]["lane"]]
        if lane.queue:
            first = lane.queue[0]
            if first.link >= 0 and self.light[first.link] == RED:
                return False
            if lane.no_room:
                return bool(first.link == foe and street == self.net.link[foe]["street"] and held)
        for v in list(lane.queue)[:AHEAD]:
            due = max(v.ready, lane.next_out)
            if due >= t + own:
                return False
            if v.link == foe:
                limit = self.since[foe] + self.net.link[foe]["braking"]
                return not (self.light[foe] == YELLOW and due > limit)
        if len(lane.queue) >= AHEAD:
            return False
        row, before = self.net.lane[lane.number], t + min(gap, self.net.seen)
        return any(
            self.comes_down(foe, up, before) for up in self.net.upstream[row["up"] : row["up_end"]]
        )

    def comes_down(self, foe: int, up: Any, before: int) -> bool:
        """The same for vehicles on a street further up."""
        lane = self.lanes[self.net.link[up["link"]]["lane"]]
        if self.light[up["link"]] == RED or lane.no_room or lane.look > 0:
            return False
        way = [int(self.net.lane[self.net.link[foe]["lane"]]["street"])]
        way.append(int(self.net.link[foe]["street"]))
        for v in list(lane.queue)[:AHEAD]:
            if max(v.ready, lane.next_out) + up["ticks"] >= before:
                return False
            at = v.at + int(up["ahead"])
            if v.link == up["link"] and v.streets[at : at + 2] == way:
                return True
        return False

    def choose(
        self, way: list[int], at: int, v: Vehicle, via: int, link: int | None = None
    ) -> Lane | None:
        """The emptiest open lane with room, of those that serve the way onward."""
        bit = int(self.net.type[v.kind]["bit"])
        first = int(self.net.street_lane[way[at]])
        usable = [
            self.lanes[k]
            for k in range(first, self.net.street_lane[way[at] + 1])
            if self.lanes[k].open and int(self.net.lane[k]["classes"]) & bit
        ]
        inner = 0 if link is None else int(self.net.link[link]["inner"])
        for serves in (self.serving(way, at), self.serving(way[: at + 2], at)):
            serving = [lane for lane in usable if lane.number in serves]
            if not serving:
                continue
            fitting = [lane for lane in serving if self.fits(lane, v, via, inner, link)]
            if fitting or link is None or at + 1 >= len(way):
                return min(fitting, key=self.occupied, default=None)
            into = {
                k for k in range(first, first + 31) if self.net.link[link]["into"] >> k - first & 1
            }
            if into & serves or any(self.will_fit(lane, via, link) for lane in serving):
                return None
            beside = [
                lane
                for lane in usable
                if lane.number in into and self.net.lane[lane.number]["length"] >= self.net.change_m
            ]
            return next((lane for lane in beside if self.fits(lane, v, via, inner)), None)
        fitting = [lane for lane in usable if self.fits(lane, v, via, inner, link)]
        return min(fitting, key=self.occupied, default=None)

    def serving(self, way: list[int], at: int) -> set[int]:
        """Lanes of a street of a way from which it can be followed over short streets."""
        lanes = range(self.net.street_lane[way[at]], self.net.street_lane[way[at] + 1])
        if at + 1 >= len(way) or len(lanes) == 1:
            return set(lanes)
        last = at
        while (
            last + 2 < len(way)
            and last < at + DEEP
            and self.net.lane[self.net.street_lane[way[last + 1]]]["short"]
        ):
            last += 1
        deeper: set[int] | None = None
        for k in range(last, at - 1, -1):
            found = set()
            for lane in range(self.net.street_lane[way[k]], self.net.street_lane[way[k] + 1]):
                link = self.link_to(lane, way[k + 1])
                into = 0 if link < 0 else int(self.net.link[link]["into"])
                first = int(self.net.street_lane[way[k + 1]])
                if link >= 0 and (
                    deeper is None or any(into >> other - first & 1 for other in deeper)
                ):
                    found.add(lane)
            deeper = found
        return deeper or set()

    def will_fit(self, lane: Lane, via: int, link: int | None) -> bool:
        """Whether room on a full lane is certain to come without another departure."""
        self.occupied(lane)
        return bool(lane.gone) or self.env.now + via < self.entry(lane, link).next_in

    def occupied(self, lane: Lane) -> int:
        """Centimetres taken by those in the lane, and by those whose place is not free yet."""
        t, lag = self.env.now, int(self.net.lane[lane.number]["lag"])
        while lane.gone and lane.gone[0][0] + lag <= t:
            lane.gone.popleft()
        return sum(int(self.net.type[v.kind]["cm"]) for v in lane.queue) + sum(
            cm for _, cm, _ in lane.gone
        )

    def entry(self, lane: Lane, link: int | None) -> Lane:
        """Lane by which a vehicle that takes a link comes to a lane of the next street."""
        row = self.net.lane[lane.number]
        street = int(row["street"])
        if link is None or street < 0 or row["length"] < self.net.change_m:
            return lane
        first, last = int(self.net.street_lane[street]), int(self.net.street_lane[street + 1])
        into = int(self.net.link[link]["into"])
        found = [k for k in range(first, last) if into >> k - first & 1]
        return self.lanes[min(found, key=lambda k: (abs(k - lane.number), k), default=lane.number)]

    def fits(
        self, lane: Lane, v: Vehicle, via: int, inner: int = 0, link: int | None = None
    ) -> bool:
        """Whether a vehicle may enter a lane after `via` ticks in the junction."""
        taken = self.occupied(lane)
        needed = taken + int(self.net.type[v.kind]["cm"])
        room = taken == 0 or needed <= self.net.lane[lane.number]["capacity"] + inner
        return bool(room and self.env.now + via >= self.entry(lane, link).next_in)

    def link_to(self, lane: int, street: int) -> int:
        row = self.net.lane[lane]
        for link in range(row["link"], row["link_end"]):
            if self.net.link[link]["street"] == street:
                return link
        return -1

    def onward(self, lane: int, street: int) -> int:
        """The link of a lane to a street, else that of a neighbour."""
        own = self.net.lane[lane]["street"]
        span = range(self.net.street_lane[own], self.net.street_lane[own + 1])
        return next((k for n in [lane, *span] if (k := self.link_to(n, street)) >= 0), -1)

    def leave(self, v: Vehicle, lane: Lane, headway: int) -> None:
        lane.queue.popleft()
        lane.gone.append((self.env.now, int(self.net.type[v.kind]["cm"]), v.number))
        lane.next_out = self.env.now + headway
        lane.look, lane.no_room = 0, False

    def enter(self, lane: Lane, v: Vehicle, t: int, extra: int, entry: Lane | None = None) -> None:
        row = self.net.lane[lane.number]
        speed = min(
            np.float32(self.speed[lane.number]) * np.float32(v.factor),
            np.float32(self.net.type[v.kind]["speed"]),
        )
        way = int(np.float32(row["length"]) / speed * self.net.tps + 0.5) + extra
        before = lane.queue[-1].ready if lane.queue else 0
        v.ready = max(t + way + self.stands(v, row["street"], t, way, before), t + 1)
        following = v.streets[v.at + 1] if v.at + 1 < len(v.streets) else None
        if row["street"] < 0:
            v.link = int(row["link"])
        else:
            v.link = -1 if following is None else self.onward(lane.number, following)
        if not lane.queue:
            lane.look, lane.no_room = 0, False
        lane.queue.append(v)
        entry = entry or lane
        entry.next_in = t + int(self.net.entry_headway[v.kind, entry.number])
        self.env.process(self.drive(v, lane))

    def stands(self, v: Vehicle, street: int, t: int, way: int, before: int) -> int:
        """Ticks lost at the next stops of a line, if they are on this street."""
        late = 0
        here = [k for k, stop in enumerate(v.stops) if stop["street"] == street]
        for k in here[: next((n for n, k in enumerate(here) if k != here[0] + n), len(here))]:
            on = int(way * v.stops[k]["share"])
            at = max(t + late + on, before - way + on)
            late = max(at + int(v.stops[k]["dwell"]), int(v.stops[k]["until"])) - t - on
            late += int(self.net.type[v.kind]["stopping"])
        if here and late:
            del v.stops[: k + 1]
        return late

    def pass_jam(self, v: Vehicle, lane: Lane) -> None:
        """Past the jam to the next street of the way that has room, or to the goal."""
        t, via = self.env.now, int(self.net.link[v.link]["via"])
        self.leave(v, lane, int(self.net.headway[v.kind, v.link]))
        for at in range(v.at + 2, len(v.streets)):
            passed = self.net.street_lane[v.streets[at - 1]]
            seconds = self.net.lane[passed]["length"] / self.speed[passed]
            via += int(seconds * self.net.tps + 0.5)
            target = self.choose(v.streets, at, v, via)
            if target is not None:
                v.at = at
                self.enter(target, v, t + via, 0)
                return
        v.arrive = t + via


__all__ = ["Specification"]
