#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: copying a material and removing the copy leaves the users of its images as they were.
# Seen:  in 4.2 the copy counts each image of its nodes twice and its removal takes only one back, so the image is never
# without users again before the file is loaded anew; bpy 4.5.15 and 5.0.1 and Blender 5.2.2 count right.
# Versions: bpy==4.2.23, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.2.23
venv/bin/python - <<'PYTHON'
import os
import sys

import bpy

print("bpy", bpy.app.version_string)
image = bpy.data.images.new("image", 4, 4)
material = bpy.data.materials["Material"]
material.node_tree.nodes.new("ShaderNodeTexImage").image = image
seen = [image.users]
for _ in range(3):
    copy = material.copy()
    seen.append(image.users)
    bpy.data.materials.remove(copy)
    seen.append(image.users)
print("users at first, then after each copying and removal:", seen)
sys.stdout.flush()
assert seen == [1, 3, 2, 4, 3, 5, 4]
os._exit(0)  # this bpy ends with a signal after all is done
PYTHON
