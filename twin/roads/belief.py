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

from twin.compiling import called, compiled, inlined
from twin.roads.state import CELLS, F4, F8, SITES, SUBCELLS, Lens

BANDS = CELLS // SUBCELLS
TERMS = 8  # of the exponential's series
FORGOTTEN = 1e-15  # weight of a hypothesis that no longer counts
NEGLIGIBLE = 1e-7  # weight that a further term would move
LARGEST_STEP = 0.4  # of a rate times time that the series is used for


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


@called
def age_belief(
    lens: Lens,
    chain: bool,
    weights: F4,
    ages: F4,
    rates: F8,
    factor: float,
    exposure: float,
    klass: int,
    report: float,
) -> None:
    """Bring a belief forward over a time in which nothing was observed.

    Parameters
    ----------
    rates : [5] of leaving each band, 1 / week of exposure
    factor : how much faster than its class the section ages
    exposure : weeks of usual ageing
    report : reports that citizens would have sent at PCI 0
    """
    if chain:
        _age_chain(weights, rates, exposure)
    else:
        for j in range(CELLS):
            ages[j] += lens.pace[j] * exposure * factor / 52.0
    for j in range(CELLS):
        bad = badness(lens, chain, klass, ages, j)
        silent = report * bad * bad
        silent = 1.0 - silent * (1.0 - 0.5 * silent) if silent < 0.05 else math.exp(-silent)
        stays = np.float32(silent)
        for s in range(SITES):
            weights[s * CELLS + j] *= stays


@inlined
def _age_chain(weights: F4, rates: F8, exposure: float) -> None:
    """Move weight down the bands, as the chain does; what stays keeps its cell."""
    greatest = max(max(rates[0], rates[1]), max(rates[2], rates[3])) * exposure
    steps = int(greatest / LARGEST_STEP) + 1
    share = exposure / steps
    a0, a1, a2, a3 = rates[0] * share, rates[1] * share, rates[2] * share, rates[3] * share
    e0, e1, e2, e3 = math.exp(-a0), math.exp(-a1), math.exp(-a2), math.exp(-a3)
    for _ in range(steps):
        for s in range(SITES):
            first = s * CELLS
            m0 = _mass(weights, first)
            m1 = _mass(weights, first + SUBCELLS)
            m2 = _mass(weights, first + 2 * SUBCELLS)
            m3 = _mass(weights, first + 3 * SUBCELLS)
            t0, t1, t2, t3 = m0, m1, m2, m3
            n1, n2, n3, n4 = m1, m2, m3, 0.0
            for k in range(1, TERMS + 1):  # the series of exp(rates * share), term by term
                r = 1.0 / k
                u0, u1, u2, u3 = a0 * t0 * r, a1 * t1 * r, a2 * t2 * r, a3 * t3 * r
                t0, t1, t2, t3 = -u0, u0 - u1, u1 - u2, u2 - u3
                n1, n2, n3, n4 = n1 + t1, n2 + t2, n3 + t3, n4 + u3
                if max(abs(u0) + abs(u1), abs(u2) + abs(u3)) < NEGLIGIBLE:
                    break
            _spread(weights, first, e0, 0.0)
            _spread(weights, first + SUBCELLS, e1, n1 - m1 * e1)
            _spread(weights, first + 2 * SUBCELLS, e2, n2 - m2 * e2)
            _spread(weights, first + 3 * SUBCELLS, e3, n3 - m3 * e3)
            _spread(weights, first + 4 * SUBCELLS, 1.0, n4)


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
    counts: F8,
    work: F8,
    known: bool,
) -> None:
    """Take in the numbers of detections of one pass, by class of damage.

    `work` is room for a number of each hypothesis.  `known` is False where one hears of a section
    only if something was detected there.
    """
    greatest = -math.inf
    for s in range(SITES):
        for j in range(CELLS):
            value = _log_likelihood(lens, chain, ages, klass, hundred_m, counts, known, s, j)
            work[s * CELLS + j] = value
            if weights[s * CELLS + j] > FORGOTTEN:
                greatest = max(greatest, value)
    total = 0.0
    for h in range(CELLS * SITES):
        value = work[h] - greatest
        weights[h] *= np.float32(math.exp(min(value, 40.0)) if value > -40.0 else 0.0)
        total += weights[h]
    share = np.float32(1.0 / total)
    for h in range(CELLS * SITES):
        weights[h] *= share


@inlined
def _log_likelihood(
    lens: Lens,
    chain: bool,
    ages: F4,
    klass: int,
    hundred_m: float,
    counts: F8,
    known: bool,
    s: int,
    j: int,
) -> float:
    """Logarithm of the chance of these counts under a hypothesis, but for what all share."""
    value, total = 0.0, 0.0
    if chain:
        for d in range(len(counts)):
            value += counts[d] * lens.log_mean[j, s, d]
        total = hundred_m * lens.total[j, s]
    else:
        bad = badness(lens, chain, klass, ages, j)
        for d in range(len(counts)):
            mean = detections_mean(lens, hundred_m, bad, lens.site[s, 0], d)
            value += counts[d] * math.log(mean)
            total += mean
    value -= total
    if not known:
        value -= math.log(-math.expm1(-total))
    return value


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


@compiled
def look(lens: Lens, chain: bool, weights: F4, ages: F4, klass: int, seen: F8) -> None:
    """Write into `seen` [7]: share of weight in each band, mean PCI, its standard deviation."""
    for k in range(7):
        seen[k] = 0.0
    total, square = 0.0, 0.0
    for j in range(CELLS):
        weight = 0.0
        for s in range(SITES):
            weight += weights[s * CELLS + j]
        pci = 100.0 - 100.0 * badness(lens, chain, klass, ages, j)
        seen[j // SUBCELLS if chain else band_of(lens, pci)] += weight
        seen[5] += weight * pci
        square += weight * pci * pci
        total += weight
    for k in range(6):
        seen[k] /= total
    seen[6] = math.sqrt(max(0.0, square / total - seen[5] * seen[5]))


@inlined
def weigh_cells(lens: Lens, chain: bool, weights: F4, ages: F4, klass: int, cells: F8) -> None:
    """Write into `cells` [cells, or more] what is believed of each cell of the PCI."""
    total = 0.0
    for j in range(CELLS):
        cells[j] = 0.0
    for j in range(CELLS):
        weight = 0.0
        for s in range(SITES):
            weight += weights[s * CELLS + j]
        if chain:
            cells[j] += weight
        else:
            cells[cell_of(lens, curve_pci(lens, klass, float(ages[j])))] += weight
        total += weight
    for j in range(CELLS):
        cells[j] /= total
