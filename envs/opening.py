"""Scenes by name: maps of RESCO, SUMO configurations, cities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.generated import generated_files, number_of
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
GENERATED_BUILT = 3  # every so many generated towns have phases from the conflict matrix


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
    reference: str | Path | City | SumoFiles | Scene,
    *,
    begin_s: float | None = None,
    end_s: float | None = None,
    scale: float = 1.0,
    routes: str | Path | Sequence[str | Path] = (),
    settings: Settings | None = None,
    measures: Sequence[Measure] = (),
    response: Response = "none",
    phases: str = "program",
    closed: str | Sequence[str] = (),
) -> Scene:
    """The scene that a reference means.

    Parameters
    ----------
    reference
        A map of RESCO; `generated:NUMBER` (`envs.generated`, settings of RESCO); a SUMO
        configuration (.sumocfg), or network with `routes`; a city, or whatever
        `twin.city.opening.open_city` opens, with generated demand.
    begin_s, end_s
        Window; the configuration's, or 7 to 8 o'clock, unless given.
    scale
        Factor on the demand.
    phases
        `program`, or `conflicts`: built from the conflict matrix (`twin.city.phases`).
    closed
        Streets (id, OSM id or name) that are shut for the whole window, where vehicles are those
        of SUMO's files; in a city that is a measure.
    measures, response
        What is done in a city in the meantime (`twin.roads.works.Works`), and how drivers answer.

    Raises
    ------
    InputError
        If there is no such place, measures are for no city, or the window does not end after
        it begins.
    """
    if isinstance(reference, Scene):
        late = {
            "begin_s": begin_s is not None, "end_s": end_s is not None, "scale": scale != 1.0,
            "routes": bool(routes), "settings": settings is not None, "measures": bool(measures),
            "response": response != "none", "phases": phases != "program", "closed": bool(closed),
        }  # fmt: skip
        for name in (name for name, is_given in late.items() if is_given):
            msg = f"{name}: the scene {reference.name} is made; give it where it is opened"
            raise InputError(msg)
        return reference
    if isinstance(reference, Path):
        reference = str(reference)
    closed, routes = _several("closed", closed), _several("routes", routes)
    if not (isinstance(scale, int | float) and 0.0 < scale < 100.0):
        msg = f"scale(={scale!r}) is a factor on the demand: give one above 0 and below 100"
        raise InputError(msg)
    found = _files_of(reference, routes)
    _check_measures(measures, response, of_files=found is not None)
    if found is None:
        if closed:
            msg = "closed streets are for vehicles of SUMO's files; in a city write a measure"
            raise InputError(msg)
        window = _window(begin_s, end_s, 7 * 3600.0)
        city = _city(reference, measures)
        return CityScene.of(
            with_phases(city, phases),
            *window,
            settings=settings,
            scale=scale,
            measures=tuple(measures),
            response=response,
        )
    files, name, usual, own_phases = found
    begin, end = _window(begin_s, end_s, files.begin_s, files.end_s)
    return SumoScene.of(
        replace(files, begin_s=begin, end_s=end),
        name,
        settings=settings or usual,
        scale=scale,
        phases=own_phases or phases,
        closed=closed,
    )


def _several(name: str, given: Any) -> tuple[Any, ...]:
    """One name, or several."""
    if isinstance(given, str | Path):
        return (given,)
    if not isinstance(given, Sequence) or not all(isinstance(one, str | Path) for one in given):
        msg = f"{name}(={given!r}): give a name, or a list of names"
        raise InputError(msg)
    return tuple(given)


def _files_of(
    reference: Any, routes: Sequence[str | Path]
) -> tuple[SumoFiles, str, Settings | None, str] | None:
    """SUMO's files that a reference means, their name, settings and phases; None for a city."""
    from twin.city.opening import SUMO_SUFFIXES

    if routes and not (isinstance(reference, str) and reference.endswith(SUMO_SUFFIXES)):
        msg = f"{reference}: routes are for a SUMO network (.net.xml); leave them out"
        raise InputError(msg)
    if isinstance(reference, SumoFiles):
        return reference, reference.net.name, None, ""
    if not isinstance(reference, str):
        return None
    if reference in RESCO:
        return resco_files(reference), reference, Settings.resco(reference), ""
    number = number_of(reference)
    if number is not None:
        built = "conflicts" if number % GENERATED_BUILT == GENERATED_BUILT - 1 else ""
        return generated_files(number), reference, Settings.resco(reference), built
    name = Path(reference).name
    if reference.endswith(".sumocfg"):
        return read_configuration(Path(reference)), name.removesuffix(".sumocfg"), None, ""
    if not routes:
        return None
    files = SumoFiles(Path(reference), tuple(map(Path, routes)), (), 0.0, 3600.0)
    return files, name.split(".")[0], None, ""


def _city(reference: Any, measures: Sequence[Measure]) -> City:
    """The city that a reference means, with the streets that measures name."""
    from twin.city import City
    from twin.city.opening import open_city
    from twin.system import Outlook

    if not isinstance(reference, str | City):
        msg = f"scene {reference!r}: give the name of a map or a city, a file, a folder, or a City"
        raise InputError(msg)
    city: City
    if isinstance(reference, str):
        try:
            city = open_city(reference)
        except InputError as error:
            near = suggestion(reference, RESCO)
            hint = f"; as a map of RESCO: {near}" if near.startswith("did") else ""
            raise InputError(f"{error}{hint}") from None  # noqa: EM102
    else:
        city = reference
    for measure in measures:
        measure.check(city)
        measure.effects(Outlook(city, dt.datetime.now(dt.UTC), 0, Path))
    return city


def _check_measures(measures: Sequence[Measure], response: str, *, of_files: bool) -> None:
    """Refuse measures where no process of a city goes on, and policies beside the agent."""
    from typing import get_args

    from twin.simulation import Response
    from twin.system import Measure

    if response not in get_args(Response):
        msg = f"response {response!r} is unknown; there are {', '.join(get_args(Response))}"
        raise InputError(msg)
    if of_files and response != "none":
        msg = f"response {response!r} is for measures in a city: leave it out"
        raise InputError(msg)
    for measure in measures:
        if not isinstance(measure, Measure):
            msg = f"measure {measure!r} is none: make it, as with twin.roads.works.Works(...)"
            raise InputError(msg)
    if of_files and measures:
        msg = "measures need a city with demand of its own: name a city, or leave them out"
        raise InputError(msg)
    for measure in measures:
        if measure.kind == "signal_policy":
            msg = "measure signal_policy: the signals of a scene are the agent's; leave it out"
            raise InputError(msg)


def _window(
    begin_s: float | None, end_s: float | None, usual_s: float, usual_end_s: float | None = None
) -> tuple[float, float]:
    """The window asked for, else the usual one."""
    for name, given in (("begin_s", begin_s), ("end_s", end_s)):
        if given is not None and not isinstance(given, int | float):
            msg = f"{name}(={given!r}) must be seconds from midnight, 25200 for seven o'clock"
            raise InputError(msg)
    begin = usual_s if begin_s is None else begin_s
    after = begin + 3600.0 if usual_end_s is None else usual_end_s
    end = after if end_s is None else end_s
    if not 0.0 <= begin < end < 1e9:
        msg = f"begin {begin:g} s, end {end:g} s: the window must end after it begins"
        raise InputError(msg)
    return begin, end
