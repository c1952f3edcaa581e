# SPDX-License-Identifier: GPL-3.0-or-later
"""From an image in the .blend to a file that the worker reads, and back to an image. Imports bpy and core.

Most images are files already, and are named. What is packed is written out as it is; what exists in Blender only
(generated, painted on, float) is written as its pixels, which takes a moment for large ones.
"""

import re
import struct
import sys
from array import array
from contextlib import suppress
from pathlib import Path

import bpy

from ..core.errors import ErrorKind, UserError
from ..core.image_request import Content, ImageRequest
from ..core.results import Result
from .target import Look

# what the worker reads as it is; others (EXR, HDR, Cineon ...) go through Blender
_READ_BY_WORKER = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".tga"}
_TIFF = {".tif", ".tiff"}
_NO_PICTURES = {"MOVIE": "a movie", "SEQUENCE": "a sequence", "TILED": "a set of UDIM tiles", "VIEWER": "a viewer"}


def problem(image: bpy.types.Image | None) -> UserError | None:
    """Why nothing can be made of an image, for greyed buttons. Touches no file."""
    if image is None:
        return _refusal("There is no image.", "Open one in the Image Editor, or put one into the active material.")
    if image.source in _NO_PICTURES:
        return _refusal(f"{image.name} is {_NO_PICTURES[image.source]}, not one picture.", "Choose another image.")
    if image.source == "FILE" and not image.packed_file and not image.filepath:
        return _refusal(f"{image.name} has no file.", "Choose another image.")
    return None


def prepare(image: bpy.types.Image, folder: Path) -> tuple[Path, Content]:
    """The file to read, and what its numbers mean. What has to be written goes into `folder`.

    The image is not changed. Raises `UserError` where its file is missing or it has no pixels.
    """
    if error := problem(image):
        raise error
    is_data = image.colorspace_settings.is_data
    path = _path(image)
    if image.source == "FILE" and not image.packed_file and not path.is_file():
        raise _refusal(f"The file of {image.name} is missing: {path}.", "Find it with File, External Data.")
    as_it_is = _is_read_as_it_is(image)
    if as_it_is and not image.packed_file:
        return path, Content.DATA if is_data else Content.COLOR
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (re.sub(r"\W+", "-", image.name).strip("-") or "image")
    if as_it_is:
        target = target.with_suffix(path.suffix.lower())
        target.write_bytes(image.packed_file.data)
        return target, Content.DATA if is_data else Content.COLOR
    if not image.is_float:
        target = target.with_suffix(".png")
        _write_png(image, target)
        return target, Content.DATA if is_data else Content.COLOR
    target = target.with_suffix(".npy")
    _write_array(image, target)
    # Blender's float pixels are scene-linear, whatever the file held
    return target, Content.DATA if is_data else Content.LINEAR


def look(image: bpy.types.Image) -> Look:
    """How Blender is to read a result whose pixels are made from those that `prepare` names."""
    # Blender's own 8-bit pixels are never premultiplied, so what was written out from them is not either
    divided = image.alpha_mode == "PREMUL" and not _is_read_as_it_is(image)
    return Look(image.colorspace_settings.name, "STRAIGHT" if divided else image.alpha_mode)


def _path(image: bpy.types.Image) -> Path:
    return Path(bpy.path.abspath(image.filepath, library=image.library))


def _is_read_as_it_is(image: bpy.types.Image) -> bool:
    """Whether the worker reads the image's own file."""
    suffix = _path(image).suffix.lower()
    if image.source != "FILE" or image.is_dirty or suffix not in _READ_BY_WORKER:
        return False
    return suffix not in _TIFF or not image.is_float  # deeper than 8 bits, Pillow would cut them down


def _write_png(image: bpy.types.Image, path: Path) -> None:
    """The 8-bit pixels as they are seen, painted ones too."""
    _refuse_without_pixels(image)
    if "save_copy" not in image.bl_rna.functions["save"].parameters:  # before 4.3 it would make the file the image's
        _write_png_of_twin(image, path)
        return
    before = image.file_format
    try:
        image.file_format = "PNG"
        image.save(filepath=str(path), save_copy=True)
    finally:
        image.file_format = before


def _write_png_of_twin(image: bpy.types.Image, path: Path) -> None:
    twin = bpy.data.images.new(image.name, *image.size, alpha=image.depth == 32)
    try:
        twin.colorspace_settings.is_data = image.colorspace_settings.is_data
        pixels = array("f", bytes(16 * image.size[0] * image.size[1]))  # an 8-bit image has four channels
        image.pixels.foreach_get(pixels)
        twin.pixels.foreach_set(pixels)
        twin.file_format = "PNG"
        twin.save(filepath=str(path))
    finally:
        bpy.data.images.remove(twin)


def _write_array(image: bpy.types.Image, path: Path) -> None:
    """A .npy file of float32, (height, width, channels) from the top; by hand, since some Blenders have no numpy."""
    _refuse_without_pixels(image)
    width, height = image.size
    shape = (height, width, image.channels)
    row = 4 * width * image.channels  # bytes
    pixels = array("f", bytes(row * height))
    image.pixels.foreach_get(pixels)
    if sys.byteorder == "big":
        pixels.byteswap()
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"
    header += " " * (-(len(header) + 11) % 64) + "\n"  # the data begins at a multiple of 64 (numpy.lib.format)
    values = memoryview(pixels).cast("B")
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("ascii"))
        for y in reversed(range(height)):  # Blender counts from the bottom
            file.write(values[y * row : (y + 1) * row])


def _refuse_without_pixels(image: bpy.types.Image) -> None:
    if not image.has_data and not all(image.size):
        raise _refusal(f"{image.name} has no pixels.", "Choose another image.")


def settle(image: bpy.types.Image, result: Result, source: Look | None = None) -> None:
    """Give the image of a picture's result the colour space that its numbers are in, and the meaning of its alpha.

    source: the look of what it was made from, where that is known.
    """
    request = result.recipe.request
    if not isinstance(request, ImageRequest):
        return
    is_exr = result.path().suffix == ".exr"
    if request.content in (Content.DATA, Content.NORMAL):
        image.colorspace_settings.is_data = True
    elif is_exr:
        _set_color_space(image, "Linear Rec.709", "Linear")  # since 4.0; as other colour managements call it
    elif source:
        _set_color_space(image, source.color_space)
    if source and not is_exr:
        image.alpha_mode = source.alpha_mode


def _set_color_space(image: bpy.types.Image, *names: str) -> None:
    """Set the first of these that this colour management has; where it has none, the image's stays."""
    for name in names:
        with suppress(TypeError):
            image.colorspace_settings.name = name
            return


def _refusal(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
