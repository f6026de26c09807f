"""Signal decisions a second, beside sumo-rl on SUMO, on two maps of RESCO.

Each side takes random actions over the loaded hour at RESCO's step, observations and rewards
included, no agent's network.  A decision is one junction's at one step.  sumo-rl runs in a process
of its own with libsumo, one environment; here are one plain `gymnasium.make`, the environment on
SUMO (its judge), and many copies in one call on all cores.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Found, Row, command_line, of_process, seconds, times

MAPS = {"cologne1": 96, "cologne8": 48}  # copies at once
BATCHED_REACH, SINGLE_REACH = 1e6, 1e4
RUNS = 3


def rows(short: bool) -> Iterator[Found]:
    """Yield three rows for each map."""
    from envs.opening import open_scene, resco_folder

    if resco_folder() is None:
        yield "signal environments: the maps of RESCO are not installed (extra `resco`)"
        return
    for name, copies in MAPS.items():
        scene = open_scene(name)
        peer = float(of_process(Path(__file__), "--peer", name).split()[-1])
        single = statistics.median(_single(scene, "twin") for _ in range(RUNS))
        aim = SINGLE_REACH if name == "cologne1" else 0.0
        junctions = len(_junctions(scene))
        yield Row(
            f"{name}, one environment (Gymnasium, all {junctions} signals)",
            f"{single * junctions:,.0f} decisions/s, {single:,.0f} steps/s",
            f"sumo-rl {peer:,.0f} decisions/s",
            times(single * junctions / peer),
            f"{aim:,.0f} steps/s" if aim else "",
            single >= aim if aim else None,
        )
        judge = _single(scene, "sumo") * junctions
        yield Row(
            f'{name}, the same on SUMO (`engine="sumo"`)',
            f"{judge:,.0f} decisions/s",
            f"sumo-rl {peer:,.0f} decisions/s",
            times(judge / peer),
        )
        many = 8 if short else copies
        batched = statistics.median(_batched(scene, many) for _ in range(RUNS))
        yield Row(
            f"{name}, {many} copies at once, every junction a row",
            f"{batched:,.0f} decisions/s",
            f"sumo-rl {peer:,.0f} decisions/s",
            times(batched / peer),
            f"{BATCHED_REACH:,.0f}/s",
            batched >= BATCHED_REACH,
        )


def _junctions(scene: object) -> object:
    from envs.runs import Runs
    from envs.task import make_task

    return Runs(make_task(scene)).junctions


def _single(scene: object, engine: str) -> float:
    """Return the steps a second of an hour in one environment."""
    import gymnasium

    import envs

    env = gymnasium.make(envs.SIGNAL_CONTROL, scene=scene, engine=engine)
    env.reset(seed=0)
    env.action_space.seed(0)
    steps = 0

    def hour() -> None:
        nonlocal steps
        over = False
        while not over:
            _, _, _, over, _ = env.step(env.action_space.sample())
            steps += 1

    took = seconds(hour)
    env.close()
    return steps / took


def _batched(scene: object, copies: int) -> float:
    """Return the decisions a second of an hour in many copies."""
    from envs.junction_rows import JunctionRows
    from envs.task import make_task

    rows = JunctionRows(make_task(scene), copies)
    rows.reset()
    steps = rows.task.steps - 1  # the last one would also load the next hours
    rng = np.random.default_rng(0)
    actions = rng.integers(0, 4, (16, rows.num_envs))

    def hour() -> None:
        for step in range(steps):
            rows.step(actions[step % 16])

    return steps * rows.num_envs / seconds(hour)


def _peer(name: str) -> float:
    """Return the decisions a second of sumo-rl, in this process."""
    import sumo

    os.environ.setdefault("SUMO_HOME", sumo.SUMO_HOME)
    os.environ["LIBSUMO_AS_TRACI"] = "1"
    from sumo_rl import SumoEnvironment

    from envs.opening import resco_files

    files = resco_files(name)
    env = SumoEnvironment(
        net_file=str(files.net),
        route_file=",".join(map(str, files.routes)),
        begin_time=int(files.begin_s),
        num_seconds=int(files.end_s - files.begin_s),
        delta_time=10,
        yellow_time=3,
        min_green=7,
        max_green=10_000,
        add_system_info=False,
        sumo_warnings=False,
    )
    env.reset()
    decisions = 0

    def hour() -> None:
        nonlocal decisions
        over = False
        while not over:
            asked = {ts: int(env.action_spaces(ts).sample()) for ts in env.ts_ids}
            _, _, dones, _ = env.step(asked)
            decisions += len(asked)
            over = dones["__all__"]

    took = seconds(hour)
    env.close()
    return decisions / took


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        sys.stdout.write(f"\n{_peer(sys.argv[2])}\n")
    else:
        command_line(__doc__, rows)
