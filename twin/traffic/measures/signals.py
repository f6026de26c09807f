"""What a scenario may change of signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from twin.errors import ScenarioError
from twin.system import Effect, Outlook
from twin.traffic.measures.common import Timed, german

if TYPE_CHECKING:
    from twin.city import City

GERMAN_POLICIES = {
    "fixed": "gegebene Festzeitprogramme",
    "webster": "Festzeitprogramme nach Webster",
    "green_wave": "Grüne Welle",
    "actuated": "verkehrsabhängig mit Zeitlücken",
    "sotl": "selbstorganisierend (SOTL)",
    "greedy": "Phase mit den meisten Fahrzeugen",
    "max_pressure": "Max-Pressure",
    "rolling_horizon": "vorausschauende Optimierung",
}


class SignalPolicy(Timed):
    """Let a policy control every signal that has at least two green phases."""

    kind: Literal["signal_policy"] = "signal_policy"
    policy: str = Field(min_length=1, description="A named baseline, or a trained agent's file")

    def describe(self, language: str = "en") -> str:
        if language == "de":
            named = GERMAN_POLICIES.get(self.policy, self.policy)
            return f"Ampelsteuerung: {named}{self.when(language)}"
        return f"signals by {self.policy}{self.when()}"

    def check(self, city: City) -> None:
        _has_signals(city, "a signal policy")

    def effects(self, run: Outlook) -> tuple[Effect, ...]:  # noqa: ARG002
        begin_s, end_s = self.window
        return (Effect("signals", self.policy, begin_s=begin_s, end_s=end_s),)


class Phase(BaseModel):
    """A phase of a signal program."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    duration_s: float = Field(ge=1, le=600, description="Seconds that it is shown")
    state: str = Field(
        pattern="^[rygGsuoOY]+$", description="A letter for each link of the signal, as in SUMO"
    )


class SignalProgram(Timed):
    """Give signals another program: off (flashing amber), phases, or those of a SUMO file."""

    kind: Literal["signal_program"] = "signal_program"
    signals: tuple[str, ...] = Field((), description="Ids of signals; all of them if none")
    program: Annotated[Literal["off"] | None, Field(description="off: flashing amber")] = None
    file: Annotated[
        str | None, Field(min_length=1, description="SUMO additional file with tlLogic elements")
    ] = None
    phases: tuple[Phase, ...] = Field((), description="Phases of one signal, in order")
    offset_s: Annotated[
        float | None, Field(ge=0, le=3600, description="Seconds by which the program begins later")
    ] = None

    @model_validator(mode="after")
    def _is_one(self) -> SignalProgram:
        ways = [self.program is not None, self.file is not None, bool(self.phases)]
        if sum(ways) != 1 and not (sum(ways) == 0 and self.offset_s is not None):
            msg = "changes nothing or too much: give one of program: off, file, phases, offset_s"
            raise ValueError(msg)
        if self.phases and len(self.signals) != 1:
            msg = f"gives phases to {len(self.signals)} signals; name the one: signals: [ID]"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.file is None else (self.file,)

    def describe(self, language: str = "en") -> str:
        in_german, when = language == "de", self.when(language)
        one, many, every = (
            ("Ampel", "Ampeln", "alle Ampeln")
            if in_german
            else ("signal", "signals", "all signals")
        )
        named = f"{many if len(self.signals) > 1 else one} {', '.join(self.signals)}"
        who = named if self.signals else every
        if self.program == "off":
            what = "aus (gelbes Blinklicht)" if in_german else "off (flashing amber)"
        elif self.file is not None:
            return f"{'Signalprogramme aus' if in_german else 'programs of'} {self.file}{when}"
        elif self.phases:
            what = f"{'mit' if in_german else 'with'} {len(self.phases)} "
            what += "Phasen" if in_german else "phases"
        else:
            later = self.offset_s or 0.0
            what = f"um {german(later)} s versetzt" if in_german else f"{later:g} s later"
        return f"{who} {what}{when}"

    def check(self, city: City) -> None:
        _has_signals(city, "a signal program")

    def programs(self, run: Outlook) -> dict[str, Any]:
        """Rows of the city's table of signals by signal id."""
        from twin.traffic.programs import changed_programs

        path = None if self.file is None else run.file(self.file)
        return changed_programs(run.city, self, path)

    def effects(self, run: Outlook) -> tuple[Effect, ...]:
        begin_s, end_s = self.window
        ids = frozenset(self.programs(run))
        value = self.model_dump_json(exclude={"begin", "end", "name"})
        return (Effect("signals", value, keys=ids, begin_s=begin_s, end_s=end_s),)


def _has_signals(city: City, what: str) -> None:
    if not len(city.signals):
        msg = f"the city {city.name} has no signals; {what} needs at least one"
        raise ScenarioError(msg)
