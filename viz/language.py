"""The language in which numbers and words of figures are written, as a context.

>>> with language("de"):
...     current()
'de'
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, get_args

from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
GERMAN = {
    "share of trips [%]": "Anteil der Fahrten [%]",
    "no values": "keine Werte",
    "median": "Median",
    "time of day": "Uhrzeit",
    "Distribution": "Verteilung",
    "drives": "fährt",
    "stands": "steht",
    "measure here": "Maßnahme hier",
    "closed": "gesperrt",
    "change: {layer}": "Änderung: {layer}",
    "{cut} of {trips} trips find no way: no colour shows their delay": "{cut} von {trips} Fahrten "
    "finden keinen Weg: ihre Wartezeit zeigt keine Farbe",
    "vehicles drawn {n} times larger": "Fahrzeuge {n}-fach vergrößert",
    "vehicles drawn larger from afar": "Fahrzeuge von fern vergrößert",
    "in mid-picture": "in der Bildmitte",
    "Source: {file}": "Quelle: {file}",
}
_CURRENT: ContextVar[Language] = ContextVar("language", default="en")


def current() -> Language:
    """Return the language that holds."""
    return _CURRENT.get()


@contextmanager
def language(code: str) -> Iterator[None]:
    """Let a language hold for what is written within.

    Raises
    ------
    InputError
        If there is no such language.
    """
    known = next((k for k in LANGUAGES if k == code), None)
    if known is None:
        msg = f"language {code!r} is unknown; choose one of {', '.join(LANGUAGES)}"
        raise InputError(msg)
    token = _CURRENT.set(known)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def word(english: str) -> str:
    """Return a word of the figures in the language that holds."""
    return GERMAN[english] if current() == "de" else english
