"""What the roads room knows while a simulation runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Site:
    """A work site: when its crew began and ended, seconds of the clock."""

    owner: str
    streets: tuple[int, ...]
    lanes_taken: int
    began_s: float | None = None
    ended_s: float | None = None

    def worked_s(self, now_s: float) -> float:
        """Seconds of work so far."""
        if self.began_s is None:
            return 0.0
        return (now_s if self.ended_s is None else self.ended_s) - self.began_s
