"""What is reported of road works."""

from __future__ import annotations

from twin.system import Indicator

INDICATORS = (
    Indicator("works_delay_h", "Delay caused by road works", "veh·h", "lower", 1, key=True),
    Indicator("works_lane_h", "Lanes taken by road works", "lane·h", "lower", 1),
    Indicator("works_wait_h", "Road works' wait for their crew", "h", "lower", 2),
)
