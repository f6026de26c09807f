"""What the report prints as assumptions of the traffic model and of the demand."""

from __future__ import annotations

from twin.traffic import costs
from twin.traffic import level_of_service as los
from twin.traffic import parameters as par
from twin.traffic.demand.assumptions import DEFAULT
from twin.traffic.emissions import FLEET
from twin.traffic.queue_lengths import LOOK_S, WINDOW_S

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
    reported: list[Row] = [
        ("level of service, signals", _limits(los.HCM_SIGNALS), "s", "HCM 6 and 7, control delay"),
        ("level of service, signs", _limits(los.HCM_SIGNS), "s", "HCM 6 and 7, control delay"),
        ("Qualitätsstufen, signals", _limits(los.HBS_SIGNALS), "s", "HBS 2015, from memory"),
        ("Qualitätsstufen, signs", _limits(los.HBS_SIGNS), "s", "HBS 2015, as studies quote it"),
        ("looks at queues", LOOK_S, "s", "divides no usual cycle"),
        ("queues: windows of the 95th percentile", WINDOW_S, "s", "a usual cycle"),
        ("emission rates", "HBEFA 3", "–", "Eclipse SUMO 1.28, HelpersHBEFA3"),
        *_fleet(),
        ("a vehicle's hour of its users", costs.TIME_EUR_H, "€/h", "own estimate, as of roads"),
        ("a car's kilometre", costs.RUNNING_EUR_KM, "€/km", "own estimate, as of roads"),
        ("a lorry's or bus's kilometre", costs.HEAVY_FACTOR, "cars", "own estimate, as of roads"),
    ]
    return driving + reported + [(r.name, r.value, r.unit, r.reason) for r in DEFAULT.rows]


def _limits(values: tuple[float, ...]) -> str:
    return " / ".join(f"{value:g}" for value in values)


def _fleet() -> list[Row]:
    """Shares of the kinds of cars, and the classes of lorries and buses."""
    car = FLEET["car"]
    diesel = sum(share for name, share in car.items() if name.startswith("PC_D"))
    modern = sum(share for name, share in car.items() if name.endswith("EU6")) / (1 - car["zero"])
    stock = "KBA, cars registered on 1 January 2025"
    return [
        ("diesel cars", 100.0 * diesel, "%", stock),
        ("electric cars", 100.0 * car["zero"], "%", stock),
        ("Euro 6 of cars that burn fuel", 100.0 * modern, "%", f"{stock}: 49.2 % of all"),
        ("lorries", ", ".join(FLEET["lorry"]), "–", "own assumption"),
        ("buses", ", ".join(FLEET["bus"]), "–", "HBEFA 3's city bus, a mean of older ones"),
    ]
