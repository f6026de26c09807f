"""Where signals are controlled: a city or a SUMO network, its traffic, and the usual settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.traffic.control import Rules
from twin.traffic.detection import FreeTimes, free_times
from twin.traffic.network import Network
from twin.traffic.signals import DETECTOR_M
from twin.traffic.sumo_configuration import SumoFiles

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from twin.city import City
    from twin.simulation import Prepared, Response, Simulation
    from twin.system import Measure
    from twin.traffic.peer import PeerFlow
    from twin.traffic.records import State
    from twin.traffic.sumo_routes import RouteFiles

PHASES_OF = ("program", "conflicts")
KEPT = 128  # starts that a scene keeps


@dataclass(frozen=True)
class Settings:
    """How signals are controlled in a scene unless a task says otherwise.

    Attributes
    ----------
    step_s
        Seconds between decisions.
    rules
        What the controller keeps.
    detector_m
        Length of the detectors, m.
    """

    step_s: float = 10.0
    rules: Rules = field(default_factory=Rules)
    detector_m: float = DETECTOR_M

    @classmethod
    def resco(cls, name: str) -> Settings:
        """Settings of a map of RESCO."""
        step_s, yellow_s = (5.0, 2.0) if name == "arterial4x4" else (10.0, 3.0)
        rules = Rules(yellow_s, 0.0, step_s - yellow_s, None, None, pedestrians=False)
        return cls(step_s, rules, 200.0)


@dataclass(frozen=True, eq=False)
class Start:
    """A simulation at the begin of an episode; the state is copied, never changed.

    Attributes
    ----------
    free
        Times without traffic, to keep account of delays.
    trips
        Gives the trip table (`twin.traffic.indicators.trip_table`) of what came of the state.
    counted_from_s
        Trips due before are not counted.
    live
        Makes the simulation whose clock goes along, where there is more than traffic: works,
        and whatever else claims streets; its processes act on the state.
    """

    state: State
    free: FreeTimes
    trips: Callable[[State], pd.DataFrame]
    counted_from_s: float
    live: Callable[[], Simulation] | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Streets with signals, and a window of time; `start` gives the traffic of a seed.

    Attributes
    ----------
    name
        What users call it.
    begin_s, end_s
        Window of an episode, seconds from midnight.
    """

    name: str
    city: City
    network: Network
    begin_s: float
    end_s: float
    settings: Settings
    _starts: dict[int, Start] = field(default_factory=dict, repr=False)

    def start(self, seed: int) -> Start:
        """The traffic of a seed at the begin of the window; the last ones are kept."""
        found = self._starts.pop(seed, None)
        if found is None:
            found = self._make(seed)
        self._starts[seed] = found
        while len(self._starts) > KEPT:
            self._starts.pop(next(iter(self._starts)))
        return found

    def _make(self, seed: int) -> Start:
        raise NotImplementedError

    def sumo_files(self, seed: int, folder: Path) -> SumoFiles:  # noqa: ARG002
        """What SUMO runs, from when on; a folder for files that are to be written.

        Raises
        ------
        InputError
            If SUMO cannot run the scene.
        """
        msg = f"engine sumo: {self.name} has no SUMO network with vehicles"
        raise InputError(msg)

    def detours(self, seed: int) -> dict[str, tuple[str, ...]]:  # noqa: ARG002
        """Streets of vehicles that cannot go as SUMO's files say; () for those left out."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_starts": {}}


def with_phases(city: City, phases: str) -> City:
    """A city with the phases of its programs (`program`), or built (`conflicts`).

    Raises
    ------
    InputError
        If `phases` is neither.
    """
    if phases not in PHASES_OF:
        msg = f"phases {phases!r} are unknown; there are {', '.join(PHASES_OF)}"
        raise InputError(msg)
    if phases == "program":
        return city
    from twin.city.phases import with_built_phases

    return with_built_phases(city)


@dataclass(frozen=True, eq=False)
class CityScene(Scene):
    """A city with generated demand, near a user equilibrium.

    Attributes
    ----------
    scale
        Factor on the generated demand.
    warmup_s
        Seconds under the programs before the window.
    iterations
        Iterations of the assignment.
    measures
        What is done in the city in the meantime; policies for signals are not among it.
    response
        How drivers answer to closures, see `twin.simulation.Simulation`.
    """

    scale: float = 1.0
    warmup_s: float = 600.0
    iterations: int = 4
    measures: tuple[Measure, ...] = ()
    response: Response = "none"
    _prepared: dict[int, Prepared] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        city: City,
        begin_s: float = 7 * 3600.0,
        end_s: float = 8 * 3600.0,
        *,
        settings: Settings | None = None,
        **given: Any,
    ) -> CityScene:
        """A scene of a city."""
        network = Network.from_city(city)
        return cls(city.name, city, network, begin_s, end_s, settings or Settings(), **given)

    @property
    def from_s(self) -> float:
        """When the simulation begins: before the window, but not before midnight."""
        return max(0.0, self.begin_s - self.warmup_s)

    def prepared(self, seed: int) -> Prepared:
        """Trips and routes of a seed, made on first use."""
        from twin.simulation import prepare
        from twin.traffic.demand.generate import Demand

        if seed not in self._prepared:
            self._prepared[seed] = prepare(
                self.city,
                Demand.generate(self.city, scale=self.scale),
                seed=seed,
                begin_s=self.from_s,
                end_s=self.end_s,
                iterations=self.iterations,
            )
        return self._prepared[seed]

    def sumo_files(self, seed: int, folder: Path) -> SumoFiles:
        """Network and vehicles of a seed, from the begin of the warm-up on."""
        from envs.sumo_cities import write_files

        if self.measures:
            kinds = ", ".join(sorted({measure.kind for measure in self.measures}))
            msg = f"engine sumo: {self.name}: measures ({kinds}) are simulated by the twin alone"
            raise InputError(msg)
        state = self.start(seed).state
        return write_files(self.city, self.network, state, self.from_s, self.end_s, folder)

    def _make(self, seed: int) -> Start:
        from twin.simulation import Simulation
        from twin.traffic.indicators import trip_table

        make = partial(
            Simulation,
            self.city,
            self.prepared(seed),
            seed=seed,
            begin_s=self.from_s,
            end_s=self.end_s,
            warmup_s=self.begin_s - self.from_s,
            measures=self.measures,
            response=self.response,
        )
        sim = make()
        traffic: Any = sim.parts["traffic"]
        sim.clock.run(self.begin_s)
        state = traffic.sync()
        live = partial(make, snapshot=sim.snapshot()) if self.measures else None
        network = self.network
        return Start(
            state,
            free_times(network, state),
            partial(trip_table, network),
            self.begin_s,
            live,
        )


@dataclass(frozen=True, eq=False)
class SumoScene(Scene):
    """A SUMO network with SUMO routes; vehicles without a route keep that of a fixed-time run.

    Attributes
    ----------
    files
        What SUMO reads.
    scale
        Factor on the vehicles: those left out, or doubled, are drawn by seed.
    closed
        Ids of streets that nobody enters; `twin.traffic.peer_closures` has who drives where.
    """

    files: SumoFiles = field(kw_only=True)
    scale: float = 1.0
    closed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        files: SumoFiles,
        name: str,
        *,
        settings: Settings | None = None,
        scale: float = 1.0,
        phases: str = "program",
        closed: Sequence[str] = (),
    ) -> SumoScene:
        """A scene of SUMO's files; with phases of the programs, or built (`with_phases`).

        Raises
        ------
        InputError
            If they cannot be read, routes are of another network, or a street is not there.
        """
        from twin.city import City

        city = with_phases(City.from_sumo(files.net), phases)
        scene = cls(
            name,
            city,
            Network.from_city(city),
            files.begin_s,
            files.end_s,
            settings or Settings(),
            files=files,
            scale=scale,
            closed=_streets(city, closed),
        )
        flow = scene.flow(0)  # its network has the vehicle types of the files
        return replace(scene, network=flow.network)

    def flow(self, seed: int) -> PeerFlow:
        """Vehicles of a seed at the begin of the window, every one with a route."""
        return self._flow(seed)[0]

    def sumo_files(self, seed: int, folder: Path) -> SumoFiles:  # noqa: ARG002
        """The files."""
        return self.files

    def detours(self, seed: int) -> dict[str, tuple[str, ...]]:
        """Streets of vehicles that cannot go as the files say."""
        return self._flow(seed)[1] if self.closed else {}

    def _flow(self, seed: int) -> tuple[PeerFlow, dict[str, tuple[str, ...]]]:
        from twin.traffic.peer import load_flow
        from twin.traffic.peer_closures import around
        from twin.traffic.sumo_routes import read_routes

        files = self.files
        window = {"begin_s": self.begin_s, "end_s": self.end_s}
        found = read_routes([*files.additional, *files.routes], self.begin_s, self.end_s, seed)
        if self.scale != 1.0:
            found = _scaled(found, self.scale, seed)
        flow = load_flow(self.city, found, seed, files.net, made=self.network, **window)
        flow = flow.routed(self.begin_s, self.end_s)
        if not self.closed:
            return flow, {}
        at = [self.city.streets["id"].tolist().index(name) for name in self.closed]
        found, ways = around(self.city, found, flow, at)
        return load_flow(self.city, found, seed, files.net, made=flow.network, **window), ways

    def _make(self, seed: int) -> Start:
        flow = self.flow(seed)
        shift = np.rint(flow.load.start_s * flow.network.arrays.tps).astype(np.int32)
        free = free_times(flow.network, flow.state, shift, flow.load.factor)
        return Start(flow.state, free, flow.trips, self.begin_s)


def _streets(city: City, references: Sequence[str]) -> tuple[str, ...]:
    """Ids of the streets that are named."""
    from twin.city.lookup import find_streets

    ids = city.streets["id"].to_numpy()
    return tuple(sorted({str(ids[at]) for name in references for at in find_streets(city, name)}))


def _scaled(found: RouteFiles, scale: float, seed: int) -> RouteFiles:
    """So many times the vehicles: whole copies, and a share drawn by vehicle."""
    from twin.random import Stream

    draw = Stream(seed, "scale").uniform(np.arange(len(found.vehicles)))
    vehicles = []
    for vehicle, level in zip(found.vehicles, draw, strict=True):
        copies = int(scale) + int(level < scale % 1.0)
        vehicles += [
            vehicle if n == 0 else vehicle._replace(id=f"{vehicle.id}.{n}") for n in range(copies)
        ]
    return replace(found, vehicles=vehicles)
