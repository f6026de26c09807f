"""Signal programs that a measure puts in place of those of the city."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twin.errors import InputError, ScenarioError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import pandas as pd

    from twin.city import City
    from twin.traffic.measures import SignalProgram
    from twin.traffic.network import Network

OFF_S = 60.0  # length of the only phase of a signal that is off
_MADE: WeakKeyDictionary[City, dict[Any, dict[str, pd.DataFrame]]] = WeakKeyDictionary()


def changed_programs(
    city: City, measure: SignalProgram, file: Path | None
) -> dict[str, pd.DataFrame]:
    """Rows of the table of signals that a measure puts in place of others, by signal id.

    Raises
    ------
    InputError
        For a signal that the city does not have, or a state of another length than its links.
    """
    known = _MADE.setdefault(city, {})
    key = (measure, file)
    if key not in known:
        known[key] = _changed(city, measure, file)
    return known[key]


def _changed(city: City, measure: SignalProgram, file: Path | None) -> dict[str, pd.DataFrame]:
    table = city.signals
    own = {str(k): rows for k, rows in table.groupby("id", sort=True)}
    if file is not None:
        given = _read(file)
        wanted = measure.signals or tuple(given)
    else:
        given, wanted = {}, measure.signals or tuple(own)
    found = {}
    for name in wanted:
        if name not in own:
            where = f"{measure.file}: " if file is not None and not measure.signals else ""
            msg = f"{where}signal {name!r} is not in the city {city.name}; {suggestion(name, own)}"
            raise ScenarioError(msg)
        if file is not None and name not in given:
            msg = f"{measure.file}: has no tlLogic of signal {name!r}; {suggestion(name, given)}"
            raise ScenarioError(msg)
        found[name] = _rows(own[name], measure, given.get(name), str(measure.file or ""))
    return found


def with_programs(network: Network, city: City, programs: Mapping[str, pd.DataFrame]) -> Network:
    """The network with these programs in place of the city's own, by signal id."""
    import pandas as pd

    from twin.traffic.building import rebuilt_signals

    if programs:
        table = city.signals
        parts = [programs.get(str(name), rows) for name, rows in table.groupby("id", sort=False)]
        signals = pd.concat(parts).sort_values(["signal", "phase"], ignore_index=True)
        city = replace(city, signals=signals.astype(table.dtypes.to_dict()))
    return rebuilt_signals(network, city)


def _rows(
    own: pd.DataFrame, measure: SignalProgram, given: Element | None, label: str
) -> pd.DataFrame:
    """Rows of a program of one signal."""
    links = len(str(own["state"].iloc[0]))
    if measure.program == "off":
        return _program(own, [(OFF_S, "o" * links)], "off", 0.0)
    offset_s = float(own["offset_s"].iloc[0] if measure.offset_s is None else measure.offset_s)
    if given is not None:
        where = f"{label}: signal {given.get('id')!r}"
        phases = [_phase(p, where) for p in given.iter("phase")]
        if measure.offset_s is None:
            offset_s = _number(given.get("offset", "0"), f"{where}: offset")
    elif measure.phases:
        where = f"signal {measure.signals[0]!r}"
        phases = [(p.duration_s, p.state) for p in measure.phases]
    else:
        return own.assign(offset_s=offset_s)
    for k, (_, state) in enumerate(phases, start=1):
        if len(state) != links:
            msg = (
                f"{where}: phase {k} has a state of {len(state)} letters ({state[:40]}), and the "
                f"signal has {links} links; write a letter for each"
            )
            raise ScenarioError(msg)
    if not phases:
        msg = f"{where}: has no phase; write at least one"
        raise ScenarioError(msg)
    return _program(own, phases, "measure", offset_s)


def _program(
    own: pd.DataFrame, phases: list[tuple[float, str]], name: str, offset_s: float
) -> pd.DataFrame:
    duration_s = [seconds for seconds, _ in phases]
    made = own.iloc[[0] * len(phases)].reset_index(drop=True)
    return made.assign(
        program=name,
        kind="static",
        offset_s=offset_s,
        phase=range(len(phases)),
        duration_s=duration_s,
        min_s=duration_s,
        max_s=duration_s,
        state=[state for _, state in phases],
    )


def _read(file: Path) -> dict[str, Element]:
    """The tlLogic elements of a file by signal id; the last of a signal counts, as in SUMO."""
    from twin.traffic.xmlfile import tree

    return {str(e.get("id")): e for e in tree(file).iter("tlLogic")}


def _phase(element: Any, where: str) -> tuple[float, str]:
    duration_s = _number(element.get("duration", ""), f"{where}: duration")
    state = str(element.get("state", ""))
    if not duration_s >= 1.0:
        msg = f"{where}: a phase lasts {duration_s:g} s; 1 s is the shortest"
        raise InputError(msg)
    if not state or set(state) - set("rygGsuoOY"):
        msg = f"{where}: the state {state[:40]!r} has other letters than r, y, g, G, s, u, o, O, Y"
        raise InputError(msg)
    return duration_s, state


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f"{where} is {text[:40]!r}, no number; write seconds"
        raise InputError(msg) from None
