"""Policies that need no learning and no search, and how a shift is imposed on any policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin.roads.files import Planned
from twin.roads.state import I8
from twin.roads.treatments import DAY, NIGHT, OPTIONS, option_of
from twin.roads.values import feasible
from twin.roads.view import Planner, View

NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64))


class DoNothing:
    """Nobody orders anything; patching goes on."""

    weeks = 13

    def plan(self, view: View) -> tuple[I8, I8]:  # noqa: ARG002
        """Nothing."""
        return NOTHING


class ByShift:
    """A policy whose works are done by day only, or by night only.

    Parameters
    ----------
    planner
        The policy.
    shift
        `any` leaves it alone; `day`, `night`.
    """

    def __init__(self, planner: Planner, shift: str) -> None:
        self.weeks = planner.weeks
        self._planner = planner
        to = {"day": DAY, "night": NIGHT}.get(shift)
        changed = [
            k if to is None else option_of(OPTIONS[k - 1][0], to)
            for k in range(1, len(OPTIONS) + 1)
        ]
        self._as = np.array([0, *changed])

    def plan(self, view: View) -> tuple[I8, I8]:
        """What the policy plans, at the hours that are wanted."""
        sections, options = self._planner.plan(view)
        return sections, np.asarray(self._as[np.asarray(options, np.int64)])


class FixedPlan:
    """A list of works by year, asked for at the first decision of its year that the season allows.

    What is refused is asked for again at the next decision of the year, but not where a crew has
    found the street too bad for it.
    """

    weeks = 13

    def __init__(self, lines: Sequence[Planned]) -> None:
        self._section = np.array([line.section for line in lines], np.int64)
        self._year = np.array([line.year for line in lines], np.int64)
        self._option = np.array([line.option for line in lines], np.int64)

    def plan(self, view: View) -> tuple[I8, I8]:
        """Lines of the present year whose section has not been treated or found worse in it."""
        into = view.week % 52
        due = self._year == view.week // 52 + 1
        treated = view.treated[self._section]
        due &= (treated < 0) | (treated > into)
        due &= ~view.ordered[self._section]
        treatment = np.array([number for number, _ in OPTIONS])[self._option - 1]
        can = (feasible()[treatment] * view.seen[self._section, :5]).sum(axis=1)
        due &= can > 0.0
        return self._section[due], self._option[due]
