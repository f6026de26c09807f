"""Find streets by what a planner calls them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twin.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

    from twin.city.model import City


def find_streets(city: City, reference: str) -> npt.NDArray[np.int32]:
    """Positions of the streets with this id, OSM id, or name (then all its sections).

    "Name (id)" takes the sections of that name with that id or OSM id.

    Raises
    ------
    ScenarioError
        Where there is none; the message names the nearest names.
    """
    table = city.streets
    found = _matches(table, reference)
    within = re.fullmatch(r"(.+) \((.+)\)", reference)
    if not len(found) and within is not None:
        found = np.intersect1d(_matches(table, within[1]), _matches(table, within[2]))
    if len(found):
        return found.astype(np.int32)
    names = sorted(set(table["name"]) - {""})
    near = difflib.get_close_matches(reference, [*names, *table["id"]], n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "name, street id and OSM id are tried"
    msg = f"street {reference!r} is not in the city {city.name}: {hint}"
    raise ScenarioError(msg)


def _matches(table: pd.DataFrame, reference: str) -> npt.NDArray[np.int64]:
    for match in (
        table["id"] == reference,
        table["osm_id"].str.split(";").map(lambda ids: reference in ids),
        table["name"].str.casefold() == reference.casefold(),
    ):
        found = np.flatnonzero(match.to_numpy() & (reference != ""))
        if len(found):
            return found
    return np.zeros(0, np.int64)
