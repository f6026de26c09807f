"""When the vehicles of SUMO's flows are due."""

from __future__ import annotations

import math

import numpy as np

from twin.errors import InputError
from twin.random import Stream
from twin.traffic.sumo_values import Attributes, entity_of, number, seconds

MOST_VEHICLES = 5_000_000


def due_times(given: Attributes, where: str, end_s: float, draws: Stream) -> list[float]:
    """Times at which a flow sends vehicles, up to the end of the period.

    Parameters
    ----------
    given
        Attributes of the <flow>.
    end_s
        End of the period.
    draws
        Where a flow is random, its numbers are drawn by its id.

    Raises
    ------
    InputError
        For values that are no numbers or times, a flow without a rate, and one that sends
        more than MOST_VEHICLES.
    """
    begin = seconds(given.get("begin", "0"), f"{where} begin")
    end = seconds(given["end"], f"{where} end") if "end" in given else math.inf
    sent = int(number(given, "number", 0, where)) if "number" in given else None
    last = min(end, end_s)
    entity = entity_of(given.get("id", ""))
    due: np.ndarray
    text = given.get("period", "")
    if text.startswith("exp(") and text.endswith(")"):
        rate = number({"period": text[4:-1]}, "period", 0.0, where, least=1e-9)
        most = int(1.5 * rate * max(0.0, last - begin) + 50) if sent is None else sent
        _check_size(most, where)
        due = begin + np.cumsum(draws.exponential(entity, np.arange(most)) / rate)
    elif "probability" in given:
        chance = number(given, "probability", 0.0, where)
        _check_size(last - begin, where)
        second = np.arange(max(0, math.ceil(last - begin)))
        due = begin + second[draws.uniform(entity, second) < chance][:sent]
    else:
        duration = min(end, 1e9) - begin if end < math.inf else end_s - begin
        period = _period(given, sent, duration, where)
        most = max(0, math.ceil((last - begin) / period)) if period else sent or 0
        most = min(most, sent) if sent is not None else most
        _check_size(most, where)
        due = begin + period * np.arange(most)
    times: list[float] = due[due < end].tolist()
    return times


def _period(given: Attributes, sent: int | None, duration_s: float, where: str) -> float:
    """Seconds between two vehicles of a flow that sends them evenly."""
    if "period" in given:
        return seconds(given["period"], f"{where} period")
    for name in ("vehsPerHour", "perHour"):
        if name in given:
            return 3600.0 / number(given, name, 0.0, where, least=1e-9)
    if sent is None:
        msg = f"{where}: says neither number, period, vehsPerHour nor probability; give one"
        raise InputError(msg)
    return duration_s / max(1, sent)


def _check_size(vehicles: float, where: str) -> None:
    if vehicles > MOST_VEHICLES:
        msg = f"{where}: sends more than {MOST_VEHICLES:,} vehicles; shorten the period"
        raise InputError(msg)
