"""The rolling-horizon optimum: an integer programme over years to come, solved each quarter.

For each section and year a treatment may be chosen, at most one a section; what it saves is the
expected cost to go without it less that with it, by the chain and the present belief.  Budgets of
the years and the working days of crews are limits.  The programme is solved by CP-SAT (OR-tools) to
a gap of 0.3 %; what it wants now is asked for, the rest is planned again later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.roads.baselines import QUARTER
from twin.errors import SimulationError
from twin.roads.state import F8, I8
from twin.roads.treatments import TREATMENTS
from twin.roads.values import Values, cheapest_options, effects, feasible
from twin.roads.view import View

Bools = npt.NDArray[np.bool_]

GAP = 3e-3
LONGEST = 2.0  # deterministic time, about seconds, after which the best so far is taken
USUAL_DAYS = 165.0  # working days of a year; weather of `twin.roads.kernel.work_chance`


@dataclass(frozen=True, eq=False)
class Choice:
    """Candidates of the integer programme, one entry each."""

    section: I8
    year: I8
    treatment: I8
    option: I8
    saved: F8
    price: F8
    days: F8


class RollingOptimum:
    """Plans some years ahead, and asks for what the plan has for now.

    Parameters
    ----------
    years
        How far it plans.
    gap
        Relative gap to which the programme is solved.
    """

    weeks = QUARTER

    def __init__(self, years: int = 4, gap: float = GAP) -> None:
        self.years, self.gap = years, gap

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for the present year's part of the optimum, the most saved for a euro first."""
        if not view.allowed[:, 1:].any():
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        choice = candidates(view, self.years)
        chosen, _ = solve(choice, budgets(view, self.years), crew_days(view, self.years), self.gap)
        now = np.flatnonzero(chosen & (choice.year == 0))
        order = now[np.argsort(-choice.saved[now] / np.maximum(choice.price[now], 1.0))]
        granted = view.allowed[choice.section[order], choice.option[order]] == 1
        order = order[granted]
        return choice.section[order], choice.option[order]


def budgets(view: View, years: int) -> F8:
    """[years] euros: what is left of this one, then whole ones while the run lasts."""
    rule = view.rules[0]
    whole = float(rule["budget"] - rule["inspection"])
    return np.array([view.budget, *[whole] * (years - 1)])


def crew_days(view: View, years: int) -> F8:
    """[years] working days of all crews."""
    crews = float(view.rules[0]["crews"])
    left = 1.0 - (view.week % 52) / 52.0
    return crews * USUAL_DAYS * np.array([left, *[1.0] * (years - 1)])


def candidates(view: View, years: int) -> Choice:
    """What is worth considering: treatments by section and year that save more than they cost."""
    values = Values.of(view.inventory, view.rules, QUARTER)
    steps = max(1, round(view.years_left * 52 / QUARTER))
    to_go = values.untreated(steps)
    options, price, total = cheapest_options(view.inventory, view.rules)
    can, moved = feasible(), effects()
    visit = float(view.rules[0]["survey"])
    parts: list[tuple[I8, I8, I8, F8]] = []
    into = (view.week % 52) // QUARTER
    shares = view.seen[:, :5]
    at = 0
    for year in range(years):
        wait = 0 if year == 0 else year * 4 - into + 1  # quarters until spring of that year
        if wait >= steps:
            break
        shares = values.later(shares, wait - at)
        at = wait
        cost = to_go[steps - wait]
        free = view.moratorium <= wait * QUARTER
        for k in range(len(TREATMENTS)):
            done = shares @ can[k]
            saved = (shares * (cost - cost @ moved[k].T)).sum(axis=1)
            saved -= done * total[:, k] + (1.0 - done) * np.minimum(visit, price[:, k])
            saved = saved * float(values.worth) ** wait
            worth = free & (saved > 0.0)
            if year == 0:
                worth &= view.allowed[np.arange(len(saved)), options[:, k]] == 1
            found = np.flatnonzero(worth)
            same = np.full(len(found), 1)
            parts.append((found, same * year, same * k, saved[found]))
    section, year_of, treatment, saved = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    option = options[section, treatment]
    days = view.inventory.choice["days"][section, option].astype(float)
    return Choice(section, year_of, treatment, option, saved, price[section, treatment], days)


def solve(choice: Choice, money: F8, days: F8, gap: float = GAP) -> tuple[Bools, float]:
    """Choose what saves most within budgets and crews; the choice, and euros saved.

    Euros and days are rounded to whole ones, prices and days up, so that a budget is kept.

    Raises
    ------
    SimulationError
        If the solver finds nothing, which choosing nothing always is.
    """
    from ortools.sat.python import cp_model

    n = len(choice.section)
    if n == 0:
        return np.zeros(0, bool), 0.0
    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in range(n)]
    saved = np.floor(choice.saved).astype(np.int64)
    price, work = (np.ceil(v - 1e-9).astype(np.int64) for v in (choice.price, choice.days))
    for section in np.unique(choice.section):
        mine = np.flatnonzero(choice.section == section)
        if len(mine) > 1:
            model.add_at_most_one(chosen[k] for k in mine)
    for year in range(len(money)):
        mine = np.flatnonzero(choice.year == year)
        variables = [chosen[k] for k in mine]
        for amount, limit in ((price, money[year]), (work, days[year])):
            weights = amount[mine].tolist()
            model.add(cp_model.LinearExpr.weighted_sum(variables, weights) <= int(limit))
    model.maximize(cp_model.LinearExpr.weighted_sum(chosen, saved.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # the same choice on every machine
    solver.parameters.relative_gap_limit = gap
    solver.parameters.max_deterministic_time = LONGEST
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        msg = f"the integer programme of {n} choices was not solved ({solver.status_name(status)})"
        raise SimulationError(msg)
    found = np.array([solver.boolean_value(v) for v in chosen])
    return found, float(solver.objective_value)
