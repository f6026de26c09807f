"""What is written on a picture: title, legend, clock, north, scale and whose data it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import palette
from viz.language import word

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from viz.camera import Camera
    from viz.palette import Scale

    Box = tuple[float, float, float, float]

ATTRIBUTION = "© OpenStreetMap contributors"
ALERT = (176, 66, 0)
INK, FAINT, PAPER = (38, 42, 51), (92, 96, 104), (250, 249, 246)
MARGIN = 56  # at a height of 1080 pixels, as all that follows
WIDE = 420  # of the block with scale and legend
PAD = 18
BELOW_NORTH = 190  # where what a panel shows stands: below the compass
TITLE_TWO = 28  # size of a title in two lines
SMALLEST = 2 / 3  # of a font's size; longer words are cut
SCALE_LENGTHS_M = (5000, 2000, 1000, 500, 200, 100, 50, 20, 10, 5)
BACKGROUND = ((250, 249, 246), (226, 228, 230))
PANE_OPACITY = 0.86


@dataclass(frozen=True)
class Caption:
    """The words around a picture.

    Attributes
    ----------
    title, subtitle
        Upper left corner.
    legend, unit
        What the colours mean, in which unit.
    scale
        The colours; no legend without it.
    keys
        Further colours (#rrggbb, or two of them for stripes) with what they mean.
    labels
        What each of several panels shows.
    warning
        What the colours do not show and whoever sees them must know.
    speech
        What the speaker says, below in the middle.
    note
        A last remark of the legend.
    attribution
        Whose data is shown.
    says
        Stands in place of the colours, where there is no scale.
    beyond
        Whether values lie below and above the scale, whose ends then say so.
    heading
        What the speaker talks about, above what is said.
    """

    title: str
    subtitle: str = ""
    legend: str = ""
    unit: str = ""
    scale: Scale | None = None
    keys: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    warning: str = ""
    speech: str = ""
    note: str = ""
    attribution: str = ATTRIBUTION
    says: str = ""
    beyond: tuple[bool, bool] = (False, False)
    heading: str = ""


def compose(
    panels: Sequence[npt.NDArray[np.uint8]],
    size: tuple[int, int],
    caption: Caption,
    camera: Camera,
    plate: npt.NDArray[np.float64],
) -> Image:
    """Return the finished still: background, the city on its shadow, and the words.

    Parameters
    ----------
    panels
        (height, width, rgba) of the city alone, at this or a higher resolution: one, or two that
        lie beside each other, each as `caption.labels` says.
    size
        Width and height of the picture.
    caption
        The words; they lie on panes where the city is behind them.
    camera
        Through which the city was seen in each panel, for north and scale.
    plate
        Points around the city in the scene, from `Scene.hold`.
    """
    from PIL import Image, ImageFilter

    picture = background(size)
    unit = size[1] / 1080.0
    mask = Image.new("L", size)
    edges = _edges(size, len(panels))
    cities = [
        Image.fromarray(seen, "RGBA").resize((right - left, size[1]), Image.Resampling.BOX)
        for seen, (left, right) in zip(panels, edges, strict=True)
    ]
    for city, (start, _) in zip(cities, edges, strict=True):
        mask.paste(city.getchannel("A"), (start, 0))
    soft = Image.new("L", size)
    soft.paste(mask.point(lambda a: int(a * 0.30)), (round(6 * unit), round(26 * unit)))
    soft = soft.filter(ImageFilter.GaussianBlur(22 * unit))
    picture.paste((52, 48, 60), (0, 0), soft)
    for city, (start, _) in zip(cities, edges, strict=True):
        picture.paste(city.convert("RGB"), (start, 0), city.getchannel("A"))
    covered = np.asarray(mask) > 0
    _divide(picture, edges)
    left = _free_corner(size, _height(caption), covered)
    for box, pane in _words(size, caption, left):
        if covered[_inside(box, size)].any():
            _lay(picture, box)
        picture.paste(pane, (round(box[0]), round(box[1])), pane)
    _place(picture, camera, plate, left, _height(caption), covered=covered)
    return picture


@dataclass(frozen=True)
class Overlay:
    """The words of a film that stay the same in every frame.

    Attributes
    ----------
    image
        As large as the frame, transparent where nothing is written.
    caption
        What it says.
    """

    image: Image
    caption: Caption

    @classmethod
    def of(cls, size: tuple[int, int], caption: Caption) -> Overlay:
        """Return the words on their panes."""
        from PIL import Image

        image = Image.new("RGBA", size)
        _divide(image, _edges(size, max(1, len(caption.labels))))
        for box, pane in _words(size, caption, MARGIN * size[1] / 1080.0):
            _lay(image, box)
            image.alpha_composite(pane, (round(box[0]), round(box[1])))
        return cls(image, caption)

    def on(
        self,
        frame: npt.NDArray[np.uint8],
        camera: Camera,
        plate: npt.NDArray[np.float64],
        clock: str = "",
    ) -> npt.NDArray[np.uint8]:
        """Return a frame (height, width, rgb) with the words, north, scale and the clock."""
        from PIL import Image, ImageDraw

        picture = Image.fromarray(frame, "RGB")
        picture.paste(self.image, (0, 0), self.image)
        unit = picture.size[1] / 1080.0
        _place(picture, camera, plate, MARGIN * unit, _height(self.caption), covered=None)
        if clock:
            text = font(50 * unit, bold=True)
            wide = text.getlength(clock)
            right = picture.size[0] - 260 * unit
            box = (right - wide - 60 * unit, 32 * unit, right, 112 * unit)
            _lay(picture, box)
            middle = (right - wide / 2.0 - 30 * unit, 73 * unit)
            ImageDraw.Draw(picture).text(middle, clock, INK, text, "mm")
        return np.asarray(picture, np.uint8)


def _edges(size: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Return left and right edge of every panel."""
    at = [round(size[0] * k / count) for k in range(count + 1)]
    return list(pairwise(at))


def _divide(picture: Image, edges: list[tuple[int, int]]) -> None:
    """Draw a line between panels."""
    from PIL import ImageDraw

    for left, _ in edges[1:]:
        wide = max(1, round(picture.size[1] / 540.0))
        ImageDraw.Draw(picture).line([(left, 0), (left, picture.size[1])], (*INK, 255)[: len(
            picture.getbands())], wide)  # fmt: skip


@lru_cache(maxsize=64)
def font(pixels: float, *, bold: bool = False) -> Any:
    """Return DejaVu Sans, which comes with matplotlib, in a size."""
    import matplotlib as mpl
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(file), pixels, layout_engine=ImageFont.Layout.BASIC)


def background(size: tuple[int, int]) -> Image:
    """Return a pale gradient from top to bottom."""
    from PIL import Image

    top, bottom = (np.array(c, float) for c in BACKGROUND)
    share = np.linspace(0.0, 1.0, size[1])[:, None]
    column = np.round(top + (bottom - top) * share).astype(np.uint8)
    return Image.fromarray(np.repeat(column[:, None, :], size[0], axis=1), "RGB")


def _inside(box: Box, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return rows and columns of a box that lie in a picture."""
    x0, y0, x1, y1 = (max(0, round(v)) for v in box)
    return slice(y0, min(y1, size[1])), slice(x0, min(x1, size[0]))


def _lay(picture: Image, box: Box) -> None:
    """Lay a pane of paper over a box of a picture."""
    from PIL import Image, ImageDraw

    wide, high = round(box[2] - box[0]), round(box[3] - box[1])
    unit = picture.size[1] / 1080.0
    mask = Image.new("L", (wide, high))
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, wide - 1, high - 1), 8 * unit, fill=round(255 * PANE_OPACITY)
    )
    if picture.mode == "RGBA":
        pane = Image.new("RGBA", (wide, high), (*PAPER, 0))
        pane.putalpha(mask)
        picture.alpha_composite(pane, (round(box[0]), round(box[1])))
    else:
        picture.paste(Image.new("RGB", (wide, high), PAPER), (round(box[0]), round(box[1])), mask)


def _height(caption: Caption) -> float:
    """Return the height of the block in the lower corner, at a picture's height of 1080."""
    rows = 50.0 + (24.0 if caption.attribution else 0.0)  # scale bar, attribution
    if caption.scale is not None or caption.says:
        rows += 94.0
    rows += 30.0 * ((len(caption.keys) + 1) // 2)
    rows += 26.0 if caption.note else 0.0
    return rows


def _free_corner(size: tuple[int, int], high: float, covered: npt.NDArray[np.bool_]) -> float:
    """Return the left edge of the lower corner that the city leaves free, or covers less."""
    unit = size[1] / 1080.0
    top = size[1] - (high + MARGIN) * unit
    found = []
    for left in (MARGIN * unit, size[0] - (MARGIN + WIDE) * unit):
        box = (left, top, left + WIDE * unit, float(size[1]))
        found.append((float(covered[_inside(box, size)].mean()), left))
    return min(found)[1]


def _words(size: tuple[int, int], caption: Caption, left: float) -> list[tuple[Box, Image]]:
    """Return boxes of the picture and what is written in each: title, and legend."""
    from PIL import Image, ImageDraw

    unit = size[1] / 1080.0
    pad = PAD * unit
    beside = len(caption.labels) > 1  # then the line between both panels stays free
    room = size[0] / 2.0 - (MARGIN + 2 * PAD) * unit if beside else size[0] * 0.6
    rows = [
        (6.0, caption.title, 44, True, INK), (68.0, caption.subtitle, 24, False, FAINT),
        (104.0 if caption.subtitle else 68.0, caption.warning, 22, True, ALERT),
    ]  # fmt: skip
    two = _lines(caption.title, font(TITLE_TWO * unit, bold=True), room)
    if len(two) > 1 and _fitting(caption.title, 44 * unit, room, bold=True).size < 30 * unit:
        below = (34.0, " ".join(two[1:]), TITLE_TWO, True, INK)
        rows[:1] = [(0.0, two[0], TITLE_TWO, True, INK), below]
    lines = [_shortened(row[1], row[2] * unit, room, bold=row[3]) for row in rows]
    wide = max(chosen.getlength(text) for chosen, text in lines) + 2 * pad
    high = (66 + 42 * bool(caption.subtitle) + 38 * bool(caption.warning)) * unit
    x, y = MARGIN * unit - pad, 32 * unit
    title = Image.new("RGBA", (max(1, round(wide)), round(high)))
    draw = ImageDraw.Draw(title)
    for (chosen, text), row in zip(lines, rows, strict=True):
        draw.text((pad, row[0] * unit), text, row[4], chosen)
    block_high = _height(caption) * unit + pad
    top = size[1] - block_high - 30 * unit
    block = Image.new("RGBA", (round(WIDE * unit + 2 * pad), round(block_high)))
    _block(block, caption, unit)
    panels = _edges(size, len(caption.labels)) if caption.labels else []
    return [
        *(_label(size, caption, k, edges) for k, edges in enumerate(panels)),
        *([_speech(size, caption)] if caption.speech or caption.heading else []),
        ((x, y, x + wide, y + high), title),
        ((left - pad, top, left - pad + block.size[0], top + block_high), block),
    ]


def _speech(size: tuple[int, int], caption: Caption) -> tuple[Box, Image]:
    """Return the box below in the middle and the speaker's text in it, in lines."""
    from PIL import Image, ImageDraw

    unit, pad = size[1] / 1080.0, PAD * size[1] / 1080.0
    room = size[0] * 0.42
    written = [
        (line, chosen)
        for text, chosen in (
            (caption.heading, font(25 * unit, bold=True)), (caption.speech, font(25 * unit)),
        )
        for line in _lines(text, chosen, room)
    ]  # fmt: skip
    wide = max(chosen.getlength(line) for line, chosen in written) + 2 * pad
    high = 34 * unit * len(written) + 1.5 * pad
    image = Image.new("RGBA", (round(wide), round(high)))
    for k, (line, chosen) in enumerate(written):
        ImageDraw.Draw(image).text((pad, 0.6 * pad + 34 * unit * k), line, INK, chosen)
    x, y = (size[0] - wide) / 2.0, size[1] - high - 30 * unit
    return (x, y, x + wide, y + high), image


def _lines(text: str, chosen: Any, room: float) -> list[str]:
    """Return a text in lines that fit into the room."""
    lines: list[str] = []
    for each in text.split():
        longer = f"{lines[-1]} {each}" if lines else each
        if lines and chosen.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(each)
    return lines


def _label(
    size: tuple[int, int], caption: Caption, k: int, edges: tuple[int, int]
) -> tuple[Box, Image]:
    """Return the box above a panel and what it shows."""
    from PIL import Image, ImageDraw

    unit = size[1] / 1080.0
    fitted, text = _shortened(caption.labels[k], 28 * unit, (edges[1] - edges[0]) * 0.8, bold=True)
    wide, high = round(fitted.getlength(text) + 2 * PAD * unit), round(46 * unit)
    x, y = (edges[0] + edges[1] - wide) / 2.0, BELOW_NORTH * unit
    label = Image.new("RGBA", (wide, high))
    ImageDraw.Draw(label).text((wide / 2.0, high / 2.0), text, INK, fitted, "mm")
    return (x, y, x + wide, y + high), label


def _shortened(text: str, pixels: float, room: float, *, bold: bool) -> tuple[Any, str]:
    """Return a font, down to two thirds of its size, and what fits of the text into the room."""
    least = max(10.0, pixels * SMALLEST)
    chosen = font(max(least, _fitting(text, pixels, room, bold=bold).size), bold=bold)
    if chosen.getlength(text) <= room:
        return chosen, text
    chosen, kept = font(least, bold=bold), text
    while kept and chosen.getlength(kept.rstrip() + "…") > room:
        kept = kept[:-1]
    return chosen, kept.rstrip() + "…"


def _fitting(text: str, pixels: float, room: float, *, bold: bool) -> Any:
    """Return a font in which the text fits into the room."""
    chosen = font(pixels, bold=bold)
    width = chosen.getlength(text)
    return chosen if width <= room else font(max(10.0, pixels * room / width), bold=bold)


def _block(block: Image, caption: Caption, unit: float) -> None:
    """Write legend, keys, note and attribution; the room above is for the scale bar."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(block)
    left, y = PAD * unit, (PAD / 2 + 50.0) * unit
    if caption.scale is not None:
        _legend(block, draw, caption, caption.scale, (left, y + 22 * unit))
        y += 94 * unit
    elif caption.says:
        chosen = font(20 * unit, bold=True)
        draw.text((left, y + 16 * unit), caption.legend, INK, font(21 * unit), "ls")
        for k, said in enumerate(_lines(caption.says, chosen, WIDE * unit)[:2]):
            draw.text((left, y + (26 + 27 * k) * unit), said, INK, chosen)
        y += 94 * unit
    for k, (colour, text) in enumerate(caption.keys):
        x = left + (k % 2) * WIDE / 2 * unit
        line = y + (k // 2) * 30 * unit
        several = colour.split() * (2 if " " in colour else 1)
        for i, each in enumerate(several):
            a, b = (x + 26 * unit * (i + d) / len(several) for d in (0, 1))
            fill = tuple(int(v) for v in palette.rgb(each))
            draw.rectangle((a, line + 3 * unit, b, line + 17 * unit), fill=fill)
        fitted = _fitting(text, 18 * unit, (WIDE / 2 - 40) * unit, bold=False)
        draw.text((x + 34 * unit, line + 10 * unit), text, INK, fitted, "lm")
    y += 30 * unit * ((len(caption.keys) + 1) // 2)
    if caption.note:
        fitted = _fitting(caption.note, 16 * unit, WIDE * unit, bold=False)
        draw.text((left, y + 10 * unit), caption.note, FAINT, fitted, "lm")
        y += 26 * unit
    fitted = _fitting(caption.attribution, 16 * unit, WIDE * unit, bold=False)
    draw.text((left, y + 12 * unit), caption.attribution, FAINT, fitted, "lm")


def _legend(
    picture: Image, draw: ImageDraw, caption: Caption, scale: Scale, corner: tuple[float, float]
) -> None:
    """Draw the colours with their values, its title above the corner."""
    from PIL import Image

    unit = (picture.size[0] - 1) / (WIDE + 2 * PAD)
    left, top = corner
    width, height = WIDE * unit, 20 * unit
    values = np.linspace(scale.low, scale.high, round(width))
    bar = np.repeat(scale.rgb(values)[None, :, :], round(height), axis=0)
    picture.paste(Image.fromarray(np.ascontiguousarray(bar), "RGB"), (round(left), round(top)))
    text = f"{caption.legend} [{caption.unit}]" if caption.unit else caption.legend
    draw.text((left, top - 6 * unit), text, INK, _fitting(text, 21 * unit, width, bold=False), "ls")
    marks = scale.ticks()
    labels = palette.tick_labels(marks, sign=scale.diverging)
    if caption.beyond[0]:
        labels[0] = f"≤\u00a0{labels[0]}"
    if caption.beyond[1]:
        labels[-1] = f"≥\u00a0{labels[-1]}"
    for value, label in zip(marks, labels, strict=True):
        x = left + width * float(scale.position([value])[0])
        draw.line([(x, top + height), (x, top + height + 6 * unit)], INK, max(1, round(unit * 1.5)))
        anchor = "la" if value == scale.low else "ra" if value == scale.high else "ma"
        draw.text((x, top + height + 10 * unit), label, INK, font(18 * unit), anchor)


def _place(
    picture: Image,
    camera: Camera,
    plate: npt.NDArray[np.float64],
    left: float,
    high: float,
    *,
    covered: npt.NDArray[np.bool_] | None,
) -> None:
    """Draw what follows from the camera: north and scale; panes as in `compose`."""
    from PIL import ImageDraw

    size = picture.size
    unit = size[1] / 1080.0
    box = (size[0] - 226 * unit, 20 * unit, size[0] - 34 * unit, 180 * unit)
    if covered is None or covered[_inside(box, size)].any():
        _lay(picture, box)
    draw = ImageDraw.Draw(picture)
    _north(draw, camera, size)
    top = size[1] - (high + PAD + 30 - PAD / 2) * unit
    seen = (round(camera.aspect * size[1]), size[1])
    _scale_bar(draw, camera, seen, plate, (left, top + 18 * unit))


def _north(draw: ImageDraw, camera: Camera, size: tuple[int, int]) -> None:
    """Draw a compass that lies on the ground, its needle pointing north."""
    unit = size[1] / 1080.0
    right, up, _ = camera.axes()
    centre = np.array([size[0] - 130 * unit, 100 * unit])

    def place(north: float, east: float) -> tuple[float, float]:
        way = np.array([east, north, 0.0])
        x, y = centre + 56 * unit * np.array([way @ right, -(way @ up)])
        return float(x), float(y)

    turn = np.linspace(0.0, 2.0 * np.pi, 73)
    ring = [place(float(np.cos(t)), float(np.sin(t))) for t in turn]
    draw.line(ring, fill=(176, 178, 184), width=max(1, round(2 * unit)), joint="curve")
    draw.polygon([place(0.92, 0), place(-0.8, 0.46), place(-0.42, 0)], fill=INK)
    draw.polygon([place(0.92, 0), place(-0.8, -0.46), place(-0.42, 0)], fill=(150, 153, 160))
    x, y = np.subtract(place(1.0, 0), centre)
    far = 1.0 + 18 * unit / max(float(np.hypot(x, y)), 1.0)
    draw.text(tuple(centre + far * np.array([x, y])), "N", INK, font(22 * unit, bold=True), "mm")


def _scale_bar(
    draw: ImageDraw,
    camera: Camera,
    size: tuple[int, int],
    plate: npt.NDArray[np.float64],
    corner: tuple[float, float],
) -> None:
    """Draw a bar at the true scale of the place that the camera looks at.

    The view has perspective: nearer streets are larger, so the bar says where it holds.
    """
    unit = size[1] / 1080.0
    middle = np.array([*camera.focal[:2], float(plate[:, 2].clip(0.0).min())])
    ends = camera.pixels(np.stack([middle, middle + camera.axes()[0]]), size)
    pixels_per_m = float(np.hypot(*(ends[1] - ends[0])))
    fitting = [s for s in SCALE_LENGTHS_M if s * pixels_per_m <= 230 * unit]
    length_m = fitting[0] if fitting else SCALE_LENGTHS_M[-1]
    x0, y = corner
    quarter, height = length_m * pixels_per_m / 4.0, 8 * unit
    for k in range(4):
        box = (x0 + k * quarter, y, x0 + (k + 1) * quarter, y + height)
        draw.rectangle(box, fill=INK if k % 2 == 0 else (255, 255, 255), outline=INK)
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"
    place = (x0 + 4 * quarter + 10 * unit, y + height / 2)
    draw.text(place, f"{label} {word('in mid-picture')}", INK, font(18 * unit), "lm")
