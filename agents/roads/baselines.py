"""What cities do: policies for the upkeep of roads by rules.

All decide every quarter and ask by day or by night, whichever costs city and drivers less.
"""

from __future__ import annotations

import numpy as np

from twin.roads.planners import DoNothing
from twin.roads.state import F8, I8
from twin.roads.treatments import usual_treatment
from twin.roads.values import Values, cheapest_options, effects, feasible
from twin.roads.view import View

__all__ = [
    "AgeInterval", "ConditionThreshold", "DoNothing", "GreedyKnapsack", "WorstFirst", "gains",
]  # fmt: skip

QUARTER = 13
INTERVAL_YEARS = (30.0, 20.0, 22.0)  # residential, collector, arterial; own estimate
THRESHOLD_PCI = 68.0
LIKELY = 0.5  # least chance that the street is good enough for the treatment


def _asked(view: View, order: I8, treatment: I8) -> tuple[I8, I8]:
    """Sections in an order, each with the cheapest option of a treatment, where it is allowed."""
    options, _, _ = cheapest_options(view.inventory, view.rules)
    order = order[treatment[order] >= 0]
    asked = options[order, treatment[order]]
    granted = view.allowed[order, asked] == 1
    return order[granted], asked[granted]


class WorstFirst:
    """The street that is believed worst comes first, with the treatment of its condition."""

    weeks = QUARTER

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for the worst first."""
        pci = view.seen[:, 5]
        return _asked(view, np.argsort(pci, kind="stable"), usual_treatment(pci))


class AgeInterval:
    """Every street is rehabilitated when the interval of its class has passed, oldest first."""

    weeks = QUARTER

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for those that are due."""
        place = view.inventory.place
        since = np.where(
            view.treated >= 0, view.treated / 52.0, place["age_years"] + view.week / 52
        )
        overdue = since / np.array(INTERVAL_YEARS)[place["klass"]]
        order = np.argsort(-overdue, kind="stable")
        order = order[overdue[order] >= 1.0]
        treatment = np.where(view.seen[:, 5] < 25.0, 3, 2)
        return _asked(view, order, treatment)


class ConditionThreshold:
    """Streets below a condition get the treatment of that condition, the busiest first."""

    weeks = QUARTER

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for those below the threshold."""
        pci, place = view.seen[:, 5], view.inventory.place
        busy = place["km_week"] / place["area_m2"]
        order = np.argsort(-busy, kind="stable")
        order = order[pci[order] < THRESHOLD_PCI]
        return _asked(view, order, usual_treatment(pci))


class GreedyKnapsack:
    """Most benefit for a euro first; benefit is what is saved until the end if nothing follows."""

    weeks = QUARTER

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for all that saves more than it costs."""
        benefit, price, options = gains(view)
        best = np.argmax(benefit / np.maximum(price, 1.0), axis=1)
        rows = np.arange(len(best))
        gain, cost, asked = benefit[rows, best], price[rows, best], options[rows, best]
        order = np.argsort(-gain / np.maximum(cost, 1.0), kind="stable")
        order = order[(gain[order] > 0.0) & (view.allowed[order, asked[order]] == 1)]
        return order, asked[order]


def gains(view: View) -> tuple[F8, F8, I8]:
    """Expected saving of each treatment now, over doing nothing, all costs counted.

    Returns
    -------
    [n, treatments] euros saved, euros that the city pays, options.
    """
    steps = max(1, round(view.years_left * 52 / QUARTER))
    values = Values.of(view.inventory, view.rules, QUARTER)
    to_go = values.untreated(steps)[steps]
    shares, can = view.seen[:, :5], feasible()
    options, price, total = cheapest_options(view.inventory, view.rules)
    moved, saved = effects(), np.zeros(price.shape)
    for k in range(price.shape[1]):
        after = to_go @ moved[k].T  # [n, 5] cost to go if treated in a band
        done = shares @ can[k]
        visit = np.minimum(float(view.rules[0]["survey"]), price[:, k])
        saved[:, k] = (shares * (to_go - after)).sum(axis=1)
        saved[:, k] -= done * total[:, k] + (1.0 - done) * visit
    return saved, price, options
