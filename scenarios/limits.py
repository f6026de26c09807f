"""Limits of colours and the first layer, the same in page, still and film of the same runs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scenarios.replications import blocks
from scenarios.street_differences import Moments
from twin.system import Layer, layers
from viz.palette import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from scenarios.runs import RunInfo

    Floats = npt.NDArray[np.float64]

FIRST = "load"  # layer that is shown first, where there is traffic


class Together:
    """Map layers of runs that are shown together, summed over the period.

    Parameters
    ----------
    runs
        The base first. Of the others those seeds count that the base has too.
    streets
        Number of the city's streets.
    """

    def __init__(self, runs: Sequence[RunInfo], streets: int) -> None:
        self.runs, self.streets = list(runs), streets

    def values(self, layer: Layer) -> Floats | None:
        """Return means [runs, streets] over replications; None where no run has the layer.

        A street that only other runs have is 0, one that none has is NaN.
        """
        found = [run.get(layer.name) for run in self._means]
        every = np.full((len(found), self.streets), np.nan)
        for moments in found:
            if moments is not None:
                every[:, moments.streets] = 0.0
        for row, moments in zip(every, found, strict=True):
            if moments is not None:
                row[moments.streets] = moments.means()
        return every if any(m is not None for m in found) else None

    def scale(self, layer: Layer) -> Scale:
        """Return the scale of the values of all runs.

        From 0 to the 99th percentile of what is counted; all that there is of a condition.
        """
        return scale_of(layer, self.values(layer))

    def differences(self, layer: Layer) -> Scale | None:
        """Return the scale of what all alternatives change; None where none differs."""
        values = self.values(layer)
        if values is None:
            return None
        gaps = values[1:] - values[0]
        return Scale.of(gaps, diverging=True) if np.nan_to_num(gaps).any() else None

    def first(self, names: Sequence[str] | None = None) -> str | None:
        """Return which of these layers, or of all there are, is shown where nobody chooses.

        Traffic; else the first that differs between runs; else the first.
        """
        if names is None:
            names = [name for name, v in layers().items() if self.values(v) is not None]
        if FIRST in names:
            return FIRST
        known = layers()
        differing = (n for n in names if self.differences(known[n]) is not None)
        return next(differing, next(iter(names), None))

    @cached_property
    def _means(self) -> list[dict[str, Moments]]:
        return [self._of(run) for run in self.runs]

    def _of(self, run: RunInfo) -> dict[str, Moments]:
        seeds = [s for s in run.seeds if s in set(self.runs[0].seeds)]
        found = {name: Moments() for name in layers()}
        for block in blocks(run, seeds):
            for name in list(found):
                sums = block.layers[name]
                if sums is None:
                    del found[name]
                else:
                    found[name].add(sums.streets, sums.values)
        return {name: moments for name, moments in found.items() if moments.rows}


def scale_of(layer: Layer, values: Floats | None) -> Scale:
    """Return the scale of values of a layer, whatever their shape."""
    known = np.empty(0) if values is None else values[np.isfinite(values)]
    counted = Scale.of(known)
    if counted.diverging or layer.shown == "difference" or not known.size:
        return counted
    return Scale.between(float(known.min()), float(known.max()))
