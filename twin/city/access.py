"""Who may drive where: SUMO's lists of vehicle classes, read for cars, lorries and buses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.city.netxml import NetEdge

CARS = frozenset({"passenger"})
LORRIES = frozenset({"truck", "delivery"})
BUSES = frozenset({"bus"})

Permits = tuple[bool, bool, bool]
LanePermits = tuple[dict[str, str], Permits]


def is_street(edge: NetEdge) -> bool:
    """Return whether an edge is a street section that any motor vehicle may use."""
    if edge.attributes.get("function", "normal") not in {"normal", "connector"}:
        return False
    return any(any(permits) for _, permits in lane_permits(edge))


def lane_permits(edge: NetEdge) -> list[LanePermits]:
    """Return each lane with whether cars, lorries and buses may use it."""
    whole = edge.attributes
    out = []
    for lane in edge.lanes:
        own = lane if "allow" in lane or "disallow" in lane else whole
        out.append((lane, permits(own.get("allow"), own.get("disallow"))))
    return out


def permits(allow: str | None, disallow: str | None) -> Permits:
    """Return whether cars, lorries and buses are let in by SUMO's two lists."""
    if allow:
        allowed = set(allow.split())
        if "all" in allowed:
            return True, True, True
        return bool(allowed & CARS), bool(allowed & LORRIES), bool(allowed & BUSES)
    banned = set((disallow or "").split())
    if "all" in banned:
        return False, False, False
    return not banned >= CARS, not banned >= LORRIES, not banned >= BUSES
