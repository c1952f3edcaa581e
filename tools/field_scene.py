# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of tools/field.py that runs inside Blender. Imports the standard library and bpy only."""

import json
import math
import sys
import time
from array import array
from pathlib import Path

import bpy

FIELD = 8  # tiles
MEASURED = 512  # pixels of the field that is measured
EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def main() -> None:
    """Do what the settings file named last on the command line asks."""
    settings = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    folder = Path(settings["folder"])
    bpy.ops.extensions.package_install_files(filepath=settings["zip"], repo="user_default", enable_on_install=True)
    wish = bpy.context.scene.tilewright
    wish.width = wish.height = 512
    wish.use_random_seed, wish.seed, wish.maps = False, 0, True
    rows = []
    for number, prompt in enumerate(settings["prompts"]):
        print(f"demo: {prompt} ...", flush=True)
        material = _field(settings)
        wish.prompt = prompt
        wish.variants = "1"
        bpy.ops.tilewright.generate()
        mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (FIELD, FIELD, 1.0)
        plain = _measure(material, folder)
        seconds = [_render(folder / f"{number}-1-cycles-plain.png", "CYCLES")]
        seconds_eevee = [_render(folder / f"{number}-3-eevee-plain.png", EEVEE)]
        if settings["variants"] > 1:  # a set lays itself
            wish.variants = str(settings["variants"])
            bpy.ops.tilewright.generate()
            width, height = next(
                node.image.size for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"
            )
            mapping.inputs["Scale"].default_value = (FIELD * wish.width / width, FIELD * wish.height / height, 1.0)
        else:
            bpy.ops.tilewright.lay_without_repeat()
        laid = _measure(material, folder)
        seconds.append(_render(folder / f"{number}-2-cycles-laid.png", "CYCLES"))
        seconds_eevee.append(_render(folder / f"{number}-4-eevee-laid.png", EEVEE))
        bpy.context.scene.camera.data.ortho_scale = 0.6
        _render(folder / f"{number}-5-cycles-near.png", "CYCLES")
        means, contrasts, peaks = zip(plain, laid, strict=True)
        rows.append(
            [
                prompt,
                f"{means[1] / means[0]:.3f}",
                f"{contrasts[1] / contrasts[0]:.3f}",
                *(f"{peak:.3f}" for peak in peaks),
                f"{peaks[1] / peaks[0]:.3f}",
                *(f"{second:.1f} s" if second else "-" for second in (*seconds, *seconds_eevee)),
            ]
        )
    (folder / "report.json").write_text(json.dumps(rows), encoding="utf-8")


def _field(settings: dict) -> bpy.types.Material:
    """A plane with a new material, that fills the picture, and a low sun."""
    scene = bpy.context.scene
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.mesh.primitive_plane_add(size=2)
    material = bpy.data.materials.new("Field")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    bpy.context.object.data.materials.append(material)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale, camera.location = "ORTHO", 2.0, (0, 0, 3)
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
    return material


def _render(path: Path, engine: str) -> float:
    """Seconds; 0 where this Blender cannot draw with EEVEE, for lack of a screen."""
    scene = bpy.context.scene
    if engine == EEVEE and not bpy.app.binary_path:
        return 0.0
    scene.render.engine, scene.render.filepath = engine, str(path)
    begin = time.monotonic()
    bpy.ops.render.render(write_still=True)
    return time.monotonic() - begin


def _measure(material: bpy.types.Material, folder: Path) -> tuple[float, float, float]:
    """Mean and deviation of the base color's light, and how much of it comes back after one period, 1 for all."""
    scene, tree = bpy.context.scene, material.node_tree
    end = tree.get_output_node("ALL").inputs["Surface"]
    before = end.links[0].from_socket
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(before.node.inputs["Base Color"].links[0].from_socket, emission.inputs["Color"])
    tree.links.new(emission.outputs[0], end)
    size, samples, transform = scene.render.resolution_x, scene.cycles.samples, scene.view_settings.view_transform
    format_ = scene.render.image_settings.file_format
    scene.render.resolution_x = scene.render.resolution_y = MEASURED
    scene.cycles.samples, scene.view_settings.view_transform = 16, "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    _render(folder / "measured.exr", "CYCLES")
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.cycles.samples, scene.view_settings.view_transform = samples, transform
    scene.render.image_settings.file_format = format_
    tree.links.new(before, end)
    tree.nodes.remove(emission)
    image = bpy.data.images.load(str(folder / "measured.exr"), check_existing=False)
    pixels = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    light = [sum(color) / 3 for color in zip(pixels[0::4], pixels[1::4], pixels[2::4], strict=True)]
    mean = sum(light) / len(light)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in light) / len(light))
    off = [(value - mean) / deviation for value in light]
    period = MEASURED // FIELD
    across = [off[i] * off[i + period] for i in range(len(off)) if i % MEASURED < MEASURED - period]
    up = [off[i] * off[i + period * MEASURED] for i in range(len(off) - period * MEASURED)]
    return mean, deviation, max(sum(across) / len(across), sum(up) / len(up))


main()
