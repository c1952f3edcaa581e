# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiles of a set as files of their own, beside the picture that holds them all. Imports bpy and core."""

from array import array
from itertools import product
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.results import disk_errors
from ...core.variants import Sheet
from ..common.languages import rpt_
from . import export_maps

_WITH_ALPHA = (32, 64, 128)  # bits of a pixel


def cut(file: Path, sheet: Sheet) -> list[Path]:
    """Write each tile of a picture, pixel for pixel: name-1-1 is at its top left, name-1-2 right of that.

    Files of these names are replaced. Raises `UserError` (kind `DISK`).
    """
    image = bpy.data.images.load(str(file), check_existing=False)
    try:
        image.colorspace_settings.is_data = True  # numbers as they stand in the file
        image.alpha_mode = "CHANNEL_PACKED"
        bits = 32 if file.suffix == ".exr" else 16 if image.is_float else 8
        channels = 4 if image.depth in _WITH_ALPHA else 3
        width, height = image.size[0] // sheet.columns, image.size[1] // sheet.rows
        pixels: Any = image.pixels  # the stubs call it one number
        stride = len(pixels) // image.size[1]
        step = stride // image.size[0]
        values = array("f", bytes(4 * len(pixels)))
        pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    made = []
    for row, column in product(range(sheet.rows), range(sheet.columns)):
        part: array[float] = array("f")
        bottom = (sheet.rows - 1 - row) * height  # Blender counts rows from below
        for y in range(bottom, bottom + height):
            part += values[y * stride + column * width * step : y * stride + (column + 1) * width * step]
        path = file.with_name(f"{file.stem}-{row + 1}-{column + 1}{file.suffix}")
        try:
            with disk_errors(file.parent):
                planes = [part[min(index, step - 1) :: step] for index in range(channels)]
                export_maps.save(planes, (width, height), path, bits)
        except RuntimeError as error:
            raise UserError(
                ErrorKind.DISK,
                rpt_("Cannot write {path}.").format(path=path),
                "Free some space there, or choose another folder.",
            ) from error
        made.append(path)
    return made
