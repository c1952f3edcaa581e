# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the demonstration that runs inside Blender (or with bpy as a module): install, generate, render.

Imports the standard library and bpy only: Debian's Blender comes without numpy.
"""

import json
import re
import shutil
import sys
import textwrap
import time
from array import array
from pathlib import Path

import bpy

SAMPLES = 16
RENDER_SIZE = (480, 300)


def main() -> None:
    """Do what the settings file named last on the command line asks, and write the report it names."""
    settings = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    try:
        report = demonstrate(settings)
    except RuntimeError as error:
        # What an operator reports reaches a script as "Error: a sentence"; why it is greyed, after its name.
        report = {"error": re.sub(r"^Error: |^Operator bpy\.ops\.\S+ ", "", str(error).strip())}
    Path(settings["report"]).write_text(json.dumps(report), encoding="utf-8")


def demonstrate(settings: dict) -> dict:
    """The whole way of an artist, and the figures on it."""
    output = Path(settings["output"])
    bpy.ops.extensions.package_install_files(filepath=settings["zip"], repo="user_default", enable_on_install=True)
    build_scene()
    started = time.time()

    say(f"Generating \u201c{textwrap.shorten(settings['prompt'], 80)}\u201d, {settings['size']}x{settings['size']} ...")
    wish = bpy.context.scene.tilewright
    wish.prompt = settings["prompt"]
    wish.width = wish.height = settings["size"]
    if wish.width != settings["size"]:  # Blender sets a number to the nearest one allowed and says nothing
        raise RuntimeError(f"A texture cannot be {settings['size']} pixels wide; the nearest size is {wish.width}.")
    wish.use_random_seed = False
    wish.seed = settings["seed"]
    bpy.ops.tilewright.generate()
    generated = time.time()

    image = next(image for image in bpy.data.images if image.tilewright.recipe)
    shutil.copyfile(bpy.path.abspath(image.filepath), output / "base_color.png")
    save_tiled(image, output / "tiled.png")

    say("Rendering ...")
    rendering = time.time()
    render(output / "render.png")
    rendered = time.time()
    bpy.ops.wm.save_as_mainfile(filepath=str(output / "demo.blend"), compress=True)
    return {
        "files": ["demo.blend", "base_color.png", "tiled.png", "render.png"],
        "seam_score": image.tilewright.seam_score,
        "seed": image.tilewright.seed,
        "worker": image.tilewright.seconds,
        "start": started - settings["started"],
        "generation": generated - started,
        "render": rendered - rendering,
    }


def build_scene() -> None:
    """A wall, a floor and a ball with one material, lit and seen from the front; the ball is active."""
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    material = bpy.data.materials.new("Demo")
    material.use_nodes = True
    half_pi = 1.5707963
    bpy.ops.mesh.primitive_plane_add(size=6, location=(0, 1.5, 3), rotation=(half_pi, 0, 0))
    finish(material, repeats=(3, 3))
    bpy.ops.mesh.primitive_plane_add(size=6, location=(0, -1.5, 0))
    finish(material, repeats=(3, 3))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=0.9, location=(0, -0.2, 0.9))
    bpy.ops.object.shade_smooth()
    finish(material, repeats=(3, 1.5))
    ball = bpy.context.object
    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.3, 0.5))
    bpy.context.object.data.energy = 5
    bpy.ops.object.camera_add(location=(0, -6.5, 2.2), rotation=(1.42, 0, 0))
    bpy.context.scene.camera = bpy.context.object
    bpy.context.view_layer.objects.active = ball


def finish(material: bpy.types.Material, repeats: tuple[float, float]) -> None:
    """Give the object just added the material, and have its UV map repeat the texture."""
    mesh = bpy.context.object.data
    mesh.materials.append(material)
    layer = mesh.uv_layers.active.data
    coordinates = array("f", bytes(8 * len(layer)))  # two floats of four bytes each
    layer.foreach_get("uv", coordinates)
    for axis in range(2):
        coordinates[axis::2] = array("f", [value * repeats[axis] for value in coordinates[axis::2]])
    layer.foreach_set("uv", coordinates)


def save_tiled(image: bpy.types.Image, path: Path) -> None:
    """Write the picture three times side by side and on top of each other, so that a seam would show."""
    width, height = image.size
    row = 4 * width
    pixels = array("f", bytes(4 * row * height))
    image.pixels.foreach_get(pixels)
    band = array("f")
    for start in range(0, len(pixels), row):
        band.extend(pixels[start : start + row] * 3)
    tiled = bpy.data.images.new("Tiled", 3 * width, 3 * height)
    tiled.pixels.foreach_set(band * 3)
    tiled.filepath_raw = str(path)
    tiled.file_format = "PNG"
    tiled.save()
    bpy.data.images.remove(tiled)


def render(path: Path) -> None:
    """A small picture by Cycles on the CPU."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False  # not every build of Blender has the denoiser
    scene.render.resolution_x, scene.render.resolution_y = RENDER_SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def say(text: str) -> None:
    """A line that tools/demo.py passes on (see MARK there)."""
    print(f"demo: {text}", flush=True)


main()
