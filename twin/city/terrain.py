"""The ground of a city: heights on a regular grid, and their readers."""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city.provenance import check_file, file_sha256
from twin.errors import InputError, check_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pyproj

    from twin.city.model import City, Progress

    Floats = npt.NDArray[np.float64]
    Box = tuple[float, float, float, float]

MOST_POSTS = 1_000_000
MARGIN = 0.05
"""The grid goes beyond the city's bounds by this share of their diagonal, and two posts."""
LEAST_SHARE = 0.005
"""A terrain that covers less of the city is none of it."""
LOWEST_M, HIGHEST_M = -500.0, 9000.0
"""Heights of land: the Dead Sea's shore lies at -430 m, Mount Everest at 8,849 m."""
TEXT_SUFFIXES = (".txt", ".xyz", ".csv", ".xyz.gz", ".txt.gz")


@dataclass(frozen=True, eq=False)
class Terrain:
    """Heights of the ground in metres above the datum, on posts of a regular grid.

    `heights` [rows from the south, columns from the west] is read-only. Between posts the ground
    is plane on two triangles a cell, divided from the south-west to the north-east.
    """

    heights: npt.NDArray[np.float32]
    x0_m: float  # of the post in the south-west
    y0_m: float
    step_m: float

    def __post_init__(self) -> None:
        """Keep anybody from changing the heights."""
        self.heights.setflags(write=False)

    @property
    def box(self) -> Box:
        """West, south, east and north of the outer posts."""
        rows, columns = self.heights.shape
        east = self.x0_m + (columns - 1) * self.step_m
        return self.x0_m, self.y0_m, east, self.y0_m + (rows - 1) * self.step_m

    def covers(self, box: Box) -> bool:
        """Return whether west, south, east and north lie within the outer posts."""
        own = self.box
        return own[0] <= box[0] and own[1] <= box[1] and own[2] >= box[2] and own[3] >= box[3]

    def at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """Return the heights at positions in metres, NaN outside the outer posts."""
        u = (np.asarray(x, dtype=np.float64) - self.x0_m) / self.step_m
        v = (np.asarray(y, dtype=np.float64) - self.y0_m) / self.step_m
        rows, columns = self.heights.shape
        with np.errstate(invalid="ignore"):
            inside = (u >= 0.0) & (v >= 0.0) & (u <= columns - 1) & (v <= rows - 1)
        u, v = np.where(inside, u, 0.0), np.where(inside, v, 0.0)
        i = np.minimum(u.astype(np.int64), columns - 2)
        j = np.minimum(v.astype(np.int64), rows - 2)
        u, v = u - i, v - j
        h = self.heights.astype(np.float64) if self.heights.size < u.size else self.heights
        south_west, north_east = h[j, i].astype(np.float64), h[j + 1, i + 1]
        corner = np.where(u >= v, h[j, i + 1], h[j + 1, i])
        large, small = np.maximum(u, v), np.minimum(u, v)
        found = south_west + large * (corner - south_west) + small * (north_east - corner)
        return np.where(inside, found, np.nan)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the grid and its heights."""
        digest = hashlib.sha256(f"{self.heights.shape}".encode())
        digest.update(np.array([self.x0_m, self.y0_m, self.step_m], dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.heights, dtype="<f4").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class _Source:
    """Heights of a file; `matrix` takes (x, y, 1) to column and row of `heights`."""

    heights: npt.NDArray[np.float32]  # NaN where there is none
    to_pixel: Floats  # [2, 3]
    crs: pyproj.CRS | None
    step_m: float  # distance of the posts, NaN where not in metres
    origin: tuple[float, float]  # a post
    says: dict[str, str]


def read_terrain(
    path: Path, city: City, step_m: float | None = None, progress: Progress | None = None
) -> tuple[Terrain, dict[str, str]]:
    """Return the terrain of a file around a city, and where it comes from.

    See `City.with_terrain`.
    """
    say = progress or (lambda _: None)
    check_file(path)
    if step_m is not None:
        check_number("step_m", step_m, 0.0, 10_000.0, above=True)
    if city.crs.is_engineering:
        msg = f"city {city.name}: lies in a plane nowhere on Earth, so no terrain fits it."
        raise InputError(msg)
    say(f"reading the terrain of {path.name}")
    box = _city_box(city)
    text = path.name.lower().endswith(TEXT_SUFFIXES)
    source = _from_text(path, city) if text else _from_raster(path, city, box, say)
    if source.crs is None:
        say(f"{path.name} states no CRS; taken to be in the city's, {city.crs.name}")
    terrain, share = _gridded(path, source, city, box, step_m)
    if share < 1.0:
        say(
            f"{path.name} covers {100.0 * share:.0f} % of the city; beyond its edge and in its"
            " gaps the nearest height holds"
        )
    facts = {
        "what": "terrain",
        "licence": "as stated by its publisher",
        "file": path.name,
        "sha256": file_sha256(path),
        "crs": source.crs.to_string() if source.crs is not None else "",
        "covers": f"{100.0 * share:.1f} % of the city",
    }
    return terrain, facts | source.says


def _city_box(city: City) -> Box:
    """Return the box around streets and buildings."""
    from twin.city.buildings import joined

    west, south, east, north = joined(city.bounds, city.buildings)
    if not np.isfinite([west, south, east, north]).all():
        msg = f"city {city.name}: has neither streets nor buildings, so no place for a terrain."
        raise InputError(msg)
    return west, south, east, north


def _gridded(
    path: Path, source: _Source, city: City, box: Box, step_m: float | None
) -> tuple[Terrain, float]:
    """Return a source on a grid of the city's CRS, and the share of the city that it covers."""
    import pyproj
    from scipy.ndimage import distance_transform_edt, map_coordinates

    crs = source.crs or city.crs
    same = crs == city.crs
    back = pyproj.Transformer.from_crs(city.crs, crs, always_xy=True)
    step = step_m or (source.step_m if same else _step(source, crs, city, box))
    grown = _grown(box, step)
    while (grown[2] - grown[0]) * (grown[3] - grown[1]) / step**2 > MOST_POSTS:
        step *= 2.0
        grown = _grown(box, step)
    ox, oy = source.origin if same else (0.0, 0.0)
    x0 = ox + np.floor((grown[0] - ox) / step) * step
    y0 = oy + np.floor((grown[1] - oy) / step) * step
    columns = int(np.ceil((grown[2] - x0) / step)) + 1
    rows = int(np.ceil((grown[3] - y0) / step)) + 1
    x, y = np.meshgrid(x0 + step * np.arange(columns), y0 + step * np.arange(rows))
    place = np.stack(np.broadcast_arrays(*(back.transform(x, y) if not same else (x, y)), 1.0))
    column, row = np.tensordot(source.to_pixel, place, axes=1)
    known = np.isfinite(source.heights)
    height, width = known.shape
    inside = (column > -0.5001) & (row > -0.5001)
    inside &= (column < width - 0.4999) & (row < height - 0.4999)
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    covered = inside & known[np.rint(row).astype(int), np.rint(column).astype(int)]
    share = _share(covered, x, y, box, step)
    if share < LEAST_SHARE:
        _refuse(path, source, crs, city, box, share)
    filled = source.heights
    if not known.all():
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        filled = filled[tuple(nearest)]
    found = map_coordinates(filled, [row, column], order=1, mode="nearest", output=np.float32)
    return Terrain(found, float(x0), float(y0), float(step)), share


def _grown(box: Box, step: float) -> Box:
    """Return a box with its margin."""
    margin = MARGIN * float(np.hypot(box[2] - box[0], box[3] - box[1])) + 2.0 * step
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


def _share(
    covered: npt.NDArray[np.bool_], x: Floats, y: Floats, box: Box, step: float
) -> float:  # fmt: skip
    """Return the share of the city's box on whose posts there are heights."""
    half = step / 2.0
    within = (x >= box[0] - half) & (x <= box[2] + half)
    within &= (y >= box[1] - half) & (y <= box[3] + half)
    return float(covered[within].mean()) if within.any() else 0.0


def _step(source: _Source, crs: pyproj.CRS, city: City, box: Box) -> float:
    """Return the distance of a source's posts at the city's middle in metres."""
    import pyproj

    forth = pyproj.Transformer.from_crs(crs, city.crs, always_xy=True)
    back = pyproj.Transformer.from_crs(city.crs, crs, always_xy=True)
    x, y = back.transform((box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0)
    move = np.linalg.inv(source.to_pixel[:, :2])  # a pixel's steps in the source's CRS
    a = np.array(forth.transform([x, x + move[0, 0]], [y, y + move[1, 0]]))
    b = np.array(forth.transform([x, x + move[0, 1]], [y, y + move[1, 1]]))
    step = min(float(np.hypot(*(p[:, 1] - p[:, 0]))) for p in (a, b))
    if not np.isfinite(step) or step <= 0.0:
        return float(max(box[2] - box[0], box[3] - box[1], 1.0))  # far away: refused soon
    return float(np.round(step, 3))


def _refuse(
    path: Path, source: _Source, crs: pyproj.CRS, city: City, box: Box, share: float
) -> None:
    """Refuse a terrain that is somewhere else, with both boxes in the city's CRS."""
    import pyproj

    height, width = source.heights.shape
    matrix = np.vstack([source.to_pixel, [0.0, 0.0, 1.0]])
    corners = np.linalg.inv(matrix) @ [[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1],
                                       [1, 1, 1, 1]]  # fmt: skip
    move = pyproj.Transformer.from_crs(crs, city.crs, always_xy=True)
    x, y = move.transform(corners[0], corners[1])
    theirs = " ".join(f"{v:.0f}" for v in (np.min(x), np.min(y), np.max(x), np.max(y)))
    covered = f"only {100.0 * share:.1g} %" if share else "nothing"
    msg = (
        f"{path}: covers {covered} of the city: it lies in {theirs}, the city in"
        f" {' '.join(f'{v:.0f}' for v in box)} ({city.crs.name}); check its CRS."
    )
    raise InputError(msg)


def _from_raster(path: Path, city: City, box: Box, say: Progress) -> _Source:
    """Return the part of a raster around the city, at most so fine as there may be posts."""
    import pyproj

    from twin.city.references import horizontal

    with rasters() as rasterio:
        from rasterio.enums import Resampling
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    try:
        with rasters(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as data:
                stated = pyproj.CRS.from_wkt(data.crs.to_wkt()) if data.crs else None
                crs = horizontal(stated) if stated else None
                if data.transform.is_identity:
                    msg = f"{path}: is a picture without a place on Earth, no terrain."
                    raise InputError(msg)
                _check_bands(path, data, say)
                unit = _unit_m(path, data.units[0] or "", stated)
                window = _window(data, crs or city.crs, city, box)
                shrink = max(1.0, np.sqrt(window.width * window.height / (4.0 * MOST_POSTS)))
                shape = max(1, round(window.height / shrink)), max(1, round(window.width / shrink))
                read = data.read(
                    1, window=window, out_shape=shape, masked=True, resampling=Resampling.average
                )
                scale, offset = data.scales[0], data.offsets[0]
                cells = _matrix(data.transform)
                tags = data.tags()
    except RasterioError as error:
        why = (str(error).splitlines() or ["?"])[0][:160]
        msg = f"{path}: is no raster that GDAL reads ({why})."
        raise InputError(msg) from error
    heights = read.astype(np.float32).filled(np.nan) * np.float32(scale) + np.float32(offset)
    if unit != 1.0:
        heights = (heights * unit).astype(np.float32)
        say(f"{path.name} counts heights in units of {unit:.7g} m; turned into metres")
    zoom = np.diag([window.width / shape[1], window.height / shape[0], 1.0])
    zoom[:2, 2] = window.col_off, window.row_off
    pixel = np.asarray(np.linalg.inv(cells @ zoom)[:2], dtype=np.float64)
    pixel[:, 2] -= 0.5  # heights stand for the middle of their cells
    move = np.linalg.inv(pixel[:, :2])
    step = float(np.hypot(*move[:, 0]))
    origin = tuple(move @ -pixel[:, 2])
    says = {"attribution": tags["TIFFTAG_COPYRIGHT"]} if tags.get("TIFFTAG_COPYRIGHT") else {}
    return _Source(_checked(path, heights), pixel, crs, step, (origin[0], origin[1]), says)


def _check_bands(path: Path, data: Any, say: Progress) -> None:
    """Refuse a picture; say which of several bands counts."""
    from rasterio.enums import ColorInterp

    colours = {ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.palette}
    if colours & set(data.colorinterp):
        msg = f"{path}: is a picture (its bands are colours), no terrain; name a raster of heights."
        raise InputError(msg)
    if data.count > 1:
        say(f"{path.name} has {data.count} bands; the first is taken for the heights")


def _unit_m(path: Path, band: str, crs: pyproj.CRS | None) -> float:
    """Return the unit of heights in metres: as the band says, else the vertical CRS, else 1."""
    from twin.city.references import unit_m

    if not band:
        axes = crs.axis_info if crs is not None else []
        up = [float(a.unit_conversion_factor) for a in axes if a.direction.lower() == "up"]
        return up[0] if up else 1.0
    unit = unit_m(band)
    if np.isnan(unit):
        msg = f"{path}: counts heights in {band[:40]!r}, no unit of length known here; convert it."
        raise InputError(msg)
    return unit


@contextmanager
def rasters() -> Iterator[Any]:
    """Give rasterio with PROJ's data of its own: SUMO points the environment to older ones."""
    kept = {k: os.environ[k] for k in ("PROJ_DATA", "PROJ_LIB") if "sumo" in os.environ.get(k, "")}
    for key in kept:
        del os.environ[key]
    try:
        import rasterio
        from rasterio.env import set_proj_data_search_path

        own = Path(rasterio.__file__).parent / "proj_data"
        if kept and own.is_dir():
            set_proj_data_search_path(str(own))
        yield rasterio
    finally:
        os.environ.update(kept)


def _matrix(transform: Any) -> Floats:
    """Return the affine transform of a raster as a matrix [3, 3]."""
    return np.array(tuple(transform), dtype=np.float64).reshape(3, 3)


def _window(data: Any, crs: pyproj.CRS, city: City, box: Box) -> Any:
    """Return the rows and columns around the city, all of them where they would be none."""
    import pyproj
    from rasterio.windows import Window

    whole = Window(0, 0, data.width, data.height)
    back = pyproj.Transformer.from_crs(city.crs, crs, always_xy=True)
    bounds = back.transform_bounds(*_grown(box, 0.0), densify_pts=21)
    west, south, east, north = bounds
    corners = [[west, west, east, east], [south, north, south, north], [1.0] * 4]
    if not np.isfinite(corners).all():
        return whole
    cells = (np.linalg.inv(_matrix(data.transform)) @ corners)[:2]
    (west, north), (east, south) = cells.min(axis=1) - 3, cells.max(axis=1) + 3
    west, east = np.clip(np.floor([west, east + 1]), 0, data.width)
    north, south = np.clip(np.floor([north, south + 1]), 0, data.height)
    if east - west < 2 or south - north < 2:
        return whole
    return Window(int(west), int(north), int(east - west), int(south - north))


def _from_text(path: Path, city: City) -> _Source:
    """Return heights of a text: lines of x, y and z, or the axes and then the heights."""
    from twin.city.references import without_zone
    from twin.city.solids import opened

    with opened(path) as stream:
        head = stream.read(64)
    axes = head.lstrip().startswith(b"# Number of x")
    x, y, heights = _by_axes(path) if axes else _by_points(path)
    if len(x) < 2 or len(y) < 2:
        msg = f"{path}: has posts in {len(x)} columns and {len(y)} rows; at least two are needed."
        raise InputError(msg)
    x = without_zone(x, city.crs)
    step_x, step_y = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    for axis, step, values in (("x", step_x, x), ("y", step_y, y)):
        off = np.abs(values - (values[0] + step * np.arange(len(values))))
        if off.max() > 0.01 * step:
            msg = f"{path}: its posts are no regular grid, see {axis} {values[off.argmax()]:g}."
            raise InputError(msg)
    pixel = np.array([[1.0 / step_x, 0.0, -x[0] / step_x], [0.0, 1.0 / step_y, -y[0] / step_y]])
    step = float(np.round(min(step_x, step_y), 6))
    origin = (float(x[0]), float(y[0]))
    return _Source(_checked(path, heights), pixel, None, step, origin, {})


def _by_axes(path: Path) -> tuple[Floats, Floats, npt.NDArray[np.float32]]:
    """Return x, y and heights of numbers of posts, x, y and z, each under its heading.

    The heights run along x first, in the order of the axes.
    """
    values = _numbers(path).ravel()
    n, m = (int(v) if v == v and 0 < v < 1e6 else 0 for v in (*values[:2], 0.0, 0.0)[:2])
    if not n or not m or len(values) != 2 + n + m + n * m:
        msg = f"{path}: has {len(values)} numbers, not those of {n} by {m} posts; cut off?"
        raise InputError(msg)
    x, y = values[2 : 2 + n], values[2 + n : 2 + n + m]
    heights = values[2 + n + m :].reshape(m, n)
    by_x, by_y = np.argsort(x), np.argsort(y)
    return x[by_x], y[by_y], heights[by_y][:, by_x].astype(np.float32)


def _by_points(path: Path) -> tuple[Floats, Floats, npt.NDArray[np.float32]]:
    """Return x, y and heights of lines of x, y and z in any order."""
    points = _numbers(path)
    if points.shape[1] < 3:
        msg = f"{path}: has {points.shape[1]} numbers a line, not x, y and z."
        raise InputError(msg)
    bad = np.flatnonzero(~np.isfinite(points[:, :2]).all(axis=1))
    if bad.size:
        msg = f"{path}: post {bad[0] + 1} has no position, {points[bad[0], 0]} {points[bad[0], 1]}."
        raise InputError(msg)
    x, column = np.unique(np.round(points[:, 0], 3), return_inverse=True)
    y, row = np.unique(np.round(points[:, 1], 3), return_inverse=True)
    if len(x) * len(y) > max(16, 4 * len(points)):
        msg = f"{path}: its {len(points)} points are no regular grid ({len(x)} x, {len(y)} y)."
        raise InputError(msg)
    heights = np.full((len(y), len(x)), np.nan, dtype=np.float32)
    heights[row, column] = points[:, 2]
    return x, y, heights


def _numbers(path: Path) -> Floats:
    """Return the numbers of a text [lines, numbers a line], without comments."""
    import pandas as pd

    from twin.city.solids import opened

    with opened(path) as stream:
        try:
            lines = (line for line in stream.read(4096).splitlines() if line.strip())
            first = next((line for line in lines if not line.startswith(b"#")), b"")
            comma = b"," if b"," in first else b";" if b";" in first else None
            stream.seek(0)
            frame = pd.read_csv(
                stream, sep=comma.decode() if comma else r"\s+", header=None, comment="#",
                dtype=np.float64, encoding="utf-8",
            )  # fmt: skip
        except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
            why = (str(error).splitlines() or ["?"])[0][:120]
            msg = f"{path}: is no text of heights ({why})."
            raise InputError(msg) from error
    return frame.to_numpy(np.float64)


def _checked(path: Path, heights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return heights with NaN for what is none; refuse a file without any."""
    with np.errstate(invalid="ignore"):
        real = np.isfinite(heights) & (heights >= LOWEST_M) & (heights <= HIGHEST_M)
    if not real.any():
        msg = f"{path}: holds no height between {LOWEST_M:g} and {HIGHEST_M:g} m there."
        raise InputError(msg)
    return np.where(real, heights, np.float32(np.nan))
