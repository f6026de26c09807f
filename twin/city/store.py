"""Saving a city as a folder of GeoParquet tables with `city.json`, and loading it."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.city import schema
from twin.city.provenance import file_sha256, versions
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from twin.city.model import City
    from twin.city.terrain import Terrain

FORMAT = "stadtzwilling-city"
FORMAT_VERSION = 1
MANIFEST = "city.json"
NET = "network.net.xml.gz"
TERRAIN = "terrain.tif"
_MANIFEST_LIMIT = 16 * 2**20


def save(city: City, folder: Path) -> Path:
    """Write the city into a folder and return it; see `City.save`."""
    if folder.exists() and not is_city(folder):
        msg = f"{folder}: exists and is no saved city; choose another folder."
        raise OutputError(msg)
    with replacing_folder(folder) as part:
        files = {}
        for name, frame in city.tables.items():
            path = part / f"{name}.parquet"
            frame.to_parquet(path, index=False, compression="zstd")
            files[name] = {"rows": len(frame), "sha256": file_sha256(path)}
        if city.net:
            (part / NET).write_bytes(city.net)
        if city.terrain is not None:
            _write_terrain(part / TERRAIN, city)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": city.name,
            "crs": city.crs.to_json_dict(),
            "digest": city.digest,
            "sources": city.sources,
            "options": city.options,
            "versions": versions("geopandas", "pyarrow", "shapely", "pyproj"),
            "tables": files,
            "net_sha256": file_sha256(part / NET) if city.net else "",
        }
        if city.terrain is not None:
            manifest["terrain"] = {
                "sha256": file_sha256(part / TERRAIN),
                "x0_m": city.terrain.x0_m,
                "y0_m": city.terrain.y0_m,
                "step_m": city.terrain.step_m,
            }
        text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=False)
        (part / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return folder


def load(folder: Path, only: Mapping[str, Sequence[str]] | None = None) -> City:
    """Return the city of a folder; see `City.load`.

    With `only`, these tables, with these columns if any are named, and the others empty: enough
    to look something up, and sooner there.
    """
    import pyproj
    from pyproj.exceptions import CRSError

    from twin.city.model import City

    manifest = _manifest(folder)
    try:
        crs = pyproj.CRS.from_json_dict(manifest["crs"])
    except (CRSError, KeyError, TypeError) as error:
        msg = f"{folder / MANIFEST}: its crs is damaged; save the city again."
        raise InputError(msg) from error
    lacking = [name for name in schema.LATER if name not in manifest["tables"]]
    if only is not None:
        lacking = [name for name in schema.TABLES if name not in only or name in lacking]
    tables = {
        name: schema.empty(name, crs)
        if name in lacking
        else _table(folder, name, manifest, (only or {}).get(name, ()))
        for name in schema.TABLES
    }
    if only is None:
        schema.check_structure(tables, str(folder))
    city = City(
        name=manifest["name"],
        crs=crs,
        sources=manifest["sources"],
        options=manifest["options"],
        net=_net(folder, manifest) if only is None else b"",
        terrain=_terrain(folder, manifest) if only is None else None,
        **tables,
    )
    if only is None and city.digest != manifest["digest"]:
        msg = f"{folder}: the tables do not match the digest in {MANIFEST}; save the city again."
        raise InputError(msg)
    return city


def _net(folder: Path, manifest: dict[str, Any]) -> bytes:
    """SUMO's network of a saved city; empty where it was saved without."""
    wanted, path = manifest.get("net_sha256", ""), folder / NET
    if not wanted:
        return b""
    if not path.is_file() or file_sha256(path) != wanted:
        msg = f"{path}: is missing, or was changed (SHA-256 differs); save the city again."
        raise InputError(msg)
    return path.read_bytes()


def _write_terrain(path: Path, city: City) -> None:
    """Write the terrain as GeoTIFF, north up, for GIS too; a cell's middle is a post."""
    from twin.city.terrain import rasters

    terrain = city.terrain
    if terrain is None:
        return
    west, _, _, north = terrain.box
    step = terrain.step_m
    rows, columns = terrain.heights.shape
    with rasters() as rasterio:
        transform = rasterio.Affine(step, 0.0, west - step / 2.0, 0.0, -step, north + step / 2.0)
        with rasterio.open(
            path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32",
            crs=city.crs.to_wkt(), transform=transform, compress="deflate", predictor=3,
        ) as data:  # fmt: skip
            data.write(terrain.heights[::-1], 1)


def _terrain(folder: Path, manifest: dict[str, Any]) -> Terrain | None:
    """The terrain of a saved city, None where it was saved without."""
    entry, path = manifest.get("terrain"), folder / TERRAIN
    if entry is None:
        return None
    keys = ("x0_m", "y0_m", "step_m")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(k), float) for k in keys):
        msg = f"{folder / MANIFEST}: terrain is damaged; save the city again."
        raise InputError(msg)
    if not path.is_file() or file_sha256(path) != entry.get("sha256"):
        msg = f"{path}: is missing, or was changed (SHA-256 differs); save the city again."
        raise InputError(msg)
    from twin.city.terrain import Terrain, rasters

    with rasters() as rasterio:
        from rasterio.errors import RasterioError
    try:
        with rasters(), rasterio.open(path) as data:
            heights = data.read(1)[::-1].copy()
    except RasterioError as error:
        msg = f"{path}: is no readable raster ({_first_line(error)}); save the city again."
        raise InputError(msg) from error
    return Terrain(heights, entry["x0_m"], entry["y0_m"], entry["step_m"])


def is_city(folder: Path) -> bool:
    """Return whether a folder holds a saved city, of whatever version."""
    try:
        return bool(_read_json(folder / MANIFEST).get("format") == FORMAT)
    except InputError:
        return False


def _manifest(folder: Path) -> dict[str, Any]:
    """Return `city.json`, refused unless this version can read it."""
    if not folder.is_dir():
        msg = f"{folder}: no such folder; a saved city is a folder with {MANIFEST} in it."
        raise InputError(msg)
    path = folder / MANIFEST
    if not path.is_file():
        msg = f"{folder}: has no {MANIFEST}, so it is no saved city."
        raise InputError(msg)
    manifest = _read_json(path)
    if manifest.get("format") != FORMAT:
        msg = f"{path}: format is {manifest.get('format')!r}, not {FORMAT!r}: no saved city."
        raise InputError(msg)
    if manifest.get("format_version") != FORMAT_VERSION:
        msg = (
            f"{path}: format version {manifest.get('format_version')!r} cannot be read here,"
            f" only {FORMAT_VERSION}; build the city again."
        )
        raise InputError(msg)
    types = {"name": str, "crs": dict, "digest": str, "sources": list, "options": dict,
             "tables": dict}  # fmt: skip
    for key, kind in types.items():
        if not isinstance(manifest.get(key), kind):
            msg = f"{path}: {key} is missing or damaged; save the city again."
            raise InputError(msg)
    return manifest


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            text = stream.read(_MANIFEST_LIMIT)
        value = json.loads(text)
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is no valid JSON; the city was cut off or changed, save it again."
        raise InputError(msg) from error
    if not isinstance(value, dict):
        msg = f"{path}: holds no JSON object; save the city again."
        raise InputError(msg)
    return value


def _table(
    folder: Path, name: str, manifest: dict[str, Any], columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a table, or columns of it, whose file has the hash that the manifest states."""
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

    path = folder / f"{name}.parquet"
    entry = manifest["tables"].get(name)
    if not isinstance(entry, dict):
        msg = f"{folder / MANIFEST}: does not list table {name}; save the city again."
        raise InputError(msg)
    if not path.is_file():
        msg = f"{path}: the table is missing; save the city again."
        raise InputError(msg)
    if file_sha256(path) != entry.get("sha256"):
        msg = f"{path}: the file was changed or cut off (SHA-256 differs); save the city again."
        raise InputError(msg)
    spatial = schema.is_spatial(name) and (not columns or "geometry" in columns)
    read = gpd.read_parquet if spatial else pd.read_parquet
    try:
        frame: pd.DataFrame = read(path, columns=list(columns) or None)
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"{path}: is no readable table ({_first_line(error)}); save the city again."
        raise InputError(msg) from error
    return frame


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary sibling to write into; put it in the folder's place at the end.

    Whatever goes wrong, the folder stays as it was and nothing half-written is left.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    part: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        inner = part / "new"
        inner.mkdir()
        yield inner
        if folder.exists():
            folder.rename(part / "old")
        try:
            inner.rename(folder)
        except BaseException:
            if (part / "old").exists():
                (part / "old").rename(folder)
            raise
    except OSError as error:
        raise OutputError(cannot_write(folder, error)) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a temporary file name beside a file; put it in the file's place at the end.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield part / path.name
        (part / path.name).replace(path)
    except OSError as error:
        raise OutputError(cannot_write(path, error)) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def cannot_write(path: Path, error: BaseException) -> str:
    """Return the message for a path that cannot be written."""
    reason = getattr(error, "strerror", None) or _first_line(error)
    return f"{path}: cannot be written, {reason}; check the folder, its rights and free space."


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
