"""The same environment on SUMO: its own lights, vehicles and trips are looked at."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

libsumo = pytest.importorskip("libsumo")

sys.path[:0] = [str(Path(__file__).parents[1])]
from crossings import ToyScene

from agents.evaluation import evaluate, of_days
from agents.max_pressure import MaxPressure
from envs import observation
from envs.opening import open_scene, resco_files, resco_folder
from envs.parallel import parallel_env
from envs.scenes import CityScene, Scene
from envs.signal_control import SignalControlEnv, make_runs
from envs.task import make_task
from twin.city.opening import open_city
from twin.errors import InputError, SimulationError
from twin.traffic.control import Rules

if resco_folder() is None:
    pytest.skip("the maps of RESCO are not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return open_scene("cologne3", end_s=25200.0 + 600.0)


def roll(env: SignalControlEnv, seed: int, steps: int) -> list[Any]:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    return [env.step(env.action_space.sample())[:2] for _ in range(steps)]


def test_gymnasium_accepts_it(scene: Scene) -> None:
    from gymnasium.utils.env_checker import check_env

    env = SignalControlEnv(scene, engine="sumo", junction=1)
    try:
        check_env(env, skip_render_check=True)
    finally:
        env.close()


def test_same_seed_and_actions_give_the_same(scene: Scene) -> None:
    env = SignalControlEnv(scene, engine="sumo")
    first, again, other = roll(env, 3, 20), roll(env, 3, 20), roll(env, 4, 20)
    env.close()
    for (seen, reward), (seen_again, reward_again) in zip(first, again, strict=True):
        np.testing.assert_array_equal(seen, seen_again)
        assert reward == reward_again
    assert any(a[1] != b[1] for a, b in zip(first, other, strict=True))
    assert any(reward < 0.0 for _, reward in first)


def test_a_step_that_sumo_cannot_take_is_refused() -> None:
    scene = open_scene("cologne1", end_s=25200.0 + 600.0)
    with pytest.raises(InputError, match=r"step_s\(=2.5\) must be whole seconds"):
        SignalControlEnv(scene, engine="sumo", step_s=2.5)
    with pytest.raises(InputError, match=r"step_s\(=22.5\) must be whole seconds"):
        SignalControlEnv(scene, engine="sumo", action="plan", cycle_s=22.5)


def test_route_files_in_any_order_are_driven_whole(tmp_path: Path) -> None:
    """SUMO itself passes over vehicles that stand behind later ones in a file."""
    files = resco_files("cologne1")
    edges = "23429231#1 32038051#0"
    flow = f'<flow id="f" begin="25200" end="25500" number="20"><route edges="{edges}"/></flow>'
    late = f'<vehicle id="late" depart="25400"><route edges="{edges}"/></vehicle>'
    said = []
    for k, rows in enumerate(([late, flow], [flow, late])):
        routes = tmp_path / f"{k}.rou.xml"
        routes.write_text("<routes>" + "".join(rows) + "</routes>")
        env = SignalControlEnv(
            str(files.net), routes=routes, begin_s=25200.0, end_s=25800.0, engine="sumo"
        )
        env.reset(seed=0)
        over = False
        while not over:
            _, _, _, over, info = env.step(np.zeros(1, np.int64))
        said.append(info["indicators"])
        env.close()
    assert said[0]["trips"] == said[1]["trips"] == 21
    assert said[0]["delay_per_trip_s"] == said[1]["delay_per_trip_s"]


def test_sumo_shows_lights_that_keep_the_rules() -> None:
    """At every second of half an hour of random requests, read from SUMO itself."""
    scene = open_scene("cologne1", end_s=25200.0 + 1800.0)
    rules = Rules(4.0, 2.0, 8.0, None, 120.0)
    runs = make_runs(make_task(scene, rules=rules, step_s=1.0), "sumo")
    runs.reset([1])
    name = runs.network.signal_ids[runs.junctions.signal[0]]
    rng = np.random.default_rng(0)
    before = libsumo.trafficlight.getRedYellowGreenState(name)
    since = np.zeros(len(before))
    lasted: dict[str, list[float]] = {"G": [], "y": []}
    for second in range(1, 1500):
        runs.step(rng.integers(0, 8, (1, 1)))
        shown = libsumo.trafficlight.getRedYellowGreenState(name)
        old, new = before.replace("g", "G"), shown.replace("g", "G")
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            if a == b:
                continue
            assert (a, b) in {("G", "y"), ("y", "r"), ("r", "G")}
            if a in lasted and since[k] > 0:
                lasted[a].append(second - since[k])
            since[k] = second
        before = shown
    runs.close()
    assert len(lasted["G"]) > 50
    assert min(lasted["G"]) >= 8.0
    assert set(lasted["y"]) == {4.0}


def test_rewards_sum_to_what_sumo_says_of_trips(scene: Scene) -> None:
    """But for the last second of those who leave the network."""
    runs = make_runs(of_days(make_task(scene)), "sumo")
    runs.reset([7])
    policy, lost_s = MaxPressure(), 0.0
    while not runs.done[0]:
        runs.step(policy.decide(runs.control.view))
        lost_s += float(runs.control.play.read.delay_s.sum())
    trips = runs.trips(0)
    said_s = float((trips["time_loss_s"].fillna(0.0) + trips["depart_delay_s"]).sum())
    assert 0.95 * said_s <= lost_s <= said_s + 1.0
    indicators = runs.indicators(0)
    assert indicators["trips"] == len(trips) > 300
    assert 0.0 < indicators["waiting_95_s"] < indicators["waiting_longest_s"]
    assert 50.0 < indicators["co2_per_trip_g"] < 500.0


@pytest.mark.parametrize("name", ["cologne3", "ingolstadt1"])
def test_both_engines_see_the_same_streets(name: str) -> None:
    """Under the given programs, what the rows say agrees on average over the window.

    ingolstadt1 has lanes for people on foot beside those of the twin.  Streets behind the signals
    are somewhat fuller in SUMO, where who starts at the stop line speeds up on them.
    """
    begin_s = resco_files(name).begin_s
    scene = open_scene(name, end_s=begin_s + 1800.0)
    means = []
    for engine in ("twin", "sumo"):
        runs = make_runs(of_days(make_task(scene)), engine, controlled=False)
        runs.reset([5])
        rows = []
        while not runs.done[0]:
            runs.step(np.full((1, len(runs.junctions)), -1))
            rows.append(runs.row[0].copy())
        runs.close()
        means.append(np.mean(rows, axis=0))
    names = list(observation.PHASE_FEATURES)
    size = observation.PHASES * len(names)
    full = [
        mean[:, :size].reshape(-1, observation.PHASES, len(names))[..., names.index("full")].mean()
        for mean in means
    ]
    assert 0.65 < full[0] / full[1] < 1.25
    means = [mean.reshape(-1) for mean in means]
    used = (means[0] > 0.0) | (means[1] > 0.0)
    assert used.sum() > 20
    assert np.corrcoef(means[0][used], means[1][used])[0, 1] > 0.85
    assert (means[1][used] > 0.0).mean() > 0.9


def test_who_stands_before_a_street_too_short_to_stand_on_is_seen() -> None:
    """10425609#1 of ingolstadt7 is 0.9 m long: its queue begins within the junction before it."""
    scene = open_scene("ingolstadt7", end_s=resco_files("ingolstadt7").begin_s + 600.0)
    runs = make_runs(of_days(make_task(scene)), "sumo")
    runs.reset([0])
    network, junctions = runs.network, runs.junctions
    j = [network.signal_ids[signal] for signal in junctions.signal].index("gneJ143")
    lanes = network.arrays.link["lane"][junctions.link[j]]
    streets = [network.street_ids[network.arrays.lane["street"][lane]] for lane in lanes]
    short = np.flatnonzero(np.array(streets) == "10425609#1")
    while not runs.done[0]:
        runs.step(np.zeros((1, len(junctions)), int))  # phase 0 has red for it
    assert runs.control.play.read.link_standing[0, j, short].sum() >= 1
    assert runs.control.play.read.head_wait[0, j, short].max() > 200 * network.arrays.tps
    runs.close()


def test_programs_and_policies_are_judged(scene: Scene) -> None:
    class Programs:
        controls = False

        def start(self, view: Any) -> None:
            pass

    task = make_task(scene)
    tables = {
        engine: evaluate(Programs(), task, [5_000_000, 5_000_001], engine=engine)  # type: ignore[arg-type]
        for engine in ("twin", "sumo")
    }
    for table in tables.values():
        assert table["seed"].tolist() == [5_000_000, 5_000_001]
        assert table.notna().all(axis=None)
    twin, sumo = (t["delay_per_trip_s"].mean() for t in tables.values())
    assert 0.6 < twin / sumo < 1.6


def test_agents_of_pettingzoo_meet_in_sumo(scene: Scene) -> None:
    env = parallel_env(scene, engine="sumo")
    env.reset(seed=1)
    for _ in range(5):
        seen, rewards, *_ = env.step(dict.fromkeys(env.agents, 0))
    env.close()
    assert set(seen) == set(rewards) == set(env.possible_agents)


def test_a_city_drives_in_sumo_as_in_the_twin() -> None:
    """The same vehicles on the same ways; the network is the one that the city was made of."""
    city = open_city("helsinki")
    scene = CityScene.of(city, end_s=7 * 3600.0 + 300.0, scale=0.3, iterations=1, warmup_s=300.0)
    task = of_days(make_task(scene))
    runs = make_runs(task, "sumo")
    runs.reset([1])
    view = runs.control.view
    running = libsumo.vehicle.getIDCount()
    state = scene.start(1).state.vehicle
    under_way = ((state["depart"] >= 0) & (state["arrive"] < 0)).sum()
    assert 0.7 * under_way < running < 1.3 * under_way
    assert 0.0 <= -float(runs.reward.sum()) < 1.0  # what was lost before does not count
    while not runs.done.all():
        runs.step(MaxPressure().decide(view))
    trips = runs.trips(0).set_index("id")
    assert len(trips) == len(state)
    done = trips[trips["arrival_s"].notna()]
    assert len(done) > 100
    length_m = scene.network.street_m
    first, end, street = state["route"], state["route_end"], scene.start(1).state.route_street
    way_m = [length_m[street[first[int(k)] : end[int(k)]]].sum() for k in done.index]
    assert np.corrcoef(way_m, done["route_length_m"])[0, 1] > 0.97  # SUMO counts junctions, too
    with pytest.raises(InputError, match="saved without SUMO's network; build it again"):
        make_runs(make_task(replace(scene, city=replace(city, net=b""))), "sumo").reset([1])


def test_lorries_drive_in_sumo_wherever_the_city_lets_them(tmp_path: Path) -> None:
    """Also where SUMO's network has deliveries only, and through the junctions behind."""
    sumolib = pytest.importorskip("sumolib")
    city = open_city("helsinki")
    scene = CityScene.of(city, end_s=7 * 3600.0 + 60.0, scale=0.01, iterations=1, warmup_s=60.0)
    files = scene.sumo_files(1, tmp_path)
    net = sumolib.net.readNet(str(files.net), withInternal=True)
    lanes = city.lanes.set_index("id")
    opened = lanes.index[lanes["lorries"]]
    assert (lanes["lorries"] & ~lanes["cars"]).sum() > 10
    for name in opened:
        lane = net.getLane(name)
        assert lane.allows("truck")
        for turn in lane.getOutgoing():
            if turn.getToLane().getID() in opened and turn.getViaLaneID():
                assert net.getLane(turn.getViaLaneID()).allows("truck")
    assert not all(net.getLane(name).allows("truck") for name in lanes.index.difference(opened))


def test_what_sumo_cannot_do_is_one_line(scene: Scene) -> None:
    task = make_task(scene)
    with pytest.raises(InputError, match="2 copies asked for; SUMO is one simulation"):
        make_runs(task, "sumo", 2)
    with pytest.raises(InputError, match="toy has no SUMO network with vehicles"):
        make_runs(make_task(ToyScene.of()), "sumo").reset([0])
    one, two = make_runs(task, "sumo"), make_runs(task, "sumo")
    one.reset([0])
    two.reset([0])
    with pytest.raises(SimulationError, match=r"call reset\(\)"):
        one.step(np.zeros((1, 3), np.int64))
    with pytest.raises(SimulationError, match="at the end of the window"):
        two.trips(0)
    two.close()


def test_routes_of_another_network_are_one_line(tmp_path: Path) -> None:
    """Whether they are met when the scene is opened or by SUMO itself."""
    routes = resco_files("ingolstadt1").routes
    with pytest.raises(InputError) as caught:
        open_scene(str(resco_files("cologne1").net), routes=routes, end_s=60000.0)
    assert "\n" not in str(caught.value)
