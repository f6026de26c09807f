"""`twin present`: runs, or a city, as a page that opens by double click."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.compare import compare_runs
from scenarios.present_results import results, told
from scenarios.present_tour import measures_of, title_of, usual_tour
from scenarios.present_values import (
    OF_STREET,
    layers_of_names,
    named,
    of_names,
    pack_clear,
    pack_layers,
    pack_names,
    towards,
)
from scenarios.runs import MANIFEST, RunInfo, open_runs, write_text
from scenarios.schema import BASE
from scenarios.tables import check_city, check_layers, missing_traffic, read_record, window
from scenarios.tour_file import read_tour
from twin import times
from twin.errors import InputError, OutputError
from viz.language import LANGUAGES
from viz.picture import proper
from viz.presentation.traffic import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scenarios.present_values import Named
    from twin.city import City
    from viz.language import Language
    from viz.presentation.pack import Pack
    from viz.scene.ground import Ground

    Say = Callable[[str], None]

MOST_RUNS = 6


def present(
    what: Sequence[Path],
    out: Path,
    *,
    lang: Language = "en",
    tour: Path | None = None,
    title: str | None = None,
    overwrite: bool = False,
    say: Say = lambda _: None,
) -> Path:
    """Write the presentation of runs or of a city; return the file to open.

    Parameters
    ----------
    what
        A folder of `twin run`, one or more runs (base first), or a city.
    out
        A file that ends in `.html`, or a folder.
    lang
        Language at first; the page can change it.
    tour
        File of bookmarks; a tour is made of the results unless given.
    title
        What stands above; the scenario's or city's name unless given.
    overwrite
        Whether a presentation that is there may be replaced.
    say
        Called with a line of text.

    Raises
    ------
    TwinError
        If it cannot be made, in one line.
    """
    from viz.presentation import page

    _refuse_existing(out, overwrite=overwrite)
    runs, city = _opened(what, say)
    if page.bundle() is None:
        return _fallback(city, out, title or _title(city, runs), lang, say)
    content = Content(city, runs, say)
    header = content.header(lang, title, tour)
    files = page.files(header, content.pack, folder=out.suffix != ".html")
    if out.suffix == ".html":
        write_text(out, files[page.PAGE])
        return out
    _write_folder(out, files)
    return out / page.PAGE


class Content:
    """What a presentation holds, packed as it is asked for."""

    def __init__(self, city: City, runs: list[RunInfo], say: Say = lambda _: None) -> None:
        from viz.presentation.pack import Pack
        from viz.scene.ground import Ground

        self.city, self.runs, self.say = city, runs, say
        self.pack: Pack = Pack()
        self.ground: Ground = Ground.of(city)
        self.names: Named = named(city)

    def header(self, lang: Language, title: str | None, tour: Path | None) -> dict[str, Any]:
        """Pack everything and return the page's header."""
        from viz.presentation.shapes import pack_city

        city = pack_city(self.pack, self.city, self.ground)
        city |= {"streets": len(self.names.names), "count": len(self.city.buildings)}
        self.pack.add("street.name", self.names.of, delta=True)
        self.pack.add("street.towards", towards(self.city, self.names), delta=True)
        known: dict[str, Any] = {"layers": [], "runs": [], "time": None, "touched": [], "my": None}
        known["years"] = int(self.runs[0].manifest.get("years", 0)) if self.runs else 0
        known["results"], box = None, self.ground.box
        found: dict[str, Any] = {}
        if self.runs:
            found = self._results(known)
        layers = [layer["name"] for layer in known["layers"]]
        alternatives = [run.name for run in self.runs[1:]]
        stops = (
            usual_tour(city, self.runs, self.names, found, layers, known.pop("told", {}))
            if tour is None
            else read_tour(tour, self.names.names, layers, alternatives, box, window(self.runs))
        )
        known.pop("told", None)
        return {
            "lang": lang,
            "title": title or _title(self.city, self.runs),
            "city": city,
            "names": self.names.names,
            "palette": _palette(),
            "tour": stops,
            **known,
        }

    def _results(self, known: dict[str, Any]) -> dict[str, Any]:
        base = self.runs[0]
        check_layers(self.runs, self.city)
        for line in missing_traffic(self.runs):
            self.say(line)
        seeds = [tuple(s for s in run.seeds if s in set(base.seeds)) for run in self.runs]
        begin, end = (times.seconds(str(base.manifest["period"][k])) for k in ("begin", "end"))
        end = end if end > begin else end + 86400
        known["time"] = {"begin": begin, "end": end, "day": base.manifest["period"].get("day")}
        known["layers"] = pack_layers(self.pack, self.city, self.runs, seeds)
        if len(self.runs) > 1:
            comparison = compare_runs(base, self.runs[1:])
            of = comparison.streets.groupby("alternative")
            pack_clear(self.pack, self.city, self.runs[1:], {str(name): t for name, t in of})
            known["results"] = results(comparison)
            known["told"] = {run.name: told(comparison, run.name) for run in self.runs[1:]}
        found: dict[str, Any] = {}
        days = [run.replication(s) for run, own in zip(self.runs, seeds, strict=True) for s in own]
        if all((day / "streets.parquet").is_file() for day in days):
            found = of_names(self.city, self.names, self.runs, seeds, (end - begin) / 3600.0)
            pack_names(self.pack, found)
            known["my"] = list(OF_STREET)
        of_layers = layers_of_names(self.city, self.names, self.runs, seeds)
        if of_layers:
            pack_names(self.pack, of_layers)
            known["my"] = [*(known["my"] or ()), *of_layers[self.runs[0].name]]
        known["runs"] = [
            {
                "name": run.name,
                "title": title_of(run),
                "measures": {code: measures_of(run, code) for code in LANGUAGES},
                "days": len(own),
                "vehicles": self._traffic(run, k, (begin, end)),
            }
            for k, (run, own) in enumerate(zip(self.runs, seeds, strict=True))
        ]
        moves = any(run["vehicles"] for run in known["runs"])
        self._say_unrecorded(known["runs"])
        if not moves and all(len(layer["starts"]) < 2 for layer in known["layers"]):
            known["time"] = None  # nothing goes by the clock
        known["touched"] = _touched(self.runs, self.city)
        from twin.traffic.parameters import DEFAULT_TYPES

        known["tau"] = DEFAULT_TYPES[0].tau_s
        spacing = {t.name: t.spacing_m for t in DEFAULT_TYPES}
        known["spacing"] = [spacing.get(kind, DEFAULT_TYPES[0].spacing_m) for kind in KINDS]
        return found

    def _say_unrecorded(self, runs: list[dict[str, Any]]) -> None:
        """Say of which runs no vehicles move, where the streets were driven."""
        driven = [r for r in self.runs if any(r.folder.glob("seed-*/trips.parquet"))]
        still = {run["name"] for run in runs if not run["vehicles"]}
        named = [run.title for run in driven if run.name in still]
        if named:
            self.say(
                f"{', '.join(named)}: vehicles were not recorded (no passages.parquet), so the "
                "page shows none; run the scenario again to see them move"
            )

    def _traffic(self, run: RunInfo, k: int, window: tuple[float, float]) -> int:
        """Pack the recorded day of a run; return its vehicles, 0 where none was recorded."""
        from viz.presentation.shapes import light_heads
        from viz.presentation.traffic import pack_traffic
        from viz.scene.roads import lane_lines

        for seed in run.seeds:
            if not (run.replication(seed) / "passages.parquet").is_file():
                continue
            tables = read_record(run, seed, self.city)
            heads = light_heads(self.city, lane_lines(self.city, self.ground))
            return pack_traffic(self.pack, f"run{k}", self.city, tables, window, heads)
        return 0


def _opened(what: Sequence[Path], say: Say) -> tuple[list[RunInfo], City]:
    """Return the runs (base first) and their city, or no runs and a city."""
    from scenarios.pairs import distinct
    from twin.city import City
    from twin.city.opening import open_city

    are_runs = [(p / MANIFEST).is_file() or (p / BASE / MANIFEST).is_file() for p in what]
    if len(what) == 1 and not are_runs[0]:
        return [], open_city(str(what[0]), say=say)
    runs = distinct([run for path in what for run in open_runs(path)])
    if len(runs) > MOST_RUNS:
        msg = f"{len(runs)} runs are too many to show; name up to {MOST_RUNS} of them, base first"
        raise InputError(msg)
    if not runs[0].seeds:
        msg = f"{runs[0].folder}: has no complete replication; run the scenario first"
        raise InputError(msg)
    runs = [runs[0], *_comparable(runs[0], runs[1:], say)]
    if not runs[0].city_folder.is_dir():
        msg = f"{runs[0].folder}: there is no city folder beside it; keep a run where it was made"
        raise InputError(msg)
    city = City.load(runs[0].city_folder)
    check_city(runs, city)
    return runs, city


def _comparable(base: RunInfo, rest: list[RunInfo], say: Say) -> list[RunInfo]:
    """Return the alternatives that can be shown beside the base; say which cannot yet.

    Raises
    ------
    InputError
        If one is of another city or period, or was run with other seeds.
    """
    from scenarios.pairs import check_pair

    found = []
    for run in rest:
        if not run.seeds:
            say(f"{run.title}: has no complete replication yet, so it is left out")
            continue
        if not set(run.seeds) & set(base.seeds):
            msg = (
                f"{run.folder}: shares no seed with {base.folder}; run both with the same seed, "
                "or name another run"
            )
            raise InputError(msg)
        check_pair(base, run, unpaired=False)
        found.append(run)
    return found


def _refuse_existing(out: Path, *, overwrite: bool) -> None:
    from scenarios.query import refuse_existing
    from viz.presentation.page import PAGE

    if out.suffix == ".html":
        refuse_existing(out, overwrite=overwrite)
        return
    if out.is_file() or (out.suffix and not out.is_dir()):
        what = "is a file" if out.is_file() else f"does not end in .html but in {out.suffix}"
        msg = f"{out}: {what}; name a folder with -o, or a file that ends in .html"
        raise OutputError(msg)
    names = {p.name for p in out.iterdir()} if out.is_dir() else set()
    if names and PAGE not in names:
        msg = f"{out}: holds other files ({sorted(names)[0]}); name an empty folder"
        raise OutputError(msg)
    if names and not overwrite:
        msg = f"{out}: exists; name another folder with -o, or say --overwrite"
        raise OutputError(msg)


def _write_folder(out: Path, files: dict[str, str]) -> None:
    """Write the parts into a folder beside, then put each in its place, the page last."""
    from twin.city.store import cannot_write
    from viz.presentation.page import PAGE

    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, text in files.items():
            (part / name).write_text(text, encoding="utf-8")
        out.mkdir(exist_ok=True)
        for name in sorted(files, key=lambda n: n == PAGE):
            (part / name).replace(out / name)
    except OSError as error:
        raise OutputError(cannot_write(out, error)) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _title(city: City, runs: Sequence[RunInfo]) -> str:
    """Return what stands above where nobody says: the scenario's, else the city's name."""
    scenario = runs[0].manifest.get("scenario") if runs else None
    return str(scenario or proper(city.name))


def _fallback(city: City, out: Path, title: str, lang: Language, say: Say) -> Path:
    """Write the city alone, by the viewer that PyVista's own packages carry."""
    from viz.presentation.fallback import export

    say(
        "The viewer has not been built here (no Node: 'make web' builds it), so PyVista's own "
        "viewer shows the city alone, without traffic, search and tour."
    )
    return export(city, out if out.suffix == ".html" else out / "index.html", title, lang)


def _palette() -> dict[str, Any]:
    """Return the project's colours: tables of scales, and what vehicles and lights have."""
    from viz.palette import NO_VALUE, Scale, dark_tables
    from viz.scene.lights import COLOURS
    from viz.scene.vehicles import DRIVES, STANDS

    at = np.linspace(0.0, 1.0, 256)
    sequential, diverging = dark_tables()
    return {
        "sequential": _hex(Scale(0.0, 1.0).rgb(at)),
        "diverging": _hex(Scale(-1.0, 1.0, diverging=True).rgb(2.0 * at - 1.0)),
        "sequential_dark": _hex(sequential),
        "diverging_dark": _hex(diverging),
        "none": NO_VALUE,
        "lights": [COLOURS[k] for k in ("red", "yellow", "green", "off")],
        "drives": DRIVES,
        "stands": STANDS,
    }


def _hex(colours: Any) -> str:
    return bytes(np.ascontiguousarray(colours, np.uint8)).hex()


def _touched(runs: Sequence[RunInfo], city: City) -> list[dict[str, Any]]:
    """Return what measures do to streets, and when; nothing where a scenario file is gone."""
    from scenarios.touched import effects_of

    return [
        {
            "run": run.name,
            "text": {code: measure.describe(code) for code in LANGUAGES},
            "streets": sorted(map(int, effect.streets or ())),
            "begin": max(0.0, float(effect.begin_s)),
            "end": float(effect.end_s) if np.isfinite(effect.end_s) else None,
            "closes": bool(effect.closes),
        }
        for run in runs
        for measure, effect in effects_of(run, city)
    ]
