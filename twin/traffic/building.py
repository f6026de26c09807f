"""Makes the arrays of a Network from the tables of a city."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.traffic import parameters as par
from twin.traffic.actuation import Detectors, place_detectors
from twin.traffic.junctions import walk_clearance_s
from twin.traffic.network import (
    DETECTOR,
    LANE_CONST,
    LIGHT,
    LINK_CONST,
    NO_LIMIT,
    TYPE_CONST,
    UNSIGNALLED,
    NetArrays,
    Network,
    Records,
    SignalArrays,
    pointers,
    records,
)
from twin.traffic.yielding import (
    driver_times,
    foes,
    is_minor,
    sibling_places,
    state_codes,
    upstream_links,
)

if TYPE_CHECKING:
    from twin.city import City

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]


class Builder:
    """Makes a Network; one method for each group of arrays."""

    def __init__(
        self, city: City, types: tuple[par.VehicleType, ...], tps: int, jam_s: float | None
    ) -> None:
        self.city, self.types, self.tps = city, types, tps
        self.jam = NO_LIMIT if jam_s is None else round(jam_s * tps)
        self.car = types[0]
        self.lanes, self.movements = city.lanes, city.movements

    def ticks(self, seconds: npt.ArrayLike) -> I4:
        whole: I4 = np.rint(np.asarray(seconds, float) * self.tps).astype(np.int32)
        return whole

    def build(self) -> Network:
        links = self._links()
        lane_speed, lane_length = self._lane_geometry(links)
        via_s, link_speed, before_s = self._passage(links)
        turns, turn = np.unique(
            links[["street", "to_street"]].to_numpy(np.int32), axis=0, return_inverse=True
        )
        turn = turn.reshape(-1)
        n_streets = len(self.city.streets)
        yield_ptr, foe, movement_link = foes(self, links, link_speed)
        lag, capacity = self._storage(links, lane_length, lane_speed, via_s)
        inner = self._inner(links)
        beside_ptr, sibling = sibling_places(self, links)
        up_ptr, upstream = upstream_links(self, links, foe, lane_length, lane_speed, via_s)
        lane_link = pointers(links["lane"].to_numpy(), len(lane_speed))
        lane = records(
            LANE_CONST,
            **self._lane_places(links, capacity, inner),
            length=lane_length,
            capacity=capacity,
            lag=lag,
            link=lane_link[:-1],
            link_end=lane_link[1:],
            short=lane_length < np.maximum(par.CHANGE_M, par.STRATEGIC_S * lane_speed),
            up=up_ptr[:-1],
            up_end=up_ptr[1:],
        )
        link = records(
            LINK_CONST,
            lane=links["lane"],
            street=links["to_street"],
            into=self._into(links),
            inner=inner,
            wait=links["wait"],
            turn=turn,
            via=self.ticks(via_s),
            yields=yield_ptr[:-1],
            yields_end=yield_ptr[1:],
            beside=beside_ptr[:-1],
            beside_end=beside_ptr[1:],
            **driver_times(self, links, link_speed, before_s),
        )
        spacing = np.array([t.spacing_m for t in self.types])[:, None]
        tau = np.array([t.tau_s for t in self.types])[:, None]
        arrays = NetArrays(
            lane=lane,
            link=link,
            link_street=np.ascontiguousarray(link["street"]),
            type=self._type_records(),
            street_lane=pointers(self.lanes["street"].to_numpy(), n_streets),
            foe=foe,
            sibling=sibling,
            upstream=upstream,
            headway=np.maximum(1, self.ticks(tau + spacing / link_speed[None, :])),
            entry_headway=np.maximum(1, self.ticks(tau + spacing / lane_speed[None, :])),
            **self._rules(),
        )
        return self._network(arrays, links, turns, turn, movement_link, lane_speed)

    def _lane_places(self, links: pd.DataFrame, capacity: I4, inner: I4) -> dict[str, Any]:
        """Fields of lanes and waiting places: whose they are, who may enter, and their rings."""
        n_lanes, n_all, n_streets = len(self.lanes), len(capacity), len(self.city.streets)
        street = np.full(n_all, -1, np.int32)
        street[:n_lanes] = self.lanes["street"]
        classes = np.full(n_all, 255, np.int32)
        classes[:n_lanes] = (
            self.lanes["cars"] * par.CAR
            + self.lanes["lorries"] * par.LORRY
            + self.lanes["buses"] * par.BUS
        )
        extra = np.zeros(n_streets, np.int32)
        np.maximum.at(extra, links["to_street"].to_numpy(), inner)
        most = capacity.copy()
        most[:n_lanes] += extra[self.lanes["street"].to_numpy()]
        size = most // min(round(t.spacing_m * 100) for t in self.types) + 2
        place = np.concatenate([street[:n_lanes], n_streets + np.arange(n_all - n_lanes)])
        ring = np.cumsum(size) - size
        return {"street": street, "place": place, "classes": classes, "ring": ring, "size": size}

    def _type_records(self) -> Any:
        return records(
            TYPE_CONST,
            cm=[round(t.spacing_m * 100) for t in self.types],
            bit=[par.CLASS_BITS[t.vehicle_class] for t in self.types],
            speed=[t.max_speed_m_s for t in self.types],
            stopping=self.ticks(
                [par.URBAN_M_S / 2 * (1 / t.accel_m_s2 + 1 / t.decel_m_s2) for t in self.types]
            ),
        )

    def _rules(self) -> dict[str, Any]:
        """Constants of the whole network, durations in ticks."""
        follow_s = par.START_WAVE_S + np.sqrt(2 * self.car.spacing_m / self.car.accel_m_s2)
        seconds = {
            "look": par.LOOK_S,
            "standing": par.STANDING_S,
            "impatient": par.IMPATIENT_S,
            "seen": par.SEEN_S,
            "circle": par.CIRCLE_S,
            "relied": par.RELIED_S,
            "stop": par.STOP_S,
            "follow": follow_s,
            "line": np.sqrt(2 * par.LINE_M / self.car.accel_m_s2),
        }
        ticks = {name: int(self.ticks(s)) for name, s in seconds.items()}
        return {**ticks, "change_m": par.CHANGE_M, "jam": self.jam, "tps": self.tps}

    def _network(
        self,
        arrays: NetArrays,
        links: pd.DataFrame,
        turns: I4,
        turn: npt.NDArray[np.intp],
        movement_link: I4,
        lane_speed: F8,
    ) -> Network:
        street = self.city.streets
        length = street["length_m"].to_numpy(float)
        speed = street["speed_m_s"].to_numpy(float)
        first = links["stage"].to_numpy() != 2
        count = np.maximum(1, np.bincount(turn[first], minlength=len(turns)))
        inside_s = links["length_m"] / links["speed_m_s"]
        turn_s = np.bincount(turn[first], weights=inside_s[first], minlength=len(turns)) / count
        turn_m = np.bincount(turn[first], weights=links["length_m"][first], minlength=len(turns))
        free = length / speed
        return Network(
            arrays=arrays,
            signals=self._signals(movement_link),
            types=self.types,
            turns=turns,
            turn_free_s=free[turns[:, 0]] + turn_s,
            turn_m=turn_m / count,
            street_m=length,
            street_speed=speed,
            exit_free_s=free,
            lane_speed=lane_speed,
            n_lanes=len(self.lanes),
            movement_link=movement_link,
            walk_clearance_s=_walk_clearance_s(self.city.signals, self.movements),
            signal_ids=tuple(_one_each(self.city.signals)["id"]),
            street_ids=tuple(street["id"]),
        )

    def _links(self) -> pd.DataFrame:
        """One row a link, sorted by lane; `movement` is the primary movement of the pair."""
        m = self.movements.drop(columns="geometry").reset_index(names="movement")
        yields = self.city.conflicts.loc[self.city.conflicts["yields"], "movement"].unique()
        pairs = m.drop_duplicates(["lane", "to_street"], keep="first").copy()
        waits = (pairs["wait_m"] > 0) & pairs["movement"].isin(yields)
        pairs["stage"] = np.where(waits, 1, 0)
        pairs["wait"] = -1
        pairs.loc[waits, "wait"] = len(self.lanes) + np.arange(int(waits.sum()))
        second = pairs[waits].copy()
        second["lane"] = second["wait"]
        second["wait"] = -1
        second["stage"] = 2
        links = pd.concat([pairs, second], ignore_index=True)
        ordered: pd.DataFrame = links.sort_values(
            ["lane", "to_street"], kind="stable", ignore_index=True
        )
        return ordered

    def _lane_geometry(self, links: pd.DataFrame) -> tuple[F8, F8]:
        inner = links[links["stage"] == 1].sort_values("wait")
        speed = np.concatenate([self.lanes["speed_m_s"], inner["speed_m_s"]])
        length = np.concatenate([self.lanes["length_m"], inner["wait_m"]])
        return np.maximum(speed, 0.5).astype(float), np.maximum(length, 0.1).astype(float)

    def _passage(self, links: pd.DataFrame) -> tuple[F8, F8, F8]:
        """Seconds from the stop line to the next lane with slowing for it; speed there; slowing.

        Who comes at v and is at v' at the line loses (v - v')^2 / 2bv before it.  Behind it
        they speed up to what the way allows, and on the next street to what that allows.
        """
        turn = np.maximum(links["speed_m_s"].to_numpy(float), 1.0)
        sight = np.sqrt(2 * (self.car.speeding_up_m_s2 + self.car.decel_m_s2) * par.SIGHT_M)
        looks = is_minor(self, links)
        line = np.where(looks, np.minimum(sight, turn), turn)
        street = self.city.streets
        speed, length = street["speed_m_s"].to_numpy(float), street["length_m"].to_numpy(float)
        driven = self._driven
        v_from = driven(np.maximum(speed[links["street"]], line))
        v_to = driven(np.maximum(speed[links["to_street"]], line))
        v_line, v_turn = driven(line), driven(turn)
        before = (v_from - v_line) ** 2 / (2 * self.car.decel_m_s2 * v_from)
        # who acts once a step is down to v' half a step early to look, half a step late to turn;
        # under a light most come out of a queue, and do neither
        step = (1 - v_line / v_from) * self.car.step_s / 2
        signed = links["signal"].to_numpy(int) < 0
        before = np.maximum(0.0, before + np.where(signed, np.where(looks, step, -step), 0.0))
        stage = links["stage"].to_numpy()
        wait_m = links["wait_m"].to_numpy(float)
        inside = links["length_m"].to_numpy(float) - np.where(stage == 2, wait_m, 0.0)
        path, v_end = self._speeding_up(v_line, v_turn, np.maximum(inside, 0.0))
        after, reached = self._speeding_up(v_end, v_to, length[links["to_street"]])
        after = np.maximum(0.0, after - length[links["to_street"]] / v_to)
        before = np.where(stage == 2, 0.0, before)
        return before + np.where(stage == 1, 0.0, path + after), line, before

    def _driven(self, speed: F8) -> F8:
        """Mean speed of drivers who aim at a speed."""
        return np.asarray(np.maximum(speed - self.car.dawdle_m_s, speed / 2))

    def _speeding_up(self, start: F8, end: F8, metres: F8) -> tuple[F8, F8]:
        """Seconds over a distance for who speeds up from one speed to another; speed then."""
        a = self.car.accel_m_s2
        reach = np.maximum(start, np.minimum(end, np.sqrt(start**2 + 2 * a * metres)))
        used = (reach**2 - start**2) / (2 * a)
        seconds = (reach - start) / a + (metres - used) / np.maximum(reach, end)
        return seconds, reach

    def _storage(self, links: pd.DataFrame, length: F8, speed: F8, via_s: F8) -> tuple[I4, I4]:
        """Lag of the backward wave (less the way through the junction), and room, cm.

        With N = max(1, floor(L / s)) places the lag is L / w - (L / s - N) / q, so that a
        short lane carries the saturation flow q.  A vehicle takes its place when it enters the
        junction; where that is so far ahead that the lag would be negative, those on their way
        through the junction have places of their own, as many as q needs.
        """
        car = self.car
        places = np.floor(length / car.spacing_m + 1e-9)
        # the last to wait inside a junction stands with its front behind the stop line
        places += np.arange(len(length)) >= len(self.lanes)
        places = np.maximum(1, places)
        headway = car.tau_s + car.spacing_m / speed
        lag = length * car.tau_s / car.spacing_m - (length / car.spacing_m - places) * headway
        street = links["to_street"].to_numpy()
        stage = links["stage"].to_numpy()
        direct = stage != 1
        count = np.bincount(street[direct], minlength=len(self.city.streets))
        total = np.bincount(street[direct], via_s[direct], minlength=len(count))
        mean_via = total / np.maximum(count, 1)
        lag[: len(self.lanes)] -= mean_via[self.lanes["street"].to_numpy()]
        lag[links["wait"].to_numpy()[~direct]] -= via_s[~direct]
        inside = np.maximum(0.0, np.ceil(-lag / headway - 1e-9))
        places, lag = places + inside, lag + inside * headway
        capacity = np.rint(places * car.spacing_m * 100).astype(np.int32)
        return np.maximum(1, self.ticks(lag)), capacity

    def _inner(self, links: pd.DataFrame) -> I4:
        """Room on the way through the junction, cm, for ways that meet no other.

        Where ways meet, nobody enters who would have to stop between them.
        """
        meets = np.isin(links["movement"].to_numpy(), self.city.conflicts["movement"].to_numpy())
        places = np.floor(links["length_m"].to_numpy(float) / self.car.spacing_m + 1e-9)
        room = np.where(meets, 0.0, places * self.car.spacing_m * 100)
        return np.rint(room).astype(np.int32)

    def _into(self, links: pd.DataFrame) -> I4:
        """Lanes of the next street to which movements of the pair lead, as bits."""
        m, n_streets = self.movements, len(self.city.streets)
        first = pointers(self.lanes["street"].to_numpy(), n_streets)
        lane, to_street = m["lane"].to_numpy(np.int64), m["to_street"].to_numpy(np.int64)
        place = np.minimum(m["to_lane"].to_numpy() - first[to_street], 30)
        pairs, pair = np.unique(lane * n_streets + to_street, return_inverse=True)
        bits = np.zeros(len(pairs), np.int32)
        np.bitwise_or.at(bits, pair, np.left_shift(1, place).astype(np.int32))
        own = links["movement"].to_numpy()
        lanes: I4 = bits[np.searchsorted(pairs, lane[own] * n_streets + to_street[own])]
        return lanes

    def _signals(self, movement_link: I4) -> SignalArrays:
        table, m = self.city.signals, self.movements
        n = int(table["signal"].max()) + 1 if len(table) else 0
        signalled = m[m["signal"] >= 0]
        frame = pd.DataFrame(
            {
                "signal": signalled["signal"],
                "link": movement_link[signalled.index.to_numpy()],
                "column": signalled["link"],
            }
        ).drop_duplicates(["signal", "link"])
        frame = frame.sort_values(["signal", "column"], ignore_index=True)
        link = pointers(frame["signal"].to_numpy(), n)
        light = _lights(table, link, frame["column"].to_numpy(np.intp))
        duration = np.maximum(1, self.ticks(table["duration_s"]))
        pointer = pointers(table["signal"].to_numpy(), n)
        detectors = place_detectors(self.city)
        cycle = np.add.reduceat(duration, pointer[:-1]) if n else np.zeros(0, np.int32)
        offset = _one_each(table)["offset_s"].to_numpy(float)
        actuated = table.groupby("signal")["kind"].first() == "actuated"
        return SignalArrays(
            phase=pointer,
            duration=duration,
            light=light,
            link=link,
            links=frame["link"].to_numpy(np.int32, copy=True),  # pandas' own is read-only, which
            offset=self.ticks(offset),
            cycle=np.asarray(cycle, np.int32),
            actuated=actuated.to_numpy(bool, copy=True),  # would compile every kernel once more
            least=np.maximum(1, self.ticks(table["min_s"])),
            most=np.maximum(1, self.ticks(table["max_s"])),
            extends=detectors.phase,
            detectors=detectors.extends,
            detector=self._detectors(detectors),
            max_gap=int(self.ticks(par.MAX_GAP_S)),
            detector_gap=int(self.ticks(par.DETECTOR_GAP_S)),
        )

    def _detectors(self, detectors: Detectors) -> Records:
        """When the fronts, and the rears, of the vehicles of a lane pass its detector."""
        rows = np.zeros(len(detectors.lane), DETECTOR)
        rows["lane"] = detectors.lane
        speed = self.lanes["speed_m_s"].to_numpy(float)[detectors.lane]
        for part, metres in (("", 0.0), ("_left", self.car.length_m)):
            before_m = np.maximum(0.0, detectors.before_m - metres)
            standing = np.maximum(0.0, (before_m - par.LINE_M) / self.car.spacing_m)
            places = np.ceil(standing - 1e-9)
            moved_s = (places - standing) * (self.car.tau_s + self.car.spacing_m / speed)
            rows["ahead" + part] = self.ticks(before_m / speed)
            rows["places" + part] = places
            rows["wave" + part] = self.ticks(standing * par.START_WAVE_S + moved_s)
        return rows


def _lights(table: pd.DataFrame, link: I4, column: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """[rows, most links of a signal] what each row of the programs shows to the signal's links."""
    signal = table["signal"].to_numpy(np.intp)
    counts = np.diff(link)
    light = np.full((len(table), int(counts.max(initial=0))), UNSIGNALLED, np.uint8)
    shown = np.full(256, UNSIGNALLED, np.uint8)
    for state, value in LIGHT.items():
        shown[ord(state)] = value
    row = np.repeat(np.arange(len(table)), counts[signal])
    nth = np.arange(len(row)) - np.repeat(
        np.cumsum(counts[signal]) - counts[signal], counts[signal]
    )
    states = state_codes(table["state"])
    light[row, nth] = shown[states[row, column[link[signal[row]] + nth]]]
    return light


def _walk_clearance_s(table: pd.DataFrame, movements: pd.DataFrame) -> F8:
    """[rows] see `twin.traffic.junctions.walk_clearance_s`."""
    found = np.zeros(len(table))
    if not len(table):
        return found
    shown = np.full(256, UNSIGNALLED, np.uint8)
    for state, value in LIGHT.items():
        shown[ord(state)] = value
    states = shown[state_codes(table["state"])]
    width = table["state"].str.len().to_numpy()
    pointer = pointers(table["signal"].to_numpy(), int(table["signal"].max()) + 1)
    signalled = movements[movements["signal"] >= 0]
    columns = dict(tuple(signalled.groupby("signal")["link"]))
    duration_s = table["duration_s"].to_numpy(float)
    for s in range(len(pointer) - 1):
        first, end = int(pointer[s]), int(pointer[s + 1])
        driven = np.zeros(int(width[first]), bool)
        driven[np.asarray(columns.get(s, []), np.intp)] = True
        if driven.all():
            continue
        own = states[first:end, : len(driven)]
        for row in range(first, end):
            order = np.roll(np.arange(end - first), first - row)
            found[row] = walk_clearance_s(own[order], driven, duration_s[first:end][order])
    return found


def _one_each(signals: pd.DataFrame) -> pd.DataFrame:
    """The first row of each signal."""
    return signals.drop_duplicates("signal").sort_values("signal")


def rebuilt_signals(network: Network, city: City) -> Network:
    """The network with the programs of a city that differs in its signals only."""
    tps = network.arrays.tps
    builder = Builder(city, network.types, tps, None)
    signals = builder._signals(network.movement_link)
    clearance_s = _walk_clearance_s(city.signals, city.movements)
    return replace(network, signals=signals, walk_clearance_s=clearance_s)
