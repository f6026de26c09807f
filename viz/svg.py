"""A few lines to write SVG: every text and attribute is escaped here, once."""

from __future__ import annotations

from html import escape

NAMESPACE = "http://www.w3.org/2000/svg"


def tag(name: str, *content: str, text: str = "", **attributes: str | float | int) -> str:
    """Return an element.

    Parameters
    ----------
    name
        Of the element.
    content
        Elements within, already written by `tag`.
    text
        Words within, escaped.
    attributes
        By name; an underscore stands for a hyphen, one at the end is dropped.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{value(v)}"' for key, v in attributes.items()
    )
    inner = clean(text) + "".join(content)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def value(given: str | float) -> str:
    """Return an attribute's value: short numbers, escaped words."""
    if isinstance(given, str):
        return clean(given)
    return f"{given:.2f}".rstrip("0").rstrip(".") if isinstance(given, float) else str(given)


def clean(text: str) -> str:
    """Return words that XML may hold: escaped, without control characters."""
    kept = "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff"
                   and c not in "\ufffe\uffff"))  # fmt: skip
    return escape(kept, quote=True)


def document(width: float, height: float, *content: str, label: str, **attributes: str) -> str:
    """Return a picture that scales with the page; `label` tells it to screen readers."""
    return tag(
        "svg",
        tag("title", text=label),
        *content,
        xmlns=NAMESPACE,
        viewBox=f"0 0 {value(width)} {value(height)}",
        role="img",
        **attributes,
    )
