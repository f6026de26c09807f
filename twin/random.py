"""Random numbers that belong to a subject, not to a position in a sequence.

A generator that is advanced draw by draw shifts every later number as soon as somebody draws once
more. Here a number is a pure function of (seed, stream name, entity, tick, draw): the cipher
Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") applied to the
counter (entity, tick, draw, 0) under the key (seed, hash of the stream's name). So the value of an
entity depends neither on which other entities are drawn nor on order, threads or batches, and two
scenarios of one seed differ by their measures only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from twin.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])

# Philox4x64: multipliers and Weyl sequence of the key (Salmon et al. 2011, table 2).
_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
_ZERO = np.uint64(0)
_TO_UNIT = 2.0**-53
_TWO_PI = 2.0 * np.pi


def compiled(function: F) -> F:
    """Compile `function` by Numba: cached on disk, without the GIL, without fast-math."""
    return cast("F", njit(cache=True, nogil=True)(function))


@dataclass(frozen=True)
class Stream:
    """A named stream of random numbers, addressed by entity, tick and draw.

    Parameters
    ----------
    seed : seed of the replication, 0 <= seed < 2**64
    name : what the numbers are for (`demand`, `routes`, ...); streams of different names are
        independent of each other

    Raises
    ------
    InputError : the seed is outside its range
    """

    seed: int
    name: str

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**64:
            msg = f"seed(={self.seed}) of stream {self.name!r} must be in [0, 2**64)."
            raise InputError(msg)

    @property
    def key(self) -> tuple[np.uint64, np.uint64]:
        """Return the key to hand to `philox_uniform` inside compiled code."""
        digest = blake2b(self.name.encode(), digest_size=8).digest()
        return np.uint64(self.seed), np.uint64(int.from_bytes(digest, "little"))

    def uniform(self, entity: ArrayLike, draw: ArrayLike = 0, tick: ArrayLike = 0) -> Floats:
        """Return uniform numbers in [0, 1), in the shape that the arguments broadcast to."""
        return self._apply(_fill_uniform, entity, draw, tick)

    def normal(self, entity: ArrayLike, draw: ArrayLike = 0, tick: ArrayLike = 0) -> Floats:
        """Return standard normal numbers (Box and Muller 1958, from two words of one block)."""
        return self._apply(_fill_normal, entity, draw, tick)

    def exponential(self, entity: ArrayLike, draw: ArrayLike = 0, tick: ArrayLike = 0) -> Floats:
        """Return exponential numbers of mean 1, by inversion."""
        return -np.log1p(-self.uniform(entity, draw, tick))

    def choice(
        self, cumulative: Floats, entity: ArrayLike, draw: ArrayLike = 0, tick: ArrayLike = 0
    ) -> Integers:
        """Return positions 0..n-1, drawn by weight.

        Parameters
        ----------
        cumulative : running sum of n non-negative weights with a positive last value; a position
            of weight 0 is never drawn

        Raises
        ------
        InputError : the weights are empty, decreasing or sum to nothing
        """
        total = float(cumulative[-1]) if len(cumulative) else 0.0
        if not total > 0.0 or cumulative[0] < 0.0 or np.any(np.diff(cumulative) < 0.0):
            msg = f"cumulative weights of stream {self.name!r} must rise from >= 0 to > 0."
            raise InputError(msg)
        position = np.searchsorted(
            cumulative, self.uniform(entity, draw, tick) * total, side="right"
        )
        last = int(np.searchsorted(cumulative, total, side="left"))
        return np.minimum(position, last).astype(np.int64)

    def poisson(
        self, mean: ArrayLike, entity: ArrayLike, draw: ArrayLike = 0, tick: ArrayLike = 0
    ) -> Integers:
        """Return Poisson numbers, by inversion.

        For one entity the number never falls when its mean rises: a demand scaled down is a part of
        the demand scaled up.

        Parameters
        ----------
        mean : expected number, >= 0

        Raises
        ------
        InputError : a mean is negative or not finite
        """
        means = np.asarray(mean, dtype=np.float64)
        if not np.all(np.isfinite(means)) or np.any(means < 0.0):
            msg = f"mean of Poisson numbers of stream {self.name!r} must be finite and >= 0."
            raise InputError(msg)
        level, means = np.broadcast_arrays(self.uniform(entity, draw, tick), means)
        return _poisson_quantile(level, means)

    def _apply(
        self, fill: Callable[..., None], entity: ArrayLike, draw: ArrayLike, tick: ArrayLike
    ) -> Floats:
        parts = np.broadcast_arrays(*(_as_integers(part) for part in (entity, tick, draw)))
        out = np.empty(parts[0].shape, dtype=np.float64)
        key0, key1 = self.key
        flat = [np.array(part, order="C").reshape(-1) for part in parts]
        fill(key0, key1, *flat, out.reshape(-1))
        return out


def _as_integers(values: ArrayLike) -> Integers:
    array = np.asarray(values)
    if array.dtype.kind == "b" or (array.size and array.dtype.kind not in "iu"):
        msg = f"entity, tick and draw must be integers, not {array.dtype}."
        raise InputError(msg)
    return array.astype(np.int64)


def _poisson_quantile(level: Floats, mean: Floats) -> Integers:
    """Return the smallest k with P(N <= k) > level for N of the given mean."""
    from scipy.special import pdtr, pdtrik

    with np.errstate(invalid="ignore"):
        guess = np.ceil(np.nan_to_num(pdtrik(level, np.maximum(mean, 1e-12)), nan=0.0))
    number = np.maximum(guess, 0.0)
    for _ in range(8):
        high = (number > 0.0) & (pdtr(np.maximum(number - 1.0, 0.0), mean) > level)
        low = pdtr(number, mean) <= level
        if not (high.any() or low.any()):
            break
        number = number + low.astype(np.float64) - high.astype(np.float64)
    return np.where(mean > 0.0, number, 0.0).astype(np.int64)


@compiled
def philox(
    key0: np.uint64,
    key1: np.uint64,
    counter0: np.uint64,
    counter1: np.uint64,
    counter2: np.uint64,
    counter3: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the block of four 64-bit words of Philox4x64-10 for one key and counter."""
    c0, c1, c2, c3 = np.uint64(counter0), np.uint64(counter1), np.uint64(counter2), counter3
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(_M0, c0)
        high1, low1 = _multiply(_M1, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = k0 + _W0
        k1 = k1 + _W1
    return c0, c1, c2, c3


@compiled
def philox_uniform(key0: np.uint64, key1: np.uint64, entity: int, tick: int, draw: int) -> float:
    """Return the uniform number in [0, 1) that `Stream.uniform` gives; for compiled callers."""
    word = philox(key0, key1, np.uint64(entity), np.uint64(tick), np.uint64(draw), _ZERO)[0]
    return np.float64(word >> _11) * _TO_UNIT


@compiled
def philox_normal(key0: np.uint64, key1: np.uint64, entity: int, tick: int, draw: int) -> float:
    """Return the standard normal number that `Stream.normal` gives; for compiled callers."""
    block = philox(key0, key1, np.uint64(entity), np.uint64(tick), np.uint64(draw), _ZERO)
    radius = np.sqrt(-2.0 * np.log1p(-np.float64(block[0] >> _11) * _TO_UNIT))
    return float(radius * np.cos(_TWO_PI * (np.float64(block[1] >> _11) * _TO_UNIT)))


@compiled
def _multiply(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the high and the low half of the 128-bit product."""
    a0, a1, b0, b1 = a & _LOW, a >> _32, b & _LOW, b >> _32
    middle = a1 * b0 + ((a0 * b0) >> _32)
    carry = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _32) + (carry >> _32), a * b


@compiled
def _fill_uniform(
    key0: np.uint64, key1: np.uint64, entity: Integers, tick: Integers, draw: Integers, out: Floats
) -> None:
    for i in range(out.size):
        out[i] = philox_uniform(key0, key1, entity[i], tick[i], draw[i])


@compiled
def _fill_normal(
    key0: np.uint64, key1: np.uint64, entity: Integers, tick: Integers, draw: Integers, out: Floats
) -> None:
    for i in range(out.size):
        out[i] = philox_normal(key0, key1, entity[i], tick[i], draw[i])
