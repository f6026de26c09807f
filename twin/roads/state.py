"""What the roads room knows: the inventory of sections, and the state of one or many decades.

Arrays are flat records.  Those of a `Condition` have the copies as their first dimension, so that
one compiled call advances many decades (`envs`), and the twin on the clock is a batch of one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.roads.costs import CATEGORIES
from twin.roads.deterioration import BANDS
from twin.roads.treatments import OPTIONS, TREATMENTS

F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]
I1 = npt.NDArray[np.int8]
I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

SUBCELLS = 4
CELLS = BANDS * SUBCELLS
SITES = 3
TERMS = 8  # of the power series of the chain's shares
HYPOTHESES = CELLS * SITES
"""A belief weighs so many hypotheses: a cell of the PCI (or a pace), and how well one sees."""
OPTION_COUNT = len(OPTIONS) + 1
REFUSALS = ("accepted", "budget", "moratorium", "season", "open order", "no crew", "nothing")
COUNTS = (
    "delay_h", "resident_days", "closed_days", "passes", "detections", "found_worse",
    "report_wait_weeks", "reports_closed",
)  # fmt: skip
LEFT, RESERVED, LAPSED, GRANTED, SPENT = range(5)


def _record(**fields: str) -> Any:
    return np.dtype(list(fields.items()), align=True)


PLACE = _record(
    klass="i8",  # 0 residential, 1 collector, 2 arterial
    hundred_m="f8",  # length in units of 100 m
    area_m2="f8",
    factor="f8",  # how much faster than its class it ages
    km_week="f8",  # car-kilometres, lorries weighed by what roughness costs them
    residents="f8",
    report_rate="f8",  # reports a week at PCI 0; they fall with (1 - PCI/100)²
    age_years="f8",  # since it was built, as the city knows it
    true_age="f8",  # the same in truth
    tour="i8",  # section that a camera passes as the k-th
    tour_km="f8",  # kilometres driven when the k-th has been passed
)
CHOICE = _record(  # of a section and an option
    price="f8",  # EUR
    days="i8",  # working days of a crew
    co2_t="f8",  # of the works
    delay_h="f8",  # vehicle hours that the order costs drivers
    delay_co2_t="f8",
)
KIND = _record(  # of a treatment
    lowest="f8", lift="f8", target="f8", first_week="i8", last_week="i8", paver="i8"
)
STEP = _record(  # of a whole number of the PCI
    operating="f8",  # EUR a car-kilometre
    patching="f8",  # EUR a square metre and week
    backlog0="f8",  # EUR a square metre by class
    backlog1="f8",
    backlog2="f8",
)
RULES = _record(
    model="i8",  # of the truth: 0 chain, 1 curve
    belief="i8",  # what the city believes in
    discount="f8",  # worth of a euro a week later
    weeks="i8",  # of the run
    first_week="i8",  # of the year
    crews="i8",
    pavers="i8",
    budget="f8",  # EUR a year
    inspection="f8",  # EUR a year, taken from the budget
    tour_km_week="f8",
    moratorium="i8",  # weeks
    survey="f8",  # EUR
    time_eur_h="f8",
    co2_eur_t="f8",
    triage_eur="f8",
    patch_eur="f8",
    triage_per_week="i8",
    patches_per_week="i8",
    trench_rate="f8",  # 1 / week
    trench_loss="f8",  # PCI
    frost_share="f8",
    frost_spread="f8",
    pace_spread="f8",
)
COPY = _record(
    seed="u8",
    week="i8",
    tour_at="f8",  # km
    under_way="i8",  # works in hand
    queue_first="i8",
    last_begin="i8",  # working day on which the last order began
    queue_end="i8",
    patched="i8",  # reports, by number, that are patched up to here,
    triaged="i8",  # triaged up to here,
    arrived="i8",  # and have arrived
    operating="f8",  # EUR a week at the present condition
    patching="f8",
    backlog="f8",  # EUR
)
SECTION = _record(
    pci="f8",  # the truth
    jump_at="f8",  # exposure at which it leaves its band (chain)
    trench_at="f8",  # week
    report_at="f8",  # week of the next report
    age="f8",  # years on the curve of its class (curve)
    pace="f8",  # how fast it ages (curve)
    known="f8",  # PCI that works or a visit have shown, NaN where nobody knows
    draws="i4",  # times that it has entered a band
    trenches="i4",
    reports="i4",
    awaited="i4",  # reports drawn so far
    moratorium="i4",  # first week in which it may be treated again
    since="i4",  # week up to which the belief is told
    passed="i4",  # week of the last pass of a camera, -1 none
    treated="i4",  # week of the last treatment, -1 none
    order="i2",  # option that is ordered or under way; 0 none
    site="i2",  # how well one sees there
)
WEEK = _record(
    exposure="f8",  # weeks of usual ageing so far: more in hard winters
    workday="i8",  # days so far on which one could work
)
REPORT = _record(
    at="f8",  # week of arrival
    closed="f8",  # week in which it was patched or found to be none
    section="i4",
    ordered="i4",  # whether triage found damage
)
SITE_WORK = _record(done="i8", section="i4")


class Lens(NamedTuple):
    """What a belief is read and changed with."""

    limit: F8  # [cells + 1] limits of the cells of the PCI, best first
    bad: F8  # [cells] 1 - PCI/100 in the middle of each
    square: F4  # [hypotheses] its square
    mean: F8  # [damage classes, hypotheses] detections of a pass on 100 m
    series: F8  # [classes, terms + 1, 4 * 5] coefficients: share from a band to a band, by weeks
    longest: F8  # [classes] weeks up to which the series is used
    pace: F8  # [cells] paces of the hypotheses of the curve
    curve: F8  # [3, 3] k, life, b
    damage: F8  # [damage classes, 4] density: factor, power; share seen, false alarms
    site: F8  # [sites, 2] how well one sees, running share


class Inventory(NamedTuple):
    """What does not change."""

    place: Records  # [n] PLACE
    rates: F8  # [n, 5] rate of leaving a band, 1 / week of exposure, factor included
    choice: Records  # [n, options + 1] CHOICE
    kind: Records  # [treatments] KIND
    treatment: I8  # [options + 1], -1 for nothing
    step: Records  # [101] STEP
    lens: Lens
    prior: F4  # [n, hypotheses] belief at the start
    prior_age: F8  # [n, cells] ages of the hypotheses of the curve at the start
    silence: F8  # [n, hypotheses] chance that a pass detects nothing (chain)
    truth_prior: F8  # [n, cells] running share of sections by cell at the start (chain)


class Condition(NamedTuple):
    """The state of [copies] decades; n sections, w weeks."""

    copy: Records  # [c] COPY
    section: Records  # [c, n] SECTION
    belief: F4  # [c, n, hypotheses]
    hypothesis_age: F4  # [c, n, cells]
    week: Records  # [c, w + 1] WEEK
    report: Records  # [c, ring] REPORT
    moved: F8  # [c, 4 * 5] room to work in
    queue: I4  # [c, n + 1] sections whose order waits for a crew
    work: Records  # [c, n] SITE_WORK: works in hand, in no order
    crew_free: I8  # [c, crews] working day from which a crew is free
    paver_free: I8  # [c, pavers]
    budget: F8  # [c, 5] left this year, reserved, lapsed, granted, spent
    euros: F8  # [c, 2, categories] and discounted to the start
    area: F8  # [c, treatments] m² treated
    refused: I8  # [c, refusals] answers to requests
    counts: F8  # [c, counts]


def empty_condition(
    copies: int, sections: int, weeks: int, crews: int, pavers: int, ring: int
) -> Condition:
    """A condition whose arrays are zero; `kernel.reset` fills a copy."""
    c, n = copies, sections
    return Condition(
        copy=np.zeros(c, COPY),
        section=np.zeros((c, n), SECTION),
        belief=np.zeros((c, n, HYPOTHESES), np.float32),
        hypothesis_age=np.zeros((c, n, CELLS), np.float32),
        week=np.zeros((c, weeks + 1), WEEK),
        report=np.zeros((c, ring), REPORT),
        moved=np.zeros((c, (BANDS - 1) * BANDS)),
        queue=np.zeros((c, n + 1), np.int32),
        work=np.zeros((c, n), SITE_WORK),
        crew_free=np.zeros((c, crews), np.int64),
        paver_free=np.zeros((c, pavers), np.int64),
        budget=np.zeros((c, 5)),
        euros=np.zeros((c, 2, len(CATEGORIES))),
        area=np.zeros((c, len(TREATMENTS))),
        refused=np.zeros((c, len(REFUSALS)), np.int64),
        counts=np.zeros((c, len(COUNTS))),
    )


def pass_room(inventory: Inventory, copies: int = 1) -> F8:
    """[copies, ...] memory in which a camera's pass is worked out."""
    return np.zeros((copies, len(inventory.lens.damage) + HYPOTHESES))


def copy_condition(state: Condition) -> Condition:
    """A copy that shares nothing."""
    copies: Any = (array.copy() for array in state)
    return Condition(*copies)
