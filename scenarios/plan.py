"""What is to be run: checked inputs, their hash, and what is missing in a folder."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios import runs
from scenarios.schema import BASE
from scenarios.worker import Job, Variant
from twin import times
from twin.city.opening import fingerprint, open_city
from twin.errors import InputError, OutputError, ScenarioError
from twin.system import Measure, Outlook, systems

if TYPE_CHECKING:
    from scenarios.loading import Source
    from twin.city import City
    from twin.traffic.demand import Demand

DISTRIBUTIONS = {
    "stadtzwilling": "stadtzwilling", "numpy": "numpy", "numba": "numba", "simpy": "simpy",
    "sumo": "eclipse-sumo",
}  # fmt: skip
SHOWN_REFUSALS = 20
CODE = ("twin", "agents", "envs")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """A scenario made ready to run in a folder.

    Parameters
    ----------
    source
        The scenario.
    folder
        Where its runs go.
    city, demand
        What they share.
    agents
        Files of trained agents by the name of the policy, copied into the folder.
    manifests
        Manifest of each run by its name; the base first.
    jobs
        What is missing.
    """

    source: Source
    folder: Path
    city: City
    demand: Demand
    agents: Mapping[str, Path]
    manifests: Mapping[str, dict[str, Any]]
    jobs: tuple[Job, ...]


def make_plan(source: Source, folder: Path, say: Say) -> Plan:
    """Return what is to be run; the folder then holds the city and the manifests.

    Raises
    ------
    TwinError
        If the scenario cannot be run in this city, or the folder is in use for something else.
    """
    from twin.traffic.demand import Demand

    scenario = source.scenario
    runs.check_folder(folder)
    say("city")
    city = _city(source, folder, say)
    _check_measures(source, city)
    say("demand")
    demand = Demand.generate(city, scale=scenario.demand.scale)
    files, data = _agent_files(source), _data_files(source)
    refused = _read_files(source, city, data)
    manifests = _manifests(source, city, demand, files, data, refused)
    earlier = {name: runs.claim_run(folder / name, m["inputs"]) for name, m in manifests.items()}
    for name, manifest in manifests.items():
        manifest["wall_s"] = float((earlier[name] or {}).get("wall_s", 0.0))
        runs.write_manifest(folder / name, manifest)
        runs.write_text(folder / name / runs.SCENARIO, source.text)
    if not (folder / runs.CITY).exists():
        city.save(folder / runs.CITY)
    for measure in _measures(source):
        measure.prepare(city, demand, say)
    agents = {name: _copied(file, folder) for name, file in files.items()}
    told = {name: _copied(file, folder, "data") for name, file in data.items()}
    jobs = _jobs(source, folder, demand, agents, told)
    return Plan(source, folder, city, demand, agents, manifests, jobs)


def _city(source: Source, folder: Path, say: Say) -> City:
    """Return the city: the folder's own copy, where the scenario still means the same one."""
    from twin.city import City

    reference = source.scenario.city
    mark = fingerprint(reference, source.folder)
    copy = folder / runs.CITY
    if copy.exists() and (folder / BASE / runs.MANIFEST).is_file():
        before = runs.open_run(folder / BASE).manifest["city"]
        if before.get("fingerprint") == mark:
            return City.load(copy)
    try:
        city = open_city(reference, folder=source.folder, say=say)
    except InputError as error:
        msg = f"{source.at('city')}: {error}"
        raise ScenarioError(msg) from None
    if copy.exists() and City.load(copy).digest != city.digest:
        msg = f"{copy}: is another city than {reference!r}; name another folder with -o"
        raise OutputError(msg)
    return city


def _check_measures(source: Source, city: City) -> None:
    """Refuse streets and policies that are not there before anything is simulated."""
    from twin.city.lookup import find_streets

    scenario = source.scenario
    placed: list[tuple[tuple[str | int, ...], Measure]] = [
        (("base", k), measure) for k, measure in enumerate(scenario.base)
    ]
    for a, alternative in enumerate(scenario.alternatives):
        for k, measure in enumerate(alternative.measures):
            placed.append((("alternatives", a, "measures", k), measure))
    for place, measure in placed:
        for street in measure.streets():
            try:
                find_streets(city, street)
            except ScenarioError as error:
                msg = f"{source.at(*place, 'street')}: {error}"
                raise ScenarioError(msg) from None
        if measure.over_years and not scenario.years:
            msg = (
                f"{source.at(*place)}: {measure.kind} works over years: write 'years: 10', or as "
                "many as are wanted, in the scenario"
            )
            raise ScenarioError(msg)
        try:
            measure.check(city)
            _check_policy(measure, scenario.agents)
        except InputError as error:
            msg = f"{source.at(*place)}: {error}"
            raise ScenarioError(msg) from None


def _check_policy(measure: Measure, agents: Mapping[str, str]) -> None:
    """Refuse a policy that is no baseline and no agent."""
    from agents.registry import domain_of, resolve

    policy = getattr(measure, "policy", None)
    if policy is not None and policy not in agents and not policy.endswith(".zip"):
        resolve(policy, domain_of(measure))


def _agent_files(source: Source) -> dict[str, Path]:
    """Return files of trained agents by policy: those listed, and policies that are files."""
    named = dict(source.scenario.agents)
    for measure in _measures(source):
        policy = str(getattr(measure, "policy", ""))
        if policy.endswith(".zip"):
            named.setdefault(policy, policy)
    files = {name: source.folder / Path(file).expanduser() for name, file in named.items()}
    for name, file in files.items():
        if not file.is_file():
            msg = f"{source.at('agents', name)}: agent {name!r}: no file {file}; train it first"
            raise ScenarioError(msg)
    return files


def _measures(source: Source) -> list[Measure]:
    """Return the measures of the base and of all alternatives."""
    everything = [*source.scenario.base]
    for alternative in source.scenario.alternatives:
        everything.extend(alternative.measures)
    return everything


def _data_files(source: Source) -> dict[str, Path]:
    """Return the files that measures read, by the name that the scenario gives them."""
    found = {}
    for name in (name for measure in _measures(source) for name in measure.files()):
        file = source.folder / Path(name).expanduser()
        if not file.is_file():
            msg = f"{source.path}: no file {file}; write its name as seen from the scenario"
            raise ScenarioError(msg)
        found[name] = file
    return found


def _read_files(source: Source, city: City, data: Mapping[str, Path]) -> list[str]:
    """Read what measures read, so that what cannot be used is told before anything is written.

    Returns
    -------
    One line for each row that is refused, each once.
    """
    scenario = source.scenario
    midnight = dt.datetime.combine(scenario.period.day, dt.time(), tzinfo=dt.UTC)
    begin = midnight + dt.timedelta(seconds=times.seconds(scenario.period.begin))
    run = Outlook(city, begin, scenario.years, data.__getitem__)
    refused: dict[str, None] = {}
    for measure in _measures(source):
        try:
            lines = measure.read(run)
        except InputError as error:
            msg = f"{source.path}: {error}"
            raise ScenarioError(msg) from None
        refused |= dict.fromkeys(lines)
    return list(refused)


def _copied(file: Path, folder: Path, part_of: str = "agents") -> Path:
    """Return the folder's own copy of a file, named by its content."""
    copy = folder / part_of / f"{_sha256(file)[:16]}{file.suffix}"
    if copy.is_file():
        return copy
    part = copy.with_name(f".{copy.name}.part")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, part)
        part.replace(copy)
    except OSError as error:
        msg = f"{copy}: cannot be written, {error.strerror or error}; free space or name another"
        raise OutputError(msg) from None
    return copy


def _manifests(
    source: Source,
    city: City,
    demand: Demand,
    agents: Mapping[str, Path],
    data: Mapping[str, Path],
    refused: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Return the manifest of the base and of each alternative by name."""
    scenario = source.scenario
    shared = _shared_inputs(source, city, demand)
    common = {
        "format": runs.FORMAT,
        "format_version": runs.FORMAT_VERSION,
        "scenario": scenario.name,
        "city": {
            "name": city.name,
            "digest": city.digest,
            "fingerprint": fingerprint(scenario.city, source.folder),
        },
        "demand": {"scale": scenario.demand.scale, "digest": shared["demand"]},
        "period": scenario.period.model_dump(mode="json"),
        "years": scenario.years,
        "refused_rows": len(refused),
        "refused": list(refused[:SHOWN_REFUSALS]),
        "equilibrium": scenario.equilibrium.model_dump(mode="json"),
        "seeds": list(scenario.seeds),
        "systems": list(scenario.systems or systems()),
        "versions": _versions(),
        "git_revision": _git_revision(),
    }
    variants: list[tuple[str, str, str, float, Sequence[Measure]]] = [
        (BASE, "Base", "none", 1.0, ())
    ]
    variants += [
        (a.name, a.label, a.response, a.informed, a.measures) for a in scenario.alternatives
    ]
    manifests = {}
    for position, (name, title, response, informed, measures) in enumerate(variants):
        used = {str(getattr(m, "policy", "")) for m in (*scenario.base, *measures)}
        inputs = {
            **shared,
            "measures": _written(measures),
            "response": response,
            "informed": informed,
            "agents": {k: _sha256(file) for k, file in sorted(agents.items()) if k in used},
            **_files_read([*scenario.base, *measures], data),
        }
        manifests[name] = {
            **common,
            "name": name,
            "title": title,
            "position": position,
            "measures": [{**w, "describe": m.describe()} for w, m in _pairs(measures)],
            "base_measures": [{**w, "describe": m.describe()} for w, m in _pairs(scenario.base)],
            "response": response,
            "informed": informed,
            "inputs": inputs,
            "input_hash": runs.digest_of(inputs),
        }
    return manifests


def _files_read(measures: Sequence[Measure], data: Mapping[str, Path]) -> dict[str, Any]:
    """Return the hashes of the files that measures read, if there are any."""
    names = sorted({name for measure in measures for name in measure.files()})
    return {"files": {name: _sha256(data[name]) for name in names}} if names else {}


def _shared_inputs(source: Source, city: City, demand: Demand) -> dict[str, Any]:
    """Return everything but its own measures that the results of a run depend on."""
    from twin.city.model import table_digest

    scenario = source.scenario
    modules = [s.module for name, s in systems().items() if name in _systems(source)]
    return {
        "city": city.digest,
        "demand": table_digest(demand.expected()),
        "period": scenario.period.model_dump(mode="json"),
        "equilibrium": scenario.equilibrium.model_dump(mode="json"),
        "base": _written(scenario.base),
        "systems": list(_systems(source)),
        **({"years": scenario.years} if scenario.years else {}),
        "program": _program_digest(modules),
    }


def _systems(source: Source) -> tuple[str, ...]:
    wanted = source.scenario.systems
    return tuple(name for name in systems() if wanted is None or name in wanted)


def _written(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    return [measure.model_dump(mode="json") for measure in measures]


def _pairs(measures: Sequence[Measure]) -> list[tuple[dict[str, Any], Measure]]:
    return list(zip(_written(measures), measures, strict=True))


def _jobs(
    source: Source,
    folder: Path,
    demand: Demand,
    agents: Mapping[str, Path],
    files: Mapping[str, Path],
) -> tuple[Job, ...]:
    """Return a job for each seed of which a replication is missing."""
    scenario, period = source.scenario, source.scenario.period
    variants = [Variant(folder / BASE, scenario.base, "none", informed=1.0, base=True)]
    for a in scenario.alternatives:
        measures = (*scenario.base, *a.measures)
        variants.append(
            Variant(folder / a.name, measures, a.response, informed=a.informed, base=False)
        )
    done = {variant.folder: runs.complete_seeds(variant.folder) for variant in variants}
    modules = tuple(s.module for s in systems().values() if s.module)
    jobs = []
    for seed in scenario.seeds:
        missing = tuple(v for v in variants if seed not in done[v.folder])
        if missing:
            job = Job(
                seed=seed,
                seed_folder=runs.seed_folder(seed),
                city_folder=folder / runs.CITY,
                demand=demand,
                begin_s=period.begin_s,
                end_s=period.end_s,
                warmup_s=period.warmup_s,
                interval_s=period.interval_s,
                day=period.day,
                equilibrium=scenario.equilibrium,
                base=scenario.base,
                variants=missing,
                systems=scenario.systems,
                modules=modules,
                agents=agents,
                years=scenario.years,
                files=files,
            )
            jobs.append(job)
    return tuple(jobs)


def _program_digest(modules: Sequence[str]) -> str:
    """Return the SHA-256 over the source of all that computes results."""
    files = []
    for package in CODE:
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations or []) if found else []:
            files += [(p.relative_to(folder).as_posix(), p) for p in Path(folder).rglob("*.py")]
    for module in modules:
        spec = importlib.util.find_spec(module) if module else None
        if spec is not None and spec.origin:
            files.append((module, Path(spec.origin)))
    total = hashlib.sha256()
    for name, path in sorted(files):
        total.update(name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _sha256(path: Path) -> str:
    from twin.city.provenance import file_sha256

    return file_sha256(path)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _git_revision() -> str:
    """Return the revision that the program was checked out at, empty where there is none."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(here), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
