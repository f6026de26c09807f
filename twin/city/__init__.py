"""The city model: tables from open geodata, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.city.model import City

__all__ = ["City"]


def __getattr__(name: str) -> object:
    """Import `City`, and with it GeoPandas, only when somebody asks for it."""
    if name == "City":
        from twin.city.model import City

        return City
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
