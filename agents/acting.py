"""SB3 policies made of the networks of this room."""

from __future__ import annotations

from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from agents.networks import LIMITS, Choose, Grouped, Judge, Reader
from envs.observation import PHASES


class Pass(nn.Module):
    """What SB3 calls the extractor of a policy's and a value's latents: both are the features."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.latent_dim_pi = self.latent_dim_vf = size

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features, twice."""
        return features, features

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        """The features."""
        return features

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        """The features."""
        return features


class _OwnHeads:
    """Puts networks of `_heads()` in the place of SB3's linear ones."""

    def _build_mlp_extractor(self: Any) -> None:
        self.mlp_extractor = Pass(self.features_dim)

    def _build(self: Any, lr_schedule: Any) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        self.action_net, self.value_net = self._heads()
        self.optimizer = self.optimizer_class(
            self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
        )


class _Universal(_OwnHeads):
    def __init__(self: Any, *args: Any, encoder: str, width: int = 32, **given: Any) -> None:
        own = {name: given.pop(name) for name in LIMITS if name in given}
        given["features_extractor_class"] = Reader
        given["features_extractor_kwargs"] = {"encoder": encoder, "width": width, **own}
        self._width = width
        super().__init__(*args, **given)

    def _heads(self: Any) -> tuple[nn.Module, nn.Module]:
        return Choose(self._width), Judge(self._width)


class UniversalPolicy(_Universal, ActorCriticPolicy):  # type: ignore[misc]
    """Reads any junction, with an encoder of `agents.networks.ENCODERS`."""


class MaskableUniversalPolicy(_Universal, MaskableActorCriticPolicy):  # type: ignore[misc]
    """The same for MaskablePPO."""


class IndependentPolicy(_OwnHeads, ActorCriticPolicy):  # type: ignore[misc]
    """Weights of its own for every junction; rows end with the junction's number.

    Parameters
    ----------
    junctions
        How many there are.
    net_arch
        Sizes of hidden layers.
    """

    def __init__(
        self, *args: Any, junctions: int, net_arch: tuple[int, ...] = (64, 64), **given: Any
    ) -> None:
        self._sizes, self._junctions = list(net_arch), junctions
        super().__init__(*args, **given)

    def _heads(self) -> tuple[nn.Module, nn.Module]:
        size = int(self.observation_space.shape[0]) - 1  # type: ignore[index]
        return (
            Grouped(self._junctions, [size, *self._sizes, PHASES]),
            Grouped(self._junctions, [size, *self._sizes, 1]),
        )
