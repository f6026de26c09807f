"""A picture of traffic at signals, seen from above: streets, vehicles, lights, phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import InputError
from twin.traffic.network import MINOR, RED, YELLOW
from viz.live import FAINT_INK, INK, MARGIN, SIZE, Lines, attribution, box, map_canvas, rgb_of
from viz.palette import number

if TYPE_CHECKING:
    import numpy.typing as npt

    from twin.city import City
    from twin.traffic.network import Network
    from twin.traffic.positions import Positions
    from twin.traffic.records import State
    from viz.live import Frame

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.integer[Any]]

ASPHALT, MARKING, EDGE = "#5a6069", "#c9ccd1", "#9aa0a8"
MOVING, STANDING = (150, 214, 255), (245, 158, 27)
# Red, yellow, green that differ in lightness too (after Okabe and Ito, 2008); red bars are thicker.
LIGHTS = np.array([(226, 61, 40), (255, 226, 74), (32, 201, 151)], np.uint8)
THICK_M, THICK_PX = np.array([1.2, 0.75, 0.75]), np.array([4.0, 2.6, 2.6])
WIDTH_M = {"car": 1.9, "lorry": 2.5, "bus": 2.55}
LEAST_PX = (2.6, 2.0)  # length and width of a vehicle at least
FINE_PX = 7.0  # from this width on, lanes get markings, and a light for each of their movements
AROUND_M = 70.0  # seen around the junctions
CHIP, CHIP_INK, CHANGING = (29, 53, 87), (255, 255, 255), (255, 246, 214)
ROWS = 9  # junctions of which the panel has a line each


@dataclass(frozen=True)
class Bodies:
    """Vehicles to draw.

    Attributes
    ----------
    front, rear
        [n, 2] middle of both ends, m in the city's CRS.
    width_m
        [n] width.
    standing
        [n] whether it stands.
    """

    front: Floats
    rear: Floats
    width_m: Floats
    standing: npt.NDArray[np.bool_]

    @classmethod
    def none(cls) -> Bodies:
        """Nobody."""
        return cls(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.bool_))

    def __len__(self) -> int:
        return len(self.front)


@dataclass(frozen=True)
class Words:
    """What the panel says of a moment.

    Attributes
    ----------
    time_s
        Seconds since midnight.
    figures
        Names and values, one below the other.
    phase, asked
        [junctions] shown or being changed to; last asked for, -1 where nothing was.
    """

    time_s: float
    figures: tuple[tuple[str, str], ...]
    phase: Ints
    asked: Ints


class SignalPicture:
    """Draws the moments of a simulation.

    Parameters
    ----------
    city, network
        The streets.
    signal
        [junctions] the signals that are controlled; the picture is of them and around.
    title
        Name of the scene.

    Raises
    ------
    InputError
        For a city without shapes.
    """

    def __init__(self, city: City, network: Network, signal: Ints, title: str) -> None:
        self.city, self.network, self.signal, self.title = city, network, signal, title
        if city is None or not hasattr(city.lanes, "geometry") or not hasattr(city, "buildings"):
            msg = f"{title}: its streets have no shapes, so that no picture can be drawn"
            raise InputError(msg)
        self._lanes = Lines(city.lanes.geometry.to_numpy())
        self._moves = Lines(city.movements.geometry.to_numpy())
        self._middles = self._middles_of(signal)
        self.canvas = map_canvas(self._bounds(), city)
        self._lane_px = 3.2 * self.canvas.view.scale
        self._paint_streets()
        self._place_bars()
        self._match_links()
        self._write_still()

    def frame(self, state: State, bodies: Bodies, words: Words) -> Frame:
        """Return a moment as uint8 (height, width, rgb)."""
        canvas = self.canvas
        canvas.begin()
        canvas.polygons(self._corners(bodies), _colours(bodies))
        shows = _classes(state.link["light"][self._bar_links])
        shows = np.maximum.reduceat(shows, self._bar_first) if len(shows) else shows
        for kind in range(3):
            canvas.polygons(self._bars[kind][shows == kind], tuple(LIGHTS[kind].tolist()))
        canvas.develop()
        self._put_chips(state, words)
        self._write(words)
        return canvas.finish()

    def bodies(self, found: Positions) -> Bodies:
        """Return the vehicles of the twin as what is drawn."""
        types = self.network.types
        length = np.array([t.length_m for t in types])[found.type]
        width = np.array([WIDTH_M.get(t.vehicle_class, 1.9) for t in types])[found.type]
        at = found.position_m
        front, rear = self._points(found, at), self._points(found, at - length)
        return Bodies(front, rear, width, found.standing)

    # streets

    def _middles_of(self, signal: Ints) -> Floats:
        """[junctions, xy] middle of the movements of each signal."""
        import shapely

        movements = self.city.movements
        own, ways = movements["signal"].to_numpy(), movements.geometry.to_numpy()
        boxes = [shapely.total_bounds(ways[own == s]) for s in signal]
        return np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes])

    def _bounds(self) -> tuple[float, float, float, float]:
        x, y = self._middles.T
        return (
            x.min() - AROUND_M, y.min() - AROUND_M, x.max() + AROUND_M, y.max() + AROUND_M
        )  # fmt: skip

    def _paint_streets(self) -> None:
        import shapely

        canvas, view = self.canvas, self.canvas.view
        lanes = self.city.lanes[view.shows(self.city.lanes.geometry.to_numpy())]
        moves = self.city.movements[view.shows(self.city.movements.geometry.to_numpy())]
        least = 1.6 / view.scale / 2
        half = np.maximum(lanes["width_m"].to_numpy(float) / 2, least) + 0.1
        shapes = shapely.buffer(lanes.geometry.to_numpy(), half, cap_style="flat", quad_segs=3)
        moves = moves.sort_values("junction", kind="stable")
        junction = _dense(moves["junction"].to_numpy())
        ways = shapely.multilinestrings(moves.geometry.to_numpy(), indices=junction)
        wide = shapely.buffer(ways, max(1.6, least) + 4.0, cap_style="square", quad_segs=4)
        closed = shapely.buffer(wide, -4.0, quad_segs=4)  # without the gaps between its ways
        canvas.fixed(shapes, ASPHALT)
        canvas.fixed(closed, ASPHALT, ASPHALT)
        if self._lane_px >= FINE_PX:
            self._mark_lanes()

    def _mark_lanes(self) -> None:
        """Paint dashes between lanes of one direction, and a line on their left."""
        import shapely

        lanes = self.city.lanes
        street, half = lanes["street"].to_numpy(), lanes["width_m"].to_numpy(float) / 2
        leftmost = np.append(street[1:] != street[:-1], True)
        lines = shapely.offset_curve(lanes.geometry.to_numpy(), half)
        self.canvas.fixed(shapely.buffer(lines[leftmost], 0.09, cap_style="flat"), EDGE)
        dashes = []
        for line in lines[~leftmost & self.canvas.view.shows(lines)]:
            starts = np.arange(0.0, line.length, 6.0)
            dashes += [shapely.ops.substring(line, a, min(a + 3.0, line.length)) for a in starts]
        thin = shapely.buffer(np.array(dashes, object), 0.08, cap_style="flat")
        self.canvas.fixed(thin, MARKING)

    # lights

    def _place_bars(self) -> None:
        """Lay bars across stop lines: one for each movement, or for a lane where it is narrow."""
        net, signals = self.network.arrays, self.network.signals
        links = np.unique(signals.links[signals.links >= 0])
        links = links[net.link["lane"][links] < self.network.n_lanes]
        lane = net.link["lane"][links]
        order = np.lexsort((self._turn_angle(links), lane))  # from the right to the left
        links, lane = links[order], lane[order]
        new = np.diff(lane, prepend=-1) != 0
        part = np.arange(len(links)) - np.flatnonzero(new)[np.cumsum(new) - 1]
        parts = np.bincount(np.cumsum(new) - 1)[np.cumsum(new) - 1]
        width = self.city.lanes["width_m"].to_numpy(float)[lane]
        if self._lane_px < FINE_PX:
            links_of, first = links, np.flatnonzero(new)
            lane, part, parts, width = lane[new], part[new] * 0, np.ones(new.sum()), width[new]
            width = np.maximum(width, 4.5 / self.canvas.view.scale)
        else:
            links_of, first = links, np.arange(len(links))
        self._bar_links, self._bar_first = links_of, first
        length = self._lanes.length_m[lane]
        end, before = self._lanes.at(lane, length), self._lanes.at(lane, length - 0.5)
        ahead = _unit(end - before)
        right = np.column_stack([ahead[:, 1], -ahead[:, 0]])
        thick = np.maximum(THICK_M, THICK_PX / self.canvas.view.scale)
        edge = width * 0.46
        a = (edge * (1 - 2 * part / parts))[:, None] * right
        b = (edge * (1 - 2 * (part + 1) / parts))[:, None] * right
        line = end + 0.2 * ahead
        self._bars = [
            np.stack([line + a, line + b, line + b + t * ahead, line + a + t * ahead], axis=1)
            for t in thick
        ]

    def _turn_angle(self, links: Ints) -> Floats:
        """[links] angle by which the way turns, to the left positive."""
        one = np.full(len(self.network.arrays.link), -1)
        one[self.network.movement_link] = np.arange(len(self.network.movement_link))
        move = one[links]
        length = self._moves.length_m[move]
        begin = self._moves.at(move, np.full(len(move), 0.3)) - self._moves.at(move, 0.0 * length)
        end = self._moves.at(move, length) - self._moves.at(move, length - 0.3)
        angle = np.arctan2(end[:, 1], end[:, 0]) - np.arctan2(begin[:, 1], begin[:, 0])
        return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)

    # vehicles

    def _match_links(self) -> None:
        """Which movement leads by a link into a lane."""
        moves, n = self.city.movements, len(self.city.lanes)
        link, to_lane = self.network.movement_link.astype(np.int64), moves["to_lane"].to_numpy()
        self._key = np.sort(link * (n + 1) + to_lane)
        self._key_move = np.argsort(link * (n + 1) + to_lane, kind="stable")

    def _movement(self, found: Positions) -> Ints:
        """[vehicles] movement on which each is partly, -1: none; of its link, to its lane if so."""
        n = len(self.city.lanes)
        wanted = found.link.astype(np.int64) * (n + 1) + np.where(found.lane < n, found.lane, 0)
        at = np.minimum(np.searchsorted(self._key, wanted), len(self._key) - 1)
        at = np.where(self._key[at] // (n + 1) == found.link, at, np.maximum(at - 1, 0))
        return np.where(found.link >= 0, self._key_move[at], -1)

    def _points(self, found: Positions, at: Floats) -> Floats:
        """Points at metres from the begin of the lane (waiting places: of the movement)."""
        move, n = self._movement(found), self.network.n_lanes
        waits = found.lane >= n
        before = self.city.movements["lane"].to_numpy()[move]
        lane = np.where(waits, before, found.lane)
        length = self.network.arrays.lane["length"][lane].astype(float)
        stretch = self._lanes.length_m[lane] / length
        points = self._lanes.at(lane, np.where(waits, length + at, at) * stretch)
        crossing = (move >= 0) & np.where(waits, at >= 0, at < 0)
        on, way = move[crossing], at[crossing]
        full = self._moves.length_m[on]
        points[crossing] = self._moves.at(on, np.where(waits[crossing], way, full + way))
        beyond = crossing & ~waits & (at < -self._moves.length_m[move])
        if beyond.any():  # still partly on the lane before
            lane, far = before[beyond], (at + self._moves.length_m[move])[beyond]
            points[beyond] = self._lanes.at(lane, self._lanes.length_m[lane] + far)
        return points

    def _corners(self, bodies: Bodies) -> Floats:
        """[n, corners, xy] of the vehicles, none too small to be seen."""
        ahead, scale = bodies.front - bodies.rear, self.canvas.view.scale
        length = np.hypot(*ahead.T)
        ahead = _unit(ahead)
        rear = bodies.front - ahead * np.maximum(length, LEAST_PX[0] / scale)[:, None]
        half = np.maximum(bodies.width_m, LEAST_PX[1] / scale)[:, None] / 2
        side = np.column_stack([-ahead[:, 1], ahead[:, 0]]) * half
        # a blunt front, so that one sees where it drives
        nose = bodies.front - ahead * np.minimum(0.6, 0.25 * length)[:, None]
        return np.stack(
            [nose + side, bodies.front + side * 0.55, bodies.front - side * 0.55, nose - side,
             rear - side, rear + side],
            axis=1,
        )  # fmt: skip

    # words

    def _put_chips(self, state: State, words: Words) -> None:
        # from far away beside the junction, so that its lights can be seen
        radius, aside = (
            (13, 0.0) if self._lane_px >= FINE_PX else (7, 11.0 / self.canvas.view.scale)
        )
        stage = state.signal["stage"][self.signal]
        for at, phase, changes in zip(self._middles, words.phase, stage != 0, strict=True):
            fill, ink = (CHANGING, CHIP) if changes else (CHIP, CHIP_INK)
            self.canvas.chip((at[0] + aside, at[1] + aside), str(phase), fill, ink, radius)

    def _write_still(self) -> None:
        canvas, n = self.canvas, len(self.signal)
        told = f"{n} junctions under control" if n > 1 else "one junction under control"
        canvas.head(self.title, told, attribution(self.city))
        y = SIZE[1] - 196
        canvas.rule(y - 22)
        canvas.scale_bar(y - 38)
        road = (box(16, 8.5), rgb_of(ASPHALT))
        keys: list[tuple[list[tuple[float, float]], Any, str]] = [
            (box(8, 4), MOVING, "moves"),
            (box(13, 4.5), STANDING, "stands (long: bus, lorry)"),
        ]
        for kind, name in enumerate(("red", "yellow", "green")):
            bar = box(3.5 if kind == 0 else 2.0, 8.5)
            keys.append((bar, tuple(LIGHTS[kind].tolist()), f"stop line: {name}"))
        for swatch, paint, text in keys:
            canvas.key(y, [road, (swatch, paint)], text)
            y += 23
        canvas.key_chip(y, CHIP, CHIP_INK, "phase shown, as actions count")
        canvas.key_chip(y + 23, CHANGING, CHIP, "phase that is being changed to")

    def _write(self, words: Words) -> None:
        canvas = self.canvas
        whole = int(words.time_s)
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        canvas.words(clock, (MARGIN, 122), 34, bold=True)
        right = canvas.panel.get_width() - MARGIN
        self._write_phases(words, canvas.rows(172, words.figures) + 16, right)

    def _write_phases(self, words: Words, y: int, right: int) -> None:
        canvas, any_asked = self.canvas, bool((words.asked >= 0).any())
        if len(self.signal) > ROWS:
            if any_asked:
                same = int((words.asked == words.phase).sum())
                canvas.rows(y, [("Phases as asked for", f"{same} of {len(self.signal)}")])
            return
        canvas.words("signal", (MARGIN, y), 12, colour=FAINT_INK)
        canvas.words("phase", (right - 56, y), 12, colour=FAINT_INK, right=True)
        canvas.words("asked", (right, y), 12, colour=FAINT_INK, right=True)
        for s, phase, asked in zip(self.signal, words.phase, words.asked, strict=True):
            y += 20
            canvas.words(self.network.signal_ids[s], (MARGIN, y), 12, most=right - MARGIN - 110)
            canvas.words(str(phase), (right - 56, y), 13, bold=True, right=True)
            text = str(asked) if asked >= 0 else "–"
            colour = INK if asked == phase or asked < 0 else (186, 84, 0)
            canvas.words(text, (right, y), 13, bold=True, right=True, colour=colour)


def figures(
    driving: int, standing: float, delay_veh_s: float, reward: float | None
) -> tuple[tuple[str, str], ...]:
    """Return what the panel says of queue, delay and reward."""
    return (
        ("On the streets", f"{number(driving, 0)} veh"),
        ("Standing at signals", f"{number(standing, 0)} veh"),
        ("Delay so far", f"{number(delay_veh_s / 3600.0)} veh h"),
        ("Reward of the step", "–" if reward is None else number(reward, sign=True)),
    )


def _classes(light: Ints) -> Ints:
    """Of lights: 0 red, 1 yellow, 2 green."""
    return np.where(light == RED, 0, np.where(light == YELLOW, 1, np.where(light >= MINOR, 2, 0)))


def _colours(bodies: Bodies) -> Ints:
    return np.where(bodies.standing[:, None], STANDING, MOVING)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None])


def _dense(values: Ints) -> Ints:
    return np.unique(values, return_inverse=True)[1]
