"""Networks that read a row of observations, in whatever order its phases and lanes stand.

`phase_competition` reads rows of kind `phases`: the same weights look at every phase, and each
phase competes with every other of the junction, as in FRAP (Zheng et al. 2019, CIKM) and MPLight
(Chen et al. 2020, AAAI).  `lane_attention` reads rows of kind `lanes`: a graph of lanes, phases
and neighbours in which phases attend to the lanes that they serve, to those that they do not, and
to each other (Vaswani et al. 2017; for signals e.g. AttendLight, Oroojlooy et al. 2020, NeurIPS).
Both read any junction.  `grouped` has weights of its own for every junction.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from envs import observation as obs

P, F = obs.PHASES, len(obs.PHASE_FEATURES)
L, LF = obs.LANES, len(obs.LANE_FEATURES)
EXTRAS, NF = len(obs.EXTRAS), len(obs.NEIGHBOUR_FEATURES)
FAR = -1e9
LIMITS = ("starving_s", "patience_s", "discharge_s")  # arguments of `Limits`


class Parts:
    """Where things stand in a row of phases."""

    EXISTS, SHOWN, ALLOWED, HEAD, LONGEST, STANDING = (
        list(obs.PHASE_FEATURES).index(name)
        for name in ("exists", "shown", "allowed", "head", "longest", "standing")
    )
    GREEN = list(obs.EXTRAS).index("green")


def _most(exists: torch.Tensor) -> int:
    """Phases of the junction that has most of them, at least one: the others need no work."""
    some = exists.amax(0) > 0
    return max(1, int(some.sum()))


def _neighbours(row: torch.Tensor, after: int) -> torch.Tensor:
    """[rows, neighbours, features] at the end of rows; none where they were not asked for."""
    return row[:, after:].reshape(len(row), -1, NF)


class Limits:
    """What may be chosen, whatever was learned; None for no such limit.

    Where more than one says so, the last of them holds.

    Parameters
    ----------
    starving_s
        Where a vehicle has stood on its lane for longer, and what is shown has been green for
        `SHARE_S`, the phase that serves the longest such wait is the only one.  A lane from which
        one vehicle after the other gets away, but too few, starves nobody at its head.
    patience_s
        The same of vehicles at the head of their lane, with room behind the junction, without
        waiting for `SHARE_S`.
    discharge_s
        A phase that has been green for less, and before which `QUEUE` vehicles or more still
        stand, is kept: a queue that is let go and stopped again has only lost time.
    """

    SHARE_S, QUEUE = 30.0, 2.0

    def __init__(
        self,
        starving_s: float | None = None,
        patience_s: float | None = None,
        discharge_s: float | None = None,
    ) -> None:
        for name, value in zip(LIMITS, (starving_s, patience_s, discharge_s), strict=True):
            if value is not None and not (isinstance(value, int | float) and value >= 0.0):
                msg = f"{name}(={value!r}) of the network must be 0 or more seconds, or None"
                raise ValueError(msg)
        self.starving_s, self.patience_s, self.discharge_s = starving_s, patience_s, discharge_s

    def __call__(self, phases: torch.Tensor, green_s: torch.Tensor) -> torch.Tensor:
        """[rows, phases] which may be asked for: 1, or 0.

        Parameters
        ----------
        phases
            [rows, phases, features].
        green_s
            [rows, 1] for which what is shown has been green.
        """
        shown, allowed = phases[..., Parts.SHOWN], phases[..., Parts.ALLOWED]
        others = (1.0 - shown) * allowed
        found = allowed
        if self.starving_s is not None:
            waits_s = phases[..., Parts.LONGEST] * others * obs.WAIT_S
            found = _longest(waits_s, self.starving_s, found, green_s >= self.SHARE_S)
        if self.patience_s is not None:
            waits_s = phases[..., Parts.HEAD] * others * obs.WAIT_S
            found = _longest(waits_s, self.patience_s, found)
        if self.discharge_s is not None:
            queues = phases[..., Parts.STANDING] * obs.VEHICLES >= self.QUEUE
            kept = shown * allowed * queues * (green_s < self.discharge_s)
            found = torch.where(kept.amax(1, keepdim=True) > 0, kept, found)
        return found


def _longest(
    waits_s: torch.Tensor,
    limit_s: float,
    otherwise: torch.Tensor,
    where: torch.Tensor | None = None,
) -> torch.Tensor:
    """[rows, phases] the longest wait alone where it is beyond a limit."""
    longest = waits_s.amax(1, keepdim=True)
    over = longest > limit_s if where is None else (longest > limit_s) & where
    return torch.where(over, (waits_s >= longest).float(), otherwise)


class PhaseEncoder(nn.Module):
    """[rows, phases, width] of what each phase has to say, by competition with every other.

    Parameters
    ----------
    limits
        Arguments of `Limits`.
    """

    def __init__(self, width: int, **limits: float | None) -> None:
        super().__init__()
        self.limits = Limits(**limits)
        self.own = nn.Sequential(
            nn.Linear(F + EXTRAS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.left, self.right = nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU())

    def forward(self, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values of phases, which exist, and which may be asked for."""
        phases = row[:, : P * F].reshape(-1, P, F)
        n = _most(phases[..., Parts.EXISTS])
        phases = phases[:, :n]
        extras = row[:, P * F : P * F + EXTRAS][:, None].expand(-1, n, -1)
        exists = phases[..., Parts.EXISTS]
        green_s = row[:, P * F + Parts.GREEN, None] * obs.GREEN_S
        allowed = self.limits(phases, green_s)
        own = self.own(torch.cat([phases, extras], dim=2))
        pairs = torch.relu(self.left(own)[:, :, None] + self.right(own)[:, None])
        other = exists[:, None, :, None] * (1.0 - torch.eye(n))[None, :, :, None]
        against = (pairs * other).sum(2) / other.sum(2).clamp(min=1.0)
        everyone = (own * exists[..., None]).sum(1, keepdim=True)
        everyone = (everyone / exists.sum(1)[:, None, None].clamp(min=1.0)).expand(-1, n, -1)
        return self.out(torch.cat([own, against, everyone], dim=2)), exists, allowed


class LaneEncoder(nn.Module):
    """[rows, phases, width] of what each phase has to say, from lanes, phases and neighbours."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.lane = nn.Sequential(nn.Linear(LF, width), nn.ReLU(), nn.Linear(width, width))
        self.near = nn.Linear(NF, width)
        self.phase = nn.Linear(2 + EXTRAS, width)
        self.served, self.stopped = nn.Linear(width, width), nn.Linear(width, width)
        self.weigh = nn.Linear(width, 2)
        self.join = nn.Sequential(nn.Linear(6 * width, width), nn.ReLU())
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.out = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU())

    def forward(self, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values of phases, which exist, and which may be asked for."""
        lanes = row[:, : L * (LF + P)].reshape(-1, L, LF + P)
        at = L * (LF + P)
        phases = row[:, at : at + 3 * P].reshape(-1, P, 3)
        n = _most(phases[..., 1])
        phases = phases[:, :n]
        extras = row[:, at + 3 * P : at + 3 * P + EXTRAS][:, None].expand(-1, n, -1)
        exists, allowed = phases[..., 1], phases[..., 2]
        lane = self.lane(lanes[..., :LF])
        there = lanes[..., LF - 1]
        served = lanes[..., LF : LF + n].transpose(1, 2) * there[:, None]  # [rows, phases, lanes]
        stopped = (1.0 - served) * there[:, None]
        weigh = self.weigh(lane)
        found = [
            _pooled(served, self.served(lane), weigh[..., 0]),
            _pooled(stopped, self.stopped(lane), weigh[..., 1]),
        ]
        near = self._near(_neighbours(row, at + 3 * P + EXTRAS), lane)
        own = self.phase(torch.cat([phases[..., :1], allowed[..., None], extras], dim=2))
        joined = self.join(torch.cat([own, *found, near.expand(-1, n, -1)], dim=2))
        hidden = exists < 0.5
        hidden = hidden & ~hidden.all(1, keepdim=True)
        heard, _ = self.attend(joined, joined, joined, key_padding_mask=hidden, need_weights=False)
        return self.out(torch.cat([joined, heard], dim=2)), exists, allowed

    def _near(self, near: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        if near.shape[1] == 0:
            return torch.zeros_like(like[:, :1])
        found: torch.Tensor = (self.near(near) * near[..., -1:]).sum(1, keepdim=True)
        return found


def _pooled(share: torch.Tensor, value: torch.Tensor, weigh: torch.Tensor) -> torch.Tensor:
    """[rows, phases, 2 * width]: sum over lanes by their shares, and mean by attention."""
    total = torch.einsum("bpl,blw->bpw", share, value)
    score = weigh[:, None].expand_as(share).masked_fill(share <= 0.0, FAR)
    score = torch.softmax(score, dim=2) * (share > 0.0)
    return torch.cat([total / 4.0, torch.einsum("bpl,blw->bpw", score, value)], dim=2)


ENCODERS: dict[str, type[nn.Module]] = {
    "phase_competition": PhaseEncoder,
    "lane_attention": LaneEncoder,
}


class Reader(BaseFeaturesExtractor):
    """Features of a row: what every phase has to say, and which may be asked for."""

    def __init__(
        self,
        observation_space: Any,
        encoder: str = "phase_competition",
        width: int = 32,
        **given: Any,
    ) -> None:
        super().__init__(observation_space, P * (width + 2))
        self.width = width
        self.encoder = ENCODERS[encoder](width, **given)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """[rows, phases * (width + 2)]."""
        value, exists, allowed = self.encoder(observations)
        found = torch.cat([value, exists[..., None], allowed[..., None]], dim=2)
        return nn.functional.pad(found, (0, 0, 0, P - found.shape[1])).flatten(1)


class Choose(nn.Module):
    """[rows, phases] preferences, the same weights for every phase; none for the forbidden."""

    def __init__(self, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.width, self.outputs = width, outputs
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[rows, phases], or [rows, phases * outputs]."""
        parts = features.reshape(len(features), P, self.width + 2)
        score = self.score(parts[..., : self.width])
        allowed = parts[..., self.width + 1 :]
        some = allowed.sum(1, keepdim=True) > 0
        return torch.where((allowed > 0) | ~some, score, torch.full_like(score, -1e4)).flatten(1)


class Judge(nn.Module):
    """[rows, 1] value of a junction's state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.own = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.out = nn.Linear(width, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[rows, 1]."""
        parts = features.reshape(len(features), P, self.width + 2)
        exists = parts[..., self.width : self.width + 1]
        value: torch.Tensor = self.out((self.own(parts[..., : self.width]) * exists).sum(1) / 4.0)
        return value


class Grouped(nn.Module):
    """A perceptron with weights of its own for every junction; a row's last number says which."""

    def __init__(self, groups: int, sizes: list[int]) -> None:
        super().__init__()
        self.weights, self.bias = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(sizes):
            weight = torch.empty(groups, n_in, n_out)
            for group in weight:
                nn.init.orthogonal_(group, 2**0.5 if n_out != sizes[-1] else 0.01)
            self.weights.append(nn.Parameter(weight))
            self.bias.append(nn.Parameter(torch.zeros(groups, 1, n_out)))

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """[rows, last size]."""
        group = torch.round(row[:, -1] * obs.WHICH).long().clamp(0, len(self.weights[0]) - 1)
        order = torch.argsort(group, stable=True)
        sorted_group = group[order]
        count = torch.bincount(group, minlength=len(self.weights[0]))
        at = torch.arange(len(row)) - (torch.cumsum(count, 0) - count)[sorted_group]
        value = row.new_zeros(len(count), int(count.max()), row.shape[1] - 1)
        value[sorted_group, at] = row[order, :-1]
        layers = list(zip(self.weights, self.bias, strict=True))
        for k, (weight, bias) in enumerate(layers):
            value = torch.baddbmm(bias, value, weight)
            if k < len(layers) - 1:
                value = torch.tanh(value)
        out = row.new_zeros(len(row), value.shape[2])
        out[order] = value[sorted_group, at]
        return out
