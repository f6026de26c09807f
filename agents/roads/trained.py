"""Trained scoring policies: their files, which hold numbers and text alone, and how they plan."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from agents.roads.scorer import LogitShape, Shape, ordered, scores
from envs.roads import features
from envs.roads.runs import savings_for_a_euro
from twin.errors import InputError, OutputError
from twin.roads.state import F4, F8, I8, Inventory, Records
from twin.roads.values import cheapest_options
from twin.roads.view import View

KIND = "stadtzwilling-road-agent"
VERSION = 1
LARGEST_BYTES = 4 * 2**20


def save_agent(
    path: Path,
    weights: F8,
    training: dict[str, Any],
    hidden: int | list[int],
    weeks: int,
) -> None:
    """Write an agent's file, whole or not at all.

    Parameters
    ----------
    hidden
        Units of the scoring network, or of both layers of one with logits.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    about = {
        "kind": KIND, "version": VERSION, "hidden": hidden, "weeks": weeks,
        "features": list(features.NAMES), "training": training,
    }  # fmt: skip
    array = io.BytesIO()
    np.save(array, np.asarray(weights, np.float32), allow_pickle=False)
    part = path.with_name(f".{path.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("agent.json", json.dumps(about, indent=1, ensure_ascii=False))
            archive.writestr("weights.npy", array.getvalue())
        part.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written, {error.strerror or error}; name another folder"
        raise OutputError(msg) from None


def load_agent(path: Path) -> tuple[dict[str, Any], F8]:
    """Read an agent's file; nothing in it is run.

    Raises
    ------
    InputError
        If it is none, or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename: i.file_size for i in archive.infolist()}
            if (
                members.get("agent.json", LARGEST_BYTES) + members.get("weights.npy", 0)
                > LARGEST_BYTES
            ):
                raise KeyError("agent.json")  # noqa: EM101
            about = json.loads(archive.read("agent.json"))
            weights = np.load(io.BytesIO(archive.read("weights.npy")), allow_pickle=False)
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}"
        raise InputError(msg) from None
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError):
        msg = f"{path}: holds no agent for roads; give a file that 'twin train roads:...' wrote"
        raise InputError(msg) from None
    if not isinstance(about, dict) or about.get("kind") != KIND or about.get("version") != VERSION:
        msg = f"{path}: holds no agent for roads of version {VERSION}; train it again"
        raise InputError(msg)
    shape = _shape(about.get("hidden"))
    if list(features.NAMES) != about.get("features") or weights.shape != (shape.size,):
        msg = f"{path}: sees other features than this version; train it again"
        raise InputError(msg)
    if not np.isfinite(weights).all():
        msg = f"{path}: has weights that are no numbers; train it again"
        raise InputError(msg)
    return about, weights.astype(float)


def _shape(hidden: Any) -> Shape | LogitShape:
    """The network that an agent's file says it has."""
    if isinstance(hidden, list) and len(hidden) == 2:
        return LogitShape((int(hidden[0]), int(hidden[1])))
    return Shape(int(hidden) if isinstance(hidden, int) else 0)


class TrainedPlanner:
    """A trained policy: scores, or chances of each option (logits).

    What chances ask for is drawn, as in training, by numbers that depend on nothing but what is
    seen, so that the same view gets the same answer.

    Parameters
    ----------
    about
        What an agent's file says: weeks between decisions, and `hidden` of the network.
    weights
        Of the network.
    """

    def __init__(self, about: dict[str, Any], weights: F8) -> None:
        self.about = about
        self.weeks = int(about["weeks"])
        self._shape, self._weights = _shape(about["hidden"]), weights
        self._known: tuple[bytes, F4, I8] | None = None

    @classmethod
    def load(cls, file: Path) -> TrainedPlanner:
        """The policy of an agent's file (`load_agent`)."""
        return cls(*load_agent(file))

    def plan(self, view: View) -> tuple[I8, I8]:
        """Ask for what scores above zero, the greatest first; by chances, the worst first."""
        savings, options = self._prepared(view.inventory, view.rules)
        rows = rows_of(view, savings)
        if isinstance(self._shape, LogitShape):
            logits = np.where(view.allowed == 1, self._shape.logits(self._weights, rows), -np.inf)
            drawn = np.random.default_rng(zlib.crc32(view.seen.tobytes())).gumbel(size=logits.shape)
            asked = np.argmax(logits + drawn, axis=1)
            order = np.argsort(view.seen[:, 5], kind="stable")
            order = order[asked[order] > 0]
            return order, asked[order]
        allowed = np.take_along_axis(view.allowed, options, axis=1)
        return ordered(scores(self._shape.split(self._weights), rows), options, allowed)

    def _prepared(self, inventory: Inventory, rules: Records) -> tuple[F4, I8]:
        """Savings and options of a network, computed once."""
        mark = rules.tobytes() + inventory.choice.tobytes()
        if self._known is None or self._known[0] != mark:
            savings = savings_for_a_euro(inventory, rules, self.weeks)
            self._known = (mark, savings, cheapest_options(inventory, rules)[0])
        return self._known[1], self._known[2]


def rows_of(view: View, savings: F4) -> F4:
    """[n, SIZE] what `envs.roads.features.observe` writes, from a view."""
    rule = view.rules[0]
    rows = features.fixed_rows(view.inventory, view.rules)
    rows[:, :5] = view.seen[:, :5]
    rows[:, 5], rows[:, 6] = view.seen[:, 5] / 100.0, view.seen[:, 6] / 25.0
    rows[:, 15] = view.moratorium / 156.0
    rows[:, 16] = np.where(view.treated >= 0, np.minimum(2.0, view.treated / 520.0), 2.0)
    rows[:, 17] = np.where(view.passed >= 0, np.minimum(2.0, view.passed / 104.0), 2.0)
    rows[:, 18] = view.ordered
    rows[:, 19] = np.minimum(features.HIGH, view.reported / 5.0)
    angle = 2.0 * np.pi * view.week_of_year / 52.0
    rows[:, 20], rows[:, 21] = np.sin(angle), np.cos(angle)
    rows[:, 22] = (int(rule["weeks"]) - view.week) / 520.0
    rows[:, 23] = min(features.HIGH, view.budget / features.usual_budget(view.inventory))
    whole = len(savings) - 1
    steps = (int(rule["weeks"]) - view.week) * whole // int(rule["weeks"])
    saved = np.einsum("nj,njk->nk", view.cells, savings[steps])
    rows[:, 25:] = np.clip(saved, features.LOW, features.HIGH)
    return rows
