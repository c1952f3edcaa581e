# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of tools/blend.py that runs inside Blender. Imports the standard library and bpy only."""

import json
import sys
import time
from array import array
from pathlib import Path

import bpy

TILES = 4  # of the field, each way
FEW, MANY = 16, 144  # samples, whose difference in time is that of the samples alone
COSTS = 512  # pixels of the picture that is timed
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
    (folder / "report.json").write_text(json.dumps(_costs(settings)), encoding="utf-8")


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
    columns, rows = 1, 1
    image = next(node.image for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage")
    if image.size[0] > 512:
        columns, rows = image.size[0] // 512, image.size[1] // 512
    for node in material.node_tree.nodes:
        if node.bl_idname == "ShaderNodeMapping":
            node.inputs["Scale"].default_value = (TILES / columns, TILES / rows, 1.0)


def _blend(second: str) -> None:
    """From the first on the left to the second on the right."""
    bpy.ops.tilewright.blend_with(material=second, mask="IMAGE", size=256)
    mask = bpy.data.images["Blend Mask"]
    width, height = mask.size
    row = array("f", [value for x in range(width) for value in [min(max(1.6 * x / width - 0.3, 0.0), 1.0)] * 3 + [1.0]])
    mask.pixels.foreach_set(row * height)
    mask.update()


def _render(path: Path, engine: str) -> float:
    """Seconds; 0 where this Blender cannot draw with EEVEE, for lack of a screen."""
    scene = bpy.context.scene
    if engine == EEVEE and not bpy.app.binary_path:
        return 0.0
    scene.render.engine, scene.render.filepath = engine, str(path)
    begin = time.monotonic()
    bpy.ops.render.render(write_still=True)
    return time.monotonic() - begin


def _costs(settings: dict) -> list[tuple[str, float]]:
    """What a surface's color costs, shown as light alone, for each way to make it; against one image node."""
    (first, second), *_ = settings["pairs"]
    material = bpy.data.materials[first]
    _field(material)
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = COSTS
    scene.camera.data.ortho_scale = 2.0
    found = {"one image": _seconds(material)}
    bpy.ops.tilewright.lay_without_repeat()
    found["one tile, laid without repeat"] = _seconds(material)
    bpy.ops.tilewright.lay_without_repeat()
    _blend(second)
    found["blend of two materials"] = _seconds(material)
    bpy.ops.tilewright.remove_blend()
    scene.tilewright.variants = "16"
    print("demo: a set of 16 ...", flush=True)
    _generate(first, "Set")
    found["set of 16, laid"] = _seconds(bpy.data.materials["Set"])
    plain = found["one image"]
    return [(name, seconds / plain) for name, seconds in found.items()]


def _seconds(material: bpy.types.Material) -> float:
    """Of the least of three times that the samples take."""
    scene, tree = bpy.context.scene, material.node_tree
    end = tree.get_output_node("ALL").inputs["Surface"]
    before = end.links[0].from_socket
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(before.node.inputs["Base Color"].links[0].from_socket, emission.inputs["Color"])
    tree.links.new(emission.outputs[0], end)
    scene.cycles.use_adaptive_sampling = False
    path = Path(bpy.app.tempdir) / "cost.png"
    times = []
    for _ in range(3):
        few, many = [_timed(path, samples) for samples in (FEW, MANY)]
        times.append(many - few)
    tree.links.new(before, end)
    tree.nodes.remove(emission)
    return min(times)


def _timed(path: Path, samples: int) -> float:
    bpy.context.scene.cycles.samples = samples
    return _render(path, "CYCLES")


main()
