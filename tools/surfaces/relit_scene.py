# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces under a sun, rendered by Cycles. Run by `relit` in the environment with bpy; imports bpy and numpy only.

python relit_scene.py FOLDER: for each NAME.npz there (height: in pixels, color: linear, roughness; all with `MARGIN`
pixels around what is seen) and each sun that has no picture yet writes NAME-SUN.npy: linear radiance (H, W, 3), seen
from straight above.
"""

import math
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

# Where the sun stands: degrees from the right, counted towards the top; degrees above the surface.
SUNS = {"high": (30.0, 60.0), "middle": (140.0, 45.0), "low": (250.0, 30.0)}
SKY, SUN = 0.35, 3.0  # radiance; irradiance on a surface that faces the sun: about what a clear day has, 1 to 3
SAMPLES = 12
MARGIN = 64  # pixels that go on around, so that they throw their shadows and light into the picture


def _mesh(height: NDArray[np.float32], color: NDArray[np.float32], roughness: NDArray[np.float32]) -> Any:
    h, w = height.shape
    x, y = np.arange(w) - MARGIN + 0.5, h - MARGIN - 0.5 - np.arange(h)
    points = np.stack((*np.broadcast_arrays(x[None], y[:, None]), height), -1).reshape(-1, 3).astype(np.float32)
    points /= w - 2 * MARGIN  # the picture is 1 wide
    first = (np.arange(h - 1)[:, None] * w + np.arange(w - 1)[None]).reshape(-1)
    corners = np.stack((first, first + w, first + w + 1, first + 1), -1).reshape(-1).astype(np.int32)
    mesh = bpy.data.meshes.new("surface")
    mesh.vertices.add(len(points))
    mesh.vertices.foreach_set("co", points.reshape(-1))
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(first))
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 4, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    colors = np.concatenate((color, np.ones((h, w, 1))), -1).astype(np.float32)
    mesh.attributes.new("albedo", "FLOAT_COLOR", "POINT").data.foreach_set("color", colors.reshape(-1))
    values = mesh.attributes.new("roughness", "FLOAT", "POINT").data
    values.foreach_set("value", roughness.reshape(-1).astype(np.float32))
    return mesh


def _material() -> Any:
    material = bpy.data.materials.new("surface")
    material.use_nodes = True
    tree = material.node_tree
    principled = tree.nodes["Principled BSDF"]
    for name, socket, output in (("albedo", "Base Color", "Color"), ("roughness", "Roughness", "Fac")):
        node = tree.nodes.new("ShaderNodeAttribute")
        node.attribute_name = name
        tree.links.new(node.outputs[output], principled.inputs[socket])
    return material


def _scene(rows: int, columns: int) -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, False, 2
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = columns, rows, 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (SKY, SKY, SKY, 1.0)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", max(rows, columns) / columns
    camera.location = (0.5, rows / columns / 2, 2.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return scene


def render(picture: Path) -> None:
    """All suns of one surface."""
    left = [name for name in SUNS if not picture.with_name(f"{picture.stem}-{name}.npy").is_file()]
    if not left:
        return
    with np.load(picture) as file:
        height, color, roughness = file["height"], file["color"], file["roughness"]
    scene = _scene(*(side - 2 * MARGIN for side in height.shape))
    surface = bpy.data.objects.new("surface", _mesh(height, color, roughness))
    surface.data.materials.append(_material())
    scene.collection.objects.link(surface)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle = SUN, math.radians(0.53)
    scene.collection.objects.link(sun)
    for name in left:
        around, above = map(math.radians, SUNS[name])
        to_sun = Vector((math.cos(around) * math.cos(above), math.sin(around) * math.cos(above), math.sin(above)))
        sun.rotation_euler = to_sun.to_track_quat("Z", "Y").to_euler()
        exr = picture.with_name(f"{picture.stem}-{name}.exr")
        scene.render.filepath = str(exr)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(exr))
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        radiance = pixels.reshape(*reversed(image.size[:]), 4)[::-1, :, :3]
        np.save(picture.with_name(f"{picture.stem}-{name}.npy"), radiance.astype(np.float16))
        bpy.data.images.remove(image)
        exr.unlink()


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[-1]).glob("*.npz")):
        render(path)
