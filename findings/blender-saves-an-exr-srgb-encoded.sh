#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: Image.save() of a linear float image as OpenEXR writes its linear pixels.
# Seen:  it writes them sRGB-encoded into a valid EXR: 0.5 becomes 0.735; read back as linear, as every program does,
# the picture is too bright. Image.pack() of the same image writes them linear.
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
image = bpy.data.images.new("linear", 4, 4, float_buffer=True)
image.pixels.foreach_set([0.5, 0.2, 0.1, 1.0] * 16)
image.update()
space = image.colorspace_settings.name
image.file_format, image.filepath_raw = "OPEN_EXR", os.path.abspath("a.exr")
image.save()
with open("a.exr", "rb") as file:
    assert file.read(4) == bytes.fromhex("762f3101"), "an OpenEXR file"
back = bpy.data.images.load(os.path.abspath("a.exr"), check_existing=False)
seen = [round(value, 3) for value in back.pixels[:3]]
print("0.5 0.2 0.1 in", space, "was saved, and is read in", back.colorspace_settings.name, "as", *seen)
assert (space, back.colorspace_settings.name) == ("Linear Rec.709", "Linear Rec.709")
assert seen == [0.735, 0.485, 0.349]
PYTHON
