"""What a scenario may change of traffic: streets, signals, trips."""

from twin.traffic.measures.common import Timed
from twin.traffic.measures.signals import Phase, SignalPolicy, SignalProgram
from twin.traffic.measures.streets import (
    BusLane,
    Change,
    Close,
    Lanes,
    OneWay,
    OnStreets,
    Reopen,
    Speed,
)
from twin.traffic.measures.trips import DemandPart, Headways, NewQuarter, OfTrips, PublicEvent

__all__ = [
    "BusLane",
    "Change",
    "Close",
    "DemandPart",
    "Headways",
    "Lanes",
    "NewQuarter",
    "OfTrips",
    "OnStreets",
    "OneWay",
    "Phase",
    "PublicEvent",
    "Reopen",
    "SignalPolicy",
    "SignalProgram",
    "Speed",
    "Timed",
]
