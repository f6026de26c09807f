"""One SimPy clock for every system of the city.

Time inside is whole ticks since a timezone-aware start, so that nothing depends on
rounding; weekday and season are known.  What happens at the same tick follows one order:
first what SimPy was given with `URGENT`, then claims that begin or end, then controllers
and processes in the order in which they were scheduled.  The vehicle flow is advanced up
to, and not including, the present tick, so that whatever a process decides at a tick is
felt by every vehicle move of that tick.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from typing import Any

import simpy

from twin.errors import SimulationError

TICKS_PER_SECOND = 100
Process = Generator[simpy.Event, Any, Any]


class Clock:
    """A `simpy.Environment` whose time is whole ticks since `start`.

    Parameters
    ----------
    start
        Timezone-aware moment of tick 0.
    begin_s
        Second after `start` at which the clock is to begin.
    ticks_per_second
        Resolution; 100 makes a tick 10 ms.
    """

    def __init__(
        self,
        start: dt.datetime,
        begin_s: float = 0.0,
        ticks_per_second: int = TICKS_PER_SECOND,
    ) -> None:
        if start.tzinfo is None:
            msg = f"the clock's start {start.isoformat()} has no timezone: give one, e.g. UTC"
            raise SimulationError(msg)
        self.start = start
        self.ticks_per_second = ticks_per_second
        self.env = simpy.Environment(initial_time=round(begin_s * ticks_per_second))

    @property
    def now(self) -> int:
        """The present tick."""
        return int(self.env.now)

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return self.now / self.ticks_per_second

    @property
    def moment(self) -> dt.datetime:
        """The present date and time."""
        return self.start + dt.timedelta(seconds=self.now_s)

    def ticks(self, seconds: float) -> int:
        """Whole ticks nearest to `seconds`."""
        return round(seconds * self.ticks_per_second)

    def process(self, generator: Process) -> simpy.Process:
        """Start a SimPy process."""
        return self.env.process(generator)

    def wait(self, seconds: float) -> simpy.Timeout:
        """Wait for `seconds`, to the nearest tick."""
        return self.env.timeout(self.ticks(seconds))

    def until(self, second: float) -> simpy.Timeout:
        """Wait until `second` after the start; at once where that has passed."""
        return self.env.timeout(max(0, self.ticks(second) - self.now))

    def run(self, until_s: float) -> None:
        """Run every process up to, and not including, `until_s` seconds after the start."""
        tick = self.ticks(until_s)
        if tick > self.now:
            self.env.run(until=tick)
