"""A maintenance programme on the clock: weeks, inspection vehicles, crews, pavers and the budget.

The science is that of `kernel.py`, one copy of it; when it happens is decided here, by SimPy.
Weeks begin at midnight of the run's first day and every seven days after it.  Crews work on the
first days of a week, as many as the weather leaves them; every order is a process that
asks for a crew, then for a paver where it needs one, takes the street for its shifts, and gives
both back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import simpy

from twin.claims import Claim
from twin.clock import Process
from twin.roads import kernel, orders
from twin.roads.costs import CATEGORIES
from twin.roads.decade import ask, make_condition, make_view
from twin.roads.deterioration import BAD_GRADE, BANDS, WEEKS, band_of, german_grade
from twin.roads.state import COUNTS, F8, I8, LEFT, Condition, Inventory, Records, pass_room
from twin.roads.treatments import AROUND, OPTIONS, SHIFTS, TREATMENTS, option_name
from twin.roads.view import Planner, View

if TYPE_CHECKING:
    import pandas as pd

    from twin.simulation import Simulation

DAY_S, HOUR_S = 86_400.0, 3600.0
FIRST_HOUR = 7.0  # work of a day begins not before
PASSING_M_S = 20.0 / 3.6  # past works with a temporary signal
TINY_KM = 1e-9
SHIFT_H = {"day": (7.0, 16.0), "night": (20.0, 29.0)}
"""Hours of a working day in which crews take the street, from its midnight."""
DRIVING_DAYS = 5

Works = list[tuple[int, int]]
JointCost = Callable[[Works], tuple[float, float]]


@dataclass
class Work:
    """An order from the request to its acceptance; weeks of the programme, working days."""

    number: int
    section: int
    option: int
    asked: int
    price: float
    begin_day: int = -1
    end_day: int = -1
    outcome: str = "waiting"

    @property
    def shift(self) -> int:
        """Number of its shift."""
        return OPTIONS[self.option - 1][1]


class Programme:
    """Years of a city's roads on the SimPy clock.

    Parameters
    ----------
    sim
        The simulation.
    sections
        Table of sections.
    inventory, rules
        As for `decade.Decades`.
    planner
        Who decides.
    vehicles
        Inspection vehicles that share the tour.
    closures
        `none`: works cost drivers nothing and claim no street; `table`: each order costs what the
        inventory says; `joint`: works of a day are simulated together by `joint`.
    arrangement
        [sections, shifts] how traffic is led past works (`inventory.Use`).
    joint
        Vehicle hours and tonnes that a working day costs drivers on which works go on at these
        (section, shift) at the same time.
    """

    def __init__(
        self,
        sim: Simulation,
        sections: pd.DataFrame,
        inventory: Inventory,
        rules: Records,
        planner: Planner,
        *,
        vehicles: int = 1,
        closures: str = "none",
        arrangement: I8 | None = None,
        joint: JointCost | None = None,
    ) -> None:
        self.sim, self.sections = sim, sections
        self.inventory, self.rules, self.planner = inventory, rules, planner
        self.vehicles, self.closures, self._joint = vehicles, closures, joint
        shape = (len(sections), len(SHIFTS))
        self._arrangement = np.zeros(shape, np.int64) if arrangement is None else arrangement
        self.state: Condition = make_condition(inventory, rules)
        kernel.reset(inventory, rules, self.state, 0, sim.seed)
        self.first_pci = self.state.section[0]["pci"].copy()
        self.first_seen = self._view().seen[:, 5]
        self.works: list[Work] = []
        self.years: list[dict[str, float]] = []
        env = sim.clock.env
        self.crews = simpy.Resource(env, capacity=int(rules[0]["crews"]))
        self.pavers = simpy.Resource(env, capacity=int(rules[0]["pavers"]))
        self._turn = simpy.Resource(env, capacity=1)  # orders begin one after the other
        self.budget = simpy.Container(env, init=self._left())
        self._in_hand: list[Work] = []
        self._passed: list[int] = []
        self._found = pass_room(inventory)[0]
        self._origin_s = DAY_S * (sim.begin_s // DAY_S)

    @property
    def week(self) -> int:
        """Weeks since the start."""
        return int(self.state.copy[0]["week"])

    @property
    def end_s(self) -> float:
        """Second at which the last week ends."""
        return self._time_of_week(int(self.rules[0]["weeks"]))

    def end_of_year_s(self, year: int) -> float:
        """Second at which a year of the run ends, from 1."""
        return self._time_of_week(WEEKS * year)

    def seen(self) -> F8:
        """[sections, 7] what the city believes now (`view.View`)."""
        return self._view().seen

    def note_start(self) -> None:
        """Belief and truth have been told something before the start."""
        self.first_pci = self.state.section[0]["pci"].copy()
        self.first_seen = self.seen()[:, 5]

    def start(self) -> None:
        """Start the processes."""
        self.sim.clock.process(self._weeks())
        for vehicle in range(self.vehicles if float(self.rules[0]["tour_km_week"]) > 0.0 else 0):
            self.sim.clock.process(self._inspect(vehicle))

    # time

    def _time_of_week(self, week: int) -> float:
        return self._origin_s + 7.0 * DAY_S * week

    def _time_of(self, working_day: int) -> float:
        """Midnight with which a working day begins."""
        days = self.state.week[0]["workday"]
        week = int(np.searchsorted(days, working_day, side="right")) - 1
        return self._time_of_week(week) + DAY_S * (working_day - int(days[week]))

    def _next_working_day(self) -> int:
        """First working day whose work has not begun yet."""
        days = self.state.week[0]["workday"]
        into = self.sim.clock.now_s - self._origin_s
        week = min(int(into // (7.0 * DAY_S)), len(days) - 2)
        past = (into - 7.0 * DAY_S * week) / DAY_S - FIRST_HOUR / 24.0
        return min(int(days[week]) + max(0, int(np.ceil(past))), int(days[week + 1]))

    # processes

    def _weeks(self) -> Process:
        while self.week < int(self.rules[0]["weeks"]):
            if self.week % WEEKS == 0:
                self._note_year()
            if self.week % self.planner.weeks == 0:
                self._decide()
            yield self.sim.clock.until(self._time_of_week(self.week + 1))
            self._end_week()
        self._note_year()

    def _end_week(self) -> None:
        """What `orders.step` does in batches."""
        model = (self.inventory, self.rules, self.state, 0)
        if self.closures == "joint":
            self._charge_jointly()
        orders.begin_week(*model)
        today = int(self.state.week[0, self.week]["workday"])
        for work in [w for w in self._in_hand if w.end_day <= today]:
            orders.end_works(*model, work.section)
            work.outcome = "done"
            self._in_hand.remove(work)
        orders.end_week(*model)
        for section in self._passed:
            orders.drive_past(*model, section, self._found)
        self._passed.clear()
        decide = self.week % self.planner.weeks == 0 or self.week >= int(self.rules[0]["weeks"])
        orders.close_week(*model, decide)
        self._settle_budget()

    def _decide(self) -> None:
        """Ask the policy, and let the orders run that are taken."""
        sections, options = self.planner.plan(self._view())
        answers = ask(
            self.inventory, self.rules, self.state, 0, sections, options, self.planner.weeks
        )
        for i, option, answer in zip(sections, options, answers, strict=True):
            if answer == orders.ACCEPTED:
                price = float(self.inventory.choice[i, option]["price"])
                work = Work(len(self.works), int(i), int(option), self.week, price)
                self.works.append(work)
                self.sim.clock.process(self._work(work))
        self._settle_budget()

    def _work(self, work: Work) -> Process:
        """An order: its turn, a crew, a paver, the street, and all of them back."""
        clock, model = self.sim.clock, (self.inventory, self.rules, self.state, 0)
        turn = self._turn.request()
        yield turn
        with self.crews.request() as crew, self._paver(work) as paver:
            yield crew & paver
            work.begin_day = self._next_working_day()
            if work.begin_day >= int(self.state.week[0]["workday"][-1]):
                return  # after the run
            yield clock.until(self._time_of(work.begin_day) + 1.0)
            self._turn.release(turn)
            days = orders.begin_works(*model)
            self._settle_budget()
            if days == kernel.TOO_LATE:
                work.outcome = "season over"
                return
            work.end_day = work.begin_day + max(1, days)
            ends_s = self._time_of(work.end_day - 1) + DAY_S
            if days == 0:
                work.outcome = "found worse"
            else:
                work.outcome = "under way"
                self._in_hand.append(work)
                yield from self._occupy(work, ends_s)
            yield clock.until(ends_s)

    @contextmanager
    def _paver(self, work: Work) -> Generator[simpy.Event, None, None]:
        """Request of a paver, for works that need one."""
        if TREATMENTS[OPTIONS[work.option - 1][0]].paver:
            with self.pavers.request() as request:
                yield request
        else:
            yield self.sim.clock.wait(0.0)

    def _occupy(self, work: Work, ends_s: float) -> Process:
        """Take the street for each shift, or around the clock."""
        if self.closures == "none":
            return
        clock, owner = self.sim.clock, f"roads/order-{work.number}"
        if self.closures == "table":
            choice = self.inventory.choice[work.section, work.option]
            costs = float(choice["delay_h"]), float(choice["delay_co2_t"])
            orders.charge_delay(self.rules, self.state, 0, *costs)
        self._note("works_begin", work)
        if work.shift == AROUND:
            self._claim(work, owner, ends_s)
            yield clock.until(ends_s)
            self.sim.claims.withdraw(owner)
        else:
            first_h, last_h = SHIFT_H[SHIFTS[work.shift]]
            for day in range(work.begin_day, work.end_day):
                midnight = self._time_of(day)
                yield clock.until(midnight + first_h * HOUR_S)
                self._claim(work, owner, midnight + last_h * HOUR_S)
                yield clock.until(midnight + last_h * HOUR_S)
                self.sim.claims.withdraw(owner)
        self._note("works_end", work)

    def _claim(self, work: Work, owner: str, until_s: float) -> None:
        """Close a direction, or both, or take a lane; a temporary signal slows both down."""
        row = self.sections.iloc[work.section]
        lanes = self.sim.city.streets["lanes"].to_numpy()
        streets = [int(s) for s in (row["street"], row["back"]) if s >= 0]
        if self._arrangement[work.section, work.shift] == 1:
            slow = [Claim(owner, s, speed_m_s=PASSING_M_S, until_s=until_s) for s in streets]
            self.sim.claims.file(*slow)
        elif work.shift == AROUND:
            self.sim.claims.file(*(Claim(owner, s, open=False, until_s=until_s) for s in streets))
        elif lanes[streets[0]] >= 2:
            left = int(lanes[streets[0]]) - 1
            self.sim.claims.file(Claim(owner, streets[0], lanes=left, until_s=until_s))
        else:
            self.sim.claims.file(Claim(owner, streets[0], open=False, until_s=until_s))

    def _inspect(self, vehicle: int) -> Process:
        """Drive a part of each week's way, day by day; what was passed is read at its end."""
        clock, rule, place = self.sim.clock, self.rules[0], self.inventory.place
        weekly = float(rule["tour_km_week"])
        share = weekly / self.vehicles / DRIVING_DAYS
        for week in range(int(rule["weeks"])):
            for day in range(DRIVING_DAYS):
                yield clock.until(self._time_of_week(week) + day * DAY_S + 8.0 * HOUR_S)
                begin = week * weekly + (vehicle * DRIVING_DAYS + day) * share
                for k in passed_between(place["tour_km"], begin, begin + share):
                    self._passed.append(int(place["tour"][k]))

    # inside

    def _view(self) -> View:
        return make_view(self.inventory, self.rules, self.state, 0, self.planner.weeks)

    def _left(self) -> float:
        return float(self.state.budget[0, LEFT])

    def _settle_budget(self) -> None:
        """Let the container hold what is left this year."""
        change = self._left() - self.budget.level
        if change > 0.0:
            self.budget.put(change)
        elif change < 0.0:
            self.budget.get(-change)

    def _charge_jointly(self) -> None:
        """Charge what works of each day of the past week cost drivers together."""
        first, end = (int(d) for d in self.state.week[0, self.week : self.week + 2]["workday"])
        for day in range(first, end):
            now = [(w.section, w.shift) for w in self._in_hand if w.begin_day <= day < w.end_day]
            if now and self._joint is not None:
                orders.charge_delay(self.rules, self.state, 0, *self._joint(now))

    def _note(self, kind: str, work: Work) -> None:
        row = self.sections.iloc[work.section]
        text = f"{option_name(work.option)} on {row['name'] or row['id']}"
        self.sim.note("roads", kind, text, int(row["street"]))

    def _note_year(self) -> None:
        """Note how the network stands at the turn of a year."""
        self.years.append(standing(self.inventory, self.state, 0))


def passed_between(tour_km: F8, begin: float, end: float) -> Generator[int, None, None]:
    """Numbers of the sections whose end a drive from `begin` to `end` km reaches, round by round.

    A section is passed when its last metre is driven: one that ends at `begin` is not passed.
    """
    whole = float(tour_km[-1])
    lap = int(begin // whole)
    while lap * whole <= end:
        low, high = begin - lap * whole, end - lap * whole
        first = int(np.searchsorted(tour_km, low + TINY_KM, side="right"))
        last = int(np.searchsorted(tour_km, high + TINY_KM, side="right"))
        yield from range(first, last)
        lap += 1


def standing(inventory: Inventory, state: Condition, copy: int) -> dict[str, float]:
    """How a network stands: condition by area, euros so far, backlog, delays, reports."""
    area, pci = inventory.place["area_m2"], state.section[copy]["pci"]
    band = band_of(pci)
    row = {
        "week": float(state.copy[copy]["week"]),
        "mean_pci": float(np.average(pci, weights=area)),
        "bad_percent": 100.0 * float(area[german_grade(pci) >= BAD_GRADE].sum() / area.sum()),
        **{f"area_band_{k}_m2": float(area[band == k].sum()) for k in range(BANDS)},
        **{
            f"{name}_eur": float(v)
            for name, v in zip(CATEGORIES, state.euros[copy, 0], strict=True)
        },
        **{name: float(v) for name, v in zip(COUNTS, state.counts[copy], strict=True)},
        **{f"{t.name}_m2": float(v) for t, v in zip(TREATMENTS, state.area[copy], strict=True)},
    }
    marks = state.copy[copy]
    row["backlog_eur"] = float(marks["backlog"])
    row["reports_open"] = float(marks["arrived"] - marks["patched"])
    return row
