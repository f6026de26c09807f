"""Where domains meet: claims on streets.

A flooded underpass, a work site and a police cordon may hold the same street.  Each files
a claim of its own; what holds on the street is the most restrictive of those that are
alive, and a claim ends with its owner.  So works that end do not reopen a flooded street.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twin.errors import SimulationError


@dataclass(frozen=True)
class Claim:
    """What one owner demands of one street.

    Attributes
    ----------
    owner
        Who files it, e.g. "roads/works-3"; the part before "/" names the system.
    street
        Position in the city's streets.
    open
        False closes the street to entry.
    lanes
        Most lanes that may be entered; None leaves them all.
    speed_m_s
        Greatest speed; None leaves the limit.
    depth_m
        Water on the street.
    until_s
        When the owner expects to withdraw it, seconds of the clock; infinite if unknown.
    """

    owner: str
    street: int
    open: bool = True
    lanes: int | None = None
    speed_m_s: float | None = None
    depth_m: float = 0.0
    until_s: float = math.inf


@dataclass(frozen=True)
class Held:
    """What holds on a street; the same fields as in `Claim`."""

    open: bool = True
    lanes: int | None = None
    speed_m_s: float | None = None
    depth_m: float = 0.0
    until_s: float = math.inf


def _least(values: Iterable[float | int | None]) -> float | int | None:
    stated = [v for v in values if v is not None]
    return min(stated) if stated else None


class Claims:
    """All claims that are alive, and who wants to hear of changes."""

    def __init__(self, n_streets: int) -> None:
        self._n_streets = n_streets
        self._alive: dict[int, list[Claim]] = {}
        self._listeners: list[Callable[[tuple[int, ...]], None]] = []

    def on_change(self, listener: Callable[[tuple[int, ...]], None]) -> None:
        """Call `listener(streets)` at the tick at which what is claimed on streets changes."""
        self._listeners.append(listener)

    def file(self, *claims: Claim) -> None:
        """Let claims begin now.

        Raises
        ------
        SimulationError
            For a street that the city does not have; then none of them begins.
        """
        for claim in claims:
            if not 0 <= claim.street < self._n_streets:
                msg = (
                    f"claim of {claim.owner}: street {claim.street} is not in the city, "
                    f"which has streets 0 to {self._n_streets - 1}"
                )
                raise SimulationError(msg)
        for claim in claims:
            self._alive.setdefault(claim.street, []).append(claim)
        self._tell({c.street for c in claims})

    def exchange(self, ended: Iterable[Claim], begun: Iterable[Claim]) -> None:
        """End some claims and let others begin in the same moment."""
        gone = set(ended)
        touched = {c.street for c in gone}
        for street in touched:
            rest = [c for c in self._alive.get(street, []) if c not in gone]
            if rest:
                self._alive[street] = rest
            else:
                self._alive.pop(street, None)
        new = list(begun)
        for claim in new:
            self._alive.setdefault(claim.street, []).append(claim)
        self._tell(touched | {c.street for c in new})

    def withdraw(self, owner: str) -> None:
        """End every claim of an owner now."""
        touched = {s for s, claims in self._alive.items() if any(c.owner == owner for c in claims)}
        for street in touched:
            rest = [c for c in self._alive[street] if c.owner != owner]
            if rest:
                self._alive[street] = rest
            else:
                del self._alive[street]
        self._tell(touched)

    def held(self, street: int) -> Held:
        """The most restrictive of the live claims on a street."""
        claims = self._alive.get(street, [])
        if not claims:
            return Held()
        lanes = _least(c.lanes for c in claims)
        closing = [c.until_s for c in claims if not c.open]
        return Held(
            open=not closing,
            lanes=None if lanes is None else int(lanes),
            speed_m_s=_least(c.speed_m_s for c in claims),
            depth_m=max(c.depth_m for c in claims),
            until_s=max(closing) if closing else max(c.until_s for c in claims),
        )

    def alive(self) -> tuple[Claim, ...]:
        """Every live claim, by street and time of filing."""
        return tuple(c for street in sorted(self._alive) for c in self._alive[street])

    def snapshot(self) -> tuple[Claim, ...]:
        """What `restore` takes."""
        return self.alive()

    def restore(self, claims: tuple[Claim, ...]) -> None:
        """Hold exactly these claims, telling everyone of what changes."""
        before = set(self._alive)
        self._alive = {}
        for claim in claims:
            self._alive.setdefault(claim.street, []).append(claim)
        self._tell(before | set(self._alive))

    def _tell(self, streets: set[int]) -> None:
        if streets:
            for listener in self._listeners:
                listener(tuple(sorted(streets)))
