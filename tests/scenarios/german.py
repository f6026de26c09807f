"""English that a German report still shows."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from scenarios.report_words import texts_of
from twin.system import indicators, layers, systems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ATTRIBUTES = r'(?:aria-label|alt|data-l|data-n|data-unit|data-none|data-nameless)="([^"]*)"'
COMMON = re.compile(
    r"\b(the|of|and|are|is|with|by|to|on|from|for|no|than|more|less|its|that|which|each|every|"
    r"year|years|trip|trips|street|streets|road|roads|works|own|as)\b"
)


def visible(page: str) -> list[str]:
    """All that a page shows, piece by piece, but not its code, files and attributions."""
    for unseen in ("style", "script", "code", "pre", "figcaption", "footer"):
        page = re.sub(rf"<{unseen}\b.*?</{unseen}>", "\n", page, flags=re.DOTALL)
    said = [*re.sub(r"<[^>]+>", "\n", page).splitlines(), *re.findall(ATTRIBUTES, page)]
    pieces = (html.unescape(piece).strip() for piece in said)
    return [p for p in dict.fromkeys(pieces) if p]


def _leaves(texts: Any) -> Iterator[str]:
    """Every text of a section, not its key."""
    if isinstance(texts, str):
        yield texts
    else:
        for part in texts.values() if isinstance(texts, dict) else texts:
            yield from _leaves(part)


def english_texts() -> set[str]:
    """What the report, the registry and the assumptions say in English and otherwise in German."""
    known = systems().values()
    named = [i.title for i in indicators().values()] + [k.title for k in layers().values()]
    named += [f.title for s in known for f in (*s.courses, *s.tradeoffs)]
    named += [t for s in known for name, _, _, source in s.assumptions() for t in (name, source)]
    parts = [p.strip(' .:;,()"“”') for t in _leaves(texts_of("en")) for p in re.split("{.*?}", t)]
    german = "\n".join(_leaves(texts_of("de")))
    return {
        t
        for t in (*named, *parts)
        if len(t) > 3 and not re.search(rf"(?<!\w){re.escape(t)}(?!\w)", german)
    }


def english_left(page: str, names: Iterable[str]) -> list[str]:
    """Pieces of a German report that are English, once names that a planner gave are left out."""
    english, found = english_texts(), []
    long = re.compile(
        "|".join(rf"(?<!\w){re.escape(t)}(?!\w)" for t in sorted(english) if " " in t)
    )
    for shown in visible(page):
        piece = shown
        for name in sorted(names, key=len, reverse=True):
            piece = piece.replace(name, "")
        piece = re.sub(
            r"time-to-teleport|\w+ = \S+|Spalten? \w+(, \w+)*|\w+\.(parquet|csv)|„|“", "", piece
        )
        if piece.strip(" .:;") in english or long.search(piece) or COMMON.search(piece):
            found.append(shown)
    return found
