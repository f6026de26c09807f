"""What cities do: policies for the upkeep of roads by rules.

All decide every quarter and ask by day or by night, whichever costs city and drivers less.
"""

from __future__ import annotations

import numpy as np

from twin.roads.planners import DoNothing
from twin.roads.state import F8, I8
from twin.roads.treatments import usual_treatment
from twin.roads.values import cheapest_options, savings
from twin.roads.view import View

__all__ = [
    "AgeInterval", "ConditionThreshold", "DoNothing", "GreedyKnapsack", "WorstFirst",
]  # fmt: skip

QUARTER = 13
INTERVAL_YEARS = (30.0, 20.0, 22.0)  # residential, collector, arterial; own estimate
THRESHOLD_PCI = 68.0


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

    def __init__(self) -> None:
        self._known: tuple[bytes, F8] | None = None

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for all that saves more than it costs."""
        saved = self._savings(view)
        options, price, _ = cheapest_options(view.inventory, view.rules)
        left = min(len(saved) - 1, max(1, round(view.years_left * 52 / QUARTER)))
        benefit = np.einsum("nb,nbk->nk", view.seen[:, :5], saved[left])
        best = np.argmax(benefit / np.maximum(price, 1.0), axis=1)
        rows = np.arange(len(best))
        gain, cost, asked = benefit[rows, best], price[rows, best], options[rows, best]
        order = np.argsort(-gain / np.maximum(cost, 1.0), kind="stable")
        order = order[(gain[order] > 0.0) & (view.allowed[order, asked[order]] == 1)]
        return order, asked[order]

    def _savings(self, view: View) -> F8:
        """Savings of the network, computed once."""
        mark = view.rules.tobytes() + view.inventory.choice.tobytes()
        if self._known is None or self._known[0] != mark:
            self._known = (mark, savings(view.inventory, view.rules, QUARTER))
        return self._known[1]
