"""Whatever is asked for, the lights keep the rules: watched second by second."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path[:0] = [str(Path(__file__).parents[1])]
from crossings import TPS, ToyScene

from envs.actions import space
from envs.observation import PHASES
from envs.runs import Runs
from envs.task import make_task
from twin.errors import InputError
from twin.traffic.control import Rules

HOUR_S = 3600.0
RED, YELLOW, GREEN = 0, 1, 2  # of the kernel; greens that yield are 3


class Watch:
    """Remembers when each light turned."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.link = runs.junctions.link[runs.junctions.link >= 0]
        self.lane = runs.network.arrays.link["lane"][self.link]
        self.owner = np.repeat(np.arange(len(runs.junctions)), (runs.junctions.link >= 0).sum(1))
        self.light = self._now()
        self.since = np.full(len(self.link), -(10**6))
        self.green_s: list[int] = []
        self.yellow_s: list[int] = []
        self.all_red_s: list[int] = []
        self.last_green_end = np.full(len(runs.junctions), -(10**6))

    def _now(self) -> Any:
        light = self.runs.control.batch.copies[0].link["light"][self.link]
        return np.where(light >= GREEN, GREEN, light)

    def look(self, second: int) -> None:
        light = self._now()
        turned = light != self.light
        assert not (turned & (self.light == GREEN) & (light == RED)).any(), "no yellow"
        assert not (turned & (self.light == RED) & (light == YELLOW)).any(), "yellow after red"
        for m in np.flatnonzero(turned & (self.since > 0)):
            lasted = second - int(self.since[m])
            if self.light[m] == GREEN:
                self.green_s.append(lasted)
            elif self.light[m] == YELLOW:
                self.yellow_s.append(lasted)
        for m in np.flatnonzero(turned & (self.light == YELLOW)):
            self.last_green_end[self.owner[m]] = second
        for m in np.flatnonzero(turned & (light == GREEN)):
            if self.last_green_end[self.owner[m]] > 0:
                self.all_red_s.append(second - int(self.last_green_end[self.owner[m]]))
        self.since[turned] = second
        self.light = light


@pytest.mark.parametrize("action", ["phase", "switch", "duration", "plan"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**31),
    yellow_s=st.integers(2, 5),
    all_red_s=st.integers(0, 4),
    min_green_s=st.integers(4, 12),
    max_green_s=st.integers(20, 45),
    eager=st.floats(0.05, 1.0),
)
def test_an_hour_of_random_actions_keeps_every_rule(
    action: str,
    seed: int,
    yellow_s: int,
    all_red_s: int,
    min_green_s: int,
    max_green_s: int,
    eager: float,
) -> None:
    """Shortest and longest green, yellow before red, all-red before green; at three signals."""
    rules = Rules(yellow_s, all_red_s, min_green_s, max_green_s, 120.0)
    scene = ToyScene.of(3, HOUR_S, vehicles=900)
    runs = Runs(make_task(scene, action=action, rules=rules, step_s=1.0, cycle_s=60.0))
    runs.reset([seed])
    runs._step_ticks = TPS  # also a plan, which is for a cycle, is looked at each second
    watch, asks = Watch(runs), space(action, 3)
    asks.seed(seed)
    rng = np.random.default_rng(seed)
    kept = np.asarray(asks.sample())
    for second in range(1, int(HOUR_S)):
        if rng.random() < eager or action == "plan":
            kept = np.asarray(asks.sample())
        if action == "plan" and second % 30 != 1:
            runs.control.play.orders.wanted[:] = -1
            runs.control.advance(second * TPS)
            runs.control.look()
        else:
            runs.step(kept)
        watch.look(second)
    assert min(watch.green_s) >= min_green_s
    assert max(watch.green_s) <= max_green_s
    assert set(watch.yellow_s) == {yellow_s}
    assert min(watch.all_red_s) >= all_red_s
    assert len(watch.green_s) > 100


def test_people_on_foot_get_their_time_to_clear_the_road() -> None:
    """As much as the program gives them, before vehicles get green across their way."""
    scene = ToyScene.of(1, HOUR_S, vehicles=600)
    clearance_s = 9.0
    scene.network.walk_clearance_s[:] = clearance_s
    for pedestrians, least in ((True, clearance_s - 3.0), (False, 1.0)):
        task = make_task(
            scene, step_s=1.0, rules=Rules(3.0, 1.0, 5.0, None, 120.0, pedestrians=pedestrians)
        )
        runs = Runs(task)
        runs.reset([0])
        watch, rng = Watch(runs), np.random.default_rng(0)
        for second in range(1, 900):
            runs.step(rng.integers(0, 2, (1, 1)))
            watch.look(second)
        assert min(watch.all_red_s) == least


def test_a_wait_at_red_ends_in_time_whatever_is_asked() -> None:
    """The side street's first vehicle waits no longer than the rule, and a change."""
    longest_s = 60.0
    scene = ToyScene.of(1, 900.0)
    waits = {}
    for limit in (longest_s, None):
        runs = Runs(make_task(scene, step_s=1.0, rules=Rules(3.0, 2.0, 5.0, None, limit)))
        runs.reset([0])
        worst = 0.0
        for _ in range(600):
            runs.step(np.zeros((1, 1), np.int64))  # the main street for ever
            worst = max(worst, float(runs.control.play.read.head_wait.max()) / TPS)
        waits[limit] = worst
    assert longest_s <= waits[longest_s] <= longest_s + 12.0
    assert waits[None] > 300.0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"yellow_s": None}, "yellow_s(=None) of the signals' rules must be from 0 to 100,000 s"),
        ({"min_green_s": "5"}, "min_green_s(='5') of the signals' rules"),
        (
            {"max_wait_s": -1.0},
            "max_wait_s(=-1.0) of the signals' rules must be from 0 to 100,000 s, or",
        ),
        ({"max_green_s": 3.0}, "max_green_s(=3) is below min_green_s(=5)"),
    ],
)
def test_rules_that_are_none_give_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        Rules(**given)
    assert says in str(caught.value)
    assert Rules(max_green_s=None, max_wait_s=None).max_wait_s is None


def test_who_waits_in_vain_does_not_let_others_wait() -> None:
    """A link that no phase ever serves keeps its first vehicle, but nobody else's wait goes on."""
    scene = ToyScene.at_crossroads(["Grr", "rGr"], 600.0)
    runs = Runs(make_task(scene, step_s=1.0, rules=Rules(3.0, 2.0, 5.0, None, 60.0)))
    runs.reset([0])
    worst = np.zeros(3)
    for _ in range(500):
        runs.step(np.zeros((1, 1), np.int64))
        worst = np.maximum(worst, runs.control.play.read.head_wait[0, 0] / TPS)
    assert worst[2] > 300.0
    assert 60.0 <= worst[1] <= 72.0


def test_a_green_lasts_as_asked_also_where_people_clear_the_road_first() -> None:
    """The time to clear the road comes before the green that is asked for, not off it."""
    scene = ToyScene.of(1, HOUR_S, vehicles=300)
    scene.network.walk_clearance_s[:] = 17.0
    rules = Rules(3.0, 0.0, 5.0, None, None)
    runs = Runs(make_task(scene, action="duration", step_s=1.0, rules=rules))
    runs.reset([0])
    watch, phase = Watch(runs), 0
    for second in range(1, 900):
        shown = int(runs.served[0, 0])
        phase = 1 - shown if runs.mask[0, 0, 1 - shown] else shown
        runs.step(np.array([[[phase, 3]]]))  # for 20 s
        watch.look(second)
    assert min(watch.all_red_s) == 14
    assert set(watch.green_s[1:]) == {20}


def test_padded_phases_of_a_mixed_map_are_never_allowed() -> None:
    """A junction of fewer phases than its map's largest behaves as it would alone."""
    runs = Runs(make_task(ToyScene.of(3)))
    runs.reset([0])
    assert runs.mask.shape == (1, 3, PHASES)
    assert not runs.mask[..., 2:].any()
    before = runs.served.copy()
    runs.step(np.full((1, 3), PHASES - 1))
    assert (runs.served == before).all()
