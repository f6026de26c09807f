"""Which runs can be compared, by which seeds, and what sets them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from scenarios.replications import Block, blocks
from scenarios.report_words import Note
from scenarios.runs import CITY, RunInfo
from twin.errors import InputError
from twin.system import layers

SAME = ("city", "period")
Seeds = tuple[tuple[int, ...], tuple[int, ...]]  # of base and alternative


def distinct(found: list[RunInfo]) -> list[RunInfo]:
    """Give runs of one name names of their own, from their folders."""
    seen: set[str] = set()
    named = []
    for run in found:
        name, k = run.name, 2
        while name in seen:
            name, k = f"{run.name}-{k}", k + 1
        seen.add(name)
        title = run.title if name == run.name else f"{run.title} ({run.folder.parent.name})"
        named.append(RunInfo(name, title, run.folder, run.manifest))
    return named


def seeds_of(base: RunInfo, run: RunInfo, *, unpaired: bool) -> Seeds:
    """Return the seeds of base and alternative that are compared."""
    if unpaired:
        return base.seeds, run.seeds
    common = _common(base, run)
    return common, common


def check_pair(base: RunInfo, run: RunInfo, *, unpaired: bool) -> None:
    """Refuse runs that cannot be compared.

    Raises
    ------
    InputError
        If they are of another city or period, share no seed, or lie where they were not made.
    """
    for key in SAME:
        if base.manifest["inputs"].get(key) != run.manifest["inputs"].get(key):
            a, b = (_shown(r.manifest[key]) for r in (base, run))
            msg = f"{run.folder}: has another {key} ({b}) than {base.folder} ({a})"
            raise InputError(msg)
    empty = [r for r in (base, run) if not r.seeds]
    if unpaired and empty:
        msg = f"{empty[0].folder}: has no complete replication; run the scenario first"
        raise InputError(msg)
    if not unpaired and not _common(base, run):
        msg = (
            f"{run.folder}: shares no seed with {base.folder} ({_range(run)} and {_range(base)}); "
            "run both with the same seed, or compare them as independent days with --unpaired"
        )
        raise InputError(msg)
    if not base.city_folder.is_dir():
        msg = f"{base.folder}: there is no {CITY} folder beside it; keep a run where it was made"
        raise InputError(msg)


def apart(base: RunInfo, run: RunInfo, *, unpaired: bool) -> list[str]:
    """Return lines on what runs do not share."""
    notes: list[str] = []
    common, union = _common(base, run), {*base.seeds, *run.seeds}
    if unpaired:
        notes.append(Note("apart", title=run.title, n=len(run.seeds), m=len(base.seeds)))
    elif len(common) < len(union):
        notes.append(Note("common", title=run.title, n=len(common), m=len(union)))
    differs = [k for k in ("demand", "equilibrium", "base", "systems", "program")
               if base.manifest["inputs"].get(k) != run.manifest["inputs"].get(k)]  # fmt: skip
    if differs:
        notes.append(Note("differs", title=run.title, what=tuple(differs)))
    return notes


def left_out(base: RunInfo, run: RunInfo, seeds: Seeds, found: Collection[str]) -> list[str]:
    """Return lines on map layers that are not `found`, since only some replications have them."""
    notes: list[str] = []
    for table in dict.fromkeys(k.table for k in layers().values() if k.name not in found):
        files = [r.replication(s) / f"{table}.parquet"
                 for r, own in zip((base, run), seeds, strict=True) for s in own]  # fmt: skip
        missing = [file for file in files if not file.is_file()]
        if 0 < len(missing) < min(map(len, seeds)):
            notes.append(Note("left_out", title=run.title, table=table, file=missing[0]))
    return notes


def paired_blocks(
    base: RunInfo, run: RunInfo, seeds: Seeds, *, unpaired: bool
) -> Iterator[tuple[Block | None, Block | None]]:
    """Yield what is known of replications: pairs by seed, or first the base and then the other."""
    if unpaired:
        yield from ((block, None) for block in blocks(base, seeds[0]))
        yield from ((None, block) for block in blocks(run, seeds[1]))
    else:
        yield from zip(blocks(base, seeds[0]), blocks(run, seeds[1]), strict=True)


def _common(base: RunInfo, run: RunInfo) -> tuple[int, ...]:
    return tuple(sorted(set(base.seeds) & set(run.seeds)))


def _shown(value: dict[str, Any]) -> str:
    if "digest" in value:
        return f"{value.get('name')}, {str(value['digest'])[:8]}"
    return f"{value.get('day')} {value.get('begin')} to {value.get('end')}"


def _range(run: RunInfo) -> str:
    seeds = run.seeds
    return f"seeds {seeds[0]} to {seeds[-1]}" if seeds else "no replication"
