"""Roads: ten years of a whole city on the SimPy clock, and steps of environments a second.

Ten years of Kaiserslautern have every section, weekly steps, cameras, citizens' reports, crews and
a budget, decided by the greedy knapsack, without closures; beside it the same decade as one
compiled batch, without SimPy.  How sections are used is taken from the traffic simulation before
and is not timed.  Environments have 100 sections with delays by table, and random actions.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from city_day import OSM, data_folder
from table import Found, Row, command_line, seconds, times

DECADE_REACH_S, STEPS_REACH = 10.0, 20_000.0
RUNS = 3
COPIES = 64


def rows(short: bool) -> Iterator[Found]:
    """Yield a row for the decade, and one for the environments."""
    file = data_folder() / OSM
    if file.is_file():
        yield _decade(file)
    else:
        yield f"roads of Kaiserslautern: left out, {OSM} is not in the folder STADTZWILLING_DATA"
    steps = 400 if short else 4000
    single = statistics.median(_single(steps // 8) for _ in range(RUNS))
    batched = statistics.median(_batched(steps) for _ in range(RUNS))
    yield Row(
        f"Twin/RoadMaintenance-v0, 100 sections, {COPIES} copies at once",
        f"{batched:,.0f} steps/s",
        f"one copy {single:,.0f} steps/s",
        times(batched / single),
        f"{STEPS_REACH:,.0f} steps/s",
        batched >= STEPS_REACH,
    )


def _decade(file: Path) -> Row:
    from agents.registry import resolve
    from twin.city import City
    from twin.roads.decade import Decades, run_decade
    from twin.roads.measures import Inspection, Maintenance
    from twin.simulation import Simulation

    city = City.from_osm(file, "kaiserslautern")
    measures = (Maintenance(policy="greedy_knapsack", closures="none"), Inspection())

    def simulation() -> Any:
        return Simulation(
            city, seed=1, begin_s=0.0, end_s=1.0, years=10, systems_on=("roads",),
            measures=measures, policies=resolve,
        )  # fmt: skip

    simulation().run()  # compiles, and learns how sections are used
    on_clock, batch = [], []
    for _ in range(RUNS):
        sim = simulation()
        on_clock.append(seconds(sim.run))
        programme = sim.parts["roads"].programme
        decades = Decades(programme.inventory, programme.rules)
        planner = resolve("greedy_knapsack", "roads")
        batch.append(seconds(lambda d=decades, p=planner: run_decade(d, p, 1)))
    ours, peer = statistics.median(on_clock), statistics.median(batch)
    sections = len(programme.sections)
    return Row(
        f"Ten years of Kaiserslautern's roads, {sections:,} sections by weeks, on the SimPy clock",
        f"{ours:.2f} s",
        f"one compiled batch {peer:.2f} s",
        times(peer / ours),
        f"{DECADE_REACH_S:.0f} s",
        ours <= DECADE_REACH_S,
    )


def _single(steps: int) -> float:
    """Return steps a second of one plain environment."""
    import gymnasium

    import envs

    env = gymnasium.make(envs.ROAD_MAINTENANCE, sections=100)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(10)]

    def go() -> None:
        for k in range(steps):
            if env.step(actions[k % 10])[3]:
                env.reset()

    return steps / seconds(go)


def _batched(steps: int) -> float:
    """Return steps a second of all copies of one vector environment."""
    import gymnasium

    import envs

    env = gymnasium.make_vec(
        envs.ROAD_MAINTENANCE, COPIES, vectorization_mode="vector_entry_point", sections=100
    )
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [np.asarray(env.action_space.sample()) for _ in range(10)]

    def go() -> None:
        for k in range(steps // COPIES + 1):
            env.step(actions[k % 10])

    took = seconds(go)
    env.close()
    return (steps // COPIES + 1) * COPIES / took


if __name__ == "__main__":
    command_line(__doc__, rows)
