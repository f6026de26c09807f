"""What environments have in common to render: modes, the window, and what a picture tells.

Pictures are drawn by `viz`, which is imported, as pygame is, by the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt

from twin.errors import InputError, SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envs.roads.runs import RoadRuns
    from envs.runs import Runs
    from viz.live import Window
    from viz.live_roads import RoadPicture
    from viz.live_signals import SignalPicture

Frame = npt.NDArray[np.uint8]
MODES = ("human", "rgb_array")
SIGNAL_FPS, ROAD_FPS = 5, 2  # decisions shown in a second


class Painter:
    """Draws copies of a simulation.

    Attributes
    ----------
    title
        Of the window.
    """

    title = ""
    _picture: Any = None

    def frame(self, copy: int) -> Frame:
        """The present moment of a copy, uint8 (height, width, 3)."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_picture": None}


class SignalPainter(Painter):
    """Draws traffic at signals (`viz.live_signals`)."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.title = runs, runs.task.scene.name
        shape = (len(runs), len(runs.junctions))
        self._asked = np.full(shape, -1)
        self._reward: npt.NDArray[np.float64] = np.full(shape[0], np.nan)

    def begin(self, copies: Sequence[int]) -> None:
        """Take notice that copies begin anew."""
        self._asked[copies] = -1
        self._reward[copies] = np.nan

    def note(self, action: Any, reward: Any) -> None:
        """Take notice of a step: what was asked for, and the reward of each copy."""
        if self.runs.task.action in ("phase", "duration"):
            asked = np.asarray(action).reshape(*self._asked.shape, -1)
            self._asked[:] = asked[..., 0]
        self._reward[:] = reward

    def frame(self, copy: int) -> Frame:
        """The streets with vehicles, lights and phases, and figures beside them."""
        from viz.live_signals import SignalPicture, Words, figures

        runs = self.runs
        if self._picture is None:
            scene = runs.task.scene
            signal = runs.junctions.signal
            self._picture = SignalPicture(scene.city, runs.network, signal, self.title)
        picture: SignalPicture = self._picture
        bodies = runs.drawn(copy, picture)
        standing = float(runs.control.play.read.standing[copy].sum())
        reward = float(self._reward[copy])
        told = figures(
            len(bodies), standing, runs.delay_s(copy), None if np.isnan(reward) else reward
        )
        words = Words(
            float(runs.now_s[copy]), told, np.asarray(runs.served[copy]), self._asked[copy]
        )
        return picture.frame(runs.control.batch.copies[copy], bodies, words)


class RoadPainter(Painter):
    """Draws a network and its condition as the city believes it (`viz.live_roads`)."""

    def __init__(self, runs: RoadRuns) -> None:
        self.runs, self.title = runs, runs.task.scene.name

    def frame(self, copy: int) -> Frame:
        """The sections by believed condition, and figures beside them."""
        from viz.live_roads import Moment, RoadPicture

        runs = self.runs
        if self._picture is None:
            scene, rules = runs.task.scene, runs.rules[0]
            years = -(-int(rules["weeks"]) // 52)
            self._picture = RoadPicture(scene.sections, scene.city, self.title, years)
        picture: RoadPicture = self._picture
        info, section = runs.info(copy), runs.state.section[copy]
        moment = Moment(
            week=info["week"],
            believed=runs.room.seen[copy, :, 5].copy(),
            treated=section["treated"].copy(),
            ordered=section["order"] > 0,
            budget_left_eur=info["budget_left_eur"],
            mean_pci=info["mean_pci"],
            bad_percent=info["bad_percent"],
            social_cost_eur=info["social_cost_eur"],
            reward=float(runs.reward[copy]),
        )
        return picture.frame(moment)


class Rendering:
    """How an environment renders: not at all, in a window, or as arrays.

    Raises
    ------
    InputError
        For a mode that there is not.
    """

    def __init__(
        self, mode: str | None, painter: Painter, fps: float, modes: Sequence[str] = MODES
    ) -> None:
        if mode is not None and mode not in modes:
            msg = f"render_mode(={mode!r}) is unknown here; there are {', '.join(modes)}"
            raise InputError(msg)
        self.mode, self.painter, self.fps = mode, painter, fps
        self._window: Window | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}

    def moved(self) -> None:
        """In the mode `human`, show what a reset or a step has changed."""
        if self.mode == "human":
            self._show()

    def render(self, begun: bool) -> Frame | None:
        """What `render()` of an environment returns.

        Raises
        ------
        SimulationError
            Before the first reset.
        """
        if not self.asked_for(begun):
            return None
        if self.mode == "human":
            self._show()
            return None
        return self.painter.frame(0)

    def frames(self, copies: int, begun: bool) -> tuple[Frame, ...] | None:
        """What `render()` of a vector environment returns."""
        if not self.asked_for(begun):
            return None
        return tuple(self.painter.frame(k) for k in range(copies))

    def asked_for(self, begun: bool) -> bool:
        """Whether there is a mode; a warning as Gymnasium's own where there is none."""
        if self.mode is None:
            gymnasium.logger.warn(
                "You are calling render method without specifying any render mode. You can "
                "specify the render_mode at initialization, e.g. render_mode='rgb_array'"
            )
            return False
        if not begun:
            msg = "nothing to render yet: the environment has not been reset; call reset() first"
            raise SimulationError(msg)
        return True

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        from viz.live import Window

        if self._window is None:
            self._window = Window(self.painter.title, self.fps)
        self._window.show(self.painter.frame(0))
