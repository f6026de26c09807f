"""Folders of runs: what is in them, whose they are, and which replications are complete."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scenarios.schema import BASE
from twin.errors import InputError, OutputError

MANIFEST = "manifest.json"
SCENARIO = "scenario.yaml"
CITY = "city"
ZONES = "zones.parquet"
FORMAT = "stadtzwilling-run"
FORMAT_VERSION = 1
_MANIFEST_LIMIT = 16 * 2**20


@dataclass(frozen=True)
class RunInfo:
    """A run: all replications of the base or of one alternative.

    Parameters
    ----------
    name, title
        Short name, and what the report calls it.
    folder
        Where it lies.
    manifest
        What `manifest.json` says.
    """

    name: str
    title: str
    folder: Path
    manifest: Mapping[str, Any]

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the replications that were complete when this was first asked."""
        return tuple(sorted(complete_seeds(self.folder)))

    @property
    def city_folder(self) -> Path:
        """Folder of the city that it ran in."""
        return self.folder.parent / CITY

    def replication(self, seed: int) -> Path:
        """Return the folder of a replication."""
        return self.folder / seed_folder(seed)


def seed_folder(seed: int) -> str:
    """Return the name of a replication's folder.

    Examples
    --------
    >>> seed_folder(7)
    'seed-0007'
    """
    return f"seed-{seed:04d}"


def complete_seeds(folder: Path) -> set[int]:
    """Return the seeds of the replications in a run's folder; they appear only when complete."""
    found = set()
    for path in folder.glob("seed-*/indicators.parquet"):
        number = path.parent.name.removeprefix("seed-")
        if number.isdigit():
            found.add(int(number))
    return found


def open_run(folder: Path) -> RunInfo:
    """Return the run of a folder.

    Raises
    ------
    InputError
        If the folder is no run or its manifest is damaged.
    """
    manifest = _read_manifest(folder)
    if manifest.get("format") != FORMAT:
        msg = f"{folder / MANIFEST}: is of something else than a run; name a folder of 'twin run'"
        raise InputError(msg)
    if manifest.get("format_version") != FORMAT_VERSION:
        msg = (
            f"{folder / MANIFEST}: format version {manifest.get('format_version')!r} cannot be "
            f"read here, only {FORMAT_VERSION}; run the scenario again in another folder"
        )
        raise InputError(msg)
    kinds = {"name": str, "title": str, "inputs": dict, "city": dict, "period": dict}
    for key, kind in kinds.items():
        if not isinstance(manifest.get(key), kind):
            msg = f"{folder / MANIFEST}: {key!r} is missing or damaged; run the scenario again"
            raise InputError(msg)
    return RunInfo(manifest["name"], manifest["title"], folder, manifest)


def keeper(scenario: Path) -> Mapping[str, Any]:
    """Return the manifest of the run that keeps this scenario file; empty where none does.

    Its "files" say where the copies lie, seen from the folder of all runs, of the files that the
    scenario names: {name in the scenario: copy}.

    Raises
    ------
    InputError
        If the manifest is damaged.
    """
    if scenario.name != SCENARIO or not (scenario.parent / MANIFEST).is_file():
        return {}
    manifest = _read_manifest(scenario.parent)
    return manifest if manifest.get("format") == FORMAT else {}


def open_runs(folder: Path) -> list[RunInfo]:
    """Return the runs of a folder: that run, or the base and the alternatives in it.

    Raises
    ------
    InputError
        If the folder is neither a run nor a folder with a base.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; name what 'twin run ... -o FOLDER' wrote"
        raise InputError(msg)
    if (folder / MANIFEST).is_file():
        return [open_run(folder)]
    if not (folder / BASE / MANIFEST).is_file():
        msg = (
            f"{folder}: holds no run (no {MANIFEST}, no {BASE}/{MANIFEST}); name one of 'twin run'"
        )
        raise InputError(msg)
    base = open_run(folder / BASE)
    rest = sorted(p.parent for p in folder.glob(f"*/{MANIFEST}") if p.parent.name != BASE)
    runs = [open_run(path) for path in rest]
    return [base, *sorted(runs, key=lambda run: (run.manifest.get("position", 0), run.name))]


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a run's manifest, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_text(folder / MANIFEST, text)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all, with the folders above it.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        msg = f"{path}: cannot be written, {error.strerror or error}; free space or name another"
        raise OutputError(msg) from None


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def claim_run(folder: Path, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the manifest of an earlier start of the same run, None if there is none.

    Raises
    ------
    OutputError
        If the folder holds something else, or a run of other inputs.
    """
    if not folder.exists():
        return None
    if not (folder / MANIFEST).is_file():
        if any(not p.name.startswith(".") for p in folder.iterdir()):
            msg = f"{folder}: exists and holds no run; name another folder with -o"
            raise OutputError(msg)
        return None
    try:
        manifest = open_run(folder).manifest
    except InputError as error:
        raise OutputError(str(error)) from None
    if digest_of(manifest["inputs"]) != digest_of(dict(inputs)):
        before = manifest["inputs"]
        keys = [k for k in {**before, **inputs} if before.get(k) != inputs.get(k)]
        msg = (
            f"{folder}: holds a run of other inputs ({', '.join(keys)} differ); "
            "name another folder with -o, or delete this one"
        )
        raise OutputError(msg)
    return manifest


def check_folder(folder: Path) -> None:
    """Refuse a folder that is in use for something else than runs.

    Raises
    ------
    OutputError
        If it is a file, or holds files but no run and no city.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; name a folder with -o"
        raise OutputError(msg)
    if not folder.is_dir():
        return
    names = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
    if names and not names <= {CITY, "agents"} and not (folder / BASE / MANIFEST).is_file():
        msg = f"{folder}: holds other files ({sorted(names)[0]}) and no run; name an empty folder"
        raise OutputError(msg)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second process from working in the same folder at the same time.

    Raises
    ------
    OutputError
        If another process is at work there, or the folder cannot be made.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        msg = f"{folder}: cannot be written, {error.strerror or error}; name another folder with -o"
        raise OutputError(msg) from None
    try:
        if sys.platform != "win32":
            _flock(handle, folder)
        yield
    finally:
        os.close(handle)


def _flock(handle: int, folder: Path) -> None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        msg = f"{folder}: another run is at work in this folder; wait for it or name another"
        raise OutputError(msg) from None
    except OSError:  # a file system without locks
        return


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_MANIFEST_LIMIT))
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; name a folder of 'twin run'"
        raise InputError(msg) from None
    except (ValueError, RecursionError):
        msg = f"{path}: is no valid JSON; it was cut off or changed, run the scenario again"
        raise InputError(msg) from None
    if not isinstance(value, dict):
        msg = f"{path}: holds no JSON object; run the scenario again"
        raise InputError(msg)
    return value
