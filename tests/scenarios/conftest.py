from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import CHROMIUM, FLAGS
from ten_minutes import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twin.city import City


@pytest.fixture(scope="session")
def city_folder(helsinki: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return helsinki.save(tmp_path_factory.mktemp("city") / "helsinki")


@pytest.fixture(scope="session")
def ran_once(city_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from scenarios.runner import run_scenario

    folder = tmp_path_factory.mktemp("runs") / "ten"
    run_scenario(scenario(city_folder), folder, workers=1)
    return folder


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path) -> Path:
    """A run that a test may damage, and at which nobody has looked."""
    left = shutil.ignore_patterns("looks.json", ".summary")
    return Path(shutil.copytree(ran_once, tmp_path / "ten", ignore=left))


@pytest.fixture(scope="module")
def shown(ran_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from scenarios.presenting import present

    return present([ran_once], tmp_path_factory.mktemp("shown") / "ten.html")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as tool:
        yield tool


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()
