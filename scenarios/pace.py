"""How long the rest of a scenario takes, from how long replications took."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.worker import Job

RECENT = 16  # jobs whose mean counts, since others may come and go on the machine
LOADING_S = 120.0  # compiling takes up to a minute; in longer jobs it hardly matters


class Pace:
    """What parts of jobs took: what all variants of a seed share, and each variant.

    The first job of a process also loads the city and compiles; it counts only as long as no
    later one is known, and where it is short not even then.
    """

    def __init__(self) -> None:
        self._first: dict[str, deque[float]] = defaultdict(_recent)
        self._later: dict[str, deque[float]] = defaultdict(_recent)

    def add(self, parts: Mapping[str, float], *, first: bool) -> None:
        """Note seconds by part of a job."""
        for part, seconds in parts.items():
            (self._first if first else self._later)[part].append(seconds)

    def expected_s(self, job: Job) -> float | None:
        """Seconds that a job takes; None before any is known."""
        mean = {part: fmean(values) for part, values in {**self._first, **self._later}.items()}
        if not mean:
            return None
        usual = fmean(mean.values())
        return sum(mean.get(part, usual) for part in job.parts)

    def remaining_s(
        self, waiting: Iterable[Job], running: Iterable[tuple[Job, float]], workers: int
    ) -> float | None:
        """Seconds until all jobs are done, each taken by whichever worker is free first.

        None while too little is known.

        Parameters
        ----------
        waiting
            Jobs that have not begun.
        running
            Jobs that have, with the seconds since.
        workers
            Jobs that run at the same time.
        """
        begun = [(self.expected_s(job), since) for job, since in running]
        ahead = [self.expected_s(job) for job in waiting]
        free = [max(0.0, mean - since) for mean, since in begun if mean is not None]
        rest = [mean for mean in ahead if mean is not None]
        unknown = len(free) + len(rest) < len(begun) + len(ahead)
        if unknown or (rest and not self._later and max(rest) < LOADING_S):
            return None
        return _makespan_s(rest, free, workers)


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)


def _makespan_s(ahead: Sequence[float], busy: Sequence[float], workers: int) -> float:
    """Return when the last job ends if each goes to the worker that is free first.

    Examples
    --------
    >>> _makespan_s([4.0, 4.0, 4.0], [1.0, 2.0], 2)
    9.0
    """
    free = [*busy, *[0.0] * (workers - len(busy))]
    heapq.heapify(free)
    for job_s in ahead:
        heapq.heapreplace(free, free[0] + job_s)
    return max(free, default=0.0)
