"""How a city uses its sections of road: traffic by type, people beside it, what closures cost.

This is where the roads room gets from the traffic kernel what it needs; neither knows the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.cache import Cache, user_folder
from twin.claims import Claim
from twin.days import SHIFTS, Hour, evaluate, hours_of, shift_difference
from twin.roads.inventory import Use

if TYPE_CHECKING:
    import geopandas as gpd

    from twin.city import City
    from twin.traffic.demand import Demand

F8 = npt.NDArray[np.float64]
REACH_M = 100.0  # people live on the nearest section, if it is not farther than this
OWNER = "roads/works"
AROUND = "around the clock"
KEPT = ("residents", "delay_h", "delay_co2_t", "arrangement")  # of a use, on disk
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Arrangement:
    """How traffic gets past works on a carriageway: claims, and streets that take turns."""

    claims: tuple[Claim, ...] = ()
    alternating: tuple[tuple[int, int], ...] = ()


def arrangements(city: City, street: int, back: int, *, full: bool) -> list[list[Arrangement]]:
    """Ways to lead traffic past works; each is one arrangement or two for equal times.

    Parameters
    ----------
    street, back
        The directions of the carriageway; back is -1 where there is one only.
    full
        Whether the works close it, unless a temporary signal costs less; else they take a lane,
        or one direction after the other.
    """
    both = [s for s in (street, back) if s >= 0]
    lanes = city.streets["lanes"].to_numpy()
    closed = [Claim(OWNER, s, open=False) for s in both]
    if full:
        ways = [[Arrangement(tuple(closed))]]
    else:
        taken = [
            Claim(OWNER, s, lanes=int(lanes[s]) - 1) if lanes[s] >= 2 else claim
            for s, claim in zip(both, closed, strict=True)
        ]
        ways = [[Arrangement((claim,)) for claim in taken]]
    if back >= 0:
        ways.append([Arrangement(alternating=((street, back),))])
    return ways


def daily_counts(hours: dict[int, Hour], seed: int) -> dict[str, F8]:
    """[streets] vehicles a working day that enter each street, by type."""
    total: dict[str, F8] = {}
    for number, weight in SHIFTS[AROUND].items():
        for kind, counts in evaluate("traffic", (), hours[number], seed).counts.items():
            total[kind] = total.get(kind, np.zeros(len(counts))) + weight * counts
    return total


def residents_of(city: City, sections: gpd.GeoDataFrame) -> F8:
    """People who live on each section: those of buildings whose nearest section it is."""
    from shapely import STRtree, points

    from twin.traffic.demand.assumptions import DEFAULT
    from twin.traffic.demand.zones import building_points

    found = building_points(city, DEFAULT)
    people = np.zeros(len(sections))
    if found is None:
        return people
    tree = STRtree(sections.geometry.to_numpy())
    at = points(found["x"].to_numpy(), found["y"].to_numpy())
    building, section = tree.query_nearest(at, max_distance=REACH_M, all_matches=False)
    np.add.at(people, section, found["residents"].to_numpy()[building])
    return people


def make_use(
    city: City,
    sections: gpd.GeoDataFrame,
    demand: Demand,
    *,
    seed: int = 0,
    closures: bool = True,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Use:
    """How sections are used, from the traffic kernel; kept on disk.

    Parameters
    ----------
    seed
        Of the usual day.
    closures
        Whether to simulate a closure of every section that anybody uses; without, delays are 0.
    progress
        Called with streets done and streets to do.
    """
    key = _key(city, demand, seed, closures, sections)
    folder = Cache(cache or user_folder("roads"))

    def make(part: Path) -> None:
        use = _simulated(city, sections, demand, seed, closures, progress)
        arrays: dict[str, Any] = {f"counts_{k}": v for k, v in use.counts.items()}
        arrays |= {name: getattr(use, name) for name in KEPT}
        arrays["below_zero"] = use.notes["below_zero"]
        np.savez(part / "use.npz", **arrays)

    with np.load(folder.folder_of(key, make) / "use.npz") as kept:
        counts = {k.removeprefix("counts_"): kept[k] for k in kept.files if k.startswith("counts_")}
        residents, delay_h, delay_co2_t, arrangement = (kept[name] for name in KEPT)
        notes = {"below_zero": float(kept["below_zero"])}
        return Use(counts, residents, delay_h, delay_co2_t, arrangement, notes)


def _simulated(
    city: City,
    sections: gpd.GeoDataFrame,
    demand: Demand,
    seed: int,
    closures: bool,
    progress: Progress | None,
) -> Use:
    hours = hours_of(city, demand)
    by_street = daily_counts(hours, seed)
    street, back = sections["street"].to_numpy(), sections["back"].to_numpy()
    counts = {
        kind: values[street] + np.where(back >= 0, values[back], 0.0)
        for kind, values in by_street.items()
    }
    delay, co2 = np.zeros((len(sections), 3)), np.zeros((len(sections), 3))
    arrangement = np.zeros((len(sections), 3), np.int64)
    clipped = 0
    if closures:
        used = sum(counts.values()) > 0.0
        ways = list(dict.fromkeys(zip(street[used], back[used], strict=True)))
        for k, (s, b) in enumerate(ways):
            mine = (street == s) & (back == b)
            for shift, name in enumerate(SHIFTS):
                time_h, tonnes, way = closure_cost(city, int(s), int(b), name, hours, seed)
                clipped += time_h < 0.0
                arrangement[mine, shift] = way
                delay[mine, shift], co2[mine, shift] = max(0.0, time_h), max(0.0, tonnes)
            if progress is not None:
                progress(k + 1, len(ways))
    people = residents_of(city, sections)
    notes = {"below_zero": float(clipped)}
    return Use(counts, people, delay, co2, arrangement, notes)


def closure_cost(
    city: City, street: int, back: int, shift: str, hours: dict[int, Hour], seed: int
) -> tuple[float, float, int]:
    """What a working day on a carriageway costs drivers, by the arrangement that costs least.

    Returns
    -------
    Vehicle hours, tonnes of CO2, and the number of the arrangement.
    """
    best = (np.inf, np.inf, 0)
    for number, way in enumerate(arrangements(city, street, back, full=shift == AROUND)):
        found = [shift_difference(a.claims, shift, hours, seed, a.alternating) for a in way]
        time_h, tonnes = np.mean(found, axis=0)
        best = min(best, (float(time_h), float(tonnes), number))
    return best


def joint_cost(
    city: City,
    works: Sequence[tuple[int, int, int]],
    shift: str,
    hours: dict[int, Hour],
    seed: int,
) -> tuple[float, float]:
    """Vehicle hours and tonnes that works going on at the same time cost in a shift.

    Parameters
    ----------
    works
        Street, back and number of the arrangement of each carriageway.
    """
    if shift == AROUND:
        return _joint_hours(city, [], works, shift, hours, seed)
    return _joint_hours(city, works, [], shift, hours, seed)


def _joint_hours(
    city: City,
    works: Sequence[tuple[int, int, int]],
    around: Sequence[tuple[int, int, int]],
    shift: str,
    hours: dict[int, Hour],
    seed: int,
) -> tuple[float, float]:
    """Works of a shift beside those around the clock, in the hours of the shift."""
    ways = [arrangements(city, s, b, full=False)[number] for s, b, number in works]
    ways += [arrangements(city, s, b, full=True)[number] for s, b, number in around]
    longest = max((len(way) for way in ways), default=0)
    found = []
    for k in range(longest):
        now = [way[k % len(way)] for way in ways]
        claims = [c for a in now for c in a.claims]
        pairs = [p for a in now for p in a.alternating]
        found.append(shift_difference(claims, shift, hours, seed, pairs))
    time_h, tonnes = np.mean(found, axis=0) if found else (0.0, 0.0)
    return float(time_h), float(tonnes)


class Closures:
    """Costs of works that go on at the same time, asked for as they come up.

    Parameters
    ----------
    sections
        Table of sections.
    hours, seed
        Of the usual day (`twin.days.hours_of`).
    """

    def __init__(
        self, city: City, sections: gpd.GeoDataFrame, hours: dict[int, Hour], seed: int
    ) -> None:
        self._city, self._hours, self._seed = city, hours, seed
        self._ways = list(zip(sections["street"], sections["back"], strict=True))
        self._arrangement: dict[tuple[int, int, str], int] = {}
        self._kept: dict[tuple[tuple[int, int, str], ...], tuple[float, float]] = {}

    def arrangement(self, section: int, shift: int) -> int:
        """Number of the way in which traffic is led past works on a section."""
        way = self._way(section, shift)
        if way not in self._arrangement:
            found = closure_cost(self._city, *way, self._hours, self._seed)
            self._arrangement[way] = found[2]
        return self._arrangement[way]

    def cost(self, works: list[tuple[int, int]]) -> tuple[float, float]:
        """Vehicle hours and tonnes of a working day with works at these (section, shift).

        What is closed around the clock adds to what is closed by day and by night.
        """
        numbers = {self._way(i, shift): self.arrangement(i, shift) for i, shift in works}
        key = tuple(sorted(numbers))
        if key not in self._kept:
            self._kept[key] = joint_day(self._city, numbers, self._hours, self._seed)
        return self._kept[key]

    def _way(self, section: int, shift: int) -> tuple[int, int, str]:
        street, back = self._ways[section]
        return int(street), int(back), list(SHIFTS)[shift]


def joint_day(
    city: City,
    works: dict[tuple[int, int, str], int],
    hours: dict[int, Hour],
    seed: int,
) -> tuple[float, float]:
    """Vehicle hours and tonnes of a day and night on which works go on.

    Parameters
    ----------
    works
        Number of the arrangement by (street, back, shift).
    """
    by_shift = {
        name: [(s, b, n) for (s, b, shift), n in works.items() if shift == name] for name in SHIFTS
    }
    around = by_shift[AROUND]
    total = np.array(joint_cost(city, around, AROUND, hours, seed))
    for name in ("day", "night"):
        if by_shift[name]:
            with_around = _joint_hours(city, by_shift[name], around, name, hours, seed)
            without = _joint_hours(city, [], around, name, hours, seed)
            total += np.array(with_around) - np.array(without)
    return float(total[0]), float(total[1])


def _key(city: City, demand: Demand, seed: int, closures: bool, sections: gpd.GeoDataFrame) -> str:
    """Hash of all that the use depends on, the program included."""
    here = Path(__file__).parent
    digest = hashlib.sha256(
        repr((city.digest, demand.digest, seed, closures, list(sections["id"]))).encode()
    )
    for path in sorted((*(here / "traffic").rglob("*.py"), here / "days.py", here / "usage.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]
