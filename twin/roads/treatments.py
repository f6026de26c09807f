"""Treatments of pavements: cost, duration, effect, season, moratorium, and how they take the road.

Prices and effects are those of Somerville's pavement management (Hadley, municipal), in dollars a
square metre; they are turned into euros at the mean rate of 2024 (ECB: 1.082 $/EUR) and are not
inflated.  What a square metre takes in days and CO2 is an own estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.roads.deterioration import EDGES

F8 = npt.NDArray[np.float64]

EUR_PER_USD = 0.924
PRICE_YEAR = 2024
MORATORIUM_YEARS = 3
NIGHT_SURCHARGE = 0.25  # on the price; own estimate
SURVEY_EUR = 400.0  # of a visit that finds a street worse than its order; own estimate


@dataclass(frozen=True)
class Treatment:
    """One kind of works on a pavement.

    Attributes
    ----------
    usd_m2
        Price by class (residential, collector, arterial), $/m².
    lowest_pci
        A pavement in a worse state than this cannot have it.
    lift, target
        It adds `lift` to the PCI, or brings it to `target` at least.
    m2_per_day
        What a crew does in a working day.
    co2_kg_m2
        Material, transport and machines.
    season
        First and last week of the year (0 to 51) in which it may begin.
    paver
        Whether it needs one of the road pavers.
    """

    name: str
    usd_m2: tuple[float, float, float]
    lowest_pci: float
    lift: float
    target: float
    m2_per_day: float
    co2_kg_m2: float
    season: tuple[int, int]
    paver: bool

    def eur_m2(self, klass: int) -> float:
        """Price by day in euros a square metre."""
        return self.usd_m2[klass] * EUR_PER_USD


TREATMENTS = (
    Treatment("seal", (2.15,) * 3, 68.0, 8.0, 0.0, 3000.0, 0.5, (17, 39), False),
    Treatment("preserve", (22.1,) * 3, 47.0, 7.0, 0.0, 1200.0, 4.0, (13, 44), True),
    Treatment("rehabilitate", (92.0, 109.0, 109.0), 25.0, 0.0, 96.0, 600.0, 12.0, (11, 46), True),
    Treatment("reconstruct", (167.0, 177.0, 194.0), 0.0, 0.0, 100.0, 120.0, 40.0, (9, 47), True),
)
"""In the order of their price; each is usual down from where the one before can no longer be had.

Works around the clock close the street until they are done; by day or by night half of it is
closed: a lane where there are two, one direction after the other otherwise.
"""

DAY, NIGHT, AROUND = 0, 1, 2
SHIFTS = ("day", "night", "around the clock")
OPTIONS: tuple[tuple[int, int], ...] = (
    (0, DAY), (0, NIGHT), (1, DAY), (1, NIGHT), (2, DAY), (2, NIGHT), (3, AROUND),
)  # fmt: skip
"""What can be asked for, numbered from 1: a treatment and a shift; 0 is nothing."""


def option_name(option: int) -> str:
    """Name of an option, e.g. "seal by night"; "nothing" for 0."""
    if option == 0:
        return "nothing"
    treatment, shift = OPTIONS[option - 1]
    how = {DAY: " by day", NIGHT: " by night", AROUND: ""}[shift]
    return TREATMENTS[treatment].name + how


def option_of(treatment: int, shift: int) -> int:
    """Number of the option of a treatment by day or by night; what has no shift has one option."""
    both = [k for k, (number, _) in enumerate(OPTIONS, start=1) if number == treatment]
    return next((k for k in both if OPTIONS[k - 1][1] == shift), both[0])


def option_prices(klass: npt.NDArray[np.int64], area_m2: F8) -> F8:
    """[sections, options + 1] euros that an option costs the city; 0 for nothing."""
    prices = np.zeros((len(area_m2), len(OPTIONS) + 1))
    for k, (number, shift) in enumerate(OPTIONS, start=1):
        by_class = np.array([TREATMENTS[number].eur_m2(c) for c in range(3)])
        surcharge = 1.0 + NIGHT_SURCHARGE * (shift == NIGHT)
        prices[:, k] = by_class[klass] * area_m2 * surcharge
    return prices


def option_days(area_m2: F8) -> npt.NDArray[np.int64]:
    """[sections, options + 1] working days of one crew; 0 for nothing."""
    days = np.zeros((len(area_m2), len(OPTIONS) + 1), np.int64)
    for k, (number, _) in enumerate(OPTIONS, start=1):
        days[:, k] = np.ceil(area_m2 / TREATMENTS[number].m2_per_day)
    return days


def usual_treatment(pci: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Number of the treatment that is usual at a PCI; -1 where none is (PCI 88 and more)."""
    value = np.asarray(pci, float)
    found = np.full(value.shape, -1)
    for number, treatment in enumerate(TREATMENTS):
        upper = EDGES[number + 1]
        found = np.where((value < upper) & (value >= treatment.lowest_pci), number, found)
    return np.asarray(found, np.int64)
