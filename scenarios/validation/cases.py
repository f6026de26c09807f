"""The networks and demands on which the kernel is compared with SUMO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.validation import openstreetmap, synthetic
from twin.errors import InputError
from twin.traffic.sumo_configuration import SumoFiles, read_configuration

if TYPE_CHECKING:
    from scenarios.validation.sumo import Programs
    from twin.cache import Cache

HOUR_S = 3600.0
CONFIG = ".sumocfg"
RESCO = (
    "cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21",
    "grid4x4", "arterial4x4",
)  # fmt: skip
GROUPS = ("RESCO", "SUMO networks", "OpenStreetMap", "Synthetic", "Own")
Maker = Callable[["Programs", "Cache"], SumoFiles]


@dataclass(frozen=True)
class Case:
    """A network with a demand.

    Attributes
    ----------
    group
        One of `GROUPS`.
    about
        What it is, in one line.
    demand
        Makes or finds its files.
    missing
        What is missing for it, "" where nothing is.
    """

    name: str
    group: str
    about: str
    demand: Maker
    missing: str = ""


def library(data: Path | None) -> list[Case]:
    """Return all cases, those with missing files too.

    Parameters
    ----------
    data
        Folder of open data with `sumo/` and `osm/`.
    """
    return [*_resco(), *_networks(data), *_towns(data), *_synthetic()]


def find(
    wanted: Sequence[str],
    data: Path | None,
    begin_s: float | None = None,
    end_s: float | None = None,
) -> list[Case]:
    """Return the cases of the given names or .sumocfg files; all of the library for none.

    Parameters
    ----------
    begin_s, end_s
        Period for configurations, instead of theirs.

    Raises
    ------
    InputError
        For an unknown name, for a case whose files are missing, or two cases of one name.
    """
    if (begin_s is not None or end_s is not None) and not any(n.endswith(CONFIG) for n in wanted):
        msg = "--begin and --end are for files of your own; leave them out, or give a .sumocfg"
        raise InputError(msg)
    if not wanted:
        return library(data)
    known = {case.name: case for case in library(data)}
    found = []
    for name in wanted:
        if name not in known:
            found.append(_own(name, list(known), begin_s, end_s))
        elif known[name].missing:
            msg = f"{name}: {known[name].missing}"
            raise InputError(msg)
        else:
            found.append(known[name])
    return _distinct(found)


def _distinct(cases: list[Case]) -> list[Case]:
    names = [case.name for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"{twice}: is there twice; give each case once, files under different names"
        raise InputError(msg)
    return cases


def _own(name: str, known: list[str], begin_s: float | None, end_s: float | None) -> Case:
    path = Path(name)
    if not path.is_file():
        from twin.suggest import suggestion

        hint = suggestion(name, known)
        msg = f"case {name!r}: no such file, {hint}; twin validate --list names the cases"
        raise InputError(msg)
    demand = read_configuration(path)
    begin = demand.begin_s if begin_s is None else begin_s
    demand = replace(demand, begin_s=begin, end_s=demand.end_s if end_s is None else end_s)
    return of_files(demand, path.name.removesuffix(CONFIG), "a SUMO configuration")


def of_files(demand: SumoFiles, name: str, about: str) -> Case:
    """Return a case of files that are there.

    Raises
    ------
    InputError
        If a file is missing or the period is empty.
    """
    for path in (demand.net, *demand.routes, *demand.additional):
        if not path.is_file():
            msg = f"{path}: no such file; check the name"
            raise InputError(msg)
    if not 0.0 <= demand.begin_s < demand.end_s < 1e9:
        msg = f"begin {demand.begin_s:g} s, end {demand.end_s:g} s: the period must end after it"
        raise InputError(f"{msg} begins, and not before 0; set --begin and --end")  # noqa: EM102
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    return Case(plain.strip(".-") or "own", "Own", about, lambda _programs, _cache: demand)


def _resco() -> list[Case]:
    """Return the maps of RESCO (Ault and Sharon 2021), one hour each, from the sumo-rl wheel."""
    spec = find_spec("sumo_rl")
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "nets" / "RESCO" if places else None
    missing = "" if folder and folder.is_dir() else "pip install stadtzwilling[validation]"

    def maker(name: str) -> Maker:
        def make(_programs: Programs, _cache: Cache) -> SumoFiles:
            given = read_configuration((folder or Path()) / name / f"{name}.sumocfg")
            return SumoFiles(
                given.net, given.routes, given.additional, given.begin_s, given.begin_s + HOUR_S
            )

        return make

    return [Case(n, "RESCO", f"RESCO's map {n}, one hour", maker(n), missing) for n in RESCO]


def _needs(data: Path | None, *names: str) -> str:
    """Return what to do where files of the data folder are missing, else ""."""
    if data is None:
        return "needs open data: name its folder with --data or STADTZWILLING_DATA"
    absent = [name for name in names if not (data / name).is_file()]
    return f"{absent[0]} is missing in the folder of open data" if absent else ""


def _networks(data: Path | None) -> list[Case]:
    """Return SUMO networks that others have made."""
    folder = (data or Path()) / "sumo"
    port = "sumo/port_cologne/osm.net.xml.gz", "sumo/port_cologne/osm.passenger.trips.xml"
    adlershof = "sumo/drt_adlershof/osm.net.xml.gz"

    def cologne(_programs: Programs, _cache: Cache) -> SumoFiles:
        place = folder / "port_cologne"
        trips = place / "osm.passenger.trips.xml"
        return SumoFiles(place / "osm.net.xml.gz", (trips,), (), 0.0, HOUR_S)

    def berlin(programs: Programs, cache: Cache) -> SumoFiles:
        net = folder / "drt_adlershof" / "osm.net.xml.gz"
        return synthetic.random_demand(net, 1800, programs, cache)

    return [
        Case("port_cologne", "SUMO networks", "port of Cologne with its own random trips",
             cologne, _needs(data, *port)),
        Case("drt_adlershof", "SUMO networks", "Berlin Adlershof, 1,800 random trips an hour",
             berlin, _needs(data, adlershof)),
    ]  # fmt: skip


def _towns(data: Path | None) -> list[Case]:
    """Return towns from OpenStreetMap with our own demand, at three levels."""
    cases = []
    for town in openstreetmap.TOWNS:
        for level, scale in zip(("free", "busy", "jammed"), town.scales, strict=True):

            def make(
                programs: Programs, cache: Cache,
                town: openstreetmap.Town = town, scale: float = scale,
            ) -> SumoFiles:  # fmt: skip
                return openstreetmap.make(data or Path(), town, scale, programs, cache)

            about = f"{town.title} from OpenStreetMap, 7 to 8 h, demand times {scale:g}"
            name = f"{town.name}_{level}"
            cases.append(Case(name, "OpenStreetMap", about, make, _needs(data, town.file)))
    return cases


def _synthetic() -> list[Case]:
    def maker(plan: synthetic.Plan) -> Maker:
        return lambda programs, cache: plan.make(programs, cache)

    return [Case(p.name, "Synthetic", p.about, maker(p)) for p in synthetic.PLANS]
