"""A picture of a road network, by the condition that the city believes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.roads.deterioration import EDGES, WEEKS, german_grade
from viz.live import FAINT_INK, MARGIN, PANEL, SIZE, View, attribution, box, map_canvas, rgb_of
from viz.maps import PLAIN_STREET
from viz.palette import Scale, number

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from twin.city import City
    from viz.live import Canvas, Frame

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]

CONDITION = Scale(0.0, 100.0, flipped=True)  # PCI; the worst is the darkest
TREATED, ORDERED = "#0072b2", "#7fc4ea"
WIDTH_PX = np.array([4.0, 5.5, 7.5])  # residential, collector, arterial
HALO_PX = 3.0
AROUND_M = 25.0


@dataclass(frozen=True)
class Moment:
    """What a picture tells.

    Attributes
    ----------
    week
        Of the run.
    believed
        [sections] mean PCI that the city believes in.
    treated
        [sections] week of the last treatment, -1: none.
    ordered
        [sections] whether works are ordered or under way.
    budget_left_eur, mean_pci, bad_percent, social_cost_eur, reward
        Of the city; mean PCI and percent are of the truth.
    """

    week: int
    believed: Floats
    treated: Ints
    ordered: npt.NDArray[np.bool_]
    budget_left_eur: float
    mean_pci: float
    bad_percent: float
    social_cost_eur: float
    reward: float


class RoadPicture:
    """Draws the moments of a run.

    Parameters
    ----------
    sections
        Columns `class`, `length_m`, `area_m2`, `street`, and `geometry` where there is a map.
        Without one, every street is a row of bars.
    city
        What lies around.
    title
        Name of the scene.
    years
        Of the run.
    """

    def __init__(self, sections: pd.DataFrame, city: City | None, title: str, years: int) -> None:
        self.sections, self.city, self.title, self.years = sections, city, title, years
        self.area = sections["area_m2"].to_numpy(float)
        lines = self._lines()
        self.canvas = self._made(lines)
        self._place(lines)
        self._write_still()

    def frame(self, moment: Moment) -> Frame:
        """Return a moment as uint8 (height, width, rgb)."""
        canvas = self.canvas
        canvas.begin()
        this_year = (moment.treated >= 0) & (moment.treated >= _year_begins(moment.week))
        for which, colour in ((moment.ordered & ~this_year, ORDERED), (this_year, TREATED)):
            shown = [self._halos[k] for k in np.flatnonzero(which)]
            canvas.rings(shown, np.broadcast_to(rgb_of(colour), (len(shown), 3)))
        canvas.rings(self._strips, CONDITION.rgb(moment.believed))
        canvas.develop()
        self._write(moment, int(this_year.sum()))
        return canvas.finish()

    # map

    def _lines(self) -> Any:
        """[sections] lines on the ground; without a map in rows, a street each."""
        import shapely

        if "geometry" in self.sections:
            return self.sections.geometry.to_numpy()
        street = np.unique(self.sections["street"].to_numpy(), return_inverse=True)[1]
        length = self.sections["length_m"].to_numpy(float)
        columns = max(1, round(np.sqrt((street.max() + 1) / 30.0)))
        rows = -(-(street.max() + 1) // columns)
        gap = 0.1 * length.mean()
        new = np.diff(street, prepend=-1) != 0
        along = np.cumsum(length + gap) - (length + gap)
        along = along - along[np.flatnonzero(new)][np.cumsum(new) - 1]
        width = float((along + length).max())
        height = (SIZE[1] / (SIZE[0] - PANEL)) * width * 1.15 * columns / rows
        x = along + (street // rows) * width * 1.15
        y = -(street % rows) * height
        ends = np.stack([np.column_stack([x, y]), np.column_stack([x + length, y])], axis=1)
        return shapely.linestrings(ends)

    def _made(self, lines: Any) -> Canvas:
        import shapely

        x0, y0, x1, y1 = shapely.total_bounds(lines)
        m = AROUND_M if self.city is not None else 0.04 * (x1 - x0)
        canvas = map_canvas((x0 - m, y0 - m, x1 + m, y1 + m), self.city)
        if self.city is not None:
            streets = self.city.streets.geometry.to_numpy()
            canvas.fixed(shapely.buffer(streets, 1.2 / canvas.view.scale), PLAIN_STREET)
        return canvas

    def _place(self, lines: Any) -> None:
        """Work out the polygons of the sections and of their halos, in pixels."""
        import shapely

        view, klass = self.canvas.view, self.sections["class"].to_numpy(int)
        half = WIDTH_PX[klass] / view.scale / 2 * _thinner(lines, view)
        thin = shapely.simplify(lines, 0.3 / view.scale)
        self._strips = _rings(shapely.buffer(thin, half, cap_style="flat"), view)
        wide = half + HALO_PX / view.scale
        self._halos = _rings(shapely.buffer(thin, wide, cap_style="square"), view)

    # words

    def _write_still(self) -> None:
        canvas, right = self.canvas, self.canvas.panel.get_width() - MARGIN
        told = f"{len(self.sections)} sections, {number(self.area.sum(), 0)} m²"
        source = attribution(self.city) if self.city is not None else "drawn at random; not a map"
        canvas.head(self.title, told, source)
        y = SIZE[1] - 196
        canvas.rule(y - 26)
        if self.city is not None:
            canvas.scale_bar(y - 42)
        canvas.words("Condition as the city believes", (MARGIN, y), 13, still=True)
        self._write_scale(y + 14, right)
        y += 86
        for colour, text in ((TREATED, "treated this year"), (ORDERED, "ordered, or works")):
            halo, strip = box(16, 6.0), box(16, 2.6)
            strip_colour = tuple(CONDITION.rgb([60.0])[0].tolist())
            canvas.key(y, [(halo, rgb_of(colour)), (strip, strip_colour)], text)
            y += 23
        klasses = "wide: arterial, thin: residential"
        canvas.words(klasses, (MARGIN, y + 8), 12, colour=FAINT_INK, still=True)

    def _write_scale(self, y: int, right: int) -> None:
        """Draw the colours from good to bad, with the limits of the bands and their grades."""
        canvas, width = self.canvas, right - MARGIN
        for k in range(width):
            pci = 100.0 * (1.0 - (k + 0.5) / width)
            colour = tuple(CONDITION.rgb([pci])[0].tolist())
            canvas.stripe(MARGIN + k, y, 14, colour)
        for text, foot in (("PCI", y + 30), ("grade", y + 46)):
            canvas.words(text, (right, foot), 11, colour=FAINT_INK, right=True, still=True)
        for limit in EDGES[1:-1]:
            x = MARGIN + round(width * (1.0 - limit / 100.0))
            canvas.stripe(x, y, 18, (255, 255, 255))
            for text, foot in (
                (f"{limit:.0f}", y + 30), (f"{float(german_grade(limit)):.1f}", y + 46),
            ):  # fmt: skip
                canvas.words(text, (x + 9, foot), 11, right=True, still=True)

    def _write(self, moment: Moment, treated: int) -> None:
        canvas, right = self.canvas, self.canvas.panel.get_width() - MARGIN
        year = min(moment.week // WEEKS + 1, self.years)
        canvas.words(f"Year {year}", (MARGIN, 122), 34, bold=True)
        told = f"of {self.years}, week {moment.week % WEEKS + 1}"
        canvas.words(told, (right, 122), 13, colour=FAINT_INK, right=True)
        believed = float(moment.believed @ self.area / self.area.sum())
        rows = (
            ("Budget left", f"{number(moment.budget_left_eur / 1000.0, 0)} k€"),
            ("Mean PCI, believed", f"{believed:.1f}"),
            ("Mean PCI, true", f"{moment.mean_pci:.1f}"),
            ("Bad (from grade 3.5), true", f"{moment.bad_percent:.1f} %"),
            ("Treated this year", f"{treated}"),
            ("Ordered, or works", f"{int(moment.ordered.sum())}"),
            ("Social cost so far", f"{number(moment.social_cost_eur / 1e6, 2)} M€"),
            ("Reward of the step", f"{number(moment.reward / 1e6, 2, sign=True)} M€"),
        )
        canvas.rows(172, rows)


def _year_begins(week: int) -> int:
    """First week of the year of the last week that has passed."""
    return max(0, week - 1) // WEEKS * WEEKS


def _thinner(lines: Any, view: View) -> float:
    """Factor on widths where many sections share the picture."""
    import shapely

    covered = shapely.length(lines).sum() * view.scale * WIDTH_PX[0]
    return float(np.clip(0.12 * view.width * view.height / max(covered, 1.0), 0.35, 1.0))


def _rings(polygons: Any, view: View) -> list[Any]:
    """Outlines in pixels of the finer map."""
    from viz.live import FINER

    return [
        view.pixels(np.asarray(max(_parts(p), key=lambda part: part.area).exterior.coords), FINER)
        .tolist()
        for p in polygons
    ]  # fmt: skip


def _parts(polygon: Any) -> Any:
    import shapely

    return shapely.get_parts(polygon)
