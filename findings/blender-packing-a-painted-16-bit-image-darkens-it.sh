#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: a painted image that is packed looks the same when the file is opened again.
# Seen:  one of 16 bits a channel is packed as a linear EXR while the image goes on saying sRGB, so it is much darker
# then. Setting its color space to the working space after packing mends it (and alpha to premultiplied).
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
seen = []
for mend in (False, True):
    image = bpy.data.images.load(os.path.abspath("a.png"), check_existing=False)
    image.use_fake_user = True
    image.pixels[0] = 0.25
    image.update()
    image.pack()
    if mend:
        image.colorspace_settings.name = "Linear Rec.709"
    name, before = image.name, image.pixels[4]
    bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("a.blend"))
    bpy.ops.wm.open_mainfile(filepath=os.path.abspath("a.blend"))
    seen.append((round(before, 3), round(bpy.data.images[name].pixels[4], 3)))
print("a value before saving and after opening, as it is and mended:", seen)
(before, after), (mended, again) = seen
assert before > 2 * after and mended == again == before
PYTHON
