"""Drawing a scene by VTK: on a screen or without one, once or picture after picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import OutputError
from viz.gl import opengl_available, render_window
from viz.light import AMBIENT, DIFFUSE
from viz.scene.scene import FAR, ORDER, magnified

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyvista

    from viz.camera import Camera
    from viz.mesh import Mesh
    from viz.scene.scene import Part, Scene
    from viz.scene.vehicles import Fleet

SKY, FLOOR = "#fbfaf7", "#e2e4e6"
# A pixel's width in mid-picture up to which markings, small things and trees are seen.
FINE_M, NEAR_M, TREES_M = 0.7, 1.5, 3.0
AFAR = 1e-5  # what flat things are lifted from afar, as a share of the camera's distance


class Stage:
    """A window, or a picture, in which one scene is shown.

    Parameters
    ----------
    scene
        What is seen.
    size
        Width and height in pixels.
    off_screen
        Whether to render without a window.

    Raises
    ------
    OutputError
        Where OpenGL is missing.
    """

    def __init__(self, scene: Scene, size: tuple[int, int], *, off_screen: bool = True) -> None:
        import pyvista

        available, text = opengl_available()
        if not available:
            raise OutputError(text)
        self.scene, self.size = scene, size
        with render_window():
            self.plotter: pyvista.Plotter = pyvista.Plotter(
                off_screen=off_screen, window_size=list(size), lighting=None
            )
        window: Any = self.plotter.render_window
        window.SetMultiSamples(0)
        self.plotter.renderer.set_background(FLOOR, top=SKY)
        self.plotter.add_light(
            pyvista.Light(position=scene.light, light_type="scene light", intensity=1.0)
        )
        self._actors: dict[str, Any] = {}
        self._moving: dict[int, tuple[Any, Any]] = {}
        self._drawn_far: dict[int, bool] = {}
        self._wood: Any = None
        self._pixel_m = 1.0
        for name, part in scene.parts.items():
            self.put(name, part)
        self._trees()

    def put(self, name: str, part: Part) -> None:
        """Show a part, in place of the one of that name."""
        self.drop(name)
        if not len(part.mesh):
            return
        actor = self.plotter.add_mesh(
            polydata(part.mesh),
            scalars="rgb",
            rgb=True,
            lighting=part.lit,
            ambient=AMBIENT if part.lit else 0.0,
            diffuse=DIFFUSE if part.lit else 1.0,
            specular=0.0,
            opacity=part.opacity,
            culling=None if part.two_sided else "back",
            show_scalar_bar=False,
            reset_camera=False,
            render=False,
        )
        if part.mesh.smooth is not None:
            actor.GetProperty().SetInterpolationToPhong()
        if name in ORDER:
            _on_top(actor, ORDER.index(name), 0.0)
        self._actors[name] = actor

    def drop(self, name: str) -> None:
        """Take a part away."""
        if name in self._actors:
            self.plotter.remove_actor(self._actors.pop(name), render=False)

    def recolour(self, name: str, colours: npt.NDArray[np.uint8]) -> None:
        """Give the corners of a part (n, rgb) other colours."""
        if name in self._actors:
            data = self._actors[name].GetMapper().GetInput()
            data.point_data["rgb"] = colours
            data.Modified()

    def look(self, camera: Camera) -> None:
        """Look through a camera."""
        eye = self.plotter.camera
        eye.position, eye.focal_point = camera.position, camera.focal
        eye.up, eye.view_angle = (0.0, 0.0, 1.0), camera.view_angle
        self.plotter.renderer.ResetCameraClippingRange()
        self._pixel_m = camera.pixel_m
        near = self._pixel_m < NEAR_M
        seen = {"markings": self._pixel_m < FINE_M}
        for name, far in FAR.items():
            if far in self._actors:
                seen |= {name: near, far: not near}
        for name, shown in seen.items():
            if name in self._actors:
                self._actors[name].SetVisibility(shown)
        for name, actor in self._actors.items():
            if name in ORDER:
                _on_top(actor, ORDER.index(name), 0.0 if near else AFAR * camera.distance_m)
        if self._wood is not None:
            self._wood.SetVisibility(self._pixel_m < TREES_M)

    def drive(self, fleet: Fleet) -> float:
        """Show vehicles where they are; return how many times larger than they are.

        Far away they are drawn larger, so that they can be seen.
        """
        from viz.scene.vehicles import KINDS, body

        larger = magnified(self._pixel_m)
        far = self._pixel_m >= NEAR_M
        for k, kind in enumerate(KINDS):
            some = fleet.kind == k
            if k not in self._moving:
                self._moving[k] = self._glyphs(body(kind))[:2]
            data, mapper = self._moving[k]
            if self._drawn_far.get(k) != far:
                mapper.SetSourceData(_plain(body(kind, far=far)))
                self._drawn_far[k] = far
            pitch = None if fleet.pitch is None else fleet.pitch[some]
            _instances(
                data, fleet.points[some], fleet.heading[some], fleet.colours[some], pitch=pitch
            )
            mapper.SetScaleFactor(larger)
        return larger

    def frame(self) -> npt.NDArray[np.uint8]:
        """Return the picture (height, width, rgb) as it is now."""
        self.plotter.render()
        image = self.plotter.screenshot(None, return_img=True)
        return np.asarray(image, np.uint8)

    def cut_out(self) -> npt.NDArray[np.uint8]:
        """Return the picture (height, width, rgba); alpha is 0 where nothing is seen."""
        image = self.plotter.screenshot(None, transparent_background=True, return_img=True)
        return np.ascontiguousarray(image, np.uint8)

    def close(self) -> None:
        """Free what the graphics library holds."""
        self.plotter.close()

    def _trees(self) -> None:
        from viz.scene.trees import tree_shape

        some = self.scene.trees
        if not len(some.height):
            return
        shape = tree_shape()
        data, mapper, self._wood = self._glyphs(shape, coloured=False)
        _instances(data, some.points, np.zeros(len(some.height)), None, size=some.height)
        mapper.SetScaleArray("size")
        mapper.SetScaleModeToScaleByMagnitude()

    def _glyphs(self, shape: Mesh, *, coloured: bool = True) -> tuple[Any, Any, Any]:
        """Return an empty set of places, and mapper and actor that draw a shape at each of them."""
        import pyvista
        from vtkmodules.vtkRenderingCore import vtkActor, vtkGlyph3DMapper

        data = pyvista.PolyData()
        mapper = vtkGlyph3DMapper()
        mapper.SetInputData(data)
        mapper.SetSourceData(_plain(shape))
        mapper.SetOrientationArray("turn")
        mapper.SetOrientationModeToRotation()
        mapper.SetScaleModeToNoDataScaling()
        if coloured:
            mapper.SetScalarModeToUsePointFieldData()
            mapper.SelectColorArray("rgb")
            mapper.SetColorModeToDirectScalars()
        else:
            mapper.ScalarVisibilityOff()
        actor = vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetAmbient(AMBIENT)
        look.SetDiffuse(DIFFUSE)
        look.BackfaceCullingOn()
        if not coloured:
            from viz.palette import rgb
            from viz.scene.trees import CROWN

            look.SetColor(*(rgb(CROWN) / 255.0))
        self.plotter.renderer.AddActor(actor)
        return data, mapper, actor


def polydata(mesh: Mesh) -> pyvista.PolyData:
    """Return the triangles as VTK holds them."""
    import pyvista

    faces: Any = mesh.faces
    points: Any = mesh.points.astype(np.float32)
    data: pyvista.PolyData = pyvista.PolyData.from_regular_faces(points, faces)
    data.point_data["rgb"] = mesh.colours
    if mesh.smooth is not None:
        data.point_data["Normals"] = mesh.smooth.astype(np.float32)
        data.GetPointData().SetActiveNormals("Normals")
    return data


def _plain(mesh: Mesh) -> pyvista.PolyData:
    """Return the triangles without colours."""
    data = polydata(mesh)
    data.clear_data()
    return data


def _instances(
    data: Any, points: Any, heading: Any, colours: Any, *, size: Any = None, pitch: Any = None
) -> None:
    """Set places, directions and colours of instances."""
    if not len(points):
        data.points = np.zeros((0, 3), np.float32)
        data.Modified()
        return
    data.points = np.ascontiguousarray(points, np.float32)
    turn = np.zeros((len(points), 3), np.float32)
    turn[:, 2] = np.degrees(heading)
    if pitch is not None:  # VTK turns around y first
        turn[:, 1] = -np.degrees(pitch)
    data.point_data["turn"] = turn
    if colours is not None:
        data.point_data["rgb"] = np.ascontiguousarray(colours, np.uint8)
    if size is not None:
        data.point_data["size"] = np.ascontiguousarray(size, np.float32)
    data.Modified()


def _on_top(actor: Any, place: int, lift_m: float) -> None:
    """Draw faces that lie on others in front of them, by their place in the order.

    From near their depth is shifted; from afar they are lifted, which takes half the time.
    """
    mapper = actor.GetMapper()
    shift = 0.0 if lift_m else -0.1 * place
    mapper.SetResolveCoincidentTopologyToPolygonOffset()
    mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(0.0, shift)
    actor.SetPosition(0.0, 0.0, lift_m * place)
