"""Every number of the traffic model that is not read from data, with its source."""

from __future__ import annotations

from dataclasses import dataclass

CAR, LORRY, BUS = 1, 2, 4
CLASS_BITS = {"car": CAR, "lorry": LORRY, "bus": BUS}


@dataclass(frozen=True)
class VehicleType:
    """A kind of vehicle and its driver.

    Attributes
    ----------
    length_m, gap_m
        Body, and the distance kept to the next body in a queue; their sum is the spacing.
    tau_s
        Net time headway of a moving queue: saturation headway = tau + spacing / speed
        (Newell 2002), backward wave = spacing / tau.
    accel_m_s2, decel_m_s2
        Comfortable acceleration and braking.
    max_speed_m_s
        Of the vehicle.
    speed_factor, speed_dev
        Desired speed over the limit: mean and standard deviation between drivers.
    dawdle_m_s
        By how much drivers fall short of the speed that they aim at, on average.
    step_s
        Drivers act once in so many seconds.
    vehicle_class
        "car", "lorry" or "bus": which lanes may be used.
    """

    name: str
    length_m: float = 5.0
    gap_m: float = 2.5
    tau_s: float = 1.4
    accel_m_s2: float = 2.6
    decel_m_s2: float = 4.5
    max_speed_m_s: float = 55.6
    speed_factor: float = 1.0
    speed_dev: float = 0.1
    vehicle_class: str = "car"
    dawdle_m_s: float = 0.0
    step_s: float = 0.0

    @property
    def speeding_up_m_s2(self) -> float:
        """Acceleration that drivers aim at: with `dawdle_m_s` a step less is reached."""
        return self.accel_m_s2 + (self.dawdle_m_s / self.step_s if self.step_s else 0.0)

    @property
    def spacing_m(self) -> float:
        """Length of street that it takes in a queue."""
        return self.length_m + self.gap_m


# tau 1.4 s with 7.5 m gives 1,856 veh/h and lane at 50 km/h and 1,565 at 30 km/h.  HCM's base
# of 1,900 pc/h and SUMO's 1,853 (measured, same spacing and speed) agree with the first.
# Lengths, acceleration: SUMO 1.28's default types (passenger, truck, bus).
DEFAULT_TYPES = (
    VehicleType("car"),
    VehicleType("lorry", 7.1, 2.5, 1.4, 1.3, 4.0, 36.1, 1.0, 0.05, "lorry"),
    VehicleType("bus", 12.0, 2.5, 1.4, 1.2, 4.0, 23.6, 1.0, 0.05, "bus"),
)

# A driver who waits for a gap looks again this often (action step of a driver: 0.5-1 s).
LOOK_S = 0.5
# Safety margin beside the time that crossing takes: SUMO's jmTimegapMinor.
GAP_MARGIN_S = 1.0
# Who waits counts on others to brake, with a share of their comfortable deceleration b that
# grows to the whole in IMPATIENT_S: after w seconds, on everybody who could stop with b w /
# IMPATIENT_S.  So the accepted gap is at most v IMPATIENT_S / (2 b w) (SUMO 1.28's impatience,
# --time-to-impatience).
IMPATIENT_S = 180.0
# And, in the same measure, on being let in: that shortens the accepted gap by so much at the
# end (SUMO 1.28 adds as much to the arrival of those who can brake).
RELIED_S = 30.0
# Vehicles with right of way are seen on the streets before their last one as far as they come
# within these seconds: in SUMO drivers give notice of as much way as a step and a stop need,
# which are 30 m at 8.3 m/s and 56 m at 13.9 m/s.
SEEN_S = 4.0
# Those who yield to each other in a circle stand so long until one of them goes (SUMO 1.28: four
# who come to a crossing of equals together lose 8.5 s each on average).
CIRCLE_S = 2.0
# A stop at a stop sign or a stop light (green arrow).
STOP_S = 1.0
# Who finds no room for so long is taken past the jam, and counted: SUMO's time-to-teleport.
JAM_S = 300.0
# A vehicle that stood for longer than this can stop at a yellow light.
STANDING_S = 1.0
# Controllers: yellow by the German RiLSA 2015 at 50 km/h; all-red and minimum green are usual.
YELLOW_S = 3.0
ALL_RED_S = 1.0
MIN_GREEN_S = 5.0
# Longest wait at red under a controller: RiLSA 2015 wants cycles of at most 120 s.
MAX_WAIT_S = 120.0
# Nobody changes lanes on streets that are shorter, or shorter than STRATEGIC_S at their speed:
# who will turn after them takes the right lane before.  SUMO looks ahead for 10 s; chosen
# of 0, 5 and 10 s on seven RESCO maps: with 10 s the delay on cologne3 came out 13 % above SUMO's,
# with 5 s 3 %; the other six hardly differ.
CHANGE_M = 30.0
STRATEGIC_S = 5.0
# Who must yield sees the others from here before the line (SUMO's visibilityDistance) and
# drives there so that he can stop: at most sqrt(2 (a + b) 4.5 m) at the line.
SIGHT_M = 4.5
# Who stands, stands so far before the line (SUMO).
LINE_M = 1.0
# Braking to a stop of a line and getting away from it is reckoned from 50 km/h: v/2a + v/2b.
URBAN_M_S = 13.9
# Vehicle-actuated programs, defaults of SUMO 1.28: the longest gap that extends a green, the
# driving time from a detector to the stop line, and how fast vehicles clear between both.
MAX_GAP_S = 3.0
DETECTOR_GAP_S = 2.0
PASSING_S = 1.9
PLACE_M = 7.5
# Who stands starts so long after the one before (SUMO: vehicles of a queue at 7.5 m).
START_WAVE_S = 1.0
