"""Every number of the demand model that is an assumption, with its unit and where it is from.

The demand of a city without counts or surveys is a picture of its size and shape, no measurement.
So each number stands here, is printed in every report, and can be replaced by a better one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from twin.errors import InputError


@dataclass(frozen=True)
class Assumption:
    """One number: its name, value, unit, and its source or reason."""

    name: str
    value: float
    unit: str
    reason: str


class Assumptions(Mapping[str, float]):
    """A table of assumptions, read by name.

    Parameters
    ----------
    rows : the assumptions, names unique

    Raises
    ------
    InputError : a name stands twice
    """

    def __init__(self, rows: tuple[Assumption, ...]) -> None:
        self.rows = rows
        self._values = {row.name: row.value for row in rows}
        if len(self._values) != len(rows):
            msg = "a name stands twice in the table of assumptions; names must be unique."
            raise InputError(msg)

    def __getitem__(self, name: str) -> float:
        if name not in self._values:
            msg = f"assumption {name!r} is unknown; see the table of assumptions."
            raise InputError(msg)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self.rows)

    def with_values(self, **values: float) -> Assumptions:
        """Return the table with some values replaced, marked as set by the user.

        Raises
        ------
        InputError : a name is unknown or a value is negative or not finite
        """
        for name, value in values.items():
            if not 0.0 <= value < float("inf"):
                msg = f"assumption {name}(={value}) must be finite and >= 0."
                raise InputError(msg)
            self[name]
        return Assumptions(
            tuple(
                replace(row, value=values[row.name], reason=f"set by the user ({row.reason})")
                if row.name in values
                else row
                for row in self.rows
            )
        )


_MID = "order of magnitude of MiD 2017, not looked up"
_BOSSERHOFF = "order of magnitude of Bosserhoff's rates, not looked up"
_OWN = "own estimate"
_GATE = "own estimate, lowered until central Helsinki's evening peak did not jam"

# name, value, unit, reason
_POPULATION: tuple[tuple[str, float, str, str], ...] = (
    ("zone_size_m", 225.0, "m", "a block or two: 3 minutes on foot"),
    ("zone_streets", 16.0, "streets", "streets on which trips of a zone start or end"),
    ("zone_street_decay_m", 100.0, "m", "how fast a street's share falls with its distance"),
    ("zone_reach_m", 500.0, "m", "a zone farther than this from any street has no trips"),
    (
        "floor_per_resident_m2",
        55.0,
        "m2",
        "about 47 m2 dwelling per head, 0.85 net/gross; not looked up",
    ),
    ("residential_share_residential", 0.95, "1", "offices and shops on ground floors"),
    ("residential_share_retail", 0.20, "1", "flats above shops"),
    ("residential_share_other", 0.60, "1", "buildings without a tagged use"),
    ("residential_share_other_housing", 0.85, "1", "untagged, in a residential area"),
    ("residential_share_other_business", 0.05, "1", "untagged, in a commercial/industrial area"),
    ("unused_share_other", 0.20, "1", "untagged: garages, sheds, stairs"),
    ("floor_per_job_residential_m2", 60.0, "m2", "the part that is not lived in"),
    ("floor_per_job_office_m2", 30.0, "m2", _BOSSERHOFF),
    ("floor_per_job_retail_m2", 55.0, "m2", _BOSSERHOFF),
    ("floor_per_job_industrial_m2", 100.0, "m2", _BOSSERHOFF),
    ("floor_per_job_education_m2", 90.0, "m2", _BOSSERHOFF),
    ("floor_per_job_health_m2", 50.0, "m2", _BOSSERHOFF),
    ("floor_per_job_public_m2", 60.0, "m2", _BOSSERHOFF),
    ("floor_per_job_other_m2", 60.0, "m2", "mixed business"),
    ("residents_per_street_km", 150.0, "1/km", "used only where no buildings are known"),
    ("jobs_per_street_km", 60.0, "1/km", "used only where no buildings are known"),
)

_TRIPS: tuple[tuple[str, float, str, str], ...] = (
    ("work_per_resident", 0.35, "1/day", f"ways to work; {_MID}"),
    ("education_per_resident", 0.20, "1/day", f"ways to school, escort included; {_MID}"),
    ("shopping_per_resident", 0.45, "1/day", f"shopping and errands; {_MID}"),
    ("leisure_per_resident", 0.50, "1/day", f"leisure; {_MID}"),
    ("work_driver_share", 0.50, "1", f"car drivers among ways, occupancy included; {_MID}, urban"),
    ("education_driver_share", 0.12, "1", f"parents who drive, mostly; {_MID}"),
    ("shopping_driver_share", 0.38, "1", f"as above; {_MID}, urban"),
    ("leisure_driver_share", 0.28, "1", f"as above; {_MID}, urban"),
    ("work_per_job", 0.75, "1/day", "present on a working day: part time, leave, home office"),
    ("education_per_floor_m2", 0.05, "1/(m2 day)", "one pupil or student in 20 m2 of floor"),
    ("shopping_per_retail_m2", 0.25, "1/(m2 day)", f"customers by gross floor; {_BOSSERHOFF}"),
    ("shopping_per_shop", 20.0, "1/day", "customers who come for this shop, bank, ... alone"),
    ("leisure_per_place", 30.0, "1/day", "guests of a mapped restaurant, cinema, ..."),
    ("leisure_per_resident_visited", 0.20, "1/day", "visits to people at home"),
    ("business_per_job", 0.12, "1/day", f"car trips on business; {_MID}, WVD"),
    ("freight_per_job", 0.06, "1/day", "lorry trips (> 3.5 t), delivery of shops included"),
    (
        "work_length_km",
        6.0,
        "km",
        "own estimate for townspeople, airline; shorter than the national mean",
    ),
    ("education_length_km", 2.5, "km", "as above"),
    ("shopping_length_km", 2.5, "km", "as above"),
    ("leisure_length_km", 5.0, "km", "as above"),
    ("business_length_km", 8.0, "km", "as above"),
    ("freight_length_km", 15.0, "km", "regional distribution"),
    ("deterrence_min", 6.0, "min", "mean free time that exp(-t/...) allows inside the map"),
    ("deterrence_power", 0.5, "1", "t**power: few drive a minute"),
    ("intrazonal_min", 0.5, "min", "free time within a zone"),
)

# Vehicles per day and lane in one direction where a road of this class crosses the map's edge.
_GATES: tuple[tuple[str, float, str, str], ...] = (
    ("gate_motorway", 13000.0, "veh/(lane day)", "50 thousand on 2+2 lanes; own estimate"),
    (
        "gate_trunk",
        5500.0,
        "veh/(lane day)",
        "own estimate, lowered until Krems's peak did not jam",
    ),
    ("gate_primary", 4200.0, "veh/(lane day)", _GATE),
    ("gate_secondary", 2600.0, "veh/(lane day)", _GATE),
    ("gate_tertiary", 1300.0, "veh/(lane day)", _GATE),
    ("gate_unclassified", 500.0, "veh/(lane day)", _GATE),
    ("gate_residential", 300.0, "veh/(lane day)", _GATE),
    ("gate_living_street", 100.0, "veh/(lane day)", _GATE),
    ("gate_service", 50.0, "veh/(lane day)", _GATE),
    ("gate_unknown", 500.0, "veh/(lane day)", "as unclassified"),
    ("gate_link_share", 0.5, "1", "a link carries this part of its class"),
    ("gate_edge_m", 120.0, "m", "a dead end this near to the edge of the map leads out of it"),
    ("gate_peak_share", 0.095, "1", "largest share of a day's traffic in an hour at a gate"),
    ("through_share_min", 0.20, "1", "part of the gates' traffic that only passes, at least"),
    ("through_decay_min", 15.0, "min", "traffic across the edge prefers the quick ways"),
    (
        "through_outside_weight",
        0.02,
        "1",
        "against an average way through: pass by outside instead",
    ),
    (
        "local_share_motorway",
        0.15,
        "1",
        "may serve the map's zones; set so that Lauf's ramps did not jam",
    ),
    ("local_share_trunk", 0.50, "1", "may serve the map's zones; set together with the motorway's"),
    (
        "motorway_change_weight",
        0.05,
        "1",
        "leaves or joins a motorway here; set together with its local share",
    ),
    ("lorry_share_motorway", 0.12, "1", "own estimate"),
    ("lorry_share_trunk", 0.07, "1", "own estimate"),
    ("lorry_share_primary", 0.04, "1", _OWN),
    ("lorry_share_minor", 0.02, "1", _OWN),
)

# Two buses an hour and direction are little, eight are much; a city's own timetable is better.
_LINES: tuple[tuple[str, float, str, str], ...] = (
    ("bus_headway_peak_min", 15.0, "min", "6-9 and 15-19 h, by line number; own estimate"),
    ("bus_headway_day_min", 20.0, "min", "9-15 h; own estimate"),
    ("bus_headway_late_min", 30.0, "min", "5-6 and 19-24 h; own estimate"),
    ("bus_headway_night_min", 60.0, "min", "night lines (N1, 61N), 0-5 h; own estimate"),
    ("bus_service_share", 1.0, "1", "part of these buses that runs; 0 leaves buses out"),
    ("bus_dwell_s", 20.0, "s", "mean time at a stop, doors open; own estimate"),
    ("bus_dwell_variation", 0.6, "1", "deviation over mean; order of TCQSM's 60 %, not looked up"),
)

# An event states its own numbers, as its organiser knows them; these stand in where it does not.
_EVENTS: tuple[tuple[str, float, str, str], ...] = (
    ("event_car_share", 0.5, "1", "visitors by car, of an event in town; own estimate"),
    ("event_persons_per_car", 2.5, "1", "fuller than on other ways; own estimate"),
    ("event_arrive_within_min", 90.0, "min", "all arrive in this time before; own estimate"),
    ("event_leave_within_min", 45.0, "min", "all leave in this time after the end; own estimate"),
    ("event_peak", 0.33, "1", "most come and go this part of that time from the event; as above"),
    ("event_length_km", 10.0, "km", "mean way to an event, airline: twice leisure; own estimate"),
    ("event_parking_m", 400.0, "m", "5 to 6 minutes on foot from the car; own estimate"),
)

_ROWS = (*_POPULATION, *_TRIPS, *_GATES, *_LINES, *_EVENTS)
DEFAULT = Assumptions(tuple(Assumption(*row) for row in _ROWS))
