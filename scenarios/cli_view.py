"""`twin show`, `twin movie` and `twin scene`: pictures, films and files of cities and runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from viz.language import Language

if TYPE_CHECKING:
    from scenarios.views import Choice, View

What = Annotated[
    str, typer.Argument(help="A city (name, folder, source), a run, or a folder of 'twin run'.")
]
LayerName = Annotated[
    str | None,
    typer.Option("--layer", help='Map layer, e.g. load, delay_h, queue, pci_end; or "none".'),
]
Compare = Annotated[
    Literal["alone", "beside", "difference"] | None,
    typer.Option(help="A run alone, the base beside an alternative, or what that changes."),
]
Alternative = Annotated[str | None, typer.Option(help="Which alternative; the first unless said.")]
At = Annotated[
    str | None, typer.Option("--at", help="Time of day (HH:MM:SS): vehicles and lights are shown.")
]
Title = Annotated[str | None, typer.Option(help="What stands above.")]
Street = Annotated[str | None, typer.Option(help="Look at this street from near.")]
Lang = Annotated[Language, typer.Option("--lang", help="Language: en or de (German).")]


def show(
    what: What,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Picture to draw (.png, .jpg).")
    ] = None,
    layer: LayerName = None,
    compare: Compare = None,
    alternative: Alternative = None,
    at: At = None,
    street: Street = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT, hd or 4k.")] = "hd",
    title: Title = None,
    lang: Lang = "en",
) -> None:
    """Show what a city or a run holds; with -o also as a picture in 3D.

    Of a folder with alternatives the picture shows what the first one changes; with --at, the
    vehicles of the base beside those of the alternative. One legend holds for both.

    Examples:

      twin show helsinki -o helsinki.png

      twin show results --layer delay_h -o change.png --size 4k

      twin show results --at 07:45 --street Mannerheimintie -o beside.png
    """
    from scenarios import showing
    from viz.language import language

    with language(lang):
        if out is None:
            _nothing_of_pictures(layer=layer, compare=compare, at=at, street=street, title=title)
            showing.show(what)
            return
        from scenarios import screen
        from scenarios.viewing import open_view
        from viz import picture
        from viz.scene.scene import magnified

        picture.check_picture(out)
        view = open_view(
            what, _choice(layer, compare, alternative, at, street, size, title), screen.say
        )
        time_s, scene = view.choice.time_s, view.scene
        panels = [view.drawn(shown, time_s) for shown in view.panels]
        larger = (magnified(view.camera.pixel_m),)
        made = picture.still(
            scene, panels, view.camera, view.choice.size, view.caption(time_s, larger)
        )
        picture.write(made, out)
        _tell(view, f"Picture: {out}")


def movie(
    what: What,
    out: Annotated[Path, typer.Option("--out", "-o", help="Film to write (.mp4).")],
    path: Annotated[
        Literal["orbit", "street", "tour", "still"],
        typer.Option(help="Way of the camera: around, along --street, by --tour, or none."),
    ] = "orbit",
    layer: LayerName = None,
    compare: Compare = None,
    alternative: Alternative = None,
    at: At = None,
    street: Street = None,
    tour: Annotated[
        Path | None, typer.Option(help="Bookmarks (YAML), as for 'twin present'.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600.0, help="Length of the film.")] = 20.0,
    speed: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds of the city a second of film.")
    ] = 15.0,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT, hd or 4k.")] = "1280x720",
    fps: Annotated[int, typer.Option(min=1, max=60, help="Frames a second.")] = 25,
    title: Title = None,
    lang: Lang = "en",
) -> None:
    """Film a city or runs while the clock runs; no screen is needed.

    Examples:

      twin movie results --at 07:45 -o morning.mp4

      twin movie results --at 07:45 --path street --street Mannerheimintie -o along.mp4

      twin movie results --compare difference -o change.mp4
    """
    from scenarios import filming, screen
    from scenarios.viewing import open_view
    from viz.film import check_film, write_film
    from viz.language import language

    with language(lang):
        choice = _choice(layer, compare, alternative, at, street, size, title)
        check_film(out, choice.size)
        view = open_view(what, choice, screen.say)
        pieces = filming.takes(view, path, tour, lambda c: open_view(what, c, screen.say))
        filming.check_times(pieces, seconds, speed)
        with screen.counted("frames") as say:
            drawn = filming.frames(pieces, seconds=seconds, fps=fps, speed=speed, say=say)
            write_film(out, drawn, view.choice.size, fps)
        view.notes = list(dict.fromkeys(n for piece in pieces for n in piece.view.notes))
        _tell(view, f"Film: {out}")


def scene(
    what: What,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.glb, glTF 2.0).")],
    layer: LayerName = None,
    compare: Compare = None,
    alternative: Alternative = None,
    at: At = None,
) -> None:
    """Write the scene as glTF 2.0 for other tools: Blender, Unreal, a web viewer.

    Metres, y up, x east; `extras` says where the origin lies and whose data it is.

    Examples:

      twin scene helsinki -o helsinki.glb

      twin scene results --layer load -o load.glb
    """
    from scenarios import screen
    from scenarios.viewing import open_view
    from twin.errors import OutputError
    from viz.gltf import write_gltf

    if out.suffix.lower() != ".glb":
        msg = f"{out}: scenes are written as .glb; name such a file"
        raise OutputError(msg)
    view = open_view(what, _choice(layer, compare, alternative, at, None, "hd", None), screen.say)
    if len(view.panels) > 1:
        left, view.panels = view.panels[0], view.panels[1:]
        view.notes.append(
            f"The file holds one run: {view.panels[0].label}; {left.label} is left out"
        )
    panel = view.drawn(view.panels[0], view.choice.time_s)
    write_gltf(view.scene, panel, view.city, out, view.extras())
    _tell(view, f"Scene: {out}", drawn=False)


def _nothing_of_pictures(**given: str | None) -> None:
    """Refuse options of pictures where none is drawn."""
    from twin.errors import InputError

    for name, value in given.items():
        if value is not None:
            msg = f"--{name} {value}: is of a picture; add -o FILE, e.g. -o picture.png"
            raise InputError(msg)


def _choice(
    layer: str | None,
    compare: Literal["alone", "beside", "difference"] | None,
    alternative: str | None,
    at: str | None,
    street: str | None,
    size: str,
    title: str | None,
) -> Choice:
    from scenarios.viewing import size_of
    from scenarios.views import Choice
    from twin import times
    from twin.errors import InputError

    try:
        time_s = None if at is None else times.moment(at)
    except ValueError as error:
        msg = f"--at {error}"
        raise InputError(msg) from None
    return Choice(layer, compare, alternative, time_s, street, size_of(size), title)


def _tell(view: View, line: str, *, drawn: bool = True) -> None:
    from scenarios import screen
    from viz.gl import opengl_available

    for note in view.notes:
        screen.say(note)
    available, text = opengl_available() if drawn else (True, "")
    if not available:
        screen.say(f"{text}. Drawn without it, which takes longer")
    screen.say(line)
