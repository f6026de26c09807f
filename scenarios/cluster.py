"""Replications on a Ray cluster, whose nodes see neither the driver's files nor each other's.

A task is sent with its seed and variants; what all tasks share (city, demand, files) is put into
the cluster once and unpacked once on every node. Results come back as the bytes of their files.
A task whose worker or node dies is run again elsewhere; since a replication is a function of its
seed, the outcome is the same.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios import worker
from scenarios.worker import Job, Took
from twin.errors import InputError, OutputError, SimulationError, TwinError

if TYPE_CHECKING:
    from scenarios.runner import Tally

POLL_S = 0.25
CHECK_S = 2.0  # between looks at the cluster itself
SILENT_S = 15.0  # without an answer, after which the cluster counts as lost; Ray gives up at 60
KNOCK_S = 3.0  # for a machine to take a call
RETRIES = 5  # of a replication whose worker or node died
PACKAGES = ("twin", "agents", "envs", "scenarios")

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class _Shared:
    """What all tasks need.

    Parameters
    ----------
    job
        A job; the others differ in what `_own` returns. Its paths are those in `files`.
    files
        Contents by path.
    key
        Hash of it all.
    program, versions
        What the driver would compute with.
    """

    job: Job
    files: Files
    key: str
    program: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class _Done:
    """A task's results: files of each run's replication by the run's name."""

    files: Mapping[str, Files]
    took: Took


def run_on_cluster(
    jobs: Sequence[Job], address: str, tally: Tally, *, most: int | None = None
) -> None:
    """Run jobs on a Ray cluster; each result is written here when it comes.

    Parameters
    ----------
    jobs
        What is to be done, all of one scenario.
    address
        "auto", "HOST:PORT", "ray://HOST:PORT", or "local" for a cluster of this machine alone.
    tally
        Is told of progress.
    most
        Jobs at a time; as many as the cluster has cores unless given.

    Raises
    ------
    InputError
        If there is no such cluster, or Ray is missing.
    TwinError
        What a replication was refused for, or that the cluster was lost.
    """
    with _connected(address) as ray:
        try:
            _run(ray, jobs, tally, most)
        except ray.exceptions.RayError as error:
            raise _told(error) from None
        except ConnectionError:
            how = "does not answer any more"
            raise _lost(how) from None


def _run(ray: Any, jobs: Sequence[Job], tally: Tally, most: int | None) -> None:
    watch, shared = _Watch(ray), ray.put(_pack(jobs[0]))
    # Ray runs a task again only where its worker or node died, not where it raised.
    task = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(_replicate)
    waiting, sent = deque(jobs), dict[Any, Job]()
    begun: dict[int, float] = {}
    while waiting or sent:
        cores = watch.cores()
        limit = max(2, 2 * cores if most is None else most)
        while waiting and len(sent) < limit:
            job = waiting.popleft()
            sent[task.remote([shared], _own(job))] = job
        done, _ = ray.wait(list(sent), timeout=POLL_S)
        for ref in done:
            job = sent.pop(ref)
            found: _Done = ray.get(ref)
            for variant in job.variants:
                _write(variant.folder / job.seed_folder, found.files[variant.folder.name])
            tally.done(job, found.took)
        at_once = max(1, cores if most is None else min(most, cores))
        now = time.monotonic()
        begun = {job.seed: begun.get(job.seed, now) for job in [*sent.values()][:at_once]}
        tally.tell({seed: now - since for seed, since in begun.items()}, at_once)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connect to a cluster, and leave it whatever happens; that ends what still runs there."""
    try:
        import ray
    except ImportError:
        msg = "Ray is not installed, which --ray needs; install stadtzwilling[cluster]"
        raise InputError(msg) from None
    if ray.is_initialized():
        msg = "Ray is in use in this process already; call ray.shutdown() first"
        raise InputError(msg)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what it has to tell is raised, too
    threads = {f"{name}_NUM_THREADS": "1" for name in (*worker.THREADS, "NUMBA")}
    before = signal.getsignal(signal.SIGTERM)
    try:
        try:
            _knock(address)
            _join(
                ray,
                address=address,
                runtime_env={"env_vars": threads},
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                include_dashboard=False if address == "local" else None,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError, AssertionError) as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            msg = (
                f"--ray {address}: no Ray cluster to be used there ({why}); start one with "
                "'ray start', and set RAY_AUTH_MODE=token if it asks for its token"
            )
            raise InputError(msg) from None
        signal.signal(signal.SIGTERM, before)  # Ray has put its own there
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, **given: Any) -> None:
    """Begin to use a cluster; a head that is too busy to serve a client at once is asked twice."""
    try:
        ray.init(**given)
    except ConnectionError as error:
        if "Initialization failure" not in str(error):
            raise
        ray.shutdown()
        ray.init(**given)


def _knock(address: str) -> None:
    """Refuse an address where nobody listens; Ray would try for many minutes.

    Raises
    ------
    OSError
        If nobody does.
    """
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address as found

        address = os.environ.get("RAY_ADDRESS") or found(address) or ""  # of a cluster that was
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()


class _Watch:
    """Looks at a cluster now and then: whether it is there, and how many cores it has.

    Ray itself waits for a lost cluster without a word, and then ends the process.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._client = bool(ray.util.client.ray.is_connected())
        context = ray.get_runtime_context()
        self._node = context.get_node_id()
        self._head = None if self._client else context.gcs_address
        self._cores, self._next = 0, 0.0
        self._heard = time.monotonic()

    def cores(self) -> int:
        """Return the number of cores.

        Raises
        ------
        SimulationError
            If the cluster is lost.
        """
        now = time.monotonic()
        if now < self._next:
            return self._cores
        self._next = now + CHECK_S
        if self._answers():
            self._heard = time.monotonic()
            nodes = self._ray.nodes()
            alive = [node for node in nodes if node["Alive"]]
            if not self._client and self._node not in {node["NodeID"] for node in alive}:
                how = "ended on this machine"
                raise _lost(how)
            self._cores = int(sum(node["Resources"].get("CPU", 0.0) for node in alive))
        elif time.monotonic() - self._heard > SILENT_S:
            how = f"does not answer any more at {self._head}"
            raise _lost(how)
        return self._cores

    def _answers(self) -> bool:
        if self._head is None:
            return True
        try:
            _knock(self._head)
        except OSError:
            return False
        return True


def _lost(how: str) -> SimulationError:
    return SimulationError(
        f"the Ray cluster {how}; what is complete is kept: when it is there again, start the same "
        "command to go on"
    )


def _told(error: Any) -> Exception:
    """Return what went wrong on a node as the user shall read it."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TwinError):
        return cause
    if "ModuleNotFoundError" in str(error):
        lacks = str(error).partition("ModuleNotFoundError: ")[2].splitlines()[:1]
        what = lacks[0] if lacks else "a module is missing"
        return SimulationError(
            f"a node of the cluster lacks the program ({what}); install it there"
        )
    if isinstance(cause, Exception):
        return cause
    kind = type(error).__name__
    return SimulationError(
        f"the cluster lost a replication more than {RETRIES} times ({kind}), perhaps for want of "
        "memory; what is complete is kept: give nodes more memory and start the same command"
    )


def _pack(job: Job) -> _Shared:
    """Return what tasks share, with all files that a job reads."""
    from scenarios.plan import program_digest, program_versions

    files = {f"city/{p.name}": p.read_bytes() for p in sorted(job.city_folder.iterdir())}
    agents = {name: Path("agents") / path.name for name, path in job.agents.items()}
    read = {name: Path("files") / path.name for name, path in job.files.items()}
    files |= {str(path): job.agents[name].read_bytes() for name, path in agents.items()}
    files |= {str(path): job.files[name].read_bytes() for name, path in read.items()}
    total = hashlib.sha256(job.demand.digest.encode())
    for name, data in sorted(files.items()):
        total.update(f"\0{name}\0{len(data)}\0".encode() + data)
    bare = replace(job, city_folder=Path("city"), variants=(), agents=agents, files=read)
    program = program_digest(job.modules, PACKAGES)
    return _Shared(bare, files, total.hexdigest()[:24], program, program_versions())


def _own(job: Job) -> dict[str, Any]:
    """Return what a job has for itself, its folders by name."""
    fields = ("seed", "seed_folder", "again", "record")
    variants = tuple(replace(v, folder=Path(v.folder.name)) for v in job.variants)
    return {"variants": variants, **{name: getattr(job, name) for name in fields}}


def _replicate(shared: Sequence[Any], own: dict[str, Any]) -> _Done:
    """Do a job on a node of the cluster."""
    with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as out:
        here = tuple(replace(v, folder=Path(out) / v.folder) for v in own["variants"])
        job = replace(_unpacked(shared[0]), **{**own, "variants": here})
        took = worker.run_timed(job)
        found = {v.folder.name: _read(v.folder / job.seed_folder) for v in here}
    return _Done(found, took)


@lru_cache(maxsize=1)
def _unpacked(reference: Any) -> Job:
    """Return the job that tasks share, with the node's own copies of files."""
    import ray

    from twin.cache import Cache, user_folder

    shared: _Shared = ray.get(reference)
    _check_program(shared)

    def make(part: Path) -> None:
        for name, data in shared.files.items():
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(data)

    try:
        root = Cache(user_folder("cluster")).folder_of(shared.key, make)
    except OSError as error:
        what = f"cannot write its cache ({error.strerror}); free some space"
        raise _at_node(what) from None
    job = shared.job
    return replace(
        job,
        city_folder=root / job.city_folder,
        agents={name: root / path for name, path in job.agents.items()},
        files={name: root / path for name, path in job.files.items()},
    )


def _check_program(shared: _Shared) -> None:
    """Refuse to compute with another program than the driver's."""
    from scenarios.plan import program_digest, program_versions

    worker.import_systems(shared.job.modules)
    here = program_versions()
    for name, version in shared.versions.items():
        if here[name] != version:
            what = f"has {name} {here[name]}, the driver {version}; install the same there"
            raise _at_node(what)
    if program_digest(shared.job.modules, PACKAGES) != shared.program:
        what = "has another revision of the program; install the driver's there"
        raise _at_node(what)


def _at_node(what: str) -> SimulationError:
    return SimulationError(f"node {socket.gethostname()} of the cluster {what}")


def _read(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _write(folder: Path, files: Files) -> None:
    """Write the files of a replication, whole or not at all."""
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, data in files.items():
            (part / name).write_bytes(data)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        why = error.strerror or error
        msg = f"cannot write results to {folder}: {why}; free space or name another folder"
        raise OutputError(msg) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
