"""What a junction study reports: delay, queues, spillback and grades, by lane group and junction.

Delay is control delay (HCM): the mean of what vehicles that came into the street in an interval
took to its stop line and through the junction, less the time without traffic; where a queue
reaches further back than the street, the rest of the delay is that of the street before.
Vehicles still on the street at the end count with what they have lost so far.  Times at stops of
lines do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.traffic import level_of_service as los
from twin.traffic.approaches import CONTROLS, SIGNALS, Approaches, by_group
from twin.traffic.dwelling import dwelling_s
from twin.traffic.queue_lengths import LOOK_S

if TYPE_CHECKING:
    from twin.traffic.network import Network
    from twin.traffic.queue_lengths import Queues
    from twin.traffic.records import State

F8 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRADED = 10.0  # vehicles below which a mean delay says little, and no grade is given
SPACING_M = 7.5  # a car in a queue
SHORT_M = 15.0  # shorter streets are parts of a junction, and always full
BUSY = 0.99  # a lane without signals at whose line somebody waits for so long is over capacity


class _Groups(NamedTuple):
    """[periods, groups]; periods are the intervals, and the whole last."""

    vehicles: F8
    lost_s: F8
    queue_m: F8
    blocked_s: F8
    saturation: F8


def junction_table(
    network: Network, state: State, queues: Queues, groups: Approaches, from_s: float
) -> pd.DataFrame:
    """Lane groups and junctions by interval, from `from_s` on, and over the whole time.

    Parameters
    ----------
    groups
        Lane groups of the city.
    from_s
        Intervals that begin before are not counted.

    Returns
    -------
    Rows with vehicles only.  `street` is -1 in the row of a junction, which has the mean delay, the
    longest queue, the sum of spillback over its approaches, and the largest saturation.
    Columns: `junction`, `street`, `turns`, `lanes`, `control`; `interval_start_s`, `interval_s`;
    `vehicles`; `delay_s` a vehicle; `queue_p95_m`, the 95th percentile over windows of about a
    cycle of how far the back of the queue came, of the longest lane; `storage_m`, how long its
    lane is; `spillback_s`, for which drivers of streets before could go and found no room;
    `saturation`, with signals volume over capacity (saturation flow times the share of green;
    who waits for a gap at green is taken as free, so it can be too low), without the share
    of time in which somebody waits at the line; `hcm`, `hbs`, the grades
    (`twin.traffic.level_of_service`), none below `GRADED` vehicles.
    """
    start, kept = _counted(network, state, queues, from_s)
    length = float(state.clock["length"][0]) / network.arrays.tps
    if not len(kept) or not len(groups):
        return _frame([])
    found = _measured(network, state, queues, groups, kept)
    begins = np.append(start[kept], start[kept[0]])
    lasts = np.append(np.full(len(kept), length), length * len(kept))
    signals = groups.control == SIGNALS
    over = np.where(signals, found.saturation > 1.0, found.saturation > BUSY)
    delay = _mean(found.lost_s, found.vehicles)
    judged = np.where(found.vehicles >= GRADED, delay, np.nan)
    grades = los.hcm(judged, over, signals), los.hbs(judged, over, signals)
    rows = [_group_rows(groups, found, delay, grades, begins, lasts)]
    rows.append(_junction_rows(groups, found, grades, begins, lasts))
    return _frame(rows)


def queue_table(network: Network, state: State, queues: Queues, from_s: float) -> pd.DataFrame:
    """Streets with queues, over the intervals from `from_s` on, one row each.

    Columns: `street`; `queue_p95_m` and `queue_max_m`, of the longest lane, see `junction_table`;
    `spillback_s`.
    """
    kept = _counted(network, state, queues, from_s)[1]
    lanes = network.n_lanes
    street = network.arrays.lane["street"][:lanes]
    longest = np.zeros((2, network.n_streets))
    if len(kept):
        whole = _percentiles(queues, kept)[-1]
        np.maximum.at(longest[0], street, whole[:lanes])
        per = len(queues.back) // len(queues.looks)
        back = queues.back.reshape(len(queues.looks), per, -1)[kept]
        np.maximum.at(longest[1], street, back.max((0, 1))[:lanes] / 10.0)
    blocked = queues.blocked[kept].sum(0) * LOOK_S
    at = np.flatnonzero((longest[1] > 0) | (blocked > 0))
    return pd.DataFrame(
        {
            "street": at.astype(np.int32),
            "queue_p95_m": longest[0, at].astype(np.float32),
            "queue_max_m": longest[1, at].astype(np.float32),
            "spillback_s": blocked[at].astype(np.float32),
        }
    )


def worst_junctions(table: pd.DataFrame) -> dict[str, float]:
    """Indicators of junctions over the whole time, from a table of `junction_table`."""
    if not len(table):
        return dict.fromkeys(
            ("junctions_hcm_e_f", "junctions_hbs_e_f", "longest_queue_m", "full_approaches",
             "spillback_min"), 0.0,
        )  # fmt: skip
    whole = (table["interval_s"] == table["interval_s"].max()).to_numpy()
    group = (table["street"] >= 0).to_numpy()
    lane_groups = table[whole & group]
    street = lane_groups["street"].to_numpy()
    once = np.zeros(len(street), bool)
    once[np.unique(street, return_index=True)[1]] = True
    queue, storage = lane_groups["queue_p95_m"].to_numpy(), lane_groups["storage_m"].to_numpy()
    full = (queue > storage - SPACING_M) & (storage >= SHORT_M)
    values = {"longest_queue_m": float(queue.max()), "full_approaches": float(full.sum())}
    for name in ("hcm", "hbs"):
        code = table[name].cat.codes.to_numpy()[whole & ~group]
        values[f"junctions_{name}_e_f"] = float((code >= los.GRADES.index("E")).sum())
    once &= storage >= SHORT_M
    values["spillback_min"] = float(lane_groups["spillback_s"].to_numpy()[once].sum() / 60.0)
    return values


def _mean(total: F8, count: F8) -> F8:
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _counted(
    network: Network, state: State, queues: Queues, from_s: float
) -> tuple[F8, npt.NDArray[np.int64]]:
    """When each interval begins, and which are counted."""
    tps = network.arrays.tps
    first, length = float(state.clock["first"][0]) / tps, float(state.clock["length"][0]) / tps
    start = np.asarray(first + length * np.arange(len(queues.looks)))
    return start, np.flatnonzero((start >= from_s) & (queues.looks > 0)).astype(np.int64)


def _measured(
    network: Network, state: State, queues: Queues, groups: Approaches, kept: npt.NDArray[np.int64]
) -> _Groups:
    vehicles, lost_s = _delays(network, state, groups)
    vehicles, lost_s = _with_whole(vehicles[kept]), _with_whole(lost_s[kept])
    looks = _with_whole(queues.looks[kept, None].astype(float))
    blocked_s = _with_whole(queues.blocked[kept][:, groups.street].astype(float) * LOOK_S)
    held = _with_whole(queues.held[kept].astype(float)) / looks
    hours = looks * LOOK_S / 3600.0
    capacity = _capacity(network, queues, groups, kept) * hours
    flow = np.divide(vehicles, capacity, out=np.zeros_like(vehicles), where=capacity > 0)
    signals = groups.control == SIGNALS
    saturation = np.where(signals, flow, _most(held, groups))
    queue_m = _most(_percentiles(queues, kept), groups)
    return _Groups(vehicles, np.maximum(lost_s, 0.0), queue_m, blocked_s, saturation)


def _with_whole(values: F8) -> F8:
    """Append the sum over the intervals."""
    return np.concatenate([values, values.sum(0, keepdims=True)])


def _delays(network: Network, state: State, groups: Approaches) -> tuple[F8, F8]:
    """[intervals, groups] vehicles and the seconds that they lost, by interval of entry."""
    tps, n_k, n = network.arrays.tps, len(state.turn_count), len(groups)
    turn = np.flatnonzero(groups.of_turn >= 0)
    count = state.turn_count[:, turn]
    lost = (state.turn_sum / tps - dwelling_s(network, state))[:, turn]
    lost = lost - count * network.turn_free_s[turn]
    vehicles = by_group(count, groups.of_turn[turn], n)
    lost_s = by_group(lost, groups.of_turn[turn], n)
    v = state.vehicle[(state.vehicle["depart"] >= 0) & (state.vehicle["place"] >= 0)]
    v = v[v["route_at"] + 1 < v["route_end"]]
    since = int(state.clock["now"][0]) - v["entered"]
    late_s = since / tps - network.exit_free_s[state.route_street[v["route_at"]]]
    group = groups.of_lane[v["place"]]
    first, length = int(state.clock["first"][0]), int(state.clock["length"][0])
    k = np.clip((v["entered"] - first) // length, 0, n_k - 1)
    late = (late_s > 0) & (group >= 0)
    np.add.at(vehicles, (k[late], group[late]), 1.0)
    np.add.at(lost_s, (k[late], group[late]), late_s[late])
    return vehicles, lost_s


def _capacity(
    network: Network, queues: Queues, groups: Approaches, kept: npt.NDArray[np.int64]
) -> F8:
    """[periods, groups] vehicles an hour at the green that was shown; 0 without signals."""
    arrays = network.arrays
    looks = _with_whole(queues.looks[kept, None].astype(float))
    green = _with_whole(queues.green[kept].astype(float)) / looks
    flow = green * (3600.0 * arrays.tps / arrays.headway[0])
    lane = arrays.link["lane"][groups.link]
    per_lane = np.bincount(lane, minlength=len(arrays.lane))
    share = flow[:, groups.link] / per_lane[lane]
    return by_group(share, groups.link_group, len(groups))


def _percentiles(queues: Queues, kept: npt.NDArray[np.int64]) -> F8:
    """[periods, lanes] metres, 95th percentile over the windows."""
    per = len(queues.back) // len(queues.looks)
    back = queues.back.reshape(len(queues.looks), per, -1)[kept]
    used = np.flatnonzero(back.any((0, 1)))
    seen = back[:, :, used]
    out = np.zeros((len(kept) + 1, back.shape[2]))
    out[:-1, used] = _p95(seen, 1)
    out[-1, used] = _p95(seen.reshape(per * len(kept), len(used)), 0)
    return out / 10.0


def _p95(values: npt.NDArray[np.uint16], axis: int) -> F8:
    n = values.shape[axis]
    at = 0.95 * (n - 1)
    ordered = np.sort(values, axis=axis)
    low, high = (
        np.take(ordered, k, axis).astype(float) for k in (int(at), min(int(at) + 1, n - 1))
    )
    return np.asarray(low + (at - int(at)) * (high - low))


def _most(of_lanes: F8, groups: Approaches) -> F8:
    """Largest of the lanes of each group."""
    lanes = np.flatnonzero(groups.of_lane >= 0)
    order = lanes[np.argsort(groups.of_lane[lanes], kind="stable")]
    starts = np.searchsorted(groups.of_lane[order], np.arange(len(groups)))
    return np.asarray(np.maximum.reduceat(of_lanes[:, order], starts, axis=1))


Rows = dict[str, npt.NDArray[np.generic]]


def _group_rows(
    groups: Approaches, found: _Groups, delay: F8, grades: tuple[los.Codes, los.Codes],
    begins: F8, lasts: F8,
) -> Rows:  # fmt: skip
    p, g = np.nonzero(found.vehicles > 0)
    return {
        "junction": groups.junction[g],
        "street": groups.street[g],
        "turns": np.array(groups.turns)[g],
        "lanes": groups.lanes[g],
        "control": groups.control[g],
        "interval_start_s": begins[p],
        "interval_s": lasts[p],
        "vehicles": found.vehicles[p, g],
        "delay_s": delay[p, g],
        "queue_p95_m": found.queue_m[p, g],
        "storage_m": groups.storage_m[g],
        "spillback_s": found.blocked_s[p, g],
        "saturation": found.saturation[p, g],
        "hcm": grades[0][p, g],
        "hbs": grades[1][p, g],
    }


def _junction_rows(
    groups: Approaches, found: _Groups, grades: tuple[los.Codes, los.Codes], begins: F8, lasts: F8
) -> Rows:
    order = np.argsort(groups.junction, kind="stable")
    junction, starts = np.unique(groups.junction[order], return_index=True)

    def over(what: np.ufunc, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.asarray(what.reduceat(values[:, order], starts, axis=1))

    vehicles = over(np.add, found.vehicles).astype(float)
    delay = _mean(over(np.add, found.lost_s).astype(float), vehicles)
    control = np.minimum.reduceat(groups.control[order], starts)
    once = np.zeros(len(groups), bool)
    once[np.unique(groups.street, return_index=True)[1]] = True
    once &= groups.storage_m >= SHORT_M
    worst_hcm, worst_hbs = (over(np.maximum, codes) for codes in grades)
    mean_hcm = los.hcm(
        np.where(vehicles >= GRADED, delay, np.nan), np.zeros(delay.shape, bool),
        np.ones(len(junction), bool),
    )  # fmt: skip
    p, j = np.nonzero(vehicles > 0)
    none = np.full(len(j), -1)
    return {
        "junction": junction[j],
        "street": none,
        "turns": np.full(len(j), ""),
        "lanes": np.zeros(len(j)),
        "control": control[j],
        "interval_start_s": begins[p],
        "interval_s": lasts[p],
        "vehicles": vehicles[p, j],
        "delay_s": delay[p, j],
        "queue_p95_m": over(np.maximum, found.queue_m)[p, j],
        "storage_m": np.full(len(j), np.nan),
        "spillback_s": over(np.add, found.blocked_s * once)[p, j],
        "saturation": over(np.maximum, found.saturation)[p, j],
        "hcm": np.where(control == SIGNALS, mean_hcm, worst_hcm)[p, j],
        "hbs": worst_hbs[p, j],
    }


COLUMNS = {
    "junction": np.int32, "street": np.int32, "turns": str, "lanes": np.int32, "control": np.int8,
    "interval_start_s": float, "interval_s": float, "vehicles": float, "delay_s": np.float32,
    "queue_p95_m": np.float32, "storage_m": np.float32, "spillback_s": np.float32,
    "saturation": np.float32, "hcm": np.int8, "hbs": np.int8,
}  # fmt: skip


def _frame(parts: list[Rows]) -> pd.DataFrame:
    columns: dict[str, object] = {}
    for name, kind in COLUMNS.items():
        pieces = [part[name] for part in parts] or [np.zeros(0)]
        columns[name] = np.concatenate(pieces).astype(kind)
    for name, words in (("control", CONTROLS), ("hcm", los.GRADES), ("hbs", los.GRADES)):
        columns[name] = pd.Categorical.from_codes(columns[name], list(words), ordered=True)  # type: ignore[call-overload]
    return pd.DataFrame(columns)
