"""What agents see of each section: a row of numbers about 1, whatever the network's size.

The belief, not the truth: shares of the five bands, mean and spread of the PCI; then what the
section is and costs, when it was last seen and treated; then the network's season and money, the
same in each row; last what the city's own planning expects each treatment to save for a euro if
nothing follows (`twin.roads.values.savings`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from twin.compiling import compiled
from twin.roads.belief import look
from twin.roads.orders import ACCEPTED, answer, request, step
from twin.roads.state import CELLS, F4, F8, I1, I8, LEFT, Condition, Inventory, Records
from twin.roads.treatments import TREATMENTS
from twin.roads.values import user_prices

NAMES = (
    "band 0", "band 1", "band 2", "band 3", "band 4", "mean PCI / 100", "spread of PCI / 25",
    "residential", "collector", "arterial", "car-km a week and m2, logarithm",
    "user cost of rehabilitation by day, 50 EUR/m2", "by night", "of reconstruction",
    "pace of ageing", "moratorium left, 3 years", "since treatment, 10 years",
    "since a camera passed, 2 years", "order open", "reports, 5", "season, sine", "season, cosine",
    "years left, 10", "budget left, of a usual year's", "budget a year, of the usual",
    "expected saving for a euro: seal", "preserve", "rehabilitate", "reconstruct",
)  # fmt: skip
SIZE = len(NAMES)
TREATMENT_COUNT = len(TREATMENTS)
LOW, HIGH = -5.0, 5.0
USUAL_EUR_M2 = 2.2
REHABILITATE_DAY, REHABILITATE_NIGHT, RECONSTRUCT = 5, 6, 7


class Room(NamedTuple):
    """Memory of a batch: what it works in, and what it leaves."""

    savings: F4  # [steps + 1, n, cells, treatments] for a euro of the price (`twin.roads.values`)
    fixed: F4  # [n, SIZE] what never changes
    usual: F8  # [1] a usual year's budget
    seen: F8  # [copies, n, 7] the belief (`twin.roads.belief.look`)
    rows: F4  # [copies, n, SIZE]
    allowed: I1  # [copies, n, options + 1]
    reward: F8  # [copies]
    refused: I8  # [copies, answers]
    before: F8  # [copies, categories] euros before the step
    found: F8  # [copies, ...] of a camera's pass, and to work in
    scratch: I8  # [copies, crews + pavers]
    order: I8  # [copies, n]
    wanted: I8  # [copies, n]
    answers: I8  # [copies, n]


def fixed_rows(inventory: Inventory, rules: Records) -> F4:
    """[n, SIZE] rows in which what never changes stands, and 0 elsewhere."""
    place, rule = inventory.place, rules[0]
    rows = np.zeros((len(place), SIZE), np.float32)
    rows[np.arange(len(place)), 7 + place["klass"]] = 1.0
    rows[:, 10] = np.minimum(HIGH, np.log1p(place["km_week"] / place["area_m2"]))
    users = user_prices(inventory, rules) / place["area_m2"][:, None] / 50.0
    rows[:, 11:14] = np.minimum(HIGH, users[:, (REHABILITATE_DAY, REHABILITATE_NIGHT, RECONSTRUCT)])
    rows[:, 14] = place["factor"]
    rows[:, 24] = min(HIGH, float(rule["budget"]) / usual_budget(inventory))
    return rows


def usual_budget(inventory: Inventory) -> float:
    """Euros a year that a network of this size usually has."""
    return USUAL_EUR_M2 * float(inventory.place["area_m2"].sum())


@compiled
def observe(
    inventory: Inventory,
    rules: Records,
    state: Condition,
    c: int,
    room: Room,
) -> None:
    """Write the rows of a copy, its belief, and what is allowed."""
    rule, chain, week = rules[0], rules[0]["belief"] == 0, state.copy[c]["week"]
    cells, savings = room.found[c], room.savings
    steps = (rule["weeks"] - week) * (savings.shape[0] - 1) // rule["weeks"]
    angle = 2.0 * math.pi * ((rule["first_week"] + week) % 52) / 52.0
    sine, cosine, years = math.sin(angle), math.cos(angle), (rule["weeks"] - week) / 520.0
    left = min(HIGH, state.budget[c, LEFT] / room.usual[0])
    for i in range(len(inventory.place)):
        place, it, seen = inventory.place[i], state.section[c, i], room.seen[c, i]
        row, fixed, worth = room.rows[c, i], room.fixed[i], savings[steps, i]
        look(
            inventory.lens, chain, state.belief[c, i], state.hypothesis_age[c, i],
            place["klass"], it["known"], seen, cells,
        )  # fmt: skip
        for b in range(5):
            row[b] = seen[b]
        row[5], row[6] = seen[5] / 100.0, seen[6] / 25.0
        for k in range(7, 15):
            row[k] = fixed[k]
        row[15] = max(0.0, (it["moratorium"] - week) / 156.0)
        row[16] = min(2.0, (week - it["treated"]) / 520.0) if it["treated"] >= 0 else 2.0
        row[17] = min(2.0, (week - it["passed"]) / 104.0) if it["passed"] >= 0 else 2.0
        row[18] = 1.0 if it["order"] != 0 else 0.0
        row[19] = min(HIGH, it["reports"] / 5.0)
        row[20], row[21], row[22], row[23], row[24] = sine, cosine, years, left, fixed[24]
        for k in range(TREATMENT_COUNT):
            row[25 + k] = 0.0
        for j in range(CELLS):
            share = np.float32(cells[j])
            for k in range(TREATMENT_COUNT):
                row[25 + k] += share * worth[j, k]
        for k in range(25, SIZE):
            row[k] = max(LOW, min(HIGH, row[k]))
        allowed = room.allowed[c, i]
        allowed[0] = 1
        for option in range(1, len(inventory.treatment)):
            allowed[option] = answer(inventory, rules, state, c, i, option) == ACCEPTED


@compiled
def worst_first(options: I8, seen: F8, order: I8, wanted: I8) -> int:
    """Write who asks for something, the worst believed first; return how many."""
    n = 0
    for i in range(len(options)):
        if options[i] > 0:
            order[n] = i
            n += 1
    gap = n // 2
    while gap > 0:  # Shell sort: no memory is taken
        for a in range(gap, n):
            it, b = order[a], a
            while b >= gap and (
                seen[order[b - gap], 5] > seen[it, 5]
                or (seen[order[b - gap], 5] == seen[it, 5] and order[b - gap] > it)
            ):
                order[b] = order[b - gap]
                b -= gap
            order[b] = it
        gap //= 2
    for a in range(n):
        wanted[a] = options[order[a]]
    return n


@compiled
def step_many(
    inventory: Inventory,
    rules: Records,
    state: Condition,
    copies: I8,
    options: I8,
    room: Room,
    weeks: int,
    scores: bool,
) -> None:
    """Ask, let weeks pass and observe, for some copies.

    Parameters
    ----------
    options : [copies at hand, sections] what is asked for; with `scores`, `room.order` and
        `room.wanted` hold it in order already, and `options[k, 0]` how many there are
    """
    for k in range(len(copies)):
        c = copies[k]
        order, wanted = room.order[c], room.wanted[c]
        number = options[k, 0] if scores else worst_first(options[k], room.seen[c], order, wanted)
        answers = room.answers[c, :number]
        request(
            inventory, rules, state, c, order[:number], wanted[:number], weeks, room.scratch[c],
            answers,
        )  # fmt: skip
        room.refused[c, :] = 0
        for a in range(number):
            room.refused[c, answers[a]] += 1
        before = 0.0
        for j in range(state.euros.shape[2]):
            room.before[c, j] = state.euros[c, 0, j]
            before += state.euros[c, 1, j]
        now = min(weeks, rules[0]["weeks"] - state.copy[c]["week"])
        step(inventory, rules, state, c, now, room.found[c])
        after = 0.0
        for j in range(state.euros.shape[2]):
            after += state.euros[c, 1, j]
        room.reward[c] = before - after
        observe(inventory, rules, state, c, room)


def by_score(scores: F4) -> tuple[I8, I8]:
    """Sections and options of positive scores [n, options], each section's greatest, in order."""
    best = np.argmax(scores, axis=1)
    most = scores[np.arange(len(scores)), best]
    order = np.argsort(-most, kind="stable")
    order = order[most[order] > 0.0]
    return order.astype(np.int64), best[order].astype(np.int64) + 1
