"""The page: one HTML file, or a folder with its parts, that opens without server or network."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viz.presentation.pack import Pack

VERSION = 1
BUNDLE = ("viewer.js", "viewer.css", "LICENSES.txt")
PAGE, DATA = "index.html", "data.js"
_BLANK = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Stadtzwilling">
<link rel="icon" href="data:,">
<title>{title}</title>
{style}
</head>
<body>
<div id="app"><p id="wait">{title} …</p></div>
<noscript>{noscript}</noscript>
{data}
{script}
</body>
</html>
"""
_NOSCRIPT = "Diese Seite braucht JavaScript. This page needs JavaScript."


def bundle() -> dict[str, str] | None:
    """Return the files of the built viewer by name; None where it has not been built."""
    folder = resources.files("viz") / "web" / "dist"
    try:
        return {name: (folder / name).read_text(encoding="utf-8") for name in BUNDLE}
    except (FileNotFoundError, NotADirectoryError):
        return None


def files(header: dict[str, Any], pack: Pack, *, folder: bool) -> dict[str, str]:
    """Return the files of a presentation by name: `index.html` alone, or with its parts.

    Raises
    ------
    RuntimeError
        If the viewer has not been built.
    """
    built = bundle()
    if built is None:
        msg = "the viewer has not been built"
        raise RuntimeError(msg)
    head = _script_json({**header, "version": VERSION, "arrays": pack.entries})
    words = {
        "lang": html.escape(str(header["lang"])),
        "title": html.escape(str(header["title"])),
        "noscript": _NOSCRIPT,
    }
    if folder:
        data = f'window.twinHeader={head};\nwindow.twinData="{pack.base64()}";\n'
        page = _BLANK.format(
            **words,
            style='<link rel="stylesheet" href="viewer.css">',
            data=f'<script src="{DATA}"></script>',
            script='<script src="viewer.js"></script>',
        )
        return {PAGE: page, DATA: data, **built}
    code = built["viewer.js"].replace("</script", "<\\/script")
    licences = built["LICENSES.txt"].replace("--", "- -")
    page = _BLANK.format(
        **words,
        style=f"<!--\n{licences}\n-->\n<style>{built['viewer.css']}</style>",
        data=f'<script type="application/json" id="twin-header">{head}</script>\n'
        '<script type="application/octet-stream;base64" id="twin-data">'
        f"{pack.base64()}</script>",
        script=f"<script>{code}</script>",
    )
    return {PAGE: page}


def _script_json(value: Any) -> str:
    """Return JSON that may stand within a script: no `<` that could end it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
