"""A simulation whose signals wait for decisions: what all signal environments step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from envs import observation
from twin.simulation import Prepared, Simulation, prepare
from twin.traffic.signals import Junctions, SignalControl, View

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.process import Traffic

F4 = npt.NDArray[np.float32]
F8 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignalTask:
    """A city and a window of the day in which signals are to be controlled.

    Attributes
    ----------
    city
        A city with signals.
    begin_s, end_s
        Window of an episode, seconds from midnight.
    scale
        Factor on the generated demand.
    step_s
        Seconds between decisions.
    warmup_s
        Seconds under fixed-time programs before the first decision.
    iterations
        Iterations of the assignment for each draw of trips.
    draws
        Different draws of trips; an episode uses draw `seed % draws`, so that the
        assignment is done only so many times.
    first_seed
        Seed of the first draw; training uses others than evaluation.
    """

    city: City
    begin_s: float = 7 * 3600.0
    end_s: float = 8 * 3600.0
    scale: float = 1.0
    step_s: float = 10.0
    warmup_s: float = 600.0
    iterations: int = 4
    draws: int = 3
    first_seed: int = 100_000
    _prepared: dict[int, Prepared] = field(default_factory=dict, repr=False, compare=False)

    def prepared(self, draw: int) -> Prepared:
        """Trips and routes of a draw, made on first use."""
        from twin.traffic.demand.generate import Demand

        if draw not in self._prepared:
            self._prepared[draw] = prepare(
                self.city,
                Demand.generate(self.city, scale=self.scale),
                seed=self.first_seed + draw,
                begin_s=self.begin_s - self.warmup_s,
                end_s=self.end_s,
                iterations=self.iterations,
            )
        return self._prepared[draw]


class SignalRun:
    """One episode of a task; all its junctions are controlled unless some are given."""

    def __init__(self, task: SignalTask, seed: int, junctions: Junctions | None = None) -> None:
        self.task = task
        draw = seed % task.draws
        self.sim = Simulation(
            task.city,
            task.prepared(draw),
            seed=task.first_seed + draw,
            begin_s=task.begin_s - task.warmup_s,
            end_s=task.end_s,
            warmup_s=task.warmup_s,
        )
        self.traffic: Traffic = self.sim.parts["traffic"]  # type: ignore[assignment]
        # a little apart from seed to seed, so that episodes of a draw differ
        self.sim.clock.run(task.begin_s - (seed // task.draws * 7 % 60))
        self.traffic.sync()
        self.control = SignalControl(
            self.traffic.network, self.traffic.state, junctions=junctions
        )
        observation.check(self.control.junctions)
        self.traffic.control = self.control
        self.view: View = self.control.take()

    @property
    def done(self) -> bool:
        """Whether the window is over."""
        return self.sim.clock.now_s >= self.task.end_s - 1e-9

    def observe(self) -> F4:
        """[junctions, observation.SIZE]."""
        return observation.observe(self.view)

    def step(self, phase: npt.NDArray[np.integer]) -> tuple[F8, npt.NDArray[np.int64]]:
        """Ask for phases, let a step pass; mean vehicles at a stand in it, phases served."""
        served = self.control.request(self.view, phase)
        before = observation.standing(self.view)
        self.sim.clock.run(min(self.sim.clock.now_s + self.task.step_s, self.task.end_s))
        self.traffic.sync()
        self.view.look()
        return (before + observation.standing(self.view)) / 2.0, served

    def indicators(self) -> dict[str, float]:
        """Indicators of traffic so far."""
        return self.traffic.indicators()


def default_task() -> SignalTask:
    """The morning of central Helsinki at the demand of the demo."""
    from twin.city import City

    return SignalTask(City.from_osm("helsinki"), scale=0.5)
