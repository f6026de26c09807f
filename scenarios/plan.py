"""What is to be run: checked inputs, their hash, and what is missing in a folder."""

from __future__ import annotations

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
from scenarios.checking import Placed, check_measures, inside, measure_lists, outlook
from scenarios.responses import Responses, responses
from scenarios.schema import BASE
from scenarios.worker import Job, Variant
from twin.city.opening import fingerprint, glance, open_city
from twin.errors import InputError, OutputError, ScenarioError
from twin.system import Measure, Outlook, Response, systems

if TYPE_CHECKING:
    from scenarios.loading import Place, Source
    from twin.city import City
    from twin.traffic.demand import Demand

DISTRIBUTIONS = {
    "stadtzwilling": "stadtzwilling", "numpy": "numpy", "numba": "numba", "simpy": "simpy",
    "sumo": "eclipse-sumo",
}  # fmt: skip
SHOWN_REFUSALS = 20
JUDGED = 10  # replications in which the equilibrium is found twice
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
    runs.check_folder(folder)
    say("city")
    city = _city(source, folder, say)
    files, data = _agent_files(source), _data_files(source)
    run = outlook(source, city, data)
    check_measures(source, run)
    say("demand")
    demand = make_demand(source, city)
    refused = _read_files(source, run)
    manifests = _manifests(source, run, demand, files, data, refused)
    own = {name: inside(source, name) for name in source.scenario.demand.files()}
    kept = _kept(source, files, {**data, **own})
    earlier = {name: runs.claim_run(folder / name, m["inputs"]) for name, m in manifests.items()}
    for name, manifest in manifests.items():
        manifest["wall_s"] = float((earlier[name] or {}).get("wall_s", 0.0))
        manifest["files"] = kept
        runs.write_manifest(folder / name, manifest)
        runs.write_text(folder / name / runs.SCENARIO, source.text)
    if not (folder / runs.CITY).exists():
        city.save(folder / runs.CITY)
    _save_zones(demand, city, folder)
    for measure in _measures(source):
        measure.prepare(city, demand, say)
    agents = {name: _copied(file, folder) for name, file in files.items()}
    told = {name: _copied(file, folder, "data") for name, file in data.items()}
    for file in own.values():
        _copied(file, folder, "data")
    jobs = _jobs(source, run, folder, demand, agents, told)
    return Plan(source, folder, city, demand, agents, manifests, jobs)


def make_demand(source: Source, city: City) -> Demand:
    """Return the demand of the base: generated, or of the scenario's own matrices.

    Raises
    ------
    ScenarioError
        If a file of it cannot be used.
    """
    from twin.traffic.demand import Demand
    from twin.traffic.demand.changes import with_headways
    from twin.traffic.demand.matrix_files import MatrixFile

    said = source.scenario.demand
    try:
        if said.zones is None:
            demand = Demand.generate(city, scale=said.scale)
        else:
            zones = inside(source, said.zones)
            matrices = [
                MatrixFile(**{**m.model_dump(), "file": inside(source, m.file)})
                for m in said.matrices
            ]
            demand = Demand.from_matrices(
                city,
                zones,
                matrices,
                id_column=said.zone_id,
                scale=said.scale,
            )
        return with_headways(demand, city, said.headways) if said.headways else demand
    except InputError as error:
        text = str(error).removeprefix(f"{source.path}: ")
        msg = f"{source.at('demand')}: {text}"
        raise ScenarioError(msg) from None


def _save_zones(demand: Demand, city: City, folder: Path) -> None:
    """Write where the zones of the demand lie, as GeoParquet beside the runs."""
    zones = demand.population().set_crs(city.crs)
    part = folder / f".{runs.ZONES}.part"
    try:
        zones.to_parquet(part, index=False)
        part.replace(folder / runs.ZONES)
    except OSError as error:
        msg = f"{folder}: cannot be written, {error.strerror or error}; free some space"
        raise OutputError(msg) from None


def check_scenario(
    source: Source, say: Say
) -> tuple[Outlook, dict[str, list[Placed]], Demand | None]:
    """Return what measures may know, what each run's own ones change, and the demand of matrices.

    Generated demand is not made here, so it is None. Nothing is written.

    Raises
    ------
    TwinError
        If the scenario cannot be run.
    """
    own = source.scenario.demand.zones is not None
    whole = own or any(m.over_years and m.files() for m in _measures(source))
    look = open_city if whole else glance
    try:
        city = look(_reference(source), folder=source.folder, say=say)
        city.need_streets()
    except InputError as error:
        msg = f"{source.at('city')}: {error}"
        raise ScenarioError(msg) from None
    _agent_files(source)
    run = outlook(source, city, _data_files(source))
    lists = check_measures(source, run)
    _read_files(source, run)
    demand = make_demand(source, city) if own else None
    if demand is None and source.scenario.demand.headways:
        _check_headways(source, city)
    return run, lists, demand


def _check_headways(source: Source, city: City) -> None:
    from twin.traffic.demand.lines import check_headways

    try:
        check_headways(city.lines, source.scenario.demand.headways)
    except InputError as error:
        msg = f"{source.at('demand', 'headways')}: {error}"
        raise ScenarioError(msg) from None


def _reference(source: Source) -> str:
    """Return what the city is called, seen from the scenario: its copy, where a run keeps both."""
    named, copy = source.scenario.city, f"../{runs.CITY}"
    before = runs.keeper(source.path).get("city", {})
    same = before.get("reference") == runs.digest_of(named)
    return copy if same and (source.folder / copy).is_dir() else named


def _city(source: Source, folder: Path, say: Say) -> City:
    """Return the city: the folder's own copy, where the scenario still means the same one."""
    from twin.city import City

    reference = _reference(source)
    mark = fingerprint(reference, source.folder)
    copy = folder / runs.CITY
    if copy.exists() and (folder / BASE / runs.MANIFEST).is_file():
        before = runs.open_run(folder / BASE).manifest["city"]
        if before.get("fingerprint") == mark:
            return City.load(copy)
    try:
        city = open_city(reference, folder=source.folder, say=say)
        city.need_streets()
    except InputError as error:
        msg = f"{source.at('city')}: {error}"
        raise ScenarioError(msg) from None
    if copy.exists() and City.load(copy).digest != city.digest:
        msg = f"{copy}: is another city than {reference!r}; name another folder with -o"
        raise OutputError(msg)
    return city


def _agent_files(source: Source) -> dict[str, Path]:
    """Return files of trained agents by policy: those listed, and policies that are files."""
    named: dict[str, tuple[str, Place]] = {
        name: (file, ("agents", name)) for name, file in source.scenario.agents.items()
    }
    for measures in measure_lists(source).values():
        for place, measure in measures:
            policy = str(getattr(measure, "policy", ""))
            if policy.endswith(".zip"):
                named.setdefault(policy, (policy, place))
    return {
        name: inside(source, file, f"{source.at(*place)}: agent {name!r}")
        for name, (file, place) in named.items()
    }


def _measures(source: Source) -> list[Measure]:
    """Return the measures of the base and of all alternatives."""
    everything = [*source.scenario.base]
    for alternative in source.scenario.alternatives:
        everything.extend(alternative.measures)
    return everything


def _data_files(source: Source) -> dict[str, Path]:
    """Return the files that measures read, by the name that the scenario gives them."""
    return {
        name: inside(source, name, source.at(*place))
        for measures in measure_lists(source).values()
        for place, measure in measures
        for name in measure.files()
    }


def _read_files(source: Source, run: Outlook) -> list[str]:
    """Read what measures read, so that what cannot be used is told before anything is written.

    Returns
    -------
    One line for each row that is refused, each once.
    """
    refused: dict[str, None] = {}
    for measure in _measures(source):
        try:
            lines = measure.read(run)
        except InputError as error:
            msg = f"{source.path}: {error}"
            raise ScenarioError(msg) from None
        refused |= dict.fromkeys(lines)
    return list(refused)


def _kept(source: Source, agents: Mapping[str, Path], data: Mapping[str, Path]) -> dict[str, str]:
    """Return where the copies of a scenario's files are kept, by their names in the scenario."""
    listed = source.scenario.agents
    return {
        **{listed.get(name, name): _copy_name(file, "agents") for name, file in agents.items()},
        **{name: _copy_name(file, "data") for name, file in data.items()},
    }


def _copy_name(file: Path, part_of: str) -> str:
    return f"{part_of}/{_sha256(file)[:16]}{file.suffix}"


def _copied(file: Path, folder: Path, part_of: str = "agents") -> Path:
    """Return the folder's own copy of a file, named by its content."""
    copy = folder / _copy_name(file, part_of)
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
    run: Outlook,
    demand: Demand,
    agents: Mapping[str, Path],
    data: Mapping[str, Path],
    refused: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Return the manifest of the base and of each alternative by name."""
    scenario, city = source.scenario, run.city
    shared = _shared_inputs(source, city, demand)
    common = {
        "format": runs.FORMAT,
        "format_version": runs.FORMAT_VERSION,
        "scenario": scenario.name,
        "city": {
            "name": city.name,
            "digest": city.digest,
            "fingerprint": fingerprint(_reference(source), source.folder),
            "reference": runs.digest_of(scenario.city),
        },
        "demand": {
            "scale": scenario.demand.scale,
            "digest": shared["demand"],
            "matrices": [m.file for m in scenario.demand.matrices],
        },
        "period": scenario.period.model_dump(mode="json"),
        "years": scenario.years,
        "refused_rows": len(refused),
        "refused": list(refused[:SHOWN_REFUSALS]),
        "equilibrium": scenario.equilibrium.model_dump(mode="json"),
        "seeds": list(scenario.seeds),
        "systems": list(scenario.systems or systems()),
        "versions": program_versions(),
        "git_revision": _git_revision(),
    }
    variants: list[tuple[str, str, Response | None, float, Sequence[Measure]]] = [
        (BASE, "Base", None, 1.0, ())
    ]
    variants += [
        (a.name, a.label, a.response, a.informed, a.measures) for a in scenario.alternatives
    ]
    manifests = {}
    for position, (name, title, stated, informed, measures) in enumerate(variants):
        response = list(responses(measures, run, stated).each)
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
            "measures": _told(measures, response),
            "base_measures": _told(scenario.base, responses(scenario.base, run).each),
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
    scenario = source.scenario
    modules = [s.module for name, s in systems().items() if name in _systems(source)]
    return {
        "city": city.digest,
        "demand": demand.digest,
        "period": scenario.period.model_dump(mode="json"),
        "equilibrium": scenario.equilibrium.model_dump(mode="json"),
        "base": _written(scenario.base),
        "systems": list(_systems(source)),
        **({"years": scenario.years} if scenario.years else {}),
        "program": program_digest(modules),
    }


def _systems(source: Source) -> tuple[str, ...]:
    wanted = source.scenario.systems
    return tuple(name for name in systems() if wanted is None or name in wanted)


def _written(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    return [measure.model_dump(mode="json") for measure in measures]


def _told(measures: Sequence[Measure], each: Sequence[str]) -> list[dict[str, Any]]:
    """Return measures as they are written, in words, and with the response to them."""
    rows = zip(_written(measures), measures, each, strict=True)
    return [
        {**w, "describe": m.describe(), "describe_de": m.describe("de"), "response": response}
        for w, m, response in rows
    ]


def _jobs(
    source: Source,
    run: Outlook,
    folder: Path,
    demand: Demand,
    agents: Mapping[str, Path],
    files: Mapping[str, Path],
) -> tuple[Job, ...]:
    """Return a job for each seed of which a replication is missing."""
    scenario, period = source.scenario, source.scenario.period
    variants = [_variant(run, folder / BASE, scenario.base, (), None, 1.0)]
    for a in scenario.alternatives:
        where = folder / a.name
        variants.append(_variant(run, where, scenario.base, a.measures, a.response, a.informed))
    done = {variant.folder: runs.complete_seeds(variant.folder) for variant in variants}
    modules = tuple(s.module for s in systems().values() if s.module)
    judged = JUDGED if any(v.learned != variants[0].learned for v in variants) else 0
    jobs = []
    for position, seed in enumerate(scenario.seeds):
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
                variants=missing,
                usual=variants[0].learned,
                systems=scenario.systems,
                modules=modules,
                agents=agents,
                again=position < judged,
                record=position == 0,
                years=scenario.years,
                files=files,
            )
            jobs.append(job)
    return tuple(jobs)


def _variant(
    run: Outlook,
    folder: Path,
    base: Sequence[Measure],
    own: Sequence[Measure],
    stated: Response | None,
    informed: float,
) -> Variant:
    """Return a run as it is simulated."""
    measures = (*base, *own)
    found = Responses((*responses(base, run).each, *responses(own, run, stated).each))
    return Variant(
        folder=folder,
        measures=measures,
        learned=found.learned(measures),
        response=found.on_the_way,
        informed=informed,
        base=not own and folder.name == BASE,
    )


def program_digest(modules: Sequence[str], packages: Sequence[str] = CODE) -> str:
    """Return the SHA-256 over the source of all that computes results."""
    files = []
    for package in packages:
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


def program_versions() -> dict[str, str]:
    """Return the versions of Python and of what results depend on most."""
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
