"""Towns from OpenStreetMap, with the demand that the twin generates for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from scenarios.validation.sumo import version
from twin.cache import key
from twin.traffic.sumo_configuration import SumoFiles

if TYPE_CHECKING:
    from scenarios.validation.sumo import Programs
    from twin.cache import Cache

BEGIN_S, END_S = 7 * 3600.0, 8 * 3600.0
DEMAND_SEED = 1
TYPES = '<vType id="car" vClass="passenger"/>\n<vType id="lorry" vClass="truck"/>\n'


@dataclass(frozen=True)
class Town:
    """An extract, and factors on its demand at which it is free, busy and jammed in SUMO."""

    name: str
    title: str
    file: str
    scales: tuple[float, float, float]


TOWNS = (
    Town("lauf", "Lauf an der Pegnitz", "osm/lauf-200115.osm.pbf", (0.2, 0.6, 0.9)),
    Town("kaiserslautern", "Kaiserslautern", "osm/kaiserslautern.osm.gz", (0.3, 0.8, 1.4)),
)


def make(data: Path, town: Town, scale: float, programs: Programs, cache: Cache) -> SumoFiles:
    """Return network and trips of a town.

    The network is that of the city which the twin builds of the extract; SUMO chooses the
    routes of its trips.
    """
    _ = programs
    file = data / town.file
    net_folder = cache.folder_of(
        key([file, *_code("city")], "osm", version()), lambda folder: _convert(file, folder)
    )
    trips = cache.folder_of(
        key([file, *_code("city", "traffic/demand")], "trips", version(), scale, DEMAND_SEED),
        lambda folder: _trips(file, scale, folder / "trips.rou.xml"),
    )
    return SumoFiles(net_folder / "town.net.xml", (trips / "trips.rou.xml",), (), BEGIN_S, END_S)


def _code(*rooms: str) -> list[Path]:
    """Return the source files that make a town, so that a change of them makes it anew."""
    import twin

    root = Path(twin.__file__).parent
    return sorted(path for room in rooms for path in (root / room).glob("*.py"))


def _convert(file: Path, folder: Path) -> None:
    from twin.city.netconvert import convert
    from twin.city.osm import extract_roads, metric_crs

    roads = extract_roads(file, folder / "roads.osm")
    net = folder / "town.net.xml"
    convert(folder / "roads.osm", net, metric_crs(None, roads.centre), file)
    (folder / "roads.osm").unlink()


def _trips(file: Path, scale: float, out: Path) -> None:
    from twin.city import City
    from twin.traffic.demand import Demand as Trips

    city = City.from_osm(file)
    table = Trips.generate(city, scale=scale).draw(DEMAND_SEED, BEGIN_S, END_S)
    names = city.streets["id"].to_numpy()
    rows = zip(
        table["id"], table["vehicle_type"], table["depart_s"],
        names[table["origin"]], names[table["destination"]], strict=True,
    )  # fmt: skip
    with out.open("w", encoding="utf-8") as stream:
        stream.write(f"<routes>\n{TYPES}")
        for trip, kind, depart, origin, goal in rows:
            stream.write(
                f'<trip id="{trip}" type="{kind}" depart="{depart:.2f}" departLane="best" '
                f'departSpeed="max" from={quoteattr(origin)} to={quoteattr(goal)}/>\n'
            )
        stream.write("</routes>\n")
