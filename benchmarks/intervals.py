"""How often intervals of comparisons hold the truth: the table of docs/comparison.md.

Differences of pairs are drawn from a normal distribution, or a lognormal one of a standard
deviation sigma of the logarithm.  Whoever looks more than once stops where the interval leaves out
the true mean, the worst that looking again can do, or, in the last plan, adds replications only
where the evidence is nearly clear.  Takes about two minutes; --short takes a tenth of the draws.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass

import numpy as np

from scenarios.sequential import Look, level
from scenarios.statistics import ERROR, paired

SIGMAS = (0.0, 0.25, 0.5, 1.0)
PLANS = {
    "10": (Look(10, 10),),
    "20": (Look(20, 20),),
    "30": (Look(30, 30),),
    "10 and 20 of 30, then 30": (Look(10, 30), Look(20, 30), Look(30, 30)),
    "10, then 20, then 30, none planned": (Look(10, 10), Look(20, 20), Look(30, 30)),
    "10, and 20 if nearly clear": (Look(10, 10), Look(20, 20)),
}
NEARLY = (0.05, 0.2)  # p-values of whoever hopes for more


@dataclass
class Counts:
    """Cases in which an interval missed the truth, missed it unwarned, or was warned of."""

    student: int = 0
    missed: int = 0
    silent: int = 0
    warned: int = 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a tenth of the draws")
    repeats = 1000 if parser.parse_args().short else 10_000
    head = ("differences", "replications at each look", "Student's t alone, looks not counted",
            "here", "here, held or warned", "warned")  # fmt: skip
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for sigma in SIGMAS:
        for plan, looks in PLANS.items():
            found = counts(sigma, looks, repeats, picky="if" in plan)
            shares = (found.student, found.missed, found.silent)
            held = [f"{100.0 * (1.0 - k / repeats):.1f} %" for k in shares]
            kind = f"lognormal, sigma {sigma:g}" if sigma else "normal"
            lines.append(" | ".join((kind, plan, *held, f"{100.0 * found.warned / repeats:.0f} %")))
    sys.stdout.write("\n".join(f"| {line} |" for line in lines) + "\n")


def counts(sigma: float, looks: tuple[Look, ...], repeats: int, *, picky: bool) -> Counts:
    """Count over draws; `picky` goes on to the next look only with a p-value in `NEARLY`."""
    rng = np.random.default_rng([round(100 * sigma), len(looks), looks[-1].n])
    errors = [level(looks[: k + 1], ERROR) for k in range(len(looks))]
    found = Counts()
    for _ in range(repeats):
        z = rng.standard_normal(looks[-1].n)
        d = np.exp(sigma * z) - math.exp(0.5 * sigma**2) if sigma else z
        found.student += not _held(d, looks, [ERROR] * len(looks), picky=picky, plain=True)[0]
        held, warned = _held(d, looks, errors, picky=picky, plain=False)
        found.missed += not held
        found.silent += not held and not warned
        found.warned += warned
    return found


def _held(
    d: np.ndarray, looks: tuple[Look, ...], errors: list[float], *, picky: bool, plain: bool
) -> tuple[bool, bool]:
    """Return whether the interval of the look that one stops at holds 0, and was warned of."""
    warned = False
    for k, (look, error) in enumerate(zip(looks, errors, strict=True)):
        now = d[: look.n]
        result = paired(np.zeros(look.n), now, error=error)
        p, warned = result.p_value, bool(result.warning)
        if plain:
            p = _student(now)
        if p < error:
            return False, warned
        if picky and k + 1 < len(looks) and not NEARLY[0] < p < NEARLY[1]:
            break
    return True, warned


def _student(d: np.ndarray) -> float:
    from scipy.special import stdtr

    t = d.mean() / (d.std(ddof=1) / math.sqrt(len(d)))
    return float(2.0 * stdtr(len(d) - 1, -abs(t)))


if __name__ == "__main__":
    main()
