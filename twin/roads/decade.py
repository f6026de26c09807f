"""Decades of a network without a clock: many copies advanced by compiled calls.

What environments, baselines and the twin share.  `Decades` holds the copies; the twin on the SimPy
clock (`process.py`) holds one copy and lets SimPy decide when what happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from twin.errors import InputError, check_number
from twin.roads import costs, deterioration, kernel, orders
from twin.roads.deterioration import WEEKS
from twin.roads.state import (
    CELLS,
    F8,
    HYPOTHESES,
    I8,
    LEFT,
    OPTION_COUNT,
    RULES,
    Condition,
    Inventory,
    Records,
    empty_condition,
    pass_room,
)  # fmt: skip
from twin.roads.treatments import MORATORIUM_YEARS, SURVEY_EUR
from twin.roads.view import Planner, View

Watch = Callable[[Condition], None]

BUDGET_EUR_M2 = 2.2
"""EUR a square metre and year: Gelsenkirchen, 10 M EUR for about 4.5 million m² (2026)."""

LONGEST_YEARS = 200

EXACT = 0.05
"""PCI by which a condition that is known may be off in an interval."""


@dataclass(frozen=True)
class Settings:
    """What a city decides on, and what is assumed of weather and traffic.

    Attributes
    ----------
    years
        Length of the run.
    budget_eur
        A year; Gelsenkirchen's 2.2 EUR/m² unless given.
    crews, pavers
        Who can work at the same time, and how many road pavers there are; by the network's size
        unless given.
    passes_per_year
        How often cameras pass each street.
    truth, belief
        Model of deterioration that is true, and that the city believes in: `markov`, `curve`.
    triage_per_week, patches_per_week
        Reports that can be looked at and patched; by the network's size unless given.
    trenches_per_year
        Share of sections that a utility opens in a year; own estimate.
    trench_loss
        PCI that a trench costs; own estimate.
    frost_share, frost_spread
        Part of ageing that falls in winter for frost, and how much winters differ (standard
        deviation of the logarithm); own estimates.
    start_week
        Week of the year (0 to 51) with which the run begins.
    """

    years: int = 10
    budget_eur: float | None = None
    crews: int | None = None
    pavers: int | None = None
    passes_per_year: float = 1.0
    truth: str = "markov"
    belief: str = "markov"
    triage_per_week: int | None = None
    patches_per_week: int | None = None
    trenches_per_year: float = 0.02
    trench_loss: float = 10.0
    frost_share: float = 0.25
    frost_spread: float = 0.5
    start_week: int = 0
    prices: costs.Prices = field(default_factory=costs.Prices)

    def __post_init__(self) -> None:
        for name, low, high, whole in (
            ("years", 1, LONGEST_YEARS, True), ("budget_eur", 0.0, 1e12, False),
            ("crews", 1, 1000, True), ("pavers", 1, 1000, True),
            ("passes_per_year", 0.0, 52.0, False), ("triage_per_week", 1, 1e6, True),
            ("patches_per_week", 1, 1e6, True), ("trenches_per_year", 0.0, 52.0, False),
            ("trench_loss", 0.0, 100.0, False), ("frost_spread", 0.0, 3.0, False),
            ("frost_share", 0.0, 1.0, False), ("start_week", 0, WEEKS - 1, True),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, low, high, whole=whole)
        for name in ("truth", "belief"):
            if getattr(self, name) not in deterioration.MODELS:
                known = ", ".join(deterioration.MODELS)
                msg = f"{name}(={getattr(self, name)!r}) is no model of deterioration: {known}"
                raise InputError(msg)

    def rules(self, inventory: Inventory) -> Records:
        """Numbers for compiled code.

        Raises
        ------
        InputError
            Where the cameras cost more than the budget.
        """
        area = float(inventory.place["area_m2"].sum())
        budget = BUDGET_EUR_M2 * area if self.budget_eur is None else self.budget_eur
        tour = float(inventory.place["tour_km"][-1])
        inspection = self.passes_per_year * tour * self.prices.inspection_eur_km
        if inspection > budget:
            msg = (
                f"passes_per_year(={self.passes_per_year:g}) cost {inspection:,.0f} EUR a year, "
                f"more than budget_eur(={budget:,.0f}): pass less often or give more"
            )
            raise InputError(msg)
        reports = float(inventory.place["report_rate"].sum()) * 0.2
        values = {
            "model": deterioration.MODELS.index(self.truth),
            "belief": deterioration.MODELS.index(self.belief),
            "discount": self.prices.discount_weekly(),
            "weeks": self.years * deterioration.WEEKS,
            "first_week": self.start_week,
            "crews": self.crews or max(1, round(area / 500_000.0)),
            "pavers": self.pavers or max(1, round(area / 1_000_000.0)),
            "budget": float(budget),
            "inspection": float(inspection),
            "tour_km_week": self.passes_per_year * tour / deterioration.WEEKS,
            "moratorium": MORATORIUM_YEARS * deterioration.WEEKS,
            "survey": SURVEY_EUR,
            "time_eur_h": self.prices.time_eur_h,
            "co2_eur_t": self.prices.co2_eur_t,
            "triage_eur": self.prices.triage_eur,
            "patch_eur": self.prices.patch_eur,
            "triage_per_week": self.triage_per_week or max(2, round(3.0 * reports)),
            "patches_per_week": self.patches_per_week or max(2, round(2.0 * reports)),
            "trench_rate": self.trenches_per_year / deterioration.WEEKS,
            "trench_loss": self.trench_loss,
            "frost_share": self.frost_share,
            "frost_spread": self.frost_spread,
            "pace_spread": deterioration.SPREAD,
        }
        made = np.zeros(1, RULES)
        for name, value in values.items():
            made[name] = value
        return made

    def with_values(self, **values: object) -> Settings:
        """These settings with some replaced."""
        return replace(self, **values)  # type: ignore[arg-type]


def make_condition(inventory: Inventory, rules: Records, copies: int = 1) -> Condition:
    """Empty copies of the size that inventory and rules ask for."""
    n, rule = len(inventory.place), rules[0]
    weeks, crews, pavers = (int(rule[name]) for name in ("weeks", "crews", "pavers"))
    return empty_condition(copies, n, weeks, crews, pavers, max(256, 2 * n))


class Decades:
    """Copies of one network, each with a seed of its own.

    Parameters
    ----------
    inventory, rules
        The network, and the numbers of the run.
    copies
        How many.
    """

    def __init__(self, inventory: Inventory, rules: Records, copies: int = 1) -> None:
        self.inventory, self.rules, self.copies = inventory, rules, copies
        self.state = make_condition(inventory, rules, copies)
        self._found = pass_room(inventory)[0]

    def reset(self, copy: int, seed: int) -> None:
        """Begin a copy anew."""
        kernel.reset(self.inventory, self.rules, self.state, copy, seed)

    def request(self, copy: int, sections: I8, options: I8, weeks: int) -> I8:
        """Ask for orders (`ask`)."""
        return ask(self.inventory, self.rules, self.state, copy, sections, options, weeks)

    def advance(self, copy: int, weeks: int) -> None:
        """Run some weeks; not beyond the end of the run."""
        left = int(self.rules[0]["weeks"]) - int(self.state.copy[copy]["week"])
        if left > 0:
            n = min(weeks, left)
            orders.step(self.inventory, self.rules, self.state, copy, n, self._found)

    def view(self, copy: int, weeks: int) -> View:
        """What a policy sees of a copy that will not decide again for so many weeks."""
        return make_view(self.inventory, self.rules, self.state, copy, weeks)


def ask(
    inventory: Inventory,
    rules: Records,
    state: Condition,
    copy: int,
    sections: npt.ArrayLike,
    options: npt.ArrayLike,
    weeks: int,
) -> I8:
    """Ask for orders, the most wanted first; what each was told (`state.REFUSALS`).

    Parameters
    ----------
    weeks
        Until the next decision; an order is taken where a crew is likely to begin before it.

    Raises
    ------
    InputError
        For a section or option that there is not, or a section that stands twice; then nothing
        is ordered.
    """
    places, wanted = (np.ascontiguousarray(v, np.int64) for v in (sections, options))
    n = len(inventory.place)
    for values, name, end in ((places, "section", n), (wanted, "option", OPTION_COUNT)):
        wrong = np.flatnonzero((values < 0) | (values >= end))
        if len(wrong):
            msg = f"{name} {values[wrong[0]]} of a plan is not there: {name}s are 0 to {end - 1}"
            raise InputError(msg)
    if len(places) != len(wanted):
        msg = f"a plan has {len(places)} sections and {len(wanted)} options: give one for each"
        raise InputError(msg)
    twice = np.flatnonzero(np.bincount(places, minlength=1) > 1)
    if len(twice):
        msg = (
            f"section {twice[0]} stands twice in a plan: ask for one treatment; nothing is ordered"
        )
        raise InputError(msg)
    answers = np.zeros(len(places), np.int64)
    scratch = np.zeros(int(rules[0]["crews"] + rules[0]["pavers"]), np.int64)
    orders.request(inventory, rules, state, copy, places, wanted, weeks, scratch, answers)
    return answers


def make_view(
    inventory: Inventory, rules: Records, state: Condition, copy: int, weeks: int
) -> View:
    """What a policy sees."""
    n = len(inventory.place)
    seen, allowed = np.zeros((n, 7)), np.zeros((n, OPTION_COUNT), np.int8)
    cells = np.zeros((n, CELLS))
    orders.look_at_all(inventory, rules, state, copy, seen, cells)
    orders.masks(inventory, rules, state, copy, allowed)
    week, section = int(state.copy[copy]["week"]), state.section[copy]

    def since(name: str) -> I8:
        at = section[name].astype(np.int64)
        return np.where(at >= 0, week - at, -1)

    return View(
        inventory=inventory,
        rules=rules,
        week=week,
        weeks=weeks,
        seen=seen,
        cells=cells,
        allowed=allowed,
        budget=float(state.budget[copy, LEFT]),
        treated=since("treated"),
        passed=since("passed"),
        moratorium=np.maximum(0, section["moratorium"].astype(np.int64) - week),
        reported=section["reports"].astype(np.int64),
        ordered=section["order"] != 0,
    )


def run_decade(
    decades: Decades, planner: Planner, seed: int, copy: int = 0, watch: Watch | None = None
) -> None:
    """Run a copy from its start to its end under a policy.

    Parameters
    ----------
    watch
        Called after each step with the copy's state.
    """
    decades.reset(copy, seed)
    weeks = planner.weeks
    while int(decades.state.copy[copy]["week"]) < int(decades.rules[0]["weeks"]):
        sections, options = planner.plan(decades.view(copy, weeks))
        decades.request(copy, sections, options, weeks)
        decades.advance(copy, weeks)
        if watch is not None:
            watch(decades.state)


def interval(
    inventory: Inventory, rules: Records, state: Condition, copy: int, level: float = 0.9
) -> tuple[F8, F8]:
    """Limits of the PCI between which a share `level` of each belief lies, as much on each side."""
    n, cells = len(inventory.place), len(inventory.lens.pace)
    weight = state.belief[copy].reshape(n, HYPOTHESES // cells, cells).sum(axis=1, dtype=float)
    low, high = np.zeros(n), np.zeros(n)
    for i in range(n):
        if rules[0]["belief"] == 0:
            limits, mass = _cells(inventory.lens.limit, weight[i], state.section[copy, i]["known"])
        else:
            limits, mass = _pace_limits(inventory, state, copy, i), weight[i]
        running = np.concatenate([[0.0], np.cumsum(mass)])
        running /= running[-1]
        tail = (1.0 - level) / 2.0
        high[i] = np.interp(tail, running, limits)
        low[i] = np.interp(1.0 - tail, running, limits)
    return low, high


def _cells(limit: F8, mass: F8, known: float) -> tuple[F8, F8]:
    """Limits of the cells, and their weights; that of a known PCI is as narrow as `EXACT`."""
    if np.isnan(known):
        return limit, mass
    j = min(int(np.searchsorted(-limit, -known, side="left")), len(mass)) - 1
    j = max(j, 0)
    narrow = [known + EXACT, known - EXACT]
    limits = np.concatenate([limit[: j + 1], narrow, limit[j + 1 :]])
    return limits, np.concatenate([mass[:j], [0.0, mass[j], 0.0], mass[j + 1 :]])


def _pace_limits(inventory: Inventory, state: Condition, copy: int, i: int) -> F8:
    """PCI between hypotheses of the curve, best first."""
    curve = deterioration.CURVES[int(inventory.place["klass"][i])]
    pci = curve.pci(state.hypothesis_age[copy, i].astype(float))
    middle = (pci[1:] + pci[:-1]) / 2.0
    first = min(100.0, pci[0] + (pci[0] - middle[0])) + EXACT
    last = max(0.0, pci[-1] - (middle[-1] - pci[-1])) - EXACT
    return np.concatenate([[first], middle, [last]])
