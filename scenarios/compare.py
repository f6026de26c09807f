"""Runs compared with a base, replication by replication of the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios import report_words, sequential, statistics
from scenarios.equilibrium_error import error_of_shifts
from scenarios.looks import look_at
from scenarios.pairs import apart, check_pair, distinct, left_out, paired_blocks, seeds_of
from scenarios.precision import Precision
from scenarios.replications import Block, blocks, read_table
from scenarios.runs import RunInfo, digest_of, open_runs
from scenarios.sequential import Look
from scenarios.statistics import Paired
from scenarios.street_differences import StreetDifferences, layer_means
from twin.errors import InputError, OutputError
from twin.system import Indicator, indicators

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

__all__ = ["Comparison", "compare", "indicator_values", "layer_means", "read_table"]

COLUMNS = (
    "alternative", "indicator", "title", "unit", "better", "key", "n", "base_mean", "mean",
    "difference", "ci_low", "ci_high", "percent", "percent_low", "percent_high", "p_value",
    "p_holm", "n_needed", "identical", "n_for_precision", "ci_error", "equilibrium_error",
    "warning", "effect", "verdict",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Comparison:
    """What alternatives change against a base.

    Parameters
    ----------
    base, alternatives
        The runs.
    table
        One row an alternative and indicator: means over the seeds that both runs have, their
        difference with its confidence interval (95 % over all looks at these runs; `ci_error` is
        the error of this look alone), both also in per cent of the base's mean; `p_value` of this
        look alone, and `p_holm`, corrected for looks and for the number of indicators that differ
        at all (Holm); `n_needed`, the replications that would settle it, and `n_for_precision`,
        those from which each run's mean is as exact as wanted; the equilibrium's own error, a
        `warning` ("few", "skewed" or ""), the `effect` (see `report_words.effect`), and a verdict
        in words.
    streets
        One row an alternative and street, as `StreetDifferences.table` returns it.
    notes
        What the reader must know, e.g. replications that only one run has.
    unpaired
        Whether the seeds of the runs are independent of each other.
    """

    base: RunInfo
    alternatives: list[RunInfo]
    table: pd.DataFrame
    streets: pd.DataFrame
    notes: tuple[str, ...] = ()
    unpaired: bool = False

    @cached_property
    def city(self) -> City:
        """The city that the runs share."""
        from twin.city import City

        return City.load(self.base.city_folder)

    @cached_property
    def seeds(self) -> dict[str, tuple[int, ...]]:
        """Seeds that are compared, by alternative; of the base those that any pair uses."""
        pairs = {r.name: seeds_of(self.base, r, unpaired=self.unpaired) for r in self.alternatives}
        used = sorted({seed for of_base, _ in pairs.values() for seed in of_base})
        return {self.base.name: tuple(used), **{name: own for name, (_, own) in pairs.items()}}

    def run(self, name: str) -> RunInfo:
        """Return the run of a name.

        Raises
        ------
        InputError
            If there is none.
        """
        for run in (self.base, *self.alternatives):
            if run.name == name:
                return run
        known = ", ".join(r.name for r in (self.base, *self.alternatives))
        msg = f"no run {name!r} is compared; there are {known}"
        raise InputError(msg)

    def rows(self, name: str, table: str, columns: list[str] | None = None) -> pd.DataFrame | None:
        """Return a table of all compared replications of a run, with their `seed`.

        None where they do not have it, as when a system was off. It is as large as all
        replications together: name the columns that are needed, or take `each`.
        """
        import pandas as pd

        parts = list(self.each(name, table, columns))
        return pd.concat(parts, ignore_index=True) if parts else None

    def each(
        self, name: str, table: str, columns: list[str] | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield a table of each compared replication of a run, with its `seed`.

        Nothing where none has it.
        """
        run = self.run(name)
        files = {seed: run.replication(seed) / f"{table}.parquet" for seed in self.seeds[name]}
        if any(file.is_file() for file in files.values()):
            for seed, file in files.items():
                yield read_table(file, columns).assign(seed=seed)

    def means(self, name: str) -> dict[str, float]:
        """Return the mean of each indicator over the compared replications of a run."""
        values = indicator_values(self.run(name), self.seeds[name]).mean()
        return {str(indicator): float(mean) for indicator, mean in values.items()}

    def save(self, folder: Path) -> Path:
        """Write comparison.parquet, comparison.csv and streets.parquet; return the folder.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        known = {"comparison.parquet", "comparison.csv", "streets.parquet", "report.html",
                 "report.pdf"}  # fmt: skip
        names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        if not {n for n in names if not n.startswith(".")} <= known:
            msg = f"{folder}: holds other files than a comparison; name an empty folder with -o"
            raise OutputError(msg)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, write in (
                ("comparison.parquet", self.table.to_parquet),
                ("comparison.csv", self.table.to_csv),
                ("streets.parquet", self.streets.to_parquet),
            ):
                part = folder / f".{name}.part"
                write(part, index=False)
                part.replace(folder / name)
        except OSError as error:
            msg = f"{folder}: cannot be written, {error.strerror or error}; name another with -o"
            raise OutputError(msg) from None
        return folder


def compare(
    folders: Path | Sequence[Path],
    *,
    precision: Precision | None = None,
    most: int | None = None,
    unpaired: bool = False,
) -> Comparison:
    """Compare runs by the seeds that they share.

    The look is noted beside each alternative (`looks.json`), so that a later one at more
    replications knows of it and all looks together err in 5 % of cases at most.

    Parameters
    ----------
    folders
        A folder of `twin run`, or runs of it of which the first is the base.
    precision
        For `n_for_precision`; ± 5 % of the base's mean unless given.
    most
        Replications that shall be there in the end, where more are planned than the scenario
        says. Stated before the first look, it lets later looks be nearly as sharp as a single one.
    unpaired
        Compare runs of independent seeds by Welch's test; otherwise runs need common seeds.

    Raises
    ------
    InputError
        If a folder is no run, a file of it is broken, or runs cannot be compared: another
        city, another period, or no seed in common.
    """
    named = [folders] if isinstance(folders, Path) else list(folders)
    found = distinct([run for folder in named for run in open_runs(folder)])
    if len(found) < 2:
        msg = f"{named[0] if named else 'nothing'}: is one run; name two or more to compare"
        raise InputError(msg)
    base, *rest = found
    for run in rest:
        check_pair(base, run, unpaired=unpaired)
    return compare_runs(base, rest, precision=precision, most=most, unpaired=unpaired)


def compare_runs(
    base: RunInfo,
    rest: list[RunInfo],
    *,
    precision: Precision | None = None,
    most: int | None = None,
    unpaired: bool = False,
) -> Comparison:
    """Compare runs that can be compared, as `compare` does."""
    notes, rows, streets = refused_rows(base), [], []
    for run in rest:
        n, read = _read(base, run, unpaired=unpaired)
        looks, line = _looks(base, run, n, most, unpaired=unpaired)
        notes += apart(base, run, unpaired=unpaired)
        notes += [*([f"{run.title}: {line}"] if line else []), *_told(run.title, looks)]
        rows += _rows(run.name, read, looks, precision or Precision(), unpaired=unpaired)
        frame = read.streets.table(partial(_over_looks, looks))
        notes += left_out(base, run, seeds_of(base, run, unpaired=unpaired), frame.columns)
        frame.insert(0, "alternative", run.name)
        streets.append(frame)
    streets_table = _joined(streets).reset_index(drop=True)
    return Comparison(base, rest, _table(rows), streets_table, tuple(notes), unpaired)


def refused_rows(run: RunInfo) -> list[str]:
    """Return lines on the rows of files that a scenario refused; none where it used them all."""
    number, shown = int(run.manifest.get("refused_rows", 0)), run.manifest.get("refused", [])
    if not number:
        return []
    note, left = report_words.Note, number - len(shown)
    first = note("refused_one") if number == 1 else note("refused", n=number)
    return [
        first,
        *(str(line) for line in shown),
        *([note("refused_more", n=left)] if left else []),
    ]


def _looks(
    base: RunInfo, run: RunInfo, n: int, most: int | None, *, unpaired: bool
) -> tuple[list[Look], str]:
    """Return the looks at a pair of runs, this one last; none where there is no interval."""
    if n < 2:
        return [], ""
    stated = [set(r.manifest.get("seeds", [])) for r in (base, run)]
    planned = min(map(len, stated)) if unpaired else len(stated[0] & stated[1])
    which = f"{digest_of(base.manifest['inputs'])}{' unpaired' if unpaired else ''}"
    return look_at(run.folder, which, n, max(most or 0, planned))


def _told(title: str, looks: Sequence[Look]) -> list[str]:
    """Return lines on what looks do to intervals."""
    if not looks:
        return []
    *before, now = looks
    told: list[str] = []
    if now.n < now.planned:
        told.append(report_words.Note("early", title=title, n=now.n, m=now.planned))
    if before:
        numbers = tuple(look.n for look in before)
        told.append(report_words.Note("before", title=title, numbers=numbers))
    return told


def indicator_values(run: RunInfo, seeds: Sequence[int]) -> pd.DataFrame:
    """Return indicator values, one row a seed."""
    return _joined([_values(block) for block in blocks(run, seeds)])


def _values(block: Block) -> pd.DataFrame:
    import pandas as pd

    names, values = block.indicators
    return pd.DataFrame(values, index=list(block.seeds), columns=list(names))


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read of base and alternative: indicators, learning's error, and streets."""

    base: pd.DataFrame
    other: pd.DataFrame
    learnt: Mapping[str, float]
    streets: StreetDifferences


def _read(base: RunInfo, run: RunInfo, *, unpaired: bool) -> tuple[int, _Read]:
    """Read what a comparison needs, block by block; return also the number of pairs.

    Drivers of an alternative who have not learnt anew drive the base's routes, so that learning
    moves both alike.
    """
    seeds, streets = seeds_of(base, run, unpaired=unpaired), StreetDifferences()
    values: list[list[pd.DataFrame]] = [[], []]
    shifts: list[list[dict[str, float]]] = [[], []]
    for pair in paired_blocks(base, run, seeds, unpaired=unpaired):
        streets.add(*pair)
        for k, block in enumerate(pair):
            if block is not None:
                values[k].append(_values(block))
                names, moved = block.shifts
                shifts[k] += [dict(zip(names, row, strict=True)) for row in moved.tolist()]
    learns = "equilibrium" in run.manifest.get("response", ())
    learnt = {} if unpaired else error_of_shifts(shifts[0], shifts[int(learns)])
    a, b = map(_joined, values)
    return min(map(len, seeds)), _Read(a, b, learnt, streets)


def _rows(
    alternative: str,
    read: _Read,
    looks: Sequence[Look],
    precision: Precision,
    *,
    unpaired: bool,
) -> list[tuple[Any, ...]]:
    """Return the rows of an alternative."""
    known, a, b = indicators(), read.base, read.other
    names = [n for n in known if n in a and n in b]
    names += [str(n) for n in a if n in b and n not in known]
    error = sequential.level(looks, statistics.ERROR) if looks else statistics.ERROR
    test = statistics.welch if unpaired else statistics.paired
    found = [test(a[n].to_numpy(), b[n].to_numpy(), error=error) for n in names]
    tested = np.array([math.nan if r.identical else r.p_value for r in found])
    corrected = statistics.holm(_over_looks(looks, tested))
    rows = []
    for name, result, p_holm in zip(names, found, corrected, strict=True):
        meta = known.get(name) or Indicator(name, name.replace("_", " "), "", "neither")
        exact = precision.half_width(name, result.base_mean)
        row = _row(
            alternative, meta, _advised(result, looks), float(p_holm),
            n_for_precision=statistics.runs_for_precision(result.spread, exact),
            ci_error=error, equilibrium_error=read.learnt.get(name, math.nan),
        )  # fmt: skip
        rows.append(row)
    return rows


def _over_looks(looks: Sequence[Look], p_values: statistics.Floats) -> statistics.Floats:
    return sequential.p_over_looks(looks, p_values) if looks else p_values


def _advised(result: Paired, looks: Sequence[Look]) -> Paired:
    """Return what pairs say, with as many needed as a next look would need.

    The next look has a level of its own, which depends on how many pairs it has.
    """
    if not looks or result.low > 0.0 or result.high < 0.0:
        return result
    needed = result.n_needed
    for _ in range(3):
        if needed <= looks[-1].n:
            break
        planned = max(needed, looks[-1].planned)
        level = sequential.level([*looks, Look(needed, planned)], statistics.ERROR)
        needed = statistics.pairs_needed(result.difference, result.deviation, level)
    return replace(result, n_needed=needed)


def _row(
    alternative: str,
    meta: Indicator,
    result: Paired,
    p_holm: float,
    *,
    n_for_precision: int = 0,
    ci_error: float = statistics.ERROR,
    equilibrium_error: float = math.nan,
) -> tuple[Any, ...]:
    base = abs(result.base_mean)
    share = 100.0 / base if base > 0.0 else math.nan
    values = (
        alternative, meta.name, meta.title, meta.unit, meta.better, meta.key, result.n,
        result.base_mean, result.mean, result.difference, result.low, result.high,
        result.difference * share, result.low * share, result.high * share, result.p_value,
        p_holm, result.n_needed, result.identical, n_for_precision, ci_error, equilibrium_error,
        result.warning,
    )  # fmt: skip
    row = dict(zip(COLUMNS, values, strict=False))
    return *values, report_words.effect(row), report_words.verdict(row)


def _table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS))


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(parts) if parts else pd.DataFrame()
