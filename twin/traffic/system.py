"""What traffic brings to the twin: measures, indicators, layers."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from twin import times
from twin.city.lookup import find_streets
from twin.claims import Claim
from twin.clock import Process
from twin.errors import ScenarioError
from twin.system import Indicator, Layer, Measure, Part, System, register
from twin.times import TimeOfDay

if TYPE_CHECKING:
    from twin.city import City
    from twin.simulation import Simulation
    from twin.traffic.process import Traffic

Street = Annotated[str, Field(description="Name, street id or OSM id", min_length=1)]


class _StreetMeasure(Measure):
    """A measure that holds on a street for a time."""

    street: Street
    begin: TimeOfDay = "00:00"
    end: TimeOfDay = "48:00"

    def streets(self) -> tuple[str, ...]:
        return (self.street,)

    @abstractmethod
    def _claim(self, owner: str, street: int, until_s: float) -> Claim:
        """What is demanded of a street."""

    def process(self, traffic: Traffic, owner: str) -> Process:
        """Hold the claim from begin to end."""
        sim = traffic.sim
        begin, end = times.seconds(self.begin), times.seconds(self.end)
        if end <= begin:
            msg = f"{self.kind} on {self.street!r}: end {self.end} is not after begin {self.begin}"
            raise ScenarioError(msg)
        found = find_streets(sim.city, self.street)
        if end <= sim.clock.now_s:
            return
        yield sim.clock.until(begin)
        sim.claims.file(*(self._claim(owner, int(s), end) for s in found))
        sim.note("traffic", self.kind, self.describe(), int(found[0]))
        yield sim.clock.until(end)
        sim.claims.withdraw(owner)
        sim.note("traffic", f"{self.kind}_ends", self.describe(), int(found[0]))


class Close(_StreetMeasure):
    """Close a street to all vehicles."""

    kind: Literal["close"] = "close"

    def describe(self) -> str:
        return f"{self.street} closed from {self.begin} to {self.end}"

    def _claim(self, owner: str, street: int, until_s: float) -> Claim:
        return Claim(owner, street, open=False, until_s=until_s)


class Lanes(_StreetMeasure):
    """Leave a street so many lanes."""

    kind: Literal["lanes"] = "lanes"
    lanes: int = Field(ge=0, le=20, description="Lanes that stay open")

    def describe(self) -> str:
        return f"{self.street} with {self.lanes} lane(s) from {self.begin} to {self.end}"

    def _claim(self, owner: str, street: int, until_s: float) -> Claim:
        return Claim(owner, street, lanes=self.lanes, until_s=until_s)


class Speed(_StreetMeasure):
    """Limit the speed on a street."""

    kind: Literal["speed"] = "speed"
    kmh: float = Field(ge=5, le=130, description="Speed limit, km/h")

    def describe(self) -> str:
        return f"{self.kmh:g} km/h on {self.street} from {self.begin} to {self.end}"

    def _claim(self, owner: str, street: int, until_s: float) -> Claim:
        return Claim(owner, street, speed_m_s=self.kmh / 3.6, until_s=until_s)


class SignalPolicy(Measure):
    """Let a policy control every signal that has at least two green phases."""

    kind: Literal["signal_policy"] = "signal_policy"
    policy: str = Field(min_length=1, description="A named baseline, or a trained agent's file")
    begin: TimeOfDay = "00:00"
    end: TimeOfDay = "48:00"

    def describe(self) -> str:
        return f"signals by {self.policy}"

    def check(self, city: City) -> None:
        if not len(city.signals):
            msg = f"the city {city.name} has no signals; a signal policy needs at least one"
            raise ScenarioError(msg)

    def process(self, traffic: Traffic, owner: str) -> Process:  # noqa: ARG002
        """Let the policy decide from begin to end."""
        sim = traffic.sim
        controller = sim.policy(self.policy)
        yield sim.clock.until(times.seconds(self.begin))
        sim.note("traffic", "signal_policy", self.describe())
        yield from traffic.run_controller(controller, times.seconds(self.end))


def _create(sim: Simulation) -> Part:
    from twin.traffic.process import Traffic

    return Traffic(sim)


def _indicators() -> tuple[tuple[Indicator, ...], tuple[Layer, ...]]:
    from twin.traffic.indicators import INDICATORS, LAYERS

    return INDICATORS, LAYERS


def _assumptions() -> list[tuple[str, float | str, str, str]]:
    from twin.traffic.assumptions import rows

    return rows()


_FOUND = _indicators()
TRAFFIC = register(
    System(
        name="traffic",
        title="Traffic",
        create=_create,
        measures=(Close, Lanes, Speed, SignalPolicy),
        indicators=_FOUND[0],
        layers=_FOUND[1],
        claims=("open", "lanes", "speed_m_s"),
        assumptions=_assumptions,
        module=__name__,
    )
)
