#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: Image.copy() of an image with unsaved changes has the same pixels.
# Seen:  the copy is made from the file, or generated anew: the paint is missing, and neither is anything said nor the
# copy marked as changed. The same in bpy 4.2.23 and 5.0.1 and in Blender 5.2.2.
# Versions: bpy==4.5.15, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.5.15
venv/bin/python - <<'PYTHON'
import bpy

print("bpy", bpy.app.version_string)
image = bpy.data.images.new("painted", 4, 4)
image.pixels.foreach_set([0.0, 1.0, 0.0, 1.0] * 16)
image.update()
twin = image.copy()
seen = list(image.pixels[:4]), list(twin.pixels[:4]), image.is_dirty, twin.is_dirty
print("painted:", seen[0], "its copy:", seen[1], "unsaved changes:", seen[2:])
assert seen == ([0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], True, False)
PYTHON
