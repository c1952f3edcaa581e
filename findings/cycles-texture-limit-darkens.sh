#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: the texture limit of Simplify makes textures coarser and keeps how bright they are on the whole.
# Seen:  the encoded values are averaged: fine stripes of black and white, 0.5 on the whole, are rendered as 0.22 with a
# limit.
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
scene.render.resolution_x = scene.render.resolution_y = 32
scene.render.image_settings.file_format = "OPEN_EXR"
for item in list(bpy.data.objects):
    if item.type != "CAMERA":
        bpy.data.objects.remove(item)
image = bpy.data.images.new("stripes", 512, 512)
image.pixels.foreach_set(([0.0, 0.0, 0.0, 1.0] * 512 + [1.0] * 2048) * 256)
image.file_format, image.filepath_raw = "PNG", os.path.abspath("a.png")
image.save()
tree = scene.world.node_tree
tree.nodes.clear()
kinds = ("ShaderNodeTexCoord", "ShaderNodeTexImage", "ShaderNodeBackground", "ShaderNodeOutputWorld")
nodes = [tree.nodes.new(kind) for kind in kinds]
tree.links.new(nodes[0].outputs["Window"], nodes[1].inputs[0])
for node, after in zip(nodes[1:], nodes[2:]):
    tree.links.new(node.outputs[0], after.inputs[0])
nodes[1].image, nodes[1].interpolation = image, "Closest"
seen = {}
scene.cycles.samples = 64
for limit in ("OFF", "128"):
    scene.render.use_simplify, scene.cycles.texture_limit_render = True, limit
    scene.render.filepath = os.path.abspath("out.exr")
    bpy.ops.render.render(write_still=True)
    out = bpy.data.images.load(scene.render.filepath, check_existing=False)
    pixels = out.pixels[:]
    seen[limit] = round(sum(pixels[::4]) / len(pixels[::4]), 2)
print("mean of one-pixel stripes of black and white, rendered with the texture limit:", seen)
assert 0.45 < seen["OFF"] < 0.55 and 0.18 < seen["128"] < 0.25
PYTHON
