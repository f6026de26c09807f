"""Plots as small SVG: distributions, intervals, courses over time, events.

Made for a column of 480 units: legible on a phone, and drawn larger on a desk. Series differ
in dashes as well as colour; text takes the page's colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from viz import svg
from viz.language import word
from viz.palette import (
    BETTER,
    CATEGORIES,
    UNCLEAR,
    WORSE,
    number,
    series_style,
    tick_labels,
    ticks,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

WIDTH = 480.0
CLOCK_STEPS_S = (900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0)
_LEFT, _RIGHT, _TOP = 66.0, 24.0, 12.0
_LETTER = 7.6  # about as wide as a letter is
_FONT: dict[str, Any] = {
    "font_family": "system-ui, sans-serif",
    "font_size": 13,
    "fill": "currentColor",
}
_GRID: dict[str, Any] = {"stroke": "currentColor", "stroke_opacity": 0.15, "stroke_width": 1}
Effect = Literal["better", "worse", "changed", "unclear", "same"]
EFFECT_COLOURS: dict[Effect, str] = {
    "better": BETTER,
    "worse": WORSE,
    "changed": "#7a5195",
    "unclear": UNCLEAR,
    "same": UNCLEAR,
}


@dataclass(frozen=True)
class Interval:
    """A row of an interval plot.

    Attributes
    ----------
    label
        What is compared.
    value, low, high
        Difference and its confidence interval, in the plot's unit; NaN where there is none.
    effect
        What the interval says.
    word
        The same in words, written beside it.
    """

    label: str
    value: float
    low: float
    high: float
    effect: Effect
    word: str


@dataclass(frozen=True)
class _Axes:
    """From data to the plot's units."""

    x: tuple[float, float]
    y: tuple[float, float]
    height: float
    bottom: float = 44.0

    def at_x(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)

    def at_y(self, value: float) -> float:
        low, high = self.y
        room = self.height - _TOP - self.bottom
        return self.height - self.bottom - (value - low) / (high - low) * room


def distribution_plot(
    samples: Mapping[str, npt.ArrayLike], *, title: str, unit: str, height: float = 260.0
) -> str:
    """Return how values are distributed: share per class, and a tick at each median.

    Parameters
    ----------
    samples
        Values by the name of the series; the first is the base. NaN are left out.
    title, unit
        Of the values.
    height
        Of the plot in its units, without the key.
    """
    clean = {name: _finite(values) for name, values in samples.items()}
    pooled = np.concatenate([*clean.values(), np.zeros(0)])
    if not pooled.size:
        return _nothing(title)
    low, high = min(0.0, float(pooled.min())), float(np.percentile(pooled, 99.0))
    high = high if high > low else low + 1.0
    edges = np.linspace(low, high, 41)
    shares = {
        name: 100.0 * np.histogram(values, edges)[0] / max(1, values.size)
        for name, values in clean.items()
    }
    top = max(float(s.max()) for s in shares.values()) * 1.08 or 1.0
    axes = _Axes((low, high), (0.0, top), height)
    parts = [_frame(axes, f"{title} [{unit}]", word("share of trips [%]"))]
    for k, (name, share) in enumerate(shares.items()):
        xs, ys = np.repeat(edges, 2), np.concatenate([[0.0], np.repeat(share, 2), [0.0]])
        parts.append(_line(axes, xs, ys, k))
        if clean[name].size:
            x = axes.at_x(float(np.clip(np.median(clean[name]), low, high)))
            foot = axes.at_y(0.0)
            parts.append(
                svg.tag("path", d=f"M{x:.1f} {foot:.1f}l-5 9h10z", fill=series_style(k)[0])
            )
    names = [
        f"{name} ({word('median')} {number(float(np.median(v)))} {unit})"
        if v.size
        else f"{name} ({word('no values')})"
        for name, v in clean.items()
    ]
    return _page(axes, parts, names, f"{word('Distribution')}: {title}")


def interval_plot(rows: Sequence[Interval], *, title: str, label: str) -> str:
    """Return differences with their confidence intervals around a line at no difference.

    `label` names the quantity with its unit. A filled dot stands for a clear effect, a hollow one
    for any other: the interval holds 0, or its word says why it is not clear all the same.
    """
    shown = [r for r in rows if np.isfinite(r.value)]
    if not shown:
        return _nothing(title)
    ends = np.array([[r.low, r.high, r.value, 0.0] for r in shown])
    # One very wide interval must not squeeze all others: it is cut, with an arrow.
    reach = np.nanmax(np.abs(ends), axis=1)
    limit = min(float(reach.max()), max(4.0 * float(np.median(reach)), 1.0)) * 1.08 or 1.0
    step = 40.0
    axes = _Axes((-limit, limit), (0.0, 1.0), _TOP + step * len(shown) + 44.0)
    foot = axes.height - axes.bottom
    parts = [_across(axes, label, foot)]
    zero = axes.at_x(0.0)
    parts.append(
        svg.tag("path", d=f"M{zero:.1f} {_TOP}V{foot}", stroke="currentColor", stroke_width=1.5)
    )
    for k, row in enumerate(shown):
        parts.append(_interval(axes, row, _TOP + step * k))
    return _page(axes, parts, [], title)


def line_plot(
    series: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    clock: bool = False,
    height: float = 240.0,
) -> str:
    """Return courses over time or over iterations.

    Parameters
    ----------
    series
        Abscissae and ordinates by name.
    title
        For screen readers.
    x_label, y_label
        Quantities with units.
    clock
        Whether the abscissae are seconds of the day, labelled as times of day.
    height
        Of the plot in its units, without the key.
    """
    lines = {n: (np.asarray(x, float), np.asarray(y, float)) for n, (x, y) in series.items()}
    xs = np.concatenate([*(x for x, _ in lines.values()), np.zeros(0)])
    ys = np.concatenate([*(y for _, y in lines.values()), np.zeros(0)])
    ys = ys[np.isfinite(ys)]
    if not xs.size or not ys.size:
        return _nothing(title)
    wide = (float(xs.min()), float(xs.max()) if np.ptp(xs) > 0 else float(xs.min()) + 1.0)
    axes = _Axes(wide, (0.0, float(ys.max()) * 1.06 or 1.0), height)
    parts = [_frame(axes, x_label, y_label, clock=clock)]
    parts += [_line(axes, x, y, k) for k, (x, y) in enumerate(lines.values())]
    return _page(axes, parts, list(lines) if len(lines) > 1 else [], title)


def point_plot(
    points: Mapping[str, tuple[float, float]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    height: float = 260.0,
) -> str:
    """Return named points over two quantities, each with its number, and the key below.

    Parameters
    ----------
    points
        Abscissa and ordinate by name.
    title
        For screen readers.
    x_label, y_label
        Quantities with units.
    """
    known = {n: (x, y) for n, (x, y) in points.items() if np.isfinite(x) and np.isfinite(y)}
    if not known:
        return _nothing(title)
    xs, ys = (np.array(values) for values in zip(*known.values(), strict=True))
    room = 0.06 * (float(np.ptp(xs)) or 1.0)
    axes = _Axes(
        (max(0.0, float(xs.min()) - room), float(xs.max()) + room),
        (0.0, float(ys.max()) * 1.1 or 1.0),
        height,
    )
    parts = [_frame(axes, x_label, y_label)]
    for k, (x, y) in enumerate(known.values()):
        colour, _ = series_style(k)
        parts.append(svg.tag("circle", cx=axes.at_x(x), cy=axes.at_y(y), r=5, fill=colour))
        parts.append(
            svg.tag("text", x=axes.at_x(x) + 8, y=axes.at_y(y) - 7, text=str(k + 1), **_FONT)
        )
    names = [f"{k + 1}  {name}" for k, name in enumerate(known)]
    return _page(axes, parts, names, title)


def density_plot(
    x: npt.ArrayLike, y: npt.ArrayLike, *, title: str, x_label: str, y_label: str
) -> str:
    """Return how many pairs lie where: darker squares hold more, and a line where both are equal.

    Both axes have one scale, to the 99th percentile of all values.
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    known = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[known], ys[known]
    if not xs.size:
        return _nothing(title)
    top = float(np.percentile(np.concatenate([xs, ys]), 99.0)) or 1.0
    edges = np.linspace(0.0, top, 49)
    count, _, _ = np.histogram2d(xs, ys, bins=[edges, edges])
    axes = _Axes((0.0, top), (0.0, top), 440.0)
    parts = [_frame(axes, x_label, y_label)]
    shade = np.sqrt(count / max(1.0, float(count.max())))
    step = edges[1]
    for i, j in np.argwhere(count > 0).tolist():
        left, right = axes.at_x(edges[i]), axes.at_x(edges[i] + step)
        upper, lower = axes.at_y(edges[j] + step), axes.at_y(edges[j])
        parts.append(
            svg.tag("rect", x=round(left, 1), y=round(upper, 1), width=round(right - left, 1),
                    height=round(lower - upper, 1), fill=CATEGORIES[0],
                    fill_opacity=round(0.12 + 0.88 * float(shade[i, j]), 2))
        )  # fmt: skip
    ends = [(axes.at_x(v), axes.at_y(v)) for v in (0.0, top)]
    parts.append(
        svg.tag("path", d=f"M{ends[0][0]:.1f} {ends[0][1]:.1f}L{ends[1][0]:.1f} {ends[1][1]:.1f}",
                stroke="currentColor", stroke_width=1.2, stroke_dasharray="5 4", fill="none")
    )  # fmt: skip
    return _page(axes, parts, [], title)


def timeline_plot(rows: Sequence[tuple[str, Sequence[tuple[float, str]]]], *, title: str) -> str:
    """Return events along the day: one row per kind, a mark per event with its text."""
    times = [t for _, events in rows for t, _ in events]
    if not times:
        return _nothing(title)
    low, high = min(times), max(times)
    pad = max(900.0, 0.04 * (high - low))
    step = 40.0
    axes = _Axes((low - pad, high + pad), (0.0, 1.0), _TOP + step * len(rows) + 44.0)
    foot = axes.height - axes.bottom
    parts = [_across(axes, word("time of day"), foot, clock=True)]
    for k, (name, events) in enumerate(rows):
        y = _TOP + step * k + 27.0
        parts.append(svg.tag("text", text=name, x=_LEFT, y=y - 13.0, **_FONT))
        parts.append(svg.tag("path", d=f"M{_LEFT} {y}H{WIDTH - _RIGHT}", **_GRID))
        for time_s, text in events:
            parts.append(
                svg.tag("circle", svg.tag("title", text=text), cx=axes.at_x(time_s), cy=y, r=5,
                        fill=CATEGORIES[1 + k % 5])
            )  # fmt: skip
    return _page(axes, parts, [], title)


def time_of_day(seconds: float) -> str:
    """Return hours and minutes; "+1" marks the day after.

    >>> time_of_day(27000.0), time_of_day(97200.0)
    ('07:30', '03:00 +1')
    """
    days, minutes = divmod(round(seconds / 60.0), 1440)
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f" +{days}" if days > 0 else "")


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, float)
    return np.asarray(array[np.isfinite(array)])


def _page(axes: _Axes, parts: list[str], names: list[str], label: str) -> str:
    """Return the plot with its key below."""
    height = axes.height
    for k, name in enumerate(names):
        y = height + 16.0
        style = _style(k)
        parts.append(svg.tag("path", d=f"M{_LEFT} {y - 4.5}h34", fill="none", **style))
        font = _fitting(name, WIDTH - _LEFT - 42.0)
        parts.append(svg.tag("text", text=name, x=_LEFT + 42.0, y=y, **font))
        height += 20.0
    height += 16.0 if names else 0.0
    return svg.document(WIDTH, height, *parts, label=label, class_="plot")


def _nothing(title: str) -> str:
    none = word("no values")
    text = svg.tag("text", text=none, x=WIDTH / 2, y=34.0, text_anchor="middle", **_FONT)
    return svg.document(WIDTH, 60.0, text, label=f"{title}: {none}", class_="plot")


def _frame(axes: _Axes, x_label: str, y_label: str, *, clock: bool = False) -> str:
    """Return grid, ticks and labels of both axes."""
    values = ticks(*axes.y, 4)
    parts = [_across(axes, x_label, axes.at_y(axes.y[0]), clock=clock)]
    for value, label in zip(values, tick_labels(values), strict=True):
        y = axes.at_y(value)
        parts.append(svg.tag("path", d=f"M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}", **_GRID))
        parts.append(
            svg.tag("text", text=label, x=_LEFT - 6.0, y=y + 4.5, text_anchor="end", **_FONT)
        )
    parts.append(
        svg.tag("text", text=y_label, transform=f"translate(12 {axes.at_y(sum(axes.y) / 2):.1f})"
                " rotate(-90)", text_anchor="middle", **_fitting(y_label, axes.height - 20.0))
    )  # fmt: skip
    return "".join(parts)


def _across(axes: _Axes, label: str, foot: float, *, clock: bool = False) -> str:
    """Return ticks and label of the horizontal axis."""
    low, high = axes.x
    if clock:
        fit = [s for s in CLOCK_STEPS_S if (high - low) / s <= 7]
        step = fit[0] if fit else 86400.0
        values = [k * step for k in range(int(np.ceil(low / step)), int(high // step) + 1)]
        labels = [time_of_day(v) for v in values]
    else:
        values = ticks(low, high, 6)
        labels = tick_labels(values, sign=low < 0.0)
    parts = []
    for value, text in zip(values, labels, strict=True):
        x = axes.at_x(value)
        parts.append(svg.tag("path", d=f"M{x:.1f} {_TOP}V{foot:.1f}", **_GRID))
        parts.append(svg.tag("text", text=text, x=x, y=foot + 20.0, text_anchor="middle", **_FONT))
    middle = (_LEFT + WIDTH - _RIGHT) / 2.0
    parts.append(
        svg.tag("text", text=label, x=middle, y=foot + 39.0, text_anchor="middle", **_FONT)
    )
    return "".join(parts)


def _fitting(text: str, room: float) -> dict[str, Any]:
    """Return the font in which a text has about this much room."""
    size = min(13.0, 13.0 * room / (_LETTER * max(1, len(text))))
    return {**_FONT, "font_size": round(size, 1)}


def _line(axes: _Axes, xs: npt.ArrayLike, ys: npt.ArrayLike, k: int) -> str:
    """Return one series; gaps where values are missing."""
    parts: list[str] = []
    pen = "M"
    for x, y in zip(np.asarray(xs, float), np.asarray(ys, float), strict=True):
        if not np.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{axes.at_x(float(x)):.1f} {axes.at_y(float(y)):.1f}")
        pen = "L"
    return svg.tag("path", d="".join(parts), fill="none", stroke_linejoin="round", **_style(k))


def _style(k: int) -> dict[str, Any]:
    """Return colour and dashes of series k, as `series_style` gives them, with the line's width."""
    colour, dashes = series_style(k)
    style: dict[str, Any] = {"stroke": colour, "stroke_width": 2.2}
    return {**style, "stroke_dasharray": dashes} if dashes else style


def _interval(axes: _Axes, row: Interval, top: float) -> str:
    """Return label, word, interval and dot of one row."""
    y, limit = top + 28.0, axes.x[1]
    colour = EFFECT_COLOURS[row.effect]
    low, high = (float(np.clip(v, -limit, limit)) for v in (row.low, row.high))
    font = _fitting(row.label, WIDTH - 24.0 - _LETTER * len(row.word))
    parts = [
        svg.tag("text", text=row.label, x=8.0, y=top + 13.0, **font),
        svg.tag("text", text=row.word, x=WIDTH - 6.0, y=top + 13.0, text_anchor="end",
                **{**_FONT, "fill": colour, "font_weight": "600"}),
    ]  # fmt: skip
    if np.isfinite(row.low) and np.isfinite(row.high):
        a, b = axes.at_x(low), axes.at_x(high)
        parts.append(svg.tag("path", d=f"M{a:.1f} {y}H{b:.1f}", stroke=colour, stroke_width=3))
        for end, cut, way in ((a, row.low < -limit, -7), (b, row.high > limit, 7)):
            shape = f"M{end:.1f} {y - 5}l{way} 5l{-way} 5z" if cut else f"M{end:.1f} {y - 5}v10"
            parts.append(svg.tag("path", d=shape, stroke=colour, stroke_width=2, fill=colour))
    clear = row.effect in {"better", "worse", "changed"}
    if abs(row.value) <= limit:
        parts.append(
            svg.tag("circle", cx=axes.at_x(row.value), cy=y, r=5, stroke=colour, stroke_width=2,
                    fill=colour if clear else "var(--paper, #ffffff)")
        )  # fmt: skip
    return "".join(parts)
