#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: setting is_data of an image's color space does what setting its name to Non-Color does.
# Seen:  in 4.2 and 4.5 the pixels stay as they were read, in linear light of sRGB, until the file is opened anew; the
# name has them read again. 5.0.1 and Blender 5.2.2 do so for both.
# Versions: bpy==4.5.15, Python 3.11. Installs into a temporary folder; ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check bpy==4.5.15
venv/bin/python - <<'PYTHON'
import os
import struct
import zlib

import bpy

print("bpy", bpy.app.version_string)


def chunk(kind, body):
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


rows = (b"\0" + struct.pack(">H", 40000) * 12) * 4
with open("a.png", "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
seen = {}
for way in ("name", "is_data"):
    image = bpy.data.images.load(os.path.abspath("a.png"), check_existing=False)
    before = round(image.pixels[0], 2)  # reads the file, as anything that shows the image does
    if way == "name":
        image.colorspace_settings.name = "Non-Color"
    else:
        image.colorspace_settings.is_data = True
    seen[way] = image.colorspace_settings.name, before, round(image.pixels[0], 2)
print("a value of 0.61 of a PNG, as sRGB and after it was made Non-Color, by its", seen)
assert seen == {"name": ("Non-Color", 0.33, 0.61), "is_data": ("Non-Color", 0.33, 0.33)}
PYTHON
