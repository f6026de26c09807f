"""Find streets by what a planner calls them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import ScenarioError

if TYPE_CHECKING:
    from twin.city.model import City


def find_streets(city: City, reference: str) -> npt.NDArray[np.int32]:
    """Positions of the streets with this id, OSM id, or name (then all its sections).

    Raises
    ------
    ScenarioError
        Where there is none; the message names the nearest names.
    """
    table = city.streets
    for match in (
        table["id"] == reference,
        table["osm_id"].str.split(";").map(lambda ids: reference in ids),
        table["name"].str.casefold() == reference.casefold(),
    ):
        found = np.flatnonzero(match.to_numpy() & (reference != ""))
        if len(found):
            return found.astype(np.int32)
    names = sorted(set(table["name"]) - {""})
    near = difflib.get_close_matches(reference, [*names, *table["id"]], n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "name, street id and OSM id are tried"
    msg = f"street {reference!r} is not in the city {city.name}: {hint}"
    raise ScenarioError(msg)
