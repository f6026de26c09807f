"""The Bayes filter for callers in Python: observations of one section of a copy."""

from __future__ import annotations

from twin.compiling import compiled
from twin.roads.belief import observe_counts, observe_pci, observe_report
from twin.roads.state import F8, Condition, Inventory, Records


@compiled
def detected(
    inventory: Inventory, rules: Records, state: Condition, c: int, i: int, counts: F8, work: F8
) -> None:
    """A pass of a camera: numbers of detections by class, `NOT_SOUGHT` of those not looked for."""
    place = inventory.place[i]
    observe_counts(
        inventory.lens, rules[0]["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        place["klass"], place["hundred_m"], inventory.silence[i], counts, work,
    )  # fmt: skip


@compiled
def measured(
    inventory: Inventory, rules: Records, state: Condition, c: int, i: int, pci: float, error: float
) -> None:
    """A measured PCI with a normal error."""
    observe_pci(
        inventory.lens, rules[0]["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        inventory.place[i]["klass"], pci, error,
    )  # fmt: skip


@compiled
def reported(inventory: Inventory, rules: Records, state: Condition, c: int, i: int) -> None:
    """A citizen's report."""
    observe_report(
        inventory.lens, rules[0]["belief"] == 0, state.belief[c, i], state.hypothesis_age[c, i],
        inventory.place[i]["klass"],
    )  # fmt: skip
