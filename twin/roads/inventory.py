"""From a city's sections and how they are used to the arrays that compiled code reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.random import Stream
from twin.roads import costs, deterioration
from twin.roads.deterioration import BANDS, CLASSES, CURVES, WEEKS
from twin.roads.state import (
    CELLS,
    CHOICE,
    F8,
    HYPOTHESES,
    I8,
    KIND,
    PLACE,
    STEP,
    SUBCELLS,
    TERMS,
    Inventory,
    Lens,
    Records,
)  # fmt: skip
from twin.roads.treatments import OPTIONS, TREATMENTS, option_days, option_prices

if TYPE_CHECKING:
    import pandas as pd

DAMAGES = ("D00", "D10", "D20", "D40")
"""Longitudinal and transverse cracks, alligator cracks, potholes (RDD2022)."""
DENSITY = ((6.0, 1.0), (4.0, 1.0), (8.0, 2.0), (5.0, 3.0))
"""Damages on 100 m: factor and power of 1 - PCI/100, by class; own estimates."""
SEEN = (0.60, 0.56, 0.67, 0.60)
"""Share that a camera's pass detects: recall of single models in CRDDC2022."""
FALSE_SHARE = (0.28, 0.35, 0.23, 0.30)
"""Share of false ones among detections, over streets in Gelsenkirchen's state (CRDDC2022)."""
SITES_SEEN = (0.5, 1.0, 1.5)
SITES_SHARE = (0.25, 0.5, 0.25)
"""How well one sees a street, as a factor that stays from pass to pass; own estimate."""

REPORTS_PER_1000 = 476.0 / 263.0
"""Reports of road damage a year and 1,000 people: Gelsenkirchen 2018, 263,000 people."""
REPORTS_PER_KM = 476.0 / 732.0
"""The same by length of road, for cities whose people are not known."""
LOAD_SHARE = 0.4
"""Part of deterioration that heavy vehicles cause; own estimate."""
FACTOR_RANGE = (0.5, 3.0)
LARGEST_STEP = 0.4  # of a rate times time for which a power series stands
AXLES_T = {"car": (0.7, 0.7), "lorry": (5.0, 7.5), "bus": (5.5, 9.0)}
"""Mean axle loads in tonnes; own estimates."""
STANDARD_AXLE_T = 8.16
USUAL_COUNTS = {
    "car": (480.0, 3600.0, 11000.0), "lorry": (15.0, 200.0, 700.0), "bus": (0.0, 60.0, 150.0),
}  # fmt: skip
"""Vehicles a day by class where no traffic is known; own estimates."""


def esal(axles_t: tuple[float, ...]) -> float:
    """Equivalent single axle loads of a vehicle: (load / 8.16 t)^4 summed (AASHO road test)."""
    return float(sum((axle / STANDARD_AXLE_T) ** 4 for axle in axles_t))


@dataclass(frozen=True)
class Use:
    """How sections are used; made by whoever knows traffic and people (`twin.usage`).

    Attributes
    ----------
    counts
        [sections] vehicles a working day by type: car, lorry, bus.
    residents
        [sections] people who live there.
    delay_h, delay_co2_t
        [sections, shifts] what a working day on the section costs drivers: vehicle hours and
        tonnes, by shift (`treatments.SHIFTS`).
    arrangement
        [sections, shifts] number of the way in which traffic is led past the works.
    """

    counts: Mapping[str, F8]
    residents: F8
    delay_h: F8
    delay_co2_t: F8
    arrangement: I8
    notes: Mapping[str, float] = field(default_factory=dict)


def usual_use(sections: pd.DataFrame) -> Use:
    """Usual numbers by class, where nothing is known of traffic: no delays, no people."""
    klass = sections["class"].to_numpy(np.int64)
    counts = {name: np.array(values)[klass] for name, values in USUAL_COUNTS.items()}
    n = len(sections)
    nothing = np.zeros((n, 3))
    return Use(counts, np.zeros(n), nothing, nothing.copy(), np.zeros((n, 3), np.int64))


def load_factors(klass: I8, counts: Mapping[str, F8], length_m: F8) -> F8:
    """How much faster each section ages than its class, by equivalent axle loads a day."""
    loads = np.zeros(len(klass))
    for name, axles in AXLES_T.items():
        if name in counts:
            loads += counts[name] * esal(axles)
    factor = np.ones(len(klass))
    for k in range(len(CLASSES)):
        mine = klass == k
        weight = length_m[mine]
        mean = float(np.average(loads[mine], weights=weight)) if weight.sum() > 0.0 else 0.0
        if mean > 0.0:
            factor[mine] = (1.0 - LOAD_SHARE) + LOAD_SHARE * loads[mine] / mean
    return np.asarray(np.clip(factor, *FACTOR_RANGE))


def ages_of(sections: pd.DataFrame, model: str = "markov") -> F8:
    """Years since each section was built: even over a span by class.

    Nothing in open data says it; the span is such that by this model as many are bad as in
    Gelsenkirchen.  Sections of one street and name were built together.
    """
    klass = sections["class"].to_numpy(np.int64)
    spans = np.array([deterioration.age_span(k, model) for k in range(len(CLASSES))])
    level = Stream(0, "inventory").uniform(sections["street"].to_numpy(np.int64))
    return np.asarray(spans[klass] * level)


def _priors(klass: I8, age: F8, factor: F8) -> tuple[F8, F8]:
    """Shares by cell of sections of a class and age, and their running sum."""
    shares = np.zeros((len(klass), CELLS))
    for k in range(len(CLASSES)):
        mine = np.flatnonzero(klass == k)
        if len(mine):
            effective, where = np.unique(np.round(age[mine] * factor[mine], 1), return_inverse=True)
            bands = deterioration.band_shares(k, effective)[where]
            shares[mine] = np.repeat(bands / SUBCELLS, SUBCELLS, axis=1)
    shares = np.maximum(shares, 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares, np.cumsum(shares, axis=1)


def false_alarms() -> F8:
    """[damage classes] false alarms on 100 m such that their share is right on usual streets."""
    spans = [deterioration.age_span(k) for k in range(len(CLASSES))]
    ages = (np.arange(40) + 0.5) / 40.0
    shares = np.mean(
        [deterioration.band_shares(k, ages * spans[k]).mean(axis=0) for k in range(len(CLASSES))],
        axis=0,
    )
    bad = 1.0 - costs.middle_of_bands() / 100.0
    usual = np.array([factor * (shares * bad**power).sum() for factor, power in DENSITY])
    share = np.array(FALSE_SHARE)
    return np.asarray(share / (1.0 - share) * np.array(SEEN) * usual)


def make_inventory(
    sections: pd.DataFrame,
    use: Use | None = None,
    *,
    age_years: F8 | None = None,
    tour: I8 | None = None,
    tour_km: F8 | None = None,
    truth: str | None = None,
    belief: str = "markov",
    prices: costs.Prices = costs.DEFAULT,
) -> Inventory:
    """Arrays of a table of sections.

    Parameters
    ----------
    sections
        Columns class, street, length_m, area_m2.
    use
        Traffic, people and delays; usual numbers unless given.
    age_years
        Years since construction; `ages_of` unless given.
    tour, tour_km
        Way of a camera (`tours.make_tour`); the sections in their order unless given.
    truth, belief
        Model that is true (that of the belief unless given), and that the city believes in:
        `markov` or `curve`.  Where both differ and no ages are given, the city believes in other
        ages than the true ones, so that it is right about the share of bad streets.
    """
    use = use or usual_use(sections)
    klass = sections["class"].to_numpy(np.int64)
    length_m, area = sections["length_m"].to_numpy(float), sections["area_m2"].to_numpy(float)
    if age_years is None:
        true_age, age = ages_of(sections, truth or belief), ages_of(sections, belief)
    else:
        true_age = age = np.asarray(age_years, float)
    factor = load_factors(klass, use.counts, length_m)
    shares, running = _priors(klass, age, factor)
    if age is not true_age:
        running = _priors(klass, true_age, factor)[1]
    first = shares if belief == "markov" else np.full((len(klass), CELLS), 1.0 / CELLS)
    prior = (np.array(SITES_SHARE)[None, :, None] * first[:, None, :]).reshape(len(klass), -1)
    heavy = prices.lorry_factor
    km_day = use.counts["car"] + heavy * (use.counts["lorry"] + use.counts["bus"])
    n, shift = len(klass), np.array([0, *(s for _, s in OPTIONS)])
    days = option_days(area)
    lens = make_lens()
    co2 = np.array([0.0, *(TREATMENTS[t].co2_kg_m2 for t, _ in OPTIONS)])
    return Inventory(
        place=_filled(
            PLACE, (n,), klass=klass, hundred_m=length_m / 100.0, area_m2=area, factor=factor,
            km_week=km_day * 7.0 * length_m / 1000.0, residents=use.residents,
            report_rate=report_rates(length_m, use), age_years=age, true_age=true_age,
            tour=np.arange(n) if tour is None else tour,
            tour_km=np.cumsum(length_m) / 1000.0 if tour_km is None else tour_km,
        ),
        rates=deterioration.leave_rates()[klass] * factor[:, None],
        choice=_filled(
            CHOICE, days.shape, price=option_prices(klass, area), days=days,
            co2_t=area[:, None] * co2[None, :] / 1000.0, delay_h=days * use.delay_h[:, shift],
            delay_co2_t=days * use.delay_co2_t[:, shift],
        ),
        kind=_filled(
            KIND, (len(TREATMENTS),),
            **{name: [getattr(t, at) for t in TREATMENTS]
               for name, at in (("lowest", "lowest_pci"), ("lift", "lift"), ("target", "target"),
                                ("paver", "paver"))},
            first_week=[t.season[0] for t in TREATMENTS],
            last_week=[t.season[1] for t in TREATMENTS],
        ),
        treatment=np.array([-1, *(t for t, _ in OPTIONS)]),
        step=_steps(prices),
        lens=lens,
        prior=prior.astype(np.float32),
        prior_age=(age * factor)[:, None] * deterioration.quantile_paces(CELLS)[None, :],
        silence=np.exp(-length_m[:, None] / 100.0 * lens.mean.sum(axis=0)),
        truth_prior=running,
    )  # fmt: skip


def _filled(kind: Any, shape: tuple[int, ...], **columns: Any) -> Records:
    """Records with these columns."""
    made = np.zeros(shape, kind)
    for name in kind.names:
        made[name] = columns[name]
    return made


def _steps(prices: costs.Prices) -> Records:
    """[101] what a street costs by its PCI."""
    steps = costs.PCI_STEPS
    backlog = {f"backlog{k}": costs.backlog_eur_m2(k, steps) for k in range(len(CLASSES))}
    return _filled(
        STEP, steps.shape, operating=costs.operating_eur_km(steps, prices),
        patching=costs.patching_eur_m2_week(steps, prices), **backlog,
    )  # fmt: skip


def _series(rates: F8) -> F8:
    """[classes, terms + 1, 4 * 5] coefficients of the exponential of a chain's rates [classes, 5].

    Entry 5 i + j belongs to the share that goes from band i to band j.
    """
    series = np.zeros((len(rates), TERMS + 1, (BANDS - 1) * BANDS))
    for k, rate in enumerate(rates):
        term = np.eye(BANDS)
        for power in range(TERMS + 1):
            series[k, power] = term[:-1].ravel()
            term = term @ (np.diag(rate[:-1], 1) - np.diag(rate)) / (power + 1)
    return series


@cache
def make_lens() -> Lens:
    """What beliefs are read and changed with."""
    limit, site = deterioration.slices(SUBCELLS), np.array(SITES_SEEN)
    bad = 1.0 - (limit[1:] + limit[:-1]) / 200.0
    damage = np.column_stack([np.array(DENSITY), SEEN, false_alarms()])
    density = damage[:, 0] * bad[:, None] ** damage[:, 1]  # [cells, damage classes]
    mean = (density * damage[:, 2])[None, :, :] * site[:, None, None] + damage[:, 3]
    rates = deterioration.leave_rates()
    return Lens(
        limit=limit,
        bad=bad,
        square=np.tile(bad**2, len(site)).astype(np.float32),
        mean=np.ascontiguousarray(mean.reshape(HYPOTHESES, -1).T),
        series=_series(rates),
        longest=LARGEST_STEP / rates.max(axis=1),
        pace=deterioration.quantile_paces(CELLS),
        curve=np.array([(c.k, c.life_years, c.b) for c in CURVES]),
        damage=damage,
        site=np.column_stack([site, np.cumsum(SITES_SHARE)]),
    )


def report_rates(length_m: F8, use: Use) -> F8:
    """Reports a week of each section, were its PCI 0: half by people, half by traffic.

    The city's total is Gelsenkirchen's for its people, or for its length of road where nobody is
    known to live there, at Gelsenkirchen's share of bad streets.
    """
    km = sum(use.counts.values()) * length_m
    people = np.asarray(use.residents, float)
    total = people.sum() / 1000.0 * REPORTS_PER_1000
    if people.sum() <= 0.0:
        people, total = length_m, length_m.sum() / 1000.0 * REPORTS_PER_KM
    part = 0.5 * people / people.sum() + 0.5 * (km / km.sum() if km.sum() > 0.0 else 1.0 / len(km))
    usual = _usual_badness()
    return np.asarray(total / WEEKS * part / usual)


@cache
def _usual_badness() -> float:
    """Mean of (1 - PCI/100)^2 over streets in Gelsenkirchen's state."""
    span = deterioration.age_span(0)
    shares = deterioration.band_shares(0, (np.arange(40) + 0.5) / 40.0 * span).mean(axis=0)
    return float((shares * (1.0 - costs.middle_of_bands() / 100.0) ** 2).sum())
