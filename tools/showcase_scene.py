# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the showcase that runs inside Blender: six objects, a whole material each, one render by Cycles.

Imports the standard library and bpy only. Fit to Object lays one repeat on a meter or so of each object.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
from mathutils import Vector

RENDER_SIZE = (1500, 860)


def main() -> None:
    """Do what the settings file named last on the command line asks."""
    settings = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    bpy.ops.extensions.package_install_files(filepath=settings["zip"], repo="user_default", enable_on_install=True)
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    wish = bpy.context.scene.tilewright
    wish.width = wish.height = 512
    wish.use_random_seed, wish.seed, wish.maps = False, 0, True
    for place, (prompt, build) in enumerate(zip(settings["prompts"], OBJECTS, strict=True)):
        say(f"{prompt} ...")
        build(((place % 3 - 1) * 2.75, 1.7 - (place // 3) * 3.3, 0.0))
        obj = bpy.context.object
        bpy.ops.object.transform_apply(location=False, rotation=True, scale=True)
        wish.prompt = prompt
        bpy.ops.tilewright.generate()
        obj.active_material.tilewright.tile_size = 1.1
        bpy.ops.tilewright.fit_to_object()
    _stage()
    say("Rendering ...")
    _render(Path(settings["render"]), settings["samples"])


def _wall(at: tuple[float, float, float]) -> None:
    """A corner of a wall."""
    bpy.ops.mesh.primitive_cube_add(size=1, location=(at[0], at[1], 0.85), scale=(1.9, 0.5, 1.7), rotation=(0, 0, 0.35))
    _bevel(0.02)


def _crate(at: tuple[float, float, float]) -> None:
    bpy.ops.mesh.primitive_cube_add(size=1.4, location=(at[0], at[1], 0.7), rotation=(0, 0, 0.6))
    _bevel(0.03)


def _ball(at: tuple[float, float, float]) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=0.95, location=(at[0], at[1], 0.95))
    bpy.ops.object.shade_smooth()


def _drum(at: tuple[float, float, float]) -> None:
    bpy.ops.mesh.primitive_cylinder_add(vertices=96, radius=0.75, depth=1.35, location=(at[0], at[1], 0.68))
    _bevel(0.04)


def _cloth(at: tuple[float, float, float]) -> None:
    """A cloth over a ball: a grid that falls into folds."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=160, y_subdivisions=160, size=2.4, location=(at[0], at[1], 0))
    for vertex in bpy.context.object.data.vertices:
        x, y, _z = vertex.co
        far = math.hypot(x, y)
        fold = 0.07 * math.sin(9 * math.atan2(y, x)) * max(far - 0.5, 0)
        vertex.co.z = 1.15 * math.exp(-((far / 0.85) ** 4)) + fold + 0.12
    bpy.ops.object.shade_smooth()


def _hill(at: tuple[float, float, float]) -> None:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=100, y_subdivisions=100, size=2.3, location=(at[0], at[1], 0))
    for vertex in bpy.context.object.data.vertices:
        x, y, _z = vertex.co
        vertex.co.z = 0.55 * math.exp(-(x * x + y * y)) + 0.05
    bpy.ops.object.shade_smooth()


OBJECTS: tuple[Callable[[tuple[float, float, float]], None], ...] = (_wall, _crate, _ball, _drum, _cloth, _hill)


def _bevel(width: float) -> None:
    """Round the edges, and lay the UV map anew as a box: every face as large as it is."""
    obj = bpy.context.object
    modifier = obj.modifiers.new("Bevel", "BEVEL")
    modifier.width, modifier.segments = width, 3
    bpy.ops.object.modifier_apply(modifier=modifier.name)
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.uv.cube_project(cube_size=2.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.object.shade_auto_smooth() if hasattr(bpy.ops.object, "shade_auto_smooth") else bpy.ops.object.shade_flat()


def _stage() -> None:
    """A plain floor, a soft key light, a camera."""
    bpy.ops.mesh.primitive_plane_add(size=60)
    floor = bpy.data.materials.new("Floor")
    floor.use_nodes = True
    shader = next(node for node in floor.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.inputs["Base Color"].default_value = (0.32, 0.32, 0.33, 1)
    shader.inputs["Roughness"].default_value = 0.9
    bpy.context.object.data.materials.append(floor)
    for location, size, energy in (((-5, -5, 6), 3.0, 900), ((6, -2, 5), 5.0, 260), ((0, 8, 6), 6.0, 380)):
        bpy.ops.object.light_add(type="AREA", location=location)
        light = bpy.context.object
        light.data.size, light.data.energy = size, energy
        light.rotation_euler = (-light.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.context.scene.world or bpy.data.worlds.new("World")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.bl_idname == "ShaderNodeBackground")
    background.inputs["Color"].default_value = (0.75, 0.8, 0.9, 1)
    background.inputs["Strength"].default_value = 0.35
    bpy.ops.object.camera_add(location=(0, -10.4, 7.2))
    camera = bpy.context.object
    camera.rotation_euler = (Vector((0, -0.15, 0.4)) - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.lens = 45
    bpy.context.scene.camera = camera


def _render(path: Path, samples: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", samples
    scene.cycles.use_denoising = False  # not every build of Blender has the denoiser
    scene.render.resolution_x, scene.render.resolution_y = RENDER_SIZE
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def say(text: str) -> None:
    """A line that tools/demo.py passes on."""
    print(f"demo: {text}", flush=True)


main()
