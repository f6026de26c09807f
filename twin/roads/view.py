"""What a maintenance policy sees when it decides, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from twin.roads.state import F8, I1, I8, Inventory, Records

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class View:
    """The city's knowledge at a decision; n sections, options as in `treatments.OPTIONS`.

    Attributes
    ----------
    inventory, rules
        Sections, prices, durations and delays; the numbers of the run.
    week, weeks
        Weeks since the start, and weeks until the next decision.
    seen
        [n, 7] belief: shares of the five bands, mean PCI, standard deviation.
    cells
        [n, cells] belief in slices of the bands.
    allowed
        [n, options + 1] what a request by itself would be granted.
    budget
        Euros left this year.
    treated, passed
        [n] weeks since the last treatment and the last pass of a camera; -1 for none.
    moratorium
        [n] weeks until it may be treated again.
    reported
        [n] reports so far.
    ordered
        [n] whether an order is open or under way.
    """

    inventory: Inventory
    rules: Records
    week: int
    weeks: int
    seen: F8
    cells: F8
    allowed: I1
    budget: float
    treated: I8
    passed: I8
    moratorium: I8
    reported: I8
    ordered: Bools

    @property
    def week_of_year(self) -> int:
        """0 to 51."""
        return int(self.rules[0]["first_week"] + self.week) % 52

    @property
    def years_left(self) -> float:
        """Until the run ends."""
        return float(self.rules[0]["weeks"] - self.week) / 52.0

    @property
    def price(self) -> F8:
        """[n, options + 1] euros that an option costs the city."""
        return np.asarray(self.inventory.choice["price"])


class Planner(Protocol):
    """A maintenance policy: decides every so many weeks what is asked for."""

    weeks: int  # between decisions

    def plan(self, view: View) -> tuple[I8, I8]:
        """Sections and options, the most wanted first; a section at most once."""
