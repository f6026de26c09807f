"""What is reported of roads: works of a day, and the upkeep of years."""

from __future__ import annotations

from twin.system import Course, Indicator, Layer, Tradeoff

INDICATORS = (
    Indicator("works_delay_h", "Delay caused by road works", "veh·h", "lower", 1, key=True),
    Indicator("works_lane_h", "Lanes taken by road works", "lane·h", "lower", 1),
    Indicator("works_wait_h", "Road works' wait for their crew", "h", "lower", 2),
)
UPKEEP = (
    Indicator(
        "roads_social_cost_meur", "Social cost of the roads, discounted", "M€", "lower", 2, key=True
    ),
    Indicator("roads_agency_meur", "What the city pays for its roads", "M€", "lower", 2, key=True),
    Indicator("roads_works_meur", "Works on pavements", "M€", "neither", 2),
    Indicator("roads_operating_meur", "Vehicle operating cost by condition", "M€", "lower", 2),
    Indicator("roads_delay_meur", "Cost of delay by works", "M€", "lower", 2),
    Indicator("roads_co2_meur", "Cost of CO₂ of works and detours", "M€", "lower", 2),
    Indicator("roads_backlog_meur", "Backlog of repairs at the end", "M€", "lower", 2, key=True),
    Indicator("roads_mean_pci", "Mean condition at the end", "PCI", "higher", 1, key=True),
    Indicator("roads_bad_percent", "Roads in bad condition at the end", "%", "lower", 1, key=True),
    Indicator("roads_delay_h", "Delay by works of the programme", "veh·h", "lower", 0),
    Indicator("roads_sites", "Sections treated", "1", "neither", 0),
    Indicator("roads_found_worse", "Orders that found the street worse", "1", "lower", 1),
    Indicator("roads_resident_days", "Residents affected by works", "person·days", "lower", 0),
    Indicator("reports_wait_days", "Citizens' reports: time to close", "days", "lower", 1),
    Indicator("reports_open", "Citizens' reports open at the end", "1", "lower", 0),
    Indicator("reports_closed", "Citizens' reports closed", "1", "neither", 0),
    Indicator("rows_refused", "Rows of files refused", "1", "lower", 0),
    Indicator("plan_left", "Works of the plan not begun", "1", "lower", 0),
)
LAYERS = (
    Layer("pci_begin", "Condition now", "PCI", "road_streets", "pci_begin", "higher", "base"),
    Layer("pci_end", "Condition at the end", "PCI", "road_streets", "pci_end", "higher", "each"),
    Layer("works_eur", "Works on pavements", "€", "road_streets", "works_eur", "neither", "each"),
    Layer("works_year", "Year of the first works", "year", "road_streets", "works_year", "neither",
          "each"),
)  # fmt: skip
COURSES = (
    Course("Roads in bad condition", "road_years", "year", "bad_percent", "years",
           "share of the area, %"),
    Course("Mean condition", "road_years", "year", "mean_pci", "years", "PCI"),
)  # fmt: skip
TRADEOFFS = (
    Tradeoff("What money buys: cost and condition", "roads_agency_meur", "roads_bad_percent"),
)
