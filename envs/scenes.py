"""Where signals are controlled: a city or a SUMO network, its traffic, and the usual settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.suggest import suggestion
from twin.traffic.control import Rules
from twin.traffic.detection import FreeTimes, free_times
from twin.traffic.network import Network
from twin.traffic.signals import DETECTOR_M
from twin.traffic.sumo_configuration import SumoFiles, read_configuration

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City
    from twin.simulation import Prepared
    from twin.traffic.peer import PeerFlow
    from twin.traffic.records import State
    from twin.traffic.sumo_routes import RouteFiles

# RESCO (Ault and Sharon 2021): a decision each 10 s, 5 s on arterial4x4, after a yellow of 3 s
# (2 s) where the phase changes; no all-red, no longest green; one hour; detectors of 200 m.
RESCO = (
    "cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21",
    "grid4x4", "arterial4x4",
)  # fmt: skip
RESCO_HOUR_S = 3600.0
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
    """

    state: State
    free: FreeTimes
    trips: Callable[[State], pd.DataFrame]
    counted_from_s: float


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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_starts": {}}


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
    """

    scale: float = 1.0
    warmup_s: float = 600.0
    iterations: int = 4
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

    def prepared(self, seed: int) -> Prepared:
        """Trips and routes of a seed, made on first use."""
        from twin.simulation import prepare
        from twin.traffic.demand.generate import Demand

        if seed not in self._prepared:
            self._prepared[seed] = prepare(
                self.city,
                Demand.generate(self.city, scale=self.scale),
                seed=seed,
                begin_s=self.begin_s - self.warmup_s,
                end_s=self.end_s,
                iterations=self.iterations,
            )
        return self._prepared[seed]

    def _make(self, seed: int) -> Start:
        from twin.simulation import Simulation
        from twin.traffic.indicators import trip_table

        sim = Simulation(
            self.city,
            self.prepared(seed),
            seed=seed,
            begin_s=self.begin_s - self.warmup_s,
            end_s=self.end_s,
            warmup_s=self.warmup_s,
        )
        traffic: Any = sim.parts["traffic"]
        sim.clock.run(self.begin_s)
        state = traffic.sync()
        network = self.network
        return Start(
            state,
            free_times(network, state),
            partial(trip_table, network),
            self.begin_s,
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
    """

    files: SumoFiles = field(kw_only=True)
    scale: float = 1.0

    @classmethod
    def of(
        cls,
        files: SumoFiles,
        name: str,
        *,
        settings: Settings | None = None,
        scale: float = 1.0,
    ) -> SumoScene:
        """A scene of SUMO's files.

        Raises
        ------
        InputError
            If they cannot be read, or routes are of another network.
        """
        from twin.city import City

        city = City.from_sumo(files.net)
        scene = cls(
            name,
            city,
            Network.from_city(city),
            files.begin_s,
            files.end_s,
            settings or Settings(),
            files=files,
            scale=scale,
        )
        flow = scene.flow(0)  # its network has the vehicle types of the files
        return replace(scene, network=flow.network)

    def flow(self, seed: int) -> PeerFlow:
        """Vehicles of a seed at the begin of the window, every one with a route."""
        from twin.traffic.peer import load_flow
        from twin.traffic.sumo_routes import read_routes

        files = self.files
        found = read_routes([*files.additional, *files.routes], self.begin_s, self.end_s, seed)
        if self.scale != 1.0:
            found = _scaled(found, self.scale, seed)
        flow = load_flow(
            self.city, found, seed, files.net, begin_s=self.begin_s, end_s=self.end_s
        )
        return flow.routed(self.begin_s, self.end_s)

    def _make(self, seed: int) -> Start:
        flow = self.flow(seed)
        shift = np.rint(flow.load.start_s * flow.network.arrays.tps).astype(np.int32)
        free = free_times(flow.network, flow.state, shift, flow.load.factor)
        return Start(flow.state, free, flow.trips, self.begin_s)


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


def resco_folder() -> Path | None:
    """Folder of RESCO's maps in the `sumo-rl` wheel, None where it is not installed."""
    spec = find_spec("sumo_rl")
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "nets" / "RESCO" if places else None
    return folder if folder is not None and folder.is_dir() else None


def resco_files(name: str) -> SumoFiles:
    """Files of a map of RESCO, one hour.

    Raises
    ------
    InputError
        If there is no such map, or the wheel with it is not installed.
    """
    if name not in RESCO:
        msg = f"{name!r} is no map of RESCO; {suggestion(name, RESCO)}"
        raise InputError(msg)
    folder = resco_folder()
    if folder is None:
        msg = f"map {name}: its files are not installed; pip install 'stadtzwilling[resco]'"
        raise InputError(msg)
    files = read_configuration(folder / name / f"{name}.sumocfg")
    return replace(files, end_s=files.begin_s + RESCO_HOUR_S)


def open_scene(
    reference: str | City | SumoFiles | Scene,
    *,
    begin_s: float | None = None,
    end_s: float | None = None,
    scale: float = 1.0,
    routes: Sequence[Path] = (),
    settings: Settings | None = None,
) -> Scene:
    """The scene that a reference means.

    Parameters
    ----------
    reference
        A map of RESCO; a SUMO configuration (.sumocfg), or network with `routes`; a city, or
        whatever `twin.city.opening.open_city` opens, with generated demand.
    begin_s, end_s
        Window; the configuration's, or 7 to 8 o'clock, unless given.
    scale
        Factor on the demand.

    Raises
    ------
    InputError
        If there is no such place, or the window does not end after it begins.
    """
    from twin.city.opening import SUMO_SUFFIXES, open_city

    if isinstance(reference, Scene):
        return reference
    if not 0.0 < scale < 100.0:
        msg = f"scale(={scale:g}) is a factor on the demand: give one above 0 and below 100"
        raise InputError(msg)
    window = (begin_s, end_s)
    if isinstance(reference, SumoFiles):
        return _of_files(reference, reference.net.name, window, settings, scale)
    if isinstance(reference, str):
        if reference in RESCO:
            found = settings or Settings.resco(reference)
            return _of_files(resco_files(reference), reference, window, found, scale)
        name = Path(reference).name
        if reference.endswith(".sumocfg"):
            files = read_configuration(Path(reference))
            return _of_files(files, name.removesuffix(".sumocfg"), window, settings, scale)
        if routes:
            if not reference.endswith(SUMO_SUFFIXES):
                msg = f"{reference}: routes are for a SUMO network (.net.xml); leave them out"
                raise InputError(msg)
            files = SumoFiles(Path(reference), tuple(routes), (), 0.0, 3600.0)
            return _of_files(files, name.split(".")[0], window, settings, scale)
    if isinstance(reference, str):
        try:
            city = open_city(reference)
        except InputError as error:
            near = suggestion(reference, RESCO)
            hint = f"; as a map of RESCO: {near}" if near.startswith("did") else ""
            raise InputError(f"{error}{hint}") from None  # noqa: EM102
    else:
        city = reference
    begin = 7 * 3600.0 if begin_s is None else begin_s
    end = begin + 3600.0 if end_s is None else end_s
    _check_window(begin, end)
    return CityScene.of(city, begin, end, settings=settings, scale=scale)


def _check_window(begin_s: float, end_s: float) -> None:
    if not 0.0 <= begin_s < end_s < 1e9:
        msg = f"begin {begin_s:g} s, end {end_s:g} s: the window must end after it begins"
        raise InputError(msg)


def _of_files(
    files: SumoFiles,
    name: str,
    window: tuple[float | None, float | None],
    settings: Settings | None,
    scale: float,
) -> SumoScene:
    begin_s, end_s = window
    begin = files.begin_s if begin_s is None else begin_s
    end = files.end_s if end_s is None else end_s
    _check_window(begin, end)
    chosen = replace(files, begin_s=begin, end_s=end)
    return SumoScene.of(chosen, name, settings=settings, scale=scale)
