"""What a scenario file may say.

The measures are those of the systems that are registered when `scenario_model` is called, so
that a new domain can be written in a scenario without a change here.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any, Literal, Self, Union

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from twin import times
from twin.system import NAME, Measure, Response, systems
from twin.times import TimeOfDay

DAY_S = 86400.0
LONGEST_DAYS = 7
BASE = "base"
RESERVED = (BASE, "city", "agents", "data")

RouteChoice = Literal["equilibrium", "c_logit"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Period(_Part):
    """The hours that are evaluated; the warm-up is simulated before them."""

    day: dt.date = Field(description="First day, YYYY-MM-DD; weekday and season follow from it.")
    begin: TimeOfDay = Field(description='Time of day at which counting begins, "HH:MM".')
    end: TimeOfDay = Field(
        description='Time of day at which it ends; "29:00" is 5 in the morning after.'
    )
    warmup_minutes: int = Field(
        30, ge=0, le=720, description="Minutes simulated before `begin` and not counted."
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        begin, end = times.seconds(self.begin), times.seconds(self.end)
        if not begin < end <= begin + LONGEST_DAYS * DAY_S:
            msg = (
                f"ends at {self.end} and begins at {self.begin}; let it end later, "
                f'by {LONGEST_DAYS} days at most (after midnight go on with "24:00", "25:00")'
            )
            raise ValueError(msg)
        if begin < 60.0 * self.warmup_minutes:
            msg = (
                f"begins at {self.begin}, so a warm-up of {self.warmup_minutes} minutes would "
                "begin before midnight; begin later or shorten warmup_minutes"
            )
            raise ValueError(msg)
        return self

    @property
    def warmup_s(self) -> float:
        """Seconds simulated before counting begins."""
        return 60.0 * self.warmup_minutes

    @property
    def interval_s(self) -> float:
        """Length of intervals that begin with the counting and fill the period, at most 900 s."""
        minutes = math.gcd(self.warmup_minutes, round((self.end_s - self.begin_s) / 60.0))
        return 60.0 * max(k for k in (15, 10, 5, 1) if minutes % k == 0)

    @property
    def begin_s(self) -> float:
        """Second of the first day at which the simulation, warm-up included, begins."""
        return times.seconds(self.begin) - self.warmup_s

    @property
    def end_s(self) -> float:
        """Second of the first day at which the simulation ends."""
        return times.seconds(self.end)


class Matrix(_Part):
    """A matrix of trips from zone to zone, of a file of one's own."""

    file: str = Field(min_length=1, description="CSV (origin, destination, trips) or OMX.")
    matrix: str = Field("", description="Name of the matrix in an OMX that has several.")
    mapping: str = Field("", description="Name of the zones' mapping in an OMX.")
    hour: int | None = Field(None, ge=0, le=23, description="Hour of departure.")
    hours: tuple[int, ...] = Field((), description="Hours that the matrix covers.")
    vehicle_class: Literal["car", "lorry"] = Field("car", description="Where no column says it.")
    purpose: str = Field("stated", min_length=1, description="A label, where no column says it.")
    profile: str = Field("", description="Hours of a matrix of a whole day, e.g. 'work out'.")


class DemandOptions(_Part):
    """Which trips are made: generated ones, or those of the planner's own matrices."""

    scale: float = Field(1.0, ge=0.0, le=100.0, description="Factor on all expected trips.")
    zones: str | None = Field(
        None, min_length=1, description="Own zones: GeoJSON, GeoPackage, or CSV of centres."
    )
    zone_id: str | None = Field(None, min_length=1, description="Column of the zones' ids.")
    matrices: tuple[Matrix, ...] = Field((), description="Own matrices between own zones.")
    headways: dict[str, float] = Field(
        {}, description="Minutes between two buses by line; 0 stops a line."
    )

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.zones is None) == bool(self.matrices):
            msg = "has zones without matrices, or matrices without zones; give both or neither"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        """Files that it names."""
        zones = () if self.zones is None else (self.zones,)
        return (*zones, *(m.file for m in self.matrices))


class EquilibriumOptions(_Part):
    """How drivers choose routes, and how long they learn before the base is simulated."""

    iterations: int = Field(8, ge=1, le=200, description="Largest number of learning days.")
    gap: float = Field(
        0.01,
        ge=0.0,
        le=1.0,
        description=(
            "Stop when routes are this share from the fastest ones; with c_logit, when this share "
            "of drivers would choose otherwise."
        ),
    )
    route_choice: RouteChoice = Field(
        "equilibrium",
        description=(
            "equilibrium: nobody gains by another route; c_logit: drivers see times with an error."
        ),
    )
    theta_per_min: float | None = Field(
        None,
        ge=0.01,
        le=100.0,
        description=(
            "Only for c_logit, 1/min, default 1: errors have a standard deviation of 1.3 min / "
            "theta_per_min."
        ),
    )

    @model_validator(mode="after")
    def _uses_theta(self) -> Self:
        if self.theta_per_min is not None and self.route_choice != "c_logit":
            msg = (
                f"has theta_per_min {self.theta_per_min:g}, which only c_logit uses; write "
                "route_choice: c_logit, or leave it out"
            )
            raise ValueError(msg)
        return self


class Alternative(_Part):
    """A bundle of measures that is compared with the base."""

    name: str = Field(
        pattern=NAME,
        description="Short name in small letters, digits and hyphens; names the folder.",
    )
    title: str = Field("", max_length=200, description="What the report calls it.")
    response: Response | None = Field(
        None,
        description=(
            "How drivers respond to its measures: none, en_route, or by a new equilibrium. If not "
            "said: equilibrium to what holds for all of the period, en_route to the rest."
        ),
    )
    informed: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description=(
            "Share of drivers who learn of a closure when it begins; the others turn off where "
            "they meet it."
        ),
    )
    measures: tuple[Measure, ...] = Field((), description="Measures over the base, in order.")

    @model_validator(mode="after")
    def _responds(self) -> Self:
        if self.response == "none" and self.informed != 1.0:
            msg = (
                f"informs {self.informed:g} of the drivers, but none responds; write "
                "response: en_route or equilibrium, or leave informed out"
            )
            raise ValueError(msg)
        return self

    @property
    def label(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name


class Scenario(_Part):
    """A city, a period, a base and alternatives; see `scenario_model` for the measures."""

    name: str = Field(min_length=1, max_length=200, description="What the report calls it.")
    city: str = Field(min_length=1, description="helsinki, a saved city, or a source of one.")
    period: Period
    demand: DemandOptions = DemandOptions()
    equilibrium: EquilibriumOptions = EquilibriumOptions()
    years: int = Field(
        0,
        ge=0,
        le=50,
        description=(
            "Years, of 52 weeks, that slow systems (upkeep of roads) go on from the period's day."
        ),
    )
    replications: int = Field(10, ge=1, le=10_000, description="Random days per alternative.")
    seed: int = Field(1, ge=0, lt=2**31, description="Replication k of 0, 1, ... uses seed + k.")
    systems: tuple[str, ...] | None = Field(None, description="Systems at work; default all.")
    agents: dict[str, str] = Field(
        {}, description="Files of trained agents by the name of the policy that they are."
    )
    base: tuple[Measure, ...] = Field((), description="Measures that hold everywhere.")
    alternatives: tuple[Alternative, ...] = Field((), description="What is compared.")

    @field_validator("systems")
    @classmethod
    def _are_systems(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        known = systems()
        for name in value or ():
            if name not in known:
                msg = f"names no system ({name!r}); known: {', '.join(known)}"
                raise ValueError(msg)
        return value

    @field_validator("alternatives")
    @classmethod
    def _are_distinct(cls, value: tuple[Alternative, ...]) -> tuple[Alternative, ...]:
        seen: set[str] = set()
        for alternative in value:
            if alternative.name in RESERVED:
                msg = f"have a name that is taken ({alternative.name!r}); choose another"
                raise ValueError(msg)
            if alternative.name in seen:
                msg = f"have the name {alternative.name!r} twice; choose another"
                raise ValueError(msg)
            seen.add(alternative.name)
        return value

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the replications."""
        return tuple(range(self.seed, self.seed + self.replications))


def measure_models() -> tuple[type[Measure], ...]:
    """Return the models of all measures that the registered systems bring."""
    return tuple(model for system in systems().values() for model in system.measures)


def scenario_model() -> type[Scenario]:
    """Return the model of a scenario file with the measures that are registered now."""
    models = measure_models()
    measure: Any = Measure if not models else Union[models]  # noqa: UP007 - built at call time
    if len(models) > 1:
        measure = Annotated[measure, Field(discriminator="kind")]
    many: Any = tuple[measure, ...]
    alternative = create_model(
        "Alternative",
        __base__=Alternative,
        __doc__=Alternative.__doc__,
        measures=(many, Field((), description=Alternative.model_fields["measures"].description)),
    )
    alternatives: Any = tuple[alternative, ...]
    return create_model(
        "Scenario",
        __base__=Scenario,
        __doc__="A city, a period, a base and the alternatives that are compared with it.",
        base=(many, Field((), description=Scenario.model_fields["base"].description)),
        alternatives=(
            alternatives,
            Field((), description=Scenario.model_fields["alternatives"].description),
        ),
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a scenario file, for editors that complete and check YAML."""
    return scenario_model().model_json_schema()
