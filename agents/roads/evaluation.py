"""Policies for roads on the same decades, by the table of delays and judged jointly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.roads.scenes import RoadTask
from twin.errors import InputError
from twin.roads.costs import AGENCY, CATEGORIES
from twin.roads.decade import Decades, run_decade
from twin.roads.programme import Programme, standing
from twin.roads.state import Condition, Inventory
from twin.roads.view import Planner

if TYPE_CHECKING:
    import pandas as pd

EVALUATION_SEED = 5_000_000
REFERENCE = "worst_first"


def evaluate(
    planners: Mapping[str, Planner],
    task: RoadTask,
    seeds: Sequence[int],
    watch: Callable[[int, int], None] | None = None,
    *,
    jointly: bool = False,
) -> pd.DataFrame:
    """One row a policy and decade: costs in euros, condition, delays, reports.

    Parameters
    ----------
    watch
        Called with decades done, and how many there are.
    jointly
        Whether works of a day are simulated together (`Judge`), and not by the table of delays.
    """
    import pandas as pd

    decade = Judge(task).decade if jointly else _by_table(task)
    rows: list[dict[str, Any]] = []
    for name, planner in planners.items():
        for seed in seeds:
            rows.append({"policy": name, "seed": seed, **decade(planner, seed)})
            if watch is not None:
                watch(len(rows), len(planners) * len(seeds))
    return pd.DataFrame(rows)


def _by_table(task: RoadTask) -> Callable[[Planner, int], dict[str, float]]:
    """Decades with delays by table."""
    inventory, rules = task.made()
    decades = Decades(inventory, rules)

    def decade(planner: Planner, seed: int) -> dict[str, float]:
        run_decade(decades, planner, seed)
        return _row(inventory, decades.state)

    return decade


def _row(inventory: Inventory, state: Condition) -> dict[str, float]:
    last = standing(inventory, state, 0)
    euros = dict(zip(CATEGORIES, state.euros[0, 0], strict=True))
    return {
        "social_cost_eur": float(state.euros[0, 1].sum()),
        "agency_eur": float(sum(euros[name] for name in AGENCY)),
        **{f"{name}_eur": float(value) for name, value in euros.items()},
        "bad_percent": last["bad_percent"],
        "mean_pci": last["mean_pci"],
        "delay_h": last["delay_h"],
        "found_worse": last["found_worse"],
        "reports_open": last["reports_open"],
    }


def normalised(table: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """Mean cost of each policy over that of a reference on the same seeds, with 95 % intervals.

    Returns
    -------
    DataFrame
        policy, ratio (mean over seeds), half (of the interval, Student's t), n.
    """
    import pandas as pd
    from scipy import stats

    costs = table.pivot(index="seed", columns="policy", values="social_cost_eur")
    rows = []
    for name in table["policy"].unique():
        ratio = (costs[name] / costs[reference]).to_numpy()
        n = len(ratio)
        half = stats.t.ppf(0.975, n - 1) * ratio.std(ddof=1) / n**0.5 if n > 1 else np.nan
        rows.append({"policy": name, "ratio": float(ratio.mean()), "half": float(half), "n": n})
    return pd.DataFrame(rows)


class Judge:
    """Decades on the clock in which works of a day are simulated together.

    Parameters
    ----------
    task
        Of a city, whose streets can be closed.

    Raises
    ------
    InputError
        For a generated network, which has no streets to simulate.
    """

    def __init__(self, task: RoadTask) -> None:
        from twin.days import hours_of
        from twin.traffic.demand import Demand
        from twin.usage import Closures

        scene = task.scene
        if scene.city is None:
            msg = f"{scene.name}: has no streets to simulate closures on; judge a city's scene"
            raise InputError(msg)
        self.task, self.city = task, scene.city
        self.inventory, self.rules = task.made()
        demand = Demand.generate(scene.city, scale=scene.scale)
        hours = hours_of(scene.city, demand)
        self._closures = Closures(scene.city, scene.sections, hours, seed=0)

    def decade(self, planner: Planner, seed: int) -> dict[str, float]:
        """The columns of `evaluate` but for names, and what the table that training uses would say.

        Returns
        -------
        summed_delay_h
            Vehicle hours of works by the sum of the table, beside `delay_h` of works together.
        """
        from twin.simulation import Simulation

        scene, years = self.task.scene, self.task.settings.years
        sim = Simulation(self.city, seed=seed, begin_s=0.0, end_s=1.0, years=years, systems_on=())
        programme = Programme(
            sim, scene.sections, self.inventory, self.rules, planner, closures="joint",
            arrangement=scene.use.arrangement, joint=self._closures.cost,
        )  # fmt: skip
        programme.start()
        sim.run()
        done = [w for w in programme.works if w.outcome in ("under way", "done")]
        choice = self.inventory.choice
        summed = sum(float(choice[w.section, w.option]["delay_h"]) for w in done)
        return {**_row(self.inventory, programme.state), "summed_delay_h": summed}
