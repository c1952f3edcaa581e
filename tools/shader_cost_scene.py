# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of tools/shader_cost.py that runs inside Blender. Imports the standard library, bpy and the extension."""

import json
import random
import sys
import time
from array import array
from pathlib import Path
from statistics import median

import bpy

PACKAGE = "bl_ext.user_default.tilewright"
SIDE = 256  # pixels of a tile
TILES = 8  # of the field, each way
EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"
ROWS = ("one image a map", "laid without repeat", "set of 16, laid", "blend of two materials", "blend of two laid ones")


def main() -> None:
    """Do what the settings file named last on the command line asks."""
    settings = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    bpy.ops.extensions.package_install_files(filepath=settings["zip"], repo="user_default", enable_on_install=True)
    plane = _scene(settings["size"])
    materials = _materials(plane)
    few, many = settings["samples"], 3 * settings["samples"]
    told = {}
    engines = {"Cycles": "CYCLES"} | ({"EEVEE": EEVEE} if bpy.app.binary_path else {})
    for title, engine in engines.items():
        bpy.context.scene.render.engine = engine
        times: dict[str, list[float]] = {row: [] for row in ROWS}
        for number in range(settings["runs"] + 1):  # the first compiles shaders, and reads the pictures
            for row, material in zip(ROWS, materials, strict=True):
                plane.data.materials[0] = material
                seconds = _seconds(settings["folder"], many) - _seconds(settings["folder"], few)
                if number:
                    times[row].append(seconds)
            print(f"demo: {title}, run {number} of {settings['runs']}", flush=True)
        told[title] = {row: median(values) for row, values in times.items()}
        # now: a Blender that finds no graphics library ends at the first picture of EEVEE (5.2, in the background)
        (Path(settings["folder"]) / "report.json").write_text(json.dumps(told), encoding="utf-8")


def _scene(size: int) -> bpy.types.Object:
    """A plane that fills the picture, and a low sun."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale, camera.location = "ORTHO", 2.0, (0, 0, 3)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (0.7, -0.4, 0.0)
    for obj in (camera, sun):
        scene.collection.objects.link(obj)
    scene.camera = camera
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    bpy.ops.mesh.primitive_plane_add(size=2)
    return bpy.context.object


def _materials(plane: bpy.types.Object) -> list[bpy.types.Material]:
    """As in `ROWS`."""
    made = [_material("plain"), _material("laid"), _material("set", 16), _material("blend"), _material("laid blend")]
    plain, laid, _set, blend, laid_blend = made
    for material in made:
        plane.data.materials.clear()
        plane.data.materials.append(material)
        plane.active_material_index = 0
        if material not in (plain, blend):
            assert bpy.ops.tilewright.lay_without_repeat() == {"FINISHED"}
    for material, other in ((blend, plain), (laid_blend, laid)):
        plane.data.materials[0] = material
        assert bpy.ops.tilewright.blend_with(material=other.name, mask="IMAGE", name=material.name, size=256)
    return made


def _material(name: str, count: int = 1) -> bpy.types.Material:
    """With a color, a roughness and a normal map, of one tile or of a set."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    principled = tree.nodes["Principled BSDF"]
    place = tree.nodes.new("ShaderNodeTexCoord")
    mapping = tree.nodes.new("ShaderNodeMapping")
    across = 1 if count == 1 else 4
    mapping.inputs["Scale"].default_value = (TILES / across, TILES / across, 1.0)
    tree.links.new(place.outputs["UV"], mapping.inputs["Vector"])
    relief = tree.nodes.new("ShaderNodeNormalMap")
    tree.links.new(relief.outputs["Normal"], principled.inputs["Normal"])
    sockets = (("base_color", principled.inputs["Base Color"]), ("roughness", principled.inputs["Roughness"]))
    for kind, socket in (*sockets, ("normal", relief.inputs["Color"])):
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image = _image(f"{kind} {count}", kind, across)
        if count > 1:
            request = sys.modules[f"{PACKAGE}.core.requests.texture"].TextureRequest("set", variants=count)
            node.image.tilewright.recipe = sys.modules[f"{PACKAGE}.core.recipe"].Recipe(request, "").dumps()
        tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        tree.links.new(node.outputs["Color"], socket)
    return material


def _image(name: str, kind: str, across: int) -> bpy.types.Image:
    """Noise, the same each time."""
    if name in bpy.data.images:
        return bpy.data.images[name]
    side = SIDE * across
    image = bpy.data.images.new(name, side, side, is_data=kind != "base_color")
    dice = random.Random(kind)
    line = array("f", [1.0]) * (4 * side * 16)
    for index in range(side * 16):
        low, high = (0.4, 0.6) if kind == "normal" else (0.1, 0.9)
        line[4 * index : 4 * index + 2] = array("f", [dice.uniform(low, high) for _ in range(2)])
    image.pixels.foreach_set(line * (side // 16))
    image.tilewright.kind = kind
    image.pack()
    return image


def _seconds(folder: str, samples: int) -> float:
    """Of the processor, all threads together."""
    scene = bpy.context.scene
    scene.cycles.samples = scene.eevee.taa_render_samples = samples
    scene.render.filepath = str(Path(folder) / "cost.png")
    begin = time.process_time()
    bpy.ops.render.render(write_still=True)
    return time.process_time() - begin


main()
