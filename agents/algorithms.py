"""The algorithms that train agents, with their settings by environment and map.

Those of Stable-Baselines3 (Raffin et al. 2021) and sb3-contrib; in all but `independent_ppo` one
policy serves every junction.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from twin.errors import InputError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from envs.junction_rows import JunctionRows

ENVIRONMENT = "Twin/SignalControl-v0"
FILE = Path(__file__).with_name("hyperparameters.yaml")


@dataclass(frozen=True)
class Algorithm:
    """What trains an agent.

    Attributes
    ----------
    about
        What it is, with its source.
    module, model, policy
        Where SB3's class is, its name, and the policy: a name of SB3, or a class of
        `agents.acting`.
    numbered
        Whether rows end with the number of their junction.
    """

    about: str
    module: str
    model: str
    policy: str
    numbered: bool = False

    def model_class(self) -> Any:
        """The class of SB3 or sb3-contrib."""
        from importlib import import_module

        return getattr(import_module(self.module), self.model)

    def policy_class(self) -> Any:
        """The class of the policy."""
        from agents import acting

        own = getattr(acting, self.policy, None)
        return own or self.model_class().policy_aliases[self.policy]


SB3, CONTRIB = "stable_baselines3", "sb3_contrib"
ALGORITHMS: Mapping[str, Algorithm] = {
    "ppo": Algorithm("PPO (Schulman et al. 2017), one policy for all", SB3, "PPO", "MlpPolicy"),
    "independent_ppo": Algorithm(
        "PPO with weights of its own for every junction, learned side by side (IPPO)",
        SB3, "PPO", "IndependentPolicy", numbered=True,
    ),
    "maskable_ppo": Algorithm(
        "PPO that asks for nothing that would not be served (Huang and Ontañón 2022)",
        CONTRIB, "MaskablePPO", "MlpPolicy",
    ),
    "recurrent_ppo": Algorithm("PPO with an LSTM", CONTRIB, "RecurrentPPO", "MlpLstmPolicy"),
    "dqn": Algorithm("DQN (Mnih et al. 2015)", SB3, "DQN", "MlpPolicy"),
    "qr_dqn": Algorithm("QR-DQN (Dabney et al. 2018)", CONTRIB, "QRDQN", "MlpPolicy"),
    "frap": Algorithm(
        "PPO in which phases compete, after FRAP and MPLight (Zheng et al. 2019, Chen et al. 2020)",
        SB3, "PPO", "UniversalPolicy",
    ),
    "attention": Algorithm(
        "PPO that reads a graph of lanes, phases and neighbours by attention",
        SB3, "PPO", "UniversalPolicy",
    ),
}  # fmt: skip


READS = {"phase_competition": "phases", "lane_attention": "lanes"}  # observation of an encoder


def find(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in ALGORITHMS:
        msg = f"algorithm {name!r} is unknown; {suggestion(name, list(ALGORITHMS))}"
        raise InputError(msg)
    return ALGORITHMS[name]


def settings(name: str, scene: str = "", file: Path | None = None) -> dict[str, Any]:
    """Hyperparameters of an algorithm: `rows`, `normalise`, `copies`, `model` and `policy`.

    Parameters
    ----------
    scene
        Its own entry, `Twin/SignalControl-v0/SCENE`, goes before the environment's.
    file
        Read instead of the ones that travel with the project.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks the algorithm.
    """
    find(name)
    path = file or FILE
    try:
        known = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path}: cannot be read as YAML ({str(error).splitlines()[0]})"
        raise InputError(msg) from None
    usual = _entry(known, ENVIRONMENT, name)
    own = _entry(known, f"{ENVIRONMENT}/{scene}", name)
    if usual is None and own is None:
        msg = f"{path}: no settings of {name} under {ENVIRONMENT}; add them"
        raise InputError(msg)
    found: dict[str, Any] = {
        "rows": {},
        "normalise": False,
        "copies": 16,
        "model": {},
        "policy": {},
    }
    for given in (usual or {}, own or {}):
        for part, value in given.items():
            if part not in found:
                msg = f"{path}: {name}: {part!r} is unknown; {suggestion(part, list(found))}"
                raise InputError(msg)
            if isinstance(found[part], dict):
                found[part].update(deepcopy(value))
            else:
                found[part] = value
    return found


def _entry(known: Any, environment: str, name: str) -> dict[str, Any] | None:
    found = known.get(environment) if isinstance(known, dict) else None
    entry = found.get(name) if isinstance(found, dict) else None
    return entry if isinstance(entry, dict) else None


def new_model(
    name: str, rows: JunctionRows, given: dict[str, Any], seed: int, logs: Path | None = None
) -> Any:
    """A model of SB3 that has learned nothing.

    Parameters
    ----------
    given
        As `settings` gives them.
    logs
        Folder for TensorBoard.

    Raises
    ------
    InputError
        Where SB3 refuses the settings.
    """
    algorithm = find(name)
    policy = policy_settings(name, given["policy"], rows.n_junctions)
    model = dict(given["model"])
    rate = model.get("learning_rate")
    if isinstance(rate, str) and rate.startswith("lin_"):
        from stable_baselines3.common.utils import LinearSchedule

        model["learning_rate"] = LinearSchedule(float(rate[4:]), 0.0, 1.0)
    if "n_steps" in model:
        whole = model["n_steps"] * rows.num_envs
        parts = range(max(1, whole // model.get("batch_size", 64)), whole + 1)
        model["batch_size"] = whole // next(n for n in parts if whole % n == 0)
    try:
        return algorithm.model_class()(
            algorithm.policy_class(),
            rows,
            seed=seed,
            device="cpu",
            policy_kwargs=policy,
            tensorboard_log=None if logs is None else str(logs),
            **model,
        )
    except (TypeError, ValueError, AssertionError) as error:
        msg = f"settings of {name}: {str(error).splitlines()[0]}; see agents/hyperparameters.yaml"
        raise InputError(msg) from None


def check_rows(policy: dict[str, Any], action: str, observation: str) -> None:
    """Refuse actions and observations that an agent's network is not made for.

    Parameters
    ----------
    policy
        Arguments of the network.

    Raises
    ------
    InputError
        With what would do.
    """
    encoder = policy.get("encoder", "")
    allowed = ("phase",) if encoder else ("phase", "switch")
    if action not in allowed:
        msg = f"action {action!r} is not for this algorithm: use {' or '.join(allowed)}"
        raise InputError(msg)
    wanted = READS.get(encoder, observation)
    if observation != wanted:
        msg = f"observation {observation!r} is not what {encoder} reads: use {wanted!r}"
        raise InputError(msg)


def policy_settings(name: str, given: dict[str, Any], junctions: int) -> dict[str, Any]:
    """Arguments of the policy's class."""
    return {**given, "junctions": junctions} if find(name).numbered else dict(given)
