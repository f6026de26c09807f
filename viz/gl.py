"""Which kind of OpenGL window this machine can open without a screen.

A wrong choice does not raise, it ends the interpreter: so each is tried in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
WINDOWS = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow", "vtkXOpenGLRenderWindow")
ADVICE = "on Debian: apt-get install libegl1 libgl1-mesa-dri"
_TIMEOUT_S = 60.0
_PROBE = """
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
import vtkmodules.vtkRenderingOpenGL2
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetMultiSamples(0)
window.SetSize(8, 8)
window.AddRenderer(vtkRenderer())
window.Render()
ok = window.SupportsOpenGL() and window.GetClassName() != "vtkRenderWindow"
text = window.ReportCapabilities() or ""
line = next((t for t in text.splitlines() if "renderer string" in t.lower()), "")
print("OPENGL", window.GetClassName(), line.partition(":")[2].strip() if ok else "no")
raise SystemExit(0 if ok else 1)
"""


def opengl_available() -> tuple[bool, str]:
    """Return whether a picture can be rendered by OpenGL here, and with what or why not.

    The text is one line. The answer is found once per process, in about a second.
    """
    window, text = _probe()
    return bool(window), text


@contextmanager
def render_window() -> Iterator[None]:
    """Let VTK open the kind of window that works while the block runs."""
    before = os.environ.get(VARIABLE)
    window, _ = _probe()
    if window:
        os.environ[VARIABLE] = window
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


@lru_cache
def _probe() -> tuple[str, str]:
    """Return the kind of window that opens ("" if none), and a line about it."""
    asked = os.environ.get(VARIABLE)
    for window in (asked,) if asked else WINDOWS:
        found = _opens(window)
        if found:
            return window, found
    tried = asked or "EGL, OSMesa and X11"
    return "", f"no OpenGL: {tried} cannot open a window here; {ADVICE}"


def _opens(window: str) -> str:
    """Return what renders in that kind of window, "" where it cannot be opened."""
    if window == "vtkXOpenGLRenderWindow" and not os.environ.get("DISPLAY"):
        return ""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env={**os.environ, VARIABLE: window},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [t for t in done.stdout.splitlines() if t.startswith(f"OPENGL {window}")]
    if done.returncode or not lines:
        return ""
    return lines[0].removeprefix("OPENGL ")
