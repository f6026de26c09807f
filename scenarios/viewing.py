"""From what a presenter chose to a view: the city, the runs, values in one scale, words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.limits import Together
from scenarios.present_tour import title_of, years_text
from scenarios.report_key import CUT_OFF, TOLD
from scenarios.report_words import layer_title, texts
from scenarios.runs import MANIFEST, RunInfo, open_runs
from scenarios.schema import BASE
from scenarios.tables import check_city, check_layers, missing_traffic, window
from scenarios.tour_file import NO_LAYER
from scenarios.views import Choice, Mode, Shown, View, clock_of
from twin import times
from twin.errors import InputError
from twin.system import Layer, layers
from viz.language import current, word
from viz.palette import number
from viz.picture import proper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from twin.city import City
    from viz.palette import Scale

NOTHING = {
    "en": "No street changes more than chance alone could explain.",
    "de": "Keine Straße ändert sich stärker, als der Zufall allein erklären könnte.",
}
SIGNALS = {
    "en": "a city alone has no vehicles, so --at shows its signals",
    "de": "eine Stadt allein hat keine Fahrzeuge, daher zeigt --at ihre Ampeln",
}
SURE = 0.05  # false discovery rate up to which a difference is shown, as in the report


def open_view(what: str, choice: Choice, say: Callable[[str], None]) -> View:
    """Return the view of a city (name, folder, source), a run, or a folder of runs.

    Raises
    ------
    InputError
        If it is neither, or something is chosen that it does not have.
    """
    from twin.city import City
    from twin.city.opening import open_city

    folder, near = Path(what), choice.street is not None
    if not ((folder / MANIFEST).is_file() or (folder / BASE / MANIFEST).is_file()):
        city = open_city(what, say=say)
        _refuse_of_a_city(what, choice)
        title = choice.title or choice.street or proper(city.name)
        view = View(city, choice, [Shown(None)], title, near=near)
        if choice.time_s is not None:
            view.notes.append(f"{what}: {SIGNALS[current()]}")
        return view
    runs = open_runs(folder)
    done = [run for run in runs if run.seeds]
    if not done:
        msg = f"{what}: no replication is complete yet; let 'twin run' finish"
        raise InputError(msg)
    first = done[0]
    city = City.load(first.city_folder)
    others = [run for run in done if run.name != BASE]
    other = _named(others, choice.alternative, what) if others else None
    mode = choice.mode or _mode(choice, first, other)
    if mode != "alone" and (other is None or other is first):
        msg = f"{what}: holds one run, so there is nothing to compare; name the folder of all runs"
        raise InputError(msg)
    if choice.time_s is not None:
        refuse_outside(first, choice.time_s, "--at")
    if mode == "alone":
        shown = [other if choice.alternative and other is not None else first]
    else:
        assert other is not None  # noqa: S101 - refused above
        shown = [first, other]
    check_city(shown, city)
    same = [run for run in done if run in shown or _beside(first, run)]
    check_layers(same, city)
    together = Together(same, len(city.streets))
    scenario, when = choice.title or str(first.manifest.get("scenario")), _when(city, first)
    if mode == "difference":
        view = _difference(city, choice, shown, together, (scenario, when))
    else:
        view = _values(city, choice, shown, together, what)
        name = title_of(shown[0])[current()]
        alone = len(shown) == 1 and len(runs) > 1
        view.title, view.subtitle = f"{scenario}: {name}" if alone else scenario, when
    view.warning, view.runs, view.first = _cut_off(first, shown), same, together.first()
    view.notes += missing_traffic(shown)
    return view


def _beside(base: RunInfo, run: RunInfo) -> bool:
    """Return whether a run can be shown beside another."""
    same = all(base.manifest[key] == run.manifest[key] for key in ("city", "period"))
    return same and bool(set(base.seeds) & set(run.seeds))


def _when(city: City, run: RunInfo) -> str:
    """Return where and when a run is."""
    years, period = int(run.manifest.get("years", 0)), run.manifest["period"]
    hours = f"{period['begin']}–{period['end']}"
    return f"{proper(city.name)}, {years_text(years) if years else hours}"


def refuse_outside(run: RunInfo, time_s: float, option: str) -> None:
    """Refuse a time that a run does not simulate.

    Raises
    ------
    InputError
        With the times that it does.
    """
    simulated = window([run])
    assert simulated is not None  # noqa: S101 - of a run
    begin_s, end_s = simulated
    if not begin_s <= time_s <= end_s:
        said = times.text(time_s) if time_s % 60.0 == 0.0 else clock_of(time_s)
        msg = (
            f"{option} {said}: {run.folder} simulates {times.text(begin_s)} to {times.text(end_s)}"
        )
        raise InputError(msg)


def _mode(choice: Choice, first: RunInfo, other: RunInfo | None) -> Mode:
    if other is None or other is first:
        return "alone"
    return "beside" if choice.time_s is not None else "difference"


def _refuse_of_a_city(what: str, choice: Choice) -> None:
    """Refuse what only runs have."""
    for name, value in (("--layer", choice.layer), ("--compare", choice.mode),
                        ("--alternative", choice.alternative)):  # fmt: skip
        if value not in (None, NO_LAYER):
            msg = f"{name} {value}: {what} is a city, not a run; name a folder of 'twin run'"
            raise InputError(msg)


def _named(runs: Sequence[RunInfo], name: str | None, what: str) -> RunInfo:
    if name is None:
        return runs[0]
    for run in runs:
        if run.name == name:
            return run
    msg = f"--alternative {name}: {what} has {', '.join(r.name for r in runs)}"
    raise InputError(msg)


def _layer(
    choice: Choice, have: Callable[[Layer], bool], together: Together, what: str
) -> Layer | None:
    """Return the chosen layer, or the one that the page too shows first."""
    known = layers()
    if choice.layer == NO_LAYER or (choice.layer is None and choice.time_s is not None):
        return None
    there = [name for name, layer in known.items() if have(layer)]
    if choice.layer is None:
        first = together.first(there)
        return None if first is None else known[first]
    if choice.layer not in known:
        msg = f"--layer {choice.layer}: is unknown; there are {', '.join(known)}, none"
        raise InputError(msg)
    if choice.layer not in there:
        msg = (
            f"--layer {choice.layer}: {what} has no table {known[choice.layer].table!r}; "
            f"there are {', '.join(there) or 'none'}"
        )
        raise InputError(msg)
    return known[choice.layer]


def _values(
    city: City, choice: Choice, shown: Sequence[RunInfo], together: Together, what: str
) -> View:
    """Return the view of runs by themselves, with the means of a layer by street."""
    from scenarios.compare import layer_means

    cache: dict[tuple[str, str], pd.Series[float] | None] = {}

    def means(run: RunInfo, layer: Layer) -> pd.Series[float] | None:
        key = (run.name, layer.name)
        if key not in cache:
            cache[key] = layer_means(run, run.seeds, layer)
        return cache[key]

    def have(layer: Layer) -> bool:
        found = (means(run, layer) for run in shown)
        return any(v is not None and bool(v.notna().any()) for v in found)

    layer = _layer(choice, have, together, what)
    values = [None if layer is None else means(run, layer) for run in shown]
    scale = None if layer is None else _flipped(together.scale(layer), layer)
    labels = [title_of(run)[current()] for run in shown] if len(shown) > 1 else [""]
    panels = [Shown(r, t, v) for r, t, v in zip(shown, labels, values, strict=True)]
    near = choice.street is not None
    return View(city, choice, panels, "", layer=layer, scale=scale, near=near)


def _flipped(scale: Scale, layer: Layer) -> Scale:
    """Return a scale whose dark or orange end is the worse one."""
    turned = layer.better == "higher" and (scale.diverging or layer.shown != "difference")
    return replace(scale, flipped=turned)


def _difference(
    city: City,
    choice: Choice,
    shown: Sequence[RunInfo],
    together: Together,
    words: tuple[str, str],
) -> View:
    """Return the view of what an alternative changes, without what chance alone could explain."""
    from scenarios.compare import compare

    streets = compare([run.folder for run in shown]).streets.set_index("street")
    have = lambda layer: f"diff_{layer.name}" in streets  # noqa: E731
    layer = _layer(choice, have, together, str(shown[1].folder))
    if layer is None:
        msg = "--layer none: a difference needs a layer; leave --layer away, or compare beside"
        raise InputError(msg)
    values = streets[f"diff_{layer.name}"].astype(float)
    sure = f"q_{layer.name}"
    if sure in streets:
        values = values.where(streets[sure] <= SURE)
    values = values.where(values != 0.0)
    title = texts()["map"]["title"].format(
        layer=layer_title(layer),
        alternative=title_of(shown[1])[current()],
        base=title_of(shown[0])[current()],
    )
    panel = Shown(shown[1], "", values)
    near = choice.street is not None
    view = View(city, choice, [panel], title, ". ".join(words), layer, near=near, changes=True)
    scale = together.differences(layer)
    if scale is None or not values.notna().any():
        view.says = NOTHING[current()]
        view.notes.append(f"{layer_title(layer)}: {view.says}")
    else:
        view.scale = _flipped(scale, layer)
    return view


def size_of(text: str) -> tuple[int, int]:
    """Return width and height of "WIDTHxHEIGHT", "hd" (1920x1080) or "4k" (3840x2160).

    Raises
    ------
    InputError
        For anything else, or more than 4K.
    """
    known = {"hd": (1920, 1080), "4k": (3840, 2160)}
    if text.lower() in known:
        return known[text.lower()]
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdigit() and height.isdigit()):
        msg = f"--size {text}: is no size; write WIDTHxHEIGHT, e.g. 1920x1080, or hd or 4k"
        raise InputError(msg)
    size = int(width), int(height)
    if not (160 <= size[0] <= 3840 and 120 <= size[1] <= 2160):
        msg = f"--size {text}: must be from 160x120 to 3840x2160"
        raise InputError(msg)
    return size


def _cut_off(base: RunInfo, shown: Sequence[RunInfo]) -> str:
    """Return how many trips a run leaves without a way, which no colour of a street shows.

    Of alternatives only if they are more than in the base, of a run alone in any case.
    """
    from scenarios.compare import indicator_values

    def means(run: RunInfo) -> pd.Series[float]:
        return indicator_values(run, run.seeds).mean()

    usual = float(means(base).get(CUT_OFF, 0.0)) if base.name == BASE else 0.0
    for run in shown:
        own = means(run)
        if CUT_OFF in own and own[CUT_OFF] - usual > TOLD:
            cut, trips = (number(float(own[k]), 0) for k in (CUT_OFF, "trips"))
            return word("{cut} of {trips} trips find no way: no colour shows their delay").format(
                cut=cut, trips=trips
            )
    return ""
