# SPDX-License-Identifier: GPL-3.0-or-later
"""A material's textures as files that another program imports: named, packed, turned. Imports bpy and core.

Blender's own pixels and writers are used, since some Blenders have no numpy. What they do to numbers was measured in
4.5 and 5.2: 8-bit PNGs are exact; so is a 16-bit PNG without alpha, while one with alpha is divided by it on the way
out; an EXR keeps the numbers of a float image that was made as data, while 4.5 encodes those of others in sRGB.
"""

import os
import secrets
import shutil
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.map_files import DEFAULTS, SCHEMES, Channel, Texture
from ...core.requests.finish import MapKind
from ...core.results import BASE_COLOR, PART, disk_errors
from ..common.languages import rpt_

_FORMATS: Any = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_LEAST_ALPHA = 1 / 65535  # what is divided by 0 is lost
_BLOCK = 1 << 16  # values


@dataclass(frozen=True)
class Wish:
    """scheme: one of `map_files.SCHEMES`. directx: None for the scheme's own way.

    bits: 8 or 16 for PNG, 0 for as many as the maps have. exr: OpenEXR instead, 32-bit floats.
    values: what stands in for maps that are not there, by kind.
    """

    scheme: str
    directx: bool | None = None
    bits: int = 0
    exr: bool = False
    values: Mapping[str, float] = field(default_factory=lambda: {**DEFAULTS})


def targets(pictures: Mapping[str, bpy.types.Image], folder: Path, name: str, wish: Wish) -> dict[Path, Texture]:
    """The files that `write` would make. Raises `UserError` where there is none."""
    suffix = ".exr" if wish.exr else ".png"
    needed = [item for item in SCHEMES[wish.scheme].textures if any(kind in pictures for kind in item.kinds)]
    if not needed:
        raise UserError(ErrorKind.TARGET, rpt_("There is no map to export."), "Generate a material with maps first.")
    return {folder / f"{texture.name.format(name=name)}{suffix}": texture for texture in needed}


def write(
    pictures: Mapping[str, bpy.types.Image],
    folder: Path,
    name: str,
    wish: Wish,
    written: Callable[[], object] = lambda: None,
) -> list[Path]:
    """Write the textures beside each other. Files of these names are replaced, each whole or not at all.

    pictures: by kind, `BASE_COLOR` or a `MapKind`. written: called after each.
    Raises `UserError` (kind `DISK`; `REQUEST` for one without pixels).
    """
    directx = SCHEMES[wish.scheme].directx if wish.directx is None else wish.directx
    files = targets(pictures, folder, name, wish)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, texture in files.items():
            part = folder / f"{PART}{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
            try:
                _write_texture(pictures, texture, part, wish, directx and MapKind.NORMAL in texture.kinds)
                os.replace(part, path)
                written()
            except RuntimeError as error:  # Blender's own, in several lines that name another file
                raise UserError(
                    ErrorKind.DISK,
                    rpt_("Cannot write {path}.").format(path=path),
                    "Free some space there, or choose another folder.",
                ) from error
            finally:
                part.unlink(missing_ok=True)
    return list(files)


def _write_texture(
    pictures: Mapping[str, bpy.types.Image], texture: Texture, path: Path, wish: Wish, turned: bool
) -> None:
    images = [pictures[kind] for kind in texture.kinds if kind in pictures]
    own = _own_bits(images)
    bits = 32 if wish.exr else wish.bits or own
    if not (texture.is_packed or turned) and bits == own and _copy_file(images[0], path):
        return
    with _pixels(images) as planes:
        size = planes[images[0].name].size
        channels = [_channel(channel, pictures, planes, wish) for channel in texture.channels]
    if turned:
        channels[1] = _inverted(channels[1])
    if wish.exr and BASE_COLOR in texture.kinds:
        channels = [_linear(channel) for channel in channels]
    save(channels, size, path, bits)


def _own_bits(images: Sequence[bpy.types.Image]) -> int:
    return 16 if any(image.is_float for image in images) else 8


def _copy_file(image: bpy.types.Image, path: Path) -> bool:
    """Copy an image's own PNG, with its recipe and byte for byte. False where it has none that still is its pixels."""
    if image.is_dirty or image.source != "FILE" or path.suffix != ".png":
        return False
    if image.packed_file:
        data = image.packed_file.data
        if data[:4] != b"\x89PNG":
            return False
        path.write_bytes(data)
        return True
    source = Path(bpy.path.abspath(image.filepath, library=image.library))
    if not source.is_file():
        raise UserError(
            ErrorKind.REQUEST,
            rpt_("The file of {name} is missing: {path}.").format(name=image.name, path=source),
            "Find it with File, External Data.",
        )
    with source.open("rb") as file:
        if file.read(4) != b"\x89PNG":
            return False
    shutil.copyfile(source, path)
    return True


@dataclass(frozen=True)
class _Plane:
    """An image's numbers as they stand in its file, from the bottom, all channels in turn."""

    values: "array[float]"
    channels: int
    size: tuple[int, int]


@contextmanager
def _pixels(images: Sequence[bpy.types.Image]) -> Iterator[dict[str, _Plane]]:
    """The planes of images by name, all as large as the largest."""
    sizes = [(int(image.size[0]), int(image.size[1])) for image in images]
    size = max(sizes)
    planes, made = {}, []
    try:
        for image in images:
            if not all(image.size):
                raise UserError(
                    ErrorKind.REQUEST,
                    rpt_("{name} has no pixels.").format(name=image.name),
                    "Choose another image.",
                )
            source: Any = image
            if not image.is_dirty and (image.is_float or tuple(image.size) != size):
                source = image.copy()
                made.append(source)
                source.colorspace_settings.is_data = True  # else Blender reads its colors as linear ones
            if tuple(source.size) != size:
                source.scale(*size)
            values = array("f", bytes(4 * len(source.pixels)))
            source.pixels.foreach_get(values)
            planes[image.name] = _Plane(values, len(values) // (size[0] * size[1]), size)
        yield planes
    finally:
        for copy in made:
            bpy.data.images.remove(copy)


def _channel(
    channel: Channel, pictures: Mapping[str, bpy.types.Image], planes: Mapping[str, _Plane], wish: Wish
) -> "array[float]":
    image = pictures.get(channel.kind)
    if image is None:
        width, height = next(iter(planes.values())).size
        value = wish.values.get(channel.kind, DEFAULTS[MapKind(channel.kind)])
        return array("f", [1.0 - value if channel.inverted else value]) * (width * height)
    plane = planes[image.name]
    index = channel.index if plane.channels > 2 else 0  # grey, perhaps with alpha
    values = plane.values[index :: plane.channels]
    return _inverted(values) if channel.inverted else values


def _inverted(values: "array[float]") -> "array[float]":
    return _each(values, lambda block: [1.0 - value for value in block])


def _linear(values: "array[float]") -> "array[float]":
    """Of values in sRGB (IEC 61966-2-1)."""
    return _each(values, lambda block: [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in block])


def _each(values: "array[float]", change: Callable[["array[float]"], list[float]]) -> "array[float]":
    """In blocks, since a list takes eight times the memory."""
    out = array("f")
    for start in range(0, len(values), _BLOCK):
        out.extend(array("f", change(values[start : start + _BLOCK])))
    return out


def save(channels: Sequence["array[float]"], size: tuple[int, int], path: Path, bits: int, quality: int = 0) -> None:
    """Write a picture's numbers, three channels or four, rows from the bottom. bits: 8 or 16 of a PNG, 32 of an EXR.

    quality: 1 to 100 of a JPEG or WebP, 0 for Blender's own. Raises RuntimeError where Blender cannot.
    """
    has_alpha = len(channels) > 3
    twin = bpy.data.images.new(path.stem, *size, alpha=has_alpha, float_buffer=bits > 8, is_data=True)
    try:
        pixels = array("f", [1.0]) * (4 * size[0] * size[1])
        if bits == 16 and has_alpha:
            alpha = array("f", [max(value, _LEAST_ALPHA) for value in channels[3]])
            channels = [*(array("f", map(float.__mul__, values, alpha)) for values in channels[:3]), alpha]
        for index, values in enumerate(channels):
            pixels[index::4] = values
        buffer: Any = twin.pixels  # the stubs call it one number
        buffer.foreach_set(pixels)
        twin.file_format = _FORMATS.get(path.suffix, "OPEN_EXR")
        twin.save(filepath=str(path), quality=quality)
    finally:
        bpy.data.images.remove(twin)
    if path.suffix == ".png":
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - len(_PNG_END), 0))
            if file.read() != _PNG_END:  # of a full disk Blender (4.5) says nothing
                raise RuntimeError(f"{path} is not whole")
