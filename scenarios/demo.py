"""`twin demo`: every step of the program on central Helsinki, ending in one report."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios import screen
from scenarios.compare import Comparison, compare
from scenarios.loading import Source, dump_scenario, parse_scenario
from scenarios.runner import run_scenario
from scenarios.runs import check_folder, locked
from scenarios.training import train_signals
from twin.city.opening import open_city
from twin.errors import OutputError, TwinError
from twin.system import layers

if TYPE_CHECKING:
    from twin.city import City

CHAPTERS = {"signals": "signals_in_the_peak", "works": "works_of_a_day"}
SHIPPED, AGENT_POLICY = "policy: frap_towns", "ppo"  # the demo trains an agent of its own
LOAD_LAYER = "load"
TRAINING_S, SHORT_TRAINING_S, TRAINING_DAYS = 60.0, 8.0, 3
SUMMARY = "training.json"
SHORT_REPLICATIONS = 2
STEPS = 6


def run_demo(folder: Path, *, short: bool = False, workers: int | None = None) -> Path:
    """Do every step that is missing in a folder; return the report.

    Parameters
    ----------
    folder
        Where all of it goes.
    short
        Two replications and a short training, for a quick check.
    workers
        Processes; as many as there are cores unless given.

    Raises
    ------
    TwinError
        If a step fails or the folder holds something else.
    """
    _check(folder)
    with locked(folder):
        city = _city(folder)
        scale = parse_scenario(_text("signals"), folder / "demo.yaml").scenario.demand.scale
        _demand(city, scale)
        agent = _agent(city, folder, SHORT_TRAINING_S if short else TRAINING_S, scale)
        sources = [_scenario(name, folder, agent, short=short) for name in CHAPTERS]
        comparisons = []
        for step, (name, source) in enumerate(zip(CHAPTERS, sources, strict=True), start=4):
            _step(step, f"{source.scenario.name}: {source.scenario.replications} replications")
            comparisons.append(_chapter(source, folder / name, workers))
        return _report(city, comparisons, folder)


def _text(name: str) -> str:
    """Return the text of a chapter: a scenario of the library, with the demo's own agent."""
    file = resources.files("scenarios") / "library" / f"{CHAPTERS[name]}.yaml"
    return file.read_text(encoding="utf-8").replace(SHIPPED, f"policy: {AGENT_POLICY}")


def _check(folder: Path) -> None:
    """Refuse a folder of something else; that of an earlier start begins with the city."""
    if not (folder / "city" / "city.json").is_file():
        check_folder(folder)


def _step(number: int, text: str) -> None:
    screen.say(f"[{number}/{STEPS}] {text}")


def _city(folder: Path) -> City:
    """Build, save, load and compare the city."""
    from twin.city import City

    _step(1, "The city: central Helsinki from OpenStreetMap")
    saved = folder / "city"
    if saved.exists():
        city = City.load(saved)
        screen.say(f"there already: {saved}")
    else:
        built = open_city("helsinki", say=screen.say)
        built.save(saved)
        city = City.load(saved)
        if city.digest != built.digest:
            msg = f"{saved}: what was loaded is not what was saved; check the disk"
            raise OutputError(msg)
        screen.say(f"saved, loaded and found equal: {saved}")
    facts = city.summary()
    screen.say(
        f"{facts['street_km']:.1f} km of streets, {facts['lanes']} lanes, {facts['signals']} "
        f"signals, {facts['buildings']} buildings"
    )
    return city


def _demand(city: City, scale: float) -> None:
    """Print the expected trips of the morning by purpose."""
    from twin.traffic.demand import Demand

    _step(2, "The demand: trips expected on a working day")
    expected = Demand.generate(city, scale=scale).expected()
    hours = (7, 8, 12, 17, 22)
    wide = expected.pivot_table(index="purpose", columns="hour", values="trips", aggfunc="sum")
    rows = [
        (str(purpose), *(f"{row[hour]:,.0f}" for hour in hours), f"{row.sum():,.0f}")
        for purpose, row in wide.iterrows()
    ]
    names = [f"{hour}–{hour + 1} h" for hour in hours]
    screen.table("Vehicle trips per hour", ("Purpose", *names, "day"), rows)


def _agent(city: City, folder: Path, seconds: float, scale: float) -> Path:
    """Train the agent; what is there of it is kept."""
    from agents.train import AGENT, Plan
    from envs.opening import open_scene

    _step(3, f"An agent (PPO) learns to control the signals, {seconds:.0f} s")
    place = folder / f"agent-{seconds:.0f}s"
    if (place / AGENT).is_file() and (place / SUMMARY).is_file():
        screen.say(f"there already: {place}")
        return place / AGENT
    scene = open_scene(city, scale=scale)
    plan = Plan("ppo", minutes=seconds / 60.0, copies=4, validations=4, validation_days=1)
    with screen.progress_shown() as progress:
        done = train_signals([scene], place, plan, progress=progress, draws=TRAINING_DAYS)
    delay_s = done.state.best_s
    screen.say(f"{done.path}: {done.state.decisions:,} decisions, delay {delay_s:.1f} s a trip")
    return done.path


def _scenario(name: str, folder: Path, agent: Path, *, short: bool) -> Source:
    """Return a scenario of the library with the demo's own city and agent."""
    path = folder / f"demo_{name}.yaml"
    source = parse_scenario(_text(name), path)
    changes: dict[str, object] = {"city": "city"}
    if AGENT_POLICY in source.text:
        changes["agents"] = {AGENT_POLICY: str(agent.relative_to(folder))}
    if short:
        changes["replications"] = SHORT_REPLICATIONS
    scenario = source.scenario.model_copy(update=changes)
    return replace(source, scenario=scenario, text=dump_scenario(scenario))


def _chapter(source: Source, folder: Path, workers: int | None) -> Comparison:
    """Run a scenario and compare its alternatives."""
    with screen.progress_shown() as progress:
        run_scenario(source, folder, workers=workers, progress=progress)
    comparison = compare(folder)
    comparison.save(folder.with_name(f"{folder.name}-compared"))
    screen.comparison_table(comparison, source.scenario.name)
    return comparison


def _report(city: City, comparisons: list[Comparison], folder: Path) -> Path:
    """Draw the picture and write the report."""
    from scenarios.report import write_report

    _step(STEPS, "The picture, the report and the presentation")
    picture = _picture(city, comparisons[0], folder / "picture.png")
    report: Path = write_report(
        comparisons,
        folder / "report.html",
        title="Stadtzwilling: central Helsinki",
        picture=picture,
        extra={},
    )
    page = _presentation([c.base.folder.parent for c in comparisons], folder / "presentation.html")
    made = {"Report": report, "Picture": picture, "Presentation": page, "Everything": folder}
    for what, path in made.items():
        if path is not None:
            screen.say(f"{what}: {path}")
    return report


def _presentation(runs: list[Path], path: Path) -> Path | None:
    """Write the presentation of the last scenario; None, and a line, where it cannot be made."""
    from scenarios.presenting import present

    try:
        return present(runs[-1:], path, overwrite=True, say=screen.say)
    except TwinError as error:
        screen.say(f"no presentation: {error}")
        return None


def _picture(city: City, comparison: Comparison, path: Path) -> Path | None:
    """Draw the traffic of the base; None, and a line, where nothing can be drawn."""
    from viz.picture import save_picture

    rows = comparison.streets
    rows = rows[rows["alternative"] == comparison.alternatives[0].name].set_index("street")
    layer = layers()[LOAD_LAYER]
    try:
        return save_picture(
            city,
            path,
            values=rows[f"base_{layer.name}"],
            title="Central Helsinki: where the traffic is",
            subtitle=str(comparison.base.manifest.get("scenario", "")),
            legend=f"{layer.title}, mean of {int(comparison.table['n'].max())} days",
            unit=layer.unit,
        )
    except TwinError as error:
        screen.say(f"no picture: {error}")
        return None
