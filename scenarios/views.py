"""What a picture or a film shows of a city or of runs: panels, values, one legend, vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scenarios.report_words import layer_title, texts, unit_text
from scenarios.runs import MANIFEST, RunInfo, open_runs
from scenarios.schema import BASE
from twin import times
from twin.errors import InputError
from twin.system import Layer, layers
from viz.language import word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from twin.city import City
    from twin.traffic.trajectories import Trajectories
    from viz.camera import Camera
    from viz.caption import Caption
    from viz.palette import Scale
    from viz.picture import Panel
    from viz.scene.scene import Part, Scene
    from viz.scene.vehicles import Fleet

Mode = Literal["alone", "beside", "difference"]
NO_LAYER = "none"
NEAR_M, NEAR_DEG = 190.0, 36.0  # from where a street is seen
SURE = 0.05  # false discovery rate up to which a difference is shown, as in the report


@dataclass(frozen=True)
class Choice:
    """What a presenter chose.

    Attributes
    ----------
    layer
        Name of a map layer, "none", or None for the first that there is.
    mode
        A run alone, the base beside an alternative, or what the alternative changes; None for
        what suits.
    alternative
        Name of the run beside the base, or shown alone; None for the first.
    time_s
        Second of the day at which vehicles and lights are shown.
    street
        Name of the street that is looked at from near; None for all of the city.
    size
        Width and height of the picture in pixels.
    """

    layer: str | None = None
    mode: Mode | None = None
    alternative: str | None = None
    time_s: float | None = None
    street: str | None = None
    size: tuple[int, int] = (1920, 1080)


@dataclass(frozen=True, eq=False)
class Shown:
    """A panel: a run, or none for the city alone, with what is drawn of it.

    Attributes
    ----------
    run
        Whose vehicles and closed streets are seen.
    label
        Its name, where there are several panels.
    values
        A value per street.
    """

    run: RunInfo | None
    label: str = ""
    values: pd.Series[float] | None = None


@dataclass(eq=False)
class View:
    """Everything that is needed to draw pictures of a choice.

    Attributes
    ----------
    city
        Where it is.
    choice
        What was chosen.
    panels
        One, or two beside each other.
    title, subtitle
        Of the picture.
    layer, scale
        Which values are shown, in one scale for all panels.
    notes
        What cannot be shown, and why: a line each.
    near
        Whether single lanes are seen: then values and measures are as wide as they are.
    """

    city: City
    choice: Choice
    panels: Sequence[Shown]
    title: str
    subtitle: str = ""
    layer: Layer | None = None
    scale: Scale | None = None
    notes: list[str] = field(default_factory=list)
    near: bool = False

    @property
    def panel_size(self) -> tuple[int, int]:
        """Width and height of a panel in pixels."""
        return self.choice.size[0] // len(self.panels), self.choice.size[1]

    @cached_property
    def camera(self) -> Camera:
        """The camera of every panel: on the chosen street, else over all of the city."""
        from viz.picture import FRAME, FRAME_BESIDE, overview

        if self.choice.street is None:
            frame = FRAME if len(self.panels) == 1 else FRAME_BESIDE
            return overview(self.city, self.panel_size, frame)
        return near_camera(self.city, self.choice.street, self.panel_size)

    @cached_property
    def scene(self) -> Scene:
        """The city, without what the panels add."""
        from viz.scene.scene import city_scene

        return city_scene(self.city, view_azimuth_deg=self.camera.azimuth_deg)

    def drawn(self, shown: Shown, time_s: float | None) -> Panel:
        """Return what a panel draws at a time."""
        from viz.picture import Panel
        from viz.scene.bands import band_mesh, band_tops
        from viz.scene.scene import Part, signal_part

        parts: dict[str, Part] = {}
        above = None
        if shown.values is not None and self.scale is not None:
            what = (self.city, self.scene.ground, shown.values, self.scale)
            parts["values"] = Part(band_mesh(*what, unit_m=self._unit_m))
            above = band_tops(*what, unit_m=self._unit_m)
        parts |= self._touched(shown.run, above)
        if time_s is None:
            return Panel(shown.label, parts)
        if len(self.scene.bars.signal):
            parts["bars"] = signal_part(self.scene, self.lights(shown.run, time_s))
        return Panel(shown.label, parts, self.fleet(shown.run, time_s))

    @property
    def _unit_m(self) -> float:
        """What sizes that grow with the picture are measured in; 0 from near."""
        return 0.0 if self.near else self.scene.ground.diagonal_m / 1000.0

    def fleet(self, run: RunInfo | None, time_s: float) -> Fleet | None:
        """Return the vehicles of a run at a time; None where it keeps no record of them."""
        from viz.scene.vehicles import fleet_at

        known = self._record(run)
        if known is None:
            return None
        ways, kinds = known
        scene = self.scene
        return fleet_at(ways.at(time_s), kinds, scene.lanes, scene.movements, scene.ground)

    def lights(self, run: RunInfo | None, time_s: float) -> Any:
        """Return the colours of the bars at stop lines, as recorded or else as programmed."""
        from viz.palette import rgb
        from viz.scene.lights import COLOURS, programmed, recorded

        known = self._record(run)
        if known is not None:
            return recorded(self.scene.bars, known[0].lights_at(time_s))
        return np.stack([rgb(COLOURS[c]) for c in programmed(self.city, self.scene.bars, time_s)])

    def caption(self, time_s: float | None, larger: tuple[float, ...] = ()) -> Caption:
        """Return the words around a picture or film.

        `larger` says how many times larger than they are vehicles are drawn, now and later.
        """
        from viz.caption import Caption
        from viz.picture import attribution
        from viz.scene.vehicles import DRIVES, STANDS
        from viz.scene.works import STRIPES

        keys: list[tuple[str, str]] = []
        note = ""
        if time_s is not None and any(self._record(p.run) for p in self.panels):
            keys += [(DRIVES, word("drives")), (STANDS, word("stands"))]
            if max(larger, default=1.0) > 1.5:
                note = word("vehicles drawn {n} times larger").format(n=round(larger[0]))
                if min(larger) < 0.8 * max(larger):
                    note = word("vehicles drawn larger from afar")
        if any(len(self._streets(p.run)[0]) for p in self.panels):
            keys.append((" ".join(STRIPES), word("measure here")))
        return Caption(
            self.title,
            self.subtitle,
            "" if self.layer is None else layer_title(self.layer),
            "" if self.layer is None else unit_text(self.layer.unit),
            self.scale,
            keys=tuple(keys),
            labels=tuple(p.label for p in self.panels) if len(self.panels) > 1 else (),
            note=note,
            attribution=attribution(self.city),
        )

    def _touched(self, run: RunInfo | None, above: Any = None) -> dict[str, Part]:
        """Return stripes on streets that the run's measures touch, and barriers if closed."""
        from viz.scene.scene import Part
        from viz.scene.works import barrier_mesh, touched_mesh

        streets, closed = self._streets(run)
        where = (self.city, self.scene.ground, self.scene.lanes)
        stripes = touched_mesh(*where, streets, unit_m=self._unit_m, above=above)
        parts = {
            "touched": Part(stripes, lit=False),
            "barriers": Part(barrier_mesh(*where, closed)),
        }
        return {name: part for name, part in parts.items() if len(part.mesh)}

    def _streets(self, run: RunInfo | None) -> tuple[Any, Any]:
        """Return the streets that the run's measures touch, and those that they close.

        A measure for most of the city marks no street.
        """
        if run is None:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        if run.name not in self._known:
            from scenarios.touched import effects_of

            found = [e for _, e in effects_of(run, self.city)]
            streets = _all(e.streets for e in found)
            if len(streets) > len(self.city.streets) // 2:
                streets = streets[:0]
            self._known[run.name] = streets, _all(e.streets for e in found if e.closes)
        return self._known[run.name]

    @cached_property
    def _known(self) -> dict[str, tuple[Any, Any]]:
        return {}

    @cached_property
    def _records(self) -> dict[str, tuple[Trajectories, Any] | None]:
        return {}

    def _record(self, run: RunInfo | None) -> tuple[Trajectories, Any] | None:
        """Return the trajectories of a run's first seed and the kinds of its vehicles."""
        if run is None or not run.seeds:
            return None
        if run.name not in self._records:
            self._records[run.name] = record_of(run, self.city)
            if self._records[run.name] is None:
                self.notes.append(
                    f"{run.folder}: keeps no movements of vehicles, so none are shown; run the "
                    "scenario again in a new folder"
                )
        return self._records[run.name]


def record_of(run: RunInfo, city: City) -> tuple[Trajectories, Any] | None:
    """Return the trajectories of a run's first seed and the kinds of its vehicles, if kept."""
    import pandas as pd

    from twin.traffic.trajectories import Trajectories
    from viz.scene.vehicles import kinds_of

    folder = run.replication(run.seeds[0])
    if not (folder / "passages.parquet").is_file():
        return None
    passages, trips, lights = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("passages", "trips", "lights")
    )
    return Trajectories(city, passages, trips, lights), kinds_of(trips)


def open_view(what: str, choice: Choice, say: Callable[[str], None]) -> View:
    """Return the view of a city (name, folder, source), a run, or a folder of runs.

    Raises
    ------
    InputError
        If it is neither, or something is chosen that it does not have.
    """
    from twin.city import City
    from twin.city.opening import open_city

    folder, near = Path(what), choice.street is not None
    if not ((folder / MANIFEST).is_file() or (folder / BASE / MANIFEST).is_file()):
        city = open_city(what, say=say)
        _refuse_of_a_city(what, choice)
        title = city.name if any(c.isupper() for c in city.name) else city.name.title()
        return View(city, choice, [Shown(None)], choice.street or title, near=near)
    runs = open_runs(folder)
    done = [run for run in runs if run.seeds]
    if not done:
        msg = f"{what}: no replication is complete yet; let 'twin run' finish"
        raise InputError(msg)
    city = City.load(done[0].city_folder)
    first = done[0]
    others = [run for run in done if run.name != BASE]
    other = _named(others, choice.alternative, what) if others else None
    mode = choice.mode or _mode(choice, first, other)
    if mode != "alone" and (other is None or other is first):
        msg = f"{what}: holds one run, so there is nothing to compare; name the folder of all runs"
        raise InputError(msg)
    scenario, period = str(first.manifest.get("scenario")), first.manifest["period"]
    if choice.time_s is not None:
        refuse_outside(first, choice.time_s, "--at")
    when = f"{city.name.title()}, {period['begin']}–{period['end']}"
    if mode == "alone":
        shown = [other if choice.alternative and other is not None else first]
    else:
        assert other is not None  # noqa: S101 - refused above
        shown = [first, other]
    if mode == "difference":
        return _difference(city, choice, shown, scenario, when)
    layer, values = _layer_values(shown, choice, what)
    scale = None if layer is None else _scale(layer, values)
    labels = [run.title for run in shown] if len(shown) > 1 else [""]
    panels = [Shown(r, t, v) for r, t, v in zip(shown, labels, values, strict=True)]
    alone = f"{scenario}: {shown[0].title}" if len(shown) == 1 and len(runs) > 1 else scenario
    return View(city, choice, panels, alone, when, layer, scale, near=near)


def refuse_outside(run: RunInfo, time_s: float, option: str) -> None:
    """Refuse a time that a run does not simulate.

    Raises
    ------
    InputError
        With the times that it does.
    """
    period = run.manifest["period"]
    begin_s = times.seconds(period["begin"]) - 60.0 * float(period.get("warmup_minutes", 0.0))
    end_s = times.seconds(period["end"])
    if not begin_s <= time_s <= end_s:
        msg = (
            f"{option} {times.text(time_s)}: {run.folder} simulates "
            f"{times.text(begin_s)} to {times.text(end_s)}"
        )
        raise InputError(msg)


def _mode(choice: Choice, first: RunInfo, other: RunInfo | None) -> Mode:
    if other is None or other is first:
        return "alone"
    return "beside" if choice.time_s is not None else "difference"


def _refuse_of_a_city(what: str, choice: Choice) -> None:
    """Refuse what only runs have."""
    for name, value in (("--layer", choice.layer), ("--compare", choice.mode),
                        ("--alternative", choice.alternative)):  # fmt: skip
        if value not in (None, NO_LAYER):
            msg = f"{name} {value}: {what} is a city, not a run; name a folder of 'twin run'"
            raise InputError(msg)


def _named(runs: Sequence[RunInfo], name: str | None, what: str) -> RunInfo:
    if name is None:
        return runs[0]
    for run in runs:
        if run.name == name:
            return run
    msg = f"--alternative {name}: {what} has {', '.join(r.name for r in runs)}"
    raise InputError(msg)


def _layer(choice: Choice, have: Callable[[Layer], bool], what: str) -> Layer | None:
    """Return the chosen layer, or the first that there is."""
    known = layers()
    if choice.layer == NO_LAYER or (choice.layer is None and choice.time_s is not None):
        return None
    if choice.layer is None:
        return next((layer for layer in known.values() if have(layer)), None)
    if choice.layer not in known:
        msg = f"--layer {choice.layer}: is unknown; there are {', '.join(known)}, none"
        raise InputError(msg)
    if not have(known[choice.layer]):
        msg = (
            f"--layer {choice.layer}: {what} has no table {known[choice.layer].table!r}; "
            f"there are {', '.join(n for n, layer in known.items() if have(layer)) or 'none'}"
        )
        raise InputError(msg)
    return known[choice.layer]


def _layer_values(
    runs: Sequence[RunInfo], choice: Choice, what: str
) -> tuple[Layer | None, list[pd.Series[float] | None]]:
    """Return the layer and its means by street, of each run."""
    from scenarios.compare import layer_means

    cache: dict[tuple[str, str], pd.Series[float] | None] = {}

    def means(run: RunInfo, layer: Layer) -> pd.Series[float] | None:
        key = (run.name, layer.name)
        if key not in cache:
            cache[key] = layer_means(run, run.seeds, layer)
        return cache[key]

    def have(layer: Layer) -> bool:
        found = (means(run, layer) for run in runs)
        return any(v is not None and bool(v.notna().any()) for v in found)

    layer = _layer(choice, have, what)
    if layer is None:
        return None, [None] * len(runs)
    return layer, [means(run, layer) for run in runs]


def _scale(layer: Layer, values: Sequence[pd.Series[float] | None]) -> Scale:
    """Return one scale for the values of all panels."""
    from viz.palette import Scale

    every = np.concatenate([v.dropna().to_numpy(float) for v in values if v is not None])
    if layer.shown == "difference" or not len(every):
        return Scale.of(every)
    flipped = layer.better == "higher"
    return Scale.between(float(every.min()), float(every.max()), flipped=flipped)


def _difference(
    city: City, choice: Choice, shown: Sequence[RunInfo], scenario: str, when: str
) -> View:
    """Return the view of what an alternative changes, without what chance alone could explain."""
    from scenarios.compare import compare
    from viz.palette import Scale

    streets = compare([run.folder for run in shown]).streets.set_index("street")
    layer = _layer(choice, lambda x: f"diff_{x.name}" in streets, str(shown[1].folder))
    if layer is None:
        msg = "--layer none: a difference needs a layer; leave --layer away, or compare beside"
        raise InputError(msg)
    values = streets[f"diff_{layer.name}"].astype(float)
    sure = f"q_{layer.name}"
    if sure in streets:
        values = values.where(streets[sure] <= SURE)
    values = values.where(values != 0.0)
    ends = Scale.of(values, diverging=True)
    scale = Scale(ends.low, ends.high, diverging=True, flipped=layer.better == "higher")
    title = texts()["map"]["title"].format(
        layer=layer_title(layer), alternative=shown[1].title, base=shown[0].title
    )
    panel = Shown(shown[1], "", values)
    near = choice.street is not None
    view = View(city, choice, [panel], title, f"{scenario}. {when}", layer, scale, near=near)
    if not values.notna().any():
        view.notes.append(
            f"{layer_title(layer)}: no street changes more than chance alone could explain; "
            "more replications may show something"
        )
    return view


def street_line(city: City, name: str) -> Any:
    """Return the line of a street: its sections that hang together, as one.

    Raises
    ------
    InputError
        Where there is no such street.
    """
    import shapely

    from twin.city.lookup import find_streets

    rows = find_streets(city, name, every=True)
    merged = shapely.line_merge(shapely.union_all(city.streets.geometry.to_numpy()[rows]))
    parts = shapely.get_parts(merged)
    return parts[int(np.argmax(shapely.length(parts)))]


def near_camera(city: City, street: str, size: tuple[int, int]) -> Camera:
    """Return a camera that looks along a street from near, north rather ahead.

    Raises
    ------
    InputError
        Where there is no such street.
    """
    from viz.camera import looking
    from viz.scene.ground import Ground

    line = street_line(city, street)
    ground = Ground.of(city)
    (middle,) = ground.moved([line.interpolate(0.5, normalized=True)])
    a, b = line.coords[0], line.coords[-1]
    azimuth = float(np.degrees(np.arctan2(-(b[0] - a[0]), b[1] - a[1])))
    azimuth = (azimuth + 90.0) % 180.0 - 90.0
    xy = np.array([[middle.x, middle.y]])
    focal = (middle.x, middle.y, float(ground.height(xy)[0]))
    distance = NEAR_M + 0.25 * min(line.length, 1200.0)
    return looking(focal, distance, azimuth - 24.0, NEAR_DEG, size)


def seconds_of(text: str, option: str) -> float:
    """Return the second of the day of "HH:MM" or "HH:MM:SS".

    Raises
    ------
    InputError
        For anything else.
    """
    clock, _, rest = text.rpartition(":") if text.count(":") == 2 else (text, "", "0")
    try:
        if not (rest.isdigit() and int(rest) < 60):
            raise ValueError
        return times.seconds(clock) + int(rest)
    except ValueError:
        msg = f'{option} {text}: is no time of day; write "HH:MM" or "HH:MM:SS", e.g. 07:45'
        raise InputError(msg) from None


def size_of(text: str) -> tuple[int, int]:
    """Return width and height of "WIDTHxHEIGHT", "hd" (1920x1080) or "4k" (3840x2160).

    Raises
    ------
    InputError
        For anything else, or more than 4K.
    """
    known = {"hd": (1920, 1080), "4k": (3840, 2160)}
    if text.lower() in known:
        return known[text.lower()]
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdigit() and height.isdigit()):
        msg = f"--size {text}: is no size; write WIDTHxHEIGHT, e.g. 1920x1080, or hd or 4k"
        raise InputError(msg)
    size = int(width), int(height)
    if not (160 <= size[0] <= 3840 and 120 <= size[1] <= 2160):
        msg = f"--size {text}: must be from 160x120 to 3840x2160"
        raise InputError(msg)
    return size


def _all(rows: Any) -> Any:
    """Return all streets of several effects, once each."""
    return np.array(sorted({s for some in rows for s in some or ()}), np.intp)
