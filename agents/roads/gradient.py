"""PPO and MaskablePPO for roads: one small network for every section, trained by gradients."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.roads.scorer import LogitShape
from agents.roads.trained import save_agent
from envs.roads import features
from envs.roads.scenes import RoadTask
from twin.errors import InputError

if TYPE_CHECKING:
    from agents.roads.training import Plan, Progressed

COPIES = 32
STEPS = 40  # of each copy between updates: a decade of quarters
BATCH = 320
SETTINGS: dict[str, Any] = {
    "n_steps": STEPS, "batch_size": BATCH, "n_epochs": 4, "gamma": 0.995, "gae_lambda": 0.95,
    "learning_rate": 3e-4, "ent_coef": 0.0005, "clip_range": 0.2, "target_kl": 0.05,
}  # fmt: skip
NOTHING_AT_FIRST = 4.0  # logit of asking for nothing, so that a beginner does not spend all


def make_model(algo: str, env: Any, seed: int) -> Any:
    """An SB3 algorithm whose policy shares its weights over sections."""
    import torch
    from sb3_contrib import MaskablePPO
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
    from stable_baselines3 import PPO
    from stable_baselines3.common.policies import ActorCriticPolicy
    from torch import nn

    shape = LogitShape()

    class Sections(nn.Module):
        """Hidden layers of each section, and their mean for the value."""

        def __init__(self) -> None:
            super().__init__()
            first, second = shape.hidden
            self.layers = nn.Sequential(
                nn.Linear(features.SIZE, first), nn.Tanh(), nn.Linear(first, second), nn.Tanh()
            )
            self.latent_dim_pi = second
            self.latent_dim_vf = second

        def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.forward_actor(rows), self.forward_critic(rows)

        def forward_actor(self, rows: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.layers(rows.reshape(len(rows), -1, features.SIZE))
            return hidden

        def forward_critic(self, rows: torch.Tensor) -> torch.Tensor:
            return self.forward_actor(rows).mean(dim=1)

    class Head(nn.Module):
        """Logits of each section's options, side by side."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(shape.hidden[1], shape.outputs)
            with torch.no_grad():
                self.linear.weight.mul_(0.1)
                self.linear.bias.zero_()
                self.linear.bias[0] = NOTHING_AT_FIRST

        def forward(self, latent: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.linear(latent)
            return logits.flatten(1)

    def shared(base: Any) -> Any:
        class Shared(base):  # type: ignore[misc]
            def _build_mlp_extractor(self) -> None:
                self.mlp_extractor = Sections()

            def _build(self, lr_schedule: Any) -> None:
                super()._build(lr_schedule)
                self.action_net = Head()
                self.optimizer = self.optimizer_class(
                    self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs
                )

        return Shared

    torch.manual_seed(seed)
    if algo == "ppo":
        return PPO(shared(ActorCriticPolicy), env, seed=seed, device="cpu", **SETTINGS)
    return MaskablePPO(shared(MaskableActorCriticPolicy), env, seed=seed, device="cpu", **SETTINGS)


def weights_of(model: Any) -> Any:
    """The flat weights that `agents.roads.scorer.LogitShape` describes."""
    first, second = model.policy.mlp_extractor.layers[0], model.policy.mlp_extractor.layers[2]
    last = model.policy.action_net.linear
    parts = []
    for layer in (first, second, last):
        parts += [layer.weight.detach().numpy().T, layer.bias.detach().numpy()]
    return np.concatenate([part.reshape(-1) for part in parts]).astype(float)


def train_gradient(
    tasks: Sequence[RoadTask],
    file: Path,
    plan: Plan,
    tell: Callable[[Progressed], None] | None = None,
) -> list[dict[str, Any]]:
    """Train by PPO or MaskablePPO on one network of roads; its weights serve any other.

    Raises
    ------
    InputError
        For more than one network: the algorithms of SB3 learn from one size.
    """
    from stable_baselines3.common.callbacks import BaseCallback

    from agents.roads.training import Progressed
    from envs.roads.sb3 import RoadVecEnv

    if len(tasks) != 1:
        msg = f"{plan.algo} learns from one network, not {len(tasks)}: name one, or --algo es"
        raise InputError(msg)
    env = RoadVecEnv(tasks[0], COPIES, plan.seed)
    model = make_model(plan.algo, env, plan.seed)
    begin, history = time.monotonic(), []
    usual: list[float] = []

    class Watch(BaseCallback):
        """Note the mean cost of each round of decades; end when time is up."""

        def _on_step(self) -> bool:
            cost = [i["social_cost_eur"] for i in self.locals["infos"] if "social_cost_eur" in i]
            spent = time.monotonic() - begin
            if cost:
                usual.append(float(np.mean(cost)))
                share = self.num_timesteps / plan.steps
                if plan.minutes is not None:
                    share = max(share, spent / 60.0 / plan.minutes)
                relative = usual[-1] / usual[0]
                history.append(
                    {"decisions": self.num_timesteps, "wall_s": spent, "cost_eur": usual[-1]}
                )
                if tell is not None:
                    tell(Progressed(self.num_timesteps, min(1.0, share), relative))
            return plan.minutes is None or spent <= 60.0 * plan.minutes

    model.learn(plan.steps, callback=Watch())
    training = {
        "algo": plan.algo, "seed": plan.seed, "command": plan.command,
        "wall_s": time.monotonic() - begin, "decisions": model.num_timesteps,
        "scenes": [tasks[0].scene.name],
    }  # fmt: skip
    save_agent(file, weights_of(model), training, list(LogitShape().hidden), tasks[0].weeks)
    env.close()
    return history
