#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: the OBJ exporter's path mode COPY writes the textures beside the file, packed ones too, as FBX and glTF do.
# Seen:  of a packed image whose path leads nowhere, nothing is written, the operator says FINISHED, and the .mtl names
# a file that is not there. The same in bpy 4.2.23 and 5.0.1 and in Blender 5.2.2.
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
image = bpy.data.images.new("color", 4, 4)
image.pixels.foreach_set([1.0] * 64)
image.update()
image.pack()
image.filepath_raw = "//textures/color.png"  # as Blender itself names what it packs
tree = bpy.data.materials["Material"].node_tree
node = tree.nodes.new("ShaderNodeTexImage")
node.image = image
tree.links.new(node.outputs[0], tree.nodes["Principled BSDF"].inputs["Base Color"])
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("scene.blend"))
os.mkdir("exported")
said = bpy.ops.wm.obj_export(filepath=os.path.abspath("exported/cube.obj"), path_mode="COPY")
with open("exported/cube.mtl", encoding="utf-8") as file:
    named = [line.strip() for line in file if line.startswith("map_")]
print("said:", said, "named:", named, "written:", sorted(os.listdir("exported")))
assert said == {"FINISHED"} and named == ["map_Kd color.png"]
assert sorted(os.listdir("exported")) == ["cube.mtl", "cube.obj"]
PYTHON
