"""What is written on a picture: title, legend, north, scale and whose data it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from viz import palette

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from viz.camera import Camera
    from viz.palette import Scale

ATTRIBUTION = "© OpenStreetMap contributors"
INK, FAINT = (38, 42, 51), (104, 108, 116)
MARGIN = 56  # at a height of 1080 pixels, as all that follows
BLOCK = (400, 190)
SCALE_LENGTHS_M = (5000, 2000, 1000, 500, 200, 100, 50, 20, 10)
BACKGROUND = ((250, 249, 246), (226, 228, 230))


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
    attribution
        Whose data is shown.
    """

    title: str
    subtitle: str = ""
    legend: str = ""
    unit: str = ""
    scale: Scale | None = None
    attribution: str = ATTRIBUTION


def compose(
    seen: npt.NDArray[np.uint8],
    size: tuple[int, int],
    caption: Caption,
    camera: Camera,
    plate: npt.NDArray[np.float64],
) -> Image:
    """Return the finished picture: background, the city on its shadow, and the words.

    Parameters
    ----------
    seen
        (height, width, rgba) of the city alone, at this or a higher resolution.
    size
        Width and height of the picture.
    caption
        The words.
    camera
        Through which the city was seen, for north and scale.
    plate
        Points of the plate in the scene, from `CityModel.plate`.
    """
    from PIL import Image, ImageDraw, ImageFilter

    city = Image.fromarray(seen, "RGBA").resize(size, Image.Resampling.BOX)
    picture = _background(size)
    unit = size[1] / 1080.0
    alpha = city.getchannel("A").point(lambda a: int(a * 0.30))
    soft = Image.new("L", size)
    soft.paste(alpha, (round(6 * unit), round(26 * unit)))
    soft = soft.filter(ImageFilter.GaussianBlur(22 * unit))
    picture.paste((52, 48, 60), (0, 0), soft)
    picture.paste(city.convert("RGB"), (0, 0), city.getchannel("A"))
    _block(picture, caption, camera, plate)
    draw = ImageDraw.Draw(picture)
    _words(draw, size, caption)
    _north(draw, camera, size)
    return picture


def font(pixels: float, *, bold: bool = False) -> Any:
    """Return DejaVu Sans, which comes with matplotlib, in a size."""
    import matplotlib as mpl
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(file), pixels, layout_engine=ImageFont.Layout.BASIC)


def _background(size: tuple[int, int]) -> Image:
    """Return a pale gradient from top to bottom."""
    from PIL import Image

    top, bottom = (np.array(c, float) for c in BACKGROUND)
    share = np.linspace(0.0, 1.0, size[1])[:, None]
    column = np.round(top + (bottom - top) * share).astype(np.uint8)
    return Image.fromarray(np.repeat(column[:, None, :], size[0], axis=1), "RGB")


def _words(draw: ImageDraw, size: tuple[int, int], caption: Caption) -> None:
    """Write title and subtitle in the upper left corner."""
    unit = size[1] / 1080.0
    left = MARGIN * unit
    room = size[0] - left - 240 * unit  # north needs the rest
    bold = _fitting(caption.title, 46 * unit, room, bold=True)
    draw.text((left, 40 * unit), caption.title, INK, bold)
    if caption.subtitle:
        plain = _fitting(caption.subtitle, 25 * unit, room, bold=False)
        draw.text((left, 104 * unit), caption.subtitle, FAINT, plain)


def _fitting(text: str, pixels: float, room: float, *, bold: bool) -> Any:
    """Return a font in which the text fits into the room."""
    chosen = font(pixels, bold=bold)
    width = chosen.getlength(text)
    return chosen if width <= room else font(max(10.0, pixels * room / width), bold=bold)


def _corner(
    picture: Image, camera: Camera, plate: npt.NDArray[np.float64]
) -> tuple[float, float, bool]:
    """Return left and top of the lower corner that the city leaves free, and if it does."""
    import shapely

    width, height = picture.size
    unit = height / 1080.0
    hull = shapely.convex_hull(shapely.multipoints(camera.pixels(plate, picture.size)))
    top = height - (BLOCK[1] + 24) * unit
    grey = np.asarray(picture.convert("L"), float)
    found = []
    for left in (MARGIN * unit, width - (MARGIN + BLOCK[0]) * unit):
        room = shapely.box(left, top, left + BLOCK[0] * unit, height)
        busy = float(grey[round(top) :, round(left) : round(left + BLOCK[0] * unit)].std())
        found.append((shapely.intersects(hull, room), busy, left))
    covered, _, left = min(found)
    return left, top, not covered


def _block(
    picture: Image, caption: Caption, camera: Camera, plate: npt.NDArray[np.float64]
) -> None:
    """Draw scale, legend and attribution in a lower corner, on a pane if the city is there."""
    from PIL import Image, ImageDraw

    unit = picture.size[1] / 1080.0
    left, top, free = _corner(picture, camera, plate)
    if not free:
        pad = 18 * unit
        box = (round(left - pad), round(top - pad))
        pane = (round(BLOCK[0] * unit + 2 * pad), round(BLOCK[1] * unit + 2 * pad))
        picture.paste(Image.new("RGB", pane, BACKGROUND[0]), box, Image.new("L", pane, 215))
    draw = ImageDraw.Draw(picture)
    _scale_bar(draw, camera, picture.size, plate, (left, top))
    if caption.scale is not None:
        _legend(picture, draw, caption, caption.scale, (left, top + 64 * unit))
    foot = (left, top + BLOCK[1] * unit)
    draw.text(foot, caption.attribution, FAINT, font(16 * unit), anchor="ls")


def _legend(
    picture: Image, draw: ImageDraw, caption: Caption, scale: Scale, corner: tuple[float, float]
) -> None:
    """Draw the colours with their values."""
    from PIL import Image

    unit = picture.size[1] / 1080.0
    left, top = corner[0], corner[1] + 36 * unit
    width, height = BLOCK[0] * unit, 20 * unit
    values = np.linspace(scale.low, scale.high, round(width))
    bar = np.repeat(scale.rgb(values)[None, :, :], round(height), axis=0)
    picture.paste(Image.fromarray(np.ascontiguousarray(bar), "RGB"), (round(left), round(top)))
    text = f"{caption.legend} [{caption.unit}]" if caption.unit else caption.legend
    draw.text(
        (left, top - 14 * unit), text, INK, _fitting(text, 21 * unit, width, bold=False), "ls"
    )
    marks = scale.ticks()
    labels = palette.tick_labels(marks, sign=scale.diverging)
    for value, label in zip(marks, labels, strict=True):
        x = left + width * float(scale.position([value])[0])
        draw.line([(x, top + height), (x, top + height + 6 * unit)], INK, max(1, round(unit * 1.5)))
        anchor = "la" if value == scale.low else "ra" if value == scale.high else "ma"
        draw.text((x, top + height + 10 * unit), label, INK, font(18 * unit), anchor)


def _north(draw: ImageDraw, camera: Camera, size: tuple[int, int]) -> None:
    """Draw a compass that lies on the ground, its needle pointing north."""
    unit = size[1] / 1080.0
    right, up, _ = camera.axes()
    centre = np.array([size[0] - 130 * unit, 96 * unit])

    def place(north: float, east: float) -> tuple[float, float]:
        way = np.array([east, north, 0.0])
        x, y = centre + 62 * unit * np.array([way @ right, -(way @ up)])
        return float(x), float(y)

    turn = np.linspace(0.0, 2.0 * np.pi, 73)
    ring = [place(float(np.cos(t)), float(np.sin(t))) for t in turn]
    draw.line(ring, fill=(176, 178, 184), width=max(1, round(2 * unit)), joint="curve")
    draw.polygon([place(0.92, 0), place(-0.8, 0.46), place(-0.42, 0)], fill=INK)
    draw.polygon([place(0.92, 0), place(-0.8, -0.46), place(-0.42, 0)], fill=(150, 153, 160))
    draw.text(place(1.38, 0), "N", INK, font(22 * unit, bold=True), "mm")


def _scale_bar(
    draw: ImageDraw,
    camera: Camera,
    size: tuple[int, int],
    plate: npt.NDArray[np.float64],
    corner: tuple[float, float],
) -> None:
    """Draw a bar at the true scale of the plate's middle.

    The view has perspective: nearer streets are larger, so the bar says where it holds.
    """
    unit = size[1] / 1080.0
    middle = np.array([*plate[:, :2].mean(axis=0), 0.0])
    ends = camera.pixels(np.stack([middle, middle + camera.axes()[0]]), size)
    pixels_per_m = float(np.hypot(*(ends[1] - ends[0])))
    fitting = [s for s in SCALE_LENGTHS_M if s * pixels_per_m <= 230 * unit]
    length_m = fitting[0] if fitting else SCALE_LENGTHS_M[-1]
    x0, y = corner[0], corner[1] + 8 * unit
    quarter, height = length_m * pixels_per_m / 4.0, 8 * unit
    for k in range(4):
        box = (x0 + k * quarter, y, x0 + (k + 1) * quarter, y + height)
        draw.rectangle(box, fill=INK if k % 2 == 0 else (255, 255, 255), outline=INK)
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"
    place = (x0 + 4 * quarter + 10 * unit, y + height / 2)
    draw.text(place, f"{label} in mid-picture", INK, font(18 * unit), "lm")
