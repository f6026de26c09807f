"""What the city knows of a section's condition: a Bayes filter over hypotheses.

The hypotheses of the chain are cells of the PCI (each band in four), those of the curve are paces;
both times three degrees of how well a camera sees the street, which stays as it is from pass to
pass and so makes misses of passes depend on each other.  Between observations the weights follow
the model of deterioration (chain: the exponential of its rates; curve: each hypothesis ages at its
own pace).  Winters, trenches and treatments are known to the city.

A camera's pass gives numbers of detections by class of damage, Poisson with mean
length x (density(PCI) x share seen x site + false alarms); a citizen's report is one event of a
Poisson process that runs with (1 - PCI/100)^2, so that its staying away tells something, too.

The functions work on the row of one section: `weights` [hypotheses], sites by cells, and `ages`
[cells].
"""

from __future__ import annotations

import math

import numpy as np

from twin.compiling import called, inlined
from twin.roads.state import CELLS, F4, F8, HYPOTHESES, SITES, SUBCELLS, TERMS, Lens

BANDS = CELLS // SUBCELLS
FORGOTTEN = 1e-15  # weight of a hypothesis that no longer counts
FEW_REPORTS = 1.0  # up to which a series, to the eighth power, is the exponential to 1e-6
ONE, HALF = np.float32(1.0), np.float32(0.5)
SIXTH, FOURTH_TERM = np.float32(1.0 / 6.0), np.float32(1.0 / 24.0)
NOT_SOUGHT = -1.0  # number of detections of a class that nobody looked for
MOST_FACTORS = 40.0  # detections of a pass that are multiplied one by one


@inlined
def curve_pci(lens: Lens, klass: int, age: float) -> float:
    """PCI of a class's curve at an age."""
    life = lens.curve[klass, 1]
    if age <= 0.0:
        return 100.0
    if age >= life * 0.999999:
        return 0.0
    loss = lens.curve[klass, 0] / math.log(life / age) ** (1.0 / lens.curve[klass, 2])
    return min(100.0, max(0.0, 100.0 - loss))


@inlined
def curve_age(lens: Lens, klass: int, pci: float) -> float:
    """Age at which a class's curve has a PCI."""
    loss = 100.0 - pci
    if loss <= 0.0:
        return 0.0
    power = (lens.curve[klass, 0] / loss) ** lens.curve[klass, 2]
    return lens.curve[klass, 1] * math.exp(-power)


@inlined
def cell_of(lens: Lens, pci: float) -> int:
    """Cell of a PCI; a limit belongs to the better cell."""
    for j in range(CELLS - 1):
        if pci >= lens.limit[j + 1]:
            return j
    return CELLS - 1


@inlined
def band_of(lens: Lens, pci: float) -> int:
    """Band of a PCI; a limit belongs to the better band."""
    for b in range(BANDS - 1):
        if pci >= lens.limit[SUBCELLS * (b + 1)]:
            return b
    return BANDS - 1


@inlined
def badness(lens: Lens, chain: bool, klass: int, ages: F4, j: int) -> float:
    """1 - PCI/100 that hypothesis j stands for."""
    if chain:
        return lens.bad[j]
    return 1.0 - curve_pci(lens, klass, float(ages[j])) / 100.0


@inlined
def detections_mean(lens: Lens, hundred_m: float, bad: float, site: float, d: int) -> float:
    """Expected detections of a class of damage in one pass; bad = 1 - PCI/100."""
    density = lens.damage[d, 0] * bad ** lens.damage[d, 1]
    return hundred_m * (density * lens.damage[d, 2] * site + lens.damage[d, 3])


@inlined
def age_belief(
    lens: Lens,
    chain: bool,
    weights: F4,
    ages: F4,
    klass: int,
    factor: float,
    exposure: float,
    report: float,
    moved: F8,
) -> None:
    """Bring a belief forward over a time in which nothing was observed.

    Parameters
    ----------
    factor : how much faster than its class the section ages
    exposure : weeks of usual ageing
    report : reports that citizens would have sent at PCI 0
    moved : room for a share of each band and band
    """
    weeks = factor * exposure
    if chain:
        _age_chain(lens.series, lens.longest, lens.square, weights, klass, weeks, report, moved)
    else:
        _age_curve(lens, weights, ages, klass, weeks, report)


@called
def _age_curve(lens: Lens, weights: F4, ages: F4, klass: int, weeks: float, report: float) -> None:
    """Let every hypothesis age at its pace."""
    for j in range(CELLS):
        ages[j] += lens.pace[j] * weeks / 52.0
        bad = badness(lens, False, klass, ages, j)
        silent = np.float32(math.exp(-report * bad * bad))
        for s in range(SITES):
            weights[s * CELLS + j] *= silent


@called
def _age_chain(
    series: F8,
    longest: F8,
    square: F4,
    weights: F4,
    klass: int,
    weeks: float,
    report: float,
    moved: F8,
) -> None:
    """Move weight down the bands, as the chain does; what stays keeps its cell.

    The shares that move in so many weeks are a power series in them (`Lens.series`).
    """
    if report < FEW_REPORTS:
        eighth = np.float32(report / 8.0)
        for h in range(HYPOTHESES):
            sent = eighth * square[h]
            silent = ONE - sent * (ONE - sent * (HALF - sent * (SIXTH - sent * FOURTH_TERM)))
            silent *= silent
            silent *= silent
            weights[h] *= silent * silent
    else:
        for h in range(HYPOTHESES):
            weights[h] *= np.float32(math.exp(-report * square[h]))
    steps = int(weeks / longest[klass]) + 1
    share = weeks / steps
    for k in range((BANDS - 1) * BANDS):
        value = 0.0
        for term in range(TERMS, -1, -1):
            value = value * share + series[klass, term, k]
        moved[k] = value
    for _ in range(steps):
        for s in range(SITES):
            first = s * CELLS
            m0 = _mass(weights, first)
            m1 = _mass(weights, first + SUBCELLS)
            m2 = _mass(weights, first + 2 * SUBCELLS)
            m3 = _mass(weights, first + 3 * SUBCELLS)
            enter1 = m0 * moved[1]
            enter2 = m0 * moved[2] + m1 * moved[BANDS + 2]
            enter3 = m0 * moved[3] + m1 * moved[BANDS + 3] + m2 * moved[2 * BANDS + 3]
            enter4 = (
                m0 * moved[4]
                + m1 * moved[BANDS + 4]
                + m2 * moved[2 * BANDS + 4]
                + m3 * moved[3 * BANDS + 4]
            )
            _spread(weights, first, moved[0], 0.0)
            _spread(weights, first + SUBCELLS, moved[BANDS + 1], enter1)
            _spread(weights, first + 2 * SUBCELLS, moved[2 * BANDS + 2], enter2)
            _spread(weights, first + 3 * SUBCELLS, moved[3 * BANDS + 3], enter3)
            _spread(weights, first + 4 * SUBCELLS, 1.0, enter4)


@inlined
def _mass(weights: F4, first: int) -> float:
    total = 0.0
    for h in range(first, first + SUBCELLS):
        total += weights[h]
    return total


@inlined
def _spread(weights: F4, first: int, stays: float, enters: float) -> None:
    """What stays keeps its cell; what enters a band lies anywhere in it."""
    kept, each = np.float32(stays), np.float32(max(0.0, enters) / SUBCELLS)
    for h in range(first, first + SUBCELLS):
        weights[h] = weights[h] * kept + each


@called
def observe_counts(
    lens: Lens,
    chain: bool,
    weights: F4,
    ages: F4,
    klass: int,
    hundred_m: float,
    silence: F8,
    counts: F8,
    work: F8,
) -> None:
    """Take in the numbers of detections of one pass, by class of damage.

    Parameters
    ----------
    silence : chance of each hypothesis of the chain that a pass detects nothing
    counts : by class of damage; `NOT_SOUGHT` of what was not looked for
    work : room for a number of each hypothesis
    """
    number, sought = 0.0, True
    for d in range(len(counts)):
        number += counts[d]
        sought = sought and counts[d] >= 0.0
    if chain and sought and number <= MOST_FACTORS:
        for h in range(HYPOTHESES):
            work[h] = silence[h]
        for d in range(len(counts)):
            for _ in range(int(counts[d])):
                for h in range(HYPOTHESES):
                    work[h] *= lens.mean[d, h]
    else:
        _likelihoods(lens, chain, weights, ages, klass, hundred_m, counts, work)
    total = 0.0
    for h in range(HYPOTHESES):
        work[h] *= weights[h]
        total += work[h]
    share = 1.0 / total
    for h in range(HYPOTHESES):
        weights[h] = work[h] * share


@called
def _likelihoods(
    lens: Lens,
    chain: bool,
    weights: F4,
    ages: F4,
    klass: int,
    hundred_m: float,
    counts: F8,
    work: F8,
) -> None:
    """Write into `work` the chance of these counts under each hypothesis, but for a factor."""
    greatest = -math.inf
    for s in range(SITES):
        for j in range(CELLS):
            bad = badness(lens, chain, klass, ages, j)
            value, total = 0.0, 0.0
            for d in range(len(counts)):
                if counts[d] >= 0.0:
                    mean = detections_mean(lens, hundred_m, bad, lens.site[s, 0], d)
                    value += counts[d] * math.log(mean)
                    total += mean
            value -= total
            work[s * CELLS + j] = value
            if weights[s * CELLS + j] > FORGOTTEN:
                greatest = max(greatest, value)
    for h in range(HYPOTHESES):
        value = work[h] - greatest
        work[h] = math.exp(min(value, 40.0)) if value > -40.0 else 0.0


@called
def observe_report(lens: Lens, chain: bool, weights: F4, ages: F4, klass: int) -> None:
    """Take in that a citizen reports damage."""
    total = 0.0
    for j in range(CELLS):
        bad = badness(lens, chain, klass, ages, j)
        for s in range(SITES):
            weights[s * CELLS + j] *= bad * bad
            total += weights[s * CELLS + j]
    if total > 0.0:
        for h in range(CELLS * SITES):
            weights[h] /= total


@called
def observe_pci(
    lens: Lens, chain: bool, weights: F4, ages: F4, klass: int, pci: float, error: float
) -> None:
    """Take in a measured PCI with a normal error."""
    total = 0.0
    for j in range(CELLS):
        value = 100.0 - 100.0 * badness(lens, chain, klass, ages, j)
        near = math.exp(-0.5 * ((value - pci) / error) ** 2) + 1e-12
        for s in range(SITES):
            weights[s * CELLS + j] *= near
            total += weights[s * CELLS + j]
    for h in range(CELLS * SITES):
        weights[h] /= total


@called
def know_pci(lens: Lens, chain: bool, weights: F4, ages: F4, klass: int, pci: float) -> None:
    """The condition has become known, by works or a survey on foot."""
    if chain:
        cell = cell_of(lens, pci)
        for s in range(SITES):
            mass = 0.0
            for j in range(CELLS):
                mass += weights[s * CELLS + j]
                weights[s * CELLS + j] = 0.0
            weights[s * CELLS + cell] = mass
        return
    age = curve_age(lens, klass, pci)
    for j in range(CELLS):
        ages[j] = age


@called
def lose_pci(lens: Lens, chain: bool, weights: F4, ages: F4, klass: int, loss: float) -> None:
    """A trench takes some points off, whatever the condition was."""
    if not chain:
        for j in range(CELLS):
            pci = curve_pci(lens, klass, float(ages[j])) - loss
            ages[j] = curve_age(lens, klass, max(0.0, pci))
        return
    for s in range(SITES):
        first = s * CELLS
        for j in range(CELLS - 1, -1, -1):  # worst first: weight moves to cells already done
            mass = float(weights[first + j])
            weights[first + j] = 0.0
            top, low = lens.limit[j] - loss, lens.limit[j + 1] - loss
            rest = mass
            for k in range(j, CELLS - 1):
                inside = min(top, lens.limit[k]) - max(low, lens.limit[k + 1])
                if inside > 0.0:
                    part = mass * inside / (top - low)
                    weights[first + k] += part
                    rest -= part
            weights[first + CELLS - 1] += max(0.0, rest)


@inlined
def look(
    lens: Lens,
    chain: bool,
    weights: F4,
    ages: F4,
    klass: int,
    known: float,
    seen: F8,
    cells: F8,
) -> None:
    """What is believed of a section.

    A section that is still in the cell where works or a visit have left it has the PCI `known`
    (NaN: nobody knows) there, not the middle of the cell; it stays so until it leaves the band.

    Parameters
    ----------
    seen : [7] gets the share of each band, the mean PCI, its standard deviation
    cells : [cells, or more] gets the share of each cell of the PCI
    """
    known_cell = cell_of(lens, known) if chain and not math.isnan(known) else -1
    for j in range(CELLS):
        cells[j] = 0.0
    total, first, square = 0.0, 0.0, 0.0
    for j in range(CELLS):
        weight = 0.0
        for s in range(SITES):
            weight += weights[s * CELLS + j]
        if chain:
            pci = known if j == known_cell else 100.0 - 100.0 * lens.bad[j]
            cells[j] = weight
        else:
            pci = curve_pci(lens, klass, float(ages[j]))
            cells[cell_of(lens, pci)] += weight
        total += weight
        first += weight * pci
        square += weight * pci * pci
    share = 1.0 / total
    for b in range(BANDS):
        seen[b] = 0.0
    for j in range(CELLS):
        cells[j] *= share
        seen[j // SUBCELLS] += cells[j]
    seen[5] = first * share
    seen[6] = math.sqrt(max(0.0, square * share - seen[5] * seen[5]))
