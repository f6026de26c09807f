"""From what a presenter chose to a view: the city, the runs, values in one scale, words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenarios.present_tour import title_of
from scenarios.report_key import CUT_OFF, TOLD
from scenarios.report_words import layer_title, texts
from scenarios.runs import MANIFEST, RunInfo, open_runs
from scenarios.schema import BASE
from scenarios.views import Choice, Mode, Shown, View
from twin import times
from twin.errors import InputError
from twin.system import Layer, layers
from viz.language import current, word
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from twin.city import City
    from viz.palette import Scale

NO_LAYER = "none"
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
        title = choice.title or choice.street or _proper(city)
        view = View(city, choice, [Shown(None)], title, near=near)
        if choice.time_s is not None:
            view.notes.append(f"{what}: a city alone has no vehicles, so --at shows its signals")
        return view
    runs = open_runs(folder)
    done = [run for run in runs if run.seeds]
    if not done:
        msg = f"{what}: no replication is complete yet; let 'twin run' finish"
        raise InputError(msg)
    city = City.load(done[0].city_folder)
    first = done[0]
    others = [run for run in done if run.name != BASE]
    other = _named(others, choice.alternative, what) if others else None
    mode = choice.mode or _mode(choice, first, other)
    if mode != "alone" and (other is None or other is first):
        msg = f"{what}: holds one run, so there is nothing to compare; name the folder of all runs"
        raise InputError(msg)
    scenario, period = str(first.manifest.get("scenario")), first.manifest["period"]
    if choice.time_s is not None:
        refuse_outside(first, choice.time_s, "--at")
    years = int(first.manifest.get("years", 0))
    said = texts()["speech"]["years" if years > 1 else "year"].format(n=years)
    hours = f"{period['begin']}–{period['end']}"
    when = f"{_proper(city)}, {said if years else hours}"
    scenario = choice.title or scenario
    if mode == "alone":
        shown = [other if choice.alternative and other is not None else first]
    else:
        assert other is not None  # noqa: S101 - refused above
        shown = [first, other]
    if mode == "difference":
        view = _difference(city, choice, shown, scenario, when)
        view.runs = done
        return view
    layer, values = _layer_values(shown, choice, what)
    scale = None if layer is None else _scale(layer, values)
    labels = [title_of(run)[current()] for run in shown] if len(shown) > 1 else [""]
    panels = [Shown(r, t, v) for r, t, v in zip(shown, labels, values, strict=True)]
    name = title_of(shown[0])[current()]
    title = f"{scenario}: {name}" if len(shown) == 1 and len(runs) > 1 else scenario
    view = View(city, choice, panels, title, when, layer, scale, near=near)
    view.warning, view.runs = _cut_off(first, shown), done
    return view


def refuse_outside(run: RunInfo, time_s: float, option: str) -> None:
    """Refuse a time that a run does not simulate.

    Raises
    ------
    InputError
        With the times that it does.
    """
    period = run.manifest["period"]
    begin_s = times.seconds(period["begin"]) - 60.0 * float(period.get("warmup_minutes", 0.0))
    end_s = times.seconds(period["end"])
    end_s += 86_400.0 if end_s <= times.seconds(period["begin"]) else 0.0
    if not begin_s <= time_s <= end_s:
        msg = (
            f"{option} {times.text(time_s)}: {run.folder} simulates "
            f"{times.text(begin_s)} to {times.text(end_s)}"
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


def _layer(choice: Choice, have: Callable[[Layer], bool], what: str) -> Layer | None:
    """Return the chosen layer, or the first that there is."""
    known = layers()
    if choice.layer == NO_LAYER or (choice.layer is None and choice.time_s is not None):
        return None
    if choice.layer is None:
        return next((layer for layer in known.values() if have(layer)), None)
    if choice.layer not in known:
        msg = f"--layer {choice.layer}: is unknown; there are {', '.join(known)}, none"
        raise InputError(msg)
    if not have(known[choice.layer]):
        msg = (
            f"--layer {choice.layer}: {what} has no table {known[choice.layer].table!r}; "
            f"there are {', '.join(n for n, layer in known.items() if have(layer)) or 'none'}"
        )
        raise InputError(msg)
    return known[choice.layer]


def _layer_values(
    runs: Sequence[RunInfo], choice: Choice, what: str
) -> tuple[Layer | None, list[pd.Series[float] | None]]:
    """Return the layer and its means by street, of each run."""
    from scenarios.compare import layer_means

    cache: dict[tuple[str, str], pd.Series[float] | None] = {}

    def means(run: RunInfo, layer: Layer) -> pd.Series[float] | None:
        key = (run.name, layer.name)
        if key not in cache:
            cache[key] = layer_means(run, run.seeds, layer)
        return cache[key]

    def have(layer: Layer) -> bool:
        found = (means(run, layer) for run in runs)
        return any(v is not None and bool(v.notna().any()) for v in found)

    layer = _layer(choice, have, what)
    if layer is None:
        return None, [None] * len(runs)
    return layer, [means(run, layer) for run in runs]


def _scale(layer: Layer, values: Sequence[pd.Series[float] | None]) -> Scale:
    """Return one scale for the values of all panels."""
    from viz.palette import Scale

    every = np.concatenate([v.dropna().to_numpy(float) for v in values if v is not None])
    if layer.shown == "difference" or not len(every):
        return Scale.of(every)
    flipped = layer.better == "higher"
    return Scale.between(float(every.min()), float(every.max()), flipped=flipped)


def _difference(
    city: City, choice: Choice, shown: Sequence[RunInfo], scenario: str, when: str
) -> View:
    """Return the view of what an alternative changes, without what chance alone could explain."""
    from scenarios.compare import compare
    from viz.palette import Scale

    streets = compare([run.folder for run in shown]).streets.set_index("street")
    layer = _layer(choice, lambda x: f"diff_{x.name}" in streets, str(shown[1].folder))
    if layer is None:
        msg = "--layer none: a difference needs a layer; leave --layer away, or compare beside"
        raise InputError(msg)
    values = streets[f"diff_{layer.name}"].astype(float)
    sure = f"q_{layer.name}"
    if sure in streets:
        values = values.where(streets[sure] <= SURE)
    values = values.where(values != 0.0)
    ends = Scale.of(values, diverging=True)
    scale = Scale(ends.low, ends.high, diverging=True, flipped=layer.better == "higher")
    title = texts()["map"]["title"].format(
        layer=layer_title(layer),
        alternative=title_of(shown[1])[current()],
        base=title_of(shown[0])[current()],
    )
    panel = Shown(shown[1], "", values)
    near = choice.street is not None
    view = View(city, choice, [panel], title, f"{scenario}. {when}", layer, scale, near=near)
    view.warning = _cut_off(shown[0], shown)
    if not values.notna().any():
        view.notes.append(
            f"{layer_title(layer)}: no street changes more than chance alone could explain; "
            "more replications may show something"
        )
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


def _proper(city: City) -> str:
    """Return a city's name as it is, with a capital at least."""
    return city.name if any(c.isupper() for c in city.name) else city.name.title()


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
