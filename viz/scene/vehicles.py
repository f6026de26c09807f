"""Vehicles as simple bodies, one shape for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from viz.mesh import Mesh
from viz.palette import rgb

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from twin.traffic.trajectories import Positions
    from viz.scene.ground import Ground
    from viz.scene.roads import Lines

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]

# Length, width, height, m: a car, a lorry, a standard bus; what else the network names is a car.
# None is longer than its type in the simulation, so that nobody stands in the one behind.
SIZES = {"car": (4.5, 1.8, 1.5), "lorry": (7.1, 2.5, 3.4), "bus": (12.0, 2.55, 3.0)}
KINDS = tuple(SIZES)
# Who drives is blue, who stands vermilion (Okabe and Ito, 2008); a bus is told by its size.
DRIVES, STANDS = "#0072b2", "#d55e00"


@dataclass(frozen=True)
class Fleet:
    """Where vehicles are.

    Attributes
    ----------
    points
        (n, xyz) middles of their footprints, in scene coordinates.
    heading
        (n,) direction of travel, radians from east, counter-clockwise.
    kind
        (n,) position in `KINDS`.
    stands
        (n,) whether it stands.
    pitch
        (n,) by how much it heads up, radians; None on level ground.
    """

    points: Floats
    heading: Floats
    kind: Rows
    stands: npt.NDArray[np.bool_]
    pitch: Floats | None = None

    def __len__(self) -> int:
        return len(self.points)

    @property
    def colours(self) -> npt.NDArray[np.uint8]:
        """Return one colour each (n, rgb)."""
        return np.where(self.stands[:, None], rgb(STANDS), rgb(DRIVES))


def kinds_of(trips: pd.DataFrame) -> Rows:
    """Return the kind of every vehicle (position in `KINDS`), by the row of `trips`."""
    number = {name: k for k, name in enumerate(KINDS)}
    kind = trips["vehicle_type"].map(number).fillna(0).to_numpy(np.intp)
    found = np.zeros(int(trips["vehicle"].max()) + 1 if len(trips) else 0, np.intp)
    found[trips["vehicle"].to_numpy()] = kind
    return found


def fleet_at(
    where: Positions, kinds: Rows, lanes: Lines, movements: Lines, ground: Ground
) -> Fleet:
    """Return the vehicles of a moment.

    Parameters
    ----------
    where
        What `Trajectories.at` returns.
    kinds
        Of every vehicle, from `kinds_of`.
    lanes, movements, ground
        Of the scene.
    """
    kind = kinds[where.vehicle]
    half = np.array([SIZES[name][0] for name in KINDS])[kind] / 2.0
    points, heading = np.zeros((len(kind), 2)), np.zeros(len(kind))
    for lines, rows in ((lanes, where.lane), (movements, where.movement)):
        on = np.flatnonzero(rows >= 0)
        line = rows[on].astype(np.intp)
        front = where.share[on] * lines.lengths()[line]
        points[on], step = lines.along(line, front - half[on])
        heading[on] = np.arctan2(step[:, 1], step[:, 0])
    if ground.terrain is None:
        return Fleet(np.column_stack([points, np.zeros(len(kind))]), heading, kind, where.standing)
    ahead = np.column_stack([np.cos(heading), np.sin(heading)]) * half[:, None]
    front, rear = ground.height(points + ahead), ground.height(points - ahead)
    pitch = np.arctan2(front - rear, 2.0 * half)
    points3 = np.column_stack([points, (front + rear) / 2.0])
    return Fleet(points3, heading, kind, where.standing, pitch)


def body(kind: str, *, far: bool = False) -> Mesh:
    """Return a white vehicle that heads east: a box, for cars with a narrower cabin.

    From afar, only its roof is left.
    """
    length, width, height = SIZES[kind]
    if far:
        x, y = length / 2.0, width / 2.0
        roof = np.array([(-x, -y, height), (x, -y, height), (x, y, height), (-x, y, height)])
        return Mesh(roof, np.array([(0, 1, 2), (0, 2, 3)]), np.full((4, 3), 255, np.uint8))
    waist = 0.58 * height if kind == "car" else height
    parts = [_box((-length / 2.0, length / 2.0), width, 0.0, waist, 1.0, 1.0)]
    if kind == "car":
        parts.append(_box((-length * 0.36, length * 0.2), width * 0.94, waist, height, 0.72, 0.82))
    from viz.mesh import merge

    return merge(parts)


def _box(
    x: tuple[float, float], width: float, low: float, high: float, narrower: float, shade: float
) -> Mesh:
    """Return a box without a floor, its roof narrower along."""
    middle, half = (x[0] + x[1]) / 2.0, (x[1] - x[0]) / 2.0
    sign = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    foot = np.column_stack([middle + sign[:, 0] * half, sign[:, 1] * width / 2.0, np.full(4, low)])
    roof = np.column_stack(
        [middle + sign[:, 0] * half * narrower, sign[:, 1] * width / 2.0, np.full(4, high)]
    )
    k = np.arange(4)
    after = (k + 1) % 4
    faces = np.concatenate(
        [np.column_stack([k, after, after + 4]), np.column_stack([k, after + 4, k + 4]),
         [[4, 5, 6], [4, 6, 7]]]
    )  # fmt: skip
    value = np.round(np.full((8, 3), 255.0) * shade)
    return Mesh(np.concatenate([foot, roof]), faces, value.astype(np.uint8))


def fleet_mesh(fleet: Fleet, larger: float = 1.0) -> Mesh:
    """Return all vehicles in one mesh, for programs that know no instances."""
    from viz.mesh import merge

    meshes = []
    for k, kind in enumerate(KINDS):
        some = np.flatnonzero(fleet.kind == k)
        shape = body(kind)
        c, s = np.cos(fleet.heading[some]), np.sin(fleet.heading[some])
        x, y, z = (shape.points * larger).T
        up = np.zeros(len(some)) if fleet.pitch is None else fleet.pitch[some]
        rise, run = np.sin(up), np.cos(up)
        x, z = np.outer(run, x) - np.outer(rise, z), np.outer(rise, x) + np.outer(run, z)
        points = np.stack(
            [c[:, None] * x - np.outer(s, y), s[:, None] * x + np.outer(c, y), z], axis=2
        ) + fleet.points[some][:, None, :]
        faces = shape.faces[None] + (np.arange(len(some)) * len(y))[:, None, None]
        tint = fleet.colours[some][:, None, :] * (shape.colours[None] / 255.0)
        meshes.append(
            Mesh(points.reshape(-1, 3), faces.reshape(-1, 3), tint.reshape(-1, 3).astype(np.uint8))
        )
    return merge(meshes)
