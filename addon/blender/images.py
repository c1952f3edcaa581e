# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as images in the .blend: made from the store's files, packed when it is saved. Imports bpy and core."""

import logging
import os
from collections.abc import Collection
from pathlib import Path

import bpy

from ..core.errors import ErrorKind, UserError
from ..core.naming import image_name
from ..core.results import BASE_COLOR, MAPS, Result
from . import properties

_logger = logging.getLogger(__name__)


def load(result: Result, kind: str = BASE_COLOR) -> bpy.types.Image:
    """The image that refers to the result's file of that kind, a new one unless it is there; no pixels are read.

    Raises `UserError` (kind `DISK`) where the file is gone.
    """
    path, name = result.path(kind), result.folder.name
    for image in bpy.data.images:
        facts = image.tilewright
        # one that was painted on or given another file since shows something else
        shows_it = (facts.result, facts.kind) == (name, kind) and name in image.filepath and not image.is_dirty
        if shows_it and image.library is None:
            return image
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as error:
        raise UserError(
            ErrorKind.DISK, f"The texture {path} cannot be read.", "Generate it again with its seed."
        ) from error
    request = result.recipe.request
    image.name = image_name(request.prompt, request.seed, "" if kind == BASE_COLOR else kind)
    if kind in MAPS:
        image.colorspace_settings.is_data = True  # Non-Color, whatever this colour management calls it
    elif image.colorspace_settings.name != "sRGB":
        try:
            image.colorspace_settings.name = "sRGB"
        except TypeError:  # a colour management of the studio's own: its default for 8-bit pictures is meant for this
            _logger.info("This colour management has no sRGB; %s is used.", image.colorspace_settings.name)
    properties.describe(image, result, kind)
    return image


def keep(image: bpy.types.Image | None) -> None:
    """See to it that an image survives being saved without a user."""
    if image is not None and image.library is None:
        image.use_fake_user = True


def pack_all(stores: Collection[Path]) -> list[str]:
    """Put the files of all images that are in one of these stores into the .blend that is about to be saved.

    No other files, whatever an image from somebody else's .blend refers to; what the user has unpacked stays so. Names
    those that could not be packed. Packing copies the file's bytes and decodes nothing, about 1 ms for a megabyte; only
    where somebody has painted on an image its pixels are encoded.
    """
    lost = []
    for image in bpy.data.images:
        result = image.tilewright.result
        # a path relative to the .blend has ".." in it
        path = Path(os.path.abspath(bpy.path.abspath(image.filepath)))
        ours = result and path.parent.name == result and path.parent.parent in stores
        if not ours or image.library or image.packed_file:
            continue
        try:
            if not image.is_dirty and not path.is_file():
                raise RuntimeError(f"{path} is gone")
            image.pack()
        except RuntimeError as error:
            _logger.error("%s could not be packed: %s", image.name, error)
            lost.append(image.name)
            continue
        # Files of different results have the same name: unpacked side by side they would overwrite each other.
        kind = image.tilewright.kind
        name = f"//textures/{result}{f'-{kind}' if kind in MAPS else ''}{path.suffix}"
        for packed in image.packed_files:
            packed.filepath = name
        image.filepath_raw = name
    return lost
