"""What a scenario may say of the upkeep of roads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from twin.system import Measure, Outlook

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    import geopandas as gpd

    from twin.city import City
    from twin.roads.files import Rows
    from twin.traffic.demand import Demand

Shift = Literal["any", "day", "night"]
Closures = Literal["none", "table", "joint"]
Model = Literal["markov", "curve"]
GERMAN_MODELS = {"markov": "Markow-Kette", "curve": "Verlaufskurve"}
GERMAN_POLICIES = {
    "do_nothing": "nur Flickstellen",
    "worst_first": "schlechteste zuerst",
    "age_interval": "nach Alter",
    "condition_threshold": "nach Zustand",
    "greedy_knapsack": "größter Nutzen je Euro",
    "rolling_optimum": "vorausschauende Optimierung",
}


class Maintenance(Measure):
    """A maintenance programme: who decides, with what money, and who works."""

    over_years: ClassVar[bool] = True
    kind: Literal["maintenance"] = "maintenance"
    policy: str = Field(
        "worst_first", min_length=1, description="A maintenance policy, or a trained agent's file"
    )
    plan: Annotated[
        str | None, Field(description="CSV of works (section, year, treatment, shift), no policy")
    ] = None
    budget_eur: Annotated[
        float | None,
        Field(
            ge=0.0, le=1e12, description="Euros a year, inspections included; 2.2 EUR/m2 if none"
        ),
    ] = None
    crews: Annotated[
        int | None, Field(ge=1, le=1000, description="Crews; by the network's size if none")
    ] = None
    pavers: Annotated[
        int | None, Field(ge=1, le=1000, description="Road pavers; by the network's size if none")
    ] = None
    shift: Shift = Field("any", description="When crews work: as the policy says, by day, by night")
    closures: Closures = Field(
        "table",
        description=(
            "Delay of drivers: none; each site by itself; or works of a day simulated together."
        ),
    )

    @model_validator(mode="after")
    def _one_decides(self) -> Maintenance:
        """Refuse a policy beside a plan."""
        if self.plan is not None and "policy" in self.model_fields_set:
            msg = f"policy {self.policy!r} and plan {self.plan!r} both decide; give one of them"
            raise ValueError(msg)
        return self

    def files(self) -> tuple[str, ...]:
        return () if self.plan is None else (self.plan,)

    def read(self, run: Outlook) -> tuple[str, ...]:
        from twin.roads.files import read_plan
        from twin.roads.sections import make_sections

        if self.plan is not None:
            read_plan(run.file(self.plan), make_sections(run.city), self.plan, run.years)
        return ()

    def prepare(self, city: City, demand: Demand, say: Callable[[str], None]) -> None:
        from twin.roads.sections import make_sections
        from twin.usage import make_use

        def told(done: int, total: int) -> None:
            say(f"what closures cost, once for this city: {done:,} of {total:,} streets")

        closures = self.closures != "none"
        make_use(city, make_sections(city), demand, closures=closures, progress=told)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            return self._german()
        who = self.policy if self.plan is None else f"the plan {self.plan}"
        money = "2.20 EUR/m\u00b2" if self.budget_eur is None else f"{self.budget_eur:,.0f} EUR"
        when = "" if self.shift == "any" else f", works by {self.shift}"
        means = [
            f"{number} {name if number > 1 else name[:-1]}"
            for number, name in ((self.crews, "crews"), (self.pavers, "pavers"))
            if number is not None
        ]
        able = f", {' and '.join(means)}" if means else ""
        counted = {
            "none": "; delay of drivers is not counted",
            "table": "",
            "joint": "; works of a day are simulated together",
        }[self.closures]
        return f"roads kept by {who} with {money} a year{when}{able}{counted}"

    def _german(self) -> str:
        named = GERMAN_POLICIES.get(self.policy, self.policy)
        who = f"„{named}“" if self.plan is None else f"Plan {self.plan}"
        eur = "" if self.budget_eur is None else f"{self.budget_eur:,.0f}".replace(",", ".")
        money = f"{eur} €" if eur else "2,20 €/m\u00b2"
        shift = {"any": "", "day": ", Arbeiten am Tag", "night": ", Arbeiten bei Nacht"}[self.shift]
        means = [
            f"{number} {one if number == 1 else many}"
            for number, one, many in (
                (self.crews, "Kolonne", "Kolonnen"), (self.pavers, "Fertiger", "Fertiger"),
            )
            if number is not None
        ]  # fmt: skip
        able = f", {' und '.join(means)}" if means else ""
        counted = {
            "none": "; Verlustzeit der Fahrenden nicht gerechnet",
            "table": "",
            "joint": "; Baustellen eines Tages gemeinsam simuliert",
        }[self.closures]
        return f"Straßenerhaltung nach {who} mit {money} im Jahr{shift}{able}{counted}"


class Inspection(Measure):
    """Cameras that pass the streets."""

    over_years: ClassVar[bool] = True
    kind: Literal["inspection"] = "inspection"
    passes_per_year: float = Field(1.0, ge=0.0, le=52.0, description="Passes of each street a year")
    vehicles: int = Field(1, ge=1, le=100, description="Vehicles that share the way")
    carrier: Literal["survey_vehicle", "refuse_lorry"] = Field(
        "survey_vehicle", description="What carries the camera; a lorry drives there anyway"
    )

    def describe(self, language: str = "en") -> str:
        if language == "de":
            one, many = {
                "survey_vehicle": ("Messfahrzeug befährt", "Messfahrzeuge befahren"),
                "refuse_lorry": ("Müllfahrzeug befährt", "Müllfahrzeuge befahren"),
            }[self.carrier]
            who = f"{self.vehicles} {one if self.vehicles == 1 else many}"
            passes = f"{self.passes_per_year:g}".replace(".", ",")
            return f"{who} jede Straße {passes}-mal im Jahr"
        one, many = {
            "survey_vehicle": ("a survey vehicle passes", "survey vehicles pass"),
            "refuse_lorry": ("a refuse lorry passes", "refuse lorries pass"),
        }[self.carrier]
        who = one if self.vehicles == 1 else f"{self.vehicles} {many}"
        times = {1.0: "once", 2.0: "twice"}.get(
            self.passes_per_year, f"{self.passes_per_year:g} times"
        )
        return f"{who} each street {times} a year"


class Pavement(Measure):
    """How pavements age, and what the city holds true of it."""

    over_years: ClassVar[bool] = True
    kind: Literal["pavement"] = "pavement"
    truth: Model = Field("markov", description="How pavements age")
    belief: Model = Field("markov", description="How the city believes that they age")
    condition: Annotated[
        str | None, Field(description="CSV or GeoJSON of a survey: position, pci, time")
    ] = None
    detections: Annotated[
        str | None,
        Field(description="CSV or GeoJSON of detections: position, class, confidence, time"),
    ] = None
    reports: Annotated[
        str | None, Field(description="CSV or GeoJSON of citizens' reports: position, time")
    ] = None

    def told(
        self,
        city: City,
        sections: gpd.GeoDataFrame,
        now: dt.datetime,
        found: Callable[[str], Path],
    ) -> dict[str, Rows]:
        """What the files say, by kind of file; `found` says where one lies."""
        from twin.roads import files

        readers = {
            "condition": files.read_condition,
            "detections": files.read_detections,
            "reports": files.read_reports,
        }
        named = {kind: getattr(self, kind) for kind in readers}
        return {
            kind: readers[kind](found(name), city, sections, now, name)
            for kind, name in named.items()
            if name is not None
        }

    def read(self, run: Outlook) -> tuple[str, ...]:
        from twin.roads.sections import make_sections

        if not self.files():
            return ()
        told = self.told(run.city, make_sections(run.city), run.begin, run.file)
        return tuple(line for rows in told.values() for line in rows.refused)

    def files(self) -> tuple[str, ...]:
        return tuple(f for f in (self.condition, self.detections, self.reports) if f is not None)

    def describe(self, language: str = "en") -> str:
        if language == "de":
            known = f"; bekannt aus {', '.join(self.files())}" if self.files() else ""
            truth, belief = GERMAN_MODELS[self.truth], GERMAN_MODELS[self.belief]
            return f"Alterung der Fahrbahnen: {truth}, angenommen: {belief}{known}"
        known = f"; known from {', '.join(self.files())}" if self.files() else ""
        return f"pavements age by {self.truth}, believed to by {self.belief}{known}"
