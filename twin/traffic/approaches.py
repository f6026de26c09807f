"""Lane groups of approaches: lanes of a street that share turns, and the junction they lead to.

A lane group (HCM) is what queues together: lanes are in one group where they serve the same turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.network import Network

I4 = npt.NDArray[np.int32]
F8 = npt.NDArray[np.float64]
SIGNALS, SIGNS, NOTHING = 0, 1, 2
CONTROLS = ("signals", "signs", "nothing")


@dataclass(frozen=True, eq=False)
class Approaches:
    """Lane groups before junctions where somebody waits for somebody else.

    Attributes
    ----------
    street, junction, control, lanes
        [groups] the street, the junction behind it (position in the city), how it is regulated
        (position in `CONTROLS`; "nothing" has right of way), and the number of lanes.
    turns
        [groups] letters of the directions that it serves (s straight, l left, r right, t back).
    storage_m
        [groups] length of its shortest lane: of a pocket, or of the street.
    of_lane, of_turn
        [kernel lanes], [turns] the group, or -1.
    link, link_group
        Links from the stop lines of groups, and the group of each.
    """

    street: I4
    junction: I4
    control: I4
    lanes: I4
    turns: list[str]
    storage_m: F8
    of_lane: I4
    of_turn: I4
    link: I4
    link_group: I4

    def __len__(self) -> int:
        return len(self.street)


def approaches(city: City, network: Network) -> Approaches:
    """Find the lane groups of a city."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    lane, link = network.arrays.lane, network.arrays.link
    at = np.flatnonzero((link["lane"] < network.n_lanes) & (link["turn"] >= 0))
    n_lanes, n_turns = network.n_lanes, len(network.turns)
    ends = link["lane"][at], n_lanes + link["turn"][at]
    size = n_lanes + n_turns
    graph = coo_array((np.ones(len(at), bool), ends), shape=(size, size))
    label = connected_components(graph, directed=False)[1]
    used, first = np.unique(label[link["lane"][at]], return_index=True)
    control = np.full(size, NOTHING)
    yields = (link["yields_end"][at] > link["yields"][at]) | (link["stop"][at] > 0)
    yields |= link["wait"][at] >= 0
    np.minimum.at(control, label[link["lane"][at]], np.where(yields, SIGNS, NOTHING))
    signalled = np.zeros(len(link), bool)
    signalled[network.signals.links] = True
    control[label[link["lane"][at[signalled[at]]]]] = SIGNALS
    street = lane["street"][link["lane"][at[first]]]
    junction = city.streets["to_junction"].to_numpy()[street]
    busy = np.zeros(len(city.junctions), bool)
    busy[junction[control[used] != NOTHING]] = True
    kept = busy[junction]
    new = np.full(size, -1, np.int32)
    new[used[kept]] = np.arange(kept.sum())
    of_lane = np.full(len(lane), -1, np.int32)
    of_lane[:n_lanes] = new[label[:n_lanes]]
    waits = at[link["wait"][at] >= 0]
    of_lane[link["wait"][waits]] = of_lane[link["lane"][waits]]
    groups = of_lane[:n_lanes]
    mine = groups >= 0
    storage = np.full(kept.sum(), np.inf)
    np.minimum.at(storage, groups[mine], lane["length"][:n_lanes][mine])
    served = at[of_lane[link["lane"][at]] >= 0]
    return Approaches(
        street[kept].astype(np.int32),
        junction[kept].astype(np.int32),
        control[used[kept]].astype(np.int32),
        np.bincount(groups[mine], minlength=kept.sum()).astype(np.int32),
        _letters(city, groups, int(kept.sum())),
        storage,
        of_lane,
        new[label[n_lanes:]],
        served.astype(np.int32),
        of_lane[link["lane"][served]],
    )


def by_group(values: npt.NDArray[np.generic], group: npt.NDArray[np.integer], n: int) -> F8:
    """Sum of the columns of values of each of n groups, [rows, n]."""
    rows = len(values)
    key = (group + n * np.arange(rows)[:, None]).ravel()
    sums = np.bincount(key, values.ravel().astype(float), rows * n)
    return np.asarray(sums.astype(float).reshape(rows, n))


def _letters(city: City, groups: I4, n: int) -> list[str]:
    """Directions of each group, in the order of their frequency in plans: straight first."""
    found = [""] * n
    letters = city.movements["direction"].str.lower().to_numpy()
    of = groups[city.movements["lane"].to_numpy()]
    for direction in "slrt":
        for group in np.unique(of[(letters == direction) & (of >= 0)]):
            found[group] += direction
    return found
