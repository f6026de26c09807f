"""Synthetic grids of any size as cities, and traffic on them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from twin.city import City, schema
from twin.traffic.network import Network
from twin.traffic.state import Vehicles

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EAST, SOUTH, WEST, NORTH = range(4)
STEP = np.array([(1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0)])  # by direction
STRAIGHT, RIGHT, LEFT = 0, 1, 3  # added to a direction, the next one
LETTER = {STRAIGHT: "s", RIGHT: "r", LEFT: "l"}
TURN_M_S = {STRAIGHT: 13.89, RIGHT: 6.0, LEFT: 7.0}
INNER_M, LANE_M, WAIT_M = 10.0, 1.75, 8.0  # half a junction, half a lane, way to the waiting place
GREEN_S, YELLOW_S = 30.0, 3.0


def city(side: int, *, seed: int = 1, least_m: float = 80.0, most_m: float = 210.0) -> City:
    """Return a city of side × side junctions with signals, streets of one lane each way.

    Columns and rows lie least_m to most_m apart, at random.  Signals have two phases of 30 s,
    yellow of 3 s, and offsets at random; left turns are permitted: they wait inside the junction
    for those who come towards them.
    """
    draw = np.random.default_rng(seed)
    gaps = draw.uniform(least_m, most_m, (2, side))
    x, y = (np.concatenate([[0.0], np.cumsum(g[:-1])]) for g in gaps)
    at = np.stack([np.tile(x, side), np.repeat(-y, side)], axis=1)  # of each junction
    start, end, way = _streets(side)
    length = np.linalg.norm(at[end] - at[start], axis=1)
    crs = pyproj.CRS.from_epsg(25832)
    moves = _movements(at, start, end, way)
    tables: dict[str, Any] = {
        "junctions": {
            "id": _names("j", len(at)),
            "kind": ["traffic_light"] * len(at),
            "geometry": shapely.points(at),
        },
        **_street_tables(at, start, end, length),
        "movements": moves,
        "conflicts": _conflicts(moves, way),
        "signals": _signals(moves, way, len(at), draw),
    }
    built = {name: schema.build(name, columns, crs) for name, columns in tables.items()}
    for name in schema.TABLES:
        built.setdefault(name, schema.empty(name, crs))
    schema.check_structure(built, "grid")
    return City(name=f"grid of {side} x {side}", crs=crs, **built)


def _names(letter: str, number: int) -> list[str]:
    return [f"{letter}{k}" for k in range(number)]


def _streets(side: int) -> tuple[Integers, Integers, Integers]:
    """Junctions from and to, and direction, of every street, by the junction that it leaves."""
    node = np.arange(side * side).reshape(side, side)
    pairs = [(node[:, :-1], node[:, 1:], EAST), (node[:-1], node[1:], SOUTH)]
    pairs += [(b, a, way + 2) for a, b, way in pairs]
    start, end, way = (
        np.concatenate(part)
        for part in zip(
            *((a.ravel(), b.ravel(), np.full(a.size, d)) for a, b, d in pairs), strict=True
        )
    )
    order = np.lexsort((way, start))
    return start[order], end[order], way[order]


def _street_tables(at: Floats, start: Integers, end: Integers, length: Floats) -> dict[str, Any]:
    n = len(start)
    line = shapely.linestrings(np.stack([at[start], at[end]], axis=1))
    open_ = dict.fromkeys(("cars", "lorries", "buses"), np.ones(n, bool))
    same: dict[str, Any] = {
        "length_m": length, "speed_m_s": np.full(n, 13.89), "geometry": line, **open_,
    }  # fmt: skip
    return {
        "streets": {
            "id": _names("s", n), "from_junction": start, "to_junction": end,
            "osm_id": [""] * n, "name": [""] * n, "highway": ["residential"] * n,
            "lanes": np.ones(n), "priority": np.ones(n), **same,
        },
        "lanes": {
            "id": _names("l", n), "street": np.arange(n), "index": np.zeros(n),
            "width_m": np.full(n, 3.2), **same,
        },
    }  # fmt: skip


def _movements(at: Floats, start: Integers, end: Integers, way: Integers) -> dict[str, Any]:
    """Straight on, right and left at each junction, by junction, approach and turn."""
    leaving = np.full((len(at), 4), -1)
    leaving[start, way] = np.arange(len(start))
    street, turn = (part.ravel() for part in np.meshgrid(
        np.arange(len(start)), [STRAIGHT, RIGHT, LEFT], indexing="ij"))  # fmt: skip
    to_street = leaving[end[street], (way[street] + turn) % 4]
    street, turn, to_street = (part[to_street >= 0] for part in (street, turn, to_street))
    order = np.lexsort((turn, way[street], end[street]))
    street, turn, to_street = street[order], turn[order], to_street[order]
    junction = end[street]
    first = np.searchsorted(junction, np.arange(len(at)))
    link = np.arange(len(street)) - first[junction]
    path = _paths(at[junction], STEP[way[street]], STEP[way[to_street]])
    return {
        "lane": street, "to_lane": to_street, "street": street, "to_street": to_street,
        "junction": junction, "index": link, "direction": [LETTER[t] for t in turn.tolist()],
        "signal": junction, "link": link,
        "right_of_way": np.where(turn == LEFT, "o", "O").tolist(),
        "length_m": shapely.length(path),
        "speed_m_s": np.array([TURN_M_S[t] for t in turn.tolist()]),
        "wait_m": np.where(turn == LEFT, WAIT_M, 0.0), "geometry": path,
    }  # fmt: skip


def _paths(centre: Floats, before: Floats, after: Floats) -> Any:
    """Ways through junctions: on the right lane straight to where the two directions meet."""

    def right_of(step: Floats) -> Floats:
        return np.stack([step[:, 1], -step[:, 0]], axis=1) * LANE_M

    enter = centre - INNER_M * before + right_of(before)
    leave = centre + INNER_M * after + right_of(after)
    straight = np.all(before == after, axis=1)[:, None]
    corner = centre + right_of(before) + right_of(after)
    middle = np.where(straight, (enter + leave) / 2, corner)
    return shapely.linestrings(np.stack([enter, middle, leave], axis=1))


def _conflicts(moves: dict[str, Any], way: Integers) -> dict[str, Any]:
    """Left turns yield to those who come towards them and go straight on or right."""
    direction = np.array(moves["direction"])
    junction, approach = moves["junction"], way[moves["street"]]
    row = np.full((int(junction.max()) + 1, 4, 3), -1)
    turn = np.select([direction == "s", direction == "r"], [0, 1], 2)
    row[junction, approach, turn] = np.arange(len(junction))
    left = np.flatnonzero(direction == "l")
    foe = row[junction[left], (approach[left] + 2) % 4]
    pairs = np.concatenate([np.stack([left, foe[:, k]], axis=1) for k in (0, 1)])
    pairs = pairs[pairs[:, 1] >= 0]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return {"movement": pairs[:, 0], "foe": pairs[:, 1], "yields": np.ones(len(pairs), bool)}


def _signals(
    moves: dict[str, Any], way: Integers, junctions: int, draw: np.random.Generator
) -> dict[str, Any]:
    """One program a junction: west and east, then north and south."""
    north_south = (way[moves["street"]] % 2 == SOUTH) + 0
    go = np.where(np.array(moves["direction"]) == "l", "g", "G")
    bounds = np.searchsorted(moves["junction"], np.arange(junctions + 1))
    shown = [np.where(north_south == side, sign, "r") for side in (0, 1) for sign in (go, "y")]
    states = ["".join(phase[a:b]) for a, b in pairwise(bounds) for phase in shown]
    seconds = np.tile([GREEN_S, YELLOW_S], 2 * junctions)
    offset = draw.integers(0, round(2 * (GREEN_S + YELLOW_S)), junctions)
    n = 4 * junctions
    return {
        "signal": np.repeat(np.arange(junctions), 4),
        "id": np.repeat(_names("s", junctions), 4), "program": ["0"] * n, "kind": ["static"] * n,
        "offset_s": np.repeat(offset, 4), "phase": np.tile(np.arange(4), junctions),
        "duration_s": seconds, "min_s": seconds, "max_s": seconds, "state": states,
    }  # fmt: skip


def walks(network: Network, number: int, streets: int, *, seed: int = 2) -> Vehicles:
    """Return vehicles that turn at random, all due within half a minute, so that streets fill."""
    draw = np.random.default_rng(seed)
    turns = network.turns
    first = np.searchsorted(turns[:, 0], np.arange(network.n_streets + 1))
    route = np.empty((number, streets), np.int32)
    route[:, 0] = draw.integers(0, network.n_streets, number)
    for k in range(1, streets):
        now = route[:, k - 1]
        options = first[now + 1] - first[now]
        route[:, k] = turns[first[now] + (draw.random(number) * options).astype(np.int64), 1]
    ptr = np.arange(number + 1, dtype=np.int64) * streets
    return _vehicles(draw, draw.uniform(0.0, 30.0, number), ptr, route.ravel())


def day(grid: City, trips: int, *, mean_blocks: float, seed: int = 3) -> Vehicles:
    """Return the trips of a day: two peaks, more of them near the centre.

    A trip goes mean_blocks far on average, east or west and north or south in a random order of
    blocks, and so on a way of the least number of streets.
    """
    draw = np.random.default_rng(seed)
    side = round(np.sqrt(len(grid.junctions)))
    start = _near_centre(draw, trips, side)
    move = draw.normal(0.0, mean_blocks / 2 * np.sqrt(np.pi / 2), (trips, 2))
    goal = np.clip(np.rint(start + move), 0, side - 1).astype(np.int64)
    goal[:, 0] += np.where((goal == start).all(axis=1), np.where(start[:, 0] > 0, -1, 1), 0)
    across, down = (np.abs(goal - start)).T
    ptr = np.concatenate([[0], np.cumsum(across + down)]).astype(np.int64)
    trip = np.repeat(np.arange(trips), across + down)
    # in each trip the blocks across come at random places: a random order of its rows
    nth = np.arange(len(trip)) - ptr[trip]
    order = np.argsort(trip + draw.random(len(trip)), kind="stable")
    along = np.empty(len(trip), bool)
    along[order] = nth < across[trip]
    sign = np.sign(goal - start)[trip]
    done = np.cumsum(along) - along
    done -= done[ptr[:-1]][trip]
    column = start[trip, 0] + sign[:, 0] * done
    row = start[trip, 1] + sign[:, 1] * (nth - done)
    direction = np.where(
        along, np.where(sign[:, 0] > 0, EAST, WEST), np.where(sign[:, 1] > 0, SOUTH, NORTH)
    )
    found, _, way = _streets(side)
    leaving = np.full((side * side, 4), -1, np.int32)
    leaving[found, way] = np.arange(len(found))
    return _vehicles(draw, _departures(draw, trips), ptr, leaving[row * side + column, direction])


def _near_centre(draw: np.random.Generator, number: int, side: int) -> Integers:
    place = draw.normal((side - 1) / 2, side / 4, (number, 2))
    outside = (place < 0) | (place > side - 1)
    place[outside] = draw.uniform(0, side - 1, int(outside.sum()))
    return np.rint(place).astype(np.int64)


def _departures(draw: np.random.Generator, number: int) -> Floats:
    """Sorted times of a day, s: 30 % around 8 h, 40 % around 17 h, the others from 6 to 22 h."""
    kind = draw.choice(3, number, p=[0.3, 0.4, 0.3])
    hour = np.select(
        [kind == 0, kind == 1],
        [draw.normal(8.0, 1.0, number), draw.normal(17.0, 1.5, number)],
        draw.uniform(6.0, 22.0, number),
    )
    return np.sort(np.clip(hour, 0.0, 23.5) * 3600.0)


def _vehicles(
    draw: np.random.Generator, due_s: Floats, ptr: Integers, street: npt.NDArray[np.int32]
) -> Vehicles:
    n = len(due_s)
    return Vehicles(
        due_s=due_s, kind=np.zeros(n, np.uint8), route_ptr=ptr, route_street=street,
        factor=draw.normal(1.0, 0.1, n).clip(0.8, 1.2).astype(np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )  # fmt: skip
