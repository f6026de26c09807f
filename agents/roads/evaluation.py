"""Policies for roads on the same decades, by the table of delays and judged jointly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from envs.roads.scenes import RoadTask
from twin.errors import InputError
from twin.roads.costs import AGENCY, CATEGORIES
from twin.roads.decade import Decades, run_decade
from twin.roads.programme import Programme, standing
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
) -> pd.DataFrame:
    """One row a policy and decade: costs in euros, condition, delays, reports.

    Parameters
    ----------
    watch
        Called with decades done, and how many there are.
    """
    import pandas as pd

    inventory, rules = task.made()
    decades, rows = Decades(inventory, rules), []
    for name, planner in planners.items():
        for seed in seeds:
            run_decade(decades, planner, seed)
            rows.append({"policy": name, "seed": seed, **_row(decades)})
            if watch is not None:
                watch(len(rows), len(planners) * len(seeds))
    return pd.DataFrame(rows)


def _row(decades: Decades) -> dict[str, float]:
    state = decades.state
    last = standing(decades.inventory, state, 0)
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


def judge_jointly(planner: Planner, task: RoadTask, seed: int) -> dict[str, float]:
    """One decade on the clock, its works of a day simulated together.

    Returns
    -------
    social_cost_eur
        With the delay of works simulated together.
    delay_h, summed_delay_h
        Vehicle hours of works together, and by the sum of the table that training uses.

    Raises
    ------
    InputError
        For a generated network, which has no streets to simulate.
    """
    from twin.days import hours_of
    from twin.simulation import Simulation
    from twin.traffic.demand import Demand
    from twin.usage import Closures

    scene = task.scene
    if scene.city is None:
        msg = f"{scene.name}: has no streets to simulate closures on; judge a city's scene"
        raise InputError(msg)
    inventory, rules = task.made()
    demand = Demand.generate(scene.city, scale=scene.scale)
    sim = Simulation(
        scene.city, seed=seed, begin_s=0.0, end_s=1.0, years=task.settings.years, systems_on=()
    )
    closures = Closures(scene.city, scene.sections, hours_of(scene.city, demand), seed=0)
    programme = Programme(
        sim, scene.sections, inventory, rules, planner, closures="joint",
        arrangement=scene.use.arrangement, joint=closures.cost,
    )  # fmt: skip
    programme.start()
    sim.run()
    done = [w for w in programme.works if w.outcome in ("under way", "done")]
    summed = sum(float(inventory.choice[w.section, w.option]["delay_h"]) for w in done)
    return {
        "social_cost_eur": float(programme.state.euros[0, 1].sum()),
        "delay_h": standing(inventory, programme.state, 0)["delay_h"],
        "summed_delay_h": summed,
    }
