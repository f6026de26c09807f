"""What the roads room brings to the twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.roads.indicators import INDICATORS
from twin.roads.works import Works
from twin.system import Part, System, register

if TYPE_CHECKING:
    from twin.simulation import Simulation


def _create(sim: Simulation) -> Part:
    from twin.roads.process import Roads

    return Roads(sim)


ROADS = register(
    System(
        name="roads",
        title="Road works",
        create=_create,
        measures=(Works,),
        indicators=INDICATORS,
        claims=("open", "lanes"),
        module=__name__,
    )
)
