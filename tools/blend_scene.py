# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of tools/blend.py that runs inside Blender. Imports the standard library and bpy only."""

import json
import sys
from array import array
from pathlib import Path

import bpy

TILES = 4  # of the field, each way
EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def main() -> None:
    """Do what the settings file named last on the command line asks."""
    settings = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    folder = Path(settings["folder"])
    bpy.ops.extensions.package_install_files(filepath=settings["zip"], repo="user_default", enable_on_install=True)
    _prepare(settings)
    for prompt in sorted({prompt for pair in settings["pairs"] for prompt in pair}):
        print(f"demo: {prompt} ...", flush=True)
        _generate(prompt, prompt)
    for number, (first, second) in enumerate(settings["pairs"]):
        material = bpy.data.materials[first]
        _field(material)
        _blend(second)
        blend = material.node_tree.nodes["Tilewright Blend"]
        contrast = blend.inputs["Contrast"].default_value
        camera = bpy.context.scene.camera.data
        camera.ortho_scale = 2.0
        blend.inputs["Contrast"].default_value = 0.0
        _render(folder / f"{number}-1-fade.png", "CYCLES")
        blend.inputs["Contrast"].default_value = contrast
        _render(folder / f"{number}-2-cycles.png", "CYCLES")
        _render(folder / f"{number}-3-eevee.png", EEVEE)
        camera.ortho_scale = 0.7
        _render(folder / f"{number}-4-cycles-near.png", "CYCLES")
        bpy.ops.tilewright.remove_blend()
    (folder / "report.json").write_text(json.dumps(settings["pairs"]), encoding="utf-8")


def _prepare(settings: dict) -> None:
    scene = bpy.context.scene
    wish = scene.tilewright
    wish.width = wish.height = 512
    wish.use_random_seed, wish.seed, wish.maps = False, 0, True
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.location = "ORTHO", (0, 0, 3)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.5, (0.7, -0.4, 0.0)
    for obj in (camera, sun):
        scene.collection.objects.link(obj)
    scene.camera = camera
    scene.cycles.samples, scene.cycles.use_denoising = settings["samples"], False
    scene.eevee.taa_render_samples = settings["samples"]
    scene.render.resolution_x = scene.render.resolution_y = settings["size"]
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"


def _field(material: bpy.types.Material) -> None:
    """A plane with the material alone, that fills the picture."""
    for obj in [obj for obj in bpy.data.objects if obj.type == "MESH"]:
        bpy.data.objects.remove(obj)
    bpy.ops.mesh.primitive_plane_add(size=2)
    bpy.context.object.data.materials.append(material)


def _generate(prompt: str, name: str) -> None:
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    _field(material)
    material.use_fake_user = True
    bpy.context.scene.tilewright.prompt = prompt
    bpy.ops.tilewright.generate()
    for node in material.node_tree.nodes:
        if node.bl_idname == "ShaderNodeMapping":
            node.inputs["Scale"].default_value = (TILES, TILES, 1.0)


def _blend(second: str) -> None:
    """From the first on the left to the second on the right."""
    bpy.ops.tilewright.blend_with(material=second, mask="IMAGE", size=256)
    mask = bpy.data.images["Blend Mask"]
    width, height = mask.size
    row = array("f", [value for x in range(width) for value in [min(max(1.6 * x / width - 0.3, 0.0), 1.0)] * 3 + [1.0]])
    mask.pixels.foreach_set(row * height)
    mask.update()


def _render(path: Path, engine: str) -> None:
    """Nothing where this Blender cannot draw with EEVEE, for lack of a screen."""
    scene = bpy.context.scene
    if engine == EEVEE and not bpy.app.binary_path:
        return
    scene.render.engine, scene.render.filepath = engine, str(path)
    bpy.ops.render.render(write_still=True)


main()
