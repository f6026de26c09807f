"""Requests become orders, and crews work them off: the compiled part that batches use.

Crews and pavers count in working days, which the weather lets come faster or slower; so an order
that takes six of them may take one week or three.  Orders wait in one queue and begin in its
order: the first gets the first crew that is free and, where it needs one, the first paver; the next
does not begin before it.  The SimPy processes of `programme.py` do the same with resources.
"""

from __future__ import annotations

from twin.compiling import compiled, inlined
from twin.roads.belief import look
from twin.roads.kernel import (
    BACKLOG,
    OPERATING,
    PATCHING,
    TOO_LATE,
    accept_works,
    age_week,
    begin_order,
    book,
    book_delay,
    drive_week,
    grant,
    handle_reports,
    pass_section,
    recount,
    report_week,
    tell_belief,
    work_chance,
    worth_now,
)  # fmt: skip
from twin.roads.state import F8, I1, I8, LEFT, RESERVED, Condition, Inventory, Records

ACCEPTED, NO_BUDGET, MORATORIUM, SEASON, OPEN_ORDER, NO_CREW, NOTHING = range(7)


@inlined
def answer(
    inventory: Inventory, rules: Records, state: Condition, c: int, i: int, option: int
) -> int:
    """What a request would be told, crews apart."""
    if option == 0:
        return NOTHING
    it, week = state.section[c, i], state.copy[c]["week"]
    if it["order"] != 0:
        return OPEN_ORDER
    if week < it["moratorium"]:
        return MORATORIUM
    kind = inventory.kind[inventory.treatment[option]]
    of_year = (rules[0]["first_week"] + week) % 52
    if of_year < kind["first_week"] or of_year > kind["last_week"]:
        return SEASON
    if inventory.choice[i, option]["price"] > state.budget[c, LEFT]:
        return NO_BUDGET
    return ACCEPTED


@inlined
def first_free(free: I8) -> int:
    """Position of the one that is free first."""
    best = 0
    for k in range(1, len(free)):
        if free[k] < free[best]:
            best = k
    return best


@inlined
def promise(inventory: Inventory, crews: I8, pavers: I8, i: int, option: int, earliest: int) -> int:
    """Give an order a crew and a paver; return the working day on which it begins."""
    k = first_free(crews)
    begin, days = max(crews[k], earliest), inventory.choice[i, option]["days"]
    if inventory.kind[inventory.treatment[option]]["paver"]:
        p = first_free(pavers)
        begin = max(begin, pavers[p])
        pavers[p] = begin + days
    crews[k] = begin + days
    return begin


@inlined
def _promised(inventory: Inventory, state: Condition, c: int, crews: I8, pavers: I8) -> int:
    """Write from which working day each crew and paver is free of all orders.

    Returns the working day before which no further order begins.
    """
    copy, size = state.copy[c], state.queue.shape[1]
    today = state.week[c, copy["week"]]["workday"]
    for k in range(len(crews)):
        crews[k] = max(state.crew_free[c, k], today)
    for k in range(len(pavers)):
        pavers[k] = max(state.paver_free[c, k], today)
    earliest = today
    for at in range(copy["queue_first"], copy["queue_end"]):
        i = state.queue[c, at % size]
        order = state.section[c, i]["order"]
        earliest = promise(inventory, crews, pavers, i, order, earliest)
    return earliest


@inlined
def usual_workdays(first_week: int, week: int, weeks: int) -> int:
    """Working days that so many weeks have on average."""
    total = 0.0
    for w in range(week, week + weeks):
        total += 5.0 * work_chance((first_week + w) % 52)
    return int(total)


@compiled
def request(
    inventory: Inventory,
    rules: Records,
    state: Condition,
    c: int,
    sections: I8,
    options: I8,
    weeks: int,
    scratch: I8,
    answers: I8,
) -> None:
    """Ask for orders, the most wanted first; `answers` says of each what came of it.

    An order is taken where season, moratorium and budget allow it and a crew is likely to begin
    within the weeks until the next decision.

    Parameters
    ----------
    scratch : room for crews and pavers
    """
    copy, size, n_crews = state.copy[c], state.queue.shape[1], state.crew_free.shape[1]
    crews, pavers = scratch[:n_crews], scratch[n_crews : n_crews + state.paver_free.shape[1]]
    earliest = _promised(inventory, state, c, crews, pavers)
    today = state.week[c, copy["week"]]["workday"]
    end = today + usual_workdays(rules[0]["first_week"], copy["week"], weeks)
    for k in range(len(sections)):
        i, option = sections[k], options[k]
        found = answer(inventory, rules, state, c, i, option)
        if found == ACCEPTED:
            begin = max(earliest, crews[first_free(crews)])
            if inventory.kind[inventory.treatment[option]]["paver"]:
                begin = max(begin, pavers[first_free(pavers)])
            if begin >= end:
                found = NO_CREW
            else:
                earliest = promise(inventory, crews, pavers, i, option, earliest)
                state.section[c, i]["order"] = option
                price = inventory.choice[i, option]["price"]
                state.budget[c, LEFT] -= price
                state.budget[c, RESERVED] += price
                state.queue[c, copy["queue_end"] % size] = i
                copy["queue_end"] += 1
        answers[k] = found
        state.refused[c, found] += 1


@inlined
def _who_begins(inventory: Inventory, state: Condition, c: int) -> tuple[int, int, int]:
    """Working day on which the first order of the queue begins, its crew, its paver or -1."""
    copy = state.copy[c]
    i = state.queue[c, copy["queue_first"] % state.queue.shape[1]]
    today = state.week[c, copy["week"]]["workday"]
    k, paver = first_free(state.crew_free[c]), -1
    begin = max(today, copy["last_begin"], state.crew_free[c, k])
    if inventory.kind[inventory.treatment[state.section[c, i]["order"]]]["paver"]:
        paver = first_free(state.paver_free[c])
        begin = max(begin, state.paver_free[c, paver])
    return begin, k, paver


@inlined
def _begin_first(
    inventory: Inventory, rules: Records, state: Condition, c: int, begin: int, k: int, paver: int
) -> int:
    """Let the first order of the queue begin; return what `begin_order` says."""
    copy = state.copy[c]
    i = state.queue[c, copy["queue_first"] % state.queue.shape[1]]
    copy["queue_first"] += 1
    copy["last_begin"] = begin
    days = begin_order(inventory, rules, state, c, i)
    if days != TOO_LATE:
        state.crew_free[c, k] = begin + max(1, days)
        if paver >= 0:
            state.paver_free[c, paver] = begin + max(1, days)
    return days


@inlined
def _begin_orders(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Let crews begin what they can on the working days of this week."""
    copy = state.copy[c]
    end = state.week[c, copy["week"] + 1]["workday"]
    while copy["queue_first"] < copy["queue_end"]:
        begin, k, paver = _who_begins(inventory, state, c)
        if begin >= end:
            return
        i = state.queue[c, copy["queue_first"] % state.queue.shape[1]]
        choice = inventory.choice[i, state.section[c, i]["order"]]
        days = _begin_first(inventory, rules, state, c, begin, k, paver)
        if days > 0:
            book_delay(rules, state, c, choice["delay_h"], choice["delay_co2_t"])
            work = state.work[c, copy["under_way"]]
            work["section"], work["done"] = i, begin + days
            copy["under_way"] += 1


@inlined
def _accept_done(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Accept the works that were done before this Monday."""
    copy = state.copy[c]
    today, k = state.week[c, copy["week"]]["workday"], 0
    while k < copy["under_way"]:
        if state.work[c, k]["done"] <= today:
            accept_works(inventory, rules, state, c, state.work[c, k]["section"])
            copy["under_way"] -= 1
            last = state.work[c, copy["under_way"]]
            state.work[c, k]["section"], state.work[c, k]["done"] = last["section"], last["done"]
        else:
            k += 1


@inlined
def _book_week(rules: Records, state: Condition, c: int) -> None:
    """Book what drivers and patches cost in the week that begins."""
    copy, worth = state.copy[c], worth_now(rules[0], state, c)
    book(state, c, OPERATING, copy["operating"], worth)
    book(state, c, PATCHING, copy["patching"], worth)


@inlined
def _monday(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Let the past week happen: ageing, trenches, reports."""
    age_week(inventory, rules, state, c)
    report_week(inventory, rules, state, c)
    handle_reports(rules, state, c)


@inlined
def _new_year(rules: Records, state: Condition, c: int) -> None:
    week = state.copy[c]["week"]
    if week % 52 == 0 and week < rules[0]["weeks"]:
        grant(rules[0], state, c)


@compiled
def step(
    inventory: Inventory, rules: Records, state: Condition, c: int, weeks: int, found: F8
) -> None:
    """Run so many weeks of a copy; at the end every belief is up to date.

    Parameters
    ----------
    found : room for the detections of a pass, one a class of damage
    """
    recount(inventory, state, c)
    for _ in range(weeks):
        _begin_orders(inventory, rules, state, c)
        _book_week(rules, state, c)
        state.copy[c]["week"] += 1
        _accept_done(inventory, rules, state, c)
        _monday(inventory, rules, state, c)
        drive_week(inventory, rules, state, c, found)
        _new_year(rules, state, c)
    settle(inventory, rules, state, c)


# what the SimPy clock calls one by one


@compiled
def begin_week(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Book the week that begins, and go to its end."""
    if state.copy[c]["week"] == 0:
        recount(inventory, state, c)
    _book_week(rules, state, c)
    state.copy[c]["week"] += 1


@compiled
def begin_works(inventory: Inventory, rules: Records, state: Condition, c: int) -> int:
    """A crew begins the first order of the queue; what `begin_order` says."""
    begin, k, paver = _who_begins(inventory, state, c)
    return _begin_first(inventory, rules, state, c, begin, k, paver)


@compiled
def end_works(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> None:
    """Works are accepted."""
    accept_works(inventory, rules, state, c, i)


@compiled
def end_week(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """The truth ages, citizens report, reports are handled."""
    _monday(inventory, rules, state, c)


@compiled
def drive_past(
    inventory: Inventory, rules: Records, state: Condition, c: int, i: int, found: F8
) -> None:
    """A camera passes a section."""
    pass_section(inventory, rules, state, c, i, found)


@compiled
def close_week(
    inventory: Inventory, rules: Records, state: Condition, c: int, decide: bool
) -> None:
    """At a new year the budget is granted; before a decision beliefs are brought up to date."""
    _new_year(rules, state, c)
    if decide:
        settle(inventory, rules, state, c)


@compiled
def charge_delay(rules: Records, state: Condition, c: int, hours: float, tonnes: float) -> None:
    """Book what closures cost drivers."""
    book_delay(rules, state, c, hours, tonnes)


@inlined
def settle(inventory: Inventory, rules: Records, state: Condition, c: int) -> None:
    """Bring beliefs up to date; at the end of the run book what is left to repair."""
    rule, copy = rules[0], state.copy[c]
    for i in range(len(inventory.place)):
        tell_belief(inventory, rule, state, c, i, copy["week"])
    if copy["week"] >= rule["weeks"]:
        book(state, c, BACKLOG, copy["backlog"], worth_now(rule, state, c))


@compiled
def masks(inventory: Inventory, rules: Records, state: Condition, c: int, allowed: I1) -> None:
    """Write into `allowed` [sections, options + 1] what a request by itself would be granted."""
    for i in range(len(inventory.place)):
        allowed[i, 0] = 1
        for option in range(1, len(inventory.treatment)):
            allowed[i, option] = answer(inventory, rules, state, c, i, option) == ACCEPTED


@compiled
def look_at_all(
    inventory: Inventory, rules: Records, state: Condition, c: int, seen: F8, cells: F8
) -> None:
    """Write into `seen` [sections, 7] and `cells` what is believed (`belief.look`)."""
    lens, chain = inventory.lens, rules[0]["belief"] == 0
    for i in range(len(inventory.place)):
        klass = inventory.place[i]["klass"]
        weights, ages = state.belief[c, i], state.hypothesis_age[c, i]
        known = state.section[c, i]["known"]
        look(lens, chain, weights, ages, klass, known, seen[i], cells[i])
