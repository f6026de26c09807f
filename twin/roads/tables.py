"""Tables and indicators of a maintenance programme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.roads.costs import AGENCY, CATEGORIES
from twin.roads.deterioration import german_grade
from twin.roads.treatments import OPTIONS, SHIFTS, TREATMENTS

if TYPE_CHECKING:
    import pandas as pd

    from twin.roads.programme import Programme


def programme_indicators(programme: Programme) -> dict[str, float]:
    """Indicators at the end of a programme."""
    from twin.roads.programme import standing

    state, last = programme.state, standing(programme.inventory, programme.state, 0)
    euros = dict(zip(CATEGORIES, state.euros[0, 0], strict=True))
    present = dict(zip(CATEGORIES, state.euros[0, 1], strict=True))
    works = [w for w in programme.works if w.outcome in ("under way", "done")]
    closed = last["reports_closed"]
    return {
        "roads_social_cost_meur": sum(present.values()) / 1e6,
        "roads_agency_meur": sum(euros[name] for name in AGENCY) / 1e6,
        "roads_works_meur": euros["works"] / 1e6,
        "roads_operating_meur": euros["operating"] / 1e6,
        "roads_delay_meur": euros["delay"] / 1e6,
        "roads_co2_meur": euros["co2"] / 1e6,
        "roads_backlog_meur": float(state.copy[0]["backlog"]) / 1e6,
        "roads_mean_pci": last["mean_pci"],
        "roads_bad_percent": last["bad_percent"],
        "roads_delay_h": last["delay_h"],
        "roads_sites": float(len(works)),
        "roads_found_worse": last["found_worse"],
        "roads_resident_days": last["resident_days"],
        "reports_wait_days": 7.0 * last["report_wait_weeks"] / closed if closed else 0.0,
        "reports_open": last["reports_open"],
        "reports_closed": closed,
    }


def programme_tables(programme: Programme) -> dict[str, pd.DataFrame]:
    """Tables road_sections, road_streets, road_works and road_years of a programme."""
    return {
        "road_sections": _sections(programme),
        "road_streets": _streets(programme),
        "road_works": _works(programme),
        "road_years": _years(programme),
    }


def _sections(programme: Programme) -> pd.DataFrame:
    """One row a section: what it is, its condition at begin and end, and what is believed."""
    import pandas as pd

    section, place = programme.state.section[0], programme.inventory.place
    known = programme.sections
    return pd.DataFrame(
        {
            "section": known["id"].to_numpy(),
            "street": known["street"].to_numpy(),
            "back": known["back"].to_numpy(),
            "name": known["name"].to_numpy(),
            "class": known["class"].to_numpy(),
            "length_m": known["length_m"].to_numpy(),
            "area_m2": known["area_m2"].to_numpy(),
            "age_years": place["age_years"],
            "ageing_factor": place["factor"],
            "pci_begin": programme.first_pci,
            "pci_end": section["pci"],
            "grade_begin": german_grade(programme.first_pci),
            "grade_end": german_grade(section["pci"]),
            "believed_begin": programme.first_seen,
            "believed_end": programme.seen()[:, 5],
            "reports": section["reports"],
        }
    )


def _streets(programme: Programme) -> pd.DataFrame:
    """One row a directed street: area-weighted condition, euros of works, year of the first.

    Euros of a pavement are shared by its directions; without works there is no year (NaN).
    """
    import pandas as pd

    known = programme.sections
    first_year = np.full(len(known), np.inf)
    euros = np.zeros(len(known))
    for work in programme.works:
        if work.outcome in ("under way", "done"):
            first_year[work.section] = min(first_year[work.section], 1 + work.asked // 52)
            euros[work.section] += work.price
    area = known["area_m2"].to_numpy()
    frame = pd.DataFrame(
        {
            "area": area,
            "begin": programme.first_pci * area,
            "end": programme.state.section[0]["pci"] * area,
            "works_eur": euros,
            "first": first_year,
        }
    )
    both, directions = [], 1.0 + (known["back"].to_numpy() >= 0)
    frame["works_eur"] /= directions
    for column in ("street", "back"):
        side = frame.assign(street=known[column].to_numpy())
        both.append(side[side["street"] >= 0])
    every = pd.concat(both).groupby("street")
    sums = every[["area", "begin", "end", "works_eur"]].sum()
    first = every["first"].min()
    return pd.DataFrame(
        {
            "street": sums.index.to_numpy(np.int32),
            "pci_begin": (sums["begin"] / sums["area"]).to_numpy(),
            "pci_end": (sums["end"] / sums["area"]).to_numpy(),
            "works_eur": sums["works_eur"].to_numpy(),
            "works_year": first.replace(np.inf, np.nan).to_numpy(),
        }
    )


def _works(programme: Programme) -> pd.DataFrame:
    """One row an order."""
    import pandas as pd

    known = programme.sections
    rows = [
        {
            "section": known["id"].iloc[w.section],
            "street": int(known["street"].iloc[w.section]),
            "name": known["name"].iloc[w.section],
            "week": w.asked,
            "year": 1 + w.asked // 52,
            "treatment": TREATMENTS[OPTIONS[w.option - 1][0]].name,
            "shift": SHIFTS[w.shift],
            "eur": w.price,
            "area_m2": float(known["area_m2"].iloc[w.section]),
            "days": max(0, w.end_day - w.begin_day),
            "outcome": w.outcome,
        }
        for w in programme.works
    ]
    columns = [
        "section", "street", "name", "week", "year", "treatment", "shift", "eur", "area_m2",
        "days", "outcome",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _years(programme: Programme) -> pd.DataFrame:
    """How the network stood at the turn of each year; sums since the start."""
    import pandas as pd

    frame = pd.DataFrame(programme.years)
    frame.insert(0, "year", np.arange(len(frame)))
    return frame
