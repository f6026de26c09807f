"""The weeks of a network of roads, compiled: ageing, trenches, reports, passes, orders, euros.

A week of a copy runs in a fixed order, the same on the SimPy clock (`process.py`) and in batches:
orders whose crew is free begin, the week's euros are booked by the condition of its Monday; then,
on the next Monday, finished works are accepted, sections that are due leave their band, trenches
are dug, reports arrive and are triaged and patched, and the passes of the week are read.

Every draw is a function of the copy's seed, the section and how often it has been drawn for
(`twin.random`), so that two policies of one seed meet the same fate wherever they act alike.
"""

from __future__ import annotations

import math
from typing import Any

from twin.compiling import called, compiled, inlined
from twin.random import Stream, philox_normal, philox_uniform
from twin.roads.belief import (
    age_belief,
    band_of,
    curve_age,
    curve_pci,
    detections_mean,
    know_pci,
    lose_pci,
    observe_counts,
    observe_pci,
    observe_report,
)  # fmt: skip
from twin.roads.state import (
    CELLS,
    F4,
    F8,
    GRANTED,
    HYPOTHESES,
    I8,
    LAPSED,
    LEFT,
    RESERVED,
    SITES,
    SPENT,
    SUBCELLS,
    Condition,
    Inventory,
    Records,
)  # fmt: skip

KEY = Stream(0, "roads").key[1]
JUMP, PLACE, SITE, CELL, FIRST_PLACE, REPORT, TRENCH, PACE, COUNT = 0, 1, 2, 3, 4, 5, 6, 7, 10
WORKDAY, FROST = 20, 21
TOO_LATE = -1
TINY_KM = 1e-9  # by which a sum of ways may be off
SOUND = 88.0  # PCI from which a report is found to be none
WINTER_WEEKS = 17  # from December to March
WINTER_END = 13  # weeks of the year that belong to winter, and those from 48 on
WORKS, SURVEYS, INSPECTIONS, REPORTS, PATCHING, OPERATING, DELAY, CO2, BACKLOG = range(9)


@inlined
def draw(state: Condition, c: int, entity: int, tick: int, what: int) -> float:
    """Uniform number in [0, 1) of a copy."""
    return philox_uniform(state.copy[c]["seed"], KEY, entity, tick, what)


@inlined
def waiting(state: Condition, c: int, entity: int, tick: int, what: int) -> float:
    """Exponential number of mean 1."""
    return -math.log1p(-draw(state, c, entity, tick, what))


@inlined
def work_chance(week_of_year: int) -> float:
    """Chance that crews can work on a day: none in deep winter, less in its margins."""
    if week_of_year < 8 or week_of_year >= 50:
        return 0.0
    if week_of_year < 12 or week_of_year >= 46:
        return 0.5
    return 0.85


@compiled
def reset(inventory: Inventory, rules: Records, state: Condition, c: int, seed: int) -> None:
    """Begin a copy anew: weather, truth and belief of a seed."""
    copy = state.copy[c]
    copy["seed"], copy["week"], copy["tour_at"], copy["under_way"] = seed, 0, 0.0, 0
    copy["queue_first"], copy["queue_end"], copy["last_begin"] = 0, 0, 0
    copy["patched"], copy["triaged"], copy["arrived"] = 0, 0, 0
    _weather(rules[0], state, c)
    for i in range(len(inventory.place)):
        _reset_section(inventory, rules[0], state, c, i)
    state.crew_free[c, :] = 0
    state.paver_free[c, :] = 0
    state.budget[c, :] = 0.0
    state.euros[c, :, :] = 0.0
    state.area[c, :] = 0.0
    state.refused[c, :] = 0
    state.counts[c, :] = 0.0
    recount(inventory, state, c)
    book(state, c, BACKLOG, -copy["backlog"], 1.0)
    grant(rules[0], state, c)


@inlined
def _weather(rule: Any, state: Condition, c: int) -> None:
    """Exposure and working days of every week to come."""
    share, exposure, days = rule["frost_share"], 0.0, 0
    first, spread = rule["first_week"], rule["frost_spread"]
    for w in range(rule["weeks"] + 1):
        state.week[c, w]["exposure"], state.week[c, w]["workday"] = exposure, days
        of_year = (first + w) % 52
        pace = 1.0 - share
        if of_year < WINTER_END or of_year >= 48:
            winter = (first + w + 4) // 52
            normal = philox_normal(state.copy[c]["seed"], KEY, winter, 0, FROST)
            pace += share * 52.0 / WINTER_WEEKS * math.exp(spread * normal - 0.5 * spread**2)
        chance = work_chance(of_year)
        for day in range(5):
            if chance > 0.0 and draw(state, c, w, day, WORKDAY) < chance:
                days += 1
        exposure += pace


@inlined
def _reset_section(inventory: Inventory, rule: Any, state: Condition, c: int, i: int) -> None:
    lens, place, it = inventory.lens, inventory.place[i], state.section[c, i]
    level, cell = draw(state, c, i, 0, CELL), 0
    while cell < CELLS - 1 and inventory.truth_prior[i, cell] <= level:
        cell += 1
    within = draw(state, c, i, 0, FIRST_PLACE)
    it["pci"] = lens.limit[cell + 1] + within * (lens.limit[cell] - lens.limit[cell + 1])
    spread = rule["pace_spread"]
    normal = philox_normal(state.copy[c]["seed"], KEY, i, 0, PACE)
    it["pace"] = math.exp(0.5 * spread**2 - spread * normal)  # so that E[1 / pace] = 1
    it["age"] = 0.0
    if rule["model"] == 1:
        it["age"] = place["true_age"] * place["factor"] * it["pace"]
        it["pci"] = curve_pci(lens, place["klass"], it["age"])
    it["draws"], it["trenches"], it["reports"], it["awaited"] = 0, 0, 0, 0
    _await_jump(inventory, state, c, i, 0.0)
    level, site = draw(state, c, i, 0, SITE), 0
    while site < SITES - 1 and lens.site[site, 1] <= level:
        site += 1
    it["site"], it["moratorium"], it["order"], it["since"] = site, 0, 0, 0
    it["passed"], it["treated"], it["known"] = -1, -1, math.nan
    for h in range(HYPOTHESES):
        state.belief[c, i, h] = inventory.prior[i, h]
    for j in range(CELLS):
        state.hypothesis_age[c, i, j] = inventory.prior_age[i, j]
    rate = rule["trench_rate"]
    it["trench_at"] = waiting(state, c, i, 0, TRENCH) / rate if rate > 0.0 else math.inf
    _await_report(inventory, state, c, i, 0.0)


@compiled
def redraw(inventory: Inventory, rules: Records, state: Condition, c: int, sections: I8) -> None:
    """Draw the truth of sections anew at the start of a run, from what is believed of them now.

    For observations of the real city: the runs of a scenario differ by what they leave open.
    """
    lens, chain, copy = inventory.lens, rules[0]["belief"] == 0, state.copy[c]
    before = copy["backlog"]
    for i in sections:
        it, klass = state.section[c, i], inventory.place[i]["klass"]
        weights, ages = state.belief[c, i], state.hypothesis_age[c, i]
        j, site = _drawn(weights, draw(state, c, i, 0, CELL), draw(state, c, i, 0, SITE))
        if chain:
            within = draw(state, c, i, 0, FIRST_PLACE)
            pci = lens.limit[j + 1] + within * (lens.limit[j] - lens.limit[j + 1])
            it["age"] = curve_age(lens, klass, pci)
        else:
            it["age"], it["pace"] = ages[j], lens.pace[j]
            pci = curve_pci(lens, klass, float(ages[j]))
        it["pci"], it["site"] = pci, site
        _await_jump(inventory, state, c, i, 0.0)
        _await_report(inventory, state, c, i, 0.0)
    recount(inventory, state, c)
    book(state, c, BACKLOG, before - copy["backlog"], 1.0)


@inlined
def _drawn(weights: F4, level: float, other: float) -> tuple[int, int]:
    """Cell and degree of sight that lie at two levels of a belief's running sums."""
    total = 0.0
    for h in range(HYPOTHESES):
        total += weights[h]
    j, running = -1, 0.0
    while j < CELLS - 1 and running <= level * total:
        j += 1
        for s in range(SITES):
            running += weights[s * CELLS + j]
    mass = 0.0
    for s in range(SITES):
        mass += weights[s * CELLS + j]
    site, running = 0, float(weights[j])
    while site < SITES - 1 and running <= other * mass:
        site += 1
        running += weights[site * CELLS + j]
    return j, site


@inlined
def _await_jump(inventory: Inventory, state: Condition, c: int, i: int, now: float) -> None:
    """Draw the exposure at which the section leaves the band in which it is."""
    it = state.section[c, i]
    rate = inventory.rates[i, band_of(inventory.lens, it["pci"])]
    it["jump_at"] = now + waiting(state, c, i, it["draws"], JUMP) / rate if rate > 0.0 else math.inf


@inlined
def _report_rate(inventory: Inventory, i: int, pci: float) -> float:
    bad = 1.0 - pci / 100.0
    return inventory.place[i]["report_rate"] * bad * bad


@inlined
def _await_report(inventory: Inventory, state: Condition, c: int, i: int, now: float) -> None:
    """Draw when the next citizen reports the section, at its present condition."""
    it = state.section[c, i]
    rate = _report_rate(inventory, i, it["pci"])
    it["report_at"] = math.inf
    if rate > 0.0:
        it["report_at"] = now + waiting(state, c, i, it["awaited"], REPORT) / rate
        it["awaited"] += 1


@inlined
def _backlog(inventory: Inventory, klass: int, step: int) -> float:
    if klass == 0:
        return inventory.step[step]["backlog0"]
    return inventory.step[step]["backlog1"] if klass == 1 else inventory.step[step]["backlog2"]


@called
def set_pci(inventory: Inventory, state: Condition, c: int, i: int, pci: float) -> None:
    """Change the true condition of a section, and all that follows from it."""
    place, it, copy = inventory.place[i], state.section[c, i], state.copy[c]
    before, now = it["pci"], float(copy["week"])
    old, new = int(before), int(pci)
    if old != new:
        a, b, area = inventory.step[old], inventory.step[new], place["area_m2"]
        copy["operating"] += place["km_week"] * (b["operating"] - a["operating"])
        copy["patching"] += area * (b["patching"] - a["patching"])
        klass = place["klass"]
        change = _backlog(inventory, klass, new) - _backlog(inventory, klass, old)
        copy["backlog"] += area * change
    it["pci"] = pci
    rate_before, rate = _report_rate(inventory, i, before), _report_rate(inventory, i, pci)
    if rate <= 0.0 or rate_before <= 0.0:
        _await_report(inventory, state, c, i, now)
    else:
        it["report_at"] = now + max(0.0, it["report_at"] - now) * rate_before / rate


@inlined
def recount(inventory: Inventory, state: Condition, c: int) -> None:
    """Sum up what a week costs at the present condition."""
    operating, patching, backlog = 0.0, 0.0, 0.0
    for i in range(len(inventory.place)):
        place, number = inventory.place[i], int(state.section[c, i]["pci"])
        operating += place["km_week"] * inventory.step[number]["operating"]
        patching += place["area_m2"] * inventory.step[number]["patching"]
        backlog += place["area_m2"] * _backlog(inventory, place["klass"], number)
    copy = state.copy[c]
    copy["operating"], copy["patching"], copy["backlog"] = operating, patching, backlog


@inlined
def book(state: Condition, c: int, category: int, euros: float, worth: float) -> None:
    """Book euros; `worth` is what a euro of now is worth at the start."""
    state.euros[c, 0, category] += euros
    state.euros[c, 1, category] += euros * worth


@inlined
def worth_now(rule: Any, state: Condition, c: int) -> float:
    """What a euro of now is worth at the start."""
    return rule["discount"] ** state.copy[c]["week"]


@inlined
def grant(rule: Any, state: Condition, c: int) -> None:
    """Give a year's budget, less the cameras; what is left of the year before lapses."""
    state.budget[c, LAPSED] += state.budget[c, LEFT]
    state.budget[c, LEFT] = rule["budget"] - rule["inspection"]
    state.budget[c, GRANTED] += rule["budget"]
    state.budget[c, SPENT] += rule["inspection"]
    book(state, c, INSPECTIONS, rule["inspection"], worth_now(rule, state, c))


@inlined
def tell_belief(
    inventory: Inventory, rule: Any, state: Condition, c: int, i: int, week: int
) -> None:
    """Bring the belief of a section to a week up to which nothing was observed."""
    it, place = state.section[c, i], inventory.place[i]
    begin = it["since"]
    if week > begin:
        exposure = state.week[c, week]["exposure"] - state.week[c, begin]["exposure"]
        age_belief(
            inventory.lens, rule["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
            place["klass"], place["factor"], exposure, place["report_rate"] * (week - begin),
            state.moved[c],
        )  # fmt: skip
        it["since"] = week


@called
def begin_order(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> int:
    """A crew is on the site: return its working days; 0 where the street is too bad for them.

    Then the money is free again, less the visit, and the true condition is known.  Where the season
    is over, nobody goes there, all the money is free again, and the answer is `TOO_LATE`.
    """
    rule, it, place = rules[0], state.section[c, i], inventory.place[i]
    option = int(it["order"])
    choice = inventory.choice[i, option]
    kind = inventory.kind[inventory.treatment[option]]
    of_year = (rule["first_week"] + state.copy[c]["week"]) % 52
    if of_year < kind["first_week"] or of_year > kind["last_week"]:
        state.budget[c, RESERVED] -= choice["price"]
        state.budget[c, LEFT] += choice["price"]
        it["order"] = 0
        return TOO_LATE
    worth, chain = worth_now(rule, state, c), rule["belief"] == 0
    weights, ages = state.belief[c, i], state.hypothesis_age[c, i]
    tell_belief(inventory, rule, state, c, i, state.copy[c]["week"])
    if not chain:  # weigh the paces by what they had foretold
        observe_pci(inventory.lens, chain, weights, ages, place["klass"], it["pci"], 3.0)
    know_pci(inventory.lens, chain, weights, ages, place["klass"], it["pci"])
    it["known"] = it["pci"]
    state.budget[c, RESERVED] -= choice["price"]
    if it["pci"] < kind["lowest"]:
        visit = min(rule["survey"], choice["price"])
        state.budget[c, LEFT] += choice["price"] - visit
        state.budget[c, SPENT] += visit
        book(state, c, SURVEYS, visit, worth)
        state.counts[c, 5] += 1.0
        it["order"] = 0
        return 0
    state.budget[c, SPENT] += choice["price"]
    book(state, c, WORKS, choice["price"], worth)
    book(state, c, CO2, choice["co2_t"] * rule["co2_eur_t"], worth)
    state.counts[c, 1] += place["residents"] * choice["days"]
    state.counts[c, 2] += choice["days"]
    return choice["days"]


@called
def book_delay(rules: Records, state: Condition, c: int, hours: float, tonnes: float) -> None:
    """Book vehicle hours and CO2 that closures cost drivers."""
    worth = worth_now(rules[0], state, c)
    state.counts[c, 0] += hours
    book(state, c, DELAY, hours * rules[0]["time_eur_h"], worth)
    book(state, c, CO2, tonnes * rules[0]["co2_eur_t"], worth)


@inlined
def _move_truth(
    inventory: Inventory, rule: Any, state: Condition, c: int, i: int, pci: float
) -> None:
    """Set the true PCI after works or a trench; a band that is entered is stayed in anew."""
    it, lens = state.section[c, i], inventory.lens
    before = band_of(lens, it["pci"])
    set_pci(inventory, state, c, i, pci)
    if rule["model"] == 1:
        it["age"] = curve_age(lens, inventory.place[i]["klass"], pci)
    elif band_of(lens, pci) != before:
        it["draws"] += 1
        _await_jump(inventory, state, c, i, state.week[c, state.copy[c]["week"]]["exposure"])


@called
def accept_works(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> None:
    """Works are done: their effect, and the moratorium that begins."""
    rule, it, week = rules[0], state.section[c, i], state.copy[c]["week"]
    number = inventory.treatment[it["order"]]
    kind = inventory.kind[number]
    pci = min(100.0, max(it["pci"] + kind["lift"], kind["target"]))
    _move_truth(inventory, rule, state, c, i, pci)
    tell_belief(inventory, rule, state, c, i, week)
    know_pci(
        inventory.lens, rule["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        inventory.place[i]["klass"], pci,
    )  # fmt: skip
    state.area[c, number] += inventory.place[i]["area_m2"]
    it["moratorium"], it["treated"], it["order"] = week + rule["moratorium"], week, 0
    it["known"] = pci


@inlined
def age_week(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Let the truth age up to the Monday of the present week, trenches included."""
    week, curve = state.copy[c]["week"], rules[0]["model"] == 1
    exposure = state.week[c, week]["exposure"]
    years = (exposure - state.week[c, week - 1]["exposure"]) / 52.0
    for i in range(len(inventory.place)):
        it = state.section[c, i]
        if curve:
            place = inventory.place[i]
            it["age"] += years * place["factor"] * it["pace"]
            set_pci(inventory, state, c, i, curve_pci(inventory.lens, place["klass"], it["age"]))
        elif it["jump_at"] <= exposure:
            _enter_band(inventory, state, c, i, exposure)
        if it["trench_at"] <= week:
            _dig(inventory, rules, state, c, i)


@called
def _enter_band(inventory: Inventory, state: Condition, c: int, i: int, exposure: float) -> None:
    it, lens = state.section[c, i], inventory.lens
    band = band_of(lens, it["pci"]) + 1
    it["draws"] += 1
    top, low = lens.limit[band * SUBCELLS], lens.limit[(band + 1) * SUBCELLS]
    within = draw(state, c, i, it["draws"], PLACE)
    set_pci(inventory, state, c, i, low + within * (top - low))
    _await_jump(inventory, state, c, i, exposure)


@called
def _dig(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> None:
    """A utility opens the street; the city gives the permit and so knows of it."""
    rule, it = rules[0], state.section[c, i]
    tell_belief(inventory, rule, state, c, i, state.copy[c]["week"])
    lose_pci(
        inventory.lens, rule["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        inventory.place[i]["klass"], rule["trench_loss"],
    )  # fmt: skip
    _move_truth(inventory, rule, state, c, i, max(0.0, it["pci"] - rule["trench_loss"]))
    it["known"] = math.nan
    it["trenches"] += 1
    it["trench_at"] += waiting(state, c, i, it["trenches"], TRENCH) / rule["trench_rate"]


@inlined
def report_week(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Let citizens report what they have met in the past week."""
    week = state.copy[c]["week"]
    for i in range(len(inventory.place)):
        while state.section[c, i]["report_at"] <= week:
            _report(inventory, rules, state, c, i)


@called
def _report(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> None:
    rule, it, copy, ring = rules[0], state.section[c, i], state.copy[c], state.report.shape[1]
    week, at = copy["week"], it["report_at"]
    it["reports"] += 1
    _await_report(inventory, state, c, i, at)
    if copy["arrived"] - copy["patched"] < ring:
        slot = copy["arrived"] % ring
        state.report[c, slot]["section"], state.report[c, slot]["at"] = i, at
        copy["arrived"] += 1
    tell_belief(inventory, rule, state, c, i, week)
    observe_report(
        inventory.lens, rule["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        inventory.place[i]["klass"],
    )  # fmt: skip


@inlined
def handle_reports(rules: Records, state: Condition, c: int) -> None:
    """Patch and triage what capacity allows, oldest first; what shows no damage is only closed."""
    rule, copy = rules[0], state.copy[c]
    if copy["patched"] == copy["arrived"]:
        return
    worth, ring, left = worth_now(rule, state, c), state.report.shape[1], rule["patches_per_week"]
    while copy["patched"] < copy["triaged"]:
        report = state.report[c, copy["patched"] % ring]
        if report["ordered"]:
            if left == 0:
                break
            left -= 1
            book(state, c, REPORTS, rule["patch_eur"], worth)
        report["closed"] = copy["week"]
        state.counts[c, 6] += copy["week"] - report["at"]
        state.counts[c, 7] += 1.0
        copy["patched"] += 1
    for _ in range(min(rule["triage_per_week"], copy["arrived"] - copy["triaged"])):
        report = state.report[c, copy["triaged"] % ring]
        report["ordered"] = state.section[c, report["section"]]["pci"] < SOUND
        book(state, c, REPORTS, rule["triage_eur"], worth)
        copy["triaged"] += 1


@called
def pass_section(
    inventory: Inventory, rules: Records, state: Condition, c: int, i: int, found: F8
) -> None:
    """A camera passes: draw its detections into `found` by class, and believe them.

    `found` has room for the classes of damage and, behind them, for the hypotheses.
    """
    rule, lens, place, it = rules[0], inventory.lens, inventory.place[i], state.section[c, i]
    week = state.copy[c]["week"]
    bad, site = 1.0 - it["pci"] / 100.0, lens.site[it["site"], 0]
    classes = lens.damage.shape[0]
    for d in range(classes):
        mean = detections_mean(lens, place["hundred_m"], bad, site, d)
        found[d] = poisson(mean, draw(state, c, i, week, COUNT + d))
        state.counts[c, 4] += found[d]
    state.counts[c, 3] += 1.0
    it["passed"] = week
    tell_belief(inventory, rule, state, c, i, week)
    observe_counts(
        lens, rule["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        place["klass"], place["hundred_m"], inventory.silence[i], found[:classes],
        found[classes:],
    )  # fmt: skip


@inlined
def poisson(mean: float, level: float) -> int:
    """The number whose cumulative probability first exceeds a level."""
    share = math.exp(-mean)
    total, number = share, 0
    while total <= level and number < 1000:
        number += 1
        share *= mean / number
        total += share
    return number


@inlined
def drive_week(inventory: Inventory, rules: Records, state: Condition, c: int, found: F8) -> None:
    """Pass the sections of the tour that lie on this week's way."""
    n, copy = len(inventory.place), state.copy[c]
    whole, left, at = inventory.place[n - 1]["tour_km"], rules[0]["tour_km_week"], copy["tour_at"]
    if whole <= 0.0 or left <= 0.0:
        return
    k = 0
    while k < n and inventory.place[k]["tour_km"] <= at + TINY_KM:
        k += 1
    while True:
        if k == n:
            k, at = 0, at - whole
        way = inventory.place[k]["tour_km"] - at
        if way > left + TINY_KM:
            break
        left -= way
        at = inventory.place[k]["tour_km"]
        pass_section(inventory, rules, state, c, inventory.place[k]["tour"], found)
        k += 1
    copy["tour_at"] = at + max(0.0, left)
