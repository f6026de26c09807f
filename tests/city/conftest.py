"""Small networks and extracts, made when the tests run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .tiny import tiny_osm

if TYPE_CHECKING:
    from twin.city import City


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an OSM XML file of the small town."""
    path = tmp_path_factory.mktemp("osm") / "tiny.osm"
    path.write_text(tiny_osm(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> City:
    """Return the city of the small town."""
    from twin.city import City

    return City.from_osm(tiny_file)


@pytest.fixture(scope="session")
def helsinki_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the SUMO network that Helsinki's streets are read from."""
    from twin.city.netconvert import convert
    from twin.city.osm import extract_roads, locate, metric_crs

    folder = tmp_path_factory.mktemp("net")
    file, _ = locate("helsinki")
    roads = extract_roads(file, folder / "roads.osm")
    convert(folder / "roads.osm", folder / "helsinki.net.xml", metric_crs(None, roads.centre), file)
    return folder / "helsinki.net.xml"


@pytest.fixture(scope="session")
def grid_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a 3 x 3 grid of signals without projection, made by SUMO's netgenerate."""
    import sumo

    path = tmp_path_factory.mktemp("grid") / "grid.net.xml"
    subprocess.run(
        [
            str(Path(sumo.SUMO_HOME) / "bin" / "netgenerate"),
            *("--grid", "--grid.number", "3", "--grid.attach-length", "150", "-L", "2"),
            *("-j", "traffic_light", "-o", str(path)),
        ],
        check=True,
        capture_output=True,
        env=os.environ | {"SUMO_HOME": sumo.SUMO_HOME},
    )
    return path
