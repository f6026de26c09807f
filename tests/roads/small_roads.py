"""Small networks of road sections, and a planner who throws dice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from twin.roads.decade import Decades, Settings
from twin.roads.inventory import ages_of, make_inventory
from twin.roads.state import F8, I8, OPTION_COUNT, Condition, Inventory
from twin.roads.view import View

N = 100


def network(n: int, *, length_m: float = 83.0, area_m2: float = 500.0) -> pd.DataFrame:
    """Sections of all three classes, each a street of its own."""
    k = np.arange(n)
    return pd.DataFrame({"class": k % 3, "street": k, "length_m": length_m, "area_m2": area_m2})


@cache
def inventory(belief: str = "markov", truth: str | None = None) -> Inventory:
    """Inventory of a network of `N` sections; treat it as constant."""
    return make_inventory(network(N), belief=belief, truth=truth)


@cache
def large(*, new: bool = False) -> Inventory:
    """A large inventory with ages in whole tenths of years, or new; that is quick to make."""
    sections = network(3_000 if new else 30_000)
    ages = np.round(ages_of(sections), 1) * (not new)
    return make_inventory(sections, age_years=ages)


def decades(roads: Inventory, **given: object) -> Decades:
    """One copy under some settings."""
    return Decades(roads, Settings(**given).rules(roads))  # type: ignore[arg-type]


def prices(state: Condition, roads: Inventory, sections: I8) -> F8:
    """Euros of the orders that these sections have."""
    return np.asarray(roads.choice["price"][sections, state.section[0]["order"][sections]])


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether arrays are equal, records field by field, NaN being equal to NaN."""
    if one.dtype.names:
        return all(same(one[name], other[name]) for name in one.dtype.names)
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


@dataclass(frozen=True)
class Dice:
    """Asks for anything anywhere, the same at the same week."""

    weeks: int = 13
    seed: int = 0

    def plan(self, view: View) -> tuple[I8, I8]:
        rng = np.random.default_rng((self.seed, view.week))
        n = len(view.seen)
        asked = rng.permutation(n)[: rng.integers(0, n)]
        return asked, rng.integers(0, OPTION_COUNT, len(asked))
