"""Trips of a city's day, from its buildings, its gates and a table of assumptions."""

from __future__ import annotations

from twin.traffic.demand.assumptions import DEFAULT, Assumption, Assumptions
from twin.traffic.demand.generate import Demand

__all__ = ["DEFAULT", "Assumption", "Assumptions", "Demand"]
