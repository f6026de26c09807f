"""Baselines decide as their sources say."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]
from crossings import TPS, ToyScene

from agents.evaluation import evaluate, of_days
from agents.max_pressure import MaxPressure
from agents.plans import GreenWave, Plan, Webster, _overlap_s, webster_cycle_s, webster_plan
from agents.registry import BASELINES, WEIGHTS, names, resolve
from agents.rules import Actuated, Greedy, SelfOrganizing
from agents.trained import TrainedAgent
from envs.opening import open_scene, resco_folder
from envs.runs import Runs
from envs.scenes import Scene
from envs.task import make_task
from twin.errors import InputError
from twin.traffic.loads import loads


def needs_resco() -> None:
    if resco_folder() is None:
        pytest.skip("the maps of RESCO are not installed")


def view(
    standing: list[float], moving: list[float] | None = None, now: int = 0, green_s: float = 10.0
) -> Any:
    """One junction, three phases; links 0 and 1 in the first, 2 in the second, 3 in the third."""
    green = np.array([[[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]], bool)
    standing_ = np.array([[standing]], float)
    moving_ = np.zeros_like(standing_) if moving is None else np.array([[moving]], float)
    return SimpleNamespace(
        junctions=SimpleNamespace(
            green=green, protected=green, served=green.astype(float), row=np.array([[0, 1, 2]])
        ),
        read=SimpleNamespace(
            link_standing=standing_,
            link_moving=moving_,
            standing=standing_,
            moving=moving_,
            behind=np.zeros_like(standing_),
        ),
        orders=SimpleNamespace(n_phases=np.array([3])),
        by_phase=lambda values: np.einsum("jpl,cjl->cjp", green.astype(float), values),
        phase=np.array([[now]]),
        green_s=np.array([[green_s]]),
        now_s=np.array([0.0]),
    )


@pytest.mark.parametrize(
    ("standing", "behind", "now", "wanted"),
    [
        ([3, 2, 4, 0], [0, 0, 0, 0], 1, 0),  # 5 against 4
        ([3, 2, 4, 0], [2, 2, 0, 0], 0, 1),  # 1 against 4: no room behind counts
        ([2, 2, 4, 0], [0, 0, 0, 0], 1, 1),  # a tie keeps the phase
        ([0, 0, 0, 0], [9, 9, 0, 0], 0, 0),  # nobody there: nothing pulls or pushes
    ],
)
def test_max_pressure_takes_the_phase_of_the_greatest_pressure(
    standing: list[float], behind: list[float], now: int, wanted: int
) -> None:
    seen = view(standing, now=now)
    seen.read.behind[:] = behind
    assert MaxPressure().decide(seen) == wanted


@pytest.mark.parametrize(
    ("standing", "moving", "now", "wanted"),
    [
        ([1, 1, 3, 0], [0, 0, 0, 0], 0, 1),
        ([1, 1, 3, 0], [1, 1, 0, 0], 2, 0),  # those on their way count
        ([1, 1, 2, 0], [0, 0, 0, 0], 1, 1),  # a tie keeps the phase
    ],
)
def test_greedy_takes_the_phase_with_most_vehicles(
    standing: list[float], moving: list[float], now: int, wanted: int
) -> None:
    assert Greedy().decide(view(standing, moving, now)) == wanted


@pytest.mark.parametrize(
    ("standing", "moving", "green_s", "wanted"),
    [
        ([0, 0, 1, 0], [2, 2, 0, 0], 10.0, -1),  # vehicles come: green goes on
        ([0, 0, 1, 0], [0, 0, 0, 0], 10.0, 1),  # gap out
        ([0, 0, 0, 1], [0, 0, 0, 0], 10.0, 2),  # who nobody waits for is left out
        ([0, 0, 0, 0], [0, 0, 0, 0], 90.0, -1),  # nobody asks: green rests
        ([0, 0, 1, 0], [2, 2, 0, 0], 30.0, 1),  # max out
    ],
)
def test_actuated_gaps_out_and_maxes_out(
    standing: list[float], moving: list[float], green_s: float, wanted: int
) -> None:
    policy = Actuated(max_green_s=30.0, gap_veh=1.0)
    assert policy.decide(view(standing, moving, 0, green_s)) == wanted


def test_self_organizing_lights_wait_for_their_threshold() -> None:
    """2 vehicles at red reach 25 veh s after 15 s; a platoon at green is let through before."""
    policy = SelfOrganizing(5.0, threshold=25.0, platoon=2.0)
    seen = view([0, 0, 2, 0])
    policy.start(seen)
    asked = []
    for k in range(5):
        seen.now_s = np.array([5.0 * k])
        asked.append(int(policy.decide(seen)[0, 0]))
    assert asked == [-1, -1, -1, 1, 1] or asked == [0, 0, 0, 1, 1]
    seen.read.link_moving[0, 0, 0] = 1.0
    assert policy.decide(seen) == -1
    seen.read.link_moving[0, 0, 0] = 3.0
    assert policy.decide(seen) == 1


def test_websters_cycle() -> None:
    """L = 10 s, Y = 0.7 (FHWA, and every textbook)."""
    assert webster_cycle_s(10.0, 0.7) == pytest.approx(66.67, abs=0.01)


def test_a_plan_splits_the_cycle_and_gives_every_movement_green() -> None:
    runs = Runs(make_task(ToyScene.of(3, 900.0, vehicles=300)))
    runs.reset([0])
    seen = runs.control.view
    load, plan = loads(seen.network, seen.junctions, seen.demand()[0]), webster_plan(seen)
    chosen = np.isfinite(load)
    assert chosen.sum(axis=1).tolist() == [2, 2, 2]
    between_s = seen.rules.yellow_s + seen.rules.all_red_s
    whole_s = plan.green_s.sum(axis=1) + chosen.sum(axis=1) * between_s
    np.testing.assert_allclose(whole_s, plan.cycle_s)
    assert (plan.green_s[chosen] >= seen.rules.min_green_s).all()
    heavier = np.argmax(np.nan_to_num(load), axis=1)
    assert (np.argmax(plan.green_s, axis=1) == heavier).all()


def test_a_plan_is_kept_to_the_second() -> None:
    """Whatever the interval between decisions: the lights repeat after each cycle."""
    runs = Runs(make_task(ToyScene.of(1, 1200.0, vehicles=300), step_s=10.0))
    runs.reset([0])
    policy = Webster()
    policy.start(runs.control.view)
    assert policy.plan is not None
    cycle_s = int(policy.plan.cycle_s[0])
    shown = []
    state = runs.control.batch.copies[0]
    for second in range(1000):
        if second % 10 == 0:
            runs.control.request(policy.decide(runs.control.view))
        runs.control.advance((second + 1) * TPS)
        shown.append(state.link["light"][runs.junctions.link[0, :2]].copy())
    late = np.array(shown[2 * cycle_s :])
    assert len(late) > 3 * cycle_s
    assert (late[cycle_s:] == late[:-cycle_s]).all()
    assert (np.ptp(late, axis=0) > 0).all()


@pytest.mark.parametrize(
    ("lag_s", "platoon_s", "green_s", "seconds"),
    [(0.0, 20.0, 20.0, 20.0), (10.0, 20.0, 20.0, 10.0), (30.0, 20.0, 20.0, 0.0),
     (50.0, 20.0, 20.0, 10.0), (5.0, 10.0, 30.0, 10.0)],
)  # fmt: skip
def test_the_part_of_a_platoon_that_meets_green(
    lag_s: float, platoon_s: float, green_s: float, seconds: float
) -> None:
    assert _overlap_s(np.array([lag_s]), platoon_s, green_s, 60.0) == pytest.approx(seconds)


def test_a_green_wave_beats_the_same_plan_without_offsets() -> None:
    """On grid4x4, and worse offsets are worse."""
    needs_resco()
    task = make_task("grid4x4")

    class Uncoordinated(GreenWave):
        def _offsets(self, view: Any, plan: Plan) -> Any:
            return np.random.default_rng(0).uniform(0.0, plan.cycle_s)

    days = [5_000_000, 5_000_001]
    wave, other = (
        evaluate(policy, task, days)["delay_per_trip_s"].mean()
        for policy in (GreenWave(), Uncoordinated())
    )
    assert wave < 0.9 * other


@pytest.fixture(scope="module")
def cologne() -> Scene:
    needs_resco()
    return open_scene("cologne3", end_s=25200.0 + 900.0)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_decides_for_every_copy_as_for_one(name: str, cologne: Scene) -> None:
    task = make_task(cologne)
    days = [5_000_000, 5_000_001, 5_000_002]
    together = evaluate(resolve(name), task, days)
    alone = evaluate(resolve(name), task, days[:1])
    assert together["delay_per_trip_s"].between(1.0, 300.0).all()
    if name not in ("webster", "green_wave"):  # their plan is for the first day
        assert alone.iloc[0].equals(together.iloc[0])
    assert together["delay_per_trip_s"].nunique() == 3


def test_looking_ahead_is_better_than_its_rule(cologne: Scene) -> None:
    task = make_task(cologne)
    days = [5_000_000, 5_000_001]
    delay = {
        name: evaluate(resolve(name), task, days)["delay_per_trip_s"].mean()
        for name in ("greedy", "rolling_horizon", "fixed")
    }
    assert delay["rolling_horizon"] < 0.8 * delay["greedy"]
    assert delay["rolling_horizon"] < 0.8 * delay["fixed"]


def test_programs_stay_as_they_are_given(cologne: Scene) -> None:
    runs = Runs(of_days(make_task(cologne)), controlled=False)
    runs.reset([5])
    state = runs.control.batch.copies[0]
    rows = [state.signal["phase"][runs.junctions.signal].copy()]
    while not runs.done[0]:
        runs.step(np.full((1, 3), 0))
        rows.append(state.signal["phase"][runs.junctions.signal].copy())
    assert len(np.unique(np.array(rows)[:, 0])) > 3  # yellow rows of the program, too


def test_names_are_told() -> None:
    assert set(BASELINES) <= set(names())
    with pytest.raises(InputError, match="did you mean 'max_pressure'"):
        resolve("maxpressure")


SHIPPED = sorted(WEIGHTS.glob("*.zip"))


def test_weights_that_travel_with_the_project_say_how_they_were_made() -> None:
    assert SHIPPED
    assert sum(path.stat().st_size for path in SHIPPED) <= 5_000_000
    for path in SHIPPED:
        made = TrainedAgent(path).about.training
        assert made["command"].startswith("twin train ")
        assert made["wall_s"] > 0.0
        assert isinstance(made["seed"], int)
        assert path.stem in names()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_weights_that_travel_with_the_project_beat_the_programs(path: Path) -> None:
    """On a map of RESCO, on days that nobody has seen."""
    needs_resco()
    task = make_task("cologne8")
    agent, programs = (
        evaluate(resolve(name), task, [5_000_000, 5_000_001])["delay_per_trip_s"].mean()
        for name in (path.stem, "fixed")
    )
    assert agent < 0.6 * programs
