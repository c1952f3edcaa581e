# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture the way up that its EXIF asks for. Imports bpy."""

from array import array
from pathlib import Path
from typing import Any

import bpy


def write(image: bpy.types.Image, orientation: int, path: Path) -> Path:
    """Write an image's pixels as a PNG, turned. orientation: EXIF's, 1 to 8. Returns the file. Raises RuntimeError."""
    width, height = image.size
    channels = image.channels
    source: Any = image.pixels
    pixels: array[float] = array("f", bytes(4 * len(source)))
    source.foreach_get(pixels)
    size = (height, width) if orientation > 4 else (width, height)
    turned: array[float] = array("f", [1.0]) * (4 * width * height)
    for channel in range(4):
        if channels < 3 or channel < channels:
            plane = pixels[channel if channels > 2 else 0 :: channels]
            turned[channel::4] = _turn(plane, width, height, orientation)
    twin = bpy.data.images.new(path.stem, *size, alpha=image.depth in (32, 64, 128), float_buffer=image.is_float)
    try:
        twin.colorspace_settings.is_data = image.colorspace_settings.is_data
        target: Any = twin.pixels
        target.foreach_set(turned)
        twin.file_format = "PNG"
        twin.save(filepath=str(path))
    finally:
        bpy.data.images.remove(twin)
    return path


def _turn(plane: "array[float]", width: int, height: int, orientation: int) -> "array[float]":
    """One channel. Rows stand from the bottom, as Blender has them."""
    rows = [plane[y * width : (y + 1) * width] for y in range(height)]
    if orientation > 4:  # rows become columns; from the bottom, this mirrors on the rising diagonal
        rows = [plane[x::width] for x in range(width)]
    across, down = _MIRRORED[orientation]
    if down:
        rows.reverse()
    out = array("f")
    for row in rows:
        out.extend(row[::-1] if across else row)
    return out


# EXIF's values: whether what is left after the diagonal is mirrored from left to right, and from top to bottom
_MIRRORED = {
    1: (False, False),
    2: (True, False),
    3: (True, True),
    4: (False, True),
    5: (True, True),
    6: (False, True),
    7: (False, False),
    8: (True, False),
}
