"""The report: one HTML file for a council that asks nothing of the network.

First what was compared, what came out and how sure that is, in sentences made from the
comparison's own numbers; then a chapter per comparison, and all that is needed to check it.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
import math
import re
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from scenarios import report_figures as figures
from scenarios import report_places as places
from scenarios import report_words as words
from scenarios.report_key import key_numbers, rests_on, warnings
from scenarios.runs import write_text
from scenarios.schema import BASE
from twin.errors import InputError
from twin.system import systems
from viz import maps
from viz.caption import ATTRIBUTION
from viz.language import current
from viz.language import language as said_in
from viz.palette import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from scenarios.compare import Comparison
    from scenarios.runs import RunInfo
    from twin.city import City
    from viz.maps import MapBase

    Assumption = tuple[str, float | str, str, str]

FEW_PAIRS = 10
SOURCE_COLUMNS = ("what", "licence", "timestamp", "sha256")
PICTURE_BYTES = 1_200_000  # above it the picture is kept as JPEG


def write_report(
    comparisons: Sequence[Comparison],
    path: Path,
    *,
    title: str,
    picture: Path | None = None,
    city: City | None = None,
    assumptions: Sequence[Assumption] | None = None,
    gaps: Sequence[pd.DataFrame | None] | None = None,
    notes: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
    language: str = "en",
) -> Path:
    """Write the report, and return its path.

    Parameters
    ----------
    comparisons
        One chapter each.
    path
        The HTML file.
    title
        Of the report.
    picture
        A picture of the city for the first page.
    city
        The city; that of the first comparison unless given.
    assumptions
        Rows (name, value, unit, source); those of all registered systems unless given.
    gaps
        Per comparison a table seed, iteration, gap; `equilibrium.parquet` beside the runs
        unless given.
    notes
        Further paragraphs on the method.
    extra
        `layers` (names of map layers to draw), `picture_text`, `subtitle`, `commands`.
    language
        Of all that the report says, "en" or "de"; names that planners gave stay.

    Raises
    ------
    InputError
        If there is nothing to report, or no such language.
    OutputError
        If the file cannot be written.
    """
    if not comparisons:
        msg = f"no comparison for {path}; compare at least two runs"
        raise InputError(msg)
    extra = extra or {}
    rows = _assumptions() if assumptions is None else list(assumptions)
    tables = [_gaps(c) for c in comparisons] if gaps is None else list(gaps)
    with said_in(language):
        comparisons = [_named(c) for c in comparisons]
        city = city or comparisons[0].city
        context = _context(comparisons, city, tables, extra)
        context |= {
            "title": title,
            "language": language,
            "picture": _picture(picture, str(extra.get("picture_text", ""))) if picture else None,
            "assumptions": [_assumption(row) for row in rows],
            "notes": notes,
        }
        text = _rendered(context)
    write_text(path, text)
    return path


def _context(
    comparisons: Sequence[Comparison],
    city: City,
    gaps: Sequence[pd.DataFrame | None],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all that the template shows, but what does not hang on the comparisons."""
    base = maps.map_base(city)
    chapters = [
        _chapter(c, k, base, extra.get("layers")) for k, c in enumerate(comparisons, start=1)
    ]
    shown_gaps = [
        figures.gap_figure(table, chapter["title"], _target(c), _route_choice(c))
        for c, chapter, table in zip(comparisons, chapters, gaps, strict=True)
        if table is not None and len(table)
    ]
    results = [r for r in map(_result, comparisons) if r]
    named = [s["attribution"] for s in city.sources if s.get("attribution")]
    now, t = dt.datetime.now(dt.UTC), words.texts()
    made = words.date(now.date(), "made", f"{now:%H:%M}")
    return {
        "t": t,
        "subtitle": extra.get("subtitle")
        or t["page"]["written"].format(city=city.name.title(), made=made),
        "ratio": f"{base.width / base.height:.3f}",
        "definitions": maps.definitions(base),
        "chapters": chapters,
        "key": [
            key_numbers(c, chapter, len(chapters))
            for c, chapter in zip(comparisons, chapters, strict=True)
        ],
        "results": results,
        "first_map": None if extra.get("no_map") else _first_map(comparisons, chapters),
        "rests_on": [text for c in comparisons for text in rests_on(c)],
        "sure": _sure(comparisons, gaps),
        "gaps": shown_gaps,
        "provenance": [
            _provenance(c, chapter["title"])
            for c, chapter in zip(comparisons, chapters, strict=True)
        ],
        "method": _method(comparisons),
        "commands": extra.get("commands") or "\n".join(_commands(c) for c in comparisons),
        "sources": [_source(s) for s in city.sources],
        "attribution": ", ".join(dict.fromkeys(named)) or ATTRIBUTION,
    }


def _method(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what is said of the method; of own matrices, which they are."""
    t = words.texts()["method"]
    files = [f for c in comparisons for f in c.base.manifest.get("demand", {}).get("matrices", [])]
    own = t["matrices"].format(files=", ".join(dict.fromkeys(files)))
    return [own if files else t["generated"], *t["paragraphs"]]


def _named(comparison: Comparison) -> Comparison:
    """Return a comparison whose base is called so in the language that holds, if by no other."""
    base = comparison.base
    if base.title != words.texts_of("en")["speech"]["base"]:
        return comparison
    return replace(comparison, base=replace(base, title=words.texts()["speech"]["base"]))


def _result(comparison: Comparison) -> dict[str, str] | None:
    """Return what came out of a comparison, in a sentence."""
    titles = {run.name: run.title for run in comparison.alternatives}
    return words.result(comparison.table, titles)


def _first_map(
    comparisons: Sequence[Comparison], chapters: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return the map for the first page: of the first layer, where the greatest change is."""
    for comparison, chapter in zip(comparisons, chapters, strict=True):
        shown = [m for m in chapter["maps"] if m["svg"]]
        drawn = [m for m in shown if m.get("layer")] or shown
        ranked = words.changes_most(comparison.table)
        chosen = (m for name in ranked for m in drawn if m.get("alternative") == name)
        if drawn:
            found: dict[str, Any] = next(chosen, drawn[0])
            return found
    return None


def _chapter(
    comparison: Comparison, k: int, base: MapBase, chosen: Sequence[str] | None
) -> dict[str, Any]:
    """Return a chapter."""
    manifest = comparison.base.manifest
    runs = (comparison.base, *comparison.alternatives)
    made = places.trip_pairs(comparison)
    return {
        "id": f"chapter-{k}",
        "title": str(manifest.get("scenario") or words.texts()["page"]["comparison"].format(k=k)),
        "base": comparison.base.title,
        "compared": _compared(comparison),
        "holds": _holds(comparison.base),
        "measures": [{"title": run.title, "said": _measures(run)} for run in runs],
        "warnings": warnings(comparison),
        "notes": [words.note_text(n) for n in getattr(comparison, "notes", ())],
        "csv": _csv(comparison, k),
        "alternatives": [_alternative(comparison, run) for run in comparison.alternatives],
        "trips": [
            *figures.system_figures(comparison),
            *places.profiles(comparison),
            *figures.trip_figures(comparison),
            *places.trip_scatter(comparison, made),
        ],
        "people": places.won_and_lost(comparison, made),
        "junctions": places.junctions(comparison),
        "maps": [
            *figures.map_figures(comparison, base, chosen),
            *places.zone_maps(comparison, base, comparison.city),
        ],
        "events": figures.event_figure(comparison),
    }


def _alternative(comparison: Comparison, run: RunInfo) -> dict[str, Any]:
    """Return what the tables and plots of an alternative show."""
    rows = comparison.table[comparison.table["alternative"] == run.name]
    found = words.records(rows)
    return {
        "title": run.title,
        "headline": words.headline(rows, run.title),
        "rows": [words.table_row(r) for r in found],
        "counts": words.counts(rows, run.name),
        "intervals": figures.intervals(rows, run.title),
        "source": words.texts()["source"]["table"].format(alternative=run.name),
    }


def _compared(comparison: Comparison) -> str:
    """Return what was compared, in a sentence."""
    manifest = comparison.base.manifest
    period = manifest.get("period", {})
    pairs = sorted({int(n) for n in comparison.table["n"]}) or [0]
    t, years = words.texts()["first"], int(manifest.get("years", 0))
    speech = words.texts()["speech"]
    long = speech["year"] if years == 1 else speech["years"].format(n=years)
    by_year = years > 0 and "traffic" not in manifest.get("systems", ("traffic",))
    said = t["compared_years" if by_year else "compared"].format(
        years=long,
        scenario=manifest.get("scenario") or words.texts()["page"]["scenario"],
        alternatives=words.listed([words.quoted(run.title) for run in comparison.alternatives]),
        base=words.quoted(comparison.base.title),
        city=_city(manifest),
        day=_day(str(period.get("day", ""))),
        begin=period.get("begin", "?"),
        end=_clock(str(period.get("end", "?"))),
        n="–".join(dict.fromkeys(str(n) for n in (pairs[0], pairs[-1]))),
    )
    if years and not by_year:
        said = f"{said} {t['years'].format(years=long)}"
    return f"{said} {_scaled(comparison)}".strip()


def _scaled(comparison: Comparison) -> str:
    """Return a sentence on the demand's scale; nothing where all runs have the assumed demand."""
    runs = (comparison.base, *comparison.alternatives)
    scales = [float(run.manifest.get("demand", {}).get("scale", 1.0)) for run in runs]
    if set(scales) == {1.0}:
        return ""
    scale = " / ".join(dict.fromkeys(number(v, _decimals(v)) for v in scales))
    return str(words.texts()["first"]["scaled"].format(scale=scale))


def _holds(base: RunInfo) -> str:
    """Return a sentence on the base's own measures; nothing where it has none."""
    told = words.measures_told(base.manifest)
    which = ("base_measures",) if base.name == BASE else ("base_measures", "measures")
    rows = [m for key in which for m in base.manifest.get(key, [])]
    said = [str(told.get(str(m.get("describe"))) or m.get("kind")) for m in rows]
    t = words.texts()["first"]["holds"]
    return str(t.format(measures=words.listed_shortly(said, "; "))) if said else ""


def _city(manifest: Mapping[str, Any]) -> str:
    name = str(manifest.get("city", {}).get("name") or "")
    return name.title() if name else str(words.texts()["speech"]["city"])


def _day(text: str) -> str:
    """Return an ISO date as people write it."""
    try:
        return words.date(dt.date.fromisoformat(text))
    except ValueError:
        return text or str(words.texts()["speech"]["day"])


def _clock(text: str) -> str:
    """Return a time that may pass midnight, as "28:00", in words."""
    hours, _, minutes = text.partition(":")
    if hours.isdigit() and int(hours) >= 24:
        clock = f"{int(hours) % 24:02d}:{minutes}"
        return str(words.texts()["speech"]["day_after"].format(time=clock))
    return text


def _measures(run: RunInfo) -> list[str]:
    """Return the measures of a run, in words of a planner, each with how drivers respond."""
    which = "base_measures" if run.name == BASE else "measures"
    t, told = words.texts()["response"], words.measures_told(run.manifest)
    said = [
        f"{told.get(str(m.get('describe'))) or m.get('kind')}{t.get(str(m.get('response')), '')}"
        for m in run.manifest.get(which, [])
    ]
    informed = float(run.manifest.get("informed", 1.0))
    if informed < 1.0:
        share = f"{number(100.0 * informed, 0)}\u202f%"
        said.append(words.texts()["first"]["informed"].format(share=share).strip())
    return said or [t["nothing_changes"]]


def _sure(comparisons: Sequence[Comparison], gaps: Sequence[pd.DataFrame | None]) -> list[str]:
    """Return how sure the results are."""
    t = words.texts()["first"]
    driven = any("traffic" in c.base.manifest.get("systems", ("traffic",)) for c in comparisons)
    said = [t["sure"], *([t["fixed"]] if driven else [])]
    pairs = min((int(n) for c in comparisons for n in c.table["n"]), default=0)
    if pairs < FEW_PAIRS:
        said.append(t["few"].format(n=pairs))
    for comparison, table in zip(comparisons, gaps, strict=True):
        if table is None or not len(table):
            continue
        target = _target(comparison)
        missed, n = figures.gaps_missed(table, target)
        if missed:
            name = comparison.base.manifest.get("scenario", "")
            text = t["gap_missed"].format(
                missed=missed, n=n, target=f"{number(100.0 * target)}\u202f%"
            )
            said.append(f"{name}: {text}" if len(comparisons) > 1 else text)
    return said


def _target(comparison: Comparison) -> float:
    """Return the gap that the scenario aims at."""
    return float(comparison.base.manifest.get("equilibrium", {}).get("gap", 0.0))


def _route_choice(comparison: Comparison) -> str:
    """Return how drivers choose routes."""
    return str(comparison.base.manifest.get("equilibrium", {}).get("route_choice", "equilibrium"))


def _gaps(comparison: Comparison) -> pd.DataFrame | None:
    """Return the equilibrium gaps that lie beside the runs, if they do."""
    import pandas as pd

    path = comparison.base.folder.parent / "equilibrium.parquet"
    return pd.read_parquet(path) if path.is_file() else None


def _assumptions() -> list[Assumption]:
    """Return the assumptions of every registered system."""
    return [row for system in systems().values() for row in system.assumptions()]


def _assumption(row: Assumption) -> dict[str, str]:
    name, value, unit, source = row
    t = words.texts()
    if not isinstance(value, str):
        text = number(float(value), _decimals(float(value)))
    elif current() == "de":
        text = re.sub(r"(?<=\d)\.(?=\d)", ",", t["value"].get(value, value))
    else:
        text = value
    name, source = (t.get(k, {}).get(v, v) for k, v in (("assumption", name), ("basis", source)))
    unit = "–" if unit == "1" else words.unit_text(unit)
    return {"name": name, "value": text, "unit": unit, "source": source}


def _decimals(value: float) -> int:
    """Return as many decimals as the value has, four at most."""
    return next((d for d in range(4) if math.isclose(round(value, d), value, rel_tol=1e-6)), 4)


def _source(source: Mapping[str, Any]) -> dict[str, str]:
    """Return where data come from, with the day as people write it."""
    row = {k: str(source.get(k, "–")) for k in SOURCE_COLUMNS}
    known = words.texts().get("origin", {})
    row |= {k: known.get(row[k], row[k]) for k in ("what", "licence")}
    with contextlib.suppress(ValueError):
        row["timestamp"] = words.date(dt.datetime.fromisoformat(row["timestamp"]).date(), "day_of")
    return row


def _provenance(comparison: Comparison, title: str) -> dict[str, Any]:
    """Return the facts by which a chapter can be told from any other."""
    manifest = comparison.base.manifest
    city, demand = manifest.get("city", {}), manifest.get("demand", {})
    versions = manifest.get("versions", {})
    t = words.texts()["provenance"]
    hashes = [
        (t["inputs"].format(run=words.quoted(run.title)), str(run.manifest.get("input_hash", "–")))
        for run in (comparison.base, *comparison.alternatives)
    ]
    city_is = t["city_is"].format(name=city.get("name", "–"), digest=city.get("digest", "–"))
    scale = demand.get("scale", "–")
    scale = number(float(scale), _decimals(float(scale))) if scale != "–" else scale
    rows = [
        (t["city"], city_is),
        (t["demand"], t["demand_is"].format(scale=scale, digest=demand.get("digest", "–"))),
        (t["seeds"], _seeds(manifest.get("seeds", []))),
        (t["versions"], ", ".join(f"{k} {v}" for k, v in versions.items()) or "–"),
        (t["git"], str(manifest.get("git_revision") or "–")),
        *hashes,
    ]
    return {"title": title, "rows": rows}


def _seeds(seeds: Sequence[int]) -> str:
    """Return seeds as a list, or as a range where they follow each other."""
    if len(seeds) > FEW_PAIRS and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(str(s) for s in seeds) or "–"


def _commands(comparison: Comparison) -> str:
    """Return the commands that make a chapter again, from the scenario that the run keeps."""
    folder = comparison.base.folder.parent.name
    scenario = f"{folder}/{comparison.base.folder.name}/scenario.yaml"
    again = f"{folder}-again"
    return f"twin run {scenario} -o {again}\ntwin compare {again} -o {again}-compared"


def _csv(comparison: Comparison, k: int) -> dict[str, str]:
    """Return the table as a file within the page."""
    data = comparison.table.to_csv(index=False).encode()
    uri = f"data:text/csv;base64,{base64.b64encode(data).decode()}"
    return {"name": f"comparison-{k}.csv", "uri": uri}


def _picture(path: Path, text: str) -> dict[str, Any]:
    """Return the picture as part of the page; a heavy one as JPEG.

    Raises
    ------
    InputError
        If it is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            size, kind = image.size, (image.format or "png").lower()
            if len(data) > PICTURE_BYTES or kind not in {"png", "jpeg"}:
                stream = io.BytesIO()
                image.convert("RGB").save(stream, "JPEG", quality=88, optimize=True)
                data, kind = stream.getvalue(), "jpeg"
    except (OSError, UnidentifiedImageError) as error:
        msg = f"{path}: cannot be read as a picture ({error}); draw it again or leave it out"
        raise InputError(msg) from None
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    alt = text or str(words.texts()["page"]["picture"])
    return {"uri": uri, "width": size[0], "height": size[1], "alt": alt}


def _rendered(context: Mapping[str, Any]) -> str:
    """Return the page; whatever comes from data is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("scenarios", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    folder = resources.files("scenarios") / "templates"
    css, js = ((folder / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    template = environment.get_template("report.html.j2")
    return template.render(**context, css=css, js=js)
