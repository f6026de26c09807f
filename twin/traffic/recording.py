"""The record of a simulation: when every vehicle was on which lane, and what every light showed.

The kernel notes entries into lanes, ends of trips and changes of lights in arrays of the state
(`PASSED`, `SHOWN`), if they have room for any.  They are taken out every `STRETCH_S`, and have
room for more than can happen meanwhile: a lane lets one vehicle in each headway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.errors import SimulationError
from twin.traffic.records import PASSED, SHOWN, State, aligned

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.network import Network

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
Memory = tuple[list[Records], list[Records], npt.NDArray[np.uint8]]

STRETCH_S = 10.0
CS = 100  # times in the tables are hundredths of a second
STILL = -1  # leave_cs of who is on the lane at the end


class Recording:
    """Collects what the kernel notes.

    Attributes
    ----------
    stretch
        Ticks for which the flow may be simulated until `take` is called again.
    """

    def __init__(self, city: City, network: Network) -> None:
        net, sig, tps = network.arrays, network.signals, network.arrays.tps
        self.stretch = round(STRETCH_S * tps)
        shortest = int(min(net.entry_headway.min(initial=tps), net.headway.min(initial=tps)))
        ahead = int(net.link["via"].max(initial=0) + net.link["start"].max(initial=0))
        entries = (self.stretch + ahead) // max(1, shortest) + 2
        self._passed_room = 2 * entries * len(net.lane)  # ends of trips are as rare as entries
        least = min(int(sig.duration.min(initial=tps)), tps)
        self._shown_room = 3 * (self.stretch // max(1, least) + 2) * max(1, len(sig.links))
        self._lanes, self._tps = network.n_lanes, tps
        moves = city.movements
        signalled = moves["signal"].to_numpy() >= 0
        self._heads = (
            pd.DataFrame(
                {
                    "signal": moves["signal"].to_numpy(np.int32)[signalled],
                    "link": moves["link"].to_numpy(np.int32)[signalled],
                    "row": network.movement_link[signalled],
                }
            )
            .drop_duplicates(["signal", "link"])
            .sort_values(["signal", "link"], ignore_index=True)
        )
        self._watched = np.unique(self._heads["row"].to_numpy(np.int64))
        self._light = np.full(len(self._watched), 255, np.uint8)
        self._passed: list[Records] = []
        self._shown: list[Records] = []

    def room(self, state: State) -> State:
        """The state with room for what is recorded."""
        return state._replace(
            passed=aligned(self._passed_room, PASSED), shown=aligned(self._shown_room, SHOWN)
        )

    def take(self, state: State) -> None:
        """Take what has been noted since the last call; see lights that others have changed.

        Raises
        ------
        SimulationError
            If more happened than there was room for.
        """
        clock = state.clock[0]
        for name, kept in (("passed", self._passed), ("shown", self._shown)):
            rows, n = getattr(state, name), int(clock[name])
            if n > len(rows):
                msg = (
                    f"{n} rows of {name!r} within {STRETCH_S:g} s, room for {len(rows)}: "
                    "run with record=False"
                )
                raise SimulationError(msg)
            if n:
                kept.append(rows[:n].copy())
                clock[name] = 0
                if name == "shown":
                    self._follow(kept[-1])
        light = state.link["light"][self._watched]
        changed = np.flatnonzero(light != self._light)
        if len(changed):
            rows = np.zeros(len(changed), SHOWN)
            rows["time"], rows["link"] = clock["now"], self._watched[changed]
            rows["light"] = light[changed]
            self._shown.append(rows)
            self._light = light

    def memory(self) -> Memory:
        """What `resume` takes."""
        return [*self._passed], [*self._shown], self._light

    def resume(self, memory: Memory | None) -> None:
        """Go on from a snapshot; where nothing was recorded before it, the record begins there."""
        if memory is not None:
            passed, shown, self._light = memory
            self._passed, self._shown = [*passed], [*shown]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables `passages` and `lights` of what has been taken (docs/results.md)."""
        return {"passages": self._passages(), "lights": self._lights()}

    def _follow(self, rows: Records) -> None:
        at = np.searchsorted(self._watched, rows["link"])
        at = np.minimum(at, len(self._watched) - 1)
        mine = self._watched[at] == rows["link"]
        light = self._light.copy()
        light[at[mine]] = rows["light"][mine]  # the last of several stays
        self._light = light

    def _cs(self, ticks: npt.NDArray[np.integer]) -> I4:
        return (ticks.astype(np.int64) * CS // self._tps).astype(np.int32)

    def _passages(self) -> pd.DataFrame:
        """In the order of each lane, so that neither entries nor departures go back in time.

        Who is on the way to a lane that is entered by another before stays behind the other.
        """
        rows = np.concatenate([np.zeros(0, PASSED), *self._passed])
        order = np.argsort(rows["vehicle"], kind="stable")
        rows = rows[order]
        left = np.full(len(rows), STILL, np.int64)
        more = np.flatnonzero(rows["vehicle"][1:] == rows["vehicle"][:-1])
        left[more] = rows["left"][more + 1]
        on = (rows["lane"] >= 0) & (rows["lane"] < self._lanes)
        rows, left = rows[on], left[on]
        order = np.lexsort((order[on], rows["lane"]))  # as they were noted
        rows, left = rows[order], left[order]
        enter = rising(rows["lane"], rows["enter"])
        ends = np.where(left == STILL, np.iinfo(np.int64).max, left)
        free = np.minimum(rows["ready"].astype(np.int64) - rows["enter"], ends - enter)
        return pd.DataFrame(
            {
                "vehicle": rows["vehicle"].astype(np.int32),
                "lane": rows["lane"].astype(np.int32),
                "enter_cs": self._cs(enter),
                "leave_cs": np.where(left == STILL, STILL, self._cs(left)).astype(np.int32),
                "free_cs": np.maximum(1, self._cs(free)),
            }
        )

    def _lights(self) -> pd.DataFrame:
        rows = np.concatenate([np.zeros(0, SHOWN), *self._shown])
        frame = pd.DataFrame(
            {"row": rows["link"], "time_cs": self._cs(rows["time"]), "light": rows["light"]}
        ).drop_duplicates(["row", "time_cs"], keep="last")
        found = self._heads.merge(frame, on="row").drop(columns="row")
        return found.sort_values(["signal", "link", "time_cs"], ignore_index=True).astype(np.int32)


def rising(group: npt.NDArray[np.integer], values: npt.NDArray[np.integer]) -> I8:
    """The greatest of the values so far within each group, groups being sorted."""
    if not len(values):
        return np.zeros(0, np.int64)
    whole = values.astype(np.int64)
    span = int(whole.max()) - int(whole.min()) + 1
    shift = np.concatenate([[0], np.cumsum(np.diff(group) != 0)]) * span
    return np.asarray(np.maximum.accumulate(whole + shift) - shift)
