"""What the roads room brings to the twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.roads.indicators import COURSES, INDICATORS, LAYERS, TRADEOFFS, UPKEEP
from twin.roads.measures import Inspection, Maintenance, Pavement
from twin.roads.works import Works
from twin.system import Part, System, register

if TYPE_CHECKING:
    from twin.simulation import Simulation


def _create(sim: Simulation) -> Part:
    from twin.roads.process import Roads

    return Roads(sim)


def _assumptions() -> list[tuple[str, float | str, str, str]]:
    from twin.roads.assumptions import rows

    return rows()


ROADS = register(
    System(
        name="roads",
        title="Roads",
        create=_create,
        measures=(Works, Maintenance, Inspection, Pavement),
        indicators=(*INDICATORS, *UPKEEP),
        layers=LAYERS,
        courses=COURSES,
        tradeoffs=TRADEOFFS,
        claims=("open", "lanes", "speed_m_s"),
        assumptions=_assumptions,
        module=__name__,
    )
)
