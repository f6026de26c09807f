"""What the page of a validation says, as Markdown that GitHub shows."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scenarios.validation import measures as marks
from scenarios.validation.measures import Measure
from scenarios.validation.runs import LOCKED_S, LOCKED_SHARE
from scenarios.validation.sumo import version

if TYPE_CHECKING:
    from scenarios.validation.harness import Result

MISSED = "🔴"
AGAIN = (
    "To make it again: `make validate`, or `pip install stadtzwilling[validation]` and the command "
    "above. The networks of RESCO are those of the `sumo-rl` wheel; the cases with open data want "
    "their folder named in `STADTZWILLING_DATA`. SUMO's results are kept between commands; "
    "`--fresh` runs it again."
)
HEAD = (
    "case", "vehicles", "duration, s", "", "delay, s", "", "single trips r", "streets ρ",
    "arrivals", "",
)  # fmt: skip


def period(result: Result) -> str:
    """Return the period that was compared, as times of day."""
    return f"{_clock(result.begin_s)} to {_clock(result.end_s)}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    rest = f":{whole % 60:02d}" if whole % 60 else ""
    return f"{whole // 3600}:{whole // 60 % 60:02d}{rest}"


def _number(value: float, digits: int) -> str:
    if not np.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(f"{value:.{digits}f}") else text.replace("-", "")


def _percent(value: float, *, sign: bool = True) -> str:
    if not np.isfinite(value):
        return "–"
    text = f"{100 * value:{'+' if sign else ''}.1f}".replace("-", "−")
    return f"{text} %"


def _range(values: np.ndarray, digits: int) -> str:
    low, high = (_number(float(f(values)), digits) for f in (np.min, np.max))
    return f"{_number(float(np.mean(values)), digits)} ({low}–{high})"


def _flagged(text: str, m: Measure) -> str:
    return f"{MISSED} **{text}**" if m.met is False else text


def table_row(result: Result) -> str:
    """Return the row of a case: the kernel's value, SUMO's with its range, the deviation."""
    by_name = {m.name: m for m in result.measures}
    cells = [f"[{result.case.name}](#{_anchor(result)})", f"{result.vehicles:,}"]
    for name, digits in (("duration", 1), ("delay", 1)):
        m = by_name[name]
        ours = _number(float(np.mean(m.kernel)), digits)
        cells += [f"{ours} / {_range(m.sumo, digits)}", _flagged(_percent(m.value), m)]
    for name in ("trips", "streets"):
        m = by_name[name]
        cells.append(f"{_flagged(_number(m.value, 3), m)} / {_number(float(np.mean(m.sumo)), 3)}")
    m = by_name["arrivals"]
    ours = _number(float(np.mean(m.kernel)), 0)
    cells += [f"{ours} / {_range(m.sumo, 0)}", _flagged(_percent(m.value), m)]
    return "| " + " | ".join(cells) + " |"


def _anchor(result: Result) -> str:
    return "".join(c for c in result.case.name.lower() if c.isalnum() or c in "-_")


def missed(result: Result) -> list[str]:
    """Return a sentence for each mark that was not met."""
    return [f"**{result.case.name}**: {_miss(m)}" for m in result.missed]


def _miss(m: Measure) -> str:
    if m.relative:
        side = "above" if m.value > 0 else "below"
        own = _percent(marks.spread(m.sumo), sign=False)
        return (
            f"{m.title} is {_percent(abs(m.value), sign=False)} {side} SUMO's, the mark is "
            f"{_percent(m.mark, sign=False)} (SUMO's own seeds differ by {own})"
        )
    return (
        f"{m.title} is {_number(m.value, 3)}, the mark is {_number(m.mark, 3)} "
        f"(SUMO's own is {_number(float(np.mean(m.sumo)), 3)})"
    )


def section(result: Result) -> str:
    """Return the part of the page on one case."""
    name = result.case.name
    lines = [f"### {name}", "", f"{result.case.about[:1].upper()}{result.case.about[1:]}. "]
    lines[-1] += f"{result.vehicles:,} vehicles due, {period(result)}."
    if result.missed:
        lines += ["", *(f"- {MISSED} {_miss(m)}" for m in result.missed)]
    lines += _lockups(result)
    if result.left_out:
        told = "; ".join(f"{what}: {number:,}" for what, number in result.left_out.items())
        lines += ["", f"Left out of both sides: {told}."]
    picture = (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{name}-dark.png">'
        f'<img src="{name}-light.png" alt="{name}: single trips, streets, halting vehicles, '
        'flow over density" width="900"></picture>'
    )
    return "\n".join([*lines, "", picture, ""])


def _lockups(result: Result) -> list[str]:
    told = []
    for side, onsets in (("SUMO", result.sumo_onset_s), ("The kernel", result.kernel_onset_s)):
        if any(t is not None for t in onsets):
            each = ", ".join("none" if t is None else _clock(t) for t in onsets)
            told.append(f"{side} locks up at, by seed: {each}.")
    if not told:
        return []
    if len(told) == 1:
        other = "The kernel" if result.onset_s is not None else "SUMO"
        told.append(f"{other} does not lock up with any seed.")
    if result.onset_s is not None:
        told.append(f"Both are compared up to {_clock(result.onset_s)}.")
    return ["", " ".join(told)]


def page(
    rows: Sequence[str],
    missed_marks: Sequence[str],
    sections: Sequence[str],
    left_out: Mapping[str, str],
    command: str,
    seeds: int,
) -> str:
    """Return the whole page."""
    judged = f"{len(missed_marks)} marks are missed." if missed_marks else "Every mark is met."
    if len(missed_marks) == 1:
        judged = "One mark is missed."
    lines = [
        "# The kernel beside SUMO", "",
        f"Made by `{command}` with Stadtzwilling {_own_version()} and SUMO {version()}, on Python "
        f"{platform.python_version()}. {judged}", "", AGAIN,
        "", *_method(seeds), "", "| " + " | ".join(HEAD) + " |",
        "|---|" + "--:|" * (len(HEAD) - 1), *rows, "",
        "Values are kernel / SUMO, means over seeds, with the range of SUMO's seeds in brackets. "
        "Of correlations the second number is SUMO's with itself: each seed with the mean of "
        "the others. – stands where fewer than ten trips or streets could be compared.",
        "", "## Missed marks", "",
        *([f"- {MISSED} {text}" for text in missed_marks] or ["None."]), "",
    ]  # fmt: skip
    if left_out:
        lines += ["## Cases that were left out", ""]
        lines += [f"- {name}: {why}" for name, why in left_out.items()] + [""]
    return "\n".join([*lines, "## Cases", "", *sections])


def _method(seeds: int) -> list[str]:
    """Return how the comparison is made and what its marks are."""
    return [
        f"Both sides get the same network and the same routes, and run with seeds 1 to {seeds}. "
        "Trips take the route that SUMO chose in a first run with seed 1; those that it never "
        "inserted, duarouter's. SUMO runs in its defaults with `--time-to-teleport -1`; the "
        "kernel takes nobody past a jam either. Signal programs are those of the network file. "
        f"Where SUMO locks up (nobody arrives for {LOCKED_S:.0f} s while {LOCKED_SHARE:.0%} or "
        "more of the vehicles on the road stand), both are compared up to the first of its "
        "seeds that does.",
        "", "| measure | mark |", "|---|---|",
        f"| mean duration of trips that arrived | within {marks.DURATION_MARK:.0%} of SUMO's, "
        f"{marks.WIDE_DURATION_MARK:.0%} where SUMO's seeds differ by more than "
        f"{marks.WIDE_SPREAD:.0%} |",
        f"| mean delay: time loss and wait to enter, of all vehicles due | within "
        f"{marks.DELAY_MARK:.0%} of SUMO's |",
        "| correlation of single trips' durations, one kernel run with SUMO's mean, trips that "
        f"arrived in every run | {marks.TRIP_MARK} of SUMO's own |",
        "| rank correlation of streets' mean travel times, one kernel run with SUMO's mean, "
        f"streets with {marks.LEAST_VEHICLES:.0f} vehicles or more | {marks.STREET_MARK:.2f} |",
        f"| arrivals | within {marks.ARRIVAL_MARK:.0%} of SUMO's, or the range of its seeds |",
        "",
        "A halting vehicle of SUMO is slower than 0.1 m/s; one of the kernel has reached the "
        "end of its street's free time and waits, also while it moves up in the queue.",
    ]  # fmt: skip


def _own_version() -> str:
    from importlib.metadata import version as installed

    return installed("stadtzwilling")
