"""A policy that scores sections: the same small network for every section of every city.

It reads a section's row of `envs.roads.features` and answers with a score for each treatment; what
scores above zero is asked for, the greatest first, at the hours that cost city and drivers least.
Beside the hidden layer a straight line carries what planning expects each treatment to save for a
euro, so that a network of zeros is the greedy knapsack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from envs.roads import features
from twin.roads.state import F4, F8, I8, OPTION_COUNT
from twin.roads.treatments import OPTIONS, TREATMENTS

HIDDEN = 16
OUTPUTS = len(TREATMENTS)
FIRST_SAVING = features.SIZE - OUTPUTS
SAVING_OF_OPTION = np.array([FIRST_SAVING, *(FIRST_SAVING + t for t, _ in OPTIONS)])
"""Feature that says what an option's treatment saves; that of "nothing" (the first) is not used."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network's arrays, as they lie in a flat vector of weights."""

    hidden: int = HIDDEN

    @property
    def parts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of each array."""
        h = self.hidden
        return (
            ("inputs", (features.SIZE, h)),
            ("inputs_bias", (h,)),
            ("outputs", (h, OUTPUTS)),
            ("outputs_bias", (OUTPUTS,)),
            ("line", (OUTPUTS,)),
        )

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(int(np.prod(shape)) for _, shape in self.parts)

    def split(self, weights: F8) -> dict[str, F8]:
        """[..., size] weights as arrays by name, leading dimensions kept."""
        found, at = {}, 0
        for name, shape in self.parts:
            count = int(np.prod(shape))
            part = weights[..., at : at + count]
            found[name] = part.reshape(*weights.shape[:-1], *shape)
            at += count
        return found

    def first(self, seed: int) -> F8:
        """Weights to begin with: the greedy knapsack, with hidden units that are ready to learn."""
        rng = np.random.default_rng(seed)
        parts = self.split(np.zeros(self.size))
        parts["inputs"] = rng.normal(0.0, 1.0 / np.sqrt(features.SIZE), parts["inputs"].shape)
        parts["line"] = np.ones(OUTPUTS)
        return np.concatenate([parts[name].reshape(-1) for name, _ in self.parts])


@dataclass(frozen=True)
class LogitShape:
    """Sizes of the network that gradients train: two hidden layers, a logit for each option.

    Beside them a straight line carries what each option's treatment is expected to save.
    """

    hidden: tuple[int, int] = (64, 64)
    outputs: int = OPTION_COUNT

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each array: weights and biases of three layers, and the line."""
        first, second = self.hidden
        return (
            (features.SIZE, first), (first,), (first, second), (second,),
            (second, self.outputs), (self.outputs,), (self.outputs,),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(int(np.prod(shape)) for shape in self.parts)

    def logits(self, weights: F8, rows: F4) -> F8:
        """[n, options + 1] logits of rows [n, features]."""
        arrays, at = [], 0
        for shape in self.parts:
            count = int(np.prod(shape))
            arrays.append(weights[at : at + count].reshape(shape))
            at += count
        hidden = np.tanh(np.tanh(rows @ arrays[0] + arrays[1]) @ arrays[2] + arrays[3])
        return np.asarray(hidden @ arrays[4] + arrays[5] + arrays[6] * rows[:, SAVING_OF_OPTION])


def scores(parts: dict[str, F8], rows: F4) -> F8:
    """[..., n, treatments] scores of rows [..., n, features]; leading dimensions match."""
    hidden = np.tanh(rows @ parts["inputs"] + parts["inputs_bias"][..., None, :])
    line = parts["line"][..., None, :] * rows[..., FIRST_SAVING:]
    return np.asarray(hidden @ parts["outputs"] + parts["outputs_bias"][..., None, :] + line)


def ordered(score: F8, options: I8, allowed: npt.ArrayLike) -> tuple[I8, I8]:
    """Sections and options to ask for, the greatest score first.

    Parameters
    ----------
    score
        [n, treatments]
    options
        [n, treatments] the option that stands for a treatment.
    allowed
        [n, treatments] whether it would be granted.
    """
    score = np.where(np.asarray(allowed) > 0, score, -np.inf)
    best = np.argmax(score, axis=1)
    most = score[np.arange(len(score)), best]
    order = np.argsort(-most, kind="stable")
    order = order[most[order] > 0.0]
    return order, options[order, best[order]]
