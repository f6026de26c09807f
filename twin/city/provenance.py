"""Where a city's data come from: file hashes, licences, versions."""

from __future__ import annotations

import hashlib
from importlib import metadata
from typing import TYPE_CHECKING

from twin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

OSM_LICENCE = "ODbL 1.0"
OSM_LICENCE_URL = "https://opendatacommons.org/licenses/odbl/1-0/"
OSM_ATTRIBUTION = "© OpenStreetMap contributors"


def check_file(path: Path) -> None:
    """Refuse a path that is no readable file with something in it.

    Raises
    ------
    InputError
        If the file is missing, a folder, or empty.
    """
    if path.is_dir():
        msg = f"{path}: is a folder; name the file in it."
        raise InputError(msg)
    if not path.exists():
        msg = f"{path}: no such file."
        raise InputError(msg)
    if not path.is_file():
        msg = f"{path}: is no regular file."
        raise InputError(msg)
    if path.stat().st_size == 0:
        msg = f"{path}: the file is empty; fetch it again."
        raise InputError(msg)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}."
        raise InputError(msg) from error


def versions(*distributions: str) -> dict[str, str]:
    """Return the installed versions of the given distributions, by name."""
    return {name: metadata.version(name) for name in distributions}
