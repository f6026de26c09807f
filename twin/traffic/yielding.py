"""Who yields to whom, from where the others come, and the times of drivers at each link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.traffic import parameters as par
from twin.traffic.network import FOE, SIBLING, UPSTREAM, Records, pointers, records
from twin.traffic.parting import CAR_M, crossing_m, parting_m

if TYPE_CHECKING:
    from twin.traffic.building import Builder

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

UPSTREAM_STREETS = 4  # so many streets before a junction are looked at


def is_minor(of: Builder, links: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Links that must yield, at a sign or in some phase of their signal."""
    signal, column = links["signal"].to_numpy(np.intp), links["link"].to_numpy(np.intp)
    table = of.city.signals
    states, of_row = state_codes(table["state"]), table["signal"].to_numpy(np.intp)
    signals = 1 + max(int(signal.max(initial=-1)), int(of_row.max(initial=-1)))
    yielding = np.zeros((signals, max(states.shape[1], 1 + int(column.max(initial=-1)))), bool)
    row, place = np.nonzero((states == ord("g")) | (states == ord("s")))
    yielding[of_row[row], place] = True
    lit = np.zeros(len(links), bool)
    with_signal = signal >= 0
    lit[with_signal] = yielding[signal[with_signal], column[with_signal]]
    sign = links["right_of_way"].isin(list("mswZ=")).to_numpy(bool)
    return np.where(with_signal, lit, sign)


def state_codes(states: pd.Series[str]) -> npt.NDArray[np.uint8]:
    """[rows, longest state] the letters of each row's state as numbers, 0 behind its end."""
    length = np.array([len(state) for state in states], np.intp)
    codes = np.zeros((len(states), int(length.max(initial=0))), np.uint8)
    letters = np.frombuffer("".join(states).encode("ascii"), np.uint8)
    codes[np.arange(codes.shape[1]) < length[:, None]] = letters
    return codes


def driver_times(of: Builder, links: pd.DataFrame, v: F8, before_s: F8) -> dict[str, I4]:
    """Times of drivers at each link, ticks.

    `v` is the speed at the line, `before_s` what slowing down to it costs.
    """
    a, b = of.car.accel_m_s2, of.car.decel_m_s2
    stage = links["stage"].to_numpy()
    inside = links["length_m"] - np.where(stage == 2, links["wait_m"], 0.0)
    way = np.maximum(inside.to_numpy(float), 0.0) + of.car.length_m
    before_m = np.where(stage == 2, links["wait_m"], par.LINE_M).astype(float)
    coming = np.minimum(np.sqrt(2 * a * before_m), _foe_speed(of, links))
    leaving = np.minimum(np.sqrt(coming**2 + 2 * a * way), links["speed_m_s"].to_numpy(float))
    leaving = np.maximum(leaving, 1.0)
    standing = np.sqrt(2 * par.LINE_M / a) + 2 * way / (coming + leaving)
    sign = (links["right_of_way"] == "s").to_numpy() & (links["signal"] < 0).to_numpy()
    return {
        "stop": (sign & (stage != 2)).astype(np.int32),
        "gap_moving": of.ticks(before_s + way / v + of.car.step_s / 2 + par.GAP_MARGIN_S),
        "gap_standing": of.ticks(standing + par.GAP_MARGIN_S),
        "start": of.ticks(v / (2 * a)),
        "braking": of.ticks(v / (2 * b)),
    }


def _foe_speed(of: Builder, links: pd.DataFrame) -> F8:
    """Speed at which vehicles come to each link."""
    street = of.city.streets["speed_m_s"].to_numpy(float)
    return np.asarray(street[links["street"]])


def sibling_places(of: Builder, links: pd.DataFrame) -> tuple[I4, Records]:
    """Waiting places whose vehicles block other links of their lane.

    The k-th vehicle that waits has its back at wait - k spacing + gap; those who go
    elsewhere pass when that is beyond the point where the ways part.
    """
    inner = links[links["stage"] == 1]
    pairs = links[links["stage"] != 2].reset_index(names="own").merge(
        inner.reset_index(names="waits"), on="lane", suffixes=("", "_w")
    )  # fmt: skip
    pairs = pairs[pairs["own"] != pairs["waits"]].sort_values("own", kind="stable")
    part = parting_m(
        of.movements.geometry,
        pairs["movement_w"].to_numpy(np.intp),
        pairs["movement"].to_numpy(np.intp),
    )
    free_m = pairs["wait_m_w"].to_numpy(float) + of.car.gap_m - part
    most = np.maximum(0, np.floor(np.maximum(free_m, 0.0) / of.car.spacing_m))
    sibling = records(SIBLING, lane=pairs["wait_w"], most=most)
    return pointers(pairs["own"].to_numpy(), len(links)), sibling


def upstream_links(
    of: Builder, links: pd.DataFrame, foe: Records, length: F8, speed: F8, via_s: F8
) -> tuple[I4, Records]:
    """Links from which vehicles reach a lane that others yield to within SEEN_S."""
    n_lanes, stage = len(of.lanes), links["stage"].to_numpy()
    before = links["lane"].to_numpy(copy=True)  # a waiting place belongs to the lane before it
    first = links[stage == 1]
    before[stage == 2] = first.set_index("wait")["lane"].loc[before[stage == 2]].to_numpy()
    direct = np.flatnonzero(stage != 1)
    street = of.lanes["street"].to_numpy()
    lane_s = length / speed
    into = pd.DataFrame(
        {
            "street": links["to_street"].to_numpy()[direct],
            "link": direct,
            "before": before[direct],
            "via": via_s[direct],
        }
    )
    lane = np.unique(links["lane"].to_numpy()[foe["link"]])
    lane = lane[lane < n_lanes]
    reached = pd.DataFrame({"lane": lane, "street": street[lane], "seconds": lane_s[lane]})
    found = []
    for ahead in range(1, UPSTREAM_STREETS + 1):
        rows = reached.merge(into, on="street")
        rows["seconds"] += rows["via"]
        rows = rows[(rows["before"] != rows["lane"]) & (rows["seconds"] <= par.SEEN_S)]
        found.append(rows.assign(ahead=ahead)[["lane", "link", "seconds", "ahead"]])
        reached = pd.DataFrame(
            {
                "lane": rows["lane"],
                "street": street[rows["before"]],
                "seconds": rows["seconds"] + lane_s[rows["before"]],
            }
        )
    table = pd.concat(found).sort_values(["lane", "seconds", "link"])
    upstream = records(
        UPSTREAM,
        link=table["link"],
        lane=links["lane"].to_numpy()[table["link"]],
        ticks=of.ticks(table["seconds"]),
        ahead=table["ahead"],
    )
    return pointers(table["lane"].to_numpy(), len(length)), upstream


def foes(of: Builder, links: pd.DataFrame, v: F8) -> tuple[I4, Records, I4]:
    """Links with right of way over each link, and the stop-line link of each movement."""
    n_moves = len(of.movements)
    stop = links[links["stage"] != 2]
    keys = pd.MultiIndex.from_arrays([stop["lane"], stop["to_street"]])
    at = keys.get_indexer(
        pd.MultiIndex.from_arrays([of.movements["lane"], of.movements["to_street"]])
    )
    movement_link = stop.index.to_numpy()[at].astype(np.int32)
    second = links[links["stage"] == 2]
    half = np.full(n_moves, -1, np.int64)  # the yielding half of a movement
    half[second["movement"].to_numpy()] = second.index
    primary = half[links["movement"].to_numpy()[movement_link]]
    last = np.where(primary >= 0, primary, movement_link)
    table, to_lane = of.city.conflicts, of.movements["to_lane"].to_numpy()
    rows = table[table["yields"]]
    own, other = rows["movement"].to_numpy(int), rows["foe"].to_numpy(int)
    merges = to_lane[own] == to_lane[other]
    waits = links["stage"].to_numpy()[last[own]] == 2
    whole = of.movements["length_m"].to_numpy(float)[own]
    reached = np.sqrt(2 * of.car.speeding_up_m_s2 * whole)
    reached = np.minimum(reached, of.movements["speed_m_s"].to_numpy(float)[own])
    faster = merges & (v[movement_link[other]] > reached + 1e-6)
    seconds = _passed_s(of, own, other, merges, waits, v[movement_link])
    pairs = pd.concat(
        pd.DataFrame({"own": last[own], "link": foe, "clear": seconds, "faster": faster})
        for foe in (movement_link[other], last[other])
    )
    lane = links["lane"].to_numpy()
    pairs = pairs[lane[pairs["own"]] != lane[pairs["link"]]]
    pairs = pairs.groupby(["own", "link"], as_index=False).max()
    foe = pairs["link"].to_numpy()
    seconds2 = np.maximum(_foe_speed(of, links), 1.0) * par.IMPATIENT_S / (2 * of.car.decel_m_s2)
    found = records(
        FOE,
        link=foe,
        lane=lane[foe],
        clear=of.ticks(pairs["clear"]),
        counts_on=np.rint(seconds2 * of.tps**2).astype(np.int32)[foe],
        faster=pairs["faster"],
    )
    return pointers(pairs["own"].to_numpy(), len(links)), found, movement_link


def _passed_s(
    of: Builder,
    own: npt.NDArray[np.intp],
    other: npt.NDArray[np.intp],
    merges: Bools,
    waits: Bools,
    v: F8,
) -> F8:
    """Seconds from the entry of a foe until who yields to it may enter behind it.

    The back of the foe is past the crossing of their ways, or has left the junction by a length
    where they merge, when the front of the other comes there.  Who waits in the junction lets
    it leave.
    """
    whole = of.movements["length_m"].to_numpy(float)
    theirs, mine = whole[other], np.where(merges, whole[own], 0.0)
    theirs = np.where(merges, theirs + of.car.length_m, theirs)
    mine[waits] = 0.0
    meet = np.flatnonzero(~merges & ~waits)
    a, b = crossing_m(of.movements.geometry, own[meet], other[meet])
    mine[meet] = np.minimum(np.maximum(a - CAR_M / 2, 0.0), whole[own[meet]])
    theirs[meet] = np.minimum(b + CAR_M / 2, whole[other[meet]])
    theirs = theirs + of.car.length_m
    return np.asarray(np.maximum(0.0, theirs / v[other] - mine / v[own]))
