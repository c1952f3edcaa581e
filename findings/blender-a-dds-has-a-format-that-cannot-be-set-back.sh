#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Guess: an image's file_format can be set to the value that it had before.
# Seen:  of a DDS it reads '': setting that raises a TypeError, and after it was set to PNG for a moment Image.save()
# writes PNG bytes into the .dds.
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

import bpy

print("bpy", bpy.app.version_string)
pixels = bytes([0, 0, 255, 255]) * 16
layout = struct.pack("<8I", 32, 0x41, 0, 32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)  # BGRA, not compressed
head = struct.pack("<7I44x", 124, 0x100F, 4, 4, 16, 0, 0) + layout + struct.pack("<5I", 0x1000, 0, 0, 0, 0)
with open("a.dds", "wb") as file:
    file.write(b"DDS " + head + pixels)
image = bpy.data.images.load(os.path.abspath("a.dds"))
before = image.file_format
print("size:", tuple(image.size), "first pixel:", list(image.pixels[:4]), "format:", repr(before))
image.file_format = "PNG"
try:
    image.file_format = before
    told = ""
except TypeError as error:
    told = str(error)
print("set back:", told[:60])
image.save()
with open("a.dds", "rb") as file:
    begins = file.read(4)
print("after Save the .dds begins with", begins)
assert before == "" and "not found" in told and begins == b"\x89PNG"
PYTHON
