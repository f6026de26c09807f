"""Maintenance policies: baselines in order, trainings that learn, files that hold no code."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from agents.registry import ROADS, names, resolve
from agents.roads import evolution, training
from agents.roads.evaluation import evaluate, normalised
from agents.roads.scorer import Shape
from agents.roads.trained import TrainedPlanner, load_agent, save_agent
from envs.roads.scenes import RoadTask, make_road_task
from twin.city import City
from twin.errors import InputError


@pytest.fixture(scope="module")
def task() -> RoadTask:
    return make_road_task("generated:1", sections=30, years=6)


def test_planning_beats_worst_first_and_doing_nothing(task: RoadTask) -> None:
    chosen = ("worst_first", "do_nothing", "greedy_knapsack", "rolling_optimum")
    table = evaluate({name: resolve(name, "roads") for name in chosen}, task, range(8))
    ratio = normalised(table).set_index("policy")
    assert ratio.loc["worst_first", "ratio"] == 1.0
    for name in ("greedy_knapsack", "rolling_optimum"):
        found = ratio.loc[name]
        assert found["ratio"] + found["half"] < 1.0
        assert found["ratio"] < ratio.loc["do_nothing", "ratio"]


@pytest.mark.parametrize("name", ROADS)
def test_every_baseline_runs_and_asks_only_for_what_is_granted(name: str, task: RoadTask) -> None:
    from twin.roads.decade import Decades

    inventory, rules = task.made()
    decades = Decades(inventory, rules)
    decades.reset(0, 3)
    planner = resolve(name, "roads")
    for _ in range(8):
        view = decades.view(0, planner.weeks)
        sections, options = planner.plan(view)
        assert (view.allowed[sections, options] == 1).all()
        assert len(set(sections.tolist())) == len(sections)
        decades.request(0, sections, options, planner.weeks)
        decades.advance(0, planner.weeks)


def test_a_network_of_zeros_is_the_greedy_knapsack_with_finer_slices(task: RoadTask) -> None:
    stage = evolution.Stage(task, 4)
    shape = Shape()
    cost = stage.live(shape, np.repeat(shape.first(0)[None], 4, axis=0), [1, 2, 3, 4])
    table = evaluate({"k": resolve("greedy_knapsack", "roads")}, task, [1, 2, 3, 4])
    assert cost.mean() == pytest.approx(table["social_cost_eur"].mean(), rel=0.1)


def test_evolution_learns_and_its_file_plans_the_same(task: RoadTask, tmp_path: Path) -> None:
    plan = training.Plan("es", steps=24 * 2 * 24 * 12, minutes=None, seed=1, command="test")
    history = training.train([task], tmp_path / "a.zip", plan)
    assert history[-1]["relative"] < 1.02
    about, weights = load_agent(tmp_path / "a.zip")
    assert about["training"]["algo"] == "es"
    stage, seeds = evolution.Stage(task, 3), [11, 12, 13]
    lived = stage.live(Shape(), np.repeat(weights[None], 3, axis=0), seeds)
    table = evaluate({"a": TrainedPlanner.load(tmp_path / "a.zip")}, task, seeds)
    np.testing.assert_allclose(table["social_cost_eur"], lived, rtol=1e-6)


@pytest.mark.parametrize("algo", ["ppo", "maskable_ppo"])
def test_gradients_train_weights_that_serve_another_size(algo: str, tmp_path: Path) -> None:
    small = make_road_task("generated:1", sections=5, years=2)
    plan = training.Plan(algo, steps=32 * 40, minutes=None, seed=1)
    history = training.train([small], tmp_path / "a.zip", plan)
    assert history[0]["relative"] == pytest.approx(1.0, abs=0.2)  # it begins as the knapsack
    assert all(np.isfinite(row["relative"]) for row in history)
    larger = make_road_task("generated:2", sections=25, years=2)
    table = evaluate({"a": resolve(str(tmp_path / "a.zip"), "roads")}, larger, [1])
    assert table["social_cost_eur"].notna().all()


def test_ppo_refuses_two_networks(task: RoadTask, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="learns from one network"):
        training.train([task, task], tmp_path / "a.zip", training.Plan("ppo", 100, None, 0))


def test_agents_that_travel_are_known_and_serve_any_size() -> None:
    for name in set(names("roads")) - set(ROADS):
        planner = resolve(name, "roads")
        larger = make_road_task("generated:9", sections=60, years=2)
        table = evaluate({name: planner}, larger, [1])
        assert table["agency_eur"].iloc[0] > 0.0


def test_broken_files_are_refused_in_one_line(tmp_path: Path) -> None:
    good = tmp_path / "good.zip"
    save_agent(good, np.zeros(Shape().size), {}, 16, 13)
    text = tmp_path / "text.zip"
    text.write_text("no zip")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("agent.json", json.dumps({"kind": "x"}))
        archive.writestr("weights.npy", b"")
    short = tmp_path / "short.zip"
    save_agent(short, np.zeros(7), {}, 16, 13)
    nan = tmp_path / "nan.zip"
    save_agent(nan, np.full(Shape().size, np.nan), {}, 16, 13)
    load_agent(good)
    for file in (text, other, short, nan, tmp_path / "missing.zip"):
        with pytest.raises(InputError) as error:
            load_agent(file)
        assert str(file) in str(error.value)
        assert "\n" not in str(error.value)


def test_an_unknown_policy_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'worst_first'"):
        resolve("worst_frist", "roads")


def test_works_of_a_day_are_judged_together(helsinki: City) -> None:
    """Works cost drivers less together than by the sum of what each costs by itself, or as much."""
    task = make_road_task(helsinki, sections=6, scale=0.1, years=1, budget_eur=400_000.0, crews=3)
    table = evaluate({"worst_first": resolve("worst_first", "roads")}, task, [1, 2], jointly=True)
    alone = evaluate({"worst_first": resolve("worst_first", "roads")}, task, [1, 2])
    np.testing.assert_allclose(table["works_eur"], alone["works_eur"])
    np.testing.assert_allclose(table["summed_delay_h"], alone["delay_h"])
    assert (table["delay_h"] > 0.0).all()
    again = evaluate({"worst_first": resolve("worst_first", "roads")}, task, [2], jointly=True)
    assert again["delay_h"].iloc[0] == table["delay_h"].iloc[1]


def test_a_network_without_streets_cannot_be_judged_jointly(task: RoadTask) -> None:
    with pytest.raises(InputError, match="has no streets to simulate closures on"):
        evaluate({}, task, [1], jointly=True)
