"""Run a SUMO network with SUMO routes on the kernel, to compare it with SUMO."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.errors import OutputError
from twin.traffic.indicators import trip_table
from twin.traffic.kernel import advance
from twin.traffic.network import Network
from twin.traffic.peer_vehicles import Load, load_vehicles
from twin.traffic.state import copy_state, initial_state
from twin.traffic.sumo_routes import RouteFiles, read_routes

if TYPE_CHECKING:
    from twin.city import City
    from twin.traffic.records import State

COLUMNS = [
    "id", "depart_s", "depart_delay_s", "arrival_s", "duration_s", "route_length_m", "time_loss_s",
]  # fmt: skip


@dataclass(frozen=True)
class PeerRun:
    """What a run was: wall times, vehicles due, departed, arrived, and entries left out."""

    load_s: float
    run_s: float
    due: int
    departed: int
    arrived: int
    skipped: dict[str, int]


@dataclass(frozen=True, eq=False)
class PeerFlow:
    """Vehicles of SUMO's files on the network of a city, ready to go.

    Attributes
    ----------
    network
        Arrays of the city, with the types of the files.
    state
        The flow at the begin of the period, with nobody on the streets.
    ids
        SUMO's id of each vehicle, in the order of the state.
    load
        What else SUMO says of them.
    """

    network: Network
    state: State
    ids: list[str]
    load: Load

    def trips(self, state: State) -> pd.DataFrame:
        """Return the trip table of a state of the flow, as SUMO counts.

        Lengths and losses are from where trips start, at the desired speed.  The table of the
        kernel counts from the start of the first street; so departures are moved to when a
        vehicle would have been there, and back.

        Parameters
        ----------
        state
            `self.state` after it was advanced, or what came of it.

        Returns
        -------
        One row a vehicle: `id`, and the columns of `twin.traffic.indicators.trip_table`.
        """
        network, load = self.network, self.load
        v, shift = state.vehicle.copy(), np.rint(load.start_s * network.arrays.tps).astype(np.int32)
        v["factor"] = load.factor
        out = v["depart"] >= 0
        v["depart"][out] = np.maximum(0, v["depart"] - shift)[out]
        v["entered"][out] -= np.where(v["route_at"] == v["route"], shift, 0)[out]
        table = trip_table(network, state._replace(vehicle=v))
        shift_s = (state.vehicle["depart"] - v["depart"]) / network.arrays.tps
        for column, sign in (("depart_s", 1), ("depart_delay_s", 1), ("duration_s", -1)):
            table[column] += sign * shift_s
        table["route_length_m"] = np.maximum(0.0, table["route_length_m"] - load.start_m)
        table.insert(0, "id", self.ids)
        return table

    def routed(self, begin_s: float, end_s: float) -> PeerFlow:
        """The same flow in which trips without a route keep those of a run under the programs."""
        if not len(self.load.trips.legs):
            return self
        met = self.load.trips.run(self.network, copy_state(self.state), begin_s, end_s)
        first, end = met.vehicle["route"], met.vehicle["route_end"]
        ways = [met.route_street[a:b] for a, b in zip(first, end, strict=True)]
        pointer = np.concatenate([[0], np.cumsum(end - first)]).astype(np.int64)
        vehicles = replace(self.load.vehicles, route_ptr=pointer, route_street=np.concatenate(ways))
        load = replace(self.load, vehicles=vehicles)
        length_s = float(self.state.clock["length"][0]) / self.network.arrays.tps
        state = _start(self.network, load, begin_s, end_s, length_s)
        return replace(self, state=state, load=load)


def _start(network: Network, load: Load, begin_s: float, end_s: float, interval_s: float) -> State:
    """Nobody on the streets, vehicles as SUMO has them."""
    state = initial_state(
        network, load.vehicles, begin_s=begin_s, end_s=end_s, interval_s=interval_s
    )
    state.vehicle["extra"] += np.rint(load.extra_s * network.arrays.tps).astype(np.int32)
    return state


def load_flow(
    city: City,
    found: RouteFiles,
    seed: int,
    net: Path,
    *,
    begin_s: float,
    end_s: float,
    interval_s: float = 900.0,
    jam_s: float | None = None,
    made: Network | None = None,
) -> PeerFlow:
    """Put the vehicles of SUMO's route files on the network of a city.

    Parameters
    ----------
    city
        The city of `net`.
    found
        What the route files say.
    seed
        Seed of the drivers and of what the files leave to chance.
    net
        SUMO's network, for messages.
    begin_s, end_s
        Period.
    interval_s
        Length of the intervals in which streets are measured.
    jam_s
        Wait after which a vehicle is taken past a jam (SUMO's `--time-to-teleport`).
    made
        Network of an earlier flow of the same city and `jam_s`, to share it where it is the same.

    Raises
    ------
    InputError
        If the routes do not fit the network.
    """
    network, load = load_vehicles(city, found, seed, net, jam_s, made)
    state = _start(network, load, begin_s, end_s, interval_s)
    return PeerFlow(network, state, [v.id for v in found.vehicles], load)


def simulate_files(
    net: Path,
    routes: Sequence[Path],
    begin_s: float,
    end_s: float,
    seed: int,
    out: Path,
    jam_s: float | None = None,
) -> PeerRun:
    """Simulate a SUMO network with SUMO route files and write one row a vehicle.

    Parameters
    ----------
    routes
        Route and additional files (vehicle types), in any order.
    jam_s
        Wait after which a vehicle is taken past a jam (SUMO's `--time-to-teleport`).

    Raises
    ------
    InputError
        For files that cannot be used.
    OutputError
        Where `out` cannot be written.
    """
    if out.is_dir() or not out.parent.is_dir():
        msg = f"{out} is no place for a CSV file; name a file in a folder that exists"
        raise OutputError(msg)
    from twin.city import City

    started = time.perf_counter()
    found = read_routes(routes, begin_s, end_s, seed)
    city = City.from_sumo(net)
    flow = load_flow(city, found, seed, net, begin_s=begin_s, end_s=end_s, jam_s=jam_s)
    network, state = flow.network, flow.state
    advance(network.arrays, network.signals, state, int(state.clock["now"][0]))  # compiles
    loaded = time.perf_counter()
    state = flow.load.trips.run(network, state, begin_s, end_s)
    done = time.perf_counter()
    table = flow.trips(state)
    _write(table[COLUMNS], out)
    departed, arrived = (int(table[c].notna().sum()) for c in ("depart_s", "arrival_s"))
    return PeerRun(loaded - started, done - loaded, len(table), departed, arrived, found.skipped)


def _write(table: pd.DataFrame, out: Path) -> None:
    temporary = out.with_name(f".{out.name}.part")
    try:
        table.to_csv(temporary, index=False, float_format="%.2f")
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"cannot write {out}: {error.strerror or error}; free space or name another file"
        raise OutputError(msg) from None
