#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: Cycles makes an sRGB texture linear and then interpolates: half way between black and white is 0.5.
# Seen:  it interpolates the encoded values: about 0.2, while the same file as Non-Color gives about 0.49. EEVEE
# (Blender 5.2.2, on a screen) gives 0.5, so an enlarged texture is darker in Cycles: a random one has the mean 0.28 and
# not 0.35.
# Versions: bpy==4.5.15, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.5.15
venv/bin/python - <<'PYTHON'
import os

import bpy

print("bpy", bpy.app.version_string)
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
scene.render.resolution_x = scene.render.resolution_y = 8
scene.render.image_settings.file_format = "OPEN_EXR"
for item in list(bpy.data.objects):
    if item.type != "CAMERA":
        bpy.data.objects.remove(item)
image = bpy.data.images.new("two halves", 16, 16)
image.pixels.foreach_set(([0.0, 0.0, 0.0, 1.0] * 8 + [1.0] * 32) * 16)
image.file_format, image.filepath_raw = "PNG", os.path.abspath("a.png")
image.save()
tree = scene.world.node_tree
tree.nodes.clear()
kinds = ("ShaderNodeCombineXYZ", "ShaderNodeTexImage", "ShaderNodeBackground", "ShaderNodeOutputWorld")
nodes = [tree.nodes.new(kind) for kind in kinds]
for node, after in zip(nodes, nodes[1:]):
    tree.links.new(node.outputs[0], after.inputs[0])
nodes[0].inputs[0].default_value = nodes[0].inputs[1].default_value = 0.5
nodes[1].image = image
seen = {}
for space in ("sRGB", "Non-Color"):
    image.colorspace_settings.name = space
    scene.render.filepath = os.path.abspath("out.exr")
    bpy.ops.render.render(write_still=True)
    out = bpy.data.images.load(scene.render.filepath, check_existing=False)
    seen[space] = round(out.pixels[0], 3)
print("half way between a black pixel and a white one, by the picture's color space:", seen)
assert 0.15 < seen["sRGB"] < 0.25 and 0.45 < seen["Non-Color"] < 0.55
PYTHON
