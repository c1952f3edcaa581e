# SPDX-License-Identifier: GPL-3.0-or-later
"""One tile of a set, as an image of its own, for what wants a picture that repeats. Imports bpy."""

from array import array
from typing import Any

import bpy

from ...core.naming import image_name
from ...core.results import GUIDE
from ..settings.properties import facts_of
from . import without_repeat


def of(image: bpy.types.Image) -> bpy.types.Image:
    """Of a set, a new image of its first tile that fits itself on all sides; any other image as it is. Reads pixels."""
    sheet = without_repeat.sheet_of(image)
    if sheet.count == 1:
        return image
    column, row = sheet.repeating
    width, height = image.size[0] // sheet.columns, image.size[1] // sheet.rows
    source: Any = image.pixels
    pixels = array("f", [0.0]) * len(source)
    source.foreach_get(pixels)
    channels = image.channels
    bottom, left = (sheet.rows - 1 - row) * height, column * width
    four = array("f", [1.0]) * (4 * width * height)  # as many channels as a new image has
    for y in range(height):
        start = ((bottom + y) * image.size[0] + left) * channels
        line = pixels[start : start + width * channels]
        end = 4 * width
        for channel in range(4 if channels in (2, 4) else 3):
            plane = min(channel, channels - 1) if channels > 2 else channel // 3
            four[y * end + channel : (y + 1) * end : 4] = line[plane::channels]
    name = image_name(facts_of(image).prompt or image.name, None, "tile")
    is_data = image.colorspace_settings.is_data
    tile = bpy.data.images.new(name, width, height, alpha=True, float_buffer=image.is_float, is_data=is_data)
    written: Any = tile.pixels
    written.foreach_set(four)
    facts_of(tile).kind = GUIDE  # saved with the file, as painted ones are
    return tile
