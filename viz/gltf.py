"""A scene as glTF 2.0 (.glb), by trimesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin.errors import OutputError
from viz.picture import attribution

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from twin.city import City
    from viz.picture import Panel
    from viz.scene.scene import Scene

LIFT_M = 0.02  # between faces that lie on each other, since glTF knows no order
MATT = {
    "name": "matt",
    "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
    "doubleSided": True,
}
_COLOUR = "_COLOUR"  # as trimesh calls an attribute that it does not know
_USHORT = 5123


def write_gltf(
    scene: Scene, panel: Panel, city: City, path: Path, extras: Mapping[str, Any] | None = None
) -> Path:
    """Write a scene, a node for each subject, whole or not at all.

    Corners carry colours, linear as glTF 2.0 has them (3.9.2), on a matt material; the axes are
    glTF's: x east, y up, z south. The extras of the scene say `crs`, `origin` (x, y, z in it) and
    `attribution`, and what else is given.

    Parameters
    ----------
    scene, panel
        What is seen.
    city
        The city.
    path
        The file, which ends in .glb.
    extras
        More facts for the extras of the scene, of types that JSON has.

    Raises
    ------
    OutputError
        If the file cannot be written, or its name does not end in .glb.
    """
    import trimesh
    from trimesh.exchange.gltf import export_glb

    from viz.scene.scene import FAR, ORDER, tree_mesh
    from viz.scene.vehicles import fleet_mesh

    if path.suffix.lower() != ".glb":
        msg = f"{path}: scenes are written as .glb; name such a file"
        raise OutputError(msg)
    near = {name: part for name, part in scene.parts.items() if name not in FAR.values()}
    meshes = {name: p.mesh for name, p in {**near, **panel.parts}.items() if p.opacity >= 1.0}
    meshes["trees"] = tree_mesh(scene.trees)
    if panel.fleet is not None:
        meshes["vehicles"] = fleet_mesh(panel.fleet)
    facts = {
        "crs": city.crs.to_string(),
        "origin": [float(v) for v in scene.ground.origin],
        "attribution": attribution(city),
    }
    whole = trimesh.Scene(metadata={**facts, **(extras or {})})
    for name, mesh in meshes.items():
        if not len(mesh):
            continue
        x, y, z = mesh.points.T
        up = z + (LIFT_M * ORDER.index(name) if name in ORDER else 0.0)
        corners = np.column_stack([x, up, -y])
        colours: dict[str, Any] = {_COLOUR: linear(mesh.colours)}
        body = trimesh.Trimesh(
            corners, mesh.faces, vertex_attributes=colours, process=False, validate=False
        )
        whole.add_geometry(body, node_name=name, geom_name=name)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = export_glb(whole, tree_postprocessor=_finish)  # type: ignore[no-untyped-call]
        part.write_bytes(made)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"{path}: cannot be written, {error.strerror or error}; name another file"
        raise OutputError(msg) from None
    return path


def linear(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return sRGB colours (n, rgb) as linear ones (n, rgba) of 0 to 65,535, by IEC 61966-2-1."""
    share = np.arange(256) / 255.0
    curve = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    table = np.round(curve * 65535.0).astype(np.uint16)
    return np.column_stack([table[colours[:, :3]], np.full(len(colours), 65535, np.uint16)])


def _finish(tree: dict[str, Any]) -> None:
    """Name the colours as glTF does, and give every mesh the matt material."""
    tree["materials"] = [MATT]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0
            names = primitive["attributes"]
            names["COLOR_0"] = names.pop(_COLOUR)
            colours = tree["accessors"][names["COLOR_0"]]
            colours["normalized"] = True
