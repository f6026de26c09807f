"""Scenes by name: maps of RESCO, SUMO configurations, cities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.scenes import CityScene, Scene, Settings, SumoScene, with_phases
from twin.errors import InputError
from twin.suggest import suggestion
from twin.traffic.sumo_configuration import SumoFiles, read_configuration

if TYPE_CHECKING:
    from twin.city import City
    from twin.simulation import Response
    from twin.system import Measure

# RESCO (Ault and Sharon 2021): a decision each 10 s, 5 s on arterial4x4, after a yellow of 3 s
# (2 s) where the phase changes; no all-red, no longest green; one hour; detectors of 200 m.
RESCO = (
    "cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21",
    "grid4x4", "arterial4x4",
)  # fmt: skip
RESCO_HOUR_S = 3600.0


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
    measures: Sequence[Measure] = (),
    response: Response = "none",
    phases: str = "program",
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
    phases
        `program`, or `conflicts`: built from the conflict matrix (`twin.city.phases`).
    measures, response
        What is done in a city in the meantime (`twin.roads.works.Works`), and how drivers answer.

    Raises
    ------
    InputError
        If there is no such place, measures are for no city, or the window does not end after
        it begins.
    """
    from twin.city.lookup import find_streets
    from twin.city.opening import SUMO_SUFFIXES, open_city

    if isinstance(reference, Scene):
        return reference
    if not 0.0 < scale < 100.0:
        msg = f"scale(={scale:g}) is a factor on the demand: give one above 0 and below 100"
        raise InputError(msg)
    window = (begin_s, end_s)
    if measures:
        _check_measures(reference, measures, routes)
    if isinstance(reference, SumoFiles):
        return _of_files(reference, reference.net.name, window, settings, scale, phases)
    if isinstance(reference, str):
        if reference in RESCO:
            found = settings or Settings.resco(reference)
            return _of_files(resco_files(reference), reference, window, found, scale, phases)
        name = Path(reference).name
        if reference.endswith(".sumocfg"):
            files = read_configuration(Path(reference))
            short = name.removesuffix(".sumocfg")
            return _of_files(files, short, window, settings, scale, phases)
        if routes:
            if not reference.endswith(SUMO_SUFFIXES):
                msg = f"{reference}: routes are for a SUMO network (.net.xml); leave them out"
                raise InputError(msg)
            files = SumoFiles(Path(reference), tuple(routes), (), 0.0, 3600.0)
            return _of_files(files, name.split(".")[0], window, settings, scale, phases)
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
    for measure in measures:
        measure.check(city)
        for street in measure.streets():
            find_streets(city, street)
    return CityScene.of(
        with_phases(city, phases),
        begin,
        end,
        settings=settings,
        scale=scale,
        measures=tuple(measures),
        response=response,
    )


def _check_measures(reference: Any, measures: Sequence[Measure], routes: Sequence[Path]) -> None:
    """Refuse measures where no process of a city goes on, and policies beside the agent."""
    of_sumo = isinstance(reference, SumoFiles) or bool(routes)
    if of_sumo or (isinstance(reference, str) and (reference in RESCO or ".sumocfg" in reference)):
        msg = "measures need a city with demand of its own: name a city, or leave them out"
        raise InputError(msg)
    for measure in measures:
        if measure.kind == "signal_policy":
            msg = "measure signal_policy: the signals of a scene are the agent's; leave it out"
            raise InputError(msg)


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
    phases: str,
) -> SumoScene:
    begin_s, end_s = window
    begin = files.begin_s if begin_s is None else begin_s
    end = files.end_s if end_s is None else end_s
    _check_window(begin, end)
    chosen = replace(files, begin_s=begin, end_s=end)
    return SumoScene.of(chosen, name, settings=settings, scale=scale, phases=phases)
