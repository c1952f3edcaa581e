# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as images in the .blend: made from the store's files, packed or copied on save. Imports bpy and core."""

import filecmp
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Collection
from errno import ENOENT
from pathlib import Path, PurePath

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.naming import image_name
from ...core.results import BASE_COLOR, MAPS, PART, Result, is_input
from ..common import preferences, state
from ..common.languages import rpt_
from ..settings import properties
from ..settings.properties import facts_of
from . import sources

_logger = logging.getLogger(__name__)
_BESIDE = "textures"  # the folder beside a .blend


def load(result: Result, kind: str = BASE_COLOR) -> bpy.types.Image:
    """The image that refers to the result's file of that kind, a new one unless it is there; no pixels are read.

    Raises `UserError` (kind `DISK`) where the file is gone.
    """
    path, name = result.path(kind), result.folder.name
    state.current.view.placed.add(name)
    state.current.view.doomed.discard(name)
    for image in bpy.data.images:
        facts = facts_of(image)
        # one that was painted on or given another file since shows something else
        shows_it = (facts.result, facts.kind) == (name, kind) and name in image.filepath and not image.is_dirty
        if shows_it and image.library is None:
            return image
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as error:
        raise UserError(
            ErrorKind.DISK,
            rpt_("Cannot read the texture {path}.").format(path=path),
            "Generate it again with its seed.",
        ) from error
    request = result.recipe.request
    image.name = image_name(
        request.prompt, request.seed if request.is_sampled else None, "" if kind == BASE_COLOR else kind
    )
    if kind in MAPS:
        image.colorspace_settings.is_data = True  # Non-Color, whatever this color management calls it
    elif path.suffix != ".exr":
        sources.set_color_space(
            image, "sRGB"
        )  # where a studio has none, its default for 8-bit pictures is meant for this
    if kind == BASE_COLOR:
        sources.settle(image, result)
    if image.colorspace_settings.is_data:
        # EEVEE would keep 11 of the 16 bits of a height (5.2: 256 neighbouring levels become 9): terraces on a smooth
        # relief. Cycles keeps them all anyway, and colors of 11 bits look no different.
        image.use_half_precision = False
    properties.describe(image, result, kind)
    return image


def load_file(path: str) -> bpy.types.Image:
    """The image of a file, a new one unless it is there. Raises `UserError` where there is none that can be read."""
    try:
        return bpy.data.images.load(path, check_existing=True)
    except RuntimeError as error:
        words = rpt_("Cannot read the picture {path}.")
        raise UserError(ErrorKind.REQUEST, words.format(path=path), "Choose another one.") from error


def load_kept(result: Result, kind: str, recipe: str = "") -> bpy.types.Image:
    """The image of a template, mask or guide whose copy lies beside the result. recipe: what made it, if that is known.

    It is saved with the .blend as the result's own images are. Raises `UserError` where it cannot be read.
    """
    path, name = result.path(kind), result.folder.name
    for image in bpy.data.images:
        facts = facts_of(image)
        if (facts.result, facts.kind) == (name, kind) and not image.is_dirty and image.library is None:
            return image
    image = sources.read_array(path) if path.suffix == ".npy" else load_file(str(path))
    image.name = image_name(result.recipe.request.prompt, None, kind)
    facts = facts_of(image)
    facts.result, facts.kind, facts.recipe = name, kind, recipe
    state.current.view.placed.add(name)
    return image


def follow(old: Path, new: Path) -> None:
    """Let images that are read from results in `old` be read from `new`, where those have moved."""
    for image in bpy.data.images:
        result = facts_of(image).result
        if not result or image.library or image.packed_file:
            continue
        path = Path(os.path.abspath(bpy.path.abspath(image.filepath)))
        moved = new / result / path.name
        if path.parent == old / result and not path.is_file() and moved.is_file():
            image.filepath_raw = str(moved)
            if not (image.has_data or image.is_dirty):
                image.reload()


def keep(image: bpy.types.Image | None) -> None:
    """See to it that an image survives being saved without a user."""
    if image is not None and image.library is None:
        image.use_fake_user = True


def is_in_history(image: bpy.types.Image) -> bool:
    """Whether an image is one of a result, with the pixels that its file in the store has: that can be had again.

    What was painted on was packed as other bytes, or is packed by the next save.
    """
    facts = facts_of(image)
    if not facts.result or facts.result != PurePath(facts.result).name or image.is_dirty or image.library is not None:
        return False
    folder = preferences.store_folder() / facts.result
    files = [file for file in (folder / f"{facts.kind}.png", folder / f"{facts.kind}.exr") if file.is_file()]
    return bool(files) and (not image.packed_file or image.packed_file.size == files[0].stat().st_size)


def pack_all(stores: Collection[Path]) -> list[str]:
    """Put the files of all images that are in one of these stores into the .blend that is about to be saved.

    No other files, whatever an image from somebody else's .blend refers to; what the user has unpacked stays so. Names
    those that could not be packed, and why. Packing copies the file's bytes and decodes nothing, about 1 ms for a
    megabyte; only where somebody has painted on an image its pixels are encoded.
    """
    return _each(lambda image: _pack_of(image, stores))


def _pack_of(image: bpy.types.Image, stores: Collection[Path]) -> None:
    result, path = facts_of(image).result, _file(image)
    if path is None or path.parent.name != result or path.parent.parent not in stores or image.packed_file:
        return
    if not image.is_dirty and not path.is_file():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
    suffix = pack(image) or path.suffix
    name = f"//{_BESIDE}/{_own_stem(image)}{suffix}"
    for packed in image.packed_files:
        packed.filepath = name
    image.filepath_raw = name


def pack(image: bpy.types.Image) -> str:
    """Pack the image's file, or its pixels where somebody has painted on it: as which suffix, "" where as its file.

    Float colors are packed as they are in memory, as an EXR in the working space and multiplied by alpha, and Blender
    (4.2 to 5.2) leaves the image saying what its file was, for instance sRGB: so its space is set to what it really is.
    Raises RuntimeError.
    """
    painted = image.is_dirty
    image.pack()
    if not painted:
        return ""
    if not image.is_float:
        return ".png"
    if not image.colorspace_settings.is_data:
        sources.set_color_space(image, sources.working_space())
        if image.alpha_mode == "STRAIGHT":
            image.alpha_mode = "PREMUL"
    return ".exr"


def copy_all(stores: Collection[Path], file: Path) -> list[str]:
    """Copy the files of all images that are in one of these stores into a folder beside the .blend.

    file: where the open .blend is about to be saved. Images that were copied beside it where it was saved before come
    along. What was painted on is packed. Names the images that could not be copied, and why; `paths_back` takes it all
    back.
    """
    here = Path(os.path.abspath(file)).parent / _BESIDE
    before = Path(bpy.data.filepath).parent / _BESIDE if bpy.data.filepath else None
    state.current.view.paths_before.clear()
    return _each(lambda image: _copy_of(image, stores, here, before))


def _copy_of(image: bpy.types.Image, stores: Collection[Path], here: Path, before: Path | None) -> None:
    result, path = facts_of(image).result, _file(image)
    if path is None or image.packed_file or path.parent == here:
        return
    stored = path.parent.name == result and path.parent.parent in stores
    along = path.parent == before and path.stem == _own_stem(image) and not path.is_symlink()
    if not (stored or along):
        return
    if image.is_dirty:
        pack(image)
        return
    copied = _copy(path, here, f"{_own_stem(image)}{path.suffix}")
    state.current.view.paths_before[image.session_uid] = image.filepath_raw
    image.filepath_raw = _relative(copied, before.parent if before else None)


def pack_made() -> list[str]:
    """Pack masks, templates and guides that are in no file, or were painted on. Names those that failed, and why."""
    return _each(_pack_made, lambda image: is_input(facts_of(image).kind))


def _pack_made(image: bpy.types.Image) -> None:
    if image.is_dirty or image.source == "GENERATED":
        pack(image)


def _each(
    do: Callable[[bpy.types.Image], None],
    wanted: Callable[[bpy.types.Image], object] = lambda image: facts_of(image).result,
) -> list[str]:
    """Do it with each image of ours; where one fails, the others are done all the same. Names those, and why."""
    lost = []
    for image in list(bpy.data.images):
        if image.library or not wanted(image):
            continue
        try:
            do(image)
        except Exception as error:  # whatever it is about one image, the user's file is saved with all the others
            _logger.exception("%s could not be saved into the file.", image.name)
            lines = str(error).split("\n")
            lost.append(f"{image.name} ({getattr(error, 'strerror', None) or lines[0].strip()})")
    return lost


def _file(image: bpy.types.Image) -> Path | None:
    """The file that an image names, None where it names none."""
    if not image.filepath:
        return None
    return Path(os.path.abspath(bpy.path.abspath(image.filepath)))  # relative to the .blend, it has ".." in it


def _own_stem(image: bpy.types.Image) -> str:
    """The name of an image's file outside of the store, where the files of many results lie side by side."""
    facts = facts_of(image)
    return f"{facts.result}-{facts.kind}" if facts.kind in MAPS or is_input(facts.kind) else str(facts.result)


def paths_back() -> None:
    """The open file's images as before `copy_all`: it was saved elsewhere as a copy, or not at all."""
    paths = state.current.view.paths_before
    for image in bpy.data.images:
        if image.session_uid in paths:
            image.filepath_raw = paths[image.session_uid]
    paths.clear()


def _copy(source: Path, folder: Path, name: str) -> Path:
    """Copy a file whole or not at all; what has that name and is another file is not overwritten. Raises OSError."""
    folder.mkdir(exist_ok=True)
    target, number = folder / name, 2
    while target.exists():
        if filecmp.cmp(source, target, shallow=False):
            return target
        target, number = folder / f"{Path(name).stem}-{number}{source.suffix}", number + 1
    part = folder / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _relative(copied: Path, before: Path | None) -> str:
    """A path that is relative to the new .blend once it is saved.

    Blender moves relative paths along while it saves into another folder, so there it has to count from the old one.
    """
    if before is None or before == copied.parent.parent:
        return f"//{_BESIDE}/{copied.name}"
    try:
        return str(bpy.path.relpath(str(copied), start=str(before)))
    except ValueError:  # another drive, which no relative path leads to
        return str(copied)
