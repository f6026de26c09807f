"""Comparison: 1,000 replications of a base and two alternatives, listed and compared.

The runs are made up: the indicators of traffic, and eight intervals of 409 streets, as two hours of
central Helsinki have them.  Each time is that of a new process, its imports included, without the
report; the first one reads every file, the later ones what was kept of them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Found, Row, command_line, seconds

REACH_S = 5.0
RUNS = ("base", "first", "second")
STREETS, INTERVALS = 409, 8
AGAIN = 3
COMPARE = """
import resource, sys
from pathlib import Path
from scenarios.compare import compare
compare(Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def rows(short: bool) -> Iterator[Found]:
    """Yield a row for the first comparison, and one for later ones."""
    n = 100 if short else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "runs"
        make_runs(folder, n)
        yield _row(folder, f"{n:,} replications of {len(RUNS)} runs compared, first time", 1)
        yield _row(folder, "the same again, or with few more replications", AGAIN)


def make_runs(folder: Path, n: int) -> None:
    """Make a folder as `twin run` leaves it, with n replications a run and what is compared."""
    from scenarios.runs import FORMAT, FORMAT_VERSION, seed_folder, write_manifest
    from twin.ledger import Results

    rng = np.random.default_rng(1)
    (folder / "city").mkdir(parents=True)
    for k, name in enumerate(RUNS):
        manifest = {
            "format": FORMAT, "format_version": FORMAT_VERSION, "name": name, "title": name,
            "position": k, "seeds": list(range(1, n + 1)), "city": {}, "period": {},
            "inputs": {"city": "made up", "period": {}},
        }  # fmt: skip
        write_manifest(folder / name, json.loads(json.dumps(manifest)))
        for seed in range(1, n + 1):
            results = Results(_indicators(rng, k), {"streets": _streets(rng)})
            results.save(folder / name / seed_folder(seed))


def _indicators(rng: np.random.Generator, k: int) -> dict[str, float]:
    from twin.traffic.indicators import INDICATORS

    return {meta.name: 100.0 + k + 5.0 * rng.standard_normal() for meta in INDICATORS}


def _streets(rng: np.random.Generator) -> object:
    import pandas as pd

    size = STREETS * INTERVALS
    return pd.DataFrame(
        {
            "street": np.tile(np.arange(STREETS, dtype=np.int32), INTERVALS),
            "interval_start_s": np.repeat(900.0 * np.arange(INTERVALS), STREETS),
            "interval_s": 900.0,
            "entered": rng.poisson(9.0, size),
            "travel_time_s": rng.gamma(2.0, 10.0, size),
            "delay_h": rng.gamma(1.0, 0.1, size),
        }
    )


def _row(folder: Path, case: str, runs: int) -> Row:
    peaks: list[int] = []

    def go() -> None:
        command = [sys.executable, "-c", COMPARE, str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))

    took = statistics.median(seconds(go) for _ in range(runs))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = f"peak {max(peaks) * unit / 2**30:.2f} GiB"
    return Row(case, f"{took:.1f} s", "", peak, f"{REACH_S:.0f} s", took <= REACH_S)


if __name__ == "__main__":
    command_line(__doc__, rows)
