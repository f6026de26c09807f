"""Phases built from the conflict matrix let nobody collide and leave nobody out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from twin.city.phases import MOST, with_built_phases

if TYPE_CHECKING:
    from twin.city import City

YELLOW = re.compile("y")


@pytest.fixture(scope="module")
def built(helsinki: City) -> City:
    return with_built_phases(helsinki)


def greens(city: City, signal: int) -> list[str]:
    states = city.signals.loc[city.signals["signal"] == signal, "state"]
    return [s for s in states if not YELLOW.search(s) and re.search("[gG]", s)]


def test_conflicting_streams_go_together_only_where_one_yields(built: City) -> None:
    """Of two greens in conflict one is `g`, yields in the matrix, and turns; G never yields."""
    movements, conflicts = built.movements, built.conflicts
    signal = movements["signal"].to_numpy()
    link = movements["link"].to_numpy()
    both = conflicts[signal[conflicts["movement"]] == signal[conflicts["foe"]]]
    both = both[signal[both["movement"]] >= 0]
    together = 0
    for a, b, yields in zip(both["movement"], both["foe"], both["yields"], strict=True):
        for state in greens(built, int(signal[a])):
            if state[link[a]] in "gG" and state[link[b]] in "gG":
                together += 1
                assert "g" in (state[link[a]], state[link[b]])
                if state[link[a]] == "g" and state[link[b]] == "G":
                    assert yields
                    assert movements["direction"].iloc[a] in "lLrRtT"
    assert together > 20


def test_every_movement_has_a_green_and_phases_are_not_too_many(built: City) -> None:
    for signal, mine in built.movements[built.movements["signal"] >= 0].groupby("signal"):
        states = greens(built, int(signal))
        assert 1 <= len(states) <= MOST
        served = np.array([[c in "gG" for c in s] for s in states]).any(axis=0)
        assert served[mine["link"].to_numpy()].all()


def test_greens_end_with_yellow(built: City) -> None:
    for _, rows in built.signals.groupby("signal"):
        states = rows["state"].tolist()
        for now, following in zip(states, [*states[1:], states[0]], strict=True):
            for a, b in zip(now, following, strict=True):
                assert (a in "gG") <= (b in "gGy")


def test_more_phases_than_the_program_has_and_nothing_else_changes(
    helsinki: City, built: City
) -> None:
    signals = helsinki.signals["signal"].unique()
    more = [len(greens(built, s)) - len(greens(helsinki, s)) for s in signals]
    assert max(more) > 0
    assert built.movements is helsinki.movements
    assert list(built.signals.columns) == list(helsinki.signals.columns)
    assert (built.signals.dtypes == helsinki.signals.dtypes).all()


def test_environments_run_with_them(helsinki: City) -> None:
    from envs.opening import open_scene
    from envs.signal_control import SignalControlEnv
    from twin.errors import InputError

    window = {"begin_s": 7 * 3600.0, "end_s": 7 * 3600 + 120.0}
    scene = open_scene(helsinki, scale=0.2, phases="conflicts", **window)
    env = SignalControlEnv(scene, draws=1)
    env.reset(seed=0)
    assert env.runs.junctions.n_phases.max() == MOST
    assert min(env.step(env.action_space.sample())[1] for _ in range(12)) < 0.0
    with pytest.raises(InputError, match="phases 'mine' are unknown; there are program, conflicts"):
        open_scene(helsinki, phases="mine")
