"""Runs compared with a base, replication by replication of the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios import statistics
from scenarios.runs import CITY, RunInfo, open_runs
from scenarios.statistics import Paired
from twin.errors import InputError, OutputError
from twin.system import Indicator, Layer, indicators, layers

if TYPE_CHECKING:
    import pandas as pd

    from twin.city import City

SAME = ("city", "period")
ALPHA = 1.0 - statistics.CONFIDENCE
LEAST_TO_ADVISE = 5  # pairs from which their spread is known well enough to advise more
COLUMNS = (
    "alternative", "indicator", "title", "unit", "better", "key", "n", "base_mean", "mean",
    "difference", "ci_low", "ci_high", "percent", "percent_low", "percent_high", "p_value",
    "p_holm", "n_needed", "identical", "verdict",
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
        difference with its 95 % confidence interval, both also in per cent of the base's mean,
        the p-value of the paired t-test, the same corrected for the number of indicators
        that differ at all (Holm), how many replications would settle it, and a verdict in words.
    streets
        One row an alternative and street with each map layer of the base, of the alternative,
        and their difference; sums over the period, means over seeds, 0 where nothing was.
    notes
        What the reader must know, e.g. replications that only one run has.
    """

    base: RunInfo
    alternatives: list[RunInfo]
    table: pd.DataFrame
    streets: pd.DataFrame
    notes: tuple[str, ...] = ()

    @cached_property
    def city(self) -> City:
        """The city that the runs share."""
        from twin.city import City

        return City.load(self.base.city_folder)

    @cached_property
    def seeds(self) -> dict[str, tuple[int, ...]]:
        """Seeds that are compared, by alternative; of the base those that any pair uses."""
        pairs = {run.name: _common(self.base, run) for run in self.alternatives}
        used = sorted({seed for seeds in pairs.values() for seed in seeds})
        return {self.base.name: tuple(used) if pairs else self.base.seeds, **pairs}

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

    def rows(self, name: str, table: str) -> pd.DataFrame | None:
        """Return a table of all compared replications of a run, with their `seed`.

        None where they do not have it, as when a system was off.
        """
        import pandas as pd

        run = self.run(name)
        files = {seed: run.replication(seed) / f"{table}.parquet" for seed in self.seeds[name]}
        if not any(file.is_file() for file in files.values()):
            return None
        parts = [read_table(file).assign(seed=seed) for seed, file in files.items()]
        return pd.concat(parts, ignore_index=True)

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
        known = {"comparison.parquet", "comparison.csv", "streets.parquet", "report.html"}
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


def compare(folders: Path | Sequence[Path]) -> Comparison:
    """Compare runs by the seeds that they share.

    Parameters
    ----------
    folders
        A folder of `twin run`, or runs of it of which the first is the base.

    Raises
    ------
    InputError
        If a folder is no run, a file of it is broken, or runs cannot be compared: another
        city, another period, or no seed in common.
    """
    named = [folders] if isinstance(folders, Path) else list(folders)
    found = _distinct([run for folder in named for run in open_runs(folder)])
    if len(found) < 2:
        msg = f"{named[0] if named else 'nothing'}: is one run; name two or more to compare"
        raise InputError(msg)
    base, *rest = found
    notes = refused_rows(base)
    for run in rest:
        _check_pair(base, run)
        common, union = _common(base, run), {*base.seeds, *run.seeds}
        if len(common) < len(union):
            notes.append(
                f"{run.title}: {len(common)} of {len(union)} replications are in both runs"
            )
        differs = [k for k in ("demand", "equilibrium", "base", "systems", "program")
                   if base.manifest["inputs"].get(k) != run.manifest["inputs"].get(k)]  # fmt: skip
        if differs:
            notes.append(f"{run.title}: also differs from the base in {', '.join(differs)}")
    return Comparison(base, rest, _table(base, rest), _streets(base, rest), tuple(notes))


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a table of a replication.

    Raises
    ------
    InputError
        If it is missing, cut off or lacks a column.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        msg = f"{path}: is missing; delete {path.parent} and run the scenario again"
        raise InputError(msg) from None
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or ["?"])[0][:120]
        msg = f"{path}: cannot be read ({reason}); delete {path.parent} and run the scenario again"
        raise InputError(msg) from None


def refused_rows(run: RunInfo) -> list[str]:
    """Return lines on the rows of files that a scenario refused; none where it used them all."""
    number, shown = int(run.manifest.get("refused_rows", 0)), run.manifest.get("refused", [])
    if not number:
        return []
    rows = "1 row of a file was" if number == 1 else f"{number:,} rows of files were"
    more = [f"... and {number - len(shown):,} more"] if number > len(shown) else []
    return [f"{rows} refused:", *(str(line) for line in shown), *more]


def _distinct(found: list[RunInfo]) -> list[RunInfo]:
    """Give runs of one name names of their own, from their folders."""
    seen: set[str] = set()
    distinct = []
    for run in found:
        name, k = run.name, 2
        while name in seen:
            name, k = f"{run.name}-{k}", k + 1
        seen.add(name)
        title = run.title if name == run.name else f"{run.title} ({run.folder.parent.name})"
        distinct.append(RunInfo(name, title, run.folder, run.manifest))
    return distinct


def _common(base: RunInfo, run: RunInfo) -> tuple[int, ...]:
    return tuple(sorted(set(base.seeds) & set(run.seeds)))


def _check_pair(base: RunInfo, run: RunInfo) -> None:
    for key in SAME:
        if base.manifest["inputs"].get(key) != run.manifest["inputs"].get(key):
            a, b = (_shown(r.manifest[key]) for r in (base, run))
            msg = f"{run.folder}: has another {key} ({b}) than {base.folder} ({a})"
            raise InputError(msg)
    if not _common(base, run):
        msg = (
            f"{run.folder}: shares no seed with {base.folder} ({_seeds(run)} and {_seeds(base)}); "
            "run both with the same seed"
        )
        raise InputError(msg)
    if not base.city_folder.is_dir():
        msg = f"{base.folder}: there is no {CITY} folder beside it; keep a run where it was made"
        raise InputError(msg)


def _shown(value: dict[str, Any]) -> str:
    if "digest" in value:
        return f"{value.get('name')}, {str(value['digest'])[:8]}"
    return f"{value.get('day')} {value.get('begin')} to {value.get('end')}"


def _seeds(run: RunInfo) -> str:
    seeds = run.seeds
    return f"seeds {seeds[0]} to {seeds[-1]}" if seeds else "no replication"


def _table(base: RunInfo, alternatives: Iterable[RunInfo]) -> pd.DataFrame:
    """Return the comparison table."""
    import pandas as pd

    known = indicators()
    rows = []
    for run in alternatives:
        seeds = _common(base, run)
        a, b = indicator_values(base, seeds), indicator_values(run, seeds)
        names = [n for n in known if n in a and n in b]
        names += [str(n) for n in a if n in b and n not in known]
        found = {name: statistics.paired(a[name].to_numpy(), b[name].to_numpy()) for name in names}
        tested = [math.nan if r.identical else r.p_value for r in found.values()]
        corrected = statistics.holm(tested)
        for (name, result), p_holm in zip(found.items(), corrected, strict=True):
            meta = known.get(name) or Indicator(name, name.replace("_", " "), "", "neither")
            rows.append(_row(run.name, meta, result, float(p_holm)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def indicator_values(run: RunInfo, seeds: Sequence[int]) -> pd.DataFrame:
    """Return indicator values, one row a seed."""
    import pandas as pd

    rows = {}
    for seed in seeds:
        frame = read_table(run.replication(seed) / "indicators.parquet", ["indicator", "value"])
        rows[seed] = frame.set_index("indicator")["value"]
    return pd.DataFrame(rows).T


def _row(alternative: str, meta: Indicator, result: Paired, p_holm: float) -> tuple[Any, ...]:
    base = abs(result.base_mean)
    share = 100.0 / base if base > 0.0 else math.nan
    return (
        alternative, meta.name, meta.title, meta.unit, meta.better, meta.key, result.n,
        result.base_mean, result.mean, result.difference, result.low, result.high,
        result.difference * share, result.low * share, result.high * share, result.p_value,
        p_holm, result.n_needed, result.identical, verdict(result, meta.better, p_holm),
    )  # fmt: skip


def verdict(result: Paired, better: str, p_holm: float) -> str:
    """Return in plain words what pairs show.

    Parameters
    ----------
    result
        The pairs.
    better
        "lower", "higher" or "neither".
    p_holm
        p-value, corrected for the number of indicators that are compared.
    """
    if result.n == 0:
        return "no value to compare"
    if result.identical:
        return "no difference"
    word = _direction(result.difference, better)
    if result.n < 2:
        return f"{word} in the one replication; run more, chance is unknown"
    if result.low <= 0.0 <= result.high:
        advised = result.n >= LEAST_TO_ADVISE and result.n_needed > result.n
        more = f"; try {result.n_needed} replications" if advised else ""
        return f"no clear difference, weak evidence{more}"
    if p_holm > ALPHA:
        return f"{word}, weak evidence among so many indicators"
    return word


def _direction(difference: float, better: str) -> str:
    way = "lower" if difference < 0.0 else "higher"
    if difference == 0.0:
        return "the same on average"
    if better == "neither":
        return way
    return "better" if way == better else "worse"


def _streets(base: RunInfo, alternatives: Sequence[RunInfo]) -> pd.DataFrame:
    """Return every map layer by alternative and street."""
    import pandas as pd

    shown = layers()
    parts = []
    for run in alternatives:
        seeds = _common(base, run)
        means = {
            name: (layer_means(base, seeds, layer), layer_means(run, seeds, layer))
            for name, layer in shown.items()
        }
        pairs = {k: (a, b) for k, (a, b) in means.items() if a is not None and b is not None}
        named = {int(s) for a, b in pairs.values() for s in (*a.index, *b.index)}
        streets = pd.Index(sorted(named), dtype="int32")
        columns: dict[str, pd.Series[float]] = {}
        for name, (a, b) in pairs.items():
            absent = 0.0 if shown[name].shown == "difference" else float("nan")
            a, b = (v.reindex(streets, fill_value=absent) for v in (a, b))
            columns |= {f"base_{name}": a, name: b, f"diff_{name}": b - a}
        frame = pd.DataFrame(columns, index=streets)
        frame.insert(0, "street", frame.index.astype("int32"))
        frame.insert(0, "alternative", run.name)
        parts.append(frame)
    empty = pd.DataFrame({"alternative": [], "street": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def layer_means(run: RunInfo, seeds: Sequence[int], layer: Layer) -> pd.Series[float] | None:
    """Return a layer by street, mean over seeds of its sum over time; None where no run has it.

    A street that a table does not have counts as 0; one whose value is missing (NaN) there does
    not count.
    """
    total: pd.Series[float] | None = None
    counted: pd.Series[float] | None = None
    for seed in seeds:
        path = run.replication(seed) / f"{layer.table}.parquet"
        if not path.is_file():
            return None
        frame = read_table(path)
        if layer.column not in frame or "street" not in frame:
            return None
        by_street = frame[frame["street"] >= 0].groupby("street")[layer.column]
        values, missing = by_street.sum(), by_street.count().eq(0).astype(float)
        total = values if total is None else total.add(values, fill_value=0.0)
        counted = -missing if counted is None else counted.sub(missing, fill_value=0.0)
    if total is None or counted is None:
        return None
    number = counted + float(len(seeds))
    return total.astype(float) / number.where(number > 0.0)
