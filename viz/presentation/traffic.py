"""Recorded traffic as arrays for the page: who was on which lane when, and what lights showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz.scene.vehicles import KINDS as NAMES

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from twin.city import City
    from viz.presentation.pack import Pack

KINDS = {name: k for k, name in enumerate(NAMES)}
STAYS = 65535  # tenths of a second: of who is on the lane at the end
CS = 10  # hundredths of a second in a tenth
GREEN = 2
LIGHT = np.array([0, 1, GREEN, GREEN, 3, 0], np.uint8)  # of the recorded codes
EARLIER_S = 120.0  # from which time on passages are kept, before the first that is shown


def pack_traffic(
    pack: Pack,
    prefix: str,
    city: City,
    tables: dict[str, pd.DataFrame],
    window_s: tuple[float, float],
    heads: npt.NDArray[np.int64],
) -> int:
    """Add the traffic of one recorded day; return the number of its vehicles.

    Parameters
    ----------
    pack, prefix
        Where to, and what the arrays' names begin with.
    city
        Where it was.
    tables
        `passages`, `trips` (for the vehicles' types) and, if there, `lights`.
    window_s
        First and last second that is shown.
    heads
        Lights that are shown, of `shapes.light_heads`.
    """
    begin, end = window_s
    rows = tables["passages"]
    left = rows["leave_cs"].to_numpy(np.int64)
    enter = rows["enter_cs"].to_numpy(np.int64)
    still = left < 0
    left = np.where(still, np.iinfo(np.int64).max, left)
    kept = (left >= (begin - EARLIER_S) * 100) & (enter <= (end + EARLIER_S) * 100)
    lane, still = rows["lane"].to_numpy()[kept], still[kept]
    enter = (enter[kept] // CS) - round(begin * 10)
    leave = np.where(still, 0, left[kept] // CS) - round(begin * 10)
    stay = np.where(still, STAYS, np.clip(leave - enter, 0, STAYS - 1))
    free = np.maximum(rows["free_cs"].to_numpy(float)[kept], 1.0) / 100.0
    lanes = city.lanes
    speed = lanes["length_m"].to_numpy()[lane] / free / lanes["speed_m_s"].to_numpy()[lane]
    known, vehicle = np.unique(rows["vehicle"].to_numpy()[kept], return_inverse=True)
    pack.add(f"{prefix}.rows", np.bincount(lane, minlength=len(lanes)))
    pack.add(f"{prefix}.enter", enter, delta=True)
    pack.add(f"{prefix}.stay", stay)
    pack.add(f"{prefix}.share", np.clip(speed, 0.02, 2.5), step=0.02)
    pack.add(f"{prefix}.vehicle", vehicle)
    kind = tables["trips"].set_index("vehicle")["vehicle_type"].reindex(known).map(KINDS)
    pack.add(f"{prefix}.kind", kind.fillna(0).to_numpy())
    if "lights" in tables:
        _lights(pack, prefix, tables["lights"], begin, heads)
    return len(known)


def _lights(
    pack: Pack, prefix: str, table: pd.DataFrame, begin: float, heads: npt.NDArray[np.int64]
) -> None:
    key = table["signal"].to_numpy(np.int64) << 16 | table["link"].to_numpy(np.int64)
    at = np.searchsorted(heads, key)
    shown = np.flatnonzero(np.isin(key, heads))
    time = table["time_cs"].to_numpy(np.int64) // CS - round(begin * 10)
    order = shown[np.lexsort((time[shown], at[shown]))]
    head, light, time = at[order], LIGHT[table["light"].to_numpy()[order]], time[order]
    changed = np.append(True, (head[1:] != head[:-1]) | (light[1:] != light[:-1]))
    changed = changed[: len(head)]
    pack.add(f"{prefix}.light_count", np.bincount(head[changed], minlength=len(heads)))
    pack.add(f"{prefix}.light_time", time[changed], delta=True)
    pack.add(f"{prefix}.light", light[changed])
