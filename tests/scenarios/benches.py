"""A domain that the twin has never heard of: citizens who ask for benches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field

from twin.city.lookup import find_streets
from twin.system import Effect, Indicator, Layer, Measure, Outlook, System, register

if TYPE_CHECKING:
    from twin.simulation import Simulation


class Benches(Measure):
    kind: Literal["benches"] = "benches"
    street: str
    number: int = Field(ge=1)

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        streets = find_streets(run.city, self.street)
        return (Effect("benches", self.number, tuple(int(s) for s in streets)),)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return f"{self.number} Bänke, {self.street}"
        return f"{self.number} benches on {self.street}"


class BenchPart:
    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.placed: list[tuple[int, int]] = []

    def start(self) -> None:
        self.sim.note("benches", "open", "benches may be sat on")

    def apply(self, measure: Benches) -> None:
        street = int(find_streets(self.sim.city, measure.street)[0])
        self.placed.append((street, measure.number))

    def indicators(self) -> Mapping[str, float]:
        return {"seats": 3.0 * sum(n for _, n in self.placed) + self.sim.seed}

    def tables(self) -> Mapping[str, pd.DataFrame]:
        return {"benches": pd.DataFrame(self.placed, columns=["street", "number"])}

    def snapshot(self) -> Any:
        return list(self.placed)

    def restore(self, state: Any) -> None:
        self.placed = list(state)


BENCHES = register(
    System(
        name="benches",
        title="Benches",
        create=BenchPart,
        measures=(Benches,),
        indicators=(Indicator("seats", "Seats on benches", "seats", "higher", 0, key=True),),
        layers=(Layer("bench_number", "Benches", "", "benches", "number", "higher"),),
        module=__name__,
    )
)
