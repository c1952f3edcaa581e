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
    whole = _Picture(file, sheet)
    made = []
    for row, column in product(range(sheet.rows), range(sheet.columns)):
        path = file.with_name(f"{file.stem}-{row + 1}-{column + 1}{file.suffix}")
        whole.save(column, row, path)
        made.append(path)
    return made


def cut_one(file: Path, sheet: Sheet, quality: int = 0) -> None:
    """Leave of a picture the one tile that fits itself on all sides. quality: see `export_maps.save`.

    Raises `UserError` (kind `DISK`).
    """
    _Picture(file, sheet).save(*sheet.repeating, file, quality)


class _Picture:
    """The numbers of a file as they stand in it."""

    def __init__(self, file: Path, sheet: Sheet) -> None:
        image = bpy.data.images.load(str(file), check_existing=False)
        try:
            image.colorspace_settings.is_data = True
            image.alpha_mode = "CHANNEL_PACKED"
            self._bits = 32 if file.suffix == ".exr" else 16 if image.is_float else 8
            self._channels = 4 if image.depth in _WITH_ALPHA else 3
            self._size = image.size[0] // sheet.columns, image.size[1] // sheet.rows
            self._rows = sheet.rows
            pixels: Any = image.pixels  # the stubs call it one number
            self._stride = len(pixels) // image.size[1]
            self._step = self._stride // image.size[0]
            self._values = array("f", bytes(4 * len(pixels)))
            pixels.foreach_get(self._values)
        finally:
            bpy.data.images.remove(image)

    def save(self, column: int, row: int, path: Path, quality: int = 0) -> None:
        """Write one tile. Raises `UserError` (kind `DISK`)."""
        part: array[float] = array("f")
        (width, height), step = self._size, self._step
        bottom = (self._rows - 1 - row) * height  # Blender counts rows from below
        for y in range(bottom, bottom + height):
            start = y * self._stride + column * width * step
            part += self._values[start : start + width * step]
        try:
            with disk_errors(path.parent):
                planes = [part[min(index, step - 1) :: step] for index in range(self._channels)]
                export_maps.save(planes, self._size, path, self._bits, quality)
        except RuntimeError as error:
            raise UserError(
                ErrorKind.DISK,
                rpt_("Cannot write {path}.").format(path=path),
                "Free some space there, or choose another folder.",
            ) from error
