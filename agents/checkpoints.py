"""Checkpoints of trainings: all that is needed to go on as if nothing had happened.

The model with its optimizer and replay buffer, the simulations in mid-episode, and the states of
all random generators.  A new checkpoint takes the place of the old one in one step, so that a
training that is killed at any time has a whole one.
"""

from __future__ import annotations

import json
import pickle
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.agent_file import BROKEN, reason_of
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from envs.junction_rows import JunctionRows

FOLDER, ABOUT, MODEL, BUFFER, REST = (
    "checkpoint", "checkpoint.json", "model.zip", "replay.pkl", "rest.pkl",
)  # fmt: skip
LSTM = "_last_lstm_states"  # what a recurrent policy remembers; SB3 begins anew without
# Pickles name modules, classes and their attributes.
_BROKEN = (*BROKEN, LookupError, AttributeError, ImportError)


def _broken(place: Path, error: Exception) -> InputError:
    return InputError(f"{place} is broken ({reason_of(error)}): remove it to begin anew")


@dataclass(frozen=True)
class Kept:
    """A checkpoint that was read."""

    folder: Path
    rows: JunctionRows
    state: dict[str, Any]
    random: dict[str, Any]
    memory: Any


def write(
    folder: Path, identity: dict[str, Any], model: Any, rows: JunctionRows, state: dict[str, Any]
) -> None:
    """Write a checkpoint into a training's folder.

    Parameters
    ----------
    identity
        What the training is; only the same may go on from it.
    state
        Of the training, to be given back.

    Raises
    ------
    OutputError
        Where it cannot be written; the last one stays.
    """
    import torch

    place, part, old = folder / FOLDER, folder / f".{FOLDER}.part", folder / f".{FOLDER}.old"
    rest = {
        "rows": rows,
        "memory": getattr(model, LSTM, None),
        "random": {
            "torch": torch.get_rng_state(),
            "numpy": np.random.get_state(),  # noqa: NPY002 - what SB3 draws from
            "python": random.getstate(),
            "actions": model.action_space,
        },
    }
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        model.save(part / MODEL, exclude=["tensorboard_log"])
        if getattr(model, "replay_buffer", None) is not None:
            model.save_replay_buffer(part / BUFFER)
        with (part / REST).open("wb") as file:
            pickle.dump(rest, file)
        about = {"identity": identity, "state": state}
        (part / ABOUT).write_text(json.dumps(about, indent=1, default=str), encoding="utf-8")
        if place.exists():
            place.rename(old)
        part.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        msg = f"cannot write {place}: {error.strerror or error}; free space, then train on"
        raise OutputError(msg) from None


def read(folder: Path, identity: dict[str, Any]) -> Kept | None:
    """The checkpoint in a folder, None where there is none.

    Raises
    ------
    InputError
        If it is of another training, or broken.
    """
    place = folder / FOLDER
    old = folder / f".{FOLDER}.old"
    if not place.exists() and old.exists():
        old.rename(place)  # killed between the two renames
    if not place.exists():
        return None
    try:
        about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps(identity, default=str))
        differs = [k for k in wanted if about["identity"].get(k) != wanted[k]]
        if differs:
            k = differs[0]
            msg = (
                f"{folder} has a training with {k} {about['identity'].get(k)}, not {wanted[k]}: "
                "name another folder"
            )
            raise InputError(msg)
        with (place / REST).open("rb") as file:
            rest = pickle.load(file)  # noqa: S301 - written above by the same training
        return Kept(place, rest["rows"], about["state"], rest["random"], rest["memory"])
    except _BROKEN as error:
        raise _broken(place, error) from None


def resume(kept: Kept, model_class: Any) -> Any:
    """The model of a checkpoint, ready to learn on, and the random generators as they were.

    Raises
    ------
    InputError
        If it is broken.
    """
    import torch

    try:
        model = model_class.load(
            kept.folder / MODEL, env=kept.rows, device="cpu", force_reset=False
        )
        if (kept.folder / BUFFER).exists():
            model.load_replay_buffer(kept.folder / BUFFER)
    except _BROKEN as error:
        raise _broken(kept.folder, error) from None
    model.tensorboard_log = str(kept.folder.parent / "logs")
    if kept.memory is not None:
        setattr(model, LSTM, kept.memory)
    kept.rows._reset_seeds()
    torch.set_rng_state(kept.random["torch"])
    np.random.set_state(kept.random["numpy"])  # noqa: NPY002 - what SB3 draws from
    random.setstate(kept.random["python"])
    model.action_space = kept.random["actions"]
    return model
