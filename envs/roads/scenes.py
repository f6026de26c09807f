"""Scenes of road maintenance: sections of a city, how they are used, and what closures cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError, check_flag, check_number
from twin.random import Stream
from twin.roads.decade import Settings
from twin.roads.inventory import USUAL_COUNTS, Use, make_inventory
from twin.roads.state import I8, Inventory, Records

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from twin.city import City

PREFIX = "generated:"
SCALE = 0.3  # of the demand, for which cities without counts carry their traffic
MOST = 100_000  # sections of a generated network


@dataclass(frozen=True, eq=False)
class RoadScene:
    """A network of sections to keep.

    Attributes
    ----------
    name
        What it is called.
    sections
        Columns as `twin.roads.sections.make_sections` gives them; a generated network has no
        geometry.
    use
        Traffic, people, and what closures cost.
    tour, tour_km
        Way of a camera.
    district
        [sections] number of the district.
    city, scale
        The city and the factor on its demand, with which closures can be simulated; no city for a
        generated network.
    """

    name: str
    sections: pd.DataFrame
    use: Use
    tour: I8 | None = None
    tour_km: Any = None
    district: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    city: City | None = None
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.sections)

    def inventory(self, settings: Settings) -> Inventory:
        """Arrays of the network, for what a city believes."""
        return make_inventory(
            self.sections, self.use, tour=self.tour, tour_km=self.tour_km,
            truth=settings.truth, belief=settings.belief, prices=settings.prices,
        )  # fmt: skip


def open_road_scene(
    reference: Any = "helsinki",
    *,
    sections: int | None = 100,
    scale: float = SCALE,
    closures: bool = True,
    districts: int = 4,
    progress: Any = None,
) -> RoadScene:
    """A scene of a city, or a generated one.

    Parameters
    ----------
    reference
        A city (`twin.city.opening.open_city`), a scene itself, or `generated:SEED` for a network
        that is drawn in a moment.
    sections
        How many: those nearest to the middle of the network; all where None, or where there are
        not more.
    scale
        Factor on the demand.
    closures
        Whether closures are simulated; the first time that takes a second or two for ten sections.
    districts
        Number of districts.

    Raises
    ------
    InputError
        If there is no such city, or the numbers are none.
    """
    from twin.city import City

    if isinstance(reference, RoadScene):
        return reference
    if sections is not None:
        check_number("sections", sections, 1, MOST, whole=True)
    check_number("districts", districts, 1, MOST, whole=True)
    check_number("scale", scale, 0.0, 100.0, above=True)
    check_flag("closures", closures)
    if isinstance(reference, str) and reference.startswith(PREFIX):
        return _generated(reference, sections or 100, districts)
    if isinstance(reference, City):
        city = reference
    else:
        from twin.city.opening import open_city

        city = open_city(str(reference), folder=Path())
    return _of_city(city, sections, scale, closures, districts, progress)


def _of_city(
    city: City, number: int | None, scale: float, closures: bool, districts: int, progress: Any
) -> RoadScene:
    from twin.roads.sections import make_sections, make_tour
    from twin.traffic.demand import Demand
    from twin.usage import make_use

    table = make_sections(city)
    if number is not None and number < len(table):
        table = table.iloc[_nearest_to_middle(table, number)].reset_index(drop=True)
    tour, tour_km = make_tour(city, table)
    demand = Demand.generate(city, scale=scale)
    use = make_use(city, table, demand, closures=closures, progress=progress)
    middle = table.geometry.interpolate(0.5, normalized=True)
    district = split(np.column_stack([middle.x, middle.y]), table["area_m2"].to_numpy(), districts)
    return RoadScene(city.name, table, use, tour, tour_km, district, city, scale)


def _nearest_to_middle(table: gpd.GeoDataFrame, number: int) -> I8:
    """Positions of the sections nearest to the middle of the network, in their order."""
    at = table.geometry.interpolate(0.5, normalized=True)
    x, y = at.x.to_numpy(), at.y.to_numpy()
    far = np.hypot(x - np.median(x), y - np.median(y))
    return np.sort(np.argsort(far, kind="stable")[:number])


def split(points: Any, weight: Any, parts: int) -> I8:
    """[points] number of the part: halved along the longer side until there are enough.

    Parts have about equal weight.
    """
    number = np.zeros(len(points), np.int64)
    blocks = [(np.arange(len(points)), parts)]
    done = 0
    while blocks:
        mine, wanted = blocks.pop(0)
        if wanted == 1 or len(mine) < 2:
            number[mine] = done
            done += 1
            continue
        axis = int(np.argmax(np.ptp(points[mine], axis=0)))
        order = mine[np.argsort(points[mine, axis], kind="stable")]
        share = np.cumsum(weight[order]) / weight[order].sum()
        first = wanted // 2
        cut = int(np.clip(np.searchsorted(share, first / wanted), 1, len(mine) - 1))
        blocks += [(order[:cut], first), (order[cut:], wanted - first)]
    return number


def _generated(reference: str, number: int, districts: int) -> RoadScene:
    """A drawn network: classes, lengths, widths, traffic and delays in the usual proportions."""
    import pandas as pd

    text = reference.removeprefix(PREFIX)
    if not (text.isdigit() and len(text) <= 9):
        msg = f"{reference!r} is no generated scene: write generated:0, generated:1, ..."
        raise InputError(msg)
    stream, i = Stream(int(text), "road network"), np.arange(number)
    street = i // 3
    klass = stream.choice(np.cumsum([0.65, 0.17, 0.18]), street, draw=0)
    length = 30.0 + 70.0 * stream.uniform(i, draw=1)
    width = np.array([6.0, 7.0, 11.0])[klass] * (0.85 + 0.3 * stream.uniform(street, draw=2))
    table = pd.DataFrame(
        {
            "id": [f"g{s}:{k % 3}" for k, s in enumerate(street)],
            "street": street,
            "back": -1,
            "begin_m": 0.0,
            "end_m": length,
            "class": klass,
            "lanes": 2,
            "length_m": length,
            "area_m2": length * width,
            "name": [f"Street {s}" for s in street],
        }
    )
    pace = np.exp(0.6 * stream.normal(street, draw=3))
    counts = {kind: np.array(values)[klass] * pace for kind, values in USUAL_COUNTS.items()}
    cars = np.sum(list(counts.values()), axis=0)
    lost = np.exp(1.0 * stream.normal(street, draw=4))
    delay = (cars / 1000.0)[:, None] * np.array([3.0, 0.3, 8.0]) * lost[:, None]
    people = length * np.array([0.5, 0.4, 0.3])[klass] * (0.5 + stream.uniform(i, draw=5))
    use = Use(counts, people, delay, delay * 0.007, np.zeros((number, 3), np.int64))
    at = np.column_stack([stream.uniform(street, draw=6), stream.uniform(street, draw=7)])
    return RoadScene(reference, table, use, None, None, split(at, length * width, districts))


@dataclass(frozen=True, eq=False)
class RoadTask:
    """A scene and the rules of its decade, as environments and evaluation share them.

    Attributes
    ----------
    scene
        The network.
    settings
        Budget, crews, models, ...; years is the length of an episode.
    weeks
        Between decisions.
    action
        `treatments`: an option for each section; `scores`: a number for each section and option,
        of which the positive ones are asked for, the greatest first.
    corridors
        Whether one choice holds for all sections of a street.
    """

    scene: RoadScene
    settings: Settings = field(default_factory=Settings)
    weeks: int = 13
    action: str = "treatments"
    corridors: bool = False

    def __post_init__(self) -> None:
        if self.action not in ("treatments", "scores"):
            msg = f"action(={self.action!r}) is none of treatments, scores"
            raise InputError(msg)
        check_number("weeks", self.weeks, 1, 52, whole=True)
        check_flag("corridors", self.corridors)
        if 52 % self.weeks:
            msg = f"weeks(={self.weeks}) between decisions must divide 52: 1, 2, 4, 13, 26, 52"
            raise InputError(msg)

    @property
    def unit(self) -> I8:
        """[sections] number of the choice that holds for a section."""
        n = len(self.scene)
        if not self.corridors:
            return np.arange(n)
        names = self.scene.sections["name"].to_numpy().astype(str)
        streets = self.scene.sections["street"].to_numpy().astype(str)
        keys = np.where(names == "", streets, names)
        return np.unique(keys, return_inverse=True)[1].astype(np.int64)

    def made(self) -> tuple[Inventory, Records]:
        """Arrays and numbers for compiled code."""
        inventory = self.scene.inventory(self.settings)
        return inventory, self.settings.rules(inventory)

    def with_settings(self, **values: Any) -> RoadTask:
        """The same under other settings."""
        return replace(self, settings=self.settings.with_values(**values))


def make_road_task(scene: Any = "helsinki", **given: Any) -> RoadTask:
    """A task of a scene; settings of `Settings`, `RoadTask` and `open_road_scene` by name.

    Raises
    ------
    InputError
        For a setting that there is not.
    """
    own = {name: given.pop(name) for name in ("weeks", "action", "corridors") if name in given}
    opened = ("sections", "scale", "closures", "districts", "progress")
    of_scene = {name: given.pop(name) for name in opened if name in given}
    try:
        settings = Settings(**given)
    except TypeError:
        known = [*Settings.__dataclass_fields__, "weeks", "action", "corridors", *opened]
        wrong = next(name for name in given if name not in known)
        from twin.suggest import suggestion

        msg = f"setting {wrong!r} is unknown; {suggestion(wrong, known)}"
        raise InputError(msg) from None
    return RoadTask(open_road_scene(scene, **of_scene), settings, **own)
