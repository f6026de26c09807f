"""The report as PDF, made of its HTML file by WeasyPrint.

WeasyPrint looks for what `<use>` refers to in the same SVG only, and draws every shape anew: so
the shapes of streets are written into each map, and one picture is the ground of all maps.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import io
import logging
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

GROUND_PIXELS = 900  # of the longer side
PRINT = "or leave --pdf out and print report.html from a browser"
WEASYPRINT = f"PDF needs WeasyPrint: pip install 'stadtzwilling[pdf]', {PRINT}"
PANGO = (
    f"PDF needs the library Pango: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0, {PRINT}"
)
FIRST_PAGE = (  # height of the picture, mm (0: none), and size of type, pt
    (0, 7.0), (0, 7.5), (25, 7.5), (32, 8.0), (40, 8.0), (48, 8.5), (54, 8.5), (60, 9.0),
    (66, 9.0), (72, 9.0), (78, 9.5), (84, 9.5), (90, 9.5), (96, 9.5), (102, 9.5), (108, 9.5),
    (114, 9.5), (120, 9.5),
)  # fmt: skip
MAP_SHARE = 0.6  # of the page's width that a map takes at most
PAGE_MM = 182.0
MAP_MM = 100.0
_SHAPE = re.compile(r'<path id="(m\d+)" d="([^"]*)"')
_USE = re.compile(r'<use href="#(m\d+)"([^>]*?)/>')
_GROUND = re.compile(r'<use href="#m-ground"/>')
_PLAIN = re.compile(r'<use href="#m-plain"[^>]*/>')
_HIDDEN = re.compile(r'<svg [^>]*aria-hidden="true">.*?</svg>', re.DOTALL)
_AREA = re.compile(r'<path d="([^"]*)" fill="(#[0-9a-f]{6})"')
_RATIO = re.compile(r'style="--ratio:([\d.]+)"')
_SIZE = re.compile(r'<rect width="(\d+)" height="(\d+)"')


def check_pdf() -> None:
    """Make sure that PDF can be written.

    Raises
    ------
    InputError
        If WeasyPrint is not installed, or does not find Pango.
    """
    # It prints a page on what it does not find, and warns of what it will need some day.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import weasyprint  # noqa: F401
        except ImportError:
            raise InputError(WEASYPRINT) from None
        except OSError:
            raise InputError(PANGO) from None


def write_pdf(page: Path) -> Path:
    """Write a report as PDF beside its HTML file, and return its path.

    Raises
    ------
    InputError
        If WeasyPrint is not installed, or does not find Pango.
    OutputError
        If the file cannot be written.
    """
    check_pdf()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    path = page.with_suffix(".pdf")
    part = path.with_name(f".{path.name}.part")
    data = _document(_fitted(printable(page.read_text(encoding="utf-8")))).write_pdf()
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"{path}: cannot be written, {error.strerror or error}; name another with -o"
        raise OutputError(msg) from None
    return path


def _document(html: str) -> Any:
    """Return WeasyPrint's document, which may open nothing but what it holds itself."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    return HTML(string=html, url_fetcher=URLFetcher(allowed_protocols={"data"}))


def _fitted(html: str) -> str:
    """Return a printable report with the greatest picture that leaves the first page one page."""
    end = html.find("</section>")
    if end < 0:
        return html

    def styled(k: int) -> str:
        height, size = FIRST_PAGE[k]
        said = f"--map-height:{height}mm; font-size:{size}pt; {_map_width(html, height)}"
        unseen = "" if height else "#first .picture { display:none; }"
        style = f"<style>#first {{ {said} }} {unseen}</style>"
        return html[:end].replace("</head>", f"{style}</head>", 1)

    def too_long(k: int) -> bool:
        page = f"{styled(k)}</section></main></body></html>"
        return len(_document(page).render().pages) > 1

    first = bisect.bisect_left(range(len(FIRST_PAGE)), True, key=too_long) - 1
    return styled(max(0, first)) + html[end:]


def printable(html: str) -> str:
    """Return a report with all that is folded open, and every map whole in itself."""
    hidden = _HIDDEN.search(html)
    for unseen in (r"<script>.*?</script>", r'<details class="percent".*?</details>'):
        html = re.sub(unseen, "", html, flags=re.DOTALL)
    html = re.sub(r"<details( class=.*?)?>", r"<details\1 open>", html)
    html = html.replace("currentColor", "#000000").replace("var(--paper, #ffffff)", "#ffffff")
    if hidden is None:
        return html
    shapes = dict(_SHAPE.findall(hidden[0]))
    html = html.replace(hidden[0], "")
    html = _USE.sub(lambda m: f'<path d="{shapes[m[1]]}"{m[2]}/>', html)
    ground = _ground(hidden[0], shapes.values())
    style = (
        f"<style>svg.map {{ background:url({ground}) 0 0 / 100% 100% no-repeat; }} "
        f"main {{ {_map_width(html, MAP_MM)} }}</style>"
    )
    return _PLAIN.sub("", _GROUND.sub("", html)).replace("</head>", f"{style}</head>", 1)


def _map_width(html: str, height_mm: float) -> str:
    """Return how wide a map of this height is, as a declaration."""
    ratio = float(found[1]) if (found := _RATIO.search(html)) else 1.0
    return f"--map-width:{min(MAP_SHARE * PAGE_MM, ratio * height_mm):.1f}mm;"


def _ground(definitions: str, streets: Any) -> str:
    """Return land, water, buildings and plain streets as one picture, written as a data URI."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

    size = _SIZE.search(definitions)
    if size is None:
        return ""
    width, height = int(size[1]), int(size[2])
    inches = GROUND_PIXELS / 100.0 / max(width, height)
    figure = Figure(figsize=(width * inches, height * inches), dpi=100, facecolor="#f4f2ec")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for data, colour in _AREA.findall(definitions):
        if data:
            axes.add_patch(PathPatch(_path(data), facecolor=colour, linewidth=0.0))
    line = 7.0 * inches * 72.0
    every = _path("".join(streets))
    axes.add_patch(PathPatch(every, facecolor="none", edgecolor="#c8c4ba", linewidth=line))
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    uri = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/png;base64,{uri}"


def _path(data: str) -> Any:
    """Return path data of the maps, which are runs "Mx ylx yx y...z", as matplotlib's path."""
    from matplotlib.path import Path as Curve

    corners, codes = [], []
    for run in data.split("M")[1:]:
        numbers = np.array(re.findall(r"-?\d+", run), float)
        if len(numbers) % 2:  # "h1": a point
            numbers = np.append(numbers, 0.0)
        points = np.cumsum(numbers.reshape(-1, 2), axis=0)
        closed = run.endswith("z")
        corners.append(np.vstack([points, points[:1]]) if closed else points)
        codes.append([Curve.MOVETO, *[Curve.LINETO] * (len(points) - 1),
                      *([Curve.CLOSEPOLY] if closed else [])])  # fmt: skip
    if not corners:
        return Curve(np.zeros((0, 2)))
    return Curve(np.concatenate(corners), np.concatenate(codes))
