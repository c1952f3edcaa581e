#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: setting an image's color space or alpha mode to the value that it has already changes nothing.
# Seen:  unsaved painted pixels are discarded, and the image is no longer marked as changed; use_half_precision leaves
# them alone. The same in bpy 4.2.23 and 5.0.1 and in Blender 5.2.2.
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
image = bpy.data.images.new("a", 4, 4)
image.file_format, image.filepath_raw = "PNG", os.path.abspath("a.png")
image.save()


def after(do):
    image = bpy.data.images.load(os.path.abspath("a.png"), check_existing=False)
    image.pixels.foreach_set([1.0] * 64)
    image.update()
    do(image)
    return image.pixels[0], image.is_dirty


seen = {
    "nothing": after(lambda image: None),
    "color space": after(lambda image: setattr(image.colorspace_settings, "name", image.colorspace_settings.name)),
    "alpha mode": after(lambda image: setattr(image, "alpha_mode", image.alpha_mode)),
    "half precision": after(lambda image: setattr(image, "use_half_precision", image.use_half_precision)),
}
for what, (value, is_dirty) in seen.items():
    print(f"painted 1.0, then set to itself: {what:14} first value {value}, unsaved changes {is_dirty}")
kept, lost = (1.0, True), (0.0, False)
assert list(seen.values()) == [kept, lost, lost, kept]
PYTHON
