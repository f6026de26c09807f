"""A street with signals at its crossings, its traffic, and a scene of it: quick and small."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from toy import ToyCity

from envs.scenes import Scene, Settings, Start
from twin.traffic.control import Rules
from twin.traffic.detection import free_times
from twin.traffic.indicators import trip_table
from twin.traffic.network import Network
from twin.traffic.parameters import DEFAULT_TYPES
from twin.traffic.state import Vehicles, initial_state

TPS = 10


def crossing(signals: int = 3, *, one_phase: bool = False) -> tuple[Network, list[list[int]]]:
    """A main street with crossing side streets, a signal at each crossing."""
    city = ToyCity()
    main = [city.street(80.0) for _ in range(max(1, signals) + 1)]
    ways = [main]
    if not signals:
        city.turn(main[0], main[1], length_m=10.0)
    for k in range(signals):
        enter, leave = city.street(60.0), city.street(60.0)
        city.turn(main[k], main[k + 1], signal=k, link=0, length_m=10.0)
        city.turn(enter, leave, signal=k, link=1, length_m=10.0)
        left = city.turn(enter, main[k + 1], signal=k, link=2, length_m=12.0, speed_m_s=6.0)
        assert left
        rest = [] if one_phase else [(15, "rGG"), (3, "ryy")]
        city.program(k, (20 + k, "Grr"), (3, "yrr"), *rest, offset_s=5.0 * k)
        ways += [[enter, leave], [enter, *main[k + 1 :]]]
    return Network.from_city(city.build(), DEFAULT_TYPES, TPS), ways


def crossroads(states: list[str]) -> tuple[Network, list[list[int]]]:
    """One signal before which every link has a street of its own; greens as `states` say."""
    city = ToyCity()
    ways = []
    for link in range(len(states[0])):
        enter, leave = city.street(80.0), city.street(80.0)
        city.turn(enter, leave, signal=0, link=link, length_m=10.0)
        ways.append([enter, leave])
    city.program(0, *[(20, state) for state in states])
    return Network.from_city(city.build(), DEFAULT_TYPES, TPS), ways


def demand(ways: list[list[int]], n: int, seed: int) -> Vehicles:
    rng = np.random.default_rng(seed)
    chosen = [ways[k] for k in rng.integers(0, len(ways), n)]
    return Vehicles(
        due_s=np.sort(rng.uniform(0, 200, n)),
        kind=rng.integers(0, 3, n).astype(np.uint8),
        route_ptr=np.concatenate([[0], np.cumsum([len(w) for w in chosen])]).astype(np.int64),
        route_street=np.array([s for w in chosen for s in w], np.int32),
        factor=rng.normal(1.0, 0.1, n).astype(np.float32),
        depart_speed_m_s=np.full(n, np.inf),
    )


@dataclass(frozen=True, eq=False)
class ToyScene(Scene):
    """The crossings; `vehicles` in the first 200 s of a window of `end_s`."""

    vehicles: int = 120
    ways: list[list[int]] | None = None

    @classmethod
    def at_crossroads(cls, states: list[str], end_s: float = 300.0, **given: Any) -> ToyScene:
        network, ways = crossroads(states)
        city: Any = None
        return cls(
            "toy", city, network, 0.0, end_s, Settings(5.0, Rules(), 50.0), ways=ways, **given
        )

    @classmethod
    def of(
        cls, signals: int = 3, end_s: float = 300.0, *, one_phase: bool = False, **given: Any
    ) -> ToyScene:
        network, _ = crossing(signals, one_phase=one_phase)
        city: Any = None
        rules = Rules(3.0, 2.0, 5.0, 40.0, 90.0)
        return cls("toy", city, network, 0.0, end_s, Settings(5.0, rules, 50.0), **given)

    def _make(self, seed: int) -> Start:
        ways = self.ways or crossing(len(self.network.signals.cycle))[1]
        state = initial_state(self.network, demand(ways, self.vehicles, seed), end_s=self.end_s)
        return Start(state, free_times(self.network, state), partial(trip_table, self.network), 0.0)
