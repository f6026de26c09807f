"""Notes of looks beside a run: how many pairs each comparison saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scenarios.runs import write_text
from scenarios.sequential import Look
from twin.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "looks.json"
FORMAT = "stadtzwilling-looks"


def look_at(folder: Path, base: str, n: int, planned: int) -> tuple[list[Look], str]:
    """Note a look at n pairs of a run with a base, and return all looks at fewer, then this one.

    A look that was noted before is the same look, with the pairs that were planned then: who
    looks again at the same replications sees the same.

    Parameters
    ----------
    folder
        Of the run.
    base
        What tells the base from others.
    n, planned
        Pairs that are there, and that shall be there in the end.

    Returns
    -------
    tuple
        The looks by rising n, and a line where notes could not be read or kept, else "".
    """
    path = folder / FILE
    data, line = _read(path)
    seen = {look.n: look for look in data.get(base, [])}
    if n not in seen:
        seen[n] = Look(n, max(n, planned))
        data[base] = sorted(seen.values())
        kept = {key: [[look.n, look.planned] for look in looks] for key, looks in data.items()}
        try:
            write_text(path, json.dumps({"format": FORMAT, "looks": kept}, indent=1) + "\n")
        except OutputError as error:
            line = f"this look could not be noted, so a later one will not count it: {error}"
    return [look for look in sorted(seen.values()) if look.n <= n], line


def _read(path: Path) -> tuple[dict[str, list[Look]], str]:
    try:
        value = json.loads(path.read_bytes())
        return {str(k): [_look(pair) for pair in v] for k, v in value["looks"].items()}, ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, f"{path}: cannot be read, so earlier looks at this run do not count"


def _look(pair: Any) -> Look:
    n, planned = pair
    if not (isinstance(n, int) and isinstance(planned, int) and 2 <= n <= planned):
        msg = f"no look: {pair!r}"
        raise ValueError(msg)
    return Look(n, planned)
