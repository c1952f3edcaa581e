# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that say where each of two materials is: black for the first, white for the second. Imports bpy."""

from array import array
from typing import Any

import bpy

from ...core.results import MASK
from ..settings.properties import facts_of


def new(name: str, side: int, amount: float) -> bpy.types.Image:
    """An image to paint, of one grey. side: pixels. amount: from 0 for the first material to 1 for the second."""
    image = bpy.data.images.new(name, side, side, is_data=True)
    image.generated_color = (amount, amount, amount, 1.0)
    facts_of(image).kind = MASK  # saved with the file, as those of templates are
    return image


def new_halves(name: str, side: int) -> bpy.types.Image:
    """An image to paint, black on the left and white on the right."""
    image = new(name, side, 0.0)
    row = array("f", [0.0, 0.0, 0.0, 1.0]) * (side // 2) + array("f", [1.0]) * (4 * (side - side // 2))
    pixels: Any = image.pixels
    pixels.foreach_set(row * side)
    image.update()
    return image
