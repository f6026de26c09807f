"""Towns that are drawn: networks with signals by netgenerate, and demand that loads them so far.

They are made to train policies on what no named map shows, and to test them there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.cache import Cache, key, user_folder
from twin.city.netconvert import call, netconvert_version
from twin.errors import InputError
from twin.random import Stream
from twin.traffic.sumo_configuration import SumoFiles

if TYPE_CHECKING:
    from twin.city import City

NAME = re.compile(r"generated:(\d{1,9})")
HOUR_S = 3600.0
TRIAL = 1500  # vehicles whose routes tell what the signals would have to serve
FEWEST, MOST = 200, 6000
LOADS = (0.3, 0.65)  # of the busiest signal: critical flows over saturation flows
QUARTER_S = 900.0
INNER = 0.03  # weight of a street within against one at the border


def generated_files(number: int) -> SumoFiles:
    """Network and routes of a town, the same for a number on every machine with this SUMO.

    A grid or a random network of up to 16 signals, with one to three lanes, pockets for left
    turns or none, and programs that let opposite directions go together or one after the other.
    Trips are from border to border, rarely within, unequally spread over origins and
    destinations, and more in some quarters of the hour than in others; their number is such
    that the busiest signal has a load (`twin.traffic.loads`) drawn from `LOADS`.  Where a scene
    is opened, every third (number 2, 5, 8, ...) has phases built from the conflict matrix.

    Raises
    ------
    InputError, OutputError
        If SUMO's programs cannot make it.
    """
    cache = Cache(user_folder("generated"))
    name = key([Path(__file__)], number, netconvert_version())
    folder = cache.folder_of(name, lambda place: _make(place, number))
    return SumoFiles(folder / "town.net.xml", (folder / "town.rou.xml",), (), 0.0, HOUR_S)


def number_of(reference: str) -> int | None:
    """The number of `generated:NUMBER`; None for other references.

    Raises
    ------
    InputError
        If there is something else behind the colon.
    """
    if not reference.startswith("generated:"):
        return None
    found = NAME.fullmatch(reference)
    if found is None:
        msg = f"{reference!r}: write generated:NUMBER with a whole number, as in generated:7"
        raise InputError(msg)
    return int(found[1])


def _make(folder: Path, number: int) -> None:
    from twin.city import City
    from twin.traffic.junctions import Junctions
    from twin.traffic.loads import loads
    from twin.traffic.network import Network
    from twin.traffic.peer import load_flow
    from twin.traffic.sumo_routes import read_routes

    draw = Stream(number, "generated town")
    level = draw.uniform(np.arange(16))
    net, routes = folder / "town.net.xml", folder / "town.rou.xml"
    shown = Path(f"generated:{number}")
    call("netgenerate", [*_options(level, number), "-o", str(net)], net, shown)
    city = City.from_sumo(net)
    junctions = Junctions.of(Network.from_city(city))
    if not len(junctions):
        msg = f"{shown}: this one has no signal; take another number"
        raise InputError(msg)

    def route(vehicles: int) -> None:
        _write(folder / "town.trips.xml", city, vehicles, number)
        call(
            "duarouter",
            ["-n", str(net), "-r", str(folder / "town.trips.xml"), "-o", str(routes),
             "--ignore-errors", "--no-warnings", "--weights.random-factor", "1.5",
             "--seed", str(number), "--alternatives-output", "NUL"],
            routes, shown,
        )  # fmt: skip

    route(TRIAL)
    flow = load_flow(city, read_routes([routes], 0.0, HOUR_S, 0), 0, net, begin_s=0.0, end_s=HOUR_S)
    need = np.nansum(loads(flow.network, Junctions.of(flow.network), flow.state), axis=1).max()
    wanted = LOADS[0] + level[15] * (LOADS[1] - LOADS[0])
    route(int(np.clip(TRIAL * wanted / max(need, 1e-3), FEWEST, MOST)))


def _options(level: Sequence[float] | npt.NDArray[np.float64], number: int) -> list[str]:
    """Options of netgenerate; levels are drawn from 0 to 1."""

    def pick(at: int, *choices: str) -> str:
        return choices[int(level[at] * len(choices))]

    given = [
        "--seed", str(number), "--no-turnarounds", "-j", "traffic_light",
        "-L", pick(1, "1", "2", "2", "3"), "-S", pick(2, "8.33", "13.89", "13.89", "16.67"),
        "--tls.layout", pick(3, "opposites", "opposites", "opposites", "incoming"),
        "--tls.cycle.time", pick(4, "60", "90", "120"), "--tls.yellow.time", "3",
        "--tls.left-green.time", pick(5, "6", "10"),
    ]  # fmt: skip
    if level[6] < 0.5:
        given += ["--turn-lanes", "1", "--turn-lanes.length", str(round(30 + 60 * level[7]))]
    if level[8] < 0.4:
        given += ["--random-lanenumber"]
    if level[0] < 0.6:
        wide = [str(round(80 + 320 * level[at])) for at in (9, 10)]
        given += [
            "--grid", "--grid.x-number", pick(11, "1", "2", "3", "4"),
            "--grid.y-number", pick(12, "2", "3", "4"), "--grid.x-length", wide[0],
            "--grid.y-length", wide[1], "--grid.attach-length", str(round(100 + 200 * level[13])),
        ]  # fmt: skip
        if level[14] < 0.5:
            given += ["--perturb-x", "15", "--perturb-y", "15"]
    else:
        least = 70 + 80 * level[9]
        given += [
            "--rand", "--rand.iterations", str(round(12 + 18 * level[11])),
            "--rand.min-distance", str(round(least)),
            "--rand.max-distance", str(round(2.5 * least)), "--bidi-probability", "0.9",
        ]  # fmt: skip
    return given


def _write(path: Path, city: City, vehicles: int, number: int) -> None:
    """Write trips of SUMO."""
    draw = Stream(number, "generated trips")
    streets = city.streets
    begins, ends = streets["from_junction"].to_numpy(), streets["to_junction"].to_numpy()
    ids = streets["id"].to_numpy()
    reached, left = set(ends), set(begins)
    # A street of the border comes from, or leads to, where only its way back goes.
    into, out = _degree(begins, ends)
    first = np.array([into[a] <= 1 or a not in reached for a in begins])
    last = np.array([out[b] <= 1 or b not in left for b in ends])
    entity = np.arange(len(ids))
    origin = np.exp(0.7 * draw.normal(entity, 0)) * np.where(first, 1.0, INNER)
    goal = np.exp(0.7 * draw.normal(entity, 1)) * np.where(last, 1.0, INNER)
    quarters = 0.6 + 0.8 * draw.uniform(np.arange(4), 2)
    who = np.arange(vehicles)
    a = _chosen(origin, draw.uniform(who, 3))
    b = _chosen(goal, draw.uniform(who, 4))
    quarter = _chosen(quarters, draw.uniform(who, 5))
    due_s = (quarter + draw.uniform(who, 6)) * QUARTER_S
    keep = (a != b) & (begins[a] != ends[b])
    rows = [
        f'<trip id="{k}" depart="{due_s[k]:.2f}" from="{ids[a[k]]}" to="{ids[b[k]]}" '
        'departLane="best" departSpeed="max"/>'
        for k in np.argsort(due_s, kind="stable")
        if keep[k]
    ]
    path.write_text("\n".join(["<routes>", *rows, "</routes>", ""]), encoding="utf-8")


def _chosen(
    weight: npt.NDArray[np.float64], level: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    share = np.cumsum(weight) / weight.sum()
    return np.minimum(np.searchsorted(share, level, side="right"), len(weight) - 1)


def _degree(begins: Sequence[str], ends: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Streets that reach, and that leave, each junction."""
    into: dict[str, int] = dict.fromkeys([*begins, *ends], 0)
    out = dict(into)
    for a, b in zip(begins, ends, strict=True):
        out[a] += 1
        into[b] += 1
    return into, out
