"""The command `twin present`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from viz.language import Language


def present(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folder of 'twin run', runs (base first), or a city alone."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File that ends in .html, or a folder.")],
    lang: Annotated[
        Language, typer.Option("--lang", help="Language at first: en or de (German).")
    ] = "en",
    tour: Annotated[
        Path | None, typer.Option(help="Bookmarks with the speaker's text (.yaml).")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What stands above.")] = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a presentation that is there.")
    ] = False,
) -> None:
    """Write a presentation in 3D that opens by double click, without server or network.

    It moves the recorded traffic, swipes between two runs, colours streets by every map layer,
    leads a tour with the speaker's text, and tells citizens what changes on their street.

    Examples:

      twin present results -o results.html

      twin present results/base results/closed -o council --lang de --tour tour.yaml

      twin present helsinki -o helsinki.html
    """
    from scenarios import presenting, screen

    written = presenting.present(
        runs, out, lang=lang, tour=tour, title=title, overwrite=overwrite, say=screen.say
    )
    size = sum(p.stat().st_size for p in ([written] if out.suffix == ".html" else out.iterdir()))
    screen.say(f"Presentation: {written} ({size / 1e6:.1f} MB)")
