"""Running SUMO's netconvert, and its kin, from the eclipse-sumo wheel."""

from __future__ import annotations

import os
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    import pyproj

OPTIONS: dict[str, str] = {
    "keep-edges.by-vclass": "passenger,truck,bus",
    "remove-edges.isolated": "true",
    "geometry.remove": "true",
    # Also joins pieces under 5 m whose attributes differ: a third fewer stub streets.
    "geometry.remove.min-length": "5",
    "ramps.guess": "true",
    "roundabouts.guess": "true",
    "junctions.join": "true",
    "tls.guess-signals": "true",
    "tls.discard-simple": "true",
    "tls.join": "true",
    "tls.default-type": "static",
    "output.original-names": "true",
    "output.street-names": "true",
}
"""How an OSM network is made: the options SUMO's manual recommends for OSM imports."""


def convert(
    osm: Path,
    net: Path,
    crs: pyproj.CRS,
    shown_as: Path,
    transit: tuple[Path, Path] | None = None,
) -> dict[str, str]:
    """Turn OSM XML into a SUMO network; return the options used.

    Parameters
    ----------
    osm
        The OSM XML file to read.
    net
        The network file to write.
    crs
        The metric CRS of the network.
    shown_as
        The file that an error message names.
    transit
        The files of public transport stops and lines to write, if wanted.

    Raises
    ------
    InputError
        If netconvert makes no network of the data.
    OutputError
        If netconvert cannot be run or cannot write.
    """
    options = OPTIONS | {"proj": _proj4(crs)}
    arguments = ["--osm-files", str(osm)]
    for option, value in options.items():
        arguments += [f"--{option}", value]
    if transit is not None:
        stops, lines = transit
        arguments += ["--ptstop-output", str(stops), "--ptline-output", str(lines)]
        arguments += ["--ptline-clean-up", "true"]
    run(arguments, net, shown_as)
    return options


def run(arguments: list[str], net: Path, shown_as: Path) -> None:
    """Run netconvert on files that its arguments name.

    Parameters
    ----------
    arguments
        Its command line, but for the output.
    net
        The network file to write.
    shown_as
        The file or folder that an error message names.

    Raises
    ------
    InputError
        If netconvert makes no network of the data.
    OutputError
        If netconvert cannot be run or cannot write.
    """
    call("netconvert", [*arguments, "-o", str(net)], net, shown_as)


def call(program: str, arguments: list[str], makes: Path, shown_as: Path) -> None:
    """Run a program of the eclipse-sumo wheel that makes a file.

    Parameters
    ----------
    program
        `netconvert`, `netgenerate` or `duarouter`.
    arguments
        Its command line.
    makes
        The file that is there when all went well.
    shown_as
        The file or folder that an error message names.

    Raises
    ------
    InputError
        If it fails.
    OutputError
        If it cannot be run.
    """
    try:
        done = subprocess.run(
            [str(_home() / "bin" / program), *arguments],
            env=os.environ | {"SUMO_HOME": str(_home())},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        msg = f"{program}: cannot be run, {error.strerror or error}; install eclipse-sumo again."
        raise OutputError(msg) from error
    if done.returncode != 0 or not makes.exists():
        lines = [text for text in done.stderr.splitlines() if text.startswith("Error:")]
        reason = lines[0].removeprefix("Error:").strip() if lines else f"exit {done.returncode}"
        what = "routes" if program == "duarouter" else "street network of it"
        msg = f"{shown_as}: {program} makes no {what}, {reason}"
        raise InputError(msg)


def type_file() -> Path:
    """Return SUMO's table of OSM street classes: speed, lanes and priority of each."""
    return _home() / "data" / "typemap" / "osmNetconvert.typ.xml"


@cache
def netconvert_version() -> str:
    """Return the first line that netconvert says about itself."""
    done = subprocess.run(
        [str(_home() / "bin" / "netconvert"), "--version"],
        env=os.environ | {"SUMO_HOME": str(_home())},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"


def _home() -> Path:
    import sumo

    return Path(sumo.SUMO_HOME)


def _proj4(crs: pyproj.CRS) -> str:
    """Return a CRS as the PROJ string that netconvert understands."""
    with warnings.catch_warnings():
        # PROJ strings lose the datum's name; the city keeps the full CRS beside it.
        warnings.filterwarnings("ignore", "You will likely lose important projection information")
        return crs.to_proj4()
