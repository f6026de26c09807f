"""Terrain: a plane comes back as a plane, posts as they were, whatever the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio

from twin.city import City
from twin.city.terrain import MOST_POSTS, Terrain, rasters
from twin.errors import InputError

from .solid_files import X0, Y0, bounded, building, citygml, house
from .test_store import _fields

STEP = 10.0


@pytest.fixture
def town(tmp_path: Path) -> City:
    """Return two houses, 100 m apart."""
    path = tmp_path / "town.gml"
    houses = [building(f"h{k}", bounded(house(x=90.0 * k, y=90.0 * k))) for k in range(2)]
    path.write_text(citygml(*houses), encoding="utf-8")
    return City.from_buildings([path])


def ground(x: Any, y: Any) -> Any:
    """A plane that falls to the north-east."""
    return 100.0 - 0.05 * (x - X0) - 0.02 * (y - Y0)


def posts(low: float = -100.0, high: float = 200.0, offset: float = 3.0) -> tuple[Any, Any]:
    """Return x and y [rows from the south, columns] of posts that lie on no whole step."""
    axis = np.arange(low, high + 1.0, STEP) + offset
    return np.meshgrid(X0 + axis, Y0 + axis)


def as_lines(x: Any, y: Any, z: Any, sep: str = " ") -> str:
    rows = zip(x.ravel(), y.ravel(), z.ravel(), strict=True)
    return "\n".join(sep.join(f"{v:.3f}" for v in row) for row in rows) + "\n"


def as_axes(x: Any, y: Any, z: Any) -> str:
    """Northernmost row first, as in the tiles of 1 m made coarser."""
    parts = [
        ("Number of x values", [x.shape[1]]), ("Number of y values", [x.shape[0]]),
        ("x values", x[0]), ("y values", y[::-1, 0]), ("z values", z[::-1].ravel()),
    ]  # fmt: skip
    return "\n".join(line for head, v in parts for line in (f"# {head}", *(f"{w}" for w in v)))


def as_tiff(
    path: Path, x: Any, y: Any, z: Any, crs: str | None = "EPSG:25832", **more: Any
) -> Path:
    half = STEP / 2.0
    transform = rasterio.Affine(STEP, 0, x[0, 0] - half, 0, -STEP, y[-1, 0] + half)
    with rasters(), rasterio.open(
        path, "w", driver="GTiff", width=x.shape[1], height=x.shape[0], count=1,
        dtype="float32", crs=crs, transform=transform, **more,
    ) as data:  # fmt: skip
        data.write(z[::-1].astype("float32"), 1)
    return path


def test_heights_between_posts_lie_on_two_triangles() -> None:
    terrain = Terrain(np.array([[0.0, 10.0], [20.0, 40.0]], dtype=np.float32), 100.0, 200.0, 4.0)
    at = [(100, 200, 0), (104, 200, 10), (100, 204, 20), (104, 204, 40), (102, 202, 20),
          (103, 201, 0.5 * 10 + 0.25 * 40), (101, 203, 0.5 * 20 + 0.25 * 40),
          (104, 202, 25), (102, 204, 30)]  # fmt: skip
    for x, y, z in at:
        assert terrain.at(x, y) == pytest.approx(z)
    x, y, z = np.array(at, dtype=float).T
    assert terrain.at(x, y) == pytest.approx(z)
    outside = terrain.at([99.9, 104.1, 102, 102, np.nan], [202, 202, 199.9, 204.1, 202])
    assert np.isnan(outside).all()
    assert terrain.covers((100, 200, 104, 204))
    assert not terrain.covers((99, 200, 104, 204))
    assert not terrain.covers((100, 200, 104, 204.5))
    with pytest.raises(ValueError, match="read-only"):
        terrain.heights[0, 0] = 1.0


@pytest.mark.parametrize(
    "kind", ["xyz", "csv", "gz", "shuffled", "axes", "tiff", "asc", "bare tiff"]
)
def test_posts_of_a_file_come_back_as_they_were(town: City, tmp_path: Path, kind: str) -> None:
    x, y = posts()
    z = np.round(ground(x, y) + np.sin(x) + np.cos(y), 3)
    path = tmp_path / f"dgm.{kind}"
    if kind in ("tiff", "bare tiff"):
        path = as_tiff(tmp_path / "dgm.tif", x, y, z, None if kind == "bare tiff" else "EPSG:25832")
    elif kind == "asc":
        head = f"ncols {x.shape[1]}\nnrows {x.shape[0]}\nxllcenter {x[0, 0]}\nyllcenter {y[0, 0]}\n"
        rows = "\n".join(" ".join(f"{v:.3f}" for v in row) for row in z[::-1])
        path.write_text(f"{head}cellsize {STEP}\n{rows}\n", encoding="utf-8")
    elif kind == "gz":
        path = tmp_path / "dgm.xyz.gz"
        path.write_bytes(gzip.compress(as_lines(x, y, z).encode()))
    else:
        path = tmp_path / ("dgm.csv" if kind == "csv" else "dgm.txt")
        text = (
            as_axes(x, y, z) if kind == "axes" else as_lines(x, y, z, "," if kind == "csv" else " ")
        )
        if kind == "shuffled":
            lines = text.splitlines()
            text = "\n".join(lines[k] for k in np.random.default_rng(1).permutation(len(lines)))
        path.write_text(text, encoding="utf-8")
    said: list[str] = []
    city = town.with_terrain(path, progress=said.append)
    terrain = city.terrain
    assert terrain is not None
    assert terrain.step_m == STEP
    assert terrain.covers(town.bounds)
    assert not any("covers" in line for line in said)
    west, south, east, north = terrain.box
    inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    assert inside.sum() > 200
    assert np.abs(terrain.at(x[inside], y[inside]) - z[inside]).max() < 1e-4
    assert [source["what"] for source in city.sources].count("terrain") == 1
    assert city.with_terrain(path).sources == city.sources
    assert city.sources[-1]["covers"] == "100.0 % of the city"
    assert any("states no CRS" in line for line in said) is (kind not in ("tiff",))


@pytest.mark.parametrize("epsg", [25833, 4326, 31466])
def test_plane_in_another_reference_system_stays_a_plane(
    town: City, tmp_path: Path, epsg: int
) -> None:
    move = pyproj.Transformer.from_crs(25832, epsg, always_xy=True)
    back = pyproj.Transformer.from_crs(epsg, 25832, always_xy=True)
    west, south, east, north = move.transform_bounds(X0 - 300, Y0 - 300, X0 + 400, Y0 + 400)
    columns, rows = 70, 80
    dx, dy = (east - west) / columns, (north - south) / rows
    transform = rasterio.Affine(dx, 0, west, 0, -dy, north)
    q, r = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    x, y = back.transform(west + dx * q, north - dy * r)
    path = tmp_path / "dgm.tif"
    with rasters(), rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype="float32",
        crs=f"EPSG:{epsg}", transform=transform, nodata=-9999,
    ) as data:  # fmt: skip
        data.write(ground(x, y).astype("float32"), 1)
    terrain = town.with_terrain(path).terrain
    assert terrain is not None
    assert 5.0 < terrain.step_m < 15.0
    x, y = np.meshgrid(X0 + np.linspace(0, 100, 23), Y0 + np.linspace(0, 100, 23))
    assert np.abs(terrain.at(x, y) - ground(x, y)).max() < 0.01


def test_step_is_as_asked_and_posts_are_limited(town: City, tmp_path: Path) -> None:
    x, y = posts()
    path = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y))
    five = town.with_terrain(path, step_m=5.0).terrain
    assert five is not None
    assert five.step_m == 5.0
    assert five.at(X0 + 7.5, Y0 + 2.5) == pytest.approx(ground(X0 + 7.5, Y0 + 2.5), abs=1e-4)
    fine = town.with_terrain(path, step_m=0.01).terrain
    assert fine is not None
    assert fine.step_m > 0.1
    assert MOST_POSTS / 8 < fine.heights.size < 1.1 * MOST_POSTS
    with pytest.raises(InputError, match="step_m"):
        town.with_terrain(path, step_m=-1.0)


def test_part_of_the_city_is_used_and_told(town: City, tmp_path: Path) -> None:
    x, y = posts(high=40.0, offset=0.0)  # the south-west of a city of 100 m
    path = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y))
    said: list[str] = []
    city = town.with_terrain(path, progress=said.append)
    terrain = city.terrain
    assert terrain is not None
    assert terrain.covers(town.bounds)
    [line] = [text for text in said if "covers" in text]
    share = float(line.split("covers ")[1].split(" %")[0])
    assert 15 < share < 30
    assert terrain.at(X0 + 100.0, Y0 + 20.0) == pytest.approx(
        ground(X0 + 40.0, Y0 + 20.0), abs=1e-4
    )
    assert terrain.at(X0 + 20.0, Y0 + 20.0) == pytest.approx(ground(X0 + 20.0, Y0 + 20.0), abs=1e-4)


@pytest.mark.parametrize("hole", [-9999.0, -32768.0, np.nan, 1e20])
def test_gaps_take_the_nearest_height(town: City, tmp_path: Path, hole: float) -> None:
    x, y = posts(offset=0.0)
    z = ground(x, y)
    z[14, 14] = hole  # at 40, 40
    path = as_tiff(tmp_path / "dgm.tif", x, y, z, nodata=-9999.0)
    said: list[str] = []
    terrain = town.with_terrain(path, progress=said.append).terrain
    assert terrain is not None
    assert terrain.at(X0 + 40.0, Y0 + 40.0) == pytest.approx(ground(X0 + 40, Y0 + 40), abs=0.6)
    assert np.isfinite(terrain.heights).all()
    assert any("99 % of the city" in text for text in said)


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("ft", 0.3048), ("US survey foot", 1200 / 3937), ("cm", 0.01), ("metre", 1.0)],
)
def test_heights_in_other_units_become_metres(
    town: City, tmp_path: Path, unit: str, metres: float
) -> None:
    x, y = posts()
    path = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y) / metres)
    with rasters(), rasterio.open(path, "r+") as data:
        data.units = [unit]
    said: list[str] = []
    terrain = town.with_terrain(path, progress=said.append).terrain
    assert terrain is not None
    assert np.abs(terrain.at(x[10:15, 10:15], y[10:15, 10:15])
                  - ground(x[10:15, 10:15], y[10:15, 10:15])).max() < 1e-3  # fmt: skip
    assert any("turned into metres" in line for line in said) is (metres != 1.0)
    with rasters(), rasterio.open(path, "r+") as data:
        data.units = ["fathom"]
    with pytest.raises(InputError, match="counts heights in 'fathom', no unit of length known"):
        town.with_terrain(path)


def test_heights_in_the_unit_of_the_vertical_system(town: City, tmp_path: Path) -> None:
    x, y = posts()
    path = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y) / 0.3048, "EPSG:25832+8228")
    terrain = town.with_terrain(path).terrain
    assert terrain is not None
    assert terrain.at(X0 + 50.0, Y0 + 50.0) == pytest.approx(ground(X0 + 50, Y0 + 50), abs=1e-3)


def test_pictures_are_refused_and_the_band_is_told(town: City, tmp_path: Path) -> None:
    x, y = posts()
    plane = ground(x, y)[::-1]
    transform = rasterio.Affine(STEP, 0, x[0, 0] - 5.0, 0, -STEP, y[-1, 0] + 5.0)
    for kind, count in (("uint8", 3), ("float32", 2)):
        with rasters(), rasterio.open(
            tmp_path / f"{kind}.tif", "w", driver="GTiff", width=x.shape[1], height=x.shape[0],
            count=count, dtype=kind, crs="EPSG:25832", transform=transform,
        ) as data:  # fmt: skip
            for band in range(count):
                data.write((plane + 50.0 * band).astype(kind), band + 1)
    with pytest.raises(InputError, match=r"is a picture .its bands are colours., no terrain"):
        town.with_terrain(tmp_path / "uint8.tif")
    said: list[str] = []
    terrain = town.with_terrain(tmp_path / "float32.tif", progress=said.append).terrain
    assert terrain is not None
    assert terrain.at(X0 + 50.0, Y0 + 50.0) == pytest.approx(ground(X0 + 50, Y0 + 50), abs=1e-4)
    assert "float32.tif has 2 bands; the first is taken for the heights" in said


def test_next_to_nothing_of_the_city_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.gml"
    houses = [building(f"h{k}", bounded(house(x=900.0 * k, y=900.0 * k))) for k in range(2)]
    path.write_text(citygml(*houses), encoding="utf-8")
    x, y = posts(low=400.0, high=410.0)
    tiny = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y))
    with pytest.raises(InputError, match=r"covers only 0\.\d+ % of the city: it lies in 3604"):
        City.from_buildings([path]).with_terrain(tiny)


def test_zone_before_the_easting_of_a_text(town: City, tmp_path: Path) -> None:
    x, y = posts()
    path = tmp_path / "dgm.xyz"
    path.write_text(as_lines(x + 32e6, y, ground(x, y)), encoding="utf-8")
    terrain = town.with_terrain(path).terrain
    assert terrain is not None
    assert terrain.at(X0 + 50.0, Y0 + 50.0) == pytest.approx(ground(X0 + 50, Y0 + 50), abs=1e-3)


def test_terrain_elsewhere_is_refused_with_both_boxes(town: City, tmp_path: Path) -> None:
    x, y = posts()
    for crs, dx in (
        ("EPSG:25832", 5000.0),
        ("EPSG:25833", 0.0),
        ("EPSG:2193", 0.0),
        (None, -900.0),
    ):
        path = as_tiff(tmp_path / "dgm.tif", x + dx, y, ground(x, y), crs)
        with pytest.raises(InputError, match="covers nothing of the city: it lies in ") as caught:
            town.with_terrain(path)
        assert "the city in 360000 5706000 360100 5706100" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_saved_terrain_is_the_same_terrain(town: City, tmp_path: Path) -> None:
    x, y = posts(offset=0.123)
    city = town.with_terrain(as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y)))
    folder = city.save(tmp_path / "city")
    again = City.load(folder)
    assert city.terrain is not None
    assert again.terrain is not None
    assert (again.terrain.heights == city.terrain.heights).all()
    assert again.terrain.box == city.terrain.box
    assert again.digest == city.digest != town.digest
    higher = Terrain(city.terrain.heights + 1, *city.terrain.box[:2], city.terrain.step_m)
    assert City(**(_fields(city) | {"terrain": higher})).digest != city.digest
    with (
        rasters(),
        rasterio.open(folder / "terrain.tif") as data,
    ):  # for GIS: north up, in the city's CRS
        assert data.crs.to_epsg() == 25832
        [value] = next(data.sample([(X0 + 50.123, Y0 + 50.123)]))
        assert value == pytest.approx(ground(X0 + 50.123, Y0 + 50.123), abs=1e-3)
    data = (folder / "terrain.tif").read_bytes()
    (folder / "terrain.tif").write_bytes(data[:-10])
    with pytest.raises(InputError, match="was changed"):
        City.load(folder)
    (folder / "terrain.tif").unlink()
    with pytest.raises(InputError, match="is missing"):
        City.load(folder)
    manifest = json.loads((folder / "city.json").read_text(encoding="utf-8"))
    manifest["terrain"] = {"x0_m": "0"}
    (folder / "city.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="terrain is damaged"):
        City.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tif", b"", "the file is empty"),
        ("a.tif", b"no picture at all", "is no raster that GDAL reads"),
        ("a.xyz", b"hello world\n", "is no text of heights"),
        ("a.xyz", b"1 2\n3 4\n", "has 2 numbers a line"),
        ("a.xyz", b"1 2 3\n1 3 4\n", "posts in 1 columns and 2 rows"),
        ("a.xyz", b"nan 2 3\n1 3 4\n", "post 1 has no position"),
        ("a.xyz", b"0 0 1\n1 0 1\n7 0 1\n0 1 1\n1 1 1\n7 1 1\n", "no regular grid, see x 1"),
        ("a.xyz", b"".join(b"%d %d 5\n" % (k, k * k) for k in range(50)), "are no regular grid"),
        ("a.xyz", b"0 0 -9999\n0 1 -9999\n1 0 nan\n1 1 1e30\n", "holds no height between"),
        (
            "a.txt",
            b"# Number of x values\n2\n# Number of y values\n2\n# x values\n1\n2\n",
            "cut off",
        ),
        ("a.txt", b"# Number of x values\nnan\n", "cut off"),
        ("a.xyz.gz", b"1 2 3\n", "not packed by gzip"),
        ("a.xyz", b"\xff\xfe\x00\x01", "is no text of heights"),
    ],
)
def test_files_that_are_no_terrain_are_refused(
    town: City, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        town.with_terrain(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_picture_without_a_place_is_refused(town: City, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="without a place on Earth"):
        town.with_terrain(tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        town.with_terrain(tmp_path / "b.tif")


def test_command_builds_what_is_given_or_nothing(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from scenarios.cli import app

    path, out = tmp_path / "town.gml", tmp_path / "out"
    path.write_text(citygml(building("a", bounded(house()))), encoding="utf-8")
    x, y = posts()
    good = as_tiff(tmp_path / "dgm.tif", x, y, ground(x, y))
    for terrain, code in ((path, 1), (tmp_path / "none.tif", 1), (good, 0)):
        given = ["build", str(path), "-o", str(out), "--terrain", str(terrain)]
        done = CliRunner().invoke(app, given)
        assert done.exit_code == code
        assert out.exists() is (code == 0)
    assert City.load(out).terrain is not None
    assert "reading the terrain of dgm.tif" in done.output


def test_tile_of_cologne(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "h.gml"
    houses = [
        building(f"h{k}", bounded(house(k * 800.0 - 2900.0, k * 800.0 - 59900.0))) for k in (0, 1)
    ]
    path.write_text(citygml(*houses), encoding="utf-8")
    city = City.from_buildings([path]).with_terrain(data_dir / "terrain" / "cologne_dgm1_20m.txt")
    terrain = city.terrain
    assert terrain is not None
    assert terrain.step_m == 20.0
    # First and last post of the file, the second of its first row, and the ends of both rows.
    assert terrain.at(357000.0, 5646999.0) == pytest.approx(47.40, abs=1e-4)
    assert terrain.at(357020.0, 5646999.0) == pytest.approx(46.92, abs=1e-4)
    assert terrain.at(357980.0, 5646019.0) == pytest.approx(47.46, abs=1e-4)


def test_lauf(data_dir: Path) -> None:
    from twin.city.opening import open_city

    city = open_city(str(data_dir / "osm" / "lauf-200115.osm.pbf"))
    path = data_dir / "terrain" / "lauf_srtm3_clip.tif"
    with rasters(), rasterio.open(path) as data:
        heights = data.read(1).astype(float)
        q, r = np.meshgrid(np.arange(data.width) + 0.5, np.arange(data.height) + 0.5)
        lon, lat = data.transform.c + data.transform.a * q, data.transform.f + data.transform.e * r
    x, y = pyproj.Transformer.from_crs(4326, city.crs, always_xy=True).transform(lon, lat)
    for step, most, mean in ((None, 7.0, 0.8), (10.0, 1.0, 0.15)):
        terrain = city.with_terrain(path, step_m=step).terrain
        assert terrain is not None
        assert terrain.covers(city.bounds)
        assert terrain.heights.min() >= heights.min() - 0.01
        assert terrain.heights.max() <= heights.max() + 0.01
        off = np.abs(terrain.at(x, y) - heights)
        assert np.nanmax(off) < most
        assert np.nanmean(off) < mean
