"""What a picture or a film shows of a city or of runs: panels, values, one legend, vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scenarios.report_words import layer_title, unit_text
from scenarios.runs import RunInfo
from twin.errors import InputError
from twin.system import Layer
from viz.language import current, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from twin.city import City
    from twin.traffic.trajectories import Trajectories
    from viz.camera import Camera
    from viz.caption import Caption
    from viz.palette import Scale
    from viz.picture import Panel
    from viz.scene.scene import Part, Scene
    from viz.scene.vehicles import Fleet

UNRECORDED = {
    "en": "keeps no movements of vehicles of a day that all runs shown have, so none are shown; "
    "let 'twin run' finish, or run the scenario again in a new folder",
    "de": "hat keine Fahrzeugbewegungen eines Tages, den alle gezeigten Läufe haben, daher fehlen "
    "sie; 'twin run' zu Ende rechnen lassen oder das Szenario in einem neuen Ordner erneut rechnen",
}
Mode = Literal["alone", "beside", "difference"]


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
    title
        What stands above; None for the scenario's or city's name.
    """

    layer: str | None = None
    mode: Mode | None = None
    alternative: str | None = None
    time_s: float | None = None
    street: str | None = None
    size: tuple[int, int] = (1920, 1080)
    title: str | None = None


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
    warning
        What its colours do not show and whoever sees them must know.
    runs
        All runs that there are, the base first.
    notes
        What cannot be shown, and why: a line each.
    first
        Layer that is shown of these runs where nobody chooses.
    says
        What is true in place of the colours, where there are none to show.
    changes
        Whether values are differences.
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
    warning: str = ""
    runs: Sequence[RunInfo] = ()
    notes: list[str] = field(default_factory=list)
    near: bool = False
    first: str | None = None
    says: str = ""
    changes: bool = False

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
        return self.street_camera(self.choice.street)

    def street_camera(self, street: str) -> Camera:
        """Return a camera that looks along a street from near, over the houses.

        Raises
        ------
        InputError
            Where there is no such street.
        """
        from viz.scene.ground import Ground
        from viz.standpoint import street_camera

        ground = Ground.of(self.city)
        (line,) = ground.moved([street_line(self.city, street)])
        return street_camera(self.city, ground, line, self.panel_size)

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
            open_ones = shown.values.drop(self._streets(shown.run)[1], errors="ignore")
            what = (self.city, self.scene.ground, open_ones, self.scale)
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
        from viz.scene.works import EDGE, STRIPES

        keys: list[tuple[str, str]] = []
        note = ""
        if time_s is not None and any(self._record(p.run) for p in self.panels):
            keys += [(DRIVES, word("drives")), (STANDS, word("stands"))]
            if max(larger, default=1.0) > 1.5:
                note = word("vehicles drawn {n} times larger").format(n=round(larger[0]))
                if min(larger) < 0.8 * max(larger):
                    note = word("vehicles drawn larger from afar")
        if any(len(self._streets(p.run)[1]) for p in self.panels):
            keys.append((" ".join(STRIPES), word("closed")))
        if any(len(self._streets(p.run)[0]) for p in self.panels):
            keys.append((EDGE, word("measure here")))
        return Caption(
            self.title,
            self.subtitle if time_s is None else f"{self.subtitle} · {clock_of(time_s)}",
            self._legend(),
            "" if self.layer is None else unit_text(self.layer.unit),
            self.scale,
            keys=tuple(keys),
            labels=tuple(p.label for p in self.panels) if len(self.panels) > 1 else (),
            warning=self.warning,
            note=note,
            attribution=attribution(self.city),
            says=self.says,
            beyond=self._beyond(),
        )

    def extras(self) -> dict[str, Any]:
        """Return what a file of the scene's one panel says of it: run, layer, unit, limits."""
        (shown,) = self.panels
        found: dict[str, Any] = {}
        if shown.run is not None:
            found["run"] = shown.run.title
        if self.layer is not None:
            found |= {"layer": self.layer.name, "layer_title": self._legend(),
                      "unit": unit_text(self.layer.unit)}  # fmt: skip
        if self.scale is not None:
            found["limits"] = [self.scale.low, self.scale.high]
        return found

    def _beyond(self) -> tuple[bool, bool]:
        """Return whether values lie below and above the scale."""
        known = [p.values.to_numpy(float) for p in self.panels if p.values is not None]
        if self.scale is None or not known:
            return False, False
        every, room = np.concatenate(known), 1e-9 * (self.scale.high - self.scale.low)
        below, above = every < self.scale.low - room, every > self.scale.high + room
        return bool(below.any()), bool(above.any())

    def _legend(self) -> str:
        """Return what the colours mean."""
        if self.layer is None:
            return ""
        title = layer_title(self.layer)
        changes = self.changes or (self.scale is not None and self.scale.diverging)
        return word("change: {layer}").format(layer=title) if changes else title

    def _touched(self, run: RunInfo | None, above: Any = None) -> dict[str, Part]:
        """Return hazard tape and boards on closed streets, edges along others with a measure."""
        from viz.scene.scene import Part
        from viz.scene.works import barrier_mesh, edge_mesh, tape_mesh

        touched, closed = self._streets(run)
        where = (self.city, self.scene.ground, self.scene.lanes)
        parts = {
            "touched": Part(tape_mesh(*where, closed, unit_m=self._unit_m), lit=False),
            "edges": Part(edge_mesh(*where, touched, unit_m=self._unit_m, above=above), lit=False),
            "barriers": Part(barrier_mesh(*where, closed)),
        }
        return {name: part for name, part in parts.items() if len(part.mesh)}

    def _streets(self, run: RunInfo | None) -> tuple[Any, Any]:
        """Return the open streets that the run's measures touch, and those that they close.

        Measures that together touch most of the city mark no street.
        """
        if run is None:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        if run.name not in self._known:
            from scenarios.touched import effects_of

            found = [e for _, e in effects_of(run, self.city)]
            closed = _all(e.streets for e in found if e.closes)
            touched = np.setdiff1d(_all(e.streets for e in found), closed)
            if len(touched) > len(self.city.streets) // 2:
                touched = touched[:0]
            self._known[run.name] = touched, closed
        return self._known[run.name]

    @cached_property
    def _known(self) -> dict[str, tuple[Any, Any]]:
        return {}

    @cached_property
    def _records(self) -> dict[str, tuple[Trajectories, Any]]:
        return {}

    def _record(self, run: RunInfo | None) -> tuple[Trajectories, Any] | None:
        """Return the trajectories of a run's recorded day and the kinds of its vehicles.

        Several panels show one day; none where a run has not recorded it.
        """
        if run is None or self._seed is None:
            return None
        if run.name not in self._records:
            self._records[run.name] = record_of(run, self._seed, self.city)
        return self._records[run.name]

    @cached_property
    def _seed(self) -> int | None:
        """The day that all panels' runs have recorded."""
        runs = [p.run for p in self.panels if p.run is not None]
        days = [set(recorded_seeds(run)) for run in runs]
        both = set.intersection(*days) if days else set()
        if both or not runs:
            return min(both, default=None)
        run = next((r for r, own in zip(runs, days, strict=True) if not own), runs[0])
        self.notes.append(f"{run.folder}: {UNRECORDED[current()]}")
        return None


def recorded_seeds(run: RunInfo) -> list[int]:
    """Return the complete seeds whose movements a run keeps."""
    return [s for s in run.seeds if (run.replication(s) / "passages.parquet").is_file()]


def record_of(run: RunInfo, seed: int, city: City) -> tuple[Trajectories, Any]:
    """Return the trajectories of a recorded day of a run and the kinds of its vehicles.

    Raises
    ------
    InputError
        In one line, where a table of it is wrong.
    """
    from scenarios.replications import read_table
    from scenarios.tables import read_record
    from twin.traffic.trajectories import Trajectories
    from viz.scene.vehicles import kinds_of

    tables = read_record(run, seed, city)
    trips = tables["trips"]
    if "lights" not in tables:
        tables["lights"] = read_table(run.replication(seed) / "lights.parquet")
    try:
        ways = Trajectories(city, tables["passages"], trips, tables["lights"])
    except InputError as error:
        msg = f"{run.replication(seed)}: {error}; run the scenario again"
        raise InputError(msg) from None
    return ways, kinds_of(trips)


def clock_of(time_s: float) -> str:
    """Write a second of the day as "HH:MM:SS"."""
    second = int(time_s)
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


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


def _all(rows: Any) -> Any:
    """Return all streets of several effects, once each."""
    return np.array(sorted({s for some in rows for s in some or ()}), np.intp)
