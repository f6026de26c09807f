"""The registry of systems: what each domain brings, for rooms that know no domain by name.

A domain (traffic, roads, later water, fire service, fibre) registers one `System`.  The
scenario schema, the comparison, the report, the maps and the command line read it here.
"""

from __future__ import annotations

import datetime as dt
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from twin.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City
    from twin.simulation import Simulation
    from twin.traffic.demand import Demand

BUILT_IN = ("twin.traffic.system", "twin.roads.system")
ENTRY_POINTS = "stadtzwilling.systems"
NAME = r"^[a-z0-9][a-z0-9_-]{0,59}$"


Response = Literal["none", "en_route", "equilibrium"]
DAY_S = 86400.0


@dataclass(frozen=True)
class Outlook:
    """What is known of a run before it begins.

    Attributes
    ----------
    city
        Where it is.
    begin, years
        When its counted period begins, and how many years it has.
    file
        Where a file lies that a measure names.
    begin_s, end_s
        Window that is simulated, seconds from midnight of its first day.
    """

    city: City
    begin: dt.datetime
    years: int
    file: Callable[[str], Path]
    begin_s: float = 0.0
    end_s: float = DAY_S


@dataclass(frozen=True)
class Effect:
    """What a measure changes, where and when: what is checked, told, and held against others.

    Attributes
    ----------
    subject
        What is changed, e.g. "speed limit"; effects on one subject may contradict each other.
    value
        What holds.
    streets
        Positions in the city's streets; None where it is no matter of streets.
    keys
        What else it is about, e.g. signals or bus lines; empty for all of them.
    begin_s, end_s
        When, seconds from midnight of the first day.
    closes
        Whether nobody may pass the streets, or anybody again; None where it is no matter of that.
    touches
        Whether it changes the streets; else it only says what must hold there.
    """

    subject: str
    value: Any
    streets: tuple[int, ...] | None = None
    keys: frozenset[str] = frozenset()
    begin_s: float = 0.0
    end_s: float = math.inf
    closes: bool | None = None
    touches: bool = True

    def contradicts(self, other: Effect) -> bool:
        """Whether both say something else of the same thing at the same time."""
        if self.subject != other.subject or self.value == other.value:
            return False
        if self.begin_s >= other.end_s or other.begin_s >= self.end_s:
            return False
        if self.streets is not None and other.streets is not None:
            return bool(set(self.streets) & set(other.streets))
        return not self.keys or not other.keys or bool(self.keys & other.keys)


class Measure(BaseModel):
    """An intervention (Massnahme) as a scenario writes it; `kind` tells measures apart."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    over_years: ClassVar[bool] = False  # works in scenarios that go on for years, after the day
    kind: str
    name: str | None = Field(
        None, pattern=NAME, description="Short name by which other measures mean it."
    )
    requires: tuple[str, ...] = Field((), description="Names of measures that it needs.")
    excludes: tuple[str, ...] = Field((), description="Names of measures that it rules out.")
    response: Response | None = Field(
        None,
        description=(
            "How drivers respond: none, en_route, or equilibrium (they have learnt to live with "
            "it). If not said: equilibrium where it holds for all of the period, else en_route."
        ),
    )

    def files(self) -> tuple[str, ...]:
        """Names of files that it reads, where the scenario lies."""
        return ()

    def prepare(self, city: City, demand: Demand, say: Callable[[str], None]) -> None:
        """Compute once, before all replications, what they will read from the cache."""

    def check(self, city: City) -> None:
        """Refuse what the city cannot do, before anything is simulated.

        Raises
        ------
        ScenarioError
            With one line that says what is missing.
        """

    def read(self, run: Outlook) -> tuple[str, ...]:  # noqa: ARG002
        """Read its files before anything is simulated; a line for each row that is refused.

        Raises
        ------
        InputError
            For a file that cannot be used at all.
        """
        return ()

    def effects(self, run: Outlook) -> tuple[Effect, ...]:  # noqa: ARG002
        """What it changes, where and when.

        Raises
        ------
        ScenarioError
            Where the city does not allow it.
        """
        return ()

    def usual_response(self, run: Outlook) -> Response:
        """How drivers respond where nothing is said: those who can have learnt it have."""
        effects = self.effects(run)
        if self.over_years or not effects:
            return "none"
        lasting = all(e.begin_s <= run.begin_s and e.end_s >= run.end_s for e in effects)
        return "equilibrium" if lasting else "en_route"

    def demanded(self, demand: Demand, run: Outlook) -> Demand:  # noqa: ARG002
        """The trips that are made with it, of those that are made without."""
        return demand

    def describe(self, language: str = "en") -> str:  # noqa: ARG002
        """One line for the report, in words of a planner; in English or German ("de")."""
        return self.kind.replace("_", " ")


@dataclass(frozen=True)
class Indicator:
    """A number that is reported for every replication."""

    name: str
    title: str
    unit: str
    better: Literal["lower", "higher", "neither"]
    digits: int = 1
    key: bool = False  # on the first page


@dataclass(frozen=True)
class Layer:
    """A column of a result table that can be drawn on the streets, summed over the period."""

    name: str
    title: str
    unit: str
    table: str
    column: str
    better: Literal["lower", "higher", "neither"] = "lower"
    shown: Literal["difference", "base", "each"] = "difference"
    """What the report maps: the difference to the base, the base itself, or each run itself."""


@dataclass(frozen=True)
class Course:
    """Columns of a result table that the report draws as a course, a line for each run."""

    title: str
    table: str
    x: str
    y: str
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Tradeoff:
    """Two indicators that the report draws against each other, a point for each run."""

    title: str
    x: str
    y: str


class Part(Protocol):
    """A system at work in one simulation."""

    def start(self) -> None:
        """Start the SimPy processes."""

    def apply(self, measure: Any) -> None:
        """Take in one of the system's own measures, before the start."""

    def indicators(self) -> Mapping[str, float]:
        """Values of the system's indicators at the end."""

    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Tables that it leaves."""

    def snapshot(self) -> Any:
        """Copy of its state."""

    def restore(self, state: Any) -> None:
        """Go back to a copy."""


@dataclass(frozen=True)
class System:
    """What a domain brings to the twin.

    Attributes
    ----------
    create
        Makes the domain's part of a simulation.
    measures
        Models of its measures; each has a literal `kind` of its own.
    indicators, layers, courses, tradeoffs
        What it reports, and what of it can be mapped and drawn.
    claims
        Fields of `Claim` that it may file.
    assumptions
        Rows (name, value, unit, source) that the report prints.
    """

    name: str
    title: str
    create: Callable[[Simulation], Part]
    measures: tuple[type[Measure], ...] = ()
    indicators: tuple[Indicator, ...] = ()
    layers: tuple[Layer, ...] = ()
    courses: tuple[Course, ...] = ()
    tradeoffs: tuple[Tradeoff, ...] = ()
    claims: tuple[str, ...] = ()
    assumptions: Callable[[], list[tuple[str, float | str, str, str]]] = field(default=list)
    module: str = ""


_REGISTERED: dict[str, System] = {}


def register(system: System) -> System:
    """Add a system, or replace the one of that name."""
    _REGISTERED[system.name] = system
    return system


def unregister(name: str) -> None:
    """Take a system out."""
    _REGISTERED.pop(name, None)


@lru_cache(maxsize=1)
def _import_known() -> None:
    """Import, once, the modules that register systems."""
    for module in BUILT_IN:
        importlib.import_module(module)
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        entry.load()


def systems() -> dict[str, System]:
    """Every system by name: the built-in ones, those of installed packages, those registered."""
    _import_known()
    order = {module: k for k, module in enumerate(BUILT_IN)}
    found = sorted(_REGISTERED.values(), key=lambda s: (order.get(s.module, 99), s.name))
    return {s.name: s for s in found}


def system_of(measure: Measure) -> System:
    """The system that a measure belongs to.

    Raises
    ------
    InputError
        For a measure that no system brings.
    """
    for system in systems().values():
        if type(measure) in system.measures:
            return system
    msg = f"no system brings the measure {measure.kind!r}; register the system that does"
    raise InputError(msg)


def indicators() -> dict[str, Indicator]:
    """Every indicator by name."""
    return {i.name: i for s in systems().values() for i in s.indicators}


def layers() -> dict[str, Layer]:
    """Every map layer by name."""
    return {layer.name: layer for s in systems().values() for layer in s.layers}
