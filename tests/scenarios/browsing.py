"""A presentation in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
DESK, PHONE = (1280, 720), (390, 844)
BOXES = """(what) => [...document.querySelectorAll(what)].filter((e) => !e.hidden).map((e) => {
  const r = e.getBoundingClientRect(); return [e.id || e.textContent, r.left, r.right, r.top, r.bottom]; })"""


@contextmanager
def opened(
    browser: Any, file: Path, size: tuple[int, int] = DESK, address: str = "", **more: Any
) -> Iterator[Any]:
    """Open a presentation; fail on any error in the console and on any request outside."""
    more = {"reduced_motion": "reduce", **more}  # the camera does not fly, it jumps
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    tab, wrong = context.new_page(), []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda m: wrong.append(m.text) if m.type in {"error", "warning"} else None)
    tab.on(
        "request",
        lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
    )
    tab.goto(file.as_uri() + address)
    tab.wait_for_selector("html[data-ready=yes], #mine:not([hidden])", state="attached")
    yield tab
    tab.wait_for_timeout(50)
    context.close()
    assert [w for w in wrong if "GPU stall due to ReadPixels" not in w] == []


def still(tab: Any) -> None:
    """Wait until nothing moves any more."""
    tab.wait_for_function("!twin.view.flight && !twin.waiting")


def apart(a: list[Any], b: list[Any]) -> bool:
    """Return whether two boxes (name, left, right, top, bottom) leave each other free."""
    return bool(a[3] >= b[4] or b[3] >= a[4] or a[1] >= b[2] or b[1] >= a[2])


def rewritten(file: Path, out: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a presentation whose header was changed; return its file."""
    head, rest = file.read_text().split('id="twin-header">')
    text, rest = rest.split("</script>", 1)
    header = json.loads(text)
    change(header)
    out.write_text(f'{head}id="twin-header">{json.dumps(header)}</script>{rest}')
    return out
