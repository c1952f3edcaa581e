#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a new float image is in the color space that its pixels are in, the file's working space.
# Seen:  in 5.0 it says Linear Rec.709 where the working space is ACEScg, while its pixels are ACEScg: reading it again
# from what is packed shifts the colors. Blender 5.2.2 says ACEScg.
# Versions: bpy==5.0.1, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==5.0.1
venv/bin/python - <<'PYTHON'
import bpy

print("bpy", bpy.app.version_string)
print(bpy.ops.wm.set_working_color_space(working_space="ACEScg", convert_colors=False))
image = bpy.data.images.new("float", 4, 4, float_buffer=True)
image.pixels.foreach_set([0.5, 0.2, 0.1, 1.0] * 16)
image.update()
image.pack()
said, before = image.colorspace_settings.name, [round(value, 3) for value in image.pixels[:3]]
image.colorspace_settings.name = said  # reads what is packed
after = [round(value, 3) for value in image.pixels[:3]]
print("working space:", bpy.data.colorspace.working_space, "the image says:", said, before, "read again:", after)
assert (bpy.data.colorspace.working_space, said) == ("ACEScg", "Linear Rec.709")
assert before == [0.5, 0.2, 0.1] and after != before
PYTHON
