"""What traffic brings to the twin: measures, indicators, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.system import Indicator, Layer, Part, System, register
from twin.traffic.measures import (
    BusLane,
    Close,
    DemandPart,
    Headways,
    Lanes,
    NewQuarter,
    OneWay,
    PublicEvent,
    Reopen,
    SignalPolicy,
    SignalProgram,
    Speed,
)

if TYPE_CHECKING:
    from twin.simulation import Simulation


def _create(sim: Simulation) -> Part:
    from twin.traffic.process import Traffic

    return Traffic(sim)


def _indicators() -> tuple[tuple[Indicator, ...], tuple[Layer, ...]]:
    from twin.traffic.indicators import INDICATORS, LAYERS

    return INDICATORS, LAYERS


def _assumptions() -> list[tuple[str, float | str, str, str]]:
    from twin.traffic.assumptions import rows

    return rows()


_FOUND = _indicators()
TRAFFIC = register(
    System(
        name="traffic",
        title="Traffic",
        create=_create,
        measures=(
            Close,
            Reopen,
            Lanes,
            Speed,
            OneWay,
            BusLane,
            SignalPolicy,
            SignalProgram,
            DemandPart,
            NewQuarter,
            PublicEvent,
            Headways,
        ),
        indicators=_FOUND[0],
        layers=_FOUND[1],
        claims=("open", "lanes", "speed_m_s"),
        assumptions=_assumptions,
        module=__name__,
    )
)
