"""Detectors that err: some are dead, the others noisy."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.compiling import compiled, inlined


@inlined
def _mixed(number: Any) -> Any:
    """A number that looks drawn (splitmix64's finalizer, Steele et al. 2014)."""
    z = number + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def _about_one(key: Any, noise: float) -> float:
    """1 with a normal error (sum of four draws), not below 0."""
    total = 0.0
    for part in range(4):
        drawn = _mixed(key ^ _mixed(np.uint64(part + 1)))
        total += float(drawn >> np.uint64(11)) / 9007199254740992.0 - 0.5
    return float(max(0.0, 1.0 + noise * total * 1.7320508))


@compiled
def blind(shape: Any, read: Any, seen: Any, noise: float, t: int, k: int) -> None:
    """Let detectors err: those that are dead read nothing, the others with noise.

    How full the streets behind are is not theirs to say and stays as it is.
    """
    for j in range(shape.lane.shape[0]):
        for a in range(shape.lane.shape[1]):
            if shape.lane[j, a] < 0:
                continue
            factor = 1.0
            if noise > 0.0:
                key = _mixed(np.uint64(seen.seed[k])) ^ _mixed(np.uint64(t))
                factor = _about_one(key ^ _mixed(np.uint64(j * 1000 + a)), noise)
            if seen.dead[k, j, a]:
                factor = 0.0
                read.speed[k, j, a] = 1.0
            if factor == 1.0:
                continue
            read.standing[k, j, a] *= factor
            read.moving[k, j, a] *= factor
            read.waiting_s[k, j, a] *= factor
            read.longest_s[k, j, a] *= factor
            for m in range(shape.link.shape[1]):
                if shape.link_lane[j, m] == a:
                    read.link_standing[k, j, m] *= factor
                    read.link_moving[k, j, m] *= factor
                    read.head_wait[k, j, m] = int(read.head_wait[k, j, m] * factor)
