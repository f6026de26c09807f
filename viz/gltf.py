"""A scene as glTF 2.0 (.glb), by trimesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from twin.errors import OutputError
from viz.picture import attribution

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City
    from viz.picture import Panel
    from viz.scene.scene import Scene

LIFT_M = 0.02  # between faces that lie on each other, since glTF knows no order


def write_gltf(scene: Scene, panel: Panel, city: City, path: Path) -> Path:
    """Write a scene, a node for each subject, whole or not at all.

    Corners carry colours; the axes are glTF's: x east, y up, z south. The extras of the scene say
    `crs`, `origin` (x, y, z in it) and `attribution`.

    Raises
    ------
    OutputError
        If the file cannot be written, or its name does not end in .glb.
    """
    import trimesh

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
    whole = trimesh.Scene(
        metadata={
            "crs": city.crs.to_string(),
            "origin": [float(v) for v in scene.ground.origin],
            "attribution": attribution(city),
        }
    )
    for name, mesh in meshes.items():
        if not len(mesh):
            continue
        x, y, z = mesh.points.T
        up = z + (LIFT_M * ORDER.index(name) if name in ORDER else 0.0)
        corners = np.column_stack([x, up, -y])
        body = trimesh.Trimesh(
            corners, mesh.faces, vertex_colors=mesh.colours, process=False, validate=False
        )
        whole.add_geometry(body, node_name=name, geom_name=name)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(whole.export(file_type="glb"))  # type: ignore[no-untyped-call]
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"{path}: cannot be written, {error.strerror or error}; name another file"
        raise OutputError(msg) from None
    return path
