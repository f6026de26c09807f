"""What a section is expected to cost, by the chain: the arithmetic of planning policies.

All values are euros of today's worth for one section, by band: drivers' operating cost and patches
of the weeks to come, and at the end what it would take to repair it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from twin.roads import costs, deterioration
from twin.roads.deterioration import BANDS
from twin.roads.state import F8, I8, Inventory, Records
from twin.roads.treatments import OPTIONS, TREATMENTS


def effects(parts: int = 1) -> F8:
    """[treatments, 5 * parts, 5] share that goes from a part of a band to a band when treated.

    Parts are equal slices of a band, best first.  A lift moves what lies near enough to the next
    band; what is too bad for a treatment stays as it is.
    """
    limits = deterioration.slices(parts)
    moved = np.zeros((len(TREATMENTS), BANDS * parts, BANDS))
    for k, treatment in enumerate(TREATMENTS):
        for j in range(BANDS * parts):
            b, top, low = j // parts, limits[j], limits[j + 1]
            if deterioration.EDGES[b + 1] < treatment.lowest_pci - 1e-9:
                moved[k, j, b] = 1.0
            elif treatment.target > 0.0:
                moved[k, j, min(b, int(deterioration.band_of(treatment.target)))] = 1.0
            else:
                need = deterioration.EDGES[b] - treatment.lift  # from here on the next band is near
                share = 0.0 if b == 0 else float(np.clip((top - need) / (top - low), 0.0, 1.0))
                moved[k, j, b] = 1.0 - share
                moved[k, j, max(0, b - 1)] += share
    return moved


def feasible() -> F8:
    """[treatments, 5] whether a treatment can be done in a band."""
    edges = np.array(deterioration.EDGES)
    lowest = np.array([t.lowest_pci for t in TREATMENTS])
    return (edges[None, 1:] >= lowest[:, None] - 1e-9).astype(float)


@dataclass(frozen=True, eq=False)
class Values:
    """Expected costs of every section.

    Attributes
    ----------
    weekly
        [n, 5] euros a week in a band.
    step
        [n, 5, 5] chain over the weeks of a step.
    backlog
        [n, 5] euros to repair a section in a band.
    worth
        Of a euro a step later.
    """

    weekly: F8
    step: F8
    backlog: F8
    worth: F8
    weeks: int

    @classmethod
    def of(cls, inventory: Inventory, rules: Records, weeks: int) -> Values:
        """Values for steps of so many weeks."""
        rule = rules[0]
        place, middle = inventory.place, costs.middle_of_bands()
        at = np.round(middle).astype(int)
        tables = inventory.step
        weekly = (
            place["km_week"][:, None] * tables["operating"][at][None, :]
            + place["area_m2"][:, None] * tables["patching"][at][None, :]
        )
        backlog = np.array([tables[f"backlog{k}"][at] for k in range(3)])
        step = np.zeros((len(place), BANDS, BANDS))
        for klass in range(3):
            rates = deterioration.leave_rates()[klass] * weeks
            generator = np.diag(-rates) + np.diag(rates[:-1], 1)
            mine = np.flatnonzero(place["klass"] == klass)
            factors, where = np.unique(np.round(place["factor"][mine], 2), return_inverse=True)
            chains = np.array([expm(generator * f) for f in factors])
            step[mine] = chains[where] if len(mine) else step[mine]
        worth = np.asarray(float(rule["discount"]) ** weeks)
        owed = backlog[place["klass"]] * place["area_m2"][:, None]
        return cls(weekly, step, owed, worth, weeks)

    def untreated(self, steps: int) -> F8:
        """[steps + 1, n, 5] cost to go without any treatment, by steps that are left."""
        cost = np.zeros((steps + 1, *self.weekly.shape))
        cost[0] = self.backlog
        for k in range(1, steps + 1):
            cost[k] = self.weekly * self.weeks + self.worth * self.expected(cost[k - 1])
        return cost

    def expected(self, cost: F8) -> F8:
        """[n, 5] mean of a cost after a step, by the band before it."""
        return np.asarray(np.matmul(self.step, cost[:, :, None])[:, :, 0])

    def later(self, shares: F8, steps: int) -> F8:
        """[n, 5] shares of bands some steps later."""
        for _ in range(steps):
            shares = np.matmul(shares[:, None, :], self.step)[:, 0, :]
        return np.asarray(shares)


def savings(inventory: Inventory, rules: Records, weeks: int, parts: int = 1) -> F8:
    """[steps + 1, n, 5 * parts, treatments] euros that a treatment now saves, by steps left.

    By part of a band (`effects`), against doing nothing until the end of the run, all costs
    counted; where the street is too bad for the treatment, the visit is lost.
    """
    values = Values.of(inventory, rules, weeks)
    to_go = values.untreated(int(rules[0]["weeks"]) // weeks)
    _, price, total = cheapest_options(inventory, rules)
    visit = np.minimum(float(rules[0]["survey"]), price)
    before = np.repeat(to_go, parts, axis=2)
    saved = np.zeros((*before.shape, len(TREATMENTS)))
    for k, (moved, can) in enumerate(zip(effects(parts), feasible(), strict=True)):
        done = np.repeat(can, parts)
        spent = done * total[:, k, None] + (1.0 - done) * visit[:, k, None]
        saved[..., k] = before - to_go @ moved.T - spent
    return saved


def user_prices(inventory: Inventory, rules: Records) -> F8:
    """[n, options + 1] euros that an option costs drivers and climate: delay, detours, works."""
    choice, rule = inventory.choice, rules[0]
    tonnes = choice["co2_t"] + choice["delay_co2_t"]
    return np.asarray(choice["delay_h"] * rule["time_eur_h"] + tonnes * rule["co2_eur_t"])


def cheapest_options(inventory: Inventory, rules: Records) -> tuple[I8, F8, F8]:
    """By treatment: the option whose shift costs least in all, its price, and its social cost.

    Returns
    -------
    [n, treatments] options, euros of the city, euros of all.
    """
    city = inventory.choice["price"]
    n = len(city)
    options = np.zeros((n, len(TREATMENTS)), np.int64)
    price, total = np.zeros(options.shape), np.full(options.shape, np.inf)
    social = city + user_prices(inventory, rules)
    for k, (treatment, _) in enumerate(OPTIONS, start=1):
        better = social[:, k] < total[:, treatment]
        options[better, treatment] = k
        price[better, treatment] = city[better, k]
        total[better, treatment] = social[better, k]
    return options, price, total
