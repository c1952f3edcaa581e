#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: Image.reload() of a packed image reads the packed file again.
# Seen:  it packs what lies at the image's path by now: what was packed is gone for good, and nothing is said.
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

def save(color):
    image = bpy.data.images.new("tmp", 4, 4)
    image.pixels.foreach_set([*color, 1.0] * 16)
    image.file_format, image.filepath_raw = "PNG", os.path.abspath("a.png")
    image.save()
    bpy.data.images.remove(image)


save((1.0, 0.0, 0.0))
image = bpy.data.images.load(os.path.abspath("a.png"))
image.pack()
save((0.0, 0.0, 1.0))
before = list(image.pixels[:3])
image.reload()
after = list(image.pixels[:3])
print("packed:", before, "after reload():", after, "still packed:", image.packed_file is not None)
assert (before, after) == ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
assert image.packed_file is not None
PYTHON
