"""Scenarios that councils ask for, to run as they are or to begin with."""

from __future__ import annotations

from pathlib import Path

from twin.errors import ScenarioError
from twin.suggest import suggestion

FOLDER = Path(__file__).parent


def known() -> list[Path]:
    """Return the files of the library, by name."""
    return sorted(FOLDER.glob("*.yaml"))


def find_scenario(reference: str) -> Path:
    """Return the file that a reference means: a file, or a name of the library.

    Raises
    ------
    ScenarioError
        If there is neither; the message names the nearest.
    """
    path = Path(reference)
    if path.exists() or path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    names = [p.stem for p in known()]
    wanted = reference.replace("-", "_")
    if wanted in names:
        return FOLDER / f"{wanted}.yaml"
    msg = (
        f"scenario {reference!r}: no such file, and none of the library is called so; "
        f"{suggestion(wanted, names)}"
    )
    raise ScenarioError(msg)
