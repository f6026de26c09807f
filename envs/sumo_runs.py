"""The same episodes on SUMO, by libsumo: the judge.

The twin's own control keeps the rules, on a state without vehicles that goes along with SUMO
second by second and whose lights SUMO shows; what detectors read comes from SUMO's vehicles and
is written into the same arrays.  So actions, masks, observations and rewards are made by the
same code as in `envs.runs`.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from envs import actions
from envs.runs import Runs, report, waiting_values
from envs.scenes import Start, SumoScene
from envs.sumo_order import in_order
from envs.sumo_reading import STANDS_M_S, SumoReader, read_trips
from envs.task import SignalTask
from twin.errors import InputError, SimulationError, TwinError
from twin.traffic import control as ctl
from twin.traffic.detection import free_times
from twin.traffic.records import GREEN_STAGE, YELLOW_STAGE
from twin.traffic.state import Vehicles, initial_state

if TYPE_CHECKING:
    import pandas as pd

    from viz.live_signals import Bodies, SignalPicture

OPTIONS = (
    "--time-to-teleport", "-1", "--no-step-log", "--no-warnings", "--duration-log.disable",
    "--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted",
    "--device.emissions.probability", "1",
)  # fmt: skip


def load_libsumo() -> Any:
    """SUMO as a library.

    Raises
    ------
    InputError
        Where it is not installed.
    """
    try:
        with redirect_stdout(io.StringIO()):  # it warns of another build of Arrow, not used here
            import libsumo
    except ImportError as error:
        msg = f"engine sumo: libsumo cannot be used ({error}); pip install 'stadtzwilling[sumo]'"
        raise InputError(msg) from None
    return libsumo


class SumoRuns(Runs):
    """One simulation of a task's scene by SUMO, with the interface of `envs.runs.Runs`.

    SUMO is one simulation in a process: an episode that begins ends that of any other
    `SumoRuns` of the process, which then says so.  Steps of SUMO are 1 s.  Of a vehicle that
    leaves the network, what it lost since the last look is not in the reward; the indicators
    are of SUMO's own trip information.

    Parameters
    ----------
    task, junction, controlled
        As in `Runs`.

    Raises
    ------
    InputError
        Without libsumo, or for more than one copy.
    """

    _running: SumoRuns | None = None

    def __init__(
        self,
        task: SignalTask,
        copies: int = 1,
        *,
        junction: int | None = None,
        controlled: bool = True,
        threads: int | None = None,  # noqa: ARG002 - SUMO has one
    ) -> None:
        if copies != 1:
            msg = f"engine sumo: {copies} copies asked for; SUMO is one simulation in a process"
            raise InputError(msg)
        for name, value in (
            ("begin_s", task.scene.begin_s), ("end_s", task.scene.end_s), ("step_s", task.every_s),
        ):  # fmt: skip
            if value != round(value):
                msg = f"engine sumo: {name}(={value:g}) must be whole seconds, the step of SUMO"
                raise InputError(msg)
        load_libsumo()
        super().__init__(task, 1, junction=junction, controlled=controlled)
        self._scale = task.scene.scale if isinstance(task.scene, SumoScene) else 1.0
        self._folder: Any = None
        self._trips: pd.DataFrame | None = None
        self._last = np.zeros((0, 7))

    # episodes

    def _start(self, seed: int) -> Start:  # noqa: ARG002 - it is SUMO that draws
        nobody = Vehicles(
            due_s=np.zeros(0),
            kind=np.zeros(0, np.uint8),
            route_ptr=np.zeros(1, np.int64),
            route_street=np.zeros(0, np.int32),
            factor=np.zeros(0, np.float32),
            depart_speed_m_s=np.zeros(0),
        )
        scene = self.task.scene
        state = initial_state(self.network, nobody, begin_s=scene.begin_s, end_s=scene.end_s)
        return Start(state, free_times(self.network, state), lambda _: self.trips(0), scene.begin_s)

    def reset(self, seeds: Sequence[int], which: Sequence[int] | None = None) -> None:
        """Begin an episode of a seed."""
        copies = range(1) if which is None else which
        self._load(copies, seeds, [self._start(seed) for seed in seeds])
        known = self.task.scene.start(self.task.day(int(seeds[0])))
        self.control.view.known = known.state, known.free
        self._open(self.task.day(int(seeds[0])))
        lanes = self.task.scene.city.lanes["id"].tolist()
        ways = self.task.scene.detours(self.task.day(int(seeds[0])))
        self._left_out = {name for name, way in ways.items() if not way}
        self._reader = SumoReader(load_libsumo(), lanes, self.control, ways)
        self._reader.begin()
        self._shown: dict[int, tuple[int, int, int]] = {}
        self._look()

    def _open(self, seed: int) -> None:
        """Start SUMO."""
        if SumoRuns._running is not None:
            SumoRuns._running.close()
        self._trips = None
        scene = self.task.scene
        self._folder = tempfile.TemporaryDirectory(prefix="twin-sumo-")
        try:
            files = in_order(
                scene.sumo_files(seed, Path(self._folder.name)), Path(self._folder.name)
            )
        except TwinError:
            self._folder.cleanup()
            raise
        self._states = [str(text) for text in scene.city.signals["state"]]
        self._info = Path(self._folder.name) / "tripinfo.xml"
        options = [
            "sumo", "-n", files.net, "-r", ",".join(map(str, files.routes)), *OPTIONS,
            "-b", files.begin_s, "-e", scene.end_s, "--seed", seed % 2**31,
            "--tripinfo-output", self._info, "--scale", self._scale,
        ]  # fmt: skip
        if files.additional:
            options += ["-a", ",".join(map(str, files.additional))]
        try:
            load_libsumo().start([str(option) for option in options])
        except Exception as error:  # noqa: BLE001 - libsumo raises its own kinds
            msg = f"{files.net.name}: SUMO cannot start: {str(error).splitlines()[0]}"
            raise InputError(msg) from None
        SumoRuns._running = self
        while load_libsumo().simulation.getTime() < scene.begin_s:
            load_libsumo().simulationStep()

    def close(self) -> None:
        """End SUMO, and read what it says of trips."""
        if SumoRuns._running is not self:
            return
        libsumo = load_libsumo()
        now_s = float(libsumo.simulation.getTime())
        self._last = self._vehicles()
        libsumo.close()
        SumoRuns._running = None
        if self._made and bool(self.done[0]):
            trips = read_trips(self._info, now_s)
            self._trips = trips[~trips["id"].isin(self._left_out)].reset_index(drop=True)
        self._folder.cleanup()

    def step(self, action: npt.NDArray[Any]) -> None:
        """Ask for [1, junctions] actions, and let a step pass."""
        if SumoRuns._running is not self:
            msg = "this simulation by SUMO has ended, or another one began: call reset()"
            raise SimulationError(msg)
        libsumo = load_libsumo()
        control, tps = self.control, self.network.arrays.tps
        if self._controlled:
            actions.ask(self.task.action, control, action, self.task.cycle_s)
            control.serve()
        now = int(control.batch.now[0])
        end = min(now + self._step_ticks, self._end)
        while now < end:
            control.advance(now + 1)  # what changes at this tick is shown in the second from it
            self._show()
            libsumo.simulationStep()
            now = min(now + tps, end)
            self._reader.follow()
        control.advance(end)
        self._look()
        self._sum_up()

    def _look(self) -> None:
        """Read SUMO's vehicles as the twin's detectors would."""
        control = self.control
        control.look()
        state, play = control.batch.copies[0], control.play
        self._reader.read(play.read, play.sight)
        ctl.allow(state, play.sight, play.orders, play.read, 0)
        report(int(control.batch.now[0]), self._stepping, 0)

    # lights

    def _show(self) -> None:
        """Let SUMO show the lights of the twin's signals."""
        if not self._controlled:
            return
        libsumo = load_libsumo()
        state = self.control.batch.copies[0]
        lit = state.signal[self.junctions.signal][["phase", "target", "stage"]].tolist()
        for s, shows in zip(self.junctions.signal.tolist(), lit, strict=True):
            if self._shown.get(s) != shows:
                text = self._text(state.signal[s])
                libsumo.trafficlight.setRedYellowGreenState(self.network.signal_ids[s], text)
                self._shown[s] = shows

    def _text(self, signal: Any) -> str:
        """What a signal shows, as SUMO writes it."""
        before = self._states[int(signal["phase"])]
        if signal["stage"] == GREEN_STAGE:
            return before
        after = self._states[int(signal["target"])]
        ends = "y" if signal["stage"] == YELLOW_STAGE else "r"
        return "".join(
            a if a not in "gG" or b in "gG" else ends for a, b in zip(before, after, strict=True)
        )

    # picture

    def drawn(self, k: int, picture: SignalPicture) -> Bodies:  # noqa: ARG002 - there is one
        """Where SUMO's vehicles are; once it has ended, where they were last."""
        from viz.live_signals import Bodies

        rows = self._vehicles() if SumoRuns._running is self else self._last
        front, way = rows[:, :2], rows[:, 2:4]
        return Bodies(front, front - way * rows[:, 4:5], rows[:, 5], rows[:, 6] < STANDS_M_S)

    def _vehicles(self) -> npt.NDArray[np.float64]:
        """[n, 7] front, direction, length, width, speed of vehicles, in m of the city's CRS."""
        get, lanes = load_libsumo().vehicle, self.task.scene.city.lanes
        shape = load_libsumo().lane.getShape(str(lanes["id"].iloc[0]))
        shift = np.array(lanes.geometry.iloc[0].coords[0][:2]) - shape[0][:2]
        reads = (get.getAngle, get.getLength, get.getWidth, get.getSpeed)
        names = sorted(get.getIDList())
        rows = [(*get.getPosition(v), *(read(v) for read in reads)) for v in names]
        found = np.array(rows, float).reshape(-1, 6)
        angle = np.radians(found[:, 2])  # from north, clockwise
        way = np.column_stack([np.sin(angle), np.cos(angle)])
        return np.column_stack([found[:, :2] + shift, way, found[:, 3:]])

    # results

    def delay_per_trip_s(self, k: int) -> float:
        """Mean delay over the trips that were due; of SUMO's own information at the end."""
        return self.indicators(k)["delay_per_trip_s"]

    def trips(self, k: int) -> pd.DataFrame:  # noqa: ARG002 - there is one
        """Trip table of the episode, from SUMO's trip information.

        Raises
        ------
        SimulationError
            Before the end of the window: SUMO writes it then.
        """
        if self._trips is None and self._made and bool(self.done[0]):
            self.close()
        if self._trips is None:
            msg = "SUMO tells of trips at the end of the window: step until then"
            raise SimulationError(msg)
        return self._trips

    def indicators(self, k: int) -> dict[str, float]:
        """Indicators of the trips of the window, as `Runs.indicators` has them."""
        from twin.traffic.indicators import indicator_values

        trips = self.trips(k)
        counted = trips[trips["due_s"] >= self.task.scene.begin_s]
        waited = counted["waiting_s"] + counted["depart_delay_s"]
        return {
            **indicator_values(trips, self.task.scene.begin_s),
            "passed_jams": 0.0,
            **waiting_values(waited.to_numpy()),
            "stops_per_trip": float(counted["stops"].mean()),
            "co2_per_trip_g": float(counted["co2_g"].mean()),
        }

    def __getstate__(self) -> dict[str, Any]:
        msg = "a simulation by SUMO cannot be pickled: make one in each process"
        raise SimulationError(msg)
