"""Small networks that each show one kind of junction, made by netgenerate and netconvert."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.validation.sumo import version
from twin.cache import key
from twin.traffic.sumo_configuration import SumoFiles

if TYPE_CHECKING:
    from scenarios.validation.sumo import Programs
    from twin.cache import Cache

Edge = tuple[str, str, str, int, float, int]  # id, from, to, lanes, m/s, priority
HOUR_S = 3600.0
NODES, EDGES = "plain.nod.xml", "plain.edg.xml"
DRIVERS = 'departLane="best" departSpeed="max"'


@dataclass(frozen=True)
class Plan:
    """How a network and its demand are made.

    Attributes
    ----------
    grid
        Options of netgenerate; () where `nodes` and `edges` make the network.
    trips
        Random trips an hour; 0 where there are `flows`.
    flows
        Rows of from, to and vehicles an hour.
    """

    name: str
    about: str
    grid: tuple[str, ...] = ()
    nodes: tuple[tuple[str, float, float, str], ...] = ()
    edges: tuple[Edge, ...] = ()
    trips: int = 0
    flows: tuple[tuple[str, str, float], ...] = ()
    more: tuple[str, ...] = ()

    def make(self, programs: Programs, cache: Cache) -> SumoFiles:
        """Return its files, made where the cache does not have them."""
        folder = cache.folder_of(
            key([Path(__file__)], repr(self), version()), lambda part: self._network(part, programs)
        )
        net = folder / "plan.net.xml"
        if self.trips:
            return random_demand(net, self.trips, programs, cache)
        return SumoFiles(net, (folder / "flows.rou.xml",), (), 0.0, HOUR_S)

    def _network(self, folder: Path, programs: Programs) -> None:
        net = folder / "plan.net.xml"
        if self.grid:
            programs.call("netgenerate", *self.grid, "--no-turnarounds", "-o", net)
        else:
            _write(folder / NODES, "nodes", [
                f'<node id="{name}" x="{x:g}" y="{y:g}" type="{kind}"/>'
                for name, x, y, kind in self.nodes
            ])  # fmt: skip
            _write(folder / EDGES, "edges", [
                f'<edge id="{name}" from="{a}" to="{b}" numLanes="{lanes}" speed="{speed:g}" '
                f'priority="{priority}"/>'
                for name, a, b, lanes, speed, priority in self.edges
            ])  # fmt: skip
            programs.call(
                "netconvert", "-n", folder / NODES, "-e", folder / EDGES, *self.more,
                "--no-turnarounds", "-o", net,
            )  # fmt: skip
        if self.flows:
            _write(folder / "flows.rou.xml", "routes", [
                f'<flow id="f{k}" begin="0" end="{HOUR_S:g}" period="exp({rate / HOUR_S:.6f})" '
                f'from="{a}" to="{b}" {DRIVERS}/>'
                for k, (a, b, rate) in enumerate(self.flows)
            ])  # fmt: skip


def _write(path: Path, root: str, rows: list[str]) -> None:
    path.write_text("\n".join([f"<{root}>", *rows, f"</{root}>", ""]), encoding="utf-8")


def random_demand(net: Path, number: int, programs: Programs, cache: Cache) -> SumoFiles:
    """Return a network with random trips of an hour, by SUMO's randomTrips.py with seed 1."""

    def make(folder: Path) -> None:
        programs.call(
            "randomTrips.py", "-n", net, "-o", folder / "random.trips.xml",
            "-r", folder / "random.rou.xml", "--seed", 1, "-b", 0, "-e", f"{HOUR_S:g}",
            "-p", HOUR_S / number, "--fringe-factor", 5, "--min-distance", 300,
            "--random-depart", "--vehicle-class", "passenger", "--validate",
            "--trip-attributes", DRIVERS,
        )  # fmt: skip

    folder = cache.folder_of(key([net], "random trips", number, version()), make)
    return SumoFiles(net, (folder / "random.trips.xml",), (), 0.0, HOUR_S)


def _grid(number: int, length: int, kind: str, *more: str) -> tuple[str, ...]:
    return (
        "--grid", "--grid.number", str(number), "--grid.length", str(length),
        "--grid.attach-length", "150", "--default-junction-type", kind, *more,
    )  # fmt: skip


def _arms(length: float) -> tuple[tuple[str, float, float, str], ...]:
    return (
        ("n", 0.0, length, "priority"), ("e", length, 0.0, "priority"),
        ("s", 0.0, -length, "priority"), ("w", -length, 0.0, "priority"),
    )  # fmt: skip


def _both_ways(centre: str, lanes: int) -> tuple[Edge, ...]:
    """Return four arms to and from a centre; "{}" in its name stands for the arm."""
    into = tuple((f"{a}_in", a, centre.format(a), lanes, 13.89, 1) for a in "nesw")
    return into + tuple((f"{a}_out", centre.format(a), a, lanes, 13.89, 1) for a in "nesw")


_RING = (
    ("rn", 0.0, 20.0, "priority"), ("re", 20.0, 0.0, "priority"),
    ("rs", 0.0, -20.0, "priority"), ("rw", -20.0, 0.0, "priority"),
)  # fmt: skip
_OPPOSITE = {"n": "s", "s": "n", "e": "w", "w": "e"}
_LEFT = {"n": "e", "e": "s", "s": "w", "w": "n"}
_RIGHT = {left: arm for arm, left in _LEFT.items()}


def _turning(straight: float, left: float, right: float) -> tuple[tuple[str, str, float], ...]:
    """Flows from each arm of a crossing."""
    shares = ((_OPPOSITE, straight), (_LEFT, left), (_RIGHT, right))
    return tuple((f"{a}_in", f"{to[a]}_out", rate) for a in "nesw" for to, rate in shares)


PLANS = (
    Plan(
        "grid_signals", "4 x 4 signals, streets of 200 m, 2,400 random trips an hour",
        grid=_grid(4, 200, "traffic_light", "-L", "2"), trips=2400,
    ),
    Plan(
        "grid_right_before_left", "4 x 4 crossings, right before left, 1,800 random trips an hour",
        grid=_grid(4, 200, "right_before_left"), trips=1800,
    ),
    Plan(
        "grid_priority", "5 x 5 crossings with priority, 1,800 random trips an hour",
        grid=_grid(5, 200, "priority", "--random-priority", "--seed", "1"), trips=1800,
    ),
    Plan(
        "roundabout", "a roundabout of one lane, 1,600 vehicles an hour",
        nodes=(*_arms(400.0), *_RING),
        edges=(
            *_both_ways("r{}", 1),
            *((f"ring_{a}", f"r{a}", f"r{_RIGHT[a]}", 1, 8.33, 2) for a in "nesw"),
        ),
        flows=_turning(200.0, 100.0, 100.0),
        more=("--roundabouts.guess", "true"),
    ),
    Plan(
        "merge", "an on-ramp onto two lanes of a motorway, 3,300 vehicles an hour",
        nodes=(
            ("a", -1500.0, 0.0, "priority"), ("b", 0.0, 0.0, "priority"),
            ("c", 250.0, 0.0, "priority"), ("d", 1500.0, 0.0, "priority"),
            ("ramp", -400.0, -150.0, "priority"),
        ),
        edges=(
            ("before", "a", "b", 2, 27.78, 2), ("merging", "b", "c", 3, 27.78, 2),
            ("after", "c", "d", 2, 27.78, 2), ("on", "ramp", "b", 1, 19.44, 1),
        ),
        flows=(("before", "after", 2700.0), ("on", "after", 600.0)),
    ),
    Plan(
        "signal", "one signal near saturation, 2,880 vehicles an hour",
        nodes=(*_arms(500.0), ("c", 0.0, 0.0, "traffic_light")),
        edges=_both_ways("c", 2),
        flows=_turning(500.0, 90.0, 130.0),
    ),
)  # fmt: skip
