"""Map layers by street: means, differences, and which of these chance alone could explain.

Replications are added block by block, so that memory grows with streets and not with seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scenarios.replications import Block, LayerSums, blocks
from twin.system import Layer, layers

if TYPE_CHECKING:
    import pandas as pd

    from scenarios.runs import RunInfo

Floats = NDArray[np.float64]
Correct = Callable[[Floats], Floats]


class Moments:
    """Number, mean and sum of squared deviations of values by street, as blocks are added.

    Blocks are merged as by Chan, Golub & LeVeque (1983). A street that a block does not have
    counts with 0 there; NaN does not count.
    """

    def __init__(self) -> None:
        self.streets = np.empty(0, dtype=np.int64)
        self.n, self.total, self.mean, self.m2 = (np.empty(0) for _ in range(4))
        self.rows = 0

    def add(self, streets: NDArray[np.int64], values: Floats) -> None:
        """Add [seeds, streets] values."""
        self._grow(streets)
        x = np.zeros((len(values), len(self.streets)))
        x[:, np.searchsorted(self.streets, streets)] = values
        known = ~np.isnan(x)
        x = np.where(known, x, 0.0)
        n, total = known.sum(axis=0).astype(np.float64), x.sum(axis=0)
        mean = total / np.maximum(n, 1.0)
        m2 = np.where(known, (x - mean) ** 2, 0.0).sum(axis=0)
        both, gap = np.maximum(self.n + n, 1.0), mean - self.mean
        self.m2 += m2 + gap**2 * self.n * n / both
        self.mean += gap * n / both
        self.total += total
        self.n += n
        self.rows += len(values)

    def means(self) -> Floats:
        """Return the mean of each street, NaN where no value counts."""
        return self.total / np.where(self.n > 0.0, self.n, np.nan)

    def _grow(self, streets: NDArray[np.int64]) -> None:
        """Make room for streets; a new one had 0 in every block before."""
        union = np.union1d(self.streets, streets)
        at = np.searchsorted(union, self.streets)
        for name, new in (("n", float(self.rows)), ("total", 0.0), ("mean", 0.0), ("m2", 0.0)):
            values = np.full(len(union), new)
            values[at] = getattr(self, name)
            setattr(self, name, values)
        self.streets = union


class StreetDifferences:
    """Every map layer of base and alternative by street; replications are added in blocks."""

    def __init__(self) -> None:
        self._shown = layers()
        self._base, self._other, self._difference = (
            {name: Moments() for name in self._shown} for _ in range(3)
        )

    def add(self, a: Block | None, b: Block | None) -> None:
        """Add replications of the base, of the alternative, or pairs of both by seed.

        A layer that one of them lacks is left out.
        """
        for name in list(self._base):
            sums = [None if block is None else block.layers[name] for block in (a, b)]
            if (a and sums[0] is None) or (b and sums[1] is None):
                for moments in (self._base, self._other, self._difference):
                    del moments[name]
                continue
            for moments, found in zip((self._base, self._other), sums, strict=True):
                if found is not None:
                    moments[name].add(found.streets, found.values)
            if sums[0] is not None and sums[1] is not None:
                self._difference[name].add(*_less(sums[1], sums[0]))

    def table(self, correct: Correct = lambda p: p) -> pd.DataFrame:
        """Return one row a street.

        Parameters
        ----------
        correct
            Makes a p-value of one look one of all looks.

        Returns
        -------
        DataFrame
            street; for each layer L that both runs have base_L, L and diff_L, sums over the
            period, means over seeds. Layers that show differences also have percent_L, of the
            base's mean; p_L, of Student's t over pairs (Welch's where no pairs were added), NaN
            where nothing differs; and q_L, the false discovery rate at which the street is found
            (Benjamini & Hochberg 1995): of streets with q_L below 0.05 chance explains one in 20.
        """
        import pandas as pd

        used = {name for name, m in self._base.items() if m.rows and self._other[name].rows}
        named = [m[name].streets for name in used for m in (self._base, self._other)]
        streets = np.unique(np.concatenate(named)) if named else np.empty(0, dtype=np.int64)
        columns: dict[str, Floats] = {}
        for name in (n for n in self._shown if n in used):
            pair = self._base[name], self._other[name]
            differs = self._shown[name].shown == "difference"
            absent = 0.0 if differs else np.nan
            a, b = (_at(streets, m.streets, m.means(), absent) for m in pair)
            columns |= {f"base_{name}": a, name: b, f"diff_{name}": b - a}
            if differs:
                d = self._difference[name]
                p = _p_paired(d, streets) if d.rows else _p_welch(*pair, streets)
                p = correct(p)
                with np.errstate(divide="ignore", invalid="ignore"):
                    percent = np.where(a == 0.0, np.nan, 100.0 * (b - a) / np.abs(a))
                columns |= {f"percent_{name}": percent, f"p_{name}": p}
                columns[f"q_{name}"] = false_discoveries(p)
        return pd.DataFrame({"street": streets.astype(np.int32), **columns})


def layer_means(run: RunInfo, seeds: Sequence[int], layer: Layer) -> pd.Series[float] | None:
    """Return a layer by street, mean over seeds of its sum over time; None where no run has it.

    A street that a table does not have counts as 0; one whose value is missing (NaN) there does
    not count.
    """
    import pandas as pd

    moments = Moments()
    for block in blocks(run, seeds):
        sums = block.layers.get(layer.name)
        if sums is None:
            return None
        moments.add(sums.streets, sums.values)
    if not moments.rows:
        return None
    return pd.Series(moments.means(), index=pd.Index(moments.streets, name="street"))


def _less(b: LayerSums, a: LayerSums) -> tuple[NDArray[np.int64], Floats]:
    """Return streets and [seeds, streets] values of b less those of a."""
    streets = np.union1d(a.streets, b.streets)
    difference = np.zeros((len(a.values), len(streets)))
    difference[:, np.searchsorted(streets, b.streets)] = b.values
    difference[:, np.searchsorted(streets, a.streets)] -= a.values
    return streets, difference


def _at(
    streets: NDArray[np.int64], own: NDArray[np.int64], values: Floats, absent: float
) -> Floats:
    found = np.full(len(streets), absent)
    found[np.searchsorted(streets, own)] = values
    return found


def _p_paired(d: Moments, streets: NDArray[np.int64]) -> Floats:
    n = _at(streets, d.streets, d.n, float(d.rows))
    mean, m2 = (_at(streets, d.streets, v, 0.0) for v in (d.mean, d.m2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return p_values(mean, np.sqrt(m2 / (n - 1.0) / n), n - 1.0)


def _p_welch(base: Moments, other: Moments, streets: NDArray[np.int64]) -> Floats:
    parts = []
    for m in (base, other):
        n = _at(streets, m.streets, m.n, float(m.rows))
        mean, m2 = (_at(streets, m.streets, v, 0.0) for v in (m.mean, m.m2))
        parts.append((n, mean, m2))
    (na, a, a2), (nb, b, b2) = parts
    with np.errstate(divide="ignore", invalid="ignore"):
        va, vb = a2 / (na - 1.0) / na, b2 / (nb - 1.0) / nb
        freedom = (va + vb) ** 2 / (va**2 / (na - 1.0) + vb**2 / (nb - 1.0))
        freedom = np.where(va + vb > 0.0, freedom, np.minimum(na, nb) - 1.0)
        return p_values(b - a, np.sqrt(va + vb), freedom)


def p_values(difference: Floats, error: Floats, freedom: Floats) -> Floats:
    """Return two-sided p-values of t; NaN where nothing differs or nothing is known."""
    from scipy.special import stdtr

    p = 2.0 * stdtr(np.maximum(freedom, 1.0), -np.abs(difference) / error)
    unknown = (freedom < 1.0) | ((difference == 0.0) & (error == 0.0))
    return np.where(unknown, np.nan, np.where(error == 0.0, 0.0, p))


def false_discoveries(p: Floats) -> Floats:
    """Return false discovery rates; NaN stays and does not count."""
    found, known = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    falling = known[np.argsort(p[known])[::-1]]
    rank = np.arange(len(falling), 0, -1)
    found[falling] = np.minimum.accumulate(p[falling] * len(falling) / rank)
    return found
