"""Episodes of a task, many at once: what all environments of roads do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from gymnasium import spaces

from envs.roads import features
from envs.roads.scenes import RoadTask
from twin.errors import SimulationError, check_number
from twin.roads import kernel
from twin.roads.costs import CATEGORIES
from twin.roads.decade import make_condition
from twin.roads.deterioration import BANDS
from twin.roads.programme import standing
from twin.roads.state import (
    F4,
    I8,
    LEFT,
    OPTION_COUNT,
    REFUSALS,
    SUBCELLS,
    Inventory,
    Records,
    pass_room,
)
from twin.roads.values import cheapest_options, savings

MOST_COPIES = 100_000


def savings_for_a_euro(inventory: Inventory, rules: Records, weeks: int) -> F4:
    """[steps + 1, n, cells, treatments] what a treatment now is expected to save for its price."""
    saved = savings(inventory, rules, weeks, SUBCELLS)
    _, price, _ = cheapest_options(inventory, rules)
    return np.ascontiguousarray(saved / np.maximum(price, 1.0)[None, :, None, :], np.float32)


class RoadRuns:
    """Copies of a task.

    Parameters
    ----------
    task
        What is done.
    copies
        How many.
    threads
        That share them; one for each core at hand unless given.
    """

    def __init__(self, task: RoadTask, copies: int = 1, threads: int | None = None) -> None:
        check_number("copies", copies, 1, MOST_COPIES, whole=True)
        self.task, self.copies = task, copies
        self.inventory, self.rules = task.made()
        self.state = make_condition(self.inventory, self.rules, copies)
        n = self.n = len(task.scene)
        self.unit = task.unit
        self.units = int(self.unit.max()) + 1
        crews = int(self.rules[0]["crews"] + self.rules[0]["pavers"])
        self.room = features.Room(
            savings=savings_for_a_euro(self.inventory, self.rules, task.weeks),
            fixed=features.fixed_rows(self.inventory, self.rules),
            usual=np.array([features.usual_budget(self.inventory)]),
            seen=np.zeros((copies, n, 7)),
            rows=np.zeros((copies, n, features.SIZE), np.float32),
            allowed=np.zeros((copies, n, OPTION_COUNT), np.int8),
            reward=np.zeros(copies),
            refused=np.zeros((copies, len(REFUSALS)), np.int64),
            before=np.zeros((copies, len(CATEGORIES))),
            found=pass_room(self.inventory, copies),
            scratch=np.zeros((copies, crews), np.int64),
            order=np.zeros((copies, n), np.int64),
            wanted=np.zeros((copies, n), np.int64),
            answers=np.zeros((copies, n), np.int64),
        )
        self.rows, self.reward = self.room.rows, self.room.reward
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.threads = max(1, min(copies, threads or cores or 1))
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    @property
    def done(self) -> Any:
        """[copies] whether the run has ended."""
        return self.state.copy["week"] >= int(self.rules[0]["weeks"])

    def reset(self, seeds: Sequence[int], copies: Sequence[int] | None = None) -> None:
        """Begin copies anew."""
        chosen = range(self.copies) if copies is None else copies
        room = self.room
        for c, seed in zip(chosen, seeds, strict=True):
            kernel.reset(self.inventory, self.rules, self.state, c, int(seed))
            room.before[c], room.reward[c], room.refused[c] = 0.0, 0.0, 0
            features.observe(self.inventory, self.rules, self.state, c, room)

    def social_cost(self, copy: int) -> float:
        """Euros booked so far, discounted to the start."""
        return float(self.state.euros[copy, 1].sum())

    def step(self, wanted: Any, copies: Sequence[int] | None = None) -> None:
        """Ask for options [copies, units] (or scores [copies, units, options]); let weeks pass."""
        chosen = np.array(range(self.copies) if copies is None else copies, np.int64)
        asked = self.checked(wanted, len(chosen))
        if self.task.action == "scores":
            options = np.zeros((len(chosen), self.n), np.int64)
            for k, c in enumerate(chosen):
                sections, best = features.by_score(asked[k][self.unit])
                options[k, 0] = len(sections)
                self.room.order[c, : len(sections)] = sections
                self.room.wanted[c, : len(sections)] = best
        else:
            options = np.ascontiguousarray(asked[:, self.unit], np.int64)
        self._run(chosen, options, ordered=self.task.action == "scores")

    def checked(self, wanted: Any, copies: int) -> Any:
        """Return actions as an array; refuse those of another shape, kind or range.

        Raises
        ------
        SimulationError
            In one line.
        """
        scores = self.task.action == "scores"
        shape = (copies, self.units, *((OPTION_COUNT - 1,) if scores else ()))
        try:
            asked = np.asarray(wanted)
        except ValueError:
            asked = np.zeros(0)
        kinds = "fiu" if scores else "iu"
        if asked.shape != shape or asked.dtype.kind not in kinds:
            what = "numbers" if scores else "whole numbers"
            msg = f"actions of shape {asked.shape} and type {asked.dtype}: give {what} {shape}"
            raise SimulationError(msg)
        if scores and not np.isfinite(asked).all():
            msg = "a score is not finite; give numbers"
            raise SimulationError(msg)
        if not scores and asked.size and not 0 <= asked.min() <= asked.max() < OPTION_COUNT:
            wrong = asked[(asked < 0) | (asked >= OPTION_COUNT)].flat[0]
            msg = f"option {wrong} is not there: options are 0 to {OPTION_COUNT - 1}"
            raise SimulationError(msg)
        return asked

    def step_ordered(self, numbers: I8, copies: I8) -> None:
        """As `step`, with `numbers` requests of each copy in `room.order` and `room.wanted`."""
        options = np.zeros((len(copies), self.n), np.int64)
        options[:, 0] = numbers
        self._run(copies, options, ordered=True)

    def _run(self, chosen: I8, options: I8, *, ordered: bool) -> None:
        """Step copies, shared by the threads."""

        def some(part: I8) -> None:
            features.step_many(
                self.inventory, self.rules, self.state, chosen[part], options[part], self.room,
                self.task.weeks, ordered,
            )  # fmt: skip

        parts = np.array_split(np.arange(len(chosen)), min(self.threads, len(chosen)))
        jobs = [self._pool.submit(some, part) for part in parts[1:]] if self._pool else []
        some(parts[0])
        for job in jobs:
            job.result()

    def info(self, c: int) -> dict[str, Any]:
        """Euros of the step and the network's state, of one copy."""
        spent = self.state.euros[c, 0] - self.room.before[c]
        found = standing(self.inventory, self.state, c)
        return {
            "week": int(self.state.copy[c]["week"]),
            "social_cost_eur": self.social_cost(c),
            "euros": {name: float(v) for name, v in zip(CATEGORIES, spent, strict=True)},
            "area_m2": np.array([found[f"area_band_{b}_m2"] for b in range(BANDS)]),
            "bad_percent": found["bad_percent"],
            "mean_pci": found["mean_pci"],
            "delay_h": found["delay_h"],
            "reports_open": found["reports_open"],
            "budget_left_eur": float(self.state.budget[c, LEFT]),
            "requests": dict(zip(REFUSALS, self.room.refused[c].tolist(), strict=True)),
            "action_mask": self.masks(c),
        }

    def masks(self, c: int) -> Any:
        """[units * (options + 1)] whether a request by itself would be granted somewhere."""
        if self.units == self.n:
            return (self.room.allowed[c] == 1).reshape(-1)
        found = np.zeros((self.units, OPTION_COUNT), bool)
        np.logical_or.at(found, self.unit, self.room.allowed[c] == 1)
        return found.reshape(-1)

    def observation(self, c: int) -> F4:
        """[sections * features] of a copy."""
        row: F4 = self.rows[c].reshape(-1).copy()
        return row

    def observation_space(self) -> spaces.Box:
        """Of one copy."""
        return spaces.Box(features.LOW, features.HIGH, (self.n * features.SIZE,), np.float32)

    def action_space(self) -> spaces.Space[Any]:
        """Of one copy."""
        if self.task.action == "scores":
            return spaces.Box(-1.0, 1.0, (self.units, OPTION_COUNT - 1), np.float32)
        return spaces.MultiDiscrete(np.full(self.units, OPTION_COUNT))

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
