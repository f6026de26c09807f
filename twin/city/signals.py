"""Signal programs of a SUMO network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twin.city import schema

if TYPE_CHECKING:
    from twin.city.netxml import Net


def read_signals(net: Net) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the columns of the signals, and the number of each signal."""
    # SUMO switches to a signal's last loaded program (MSTLLogicControl::add).
    programs = {p.attributes["id"]: p for p in net.programs if p.phases}
    columns: dict[str, Any] = {name: [] for name in schema.TABLES["signals"]}
    number = {name: row for row, name in enumerate(sorted(programs))}
    for name in sorted(programs):
        a = programs[name].attributes
        for phase, p in enumerate(programs[name].phases):
            duration = float(p["duration"])
            values = (
                number[name], name, a.get("programID", "0"), _signal_kind(a.get("type", "static")),
                float(a.get("offset", "0")), phase, duration,
                float(p.get("minDur", duration)), float(p.get("maxDur", duration)), p["state"],
            )  # fmt: skip
            for column, value in zip(columns, values, strict=True):
                columns[column].append(value)
    return columns, number


def _signal_kind(kind: str) -> str:
    """Return the program's kind; NEMA's ring-and-barrier control counts as actuated."""
    return {"NEMA": "actuated"}.get(kind, kind)
