"""Pictures of a running simulation by pygame: canvas, words, and the window.

What stays is drawn once, twice as fine as what moves, which is drawn twice as fine as the picture.
Nothing here opens a window but `Window.show`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError, TwinError
from viz.caption import SCALE_LENGTHS_M, font
from viz.maps import FAINT
from viz.palette import number, rgb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from twin.city import City

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]
    Frame = npt.NDArray[np.uint8]
    Colour = tuple[int, int, int]
    Point = tuple[float, float]

SIZE = (1280, 720)
PANEL = 296  # pixels of the words on the left
FINER = 2
MARGIN = 24
INK, FAINT_INK, RULE, PAPER = (34, 38, 46), (98, 103, 112), (214, 211, 203), (252, 251, 248)


def load_pygame() -> Any:
    """Return pygame, without its greeting.

    Raises
    ------
    InputError
        Where it is not installed.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "hide")
    try:
        import pygame
    except ImportError:
        msg = "rendering needs pygame, which is not installed: pip install pygame"
        raise InputError(msg) from None
    return pygame


class Window:
    """The window of `render_mode="human"`, opened by the first picture."""

    def __init__(self, title: str, fps: float) -> None:
        self.title, self.fps = title, fps
        self._clock: Any = None

    def show(self, frame: Frame) -> None:
        """Show a picture, not earlier than its turn.

        Raises
        ------
        TwinError
            Where there is no display.
        """
        pygame = load_pygame()
        if self._clock is None or pygame.display.get_surface() is None:
            try:
                pygame.display.init()
                pygame.display.set_mode((frame.shape[1], frame.shape[0]))
            except pygame.error as error:
                pygame.display.quit()
                msg = (
                    f"no window can be opened ({error}): run it where there is a display, "
                    "or take render_mode='rgb_array'"
                )
                raise TwinError(msg) from None
            pygame.display.set_caption(self.title)
            self._clock = pygame.time.Clock()
        pygame.surfarray.blit_array(pygame.display.get_surface(), frame.swapaxes(0, 1))
        pygame.event.pump()
        self._clock.tick(self.fps)
        pygame.display.flip()

    def close(self) -> None:
        """Close it, if it is open."""
        if self._clock is not None:
            load_pygame().display.quit()
            self._clock = None


@dataclass(frozen=True)
class View:
    """From metres, north up, to pixels of the map (at 1: not finer).

    Attributes
    ----------
    scale
        Pixels a metre.
    left, top
        Place of the map's upper left corner, m.
    width, height
        Of the map in pixels.
    """

    scale: float
    left: float
    top: float
    width: int
    height: int

    @classmethod
    def fitted(cls, bounds: Sequence[float], width: int, height: int) -> View:
        """Return the view in which a rectangle (x, y, x, y) is as large as can be."""
        x0, y0, x1, y1 = bounds
        scale = min(width / max(x1 - x0, 1.0), height / max(y1 - y0, 1.0))
        left = (x0 + x1) / 2 - width / scale / 2
        return cls(scale, left, (y0 + y1) / 2 + height / scale / 2, width, height)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """What is seen, as x, y, x, y."""
        right, foot = self.left + self.width / self.scale, self.top - self.height / self.scale
        return self.left, foot, right, self.top

    def pixels(self, points: npt.ArrayLike, finer: int = 1) -> Floats:
        """Return pixels (n, ..., xy) of points."""
        at = np.asarray(points, float)
        seen = (at - (self.left, self.top)) * (self.scale * finer, -self.scale * finer)
        return np.asarray(seen)

    def shows(self, geometries: Any) -> npt.NDArray[np.bool_]:
        """[n] whether something of each geometry is seen."""
        import shapely

        return np.asarray(shapely.intersects(geometries, shapely.box(*self.bounds)))


class Lines:
    """Polylines of which points are asked for by distance from the start."""

    def __init__(self, geometries: Any) -> None:
        import shapely

        xy, of = shapely.get_coordinates(np.asarray(geometries), return_index=True)
        count = np.bincount(of, minlength=len(geometries))
        self._xy, self._first = xy, np.cumsum(count) - count
        self._last = np.maximum(self._first, self._first + count - 2)  # where the last part begins
        step = np.hypot(*np.diff(xy, axis=0, append=xy[-1:]).T)
        step[self._first + count - 1] = 0.0
        self._along = np.concatenate([[0.0], np.cumsum(step)[:-1]])
        self.length_m = self._along[self._first + count - 1] - self._along[self._first]

    def at(self, which: Ints, metres: Floats) -> Floats:
        """Return points (n, xy); beyond its ends a line goes straight on."""
        along = self._along[self._first[which]] + metres
        part = np.searchsorted(self._along, along, side="right") - 1
        part = np.clip(part, self._first[which], self._last[which])
        begin, end = self._xy[part], self._xy[np.minimum(part + 1, len(self._xy) - 1)]
        span = np.hypot(*(end - begin).T)
        share = (along - self._along[part]) / np.where(span > 1e-9, span, 1.0)
        return np.asarray(begin + (end - begin) * share[:, None])


class Canvas:
    """A picture of panel and map: what stays is painted once, what moves for every frame."""

    def __init__(self, view: View) -> None:
        pygame = self._pygame = load_pygame()
        self.view = view
        self.ground = pygame.Surface((view.width * FINER**2, view.height * FINER**2), depth=32)
        self.ground.fill(FAINT["ground"])
        self.panel = pygame.Surface((SIZE[0] - view.width, SIZE[1]), depth=32)
        self.panel.fill(PAPER)
        self._map: Any = None

    def fixed(self, polygons: Any, colour: Colour | str, hole: str = FAINT["ground"]) -> None:
        """Paint areas on the ground."""
        import shapely

        shown = np.asarray(polygons, object)
        shown = shown[self.view.shows(shown)] if len(shown) else shown
        paint = rgb_of(colour)
        for area in shapely.get_parts(shown):
            if area.geom_type == "Polygon" and not area.is_empty:
                self._fill(self.ground, [area.exterior.coords], paint, FINER**2)
                self._fill(self.ground, [r.coords for r in area.interiors], rgb_of(hole), FINER**2)

    def _fill(self, surface: Any, rings: Iterable[Any], colour: Colour, finer: int) -> None:
        for ring in rings:
            at = self.view.pixels(np.asarray(ring)[:, :2], finer)
            self._pygame.draw.polygon(surface, colour, at.tolist())

    def begin(self) -> None:
        """Begin a frame: the ground, and the panel without what changes."""
        pygame = self._pygame
        if self._map is None:
            size = (self.view.width * FINER, self.view.height * FINER)
            self._still = pygame.transform.smoothscale(self.ground, size)
            self._map = pygame.Surface(size, depth=32)
            self._frame = pygame.Surface(SIZE, depth=32)
            self.ground = None
        self._map.blit(self._still, (0, 0))
        self._frame.blit(self.panel, (0, 0))

    def polygons(self, corners: Floats, colours: Ints | Colour) -> None:
        """Paint polygons (n, corners, xy in metres), in one colour or one each, on the map."""
        at = self.view.pixels(corners, FINER).tolist()
        every = np.broadcast_to(np.asarray(colours), (len(at), 3)).tolist()
        for ring, colour in zip(at, every, strict=True):
            self._pygame.draw.polygon(self._map, colour, ring)

    def rings(self, rings: Sequence[Any], colours: Ints) -> None:
        """Paint polygons of pixels of the finer map, one colour each."""
        for ring, colour in zip(rings, colours.tolist(), strict=True):
            self._pygame.draw.polygon(self._map, colour, ring)

    def develop(self) -> None:
        """End of what is on the map: bring it to the size of the picture."""
        place = (SIZE[0] - self.view.width, 0, self.view.width, self.view.height)
        part = self._frame.subsurface(place)
        self._pygame.transform.smoothscale(self._map, (self.view.width, self.view.height), part)

    def chip(self, at: Point, text: str, fill: Colour, ink: Colour, radius: int) -> None:
        """Put a disc with a short text on the map, at a place in metres."""
        x, y = self.view.pixels(np.array(at))
        x, y = round(x) + SIZE[0] - self.view.width, round(y)
        disc = _disc(radius, fill, ink)
        self._frame.blit(disc, (x - disc.get_width() // 2, y - disc.get_height() // 2))
        _middle(self._frame, text, (x, y), max(9, round(radius * 1.15)), ink)

    def words(
        self, text: str, at: Point, size: int = 14, *, colour: Colour = INK, bold: bool = False,
        right: bool = False, still: bool = False, most: int | None = None,
    ) -> int:  # fmt: skip
        """Write on the panel; `at` is the left (or right) end of the base line; the width."""
        if most is not None:
            text = _shortened(text, font(size, bold=bold), most)
        if not text:
            return 0
        drawn, left, top = _word(text, size, colour, bold)
        width = left + int(drawn.get_width())
        target = self.panel if still else self._frame
        target.blit(drawn, (at[0] + left - (width if right else 0), at[1] + top))
        return width

    def head(self, title: str, below: str, source: str) -> None:
        """Write what the panel always says: a name, what it is, and whose data is shown."""
        width = self.panel.get_width() - 2 * MARGIN
        self.words(heading(title), (MARGIN, 46), 22, bold=True, still=True, most=width)
        self.words(below, (MARGIN, 68), 13, colour=FAINT_INK, still=True)
        self.rule(146)
        self.words(source, (MARGIN, SIZE[1] - 18), 11, colour=FAINT_INK, still=True, most=width)

    def rows(self, y: int, rows: Iterable[tuple[str, str]]) -> int:
        """Write names and values, one below the other; where the next one would be."""
        for name, value in rows:
            self.words(name, (MARGIN, y), 13, colour=FAINT_INK)
            right = self.panel.get_width() - MARGIN
            self.words(value, (right, y), 14, bold=True, right=True)
            y += 23
        return y

    def rule(self, y: int) -> None:
        """Draw a thin line across the panel."""
        self._pygame.draw.line(self.panel, RULE, (MARGIN, y), (self.panel.get_width() - MARGIN, y))

    def stripe(self, x: int, y: int, height: int, colour: Colour) -> None:
        """Draw an upright line of a pixel on the panel."""
        self._pygame.draw.line(self.panel, colour, (x, y), (x, y + height - 1))

    def key(self, y: int, swatches: Sequence[tuple[Sequence[Point], Colour]], text: str) -> None:
        """Write a line of the legend: polygons of pixels about a middle, and a text."""
        surface, k = self._pygame.Surface((128, 80), depth=32), 4
        surface.fill(PAPER)
        for ring, colour in swatches:
            at = [((x + 16) * k, (up + 10) * k) for x, up in ring]
            self._pygame.draw.polygon(surface, colour, at)
        small = self._pygame.transform.smoothscale(surface, (32, 20))
        self.panel.blit(small, (MARGIN, y - 10))
        self.words(text, (MARGIN + 42, y + 5), 13, still=True)

    def key_chip(self, y: int, fill: Colour, ink: Colour, text: str) -> None:
        """Write a line of the legend for a chip."""
        disc = _disc(8, fill, ink)
        self.panel.blit(disc, (MARGIN + 16 - disc.get_width() // 2, y - disc.get_height() // 2))
        _middle(self.panel, "2", (MARGIN + 16, y), 10, ink)
        self.words(text, (MARGIN + 42, y + 5), 13, still=True)

    def scale_bar(self, y: int) -> None:
        """Draw the map's scale, and where north is, on the panel; `y` is the foot of the bar."""
        draw, right = self._pygame.draw, self.panel.get_width() - MARGIN
        bar_m = next(
            (m for m in SCALE_LENGTHS_M if m * self.view.scale <= 150), SCALE_LENGTHS_M[-1]
        )
        width = round(bar_m * self.view.scale)
        ends = [(MARGIN, y - 5), (MARGIN, y), (MARGIN + width, y), (MARGIN + width, y - 5)]
        draw.lines(self.panel, INK, False, ends, 2)
        text = f"{number(bar_m / 1000.0)} km" if bar_m >= 1000 else f"{bar_m} m"
        self.words(text, (MARGIN + width + 10, y + 1), 12, still=True)
        x = right - 6
        tip = [(x, y - 22), (x + 5, y - 11), (x, y - 13), (x - 5, y - 11)]
        draw.polygon(self.panel, INK, tip)
        _middle(self.panel, "N", (x, y - 3), 12, INK)

    def finish(self) -> Frame:
        """Return the picture as uint8 (height, width, rgb)."""
        rows = self._pygame.image.tobytes(self._frame, "RGB")
        return np.frombuffer(rows, np.uint8).reshape(SIZE[1], SIZE[0], 3).copy()


def map_canvas(bounds: Sequence[float], city: City | None) -> Canvas:
    """Return a canvas that shows a rectangle with land, water and buildings of a city."""
    canvas = Canvas(View.fitted(bounds, SIZE[0] - PANEL, SIZE[1]))
    if city is None:
        return canvas
    import shapely

    from viz.outlines import surfaces

    green, water = surfaces(city, canvas.view.bounds)
    canvas.fixed(green, FAINT["green"])
    canvas.fixed(water, FAINT["water"])
    canvas.fixed(shapely.simplify(city.buildings.geometry.to_numpy(), 0.3), FAINT["building"])
    return canvas


def box(half_x: float, half_y: float) -> list[Point]:
    """Return a rectangle about the middle."""
    return [(-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y)]


def heading(title: str) -> str:
    """Return a scene's name as a heading: that of a city with a capital letter."""
    return title.title() if title.isalpha() else title


def attribution(city: City | None) -> str:
    """Return whose data a city is made of, as far as its sources say."""
    named = [s["attribution"] for s in city.sources if s.get("attribution")] if city else []
    return ", ".join(dict.fromkeys(named))


def _shortened(text: str, face: Any, most: int) -> str:
    """Return a text that is cut so that it takes no more pixels."""
    if face.getlength(text) <= most:
        return text
    while text and face.getlength(text + "…") > most:
        text = text[:-1]
    return text.rstrip() + "…"


def rgb_of(colour: Colour | str) -> Colour:
    """Return a colour as three numbers."""
    if isinstance(colour, str):
        red, green, blue = rgb(colour).tolist()
        return red, green, blue
    return colour


@lru_cache(maxsize=1024)
def _word(text: str, size: int, colour: Colour, bold: bool) -> tuple[Any, int, int]:
    """Return a text as a surface, and where it lies from the begin of its base line.

    By Pillow: fonts of pygame die when anybody in the process calls `pygame.quit`.
    """
    from PIL import Image, ImageDraw

    face = font(size, bold=bold)
    left, top, right, foot = (int(v) for v in face.getbbox(text, anchor="ls"))
    mask = Image.new("L", (max(1, right - left), max(1, foot - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, 255, face, anchor="ls")
    picture = Image.new("RGBA", mask.size, (*colour, 255))
    picture.putalpha(mask)
    drawn = load_pygame().image.frombytes(picture.tobytes(), mask.size, "RGBA")
    return drawn, left, top


def _middle(surface: Any, text: str, at: Point, size: int, colour: Colour) -> None:
    """Write a bold text with its middle at a place."""
    drawn, _, _ = _word(text, size, colour, True)
    surface.blit(drawn, drawn.get_rect(center=(round(at[0]), round(at[1]))))


@lru_cache
def _disc(radius: int, fill: Colour, edge: Colour) -> Any:
    """Return a disc with an edge, its rim smooth."""
    pygame, k = load_pygame(), 4
    side = (2 * radius + 4) * k
    big = pygame.Surface((side, side), pygame.SRCALPHA, 32)
    big.fill((*edge, 0))
    pygame.draw.circle(big, (*edge, 255), (side / 2, side / 2), (radius + 1) * k)
    pygame.draw.circle(big, (*fill, 255), (side / 2, side / 2), (radius - 0.5) * k)
    return pygame.transform.smoothscale(big, (side // k, side // k))
