"""Help with what was written wrongly."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(written: str, known: Iterable[str]) -> str:
    """Return "did you mean ...?" with the nearest name, or the names that are known."""
    names = list(known)
    near = difflib.get_close_matches(written, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {listed}"
