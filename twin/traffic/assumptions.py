"""What the report prints as assumptions of the traffic model and of the demand."""

from __future__ import annotations

from twin.traffic import parameters as par
from twin.traffic.demand.assumptions import DEFAULT

Row = tuple[str, float | str, str, str]


def rows() -> list[Row]:
    """Rows (name, value, unit, source): driving first, then demand."""
    car = par.DEFAULT_TYPES[0]
    driving: list[Row] = [
        ("spacing of queued cars", car.spacing_m, "m", "SUMO's passenger car, 5 + 2.5 m"),
        ("net time headway", car.tau_s, "s", "gives HCM's about 1,900 veh/h and lane at 50 km/h"),
        ("acceleration", car.accel_m_s2, "m/s²", "SUMO's passenger car"),
        ("braking", car.decel_m_s2, "m/s²", "SUMO's passenger car"),
        ("spread of desired speeds", car.speed_dev, "of the limit", "SUMO's passenger car"),
        ("margin to a crossing vehicle", par.GAP_MARGIN_S, "s", "SUMO's jmTimegapMinor"),
        ("longest wait in a gridlock", par.JAM_S, "s", "SUMO's time-to-teleport; cases counted"),
        ("yellow", par.YELLOW_S, "s", "RiLSA 2015 at 50 km/h; controlled signals"),
        ("all-red", par.ALL_RED_S, "s", "usual value; controlled signals"),
        ("minimum green", par.MIN_GREEN_S, "s", "RiLSA 2015; controlled signals"),
    ]
    return driving + [(r.name, r.value, r.unit, r.reason) for r in DEFAULT.rows]
