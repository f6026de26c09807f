"""Signals that a policy controls: what it sees, what it may ask for, and what is served.

A controller asks for a green phase of the signal's own program.  The traffic system keeps
the rules whatever it asks: minimum green, then yellow and all-red for movements that lose
their green, and a longest wait at red, after which the phase that ends it comes next.  A
request that the rules do not allow is not served; `SignalControl.allowed` says before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from twin.errors import SimulationError
from twin.traffic import parameters as par
from twin.traffic.kernel import queues
from twin.traffic.lights import request_phase
from twin.traffic.network import MAJOR, MINOR, YELLOW, Network, SignalArrays
from twin.traffic.records import CONTROLLED, GREEN_STAGE, NEVER

if TYPE_CHECKING:
    from twin.traffic.records import State

I4 = npt.NDArray[np.int32]
F4 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Junctions:
    """Controllable signals of a network as padded arrays.

    Attributes
    ----------
    signal
        [junctions] position among the network's signals.
    row
        [junctions, phases] row of the program that a phase is, -1 where padded.
    link
        [junctions, links] kernel link of each signalled connection, -1 where padded.
    green
        [junctions, phases, links] whether a phase gives green to a link.
    """

    signal: I4
    row: I4
    link: I4
    green: Bools

    @property
    def n_phases(self) -> npt.NDArray[np.int64]:
        """[junctions] phases of each."""
        return np.asarray((self.row >= 0).sum(axis=1))

    @classmethod
    def of(cls, network: Network) -> Junctions:
        """Signals with at least two phases that give green without yellow.

        Equal phases of a program count once.
        """
        sig = network.signals
        chosen = [(s, rows) for s in range(len(sig.cycle)) if len(rows := _green_rows(sig, s)) > 1]
        phases = max((len(rows) for _, rows in chosen), default=1)
        links = max((int(sig.link[s + 1] - sig.link[s]) for s, _ in chosen), default=1)
        row = np.full((len(chosen), phases), -1, np.int32)
        link = np.full((len(chosen), links), -1, np.int32)
        green = np.zeros((len(chosen), phases, links), bool)
        for j, (s, rows) in enumerate(chosen):
            n = int(sig.link[s + 1] - sig.link[s])
            row[j, : len(rows)] = rows
            link[j, :n] = sig.links[sig.link[s] : sig.link[s + 1]]
            light = sig.light[rows, :n]
            green[j, : len(rows), :n] = (light == MAJOR) | (light == MINOR)
        return cls(np.array([s for s, _ in chosen], np.int32), row, link, green)

    def take(self, junction: int) -> Junctions:
        """One of them."""
        k = slice(junction, junction + 1)
        return Junctions(self.signal[k], self.row[k], self.link[k], self.green[k])


def _green_rows(sig: SignalArrays, s: int) -> list[int]:
    n = sig.link[s + 1] - sig.link[s]
    rows: list[int] = []
    seen: set[bytes] = set()
    for row in range(sig.phase[s], sig.phase[s + 1]):
        light = sig.light[row, :n]
        some = ((light == MAJOR) | (light == MINOR)).any()
        if some and not (light == YELLOW).any() and light.tobytes() not in seen:
            seen.add(light.tobytes())
            rows.append(row)
    return rows


class View:
    """What detectors at the junctions show now; arrays are made on first use.

    Attributes
    ----------
    waiting, approaching
        [kernel links] vehicles at a stand before, and under way to, each link's stop line.
    head_wait
        [kernel links] ticks that the first vehicle of a lane has waited to take the link.
    """

    def __init__(self, network: Network, junctions: Junctions, state: State) -> None:
        self.network, self.junctions, self.state = network, junctions, state
        n = len(network.arrays.link)
        self.waiting = np.zeros(n, np.int32)
        self.approaching = np.zeros(n, np.int32)
        self.lane_vehicles = np.zeros(len(network.arrays.lane), np.int32)
        self.head_wait = np.zeros(n, np.int32)
        self.look()

    def look(self) -> None:
        """Count anew."""
        queues(
            self.network.arrays,
            self.state,
            self.waiting,
            self.approaching,
            self.lane_vehicles,
            self.head_wait,
        )

    @property
    def now_s(self) -> float:
        """Seconds of the clock."""
        return float(self.state.clock["now"][0]) / self.network.arrays.tps

    @property
    def phase(self) -> npt.NDArray[np.int64]:
        """[junctions] phase that is green or being changed to."""
        signal = self.state.signal[self.junctions.signal]
        row = np.where(signal["stage"] == GREEN_STAGE, signal["phase"], signal["target"])
        return np.asarray(np.argmax(self.junctions.row == row[:, None], axis=1))

    @property
    def changing(self) -> Bools:
        """[junctions] whether yellow or all-red is shown."""
        stage = self.state.signal["stage"][self.junctions.signal]
        return np.asarray(stage != GREEN_STAGE)

    @property
    def green_s(self) -> npt.NDArray[np.float64]:
        """[junctions] seconds for which the phase has been green; 0 while changing."""
        now = self.state.clock["now"][0]
        since = self.state.signal["green_at"][self.junctions.signal]
        return np.where(self.changing, 0.0, (now - since) / self.network.arrays.tps)

    def by_link(self, values: I4) -> F4:
        """[junctions, links] values of each junction's links, 0 where padded."""
        link = self.junctions.link
        return np.where(link >= 0, values[np.maximum(link, 0)], 0).astype(np.float32)

    def downstream(self) -> F4:
        """[junctions, links] mean vehicles per lane on the street that a link leads to."""
        net = self.network.arrays
        lanes = np.diff(net.street_lane)
        total = np.add.reduceat(self.lane_vehicles[: self.network.n_lanes], net.street_lane[:-1])
        per_lane = total / np.maximum(lanes, 1)
        link = self.junctions.link
        street = net.link["street"][np.maximum(link, 0)]
        return np.where(link >= 0, per_lane[street], 0.0).astype(np.float32)


class Controller(Protocol):
    """A policy that decides on the clock."""

    interval_s: float

    def start(self, view: View) -> None:
        """See the junctions for the first time."""

    def decide(self, view: View) -> npt.NDArray[np.integer]:
        """[junctions] the phase wanted at each; -1 leaves it as it is."""


class SignalControl:
    """Hands junctions from their fixed programs to a policy, and keeps the rules."""

    def __init__(
        self,
        network: Network,
        state: State,
        *,
        yellow_s: float = par.YELLOW_S,
        all_red_s: float = par.ALL_RED_S,
        min_green_s: float = par.MIN_GREEN_S,
        max_wait_s: float = par.MAX_WAIT_S,
        junctions: Junctions | None = None,
    ) -> None:
        self.network, self.state = network, state
        self.junctions = junctions or Junctions.of(network)
        tps = network.arrays.tps
        self.yellow, self.all_red = round(yellow_s * tps), round(all_red_s * tps)
        self.min_green = round(min_green_s * tps)
        self.max_wait = round(max_wait_s * tps)

    def take(self) -> View:
        """Take every junction over: it shows the green phase that its program was in or near."""
        now = int(self.state.clock["now"][0])
        for j, s in enumerate(self.junctions.signal):
            signal = self.state.signal[s]
            if signal["mode"] == CONTROLLED:
                continue
            rows = self.junctions.row[j]
            rows = rows[rows >= 0]
            row = int(rows[np.argmin(np.abs(rows - signal["phase"]))])
            signal["mode"] = CONTROLLED
            signal["yellow"], signal["all_red"] = self.yellow, self.all_red
            signal["green_at"] = now
            signal["switch"] = NEVER
            signal["stage"] = GREEN_STAGE
            shown = int(signal["phase"])
            if shown != row:
                request_phase(self.network.arrays, self.network.signals, self.state, s, row)
        return View(self.network, self.junctions, self.state)

    def release(self) -> None:
        """Give every junction back to its program, which goes on from the phase that is shown."""
        now = int(self.state.clock["now"][0])
        for s in self.junctions.signal:
            signal = self.state.signal[s]
            signal["mode"] = 0
            signal["stage"] = GREEN_STAGE
            signal["switch"] = max(now, int(signal["green_at"])) + self.min_green

    def allowed(self, view: View) -> Bools:
        """[junctions, phases] what a request would be served with now."""
        free = ~view.changing & (view.green_s * self.network.arrays.tps >= self.min_green - 0.5)
        mask = (self.junctions.row >= 0) & free[:, None]
        mask[np.arange(len(free)), view.phase] = True
        due = self._overdue(view)
        for j in np.flatnonzero((due >= 0) & free):
            mask[j] = False
            mask[j, due[j]] = True
        return np.asarray(mask)

    def _overdue(self, view: View) -> npt.NDArray[np.int64]:
        """[junctions] the phase that ends a wait at red that is too long, else -1."""
        junctions = self.junctions
        n = np.arange(len(junctions.signal))
        if not len(n):
            return np.zeros(0, np.int64)
        wait = view.by_link(view.head_wait)
        wait[junctions.green[n, view.phase]] = 0.0
        worst = np.argmax(wait, axis=1)
        phase = np.argmax(junctions.green[n, :, worst], axis=1)
        late = (wait[n, worst] > self.max_wait) & junctions.green[n, phase, worst]
        return np.where(late, phase, -1)

    def request(self, view: View, phase: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Serve what the rules allow; the phases that hold or are being changed to.

        Raises
        ------
        SimulationError
            Where the number of phases is not that of the junctions.
        """
        wanted = np.asarray(phase)
        if wanted.shape != self.junctions.signal.shape:
            n = len(self.junctions.signal)
            msg = f"phases of shape {wanted.shape} asked for; there are {n} junctions"
            raise SimulationError(msg)
        allowed = self.allowed(view)
        count = self.junctions.n_phases
        due = self._overdue(view)
        wanted = np.where(due >= 0, due, wanted)
        for j in np.flatnonzero((wanted >= 0) & (wanted < count) & (wanted != view.phase)):
            if allowed[j, wanted[j]]:
                request_phase(
                    self.network.arrays,
                    self.network.signals,
                    self.state,
                    int(self.junctions.signal[j]),
                    int(self.junctions.row[j, wanted[j]]),
                )
        return view.phase
