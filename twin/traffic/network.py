"""The streets as flat arrays: what the compiled kernel reads and never changes.

Kernel lanes are the city's lanes, followed by one *waiting place* for every movement that
may wait inside the junction (a permitted left turn).  Such a movement becomes two links:
from the lane to the waiting place under the signal, and from there, yielding, to the
street.  Every other (lane, street) pair that a movement connects becomes one link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.clock import TICKS_PER_SECOND
from twin.errors import InputError
from twin.traffic import parameters as par

if TYPE_CHECKING:
    from twin.city import City

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]

NO_LIMIT = 2**30
RED, YELLOW, MINOR, MAJOR, UNSIGNALLED = 0, 1, 2, 3, 4
_LIGHT = {"r": RED, "u": RED, "y": YELLOW, "Y": YELLOW, "g": MINOR, "s": MINOR, "G": MAJOR}


LANE_CONST = np.dtype(
    [
        ("street", "i4"),  # -1 for a waiting place
        ("place", "i4"),  # street, or streets + k for waiting place k: where room is awaited
        ("length", "f4"),  # m
        ("capacity", "i4"),  # cm that standing vehicles may take
        ("lag", "i4"),  # ticks from a departure until its place is free again
        ("link", "i4"),  # its links are link:link_end
        ("link_end", "i4"),
        ("ring", "i4"),  # its slots are ring:ring + size
        ("size", "i4"),
        ("classes", "i4"),  # bits of the classes that may enter
    ]
)
LINK_CONST = np.dtype(
    [
        ("lane", "i4"),  # from
        ("street", "i4"),  # the street that it leads to
        ("wait", "i4"),  # waiting place that it enters, or -1
        ("turn", "i4"),  # pair of streets, position in Network.turns
        ("via", "i4"),  # ticks from the stop line to the next lane
        ("start", "i4"),  # ticks lost in getting away from a stand
        ("braking", "i4"),  # ticks of yellow in which a moving vehicle can't stop
        ("gap_moving", "i4"),  # gap accepted, ticks
        ("gap_standing", "i4"),
        ("clear", "i4"),  # ticks for which a vehicle blocks those who yield to it
        ("follow", "i4"),  # follow-up time of vehicles that yielded, ticks
        ("yields", "i4"),  # links with right of way: yield_link[yields:yields_end]
        ("yields_end", "i4"),
    ]
)
TYPE_CONST = np.dtype([("cm", "i4"), ("bit", "i4"), ("speed", "f4")])
Records = npt.NDArray[np.void]


class NetArrays(NamedTuple):
    """Constants of the kernel; ticks are those of the clock."""

    lane: Records  # LANE_CONST: the city's lanes, then waiting places
    link: Records  # LINK_CONST, sorted by lane
    type: Records  # TYPE_CONST
    street_lane: I4  # [streets + 1] lanes of a street
    yield_link: I4
    headway: I4  # [types, links] saturation headway, ticks
    entry_headway: I4  # [types, lanes]
    look: int  # ticks between two looks for a gap
    standing: int
    patience: int
    jam: int  # ticks without room after which a vehicle is taken past the jam
    tps: int  # ticks per second


class SignalArrays(NamedTuple):
    """Programs of all signals."""

    phase: I4  # [signals + 1] rows of a signal
    duration: I4  # [rows] ticks
    light: npt.NDArray[np.uint8]  # [rows, most links of a signal]
    link: I4  # [signals + 1] into links
    links: I4  # kernel links of a signal, in the order of the columns of `light`
    offset: I4  # [signals] ticks
    cycle: I4  # [signals] ticks


@dataclass(frozen=True)
class Network:
    """Arrays of the kernel and how they map to the city.

    Attributes
    ----------
    arrays, signals
        What the kernel reads.
    types
        Vehicle types; a vehicle's type is a position in it.
    turns
        [turns, 2] pairs (street, next street), sorted.
    turn_free_s, exit_free_s
        Seconds without traffic to pass a street and the turn; to pass a last street.
    turn_m
        Length of the path inside the junction.
    n_lanes
        Lanes of the city; waiting places have higher numbers.
    movement_link
        [movements] the link of the stop line that serves a movement of the city.
    """

    arrays: NetArrays
    signals: SignalArrays
    types: tuple[par.VehicleType, ...]
    turns: I4
    turn_free_s: F8
    turn_m: F8
    street_m: F8
    street_speed: F8
    exit_free_s: F8
    lane_speed: F8
    n_lanes: int
    movement_link: I4
    signal_ids: tuple[str, ...]
    street_ids: tuple[str, ...]

    @property
    def n_streets(self) -> int:
        """How many streets."""
        return len(self.street_ids)

    @classmethod
    def from_city(
        cls,
        city: City,
        types: Sequence[par.VehicleType] = par.DEFAULT_TYPES,
        ticks_per_second: int = TICKS_PER_SECOND,
        jam_s: float | None = par.JAM_S,
    ) -> Network:
        """Flatten the city's tables.

        Parameters
        ----------
        jam_s
            Wait without room after which a vehicle is taken past the jam; None never does.

        Raises
        ------
        InputError
            If no street may be driven on, or more vehicle types than 250 are given.
        """
        if len(types) > 250:
            msg = f"{len(types)} vehicle types: the kernel holds 250, merge those that are alike"
            raise InputError(msg)
        if not bool((city.lanes["cars"] | city.lanes["lorries"] | city.lanes["buses"]).any()):
            msg = f"{city.name}: no street that vehicles may use; take an extract with roads"
            raise InputError(msg)
        return _Builder(city, tuple(types), ticks_per_second, jam_s).build()

    def turn_of(self, street: npt.ArrayLike, following: npt.ArrayLike) -> I4:
        """Turn number of pairs of streets, -1 where the city has no such movement."""
        n = self.n_streets
        keys = self.turns[:, 0].astype(np.int64) * n + self.turns[:, 1]
        wanted = np.asarray(street, np.int64) * n + np.asarray(following, np.int64)
        at = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
        if len(keys) == 0:
            return np.full(wanted.shape, -1, np.int32)
        found: I4 = np.where(keys[at] == wanted, at, -1).astype(np.int32)
        return found


def _pointers(sorted_key: npt.NDArray[Any], n: int) -> I4:
    return np.searchsorted(sorted_key, np.arange(n + 1)).astype(np.int32)


def _records(dtype: np.dtype[np.void], **columns: npt.ArrayLike) -> Records:
    first = np.asarray(next(iter(columns.values())))
    records = np.zeros(len(first), dtype)
    for name, values in columns.items():
        records[name] = np.asarray(values)
    return records


class _Builder:
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
        via_s, link_speed = self._passage(links)
        n_lanes, n_all = len(self.lanes), len(lane_speed)
        turns, turn = np.unique(
            links[["street", "to_street"]].to_numpy(np.int32), axis=0, return_inverse=True
        )
        turn = turn.reshape(-1)
        street = self.city.streets
        n_streets = len(street)
        yield_ptr, yield_link, movement_link = self._yields(links)
        lane_lag, capacity = self._storage(links, lane_length, lane_speed, via_s)
        ring = capacity // min(round(t.spacing_m * 100) for t in self.types) + 2
        spacing = np.array([t.spacing_m for t in self.types])[:, None]
        tau = np.array([t.tau_s for t in self.types])[:, None]
        lane_street = np.full(n_all, -1, np.int32)
        lane_street[:n_lanes] = self.lanes["street"]
        classes = np.full(n_all, 255, np.int32)
        classes[:n_lanes] = (
            self.lanes["cars"] * par.CAR
            + self.lanes["lorries"] * par.LORRY
            + self.lanes["buses"] * par.BUS
        )
        lane_link = _pointers(links["lane"].to_numpy(), n_all)
        lane = _records(
            LANE_CONST,
            street=lane_street,
            place=np.concatenate(
                [lane_street[:n_lanes], n_streets + np.arange(n_all - n_lanes)]
            ),
            length=lane_length,
            capacity=capacity,
            lag=lane_lag,
            link=lane_link[:-1],
            link_end=lane_link[1:],
            ring=np.cumsum(ring) - ring,
            size=ring,
            classes=classes,
        )
        link = _records(
            LINK_CONST,
            lane=links["lane"],
            street=links["to_street"],
            wait=links["wait"],
            turn=turn,
            via=self.ticks(via_s),
            yields=yield_ptr[:-1],
            yields_end=yield_ptr[1:],
            **self._behaviour(links, link_speed),
        )
        arrays = NetArrays(
            lane=lane,
            link=link,
            type=_records(
                TYPE_CONST,
                cm=np.rint(spacing[:, 0] * 100),
                bit=[par.CLASS_BITS[t.vehicle_class] for t in self.types],
                speed=[t.max_speed_m_s for t in self.types],
            ),
            street_lane=_pointers(self.lanes["street"].to_numpy(), n_streets),
            yield_link=yield_link,
            headway=np.maximum(1, self.ticks(tau + spacing / link_speed[None, :])),
            entry_headway=np.maximum(1, self.ticks(tau + spacing / lane_speed[None, :])),
            look=int(self.ticks(par.LOOK_S)),
            standing=int(self.ticks(par.STANDING_S)),
            patience=int(self.ticks(par.PATIENCE_S)),
            jam=self.jam,
            tps=self.tps,
        )
        return self._network(arrays, links, turns, turn, movement_link, lane_speed)

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
            signal_ids=tuple(self.city.signals.groupby("signal")["id"].first()),
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

    def _passage(self, links: pd.DataFrame) -> tuple[F8, F8]:
        """Seconds from the stop line to the next lane with slowing for the turn; speed there.

        A turn taken at v' between streets of v costs (v - v')^2 / 2bv before and what the
        acceleration a lacks on the next street after it, as far as that street is long.
        """
        v_turn = np.maximum(links["speed_m_s"].to_numpy(float), 1.0)
        street = self.city.streets
        v_from = np.maximum(
            street["speed_m_s"].to_numpy(float)[links["street"]], v_turn
        )
        v_to = np.maximum(street["speed_m_s"].to_numpy(float)[links["to_street"]], v_turn)
        next_m = street["length_m"].to_numpy(float)[links["to_street"]]
        a, b = self.car.accel_m_s2, self.car.decel_m_s2
        before = (v_from - v_turn) ** 2 / (2 * b * v_from)
        reach = np.minimum(v_to, np.sqrt(v_turn**2 + 2 * a * next_m))
        used = (reach**2 - v_turn**2) / (2 * a)
        after = (reach - v_turn) / a - used / v_to
        stage = links["stage"].to_numpy()
        wait_m = links["wait_m"].to_numpy(float)
        inside = links["length_m"].to_numpy(float) - np.where(stage == 2, wait_m, 0.0)
        path = np.where(stage == 1, 0.0, np.maximum(inside, 0.0) / v_turn)
        return (
            path + np.where(stage == 2, 0.0, before) + np.where(stage == 1, 0.0, after),
            v_turn,
        )

    def _storage(
        self, links: pd.DataFrame, length: F8, speed: F8, via_s: F8
    ) -> tuple[I4, I4]:
        """Lag of the backward wave (less the way through the junction), and room, cm.

        With N = max(1, floor(L / s)) places the lag is L / w - (L / s - N) / q, so that a
        short lane carries the saturation flow q.  A vehicle takes its place when it enters the
        junction; where that is so far ahead that the lag would be negative, those on their way
        through the junction have places of their own, as many as q needs.
        """
        car = self.car
        places = np.maximum(1, np.floor(length / car.spacing_m + 1e-9))
        headway = car.tau_s + car.spacing_m / speed
        lag = length * car.tau_s / car.spacing_m - (length / car.spacing_m - places) * headway
        street = links["to_street"].to_numpy()
        stage = links["stage"].to_numpy()
        direct = stage != 1
        count = np.bincount(street[direct], minlength=len(self.city.streets))
        total = np.bincount(street[direct], via_s[direct], minlength=len(count))
        mean_via = total / np.maximum(count, 1)
        lag[: len(self.lanes)] -= mean_via[self.lanes["street"].to_numpy()]
        inside = np.maximum(0.0, np.ceil(-lag / headway - 1e-9))
        places, lag = places + inside, lag + inside * headway
        capacity = np.rint(places * car.spacing_m * 100).astype(np.int32)
        return np.maximum(1, self.ticks(lag)), capacity

    def _behaviour(self, links: pd.DataFrame, v: F8) -> dict[str, I4]:
        """Times of drivers at each link, ticks."""
        a, b = self.car.accel_m_s2, self.car.decel_m_s2
        stage = links["stage"].to_numpy()
        inside = links["length_m"] - np.where(stage == 2, links["wait_m"], 0.0)
        way = np.maximum(inside.to_numpy(float), 0.0) + self.car.length_m
        ramp_m = np.minimum(way, v**2 / (2 * a))
        standing = np.sqrt(2 * ramp_m / a) + (way - ramp_m) / v
        follow = self.car.tau_s + np.sqrt(2 * self.car.spacing_m / a)
        return {
            "gap_moving": self.ticks(way / v + par.GAP_MARGIN_S),
            "gap_standing": self.ticks(standing + par.GAP_MARGIN_S),
            "clear": self.ticks((links["length_m"].to_numpy(float) / 2 + self.car.length_m) / v),
            "start": self.ticks(v / (2 * a)),
            "braking": self.ticks(v / (2 * b)),
            "follow": self.ticks(np.full(len(links), follow)),
        }

    def _yields(self, links: pd.DataFrame) -> tuple[I4, I4, I4]:
        """Links with right of way over each link, and the stop-line link of each movement."""
        n_moves = len(self.movements)
        stop = links[links["stage"] != 2]
        keys = pd.MultiIndex.from_arrays([stop["lane"], stop["to_street"]])
        at = keys.get_indexer(
            pd.MultiIndex.from_arrays([self.movements["lane"], self.movements["to_street"]])
        )
        movement_link = stop.index.to_numpy()[at].astype(np.int32)
        last = np.full(n_moves, -1, np.int64)  # the yielding half of a movement
        second = links[links["stage"] == 2]
        inner = dict(zip(second["movement"], second.index, strict=True))
        primary = links["movement"].to_numpy()
        for movement in range(n_moves):
            last[movement] = inner.get(primary[movement_link[movement]], movement_link[movement])
        conflicts = self.city.conflicts[self.city.conflicts["yields"]]
        ego = last[conflicts["movement"].to_numpy(int)]
        foe = conflicts["foe"].to_numpy(int)
        pairs = np.concatenate(
            [np.stack([ego, movement_link[foe]], 1), np.stack([ego, last[foe]], 1)]
        ).astype(np.int64)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
        lane = links["lane"].to_numpy()
        pairs = pairs[lane[pairs[:, 0]] != lane[pairs[:, 1]]]
        return _pointers(pairs[:, 0], len(links)), pairs[:, 1].astype(np.int32), movement_link

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
        most = int(frame.groupby("signal").size().max()) if len(frame) else 0
        light = np.full((len(table), most), UNSIGNALLED, np.uint8)
        for s, group in frame.groupby("signal"):
            rows = np.flatnonzero(table["signal"].to_numpy() == s)
            for row in rows:
                state = str(table["state"].iloc[row])
                light[row, : len(group)] = [
                    _LIGHT.get(state[c], UNSIGNALLED) for c in group["column"]
                ]
        duration = np.maximum(1, self.ticks(table["duration_s"]))
        pointer = _pointers(table["signal"].to_numpy(), n)
        cycle = np.add.reduceat(duration, pointer[:-1]) if n else np.zeros(0, np.int32)
        offset = table.groupby("signal")["offset_s"].first().to_numpy(float)
        return SignalArrays(
            phase=pointer,
            duration=duration,
            light=light,
            link=_pointers(frame["signal"].to_numpy(), n),
            links=frame["link"].to_numpy(np.int32),
            offset=self.ticks(offset),
            cycle=np.asarray(cycle, np.int32),
        )
