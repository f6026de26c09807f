"""A stage without a graphics library: the same pictures as `viz.render.Stage`, slower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from viz.raster import rasterise
from viz.scene.scene import Part, Scene, all_meshes, magnified

if TYPE_CHECKING:
    import numpy.typing as npt

    from viz.camera import Camera
    from viz.scene.vehicles import Fleet


class PlainStage:
    """A picture in which one scene is shown.

    Parameters
    ----------
    scene
        What is seen.
    size
        Width and height in pixels.
    """

    def __init__(self, scene: Scene, size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        self._camera: Camera | None = None
        self._fleet: Fleet | None = None

    def put(self, name: str, part: Part) -> None:
        """Show a part, in place of the one of that name."""
        self.scene = self.scene.with_part(name, part)

    def recolour(self, name: str, colours: npt.NDArray[np.uint8]) -> None:
        """Give the corners of a part (n, rgb) other colours."""
        part = self.scene.parts[name]
        self.put(name, replace(part, mesh=replace(part.mesh, colours=colours)))

    def look(self, camera: Camera) -> None:
        """Look through a camera."""
        self._camera = camera

    def drive(self, fleet: Fleet) -> float:
        """Show vehicles where they are; return how many times larger than they are."""
        self._fleet = fleet
        return 1.0 if self._camera is None else magnified(self._camera.pixel_m)

    def cut_out(self) -> npt.NDArray[np.uint8]:
        """Return the picture (height, width, rgba); alpha is 0 where nothing is seen."""
        assert self._camera is not None  # noqa: S101 - whoever asks for a picture has looked
        larger = magnified(self._camera.pixel_m)
        parts = all_meshes(self.scene, self._fleet, larger)
        return rasterise(parts, self.scene.light, self._camera, self.size)

    def frame(self) -> npt.NDArray[np.uint8]:
        """Return the picture (height, width, rgb), before the sky."""
        from viz.caption import background

        seen = self.cut_out()
        sky = np.asarray(background(self.size))
        return np.where(seen[..., 3:] > 0, seen[..., :3], sky).astype(np.uint8)

    def close(self) -> None:
        """Nothing is held."""
