"""PPO and MaskablePPO for roads: one small network for every section, trained by gradients."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.roads.baselines import GreedyKnapsack
from agents.roads.evaluation import evaluate
from agents.roads.evolution import VALIDATION_SEED
from agents.roads.scorer import SAVING_OF_OPTION, LogitShape
from agents.roads.trained import TrainedPlanner, save_agent
from envs.roads import features
from envs.roads.scenes import RoadTask
from twin.errors import InputError
from twin.roads.state import F8
from twin.roads.view import Planner

if TYPE_CHECKING:
    from agents.roads.training import Plan, Progressed

COPIES = 32
STEPS = 40  # of each copy between updates: a decade of quarters
BATCH = 320
SETTINGS: dict[str, Any] = {
    "n_steps": STEPS, "batch_size": BATCH, "n_epochs": 4, "gamma": 0.995, "gae_lambda": 0.95,
    "learning_rate": 3e-4, "ent_coef": 0.0005, "clip_range": 0.2, "target_kl": 0.05,
}  # fmt: skip
VALIDATE_EVERY = 10  # rounds of decades
VALIDATION_DECADES = 32
NOTHING_AT_FIRST = 4.0  # logit of asking for nothing
LINE_AT_FIRST = 10.0  # logit for each euro that an option saves for a euro: about the knapsack


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
        """Hidden layers of each section, beside what options save; their mean for the value."""

        def __init__(self) -> None:
            super().__init__()
            first, second = shape.hidden
            self.layers = nn.Sequential(
                nn.Linear(features.SIZE, first), nn.Tanh(), nn.Linear(first, second), nn.Tanh()
            )
            self.latent_dim_pi = second + shape.outputs
            self.latent_dim_vf = second

        def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.forward_actor(rows), self.forward_critic(rows)

        def forward_actor(self, rows: torch.Tensor) -> torch.Tensor:
            each = rows.reshape(len(rows), -1, features.SIZE)
            return torch.cat((self.layers(each), each[..., SAVING_OF_OPTION]), dim=-1)

        def forward_critic(self, rows: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.layers(rows.reshape(len(rows), -1, features.SIZE))
            return hidden.mean(dim=1)

    class Head(nn.Module):
        """Logits of each section's options, side by side."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(shape.hidden[1], shape.outputs)
            self.line = nn.Parameter(torch.full((shape.outputs,), LINE_AT_FIRST))
            with torch.no_grad():
                self.linear.weight.mul_(0.1)
                self.linear.bias.zero_()
                self.linear.bias[0] = NOTHING_AT_FIRST
                self.line[0] = 0.0

        def forward(self, latent: torch.Tensor) -> torch.Tensor:
            hidden, saved = latent[..., : shape.hidden[1]], latent[..., shape.hidden[1] :]
            logits: torch.Tensor = self.linear(hidden) + self.line * saved
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


def weights_of(model: Any) -> F8:
    """The flat weights that `agents.roads.scorer.LogitShape` describes."""
    first, second = model.policy.mlp_extractor.layers[0], model.policy.mlp_extractor.layers[2]
    last = model.policy.action_net.linear
    parts: list[Any] = []
    for layer in (first, second, last):
        parts += [layer.weight.detach().numpy().T, layer.bias.detach().numpy()]
    parts.append(model.policy.action_net.line.detach().numpy())
    return np.concatenate([part.reshape(-1) for part in parts]).astype(float)


class Validation:
    """Weights on decades of their own, against the greedy knapsack; the best are kept.

    Parameters
    ----------
    task
        What is trained on.
    """

    def __init__(self, task: RoadTask) -> None:
        self.task = task
        self.seeds = range(VALIDATION_SEED, VALIDATION_SEED + VALIDATION_DECADES)
        self.best: F8 = np.zeros(0)
        self._least = np.inf
        self._greedy = self._cost(GreedyKnapsack())

    def see(self, weights: F8) -> float:
        """Mean cost over the knapsack's of a policy with these weights."""
        about = {"weeks": self.task.weeks, "hidden": list(LogitShape().hidden)}
        relative = self._cost(TrainedPlanner(about, weights)) / self._greedy
        if relative < self._least or not len(self.best):
            self.best, self._least = weights, relative
        return relative

    def _cost(self, planner: Planner) -> float:
        table = evaluate({"it": planner}, self.task, self.seeds)
        return float(table["social_cost_eur"].mean())


def train_gradient(
    tasks: Sequence[RoadTask],
    file: Path,
    plan: Plan,
    tell: Callable[[Progressed], None] | None = None,
) -> list[dict[str, Any]]:
    """Train by PPO or MaskablePPO on one network of roads; its weights serve any other.

    The file gets the weights that were best on decades of their own.

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
    judge = Validation(tasks[0])

    class Watch(BaseCallback):
        """Validate now and then, keep the weights that were best, end when time is up."""

        def _on_step(self) -> bool:
            return plan.minutes is None or time.monotonic() - begin <= 60.0 * plan.minutes

        def _on_rollout_start(self) -> None:
            rounds, rest = divmod(self.num_timesteps, COPIES * STEPS)
            if rest == 0 and rounds % VALIDATE_EVERY == 0:
                self.validate()

        def _on_training_end(self) -> None:
            self.validate()

        def validate(self) -> None:
            spent = time.monotonic() - begin
            relative = judge.see(weights_of(self.model))
            history.append({"decisions": self.num_timesteps, "wall_s": spent, "relative": relative})
            share = self.num_timesteps / plan.steps
            if plan.minutes is not None:
                share = max(share, spent / 60.0 / plan.minutes)
            if tell is not None:
                tell(Progressed(self.num_timesteps, min(1.0, share), relative))

    model.learn(plan.steps, callback=Watch())
    training = {
        "algo": plan.algo, "seed": plan.seed, "command": plan.command,
        "wall_s": time.monotonic() - begin, "decisions": model.num_timesteps,
        "scenes": [tasks[0].scene.name],
    }  # fmt: skip
    save_agent(file, judge.best, training, list(LogitShape().hidden), tasks[0].weeks)
    env.close()
    return history
