#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: after Image.pack() without an error an image is packed.
# Seen:  a generated image that nobody has painted on is not, bytes or floats, and nothing is said; once a pixel is set
# it is.
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
seen = []
for kind, settings in (("bytes", {}), ("floats", {"float_buffer": True})):
    image = bpy.data.images.new(kind, 4, 4, **settings)
    image.pack()
    seen.append(image.packed_file is not None)
    image.pixels[0] = 0.5
    image.update()
    image.pack()
    seen.append(image.packed_file is not None)
print("packed, untouched and touched, bytes and floats:", seen)
assert seen == [False, True, False, True]
PYTHON
