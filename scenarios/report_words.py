"""What the report says about a comparison: effects, table rows and sentences.

An effect is never more certain than its interval: "better" needs an interval that leaves out 0
and, where p-values are corrected for many indicators, a corrected p-value of at most 0.05.
"""

from __future__ import annotations

import math
import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from twin.system import indicators
from viz.language import current
from viz.palette import number

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from twin.system import Layer

ALPHA = 0.05
MAX_DIGITS = 4
WHOLE_FROM = 1000.0  # larger values are printed without decimals
CLEAR = ("better", "worse", "changed")
EXACT = 0.2  # of a difference: more than that the equilibrium's own error must not be
MOST_LISTED = 5  # names in a sentence of the first page
LEAST_TO_ADVISE = 5  # pairs from which their spread is known well enough to advise more


class Note(str):
    """A line on runs, in English, that the report can tell in its own language."""

    name: str
    values: dict[str, object]

    def __new__(cls, name: str, **values: object) -> Note:
        """Return the line of [note] with its values filled in."""
        self = super().__new__(cls, _filled(texts_of("en"), name, values))
        self.name, self.values = name, values
        return self

    def told(self) -> str:
        """Return it in the language that holds."""
        return _filled(texts(), self.name, self.values)


def _filled(said: dict[str, Any], name: str, values: Mapping[str, object]) -> str:
    """Return a note with its values, where tuples are lists of words."""
    known = said["input"]
    written = {
        k: ", ".join(known.get(str(v), str(v)) for v in value)
        if isinstance(value, tuple)
        else number(value, 0)
        if isinstance(value, int)
        else value
        for k, value in values.items()
    }
    return str(said["note"][name].format(**written))


def texts() -> dict[str, Any]:
    """Return every text of the report by section and name, in the language that holds."""
    return texts_of(current())


@lru_cache
def texts_of(code: str) -> dict[str, Any]:
    """Return the texts of a language."""
    file = resources.files("scenarios") / "templates" / f"texts.{code}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def effect(row: Mapping[str, Any]) -> str:
    """Return what a row of the comparison shows.

    One of better, worse, changed (where neither direction is better), weak (its interval
    leaves out 0, but not after correction for many indicators), unclear, unresolved (drivers'
    learning alone moves it by more than a fifth), single (one pair of runs), same, or missing.
    """
    difference, low, high = (float(row[k]) for k in ("difference", "ci_low", "ci_high"))
    if bool(row["identical"]):
        return "same"
    if int(row["n"]) < 1 or not math.isfinite(difference):
        return "missing"
    if int(row["n"]) < 2:
        return "single"
    if float(row.get("equilibrium_error", math.nan)) > EXACT * abs(difference):
        return "unresolved"
    if not (low > 0.0 or high < 0.0):  # also where the interval is missing
        return "unclear"
    p_holm = float(row.get("p_holm", math.nan))
    if p_holm > ALPHA:
        return "weak"
    if row["better"] not in {"lower", "higher"}:
        return "changed"
    return "better" if (difference < 0.0) == (row["better"] == "lower") else "worse"


def verdict(row: Mapping[str, Any]) -> str:
    """Return in plain words what a row of the comparison shows.

    All of it follows from the row: it is the text of its effect, filled with the way it goes, the
    replications that would settle it, and a warning.
    """
    t, found = texts()["verdict"], effect(row)
    n, needed, better = int(row["n"]), int(row.get("n_needed", 0)), row["better"]
    way = "lower" if float(row["difference"]) < 0.0 else "higher"
    judged = way if better == "neither" else "better" if way == better else "worse"
    advised = n >= LEAST_TO_ADVISE and needed > n
    more = t["more"].format(n=needed) if advised else ""
    said = str(t[found].format(way=t["way"][way], word=t["way"][judged], more=more))
    skewed = row.get("warning") == "skewed" and found in {*CLEAR, "weak", "unclear"}
    return said + t["skewed"] if skewed else said


def table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the comparison as the report prints it."""
    found, difference = effect(row), float(row["difference"])
    digits = _digits(row)
    numbers = {
        k: number(float(row[k]), digits, sign=sign)
        for k, sign in (
            ("base_mean", False), ("mean", False), ("difference", True),
            ("ci_low", True), ("ci_high", True),
        )
    }  # fmt: skip
    interval = texts()["word"]["to"].format(low=numbers["ci_low"], high=numbers["ci_high"])
    has_interval = math.isfinite(float(row["ci_low"])) and int(row["n"]) > 1
    return {
        "title": indicator_title(row),
        "unit": unit_text(str(row["unit"])) or "–",
        "base": numbers["base_mean"],
        "mean": numbers["mean"],
        "difference": numbers["difference"],
        "low": numbers["ci_low"],
        "high": numbers["ci_high"],
        "interval": interval if has_interval else "–",
        "percent": percent(float(row["percent"])),
        "n": int(row["n"]),
        "p": p_value(float(row["p_value"])),
        "p_holm": p_value(float(row.get("p_holm", math.nan))),
        "effect": found,
        "arrow": "▲" if difference > 0.0 else "▼" if difference < 0.0 else "=",
        "word": texts()["word"][found],
        "short": texts()["short"][found],
        "verdict": verdict(row),
    }


def sentence(row: Mapping[str, Any], alternative: str) -> dict[str, str]:
    """Return what one indicator says, in a sentence, with where its numbers are from."""
    shown, found = table_row(row), effect(row)
    unit = f" {unit_text(str(row['unit']))}" if row["unit"] else ""
    text = texts()["result"][found].format(
        alternative=alternative,
        indicator=_lower_first(indicator_title(row)),
        way=texts()["speech"]["lower" if float(row["difference"]) < 0.0 else "higher"],
        difference=shown["difference"] + unit,
        percent=shown["percent"] if shown["percent"] != "–" else texts()["speech"]["no_percent"],
        low=shown["low"] + unit,
        high=shown["high"] + unit,
    )
    source = texts()["source"]["sentence"].format(
        alternative=row["alternative"], indicator=row["indicator"]
    )
    return {"text": text, "source": source, "effect": found if found in CLEAR[:2] else "other"}


def headline(rows: pd.DataFrame, alternative: str) -> dict[str, str] | None:
    """Return the sentence of the most important indicator that is not just nought."""
    chosen = _headline_row(rows)
    return sentence(chosen, alternative) if chosen else None


def _headline_row(rows: pd.DataFrame) -> dict[str, Any] | None:
    key = [r for r in records(rows) if bool(r["key"]) and not idle(r)]
    differing = [r for r in key if not bool(r["identical"])]
    chosen = (differing or key)[:1]
    return chosen[0] if chosen else None


def changes_most(table: pd.DataFrame) -> list[str]:
    """Return the alternatives by how much they change their most important indicator.

    Those come first that are clearly better or worse.
    """
    found = {str(n): _headline_row(rows) for n, rows in table.groupby("alternative", sort=False)}
    known = {n: r for n, r in found.items() if r and math.isfinite(float(r["difference"]))}
    return sorted(
        known,
        key=lambda n: (effect(known[n]) not in CLEAR[:2], -abs(float(known[n]["difference"]))),
    )


def result(table: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, str] | None:
    """Return what came out, in one sentence: the best and the worst of the alternatives.

    Parameters
    ----------
    table
        Of the comparison.
    titles
        Of the alternatives by name.
    """
    if len(titles) == 1:
        name, title = next(iter(titles.items()))
        return headline(table[table["alternative"] == name], title)
    found = [_headline_row(table[table["alternative"] == name]) for name in titles]
    chosen = next((r for r in found if r), None)
    if chosen is None:
        return None
    rows = records(table[table["indicator"] == chosen["indicator"]])
    clear = [r for r in rows if effect(r) in CLEAR[:2]]
    t = texts()["first"]
    parts = []
    for judged, text in (("better", "best"), ("worse", "worst")):
        mine = [r for r in clear if effect(r) == judged]
        if mine:
            row = max(mine, key=lambda r: abs(float(r["difference"])))
            shown = table_row(row)
            parts.append(
                t[text].format(
                    alternative=titles[str(row["alternative"])],
                    difference=f"{shown['difference']} {shown['unit']}",
                    percent=shown["percent"],
                )
            )
    title = indicator_title(chosen)
    open_ = [titles[str(r["alternative"])] for r in rows if effect(r) not in {*CLEAR, "same"}]
    rest = t["rest"].format(alternatives=listed([quoted(a) for a in open_])) if open_ else ""
    said = (
        f"{title}: {'; '.join(parts)}."
        if parts
        else t["no_clear"].format(indicator=in_list(chosen))
    )
    source = texts()["source"]["result"].format(indicator=chosen["indicator"])
    return {"text": said + (rest if parts else ""), "source": source, "effect": "other"}


def named_in_result(table: pd.DataFrame) -> set[str]:
    """Return the alternatives that `result` names as the best, the worst, or the only one."""
    names = list(dict.fromkeys(table["alternative"]))
    if len(names) == 1:
        return {str(names[0])}
    found = [_headline_row(table[table["alternative"] == name]) for name in names]
    chosen = next((r for r in found if r), None)
    rows = records(table[table["indicator"] == chosen["indicator"]]) if chosen else []
    told = set()
    for judged in CLEAR[:2]:
        mine = [r for r in rows if effect(r) == judged]
        if mine:
            told.add(str(max(mine, key=lambda r: abs(float(r["difference"])))["alternative"]))
    return told


def in_list(row: Mapping[str, Any]) -> str:
    """Return an indicator as it stands within a sentence."""
    return _lower_first(indicator_title(row))


def counts(rows: pd.DataFrame, alternative: str) -> dict[str, str]:
    """Return how many indicators are better, worse, only changed, or open, in a sentence."""
    found = [effect(r) for r in records(rows)]
    clear = {k: found.count(k) for k in CLEAR}
    differ = [k for k in found if k not in {"same", "missing"}]
    text = texts()["result"]["counts"].format(
        total=len(differ),
        better=clear["better"],
        worse=clear["worse"],
        changed=clear["changed"],
        unclear=len(differ) - sum(clear.values()),
    )
    return {"text": text, "source": texts()["source"]["counts"].format(alternative=alternative)}


def indicator_title(row: Mapping[str, Any]) -> str:
    """Return what the report calls an indicator of the comparison."""
    return str(texts().get("indicator", {}).get(str(row["indicator"]), row["title"]))


def unit_text(unit: str) -> str:
    """Return a unit as the report writes it; what is counted without one has "1"."""
    unit = "count" if unit == "1" else unit
    return str(texts().get("unit", {}).get(unit, unit))


def layer_title(layer: Layer) -> str:
    """Return what the report calls a map layer."""
    return str(texts().get("layer", {}).get(layer.name, layer.title))


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as mappings."""
    return [{str(k): v for k, v in r.items()} for r in rows.to_dict("records")]


def idle(row: Mapping[str, Any]) -> bool:
    """Return whether an indicator is 0 in both runs: its system had nothing to do."""
    return bool(row["identical"]) and float(row["base_mean"]) == 0.0


def percent(value: float) -> str:
    """Return a signed percentage, or a dash."""
    if not math.isfinite(value):
        return "–"
    digits = 2 if 0.0 < abs(value) < 0.1 else 1
    return f"{number(value, digits, sign=True)}\u202f%"


def p_value(value: float) -> str:
    """Return a p-value with the digits that it deserves."""
    if not math.isfinite(value):
        return "–"
    return f"<\u00a0{number(0.001, 3)}" if value < 0.001 else number(value, 3)


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {texts()['speech']['and']} {words[-1]}"


def listed_shortly(words: Sequence[str], between: str = "") -> str:
    """Return words as a list in a sentence, of which many are only counted.

    What has commas of its own needs something else `between`.
    """
    left = len(words) - MOST_LISTED + 1
    if left > 1:
        words = [*words[: MOST_LISTED - 1], texts()["speech"]["others"].format(n=left)]
    return between.join(words) if between else listed(words)


def quoted(name: str) -> str:
    """Return a name in quotation marks."""
    return str(texts()["speech"]["quote"].format(name))


def date(day: dt.date, form: str = "date", time: str = "") -> str:
    """Return a day as people write it, by a form of [speech]."""
    t = texts()["speech"]
    names = {"weekday": t["weekdays"][day.weekday()], "month": t["months"][day.month - 1]}
    return str(t[form].format(**names, day=day.day, year=day.year, time=time))


def note_text(note: str) -> str:
    """Return a note in the language that holds, where it is known in it."""
    return note.told() if isinstance(note, Note) else event_text(note)


def event_text(text: str) -> str:
    """Return what an event says in the language that holds, where it is known in it."""
    t = texts()
    for pattern, said in t.get("event", {}).items():
        match = re.fullmatch(pattern, text)
        if match:
            return str(said.format(*map(event_text, match.groups())))
    return str(t.get("treatment", {}).get(text, text))


def measures_told(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what the measures of a run say in the language that holds, by what they say."""
    key = "describe" if current() == "en" else f"describe_{current()}"
    rows = [*manifest.get("base_measures", []), *manifest.get("measures", [])]
    return {str(m["describe"]): str(m.get(key) or m["describe"]) for m in rows if m.get("describe")}


def figure_title(title: str) -> str:
    """Return what the report calls a figure that a system brings."""
    return str(texts().get("figure", {}).get(title, title))


def _digits(row: Mapping[str, Any]) -> int:
    """Return the indicator's decimals, or as many as show two figures of the difference."""
    meta = indicators().get(str(row["indicator"]))
    digits = meta.digits if meta else 1
    if abs(float(row["base_mean"])) >= WHOLE_FROM:
        digits = 0
    size = abs(float(row["difference"]))
    if not (math.isfinite(size) and size > 0.0):
        return digits
    needed = min(MAX_DIGITS, 1 - math.floor(math.log10(size)))
    return max(digits, needed)


def _lower_first(title: str) -> str:
    """Return a title as it stands within a sentence; names in capitals stay."""
    kept = current() == "de" or title[1:2].isupper() or not title
    return title if kept else title[0].lower() + title[1:]
